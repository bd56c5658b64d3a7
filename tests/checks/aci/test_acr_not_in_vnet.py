"""aci-acr-not-in-vnet: endpoints, firewall rules and public access of the registry, seen from the group's network."""

from typing import Any

import pytest

from auditor.inventory import Configured
from tests.estate import (
    OTHER_SUB,
    Thing,
    arm,
    audit,
    container_group,
    gap,
    outcomes,
    peering,
    private_endpoint,
    registry,
    rg,
    subnet,
    vnet,
    workspace,
)

CHECK = "aci-acr-not-in-vnet"
HERE = subnet("aci", group="ml")
BESIDE = subnet("pe", "10.1.0.0/24", group="ml")
HUB = arm("hub", "Microsoft.Network/virtualNetworks", "hub")
ELSEWHERE = subnet("pe", "10.9.0.0/24", vnet="hub", group="hub")
PEERED = vnet(group="ml", peerings=[peering(HUB)])
PROFILE = arm("ml", "Microsoft.Network/networkProfiles", "old")
WORKSPACES = gap(rg("ml"), "microsoft.machinelearningservices/workspaces")
FOREIGN = arm("x", "Microsoft.Network/privateEndpoints", "foreign", OTHER_SUB)
REMOTE = arm("x", "Microsoft.ContainerRegistry/registries", "remote", OTHER_SUB)
IDENTITY = [{"server": "images.azurecr.io", "identity": "/subscriptions/x/id"}]


def images(**more: Any) -> Thing:
    return registry(privateEndpointConnections=more.pop("connections", []), **more)


def estate(of: Thing | str, *more: Thing, into: Any = HERE, **group: Any) -> list[Thing]:
    return [container_group(into=into, **group), workspace(registry=of), *more]


def endpoint(into: Any, status: str = "Approved") -> Thing:
    return private_endpoint("pe", to=registry().id, into=into, group_id="registry", status=status)


def rule(network_subnet: Thing) -> dict[str, Any]:
    rules = [{"id": network_subnet.id, "action": "Allow"}]
    return {"networkRuleSet": {"defaultAction": "Deny", "virtualNetworkRules": rules}}


def unseen() -> list[dict[str, Any]]:
    state = {"status": "Approved"}
    return [{"properties": {"privateEndpoint": {"id": FOREIGN}, "privateLinkServiceConnectionState": state}}]


OFF = {"publicNetworkAccess": "Disabled"}
TRUST = {"networkRuleBypassOptions": "AzureServices"}

CASES = {
    "public registry": (estate(images()), "pass", "not-in-network"),
    "an endpoint in an unrelated network": (estate(images(), endpoint(ELSEWHERE)), "pass", "not-in-network"),
    "endpoint in the network": (estate(images(), endpoint(BESIDE)), "fail", "endpoint-in-network"),
    "pending endpoint": (estate(images(), endpoint(BESIDE, "Pending")), "pass", "not-in-network"),
    "endpoint in a peer": (estate(images(), endpoint(ELSEWHERE), PEERED), "warn", "endpoint-in-peer"),
    "rule in the network": (estate(images(**rule(HERE))), "fail", "rule-in-network"),
    "rule in another network": (estate(images(**rule(ELSEWHERE))), "pass", "not-in-network"),
    "public access disabled": (estate(images(**OFF)), "fail", "public-access-off"),
    "public access disabled is worse than a peer": (
        estate(images(**OFF), endpoint(ELSEWHERE), PEERED), "fail", "public-access-off"),
    "trusted pull": (
        estate(images(**TRUST), endpoint(BESIDE), imageRegistryCredentials=IDENTITY), "warn", "trusted-pull"),
    "trusted, but pulls by a password": (
        estate(images(**TRUST), endpoint(BESIDE), imageRegistryCredentials=[{"server": "images.azurecr.io"}]),
        "fail", "endpoint-in-network"),
    "identity, but nobody is trusted": (
        estate(images(networkRuleBypassOptions="None", **OFF), imageRegistryCredentials=IDENTITY),
        "fail", "public-access-off"),
    "identity for another registry": (
        estate(images(**TRUST, **OFF), imageRegistryCredentials=[{"server": "other.azurecr.io", "identity": "/x"}]),
        "fail", "public-access-off"),
    "public access not in the data": (estate(images(publicNetworkAccess=None)), "unknown", "path-unread"),
    "endpoint unseen": (estate(images(connections=unseen())), "unknown", "path-unread"),
    "endpoint unseen, but public access is off": (
        estate(images(connections=unseen(), **OFF)), "fail", "public-access-off"),
    "registry unread": (estate(REMOTE), "unknown", "registry-unread"),
    "registry unread, endpoint seen": (
        estate(REMOTE, private_endpoint("pe", to=REMOTE, into=BESIDE, group_id="registry")),
        "fail", "endpoint-in-network"),
    "workspace without a registry": ([container_group(into=HERE), workspace()], "not-applicable", "no-registry"),
    "workspaces unread": ([container_group(into=HERE), WORKSPACES], "unknown", "workspace-unread"),
    "profile unreadable": ([container_group(networkProfile={"id": PROFILE})], "unknown", "network-profile-unread"),
    "public group": (estate(images(**OFF), into=None), "not-applicable", "no-vnet"),
}  # fmt: skip


@pytest.mark.parametrize(("things", "outcome", "reason"), CASES.values(), ids=CASES)
def test_outcome(things: list[Thing], outcome: str, reason: str) -> None:
    assert outcomes(audit(CHECK, things)) == [(outcome, reason)]


def test_a_configured_registry_is_judged_too() -> None:
    configured = Configured(registries=(registry().id,))
    found = audit(CHECK, container_group(into=HERE), images(**OFF), configured=configured)
    assert outcomes(found) == [("fail", "public-access-off")]
    assert found[0].part == registry().id.casefold()
