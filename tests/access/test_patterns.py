"""How a pattern matches an operation: the documented cases, hostile ones, and a second way to find out."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.access import matches
from auditor.access.patterns import doubtful, may_reach
from tests.access.rights import JOIN, READ

ROUTES = "Microsoft.Network/routeTables/read"
OPERATOR = (
    "Microsoft.ManagedIdentity/userAssignedIdentities/*/assign/action",
    "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action",
)
CASES = {
    # Requirements 8.3, as written there.
    "provider wildcard spans slashes": ("Microsoft.Network/*", JOIN, True),
    "read anywhere": ("*/read", "Microsoft.ContainerRegistry/registries/pull/read", True),
    "action is not write": ("*/action", "Microsoft.Network/routeTables/write", False),
    "no prefix matching without a star": ("Microsoft.Network", ROUTES, False),
    "no prefix of a resource": ("Microsoft.Network/virtualNetworks/subnets", READ, False),
    "star alone": ("*", "Microsoft.Network/virtualNetworks/read", True),
    "case": ("microsoft.NETWORK/VirtualNetworks/READ", "Microsoft.Network/virtualNetworks/read", True),
    "case with a star": ("MICROSOFT.network/*/JOIN/action", JOIN, True),
    "star for nothing": ("Microsoft.Network/virtualNetworks*/read", "Microsoft.Network/virtualNetworks/read", True),
    "two stars": ("*/virtualNetworks/*/action", JOIN, True),
    "two stars need both slashes": ("*/subnets/*/action", "Microsoft.Network/virtualNetworks/subnets/action", False),
    "the singular grants nothing": ("Microsoft.Network/virtualNetworks/subnet/join/action", JOIN, False),
    "a dot is a dot": ("MicrosoftxNetwork/*", ROUTES, False),
    "star in the middle of a word": ("Microsoft.Net*work/routeTables/read", ROUTES, True),
    "longer provider": ("Microsoft.Network/*", "Microsoft.NetworkCloud/clusters/read", False),
    "head and tail may not overlap": ("Microsoft.Network/read*/read", "Microsoft.Network/read", False),
    "empty pattern": ("", ROUTES, False),
    "stars in a row": ("Microsoft.Network/***/read", ROUTES, True),
    "regular expression's signs": ("Microsoft.Network/(routeTables|x)/read", ROUTES, False),
    "brackets": ("Microsoft.Network/[r]outeTables/read", ROUTES, False),
    "question mark": ("Microsoft.Network/routeTable?/read", ROUTES, False),
    "identity operator, by the letter": (*OPERATOR, False),
}  # fmt: skip


@pytest.mark.parametrize(("pattern", "operation", "expected"), CASES.values(), ids=CASES)
def test_matches(pattern: str, operation: str, expected: bool) -> None:
    assert matches(pattern, operation) is expected


def by_table(pattern: str, text: str) -> bool:
    """A second way: the textbook's table of prefixes, cell by cell, sharing no idea with the engine's search."""
    pattern, text = pattern.lower(), text.lower()
    row = [True] + [False] * len(text)
    for sign in pattern:
        new = [row[0] and sign == "*"]
        for index, letter in enumerate(text):
            new.append(row[index + 1] or new[index] if sign == "*" else row[index] and sign == letter)
        row = new
    return row[-1]


@settings(deadline=None, max_examples=600)
@given(st.text("ab/*A", max_size=9), st.text("abB/", max_size=9))
def test_matches_agrees_with_the_table(pattern: str, operation: str) -> None:
    assert matches(pattern, operation) is by_table(pattern, operation)


def test_many_stars_are_no_work() -> None:
    assert not matches("*a" * 2_000 + "b", "a" * 4_000)


def test_only_the_unverified_pair_is_doubtful() -> None:
    wide, narrow = OPERATOR
    assert doubtful(wide.upper(), narrow)
    assert not doubtful("*", narrow)


REACHES = {
    "whole provider": ("Microsoft.KeyVault/*", True),
    "one operation": ("Microsoft.KeyVault/vaults/secrets/getSecret/action", True),
    "everything": ("*", True),
    "read of anything": ("*/read", True),
    "half a name": ("Microsoft.Key*", True),
    "another provider": ("Microsoft.Storage/*", False),
    "longer name": ("Microsoft.KeyVaultX/*", False),
    "half a name without a star": ("Microsoft.Key", False),
}


@pytest.mark.parametrize(("pattern", "expected"), REACHES.values(), ids=REACHES)
def test_may_reach_provider(pattern: str, expected: bool) -> None:
    assert may_reach(pattern, "Microsoft.KeyVault") is expected
