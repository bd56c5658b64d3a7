"""What can be asked of an assignment: an operation, or a role by its GUID."""

from __future__ import annotations

from dataclasses import dataclass

from auditor.access.assignments import DenyAssignment, RoleAssignment
from auditor.access.conditions import Reach, reach
from auditor.access.model import AccessModel
from auditor.access.roles import Match, Permission, Verdict
from auditor.values import Unread

_WORST_LAST = list(Reach)
_BEST_FIRST = list(Match)


@dataclass(frozen=True, slots=True)
class AskedOperation:
    """May this operation be done? `data` says that it is a data action."""

    model: AccessModel
    operation: str
    data: bool

    @property
    def asked(self) -> str:
        """The operation, as the answer names it."""
        return self.operation

    def given_by(self, assignment: RoleAssignment) -> Verdict | Unread:
        """Whether the assignment's role grants it, all else aside."""
        definition = self.model.definition(assignment.role_guid)
        if isinstance(definition, Unread):
            return definition
        return self.model.answer(definition, self.operation, data=self.data)

    def condition(self, assignment: RoleAssignment, block: Permission | None) -> Reach:
        """The worse of the assignment's condition and the one inside its role."""
        inside = Reach.NONE if block is None else block.condition_reach(self.operation)
        return max(inside, reach(assignment.condition, (self.operation,)), key=_WORST_LAST.index)

    def denied_by(self, deny: DenyAssignment) -> Match:
        """Whether one of the deny assignment's blocks covers it; in doubt where they were not read."""
        if isinstance(deny.blocks, Unread):
            return Match.DOUBTFUL
        found = [block.match(self.operation, data=self.data) for block in deny.blocks]
        return min(found, key=_BEST_FIRST.index, default=Match.ABSENT)

    def denial_condition(self, deny: DenyAssignment) -> Reach:
        """What the deny assignment's condition means for it."""
        return reach(deny.condition, (self.operation,))


@dataclass(frozen=True, slots=True)
class AskedRole:
    """Is exactly this role held? `operations` are those for whose sake: conditions and denials are judged by them.

    `below` says that they happen below the scope asked about: a denial that is not handed down does not touch them.
    """

    model: AccessModel
    guid: str
    operations: tuple[str, ...]
    below: bool = False

    @property
    def asked(self) -> str:
        """The role's GUID, as the answer names it."""
        return self.guid

    def given_by(self, assignment: RoleAssignment) -> Verdict | Unread:
        """Whether the assignment is of this role; its definition need not be read."""
        guid = assignment.role_guid
        if guid is None:
            return Unread(
                assignment.id,
                "its role could not be read",
                "collect role assignments again",
                "role-definition-unread",
            )
        return Verdict(Match.GRANTED if guid == self.guid else Match.ABSENT, None)

    def condition(self, assignment: RoleAssignment, block: Permission | None) -> Reach:
        """What the assignment's condition means for the operations."""
        return reach(assignment.condition, self.operations)

    def denied_by(self, deny: DenyAssignment) -> Match:
        """Whether one of its blocks covers one of the operations; in doubt where they were not read."""
        if self.below and deny.not_to_children:
            return Match.ABSENT
        if isinstance(deny.blocks, Unread):
            return Match.DOUBTFUL
        found = [block.match(operation) for operation in self.operations for block in deny.blocks]
        return min(found, key=_BEST_FIRST.index, default=Match.ABSENT)

    def denial_condition(self, deny: DenyAssignment) -> Reach:
        """What the deny assignment's condition means for the operations."""
        return reach(deny.condition, self.operations)


Asked = AskedOperation | AskedRole
