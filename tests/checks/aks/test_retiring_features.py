"""aks-retiring-features: one verdict a feature, by the public cloud's dates."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.estate import SUB, Thing, audit, cluster, compute, gap, outcomes, pool, workspace

CHECK = "aks-retiring-features"
KUBENET = cluster(network={"networkPlugin": "Kubenet", "networkPluginMode": None})
BASIC = cluster(network={"loadBalancerSku": "Basic"})
NPM = {"networkPolicy": "azure"}
WINDOWS = [pool(), pool(name="win", osType="Windows")]
SETS = [pool(type="AvailabilitySet")]
EGRESS = {"loadBalancerProfile": {"effectiveOutboundIPs": [{"id": "/subscriptions/x/ip"}]}}
V1 = compute(cluster(), of=workspace(), kind="AKS")
V2 = compute(cluster(), of=workspace())
SHORT = cluster(networkProfile=None)

CASES: dict[str, tuple[list[Thing], str, tuple[str, str]]] = {
    "overlay": ([cluster()], "kubenet", ("pass", "not-used")),
    "kubenet in odd casing, its date ahead": ([KUBENET], "kubenet", ("warn", "retiring")),
    "bring your own plugin": ([cluster(network={"networkPlugin": "none"})], "kubenet", ("pass", "not-used")),
    "plugin unread": ([cluster(network={"networkPlugin": None})], "kubenet", ("unknown", "property-unread")),
    "no network profile, plugin": ([SHORT], "kubenet", ("unknown", "property-unread")),
    "standard": ([cluster(network={"loadBalancerSku": "Standard"})], "basic-load-balancer", ("pass", "not-used")),
    "sku unset means standard": (
        [cluster(network={"loadBalancerSku": None})], "basic-load-balancer", ("pass", "not-used")),
    "basic in odd casing": ([BASIC], "basic-load-balancer", ("fail", "retired")),
    "no network profile, sku": ([SHORT], "basic-load-balancer", ("unknown", "property-unread")),
    "scale sets": ([cluster()], "default-outbound", ("pass", "not-used")),
    "availability sets": ([cluster(pools=SETS)], "default-outbound", ("warn", "default-outbound-access")),
    "availability sets, odd casing": (
        [cluster(pools=[pool(type="availabilityset")])], "default-outbound", ("warn", "default-outbound-access")),
    "availability sets with egress": ([cluster(pools=SETS, network=EGRESS)], "default-outbound", ("pass", "not-used")),
    "availability sets behind a firewall": (
        [cluster(pools=SETS, network={"outboundType": "userDefinedRouting"})], "default-outbound",
        ("pass", "not-used")),
    "pools unread": ([cluster(agentPoolProfiles=None)], "default-outbound", ("unknown", "property-unread")),
    "no policy": ([cluster()], "azure-npm", ("pass", "not-used")),
    "another policy": ([cluster(network={"networkPolicy": "cilium"})], "azure-npm", ("pass", "not-used")),
    "policy manager on Linux": ([cluster(network=NPM)], "azure-npm", ("warn", "retiring")),
    "policy manager with Windows": ([cluster(network=NPM, pools=WINDOWS)], "azure-npm", ("fail", "retired")),
    "policy manager, pools unread": (
        [cluster(network=NPM, agentPoolProfiles=None)], "azure-npm", ("unknown", "property-unread")),
    "no network profile, policy": ([SHORT], "azure-npm", ("unknown", "property-unread")),
    "v1 compute": ([V1], "v1-compute", ("fail", "retired")),
    "v2 compute": ([V2], "v1-compute", ("pass", "not-used")),
    "no compute": ([cluster()], "v1-compute", ("pass", "not-used")),
    "computes unread": (
        [cluster(), workspace(), gap(workspace(), "microsoft.machinelearningservices/workspaces/computes")],
        "v1-compute", ("unknown", "computes-unread")),
    "computes unread, but one was seen": (
        [V1, gap(workspace(), "microsoft.machinelearningservices/workspaces/computes")],
        "v1-compute", ("fail", "retired")),
}  # fmt: skip


def judged(part: str, *things: Thing | list[Thing], **more: Any) -> tuple[str, str]:
    [finding] = [finding for finding in audit(CHECK, *things, **more) if finding.part == part]
    return str(finding.outcome), finding.reason


@pytest.mark.parametrize(("things", "part", "expected"), CASES.values(), ids=CASES)
def test_outcome(things: list[Thing], part: str, expected: tuple[str, str]) -> None:
    assert judged(part, things) == expected


def test_a_cluster_has_one_verdict_a_feature() -> None:
    assert outcomes(audit(CHECK, cluster())) == [("pass", "not-used")] * 5


@pytest.mark.parametrize(
    ("thing", "part", "last_day"),
    [
        (KUBENET, "kubenet", datetime(2028, 3, 30, 23, 59, tzinfo=UTC)),
        (BASIC, "basic-load-balancer", datetime(2025, 9, 29, 23, 59, tzinfo=UTC)),
        (cluster(network=NPM), "azure-npm", datetime(2028, 9, 29, 23, 59, tzinfo=UTC)),
        (cluster(network=NPM, pools=WINDOWS), "azure-npm", datetime(2026, 9, 29, 23, 59, tzinfo=UTC)),
        (V1, "v1-compute", datetime(2026, 6, 29, 23, 59, tzinfo=UTC)),
    ],
)
def test_the_date_is_that_of_the_scan(thing: Thing, part: str, last_day: datetime) -> None:
    assert judged(part, thing, now=last_day) == ("warn", "retiring")
    assert judged(part, thing, now=last_day + timedelta(minutes=1)) == ("fail", "retired")


@pytest.mark.parametrize("cloud", ["china", "usgov", "custom"])
def test_elsewhere_it_never_goes_below_a_warning(cloud: str) -> None:
    [finding] = [f for f in audit(CHECK, V1, cloud=cloud) if f.part == "v1-compute"]
    assert (str(finding.outcome), finding.reason) == ("warn", "retired-in-public-cloud")
    assert "the public cloud's date" in finding.message


def test_the_command_is_the_features() -> None:
    [finding] = [f for f in audit(CHECK, KUBENET) if f.part == "kubenet"]
    assert finding.remediation.commands[0].text == (
        f"az aks update -g aks -n ml --network-plugin azure --network-plugin-mode overlay --subscription {SUB}"
    )
