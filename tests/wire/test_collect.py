"""A collection over the wire: what is read, what is left alone, and with how many requests of which kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from auditor.collect import Collected
from auditor.values import fold
from tests.wire import estate as e
from tests.wire.conftest import Azure


def ids(collected: Collected) -> set[str]:
    return {fold(str(row["id"])) for row in collected.rows if "id" in row}


def of_type(collected: Collected, kind: str) -> list[dict[str, Any]]:
    return [row for row in collected.rows if str(row["type"]).casefold() == kind]


READ = {
    "cluster": e.CLUSTER,
    "cluster with a service principal": e.OLD_CLUSTER,
    "network of the nodes": e.VNET,
    "security group of their subnet": e.NSG,
    "route table of their subnet": e.ROUTES,
    "peer": e.HUB_VNET,
    "firewall behind the default route": e.FIREWALL,
    "its public address": e.FIREWALL_IP,
    "load balancer in the node resource group": e.BALANCER,
    "its public address too": e.BALANCER_IP,
    "security group in the node resource group": e.NODE_NSG,
    "user-assigned identity": e.IDENTITY,
    "workspace": e.WORKSPACE,
    "v2 compute": e.COMPUTE,
    "v1 compute": e.COMPUTE_V1,
    "extension": e.EXTENSION,
    "registry": e.REGISTRY,
    "its replication": e.REPLICATION,
    "storage": e.STORAGE,
    "vault": e.VAULT,
    "private endpoint of the registry": e.ENDPOINT,
    "the endpoint's interface": e.ENDPOINT_NIC,
    "zone linked with the network": e.ZONE,
    "the link": e.ZONE_LINK,
    "login record": e.RECORD,
    "data record": e.DATA_RECORD,
    "container group": e.CONTAINERS,
    "assignment on the network's resource group": e.GRANT,
    "assignment of a group at a management group": e.GROUP_GRANT,
    "assignment on the subnet": e.SUBNET_GRANT,
    "deny assignment": e.DENIAL,
}


@pytest.fixture(scope="module")
def collected(running: Any) -> Collected:
    return Azure(*running).collect()


@pytest.mark.parametrize("resource_id", READ.values(), ids=READ)
def test_what_the_estate_refers_to_is_read(collected: Collected, resource_id: str) -> None:
    assert fold(resource_id) in ids(collected)


@pytest.mark.parametrize("resource_id", e.BYSTANDERS)
def test_what_nothing_refers_to_is_left_alone(collected: Collected, resource_id: str) -> None:
    assert fold(resource_id) not in ids(collected)


def test_a_readable_estate_has_no_gaps(collected: Collected) -> None:
    assert collected.gaps == ()
    assert [(scope.id, scope.read) for scope in collected.scopes] == [
        ("/providers/Microsoft.Management/managementGroups/platform", True)
    ]
    assert collected.complete


def test_subscriptions_carry_their_chain_of_management_groups(collected: Collected) -> None:
    chains = {
        fold(row["id"]): [group["name"] for group in row["properties"]["managementGroupAncestorsChain"]]
        for row in of_type(collected, "microsoft.resources/subscriptions")
    }
    assert chains[f"/subscriptions/{e.ML}"][:2] == ["ml", "platform"]
    assert f"/subscriptions/{e.HUB}" in chains


def test_service_tags_are_one_row_that_says_when_they_were_read(collected: Collected) -> None:
    [tags] = of_type(collected, "microsoft.network/servicetags")
    assert tags["properties"]["takenAt"] == "2026-11-24T02:00:00+00:00"
    assert [tag["name"] for tag in tags["properties"]["values"]] == ["AzureContainerRegistry.ChinaEast2"]


def test_application_ids_become_object_ids(collected: Collected) -> None:
    [principal] = of_type(collected, "auditor/principal")
    assert (principal["appId"], principal["objectId"]) == (e.OLD_APP, e.OLD_OBJECT)


def test_groups_are_asked_for_since_one_holds_a_role(collected: Collected) -> None:
    members = {(row.get("groupId"), row["memberId"]) for row in of_type(collected, "auditor/membership")}
    assert (e.GROUP, e.OLD_OBJECT) in members
    assert (None, e.CONTROL_PLANE) in members  # asked, and in none


def test_own_permissions_are_kept(collected: Collected) -> None:
    assert f"/subscriptions/{e.ML}" in {row["scope"] for row in of_type(collected, "auditor/permissions")}


def test_roles_of_assignments_and_misspelt_custom_roles_are_defined(collected: Collected) -> None:
    names = {row["name"] for row in of_type(collected, "microsoft.authorization/roledefinitions")}
    assert names == {e.NETWORK_CONTRIBUTOR, e.CUSTOM_ROLE}


def test_no_secret_is_kept(collected: Collected) -> None:
    assert b"hidden" not in msgspec.json.encode(collected.rows)


def test_only_reads_and_the_known_posts_are_sent(azure: Azure) -> None:
    azure.collect()
    sent = {(record.method, record.operation) for record in azure.replica.requests}
    assert sent == {
        ("GET", "openid"),
        ("POST", "token"),
        ("POST", "resource-graph"),
        ("GET", "arm-list"),
        ("GET", "graph"),
    }


def test_requests_by_table(azure: Azure) -> None:
    collected = azure.collect()
    tables = Counter(record.table for record in azure.replica.requests if record.operation == "resource-graph")
    assert tables == {
        "resourcecontainers": 1,
        "resources": 5,  # the estate, then four rounds of references
        "kubernetesconfigurationresources": 1,
        "networkresources": 1,
        "dnsresources": 1,
        "authorizationresources": 2,
    }
    counted = {k.removeprefix("ResourceGraph/"): v for k, v in collected.requests.by_operation.items() if "/" in k}
    assert {table: counted[table] for table in tables} == dict(tables)


def test_arm_is_asked_once_for_each_thing(azure: Azure) -> None:
    azure.collect()
    paths = Counter(
        record.path.rsplit("/", 1)[-1] for record in azure.replica.requests if record.operation == "arm-list"
    )
    assert paths == {
        "descendants": 1,
        "permissions": 2,  # of the management group, and of the one subscription that holds the estate
        "computes": 1,
        "roleAssignments": 1,
        "denyAssignments": 1,
        "roleEligibilityScheduleInstances": 1,
        "roleAssignmentScheduleInstances": 1,
        "serviceTags": 1,
    }


def test_the_log_tells_rows_by_table(azure: Azure) -> None:
    collected = azure.collect()
    theirs = sorted(
        (record.table, record.rows) for record in azure.replica.requests if record.operation == "resource-graph"
    )
    ours = sorted((entry.operation.removeprefix("ResourceGraph/"), entry.rows) for entry in collected.log)
    assert ours == theirs


def test_bystanders_cost_nothing(azure: Azure) -> None:
    """A tenant full of other things is asked the same questions."""
    few = azure.collect().requests.total
    body = e.estate()
    body["subscriptions"] += [
        {"id": f"88888888-0000-4000-8000-{n:012}", "name": f"s{n}", "managementGroup": "platform"} for n in range(40)
    ]
    body["resources"] += [
        e.resource(e.rid(e.LAB, "web", "Microsoft.Network/networkSecurityGroups", f"web-{n}")) for n in range(60)
    ]
    azure.holds(body)
    assert azure.collect().requests.total == few


def test_one_collection_reads_the_same_in_any_order_of_threads(azure: Azure) -> None:
    one, other = azure.collect(threads=1), azure.collect(threads=8)
    assert one.rows == other.rows


def test_subscriptions_can_be_named(azure: Azure) -> None:
    collected = azure.collect(subscriptions=(e.ML.upper(),))
    assert [(scope.id, scope.read) for scope in collected.scopes] == [(f"/subscriptions/{e.ML}", True)]
    # The hub lies outside; what the estate names there is followed all the same.
    assert {fold(e.HUB_VNET), fold(e.FIREWALL), fold(e.NSG)} <= ids(collected)
    assert collected.complete


def test_without_scopes_everything_visible_is_scanned(azure: Azure) -> None:
    collected = azure.collect(subscriptions=())
    assert [(scope.id, scope.read) for scope in collected.scopes] == [("/", True)]
    assert fold(e.CLUSTER) in ids(collected)


def test_configured_principals_spare_the_directory(azure: Azure) -> None:
    collected = azure.collect(principals={e.OLD_APP: e.OLD_OBJECT})
    assert "Graph/servicePrincipals" not in collected.requests.by_operation
    assert of_type(collected, "auditor/principal")


def test_configured_registries_are_read(azure: Azure) -> None:
    extra = e.rid(e.HUB, "hub", "Microsoft.ContainerRegistry/registries", "shared")
    body = e.estate()
    body["resources"].append(e.resource(extra))
    azure.holds(body)
    assert fold(extra) in ids(azure.collect(registries=(extra,)))


def test_pages_are_followed_to_the_end(own_replica: Callable[..., Azure]) -> None:
    azure = own_replica(page_size=2, arm_page_size=1, graph_page_size=1)
    assert ids(azure.collect()) == ids(own_replica().collect())


def test_a_hostile_name_stays_text_in_the_query(azure: Azure) -> None:
    odd = e.rid(e.ML, "net", "Microsoft.Network/networkSecurityGroups", "x') or (1 == 1) //\\")
    body = e.estate()
    network = next(each for each in body["resources"] if each["id"] == e.VNET)
    network["properties"]["subnets"][0]["properties"]["networkSecurityGroup"] = {"id": odd}
    azure.holds(body)
    collected = azure.collect()
    assert fold(e.FOREIGN_NSG) not in ids(collected)
    assert collected.gaps == ()


CHINA_WITHOUT = {"lacksTables": ["authorizationresources", "kubernetesconfigurationresources", "dnsresources"]}


def test_a_cloud_without_the_tables_is_read_by_arm(azure: Azure) -> None:
    azure.holds(e.estate(**CHINA_WITHOUT))
    collected = azure.collect()
    wanted = {e.GRANT, e.GROUP_GRANT, e.SUBNET_GRANT, e.EXTENSION, e.RECORD, e.DATA_RECORD}
    assert {fold(each) for each in wanted} <= ids(collected)
    names = {row["name"] for row in of_type(collected, "microsoft.authorization/roledefinitions")}
    assert e.NETWORK_CONTRIBUTOR in names
    assert fold(e.FOREIGN_RECORD) not in ids(collected)
    assert collected.gaps == ()
    assert collected.complete
    assert any("authorizationresources" in note for note in collected.notes)


def test_a_condition_that_the_index_keeps_silent_about_is_asked_of_arm(azure: Azure) -> None:
    body = e.estate(indexLag=[{"id": e.GRANT, "merge": {"properties": {"condition": None}}}])
    grant = next(each for each in body["resources"] if each["id"] == e.GRANT)
    grant["properties"]["condition"] = "@Resource[x] StringEquals 'y'"
    azure.holds(body)
    [row] = [row for row in azure.collect().rows if fold(str(row.get("id"))) == fold(e.GRANT)]
    assert row["properties"]["condition"] == "@Resource[x] StringEquals 'y'"


def test_when_an_activated_assignment_ends_is_read_and_the_lasting_ones_are_left(azure: Azure) -> None:
    """Role assignments do not carry their end: what PIM activated for a week would count as lasting."""
    kind = "Microsoft.Authorization/roleAssignmentScheduleInstances"
    at = f"/subscriptions/{e.ML}/providers/{kind}"
    held = {"principalId": e.CONTROL_PLANE, "scope": f"/subscriptions/{e.ML}", "roleDefinitionId": "x"}
    body = e.estate()
    body["resources"] += [
        e.resource(f"{at}/week", {**held, "endDateTime": "2026-12-01T00:00:00Z"}),
        e.resource(f"{at}/lasting", {**held, "endDateTime": None}),
    ]
    azure.holds(body)
    found = azure.collect()
    kept = [row["id"] for row in found.rows if row["type"].casefold() == kind.casefold()]
    assert kept == [f"{at}/week"]


def test_groups_that_hold_a_role_on_a_clusters_own_zone_are_read(azure: Azure) -> None:
    """The zone lies in a hub that nothing else of the cluster's rights is about."""
    zone = e.rid(e.HUB, "dns", "Microsoft.Network/privateDnsZones", "privatelink.chinaeast2.cx.prod.service.azk8s.cn")
    grant = f"{zone}/providers/Microsoft.Authorization/roleAssignments/z1"
    body = e.estate()
    [cluster] = [one for one in body["resources"] if one["id"] == e.CLUSTER]
    cluster["properties"]["apiServerAccessProfile"] = {"enablePrivateCluster": True, "privateDNSZone": zone}
    body["resources"] += [
        e.resource(zone, {}, location="global"),
        e.resource(grant, {"principalId": e.GROUP, "principalType": "Group", "roleDefinitionId": "x", "scope": zone}),
    ]
    azure.holds(body)
    assert fold(grant) in ids(azure.collect())
    listed = [record.path for record in azure.replica.requests if record.path.endswith("/denyAssignments")]
    assert any(e.HUB in path for path in listed)


def test_many_silent_conditions_of_a_subscription_are_one_list(azure: Azure) -> None:
    here = e.GRANT.rsplit("/", 1)[0]
    grants = [e.GRANT, *(f"{here}/more{n}" for n in range(3))]
    body = e.estate(indexLag=[{"id": each, "merge": {"properties": {"condition": None}}} for each in grants])
    known = next(each for each in body["resources"] if each["id"] == e.GRANT)
    stranger = f"{here}/stranger"
    for each in (*grants[1:], stranger):
        body["resources"].append({**known, "id": each, "name": each.rsplit("/", 1)[-1]})
        body["resources"][-1]["properties"] = {**known["properties"], "condition": None}
    body["resources"][-1]["properties"]["principalId"] = "77777777-0000-4000-8000-000000000009"
    known["properties"]["condition"] = "@Resource[x] StringEquals 'y'"
    azure.holds(body)
    collected = azure.collect()
    asked = [r for r in azure.replica.requests if r.type.endswith("/roleassignments") and r.status == 200]
    whole = [r for r in asked if r.path.casefold().endswith("/roleassignments") and "filter" not in r.query]
    assert [r.path.split("/")[2] for r in whole] == [e.GRANT.split("/")[2]]
    assert not [r for r in asked if not r.path.casefold().endswith("/roleassignments")]  # none is asked by its id
    found = {row["name"]: row for row in of_type(collected, "microsoft.authorization/roleassignments")}
    assert found["a1"]["properties"]["condition"] == "@Resource[x] StringEquals 'y'"
    assert "more2" in found
    assert "stranger" not in found  # it neither names an identity of the estate nor reaches it


def test_details_of_v1_computes_come_from_the_old_api(azure: Azure) -> None:
    body = e.estate()
    compute = next(each for each in body["resources"] if each["id"] == e.COMPUTE_V1)
    compute["properties"]["properties"] = None
    azure.holds(body)
    azure.collect()
    [asked] = [record for record in azure.replica.requests if record.path.endswith("/computes/old")]
    assert "2022-10-01" in asked.query


def test_definitions_that_the_index_lacks_come_from_arm(azure: Azure) -> None:
    azure.replica.set_faults([{"match": {"query": "roledefinitions"}, "fault": 400}])
    names = {row["name"] for row in of_type(azure.collect(), "microsoft.authorization/roledefinitions")}
    assert e.NETWORK_CONTRIBUTOR in names
