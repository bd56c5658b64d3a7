"""Sending on: what is said, how it is signed, and that it arrives at least once whatever the receiver does."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from auditor.errors import UsageProblem
from auditor.notify import Courier, Message, Refused, Target, deliver, message_of, put, read_targets, send
from auditor.notify.message import MOST_FINDINGS
from auditor.notify.outbox import GIVEN_UP
from auditor.service.store import open_store
from auditor.values import Outcome
from tests.report.factory import finding, report, rid
from tests.report.sample import night

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine

NOW = datetime(2026, 11, 24, 2, 5, tzinfo=UTC)
SECRET = b"a secret of at least 24 bytes"


class Receiver:
    """A receiver on loopback that remembers what it was sent, and answers with the status that it is told."""

    def __init__(self) -> None:
        self.status = 204
        self.got: list[tuple[dict[str, str], bytes]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(outer.status)
                self.send_header("Location", "http://127.0.0.1:1/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = open_store(f"sqlite:///{tmp_path / 'history.sqlite'}", {})
    yield made
    made.dispose()


def news() -> Message:
    message = message_of(night())
    assert message is not None
    return message


def webhook(receiver: Receiver, name: str = "hook") -> Target:
    return Target(name, "webhook", receiver.url, SECRET)


def test_a_run_with_news_is_one_message() -> None:
    message = news()
    states = [each.drift.state for each in night().findings if each.drift]
    assert message.counts == {state: states.count(state) for state in ("new", "changed", "resolved")}
    assert {each.state for each in message.findings} <= {"new", "changed", "resolved"}
    assert len(message.findings) == sum(message.counts.values())
    assert message.id == f"auditor-{night().run.id}"


@pytest.mark.parametrize("drift", [None, "unchanged", "unverified"])
def test_a_run_without_news_is_none(drift: str | None) -> None:
    assert message_of(report(finding(outcome=Outcome.FAIL, drift=drift))) is None  # type: ignore[arg-type]


def test_a_long_night_is_cut_and_says_so_and_names_are_one_line() -> None:
    subnets = [rid("Microsoft.Network/virtualNetworks/subnets", "v", f"s{number}") for number in range(60)]
    found = [finding(resource_id=each, outcome=Outcome.FAIL, drift="new", message="a\nb\u202e") for each in subnets]
    message = message_of(report(*found))
    assert message is not None
    assert (len(message.findings), message.left_out) == (MOST_FINDINGS, 10)
    assert "and 10 more" in message.text
    assert len(message.text.splitlines()) == MOST_FINDINGS + 2
    assert "\u202e" not in message.text


def test_a_webhook_gets_a_signed_cloud_event(receiver: Receiver) -> None:
    send(webhook(receiver), news(), NOW)
    ((headers, body),) = receiver.got
    told = json.loads(body)
    assert {"specversion", "id", "source", "type"} <= set(told)
    assert (told["specversion"], told["id"], told["type"]) == ("1.0", news().id, "auditor.drift.v1")
    assert told["data"]["runId"] == night().run.id
    assert headers["content-type"] == "application/cloudevents+json; charset=utf-8"
    # As docs/notifications.md tells a receiver to check it, written anew.
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    wanted = base64.b64encode(hmac.new(SECRET, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{wanted}"
    assert headers["webhook-timestamp"] == str(int(NOW.timestamp()))


@pytest.mark.parametrize("status", [301, 307, 400, 404, 500, 503])
def test_any_other_answer_is_a_refusal_and_no_redirect_is_followed(receiver: Receiver, status: int) -> None:
    receiver.status = status
    with pytest.raises(Refused, match=f"status {status}"):
        send(webhook(receiver), news(), NOW)
    assert len(receiver.got) == 1


def test_to_keep_a_message_calls_nobody(engine: Engine, receiver: Receiver) -> None:
    dead = Target("dead", "webhook", "http://127.0.0.1:1/", SECRET)
    assert put(engine, news(), [dead, webhook(receiver)], NOW) == 2
    assert put(engine, news(), [dead, webhook(receiver)], NOW) == 0, "the same run is told once"
    assert receiver.got == []


def test_a_dead_receiver_keeps_nothing_from_the_others(engine: Engine, receiver: Receiver) -> None:
    dead = Target("dead", "webhook", "http://127.0.0.1:1/", SECRET)
    put(engine, news(), [dead, webhook(receiver)], NOW)
    tried = deliver(engine, [dead, webhook(receiver)], lambda: NOW)
    assert [(each.target, bool(each.note)) for each in tried] == [("dead", True), ("hook", False)]
    assert "127.0.0.1" not in tried[0].note, "addresses of chat services are secrets"
    assert len(receiver.got) == 1


def test_a_refused_message_is_sent_again_later_and_later_with_the_same_id(engine: Engine, receiver: Receiver) -> None:
    target, now, pauses = webhook(receiver), NOW, []
    put(engine, news(), [target], NOW)
    receiver.status = 503
    last = NOW
    for _ in range(40_000):
        if deliver(engine, [target], lambda: now):  # noqa: B023 - asked before it changes
            pauses.append((now - last).total_seconds() / 60)
            last = now
        if len(pauses) == 11:
            break
        now += timedelta(minutes=1)
    assert pauses == [0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 360]
    receiver.status = 200
    now += timedelta(hours=7)
    (tried,) = deliver(engine, [target], lambda: now)
    assert tried.note == ""
    assert {headers["webhook-id"] for headers, _ in receiver.got} == {news().id}
    assert deliver(engine, [target], lambda: now + timedelta(days=30)) == ()


def test_after_a_week_it_is_given_up(engine: Engine, receiver: Receiver) -> None:
    target = webhook(receiver)
    put(engine, news(), [target], NOW)
    receiver.status = 500
    assert deliver(engine, [target], lambda: NOW + GIVEN_UP)
    assert deliver(engine, [target], lambda: NOW + GIVEN_UP * 9) == ()


def test_a_death_while_sending_leaves_it_to_be_sent_again(engine: Engine, receiver: Receiver) -> None:
    target = webhook(receiver)
    put(engine, news(), [target], NOW)

    def killed(target: Target, message: Message, now: datetime) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        deliver(engine, [target], lambda: NOW, killed)
    assert deliver(engine, [target], lambda: NOW) == (), "another instance leaves it alone for a while"
    assert deliver(engine, [target], lambda: NOW + timedelta(minutes=6))
    assert len(receiver.got) == 1


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # asked for by apprise itself
def test_apprise_passes_text_on(receiver: Receiver) -> None:
    target = Target("chat", "apprise", receiver.url.replace("http://", "json://"))
    send(target, news(), NOW)
    ((_, body),) = receiver.got
    assert json.loads(body)["title"] == news().title
    receiver.status = 500
    with pytest.raises(Refused):
        send(target, news(), NOW)


def configured(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "auditor.toml"
    path.write_text(text, encoding="utf-8")
    return path


GOOD = '[[notify]]\nname = "siem"\nurl_from = "SIEM"\nsecret_from = "SIGN"\n'
SET = {"SIEM": "https://siem.example.com/hook", "SIGN": SECRET.decode()}


def test_receivers_are_read_and_hide_what_is_secret(tmp_path: Path) -> None:
    chat = '[[notify]]\nname = "team"\nkind = "apprise"\nurl_from = "TEAM"\n'
    environ = SET | {"TEAM": "wecombot://11112222333344445555"}
    found = read_targets(configured(tmp_path, GOOD + chat), environ, named=True)
    assert [(each.name, each.kind) for each in found] == [("siem", "webhook"), ("team", "apprise")]
    assert "siem.example.com" not in repr(found)
    assert "secret" not in repr(found)
    assert read_targets(None, {}, named=False) == ()


@pytest.mark.parametrize(
    ("text", "environ", "wrong"),
    [
        (GOOD, {}, "SIEM is not set"),
        (GOOD, SET | {"SIEM": "http://siem.example.com/"}, "https"),
        (GOOD, SET | {"SIGN": "short"}, "24 bytes"),
        (GOOD + GOOD, SET, "another one"),
        (GOOD + 'url = "https://x"\n', SET, "`url`"),
        (GOOD.replace("siem", "Si em"), SET, "lower-case"),
        (GOOD + 'kind = "pager"\n', SET, "pager"),
        ("notify = 1\n", {}, "no list of tables"),
    ],
    ids=["unset", "no tls", "short secret", "same name", "address in the file", "odd name", "kind", "no table"],
)
def test_a_mistake_is_told(tmp_path: Path, text: str, environ: dict[str, str], wrong: str) -> None:
    with pytest.raises(UsageProblem, match=wrong):
        read_targets(configured(tmp_path, text), environ, named=True)


def test_a_file_that_is_merely_found_names_no_receiver(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match="merely found"):
        read_targets(configured(tmp_path, GOOD), SET, named=False)


def test_the_courier_delivers_beside_the_scan_and_says_what_fails(engine: Engine, receiver: Receiver) -> None:
    said: list[str] = []
    refused = threading.Event()

    def say(line: str) -> None:
        said.append(line)
        refused.set()

    dead = Target("dead", "webhook", "http://127.0.0.1:1/", SECRET)
    courier = Courier(engine, [webhook(receiver), dead], lambda: NOW, say)
    courier.tell(report(finding(outcome=Outcome.FAIL)))
    courier.tell(night())
    assert refused.wait(60)
    courier.close()
    assert [headers["webhook-id"] for headers, _ in receiver.got] == [news().id]
    assert said[0].startswith(f"dead: {news().id} not delivered: ")
