"""What goes wrong around a running service, and what must hold afterwards: nothing is lost, and nothing is claimed."""

from __future__ import annotations

import json
import resource
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

import auditor.demo
from auditor.collect import Clock
from auditor.config import Settings
from auditor.findings import Report
from auditor.history.tables import firing as firing_table
from auditor.history.tables import run as run_table
from auditor.history.tables import scan_job
from auditor.replica import Replica, serve
from auditor.scan import scan
from auditor.service import Plan, parse_schedule
from auditor.service import jobs as jobs_
from auditor.service.desk import Order
from auditor.service.firings import Claim, StoredFirings
from auditor.service.jobs import ScanRequest
from auditor.service.leadership import DatabaseLock
from auditor.service.options import Options
from auditor.service.store import open_store, stamp
from tests.history import postgresql
from tests.service.process import SCANS, Process
from tests.service.world import SUBSCRIPTION, Client, World, serving

ESTATE = Path(auditor.demo.__file__).parent / "estates" / "night-1.json"
DUE = datetime(2026, 11, 25, 2, tzinfo=UTC)
LISTEN = Options(address=("127.0.0.1", 0))


def nightly(world: World, cron: str = "0 2 * * *") -> Plan:
    return Plan("nightly", parse_schedule(cron, "UTC"), world.settings)


def until(holds: Callable[[], bool], what: str) -> None:
    """Look again and again, until something holds."""
    pause = threading.Event()
    for _ in range(3000):
        if holds():
            return
        pause.wait(0.02)
    raise AssertionError(f"never: {what}")


def firings(world: World) -> dict[str, tuple[str, str | None]]:
    """State and run of each firing."""
    engine = open_store(world.history, {})
    with engine.connect() as connection:
        rows = connection.execute(sa.select(firing_table)).all()
    engine.dispose()
    return {row.local: (row.state, row.run_id) for row in rows}


def runs(client: Client) -> list[str]:
    return [each["id"] for each in client.get("/api/v1/runs").json()["items"]]


# ---------------------------------------------------------------- the database is gone, and comes back


@pytest.fixture
def far(world: World, database: postgresql.Cluster) -> World:
    """A world whose history lies in PostgreSQL, behind a password; its loops look often."""
    world.database = database.new_database().replace("auditor@", "auditor:s3cr3t-of-the-tests@")
    world.look_s = 0.02
    return world


@pytest.mark.postgresql
def test_a_database_that_goes_and_comes_back_costs_no_scan(
    far: World, database: postgresql.Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    far.free.clear()
    with serving(far) as running:
        assert running.reader.get("/readyz").status_code == 200
        job = running.runner.post(SCANS, json={}).json()["id"]
        assert far.begun.acquire(timeout=60)
        database.stop()
        try:
            assert running.reader.get("/livez").status_code == 200
            assert running.reader.get("/readyz").status_code == 503
            refused = running.runner.post(SCANS, json={})  # nobody can tell who asks
            assert (refused.status_code, refused.headers["content-type"]) == (503, "application/problem+json")
            assert running.client().get("/api/v1/runs").status_code == 401
        finally:
            database.begin()
        until(lambda: running.reader.get("/readyz").status_code == 200, "ready again")
        far.free.set()
        done = running.reader.finished(job)
        assert (done["state"], runs(running.reader)) == ("done", [done["runId"]])
    assert "s3cr3t" not in f"{far.lines} {caplog.text}"


@pytest.mark.postgresql
def test_a_database_that_goes_as_a_scan_ends_gets_the_run_when_it_is_back(
    far: World, database: postgresql.Cluster
) -> None:
    back, went = threading.Thread(target=database.begin), threading.Event()

    def gone(order: Order) -> None:
        database.stop()
        back.start()
        went.set()

    far.before_end = gone
    with serving(far) as running:
        job = running.runner.post(SCANS, json={}).json()["id"]
        assert went.wait(timeout=60)
        back.join()
        until(lambda: running.reader.get(f"{SCANS}/{job}").json().get("state") == "done", "the scan is done")
        assert len(runs(running.reader)) == 1


@pytest.mark.postgresql
def test_a_scheduled_scan_whose_database_goes_is_scanned_again_and_kept_once(
    far: World, database: postgresql.Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    far.free.clear()
    with serving(far, plans=(nightly(far),)) as running:
        far.wait_for("next scan")
        far.now = DUE
        assert far.begun.acquire(timeout=60)
        database.stop()
        database.begin()
        # it has lost its lock: somebody else may have begun, so it stops, and is retried when it leads
        far.wait_for("is tried again in 5 minutes")
        far.free.set()
        far.now = DUE + timedelta(minutes=6)
        far.wait_for("ended with status 1")
        until(lambda: running.reader.get("/readyz").status_code == 200, "ready again")
        (run,) = runs(running.reader)
        assert firings(far)["2026-11-25T02:00"] == ("done", run)
    assert far.written == [run] == far.told_of
    assert "s3cr3t" not in f"{far.lines} {caplog.text}"


# ---------------------------------------------------------------- several instances


def another(world: World) -> World:
    """A second instance over the same history."""
    return World(world.folder, world.now, database=world.database, look_s=world.look_s, name="-2", first=100)


def cut_locks(world: World) -> None:
    """Break the connections that hold the instances' locks."""
    engine = open_store(world.history, {})
    with engine.connect() as connection:
        connection.execute(
            sa.text(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND database = "
                "(SELECT oid FROM pg_database WHERE datname = current_database())"
            )
        )
    engine.dispose()


@pytest.mark.postgresql
def test_what_a_dead_leader_left_half_done_is_taken_over(far: World) -> None:
    """The dead one's scan of the same scopes is still written down as running: nobody may wait for it."""
    engine = open_store(far.history, {})
    leader = DatabaseLock(engine, 7)
    assert leader.leads()
    dead = StoredFirings(engine, 7, lambda: far.now, leader.alive)
    far.now = DUE + timedelta(minutes=1)
    plan = nightly(far)
    firing = plan.schedule.last(far.now)
    assert firing is not None
    assert isinstance(dead.claim("nightly", firing), Claim)
    request = ScanRequest(subscriptions=(SUBSCRIPTION,), schedule="nightly")
    asked = jobs_.ask(
        engine, request, asked_by="schedule:nightly", idempotency_key=None, instance=7, now=far.now, most_queued=9
    )
    jobs_.move(engine, asked.job.id, "running", started_at=stamp(far.now))
    with serving(far, plans=(plan,)) as running:
        far.wait_for("another instance leads")
        assert far.scanned == []
        leader.close()  # it dies
        far.wait_for("ended with status 1")
        left = running.reader.get(f"{SCANS}/{asked.job.id}").json()
        assert (left["state"], left["note"]) == ("interrupted", "the process that had it ended without saying so")
        assert firings(far)["2026-11-25T02:00"] == ("done", runs(running.reader)[0])
        assert len(runs(running.reader)) == 1
    engine.dispose()


@pytest.mark.postgresql
def test_a_leader_that_was_cut_off_after_its_last_request_keeps_no_second_run(
    far: World, database: postgresql.Cluster
) -> None:
    """Two instances scan one night; whoever is overtaken drops what it has."""
    far.free.clear()
    other = another(far)

    def past_the_last_request(order: Order) -> None:
        with serving(other, plans=(nightly(other),)):
            other.wait_for("another instance leads")
            cut_locks(far)
            other.wait_for("ended with status 1")

    with serving(far, plans=(nightly(far),)) as running:
        far.wait_for("next scan")
        far.now = DUE
        far.before_end = past_the_last_request
        assert far.begun.acquire(timeout=60)
        other.now = far.now
        far.free.set()
        far.wait_for("ended with status 3")
        assert len(far.scanned) == len(other.scanned) == 1
        (run,) = runs(running.reader)
        states = [each["state"] for each in running.reader.get(SCANS).json()["items"]]
        assert sorted(states) == ["done", "interrupted"]
        assert firings(far)["2026-11-25T02:00"] == ("done", run)
    assert (far.written, other.written) == ([], [run])
    assert (far.told_of, other.told_of) == ([], [run])


@pytest.mark.postgresql
def test_a_scan_of_another_instance_is_followed_and_cancelled(far: World) -> None:
    far.free.clear()
    with serving(far) as running, serving(another(far)) as elsewhere:
        job = running.runner.post(SCANS, json={}).json()["id"]
        assert far.begun.acquire(timeout=60)
        waiting = running.runner.post(SCANS, json={"checks": ["nsg-*"]}).json()["id"]
        ended: list[str] = []
        follower = threading.Thread(target=lambda: ended.append(elsewhere.reader.finished(job)["state"]))
        follower.start()
        at_once = elsewhere.runner.post(f"{SCANS}/{waiting}/cancel", json={})
        assert (at_once.status_code, at_once.json()["state"]) == (202, "cancelled")
        told = elsewhere.runner.post(f"{SCANS}/{job}/cancel", json={})
        assert (told.status_code, told.json()["state"]) == (202, "cancelling")
        until(lambda: running.reader.get(f"{SCANS}/{job}").json()["state"] == "cancelled", "it stopped")
        follower.join(timeout=60)
        assert ended == ["cancelled"]  # its events ended with it, also where another instance scans
        assert running.reader.finished(waiting)["state"] == "cancelled"
        assert elsewhere.runner.post(f"{SCANS}/{job}/cancel", json={}).status_code == 409


# ---------------------------------------------------------------- kills and stops in mid-scan of a schedule

YEARLY = ("--cron", "0 0 1 1 *")
"""Whose newest firing is made up for at once, by a service that knew the schedule before."""


@pytest.fixture(scope="module")
def replica() -> Iterator[Replica]:
    """Slow answers to queries, so that a scan is under way for as long as a test needs."""
    with serve(ESTATE, quota=False) as running:
        yield running


def slowly(replica: Replica) -> None:
    slow = {"match": {"operation": "resource-graph"}, "fault": "slow", "seconds": 0.6}
    replica.set_faults([slow])


@pytest.fixture
def environment(replica: Replica) -> Iterator[dict[str, str]]:
    yield {**replica.environment(), "AUDITOR_MANAGEMENT_GROUP": "contoso"}
    replica.set_faults(None)


def known_since_last_year(world: World) -> str:
    """Its schedule was scanned last year, so this year's firing is due; that firing's wall clock time."""
    this_year = datetime.now(UTC).year
    engine = open_store(world.history, {})
    before = StoredFirings(engine, 1, lambda: world.now, lambda other: False)
    firing = parse_schedule("0 0 1 1 *", "UTC").next(datetime(this_year - 2, 6, 1, tzinfo=UTC))
    assert firing is not None
    claim = before.claim("nightly", firing)
    assert isinstance(claim, Claim)
    before.end(claim, "done")
    engine.dispose()
    return f"{this_year}-01-01T00:00"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_night_that_a_signal_ended_is_made_up_for_and_kept_once(
    world: World, replica: Replica, environment: dict[str, str], number: signal.Signals
) -> None:
    due = known_since_last_year(world)
    slowly(replica)
    process = Process(world.folder, environment, *YEARLY)
    process.await_line("begins")
    until(lambda: bool(process.ask("GET", SCANS).json()["items"]), "the night's scan is asked for")
    (job,) = process.ask("GET", SCANS).json()["items"]
    process.end(number)
    assert process.process.returncode == (-9 if number == signal.SIGKILL else 0)
    left = "running" if number == signal.SIGKILL else "interrupted"
    assert firings(world)[due] == (left, None)
    replica.set_faults(None)
    again = Process(world.folder, environment, *YEARLY)
    try:
        again.await_line("ended with status")
        assert again.ask("GET", f"{SCANS}/{job['id']}").json()["state"] == "interrupted"
        (run,) = [each["id"] for each in again.ask("GET", "/api/v1/runs").json()["items"]]
        assert firings(world)[due] == ("done", run)
    finally:
        again.end(signal.SIGTERM)


def test_a_scan_that_does_not_stop_is_left_after_the_stated_time_and_keeps_no_run(world: World) -> None:
    world.drain_s, world.look_s = 0.05, 0.02
    stuck = threading.Event()
    workers: list[threading.Thread] = []

    def stick(order: Order) -> None:
        workers.append(threading.current_thread())
        assert stuck.wait(timeout=60)  # for an answer that takes for ever

    world.before_end = stick
    with serving(world, plans=(nightly(world),)) as running:
        world.wait_for("next scan")
        world.now = DUE
        assert world.begun.acquire(timeout=60)
        running.stop.set()
        world.wait_for("did not end within 0.05 s; it is marked interrupted")
        assert firings(world)["2026-11-25T02:00"] == ("interrupted", None)
    stuck.set()  # the answer comes after all
    (worker,) = workers
    worker.join(timeout=60)
    assert not worker.is_alive()
    engine = open_store(world.history, {})
    with engine.connect() as connection:
        assert connection.execute(sa.select(scan_job.c.state)).scalars().all() == ["interrupted"]
        assert connection.execute(sa.select(run_table.c.id)).all() == []
    engine.dispose()
    assert firings(world)["2026-11-25T02:00"] == ("interrupted", None)


def test_a_clock_that_jumps_a_month_and_back_costs_no_night(world: World) -> None:
    world.look_s = 0.02
    with serving(world, plans=(nightly(world),)) as running:
        world.wait_for("next scan: 2026-11-25T02:00")
        world.now += timedelta(days=30)
        world.wait_for("missed the scan of 2026-12-24T02:00 (UTC): its time was more than 6 hours ago")
        assert running.reader.get("/api/v1/runs").status_code == 401  # tokens have expired by that clock
        assert firings(world)["2026-11-25T02:00"] == ("missed", None)  # so it said, and was wrong
        world.now = DUE - timedelta(hours=1)
        assert running.reader.get("/api/v1/runs").json()["items"] == []
        until(lambda: sum("next scan: 2026-11-25T02:00" in line for line in world.lines) >= 2, "it looks again")
        world.now = DUE
        world.wait_for("ended with status 1")
        assert firings(world)["2026-11-25T02:00"] == ("done", runs(running.reader)[0])
        assert len(world.scanned) == len(runs(running.reader)) == 1


# ---------------------------------------------------------------- a full disk, an authority that is down


def test_a_disk_that_fills_up_in_mid_scan_fails_that_scan_and_no_other(
    world: World, replica: Replica, environment: dict[str, str]
) -> None:
    slowly(replica)
    process = Process(world.folder, environment)
    try:
        job = process.under_way()
        # No file may grow or be written from here on, as on a full disk; pipes and sockets may.
        _, most = resource.prlimit(process.process.pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
        replica.set_faults(None)
        assert process.finished(job)["state"] == "running"  # nobody could write down what became of it
        refused = process.ask("POST", SCANS, json={"checks": ["nsg-*"]})
        assert (refused.status_code, refused.json()["type"]) == (503, "urn:auditor:problem:history")
        assert process.ask("GET", "/livez").status_code == 200
        assert process.ask("GET", "/api/v1/runs").json()["items"] == []
        resource.prlimit(process.process.pid, resource.RLIMIT_FSIZE, (most, most))
        asked = process.ask("POST", SCANS, json={}).json()
        assert asked["how"] == "new"
        failed = process.ask("GET", f"{SCANS}/{job}").json()
        assert failed["state"] == "failed"
        assert "this run was not remembered: cannot write to the history" in failed["note"]
        done = process.finished(asked["id"])
        assert done["state"] == "done"
        assert [each["id"] for each in process.ask("GET", "/api/v1/runs").json()["items"]] == [done["runId"]]
    finally:
        process.end(signal.SIGTERM)


@dataclass
class Real(World):
    """A world whose scans are real ones over the wire, with a clock that does not wait."""

    over: dict[str, str] = field(default_factory=dict)

    @property
    def settings(self) -> Settings:
        return Settings(management_group=("contoso",), history=self.history, output=str(self.folder / "out"))

    def scan(self, settings: Settings, order: Order) -> tuple[Report, int]:
        clock = Clock(now=lambda: self.now, sleep=lambda seconds: None)
        done = scan(
            settings,
            environment=self.over,
            clock=lambda: self.now,
            progress=order.progress,
            stop=order.stop,
            waiting=clock,
            beside=order.beside,
        )
        return done.report, done.exit_status


def test_an_authority_that_is_down_at_the_start_costs_pauses_and_no_night(
    tmp_path: Path, replica: Replica, environment: dict[str, str]
) -> None:
    replica.set_faults([{"match": {"operation": "token"}, "fault": 503}])
    world = Real(tmp_path, over=environment, look_s=0.02)
    with serving(world, plans=(nightly(world),)) as running:
        world.wait_for("next scan")
        asked = running.runner.post(SCANS, json={}).json()["id"]
        failed = running.reader.finished(asked)
        assert (failed["state"], failed["runId"], failed["exitStatus"]) == ("failed", None, 4)
        assert environment["AZURE_CLIENT_SECRET"] not in json.dumps(failed)
        world.now = DUE
        world.wait_for("is tried again in 5 minutes")
        assert running.reader.get("/readyz").status_code == 200
        replica.set_faults(None)
        world.now = DUE + timedelta(minutes=6)
        until(lambda: bool(world.written), "the night was scanned")
        assert runs(running.reader) == world.written
        assert firings(world)["2026-11-25T02:00"] == ("done", world.written[0])
