"""nsg-lb-probe-inbound: probes come from an address that VirtualNetwork holds and that Internet may hold."""

from collections.abc import Sequence

import pytest

from tests.estate import (
    Body,
    Thing,
    allow_in,
    attached,
    audit,
    balancer,
    cluster,
    container_group,
    deny_in,
    frontend,
    gap,
    nsg,
    outcomes,
    public_ip,
    rg,
    subnet,
)

CHECK = "nsg-lb-probe-inbound"
PROBES, VNET = "AzureLoadBalancer", "VirtualNetwork"


def estate(*rules: Body, probes: Sequence[int] = (31234,), ports: Sequence[int] = (443,)) -> list[Thing]:
    nodes = subnet(nsg=nsg("fence", *rules))
    front = frontend(inside=nodes, address="10.0.0.100", ports=ports)
    return [*attached(cluster(nodes=nodes)), balancer("kubernetes-internal", front, probes=probes)]


def interfaces(*rules: Body) -> list[Thing]:
    return [*estate(), nsg("aks-agentpool-1-nsg", *rules, group="mc")]


def egress_only(*rules: Body) -> list[Thing]:
    front = frontend(public=public_ip("out"), ports=(), outbound=True)
    return [*attached(cluster(nodes=subnet(nsg=nsg("fence", *rules)))), balancer("kubernetes", front)]


def integrated(*rules: Body) -> list[Thing]:
    """The load balancer of the API server, in its own subnet, is none of the nodes'."""
    servers = subnet("apiserver", "10.0.8.0/28", nsg=nsg("api-fence", *rules))
    api = {"enableVnetIntegration": True, "subnetId": servers.id}
    made = cluster(nodes=subnet(nsg=nsg("fence", deny_in(100))), api_server=api, parts=[servers])
    return [*attached(made), balancer("kube-apiserver", frontend(inside=servers, address="10.0.8.4"), probes=[6443])]


def balancers_unread(*rules: Body) -> list[Thing]:
    return [*attached(cluster(nodes=subnet(nsg=nsg("fence", *rules)))), gap(rg("mc"))]


DEFAULT = ("pass", "let-in")
CASES: dict[str, tuple[list[Thing], list[tuple[str, str]]]] = {
    "no group": (
        [*attached(cluster(nodes=subnet())), balancer("lb", frontend(inside=subnet(), address="10.0.0.100"))],
        [("pass", "no-nsg")]),
    "default rules": (estate(), [DEFAULT]),
    "deny all": (estate(deny_in(4096)), [("fail", "denied")]),
    "allow for the tag above the deny": (estate(allow_in(4000, of=PROBES), deny_in(4096)), [DEFAULT]),
    "allow for the tag below the deny": (estate(deny_in(100), allow_in(200, of=PROBES)), [("fail", "denied")]),
    "allow for the address": (estate(allow_in(100, of="168.63.129.16"), deny_in(4096)), [DEFAULT]),
    "deny of the tag": (estate(deny_in(100, of=PROBES)), [("fail", "denied")]),
    "VirtualNetwork holds the probes": (estate(deny_in(4000, of=VNET)), [("fail", "denied")]),
    "VirtualNetwork allowed above a deny": (estate(allow_in(100, of=VNET), deny_in(4000)), [DEFAULT]),
    "Internet may hold them": (estate(deny_in(100, of="Internet")), [("warn", "probe-under-internet")]),
    "the network's own prefix does not hold them": (estate(deny_in(100, of="10.0.0.0/8")), [DEFAULT]),
    "the service's port is no probe port": (
        estate(allow_in(100, of=VNET, ports=["80", "443"]), deny_in(4000, of=VNET)), [("fail", "denied")]),
    "one of two probe ports": (
        estate(allow_in(100, of=PROBES, ports="31234"), deny_in(4000), probes=[31234, 31235]),
        [("fail", "probe-port-denied")]),
    "probe ports open, others closed": (
        estate(allow_in(100, of=PROBES, ports="31234"), deny_in(4000)), [("warn", "other-ports-closed")]),
    "no probe port known, some open": (
        estate(allow_in(100, of=PROBES, ports="31234"), deny_in(4000), probes=[]), [("warn", "partly-denied")]),
    "UDP denied": (estate(deny_in(100, protocol="Udp")), [DEFAULT]),
    "a part of the subnet": (estate(deny_in(100, to="10.0.0.0/24")), [("fail", "probe-port-denied")]),
    "denied on the interfaces": (interfaces(deny_in(100)), [("fail", "denied")]),
    "unknown tag": (estate(deny_in(100, of="NobodyPublished")), [("unknown", "undecided")]),
    "unknown tag behind open probe ports": (
        estate(allow_in(100, of=PROBES, ports="31234"), deny_in(200, of="NobodyPublished")),
        [("pass", "probe-ports-let-in")]),
    "egress only": (egress_only(deny_in(100)), [("not-applicable", "no-load-balancer")]),
    "no load balancer": (attached(cluster(nodes=subnet())), [("not-applicable", "no-load-balancer")]),
    "API server subnet": (integrated(), [("not-applicable", "no-load-balancer"), DEFAULT]),
    "API server subnet closed": (
        integrated(deny_in(100)), [("fail", "denied"), ("not-applicable", "no-load-balancer")]),
    "API server subnet, its port open": (
        integrated(allow_in(100, of=PROBES, ports="9988"), deny_in(200)),
        [("not-applicable", "no-load-balancer"), DEFAULT]),
    "API server subnet, another port open": (
        integrated(allow_in(100, of=PROBES, ports="443"), deny_in(200)),
        [("fail", "denied"), ("not-applicable", "no-load-balancer")]),
    "load balancers unread": (balancers_unread(deny_in(100)), [("unknown", "load-balancers-unread")]),
    "group unread": (
        [*attached(cluster(nodes=subnet(nsg=nsg("fence").unread()))),
         balancer("lb", frontend(inside=subnet(), address="10.0.0.100"))], [("unknown", "undecided")]),
    "subnet unread": (attached(cluster(nodes=subnet(readable=False))), [("unknown", "subnet-unread")]),
}  # fmt: skip


@pytest.mark.parametrize(("things", "wanted"), CASES.values(), ids=CASES)
def test_outcome(things: list[Thing], wanted: list[tuple[str, str]]) -> None:
    assert outcomes(audit(CHECK, things)) == sorted(wanted)


def test_a_failure_shows_the_packet_and_a_command_above_the_deny() -> None:
    [finding] = audit(CHECK, estate(deny_in(200, name="shut")))
    assert "tcp 168.63.129.16" in finding.message
    assert "shut (200)" in finding.message
    [command] = finding.remediation.commands
    assert "--priority 199" in command.text
    assert "--source-address-prefixes AzureLoadBalancer" in command.text


def test_container_groups_have_no_probes() -> None:
    assert audit(CHECK, container_group(into=subnet("aci", nsg=nsg("fence", deny_in(100))))) == []
