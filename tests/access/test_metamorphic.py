"""What must not move an answer: casing, the order of rows, a row twice, a slash; and what moves it one way only."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.access import Scope, Status, decide
from tests.access.oracle import World
from tests.access.rights import GROUP, NOW, PLATFORM, SUBNET, SUBSCRIPTION, TENANT, VNET, P
from tests.access.worlds import OPERATIONS, TARGETS, model, worlds

CHAIN = [SUBNET, VNET, GROUP, SUBSCRIPTION, PLATFORM, TENANT, "/"]


def status(world: World, operation: str, target: str) -> Status:
    return decide(model(world), P, operation, Scope.parse(target), at=NOW).status


@settings(deadline=None, max_examples=80)
@given(worlds(), st.sampled_from(OPERATIONS), st.sampled_from(TARGETS), st.randoms(use_true_random=False))
def test_order_casing_and_repetition_do_not_matter(
    world: World, operation: str, target: str, chance: random.Random
) -> None:
    before = status(world, operation, target)
    rows, denies = [*world.assignments, *world.assignments], list(world.denies)
    chance.shuffle(rows)
    chance.shuffle(denies)
    other = World(rows, world.definitions[::-1], denies, world.members[::-1], world.above)
    assert status(other, operation.swapcase(), target.swapcase() + "/") is before


@settings(deadline=None, max_examples=80)
@given(worlds(), st.sampled_from(OPERATIONS), st.sampled_from(TARGETS))
def test_deciding_assignment_does_not_hang_on_the_order_of_rows(world: World, operation: str, target: str) -> None:
    backwards = World(world.assignments[::-1], world.definitions, world.denies[::-1], world.members, world.above)
    one, other = (decide(model(each), P, operation, Scope.parse(target), at=NOW) for each in (world, backwards))
    assert [answer.assignment for answer in one.granted] == [answer.assignment for answer in other.granted]
    assert one.misses == other.misses


@settings(deadline=None, max_examples=80)
@given(worlds(with_denies=False), st.sampled_from(OPERATIONS))
def test_roles_one_scope_higher_grant_no_less(world: World, operation: str) -> None:
    before = status(world, operation, SUBNET)
    lower = [place.lower() for place in CHAIN]
    for row in world.assignments:
        place = row["properties"]["scope"].lower()
        if place in lower[:-1]:
            row["properties"]["scope"] = CHAIN[lower.index(place) + 1]
    if before is Status.GRANTED:
        assert status(world, operation, SUBNET) is Status.GRANTED


@settings(deadline=None, max_examples=80)
@given(worlds(), st.sampled_from(OPERATIONS), st.sampled_from(TARGETS))
def test_answers_of_several_operations_are_those_of_each(world: World, operation: str, target: str) -> None:
    together = decide(model(world), P, OPERATIONS, Scope.parse(target), at=NOW)
    [alone] = decide(model(world), P, operation, Scope.parse(target), at=NOW).answers
    assert together.answers[OPERATIONS.index(operation)] == alone
