"""Azure RBAC as pure functions over plain values: who may do what where, why, and what is not known.

Build an `AccessModel` from what was read, then ask:

- `decide(model, principal, operations, scope, at=…)`: may it? An `AccessDecision` with one answer an operation.
- `grants_role(model, principal, guid, scope, at=…)`: exactly this role, at the scope or above?
- `covers_all(…)`: all operations by whichever roles (its `roles` names them).
- `held(…)`, `expiring(…)`, `overbroad(…)`: what a principal holds, what ends soon, what is too broad.
- `unknown_operations(definition)`, `known_operation(name)`, `nearest_operation(name)`: typos in custom roles.

Nothing here knows of Azure's SDKs, files of an estate, or checks. What was not read is `Unread`, never an empty list.
"""

from auditor.access.assignments import (
    EVERYONE,
    MEMBERSHIP_UNREAD,
    DenyAssignment,
    Membership,
    Principal,
    RoleAssignment,
)
from auditor.access.catalogue import (
    UnknownOperation,
    known_operation,
    nearest_operation,
    unknown_operations,
)
from auditor.access.conditions import Reach, reach
from auditor.access.decide import covers_all, decide, grants_role
from auditor.access.decision import (
    AccessDecision,
    Answer,
    Denied,
    Granted,
    Miss,
    Missing,
    MissKind,
    Status,
    Undecided,
)
from auditor.access.model import ALL_READ, NOTHING_READ, AccessModel, Coverage
from auditor.access.patterns import matches
from auditor.access.questions import Breadth, Held, Overbroad, State, expiring, held, overbroad, unproved
from auditor.access.roles import Match, Permission, RoleDefinition, builtin_roles, role_guid
from auditor.access.scopes import NO_HIERARCHY, Hierarchy, Scope, management_group_key

__all__ = [
    "ALL_READ",
    "EVERYONE",
    "MEMBERSHIP_UNREAD",
    "NOTHING_READ",
    "NO_HIERARCHY",
    "AccessDecision",
    "AccessModel",
    "Answer",
    "Breadth",
    "Coverage",
    "Denied",
    "DenyAssignment",
    "Granted",
    "Held",
    "Hierarchy",
    "Match",
    "Membership",
    "Miss",
    "MissKind",
    "Missing",
    "Overbroad",
    "Permission",
    "Principal",
    "Reach",
    "RoleAssignment",
    "RoleDefinition",
    "Scope",
    "State",
    "Status",
    "Undecided",
    "UnknownOperation",
    "builtin_roles",
    "covers_all",
    "decide",
    "expiring",
    "grants_role",
    "held",
    "known_operation",
    "management_group_key",
    "matches",
    "nearest_operation",
    "overbroad",
    "reach",
    "role_guid",
    "unknown_operations",
    "unproved",
]
