"""What an answer about rights looks like: granted, denied, missing or undecided, and by what (requirements 8.10)."""

from __future__ import annotations

import dataclasses
import enum
from dataclasses import dataclass
from datetime import datetime, timedelta

from auditor.access.assignments import DenyAssignment, Principal, RoleAssignment
from auditor.access.conditions import Reach
from auditor.access.roles import Permission, RoleDefinition
from auditor.access.scopes import Scope
from auditor.values import Effect, Evidence, TraceStep, Unread


class Status(enum.StrEnum):
    """The answer to a question about rights."""

    GRANTED = "granted"
    DENIED = "denied"
    """A deny assignment forbids it, whatever is granted."""
    MISSING = "missing"
    """Nothing grants it, and nothing unread could."""
    UNDECIDED = "undecided"
    """Something that was not read can change the answer."""


class MissKind(enum.StrEnum):
    """Why an assignment, near as it is, does not grant what was asked."""

    WRONG_ROLE = "wrong-role"
    """It reaches the scope, its role lacks the operation."""
    NOT_ACTION = "not-action"
    """It reaches the scope, an action of its role matches, and a notAction of the same block takes it away."""
    ELIGIBLE = "eligible-only"
    """It would do, but is only eligible: nobody has activated it."""
    EXPIRED = "expired"
    """It would do, but has ended."""
    PRINCIPAL_GONE = "principal-gone"
    """It would do, but its principal does not exist any more."""
    OTHER_PRINCIPAL = "other-principal"
    """It would do, but another of the named principals holds it: the kubelet identity, an application id."""
    NOT_REACHING = "not-reaching"
    """Its role would do, its scope is not the one asked about nor above it."""


_TOLD = {
    MissKind.WRONG_ROLE: "{role} at {scope} lacks {asked}",
    MissKind.NOT_ACTION: "{role} at {scope} takes {asked} away by a notAction",
    MissKind.ELIGIBLE: "{role} at {scope} is only eligible: it has not been activated",
    MissKind.EXPIRED: "{role} at {scope} has ended",
    MissKind.PRINCIPAL_GONE: "{role} at {scope} belongs to a principal that does not exist any more",
    MissKind.OTHER_PRINCIPAL: "{role} at {scope} is held by {whose} instead",
    MissKind.NOT_REACHING: "{role} is held at {scope}, which is neither the scope asked about nor above it",
}


@dataclass(frozen=True, slots=True)
class Miss:
    """An assignment that does not grant what was asked, and why; `whose` names the other principal it belongs to."""

    kind: MissKind
    asked: tuple[str, ...]
    assignment: RoleAssignment
    definition: RoleDefinition | Unread
    whose: str | None = None
    via_group: str | None = None

    @property
    def role(self) -> str:
        """The role's name, or its GUID where the definition was not read."""
        return _role_name(self.assignment, self.definition)

    @property
    def told(self) -> TraceStep:
        """The miss in words: a constant template a kind, over `role`, `scope`, `assignment`, `asked`, `whose`."""
        facts = {
            "role": self.role,
            "scope": str(self.assignment.scope),
            "assignment": self.assignment.id,
            "asked": ", ".join(self.asked),
        }
        if self.whose is not None:
            facts["whose"] = self.whose
        return TraceStep(f"miss-{self.kind}", _TOLD[self.kind], facts)


def _role_name(assignment: RoleAssignment, definition: RoleDefinition | Unread) -> str:
    if isinstance(definition, RoleDefinition):
        return definition.name
    return assignment.role_guid or "an unreadable role"


@dataclass(frozen=True, slots=True)
class Granted:
    """Certain: this assignment, by this block of its role.

    `asked` is the operation, or a role's GUID where a role was asked for (then `block` is None).
    `condition` is `Reach.IRRELEVANT` if the grant stands under a condition that cannot hinder the operation.
    `via_group` is the folded id of the group that holds the role. `notes` are slugs: `deny-unread` (deny assignments
    were not read, none is known to exist), `shipped-definition` (the role's row was not read, the shipped table's
    was used), `delegated` (the assignment belongs to a delegation across tenants).
    """

    asked: str
    assignment: RoleAssignment
    definition: RoleDefinition | Unread
    block: Permission | None
    condition: Reach = Reach.NONE
    via_group: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def status(self) -> Status:
        """Always granted."""
        return Status.GRANTED

    @property
    def role(self) -> str:
        """The role's name, or its GUID where the definition was not read."""
        return _role_name(self.assignment, self.definition)

    @property
    def told(self) -> TraceStep:
        """The grant in words: a constant template over `asked`, `role`, `scope`, `assignment`, `group`."""
        facts = {
            "asked": self.asked,
            "role": self.role,
            "scope": str(self.assignment.scope),
            "assignment": self.assignment.id,
        }
        if self.via_group is None:
            return TraceStep("grant", "{role} at {scope} grants {asked}", facts)
        facts["group"] = self.via_group
        return TraceStep("grant", "{role} at {scope}, held by group {group}, grants {asked}", facts)

    def ends_within(self, at: datetime, *, days: int) -> bool:
        """Whether this grant, the longest-lived one that was found, ends in so many days from `at`."""
        ends = self.assignment.ends_at
        return isinstance(ends, datetime) and ends <= at + timedelta(days=days)


@dataclass(frozen=True, slots=True)
class Denied:
    """Certain: this deny assignment forbids it."""

    asked: str
    deny: DenyAssignment

    @property
    def status(self) -> Status:
        """Always denied."""
        return Status.DENIED


@dataclass(frozen=True, slots=True)
class Missing:
    """Certain: nothing grants it. `misses` are the nearest ones, most telling first."""

    asked: str
    misses: tuple[Miss, ...] = ()

    @property
    def status(self) -> Status:
        """Always missing."""
        return Status.MISSING

    def nearest(self, kind: MissKind) -> Miss | None:
        """The nearest miss of a kind."""
        return next((miss for miss in self.misses if miss.kind is kind), None)


@dataclass(frozen=True, slots=True)
class Undecided:
    """Not known, and these are the pieces that can change it (never others); each carries its stable `reason`.

    Reasons: `principal-unresolved` or the caller's own, `group-membership`, `role-definition-unread`, `condition`,
    `condition-unread`, `assignments-unread`, `assignment-unreadable`, `hierarchy-unread`, `deny-unread`,
    `pattern-doubt`, `end-unread`.
    `misses` tell what the principal does hold, as in `Missing`. `conditional` is a grant under a condition that can
    reach the operation, where there is one.
    """

    asked: str
    pieces: tuple[Unread, ...]
    misses: tuple[Miss, ...] = ()
    conditional: RoleAssignment | None = None

    @property
    def status(self) -> Status:
        """Always undecided."""
        return Status.UNDECIDED


Answer = Granted | Denied | Missing | Undecided


@dataclass(frozen=True, slots=True)
class AccessDecision:
    """The answers for some operations of one principal at one scope, and how they were reached."""

    principal: Principal | Unread
    scope: Scope
    answers: tuple[Answer, ...]
    trace: tuple[TraceStep, ...]

    @property
    def status(self) -> Status:
        """Over all operations: denied or missing if one is, else undecided if one is, else granted.

        No operation at all is undecided: nothing was asked, so nothing is granted.
        """
        found = {answer.status for answer in self.answers}
        for status in (Status.DENIED, Status.MISSING, Status.UNDECIDED):
            if status in found:
                return status
        return Status.GRANTED if found else Status.UNDECIDED

    @property
    def granted(self) -> tuple[Granted, ...]:
        """The operations that are certainly granted."""
        return tuple(answer for answer in self.answers if isinstance(answer, Granted))

    @property
    def denied(self) -> tuple[Denied, ...]:
        """The operations that a deny assignment certainly forbids."""
        return tuple(answer for answer in self.answers if isinstance(answer, Denied))

    @property
    def missing(self) -> tuple[Missing, ...]:
        """The operations that are certainly not granted."""
        return tuple(answer for answer in self.answers if isinstance(answer, Missing))

    @property
    def undecided(self) -> tuple[Undecided, ...]:
        """The operations of which it is not known."""
        return tuple(answer for answer in self.answers if isinstance(answer, Undecided))

    @property
    def pieces(self) -> tuple[Unread, ...]:
        """What was not read and can change an answer, each piece once."""
        return tuple(dict.fromkeys(piece for answer in self.undecided for piece in answer.pieces))

    @property
    def misses(self) -> tuple[Miss, ...]:
        """The nearest misses over all operations not granted, each assignment and kind once with all it lacks."""
        found: dict[tuple[str, MissKind, str | None], Miss] = {}
        lists = [answer.misses for answer in self.missing] + [answer.misses for answer in self.undecided]
        for miss in (miss for misses in lists for miss in misses):
            key = (miss.assignment.id, miss.kind, miss.whose)
            before = found[key].asked if key in found else ()
            found[key] = dataclasses.replace(miss, asked=(*before, *miss.asked))
        return tuple(found.values())

    @property
    def roles(self) -> tuple[RoleDefinition, ...]:
        """The roles that grant, each once."""
        found: dict[str, RoleDefinition] = {}
        for answer in self.granted:
            if isinstance(answer.definition, RoleDefinition):
                found.setdefault(answer.definition.guid, answer.definition)
        return tuple(found.values())

    @property
    def notes(self) -> tuple[str, ...]:
        """The slugs of all grants, each once."""
        return tuple(dict.fromkeys(note for answer in self.granted for note in answer.notes))

    @property
    def condition(self) -> Reach:
        """The worst condition that a grant stands under: none or irrelevant."""
        return Reach.IRRELEVANT if any(answer.condition is not Reach.NONE for answer in self.granted) else Reach.NONE

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """The properties that decide: of the granting, denying and nearly granting assignments."""
        shown = [
            Evidence(one.assignment.id, "properties.roleDefinitionId", one.assignment.role_guid, one.role)
            for one in self.granted
        ]
        shown += [Evidence(one.deny.id, "properties.permissions", one.asked, "denied") for one in self.denied]
        shown += [
            Evidence(miss.assignment.id, "properties.scope", str(miss.assignment.scope), f"{miss.role}: {miss.kind}")
            for miss in self.misses
        ]
        return tuple({(one.resource, one.path, one.note): one for one in shown}.values())

    @property
    def effect(self) -> Effect | None:
        """What is permitted, canonically: `OPERATION on SCOPE`, sorted; None while an answer is undecided."""
        if self.undecided:
            return None
        return Effect(tuple(sorted(f"{answer.asked} on {self.scope.key}" for answer in self.granted)))
