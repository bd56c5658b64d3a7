"""aks-service-cidr-no-subnet-overlap: ranges as sets, never as texts."""

from typing import Any

import pytest

from tests.estate import OTHER_SUB, Thing, arm, audit, cluster, outcomes, peering, route, subnet, table, vnet

CHECK = "aks-service-cidr-no-subnet-overlap"
HUB = arm("hub", "Microsoft.Network/virtualNetworks", "hub", OTHER_SUB)


def ml(service: str | list[str] = "172.20.0.0/16", **more: Any) -> Thing:
    ranges = [service] if isinstance(service, str) else service
    network = {"serviceCidr": ranges[0], "serviceCidrs": ranges}
    return cluster(nodes=subnet("nodes", "10.0.0.0/22", **more), network=network)


def peered(service: str, *, readable: bool, prefixes: list[str], state: str = "Connected", **of: Any) -> list[Thing]:
    shared = subnet("shared", "10.60.250.0/24", vnet="hub")
    hub = vnet("hub", subnet("edge", "10.60.0.0/24", vnet="hub"), shared, prefixes=["10.60.0.0/16"])
    remote = hub if readable else HUB
    shown = [] if readable else prefixes
    mine = vnet("net", prefixes=["10.0.0.0/16"], peerings=[peering(remote, prefixes=shown, state=state, **of)])
    return [ml(service), mine, *([hub] if readable else [])]


NARROW = vnet("net", prefixes=["10.0.0.0/16"])

CASES = {
    "apart": ([ml()], "pass", "no-overlap"),
    "two clusters, one range": ([cluster("a", nodes=subnet()), NARROW], "pass", "no-overlap"),
    "dual stack judged by family": ([ml(["172.20.0.0/16", "fd00:1::/108"])], "pass", "no-overlap"),
    "inside the address space": ([ml("10.9.0.0/16")], "warn", "inside-address-space"),
    "inside a peer's space": (peered("10.60.128.0/20", readable=True, prefixes=[]), "warn", "inside-address-space"),
    "a route to a gateway": (
        [ml("172.20.0.0/16", table=table("rt", route("172.16.0.0/12", "VirtualNetworkGateway")))],
        "warn", "on-premises"),
    "everything by a gateway": (
        [ml(table=table("rt", route("0.0.0.0/0", "VirtualNetworkGateway")))], "pass", "no-overlap"),
    "a route to a gateway, apart": (
        [ml(table=table("rt", route("192.168.0.0/16", "VirtualNetworkGateway")))], "pass", "no-overlap"),
    "on the node subnet": ([ml("10.0.2.0/24")], "fail", "overlaps-subnet"),
    "on an empty subnet": ([ml("10.7.0.0/24"), subnet("later", "10.7.0.128/25")], "fail", "overlaps-subnet"),
    "on a subnet's second prefix": (
        [ml("10.7.0.0/24"), subnet("later", ["10.6.0.0/24", "10.7.0.0/26"])], "fail", "overlaps-subnet"),
    "around the subnet": ([ml("10.0.0.0/13"), NARROW], "fail", "overlaps-subnet"),
    "host bits": ([ml("10.0.3.7/24")], "fail", "overlaps-subnet"),
    "on a peer's subnet": (peered("10.60.0.0/20", readable=True, prefixes=[]), "fail", "overlaps-peer"),
    "on a peer known by the peering": (
        peered("10.60.128.0/20", readable=False, prefixes=["10.60.0.0/16"]), "fail", "overlaps-peer"),
    "a /12": ([ml("172.16.0.0/12")], "fail", "too-large"),
    "on a peer's subnet that alone is peered": (
        peered("10.60.0.0/20", readable=True, prefixes=[], peerCompleteVnets=False, remoteSubnetNames=["EDGE"]),
        "fail", "overlaps-peer"),
    "on a subnet of a peer that shares another": (
        peered("10.60.0.0/20", readable=True, prefixes=[], peerCompleteVnets=False, remoteSubnetNames=["shared"]),
        "pass", "no-overlap"),
    "on a subnet of a peer that shares some": (
        peered("10.60.0.0/20", readable=True, prefixes=["10.60.0.0/16"], peerCompleteVnets=False),
        "unknown", "peer-unreadable"),
    "a peer that is not connected": (
        peered("10.60.0.0/20", readable=False, prefixes=["10.60.0.0/16"], state="Initiated"), "pass", "no-overlap"),
    "a peering whose state is not in the data": (
        peered("10.60.0.0/20", readable=False, prefixes=["10.60.0.0/16"], state=""), "unknown", "peer-unreadable"),
    "a peer without prefixes": (peered("172.20.0.0/16", readable=False, prefixes=[]), "unknown", "peer-unreadable"),
    "a peer unread, but a subnet hit": (
        peered("10.0.0.0/24", readable=False, prefixes=[]), "fail", "overlaps-subnet"),
    "network unread": ([cluster(nodes=subnet(readable=False))], "unknown", "network-unread"),
    "a subnet without prefix": ([ml(), subnet("odd", None)], "unknown", "network-unread"),
    "a prefix that is none": ([ml(), subnet("odd", "111")], "unknown", "network-unread"),
    "range unparsable": ([ml("10.0.0.0/99")], "unknown", "unparsable"),
    "range unset": ([cluster(nodes=subnet(), network={"serviceCidr": None, "serviceCidrs": None})],
                    "unknown", "service-range-unset"),
    "no network profile": ([cluster(nodes=subnet(), networkProfile=None)], "not-applicable", "no-network-profile"),
    "pools not in the data": ([cluster(nodes=subnet(), agentPoolProfiles=None)], "unknown", "cluster-unreadable"),
    "managed": ([cluster()], "not-applicable", "managed-vnet"),
}  # fmt: skip


@pytest.mark.parametrize(("things", "outcome", "reason"), CASES.values(), ids=CASES)
def test_outcome(things: list[Thing], outcome: str, reason: str) -> None:
    assert outcomes(audit(CHECK, things)) == [(outcome, reason)]


def test_a_free_range_is_proposed() -> None:
    [finding] = audit(CHECK, ml("10.0.2.0/24"))
    assert "--service-cidr 172.16.0.0/16" in finding.remediation.summary
