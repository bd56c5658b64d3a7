"""Everything that was read about rights, indexed once for many questions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from auditor.access.assignments import MEMBERSHIP_UNREAD, DenyAssignment, Membership, RoleAssignment
from auditor.access.roles import RoleDefinition, Verdict, builtin_roles
from auditor.access.scopes import NO_HIERARCHY, ROOT, Chain, Hierarchy, Scope, is_management_group
from auditor.values import Unread, fold

K = TypeVar("K", str, str | None)

_ASSIGNMENTS_UNREAD = Unread(
    "role assignments",
    "they were not read at the scope and everything above it",
    "grant the scanner Reader there",
    "assignments-unread",
)
_CACHED_ANSWERS = 1_048_576


@dataclass(frozen=True, slots=True)
class Coverage:
    """For which scopes rows were provably all read (requirements 0.1.4). Ids are folded.

    `upwards`: at these scopes and everything above (ARM's `atScope()` answered 200 there).
    `downwards`: at these scopes and everything below (listed by a caller with `Microsoft.Authorization/*/read` there).
    `holes`: scopes whose reading failed although the rest was read; they win over the other two, at and below them.
    `why` is what to say about every other scope.
    """

    upwards: frozenset[str] = frozenset()
    downwards: frozenset[str] = frozenset()
    why: Unread = _ASSIGNMENTS_UNREAD
    holes: Mapping[str, Unread] = field(default_factory=dict)
    _read_above: frozenset[str] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Notes in which subscriptions something was read upwards: that covers what lies above each of them."""
        found = frozenset(key for key in map(_subscription_of, self.upwards) if key is not None)
        object.__setattr__(self, "_read_above", found)

    @classmethod
    def of(
        cls,
        *,
        upwards: Iterable[Scope | str] = (),
        downwards: Iterable[Scope | str] = (),
        why: Unread = _ASSIGNMENTS_UNREAD,
        holes: Mapping[str, Unread] | None = None,
    ) -> Coverage:
        """Takes scopes in any spelling."""
        return cls(
            frozenset(fold(str(scope)) for scope in upwards),
            frozenset(fold(str(scope)) for scope in downwards),
            why,
            {fold(scope): unread for scope, unread in (holes or {}).items()},
        )

    def lacking(self, chain: Chain) -> Unread | None:
        """None if every scope of the chain was read; else what was not, the nearest one named."""
        # A hole whose place is no scope (`tenant`, an empty text) could be anywhere.
        hole = next(
            (key for key in self.holes if key in chain.keys or chain.may_hold(key) or not key.startswith(ROOT)), None
        )
        if hole is not None:
            return self.holes[hole]
        if ROOT in self.downwards:
            return None
        covered = self._covered(chain)
        for key in chain.keys:
            if key not in covered:
                return Unread(f"{self.why.what} at {key}", self.why.why, self.why.hint, self.why.reason)
        if chain.unread is not None and not self._above_subscription(chain):
            # Assignments of management groups that are not known were not listed either.
            return Unread(f"{self.why.what} at management groups", chain.unread.why, chain.unread.hint, self.why.reason)
        return None

    def _covered(self, chain: Chain) -> frozenset[str]:
        """The scopes of the chain that were read."""
        found: set[str] = set()
        for index, key in enumerate(chain.keys):
            if key in self.downwards:
                # Everything below this scope lies before it in the chain.
                found.update(chain.keys[: index + 1])
            if key in self.upwards:
                found.update(chain.keys[index:])
        first_above = next(
            (index for index, key in enumerate(chain.keys) if key == ROOT or is_management_group(key)), None
        )
        if first_above is not None and self._above_subscription(chain):
            found.update(chain.keys[first_above:])
        return frozenset(found)

    def _above_subscription(self, chain: Chain) -> bool:
        """Whether a reading from inside the same subscription covers everything above it."""
        return _subscription_of(chain.keys[0]) in self._read_above


def _subscription_of(key: str) -> str | None:
    """`/subscriptions/S` of a folded id in one."""
    parts = key.split("/", 3)
    return "/".join(parts[:3]) if len(parts) >= 3 and parts[1] == "subscriptions" else None


ALL_READ = Coverage(downwards=frozenset({ROOT}))
"""Everything in the tenant was read."""
NOTHING_READ = Coverage()
"""No absence proves anything."""

_DENIES_UNREAD = Unread(
    "deny assignments",
    "they were not read at the scope and everything above it",
    "grant the scanner Microsoft.Authorization/denyAssignments/read",
    "deny-unread",
)

ByScope = Mapping[str, tuple[RoleAssignment, ...]]


@dataclass(frozen=True, slots=True)
class AccessModel:
    """The immutable index that the questions of this package are asked of; made by `AccessModel.of`.

    `group_places_above` are the management groups at which some group holds a role.
    `unreadable` are assignments without a readable scope or principal: they could be anybody's, anywhere.
    `denies_expected` are scopes on which deny assignments are known to exist (managed application, deployment stack).
    """

    by_principal: Mapping[str, ByScope]
    groups_by_scope: Mapping[str, Mapping[str | None, tuple[RoleAssignment, ...]]]
    group_places_above: tuple[str, ...]
    unreadable: tuple[RoleAssignment, ...]
    definitions: Mapping[str, RoleDefinition | Unread]
    definitions_missing: Unread | None
    denies: tuple[DenyAssignment, ...]
    denies_by_scope: Mapping[str | None, tuple[DenyAssignment, ...]]
    denies_expected: frozenset[str]
    membership: Membership
    hierarchy: Hierarchy
    coverage: Coverage
    deny_coverage: Coverage
    eligible_missing: Unread | None
    gone: frozenset[str]
    _answers: dict[tuple[str, str, bool], Verdict] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def of(
        cls,
        *,
        assignments: Iterable[RoleAssignment] = (),
        definitions: Iterable[RoleDefinition] = (),
        definitions_missing: Unread | None = None,
        broken_definitions: Mapping[str, Unread] | None = None,
        denies: Iterable[DenyAssignment] = (),
        denies_expected: Iterable[Scope | str] = (),
        membership: Membership = MEMBERSHIP_UNREAD,
        hierarchy: Hierarchy = NO_HIERARCHY,
        coverage: Coverage = NOTHING_READ,
        deny_coverage: Coverage | None = None,
        eligible_missing: Unread | None = None,
        gone: Iterable[str] = (),
        table: Mapping[str, RoleDefinition] | None = None,
    ) -> AccessModel:
        """Indexes what was read. The defaults are the careful ones: what is not given was not read.

        `definitions_missing` says that custom roles may exist that were not listed. `broken_definitions` are rows, by
        GUID, whose permissions could not be read: such a role is neither empty nor what another row of it says.

        `gone`: object ids that the directory does not know any more. `table`: built-in roles for definitions that were
        not read, by default the shipped ones. Two rows of one role that differ count as one that was not read.
        """
        held: dict[str, dict[str, list[RoleAssignment]]] = {}
        groups: dict[str, dict[str | None, list[RoleAssignment]]] = {}
        unreadable = []
        for assignment in assignments:
            holder, scope = assignment.holder, assignment.scope
            if holder is None or isinstance(scope, Unread):
                unreadable.append(assignment)
                continue
            held.setdefault(holder, {}).setdefault(scope.key, []).append(assignment)
            if assignment.for_group:
                groups.setdefault(scope.key, {}).setdefault(assignment.role_guid, []).append(assignment)
        denies = tuple(denies)
        by_scope: dict[str | None, list[DenyAssignment]] = {}
        for deny in denies:
            key = None if isinstance(deny.scope, Unread) else deny.scope.key
            by_scope.setdefault(key, []).append(deny)
        return cls(
            by_principal={holder: _frozen(scopes) for holder, scopes in held.items()},
            groups_by_scope={scope: _frozen(roles) for scope, roles in groups.items()},
            group_places_above=tuple(sorted(key for key in groups if is_management_group(key))),
            unreadable=tuple(sorted(unreadable, key=_by_id)),
            definitions=_definitions(
                builtin_roles() if table is None else table, definitions, broken_definitions or {}
            ),
            definitions_missing=definitions_missing,
            denies=denies,
            denies_by_scope={key: tuple(found) for key, found in by_scope.items()},
            denies_expected=frozenset(fold(str(scope)) for scope in denies_expected),
            membership=membership,
            hierarchy=hierarchy,
            coverage=coverage,
            deny_coverage=Coverage(why=_DENIES_UNREAD) if deny_coverage is None else deny_coverage,
            eligible_missing=eligible_missing,
            gone=frozenset(fold(principal) for principal in gone),
        )

    def definition(self, guid: str | None) -> RoleDefinition | Unread:
        """The role of that GUID: the estate's own row, else the shipped table's, else unread."""
        if guid is None:
            return _definition_unread("role of an unreadable assignment")
        return self.definitions.get(guid) or _definition_unread(guid)

    def answer(self, definition: RoleDefinition, operation: str, *, data: bool) -> Verdict:
        """`RoleDefinition.answer`, remembered."""
        key = (definition.guid, operation, data)
        found = self._answers.get(key)
        if found is None:
            found = definition.answer(operation, data=data)
            if len(self._answers) < _CACHED_ANSWERS:
                self._answers[key] = found
        return found

    def held_by(self, holder: str) -> ByScope:
        """The assignments whose principal is exactly this one (folded object id), by folded scope."""
        return self.by_principal.get(holder, {})

    def assignable(self, definition: RoleDefinition, scope: Scope) -> bool | Unread:
        """Whether one of the role's assignable scopes is the scope or above it."""
        chain = self.hierarchy.chain(scope)
        places = {fold(place) for place in definition.assignable_scopes}
        if places & set(chain.keys):
            return True
        if chain.unread is not None and any(chain.may_hold(place) for place in places):
            return chain.unread
        return False

    def assignments_of_role(self, guid: str) -> tuple[RoleAssignment, ...]:
        """Every readable assignment of a role, eligible and ended ones too, sorted by id."""
        wanted = guid.casefold()
        return tuple(
            sorted(
                (
                    assignment
                    for scopes in self.by_principal.values()
                    for assignments in scopes.values()
                    for assignment in assignments
                    if assignment.role_guid == wanted
                ),
                key=_by_id,
            )
        )

    def custom_roles(self) -> tuple[RoleDefinition, ...]:
        """The custom roles that were read, sorted by GUID; `definitions_missing` says whether these are all."""
        found = (role for role in self.definitions.values() if isinstance(role, RoleDefinition))
        return tuple(sorted((role for role in found if role.kind == "custom"), key=lambda role: role.guid))


def _by_id(assignment: RoleAssignment) -> tuple[str, ...]:
    """The order of rows, so that the deciding one hangs on no reading order even where two bear one id."""
    return (
        fold(assignment.id),
        assignment.role_guid or "",
        assignment.condition or "",
        str(assignment.ends_at),
        assignment.principal_type,
        f"{assignment.eligible}{assignment.condition_read}",
    )


def _frozen(scopes: Mapping[K, list[RoleAssignment]]) -> dict[K, tuple[RoleAssignment, ...]]:
    # Most lists hold one row, and making a key costs more than all else here.
    return {key: tuple(sorted(found, key=_by_id) if len(found) > 1 else found) for key, found in scopes.items()}


def _definitions(
    table: Mapping[str, RoleDefinition], rows: Iterable[RoleDefinition], broken: Mapping[str, Unread]
) -> dict[str, RoleDefinition | Unread]:
    """Roles by GUID: the estate's rows before the table's; a broken row does not hide a role of the table."""
    found: dict[str, RoleDefinition | Unread] = {
        guid.casefold(): Unread(f"role definition {guid}", unread.why, unread.hint, "role-definition-unread")
        for guid, unread in broken.items()
    }
    found.update((guid, role) for guid, role in table.items() if guid in found)
    for row in sorted(rows, key=lambda row: (row.guid.casefold(), fold(row.id), row.name)):
        guid = row.guid.casefold()
        earlier = found.setdefault(guid, row)
        if isinstance(earlier, RoleDefinition) and not earlier.from_table and not earlier.permits_like(row):
            found[guid] = Unread(
                f"role definition {guid}",
                "two rows of it were read that grant different things",
                "collect again",
                "role-definition-unread",
            )
    return {**table, **found}


def _definition_unread(guid: str) -> Unread:
    return Unread(
        f"role definition {guid}",
        "it was not read",
        "grant the scanner Microsoft.Authorization/roleDefinitions/read at the role's assignable scopes",
        "role-definition-unread",
    )
