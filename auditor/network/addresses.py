"""Sets of IPv4 and IPv6 addresses, exact and immutable.

Both families lie on one number line (IPv6 behind IPv4, with a gap), so that one algebra serves both and no IPv4 prefix
ever touches an IPv6 one. `*` is both families; `0.0.0.0/0` is IPv4 alone.
"""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Iterable
from typing import Literal

from auditor.network import intervals
from auditor.network.intervals import Interval, Intervals

Family = Literal[4, 6]

_V6_BASE = 1 << 40  # behind the last IPv4 address, with a gap: the families are never adjacent
_V4_ALL: Interval = (0, (1 << 32) - 1)
_V6_ALL: Interval = (_V6_BASE, _V6_BASE + (1 << 128) - 1)


class AddressSet:
    """A set of addresses. Hashable; equal sets are equal values whatever they were built from."""

    __slots__ = ("_hash", "intervals")

    intervals: Intervals

    def __init__(self, intervals: Intervals = ()) -> None:
        """From normal intervals on the common line; everybody else uses `parse`, `of` and the operators."""
        object.__setattr__(self, "intervals", intervals)
        object.__setattr__(self, "_hash", hash(intervals))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"an AddressSet does not change: {name}")

    @classmethod
    def parse(cls, text: str) -> AddressSet:
        """`10.0.0.0/8`, `172.17.0.1/16` (host bits are dropped), a bare address, or a range `a-b` of one family.

        Raises ValueError, naming the text, for everything else: `111`, an empty string, netmasks, a service tag.
        """
        return _parse(text)

    @classmethod
    def of(cls, *texts: str) -> AddressSet:
        """The union of prefixes, each as `parse` reads it."""
        return cls.union(_parse(text) for text in texts)

    @classmethod
    def union(cls, sets: Iterable[AddressSet]) -> AddressSet:
        """The union of many sets at the cost of one sort."""
        return cls(intervals.normal(pair for one in sets for pair in one.intervals))

    @classmethod
    def any(cls) -> AddressSet:
        """Every address of both families: `*` in a security rule."""
        return _ANY

    @classmethod
    def empty(cls) -> AddressSet:
        """No address."""
        return _EMPTY

    @classmethod
    def v4_any(cls) -> AddressSet:
        """`0.0.0.0/0`."""
        return _V4

    @classmethod
    def v6_any(cls) -> AddressSet:
        """`::/0`."""
        return _V6

    def __or__(self, other: AddressSet) -> AddressSet:
        return AddressSet(intervals.union(self.intervals, other.intervals))

    def __and__(self, other: AddressSet) -> AddressSet:
        return AddressSet(intervals.intersection(self.intervals, other.intervals))

    def __sub__(self, other: AddressSet) -> AddressSet:
        return AddressSet(intervals.difference(self.intervals, other.intervals))

    def __bool__(self) -> bool:
        return bool(self.intervals)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AddressSet) and (self is other or self.intervals == other.intervals)

    def __hash__(self) -> int:
        return self._hash  # type: ignore[attr-defined,no-any-return]

    def __repr__(self) -> str:
        return f"AddressSet({self})"

    def __str__(self) -> str:
        """The canonical prefixes, joined by commas; `*` for everything, `nothing` for the empty set."""
        if self == _ANY:
            return "*"
        return ", ".join(self.prefixes()) or "nothing"

    def __contains__(self, address: str) -> bool:
        """Whether an address (or all of a prefix) lies inside."""
        return self.covers(_parse(address))

    def overlaps(self, other: AddressSet) -> bool:
        """Whether any address is in both."""
        return intervals.overlap(self.intervals, other.intervals)

    def covers(self, other: AddressSet) -> bool:
        """Whether all of `other` lies inside; the empty set lies inside every set."""
        return intervals.covers(self.intervals, other.intervals)

    def family(self, family: Family) -> AddressSet:
        """The addresses of one family."""
        return self & (_V4 if family == 4 else _V6)

    @property
    def families(self) -> tuple[Family, ...]:
        """The families of which any address is in the set."""
        return tuple(f for f in (4, 6) if self.family(f))

    def first(self) -> str | None:
        """The lowest address (IPv4 before IPv6), None for the empty set."""
        return address_text(self.intervals[0][0]) if self.intervals else None

    def last(self) -> str | None:
        """The highest address, None for the empty set."""
        return address_text(self.intervals[-1][1]) if self.intervals else None

    def size(self, family: Family) -> int:
        """How many addresses of a family it holds."""
        return intervals.count(self.family(family).intervals)

    def prefixes(self) -> tuple[str, ...]:
        """The fewest CIDR prefixes that make up the set, ascending, IPv4 first."""
        return _prefixes(self)


def address_text(number: int) -> str:
    """An address on the common line as text."""
    if number >= _V6_BASE:
        return str(ipaddress.IPv6Address(number - _V6_BASE))
    return f"{number >> 24}.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


@functools.lru_cache(maxsize=8192)
def _prefixes(addresses: AddressSet) -> tuple[str, ...]:
    return tuple(text for low, high in addresses.intervals for text in _summary(low, high))


def _summary(low: int, high: int) -> Iterable[str]:
    base, bits = (_V6_BASE, 128) if low >= _V6_BASE else (0, 32)
    low, high = low - base, high - base
    while low <= high:
        aligned = (low & -low).bit_length() - 1 if low else bits
        fitting = (high - low + 1).bit_length() - 1
        size = min(aligned, fitting)
        yield f"{address_text(low + base)}/{bits - size}"
        low += 1 << size


@functools.lru_cache(maxsize=131_072)
def _parse(text: str) -> AddressSet:
    text = text.strip()
    start, dash, end = text.partition("-")
    if dash:
        low, high = _number(start.strip(), text), _number(end.strip(), text)
        if high < low or (low >= _V6_BASE) != (high >= _V6_BASE):
            raise ValueError(f"not an address range: {text!r}")
        return AddressSet(((low, high),))
    address, slash, length = text.partition("/")
    low = _number(address, text)
    bits = 128 if low >= _V6_BASE else 32
    if not slash:
        return AddressSet(((low, low),))
    if not (length.isascii() and length.isdigit() and len(length) <= 3 and int(length) <= bits):
        raise ValueError(f"not an address prefix: {text!r}")
    mask = (1 << (bits - int(length))) - 1
    base = _V6_BASE if bits == 128 else 0
    low = ((low - base) & ~mask) + base
    return AddressSet(((low, low + mask),))


def _number(address: str, text: str) -> int:
    try:
        if "%" in address:  # a zone id has no meaning in a prefix
            raise ValueError
        parsed = ipaddress.ip_address(address)
    except ValueError:
        raise ValueError(f"not an address, prefix or range: {text!r}") from None
    return int(parsed) + (_V6_BASE if parsed.version == 6 else 0)


_EMPTY = AddressSet()
_V4 = AddressSet((_V4_ALL,))
_V6 = AddressSet((_V6_ALL,))
_ANY = AddressSet((_V4_ALL, _V6_ALL))
