"""aks-reserved-ranges: containment both ways, for the cluster's ranges and the network's."""

from typing import Any

import pytest

from tests.estate import Thing, audit, cluster, outcomes, subnet, vnet

CHECK = "aks-reserved-ranges"
FREE = [("pass", "range-free")]


def ml(service: str | None = "172.20.0.0/16", pods: str | None = "192.168.0.0/16", **more: Any) -> Thing:
    ranges = {"serviceCidr": service, "serviceCidrs": None, "podCidr": pods, "podCidrs": None}
    nodes = more.pop("nodes", subnet("nodes", "10.0.0.0/22"))
    return cluster(nodes=nodes, network={**ranges, **more.pop("network", {})}, **more)


def inside(prefix: str, *spaces: str) -> list[Thing]:
    return [ml(nodes=subnet("nodes", prefix)), vnet("net", prefixes=spaces or [prefix])]


CASES = {
    "apart": ([ml()], "pass", "range-free"),
    "next to a block": ([ml("172.29.0.0/16", "172.32.0.0/16")], "pass", "range-free"),
    "IPv6": ([ml("fd00:1::/108", network={"serviceCidrs": ["fd00:1::/108"]})], "pass", "range-free"),
    "flat, without a pod range": ([ml(pods=None, network={"networkPluginMode": None})], "pass", "range-free"),
    "managed": ([cluster()], "pass", "range-free"),
    "service range is a block": ([ml("172.30.0.0/16")], "fail", "range-reserved"),
    "service range inside a block": ([ml("172.31.5.0/24")], "fail", "range-reserved"),
    "service range around two blocks": ([ml("172.16.0.0/12")], "fail", "range-reserved"),
    "pod range touches a block": ([ml(pods="172.28.0.0/14")], "fail", "range-reserved"),
    "second service range": ([ml(network={"serviceCidrs": ["172.20.0.0/16", "192.0.2.128/25"]})],
                             "fail", "range-reserved"),
    "service range in a block, network unread": (
        [ml("172.30.0.0/16", nodes=subnet(readable=False))], "fail", "range-reserved"),
    "node subnet in a block": (inside("169.254.8.0/24"), "fail", "subnet-reserved"),
    "another subnet in a block": (
        [*inside("10.0.0.0/22", "10.0.0.0/16", "172.30.0.0/16"), subnet("other", "172.30.1.0/24")],
        "warn", "space-reserved"),
    "address space around a block": (inside("172.17.0.0/22", "172.16.0.0/12"), "warn", "space-reserved"),
    "network unread": ([ml(nodes=subnet(readable=False))], "unknown", "network-unread"),
    "subnet without prefix": ([ml(nodes=subnet("nodes", None))], "unknown", "network-unread"),
    "prefix that is none": ([ml(nodes=subnet("nodes", "111"))], "unknown", "network-unread"),
    "address space not in the data": ([ml(), vnet("net", prefixes=[])], "unknown", "network-unread"),
    "auto-provisioned nodes": ([ml(nodeProvisioningProfile={"mode": "Auto"})], "unknown", "network-unread"),
    "service range unset": ([ml(None)], "unknown", "range-unset"),
    "overlay without a pod range": ([ml(pods=None)], "unknown", "range-unset"),
    "range that is none": ([ml("172.30.0.0/99")], "unknown", "unparsable"),
    "cut short": ([ml(networkProfile=None, agentPoolProfiles=None)], "unknown", "range-unset"),
    "pools not in the data": ([ml(agentPoolProfiles=None)], "unknown", "cluster-unreadable"),
    "no network profile": ([cluster(networkProfile=None)], "unknown", "range-unset"),
}  # fmt: skip


@pytest.mark.parametrize(("things", "outcome", "reason"), CASES.values(), ids=CASES)
def test_outcome(things: list[Thing], outcome: str, reason: str) -> None:
    assert outcomes(audit(CHECK, things)) == [(outcome, reason)]


def test_the_message_names_what_is_shared() -> None:
    [finding] = audit(CHECK, ml("172.16.0.0/12"))
    assert "172.30.0.0/15" in finding.message
    assert finding.evidence[0].value == "172.16.0.0/12"
