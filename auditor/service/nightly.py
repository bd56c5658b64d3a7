"""The loop of `auditor serve`: waits for the next firing, scans, says how it went, and goes on until it is stopped.

APScheduler's own schedulers read the system's clock and cannot be given another, so its CronTrigger tells the times and
the loop is ours: one scheduled scan at a time, in the main thread, by a clock and a waiter that are passed in.

What becomes of a firing: it is scanned once, by whichever instance leads. Late by up to `GRACE` it still is. Of several
that fell due while a scan ran, the newest is scanned and the others are missed, and said to be. What fell due while
nobody served, or was interrupted, is made up for once: the newest of them, whenever the service comes back.
"""

from __future__ import annotations

import functools
import queue
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from auditor.config import Settings
from auditor.errors import AuditorError
from auditor.history import HistoryProblem
from auditor.service.firings import Firings, RememberedFirings
from auditor.service.plans import Plan
from auditor.service.schedule import Firing, Schedule

GRACE = timedelta(hours=6)
"""How late a scan may start; a firing that is older when its turn comes is missed, and said to be."""

CRASHED = 70
"""What counts as the exit status of a scan that ended in a defect (sysexits' EX_SOFTWARE)."""

_LONGEST_WAIT_S = 60.0
"""The clock is looked at again so often: it may be set, and a machine may sleep."""
_FOLLOW_S = 30.0
"""So often an instance that does not lead tries to."""
_MOST_TOLD = 400
"""Missed firings written down one by one after a downtime: a year of nights."""


class Interrupted(AuditorError):
    """A scheduled scan was stopped before it was done: it is made up for."""

    exit_status = 3


@dataclass(frozen=True, slots=True)
class Night:
    """What a scan of the schedule is told.

    `local` is the wall clock's date and time of the firing, its identity; `stop` is set when the service is told to
    stop: the scan then comes to an end as soon as it can.
    """

    local: str
    scheduled: datetime
    made_up: bool
    stop: threading.Event
    plan: Plan


@dataclass(slots=True)
class Tally:
    """What became of the nights so far: scans by exit status, and how many were missed."""

    by_status: Counter[int] = field(default_factory=Counter)
    missed: int = 0

    def __str__(self) -> str:
        scans = ", ".join(f"{count} with status {status}" for status, count in sorted(self.by_status.items()))
        return f"{self.by_status.total()} scans ({scans or 'none'}), {self.missed} missed"


def serve(
    schedule: Schedule,
    scan: Callable[[Night], int],
    *,
    say: Callable[[str], None],
    stop: threading.Event | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    wait: Callable[[float], bool] | None = None,
    last_started: datetime | None = None,
) -> Tally:
    """Scan on one schedule until `stop` is set (SIGTERM and SIGINT set it), and give what became of the nights.

    As `serve_plans`, with nothing remembered but `last_started`.
    """
    plans = (Plan("", schedule, Settings()),)
    return serve_plans(plans, scan, say=say, stop=stop, clock=clock, wait=wait, last_started=lambda plan: last_started)


def serve_plans(
    plans: Sequence[Plan],
    scan: Callable[[Night], int],
    *,
    say: Callable[[str], None],
    stop: threading.Event | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    wait: Callable[[float], bool] | None = None,
    last_started: Callable[[Plan], datetime | None] = lambda plan: None,
    firings: Firings | None = None,
    leads: Callable[[], bool] = lambda: True,
    tally: Tally | None = None,
    idle: Callable[[], None] = lambda: None,
    stay: bool = False,
) -> Tally:
    """Scan on several schedules until `stop` is set (SIGTERM and SIGINT set it), and give what became of the nights.

    `scan` writes reports and history and returns its exit status; what it raises is said in one line and survived.
    `wait` waits some seconds and tells whether to stop. `last_started` is when the newest run of a schedule's scopes in
    the history began: it tells whether a night was missed before the service first knew the schedule. `firings`
    remembers what was dealt with; only an instance that `leads` scans. `idle` is called whenever the loop looks at
    the clock; with `stay` it goes on when no schedule fires any more.
    """
    stop = stop or threading.Event()
    tally = tally if tally is not None else Tally()
    loop = _Loop(
        plans=tuple(plans),
        scan=scan,
        say=say,
        stop=stop,
        clock=clock,
        wait=wait or stop.wait,
        tally=tally,
        last_started=last_started,
        firings=firings if firings is not None else RememberedFirings(),
        leads=leads,
        idle=idle,
        stay=stay,
    )
    with _stopping_on_signals(stop, say):
        loop.run()
    say(f"stopped: {tally}")
    return tally


@dataclass(slots=True, kw_only=True)
class _Loop:
    plans: tuple[Plan, ...]
    scan: Callable[[Night], int]
    say: Callable[[str], None]
    stop: threading.Event
    clock: Callable[[], datetime]
    wait: Callable[[float], bool]
    tally: Tally
    last_started: Callable[[Plan], datetime | None]
    firings: Firings
    leads: Callable[[], bool]
    idle: Callable[[], None]
    stay: bool
    _done: dict[str, datetime] = field(default_factory=dict)  # by schedule: the newest firing that was dealt with
    _led: bool | None = None
    _announced: tuple[str, str] | None = None

    def run(self) -> None:
        """Go from firing to firing."""
        while not self.stop.is_set():
            self.idle()
            if not self._leading():
                if self.wait(_FOLLOW_S):
                    return
                continue
            due = self._earliest()
            if due is None:
                if self._announced != ("", ""):
                    self._announced = ("", "")
                    for plan in self.plans:
                        self.say(f"{_of(plan)}the schedule '{plan.schedule.cron}' never fires again")
                if not self.stay or self.wait(_LONGEST_WAIT_S):
                    return
                continue
            at, plan, firing = due
            if self._announced != (plan.name, firing.local):
                self._announced = (plan.name, firing.local)
                self.say(f"{_of(plan)}next scan: {_told(plan, firing)}")
            remaining_s = (at - self.clock()).total_seconds()
            if remaining_s > 0:
                if self.wait(min(remaining_s, _LONGEST_WAIT_S)):
                    return
            elif not self._survived(functools.partial(self._fire, plan, firing)) and self.wait(_LONGEST_WAIT_S):
                return

    def _leading(self) -> bool:
        """Whether this instance leads; whatever was missed is made up for when it begins to."""
        leads = self.leads()
        if leads and self._led is not True:
            for plan in self.plans:
                if not self._survived(functools.partial(self._begin, plan)):
                    return False
        elif not leads and self._led is not False:
            self.say("another instance leads; this one takes over when it ends")
        self._led = leads
        return leads

    def _survived(self, what: Callable[[], None]) -> bool:
        """Do it; False, and a line, while the history cannot be asked what was done already."""
        try:
            what()
        except HistoryProblem as problem:
            self.say(f"scheduled scans wait: {problem.message}")
            return False
        return True

    def _begin(self, plan: Plan) -> None:
        """Say when it scans, and make up for the newest night that was missed or interrupted, if any."""
        now = self.clock()
        self._done[plan.name] = now
        warning = plan.schedule.hint(now)
        if warning is not None:
            self.say(f"{_of(plan)}warning: {warning}")
        last = plan.schedule.last(now)
        if last is None:
            return
        if last.at + plan.put_off(last) > now:
            self._done[plan.name] = last.at - timedelta(microseconds=1)  # put off, and still to come
            return
        newest = self.firings.newest(plan.name, last.local)
        if newest is None:
            started = self.last_started(plan)
            if started is None or started >= last.at:
                # From here on the schedule is known, so the next firing can be missed.
                self.firings.end(plan.name, last, "before", "the schedule began after it")
                return
        else:
            self._tell_missed(plan, newest, last)
        self._scan(plan, last, made_up=True)

    def _tell_missed(self, plan: Plan, newest: str, last: Firing) -> None:
        """Write down the firings between the newest that was dealt with and the one that is made up for."""
        told = 0
        for firing in plan.schedule.after(last.at - timedelta(days=370)):
            if firing.local >= last.local or told >= _MOST_TOLD:
                break
            if firing.local > newest:
                told += 1
                self._miss(plan, firing, "nobody served, and a newer one is made up for")

    def _earliest(self) -> tuple[datetime, Plan, Firing] | None:
        """The next firing of all schedules, and when its turn comes; None if there is none."""
        found = []
        for plan in self.plans:
            firing = self._next(plan)
            if firing is not None:
                found.append((firing.at + plan.put_off(firing), plan, firing))
        return min(found, key=lambda each: (each[0], each[1].name), default=None)

    def _next(self, plan: Plan) -> Firing | None:
        """The next firing after what was done: a clock that is set back a little does not fire twice.

        One that is set back further than any scan may be late was wrong before: it counts anew.
        """
        now = self.clock()
        if plan.name not in self._done or self._done[plan.name] - now > GRACE:
            self._done[plan.name] = now
        return plan.schedule.next(self._done[plan.name])

    def _fire(self, plan: Plan, firing: Firing) -> None:
        """Scan for the newest of the firings that are due by now; older ones were overtaken and are counted."""
        now = self.clock()
        newest, overtaken = firing, []
        for later in plan.schedule.after(firing.at):
            if later.at + plan.put_off(later) > now:
                break
            overtaken.append(newest)
            newest = later
        self.tally.missed += len(overtaken[:-_MOST_TOLD])
        for each in overtaken[-_MOST_TOLD:]:
            self._miss(plan, each, "overtaken by the next")
        if now - newest.at - plan.put_off(newest) > GRACE:
            self._done[plan.name] = newest.at
            self._miss(plan, newest, f"its time was more than {GRACE // timedelta(hours=1)} hours ago")
            return
        self._scan(plan, newest, made_up=False)

    def _miss(self, plan: Plan, firing: Firing, why: str) -> None:
        self.tally.missed += 1
        self.say(f"{_of(plan)}missed the scan of {_told(plan, firing)}: {why}")
        self.firings.end(plan.name, firing, "missed", why)

    def _scan(self, plan: Plan, firing: Firing, *, made_up: bool) -> None:
        claimed = self.firings.claim(plan.name, firing)
        self._done[plan.name] = max(firing.at, self._done.get(plan.name, firing.at))
        if not claimed:
            return
        if made_up:
            self.say(f"{_of(plan)}the scan of {_told(plan, firing)} was missed; making up for it now")
        self.say(f"{_of(plan)}scan of {_told(plan, firing)} begins")
        try:
            status, said = self._scanned(Night(firing.local, firing.at, made_up, self.stop, plan))
        except Interrupted as interrupted:
            self.firings.end(plan.name, firing, "interrupted", interrupted.message)
            status, said = interrupted.exit_status, f": {interrupted.message}"
        else:
            self.firings.end(plan.name, firing, "done", f"status {status}{said}")
        self.tally.by_status[status] += 1
        self.say(f"{_of(plan)}scan of {_told(plan, firing)} ended with status {status}{said}")

    def _scanned(self, night: Night) -> tuple[int, str]:
        try:
            return self.scan(night), ""
        except Interrupted:
            raise
        except AuditorError as error:
            return error.exit_status, f": {error.message}"
        except Exception as error:  # noqa: BLE001 - one night's defect must not cost the nights after it
            return CRASHED, f": {type(error).__name__}: {' '.join(str(error).split())}"


def _of(plan: Plan) -> str:
    return f"{plan.name}: " if plan.name else ""


def _told(plan: Plan, firing: Firing) -> str:
    return f"{firing.local} ({plan.schedule.timezone})"


@contextmanager
def _stopping_on_signals(stop: threading.Event, say: Callable[[str], None]) -> Iterator[None]:
    """Let SIGTERM and SIGINT set `stop`; a second one has its usual effect. Does nothing outside the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    # A handler may interrupt anything, also whoever holds the lock inside `stop`. Of all queues only this one may be
    # used there; a thread of its own then sets `stop`.
    told: queue.SimpleQueue[int | None] = queue.SimpleQueue()

    def handle(number: int, _frame: object) -> None:
        told.put(number)
        restore()

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def pass_on() -> None:
        number = told.get()
        if number is not None:
            stop.set()
            say(f"{signal.Signals(number).name}: stopping")

    listener = threading.Thread(target=pass_on, name="stop-signals", daemon=True)
    listener.start()
    for number in before:
        signal.signal(number, handle)
    try:
        yield
    finally:
        restore()
        told.put(None)
        listener.join()
