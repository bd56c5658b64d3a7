"""The inventory's rows of authorization as one `AccessModel`, and which scopes they provably cover."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

import msgspec

from auditor import access
from auditor.inventory import Inventory, records
from auditor.inventory.coverage import attached_to, concerns
from auditor.inventory.records import key_of
from auditor.inventory.shapes import DenyPrincipal, PermissionBlock
from auditor.values import Listing, ResourceId, Unread

_ASSIGNMENT = records.RoleAssignment.TYPE
_HINT = "grant Reader (it holds Microsoft.Authorization/*/read) at the scope"


def access_model(inventory: Inventory) -> access.AccessModel:
    """Who may do what where, as far as this inventory tells; built once an inventory."""
    return inventory.remember("access-model", lambda: _build(inventory))


def _build(inventory: Inventory) -> access.AccessModel:
    ends = _ends(inventory)
    eligible_missing = next(
        (
            missing
            for subscription in inventory.subscriptions()
            if (missing := _gap(inventory, records.EligibleAssignment.TYPE, f"/subscriptions/{subscription}"))
        ),
        None,
    )
    return access.AccessModel.of(
        assignments=(
            *(_assignment(record, ends) for record in inventory.every(records.RoleAssignment)),
            *(_assignment(record, {}, eligible=True) for record in inventory.every(records.EligibleAssignment)),
            *(_unreadable(bad.id, bad.unread) for bad in inventory.broken(records.RoleAssignment)),
        ),
        definitions=[
            _definition(record)
            for record in inventory.every(records.RoleDefinition)
            if record.body.permissions is not None
        ],
        broken_definitions=_broken_definitions(inventory),
        definitions_missing=_first_gap(inventory, records.RoleDefinition.TYPE),
        denies=(
            *(_deny(record) for record in inventory.every(records.DenyAssignment)),
            *(
                access.DenyAssignment(bad.id, bad.unread, bad.unread, bad.unread)
                for bad in inventory.broken(records.DenyAssignment)
            ),
        ),
        membership=_membership(inventory),
        hierarchy=_hierarchy(inventory),
        coverage=_coverage(inventory, _ASSIGNMENT),
        deny_coverage=_coverage(inventory, records.DenyAssignment.TYPE),
        eligible_missing=eligible_missing,
        denies_expected=[group.id for group in inventory.every(records.ResourceGroup) if _managed(group)],
    )


def _managed(group: records.ResourceGroup) -> bool:
    """Whether a managed application (or a service that is made like one) owns a resource group: Azure puts a deny
    assignment on it, whether or not we could read it. AKS owns its node resource groups without one.
    """
    owner = key_of(group.managed_by or "")
    return bool(owner) and f"/providers/{records.Cluster.TYPE}/" not in owner


def _gap(inventory: Inventory, what: str, scope: str) -> Unread | None:
    return inventory.coverage.unread(what, scope)


def _first_gap(inventory: Inventory, what: str) -> Unread | None:
    scopes = (f"/subscriptions/{subscription}" for subscription in inventory.subscriptions())
    return next((missing for scope in scopes if (missing := _gap(inventory, what, scope))), None)


def _coverage(inventory: Inventory, what: str) -> access.Coverage:
    """What was read of assignments: whole subscriptions and what lies above them, less the gaps."""
    reason = "deny-unread" if what == records.DenyAssignment.TYPE else "assignments-unread"
    whole, why = [], None
    for subscription in inventory.subscriptions():
        scope = f"/subscriptions/{subscription}"
        missing = _gap(inventory, what, scope)
        if missing is None or missing.reason == "gap":
            whole.append(scope)
        elif why is None:
            why = Unread(what, missing.why, missing.hint or _HINT, reason)
    holes = {
        attached_to(gap.scope): Unread(what, gap.reason, gap.hint or _HINT, reason)
        for gap in inventory.coverage.gaps
        if concerns(gap.what, what)
    }
    if why is None:
        return access.Coverage.of(upwards=whole, downwards=whole, holes=holes)
    return access.Coverage.of(upwards=whole, downwards=whole, holes=holes, why=why)


def _scope(text: str | None, assignment_id: str) -> ResourceId | Unread:
    at = assignment_id.casefold().find("/providers/microsoft.authorization/")
    spelled = text or (assignment_id[:at] or "/" if at >= 0 else "")
    try:
        return ResourceId.parse(spelled)
    except ValueError:
        return Unread(
            assignment_id, f"its scope {spelled!r} is not an ARM id", "collect again", "assignment-unreadable"
        )


def _text(value: str | None, what: str, owner: str) -> str | Unread:
    return value or Unread(owner, f"{what} is not in its data", "collect again", "assignment-unreadable")


def _time(text: str | None, owner: str) -> datetime | Unread | None:
    if not text:
        return None
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        return Unread(owner, f"its end {text!r} is not a time", "collect again", "end-unread")
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


_Ends = dict[tuple[str, str, str], str]


def _ends(inventory: Inventory) -> _Ends:
    """When activated assignments end: PIM's schedule instances carry it, role assignments do not."""
    found: _Ends = {}
    for record in inventory.every(records.ActiveAssignment):
        body = record.body
        if body.end_date_time and body.principal_id and body.role_definition_id:
            scope = _scope(body.scope, record.id)
            if not isinstance(scope, Unread):
                key = (key_of(body.principal_id), access.role_guid(body.role_definition_id), scope.key)
                found[key] = max(found.get(key, ""), body.end_date_time)
    return found


def _assignment(
    record: records.RoleAssignment | records.EligibleAssignment, ends: _Ends, *, eligible: bool = False
) -> access.RoleAssignment:
    body = record.body
    scope = _scope(body.scope, record.id)
    ends_at = body.end_date_time
    if ends and body.principal_id and body.role_definition_id and not isinstance(scope, Unread):
        ends_at = ends_at or ends.get((key_of(body.principal_id), access.role_guid(body.role_definition_id), scope.key))
    return access.RoleAssignment(
        id=record.id,
        scope=scope,
        role_definition_id=_text(body.role_definition_id, "properties.roleDefinitionId", record.id),
        principal_id=_text(body.principal_id, "properties.principalId", record.id),
        principal_type=body.principal_type or "",
        condition=None if isinstance(body.condition, msgspec.UnsetType) else (body.condition or None),
        condition_version=body.condition_version,
        condition_read=not isinstance(body.condition, msgspec.UnsetType),
        ends_at=_time(ends_at, record.id),
        eligible=eligible,
        delegated_managed_identity=body.delegated_managed_identity_resource_id,
    )


def _unreadable(assignment_id: str, unread: Unread) -> access.RoleAssignment:
    lost = Unread(assignment_id, unread.why, unread.hint, "assignment-unreadable")
    return access.RoleAssignment(id=assignment_id, scope=lost, role_definition_id=lost, principal_id=lost)


def _blocks(blocks: list[PermissionBlock] | None) -> tuple[access.Permission, ...]:
    return tuple(
        access.Permission(
            actions=tuple(block.actions or ()),
            not_actions=tuple(block.not_actions or ()),
            data_actions=tuple(block.data_actions or ()),
            not_data_actions=tuple(block.not_data_actions or ()),
            condition=block.condition or None,
        )
        for block in blocks or ()
    )


def _broken_definitions(inventory: Inventory) -> dict[str, Unread]:
    """Roles that exist and whose permissions are not in their data: not known, which is not the same as empty."""
    found = {access.role_guid(bad.id): bad.unread for bad in inventory.broken(records.RoleDefinition)}
    for record in inventory.every(records.RoleDefinition):
        if record.body.permissions is None:
            why = "its permissions are not in its data"
            found[access.role_guid(record.id)] = Unread(record.id, why, "collect again", "role-definition-unread")
    return found


def _definition(record: records.RoleDefinition) -> access.RoleDefinition:
    body = record.body
    kind: Literal["builtin", "custom"] = "builtin" if (body.type or "").casefold() == "builtinrole" else "custom"
    return access.RoleDefinition(
        id=record.id,
        guid=access.role_guid(record.id),
        name=body.role_name or record.name,
        kind=kind,
        blocks=_blocks(body.permissions),
        assignable_scopes=tuple(body.assignable_scopes or ("/",)),
    )


def _deny(record: records.DenyAssignment) -> access.DenyAssignment:
    body = record.body
    return access.DenyAssignment(
        id=record.id,
        scope=_scope(body.scope, record.id),
        blocks=_lacking(record.id) if body.permissions is None else _blocks(body.permissions),
        principals=_principals(body.principals, record.id),
        excluded=tuple(access.Principal(one.id, one.type or "") for one in body.exclude_principals or () if one.id),
        not_to_children=bool(body.do_not_apply_to_child_scopes),
        condition=body.condition or None,
        enforced=(body.deny_assignment_effect or "").casefold() != "audit",
        name=body.deny_assignment_name or record.name,
    )


def _principals(named: list[DenyPrincipal] | None, deny_id: str) -> tuple[access.Principal, ...] | Unread:
    found = []
    for one in named or ():
        everyone = (one.type or "").casefold() == "systemdefined"
        if not one.id and not everyone:
            return _lacking(deny_id)
        found.append(access.Principal(one.id or access.EVERYONE, one.type or ""))
    return tuple(found) if named is not None else _lacking(deny_id)


def _lacking(deny_id: str) -> Unread:
    return Unread(deny_id, "its data lack whom or what it denies", "collect again", "deny-unread")


def _membership(inventory: Inventory) -> access.Membership:
    # A single membership does not say that there is no other: only the row without a group closes the list.
    asked = [m.member_id for m in inventory.memberships if m.member_id and not m.group_id]
    return access.Membership.of(
        [(m.group_id, m.member_id) for m in inventory.memberships if m.group_id and m.member_id],
        missing=access.MEMBERSHIP_UNREAD.missing,
        read_for=asked,
    )


def _hierarchy(inventory: Inventory) -> access.Hierarchy:
    above: dict[str, Listing[str]] = {}
    for record in inventory.every(records.Subscription):
        chain = record.body.management_group_ancestors_chain
        if record.subscription_id and chain is not None:
            above[record.subscription_id] = Listing(tuple(group.name for group in chain if group.name))
    return access.Hierarchy.of(above)


def scope_of(resource_id: str) -> ResourceId | Unread:
    """An ARM id as a scope to ask about."""
    try:
        return ResourceId.parse(resource_id)
    except ValueError:
        return Unread(resource_id, "it is not an ARM id", "mend the reference", "not-an-id")
