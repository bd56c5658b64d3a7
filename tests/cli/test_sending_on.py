"""`auditor scan --notify` and `auditor notify …`: what is sent, what is kept, and what a person sees of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.notify.conftest import receiver
from tests.notify.receiving import Receiver

__all__ = ["receiver"]

Run = Callable[..., int]
Write = Callable[..., str]
SECRET = "a secret of at least 24 bytes"
TABLE = '[[notify]]\nname = "hook"\nurl_from = "HOOK"\nsecret_from = "SIGN"\n'


@pytest.fixture
def told(run: Run, receiver: Receiver, tmp_path: Path) -> Run:
    """Call the program with a configuration file that names the receiver."""
    (tmp_path / "told.toml").write_text(TABLE, encoding="utf-8")

    def call(*arguments: str, **environment: str) -> int:
        named = [str(tmp_path / each) if each == "told.toml" else each for each in arguments]
        return run(*named, **({"HOOK": receiver.url, "SIGN": SECRET} | environment))

    return call


CONFIG = ("--config", "told.toml")


def scan(told: Run, *arguments: str, **environment: str) -> int:
    return told("scan", "--fail-on", "never", *arguments, **environment)


def test_a_scan_sends_when_asked_and_only_then(told: Run, receiver: Receiver, snapshot: Write, tmp_path: Path) -> None:
    assert scan(told, *CONFIG, "--snapshot", snapshot("bad")) == 0
    assert scan(told, *CONFIG, "--notify", "--snapshot", snapshot("bad", "worse")) == 0
    ((_, body),) = receiver.got
    assert json.loads(body)["data"]["counts"] == {"new": 1, "changed": 0, "resolved": 0}
    assert scan(told, *CONFIG, "--notify", "--snapshot", snapshot("bad", "worse")) == 0
    assert len(receiver.got) == 1, "a night without news sends nothing"
    assert (
        scan(told, "--snapshot", snapshot("bad"), AUDITOR_CONFIG=str(tmp_path / "told.toml"), AUDITOR_NOTIFY="1") == 0
    )
    assert len(receiver.got) == 2


def test_what_is_refused_is_kept_for_the_next_call(
    told: Run, receiver: Receiver, snapshot: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    assert scan(told, "--snapshot", snapshot("bad")) == 0
    receiver.status = 503
    assert scan(told, *CONFIG, "--notify", "--snapshot", snapshot("worse")) == 0, "it changes no exit status"
    assert "hook: auditor-" in capsys.readouterr().err

    assert told("notify", "undelivered") == 0
    shown = capsys.readouterr().out
    assert "status 503" in shown
    assert told("notify", "list") == 0
    shown += capsys.readouterr().out
    assert SECRET not in shown
    assert receiver.url not in shown

    receiver.status = 204
    assert told("notify", "again", "hook") == 0
    assert told("notify", "send", *CONFIG) == 0
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1
    assert len(receiver.got) == 2
    capsys.readouterr()
    assert told("notify", "undelivered") == 0
    assert len(capsys.readouterr().out.splitlines()) == 1, "only the heading is left"


def test_what_waits_can_be_dropped(
    told: Run, receiver: Receiver, snapshot: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    receiver.status = 503
    assert scan(told, "--snapshot", snapshot("bad")) == 0
    assert scan(told, *CONFIG, "--notify", "--snapshot", snapshot("worse")) == 0
    assert told("notify", "drop", "--all") == 0
    assert "dropped: 1" in capsys.readouterr().err
    assert told("notify", "drop", "--all") == 0
    assert "dropped: 0" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "environment", "wrong"),
    [
        ((*CONFIG, "--no-history"), {}, "--no-history"),
        ((), {}, "nobody to tell"),
        (CONFIG, {"HOOK": ""}, "HOOK is not set"),
        (CONFIG, {"HOOK": "http://siem.example.com/KEY"}, "https"),
    ],
    ids=["no history", "nobody", "unset", "no tls"],
)
def test_what_keeps_it_from_sending_is_told_before_the_scan(
    told: Run,
    snapshot: Write,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    environment: dict[str, str],
    wrong: str,
) -> None:
    assert scan(told, *arguments, "--notify", "--snapshot", snapshot("bad"), **environment) == 2
    said = capsys.readouterr().err
    assert wrong in said
    assert "KEY" not in said
    assert not (tmp_path / "out").exists()


def test_a_receiver_is_tried(told: Run, receiver: Receiver, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert told("notify", "test", "hook", *CONFIG) == 0
    ((headers, body),) = receiver.got
    assert json.loads(body)["data"]["counts"] == {"new": 0, "changed": 0, "resolved": 0}
    assert headers["webhook-id"].startswith("auditor-test-")
    receiver.status = 403
    assert told("notify", "test", "hook", *CONFIG) == 1
    assert "hook: not delivered: status 403" in capsys.readouterr().err
    assert told("notify", "test", "pager", *CONFIG) == 2
    assert "receivers: hook" in capsys.readouterr().err
    assert not (tmp_path / "history.sqlite").exists(), "the outbox knows nothing of it"


@pytest.mark.parametrize("verb", ["again", "drop"])
def test_whose_is_said(told: Run, verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in ((), ("hook", "--all")):
        assert told("notify", verb, *arguments) == 2
        assert "name one receiver, or say --all" in capsys.readouterr().err


def test_there_must_be_somebody_to_send_to(told: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert told("notify", "send") == 2
    assert "nobody to tell" in capsys.readouterr().err
