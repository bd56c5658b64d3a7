"""What a rule set does with HTTPS to a tag: tables of groups, each row one trap."""

from __future__ import annotations

import pytest

from auditor.network import (
    Access,
    AddressSet,
    AdminRule,
    Decision,
    Direction,
    Group,
    How,
    Packet,
    PortSet,
    Protocol,
    Question,
    SecurityGroup,
    SecurityRule,
    Surroundings,
    Tag,
    decide,
    decide_packet,
    default_rules,
    inbound,
    outbound,
    series,
)
from auditor.values import Unread
from tests.network.estate import (
    ACR,
    SUBNET,
    TAGS,
    VNET,
    WITH_DATA,
    WITHOUT_DATA,
    allow,
    deny,
    group,
    https,
    rule,
)

DENY_ALL = deny(4096)
GLOBAL = "AzureContainerRegistry"
ALLOWED, DENIED, PARTIAL, UNDECIDED = Access.ALLOWED, Access.DENIED, Access.PARTIAL, Access.UNDECIDED

# rules -> (with tag data, without tag data)
CASES: dict[str, tuple[tuple[SecurityRule, ...], Access, Access]] = {
    "defaults alone": ((), ALLOWED, ALLOWED),
    "deny all": ((DENY_ALL,), DENIED, DENIED),
    "allow the tag above a deny": ((allow(100, to=ACR, ports="443"), DENY_ALL), ALLOWED, ALLOWED),
    "allow the global tag": ((allow(100, to=GLOBAL), DENY_ALL), ALLOWED, ALLOWED),
    "allow AzureCloud": ((allow(100, to="AzureCloud"), DENY_ALL), ALLOWED, ALLOWED),
    "allow AzureCloud of the region": ((allow(100, to="AzureCloud.eastus2"), DENY_ALL), ALLOWED, ALLOWED),
    "allow AzureCloud of another region": ((allow(100, to="AzureCloud.westus"), DENY_ALL), UNDECIDED, UNDECIDED),
    "allow another region": ((allow(100, to="AzureContainerRegistry.WestUS"), DENY_ALL), DENIED, DENIED),
    "odd casing": ((allow(100, to=ACR.lower(), protocol="TCP"), DENY_ALL), ALLOWED, ALLOWED),
    "shadowed allow": ((deny(90, to="Internet"), allow(100, to=ACR)), UNDECIDED, UNDECIDED),
    "shadowed allow, legal number": ((deny(100, to="Internet"), allow(200, to=ACR)), DENIED, DENIED),
    "a deny to Internet hits Azure's own": ((deny(200, to="Internet"),), DENIED, DENIED),
    "a deny to VirtualNetwork does not": ((deny(200, to="VirtualNetwork"),), ALLOWED, ALLOWED),
    "a deny to private space does not": ((deny(200, to="10.0.0.0/8"),), ALLOWED, ALLOWED),
    "rows in any order": ((DENY_ALL, allow(100, to=ACR)), ALLOWED, ALLOWED),
    "another port": ((allow(100, to=ACR, ports="80"), DENY_ALL), DENIED, DENIED),
    "a port range": ((allow(100, to=ACR, ports="400-500"), DENY_ALL), ALLOWED, ALLOWED),
    "another protocol": ((allow(100, to=ACR, protocol="Udp"), DENY_ALL), DENIED, DENIED),
    "an inbound rule": ((deny(100, to=ACR, direction="Inbound"),), ALLOWED, ALLOWED),
    "frozen prefixes, all": ((allow(100, to="20.1.0.0/16"), DENY_ALL), ALLOWED, UNDECIDED),
    "frozen prefixes, some": ((allow(100, to="20.1.0.0/17"), DENY_ALL), PARTIAL, UNDECIDED),
    "split prefixes": ((allow(100, to=("20.1.0.0/17", "20.1.128.0/17")), DENY_ALL), ALLOWED, UNDECIDED),
    "0.0.0.0/0 in two halves": ((deny(100, to=("0.0.0.0/1", "128.0.0.0/1")),), DENIED, UNDECIDED),
    "source is part of the subnet": ((allow(100, to=ACR, source="10.0.1.0/25"), DENY_ALL), PARTIAL, PARTIAL),
    "source is another subnet": ((deny(100, source="10.0.2.0/24"),), ALLOWED, ALLOWED),
    "source ports of clients only": ((allow(100, to=ACR, source_ports="1024-65535"), DENY_ALL), PARTIAL, PARTIAL),
    # what cannot be read
    "unparsable prefix above": ((deny(100, to="111"),), UNDECIDED, UNDECIDED),
    "unparsable prefix below": ((allow(100, to=ACR), deny(200, to="111")), ALLOWED, ALLOWED),
    "unparsable prefix, another port": ((deny(100, to="111", ports="80"),), ALLOWED, ALLOWED),
    "unparsable prefix that would allow": ((allow(100, to="111"), DENY_ALL), UNDECIDED, UNDECIDED),
    "unparsable prefix agreeing": ((allow(100, to="111"),), ALLOWED, ALLOWED),
    "unparsable beside any": ((allow(100, to=("111", "*")), DENY_ALL), ALLOWED, ALLOWED),
    "unknown tag above": ((deny(100, to="NobodyPublished"),), UNDECIDED, UNDECIDED),
    "unknown allow between a known one and a deny": (
        (allow(100, to="20.1.0.0/17"), allow(200, to="NobodyPublished"), deny(300)),
        UNDECIDED,
        UNDECIDED,
    ),
    "unknown tag below": ((allow(100, to=ACR), deny(200, to="NobodyPublished")), ALLOWED, ALLOWED),
    "port beyond the last": ((deny(100, ports="70000"),), UNDECIDED, UNDECIDED),
    "port range backwards": ((deny(100, ports="5-3"),), UNDECIDED, UNDECIDED),
    "no port at all": ((deny(100, ports=()),), UNDECIDED, UNDECIDED),
    "port range of one": ((deny(100, ports="443-443"),), DENIED, DENIED),
    "protocol All": ((deny(100, protocol="All"),), DENIED, DENIED),
    "protocol by number": ((deny(100, protocol="6"),), DENIED, DENIED),
    "protocol by another number": ((deny(100, protocol="17"),), ALLOWED, ALLOWED),
    "protocol without a name": ((deny(100, protocol="47"),), ALLOWED, ALLOWED),
    "protocol unreadable": ((deny(100, protocol="Foo"),), UNDECIDED, UNDECIDED),
    "no protocol": ((deny(100, protocol=""),), UNDECIDED, UNDECIDED),
    "no address at all matches nothing": ((deny(100, to=()),), ALLOWED, ALLOWED),
    "empty texts match nothing": ((deny(100, to=("", " ")),), ALLOWED, ALLOWED),
    "empty plural beside a singular": ((deny(100, to=("", "*")),), DENIED, DENIED),
    "priority below the first": ((deny(99),), UNDECIDED, UNDECIDED),
    "priority above the last": ((deny(4097),), UNDECIDED, UNDECIDED),
    "priority above the last, decided before": ((allow(100, to=ACR), deny(4097)), ALLOWED, ALLOWED),
    "no priority": ((allow(100, to=ACR), deny(None)), UNDECIDED, UNDECIDED),
    "access unreadable": ((rule("Perhaps", 100),), UNDECIDED, UNDECIDED),
    "access in capitals": ((rule("DENY", 100),), DENIED, DENIED),
    "direction unreadable": ((deny(100, direction="Sideways"),), UNDECIDED, UNDECIDED),
    "direction in capitals": ((deny(100, direction="OUTBOUND"),), DENIED, DENIED),
    "equal priorities that disagree": ((allow(100, name="a"), deny(100, name="b")), UNDECIDED, UNDECIDED),
    "equal priorities that agree": ((deny(100, name="a"), deny(100, name="b")), DENIED, DENIED),
    "equal priorities on other ports": ((allow(100), deny(101, ports="80")), ALLOWED, ALLOWED),
    "equal priorities, no packet in common": (
        (allow(100, ports="443", name="a"), deny(100, ports="80", name="b")),
        ALLOWED,
        ALLOWED,
    ),
    "security group unread": ((deny(100, to=(), groups=("/asg/x",)),), ALLOWED, ALLOWED),
}


def ask(*rules: SecurityRule, around: Surroundings = WITH_DATA, of: Question | None = None) -> Decision:
    return decide((None, group(*rules)), of or https(), around)


@pytest.mark.parametrize(("rules", "expected", "_"), CASES.values(), ids=CASES)
def test_with_tag_data(rules: tuple[SecurityRule, ...], expected: Access, _: Access) -> None:
    found = ask(*rules)
    assert found.access is expected
    assert bool(found.unknowns) is (expected is UNDECIDED)
    found.trace()


@pytest.mark.parametrize(("rules", "_", "expected"), CASES.values(), ids=CASES)
def test_without_tag_data(rules: tuple[SecurityRule, ...], _: Access, expected: Access) -> None:
    found = ask(*rules, around=WITHOUT_DATA)
    assert found.access is expected
    assert bool(found.unknowns) is (expected is UNDECIDED)
    assert found.witness is not None
    assert found.witness.destination == ACR


@pytest.mark.parametrize(("rules", "expected", "_"), CASES.values(), ids=CASES)
def test_every_trace_renders(rules: tuple[SecurityRule, ...], expected: Access, _: Access) -> None:
    steps = ask(*rules).trace()
    shown = [step.text.format(**step.facts) for step in steps]
    assert shown[0].startswith("asked: Tcp 10.0.1.0/24 -> " + ACR)
    assert any(" decides" in text for text in shown) or expected is UNDECIDED


def test_a_witness_and_the_rule_that_decides() -> None:
    found = ask(allow(100, to="20.1.0.0/17", name="frozen"), deny(4000, name="all"))
    assert [(str(p.witness), p.access, p.deciders[-1].rule and p.deciders[-1].rule.name) for p in found] == [
        ("tcp 10.0.1.0:1024 -> 20.1.128.0:443", DENIED, "all"),
        ("tcp 10.0.1.0:1024 -> 20.1.0.0:443", ALLOWED, "frozen"),
    ]
    assert found.rule is not None
    assert found.rule.name == "all"
    assert found.permitted | found.denied == ask().permitted
    assert found.effect() == ("Tcp 10.0.1.0/24 -> 20.1.0.0/17:443",)


def test_an_effect_names_the_tag_so_that_its_weekly_changes_are_no_drift() -> None:
    effects = {ask(around=WITH_DATA).effect(), ask(around=WITHOUT_DATA).effect()}
    assert effects == {(f"Tcp 10.0.1.0/24 -> {ACR}:443",)}


def test_the_trace_says_why_each_rule_did_not_match() -> None:
    found = ask(
        deny(100, protocol="Udp", name="protocol"),
        deny(110, source="10.9.0.0/16", name="source"),
        deny(120, source_ports="1", protocol="Udp", name="protocol again"),
        deny(130, to="AzureActiveDirectory", name="destination"),
        deny(140, ports="80", name="port"),
        allow(150, to=ACR, name="tag"),
        deny(160, name="never tried"),
    )
    assert [(s.outcome, s.rule.name if s.rule else "", s.condition) for s in found.steps] == [
        ("asked", "", None),
        ("no-group", "", None),
        ("no-match", "protocol", "protocol"),
        ("no-match", "source", "source"),
        ("no-match", "protocol again", "protocol"),
        ("no-match", "destination", "destination"),
        ("no-match", "port", "destination-port"),
        ("decides", "tag", None),
    ]
    assert found.steps[4].found == "Udp"
    [port] = [s for s in found.trace() if s.facts.get("rule") == "port"]
    assert port.text.format(**port.facts) == "port (140, Deny) does not match: its destination-port is 80"


def test_a_shadowed_rule_is_said_to_be_shadowed() -> None:
    found = ask(
        allow(100, source="10.0.1.0/25", name="half"),
        deny(110, source="10.0.1.0/26", name="late"),
        deny(120, name="rest"),
    )
    outcomes = {s.rule.name: s.outcome for s in found.steps if s.rule}
    assert outcomes == {"half": "decides-part", "late": "already-decided", "rest": "decides-part"}


HOW = {
    "the tag itself": ((allow(100, to=ACR), DENY_ALL), {How.NAMED_TAG}),
    "the global tag": ((allow(100, to=GLOBAL), DENY_ALL), {How.GLOBAL_TAG}),
    "the default rule": ((), {How.DEFAULT_RULE}),
    "everything": ((allow(100), DENY_ALL), {How.BROAD}),
    "0.0.0.0/0": ((allow(100, to="0.0.0.0/0"), DENY_ALL), {How.BROAD}),
    "Internet": ((allow(100, to="Internet"), DENY_ALL), {How.BROAD}),
    "AzureCloud": ((allow(100, to="AzureCloud"), DENY_ALL), {How.BROAD}),
    "prefixes": ((allow(100, to="20.1.0.0/16"), DENY_ALL), {How.LITERAL}),
    # Storage may hold the registry's addresses as far as is known here
    "prefixes and a tag of unknown prefixes": ((allow(100, to=("Storage", "20.1.0.0/16")), DENY_ALL), {How.BROAD}),
    "prefixes and a foreign tag": (
        (allow(100, to=("AzureContainerRegistry.WestUS", "20.1.0.0/16")), DENY_ALL),
        {How.LITERAL},
    ),
    "prefixes for a half, the default for the rest": (
        (allow(100, to="20.1.0.0/17"),),
        {How.LITERAL, How.DEFAULT_RULE},
    ),
    "nothing is allowed": ((DENY_ALL,), set()),
}


@pytest.mark.parametrize(("rules", "how"), HOW.values(), ids=HOW)
def test_by_what_it_is_allowed(rules: tuple[SecurityRule, ...], how: set[How]) -> None:
    assert ask(*rules).allowed_by() == how


def test_questions_read_as_one_would_ask() -> None:
    assert str(https()) == "Tcp 10.0.1.0/24 -> AzureContainerRegistry.EastUS2:443"
    assert str(outbound(SUBNET, Tag("Internet"), PortSet.any())) == "Any 10.0.1.0/24 -> Internet"


def test_no_group_at_all() -> None:
    found = decide((None, None), https(), WITH_DATA)
    assert found.access is ALLOWED
    assert found.allowed_by() == {How.NO_GROUP}


UNREAD = Unread("/groups/nic", "403", reason="nsg-unread")
SERIES: dict[str, tuple[Group, Group, Access, int]] = {
    "both allow": (group(name="nic"), group(), ALLOWED, 2),
    "the interface denies": (group(DENY_ALL, name="nic"), group(), DENIED, 1),
    "the subnet denies": (group(name="nic"), group(DENY_ALL), DENIED, 1),
    "interface unread, subnet allows": (UNREAD, group(), UNDECIDED, 2),
    "interface unread, subnet denies": (UNREAD, group(DENY_ALL), DENIED, 1),
}


@pytest.mark.parametrize(("nic", "subnet", "access", "deciders"), SERIES.values(), ids=SERIES)
def test_series(nic: Group, subnet: Group, access: Access, deciders: int) -> None:
    found = decide(series(Direction.OUTBOUND, nic=nic, subnet=subnet), https(), WITH_DATA)
    assert found.access is access
    assert len(found.parts[0].deciders) == deciders
    assert [u.atom.name for u in found.unknowns] == (["/groups/nic"] if access is UNDECIDED else [])


def test_the_order_of_a_series_depends_on_the_direction() -> None:
    nic, subnet = group(name="nic"), group()
    assert series(Direction.OUTBOUND, nic=nic, subnet=subnet) == (nic, subnet)
    assert series(Direction.INBOUND, nic=nic, subnet=subnet) == (subnet, nic)


def admin(
    access: str, priority: int | None, *, to: str = "*", ports: str = "*", direction: str = "Outbound"
) -> AdminRule:
    return AdminRule(rule=rule(access, priority, to=to, ports=ports, direction=direction))


ADMIN = {
    "a deny ends": ((admin("Deny", 1),), (), DENIED),
    "AlwaysAllow ends": ((admin("AlwaysAllow", 1),), (DENY_ALL,), ALLOWED),
    "Allow goes on": ((admin("Allow", 1),), (DENY_ALL,), DENIED),
    "Allow goes on to an allow": ((admin("Allow", 1),), (), ALLOWED),
    "the first decides": ((admin("Allow", 1), admin("Deny", 2)), (), ALLOWED),
    "no match goes on": ((admin("Deny", 1, ports="80"),), (), ALLOWED),
    "unreadable": ((admin("Deny", 1, to="111"),), (), UNDECIDED),
    "direction unreadable": ((admin("Deny", 1, direction="Sideways"),), (), UNDECIDED),
    "no priority": ((admin("AlwaysAllow", 1), admin("Deny", None)), (), UNDECIDED),
    "priorities below those of groups": ((admin("Deny", 7),), (), DENIED),
    "unreadable, denied anyway": ((admin("Deny", 1, to="111"),), (DENY_ALL,), DENIED),
}


@pytest.mark.parametrize(("admins", "rules", "access"), ADMIN.values(), ids=ADMIN)
def test_admin_rules_come_first(admins: tuple[AdminRule, ...], rules: tuple[SecurityRule, ...], access: Access) -> None:
    assert decide((group(*rules),), https(), WITH_DATA, admins).access is access


def test_unread_admin_rules_leave_only_a_denial_decided() -> None:
    around = Surroundings(cloud="public", virtual_network=VNET, tags=TAGS, admin_unread=Unread("manager", "403"))
    assert ask(around=around).access is UNDECIDED
    assert [u.atom.kind for u in ask(around=around).unknowns] == ["admin-rules-unread"]
    assert ask(DENY_ALL, around=around).access is DENIED


# rules -> access of everything from 168.63.129.16's tag to the subnet, a health probe
PROBE = {
    "defaults": ((), ALLOWED),
    "deny all above the default": ((deny(4096, direction="Inbound"),), DENIED),
    "deny VirtualNetwork holds the probe": ((deny(4096, direction="Inbound", source="VirtualNetwork"),), DENIED),
    "deny Internet is not documented": ((deny(4096, direction="Inbound", source="Internet"),), UNDECIDED),
    "allow above the deny": (
        (allow(100, direction="Inbound", source="AzureLoadBalancer"), deny(4096, direction="Inbound")),
        ALLOWED,
    ),
}


@pytest.mark.parametrize(("rules", "access"), PROBE.values(), ids=PROBE)
def test_health_probes_are_inside_the_rules(rules: tuple[SecurityRule, ...], access: Access) -> None:
    question = inbound(Tag("AzureLoadBalancer"), SUBNET, PortSet.any(), Protocol.TCP)
    assert ask(*rules, of=question).access is access


def dns(protocol: Protocol = Protocol.UDP) -> Question:
    return outbound(SUBNET, AddressSet.of("168.63.129.16"), PortSet.of(53), protocol)


PLATFORM = {
    "deny all does not reach Azure's DNS": ((DENY_ALL,), dns(), ALLOWED),
    "over TCP neither": ((DENY_ALL,), dns(Protocol.TCP), ALLOWED),
    "its tag does": ((deny(100, to="AzurePlatformDNS"),), dns(), DENIED),
    "in any case": ((deny(100, to="azureplatformdns"),), dns(), DENIED),
    "an allow above it": ((allow(90 + 10, to="AzurePlatformDNS"), deny(200, to="AzurePlatformDNS")), dns(), ALLOWED),
    "an allow of everything above does not count": ((allow(100), deny(200, to="AzurePlatformDNS")), dns(), DENIED),
    "metadata": (
        (DENY_ALL,),
        outbound(SUBNET, AddressSet.of("169.254.169.254"), PortSet.of(80), Protocol.TCP),
        ALLOWED,
    ),
    "metadata by tag": (
        (deny(100, to="AzurePlatformIMDS"),),
        outbound(SUBNET, AddressSet.of("169.254.169.254"), PortSet.of(80), Protocol.TCP),
        DENIED,
    ),
    "licensing may be anywhere": (
        (deny(100, to="AzurePlatformLKM"),),
        outbound(SUBNET, AddressSet.of("20.1.0.1"), PortSet.of(1688), Protocol.TCP),
        UNDECIDED,
    ),
    "licensing has one port": ((deny(100, to="AzurePlatformLKM"),), https(), ALLOWED),
    "another port of the address": (
        (DENY_ALL,),
        outbound(SUBNET, AddressSet.of("168.63.129.16"), PortSet.of(443), Protocol.TCP),
        DENIED,
    ),
}


@pytest.mark.parametrize(("rules", "question", "access"), PLATFORM.values(), ids=PLATFORM)
def test_platform_addresses(rules: tuple[SecurityRule, ...], question: Question, access: Access) -> None:
    assert ask(*rules, of=question).access is access


WIDE = Surroundings(cloud="public", virtual_network=VNET, tags=TAGS, default_route=True)
READINGS = {
    "both readings allow": ((), ALLOWED),
    "a deny to VirtualNetwork": ((deny(200, to="VirtualNetwork"),), UNDECIDED),
    "decided above": ((allow(100, to=ACR), deny(200, to="VirtualNetwork")), ALLOWED),
    "both deny": ((deny(200, to="VirtualNetwork"), DENY_ALL), DENIED),
    "only the wide one allows": ((allow(200, to="VirtualNetwork"), DENY_ALL), UNDECIDED),
}


@pytest.mark.parametrize("data", [True, False], ids=["data", "no data"])
@pytest.mark.parametrize(("rules", "access"), READINGS.values(), ids=READINGS)
def test_virtual_network_under_a_default_route(rules: tuple[SecurityRule, ...], access: Access, data: bool) -> None:
    around = WIDE if data else Surroundings(cloud="public", virtual_network=VNET, default_route=True)
    found = ask(*rules, around=around)
    assert found.access is access
    if access is UNDECIDED:
        assert [u.atom.kind for u in found.unknowns] == ["virtualnetwork-default-route"]


def test_an_unread_peer_matters_for_private_addresses_only() -> None:
    around = Surroundings(cloud="public", virtual_network=VNET, tags=TAGS, unread_space=(Unread("/peer", "403"),))
    assert ask(deny(200, to="VirtualNetwork"), around=around).access is ALLOWED
    peer = ask(deny(200, to="VirtualNetwork"), around=around, of=https("10.5.0.4"))
    assert peer.access is DENIED  # by the custom rule if the peer holds it, by the last default one if not
    defaults = ask(around=around, of=https("10.5.0.4"))
    assert defaults.access is UNDECIDED
    assert [u.atom.kind for u in defaults.unknowns] == ["virtualnetwork-unread"]


def test_learned_routes_may_make_virtual_network_hold_anything() -> None:
    around = Surroundings(cloud="public", virtual_network=VNET, tags=TAGS, learned=Unread("/gateway", "not shown"))
    assert ask(around=around).access is ALLOWED
    assert ask(deny(200, to="VirtualNetwork"), around=around).access is UNDECIDED


GROUPS = {
    "members": ((("/asg/x", AddressSet.of("10.0.1.4")),), PARTIAL),
    "no members": ((("/asg/x", AddressSet.empty()),), ALLOWED),
    "all members": ((("/ASG/X/", SUBNET),), DENIED),
    "unread": ((("/asg/x", Unread("/asg/x", "403")),), UNDECIDED),
    "never heard of": ((), UNDECIDED),
}


@pytest.mark.parametrize(("members", "access"), GROUPS.values(), ids=GROUPS)
def test_application_security_groups(members: tuple[tuple[str, AddressSet | Unread], ...], access: Access) -> None:
    around = Surroundings(cloud="public", virtual_network=VNET, groups=members)
    found = ask(deny(100, to=(), groups=("/asg/X",)), around=around, of=https(AddressSet.of("10.0.1.0/24")))
    assert found.access is access


def test_pods_fall_through_to_an_allow_because_only_custom_rules_count() -> None:
    pods = AddressSet.of("10.244.0.0/16")
    question = Question(
        direction=Direction.OUTBOUND, source=pods, destination=pods, ports=PortSet.any(), defaults=False
    )
    assert ask(of=question).access is ALLOWED
    assert ask(of=question).allowed_by() == {How.FALLS_THROUGH}
    assert ask(deny(4096), of=question).access is DENIED
    assert ask(deny(4096, to="10.244.1.0/24"), of=question).access is PARTIAL
    normal = Question(direction=Direction.OUTBOUND, source=pods, destination=pods, ports=PortSet.any())
    assert ask(of=normal).access is DENIED


def test_default_rules_that_a_body_lacks_are_assumed_and_those_it_has_are_named() -> None:
    own = default_rules(Direction.OUTBOUND, "/real")
    found = decide((SecurityGroup("/g", "g", own),), https(), WITH_DATA)
    assert found.rule is not None
    assert found.rule.id == "/real/defaultSecurityRules/AllowInternetOutBound"
    assumed = decide((SecurityGroup("/g", "g", own[:1]),), https(), WITH_DATA)
    assert assumed.access is ALLOWED
    assert assumed.rule is not None
    assert assumed.rule.id == "/g/defaultSecurityRules/AllowInternetOutBound"


def test_a_question_without_packets_is_not_green() -> None:
    found = ask(of=https(ACR, source=AddressSet.empty()))
    assert (found.access, found.witness, found.effect()) == (UNDECIDED, None, ())
    assert [u.atom.kind for u in found.unknowns] == ["empty-question"]


def test_many_unknowns_are_bounded_and_still_sound() -> None:
    unknown = tuple(deny(100 + n, to=f"Nobody{n}") for n in range(30))
    assert ask(*unknown).access is UNDECIDED
    assert {each.atom.name for each in ask(*unknown).unknowns} == {f"Nobody{n}" for n in range(30)}
    assert ask(*unknown, DENY_ALL).access is DENIED
    assert ask(allow(100, to=ACR), *(deny(200 + n, to=f"Nobody{n}") for n in range(30))).access is ALLOWED


def test_unknowns_name_the_rules_that_rest_on_them_and_only_those_that_matter() -> None:
    found = ask(
        deny(100, to="NobodyA", name="one"), allow(200, to="NobodyB", name="two"), deny(300, to="NobodyA", name="three")
    )
    [unknown] = found.unknowns  # what NobodyB holds is allowed either way
    assert (unknown.atom.name, {r.name for r in unknown.rules}) == ("NobodyA", {"one", "three"})


def hows(found: Decision) -> list[str]:
    return [str(decider.how) for part in found.parts for decider in part.deciders]


def test_what_decides_is_named_and_only_that() -> None:
    assert hows(decide((UNREAD,), https(), WITH_DATA)) == ["group-unread"]
    assert hows(decide((None,), https(), WITH_DATA)) == [How.NO_GROUP]
    assert hows(decide((), https(), WITH_DATA, (admin("AlwaysAllow", 1),))) == [How.ADMIN_RULE]
    [part] = ask(deny(100, name="a"), deny(100, name="b")).parts
    assert [decider.rule.name for decider in part.deciders if decider.rule] == ["a"]


def test_an_answer_says_whether_it_rests_on_the_names_of_tags() -> None:
    assert not ask().symbolic
    assert ask(around=WITHOUT_DATA).symbolic
    assert not ask(around=WITHOUT_DATA, of=https("20.1.2.3")).symbolic


def test_steps_name_the_group_by_its_id_and_end_where_nothing_matched() -> None:
    pods = AddressSet.of("10.244.0.0/16")
    question = Question(
        direction=Direction.OUTBOUND, source=pods, destination=pods, ports=PortSet.any(), defaults=False
    )
    rules = (deny(200, to="10.9.0.0/24"), deny(300, to="10.10.0.0/24"))
    found = decide((group(*rules),), question, WITH_DATA)
    assert [step.outcome for step in found.steps] == ["asked", "no-match", "no-match", "falls-through"]
    assert {step.group for step in found.steps[1:]} == {"/groups/nsg"}
    nameless = decide((SecurityGroup("", "nsg", (DENY_ALL,)),), https(), WITH_DATA)
    assert {step.group for step in nameless.steps[1:]} == {"nsg"}


def test_single_packets() -> None:
    packet = Packet(Protocol.TCP, "10.0.1.4", 50000, "20.1.2.3", 443)
    found = decide_packet((group(deny(100, to=ACR)),), Direction.OUTBOUND, packet, WITH_DATA)
    assert (found.access, found.witness) == (DENIED, packet)
    with pytest.raises(ValueError, match="not an address"):
        decide_packet((), Direction.OUTBOUND, Packet(Protocol.TCP, "here", 1, "there", 2), WITH_DATA)


def test_equal_questions_are_answered_once() -> None:
    first = ask(allow(100, to=ACR), DENY_ALL)
    assert ask(allow(100, to=ACR), DENY_ALL) is first
    assert ask(allow(101, to=ACR), DENY_ALL) is not first


def test_public_addresses_of_the_virtual_network_are_not_internet() -> None:
    around = Surroundings(cloud="public", virtual_network=VNET | AddressSet.of("20.7.0.0/16"))
    found = ask(deny(100, to="Internet"), around=around, of=https(AddressSet.of("20.7.0.0/15")))
    assert found.access is PARTIAL
    assert found.effect() == ("Tcp 10.0.1.0/24 -> 20.7.0.0/16:443",)
