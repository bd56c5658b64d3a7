"""ARM's reads, asked by the real SDK clients and by hand."""

from collections.abc import Iterator
from typing import Any

import pytest
from azure.mgmt.authorization import AuthorizationManagementClient
from azure.mgmt.containerservice import ContainerServiceClient
from azure.mgmt.network import NetworkManagementClient

from auditor.replica import Replica
from tests.replica.client import Client, credential
from tests.replica.contoso import (
    CLUSTER,
    CLUSTER_OBJECT,
    CUSTOM,
    KUBELET_OBJECT,
    ML,
    NARROW_OBJECT,
    NET,
    NSG,
    PROD,
    ROOT_GROUP,
    SANDBOX,
    SERVICE_OBJECT,
    SUBNET,
    TENANT,
    TEST,
    VNET,
    WORKSPACE,
    ZONE,
)


@pytest.fixture
def options(contoso: Replica) -> Iterator[dict[str, Any]]:
    with credential(contoso) as signed_in:
        yield {
            "credential": signed_in,
            "subscription_id": PROD,
            "base_url": contoso.base_url,
            "credential_scopes": [contoso.base_url + "/.default"],
            "connection_verify": str(contoso.ca_path),
        }


def test_the_network_client_reads_resources_children_lists_and_tags(options: dict[str, Any]) -> None:
    with NetworkManagementClient(**options) as network:
        assert network.virtual_networks.get("NET-rg", "HUB").name == "hub"
        subnet: Any = network.subnets.get("Net-RG", "hub", "nodes")
        assert subnet.network_security_group.id == NSG
        assert [rule.name for rule in network.security_rules.list("Net-RG", "nodes-nsg")] == ["allow-acr"]
        assert [one.name for one in network.virtual_networks.list_all()] == ["hub"]
        assert [one.name for one in network.network_security_groups.list("net-rg")] == ["nodes-nsg"]
        assert list(network.route_tables.list_all()) == []
        tags: Any = network.service_tags.list("eastus2")
        assert (tags.change_number, tags.values_property[0].name) == ("42", "AzureContainerRegistry.EastUS2")


def test_the_containerservice_client_reads_clusters_and_pools(options: dict[str, Any]) -> None:
    with ContainerServiceClient(**options) as service:
        assert [one.name for one in service.managed_clusters.list()] == ["score"]
        cluster: Any = service.managed_clusters.get("ml", "score")
        assert cluster.identity.principal_id == CLUSTER_OBJECT
        [pool] = service.agent_pools.list("ml", "score")
        assert (pool.name, pool.vnet_subnet_id, pool.count) == ("pool1", SUBNET, 3)


def test_the_authorization_client_reads_assignments_definitions_denials_and_schedules(options: dict[str, Any]) -> None:
    with AuthorizationManagementClient(**options) as authorization:
        found = authorization.role_assignments.list_for_scope(SUBNET.strip("/"), filter="atScope()")
        assert [one.name for one in found] == ["at-root", "at-group", "at-subscription", "at-net", "at-subnet"]
        definitions = authorization.role_definitions.list(f"subscriptions/{PROD}", filter="type eq 'CustomRole'")
        assert [one.role_name for one in definitions] == ["Subnet joiner"]
        assert [one.name for one in authorization.deny_assignments.list_for_scope(CLUSTER.strip("/"))] == ["locked"]
        eligible = authorization.role_eligibility_schedule_instances.list_for_scope(SUBNET.strip("/"), "atScope()")
        assert [one.name for one in eligible] == ["soon"]
        assert [one.actions for one in authorization.permissions.list_for_resource_group("ml")] == [["*/read"]]


LISTS = {
    "computes of a workspace": (f"{WORKSPACE}/computes", ["aks"]),
    "endpoints of a workspace": (f"{WORKSPACE}/onlineEndpoints", ["credit"]),
    "extensions of a cluster": (f"{CLUSTER}/providers/Microsoft.KubernetesConfiguration/extensions", ["azureml"]),
    "A records": (f"{ZONE}/A", ["contoso"]),
    "all records": (f"{ZONE}/ALL", ["contoso"]),
    "links of a zone": (f"{ZONE}/virtualNetworkLinks", ["hub"]),
    "subnets": (f"{VNET}/subnets", ["nodes"]),
    "resource groups": (f"/subscriptions/{PROD}/resourcegroups", ["Net-RG", "ml"]),
    "resources of a group": (f"{NET}/resources", ["hub", "nodes-nsg", "privatelink.azurecr.io"]),
    "management groups": ("/providers/Microsoft.Management/managementGroups", ["contoso", "landing"]),
    "descendants": (f"{ROOT_GROUP}/descendants", ["landing", PROD, TEST, SANDBOX]),
    "nothing of a type": (f"/subscriptions/{TEST}/providers/Microsoft.Network/virtualNetworks", []),
}


@pytest.mark.parametrize(("path", "names"), LISTS.values(), ids=LISTS)
def test_list(client: Client, path: str, names: list[str]) -> None:
    assert [row["name"] for row in client.listed(path)] == names


def test_generic_list_by_type(client: Client) -> None:
    kind = "resourceType eq 'microsoft.network/networksecuritygroups'"
    rows = client.listed(f"/subscriptions/{PROD}/resources", **{"$filter": kind})
    assert [row["id"] for row in rows] == [NSG]
    assert "properties" not in rows[0]


def test_next_links_are_absolute_keep_the_query_and_lead_through_everything(client: Client, contoso: Replica) -> None:
    first = client.get(f"{SUBNET}/providers/Microsoft.Authorization/roleAssignments", **{"$filter": "atScope()"}).json()
    assert len(first["value"]) == 3
    assert first["nextLink"].startswith(contoso.base_url + "/subscriptions/")
    second = client.get(first["nextLink"]).json()
    assert [row["name"] for row in second["value"]] == ["at-net", "at-subnet"]
    assert "nextLink" not in second


FILTERS = {
    "at and above": (NET, "atScope()", {"at-root", "at-group", "at-subscription", "at-net"}),
    "at, above and below": (NET, "", {"at-root", "at-group", "at-subscription", "at-net", "at-subnet"}),
    "one principal": (f"/subscriptions/{PROD}", f"principalId eq '{CLUSTER_OBJECT}'", {"at-subscription", "at-subnet"}),
    "through groups of groups": (
        f"/subscriptions/{PROD}",
        f"assignedTo('{CLUSTER_OBJECT}')",
        {"at-root", "at-group", "at-subscription", "at-subnet"},
    ),
    "groups of another": (NET, f"assignedTo('{SERVICE_OBJECT}')", {"at-root", "at-group"}),
    "both": (NET, f"atScope() and assignedTo('{KUBELET_OBJECT}')", {"at-net"}),
    "below a management group": (
        ROOT_GROUP,
        f"principalId eq '{CLUSTER_OBJECT}'",
        {"at-subscription", "at-subnet", "elsewhere"},
    ),
}


@pytest.mark.parametrize(("scope", "wanted", "names"), FILTERS.values(), ids=FILTERS)
def test_assignments_filter(client: Client, scope: str, wanted: str, names: set[str]) -> None:
    query = {"$filter": wanted} if wanted else {}
    rows = client.listed(f"{scope}/providers/Microsoft.Authorization/roleAssignments", **query)
    assert {row["name"] for row in rows} == names


def test_an_unknown_filter_is_refused(client: Client) -> None:
    answer = client.get(f"{NET}/providers/Microsoft.Authorization/roleAssignments", **{"$filter": "roleName eq 'x'"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "UnsupportedQuery")


def test_denials_name_several_principals(client: Client) -> None:
    path = f"{ML}/providers/Microsoft.Authorization/denyAssignments"
    for who, names in ((CLUSTER_OBJECT, ["locked"]), (KUBELET_OBJECT, [])):
        assert [row["name"] for row in client.listed(path, **{"$filter": f"assignedTo('{who}')"})] == names


def test_a_role_definition_answers_wherever_it_may_be_assigned(client: Client) -> None:
    name = CUSTOM.rsplit("/", 1)[1]
    here = client.get(f"{NET}/providers/Microsoft.Authorization/roleDefinitions/{name}")
    assert (here.status_code, here.json()["id"]) == (200, CUSTOM)
    there = client.get(f"/subscriptions/{TEST}/providers/Microsoft.Authorization/roleDefinitions/{name}")
    assert (there.status_code, there.json()["error"]["code"]) == (404, "RoleDefinitionDoesNotExist")


def test_subscriptions(client: Client, narrow: Client) -> None:
    rows = client.listed("/subscriptions", version="2022-12-01")
    assert [row["subscriptionId"] for row in rows] == [PROD, TEST, SANDBOX]
    assert (rows[0]["displayName"], rows[0]["tenantId"]) == ("ML production", TENANT)
    # Who reads one resource group only has its subscription in the list all the same.
    assert [row["subscriptionId"] for row in narrow.listed("/subscriptions")] == [PROD]


def test_a_management_group_and_its_children(client: Client) -> None:
    body = client.get(ROOT_GROUP, **{"$expand": "children", "$recurse": "true"}).json()
    landing, sandbox = body["properties"]["children"]
    assert (landing["name"], sandbox["name"]) == ("landing", SANDBOX)
    assert [one["name"] for one in landing["children"]] == [PROD, TEST]


def test_activity_log(client: Client) -> None:
    path = f"/subscriptions/{PROD}/providers/Microsoft.Insights/eventtypes/management/values"
    bounds = "eventTimestamp ge '2026-11-20T00:00:00Z' and eventTimestamp le '2026-11-24T02:00:00Z'"
    rows = client.listed(path, **{"$filter": f"{bounds} and resourceUri eq '{NSG.upper()}'"})
    assert [row["id"] for row in rows] == [f"{NSG}/events/1"]
    assert client.get(path).json()["error"]["code"] == "BadRequest"


def test_metadata_endpoints_need_no_token(client: Client, contoso: Replica) -> None:
    url = f"{contoso.base_url}/metadata/endpoints"
    old = client.session.get(url, params={"api-version": "2015-01-01"}, timeout=30).json()
    assert old["authentication"]["audiences"] == [contoso.base_url]
    [new] = client.session.get(url, params={"api-version": "2022-09-01"}, timeout=30).json()
    assert (new["name"], new["resourceManager"]) == ("AzureCloud", contoso.base_url)


ERRORS = {
    "no such resource": (f"{NET}/providers/Microsoft.Network/virtualNetworks/none", 404, "ResourceNotFound"),
    "no such child": (f"{VNET}/subnets/none", 404, "ResourceNotFound"),
    "children of nothing": (
        f"{NET}/providers/Microsoft.Network/virtualNetworks/none/subnets",
        404,
        "ParentResourceNotFound",
    ),
    "no such group": (f"/subscriptions/{PROD}/resourceGroups/none", 404, "ResourceGroupNotFound"),
    "no such subscription": (
        "/subscriptions/00000000-0000-4000-8000-00000000dead/resourceGroups",
        404,
        "SubscriptionNotFound",
    ),
    "no such management group": (
        "/providers/Microsoft.Management/managementGroups/none",
        403,
        "AuthorizationFailed",
    ),
}


@pytest.mark.parametrize(("path", "status", "code"), ERRORS.values(), ids=ERRORS)
def test_error(client: Client, path: str, status: int, code: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.json().get("error", {}).get("code", "")) == (status, code)


FORBIDDEN = {
    "resource elsewhere": CLUSTER,
    "missing resource elsewhere": f"{ML}/providers/Microsoft.Network/virtualNetworks/none",
    "list of the subscription": f"/subscriptions/{PROD}/providers/Microsoft.Network/virtualNetworks",
    "other subscription": f"/subscriptions/{TEST}",
    "assignments of the subscription": f"/subscriptions/{PROD}/providers/Microsoft.Authorization/roleAssignments",
    "management group": ROOT_GROUP,
}


@pytest.mark.parametrize("path", FORBIDDEN.values(), ids=FORBIDDEN)
def test_forbidden(narrow: Client, path: str) -> None:
    answer = narrow.get(path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "AuthorizationFailed")
    assert f"with object id '{NARROW_OBJECT}' does not have authorization" in answer.json()["error"]["message"]


def test_a_narrow_reader_reads_inside_and_sees_what_is_inherited(narrow: Client) -> None:
    assert narrow.get(VNET).json()["name"] == "hub"
    rows = narrow.listed(f"{NET}/providers/Microsoft.Authorization/roleAssignments", **{"$filter": "atScope()"})
    assert {row["name"] for row in rows} == {"at-root", "at-group", "at-subscription", "at-net"}


@pytest.mark.parametrize(
    ("version", "code"), [(None, "MissingApiVersionParameter"), ("latest", "InvalidApiVersionParameter")]
)
def test_the_api_version_is_demanded(client: Client, version: str | None, code: str) -> None:
    answer = client.get(NSG, version=version)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)


def test_an_agent_pool_answers_by_its_own_id(client: Client) -> None:
    body = client.get(f"{CLUSTER}/agentPools/pool1").json()
    assert body["type"] == "Microsoft.ContainerService/managedClusters/agentPools"
    assert body["properties"] == {"count": 3, "vnetSubnetID": SUBNET}
