"""Random small worlds for property tests, as ARM rows, and their translation into an `AccessModel`."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from typing import Any

from hypothesis import strategies as st

from auditor.access import (
    ALL_READ,
    EVERYONE,
    AccessModel,
    Coverage,
    DenyAssignment,
    Hierarchy,
    Membership,
    Permission,
    Principal,
    RoleAssignment,
    RoleDefinition,
    Scope,
    role_guid,
)
from tests.access.oracle import Row, World
from tests.access.rights import (
    CONTROL,
    FOREIGN,
    GROUP,
    JOIN,
    KUBELET,
    LOOK_ALIKE,
    OUTER,
    PLATFORM,
    READ,
    SECOND,
    SIBLING,
    SUBNET,
    SUBSCRIPTION,
    TEAM,
    TENANT,
    VNET,
)

WRITE = "Microsoft.Network/virtualNetworks/subnets/write"
PULL = "Microsoft.ContainerRegistry/registries/pull/read"
OPERATIONS = (JOIN, READ, WRITE, PULL)
PLACES = (SUBNET, SIBLING, VNET, GROUP, LOOK_ALIKE, SUBSCRIPTION, SECOND, PLATFORM, TENANT, FOREIGN, "/")
TARGETS = (SUBNET, VNET, GROUP, SUBSCRIPTION, SECOND, f"{SECOND}/resourceGroups/net")
PATTERNS = (
    "*",
    "*/read",
    "*/action",
    "Microsoft.Network/*",
    "microsoft.network/virtualnetworks/subnets/*",
    "Microsoft.Network/*/join/action",
    "Microsoft.Network/virtualNetworks/subnet/join/action",
    "Microsoft.Network",
    JOIN,
    READ.upper(),
    PULL,
)
ROLES = tuple(f"a0000000-0000-4000-8000-00000000000{number}" for number in range(4))
GROUPS = (TEAM, OUTER)
ABOVE = {SUBSCRIPTION: [PLATFORM, TENANT], SECOND: [FOREIGN, TENANT]}


def _cased(values: Iterable[str]) -> st.SearchStrategy[str]:
    """Values in the odd casings of the wire."""
    changes: tuple[Callable[[str], str], ...] = (str, str.upper, str.lower)
    return st.builds(lambda value, change: change(value), st.sampled_from(tuple(values)), st.sampled_from(changes))


_patterns = st.lists(st.sampled_from(PATTERNS), max_size=2)
_blocks = st.lists(
    st.fixed_dictionaries({"actions": _patterns, "notActions": _patterns, "dataActions": _patterns}), max_size=2
)
_whom = _cased((CONTROL, KUBELET, *GROUPS))


@st.composite
def assignments(draw: st.DrawFn) -> Row:
    """A row of `roleAssignments`."""
    who = draw(_whom)
    kind = "Group" if who.lower() in GROUPS else "ServicePrincipal"
    role = draw(_cased(ROLES))
    number = draw(st.integers(0, 10**9))
    return {
        "id": f"/providers/Microsoft.Authorization/roleAssignments/{number}",
        "properties": {
            "principalId": who,
            "principalType": kind,
            "scope": draw(_cased(PLACES)),
            "roleDefinitionId": f"/subscriptions/s/providers/Microsoft.Authorization/roleDefinitions/{role}",
        },
    }


def _typed(ids: list[str]) -> list[Row]:
    return [{"id": one, "type": "Group" if one.lower() in GROUPS else "ServicePrincipal"} for one in ids]


@st.composite
def denials(draw: st.DrawFn) -> Row:
    """A row of `denyAssignments`."""
    everyone = draw(st.booleans())
    zero = [{"id": "00000000-0000-0000-0000-000000000000", "type": "SystemDefined"}]
    return {
        "id": f"/deny/{draw(st.integers(0, 10**9))}",
        "properties": {
            "scope": draw(_cased(PLACES)),
            "principals": zero if everyone else _typed(draw(st.lists(_whom, max_size=2))),
            "excludePrincipals": _typed(draw(st.lists(_whom, max_size=1))),
            "doNotApplyToChildScopes": draw(st.booleans()),
            "permissions": draw(_blocks),
        },
    }


@st.composite
def worlds(draw: st.DrawFn, *, with_denies: bool = True) -> World:
    """A small world in which anything can coincide."""
    return World(
        assignments=draw(st.lists(assignments(), max_size=5)),
        definitions=[{"name": role, "properties": {"permissions": draw(_blocks)}} for role in ROLES],
        denies=draw(st.lists(denials(), max_size=2)) if with_denies else [],
        members=draw(st.lists(st.tuples(_cased(GROUPS), _whom), max_size=3)),
        above=ABOVE,
    )


def random_world(chance: random.Random) -> World:
    """A world like those of `worlds`, drawn much faster, for thousands of cases from one seed."""

    def cased(values: Iterable[str]) -> str:
        return chance.choice((str, str.upper, str.lower))(chance.choice(tuple(values)))

    def some(values: tuple[str, ...]) -> list[str]:
        return [chance.choice(values) for _ in range(chance.randrange(1, 3))]

    def blocks() -> list[Row]:
        return [
            {"actions": some(PATTERNS), "notActions": some(PATTERNS) if chance.random() < 0.3 else []}
            for _ in range(chance.randrange(1, 3))
        ]

    def assignment(number: int) -> Row:
        who = cased((CONTROL, CONTROL, KUBELET, *GROUPS))
        return {
            "id": f"/a/{number}",
            "properties": {
                "principalId": who,
                "principalType": "Group" if who.lower() in GROUPS else "ServicePrincipal",
                "scope": cased(PLACES),
                "roleDefinitionId": f"/roleDefinitions/{cased(ROLES)}",
            },
        }

    def denial(number: int) -> Row:
        return {
            "id": f"/d/{number}",
            "properties": {
                "scope": cased(PLACES),
                "principals": _typed([cased((CONTROL, KUBELET, *GROUPS, EVERYONE)) for _ in range(2)]),
                "excludePrincipals": _typed([cased((CONTROL, *GROUPS))] if chance.random() < 0.3 else []),
                "doNotApplyToChildScopes": chance.random() < 0.3,
                "permissions": blocks(),
            },
        }

    return World(
        [assignment(number) for number in range(chance.randrange(2, 9))],
        [{"name": role, "properties": {"permissions": blocks()}} for role in ROLES],
        [denial(number) for number in range(chance.randrange(3))],
        [(cased(GROUPS), cased((CONTROL, KUBELET, *GROUPS))) for _ in range(chance.randrange(4))],
        ABOVE,
    )


def model(
    world: World,
    *,
    hidden_roles: frozenset[str] = frozenset(),
    membership: Membership | None = None,
    hierarchy: Hierarchy | None = None,
    coverage: Coverage = ALL_READ,
    deny_coverage: Coverage = ALL_READ,
    denies_expected: Iterable[str] = (),
) -> AccessModel:
    """The world as the engine would be given it, all read but for what is said."""
    return AccessModel.of(
        assignments=[_assignment(row) for row in world.assignments],
        definitions=[_definition(row) for row in world.definitions if row["name"] not in hidden_roles],
        denies=[_deny(row) for row in world.denies],
        denies_expected=denies_expected,
        membership=Membership.of(world.members) if membership is None else membership,
        hierarchy=Hierarchy.of(world.above) if hierarchy is None else hierarchy,
        coverage=coverage,
        deny_coverage=deny_coverage,
        table={},
    )


def _assignment(row: Row) -> RoleAssignment:
    properties = row["properties"]
    return RoleAssignment(
        row["id"],
        Scope.parse(properties["scope"]),
        properties["roleDefinitionId"],
        properties["principalId"],
        properties["principalType"],
    )


def _block(row: dict[str, Any]) -> Permission:
    def entries(key: str) -> tuple[str, ...]:
        return tuple(row.get(key) or ())

    return Permission(
        entries("actions"),
        entries("notActions"),
        entries("dataActions"),
        entries("notDataActions"),
        row.get("condition"),
    )


def _definition(row: Row) -> RoleDefinition:
    properties = row["properties"]
    blocks = tuple(_block(block) for block in properties["permissions"])
    kind = properties.get("type", "CustomRole")
    return RoleDefinition(
        str(row.get("id", row["name"])),
        role_guid(row["name"]),
        properties.get("roleName", row["name"]),
        "builtin" if kind == "BuiltInRole" else "custom",
        blocks,
    )


def definition(row: Row) -> RoleDefinition:
    """A row of `roleDefinitions` as the engine would be given it."""
    return _definition(row)


def _deny(row: Row) -> DenyAssignment:
    properties = row["properties"]
    return DenyAssignment(
        row["id"],
        Scope.parse(properties["scope"]),
        tuple(_block(block) for block in properties["permissions"]),
        tuple(Principal(one["id"], one["type"]) for one in properties["principals"]),
        tuple(Principal(one["id"], one["type"]) for one in properties["excludePrincipals"]),
        properties["doNotApplyToChildScopes"],
    )
