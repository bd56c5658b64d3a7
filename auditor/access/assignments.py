"""Who holds what where: principals, role assignments, deny assignments, group membership (requirements 8.5 to 8.8)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from auditor.access.roles import Permission, role_guid
from auditor.access.scopes import Scope
from auditor.values import Listing, Unread, fold

EVERYONE = "00000000-0000-0000-0000-000000000000"
"""The object id that stands for all principals in a deny assignment."""

_NO_GROUPS = frozenset({"user", "serviceprincipal", "device", "unknown"})


def _may_be_group(kind: str) -> bool:
    """`Group`, `ForeignGroup`, or a type that was not read or that Azure has added since."""
    return kind.strip().casefold() not in _NO_GROUPS


@dataclass(frozen=True, slots=True)
class Principal:
    """One who acts, by object id (never by application id). `kind` is Azure's word or empty."""

    object_id: str
    kind: str = ""

    @property
    def key(self) -> str:
        """The object id in the form in which ids compare."""
        return fold(self.object_id)

    @property
    def may_be_group(self) -> bool:
        """Whether it is a group or, its type not being read, may be one."""
        return _may_be_group(self.kind)


@dataclass(frozen=True, slots=True)
class RoleAssignment:
    """A role given to a principal at a scope, as `roleAssignments` or PIM's schedule instances return it.

    - `scope`, `principal_id`, `role_definition_id`, `ends_at`: `Unread` where the row lacks them or they do not parse.
      Such an assignment grants nothing, and leaves a lack undecided that it could fill.
    - `condition_read` is False for a row that may lack a condition that Azure has (Resource Graph's).
    - `ends_at`: aware; a time-bound assignment counts until then. `eligible`: not active (PIM), grants nothing.
    - `principal_type` `Unknown` is Azure's word for a principal that is gone: grants nothing. Empty: not read.
    """

    id: str
    scope: Scope | Unread
    role_definition_id: str | Unread
    principal_id: str | Unread
    principal_type: str = ""
    condition: str | None = None
    condition_version: str | None = None
    condition_read: bool = True
    ends_at: datetime | Unread | None = None
    eligible: bool = False
    delegated_managed_identity: str | None = None

    @property
    def role_guid(self) -> str | None:
        """The role's GUID, lower case; None where it is not read."""
        if isinstance(self.role_definition_id, Unread):
            return None
        return role_guid(self.role_definition_id) or None

    @property
    def holder(self) -> str | None:
        """The folded object id of who holds it; None where it is not read."""
        if isinstance(self.principal_id, Unread):
            return None
        return fold(self.principal_id) or None

    @property
    def for_group(self) -> bool:
        """Whether the holder is a group or, its type not being read, may be one."""
        return _may_be_group(self.principal_type)

    @property
    def gone(self) -> bool:
        """Whether Azure says that the holder does not exist any more."""
        return self.principal_type.strip().casefold() == "unknown"

    def active(self, at: datetime) -> bool | Unread:
        """Whether it grants at that time: not eligible only, not ended."""
        if self.eligible:
            return False
        if isinstance(self.ends_at, Unread):
            return self.ends_at
        return self.ends_at is None or at < self.ends_at


@dataclass(frozen=True, slots=True)
class DenyAssignment:
    """What `denyAssignments` returns: wins over every grant.

    `principals` and `excluded` carry the types Azure gives: one whose type is not read may be a group. `Unread` in
    place of scope, blocks or principals leaves open what it denies, so that nothing it may concern counts as granted.
    `not_to_children` is `doNotApplyToChildScopes`; `enforced` is False for one that only audits.
    """

    id: str
    scope: Scope | Unread
    blocks: tuple[Permission, ...] | Unread
    principals: tuple[Principal, ...] | Unread = ()
    excluded: tuple[Principal, ...] = ()
    not_to_children: bool = False
    condition: str | None = None
    enforced: bool = True
    name: str = ""

    @property
    def everyone(self) -> bool:
        """Whether all principals are meant: the zero id, or the type `SystemDefined`."""
        return not isinstance(self.principals, Unread) and any(
            one.key == EVERYONE or one.kind.strip().casefold() == "systemdefined" for one in self.principals
        )


@dataclass(frozen=True, slots=True)
class Membership:
    """Which groups a principal is in, transitively.

    `direct` maps a folded member id to the folded ids of groups it is in; what it holds is true even where not all was
    read. `missing` says that absence from it proves nothing, but for the principals in `whole`.
    """

    direct: Mapping[str, frozenset[str]]
    missing: Unread | None = None
    whole: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls,
        pairs: Iterable[tuple[str, str]] = (),
        *,
        missing: Unread | None = None,
        read_for: Iterable[str] = (),
    ) -> Membership:
        """Takes (group id, member id) pairs as `auditor/membership` rows have them, direct or transitive.

        `read_for`: principals whose transitive groups were read although `missing` says that not everybody's were.
        """
        direct: dict[str, set[str]] = {}
        for group, member in pairs:
            direct.setdefault(fold(member), set()).add(fold(group))
        return cls(
            {member: frozenset(groups) for member, groups in direct.items()},
            missing,
            frozenset(fold(principal) for principal in read_for),
        )

    def groups(self, principal: Principal) -> Listing[str]:
        """The folded ids of all groups that the principal is in, sorted; whole if absence proves a lack."""
        found: set[str] = set()
        pending = [principal.key]
        while pending:
            for group in self.direct.get(pending.pop(), frozenset()):
                if group not in found:  # groups can contain each other
                    found.add(group)
                    pending.append(group)
        found.discard(principal.key)
        return Listing(tuple(sorted(found)), None if principal.key in self.whole else self.missing)


MEMBERSHIP_UNREAD = Membership(
    {},
    Unread(
        "group membership",
        "Microsoft Graph was not permitted",
        "grant the scanner GroupMember.Read.All in Microsoft Graph",
        "group-membership",
    ),
)
"""Nothing is known of any group."""
