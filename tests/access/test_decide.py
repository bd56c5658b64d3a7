"""May the cluster's principal do this there? One row, one question; the name says why the row is here."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from auditor.access import (
    ALL_READ,
    NO_HIERARCHY,
    NOTHING_READ,
    AccessDecision,
    AccessModel,
    Coverage,
    Hierarchy,
    Membership,
    MissKind,
    Permission,
    Principal,
    Reach,
    RoleDefinition,
    Scope,
    Status,
    decide,
    grants_role,
)
from auditor.access.needed import ON_KUBELET_IDENTITY, ON_SUBNET, REPOSITORY_PULL_DATA
from auditor.access.roles import (
    ACR_PULL,
    CONTRIBUTOR,
    MANAGED_IDENTITY_OPERATOR,
    NETWORK_CONTRIBUTOR,
    OWNER,
    PRIVATE_DNS_ZONE_CONTRIBUTOR,
    READER,
    REPOSITORY_READER,
    USER_ACCESS_ADMINISTRATOR,
    VIRTUAL_MACHINE_CONTRIBUTOR,
)
from auditor.values import Listing, Unread
from tests.access.rights import (
    CLUSTER_GROUP,
    CONSTRAINS_NETWORK,
    CONSTRAINS_ROLES,
    CONTROL,
    FOREIGN,
    GROUP,
    JOIN,
    KUBELET,
    LOOK_ALIKE,
    LOST,
    NO_GRAPH,
    NOW,
    OTHER,
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
    P,
    custom,
    deny,
    given,
    rights,
    to_group,
)

NETWORK = NETWORK_CONTRIBUTOR
UNKNOWN_ROLE = "abcdef00-0000-4000-8000-000000000000"
ROLE = "abcdef00-0000-4000-8000-000000000001"
IN_TEAM = Membership.of([(TEAM, CONTROL)])
NESTED = Membership.of([(OUTER, TEAM), (TEAM, CONTROL)])
NO_GROUPS_READ = Membership.of(missing=NO_GRAPH)
TEAM_KNOWN = Membership.of([(TEAM, CONTROL)], missing=NO_GRAPH)
OWN_GROUPS_READ = Membership.of(missing=NO_GRAPH, read_for=[CONTROL.upper()])
EVERYBODY = Principal("00000000-0000-0000-0000-000000000000", "SystemDefined")
A_GROUP = Principal(TEAM, "Group")
AT_GROUP = Coverage.of(upwards=[GROUP])
SUBSCRIPTION_READ = Coverage.of(downwards=[SUBSCRIPTION])
BOTH_WAYS = Coverage.of(upwards=[SUBSCRIPTION], downwards=[SUBSCRIPTION])
HOLE = Coverage.of(downwards=["/"], holes={GROUP: Unread(GROUP, "403", "", "assignments-unread")})
HOLE_ELSEWHERE = Coverage.of(downwards=["/"], holes={LOOK_ALIKE: Unread(LOOK_ALIKE, "403")})
PARTLY = Hierarchy.of({SUBSCRIPTION: Listing((PLATFORM,), LOST)})
TWO_BLOCKS = RoleDefinition(
    "/x", ROLE, "two blocks", "custom", (Permission(("*",), ("*/join/action",)), Permission((JOIN, READ)))
)
CONDITION_INSIDE = RoleDefinition(
    "/x", ROLE, "condition inside", "custom", (Permission(("*",), condition=CONSTRAINS_NETWORK),)
)
HARMLESS_INSIDE = RoleDefinition(
    "/x", ROLE, "condition inside", "custom", (Permission(("*",), condition=CONSTRAINS_ROLES),)
)
DATA_ONLY = RoleDefinition("/x", ROLE, "data", "custom", (Permission(data_actions=("*",)),))

GRANTED = {
    "as documented, on the resource group": rights(given(NETWORK)),
    "on the subnet": rights(given(NETWORK, SUBNET)),
    "on the virtual network": rights(given(NETWORK, VNET)),
    "on the subscription": rights(given(NETWORK, SUBSCRIPTION)),
    "on the management group": rights(given(NETWORK, PLATFORM)),
    "on the tenant's management group": rights(given(NETWORK, TENANT)),
    "on the root": rights(given(NETWORK, "/")),
    "odd casing everywhere": rights(given(NETWORK.upper(), GROUP.upper(), to=CONTROL.upper(), kind="serviceprincipal")),
    "owner": rights(given(OWNER)),
    "contributor": rights(given(CONTRIBUTOR)),
    "custom role with both": rights(given(ROLE), roles=[custom(ROLE, JOIN, READ)]),
    "join from one role, read from another": rights(given(VIRTUAL_MACHINE_CONTRIBUTOR), given(READER, SUBSCRIPTION)),
    "notActions of another role do not subtract": rights(
        given(NETWORK), given(ROLE), roles=[custom(ROLE, "*", but=["*/join/action", "*/read"])]
    ),
    "notActions of another block do not subtract": rights(given(ROLE), roles=[TWO_BLOCKS]),
    "held by a group it is in": rights(to_group(NETWORK), members=IN_TEAM),
    "held by a group of groups": rights(to_group(NETWORK, group=OUTER), members=NESTED),
    "group known although not all are": rights(to_group(NETWORK), members=TEAM_KNOWN),
    "condition on role assignments": rights(given(NETWORK, condition=CONSTRAINS_ROLES)),
    "harmless condition inside the role": rights(given(ROLE), roles=[HARMLESS_INSIDE]),
    "ends later": rights(given(NETWORK, ends=NOW + timedelta(days=1))),
    "twice": rights(given(NETWORK), given(NETWORK, name="again")),
    # Decided beats unread.
    "nothing else read": rights(given(NETWORK), coverage=NOTHING_READ, hierarchy=NO_HIERARCHY, members=NO_GROUPS_READ),
    "beside a role that is not known": rights(given(NETWORK), given(UNKNOWN_ROLE)),
    "beside a condition": rights(given(NETWORK), given(OWNER, condition=CONSTRAINS_NETWORK)),
    "beside an unreadable row": rights(given(NETWORK), given(OWNER, LOST), given(OWNER, to=LOST)),
    "deny assignments not read, none expected": rights(given(NETWORK), deny_coverage=NOTHING_READ),
    "deny assignments expected and read": rights(given(NETWORK), denies_expected=[GROUP]),
    "deny assignments expected elsewhere": rights(
        given(NETWORK), denies_expected=[LOOK_ALIKE], deny_coverage=NOTHING_READ
    ),
    "proved management group of a partial chain": rights(given(NETWORK, PLATFORM), hierarchy=PARTLY),
    # Deny assignments that do not concern it.
    "deny of something else": rights(given(NETWORK), denies=[deny("Microsoft.Network/*/write")]),
    "deny but for these": rights(given(NETWORK), denies=[deny("*", but=["Microsoft.Network/*"])]),
    "deny at a look-alike group": rights(given(NETWORK), denies=[deny("*", at=LOOK_ALIKE)]),
    "deny of unreadable actions, elsewhere": rights(given(NETWORK), denies=[deny(at=SIBLING)]),
    "deny of unreadable actions, of another": rights(given(NETWORK), denies=[deny(whom=[Principal(OTHER, "User")])]),
    "deny of unreadable principals, of something else": rights(given(NETWORK), denies=[deny("*/delete", whom=LOST)]),
    "deny at a sibling": rights(given(NETWORK), denies=[deny("*", at=SIBLING)]),
    "deny not handed down": rights(given(NETWORK), denies=[deny("*", not_to_children=True)]),
    "deny of another": rights(given(NETWORK), denies=[deny("*", whom=[Principal(OTHER, "User")])]),
    "deny of everyone but it": rights(given(NETWORK), denies=[deny("*", whom=[EVERYBODY], not_whom=[P])]),
    "deny of everyone but its group": rights(
        given(NETWORK), denies=[deny("*", whom=[EVERYBODY], not_whom=[A_GROUP])], members=IN_TEAM
    ),
    "deny that only audits": rights(given(NETWORK), denies=[deny("*", enforced=False)]),
    "deny of another user, groups unread": rights(
        given(NETWORK), denies=[deny("*", whom=[Principal(OTHER, "User")])], members=NO_GROUPS_READ
    ),
    "deny under a management group elsewhere": rights(given(NETWORK), denies=[deny("*", at=FOREIGN)]),
}

MISSING = {
    "nothing at all": rights(),
    "on a look-alike group": rights(given(NETWORK, LOOK_ALIKE)),
    "on a group whose name is a beginning": rights(given(NETWORK, GROUP[:-1])),
    "on the cluster's own group": rights(given(NETWORK, CLUSTER_GROUP)),
    "on the sibling subnet": rights(given(NETWORK, SIBLING)),
    "on another subscription": rights(given(NETWORK, SECOND)),
    "on a management group elsewhere": rights(given(NETWORK, FOREIGN)),
    "to the kubelet identity": rights(given(NETWORK, to=KUBELET)),
    "reader": rights(given(READER)),
    "join without read": rights(given(VIRTUAL_MACHINE_CONTRIBUTOR)),
    "the misspelt custom role": rights(
        given(ROLE), roles=[custom(ROLE, "Microsoft.Network/virtualNetworks/subnet/join/action", READ)]
    ),
    "join taken away by a notAction": rights(
        given(ROLE), roles=[custom(ROLE, "Microsoft.Network/virtualNetworks/*", but=["*/join/action"])]
    ),
    "data actions are no actions": rights(given(ROLE), roles=[DATA_ONLY]),
    "eligible only": rights(given(NETWORK, eligible=True)),
    "ended": rights(given(NETWORK, ends=NOW - timedelta(seconds=1))),
    "ends this moment": rights(given(NETWORK, ends=NOW)),
    "principal of type Unknown": rights(given(NETWORK, kind="Unknown")),
    "principal gone": rights(given(NETWORK), gone=[CONTROL.upper()]),
    "principal gone, a group held it": rights(to_group(NETWORK), gone=[CONTROL], members=IN_TEAM),
    "principal gone, nothing else read": rights(given(NETWORK), gone=[CONTROL], coverage=NOTHING_READ),
    "held by a group it is not in": rights(to_group(NETWORK)),
    "its own groups are read, others' are not": rights(to_group(NETWORK), members=OWN_GROUPS_READ),
    "groups unread, none holds a role": rights(given(READER), members=NO_GROUPS_READ),
    "groups unread, one holds too little": rights(to_group(ACR_PULL), members=NO_GROUPS_READ),
    "groups unread, one holds it elsewhere": rights(to_group(NETWORK, LOOK_ALIKE), members=NO_GROUPS_READ),
    "groups unread, one is only eligible": rights(
        given(NETWORK, to=TEAM, kind="Group", eligible=True), members=NO_GROUPS_READ
    ),
    "unknown role of another": rights(given(UNKNOWN_ROLE, to=OTHER)),
    "unknown role elsewhere": rights(given(UNKNOWN_ROLE, LOOK_ALIKE)),
    "unknown role, but only eligible": rights(given(UNKNOWN_ROLE, eligible=True)),
    "condition on a role that lacks it": rights(given(ACR_PULL, condition=CONSTRAINS_NETWORK)),
    "hierarchy unread, nothing at management groups": rights(given(READER), hierarchy=NO_HIERARCHY),
    "hierarchy unread, too little at a management group": rights(given(ACR_PULL, FOREIGN), hierarchy=NO_HIERARCHY),
    "read at and above, and below": rights(coverage=BOTH_WAYS),
    "read below the subscription, and upwards from another group": rights(
        coverage=Coverage.of(downwards=[SUBSCRIPTION], upwards=[LOOK_ALIKE])
    ),
    "the same with management groups unread": rights(
        coverage=Coverage.of(downwards=[SUBSCRIPTION], upwards=[LOOK_ALIKE]), hierarchy=NO_HIERARCHY
    ),
    "a group that is gone held it": rights(to_group(NETWORK), gone=[TEAM], members=IN_TEAM),
    "unreadable row of a group, groups are read": rights(given(OWNER, LOST, to=TEAM, kind="Group")),
    "a hole that does not concern it": rights(coverage=HOLE_ELSEWHERE),
    "unreadable row of another user": rights(given(OWNER, LOST, to=OTHER, kind="User"), members=NO_GROUPS_READ),
    "unreadable scope, role that lacks it": rights(given(ACR_PULL, LOST)),
    "unreadable principal elsewhere": rights(given(OWNER, LOOK_ALIKE, to=LOST)),
    "an empty role": rights(given(ROLE), roles=[custom(ROLE)]),
}

DENIED = {
    "over an owner": rights(given(OWNER), denies=[deny("*")]),
    "without any grant": rights(denies=[deny("*")]),
    "of join only": rights(given(NETWORK), denies=[deny("*/JOIN/action")]),
    "of everyone": rights(given(NETWORK), denies=[deny("*", whom=[EVERYBODY])]),
    "of everyone, excluding another": rights(
        given(NETWORK),
        denies=[deny("*", whom=[EVERYBODY], not_whom=[Principal(OTHER, "User")])],
        members=NO_GROUPS_READ,
    ),
    "of its group": rights(given(NETWORK), denies=[deny("*", whom=[A_GROUP])], members=IN_TEAM),
    "at the subnet, not handed down": rights(given(NETWORK), denies=[deny("*", at=SUBNET, not_to_children=True)]),
    "at the management group": rights(given(NETWORK), denies=[deny("*", at=PLATFORM.upper())]),
    "while much is unread": rights(
        given(UNKNOWN_ROLE), denies=[deny("*")], coverage=NOTHING_READ, hierarchy=NO_HIERARCHY, members=NO_GROUPS_READ
    ),
    "under a harmless condition": rights(given(NETWORK), denies=[deny("*", condition=CONSTRAINS_ROLES)]),
}

UNDECIDED = {
    "a group may hold it": (rights(to_group(NETWORK), members=NO_GROUPS_READ), "group-membership"),
    "a holder of unread type may be a group": (
        rights(given(NETWORK, to=TEAM, kind=""), members=NO_GROUPS_READ),
        "group-membership",
    ),
    "a foreign group may hold it": (
        rights(given(NETWORK, to=TEAM, kind="ForeignGroup"), members=NO_GROUPS_READ),
        "group-membership",
    ),
    "a group may hold an unknown role": (rights(to_group(UNKNOWN_ROLE), members=NO_GROUPS_READ), "group-membership"),
    "a group at a management group that may be above": (
        rights(to_group(NETWORK, FOREIGN), members=NO_GROUPS_READ, hierarchy=NO_HIERARCHY),
        "group-membership",
    ),
    "one group known, another not": (rights(to_group(NETWORK, group=OUTER), members=TEAM_KNOWN), "group-membership"),
    "role definition not read": (rights(given(UNKNOWN_ROLE)), "role-definition-unread"),
    "role of a group it is in not read": (
        rights(to_group(UNKNOWN_ROLE), members=IN_TEAM),
        "role-definition-unread",
    ),
    "role id missing": (rights(given(LOST)), "role-definition-unread"),
    "role id empty": (rights(given("")), "role-definition-unread"),
    "two definitions that differ": (
        rights(given(ROLE), roles=[custom(ROLE, JOIN, READ), custom(ROLE, "*/read")]),
        "role-definition-unread",
    ),
    "nothing read": (rights(coverage=NOTHING_READ), "assignments-unread"),
    "two definitions of a built-in role that differ": (
        rights(given(NETWORK), roles=[custom(NETWORK, JOIN, READ), custom(NETWORK, "*/read")]),
        "role-definition-unread",
    ),
    "read at the group and above, not at the subnet": (rights(coverage=AT_GROUP), "assignments-unread"),
    "read in the subscription, not above": (rights(coverage=SUBSCRIPTION_READ), "assignments-unread"),
    "read in the subscription, management groups unread": (
        rights(coverage=SUBSCRIPTION_READ, hierarchy=NO_HIERARCHY),
        "assignments-unread",
    ),
    "a hole that names no scope": (rights(coverage=Coverage.of(downwards=["/"], holes={"": LOST})), "unread"),
    "a hole at a management group that may be above": (
        rights(coverage=Coverage.of(downwards=["/"], holes={FOREIGN: LOST}), hierarchy=NO_HIERARCHY),
        "unread",
    ),
    "read at, above and below all but the root": (
        rights(coverage=Coverage.of(downwards=[TENANT])),
        "assignments-unread",
    ),
    "another subscription read": (
        rights(coverage=Coverage.of(downwards=[SECOND], upwards=[SECOND])),
        "assignments-unread",
    ),
    "look-alike group read": (
        rights(coverage=Coverage.of(downwards=[LOOK_ALIKE], upwards=[LOOK_ALIKE])),
        "assignments-unread",
    ),
    "a hole at the group": (rights(coverage=HOLE), "assignments-unread"),
    "condition that can reach it": (rights(given(NETWORK, condition=CONSTRAINS_NETWORK)), "condition"),
    "condition that cannot be parsed": (rights(given(NETWORK, condition="only on weekdays")), "condition"),
    "condition inside the role": (rights(given(ROLE), roles=[CONDITION_INSIDE]), "condition"),
    "condition not read": (rights(given(NETWORK, condition_read=False)), "condition-unread"),
    "management groups not known": (rights(given(NETWORK, FOREIGN), hierarchy=NO_HIERARCHY), "hierarchy-unread"),
    "management groups partly known": (rights(given(NETWORK, FOREIGN), hierarchy=PARTLY), "unread"),
    "scope of an owner unreadable": (rights(given(OWNER, LOST)), "assignment-unreadable"),
    "holder of an owner unreadable": (rights(given(OWNER, to=LOST)), "assignment-unreadable"),
    "holder empty": (rights(given(OWNER, to="")), "assignment-unreadable"),
    "scope of a group's role unreadable": (
        rights(given(OWNER, LOST, to=TEAM, kind="Group"), members=NO_GROUPS_READ),
        "assignment-unreadable",
    ),
    "end unreadable": (rights(given(NETWORK, ends=LOST)), "end-unread"),
    "deny expected and unread": (
        rights(given(NETWORK), denies_expected=[GROUP.upper()], deny_coverage=NOTHING_READ),
        "deny-unread",
    ),
    "deny of a group it may be in": (
        rights(given(NETWORK), denies=[deny("*", whom=[A_GROUP])], members=NO_GROUPS_READ),
        "group-membership",
    ),
    "deny of everyone but a group it may be in": (
        rights(given(NETWORK), denies=[deny("*", whom=[EVERYBODY], not_whom=[A_GROUP])], members=NO_GROUPS_READ),
        "group-membership",
    ),
    "deny under a condition": (rights(given(NETWORK), denies=[deny("*", condition="x")]), "deny-unread"),
    "deny of unreadable principals": (rights(given(NETWORK), denies=[deny("*", whom=LOST)]), "deny-unread"),
    "deny of unreadable actions": (rights(given(NETWORK), denies=[deny()]), "deny-unread"),
    "deny at an unreadable scope": (rights(given(NETWORK), denies=[deny("*", at=LOST)]), "deny-unread"),
    "deny at a management group that may be above": (
        rights(given(NETWORK), denies=[deny("*", at=FOREIGN)], hierarchy=NO_HIERARCHY),
        "hierarchy-unread",
    ),
}


def ask(model: AccessModel, principal: Principal | Unread = P, scope: str = SUBNET) -> AccessDecision:
    return decide(model, principal, ON_SUBNET, Scope.parse(scope), at=NOW, others={"the kubelet identity": KUBELET})


@pytest.mark.parametrize("model", GRANTED.values(), ids=GRANTED)
def test_granted(model: AccessModel) -> None:
    decision = ask(model)
    assert (decision.status, decision.pieces) == (Status.GRANTED, ())
    assert [answer.asked for answer in decision.granted] == list(ON_SUBNET)


@pytest.mark.parametrize("model", MISSING.values(), ids=MISSING)
def test_missing(model: AccessModel) -> None:
    decision = ask(model)
    assert (decision.status, decision.pieces) == (Status.MISSING, ())


@pytest.mark.parametrize("model", DENIED.values(), ids=DENIED)
def test_denied(model: AccessModel) -> None:
    assert ask(model).status is Status.DENIED


@pytest.mark.parametrize(("model", "reason"), UNDECIDED.values(), ids=UNDECIDED)
def test_undecided(model: AccessModel, reason: str) -> None:
    decision = ask(model)
    assert (decision.status, {piece.reason for piece in decision.pieces}) == (Status.UNDECIDED, {reason})
    assert decision.effect is None


# What stands nearest


def the_miss(model: AccessModel, scope: str = SUBNET) -> tuple[MissKind, str, tuple[str, ...]]:
    first = ask(model, scope=scope).misses[0]
    return first.kind, first.assignment.id.rpartition("/")[2], first.asked


NEAREST = {
    "kubelet instead": (rights(given(NETWORK, to=KUBELET, name="a")), MissKind.OTHER_PRINCIPAL, (READ, JOIN)),
    "cluster's group instead": (rights(given(NETWORK, CLUSTER_GROUP, name="a")), MissKind.NOT_REACHING, (READ, JOIN)),
    "join without read": (rights(given(VIRTUAL_MACHINE_CONTRIBUTOR, name="a")), MissKind.WRONG_ROLE, (READ,)),
    "read without join": (rights(given(READER, name="a")), MissKind.WRONG_ROLE, (JOIN,)),
    "eligible only": (rights(given(NETWORK, eligible=True, name="a")), MissKind.ELIGIBLE, (READ, JOIN)),
    "ended": (rights(given(NETWORK, ends=NOW, name="a")), MissKind.EXPIRED, (READ, JOIN)),
    "gone": (rights(given(NETWORK, kind="Unknown", name="a")), MissKind.PRINCIPAL_GONE, (READ, JOIN)),
    "notAction": (
        rights(given(ROLE, name="a"), roles=[custom(ROLE, "*", but=["*/join/action"])]),
        MissKind.NOT_ACTION,
        (JOIN,),
    ),
    "the most telling of many": (
        rights(given(NETWORK, CLUSTER_GROUP), given(READER), given(NETWORK, to=KUBELET, name="a")),
        MissKind.OTHER_PRINCIPAL,
        (JOIN,),
    ),
    "the nearest of two scopes": (
        rights(given(NETWORK, SECOND, name="far"), given(NETWORK, SIBLING, name="a")),
        MissKind.NOT_REACHING,
        (READ, JOIN),
    ),
    "by a group": (rights(to_group(NETWORK, LOOK_ALIKE), members=IN_TEAM), MissKind.NOT_REACHING, (READ, JOIN)),
}


@pytest.mark.parametrize(("model", "kind", "lacks"), NEAREST.values(), ids=NEAREST)
def test_nearest_miss(model: AccessModel, kind: MissKind, lacks: tuple[str, ...]) -> None:
    found, name, asked = the_miss(model)
    assert (found, asked) == (kind, lacks)
    assert name in ("a", f"{NETWORK}-{TEAM}")


def test_misses_are_told_in_words_over_facts() -> None:
    decision = ask(rights(given(NETWORK, to=KUBELET), given(NETWORK, CLUSTER_GROUP)))
    told = [step.text.format(**step.facts) for step in (miss.told for miss in decision.misses)]
    assert told == [
        f"Network Contributor at {GROUP} is held by the kubelet identity instead",
        f"Network Contributor is held at {CLUSTER_GROUP}, which is neither the scope asked about nor above it",
    ]
    assert all(miss.told in decision.trace for miss in decision.missing[0].misses)


def test_useless_roles_of_others_are_no_misses() -> None:
    assert ask(rights(given(READER, to=KUBELET), given(READER, LOOK_ALIKE))).missing[1].misses == ()


def test_who_is_asked_about_is_nobody_else() -> None:
    model = rights(given(NETWORK, ends=NOW))
    decision = decide(model, P, ON_SUBNET, Scope.parse(SUBNET), at=NOW, others={"itself": CONTROL.upper()})
    assert [miss.kind for miss in decision.missing[0].misses] == [MissKind.EXPIRED]


def test_an_assignment_grants_until_it_ends_and_never_while_it_is_only_eligible() -> None:
    later = NOW + timedelta(days=1)
    assert given(NETWORK).active(NOW) is True
    assert given(NETWORK, ends=later).active(NOW) is True
    assert given(NETWORK, ends=NOW).active(NOW) is False
    assert given(NETWORK, eligible=True).active(NOW) is False
    assert given(NETWORK, eligible=True, ends=later).active(NOW) is False
    assert given(NETWORK, ends=LOST).active(NOW) == LOST


def test_misses_are_few() -> None:
    crowd = [given(NETWORK, f"{SUBSCRIPTION}/resourceGroups/g{number}") for number in range(100)]
    assert len(ask(rights(*crowd)).missing[0].misses) == 12


# What decides


def test_grant_names_assignment_block_and_role() -> None:
    decision = ask(rights(given(NETWORK, SUBSCRIPTION, name="far"), given(NETWORK, name="near")))
    [read, join] = decision.granted
    assert join.assignment.id.endswith("/near")
    assert join.block is not None
    assert "Microsoft.Network/*" in join.block.actions
    assert [role.name for role in decision.roles] == ["Network Contributor"]
    assert read.told.text.format(**read.told.facts) == f"Network Contributor at {GROUP} grants {READ}"


def test_unconditional_and_lasting_grants_are_preferred_to_near_ones() -> None:
    conditional = given(NETWORK, SUBNET, condition=CONSTRAINS_ROLES, name="conditional")
    ending = given(NETWORK, VNET, ends=NOW + timedelta(days=3), name="ending")
    lasting = given(NETWORK, SUBSCRIPTION, name="lasting")
    for rows, best in (((conditional, ending, lasting), "lasting"), ((conditional, ending), "ending")):
        assert ask(rights(*rows)).granted[0].assignment.id.endswith(best)
    assert ask(rights(conditional)).condition is Reach.IRRELEVANT
    assert ask(rights(ending)).condition is Reach.NONE


@pytest.mark.parametrize(("days", "expected"), [(2, False), (3, True), (14, True)])
def test_ends_within(days: int, expected: bool) -> None:
    [grant, _] = ask(rights(given(NETWORK, ends=NOW + timedelta(days=3)))).granted
    assert grant.ends_within(NOW, days=days) is expected


def test_a_lasting_grant_never_ends() -> None:
    assert not ask(rights(given(NETWORK))).granted[0].ends_within(NOW, days=10_000)


def test_notes() -> None:
    plain = ask(rights(given(ROLE), roles=[custom(ROLE, "*")]))
    assert plain.notes == ()
    noted = ask(rights(given(NETWORK, delegated="/x"), deny_coverage=NOTHING_READ))
    assert noted.notes == ("shipped-definition", "delegated", "deny-unread")


def test_estates_own_row_beats_the_shipped_table() -> None:
    changed = custom(NETWORK, "*/read")
    decision = ask(rights(given(NETWORK), roles=[changed]))
    assert (decision.status, [one.asked for one in decision.granted]) == (Status.MISSING, [READ])


def test_group_is_named() -> None:
    grant = ask(rights(to_group(NETWORK), members=IN_TEAM)).granted[0]
    assert grant.via_group == TEAM
    assert grant.told.facts["group"] == TEAM


def test_unresolved_principal_is_undecided_whatever_is_granted() -> None:
    masked = Unread("identity", "it is masked", "", "masked")
    decision = ask(rights(given(NETWORK)), masked)
    assert (decision.status, decision.pieces) == (Status.UNDECIDED, (masked,))


def test_no_operations_are_no_grant() -> None:
    assert decide(rights(given(OWNER)), P, (), Scope.parse(SUBNET), at=NOW).status is Status.UNDECIDED


def test_effect_is_what_is_granted_without_casing_of_the_scope() -> None:
    effect = ask(rights(given(READER)), scope=SUBNET.upper()).effect
    assert effect is not None
    assert effect.items == (f"{READ} on {SUBNET.lower()}",)


def test_evidence_names_each_deciding_property_once() -> None:
    [shown] = ask(rights(given(NETWORK, name="a"))).evidence
    assert (shown.resource.rpartition("/")[2], shown.path, shown.value) == ("a", "properties.roleDefinitionId", NETWORK)
    [missed] = ask(rights(given(NETWORK, LOOK_ALIKE))).evidence
    assert (missed.path, missed.value, missed.note) == (
        "properties.scope",
        LOOK_ALIKE,
        "Network Contributor: not-reaching",
    )


def test_many_unread_groups_are_one_piece() -> None:
    crowd = [to_group(NETWORK, group=f"g{number:03}") for number in range(50)]
    [piece] = ask(rights(*crowd, members=NO_GROUPS_READ)).pieces
    assert piece.what == "members of group g000, g001, g002, g003, g004 and 45 more"


def test_trace_tells_what_was_searched_and_what_decides() -> None:
    def kinds(model: AccessModel) -> list[str]:
        found = decide(model, P, JOIN, Scope.parse(SUBNET), at=NOW)
        assert all(step.text.format(**step.facts) for step in found.trace)
        return [step.kind for step in found.trace]

    assert kinds(rights(given(NETWORK))) == ["search", "grant"]
    assert kinds(rights(to_group(NETWORK), members=IN_TEAM)) == ["search", "groups", "grant"]
    assert kinds(rights(given(READER))) == ["search", "miss-wrong-role", "missing"]
    assert kinds(rights(denies=[deny("*")])) == ["search", "deny"]
    assert kinds(rights(given(NETWORK), denies=[deny("*", condition="x")])) == ["search", "deny-open", "grant"]
    assert kinds(rights(given(READER), coverage=NOTHING_READ)) == ["search", "miss-wrong-role", "open"]
    unread_denies = rights(given(NETWORK), denies_expected=[GROUP], deny_coverage=NOTHING_READ)
    assert kinds(unread_denies) == ["search", "grant", "deny-unread"]
    unresolved = decide(rights(), LOST, JOIN, Scope.parse(SUBNET), at=NOW)
    assert [step.kind for step in unresolved.trace] == ["principal"]


def test_trace_counts_the_scopes_above() -> None:
    first = ask(rights()).trace[0]
    assert first.facts == {"principal": CONTROL, "scope": SUBNET, "above": 6}


def test_conditional_grant_is_named() -> None:
    [first, _] = ask(rights(given(NETWORK, condition=CONSTRAINS_NETWORK, name="a"))).undecided
    assert first.conditional is not None
    assert first.conditional.id.endswith("/a")


def test_status_is_the_worst_and_proofs_come_before_doubts() -> None:
    mixed = rights(given(READER), given(ROLE, condition="x"), roles=[custom(ROLE, "*/write")])
    write = "Microsoft.Network/virtualNetworks/subnets/write"
    scope = Scope.parse(SUBNET)
    assert decide(mixed, P, (READ, write), scope, at=NOW).status is Status.UNDECIDED
    assert decide(mixed, P, (READ, write, JOIN), scope, at=NOW).status is Status.MISSING


# Other rights than the subnet's


def test_pull_is_an_action_that_a_reader_has() -> None:
    pull = "Microsoft.ContainerRegistry/registries/pull/read"
    registry = Scope.parse(f"{GROUP}/providers/Microsoft.ContainerRegistry/registries/r")
    for role, expected in (
        (ACR_PULL, Status.GRANTED),
        (READER, Status.GRANTED),
        (USER_ACCESS_ADMINISTRATOR, "granted"),
    ):
        assert decide(rights(given(role)), P, pull, registry, at=NOW).status == expected
    assert decide(rights(given(REPOSITORY_READER)), P, pull, registry, at=NOW).status is Status.MISSING


def test_repository_mode_asks_data_actions() -> None:
    registry = Scope.parse(f"{GROUP}/providers/Microsoft.ContainerRegistry/registries/r")
    for role, expected in ((REPOSITORY_READER, Status.GRANTED), (ACR_PULL, Status.MISSING), (OWNER, Status.MISSING)):
        found = decide(rights(given(role)), P, REPOSITORY_PULL_DATA, registry, at=NOW, data=True)
        assert found.status is expected


def test_identity_operator_is_in_doubt_where_it_decides() -> None:
    identity = Scope.parse(f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/kubelet")
    alone = rights(given(MANAGED_IDENTITY_OPERATOR))
    found = decide(alone, P, ON_KUBELET_IDENTITY, identity, at=NOW)
    assert [piece.reason for piece in found.pieces] == ["pattern-doubt"]
    beside = rights(given(MANAGED_IDENTITY_OPERATOR), given(OWNER))
    assert decide(beside, P, ON_KUBELET_IDENTITY, identity, at=NOW).status is Status.GRANTED


def test_management_group_itself_as_scope() -> None:
    scope = Scope.parse(PLATFORM)
    assert decide(rights(given(READER, TENANT)), P, READ, scope, at=NOW).status is Status.GRANTED
    assert decide(rights(given(READER, SUBSCRIPTION)), P, READ, scope, at=NOW).status is Status.MISSING
    read_there = rights(coverage=Coverage.of(upwards=[PLATFORM]))
    assert decide(read_there, P, READ, scope, at=NOW).status is Status.MISSING
    assert decide(read_there, P, READ, Scope.parse(SUBNET), at=NOW).status is Status.UNDECIDED


# The letter: exactly this role

LETTER = {
    "at the group": (rights(given(NETWORK)), Status.GRANTED),
    "above": (rights(given(NETWORK, TENANT)), Status.GRANTED),
    "below": (rights(given(NETWORK, VNET)), Status.MISSING),
    "another role that grants as much": (rights(given(OWNER)), Status.MISSING),
    "by a group": (rights(to_group(NETWORK), members=IN_TEAM), Status.GRANTED),
    "by a group, unread": (rights(to_group(NETWORK), members=NO_GROUPS_READ), Status.UNDECIDED),
    "another role by a group, unread": (rights(to_group(OWNER), members=NO_GROUPS_READ), Status.MISSING),
    "unknown role beside": (rights(given(UNKNOWN_ROLE)), Status.MISSING),
    "role id unreadable": (rights(given(LOST)), Status.UNDECIDED),
    "harmless condition": (rights(given(NETWORK, condition=CONSTRAINS_ROLES)), Status.GRANTED),
    "condition that can reach": (rights(given(NETWORK, condition=CONSTRAINS_NETWORK)), Status.UNDECIDED),
    "condition unread": (rights(given(NETWORK, condition_read=False)), Status.UNDECIDED),
    "eligible": (rights(given(NETWORK, eligible=True)), Status.MISSING),
    "denied": (rights(given(NETWORK), denies=[deny("*/join/action")]), Status.DENIED),
    "denied, of what is unreadable": (rights(given(NETWORK), denies=[deny()]), Status.UNDECIDED),
    "denied something else": (rights(given(NETWORK), denies=[deny("*/delete")]), Status.GRANTED),
    "unread": (rights(coverage=NOTHING_READ), Status.UNDECIDED),
    "read at and above is enough": (rights(coverage=AT_GROUP), Status.MISSING),
}


@pytest.mark.parametrize(("model", "expected"), LETTER.values(), ids=LETTER)
def test_grants_role(model: AccessModel, expected: Status) -> None:
    found = grants_role(model, P, NETWORK.upper(), Scope.parse(GROUP), at=NOW, operations=ON_SUBNET)
    assert found.status is expected


@pytest.mark.parametrize(
    ("handed_down", "below", "expected"),
    [(True, True, Status.DENIED), (False, True, Status.GRANTED), (False, False, Status.DENIED)],
)
def test_a_denial_that_is_not_handed_down_spares_what_is_below(
    handed_down: bool, below: bool, expected: Status
) -> None:
    model = rights(given(NETWORK), denies=[deny("*", not_to_children=not handed_down)])
    found = grants_role(model, P, NETWORK, Scope.parse(GROUP), at=NOW, operations=ON_SUBNET, below=below)
    assert found.status is expected


def test_letter_needs_no_definition() -> None:
    model = AccessModel.of(assignments=[given(NETWORK)], coverage=ALL_READ, table={})
    assert grants_role(model, P, NETWORK, Scope.parse(GROUP), at=NOW).status is Status.GRANTED
    assert decide(model, P, JOIN, Scope.parse(GROUP), at=NOW).status is Status.UNDECIDED


def test_letter_of_an_unresolved_principal() -> None:
    found = grants_role(rights(given(NETWORK)), LOST, NETWORK, Scope.parse(GROUP), at=NOW)
    assert found.pieces == (LOST,)


def test_defaults_of_a_model_are_the_careful_ones() -> None:
    found = decide(AccessModel.of(), P, JOIN, Scope.parse(SUBNET), at=datetime(2026, 1, 1, tzinfo=UTC))
    assert found.status is Status.UNDECIDED


def test_broken_row_of_a_role_is_not_an_empty_role() -> None:
    broken = {ROLE.upper(): LOST, NETWORK: LOST}
    for role, rows, expected in (
        (ROLE, [], Status.UNDECIDED),
        (ROLE, [custom(ROLE, "*")], Status.UNDECIDED),
        # Azure publishes this one: the table knows it.
        (NETWORK, [], Status.GRANTED),
    ):
        model = AccessModel.of(
            assignments=[given(role)], definitions=rows, broken_definitions=broken, coverage=ALL_READ
        )
        assert ask(model).status is expected


def test_private_dns_zone_contributor_cannot_join_subnets() -> None:
    assert ask(rights(given(PRIVATE_DNS_ZONE_CONTRIBUTOR))).status is Status.MISSING
