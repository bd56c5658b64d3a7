"""The thread that empties the outbox, so that no receiver is ever waited for by a scan."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from auditor.findings import Report
from auditor.history.problems import HistoryProblem
from auditor.notify.message import message_of
from auditor.notify.outbox import deliver, put
from auditor.notify.targets import Target

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine

_LOOK_EVERY_S = 30.0


class Courier:
    """Keeps messages and delivers them; `close` leaves the rest in the outbox for the next start."""

    def __init__(
        self, engine: Engine, targets: Sequence[Target], clock: Callable[[], datetime], say: Callable[[str], None]
    ) -> None:
        self._engine, self._targets, self._clock, self._say = engine, targets, clock, say
        self._woken, self._closed = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._go_on, name="courier", daemon=True)
        self._thread.start()

    def tell(self, report: Report) -> None:
        """Keep the run's message, if there is news. A database that is away costs the message, never the scan."""
        message = message_of(report)
        if message is None:
            return
        try:
            put(self._engine, message, self._targets, self._clock())
        except HistoryProblem as problem:
            self._say(f"not sent on: {problem.message}")
        self._woken.set()

    def close(self) -> None:
        """Begin no further attempt; one that is under way has a few seconds."""
        self._closed.set()
        self._woken.set()
        self._thread.join(timeout=15)

    def _go_on(self) -> None:
        while not self._closed.is_set():
            self._woken.clear()
            try:
                for attempt in deliver(self._engine, self._targets, self._clock):
                    if attempt.note:
                        self._say(f"{attempt.target}: {attempt.message_id} not delivered: {attempt.note}; tried again")
            except HistoryProblem as problem:
                self._say(f"sending on waits: {problem.message}")
            if not self._closed.is_set():
                self._woken.wait(_LOOK_EVERY_S)
