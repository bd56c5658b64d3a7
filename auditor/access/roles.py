"""Role definitions and what they grant (requirements 8.2), with the built-in ones that matter here (`auditor/data`)."""

from __future__ import annotations

import enum
import functools
import importlib.resources
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from auditor.access.conditions import Reach, reach
from auditor.access.patterns import doubtful, matches
from auditor.values import fold

NETWORK_CONTRIBUTOR = "4d97b98b-1d4f-4787-a291-c67834d212e7"
OWNER = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
CONTRIBUTOR = "b24988ac-6180-42a0-ab88-20f7382dd24c"
READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
USER_ACCESS_ADMINISTRATOR = "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9"
RBAC_ADMINISTRATOR = "f58310d9-a9f6-439a-9e8d-f62e7b41a168"
ACR_PULL = "7f951dda-4ed3-4680-a7ca-43fe172d538d"
ACR_PUSH = "8311e382-0749-4cb8-b61a-304f252e45ec"
REPOSITORY_READER = "b93aa761-3e63-49ed-ac28-beffa264f7ac"
PRIVATE_DNS_ZONE_CONTRIBUTOR = "b12aa53e-6015-4669-85d0-8515ebb3ae7f"
MANAGED_IDENTITY_OPERATOR = "f1a07417-d97a-45cb-824c-7a7467783830"
VIRTUAL_MACHINE_CONTRIBUTOR = "9980e02c-c2be-4d73-94e8-173b1dc7cf3c"
STORAGE_BLOB_DATA_CONTRIBUTOR = "ba92f5b4-2d11-453d-a403-e96b0029c9fe"
STORAGE_ACCOUNT_CONTRIBUTOR = "17d1049b-9a84-46fb-8f53-869881c3d3ab"

Kind = Literal["builtin", "custom"]


def role_guid(role_definition_id: str) -> str:
    """The last segment of a role definition's id, lower case: the rest may carry a subscription or not."""
    return fold(role_definition_id).rpartition("/")[2]


class Match(enum.Enum):
    """Whether a permission block or a role grants an operation."""

    GRANTED = "granted"
    CONDITIONAL = "conditional"
    """Granted under a condition inside the definition that can reach the operation."""
    DOUBTFUL = "doubtful"
    """Matched only by a pattern of which it is not known whether Azure lets it match."""
    SUBTRACTED = "subtracted"
    """An action matches, and so does a notAction of the same block."""
    ABSENT = "absent"


class Verdict(NamedTuple):
    """How a role answers an operation, and the block that gives this answer (None where no block knows it)."""

    match: Match
    block: Permission | None


@dataclass(frozen=True, slots=True)
class Permission:
    """One block of a role definition's `permissions[]`; `not_actions` subtract from this block's `actions` only."""

    actions: tuple[str, ...] = ()
    not_actions: tuple[str, ...] = ()
    data_actions: tuple[str, ...] = ()
    not_data_actions: tuple[str, ...] = ()
    condition: str | None = None

    def match(self, operation: str, *, data: bool = False) -> Match:
        """How this block by itself answers; `data` asks for a data action, which no entry of `actions` covers."""
        allowed, excluded = (self.data_actions, self.not_data_actions) if data else (self.actions, self.not_actions)
        certain = any(matches(pattern, operation) for pattern in allowed)
        if not certain and not any(doubtful(pattern, operation) for pattern in allowed):
            return Match.ABSENT
        if any(matches(pattern, operation) for pattern in excluded):
            return Match.SUBTRACTED
        if not certain or any(doubtful(pattern, operation) for pattern in excluded):
            return Match.DOUBTFUL
        return Match.GRANTED if reach(self.condition, (operation,)).harmless else Match.CONDITIONAL

    def condition_reach(self, operation: str) -> Reach:
        """What the block's own condition means for the operation."""
        return reach(self.condition, (operation,))


@dataclass(frozen=True, slots=True)
class RoleDefinition:
    """A role: what it grants, as blocks that are united.

    `from_table` is True for a built-in role of the shipped table, used where the estate's own row was not read.
    """

    id: str
    guid: str
    name: str
    kind: Kind
    blocks: tuple[Permission, ...]
    assignable_scopes: tuple[str, ...] = ("/",)
    from_table: bool = False

    def answer(self, operation: str, *, data: bool = False) -> Verdict:
        """The best answer of any block: granted before conditional before doubtful before subtracted before absent."""
        best = Verdict(Match.ABSENT, None)
        for block in self.blocks:
            match = block.match(operation, data=data)
            if match is Match.GRANTED:
                return Verdict(match, block)
            if _GOODNESS[match] < _GOODNESS[best.match]:
                best = Verdict(match, block)
        return best

    def grants(self, operation: str, *, data: bool = False) -> bool:
        """Whether an unconditional assignment of this role certainly grants the operation."""
        return self.answer(operation, data=data).match is Match.GRANTED

    def permits_like(self, other: RoleDefinition) -> bool:
        """Whether both grant the same by the letter: the order of blocks and of their entries aside."""
        return _letter(self) == _letter(other)


_GOODNESS = {match: rank for rank, match in enumerate(Match)}


def _letter(definition: RoleDefinition) -> frozenset[tuple[object, ...]]:
    return frozenset(
        (
            *(
                frozenset(entry.casefold() for entry in entries)
                for entries in (block.actions, block.not_actions, block.data_actions, block.not_data_actions)
            ),
            block.condition,
        )
        for block in definition.blocks
    )


@functools.lru_cache(maxsize=1)
def builtin_roles() -> Mapping[str, RoleDefinition]:
    """The shipped built-in roles by GUID, whole (all blocks); `roles.json` names their source and date."""
    table = json.loads((importlib.resources.files("auditor") / "data" / "roles.json").read_text("utf-8"))
    return {
        row["guid"]: RoleDefinition(
            id=f"/providers/Microsoft.Authorization/roleDefinitions/{row['guid']}",
            guid=row["guid"],
            name=row["name"],
            kind="builtin",
            blocks=tuple(_block(block) for block in row["permissions"]),
            from_table=True,
        )
        for row in table["roles"]
    }


def _block(row: Mapping[str, object]) -> Permission:
    """A block of the shipped table; keys are ARM's, empty ones are left out there."""

    def entries(key: str) -> tuple[str, ...]:
        found = row.get(key, [])
        return tuple(str(entry) for entry in found) if isinstance(found, list) else ()

    condition = row.get("condition")
    return Permission(
        entries("actions"),
        entries("notActions"),
        entries("dataActions"),
        entries("notDataActions"),
        condition if isinstance(condition, str) else None,
    )
