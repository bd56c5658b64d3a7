"""Which packets of a question a rule holds for certain, and which it may hold depending on what is unknown."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from auditor.network import facts, intervals, tags
from auditor.network import reading as readings
from auditor.network.addresses import AddressSet, Family
from auditor.network.diagram import Box
from auditor.network.intervals import Intervals
from auditor.network.packets import Protocol, protocol_intervals
from auditor.network.ports import PortSet
from auditor.network.question import ResolvedEnd
from auditor.network.reading import AnyOf, Atom, Place, Reading, Within
from auditor.network.rules import Surroundings
from auditor.network.tags import Relation

# One dimension of a rule: intervals, and what must hold for them (empty: certain)
Alternative = tuple[Intervals, tuple[AnyOf, ...]]


@dataclass(frozen=True, slots=True)
class Held:
    """A box of packets that a rule holds if, of each group of atoms in `if_all`, at least one holds."""

    box: Box
    if_all: tuple[AnyOf, ...]


def ends_of(place: Place, end: ResolvedEnd, surroundings: Surroundings, side: str) -> list[tuple[AddressSet, AnyOf]]:
    """The addresses of a rule's side: for certain (no atoms), then what each unknown may add."""
    return _against_symbol(place, end, surroundings, side) if end.symbol else _addresses(place, end, surroundings, side)


def _addresses(place: Place, end: ResolvedEnd, surroundings: Surroundings, side: str) -> list[tuple[AddressSet, AnyOf]]:
    known = place.known
    found: list[tuple[AddressSet, AnyOf]] = []
    everything = AddressSet.any()
    if place.virtual_network:
        known |= readings.virtual_network(surroundings)
        outside = end.addresses if end.public else AddressSet.empty()
        found += [
            (everything - outside, (Atom("virtualnetwork-unread", "VirtualNetwork", f"{u.what}: {u.why}", side),))
            for u in surroundings.unread_space
        ]
        found += [(everything, (atom,)) for atom in _wide_virtual_network(surroundings, side)]
    if place.internet:
        known |= readings.internet(surroundings)
        why = "whether Internet holds Azure's probe address is not documented"
        found.append((facts.platform_address(), (Atom("probe-under-internet", "Internet", why, side),)))
    bounds = {
        Within.ANYWHERE: lambda: everything,
        Within.INTERNET: lambda: readings.internet(surroundings),
        Within.NETWORK: lambda: everything if surroundings.unread_space else surroundings.virtual_network,
    }
    found += [(bounds[within](), (atom,)) for atom, within in place.maybe]
    return [(known, ()), *found]


def _wide_virtual_network(surroundings: Surroundings, side: str) -> Iterator[Atom]:
    """What may make `VirtualNetwork` hold public addresses as well (requirements 6.4)."""
    if surroundings.learned:
        unread = surroundings.learned
        yield Atom("learned-routes", "VirtualNetwork", f"{unread.what}: {unread.why}", side)
    if surroundings.default_route:
        why = "a user route sends 0.0.0.0/0 to a gateway or appliance"
        yield Atom("virtualnetwork-default-route", "VirtualNetwork", why, side)


def _against_symbol(
    place: Place, end: ResolvedEnd, surroundings: Surroundings, side: str
) -> list[tuple[AddressSet, AnyOf]]:
    """A rule's side against a tag without data: it holds a whole family of the tag, none of it, or one cannot tell."""
    assert end.tag is not None
    known = AddressSet.empty()
    found: list[tuple[AddressSet, AnyOf]] = []
    for family in tags.FAMILIES:
        whole = AddressSet.any().family(family)
        verdicts = [
            *_tags_against(place, end, surroundings, side, family),
            *_literals_against(place, end, surroundings, side, family),
        ]
        for verdict in verdicts:
            if isinstance(verdict, Atom):
                found.append((whole, (verdict,)))
            else:
                known |= whole
    if place.internet:
        if end.public:
            known = AddressSet.any()
        else:
            found.append((AddressSet.any(), (Atom("tag-against-tag", "Internet", f"against {end.tag}", side),)))
    if place.virtual_network:
        atoms = list(_wide_virtual_network(surroundings, side))
        if not end.public:
            atoms.append(Atom("tag-against-tag", "VirtualNetwork", f"against {end.tag}", side))
        found += [(AddressSet.any(), (atom,)) for atom in atoms]
    for atom, within in place.maybe:
        if atom.kind in ("tag-unread", "unknown-tag") or (end.public and within is Within.NETWORK):
            continue  # tags were compared by name above
        found.append((AddressSet.any(), (atom,)))
    return [(known, ()), *found]


def _tags_against(
    place: Place, end: ResolvedEnd, surroundings: Surroundings, side: str, family: Family
) -> Iterator[Atom | bool]:
    assert end.tag is not None
    for name in place.tags:
        if name.casefold() == "azureloadbalancer":
            if not end.public:
                yield Atom("tag-against-tag", name, f"against {end.tag}", side)
            continue
        relation = tags.relation(surroundings.cloud, name, end.tag, family)
        if relation is Relation.COVERS:
            yield True
        elif relation is Relation.UNKNOWN:
            yield Atom("tag-against-tag", name, f"against {end.tag}", side)


def _literals_against(
    place: Place, end: ResolvedEnd, surroundings: Surroundings, side: str, family: Family
) -> Iterator[Atom | bool]:
    for text, literal in place.literals:
        part = literal.family(family)
        if part == AddressSet.any().family(family):
            yield True
        elif part.overlaps(readings.internet(surroundings)) or (part and not end.public):
            yield Atom("prefix-against-tag", text, f"the prefixes of {end.tag} are not known", side)


def held(
    rule: Reading,
    piece: Box,
    sources: list[tuple[AddressSet, AnyOf]],
    destinations: list[tuple[AddressSet, AnyOf]],
) -> list[Held]:
    """The boxes of a rule inside one piece of a question (dimensions as everywhere: protocol, destination, source,
    port, source port)."""
    protocols: list[Alternative] = [(_within(protocol_intervals(rule.protocols), piece[0]), ())]
    if rule.protocol_maybe:
        unknown, atom = rule.protocol_maybe
        protocols.append((_within(protocol_intervals(unknown), piece[0]), ((atom,),)))
    ported = intervals.overlap(piece[0], _PORTED)
    dimensions = (
        [a for a in protocols if a[0]],
        _inside(destinations, piece[1]),
        _inside(sources, piece[2]),
        _port_alternatives(rule.ports, rule.ports_maybe, piece[3]) if ported else [(piece[3], ())],
        _port_alternatives(rule.source_ports, rule.source_ports_maybe, piece[4]) if ported else [(piece[4], ())],
    )
    doubts = tuple((doubt,) for doubt in rule.doubts)
    found: list[Held] = []
    for choice in itertools.product(*dimensions):
        if_all = tuple(group for _, groups in choice for group in groups)
        found.append(Held(tuple(pairs for pairs, _ in choice), doubts + if_all))
    return found


_PORTED = protocol_intervals(frozenset({Protocol.TCP, Protocol.UDP}))


def _port_alternatives(known: PortSet, maybe: AnyOf, inside: Intervals) -> list[Alternative]:
    found: list[Alternative] = [(_within(known.intervals, inside), ())]
    if maybe:
        found.append((inside, (maybe,)))
    return [a for a in found if a[0]]


def _inside(alternatives: list[tuple[AddressSet, AnyOf]], inside: Intervals) -> list[Alternative]:
    """Alternatives cut to one piece; those of equal extent are joined, so that fifty unknown tags are one box."""
    certain: list[Alternative] = []
    joined: dict[Intervals, list[Atom]] = {}
    for addresses, atoms in alternatives:
        pairs = _within(addresses.intervals, inside)
        if pairs and not atoms:
            certain.append((pairs, ()))
        elif pairs:
            joined.setdefault(pairs, []).extend(atoms)
    if certain and certain[0][0] == inside:
        return certain  # holds everything anyway: what is unknown besides cannot matter
    return certain + [(pairs, (tuple(dict.fromkeys(atoms)),)) for pairs, atoms in joined.items()]


def _within(pairs: Intervals, inside: Intervals) -> Intervals:
    """The intersection; `inside` itself if all of it is held, so that comparing it later is free."""
    found = intervals.intersection(pairs, inside)
    return inside if found == inside else found


def first_miss(
    rule: Reading,
    pieces: list[Box],
    sources: list[tuple[AddressSet, AnyOf]],
    destinations: list[tuple[AddressSet, AnyOf]],
) -> str | None:
    """The first condition of a rule that no packet of the question meets, in the order in which an engineer reads."""
    all_protocols = protocol_intervals(
        rule.protocols | (rule.protocol_maybe[0] if rule.protocol_maybe else frozenset())
    )
    alive = [piece for piece in pieces if intervals.overlap(all_protocols, piece[0])]
    if not alive:
        return "protocol"
    tests: tuple[tuple[str, Callable[[Box], bool]], ...] = (
        ("source", lambda piece: bool(_inside(sources, piece[2]))),
        ("source-port", lambda piece: _port_hit(rule.source_ports, rule.source_ports_maybe, piece, 4)),
        ("destination", lambda piece: bool(_inside(destinations, piece[1]))),
        ("destination-port", lambda piece: _port_hit(rule.ports, rule.ports_maybe, piece, 3)),
    )
    for name, test in tests:
        alive = [piece for piece in alive if test(piece)]
        if not alive:
            return name
    return None


def ports_meet(rule: Reading, piece: Box) -> bool:
    """Whether a rule's ports leave any packet of a piece: asked first, as most rules are about other ports."""
    return _port_hit(rule.ports, rule.ports_maybe, piece, 3) and _port_hit(
        rule.source_ports, rule.source_ports_maybe, piece, 4
    )


def _port_hit(known: PortSet, maybe: AnyOf, piece: Box, dimension: int) -> bool:
    ported = intervals.overlap(piece[0], _PORTED)
    return not ported or bool(maybe) or intervals.overlap(known.intervals, piece[dimension])
