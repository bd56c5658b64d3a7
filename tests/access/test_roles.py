"""Role definitions: blocks by themselves, and the shipped table against what Azure publishes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import auditor
from auditor.access import Match, Permission, RoleDefinition, builtin_roles, role_guid
from auditor.access import roles as roles_module
from auditor.access.needed import ON_KUBELET_IDENTITY, SUBNET_JOIN, SUBNET_READ
from tests.access.rights import CONSTRAINS_NETWORK, CONSTRAINS_ROLES, JOIN, READ, shared
from tests.access.worlds import definition

MATCHES = {
    "granted": (Permission((JOIN,)), Match.GRANTED),
    "absent": (Permission((READ,)), Match.ABSENT),
    "empty": (Permission(), Match.ABSENT),
    "subtracted": (Permission(("*",), ("*/action",)), Match.SUBTRACTED),
    "subtracted though not granted": (Permission((READ,), ("*/action",)), Match.ABSENT),
    "data only": (Permission(data_actions=("*",)), Match.ABSENT),
    "not data actions do not subtract actions": (Permission(("*",), not_data_actions=("*",)), Match.GRANTED),
    "conditional": (Permission(("*",), condition=CONSTRAINS_NETWORK), Match.CONDITIONAL),
    "harmless condition": (Permission(("*",), condition=CONSTRAINS_ROLES), Match.GRANTED),
}


@pytest.mark.parametrize(("block", "expected"), MATCHES.values(), ids=MATCHES)
def test_block(block: Permission, expected: Match) -> None:
    assert block.match(JOIN) is expected


def test_doubt_is_contagious_on_both_sides() -> None:
    [asked] = ON_KUBELET_IDENTITY
    wide = "Microsoft.ManagedIdentity/userAssignedIdentities/*/assign/action"
    assert Permission((wide,)).match(asked) is Match.DOUBTFUL
    assert Permission(("*",), (wide,)).match(asked) is Match.DOUBTFUL
    assert Permission((wide, "*")).match(asked) is Match.GRANTED
    assert Permission((wide,), ("*/action",)).match(asked) is Match.SUBTRACTED


def test_best_block_answers() -> None:
    blocks = (
        Permission((READ,)),
        Permission(("*",), ("*",)),
        Permission(("*",), condition="x"),
        Permission((JOIN,)),
    )
    for count, match in ((1, Match.ABSENT), (2, Match.SUBTRACTED), (3, Match.CONDITIONAL), (4, Match.GRANTED)):
        role = RoleDefinition("/x", "x", "x", "custom", blocks[:count])
        assert role.answer(JOIN).match is match
        assert role.grants(JOIN) is (match is Match.GRANTED)
    assert RoleDefinition("/x", "x", "x", "custom", blocks).answer(JOIN).block == blocks[3]


GUIDS = {
    "/providers/Microsoft.Authorization/roleDefinitions/ABC": "abc",
    "/subscriptions/s/providers/Microsoft.Authorization/roleDefinitions/aBc/": "abc",
    "abc": "abc",
    "": "",
}


@pytest.mark.parametrize(("role_id", "expected"), GUIDS.items(), ids=GUIDS)
def test_guid_is_the_last_segment(role_id: str, expected: str) -> None:
    assert role_guid(role_id) == expected


def test_table_holds_every_role_that_has_a_name_here() -> None:
    named = {value for name, value in vars(roles_module).items() if name.isupper() and isinstance(value, str)}
    assert len(named) >= 14
    assert named <= set(builtin_roles())


def test_table_says_where_it_comes_from() -> None:
    for name in ("roles", "operations"):
        path = Path(auditor.__file__).parent / "data" / f"{name}.json"
        table = json.loads(path.read_text("utf-8"))
        assert table["source"]
        assert table["date"] == "2026-08-22"
        assert path.stat().st_size < 100_000


def test_table_is_what_azure_publishes() -> None:
    published = {row["name"].lower(): row for row in shared("roles/builtin_roles.json.gz")["value"]}
    for guid, role in builtin_roles().items():
        assert role.permits_like(definition(published[guid]))
        assert role.name == published[guid]["properties"]["roleName"]
        assert role.from_table


def test_table_holds_every_role_that_joins_without_reading() -> None:
    for row in shared("roles/builtin_roles.json.gz")["value"]:
        role = definition(row)
        if role.grants(SUBNET_JOIN) and not role.grants(SUBNET_READ):
            assert role.guid in builtin_roles()


def test_letter_ignores_order_and_case() -> None:
    one = RoleDefinition("/x", "x", "x", "custom", (Permission((JOIN, READ)), Permission(("*",))))
    other = RoleDefinition("/y", "x", "y", "custom", (Permission(("*",)), Permission((READ.upper(), JOIN))))
    assert one.permits_like(other)
    assert not one.permits_like(RoleDefinition("/x", "x", "x", "custom", (Permission((JOIN,)),)))
