"""nsg-scoring-inbound: clients pass the subnet's group and the interfaces' group, at the frontend's address."""

from collections.abc import Sequence
from typing import Any

import pytest

from auditor.inventory import Configured
from tests.estate import (
    Body,
    Thing,
    allow_in,
    attached,
    audit,
    balancer,
    cluster,
    compute,
    deny_in,
    endpoint,
    extension,
    frontend,
    gap,
    nsg,
    outcomes,
    pool,
    public_ip,
    rg,
    subnet,
    workspace,
)

CHECK = "nsg-scoring-inbound"
PUBLIC, PRIVATE = "20.60.0.1", "10.0.0.100"
CLIENTS = Configured(scoring_clients=("198.51.100.0/24", "203.0.113.7"))
AKS_RULE = allow_in(500, of="Internet", to=PUBLIC, ports=["80", "443"], protocol="Tcp", name="k8s-azure-lb_allow")
WEB = allow_in(100, of="Internet", ports=["80", "443"])


def v1(made: Thing, address: str) -> list[Thing]:
    """An attached v1 compute that knows its scoring address."""
    ws = workspace()
    service = {"systemServiceType": "ScoringFrontEnd", "publicIpAddress": address}
    return [ws, compute(made, of=ws, kind="AKS", settings={"systemServices": [service]})]


def public(
    *rules: Body, interfaces: Sequence[Body] | None = (AKS_RULE,), certain: bool = True, ports: Sequence[int] = (443,)
) -> list[Thing]:
    """A public scoring address; AKS has opened its own group on the interfaces."""
    made = cluster(nodes=subnet(nsg=nsg("fence", *rules)), private=False)
    ties = v1(made, PUBLIC) if certain else attached(made)
    front = balancer("kubernetes", frontend(public=public_ip("ip", PUBLIC), ports=ports))
    own = [nsg("aks-agentpool-1-nsg", *interfaces, group="mc")] if interfaces is not None else []
    return [*ties, front, *own]


def internal(*rules: Body, certain: bool = True, floating: bool = True, **more: Any) -> list[Thing]:
    nodes = subnet(nsg=nsg("fence", *rules), **more)
    made = cluster(nodes=nodes)
    front = balancer("kubernetes-internal", frontend(inside=nodes, address=PRIVATE))
    if not floating:
        for rule in front.rows[0]["properties"]["loadBalancingRules"]:
            rule["properties"] |= {"enableFloatingIP": False, "backendPort": 30443}
    return [*(v1(made, PRIVATE) if certain else attached(made)), front]


def two_subnets(*rules: Body, readable: bool = True) -> list[Thing]:
    first = subnet("first", "10.0.0.0/24")
    second = subnet("second", "10.0.1.0/24", nsg=nsg("fence", *rules), vnet="net" if readable else "far",
                    readable=readable)  # fmt: skip
    made = cluster(pools=[pool(first, name="one"), pool(second, name="two")], parts=[first, second])
    return [*v1(made, PRIVATE), balancer("kubernetes-internal", frontend(inside=first, address=PRIVATE))]


def online(uri: str, *rules: Body) -> list[Thing]:
    nodes = subnet(nsg=nsg("fence", *rules))
    made = cluster(nodes=nodes)
    ws = workspace()
    tie = compute(made, of=ws)
    front = balancer("kubernetes-internal", frontend(inside=nodes, address=PRIVATE))
    return [extension(made), endpoint(ws, compute=tie, uri=uri), front]


def address_unread(port: int = 443) -> list[Thing]:
    made = cluster(nodes=subnet(), private=False)
    return [*attached(made), balancer("kubernetes", frontend(public=public_ip("ip").unread(), ports=(port,)))]


def group_unread(*interfaces: Body) -> list[Thing]:
    made = cluster(nodes=subnet(nsg=nsg("fence", WEB)), private=False)
    front = balancer("kubernetes", frontend(public=public_ip("ip", PUBLIC)))
    return [*v1(made, PUBLIC), front, nsg("aks-agentpool-1-nsg", *interfaces, group="mc"),
            nsg("aks-agentpool-2-nsg", group="mc")]  # fmt: skip


OPEN, NET = ("warn", "open-to-internet"), ("pass", "network-allowed")
CASES: dict[str, tuple[list[Thing], list[tuple[str, str]]]] = {
    "public, both groups let the Internet in": (public(WEB), [OPEN]),
    "public, the subnet's group does not": (public(), [("fail", "denied")]),
    "public, the interfaces' group does not": (public(WEB, interfaces=()), [("fail", "denied")]),
    "public, a deny above": (public(deny_in(90 + 10), allow_in(200, of="Internet")), [("fail", "denied")]),
    "public, some of the Internet": (
        public(allow_in(100, of="198.51.100.0/24", ports="443")), [("pass", "restricted")]),
    "public, to the frontend's address": (
        public(allow_in(100, of="Internet", to=PUBLIC, ports="443")), [OPEN]),
    "public, to the nodes' addresses only": (
        public(allow_in(100, of="Internet", to="10.0.0.0/22", ports="443"), interfaces=None),
        [("warn", "node-address-only")]),
    "public, wrong port": (public(allow_in(100, of="Internet", ports="8443")), [("fail", "denied")]),
    "public, 443 of 80 and 443": (public(allow_in(100, of="Internet", ports="443"), ports=(80, 443)), [OPEN]),
    "public, 80 of 80 and 443": (public(allow_in(100, of="Internet", ports="80"), ports=(80, 443)), [OPEN]),
    "public candidate, open": (public(WEB, certain=False), [OPEN]),
    "public candidate, closed": (public(certain=False), [("warn", "denied")]),
    "public, node ports open as well": (
        public(WEB, allow_in(110, of="Internet", ports="30000-32767"), interfaces=None),
        [OPEN, ("warn", "node-ports-open")]),
    "public, SSH open as well": (
        public(WEB, allow_in(110, of="*", ports="22"), interfaces=None), [OPEN, ("warn", "node-ports-open")]),
    "public, all ports open as well": (
        public(allow_in(100, of="*"), interfaces=None), [OPEN, ("warn", "node-ports-open")]),
    "node ports are shut by the other group": (public(allow_in(100, of="*")), [OPEN]),
    "internal, default rules": (internal(), [NET]),
    "internal, no group": (two_subnets(), [NET]),
    "internal, own rule above a deny": (
        internal(allow_in(100, of="VirtualNetwork", ports="443"), deny_in(4000)), [NET]),
    "internal, denied": (internal(deny_in(100, of="VirtualNetwork")), [("fail", "denied")]),
    "internal, some of the network": (
        internal(allow_in(100, of="10.1.0.0/16", ports="443"), deny_in(4000)), [("warn", "network-partly")]),
    "internal candidate, denied": (internal(deny_in(100), certain=False), [("warn", "denied")]),
    "internal, backend port without floating addresses": (
        internal(allow_in(100, of="VirtualNetwork", ports="30443"), deny_in(4000), floating=False), [NET]),
    "internal, frontend port without floating addresses": (
        internal(allow_in(100, of="VirtualNetwork", ports="443"), deny_in(4000), floating=False),
        [("fail", "denied")]),
    "one of two node subnets denies": (two_subnets(deny_in(100)), [("fail", "denied")]),
    "one of two node subnets unread": (two_subnets(readable=False), [("unknown", "subnet-unread")]),
    "an online endpoint's address": (online(f"https://{PRIVATE}/score", deny_in(100)), [("fail", "denied")]),
    "an online endpoint's name: a candidate": (online("https://score.example/x", deny_in(100)), [("warn", "denied")]),
    "an address that no load balancer has": (
        online("https://10.0.9.9/score"), [("unknown", "address-elsewhere")]),
    "an unknown tag": (internal(deny_in(100, of="NobodyPublished")), [("unknown", "undecided")]),
    "the interfaces' group is not known": (group_unread(), [("unknown", "undecided")]),
    "the public address is not read": (address_unread(), [("unknown", "frontends-unread")]),
    "the public address of another port is not read": (
        address_unread(9000), [("not-applicable", "no-scoring-address")]),
    "load balancers unread": (
        [*attached(cluster(nodes=subnet())), gap(rg("mc"))], [("unknown", "frontends-unread")]),
    "the extension is not read": (
        [cluster(nodes=subnet()), gap("/", "microsoft.kubernetesconfiguration/extensions")],
        [("unknown", "inference-unread")]),
    "a compute without the extension, its endpoint's address": (
        online(f"https://{PRIVATE}/score")[1:], [NET]),
    "no load balancer": (attached(cluster(nodes=subnet())), [("not-applicable", "no-scoring-address")]),
    "no inference": ([cluster(nodes=subnet())], [("not-applicable", "no-inference")]),
    "a network of AKS's own that is not there": (
        [*v1(cluster(), PUBLIC), balancer("kubernetes", frontend(public=public_ip("ip", PUBLIC)))],
        [("unknown", "nodes-unread")]),
}  # fmt: skip


@pytest.mark.parametrize(("things", "wanted"), CASES.values(), ids=CASES)
def test_outcome(things: list[Thing], wanted: list[tuple[str, str]]) -> None:
    assert outcomes(audit(CHECK, things)) == sorted(wanted)


CONFIGURED: dict[str, tuple[list[Thing], list[tuple[str, str]]]] = {
    "all clients": (
        public(allow_in(100, of=["198.51.100.0/24", "203.0.113.7"], ports="443")), [("pass", "clients-allowed")]),
    "the Internet holds the clients": (public(WEB), [("pass", "clients-allowed")]),
    "some clients": (public(allow_in(100, of="198.51.100.0/25", ports="443")), [("warn", "clients-partly")]),
    "no client": (public(), [("fail", "denied")]),
    "clients from outside at an internal address": (internal(), [("fail", "denied")]),
}  # fmt: skip


@pytest.mark.parametrize(("things", "wanted"), CONFIGURED.values(), ids=CONFIGURED)
def test_configured_clients(things: list[Thing], wanted: list[tuple[str, str]]) -> None:
    assert outcomes(audit(CHECK, things, configured=CLIENTS)) == wanted


def test_clients_that_are_no_prefix_are_told() -> None:
    found = audit(CHECK, public(WEB), configured=Configured(scoring_clients=("my office",)))
    assert outcomes(found) == [("unknown", "clients-unparsable")]


def test_a_frontend_without_a_port_is_unread() -> None:
    things = public(WEB)
    for thing in things:
        for row in thing.rows:
            for rule in row["properties"].get("loadBalancingRules", []):
                del rule["properties"]["frontendPort"]
    assert outcomes(audit(CHECK, things)) == [("unknown", "ports-unread")]


def test_a_failure_names_the_group_and_a_command_with_the_clients() -> None:
    [finding] = audit(CHECK, public(), configured=CLIENTS)
    assert finding.part == PUBLIC
    assert "in fence drops" in finding.message
    [command] = finding.remediation.commands
    assert "--source-address-prefixes 198.51.100.0/24 203.0.113.7" in command.text
    assert f"--destination-address-prefixes {PUBLIC}" in command.text
    assert "--destination-port-ranges 443" in command.text


def test_clients_of_the_other_family_are_not_in_the_rule_for_the_address() -> None:
    """ARM takes no rule with prefixes of both families, and none would let IPv6 clients reach an IPv4 address."""
    both = Configured(scoring_clients=("198.51.100.0/24", "2001:db8::/32"))
    [finding] = audit(CHECK, public(), configured=both)
    [command] = finding.remediation.commands
    assert "--source-address-prefixes 198.51.100.0/24 --source-port" in command.text


def test_more_clients_than_a_rule_takes_give_no_command() -> None:
    many = Configured(scoring_clients=tuple(f"198.{n >> 8 & 255}.{n & 255}.0/25" for n in range(4001)))
    [finding] = audit(CHECK, public(), configured=many)
    assert finding.outcome == "fail"
    assert finding.remediation.commands == ()


def test_without_known_clients_no_command_opens_a_public_address() -> None:
    [finding] = audit(CHECK, public())
    assert finding.remediation.commands == ()


def test_the_group_on_the_interfaces_is_named_too() -> None:
    [finding] = audit(CHECK, public(WEB, interfaces=()))
    assert "in aks-agentpool-1-nsg drops" in finding.message
