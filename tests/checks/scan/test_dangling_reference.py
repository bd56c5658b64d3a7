"""scan-dangling-reference: what is named exists, and what was not read is not called gone."""

from typing import Any

import pytest

from auditor.findings import Finding
from tests.estate import (
    OTHER_SUB,
    SUB,
    Thing,
    arm,
    audit,
    cluster,
    compute,
    container_group,
    gap,
    grant,
    nat,
    nsg,
    outcomes,
    private_zone,
    registry,
    rg,
    storage,
    subnet,
    table,
    vault,
    vnet,
    workspace,
)

CHECK = "scan-dangling-reference"
NETWORK = "Microsoft.Network"
GONE_CLUSTER = arm("aks", "Microsoft.ContainerService/managedClusters", "gone")
FAR_CLUSTER = arm("aks", "Microsoft.ContainerService/managedClusters", "far", OTHER_SUB)
ARC = arm("arc", "Microsoft.Kubernetes/connectedClusters", "plant")
PROFILE = arm("ml", f"{NETWORK}/networkProfiles", "old")
NODES = subnet("nodes", "10.0.0.0/22")
WS = workspace()


def of(found: list[Finding], name: str) -> list[tuple[str, str]]:
    """Outcomes of the findings about one resource."""
    return sorted((str(f.outcome), f.reason) for f in found if f.resource.name == name)


def missing(name: str, kind: str = f"{NETWORK}/networkSecurityGroups") -> str:
    return arm("net", kind, name)


def malformed_cluster() -> Thing:
    made = cluster("ml")
    made.rows[0]["properties"]["agentPoolProfiles"] = "no list"
    return made


def on(target: Thing | str, **settings: Any) -> Thing:
    return compute(target, of=WS, settings=settings or None)


LOAD_BALANCED = cluster("ml", nodes=NODES)
AUTO_SUBNET = {
    "aksNetworkingConfiguration": {"subnetId": f"{arm('net', f'{NETWORK}/virtualNetworks', 'net')}/subnets/x"}
}

CASES: dict[str, tuple[list[Any], str, list[tuple[str, str]]]] = {
    # computes
    "compute on a cluster": ([on(cluster())], "aks-compute", [("pass", "found")]),
    "odd casing": ([on(cluster().id.upper()), cluster()], "aks-compute", [("pass", "found")]),
    "compute on a stopped cluster": (
        [on(cluster(powerState={"code": "Stopped"}, provisioningState="Failed"))], "aks-compute", [("pass", "found")]),
    "compute on a cluster that is gone": ([on(GONE_CLUSTER)], "aks-compute", [("fail", "gone")]),
    "compute on a cluster out of scope": ([on(FAR_CLUSTER)], "aks-compute", [("unknown", "target-unread")]),
    "compute on a cluster in a gap": (
        [on(GONE_CLUSTER), gap(rg("aks"))], "aks-compute", [("unknown", "target-unread")]),
    "a malformed cluster is there": ([on(cluster().id), malformed_cluster()], "aks-compute", [("pass", "found")]),
    "compute on no id": ([on("the cluster")], "aks-compute", [("fail", "not-an-id")]),
    "compute on Arc": ([on(ARC)], "aks-compute", [("not-applicable", "arc-cluster")]),
    "compute on nothing": (
        [compute("", of=WS)], "aks-compute", [("unknown", "no-resource-id")]),
    "a compute of another kind": ([compute(GONE_CLUSTER, of=WS, kind="VirtualMachine")], "aks-compute", []),
    "the balancer's subnet is there": (
        [on(LOAD_BALANCED, loadBalancerSubnet="nodes")], "aks-compute", [("pass", "found"), ("pass", "found")]),
    "the balancer's subnet is gone": (
        [on(LOAD_BALANCED, loadBalancerSubnet="lb")], "aks-compute", [("fail", "gone"), ("pass", "found")]),
    "the compute's own subnet is gone": (
        [on(LOAD_BALANCED, **AUTO_SUBNET)], "aks-compute", [("fail", "gone"), ("pass", "found")]),
    # clusters
    "node subnet is there": ([cluster(nodes=NODES)], "ml", [("pass", "found")]),
    "node subnet is gone, its network is there": (
        [cluster(pools=[{"name": "p", "vnetSubnetID": NODES.id}]), vnet()], "ml", [("fail", "gone")]),
    "node subnet and network are gone": (
        [cluster(pools=[{"name": "p", "vnetSubnetID": NODES.id}])], "ml", [("fail", "gone")]),
    "network unread": ([cluster(nodes=subnet(readable=False))], "ml", [("unknown", "target-unread")]),
    "two pools in one subnet are one reference": (
        [cluster(pools=[{"name": n, "vnetSubnetID": NODES.id} for n in "ab"]), NODES], "ml", [("pass", "found")]),
    "zone is there": (
        [cluster(api_server={"privateDNSZone": private_zone("z").id}), private_zone("z")], "ml", [("pass", "found")]),
    "zone is gone": (
        [cluster(api_server={"privateDNSZone": private_zone("z").id})], "ml", [("fail", "gone")]),
    "zone of AKS itself": ([cluster(api_server={"privateDNSZone": "System"})], "ml", []),
    "API server subnet is gone": (
        [cluster(api_server={"enableVnetIntegration": True, "subnetId": NODES.id})], "ml", [("fail", "gone")]),
    "bootstrap registry is gone": (
        [cluster(bootstrapProfile={"containerRegistryId": registry().id})], "ml", [("fail", "gone")]),
    "cluster cut short": ([cluster(agentPoolProfiles=None)], "ml", [("unknown", "cluster-unreadable")]),
    # workspaces
    "all dependencies are there": (
        [workspace(registry=registry(), storage=storage(), vault=vault())], "ws", [("pass", "found")] * 3),
    "registry is gone": ([workspace(registry=registry().id, storage=storage())], "ws",
                         [("fail", "gone"), ("pass", "found")]),
    "hub is gone": ([workspace(hubResourceId=workspace("hub").id)], "ws", [("fail", "gone")]),
    "workspace without references": ([workspace()], "ws", []),
    # container groups
    "container group's subnet is there": ([container_group(into=NODES)], "score", [("pass", "found")]),
    "container group's subnet is gone": ([container_group(into=NODES.id), vnet()], "score", [("fail", "gone")]),
    "container group's profile is gone": (
        [container_group(networkProfile={"id": PROFILE})], "score", [("fail", "gone")]),
    "container group without a network": ([container_group()], "score", []),
    # subnets
    "everything on the subnet is there": (
        [cluster(nodes=subnet("nodes", "10.0.0.0/22", nsg=nsg("n"), table=table("t"), nat=nat()))],
        "nodes", [("pass", "found")] * 3),
    "group on the subnet is gone": (
        [cluster(nodes=subnet("nodes", "10.0.0.0/22", nsg=missing("n")))], "nodes", [("fail", "gone")]),
    "table on the subnet is gone": (
        [cluster(nodes=subnet("nodes", "10.0.0.0/22", table=missing("t", f"{NETWORK}/routeTables")))],
        "nodes", [("fail", "gone")]),
    "table on the subnet in a gap": (
        [cluster(nodes=subnet("nodes", "10.0.0.0/22", table=missing("t", f"{NETWORK}/routeTables"))),
         gap(missing("t", f"{NETWORK}/routeTables"))], "nodes", [("unknown", "target-unread")]),
    "nothing on the subnet": ([cluster(nodes=NODES)], "nodes", []),
}  # fmt: skip


@pytest.mark.parametrize(("estate", "name", "wanted"), CASES.values(), ids=CASES)
def test_outcome(estate: list[Any], name: str, wanted: list[tuple[str, str]]) -> None:
    assert of(audit(CHECK, estate), name) == wanted


def test_a_role_assignment_on_a_subnet_that_is_gone() -> None:
    here, gone = grant(on=NODES.id), grant(on=f"{vnet().id}/subnets/gone")
    elsewhere = grant(on=f"{arm('x', f'{NETWORK}/virtualNetworks', 'unseen')}/subnets/x")
    above = grant(on=vnet().id)
    found = audit(CHECK, NODES, here, gone, elsewhere, above)
    assert outcomes(found) == [("fail", "scope-gone")]
    assert found[0].resource.id == gone.id
    assert found[0].remediation.commands[0].text == f"az role assignment delete --ids {gone.id}"


def test_each_target_is_a_finding_with_the_path_that_names_it() -> None:
    found = audit(CHECK, workspace(registry=registry().id, storage=storage()))
    assert {f.part for f in found} == {registry().id.casefold(), storage().id.casefold()}
    [gone] = [f for f in found if f.outcome == "fail"]
    assert (gone.evidence[0].path, gone.evidence[0].value) == ("properties.containerRegistry", registry().id)


def test_a_subscription_out_of_scope_is_named() -> None:
    [finding] = audit(CHECK, on(FAR_CLUSTER))
    assert f"--subscription {OTHER_SUB}" in finding.remediation.summary
    found = audit(CHECK, on(FAR_CLUSTER), scopes=(f"/subscriptions/{SUB}", f"/subscriptions/{OTHER_SUB}"))
    assert outcomes(found) == [("fail", "gone")]


def test_a_gone_cluster_is_detached() -> None:
    [finding] = audit(CHECK, on(GONE_CLUSTER))
    assert (
        finding.remediation.commands[0].text
        == f"az ml compute detach -n aks-compute -w ws -g ml -y --subscription {SUB}"
    )
