"""Faults on demand, as a client meets them."""

import base64
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from azure.mgmt.network import NetworkManagementClient

from auditor.replica import FaultPlan, Replica, serve
from auditor.replica.estate import from_document
from auditor.replica.faults import FaultPlanProblem, read
from tests.replica.client import Client, credential
from tests.replica.contoso import NET, NSG, PROD, SUBNET, TEST, document, resources, route_tables

ClientOf = Callable[[Replica, int], Client]
VNETS = f"{NET}/providers/Microsoft.Network/virtualNetworks"
TABLES = f"/subscriptions/{TEST}/providers/Microsoft.Network/routeTables"


@pytest.fixture(scope="module")
def faulty() -> Iterator[Replica]:
    """One replica whose plan each test replaces."""
    estate = from_document(document(resources=[*resources(), *route_tables(30)]))
    with serve(estate, quota=False, arm_page_size=10, page_size=10) as replica:
        yield replica


@pytest.fixture
def client(faulty: Replica, client_of: ClientOf) -> Iterator[Client]:
    faulty.set_faults(None)
    faulty.forget_requests()
    one = client_of(faulty, 0)
    one.token()
    yield one
    faulty.set_faults(None)


@pytest.mark.parametrize("status", [403, 404, 409, 429, 500, 503])
def test_a_status_with_and_without_retry_after(client: Client, status: int) -> None:
    client.replica.set_faults([{"match": {"path": "virtualNetworks"}, "fault": status}])
    answer = client.get(VNETS)
    assert answer.status_code == status
    assert answer.json()["error"]["code"]
    assert "Retry-After" not in answer.headers
    client.replica.set_faults([{"fault": "status", "status": status, "retryAfter": 7, "code": "Custom"}])
    again = client.get(VNETS)
    assert (again.headers["Retry-After"], again.json()["error"]["code"]) == ("7", "Custom")
    assert client.replica.requests[-1].fault == "status"


def test_times_and_after(client: Client) -> None:
    client.replica.set_faults([{"match": {"path": "virtualNetworks"}, "fault": 503, "times": 2, "after": 1}])
    assert [client.get(VNETS).status_code for _ in range(5)] == [200, 503, 503, 200, 200]
    assert client.get(NSG).status_code == 200


def test_one_line_after_the_other(client: Client) -> None:
    client.replica.set_faults([{"fault": 429, "times": 1}, {"fault": 500, "times": 1}])
    assert [client.get(VNETS).status_code for _ in range(3)] == [429, 500, 200]


MATCHES: dict[str, tuple[dict[str, str], bool]] = {
    "method": ({"method": "get"}, True),
    "other method": ({"method": "POST"}, False),
    "operation": ({"operation": "arm-list"}, True),
    "other operation": ({"operation": "arm-get"}, False),
    "type": ({"type": "Microsoft.Network/VirtualNetworks"}, True),
    "other type": ({"type": "microsoft.network/virtualnetworks/subnets"}, False),
    "path with query": ({"path": r"virtualnetworks\?.*api-version=2024"}, True),
    "everything at once": ({"method": "GET", "operation": "arm-list", "path": "Net-RG"}, True),
    "one of several misses": ({"method": "GET", "path": "elsewhere"}, False),
    "table": ({"table": "resources"}, False),
}


@pytest.mark.parametrize(("match", "hit"), MATCHES.values(), ids=MATCHES)
def test_match(client: Client, match: dict[str, str], hit: bool) -> None:
    client.replica.set_faults([{"match": match, "fault": 500}])
    assert client.get(VNETS).status_code == (500 if hit else 200)


def test_queries_are_chosen_by_table_and_text(client: Client) -> None:
    client.replica.set_faults([{"match": {"table": "Resources", "query": "ROUTETABLES"}, "fault": 500}])
    assert client.query("resources | where type has 'routeTables'").status_code == 500
    assert client.query("resources | where type has 'virtualNetworks'").status_code == 200
    assert client.query("resourcecontainers | where type has 'routeTables'").status_code == 200


def test_the_token_endpoint_can_fail_too(client: Client) -> None:
    client.replica.set_faults([{"match": {"operation": "token"}, "fault": 503, "times": 1}])
    assert client.sign_in().status_code == 503
    assert client.sign_in().status_code == 200


def test_reset(client: Client) -> None:
    client.replica.set_faults([{"fault": "reset", "times": 1}])
    with pytest.raises(requests.ConnectionError):
        client.get(VNETS)
    assert client.get(VNETS).status_code == 200
    assert [(one.status, one.fault) for one in client.replica.requests][-2:] == [(0, "reset"), (200, None)]


def test_truncate(client: Client) -> None:
    client.replica.set_faults([{"fault": "truncate", "times": 1}])
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        client.get(VNETS)
    assert client.get(VNETS).status_code == 200


def test_slow_outlasts_a_read_timeout(client: Client) -> None:
    client.replica.set_faults([{"fault": "slow", "seconds": 30, "times": 1}])
    headers = {"Authorization": f"Bearer {client.token()}"}
    url = f"{client.replica.base_url}{VNETS}?api-version=2024-05-01"
    with pytest.raises(requests.exceptions.ReadTimeout):
        client.session.get(url, headers=headers, timeout=0.1)


def test_drip_comes_in_pieces_and_whole(client: Client) -> None:
    client.replica.set_faults([{"fault": "drip", "seconds": 0.01}])
    assert client.get(VNETS).json()["value"][0]["name"] == "hub"


def test_wrong_json_and_wrong_content_type(client: Client) -> None:
    client.replica.set_faults([{"fault": "wrong-json", "times": 1}, {"fault": "wrong-content-type", "times": 1}])
    broken = client.get(VNETS)
    assert broken.status_code == 200
    with pytest.raises(ValueError):
        broken.json()
    page = client.get(VNETS)
    assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html")


def test_expired_token(client: Client) -> None:
    client.replica.set_faults([{"match": {"operation": "arm-list"}, "fault": "expired-token", "times": 1}])
    answer = client.get(VNETS)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "ExpiredAuthenticationToken")
    assert client.get(VNETS).status_code == 200


def test_a_claims_challenge_is_met_by_the_sdk_with_a_new_token(client: Client, faulty: Replica) -> None:
    faulty.set_faults([{"match": {"path": "networkSecurityGroups"}, "fault": "claims-challenge", "times": 1}])
    with (
        credential(faulty) as signed_in,
        NetworkManagementClient(
            signed_in,
            PROD,
            base_url=faulty.base_url,
            credential_scopes=[faulty.base_url + "/.default"],
            connection_verify=str(faulty.ca_path),
        ) as network,
    ):
        assert network.network_security_groups.get("Net-RG", "nodes-nsg").name == "nodes-nsg"
    statuses = [(one.operation, one.status) for one in faulty.requests[-4:]]
    assert statuses == [("token", 200), ("arm-get", 401), ("token", 200), ("arm-get", 200)]


def test_a_challenged_token_stays_refused(client: Client) -> None:
    client.replica.set_faults([{"fault": "claims-challenge", "times": 1}])
    first = client.get(VNETS)
    coded = re.search(r'claims="([^"]+)"', first.headers["WWW-Authenticate"])
    assert coded is not None
    assert "access_token" in json.loads(base64.b64decode(coded[1]))
    assert client.get(VNETS).status_code == 401


def test_missing_registration(client: Client) -> None:
    client.replica.set_faults([{"fault": "missing-registration", "times": 1}])
    answer = client.get(VNETS)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "MissingSubscriptionRegistration")


@pytest.mark.parametrize("at", [0, 1, 2])
def test_an_empty_page_leads_on_and_loses_nothing(client: Client, at: int) -> None:
    fault = {"match": {"type": "microsoft.network/routetables"}, "fault": "empty-page-with-nextlink"}
    client.replica.set_faults([{**fault, "after": at, "times": 2}])
    pages, links = [], []
    answer = client.get(TABLES).json()
    while True:
        pages.append(len(answer["value"]))
        if "nextLink" not in answer:
            break
        links.append(answer["nextLink"])
        answer = client.get(links[-1]).json()
    assert pages == [10] * at + [0, 0] + [10] * (3 - at) + [1]
    assert len(set(links)) == len(links)


def test_empty_pages_of_graph_and_of_queries(client: Client) -> None:
    client.replica.set_faults([{"fault": "empty-page-with-nextlink", "times": 1}])
    empty = client.graph("/v1.0/servicePrincipals").json()
    assert empty["value"] == []
    assert client.graph(empty["@odata.nextLink"]).json()["value"]
    client.replica.set_faults([{"fault": "empty-page-with-nextlink", "times": 2}])
    query = "resources | where name startswith 'rt' | project name | order by name asc"
    page: dict[str, Any] = {}
    for count in (0, 0, 10):
        page = client.query(query, {"$top": 10, **({"$skipToken": page["$skipToken"]} if page else {})}).json()
        assert (page["count"], len(page["data"]), page["totalRecords"]) == (count, count, 30)
    assert page["data"][0]["name"] == "rt00000"


def test_a_foreign_next_link(client: Client) -> None:
    client.replica.set_faults([{"fault": "foreign-nextlink"}])
    assert client.get(VNETS).json()["nextLink"].startswith("https://replica-foreign.invalid/")
    client.replica.set_faults([{"match": {"operation": "graph"}, "fault": "foreign-nextlink"}])
    assert "invalid" in client.graph("/v1.0/servicePrincipals").json()["@odata.nextLink"]


def test_rows_that_repeat_or_get_lost(client: Client) -> None:
    client.replica.set_faults([{"fault": "repeat-row", "times": 1}, {"fault": "lose-row", "times": 1}])
    query = "resources | where name startswith 'rt' | project id | order by id asc"
    repeated = client.query(query).json()
    assert (repeated["count"], len({row["id"] for row in repeated["data"]})) == (10, 9)
    lost = client.query(query).json()
    assert (lost["count"], len(lost["data"]), lost["totalRecords"]) == (9, 9, 30)


def test_a_plan_from_a_file(client_of: ClientOf, tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text(json.dumps([{"match": {"path": SUBNET}, "fault": 404}]), encoding="utf-8")
    with serve(from_document(document()), quota=False, fault_plan=path) as replica:
        assert client_of(replica, 0).get(SUBNET).status_code == 404


PROBLEMS: dict[str, tuple[Any, str]] = {
    "unknown fault": ([{"fault": "explode"}], "unknown fault 'explode'"),
    "unknown key": ([{"fault": 500, "retry": 1}], "unknown key `retry`"),
    "unknown match": ([{"fault": 500, "match": {"host": "x"}}], "unknown key `host`"),
    "odd status": ([{"fault": 200}], "status 200"),
    "no object": (["500"], "not an object"),
    "match no object": ([{"fault": 500, "match": "x"}], "`match` is not an object"),
    "bad pattern": ([{"fault": 500, "match": {"path": "("}}], "not a regular expression"),
    "negative": ([{"fault": 500, "times": -1}], "`times` must be a number"),
}


@pytest.mark.parametrize(("plan", "message"), PROBLEMS.values(), ids=PROBLEMS)
def test_a_plan_that_cannot_be_meant(plan: Any, message: str) -> None:
    with pytest.raises(FaultPlanProblem, match=re.escape(message)):
        read(plan)


@pytest.mark.parametrize(("text", "message"), [("{", "not JSON"), ("{}", "a fault plan is a list")])
def test_a_plan_file_that_cannot_be_meant(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "plan.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(FaultPlanProblem, match=message):
        read(path)
    with pytest.raises(FaultPlanProblem, match="cannot be read"):
        read(tmp_path / "missing.json")


def test_no_plan_is_an_empty_plan() -> None:
    assert read(None).faults == FaultPlan().faults == ()
