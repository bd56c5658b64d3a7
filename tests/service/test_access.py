"""Who is let in, tried as an attacker would: API tokens, tokens of Entra ID, sessions, origins."""

from __future__ import annotations

import ast
import base64
import contextlib
import hashlib
import hmac
import inspect
import json
import logging
import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from auditor.replica import Replica, serve
from auditor.replica.estate import from_document
from auditor.replica.signing import Signer, segment
from auditor.service import tokens
from auditor.service.gate import OPEN
from auditor.service.identity import Authority, AuthorityDown, EntraTokens, Refused
from auditor.service.options import Options
from auditor.service.roles import Role
from tests.replica.contoso import TENANT, document
from tests.service.world import Client, Serving, World, night, serving

AUDIENCE = "api://auditor"
OTHER_TENANT = "00000000-0000-4000-8000-00000000dead"
RUNS, SCANS = "/api/v1/runs", "/api/v1/scans"


@pytest.fixture(scope="module")
def authority() -> Iterator[Replica]:
    with serve(from_document(document()), quota=False, apis={AUDIENCE: ["Auditor.Read"]}) as replica:
        yield replica


@pytest.fixture(scope="module")
def guarded(authority: Replica, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A service that takes tokens of the replica's tenant, also from a proxy."""
    world = World(tmp_path_factory.mktemp("guarded"))
    world.environment = {
        "AUDITOR_AUTHORITY_HOST": authority.base_url,
        "AUDITOR_CA_BUNDLE": str(authority.ca_path),
    }
    options = Options(
        address=("127.0.0.1", 0), audiences=(AUDIENCE,), tenant=TENANT, proxy_header="x-forwarded-access-token"
    )
    with serving(world, options) as running:
        yield running


# ---------------------------------------------------------------- closed by default


EVERYWHERE = (
    ("GET", "/metrics"),
    ("GET", "/api/v1/openapi.json"),
    ("GET", RUNS),
    ("GET", SCANS),
    ("POST", SCANS),
    ("GET", "/api/v1/findings"),
    ("GET", "/runs/20260101T020000Z-000001/report"),
    ("POST", "/scans"),
    ("POST", "/logout"),
    ("GET", "/nowhere"),
    ("DELETE", "/"),
    ("OPTIONS", RUNS),
)


@pytest.mark.parametrize(("method", "path"), EVERYWHERE)
def test_without_a_credential_nothing_opens(shown: Serving, method: str, path: str) -> None:
    answer = shown.client()(method, path, json={} if method == "POST" and path.startswith("/api") else None)
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, 'Bearer realm="auditor"')


def test_what_is_open_tells_nothing() -> None:
    assert {"/livez", "/readyz", "/login"} == OPEN


def test_a_person_without_a_session_is_sent_to_sign_in(shown: Serving) -> None:
    answer = shown.client().get("/", headers={"Accept": "text/html"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/login")


def test_every_path_that_changes_something_needs_the_role_to_run(shown: Serving) -> None:
    described = shown.reader.get("/api/v1/openapi.json").json()
    tried = 0
    for path, methods in described["paths"].items():
        for method in methods:
            if method == "get":
                continue
            whole = path.replace("{run_id}", "20260101T020000Z-000001")
            whole = whole.replace("{job_id}", "20260101T020000Z-00000001")
            answer = shown.reader(method.upper(), whole, json={})
            assert (answer.status_code, answer.json()["type"]) == (403, "urn:auditor:problem:role"), path
            tried += 1
    assert tried == 4


# ---------------------------------------------------------------- API tokens


def test_a_token_is_kept_as_its_hash_only(world: World) -> None:
    token = world.token("one", "read")
    content = b"".join(path.read_bytes() for path in world.folder.iterdir())
    assert token.encode() not in content
    assert token.split("_")[2].encode() not in content
    with contextlib.closing(sqlite3.connect(world.folder / "history.sqlite")) as database:
        kept = database.execute("SELECT digest FROM api_token").fetchall()
    assert kept == [(hashlib.sha256(token.encode()).digest(),)]


def test_tokens_open_until_they_expire_or_are_revoked(service: Serving) -> None:
    token = service.world.token("short", "read", lifetime=timedelta(hours=1))
    client = service.client(token)
    assert client.get(RUNS).status_code == 200
    service.world.now += timedelta(minutes=59, seconds=59)
    assert client.get(RUNS).status_code == 200
    service.world.now += timedelta(seconds=1)
    assert client.get(RUNS).status_code == 401
    assert service.reader.get(RUNS).status_code == 200
    service.world.revoke("reader")
    assert service.reader.get(RUNS).status_code == 401


def forgeries(token: str) -> dict[str, str]:
    """Tokens that are nearly one."""
    prefix, name, secret = token.split("_", 2)
    return {
        "last character": f"{token[:-1]}{'A' if token[-1] != 'A' else 'B'}",
        "cut": token[:-1],
        "longer": token + "A",
        "another id": f"{prefix}_{'0' * 12}_{secret}",
        "no secret": f"{prefix}_{name}_",
        "a line break": f"{token}%0a",
        "a wildcard": f"{prefix}_%_{secret}",
        "quotes": f"{prefix}_' OR 1=1 --_{secret}",
        "its hash": hashlib.sha256(token.encode()).hexdigest(),
    }


@pytest.mark.parametrize("how", forgeries("a_b_c"))
def test_a_token_that_is_nearly_one_opens_nothing(shown: Serving, how: str) -> None:
    assert shown.client(forgeries(shown.running_token)[how]).get(RUNS).status_code == 401


def test_tokens_are_compared_in_constant_time() -> None:
    """By construction: hashes are compared by `hmac.compare_digest` alone, also where there is no such token."""
    tree = ast.parse(inspect.getsource(tokens.token_of))
    calls = [each for each in ast.walk(tree) if isinstance(each, ast.Call)]
    assert sum(ast.unparse(call.func) == "hmac.compare_digest" for call in calls) == 1
    compared = [ast.unparse(each) for each in ast.walk(tree) if isinstance(each, ast.Compare)]
    assert not any("digest" in each or "text" in each for each in compared)
    returns_before = inspect.getsource(tokens.token_of).split("hmac.compare_digest")[0]
    assert returns_before.count("return ") == 1  # what has no token's shape


SCHEMES = ("Basic dXNlcjpwYXNz", "Bearer", "Bearer ", "bearer", "Token x", "Negotiate", "", "\u00e9")


@pytest.mark.parametrize("authorization", SCHEMES)
def test_other_schemes_open_nothing(shown: Serving, authorization: str) -> None:
    answer = shown.client().get(RUNS, headers={"Authorization": authorization.encode("latin-1")})
    assert answer.status_code == 401


# ---------------------------------------------------------------- tokens of Entra ID


def bearer(guarded: Serving, token: str) -> Client:
    return guarded.client(token)


def test_the_tenants_tokens_open_what_their_roles_say(guarded: Serving, authority: Replica) -> None:
    reading = bearer(guarded, authority.signed_token(AUDIENCE, roles=["Auditor.Read"]))
    assert reading.get(RUNS).status_code == 200
    assert reading.post(SCANS, json={}).status_code == 403
    running = bearer(guarded, authority.signed_token(AUDIENCE, roles=["Auditor.Run", "Else.Where"]))
    assert running.get(RUNS).status_code == 200
    assert running.post(SCANS, json={}).status_code == 202


def header(**changes: Any) -> Callable[[Replica], str]:
    """A token with a header of the attacker's own, signed by the authority's key."""
    return lambda replica: replica.signer.token(claims(replica), **changes)


def claims(replica: Replica, **changes: Any) -> dict[str, Any]:
    token = replica.signed_token(AUDIENCE, roles=["Auditor.Run"], **changes)
    decoded: dict[str, Any] = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    return decoded


def unsigned(alg: str) -> Callable[[Replica], str]:
    def make(replica: Replica) -> str:
        head = {"typ": "JWT", "alg": alg, "kid": replica.signer.key_id}
        return f"{segment(json.dumps(head).encode())}.{segment(json.dumps(claims(replica)).encode())}."

    return make


def public_key_as_secret(alg: str, secret: Callable[[Replica], bytes]) -> Callable[[Replica], str]:
    """Algorithm confusion: the public key, which everybody has, as the secret of a symmetric algorithm."""

    def make(replica: Replica) -> str:
        head = {"typ": "JWT", "alg": alg, "kid": replica.signer.key_id}
        text = f"{segment(json.dumps(head).encode())}.{segment(json.dumps(claims(replica)).encode())}"
        return f"{text}.{segment(hmac.new(secret(replica), text.encode(), hashlib.sha256).digest())}"

    return make


def other_key(**changes: Any) -> Callable[[Replica], str]:
    """Signed by a key of the attacker's, under the name of the authority's."""

    def make(replica: Replica) -> str:
        own = Signer()
        kid = {"kid": replica.signer.key_id}
        embedded = {"jwk": own.public_key()} if "jwk" in changes else {}
        return own.token(claims(replica), **{**kid, **changes, **embedded})

    return make


def with_claims(**changes: Any) -> Callable[[Replica], str]:
    return lambda replica: replica.signed_token(AUDIENCE, **{"roles": ["Auditor.Run"], **changes})


def spliced(replica: Replica) -> str:
    """Claims of one token, signature of another."""
    head, _, signature = replica.signed_token(AUDIENCE, roles=["Auditor.Read"]).split(".")
    raised = segment(json.dumps(claims(replica)).encode())
    return f"{head}.{raised}.{signature}"


NOW = int(time.time())
ATTACKS: dict[str, Callable[[Replica], str]] = {
    "alg none": unsigned("none"),
    "alg None": unsigned("None"),
    "alg nOnE": unsigned("nOnE"),
    "alg RS256, no signature": unsigned("RS256"),
    "HS256 with the public key as PEM": public_key_as_secret("HS256", lambda replica: replica.signer.public_pem()),
    "HS256 with the public key's modulus": public_key_as_secret(
        "HS256", lambda replica: replica.signer.public_key()["n"].encode()
    ),
    "HS256 with nothing": public_key_as_secret("HS256", lambda replica: b""),
    "RS256 in name, HMAC in deed": public_key_as_secret("RS256", lambda replica: replica.signer.public_pem()),
    "RS384": header(alg="RS384"),
    "PS256": header(alg="PS256"),
    "no alg": header(alg=""),
    "another key under the same name": other_key(),
    "another key under a name of its own": other_key(kid="mine"),
    "another key, embedded": other_key(jwk=True),
    "another key, by address": other_key(jku="https://evil.test/keys"),
    "another key's certificate by address": other_key(x5u="https://evil.test/cert"),
    "no key's name": header(kid=""),
    "a key's name that is a path": header(kid="../../../../dev/null"),
    "a key's name that is a number": header(kid=7),
    "a key's name that is a query": header(kid="x' OR '1'='1"),
    "a key's name that is an address": header(kid="https://evil.test/keys"),
    "a key's name with a null": header(kid="\x00"),
    "a key's name of another case": lambda replica: replica.signer.token(
        claims(replica), kid=replica.signer.key_id.swapcase()
    ),
    "a critical extension": header(crit=["b64"], b64=False),
    "spliced": spliced,
    "another audience": with_claims(aud="api://other"),
    "Azure Resource Manager's audience": with_claims(aud="https://management.azure.com"),
    "an audience that begins so": with_claims(aud=f"{AUDIENCE}-two"),
    "no audience": with_claims(aud=None),
    "another issuer": with_claims(iss=f"https://login.microsoftonline.com/{TENANT}/v2.0"),
    "an issuer that begins so": lambda replica: replica.signed_token(
        AUDIENCE, roles=["Auditor.Run"], iss=f"{replica.base_url}/{TENANT}/v2.0/x"
    ),
    "no issuer": with_claims(iss=None),
    "another tenant": with_claims(tid=OTHER_TENANT),
    "no tenant": with_claims(tid=None),
    "a tenant that is a list": with_claims(tid=[TENANT]),
    "expired": with_claims(exp=NOW - 3600, nbf=NOW - 7200, iat=NOW - 7200),
    "never expires": with_claims(exp=None),
    "not yet valid": with_claims(nbf=NOW + 3600),
    "issued in the future": with_claims(iat=NOW + 7200),
    "nobody": with_claims(oid=None),
    "somebody who would forge log lines": with_claims(oid='x"}\nINFO auditor.service.audit: {"by": "root'),
    "not a token": lambda replica: "a.b.c",
    "too many parts": lambda replica: replica.signed_token(AUDIENCE) + ".x",
    "too long": lambda replica: replica.signed_token(AUDIENCE, filler="x" * 20_000),
    "ARM's own token": lambda replica: arm_token(replica),
}


def arm_token(replica: Replica) -> str:
    from tests.replica.client import Client as ReplicaClient

    client = ReplicaClient(replica)
    try:
        return client.token()
    finally:
        client.session.close()


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_a_forged_token_opens_nothing(guarded: Serving, authority: Replica, attack: Callable[[Replica], str]) -> None:
    answer = bearer(guarded, attack(authority)).get(RUNS)
    # A header that is too long is cut off before anybody looks at it.
    assert answer.status_code in (400, 401)
    assert "WWW-Authenticate" in answer.headers or answer.status_code == 400


def test_a_token_that_names_no_role_reads_nothing(guarded: Serving, authority: Replica) -> None:
    for roles in ([], ["Reader"], ["auditor.read"]):
        assert bearer(guarded, authority.signed_token(AUDIENCE, roles=roles)).get(RUNS).status_code == 403
    text = authority.signer.token({**claims(authority), "roles": "Auditor.Run", "scp": "Auditor.Run"})
    assert bearer(guarded, text).get(RUNS).status_code == 403


def test_the_service_without_an_audience_takes_no_such_token(shown: Serving, authority: Replica) -> None:
    assert shown.client(authority.signed_token(AUDIENCE, roles=["Auditor.Run"])).get(RUNS).status_code == 401


def test_a_proxys_header_is_judged_like_any_other(guarded: Serving, authority: Replica) -> None:
    good = {"X-Forwarded-Access-Token": authority.signed_token(AUDIENCE, roles=["Auditor.Run"])}
    assert guarded.client().get(RUNS, headers=good).status_code == 200
    forged = {"X-Forwarded-Access-Token": ATTACKS["alg none"](authority)}
    assert guarded.client().get(RUNS, headers=forged).status_code == 401
    # The browser sends nothing of its own, so what changes something must come from one of our pages.
    assert guarded.client().post(SCANS, json={}, headers=good).json()["type"] == "urn:auditor:problem:page-key"


class Fetched:
    """An authority that can be unplugged, and counts how often it is asked."""

    def __init__(self, signer: Signer) -> None:
        self.signer = signer
        self.asked = 0
        self.down = False
        self.issuer = f"https://login.test/{TENANT}/v2.0"
        self.keys_at = "https://login.test/keys"

    def __call__(self, url: str) -> bytes:
        if self.down:
            raise OSError("no route to host")
        if url.endswith("openid-configuration"):
            self.asked += 1
            return json.dumps({"issuer": self.issuer, "jwks_uri": self.keys_at}).encode()
        return json.dumps({"keys": [self.signer.public_key()]}).encode()

    def token(self) -> str:
        now = int(time.time())
        times = {"iat": now, "nbf": now, "exp": now + 600}
        who = {"tid": TENANT, "oid": TENANT, "roles": ["Auditor.Read"]}
        return self.signer.token({"aud": AUDIENCE, "iss": self.issuer, **times, **who})


@pytest.fixture(scope="module")
def signer() -> Signer:
    return Signer()


class At:
    """A monotonic clock that the test turns."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def judge(fetched: Fetched, clock: At) -> EntraTokens:
    return EntraTokens(Authority("https://login.test", TENANT, (AUDIENCE,)), fetch=fetched, monotonic=clock)


def test_an_authority_that_is_down_at_the_start_closes_until_it_is_back(signer: Signer) -> None:
    fetched, clock = Fetched(signer), At()
    fetched.down = True
    entra = judge(fetched, clock)
    with pytest.raises(AuthorityDown):
        entra.caller_of(fetched.token())
    fetched.down = False
    with pytest.raises(AuthorityDown):  # not asked again at once
        entra.caller_of(fetched.token())
    clock.now += 5
    assert entra.caller_of(fetched.token()).roles == {Role.READ}


def test_known_keys_serve_while_the_authority_is_down_for_two_days_at_most(signer: Signer) -> None:
    fetched, clock = Fetched(signer), At()
    entra = judge(fetched, clock)
    entra.caller_of(fetched.token())
    fetched.down = True
    clock.now = 47 * 3600
    entra.caller_of(fetched.token())
    clock.now = 49 * 3600
    with pytest.raises(AuthorityDown):
        entra.caller_of(fetched.token())


def test_unknown_keys_names_do_not_flood_the_authority(signer: Signer) -> None:
    fetched, clock = Fetched(signer), At()
    entra = judge(fetched, clock)
    for _ in range(100):
        with pytest.raises(Refused):
            entra.caller_of(signer.token({}, kid="unknown"))
    assert fetched.asked == 1
    clock.now += 60
    with pytest.raises(Refused):
        entra.caller_of(signer.token({}, kid="unknown"))
    assert fetched.asked == 2


def test_a_key_that_is_rotated_in_is_found(signer: Signer) -> None:
    fetched, clock = Fetched(signer), At()
    entra = judge(fetched, clock)
    entra.caller_of(fetched.token())
    fetched.signer = Signer()
    clock.now += 60
    assert entra.caller_of(fetched.token()).name == f"entra:{TENANT}"
    fetched.signer = signer  # the old one, which is no good any more
    with pytest.raises(Refused):
        entra.caller_of(fetched.token())


METADATA = {
    "an issuer of any tenant": ("https://login.test/{tenantid}/v2.0", "https://login.test/keys"),
    "keys over http": (f"https://login.test/{TENANT}/v2.0", "http://login.test/keys"),
}


@pytest.mark.parametrize(("issuer", "keys"), METADATA.values(), ids=METADATA)
def test_metadata_that_would_open_the_door_wider_is_not_believed(signer: Signer, issuer: str, keys: str) -> None:
    fetched = Fetched(signer)
    fetched.issuer, fetched.keys_at = issuer, keys
    with pytest.raises(AuthorityDown):
        judge(fetched, At()).caller_of(fetched.token())


def test_a_service_whose_authority_is_down_still_takes_api_tokens(world: World) -> None:
    world.environment = {"AUDITOR_AUTHORITY_HOST": "https://authority.invalid"}
    options = Options(address=("127.0.0.1", 0), audiences=(AUDIENCE,), tenant=TENANT)
    with serving(world, options) as running:
        assert running.reader.get(RUNS).status_code == 200
        answer = running.client(Signer().token({"aud": AUDIENCE})).get(RUNS)
        assert (answer.status_code, answer.json()["type"]) == (503, "urn:auditor:problem:authority-down")


# ---------------------------------------------------------------- sessions and origins


def sign_in(serving_: Serving, token: str) -> Client:
    client = serving_.client()
    answer = client.post("/login", data={"token": token})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    return client


def page_key(client: Client) -> str:
    found = re.search(r'name="key" value="([0-9a-f]{64})"', client.get("/").text)
    assert found
    return found[1]


def test_a_session_begins_with_a_token_and_ends_with_it(service: Serving) -> None:
    token = service.world.token("person", "run")
    client = sign_in(service, token)
    assert client.get("/").status_code == 200
    service.world.revoke("person")
    assert client.get(RUNS).status_code == 401


def test_a_session_ends_after_eight_hours_and_at_sign_out(service: Serving) -> None:
    client = sign_in(service, service.running_token)
    other = sign_in(service, service.running_token)
    assert client.post("/logout", data={"key": page_key(client)}).status_code == 303
    assert client.get(RUNS).status_code == 401
    assert other.get(RUNS).status_code == 200
    service.world.now += timedelta(hours=8)
    assert other.get(RUNS).status_code == 401


def test_a_session_is_never_one_that_somebody_else_chose(service: Serving) -> None:
    """Fixation: a cookie that was planted before signing in is neither taken over nor opens anything afterwards."""
    planted = "A" * 43
    victim = service.client()
    victim.session.cookies.set("auditor-session", planted)
    answer = victim.post("/login", data={"token": service.running_token})
    assert answer.status_code == 303
    given = answer.cookies["auditor-session"]
    assert given != planted
    thief = service.client()
    thief.session.cookies.set("auditor-session", planted)
    assert thief.get(RUNS).status_code == 401
    # and signing in anew gives another session, each time
    again = victim.post("/login", data={"token": service.running_token})
    assert again.cookies["auditor-session"] not in (planted, given)


def test_nobody_is_signed_in_by_another_sites_form(shown: Serving) -> None:
    """Login CSRF: a victim would work, and be watched, under the attacker's name."""
    form = {"token": shown.running_token}
    answer = shown.client().post("/login", data=form, headers={"Origin": "https://evil.test"})
    assert (answer.status_code, "Set-Cookie" in answer.headers) == (403, False)
    answer = shown.client().post("/login", data=form, headers={"Sec-Fetch-Site": "cross-site"})
    assert (answer.status_code, "Set-Cookie" in answer.headers) == (403, False)


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(shown: Serving) -> None:
    cookie = shown.client().post("/login", data={"token": shown.running_token}).headers["Set-Cookie"]
    assert {"HttpOnly", "Path=/", "SameSite=strict"} <= set(cookie.split("; "))
    assert shown.running_token not in cookie


def test_a_wrong_token_begins_no_session(shown: Serving) -> None:
    answer = shown.client().post("/login", data={"token": shown.running_token[:-1]})
    assert (answer.status_code, "Set-Cookie" in answer.headers) == (401, False)


def test_a_session_changes_nothing_without_its_pages_key(service: Serving) -> None:
    client = sign_in(service, service.running_token)
    assert client.post(SCANS, json={}).json()["type"] == "urn:auditor:problem:page-key"
    assert client.post("/scans", data={"checks": ""}).json()["type"] == "urn:auditor:problem:page-key"
    others = page_key(sign_in(service, service.running_token))
    assert client.post("/scans", data={"key": others}).status_code == 403
    assert service.world.scanned == []
    assert client.post(SCANS, json={}, headers={"X-CSRF-Token": page_key(client)}).status_code == 202
    assert client.post("/scans", data={"key": page_key(client)}).status_code == 303


FOREIGN: dict[str, dict[str, str]] = {
    "another origin": {"Origin": "https://evil.test"},
    "no origin to speak of": {"Origin": "null"},
    "cross-site": {"Sec-Fetch-Site": "cross-site"},
    "same-site, another host": {"Sec-Fetch-Site": "same-site"},
    "a form": {"Content-Type": "application/x-www-form-urlencoded"},
    "a form in disguise": {"Content-Type": "text/plain"},
}


@pytest.mark.parametrize("headers", FOREIGN.values(), ids=FOREIGN)
def test_pages_of_other_sites_change_nothing(shown: Serving, headers: dict[str, str]) -> None:
    answer = shown.runner.post(SCANS, data="{}", headers=headers)
    assert answer.status_code in (403, 415)
    assert shown.world.scanned == []


def test_sessions_of_one_token_are_bounded(service: Serving) -> None:
    first = sign_in(service, service.running_token)
    service.world.now += timedelta(seconds=1)
    for _ in range(20):
        last = sign_in(service, service.running_token)
    assert first.get(RUNS).status_code == 401
    assert last.get(RUNS).status_code == 200


# ---------------------------------------------------------------- the audit log


def test_deeds_are_written_down_and_nobody_writes_lines_of_their_own(
    service: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    service.world.remember(night(1))
    caplog.set_level(logging.INFO, "auditor.service.audit")
    run = service.reader.get(RUNS).json()["items"][0]["id"]
    job = service.runner.post(SCANS, json={}).json()["id"]
    service.runner.finished(job)
    service.runner.post(f"{RUNS}/{run}/pin")
    service.reader.get('/x%0aINFO%20auditor.service.audit:%20{"by":"root"}%1b[31m')
    lines = [record.getMessage() for record in caplog.records if record.name == "auditor.service.audit"]
    deeds = [json.loads(line) for line in lines]
    assert {"action": "scan.ask", "by": "token:runner", "from": "127.0.0.1", "job": job, "how": "new"} in deeds
    assert {"action": "run.pin", "by": "token:runner", "from": "127.0.0.1", "run": run} in deeds
    assert any(deed["action"] == "read" and deed["by"] == "token:reader" and deed["path"] == RUNS for deed in deeds)
    assert all(line.isascii() and "\n" not in line and "\x1b" not in line for line in lines)


def test_no_credential_reaches_the_log(guarded: Serving, authority: Replica, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    good = authority.signed_token(AUDIENCE, roles=["Auditor.Read"])
    forged = ATTACKS["spliced"](authority)
    for token in (good, forged, guarded.running_token, guarded.running_token[:-1] + "_"):
        bearer(guarded, token).get(RUNS)
        guarded.client().post("/login", data={"token": token})
    text = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith("auditor"))
    for token in (good, forged, guarded.running_token):
        assert token not in text
        assert token[-30:] not in text


def test_a_caller_does_not_show_its_credential(tmp_path: Path) -> None:
    from auditor.service.roles import Caller

    assert "s3cret" not in repr(Caller("token:x", frozenset(Role), secret="s3cret"))
