"""nsg-intra-cluster: both directions at each subnet; overlay pods by custom rules alone."""

from typing import Any

import pytest

from tests.estate import (
    Body,
    Thing,
    allow_in,
    allow_out,
    attached,
    audit,
    cluster,
    container_group,
    deny_in,
    deny_out,
    nsg,
    outcomes,
    pool,
    subnet,
    vnet,
)

CHECK = "nsg-intra-cluster"
VNET = "VirtualNetwork"
PODS = "192.168.0.0/16"
FLAT: dict[str, Any] = {"networkPluginMode": None, "podCidr": None, "podCidrs": None}
DEFAULT, ALLOWED, DENIED = ("pass", "default-rules"), ("pass", "allowed"), ("fail", "denied")
UNREAD = ("unknown", "range-unread")


def overlay(*rules: Body, **more: Any) -> list[Thing]:
    return attached(cluster(nodes=subnet(nsg=nsg("fence", *rules)), **more))


def flat(*rules: Body) -> list[Thing]:
    """Pods have addresses of the node subnet."""
    return attached(cluster(nodes=subnet(nsg=nsg("fence", *rules)), network=FLAT))


def with_pods(on_nodes: tuple[Body, ...] = (), on_pods: tuple[Body, ...] = ()) -> list[Thing]:
    nodes = subnet("nodes", "10.0.0.0/24", nsg=nsg("node-fence", *on_nodes))
    pods = subnet("pods", "10.0.16.0/20", nsg=nsg("pod-fence", *on_pods))
    return attached(cluster(nodes=nodes, pods=pods, network=FLAT))


def two_pools(*rules: Body, readable: bool = True) -> list[Thing]:
    first = subnet("first", "10.0.0.0/24", nsg=nsg("fence", *rules))
    second = subnet("second", "10.0.1.0/24", vnet="net" if readable else "other", readable=readable)
    made = cluster(pools=[pool(first, name="one"), pool(second, name="two")], network=FLAT, parts=[first, second])
    return attached(made)


def integrated(on_nodes: tuple[Body, ...] = (), on_servers: tuple[Body, ...] = ()) -> list[Thing]:
    servers = subnet("apiserver", "10.0.8.0/28", nsg=nsg("api-fence", *on_servers))
    nodes = subnet("nodes", "10.0.0.0/24", nsg=nsg("node-fence", *on_nodes))
    api = {"enableVnetIntegration": True, "subnetId": servers.id}
    return attached(cluster(nodes=nodes, network=FLAT, api_server=api, parts=[servers]))


def interfaces(*rules: Body) -> list[Thing]:
    return [*overlay(), nsg("aks-agentpool-1-nsg", *rules, group="mc")]


OWN = "10.0.0.0/22"
THREE = (
    allow_out(100, of=OWN, to=OWN),
    allow_out(101, of=OWN, to=PODS),
    allow_out(102, of=PODS, to=PODS),
    deny_out(4000),
)

CASES: dict[str, tuple[list[Thing], list[tuple[str, str]]]] = {
    "no group": (attached(cluster(nodes=subnet())), [("pass", "no-nsg")] * 3),
    "default rules": (overlay(), [DEFAULT] * 3),
    "the three allows that the page asks for": (overlay(*THREE), [ALLOWED] * 3),
    "deny all without them": (overlay(deny_out(4000)), [DENIED] * 3),
    "overlay pods fall through to the default rules": (overlay(deny_out(4000, to="Internet", of=OWN)), [DEFAULT] * 3),
    "custom deny of pods": (overlay(deny_out(100, of=PODS)), [DENIED, DEFAULT, DEFAULT]),
    "node to pod without pod to pod": (overlay(*THREE[:2], THREE[3]), [DENIED, ALLOWED, ALLOWED]),
    "deny below 4096 only counts where it matches": (overlay(deny_in(4096, of="Internet")), [DEFAULT] * 3),
    "micro-segmentation, inbound": (
        overlay(allow_in(100, of=VNET, ports=["80", "443"], protocol="Tcp"), deny_in(4000, of=VNET)),
        [("fail", "partly-denied"), ("fail", "partly-denied"), DEFAULT]),
    "micro-segmentation, outbound": (overlay(deny_out(100, of=VNET, to=VNET)), [DENIED, DEFAULT, DEFAULT]),
    "one protocol denied": (overlay(deny_in(100, of=OWN, protocol="Icmp")), [
        ("fail", "partly-denied"), ("fail", "partly-denied"), DEFAULT]),
    "Internet denied only": (overlay(deny_out(100, to="Internet")), [DEFAULT] * 3),
    "kubenet pods like overlay": (
        overlay(network={"networkPlugin": "kubenet", "networkPluginMode": None}), [DEFAULT] * 3),
    "pods in the node subnet": (flat(), [DEFAULT]),
    "pods in the node subnet, deny": (flat(deny_in(100, of=VNET)), [DENIED]),
    "pod subnet": (with_pods(), [DEFAULT] * 4),
    "nodes do not reach pods": (
        with_pods(on_nodes=(deny_out(100, to="10.0.16.0/20"),)), [DENIED, DEFAULT, DEFAULT, DEFAULT]),
    "pods do not let nodes in": (
        with_pods(on_pods=(deny_in(100, of="10.0.0.0/24"),)), [DENIED, DEFAULT, DEFAULT, DEFAULT]),
    "pods do not reach pods": (
        with_pods(on_pods=(deny_out(100, of="10.0.16.0/20", to=VNET),)), [DENIED, DEFAULT, DEFAULT, DEFAULT]),
    "two node subnets, one cut off": (
        two_pools(deny_out(100, to="10.0.1.0/24")), [("fail", "partly-denied"), ("pass", "no-nsg")]),
    "two node subnets, one unread": (two_pools(readable=False), [UNREAD, ("unknown", "subnet-unread")]),
    "denied, whatever the unread subnet is": (
        two_pools(deny_out(100), readable=False), [DENIED, ("unknown", "subnet-unread")]),
    "API server subnet": (integrated(), [DEFAULT] * 3),
    "nodes do not reach the API server": (
        integrated(on_nodes=(deny_out(100, to="10.0.8.0/28", ports="443"),)),
        [("fail", "partly-denied"), DEFAULT, DEFAULT]),
    "the API server lets nobody in": (
        integrated(on_servers=(deny_in(100, of=VNET),)), [DENIED, DEFAULT, DEFAULT]),
    "the API server lets 443 in, not 4443": (
        integrated(on_servers=(allow_in(100, of=VNET, ports="443"), deny_in(200, of=VNET))),
        [("fail", "partly-denied"), DEFAULT, DEFAULT]),
    "denied on the interfaces": (interfaces(deny_in(100, of=OWN)), [DENIED, DENIED, DEFAULT]),
    "pod range missing": (overlay(network={"podCidr": None, "podCidrs": None}), [DEFAULT, UNREAD, UNREAD]),
    "pod range broken": (overlay(network={"podCidr": "x", "podCidrs": None}), [DEFAULT, UNREAD, UNREAD]),
    "unknown tag denied": (overlay(deny_out(100, to="NobodyPublished")), [("unknown", "undecided")] * 3),
    "group unread": (
        attached(cluster(nodes=subnet(nsg=nsg("fence").unread()))), [("unknown", "undecided")] * 3),
    "subnet unread": (attached(cluster(nodes=subnet(readable=False))), [("unknown", "subnet-unread")]),
}  # fmt: skip


@pytest.mark.parametrize(("things", "wanted"), CASES.values(), ids=CASES)
def test_outcome(things: list[Thing], wanted: list[tuple[str, str]]) -> None:
    assert outcomes(audit(CHECK, things)) == sorted(wanted)


def test_a_failure_names_packet_rule_and_a_command_above_the_deny() -> None:
    found = {finding.part: finding for finding in audit(CHECK, overlay(deny_in(200, of=OWN, name="apart")))}
    finding = found["node-to-node"]
    assert "apart (200)" in finding.message
    [command] = finding.remediation.commands
    assert "--direction Inbound" in command.text
    assert "--priority 199" in command.text
    assert f"--source-address-prefixes {OWN}" in command.text


def test_clusters_on_one_subnet_get_a_rule_each_and_both_directions() -> None:
    cut = [deny_out(200, to="192.168.0.0/15"), deny_in(200, of="192.168.0.0/15")]
    shared = subnet(nsg=nsg("fence", *cut))
    one = cluster("one", nodes=shared, node_group="mc-one")
    network = {"podCidr": "192.169.0.0/16", "podCidrs": None}
    other = cluster("other", nodes=shared, node_group="mc-other", network=network)
    found = {finding.part: finding for finding in audit(CHECK, one, other, vnet("net"))}
    commands = found["pod-to-pod"].remediation.commands
    rules = {(c.argv[c.argv.index("-n") + 1], c.argv[c.argv.index("--priority") + 1]) for c in commands}
    assert {name for name, _ in rules} == {
        f"Allow-pod-to-pod-{direction}-{first}"
        for direction in ("Inbound", "Outbound") for first in ("192.168.0.0", "192.169.0.0")
    }  # fmt: skip
    assert len(rules) == 4


def test_ranges_of_both_families_get_a_rule_each() -> None:
    """ARM takes no rule with prefixes of both families."""
    fence = nsg("fence", deny_in(200, of="*"))
    dual = subnet("nodes", ["10.0.0.0/24", "fd00:10::/64"], nsg=fence)
    around = vnet("net", prefixes=["10.0.0.0/16", "fd00:10::/56"])
    found = {finding.part: finding for finding in audit(CHECK, attached(cluster(nodes=dual, network=FLAT)), around)}
    commands = [command.text for command in found["node-to-node"].remediation.commands]
    assert len(commands) == 2
    assert "-n Allow-node-to-node-Inbound-10.0.0.0 --priority 199 " in commands[0]
    assert "--source-address-prefixes 10.0.0.0/24 --source-port" in commands[0]
    assert "--destination-address-prefixes 10.0.0.0/24 --destination-port" in commands[0]
    assert "-n Allow-node-to-node-Inbound-10.0.0.0-v6 --priority 198 " in commands[1]
    assert "--source-address-prefixes fd00:10::/64 --source-port" in commands[1]
    assert "--destination-address-prefixes fd00:10::/64 --destination-port" in commands[1]


def test_the_other_clusters_interfaces_do_not_count() -> None:
    shared = subnet(nsg=nsg("fence"))
    one = cluster("one", nodes=shared, node_group="mc-one")
    other = cluster("other", nodes=shared, node_group="mc-other", network={"podCidr": "192.169.0.0/16",
                    "podCidrs": None})  # fmt: skip
    fence = nsg("aks-agentpool-1-nsg", deny_in(100, of=PODS), group="mc-other")
    assert outcomes(audit(CHECK, one, other, fence, vnet("net"))) == [DEFAULT] * 3


def test_container_groups_are_not_judged() -> None:
    assert audit(CHECK, container_group(into=subnet("aci", nsg=nsg("fence", deny_in(100))))) == []
