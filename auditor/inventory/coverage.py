"""What was read and what was not: the only place that may conclude "it is not there" from "we did not see it"."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass, field

from auditor.access import matches
from auditor.inventory.shapes import PermissionBlock
from auditor.values import Gap, ResourceId, Unread, fold

_TABLES: dict[str, tuple[str, ...]] = {
    "authorizationresources": ("microsoft.authorization/",),
    "kubernetesconfigurationresources": ("microsoft.kubernetesconfiguration/",),
    "networkresources": ("microsoft.network/effectivesecurityadminrules",),
    "dnsresources": ("microsoft.network/privatednszones/a",),
    "resourcecontainers": ("microsoft.resources/",),
}
_NOT_IN_RESOURCES = (
    *(prefix for prefixes in _TABLES.values() for prefix in prefixes),
    "microsoft.machinelearningservices/workspaces/computes",
    "auditor/",
)


_ATTACHED = "/providers/microsoft.authorization/"


def concerns(gap_what: str, asked: str) -> bool:
    """Whether a gap's `what` (a type, a Resource Graph table, or `*`) means resources of type `asked`.

    What could not be read of a type was not read of its children either: subnets stand in their networks' bodies.
    """
    what, asked = gap_what.casefold(), asked.casefold()
    if what in ("*", asked) or asked.startswith(f"{what}/"):
        return True
    if what == "resources":
        return not asked.startswith(_NOT_IN_RESOURCES)
    return asked.startswith(_TABLES.get(what, ("\0",)))


def attached_to(gap_scope: str) -> str:
    """The folded scope at which a gap acts: an assignment, named by its own id, acts at the scope it is made at."""
    one = fold(gap_scope)
    at = one.find(_ATTACHED)
    return one if at < 0 else one[:at] or "/"


_EXTENSIONS = (
    "microsoft.authorization/",
    "microsoft.kubernetesconfiguration/",
    "microsoft.network/effectivesecurityadminrules",
)


def _hides(gap: Gap, asked: str) -> bool:
    """Whether a gap may hide something of a type: one that is a single resource hides that, its children, and what is
    attached to it, not the other resources around it.
    """
    if not concerns(gap.what, asked):
        return False
    if gap.what != "*" or "/providers/" not in fold(gap.scope) or asked.startswith(_EXTENSIONS):
        return True
    try:
        hidden = ResourceId.parse(gap.scope).type
    except ValueError:
        return True
    return asked == hidden or asked.startswith(f"{hidden}/") or hidden.startswith("microsoft.management/")


def _touches(gap_scope: str, scope: str) -> bool:
    """Whether a gap at one scope can hide something at, below or above another."""
    one, other = attached_to(gap_scope), fold(scope)
    if not one or not other or one == other:
        return True
    for upper, lower in ((one, other), (other, one)):
        if upper == "/" or lower.startswith(upper + "/"):
            return True
    return "/managementgroups/" in one or "/managementgroups/" in other


@dataclass(frozen=True, slots=True)
class Coverage:
    """`subscriptions` are the ids whose resources were read; `permissions` the scanner's own rights, if known."""

    subscriptions: frozenset[str]
    gaps: tuple[Gap, ...] = ()
    permissions: tuple[tuple[str, tuple[PermissionBlock, ...]], ...] = ()
    _rights: dict[str, list[tuple[PermissionBlock, ...]]] = field(
        init=False, compare=False, repr=False, default_factory=dict
    )
    """`permissions` by subscription: a large estate asks for them as often as it has resources."""
    _hiding: dict[str, tuple[Gap, ...]] = field(init=False, compare=False, repr=False, default_factory=dict)
    """The gaps that may hide something of a type asked for before."""

    def __post_init__(self) -> None:
        for scope, blocks in self.permissions:
            self._rights.setdefault(fold(scope), []).append(blocks)

    def unread(self, asked: str, scope: str) -> Unread | None:
        """Why absence of resources of type `asked` at `scope` proves nothing, or None where it does prove it.

        `scope` is an ARM id: of the resource asked for, or of the container that was listed.
        """
        if asked not in self._hiding:
            self._hiding[asked] = tuple(gap for gap in self.gaps if _hides(gap, asked))
        for gap in self._hiding[asked]:
            if _touches(gap.scope, scope):
                return Unread(scope, gap.reason, gap.hint, "gap")
        subscription = _subscription_of(scope)
        if subscription is None:
            return None
        if subscription not in self.subscriptions:
            return Unread(
                scope,
                f"subscription {subscription} is outside what was scanned",
                f"grant Reader on /subscriptions/{subscription} and scan it too (--subscription {subscription})",
                "out-of-scope",
            )
        return self._forbidden(asked, scope, subscription)

    def _forbidden(self, asked: str, scope: str, subscription: str) -> Unread | None:
        known = self._rights.get(f"/subscriptions/{subscription}")
        if not known or asked.startswith("auditor/"):
            return None
        operation = f"{asked}/read"
        if any(grants(block, operation) for blocks in known for block in blocks):
            return None
        return Unread(
            scope,
            f"the scanning identity lacks {operation} on /subscriptions/{subscription}",
            f"grant Reader on /subscriptions/{subscription}",
            "forbidden",
        )


def grants(block: PermissionBlock, operation: str) -> bool:
    """Whether one permission block grants an action (requirements 8.2: its own notActions only)."""
    return any(matches(a, operation) for a in block.actions or ()) and not any(
        matches(a, operation) for a in block.not_actions or ()
    )


@functools.lru_cache(maxsize=65_536)
def _subscription_of(scope: str) -> str | None:
    try:
        return ResourceId.parse(scope).subscription_id
    except ValueError:
        return None


def mentioned_subscriptions(resource_ids: Iterable[str]) -> frozenset[str]:
    """The subscriptions that a set of ids lies in."""
    inside = (key.split("/", 3)[2] for key in map(fold, resource_ids) if key.startswith("/subscriptions/"))
    return frozenset(inside) - {""}
