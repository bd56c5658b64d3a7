"""What is taken away from a world never turns the answer; it is undecided only where a missing piece could turn it."""

from __future__ import annotations

import copy

from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.access import NO_HIERARCHY, Coverage, Hierarchy, Membership, Scope, Status, decide
from tests.access.oracle import Row, World, allowed
from tests.access.rights import CONTROL, NO_GRAPH, NOW, P
from tests.access.worlds import ABOVE, OPERATIONS, PLACES, ROLES, TARGETS, model, worlds

COVERAGES = st.builds(
    lambda up, down: Coverage.of(upwards=up, downwards=down),
    st.lists(st.sampled_from(PLACES), max_size=2),
    st.lists(st.sampled_from(PLACES), max_size=2),
)


def seen(world: World, coverage: Coverage) -> World:
    """The world without the assignments that a reading of this coverage need not show."""

    def shown(row: Row) -> bool:
        place = row["properties"]["scope"].lower().rstrip("/") or "/"
        inside = any(low == "/" or place == low or place.startswith(low + "/") for low in coverage.downwards)
        below = any(_above(place, low) for low in coverage.downwards if "managementgroups" in low)
        above = any(_above(high, place) for high in coverage.upwards)
        return inside or below or above

    return World([row for row in world.assignments if shown(row)], *_rest(world))


def _rest(world: World) -> tuple[list[Row], list[Row], list[tuple[str, str]], dict[str, list[str]]]:
    return world.definitions, world.denies, world.members, world.above


def _above(low: str, high: str) -> bool:
    """Whether `high` is `low` or above it, by a walk of its own."""
    low, high = low.lower(), high.lower()
    if high == "/" or low == high or low.startswith(high + "/"):
        return True
    for subscription, groups in ABOVE.items():
        names = [group.lower() for group in groups]
        if high in names and low.startswith(subscription.lower()):
            return True
        if low in names and high in names[names.index(low) :]:
            return True
    return False


@settings(deadline=None, max_examples=250)
@given(
    worlds(),
    st.sampled_from(OPERATIONS),
    st.sampled_from(TARGETS),
    st.frozensets(st.sampled_from(ROLES)),
    st.sampled_from(["all", "none", "own"]),
    st.booleans(),
    COVERAGES,
    st.booleans(),
)
def test_taking_away_never_turns_an_answer(
    world: World,
    operation: str,
    target: str,
    hidden: frozenset[str],
    graph: str,
    hierarchy_known: bool,
    coverage: Coverage,
    all_rows: bool,
) -> None:
    hierarchy = Hierarchy.of(ABOVE) if hierarchy_known else NO_HIERARCHY
    membership = {
        "all": Membership.of(world.members),
        "none": Membership.of(missing=NO_GRAPH),
        # Graph's transitive listing of this one principal.
        "own": Membership.of(world.members, missing=NO_GRAPH, read_for=[CONTROL]),
    }[graph]
    known = world if all_rows else seen(world, coverage)
    less = model(known, hidden_roles=hidden, membership=membership, hierarchy=hierarchy, coverage=coverage)
    found = decide(less, P, operation, Scope.parse(target), at=NOW)
    truth = allowed(world, CONTROL, operation, target)
    if found.status is not Status.UNDECIDED:
        assert (found.status is Status.GRANTED) is truth
    else:
        assert found.pieces
        assert all(piece.reason and piece.why for piece in found.pieces)


@settings(deadline=None, max_examples=200)
@given(
    worlds(with_denies=False),
    st.sampled_from(OPERATIONS),
    st.sampled_from(TARGETS),
    st.frozensets(st.sampled_from(ROLES)),
    st.booleans(),
)
def test_undecided_only_if_a_missing_piece_can_turn_it(
    world: World, operation: str, target: str, hidden: frozenset[str], graph: bool
) -> None:
    """Without denials more rights never take any away: so the poorest and the richest completion bound the answer."""
    membership = Membership.of(world.members) if graph else Membership.of(missing=NO_GRAPH)
    found = decide(model(world, hidden_roles=hidden, membership=membership), P, operation, Scope.parse(target), at=NOW)
    poor, rich = _completed(world, hidden, graph, rich=False), _completed(world, hidden, graph, rich=True)
    least, most = allowed(poor, CONTROL, operation, target), allowed(rich, CONTROL, operation, target)
    assert (found.status is Status.UNDECIDED) is (least is not most)


def _completed(world: World, hidden: frozenset[str], graph: bool, *, rich: bool) -> World:
    """The world with what is hidden being nothing, or as much as it can be."""
    definitions = copy.deepcopy(world.definitions)
    for row in definitions:
        if row["name"] in hidden:
            row["properties"]["permissions"] = [{"actions": ["*"]}] if rich else []
    members = list(world.members) if graph else []
    if not graph and rich:
        groups = {
            row["properties"]["principalId"]
            for row in world.assignments
            if row["properties"]["principalType"] == "Group"
        }
        members = [(group, CONTROL) for group in groups]
    return World(world.assignments, definitions, world.denies, members, world.above)


@settings(deadline=None, max_examples=100)
@given(worlds(), st.sampled_from(OPERATIONS), st.sampled_from(TARGETS))
def test_unread_denials(world: World, operation: str, target: str) -> None:
    """Where deny assignments exist and were not read, nothing is granted; where none is known, a note says so."""
    scope = Scope.parse(target)
    without = World(world.assignments, world.definitions, [], world.members, world.above)
    unread = Coverage()
    expected = decide(model(without, deny_coverage=unread, denies_expected=["/"]), P, operation, scope, at=NOW)
    assert expected.status is not Status.GRANTED
    unexpected = decide(model(without, deny_coverage=unread), P, operation, scope, at=NOW)
    assert (unexpected.status is Status.GRANTED) is allowed(without, CONTROL, operation, target)
    if unexpected.status is Status.GRANTED:
        assert "deny-unread" in unexpected.notes
