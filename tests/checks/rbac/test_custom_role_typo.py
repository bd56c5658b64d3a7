"""rbac-custom-role-typo: the documented misspelling where it is assigned, and everything else that is not known."""

from typing import Any

import pytest

from auditor.inventory import Configured
from tests.estate import (
    APPLICATION,
    CONTROL,
    KUBELET,
    OTHER_SUB,
    SUB,
    Thing,
    audit,
    cluster,
    gap,
    grant,
    member,
    outcomes,
    rg,
    role,
    subnet,
)

CHECK = "rbac-custom-role-typo"
GUID = "dddddddd-0000-4000-8000-000000000001"
STRANGER = "55555555-0000-4000-8000-000000000001"
TEAM = "88888888-0000-4000-8000-000000000001"
RIGHT = "Microsoft.Network/virtualNetworks/subnets/join/action"
MISSPELT = "Microsoft.Network/virtualNetworks/subnet/join/action"
ML = cluster(nodes=subnet())
PRINCIPALS = cluster("old", nodes=subnet(), identity="none", client_id=APPLICATION)
CUT_SHORT = cluster("cut", nodes=subnet(), agentPoolProfiles=None)
ELSEWHERE = rg("far-away", OTHER_SUB)
UNASSIGNED = gap(f"/subscriptions/{SUB}", "microsoft.authorization/roleassignments")
UNREAD_ROLES = gap(f"/subscriptions/{SUB}", "microsoft.authorization/roledefinitions", required=False)


def custom(*actions: str, **more: Any) -> Thing:
    return role(GUID, *actions, name="Join", **more)


def given(to: str = CONTROL, on: Thing | str = ELSEWHERE, **more: Any) -> Thing:
    return grant(to, GUID, on=on, **more)


WITHOUT_PERMISSIONS = custom()
del WITHOUT_PERMISSIONS.rows[0]["properties"]["permissions"]
NOBODY_S = given()
del NOBODY_S.rows[0]["properties"]["principalId"]

CASES = {
    "spelled right": ([ML, custom(RIGHT), given()], "pass", "operations-known"),
    "odd casing": ([ML, custom(RIGHT.upper())], "pass", "operations-known"),
    "wildcards beside a right one": ([ML, custom(RIGHT, "*/join/action")], "pass", "operations-known"),
    "other providers are not judged": (
        [ML, custom(RIGHT, "Microsoft.Compute/virtualMachine/read")], "pass", "operations-known"),
    "misspelt, to the control plane": ([ML, custom(MISSPELT), given()], "fail", "misspelt-and-assigned"),
    "misspelt, in odd casing": ([ML, custom(MISSPELT.upper()), given()], "fail", "misspelt-and-assigned"),
    "misspelt, to the kubelet": ([ML, custom(MISSPELT), given(KUBELET)], "fail", "misspelt-and-assigned"),
    "misspelt, to a group of the cluster": (
        [ML, custom(MISSPELT), given(TEAM, kind="Group"), member(TEAM)], "fail", "misspelt-and-assigned"),
    "misspelt, to a stranger on the network's group": (
        [ML, custom(MISSPELT), given(STRANGER, on=rg("net"))], "fail", "misspelt-and-assigned"),
    "misspelt beside the right one": ([ML, custom(MISSPELT, RIGHT), given()], "fail", "misspelt-and-assigned"),
    "misspelt, eligible": ([ML, custom(MISSPELT), given(eligible=True)], "fail", "misspelt-and-assigned"),
    "misspelt and assigned, though more is unread": (
        [ML, custom(MISSPELT), given(), UNASSIGNED], "fail", "misspelt-and-assigned"),
    "misspelt, assigned to nobody": ([ML, custom(MISSPELT)], "warn", "misspelt"),
    "misspelt, to a stranger elsewhere": (
        [ML, custom(MISSPELT), given(STRANGER, kind="User")], "warn", "misspelt"),
    "misspelt, on a group whose name merely begins alike": (
        [ML, custom(MISSPELT), given(STRANGER, on=rg("net-prod"), kind="User")], "warn", "misspelt"),
    "misspelt, ended": (
        [ML, custom(MISSPELT), given(endDateTime="2026-11-01T00:00:00Z")], "warn", "misspelt"),
    "misspelt, of a principal that is gone": ([ML, custom(MISSPELT), given(kind="Unknown")], "warn", "misspelt"),
    "misspelt, only as a notAction": (
        [ML, custom("Microsoft.Network/virtualNetworks/*", without=[MISSPELT]), given()],
        "warn", "unknown-operation"),
    "another typo": (
        [ML, custom("Microsoft.Network/routeTable/write"), given()], "warn", "unknown-operation"),
    "an operation of tomorrow": ([ML, custom("Microsoft.Network/quantumLinks/read")], "warn", "unknown-operation"),
    "assignments unread": ([ML, custom(MISSPELT), UNASSIGNED], "unknown", "assignments-unread"),
    "an assignment without a readable principal": (
        [ML, custom(MISSPELT), NOBODY_S], "unknown", "assignments-unread"),
    "to a group of unread members": (
        [ML, custom(MISSPELT), given(TEAM, kind="Group")], "unknown", "group-membership"),
    "to a stranger who may be a cluster's service principal": (
        [PRINCIPALS, custom(MISSPELT), given(STRANGER)], "unknown", "graph-not-permitted"),
    "to a stranger at a management group that may be above": (
        [ML, custom(MISSPELT), given(STRANGER, on="/providers/Microsoft.Management/managementGroups/m", kind="User")],
        "unknown", "hierarchy-unread"),
    "networks not all known": (
        [CUT_SHORT, custom(MISSPELT), given(STRANGER, kind="User")], "unknown", "cluster-unreadable"),
    "permissions not in the data": ([ML, WITHOUT_PERMISSIONS], "unknown", "role-definition-unread"),
    "assigned here and never read": ([ML, given(), UNREAD_ROLES], "unknown", "role-definition-unread"),
    "wildcards only": ([ML, custom("Microsoft.Network/*", "*/read")], "not-applicable", "no-operation-named"),
    "another provider's only": (
        [ML, custom("Microsoft.Compute/virtualMachines/read")], "not-applicable", "no-operation-named"),
}  # fmt: skip


@pytest.mark.parametrize(("estate", "outcome", "reason"), CASES.values(), ids=CASES)
def test_outcome(estate: list[Thing], outcome: str, reason: str) -> None:
    assert outcomes(audit(CHECK, estate)) == [(outcome, reason)]


def test_built_in_roles_are_microsoft_s_business() -> None:
    assert audit(CHECK, ML, custom(MISSPELT, builtin=True), given()) == []


def test_a_role_that_nobody_here_holds_need_not_be_read() -> None:
    assert audit(CHECK, ML, given(STRANGER, kind="User"), UNREAD_ROLES) == []


def test_a_configured_deployer_is_of_the_estate() -> None:
    found = audit(CHECK, ML, custom(MISSPELT), given(STRANGER), configured=Configured(deployers=(STRANGER,)))
    assert outcomes(found) == [("fail", "misspelt-and-assigned")]


def test_the_message_prints_the_difference() -> None:
    [found] = audit(CHECK, ML, custom(MISSPELT), given())
    assert f"- {MISSPELT} + {RIGHT}" in found.message
    assert found.resource.type == "microsoft.authorization/roledefinitions"
    assert [e.path for e in found.evidence] == ["properties.permissions[0].actions[0]"]
