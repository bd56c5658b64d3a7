"""Questions about address ranges: overlap, free space, room."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from auditor.network import facts
from auditor.network.addresses import AddressSet

K = TypeVar("K")

RESERVED_ADDRESSES = 5  # that Azure keeps of every subnet


def overlapping(addresses: AddressSet, others: Iterable[tuple[K, AddressSet]]) -> tuple[tuple[K, AddressSet], ...]:
    """Which of the others share addresses with this range, and which addresses they share."""
    return tuple((key, addresses & other) for key, other in others if addresses.overlaps(other))


def first_free(*taken: AddressSet, length: int = 16) -> str | None:
    """The first RFC 1918 prefix of a length that overlaps neither what is taken nor a block that AKS reserves."""
    forbidden = AddressSet.union([*taken, facts.aks_reserved()])
    size = 1 << (32 - length)
    for low, high in (facts.rfc1918() - forbidden).intervals:
        start = -(-low // size) * size
        if start + size - 1 <= high:
            return AddressSet(((start, start + size - 1),)).prefixes()[0]
    return None


def usable(subnet: AddressSet) -> int:
    """How many IPv4 addresses a subnet has room for: its size less the five that Azure keeps; never negative."""
    return max(0, subnet.size(4) - RESERVED_ADDRESSES)


def offset(address: AddressSet, within: AddressSet) -> int | None:
    """How many addresses of a range lie below a single address of it: 0 is the network address. None if outside."""
    if not address or not within.covers(address):
        return None
    here = address.intervals[0][0]
    return sum(min(high, here - 1) - low + 1 for low, high in within.intervals if low < here)


def reserved_part(addresses: AddressSet) -> AddressSet:
    """What of a range lies in a block that AKS reserves."""
    return addresses & facts.aks_reserved()


def is_private(addresses: AddressSet) -> bool:
    """Whether a range lies wholly in RFC 1918, RFC 6598 or unique local IPv6 space."""
    return facts.cluster_private_space().covers(addresses)
