"""nsg-acr-outbound: what the rules do with packets to the registry, not what they are called."""

from typing import Any

import pytest

from auditor.findings import Command
from tests.estate import (
    ACI,
    SUB,
    Body,
    Thing,
    admin_rule,
    admin_rules,
    allow_out,
    asg,
    attached,
    audit,
    cluster,
    compute,
    container_group,
    deny_out,
    gap,
    interface,
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


def value(command: Command, option: str) -> str:
    """What follows an option of a command."""
    return command.argv[command.argv.index(option) + 1]


def grouped(*more: Thing, endpoint: bool = True) -> list[Thing]:
    """A deny to an application security group, which the registry's private endpoint is in or not."""
    group = asg()
    to = [{"id": group.id}]
    things = privately(deny_out(100, to="", destinationApplicationSecurityGroups=to))
    if endpoint:
        things[-2].rows[0]["properties"]["applicationSecurityGroups"] = to
    return [*things, group, *more]


MACHINES = "/subscriptions/{sub}/resourceGroups/{group}/providers/Microsoft.Compute/virtualMachineScaleSets/{name}"


def machines(*more: Thing, group: str = "build", member: bool = False, elsewhere: bool = False) -> list[Thing]:
    """As `grouped`, with the machines of a scale set in a subnet of the network, or of another one."""
    scale_set = MACHINES.format(sub=SUB, group=group, name="agents")
    inside = {"id": f"{scale_set}/virtualMachines/0/networkInterfaces/nic/ipConfigurations/one"}
    things = grouped(*more, endpoint=False)
    home = "far" if elsewhere else "net"
    things.append(subnet("agents", "10.0.210.0/24", ipConfigurations=[inside], vnet=home))
    if elsewhere:
        things.append(vnet("far", region="westeurope"))
    if member:
        things.append(interface("web", "10.0.9.9", into=subnet("web", "10.0.9.0/24"), groups=[asg()]))
    return things


def managed(*rules: Body, access: str = "", named: bool = True, **rule: Any) -> list[Thing]:
    """The registry's tag under what a network manager imposes."""
    network = vnet("net")
    return [network, *estate(*rules), admin_rules(network, admin_rule(10, access, **rule), named=named)]


def project(*rules: Body, hub_read: bool = True) -> list[Thing]:
    """A cluster attached to a project, whose hub has the registry, in another region than the cluster."""
    hub = workspace("hub", registry=registry(region="westeurope"))
    made = cluster(nodes=subnet(nsg=nsg("fence", *rules)))
    return [*attached(made, hubResourceId=hub.id), hub if hub_read else hub.unread(), TAGS]


def homeless() -> Thing:
    """A replica of the registry, of whose region the data say nothing."""
    made = replication(registry(), "westeurope")
    del made.rows[0]["location"]
    return made


def isolated(*, workspace: bool = True, **profile: str) -> list[Thing]:
    """A cluster that takes what AKS needs from a cache and has no way out, attached to a workspace or not."""
    cached = profile or {"artifactSource": "Cache"}
    made = cluster(nodes=subnet(nsg=nsg("fence", DENY)), bootstrapProfile=cached, network={"outboundType": "none"})
    return [*(attached(made, registry=registry()) if workspace else [made]), TAGS]


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
    "private endpoint in a denied application security group": (grouped(), "fail", "denied"),
    "machines of a scale set that may be in the denied group": (machines(), "unknown", "undecided-asg-unread"),
    "machines of an agent pool, which places none": (machines(group="MC"), "pass", "private-endpoint"),
    "machines of a scale set in another region": (machines(elsewhere=True), "pass", "private-endpoint"),
    "machines of a scale set beside members in their network": (
        machines(member=True), "unknown", "undecided-asg-unread"),
    "source ports of clients only": (
        estate(allow_out(100, to=TAG, ports="443", sourcePortRange="1024-65535"), DENY), "pass", "allowed"),
    "source ports of few clients": (
        estate(allow_out(100, to=TAG, ports="443", sourcePortRange="32768-60999"), DENY), "fail", "partial"),
    "a deny for source ports that no client has": (
        estate(deny_out(100, to=TAG, sourcePortRange="0-1023")), "pass", "default-rules"),
    "a deny for the source ports of all clients": (
        estate(deny_out(100, to=TAG, sourcePortRange="1024-65535")), "fail", "denied"),
    "a denied application security group of others": (
        grouped(interface("vm", "10.0.200.9", into=subnet("endpoints", "10.0.200.0/24"), groups=[asg()]),
                endpoint=False), "pass", "private-endpoint"),
    "a denied application security group, interfaces unread": (
        grouped(gap(f"/subscriptions/{SUB}", "microsoft.network/networkinterfaces"), endpoint=False),
        "unknown", "undecided-asg-unread"),
    "denied by a network manager": (managed(access="Deny"), "fail", "denied"),
    "denied by a network manager, in a row whose id alone names the network": (
        managed(access="Deny", named=False), "fail", "denied"),
    "let through by a network manager": (managed(DENY, access="AlwaysAllow"), "pass", "allowed"),
    "let through by a network manager for members of a network group": (
        managed(DENY, access="AlwaysAllow", sources=[{"addressPrefixType": "NetworkGroup"}]),
        "unknown", "undecided-prefix-unparsable"),
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
    "a project uses its hub's registry": (project(allow_out(100, to=TAG), DENY), "fail", "denied"),
    "a project whose hub is unread": (
        project(allow_out(100, to=TAG), DENY, hub_read=False), "unknown", "registry-unread"),
    "a replica without a region": (
        [*estate(allow_out(100, to=TAG), DENY), homeless()], "unknown", "registry-unread"),
    "network isolated, which the model's image is not": (isolated(), "fail", "denied"),
    "network isolated, no workspace": (isolated(workspace=False), "not-applicable", "network-isolated"),
    "no outbound type, but no cache either": (
        isolated(workspace=False, artifactSource="Direct"), "fail", "denied"),
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


def test_each_region_gets_a_rule_of_its_own() -> None:
    images = registry(region="westeurope")
    made = cluster(nodes=subnet(nsg=nsg("fence", DENY)))
    also = workspace("second", registry=registry("more"))
    found = audit(CHECK, attached(made, registry=images), also, compute(made, of=also, name="k8s"), TAGS)
    commands = [command for finding in found for command in finding.remediation.commands]
    assert {value(command, "-n") for command in commands} == {
        "AllowContainerRegistry-EastUS2", "AllowContainerRegistry-WestEurope",
    }  # fmt: skip
    assert {value(command, "--priority") for command in commands} == {"198", "199"}


def test_a_registry_with_a_replica_gets_a_rule_for_each_region() -> None:
    [finding] = audit(CHECK, replicated(DENY))
    assert {value(command, "--destination-address-prefixes") for command in finding.remediation.commands} == {
        TAG, "AzureContainerRegistry.WestEurope",
    }  # fmt: skip


def test_a_new_rule_takes_no_name_that_the_group_has() -> None:
    old = allow_out(150, to="AzureContainerRegistry.WestEurope", name="allowcontainerregistry-eastus2")
    [finding] = audit(CHECK, estate(old, DENY))
    [command] = finding.remediation.commands
    assert value(command, "-n") == "AllowContainerRegistry-EastUS2-2"


def test_all_addresses_of_a_private_endpoint_are_allowed() -> None:
    fence = privately(deny_out(200, to="VirtualNetwork"))
    settings = fence[-2].rows[0]["properties"]["customDnsConfigs"]
    settings.append({"fqdn": "images.eastus2.data", "ipAddresses": ["10.0.200.7"]})
    [finding] = audit(CHECK, fence)
    [command] = finding.remediation.commands
    assert "--destination-address-prefixes 10.0.200.4 10.0.200.7 --" in command.text


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
