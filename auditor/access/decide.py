"""May this principal do this here? Azure's evaluation order, with what was not read kept apart (requirements 8).

1. A deny assignment that certainly applies decides.
2. Else the best certain grant: an active assignment of the principal, or of a group that it is known to be in, at the
   scope or above, whose role grants the operation unconditionally. What is not read does not matter then, unless it is
   a deny assignment that may apply, or that is known to exist.
3. Else everything that could still add a grant is collected: if there is any, the answer is undecided.
4. Else it is missing, and the nearest misses are named.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from auditor.access.asking import Asked, AskedOperation, AskedRole
from auditor.access.assignments import DenyAssignment, Principal, RoleAssignment
from auditor.access.conditions import Reach
from auditor.access.decision import AccessDecision, Answer, Denied, Granted, Miss, Missing, MissKind, Undecided
from auditor.access.denials import applies, expected_but_unread, reaching_denies
from auditor.access.model import AccessModel
from auditor.access.nearest import Distanced, nearest_misses
from auditor.access.roles import Match, RoleDefinition, Verdict
from auditor.access.scopes import Scope
from auditor.access.search import Search
from auditor.values import TraceStep, Unread

_MOST_GROUPS_NAMED = 5


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

    `data` asks for data actions. `at` (aware) is the time the question is about: the run's start. `others` names other
    principals by object id (`{"the kubelet identity": "…"}`), so that a lack can say "granted to that one instead".
    """
    names = (operations,) if isinstance(operations, str) else tuple(operations)
    asked = tuple(AskedOperation(model, name, data) for name in names)
    return _decide(model, principal, asked, scope, at, others)


def grants_role(
    model: AccessModel,
    principal: Principal | Unread,
    guid: str,
    scope: Scope,
    *,
    at: datetime,
    operations: Sequence[str] = (),
    below: bool = False,
    others: Mapping[str, str] | None = None,
) -> AccessDecision:
    """Whether the principal holds exactly this role at the scope or above: the letter, by GUID.

    `operations` are those that matter: a condition that cannot hinder them leaves the grant certain (its `condition`
    is then `irrelevant`), and a deny assignment that covers one of them denies; with `below` they happen below the
    scope, where a deny assignment that is not handed down does not reach. The role's definition need not be read.
    """
    asked = AskedRole(model, guid.casefold(), tuple(operations), below)
    return _decide(model, principal, (asked,), scope, at, others)


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


def _decide(
    model: AccessModel,
    principal: Principal | Unread,
    questions: tuple[Asked, ...],
    scope: Scope,
    at: datetime,
    others: Mapping[str, str] | None,
) -> AccessDecision:
    if isinstance(principal, Unread):
        unresolved = tuple(Undecided(asked.asked, (principal,)) for asked in questions)
        step = TraceStep("principal", "the principal is not known: {why}", {"why": principal.why})
        return AccessDecision(principal, scope, unresolved, (step,))
    search = Search.of(model, principal, scope, at, others)
    trace = list(search.opening())
    answers = tuple(_answer(search, asked, trace.append) for asked in questions)
    return AccessDecision(principal, scope, answers, tuple(trace))


Tell = Callable[[TraceStep], None]


@dataclass(slots=True)
class _Open:
    """What was found on the way to a grant: pieces that could still add one, and near misses."""

    pieces: list[Unread] = field(default_factory=list)
    conditional: RoleAssignment | None = None
    misses: list[Distanced] = field(default_factory=list)


def _answer(search: Search, asked: Asked, tell: Tell) -> Answer:
    """One question, by the order in the module's docstring."""
    denied, maybe_denied = _denials(search, asked, tell)
    if denied is not None:
        return Denied(asked.asked, denied)
    grant, open_ = _grants(search, asked, tell)
    if grant is not None:
        return _under_denies(search, asked, grant, maybe_denied, tell)
    open_.pieces.extend(_hiding_a_grant(search, asked))
    misses = nearest_misses(search, asked, open_.misses)
    for miss in misses:
        tell(miss.told)
    if not open_.pieces:
        tell(TraceStep("missing", "nothing grants {asked}", {"asked": asked.asked}))
        return Missing(asked.asked, misses)
    pieces = tuple(dict.fromkeys(open_.pieces))
    for piece in pieces:
        tell(TraceStep("open", "{what} could change it: {why}", {"what": piece.what, "why": piece.why}))
    return Undecided(asked.asked, pieces, misses, open_.conditional)


def _denials(search: Search, asked: Asked, tell: Tell) -> tuple[DenyAssignment | None, list[Unread]]:
    """A deny assignment that certainly applies, else why others may."""
    maybe: list[Unread] = []
    for deny in reaching_denies(search):
        found = applies(search, deny, asked)
        facts = {"deny": deny.id, "asked": asked.asked}
        if found is True:
            tell(TraceStep("deny", "deny assignment {deny} forbids {asked}", facts))
            return deny, []
        if isinstance(found, Unread):
            facts["why"] = found.why
            tell(TraceStep("deny-open", "deny assignment {deny} may forbid {asked}: {why}", facts))
            maybe.append(Unread(f"deny assignment {deny.id}", found.why, found.hint, found.reason))
    return None, maybe


def _under_denies(search: Search, asked: Asked, grant: Granted, maybe_denied: list[Unread], tell: Tell) -> Answer:
    """A grant, unless a deny assignment may apply to it."""
    if maybe_denied:
        return Undecided(asked.asked, tuple(dict.fromkeys(maybe_denied)))
    expected = expected_but_unread(search)
    if expected is not None:
        tell(TraceStep("deny-unread", "{what}: {why}", {"what": expected.what, "why": expected.why}))
        return Undecided(asked.asked, (expected,))
    if search.model.deny_coverage.lacking(search.chain) is not None:
        return dataclasses.replace(grant, notes=(*grant.notes, "deny-unread"))
    return grant


def _grants(search: Search, asked: Asked, tell: Tell) -> tuple[Granted | None, _Open]:
    """The best certain grant, and what else was found."""
    open_ = _Open()
    found = []
    for distance, group, assignment in search.reaching():
        grant = _try(search, asked, assignment, group, distance, open_, tell)
        if grant is not None:
            found.append(grant)
    # The first of the best: unconditional before conditional, lasting before ending, then nearest, then by id.
    return min(found, key=_preference, default=None), open_


def _preference(grant: Granted) -> tuple[bool, float]:
    ends = grant.assignment.ends_at
    lasting = ends.timestamp() if isinstance(ends, datetime) else float("inf")
    return grant.condition is not Reach.NONE, -lasting


def _try(
    search: Search,
    asked: Asked,
    assignment: RoleAssignment,
    group: str | None,
    distance: int,
    open_: _Open,
    tell: Tell,
) -> Granted | None:
    """One assignment that reaches the scope: a grant, a miss, or something open."""
    definition = search.model.definition(assignment.role_guid)
    given = asked.given_by(assignment)
    standing = search.standing(assignment)
    if isinstance(standing, MissKind):
        # It grants nothing, whatever its role holds; it is a near miss only if the role would do.
        if isinstance(given, Verdict) and given.match is Match.GRANTED:
            open_.misses.append((distance, Miss(standing, (asked.asked,), assignment, definition, None, group)))
        return None
    if isinstance(given, Unread):
        open_.pieces.append(given)
        return None
    if given.match in (Match.ABSENT, Match.SUBTRACTED):
        kind = MissKind.WRONG_ROLE if given.match is Match.ABSENT else MissKind.NOT_ACTION
        open_.misses.append((distance, Miss(kind, (asked.asked,), assignment, definition, None, group)))
        return None
    doubt = _doubt(asked, assignment, given, standing)
    if doubt is not None:
        if doubt.reason == "condition" and open_.conditional is None:
            open_.conditional = assignment
        open_.pieces.append(doubt)
        return None
    condition = asked.condition(assignment, given.block)
    notes = tuple(_notes(assignment, definition))
    grant = Granted(asked.asked, assignment, definition, given.block, condition, group, notes)
    tell(grant.told)
    return grant


def _doubt(asked: Asked, assignment: RoleAssignment, given: Verdict, standing: Unread | None) -> Unread | None:
    """What keeps an assignment whose role matches from being a certain grant."""
    if standing is not None:
        return standing
    if given.match is Match.DOUBTFUL:
        return Unread(
            asked.asked,
            "whether the role's pattern grants this operation is not documented",
            "assign a role that names the operation",
            "pattern-doubt",
        )
    if not asked.condition(assignment, given.block).harmless:
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


def _notes(assignment: RoleAssignment, definition: RoleDefinition | Unread) -> Iterator[str]:
    if isinstance(definition, RoleDefinition) and definition.from_table:
        yield "shipped-definition"
    if assignment.delegated_managed_identity:
        yield "delegated"


def _hiding_a_grant(search: Search, asked: Asked) -> Iterator[Unread]:
    """Everything that was not read and could add a grant."""
    yield from _unread_groups(search, asked)
    yield from _unread_hierarchy(search, asked)
    yield from _unreadable(search, asked)
    lacking = search.model.coverage.lacking(search.chain)
    if lacking is not None and search.principal.key not in search.model.gone:
        yield lacking


def _unread_groups(search: Search, asked: Asked) -> Iterator[Unread]:
    """The groups that hold what is asked at a reaching scope, if it is not known whether the principal is in them."""
    missing = search.groups.missing
    if missing is None:
        return
    scopes = search.model.groups_by_scope
    maybe_above = (key for key in search.model.group_places_above if search.chain.may_hold(key))
    known = search.holder_ids
    groups = {
        str(assignment.principal_id): None
        for key in (*search.chain.keys, *maybe_above)
        for assignments in scopes.get(key, {}).values()
        if _role_could_do(asked, assignments[0])
        for assignment in assignments
        if assignment.holder not in known and search.could_do(asked, assignment)
    }
    if groups:
        named = ", ".join(list(groups)[:_MOST_GROUPS_NAMED])
        more = len(groups) - _MOST_GROUPS_NAMED
        what = f"members of group {named}" + (f" and {more} more" if more > 0 else "")
        yield Unread(what, f"it holds a role that would do, and {missing.why}", missing.hint, missing.reason)


def _role_could_do(asked: Asked, assignment: RoleAssignment) -> bool:
    """Whether the assignment's role, all else aside, may give what is asked: asked once for all of one role."""
    given = asked.given_by(assignment)
    return isinstance(given, Unread) or given.match not in (Match.ABSENT, Match.SUBTRACTED)


def _unread_hierarchy(search: Search, asked: Asked) -> Iterator[Unread]:
    """The principal's own assignments at management groups that may be above the scope."""
    unread = search.chain.unread
    if unread is None:
        return
    for holder, _ in search.holders:
        for key, assignments in search.model.held_by(holder).items():
            if search.chain.may_hold(key) and any(search.could_do(asked, one) for one in assignments):
                yield unread


def _unreadable(search: Search, asked: Asked) -> Iterator[Unread]:
    """Assignments without a readable scope or principal that could be the principal's, here."""
    known = search.holder_ids
    for assignment in search.model.unreadable:
        by_group = assignment.for_group and search.groups.missing is not None
        theirs = assignment.holder is None or assignment.holder in known or by_group
        place = assignment.scope
        here = isinstance(place, Unread) or place.key in search.chain.keys or search.chain.may_hold(place.key)
        if theirs and here and search.could_do(asked, assignment):
            yield Unread(
                assignment.id,
                "its scope or principal could not be read",
                "collect role assignments again",
                "assignment-unreadable",
            )
