"""The loop of `auditor serve`: waits for the next firing, scans, says how it went, and goes on until it is stopped.

APScheduler's own schedulers read the system's clock and cannot be given another, so its CronTrigger tells the times and
the loop is ours: one scan at a time, in the main thread, by a clock and a waiter that are passed in.
"""

from __future__ import annotations

import queue
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from auditor.errors import AuditorError
from auditor.service.schedule import Firing, Schedule

GRACE = timedelta(hours=6)
"""How late a scan may start; a firing that is older when its turn comes is missed, and said to be."""

CRASHED = 70
"""What counts as the exit status of a scan that ended in a defect (sysexits' EX_SOFTWARE)."""

_LONGEST_WAIT_S = 60.0
"""The clock is looked at again so often: it may be set, and a machine may sleep."""


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
    """Scan on schedule until `stop` is set (SIGTERM and SIGINT set it), and give what became of the nights.

    `scan` writes reports and history and returns its exit status; what it raises is said in one line and survived.
    `wait` waits some seconds and tells whether to stop. `last_started` is when the newest scan in the history began: a
    night that fell due since, while nobody served, is made up for once.
    """
    stop = stop or threading.Event()
    wait = wait or stop.wait
    tally = Tally()
    with _stopping_on_signals(stop, say):
        loop = _Loop(schedule, scan, say, stop, clock, wait, tally)
        loop.begin(last_started)
        loop.run()
    say(f"stopped: {tally}")
    return tally


@dataclass(slots=True)
class _Loop:
    schedule: Schedule
    scan: Callable[[Night], int]
    say: Callable[[str], None]
    stop: threading.Event
    clock: Callable[[], datetime]
    wait: Callable[[float], bool]
    tally: Tally
    _done: datetime | None = None  # the newest firing that was dealt with

    def begin(self, last_started: datetime | None) -> None:
        """Say when it scans, and make up for the night that was missed before the service began, if any."""
        now = self.clock()
        self._done = now
        warning = self.schedule.hint(now)
        if warning is not None:
            self.say(f"warning: {warning}")
        missed = None if last_started is None else self.schedule.last(now)
        if missed is not None and last_started is not None and last_started < missed.at:
            self.say(f"the scan of {missed.local} ({self.schedule.timezone}) was missed; making up for it now")
            self._scan(missed, made_up=True)

    def run(self) -> None:
        """Go from firing to firing."""
        announced: Firing | None = None
        while not self.stop.is_set():
            firing = self._next()
            if firing is None:
                self.say(f"the schedule '{self.schedule.cron}' never fires again")
                return
            if firing != announced:
                self.say(f"next scan: {firing.local} ({self.schedule.timezone})")
                announced = firing
            remaining_s = (firing.at - self.clock()).total_seconds()
            if remaining_s <= 0:
                self._fire(firing)
            elif self.wait(min(remaining_s, _LONGEST_WAIT_S)):
                return

    def _next(self) -> Firing | None:
        """The next firing after what was done: a clock that is set back a little does not fire twice.

        One that is set back further than any scan may be late was wrong before: it counts anew.
        """
        now = self.clock()
        if self._done is None or self._done - now > GRACE:
            self._done = now
        return self.schedule.next(self._done)

    def _fire(self, firing: Firing) -> None:
        """Scan for the newest of the firings that are due by now; older ones were overtaken and are counted."""
        now = self.clock()
        newest = firing
        for later in self.schedule.after(firing.at):
            if later.at > now:
                break
            self._miss(newest, "overtaken by the next")
            newest = later
        if now - newest.at > GRACE:
            self._done = newest.at
            self._miss(newest, f"its time was more than {GRACE // timedelta(hours=1)} hours ago")
            return
        self._scan(newest, made_up=False)

    def _miss(self, firing: Firing, why: str) -> None:
        self.tally.missed += 1
        self.say(f"missed the scan of {firing.local} ({self.schedule.timezone}): {why}")

    def _scan(self, firing: Firing, *, made_up: bool) -> None:
        self._done = max(firing.at, self._done or firing.at)
        self.say(f"scan of {firing.local} ({self.schedule.timezone}) begins")
        status, said = self._survived(Night(firing.local, firing.at, made_up, self.stop))
        self.tally.by_status[status] += 1
        self.say(f"scan of {firing.local} ({self.schedule.timezone}) ended with status {status}{said}")

    def _survived(self, night: Night) -> tuple[int, str]:
        try:
            return self.scan(night), ""
        except AuditorError as error:
            return error.exit_status, f": {error.message}"
        except Exception as error:  # noqa: BLE001 - one night's defect must not cost the nights after it
            return CRASHED, f": {type(error).__name__}: {' '.join(str(error).split())}"


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
