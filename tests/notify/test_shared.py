"""The outbox on both kinds of database, and shared by two instances that deliver at the same time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from auditor.notify import (
    Parcel,
    Refused,
    Sender,
    Target,
    Webhook,
    again,
    deliver,
    drop,
    put,
    standings,
    undelivered,
)
from auditor.notify.outbox import GIVEN_UP
from auditor.service.store import open_store
from tests.history.conftest import cluster, url
from tests.notify.receiving import DEAD, NOW

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine

__all__ = ["cluster", "url"]


@contextmanager
def opened(url: str) -> Iterator[Engine]:
    engine = open_store(url, {})
    try:
        yield engine
    finally:
        engine.dispose()


class Collects(Sender):
    """Delivers to a list."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[str] = []
        self.refuses = False

    def send(self, target: Target, parcel: Parcel, now: datetime) -> None:
        if self.refuses:
            raise Refused("status 500")
        self.sent.append(parcel.id)


def test_two_instances_deliver_each_parcel_once(url: str) -> None:
    sender, names = Collects(), [f"p{number:02}" for number in range(30)]
    with opened(url) as one, opened(url) as other:
        put(one, [(DEAD.name, Parcel(name, "x")) for name in names], NOW)
        threads = [
            threading.Thread(target=lambda engine=engine: list(deliver(engine, DEAD, lambda: NOW, sender.send)))
            for engine in (one, other)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(sender.sent) == names
        (standing,) = standings(one)
        assert (standing.delivered, standing.queued, standing.oldest) == (30, 0, None)


def test_the_life_of_a_parcel(url: str) -> None:
    sender, target = Collects(), Webhook("siem", "https://siem.example.com/", b"")
    with opened(url) as engine:
        assert (
            put(engine, [("siem", Parcel("a", "x")), ("siem", Parcel("b", "x")), ("old", Parcel("a", "x"))], NOW) == 3
        )
        sender.refuses = True
        (attempt,) = deliver(engine, target, lambda: NOW + GIVEN_UP, sender.send)
        assert attempt.result == "given-up"
        assert [(each.target, each.queued, each.given_up) for each in standings(engine)] == [
            ("old", 1, 0),
            ("siem", 1, 1),
        ]
        assert [(each.target, each.parcel_id) for each in undelivered(engine)] == [
            ("old", "a"),
            ("siem", "a"),
            ("siem", "b"),
        ]
        assert again(engine, "siem", NOW) == 2
        sender.refuses = False
        assert [each.result for each in deliver(engine, target, lambda: NOW, sender.send)] == ["delivered"] * 2
        assert sender.sent == ["a", "b"]
        assert drop(engine, None) == 1
        assert undelivered(engine) == ()


@pytest.mark.parametrize("times", [1, 2])
def test_to_put_the_same_again_adds_nothing(url: str, times: int) -> None:
    with opened(url) as engine:
        added = [put(engine, [("siem", Parcel("a", "x"))], NOW) for _ in range(times)]
        assert added == [1, 0][:times]
