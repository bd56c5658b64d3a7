"""The server as a whole: writes, records, environment, TLS, stopping, and what it needs installed."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from auditor.replica import Replica, serve
from auditor.replica.estate import from_document
from tests.replica.client import Client
from tests.replica.contoso import CLUSTER, NARROW, NET, NSG, PROD, ROOT_GROUP, SCANNER, TENANT, document

ClientOf = Callable[[Replica, int], Client]


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "POST"])
def test_writes_are_refused_and_recorded(client: Client, method: str) -> None:
    url = f"{client.replica.base_url}{NSG}?api-version=2024-05-01"
    answer = client.session.request(method, url, headers={"Authorization": f"Bearer {client.token()}"}, timeout=30)
    assert (answer.status_code, answer.json()["error"]["code"]) == (405, "MethodNotAllowed")
    record = client.replica.requests[-1]
    assert (record.method, record.path, record.operation, record.status) == (method, NSG, "write", 405)


def test_a_provider_registration_is_a_write(client: Client) -> None:
    url = f"{client.replica.base_url}/subscriptions/{PROD}/providers/Microsoft.Network/register?api-version=2016-02-01"
    answer = client.session.post(url, headers={"Authorization": f"Bearer {client.token()}"}, timeout=30)
    assert answer.status_code == 405
    assert client.replica.requests[-1].operation == "write"


def test_records_tell_operation_type_table_and_rows(client_of: ClientOf, tmp_path: Path) -> None:
    log = tmp_path / "requests.jsonl"
    with serve(from_document(document()), quota=False, log_path=log) as replica:
        client = client_of(replica, 0)
        client.query("resources | where type has 'virtualNetworks' | join kind=leftouter (resourcecontainers) on id")
        client.get(NSG)
        client.get(f"{CLUSTER}/agentPools")
        client.graph("/v1.0/servicePrincipals")
        client.session.get(f"{replica.base_url}/metadata/endpoints", timeout=30)
        client.session.get(f"{replica.base_url}/favicon.ico", timeout=30)
        told = [(one.operation, one.type, one.table, one.rows, one.status) for one in replica.requests]
        written = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    assert told == [
        ("token", "", "", None, 200),
        ("resource-graph", "", "resources,resourcecontainers", 1, 200),
        ("arm-get", "microsoft.network/networksecuritygroups", "", None, 200),
        ("arm-list", "microsoft.containerservice/managedclusters/agentpools", "", 1, 200),
        ("token", "", "", None, 200),
        ("graph", "", "", 5, 200),
        ("metadata", "", "", None, 200),
        ("unknown", "", "", None, 405),
    ]
    assert [one["operation"] for one in written] == [one[0] for one in told]
    assert "open sesame" not in json.dumps(written)


def test_environment(contoso: Replica) -> None:
    environment = contoso.environment()
    assert environment == {
        "AZURE_TENANT_ID": TENANT,
        "AZURE_CLIENT_ID": SCANNER,
        "AZURE_CLIENT_SECRET": "open sesame",
        "AUDITOR_ARM_ENDPOINT": contoso.base_url,
        "AUDITOR_AUTHORITY_HOST": contoso.base_url,
        "AUDITOR_GRAPH_ENDPOINT": contoso.base_url + "/graph",
        "AUDITOR_CA_BUNDLE": str(contoso.ca_path),
    }
    assert contoso.environment(1)["AZURE_CLIENT_ID"] == NARROW


def test_the_certificate_holds_for_both_names_and_only_with_the_ca(contoso: Replica) -> None:
    by_name = contoso.base_url.replace("127.0.0.1", "localhost")
    with requests.Session() as session:
        session.trust_env = False
        for base in (contoso.base_url, by_name):
            answer = session.get(f"{base}/metadata/endpoints", verify=str(contoso.ca_path), timeout=30)
            assert answer.status_code == 200
        with pytest.raises(requests.exceptions.SSLError):
            session.get(f"{contoso.base_url}/metadata/endpoints", timeout=30)


def test_the_client_request_id_comes_back(client: Client) -> None:
    url = f"{client.replica.base_url}/metadata/endpoints"
    answer = client.session.get(url, headers={"x-ms-client-request-id": "abc"}, timeout=30)
    assert answer.headers["x-ms-client-request-id"] == "abc"
    assert answer.headers["x-ms-request-id"]


def test_stopping_closes_connections_cleans_up_and_may_be_repeated() -> None:
    replica = Replica(from_document(document()))
    replica.start()
    client = Client(replica)
    assert client.sign_in().status_code == 200
    folder = replica.ca_path.parent
    replica.stop()
    replica.stop()
    assert not folder.exists()
    client.session.verify = True
    with pytest.raises(requests.ConnectionError):
        client.sign_in()
    client.close()


@pytest.mark.parametrize(("package", "asks"), [("cryptography", False), ("duckdb", True), ("duckdb_kql", True)])
def test_a_missing_extra_says_what_to_install(package: str, asks: bool) -> None:
    """In an interpreter where the package cannot be imported."""
    program = f"""
import json, sys
sys.modules[{package!r}] = None
from auditor.errors import UsageProblem
from auditor.replica import Replica
from auditor.replica.estate import from_document
from auditor.replica.resource_graph import Evaluator
from auditor.replica.world import World
estate = from_document(json.load(sys.stdin))
try:
    Evaluator(World(estate)) if {asks} else Replica(estate).start()
except UsageProblem as problem:
    print(problem.message, "|", problem.hint)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], input=json.dumps(document()), capture_output=True, text=True, check=True
    )
    assert "the replica needs the package" in done.stdout
    assert "pip install 'auditor[replica]'" in done.stdout


def test_importing_the_replica_loads_no_database_and_no_cryptography() -> None:
    heavy = ("duckdb", "duckdb_kql", "cryptography", "azure")
    program = f"import sys, auditor.replica; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


_SEGMENTS = (
    "subscriptions", PROD, "resourceGroups", "Net-RG", "providers", "Microsoft.Network", "virtualNetworks", "hub",
    "Microsoft.Authorization", "roleAssignments", "Microsoft.Management", "managementGroups", "contoso", "locations",
    "serviceTags", "Microsoft.Insights", "eventtypes", "management", "values", "resources", "", "..", "%00", "ü",
    "graph", "v1.0", "servicePrincipals", "groups", "descendants", "permissions", "$skiptoken",
)  # fmt: skip
_STARTS = ("", "/subscriptions", f"/subscriptions/{PROD}", "/providers", ROOT_GROUP, NET, NSG, "/graph/v1.0")


def _headers(replica: Replica, audience: str) -> dict[str, str]:
    form = f"grant_type=client_credentials&client_id={SCANNER}&client_secret=open%20sesame&scope={audience}"
    answer, _ = replica.handle("POST", f"/{TENANT}/oauth2/v2.0/token", {}, f"{form}/.default".encode())
    return {"Authorization": "Bearer " + json.loads(answer.body)["access_token"]}


@given(
    st.sampled_from(_STARTS),
    st.lists(st.sampled_from(_SEGMENTS), max_size=5),
    st.sampled_from(["", "&$skiptoken=x", "&$filter='", "&%ff=%ff"]),
)
def test_any_path_gets_an_answer(contoso: Replica, start: str, segments: list[str], query: str) -> None:
    target = "/".join([start, *segments])
    audience = contoso.graph_endpoint if target.startswith("/graph") else contoso.base_url
    answer, _ = contoso.handle("GET", f"{target}?api-version=2024-05-01{query}", _headers(contoso, audience), b"")
    assert answer.status in (200, 400, 403, 404, 405)
    assert isinstance(json.loads(answer.body), dict)


@given(st.binary(max_size=40) | st.text(max_size=20).map(lambda text: json.dumps({"query": text}).encode()))
def test_any_query_body_gets_an_answer(contoso: Replica, body: bytes) -> None:
    target = "/providers/Microsoft.ResourceGraph/resources?api-version=2021-03-01"
    answer, _ = contoso.handle("POST", target, _headers(contoso, contoso.base_url), body)
    assert answer.status in (200, 400, 501)
