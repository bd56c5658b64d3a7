"""rbac-deployer-subnet-join: two joins and the reading, for each configured account."""

from typing import Any

import pytest

from auditor.inventory import Configured
from tests.estate import (
    ACI,
    CONTRIBUTOR,
    OTHER_SUB,
    READER,
    SUB,
    VM_CONTRIBUTOR,
    Thing,
    audit,
    cluster,
    container_group,
    deny,
    gap,
    grant,
    member,
    outcomes,
    rg,
    role,
    subnet,
    vnet,
)

CHECK = "rbac-deployer-subnet-join"
ADA = "77777777-0000-4000-8000-000000000001"
TEAM = "88888888-0000-4000-8000-000000000001"
CUSTOM = "dddddddd-0000-4000-8000-000000000001"
READ = "Microsoft.Network/*/read"
JOIN_NETWORK = "Microsoft.Network/virtualNetworks/join/action"
JOIN_SUBNET = "Microsoft.Network/virtualNetworks/subnets/join/action"
NODES = subnet()
NETWORK_ID = NODES.id.rsplit("/subnets/", 1)[0]
ML = cluster(nodes=NODES)
DEPLOYERS = Configured(deployers=(ADA,))


def holds(role_guid: str = CONTRIBUTOR, *, on: Thing | str = NETWORK_ID, **more: Any) -> Thing:
    return grant(ADA, role_guid, on=on, kind="User", **more)


def custom(*actions: str, **more: Any) -> list[Thing]:
    return [ML, role(CUSTOM, *actions), holds(CUSTOM, **more)]


UNASSIGNED = gap(f"/subscriptions/{SUB}", "microsoft.authorization/roleassignments")
TEAM_HOLDS = grant(TEAM, CONTRIBUTOR, on=NETWORK_ID, kind="Group")

CASES = {
    "a broad role above": ([ML, holds(on=rg("net"))], "pass", "granted"),
    "exactly what is documented": (custom(JOIN_NETWORK, JOIN_SUBNET, READ), "pass", "granted"),
    "by a group": ([ML, TEAM_HOLDS, member(TEAM, ADA)], "pass", "granted"),
    "for a container group": (
        [container_group(into=subnet("nodes", delegated_to=ACI)), holds()], "pass", "granted"),
    "without reading": (custom(JOIN_NETWORK, JOIN_SUBNET), "warn", "read-missing"),
    "reads the network only": (
        custom(JOIN_NETWORK, JOIN_SUBNET, "Microsoft.Network/virtualNetworks/read"), "warn", "read-missing"),
    "ends soon": ([ML, holds(endDateTime="2026-11-30T00:00:00Z")], "warn", "grant-ends-soon"),
    "nothing": ([ML], "fail", "no-grant"),
    "reads only": ([ML, holds(READER)], "fail", "role-lacks-action"),
    "joins subnets, not the network": ([ML, holds(VM_CONTRIBUTOR)], "fail", "role-lacks-action"),
    "joins the network, not its subnets": (custom(JOIN_NETWORK, READ), "fail", "role-lacks-action"),
    "the misspelling of the source document": (
        custom(JOIN_NETWORK, "Microsoft.Network/virtualNetworks/subnet/join/action", READ),
        "fail", "role-lacks-action"),
    "on the subnet alone": ([ML, holds(on=NODES)], "fail", "role-on-other-scope"),
    "eligible only": ([ML, holds(eligible=True)], "fail", "eligible-only"),
    "denied": ([ML, holds(), deny(NODES, JOIN_SUBNET, principal=ADA)], "fail", "deny-assignment"),
    "a group of unread members": ([ML, TEAM_HOLDS], "unknown", "group-membership"),
    "assignments unread": ([ML, UNASSIGNED], "unknown", "assignments-unread"),
    "reads undecided": (
        [*custom(JOIN_NETWORK, JOIN_SUBNET), grant(TEAM, READER, on=NETWORK_ID, kind="Group")],
        "unknown", "group-membership"),
    "granted, though more is unread": ([ML, holds(), UNASSIGNED], "pass", "granted"),
    "network in a subscription that was not scanned": (
        [cluster(nodes=subnet(sub=OTHER_SUB), parts=[vnet(sub=OTHER_SUB)])], "unknown", "assignments-unread"),
    "managed network": (
        [cluster(), vnet("aks-vnet", subnet("aks-subnet", vnet="aks-vnet", group="mc"), group="mc")],
        "not-applicable", "managed-vnet"),
}  # fmt: skip


@pytest.mark.parametrize(("estate", "outcome", "reason"), CASES.values(), ids=CASES)
def test_outcome(estate: list[Thing], outcome: str, reason: str) -> None:
    assert outcomes(audit(CHECK, estate, configured=DEPLOYERS)) == [(outcome, reason)]


def test_nobody_is_configured() -> None:
    assert outcomes(audit(CHECK, ML, holds())) == [("not-applicable", "no-deployers-configured")]


def test_each_account_has_a_finding_of_its_own() -> None:
    configured = Configured(deployers=(ADA, TEAM, ADA))
    found = audit(CHECK, ML, holds(), member(None, TEAM), configured=configured)
    assert [(finding.part, str(finding.outcome)) for finding in found] == [(ADA, "pass"), (TEAM, "fail")]


def test_a_group_may_itself_be_configured() -> None:
    assert outcomes(audit(CHECK, ML, TEAM_HOLDS, configured=Configured(deployers=(TEAM,)))) == [("pass", "granted")]


def test_what_is_no_id_cannot_be_asked_about() -> None:
    configured = Configured(deployers=(ADA,), aci_subnets=("snet-aci",))
    assert outcomes(audit(CHECK, container_group(), configured=configured)) == [("unknown", "not-an-id")]
