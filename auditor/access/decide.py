"""May this principal do this here? Azure's evaluation order, with what was not read kept apart (requirements 8).

1. A deny assignment that certainly applies decides.
2. Else the best certain grant: an active assignment of the principal, or of a group that it is known to be in, at the
   scope or above, whose role grants the operation unconditionally. What is not read does not matter then, unless it is
   a deny assignment that is known, or likely, to exist.
3. Else everything that could still add a grant is collected: if there is any, the answer is undecided.
4. Else it is missing, and the nearest misses are named.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from auditor.access.assignments import DenyAssignment, Principal, RoleAssignment
from auditor.access.conditions import Reach, reach
from auditor.access.decision import (
    AccessDecision,
    Answer,
    Denied,
    Granted,
    Miss,
    Missing,
    MissKind,
    Undecided,
)
from auditor.access.model import AccessModel
from auditor.access.roles import Match, Permission, RoleDefinition, Verdict
from auditor.access.scopes import Chain, Scope
from auditor.values import Listing, TraceStep, Unread, fold

_MOST_MISSES = 12  # named in an answer: the nearest ones tell the mistake, a hundredth does not


def decide(
    model: AccessModel,
    principal: Principal | Unread,
    operations: Sequence[str] | str,
    scope: Scope,
    *,
    at: datetime,
    data: bool = False,
    others: Mapping[str, str] | None = None,
) -> AccessDecision:
    """Whether the principal may do the operations at the scope.

    `data` asks for data actions. `at` is the time the question is about (the run's start). `others` names other
    principals by object id ("the kubelet identity"), so that a lack can say "granted to that one instead".
    """
    asked = (operations,) if isinstance(operations, str) else tuple(operations)
    trace: list[TraceStep] = []
    if isinstance(principal, Unread):
        trace.append(_step("principal", "the principal is not known: {why}", why=principal.why))
        unresolved = tuple(Undecided(operation, (principal,)) for operation in asked)
        return AccessDecision(principal, scope, unresolved, tuple(trace))
    search = _Search(model, principal, scope, at, dict(others or {}))
    trace.extend(search.opening())
    answers = tuple(search.answer(_Operation(model, operation, data), trace) for operation in asked)
    return AccessDecision(principal, scope, answers, tuple(trace))


def grants_role(
    model: AccessModel,
    principal: Principal | Unread,
    guid: str,
    scope: Scope,
    *,
    at: datetime,
    operations: Sequence[str] = (),
    others: Mapping[str, str] | None = None,
) -> AccessDecision:
    """Whether the principal holds exactly this role at the scope or above: the letter, by GUID.

    `operations` are those that matter: a condition that cannot hinder them leaves the grant certain (its `condition`
    is then `irrelevant`), and a deny assignment that covers one of them denies. The role's definition need not be read.
    """
    trace: list[TraceStep] = []
    if isinstance(principal, Unread):
        trace.append(_step("principal", "the principal is not known: {why}", why=principal.why))
        return AccessDecision(principal, scope, (Undecided(guid, (principal,)),), tuple(trace))
    search = _Search(model, principal, scope, at, dict(others or {}))
    trace.extend(search.opening())
    answer = search.answer(_ExactRole(model, guid.casefold(), tuple(operations)), trace)
    return AccessDecision(principal, scope, (answer,), tuple(trace))


def covers_all(
    model: AccessModel,
    principal: Principal | Unread,
    operations: Sequence[str],
    scope: Scope,
    *,
    at: datetime,
) -> AccessDecision:
    """Whether the union of the principal's roles grants every one of the operations; its `roles` names them."""
    return decide(model, principal, operations, scope, at=at)


def denying(
    model: AccessModel,
    principal: Principal | Unread,
    operations: Sequence[str],
    scope: Scope,
    *,
    below: bool = False,
) -> Listing[DenyAssignment]:
    """The deny assignments that certainly keep the principal from one of the operations at the scope.

    With `below` also those at scopes under it (a deny on the virtual network while its group is asked about). The
    listing is not whole where deny assignments were not read, or where it is not known whether one applies.
    """
    if isinstance(principal, Unread):
        return Listing((), principal)
    search = _Search(model, principal, scope, datetime.max, {})
    missing: Unread | None = model.deny_coverage.lacking(search.chain, model.hierarchy)
    found: dict[str, DenyAssignment] = {}
    for operation in operations:
        asked = _Operation(model, operation, False)
        for deny in model.denies if below else search.reaching_denies():
            reaches = _deny_reaches(search, deny)
            if reaches is False and below and not isinstance(deny.scope, Unread):
                reaches = scope.covers(deny.scope)
            applies = _and(reaches, search.denies(deny, asked))
            if applies is True:
                found[deny.id] = deny
            elif isinstance(applies, Unread):
                missing = missing or applies
    return Listing(tuple(found.values()), missing)


@dataclass(frozen=True, slots=True)
class _Operation:
    """An operation that is asked for."""

    model: AccessModel
    operation: str
    data: bool

    @property
    def asked(self) -> str:
        return self.operation

    def given_by(self, assignment: RoleAssignment) -> Verdict | Unread:
        definition = self.model.definition(assignment.role_guid)
        if isinstance(definition, Unread):
            return definition
        return self.model.answer(definition, self.operation, data=self.data)

    def condition(self, assignment: RoleAssignment) -> Reach:
        return reach(assignment.condition, (self.operation,))

    def block_condition(self, block: Permission | None) -> Reach:
        return Reach.NONE if block is None else block.condition_reach(self.operation)

    def denied_by(self, block: Permission) -> Match:
        return block.match(self.operation, data=self.data)

    def denial_condition(self, deny: DenyAssignment) -> Reach:
        return reach(deny.condition, (self.operation,))


@dataclass(frozen=True, slots=True)
class _ExactRole:
    """A role that is asked for by its GUID, for the sake of some operations."""

    model: AccessModel
    guid: str
    operations: tuple[str, ...]

    @property
    def asked(self) -> str:
        return self.guid

    def given_by(self, assignment: RoleAssignment) -> Verdict | Unread:
        if assignment.role_guid is None:
            definition = self.model.definition(None)
            return definition if isinstance(definition, Unread) else Verdict(Match.ABSENT, None)
        return Verdict(Match.GRANTED if assignment.role_guid == self.guid else Match.ABSENT, None)

    def condition(self, assignment: RoleAssignment) -> Reach:
        return reach(assignment.condition, self.operations)

    def block_condition(self, block: Permission | None) -> Reach:
        return Reach.NONE

    def denied_by(self, block: Permission) -> Match:
        matches = [block.match(operation) for operation in self.operations]
        return min(matches, key=list(Match).index, default=Match.ABSENT)

    def denial_condition(self, deny: DenyAssignment) -> Reach:
        return reach(deny.condition, self.operations)


_Asked = _Operation | _ExactRole


@dataclass(slots=True)
class _Open:
    """What could still add a grant, while one question is answered."""

    pieces: list[Unread] = field(default_factory=list)
    conditional: RoleAssignment | None = None
    misses: list[tuple[int, Miss]] = field(default_factory=list)


class _Search:
    """One principal at one scope: its holders (itself and its groups) and the chain of scopes, found once."""

    def __init__(
        self, model: AccessModel, principal: Principal, scope: Scope, at: datetime, others: dict[str, str]
    ) -> None:
        self.model = model
        self.principal = principal
        self.scope = scope
        self.at = at
        self.others = others
        self.chain: Chain = model.hierarchy.chain(scope)
        self.groups = model.membership.groups(principal)
        self.holders: tuple[tuple[str, str | None], ...] = (
            (principal.key, None),
            *((group, group) for group in self.groups),
        )

    def opening(self) -> Iterator[TraceStep]:
        """What is searched."""
        yield _step(
            "search",
            "assignments of {principal} at {scope} and {above} scopes above it",
            principal=self.principal.object_id,
            scope=str(self.scope),
            above=len(self.chain.keys) - 1,
        )
        if self.groups.items:
            yield _step("groups", "the principal is in {groups}", groups=", ".join(self.groups))

    def answer(self, asked: _Asked, trace: list[TraceStep]) -> Answer:
        """One question, by the order in the module's docstring."""
        denied, maybe_denied = self._denials(asked, trace)
        if denied is not None:
            return Denied(asked.asked, denied)
        grant, open_ = self._grants(asked, trace)
        if grant is not None:
            return self._under_denies(asked, grant, maybe_denied, trace)
        self._what_may_hide_a_grant(asked, open_, trace)
        if open_.pieces:
            pieces = tuple(dict.fromkeys((*open_.pieces, *maybe_denied)))
            return Undecided(asked.asked, pieces, self._misses(asked, open_), open_.conditional)
        trace.append(_step("missing", "nothing grants {asked}", asked=asked.asked))
        return Missing(asked.asked, self._misses(asked, open_))

    # Deny assignments

    def reaching_denies(self) -> Iterator[DenyAssignment]:
        """The deny assignments at the scope, above it, or somewhere that is not known."""
        model = self.model
        for key in self.chain.keys:
            yield from model.denies_by_scope.get(key, ())
        yield from model.denies_by_scope.get(None, ())
        if self.chain.unread is not None:
            for at, denies in model.denies_by_scope.items():
                if at is not None and self.chain.may_hold(at):
                    yield from denies

    def _denials(self, asked: _Asked, trace: list[TraceStep]) -> tuple[DenyAssignment | None, list[Unread]]:
        maybe: list[Unread] = []
        for deny in self.reaching_denies():
            applies = _and(_deny_reaches(self, deny), self.denies(deny, asked))
            if applies is True:
                trace.append(_step("deny", "deny assignment {deny} forbids {asked}", deny=deny.id, asked=asked.asked))
                return deny, []
            if isinstance(applies, Unread):
                trace.append(
                    _step("deny-open", "deny assignment {deny} may apply: {why}", deny=deny.id, why=applies.why)
                )
                maybe.append(applies)
        return None, maybe

    def denies(self, deny: DenyAssignment, asked: _Asked) -> bool | Unread:
        """Whether a deny assignment, its scope aside, applies to the principal and the question."""
        if not deny.enforced:
            return False
        match = min((asked.denied_by(block) for block in deny.blocks), key=list(Match).index, default=Match.ABSENT)
        if match in (Match.ABSENT, Match.SUBTRACTED):
            return False
        who = self._denied_principal(deny)
        if who is False:
            return False
        if match is not Match.GRANTED or not asked.denial_condition(deny).harmless:
            return Unread(deny.id, "its condition can hold or not", "read the condition", "deny-unread")
        return who

    def _denied_principal(self, deny: DenyAssignment) -> bool | Unread:
        holders = {holder for holder, _ in self.holders}
        if holders & {fold(excluded) for excluded in deny.excluded}:
            return False
        unread = self.groups.missing
        named = {fold(principal) for principal in deny.principals}
        meant = deny.everyone or bool(holders & named)
        if meant:
            # An excluded id may be a group that the principal is in.
            return unread if unread is not None and deny.excluded else True
        # A named id other than the principal's own may be such a group.
        return unread if unread is not None and named else False

    def _under_denies(
        self, asked: _Asked, grant: Granted, maybe_denied: list[Unread], trace: list[TraceStep]
    ) -> Answer:
        lacking = self.model.deny_coverage.lacking(self.chain, self.model.hierarchy)
        if maybe_denied:
            return Undecided(asked.asked, tuple(dict.fromkeys(maybe_denied)))
        if lacking is None:
            return grant
        expected = next((key for key in self.chain.keys if key in self.model.denies_expected), None)
        if expected is None:
            notes = (*grant.notes, "deny-unread")
            return Granted(
                grant.asked, grant.assignment, grant.definition, grant.block, grant.condition, grant.via_group, notes
            )
        trace.append(_step("deny-unread", "deny assignments exist on {scope} and were not read", scope=expected))
        return Undecided(
            asked.asked,
            (
                Unread(
                    lacking.what, f"deny assignments exist on {expected}, {lacking.why}", lacking.hint, "deny-unread"
                ),
            ),
        )

    # Grants

    def _grants(self, asked: _Asked, trace: list[TraceStep]) -> tuple[Granted | None, _Open]:
        open_ = _Open()
        found: list[Granted] = []
        for distance, key in enumerate(self.chain.keys):
            for holder, group in self.holders:
                for assignment in self.model.held_by(holder).get(key, ()):
                    grant = self._try(asked, assignment, group, distance, open_, trace)
                    if grant is not None:
                        found.append(grant)
        if not found:
            return None, open_
        # The first of the best: unconditional before conditional, lasting before ending, then nearest, then by id.
        best = min(found, key=self._preference)
        trace.append(
            _step(
                "granted",
                "{asked} is granted by {assignment}",
                asked=asked.asked,
                assignment=best.assignment.id,
            )
        )
        return best, open_

    @staticmethod
    def _preference(grant: Granted) -> tuple[bool, bool, float]:
        ends = grant.assignment.ends_at
        lasts = not isinstance(ends, datetime)
        return (
            grant.condition is not Reach.NONE,
            not lasts,
            -ends.timestamp() if isinstance(ends, datetime) else 0.0,
        )

    def _try(
        self,
        asked: _Asked,
        assignment: RoleAssignment,
        group: str | None,
        distance: int,
        open_: _Open,
        trace: list[TraceStep],
    ) -> Granted | None:
        """One assignment that reaches the scope: a grant, a miss, or something open."""
        definition = self.model.definition(assignment.role_guid)
        given = asked.given_by(assignment)
        stands = _stands(self.model, assignment, self.at)
        if stands in (MissKind.ELIGIBLE, MissKind.EXPIRED, MissKind.PRINCIPAL_GONE):
            # A role that is not in force grants nothing, whatever it holds; it is a near miss only if it would do.
            if isinstance(given, Verdict) and given.match is Match.GRANTED:
                open_.misses.append((distance, Miss(stands, assignment, definition, via_group=group)))
            trace.append(_tried(assignment, definition, f"is not in force ({stands})"))
            return None
        if isinstance(given, Unread):
            open_.pieces.append(given)
            trace.append(_tried(assignment, definition, f"is of a role that is not known ({given.why})"))
            return None
        if given.match in (Match.ABSENT, Match.SUBTRACTED):
            kind = MissKind.WRONG_ROLE if given.match is Match.ABSENT else MissKind.NOT_ACTION
            open_.misses.append((distance, Miss(kind, assignment, definition, via_group=group)))
            lacks = "lacks" if given.match is Match.ABSENT else "takes away by a notAction"
            trace.append(_tried(assignment, definition, f"{lacks} {asked.asked}"))
            return None
        doubt = self._doubt(asked, assignment, given, stands)
        if doubt is not None:
            if doubt.reason == "condition" and open_.conditional is None:
                open_.conditional = assignment
            open_.pieces.append(doubt)
            trace.append(_tried(assignment, definition, f"may grant {asked.asked}: {doubt.why}"))
            return None
        trace.append(_tried(assignment, definition, f"grants {asked.asked}"))
        condition = max((asked.condition(assignment), asked.block_condition(given.block)), key=list(Reach).index)
        return Granted(
            asked.asked, assignment, definition, given.block, condition, group, _notes(assignment, definition)
        )

    def _doubt(
        self, asked: _Asked, assignment: RoleAssignment, given: Verdict, stands: MissKind | Unread | None
    ) -> Unread | None:
        """What keeps an assignment whose role matches from being a certain grant."""
        if isinstance(stands, Unread):
            return stands
        if given.match is Match.DOUBTFUL:
            return Unread(
                asked.asked,
                "whether the role's pattern grants this operation is not documented",
                "assign a role that names the operation",
                "pattern-doubt",
            )
        if given.match is Match.CONDITIONAL or not asked.condition(assignment).harmless:
            return Unread(
                f"condition of {assignment.id}",
                "it can hinder the operation",
                "assign the role without a condition, or with one that names other actions",
                "condition",
            )
        if assignment.condition is None and not assignment.condition_read:
            return Unread(
                f"condition of {assignment.id}",
                "whether the assignment has one was not read",
                "let the scanner read role assignments from ARM",
                "condition-unread",
            )
        return None

    # What is not read

    def _what_may_hide_a_grant(self, asked: _Asked, open_: _Open, trace: list[TraceStep]) -> None:
        for piece in (*self._unread_groups(asked), *self._unread_hierarchy(asked), *self._unreadable(asked)):
            open_.pieces.append(piece)
        lacking = self.model.coverage.lacking(self.chain, self.model.hierarchy)
        if lacking is not None:
            open_.pieces.append(lacking)
        for piece in dict.fromkeys(open_.pieces):
            trace.append(_step("open", "could change it: {what}, {why}", what=piece.what, why=piece.why))

    def _could_grant(self, asked: _Asked, assignment: RoleAssignment) -> bool:
        """Whether the assignment would give what is asked, or may do so, if it were the principal's and reached."""
        if isinstance(_stands(self.model, assignment, self.at), MissKind):
            return False
        given = asked.given_by(assignment)
        return isinstance(given, Unread) or given.match not in (Match.ABSENT, Match.SUBTRACTED)

    def _unread_groups(self, asked: _Asked) -> Iterator[Unread]:
        """Groups that hold what is asked at a reaching scope, if it is not known whether the principal is in them."""
        missing = self.groups.missing
        if missing is None:
            return
        known = {holder for holder, _ in self.holders}
        scopes = self.model.groups_by_scope
        keys = list(self.chain.keys)
        if self.chain.unread is not None:
            keys += [key for key in scopes if self.chain.may_hold(key)]
        for key in keys:
            for assignments in scopes.get(key, {}).values():
                for assignment in assignments:
                    if assignment.holder not in known and self._could_grant(asked, assignment):
                        group = assignment.principal_id
                        what = f"members of group {group}, which holds a role at {key}"
                        yield Unread(what, missing.why, missing.hint, missing.reason)
                        break

    def _unread_hierarchy(self, asked: _Asked) -> Iterator[Unread]:
        """The principal's own assignments at management groups that may be above the scope."""
        if self.chain.unread is None:
            return
        for holder, _ in self.holders:
            for key, assignments in self.model.held_by(holder).items():
                if self.chain.may_hold(key) and any(self._could_grant(asked, one) for one in assignments):
                    yield self.chain.unread

    def _unreadable(self, asked: _Asked) -> Iterator[Unread]:
        """Assignments without a readable scope or principal that could be the principal's, here."""
        known = {holder for holder, _ in self.holders}
        for assignment in self.model.unreadable:
            theirs = assignment.holder is None or assignment.holder in known
            if not theirs and assignment.for_group and self.groups.missing is not None:
                theirs = True
            scope = assignment.scope
            here = isinstance(scope, Unread) or scope.key in self.chain.keys or self.chain.may_hold(scope.key)
            if theirs and here and self._could_grant(asked, assignment):
                yield Unread(
                    assignment.id,
                    "its scope or principal could not be read",
                    "collect role assignments again",
                    "assignment-unreadable",
                )

    # Nearest misses

    def _misses(self, asked: _Asked, open_: _Open) -> tuple[Miss, ...]:
        """What would do here first, then the other identities', then other scopes, then the rest."""
        found = [*open_.misses, *self._others(asked), *self._elsewhere(asked)]
        found.sort(key=lambda item: (_TELLING[item[1].kind], item[0]))
        return tuple(miss for _, miss in found[:_MOST_MISSES])

    def _others(self, asked: _Asked) -> Iterator[tuple[int, Miss]]:
        for whose, object_id in self.others.items():
            other = fold(object_id)
            if other == self.principal.key:
                continue
            held = self.model.held_by(other)
            for distance, key in enumerate(self.chain.keys):
                for assignment in held.get(key, ()):
                    if self._would_do(asked, assignment):
                        definition = self.model.definition(assignment.role_guid)
                        yield distance, Miss(MissKind.OTHER_PRINCIPAL, assignment, definition, whose)

    def _elsewhere(self, asked: _Asked) -> Iterator[tuple[int, Miss]]:
        """Assignments whose role would do, at scopes that do not reach; the most similar scope first."""
        keys = set(self.chain.keys)
        for holder, group in self.holders:
            for key, assignments in self.model.held_by(holder).items():
                if key in keys:
                    continue
                for assignment in assignments:
                    if self._would_do(asked, assignment):
                        definition = self.model.definition(assignment.role_guid)
                        miss = Miss(MissKind.NOT_REACHING, assignment, definition, via_group=group)
                        yield -_common_segments(key, self.scope.key), miss

    def _would_do(self, asked: _Asked, assignment: RoleAssignment) -> bool:
        given = asked.given_by(assignment)
        in_force = _stands(self.model, assignment, self.at) is None
        return in_force and isinstance(given, Verdict) and given.match is Match.GRANTED


_TELLING = {
    MissKind.ELIGIBLE: 0,
    MissKind.EXPIRED: 1,
    MissKind.PRINCIPAL_GONE: 2,
    MissKind.NOT_ACTION: 3,
    MissKind.OTHER_PRINCIPAL: 4,
    MissKind.NOT_REACHING: 5,
    MissKind.WRONG_ROLE: 6,
}


def _stands(model: AccessModel, assignment: RoleAssignment, at: datetime) -> MissKind | Unread | None:
    """None if the assignment is in force; else why not, or why that is not known."""
    if assignment.eligible:
        return MissKind.ELIGIBLE
    if assignment.gone or assignment.holder in model.gone:
        return MissKind.PRINCIPAL_GONE
    active = assignment.active(at)
    if isinstance(active, Unread):
        return Unread(active.what, active.why, active.hint, "end-unread")
    return None if active else MissKind.EXPIRED


def _deny_reaches(search: _Search, deny: DenyAssignment) -> bool | Unread:
    if isinstance(deny.scope, Unread):
        return Unread(deny.id, "its scope could not be read", deny.scope.hint, "deny-unread")
    if deny.scope.key == search.scope.key:
        return True
    if deny.not_to_children:
        return False
    return search.model.hierarchy.reaches(deny.scope, search.scope)


def _and(left: bool | Unread, right: bool | Unread) -> bool | Unread:
    if left is False or right is False:
        return False
    return left if isinstance(left, Unread) else right


def _common_segments(left: str, right: str) -> int:
    count = 0
    for one, other in zip(left.split("/"), right.split("/"), strict=False):
        if one != other:
            break
        count += 1
    return count


def _notes(assignment: RoleAssignment, definition: RoleDefinition | Unread) -> tuple[str, ...]:
    notes = []
    if isinstance(definition, RoleDefinition) and definition.from_table:
        notes.append("shipped-definition")
    if assignment.delegated_managed_identity:
        notes.append("delegated")
    return tuple(notes)


def _tried(assignment: RoleAssignment, definition: RoleDefinition | Unread, what: str) -> TraceStep:
    role = definition.name if isinstance(definition, RoleDefinition) else str(assignment.role_guid)
    return _step(
        "assignment",
        "{role} at {scope} ({assignment}) {what}",
        role=role,
        scope=str(assignment.scope) if not isinstance(assignment.scope, Unread) else "an unreadable scope",
        assignment=assignment.id,
        what=what,
    )


def _step(kind: str, text: str, **facts: object) -> TraceStep:
    return TraceStep(kind, text, dict(facts))
