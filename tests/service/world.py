"""A whole service for tests: the real one, on loopback, over a scan that does what the test says."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import requests

from auditor.collect import Stopped
from auditor.config import Settings
from auditor.drift import compare
from auditor.findings import Finding, Report, TraceRecord
from auditor.history import open_history
from auditor.history.store import Beside
from auditor.service import Plan, Tally, tokens
from auditor.service.desk import Order
from auditor.service.gate import Limits
from auditor.service.options import Options
from auditor.service.run import Told, run
from auditor.service.store import open_store
from tests import nights

SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
OTHER = "99999999-2222-3333-4444-555555555555"
SCOPE = f"/subscriptions/{SUBSCRIPTION}"
CHECKS = dict.fromkeys(("nsg-acr-outbound", "rbac-acr-pull", "aks-subnet-size"), 1)
START = datetime(2026, 11, 24, 12, tzinfo=UTC)
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"


def night(number: int, *findings: Finding, **how: Any) -> Report:
    """The report of a night, with an id as scans give them, its findings traced."""
    traced = [
        msgspec.structs.replace(
            each, trace=(TraceRecord(kind="step", text="{name} was looked at", facts={"name": each.resource.name}),)
        )
        for each in findings
    ]
    made = nights.night(number, *traced, scopes=(SCOPE,), checks=CHECKS, **how)
    started = re.sub("[-:]", "", made.run.started_at)
    return msgspec.structs.replace(made, run=msgspec.structs.replace(made.run, id=f"{started}-{number:06x}"))


def finding(check: str, cluster: str, outcome: str, **how: Any) -> Finding:
    """A finding about a cluster; `name` is what Azure calls it, if not that."""
    return nights.finding(check, nights.resource(cluster, SCOPE), outcome, **how)


FIRST = (finding("nsg-acr-outbound", "aks-1", "pass"), finding("rbac-acr-pull", "aks-1", "fail"))
SECOND = (finding("nsg-acr-outbound", "aks-1", "fail"), finding("rbac-acr-pull", "aks-1", "fail"))


@dataclass
class World:
    """What the service audits. `hold` keeps scans from ending until it is released."""

    folder: Path
    now: datetime = START
    database: str | None = None
    """The URL of its history, if it is not a file in the folder."""
    first: int = 0
    """How many nights there were before its first."""
    name: str = ""
    """What sets its tokens apart from those of another instance over the same history."""
    drain_s: float = 30
    look_s: float = 60
    environment: dict[str, str] = field(default_factory=dict)
    nights: list[Report] = field(default_factory=list)
    scanned: list[Settings] = field(default_factory=list)
    written: list[str] = field(default_factory=list)
    told_of: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    begun: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    free: threading.Event = field(default_factory=threading.Event)
    forgets: bool = False
    """Whether the history takes no runs."""
    before_end: Callable[[Order], None] = lambda order: None
    heard: threading.Condition = field(default_factory=threading.Condition)

    def __post_init__(self) -> None:
        self.free.set()

    @property
    def history(self) -> str:
        """The URL of its history."""
        return self.database or f"sqlite:///{self.folder / 'history.sqlite'}"

    @property
    def settings(self) -> Settings:
        """The service's settings."""
        return Settings(subscription=(SUBSCRIPTION,), history=self.history, output=str(self.folder / "out"))

    def say(self, line: str) -> None:
        with self.heard:
            self.lines.append(line)
            self.heard.notify_all()

    def wait_for(self, text: str) -> str:
        """The first line that holds a text, once it is said."""

        def said() -> str | None:
            return next((line for line in self.lines if text in line), None)

        with self.heard:
            assert self.heard.wait_for(lambda: said() is not None, timeout=60), (text, self.lines)
            found = said()
        assert found is not None
        return found

    def scan(self, settings: Settings, order: Order) -> tuple[Report, int]:
        """The next night, compared and remembered as a scan does it."""
        self.scanned.append(settings)
        order.progress("estate", 1, 3)
        self.begun.release()
        while not self.free.wait(0.01):
            if order.stop():
                raise Stopped("stopped")
        self.before_end(order)
        number = self.first + len(self.scanned)
        report = self.nights.pop(0) if self.nights else night(number, *(FIRST if number == 1 else SECOND))
        return (report if self.forgets else self.remember(report, order.beside)), 1

    def remember(self, report: Report, beside: Beside | None = None) -> Report:
        """Save a night against its baseline, as a scan would."""
        with open_history(self.history, persistent=True) as history:
            against = history.baseline_for([SCOPE])
            report = compare(report, against, resources=(), scope_read=lambda _: True, render=_filled)
            history.save(report, scope_read=lambda _: True, beside=beside)
        return report

    def write(self, settings: Settings, report: Report) -> list[Path]:
        self.written.append(report.run.id)
        return []

    def told(self, options: Options, plans: tuple[Plan, ...] = (), limits: Limits | None = None) -> Told:
        """What the service is told."""
        return Told(
            settings=self.settings,
            plans=plans,
            options=options,
            environment=self.environment,
            clock=lambda: self.now,
            say=self.say,
            scan=self.scan,
            write=self.write,
            tell=lambda report, order: self.told_of.append(report.run.id),
            drain_s=self.drain_s,
            look_s=self.look_s,
            follow_s=self.look_s,
            limits=limits or Limits(),
        )

    def token(self, name: str, *roles: str, lifetime: timedelta = timedelta(days=1)) -> str:
        """A new API token."""
        engine = open_store(self.history, {})
        try:
            return tokens.create(engine, name, roles, lifetime, self.now)
        finally:
            engine.dispose()

    def revoke(self, name: str) -> None:
        """Take a token back."""
        engine = open_store(self.history, {})
        try:
            tokens.revoke(engine, name, self.now)
        finally:
            engine.dispose()


def _filled(template: str, facts: Mapping[str, Any]) -> str:
    return template.format(**facts)


class Client:
    """A program that calls the service with an API token."""

    def __init__(self, base: str, token: str | None = None) -> None:
        self.base = base
        self.session = requests.Session()
        self.session.trust_env = False
        if token is not None:
            self.session.headers["Authorization"] = f"Bearer {token}"

    def __call__(self, method: str, path: str, **how: Any) -> requests.Response:
        how.setdefault("allow_redirects", False)
        return self.session.request(method, self.base + path, timeout=60, **how)

    def get(self, path: str, **how: Any) -> requests.Response:
        return self("GET", path, **how)

    def post(self, path: str, **how: Any) -> requests.Response:
        return self("POST", path, **how)

    def finished(self, job: str) -> dict[str, Any]:
        """The scan, once it is finished: its events are read to their end."""
        answer = self.get(f"/api/v1/scans/{job}/events", stream=True)
        assert answer.status_code == 200, answer.text
        for _ in answer.iter_lines():
            pass
        found: dict[str, Any] = self.get(f"/api/v1/scans/{job}").json()
        return found


@dataclass
class Serving:
    """A running service."""

    world: World
    base: str
    reader: Client
    runner: Client
    running_token: str
    stop: threading.Event
    thread: threading.Thread
    tally: list[Tally]

    @property
    def port(self) -> int:
        return int(self.base.rsplit(":", 1)[1])

    def client(self, token: str | None = None) -> Client:
        """Another caller."""
        return Client(self.base, token)


@contextlib.contextmanager
def serving(
    world: World,
    options: Options | None = None,
    *,
    plans: tuple[Plan, ...] = (),
    limits: Limits | None = None,
) -> Iterator[Serving]:
    """A service over this world, until the end of the `with`."""
    reading = world.token(f"reader{world.name}", "Auditor.Read")
    running = world.token(f"runner{world.name}", "Auditor.Run")
    stop, tally = threading.Event(), []
    failed: list[BaseException] = []

    def serve() -> None:
        try:
            told = world.told(options or Options(address=("127.0.0.1", 0)), plans, limits)
            tally.append(run(told, stop))
        except BaseException as problem:  # noqa: BLE001 - said by the main thread
            failed.append(problem)
            world.say("listening on nothing")

    thread = threading.Thread(target=serve)
    thread.start()
    base = world.wait_for("listening on").rsplit(" ", 1)[1]
    try:
        assert not failed, failed
        yield Serving(world, base, Client(base, reading), Client(base, running), running, stop, thread, tally)
    finally:
        world.free.set()
        stop.set()
        thread.join()
    assert not failed, failed
