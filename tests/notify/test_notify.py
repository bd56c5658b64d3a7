"""Sending on: what is said, how it is signed, and that it arrives at least once whatever the receiver does."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from auditor.notify import (
    Attempt,
    Chat,
    Courier,
    Parcel,
    Refused,
    Sender,
    Target,
    Webhook,
    again,
    deliver,
    drop,
    message_of,
    parcels_for,
    put,
    standings,
    trial_parcel,
    undelivered,
)
from auditor.notify.message import MOST_FINDINGS
from auditor.notify.outbox import DELIVERED_KEPT, GIVEN_UP, GIVEN_UP_KEPT
from auditor.values import Outcome
from tests.notify.receiving import DEAD, NOW, SECRET, Receiver, news, parcel, webhook
from tests.report.factory import finding, report, rid
from tests.report.sample import night

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine

SENDER = Sender()


def kept(engine: Engine, *targets: Target, at: datetime = NOW) -> int:
    return put(engine, [(target.name, parcel()) for target in targets], at)


def tried(engine: Engine, target: Target, at: datetime = NOW) -> list[Attempt]:
    return list(deliver(engine, target, lambda: at, SENDER.send))


def test_a_run_with_news_is_one_message() -> None:
    message = news()
    states = [each.drift.state for each in night().findings if each.drift]
    assert message.counts == {state: states.count(state) for state in ("new", "changed", "resolved")}
    assert {each.state for each in message.findings} <= {"new", "changed", "resolved"}
    assert len(message.findings) == sum(message.counts.values())
    assert message.id == f"auditor-{night().run.id}"
    assert [each.id for each in parcels_for(DEAD, night())] == [message.id]


@pytest.mark.parametrize("drift", [None, "unchanged", "unverified"])
def test_a_run_without_news_is_none(drift: str | None) -> None:
    quiet = report(finding(outcome=Outcome.FAIL, drift=drift))  # type: ignore[arg-type]
    assert message_of(quiet) is None
    assert parcels_for(DEAD, quiet) == ()


def test_a_long_night_is_cut_and_says_so_and_names_are_one_line() -> None:
    subnets = [rid("Microsoft.Network/virtualNetworks/subnets", "v", f"s{number}") for number in range(60)]
    found = [finding(resource_id=each, outcome=Outcome.FAIL, drift="new", message="a\nb\u202e") for each in subnets]
    message = message_of(report(*found))
    assert message is not None
    assert (len(message.findings), message.left_out) == (MOST_FINDINGS, 10)
    assert "and 10 more" in message.text()
    assert len(message.text().splitlines()) == MOST_FINDINGS + 2
    assert "\u202e" not in message.text()


def test_a_webhook_gets_a_signed_cloud_event(receiver: Receiver) -> None:
    SENDER.send(webhook(receiver), parcel(), NOW)
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
    receiver.headers = {"Location": receiver.url}
    with pytest.raises(Refused, match=f"status {status}"):
        SENDER.send(webhook(receiver), parcel(), NOW)
    assert len(receiver.got) == 1


def test_a_netrc_file_adds_no_password(receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password theirs\n", encoding="utf-8")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    SENDER.send(webhook(receiver), parcel(), NOW)
    assert "authorization" not in receiver.got[0][0]


def test_whatever_breaks_is_a_refusal_that_names_no_address() -> None:
    odd = Webhook("odd", "https://\udcff.example.com/KEY", SECRET)
    with pytest.raises(Refused) as refused:
        SENDER.send(odd, parcel(), NOW)
    assert "KEY" not in str(refused.value)
    assert "example" not in str(refused.value)
    with pytest.raises(Refused, match="DecodeError"):
        SENDER.send(DEAD, Parcel("x", "of a version that nobody knows"), NOW)


def test_to_keep_a_message_calls_nobody(engine: Engine, receiver: Receiver) -> None:
    assert kept(engine, DEAD, webhook(receiver)) == 2
    assert kept(engine, DEAD, webhook(receiver)) == 0, "the same run is told once"
    assert receiver.got == []


def test_a_dead_receiver_keeps_nothing_from_the_others(engine: Engine, receiver: Receiver) -> None:
    kept(engine, DEAD, webhook(receiver))
    (dead,) = tried(engine, DEAD)
    assert dead.result == "refused"
    assert "127.0.0.1" not in dead.note, "addresses of chat services are secrets"
    assert [each.result for each in tried(engine, webhook(receiver))] == ["delivered"]
    assert len(receiver.got) == 1


def test_a_refused_message_is_sent_again_later_and_later_with_the_same_id(engine: Engine, receiver: Receiver) -> None:
    target, now, pauses = webhook(receiver), NOW, []
    kept(engine, target)
    receiver.status = 503
    last = NOW
    for _ in range(40_000):
        if tried(engine, target, now):
            pauses.append((now - last).total_seconds() / 60)
            last = now
        if len(pauses) == 11:
            break
        now += timedelta(minutes=1)
    assert pauses == [0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 360]
    receiver.status = 200
    now += timedelta(hours=7)
    (attempt,) = tried(engine, target, now)
    assert attempt.result == "delivered"
    assert {headers["webhook-id"] for headers, _ in receiver.got} == {news().id}
    assert tried(engine, target, now + timedelta(days=30)) == []


@pytest.mark.parametrize(
    ("header", "minutes"),
    [
        ("600", 10),
        ("5", 1),
        ("Tue, 24 Nov 2026 02:35:00 GMT", 30),
        ("Tue, 24 Nov 2020 02:35:00 GMT", 1),
        ("99999999999999999999", 360),
        ("soon", 1),
        ("-5", 1),
    ],
    ids=["seconds", "sooner than we would", "date", "date gone by", "never", "no number", "below zero"],
)
def test_a_receiver_that_asks_for_peace_gets_it(engine: Engine, receiver: Receiver, header: str, minutes: int) -> None:
    target = webhook(receiver)
    kept(engine, target)
    receiver.status, receiver.headers = 429, {"Retry-After": header}
    assert tried(engine, target)
    due = NOW + timedelta(minutes=minutes)
    assert tried(engine, target, due - timedelta(seconds=1)) == []
    assert tried(engine, target, due)


def test_after_a_week_it_is_given_up_and_can_be_sent_again(engine: Engine, receiver: Receiver) -> None:
    target, late = webhook(receiver), NOW + GIVEN_UP
    kept(engine, target)
    receiver.status = 500
    assert [each.result for each in tried(engine, target, late)] == ["given-up"]
    assert tried(engine, target, NOW + GIVEN_UP * 9) == []
    (waiting,) = undelivered(engine)
    assert (waiting.target, waiting.next_at, waiting.note) == ("hook", None, "status 500")
    receiver.status = 200
    assert again(engine, "other", late) == 0
    assert again(engine, "hook", late) == 1
    assert [each.result for each in tried(engine, target, late)] == ["delivered"]
    assert undelivered(engine) == ()
    assert again(engine, None, late) == 0


def test_too_large_for_a_webhook_is_given_up_at_once(engine: Engine, receiver: Receiver) -> None:
    kept(engine, webhook(receiver))
    receiver.status = 413
    assert [each.result for each in tried(engine, webhook(receiver))] == ["given-up"]


def test_how_receivers_stand_and_what_is_forgotten(engine: Engine, receiver: Receiver) -> None:
    kept(engine, DEAD, webhook(receiver))
    assert tried(engine, webhook(receiver))
    dead, hook = standings(engine)
    assert (dead.target, dead.queued, dead.oldest, dead.delivered, dead.given_up) == (
        "dead",
        1,
        "2026-11-24T02:05:00Z",
        0,
        0,
    )
    assert (hook.queued, hook.oldest, hook.delivered, hook.given_up) == (0, None, 1, 0)
    assert tried(engine, DEAD, NOW + GIVEN_UP)
    assert standings(engine)[0].given_up == 1

    put(engine, [], NOW + DELIVERED_KEPT + timedelta(minutes=1))
    assert [each.target for each in standings(engine)] == ["dead"], "what was delivered long ago is forgotten"
    put(engine, [], NOW + GIVEN_UP + GIVEN_UP_KEPT + timedelta(minutes=1))
    assert standings(engine) == ()


def test_what_waits_is_never_forgotten_of_itself_but_can_be_dropped(engine: Engine) -> None:
    kept(engine, DEAD)
    put(engine, [], NOW + timedelta(days=4000))
    assert standings(engine)[0].queued == 1
    assert drop(engine, "other") == 0
    assert drop(engine, "dead") == 1
    assert standings(engine) == ()


def test_a_death_while_sending_leaves_it_to_be_sent_again(engine: Engine, receiver: Receiver) -> None:
    target = webhook(receiver)
    kept(engine, target)

    def killed(target: Target, parcel: Parcel, now: datetime) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(deliver(engine, target, lambda: NOW, killed))
    assert tried(engine, target) == [], "another instance leaves it alone for a while"
    assert tried(engine, target, NOW + timedelta(minutes=6))
    assert len(receiver.got) == 1


# ---------------------------------------------------------------- the courier


class Heard:
    """What the courier says, and a wait for it."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.said = threading.Event()

    def __call__(self, line: str) -> None:
        self.lines.append(line)
        self.said.set()


def test_the_courier_delivers_beside_the_scan_and_says_what_fails(engine: Engine, receiver: Receiver) -> None:
    heard = Heard()
    courier = Courier(engine, [webhook(receiver), DEAD], lambda: NOW, heard)
    courier.start()
    courier.tell(report(finding(outcome=Outcome.FAIL)))
    courier.tell(night())
    assert heard.said.wait(60)
    assert receiver.arrived.wait(60)
    courier.close(60)
    assert [headers["webhook-id"] for headers, _ in receiver.got] == [news().id]
    assert heard.lines[0].startswith(f"dead: {news().id} not delivered: ")
    assert courier.attempts() == {("hook", "delivered"): 1, ("dead", "refused"): 1}


def test_a_receiver_that_does_not_answer_holds_up_no_other(engine: Engine, receiver: Receiver) -> None:
    slow = Receiver()
    slow.may_answer.clear()
    courier = Courier(engine, [webhook(slow, "a-slow"), webhook(receiver)], lambda: NOW, lambda line: None)
    try:
        courier.tell(night())
        courier.start()
        assert slow.arrived.wait(60)
        assert receiver.arrived.wait(60), "it was told while the other was still silent"
    finally:
        slow.close()
        courier.close(60)


def test_a_command_waits_for_no_receiver_longer_than_it_is_told(engine: Engine, receiver: Receiver) -> None:
    slow = Receiver()
    slow.may_answer.clear()
    courier = Courier(engine, [webhook(slow, "a-slow"), webhook(receiver)], lambda: NOW, lambda line: None)
    try:
        courier.tell(night())
        assert not courier.once(0.1), "it never answers"
        assert receiver.arrived.wait(60)
    finally:
        slow.close()
        courier.close(60)


def test_who_wants_no_scans_on_demand_is_not_told_of_them(engine: Engine, receiver: Receiver) -> None:
    quiet = webhook(receiver, "quiet", on_demand=False)
    courier = Courier(engine, [webhook(receiver), quiet], lambda: NOW, lambda line: None)
    courier.tell(night(), on_demand=True)
    assert [each.target for each in standings(engine)] == ["hook"]
    courier.tell(night())
    assert [each.target for each in standings(engine)] == ["hook", "quiet"]
    courier.close()


def test_a_run_is_kept_once_however_often_it_is_told_of(engine: Engine, receiver: Receiver) -> None:
    for _ in range(2):  # two processes
        courier = Courier(engine, [webhook(receiver)], lambda: NOW, lambda line: None)
        courier.tell(night(), on_demand=True)
        courier.tell(night())
        (standing,) = standings(engine)
        assert standing.queued == 1


def test_what_was_kept_is_not_kept_again_with_the_next(engine: Engine, receiver: Receiver) -> None:
    courier = Courier(engine, [webhook(receiver)], lambda: NOW, lambda line: None)
    courier.tell(night())
    assert drop(engine, "hook") == 1
    courier.tell(msgspec.structs.replace(night(), run=msgspec.structs.replace(night().run, id="another")))
    assert [each.parcel_id for each in undelivered(engine)] == ["auditor-another"]


def test_a_report_that_cannot_be_told_costs_no_scan(engine: Engine, receiver: Receiver) -> None:
    heard = Heard()
    courier = Courier(engine, [webhook(receiver)], lambda: NOW, heard)
    odd = msgspec.structs.replace(night(), findings=(finding(drift="new", severity="nonsense"),))  # type: ignore[arg-type]
    courier.tell(odd)
    assert heard.lines[0].startswith(f"run {night().run.id} is not sent on: ")


def test_a_defect_ends_no_thread(engine: Engine, receiver: Receiver) -> None:
    class Broken(Sender):
        def send(self, target: Target, parcel: Parcel, now: datetime) -> None:
            raise ZeroDivisionError

    heard = Heard()
    courier = Courier(engine, [webhook(receiver)], lambda: NOW, heard, Broken())
    courier.tell(night())
    assert courier.once(60)
    assert heard.lines == ["hook: sending on met a defect: ZeroDivisionError"]


def test_a_database_that_is_away_costs_no_message(engine: Engine, receiver: Receiver) -> None:
    import sqlalchemy as sa

    heard = Heard()
    courier = Courier(engine, [webhook(receiver)], lambda: NOW, heard)
    with engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE outgoing RENAME TO away"))
    courier.tell(night())
    assert heard.lines[0].startswith("to be sent on later: ")
    with engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE away RENAME TO outgoing"))
    courier.start()
    assert receiver.arrived.wait(60)
    courier.close(60)


# ---------------------------------------------------------------- chat and e-mail

APPRISE = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # asked for by apprise itself


def chat(receiver: Receiver, options: str = "") -> Chat:
    return Chat("chat", receiver.url.replace("http://", "json://") + options)


@APPRISE
def test_apprise_passes_text_on(receiver: Receiver) -> None:
    SENDER.send(chat(receiver), parcel(), NOW)
    ((_, body),) = receiver.got
    assert json.loads(body)["title"] == news().title
    assert json.loads(body)["message"] == news().text()
    receiver.status = 500
    with pytest.raises(Refused):
        SENDER.send(chat(receiver), parcel(), NOW)


@APPRISE
@pytest.mark.parametrize("options", ["", "?redirect=yes"])
def test_apprise_follows_no_redirect(receiver: Receiver, options: str) -> None:
    receiver.status, receiver.headers = 307, {"Location": receiver.url}
    with pytest.raises(Refused):
        SENDER.send(chat(receiver, options), parcel(), NOW)
    assert len(receiver.got) == 1


@APPRISE
def test_apprise_says_nothing_of_its_own(receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    receiver.status = 500
    with caplog.at_level("DEBUG"), pytest.raises(Refused):
        SENDER.send(chat(receiver), parcel(), NOW)
    assert [record for record in caplog.records if record.name.startswith("apprise")] == []


def long_night() -> Iterable[str]:
    names = [rid("Microsoft.Network/virtualNetworks/subnets", "v", f"s{number}") for number in range(60)]
    found = [finding(resource_id=each, outcome=Outcome.FAIL, drift="new", message="段" * 300) for each in names]
    message = message_of(report(*found), "zh-CN")
    assert message is not None
    for most in (10_000, 2048, 600, 1):
        yield message.text(most_bytes=most)


def test_a_text_is_cut_to_what_a_chat_takes_and_counts_the_rest() -> None:
    large, small, smaller, smallest = long_night()
    assert len(large.encode()) <= 10_000
    assert len(small.encode()) <= 2048
    for text in (large, small, smaller, smallest):
        lines = text.splitlines()
        assert lines[-2] == f"另有 {60 - (len(lines) - 2)} 项"
    assert len(smaller.splitlines()) == len(smallest.splitlines()) == 2


@APPRISE
def test_a_chat_is_tried_in_its_language(receiver: Receiver) -> None:
    target = Chat("chat", receiver.url.replace("http://", "json://"), "zh-CN")
    SENDER.send(target, trial_parcel(target, NOW), NOW)
    ((_, body),) = receiver.got
    assert json.loads(body)["title"] == "auditor：发送测试"


def test_names_call_nobody_together() -> None:
    hostile = "<!channel> <at user_id='all'> @all @Everyone x@example.com"
    message = message_of(report(finding(outcome=Outcome.FAIL, drift="new", message=hostile)))
    assert message is not None
    assert "<" not in message.text()
    assert "＠all" in message.text()
    assert "＠Everyone" in message.text()
    assert "x@example.com" in message.text()
