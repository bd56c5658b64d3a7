"""Next hops: which route takes a packet, by longest prefix, over user, learned and system routes (requirements 7).

Order: a service endpoint's route before everything; a private endpoint's /32, unless route policies are in force on its
subnet and a user route at least as long as the virtual network's prefix (never the default one) takes over; then the
longest prefix, at equal length user before learned before system. Routes of the virtual network and of peerings beat
learned ones of any length. Learned routes cannot be seen: where only a system route matches that they could beat, the
hop is undecided.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from auditor.network import facts, tags
from auditor.network.addresses import AddressSet, Family
from auditor.network.reading import Atom
from auditor.network.tags import Relation, Tag, TagData
from auditor.values import TraceStep, Unread


class Hop(enum.StrEnum):
    """Where a packet goes next, in the words of effective routes."""

    VIRTUAL_NETWORK = "VirtualNetwork"
    PEERING = "VNetPeering"
    GATEWAY = "VirtualNetworkGateway"
    INTERNET = "Internet"
    APPLIANCE = "VirtualAppliance"
    NONE = "None"
    SERVICE_ENDPOINT = "VirtualNetworkServiceEndpoint"
    PRIVATE_ENDPOINT = "InterfaceEndpoint"
    UNDECIDED = "undecided"


class Kind(enum.StrEnum):
    """Who made the route that decides."""

    USER = "user"
    SYSTEM = "system"
    LEARNED = "learned"  # one may exist that would decide


_LONGEST_SPACE = 29  # no virtual network has an IPv4 prefix longer than that: a peer cannot beat such a user route
_USER_HOPS = {
    "virtualnetworkgateway": Hop.GATEWAY,
    "vnetlocal": Hop.VIRTUAL_NETWORK,
    "internet": Hop.INTERNET,
    "virtualappliance": Hop.APPLIANCE,
    "none": Hop.NONE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A user route as ARM carries it: `prefix` is a prefix or a service tag, `next_hop_type` without regard to case."""

    name: str
    id: str = ""
    prefix: str
    next_hop_type: str
    next_hop_ip: str | None = None

    @property
    def hop(self) -> Hop:
        """The hop, UNDECIDED for a type that is none of Azure's."""
        return _USER_HOPS.get(self.next_hop_type.strip().casefold(), Hop.UNDECIDED)

    @property
    def addresses(self) -> AddressSet | None:
        """The prefix as a set; None if it is a tag or cannot be read."""
        try:
            return AddressSet.parse(self.prefix)
        except ValueError:
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteTable:
    """A route table. `learns`: routes of gateways are propagated (`disableBgpRoutePropagation` is not true)."""

    id: str
    name: str
    routes: tuple[Route, ...] = ()
    learns: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivateEndpoint:
    """A private endpoint's address; `policies`: route table policies are in force on its subnet."""

    id: str
    addresses: AddressSet
    policies: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """What a subnet's system routes come from.

    space              the virtual network's own address space
    peers              (id, address space or why unread) of connected peerings
    service_endpoints  (service, what its route covers): `("Microsoft.Storage", Tag("Storage.EastUS2"))`
    private_endpoints  those of this network and of its peers
    learned            set if a gateway may have learned routes
    """

    cloud: str
    space: AddressSet
    peers: tuple[tuple[str, AddressSet | Unread], ...] = ()
    service_endpoints: tuple[tuple[str, AddressSet | Tag], ...] = ()
    private_endpoints: tuple[PrivateEndpoint, ...] = ()
    learned: Unread | None = None
    tags: TagData | None = None


@dataclass(frozen=True, slots=True)
class Leg:
    """Destinations with one next hop. `route` is the user route that decides, else None and `via` says what does.

    `atoms` are what the hop hangs on (hop UNDECIDED), or, with a decided hop, empty. `overtakable`: a learned route of
    a longer prefix would beat this user route, and a gateway that may learn some exists.
    """

    destinations: AddressSet
    hop: Hop
    kind: Kind
    route: Route | None = None
    via: str = ""
    next_hop_ip: str | None = None
    atoms: tuple[Atom, ...] = ()
    overtakable: bool = False

    def as_trace(self, asked: str = "") -> TraceStep:
        """The leg as the report carries it."""
        name = self.route.name if self.route else self.via
        facts_ = {"destinations": asked or str(self.destinations), "hop": self.hop.value, "route": name}
        facts_ |= {"kind": self.kind.value}
        if self.atoms:
            facts_["atoms"] = ", ".join(str(atom) for atom in self.atoms)
            return TraceStep("route-undecided", "the next hop of {destinations} hangs on {atoms}", facts_)
        return TraceStep("route", "{destinations} goes to {hop} by the {kind} route {route}", facts_)


@dataclass(frozen=True, slots=True)
class _Candidate:
    addresses: AddressSet
    length: int
    rank: int  # at equal length lower wins
    hop: Hop
    kind: Kind
    route: Route | None = None
    via: str = ""
    beats_learned: bool = False

    def leg(self, part: AddressSet, *, overtakable: bool = False) -> Leg:
        ip = self.route.next_hop_ip if self.route else None
        return Leg(part, self.hop, self.kind, self.route, self.via, ip, overtakable=overtakable)


@dataclass(frozen=True, slots=True)
class _Maybe:
    """A user route that may take addresses inside a bound: its tag has no data, or its prefix cannot be read."""

    route: Route
    within: AddressSet
    atom: Atom


def next_hops(destination: AddressSet | Tag, table: RouteTable | Unread | None, network: Network) -> tuple[Leg, ...]:
    """The next hops of a destination, as disjoint legs that together make it up. Equal hops of one route are one leg.

    A tag without data is followed as a whole, for IPv4: the leg's `destinations` then stand for it.
    """
    if isinstance(destination, Tag):
        found = network.tags.prefixes(destination.name) if network.tags else None
        if found is None:
            return (_symbol_hop(destination, table, network),)
        destination = found
    if isinstance(table, Unread):
        atom = Atom("route-table-unread", table.what, table.why)
        return _joined(_without_table(destination, network, atom))
    routes = table.routes if table else ()
    candidates, maybes = _user_candidates(routes, network)
    learned = network.learned if table is None or table.learns else None
    legs = _partition(destination, [*candidates, *_system_candidates(network)], routes, network, learned)
    legs = [piece for leg in legs for piece in _doubted(leg, maybes, network)]
    return _joined(legs)


def default_routes(table: RouteTable | None, family: Family = 4) -> tuple[Route, ...]:
    """The user routes that make up the default route: 0.0.0.0/0, or several that cover the Internet, such as 0/1 and
    128/1; each decides, by longest prefix, for a part of it. Empty if the table leaves a part to other routes.
    """
    found, whole = _over_the_internet(table, family)
    return found if whole else ()


def internet_routes(table: RouteTable | None, family: Family = 4) -> tuple[Route, ...]:
    """The user routes that decide for a large part of the Internet, whether or not they make up a default route.

    Half a default route to None beside 0.0.0.0/0, or alone, takes the way out from half of the Internet.
    """
    return _over_the_internet(table, family)[0]


def sends_default_away(table: RouteTable | None) -> bool:
    """Whether a user route takes all or much of the Internet to a gateway or appliance: then `VirtualNetwork` has two
    readings.
    """
    return any(route.hop in (Hop.GATEWAY, Hop.APPLIANCE) for route in internet_routes(table))


def _over_the_internet(table: RouteTable | None, family: Family) -> tuple[tuple[Route, ...], bool]:
    """The routes that decide for a large part of the Internet, in the table's order, and whether nothing is left.

    Routes longer than /8 are exceptions, whatever they add up to; so are those of one next hop that take less than a
    /4 together, and those that take no public address.
    """
    everything = AddressSet.any().family(family)
    left = everything - facts.not_internet()
    large = [
        (route, addresses)
        for route in (table.routes if table else ())
        if (addresses := route.addresses) is not None
        and addresses.families == (family,)
        and addresses.size(family) >= everything.size(family) >> 8
    ]
    deciding: dict[Route, AddressSet] = {}
    for route, addresses in sorted(large, key=lambda one: one[1].size(family)):
        if left & addresses:
            deciding[route] = addresses
            left -= addresses
    taken: dict[tuple[Hop, str | None], AddressSet] = {}
    for route, addresses in deciding.items():
        to = (route.hop, route.next_hop_ip)
        taken[to] = taken.get(to, AddressSet.empty()) | addresses
    found = tuple(
        route
        for route, _ in large
        if route in deciding and taken[route.hop, route.next_hop_ip].size(family) >= everything.size(family) >> 4
    )
    return found, not left


def reachable(address: str | None, network: Network) -> bool | Unread:
    """Whether an appliance's address lies in the network or a connected peer; Unread if an unread peer may hold it."""
    if not address:
        return False
    try:
        wanted = AddressSet.parse(address)
    except ValueError:
        return False
    unread: Unread | None = None
    if network.space.covers(wanted):
        return True
    for _, space in network.peers:
        if isinstance(space, Unread):
            unread = space
        elif space.covers(wanted):
            return True
    return unread or False


def _length(addresses: AddressSet) -> int:
    family = addresses.families[0]
    return (32 if family == 4 else 128) - (addresses.size(family).bit_length() - 1)


def _user_candidates(routes: Iterable[Route], network: Network) -> tuple[list[_Candidate], list[_Maybe]]:
    found: list[_Candidate] = []
    maybes: list[_Maybe] = []
    for route in routes:
        addresses = route.addresses
        if addresses is not None and "-" not in route.prefix:
            found.append(_Candidate(addresses, _length(addresses), 0, route.hop, Kind.USER, route))
        elif network.tags and (texts := network.tags.texts(route.prefix)) and network.tags.prefixes(route.prefix):
            found += _tag_candidates(route, texts, network.cloud)
        else:
            maybes.append(_maybe(route, network))
    return found, maybes


def _tag_candidates(route: Route, texts: tuple[str, ...], cloud: str) -> Iterator[_Candidate]:
    """A tag's route at each of its prefix lengths."""
    lengths: dict[tuple[Family, int], list[AddressSet]] = {}
    for text in texts:
        prefix = AddressSet.parse(text)
        lengths.setdefault((prefix.families[0], _length(prefix)), []).append(prefix)
    rank = _tag_rank(cloud, route.prefix)
    for (_, length), prefixes in lengths.items():
        yield _Candidate(AddressSet.union(prefixes), length, rank, route.hop, Kind.USER, route)


def _tag_rank(cloud: str, name: str) -> int:
    """At an exact match: explicit prefix (0), regional tag, top-level tag, regional AzureCloud, AzureCloud."""
    service, region = tags.split(cloud, name)
    if service == "azurecloud":
        return 3 if region else 4
    return 1 if region else 2


def _maybe(route: Route, network: Network) -> _Maybe:
    if not tags.looks_like_tag(route.prefix):
        return _Maybe(route, AddressSet.any(), Atom("prefix-unparsable", route.prefix))
    public = tags.inside_internet(network.cloud, route.prefix)
    kind = "tag-unread" if network.tags is None else "unknown-tag"
    within = AddressSet.any() - facts.not_internet() if public else AddressSet.any()
    return _Maybe(route, within, Atom(kind, route.prefix))


def _system_candidates(network: Network) -> Iterator[_Candidate]:
    for text in network.space.prefixes():
        prefix = AddressSet.parse(text)
        yield _Candidate(
            prefix, _length(prefix), 6, Hop.VIRTUAL_NETWORK, Kind.SYSTEM, None, "the virtual network", True
        )
    for peer, space in network.peers:
        if isinstance(space, Unread):
            continue
        for text in space.prefixes():
            prefix = AddressSet.parse(text)
            yield _Candidate(prefix, _length(prefix), 7, Hop.PEERING, Kind.SYSTEM, None, peer, True)
    for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"):
        prefix = AddressSet.parse(text)
        yield _Candidate(prefix, _length(prefix), 9, Hop.NONE, Kind.SYSTEM, None, text)
    for everything in (AddressSet.v4_any(), AddressSet.v6_any()):
        yield _Candidate(everything, 0, 9, Hop.INTERNET, Kind.SYSTEM, None, everything.prefixes()[0])


def _partition(
    destination: AddressSet,
    candidates: list[_Candidate],
    routes: tuple[Route, ...],
    network: Network,
    learned: Unread | None,
) -> list[Leg]:
    legs, rest = _endpoints(destination, routes, network)
    unread_peers = [(peer, space) for peer, space in network.peers if isinstance(space, Unread)]
    for candidate in sorted(candidates, key=lambda c: (-c.length, c.rank)):
        part = rest & candidate.addresses
        if not part:
            continue
        rest -= part
        user = candidate.kind is Kind.USER
        if candidate.hop is Hop.UNDECIDED and candidate.route:
            atom = Atom("next-hop-unknown", candidate.route.next_hop_type, candidate.route.name)
            legs.append(_undecided(part, candidate, (atom,)))
        elif candidate.beats_learned or (user and (not unread_peers or candidate.length >= _LONGEST_SPACE)):
            legs.append(candidate.leg(part, overtakable=user and learned is not None))
        else:
            atoms = [Atom("peer-unread", peer, space.why) for peer, space in unread_peers]
            if learned and not user:
                atoms.append(Atom("learned-routes", learned.what, learned.why))
            legs += _peer_or_learned(part, candidate, tuple(dict.fromkeys(atoms)), learned)
    return legs


def _peer_or_learned(
    part: AddressSet, candidate: _Candidate, atoms: tuple[Atom, ...], learned: Unread | None
) -> Iterator[Leg]:
    """A part that an unread peer's or a learned route may take; a peer is taken to hold private space only."""
    private = part & facts.not_internet()
    for piece, peers in ((private, True), (part - private, False)):
        if not piece:
            continue
        hanging = tuple(a for a in atoms if peers or a.kind != "peer-unread")
        if hanging:
            yield _undecided(piece, candidate, hanging)
        else:
            yield candidate.leg(piece, overtakable=candidate.kind is Kind.USER and learned is not None)


def _undecided(part: AddressSet, candidate: _Candidate, atoms: tuple[Atom, ...]) -> Leg:
    kind = Kind.LEARNED if any(atom.kind == "learned-routes" for atom in atoms) else candidate.kind
    return Leg(part, Hop.UNDECIDED, kind, candidate.route, candidate.via, None, atoms)


def _endpoints(destination: AddressSet, routes: tuple[Route, ...], network: Network) -> tuple[list[Leg], AddressSet]:
    """The legs of service and private endpoints, and what is left."""
    legs: list[Leg] = []
    rest = destination
    for service, target in network.service_endpoints:
        addresses = target
        if isinstance(addresses, Tag):
            known = network.tags.prefixes(addresses.name) if network.tags else None
            if known is None:
                atom = Atom("tag-unread", addresses.name, f"what the service endpoint {service} covers")
                part = rest - facts.not_internet()
                if part:
                    legs.append(Leg(part, Hop.UNDECIDED, Kind.SYSTEM, None, service, None, (atom,)))
                    rest -= part
                continue
            addresses = known
        part = rest & addresses
        if part:
            legs.append(Leg(part, Hop.SERVICE_ENDPOINT, Kind.SYSTEM, None, service))
            rest -= part
    for endpoint in network.private_endpoints:
        part = rest & endpoint.addresses
        if part and endpoint.policies:
            part -= _taken_over(part, routes, network)
        if part:
            legs.append(Leg(part, Hop.PRIVATE_ENDPOINT, Kind.SYSTEM, None, endpoint.id))
            rest -= part
    return legs, rest


def _taken_over(part: AddressSet, routes: tuple[Route, ...], network: Network) -> AddressSet:
    """Which private endpoint addresses a user route takes: one at least as long as the space's prefix they lie in."""
    taken: list[AddressSet] = []
    spaces = [network.space, *(space for _, space in network.peers if isinstance(space, AddressSet))]
    prefixes = [AddressSet.parse(text) for space in spaces for text in space.prefixes()]
    for route in routes:
        addresses = route.addresses
        hit = addresses & part if addresses else AddressSet.empty()
        if addresses and hit and _length(addresses) > 0:
            limit = min((_length(p) for p in prefixes if p.overlaps(hit)), default=0)
            if _length(addresses) >= limit:
                taken.append(hit)
    return AddressSet.union(taken)


def _doubted(leg: Leg, maybes: list[_Maybe], network: Network) -> Iterator[Leg]:
    """A leg cut where a route that may match would lead elsewhere."""
    longest = leg.route is not None and (own := leg.route.addresses) is not None and own.size(4) + own.size(6) == 1
    if longest or leg.hop in (Hop.SERVICE_ENDPOINT, Hop.PRIVATE_ENDPOINT, Hop.UNDECIDED):
        yield leg
        return
    against = [
        maybe
        for maybe in maybes
        if maybe.within.overlaps(leg.destinations)
        and (maybe.route.hop, maybe.route.next_hop_ip) != (leg.hop, leg.next_hop_ip)
    ]
    reached = leg.destinations & AddressSet.union(maybe.within for maybe in against)
    if reached:
        atoms = tuple(dict.fromkeys(maybe.atom for maybe in against))
        yield Leg(reached, Hop.UNDECIDED, leg.kind, leg.route, leg.via, None, atoms)
    if leg.destinations - reached:
        yield Leg(
            leg.destinations - reached, leg.hop, leg.kind, leg.route, leg.via, leg.next_hop_ip, (), leg.overtakable
        )


def _without_table(destination: AddressSet, network: Network, atom: Atom) -> Iterator[Leg]:
    """With an unread table only what no user route can take is decided."""
    legs, rest = _endpoints(destination, (), network)
    settled = AddressSet.union(e.addresses for e in network.private_endpoints if not e.policies)
    for leg in legs:
        if leg.hop is Hop.PRIVATE_ENDPOINT and not settled.covers(leg.destinations):
            yield Leg(leg.destinations, Hop.UNDECIDED, leg.kind, None, leg.via, None, (atom,))
        else:
            yield leg
    if rest:
        yield Leg(rest, Hop.UNDECIDED, Kind.USER, None, "", None, (atom,))


def _joined(legs: Iterable[Leg]) -> tuple[Leg, ...]:
    """Legs that differ in their destinations only become one; ascending."""
    grouped: dict[Leg, list[AddressSet]] = {}
    for leg in legs:
        bare = Leg(
            AddressSet.empty(), leg.hop, leg.kind, leg.route, leg.via, leg.next_hop_ip, leg.atoms, leg.overtakable
        )
        grouped.setdefault(bare, []).append(leg.destinations)
    joined = [
        Leg(AddressSet.union(sets), b.hop, b.kind, b.route, b.via, b.next_hop_ip, b.atoms, b.overtakable)
        for b, sets in grouped.items()
    ]
    return tuple(sorted(joined, key=lambda leg: leg.destinations.intervals))


def _symbol_hop(tag: Tag, table: RouteTable | Unread | None, network: Network) -> Leg:
    """The hop of a tag without data, IPv4: tag routes by name, then prefixes that cover all addresses."""
    whole = AddressSet.v4_any()
    covering = [s for s, t in network.service_endpoints if isinstance(t, Tag) and _covers(t.name, tag, network)]
    if covering:
        return Leg(whole, Hop.SERVICE_ENDPOINT, Kind.SYSTEM, None, covering[0])
    if isinstance(table, Unread):
        atom = Atom("route-table-unread", table.what, table.why)
        return Leg(whole, Hop.UNDECIDED, Kind.USER, None, "", None, (atom,))
    routes = table.routes if table else ()
    named = sorted(
        (r for r in routes if r.addresses is None and _covers(r.prefix, tag, network)),
        key=lambda r: (r.prefix.strip().casefold() != tag.key, _tag_rank(network.cloud, r.prefix)),
    )
    defaults = default_routes(table)
    learned = network.learned if table is None or table.learns else None
    winner = named[0] if named else None
    if winner is None and defaults and len({(r.hop, r.next_hop_ip) for r in defaults}) == 1:
        winner = defaults[0]
    hop, kind = (winner.hop, Kind.USER) if winner else (Hop.INTERNET, Kind.SYSTEM)
    ip = winner.next_hop_ip if winner else None
    atoms = [
        Atom("prefix-against-tag", route.prefix, f"the prefixes of {tag} are not known")
        for route in routes
        if route not in named
        and route not in (defaults if winner else ())
        and (route.hop, route.next_hop_ip) != (hop, ip)
        and _may_hold(route, tag, network, default_too=not named)
    ]
    if hop is Hop.UNDECIDED and winner:
        atoms.append(Atom("next-hop-unknown", winner.next_hop_type, winner.name))
    if learned and winner is None:
        atoms.append(Atom("learned-routes", learned.what, learned.why))
    if atoms:
        return Leg(
            whole, Hop.UNDECIDED, Kind.LEARNED if learned and not winner else kind, winner, "", None, tuple(atoms)
        )
    return Leg(
        whole, hop, kind, winner, "" if winner else "0.0.0.0/0", ip, (), winner is not None and learned is not None
    )


def _covers(name: str, tag: Tag, network: Network) -> bool:
    return tags.relation(network.cloud, name, tag.name, 4) is Relation.COVERS


def _may_hold(route: Route, tag: Tag, network: Network, *, default_too: bool) -> bool:
    addresses = route.addresses
    if addresses is None:
        return tags.relation(network.cloud, route.prefix, tag.name, 4) is not Relation.DISJOINT
    if addresses == AddressSet.v4_any():
        return default_too
    public = tags.inside_internet(network.cloud, tag.name)
    return addresses.overlaps(AddressSet.v4_any() - facts.not_internet() if public else AddressSet.v4_any())
