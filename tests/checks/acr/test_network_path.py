"""acr-network-path: endpoint and DNS first, then the registry's firewall against the clusters' egress addresses."""

from typing import Any

import pytest

from auditor.inventory import Configured
from tests.estate import (
    OTHER_SUB,
    SUB,
    Body,
    Thing,
    arm,
    attached,
    audit,
    cluster,
    firewall,
    gap,
    nat,
    outcomes,
    peering,
    private_endpoint,
    private_zone,
    public_ip,
    registry,
    replication,
    rg,
    route,
    subnet,
    table,
    vnet,
    workspace,
)

CHECK = "acr-network-path"
ZONE = "privatelink.azurecr.io"
HUB = arm("hub", "Microsoft.Network/virtualNetworks", "hub")
FAR = arm("far", "Microsoft.Network/virtualNetworks", "far")
NETWORK = vnet(prefixes=["10.0.0.0/16"], peerings=[peering(HUB)])
HUB_NETWORK = vnet("hub", group="hub", prefixes=["10.9.0.0/16"], peerings=[peering(FAR)])
HERE = subnet("pe", "10.0.200.0/24", privateEndpoints=[{"id": "/pe"}])
IN_HUB = subnet("pe", "10.9.200.0/24", vnet="hub", group="hub")
FAR_AWAY = subnet("pe", "10.8.200.0/24", vnet="far", group="far")
UNRELATED = subnet("pe", "10.7.200.0/24", vnet="alone", group="alone")
RECORDS = {"images": "10.0.200.4", "images.eastus2.data": "10.0.200.4"}
OFF = {"publicNetworkAccess": "Disabled"}
OUT = public_ip("out", "20.60.0.1")
OUT_TWO = public_ip("out2", "20.60.0.2")


def by_balancer(*addresses: Thing) -> Body:
    return {"loadBalancerProfile": {"effectiveOutboundIPs": [{"id": one.id} for one in addresses]}}


def ml(nodes: Any = ..., network: Body | None = None, **more: Any) -> Thing:
    nodes = subnet("nodes", "10.0.0.0/22") if nodes is ... else nodes
    return cluster(nodes=nodes, network=by_balancer(OUT) if network is None else network, **more)


def estate(of: Thing, *more: Any, to: Thing | None = None, **settings: Any) -> list[Any]:
    """A registry that one cluster in the network `net` pulls from."""
    return [*attached(to or ml(), registry=of, **settings), NETWORK, HUB_NETWORK, OUT, OUT_TWO, *more]


def entry(into: Any = HERE, status: str = "Approved", zone: Thing | None = None) -> Thing:
    return private_endpoint(
        "pe", to=registry().id, into=into, group_id="registry", address="10.0.200.4", status=status, zone=zone
    )


def names(*linked: Any, **records: str) -> Thing:
    return private_zone(ZONE, *linked, records={**RECORDS, **records})


def lacking(*records: str, fallback: str | None = None) -> Thing:
    kept = {k: v for k, v in RECORDS.items() if k not in records}
    return private_zone(ZONE, NETWORK, records=kept, fallback=fallback)


def denying(*addresses: str, subnets: Any = (), **more: Any) -> Thing:
    rules: Body = {"defaultAction": "Deny", "ipRules": [{"action": "Allow", "value": one} for one in addresses]}
    rules["virtualNetworkRules"] = [{"id": one.id} for one in subnets]
    return registry(networkRuleSet=rules, **more)


CUSTOM_DNS = vnet(prefixes=["10.0.0.0/16"], dns=["10.0.2.4"])
ELSEWHERE = arm("x", "Microsoft.Network/privateEndpoints", "far", OTHER_SUB)
REJECTED: Body = {
    "properties": {
        "privateEndpoint": {"id": ELSEWHERE},
        "privateLinkServiceConnectionState": {"status": "Rejected"},
    }
}
UNSEEN: list[Body] = [
    {
        "properties": {
            "privateEndpoint": {"id": arm("x", "Microsoft.Network/privateEndpoints", "far", OTHER_SUB)},
            "privateLinkServiceConnectionState": {"status": "Approved"},
        }
    }
]
FIREWALLS = subnet("AzureFirewallSubnet", "10.9.0.0/26", vnet="hub", group="hub")


def with_firewall(address: str = "20.60.0.1", known: bool = True) -> list[Any]:
    """Nodes whose packets leave by a firewall in the hub."""
    nodes = subnet("nodes", "10.0.0.0/22", table=table("rt", route("0.0.0.0/0", "VirtualAppliance", "10.9.0.4")))
    fw = firewall(into=FIREWALLS, address="10.9.0.4", group="hub")
    fw.rows[0]["properties"]["ipConfigurations"][0]["properties"]["publicIPAddress"] = {"id": OUT.id}
    return [ml(nodes, {"outboundType": "userDefinedRouting"}), *([fw] if known else [])]


FIRST, *FIREWALL = with_firewall()
SERVED = subnet("nodes", "10.0.0.0/22", endpoints=["Microsoft.ContainerRegistry"])
BUILT_ELSEWHERE: Body = {"imageBuildCompute": "cpu"}
NO_TRUST = {"networkRuleBypassOptions": "None"}

CASES: dict[str, tuple[list[Any], str, str]] = {
    # by private endpoint
    "endpoint and both records": (estate(registry(**OFF), entry(), names(NETWORK)), "pass", "private-endpoint"),
    "endpoint in a peer": (estate(registry(**OFF), entry(IN_HUB), names(NETWORK)), "pass", "private-endpoint"),
    "odd casing of zone and record": (
        estate(registry(**OFF), entry(), private_zone(ZONE.upper(), NETWORK, records={k.upper(): v for k, v in
               RECORDS.items()})), "pass", "private-endpoint"),
    "endpoint two peerings away": (
        estate(registry(**OFF), entry(FAR_AWAY), names(NETWORK)), "warn", "through-hub"),
    "no data record": (estate(registry(**OFF), entry(), lacking("images.eastus2.data")), "fail", "data-record"),
    "no data record for a replica": (
        estate(registry(**OFF), replication(registry(), "westus"), entry(), names(NETWORK)), "fail", "data-record"),
    "a data record for the replica": (
        estate(registry(**OFF), replication(registry(), "westus"), entry(),
               names(NETWORK, **{"images.westus.data": "10.0.200.4"})), "pass", "private-endpoint"),
    "no data record, and the link falls back to public DNS": (
        estate(registry(), entry(), lacking("images.eastus2.data", fallback="NxDomainRedirect")),
        "warn", "public-name"),
    "no record, the link falls back, public access is off": (
        estate(registry(**OFF), entry(), lacking(*RECORDS, fallback="NXDomainRedirect")), "fail", "login-record"),
    "no record, the link falls back, public access is on": (
        estate(registry(), entry(), lacking(*RECORDS, fallback="nxdomainredirect")), "warn", "public-name"),
    "no record, the link's policy is the default": (
        estate(registry(), entry(), lacking(*RECORDS, fallback="Default")), "fail", "login-record"),
    "all records, and the link falls back": (
        estate(registry(**OFF), entry(), lacking(fallback="NxDomainRedirect")), "pass", "private-endpoint"),
    "no login record": (estate(registry(**OFF), entry(), lacking("images")), "fail", "login-record"),
    "no record at all": (estate(registry(**OFF), entry(), lacking(*RECORDS)), "fail", "login-record"),
    "no record at all, while public access is on": (
        estate(registry(), entry(), lacking(*RECORDS)), "fail", "login-record"),
    "a record of an old endpoint": (
        estate(registry(**OFF), entry(), names(NETWORK, images="10.0.200.9")), "fail", "stale-record"),
    "zone linked elsewhere, public access off": (
        estate(registry(**OFF), entry(), names(HUB)), "fail", "dns"),
    "zone linked elsewhere, public access on": (estate(registry(), entry(), names(HUB)), "warn", "public-name"),
    "zone linked elsewhere, public access for others": (
        estate(denying("20.99.0.1"), entry(), names(HUB)), "fail", "not-admitted"),
    "records unread": (
        estate(registry(**OFF), entry(zone=lacking(*RECORDS)), gap(rg("dns"), "microsoft.network/privatednszones/a")),
        "unknown", "records-unread"),
    "zones unread": (
        estate(registry(**OFF), entry(), gap(f"/subscriptions/{SUB}", "microsoft.network/privatednszones")),
        "unknown", "dns-unread"),
    "replicas unread": (
        estate(registry(**OFF), entry(), names(NETWORK),
               gap(registry().id, "microsoft.containerregistry/registries/replications")),
        "unknown", "regions-unread"),
    "pending endpoint": (estate(registry(**OFF), entry(status="Pending"), names(HUB)), "fail", "no-path"),
    "endpoint of an unrelated network": (estate(registry(**OFF), entry(UNRELATED)), "fail", "no-path"),
    "an unrelated endpoint that the zone names": (
        estate(registry(), entry(UNRELATED), names(NETWORK)), "fail", "resolves-elsewhere"),
    "endpoint of another network, public name": (estate(registry(), entry(UNRELATED), names(HUB)), "pass", "public"),
    "no endpoint, public access off": (estate(registry(**OFF)), "fail", "no-path"),
    "endpoint unseen, public access off": (
        estate(registry(privateEndpointConnections=UNSEEN, **OFF)), "unknown", "endpoints-unread"),
    "endpoint unseen, public access open": (
        estate(registry(privateEndpointConnections=UNSEEN)), "unknown", "endpoints-unread"),
    "endpoint unseen, the state of its connection not told": (
        estate(registry(privateEndpointConnections=[{"properties": {"privateEndpoint": {"id": ELSEWHERE}}}])),
        "unknown", "endpoints-unread"),
    "endpoint unseen, its connection rejected": (
        estate(registry(privateEndpointConnections=[REJECTED])), "pass", "public"),
    "endpoints unread, the registry does not name its own": (
        [*estate(registry()), gap("/", "microsoft.network/privateendpoints")], "unknown", "endpoints-unread"),
    "Basic with an endpoint": (estate(registry(sku="Basic"), entry(), names(NETWORK)), "fail", "sku-below-premium"),
    "Standard with public access off": (estate(registry(sku="Standard", **OFF)), "fail", "sku-below-premium"),
    # by the public address
    "open to everybody": (estate(registry()), "pass", "public"),
    "Basic and open": (estate(registry(sku="Basic")), "pass", "public"),
    "a default action is missing beside rules": (
        estate(registry(networkRuleSet={"ipRules": [{"action": "Allow", "value": "20.60.0.1"}]})),
        "unknown", "public-access-unread"),
    "a rule set without anything": (estate(registry(networkRuleSet={})), "pass", "public"),
    "public access by a word that is not known": (
        estate(registry(publicNetworkAccess="SecuredByPerimeter")), "unknown", "public-access-unread"),
    "a rule that is no address": (estate(denying("20.60.0.")), "unknown", "rules-unparsable"),
    "a rule that denies": (
        estate(registry(networkRuleSet={"defaultAction": "Deny", "ipRules": [
            {"action": "Deny", "value": OUT.rows[0]["properties"]["ipAddress"]}]})), "fail", "not-admitted"),
    "default Allow": (estate(registry(networkRuleSet={"defaultAction": "allow"})), "pass", "public"),
    "all admitted": (estate(denying("20.60.0.1")), "pass", "admitted"),
    "all admitted by a prefix": (estate(denying("20.60.0.0/24")), "pass", "admitted"),
    "some admitted": (
        estate(denying("20.60.0.1"), to=ml(network=by_balancer(OUT, OUT_TWO))), "warn", "partly-admitted"),
    "none admitted": (estate(denying("20.99.0.1")), "fail", "not-admitted"),
    "the registry is unreadable": (estate(registry().unread()), "unknown", "registry-unread"),
    "no way out at all": (
        estate(denying("20.60.0.1"), to=ml(network={"outboundType": "none"})), "fail", "not-admitted"),
    "by the firewall": (estate(denying("20.60.0.1"), *FIREWALL, to=FIRST), "pass", "admitted"),
    "by an appliance that was not read": (estate(denying("20.60.0.1"), to=FIRST), "unknown", "egress-unread"),
    "by a NAT gateway": (
        estate(denying("20.50.0.1"), to=ml(subnet("nodes", "10.0.0.0/22", nat=nat()))), "pass", "admitted"),
    "egress address unread": (
        estate(denying("20.60.0.1"), to=ml(network=by_balancer(public_ip("unread")))), "unknown", "egress-unread"),
    "egress addresses not in the data": (estate(denying("20.60.0.1"), to=ml(network={})), "unknown", "egress-unread"),
    "service endpoint and a rule for the subnet": (
        estate(denying(subnets=[SERVED]), to=ml(SERVED)), "pass", "admitted"),
    "service endpoint and no rule": (estate(denying("20.60.0.1"), to=ml(SERVED)), "fail", "not-admitted"),
    "managed network": (estate(denying("20.60.0.1"), to=ml(None)), "pass", "admitted"),
    "managed network unread": (
        estate(registry(), gap(rg("mc"), "microsoft.network/virtualnetworks"), to=ml(None)),
        "unknown", "network-unread"),
    "managed network, no node resource group": (
        estate(registry(), to=ml(None, nodeResourceGroup=None)), "unknown", "network-unread"),
    "managed network, public access off": (estate(registry(**OFF), to=ml(None)), "fail", "no-path"),
    "public access not in the data": (
        estate(registry(publicNetworkAccess=None)), "unknown", "public-access-unread"),
    "network unread": (
        [*attached(ml(subnet(readable=False)), registry=registry())], "unknown", "network-unread"),
    # trusted services
    "trusted services refused, builds by tasks": (
        estate(denying("20.60.0.1", **NO_TRUST)), "warn", "no-trusted-services"),
    "trusted services refused, builds on a compute": (
        estate(denying("20.60.0.1", **NO_TRUST), **BUILT_ELSEWHERE), "pass", "admitted"),
    "trusted services refused, but open": (estate(registry(**NO_TRUST)), "pass", "public"),
    # who pulls
    "nobody pulls": ([registry(), cluster()], "not-applicable", "no-cluster"),
    "who pulls is unread": (
        [registry(), cluster(), workspace(),
         gap(workspace().id, "microsoft.machinelearningservices/workspaces/computes")],
        "unknown", "users-unread"),
    "clusters unread": (
        [registry(), workspace(), gap("/", "microsoft.containerservice/managedclusters")], "unknown", "users-unread"),
    "cluster cut short": (
        [*attached(cluster(agentPoolProfiles=None), registry=registry())], "unknown", "cluster-unreadable"),
}  # fmt: skip


@pytest.mark.parametrize(("things", "outcome", "reason"), CASES.values(), ids=CASES)
def test_outcome(things: list[Any], outcome: str, reason: str) -> None:
    assert outcomes(audit(CHECK, things)) == [(outcome, reason)]


def test_what_custom_dns_servers_answer_cannot_be_seen() -> None:
    things = [CUSTOM_DNS, *attached(ml(), registry=registry(**OFF)), entry(), names(CUSTOM_DNS)]
    assert outcomes(audit(CHECK, things)) == [("unknown", "custom-dns")]


def test_each_network_is_a_finding() -> None:
    images = denying("20.60.0.1")
    other = subnet("nodes", "10.9.0.0/22", vnet="hub", group="hub")
    two = cluster("two", nodes=other, network=by_balancer(OUT_TWO), node_group="mc2")
    things = [*estate(images), *attached(two, registry=images, name="ws2")]
    found = {finding.part: str(finding.outcome) for finding in audit(CHECK, things)}
    assert found == {NETWORK.id.casefold(): "pass", HUB.casefold(): "fail"}


def test_clusters_of_one_network_are_judged_together() -> None:
    images = denying("20.60.0.1")
    two = cluster("two", nodes=subnet("more", "10.0.8.0/22"), network=by_balancer(OUT_TWO), node_group="mc2")
    [finding] = audit(CHECK, estate(images), attached(two, registry=images, name="ws2"))
    assert (finding.outcome, finding.reason) == ("warn", "partly-admitted")
    [command] = finding.remediation.commands
    assert command.text == f"az acr network-rule add -n images -g ml --ip-address 20.60.0.2 --subscription {SUB}"


@pytest.mark.parametrize(
    ("addresses", "outcome", "reason"),
    {
        "it would not be let in": (("20.60.0.1",), "unknown", "users-unread"),
        "it would be let in too": (("20.60.0.1", "20.60.0.2"), "pass", "admitted"),
        "who pulls for certain is not let in": (("20.60.0.9",), "fail", "not-admitted"),
    }.values(),
)
def test_a_cluster_of_the_network_that_may_pull_as_well(addresses: tuple[str, ...], outcome: str, reason: str) -> None:
    """Its workspace's computes could not be read: what is known of the others must not stand for it."""
    two = cluster("two", nodes=subnet("more", "10.0.8.0/22"), network=by_balancer(OUT_TWO), node_group="mc2")
    unread = [workspace("ws2"), gap(workspace("ws2").id, "microsoft.machinelearningservices/workspaces/computes")]
    [finding] = audit(CHECK, estate(denying(*addresses)), two, unread)
    assert (str(finding.outcome), finding.reason) == (outcome, reason)


def test_a_configured_registry_is_judged_for_every_cluster() -> None:
    found = audit(CHECK, registry(**OFF), ml(), NETWORK, OUT, configured=Configured(registries=(registry().id,)))
    assert outcomes(found) == [("fail", "no-path")]


def test_in_china_the_zone_is_chinas() -> None:
    zone = private_zone("privatelink.azurecr.cn", NETWORK, records=RECORDS)
    found = audit(CHECK, estate(registry(**OFF), entry(), zone), cloud="china")
    assert outcomes(found) == [("pass", "private-endpoint")]
    found = audit(CHECK, estate(registry(**OFF), entry(), names(NETWORK)), cloud="china")
    assert outcomes(found) == [("fail", "dns")]
    assert "privatelink.azurecr.cn" in found[0].message


def test_an_endpoint_without_its_zone_is_no_cure() -> None:
    [finding] = audit(CHECK, estate(registry(**OFF), HERE))
    assert (finding.reason, finding.remediation.commands) == ("no-path", ())


def test_the_missing_record_is_proposed_with_the_endpoints_address() -> None:
    endpoint = entry()
    endpoint.rows[0]["properties"]["customDnsConfigs"] = [
        {"fqdn": "images.azurecr.io", "ipAddresses": ["10.0.200.4"]},
        {"fqdn": "images.eastus2.data.azurecr.io", "ipAddresses": ["10.0.200.5"]},
    ]
    [finding] = audit(CHECK, estate(registry(**OFF), endpoint, lacking("images.eastus2.data")))
    [command] = finding.remediation.commands
    assert command.text.endswith(f"-g dns -z {ZONE} -n images.eastus2.data -a 10.0.200.5 --subscription {SUB}")
