"""Operations that are known, the nearest known one, and typos in custom roles."""

from __future__ import annotations

import pytest

from auditor.access import RoleDefinition, known_operation, nearest_operation, unknown_operations
from auditor.access.catalogue import operations, providers
from auditor.access.needed import ON_KUBELET_IDENTITY, REPOSITORY_PULL_DATA
from auditor.access.roles import Permission
from tests.access.rights import JOIN, READ, custom, shared
from tests.access.test_oracle import asked_operations

TYPO = "Microsoft.Network/virtualNetworks/subnet/join/action"
NAMES = (
    "Network",
    "ContainerService",
    "ContainerRegistry",
    "MachineLearningServices",
    "Authorization",
    "ManagedIdentity",
)

KNOWN = {
    JOIN: True,
    JOIN.upper(): True,
    TYPO: False,
    "Microsoft.Network/virtualNetworks/subnets/join": False,
    "Microsoft.Compute/virtualMachines/read": None,
    "": None,
}


@pytest.mark.parametrize(("name", "expected"), KNOWN.items(), ids=KNOWN)
def test_known(name: str, expected: bool | None) -> None:
    assert known_operation(name) is expected


NEAREST = {
    TYPO: JOIN,
    TYPO.upper(): JOIN,
    "Microsoft.Network/virtualNetwork/subnets/join/action": JOIN,
    "Microsoft.Network/virtualNetworks/subnets/reed": READ,
    "Microsoft.Network/loadBalancer/read": "Microsoft.Network/loadBalancers/read",
    "Microsoft.ContainerRegistry/registry/pull/read": "Microsoft.ContainerRegistry/registries/pull/read",
    "Microsoft.Network/nothing/of/this/kind/at/all": None,
    "Microsoft.Compute/virtualMachines/read": None,
}


@pytest.mark.parametrize(("name", "expected"), NEAREST.items(), ids=NEAREST)
def test_nearest(name: str, expected: str | None) -> None:
    assert nearest_operation(name) == expected


def test_typos_of_a_role_with_their_paths() -> None:
    role = RoleDefinition(
        "/x",
        "x",
        "x",
        "custom",
        (
            Permission((JOIN, TYPO, "*/join/action", "Microsoft.Compute/typo/read")),
            Permission((), ("Microsoft.Network/routeTable/write",), ("Microsoft.Network/nothing/read",)),
        ),
    )
    assert [(one.where, one.nearest, one.known_misspelling) for one in unknown_operations(role)] == [
        ("properties.permissions[0].actions[1]", JOIN, True),
        ("properties.permissions[1].notActions[0]", "Microsoft.Network/routeTables/write", False),
    ]


def test_a_sound_role_has_none() -> None:
    assert unknown_operations(custom("x", JOIN.lower(), READ, "Microsoft.Network/*")) == ()


def test_what_the_engine_asks_is_known() -> None:
    # One is in error texts only: see patterns.doubtful.
    asked = set(asked_operations()[0]) - set(ON_KUBELET_IDENTITY) - set(REPOSITORY_PULL_DATA)
    unknown = [name for name in asked if not known_operation(name)]
    assert unknown == []


def test_catalogue_is_what_the_providers_publish() -> None:
    assert providers() == {f"microsoft.{name.lower()}" for name in NAMES}
    published = {
        entry["name"].casefold()
        for name in NAMES
        for entry in shared(f"operations/Microsoft.{name}.json.gz")["operations"]
        if not entry["isDataAction"]
    }
    assert published == set(operations())
