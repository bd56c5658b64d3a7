"""The token endpoint, asked by azure-identity and by hand."""

import base64
import json
from collections.abc import Callable

import jwt
import pytest
from azure.core.exceptions import ClientAuthenticationError

from auditor.replica import Replica, serve
from auditor.replica.estate import from_document
from auditor.replica.sign_in import LIFETIME_S
from tests.replica.client import Client, credential
from tests.replica.contoso import NSG, SCANNER, SCANNER_OBJECT, TENANT, document


def test_azure_identity_gets_a_token_with_just_two_requests(contoso: Replica) -> None:
    before = len(contoso.requests)
    with credential(contoso) as one:
        token = one.get_token(contoso.base_url + "/.default")
    assert [record.operation for record in contoso.requests[before:]] == ["openid", "token"]
    claims = json.loads(base64.urlsafe_b64decode(token.token.split(".")[1] + "=="))
    assert (claims["aud"], claims["appid"], claims["oid"]) == (contoso.base_url, SCANNER, SCANNER_OBJECT)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"AZURE_CLIENT_SECRET": "wrong"}, "AADSTS7000215"),
        ({"AZURE_CLIENT_ID": "00000000-0000-4000-8000-00000000dead"}, "AADSTS700016"),
    ],
    ids=["wrong secret", "unknown application"],
)
def test_azure_identity_reports_entras_code(contoso: Replica, changes: dict[str, str], code: str) -> None:
    with credential(contoso, **changes) as one, pytest.raises(ClientAuthenticationError, match=code):
        one.get_token(contoso.base_url + "/.default")


def test_an_unknown_tenant_fails_at_discovery(contoso: Replica) -> None:
    wrong = credential(contoso, AZURE_TENANT_ID="00000000-0000-4000-8000-00000000dead")
    with wrong as one, pytest.raises((ClientAuthenticationError, ValueError)):
        one.get_token(contoso.base_url + "/.default")


REFUSALS = {
    "wrong secret": ({"client_secret": "wrong"}, 401, "invalid_client", 7000215),
    "no secret": ({"client_secret": ""}, 401, "invalid_client", 7000215),
    "unknown application": ({"client_id": "nobody"}, 400, "unauthorized_client", 700016),
    "other grant": ({"grant_type": "password"}, 400, "unsupported_grant_type", 70003),
    "scope of one permission": ({"scope": "https://graph.invalid/User.Read"}, 400, "invalid_scope", 1002012),
    "unknown audience": ({"scope": "https://management.azure.com/.default"}, 400, "invalid_resource", 500011),
}


@pytest.mark.parametrize(("form", "status", "error", "number"), REFUSALS.values(), ids=REFUSALS)
def test_a_refusal_has_entras_shape(client: Client, form: dict[str, str], status: int, error: str, number: int) -> None:
    answer = client.sign_in(**form)
    body = answer.json()
    assert (answer.status_code, body["error"], body["error_codes"]) == (status, error, [number])
    assert body["error_description"].startswith(f"AADSTS{number}: ")
    assert {"timestamp", "trace_id", "correlation_id", "error_uri"} <= set(body)


def test_discovery_of_an_unknown_tenant(client: Client, contoso: Replica) -> None:
    answer = client.session.get(f"{contoso.base_url}/{'0' * 8}/v2.0/.well-known/openid-configuration", timeout=30)
    assert answer.status_code == 400
    assert answer.json()["error"] == "invalid_tenant"
    assert "AADSTS90002" in answer.json()["error_description"]


def _with(client: Client, header: str | None) -> tuple[int, str, str]:
    url = f"{client.replica.base_url}{NSG}?api-version=2024-05-01"
    answer = client.session.get(url, headers={} if header is None else {"Authorization": header}, timeout=30)
    return answer.status_code, answer.json()["error"]["code"], answer.headers["WWW-Authenticate"]


def test_arm_rejects_what_is_no_good_token(client: Client, contoso: Replica) -> None:
    graph_token = client.token(contoso.graph_endpoint)
    cases = {
        None: "AuthenticationFailed",
        "Basic abc": "AuthenticationFailed",
        "Bearer made.up.token": "InvalidAuthenticationToken",
        f"Bearer {graph_token}": "InvalidAuthenticationTokenAudience",
    }
    for header, code in cases.items():
        status, found, challenge = _with(client, header)
        assert (status, found) == (401, code)
        assert f'authorization_uri="{contoso.base_url}/{TENANT}"' in challenge


def test_a_token_expires(client_of: Callable[[Replica, int], Client]) -> None:
    now = [1_800_000_000.0]
    with serve(from_document(document()), quota=False, wall_clock=lambda: now[0]) as replica:
        client = client_of(replica, 0)
        header = f"Bearer {client.token()}"
        now[0] += LIFETIME_S - 1
        assert client.get(NSG).status_code == 200
        now[0] += 1
        assert _with(client, header)[:2] == (401, "ExpiredAuthenticationToken")


def test_a_token_of_an_application_that_the_next_estate_lacks(client_of: Callable[[Replica, int], Client]) -> None:
    with serve(from_document(document()), quota=False) as replica:
        client = client_of(replica, 0)
        header = f"Bearer {client.token()}"
        replica.load(from_document(document(applications=document()["applications"][1:])))
        assert _with(client, header)[:2] == (401, "InvalidAuthenticationToken")


def test_a_token_for_an_api_of_the_tenants_own_is_signed_by_a_key_that_it_shows() -> None:
    with serve(from_document(document()), quota=False, apis={"api://own": ["Own.Read"]}) as replica:
        client = Client(replica)
        try:
            answer = client.sign_in(scope="api://own/.default")
            metadata = client.get(f"/{TENANT}/v2.0/.well-known/openid-configuration").json()
            keys = client.get(metadata["jwks_uri"].removeprefix(replica.base_url)).json()
        finally:
            client.close()
        assert keys["keys"][0]["kid"] == replica.signer.key_id
        claims = jwt.decode(
            answer.json()["access_token"],
            jwt.PyJWK(keys["keys"][0]).key,
            algorithms=["RS256"],
            audience="api://own",
            issuer=metadata["issuer"],
        )
        assert (claims["roles"], claims["tid"], claims["ver"]) == (["Own.Read"], TENANT, "2.0")
