"""Packet sets: laws, one canonical form, witnesses."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.network import AddressSet, Packet, PacketSet, PortSet, Protocol

TCP, UDP, ICMP = Protocol.TCP, Protocol.UDP, Protocol.ICMP

addresses = st.lists(
    st.sampled_from(
        ["10.0.0.0/30", "10.0.0.0/31", "10.0.0.2", "10.0.0.1-10.0.0.2", "10.0.0.4/30", "::/127", "::1", "0.0.0.0/0"]
    ),
    min_size=1,
    max_size=2,
).map(lambda texts: AddressSet.of(*texts))
ports = st.lists(st.sampled_from(["1", "2", "1-3", "5-9", "*"]), min_size=1, max_size=2).map(lambda t: PortSet.of(*t))
protocols = st.frozensets(st.sampled_from(list(Protocol)), min_size=1)
boxes = st.builds(PacketSet.box, protocols, addresses, ports, addresses, ports)


@settings(deadline=None, max_examples=150)
@given(st.lists(boxes, max_size=4), st.lists(boxes, max_size=4), boxes)
def test_laws(some: list[PacketSet], others: list[PacketSet], c: PacketSet) -> None:
    a, b = union(some), union(others)
    assert (a - b) | (a & b) == a
    assert not (a - b) & (a & b)
    assert a | b == b | a
    assert a & b == b & a
    assert (a | b) & c == (a & c) | (b & c)
    assert a - (b | c) == (a - b) - c
    assert a.covers(b) is (a | b == a)
    assert a.overlaps(b) is bool(a & b)
    everything = PacketSet.everything()
    assert everything - (a | b) == (everything - a) & (everything - b)


def union(sets: list[PacketSet]) -> PacketSet:
    found = PacketSet()
    for one in sets:
        found |= one
    return found


@settings(deadline=None, max_examples=150)
@given(st.lists(boxes, min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_equal_sets_have_one_canonical_form(parts: list[PacketSet], rng: random.Random) -> None:
    forward = union(parts)
    rng.shuffle(parts)
    backward = union(parts)
    rebuilt = union([PacketSet.box(p, s, sp, d, dp) for p, s, sp, d, dp in backward.boxes()])
    assert forward == backward == rebuilt
    assert hash(forward) == hash(backward)
    assert forward.canonical() == rebuilt.canonical()


@settings(deadline=None, max_examples=150)
@given(st.lists(boxes, max_size=3), boxes)
def test_different_sets_have_different_canonical_forms(parts: list[PacketSet], box: PacketSet) -> None:
    a = union(parts)
    b = a - box
    assert (a.canonical() == b.canonical()) is (a == b)


@settings(deadline=None, max_examples=150)
@given(st.lists(boxes, max_size=4), boxes)
def test_a_witness_lies_inside(parts: list[PacketSet], box: PacketSet) -> None:
    found = union(parts) - box
    packet = found.witness()
    assert (packet is None) is (not found)
    if packet:
        assert found.covers(only(packet))


def only(packet: Packet) -> PacketSet:
    return PacketSet.box(
        {packet.protocol},
        AddressSet.parse(packet.source),
        None if packet.source_port is None else PortSet.of(packet.source_port),
        AddressSet.parse(packet.destination),
        None if packet.port is None else PortSet.of(packet.port),
    )


def test_canonical_text() -> None:
    here, there = AddressSet.of("10.1.0.0/24"), AddressSet.of("20.0.0.0/8")
    web = PacketSet.box({TCP}, here, None, there, PortSet.of(443))
    assert web.canonical() == ("Tcp 10.1.0.0/24 -> 20.0.0.0/8:443",)
    assert web.canonical({there: "Somewhere"}) == ("Tcp 10.1.0.0/24 -> Somewhere:443",)
    six = PacketSet.box({UDP}, AddressSet.of("fd00::/8"), PortSet.of("1-1023"), AddressSet.of("::1"), PortSet.of(53))
    assert str(six) == "Udp [fd00::/8]:1-1023 -> [::1/128]:53"
    assert PacketSet.everything().canonical() == (
        "Any 0.0.0.0/0 -> 0.0.0.0/0",
        "Any ::/0 -> ::/0",
    )
    assert str(PacketSet()) == "nothing"


def test_split_prefixes_and_ports_are_the_same_set() -> None:
    whole = PacketSet.box({TCP}, AddressSet.of("10.0.0.0/24"), None, None, PortSet.of("1-10"))
    halves = union(
        [
            PacketSet.box({TCP}, AddressSet.of(half), None, None, PortSet.of(part))
            for half in ("10.0.0.128/25", "10.0.0.0/25")
            for part in ("6-10", "1-5")
        ]
    )
    assert whole == halves


def test_packets_of_two_families_do_not_exist() -> None:
    assert not PacketSet.box({TCP}, AddressSet.v4_any(), None, AddressSet.v6_any())
    assert not PacketSet.box({ICMP}, AddressSet.v6_any(), None, AddressSet.v6_any())
    assert not PacketSet.box({Protocol.ICMPV6}, AddressSet.v4_any(), None, AddressSet.v4_any())


def test_protocols_without_ports_ignore_them() -> None:
    assert PacketSet.box({ICMP}, ports=PortSet.of(443)) == PacketSet.box({ICMP})
    assert PacketSet.box({TCP}, ports=PortSet.of(443)) != PacketSet.box({TCP})
    assert not PacketSet.box({ICMP}, ports=PortSet.empty())


def test_the_smallest_packet_has_a_client_port_where_the_set_leaves_the_choice() -> None:
    web = PacketSet.box({TCP}, AddressSet.of("10.0.0.4/30"), None, AddressSet.of("20.1.2.3"), PortSet.of(443, 80))
    assert str(web.witness()) == "tcp 10.0.0.4:1024 -> 20.1.2.3:80"
    low = PacketSet.box({UDP}, AddressSet.of("::4"), PortSet.of("7-9"), AddressSet.of("::5"), PortSet.of(53))
    assert str(low.witness()) == "udp [::4]:7 -> [::5]:53"
    ping = PacketSet.box({ICMP}, AddressSet.of("10.0.0.4"), None, AddressSet.of("10.0.0.5"))
    assert str(ping.witness()) == "icmp 10.0.0.4 -> 10.0.0.5"


def test_a_product_with_an_empty_side_holds_no_packet() -> None:
    somewhere, none = AddressSet.of("10.0.0.0/30"), AddressSet.empty()
    for empty in (
        PacketSet.box(frozenset(), somewhere),
        PacketSet.box(source=none),
        PacketSet.box(destination=none),
        PacketSet.box(frozenset({TCP}), somewhere, PortSet.any(), somewhere, PortSet.empty()),
    ):
        assert not empty
        assert list(empty.boxes()) == []
