"""Receivers on loopback, and what there is to tell them."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from auditor.notify import Message, Parcel, Webhook, message_of
from auditor.notify.message import encoded
from tests.report.sample import night

NOW = datetime(2026, 11, 24, 2, 5, tzinfo=UTC)
SECRET = b"a secret of at least 24 bytes"
DEAD = Webhook("dead", "http://127.0.0.1:1/", SECRET)


class Receiver:
    """A receiver on loopback that remembers what it was sent, and answers with the status that it is told."""

    def __init__(self) -> None:
        self.status = 204
        self.headers: dict[str, str] = {}
        self.body = b""
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.arrived = threading.Event()
        self.may_answer = threading.Event()
        self.may_answer.set()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
                outer.arrived.set()
                outer.may_answer.wait(60)
                self.send_response(outer.status)
                for name, value in {"Content-Length": str(len(outer.body)), **outer.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(outer.body)

            do_GET = do_POST

            def log_message(self, *_: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        """Answer nobody any more."""
        self.may_answer.set()
        self.server.shutdown()
        self.server.server_close()


def news() -> Message:
    message = message_of(night())
    assert message is not None
    return message


def parcel(message: Message | None = None) -> Parcel:
    message = message or news()
    return Parcel(message.id, encoded(message))


def webhook(receiver: Receiver, name: str = "hook", **how: bool) -> Webhook:
    return Webhook(name, receiver.url, SECRET, **how)
