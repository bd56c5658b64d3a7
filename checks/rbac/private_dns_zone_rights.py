"""Cluster identity may write its own private DNS zone and link it.

## What it checks
For a private cluster whose API server's name lies in a private DNS zone of the customer's own: whether the
control-plane identity may write the zone, its A records and its links, and join each own virtual network that the zone
is to be linked to.

- passes with Private DNS Zone Contributor on the zone and Network Contributor on the network, or above;
- warns where everything needed is granted by other roles (`other-roles`), or a grant ends within 14 days;
- fails if the identity is system-assigned, which AKS does not support with an own zone, or if something needed is
  provably missing or denied;
- is unknown if the identity, the cluster's network, or assignments at or above zone and network could not be read.

## Why it matters
AKS writes the API server's address into the zone. Without the right the cluster cannot be created, started again after
a stop, or keep the record in step when the address changes; nodes then lose their control plane.

## Not concerned
Public clusters; zone `system`, the default, and `none`.

## Limits
The zone is usually in a hub's subscription: it must be scanned too. Whether zone and link exist is judged by
`aks-private-dns-zone`. In a network that AKS manages the right to join comes with it and is not asked about.
"""

from collections.abc import Iterator
from typing import Any

from auditor.api import (
    RENEW,
    Cluster,
    ClusterPrincipal,
    Footprint,
    Inventory,
    Mend,
    ResourceId,
    Severity,
    Source,
    Unread,
    Verdict,
    access,
    access_model,
    check,
    control_plane,
    ends_soon,
    failed,
    footprint,
    grants_shown,
    how_to_read,
    miss_reason,
    misses_shown,
    mistaken_for,
    not_applicable,
    owned_elsewhere,
    passed,
    resource_name,
    rights_effect,
    scope_of,
    unknown,
    warned,
)

ZONE_CONTRIBUTOR = "b12aa53e-6015-4669-85d0-8515ebb3ae7f"
NETWORK_CONTRIBUTOR = "4d97b98b-1d4f-4787-a291-c67834d212e7"
ON_ZONE = (
    "Microsoft.Network/privateDnsZones/read",
    "Microsoft.Network/privateDnsZones/write",
    "Microsoft.Network/privateDnsZones/A/read",
    "Microsoft.Network/privateDnsZones/A/write",
    "Microsoft.Network/privateDnsZones/A/delete",
    "Microsoft.Network/privateDnsZones/virtualNetworkLinks/read",
    "Microsoft.Network/privateDnsZones/virtualNetworkLinks/write",
)
ON_NETWORK = ("Microsoft.Network/virtualNetworks/join/action",)
PATH = "properties.apiServerAccessProfile.privateDNSZone"
GRANT = (
    "az", "role", "assignment", "create", "--assignee-object-id", "{object_id}",
    "--assignee-principal-type", "ServicePrincipal",
)  # fmt: skip


@check(
    id="rbac-private-dns-zone-rights",
    severity=Severity.HIGH,
    source=Source("AKS-PRIV", "Configure a private DNS zone", "/aks/private-clusters"),
    mend=Mend.by(
        "give the control-plane identity Private DNS Zone Contributor on the zone and Network Contributor on the "
        "virtual network",
        (*GRANT, "--role", ZONE_CONTRIBUTOR, "--scope", "{zone_id}"),
        (*GRANT, "--role", NETWORK_CONTRIBUTOR, "--scope", "{network_id}"),
    ),
    reads=(
        "microsoft.network/virtualnetworks",
        "microsoft.authorization/roleassignments",
        "microsoft.authorization/roledefinitions",
        "microsoft.authorization/denyassignments",
    ),
)
def private_dns_zone_rights(cluster: Cluster, inventory: Inventory) -> Iterator[Verdict]:
    zone_id = (cluster.api_server.private_dns_zone or "") if cluster.api_server else ""
    if cluster.partial:
        yield unknown(
            "cluster-unreadable",
            "the data of {cluster} are cut short: whether it has a zone of its own is not known",
            cluster=cluster.name,
            hint="grant Reader on the cluster and collect again",
        )
    elif not cluster.private:
        yield not_applicable("public-api-server", "the API server of {cluster} is public", cluster=cluster.name)
    elif zone_id.casefold() in ("", "system", "none"):
        yield not_applicable(
            "system-zone",
            "{cluster} uses no private DNS zone of one's own",
            cluster.show(PATH, zone_id or None, "unset means system"),
            cluster=cluster.name,
        )
    else:
        yield _decide(inventory, cluster, zone_id)


def _decide(inventory: Inventory, cluster: Cluster, zone_id: str) -> Verdict:
    more: dict[str, Any] = {
        "related": (zone_id,),
        "cluster": cluster.name,
        "zone": resource_name(zone_id),
        "zone_id": zone_id,
    }
    kind = (cluster.identity.type or "") if cluster.identity else ""
    if "systemassigned" in kind.casefold():
        return failed(
            "system-assigned",
            "{cluster} has {zone} as its own private DNS zone and a system-assigned identity, which AKS does not "
            "support together",
            cluster.show("identity.type", kind),
            cluster.show(PATH, zone_id),
            mend=Mend.by(
                "give the cluster a user-assigned identity (`az aks update --assign-identity`) that holds Private DNS "
                "Zone Contributor on the zone and Network Contributor on the virtual network"
            ),
            **more,
        )
    principal = control_plane(inventory, cluster)
    scope = scope_of(zone_id)
    if isinstance(principal, Unread) or isinstance(scope, Unread):
        lost = principal if isinstance(principal, Unread) else scope
        assert isinstance(lost, Unread)
        return unknown(
            lost.reason,
            "whether {cluster} may write {zone} is not known: {why}",
            cluster.show(PATH, zone_id),
            why=lost.why,
            hint=lost.hint or "collect the cluster's data again, unmasked",
            **more,
        )
    used = footprint(inventory, cluster)
    asking = _Asking(inventory, cluster, principal, more | {"object_id": principal.object_id})
    return asking.about(scope, used)


class _Asking:
    """What may one identity do on a zone and on the networks to link?"""

    def __init__(
        self, inventory: Inventory, cluster: Cluster, principal: ClusterPrincipal, more: dict[str, Any]
    ) -> None:
        self.inventory = inventory
        self.cluster = cluster
        self.principal = principal
        self.who = access.Principal(principal.object_id, "ServicePrincipal")
        self.more = more

    def about(self, zone: ResourceId, used: Footprint | Unread) -> Verdict:
        decisions = [self._ask(ON_ZONE, zone)]
        networks: list[ResourceId] = []
        open_ = used if isinstance(used, Unread) else None
        for network in () if isinstance(used, Unread) else used.networks:
            scope = scope_of(network.id)
            if isinstance(scope, Unread):
                open_ = scope
            elif owned_elsewhere(self.cluster, network.id):
                networks.append(scope)
        decisions += [self._ask(ON_NETWORK, network) for network in networks]
        self.more |= {
            "trace": tuple(step for decision in decisions for step in decision.trace),
            "effect": None if open_ is not None else rights_effect(*decisions),
        }
        if networks:
            self.more |= {"network_id": networks[0].text}
        lacking = next((d for d in decisions if d.denied or d.missing), None)
        if lacking is not None:
            return self._lacking(lacking)
        undecided = next((d for d in decisions if d.undecided), None)
        if undecided is not None or open_ is not None:
            return self._undecided(undecided, open_)
        return self._granted(zone, networks, decisions)

    def _ask(self, operations: tuple[str, ...], scope: ResourceId) -> access.AccessDecision:
        others = mistaken_for(self.inventory, self.cluster)
        model = access_model(self.inventory)
        return access.decide(model, self.who, operations, scope, at=self.inventory.taken_at, others=others)

    def _lacking(self, decision: access.AccessDecision) -> Verdict:
        if decision.denied:
            denied = decision.denied[0]
            return failed(
                "deny-assignment",
                "deny assignment {deny} forbids {actions} on {place} to the identity of {cluster}",
                *self.principal.how,
                deny=denied.deny.name or denied.deny.id,
                actions=[answer.asked for answer in decision.denied],
                place=decision.scope.name,
                mend=Mend.by("a deny assignment comes from a deployment stack or a managed application: change that"),
                **self.more,
            )
        shown = misses_shown(decision)
        return failed(
            miss_reason(decision),
            "the identity of {cluster} lacks {missing} on {place}; it holds instead: {instead}",
            *self.principal.how,
            *shown,
            missing=[answer.asked for answer in decision.missing],
            place=decision.scope.name,
            instead=[evidence.note for evidence in shown] or ["nothing that comes near"],
            **self.more,
        )

    def _undecided(self, decision: access.AccessDecision | None, open_: Unread | None) -> Verdict:
        if decision is None:
            assert open_ is not None
            return unknown(
                "network-unread",
                "to which virtual network {zone} of {cluster} is to be linked is not known: {why}",
                *self.principal.how,
                why=open_.why,
                hint=open_.hint,
                **self.more,
            )
        piece = decision.pieces[0]
        return unknown(
            piece.reason,
            "whether {cluster} may write {zone} and link it is not known: {what}: {why}",
            *self.principal.how,
            *misses_shown(decision),
            what=piece.what,
            why=piece.why,
            hint=how_to_read(self.inventory, piece, decision.scope),
            **self.more,
        )

    def _granted(self, zone: ResourceId, networks: list[ResourceId], decisions: list[access.AccessDecision]) -> Verdict:
        shown = [evidence for decision in decisions for evidence in grants_shown(decision)]
        ends = ends_soon(self.inventory.taken_at, *decisions)
        if ends is not None:
            return warned(
                "grant-ends-soon",
                "the identity of {cluster} may write {zone} and link it, but only until {ends}",
                *shown,
                ends=ends,
                mend=RENEW,
                **self.more,
            )
        named = self._holds(ZONE_CONTRIBUTOR, zone, ON_ZONE) and all(
            self._holds(NETWORK_CONTRIBUTOR, network, ON_NETWORK) for network in networks
        )
        roles = sorted({role.name for decision in decisions for role in decision.roles}) or ["the roles shown"]
        if not named:
            return warned(
                "other-roles",
                "the identity of {cluster} may write {zone} and link it, by {roles} instead of Private DNS Zone "
                "Contributor on the zone and Network Contributor on the network",
                *shown,
                roles=roles,
                **self.more,
            )
        return passed(
            "granted",
            "the identity of {cluster} may write {zone} and link it, by {roles}",
            *shown,
            roles=roles,
            **self.more,
        )

    def _holds(self, role_guid: str, scope: ResourceId, operations: tuple[str, ...]) -> bool:
        """Whether exactly this role is held there or above: the letter of the page."""
        letter = access.grants_role(
            access_model(self.inventory), self.who, role_guid, scope, at=self.inventory.taken_at, operations=operations
        )
        return letter.status is access.Status.GRANTED
