"""The HTTP server: uvicorn in a thread of its own, with patience that ends."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import Any

from uvicorn import Config, Server
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from auditor.errors import UsageProblem

MOST_HEADER_BYTES = 16_384
CONNECTIONS = 512
GRACE_S = 5


class PatientProtocol(H11Protocol):
    """uvicorn's protocol, which would wait for ever for the end of a request's headers."""

    headers_s: float
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._idle:
            self._watch()
        else:
            self._rest()

    def connection_lost(self, exc: Exception | None) -> None:
        self._rest()
        super().connection_lost(exc)

    @property
    def _idle(self) -> bool:
        """Whether no request is being answered."""
        cycle: RequestResponseCycle | None = self.cycle  # which uvicorn declares without the None it begins with
        return cycle is None or cycle.response_complete

    def _watch(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(self.headers_s, self._give_up)

    def _rest(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        self._deadline = None
        if self._idle and not self.transport.is_closing():
            self.transport.abort()


def listening(host: str, port: int) -> socket.socket:
    """A bound socket. Raises UsageProblem if it cannot be bound, in one line."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
    except OSError as problem:
        made.close()
        raise UsageProblem(
            f"cannot listen on {host}:{port}: {problem.strerror or problem}", hint="name another with --listen"
        ) from None
    made.set_inheritable(False)
    return made


class HttpServer:
    """Serves an application from a thread until it is stopped."""

    def __init__(
        self,
        app: Any,
        bound: socket.socket,
        *,
        headers_s: float,
        grace_s: int = GRACE_S,
    ) -> None:
        """`headers_s`: within so long a request's line and headers are there, or the connection ends."""
        config = Config(
            app,
            http=type("Patient", (PatientProtocol,), {"headers_s": headers_s}),
            ws="none",
            loop="asyncio",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            limit_concurrency=CONNECTIONS,
            h11_max_incomplete_event_size=MOST_HEADER_BYTES,
            timeout_graceful_shutdown=grace_s,
        )
        self._bound = bound
        self._server = Server(config)
        self._thread = threading.Thread(target=self._run, name="http", daemon=True)
        self.ended = threading.Event()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._bound.getsockname()[1])

    def start(self) -> None:
        """Begin to serve; connections are accepted from now on."""
        self._bound.listen(128)
        self._thread.start()

    def stop(self) -> None:
        """Stop accepting, let answers that have begun end within the grace, and end the thread."""
        self._server.should_exit = True
        self._thread.join()
        self._bound.close()

    def _run(self) -> None:
        try:
            self._server.run(sockets=[self._bound])
        finally:
            self.ended.set()
