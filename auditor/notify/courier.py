"""The threads that empty the outbox, one a receiver, so that none is ever waited for by a scan or by another."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from auditor.findings import Report
from auditor.history.problems import HistoryProblem
from auditor.notify.outbox import Result, deliver, put, put_with
from auditor.notify.parcel import Parcel, parcels_for
from auditor.notify.sending import Sender
from auditor.notify.targets import Target

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Engine

    from auditor.history.store import Beside

LOOK_EVERY_S = 30.0
_MOST_HELD = 2_000
"""Parcels that wait in memory for a database that is away."""
_MOST_TOLD = 1_000
"""So many (receiver, run) are remembered, to spare making a parcel twice; the outbox knows them all."""


class Courier:
    """Keeps what is to be sent on, and delivers it; what `close` leaves stays in the outbox for the next start."""

    def __init__(
        self,
        engine: Engine,
        targets: Sequence[Target],
        clock: Callable[[], datetime],
        say: Callable[[str], None],
        sender: Sender | None = None,
        lang: str = "en",
    ) -> None:
        self._engine, self._targets, self._clock, self._say = engine, tuple(targets), clock, say
        self._sender, self._lang = sender or Sender(), lang
        self._woken = {target.name: threading.Event() for target in self._targets}
        self._closed = threading.Event()
        self._threads: list[threading.Thread] = []
        self._lock, self._keeping = threading.Lock(), threading.Lock()
        self._held: deque[tuple[str, Parcel]] = deque(maxlen=_MOST_HELD)
        self._attempts: Counter[tuple[str, Result]] = Counter()
        self._told: deque[tuple[str, str]] = deque(maxlen=_MOST_TOLD)

    @property
    def targets(self) -> tuple[Target, ...]:
        """Who is told."""
        return self._targets

    def attempts(self) -> dict[tuple[str, Result], int]:
        """How many attempts since the start ended how, by receiver."""
        with self._lock:
            return dict(self._attempts)

    def start(self) -> None:
        """Deliver from now on, until `close`."""
        self._begin(self._go_on)

    def once(self, within_s: float) -> bool:
        """Try once whatever is due; False if some receiver was not done in time."""
        self._begin(self._round)
        return self._joined(within_s)

    def beside(self, beside: Beside | None = None, *, on_demand: bool = False) -> Beside:
        """What to write in the transaction that keeps a run: `beside`, and what the receivers are to know of the run.

        So a program that dies right after a run was kept has told nobody yet, and will: the run is the next one's
        baseline, against which its news are none any more.
        """

        def both(connection: Connection, report: Report) -> None:
            if beside is not None:
                beside(connection, report)
            put_with(connection, self._parcels(report, on_demand=on_demand), self._clock())

        return both

    def tell(self, report: Report, *, on_demand: bool = False) -> None:
        """Keep what the receivers are to know of a run, whoever else has told of it already.

        A database that is away delays it; a defect costs it, and is said; neither costs the scan.
        """
        found = self._parcels(report, on_demand=on_demand)
        with self._lock:
            self._told.extend(dict.fromkeys((name, report.run.id) for name, _ in found))
        with self._keeping:
            self._held.extend(found)
        self._keep()
        for woken in self._woken.values():
            woken.set()

    def _parcels(self, report: Report, *, on_demand: bool) -> list[tuple[str, Parcel]]:
        asked = [target for target in self._targets if target.on_demand or not on_demand]
        with self._lock:
            new = [target for target in asked if (target.name, report.run.id) not in self._told]
        try:
            return [(target.name, parcel) for target in new for parcel in parcels_for(target, report, self._lang)]
        except Exception as error:  # noqa: BLE001 - the scan is done, and its reports are still to be written
            self._say(f"run {report.run.id} is not sent on: {type(error).__name__}: {' '.join(str(error).split())}")
            return []

    def close(self, within_s: float = 15.0) -> None:
        """Begin no further attempt; those under way have a few seconds."""
        self._closed.set()
        for woken in self._woken.values():
            woken.set()
        if self._joined(within_s):
            self._sender.close()
            self._engine.dispose()

    def _begin(self, what: Callable[[Target], None]) -> None:
        for target in self._targets:
            # A receiver that lets its answer drip holds its own thread, and no other; nor does it hold the process.
            thread = threading.Thread(target=what, args=(target,), name=f"courier-{target.name}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _joined(self, within_s: float) -> bool:
        until = time.monotonic() + within_s
        for thread in self._threads:
            thread.join(timeout=max(0.0, until - time.monotonic()))
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        return not self._threads

    def _keep(self) -> None:
        """Write what is held into the outbox; what cannot be written is held on to."""
        with self._keeping:
            if not self._held:
                return
            try:
                put(self._engine, self._held, self._clock())
            except HistoryProblem as problem:
                self._say(f"to be sent on later: {problem.message}")
            else:
                self._held.clear()

    def _go_on(self, target: Target) -> None:
        woken = self._woken[target.name]
        while not self._closed.is_set():
            woken.clear()
            self._keep()
            self._round(target)
            if not self._closed.is_set():
                woken.wait(LOOK_EVERY_S)

    def _round(self, target: Target) -> None:
        try:
            for attempt in deliver(self._engine, target, self._clock, self._sender.send, self._closed.is_set):
                with self._lock:
                    self._attempts[attempt.target, attempt.result] += 1
                if attempt.result != "delivered":
                    then = "given up" if attempt.result == "given-up" else "tried again"
                    self._say(f"{attempt.target}: {attempt.parcel_id} not delivered: {attempt.note}; {then}")
        except HistoryProblem as problem:
            self._say(f"sending on waits: {problem.message}")
        except Exception as error:  # noqa: BLE001 - one parcel's defect must not end the thread, and all after it
            self._say(f"{target.name}: sending on met a defect: {type(error).__name__}")
