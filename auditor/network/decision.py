"""What becomes of a question's packets, and why: the answer as a value."""

from __future__ import annotations

import enum
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from auditor.network import diagram
from auditor.network.addresses import AddressSet
from auditor.network.diagram import Node
from auditor.network.packets import Packet, PacketSet
from auditor.network.question import Question, ResolvedEnd
from auditor.network.reading import Atom
from auditor.network.rules import Direction, SecurityRule, Surroundings
from auditor.values import TraceStep


class Access(enum.StrEnum):
    """What becomes of a class of packets, or of a part of it."""

    ALLOWED = "allowed"
    DENIED = "denied"
    PARTIAL = "partial"  # some packets certainly pass, some certainly do not
    UNDECIDED = "undecided"  # something unknown can change the answer


class How(enum.StrEnum):
    """By what an allowed part is allowed, from the most to the least specific."""

    NAMED_TAG = "named-tag"  # a rule names the very tag that was asked about
    GLOBAL_TAG = "global-tag"  # a rule names the service's tag for all regions
    DEFAULT_RULE = "default-rule"
    NO_GROUP = "no-group"  # nothing filters
    ADMIN_RULE = "admin-rule"  # AlwaysAllow
    PLATFORM = "platform"  # 168.63.129.16 and 169.254.169.254 are outside ordinary rules
    FALLS_THROUGH = "falls-through"  # no custom rule denies it (questions without default rules)
    BROAD = "broad"  # a custom rule for something larger: AzureCloud, Internet, VirtualNetwork, *
    LITERAL = "literal"  # a custom rule lists prefixes or interfaces


@dataclass(frozen=True, slots=True)
class Decider:
    """What decided at one station: a rule, or (rule None) the reason in `how`. `group` is the id of the group."""

    group: str
    rule: SecurityRule | None
    how: str

    def __str__(self) -> str:
        return f"{self.rule} of {self.group.rsplit('/', 1)[-1] or 'admin rules'}" if self.rule else self.how


@dataclass(frozen=True, slots=True)
class Unknown:
    """An atom that can change the answer, and the rules that rest on it."""

    atom: Atom
    rules: tuple[SecurityRule, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """Packets with one fate: the smallest of them, and what decides at each station (a denial: where it is denied)."""

    access: Access
    deciders: tuple[Decider, ...]
    witness: Packet
    atoms: tuple[Atom, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """One rule as it was tried.

    Outcomes: `decides`, `decides-part`, `cannot-tell`, `decides-rest`, `already-decided`, `no-match`;
    for stations as a whole: `no-group`, `group-unread`, `admin-unread`, `platform`, `falls-through`; first, `asked`.

    `condition` is the first one that no packet of the question meets: protocol, source, source-port, destination,
    destination-port.
    """

    outcome: str
    group: str = ""
    rule: SecurityRule | None = None
    condition: str | None = None
    found: str = ""
    atoms: tuple[Atom, ...] = ()

    def as_trace(self) -> TraceStep:
        """The step as the report carries it."""
        facts: dict[str, object] = {"group": self.group}
        if self.rule is not None:
            facts |= {"rule": self.rule.name, "priority": self.rule.priority, "access": self.rule.access}
        if self.condition:
            facts |= {"condition": self.condition}
        if self.found:
            facts |= {"found": self.found}
        if self.atoms:
            facts |= {"atoms": ", ".join(str(atom) for atom in self.atoms)}
        return TraceStep(f"nsg-{self.outcome}", _TEXTS[self.outcome], facts)


_TEXTS = {
    "asked": "asked: {found}",
    "decides": "{rule} ({priority}) decides: {access}",
    "decides-part": "{rule} ({priority}) decides a part: {access}; the rest goes on",
    "decides-rest": "{rule} ({priority}, {access}) decides what is left by rules of which one cannot tell",
    "cannot-tell": "{rule} ({priority}, {access}) may match, depending on {atoms}",
    "already-decided": "{rule} ({priority}, {access}) would match what a rule of better priority has decided",
    "no-match": "{rule} ({priority}, {access}) does not match: its {condition} is {found}",
    "no-group": "no group filters here",
    "group-unread": "the group {group} could not be read: {atoms}",
    "admin-unread": "security admin rules could not be read: {atoms}",
    "platform": "Azure's own addresses are outside the rules unless one names their tag",
    "falls-through": "no custom rule of {group} denies the rest",
}


@dataclass(frozen=True, slots=True, eq=False)
class Decision:
    """The answer to a question. Compared by identity; equal questions get the same object from the cache.

    `parts` are sorted: denied first, then undecided, then allowed, each with its smallest packet. `unknowns` is what
    can change the answer: empty unless something is undecided. For a tag without data (`symbolic`) the sets stand for
    the tag as a whole, and `effect` writes its name.
    """

    access: Access
    question: Question
    surroundings: Surroundings
    parts: tuple[Part, ...]
    unknowns: tuple[Unknown, ...]
    source: ResolvedEnd
    destination: ResolvedEnd
    symbolic: bool
    fates: Node
    replay: Callable[[], tuple[Step, ...]]

    @property
    def steps(self) -> tuple[Step, ...]:
        """Each rule tried, in order, up to the one behind which nothing is left; computed when asked for."""
        return self.replay()

    def _with(self, access: Access) -> PacketSet:
        return PacketSet(diagram.relabel(self.fates, lambda fate: getattr(fate, "access", None) is access or None))

    @property
    def permitted(self) -> PacketSet:
        """The packets that certainly pass."""
        return self._with(Access.ALLOWED)

    @property
    def denied(self) -> PacketSet:
        """The packets that certainly do not pass."""
        return self._with(Access.DENIED)

    @property
    def undecided(self) -> PacketSet:
        """The packets whose fate hangs on `unknowns`."""
        return self._with(Access.UNDECIDED)

    def of(self, access: Access) -> tuple[Part, ...]:
        """The parts with one fate."""
        return tuple(part for part in self.parts if part.access is access)

    @property
    def witness(self) -> Packet | None:
        """The smallest packet of the first part: a denied one if any is."""
        return self.parts[0].witness if self.parts else None

    @property
    def rule(self) -> SecurityRule | None:
        """The rule that decides the first part, None where no rule does."""
        deciders = self.parts[0].deciders if self.parts else ()
        return next((decider.rule for decider in deciders if decider.rule), None)

    def allowed_by(self) -> frozenset[How]:
        """By what the allowed parts are allowed, over all groups in series.

        `NO_GROUP` is named only where no group filters at all.
        """
        found = frozenset(How(decider.how) for part in self.of(Access.ALLOWED) for decider in part.deciders)
        return found - {How.NO_GROUP} or found

    def rules(self) -> tuple[SecurityRule, ...]:
        """The rules that decide some part."""
        found = {d.rule: None for part in self.parts for d in part.deciders if d.rule}
        return tuple(found)

    def effect(self) -> tuple[str, ...]:
        """What is permitted, as canonical sorted text, equal for rule sets that permit the same.

        A tag that was asked about is written by name where the whole of it is meant. What is merely possible is marked.
        """
        return _effect(self)

    def trace(self) -> tuple[TraceStep, ...]:
        """Each rule in the order in which it was tried, with why it did or did not match."""
        return tuple(step.as_trace() for step in self.steps)

    def __iter__(self) -> Iterator[Part]:
        return iter(self.parts)


@functools.lru_cache(maxsize=4096)
def _effect(decision: Decision) -> tuple[str, ...]:
    names: dict[AddressSet, str] = {}
    for end in (decision.source, decision.destination):
        if end.tag:
            names[end.addresses] = end.tag
    certain = decision.permitted.canonical(names, decision.question.source_ports)
    possible = tuple(
        f"undecided: {item}" for item in decision.undecided.canonical(names, decision.question.source_ports)
    )
    return tuple(sorted(certain + possible))


__all__ = ["Access", "Decider", "Decision", "Direction", "How", "Part", "Step", "Unknown"]
