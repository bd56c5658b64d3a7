"""What the texts of a rule mean. Every text has a defined meaning; none is an error.

| text | meaning |
| --- | --- |
| `*`, `Any` as an address | both families; `0.0.0.0/0` is IPv4 alone |
| `""` | not there; a side without any address and group matches nothing |
| `111`, `10.0.0.0/33` | unknown atom: some set of addresses, between nothing and everything |
| a tag that the tag data lack | unknown atom |
| a tag, without tag data | unknown atom; inside `Internet` if the containment table knows its service |
| a security group without read members | unknown atom |
| protocol `*`, `Any`, `All` | every protocol; names without case; 1, 6, 17, 50, 51, 58 are names' numbers |
| another protocol number | unknown atom within the protocols without a name; any other text, or none: unknown atom |
| ports `22-22`, `0-65535`, `*`, `80,443` | what they say |
| ports `70000`, `5-3`, or none at all | unknown atom |
| priority outside 100-4096 of a custom rule | at its number, but it may not be in force: unknown atom |
| no integer as priority | may stand anywhere: first, and it may not match: unknown atom |
| access neither Allow nor Deny | may be either: unknown atom |
| direction neither Inbound nor Outbound | may be of either: unknown atom |
| two rules of one priority that disagree on a packet | undecided |
"""

from __future__ import annotations

import enum
import functools
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from auditor.network import facts, tags
from auditor.network.addresses import AddressSet
from auditor.network.packets import ALL_PROTOCOLS, Protocol
from auditor.network.ports import PortSet
from auditor.network.rules import (
    FIRST_PRIORITY,
    LAST_PRIORITY,
    Direction,
    SecurityGroup,
    SecurityRule,
    Surroundings,
)
from auditor.network.tags import TagData
from auditor.values import Unread


@dataclass(frozen=True, slots=True)
class Atom:
    """Something unknown that a rule rests on. `kind` is a stable slug, `name` the text or id, `why` what happened.

    Kinds: prefix-unparsable, unknown-tag, tag-unread, asg-unread, virtualnetwork-unread, learned-routes,
    virtualnetwork-default-route, probe-under-internet, platform-address-unknown, port-unparsable, protocol-unknown,
    priority-invalid, access-unknown, direction-unknown, equal-priority, prefix-against-tag, tag-against-tag,
    group-unread, admin-rules-unread, empty-question.
    """

    kind: str
    name: str
    why: str = ""
    side: str = ""

    def __str__(self) -> str:
        return f"{self.name} ({self.kind})"


NO_ADDRESS = AddressSet.empty()
AnyOf = tuple[Atom, ...]  # at least one of these must hold


class Within(enum.Enum):
    """Where an unknown set of addresses can lie at most."""

    ANYWHERE = "anywhere"
    INTERNET = "internet"
    NETWORK = "network"  # members of an application security group are interfaces of the virtual network


@dataclass(frozen=True, slots=True)
class Place:
    """One side of a rule, apart from what depends on the virtual network it sits in."""

    known: AddressSet = NO_ADDRESS
    maybe: tuple[tuple[Atom, Within], ...] = ()
    virtual_network: bool = False
    internet: bool = False
    platform: tuple[str, ...] = ()  # AzurePlatformDNS and the like
    literals: tuple[tuple[str, AddressSet], ...] = ()
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """A rule as understood; the `_maybe` fields are what cannot be understood, and all `doubts` must hold."""

    rule: SecurityRule
    level: int  # rules of one level stand side by side
    access: frozenset[str]  # of allow, deny, always
    protocols: frozenset[Protocol]
    protocol_maybe: tuple[frozenset[Protocol], Atom] | None
    source: Place
    source_ports: PortSet
    source_ports_maybe: AnyOf
    destination: Place
    ports: PortSet
    ports_maybe: AnyOf
    doubts: AnyOf


_NUMBERS = {
    "1": Protocol.ICMP,
    "6": Protocol.TCP,
    "17": Protocol.UDP,
    "50": Protocol.ESP,
    "51": Protocol.AH,
    "58": Protocol.ICMPV6,
}
_NAMES = {p.value.casefold(): p for p in Protocol if p is not Protocol.OTHER} | _NUMBERS
_ACCESS = {"allow": "allow", "deny": "deny", "alwaysallow": "always"}
_PLATFORM = {"azureplatformdns", "azureplatformimds", "azureplatformlkm"}


def read_protocol(text: str) -> tuple[frozenset[Protocol], tuple[frozenset[Protocol], Atom] | None]:
    """The protocols a text names for certain, and those it may name."""
    key = text.strip().casefold()
    if key in ("*", "any", "all"):
        return ALL_PROTOCOLS, None
    if key in _NAMES:
        return frozenset({_NAMES[key]}), None
    atom = Atom("protocol-unknown", text)
    if key.isascii() and key.isdigit() and len(key) <= 3 and int(key) <= 255:
        return frozenset(), (frozenset({Protocol.OTHER}), atom)
    return frozenset(), (ALL_PROTOCOLS, atom)


def read_ports(texts: Iterable[str], side: str) -> tuple[PortSet, AnyOf]:
    """The ports that texts name for certain, and the texts that cannot be read; no text at all is one of these."""
    found: list[PortSet] = []
    broken: list[Atom] = []
    words = [word for text in texts for word in text.split(",") if word.strip()]
    for word in words:
        try:
            found.append(PortSet.parse(word))
        except ValueError:
            broken.append(Atom("port-unparsable", word.strip(), side=side))
    if not words:
        broken.append(Atom("port-unparsable", "", "no port is named", side))
    return PortSet.union(found), tuple(broken)


def read_place(
    texts: tuple[str, ...],
    groups: tuple[str, ...],
    side: str,
    cloud: str,
    data: TagData | None,
    members: dict[str, AddressSet | Unread],
) -> Place:
    """One side of a rule: the union of its prefixes, tags and application security groups."""
    known: list[AddressSet] = []
    maybe: list[tuple[Atom, Within]] = []
    literals: list[tuple[str, AddressSet]] = []
    named: list[str] = []
    flags: set[str] = set()
    for text in (text.strip() for text in texts):
        key = text.casefold()
        if not text:
            continue
        if key in ("*", "any"):
            literals.append((text, AddressSet.any()))
        elif key in ("virtualnetwork", "internet") or key in _PLATFORM:
            flags.add(key)
        elif key == "azureloadbalancer":
            known.append(facts.platform_address())
            named.append(text)
        elif (literal := _literal(text)) is not None:
            literals.append((text, literal))
        elif not tags.looks_like_tag(text):
            maybe.append((Atom("prefix-unparsable", text, side=side), Within.ANYWHERE))
        else:
            named.append(text)
            found = data.prefixes(text) if data else None
            if found is not None:
                known.append(found)
            else:
                maybe.append(_unknown_tag(text, side, cloud, data))
    for group in groups:
        member = members.get(group.strip().casefold().rstrip("/"))
        if isinstance(member, AddressSet):
            literals.append((group.strip(), member))
        elif group.strip():
            why = f"{member.why}" if member else "its members were not read"
            maybe.append((Atom("asg-unread", group.strip(), why, side), Within.NETWORK))
    return Place(
        known=AddressSet.union([*known, *(literal for _, literal in literals)]),
        maybe=tuple(maybe),
        virtual_network="virtualnetwork" in flags,
        internet="internet" in flags,
        platform=tuple(sorted(flags & _PLATFORM)),
        literals=tuple(literals),
        tags=tuple(named),
    )


def _unknown_tag(text: str, side: str, cloud: str, data: TagData | None) -> tuple[Atom, Within]:
    within = Within.INTERNET if tags.inside_internet(cloud, text) else Within.ANYWHERE
    if data is None:
        return Atom("tag-unread", text, "no service tag data at hand", side), within
    return Atom("unknown-tag", text, f"not in {data.describe()}", side), within


@functools.lru_cache(maxsize=65_536)
def _literal(text: str) -> AddressSet | None:
    try:
        return AddressSet.parse(text)
    except ValueError:
        return None


def read_rule(
    rule: SecurityRule, level: int, cloud: str, data: TagData | None, members: dict[str, AddressSet | Unread]
) -> Reading:
    """A rule's meaning apart from the virtual network it sits in."""
    protocols, protocol_maybe = read_protocol(rule.protocol)
    source_ports, source_ports_maybe = read_ports(rule.source_ports, "source")
    ports, ports_maybe = read_ports(rule.destination_ports, "destination")
    doubts: list[Atom] = []
    label = rule.id or rule.name
    if rule.priority is None or not (rule.default or FIRST_PRIORITY <= rule.priority <= LAST_PRIORITY):
        doubts.append(Atom("priority-invalid", label, f"priority {rule.priority}"))
    if rule.direction.strip().casefold() not in {d.casefold() for d in Direction}:
        doubts.append(Atom("direction-unknown", label, f"direction {rule.direction!r}"))
    access = _ACCESS.get(rule.access.strip().casefold())
    return Reading(
        rule=rule,
        level=level,
        access=frozenset({access}) if access else frozenset({"allow", "deny"}),
        protocols=protocols,
        protocol_maybe=protocol_maybe,
        source=read_place(rule.sources, rule.source_groups, "source", cloud, data, members),
        source_ports=source_ports,
        source_ports_maybe=source_ports_maybe,
        destination=read_place(rule.destinations, rule.destination_groups, "destination", cloud, data, members),
        ports=ports,
        ports_maybe=ports_maybe,
        doubts=tuple(doubts),
    )


@functools.lru_cache(maxsize=1024)
def read_group(
    group: SecurityGroup,
    direction: Direction,
    with_defaults: bool,
    cloud: str,
    data: TagData | None,
    groups: tuple[tuple[str, AddressSet | Unread], ...],
) -> tuple[tuple[Reading, ...], frozenset[int]]:
    """The rules of a group in a direction, in order, and the levels that several share; once per group and tag data."""
    rules = group.effective(direction) if with_defaults else group.custom(direction)
    found = read_rules(rules, cloud, data, groups)
    return found, shared_levels(found)


def read_rules(
    rules: Iterable[SecurityRule],
    cloud: str,
    data: TagData | None,
    groups: tuple[tuple[str, AddressSet | Unread], ...],
) -> tuple[Reading, ...]:
    """Rules that are in order; those of equal priority get one level, unless one is a default rule."""
    members = {key.casefold().rstrip("/"): member for key, member in groups}
    found: list[Reading] = []
    level, previous = 0, object()
    for rule in rules:
        mark = (rule.priority, rule.default)
        if found and (mark != previous or rule.priority is None):
            level += 1
        found.append(read_rule(rule, level, cloud, data, members))
        previous = mark
    return tuple(found)


def shared_levels(rules: Sequence[Reading]) -> frozenset[int]:
    """The levels on which several rules stand."""
    return frozenset(a.level for a, b in itertools.pairwise(rules) if a.level == b.level)


def internet(surroundings: Surroundings) -> AddressSet:
    """`Internet`: public addresses outside the virtual network. An unread peer is taken not to hold public space."""
    return _internet(surroundings.virtual_network)


@functools.lru_cache(maxsize=4096)
def _internet(virtual_network: AddressSet) -> AddressSet:
    return AddressSet.any() - facts.not_internet() - virtual_network - facts.platform_address()


def virtual_network(surroundings: Surroundings) -> AddressSet:
    """`VirtualNetwork` as far as it is known: the space given, and 168.63.129.16."""
    return surroundings.virtual_network | facts.platform_address()
