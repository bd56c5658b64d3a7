"""rbac-cluster-identity-overbroad: what either identity holds at subscriptions and above."""

from typing import Any

import pytest

from tests.estate import (
    ACR_PULL,
    APPLICATION,
    CONTRIBUTOR,
    KUBELET,
    NETWORK_CONTRIBUTOR,
    OTHER_SUB,
    OWNER,
    READER,
    SUB,
    Thing,
    audit,
    cluster,
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

CHECK = "rbac-cluster-identity-overbroad"
USER_ACCESS = "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9"
BLOB_DATA = "ba92f5b4-2d11-453d-a403-e96b0029c9fe"
CUSTOM = "dddddddd-0000-4000-8000-000000000001"
TEAM = "88888888-0000-4000-8000-000000000001"
THE_SUB = f"/subscriptions/{SUB}"
GROUP = "/providers/Microsoft.Management/managementGroups/platform"
ML = cluster(nodes=subnet())
UNDER = subscription(SUB, "platform")
ALONE = [member(None), member(None, KUBELET)]
ASSIGN = "Microsoft.Authorization/roleAssignments/write"


def knows(*things: Thing, on: Thing = ML) -> list[Thing]:
    """An estate in which everything that matters was read: the hierarchy above, and each identity's groups."""
    return [on, UNDER, *ALONE, *things]


def holds(role_guid: str, on: Thing | str = THE_SUB, **more: Any) -> Thing:
    return grant(role=role_guid, on=on, **more)


def custom(*actions: str, **more: Any) -> list[Thing]:
    return [role(CUSTOM, *actions, **more), holds(CUSTOM)]


PRINCIPALS = cluster(nodes=subnet(), identity="none", kubelet=None, client_id=APPLICATION)
MASKED_NODES = cluster(nodes=subnet(), kubelet="00000000-0000-0000-0000-000000000000")
FAR_NETWORK = cluster(nodes=subnet(sub=OTHER_SUB, readable=False))
UNASSIGNED = gap(THE_SUB, "microsoft.authorization/roleassignments")
UNREAD_ROLES = gap(THE_SUB, "microsoft.authorization/roledefinitions", required=False)

CASES = {
    "what it needs": (
        knows(holds(NETWORK_CONTRIBUTOR, rg("net")), grant(KUBELET, ACR_PULL, on=rg("ml"))), "pass", "narrow"),
    "nothing at all": (knows(), "pass", "narrow"),
    "AKS's own Contributor on the node group": (knows(holds(CONTRIBUTOR, rg("mc"))), "pass", "narrow"),
    "Owner of a resource group": (knows(holds(OWNER, rg("mc"))), "pass", "narrow"),
    "Network Contributor on the subscription": (knows(holds(NETWORK_CONTRIBUTOR)), "pass", "narrow"),
    "Reader at the management group": (knows(holds(READER, GROUP)), "pass", "narrow"),
    "Contributor on the subscription": (knows(holds(CONTRIBUTOR)), "pass", "narrow"),
    "Owner, eligible only": (knows(holds(OWNER, eligible=True)), "pass", "narrow"),
    "Owner, ended": (knows(holds(OWNER, endDateTime="2026-11-01T00:00:00Z")), "pass", "narrow"),
    "data of one vault's group": (knows(holds(BLOB_DATA, rg("ml"))), "pass", "narrow"),
    "Owner on the subscription": (knows(holds(OWNER)), "warn", "owner"),
    "Owner of the kubelet": (knows(grant(KUBELET, OWNER, on=THE_SUB)), "warn", "owner"),
    "Owner by a group": (
        [*knows(grant(TEAM, OWNER, on=THE_SUB, kind="Group")), member(TEAM)], "warn", "owner"),
    "Owner at the root": (knows(holds(OWNER, "/")), "warn", "owner"),
    "User Access Administrator": (knows(holds(USER_ACCESS)), "warn", "role-assignment-write"),
    "a custom role that assigns roles": (knows(*custom(ASSIGN)), "warn", "role-assignment-write"),
    "a custom role, taken away again": (
        knows(*custom("*", without=["Microsoft.Authorization/*"])), "pass", "narrow"),
    "Contributor at the management group": (
        knows(holds(CONTRIBUTOR, GROUP)), "warn", "contributor-at-management-group"),
    "blob data of the subscription": (knows(holds(BLOB_DATA)), "warn", "data-role-at-subscription"),
    "vault data by a custom role": (
        knows(*custom(data=["Microsoft.KeyVault/vaults/secrets/*"])), "warn", "data-role-at-subscription"),
    "the worst gives the reason": (
        knows(holds(BLOB_DATA), grant(KUBELET, OWNER, on=THE_SUB)), "warn", "owner"),
    "found, though more is unread": ([ML, holds(OWNER), UNASSIGNED], "warn", "owner"),
    "found on one, the other masked": ([MASKED_NODES, holds(OWNER)], "warn", "owner"),
    "a service principal": (
        knows(principal(), on=PRINCIPALS), "pass", "narrow"),
    "masked": (knows(on=MASKED_NODES), "unknown", "masked"),
    "no Microsoft Graph": (knows(on=PRINCIPALS), "unknown", "graph-not-permitted"),
    "assignments unread": (knows(UNASSIGNED), "unknown", "assignments-unread"),
    "network in a subscription that was not scanned": (knows(on=FAR_NETWORK), "unknown", "assignments-unread"),
    "itself in a subscription that was not scanned": (
        knows(on=cluster(nodes=subnet(), sub=OTHER_SUB)), "unknown", "assignments-unread"),
    "an Owner group of unread members": (
        [ML, UNDER, grant(TEAM, OWNER, on=THE_SUB, kind="Group")], "unknown", "group-membership"),
    "a Reader group of unread members cannot matter": (
        [ML, UNDER, grant(TEAM, READER, on=THE_SUB, kind="Group")], "pass", "narrow"),
    "its role at the subscription was not read": (
        knows(holds(CUSTOM), UNREAD_ROLES), "unknown", "role-definition-unread"),
    "whether it has ended is not known": (
        knows(*custom(ASSIGN)[:1], holds(CUSTOM, endDateTime="soon")), "unknown", "end-unread"),
}  # fmt: skip


@pytest.mark.parametrize(("estate", "outcome", "reason"), CASES.values(), ids=CASES)
def test_outcome(estate: list[Thing], outcome: str, reason: str) -> None:
    assert outcomes(audit(CHECK, estate)) == [(outcome, reason)]


def test_deletion_is_never_the_only_thing_suggested() -> None:
    [found] = audit(CHECK, knows(holds(OWNER)))
    assert found.remediation.commands == ()
    assert found.remediation.summary.index("narrower") < found.remediation.summary.index("delete")


def test_a_condition_is_named_and_not_weighed() -> None:
    [found] = audit(CHECK, knows(holds(USER_ACCESS, condition="@Request[a] StringEquals 'b'")))
    assert str(found.outcome) == "warn"
    assert any("under a condition" in evidence.note for evidence in found.evidence)
