"""What every request passes before anything else looks at it: host, framing, size, time, number, sign-in, origin.

It is an ASGI application around the framework's own, so that nothing the framework routes, renders or refuses lies
outside. Closed by default: a path is open only if `OPEN` says so.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

from auditor.history import HistoryProblem
from auditor.service import audit_log
from auditor.service.access import Door
from auditor.service.identity import AuthorityDown, Refused
from auditor.service.problem import MEDIA_TYPE, Trouble, body
from auditor.service.roles import Caller

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

OPEN = frozenset({"/livez", "/readyz", "/login"})
"""Paths for everybody, besides `/static/`: they tell nothing but that somebody is there."""
PROBES = frozenset({"/livez", "/readyz"})
"""Asked by machines that call the service by whatever address they have."""
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
KEY = "auditor.visit"

CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
_HEADERS = {
    "content-security-policy": CONTENT_POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",  # with `no-referrer`, browsers say `Origin: null` of our own forms
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "cache-control": "no-store",
}

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is taken at a time. Each has an answer of its own that says so."""

    headers_s: float = 10.0
    body_bytes: int = 65_536
    body_s: float = 10.0
    answer_s: float = 60.0
    at_once: int = 64
    streams: int = 32
    url_bytes: int = 4096
    queued: int = 16


@dataclass(slots=True)
class Visit:
    """One request that passed the gate."""

    caller: Caller | None
    address: str
    secure: bool


@dataclass(slots=True)
class Gate:
    """Around the framework's application."""

    app: App
    door: Door
    hosts: frozenset[str]
    limits: Limits = field(default_factory=Limits)
    counted: Callable[[str, int], None] = lambda method, status: None
    _at_once: int = 0
    _streams: int = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":  # no web sockets here
            return
        headers = _headers(scope)
        answer = _Answer(send, secure=self._secure(headers))
        visit = Visit(None, _address(scope), answer.secure)
        scope[KEY] = visit
        try:
            await self._through(scope, headers, receive, answer, visit)
        except Trouble as trouble:
            await answer.trouble(trouble)
        except Exception as defect:
            _log.exception("a request ended in a defect")
            if answer.status is not None:
                raise defect
            await answer.trouble(Trouble(500, "defect", "a defect of this program; its log says more"))
        finally:
            self._told(scope, visit, answer.status)

    def _told(self, scope: Scope, visit: Visit, status: int | None) -> None:
        path = scope["path"]
        self.counted(scope["method"], status or 0)
        if path not in PROBES and not path.startswith("/static/"):
            by = visit.caller.name if visit.caller is not None else "-"
            action = "read" if scope["method"] in SAFE else "do"
            audit_log.note(action, by=by, address=visit.address, status=status, method=scope["method"], path=path)

    async def _through(
        self, scope: Scope, headers: Mapping[str, str], receive: Receive, answer: _Answer, visit: Visit
    ) -> None:
        self._check_shape(scope, headers)
        stream = scope["path"].endswith("/events")
        if self._at_once >= self.limits.at_once or (stream and self._streams >= self.limits.streams):
            raise Trouble(503, "too-many-requests-at-once", "come back in a second", {"Retry-After": "1"})
        self._at_once += not stream
        self._streams += stream
        try:
            body_read = await self._body(headers, receive)
            visit.caller = await self._caller(scope, headers, visit.secure)
            self._check_origin(scope, headers, visit)
            if stream:
                await self.app(scope, _replayed(body_read, receive), answer)
                return
            try:
                async with asyncio.timeout(self.limits.answer_s):
                    await self.app(scope, _replayed(body_read, receive), answer)
            except TimeoutError:
                if answer.status is not None:
                    raise
                raise Trouble(503, "too-slow", "the answer took too long", {"Retry-After": "10"}) from None
        finally:
            self._at_once -= not stream
            self._streams -= stream

    def _check_shape(self, scope: Scope, headers: Mapping[str, str]) -> None:
        """Refuse what two programs in a row could read in two ways, and hosts that are not ours."""
        names = [name for name, _ in scope["headers"]]
        if "transfer-encoding" in headers and "content-length" in headers:
            raise Trouble(400, "ambiguous-length", "both Content-Length and Transfer-Encoding", {"Connection": "close"})
        if names.count(b"host") != 1:
            raise Trouble(400, "host", "a request names one host")
        if scope["path"] not in PROBES and host_name(headers["host"]) not in self.hosts:
            raise Trouble(421, "host", "this service does not answer for that host; see --allow-host")
        if len(scope["raw_path"]) + len(scope["query_string"]) > self.limits.url_bytes:
            raise Trouble(414, "url-too-long")
        if b"authorization" in names and names.count(b"authorization") > 1:
            raise Trouble(400, "authorization", "more than one Authorization header")

    async def _body(self, headers: Mapping[str, str], receive: Receive) -> bytes:
        """The whole body, which is small and soon there or not taken."""
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > self.limits.body_bytes:
            raise self._too_large()
        taken = bytearray()
        try:
            async with asyncio.timeout(self.limits.body_s):
                while True:
                    message = await receive()
                    if message["type"] != "http.request":
                        raise Trouble(400, "gone", "the client went away")
                    taken += message.get("body", b"")
                    if len(taken) > self.limits.body_bytes:
                        raise self._too_large()
                    if not message.get("more_body", False):
                        return bytes(taken)
        except TimeoutError:
            raise Trouble(408, "body-too-slow", "", {"Connection": "close"}) from None

    def _too_large(self) -> Trouble:
        detail = f"a body has {self.limits.body_bytes} bytes at most"
        return Trouble(413, "body-too-large", detail, {"Connection": "close"})

    async def _caller(self, scope: Scope, headers: Mapping[str, str], secure: bool) -> Caller | None:
        is_open = scope["path"] in OPEN or scope["path"].startswith("/static/")
        if is_open and scope["path"] != "/login":
            return None
        try:
            caller = await asyncio.to_thread(self.door.caller, headers, secure=secure)
        except AuthorityDown:
            retry = {"Retry-After": "10"}
            raise Trouble(503, "authority-down", "bearer tokens cannot be judged now", retry) from None
        except HistoryProblem:
            raise Trouble(503, "history", "the history cannot be read or written now", {"Retry-After": "10"}) from None
        except Refused as refused:
            audit_log.note("refuse", by="-", address=_address(scope), why=str(refused), path=scope["path"])
            caller = None
        if caller is None and not is_open:
            if _is_page(scope, headers):
                raise Trouble(303, "sign-in", "", {"Location": "/login"})
            challenge = {"WWW-Authenticate": 'Bearer realm="auditor"'}
            raise Trouble(401, "sign-in", "an API token, or a token of Entra ID, is needed", challenge)
        return caller

    def _check_origin(self, scope: Scope, headers: Mapping[str, str], visit: Visit) -> None:
        """What changes something comes from our own pages, or from no page at all."""
        if scope["method"] in SAFE:
            return
        site = headers.get("sec-fetch-site")
        origin = headers.get("origin")
        if site not in (None, "same-origin", "none"):
            raise Trouble(403, "cross-site", "a page of another site asked")
        if origin is not None and host_name(origin.partition("://")[2]) != host_name(headers["host"]):
            raise Trouble(403, "cross-site", "a page of another site asked")
        if scope["path"].startswith("/api/"):
            kind = headers.get("content-type", "application/json").partition(";")[0].strip().casefold()
            if kind != "application/json":  # which no page of another site can send without asking first
                raise Trouble(415, "media-type", "the API takes application/json")
            caller = visit.caller
            if caller is not None and caller.ambient and not caller.wrote(headers.get("x-csrf-token", "")):
                raise Trouble(403, "page-key", "a session's request needs the header X-CSRF-Token of its page")

    def _secure(self, headers: Mapping[str, str]) -> bool:
        """Whether the browser came by https: it must have, unless it is on this machine."""
        return not is_loopback(host_name(headers.get("host", "")))


class _Answer:
    """Sends an answer with the security headers, and remembers its status."""

    def __init__(self, send: Send, *, secure: bool) -> None:
        self._send = send
        self.secure = secure
        self.status: int | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            given = {bytes(name).lower() for name, _ in message.get("headers", ())}
            extra = dict(_HEADERS)
            if self.secure:
                extra["strict-transport-security"] = "max-age=31536000"
            added = [(k.encode(), v.encode()) for k, v in extra.items() if k.encode() not in given]
            message = {**message, "headers": [*message.get("headers", ()), *added]}
        await self._send(message)

    async def trouble(self, trouble: Trouble) -> None:
        """The problem as the whole answer; nothing once another has begun."""
        if self.status is not None:
            return
        content = body(trouble.problem)
        headers = {"content-type": MEDIA_TYPE, "content-length": str(len(content)), **trouble.headers}
        lines = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        await self({"type": "http.response.start", "status": trouble.problem.status, "headers": lines})
        await self({"type": "http.response.body", "body": content})


def host_name(host: str) -> str:
    """The name in a `Host` header, lower case, without port and brackets; empty for what is none."""
    host = host.strip().casefold()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    name, _, port = host.partition(":")
    return name.rstrip(".") if not port or port.isdigit() else ""


def is_loopback(name: str) -> bool:
    """Whether a host's name or address is this machine's own."""
    if name == "localhost":
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def _headers(scope: Scope) -> dict[str, str]:
    """Headers by lower-case name; of repeated ones the last (what must not repeat is checked)."""
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else "-"


def _is_page(scope: Scope, headers: Mapping[str, str]) -> bool:
    path = scope["path"]
    return (
        scope["method"] == "GET"
        and not path.startswith("/api/")
        and path != "/metrics"
        and "authorization" not in headers
        and "text/html" in headers.get("accept", "")
    )


def _replayed(taken: bytes, receive: Receive) -> Receive:
    """Gives the body that was read, then whatever else comes (that the client went away)."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": taken, "more_body": False}

    return again
