"""One packet through groups and routes: what becomes of it, where, and why."""

import pytest

from auditor.derive.tags import tag_data
from auditor.errors import UsageProblem
from auditor.explain import Explained, parse_packet, what_if
from auditor.inventory import Inventory
from tests.estate import (
    Thing,
    allow_in,
    allow_out,
    arm,
    cluster,
    container_group,
    deny_in,
    deny_out,
    firewall,
    gap,
    inventory,
    nat,
    nsg,
    peering,
    private_endpoint,
    registry,
    route,
    service_tags,
    subnet,
    table,
    vnet,
)

NODES = "10.0.0.4"
PUBLIC = "20.1.2.3"
UDR = {"outboundType": "userDefinedRouting"}
HUB = vnet("hub", prefixes=("10.100.0.0/16",), group="hub")
SPOKE = vnet("net", prefixes=("10.0.0.0/16",), peerings=[peering(HUB)])
WALL = subnet("AzureFirewallSubnet", "10.100.0.0/26", vnet="hub", group="hub")
FIREWALL = firewall(into=WALL, address="10.100.0.4", group="hub")
AKS_GROUP = nsg("aks-agentpool-1-nsg", deny_out(100, ports="25"), group="mc")
OTHER_AKS_GROUP = nsg("aks-agentpool-2-nsg", group="mc2")
DNS = subnet("dns", "10.0.9.0/24", nsg=nsg("dns", allow_in(100, ports="53"), deny_in(200)))
PODS = ("10.0.0.4", "10.0.9.4")


def ml(nodes: Thing | None = None, **more: object) -> Thing:
    return cluster(nodes=nodes or subnet(), **more)  # type: ignore[arg-type]


def fenced(*rules: dict[str, object], **more: object) -> Thing:
    return ml(subnet(nsg=nsg("fence", *rules), **more))  # type: ignore[arg-type]


def routed(*routes: dict[str, object], **more: object) -> Thing:
    return ml(subnet(table=table("rt", *routes), **more), network=UDR)  # type: ignore[arg-type]


def through(address: str) -> dict[str, object]:
    return route("0.0.0.0/0", "VirtualAppliance", address)


NIC = {"properties": {"privateIPAddress": NODES, "subnet": {"id": subnet().id}}}


def interface(group: Thing | None) -> Thing:
    kind = "Microsoft.Network/networkInterfaces"
    body = {"ipConfigurations": [NIC], **({"networkSecurityGroup": {"id": group.id}} if group else {})}
    row = {"id": arm("vm", kind, "jump"), "type": kind.lower(), "name": "jump", "properties": body}
    return Thing(str(row["id"]), [row], [group] if group else [])


ENDPOINT_NSG = nsg("pe", deny_in(100))
ENDPOINTS = subnet("pe", "10.0.200.0/24", nsg=ENDPOINT_NSG)
ENFORCED = subnet("pe", "10.0.200.0/24", nsg=ENDPOINT_NSG, privateEndpointNetworkPolicies="Enabled")

CASES = {
    "nothing filters": ([ml()], (NODES, PUBLIC, "443/tcp"), "allowed", "by-internet"),
    "a deny of better priority": (
        [fenced(deny_out(100, to="Internet"), allow_out(200, to=PUBLIC))],
        (NODES, PUBLIC, "443/tcp"), "denied", "denied"),
    "an allow of better priority": (
        [fenced(allow_out(100, to=PUBLIC), deny_out(200, to="Internet"))],
        (NODES, PUBLIC, "443/tcp"), "allowed", "by-internet"),
    "another port than the rule's": (
        [fenced(deny_out(100, ports="22"))], (NODES, PUBLIC, "443/tcp"), "allowed", "by-internet"),
    "another protocol than the rule's": (
        [fenced(deny_out(100, protocol="Udp"))], (NODES, PUBLIC, "443/tcp"), "allowed", "by-internet"),
    "AKS's group on the interface": ([ml(), AKS_GROUP], (NODES, PUBLIC, "25/tcp"), "denied", "denied"),
    "a tag that nobody published, where it matters": (
        [fenced(deny_out(100, to="Tomorrow"))], (NODES, PUBLIC, "443/tcp"), "undecided", "undecided"),
    "a tag that nobody published, behind what decides": (
        [fenced(allow_out(100, to=PUBLIC), deny_out(200, to="Tomorrow"))],
        (NODES, PUBLIC, "443/tcp"), "allowed", "by-internet"),
    "some source ports only": (
        [fenced(deny_out(100, sourcePortRange="1024"))], (NODES, PUBLIC, "443/tcp"), "partial", "partial"),
    "the group could not be read": (
        [ml(subnet(nsg=nsg("fence").unread()))], (NODES, PUBLIC, "443/tcp"), "undecided", "undecided"),
    "clusters that share a subnet and differ": (
        [ml(), AKS_GROUP, ml(name="two", node_group="mc2"), OTHER_AKS_GROUP],
        (NODES, PUBLIC, "25/tcp"), "undecided", "whose-interface"),
    "clusters that share a subnet and agree": (
        [ml(), AKS_GROUP, ml(name="two", node_group="mc2"), OTHER_AKS_GROUP],
        (NODES, PUBLIC, "443/tcp"), "allowed", "by-internet"),
    "a route to nowhere": (
        [routed(route("20.1.0.0/16", "None"))], (NODES, PUBLIC, "443/tcp"), "denied", "dropped"),
    "a route to nowhere, beside it": (
        [routed(route("20.2.0.0/16", "None"), nat=nat())], (NODES, PUBLIC, "443/tcp"), "allowed", "by-internet"),
    "no source address to leave with": (
        [ml(network=UDR)], (NODES, PUBLIC, "443/tcp"), "denied", "no-egress"),
    "through a firewall that was read": (
        [SPOKE, HUB, FIREWALL, routed(through("10.100.0.4"))], (NODES, PUBLIC, "443/tcp"), "allowed", "by-firewall"),
    "through a firewall that is gone": (
        [SPOKE, HUB, FIREWALL, routed(through("10.100.0.9"))],
        (NODES, PUBLIC, "443/tcp"), "denied", "appliance-gone"),
    "through an address nowhere near": (
        [SPOKE, HUB, routed(through("10.250.0.4"))], (NODES, PUBLIC, "443/tcp"), "denied", "appliance-unreachable"),
    "to a gateway that is not there": (
        [routed(route("192.168.0.0/16", "VirtualNetworkGateway"))],
        (NODES, "192.168.3.4", "443/tcp"), "denied", "no-gateway"),
    "the other end lets it in": ([ml(), DNS, vnet()], (*PODS, "53/udp"), "allowed", "allowed"),
    "the other end keeps it out": ([ml(), DNS, vnet()], (*PODS, "443/tcp"), "denied", "denied"),
    "a private endpoint whose rules have no force": (
        [ml(), private_endpoint("p", to=registry(), into=ENDPOINTS, group_id="registry")],
        (NODES, "10.0.200.4", "443/tcp"), "allowed", "carried"),
    "a private endpoint whose rules are in force": (
        [ml(), private_endpoint("p", to=registry(), into=ENFORCED, group_id="registry")],
        (NODES, "10.0.200.4", "443/tcp"), "denied", "denied"),
    "from outside": (
        [ml(subnet(nsg=nsg("fence", allow_in(100, of="Internet", ports="443"))))],
        ("198.51.100.7", NODES, "443/tcp"), "allowed", "allowed"),
    "from outside, by no rule": (
        [ml(subnet(nsg=nsg("fence")))], ("198.51.100.7", NODES, "443/tcp"), "denied", "denied"),
    "an interface that was read and has no group": (
        [vnet("net", subnet()), interface(None)], (NODES, PUBLIC, "443/tcp"), "allowed", "by-internet"),
    "an interface that was read, by its group": (
        [vnet("net", subnet()), interface(nsg("jump", deny_out(100)))],
        (NODES, PUBLIC, "443/tcp"), "denied", "denied"),
    "an interface of its own public address perhaps": (
        [vnet("net", subnet(defaultOutboundAccess=False)), interface(None)],
        (NODES, PUBLIC, "443/tcp"), "undecided", "own-address"),
}  # fmt: skip


def asked(estate: Inventory, packet: tuple[str, str, str]) -> Explained:
    [answer] = what_if(estate, parse_packet(*packet))
    return answer


@pytest.mark.parametrize(("estate", "packet", "access", "why"), CASES.values(), ids=CASES)
def test_fate(estate: list[Thing], packet: tuple[str, str, str], access: str, why: str) -> None:
    answer = asked(inventory(estate), packet)
    deciding = answer.why if access != "allowed" else answer.stages[-1].why
    if why == "carried":  # the last stage says that the rules there have no force; the hop before carried it
        assert answer.stages[-1].why.kind == "rules-not-in-force"
        deciding = answer.stages[-2].why
    assert (str(answer.access), deciding.kind) == (access, why)


def test_nothing_is_asked_behind_the_place_where_it_is_dropped() -> None:
    answer = asked(inventory(fenced(deny_out(100))), (NODES, PUBLIC, "443/tcp"))
    assert [stage.title.kind for stage in answer.stages] == ["outbound"]


def test_every_rule_is_told_in_the_order_in_which_it_is_tried() -> None:
    rules = (allow_out(300, to=PUBLIC, name="last"), deny_out(100, ports="22", name="first"))
    answer = asked(inventory(fenced(*rules)), (NODES, PUBLIC, "443/tcp"))
    told = [step.facts["rule"] for step in answer.stages[0].steps if "rule" in step.facts]
    assert told == ["first", "last"]


def test_a_range_used_twice_is_answered_twice() -> None:
    twin = subnet("twin", vnet="other", group="other", nsg=nsg("shut", deny_out(100)))
    found = what_if(inventory(ml(), vnet("other", twin, group="other")), parse_packet(NODES, PUBLIC, "443/tcp"))
    assert sorted(str(answer.access) for answer in found) == ["allowed", "denied"]


def test_a_tag_that_is_let_through_in_part() -> None:
    tags = service_tags(AzureContainerRegistry__EastUS2=["20.1.0.0/16", "2603::/32"])
    estate = inventory(fenced(allow_out(100, to="20.1.0.0/17"), deny_out(200)), tags)
    packet = parse_packet(NODES, "AzureContainerRegistry.EastUS2", "443/tcp", tag_data(estate))
    [answer] = what_if(estate, packet)
    assert (str(answer.access), answer.why.facts["witness"]) == ("partial", "tcp 10.0.0.4:1024 -> 20.1.128.0:443")
    # An IPv4 packet takes no IPv6 route, though the tag has addresses of both families.
    assert [stage.title.kind for stage in answer.stages] == ["outbound", "routes"]


def test_a_range_used_twice_means_the_nearest() -> None:
    twin = subnet("dns", "10.0.9.0/24", vnet="far", group="far", nsg=nsg("shut", deny_in(100)))
    answer = asked(inventory(ml(), DNS, vnet(), vnet("far", twin, group="far")), (*PODS, "53/udp"))
    assert str(answer.access) == "allowed"
    assert [stage.title.facts["subnet"] for stage in answer.stages] == ["nodes", "nodes", "dns"]


def test_an_interface_that_was_not_read_is_told_of() -> None:
    answer = asked(inventory(vnet("net", subnet())), (NODES, PUBLIC, "443/tcp"))
    assert answer.stages[0].steps[0].kind == "interface-unread"
    group = asked(inventory(container_group(into=subnet())), (NODES, PUBLIC, "443/tcp"))
    assert "interface-unread" not in [step.kind for step in group.stages[0].steps]


def test_a_packet_of_nowhere_is_a_mistake() -> None:
    with pytest.raises(UsageProblem) as problem:
        what_if(inventory(ml()), parse_packet("172.16.0.4", PUBLIC, "443/tcp"))
    assert problem.value.message == f"no subnet that was read holds 172.16.0.4 or {PUBLIC}"


def test_ranges_that_could_not_be_read_are_named_as_the_reason() -> None:
    with pytest.raises(UsageProblem) as problem:
        what_if(inventory(ml(), vnet("net", subnet("bare", None))), parse_packet("172.16.0.4", PUBLIC, "443/tcp"))
    assert problem.value.hint == "the ranges of 1 subnets could not be read"


def test_a_network_that_was_not_read_leaves_the_next_hop_open() -> None:
    far = subnet()
    row = {"id": far.id, "type": "microsoft.network/virtualnetworks/subnets", "name": "nodes", "properties": far.body}
    network_id = far.id.rsplit("/subnets/", 1)[0]
    estate = inventory(Thing(far.id, [row]), gap(network_id, "microsoft.network/virtualnetworks"))
    answer = asked(estate, (NODES, PUBLIC, "443/tcp"))
    assert (str(answer.access), answer.stages[-1].why.kind) == ("undecided", "unread")
