"""Sets of TCP and UDP ports."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from auditor.network import intervals
from auditor.network.intervals import Intervals

LAST_PORT = 65_535


@dataclass(frozen=True, slots=True)
class PortSet:
    """A set of ports, 0 to 65535."""

    intervals: Intervals = ()

    @classmethod
    def parse(cls, text: str) -> PortSet:
        """`443`, `22-22`, `0-65535`, `*`; raises ValueError for `70000`, `5-3`, an empty string and the like."""
        text = text.strip()
        if text == "*":
            return _ALL
        start, dash, end = (part.strip() for part in text.partition("-"))
        low = _port(start, text)
        high = _port(end, text) if dash else low
        if high < low:
            raise ValueError(f"not a port range, its end lies before its start: {text!r}")
        return cls(((low, high),))

    @classmethod
    def of(cls, *ports: int | str) -> PortSet:
        """The union of ports and ranges: `PortSet.of(443, "8000-9000")`."""
        return cls(intervals.normal(pair for port in ports for pair in cls.parse(str(port)).intervals))

    @classmethod
    def union(cls, sets: Iterable[PortSet]) -> PortSet:
        """The union of many sets at the cost of one sort."""
        return cls(intervals.normal(pair for one in sets for pair in one.intervals))

    @classmethod
    def any(cls) -> PortSet:
        """Every port."""
        return _ALL

    @classmethod
    def empty(cls) -> PortSet:
        """No port."""
        return cls()

    def __or__(self, other: PortSet) -> PortSet:
        return PortSet(intervals.union(self.intervals, other.intervals))

    def __and__(self, other: PortSet) -> PortSet:
        return PortSet(intervals.intersection(self.intervals, other.intervals))

    def __sub__(self, other: PortSet) -> PortSet:
        return PortSet(intervals.difference(self.intervals, other.intervals))

    def __bool__(self) -> bool:
        return bool(self.intervals)

    def __contains__(self, port: int) -> bool:
        return intervals.contains(self.intervals, port)

    def __len__(self) -> int:
        return intervals.count(self.intervals)

    def __str__(self) -> str:
        """`443`, `80,443,8000-9000`, `*`; `nothing` for the empty set."""
        if self == _ALL:
            return "*"
        return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in self.intervals) or "nothing"

    def overlaps(self, other: PortSet) -> bool:
        """Whether any port is in both."""
        return intervals.overlap(self.intervals, other.intervals)

    def covers(self, other: PortSet) -> bool:
        """Whether all of `other` is inside."""
        return intervals.covers(self.intervals, other.intervals)

    def first(self) -> int | None:
        """The lowest port, None for the empty set."""
        return self.intervals[0][0] if self.intervals else None


def _port(digits: str, text: str) -> int:
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 5 and int(digits) <= LAST_PORT):
        raise ValueError(f"not a port or port range: {text!r}")
    return int(digits)


_ALL = PortSet(((0, LAST_PORT),))
