"""Questions about everything that a principal holds: the listing, what is too broad, what is about to end."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from auditor.access.assignments import Principal, RoleAssignment
from auditor.access.model import AccessModel
from auditor.access.needed import ROLE_ASSIGNMENT_WRITE
from auditor.access.patterns import may_reach
from auditor.access.roles import CONTRIBUTOR, OWNER, Match, RoleDefinition
from auditor.access.scopes import ROOT, Scope, is_management_group
from auditor.values import Listing, Unread

_DATA_PROVIDERS = ("Microsoft.KeyVault", "Microsoft.Storage")


class State(enum.StrEnum):
    """Whether an assignment is in force."""

    ACTIVE = "active"
    ELIGIBLE = "eligible"
    EXPIRED = "expired"
    UNKNOWN = "unknown"
    """When it ends could not be read."""


@dataclass(frozen=True, slots=True)
class Held:
    """One role that the principal holds, directly or by the group `via_group` (folded object id)."""

    assignment: RoleAssignment
    definition: RoleDefinition | Unread
    state: State
    via_group: str | None = None

    @property
    def role(self) -> str:
        """The role's name, or its GUID where the definition was not read."""
        if isinstance(self.definition, RoleDefinition):
            return self.definition.name
        return self.assignment.role_guid or "unreadable role"


def held(model: AccessModel, principal: Principal | Unread, *, at: datetime) -> Listing[Held]:
    """Every role that the principal holds anywhere that was read, one a role, scope and condition, sorted by scope.

    Whole only if its groups are known and the whole tenant was read, eligible assignments too: use `decide` to prove a
    lack at a scope.
    """
    if isinstance(principal, Unread):
        return Listing((), principal)
    groups = model.membership.groups(principal)
    found: dict[tuple[object, ...], Held] = {}
    for holder, group in ((principal.key, None), *((group, group) for group in groups)):
        for scope, assignments in sorted(model.held_by(holder).items()):
            for assignment in assignments:
                if assignment.gone or assignment.holder in model.gone:
                    continue
                one = Held(assignment, model.definition(assignment.role_guid), _state(assignment, at), group)
                key = (scope, assignment.role_guid, assignment.condition, one.state, group, str(assignment.ends_at))
                found.setdefault(key, one)
    items = sorted(found.values(), key=lambda one: (str(one.assignment.scope).casefold(), one.role, one.assignment.id))
    whole = ROOT in model.coverage.downwards
    missing = groups.missing or (None if whole else model.coverage.why) or model.eligible_missing
    return Listing(tuple(items), missing)


def _state(assignment: RoleAssignment, at: datetime) -> State:
    if assignment.eligible:
        return State.ELIGIBLE
    active = assignment.active(at)
    if isinstance(active, Unread):
        return State.UNKNOWN
    return State.ACTIVE if active else State.EXPIRED


class Breadth(enum.StrEnum):
    """Why a role is broader than a cluster's identity needs."""

    OWNER = "owner"
    ROLE_ASSIGNMENT_WRITE = "role-assignment-write"
    """It may give roles to anybody, itself included: User Access Administrator and its like."""
    CONTRIBUTOR_AT_MANAGEMENT_GROUP = "contributor-at-management-group"
    DATA_ROLE_AT_SUBSCRIPTION = "data-role-at-subscription"
    """Key Vault or Storage data in a whole subscription or more."""


@dataclass(frozen=True, slots=True)
class Overbroad:
    """A role that is too broad, and why. A condition may narrow it: see `held.assignment.condition`."""

    held: Held
    breadth: Breadth


def overbroad(
    model: AccessModel, principal: Principal | Unread, *, within: Sequence[Scope], at: datetime
) -> Listing[Overbroad]:
    """The too broad roles that the principal actively holds at subscriptions and above.

    `within` are the subscriptions in which absence is to be proved: the listing is whole only if assignments at and
    above each of them were read, every role found there is known, and no unread group membership could add one.
    """
    if isinstance(principal, Unread):
        return Listing((), principal)
    found = []
    for one in held(model, principal, at=at):
        breadth = _breadth(one.assignment, one.definition) if one.state is State.ACTIVE else None
        if breadth is not None:
            found.append(Overbroad(one, breadth))
    missing = next(_open(model, principal, within, at), None)
    return Listing(tuple(found), missing)


def unproved(model: AccessModel, within: Iterable[Scope]) -> Unread | None:
    """Why the absence of an assignment at and above these scopes is not proved, whoever it is asked of; None if it is.

    Where many principals are asked about the same scopes, this is worked out once and `overbroad` asked without them.
    """
    return next(
        (missing for scope in within if (missing := model.coverage.lacking(model.hierarchy.chain(scope)))), None
    )


def _open(model: AccessModel, principal: Principal, within: Sequence[Scope], at: datetime) -> Iterator[Unread]:
    """What could hide a too broad role."""
    for one in held(model, principal, at=at):
        broad_place = isinstance(one.assignment.scope, Unread) or _subscription_or_above(one.assignment.scope.key)
        if isinstance(one.definition, Unread) and broad_place and one.state in (State.ACTIVE, State.UNKNOWN):
            yield one.definition
        elif isinstance(one.assignment.ends_at, Unread) and _breadth(one.assignment, one.definition) is not None:
            yield one.assignment.ends_at
    lacking = unproved(model, within)
    if lacking is not None:
        yield lacking
    for assignment in model.unreadable:
        if assignment.holder in (None, principal.key) and not assignment.eligible:
            yield Unread(
                assignment.id,
                "its scope or principal could not be read",
                "collect role assignments again",
                "assignment-unreadable",
            )
    yield from _unread_groups(model, principal, at)


def _unread_groups(model: AccessModel, principal: Principal, at: datetime) -> Iterator[Unread]:
    groups = model.membership.groups(principal)
    if groups.missing is None:
        return
    for key, roles in model.groups_by_scope.items():
        if not _subscription_or_above(key):
            continue
        for assignments in roles.values():
            for assignment in assignments:
                definition = model.definition(assignment.role_guid)
                inside = assignment.holder == principal.key or assignment.holder in groups.items
                relevant = isinstance(definition, Unread) or _breadth(assignment, definition) is not None
                if not inside and relevant and assignment.active(at) is not False:
                    yield groups.missing


def _breadth(assignment: RoleAssignment, definition: RoleDefinition | Unread) -> Breadth | None:
    if isinstance(assignment.scope, Unread) or not _subscription_or_above(assignment.scope.key):
        return None
    if assignment.role_guid == OWNER:
        return Breadth.OWNER
    above = assignment.scope.key == ROOT or is_management_group(assignment.scope.key)
    if assignment.role_guid == CONTRIBUTOR and above:
        return Breadth.CONTRIBUTOR_AT_MANAGEMENT_GROUP
    if isinstance(definition, Unread):
        return None
    if definition.answer(ROLE_ASSIGNMENT_WRITE).match in (Match.GRANTED, Match.CONDITIONAL):
        return Breadth.ROLE_ASSIGNMENT_WRITE
    if above and any("*" in block.actions for block in definition.blocks):
        return Breadth.CONTRIBUTOR_AT_MANAGEMENT_GROUP
    patterns = [pattern for block in definition.blocks for pattern in block.data_actions]
    if any(may_reach(pattern, provider) for pattern in patterns for provider in _DATA_PROVIDERS):
        return Breadth.DATA_ROLE_AT_SUBSCRIPTION
    return None


def _subscription_or_above(key: str) -> bool:
    return key == ROOT or is_management_group(key) or (key.startswith("/subscriptions/") and key.count("/") == 2)


def expiring(model: AccessModel, principal: Principal | Unread, *, at: datetime, days: int = 14) -> Listing[Held]:
    """The roles in force that end within so many days of `at`, soonest first."""
    all_held = held(model, principal, at=at)
    last = at + timedelta(days=days)
    ending = [
        (one.assignment.ends_at, index, one)
        for index, one in enumerate(all_held)
        if one.state is State.ACTIVE and isinstance(one.assignment.ends_at, datetime) and one.assignment.ends_at <= last
    ]
    return Listing(tuple(one for _, _, one in sorted(ending, key=lambda item: item[:2])), all_held.missing)
