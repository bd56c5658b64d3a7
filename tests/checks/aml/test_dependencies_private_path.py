"""aml-dependencies-private-path: endpoints, names, service endpoints and firewalls of what a workspace depends on."""

from typing import Any

import pytest

from auditor.findings import Finding
from tests.estate import (
    SUB,
    SubnetThing,
    Thing,
    arm,
    audit,
    cluster,
    compute,
    extension,
    gap,
    nat,
    outcomes,
    peering,
    pool,
    private_endpoint,
    private_zone,
    public_ip,
    registry,
    route,
    storage,
    subnet,
    table,
    vault,
    vnet,
    workspace,
)

CHECK = "aml-dependencies-private-path"
NET = arm("net", "Microsoft.Network/virtualNetworks", "net")
HUB = arm("hub", "Microsoft.Network/virtualNetworks", "hub")
FAR = arm("far", "Microsoft.Network/virtualNetworks", "far")
BLOB = "privatelink.blob.core.windows.net"
OFF: dict[str, Any] = {"publicNetworkAccess": "Disabled"}
DENY: dict[str, Any] = {"networkAcls": {"defaultAction": "Deny"}}
NODES = subnet()
PE = subnet("pe", "10.0.200.0/24")
PE_HUB = subnet("pe", "10.200.0.0/24", vnet="hub", group="hub")
PE_FAR = subnet("pe", "10.201.0.0/24", vnet="far", group="far")
SERVED = subnet(endpoints=["Microsoft.Storage"])


def ml(account: Thing | None, *things: Thing, nodes: SubnetThing = NODES, **more: Any) -> list[Thing]:
    """A workspace whose only dependency is a storage account, and a cluster in the network `net`."""
    made = cluster(nodes=nodes, **more)
    ws = workspace(storage=account, vault=vault(), registry=registry())
    return [compute(made, of=ws), extension(made), *things]


def acls(*, subnets: tuple[SubnetThing, ...] = (), addresses: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    return {
        "networkAcls": {
            "defaultAction": "Deny",
            "virtualNetworkRules": [{"id": one.id, "action": "Allow"} for one in subnets],
            "ipRules": [{"value": one, "action": "Allow"} for one in addresses],
            **more,
        }
    }


def pe(to: Thing, into: SubnetThing = PE, *, linked: str | None = NET, zoned: bool = True, **more: Any) -> Thing:
    """A blob endpoint whose zone is linked with a network; `zoned=False`: no zone at all."""
    zone = private_zone(BLOB, *([linked] if linked else [])) if zoned else None
    return private_endpoint("pe", to=to, into=into, group_id=more.pop("group_id", "blob"), zone=zone, **more)


def hubs(*, via: str = "Connected", beyond: bool = False, **single: Any) -> list[Thing]:
    """`net` peered with `hub`, and `hub` with `far`."""
    return [
        vnet("net", NODES, prefixes=["10.0.0.0/16"], peerings=[peering(HUB, state=via, **single)]),
        vnet("hub", prefixes=["10.200.0.0/16"], peerings=[peering(NET), peering(FAR)], group="hub"),
        vnet("far", prefixes=["10.201.0.0/16"], peerings=[peering(HUB)] if beyond else [], group="far"),
    ]


def without_group(endpoint: Thing) -> Thing:
    """The endpoint, whose data do not say what of the target it leads to."""
    [connection] = endpoint.rows[0]["properties"]["privateLinkServiceConnections"]
    del connection["properties"]["groupIds"]
    return endpoint


CLOSED = storage(**OFF)
PODS = subnet("pods", "10.0.8.0/22")
PODS_SERVED = subnet("pods", "10.0.8.0/22", endpoints=["Microsoft.Storage.Global"])
CUSTOM = vnet("net", prefixes=["10.0.0.0/16"], dns=["10.0.0.4"])
NATTED = subnet(nat=nat())
ADDRESS = public_ip("out", "20.60.0.9")
OUTBOUND: dict[str, Any] = {"loadBalancerProfile": {"effectiveOutboundIPs": [{"id": ADDRESS.id}]}}
ROUTED = subnet(table=table("t", route("0.0.0.0/0", "VirtualAppliance", "10.0.250.4")))
HIDDEN = gap("/", "microsoft.network/privateendpoints")
LISTS: dict[str, Any] = {
    "privateEndpointConnections": [
        {
            "properties": {
                "privateEndpoint": {"id": arm("hub", "Microsoft.Network/privateEndpoints", "unseen")},
                "privateLinkServiceConnectionState": {"status": "Approved"},
            }
        }
    ]
}
LISTED = storage(**OFF, **LISTS)

CASES: dict[str, tuple[list[Thing], str, str]] = {
    "private endpoint in the network": (ml(CLOSED, pe(CLOSED)), "pass", "private-endpoint"),
    "group in odd casing": (ml(CLOSED, pe(CLOSED, group_id="Blob")), "pass", "private-endpoint"),
    "zone without group, but with the record": (
        ml(CLOSED, pe(CLOSED, zoned=False), private_zone(BLOB, NET, records={"models": "10.0.200.4"})),
        "pass", "private-endpoint"),
    "endpoint of another group": (ml(CLOSED, pe(CLOSED, group_id="file")), "fail", "no-path"),
    "group of the endpoint not in the data": (
        ml(CLOSED, without_group(pe(CLOSED))), "unknown", "endpoint-unread"),
    "two endpoints within reach, the name resolves to the second": (
        ml(CLOSED,
           private_endpoint("a", to=CLOSED, into=PE_HUB, group_id="blob", address="10.200.0.4", group="hub"),
           pe(CLOSED), *hubs()), "pass", "private-endpoint"),
    "two endpoints within reach, the name resolves to neither": (
        ml(CLOSED,
           private_endpoint("a", to=CLOSED, into=PE_HUB, group_id="blob", address="10.200.0.4", group="hub"),
           pe(CLOSED, linked=None), *hubs()), "fail", "dns"),
    "the platform's own address as DNS server": (
        ml(CLOSED, pe(CLOSED), vnet("net", prefixes=["10.0.0.0/16"], dns=["168.63.129.16"])),
        "pass", "private-endpoint"),
    "endpoint not approved": (ml(CLOSED, pe(CLOSED, status="Pending")), "fail", "endpoint-not-approved"),
    "endpoint in a peer": (ml(CLOSED, pe(CLOSED, PE_HUB), *hubs()), "pass", "private-endpoint"),
    "endpoint in a peer, of which single subnets are peered": (
        ml(CLOSED, pe(CLOSED, PE_HUB), *hubs(peerCompleteVnets=False)), "unknown", "endpoint-unread"),
    "endpoint in the very subnet that is peered with all": (
        ml(CLOSED, pe(CLOSED, PE_HUB), *hubs(
            peerCompleteVnets=False, localSubnetNames=["nodes", "pe", "pods", "aci"], remoteSubnetNames=["pe"])),
        "pass", "private-endpoint"),
    "endpoint in a peer whose state is not in the data": (
        ml(CLOSED, pe(CLOSED, PE_HUB), *hubs(via="")), "unknown", "endpoint-unread"),
    "endpoint in a peer that is not connected": (
        ml(CLOSED, pe(CLOSED, PE_HUB), *hubs(via="Disconnected")), "fail", "endpoint-in-other-network"),
    "endpoint two peerings away": (ml(CLOSED, pe(CLOSED, PE_FAR), *hubs()), "warn", "through-hub"),
    "endpoint two peerings away, a nearer one unread": (
        ml(LISTED, pe(LISTED, PE_FAR), *hubs()), "unknown", "endpoint-unread"),
    "endpoint in an unconnected network": (ml(CLOSED, pe(CLOSED, PE_FAR)), "fail", "endpoint-in-other-network"),
    "zone not linked": (ml(CLOSED, pe(CLOSED, linked=None)), "fail", "dns"),
    "no zone": (ml(CLOSED, pe(CLOSED, zoned=False)), "fail", "dns"),
    "another cloud's zone": (
        ml(CLOSED, pe(CLOSED, zoned=False),
           private_zone("privatelink.blob.core.chinacloudapi.cn", NET, records={"models": "10.0.200.4"})),
        "fail", "dns"),
    "zone linked, no record": (
        ml(CLOSED, pe(CLOSED, zoned=False), private_zone(BLOB, NET)), "fail", "dns"),
    "zone linked, no record, and the link falls back to public DNS": (
        ml(CLOSED, pe(CLOSED, zoned=False), private_zone(BLOB, NET, fallback="NxDomainRedirect")), "fail", "dns"),
    "zone linked, records unread": (
        ml(CLOSED, pe(CLOSED, zoned=False), private_zone(BLOB, NET), gap("/", "dnsresources", required=False)),
        "unknown", "dns-unread"),
    "zone linked, the endpoint's address unread": (
        ml(CLOSED, pe(CLOSED, zoned=False, address=""), private_zone(BLOB, NET)), "unknown", "dns-unread"),
    "zone links unread": (
        ml(CLOSED, pe(CLOSED, linked=None), gap("/", "microsoft.network/privatednszones/virtualnetworklinks")),
        "unknown", "dns-unread"),
    "custom DNS": (ml(CLOSED, pe(CLOSED), CUSTOM), "unknown", "custom-dns"),
    "endpoints unread": (ml(CLOSED, HIDDEN), "unknown", "endpoint-unread"),
    "an endpoint that only the target shows": (ml(storage(**OFF, **LISTS)), "unknown", "endpoint-unread"),
    "private, without trusted services": (
        ml(storage(**OFF, networkAcls={"defaultAction": "Deny", "bypass": "None"}),
           pe(storage())), "warn", "no-bypass"),
    "private, trusted services among others": (
        ml(storage(**OFF, networkAcls={"defaultAction": "Deny", "bypass": "Logging, AzureServices"}),
           pe(storage())), "pass", "private-endpoint"),
    "open, and without trusted services": (
        ml(storage(networkAcls={"defaultAction": "Allow", "bypass": "None"}), pe(storage())),
        "pass", "private-endpoint"),
    "service endpoint and rule": (
        ml(storage(**acls(subnets=(SERVED,))), nodes=SERVED), "pass", "service-endpoint"),
    "service endpoint, rule in odd casing": (
        ml(storage(networkAcls={"defaultAction": "deny", "virtualNetworkRules": [
            {"id": SERVED.id.upper().replace("/SUBSCRIPTIONS", "/subscriptions"), "action": "allow"}]}),
           nodes=SERVED), "pass", "service-endpoint"),
    # The subnet was deleted and made again: the rule still names it and lets nobody in until it is added anew.
    "service endpoint, rule of a subnet deleted since": (
        ml(storage(networkAcls={"defaultAction": "Deny", "virtualNetworkRules": [
            {"id": SERVED.id, "action": "Allow", "state": "NetworkSourceDeleted"}]}), nodes=SERVED),
        "fail", "no-path"),
    "service endpoint, rule in force": (
        ml(storage(networkAcls={"defaultAction": "Deny", "virtualNetworkRules": [
            {"id": SERVED.id, "action": "Allow", "state": "Succeeded"}]}), nodes=SERVED),
        "pass", "service-endpoint"),
    "service endpoint, without trusted services": (
        ml(storage(**acls(subnets=(SERVED,), bypass="None")), nodes=SERVED), "warn", "no-bypass"),
    "service endpoint without rule": (ml(storage(**DENY), nodes=SERVED), "fail", "no-path"),
    "rule without service endpoint": (ml(storage(**acls(subnets=(NODES,)))), "fail", "no-path"),
    "service endpoint of another service": (
        ml(storage(**acls(subnets=(NODES,))), nodes=subnet(endpoints=["Microsoft.KeyVault"])), "fail", "no-path"),
    "service endpoint, but not on the pod subnet": (
        ml(storage(**acls(subnets=(SERVED, PODS))), nodes=SERVED, pools=[pool(SERVED, pods=PODS)], parts=[PODS]),
        "fail", "no-path"),
    "service endpoint on nodes and pods": (
        ml(storage(**acls(subnets=(SERVED, PODS_SERVED))), nodes=SERVED,
           pools=[pool(SERVED, pods=PODS_SERVED)], parts=[PODS_SERVED]), "pass", "service-endpoint"),
    "service endpoints do not help where public access is off": (
        ml(storage(**OFF, **acls(subnets=(SERVED,))), nodes=SERVED), "fail", "no-path"),
    "service endpoint, nodes in more subnets perhaps": (
        ml(storage(**acls(subnets=(SERVED,))), nodes=SERVED, nodeProvisioningProfile={"mode": "Auto"}),
        "unknown", "subnet-unread"),
    "endpoint without zone beside a service endpoint": (
        ml(storage(**acls(subnets=(SERVED,))), pe(storage(), linked=None), nodes=SERVED),
        "pass", "service-endpoint"),
    "endpoint without record hides the service endpoint": (
        ml(storage(**acls(subnets=(SERVED,))), pe(storage(), zoned=False), private_zone(BLOB, NET), nodes=SERVED),
        "fail", "dns"),
    "the service endpoint serves where a name without record falls back to public DNS": (
        ml(storage(**acls(subnets=(SERVED,))), pe(storage(), zoned=False),
           private_zone(BLOB, NET, fallback="NxDomainRedirect"), nodes=SERVED), "pass", "service-endpoint"),
    "public": (ml(storage()), "warn", "public"),
    "public, properties unset": (ml(storage(publicNetworkAccess=None)), "warn", "public"),
    "public, endpoints unread": (ml(storage(**LISTS), HIDDEN), "unknown", "endpoint-unread"),
    "a default action unheard of": (
        ml(storage(networkAcls={"defaultAction": "Ask"})), "unknown", "default-action-unheard-of"),
    "perimeter": (ml(storage(publicNetworkAccess="SecuredByPerimeter")), "unknown", "perimeter"),
    "restricted": (ml(storage(**DENY)), "fail", "no-path"),
    "off": (ml(CLOSED), "fail", "no-path"),
    "egress address let in": (
        ml(storage(**acls(addresses=("20.50.0.1",))), nodes=NATTED,
           network={"outboundType": "userAssignedNATGateway"}), "warn", "ip-rule"),
    "egress of the load balancer let in": (
        ml(storage(**acls(addresses=("20.60.0.0/28",))), ADDRESS, network=OUTBOUND), "warn", "ip-rule"),
    "another address let in": (
        ml(storage(**acls(addresses=("20.50.0.2",))), nodes=NATTED,
           network={"outboundType": "userAssignedNATGateway"}), "fail", "no-path"),
    "egress not known": (
        ml(storage(**acls(addresses=("20.50.0.2",))), nodes=ROUTED, network={"outboundType": "userDefinedRouting"}),
        "unknown", "egress-unread"),
    "IP rule that is no address": (ml(storage(**acls(addresses=("x",)))), "unknown", "ip-rule-unread"),
    "IP rules do not help where public access is off": (
        ml(storage(**OFF, **acls(addresses=("20.50.0.1",))), nodes=NATTED), "fail", "no-path"),
    "account unread": (ml(storage().unread()), "unknown", "dependency-unread"),
    "network unread": (ml(CLOSED, nodes=subnet(readable=False)), "unknown", "network-unread"),
    "account not in the workspace's data": (ml(None), "unknown", "dependency-unset"),
}  # fmt: skip


def storage_of(found: list[Finding]) -> list[tuple[str, str]]:
    return outcomes(finding for finding in found if (finding.part or "").startswith("storage"))


@pytest.mark.parametrize(("things", "outcome", "reason"), CASES.values(), ids=CASES)
def test_of_storage(things: list[Thing], outcome: str, reason: str) -> None:
    found = audit(CHECK, things)
    assert storage_of(found) == [(outcome, reason)]
    assert {finding.resource.name for finding in found} == {"ws"}


BARE = cluster()
TRAINING = cluster(nodes=NODES)
PROJECT = workspace("project", hubResourceId=arm("ml", "Microsoft.MachineLearningServices/workspaces", "hub"))

WITHOUT: dict[str, tuple[list[Thing], str, str]] = {
    "no cluster": ([workspace()], "not-applicable", "no-cluster"),
    "no cluster, managed network": (
        [workspace(managedNetwork={"isolationMode": "AllowOnlyApprovedOutbound"})],
        "not-applicable", "managed-network"),
    "managed network of AKS that was not read": (
        [compute(BARE, of=workspace()), extension(BARE)], "not-applicable", "managed-vnet"),
    "training only": (
        [compute(TRAINING, of=workspace()), extension(TRAINING, settings={"enableInference": "False"})],
        "not-applicable", "no-inference"),
    "computes unread": (
        [workspace(), gap(workspace(), "microsoft.machinelearningservices/workspaces/computes")],
        "unknown", "clusters-unread"),
    "cluster unread": ([compute(cluster().unread(), of=workspace())], "unknown", "clusters-unread"),
    "cluster gone": (
        [compute(arm("aks", "Microsoft.ContainerService/managedClusters", "gone"), of=workspace())],
        "not-applicable", "no-cluster"),
    "cluster cut short": (
        [compute(cluster(agentPoolProfiles=None), of=workspace()), extension(BARE)], "unknown", "clusters-unread"),
    "hub unread": (
        [compute(TRAINING, of=PROJECT), extension(TRAINING)], "unknown", "hub-unread"),
}  # fmt: skip


@pytest.mark.parametrize(("things", "outcome", "reason"), WITHOUT.values(), ids=WITHOUT)
def test_without_a_network(things: list[Thing], outcome: str, reason: str) -> None:
    assert outcomes(audit(CHECK, things)) == [(outcome, reason)]


def test_a_workspace_without_a_registry_yet() -> None:
    made = cluster(nodes=NODES)
    ws = workspace(storage=storage(), vault=vault())
    found = audit(CHECK, compute(made, of=ws), extension(made))
    assert [f.reason for f in found if f.part == "registry"] == ["no-registry"]


def test_a_project_has_its_hubs_dependencies() -> None:
    made = cluster(nodes=NODES)
    hub = workspace("hub", storage=storage(), vault=vault(), registry=registry())
    found = audit(CHECK, hub, compute(made, of=PROJECT), extension(made))
    assert outcomes(f for f in found if f.resource.name == "project") == [("warn", "public")] * 3


def test_a_vault_and_a_registry_have_rules_of_their_own() -> None:
    nodes = subnet(endpoints=["Microsoft.KeyVault", "Microsoft.ContainerRegistry"])
    made = cluster(nodes=nodes)
    rules = {"defaultAction": "Deny", "virtualNetworkRules": [{"id": nodes.id, "action": "Allow"}]}
    ws = workspace(
        storage=storage(),
        vault=vault(networkAcls=rules),
        registry=registry(networkRuleSet=rules, networkRuleBypassOptions="None"),
    )
    found = audit(CHECK, compute(made, of=ws), extension(made))
    by_part = {(f.part or "").split(":")[0]: f for f in found}
    assert by_part["vault"].reason == "service-endpoint"
    assert by_part["registry"].reason == "no-bypass"
    assert (
        by_part["registry"].remediation.commands[0].text
        == f"az acr update -n images -g ml --allow-trusted-services true --subscription {SUB}"
    )


def test_a_pass_shows_endpoint_and_zone() -> None:
    [finding] = [f for f in audit(CHECK, ml(CLOSED, pe(CLOSED))) if (f.part or "").startswith("storage")]
    assert [(e.path, e.value) for e in finding.evidence] == [("properties.subnet.id", PE.id), ("name", BLOB)]


def test_each_network_is_a_part_of_its_own() -> None:
    here, there = cluster("a", nodes=NODES), cluster("b", nodes=subnet("nodes", "10.9.0.0/24", vnet="far", group="far"))
    ws = workspace(storage=CLOSED, vault=vault(), registry=registry())
    things = [compute(here, of=ws, name="a"), extension(here), compute(there, of=ws, name="b"), extension(there)]
    found = {f.part: f for f in audit(CHECK, things, pe(CLOSED))}
    assert found[f"storage:{NET}".casefold()].reason == "private-endpoint"
    assert found[f"storage:{FAR}".casefold()].reason == "endpoint-in-other-network"


def test_the_command_links_the_zone_that_is_there() -> None:
    [finding] = [f for f in audit(CHECK, ml(CLOSED, pe(CLOSED, linked=None))) if (f.part or "").startswith("storage")]
    assert finding.remediation.commands[0].text == (
        f"az network private-dns link vnet create -g dns -n link-net -z {BLOB} -v {NET} -e false --subscription {SUB}"
    )
