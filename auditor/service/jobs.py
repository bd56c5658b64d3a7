"""Scans that were asked for, as the database remembers them: who asked, what became of it."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, get_args

import msgspec

from auditor.history import HistoryProblem
from auditor.service.store import stamp

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import Connection, Engine

State = Literal["queued", "running", "cancelling", "done", "failed", "cancelled", "interrupted"]
STATES: tuple[State, ...] = get_args(State)
UNFINISHED: tuple[State, ...] = ("queued", "running", "cancelling")
KEY_LIFETIME = timedelta(hours=24)
"""So long an Idempotency-Key stands for the scan that it asked for."""
KEPT = timedelta(days=90)


class ScanRequest(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """What to scan: scopes and checks, in one canonical order. Nothing else can be asked for from outside.

    `schedule` names the schedule that asks; it is None for a scan on demand.
    """

    subscriptions: tuple[str, ...] = ()
    management_groups: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    exclude_checks: tuple[str, ...] = ()
    schedule: str | None = None

    @property
    def key(self) -> str:
        """Equal for equal scopes and checks, whoever asks."""
        parts = (self.subscriptions, self.management_groups, self.checks, self.exclude_checks)
        return hashlib.sha256(msgspec.json.encode([sorted(set(part)) for part in parts])).hexdigest()


@dataclass(frozen=True, slots=True)
class Job:
    """A scan that was asked for. Times are RFC 3339 in UTC; `run_id` names the run in the history that it gave."""

    id: str
    request: ScanRequest
    asked_by: str
    state: State
    asked_at: str
    started_at: str | None
    finished_at: str | None
    run_id: str | None
    exit_status: int | None
    note: str
    instance: int

    @property
    def finished(self) -> bool:
        """Whether nothing more will become of it."""
        return self.state not in UNFINISHED


@dataclass(frozen=True, slots=True)
class Asked:
    """What an asking led to: a `new` scan, one that was under way (`joined`), or the same again (`repeated`)."""

    job: Job
    how: Literal["new", "joined", "repeated"]


class QueueFull(Exception):
    """As many scans wait as may."""


class KeyReused(Exception):
    """An Idempotency-Key came with another request than the first time."""


def ask(
    engine: Engine,
    request: ScanRequest,
    *,
    asked_by: str,
    idempotency_key: str | None,
    instance: int,
    now: datetime,
    most_queued: int,
) -> Asked:
    """Ask for a scan: whole or not at all, and once whatever else is asked meanwhile. Raises QueueFull, KeyReused."""
    key = None if idempotency_key is None else hashlib.sha256(f"{asked_by}\n{idempotency_key}".encode()).hexdigest()

    def asking(connection: Connection) -> Asked:
        return _ask(connection, request, asked_by, key, instance, now, most_queued)

    return _once_more(engine, asking)


def _once_more(engine: Engine, what: Callable[[Connection], Asked]) -> Asked:
    """In a transaction; again if another instance inserted the same meanwhile."""
    import sqlalchemy as sa

    from auditor.history.engine import writing

    for last in (False, False, True):
        try:
            with writing(engine) as connection:
                return what(connection)
        except HistoryProblem as problem:
            if last or not isinstance(problem.__cause__, sa.exc.IntegrityError):
                raise
    raise AssertionError("unreachable")


def _ask(
    connection: Connection,
    request: ScanRequest,
    asked_by: str,
    key: str | None,
    instance: int,
    now: datetime,
    most_queued: int,
) -> Asked:
    import sqlalchemy as sa

    from auditor.history.tables import scan_asking, scan_job

    connection.execute(sa.delete(scan_asking).where(scan_asking.c.asked_at < stamp(now - KEY_LIFETIME)))
    if key is not None:
        before = connection.execute(sa.select(scan_asking).where(scan_asking.c.key == key)).first()
        if before is not None:
            if before.scan_key != request.key:
                raise KeyReused
            first = connection.execute(sa.select(scan_job).where(scan_job.c.id == before.job_id)).one()
            return Asked(_job(first), "repeated")
    unfinished = scan_job.c.state.in_(UNFINISHED)
    row = connection.execute(sa.select(scan_job).where(scan_job.c.scan_key == request.key, unfinished)).first()
    if row is not None:
        _remember_key(connection, key, row.id, request, now)
        return Asked(_job(row), "joined")
    queued = sa.select(sa.func.count()).select_from(scan_job).where(scan_job.c.state == "queued")
    if connection.execute(queued).scalar_one() >= most_queued:
        raise QueueFull
    connection.execute(sa.delete(scan_job).where(~unfinished, scan_job.c.asked_at < stamp(now - KEPT)))
    job_id = f"{stamp(now).replace('-', '').replace(':', '')}-{secrets.token_hex(4)}"
    connection.execute(
        sa.insert(scan_job).values(
            id=job_id,
            scan_key=request.key,
            asked_by=asked_by,
            request=msgspec.json.encode(request).decode(),
            state="queued",
            instance=instance,
            asked_at=stamp(now),
            note="",
        )
    )
    _remember_key(connection, key, job_id, request, now)
    return Asked(_job(connection.execute(sa.select(scan_job).where(scan_job.c.id == job_id)).one()), "new")


def _remember_key(connection: Connection, key: str | None, job_id: str, request: ScanRequest, now: datetime) -> None:
    import sqlalchemy as sa

    from auditor.history.tables import scan_asking

    if key is not None:
        values = {"key": key, "job_id": job_id, "scan_key": request.key, "asked_at": stamp(now)}
        connection.execute(sa.insert(scan_asking).values(**values))


def job_with_id(engine: Engine, job_id: str) -> Job | None:
    """The scan with this id."""
    import sqlalchemy as sa

    from auditor.history.engine import reading
    from auditor.history.tables import scan_job

    with reading(engine) as connection:
        row = connection.execute(sa.select(scan_job).where(scan_job.c.id == job_id)).first()
    return None if row is None else _job(row)


def newest(engine: Engine, limit: int) -> tuple[Job, ...]:
    """The newest scans that were asked for, newest first."""
    import sqlalchemy as sa

    from auditor.history.engine import reading
    from auditor.history.tables import scan_job

    with reading(engine) as connection:
        ordered = sa.select(scan_job).order_by(scan_job.c.asked_at.desc(), scan_job.c.id.desc())
        return tuple(_job(row) for row in connection.execute(ordered.limit(limit)))


def move(engine: Engine, job_id: str, to: State, *, unless: tuple[State, ...] = (), **values: Any) -> Job | None:
    """Take an unfinished scan to another state; None if it is finished, or in a state of `unless`."""
    import sqlalchemy as sa

    from auditor.history.engine import writing
    from auditor.history.tables import scan_job

    states = [state for state in UNFINISHED if state not in unless]
    with writing(engine) as connection:
        mine = (scan_job.c.id == job_id) & scan_job.c.state.in_(states)
        moved = connection.execute(sa.update(scan_job).where(mine).values(state=to, **values))
        if moved.rowcount == 0:
            return None
        return _job(connection.execute(sa.select(scan_job).where(scan_job.c.id == job_id)).one())


def settle(engine: Engine, job_id: str, instance: int, state: State, **values: Any) -> None:
    """Say what became of a scan of one's own; also of one that others took for interrupted meanwhile."""
    import sqlalchemy as sa

    from auditor.history.engine import writing
    from auditor.history.tables import scan_job

    open_still = scan_job.c.state.in_((*UNFINISHED, "interrupted"))
    mine = (scan_job.c.id == job_id) & (scan_job.c.instance == instance) & open_still
    with writing(engine) as connection:
        connection.execute(sa.update(scan_job).where(mine).values(state=state, **values))


def bury(engine: Engine, alive: Callable[[int], bool], now: datetime) -> int:
    """Mark what instances that live no more left unfinished as interrupted; how many there were."""
    import sqlalchemy as sa

    from auditor.history.engine import reading, writing
    from auditor.history.tables import scan_job

    unfinished = scan_job.c.state.in_(UNFINISHED)
    with reading(engine) as connection:
        instances = connection.execute(sa.select(scan_job.c.instance).where(unfinished).distinct()).scalars().all()
    dead = [each for each in instances if not alive(each)]
    if not dead:
        return 0
    note = "the process that had it ended without saying so"
    with writing(engine) as connection:
        left = sa.update(scan_job).where(unfinished, scan_job.c.instance.in_(dead))
        return connection.execute(left.values(state="interrupted", finished_at=stamp(now), note=note)).rowcount


def _job(row: Any) -> Job:
    return Job(
        id=row.id,
        request=msgspec.json.decode(row.request, type=ScanRequest),
        asked_by=row.asked_by,
        state=row.state,
        asked_at=row.asked_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        run_id=row.run_id,
        exit_status=row.exit_status,
        note=row.note,
        instance=row.instance,
    )
