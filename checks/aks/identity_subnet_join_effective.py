"""Cluster identity can in effect read and join each subnet it uses.

## What it checks
The control-plane identity may do `Microsoft.Network/virtualNetworks/subnets/read` and `…/subnets/join/action` on each
node, pod, API server and load balancer subnet, by whichever roles at the subnet or any scope above it.

- passes with both actions granted unconditionally; a note says if only the subnet itself is the scope;
- warns if the grant ends within 14 days;
- fails if an action is missing or a deny assignment forbids it, naming what the identity holds instead;
- is unknown if the identity, assignments at or above the subnet, a candidate's role definition or a group's members
  could not be read, or a condition can reach these actions.

## Why it matters
Without `join` the cluster cannot place nodes or internal load balancers into the subnet; without `read` internal load
balancers stay pending. A cluster that once worked can lose either.

## Not concerned
Clusters whose network AKS manages. The person who deployed: other rights, another check.

## Limits
Roles with `join` but not `read` (Virtual Machine Contributor among them) do not suffice, nor does Reader. The
misspelled `virtualNetworks/subnet/join/action` grants nothing. `Microsoft.Authorization/roleAssignments/write`, which
one page lists, is not required: Network Contributor, which the same page accepts, lacks it. Assignments made minutes
ago may not have reached every region yet.
"""

from collections.abc import Iterator
from typing import Any

from auditor.api import (
    RENEW,
    RIGHTS_ROLES,
    Cluster,
    Inventory,
    Mend,
    Severity,
    Source,
    SubnetUse,
    Unread,
    Verdict,
    access,
    access_model,
    check,
    control_plane,
    failed,
    footprint,
    grants_shown,
    miss_reason,
    misses_shown,
    mistaken_for,
    not_applicable,
    owned_elsewhere,
    passed,
    resource_name,
    scope_of,
    unknown,
    warned,
)

ACTIONS = (
    "Microsoft.Network/virtualNetworks/subnets/read",
    "Microsoft.Network/virtualNetworks/subnets/join/action",
)
EXPIRY_DAYS = 14


@check(
    id="aks-identity-subnet-join-effective",
    severity=Severity.CRITICAL,
    source=Source("AKS-CNI", "Prerequisites", "/aks/concepts-network-cni-overview"),
    mend=Mend.by(
        "grant Network Contributor on the subnet (least), or as the source document asks on the resource group of the "
        "virtual network",
        (
            "az", "role", "assignment", "create", "--assignee-object-id", "{object_id}",
            "--assignee-principal-type", "ServicePrincipal",
            "--role", "4d97b98b-1d4f-4787-a291-c67834d212e7", "--scope", "{subnet_id}",
        ),
    ),
    clauses=("S3a", "S11"),
    reads=(
        "microsoft.authorization/roleassignments",
        "microsoft.authorization/roledefinitions",
        "microsoft.authorization/denyassignments",
    ),
)  # fmt: skip
def identity_subnet_join_effective(cluster: Cluster, inventory: Inventory) -> Iterator[Verdict]:
    used = footprint(inventory, cluster)
    if isinstance(used, Unread):
        yield unknown("cluster-unreadable", "{cluster}: {why}", cluster=cluster.name, why=used.why, hint=used.hint)
        return
    own = [use for use in used.in_roles(*RIGHTS_ROLES) if owned_elsewhere(cluster, use.network_id)]
    if used.managed or not own:
        yield not_applicable("managed-vnet", "AKS manages the network of {cluster} itself", cluster=cluster.name)
        return
    for use in own:
        yield _decide(inventory, cluster, use)
    if used.incomplete is not None:
        yield unknown(
            used.incomplete.reason,
            "{cluster} may use further subnets: {why}",
            part="further-subnets",
            cluster=cluster.name,
            why=used.incomplete.why,
            hint=used.incomplete.hint,
        )


def _decide(inventory: Inventory, cluster: Cluster, use: SubnetUse) -> Verdict:
    name = resource_name(use.id)
    about = {"cluster": cluster.name, "subnet": name, "subnet_id": use.id, "roles": sorted(use.roles)}
    principal = control_plane(inventory, cluster)
    scope = scope_of(use.id)
    if isinstance(principal, Unread) or isinstance(scope, Unread):
        lost = principal if isinstance(principal, Unread) else scope
        assert isinstance(lost, Unread)
        return unknown(
            lost.reason,
            "whether {cluster} may join {subnet} is not known: {why}",
            part=use.id,
            why=lost.why,
            hint=lost.hint,
            **about,
        )
    decision = access.decide(
        access_model(inventory),
        access.Principal(principal.object_id, "ServicePrincipal"),
        ACTIONS,
        scope,
        at=inventory.taken_at,
        others=mistaken_for(inventory, cluster),
    )
    more: dict[str, Any] = {
        "part": use.id,
        "related": (use.id,),
        "trace": decision.trace,
        "effect": decision.effect,
        "object_id": principal.object_id,
        **about,
    }
    match decision.status:
        case access.Status.GRANTED:
            return _granted(decision, inventory, use, more)
        case access.Status.DENIED:
            denied = decision.denied[0]
            return failed(
                "deny-assignment",
                "deny assignment {deny} forbids {action} on {subnet} to the identity of {cluster}",
                *principal.how,
                deny=denied.deny.name or denied.deny.id,
                action=denied.asked,
                mend=Mend.by("a deny assignment comes from a deployment stack or a managed application: change that"),
                **more,
            )
        case access.Status.MISSING:
            missing = [answer.asked for answer in decision.missing]
            shown = misses_shown(decision)
            return failed(
                miss_reason(decision),
                "the identity of {cluster} lacks {missing} on {subnet}; it holds instead: {instead}",
                *principal.how,
                *shown,
                missing=missing,
                instead=[evidence.note for evidence in shown] or ["nothing that comes near"],
                **more,
            )
        case access.Status.UNDECIDED:
            piece = decision.pieces[0]
            return unknown(
                piece.reason,
                "whether {cluster} may join {subnet} is not known: {what}: {why}",
                *principal.how,
                *misses_shown(decision),
                what=piece.what,
                why=piece.why,
                hint=piece.hint,
                **more,
            )


def _granted(decision: access.AccessDecision, inventory: Inventory, use: SubnetUse, more: dict[str, Any]) -> Verdict:
    shown = grants_shown(decision)
    if any(answer.ends_within(inventory.taken_at, days=EXPIRY_DAYS) for answer in decision.granted):
        ends = min(str(a.assignment.ends_at) for a in decision.granted if a.assignment.ends_at is not None)
        return warned(
            "grant-ends-soon",
            "the identity of {cluster} may read and join {subnet}, but only until {ends}",
            *shown,
            ends=ends,
            mend=RENEW,
            **more,
        )
    subnet_only = all(
        not isinstance(a.assignment.scope, Unread) and a.assignment.scope.key == decision.scope.key
        for a in decision.granted
    )
    roles = sorted(role.name for role in decision.roles)
    if subnet_only:
        return passed(
            "granted-on-subnet",
            "the identity of {cluster} may read and join {subnet}, by {role} on the subnet itself (some deployments "
            "validate the whole virtual network)",
            *shown,
            role=roles,
            **more,
        )
    return passed(
        "granted", "the identity of {cluster} may read and join {subnet}, by {role}", *shown, role=roles, **more
    )
