"""A question: what becomes of this class of packets? Its ends are address sets or service tags."""

from __future__ import annotations

from dataclasses import dataclass

from auditor.network import facts, reading, tags
from auditor.network.addresses import AddressSet
from auditor.network.packets import ALL_PROTOCOLS, PROTOCOLS, Protocol
from auditor.network.ports import PortSet
from auditor.network.rules import Direction, Surroundings
from auditor.network.tags import Tag

End = AddressSet | Tag
EVERY_PORT = PortSet.any()
CLIENT_PORTS = PortSet.of("1024-65535")
"""The source ports of clients, which stand for all (requirements 4.6): a rule for these takes all their packets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A class of packets on their way in one direction through the groups of a subnet or interface.

    `defaults=False` asks of custom rules alone: what none of them denies is allowed. That is the reading for overlay
    pod addresses, which are not part of `VirtualNetwork` and yet flow (requirements, `nsg-intra-cluster`).
    """

    direction: Direction
    source: End
    destination: End
    ports: PortSet
    protocols: frozenset[Protocol] = ALL_PROTOCOLS
    source_ports: PortSet = EVERY_PORT
    defaults: bool = True

    def __str__(self) -> str:
        """`Tcp 10.0.0.0/24 -> AzureContainerRegistry.EastUS2:443`."""
        what = "/".join(p for p in PROTOCOLS if p in self.protocols)
        what = "Any" if self.protocols == ALL_PROTOCOLS else what
        ports = "" if self.ports == PortSet.any() else f":{self.ports}"
        return f"{what} {self.source} -> {self.destination}{ports}"


def outbound(source: End, destination: End, ports: PortSet, *protocols: Protocol) -> Question:
    """What leaves `source` for `destination`; no protocol named means all."""
    return Question(
        direction=Direction.OUTBOUND,
        source=source,
        destination=destination,
        ports=ports,
        protocols=frozenset(protocols) or ALL_PROTOCOLS,
    )


def inbound(source: End, destination: End, ports: PortSet, *protocols: Protocol) -> Question:
    """What reaches `destination` from `source`; no protocol named means all."""
    return Question(
        direction=Direction.INBOUND,
        source=source,
        destination=destination,
        ports=ports,
        protocols=frozenset(protocols) or ALL_PROTOCOLS,
    )


@dataclass(frozen=True, slots=True)
class ResolvedEnd:
    """An end of a question where it is asked. A symbol's addresses are unknown: then `addresses` is a stand-in."""

    addresses: AddressSet
    tag: str | None = None
    symbol: bool = False
    public: bool = False  # a tag that is known to lie inside Internet


def resolve(end: End, surroundings: Surroundings) -> ResolvedEnd:
    """The addresses of an end, by the data at hand; a tag without data stays a symbol."""
    if isinstance(end, AddressSet):
        return ResolvedEnd(end)
    special = {
        "virtualnetwork": reading.virtual_network,
        "internet": reading.internet,
        "azureloadbalancer": _load_balancer,
    }.get(end.key)
    if special:
        return ResolvedEnd(special(surroundings), end.name)
    public = tags.inside_internet(surroundings.cloud, end.name)
    found = surroundings.tags.prefixes(end.name) if surroundings.tags else None
    if found is not None:
        return ResolvedEnd(found, end.name, public=public or not found.overlaps(facts.not_internet()))
    return ResolvedEnd(AddressSet.any(), end.name, symbol=True, public=public)


def _load_balancer(surroundings: Surroundings) -> AddressSet:
    return facts.platform_address()
