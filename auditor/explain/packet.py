"""A packet as a person types it: `10.80.0.5 20.44.23.7 443/tcp`."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from difflib import get_close_matches

from auditor.errors import UsageProblem
from auditor.network import AddressSet, End, PortSet, Protocol, Tag, TagData

_PROTOCOLS = {
    "tcp": Protocol.TCP,
    "udp": Protocol.UDP,
    "icmp": Protocol.ICMP,
    "icmpv6": Protocol.ICMPV6,
    "esp": Protocol.ESP,
    "ah": Protocol.AH,
}
_SPECIAL_TAGS = ("Internet", "VirtualNetwork", "AzureLoadBalancer")
_LAST_PORT = 65_535
_HINT = "for example: --packet 10.0.0.4 20.1.2.3 443/tcp"


@dataclass(frozen=True, slots=True)
class Asked:
    """One packet (source port left open); `destination` may be a service tag: then all of its addresses are meant."""

    source: str
    destination: str
    port: int | None
    protocol: Protocol
    tag: bool = False

    def __str__(self) -> str:
        ports = "" if self.port is None else f":{self.port}"
        return f"{self.protocol.value} {self.source} -> {self.destination}{ports}"

    @property
    def start(self) -> AddressSet:
        """The source as a set of one address."""
        return AddressSet.parse(self.source)

    @property
    def end(self) -> End:
        """The destination as the semantics take it."""
        return Tag(self.destination) if self.tag else AddressSet.parse(self.destination)

    @property
    def ports(self) -> PortSet:
        """The destination port; every port of a protocol that has none."""
        return PortSet.any() if self.port is None else PortSet.of(self.port)


def parse_packet(source: str, destination: str, service: str, data: TagData | None = None) -> Asked:
    """The packet of `SRC DST PORT/PROTO`. Raises UsageProblem that names what cannot be meant.

    `data` are the service tags that a destination may name.
    """
    start = _address(source)
    if start is None:
        raise UsageProblem(f"the source `{source}` is no address", hint=_HINT)
    port, protocol = _service(service, start)
    end = _address(destination)
    if end is None:
        return Asked(str(start), _tag(destination, data), port, protocol, tag=True)
    if end.version != start.version:
        raise UsageProblem(f"{source} is an IPv{start.version} address and {destination} an IPv{end.version} one")
    return Asked(str(start), str(end), port, protocol)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text.strip())
    except ValueError:
        return None


def _tag(text: str, data: TagData | None) -> str:
    name = next((tag for tag in _SPECIAL_TAGS if tag.casefold() == text.strip().casefold()), None)
    name = name or (data.name(text) if data is not None else None)
    if name is None:
        raise UsageProblem(
            f"the destination `{text}` is neither an address nor a service tag of this snapshot",
            hint="host names are not resolved: look the address up first",
        )
    return name


def _service(text: str, source: ipaddress.IPv4Address | ipaddress.IPv6Address) -> tuple[int | None, Protocol]:
    """`443/tcp`, or a protocol without ports alone: `icmp`."""
    ports, slash, name = text.strip().casefold().rpartition("/")
    protocol = _PROTOCOLS.get(name)
    if protocol is None:
        near = get_close_matches(name, _PROTOCOLS, 1, 0.5)
        known = f"did you mean `{near[0]}`?" if near else f"known are {', '.join(_PROTOCOLS)}"
        raise UsageProblem(f"`{text}` names no protocol; {known}", hint=_HINT)
    if protocol is Protocol.ICMP and source.version == 6:
        protocol = Protocol.ICMPV6
    if not protocol.has_ports:
        if ports not in ("", "*"):
            raise UsageProblem(f"`{text}`: {name} has no ports", hint=f"write {name} alone")
        return None, protocol
    if not slash or not ports.isascii() or not ports.isdigit() or int(ports) > _LAST_PORT:
        raise UsageProblem(f"`{text}` names no port from 0 to {_LAST_PORT}", hint=_HINT)
    return int(ports), protocol
