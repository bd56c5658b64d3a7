"""aml-aks-attach-supported: identity, accounts, subscription, region, extension and health of an attachment."""

from typing import Any

import pytest

from tests.estate import (
    APPLICATION,
    OTHER_SUB,
    SUB,
    Thing,
    arm,
    audit,
    cluster,
    compute,
    extension,
    gap,
    outcomes,
    workspace,
)

CHECK = "aml-aks-attach-supported"
ARC = arm("aks", "Microsoft.Kubernetes/connectedClusters", "plant")
GONE = arm("aks", "Microsoft.ContainerService/managedClusters", "gone")
ENDPOINT = [{"properties": {"privateLinkServiceConnectionState": {"status": "Approved"}}}]
BOTH = (f"/subscriptions/{SUB}", f"/subscriptions/{OTHER_SUB}")


def v2(
    to: Thing | None = None, *, of: Thing | None = None, extended: dict[str, Any] | None = None, **more: Any
) -> list[Thing]:
    made = to or cluster()
    return [compute(made, of=of or workspace(), **more), extension(made, **(extended or {}))]


def v1(to: Thing | None = None, *, of: Thing | None = None, **more: Any) -> list[Thing]:
    return [compute(to or cluster(), of=of or workspace(), kind="AKS", settings={"clusterPurpose": "FastProd"}, **more)]


PRINCIPAL: dict[str, Any] = {"identity": "none", "client_id": APPLICATION}
PRIVATE = workspace(privateEndpointConnections=ENDPOINT)
FAR: dict[str, Any] = {"region": "westeurope"}
FAILED: dict[str, Any] = {"provisioningState": "Failed", "provisioningErrors": [{"error": {"code": "NoHeartbeat"}}]}
LONELY = extension(cluster())

CASES: dict[str, tuple[list[Thing], str, str]] = {
    "v2 as documented": (v2(), "pass", "supported"),
    "region spelled with spaces": (v2(of=workspace(region="East US 2")), "pass", "supported"),
    "user-assigned identity": (v2(cluster(identity="user")), "pass", "supported"),
    "service principal": (v2(cluster(**PRINCIPAL)), "fail", "service-principal"),
    "identity unread": (v2(cluster(identity="none")), "unknown", "identity-unread"),
    "local accounts off": (v2(cluster(disableLocalAccounts=True)), "fail", "local-accounts-off"),
    "local accounts on": (v2(cluster(disableLocalAccounts=False)), "pass", "supported"),
    "cut short": (v2(cluster(networkProfile=None, agentPoolProfiles=None)), "unknown", "cluster-unreadable"),
    "other region, workspace behind an endpoint": (
        v2(cluster(**FAR), of=PRIVATE), "fail", "other-region-with-endpoint"),
    "other region, no endpoint": (v2(cluster(**FAR)), "warn", "other-region"),
    "other region, endpoints unread": (
        [*v2(cluster(**FAR)), gap("/", "microsoft.network/privateendpoints")], "unknown", "endpoints-unread"),
    "same region, endpoints do not matter": (
        [*v2(), gap("/", "microsoft.network/privateendpoints")], "pass", "supported"),
    "region unread": (v2(cluster(region="")), "unknown", "region-unread"),
    "workspace unread": (v2(of=workspace().unread("microsoft.machinelearningservices/workspaces")),
                         "unknown", "workspace-unread"),
    "cluster gone": ([compute(GONE, of=workspace())], "fail", "cluster-missing"),
    "cluster unread": ([compute(cluster().unread(), of=workspace())], "unknown", "cluster-unread"),
    "no target": ([compute("", of=workspace())], "unknown", "target-unread"),
    "no extension": ([compute(cluster(), of=workspace())], "warn", "extension-missing"),
    "extensions unread": (
        [compute(cluster(), of=workspace()), gap("/", "microsoft.kubernetesconfiguration/extensions")],
        "unknown", "extension-unread"),
    "extension failed": (v2(extended={"provisioningState": "Failed"}), "warn", "extension-not-healthy"),
    "extension with an error": (
        v2(extended={"statuses": [{"code": "HealthCheckFailed", "level": "Error"}]}), "warn", "extension-not-healthy"),
    "extension with a warning": (v2(extended={"statuses": [{"code": "x", "level": "Warning"}]}), "pass", "supported"),
    "extension's state unread": (v2(extended={"provisioningState": None}), "unknown", "state-unread"),
    "compute failed": (v2(**FAILED), "warn", "compute-not-succeeded"),
    "compute's state unread": (v2(provisioningState=None), "unknown", "state-unread"),
    "v1 as documented": (v1(), "pass", "supported"),
    "v1 allowed service principals": (v1(cluster(**PRINCIPAL, disableLocalAccounts=True)), "pass", "supported"),
    "v1 in another region": (v1(cluster(**FAR), of=PRIVATE), "fail", "other-region-with-endpoint"),
    "v1, cluster gone": ([compute(GONE, of=workspace(), kind="AKS")], "fail", "cluster-missing"),
    "Arc": ([compute(ARC, of=workspace())], "not-applicable", "arc-cluster"),
    "Arc of another subscription": (
        [compute(ARC.replace(SUB, OTHER_SUB), of=workspace())], "not-applicable", "arc-cluster"),
    "Arc, failed": ([compute(ARC, of=workspace(), **FAILED)], "warn", "compute-not-succeeded"),
    "extension without compute": ([LONELY, workspace()], "warn", "extension-without-compute"),
    "extension, computes unread": (
        [LONELY, workspace(), gap(workspace(), "microsoft.machinelearningservices/workspaces/computes")],
        "unknown", "computes-unread"),
    "another kind of compute": ([compute(cluster(), of=workspace(), kind="AmlCompute"), LONELY],
                                "warn", "extension-without-compute"),
}  # fmt: skip


@pytest.mark.parametrize(("things", "outcome", "reason"), CASES.values(), ids=CASES)
def test_outcome(things: list[Thing], outcome: str, reason: str) -> None:
    assert outcomes(audit(CHECK, things)) == [(outcome, reason)]


@pytest.mark.parametrize("kind", ["AKS", "Kubernetes"])
def test_another_subscription_is_seen_by_the_ids_alone(kind: str) -> None:
    far = cluster(sub=OTHER_SUB)
    seen = [compute(far, of=workspace(), kind=kind), extension(far)]
    assert outcomes(audit(CHECK, seen, scopes=BOTH)) == [("fail", "other-subscription")]
    [unread] = audit(CHECK, compute(far.id, of=workspace(), kind=kind))
    assert (str(unread.outcome), unread.reason) == ("fail", "other-subscription")
    assert "cluster-unread" in unread.reasons


def test_a_malformed_extension_is_not_a_missing_one() -> None:
    found = audit(CHECK, v2(extended={"statuses": "x"}))
    assert outcomes(found) == [("unknown", "extension-unread"), ("unknown", "resource-unreadable")]


def test_all_that_is_wrong_is_said() -> None:
    things = v2(cluster(disableLocalAccounts=True, **PRINCIPAL, **FAR), **FAILED)
    [finding] = audit(CHECK, things)
    assert set(finding.reasons) == {
        "service-principal", "local-accounts-off", "other-region", "compute-not-succeeded",
    }  # fmt: skip


def test_errors_are_named() -> None:
    unwell = {"provisioningState": "Succeeded", "statuses": [{"code": "HealthCheckFailed", "level": "Error"}]}
    [failed] = audit(CHECK, v2(**FAILED))
    [ailing] = audit(CHECK, v2(extended=unwell))
    assert (failed.facts["errors"], ailing.facts["errors"]) == (["NoHeartbeat"], ["HealthCheckFailed"])


def test_the_command_is_about_the_cluster() -> None:
    [finding] = audit(CHECK, v2(cluster(disableLocalAccounts=True)))
    assert (
        finding.remediation.commands[0].text
        == f"az aks update -g aks -n ml --enable-local-accounts --subscription {SUB}"
    )
