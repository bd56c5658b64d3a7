"""Which rights are asked about: whose, and over what. The reading itself is `authorization` and `directory`."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from auditor.collect import authorization, directory
from auditor.collect.arm import API_VERSIONS, list_all
from auditor.collect.authorization import ASSIGNMENTS, Deciding
from auditor.collect.failures import Failure
from auditor.collect.references import Wanted, at, principals_in
from auditor.values import fold

if TYPE_CHECKING:
    from auditor.collect.walk import Walk


def own(walk: Walk, subscription: str) -> None:
    """Our own permissions at a subscription: they tell "cannot see" from "is not there"."""
    scope = f"/subscriptions/{subscription}"
    blocks = authorization.read_permissions(walk, scope)
    if blocks is None:
        return
    for kind, operation in _ESTATE_READS.items():
        if not authorization.granted(blocks, operation):
            lacking = Failure("forbidden", f"the signed-in identity lacks {operation}")
            walk.gaps.add(scope, kind, lacking, required=True, operation=operation)


_ESTATE_READS = {
    "microsoft.containerservice/managedclusters": "Microsoft.ContainerService/managedClusters/read",
    "microsoft.machinelearningservices/workspaces": "Microsoft.MachineLearningServices/workspaces/read",
    "microsoft.containerinstance/containergroups": "Microsoft.ContainerInstance/containerGroups/read",
}
"""Without these a subscription looks empty, whatever is in it."""


def covers_all(walk: Walk, group: str) -> bool:
    """Whether our permissions at a management group reach all below it, so that no subscription need be asked."""
    scope = f"/providers/Microsoft.Management/managementGroups/{group}"
    url = f"{scope}/providers/Microsoft.Authorization/permissions?api-version={API_VERSIONS['permissions']}"
    try:
        blocks = list_all(walk.wire, url, "ARM/permissions", walk.stopped)
    except Failure:
        return False
    # Who may not read assignments there sees none of them in the index, and no refusal tells it.
    needed = (*_ESTATE_READS.values(), "Microsoft.Authorization/roleAssignments/read")
    return all(authorization.granted(blocks, operation) for operation in needed)


def assignments(walk: Walk, wanted: Wanted, ancestors: dict[str, list[str]]) -> None:
    """Read the role assignments that can decide; deny and eligible assignments of the same scopes beside them."""
    rows = walk.rows()
    objects, applications = principals_in(rows)
    if applications and (walk.wire.cloud.graph_endpoint or walk.request.principals):
        found = walk.together(
            [functools.partial(directory.read_principal, walk, each) for each in sorted(applications)]
        )
        objects |= {each for each in found if each}
    elif applications:
        _without_directory(walk, applications)
    objects |= {each.casefold() for each in walk.request.deployers}
    deciding = Deciding.of(rows, wanted.subnets.values(), wanted.footprint)
    subscriptions = deciding.subscriptions()
    walk.beside(
        functools.partial(authorization.read_denials, walk, deciding.groups_of(each), each) for each in subscriptions
    )
    for read in (authorization.read_eligible, authorization.read_ending):
        walk.beside(functools.partial(read, walk, each) for each in subscriptions)
    # An application id is asked for as well: granting to it where an object id belongs is a known mistake.
    authorization.read_assignments(walk, deciding, objects | applications, ancestors)


def _without_directory(walk: Walk, applications: set[str]) -> None:
    absent = Failure("not-configured", "no Microsoft Graph endpoint is configured for this cloud")
    for each in sorted(applications):
        walk.gaps.add(
            f"/servicePrincipals/{each}",
            directory.PRINCIPALS,
            absent,
            required=False,
            hint="set AUDITOR_GRAPH_ENDPOINT, or [principals] in auditor.toml",
        )


def memberships(walk: Walk) -> None:
    """Groups of the principals, asked only where a group holds a role that reaches the estate."""
    groups = {
        fold(str(principal))
        for row in walk.rows_of(ASSIGNMENTS)
        if str(next(at(row, "properties.principalType"), "")).casefold() == "group"
        for principal in at(row, "properties.principalId")
    }
    if not groups:
        return
    objects, _ = principals_in(walk.rows())
    objects |= {fold(str(row["objectId"])) for row in walk.rows_of(directory.PRINCIPALS)}
    objects |= {each.casefold() for each in walk.request.deployers}
    if walk.wire.cloud.graph_endpoint is None:
        absent = Failure("not-configured", "groups hold roles here, and no Microsoft Graph endpoint is configured")
        walk.gaps.add(
            "/servicePrincipals",
            directory.MEMBERSHIPS,
            absent,
            required=False,
            hint="set AUDITOR_GRAPH_ENDPOINT and grant GroupMember.Read.All",
        )
        return
    walk.together([functools.partial(directory.read_memberships, walk, each) for each in sorted(objects)])
