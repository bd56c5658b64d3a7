"""aks-identity-subnet-join-effective: both actions on each subnet, by whichever roles."""

from typing import Any

import pytest

from tests.estate import (
    APPLICATION,
    CONTRIBUTOR,
    KUBELET,
    READER,
    SUB,
    VM_CONTRIBUTOR,
    Thing,
    arm,
    audit,
    cluster,
    deny,
    gap,
    grant,
    managed_group,
    outcomes,
    rg,
    role,
    subnet,
)

CHECK = "aks-identity-subnet-join-effective"
NODES = subnet()
ML = cluster(nodes=NODES)
CUSTOM = "dddddddd-0000-4000-8000-000000000001"
JOIN = "Microsoft.Network/virtualNetworks/subnets/join/action"
READ = "Microsoft.Network/virtualNetworks/subnets/read"


def custom(*actions: str, **more: Any) -> list[Thing]:
    return [ML, role(CUSTOM, *actions, **more), grant(role=CUSTOM, on=rg("net"))]


DENIALS_UNREAD = gap(f"/subscriptions/{SUB}", "microsoft.authorization/denyassignments", required=False)
LANDING = arm("apps", "Microsoft.Solutions/applications", "landing")

CASES = {
    "on the group": ([ML, grant(on=rg("net"))], "pass", "granted"),
    "on the subscription, another role": ([ML, grant(role=CONTRIBUTOR, on=f"/subscriptions/{SUB}")], "pass", "granted"),
    "on the subnet itself": ([ML, grant(on=NODES)], "pass", "granted-on-subnet"),
    "two roles that add up": (
        [*custom(JOIN), grant(role=READER, on=NODES)], "pass", "granted"),
    "least custom role": (custom(JOIN, READ), "pass", "granted"),
    "ends soon": (
        [ML, grant(on=rg("net"), endDateTime="2026-11-30T00:00:00Z")], "warn", "grant-ends-soon"),
    "join without read": (
        [ML, grant(role=VM_CONTRIBUTOR, on=rg("net"))], "fail", "role-lacks-action"),
    "read without join": ([ML, grant(role=READER, on=rg("net"))], "fail", "role-lacks-action"),
    "the documented typo": (
        custom("Microsoft.Network/virtualNetworks/subnet/join/action", READ), "fail", "role-lacks-action"),
    "notAction takes it away": (
        custom("Microsoft.Network/virtualNetworks/*", without=["*/join/action"]), "fail", "role-takes-away-action"),
    "kubelet instead": ([ML, grant(KUBELET, on=rg("net"))], "fail", "role-on-kubelet-identity"),
    "the cluster's group": ([ML, grant(on=rg("aks"))], "fail", "role-on-other-scope"),
    "ended": ([ML, grant(on=rg("net"), endDateTime="2026-11-01T00:00:00Z")], "fail", "grant-expired"),
    "denied": ([ML, grant(on=rg("net")), deny(NODES, JOIN)], "fail", "deny-assignment"),
    "denials unread": ([ML, grant(on=rg("net")), DENIALS_UNREAD], "pass", "granted"),
    "denials unread in a managed application's group": (
        [ML, grant(on=rg("net")), DENIALS_UNREAD, managed_group("net", LANDING)], "unknown", "deny-unread"),
    "denials unread in a group that AKS made": (
        [ML, grant(on=rg("net")), DENIALS_UNREAD, managed_group("net", cluster())], "pass", "granted"),
    "denials unread, another group is managed": (
        [ML, grant(on=rg("net")), DENIALS_UNREAD, managed_group("net-prod", LANDING)], "pass", "granted"),
    "denials read in a managed application's group": (
        [ML, grant(on=rg("net")), managed_group("net", LANDING)], "pass", "granted"),
    "assignments unread": (
        [ML, gap(f"/subscriptions/{SUB}", "microsoft.authorization/roleassignments")],
        "unknown", "assignments-unread"),
    "unread, but granted all the same": (
        [ML, grant(on=rg("net")), gap("/", "microsoft.authorization/roledefinitions", required=False)],
        "pass", "granted"),
    "pools not in the data": ([cluster(nodes=NODES, agentPoolProfiles=None)], "unknown", "cluster-unreadable"),
    "identity not in the data": (
        [cluster(nodes=NODES, identity="none"), grant(on=rg("net"))], "unknown", "identity-unreadable"),
    "a service principal, and no Microsoft Graph": (
        [cluster(nodes=NODES, identity="none", client_id=APPLICATION)], "unknown", "graph-not-permitted"),
    "neither pools nor hosted system nodes in the data": ([cluster(pools=[])], "unknown", "cluster-unreadable"),
    "system nodes that AKS hosts in its own network": (
        [cluster(pools=[], hostedSystemProfile={"enabled": True})], "not-applicable", "managed-vnet"),
    "managed network": ([cluster()], "not-applicable", "managed-vnet"),
    "no pools at all": ([cluster(pools=[])], "unknown", "cluster-unreadable"),
}  # fmt: skip


@pytest.mark.parametrize(("estate", "outcome", "reason"), CASES.values(), ids=CASES)
def test_outcome(estate: list[Thing], outcome: str, reason: str) -> None:
    assert outcomes(audit(CHECK, estate)) == [(outcome, reason)]


def test_the_subnets_of_hosted_system_nodes_are_judged_though_no_pool_names_one() -> None:
    hosted = {"enabled": True, "systemNodeSubnetID": NODES.id, "nodeSubnetID": subnet("user", "10.4.0.0/16").id}
    found = audit(CHECK, cluster(pools=[], hostedSystemProfile=hosted), NODES, grant(on=NODES))
    assert outcomes(found) == [
        ("fail", "role-on-other-scope"),
        ("pass", "granted-on-subnet"),
        ("unknown", "node-auto-provisioning"),
    ]


def test_an_api_server_in_an_own_network_says_that_the_nodes_are_there_too() -> None:
    api = subnet("api", "10.4.0.0/28")
    inside = cluster(api_server={"enableVnetIntegration": True, "subnetId": api.id}, parts=[api])
    assert outcomes(audit(CHECK, inside, grant(on=api))) == [
        ("pass", "granted-on-subnet"),
        ("unknown", "cluster-unreadable"),
    ]


def test_each_subnet_has_a_finding_of_its_own() -> None:
    pods = subnet("pods", "10.4.0.0/16")
    found = audit(CHECK, cluster(nodes=NODES, pods=pods), grant(on=NODES))
    assert outcomes(found) == [("fail", "role-on-other-scope"), ("pass", "granted-on-subnet")]


def test_the_effect_is_what_is_granted_whoever_grants_it() -> None:
    [one] = audit(CHECK, ML, grant(on=rg("net")))
    [other] = audit(CHECK, ML, grant(role=CONTRIBUTOR, on=f"/subscriptions/{SUB}"))
    assert one.effect is not None
    assert one.effect == other.effect


def test_auto_provisioned_nodes_may_use_more_subnets() -> None:
    auto = cluster(nodes=NODES, nodeProvisioningProfile={"mode": "Auto"})
    found = audit(CHECK, auto, grant(on=rg("net")))
    assert outcomes(found) == [("pass", "granted"), ("unknown", "node-auto-provisioning")]
