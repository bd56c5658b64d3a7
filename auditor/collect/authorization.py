"""Reads who may do what: role assignments and when they end, definitions, deny and eligible ones, our own permissions.

"No assignment exists" may be concluded only from an answer that covers a scope and everything above it. Resource
Graph leaves out silently what the caller may not read, so its rows are held against ARM: one
`roleAssignments?$filter=atScope()` a subscription lists what lies at and above it, and its 200 proves the right to
read assignments there and below. Where the index keeps silent about conditions, the same list without the filter tells
them all at once. Where that is refused, or the table does not exist (Azure China's pages disagree
about it), ARM is asked at each deciding group.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from auditor.collect.arm import API_VERSIONS, from_sdk, get, list_all
from auditor.collect.failures import Failure
from auditor.collect.graph import EVERYTHING, Reach
from auditor.collect.queries import managed_groups, role_assignments, role_definitions
from auditor.collect.references import Row, at, type_of
from auditor.inventory.coverage import grants
from auditor.inventory.shapes import PermissionBlock
from auditor.values import ResourceId, fold

if TYPE_CHECKING:
    from auditor.collect.walk import Walk

ASSIGNMENTS = "microsoft.authorization/roleassignments"
DEFINITIONS = "microsoft.authorization/roledefinitions"
DENIALS = "microsoft.authorization/denyassignments"
ELIGIBLE = "microsoft.authorization/roleeligibilityscheduleinstances"
ACTIVE = "microsoft.authorization/roleassignmentscheduleinstances"
ROOT = "/"
FEW_SILENT = 2
"""As many assignments of a subscription whose condition the index does not tell are asked one by one."""
FEW_DEFINITIONS = 5
"""As many missing definitions are fetched one by one; more come as one list of the subscription."""


@dataclass(slots=True)
class Deciding:
    """The scopes whose rights a check asks about, grouped by subscription."""

    groups: dict[str, str] = field(default_factory=dict)
    """Resource groups that hold networks, route tables, registries, zones and identities of the estate."""
    resources: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: Iterable[Row], subnets: Iterable[str], footprint: Iterable[str]) -> Deciding:
        """From the rows read, the subnets in use and the networks of the estate."""
        found = cls()
        networks = set(footprint)
        for row in rows:
            kind = type_of(row)
            if kind == "microsoft.containerservice/managedclusters":
                # The cluster's own zone, mostly in a hub; `system` and `none` are no ids.
                for zone in at(row, "properties.apiServerAccessProfile.privateDNSZone"):
                    if isinstance(zone, str) and zone.startswith("/"):
                        found.add(zone)
            if kind in _DECIDING_TYPES or (
                kind == "microsoft.network/virtualnetworks" and fold(str(row["id"])) in networks
            ):
                found.add(str(row["id"]))
        for subnet in subnets:
            if any(fold(subnet).startswith(network + "/") for network in networks):
                found.add(subnet)
        return found

    def add(self, resource_id: str) -> None:
        """One resource, and the group it lies in."""
        try:
            parsed = ResourceId.parse(resource_id)
        except ValueError:
            return
        self.resources.setdefault(parsed.key, parsed.text)
        if parsed.resource_group_id is not None:
            self.groups.setdefault(parsed.resource_group_id.key, parsed.resource_group_id.text)
        if parsed.parent is not None and parsed.parent.key not in self.resources:
            self.resources[parsed.parent.key] = parsed.parent.text

    def subscriptions(self) -> list[str]:
        """The subscriptions that the deciding groups lie in."""
        found = {ResourceId.parse(group).subscription_id for group in self.groups.values()}
        return sorted(each for each in found if each)

    def groups_of(self, subscription: str) -> list[str]:
        """The deciding groups of one subscription."""
        return sorted(group for key, group in self.groups.items() if key.startswith(f"/subscriptions/{subscription}/"))

    def chain(self, ancestors: dict[str, list[str]]) -> list[str]:
        """Every scope that an assignment may lie at and reach: the resources, their groups, subscriptions and above."""
        scopes = {ROOT: ROOT, **self.groups, **self.resources}
        for subscription in self.subscriptions():
            scopes.setdefault(f"/subscriptions/{subscription}", f"/subscriptions/{subscription}")
            for name in ancestors.get(subscription, []):
                scope = f"/providers/Microsoft.Management/managementGroups/{name}"
                scopes.setdefault(fold(scope), scope)
        return sorted(scopes.values())


_DECIDING_TYPES = frozenset(
    {
        "microsoft.network/routetables",
        "microsoft.containerregistry/registries",
        "microsoft.managedidentity/userassignedidentities",
    }
)


def read_assignments(walk: Walk, deciding: Deciding, principals: set[str], ancestors: dict[str, list[str]]) -> None:
    """Role assignments that reach the deciding scopes, from the index and from ARM, proved or noted as a gap."""
    if not deciding.groups or not principals:
        return
    asked = _Asked(frozenset(principals), frozenset(fold(scope) for scope in deciding.chain(ancestors)))
    indexed = _from_index(walk, deciding, principals, ancestors)
    silent = _silent(walk, asked) if indexed else []
    walk.together(
        [
            functools.partial(
                _prove, walk, deciding, subscription, asked, indexed=indexed, silent=_below(silent, subscription)
            )
            for subscription in deciding.subscriptions()
        ]
    )
    if indexed:
        walk.together([functools.partial(_condition, walk, each) for each in _silent(walk, asked)])


@dataclass(frozen=True, slots=True)
class _Asked:
    """Whose assignments are wanted, and at which scopes (folded) an assignment can decide."""

    principals: frozenset[str]
    chain: frozenset[str]

    def wants(self, row: Row, subscription: str) -> bool:
        """Whether an assignment that a whole subscription lists is one that the index or `atScope()` would tell."""
        scope = fold(str(next(at(row, "properties.scope"), "")))
        if not scope.startswith(f"/subscriptions/{subscription}/"):
            return True  # at the subscription or above it
        principal = fold(str(next(at(row, "properties.principalId"), "")))
        group = fold(str(next(at(row, "properties.principalType"), ""))) == "group"
        return principal in self.principals or (group and scope in self.chain)


def _from_index(walk: Walk, deciding: Deciding, principals: set[str], ancestors: dict[str, list[str]]) -> bool:
    """Whether the table `authorizationresources` answered, its rows kept."""
    whole = True
    for query in role_assignments(principals, deciding.chain(ancestors)):
        try:
            walk.keep(walk.read(query, EVERYTHING))
        except Failure as failure:
            walk.note(f"authorizationresources was not read ({failure.reason}: {failure.text}); ARM was asked instead")
            whole = False
            break
    return whole


def _prove(
    walk: Walk, deciding: Deciding, subscription: str, asked: _Asked, *, indexed: bool, silent: list[str]
) -> None:
    scope = f"/subscriptions/{subscription}"
    if indexed:
        # Without a filter ARM tells what lies below as well: dearer than `atScope()`, cheaper than many reads.
        whole = len(silent) > FEW_SILENT
        try:
            rows = _list_assignments(walk, subscription, scope, None if whole else "atScope()")
            walk.keep(row for row in rows if asked.wants(row, subscription))
            return
        except Failure as failure:
            if failure.reason not in ("forbidden", "unauthorized"):
                walk.gaps.add(scope, ASSIGNMENTS, failure, required=False, operation=_READ_ASSIGNMENTS)
                return
    for group in deciding.groups_of(subscription):
        try:
            walk.keep(_list_assignments(walk, subscription, group, "atScope()"))
            # `atScope()` says nothing of what lies below: grants on the network or a subnet itself.
            for principal in sorted(asked.principals):
                walk.keep(_list_assignments(walk, subscription, group, f"principalId eq '{principal}'"))
        except Failure as failure:
            walk.gaps.add(group, ASSIGNMENTS, failure, required=False, operation=_READ_ASSIGNMENTS)


_READ_ASSIGNMENTS = "Microsoft.Authorization/roleAssignments/read"


def _list_assignments(walk: Walk, subscription: str, scope: str, filter_: str | None) -> list[Row]:
    group = walk.wire.authorization(subscription, "role_assignments")
    rows = from_sdk(
        walk.wire, group.list_for_scope, walk.stopped, "ARM/roleAssignments", scope.lstrip("/"), filter=filter_
    )
    return [with_condition(row) for row in rows]


def with_condition(row: Row) -> Row:
    """ARM says `null` or nothing for "no condition"; in a row of the index its absence means "not told"."""
    properties = row.get("properties")
    if isinstance(properties, dict) and not any(key.casefold() == "condition" for key in properties):
        return {**row, "properties": {**properties, "condition": None}}
    return row


def _silent(walk: Walk, asked: _Asked) -> list[str]:
    """The assignments of the index that keep silent about their condition and could decide."""
    return [
        str(row["id"])
        for row in walk.rows_of(ASSIGNMENTS)
        if "condition" not in (row.get("properties") or {})
        and fold(str(next(at(row, "properties.scope"), ""))) in asked.chain
    ]


def _below(assignments: Iterable[str], subscription: str) -> list[str]:
    """Those of the assignments that lie below a subscription, where `atScope()` does not tell of them."""
    mark = "/providers/microsoft.authorization/"
    inside = f"/subscriptions/{subscription}/"
    return [each for each in assignments if fold(each).split(mark, 1)[0].startswith(inside)]


def _condition(walk: Walk, assignment: str) -> None:
    try:
        row = get(walk.wire, f"{assignment}?api-version={API_VERSIONS['roleAssignments']}", "ARM/roleAssignments")
    except Failure:
        return  # the row stays silent, and the inventory takes that for "not read"
    walk.keep([with_condition(row)])


def read_definitions(walk: Walk, subscriptions: list[str]) -> None:
    """The definitions of all roles that were met in assignments, from the index, the rest from ARM."""
    wanted = _roles_met(walk)
    if not wanted:
        return
    for query in role_definitions(wanted):
        try:
            walk.keep(walk.read(query, EVERYTHING))
        except Failure as failure:
            walk.note(f"role definitions were not read from the index ({failure.reason}); ARM was asked instead")
            break
    missing = {name: role for name, role in wanted.items() if name not in _names_of(walk, DEFINITIONS)}
    if len(missing) > FEW_DEFINITIONS and subscriptions:
        _list_definitions(walk, subscriptions[0], missing)
        missing = {name: role for name, role in wanted.items() if name not in _names_of(walk, DEFINITIONS)}
    walk.together(
        [functools.partial(_definition, walk, name, role, subscriptions) for name, role in sorted(missing.items())]
    )


def _list_definitions(walk: Walk, subscription: str, missing: dict[str, str]) -> None:
    group = walk.wire.authorization(subscription, "role_definitions")
    try:
        listed = from_sdk(walk.wire, group.list, walk.stopped, "ARM/roleDefinitions", f"subscriptions/{subscription}")
    except Failure:
        return  # each of them is asked for by its id next, and becomes a gap there
    walk.keep([row for row in listed if fold(str(row.get("name") or "")) in missing])


def _definition(walk: Walk, name: str, role: str, subscriptions: list[str]) -> None:
    # An id of a management group's or the tenant's form is asked for as it stands.
    url = f"{role}?api-version={API_VERSIONS['roleDefinitions']}"
    try:
        walk.keep([get(walk.wire, url, "ARM/roleDefinitions")])
    except Failure as failure:
        for subscription in subscriptions or [""]:
            walk.gaps.add(
                f"/subscriptions/{subscription}" if subscription else ROOT,
                DEFINITIONS,
                failure,
                required=False,
                operation="Microsoft.Authorization/roleDefinitions/read",
                hint=f"role definition {name} could not be read; grant Reader where it is assignable",
            )


def _roles_met(walk: Walk) -> dict[str, str]:
    """GUID of each role that an assignment names → the id by which it names it."""
    found: dict[str, str] = {}
    for row in walk.rows_of(ASSIGNMENTS, ELIGIBLE):
        for role in at(row, "properties.roleDefinitionId"):
            if isinstance(role, str) and role.startswith("/"):
                found.setdefault(fold(role).rsplit("/", 1)[-1], role)
    return found


def _names_of(walk: Walk, kind: str) -> set[str]:
    return {fold(str(row["id"])).rsplit("/", 1)[-1] for row in walk.rows_of(kind)}


def read_denials(walk: Walk, groups: list[str], subscription: str) -> None:
    """Deny assignments of a subscription and what lies in it; in no Resource Graph table.

    Where they cannot be read, it matters which of the deciding groups are managed by somebody: those have some.
    """
    group = walk.wire.authorization(subscription, "deny_assignments")
    try:
        walk.keep(from_sdk(walk.wire, group.list, walk.stopped, "ARM/denyAssignments"))
    except Failure as failure:
        walk.gaps.add(
            f"/subscriptions/{subscription}",
            DENIALS,
            failure,
            required=False,
            operation="Microsoft.Authorization/denyAssignments/read",
        )
        for query in managed_groups(groups):
            rows, _ = walk.read_apart(query, Reach(subscriptions=(subscription,)))
            walk.keep(rows)


def read_eligible(walk: Walk, subscription: str) -> None:
    """Assignments that somebody may activate (PIM); they count for nothing until then."""
    walk.keep(_scheduled(walk, subscription, "role_eligibility_schedule_instances", ELIGIBLE, "Eligibility"))


def read_ending(walk: Walk, subscription: str) -> None:
    """When active assignments end (PIM): role assignments do not carry it. The lasting ones are listed again, and left.

    Assumption: a tenant that may not use PIM refuses, and then no assignment in it ends.
    """
    rows = _scheduled(walk, subscription, "role_assignment_schedule_instances", ACTIVE, "Assignment")
    walk.keep([row for row in rows if next(at(row, "properties.endDateTime"), None)])


def _scheduled(walk: Walk, subscription: str, group: str, kind: str, word: str) -> list[Row]:
    try:
        return from_sdk(
            walk.wire,
            walk.wire.authorization(subscription, group).list_for_scope,
            walk.stopped,
            f"ARM/role{word}ScheduleInstances",
            # Without `atScope()` it also tells what lies below.
            f"subscriptions/{subscription}",
        )
    except Failure as failure:
        walk.gaps.add(
            f"/subscriptions/{subscription}",
            kind,
            failure,
            required=False,
            operation=f"Microsoft.Authorization/role{word}ScheduleInstances/read",
        )
        return []


def read_permissions(walk: Walk, scope: str) -> list[dict[str, Any]] | None:
    """What we may do at a scope, kept as `auditor/permissions`; None if even that is not told."""
    url = f"{scope}/providers/Microsoft.Authorization/permissions?api-version={API_VERSIONS['permissions']}"
    try:
        blocks = list_all(walk.wire, url, "ARM/permissions", walk.stopped)
    except Failure as failure:
        walk.gaps.add(scope, "auditor/permissions", failure, required=False)
        return None
    walk.keep_own(
        {"type": "auditor/permissions", "scope": scope, "permissions": [_block(block) for block in blocks]}, scope
    )
    return blocks


def granted(blocks: list[dict[str, Any]], operation: str) -> bool:
    """Whether our own permissions hold an operation."""
    return any(
        grants(
            PermissionBlock(actions=_texts(block.get("actions")), not_actions=_texts(block.get("notActions"))),
            operation,
        )
        for block in blocks
    )


def _texts(value: Any) -> list[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def _block(block: dict[str, Any]) -> dict[str, Any]:
    names = ("actions", "notActions", "dataActions", "notDataActions")
    return {name: block[name] for name in names if isinstance(block.get(name), list)}
