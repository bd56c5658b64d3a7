"""A running service put together: database, leadership, desk, HTTP, schedules; and taken apart again in order."""

from __future__ import annotations

import contextlib
import importlib.util
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from auditor.clouds import resolve_cloud
from auditor.config import Settings
from auditor.errors import AuditorError, UsageProblem
from auditor.findings import Report
from auditor.history import HistoryProblem
from auditor.service import jobs
from auditor.service.access import Door
from auditor.service.desk import Closing, Desk, Order, Outcome
from auditor.service.firings import StoredFirings
from auditor.service.gate import Limits
from auditor.service.identity import EntraTokens
from auditor.service.jobs import Job
from auditor.service.leadership import Leadership, leadership_over
from auditor.service.loop import FOLLOW_S, LOOK_S, Failed, Interrupted, Night, Tally
from auditor.service.nightly import serve_plans
from auditor.service.options import Options
from auditor.service.plans import Plan
from auditor.service.store import new_instance, open_store

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Engine

    from auditor.notify import Courier
    from auditor.service.archive import Archive
    from auditor.service.house import House
    from auditor.service.server import HttpServer

DRAIN_S = 30.0
"""So long a scan that was told to stop is waited for; it is asked between two requests to Azure."""
_NOT_REMEMBERED = "this run was not remembered"
"""How the note of a run begins that the history did not take (`auditor.scan`)."""
_BURY_EVERY_S = 60.0
_LOOK_EVERY_S = 1.0

Scan = Callable[[Settings, Order], tuple[Report, int]]
"""Scans as the settings say, remembers the run, and gives its report and exit status."""
Write = Callable[[Settings, Report], Sequence[Path]]
"""Writes a scheduled scan's reports where its settings say."""
Tell = Callable[[Report, Order], None]
"""Sends on what a scan found, once its run is in the history: one that is not is scanned again, and told of then."""


@dataclass(frozen=True, slots=True)
class Told:
    """All that a service is told."""

    settings: Settings
    plans: tuple[Plan, ...]
    options: Options
    environment: Mapping[str, str]
    clock: Callable[[], datetime]
    say: Callable[[str], None]
    scan: Scan
    write: Write
    tell: Tell = lambda report, order: None
    courier: Courier | None = None
    """Who sends on what `tell` was told of."""
    drain_s: float = DRAIN_S
    look_s: float = LOOK_S
    follow_s: float = FOLLOW_S
    limits: Limits = field(default_factory=Limits)


def need_extra() -> None:
    """Raise UsageProblem if the packages of the extra are missing."""
    for package in ("litestar", "uvicorn", "jwt", "prometheus_client"):
        if importlib.util.find_spec(package) is None:
            raise UsageProblem(
                f"the service needs the package `{package}`",
                hint="pip install 'auditor[serve]'; or only the schedules: --listen off",
            )


def run(told: Told, stop: threading.Event | None = None) -> Tally:
    """Serve until `stop` is set (SIGTERM and SIGINT set it). Raises UsageProblem for what keeps it from starting."""
    if told.options.address is not None:
        need_extra()
    if told.settings.no_history:
        raise UsageProblem("the service keeps in the history what it did, so it cannot do with --no-history")
    stop = stop or threading.Event()
    instance = new_instance()
    with contextlib.ExitStack() as parts:
        engine = open_store(told.settings.history, told.environment)
        parts.callback(engine.dispose)
        leadership = leadership_over(engine, instance)
        parts.callback(leadership.close)
        service = _Service(told, engine, instance, leadership)
        parts.callback(service.drain)
        if told.options.address is not None:
            server = service.listen(told.options.address)
            server.start()
            parts.callback(server.stop)
            _tell_where(told, server, engine)
        return service.go_on(stop)


def _tell_where(told: Told, server: HttpServer, engine: Engine) -> None:
    from auditor.service import tokens

    assert told.options.address is not None
    host = told.options.address[0]
    told.say(f"listening on http://{f'[{host}]' if ':' in host else host}:{server.port}")
    if told.options.no_auth:
        told.say("warning: --no-auth: whoever reaches this port may read and scan")
    elif not told.options.audiences and not any(each.good_at(told.clock()) for each in tokens.listed(engine)):
        told.say("nobody can sign in yet: auditor token create NAME --role Auditor.Run")


class _Service:
    """The parts of a service while it runs."""

    def __init__(self, told: Told, engine: Engine, instance: int, leadership: Leadership) -> None:
        from auditor.evaluate import load_catalogue
        from auditor.service.archive import Archive

        self._told = told
        self._engine = engine
        self._leadership = leadership
        self._leads = leadership.leads()
        self._archive: Archive = Archive(engine)
        self._catalogue = load_catalogue(told.settings.checks_dir)
        self._tally = Tally()
        self._buried_at: datetime | None = None
        self._firings = StoredFirings(engine, instance, told.clock, leadership.alive)
        self.desk = Desk(engine, self._scan, instance=instance, clock=told.clock, most_queued=told.limits.queued)
        self._look_after()

    def listen(self, address: tuple[str, int]) -> HttpServer:
        """The HTTP side, bound and not yet serving."""
        from auditor.service.app import application
        from auditor.service.server import HttpServer, listening

        app = application(self.house(), self._told.options.hosts, self._told.limits)
        return HttpServer(app, listening(*address), headers_s=self._told.limits.headers_s)

    def house(self) -> House:
        """What answers requests."""
        from auditor.service.house import House

        told = self._told
        profile = resolve_cloud(told.settings.cloud, told.environment, told.settings.custom_cloud)
        authority = told.options.authority(profile.authority, profile.ca_bundle)
        door = Door(
            engine=self._engine,
            clock=told.clock,
            entra=None if authority is None else EntraTokens(authority),
            proxy_header=told.options.proxy_header,
            open=told.options.no_auth,
        )
        return House(
            settings=told.settings,
            environment=told.environment,
            engine=self._engine,
            desk=self.desk,
            archive=self._archive,
            door=door,
            catalogue=self._catalogue,
            plans=told.plans,
            clock=told.clock,
            leads=lambda: self._leads,
            tally=self._tally,
            courier=told.courier,
        )

    def go_on(self, stop: threading.Event) -> Tally:
        """The schedules, until the service is stopped."""
        return serve_plans(
            self._told.plans,
            self._night,
            say=self._told.say,
            stop=stop,
            clock=self._told.clock,
            last_started=self._last_started,
            firings=self._firings,
            leads=self._still_leads,
            tally=self._tally,
            idle=self._look_after,
            stay=self._told.options.address is not None,
            look_s=self._told.look_s,
            follow_s=self._told.follow_s,
        )

    def drain(self) -> None:
        """Stop what runs, and wait for it, within the stated time."""
        if not self.desk.drain(self._told.drain_s):
            self._told.say(f"a scan did not end within {self._told.drain_s:g} s; it is marked interrupted")

    def _still_leads(self) -> bool:
        self._leads = self._leadership.leads()
        return self._leads

    def _look_after(self) -> None:
        """Bury what dead instances left, and write down what could not be written."""
        now = self._told.clock()
        if self._buried_at is not None and abs((now - self._buried_at).total_seconds()) < _BURY_EVERY_S:
            return
        self._buried_at = now
        with contextlib.suppress(HistoryProblem):
            if self._leads:
                self._bury()
            self._firings.write_unsaved()
        self.desk.housekeep()

    def _bury(self) -> None:
        jobs.bury(self._engine, self._leadership.alive, self._told.clock())

    def _last_started(self, plan: Plan) -> datetime | None:
        """When the newest run of a schedule's scopes began; None if the history knows none."""
        settings = plan.settings
        scopes = [f"/subscriptions/{each}" for each in settings.subscription]
        scopes += [f"/providers/microsoft.management/managementgroups/{each}" for each in settings.management_group]
        row = self._archive.newest(scopes or None)
        return None if row is None else datetime.fromisoformat(row.started_at)

    # ---------------------------------------------------------------- scanning

    def _scan(self, order: Order) -> Outcome:
        """A worker's scan."""
        from auditor.service.archive import NotThere

        report, status = self._told.scan(self._settings_for(order), order)
        said = [note.text for note in report.run.notes if note.kind == "history"]
        kept = not any(text.startswith(_NOT_REMEMBERED) for text in said)
        try:
            self._archive.run(report.run.id)
        except NotThere:
            kept = False
        except HistoryProblem:
            pass  # it went away after the run was kept, or has taken it as little before
        if not kept:
            return Outcome(None, status, said[-1] if said else _NOT_REMEMBERED, report)
        self._told.tell(report, order)
        return Outcome(report.run.id, status, "", report)

    def _settings_for(self, order: Order) -> Settings:
        from auditor.service.house import settings_for

        return settings_for(order.request, self._told.settings, self._told.plans)

    def _night(self, night: Night) -> int:
        """A scheduled scan: as one on demand, its reports written where the schedule says.

        The run and the firing are written down together. Raises Interrupted, Failed.
        """
        plan = night.plan
        outcome = self._outcome_of(self._asked(night), night)
        if outcome.report is not None:
            self._write(plan, outcome.report)
        if outcome.run_id is None:
            raise Failed(outcome.note or "it gave no run", outcome.exit_status)
        return outcome.exit_status

    def _asked(self, night: Night) -> Job:
        """The night's own scan: one of the same scopes that somebody else asked for has other waivers and baselines."""
        from auditor.service.house import request_of

        plan = night.plan

        def beside(connection: Connection, report: Report) -> None:
            self._firings.seal(night.claim, connection, report.run.id)

        while True:
            try:
                asked = self.desk.ask(
                    request_of(plan.settings, schedule=plan.name),
                    f"schedule:{plan.name}",
                    also_stop=lambda: night.stop.is_set() or not self._still_leads(),
                    beside=beside,
                    beyond=True,
                )
            except Closing:
                raise Interrupted("the service is being stopped") from None
            if asked.how == "new":
                return asked.job
            self._wait_for(asked.job, night)

    def _wait_for(self, job: Job, night: Night) -> None:
        """Until another scan of the same scopes is finished, wherever it runs; or its instance has died."""
        found: Job | None = job
        while found is not None and not found.finished:
            live = self.desk.live(job.id)
            stopped = night.stop.wait(_LOOK_EVERY_S) if live is None else live.finished.wait(_LOOK_EVERY_S)
            if night.stop.is_set() or (stopped and live is None):
                raise Interrupted("the service is being stopped")
            if not self._still_leads():
                raise Interrupted("another instance leads")
            self._bury()
            found = jobs.job_with_id(self._engine, job.id)

    def _outcome_of(self, job: Job, night: Night) -> Outcome:
        """What became of a night's scan, once it is finished. Raises Interrupted if it was stopped before."""
        live = self.desk.live(job.id)
        if live is None:  # it was over before anybody could look
            return self._written(job)
        while not live.finished.wait(_LOOK_EVERY_S):
            if night.stop.is_set() and not live.finished.wait(self._told.drain_s):
                raise Interrupted("it did not stop in time")
        if live.state == "interrupted":
            raise Interrupted(live.outcome.note if live.outcome else "it was stopped before it was done")
        return live.outcome or Outcome(None, Interrupted.exit_status, f"the scan was {live.state}")

    def _written(self, job: Job) -> Outcome:
        """What the database says of a scan that is finished."""
        found = jobs.job_with_id(self._engine, job.id)
        if found is None or found.state == "interrupted":
            raise Interrupted("it was stopped before it was done")
        report = None if found.run_id is None else self._archive.report(found.run_id)
        status = found.exit_status if found.exit_status is not None else Interrupted.exit_status
        return Outcome(found.run_id, status, found.note or f"the scan was {found.state}", report)

    def _write(self, plan: Plan, report: Report) -> None:
        """Write a night's reports. If that fails, its run is still done: the report can be made from the history."""
        try:
            self._told.write(plan.settings, report)
        except AuditorError as problem:
            self._told.say(f"{plan.name}: the reports could not be written: {problem.message}")
        except Exception as defect:  # noqa: BLE001 - one night's report must not end the service
            said = " ".join(str(defect).split())
            self._told.say(f"{plan.name}: the reports could not be written: {type(defect).__name__}: {said}")
