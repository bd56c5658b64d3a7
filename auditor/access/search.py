"""Where a question is answered: one principal with its groups, one scope with what lies above it, one time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from auditor.access.asking import Asked
from auditor.access.assignments import Principal, RoleAssignment
from auditor.access.decision import MissKind
from auditor.access.model import AccessModel
from auditor.access.roles import Match, Verdict
from auditor.access.scopes import Chain, Scope
from auditor.values import Listing, TraceStep, Unread


@dataclass(frozen=True, slots=True)
class Search:
    """The principal's holders (itself and its groups) and the chain of scopes, found once for several questions.

    `holders` pairs a folded object id with the group it stands for, None for the principal itself.
    """

    model: AccessModel
    principal: Principal
    scope: Scope
    at: datetime
    others: Mapping[str, str]
    chain: Chain
    groups: Listing[str]
    holders: tuple[tuple[str, str | None], ...]

    @classmethod
    def of(
        cls,
        model: AccessModel,
        principal: Principal,
        scope: Scope,
        at: datetime,
        others: Mapping[str, str] | None = None,
    ) -> Search:
        """Looks up what lies above the scope and which groups the principal is in."""
        groups = model.membership.groups(principal)
        holders = ((principal.key, None), *((group, group) for group in groups))
        return cls(model, principal, scope, at, others or {}, model.hierarchy.chain(scope), groups, holders)

    @property
    def holder_ids(self) -> frozenset[str]:
        """The folded object ids of the principal and its groups."""
        return frozenset(holder for holder, _ in self.holders)

    def opening(self) -> Iterator[TraceStep]:
        """What is searched, as the first steps of a trace."""
        yield TraceStep(
            "search",
            "assignments of {principal} at {scope} and at the {above} scopes above it",
            {
                "principal": self.principal.object_id,
                "scope": str(self.scope),
                "above": len(self.chain.keys) - 1,
            },
        )
        if self.groups.items:
            yield TraceStep("groups", "the principal is in {groups}", {"groups": ", ".join(self.groups)})

    def reaching(self) -> Iterator[tuple[int, str | None, RoleAssignment]]:
        """Distance, group and assignment of what the principal holds at the scope and above, nearest first."""
        for distance, key in enumerate(self.chain.keys):
            for holder, group in self.holders:
                for assignment in self.model.held_by(holder).get(key, ()):
                    yield distance, group, assignment

    def standing(self, assignment: RoleAssignment) -> MissKind | Unread | None:
        """None if the assignment is in force; else why not, or why that is not known."""
        if assignment.eligible:
            return MissKind.ELIGIBLE
        gone = self.model.gone
        if assignment.gone or assignment.holder in gone or self.principal.key in gone:
            return MissKind.PRINCIPAL_GONE
        active = assignment.active(self.at)
        if isinstance(active, Unread):
            return Unread(active.what, active.why, active.hint, "end-unread")
        return None if active else MissKind.EXPIRED

    def would_do(self, asked: Asked, assignment: RoleAssignment) -> bool:
        """Whether the assignment would certainly give what is asked if it were the principal's and reached."""
        given = asked.given_by(assignment)
        granted = isinstance(given, Verdict) and given.match is Match.GRANTED
        return granted and self.standing(assignment) is None

    def could_do(self, asked: Asked, assignment: RoleAssignment) -> bool:
        """Whether the assignment may give what is asked if it were the principal's and reached."""
        if isinstance(self.standing(assignment), MissKind):
            return False
        given = asked.given_by(assignment)
        return isinstance(given, Unread) or given.match not in (Match.ABSENT, Match.SUBTRACTED)
