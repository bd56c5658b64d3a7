"""A missing right in words: why the nearest assignments do not grant it, as reason slugs and texts for evidence."""

from __future__ import annotations

from datetime import datetime

from auditor.access import AccessDecision, Miss, MissKind, RoleDefinition
from auditor.derive.principals import APPLICATION_ID, CONTROL_PLANE, KUBELET
from auditor.inventory import Inventory
from auditor.inventory.records import RoleAssignment
from auditor.values import Effect, Evidence, ResourceId, Unread

EXPIRY_DAYS = 14
"""A grant that ends within so many days is a warning (requirements 8.6)."""

_REASONS = {
    MissKind.OTHER_PRINCIPAL: "role-on-other-identity",
    MissKind.ELIGIBLE: "eligible-only",
    MissKind.EXPIRED: "grant-expired",
    MissKind.PRINCIPAL_GONE: "principal-gone",
    MissKind.NOT_REACHING: "role-on-other-scope",
    MissKind.NOT_ACTION: "role-takes-away-action",
    MissKind.WRONG_ROLE: "role-lacks-action",
}
_ORDER = tuple(_REASONS)
_WHOSE = {
    KUBELET: "role-on-kubelet-identity",
    CONTROL_PLANE: "role-on-control-plane-identity",
    APPLICATION_ID: "role-on-application-id",
}


def role_name(definition: RoleDefinition | Unread) -> str:
    """What people call a role; its GUID where nothing else is known."""
    return definition.name if isinstance(definition, RoleDefinition) else definition.what.rsplit("/", 1)[-1]


def nearest(decision: AccessDecision) -> Miss | None:
    """The most telling miss: the mistake that is most likely meant."""
    return min(decision.misses, key=lambda miss: _ORDER.index(miss.kind), default=None)


def miss_reason(decision: AccessDecision) -> str:
    """The slug of the nearest miss: `role-on-kubelet-identity`, `role-on-other-scope`, …, or `no-grant`."""
    miss = nearest(decision)
    if miss is None:
        return "no-grant"
    if miss.kind is MissKind.OTHER_PRINCIPAL:
        return _WHOSE.get(miss.whose or "", _REASONS[miss.kind])
    return _REASONS[miss.kind]


def miss_text(miss: Miss) -> str:
    """One miss in a few words: `Network Contributor on /subscriptions/… belongs to the kubelet identity`."""
    role, scope = role_name(miss.definition), str(miss.assignment.scope)
    what = f"{role} on {scope}"
    match miss.kind:
        case MissKind.OTHER_PRINCIPAL:
            return f"{what} belongs to the {miss.whose}"
        case MissKind.NOT_REACHING:
            return f"{what} does not reach here"
        case MissKind.WRONG_ROLE:
            return f"{what} lacks the action"
        case MissKind.NOT_ACTION:
            return f"{what} takes the action away by a notAction"
        case MissKind.ELIGIBLE:
            return f"{what} is eligible, not active"
        case MissKind.EXPIRED:
            return f"{what} has ended"
        case MissKind.PRINCIPAL_GONE:
            return f"{what} is of a principal that does not exist any more"


def misses_shown(decision: AccessDecision, limit: int = 6) -> tuple[Evidence, ...]:
    """The nearest misses as evidence."""
    ordered = sorted(decision.misses, key=lambda miss: _ORDER.index(miss.kind))[:limit]
    return tuple(
        Evidence(
            miss.assignment.id,
            "properties.roleDefinitionId",
            role_name(miss.definition),
            miss_text(miss),
        )
        for miss in ordered
    )


def grants_shown(decision: AccessDecision) -> tuple[Evidence, ...]:
    """The assignments that grant, as evidence."""
    found: dict[str, Evidence] = {}
    for answer in decision.granted:
        via = f" through group {answer.via_group}" if answer.via_group else ""
        note = f"grants {answer.asked}{via}, at {answer.assignment.scope}"
        if "deny-unread" in answer.notes:
            note += "; deny assignments, which could take it away, were not read"
        role = role_name(answer.definition)
        found.setdefault(
            answer.assignment.id, Evidence(answer.assignment.id, "properties.roleDefinitionId", role, note)
        )
    return tuple(found.values())


def ends_soon(at: datetime, *decisions: AccessDecision) -> str | None:
    """When the first of the grants ends, if that is within `EXPIRY_DAYS` of `at`: RFC 3339; else None."""
    ends = [
        answer.assignment.ends_at
        for decision in decisions
        for answer in decision.granted
        if answer.ends_within(at, days=EXPIRY_DAYS) and isinstance(answer.assignment.ends_at, datetime)
    ]
    return min(ends).isoformat() if ends else None


def rights_effect(*decisions: AccessDecision) -> Effect | None:
    """What several decisions permit together; None while one of them is undecided."""
    effects = [decision.effect for decision in decisions]
    items = {item for effect in effects if effect is not None for item in effect.items}
    return None if None in effects else Effect(tuple(sorted(items)))


def how_to_read(inventory: Inventory, piece: Unread, scope: ResourceId) -> str:
    """What to grant or to scan so that an undecided right is decided: names a subscription that was left out."""
    if piece.reason != "assignments-unread":
        return piece.hint
    missing = inventory.coverage.unread(RoleAssignment.TYPE, scope.key)
    return missing.hint if missing is not None and missing.hint else piece.hint
