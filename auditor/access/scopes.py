"""Scopes and what lies above them (requirements 8.1): resource, resource group, subscription, management groups, `/`.

A scope is an ARM id (`ResourceId`). Ids compare segment by segment: `…/resourceGroups/net` is nothing to
`…/resourceGroups/net-prod`. Which management groups lie above a subscription is not in its id; the `Hierarchy` knows,
or knows that it does not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from auditor.values import Listing, ResourceId, Unread, fold

Scope = ResourceId
"""A place at which a role can be assigned; equality ignores case and a trailing slash."""

ROOT = "/"
_MANAGEMENT_GROUPS = "/providers/microsoft.management/managementgroups/"
_CACHED_CHAINS = 262_144


def management_group_key(name_or_id: str) -> str:
    """The folded id of a management group, given by id or by bare name (as `managementGroupAncestorsChain` has it)."""
    key = fold(name_or_id)
    return key if key.startswith("/") else _MANAGEMENT_GROUPS + key


def is_management_group(key: str) -> bool:
    """Whether a folded id is a management group's."""
    return key.startswith(_MANAGEMENT_GROUPS)


@dataclass(frozen=True, slots=True)
class Chain:
    """The folded ids of a scope and of everything above it, nearest first, `/` last.

    `unread` says that management groups above it are not all known: one that is absent from `keys` may be above it.
    """

    keys: tuple[str, ...]
    unread: Unread | None = None

    def may_hold(self, key: str) -> bool:
        """Whether `key` may be above the scope although it is not in `keys`."""
        return self.unread is not None and is_management_group(key) and key not in self.keys


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """The management groups above each subscription.

    `above` maps a subscription's GUID (lower case) to the management groups (folded ids) above it, nearest first; a
    listing that is not whole names those that are proved to be above it. Subscriptions it does not hold are unread.
    """

    above: Mapping[str, Listing[str]]
    parents: Mapping[str, Listing[str]] = field(default_factory=dict)
    _chains: dict[str, Chain] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def of(cls, above: Mapping[str, Iterable[str] | Listing[str]]) -> Hierarchy:
        """Takes subscriptions by GUID or id and management groups by name or id.

        Example: `Hierarchy.of({"8f1c…": ["platform", "tenant-root"]})`.
        """
        chains: dict[str, Listing[str]] = {}
        parents: dict[str, Listing[str]] = {}
        for subscription, groups in above.items():
            missing = groups.missing if isinstance(groups, Listing) else None
            keys = tuple(management_group_key(group) for group in groups)
            chains[fold(subscription).rpartition("/")[2]] = Listing(keys, missing)
            if missing is None:  # only in a whole chain is the next one the parent
                for index, key in enumerate(keys):
                    parents.setdefault(key, Listing(keys[index + 1 :]))
        return cls(chains, parents)

    def chain(self, scope: Scope) -> Chain:
        """The scope and what lies above it, nearest first."""
        found = self._chains.get(scope.key)
        if found is None:
            found = self._climb(scope)
            if len(self._chains) < _CACHED_CHAINS:
                self._chains[scope.key] = found
        return found

    def _climb(self, scope: Scope) -> Chain:
        if scope.key == ROOT:
            return Chain((ROOT,))
        if is_management_group(scope.key):
            groups = self.parents.get(scope.key, _not_known(scope.key))
            return Chain((scope.key, *groups, ROOT), groups.missing)
        path = _path(scope.key)
        subscription = scope.subscription_id
        if subscription is None:
            return Chain((*path, ROOT))
        groups = self.above.get(subscription, _not_known(f"/subscriptions/{subscription}"))
        return Chain((*path, *groups, ROOT), groups.missing)

    def reaches(self, scope: Scope, target: Scope) -> bool | Unread:
        """Whether `scope` is `target` or above it."""
        chain = self.chain(target)
        if scope.key in chain.keys:
            return True
        if chain.unread is not None and chain.may_hold(scope.key):
            return chain.unread
        return False


NO_HIERARCHY = Hierarchy({})
"""Nothing is known of management groups."""


def _path(key: str) -> tuple[str, ...]:
    """The scopes in a folded id, nearest first: itself, parent resources, resource group, subscription."""
    parts = key.strip("/").split("/")
    ends, position = [], 0
    while position < len(parts):
        # `providers/NAMESPACE/TYPE/NAME` begins a resource (or one that extends another), `TYPE/NAME` a child.
        position = min(position + (4 if parts[position] == "providers" else 2), len(parts))
        ends.append(position)
    return tuple("/" + "/".join(parts[:end]) for end in reversed(ends))


def _not_known(what: str) -> Listing[str]:
    return Listing(
        (),
        Unread(
            what,
            "its management groups were not read",
            "grant Reader at the tenant root management group, or scan with --management-group",
            "hierarchy-unread",
        ),
    )
