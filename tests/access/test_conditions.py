"""Conditions: which ones cannot hinder an operation."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.access import Reach, reach
from tests.access.rights import CONSTRAINS_NETWORK, CONSTRAINS_ROLES, JOIN

WRITE = "Microsoft.Authorization/roleAssignments/write"
BLOB = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read"
STORAGE = (
    "((!(ActionMatches{'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read'} AND NOT "
    "SubOperationMatches{'Blob.List'})) OR (@Resource[Microsoft.Storage/storageAccounts/blobServices/containers:name] "
    "StringEquals 'blobs-example (one) OR two'))"
)
# Delegation of role assignments as the portal writes it: write and delete, joined by AND over lines.
PORTAL = (
    "(\n (\n  !(ActionMatches{'Microsoft.Authorization/roleAssignments/write'})\n )\n OR\n (\n"
    "  @Request[Microsoft.Authorization/roleAssignments:PrincipalType] ForAnyOfAnyValues:StringEqualsIgnoreCase "
    "{'ServicePrincipal', 'User'}\n )\n)\nAND\n(\n (\n"
    "  !(ActionMatches{'Microsoft.Authorization/roleAssignments/delete'})\n )\n OR\n (\n"
    "  @Resource[Microsoft.Authorization/roleAssignments:RoleDefinitionId] ForAnyOfAllValues:GuidNotEquals "
    "{8e3af657-a8ff-443c-a75c-2fe8c4bcb635}\n )\n)"
)
NONE, IRRELEVANT, REACHES = Reach.NONE, Reach.IRRELEVANT, Reach.REACHES

PULL = "Microsoft.ContainerRegistry/registries/pull/read"
EQUAL = "@Request[a:b] StringEquals 'c'"
CASES = {
    "none": (None, JOIN, NONE),
    "empty": ("  ", JOIN, NONE),
    "constrains role assignments": (CONSTRAINS_ROLES, JOIN, IRRELEVANT),
    "constrains role assignments, asked of one": (CONSTRAINS_ROLES, WRITE, REACHES),
    "the portal's long form": (PORTAL, JOIN, IRRELEVANT),
    "the portal's long form, asked of a write": (PORTAL, WRITE, REACHES),
    "constrains blobs": (STORAGE, JOIN, IRRELEVANT),
    "constrains blobs, asked of a blob": (STORAGE, BLOB, REACHES),
    "constrains the network": (CONSTRAINS_NETWORK, JOIN, REACHES),
    "constrains the network, asked of a registry": (CONSTRAINS_NETWORK, PULL, IRRELEVANT),
    "signs instead of words": ("!(ActionMatches{'Microsoft.A/*'}) || " + EQUAL, JOIN, IRRELEVANT),
    "words in lower case": ("not (actionmatches{'Microsoft.A/*'}) or " + EQUAL, JOIN, IRRELEVANT),
    "double quotes": ('!(ActionMatches{"Microsoft.A/*"}) OR @R[a:b] StringEquals "c"', JOIN, IRRELEVANT),
    "several names": ("!(ActionMatches{'Microsoft.A/*', 'Microsoft.Network/*'}) OR " + EQUAL, JOIN, REACHES),
    "attribute alone": ("@Resource[Microsoft.Network/virtualNetworks:name] StringEquals 'v'", JOIN, REACHES),
    "attribute and exception": ("@R[x:y] BoolEquals true AND !(ActionMatches{'Microsoft.A/*'})", JOIN, REACHES),
    # By the letter false, by requirements 8.6 true: neither a grant nor a lack is proved.
    "name not negated": ("ActionMatches{'Microsoft.A/*'} AND " + EQUAL, JOIN, REACHES),
    "named and allowed": ("ActionMatches{'Microsoft.Network/*'}", JOIN, IRRELEVANT),
    "name inside a text only": ("@Request[a:b] StringEquals '!(ActionMatches{''x''})'", JOIN, REACHES),
    "and beside or": ("!(ActionMatches{'a'}) OR @R[a:b] StringEquals 'c' AND @R[a:b] StringEquals 'd'", JOIN, REACHES),
    "open parenthesis": ("(!(ActionMatches{'Microsoft.A/*'}) OR " + EQUAL, JOIN, REACHES),
    "trailing words": ("!(ActionMatches{'a'}) nonsense", JOIN, REACHES),
    "leading words": ("nonsense !(ActionMatches{'a'})", JOIN, REACHES),
    "no names": ("!(ActionMatches{})", JOIN, REACHES),
    "name without quotes": ("!(ActionMatches{Microsoft.A/*})", JOIN, REACHES),
    "prose": ("only on weekdays", JOIN, REACHES),
    "not a text": ("}{", JOIN, REACHES),
    "nothing after or": ("!(ActionMatches{'a'}) OR", JOIN, REACHES),
    "deep": ("(" * 5_000 + "!(ActionMatches{'a'})" + ")" * 5_000, JOIN, REACHES),
    "endless": ("!(ActionMatches{'a'}) OR " * 9_000 + "!(ActionMatches{'a'})", JOIN, REACHES),
}  # fmt: skip


@pytest.mark.parametrize(("condition", "operation", "expected"), CASES.values(), ids=CASES)
def test_reach(condition: str | None, operation: str, expected: Reach) -> None:
    assert reach(condition, (operation,)) is expected


def test_worst_of_several_operations() -> None:
    assert reach(CONSTRAINS_ROLES, (JOIN, WRITE)) is REACHES
    assert reach(CONSTRAINS_ROLES, ()) is REACHES
    assert reach(None, ()) is NONE


@settings(deadline=None, max_examples=300)
@given(st.text("()!{}'@[]ab|& ANDORactionmatches,\"", max_size=60))
def test_any_text_has_an_answer(text: str) -> None:
    assert reach(text, (JOIN,)) in Reach


def _spell(tree: object) -> str:
    match tree:
        case ("not", inner):
            return f"!({_spell(inner)})"
        case (str(word), left, right):
            return f"(({_spell(left)}) {word.upper()} ({_spell(right)}))"
        case bool():
            return "ActionMatches{'" + (JOIN if tree else "Microsoft.Other/x") + "'}"
        case _:
            return "@Request[a:b] StringEquals 'c'"


def _possible(tree: object) -> set[bool]:
    """Both values of every attribute, tried out."""
    match tree:
        case ("not", inner):
            return {not value for value in _possible(inner)}
        case ("and", left, right):
            return {one and other for one in _possible(left) for other in _possible(right)}
        case ("or", left, right):
            return {one or other for one in _possible(left) for other in _possible(right)}
        case bool():
            return {tree}
        case _:
            return {True, False}


TREES = st.recursive(
    st.sampled_from([True, False, None]),
    lambda inner: st.one_of(st.tuples(st.just("not"), inner), st.tuples(st.sampled_from(["and", "or"]), inner, inner)),
    max_leaves=8,
)


@settings(deadline=None, max_examples=300)
@given(TREES)
def test_irrelevant_means_true_whatever_the_attributes_are(tree: object) -> None:
    assert (reach(_spell(tree), (JOIN,)) is IRRELEVANT) is (_possible(tree) == {True})
