"""Many nights of several instances over one database: kills, cut connections, outages, stops, all at random.

What must hold of every firing afterwards: it has exactly one run in the history, or is stated to be missed; and the
history has no other run. The loop, firings, locks, history and databases are the real ones; time is the tests' own.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from auditor.config import Settings
from auditor.errors import NothingRead
from auditor.findings import Report
from auditor.history.store import History
from auditor.history.tables import firing as firing_table
from auditor.history.tables import run as run_table
from auditor.service import Interrupted, Night, Plan, parse_schedule, serve_plans
from auditor.service.firings import Overtaken, StoredFirings
from auditor.service.leadership import DatabaseLock, FileLock, Leadership
from auditor.service.store import open_store
from tests import nights
from tests.history import postgresql
from tests.service.turns import Turns
from tests.service.world import SUBSCRIPTION

START = datetime(2026, 1, 5, 12, tzinfo=UTC)
DIRECTOR = "director"
_STRIDE = timedelta(minutes=20)
"""A busy machine wakes later than it was asked to: else a hundred nights would be a hundred thousand minutes."""


class Killed(BaseException):
    """The process ends here, and says nothing."""


@dataclass
class Instance:
    """One process that serves."""

    number: int
    engine: Engine
    lock: Leadership
    stop: threading.Event = field(default_factory=threading.Event)
    killed: bool = False
    thread: threading.Thread | None = None

    @property
    def name(self) -> str:
        return f"instance {self.number:04}"


@dataclass
class Soak:
    """The world of the simulated nights."""

    url: str
    several: bool
    chance: random.Random
    turns: Turns = field(default_factory=lambda: Turns(START))
    instances: list[Instance] = field(default_factory=list)
    outage_until: datetime = START
    quiet: bool = False
    happened: Counter[str] = field(default_factory=Counter)
    failed: list[BaseException] = field(default_factory=list)
    number: int = 0
    runs: int = 0

    def plans(self) -> tuple[Plan, ...]:
        settings = Settings(subscription=(SUBSCRIPTION,))
        return (
            Plan("nightly", parse_schedule("0 2 * * *", "UTC"), settings),
            Plan("late", parse_schedule("30 3 * * *", "Europe/Berlin"), settings, timedelta(hours=2)),
            Plan("often", parse_schedule("0 */6 * * *", "UTC"), settings),
        )

    # ---------------------------------------------------------------- instances

    def start(self) -> Instance:
        """One more process."""
        self.number += 1
        engine = open_store(self.url, {})
        lock: Leadership
        if engine.dialect.name == "postgresql":
            lock = DatabaseLock(engine, self.number, monotonic=lambda: self.turns.now.timestamp())
        else:
            lock = FileLock(Path(str(engine.url.database)), self.number)
        instance = Instance(self.number, engine, lock)
        instance.thread = threading.Thread(target=self._live, args=(instance,), name=instance.name)
        self.instances.append(instance)
        self.turns.join(instance.name)
        instance.thread.start()
        return instance

    def kill(self, instance: Instance) -> None:
        """`kill -9`: its connections and locks are gone at once; it says nothing more."""
        instance.killed = True
        instance.lock.close()
        self.ended(instance)

    def ended(self, instance: Instance) -> None:
        """Let it come to its end."""
        while self.turns.waiting(instance.name):
            self.turns.wait(DIRECTOR, timedelta(minutes=1))
        assert instance.thread is not None
        instance.thread.join()
        if instance in self.instances:
            self.instances.remove(instance)

    def cut(self, instance: Instance) -> None:
        """Its lock's connection breaks; it may not know, and goes on."""
        self.happened["cut"] += 1
        with instance.engine.connect() as connection:
            connection.execute(
                sa.text(
                    "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objid = :number"
                ),
                {"number": instance.number},
            )

    def _live(self, me: Instance) -> None:
        self.turns.await_turn(me.name)
        firings = StoredFirings(me.engine, me.number, lambda: self.turns.now, me.lock.alive)

        def wait(seconds: float) -> bool:
            self._pause(me, timedelta(seconds=seconds) if seconds < 30 else _STRIDE)
            return me.stop.is_set()

        try:
            serve_plans(
                self.plans(),
                lambda night: self._scan(me, firings, night),
                say=lambda line: None,
                stop=me.stop,
                clock=lambda: self.turns.now,
                wait=wait,
                firings=firings,
                leads=me.lock.leads,
            )
        except Killed:
            self.happened["killed"] += 1
        except BaseException as problem:  # noqa: BLE001 - said by the main thread
            self.failed.append(problem)
        finally:
            if not me.killed:
                me.lock.close()
            me.engine.dispose()
            self.turns.leave(me.name)

    def _pause(self, me: Instance, time: timedelta) -> None:
        self.turns.wait(me.name, time)
        if me.killed:
            raise Killed

    # ---------------------------------------------------------------- a scan

    def _scan(self, me: Instance, firings: StoredFirings, night: Night) -> int:
        """As the service scans: stops only between two requests, and keeps its run and the firing together."""
        for _ in range(self.chance.randint(1, 4)):
            self._pause(me, timedelta(minutes=self.chance.randint(1, 30)))
            if self.turns.now < self.outage_until:
                self.happened["failed"] += 1
                raise NothingRead("the authority is down")
            if me.stop.is_set() or not me.lock.leads():
                self.happened["interrupted"] += 1
                raise Interrupted("it was stopped before it was done")
        # Past the last request: it goes on, whoever leads by now.
        if self.several and not self.quiet and self.chance.random() < 0.1:
            self.cut(me)
        self._pause(me, timedelta(minutes=self.chance.randint(1, 60)))
        self._maybe_die(me, 0.03)
        self.runs += 1
        report = nights.night(1, nights.finding("c", nights.resource("aks"), "fail"))
        report = msgspec.structs.replace(report, run=msgspec.structs.replace(report.run, id=f"run-{self.runs:06}"))

        def beside(connection: Connection, kept: Report) -> None:
            firings.seal(night.claim, connection, kept.run.id)
            self._maybe_die(me, 0.03)  # in mid-transaction

        try:
            History(me.engine).save(report, scope_read=lambda _: True, beside=beside)
        except Overtaken as overtaken:
            self.happened["overtaken"] += 1
            raise Interrupted(overtaken.message) from None
        self._maybe_die(me, 0.05)  # the run is kept, and nobody was told
        return 0

    def _maybe_die(self, me: Instance, likely: float) -> None:
        if not self.quiet and self.chance.random() < likely:
            raise Killed

    # ---------------------------------------------------------------- what happens to them

    def go_on(self, until: datetime, most: int) -> None:
        """Days with up to so many instances, to which something happens every few hours."""
        while self.turns.now < until:
            self.turns.wait(DIRECTOR, timedelta(minutes=self.chance.randint(10, 900)))
            assert not self.failed, self.failed
            self.instances = [each for each in self.instances if each.thread is not None and each.thread.is_alive()]
            what = self.chance.random()
            victim = self.chance.choice(self.instances) if self.instances else None
            if victim is None or (what < 0.35 and len(self.instances) < most):
                if victim is None:
                    self.turns.wait(DIRECTOR, timedelta(hours=self.chance.choice((0, 0, 1, 5, 60))))
                self.start()
            elif what < 0.5:
                self.kill(victim)
            elif what < 0.6:
                victim.stop.set()
                self.ended(victim)
            elif what < 0.8:
                if self.several:
                    self.cut(victim)
            else:
                self.outage_until = self.turns.now + timedelta(minutes=self.chance.choice((10, 60, 300, 600)))

    def come_to_rest(self) -> None:
        """One instance is left, and has half a day in which nothing happens."""
        self.quiet, self.outage_until = True, self.turns.now
        for each in [each for each in self.instances if each.thread is not None and each.thread.is_alive()]:
            each.stop.set()
            self.ended(each)
        last = self.start()
        self.turns.wait(DIRECTOR, timedelta(hours=13))
        last.stop.set()
        self.ended(last)
        assert not self.failed, self.failed


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, int]:
    """A database, and how many instances may share it."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'history.sqlite'}", 1
    database: postgresql.Cluster = request.getfixturevalue("database")
    return database.new_database(), 3


@pytest.mark.parametrize(("seed", "days"), [(1, 40), pytest.param(2, 100, marks=pytest.mark.long)])
def test_every_night_has_exactly_one_run_or_is_stated_to_be_missed(
    place: tuple[str, int], seed: int, days: int
) -> None:
    url, most = place
    soak = Soak(url, most > 1, random.Random(seed))
    soak.turns.begin(DIRECTOR)
    soak.start()
    end = START + timedelta(days=days)
    soak.go_on(end, most)
    soak.come_to_rest()

    engine = open_store(url, {})
    with engine.connect() as connection:
        rows = {(row.schedule, row.local): row for row in connection.execute(sa.select(firing_table))}
        kept = list(connection.execute(sa.select(run_table.c.id)).scalars())
    engine.dispose()
    wrong, counted = [], Counter[str]()
    for plan in soak.plans():
        for firing in plan.schedule.after(START):
            if firing.at >= end:
                break
            row = rows.get((plan.name, firing.local))
            state = None if row is None else row.state
            whole = row is not None and state == "done" and row.run_id in kept
            counted["done" if whole else "missed"] += 1
            if not whole and not (row is not None and state == "missed" and row.run_id is None and row.note):
                wrong.append((plan.name, firing.local, state))
    assert wrong == []
    sealed = [row.run_id for row in rows.values() if row.run_id is not None]
    assert sorted(sealed) == sorted(kept)  # no run but those, and none twice
    assert len(set(sealed)) == len(sealed)
    # and the nights were lively ones
    assert counted["done"] > 2 * days, counted
    assert counted["missed"] > 5, counted
    assert soak.happened["killed"] > 5, soak.happened
    assert soak.happened["failed"] > 5, soak.happened
    assert most == 1 or soak.happened["overtaken"] > 0, soak.happened
