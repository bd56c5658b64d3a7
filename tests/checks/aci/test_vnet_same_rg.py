"""aci-vnet-same-rg: whole resource groups compared, per workspace that the container group belongs to."""

from typing import Any

import pytest

from tests.estate import (
    OTHER_SUB,
    SubnetThing,
    Thing,
    arm,
    audit,
    container_group,
    gap,
    outcomes,
    rg,
    subnet,
    workspace,
)

CHECK = "aci-vnet-same-rg"


def inside(group: str, **more: Any) -> SubnetThing:
    return subnet("aci", group=group, **more)


PROFILE = arm("ml", "Microsoft.Network/networkProfiles", "old")
WORKSPACES = gap(rg("ml"), "microsoft.machinelearningservices/workspaces")

CASES = {
    "same group": ([container_group(into=inside("ml")), workspace()], "pass", "same-resource-group"),
    "odd casing": ([container_group(into=inside("ML")), workspace()], "pass", "same-resource-group"),
    "other group": ([container_group(into=inside("net")), workspace()], "fail", "other-resource-group"),
    "a longer name": ([container_group(into=inside("ml-prod")), workspace()], "fail", "other-resource-group"),
    "a shorter name": ([container_group(into=inside("m")), workspace()], "fail", "other-resource-group"),
    "same name, other subscription": (
        [container_group(into=inside("ml", sub=OTHER_SUB)), workspace()], "fail", "other-resource-group"),
    "bound by a tag to a workspace elsewhere": (
        [container_group(into=inside("ml"), tags={"workspace": "far"}), workspace("far", group="far")],
        "fail", "other-resource-group"),
    "bound by a tag, same group": (
        [container_group(into=inside("far"), tags={"ws": "FAR"}), workspace("far", group="far")],
        "pass", "same-resource-group"),
    "no workspace": ([container_group(into=inside("ml"))], "warn", "no-workspace"),
    "workspaces unread": ([container_group(into=inside("ml")), WORKSPACES], "unknown", "workspace-unread"),
    "profile unreadable": (
        [container_group(networkProfile={"id": PROFILE}), workspace()], "unknown", "network-profile-unread"),
    "public": ([container_group(), workspace()], "not-applicable", "no-vnet"),
}  # fmt: skip


@pytest.mark.parametrize(("estate", "outcome", "reason"), CASES.values(), ids=CASES)
def test_outcome(estate: list[Thing], outcome: str, reason: str) -> None:
    assert outcomes(audit(CHECK, estate)) == [(outcome, reason)]


def test_several_workspaces_are_a_finding_each() -> None:
    near, far = workspace("near"), workspace("far", group="far")
    found = audit(CHECK, container_group(into=inside("ml"), tags={"ws": "far"}), near, far)
    assert {(f.part, str(f.outcome)) for f in found} == {(near.id.casefold(), "pass"), (far.id.casefold(), "fail")}


def test_another_network_without_a_deployment_is_no_cure() -> None:
    [finding] = audit(CHECK, container_group(into=inside("net")), workspace())
    assert (finding.outcome, finding.remediation.commands) == ("fail", ())
