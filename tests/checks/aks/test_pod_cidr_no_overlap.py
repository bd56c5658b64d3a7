"""aks-pod-cidr-no-overlap: stricter than the service range, and kubenet clusters that share a route table."""

from typing import Any

import pytest

from tests.estate import OTHER_SUB, Thing, arm, audit, cluster, gap, outcomes, peering, route, subnet, table, vnet

CHECK = "aks-pod-cidr-no-overlap"
HUB = arm("hub", "Microsoft.Network/virtualNetworks", "hub", OTHER_SUB)
RT = arm("net", "Microsoft.Network/routeTables", "rt")
NARROW = vnet("net", prefixes=["10.0.0.0/16"])


def ml(pods: str | list[str] | None = "192.168.0.0/16", name: str = "ml", **more: Any) -> Thing:
    ranges = [pods] if isinstance(pods, str) else pods
    network = {"podCidr": ranges[0] if ranges else None, "podCidrs": ranges, **more.pop("network", {})}
    return cluster(name, nodes=more.pop("nodes", subnet("nodes", "10.0.0.0/22")), network=network, **more)


def kubenet(name: str, pods: str, **more: Any) -> Thing:
    return ml(pods, name, network={"networkPlugin": "kubenet", "networkPluginMode": None}, **more)


def peered(pods: str, *, readable: bool, prefixes: list[str], state: str = "Connected") -> list[Thing]:
    hub = vnet("hub", subnet("edge", "10.60.0.0/24", vnet="hub"), prefixes=["10.60.0.0/16"])
    side = peering(hub if readable else HUB, prefixes=[] if readable else prefixes, state=state)
    return [ml(pods), vnet("net", prefixes=["10.0.0.0/16"], peerings=[side]), *([hub] if readable else [])]


def sharing(second: str, *, apart: bool = False, **more: Any) -> list[Thing]:
    shared = table("rt", route("192.168.0.0/24", "VirtualAppliance", "10.0.0.4"))
    own = table("rt2") if apart else shared
    here, there = subnet("a", "10.0.0.0/24", table=shared), subnet("b", "10.0.1.0/24", table=own)
    return [kubenet("a", "192.168.0.0/16", nodes=here), kubenet("b", second, nodes=there, **more)]


CASES = {
    "apart": ([ml()], "pass", "no-overlap"),
    "shared space": ([ml("100.64.0.0/16")], "pass", "no-overlap"),
    "own plugin with a range": ([ml(network={"networkPlugin": "none"})], "pass", "no-overlap"),
    "dual stack judged by family": ([ml(["192.168.0.0/16", "fd12::/64"])], "pass", "no-overlap"),
    "kubenet alone": ([kubenet("ml", "192.168.0.0/16", nodes=subnet("nodes", "10.0.0.0/22", table=table("rt")))],
                      "pass", "no-overlap"),
    "a peer that is not connected": (
        peered("10.60.0.0/20", readable=False, prefixes=["10.60.0.0/16"], state="Initiated"), "pass", "no-overlap"),
    "on the service range": ([ml("172.20.128.0/17")], "fail", "overlaps-service-range"),
    "on the service range, network unread": (
        [ml("172.16.0.0/12", nodes=subnet(readable=False))], "fail", "overlaps-service-range"),
    "on the node subnet": ([ml("10.0.2.0/24")], "fail", "overlaps-subnet"),
    "on an empty subnet": ([ml("10.7.0.0/16"), subnet("later", "10.7.0.128/25")], "fail", "overlaps-subnet"),
    "in the address space, on no subnet": ([ml("10.9.0.0/16")], "fail", "overlaps-address-space"),
    "on a peer's subnet": (peered("10.60.0.0/20", readable=True, prefixes=[]), "fail", "overlaps-peer"),
    "on a peer known by the peering": (
        peered("10.60.128.0/20", readable=False, prefixes=["10.60.0.0/16"]), "fail", "overlaps-peer"),
    "in a peer's space, on no subnet": (peered("10.60.128.0/20", readable=True, prefixes=[]),
                                        "warn", "inside-peer-space"),
    "not private": ([ml("198.18.0.0/16")], "warn", "public-space"),
    "partly private": ([ml("172.0.0.0/8", network={"serviceCidr": "10.200.0.0/16", "serviceCidrs": ["10.200.0.0/16"]}),
                        NARROW], "warn", "public-space"),
    "a peer without prefixes": (peered("192.168.0.0/16", readable=False, prefixes=[]), "unknown", "peer-unreadable"),
    "network unread": ([ml(nodes=subnet(readable=False))], "unknown", "network-unread"),
    "not private, network unread": ([ml("198.18.0.0/16", nodes=subnet(readable=False))], "unknown", "network-unread"),
    "auto-provisioned nodes": ([ml(nodeProvisioningProfile={"mode": "Auto"})], "unknown", "network-unread"),
    "route table of kubenet unread": (
        [kubenet("ml", "192.168.0.0/16", nodes=subnet("nodes", "10.0.0.0/22", table="/subscriptions/x/rt"))],
        "unknown", "network-unread"),
    "service range not in the data": (
        [ml(network={"serviceCidr": None, "serviceCidrs": None})], "unknown", "network-unread"),
    "service range that is none": ([ml(network={"serviceCidrs": ["x"]})], "unknown", "network-unread"),
    "network plugin not in the data": ([ml(network={"networkPlugin": None})], "unknown", "network-unread"),
    "no range": ([ml("pods")], "unknown", "unparsable"),
    "overlay without a range": ([ml(None)], "unknown", "pod-range-unset"),
    "cut short": ([ml(networkProfile=None, agentPoolProfiles=None)], "unknown", "pod-range-unset"),
    "pools not in the data": ([ml(agentPoolProfiles=None)], "unknown", "cluster-unreadable"),
    "flat": ([ml(None, network={"networkPluginMode": None})], "not-applicable", "flat-network"),
    "own plugin without a range": ([ml(None, network={"networkPlugin": "none"})], "not-applicable", "own-plugin"),
    "no network profile": ([ml(networkProfile=None)], "not-applicable", "no-network-profile"),
    "managed network unread": ([cluster()], "not-applicable", "managed-vnet"),
}  # fmt: skip


@pytest.mark.parametrize(("things", "outcome", "reason"), CASES.values(), ids=CASES)
def test_outcome(things: list[Thing], outcome: str, reason: str) -> None:
    assert outcomes(audit(CHECK, things)) == [(outcome, reason)]


TWINS = {
    "overlay clusters share a range": (
        [ml(name="a"), ml(name="b", nodes=subnet("b", "10.0.8.0/24"))], [("pass", "no-overlap")] * 2),
    "kubenet, one table, one range": (sharing("192.168.0.0/16"), [("fail", "overlaps-kubenet-twin")] * 2),
    "kubenet, one table, inside the other's": (sharing("192.168.64.0/24"), [("fail", "overlaps-kubenet-twin")] * 2),
    "kubenet, one table, ranges apart": (sharing("172.24.0.0/16"), [("pass", "no-overlap")] * 2),
    "kubenet, tables apart": (sharing("192.168.0.0/16", apart=True), [("pass", "no-overlap")] * 2),
    "kubenet, one table, the other's range is not in the data": (
        [*sharing("172.24.0.0/16")[:1], kubenet("b", "", nodes=subnet("b", "10.0.1.0/24", table=RT))],
        [("unknown", "network-unread"), ("unknown", "pod-range-unset")]),
    "one table, the other's plugin is not in the data": (
        [*sharing("172.24.0.0/16")[:1], ml("172.24.0.0/16", "b", nodes=subnet("b", "10.0.1.0/24", table=RT),
                                           network={"networkPlugin": None})],
        [("unknown", "network-unread")] * 2),
    "the other cluster's pools are not in the data": (
        sharing("172.24.0.0/16", agentPoolProfiles=None),
        [("unknown", "cluster-unreadable"), ("unknown", "network-unread")]),
    "another cluster may be unread": (
        [*sharing("172.24.0.0/16")[:1], gap(arm("aks", "Microsoft.ContainerService/managedClusters", "b"))],
        [("unknown", "network-unread")]),
}  # fmt: skip


@pytest.mark.parametrize(("things", "wanted"), TWINS.values(), ids=TWINS)
def test_two_clusters(things: list[Thing], wanted: list[tuple[str, str]]) -> None:
    assert outcomes(audit(CHECK, things)) == wanted


def test_a_free_range_is_proposed() -> None:
    [finding] = audit(CHECK, ml("10.9.0.0/16"))
    assert "172.16.0.0/16" in finding.remediation.summary
