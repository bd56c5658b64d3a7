"""Nights of several schedules and instances over one database, by a clock that the tests turn."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from auditor.config import Settings
from auditor.errors import NothingRead, UsageProblem
from auditor.history import HistoryProblem
from auditor.history.tables import firing as firing_table
from auditor.service import Interrupted, Night, Plan, Tally, parse_schedule, read_plans, serve_plans
from auditor.service.firings import Claim, Overtaken, StoredFirings
from auditor.service.leadership import DatabaseLock, FileLock, leadership_over
from auditor.service.options import Options
from auditor.service.schedule import Firing
from auditor.service.store import open_store
from tests.history import postgresql
from tests.service.world import SUBSCRIPTION, Serving, World, serving

START = datetime(2026, 1, 5, 12, tzinfo=UTC)


class Killed(BaseException):
    """The process ends here, and says nothing."""


@dataclass
class Cluster:
    """Instances that come and go over one database. Time passes only while somebody waits."""

    engine: Engine
    now: datetime = START
    sleeps_s: float = 60
    living: set[int] = field(default_factory=set)
    scanned: Counter[tuple[str, str]] = field(default_factory=Counter)
    begun: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def plan(self, name: str = "nightly", cron: str = "0 2 * * *", jitter: timedelta = timedelta(0)) -> Plan:
        return Plan(name, parse_schedule(cron, "UTC"), Settings(subscription=(SUBSCRIPTION,)), jitter)

    def live(
        self,
        instance: int,
        until: datetime,
        *plans: Plan,
        during: Callable[[Night], None] = lambda night: None,
        leads: Callable[[], bool] = lambda: True,
        last_started: datetime | None = None,
    ) -> Tally | None:
        """One instance from now on; None if it was killed."""
        self.living.add(instance)
        stop = threading.Event()
        waits = 0

        def wait(seconds: float) -> bool:
            nonlocal waits
            waits += 1
            assert waits < 200_000, "it waits for ever"
            # A machine that is busy wakes later than it was asked to.
            self.now += timedelta(seconds=seconds if seconds < 60 else self.sleeps_s)
            if self.now >= until:
                stop.set()
            return stop.is_set()

        def scan(night: Night) -> int:
            self.begun.append(night.local)
            during(night)
            self.scanned[night.plan.name, night.local] += 1
            return 0

        firings = StoredFirings(self.engine, instance, lambda: self.now, lambda other: other in self.living)
        try:
            return serve_plans(
                plans or (self.plan(),),
                scan,
                say=self.lines.append,
                stop=stop,
                clock=lambda: self.now,
                wait=wait,
                firings=firings,
                leads=leads,
                last_started=lambda plan: last_started,
            )
        except Killed:
            return None
        finally:
            self.living.discard(instance)

    def states(self) -> dict[tuple[str, str], str]:
        """What the database says of each firing."""
        with self.engine.connect() as connection:
            rows = connection.execute(sa.select(firing_table)).all()
        return {(row.schedule, row.local): row.state for row in rows}


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    engine = open_store(f"sqlite:///{tmp_path / 'history.sqlite'}", {})
    yield Cluster(engine)
    engine.dispose()


def after(days: float) -> datetime:
    return START + timedelta(days=days)


def test_several_schedules_each_at_its_time(cluster: Cluster) -> None:
    tally = cluster.live(1, after(2), cluster.plan("a"), cluster.plan("b", "30 14 * * *"))
    assert cluster.begun == ["2026-01-05T14:30", "2026-01-06T02:00", "2026-01-06T14:30", "2026-01-07T02:00"]
    assert tally is not None
    assert tally.by_status == {0: 4}
    assert "b: next scan: 2026-01-05T14:30 (UTC)" in cluster.lines


def test_a_restart_scans_no_night_twice(cluster: Cluster) -> None:
    for hour in range(12, 12 + 48, 6):
        cluster.live(hour, START + timedelta(hours=hour - 6))
    assert set(cluster.scanned.values()) == {1}
    assert len(cluster.scanned) == 2


def test_a_night_missed_during_downtime_is_made_up_once_and_older_ones_are_stated(cluster: Cluster) -> None:
    cluster.live(1, after(1))
    cluster.now = after(5)  # four nights without anybody
    cluster.live(2, after(5.1))
    cluster.live(3, after(5.2))
    assert cluster.begun == ["2026-01-06T02:00", "2026-01-10T02:00"]
    missed = [local for (_, local), state in cluster.states().items() if state == "missed"]
    assert sorted(missed) == ["2026-01-07T02:00", "2026-01-08T02:00", "2026-01-09T02:00"]


def test_a_night_that_was_killed_is_taken_over(cluster: Cluster) -> None:
    def kill(night: Night) -> None:
        raise Killed

    assert cluster.live(1, after(2), during=kill) is None
    assert cluster.states()["nightly", "2026-01-06T02:00"] == "running"
    cluster.live(2, after(1.2))
    assert cluster.states()["nightly", "2026-01-06T02:00"] == "done"
    assert any("was missed; making up for it now" in line for line in cluster.lines)


def test_a_night_that_somebody_alive_is_at_is_left_to_them(cluster: Cluster) -> None:
    cluster.now = datetime(2026, 1, 6, 2, 5, tzinfo=UTC)
    other = StoredFirings(cluster.engine, 7, lambda: cluster.now, lambda instance: True)
    firing = cluster.plan().schedule.last(cluster.now)
    assert firing is not None
    assert isinstance(other.claim("nightly", firing), Claim)
    cluster.living.add(7)
    cluster.live(1, cluster.now + timedelta(hours=1))
    assert cluster.begun == []


def test_a_night_that_was_interrupted_is_made_up_for(cluster: Cluster) -> None:
    def stop(night: Night) -> None:
        night.stop.set()
        raise Interrupted("the service is being stopped")

    tally = cluster.live(1, after(2), during=stop)
    assert tally is not None
    assert tally.by_status == {3: 1}
    assert cluster.states()["nightly", "2026-01-06T02:00"] == "interrupted"
    cluster.live(2, after(1))
    assert cluster.states()["nightly", "2026-01-06T02:00"] == "done"


def test_who_does_not_lead_scans_nothing(cluster: Cluster) -> None:
    cluster.live(1, after(2), leads=lambda: False)
    assert cluster.begun == []
    assert cluster.lines[0] == "another instance leads; this one takes over when it ends"


def test_who_begins_to_lead_makes_up_for_what_its_leader_left(cluster: Cluster) -> None:
    cluster.live(1, after(1))
    cluster.living.add(9)
    cluster.live(2, after(3), leads=lambda: cluster.now > after(2.5))
    # the night of the 7th fell due while nobody led
    assert cluster.begun == ["2026-01-06T02:00", "2026-01-08T02:00"] or cluster.begun == [
        "2026-01-06T02:00",
        "2026-01-07T02:00",
        "2026-01-08T02:00",
    ]


def test_jitter_puts_off_by_the_same_everywhere(cluster: Cluster) -> None:
    plan = cluster.plan(jitter=timedelta(hours=1))
    firing = Firing(START, "2026-01-06T02:00")
    assert plan.put_off(firing) == cluster.plan(jitter=timedelta(hours=1)).put_off(firing)
    many = [plan.put_off(Firing(START, f"2026-01-{day:02}T02:00")) for day in range(1, 29)]
    assert all(timedelta(0) <= each < timedelta(hours=1) for each in many)
    assert len(set(many)) == 28
    begun: list[datetime] = []
    cluster.live(1, after(1), plan, during=lambda night: begun.append(cluster.now))
    assert begun[0] - datetime(2026, 1, 6, 2, tzinfo=UTC) >= plan.put_off(firing)


def test_a_jittered_night_that_is_still_to_come_is_not_missed(cluster: Cluster) -> None:
    plan = cluster.plan(jitter=timedelta(hours=3))
    cluster.live(1, after(1), plan)
    late = plan.put_off(Firing(START, "2026-01-07T02:00"))
    assert late > timedelta(minutes=5)
    cluster.now = datetime(2026, 1, 7, 2, 1, tzinfo=UTC)  # after its time, before its turn
    begun: list[datetime] = []
    cluster.live(2, after(2), plan, during=lambda night: begun.append(cluster.now))
    assert len(begun) == 1
    assert begun[0] >= datetime(2026, 1, 7, 2, tzinfo=UTC) + late
    assert not any("making up" in line for line in cluster.lines)


def test_a_database_that_goes_and_comes_back_costs_a_wait_and_no_night(cluster: Cluster) -> None:
    gone = {"until": datetime(2026, 1, 6, 3, tzinfo=UTC)}
    stored = StoredFirings(cluster.engine, 1, lambda: cluster.now, lambda other: False)

    class Shaky:
        unsaved = stored.unsaved

        def claim(self, schedule: str, firing: Firing) -> Claim | Literal["done", "busy"]:
            if cluster.now < gone["until"]:
                raise HistoryProblem("cannot write to the history: the server went away")
            return stored.claim(schedule, firing)

        end = stored.end
        tell = stored.tell
        newest = stored.newest
        left = stored.left

    stop = threading.Event()

    def wait(seconds: float) -> bool:
        cluster.now += timedelta(seconds=seconds)
        return cluster.now >= after(1)

    begun: list[datetime] = []

    def scan(night: Night) -> int:
        begun.append(cluster.now)
        return 0

    serve_plans(
        (cluster.plan(),),
        scan,
        say=cluster.lines.append,
        stop=stop,
        clock=lambda: cluster.now,
        wait=wait,
        firings=Shaky(),
    )
    assert begun == [gone["until"]]
    assert "scheduled scans wait: cannot write to the history: the server went away" in cluster.lines


def test_what_became_of_a_night_is_written_once_the_database_is_back(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    engine = open_store(f"sqlite:///{path}", {}, patience_s=0.05)
    stored = StoredFirings(engine, 1, lambda: START, lambda other: False)
    first, second = Firing(START, "2026-01-06T02:00"), Firing(START, "2026-01-07T02:00")
    claim = stored.claim("nightly", first)
    assert isinstance(claim, Claim)
    with sa.create_engine(f"sqlite:///{path}").connect() as other:
        other.exec_driver_sql("BEGIN EXCLUSIVE")
        stored.end(claim, "done")
        assert stored.unsaved
    assert isinstance(stored.claim("nightly", second), Claim)
    assert not stored.unsaved
    assert stored.claim("nightly", first) == "done"
    engine.dispose()


def test_a_night_that_was_killed_and_never_made_up_for_is_stated_to_be_missed(cluster: Cluster) -> None:
    def kill(night: Night) -> None:
        raise Killed

    assert cluster.live(1, after(2), during=kill) is None
    cluster.now = after(3)  # two more nights without anybody
    cluster.live(2, after(3.1))
    assert cluster.states() == {
        ("nightly", "2026-01-05T02:00"): "before",
        ("nightly", "2026-01-06T02:00"): "missed",
        ("nightly", "2026-01-07T02:00"): "missed",
        ("nightly", "2026-01-08T02:00"): "done",
    }


def test_a_night_that_failed_is_tried_again_also_after_a_restart(cluster: Cluster) -> None:
    def fail(night: Night) -> None:
        raise NothingRead("the authority is down")

    cluster.live(1, datetime(2026, 1, 6, 2, 4, tzinfo=UTC), during=fail)
    assert cluster.states()["nightly", "2026-01-06T02:00"] == "failed"
    cluster.live(2, cluster.now + timedelta(minutes=1))
    assert cluster.states()["nightly", "2026-01-06T02:00"] == "done"
    assert cluster.begun == ["2026-01-06T02:00"] * 2


def test_a_night_whose_owner_dies_while_another_leads_is_taken_over_without_a_restart(cluster: Cluster) -> None:
    cluster.now = datetime(2026, 1, 6, 2, 5, tzinfo=UTC)
    other = StoredFirings(cluster.engine, 7, lambda: cluster.now, lambda instance: True)
    firing = cluster.plan().schedule.last(cluster.now)
    assert firing is not None
    assert isinstance(other.claim("nightly", firing), Claim)
    cluster.living.add(7)  # it lost the lead, and still lives

    def leads() -> bool:
        if cluster.now > datetime(2026, 1, 6, 2, 30, tzinfo=UTC):
            cluster.living.discard(7)
        return True

    cluster.live(1, after(1), leads=leads)
    assert cluster.begun == ["2026-01-06T02:00"]
    assert cluster.states()["nightly", "2026-01-06T02:00"] == "done"


def test_who_was_overtaken_keeps_no_run(cluster: Cluster) -> None:
    firing = Firing(START, "2026-01-06T02:00")
    slow = StoredFirings(cluster.engine, 1, lambda: cluster.now, lambda other: True)
    fast = StoredFirings(cluster.engine, 2, lambda: cluster.now, lambda other: False)
    first, second = slow.claim("nightly", firing), fast.claim("nightly", firing)
    assert isinstance(first, Claim)
    assert isinstance(second, Claim)
    with pytest.raises(Overtaken, match="somebody else took over"), cluster.engine.begin() as connection:
        slow.seal(first, connection, "run-1")
    slow.end(first, "done", "of no account")
    assert cluster.states()["nightly", "2026-01-06T02:00"] == "running"
    with cluster.engine.begin() as connection:
        fast.seal(second, connection, "run-2")
    with cluster.engine.begin() as connection:
        fast.seal(second, connection, "run-2")  # the answer to the first was lost
    with pytest.raises(Overtaken), cluster.engine.begin() as connection:
        fast.seal(second, connection, "run-3")
    fast.end(second, "failed", "its report could not be written")
    assert cluster.states()["nightly", "2026-01-06T02:00"] == "done"  # its run is kept
    fast.tell("nightly", firing, "missed", "of no account")
    assert cluster.states()["nightly", "2026-01-06T02:00"] == "done"


# ---------------------------------------------------------------- leadership


def test_a_lock_file_is_held_by_one(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    first = FileLock(path, 1)
    with pytest.raises(UsageProblem, match="another `auditor serve`"):
        FileLock(path, 2)
    assert first.leads()
    assert (first.alive(1), first.alive(2)) == (True, False)
    first.close()
    FileLock(path, 3).close()


@pytest.mark.postgresql
def test_of_instances_over_postgresql_one_leads_and_the_next_takes_over(database: postgresql.Cluster) -> None:
    url = database.new_database()
    engines = [open_store(url, {}) for _ in range(3)]
    locks = [leadership_over(engine, number) for number, engine in enumerate(engines, start=1)]
    try:
        assert [lock.leads() for lock in locks] == [True, False, False]
        assert [lock.alive(1) for lock in locks] == [True, True, True]
        assert not locks[1].alive(99)
        locks[0].close()
        assert [locks[1].leads(), locks[2].leads()] == [True, False]
        assert not locks[1].alive(1)
        assert locks[1].alive(3)
    finally:
        for lock, engine in zip(locks, engines, strict=True):
            lock.close()
            engine.dispose()


@pytest.mark.postgresql
def test_a_leader_whose_connection_breaks_leads_no_more_until_it_is_back(database: postgresql.Cluster) -> None:
    engine = open_store(database.new_database(), {})
    times = iter(range(0, 1000, 10))
    lock = DatabaseLock(engine, 1, monotonic=lambda: float(next(times)))
    assert lock.leads()
    database.restart()
    assert not lock.leads()  # it looks, and finds its connection gone
    assert lock.leads()  # and takes the lock anew
    lock.close()
    engine.dispose()


@pytest.mark.postgresql
def test_a_firing_is_claimed_by_one_of_many(database: postgresql.Cluster) -> None:
    url = database.new_database()
    engines = [open_store(url, {}) for _ in range(6)]
    firing = Firing(START, "2026-01-06T02:00")
    won: list[int] = []

    def claim(number: int) -> None:
        stored = StoredFirings(engines[number], number, lambda: START, lambda other: True)
        try:
            if isinstance(stored.claim("nightly", firing), Claim):
                won.append(number)
        except HistoryProblem:  # another one was faster by a hair; the loop asks again, and learns so
            if isinstance(stored.claim("nightly", firing), Claim):
                won.append(number)

    threads = [threading.Thread(target=claim, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    for engine in engines:
        engine.dispose()


# ---------------------------------------------------------------- a whole service


def test_a_scheduled_scan_goes_through_the_desk_and_writes_its_reports(world: World) -> None:
    plan = Plan("nightly", parse_schedule("0 2 * * *", "UTC"), world.settings)
    world.now = datetime(2026, 11, 25, 1, 59, 59, 900_000, tzinfo=UTC)
    real = world.now

    def clock_goes_on(order: object) -> None:
        world.now = real + timedelta(minutes=5)

    world.before_end = clock_goes_on
    world.now = datetime(2026, 11, 25, 2, 0, 1, tzinfo=UTC)
    # The night before was scanned; this one fell due a second ago, while nobody served.
    engine = open_store(world.history, {})
    earlier = StoredFirings(engine, 1, lambda: world.now, lambda other: False)
    firing = plan.schedule.last(world.now - timedelta(days=1))
    assert firing is not None
    claim = earlier.claim("nightly", firing)
    assert isinstance(claim, Claim)
    earlier.end(claim, "done")
    engine.dispose()
    with serving(world, Options(address=("127.0.0.1", 0)), plans=(plan,)) as running:
        world.wait_for("ended with status 1")
        (job,) = running.reader.get("/api/v1/scans").json()["items"]
        assert (job["schedule"], job["askedBy"], job["state"]) == ("nightly", "schedule:nightly", "done")
        assert world.written == [job["runId"]]


def test_a_stop_in_mid_scan_of_a_schedule_interrupts_it(world: World) -> None:
    plan = Plan("nightly", parse_schedule("* * * * *", "UTC"), world.settings)
    world.free.clear()
    with serving(world, plans=(plan,)) as running:
        world.now += timedelta(minutes=61)
        job = running.runner.post("/api/v1/scans", json={}).json()
        assert world.begun.acquire(timeout=60)
        assert job["state"] == "queued"
    assert isinstance(running, Serving)
    engine = open_store(world.history, {})
    with engine.connect() as connection:
        states = connection.execute(sa.text("SELECT state FROM scan_job")).scalars().all()
    engine.dispose()
    assert set(states) <= {"interrupted", "done"}


EXAMPLE = """
[[schedule]]
name = "nightly"
cron = "0 4 * * *"
timezone = "Asia/Shanghai"
jitter = "15m"
management_group = ["contoso"]
format = ["html", "json"]
output = "reports/nightly"

[[schedule]]
name = "rights-weekly"
cron = "0 6 * * 1"
subscription = ["11111111-2222-3333-4444-555555555555"]
check = ["rbac-*"]
format = ["sarif"]
output = "/srv/rights"
"""


def test_schedules_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "auditor.toml"
    path.write_text("lang = 'zh-CN'\n" + EXAMPLE, encoding="utf-8")
    nightly, weekly = read_plans(path, {}, {}, tmp_path)
    assert (nightly.name, nightly.schedule.timezone, nightly.jitter) == (
        "nightly",
        "Asia/Shanghai",
        timedelta(minutes=15),
    )
    assert nightly.settings.output == str(tmp_path / "reports/nightly")
    assert (nightly.settings.management_group, nightly.settings.lang) == (("contoso",), "zh-CN")
    assert (weekly.settings.check, weekly.settings.format, weekly.settings.output) == (
        ("rbac-*",),
        ("sarif",),
        "/srv/rights",
    )
