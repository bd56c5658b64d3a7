"""aks-node-subnet-not-delegated: nodes, pods and the API server want three different things of a subnet."""

from typing import Any

import pytest

from tests.estate import ACI, Thing, audit, cluster, container_group, outcomes, pool, subnet, vnet

CHECK = "aks-node-subnet-not-delegated"
AKS = "Microsoft.ContainerService/managedClusters"
NODES = subnet("nodes", "10.0.0.0/22")


def ml(**of_subnet: Any) -> Thing:
    return cluster(nodes=subnet("nodes", "10.0.0.0/22", **of_subnet))


def both(delegated_to: str) -> Thing:
    shared = subnet("nodes", "10.0.0.0/22", delegated_to=delegated_to)
    return cluster(nodes=shared, pods=shared)


def api_server(delegated_to: str | None) -> Thing:
    own = subnet("api", "10.0.8.0/28", delegated_to=delegated_to)
    access = {"enableVnetIntegration": True, "subnetId": own.id}
    return cluster(nodes=NODES, api_server=access, parts=[own])


def made_by_aks(name: str, delegated_to: str | None) -> Thing:
    """A subnet in the network that AKS made in the node resource group."""
    return subnet(name, f"10.{224 + len(name)}.0.0/24", vnet="aks-vnet", group="mc", delegated_to=delegated_to)


CASES = {
    "bare": ([ml()], [("pass", "not-delegated")]),
    "an empty list": ([ml(delegations=[])], [("pass", "not-delegated")]),
    "delegated to container groups": ([ml(delegated_to=ACI)], [("fail", "delegated")]),
    "delegated to AKS": ([ml(delegated_to=AKS)], [("fail", "delegated")]),
    "a delegation without a service": ([ml(delegations=[{"name": "d"}])], [("fail", "delegated")]),
    "a connector's subnet that nodes use too": (
        [ml(delegated_to=ACI), container_group(into=subnet("nodes", "10.0.0.0/22"))], [("fail", "delegated")]),
    "pods in a delegated subnet of their own": (
        [cluster(nodes=NODES, pods=subnet("pods", "10.0.4.0/22", delegated_to=AKS))],
        [("not-applicable", "pod-subnet"), ("pass", "not-delegated")]),
    "pods and nodes in one subnet": ([both(AKS.upper())], [("pass", "not-delegated")]),
    "pods and nodes in one subnet of another service": ([both(ACI)], [("fail", "delegated")]),
    "the API server's subnet": (
        [api_server(AKS)], [("not-applicable", "api-server-subnet"), ("pass", "not-delegated")]),
    "container groups alone": ([container_group(into=subnet("aci", delegated_to=ACI))], []),
    "subnet unread": ([ml(readable=False)], [("unknown", "subnet-unread")]),
    "the network does not show the subnet": (
        [cluster(pools=[pool(NODES)]), vnet("net")], [("unknown", "subnet-unread")]),
    "pools not in the data": ([cluster(nodes=NODES, agentPoolProfiles=None)], [("unknown", "cluster-unreadable")]),
    "managed": ([cluster()], []),
    "managed, with subnets for the API server, virtual nodes and a gateway": (
        [cluster(), made_by_aks("aks-subnet", None), made_by_aks("aks-apiserver", AKS),
         made_by_aks("aks-virtual-node", ACI), made_by_aks("ingress-appgateway-subnet", None)],
        [("not-applicable", "api-server-subnet"), ("pass", "not-delegated")]),
    "no pool at all": ([cluster(pools=[])], [("unknown", "cluster-unreadable")]),
}  # fmt: skip


@pytest.mark.parametrize(("things", "wanted"), CASES.values(), ids=CASES)
def test_outcome(things: list[Thing], wanted: list[tuple[str, str]]) -> None:
    assert outcomes(audit(CHECK, things)) == wanted


def test_evidence_and_mend() -> None:
    [finding] = audit(CHECK, ml(delegated_to=ACI))
    assert [(e.path, e.value) for e in finding.evidence] == [("properties.delegations[].properties.serviceName", [ACI])]
    [command] = finding.remediation.commands
    assert command.argv[-3:] == (NODES.id, "--remove", "delegations")
