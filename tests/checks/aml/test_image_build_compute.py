"""aml-image-build-compute: who builds images where registry tasks cannot."""

from typing import Any

import pytest

from tests.estate import OTHER_SUB, Thing, arm, audit, outcomes, registry, workspace

CHECK = "aml-image-build-compute"
OFF = registry(publicNetworkAccess="Disabled")
DENIES = registry(networkRuleSet={"defaultAction": "Deny", "ipRules": []})
OPEN = registry(networkRuleSet={"defaultAction": "Allow"})
BASIC = registry(sku="Basic")
NAMED: dict[str, Any] = {"imageBuildCompute": "cpu-build"}
ELSEWHERE = arm("ml", "Microsoft.ContainerRegistry/registries", "images", OTHER_SUB)


def isolated(rules: Any, mode: str = "AllowOnlyApprovedOutbound") -> dict[str, Any]:
    return {"managedNetwork": {"isolationMode": mode, "outboundRules": rules}}


def endpoint(to: str, status: str = "Active") -> dict[str, Any]:
    destination = {"serviceResourceId": to, "subresourceTarget": "registry"}
    return {"pe": {"type": "PrivateEndpoint", "status": status, "destination": destination}}


FQDN = {"names": {"type": "FQDN", "status": "Active", "destination": "example.com"}}
PROJECT = workspace("project", hubResourceId=workspace("hub").id)

CASES: dict[str, tuple[list[Thing], str, str]] = {
    "private, compute named": ([workspace(registry=OFF, **NAMED)], "pass", "compute-named"),
    "denies by default, compute named": ([workspace(registry=DENIES, **NAMED)], "pass", "compute-named"),
    "private, none named": ([workspace(registry=OFF)], "warn", "no-compute"),
    "private, an empty name": ([workspace(registry=OFF, imageBuildCompute="")], "warn", "no-compute"),
    "denies by default, none named": ([workspace(registry=DENIES)], "warn", "no-compute"),
    "open": ([workspace(registry=OPEN)], "not-applicable", "public-registry"),
    "Basic has no firewall": ([workspace(registry=BASIC)], "not-applicable", "public-registry"),
    "open, and named all the same": ([workspace(registry=OPEN, **NAMED)], "not-applicable", "public-registry"),
    "no registry": ([workspace()], "not-applicable", "no-registry"),
    "registry unread": ([workspace(registry=registry().unread())], "unknown", "registry-unread"),
    "registry not scanned": ([workspace(registry=ELSEWHERE)], "unknown", "registry-unread"),
    "registry unread, but named": ([workspace(registry=registry().unread(), **NAMED)], "pass", "compute-named"),
    "a default action unheard of": (
        [workspace(registry=registry(networkRuleSet={"defaultAction": "Ask"}))], "unknown", "registry-unread"),
    "perimeter": (
        [workspace(registry=registry(publicNetworkAccess="SecuredByPerimeter"))], "unknown", "registry-unread"),
    "managed network with the registry's endpoint": (
        [workspace(registry=OFF, **isolated(endpoint(OFF.id.upper().replace("/SUBSC", "/subsc"))))],
        "pass", "managed-network"),
    "managed network, endpoint pending": (
        [workspace(registry=OFF, **isolated(endpoint(OFF.id, "Inactive")))], "warn", "no-compute"),
    "managed network, another registry's endpoint": (
        [workspace(registry=OFF, **isolated(endpoint(OFF.id + "2")))], "warn", "no-compute"),
    "managed network, names only": ([workspace(registry=OFF, **isolated(FQDN))], "warn", "no-compute"),
    "managed network, rules unread": (
        [workspace(registry=OFF, **isolated(None))], "unknown", "managed-network-unread"),
    "managed network off": (
        [workspace(registry=OFF, **isolated(endpoint(OFF.id), "Disabled"))], "warn", "no-compute"),
    "a project whose hub was not read": ([PROJECT], "unknown", "hub-unread"),
}  # fmt: skip


@pytest.mark.parametrize(("things", "outcome", "reason"), CASES.values(), ids=CASES)
def test_outcome(things: list[Thing], outcome: str, reason: str) -> None:
    assert outcomes(audit(CHECK, things)) == [(outcome, reason)]


def test_a_project_has_its_hubs_registry_and_compute() -> None:
    found = {f.resource.name: f.reason for f in audit(CHECK, PROJECT, workspace("hub", registry=OFF, **NAMED))}
    assert found == {"project": "compute-named", "hub": "compute-named"}
