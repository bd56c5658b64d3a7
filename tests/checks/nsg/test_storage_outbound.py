"""nsg-storage-outbound: layers follow the registry's region, models the workspace's account."""

from typing import Any

import pytest

from tests.estate import (
    ACI,
    Body,
    Thing,
    allow_out,
    attached,
    audit,
    cluster,
    container_group,
    deny_out,
    gap,
    nsg,
    outcomes,
    peering,
    private_endpoint,
    private_zone,
    registry,
    replication,
    service_tags,
    storage,
    subnet,
    vnet,
    workspace,
)

CHECK = "nsg-storage-outbound"
TAGS = service_tags(
    Storage=["20.64.0.0/16", "20.65.0.0/16", "30.0.0.0/18"],
    Storage__EastUS2=["20.64.0.0/16"],
    Storage__WestEurope=["20.65.0.0/16"],
    AzureContainerRegistry=["20.1.0.0/16"],
    AzureContainerRegistry__EastUS2=["20.1.0.0/16"],
    AzureCloud=["20.0.0.0/8"],
)
NO_REGIONS = service_tags(Storage=["20.64.0.0/16", "30.0.0.0/18"], AzureCloud=["20.0.0.0/8"])
MOSTLY_OUTSIDE = service_tags(Storage=["20.64.0.0/18", "30.0.0.0/16"], AzureCloud=["20.0.0.0/8"])
TAG = "Storage.EastUS2"
DENY = deny_out(1000, to="Internet", name="deny-internet")
ALLOW = allow_out(100, to=TAG)
PASS, DENIED = ("pass", "allowed"), ("fail", "denied")
HIDDEN = ("unknown", "private-endpoint-unread")
ZONE = "privatelink.blob.core.windows.net"


def nodes(*rules: Body) -> Thing:
    return cluster(nodes=subnet(nsg=nsg("fence", *rules)))


def estate(*rules: Body, tags: Thing | None = TAGS, images: Thing | None = None, **more: Any) -> list[Thing]:
    parts = attached(nodes(*rules), registry=images or registry(), storage=storage(**more))
    return [*parts, *([tags] if tags else [])]


def only_account(*rules: Body, account: Thing | None = None, **more: Any) -> list[Thing]:
    """An account without a registry: the registry's own part judges the region instead."""
    return [*attached(nodes(*rules), storage=account or storage(**more)), TAGS]


def privately(*rules: Body, zone: bool = True, dns: tuple[str, ...] = (), address: str = "10.0.200.4") -> list[Thing]:
    network = vnet("net", dns=dns)
    account = storage(publicNetworkAccess="Disabled")
    linked = private_zone(ZONE, network) if zone else None
    into = subnet("endpoints", "10.0.200.0/24")
    endpoint = private_endpoint("pe", to=account, into=into, group_id="blob", address=address, zone=linked)
    return [network, *attached(nodes(*rules), registry=registry(), storage=account), endpoint, TAGS]


def registry_endpoint(*rules: Body) -> list[Thing]:
    images = registry(publicNetworkAccess="Disabled")
    into = subnet("endpoints", "10.0.200.0/24")
    network = vnet("net")
    zone = private_zone("privatelink.azurecr.io", network)
    endpoint = private_endpoint("pe", to=images, into=into, group_id="registry", zone=zone)
    return [network, *attached(nodes(*rules), registry=images, storage=storage()), endpoint, TAGS]


def replicated(*rules: Body) -> list[Thing]:
    images = registry()
    return [*attached(nodes(*rules), registry=images, storage=storage()), replication(images, "westeurope"), TAGS]


def hidden_endpoint(*rules: Body, off: bool = False) -> list[Thing]:
    """The account names an approved endpoint in a subscription that was not read."""
    elsewhere = "/subscriptions/22222222-2222-2222-2222-222222222222/resourceGroups/x"
    endpoint = f"{elsewhere}/providers/Microsoft.Network/privateEndpoints/pe"
    state = {"privateLinkServiceConnectionState": {"status": "Approved"}, "privateEndpoint": {"id": endpoint}}
    account = storage(
        publicNetworkAccess="Disabled" if off else "Enabled", privateEndpointConnections=[{"properties": state}]
    )
    return only_account(*rules, account=account)


CASES: dict[str, tuple[list[Thing], list[tuple[str, str]]]] = {
    "no group": (
        [*attached(cluster(nodes=subnet()), registry=registry(), storage=storage()), TAGS], [("pass", "no-nsg")] * 2),
    "default rules": (estate(), [("pass", "default-rules")] * 2),
    "regional tag": (estate(ALLOW, DENY), [PASS] * 2),
    "global tag": (estate(allow_out(100, to="Storage"), DENY), [PASS] * 2),
    "denied": (estate(DENY), [DENIED] * 2),
    "shadowed": (estate(deny_out(100, to="*"), allow_out(200, to="Storage")), [DENIED] * 2),
    "registry in another region": (estate(ALLOW, DENY, images=registry(region="westeurope")), [DENIED, PASS]),
    "a replica's region": (replicated(ALLOW, DENY), [DENIED, PASS]),
    "all replicas": (replicated(allow_out(100, to="Storage"), DENY), [PASS] * 2),
    "AzureCloud contains the region's": (estate(allow_out(100, to="AzureCloud"), DENY), [PASS] * 2),
    "AzureCloud leaves out a few": (
        estate(allow_out(100, to="AzureCloud"), DENY, tags=NO_REGIONS), [("warn", "partial")] * 2),
    "AzureCloud leaves out most": (
        estate(allow_out(100, to="AzureCloud"), DENY, tags=MOSTLY_OUTSIDE), [("fail", "partial")] * 2),
    "literal prefixes leave out a few": (
        estate(allow_out(100, to="20.64.0.0/16"), DENY, tags=NO_REGIONS), [("fail", "partial")] * 2),
    "part of the prefixes": (estate(allow_out(100, to="20.64.0.0/17"), DENY), [("fail", "partial")] * 2),
    "literal prefixes": (estate(allow_out(100, to="20.64.0.0/16"), DENY), [("warn", "frozen")] * 2),
    "only for SMB": (estate(allow_out(100, to=TAG, ports="445"), DENY), [DENIED] * 2),
    "registry with data endpoints": (
        estate(DENY, images=registry(dataEndpointEnabled=True)), [DENIED, ("warn", "denied")]),
    "registry by private endpoint": (registry_endpoint(ALLOW, DENY), [PASS, ("pass", "private-endpoint")]),
    "account by private endpoint": (privately(DENY), [DENIED, ("pass", "private-endpoint")]),
    "private endpoint behind a deny": (
        privately(deny_out(200, to="10.0.200.0/24")), [DENIED, ("pass", "default-rules")]),
    "endpoint without a zone: the name is public": (privately(DENY, zone=False), [DENIED] * 2),
    "custom DNS servers are not seen through": (
        privately(DENY, zone=False, dns=("10.9.9.9",)), [DENIED, ("pass", "private-endpoint")]),
    "endpoint without an address": (
        privately(ALLOW, address=""), [PASS, ("unknown", "storage-unread")]),
    "endpoint unread, public denied": (hidden_endpoint(DENY), [DENIED, HIDDEN]),
    "endpoint unread, public allowed": (
        hidden_endpoint(ALLOW, DENY), [PASS, ("unknown", "storage-unread")]),
    "endpoint unread, account closed": (
        hidden_endpoint(ALLOW, DENY, off=True), [PASS, ("unknown", "storage-unread")]),
    "no registry: the own region": (only_account(ALLOW, DENY), [PASS] * 2),
    "no workspace: the own region": ([nodes(DENY), TAGS], [DENIED]),
    "account unread": (
        [*attached(nodes(), registry=registry(), storage=storage().unread()), TAGS],
        [("pass", "default-rules"), ("unknown", "storage-unread")]),
    "registry unread": (
        [*attached(nodes(), registry=registry().unread(),
                   storage=storage(privateEndpointConnections=[])), TAGS],
        [("pass", "default-rules"), ("unknown", "storage-unread")]),
    "workspaces unread": (
        [nodes(), TAGS, gap("/", "microsoft.machinelearningservices/workspaces")], [("unknown", "storage-unread")]),
    "no tag data, by name": (estate(ALLOW, DENY, tags=None), [PASS] * 2),
    "no tag data, literal prefixes": (
        estate(allow_out(100, to="20.64.0.0/16"), DENY, tags=None), [("unknown", "undecided-prefix-against-tag")] * 2),
    "group unread": (
        [*attached(cluster(nodes=subnet(nsg=nsg("fence").unread())), registry=registry(), storage=storage()), TAGS],
        [("unknown", "undecided-group-unread")] * 2),
    "subnet unread": (attached(cluster(nodes=subnet(readable=False))), [("unknown", "subnet-unread")]),
}  # fmt: skip


@pytest.mark.parametrize(("things", "wanted"), CASES.values(), ids=CASES)
def test_outcome(things: list[Thing], wanted: list[tuple[str, str]]) -> None:
    assert outcomes(audit(CHECK, things)) == wanted


def test_parts_are_registry_and_account() -> None:
    found = {finding.part: finding for finding in audit(CHECK, estate(DENY))}
    assert sorted((part or "").rsplit("/", 1)[-1] for part in found) == ["images", "models"]
    for finding in found.values():
        [command] = finding.remediation.commands
        assert f"--destination-address-prefixes {TAG}" in command.text


def test_a_pass_by_the_tag_says_that_others_accounts_are_open_too() -> None:
    for finding in audit(CHECK, estate(ALLOW, DENY)):
        assert any("not yours alone" in evidence.note for evidence in finding.evidence)
    by_endpoint = [finding for finding in audit(CHECK, privately()) if finding.reason == "private-endpoint"]
    assert not any("not yours alone" in evidence.note for finding in by_endpoint for evidence in finding.evidence)


def test_an_endpoint_in_a_peered_network_counts() -> None:
    hub = vnet("hub", prefixes=["10.99.0.0/16"])
    net = vnet("net", prefixes=["10.0.0.0/16"], peerings=[peering(hub)])
    account = storage()
    into = subnet("endpoints", "10.99.0.0/24", vnet="hub")
    zone = private_zone(ZONE, net)
    endpoint = private_endpoint("pe", to=account, into=into, group_id="blob", address="10.99.0.4", zone=zone)
    found = audit(CHECK, hub, net, attached(nodes(DENY), registry=registry(), storage=account), endpoint, TAGS)
    assert outcomes(found) == [DENIED, ("pass", "private-endpoint")]


def test_container_groups_are_judged_too() -> None:
    into = subnet("aci", delegated_to=ACI, nsg=nsg("fence", DENY))
    ws = workspace(registry=registry(), storage=storage())
    assert outcomes(audit(CHECK, container_group(into=into), ws, TAGS)) == [DENIED] * 2
