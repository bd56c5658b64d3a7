"""Next hops and egress of a subnet: what its default route means to `VirtualNetwork`, and what an appliance's address
holds."""

from typing import Any

import pytest

from auditor.derive.egress import egress_addresses
from auditor.derive.footprint import inference_subnets
from auditor.derive.hops import Appliance, Egress, appliance_at, egress_of, firewall_near, gateway_serves, hops_of
from auditor.derive.traffic import surroundings
from auditor.inventory import Inventory
from auditor.inventory.records import Cluster, Subnet, VirtualNetwork
from auditor.network import AddressSet, Hop
from auditor.values import Unread
from tests.estate import (
    Thing,
    arm,
    cluster,
    container_group,
    firewall,
    gap,
    inventory,
    nat,
    peering,
    pool,
    private_endpoint,
    public_ip,
    registry,
    route,
    subnet,
    table,
    vnet,
)

HUB = arm("hub", "Microsoft.Network/virtualNetworks", "hub")
FIREWALLS = subnet("AzureFirewallSubnet", "10.9.0.0/26", vnet="hub", group="hub")
LANDSCAPE = [
    vnet(prefixes=["10.0.0.0/16"], peerings=[peering(HUB)]),
    vnet("hub", FIREWALLS, group="hub", prefixes=["10.9.0.0/16"]),
    firewall(into=FIREWALLS, address="10.9.0.4", group="hub"),
]


def nodes(*routes: Any, **more: Any) -> Any:
    return subnet("nodes", "10.0.0.0/22", table=table("rt", *routes) if routes else None, **more)


def seen(inventory_: Inventory, name: str = "nodes") -> Subnet:
    return next(s for s in inventory_.every(Subnet) if s.name == name)


AWAY = ("VirtualAppliance", "10.9.0.4")
DEFAULTS = {
    "whole": ([route("0.0.0.0/0", *AWAY)], True),
    "in halves": ([route("0.0.0.0/1", *AWAY), route("128.0.0.0/1", *AWAY)], True),
    "in quarters": ([route(f"{first}.0.0.0/2", *AWAY) for first in (0, 64, 128, 192)], True),
    # A user route's prefix belongs to `VirtualNetwork`, and half the world is too much to take that for granted.
    "one half only": ([route("0.0.0.0/1", *AWAY)], True),
    "halves that differ": ([route("0.0.0.0/1", "Internet"), route("128.0.0.0/1", *AWAY)], True),
    "the whole is overruled by its halves": (
        [route("0.0.0.0/0", *AWAY), route("0.0.0.0/1", "Internet"), route("128.0.0.0/1", "Internet")], False),
    "to a gateway": ([route("0.0.0.0/0", "VirtualNetworkGateway")], True),
    "to Internet": ([route("0.0.0.0/0", "Internet")], False),
    "no table": ([], False),
}  # fmt: skip


@pytest.mark.parametrize(("routes", "away"), DEFAULTS.values(), ids=DEFAULTS)
def test_a_default_route_that_leads_away_gives_virtual_network_two_readings(routes: list[Any], away: bool) -> None:
    estate = inventory(cluster(nodes=nodes(*routes)), LANDSCAPE)
    around = surroundings(estate, seen(estate))
    assert around.default_route is away
    assert "8.8.8.8" not in around.virtual_network


def test_other_routes_to_an_appliance_widen_virtual_network() -> None:
    estate = inventory(cluster(nodes=nodes(route("172.16.0.0/12", *AWAY), route("10.200.0.0/16", "None"))), LANDSCAPE)
    around = surroundings(estate, seen(estate))
    assert "172.16.5.5" in around.virtual_network
    assert "10.200.5.5" not in around.virtual_network


APPLIANCES = {
    "10.9.0.4": Appliance.FIREWALL,
    "10.9.0.5": Appliance.GONE,
    "10.9.7.4": Appliance.UNVERIFIED,
    "10.0.9.4": Appliance.UNVERIFIED,
    "10.99.0.4": Appliance.UNREACHABLE,
    "nonsense": Appliance.UNREACHABLE,
    None: Appliance.UNREACHABLE,
}


@pytest.mark.parametrize(("address", "found"), APPLIANCES.items(), ids=str)
def test_what_an_appliances_address_holds(address: str | None, found: Appliance) -> None:
    estate = inventory(cluster(nodes=nodes()), LANDSCAPE)
    assert appliance_at(estate, seen(estate), address) is found


def test_a_firewall_is_gone_only_where_all_firewalls_were_read() -> None:
    unread = gap(HUB, "microsoft.network/azurefirewalls")
    estate = inventory(cluster(nodes=nodes()), LANDSCAPE, unread)
    assert appliance_at(estate, seen(estate), "10.9.0.5") is Appliance.UNVERIFIED


def test_an_unread_peer_may_hold_an_appliance() -> None:
    estate = inventory(cluster(nodes=nodes()), LANDSCAPE[0], gap(HUB))
    assert isinstance(appliance_at(estate, seen(estate), "10.9.0.4"), Unread)
    assert appliance_at(estate, seen(estate), "10.0.9.4") is Appliance.UNVERIFIED


def test_the_one_firewall_near() -> None:
    estate = inventory(cluster(nodes=nodes()), LANDSCAPE)
    assert firewall_near(estate, seen(estate)) == "10.9.0.4"
    two = inventory(cluster(nodes=nodes()), LANDSCAPE, firewall("fw2", into=FIREWALLS, address="10.9.0.9", group="hub"))
    assert firewall_near(two, seen(two)) is None


@pytest.mark.parametrize(
    ("outbound", "with_nat", "found"),
    [
        ("loadBalancer", False, Egress.LOAD_BALANCER),
        ("loadBalancer", True, Egress.NAT_GATEWAY),
        ("managedNATGateway", False, Egress.MANAGED_NAT),
        ("userDefinedRouting", False, Egress.NOTHING),
        ("userAssignedNATGateway", False, Egress.NOTHING),
        ("none", False, Egress.NOTHING),
    ],
)
def test_egress_of_a_cluster(outbound: str, with_nat: bool, found: Egress) -> None:
    into = nodes(nat=nat() if with_nat else None)
    estate = inventory(cluster(nodes=into, network={"outboundType": outbound}), LANDSCAPE)
    [where] = inference_subnets(estate)
    assert egress_of(estate, where, seen(estate)) is found


def test_nodes_with_public_addresses_need_no_more() -> None:
    for with_address, found in (([True, True], Egress.NODE_ADDRESS), ([True, None], Egress.NOTHING)):
        pools = [pool(nodes(), name=f"p{n}", enableNodePublicIP=each) for n, each in enumerate(with_address)]
        owner = cluster(pools=pools, parts=[nodes()], network={"outboundType": "userDefinedRouting"})
        estate = inventory(owner, LANDSCAPE)
        [where] = inference_subnets(estate)
        assert egress_of(estate, where, seen(estate)) is found
        addresses = egress_addresses(estate, estate.every(Cluster)[0], AddressSet.parse("20.1.0.0/16"))
        assert addresses.missing is not None


def test_the_least_egress_of_all_users_counts() -> None:
    into = nodes()
    one = cluster("one", nodes=into)
    two = cluster("two", nodes=into, network={"outboundType": "userDefinedRouting"}, node_group="mc2")
    estate = inventory(one, two, LANDSCAPE)
    [where] = inference_subnets(estate)
    assert egress_of(estate, where, seen(estate)) is Egress.NOTHING


def test_container_groups_rest_on_default_outbound_access() -> None:
    for switched_off, found in ((None, Egress.IMPLICIT), (True, Egress.IMPLICIT), (False, Egress.NOTHING)):
        into = nodes() if switched_off is None else nodes(defaultOutboundAccess=switched_off)
        estate = inventory(container_group(into=into), LANDSCAPE)
        [where] = inference_subnets(estate)
        assert egress_of(estate, where, seen(estate)) is found


def test_only_addresses_of_the_subnets_families_have_a_hop() -> None:
    both = AddressSet.parse("20.1.0.0/16") | AddressSet.parse("2603:1030::/32")
    estate = inventory(cluster(nodes=nodes()), LANDSCAPE)
    legs = hops_of(estate, seen(estate), both)
    assert not isinstance(legs, Unread)
    assert [(str(leg.destinations), leg.hop) for leg in legs] == [("20.1.0.0/16", Hop.INTERNET)]


def test_a_gateway_is_ones_own_or_a_peers() -> None:
    def network_with(*things: Thing, **more: Any) -> tuple[Inventory, VirtualNetwork]:
        estate = inventory(vnet(prefixes=["10.0.0.0/16"], **more), *things)
        return estate, next(n for n in estate.every(VirtualNetwork) if n.name == "net")

    own = subnet("GatewaySubnet", "10.0.255.0/27", ipConfigurations=[{"id": "/gateway"}])
    assert gateway_serves(*network_with(own))
    assert gateway_serves(*network_with(peerings=[peering(HUB, useRemoteGateways=True)]))
    assert not gateway_serves(*network_with(peerings=[peering(HUB)]))
    assert not gateway_serves(*network_with(peerings=[peering(HUB, useRemoteGateways=True, state="Disconnected")]))


def test_egress_addresses_follow_the_route_to_the_destination() -> None:
    out, shield = public_ip("out", "20.60.0.1"), public_ip("shield", "20.60.0.9")
    fw = firewall(into=FIREWALLS, address="10.9.0.4", group="hub")
    fw.rows[0]["properties"]["ipConfigurations"][0]["properties"]["publicIPAddress"] = {"id": shield.id}
    profile = {"loadBalancerProfile": {"effectiveOutboundIPs": [{"id": out.id}]}}
    into = nodes(route("0.0.0.0/0", *AWAY), route("20.1.0.0/16", "Internet"))
    estate = inventory(cluster(nodes=into, network=profile), LANDSCAPE[:2], fw, out, shield)
    [one] = estate.every(Cluster)

    def to(prefix: str) -> list[str]:
        return [address.text for address in egress_addresses(estate, one, AddressSet.parse(prefix)).found]

    assert to("20.2.0.0/16") == ["20.60.0.9"]
    assert to("20.1.0.0/16") == ["20.60.0.1"]
    assert to("20.0.0.0/8") == ["20.60.0.1", "20.60.0.9"]


NAMED = {"localSubnetNames": ["nodes"], "remoteSubnetNames": ["endpoints"]}
ENDPOINTS = {
    "the whole peer": ({}, Hop.PRIVATE_ENDPOINT),
    "the endpoint's subnet": ({"peerCompleteVnets": False, **NAMED}, Hop.PRIVATE_ENDPOINT),
    "another subnet of the peer": (
        {"peerCompleteVnets": False, **NAMED, "remoteSubnetNames": ["AzureFirewallSubnet"]}, Hop.NONE),
    "the peer with another subnet": ({"peerCompleteVnets": False, **NAMED, "localSubnetNames": ["other"]}, Hop.NONE),
    "subnets that are not in the data": ({"peerCompleteVnets": False}, Hop.UNDECIDED),
    "it is not in the data whether": ({"state": ""}, Hop.UNDECIDED),
}  # fmt: skip


@pytest.mark.parametrize(("connects", "hop"), ENDPOINTS.values(), ids=ENDPOINTS)
def test_a_private_endpoint_in_a_peer_has_a_route_where_the_peering_connects_it(
    connects: dict[str, Any], hop: Hop
) -> None:
    into = subnet("endpoints", "10.9.1.0/24", vnet="hub", group="hub")
    endpoint = private_endpoint("pe", to=registry(), into=into, group_id="registry", address="10.9.1.4")
    own = vnet(prefixes=["10.0.0.0/16"], peerings=[peering(HUB, **connects)])
    estate = inventory(cluster(nodes=nodes()), own, *LANDSCAPE[1:], into, endpoint)
    legs = hops_of(estate, seen(estate), AddressSet.of("10.9.1.4"))
    assert not isinstance(legs, Unread)
    assert [leg.hop for leg in legs] == [hop]
