"""aci-workspace-private-endpoint: where the workspace's endpoints lie, and that both editions are kept in mind."""

from typing import Any

import pytest

from tests.estate import (
    OTHER_SUB,
    Thing,
    arm,
    audit,
    container_group,
    gap,
    outcomes,
    peering,
    private_endpoint,
    rg,
    subnet,
    vnet,
    workspace,
)

CHECK = "aci-workspace-private-endpoint"
HERE = subnet("aci", group="ml")
BESIDE = subnet("pe", "10.1.0.0/24", group="ml")
ELSEWHERE = subnet("pe", "10.9.0.0/24", vnet="hub", group="hub")
PROFILE = arm("ml", "Microsoft.Network/networkProfiles", "old")
WORKSPACES = gap(rg("ml"), "microsoft.machinelearningservices/workspaces")
FOREIGN = arm("x", "Microsoft.Network/privateEndpoints", "foreign", OTHER_SUB)


def connection(endpoint: Thing | str, status: str = "Approved", **more: Any) -> dict[str, Any]:
    endpoint_id = endpoint.id if isinstance(endpoint, Thing) else endpoint
    state = {"status": status}
    reference = {"id": endpoint_id, **more}
    return {"properties": {"privateEndpoint": reference, "privateLinkServiceConnectionState": state}}


def endpoint(into: Any, name: str = "pe", status: str = "Approved") -> Thing:
    return private_endpoint(name, to=workspace(), into=into, group_id="amlworkspace", status=status)


def of(*connections: dict[str, Any]) -> Thing:
    return workspace(privateEndpointConnections=list(connections))


GROUP = container_group(into=HERE)

CASES = {
    "none": ([GROUP, of()], "not-applicable", "no-private-endpoint"),
    "same network": ([GROUP, of(), endpoint(BESIDE)], "warn", "unsupported-today"),
    "other network": ([GROUP, of(), endpoint(ELSEWHERE)], "fail", "other-network"),
    "a peered network is another one": (
        [GROUP, vnet(group="ml", peerings=[peering(arm("hub", "Microsoft.Network/virtualNetworks", "hub"))]), of(),
         endpoint(ELSEWHERE)], "fail", "other-network"),
    "one here and one there": (
        [GROUP, of(), endpoint(BESIDE), endpoint(ELSEWHERE, "far")], "warn", "unsupported-today"),
    "pending": ([GROUP, of(), endpoint(ELSEWHERE, status="Pending")], "not-applicable", "no-private-endpoint"),
    "rejected by the workspace": (
        [GROUP, of(connection(endpoint(ELSEWHERE), "Rejected")), endpoint(ELSEWHERE)],
        "not-applicable", "no-private-endpoint"),
    "unseen, but its subnet is told": (
        [GROUP, of(connection(FOREIGN, subnetArmId=ELSEWHERE.id))], "fail", "other-network"),
    "unseen, told to be here": ([GROUP, of(connection(FOREIGN, subnetArmId=BESIDE.id))], "warn", "unsupported-today"),
    "unseen": ([GROUP, of(connection(FOREIGN))], "unknown", "endpoint-unread"),
    "unseen beside one elsewhere": (
        [GROUP, of(connection(FOREIGN)), endpoint(ELSEWHERE)], "unknown", "endpoint-unread"),
    "unseen beside one here": ([GROUP, of(connection(FOREIGN)), endpoint(BESIDE)], "warn", "unsupported-today"),
    "no connections in the data, endpoints unread": (
        [GROUP, workspace(), gap(rg("net"), "microsoft.network/privateendpoints")], "unknown", "endpoint-unread"),
    "no workspace": ([container_group(into=HERE, group="other")], "not-applicable", "no-workspace"),
    "workspaces unread": ([GROUP, WORKSPACES], "unknown", "workspace-unread"),
    "profile unreadable": ([container_group(networkProfile={"id": PROFILE})], "unknown", "network-profile-unread"),
    "public": ([container_group(), of(), endpoint(ELSEWHERE)], "not-applicable", "no-vnet"),
}  # fmt: skip


@pytest.mark.parametrize(("estate", "outcome", "reason"), CASES.values(), ids=CASES)
def test_outcome(estate: list[Thing], outcome: str, reason: str) -> None:
    assert outcomes(audit(CHECK, estate)) == [(outcome, reason)]


def test_the_evidence_is_the_endpoints_subnet() -> None:
    [finding] = audit(CHECK, GROUP, of(), endpoint(ELSEWHERE))
    assert [(e.path, e.value) for e in finding.evidence] == [("properties.subnet.id", ELSEWHERE.id)]
