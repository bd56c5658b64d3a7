"""What a principal holds, what is too broad, what ends soon, and what denials keep it from."""

from __future__ import annotations

from datetime import timedelta

import pytest

from auditor.access import (
    ALL_READ,
    NO_HIERARCHY,
    NOTHING_READ,
    AccessModel,
    Breadth,
    Coverage,
    Membership,
    Scope,
    State,
    covers_all,
    expiring,
    held,
    overbroad,
)
from auditor.access.needed import ON_SUBNET
from auditor.access.roles import (
    ACR_PULL,
    CONTRIBUTOR,
    NETWORK_CONTRIBUTOR,
    OWNER,
    RBAC_ADMINISTRATOR,
    READER,
    STORAGE_BLOB_DATA_CONTRIBUTOR,
    USER_ACCESS_ADMINISTRATOR,
)
from auditor.values import Unread
from tests.access.rights import (
    CONSTRAINS_ROLES,
    CONTROL,
    GROUP,
    KUBELET,
    LOOK_ALIKE,
    LOST,
    NO_GRAPH,
    NOW,
    PLATFORM,
    SUBNET,
    SUBSCRIPTION,
    TEAM,
    TENANT,
    VNET,
    P,
    custom,
    given,
    rights,
    to_group,
)

ROLE = "abcdef00-0000-4000-8000-000000000001"
UNKNOWN_ROLE = "abcdef00-0000-4000-8000-000000000000"
IN_TEAM = Membership.of([(TEAM, CONTROL)])
NO_GROUPS_READ = Membership.of(missing=NO_GRAPH)
HERE = (Scope.parse(SUBSCRIPTION),)
AT_SUBSCRIPTION = Coverage.of(upwards=[SUBSCRIPTION])

BROAD = {
    "owner of the subscription": (rights(given(OWNER, SUBSCRIPTION)), [Breadth.OWNER], True),
    "owner above": (rights(given(OWNER, TENANT)), [Breadth.OWNER], True),
    "owner of the root": (rights(given(OWNER, "/")), [Breadth.OWNER], True),
    "owner of a group is not": (rights(given(OWNER, GROUP)), [], True),
    "gives roles": (rights(given(USER_ACCESS_ADMINISTRATOR, SUBSCRIPTION)), [Breadth.ROLE_ASSIGNMENT_WRITE], True),
    "gives roles under a condition": (
        rights(given(RBAC_ADMINISTRATOR, SUBSCRIPTION, condition=CONSTRAINS_ROLES)),
        [Breadth.ROLE_ASSIGNMENT_WRITE],
        True,
    ),
    "a custom role that gives roles": (
        rights(given(ROLE, SUBSCRIPTION), roles=[custom(ROLE, "Microsoft.Authorization/*")]),
        [Breadth.ROLE_ASSIGNMENT_WRITE],
        True,
    ),
    "contributor of a management group": (
        rights(given(CONTRIBUTOR, PLATFORM)),
        [Breadth.CONTRIBUTOR_AT_MANAGEMENT_GROUP],
        True,
    ),
    "a custom contributor of a management group": (
        rights(given(ROLE, PLATFORM), roles=[custom(ROLE, "*", but=["Microsoft.Authorization/*"])]),
        [Breadth.CONTRIBUTOR_AT_MANAGEMENT_GROUP],
        True,
    ),
    "contributor of a subscription is not": (rights(given(CONTRIBUTOR, SUBSCRIPTION)), [], True),
    "blobs of a whole subscription": (
        rights(given(STORAGE_BLOB_DATA_CONTRIBUTOR, SUBSCRIPTION)),
        [Breadth.DATA_ROLE_AT_SUBSCRIPTION],
        True,
    ),
    "all data by a star": (
        rights(given(ROLE, SUBSCRIPTION), roles=[custom(ROLE, data=["*"])]),
        [Breadth.DATA_ROLE_AT_SUBSCRIPTION],
        True,
    ),
    "other data is not": (
        rights(given(ROLE, SUBSCRIPTION), roles=[custom(ROLE, data=["Microsoft.ContainerService/*"])]),
        [],
        True,
    ),
    "by a group": (rights(to_group(OWNER, SUBSCRIPTION), members=IN_TEAM), [Breadth.OWNER], True),
    "eligible is not": (rights(given(OWNER, SUBSCRIPTION, eligible=True)), [], True),
    "ended is not": (rights(given(OWNER, SUBSCRIPTION, ends=NOW)), [], True),
    "reader is not": (rights(given(READER, TENANT)), [], True),
    "two of them": (
        rights(given(OWNER, SUBSCRIPTION), given(CONTRIBUTOR, TENANT)),
        [Breadth.CONTRIBUTOR_AT_MANAGEMENT_GROUP, Breadth.OWNER],
        True,
    ),
    "read at and above the subscription": (rights(coverage=AT_SUBSCRIPTION), [], True),
    # Not proved absent.
    "nothing read": (rights(coverage=NOTHING_READ), [], False),
    "a group may hold it": (rights(to_group(OWNER, SUBSCRIPTION), members=NO_GROUPS_READ), [], False),
    "a group may hold an unknown role": (
        rights(to_group(UNKNOWN_ROLE, TENANT), members=NO_GROUPS_READ),
        [],
        False,
    ),
    "a group holds less": (rights(to_group(READER, SUBSCRIPTION), members=NO_GROUPS_READ), [], True),
    "a group holds it on a group": (rights(to_group(OWNER, GROUP), members=NO_GROUPS_READ), [], True),
    "unknown role at the subscription": (rights(given(UNKNOWN_ROLE, SUBSCRIPTION)), [], False),
    "unknown role on a group": (rights(given(UNKNOWN_ROLE, GROUP)), [], True),
    "unreadable place": (rights(given(OWNER, LOST)), [], False),
    "unreadable end": (rights(given(OWNER, SUBSCRIPTION, ends=LOST)), [], False),
    "unreadable end of a reader": (rights(given(READER, SUBSCRIPTION, ends=LOST)), [], True),
}


@pytest.mark.parametrize(("model", "breadths", "whole"), BROAD.values(), ids=BROAD)
def test_overbroad(model: AccessModel, breadths: list[Breadth], whole: bool) -> None:
    found = overbroad(model, P, within=HERE, at=NOW)
    assert ([one.breadth for one in found], found.whole) == (breadths, whole)


def test_nothing_is_known_of_an_unresolved_principal() -> None:
    model = rights(given(OWNER, SUBSCRIPTION))
    for found in (
        overbroad(model, LOST, within=HERE, at=NOW).missing,
        held(model, LOST, at=NOW).missing,
        expiring(model, LOST, at=NOW).missing,
    ):
        assert found == LOST


def test_held_lists_each_role_once_by_scope() -> None:
    model = rights(
        given(READER, GROUP),
        given(READER, GROUP.upper(), name="again"),
        given(OWNER, SUBSCRIPTION, eligible=True),
        given(ACR_PULL, VNET, ends=NOW),
        given(READER, VNET, ends=LOST),
        given(OWNER, GROUP, to=KUBELET),
        given(OWNER, GROUP, kind="Unknown", name="gone"),
        to_group(NETWORK_CONTRIBUTOR, TENANT),
        members=IN_TEAM,
    )
    assert [(one.role, one.state, one.via_group) for one in held(model, P, at=NOW)] == [
        ("Network Contributor", State.ACTIVE, TEAM),
        ("Owner", State.ELIGIBLE, None),
        ("Reader", State.ACTIVE, None),
        ("AcrPull", State.EXPIRED, None),
        ("Reader", State.UNKNOWN, None),
    ]


def test_held_names_an_unknown_role_by_its_guid() -> None:
    [one] = held(rights(given(UNKNOWN_ROLE.upper())), P, at=NOW)
    assert one.role == UNKNOWN_ROLE
    [other] = held(rights(given(LOST)), P, at=NOW)
    assert other.role == "unreadable role"


def test_held_knows_what_it_does_not_know() -> None:
    assert held(rights(), P, at=NOW).whole
    assert held(rights(members=NO_GROUPS_READ), P, at=NOW).missing == NO_GRAPH
    assert isinstance(held(rights(coverage=AT_SUBSCRIPTION), P, at=NOW).missing, Unread)


def test_held_is_not_whole_while_eligible_ones_are_unread() -> None:
    model = AccessModel.of(coverage=ALL_READ, membership=IN_TEAM, eligible_missing=LOST)
    assert held(model, P, at=NOW).missing == LOST


def test_expiring_soonest_first_within_the_days() -> None:
    model = rights(
        given(READER, GROUP, ends=NOW + timedelta(days=14)),
        given(READER, VNET, ends=NOW + timedelta(days=2)),
        given(READER, SUBSCRIPTION, ends=NOW + timedelta(days=15)),
        given(OWNER, SUBSCRIPTION),
        given(OWNER, GROUP, ends=NOW),
        given(OWNER, VNET, ends=NOW + timedelta(days=1), eligible=True),
    )
    assert [str(one.assignment.scope) for one in expiring(model, P, at=NOW)] == [VNET, GROUP]
    assert [str(one.assignment.scope) for one in expiring(model, P, at=NOW, days=3)] == [VNET]


def test_covers_all_names_the_roles() -> None:
    found = covers_all(rights(given(CONTRIBUTOR, SUBSCRIPTION)), P, ON_SUBNET, Scope.parse(GROUP), at=NOW)
    assert [role.name for role in found.roles] == ["Contributor"]


ASSIGNABLE = {
    "its subscription": (["/subscriptions/10000000-0000-4000-8000-000000000001/"], True),
    "its group, shouted": ([GROUP.upper()], True),
    "anywhere": (["/"], True),
    "its management group": ([PLATFORM], True),
    "a look-alike group": ([LOOK_ALIKE], False),
    "below only": ([SUBNET], False),
    "nowhere": ([], False),
}


@pytest.mark.parametrize(("places", "expected"), ASSIGNABLE.values(), ids=ASSIGNABLE)
def test_assignable(places: list[str], expected: bool) -> None:
    role = custom(ROLE, "*")
    role = type(role)(role.id, role.guid, role.name, role.kind, role.blocks, tuple(places))
    assert rights().assignable(role, Scope.parse(VNET)) is expected


def test_assignable_where_management_groups_are_unread() -> None:
    role = custom(ROLE, "*")
    role = type(role)(role.id, role.guid, role.name, role.kind, role.blocks, (PLATFORM,))
    assert isinstance(rights(hierarchy=NO_HIERARCHY).assignable(role, Scope.parse(VNET)), Unread)


def test_assignments_of_a_role_and_custom_roles() -> None:
    model = rights(given(ROLE, name="b"), given(ROLE.upper(), to=KUBELET, name="a"), roles=[custom(ROLE.upper(), "*")])
    assert [one.id[-1] for one in model.assignments_of_role(ROLE.upper())] == ["a", "b"]
    assert [role.kind for role in model.custom_roles()] == ["custom"]
