"""A forced default route does not break a public frontend.

## What it checks
The default route of each node subnet (0.0.0.0/0, or halves of it) against the public service frontends of the cluster's
load balancers.

- warns if a default route sends packets to an appliance or gateway while a public frontend serves;
- passes without a public frontend, without such a route, or if user routes send all configured clients
  (`scoring_clients`) straight back to the Internet;
- is unknown where the load balancers, a subnet or its table could not be read, or only a gateway could announce a
  default route, as far as that matters.

## Why it matters
Requests come in by the load balancer and replies leave by the appliance, which has never seen the connection and drops
them. Clients see time-outs, and only some of the time.

## Not concerned
Clusters without a default route of their own: their replies leave the way the requests came.

## Limits
Whether the appliance forwards requests to the frontend itself (DNAT), so that both ways pass it, cannot be seen: then
the warning can be waived. Without configured clients every public frontend counts.
"""

from collections.abc import Iterator
from typing import Any

from auditor.api import (
    Cluster,
    ClusterFrontend,
    Effect,
    Evidence,
    FrontendClass,
    Inventory,
    Mend,
    RouteTable,
    Severity,
    Source,
    Subnet,
    SubnetRole,
    SubnetUse,
    Unread,
    Verdict,
    address_set,
    check,
    footprint,
    frontends_of,
    hops_of,
    learns_routes,
    network,
    network_of,
    passed,
    resource_name,
    route_cut_short,
    table_of,
    table_value,
    unknown,
    warned,
)

Hop = network.Hop


@check(
    id="route-asymmetric-ingress",
    severity=Severity.MEDIUM,
    source=Source("AKS-LIMIT-EGRESS", "Ingress and asymmetric routing", "/aks/limit-egress-traffic"),
    mend=Mend.by(
        "serve by an internal load balancer and let the firewall forward requests to it (DNAT), or add a /32 route for "
        "the firewall's public address with the next hop Internet"
    ),
    reads=(
        "microsoft.network/loadbalancers",
        "microsoft.network/publicipaddresses",
        "microsoft.network/virtualnetworks",
        "microsoft.network/routetables",
    ),
)
def asymmetric_ingress(cluster: Cluster, inventory: Inventory) -> Iterator[Verdict]:
    used = footprint(inventory, cluster)
    if isinstance(used, Unread):
        yield unknown("cluster-unreadable", "{cluster}: {why}", cluster=cluster.name, why=used.why, hint=used.hint)
        return
    frontends = frontends_of(inventory, cluster)
    public = [frontend for frontend in frontends if frontend.kind is FrontendClass.PUBLIC_SERVICE]
    if not public and frontends.missing is None:
        yield passed(
            "no-public-frontend",
            "{cluster} has no public service frontend",
            *(Evidence(f.id, "properties.publicIPAddress.id", f.public_ip_id) for f in frontends),
            effect=Effect(()),
            cluster=cluster.name,
        )
        return
    yield _Ways(inventory, cluster, used.in_roles(SubnetRole.NODE), public).verdict(frontends.missing, used.incomplete)


class _Ways:
    """The default routes of a cluster's nodes."""

    def __init__(
        self, inventory: Inventory, cluster: Cluster, uses: tuple[SubnetUse, ...], public: list[ClusterFrontend]
    ) -> None:
        self.inventory = inventory
        self.public = public
        self.lost: Unread | None = None
        self.forced: list[tuple[Subnet, network.Route]] = []
        for use in uses:
            self._look(use)
        self.more: dict[str, Any] = {
            "related": [*(f.balancer_id for f in public), *(use.id for use in uses)],
            "cluster": cluster.name,
            "frontends": [f"{f.balancer_name}/{f.name}" for f in public],
        }

    def _look(self, use: SubnetUse) -> None:
        if isinstance(use.subnet, Unread):
            self.lost = use.subnet
            return
        table = table_of(self.inventory, use.subnet)
        if isinstance(table, Unread):
            self.lost = table
            return
        value = table_value(self.inventory, table) if isinstance(table, RouteTable) else None
        defaults = network.default_routes(value)
        self.forced += [
            (use.subnet, route) for route in network.internet_routes(value) if route.hop in (Hop.APPLIANCE, Hop.GATEWAY)
        ]
        if not defaults and table is not None:
            self.lost = self.lost or route_cut_short(table)
        if not defaults:
            around = network_of(self.inventory, use.subnet)
            learned = around if isinstance(around, Unread) else learns_routes(self.inventory, use.subnet, around)
            self.lost = self.lost or learned

    def verdict(self, frontends_unread: Unread | None, incomplete: Unread | None) -> Verdict:
        """What the routes mean for the public frontends that were read, and for those that were not."""
        shown = [
            Evidence(route.id or route.name, "properties", f"{route.prefix} -> {route.next_hop_type}", subnet.name)
            for subnet, route in self.forced
        ]
        shown += [Evidence(f.id, "properties.publicIPAddress.id", f.public_ip_id) for f in self.public]
        if self.forced and self.public:
            return self._forced(tuple(shown))
        if self.forced and frontends_unread is not None:
            return unknown(
                "frontends-unread",
                "route {route} sends packets of {subnet} away; whether {cluster} has a public frontend is not known: "
                "{why}",
                *shown,
                route=self.forced[0][1].name,
                subnet=self.forced[0][0].name,
                why=frontends_unread.why,
                hint=frontends_unread.hint,
                **self.more,
            )
        lost = self.lost or incomplete
        if lost is not None:
            return unknown(
                "routes-unread",
                "whether a default route sends replies of {cluster} past its public frontends is not known: {what}: "
                "{why}",
                *shown,
                what=resource_name(lost.what),
                why=lost.why,
                hint=lost.hint,
                **self.more,
            )
        return passed(
            "no-forced-default",
            "no default route sends replies of {cluster} past the load balancer",
            *shown,
            effect=Effect(()),
            **self.more,
        )

    def _forced(self, shown: tuple[Evidence, ...]) -> Verdict:
        subnet, route = self.forced[0]
        facts = {
            "route": route.name,
            "subnet": subnet.name,
            "address": route.next_hop_ip or "a gateway",
            "effect": Effect(tuple(sorted({f"{r.prefix} -> {r.next_hop_ip or r.hop}" for _, r in self.forced}))),
            **self.more,
        }
        clients = self.inventory.configured.scoring_clients
        if clients and all(self._straight_back(one, clients) for one in {s.key: s for s, _ in self.forced}.values()):
            return passed(
                "clients-routed-back",
                "replies of {cluster} to the configured clients {clients} leave by the Internet, not by {address}",
                *shown,
                clients=list(clients),
                **facts,
            )
        return warned(
            "asymmetric",
            "route {route} of {subnet} sends replies of {cluster} to {address}, while requests come in at {frontends}",
            *shown,
            **facts,
        )

    def _straight_back(self, subnet: Subnet, clients: tuple[str, ...]) -> bool:
        """Whether user routes send packets for all configured clients to the Internet."""
        wanted = address_set(clients, "scoring-clients")
        if isinstance(wanted, Unread) or not wanted:
            return False
        legs = hops_of(self.inventory, subnet, wanted)
        return not isinstance(legs, Unread) and all(leg.hop is Hop.INTERNET for leg in legs)
