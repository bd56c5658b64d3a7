"""nsg-acr-outbound: what the rules do with packets to the registry, not what they are called."""

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
    private_endpoint,
    private_zone,
    registry,
    replication,
    service_tags,
    subnet,
    vnet,
    workspace,
)

CHECK = "nsg-acr-outbound"
TAGS = service_tags(
    AzureContainerRegistry=["20.1.0.0/16", "20.2.0.0/16", "20.9.0.0/24"],
    AzureContainerRegistry__EastUS2=["20.1.0.0/16"],
    AzureContainerRegistry__WestEurope=["20.2.0.0/16"],
    AzureCloud=["20.0.0.0/8"],
    AzureCloud__eastus2=["20.1.0.0/16"],
    Storage=["20.64.0.0/16"],
)
TAG = "AzureContainerRegistry.EastUS2"
GLOBAL = "AzureContainerRegistry"
DENY = deny_out(200, to="Internet", name="deny-internet")
DENY_ALL = deny_out(4096, to="*", name="deny-all")


def estate(*rules: Body, tags: Thing | None = TAGS, **more: Any) -> list[Thing]:
    made = cluster(nodes=subnet(nsg=nsg("fence", *rules), **more))
    return [*attached(made, registry=registry()), *([tags] if tags else [])]


def replicated(*rules: Body) -> list[Thing]:
    images = registry()
    made = cluster(nodes=subnet(nsg=nsg("fence", *rules)))
    return [*attached(made, registry=images), replication(images, "westeurope"), TAGS]


def privately(*rules: Body, status: str = "Approved", network: str = "net", zone: bool = True) -> list[Thing]:
    images = registry(publicNetworkAccess="Disabled")
    net = vnet("net")
    linked = private_zone("privatelink.azurecr.io", net) if zone else None
    made = cluster(nodes=subnet(nsg=nsg("fence", *rules)))
    into = subnet("endpoints", "10.0.200.0/24", vnet=network)
    endpoint = private_endpoint("pe", to=images, into=into, group_id="registry", status=status, zone=linked)
    return [net, *attached(made, registry=images), endpoint, TAGS]


def isolated() -> list[Thing]:
    made = cluster(nodes=subnet(nsg=nsg("fence", DENY)), bootstrapProfile={"artifactSource": "Cache"})
    return attached(made, registry=registry())


def half_isolated() -> list[Thing]:
    """Two clusters in one subnet, of which one pulls from a cache of its own."""
    nodes = subnet(nsg=nsg("fence", DENY))
    cached = cluster("cached", nodes=nodes, bootstrapProfile={"artifactSource": "Cache"})
    return [*attached(cached, registry=registry()), cluster("open", nodes=nodes), TAGS]


def node_group(*rules: Body) -> list[Thing]:
    return [*estate(allow_out(100, to=TAG)), nsg("aks-agentpool-1-nsg", *rules, group="mc")]


def on_interfaces(group: Thing) -> Thing:
    group.rows[0]["properties"]["networkInterfaces"] = [{"id": f"{group.id}-nic"}]
    return group


def on_a_subnet(group: Thing) -> Thing:
    group.rows[0]["properties"]["subnets"] = [{"id": subnet("other").id}]
    return group


CASES = {
    "no group": ([*attached(cluster(nodes=subnet()), registry=registry()), TAGS], "pass", "no-nsg"),
    "default rules": (estate(), "pass", "default-rules"),
    "regional tag above a deny": (estate(allow_out(100, to=TAG), DENY), "pass", "allowed"),
    "global tag": (estate(allow_out(100, to=GLOBAL), DENY_ALL), "pass", "allowed"),
    "odd casing, wide ports": (
        estate(allow_out(100, to=TAG.upper(), ports="400-500", protocol="TCP"), DENY), "pass", "allowed"),
    "prefixes split in two rules": (
        estate(allow_out(100, to="20.1.0.0/17"), allow_out(101, to="20.1.128.0/17"), DENY), "warn", "frozen"),
    "literal prefixes": (estate(allow_out(100, to=["20.1.0.0/16"]), DENY), "warn", "frozen"),
    "AzureCloud": (estate(allow_out(100, to="AzureCloud"), DENY), "warn", "broad"),
    "allow all above a deny": (estate(allow_out(100, to="*"), DENY), "warn", "broad"),
    "shadowed by a deny": (estate(DENY, allow_out(300, to=TAG)), "fail", "denied"),
    "deny all": (estate(DENY_ALL), "fail", "denied"),
    "another region's tag": (
        estate(allow_out(100, to="AzureContainerRegistry.WestEurope"), DENY), "fail", "denied"),
    "wrong port": (estate(allow_out(100, to=TAG, ports="80"), DENY), "fail", "denied"),
    "wrong protocol": (estate(allow_out(100, to=TAG, protocol="Udp"), DENY), "fail", "denied"),
    "allow for inbound": (
        estate({**allow_out(100, to=TAG), "properties": {**allow_out(100, to=TAG)["properties"],
                "direction": "Inbound"}}, DENY), "fail", "denied"),
    "part of the prefixes": (estate(allow_out(100, to="20.1.0.0/17"), DENY), "fail", "partial"),
    "part of the subnet": (estate(allow_out(100, to=TAG, of="10.0.0.0/24"), DENY), "fail", "partial"),
    "denied on the interfaces": (node_group(DENY), "fail", "denied"),
    "a group of another name in the node group": (
        [*estate(allow_out(100, to=TAG)), nsg("mine", DENY, group="mc")], "unknown", "undecided-group-unread"),
    "a group of another name, shown on the interfaces": (
        [*estate(allow_out(100, to=TAG)), on_interfaces(nsg("mine", DENY, group="mc"))], "fail", "denied"),
    "a group in the node group that is on a subnet only": (
        [*estate(allow_out(100, to=TAG)), on_a_subnet(nsg("mine", DENY, group="mc"))], "pass", "allowed"),
    "both groups allow": (node_group(), "pass", "allowed"),
    "a replica's region denied": (replicated(allow_out(100, to=TAG), DENY), "fail", "denied"),
    "replicas allowed": (replicated(allow_out(100, to=GLOBAL), DENY), "pass", "allowed"),
    "no tag data, tag by name": (estate(allow_out(100, to=TAG), DENY, tags=None), "pass", "allowed"),
    "no tag data, shadowed": (estate(DENY, allow_out(300, to=TAG), tags=None), "fail", "denied"),
    "no tag data, literal prefixes": (
        estate(allow_out(100, to="20.1.0.0/16"), DENY, tags=None), "unknown", "undecided-prefix-against-tag"),
    "unknown tag above": (
        estate(deny_out(100, to="NobodyPublished"), allow_out(110, to=TAG), DENY),
        "unknown", "undecided-unknown-tag"),
    "unknown tag below": (
        estate(allow_out(100, to=TAG), deny_out(150, to="NobodyPublished"), DENY), "pass", "allowed"),
    "broken prefix above": (
        estate(deny_out(100, to="111"), allow_out(110, to=TAG), DENY), "unknown", "undecided-prefix-unparsable"),
    "private endpoint": (privately(DENY), "pass", "private-endpoint"),
    "private endpoint behind a deny": (
        privately(deny_out(100, to="VirtualNetwork")), "fail", "denied"),
    "private endpoint, its name still public": (privately(DENY, zone=False), "fail", "denied"),
    "private endpoint elsewhere": (privately(DENY, network="island"), "fail", "denied"),
    "private endpoint pending": (privately(DENY, status="Pending"), "fail", "denied"),
    "group unreadable": (
        [*attached(cluster(nodes=subnet(nsg=nsg("fence").unread())), registry=registry()), TAGS],
        "unknown", "undecided-group-unread"),
    "subnet unreadable": (
        attached(cluster(nodes=subnet(readable=False)), registry=registry()), "unknown", "subnet-unread"),
    "registry unreadable": (
        attached(cluster(nodes=subnet()), registry=registry().unread()), "unknown", "registry-unread"),
    "no workspace, own region": ([cluster(nodes=subnet(nsg=nsg("fence", DENY))), TAGS], "fail", "denied"),
    "workspaces unread": (
        [cluster(nodes=subnet()), TAGS, gap("/", "microsoft.machinelearningservices/workspaces")],
        "unknown", "registry-unread"),
    "one of two clusters is isolated": (half_isolated(), "fail", "denied"),
    "network isolated": (isolated(), "not-applicable", "network-isolated"),
}  # fmt: skip


@pytest.mark.parametrize(("things", "outcome", "reason"), CASES.values(), ids=CASES)
def test_outcome(things: list[Thing], outcome: str, reason: str) -> None:
    assert outcomes(audit(CHECK, things)) == [(outcome, reason)]


def test_a_failure_names_packet_rule_and_a_command_above_the_deny() -> None:
    [finding] = audit(CHECK, estate(DENY, allow_out(199, to=TAG, ports="80")))
    assert "tcp 10.0.0.0:1024 -> 20.1.0.0:443" in finding.message
    assert "deny-internet" in finding.message
    [command] = finding.remediation.commands
    assert "--priority 198" in command.text
    assert TAG in command.text


def test_container_groups_are_judged_too() -> None:
    into = subnet("aci", delegated_to=ACI, nsg=nsg("fence", DENY))
    found = audit(CHECK, container_group(into=into), workspace(registry=registry()), TAGS)
    assert outcomes(found) == [("fail", "denied")]
    assert found[0].resource.name == "aci"


def test_equal_effects_of_different_rules_are_equal() -> None:
    [one] = audit(CHECK, estate(allow_out(100, to=TAG), DENY))
    [other] = audit(CHECK, estate(allow_out(110, to=["20.1.0.0/17", "20.1.128.0/17"]), deny_out(300, to="Internet")))
    assert one.effect is not None
    assert other.effect is not None
    assert one.effect.digest == other.effect.digest


def test_peered_firewall_network_does_not_matter() -> None:
    made = cluster(nodes=subnet(nsg=nsg("fence", allow_out(100, to=TAG), DENY)))
    found = audit(CHECK, attached(made, registry=registry()), TAGS, vnet("net"))
    assert outcomes(found) == [("pass", "allowed")]
