"""What a series of security groups does with a class of packets (requirements, section 6).

Rules are tried in ascending priority and the first match decides; a packet must pass every group of the series;
security admin rules come first. What is unknown is a set between nothing and everything: at each point of the packet
space the answer is worked out for every combination of "the unknown holds this packet" and "it does not", and only
where these answers differ is the point undecided.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

from auditor.network import diagram, facts, intervals, matching, packets, tags
from auditor.network import reading as readings
from auditor.network.addresses import AddressSet
from auditor.network.decision import Access, Decider, Decision, How, Part, Step, Unknown
from auditor.network.diagram import NOWHERE, Box, Node
from auditor.network.intervals import Intervals
from auditor.network.matching import Held
from auditor.network.packets import Packet, Protocol
from auditor.network.ports import PortSet
from auditor.network.question import Question, ResolvedEnd, resolve
from auditor.network.reading import AnyOf, Atom, Reading
from auditor.network.rules import AdminRule, Direction, SecurityGroup, SecurityRule, Surroundings, may_be
from auditor.values import Unread

Group = SecurityGroup | Unread | None

_MOST_ATOMS = 10  # combinations of unknowns tried exactly at one point; beyond, every rule at hand may decide
_PLATFORM, _FALLS_THROUGH, _UNREAD, _NO_GROUP = -1, -2, -3, -4  # deciders that are no rule


@dataclass(frozen=True, slots=True)
class Fate:
    """What can become of a packet at a station or after all: of `allow`, `deny` and `next` (goes on).

    `deciders` are (station, index of the rule or one of the negative marks); `atoms` are (station, rule, atom).
    """

    possible: frozenset[str]
    deciders: tuple[tuple[int, int], ...] = ()
    atoms: tuple[tuple[int, int, Atom], ...] = ()

    @property
    def access(self) -> Access:
        """Of a fate after all stations."""
        if len(self.possible) > 1:
            return Access.UNDECIDED
        return Access.DENIED if "deny" in self.possible else Access.ALLOWED


@dataclass(frozen=True, slots=True)
class Station:
    """One place of the series: a group's rules as read, the admin rules, or the reason why there are none."""

    group: str
    rules: tuple[Reading, ...]
    sharing: frozenset[int] = frozenset()  # the levels on which several rules stand
    admin: bool = False
    unread: Atom | None = None
    filters: bool = True


def series(direction: Direction, *, nic: Group, subnet: Group) -> tuple[Group, ...]:
    """The groups in the order in which packets pass them: outbound the interface's first, inbound the subnet's."""
    return (nic, subnet) if direction is Direction.OUTBOUND else (subnet, nic)


def decide(
    groups: Sequence[Group],
    question: Question,
    surroundings: Surroundings,
    admin_rules: Sequence[AdminRule] = (),
) -> Decision:
    """What becomes of the question's packets. None in `groups` is a place without a group; Unread one not readable.

    Equal arguments get the same Decision from a cache.
    """
    return _decide(tuple(groups), question, surroundings, tuple(admin_rules))


def decide_packet(
    groups: Sequence[Group],
    direction: Direction,
    packet: Packet,
    surroundings: Surroundings,
    admin_rules: Sequence[AdminRule] = (),
) -> Decision:
    """What becomes of a single packet; its addresses must be addresses. Raises ValueError if they are not."""
    question = Question(
        direction=direction,
        source=AddressSet.parse(packet.source),
        destination=AddressSet.parse(packet.destination),
        ports=PortSet.any() if packet.port is None else PortSet.of(packet.port),
        source_ports=PortSet.any() if packet.source_port is None else PortSet.of(packet.source_port),
        protocols=frozenset({packet.protocol}),
    )
    return decide(groups, question, surroundings, admin_rules)


@functools.lru_cache(maxsize=4096)
def _decide(
    groups: tuple[Group, ...],
    question: Question,
    surroundings: Surroundings,
    admin_rules: tuple[AdminRule, ...],
) -> Decision:
    source, destination = resolve(question.source, surroundings), resolve(question.destination, surroundings)
    stations = _stations(groups, question, surroundings, admin_rules)
    pieces = packets.pieces(
        question.protocols, source.addresses, question.source_ports, destination.addresses, question.ports
    )
    course = Course(question, surroundings, source, destination, tuple(pieces), stations)
    fates = diagram.relabel(_go_through(course), _arrived)
    if surroundings.admin_unread:
        unread = surroundings.admin_unread
        atom = Atom("admin-rules-unread", unread.what, unread.why)
        fates = diagram.relabel(fates, lambda fate: _doubted(fate, atom))
    parts = _parts(fates, course)
    unknowns = _unknowns(parts, fates, stations)
    if not pieces:
        unknowns = (Unknown(Atom("empty-question", str(question), "it holds no packet"), ()),)
    return Decision(
        access=_access(parts),
        question=question,
        surroundings=surroundings,
        parts=parts,
        unknowns=unknowns,
        source=source,
        destination=destination,
        symbolic=source.symbol or destination.symbol,
        fates=fates,
        replay=functools.partial(_replay, course, fates),
    )


def _stations(
    groups: tuple[Group, ...], question: Question, surroundings: Surroundings, admin_rules: tuple[AdminRule, ...]
) -> tuple[Station, ...]:
    stations: list[Station] = []
    cloud, data, members = surroundings.cloud, surroundings.tags, surroundings.groups
    if admin_rules:
        mine = [a for a in admin_rules if may_be(a.rule, question.direction)]
        mine.sort(key=lambda a: (a.rank, -1 if a.rule.priority is None else a.rule.priority))
        stations.append(Station("", *_admin_readings(tuple(mine), surroundings), admin=True))
    for group in groups:
        match group:
            case None:
                stations.append(Station("", (), filters=False))
            case Unread():
                atom = Atom("group-unread", group.what, group.why)
                stations.append(Station(group.what, (), unread=atom))
            case SecurityGroup():
                read = readings.read_group(group, question.direction, question.defaults, cloud, data, members)
                stations.append(Station(group.id or group.name, *read))
    return tuple(stations)


def _admin_readings(
    rules: tuple[AdminRule, ...], surroundings: Surroundings
) -> tuple[tuple[Reading, ...], frozenset[int]]:
    """Admin rules as read; their priorities run from 1, and equal ones of different collections are told by rank."""
    found: list[Reading] = []
    members = {key.casefold().rstrip("/"): member for key, member in surroundings.groups}
    level, previous = -1, None
    for admin in rules:
        mark = (admin.rank, admin.rule.priority)
        level += 0 if mark == previous else 1
        previous = mark
        read = readings.read_rule(admin.rule, level, surroundings.cloud, surroundings.tags, members)
        doubts = tuple(d for d in read.doubts if d.kind != "priority-invalid" or admin.rule.priority is None)
        access = frozenset("next" if word == "allow" else "allow" if word == "always" else word for word in read.access)
        found.append(dataclasses.replace(read, access=access, doubts=doubts))
    return tuple(found), readings.shared_levels(found)


@dataclass(frozen=True, slots=True)
class _Entry:
    """A box in the order of a station: whose it is, and what it does under which conditions."""

    held: Held
    level: int
    index: int
    access: frozenset[str]


Ends = tuple[list[tuple[AddressSet, AnyOf]], list[tuple[AddressSet, AnyOf]]]


@dataclass(frozen=True, slots=True)
class Course:
    """A question on its way through stations, with its ends resolved."""

    question: Question
    surroundings: Surroundings
    source: ResolvedEnd
    destination: ResolvedEnd
    pieces: tuple[Box, ...]
    stations: tuple[Station, ...]
    _ends: dict[int, Ends] = field(default_factory=dict, compare=False, repr=False)
    _fates: dict[int, Node | Fate] = field(default_factory=dict, compare=False, repr=False)

    def ends(self, rule: Reading) -> Ends:
        """A rule's sources and destinations as seen by this question."""
        known = self._ends.get(id(rule))
        if known is None:
            known = self._ends[id(rule)] = (
                matching.ends_of(rule.source, self.source, self.surroundings, "source"),
                matching.ends_of(rule.destination, self.destination, self.surroundings, "destination"),
            )
        return known

    def station_fates(self, number: int) -> Node | Fate:
        """What a station does with each packet of the question; one Fate if it does the same with all."""
        if number not in self._fates:
            self._fates[number] = self._worked_out(number)
        return self._fates[number]

    def _worked_out(self, number: int) -> Node | Fate:
        station = self.stations[number]
        if station.unread is not None:
            return Fate(frozenset({"deny", "next"}), ((number, _UNREAD),), ((number, _UNREAD, station.unread),))
        if not station.filters:
            return Fate(frozenset({"next"}), ((number, _NO_GROUP),))
        node = NOWHERE
        fates: set[Fate] = set()
        for piece in self.pieces:
            entries = self._entries(station, piece)
            node = diagram.merged(node, _first_match(number, entries, piece, fates, admin=station.admin))
        return fates.pop() if len(fates) == 1 else node

    def everywhere(self, fate: Fate) -> Node:
        """One fate for all packets of the question."""
        node = NOWHERE
        for piece in self.pieces:
            node = diagram.merged(node, diagram.box_node(piece, fate))
        return node

    def _entries(self, station: Station, piece: Box) -> list[_Entry]:
        """The boxes of a station's rules inside a piece, in order, up to one behind which nothing is left."""
        entries = self._platform_entries(station, piece)
        first = 2 if entries else 0
        sharing = station.sharing
        protocols = piece[0]
        for index, rule in enumerate(station.rules):
            if not rule.protocol_maybe and not _meets(rule, protocols):
                continue
            if not matching.ports_meet(rule, piece):
                continue
            sources, destinations = self.ends(rule)
            access = frozenset({"next" if word == "allow" and not station.admin else word for word in rule.access})
            for held in matching.held(rule, piece, sources, destinations):
                entries.append(_Entry(held, first + rule.level, index, access))
                if held.box == piece and not held.if_all and rule.level not in sharing:
                    return entries
            for held in _licence_boxes(rule, piece, sources):
                entries.append(_Entry(held, first + rule.level, index, access))
        return entries

    def _platform_entries(self, station: Station, piece: Box) -> list[_Entry]:
        """Azure's DNS, DHCP and instance metadata: only rules that name their tags apply, else they pass."""
        if station.admin or self.question.direction is Direction.INBOUND or self.destination.symbol:
            return []
        entries: list[_Entry] = []
        for index, rule in enumerate(station.rules):
            for name in rule.destination.platform:
                for where in _platform(name):
                    sources, _ = self.ends(rule)
                    cut = _cut(piece, where)
                    if cut is None:
                        continue
                    destinations: list[tuple[AddressSet, AnyOf]] = [(AddressSet(cut[1]), ())]
                    access = frozenset({"next" if word == "allow" else word for word in rule.access})
                    for held in matching.held(rule, cut, sources, destinations):
                        entries.append(_Entry(held, rule.level - len(station.rules), index, access))
        for name in ("azureplatformdns", "azureplatformimds"):
            for where in _platform(name):
                cut = _cut(piece, where)
                if cut is not None:
                    entries.append(_Entry(Held(cut, ()), 1, _PLATFORM, frozenset({"next"})))
        return entries


def _platform(name: str) -> list[tuple[frozenset[Protocol], AddressSet, PortSet]]:
    """What a platform tag stands for (requirements 6.5): protocols, addresses, ports."""
    resolver = facts.platform_address()
    if name == "azureplatformdns":  # DHCP shares the address and is named by no tag of its own
        return [
            (frozenset({Protocol.TCP}), resolver, PortSet.of(53)),
            (frozenset({Protocol.UDP}), resolver, PortSet.of(53, "67-68")),
        ]
    if name == "azureplatformimds":
        return [(frozenset({Protocol.TCP}), AddressSet.parse("169.254.169.254"), PortSet.of(80))]
    return []


def _licence_boxes(rule: Reading, piece: Box, sources: list[tuple[AddressSet, AnyOf]]) -> list[Held]:
    """`AzurePlatformLKM`: Windows licensing on TCP 1688, at addresses that no published list names."""
    if "azureplatformlkm" not in rule.destination.platform:
        return []
    cut = _cut(piece, (frozenset({Protocol.TCP}), AddressSet.any(), PortSet.of(1688)))
    if cut is None:
        return []
    atom = Atom("platform-address-unknown", "AzurePlatformLKM", "its addresses are not published", "destination")
    return matching.held(rule, cut, sources, [(AddressSet(cut[1]), (atom,))])


def _cut(piece: Box, where: tuple[frozenset[Protocol], AddressSet, PortSet]) -> Box | None:
    protocols, addresses, ports = where
    limits = (packets.protocol_intervals(protocols), addresses.intervals, piece[2], ports.intervals, piece[4])
    box = tuple(intervals.intersection(a, b) for a, b in zip(piece, limits, strict=True))
    return box if all(box) else None


def _meets(rule: Reading, protocols: Intervals) -> bool:
    return intervals.overlap(packets.protocol_intervals(rule.protocols), protocols)


def _first_match(number: int, entries: list[_Entry], piece: Box, fates: set[Fate], *, admin: bool) -> Node:
    """The diagram of fates at one station inside one piece, each fate of which is added to `fates`."""
    levels: dict[int, set[int]] = {}
    for entry in entries:
        levels.setdefault(entry.level, set()).add(entry.index)
    final = sum(
        1 << i
        for i, entry in enumerate(entries)
        if not entry.held.if_all and len(levels[entry.level]) == 1 and len(entry.access) == 1
    )
    through = Fate(frozenset({"next"}), () if admin else ((number, _FALLS_THROUGH),))

    def fate(mask: int) -> Fate:
        alive = []
        while mask:
            bit = mask & -mask
            mask ^= bit
            alive.append(entries[bit.bit_length() - 1])
        found = _fate(number, alive, through)
        fates.add(found)
        return found

    return diagram.classify([entry.held.box for entry in entries], piece, final, fate)


def _fate(number: int, alive: list[_Entry], through: Fate) -> Fate:
    """The fate at a point where these boxes, in order, are or may be."""
    if not alive:
        return through
    if len(alive) == 1 or alive[0].level != alive[1].level:
        entry = alive[0]
        if not entry.held.if_all and len(entry.access) == 1:
            return Fate(entry.access, ((number, entry.index),))
    steps: list[list[_Entry]] = []
    for _, level in itertools.groupby(alive, key=lambda entry: entry.level):
        steps.append(list(level))
        if any(not entry.held.if_all for entry in steps[-1]):
            break  # whatever is unknown, nothing goes on from here
    atoms = tuple(dict.fromkeys(a for step in steps for e in step for group in e.held.if_all for a in group))
    if len(atoms) > _MOST_ATOMS:
        return _bounded(number, steps, through)
    outcomes = {
        truth: _at(steps, dict(zip(atoms, truth, strict=True)), through)
        for truth in itertools.product((False, True), repeat=len(atoms))
    }
    possible = frozenset().union(*(accesses for accesses, _ in outcomes.values()))
    deciders = tuple(dict.fromkeys((number, index) for _, indexes in outcomes.values() for index in indexes))
    if len(possible) == 1:
        _, plain = outcomes[(False,) * len(atoms)]
        return Fate(possible, tuple((number, index) for index in plain) or through.deciders)
    matter = {
        atom
        for place, atom in enumerate(atoms)
        if any(
            outcomes[truth][0] != outcomes[(*truth[:place], True, *truth[place + 1 :])][0]
            for truth in outcomes
            if not truth[place]
        )
    }
    resting = [
        (number, e.index, a) for step in steps for e in step for group in e.held.if_all for a in group if a in matter
    ]
    resting += _malformed(number, steps)
    return Fate(possible, deciders, tuple(dict.fromkeys(resting)))


def _at(steps: list[list[_Entry]], truth: dict[Atom, bool], through: Fate) -> tuple[frozenset[str], tuple[int, ...]]:
    """What decides if exactly these atoms hold the packet."""
    for step in steps:
        matching_now = [e for e in step if all(any(truth[a] for a in group) for group in e.held.if_all)]
        if matching_now:
            accesses = frozenset().union(*(e.access for e in matching_now))
            indexes = tuple(dict.fromkeys(e.index for e in matching_now))
            return accesses, indexes if len(accesses) > 1 else indexes[:1]
    return through.possible, ()


def _bounded(number: int, steps: list[list[_Entry]], through: Fate) -> Fate:
    """With too many unknowns to try all: any of the rules at hand may decide."""
    entries = [entry for step in steps for entry in step]
    possible = frozenset().union(*(entry.access for entry in entries))
    if not any(not entry.held.if_all for entry in steps[-1]):
        possible |= through.possible
    deciders = tuple(dict.fromkeys((number, entry.index) for entry in entries))
    if len(possible) == 1:
        return Fate(possible, deciders[-1:])
    atoms = [(number, e.index, a) for e in entries for group in e.held.if_all for a in group]
    return Fate(possible, deciders, tuple(dict.fromkeys(atoms + _malformed(number, steps))))


def _malformed(number: int, steps: list[list[_Entry]]) -> list[tuple[int, int, Atom]]:
    """Rules that contradict each other at one priority, and those whose access cannot be read."""
    found: list[tuple[int, int, Atom]] = []
    for step in steps:
        unclear = [e for e in step if len(e.access) > 1]
        found += [(number, e.index, Atom("access-unknown", "access")) for e in unclear]
        if len({e.access for e in step}) > 1 and not unclear:
            found += [(number, e.index, Atom("equal-priority", "priority")) for e in step]
    return found


def _go_through(course: Course) -> Node:
    """The fates after all stations, one behind the other."""
    so_far: Node | Fate = Fate(frozenset({"next"}))
    for number in range(len(course.stations)):
        following = course.station_fates(number)
        if isinstance(following, Node) and isinstance(so_far, Node):
            so_far = diagram.combine(so_far, following, _then)
        elif isinstance(following, Node):
            so_far = diagram.relabel(following, functools.partial(_then, so_far))
        elif isinstance(so_far, Node):
            so_far = diagram.relabel(so_far, functools.partial(_before, following))
        else:
            so_far = _then(so_far, following)
    return course.everywhere(so_far) if isinstance(so_far, Fate) else so_far


def _then(a: object, b: object) -> Fate:
    """A packet's fate at one station, then at the next: it gets there only if it goes on."""
    assert isinstance(a, Fate)
    assert isinstance(b, Fate)
    if "next" not in a.possible:
        return a
    possible = (a.possible - {"next"}) | b.possible
    if len(possible) > 1:
        return Fate(possible, a.deciders + b.deciders, a.atoms + b.atoms)
    if possible == {"deny"}:
        return Fate(possible, b.deciders if a.possible != {"deny"} else a.deciders)
    return Fate(possible, a.deciders + b.deciders)


def _before(b: object, a: object) -> Fate:
    return _then(a, b)


def _arrived(fate: object) -> object:
    """After the last station, what goes on has arrived."""
    assert isinstance(fate, Fate)
    return Fate(frozenset("allow" if w == "next" else w for w in fate.possible), fate.deciders, fate.atoms)


def _doubted(fate: object, atom: Atom) -> object:
    """Unread admin rules may deny what the groups allow (requirements 6.10)."""
    assert isinstance(fate, Fate)
    if fate.access is Access.DENIED:
        return fate
    return Fate(frozenset({"allow", "deny"}), fate.deciders, (*fate.atoms, (-1, _UNREAD, atom)))


def _access(parts: tuple[Part, ...]) -> Access:
    found = {part.access for part in parts}
    if {Access.ALLOWED, Access.DENIED} <= found:
        return Access.PARTIAL  # whatever the undecided rest does
    if not found or Access.UNDECIDED in found:
        return Access.UNDECIDED
    return found.pop()


_RANK = {Access.DENIED: 0, Access.UNDECIDED: 1, Access.ALLOWED: 2}


def _parts(fates: Node, course: Course) -> tuple[Part, ...]:
    parts: list[Part] = []
    for fate, packet in packets.smallest_packets(fates).items():
        assert isinstance(fate, Fate)
        deciders = tuple(_decider(course, station, index) for station, index in fate.deciders)
        atoms = tuple(dict.fromkeys(atom for _, _, atom in fate.atoms))
        parts.append(Part(fate.access, deciders, _named(packet, course), atoms))
    parts.sort(key=lambda part: _RANK[part.access])
    return tuple(parts)


def _named(packet: Packet, course: Course) -> Packet:
    """The witness with a symbol by its name."""
    source, destination = course.source, course.destination
    return dataclasses.replace(
        packet,
        source=source.tag if source.symbol and source.tag else packet.source,
        destination=destination.tag if destination.symbol and destination.tag else packet.destination,
    )


def _decider(course: Course, station: int, index: int) -> Decider:
    where = course.stations[station]
    if index == _PLATFORM:
        return Decider(where.group, None, How.PLATFORM)
    if index == _FALLS_THROUGH:
        return Decider(where.group, None, How.FALLS_THROUGH)
    if index == _NO_GROUP:
        return Decider(where.group, None, How.NO_GROUP)
    if index == _UNREAD:
        return Decider(where.group, None, "group-unread")
    rule = where.rules[index]
    return Decider(where.group, rule.rule, _how(course, where, rule))


def _how(course: Course, station: Station, rule: Reading) -> str:
    """By what a rule meets the question's far end: its tag, a larger one, everything, or literal prefixes."""
    if station.admin:
        return How.ADMIN_RULE
    if rule.rule.default:
        return How.DEFAULT_RULE
    outbound = course.question.direction is Direction.OUTBOUND
    end, place = (course.destination, rule.destination) if outbound else (course.source, rule.source)
    asked = end.tag.casefold() if end.tag else None
    names = {name.casefold() for name in place.tags}
    if asked and (asked in names or (asked == "internet" and place.internet)):
        return How.NAMED_TAG
    if asked:
        service, region = tags.split(course.surroundings.cloud, asked)
        if region and service in names:
            return How.GLOBAL_TAG
    if place.internet or place.virtual_network:
        return How.BROAD
    whole = {4: AddressSet.v4_any(), 6: AddressSet.v6_any()}
    if any(literal.covers(everything) for _, literal in place.literals for everything in whole.values()):
        return How.BROAD
    if any(_tag_meets(course, end, name) for name in place.tags):
        return How.BROAD
    return How.LITERAL


def _tag_meets(course: Course, end: ResolvedEnd, name: str) -> bool:
    data = course.surroundings.tags
    found = data.prefixes(name) if data else None
    if found is None or end.symbol:
        return True
    return found.overlaps(end.addresses)


def _unknowns(parts: tuple[Part, ...], fates: Node, stations: tuple[Station, ...]) -> tuple[Unknown, ...]:
    """The atoms that can change the answer, each with the rules that rest on it."""
    if _access(parts) is not Access.UNDECIDED:
        return ()
    found: dict[Atom, dict[SecurityRule, None]] = {}
    for fate in diagram.firsts(fates):
        assert isinstance(fate, Fate)
        for station, index, atom in fate.atoms:
            rules = found.setdefault(atom, {})
            if station >= 0 and index >= 0:
                rules[stations[station].rules[index].rule] = None
    return tuple(Unknown(atom, tuple(rules)) for atom, rules in found.items())


def _replay(course: Course, fates: Node) -> tuple[Step, ...]:
    """Each station's rules in order, up to the one behind which nothing is left."""
    steps = [Step("asked", found=str(course.question))]
    if course.surroundings.admin_unread:
        unread = course.surroundings.admin_unread
        steps.append(Step("admin-unread", atoms=(Atom("admin-rules-unread", unread.what, unread.why),)))
    for number, station in enumerate(course.stations):
        if station.unread is not None:
            steps.append(Step("group-unread", station.group, atoms=(station.unread,)))
        elif not station.filters:
            steps.append(Step("no-group"))
        else:
            steps += _replay_rules(course, number, station)
    return tuple(steps)


def _replay_rules(course: Course, number: int, station: Station) -> list[Step]:
    own = course.station_fates(number)
    fates = [own] if isinstance(own, Fate) else [f for f in diagram.firsts(own) if isinstance(f, Fate)]
    deciding = {index for fate in fates for _, index in fate.deciders}
    certain = {index for fate in fates if len(fate.possible) == 1 for _, index in fate.deciders}
    last = max(deciding, default=-1)
    if deciding & {_FALLS_THROUGH} or not deciding:
        last = len(station.rules) - 1
    steps: list[Step] = []
    if _PLATFORM in deciding:
        steps.append(Step("platform", station.group))
    for index, rule in enumerate(station.rules[: last + 1]):
        if index in deciding:
            atoms = tuple(dict.fromkeys(a for f in fates for _, i, a in f.atoms if i == index))
            outcome = "decides" if len(fates) == 1 else "decides-part"
            if index not in certain:
                outcome = "cannot-tell" if atoms else "decides-rest"
            steps.append(Step(outcome, station.group, rule.rule, atoms=atoms))
            continue
        missed = matching.first_miss(rule, list(course.pieces), *course.ends(rule))
        if missed is None:
            steps.append(Step("already-decided", station.group, rule.rule))
        else:
            steps.append(Step("no-match", station.group, rule.rule, missed, _shown(rule.rule, missed)))
    if _FALLS_THROUGH in deciding:
        steps.append(Step("falls-through", station.group))
    return steps


def _shown(rule: SecurityRule, condition: str) -> str:
    """What a rule says of a condition, as ARM spells it."""
    texts = {
        "protocol": (rule.protocol,),
        "source": rule.sources + rule.source_groups,
        "source-port": rule.source_ports,
        "destination": rule.destinations + rule.destination_groups,
        "destination-port": rule.destination_ports,
    }[condition]
    return ", ".join(texts) or "nothing"
