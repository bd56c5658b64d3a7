"""Whom an assignment names, where it lies, and which of them a `$filter` of ARM leaves."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from auditor.replica.estate import Application, Body
from auditor.replica.world import Resource, World


def condition_test(
    world: World, caller: Application, condition: str, chain: set[str]
) -> Callable[[Resource, str], bool] | None:
    """One condition of an assignments `$filter` as a question; None for one that ARM does not know."""
    compact = condition.replace(" ", "")
    if compact.lower() == "atscope()":
        return lambda one, at: at in chain
    if compact.lower() == "astarget()":
        principals = with_groups(world, caller.object_id)
        return lambda one, at: _principal(one) in principals
    match = re.fullmatch(r"assignedTo\('([^']*)'\)", compact, re.IGNORECASE)
    if match is not None:
        assigned = with_groups(world, match[1])
        return lambda one, at: bool(assigned & _principals(one))
    match = re.fullmatch(r"principalId\s+eq\s+'([^']*)'", condition, re.IGNORECASE)
    if match is not None:
        principal = match[1].lower()
        return lambda one, at: principal in _principals(one)
    return None


def with_groups(world: World, principal: str) -> frozenset[str]:
    """A principal and every group it is in, directly or through other groups."""
    found = {principal.lower()}
    grown = True
    while grown:
        more = {
            group.id.lower()
            for group in world.estate.groups
            if any(member.lower() in found for member in group.members)
        }
        grown = not more <= found
        found |= more
    return frozenset(found)


def _principal(one: Resource) -> str:
    return str(properties_of(one.body).get("principalId", "")).lower()


def _principals(one: Resource) -> frozenset[str]:
    """Whom an assignment names: one principal, or the several of a deny assignment."""
    several = properties_of(one.body).get("principals") or []
    listed = {str(entry.get("id", "")).lower() for entry in several if isinstance(entry, Mapping)}
    return frozenset({_principal(one), *listed} - {""})


def scope_of(one: Resource) -> str:
    return str(properties_of(one.body).get("scope") or one.parent or "/").lower().rstrip("/") or "/"


def assignable(one: Resource, chain: set[str]) -> bool:
    scopes = properties_of(one.body).get("assignableScopes", ["/"])
    return bool(chain & {str(entry).lower().rstrip("/") or "/" for entry in scopes})


def properties_of(body: Body) -> Mapping[str, Any]:
    properties = body.get("properties")
    return properties if isinstance(properties, Mapping) else {}
