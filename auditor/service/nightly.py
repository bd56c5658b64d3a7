"""The loop of `auditor serve`: waits for the next firing, scans, says how it went, and goes on until it is stopped.

APScheduler's own schedulers read the system's clock and cannot be given another, so its CronTrigger tells the times and
the loop is ours: one scheduled scan at a time, in the main thread, by a clock and a waiter that are passed in.

What becomes of a firing: it is scanned once, by whichever instance leads. Late by up to `GRACE` it still is. Of several
that fell due while a scan ran, the newest is scanned and the others are missed, and said to be. What fell due while
nobody served, or was interrupted, is made up for once: the newest of them, whenever the service comes back. A scan that
fails is tried again after each of `PAUSES`, until its time is up or the next is due; then it is missed, and said to be.
"""

from __future__ import annotations

import queue
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from auditor.config import Settings
from auditor.service.firings import Firings, RememberedFirings
from auditor.service.loop import FOLLOW_S, LOOK_S, Loop, Night, Tally
from auditor.service.plans import Plan
from auditor.service.schedule import Schedule


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
    look_s: float = LOOK_S,
    follow_s: float = FOLLOW_S,
) -> Tally:
    """Scan on several schedules until `stop` is set (SIGTERM and SIGINT set it), and give what became of the nights.

    `scan` writes reports and history and returns its exit status; what it raises is said in one line, and tried again.
    `wait` waits some seconds and tells whether to stop. `last_started` is when the newest run of a schedule's scopes in
    the history began: it tells whether a night was missed before the service first knew the schedule. `firings`
    remembers what was dealt with; only an instance that `leads` scans. `idle` is called whenever the loop looks at
    the clock, which is every `look_s` seconds at least, or `follow_s` if it does not lead; with `stay` it goes on when
    no schedule fires any more.
    """
    stop = stop or threading.Event()
    tally = tally if tally is not None else Tally()
    loop = Loop(
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
        look_s=look_s,
        follow_s=follow_s,
    )
    with _stopping_on_signals(stop, say):
        loop.run()
    say(f"stopped: {tally}")
    return tally


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
