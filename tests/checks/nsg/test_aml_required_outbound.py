"""nsg-aml-required-outbound: Azure ML by its tag, or by the workspace's private endpoint."""

from typing import Any

import pytest

from tests.estate import (
    Body,
    Thing,
    allow_out,
    attached,
    audit,
    cluster,
    compute,
    container_group,
    deny_out,
    extension,
    gap,
    nsg,
    outcomes,
    private_endpoint,
    private_zone,
    service_tags,
    subnet,
    vnet,
    workspace,
)

CHECK = "nsg-aml-required-outbound"
TAGS = service_tags(
    AzureMachineLearning=["20.7.0.0/24", "20.7.1.0/24"],
    AzureMachineLearning__EastUS2=["20.7.0.0/24"],
    AzureMachineLearning__WestEurope=["20.7.1.0/24"],
    AzureMonitor=["20.8.0.0/24"],
    AzureCloud=["20.0.0.0/8"],
)
DENY = deny_out(1000, to="Internet", name="deny-internet")
ML, MONITOR = allow_out(100, to="AzureMachineLearning"), allow_out(110, to="AzureMonitor")
PASS, DENIED = ("pass", "allowed"), ("fail", "denied")
ZONE = "privatelink.api.azureml.ms"


def estate(*rules: Body, tags: Thing | None = TAGS, **more: Any) -> list[Thing]:
    made = cluster(nodes=subnet(nsg=nsg("fence", *rules), **more))
    return [*attached(made), *([tags] if tags else [])]


def privately(*rules: Body, zone: bool = True, address: str = "10.0.200.4") -> list[Thing]:
    network = vnet("net")
    made = cluster(nodes=subnet(nsg=nsg("fence", *rules)))
    ws = workspace()
    linked = private_zone(ZONE, network) if zone else None
    into = subnet("endpoints", "10.0.200.0/24")
    door = private_endpoint("pe", to=ws, into=into, group_id="amlworkspace", address=address, zone=linked)
    return [network, compute(made, of=ws), extension(made), door, TAGS]


def hidden_endpoint(*rules: Body) -> list[Thing]:
    elsewhere = "/subscriptions/22222222-2222-2222-2222-222222222222/resourceGroups/x"
    endpoint = f"{elsewhere}/providers/Microsoft.Network/privateEndpoints/pe"
    state = {"privateLinkServiceConnectionState": {"status": "Approved"}, "privateEndpoint": {"id": endpoint}}
    made = cluster(nodes=subnet(nsg=nsg("fence", *rules)))
    return [*attached(made, privateEndpointConnections=[{"properties": state}]), TAGS]


def alone(*rules: Body) -> Thing:
    return cluster(nodes=subnet(nsg=nsg("fence", *rules)))


CASES: dict[str, tuple[list[Thing], list[tuple[str, str]]]] = {
    "no group": ([*attached(cluster(nodes=subnet())), TAGS], [("pass", "no-nsg")] * 2),
    "default rules": (estate(), [("pass", "default-rules")] * 2),
    "both tags": (estate(ML, MONITOR, DENY), [PASS] * 2),
    "AzureCloud": (estate(allow_out(100, to="AzureCloud"), DENY), [PASS] * 2),
    "denied": (estate(DENY), [DENIED, ("warn", "denied")]),
    "shadowed": (estate(deny_out(100, to="Internet"), allow_out(200, to="AzureMachineLearning"), MONITOR),
        [DENIED, ("warn", "denied")]),
    "monitor is advised only": (estate(ML, DENY), [PASS, ("warn", "denied")]),
    "the workspace's region only": (
        estate(allow_out(100, to="AzureMachineLearning.EastUS2"), MONITOR, DENY), [PASS, ("warn", "partial")]),
    "another region only": (
        estate(allow_out(100, to="AzureMachineLearning.WestEurope"), MONITOR, DENY), [("fail", "partial"), PASS]),
    "literal prefixes": (estate(allow_out(100, to="20.7.0.0/23"), MONITOR, DENY), [PASS, ("warn", "frozen")]),
    "private endpoint": (privately(MONITOR, DENY), [PASS, ("pass", "private-endpoint")]),
    "private endpoint behind a deny": (
        privately(MONITOR, deny_out(130, to="10.0.200.4")), [DENIED, PASS]),
    "endpoint without a zone": (privately(MONITOR, DENY, zone=False), [DENIED, PASS]),
    "endpoint without an address": (privately(MONITOR, address=""), [PASS, ("unknown", "workspace-unread")]),
    "endpoint unread, tag denied": (
        hidden_endpoint(MONITOR, DENY), [PASS, ("unknown", "private-endpoint-unread")]),
    "endpoint unread, tag allowed": (
        hidden_endpoint(ML, MONITOR, DENY), [PASS, ("unknown", "workspace-unread")]),
    "no workspace": ([alone(DENY), TAGS], [("not-applicable", "no-workspace")]),
    "workspaces unread": (
        [alone(DENY), TAGS, gap("/", "microsoft.machinelearningservices/workspaces")],
        [("unknown", "workspaces-unread")]),
    "no tag data": (estate(ML, MONITOR, DENY, tags=None), [PASS] * 2),
    "group unread": (
        [*attached(cluster(nodes=subnet(nsg=nsg("fence").unread()))), TAGS],
        [("unknown", "undecided-group-unread")] * 2),
    "subnet unread": (attached(cluster(nodes=subnet(readable=False))), [("unknown", "subnet-unread")]),
}  # fmt: skip


@pytest.mark.parametrize(("things", "wanted"), CASES.values(), ids=CASES)
def test_outcome(things: list[Thing], wanted: list[tuple[str, str]]) -> None:
    assert outcomes(audit(CHECK, things)) == wanted


def test_the_workspace_is_the_part_and_the_tag_in_the_command() -> None:
    found = {(finding.part or "").rsplit("/", 1)[-1]: finding for finding in audit(CHECK, estate(DENY))}
    assert set(found) == {"ws", "azure-monitor"}
    [command] = found["ws"].remediation.commands
    assert "--destination-address-prefixes AzureMachineLearning" in command.text


def test_container_groups_are_not_judged() -> None:
    assert audit(CHECK, container_group(into=subnet("aci", nsg=nsg("fence", DENY))), workspace(), TAGS) == []
