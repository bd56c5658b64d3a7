"""aks-principal-resolvable: the control plane's object id, and never another one."""

import pytest

from auditor.inventory import Configured
from tests.estate import APPLICATION, CONTROL, Thing, audit, cluster, outcomes, principal, subnet
from tests.estate import arm as arm_id

CHECK = "aks-principal-resolvable"
NODES = subnet()
SP = cluster(nodes=NODES, identity="none", client_id=APPLICATION, kubelet=None)
IDENTITY = arm_id("aks", "Microsoft.ManagedIdentity/userAssignedIdentities", "ml-id")


def identity_row(principal_id: str | None) -> Thing:
    row = {
        "id": IDENTITY,
        "type": "microsoft.managedidentity/userassignedidentities",
        "name": "ml-id",
        "properties": {"principalId": principal_id, "clientId": APPLICATION},
    }
    return Thing(IDENTITY, [row])


MASK = "00000000-0000-0000-0000-000000000000"

CASES = {
    "system-assigned": ([cluster(nodes=NODES)], "pass", "system-assigned"),
    "user-assigned": ([cluster(nodes=NODES, identity="user")], "pass", "user-assigned"),
    "user-assigned, id from the identity": (
        [cluster(nodes=NODES, identity="user", principal=None), identity_row(CONTROL)], "pass", "user-assigned"),
    "service principal by Graph": ([SP, principal()], "pass", "service-principal"),
    "service principal, Graph not permitted": ([SP], "unknown", "graph-not-permitted"),
    "service principal, another application known": (
        [SP, principal(app_id=CONTROL)], "unknown", "graph-not-permitted"),
    "user-assigned, identity unread": (
        [cluster(nodes=NODES, identity="user", principal=None)], "unknown", "identity-unreadable"),
    "identity without principal": (
        [cluster(nodes=NODES, identity="user", principal=None), identity_row(None)],
        "unknown", "identity-unreadable"),
    "msi without identity": ([cluster(nodes=NODES, identity="none")], "unknown", "identity-unreadable"),
    "masked": ([cluster(nodes=NODES, principal=MASK)], "unknown", "masked"),
    "managed network": ([cluster()], "not-applicable", "managed-vnet"),
}  # fmt: skip


@pytest.mark.parametrize(("things", "outcome", "reason"), CASES.values(), ids=CASES)
def test_outcome(things: list[Thing], outcome: str, reason: str) -> None:
    assert outcomes(audit(CHECK, things)) == [(outcome, reason)]


def test_an_object_id_from_the_configuration() -> None:
    [finding] = audit(CHECK, SP, configured=Configured(principals={APPLICATION.upper(): CONTROL}))
    assert (finding.outcome, finding.reason) == ("pass", "service-principal")
    assert finding.facts["object_id"] == CONTROL


def test_the_lack_comes_with_the_command_that_finds_it() -> None:
    [finding] = audit(CHECK, SP)
    assert finding.remediation.commands[0].text == f"az ad sp show --id {APPLICATION} --query id -o tsv"
