"""What every request passes: hosts, framing, paths, sizes, times and numbers, as somebody with a raw socket sees it."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from auditor.service.gate import Limits, host_name, is_loopback
from auditor.service.options import Options
from tests.service.world import HOSTILE, Client, Serving, World, finding, night, serving

RUNS = "/api/v1/runs"


@contextlib.contextmanager
def connected(running: Serving) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", running.port), timeout=60) as made:
        yield made


def said(running: Serving, text: str | bytes) -> bytes:
    """All that comes back for bytes that are sent, until the other side ends the connection."""
    with connected(running) as made:
        made.sendall(text.encode() if isinstance(text, str) else text)
        answer = b""
        with contextlib.suppress(ConnectionError):
            while more := made.recv(65_536):
                answer += more
        return answer


def request(running: Serving, *lines: str, path: str = RUNS, method: str = "GET", host: str = "127.0.0.1") -> str:
    whole = (f"{method} {path} HTTP/1.1", *([f"Host: {host}"] if host else []))
    bearer = f"Authorization: Bearer {running.running_token}"
    return "\r\n".join((*whole, bearer, *lines, "Connection: close", "", ""))


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


# ---------------------------------------------------------------- hosts


OURS = ("127.0.0.1", "localhost", "LOCALHOST:8743", "[::1]:1", "127.0.0.1.")
FOREIGN = ("evil.test", "127.0.0.1.evil.test", "localhost.evil.test", "evil.test#localhost", "a@localhost", "", "x y")


@pytest.mark.parametrize("host", OURS)
def test_it_answers_by_its_own_names(shown: Serving, host: str) -> None:
    assert status(said(shown, request(shown, host=host))) == 200


@pytest.mark.parametrize("host", FOREIGN)
def test_it_answers_by_no_other_name(shown: Serving, host: str) -> None:
    assert status(said(shown, request(shown, host=host))) in (400, 421)


def test_a_forwarded_host_is_not_believed(shown: Serving) -> None:
    answer = said(shown, request(shown, "X-Forwarded-Host: evil.test", "X-Forwarded-Proto: https"))
    assert status(answer) == 200
    assert b"evil.test" not in answer


def test_a_name_that_was_allowed(world: World) -> None:
    options = Options(address=("127.0.0.1", 0), hosts=frozenset({"localhost", "127.0.0.1", "auditor.example"}))
    with serving(world, options) as running:
        answer = said(running, request(running, host="auditor.example"))
        assert status(answer) == 200
        assert b"strict-transport-security" in answer.lower()
        form = f"token={running.running_token}"
        lines = ("Content-Type: application/x-www-form-urlencoded", f"Content-Length: {len(form)}")
        signed = said(running, request(running, *lines, path="/login", method="POST", host="auditor.example") + form)
        assert b"__Host-auditor-session=" in signed
        assert b"Secure" in signed


HOST_NAMES = {
    "a.example:443": "a.example",
    "[::1]:8743": "::1",
    "A.Example.": "a.example",
    "a:b": "",
    "[::1": "::1",
}


@pytest.mark.parametrize(("text", "name"), HOST_NAMES.items())
def test_host_names(text: str, name: str) -> None:
    assert host_name(text) == name


@pytest.mark.parametrize("name", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_loopback(name: str) -> None:
    assert is_loopback(name)


@pytest.mark.parametrize("name", ["0.0.0.0", "10.0.0.1", "localhost.evil.test", "", "127.0.0.1.evil.test"])
def test_not_loopback(name: str) -> None:
    assert not is_loopback(name)


# ---------------------------------------------------------------- framing


SMUGGLED = "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
FRAMINGS = {
    "length and chunks": ("Content-Length: 6", "Transfer-Encoding: chunked"),
    "two lengths": ("Content-Length: 0", f"Content-Length: {len(SMUGGLED)}"),
    "a length with a sign": (f"Content-Length: +{len(SMUGGLED)}",),
    "a negative length": ("Content-Length: -1",),
    "a length in hexadecimal": ("Content-Length: 0x10",),
    "chunks in disguise": ("Transfer-Encoding: xchunked",),
    "chunks, twice": ("Transfer-Encoding: chunked, identity",),
    "a folded header": ("X-A: b", " Transfer-Encoding: chunked"),
    "a space before the colon": ("Transfer-Encoding : chunked",),
}


@pytest.mark.parametrize("lines", FRAMINGS.values(), ids=FRAMINGS)
def test_what_two_programs_could_read_in_two_ways_is_answered_once(shown: Serving, lines: tuple[str, ...]) -> None:
    head = request(shown, "Content-Type: application/json", *lines, method="POST", path="/api/v1/scans")
    answer = said(shown, f"{head}0\r\n\r\n{SMUGGLED}")
    assert answer.count(b"HTTP/1.1 ") == 1
    assert 400 <= status(answer) < 502
    assert shown.world.scanned == []


def test_two_hosts_and_two_authorizations_are_refused(shown: Serving) -> None:
    assert status(said(shown, request(shown, "Host: localhost"))) == 400
    assert status(said(shown, request(shown, "Authorization: Bearer x"))) == 400


GARBAGE = (b"\x16\x03\x01\x02\x00\x01\x00", b"GET\r\n\r\n", b"\x00" * 100, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")


@pytest.mark.parametrize("content", GARBAGE)
def test_what_is_no_request_gets_no_answer_but_400(impatient: Serving, content: bytes) -> None:
    answer = said(impatient, content)
    assert answer == b"" or status(answer) in (400, 401, 404)
    assert impatient.reader.get("/livez").text == "ok\n"


# ---------------------------------------------------------------- paths


TRAVERSALS = (
    "/static/../../pyproject.toml",
    "/static/..%2f..%2fpyproject.toml",
    "/static/%2e%2e/report.html.j2",
    "/static/report.html.j2",
    "/static/auditor.po",
    "/static//etc/passwd",
    "/static/report.css%00.js",
    f"{RUNS}/../../etc/passwd",
    f"{RUNS}/..%2f..%2fetc%2fpasswd",
    f"{RUNS}/20260101T020000Z-000001/reports/../../../etc/passwd",
    f"{RUNS}/20260101T020000Z-000001/reports/..%2freport",
    f"{RUNS}/20260101T020000Z-000001/reports/%2e%2e",
    f"{RUNS}/20260101T020000Z-000001%27%20OR%201=1",
    f"{RUNS}/20260101T020000Z-%25",
    f"{RUNS}/2026",
    "/runs/..%2f..%2f/report",
    "/api/v1/scans/..%2fx/events",
    "/api/v1/findings/%25/explanation",
)


@pytest.mark.parametrize("path", TRAVERSALS)
def test_no_path_leads_out(shown: Serving, path: str) -> None:
    answer = said(shown, request(shown, path=path))
    assert status(answer) in (400, 404, 405), answer[:300]
    assert b"root:" not in answer
    assert b"[project]" not in answer


def test_a_path_that_is_too_long(shown: Serving) -> None:
    assert shown.reader.get(f"/api/v1/findings?resource={'x' * 5000}").status_code == 414


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "BREW"])
def test_other_methods_change_nothing(shown: Serving, method: str) -> None:
    assert status(said(shown, request(shown, method=method))) in (400, 404, 405)


def test_a_web_socket_is_not_opened(shown: Serving) -> None:
    lines = ("Upgrade: websocket", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13")
    answer = said(shown, request(shown, *lines).replace("Connection: close", "Connection: Upgrade, close"))
    assert status(answer) != 101


# ---------------------------------------------------------------- sizes, times, numbers


def test_a_body_has_a_most(shown: Serving) -> None:
    answer = shown.runner.post("/api/v1/scans", data=b" " * 65_537, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["type"]) == (413, "urn:auditor:problem:body-too-large")


def test_a_body_in_chunks_has_the_same_most(shown: Serving) -> None:
    chunk = b"4000\r\n" + b" " * 0x4000 + b"\r\n"
    head = request(shown, "Content-Type: application/json", "Transfer-Encoding: chunked", method="POST")
    answer = said(shown, head.replace(RUNS, "/api/v1/scans").encode() + chunk * 5 + b"0\r\n\r\n")
    assert status(answer) == 413


IMPATIENT = Limits(headers_s=1, body_s=1, at_once=2, streams=1)


@pytest.fixture
def impatient(world: World) -> Iterator[Serving]:
    with serving(world, limits=IMPATIENT) as running:
        yield running


def test_headers_that_trickle_in_end_the_connection(impatient: Serving) -> None:
    with connected(impatient) as made:
        made.sendall(b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
        assert closed(made)
    assert impatient.reader.get("/livez").status_code == 200


def test_headers_of_a_second_request_that_trickle_in_end_the_connection(impatient: Serving) -> None:
    with connected(impatient) as made:
        made.sendall(b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        answer = b""
        while not answer.endswith(b"ok\n"):
            answer += made.recv(65_536)
        made.sendall(b"GET /livez HTTP/1.1\r\n")
        assert closed(made)


def test_a_connection_that_says_nothing_ends(impatient: Serving) -> None:
    with connected(impatient) as made:
        assert closed(made)


def closed(made: socket.socket) -> bool:
    """Whether the other side ends the connection without an answer."""
    with contextlib.suppress(ConnectionError):
        return made.recv(65_536) == b""
    return True


def test_a_body_that_trickles_in_is_not_waited_for(impatient: Serving) -> None:
    head = request(impatient, "Content-Type: application/json", "Content-Length: 10", method="POST")
    with connected(impatient) as made:
        made.sendall(head.replace(RUNS, "/api/v1/scans").encode() + b"{")
        assert status(made.recv(65_536)) == 408


def test_many_slow_clients_keep_nobody_out(impatient: Serving) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(200):
            stack.enter_context(connected(impatient)).sendall(b"GET / HTTP/1.1\r\nX: ")
        assert impatient.reader.get(RUNS).status_code == 200


def test_streams_are_counted_apart(impatient: Serving) -> None:
    impatient.world.free.clear()
    job = impatient.runner.post("/api/v1/scans", json={}).json()["id"]
    path = f"/api/v1/scans/{job}/events"
    first = impatient.reader.get(path, stream=True)
    assert first.status_code == 200, first.text
    hearing = first.iter_content(1)  # held: a generator that is dropped closes its connection
    next(hearing)
    refused = impatient.client(impatient.running_token).get(path)
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
    assert impatient.runner.get(RUNS).status_code == 200
    impatient.world.free.set()
    for _ in hearing:
        pass


def test_requests_at_once_are_bounded(impatient: Serving) -> None:
    """Two bodies that are waited for take both places; a third caller is told to come back."""
    head = request(impatient, "Content-Type: application/json", "Content-Length: 10", method="POST")
    seen: list[int] = []

    def ask() -> None:
        answer = Client(impatient.base, impatient.running_token).get(RUNS)
        seen.append(answer.status_code)

    with connected(impatient) as one, connected(impatient) as other:
        for made in (one, other):
            made.sendall(head.replace(RUNS, "/api/v1/scans").encode() + b"{")
        askers = [threading.Thread(target=ask) for _ in range(10)]
        for asker in askers:
            asker.start()
        for asker in askers:
            asker.join()
    assert set(seen) <= {200, 503}
    assert impatient.reader.get(RUNS).status_code == 200


# ---------------------------------------------------------------- what answers carry


PATHS = ("/", "/login", RUNS, "/metrics", "/nowhere", "/livez", "/static/report.css", "/api/v1/openapi.json")


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_has_the_security_headers(shown: Serving, path: str) -> None:
    headers = shown.reader.get(path).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert (headers["X-Content-Type-Options"], headers["X-Frame-Options"]) == ("nosniff", "DENY")
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cache-Control"] == ("public, max-age=300" if path.startswith("/static") else "no-store")
    assert "Server" not in headers


def test_names_from_azure_are_text_on_the_page(service: Serving) -> None:
    hostile = finding("nsg-acr-outbound", "aks-1", "fail", name=HOSTILE)
    service.world.remember(night(1, finding("nsg-acr-outbound", "aks-1", "pass")))
    service.world.remember(night(2, hostile))
    page = service.reader.get("/").text
    assert HOSTILE not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<img" not in page
