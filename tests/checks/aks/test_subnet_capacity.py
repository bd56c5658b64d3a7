"""aks-subnet-capacity: three numbers against what is usable, per subnet and for the pod range."""

from collections.abc import Sequence
from typing import Any

import pytest

from tests.estate import (
    SUB,
    SubnetThing,
    Thing,
    arm,
    audit,
    balancer,
    cluster,
    frontend,
    gap,
    outcomes,
    pool,
    private_endpoint,
    subnet,
)

CHECK = "aks-subnet-capacity"
OVERLAY = {"podCidr": "192.168.0.0/16", "podCidrs": None}
FLAT = {"networkPlugin": "azure", "networkPluginMode": None, "podCidr": None, "podCidrs": None}
KUBENET = {**OVERLAY, "networkPlugin": "kubenet", "networkPluginMode": None}
CLUSTERS = "Microsoft.ContainerService/managedClusters"


def sized(prefix: str | Sequence[str] | None = "10.0.0.0/24", **more: Any) -> SubnetThing:
    return subnet("nodes", prefix, **more)


def flat(
    prefix: str = "10.0.0.0/24", *, count: int | None = 3, nodes: SubnetThing | None = None, network: Any = None,
    name: str = "ml", **more: Any,
) -> Thing:  # fmt: skip
    """Flat CNI, 31 addresses a node; every number of the pool is the row's own."""
    nodes = nodes or sized(prefix)
    body = {"maxPods": 30, "upgradeSettings": {"maxSurge": "1"}, **more.pop("pool", {})}
    made = pool(nodes, **{"count": count, **body})
    made = {key: value for key, value in made.items() if value is not None}
    return cluster(name, pools=[made], parts=[nodes], network={**FLAT, **(network or {})}, **more)


def scaling(most: int | None, **more: Any) -> Thing:
    return flat(pool={"enableAutoScaling": True, "minCount": 1, "maxCount": most}, **more)


def used_by(*names: str) -> list[dict[str, str]]:
    """Addresses in a subnet's own list: node addresses of the resource group that a name starts with, or others'."""
    sets = "Microsoft.Compute/virtualMachineScaleSets"
    return [
        {"id": f"{arm(group, sets, rest)}/ipConfigurations/c"} for group, _, rest in (n.partition(":") for n in names)
    ]


def on_pods(prefix: str, **more: Any) -> Thing:
    pods = subnet("pods", prefix)
    return cluster(pools=[pool(sized(), pods=pods, **{"upgradeSettings": {"maxSurge": 1}, **more})],
                   parts=[sized(), pods], network=FLAT)  # fmt: skip


FULL = [f"other:vm{n}" for n in range(223)]

CASES = {
    # flat CNI in a /24, 251 usable: (n + surge) * 31
    "flat": ([flat()], "pass", "fits"),
    "just fits": ([flat("10.0.0.0/25", count=2, pool={"maxPods": 40})], "pass", "fits"),
    "an upgrade by one node over": ([flat(count=8)], "fail", "no-room-to-upgrade"),
    "an upgrade that takes a node away first": (
        [flat(count=7, pool={"upgradeSettings": {"maxSurge": "0", "maxUnavailable": "1"}})], "pass", "fits"),
    "the same with a surge of two": ([flat(count=7, pool={"upgradeSettings": {"maxSurge": 2}})],
                                     "fail", "no-room-to-upgrade"),
    "a percentage counts up": ([flat(count=7, pool={"upgradeSettings": {"maxSurge": "15%"}})],
                               "fail", "no-room-to-upgrade"),
    "surge unset is a tenth, or one node": ([flat(count=7, pool={"upgradeSettings": None})], "pass", "fits"),
    "too many nodes": ([flat(count=9)], "fail", "too-small"),
    "pods count, not nodes": ([flat(pool={"maxPods": 110})], "fail", "too-small"),
    "too many at the peak": ([scaling(12)], "warn", "no-room-to-scale"),
    "a maximum without autoscaling": ([flat(pool={"enableAutoScaling": False, "maxCount": 12})], "pass", "fits"),
    "a stopped pool": ([flat(count=9, pool={"powerState": {"code": "Stopped"}})], "warn", "no-room-to-scale"),
    "a stopped cluster": ([flat(count=9, powerState={"code": "Stopped"})], "warn", "no-room-to-scale"),
    "an empty pool": ([flat(count=0)], "pass", "fits"),
    "second prefix": ([flat(nodes=sized(["10.0.0.0/25", "10.0.0.128/25"]))], "pass", "fits"),
    "IPv6 does not count": ([flat(count=9, nodes=sized(["10.0.0.0/24", "fd00::/64"]))], "fail", "too-small"),
    "what others use counts": (
        [flat(count=1, nodes=sized(ipConfigurations=used_by(*FULL)))], "fail", "too-small"),
    "other pool of the cluster": (
        [cluster(pools=[pool(sized(), name="a", count=4), pool(sized(), name="b", count=5)], parts=[sized()],
                 network=FLAT)], "fail", "too-small"),
    "nearly full by the subnet's own list": (
        [flat(count=1, nodes=sized(ipConfigurations=used_by(*(f"mc:aks-p{n}" for n in range(226)))))],
        "warn", "nearly-full"),
    # unread
    "counts not in the data": ([flat(count=None)], "unknown", "counts-unread"),
    "maxPods not in the data": ([flat(pool={"maxPods": None})], "unknown", "counts-unread"),
    "maximum not in the data": ([scaling(None)], "unknown", "counts-unread"),
    "surge that is none": ([flat(pool={"upgradeSettings": {"maxSurge": "some"}})], "unknown", "counts-unread"),
    "plugin not in the data": ([flat(network={"networkPlugin": None})], "unknown", "counts-unread"),
    "too many at the peak, a count unread": ([scaling(12, count=None)], "unknown", "counts-unread"),
    "too many nodes, a maximum unread": ([scaling(None, count=9)], "fail", "too-small"),
    "prefix not in the data": ([flat(nodes=sized(None))], "unknown", "counts-unread"),
    "prefix that is none": ([flat(nodes=sized("111"))], "unknown", "counts-unread"),
    "auto-provisioned nodes": (
        [flat(nodeProvisioningProfile={"mode": "Auto"})], "unknown", "node-auto-provisioning"),
    "too many nodes, others auto-provisioned": (
        [flat(count=9, nodeProvisioningProfile={"mode": "Auto"})], "fail", "too-small"),
    "load balancers unread": (
        [flat(), gap(arm("mc", "Microsoft.Network/loadBalancers", "kubernetes"))], "unknown", "counts-unread"),
    "load balancers unread, but the subnet's own list is not": (
        [flat(nodes=sized(ipConfigurations=used_by("mc:aks-pool"))),
         gap(arm("mc", "Microsoft.Network/loadBalancers", "kubernetes"))], "pass", "fits"),
    "other clusters unread": ([flat(), gap(arm("aks", CLUSTERS, "b"))], "unknown", "counts-unread"),
    "other clusters unread, and the subnet's own list shows nodes of one": (
        [flat(nodes=sized(ipConfigurations=used_by("mc2:aks-pool"))), gap(arm("aks", CLUSTERS, "b"))],
        "unknown", "counts-unread"),
    "other clusters unread, and the subnet's own list shows none": (
        [flat(nodes=sized(ipConfigurations=used_by("mc:aks-pool"))), gap(arm("aks", CLUSTERS, "b"))], "pass", "fits"),
    "subnet unread": ([flat(nodes=sized(readable=False))], "unknown", "subnet-unread"),
    "pools not in the data": ([flat(agentPoolProfiles=None)], "unknown", "cluster-unreadable"),
    "managed": ([cluster()], "not-applicable", "managed-vnet"),
    "nodes that AKS hosts": (
        [cluster(pools=[], parts=[sized()], hostedSystemProfile={"nodeSubnetID": sized().id}, network=FLAT)],
        "unknown", "counts-unread"),
}  # fmt: skip


@pytest.mark.parametrize(("things", "outcome", "reason"), CASES.values(), ids=CASES)
def test_flat(things: list[Thing], outcome: str, reason: str) -> None:
    assert outcomes(audit(CHECK, things)) == [(outcome, reason)]


def two(prefix: str, **second: Any) -> list[Thing]:
    shared = sized(prefix)
    return [flat(nodes=shared), flat(nodes=shared, name="b", node_group="mc2", **second)]


PARTS = {
    "overlay": ([cluster(nodes=sized("10.0.0.0/28"), network=OVERLAY)],
                {"nodes": "fits", "podcidrs": "fits"}),
    "overlay, pod range too small": (
        [cluster(nodes=sized(), network={**OVERLAY, "podCidr": "192.168.0.0/23"})],
        {"nodes": "fits", "podcidrs": "too-small"}),
    "overlay, no room to upgrade": (
        [cluster(pools=[pool(sized(), count=4)], parts=[sized()], network={**OVERLAY, "podCidr": "192.168.0.0/22"})],
        {"nodes": "fits", "podcidrs": "no-room-to-upgrade"}),
    "overlay, pod range not in the data": (
        [cluster(nodes=sized(), network={"podCidr": None, "podCidrs": None})],
        {"nodes": "fits", "podcidrs": "counts-unread"}),
    "overlay, pod range that is none": (
        [cluster(nodes=sized(), network={**OVERLAY, "podCidr": "x"})], {"nodes": "fits", "podcidrs": "counts-unread"}),
    "overlay of IPv6 alone": (
        [cluster(nodes=sized(), network={**OVERLAY, "podCidr": "fd00::/64"})],
        {"nodes": "fits", "podcidrs": "counts-unread"}),
    "kubenet": ([cluster(nodes=sized("10.0.0.0/28"), network=KUBENET)], {"nodes": "fits", "podcidrs": "fits"}),
    "own plugin takes one address a node": (
        [cluster(nodes=sized("10.0.0.0/28"), network={**FLAT, "networkPlugin": "none"})], {"nodes": "fits"}),
    # 3 + 1 nodes of 30 pods: 90 and 120, in blocks of 16 96 and 128
    "pods apart": ([on_pods("10.1.0.0/24")], {"nodes": "fits", "pods": "fits"}),
    "pods apart, too few for their pods": ([on_pods("10.1.0.0/26")], {"nodes": "fits", "pods": "too-small"}),
    "pods apart, just enough": ([on_pods("10.1.0.0/25")], {"nodes": "fits", "pods": "fits"}),
    "pods apart, static blocks": (
        [on_pods("10.1.0.0/25", podIPAllocationMode="StaticBlock")], {"nodes": "fits", "pods": "no-room-to-upgrade"}),
    "two clusters in one subnet": (two("10.0.0.0/23"), {"nodes": "fits"}),
    "two clusters do not fit together": (two("10.0.0.0/24", count=6), {"nodes": "too-small"}),
    "frontends in a subnet of their own": (
        [cluster(nodes=sized(), network=OVERLAY),
         balancer("internal", frontend(inside=subnet("lb", "10.9.0.0/29"), address="10.9.0.4"))],
        {"nodes": "fits", "lb": "fits", "podcidrs": "fits"}),
    "more frontends than room": (
        [cluster(nodes=sized(), network=OVERLAY),
         balancer("internal", *(frontend(f"f{n}", inside=subnet("lb", "10.9.0.0/29")) for n in range(4)))],
        {"nodes": "fits", "lb": "too-small", "podcidrs": "fits"}),
}  # fmt: skip


@pytest.mark.parametrize(("things", "wanted"), PARTS.values(), ids=PARTS)
def test_parts(things: list[Thing], wanted: dict[str, str]) -> None:
    found = audit(CHECK, things)
    assert {(f.part or "").rsplit("/", 1)[-1]: f.reason for f in found} == wanted


def test_the_three_numbers_are_told() -> None:
    [finding] = audit(CHECK, scaling(6))
    assert {k: finding.facts[k] for k in ("steady", "upgrade", "peak", "usable")} == {
        "steady": 93, "upgrade": 124, "peak": 217, "usable": 251,
    }  # fmt: skip


def test_private_endpoints_and_a_cluster_s_own_one_count_once() -> None:
    nodes = sized(
        privateEndpoints=[{"id": arm("mc", "Microsoft.Network/privateEndpoints", "kube-apiserver")}],
        ipConfigurations=[
            {"id": f"{arm('mc', 'Microsoft.Network/networkInterfaces', 'kube-apiserver.nic.1')}/ipConfigurations/p"}
        ],
    )
    endpoint = private_endpoint("kube-apiserver", to=arm("aks", CLUSTERS, "ml"), into=nodes, group_id="management")
    [finding] = audit(CHECK, flat(nodes=nodes), endpoint)
    assert finding.facts["steady"] == 94
    assert SUB in finding.resource.id
