"""A literal reading of Microsoft's published evaluation order, over rows as ARM returns them. Slow, simple, complete.

"How Azure RBAC determines if a user has access to a resource": the token holds the group memberships, transitive ones
included; all assignments that apply to the resource are taken; a deny assignment that applies blocks; else the roles of
the principal and its groups are looked at: an action that a role's actions hold and its notActions do not is allowed.
It shares no code with the engine and knows nothing of unread things: what it is given is the world.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

Row = dict[str, Any]


@dataclass
class World:
    """Everything there is. `members`: (group, member) pairs; `above`: a subscription's management groups."""

    assignments: list[Row] = field(default_factory=list)
    definitions: list[Row] = field(default_factory=list)
    denies: list[Row] = field(default_factory=list)
    members: list[tuple[str, str]] = field(default_factory=list)
    above: dict[str, list[str]] = field(default_factory=dict)


def allowed(world: World, principal: str, operation: str, resource: str, *, data: bool = False) -> bool:
    """Whether the call goes through."""
    token = groups_of(world, principal) | {principal.lower()}
    for row in world.denies:
        if denies(world, row["properties"], token, operation, resource, data):
            return False
    for row in world.assignments:
        properties = row["properties"]
        if properties["principalId"].lower() not in token:
            continue
        if not applies(world, properties["scope"], resource):
            continue
        if any(in_block(block, operation, data) for block in permissions(world, properties["roleDefinitionId"])):
            return True
    return False


def groups_of(world: World, principal: str) -> set[str]:
    """Transitive memberships, by repeating until nothing is new."""
    found: set[str] = set()
    while True:
        more = {
            group.lower()
            for group, member in world.members
            if member.lower() == principal.lower() or member.lower() in found
        }
        if more <= found:
            return found
        found |= more


def applies(world: World, scope: str, resource: str) -> bool:
    """Whether the scope is the resource or a parent of it."""
    scope, resource = scope.rstrip("/").lower(), resource.rstrip("/").lower()
    if scope == "" or re.match(re.escape(scope) + "(/|$)", resource):
        return True
    for subscription, groups in world.above.items():
        if re.match(re.escape(subscription.lower()) + "(/|$)", resource):
            return scope in [group.lower() for group in groups]
    return False


def permissions(world: World, definition_id: str) -> list[Row]:
    """The permission blocks of a role."""
    guid = definition_id.split("/")[-1].lower()
    found: list[Row] = []
    for row in world.definitions:
        if row["name"].lower() == guid:
            found = row["properties"]["permissions"]
    return found


def in_block(block: Row, operation: str, data: bool) -> bool:
    """Whether the block's actions hold the operation and its notActions do not."""
    yes, no = ("dataActions", "notDataActions") if data else ("actions", "notActions")
    return any(glob(entry, operation) for entry in block.get(yes) or []) and not any(
        glob(entry, operation) for entry in block.get(no) or []
    )


def glob(entry: str, operation: str) -> bool:
    """A star is any text."""
    return re.fullmatch(re.escape(entry).replace(r"\*", ".*"), operation, re.IGNORECASE | re.DOTALL) is not None


def denies(world: World, properties: Row, token: set[str], operation: str, resource: str, data: bool) -> bool:
    """Whether a deny assignment blocks."""
    here = properties["scope"].rstrip("/").lower() == resource.rstrip("/").lower()
    if properties["doNotApplyToChildScopes"] and not here:
        return False
    if not applies(world, properties["scope"], resource):
        return False
    named = {one["id"].lower() for one in properties["principals"]}
    if not (named & token or "00000000-0000-0000-0000-000000000000" in named):
        return False
    if {one["id"].lower() for one in properties["excludePrincipals"]} & token:
        return False
    return any(in_block(block, operation, data) for block in properties["permissions"])
