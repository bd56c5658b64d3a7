"""Resource Graph's protocol and habits, asked by the real SDK client and by hand."""

from collections.abc import Callable
from typing import Any

import pytest
from azure.mgmt.resourcegraph import ResourceGraphClient
from azure.mgmt.resourcegraph.models import QueryRequest, QueryRequestOptions

from auditor.replica import Replica, serve
from auditor.replica.estate import from_document
from tests.replica.client import Client, credential
from tests.replica.contoso import (
    CLUSTER,
    NET,
    NSG,
    PROD,
    SANDBOX,
    TENANT,
    TEST,
    VNET,
    document,
    resources,
    route_tables,
)

ClientOf = Callable[[Replica, int], Client]


def test_the_sdk_client_pages_by_skip_token(client_of: ClientOf) -> None:
    estate = from_document(document(resources=[*resources(), *route_tables(2500)]))
    token: str | None = None
    seen: list[str] = []
    counts: list[int] = []
    with (
        serve(estate, quota=False) as replica,
        credential(replica) as signed_in,
        ResourceGraphClient(
            signed_in,
            base_url=replica.base_url,
            credential_scopes=[replica.base_url + "/.default"],
            connection_verify=str(replica.ca_path),
        ) as graph,
    ):
        while token is not None or not counts:
            options = QueryRequestOptions(top=1000, skip_token=token, result_format="objectArray")
            text = "resources | where type =~ 'Microsoft.Network/routeTables' | project id, name | order by id asc"
            page: Any = graph.resources(QueryRequest(query=text, options=options))
            assert (page.total_records, page.result_truncated) == (2501, "false")
            counts.append(page.count)
            seen += [row["id"].lower() for row in page.data]
            token = page.skip_token
    assert counts == [1000, 1000, 501]
    assert len(set(seen)) == 2501


def test_a_row_has_the_services_columns_casings_and_empty_values(client: Client) -> None:
    [row] = client.rows("resources | where type =~ 'Microsoft.Network/virtualNetworks'")
    assert list(row) == [
        "id", "name", "type", "tenantId", "kind", "location", "resourceGroup", "subscriptionId", "managedBy", "sku",
        "plan", "properties", "tags", "identity", "zones", "extendedLocation",
    ]  # fmt: skip
    assert row["id"].lower() == VNET.lower()
    assert (row["type"], row["resourceGroup"]) == ("microsoft.network/virtualnetworks", "net-rg")
    assert (row["subscriptionId"], row["tenantId"], row["kind"], row["zones"]) == (PROD, TENANT, "", None)
    assert row["properties"]["subnets"][0]["name"] == "nodes"
    assert row["tags"] == {"owner": "network"}


def test_some_ids_have_a_small_resourcegroups_always_the_same(client_of: ClientOf) -> None:
    with serve(from_document(document(resources=list(route_tables(60)))), quota=False) as replica:
        client = client_of(replica, 0)
        ids = [row["id"] for row in client.rows("resources | project id | order by id asc")]
        small = [one for one in ids if "/resourcegroups/" in one]
        assert 0 < len(small) < len(ids)
        again = [row["id"] for row in client.rows("resources | project name, id | order by name asc")]
        assert [one for one in again if "/resourcegroups/" in one] == small


TABLES = {
    "clusters": ("resources | where type == 'microsoft.containerservice/managedclusters'", 1),
    "subnets are no rows": ("resources | where type has 'subnets'", 0),
    "computes are not indexed": ("resources | where type has 'computes'", 0),
    "endpoints are": ("resources | where type endswith '/onlineendpoints'", 1),
    "zone links are": ("resources | where type endswith '/virtualnetworklinks'", 1),
    "extensions": (
        "kubernetesconfigurationresources | where type =~ 'microsoft.kubernetesconfiguration/extensions'",
        1,
    ),
    "assignments": ("authorizationresources | where type =~ 'microsoft.authorization/roleassignments'", 5),
    "no deny assignments": ("authorizationresources | where type has 'denyassignments'", 0),
    "no eligible ones": ("authorizationresources | where type has 'eligibility'", 0),
    "records": ("dnsresources | where type =~ 'microsoft.network/privatednszones/a'", 1),
    "changes": ("resourcechanges | where properties.targetResourceId =~ '" + NSG + "'", 1),
    "subscriptions": ("ResourceContainers | where type =~ 'microsoft.resources/subscriptions'", 3),
    "resource groups": ("resourcecontainers | where type =~ 'microsoft.resources/subscriptions/resourcegroups'", 3),
    "management groups": ("resourcecontainers | where type =~ 'microsoft.management/managementgroups'", 2),
    "known table without rows": ("policyresources", 0),
}


@pytest.mark.parametrize(("query", "count"), TABLES.values(), ids=TABLES)
def test_table(client: Client, query: str, count: int) -> None:
    assert len(client.rows(query, managementGroups=["contoso"])) == count


def test_a_subscription_knows_its_chain_of_management_groups(client: Client) -> None:
    [row] = client.rows(f"resourcecontainers | where type endswith '/subscriptions' and subscriptionId == '{PROD}'")
    assert row["name"] == "ML production"
    chain = [group["name"] for group in row["properties"]["managementGroupAncestorsChain"]]
    assert chain == ["landing", "contoso", TENANT]


ASKED = {
    "dynamic path": (
        f"resources | where id =~ '{CLUSTER}' | project v = properties.agentPoolProfiles[0].name",
        ["pool1"],
    ),
    "keyword in a path": (f"resources | where id =~ '{CLUSTER}' | project v = tostring(properties.kind)", ["inner"]),
    "keyword as a column": ("resources | where kind =~ 'default' | project v = kind", ["Default"]),
    "kind by itself": ("resources | where kind == 'Default' | project kind | project v = kind", ["Default"]),
    "in~": (f"resources | where id in~ ('{NSG.upper()}') | project v = name", ["nodes-nsg"]),
    "has_any": (
        "resources | where name has_any ('hub', 'nothing') and type has 'virtualnetworks' | project v=name",
        ["hub"],
    ),
    "mv-expand": (
        f"resources | where id =~ '{VNET}' | mv-expand s = properties.subnets | project v = s.name",
        ["nodes"],
    ),
    "summarize": ("resources | where type endswith '/networksecuritygroups' | summarize v = count() by type", [1]),
    "join": (
        "resources | where type endswith '/managedclusters' | join kind=leftouter (resourcecontainers | where type =~ "
        "'microsoft.resources/subscriptions' | project subscriptionId, v = name) on subscriptionId | project v",
        ["ML production"],
    ),
    "union": ("resources | where type has 'managedclusters' | union (resourcechanges) | summarize v = count()", [2]),
    "no table": ("where type =~ 'microsoft.network/networksecuritygroups' | project v = name", ["nodes-nsg"]),
    "time": (
        "resourcechanges | where todatetime(properties.changeAttributes.timestamp) > ago(1d) | project v=name",
        ["1"],
    ),
    "parts": ("resources | where hash(tolower(id)) % 3 in (0, 1, 2) | summarize v = count() > 8", [True]),
    "quotes and bars": ("resources | where name == 'a|b' or name == \"it's (\" | summarize v = count()", [0]),
}


@pytest.mark.parametrize(("query", "values"), ASKED.values(), ids=ASKED)
def test_queries_are_executed(client: Client, query: str, values: list[Any]) -> None:
    assert [row["v"] for row in client.rows(query)] == values


def test_the_parts_of_a_hash_hold_each_row_once(client: Client) -> None:
    whole = {row["id"] for row in client.rows("resources | project id")}
    parts = [client.rows(f"resources | where hash(tolower(id)) % 4 == {at} | project id") for at in range(4)]
    ids = [row["id"] for part in parts for row in part]
    assert len(ids) == len(set(ids))
    assert set(ids) == whole


REFUSED = {
    "unknown table": ("virtualmachines | project id", "DisallowedLogicalTableName"),
    "table of the evaluator": ("t_resources | project id", "DisallowedLogicalTableName"),
    "unknown table in a join": (
        "resources | join kind=inner (secrets | project id) on id",
        "DisallowedLogicalTableName",
    ),
    "unknown table in a union": ("resources | union secrets", "DisallowedLogicalTableName"),
    "unknown table in a list": ("resources | where id in ((secrets | project id))", "DisallowedLogicalTableName"),
    "leftanti": ("resources | join kind=leftanti (resourcecontainers) on id", "UnsupportedJoinFlavor"),
    "rightouter": ("resources | join kind=rightouter (resources) on id", "UnsupportedJoinFlavor"),
    "join hint": ("resources | join hint.strategy=broadcast (resources) on id", "UnsupportedJoinStrategy"),
    "fuzzy union": ("resources | union isfuzzy=true resourcecontainers", "UnsupportedUnionOption"),
    "sample": ("resources | sample 5", "UnsupportedOperator"),
    "lookup": ("resources | lookup (resourcecontainers) on id", "UnsupportedOperator"),
    "render": ("resources | summarize count() by type | render piechart", "UnsupportedOperator"),
    "make-series": ("resources | make-series count() on x", "UnsupportedOperator"),
    "evaluate": ("resources | evaluate bag_unpack(properties)", "UnsupportedOperator"),
    "project-rename": ("resources | project-rename a = id", "UnsupportedOperator"),
    "serialize in a join": ("resources | join (resources | serialize) on id", "UnsupportedOperator"),
    "let": ("let a = 1; resources | take a", "DisallowedStatement"),
    "toscalar": ("resources | where id == toscalar(resources | summarize max(id))", "DisallowedFunction"),
    "another cluster": ("cluster('x').database('y').resources", "DisallowedFunction"),
    "externaldata": ("externaldata(a:string)['https://x.invalid']", "DisallowedFunction"),
    "four joins": ("resources" + " | join kind=inner (resources | project id) on id" * 4, "DisallowedMaxNumberOfJoins"),
    "two joins across tables": (
        "resources | join kind=inner (resourcecontainers) on id | join kind=inner (policyresources) on id",
        "DisallowedMaxNumberOfRemoteTables",
    ),
    "four mv-expands": ("resources" + " | mv-expand a = properties.a" * 4, "DisallowedMaxNumberOfMvExpands"),
    "long mv-expand": ("resources | mv-expand a = properties.a limit 401", "DisallowedMvExpandRowLimit"),
    "four legs": ("resources" + " | union resourcecontainers" * 4, "DisallowedMaxNumberOfUnionLegs"),
    "nothing after a pipe": ("resources |", "ParserFailure"),
    "open parenthesis": ("resources | where (name == 'a'", "ParserFailure"),
    "open quote": ("resources | where name == 'a", "ParserFailure"),
    "no expression": ("resources | where", "ParserFailure"),
    "unknown column": ("resources | project nonsense", "QueryExecutionFailure"),
    "only a comment": ("// nothing", "EmptyQuery"),
    "a command": (".show tables", "DisallowedLogicalTableName"),
}


@pytest.mark.parametrize(("query", "code"), REFUSED.values(), ids=REFUSED)
def test_refused(client: Client, query: str, code: str) -> None:
    answer = client.query(query)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, "BadRequest")
    assert [detail["code"] for detail in error["details"]] == ["InvalidQuery", code]


ALLOWED = {
    "three joins": "resources" + " | join kind=inner (resources | project id) on id" * 3,
    "three joins with containers": "resources | project id"
    + " | join kind=leftouter (resourcecontainers | project id) on id | project id" * 3,
    "fullouter": "resources | project id | join kind=fullouter (resources | project id) on id",
    "default flavour": "resources | project id | join (resources | project id) on id",
    "three mv-expands": "resources" + " | mv-expand a = properties.a" * 3,
    "longest mv-expand": "resources | mv-expand a = properties.a limit 400",
    "legacy spelling": "resources | mvexpand a = properties.a",
    "three legs": "resources | project id" + " | union (resourcecontainers | project id)" * 3,
    "trailing semicolon": "resources | project id;",
    "comment": "resources // all of them\n| project id // done",
    "odd casing": "RESOURCES | project id",
    "project-away": "resources | project-away properties",
    "distinct": "resources | distinct type",
    "top": "resources | top 3 by name asc",
    "parse": "resources | parse id with '/subscriptions/' s '/' rest | project s",
    "count": "resources | count",
}


@pytest.mark.parametrize("query", ALLOWED.values(), ids=ALLOWED)
def test_allowed(client: Client, query: str) -> None:
    answer = client.query(query)
    assert answer.status_code == 200, answer.text


def test_mv_expand_stops_at_128_rows_unless_told_otherwise(client_of: ClientOf) -> None:
    many = {**resources()[0], "properties": {"subnets": [{"name": str(at)} for at in range(200)]}}
    with serve(from_document(document(resources=[many])), quota=False) as replica:
        client = client_of(replica, 0)
        assert client.rows("resources | mv-expand s = properties.subnets | count") == [{"Count": 128}]
        assert client.rows("resources | mv-expand s = properties.subnets limit 150 | count") == [{"Count": 150}]


def test_what_only_the_replica_cannot_do_is_not_blamed_on_the_service(client: Client) -> None:
    answer = client.query("resources | extend k = bag_keys(properties)")
    assert (answer.status_code, answer.json()["error"]["code"]) == (501, "ReplicaCannotEvaluate")


def test_a_cloud_may_lack_a_table(client_of: ClientOf) -> None:
    with serve(from_document(document(lacksTables=["AuthorizationResources"])), quota=False) as replica:
        answer = client_of(replica, 0).query("authorizationresources | project id")
    assert [one["code"] for one in answer.json()["error"]["details"]] == ["InvalidQuery", "DisallowedLogicalTableName"]


BAD_REQUESTS: dict[str, tuple[dict[str, Any], str]] = {
    "both scopes": ({"subscriptions": [PROD], "managementGroups": ["contoso"]}, "InvalidScope"),
    "no GUID": ({"subscriptions": ["production"]}, "InvalidSubscription"),
    "top 0": ({"options": {"$top": 0}}, "InvalidTop"),
    "top 1001": ({"options": {"$top": 1001}}, "InvalidTop"),
    "negative skip": ({"options": {"$skip": -1}}, "InvalidSkip"),
    "unknown format": ({"options": {"resultFormat": "csv"}}, "InvalidResultFormat"),
    "made-up token": ({"options": {"$skipToken": "abc"}}, "InvalidSkipToken"),
    "empty query": ({"query": " "}, "EmptyQuery"),
    "query no text": ({"query": 7}, "EmptyQuery"),
}


@pytest.mark.parametrize(("changes", "code"), BAD_REQUESTS.values(), ids=BAD_REQUESTS)
def test_bad_request(client: Client, changes: dict[str, Any], code: str) -> None:
    answer = client.session.post(
        f"{client.replica.base_url}/providers/Microsoft.ResourceGraph/resources?api-version=2021-03-01",
        json={"query": "resources", **changes},
        headers={"Authorization": f"Bearer {client.token()}"},
        timeout=30,
    )
    assert answer.status_code == 400
    assert [detail["code"] for detail in answer.json()["error"]["details"]] == [code]


def test_skip_and_top_and_table_format(client: Client) -> None:
    whole = [row["id"] for row in client.rows("resources | project id | order by id asc")]
    part = client.query("resources | project id | order by id asc", {"$top": 2, "$skip": 3, "resultFormat": "table"})
    body = part.json()
    assert body["data"]["columns"] == [{"name": "id", "type": "string"}]
    assert [row[0] for row in body["data"]["rows"]] == whole[3:5]
    assert (body["count"], body["totalRecords"]) == (2, len(whole))
    # The next page keeps the size, and no longer minds the skip.
    following = client.query(
        "resources | project id | order by id asc", {"$skip": 99, "$skipToken": body["$skipToken"]}
    )
    assert [row["id"] for row in following.json()["data"]][:2] == whole[5:7]


@pytest.mark.parametrize(
    "query",
    [
        "resources | project id | order by id asc | limit 4",
        "resources | project properties | order by tostring(properties)",
    ],
    ids=["limit", "dynamic columns only"],
)
def test_truncated_without_a_token(client: Client, query: str) -> None:
    body = client.query(query, {"$top": 2}).json()
    assert (body["count"], body["resultTruncated"]) == (2, "true")
    assert "$skipToken" not in body


def test_unsorted_pages_repeat_a_row_and_lose_one(client_of: ClientOf) -> None:
    with serve(from_document(document(resources=list(route_tables(30)))), quota=False, page_size=20) as replica:
        client = client_of(replica, 0)
        first = client.query("resources | project id").json()
        second = client.query("resources | project id", {"$skipToken": first["$skipToken"]}).json()
    ids = [row["id"] for row in first["data"] + second["data"]]
    assert (first["count"] + second["count"], first["totalRecords"], len(set(ids))) == (30, 30, 29)


SCOPES = {
    "one subscription": ({"subscriptions": [TEST]}, {"out"}),
    "two": ({"subscriptions": [TEST.upper(), SANDBOX]}, {"out"}),
    "management group": ({"managementGroups": ["LANDING"]}, {"out", "hub", "score"}),
    "tenant": ({}, {"out", "hub", "score"}),
    "unknown subscription": ({"subscriptions": ["00000000-0000-4000-8000-00000000dead"]}, set()),
}


@pytest.mark.parametrize(("scope", "names"), SCOPES.values(), ids=SCOPES)
def test_scope(client: Client, scope: dict[str, list[str]], names: set[str]) -> None:
    wanted = "resources | where name in ('out', 'hub', 'score') and type !has 'links' | project name"
    assert {row["name"] for row in client.rows(wanted, **scope)} == names


def test_an_unknown_management_group_is_refused(client: Client) -> None:
    answer = client.query("resources", managementGroups=["nowhere"])
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "AuthorizationFailed")


def test_what_the_caller_may_not_read_is_left_out_in_silence(narrow: Client) -> None:
    groups = {row["resourceGroup"] for row in narrow.rows("resources | project resourceGroup")}
    assert groups == {"net-rg"}
    assert narrow.rows("resources | project id", subscriptions=[TEST]) == []
    [shown] = narrow.rows("resourcecontainers | where type =~ 'microsoft.resources/subscriptions' | project name")
    assert shown == {"name": "ML production"}


def test_a_right_on_a_single_resource_shows_just_that(client_of: ClientOf) -> None:
    [whole, narrow] = document()["applications"]
    estate = from_document(document(applications=[whole, {**narrow, "reads": [NSG]}], unreadable=[CLUSTER]))
    query = "resources | project name | order by name asc"
    with serve(estate, quota=False) as replica:
        assert client_of(replica, 1).rows(query) == [{"name": "nodes-nsg"}]
        assert {"name": "score"} not in client_of(replica, 0).rows(query)
        assert client_of(replica, 1).get(f"{NSG}/securityRules").json()["value"][0]["name"] == "allow-acr"


def test_unreadable_scopes_vanish(client_of: ClientOf) -> None:
    with serve(from_document(document(unreadable=[f"/subscriptions/{TEST}"])), quota=False) as replica:
        client = client_of(replica, 0)
        assert client.rows("resources | where name == 'out'") == []
        names = client.rows(
            "resourcecontainers | where type endswith '/subscriptions' | project name | order by name asc"
        )
        assert [row["name"] for row in names] == ["ML production", "Sandbox"]
        assert client.get(f"/subscriptions/{TEST}").status_code == 403


def test_assignments_above_a_scope_show_only_when_asked_for(client: Client) -> None:
    query = "authorizationresources | where type endswith '/roleassignments' | project name"

    def names(chosen: str | None, version: str = "2022-10-01") -> set[str]:
        options = {} if chosen is None else {"authorizationScopeFilter": chosen}
        answer = client.query(query, options, version, subscriptions=[PROD])
        return {row["name"] for row in answer.json()["data"]}

    below, above = {"at-subscription", "at-net", "at-subnet"}, {"at-root", "at-group", "at-subscription"}
    assert names(None) == below
    assert names("AtScopeAndAbove") == above
    assert names("AtScopeAboveAndBelow") == below | above
    assert names("AtScopeExact") == {"at-subscription"}
    assert names("AtScopeAndAbove", "2021-03-01") == below


def test_built_in_roles_belong_to_every_scope(client: Client) -> None:
    query = (
        "authorizationresources | where type endswith '/roledefinitions' | project n = tostring(properties.roleName)"
    )
    assert [row["n"] for row in client.rows(query, subscriptions=[TEST])] == ["Reader"]


def test_a_scope_of_too_many_subscriptions_is_cut(client_of: ClientOf) -> None:
    with serve(from_document(document()), quota=False, subscription_limit=2) as replica:
        client = client_of(replica, 0)
        query = "resourcecontainers | where type endswith '/subscriptions' | project subscriptionId"
        cut = client.query(query, managementGroups=["contoso"])
        assert cut.headers["x-ms-tenant-subscription-limit-hit"] == "true"
        assert [row["subscriptionId"] for row in cut.json()["data"]] == [PROD, TEST]
        listed = client.query(query, subscriptions=[PROD, TEST, SANDBOX])
        assert "x-ms-tenant-subscription-limit-hit" not in listed.headers
        assert listed.json()["count"] == 3


def test_the_index_lags_behind_arm(client_of: ClientOf) -> None:
    lag = [{"id": NSG.upper(), "merge": {"properties": {"securityRules": None, "provisioningState": "Updating"}}}]
    with serve(from_document(document(indexLag=lag)), quota=False) as replica:
        client = client_of(replica, 0)
        [row] = client.rows(f"resources | where id =~ '{NSG}' | project properties")
        assert row["properties"] == {"provisioningState": "Updating"}
        assert client.get(NSG).json()["properties"]["securityRules"]
        indexed = client.get(NSG, useResourceGraph="true")
        assert indexed.json()["properties"] == {"provisioningState": "Updating"}
        assert indexed.headers["x-ms-arg-snapshot-timestamp"].startswith("2026-11-24T02:00:00")


def test_the_next_night_replaces_the_tables(client_of: ClientOf) -> None:
    with serve(from_document(document()), quota=False) as replica:
        client = client_of(replica, 0)
        assert len(client.rows(f"resources | where id =~ '{NSG}'")) == 1
        replica.load(from_document(document(resources=[one for one in resources() if one["id"] != NSG])))
        assert client.rows(f"resources | where id =~ '{NSG}'") == []
        assert client.get(NSG).status_code == 404


def test_answers_are_zipped_when_asked(client: Client) -> None:
    answer = client.query("resources")
    assert answer.headers["Content-Encoding"] == "gzip"
    plain = client.session.get(
        f"{client.replica.base_url}{NET}/providers/Microsoft.Network/virtualNetworks?api-version=2024-05-01",
        headers={"Authorization": f"Bearer {client.token()}", "Accept-Encoding": "identity"},
        timeout=30,
    )
    assert "Content-Encoding" not in plain.headers
