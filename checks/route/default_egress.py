"""The default route fits the outbound type (AKS) and exists at all (ACI).

## What it checks
How packets leave each node subnet and each subnet of container groups: the outbound type of its clusters
(`networkProfile.outboundType`), the default route of its route table (0.0.0.0/0, or halves of it; ::/0 besides where a
cluster is dual stack), and its NAT gateway. The longest prefix decides: a half with a route of its own is judged by it.

- `userDefinedRouting` passes with a default route to an appliance whose address lies in the network or a peer, or to a
  gateway that exists; fails without a table or default route, with the next hop Internet or None, or with an appliance
  that is out of reach or gone; is unknown where only a gateway could announce the route;
- `userAssignedNATGateway` passes with a NAT gateway that has an address, fails without, warns if a default route
  bypasses it;
- `loadBalancer` and managed NAT gateways pass unless a default route drops everything (fails) or leads elsewhere
  (warns);
- `none` and `block` pass for network isolated clusters, else warn;
- container groups pass with a NAT gateway or a default route to an appliance; else they warn, since they rest on
  default outbound access, and fail where that is switched off.

It is unknown where the subnet, its table, NAT gateway or peers could not be read.

## Why it matters
Without a way out nodes do not get ready, and images and models are not fetched. A route that contradicts the outbound
type breaks either egress or the replies of public services.

## Not concerned
Subnets that hold neither nodes nor container groups.

## Limits
An appliance's own rules are not judged, and one that is not an Azure Firewall is not verified; the evidence says so.
A
route to less than a sixteenth of the Internet counts as an exception, which `route-required-services` judges where it
matters. Routes that a gateway announces cannot be seen: where they decide for other outbound types,
`route-required-services` says so. NAT gateways are judged for IPv4 only.
"""

from collections.abc import Iterator
from typing import Any

from auditor.api import (
    MANAGED_NAT,
    Appliance,
    AzureFirewall,
    Cluster,
    Effect,
    Evidence,
    InferenceSubnet,
    Inventory,
    Mend,
    NatGateway,
    RouteTable,
    Severity,
    Source,
    Subnet,
    SubnetRole,
    Unread,
    Verdict,
    VirtualNetwork,
    appliance_at,
    check,
    failed,
    firewall_near,
    firewalls_at,
    gateway_serves,
    ids,
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
SENDING = {SubnetRole.NODE, SubnetRole.CONTAINER_GROUP}
DROPPING = (Hop.NONE, Hop.VIRTUAL_NETWORK)
ROUTE = Mend.by(
    "add a default route to a firewall or other appliance in the network or a peer",
    (
        "az", "network", "route-table", "route", "create", "-g", "{table_group}", "--route-table-name", "{table}", "-n",
        "default", "--address-prefix", "{default}", "--next-hop-type", "VirtualAppliance", "--next-hop-ip-address",
        "{firewall}",
    ),
)  # fmt: skip
REROUTE = Mend.by(
    "point the route at a firewall or other appliance in the network or a peer",
    (
        "az", "network", "route-table", "route", "update", "-g", "{table_group}", "--route-table-name", "{table}", "-n",
        "{route}", "--next-hop-type", "VirtualAppliance", "--next-hop-ip-address", "{firewall}",
    ),
)  # fmt: skip
TABLE = Mend.by(
    "put a route table with a default route to a firewall or other appliance on the subnet: "
    "`az network vnet subnet update --route-table`"
)
NAT = Mend.by("put a NAT gateway with a public address on the subnet: `az network vnet subnet update --nat-gateway`")
AWAY = Mend.by("remove the default route, or change the cluster's outbound type to userDefinedRouting")


@check(
    id="route-default-egress",
    severity=Severity.HIGH,
    source=Source("AKS-OUTTYPE", "Outbound types", "/aks/egress-outboundtype"),
    mend=ROUTE,
    reads=(
        "microsoft.containerservice/managedclusters",
        "microsoft.network/virtualnetworks",
        "microsoft.network/routetables",
        "microsoft.network/natgateways",
        "microsoft.network/azurefirewalls",
        "microsoft.network/virtualnetworkgateways",
    ),
    where=lambda subject, inventory: bool(subject.roles & SENDING),
)
def default_egress(where: InferenceSubnet, inventory: Inventory) -> Iterator[Verdict]:
    if isinstance(where.subnet, Unread):
        yield unknown(
            "subnet-unread",
            "{subnet} could not be read: {why}",
            subnet=where.name,
            why=where.subnet.why,
            hint=where.subnet.hint,
        )
        return
    if SubnetRole.NODE in where.roles:
        for cluster in where.clusters:
            yield from _Way(inventory, where.subnet, cluster).of_cluster(cluster)
    if SubnetRole.CONTAINER_GROUP in where.roles:
        yield from _Way(inventory, where.subnet, None).of_container_groups()


class _Way:
    """The ways out of one subnet, for a cluster or (None) for container groups."""

    def __init__(self, inventory: Inventory, subnet: Subnet, cluster: Cluster | None) -> None:
        self.inventory = inventory
        self.subnet = subnet
        self.table = table_of(inventory, subnet)
        self.value = table_value(inventory, self.table) if isinstance(self.table, RouteTable) else None
        self.cut = route_cut_short(self.table) if isinstance(self.table, RouteTable) else None
        if self.cut is not None and not network.default_routes(self.value):
            self.table = self.cut
        self.more: dict[str, Any] = {
            "subnet": subnet.name,
            "user": cluster.name if cluster else "its container groups",
            "related": [one for one in (cluster.id if cluster else None, subnet.route_table_id) if one],
            "table": resource_name(subnet.route_table_id) if subnet.route_table_id else "no table",
            "table_group": self.table.resource_group if isinstance(self.table, RouteTable) else None,
            "table_subscription": self.table.subscription_id if isinstance(self.table, RouteTable) else None,
            "firewall": firewall_near(inventory, subnet),
            "default": "0.0.0.0/0",
        }

    # ------------------------------------------------------------ by outbound type

    def of_cluster(self, cluster: Cluster) -> Iterator[Verdict]:
        """What the cluster's outbound type asks of the subnet."""
        if cluster.network is None:
            yield unknown(
                "outbound-type-unread",
                "the outbound type of {user} in {subnet} is not in its data",
                cluster.show("properties.networkProfile", None),
                hint="grant Reader on the cluster and collect again",
                **self.more,
            )
            return
        kind = cluster.outbound_type
        self.shown = cluster.show("properties.networkProfile.outboundType", cluster.network.outbound_type)
        dual = any(family.casefold() == "ipv6" for family in cluster.network.ip_families or ())
        families: tuple[network.Family, ...] = (4, 6) if dual else (4,)
        if kind in ("none", "block"):
            yield self._isolated(cluster)
        elif isinstance(self.table, Unread):
            yield self._table_unread(self.table)
        elif kind == "userdefinedrouting":
            for family in families:
                yield from self._routed(family)
        elif kind == "userassignednatgateway":
            yield from self._by_nat_gateway()
        elif kind == "loadbalancer" or kind in MANAGED_NAT:
            for family in families:
                yield from self._by_own_means(family)
        else:
            yield unknown(
                "outbound-type-unknown",
                "{user} in {subnet} has the outbound type {kind}, which this check does not know",
                self.shown,
                kind=cluster.network.outbound_type,
                hint="a newer version of this program may know it",
                **self.more,
            )
        if self.cut is not None and kind not in ("none", "block") and not isinstance(self.table, Unread):
            yield self._table_unread(self.cut)  # half of the default route may be its prefix

    def of_container_groups(self) -> Iterator[Verdict]:
        """Container groups have no outbound address of their own."""
        self.shown = self.subnet.show("properties.natGateway.id", self.subnet.nat_gateway_id)
        if isinstance(self.table, Unread):
            yield self._table_unread(self.table)
            return
        if self.cut is not None:
            yield self._table_unread(self.cut)
        leading = [route for route in self._large(4) if route.hop is not Hop.INTERNET]
        yield from (self._judged(route) for route in leading)
        if self._defaults(4) and set(self._defaults(4)) <= set(leading):
            return
        gateway = self._nat_gateway()
        if gateway is not None:
            yield gateway
        else:
            yield self._implicit()

    # ------------------------------------------------------------ one way each

    def _isolated(self, cluster: Cluster) -> Verdict:
        profile = cluster.body.bootstrap_profile
        source = profile.artifact_source if profile else None
        cached = cluster.show("properties.bootstrapProfile.artifactSource", source)
        if (source or "").casefold() == "cache":
            return passed(
                "network-isolated", "{user} in {subnet} is network isolated and needs no way out", self.shown, cached,
                effect=_effect("no way out"), **self.more,
            )  # fmt: skip
        return warned(
            "no-way-out",
            "{user} in {subnet} has the outbound type {kind}, but does not take its images from a cache",
            self.shown,
            cached,
            kind=cluster.outbound_type,
            effect=_effect("no way out"),
            mend=Mend.by("set the artifact source Cache, or another outbound type, with `az aks update`"),
            **self.more,
        )

    def _table_unread(self, table: Unread) -> Verdict:
        return unknown(
            "table-unread",
            "{table}, the route table of {subnet}, could not be read: {why}",
            self.shown,
            why=table.why,
            hint=table.hint,
            **self.more,
        )

    def _defaults(self, family: network.Family) -> tuple[network.Route, ...]:
        return network.default_routes(self.value, family)

    def _large(self, family: network.Family) -> tuple[network.Route, ...]:
        """The routes that decide for a large part of the Internet: the default route, its halves, or one half."""
        return network.internet_routes(self.value, family)

    def _routed(self, family: network.Family) -> Iterator[Verdict]:
        """User defined routing: there has to be a default route, and it has to lead somewhere."""
        everything = "0.0.0.0/0" if family == 4 else "::/0"
        self.more["default"] = everything
        if self.value is None:
            yield failed(
                "no-table",
                "{subnet} has no route table, but {user} relies on user defined routing",
                self.shown,
                self.subnet.show("properties.routeTable.id", None),
                effect=_effect(f"{everything} -> no route"),
                mend=TABLE,
                **self.more,
            )
            return
        defaults = self._defaults(family)
        for route in self._large(family):
            if not defaults and route.hop not in DROPPING:
                continue
            if route.hop is Hop.INTERNET:
                yield failed(
                    "default-to-internet",
                    "route {route} of {table} sends {default} of {subnet} to Internet, which user defined routing "
                    "refuses",
                    self.shown,
                    _route_shown(route),
                    route=route.name,
                    effect=_effect(_line(route)),
                    mend=REROUTE,
                    **{**self.more, "default": route.prefix},
                )
            else:
                yield self._judged(route)
        if not defaults:
            yield self._without_default(everything)

    def _without_default(self, everything: str) -> Verdict:
        around = network_of(self.inventory, self.subnet)
        learned = around if isinstance(around, Unread) else learns_routes(self.inventory, self.subnet, around)
        if learned is not None:
            return unknown(
                "bgp-default",
                "{table} of {subnet} has no route for {default}; whether a gateway announces one is not known: {why}",
                self.shown,
                why=learned.why,
                hint=learned.hint,
                **self.more,
            )
        return failed(
            "no-default-route",
            "{table} of {subnet} has no route for {default}, but {user} relies on user defined routing",
            self.shown,
            Evidence(
                self.subnet.route_table_id or self.subnet.id, "properties.routes[].properties.addressPrefix", None
            ),
            effect=_effect(f"{everything} -> no route"),
            **self.more,
        )

    def _judged(self, route: network.Route) -> Verdict:
        """A default route that is meant to lead out."""
        facts = {**self.more, "route": route.name, "effect": _effect(_line(route)), "default": route.prefix}
        shown = (self.shown, _route_shown(route))
        if route.hop in DROPPING:
            return failed(
                "default-dropped",
                "route {route} of {table} sends {prefix} of {subnet} to {hop}, where it ends",
                *shown,
                prefix=route.prefix,
                hop=route.next_hop_type,
                mend=REROUTE,
                **facts,
            )
        if route.hop is Hop.GATEWAY:
            return self._by_gateway(shown, facts)
        if route.hop is Hop.APPLIANCE:
            return self._by_appliance(route, shown, facts)
        return unknown(
            "next-hop-unknown",
            "route {route} of {table} has the next hop {hop}, which this check does not know",
            *shown,
            hop=route.next_hop_type or "(none)",
            hint="mend the route, or use a newer version of this program",
            **facts,
        )

    def _by_gateway(self, shown: tuple[Evidence, ...], facts: dict[str, Any]) -> Verdict:
        around = network_of(self.inventory, self.subnet)
        if isinstance(around, Unread):
            return unknown(
                "network-unread",
                "whether route {route} of {table} leads to a gateway is not known: {why}",
                *shown,
                why=around.why,
                hint=around.hint,
                **facts,
            )
        if gateway_serves(self.inventory, around):
            return passed(
                "gateway", "route {route} of {table} sends {default} of {subnet} to a gateway", *shown, **facts
            )
        return failed(
            "no-gateway",
            "route {route} of {table} sends {default} of {subnet} to a gateway, and its network has and uses none",
            *shown,
            _gateways_shown(around),
            mend=REROUTE,
            **facts,
        )

    def _by_appliance(self, route: network.Route, shown: tuple[Evidence, ...], facts: dict[str, Any]) -> Verdict:
        facts["address"] = route.next_hop_ip or "no address"
        match appliance_at(self.inventory, self.subnet, route.next_hop_ip):
            case Unread() as unread:
                return unknown(
                    "peer-unread",
                    "whether {address}, to which route {route} of {table} sends {default}, can be reached from "
                    "{subnet} is not known: {why}",
                    *shown,
                    why=unread.why,
                    hint=unread.hint,
                    **facts,
                )
            case Appliance.UNREACHABLE:
                return failed(
                    "appliance-unreachable",
                    "route {route} of {table} sends {default} of {subnet} to {address}, which lies neither in its "
                    "network nor in a peer",
                    *shown,
                    mend=REROUTE,
                    **facts,
                )
            case Appliance.GONE:
                return failed(
                    "appliance-gone",
                    "route {route} of {table} sends {default} of {subnet} to {address}, which no firewall has any more",
                    *shown,
                    mend=REROUTE,
                    **facts,
                )
            case Appliance.FIREWALL:
                found: list[AzureFirewall] = list(firewalls_at(self.inventory, route.next_hop_ip or ""))
                path = "properties.ipConfigurations[].properties.privateIPAddress"
                return passed(
                    "firewall",
                    "route {route} of {table} sends {default} of {subnet} to the firewall {name}",
                    *shown,
                    *(firewall.show(path, route.next_hop_ip) for firewall in found),
                    name=[firewall.name for firewall in found],
                    **facts,
                )
            case Appliance.UNVERIFIED:
                return passed(
                    "appliance-not-verified",
                    "route {route} of {table} sends {default} of {subnet} to {address}; what answers there was not "
                    "read",
                    *shown,
                    **facts,
                )

    def _nat_gateway(self) -> Verdict | None:
        """What the NAT gateway on the subnet says; None where there is none."""
        if not self.subnet.nat_gateway_id:
            return None
        shown = self.subnet.show("properties.natGateway.id", self.subnet.nat_gateway_id)
        gateway = self.inventory.find(NatGateway, self.subnet.nat_gateway_id)
        self.more["gateway"] = resource_name(self.subnet.nat_gateway_id)
        if isinstance(gateway, Unread):
            return unknown(
                "nat-gateway-unread",
                "{gateway}, the NAT gateway of {subnet}, could not be read: {why}",
                self.shown,
                shown,
                why=gateway.why,
                hint=gateway.hint,
                **self.more,
            )
        addresses = [*ids(gateway.body.public_ip_addresses), *ids(gateway.body.public_ip_prefixes)]
        own = gateway.show("properties.publicIpAddresses[].id", addresses)
        if not addresses:
            return failed(
                "nat-gateway-without-address",
                "{gateway}, the NAT gateway of {subnet}, has no public address",
                self.shown,
                shown,
                own,
                effect=_effect("no way out"),
                mend=Mend.by("give the NAT gateway a public address: `az network nat gateway update`"),
                **self.more,
            )
        return passed(
            "nat-gateway",
            "packets of {subnet} leave by the NAT gateway {gateway}",
            self.shown,
            shown,
            own,
            effect=_effect(f"0.0.0.0/0 -> {gateway.key}"),
            **self.more,
        )

    def _by_nat_gateway(self) -> Iterator[Verdict]:
        verdict = self._nat_gateway()
        if verdict is None:
            yield failed(
                "no-nat-gateway",
                "{subnet} has no NAT gateway, which the outbound type of {user} relies on",
                self.shown,
                self.subnet.show("properties.natGateway.id", None),
                effect=_effect("no way out"),
                mend=NAT,
                **self.more,
            )
        else:
            yield verdict
        yield from self._against(4)

    def _by_own_means(self, family: network.Family) -> Iterator[Verdict]:
        against = list(self._against(family))
        yield from against
        if not against:
            yield passed(
                "own-egress",
                "no default route stands against the egress that AKS set up for {user} in {subnet}",
                self.shown,
                self.subnet.show("properties.routeTable.id", self.subnet.route_table_id),
                effect=_effect("the cluster's own egress"),
                **self.more,
            )

    def _against(self, family: network.Family) -> Iterator[Verdict]:
        """Routes for all or a large part of the Internet that stand against an egress of another kind."""
        for route in self._large(family):
            if route.hop is Hop.INTERNET:
                continue
            if route.hop in (*DROPPING, Hop.UNDECIDED):
                yield self._judged(route)
                continue
            yield warned(
                "egress-bypassed",
                "route {route} of {table} sends {prefix} of {subnet} to {hop}, past the egress that {user} has set up",
                self.shown,
                _route_shown(route),
                route=route.name,
                prefix=route.prefix,
                hop=route.next_hop_ip or route.next_hop_type,
                effect=_effect(_line(route)),
                mend=AWAY,
                **self.more,
            )

    def _implicit(self) -> Verdict:
        """Container groups with neither NAT gateway nor default route."""
        shown = self.subnet.show("properties.defaultOutboundAccess", self.subnet.body.default_outbound_access)
        around = network_of(self.inventory, self.subnet)
        learned = around if isinstance(around, Unread) else learns_routes(self.inventory, self.subnet, around)
        if learned is not None:
            return unknown(
                "bgp-default",
                "{table} of {subnet} has no route for {default}; whether a gateway announces one is not known: {why}",
                self.shown,
                shown,
                why=learned.why,
                hint=learned.hint,
                **self.more,
            )
        if self.subnet.body.default_outbound_access is False:
            return failed(
                "no-egress",
                "{subnet} has neither NAT gateway nor default route, and default outbound access is switched off",
                self.shown,
                shown,
                effect=_effect("no way out"),
                mend=NAT,
                **self.more,
            )
        return warned(
            "implicit-outbound",
            "{subnet} has neither NAT gateway nor default route: {user} rest on default outbound access, which "
            "new networks do not have",
            self.shown,
            shown,
            effect=_effect("default outbound access"),
            mend=NAT,
            **self.more,
        )


def _route_shown(route: network.Route) -> Evidence:
    value = f"{route.prefix} -> {route.next_hop_type} {route.next_hop_ip or ''}".strip()
    return Evidence(route.id or route.name, "properties", value, route.name)


def _gateways_shown(around: VirtualNetwork) -> Evidence:
    uses = [peering.name for peering in around.peerings if peering.body.use_remote_gateways]
    return around.show("properties.virtualNetworkPeerings[].properties.useRemoteGateways", uses)


def _line(route: network.Route) -> str:
    return f"{route.prefix} -> {route.next_hop_type.casefold()} {route.next_hop_ip or ''}".strip()


def _effect(line: str) -> Effect:
    return Effect((line,))
