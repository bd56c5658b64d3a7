"""route-required-services: the next hop of each class of packets, and the routes that take it away."""

from typing import Any

import pytest

from auditor.findings import Finding
from tests.estate import (
    OTHER_SUB,
    SUB,
    Thing,
    arm,
    attached,
    audit,
    cluster,
    container_group,
    firewall,
    gap,
    nat,
    outcomes,
    peering,
    private_endpoint,
    private_zone,
    registry,
    route,
    service_tags,
    storage,
    subnet,
    table,
    vnet,
)

CHECK = "route-required-services"
HUB = arm("hub", "Microsoft.Network/virtualNetworks", "hub")
FIREWALLS = subnet("AzureFirewallSubnet", "10.9.0.0/26", vnet="hub", group="hub")
HUB_NETWORK = vnet("hub", FIREWALLS, group="hub", prefixes=["10.9.0.0/16"])
SPOKE = vnet(prefixes=["10.0.0.0/16"], peerings=[peering(HUB)])
FIREWALL = firewall(into=FIREWALLS, address="10.9.0.4", group="hub")
TAGS = service_tags(
    AzureContainerRegistry=["20.1.0.0/16", "20.2.0.0/16"],
    AzureContainerRegistry__EastUS2=["20.1.0.0/16"],
    MicrosoftContainerRegistry=["20.3.0.0/16"],
    AzureFrontDoor__FirstParty=["20.4.0.0/16"],
    Storage=["20.5.0.0/16"],
    Storage__EastUS2=["20.5.0.0/16"],
    AzureActiveDirectory=["20.6.0.0/16"],
    AzureResourceManager=["20.7.0.0/16"],
    AzureCloud__eastus2=["20.8.0.0/15"],
)
LANDSCAPE = (SPOKE, HUB_NETWORK, FIREWALL, TAGS)
GATEWAY = subnet("GatewaySubnet", "10.0.255.0/27", ipConfigurations=[{"id": "/gateway"}])
ROUTE_SERVER = subnet("RouteServerSubnet", "10.0.254.0/26", ipConfigurations=[{"id": "/route-server"}])
BY_FIREWALL = route("0.0.0.0/0", "VirtualAppliance", "10.9.0.4")
REGISTRY = "AzureContainerRegistry.EastUS2"
ENDPOINTS = subnet("pe", "10.0.200.0/24")
UDR = "userDefinedRouting"


def estate(
    *routes: Any,
    outbound: str = "loadBalancer",
    on: Any = ...,
    images: Thing | None = None,
    landscape: Any = LANDSCAPE,
    private: bool = True,
    **more: Any,
) -> list[Any]:
    """A cluster that infers, with a table of these routes on its nodes' subnet."""
    carried = (table("rt", *routes) if routes else None) if on is ... else on
    nodes = subnet("nodes", "10.0.0.0/22", table=carried, **more)
    ml = cluster(nodes=nodes, network={"outboundType": outbound}, private=private)
    return [*attached(ml, registry=images or registry(), storage=storage()), *landscape]


def found(things: list[Any], service: str = REGISTRY, **more: Any) -> Finding:
    """The finding about one class of packets."""
    [finding] = [f for f in audit(CHECK, things, **more) if f.part == service.casefold()]
    return finding


def to(prefix: str, hop: str, address: str | None = None) -> Any:
    return route(prefix, hop, address)


GONE = firewall(into=FIREWALLS, address="10.9.0.9", group="hub")
UNSEEN: dict[str, Any] = {
    "privateEndpointConnections": [
        {
            "properties": {
                "privateEndpoint": {"id": arm("x", "Microsoft.Network/privateEndpoints", "far", OTHER_SUB)},
                "privateLinkServiceConnectionState": {"status": "Approved"},
            }
        }
    ]
}
NO_TAGS = (SPOKE, HUB_NETWORK, FIREWALL)
UNREAD_TABLE = table("rt").unread()

CASES: dict[str, tuple[list[Any], str, str]] = {
    "by the load balancer": (estate(), "pass", "internet"),
    "by the load balancer, no tag data": (estate(landscape=NO_TAGS), "pass", "internet"),
    "by a NAT gateway": (estate(outbound="userAssignedNATGateway", nat=nat()), "pass", "internet"),
    "by a firewall": (estate(BY_FIREWALL, outbound=UDR), "pass", "appliance"),
    "by a firewall, no tag data": (estate(BY_FIREWALL, outbound=UDR, landscape=NO_TAGS), "pass", "appliance"),
    "straight to Internet past the firewall": (
        estate(BY_FIREWALL, to(REGISTRY, "Internet"), outbound="loadBalancer"), "pass", "internet"),
    "by a service endpoint": (
        estate(to("0.0.0.0/0", "None"), endpoints=["Microsoft.ContainerRegistry"]), "pass", "service-endpoint"),
    "by a gateway": ([*estate(to("0.0.0.0/0", "VirtualNetworkGateway")), GATEWAY], "pass", "gateway"),
    "user defined routing without a table": (estate(outbound=UDR), "fail", "no-source-address"),
    "Internet past the firewall, without an address": (
        estate(BY_FIREWALL, to(REGISTRY, "Internet"), outbound=UDR), "fail", "no-source-address"),
    "one prefix is dropped": (estate(to("20.1.128.0/24", "None")), "fail", "dropped"),
    "the tag is dropped": (estate(to(REGISTRY, "None")), "fail", "dropped"),
    "the global tag is dropped": (estate(to("AzureContainerRegistry", "None")), "fail", "dropped"),
    "the regional tag wins over the global one": (
        estate(to("AzureContainerRegistry", "None"), to(REGISTRY, "Internet")), "pass", "internet"),
    "an explicit prefix wins over the tag": (
        estate(to(REGISTRY, "None"), to("20.1.0.0/16", "Internet")), "pass", "internet"),
    "another prefix is dropped": (estate(to("20.2.0.0/16", "None")), "pass", "internet"),
    "dropped by default": (estate(to("0.0.0.0/0", "None")), "fail", "dropped"),
    "an appliance out of reach": (estate(to("0.0.0.0/0", "VirtualAppliance", "10.99.0.4")),
                                  "fail", "appliance-unreachable"),
    "a firewall that is gone": (estate(to("0.0.0.0/0", "VirtualAppliance", "10.9.0.5")), "fail", "appliance-gone"),
    "a gateway that is not there": (estate(to("0.0.0.0/0", "VirtualNetworkGateway")), "fail", "no-gateway"),
    "a gateway may announce more": ([*estate(), GATEWAY], "unknown", "bgp"),
    "a Route Server may announce more": ([*estate(), ROUTE_SERVER], "unknown", "bgp"),
    "a Route Server is no gateway": ([*estate(to("0.0.0.0/0", "VirtualNetworkGateway")), ROUTE_SERVER],
                                     "fail", "no-gateway"),
    "a gateway, but a user route decides": ([*estate(BY_FIREWALL), GATEWAY], "pass", "appliance"),
    "a prefix, and no tag data": (
        estate(to("20.1.128.0/24", "None"), landscape=NO_TAGS), "unknown", "route-undecided"),
    "a hop of tomorrow": (estate(to("0.0.0.0/0", "Teleport")), "unknown", "route-undecided"),
    "table unread": (estate(on=UNREAD_TABLE), "unknown", "route-undecided"),
    "NAT gateway unread": (
        estate(outbound="userAssignedNATGateway", nat=nat().unread()), "unknown", "egress-unread"),
    "the hub unread": (
        estate(BY_FIREWALL, landscape=(SPOKE, TAGS, gap(HUB))), "unknown", "peer-unread"),
    "let through, but a private endpoint is unseen": (
        estate(images=registry(**UNSEEN)), "unknown", "private-path-unread"),
    "dropped, unless a private endpoint is unseen": (
        estate(to(REGISTRY, "None"), images=registry(**UNSEEN)), "unknown", "private-path-unread"),
}  # fmt: skip


@pytest.mark.parametrize(("things", "outcome", "reason"), CASES.values(), ids=CASES)
def test_outcome_for_the_registry(things: list[Any], outcome: str, reason: str) -> None:
    finding = found(things)
    assert (str(finding.outcome), finding.reason) == (outcome, reason)


def through_endpoint(*routes: Any, policies: str = "Disabled", zone: bool = True) -> list[Any]:
    images = registry()
    into = subnet("pe", "10.0.200.0/24", privateEndpointNetworkPolicies=policies)
    names = private_zone("privatelink.azurecr.io", SPOKE) if zone else None
    entry = private_endpoint("pe", to=images, into=into, group_id="registry", address="10.0.200.4", zone=names)
    return [*estate(*routes, images=images), entry]


BY_ENDPOINT = "the private endpoint of images"

PRIVATE = {
    "inside the network": (through_endpoint(), "pass", "private"),
    "a default route never catches it": (through_endpoint(to("0.0.0.0/0", "None")), "pass", "private"),
    "a route without policies is none": (through_endpoint(to("10.0.200.4/32", "None")), "pass", "private"),
    "taken over and dropped": (
        through_endpoint(to("10.0.200.4/32", "None"), policies="Enabled"), "fail", "dropped"),
    "taken over by an appliance": (
        through_endpoint(to("10.0.200.0/24", "VirtualAppliance", "10.9.0.4"), policies="RouteTableEnabled"),
        "warn", "private-detour"),
    "too short a route does not take over": (
        through_endpoint(to("10.0.0.0/8", "None"), policies="Enabled"), "pass", "private"),
}  # fmt: skip


@pytest.mark.parametrize(("things", "outcome", "reason"), PRIVATE.values(), ids=PRIVATE)
def test_private_endpoints(things: list[Any], outcome: str, reason: str) -> None:
    finding = found(things, BY_ENDPOINT)
    assert (str(finding.outcome), finding.reason) == (outcome, reason)


def test_the_classes_of_a_cluster() -> None:
    parts = {finding.part for finding in audit(CHECK, estate(private=False))}
    assert parts == {
        "azurecontainerregistry.eastus2", "microsoftcontainerregistry", "azurefrontdoor.firstparty", "storage.eastus2",
        "azureactivedirectory", "azureresourcemanager", "the api server in azurecloud.eastus2",
    }  # fmt: skip


def test_the_api_server_is_one_address_among_many() -> None:
    part = "the API server in AzureCloud.eastus2"
    partly = found(estate(to("20.8.0.0/24", "None"), private=False), part)
    wholly = found(estate(to("AzureCloud.eastus2", "None"), private=False), part)
    assert (partly.outcome, partly.reason) == ("unknown", "partly-lost")
    assert (wholly.outcome, wholly.reason) == ("fail", "dropped")


def test_container_groups_without_any_way_out() -> None:
    groups = [container_group(into=subnet("aci", "10.0.8.0/24", defaultOutboundAccess=False)), *LANDSCAPE]
    assert {(f.outcome, f.reason) for f in audit(CHECK, groups)} == {("fail", "no-source-address")}
    groups = [container_group(into=subnet("aci", "10.0.8.0/24")), *LANDSCAPE]
    assert {(f.outcome, f.reason) for f in audit(CHECK, groups)} == {("pass", "internet")}


def test_a_registry_out_of_sight() -> None:
    far = arm("x", "Microsoft.ContainerRegistry/registries", "far", OTHER_SUB)
    nodes = cluster(nodes=subnet("nodes", "10.0.0.0/22"))
    things = [*attached(nodes, registry=far), *LANDSCAPE]  # type: ignore[arg-type]
    assert found(things, "services-unread").reason == "service-unread"


def test_network_isolated_clusters_need_no_way() -> None:
    cached = {"artifactSource": "Cache"}
    isolated = cluster(nodes=subnet("nodes", "10.0.0.0/22"), bootstrapProfile=cached, network={"outboundType": "none"})
    assert outcomes(audit(CHECK, isolated, LANDSCAPE)) == [("not-applicable", "network-isolated")]
    judged = {finding.part for finding in audit(CHECK, attached(isolated, registry=registry()), LANDSCAPE)}
    assert judged == {REGISTRY.casefold(), "storage.eastus2"}, "the model's image comes from the workspace's registry"


def test_no_outbound_type_without_a_cache_needs_its_way() -> None:
    alone = cluster(nodes=subnet("nodes", "10.0.0.0/22"), network={"outboundType": "none"})
    assert {f.reason for f in audit(CHECK, alone, LANDSCAPE)} == {"no-source-address"}


def test_a_neighbour_that_is_not_isolated_needs_its_way() -> None:
    nodes = subnet("nodes", "10.0.0.0/22", table=table("rt", to("0.0.0.0/0", "None")))
    isolated = cluster("cached", nodes=nodes, bootstrapProfile={"artifactSource": "Cache"})
    assert found([isolated, cluster("open", nodes=nodes), *LANDSCAPE]).reason == "dropped"


def test_unread_networks_and_subnets() -> None:
    assert outcomes(audit(CHECK, cluster(nodes=subnet(readable=False)))) == [("unknown", "subnet-unread")]
    broken = vnet(prefixes=["nonsense"])
    things = [*attached(cluster(nodes=subnet("nodes", "10.0.0.0/22")), registry=registry()), broken, TAGS]
    assert found(things).reason == "network-unread"


def test_a_route_for_the_tag_is_proposed() -> None:
    finding = found(estate(to("0.0.0.0/0", "None")))
    [command] = finding.remediation.commands
    assert command.text.endswith(
        f"-n {REGISTRY} --address-prefix {REGISTRY} --next-hop-type Internet --subscription {SUB}"
    )


def test_the_effect_tells_where_packets_go() -> None:
    effects = [found(things).effect for things in (estate(), estate(BY_FIREWALL), estate(to("20.1.128.0/24", "None")))]
    assert [effect.items[0] for effect in effects if effect] == [
        f"{REGISTRY} -> Internet", f"{REGISTRY} -> VirtualAppliance 10.9.0.4",
        effects[2].items[0] if effects[2] else "",
    ]  # fmt: skip
    assert effects[2] is not None
    assert "20.1.128.0/24 -> None" in effects[2].items


def test_ipv6_prefixes_of_a_tag_are_nothing_to_a_subnet_without_ipv6() -> None:
    both = service_tags(AzureContainerRegistry__EastUS2=["20.1.0.0/16", "2603:1030::/32"])
    landscape = (SPOKE, HUB_NETWORK, FIREWALL, both)
    assert found(estate(BY_FIREWALL, outbound=UDR, landscape=landscape)).reason == "appliance"
    nodes = subnet("nodes", ["10.0.0.0/22", "fd00::/64"], table=table("rt", BY_FIREWALL))
    ml = cluster(nodes=nodes, network={"outboundType": UDR})
    dual = [*attached(ml, registry=registry(), storage=storage()), *landscape]
    assert found(dual).reason == "no-source-address"


def test_a_storage_endpoint_across_regions_leads_to_all_of_storage() -> None:
    dropped = [to("0.0.0.0/0", "None")]
    nodes = subnet("nodes", "10.0.0.0/22", table=table("rt", *dropped), endpoints=["Microsoft.Storage.Global"])
    judged = {finding.part: finding.reason for finding in audit(CHECK, cluster(nodes=nodes), LANDSCAPE)}
    assert judged["storage.eastus2"] == "service-endpoint"
    assert judged[REGISTRY.casefold()] == "dropped"
