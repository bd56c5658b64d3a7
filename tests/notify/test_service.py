"""Sending on from a real service: a night is made up for, and its news arrive."""

from __future__ import annotations

import json
import signal
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import msgspec
import pytest

from auditor.findings import Scope
from auditor.history import open_history
from auditor.replica import serve
from tests.report.factory import report
from tests.service.test_process import ESTATE, Process

SECRET = "a secret of at least 24 bytes"


@pytest.mark.parametrize("dead", [False, True], ids=["receiver", "a dead receiver beside it"])
def test_a_nights_news_arrive(tmp_path: Path, dead: bool) -> None:
    arrived: list[bytes] = []
    done = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            arrived.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()
            done.set()

        def log_message(self, *_: object) -> None:
            return

    receiver = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    table = '[[notify]]\nname = "{0}"\nurl_from = "URL_{0}"\nsecret_from = "SIGN"\n'
    config = tmp_path / "auditor.toml"
    config.write_text((table.format("dead") if dead else "") + table.format("hook"), encoding="utf-8")

    # A run of long ago in which nothing deviated: the night is missed, and all that fails now is new.
    old = report(
        cloud="public", scopes=[Scope(id="/providers/Microsoft.Management/managementGroups/contoso", read=True)]
    )
    times = {"started_at": "2020-01-01T02:00:00Z", "finished_at": "2020-01-01T02:03:00Z"}
    with open_history(f"sqlite:///{tmp_path / 'history.sqlite'}", {}) as history:
        history.save(msgspec.structs.replace(old, run=msgspec.structs.replace(old.run, **times)))

    with serve(ESTATE, quota=False) as replica:
        environment = replica.environment() | {"AUDITOR_MANAGEMENT_GROUP": "contoso", "SIGN": SECRET}
        environment |= {
            "URL_hook": f"http://127.0.0.1:{receiver.server_address[1]}/",
            "URL_dead": "http://127.0.0.1:1/",
        }
        process = Process(tmp_path, environment, "--config", str(config), "--cron", "0 4 * * *")
        try:
            assert done.wait(120)
        finally:
            said = process.end(signal.SIGTERM)
            receiver.shutdown()
            receiver.server_close()
    (body,) = arrived
    told = json.loads(body)
    assert told["type"] == "auditor.drift.v1"
    assert told["data"]["counts"]["new"] > 0
    assert ("dead: " in said) is dead
    assert SECRET not in said
