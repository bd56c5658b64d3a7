"""Parts that cannot be read become gaps that name scope and permission; what can be read is read all the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from auditor.clouds import resolve_cloud
from auditor.collect import Collected, CollectRequest, collect
from auditor.collect.graph import SUBSCRIPTIONS_PER_REQUEST
from auditor.replica import Replica
from auditor.replica.synthetic import Shape, made
from auditor.values import Gap, fold
from tests.wire import estate as e
from tests.wire.conftest import Azure


def gap_at(collected: Collected, scope: str, what: str) -> Gap:
    found = [gap for gap in collected.gaps if fold(gap.scope) == fold(scope) and gap.what == what]
    assert found, collected.gaps
    return found[0]


def reads(collected: Collected, resource_id: str) -> bool:
    return any(fold(str(row.get("id", ""))) == fold(resource_id) for row in collected.rows)


def test_a_requested_subscription_that_is_not_visible(azure: Azure) -> None:
    azure.holds(e.estate(unreadable=[f"/subscriptions/{e.LAB}"]))
    collected = azure.collect(subscriptions=(e.ML, e.LAB))
    assert {scope.id: scope.read for scope in collected.scopes} == {
        f"/subscriptions/{e.ML}": True,
        f"/subscriptions/{e.LAB}": False,
    }
    gap = gap_at(collected, f"/subscriptions/{e.LAB}", "*")
    assert gap.required
    assert gap.hint == f"grant Reader on /subscriptions/{e.LAB}"
    assert reads(collected, e.CLUSTER)
    assert not collected.complete


def test_a_hidden_subscription_below_a_management_group(azure: Azure) -> None:
    """Resource Graph gives no sign of it but fewer rows; ARM's list of descendants names it."""
    azure.holds(e.estate(unreadable=[f"/subscriptions/{e.LAB}"]))
    collected = azure.collect()
    assert gap_at(collected, f"/subscriptions/{e.LAB}", "*").required
    # The scopes are those asked for, whatever is hidden: a baseline is found by them.
    assert [scope.id.rsplit("/", 1)[-1] for scope in collected.scopes] == ["platform"]


def test_one_refused_management_group_spoils_no_other(azure: Azure) -> None:
    collected = azure.collect(management_groups=("platform", "elsewhere"))
    assert reads(collected, e.CLUSTER)
    states = {scope.id.rsplit("/", 1)[-1]: scope.read for scope in collected.scopes}
    assert states == {"platform": True, "elsewhere": False}


def test_a_hub_out_of_sight_leaves_the_night_complete(azure: Azure) -> None:
    azure.holds(e.estate(unreadable=[f"/subscriptions/{e.HUB}"]))
    collected = azure.collect(subscriptions=(e.ML,))
    gap = gap_at(collected, f"/subscriptions/{e.HUB}", "*")
    assert not gap.required
    assert "grant Reader on" in gap.hint
    assert collected.complete


def test_rights_that_make_a_subscription_look_empty(azure: Azure) -> None:
    """The replica's own permissions always hold `*/read`, so the answer is put in its place by a fault."""
    azure.replica.set_faults([{"match": {"path": "permissions"}, "fault": 403}])
    collected = azure.collect(subscriptions=(e.ML,))
    assert not gap_at(collected, f"/subscriptions/{e.ML}", "auditor/permissions").required


REFUSED = {
    # what is refused: the gap's scope, its type, whether the run is incomplete without it, a word of the hint
    "computes": (
        {"path": "/computes"},
        e.WORKSPACE,
        "microsoft.machinelearningservices/workspaces/computes",
        True,
        "computes/read",
    ),
    "deny assignments": (
        {"path": "denyAssignments"},
        f"/subscriptions/{e.ML}",
        "microsoft.authorization/denyassignments",
        False,
        "denyAssignments/read",
    ),
    "eligible assignments": (
        {"path": "roleEligibilityScheduleInstances"},
        f"/subscriptions/{e.ML}",
        "microsoft.authorization/roleeligibilityscheduleinstances",
        False,
        "grant Reader",
    ),
    "ends of assignments": (
        {"path": "roleAssignmentScheduleInstances"},
        f"/subscriptions/{e.ML}",
        "microsoft.authorization/roleassignmentscheduleinstances",
        False,
        "roleAssignmentScheduleInstances/read",
    ),
    "service tags": (
        {"path": "serviceTags"},
        f"/subscriptions/{e.ML}",
        "microsoft.network/servicetags",
        False,
        "serviceTags/read",
    ),
    "service principals": (
        {"path": "appId="},
        f"/servicePrincipals/{e.OLD_APP}",
        "auditor/principal",
        False,
        "Application.Read.All",
    ),
    "groups": (
        {"path": "transitiveMemberOf"},
        f"/servicePrincipals/{e.CONTROL_PLANE}",
        "auditor/membership",
        False,
        "GroupMember.Read.All",
    ),
    "descendants": (
        {"path": "descendants"},
        "/providers/Microsoft.Management/managementGroups/platform",
        "microsoft.resources/subscriptions",
        True,
        "descendants/read",
    ),
    "the estate": (
        {"table": "resources"},
        "/providers/Microsoft.Management/managementGroups/platform",
        "*",
        True,
        "grant Reader",
    ),
    "admin rules": (
        {"table": "networkresources"},
        "/providers/Microsoft.Management/managementGroups/platform",
        "microsoft.network/effectivesecurityadminrules",
        False,
        "grant Reader",
    ),
    "records": ({"table": "dnsresources"}, f"/subscriptions/{e.HUB}", "microsoft.network/privatednszones/a", False, ""),
}


@pytest.mark.parametrize(("match", "scope", "what", "required", "hint"), REFUSED.values(), ids=REFUSED)
def test_what_is_forbidden_becomes_a_gap(
    azure: Azure, match: dict[str, str], scope: str, what: str, required: bool, hint: str
) -> None:
    azure.replica.set_faults([{"match": match, "fault": 403}])
    collected = azure.collect()
    gap = gap_at(collected, scope, what)
    assert gap.required is required
    assert gap.reason.startswith("forbidden: HTTP 403")
    assert hint in gap.hint
    assert collected.complete is not required


def test_where_denials_are_refused_managed_groups_are_told(azure: Azure) -> None:
    group = e.VNET.split("/providers/")[0]
    body = e.estate()
    owner = f"{group.rsplit('/', 1)[0]}/apps/providers/Microsoft.Solutions/applications/landing"
    kind = "Microsoft.Resources/resourceGroups"
    body["resources"].append({"id": group, "type": kind, "name": "net", "managedBy": owner, "properties": {}})
    azure.holds(body)
    groups = "microsoft.resources/subscriptions/resourcegroups"
    assert [row for row in azure.collect().rows if row["type"] == groups] == []  # asked only where it matters
    azure.replica.set_faults([{"match": {"path": "denyAssignments"}, "fault": 403}])
    [row] = [row for row in azure.collect().rows if row["type"] == groups]
    assert (fold(row["id"]), row["managedBy"]) == (fold(group), owner)


def test_assignments_refused_everywhere_are_a_gap_at_each_deciding_group(azure: Azure) -> None:
    azure.replica.set_faults([{"match": {"path": "roleAssignments"}, "fault": 403}])
    collected = azure.collect()
    group = e.VNET.split("/providers/")[0]
    assert not gap_at(collected, group, "microsoft.authorization/roleassignments").required


def test_assignments_refused_at_the_subscription_are_proved_at_the_group(azure: Azure) -> None:
    azure.replica.set_faults(
        [{"match": {"path": f"^/subscriptions/{e.ML}/providers/.*/roleAssignments(?!chedule)"}, "fault": 403}]
    )
    collected = azure.collect()
    assert collected.gaps == ()
    filters = [record.query for record in azure.replica.requests if "/resourceGroups/net/" in record.path]
    assert any("atScope" in text for text in filters)
    assert any(e.CONTROL_PLANE in text for text in filters)  # what lies below the group


READ_IN_PARTS = "a scope holds more subscriptions than Resource Graph looks at; it was read in parts"


@pytest.mark.parametrize("scope", [{}, {"subscriptions": ()}], ids=["a group", "everything"])
def test_a_scope_beyond_resource_graphs_limit_is_read_in_parts(
    own_replica: Callable[..., Azure], azure: Azure, scope: dict[str, Any]
) -> None:
    collected = own_replica(subscription_limit=1).collect(**scope)
    assert READ_IN_PARTS in collected.notes
    assert collected.gaps == ()
    assert collected.rows == azure.collect(**scope).rows


@pytest.mark.parametrize(
    ("scope", "path", "named"),
    [
        ({}, "descendants", "/providers/Microsoft.Management/managementGroups/platform"),
        ({"subscriptions": ()}, r"^/subscriptions\?", "/"),
    ],
    ids=["a group", "everything"],
)
def test_a_cut_scope_whose_parts_arm_does_not_tell_is_a_gap(
    own_replica: Callable[..., Azure], scope: dict[str, Any], path: str, named: str
) -> None:
    azure = own_replica(subscription_limit=1)
    azure.replica.set_faults([{"match": {"path": path}, "fault": 403}])
    collected = azure.collect(**scope)
    gap = gap_at(collected, named, "resources")
    assert gap.required
    assert gap.reason.startswith("scope-cut")
    assert not collected.complete


def test_explicit_subscriptions_are_never_cut(own_replica: Callable[..., Azure], azure: Azure) -> None:
    asked: dict[str, Any] = {"subscriptions": (e.ML, e.HUB, e.LAB)}
    collected = own_replica(subscription_limit=1).collect(**asked)
    assert collected.complete
    assert collected.rows == azure.collect(**asked).rows


def unindexed(body: e.Body) -> e.Body:
    """ARM lists a subscription of which Resource Graph shows nothing."""
    body["indexLag"] = [{"id": f"/subscriptions/{e.LAB}", "merge": None}]
    return body


@pytest.mark.parametrize("extra", [0, 1100], ids=["a page of subscriptions", "more than a page"])
def test_everything_is_counted_against_arms_own_list(own_replica: Callable[..., Azure], extra: int) -> None:
    whole = own_replica(large() if extra else e.estate(), arm_page_size=1000).collect(subscriptions=())
    assert whole.gaps == ()
    azure = own_replica(unindexed(large() if extra else e.estate()), arm_page_size=1000)
    collected = azure.collect(subscriptions=())
    gap = gap_at(collected, f"/subscriptions/{e.LAB}", "*")
    assert gap.required
    assert gap.reason.startswith("not-visible")
    assert not collected.complete


def test_without_microsoft_graph(azure: Azure) -> None:
    collected = azure.collect({"AUDITOR_GRAPH_ENDPOINT": ""})
    assert not gap_at(collected, f"/servicePrincipals/{e.OLD_APP}", "auditor/principal").required
    assert not gap_at(collected, "/servicePrincipals", "auditor/membership").required
    assert collected.complete


def large(hidden: tuple[str, ...] = ()) -> e.Body:
    """A tenant of more subscriptions than a page holds, nearly all of them of no concern."""
    body = e.estate(unreadable=[f"/subscriptions/{each}" for each in hidden])
    body["subscriptions"] += [
        {"id": f"88888888-0000-4000-8000-{n:012}", "name": f"s{n}", "managementGroup": "platform"} for n in range(1100)
    ]
    return body


def test_a_large_tenant_costs_two_requests_more(own_replica: Callable[..., Azure]) -> None:
    small = own_replica().collect().requests.by_operation
    azure = own_replica(large(), arm_page_size=1000)
    collected = azure.collect()
    asked = collected.requests.by_operation
    assert (
        asked["ResourceGraph/resourcecontainers"] == small["ResourceGraph/resourcecontainers"] + 2
    )  # of the estate, of the hub
    assert {k: v for k, v in asked.items() if "resourcecontainers" not in k} == {
        k: v for k, v in small.items() if "resourcecontainers" not in k
    } | {"ARM/descendants": 2}
    assert collected.complete


def test_a_subscription_that_the_index_has_under_its_old_group_is_named(azure: Azure) -> None:
    """A peering leads to it, and asked for by itself it answers; what else it holds was asked of the group, in vain."""
    body = e.estate()
    for each in body["subscriptions"]:
        if each["id"] == e.HUB:
            each["indexedBelow"] = None
    azure.holds(body)
    collected = azure.collect()
    assert fold(e.HUB_VNET) in {fold(str(row.get("id"))) for row in collected.rows}
    gap = gap_at(collected, f"/subscriptions/{e.HUB}", "*")
    assert gap.required
    assert "does not have it yet" in gap.reason
    assert not collected.complete


def test_a_hidden_subscription_of_a_large_tenant_is_named(own_replica: Callable[..., Azure]) -> None:
    hidden = "88888888-0000-4000-8000-000000000007"
    collected = own_replica(large((hidden,)), arm_page_size=1000).collect()
    assert gap_at(collected, f"/subscriptions/{hidden}", "*").required
    assert not collected.complete


@pytest.mark.long
def test_a_tenant_of_more_than_ten_thousand_subscriptions_is_read_whole() -> None:
    with Replica(made(Shape(10_050, 4)), quota=False, arm_page_size=1000) as replica:
        environment = replica.environment()
        request = CollectRequest(
            cloud=resolve_cloud("public", environment), environment=environment, management_groups=("synthetic",)
        )
        collected = collect(request)
        assert READ_IN_PARTS in collected.notes
        assert collected.complete
        queries = [record for record in replica.requests if record.operation == "resource-graph"]
        # Groups go into a few parts; role assignments and definitions are asked over everything, 250 names at a time.
        assert len(queries) <= 2 * -(-10_050 // SUBSCRIPTIONS_PER_REQUEST) + 30
