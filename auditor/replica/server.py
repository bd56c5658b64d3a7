"""The replica itself: one TLS server on loopback that routes requests to the services it plays.

ARM lies at the root, the token endpoint at `/{tenant}/`, Microsoft Graph below `/graph`. Writes are answered 405 unless
they are allowed (`writes=True`), and every request is recorded.
"""

import gzip
import json
import logging
import socket
import socketserver
import ssl
import struct
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from auditor.replica import bending, certificates, faults
from auditor.replica.answers import Answer, arm_error, ok
from auditor.replica.arm import Call, ResourceManager
from auditor.replica.directory import BASE_PATH, Directory
from auditor.replica.estate import Application, Estate, load
from auditor.replica.faults import Fault, FaultPlan
from auditor.replica.logs import AUDIENCES, LogsIngestion, Upload
from auditor.replica.query_request import PAGE_MOST
from auditor.replica.resource_graph import SUBSCRIPTIONS_MOST, Evaluator
from auditor.replica.sign_in import SignIn
from auditor.replica.signing import Signer
from auditor.replica.throttling import OFF, Clock, Quota, Throttle
from auditor.replica.world import World, type_of
from auditor.replica.writes import Write, Writer, without

_log = logging.getLogger(__name__)
_GZIP_FROM_BYTES = 512
_RESOURCE_GRAPH = "/providers/microsoft.resourcegraph/resources"


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """One request that arrived and what became of it.

    `operation` is one of `openid`, `keys`, `token`, `metadata`, `resource-graph`, `arm-get`, `arm-list`, `graph`,
    `logs`, `write`, `unknown`; `table` names the tables of a query, `type` the lower-case resource type of an ARM path.
    """

    at: str
    method: str
    path: str
    query: str
    operation: str
    type: str
    table: str
    rows: int | None
    status: int
    fault: str | None


class Replica:
    """A loopback Azure. Use it as a context manager; `load` swaps the estate while it runs."""

    def __init__(
        self,
        estate: Estate | Path | str,
        *,
        quota: bool | Quota = True,
        fault_plan: FaultPlan | Path | str | Sequence[Mapping[str, Any]] | None = None,
        page_size: int = PAGE_MOST,
        arm_page_size: int = 100,
        graph_page_size: int = 100,
        subscription_limit: int = SUBSCRIPTIONS_MOST,
        host: str = "127.0.0.1",
        port: int = 0,
        log_path: Path | None = None,
        clock: Clock = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
        apis: Mapping[str, Sequence[str]] | None = None,
        writes: bool = False,
        log_rules: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self._apis = apis
        self._writes = writes
        self._ingestion = LogsIngestion(log_rules or {})
        self._writing = threading.Lock()
        self._address = (host, port)
        self._page_sizes = (page_size, arm_page_size, graph_page_size)
        self._subscription_limit = subscription_limit
        self._wall_clock = wall_clock
        self._throttle = Throttle(quota if isinstance(quota, Quota) else Quota() if quota else OFF, clock)
        self._faults = faults.read(fault_plan)
        self._log_path = log_path
        self._lock = threading.Lock()
        self._records: list[RequestRecord] = []
        self._world = World(_estate(estate))
        self._evaluator: Evaluator | None = None
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self.stopping = threading.Event()
        self.base_url = ""
        self.ca_path = Path()

    def __enter__(self) -> "Replica":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Make the certificates, bind, and answer from a thread of its own."""
        self._folder = tempfile.TemporaryDirectory(prefix="auditor-replica-")
        context, self.ca_path = certificates.make(Path(self._folder.name))
        # Another authority's, for a certificate that changes; the client knows nothing of it.
        strange = Path(self._folder.name) / "strange"
        strange.mkdir()
        self._server = _Server(self._address, context, certificates.make(strange)[0], self)
        self.base_url = f"https://127.0.0.1:{self._server.server_address[1]}"
        self._logs_audience = AUDIENCES[self.estate.cloud]
        audiences = (self.base_url, self.graph_endpoint, self._logs_audience)
        self._sign_in = SignIn(self.base_url, audiences, self._wall_clock, self._apis)
        _, arm_page_size, graph_page_size = self._page_sizes
        self._arm = ResourceManager(self.base_url, arm_page_size)
        self._writer = Writer(self.base_url)
        self._directory = Directory(self.base_url, graph_page_size)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True, name="replica")
        self._thread.start()

    def stop(self) -> None:
        """Stop answering and give everything back; a second call does nothing."""
        self.stopping.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.drop_connections()
            self._server.server_close()
            self._server = None
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        with self._lock:
            evaluator, self._evaluator = self._evaluator, None
        if evaluator is not None:
            evaluator.close()
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    @property
    def graph_endpoint(self) -> str:
        """Microsoft Graph's base URL, which is its audience too."""
        return self.base_url + BASE_PATH

    @property
    def estate(self) -> Estate:
        """The estate being served."""
        return self._world.estate

    @property
    def requests(self) -> list[RequestRecord]:
        """Every request so far, in the order of their answers."""
        with self._lock:
            return list(self._records)

    @property
    def uploads(self) -> list[Upload]:
        """What the Logs Ingestion API took so far."""
        return self._ingestion.uploads

    def environment(self, application: int = 0) -> dict[str, str]:
        """What to export so that a client signs in as the estate's application of this number."""
        one = self._world.estate.applications[application]
        return {
            "AZURE_TENANT_ID": self._world.estate.tenant_id,
            "AZURE_CLIENT_ID": one.app_id,
            "AZURE_CLIENT_SECRET": one.secret,
            "AUDITOR_ARM_ENDPOINT": self.base_url,
            "AUDITOR_AUTHORITY_HOST": self.base_url,
            "AUDITOR_GRAPH_ENDPOINT": self.graph_endpoint,
            "AUDITOR_CA_BUNDLE": str(self.ca_path),
        }

    def load(self, estate: Estate | Path | str) -> None:
        """Serve another estate from now on: the next night. Tokens of applications that remain stay good."""
        world = World(_estate(estate))
        with self._lock:
            self._world = world
            old, self._evaluator = self._evaluator, None
        if old is not None:
            old.close()

    def set_faults(self, plan: FaultPlan | Path | str | Sequence[Mapping[str, Any]] | None) -> None:
        """Another fault plan from now on; None switches faults off."""
        self._faults = faults.read(plan)
        if self._server is not None:
            self._server.show_own_certificate()

    def signed_token(self, audience: str, *, roles: Sequence[str] = (), **claims: Any) -> str:
        """A token as the tenant issues it for an API of its own, with other `claims` where a test wants them."""
        return self._sign_in.signed(self._world, audience, roles=roles, **claims)

    @property
    def signer(self) -> Signer:
        """What signs those tokens."""
        return self._sign_in.signer

    def forget_requests(self) -> None:
        """Begin the record of requests anew."""
        with self._lock:
            self._records.clear()

    def handle(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> tuple[Answer, Fault | None]:
        """The answer to one request, and a fault that still has to be played on the connection."""
        with self._lock:
            world = self._world
        split = urlsplit(target)
        path, query = unquote(split.path), dict(parse_qsl(split.query, keep_blank_values=True))
        operation = _operation(method, path)
        typed = operation.startswith("arm") or operation == "write"
        kind = type_of(path).lower() if typed and "/providers/" in path.lower() else ""
        text = _query_of(body) if operation == "resource-graph" else ""
        table = _first_table(text)
        fault = self._faults.fault_for(
            faults.Request(method, target if split.query else path, operation, kind, table, text)
        )
        authorization = headers.get("Authorization")
        table_names = table if operation == "resource-graph" else ""
        if fault is not None and fault.kind == "deletion":
            world = self._deleted(fault.resource)
        if fault is not None:
            answer = self._faulty(fault, world, path, authorization)
        else:
            answer = None
        if answer is None:
            answer, tables = self._routed(world, operation, method, path, query, headers, body)
            table_names = tables or table_names
            if fault is not None:
                answer = bending.bent(answer, fault, self.base_url, target, body)
        self._record(method, path, split.query, operation, kind, table_names, answer, fault)
        return answer, fault

    def _routed(
        self,
        world: World,
        operation: str,
        method: str,
        path: str,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        body: bytes,
    ) -> tuple[Answer, str]:
        authorization = headers.get("Authorization")
        if operation == "logs":
            caller = self._sign_in.caller(world, authorization, self._logs_audience)
            return (caller if isinstance(caller, Answer) else self._ingestion.take(path, query, headers, body)), ""
        if operation == "write" and self._writes and method != "POST":
            return self._write(method, path, query, authorization, body), ""
        if operation in ("write", "unknown"):
            return arm_error(405, "MethodNotAllowed", "The replica answers reads only.", headers={"Allow": "GET"}), ""
        tenant = path.strip("/").split("/")[0]
        if operation == "openid":
            return self._sign_in.discovery(world, tenant), ""
        if operation == "keys":
            return self._sign_in.keys(world, tenant), ""
        if operation == "token":
            form = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
            return self._sign_in.token(world, tenant, form), ""
        if operation == "metadata":
            return self._metadata(world, query), ""
        if operation == "graph":
            caller = self._sign_in.caller(world, authorization, self.graph_endpoint)
            if isinstance(caller, Answer):
                return caller, ""
            return self._directory.answer(world, caller, path[len(BASE_PATH) :], query), ""
        caller = self._sign_in.caller(world, authorization, self.base_url)
        if isinstance(caller, Answer):
            return caller, ""
        if operation == "resource-graph":
            return self._query(world, caller, query, body)
        return self._read(world, caller, path, query), ""

    def _query(self, world: World, caller: Application, query: Mapping[str, str], body: bytes) -> tuple[Answer, str]:
        version = next((value for key, value in query.items() if key.lower() == "api-version"), None)
        if version is None:
            text = "The api-version query parameter (?api-version=) is required for all requests."
            return arm_error(400, "MissingApiVersionParameter", text), ""
        headers, refusal = self._throttle.query(caller.app_id, f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}")
        if refusal is not None:
            return refusal, ""
        answer, tables, _ = self._evaluator_for(world).answer(caller, body, version)
        return replace(answer, headers={**answer.headers, **headers}), tables

    def _write(
        self, method: str, path: str, query: Mapping[str, str], authorization: str | None, body: bytes
    ) -> Answer:
        """One write after the other, each on the estate that the last one left."""
        with self._writing:
            world = self._world
            caller = self._sign_in.caller(world, authorization, self.base_url)
            if isinstance(caller, Answer):
                return caller
            answer, after = self._writer.answer(world, Write(method, path, query, body, caller))
            if after is not None:
                self.load(after)
            return answer

    def _read(self, world: World, caller: Application, path: str, query: Mapping[str, str]) -> Answer:
        parts = path.strip("/").split("/")
        subscription = parts[1].lower() if parts[0].lower() == "subscriptions" and len(parts) > 1 else None
        headers, refusal = self._throttle.read(caller.app_id, subscription)
        if refusal is not None:
            return refusal
        answer = self._writer.operation(path) or self._arm.answer(world, Call(path, query, caller))
        return replace(answer, headers={**answer.headers, **headers})

    def _evaluator_for(self, world: World) -> Evaluator:
        """The tables of the estate being served, built at the first query."""
        with self._lock:
            if self._evaluator is None:
                self._evaluator = Evaluator(
                    self._world, subscription_limit=self._subscription_limit, page_size=self._page_sizes[0]
                )
            return self._evaluator

    def _metadata(self, world: World, query: Mapping[str, str]) -> Answer:
        """`/metadata/endpoints`, in the old shape (one object) and the one since 2018 (a list of clouds)."""
        version = query.get("api-version", "")
        login = {"loginEndpoint": self.base_url, "audiences": [self.base_url], "tenant": "common"}
        if version < "2018":
            old = {"galleryEndpoint": "", "graphEndpoint": self.graph_endpoint, "portalEndpoint": self.base_url}
            return ok({**old, "authentication": {**login, "loginEndpoint": self.base_url + "/"}})
        name = {"public": "AzureCloud", "china": "AzureChinaCloud", "usgov": "AzureUSGovernment"}
        return ok(
            [
                {
                    "name": name[world.estate.cloud],
                    "resourceManager": self.base_url,
                    "microsoftGraphResourceId": self.graph_endpoint,
                    "authentication": {**login, "identityProvider": "AAD"},
                    "suffixes": {},
                }
            ]
        )

    def _faulty(self, fault: Fault, world: World, path: str, authorization: str | None) -> Answer | None:
        """An answer that a fault puts in place of the real one; None if it only bends the real one."""
        if fault.kind == "status":
            return bending.status(fault)
        if fault.kind == "expired-token":
            return self._sign_in.expired(world)
        if fault.kind == "claims-challenge":
            return self._sign_in.challenge(world, authorization)
        if fault.kind == "missing-registration":
            namespace = type_of(path).split("/")[0]
            return arm_error(
                409,
                "MissingSubscriptionRegistration",
                f"The subscription is not registered to use namespace '{namespace}'. See https://aka.ms/rps-not-found "
                "for how to register subscriptions.",
                details=[{"code": "MissingSubscriptionRegistration", "target": namespace}],
            )
        if fault.kind == "certificate-change" and self._server is not None:
            self._server.show_strange_certificate(once=fault.times is not None)
        if fault.kind in ("reset", "certificate-change"):
            return Answer(0, b"")
        return None

    def _deleted(self, resource: str) -> World:
        """The world without a resource and what lies below it: somebody deletes it between two requests."""
        with self._writing:
            if self._world.get(resource) is not None:
                self.load(without(self._world.estate, resource))
            return self._world

    def _record(
        self,
        method: str,
        path: str,
        query: str,
        operation: str,
        kind: str,
        table: str,
        answer: Answer,
        fault: Fault | None,
    ) -> None:
        stamp = f"{datetime.fromtimestamp(self._wall_clock(), UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
        name = fault.kind if fault is not None else None
        record = RequestRecord(stamp, method, path, query, operation, kind, table, answer.rows, answer.status, name)
        with self._lock:
            self._records.append(record)
            if self._log_path is not None:
                with self._log_path.open("a", encoding="utf-8") as lines:
                    lines.write(json.dumps(asdict(record)) + "\n")
        _log.debug("%s %s %s %s", method, path, answer.status, table)


@contextmanager
def serve(estate: Estate | Path | str, **options: Any) -> Iterator[Replica]:
    """A running replica of the estate (a file's path too) for the length of a `with`; `options` are `Replica`'s."""
    with Replica(estate, **options) as replica:
        yield replica


def _estate(estate: Estate | Path | str) -> Estate:
    return estate if isinstance(estate, Estate) else load(Path(estate))


def _operation(method: str, path: str) -> str:
    lowered = path.lower()
    parts = lowered.strip("/").split("/")
    if method == "POST":
        if lowered.rstrip("/") == _RESOURCE_GRAPH:
            return "resource-graph"
        if parts[0] == "datacollectionrules":
            return "logs"
        return "token" if parts[-2:] == ["v2.0", "token"] and "oauth2" in parts else "write"
    if method != "GET":
        return "write"
    if lowered.endswith("/.well-known/openid-configuration"):
        return "openid"
    if lowered.endswith("/discovery/v2.0/keys"):
        return "keys"
    if lowered == "/metadata/endpoints":
        return "metadata"
    if lowered == BASE_PATH or lowered.startswith(BASE_PATH + "/"):
        return "graph"
    if parts[0] not in ("subscriptions", "providers"):
        return "unknown"
    return "arm-list" if _is_list(parts) else "arm-get"


def _is_list(parts: list[str]) -> bool:
    if "providers" not in parts or parts[-1] == "providers":
        return len(parts) % 2 == 1
    last = len(parts) - 1 - parts[::-1].index("providers")
    return (len(parts) - last) % 2 == 1 and len(parts) - last > 2


def _query_of(body: bytes) -> str:
    try:
        return str(json.loads(body).get("query", ""))
    except (ValueError, AttributeError):
        return ""


def _first_table(query: str) -> str:
    words = query.split(None, 1)
    return words[0].strip("|").lower() if words else ""


class _Server(ThreadingHTTPServer):
    """Keeps hold of its connections, so that stopping does not wait for clients that keep theirs alive."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(
        self, address: tuple[str, int], context: ssl.SSLContext, strange: ssl.SSLContext, replica: Replica
    ) -> None:
        self._context, self._strange = context, strange
        self._strange_handshakes = 0.0
        """How many of the next connections are shown the strange certificate; infinity for all."""
        self._connections: set[socket.socket] = set()
        self._connections_lock = threading.Lock()
        self.replica = replica
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        # HTTPServer's own asks the resolver for the host's full name, which can take seconds without a network.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", self.server_address[1]

    def get_request(self) -> tuple[socket.socket, Any]:
        plain, address = super().get_request()
        # The handshake happens at the first read, in the connection's own thread.
        with self._connections_lock:
            context = self._strange if self._strange_handshakes >= 1 else self._context
            self._strange_handshakes = max(0.0, self._strange_handshakes - 1)
        secured = context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
        with self._connections_lock:
            self._connections.add(secured)
        return secured, address

    def show_strange_certificate(self, *, once: bool) -> None:
        """The next connection, or every one from now on, is shown another authority's certificate."""
        with self._connections_lock:
            self._strange_handshakes = self._strange_handshakes + 1 if once else float("inf")

    def show_own_certificate(self) -> None:
        """Every connection from now on is shown the certificate that the client trusts."""
        with self._connections_lock:
            self._strange_handshakes = 0.0

    def shutdown_request(self, request: Any) -> None:
        with self._connections_lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def drop_connections(self) -> None:
        """Close whatever clients still hold open."""
        with self._connections_lock:
            held = list(self._connections)
        for one in held:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away or does not trust the certificate is no news; anything else is a defect of ours."""
        expected = isinstance(sys.exc_info()[1], OSError)
        _log.log(logging.DEBUG if expected else logging.ERROR, "request of %s failed", client_address, exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "Microsoft-HTTPAPI/2.0"
    sys_version = ""
    wbufsize = 1 << 16
    disable_nagle_algorithm = True
    timeout = 120
    server: _Server

    def handle(self) -> None:
        try:
            super().handle()
        except (ssl.SSLError, OSError):
            self.close_connection = True

    def finish(self) -> None:
        try:
            super().finish()
        except (ssl.SSLError, OSError, ValueError):
            self.close_connection = True

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def do_PATCH(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def do_HEAD(self) -> None:
        self._serve()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing to stderr: the record of requests holds more."""

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        answer, fault = self.server.replica.handle(self.command, self.path, dict(self.headers.items()), body)
        kind = fault.kind if fault is not None else ""
        if kind in ("reset", "certificate-change"):
            self._reset()
            return
        if kind == "slow" and fault is not None:
            self.server.replica.stopping.wait(fault.seconds)
        content = answer.body
        headers = {
            "Content-Type": answer.content_type,
            "x-ms-request-id": str(uuid.uuid4()),
            "x-ms-correlation-request-id": str(uuid.uuid4()),
            "Cache-Control": "no-cache",
            **answer.headers,
        }
        client_id = self.headers.get("x-ms-client-request-id")
        if client_id is not None:
            headers["x-ms-client-request-id"] = client_id
        if len(content) >= _GZIP_FROM_BYTES and "gzip" in (self.headers.get("Accept-Encoding") or ""):
            content = gzip.compress(content, compresslevel=1, mtime=0)
            headers["Content-Encoding"] = "gzip"
            headers["Vary"] = "Accept-Encoding"
        headers["Content-Length"] = str(len(content))
        self.send_response(answer.status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        if kind == "truncate":
            self.wfile.write(content[: len(content) // 2])
            self.close_connection = True
        elif kind == "drip" and fault is not None:
            self._drip(content, fault)
        else:
            self.wfile.write(content)

    def _drip(self, content: bytes, fault: Fault) -> None:
        """The body in pieces, spread over the time."""
        size = -(-len(content) // fault.pieces) or 1
        for at in range(0, len(content), size):
            self.wfile.write(content[at : at + size])
            self.wfile.flush()
            self.server.replica.stopping.wait(fault.seconds / fault.pieces)

    def _reset(self) -> None:
        """End the connection with a TCP reset instead of a goodbye."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
