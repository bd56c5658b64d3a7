"""The engine against an independent, literal reading: over random worlds, and over every built-in role."""

from __future__ import annotations

import inspect
import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.access import ALL_READ, AccessModel, Scope, Status, decide, needed
from auditor.access.roles import Match
from tests.access import oracle
from tests.access.oracle import Row, World
from tests.access.rights import CONTROL, NOW, SUBNET, P, shared
from tests.access.rights import given as assign
from tests.access.worlds import OPERATIONS, TARGETS, definition, model, random_world, worlds


@settings(deadline=None, max_examples=200)
@given(worlds(), st.sampled_from(OPERATIONS), st.sampled_from(TARGETS), st.booleans())
def test_whole_worlds_are_decided_as_published(world: World, operation: str, target: str, data: bool) -> None:
    found = decide(model(world), P, operation, Scope.parse(target), at=NOW, data=data).status
    assert (found is Status.GRANTED) is oracle.allowed(world, CONTROL, operation, target, data=data)
    assert found is not Status.UNDECIDED


def test_thousands_of_worlds_from_a_fixed_seed() -> None:
    chance, statuses = random.Random(20260901), Counter[Status]()
    for _ in range(4_000):
        world, operation, target = random_world(chance), chance.choice(OPERATIONS), chance.choice(TARGETS)
        found = decide(model(world), P, operation, Scope.parse(target), at=NOW).status
        assert (found is Status.GRANTED) is oracle.allowed(world, CONTROL, operation, target), world
        statuses[found] += 1
    # The worlds must be worth their while: each answer comes up often.
    assert min(statuses[status] for status in (Status.GRANTED, Status.DENIED, Status.MISSING)) > 300


def asked_operations() -> tuple[list[str], list[str]]:
    """Every action and data action that the engine's own tables name."""
    found: dict[str, None] = {}
    for _, value in inspect.getmembers(needed):
        for one in (value,) if isinstance(value, str) else value if isinstance(value, tuple) else ():
            if one.startswith("Microsoft."):
                found[one] = None
    data = [one for one in found if one in needed.REPOSITORY_PULL_DATA]
    return [one for one in found if one not in data], data


HAND_MADE: list[Row] = [
    {"name": f"0000000{number}-0000-4000-8000-000000000000", "properties": {"permissions": blocks}}
    for number, blocks in enumerate(
        (
            [{"actions": ["*"], "notActions": ["Microsoft.Authorization/*/Write"]}],
            [{"actions": ["*/read"]}],
            [{"actions": ["Microsoft.Network/*"], "notActions": ["*/join/action"]}, {"actions": ["*/Read"]}],
            [{"actions": ["microsoft.network/VIRTUALNETWORKS/subnets/join/action"]}],
            [{"dataActions": ["*"], "notDataActions": ["*/metadata/read"]}],
            [{"actions": [], "dataActions": ["Microsoft.ContainerRegistry/*"]}],
            [],
        )
    )
]  # fmt: skip


def check_roles(rows: list[Row]) -> int:
    """Compares engine and oracle on each role and operation; the number of comparisons."""
    actions, data_actions = asked_operations()
    scope, count = Scope.parse(SUBNET), 0
    for row in rows:
        role = row["name"]
        assignment = assign(role)
        world = World([{"properties": {"principalId": CONTROL, "scope": SUBNET, "roleDefinitionId": role}}], [row])
        built = AccessModel.of(
            assignments=[assignment], definitions=[definition(row)], coverage=ALL_READ, deny_coverage=ALL_READ, table={}
        )
        conditional = any(block.get("condition") for block in row["properties"]["permissions"])
        for operations, data in ((actions, False), (data_actions, True)):
            decision = decide(built, P, operations, scope, at=NOW, data=data)
            for answer in decision.answers:
                expected = oracle.allowed(world, CONTROL, answer.asked, SUBNET, data=data)
                if answer.status is Status.UNDECIDED:
                    reasons = {piece.reason for piece in decision.pieces}
                    assert reasons <= {"condition", "pattern-doubt"}
                    assert conditional or "pattern-doubt" in reasons
                else:
                    assert (answer.status is Status.GRANTED) is expected, (row, answer.asked)
                count += 1
    return count


def test_hand_made_roles() -> None:
    assert check_roles(HAND_MADE) > 100


def test_every_built_in_role() -> None:
    rows = shared("roles/builtin_roles.json.gz")["value"]
    assert len(rows) > 900
    assert check_roles(rows) > 25_000


def test_every_built_in_role_against_every_network_operation_it_spells_out() -> None:
    rows = shared("roles/builtin_roles.json.gz")["value"]
    names = [entry["name"] for entry in shared("operations/Microsoft.Network.json.gz")["operations"]][::7]
    for row in rows:
        role = definition(row)
        blocks = row["properties"]["permissions"]
        if any(block.get("condition") for block in blocks) or not any("etwork/" in str(block) for block in blocks):
            continue
        for name in names:
            expected = any(oracle.in_block(block, name, False) for block in blocks)
            assert (role.answer(name).match is Match.GRANTED) is expected, (row["name"], name)


@pytest.mark.parametrize("guid", ["9980e02c-c2be-4d73-94e8-173b1dc7cf3c"])
def test_the_six_roles_that_join_without_reading(guid: str) -> None:
    rows = shared("roles/builtin_roles.json.gz")["value"]
    half = {
        row["name"]
        for row in rows
        if definition(row).grants(needed.SUBNET_JOIN) and not definition(row).grants(needed.SUBNET_READ)
    }
    assert len(half) == 6
    assert guid in half
