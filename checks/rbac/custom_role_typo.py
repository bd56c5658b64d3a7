"""No custom role names an operation that does not exist.

## What it checks
The entries of `actions` and `notActions` of each custom role that name an operation of Microsoft.Network,
Microsoft.ContainerService, Microsoft.ContainerRegistry, Microsoft.MachineLearningServices, Microsoft.ManagedIdentity or
Microsoft.Authorization without a wildcard, against the operations that these providers publish.

- fails if an action is the source document's misspelling `Microsoft.Network/virtualNetworks/subnet/join/action`
  (`subnets` is right) and the role is assigned to an identity of this estate (of a cluster, of a configured deployer,
  or a group of theirs), or at a scope that reaches the network of a cluster;
- warns if a role with that misspelling is assigned to nobody here, or a role names any other operation that is not
  known, with the known one most like it;
- passes if all are known;
- is unknown if the role's permissions could not be read, or whether a misspelt role is assigned here could not.

## Why it matters
A role made from the misspelling looks right in the portal and grants nothing: the identity that holds it cannot join
the subnet. In `notActions` a misspelling takes nothing away.

## Not concerned
Roles that name no single operation of these providers. Entries with a wildcard expand to whatever exists
(`*/join/action` is fine). Data actions.

## Limits
The catalogue of operations is shipped with the program and may trail Azure: hence only a warning for an operation that
is merely not known. Assignments in subscriptions that were not scanned are not seen.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from auditor.api import (
    Cluster,
    ClusterPrincipal,
    Inventory,
    Mend,
    ResourceId,
    RoleAssignment,
    RoleDefinition,
    Severity,
    Source,
    Unread,
    Verdict,
    access,
    access_model,
    check,
    control_plane,
    failed,
    footprint,
    key_of,
    kubelet,
    not_applicable,
    owned_elsewhere,
    passed,
    scope_of,
    unknown,
    warned,
)

GATHER = "grant Reader, which holds Microsoft.Authorization/roleDefinitions/read, and collect again"


@check(
    id="rbac-custom-role-typo",
    severity=Severity.MEDIUM,
    source=Source("AML-V1-INF", "Prerequisites", "/machine-learning/v1/how-to-secure-inferencing-vnet"),
    mend=Mend.by(
        "write the role's definition into role.json, correct the operation there, and update the role",
        ("az", "role", "definition", "list", "--custom-role-only", "true", "--name", "{guid}"),
        ("az", "role", "definition", "update", "--role-definition", "@role.json"),
    ),
    clauses=("S2",),
    reads=("microsoft.authorization/roleassignments", "microsoft.containerservice/managedclusters"),
)
def custom_role_typo(subject: RoleDefinition | Inventory, inventory: Inventory) -> Iterator[Verdict]:
    if isinstance(subject, Inventory):
        yield from _never_read(inventory)
        return
    definition = access_model(inventory).definition(access.role_guid(subject.id))
    if isinstance(definition, Unread):
        yield unknown(
            "role-definition-unread",
            "what the role {role} grants is not known: {why}",
            role=subject.body.role_name or subject.name,
            why=definition.why,
            hint=definition.hint or GATHER,
        )
        return
    yield _judged(inventory, subject, definition)


def _judged(inventory: Inventory, subject: RoleDefinition, definition: access.RoleDefinition) -> Verdict:
    wrong = access.unknown_operations(definition)
    more: dict[str, Any] = {"role": definition.name, "guid": definition.guid}
    if not wrong:
        named = [entry for entry in _entries(definition) if "*" not in entry and access.known_operation(entry)]
        if not named:
            return not_applicable("no-operation-named", "the role {role} names no operation that is judged", **more)
        shown = subject.show("properties.permissions", named, "all of these operations exist")
        return passed("operations-known", "every operation that the role {role} names exists", shown, **more)
    shown_wrong = [
        subject.show(each.where, each.entry, f"most like {each.nearest}" if each.nearest else "like no known operation")
        for each in wrong
    ]
    more["changes"] = [f"- {each.entry} + {each.nearest or '?'}" for each in wrong]
    if not any(each.known_misspelling and ".actions[" in each.where for each in wrong):
        return warned(
            "unknown-operation",
            "the role {role} names operations that are not known: {changes}",
            *shown_wrong,
            **more,
        )
    assigned = _assigned(inventory, definition.guid)
    if assigned.here:
        return failed(
            "misspelt-and-assigned",
            "the role {role} names an operation that does not exist ({changes}), and it is assigned here: {assigned}",
            *shown_wrong,
            assigned=[f"to {one.principal_id} on {one.scope}" for one in assigned.here],
            related=[one.id for one in assigned.here],
            **more,
        )
    if assigned.open is not None:
        return unknown(
            assigned.open.reason,
            "the role {role} names an operation that does not exist ({changes}); whether it is assigned here is not "
            "known: {why}",
            *shown_wrong,
            why=assigned.open.why,
            hint=assigned.open.hint or GATHER,
            **more,
        )
    return warned(
        "misspelt",
        "the role {role} names an operation that does not exist ({changes}); it is assigned to nobody here",
        *shown_wrong,
        **more,
    )


def _entries(definition: access.RoleDefinition) -> Iterator[str]:
    for block in definition.blocks:
        yield from block.actions
        yield from block.not_actions


def _never_read(inventory: Inventory) -> Iterator[Verdict]:
    """The roles that are assigned here and whose definitions could not be read: each may hold the misspelling."""
    model = access_model(inventory)
    missing = model.definitions_missing
    if missing is None:
        return
    seen = {access.role_guid(role.id) for role in inventory.every(RoleDefinition)}
    seen |= {access.role_guid(bad.id) for bad in inventory.broken(RoleDefinition)}
    spelled = {
        access.role_guid(record.body.role_definition_id): record.body.role_definition_id
        for record in inventory.every(RoleAssignment)
        if record.body.role_definition_id
    }
    for guid, definition_id in sorted(spelled.items()):
        if guid in seen or not isinstance(model.definition(guid), Unread) or not _assigned(inventory, guid).here:
            continue
        yield unknown(
            "role-definition-unread",
            "the role {role} is assigned here, and what it grants could not be read: {why}",
            about=definition_id,
            role=guid,
            why=missing.why,
            hint=missing.hint or GATHER,
        )


# ---------------------------------------------------------------- is it assigned here?


@dataclass(frozen=True, slots=True)
class _Estate:
    """The identities (folded object ids, groups included) and networks of this estate.

    `open` says why there may be more of them, `groups_open` why they may be in more groups.
    """

    holders: frozenset[str]
    networks: tuple[ResourceId, ...]
    open: Unread | None
    groups_open: Unread | None


@dataclass(frozen=True, slots=True)
class _Assigned:
    """The assignments of a role that matter here; `open` says what could hide one."""

    here: tuple[access.RoleAssignment, ...]
    open: Unread | None


def _assigned(inventory: Inventory, guid: str) -> _Assigned:
    model = access_model(inventory)
    estate: _Estate = inventory.remember("estate-of-custom-role-typo", lambda: _estate(inventory))
    here, open_ = [], _assignments_unread(inventory, guid)
    for one in model.assignments_of_role(guid):
        ended = isinstance(one.ends_at, datetime) and one.ends_at <= inventory.taken_at
        if one.gone or ended or isinstance(one.scope, Unread):
            continue
        reached = [model.hierarchy.reaches(one.scope, network) for network in estate.networks]
        if one.holder in estate.holders or True in reached:
            here.append(one)
            continue
        # Neither its holder nor its scope is of this estate, as far as that is known.
        open_ = open_ or estate.open or next((found for found in reached if isinstance(found, Unread)), None)
        open_ = open_ or (estate.groups_open if one.for_group else None)
    return _Assigned(tuple(here), open_)


def _assignments_unread(inventory: Inventory, guid: str) -> Unread | None:
    for subscription in inventory.subscriptions():
        missing = inventory.coverage.unread(RoleAssignment.TYPE, f"/subscriptions/{subscription}")
        if missing is not None:
            return Unread(missing.what, missing.why, missing.hint, "assignments-unread")
    for one in access_model(inventory).unreadable:
        if one.role_guid in (None, guid):
            return Unread(one.id, "its scope or principal could not be read", "collect again", "assignments-unread")
    return None


def _estate(inventory: Inventory) -> _Estate:
    membership = access_model(inventory).membership
    principals, networks = dict.fromkeys(inventory.configured.deployers, ""), {}
    open_: Unread | None = None
    for cluster in inventory.every(Cluster):
        for found in (control_plane(inventory, cluster), kubelet(inventory, cluster)):
            if isinstance(found, ClusterPrincipal):
                principals[found.object_id] = "ServicePrincipal"
            else:
                open_ = open_ or found
        used = footprint(inventory, cluster)
        if isinstance(used, Unread):
            open_ = open_ or used
            continue
        for network in used.networks:
            scope = scope_of(network.id)
            if not isinstance(scope, Unread) and owned_elsewhere(cluster, network.id):
                networks[scope.key] = scope
    holders: set[str] = set()
    groups_open: Unread | None = None
    for object_id, kind in principals.items():
        groups = membership.groups(access.Principal(object_id, kind))
        holders |= {key_of(object_id), *groups}
        groups_open = groups_open or groups.missing
    return _Estate(frozenset(holders), tuple(networks.values()), open_, groups_open)
