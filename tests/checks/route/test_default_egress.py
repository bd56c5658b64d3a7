"""route-default-egress: the default route against the outbound type, and whether container groups get out at all."""

from typing import Any

import pytest

from tests.estate import (
    SUB,
    Thing,
    arm,
    audit,
    cluster,
    container_group,
    firewall,
    gap,
    nat,
    outcomes,
    peering,
    route,
    subnet,
    table,
    vnet,
)

CHECK = "route-default-egress"
HUB = arm("hub", "Microsoft.Network/virtualNetworks", "hub")
FIREWALLS = subnet("AzureFirewallSubnet", "10.9.0.0/26", vnet="hub", group="hub")
HUB_NETWORK = vnet("hub", FIREWALLS, group="hub", prefixes=["10.9.0.0/16"])
SPOKE = vnet(prefixes=["10.0.0.0/16"], peerings=[peering(HUB)])
FIREWALL = firewall(into=FIREWALLS, address="10.9.0.4", group="hub")
LANDSCAPE = (SPOKE, HUB_NETWORK, FIREWALL)
ROUTE_SERVER = subnet("RouteServerSubnet", "10.0.254.0/26", ipConfigurations=[{"id": "/route-server"}])
GATEWAY = subnet("GatewaySubnet", "10.0.255.0/27", ipConfigurations=[{"id": "/gateway"}])


def default(hop: str = "VirtualAppliance", address: str | None = "10.9.0.4", prefix: str = "0.0.0.0/0") -> Any:
    return route(prefix, hop, address if hop.casefold() == "virtualappliance" else None)


HALVES = (default(prefix="0.0.0.0/1"), default(prefix="128.0.0.0/1"))


def aks(outbound: str | None, *routes: Any, on: Any = ..., no_bgp: bool = False, **more: Any) -> list[Thing]:
    """A cluster of this outbound type in a spoke whose table has these routes."""
    carried = table("rt", *routes, no_bgp=no_bgp) if on is ... else on
    network = {"outboundType": outbound, **more.pop("network", {})}
    nodes = subnet("nodes", "10.0.0.0/22", table=carried, **more.pop("subnet", {}))
    return [cluster(nodes=nodes, network=network, **more), *LANDSCAPE]


def udr(*routes: Any, **more: Any) -> list[Thing]:
    return aks("userDefinedRouting", *routes, **more)


def single(local: str, remote: str, things: list[Thing]) -> list[Thing]:
    """The same where the spoke's peering connects single subnets."""
    names: dict[str, Any] = {
        "localSubnetNames": [local] if local else [],
        "remoteSubnetNames": [remote] if remote else [],
    }
    spare = subnet("spare", "10.9.1.0/24", vnet="hub", group="hub")
    hub = vnet("hub", FIREWALLS, spare, group="hub", prefixes=["10.9.0.0/16"])
    spoke = vnet(prefixes=["10.0.0.0/16"], peerings=[peering(HUB, peerCompleteVnets=False, **names)])
    return [spoke, hub, FIREWALL, *(thing for thing in things if thing not in LANDSCAPE)]


def aci(*routes: Any, **more: Any) -> list[Thing]:
    carried = table("rt", *routes) if routes else None
    return [container_group(into=subnet("aci", "10.0.8.0/24", table=carried, **more)), *LANDSCAPE]


def bare_nat() -> Thing:
    made = nat()
    made.rows[0]["properties"] = {}
    return made


def without_network_profile() -> list[Thing]:
    return [cluster(nodes=subnet("nodes", "10.0.0.0/22"), networkProfile=None), *LANDSCAPE]


UNREAD_TABLE = table("rt").unread()
UNREAD_NAT = nat().unread()
DUAL = {"ipFamilies": ["IPv4", "IPv6"]}
CACHE: dict[str, Any] = {"bootstrapProfile": {"artifactSource": "Cache"}}
GOES_BY_PEER = vnet(prefixes=["10.0.0.0/16"], peerings=[peering(HUB, useRemoteGateways=True)])
PEER_UNREAD = [SPOKE, gap(HUB)]

CASES: dict[str, tuple[list[Thing], list[tuple[str, str]]]] = {
    # user defined routing
    "to the firewall": (udr(default()), [("pass", "firewall")]),
    "odd casing of the hop": (udr(default("virtualAPPLIANCE")), [("pass", "firewall")]),
    "split in halves": (udr(*HALVES), [("pass", "firewall")] ),
    "half a default route is none": (udr(HALVES[0]), [("fail", "no-default-route")]),
    "half of it dropped beside a default route": (
        udr(default(), default("None", prefix="0.0.0.0/1")), [("fail", "default-dropped")]),
    "the other half dropped, in quarters": (
        udr(default(), default("None", prefix="128.0.0.0/2"), default("none", prefix="192.0.0.0/2")),
        [("fail", "default-dropped")]),
    "half of it to Internet": (
        udr(default(), default("Internet", prefix="0.0.0.0/1")),
        [("fail", "default-to-internet")]),
    "half of it out of reach": (
        udr(default(), default(address="10.99.0.4", prefix="128.0.0.0/1")),
        [("fail", "appliance-unreachable")]),
    "dropped, but both halves lead on": (udr(default("None"), *HALVES), [("pass", "firewall")]),
    "a block dropped is another check's": (
        udr(default(), default("None", prefix="25.0.0.0/8")), [("pass", "firewall")]),
    "private space dropped": (udr(default(), route("10.0.0.0/8", "None")), [("pass", "firewall")]),
    "half of it dropped, a gateway may announce the rest": (
        [*udr(default("None", prefix="0.0.0.0/1")), GATEWAY],
        [("fail", "default-dropped")]),
    "a default route beside one without its prefix": (
        udr(default(), route("", "None", name="odd")), [("unknown", "table-unread")]),
    "dropped, beside one without its prefix": (
        udr(default("None"), route("", "None", name="odd")), [("fail", "default-dropped")]),
    "an appliance of one's own": (udr(default(address="10.0.9.4")), [("pass", "appliance-not-verified")]),
    "no table": (udr(on=None), [("fail", "no-table")]),
    "no default route": (udr(route("10.0.0.0/8", "None")), [("fail", "no-default-route")]),
    "a Route Server may announce one": ([*udr(), ROUTE_SERVER], [("unknown", "bgp-default")]),
    "a gateway may announce one": ([*udr(), GATEWAY], [("unknown", "bgp-default")]),
    "a peer's gateway may announce one": ([GOES_BY_PEER, *udr()], [("unknown", "bgp-default")]),
    "announcements are not taken": ([*udr(no_bgp=True), GATEWAY], [("fail", "no-default-route")]),
    "to Internet": (udr(default("Internet")), [("fail", "default-to-internet")]),
    "to nowhere": (udr(default("None")), [("fail", "default-dropped")]),
    "to the network itself": (udr(default("VnetLocal")), [("fail", "default-dropped")]),
    "out of reach": (udr(default(address="10.99.0.4")), [("fail", "appliance-unreachable")]),
    "no address": (udr(default(address=None)), [("fail", "appliance-unreachable")]),
    "firewall gone": (udr(default(address="10.9.0.5")), [("fail", "appliance-gone")]),
    "firewalls unread": (
        [*udr(default(address="10.9.0.5")), gap(HUB, "microsoft.network/azurefirewalls")],
        [("pass", "appliance-not-verified")]),
    "the peer unread": (
        [udr(default())[0], *PEER_UNREAD], [("unknown", "peer-unread")]),
    "to a gateway": ([*udr(default("VirtualNetworkGateway")), GATEWAY], [("pass", "gateway")]),
    "to a peer's gateway": ([GOES_BY_PEER, *udr(default("VirtualNetworkGateway"))], [("pass", "gateway")]),
    "to a gateway that is not there": (udr(default("VirtualNetworkGateway")), [("fail", "no-gateway")]),
    "to something new": (udr(default("Teleport")), [("unknown", "next-hop-unknown")]),
    "table unread": (udr(on=UNREAD_TABLE), [("unknown", "table-unread")]),
    "dual stack, IPv4 only": (udr(default(), network=DUAL), [("fail", "no-default-route")]),
    "dual stack, both": (udr(default(), default(prefix="::/0"), network=DUAL), [("pass", "firewall")]),
    "by a peering of single subnets": (
        single("nodes", "AzureFirewallSubnet", udr(default())), [("pass", "firewall")]),
    "of which this is none": (
        single("other", "AzureFirewallSubnet", udr(default())), [("fail", "appliance-unreachable")]),
    "of which the firewall's is none": (
        single("nodes", "spare", udr(default())), [("fail", "appliance-unreachable")]),
    "which, is not in the data": (single("", "", udr(default())), [("unknown", "peer-unread")]),
    # NAT gateway
    "NAT gateway": (aks("userAssignedNATGateway", subnet={"nat": nat()}), [("pass", "nat-gateway")]),
    "no NAT gateway": (aks("userAssignedNATGateway"), [("fail", "no-nat-gateway")]),
    "NAT gateway without address": (
        aks("userAssignedNATGateway", subnet={"nat": bare_nat()}), [("fail", "nat-gateway-without-address")]),
    "NAT gateway unread": (
        aks("userAssignedNATGateway", subnet={"nat": UNREAD_NAT}), [("unknown", "nat-gateway-unread")]),
    "NAT gateway beaten by a default route": (
        aks("userAssignedNATGateway", default(), subnet={"nat": nat()}), [("warn", "egress-bypassed")]),
    "NAT gateway beaten by a drop": (
        aks("userAssignedNATGateway", default("None"), subnet={"nat": nat()}), [("fail", "default-dropped")]),
    # egress that AKS brings
    "load balancer": (aks("loadBalancer", on=None), [("pass", "own-egress")]),
    "unset is load balancer": (aks(None, on=None), [("pass", "own-egress")]),
    "load balancer, default to Internet": (aks("loadBalancer", default("Internet")), [("pass", "own-egress")]),
    "load balancer, other routes": (aks("loadBalancer", route("10.9.0.0/16", "None")), [("pass", "own-egress")]),
    "load balancer, default to nowhere": (aks("loadBalancer", default("None")), [("fail", "default-dropped")]),
    "load balancer, default to an appliance": (aks("loadBalancer", default()), [("warn", "egress-bypassed")]),
    "load balancer, default in halves": (aks("loadBalancer", *HALVES), [("warn", "egress-bypassed")]),
    "load balancer, half dropped": (
        aks("loadBalancer", default("None", prefix="128.0.0.0/1")), [("fail", "default-dropped")]),
    "load balancer, half to an appliance": (
        aks("loadBalancer", default(prefix="128.0.0.0/1")), [("warn", "egress-bypassed")]),
    "load balancer, a route without its prefix": (
        aks("loadBalancer", route("", "None", name="odd")), [("unknown", "table-unread")]),
    "load balancer, table unread": (aks("loadBalancer", on=UNREAD_TABLE), [("unknown", "table-unread")]),
    "managed NAT gateway": (aks("managedNATGateway", on=None), [("pass", "own-egress")]),
    "managed NAT gateway, second version": (aks("managedNATGatewayV2", on=None), [("pass", "own-egress")]),
    "none with a cache": (aks("none", on=None, **CACHE), [("pass", "network-isolated")]),
    "none without a cache": (aks("none", on=None), [("warn", "no-way-out")]),
    "block with a cache": (aks("block", on=UNREAD_TABLE, **CACHE), [("pass", "network-isolated")]),
    "a type of tomorrow": (aks("teleport", on=None), [("unknown", "outbound-type-unknown")]),
    "no network profile": (without_network_profile(), [("unknown", "outbound-type-unread")]),
    "subnet unread": ([cluster(nodes=subnet(readable=False))], [("unknown", "subnet-unread")]),
    # container groups
    "container groups by NAT gateway": (aci(nat=nat()), [("pass", "nat-gateway")]),
    "container groups by firewall": (aci(default()), [("pass", "firewall")]),
    "container groups, firewall out of reach": (
        aci(default(address="10.99.0.4"), nat=nat()), [("fail", "appliance-unreachable")]),
    "container groups by default outbound access": (aci(), [("warn", "implicit-outbound")]),
    "container groups, default to Internet": (aci(default("Internet")), [("warn", "implicit-outbound")]),
    "container groups without any way": (aci(defaultOutboundAccess=False), [("fail", "no-egress")]),
    "container groups, a gateway may announce one": (
        [*aci(defaultOutboundAccess=False), GATEWAY], [("unknown", "bgp-default")]),
    "container groups, half of it dropped": (
        aci(default("None", prefix="0.0.0.0/1"), nat=nat()), [("fail", "default-dropped")]),
    "container groups, half by firewall, half by nothing": (
        aci(default(), default("Internet", prefix="0.0.0.0/1"), defaultOutboundAccess=False),
        [("fail", "no-egress")]),
    "container groups, half by firewall, no route for the rest": (
        aci(default(prefix="0.0.0.0/1"), defaultOutboundAccess=False),
        [("fail", "no-egress")]),
    "container groups, table unread": (
        [container_group(into=subnet("aci", "10.0.8.0/24", table=UNREAD_TABLE))], [("unknown", "table-unread")]),
}  # fmt: skip


@pytest.mark.parametrize(("estate", "wanted"), CASES.values(), ids=CASES)
def test_outcome(estate: list[Thing], wanted: list[tuple[str, str]]) -> None:
    assert outcomes(audit(CHECK, estate)) == wanted


def test_pod_subnets_are_none_of_its_business() -> None:
    pods = subnet("pods", "10.0.16.0/20")
    estate = [cluster(nodes=subnet("nodes", "10.0.0.0/22"), pods=pods), *LANDSCAPE]
    assert [f.resource.name for f in audit(CHECK, estate)] == ["nodes"]


def test_the_only_firewall_near_is_proposed() -> None:
    [finding] = audit(CHECK, udr(route("10.0.0.0/8", "None")))
    [command] = finding.remediation.commands
    assert command.text.endswith(
        f"--next-hop-type VirtualAppliance --next-hop-ip-address 10.9.0.4 --subscription {SUB}"
    )
    assert "-g net --route-table-name rt -n default --address-prefix 0.0.0.0/0" in command.text
    [finding] = audit(CHECK, udr(default(address="10.99.0.4")))
    [command] = finding.remediation.commands
    assert "update -g net --route-table-name rt -n 0.0.0.0-0 --next-hop-type" in command.text


def test_two_clusters_share_a_subnet_and_the_worst_counts() -> None:
    nodes = subnet("nodes", "10.0.0.0/22")
    one = cluster("one", nodes=nodes)
    two = cluster("two", nodes=nodes, network={"outboundType": "userDefinedRouting"}, node_group="mc2")
    [finding] = audit(CHECK, one, two, LANDSCAPE)
    assert (finding.outcome, set(finding.reasons)) == ("fail", {"no-table", "own-egress"})


def test_the_effect_is_where_the_default_route_leads() -> None:
    [one] = audit(CHECK, udr(default()))
    [other] = audit(CHECK, udr(default(address="10.9.0.5")))
    assert one.effect is not None
    assert other.effect is not None
    assert one.effect.items == ("0.0.0.0/0 -> virtualappliance 10.9.0.4",)
    assert one.effect != other.effect


def test_a_subnet_whose_network_was_not_read() -> None:
    """Subnets come as rows of their own too; then nothing is known of gateways and peers."""
    kind = "microsoft.network/virtualnetworks/subnets"
    network_id = arm("net", "Microsoft.Network/virtualNetworks", "net")
    carried = table("rt", default("VirtualNetworkGateway"))
    body = {"addressPrefix": "10.0.0.0/22", "routeTable": {"id": carried.id}}
    row = {"id": f"{network_id}/subnets/nodes", "type": kind, "name": "nodes", "properties": body}
    nodes = Thing(f"{network_id}/subnets/nodes", [row])
    named = cluster(pools=[{"name": "p", "vnetSubnetID": nodes.id}], network={"outboundType": "userDefinedRouting"})
    unread = gap(network_id, "microsoft.network/virtualnetworks")
    assert outcomes(audit(CHECK, named, nodes, carried, unread)) == [("unknown", "network-unread")]
