"""Where scans are asked for: a queue, workers that scan, and whoever wants to follow how far they are.

The database remembers what was asked and what became of it (`jobs`); how far a scan is lives in this process only.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import queue
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from auditor.collect import Stopped
from auditor.errors import AuditorError
from auditor.history import HistoryProblem
from auditor.service import jobs
from auditor.service.firings import Overtaken
from auditor.service.jobs import Asked, Job, ScanRequest, State
from auditor.service.store import stamp
from auditor.values import Progress

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine

    from auditor.findings import Report
    from auditor.history.store import Beside

WORKERS = 1
"""Scans at a time: the quota is an identity's, so more of them would only wait for each other."""

LOOK_EVERY_S = 2.0
"""So often a running scan asks the database whether somebody gave it up by way of another instance."""

_DEFECT = 70
"""sysexits' EX_SOFTWARE: apart from every status that tells of an estate."""

_log = logging.getLogger(__name__)


class Closing(Exception):
    """The service is being stopped and takes no more scans."""


@dataclass(frozen=True, slots=True)
class Order:
    """One scan, as the worker is told. `stop` is asked between requests to Azure whether to give up.

    `beside` is to be written in the transaction that keeps the run.
    """

    job_id: str
    request: ScanRequest
    stop: Callable[[], bool]
    progress: Progress
    beside: Beside | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a scan gave: its run in the history, its exit status, and what there is to say of it."""

    run_id: str | None
    exit_status: int
    note: str = ""
    report: Report | None = None


@dataclass(slots=True)
class Live:
    """A scan of this process that is not finished: how far it is, and who wants to be told."""

    job_id: str
    stop: threading.Event = field(default_factory=threading.Event)
    why_stopped: State = "cancelled"
    also_stop: Callable[[], bool] = lambda: False
    beside: Beside | None = None
    look_at: float = 0.0
    """When the database is asked again whether to give up, on the monotonic clock."""
    finished: threading.Event = field(default_factory=threading.Event)
    state: State | None = None
    """What became of it, once it is finished; `outcome` is what it gave, if anything."""
    outcome: Outcome | None = None
    version: int = 0
    stages: dict[str, tuple[int, int, int | None]] = field(default_factory=dict)
    """By stage: the version at which it last changed, how much is done, of how much."""
    listeners: set[Callable[[], None]] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def progress(self, stage: str, done: int, total: int | None) -> None:
        """What the scan is told to report to."""
        with self.lock:
            self.version += 1
            self.stages[stage] = (self.version, done, total)
        self.tell()

    def since(self, version: int) -> list[tuple[int, str, int, int | None]]:
        """What changed after a version: (version, stage, done, total), in order."""
        with self.lock:
            return sorted(
                (changed, stage, done, total)
                for stage, (changed, done, total) in self.stages.items()
                if changed > version
            )

    def tell(self) -> None:
        """Wake whoever listens."""
        with self.lock:
            listeners = tuple(self.listeners)
        for listener in listeners:
            listener()

    def stops(self) -> bool:
        """Whether the scan is to give up."""
        return self.stop.is_set() or self.also_stop()


class Desk:
    """Takes askings, runs them one after another, and can be asked how far they are.

    `most_queued` scans may wait; who asks for one more is told to come back.
    """

    def __init__(
        self,
        engine: Engine,
        scan: Callable[[Order], Outcome],
        *,
        instance: int,
        clock: Callable[[], datetime],
        most_queued: int,
        workers: int = WORKERS,
    ) -> None:
        self._engine = engine
        self._scan = scan
        self._instance = instance
        self._clock = clock
        self._most_queued = most_queued
        self._lock = threading.Lock()
        self._live: dict[str, Live] = {}
        self._waiting: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._closing = False
        self._unsaved: dict[str, tuple[State, dict[str, object]]] = {}
        self._workers = [
            threading.Thread(target=self._work, name=f"scan-{number}", daemon=True) for number in range(workers)
        ]
        for worker in self._workers:
            worker.start()

    def ask(
        self,
        request: ScanRequest,
        asked_by: str,
        idempotency_key: str | None = None,
        *,
        also_stop: Callable[[], bool] = lambda: False,
        beside: Beside | None = None,
        beyond: bool = False,
    ) -> Asked:
        """Ask for a scan; `beyond` the length that the queue may have for others.

        A scan that is under way already keeps the `also_stop` and `beside` that it began with.

        Raises jobs.QueueFull, jobs.KeyReused, Closing, HistoryProblem.
        """
        self.housekeep()  # a scan that is over must not be joined because nobody could write that down
        with self._lock:
            if self._closing:
                raise Closing
            asked = jobs.ask(
                self._engine,
                request,
                asked_by=asked_by,
                idempotency_key=idempotency_key,
                instance=self._instance,
                now=self._clock(),
                most_queued=sys.maxsize if beyond else self._most_queued,
            )
            if asked.how == "new":
                self._live[asked.job.id] = Live(asked.job.id, also_stop=also_stop, beside=beside)
                self._waiting.put(asked.job.id)
            return asked

    def live(self, job_id: str) -> Live | None:
        """How far an unfinished scan of this process is."""
        with self._lock:
            return self._live.get(job_id)

    def cancel(self, job_id: str) -> Job | None:
        """Give a scan up: at once if it waits, between two requests if it runs. None if it is finished.

        One of another instance as well: that one asks the database while it scans. Raises HistoryProblem.
        """
        # A worker may take it from the queue at this very moment: then it is running, and told to stop.
        job = jobs.move(
            self._engine, job_id, "cancelled", unless=("running", "cancelling"), finished_at=stamp(self._clock())
        )
        live = self.live(job_id)
        if job is not None:
            if live is not None:
                live.state = "cancelled"
                self._forget(live)
            return job
        job = jobs.move(self._engine, job_id, "cancelling")
        if job is not None and live is not None:
            live.stop.set()
            live.tell()
        return job

    def housekeep(self) -> None:
        """Write down what could not be while the database was gone."""
        for job_id, (state, values) in list(self._unsaved.items()):
            with contextlib.suppress(HistoryProblem):
                jobs.settle(self._engine, job_id, self._instance, state, **values)
                self._unsaved.pop(job_id, None)

    def counts(self) -> tuple[int, int]:
        """How many scans of this process wait, and how many run."""
        with self._lock:
            running = sum(bool(live.version) for live in self._live.values())
            return len(self._live) - running, running

    def drain(self, within_s: float) -> bool:
        """Take no more, stop what runs, and wait for it; whether all of it ended in time.

        What waits or runs is `interrupted`: a schedule makes up for it, whoever asked may ask again.
        """
        with self._lock:
            self._closing = True
            left = list(self._live.values())
        for live in left:
            live.why_stopped = "interrupted"
            live.stop.set()
        for _ in self._workers:
            self._waiting.put(None)
        share_s = within_s / max(len(self._workers), 1)
        for worker in self._workers:
            worker.join(share_s)
        in_time = not any(worker.is_alive() for worker in self._workers)
        for live in left:
            if not live.finished.is_set():
                self._settle(live, "interrupted", note="the service was stopped")
        return in_time

    def _work(self) -> None:
        while (job_id := self._waiting.get()) is not None:
            live = self.live(job_id)
            if live is not None:
                self._serve(live)

    def _serve(self, live: Live) -> None:
        if live.stop.is_set():
            self._settle(live, live.why_stopped, note="it was stopped before it began")
            return
        try:
            job = jobs.move(self._engine, live.job_id, "running", started_at=stamp(self._clock()))
        except HistoryProblem as problem:
            self._settle(live, "failed", note=problem.message)
            return
        if job is None:  # somebody gave it up, here or by way of another instance
            live.state = live.state or "cancelled"
            self._forget(live)
            return
        live.progress("scan", 0, None)
        stop = functools.partial(self._stops, live)
        try:
            outcome = self._scan(Order(live.job_id, job.request, stop, live.progress, live.beside))
        except Overtaken as overtaken:
            live.outcome = Outcome(None, Overtaken.exit_status, overtaken.message)
            self._settle(live, "interrupted", exit_status=Overtaken.exit_status, note=overtaken.message)
        except Stopped:
            state: State = live.why_stopped if live.stop.is_set() else "interrupted"
            self._settle(live, state, exit_status=Stopped.exit_status, note="it was stopped before it was done")
        except AuditorError as problem:
            live.outcome = Outcome(None, problem.exit_status, problem.message)
            self._settle(live, "failed", exit_status=problem.exit_status, note=problem.message[:1000])
        except Exception as defect:  # noqa: BLE001 - one defect must not end the worker
            _log.exception("a scan ended in a defect")
            live.outcome = Outcome(None, _DEFECT, f"a defect: {type(defect).__name__}")
            self._settle(live, "failed", exit_status=_DEFECT, note=f"a defect: {type(defect).__name__}")
        else:
            live.outcome = outcome
            state = "done" if outcome.run_id is not None else "failed"
            self._settle(live, state, run_id=outcome.run_id, exit_status=outcome.exit_status, note=outcome.note[:1000])

    def _stops(self, live: Live) -> bool:
        """Whether a running scan is to give up, also if another instance was told so."""
        if live.stops():
            return True
        with live.lock:
            now = time.monotonic()
            if now < live.look_at:
                return False
            live.look_at = now + LOOK_EVERY_S
        with contextlib.suppress(HistoryProblem):  # who cannot ask goes on
            job = jobs.job_with_id(self._engine, live.job_id)
            if job is not None and job.state == "cancelling":
                live.stop.set()
        return live.stop.is_set()

    def _settle(self, live: Live, state: State, **values: object) -> None:
        live.state = state
        values = {"note": "", **values, "finished_at": stamp(self._clock())}
        try:
            jobs.settle(self._engine, live.job_id, self._instance, state, **values)
        except HistoryProblem as problem:
            _log.warning("what became of scan %s could not be written down yet: %s", live.job_id, problem.message)
            self._unsaved[live.job_id] = (state, values)
        self._forget(live)

    def _forget(self, live: Live) -> None:
        with self._lock:
            self._live.pop(live.job_id, None)
        live.finished.set()
        live.tell()
