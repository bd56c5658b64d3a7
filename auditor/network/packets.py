"""Packets, and exact sets of them with one canonical form.

A packet has one address family; `Icmp` is IPv4's and `IcmpV6` IPv6's. What is neither TCP nor UDP has
no ports: a set that holds such a packet holds it whatever ports a rule or question names.
"""

from __future__ import annotations

import enum
import functools
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from auditor.network import diagram, intervals
from auditor.network.addresses import AddressSet, address_text
from auditor.network.diagram import NOWHERE, Box, Node
from auditor.network.intervals import Intervals
from auditor.network.ports import PortSet

EPHEMERAL = 1024  # the lowest source port that a client normally uses


class Protocol(enum.StrEnum):
    """What a security rule can tell apart. OTHER stands for every protocol without a name of its own."""

    TCP = "Tcp"
    UDP = "Udp"
    ICMP = "Icmp"
    ICMPV6 = "IcmpV6"
    ESP = "Esp"
    AH = "Ah"
    OTHER = "Other"

    @property
    def has_ports(self) -> bool:
        """TCP and UDP."""
        return self in (Protocol.TCP, Protocol.UDP)


PROTOCOLS: tuple[Protocol, ...] = tuple(Protocol)
ALL_PROTOCOLS: frozenset[Protocol] = frozenset(Protocol)
_ORDER = {protocol: index for index, protocol in enumerate(PROTOCOLS)}
_SOURCE_PORT = 4  # the last dimension of a diagram over packets
_ALL_PORTS: Intervals = PortSet.any().intervals


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet. Addresses are text; where a question asks about a service tag without data, the tag's name."""

    protocol: Protocol
    source: str
    source_port: int | None
    destination: str
    port: int | None

    def __str__(self) -> str:
        """`tcp 10.0.0.4:1024 -> 20.1.2.3:443`."""
        return (
            f"{self.protocol.value.casefold()} {_endpoint(self.source, self.source_port)}"
            f" -> {_endpoint(self.destination, self.port)}"
        )


@dataclass(frozen=True, slots=True)
class PacketSet:
    """An exact set of packets; equal sets are equal values. Built with `box`, `|`, `&` and `-`."""

    node: Node = NOWHERE

    @classmethod
    def box(
        cls,
        protocols: Iterable[Protocol] = ALL_PROTOCOLS,
        source: AddressSet | None = None,
        source_ports: PortSet | None = None,
        destination: AddressSet | None = None,
        ports: PortSet | None = None,
    ) -> PacketSet:
        """All packets of these protocols between these ends; None is everything, an empty set is nothing."""
        node = NOWHERE
        any_address, any_port = AddressSet.any(), PortSet.any()
        for piece in pieces(
            frozenset(protocols),
            any_address if source is None else source,
            any_port if source_ports is None else source_ports,
            any_address if destination is None else destination,
            any_port if ports is None else ports,
        ):
            node = diagram.merged(node, diagram.box_node(piece, True))
        return cls(node)

    @classmethod
    def everything(cls) -> PacketSet:
        """Every packet."""
        return _everything()

    def __or__(self, other: PacketSet) -> PacketSet:
        if not self.node or not other.node or self == other:
            return self if self.node else other
        return PacketSet(diagram.combine(self.node, other.node, _or))

    def __and__(self, other: PacketSet) -> PacketSet:
        return PacketSet(
            diagram.combine(self.node, other.node, lambda a, b: True if a is not None and b is not None else None)
        )

    def __sub__(self, other: PacketSet) -> PacketSet:
        if not self.node or not other.node:
            return self
        return PacketSet(diagram.combine(self.node, other.node, lambda a, b: a if b is None else None))

    def __bool__(self) -> bool:
        return bool(self.node)

    def covers(self, other: PacketSet) -> bool:
        """Whether every packet of `other` is inside."""
        return not (other - self)

    def overlaps(self, other: PacketSet) -> bool:
        """Whether any packet is in both."""
        return bool(self & other)

    def witness(self) -> Packet | None:
        """The smallest packet: lowest protocol, destination, source, port; None for the empty set."""
        found = smallest_packets(self.node)
        return next(iter(found.values()), None)

    def boxes(self) -> Iterator[tuple[frozenset[Protocol], AddressSet, PortSet, AddressSet, PortSet]]:
        """The set as disjoint products (protocols, sources, source ports, destinations, ports): IPv4, then IPv6."""
        for everything in _families():
            here = self if self._single_family() else self & everything
            for (protocols, destination, source, port, source_port), _ in diagram.paths(here.node):
                yield (
                    _protocols(protocols),
                    AddressSet(source),
                    PortSet(source_port),
                    AddressSet(destination),
                    PortSet(port),
                )

            if here is self:
                return

    def _single_family(self) -> bool:
        places = [AddressSet(pairs) for _, child in self.node.parts for pairs, _ in child.parts]
        return len({place.families for place in places}) == 1 and len(places[0].families) == 1

    def canonical(
        self, names: Mapping[AddressSet, str] | None = None, clients: PortSet | None = None
    ) -> tuple[str, ...]:
        """The set as sorted text, the same for equal sets: `Tcp 10.1.0.0/24 -> 20.0.0.0/8:443`.

        `names` lets an address set appear as its name, so that a service tag's weekly changes are not an estate's
        drift: `Tcp 10.1.0.0/24 -> AzureContainerRegistry.EastUS2:443`. Source ports that are just `clients` are left
        out.
        """
        items: list[str] = []
        for protocols, source, source_ports, destination, ports in self.boxes():
            absent = Protocol.ICMPV6 if source.families == (4,) else Protocol.ICMP
            whole = protocols == ALL_PROTOCOLS - {absent}
            what = "Any" if whole else "/".join(p for p in PROTOCOLS if p in protocols)
            shown = PortSet.any() if source_ports == clients else source_ports
            for start in _labels(source, names or {}):
                for end in _labels(destination, names or {}):
                    items.append(f"{what} {_end(start, shown)} -> {_end(end, ports)}")
        return tuple(sorted(items))

    def __str__(self) -> str:
        return "; ".join(self.canonical()) or "nothing"


def pieces(
    protocols: frozenset[Protocol],
    source: AddressSet,
    source_ports: PortSet,
    destination: AddressSet,
    ports: PortSet,
) -> list[Box]:
    """The product as at most four disjoint boxes of possible packets: by family, and with and without ports.

    Dimensions in the order of this package's diagrams: protocol, destination, source, port, source port.
    """
    if not source_ports or not ports:
        return []
    found: list[Box] = []
    for family, absent in ((4, Protocol.ICMPV6), (6, Protocol.ICMP)):
        ends = (destination.family(family).intervals, source.family(family).intervals)  # type: ignore[arg-type]
        if not all(ends):
            continue
        for with_ports in (True, False):
            carried = frozenset(p for p in protocols if p.has_ports is with_ports and p is not absent)
            if carried:
                pair = (ports.intervals, source_ports.intervals) if with_ports else (_ALL_PORTS, _ALL_PORTS)
                found.append((protocol_intervals(carried), *ends, *pair))
    return found


@functools.lru_cache(maxsize=256)
def protocol_intervals(protocols: frozenset[Protocol]) -> Intervals:
    """Protocols as positions on the protocol dimension."""
    return intervals.normal((_ORDER[p], _ORDER[p]) for p in protocols)


def smallest_packets(node: Node) -> dict[Hashable, Packet]:
    """For each answer of a diagram over packets the smallest packet that gets it, smallest first.

    The source port is one that a client would use, where the set leaves the choice.
    """
    found: dict[Hashable, Packet] = {}
    for answer, (protocol, destination, source, port, source_port) in sorted(
        diagram.firsts(node, _pick).items(), key=lambda item: item[1]
    ):
        which = PROTOCOLS[protocol]
        found[answer] = Packet(
            which,
            address_text(source),
            source_port if which.has_ports else None,
            address_text(destination),
            port if which.has_ports else None,
        )
    return found


def _pick(level: int, pairs: Intervals) -> int:
    ephemeral = level == _SOURCE_PORT and intervals.contains(pairs, EPHEMERAL)
    return EPHEMERAL if ephemeral else pairs[0][0]


@functools.cache
def _everything() -> PacketSet:
    return PacketSet.box()


@functools.cache
def _families() -> tuple[PacketSet, PacketSet]:
    v4, v6 = AddressSet.v4_any(), AddressSet.v6_any()
    return PacketSet.box(source=v4, destination=v4), PacketSet.box(source=v6, destination=v6)


def _or(a: Hashable, b: Hashable) -> Hashable:
    return b if a is None else a


def _protocols(pairs: Intervals) -> frozenset[Protocol]:
    return frozenset(PROTOCOLS[i] for low, high in pairs for i in range(low, high + 1))


def _labels(addresses: AddressSet, names: Mapping[AddressSet, str]) -> tuple[str, ...]:
    if addresses in names:
        return (names[addresses],)
    for family, everything in ((4, AddressSet.v4_any()), (6, AddressSet.v6_any())):
        for whole, name in names.items():  # of a name's addresses a packet meets one family; its other end shows which
            if whole.family(family) == addresses and whole & everything:  # type: ignore[arg-type]
                return (name,)
    return addresses.prefixes()


def _end(place: str, ports: PortSet) -> str:
    if ports == PortSet.any():
        return place
    text = str(ports)
    bracketed = f"[{place}]" if ":" in place else place
    return f"{bracketed}:{text}"


def _endpoint(address: str, port: int | None) -> str:
    if port is None:
        return address
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
