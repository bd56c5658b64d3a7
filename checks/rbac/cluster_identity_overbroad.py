"""Cluster identity holds no right far beyond its need.

## What it checks
All roles that the control-plane identity and the kubelet identity actively hold, directly or by a group, at
subscriptions and above. It warns if one of them is

- Owner (`owner`);
- a role that may assign roles, User Access Administrator and its like (`role-assignment-write`);
- Contributor or another role of wildcards at a management group or the root (`contributor-at-management-group`);
- a role of Key Vault or Storage data at a whole subscription or more (`data-role-at-subscription`).

It passes if none is held and that was provably read in every scanned subscription, the cluster's own and those of its
networks; it is unknown where an identity, assignments, a role's definition or the members of a group with such a role
could not be read. It never fails: least privilege is advice.

## Why it matters
Whoever gets onto a node can act as the kubelet identity, and whoever controls the control plane as the other one. A
right on a subscription turns a broken model server into a broken subscription.

## Not concerned
What lies at resource groups and below, such as the Contributor that AKS itself grants on the node resource group.

## Limits
Rights in subscriptions that were not scanned are not seen. A condition may narrow a role; the evidence names it, the
verdict does not weigh it. Eligible (PIM) roles are not active and do not count.
"""

from collections.abc import Iterator
from typing import Any

from auditor.api import (
    Cluster,
    ClusterPrincipal,
    Evidence,
    Inventory,
    Mend,
    ResourceId,
    Severity,
    Source,
    TraceStep,
    Unread,
    Verdict,
    access,
    access_model,
    check,
    control_plane,
    footprint,
    key_of,
    kubelet,
    passed,
    scope_of,
    unknown,
    warned,
)

WORST_FIRST = tuple(access.Breadth)


@check(
    id="rbac-cluster-identity-overbroad",
    severity=Severity.MEDIUM,
    source=Source("AKS-PERM", "Cluster identity permissions", "/aks/concepts-identity"),
    mend=Mend.by(
        "first give the identity the narrower roles that it needs: Network Contributor on its subnets for the control "
        "plane, AcrPull on the registry for the kubelet; when the cluster works with those, and only then, take the "
        "broad assignment away: az role assignment delete --ids with its id from the evidence"
    ),
    reads=(
        "microsoft.authorization/roleassignments",
        "microsoft.authorization/roledefinitions",
        "microsoft.resources/subscriptions",
    ),
)
def cluster_identity_overbroad(cluster: Cluster, inventory: Inventory) -> Iterator[Verdict]:
    model, within = access_model(inventory), _within(inventory, cluster)
    found: list[tuple[str, access.Overbroad]] = []
    unread: Unread | None = None
    silent = _unproved(inventory)
    looked_at: list[Evidence] = []
    trace: list[TraceStep] = []
    for whose, principal in _identities(inventory, cluster):
        if isinstance(principal, Unread):
            unread = unread or principal
            continue
        looked_at += principal.how
        who = access.Principal(principal.object_id, "ServicePrincipal")
        broad = access.overbroad(model, who, within=within, at=inventory.taken_at)
        found += ((whose, one) for one in broad)
        unread = unread or broad.missing or silent
        trace += (_told(whose, one) for one in access.held(model, who, at=inventory.taken_at))
    if found:
        yield _too_broad(cluster, found, looked_at, trace)
    elif unread is not None:
        yield unknown(
            unread.reason,
            "whether an identity of {cluster} holds too broad a role is not known: {what}: {why}",
            *looked_at,
            trace=trace,
            cluster=cluster.name,
            what=unread.what,
            why=unread.why,
            hint=unread.hint or "collect the cluster's data again, unmasked",
        )
    else:
        yield passed(
            "narrow",
            "no identity of {cluster} holds a role at a subscription or above that goes far beyond its need",
            *looked_at,
            trace=trace,
            cluster=cluster.name,
        )


def _identities(inventory: Inventory, cluster: Cluster) -> Iterator[tuple[str, ClusterPrincipal | Unread]]:
    """The control plane's and the kubelet's; a service principal, which is both, once."""
    control = control_plane(inventory, cluster)
    yield "control-plane identity", control
    node = kubelet(inventory, cluster)
    known = control.object_id if isinstance(control, ClusterPrincipal) else ""
    if isinstance(node, Unread) or key_of(node.object_id) != key_of(known):
        yield "kubelet identity", node


def _unproved(inventory: Inventory) -> Unread | None:
    """Why absence is not proved in all scanned subscriptions: the same for every identity, so worked out once."""

    def compute() -> Unread | None:
        scanned = (ResourceId.parse(f"/subscriptions/{each}") for each in inventory.subscriptions())
        return access.unproved(access_model(inventory), scanned)

    return inventory.remember("overbroad-unproved", compute)


def _within(inventory: Inventory, cluster: Cluster) -> list[ResourceId]:
    """The subscriptions beside the scanned ones in which a pass is to be proved: the cluster's, and its networks'."""
    named = {cluster.subscription_id}
    used = footprint(inventory, cluster)
    for network in () if isinstance(used, Unread) else used.networks:
        scope = scope_of(network.id)
        named.add(None if isinstance(scope, Unread) else scope.subscription_id)
    return [ResourceId.parse(f"/subscriptions/{subscription}") for subscription in sorted(filter(None, named))]


def _told(whose: str, one: access.Held) -> TraceStep:
    facts = {"whose": whose, "role": one.role, "scope": str(one.assignment.scope), "state": str(one.state)}
    return TraceStep("held", "the {whose} holds {role} at {scope} ({state})", facts)


def _too_broad(
    cluster: Cluster, found: list[tuple[str, access.Overbroad]], looked_at: list[Evidence], trace: list[TraceStep]
) -> Verdict:
    found.sort(key=lambda each: WORST_FIRST.index(each[1].breadth))
    told: list[str] = []
    shown: list[Evidence] = []
    for whose, one in found:
        assignment = one.held.assignment
        told.append(f"{one.held.role} on {assignment.scope} ({whose})")
        note = f"{one.held.role} of the {whose}"
        if one.held.via_group:
            note += f", by group {one.held.via_group}"
        if assignment.condition:
            note += ", under a condition"
        shown.append(Evidence(assignment.id, "properties.scope", str(assignment.scope), note))
    more: dict[str, Any] = {"cluster": cluster.name, "held": list(dict.fromkeys(told)), "trace": trace}
    related = [one.held.assignment.id for _, one in found]
    return warned(
        str(found[0][1].breadth),
        "an identity of {cluster} holds rights far beyond its need: {held}",
        *shown,
        *looked_at,
        related=related,
        **more,
    )
