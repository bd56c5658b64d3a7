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
from tests.notify.receiving import Receiver
from tests.report.factory import report
from tests.service.process import Process
from tests.service.test_process import ESTATE

SECRET = "a secret of at least 24 bytes"


def earlier(folder: Path) -> None:
    """A run of long ago in which nothing deviated: the night is missed, and all that fails now is new."""
    old = report(
        cloud="public", scopes=[Scope(id="/providers/Microsoft.Management/managementGroups/contoso", read=True)]
    )
    times = {"started_at": "2020-01-01T02:00:00Z", "finished_at": "2020-01-01T02:03:00Z"}
    with open_history(f"sqlite:///{folder / 'history.sqlite'}", {}) as history:
        history.save(msgspec.structs.replace(old, run=msgspec.structs.replace(old.run, **times)))


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

    earlier(tmp_path)
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


@pytest.mark.parametrize("wanted", [True, False], ids=["told", "not told"])
def test_a_scan_on_demand_is_told_of_as_its_receiver_wishes(tmp_path: Path, receiver: Receiver, wanted: bool) -> None:
    table = '[[notify]]\nname = "{0}"\nurl_from = "HOOK"\nsecret_from = "SIGN"\non_demand = {1}\n'
    config = tmp_path / "auditor.toml"
    config.write_text(table.format("hook", str(wanted).lower()) + table.format("other", "true"), encoding="utf-8")
    earlier(tmp_path)
    with serve(ESTATE, quota=False) as replica:
        environment = replica.environment() | {"AUDITOR_MANAGEMENT_GROUP": "contoso", "SIGN": SECRET}
        environment |= {"HOOK": receiver.url}
        process = Process(tmp_path, environment, "--config", str(config))
        try:
            job = process.ask("POST", "/api/v1/scans", json={}).json()["id"]
            list(process.ask("GET", f"/api/v1/scans/{job}/events", stream=True).iter_lines())
            assert receiver.arrived.wait(60)
            metrics = process.ask("GET", "/metrics").text
        finally:
            said = process.end(signal.SIGTERM)
    assert len(receiver.got) == 1 + wanted
    for line in (
        'auditor_service_outbox_given_up{receiver="hook"} 0.0',
        'auditor_service_outbox_given_up{receiver="other"} 0.0',
        'auditor_service_outbox_attempts_total{receiver="hook",result="refused"} 0.0',
    ):
        assert line in metrics
    for text in (metrics, said):
        assert SECRET not in text
        assert receiver.url not in text
