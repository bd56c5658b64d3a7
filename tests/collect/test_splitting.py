"""Scopes over Resource Graph's limit: their parts together are the whole, and none is over the limit itself."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.collect.graph import SUBSCRIPTIONS_PER_REQUEST, Reach
from auditor.collect.splitting import Tree, parts

GROUPS = "/providers/Microsoft.Management/managementGroups"


def group(name: str, parent: str) -> dict[str, Any]:
    return {
        "id": f"{GROUPS}/{name}",
        "type": "Microsoft.Management/managementGroups",
        "name": name,
        "properties": {"parent": {"id": f"{GROUPS}/{parent}"}},
    }


def subscription(name: str, parent: str | None) -> dict[str, Any]:
    item: dict[str, Any] = {"id": f"/subscriptions/{name}", "type": "/subscriptions", "name": name}
    return {**item, "properties": {"parent": {"id": f"{GROUPS}/{parent}"}}} if parent else item


def names(*numbers: int) -> tuple[str, ...]:
    return tuple(f"s{number}" for number in numbers)


def tree(*items: dict[str, Any]) -> Tree:
    return Tree.of("Top", items)


CASES: dict[str, tuple[Tree, list[Reach]]] = {
    "nothing in it": (tree(), []),
    "cut although it fits": (tree(subscription("s1", "top")), [Reach(names(1))]),
    "child groups, as many as fit": (
        tree(
            *(group(name, "top") for name in "abc"),
            *(subscription(f"s{n}", "abc"[n // 2]) for n in range(5)),
        ),
        [Reach(management_groups=("a",)), Reach(management_groups=("b", "c"))],
    ),
    "right below the top": (
        tree(group("a", "TOP"), *(subscription(f"s{n}", "a") for n in range(3)), subscription("s9", "Top")),
        [Reach(management_groups=("a",)), Reach(names(9))],
    ),
    "a child that is too large itself": (
        tree(group("a", "top"), group("b", "a"), *(subscription(f"s{n}", "a") for n in range(3)),
             *(subscription(f"s{n}", "b") for n in (7, 8))),
        [Reach(management_groups=("b",)), Reach(names(0, 1, 2))],
    ),
    "no parent told": (
        tree(*(subscription(f"s{n}", None) for n in range(4))),
        [Reach(names(0, 1, 2, 3))],
    ),
    "a parent that is not listed": (
        tree(*(subscription(f"s{n}", "elsewhere") for n in range(4))),
        [Reach(names(0, 1, 2, 3))],
    ),
    "groups in a circle": (
        tree(group("a", "b"), group("b", "a"), *(subscription(f"s{n}", "a") for n in range(4))),
        [Reach(names(0, 1, 2, 3))],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("whole", "expected"), CASES.values(), ids=CASES)
def test_parts(whole: Tree, expected: list[Reach]) -> None:
    assert parts(whole, most=3) == expected


@given(
    st.lists(st.integers(0, 8), max_size=8).map(lambda ups: [min(up, n) for n, up in enumerate(ups)]),
    st.lists(st.integers(0, 8), max_size=30),
    st.integers(1, 6),
)
def test_the_parts_are_the_whole_and_each_fits(ups: list[int], homes: list[int], most: int) -> None:
    """`ups[n]` is the number of group n's parent, 0 the top; `homes` are the groups of the subscriptions."""
    called = ["top", *(f"g{n}" for n in range(len(ups)))]
    whole = tree(
        *(group(f"g{n}", called[up]) for n, up in enumerate(ups)),
        *(subscription(f"s{n}", called[home % len(called)]) for n, home in enumerate(homes)),
    )
    found: list[str] = []
    for reach in parts(whole, most):
        below = [name for each in reach.management_groups for name in whole.below(each)]
        assert len(below) <= most
        found += [*below, *reach.subscriptions]
    assert sorted(found) == sorted(whole.all_subscriptions)


@pytest.mark.parametrize("number", [0, 1, 250, 251, 1000, 10_001])
def test_a_request_names_no_more_subscriptions_than_one_should(number: int) -> None:
    reach = Reach(tuple(f"s{n:05}" for n in range(number)))
    asked = [name for part in reach.parts() for name in part.subscriptions]
    assert tuple(asked) == reach.subscriptions
    assert all(len(part.subscriptions) <= SUBSCRIPTIONS_PER_REQUEST for part in reach.parts())
