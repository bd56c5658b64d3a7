"""aks-docker-bridge-cidr: an interface address with host bits, and whether any node still runs Docker."""

from typing import Any

import pytest

from tests.estate import OTHER_SUB, Thing, arm, audit, cluster, gap, outcomes, peering, pool, subnet, vnet

CHECK = "aks-docker-bridge-cidr"
HUB = arm("hub", "Microsoft.Network/virtualNetworks", "hub", OTHER_SUB)


def ml(bridge: str | None = "172.17.0.1/16", **more: Any) -> Thing:
    network = {"dockerBridgeCidr": bridge, **more.pop("network", {})}
    return cluster(nodes=more.pop("nodes", subnet("nodes", "10.0.0.0/22")), network=network, **more)


def of_versions(*pools: tuple[str, str | None]) -> Thing:
    nodes = subnet("nodes", "10.0.0.0/22")
    bodies = [pool(nodes, name=f"p{n}", osType=system, orchestratorVersion=v) for n, (system, v) in enumerate(pools)]
    return ml("10.0.1.1/24", nodes=nodes, pools=bodies, parts=[nodes],
              kubernetesVersion=None, currentKubernetesVersion=None)  # fmt: skip


def peered(bridge: str, *, readable: bool) -> list[Thing]:
    hub = vnet("hub", subnet("edge", "10.60.0.0/24", vnet="hub"), prefixes=["10.60.0.0/16"])
    side = peering(hub if readable else HUB, prefixes=["10.60.0.0/16"])
    return [ml(bridge), vnet("net", prefixes=["10.0.0.0/16"], peerings=[side]), *([hub] if readable else [])]


CASES = {
    "the old default": ([ml()], "pass", "no-overlap"),
    "in the address space, on no subnet": ([ml("10.9.0.1/24")], "pass", "no-overlap"),
    "apart from a peer that is known by the peering": (peered("172.17.0.1/16", readable=False), "pass", "no-overlap"),
    "on a peer's space, on no subnet": (peered("10.60.9.1/24", readable=True), "pass", "no-overlap"),
    "on a subnet, containerd": ([ml("10.0.1.1/24")], "warn", "overlaps-unused"),
    "host bits reach over the subnet": ([ml("10.0.8.1/20")], "warn", "overlaps-unused"),
    "on a peer's subnet": (peered("10.60.0.1/25", readable=True), "warn", "overlaps-unused"),
    "on the service range": ([ml("172.20.5.1/24")], "warn", "overlaps-unused"),
    "on the service range, network unread": (
        [ml("172.20.5.1/24", nodes=subnet(readable=False))], "warn", "overlaps-unused"),
    "on the pod range": ([ml("192.168.9.1/24")], "warn", "overlaps-unused"),
    "windows on containerd": ([of_versions(("Windows", "1.23.0"), ("Linux", "1.19.1"))], "warn", "overlaps-unused"),
    "linux on Docker": ([of_versions(("Linux", "1.18.19"))], "fail", "overlaps"),
    "windows on Docker": ([of_versions(("Linux", "1.22.4"), ("Windows", "1.22.4"))], "fail", "overlaps"),
    "a pool on Docker beside one that is not read": (
        [of_versions(("Linux", None), ("Linux", "1.18"))], "fail", "overlaps"),
    "a pool trails the control plane": (
        [ml("172.20.5.1/24", pools=[pool(subnet(), orchestratorVersion="1.18.2")])], "fail", "overlaps"),
    "versions not in the data": ([of_versions(("Linux", None))], "unknown", "version-unread"),
    "version that is none": ([of_versions(("Linux", "stable"))], "unknown", "version-unread"),
    "no range": ([ml("docker")], "unknown", "unparsable"),
    "network unread": ([ml(nodes=subnet(readable=False))], "unknown", "network-unread"),
    "on the space of a peer whose subnets are unread": (
        peered("10.60.9.1/24", readable=False), "unknown", "network-unread"),
    "service range not in the data": (
        [ml(network={"serviceCidr": None, "serviceCidrs": None})], "unknown", "network-unread"),
    "service range that is none": ([ml(network={"serviceCidrs": ["x"]})], "unknown", "network-unread"),
    "pools not in the data": ([ml(agentPoolProfiles=None)], "unknown", "network-unread"),
    "cut short": ([ml(agentPoolProfiles=None, networkProfile=None)], "unknown", "cluster-unreadable"),
    "managed network unread": ([cluster(network={"dockerBridgeCidr": "172.17.0.1/16"}),
                                gap(arm("mc", "Microsoft.Network/virtualNetworks", "x"))],
                               "not-applicable", "managed-vnet"),
    "managed, on its own service range": (
        [cluster(network={"dockerBridgeCidr": "172.20.0.1/16"})], "warn", "overlaps-unused"),
    "unset": ([ml(None)], "not-applicable", "no-docker-bridge"),
    "empty": ([ml("")], "not-applicable", "no-docker-bridge"),
}  # fmt: skip


@pytest.mark.parametrize(("things", "outcome", "reason"), CASES.values(), ids=CASES)
def test_outcome(things: list[Thing], outcome: str, reason: str) -> None:
    assert outcomes(audit(CHECK, things)) == [(outcome, reason)]


def test_the_evidence_names_both_ranges() -> None:
    [finding] = audit(CHECK, ml("10.0.1.1/24"))
    assert {("properties.networkProfile.dockerBridgeCidr", "10.0.1.1/24"),
            ("properties.addressPrefix", "10.0.0.0/22")} <= {(e.path, e.value) for e in finding.evidence}  # fmt: skip
