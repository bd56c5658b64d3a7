"""Overlap, free space, room."""

from __future__ import annotations

import pytest

from auditor.network import (
    AddressSet,
    aks_reserved,
    cluster_private_space,
    first_free,
    is_private,
    offset,
    overlapping,
    reserved_part,
    usable,
)

FREE = {
    "nothing taken": ((), 16, "10.0.0.0/16"),
    "the first is taken": (("10.0.0.0/24",), 16, "10.1.0.0/16"),
    "all of 10/8": (("10.0.0.0/8",), 16, "172.16.0.0/16"),
    "172.30 and 172.31 are reserved": (("10.0.0.0/8", "172.16.0.0-172.29.255.255"), 16, "192.168.0.0/16"),
    "a hole too small": (("10.0.0.0-10.0.127.255",), 16, "10.1.0.0/16"),
    "a smaller prefix fits": (("10.0.0.0-10.0.127.255",), 17, "10.0.128.0/17"),
    "a hole that ends too early": (("10.0.128.0-10.255.255.255",), 16, "172.16.0.0/16"),
    "a hole that ends one address too early": (("10.0.255.255-10.255.255.255",), 16, "172.16.0.0/16"),
    "everything is taken": (("0.0.0.0/0",), 16, None),
}


@pytest.mark.parametrize(("taken", "length", "free"), FREE.values(), ids=FREE)
def test_first_free(taken: tuple[str, ...], length: int, free: str | None) -> None:
    assert first_free(*map(AddressSet.parse, taken), length=length) == free


def test_a_network_of_16_bits_is_looked_for_unless_another_is_asked() -> None:
    assert first_free() == "10.0.0.0/16"


@pytest.mark.parametrize(
    ("prefix", "room"), [("10.0.0.0/24", 251), ("10.0.0.0/29", 3), ("10.0.0.0/32", 0), ("::/64", 0)]
)
def test_azure_keeps_five_addresses(prefix: str, room: int) -> None:
    assert usable(AddressSet.parse(prefix)) == room


@pytest.mark.parametrize(
    ("address", "within", "expected"),
    [
        ("10.0.0.0", "10.0.0.0/16", 0),
        ("10.0.0.1", "10.0.0.7/16", 1),
        ("10.0.0.10", "10.0.0.0/16", 10),
        ("10.1.0.0", "10.0.0.0/16", None),
        ("fd00::a", "fd00::/108", 10),
        ("10.0.0.10", "fd00::/108", None),
    ],
)
def test_offset(address: str, within: str, expected: int | None) -> None:
    assert offset(AddressSet.parse(address), AddressSet.parse(within)) == expected


def test_overlap_names_who_and_what() -> None:
    subnets = [("nodes", AddressSet.of("10.0.0.0/24")), ("pods", AddressSet.of("10.0.1.0/24"))]
    found = overlapping(AddressSet.of("10.0.1.128/25"), subnets)
    assert found == (("pods", AddressSet.of("10.0.1.128/25")),)
    assert overlapping(AddressSet.of("10.0.2.0/24"), subnets) == ()


def test_reserved_and_private_space() -> None:
    assert reserved_part(AddressSet.of("172.16.0.0/12")).prefixes() == ("172.30.0.0/15",)
    assert not reserved_part(AddressSet.of("10.0.0.0/8"))
    assert not aks_reserved().size(6)
    assert is_private(AddressSet.of("10.244.0.0/16", "100.64.0.0/12", "fd00::/64"))
    assert is_private(AddressSet.of("172.31.255.0/24"))
    assert not is_private(AddressSet.of("172.32.0.0/16"))
    assert not is_private(AddressSet.of("10.0.0.0/7"))
    assert cluster_private_space().covers(AddressSet.of("192.168.0.0/16"))
