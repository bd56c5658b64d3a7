"""rbac-acr-pull: the kubelet identity's right, by the registry's mode."""

from typing import Any

import pytest

from auditor.inventory import Configured
from tests.estate import (
    ACR_PULL,
    APPLICATION,
    CONTROL,
    KUBELET,
    OTHER_SUB,
    READER,
    SUB,
    Thing,
    attached,
    audit,
    cluster,
    compute,
    deny,
    gap,
    grant,
    member,
    outcomes,
    principal,
    registry,
    rg,
    role,
    subnet,
    workspace,
)

CHECK = "rbac-acr-pull"
REPOSITORY_READER = "b93aa761-3e63-49ed-ac28-beffa264f7ac"
PULL = "Microsoft.ContainerRegistry/registries/pull/read"
PULL_DATA = (
    "Microsoft.ContainerRegistry/registries/repositories/content/read",
    "Microsoft.ContainerRegistry/registries/repositories/metadata/read",
)
GROUP = "99999999-0000-4000-8000-000000000001"
REPOSITORY_CONDITION = (
    "((!(ActionMatches{'Microsoft.ContainerRegistry/registries/repositories/content/read'})) OR "
    "(@Request[Microsoft.ContainerRegistry/registries/repositories:name] StringEquals 'models'))"
)
ML = cluster(nodes=subnet())
IMAGES = registry()
BY_REPOSITORY = registry(roleAssignmentMode="AbacRepositoryPermissions")
NEW_MODE = registry(roleAssignmentMode="SomethingNew")
ANONYMOUS = registry(anonymousPullEnabled=True)
ADMIN = registry(adminUserEnabled=True)
HUB_REGISTRY = registry(sub=OTHER_SUB).unread()
READS_DATA = role(REPOSITORY_READER, name="Container Registry Repository Reader", builtin=True, data=PULL_DATA)


def using(images: Thing | None = IMAGES, on: Thing = ML) -> list[Thing]:
    return [on, *attached(on, registry=images)]


def kubelet_holds(role_guid: str = ACR_PULL, on: Thing | str = IMAGES, **more: Any) -> Thing:
    return grant(KUBELET, role_guid, on=on, **more)


HUB = workspace("hub", registry=IMAGES)


def project() -> list[Thing]:
    made = workspace("project", kind="Project", hubResourceId=HUB.id)
    return [ML, made, compute(ML, of=made)]


PRINCIPALS = cluster(nodes=subnet(), identity="none", kubelet=None, client_id=APPLICATION)
MASKED = cluster(nodes=subnet(), kubelet="00000000-0000-0000-0000-000000000000")
SHORT = cluster(nodes=subnet(), kubelet=None)
TABLE_UNREAD = gap(f"/subscriptions/{SUB}", "microsoft.authorization/roleassignments")

CASES = {
    "AcrPull on the registry": ([*using(), kubelet_holds()], "pass", "granted"),
    # A project uses the registry of its hub.
    "of a project, by its hub": ([*project(), HUB, kubelet_holds()], "pass", "granted"),
    "of a project, its hub unread": ([*project(), gap(HUB.id), kubelet_holds()], "unknown", "registries-unread"),
    "inherited from the group": ([*using(), kubelet_holds(on=rg("ml"))], "pass", "granted"),
    "Reader pulls, by */read": ([*using(), kubelet_holds(READER)], "pass", "granted"),
    "the service principal pulls": (
        [*using(on=PRINCIPALS), principal(), grant(CONTROL, ACR_PULL, on=IMAGES)], "pass", "granted"),
    "granted, though more is unread": ([*using(), kubelet_holds(), TABLE_UNREAD], "pass", "granted"),
    "by repository, reader of repositories": (
        [*using(BY_REPOSITORY), READS_DATA, kubelet_holds(REPOSITORY_READER)], "pass", "granted"),
    "ends soon": ([*using(), kubelet_holds(endDateTime="2026-11-30T00:00:00Z")], "warn", "grant-ends-soon"),
    "anonymous pulling serves": (using(ANONYMOUS), "warn", "anonymous-pull-only"),
    "the admin user would serve": (using(ADMIN), "warn", "admin-user-only"),
    "anonymous pulling does not hide a grant": ([*using(ANONYMOUS), kubelet_holds()], "pass", "granted"),
    "nothing": (using(), "fail", "no-grant"),
    "the control plane's instead": (
        [*using(), grant(CONTROL, ACR_PULL, on=IMAGES)], "fail", "role-on-control-plane-identity"),
    "the kubelet's application id": (
        [*using(), grant(f"d{KUBELET[1:]}", ACR_PULL, on=IMAGES)], "fail", "role-on-application-id"),
    "another registry": (
        [*using(), kubelet_holds(on=registry("others"))], "fail", "role-on-other-scope"),
    "only eligible": ([*using(), kubelet_holds(eligible=True)], "fail", "eligible-only"),
    "ended": ([*using(), kubelet_holds(endDateTime="2026-11-01T00:00:00Z")], "fail", "grant-expired"),
    "denied": ([*using(), kubelet_holds(), deny(IMAGES, PULL, principal=KUBELET)], "fail", "deny-assignment"),
    "by repository, AcrPull only": ([*using(BY_REPOSITORY), kubelet_holds()], "fail", "acr-pull-not-honoured"),
    "by repository, nothing": (using(BY_REPOSITORY), "fail", "no-grant"),
    "by repository, one of two data actions": (
        [*using(BY_REPOSITORY), role(REPOSITORY_READER, data=PULL_DATA[:1]), kubelet_holds(REPOSITORY_READER)],
        "fail", "role-lacks-action"),
    "by repository, the admin user is no way round": (
        using(registry(roleAssignmentMode="AbacRepositoryPermissions", adminUserEnabled=True)), "fail", "no-grant"),
    "by repository, for some repositories": (
        [*using(BY_REPOSITORY), READS_DATA, kubelet_holds(REPOSITORY_READER, condition=REPOSITORY_CONDITION)],
        "unknown", "condition"),
    "by repository, a group's members unread": (
        [*using(BY_REPOSITORY), READS_DATA, grant(GROUP, REPOSITORY_READER, on=IMAGES, kind="Group")],
        "unknown", "group-membership"),
    "assignments unread": ([*using(), TABLE_UNREAD], "unknown", "assignments-unread"),
    "assignments unread, anonymous pulling": ([*using(ANONYMOUS), TABLE_UNREAD], "unknown", "assignments-unread"),
    "masked": ([*using(on=MASKED), kubelet_holds()], "unknown", "masked"),
    "identity not in the data": ([*using(on=SHORT), kubelet_holds()], "unknown", "identity-unreadable"),
    "no Microsoft Graph": ([*using(on=PRINCIPALS)], "unknown", "graph-not-permitted"),
    "registry unread": ([*using(HUB_REGISTRY), grant(KUBELET, ACR_PULL, on=HUB_REGISTRY)],
                        "unknown", "registry-unread"),
    "registry unread, granted either way": (
        [*using(HUB_REGISTRY), READS_DATA, kubelet_holds(on=HUB_REGISTRY),
         kubelet_holds(REPOSITORY_READER, on=HUB_REGISTRY)],
        "pass", "granted"),
    "a mode of tomorrow": ([*using(NEW_MODE), kubelet_holds()], "unknown", "mode-unknown"),
    "workspace without a registry": (using(None), "not-applicable", "no-registry"),
    "not attached": ([ML, workspace(registry=IMAGES)], "not-applicable", "no-registry"),
    "attachment unread": (
        [ML, workspace(registry=IMAGES), gap(workspace().id, "microsoft.machinelearningservices/workspaces/computes")],
        "unknown", "registries-unread"),
}  # fmt: skip


@pytest.mark.parametrize(("estate", "outcome", "reason"), CASES.values(), ids=CASES)
def test_outcome(estate: list[Thing], outcome: str, reason: str) -> None:
    assert outcomes(audit(CHECK, estate)) == [(outcome, reason)]


def test_a_group_that_is_known_to_hold_the_identity_grants() -> None:
    group = grant(GROUP, ACR_PULL, on=IMAGES, kind="Group")
    assert outcomes(audit(CHECK, using(), group, member(GROUP, KUBELET))) == [("pass", "granted")]


def test_what_is_no_id_cannot_be_asked_about() -> None:
    found = audit(CHECK, ML, configured=Configured(registries=("images.azurecr.io",)))
    assert outcomes(found) == [("unknown", "not-an-id")]


def test_each_registry_has_a_finding_of_its_own() -> None:
    more = registry("more")
    found = audit(CHECK, using(), more, kubelet_holds(), configured=Configured(registries=(more.id,)))
    assert outcomes(found) == [("fail", "role-on-other-scope"), ("pass", "granted")]
    assert {finding.part for finding in found} == {IMAGES.id.casefold(), more.id.casefold()}


def test_the_command_names_the_role_that_the_mode_honours() -> None:
    [classic] = audit(CHECK, using())
    assert [command.argv[:3] for command in classic.remediation.commands] == [
        ("az", "aks", "update"),
        ("az", "role", "assignment"),
    ]
    [by_repository] = audit(CHECK, using(BY_REPOSITORY), kubelet_holds())
    [command] = by_repository.remediation.commands
    assert REPOSITORY_READER in command.argv
    assert KUBELET in command.argv
