"""Threads that take turns on one clock: whoever waits lets the one go on whose time comes first. Nothing sleeps."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

_PATIENCE_S = 120


class Turns:
    """The clock, and whose turn it is. Time passes only while everybody waits."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self._changed = threading.Condition()
        self._due: dict[str, datetime] = {}
        self._turn: str | None = None

    def begin(self, who: str) -> None:
        """The first one takes its turn at once."""
        self._turn = who

    def join(self, who: str) -> None:
        """Stand in line from now on; called by whoever has the turn, before the thread `who` starts."""
        self._due[who] = self.now

    def await_turn(self, who: str) -> None:
        """Until it is one's turn."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._turn == who, timeout=_PATIENCE_S), f"{who} never had its turn"

    def wait(self, who: str, time: timedelta) -> None:
        """Let the others go on for so long."""
        with self._changed:
            assert self._turn == who, (who, self._turn)
            self._due[who] = self.now + time
            self._pass_on()
        self.await_turn(who)

    def leave(self, who: str) -> None:
        """Have no more turns."""
        with self._changed:
            assert self._turn == who, (who, self._turn)
            self._pass_on()

    def waiting(self, who: str) -> bool:
        """Whether somebody still stands in line."""
        return who in self._due

    def _pass_on(self) -> None:
        following = min(self._due, key=lambda each: (self._due[each], each), default=None)
        if following is not None:
            self.now = max(self.now, self._due.pop(following))
        self._turn = following
        self._changed.notify_all()
