"""Address and port sets: odd spellings, and the laws of the algebra."""

from __future__ import annotations

import ipaddress
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.network import AddressSet, PortSet
from auditor.network import intervals as iv

SPELLINGS = {
    # plain
    "10.0.0.0/8": ("10.0.0.0/8",),
    "10.1.2.3": ("10.1.2.3/32",),
    "0.0.0.0/0": ("0.0.0.0/0",),
    "::/0": ("::/0",),
    "2001:DB8::/32": ("2001:db8::/32",),
    "2001:db8::1": ("2001:db8::1/128",),
    # host bits: a docker bridge address is written so
    "172.17.0.1/16": ("172.17.0.0/16",),
    "2001:db8::1/64": ("2001:db8::/64",),
    # ranges, from old API versions
    "10.0.0.0-10.0.0.255": ("10.0.0.0/24",),
    "10.0.0.1-10.0.0.1": ("10.0.0.1/32",),
    "10.0.0.1 - 10.0.0.2": ("10.0.0.1/32", "10.0.0.2/32"),
    "0.0.0.0-255.255.255.255": ("0.0.0.0/0",),
    # space around
    " 10.0.0.0/24 ": ("10.0.0.0/24",),
}

UNPARSABLE = [
    "111",
    "",
    "*",
    "Internet",
    "10.0.0.0/33",
    "2001:db8::/129",
    "10.0.0.0/255.0.0.0",  # netmasks: ARM takes none
    "10.0.0.0/0.255.255.255",
    "10.0.0.256",
    "10.0.0",
    "010.0.0.1",  # is it octal?
    "10.0.0.0/",
    "10.0.0.0/-1",
    "10.0.0.0/+8",
    "10.0.0.0/٨",  # a digit, but not ASCII
    "10.0.0.9-10.0.0.1",
    "10.0.0.0-2001:db8::",
    "10.0.0.0/24-10.0.1.0",
    "fe80::1%eth0",
    "10.0.0.0/8/8",
]


@pytest.mark.parametrize(("text", "prefixes"), SPELLINGS.items())
def test_spellings(text: str, prefixes: tuple[str, ...]) -> None:
    assert AddressSet.parse(text).prefixes() == prefixes


@pytest.mark.parametrize("text", UNPARSABLE)
def test_what_is_no_prefix_raises(text: str) -> None:
    with pytest.raises(ValueError, match="not an address"):
        AddressSet.parse(text)


def test_families_are_apart() -> None:
    everything = AddressSet.any()
    assert everything == AddressSet.v4_any() | AddressSet.v6_any()
    assert not AddressSet.v4_any().overlaps(AddressSet.v6_any())
    assert everything.prefixes() == ("0.0.0.0/0", "::/0")
    assert "::1" not in AddressSet.v4_any()
    assert (everything.size(4), everything.size(6)) == (1 << 32, 1 << 128)
    assert everything.families == (4, 6)
    assert (str(everything), str(AddressSet.empty())) == ("*", "nothing")
    assert str(AddressSet.of("10.0.0.1", "::1")) == "10.0.0.1/32, ::1/128"


def test_halves_join_and_a_set_does_not_change() -> None:
    assert AddressSet.of("10.0.0.0/25", "10.0.0.128/25") == AddressSet.parse("10.0.0.0/24")
    assert AddressSet.of("10.0.0.1/32", "10.0.0.3/32").first() == "10.0.0.1"
    assert AddressSet.of("10.0.0.1/32", "10.0.0.3/32").last() == "10.0.0.3"
    assert AddressSet.of("10.0.0.0/24").first() == "10.0.0.0"
    assert AddressSet.of("10.0.0.0/24").last() == "10.0.0.255"
    assert AddressSet.empty().first() is None
    assert AddressSet.empty().last() is None
    assert not AddressSet.empty()
    with pytest.raises(AttributeError):
        AddressSet.any().intervals = ()


numbers = st.integers(0, 60)
pairs = st.lists(st.tuples(numbers, numbers).map(lambda p: (min(p), max(p))), max_size=8).map(iv.normal)


def members(intervals: iv.Intervals) -> set[int]:
    return {n for low, high in intervals for n in range(low, high + 1)}


@settings(deadline=None, max_examples=400)
@given(pairs, pairs)
def test_interval_algebra_is_set_algebra(a: iv.Intervals, b: iv.Intervals) -> None:
    x, y = members(a), members(b)
    assert members(iv.union(a, b)) == x | y
    assert members(iv.intersection(a, b)) == x & y
    assert members(iv.difference(a, b)) == x - y
    assert iv.overlap(a, b) is bool(x & y)
    assert iv.covers(a, b) is (y <= x)
    assert iv.count(a) == len(x)
    for result in (iv.union(a, b), iv.intersection(a, b), iv.difference(a, b)):
        assert result == iv.normal(result)
        assert all(high + 1 < low for (_, high), (low, _) in itertools.pairwise(result))
    assert all(iv.contains(a, n) is (n in x) for n in range(-1, 62))


v4 = st.integers(0, (1 << 32) - 1)
v6 = st.integers(0, (1 << 128) - 1)
networks = st.one_of(
    st.builds(lambda n, p: ipaddress.IPv4Network((n, p), strict=False), v4, st.integers(0, 32)),
    st.builds(lambda n, p: ipaddress.IPv6Network((n, p), strict=False), v6, st.integers(0, 128)),
)


@settings(deadline=None, max_examples=200)
@given(st.lists(networks, max_size=6))
def test_prefixes_are_the_fewest_that_make_up_the_set(
    nets: list[ipaddress.IPv4Network | ipaddress.IPv6Network],
) -> None:
    found = AddressSet.of(*(str(n) for n in nets)).prefixes()
    expected = [
        str(n)
        for version in (4, 6)
        for n in ipaddress.collapse_addresses([n for n in nets if n.version == version])  # type: ignore[type-var]
    ]
    assert list(found) == expected


sets = st.lists(networks, max_size=4).map(lambda nets: AddressSet.of(*(str(n) for n in nets)))


@settings(deadline=None, max_examples=200)
@given(sets, sets, sets)
def test_laws(a: AddressSet, b: AddressSet, c: AddressSet) -> None:
    assert (a - b) | (a & b) == a
    assert not (a - b) & (a & b)
    assert a | b == b | a
    assert a & (b | c) == (a & b) | (a & c)
    assert a - (b | c) == (a - b) - c
    assert a.covers(b) is (not b - a)
    assert a.overlaps(b) is bool(a & b)
    assert hash(a | b) == hash(b | a)


PORTS = {
    "443": "443",
    "22-22": "22",
    "443-443": "443",
    "0-65535": "*",
    "*": "*",
    " 80 ": "80",
    "1-2": "1-2",
    "8000 - 9000": "8000-9000",
    "0": "0",
    "65535": "65535",
    "0080": "80",
}


@pytest.mark.parametrize(("text", "shown"), PORTS.items())
def test_ports(text: str, shown: str) -> None:
    assert str(PortSet.parse(text)) == shown


@pytest.mark.parametrize("text", ["70000", "65536", "5-3", "", "-1", "http", "1-", "-", "1-2-3", "1,2", "+1", "１"])
def test_what_is_no_port_raises(text: str) -> None:
    with pytest.raises(ValueError, match="not a port"):
        PortSet.parse(text)


def test_port_sets() -> None:
    some = PortSet.of(80, 443, "8000-8002")
    assert str(some) == "80,443,8000-8002"
    assert len(some) == 5
    assert 8001 in some
    assert 8003 not in some
    assert some - PortSet.of(80) == PortSet.of(443, "8000-8002")
    assert PortSet.any().covers(some)
    assert not some.overlaps(PortSet.of(81))
    assert PortSet.of(1, 2, 3) == PortSet.of("1-3")
    assert (PortSet.empty().first(), some.first()) == (None, 80)
