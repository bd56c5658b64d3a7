"""Scopes that Resource Graph would cut: more subscriptions than it looks at in one query, asked for in parts.

A query over a management group, or over all that may be read, sees the first 10,000 subscriptions and says so in a
header. What lies in the scope ARM lists: below a group its `descendants`, for everything `subscriptions`. The parts are
child groups, as many to a query as fit, and the subscriptions that lie in no child group that fits.

Source: "Working with large Azure resource data sets", and the response header `x-ms-tenant-subscription-limit-hit`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from auditor.collect.graph import Reach
from auditor.values import fold

MOST_SUBSCRIPTIONS = 10_000
"""Subscriptions that one query over groups or the tenant looks at."""


@dataclass(frozen=True, slots=True)
class Tree:
    """What lies below one management group: subscriptions and child groups by their parent, names folded."""

    root: str
    subscriptions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, root: str, descendants: Iterable[Mapping[str, Any]]) -> Tree:
        """From the items that ARM's `descendants` lists. One without a parent is taken to lie right below the root."""
        subscriptions: dict[str, list[str]] = {}
        groups: dict[str, list[str]] = {}
        for each in descendants:
            identity, kind = fold(str(each.get("id") or "")), fold(str(each.get("type") or ""))
            name = fold(str(each.get("name") or "")) or identity.rsplit("/", 1)[-1]
            if not name:
                continue
            into = subscriptions if kind.endswith("/subscriptions") or "/subscriptions/" in identity else groups
            into.setdefault(_parent(each) or fold(root), []).append(name)
        return cls(
            fold(root),
            {key: tuple(names) for key, names in subscriptions.items()},
            {key: tuple(names) for key, names in groups.items()},
        )

    @property
    def all_subscriptions(self) -> set[str]:
        """Every subscription below the root, however deep."""
        return {name for names in self.subscriptions.values() for name in names}

    def below(self, group: str, seen: frozenset[str] = frozenset()) -> list[str]:
        """The subscriptions below one group. A circle, which no tenant has, ends where it closes."""
        if group in seen:
            return []
        found = list(self.subscriptions.get(group, ()))
        for child in self.groups.get(group, ()):
            found += self.below(child, seen | {group})
        return found


def _parent(item: Mapping[str, Any]) -> str:
    properties = item.get("properties")
    parent = properties.get("parent") if isinstance(properties, Mapping) else None
    identity = parent.get("id") if isinstance(parent, Mapping) else None
    return fold(str(identity)).rsplit("/", 1)[-1] if identity else ""


def parts(tree: Tree, most: int = MOST_SUBSCRIPTIONS) -> list[Reach]:
    """Reaches that together are the tree's root, none over more than `most` subscriptions of groups.

    Where all of it fits already, and was cut all the same, the subscriptions are named one by one.
    """
    everything = tree.all_subscriptions
    if len(everything) <= most:
        return [Reach(subscriptions=tuple(sorted(everything)))] if everything else []
    units, alone = _units(tree, tree.root, most, frozenset())
    reaches: list[Reach] = []
    run: list[str] = []
    size = 0
    for group, count in units:
        if run and size + count > most:
            reaches.append(Reach(management_groups=tuple(run)))
            run, size = [], 0
        run.append(group)
        size += count
    if run:
        reaches.append(Reach(management_groups=tuple(run)))
    # What hangs on a parent that ARM did not list is asked for by name, so that nothing falls between the parts.
    covered = {name for group, _ in units for name in tree.below(group)}
    alone |= everything - covered
    return [*reaches, Reach(subscriptions=tuple(sorted(alone)))] if alone else reaches


def _units(tree: Tree, group: str, most: int, seen: frozenset[str]) -> tuple[list[tuple[str, int]], set[str]]:
    """The groups below one that are small enough, with their sizes; and subscriptions in none of them."""
    units: list[tuple[str, int]] = []
    alone = set(tree.subscriptions.get(group, ()))
    for child in tree.groups.get(group, ()):
        size = len(tree.below(child))
        if size > most and child not in seen:
            more, single = _units(tree, child, most, seen | {group})
            units += more
            alone |= single
        elif size:
            units.append((child, size))
    return units, alone
