"""aks-identity-network-contributor-vnet-rg: the letter, its equivalents, and the usual mistakes."""

import pytest

from tests.estate import (
    APPLICATION,
    CONTRIBUTOR,
    CONTROL,
    KUBELET,
    NETWORK_CONTRIBUTOR,
    OWNER,
    READER,
    SUB,
    Thing,
    audit,
    cluster,
    deny,
    gap,
    grant,
    member,
    outcomes,
    principal,
    rg,
    role,
    subnet,
    subscription,
)

CHECK = "aks-identity-network-contributor-vnet-rg"
NODES = subnet()
PODS = subnet("pods", "10.4.0.0/16")
ML = cluster(nodes=NODES)
VNET = NODES.id.rsplit("/subnets/", 1)[0]
GROUP = "eeeeeeee-0000-4000-8000-000000000001"
CUSTOM = "dddddddd-0000-4000-8000-000000000001"
BLOB_CONDITION = "((!(ActionMatches{'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read'})))"
NETWORK_CONDITION = (
    "((!(ActionMatches{'Microsoft.Network/virtualNetworks/subnets/join/action'})) OR (@Resource[x] StringEquals 'y'))"
)
PREVIOUS = cluster(identity="none", client_id=APPLICATION, nodes=NODES, kubelet=None)

CASES = {
    "on the network's group": ([ML, grant(on=rg("net"))], "pass", "network-contributor"),
    "inherited from the subscription": ([ML, grant(on=f"/subscriptions/{SUB}")], "pass", "network-contributor"),
    "inherited from a management group": (
        [ML, subscription(SUB, "ml", "contoso"),
         grant(on="/providers/Microsoft.Management/managementGroups/contoso")], "pass", "network-contributor"),
    "odd casing": (
        [ML, grant(on=rg("NET").upper(), principal=CONTROL.upper(), role=NETWORK_CONTRIBUTOR.upper())],
        "pass", "network-contributor"),
    "by a group it is in": (
        [ML, grant(GROUP, on=rg("net"), kind="Group"), member(GROUP)], "pass", "network-contributor"),
    "another role": ([ML, grant(role=OWNER, on=rg("net"))], "warn", "equivalent-role"),
    "a custom role": (
        [ML, role(CUSTOM, "Microsoft.Network/*"), grant(role=CUSTOM, on=rg("net"))], "warn", "equivalent-role"),
    "on the network only": ([ML, grant(on=VNET)], "warn", "narrower-scope"),
    "on the subnet only": ([ML, grant(on=NODES)], "warn", "narrower-scope"),
    "harmless condition": ([ML, grant(on=rg("net"), condition=BLOB_CONDITION)], "warn", "conditional"),
    "condition on networking": ([ML, grant(on=rg("net"), condition=NETWORK_CONDITION)], "unknown", "condition"),
    "condition not read": ([ML, grant(on=rg("net"), condition=...)], "unknown", "condition-unread"),
    "nothing": ([ML], "fail", "no-grant"),
    "kubelet instead": ([ML, grant(KUBELET, on=rg("net"))], "fail", "role-on-kubelet-identity"),
    "the cluster's own group": ([ML, grant(on=rg("aks"))], "fail", "role-on-other-scope"),
    "a group of a longer name": ([ML, grant(on=rg("net-prod"))], "fail", "role-on-other-scope"),
    "reader": ([ML, grant(role=READER, on=rg("net"))], "fail", "role-lacks-action"),
    "eligible only": ([ML, grant(on=rg("net"), eligible=True)], "fail", "eligible-only"),
    "by a group it is not in": (
        [ML, grant(GROUP, on=rg("net"), kind="Group"), member(None)], "fail", "no-grant"),
    "denied": ([ML, grant(on=rg("net")), deny(rg("net"), "*")], "fail", "deny-assignment"),
    "denied on the subnet": ([ML, grant(on=rg("net")), deny(NODES, "Microsoft.Network/*")], "fail", "deny-assignment"),
    "denied on a neighbour's subnet": (
        [ML, PODS, grant(on=rg("net")), deny(PODS, "Microsoft.Network/*")], "pass", "network-contributor"),
    # Deny assignments that are not handed down touch what bears them, not the subnets below.
    "denied on the group alone": (
        [ML, grant(on=rg("net")), deny(rg("net"), "*", children=False)], "pass", "network-contributor"),
    "denied on the network alone": (
        [ML, grant(on=rg("net")), deny(VNET, "*", children=False)], "pass", "network-contributor"),
    "a denial of the network that may mean it": (
        [ML, grant(on=rg("net")), deny(VNET, "*", principal=GROUP, kind="Group")], "unknown", "group-membership"),
    "a denial of the network under a condition": (
        [ML, grant(on=rg("net")), deny(VNET, "*", condition="@Resource[x] StringEquals 'y'")],
        "unknown", "deny-unread"),
    "a denial of the network that may mean it, another role": (
        [ML, grant(role=OWNER, on=rg("net")), deny(VNET, "*", principal=GROUP, kind="Group")],
        "unknown", "group-membership"),
    "a denial that only audits": (
        [ML, grant(on=rg("net")), deny(VNET, "*", denyAssignmentEffect="audit")], "pass", "network-contributor"),
    # What could still meet the purpose on a narrower scope rescues the lack from being one.
    "on the subnet, by a group of unread members": (
        [ML, grant(GROUP, on=NODES, kind="Group")], "unknown", "group-membership"),
    "on the subnet, role definition unread": (
        [ML, grant(role=CUSTOM, on=NODES)], "unknown", "role-definition-unread"),
    "on the subnet, under a condition": (
        [ML, grant(on=NODES, condition=NETWORK_CONDITION)], "unknown", "condition"),
    "assignments of the network unread": (
        [ML, gap(VNET, "microsoft.authorization/roleassignments")], "unknown", "assignments-unread"),
    "one subnet certainly out of reach": (
        [cluster(nodes=NODES, pods=PODS), grant(GROUP, on=NODES, kind="Group")], "fail", "no-grant"),
    "on each known subnet, nodes may be elsewhere": (
        [cluster(nodes=NODES, nodeProvisioningProfile={"mode": "Auto"}), grant(on=NODES)],
        "unknown", "node-auto-provisioning"),
    "on the network, nodes may be elsewhere in it": (
        [cluster(nodes=NODES, nodeProvisioningProfile={"mode": "Auto"}), grant(on=VNET)], "warn", "narrower-scope"),
    "ends soon": ([ML, grant(on=rg("net"), endDateTime="2026-11-30T00:00:00Z")], "warn", "grant-ends-soon"),
    "ends later": ([ML, grant(on=rg("net"), endDateTime="2027-11-30T00:00:00Z")], "pass", "network-contributor"),
    "custom role without join": (
        [ML, role(CUSTOM, "Microsoft.Network/virtualNetworks/*", without=["*/join/action"]),
         grant(role=CUSTOM, on=rg("net"))], "fail", "role-takes-away-action"),
    "one membership read, the sufficient group not among them": (
        [ML, grant(GROUP, on=rg("net"), kind="Group"), member(CUSTOM)], "unknown", "group-membership"),
    "groups unread": ([ML, grant(GROUP, on=rg("net"), kind="Group")], "unknown", "group-membership"),
    "assignments unread": (
        [ML, gap(rg("net"), "microsoft.authorization/roleassignments")], "unknown", "assignments-unread"),
    "role definition unread": ([ML, grant(role=CUSTOM, on=rg("net"))], "unknown", "role-definition-unread"),
    "identity unread": ([cluster(nodes=NODES, principal=None)], "unknown", "identity-unreadable"),
    "application id unresolved": (
        [PREVIOUS, grant(APPLICATION, on=rg("net"))], "unknown", "graph-not-permitted"),
    "service principal": ([PREVIOUS, principal(), grant(on=rg("net"))], "pass", "network-contributor"),
    "granted to the application id": (
        [PREVIOUS, principal(), grant(APPLICATION, on=rg("net"))], "fail", "role-on-application-id"),
    "pools not in the data": ([cluster(nodes=NODES, agentPoolProfiles=None)], "unknown", "cluster-unreadable"),
    "a subnet that is no id": (
        [cluster(pools=[{"name": "p", "vnetSubnetID": "nodes"}])], "unknown", "not-an-id"),
    "managed network": ([cluster()], "not-applicable", "managed-vnet"),
    "a network in the node resource group": (
        [cluster(nodes=subnet(group="mc"))], "not-applicable", "managed-vnet"),
}  # fmt: skip


@pytest.mark.parametrize(("estate", "outcome", "reason"), CASES.values(), ids=CASES)
def test_outcome(estate: list[Thing], outcome: str, reason: str) -> None:
    assert outcomes(audit(CHECK, estate)) == [(outcome, reason)]


def test_a_failure_prints_the_command_with_the_ids_filled_in() -> None:
    [finding] = audit(CHECK, ML)
    [command] = finding.remediation.commands
    assert f"--assignee-object-id {CONTROL}" in command.text
    assert command.argv[-1] == rg("net")


def test_one_finding_for_each_resource_group_of_the_networks() -> None:
    other = subnet("pods", "10.4.0.0/16", vnet="second", group="net2")
    found = audit(CHECK, cluster(nodes=NODES, pods=other), grant(on=rg("net")))
    assert outcomes(found) == [("fail", "role-on-other-scope"), ("pass", "network-contributor")]


def test_contributor_is_equivalent_too() -> None:
    assert outcomes(audit(CHECK, ML, grant(role=CONTRIBUTOR, on=rg("net")))) == [("warn", "equivalent-role")]
