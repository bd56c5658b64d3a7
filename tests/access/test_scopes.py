"""What lies above a scope, and what is not known to."""

from __future__ import annotations

import pytest

from auditor.access import NO_HIERARCHY, Hierarchy, Scope
from auditor.values import Listing, Unread
from tests.access.rights import (
    FOREIGN,
    GROUP,
    HIERARCHY,
    LOOK_ALIKE,
    LOST,
    PLATFORM,
    SECOND,
    SIBLING,
    SUBNET,
    SUBSCRIPTION,
    TENANT,
    VNET,
)

ABOVE = {
    "itself": (SUBNET, True),
    "the virtual network": (VNET, True),
    "the resource group": (GROUP, True),
    "the resource group, shouted": (GROUP.upper(), True),
    "the resource group, other word casing": (GROUP.replace("resourceGroups", "resourcegroups"), True),
    "the resource group with a slash": (GROUP + "/", True),
    "the subscription": (SUBSCRIPTION, True),
    "the nearer management group": (PLATFORM, True),
    "the farther management group": (TENANT.upper(), True),
    "the root": ("/", True),
    "a sibling": (SIBLING, False),
    "a look-alike group": (LOOK_ALIKE, False),
    "the look-alike other way": (GROUP[:-1], False),
    "another subscription": (SECOND, False),
    "a management group elsewhere": (FOREIGN, False),
    "something below": (SUBNET + "/providers/Microsoft.Insights/locks/l", False),
}


@pytest.mark.parametrize(("scope", "expected"), ABOVE.values(), ids=ABOVE)
def test_reaches_subnet(scope: str, expected: bool) -> None:
    assert HIERARCHY.reaches(Scope.parse(scope), Scope.parse(SUBNET)) is expected


def test_chain_is_nearest_first_and_holds_scopes_only() -> None:
    chain = HIERARCHY.chain(Scope.parse(SUBNET))
    assert chain.keys == tuple(key.lower() for key in (SUBNET, VNET, GROUP, SUBSCRIPTION, PLATFORM, TENANT, "/"))
    assert chain.unread is None


def test_extension_resource_lies_under_what_it_extends() -> None:
    extension = f"{VNET}/providers/Microsoft.Insights/diagnosticSettings/d"
    keys = HIERARCHY.chain(Scope.parse(extension)).keys
    assert keys[:3] == (extension.lower(), VNET.lower(), GROUP.lower())


def test_unknown_hierarchy_says_so_only_of_management_groups() -> None:
    subnet = Scope.parse(SUBNET)
    assert isinstance(NO_HIERARCHY.reaches(Scope.parse(PLATFORM), subnet), Unread)
    assert NO_HIERARCHY.reaches(Scope.parse(GROUP), subnet) is True
    assert NO_HIERARCHY.reaches(Scope.parse(LOOK_ALIKE), subnet) is False
    assert NO_HIERARCHY.reaches(Scope.parse("/"), subnet) is True


def test_partial_chain_keeps_what_is_proved() -> None:
    partly = Hierarchy.of({SUBSCRIPTION: Listing((PLATFORM,), LOST)})
    subnet = Scope.parse(SUBNET)
    assert partly.reaches(Scope.parse(PLATFORM), subnet) is True
    assert partly.reaches(Scope.parse(TENANT), subnet) == LOST


def test_management_group_has_parents_where_a_whole_chain_shows_them() -> None:
    assert HIERARCHY.reaches(Scope.parse(TENANT), Scope.parse(PLATFORM)) is True
    assert HIERARCHY.reaches(Scope.parse(PLATFORM), Scope.parse(TENANT)) is False
    assert isinstance(HIERARCHY.reaches(Scope.parse(TENANT), Scope.parse(FOREIGN)), Unread)


def test_names_and_ids_of_management_groups_are_one() -> None:
    by_id = Hierarchy.of({SUBSCRIPTION.rpartition("/")[2].upper(): [PLATFORM.upper(), "Tenant"]})
    assert by_id.chain(Scope.parse(SUBNET)).keys == HIERARCHY.chain(Scope.parse(SUBNET)).keys


@pytest.mark.parametrize(
    "odd", ["/subscriptions", "/providers/Microsoft.Subscription", "/x/y/z", "/subscriptions/s/providers"]
)
def test_odd_ids_have_a_chain_that_ends_at_the_root(odd: str) -> None:
    keys = HIERARCHY.chain(Scope.parse(odd)).keys
    assert keys[0] == odd.lower()
    assert keys[-1] == "/"
