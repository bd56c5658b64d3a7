"""aks-vnet-same-region-subscription: the region by the network's body, the subscription by its id."""

from typing import Any

import pytest

from tests.estate import OTHER_SUB, SUB, Thing, audit, cluster, gap, outcomes, subnet, vnet

CHECK = "aks-vnet-same-region-subscription"
BOTH = (f"/subscriptions/{SUB}", f"/subscriptions/{OTHER_SUB}")


def ml(**of_subnet: Any) -> Thing:
    return cluster(nodes=subnet(**of_subnet))


def homeless(thing: Thing) -> Thing:
    del thing.rows[0]["location"]
    return thing


CASES = {
    "the same": ([ml()], "pass", "same"),
    "display name": ([ml(), vnet("net", region="East US 2")], "pass", "same"),
    "subscription in capitals": ([ml(sub=SUB.upper())], "pass", "same"),
    "other subscription": ([ml(sub=OTHER_SUB)], "warn", "other-subscription"),
    "other region": ([ml(), vnet("net", region="eastus")], "fail", "other-region"),
    "other region and subscription": ([ml(sub=OTHER_SUB, region="westeurope")], "fail", "other-region"),
    "network unread": ([ml(readable=False)], "unknown", "network-unread"),
    "network in another subscription unread": ([ml(sub=OTHER_SUB, readable=False)], "unknown", "network-unread"),
    "network's location not in the data": ([ml(), homeless(vnet("net"))], "unknown", "network-unread"),
    "cluster's location not in the data": ([homeless(ml())], "unknown", "network-unread"),
    "pools not in the data": (
        [cluster(nodes=subnet(), agentPoolProfiles=None)], "unknown", "cluster-unreadable"),
    "auto-provisioned nodes": (
        [cluster(nodes=subnet(), nodeProvisioningProfile={"mode": "Auto"})], "unknown", "node-auto-provisioning"),
    "a pool without a subnet": (
        [cluster(pools=[{"name": "a", "vnetSubnetID": subnet().id}, {"name": "b"}], parts=[subnet()])],
        "unknown", "footprint-incomplete"),
    "managed": ([cluster()], "not-applicable", "managed-vnet"),
    "managed, unread": ([cluster(), gap(f"/subscriptions/{SUB}/resourceGroups/mc")],
                        "not-applicable", "managed-vnet"),
}  # fmt: skip


@pytest.mark.parametrize(("things", "outcome", "reason"), CASES.values(), ids=CASES)
def test_outcome(things: list[Thing], outcome: str, reason: str) -> None:
    assert outcomes(audit(CHECK, things, scopes=BOTH)) == [(outcome, reason)]


def test_a_differing_subscription_is_said_although_the_region_is_unread() -> None:
    [finding] = audit(CHECK, ml(sub=OTHER_SUB, readable=False))
    assert OTHER_SUB in finding.message
    assert finding.outcome == "unknown"
