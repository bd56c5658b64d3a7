"""aml-workspace-private-endpoint: endpoint, name and public access of a workspace, seen from its clusters."""

from typing import Any

import pytest

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
    outcomes,
    peering,
    private_endpoint,
    private_zone,
    subnet,
    vnet,
    workspace,
)

CHECK = "aml-workspace-private-endpoint"
NET = arm("net", "Microsoft.Network/virtualNetworks", "net")
HUB = arm("hub", "Microsoft.Network/virtualNetworks", "hub")
FAR = arm("far", "Microsoft.Network/virtualNetworks", "far")
ZONE = "privatelink.api.azureml.ms"
NODES = subnet()
PE = subnet("pe", "10.0.200.0/24")
PE_FAR = subnet("pe", "10.201.0.0/24", vnet="far", group="far")
OFF: dict[str, Any] = {"publicNetworkAccess": "Disabled"}
UNSEEN: dict[str, Any] = {
    "privateEndpointConnections": [
        {
            "properties": {
                "privateEndpoint": {"id": arm("net", "Microsoft.Network/privateEndpoints", "unseen")},
                "privateLinkServiceConnectionState": {"status": "Approved"},
            }
        }
    ]
}
HIDDEN = gap("/", "microsoft.network/privateendpoints")


def ml(ws: Thing, *things: Thing, nodes: SubnetThing | None = NODES, **settings: Any) -> list[Thing]:
    made = cluster(nodes=nodes)
    return [compute(made, of=ws), extension(made, settings=settings), *things]


def pe(ws: Thing, into: SubnetThing = PE, *, linked: bool = True, zone: str = ZONE, **more: Any) -> Thing:
    made = private_zone(zone, *([NET] if linked else []))
    return private_endpoint("pe", to=ws, into=into, group_id="amlworkspace", zone=made, **more)


def nameless() -> Thing:
    """An endpoint whose body tells its address, but no host name."""
    made = private_endpoint("pe", to=WS, into=PE, group_id="amlworkspace")
    body = made.rows[0]["properties"]
    body["customDnsConfigs"] = []
    body["ipConfigurations"] = [{"name": "c", "properties": {"privateIPAddress": "10.0.200.4"}}]
    return made


def hubs() -> list[Thing]:
    return [
        vnet("net", NODES, prefixes=["10.0.0.0/16"], peerings=[peering(HUB)]),
        vnet("hub", prefixes=["10.200.0.0/16"], peerings=[peering(NET), peering(FAR)], group="hub"),
        vnet("far", prefixes=["10.201.0.0/16"], group="far"),
    ]


WS = workspace(**OFF)
LISTED = workspace(**OFF, **UNSEEN)
OPEN = workspace()
OLD_OFF = workspace(publicNetworkAccess=None, allowPublicAccessWhenBehindVnet=False)
OLD_ON = workspace(publicNetworkAccess=None, allowPublicAccessWhenBehindVnet=True)
BOTH = workspace(publicNetworkAccess="Disabled", allowPublicAccessWhenBehindVnet=True)
UNSET = workspace(publicNetworkAccess=None)
PERIMETER = workspace(publicNetworkAccess="SecuredByPerimeter")
CUSTOM = vnet("net", prefixes=["10.0.0.0/16"], dns=["10.0.0.4"])
PROJECT = workspace("project", hubResourceId=WS.id)

CASES: dict[str, tuple[list[Thing], str, str]] = {
    "private": (ml(WS, pe(WS)), "pass", "private"),
    "public too": (ml(OPEN, pe(OPEN)), "warn", "public-too"),
    "older switch off": (ml(OLD_OFF, pe(OLD_OFF)), "pass", "private"),
    "older switch on": (ml(OLD_ON, pe(OLD_ON)), "warn", "public-too"),
    "newer switch wins": (ml(BOTH, pe(BOTH)), "pass", "private"),
    "neither switch": (ml(UNSET, pe(UNSET)), "unknown", "public-access-unset"),
    "perimeter": (ml(PERIMETER, pe(PERIMETER)), "unknown", "perimeter"),
    "no endpoint": (ml(OPEN), "warn", "no-endpoint"),
    "no endpoint, switches unset": (ml(UNSET), "warn", "no-endpoint"),
    "no endpoint, and closed": (ml(WS), "fail", "closed-without-endpoint"),
    "endpoint pending, and closed": (ml(WS, pe(WS, status="Pending")), "fail", "closed-without-endpoint"),
    "endpoints unread": (ml(OPEN, HIDDEN), "unknown", "endpoints-unread"),
    "endpoint that only the workspace shows": (ml(workspace(**OFF, **UNSEEN)), "unknown", "endpoint-unread"),
    "endpoint elsewhere": (ml(WS, pe(WS, PE_FAR)), "fail", "endpoint-in-other-network"),
    "endpoint two peerings away": (ml(WS, pe(WS, PE_FAR), *hubs()), "warn", "through-hub"),
    "endpoint two peerings away, a nearer one unread": (
        ml(LISTED, pe(LISTED, PE_FAR), *hubs()), "unknown", "endpoint-unread"),
    "zone not linked": (ml(WS, pe(WS, linked=False)), "fail", "dns"),
    "China's zone in the public cloud": (ml(WS, pe(WS, zone="privatelink.api.ml.azure.cn")), "fail", "dns"),
    "zone linked, no record": (
        ml(WS, private_endpoint("pe", to=WS, into=PE, group_id="amlworkspace"), private_zone(ZONE, NET)),
        "fail", "dns"),
    "zone linked, records unread": (
        ml(WS, private_endpoint("pe", to=WS, into=PE, group_id="amlworkspace"), private_zone(ZONE, NET),
           gap("/", "dnsresources", required=False)), "unknown", "dns-unread"),
    "zone linked, the name to ask for is not known": (
        ml(WS, nameless(), private_zone(ZONE, NET)), "unknown", "record-unseen"),
    "links unread": (
        ml(WS, pe(WS, linked=False), gap("/", "microsoft.network/privatednszones/virtualnetworklinks")),
        "unknown", "dns-unread"),
    "custom DNS": (ml(WS, pe(WS), CUSTOM), "unknown", "custom-dns"),
    "network unread": (ml(workspace(**OFF, **UNSEEN), nodes=subnet(readable=False)), "unknown", "network-unread"),
    "network unread, but closed to everybody": (
        ml(WS, nodes=subnet(readable=False)), "fail", "closed-without-endpoint"),
    "managed network": (ml(WS, nodes=None), "not-applicable", "managed-vnet"),
    "training only": (ml(WS, enableInference="False"), "not-applicable", "no-inference"),
    "no cluster": ([WS], "not-applicable", "no-cluster"),
    "no cluster, managed network": (
        [workspace(managedNetwork={"isolationMode": "AllowInternetOutbound"})],
        "not-applicable", "managed-network"),
    "computes unread": (
        [WS, gap(WS, "microsoft.machinelearningservices/workspaces/computes")], "unknown", "clusters-unread"),
    "cluster unread": ([compute(cluster().unread(), of=WS)], "unknown", "clusters-unread"),
    "a project whose hub was not read": (ml(PROJECT), "unknown", "hub-unread"),
}  # fmt: skip


@pytest.mark.parametrize(("things", "outcome", "reason"), CASES.values(), ids=CASES)
def test_outcome(things: list[Thing], outcome: str, reason: str) -> None:
    assert outcomes(audit(CHECK, things)) == [(outcome, reason)]


def test_a_managed_network_that_was_read_is_not_ones_own() -> None:
    managed = subnet("aks", vnet="aks", group="mc")
    assert outcomes(audit(CHECK, ml(WS, managed, nodes=None))) == [("not-applicable", "managed-vnet")]


def test_a_project_has_its_hubs_endpoint() -> None:
    found = {f.resource.name: f.reason for f in audit(CHECK, WS, ml(PROJECT, pe(WS)))}
    assert found == {"project": "private", "ws": "no-cluster"}


def test_china_has_a_zone_of_its_own() -> None:
    china = ml(WS, pe(WS, zone="privatelink.api.ml.azure.cn"))
    assert outcomes(audit(CHECK, china, cloud="china")) == [("pass", "private")]


def test_the_worst_network_stands() -> None:
    there = cluster("b", nodes=subnet("nodes", "10.201.1.0/24", vnet="far", group="far"))
    things = [*ml(WS, pe(WS)), compute(there, of=WS, name="b"), extension(there)]
    [finding] = audit(CHECK, things)
    assert (str(finding.outcome), set(finding.reasons)) == ("fail", {"endpoint-in-other-network", "private"})


def test_a_pass_shows_endpoint_zone_and_switch() -> None:
    [finding] = audit(CHECK, ml(WS, pe(WS)))
    assert [(e.path, e.value) for e in finding.evidence] == [
        ("properties.publicNetworkAccess", "Disabled"),
        ("properties.subnet.id", PE.id),
        ("name", ZONE),
    ]


def test_the_command_shuts_the_public_door() -> None:
    [finding] = audit(CHECK, ml(OPEN, pe(OPEN)))
    assert finding.remediation.commands[0].text == (
        f"az ml workspace update -n ws -g ml --public-network-access Disabled --subscription {SUB}"
    )
