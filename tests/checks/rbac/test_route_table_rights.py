"""rbac-route-table-rights: what kubenet must do with an own table, and what any other plugin must."""

from typing import Any

import pytest

from tests.estate import (
    APPLICATION,
    CONTRIBUTOR,
    KUBELET,
    OTHER_SUB,
    READER,
    SUB,
    Thing,
    audit,
    cluster,
    deny,
    gap,
    grant,
    outcomes,
    principal,
    rg,
    role,
    route,
    subnet,
    table,
)

CHECK = "rbac-route-table-rights"
KUBENET = {"networkPlugin": "kubenet", "networkPluginMode": None}
CUSTOM = "dddddddd-0000-4000-8000-000000000001"
READ, WRITE, JOIN = (f"Microsoft.Network/routeTables/{verb}" for verb in ("read", "write", "join/action"))
ROUTES = "Microsoft.Network/routeTables/routes"
OWN = table("own", route("0.0.0.0/0", "VirtualAppliance", "10.9.0.4"), group="hub")
AKS_OWN = table("aks-agentpool-1-routetable", group="mc")
REMOTE = table("remote", group="hub", sub=OTHER_SUB)
NODES = subnet(table=OWN)


def kubenet(nodes: Any = NODES, *, identity: str = "user", **more: Any) -> Thing:
    return cluster(nodes=nodes, identity=identity, network=KUBENET, **more)


def overlay(nodes: Any = NODES, **more: Any) -> Thing:
    return cluster(nodes=nodes, **more)


def custom(*actions: str) -> list[Thing]:
    return [role(CUSTOM, *actions), grant(role=CUSTOM, on=OWN)]


PRINCIPALS = kubenet(identity="none", client_id=APPLICATION)
UNASSIGNED = gap(f"/subscriptions/{SUB}", "microsoft.authorization/roleassignments")
NO_PLUGIN = overlay(network={"networkPlugin": None})
HIDDEN = subnet(readable=False)

CASES = {
    "kubenet, Network Contributor on the table": ([kubenet(), grant(on=OWN)], "pass", "granted"),
    "kubenet, on the table's group": ([kubenet(), grant(on=rg("hub"))], "pass", "granted"),
    "kubenet, least custom role": ([kubenet(), *custom(READ, WRITE, f"{ROUTES}/*")], "pass", "granted"),
    "kubenet, a service principal": ([PRINCIPALS, principal(), grant(on=OWN)], "pass", "granted"),
    "overlay, read and join": ([overlay(), *custom(READ, JOIN)], "pass", "granted"),
    "overlay, another role above": ([overlay(), grant(role=CONTRIBUTOR, on=f"/subscriptions/{SUB}")],
                                    "pass", "granted"),
    "kubenet, system-assigned": ([kubenet(identity="system"), grant(on=OWN)], "warn", "system-assigned"),
    "kubenet, no delete of routes": (
        [kubenet(), *custom(READ, WRITE, f"{ROUTES}/write", f"{ROUTES}/read")], "warn", "routes-not-tidied"),
    "kubenet, ends soon": ([kubenet(), grant(on=OWN, endDateTime="2026-11-30T00:00:00Z")], "warn", "grant-ends-soon"),
    "overlay, the role on the network does not reach": ([overlay(), grant(on=rg("net"))], "warn", "cannot-relink"),
    "overlay, read without join": ([overlay(), grant(role=READER, on=OWN)], "warn", "cannot-relink"),
    "overlay, denied": ([overlay(), grant(on=OWN), deny(OWN, JOIN)], "warn", "cannot-relink"),
    "kubenet, nothing": ([kubenet()], "fail", "no-grant"),
    "kubenet, the role on the network does not reach": (
        [kubenet(), grant(on=rg("net"))], "fail", "role-on-other-scope"),
    "kubenet, read only": ([kubenet(), grant(role=READER, on=OWN)], "fail", "role-lacks-action"),
    "kubenet, no write of the table": (
        [kubenet(), *custom(READ, f"{ROUTES}/*")], "fail", "role-lacks-action"),
    "kubenet, the kubelet instead": ([kubenet(), grant(KUBELET, on=OWN)], "fail", "role-on-kubelet-identity"),
    "kubenet, denied": ([kubenet(), grant(on=OWN), deny(OWN, WRITE)], "fail", "deny-assignment"),
    "kubenet, system-assigned and nothing": ([kubenet(identity="system")], "fail", "no-grant"),
    "assignments unread": ([kubenet(), UNASSIGNED], "unknown", "assignments-unread"),
    "overlay, assignments unread": ([overlay(), UNASSIGNED], "unknown", "assignments-unread"),
    "granted, though more is unread": ([overlay(), grant(on=OWN), UNASSIGNED], "pass", "granted"),
    "table in a subscription that was not scanned": (
        [overlay(subnet(table=REMOTE.id))], "unknown", "assignments-unread"),
    "no Microsoft Graph": ([PRINCIPALS, grant(on=OWN)], "unknown", "graph-not-permitted"),
    "plugin unread": ([NO_PLUGIN, grant(on=OWN)], "unknown", "plugin-unread"),
    "subnet unread": ([overlay(HIDDEN)], "unknown", "subnet-unread"),
    "what is named is no id": ([overlay(subnet(table="own"))], "unknown", "not-an-id"),
    "pools unread": ([overlay(agentPoolProfiles=None)], "unknown", "cluster-unreadable"),
    "no table": ([overlay(subnet())], "not-applicable", "no-own-table"),
    "AKS's own table": ([kubenet(subnet(table=AKS_OWN))], "not-applicable", "no-own-table"),
    "managed network": ([overlay(None)], "not-applicable", "no-own-table"),
}  # fmt: skip


@pytest.mark.parametrize(("estate", "outcome", "reason"), CASES.values(), ids=CASES)
def test_outcome(estate: list[Thing], outcome: str, reason: str) -> None:
    assert outcomes(audit(CHECK, estate)) == [(outcome, reason)]


def test_each_table_has_a_finding_of_its_own() -> None:
    pods = subnet("pods", "10.4.0.0/16", table=table("pods", group="hub"))
    found = audit(CHECK, overlay(pods=pods), grant(on=OWN))
    assert outcomes(found) == [("pass", "granted"), ("warn", "cannot-relink")]


def test_two_subnets_with_one_table_are_one_finding() -> None:
    pods = subnet("pods", "10.4.0.0/16", table=OWN.id.upper())
    [found] = audit(CHECK, overlay(pods=pods), grant(on=OWN))
    assert {NODES.id, pods.id} <= set(found.related)


def test_auto_provisioned_nodes_may_use_more_subnets() -> None:
    auto = overlay(subnet(), nodeProvisioningProfile={"mode": "Auto"})
    assert outcomes(audit(CHECK, auto)) == [("unknown", "node-auto-provisioning")]


def test_a_table_out_of_scope_says_which_subscription_to_scan() -> None:
    [found] = audit(CHECK, overlay(subnet(table=REMOTE.id)))
    assert f"--subscription {OTHER_SUB}" in found.remediation.summary


def test_the_effect_is_what_is_granted_whoever_grants_it() -> None:
    [one] = audit(CHECK, kubenet(), grant(on=OWN))
    [other] = audit(CHECK, kubenet(), grant(role=CONTRIBUTOR, on=f"/subscriptions/{SUB}"))
    assert one.effect is not None
    assert len(one.effect.items) == 5
    assert one.effect == other.effect


def test_deny_assignments_that_were_not_read_are_noted() -> None:
    unread = gap(f"/subscriptions/{SUB}", "microsoft.authorization/denyassignments", required=False)
    [found] = audit(CHECK, overlay(), grant(on=OWN), unread)
    assert str(found.outcome) == "pass"
    assert any("deny assignments" in evidence.note for evidence in found.evidence)
    [whole] = audit(CHECK, overlay(), grant(on=OWN))
    assert not any("deny assignments" in evidence.note for evidence in whole.evidence)
