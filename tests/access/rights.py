"""Builders of rights, in the domain's words: `given(READER, at=GROUP)` is one healthy, dull role assignment."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from auditor.access import (
    ALL_READ,
    AccessModel,
    Coverage,
    DenyAssignment,
    Hierarchy,
    Membership,
    Permission,
    Principal,
    RoleAssignment,
    RoleDefinition,
    Scope,
)
from auditor.values import Unread

NOW = datetime(2026, 9, 1, 12, tzinfo=UTC)

CONTROL = "c0000000-0000-4000-8000-000000000001"
KUBELET = "c0000000-0000-4000-8000-000000000002"
OTHER = "c0000000-0000-4000-8000-000000000003"
TEAM = "90000000-0000-4000-8000-000000000001"
OUTER = "90000000-0000-4000-8000-000000000002"
P = Principal(CONTROL, "ServicePrincipal")

SUBSCRIPTION = "/subscriptions/10000000-0000-4000-8000-000000000001"
SECOND = "/subscriptions/10000000-0000-4000-8000-000000000002"
PLATFORM = "/providers/Microsoft.Management/managementGroups/platform"
TENANT = "/providers/Microsoft.Management/managementGroups/tenant"
FOREIGN = "/providers/Microsoft.Management/managementGroups/foreign"
GROUP = f"{SUBSCRIPTION}/resourceGroups/net"
LOOK_ALIKE = f"{SUBSCRIPTION}/resourceGroups/net-prod"
CLUSTER_GROUP = f"{SUBSCRIPTION}/resourceGroups/aks"
VNET = f"{GROUP}/providers/Microsoft.Network/virtualNetworks/v"
SUBNET = f"{VNET}/subnets/nodes"
SIBLING = f"{VNET}/subnets/pods"
HIERARCHY = Hierarchy.of({SUBSCRIPTION: ["platform", "tenant"]})

JOIN = "Microsoft.Network/virtualNetworks/subnets/join/action"
READ = "Microsoft.Network/virtualNetworks/subnets/read"

CONSTRAINS_ROLES = (
    "((!(ActionMatches{'Microsoft.Authorization/roleAssignments/write'})) OR "
    "(@Request[Microsoft.Authorization/roleAssignments:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals "
    "{7f951dda-4ed3-4680-a7ca-43fe172d538d}))"
)
CONSTRAINS_NETWORK = "(!(ActionMatches{'Microsoft.Network/*'}) OR @Resource[tags:env] StringEquals 'test')"

NO_GRAPH = Unread("groups", "Microsoft Graph was not permitted", "grant it", "group-membership")
LOST = Unread("a row", "it is malformed", "collect again", "unread")

_SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"


def shared(path: str) -> Any:
    """A list of third-party facts beside the project; skips the test where it is not there."""
    file = _SHARED / path
    if not file.is_file():
        pytest.skip(f"the shared list {path} is not beside this checkout")
    with gzip.open(file, "rt", encoding="utf-8") as text:
        return json.load(text)


def given(
    role: str | Unread,
    at: str | Unread = GROUP,
    *,
    to: str | Unread = CONTROL,
    kind: str = "ServicePrincipal",
    name: str | None = None,
    condition: str | None = None,
    condition_read: bool = True,
    ends: datetime | Unread | None = None,
    eligible: bool = False,
    delegated: str | None = None,
) -> RoleAssignment:
    """A role assignment; the id names what it is, so that failures read well."""
    known = at if isinstance(at, str) else "/"
    prefix = "/subscriptions/x/providers/Microsoft.Authorization/roleDefinitions/"
    return RoleAssignment(
        id=f"{known}/providers/Microsoft.Authorization/roleAssignments/{name or f'{role}-{to}'}",
        scope=Scope.parse(at) if isinstance(at, str) else at,
        role_definition_id=prefix + role if isinstance(role, str) else role,
        principal_id=to,
        principal_type=kind,
        condition=condition,
        condition_read=condition_read,
        ends_at=ends,
        eligible=eligible,
        delegated_managed_identity=delegated,
    )


def to_group(role: str, at: str = GROUP, *, group: str = TEAM) -> RoleAssignment:
    """A role assignment of a group."""
    return given(role, at, to=group, kind="Group")


def custom(guid: str, *actions: str, but: Iterable[str] = (), data: Iterable[str] = ()) -> RoleDefinition:
    """A custom role of one block."""
    return RoleDefinition(
        id=f"{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{guid}",
        guid=guid,
        name=f"custom {guid}",
        kind="custom",
        blocks=(Permission(actions, tuple(but), tuple(data)),),
        assignable_scopes=(SUBSCRIPTION,),
    )


def deny(
    *actions: str,
    at: str | Unread = GROUP,
    but: Iterable[str] = (),
    whom: Iterable[Principal] | Unread = (P,),
    not_whom: Iterable[Principal] = (),
    not_to_children: bool = False,
    condition: str | None = None,
    enforced: bool = True,
) -> DenyAssignment:
    """A deny assignment of one block (without actions: an unreadable one), by default on the group against P."""
    return DenyAssignment(
        id=f"{at}/providers/Microsoft.Authorization/denyAssignments/d",
        scope=Scope.parse(at) if isinstance(at, str) else at,
        blocks=(Permission(actions, tuple(but)),) if actions else LOST,
        principals=whom if isinstance(whom, Unread) else tuple(whom),
        excluded=tuple(not_whom),
        not_to_children=not_to_children,
        condition=condition,
        enforced=enforced,
    )


def rights(
    *assignments: RoleAssignment,
    roles: Iterable[RoleDefinition] = (),
    denies: Iterable[DenyAssignment] = (),
    denies_expected: Iterable[str] = (),
    members: Membership | None = None,
    hierarchy: Hierarchy = HIERARCHY,
    coverage: Coverage = ALL_READ,
    deny_coverage: Coverage = ALL_READ,
    gone: Iterable[str] = (),
) -> AccessModel:
    """A model in which all was read, but for what is said."""
    return AccessModel.of(
        assignments=assignments,
        definitions=roles,
        denies=denies,
        denies_expected=denies_expected,
        membership=Membership.of() if members is None else members,
        hierarchy=hierarchy,
        coverage=coverage,
        deny_coverage=deny_coverage,
        gone=gone,
    )
