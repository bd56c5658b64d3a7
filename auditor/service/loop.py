"""From firing to firing: what is due is scanned, what fails is tried again, what never came to be is said so."""

from __future__ import annotations

import functools
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from auditor.errors import AuditorError
from auditor.history import HistoryProblem
from auditor.service.firings import Claim, Firings
from auditor.service.plans import Plan
from auditor.service.schedule import Firing

GRACE = timedelta(hours=6)
"""How late a scan may start; a firing that is older when its turn comes is missed, and said to be."""

PAUSES = tuple(timedelta(minutes=minutes) for minutes in (5, 10, 20, 40, 80))
"""So long a scan that failed is let rest before each new attempt; after the last it is missed."""

CRASHED = 70
"""What counts as the exit status of a scan that ended in a defect (sysexits' EX_SOFTWARE)."""

LOOK_S = 60.0
"""The clock is looked at again so often: it may be set, and a machine may sleep."""
FOLLOW_S = 30.0
"""So often an instance that does not lead tries to."""
_MOST_TOLD = 400
"""Missed firings written down one by one after a downtime: a year of nights."""


class Interrupted(AuditorError):
    """A scheduled scan was stopped before it was done: it is made up for."""

    exit_status = 3


class Failed(AuditorError):
    """A scheduled scan gave no run: it is tried again."""

    def __init__(self, message: str, exit_status: int) -> None:
        super().__init__(message)
        self.exit_status = exit_status


@dataclass(frozen=True, slots=True)
class Night:
    """What a scan of the schedule is told.

    `local` is the wall clock's date and time of the firing, its identity; `stop` is set when the service is told to
    stop: the scan then comes to an end as soon as it can. `claim` is the right to this attempt.
    """

    local: str
    scheduled: datetime
    made_up: bool
    stop: threading.Event
    plan: Plan
    claim: Claim


@dataclass(slots=True)
class Tally:
    """What became of the nights so far: scans by exit status, and how many were missed."""

    by_status: Counter[int] = field(default_factory=Counter)
    missed: int = 0

    def __str__(self) -> str:
        scans = ", ".join(f"{count} with status {status}" for status, count in sorted(self.by_status.items()))
        return f"{self.by_status.total()} scans ({scans or 'none'}), {self.missed} missed"


@dataclass(frozen=True, slots=True)
class _Open:
    """A firing that was begun and is not done: when it is tried again, and until when."""

    firing: Firing
    made_up: bool
    at: datetime
    until: datetime
    failures: int = 0
    why: str = ""


@dataclass(slots=True, kw_only=True)
class Loop:
    """The schedules of one instance. `run` goes on until it is stopped."""

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
    look_s: float = LOOK_S
    follow_s: float = FOLLOW_S
    _done: dict[str, datetime] = field(default_factory=dict)  # by schedule: the newest firing that was dealt with
    _open: dict[str, _Open] = field(default_factory=dict)  # by schedule: what is to be tried again
    _led: bool | None = None
    _announced: tuple[str, str] | None = None

    def run(self) -> None:
        """Go from firing to firing."""
        while not self.stop.is_set():
            self.idle()
            if not self._leading():
                if self.wait(self.follow_s):
                    return
                continue
            due = self._earliest()
            if due is None:
                if self._announced != ("", ""):
                    self._announced = ("", "")
                    for plan in self.plans:
                        self.say(f"{_of(plan)}the schedule '{plan.schedule.cron}' never fires again")
                if not self.stay or self.wait(self.look_s):
                    return
                continue
            at, plan, what = due
            if isinstance(what, Firing) and self._announced != (plan.name, what.local):
                self._announced = (plan.name, what.local)
                self.say(f"{_of(plan)}next scan: {_told(plan, what)}")
            remaining_s = (at - self.clock()).total_seconds()
            if remaining_s > 0:
                if self.wait(min(remaining_s, self.look_s)):
                    return
            elif not self._survived(functools.partial(self._deal_with, plan, what)) and self.wait(self.look_s):
                return

    def _leading(self) -> bool:
        """Whether this instance leads; whatever was missed is made up for when it begins to."""
        leads = self.leads()
        if leads and self._led is not True:
            for plan in self.plans:
                if not self._survived(functools.partial(self._begin, plan)):
                    return False
        elif not leads and self._led is not False:
            self._open.clear()  # whoever leads makes up for it
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
        newest = self.firings.newest(plan.name, last.local)
        put_off = last.at + plan.put_off(last) > now
        if put_off:
            self._done[plan.name] = last.at - timedelta(microseconds=1)  # it is still to come
        if newest is None:
            if put_off:
                return
            started = self.last_started(plan)
            if started is None or started >= last.at:
                # From here on the schedule is known, so the next firing can be missed.
                self.firings.tell(plan.name, last, "before", "the schedule began after it")
                return
        else:
            self._tell_missed(plan, newest, last)
        self._state_left(plan, last)
        if not put_off:
            self._try(plan, _Open(last, made_up=True, at=now, until=now + GRACE))

    def _tell_missed(self, plan: Plan, newest: str, last: Firing) -> None:
        """Write down the firings between the newest that was dealt with and the one that is made up for."""
        told = 0
        for firing in plan.schedule.after(last.at - timedelta(days=370)):
            if firing.local >= last.local or told >= _MOST_TOLD:
                break
            if firing.local > newest:
                told += 1
                self._miss(plan, firing, "nobody served, and a newer one is made up for")

    def _state_left(self, plan: Plan, newer: Firing) -> None:
        """Say of older firings that were begun and never done that they are missed."""
        before = self._open.pop(plan.name, None)
        for firing in self.firings.left(plan.name, newer.local):
            if before is not None and before.failures and before.firing.local == firing.local:
                self._miss(plan, firing, f"{_failed(before)}; overtaken by the next")
            else:
                self._miss(plan, firing, "it was begun and never done, and a newer one is due")

    def _earliest(self) -> tuple[datetime, Plan, Firing | _Open] | None:
        """What is to be dealt with next, of all schedules, and when its turn comes; None if there is nothing."""
        found: list[tuple[datetime, Plan, Firing | _Open]] = []
        now = self.clock()
        for plan in self.plans:
            firing = self._next(plan)
            if firing is not None:
                found.append((firing.at + plan.put_off(firing), plan, firing))
            again = self._open.get(plan.name)
            if again is not None:
                # Never further off than a pause can be: if it is, the clock was set back.
                found.append((again.at if again.at - now <= PAUSES[-1] else now, plan, again))
        return min(found, key=lambda each: (each[0], each[1].name, isinstance(each[2], _Open)), default=None)

    def _next(self, plan: Plan) -> Firing | None:
        """The next firing after what was done: a clock that is set back a little does not fire twice.

        One that is set back further than any scan may be late was wrong before: it counts anew.
        """
        now = self.clock()
        if plan.name not in self._done or self._done[plan.name] - now > GRACE:
            self._done[plan.name] = now
        return plan.schedule.next(self._done[plan.name])

    def _deal_with(self, plan: Plan, what: Firing | _Open) -> None:
        match what:
            case Firing():
                self._fire(plan, what)
            case _Open():
                self._try(plan, what)

    def _fire(self, plan: Plan, firing: Firing) -> None:
        """Scan for the newest of the firings that are due by now; older ones were overtaken and are counted."""
        now = self.clock()
        newest, overtaken = firing, []
        for later in plan.schedule.after(firing.at):
            if later.at + plan.put_off(later) > now:
                break
            overtaken.append(newest)
            newest = later
        self._state_left(plan, firing)
        self.tally.missed += len(overtaken[:-_MOST_TOLD])
        for each in overtaken[-_MOST_TOLD:]:
            self._miss(plan, each, "overtaken by the next")
            self._done[plan.name] = each.at
        turn = newest.at + plan.put_off(newest)
        if now - turn > GRACE:
            self._done[plan.name] = newest.at
            self._miss(plan, newest, f"its time was more than {GRACE // timedelta(hours=1)} hours ago")
            return
        self._try(plan, _Open(newest, made_up=False, at=now, until=turn + GRACE))

    def _miss(self, plan: Plan, firing: Firing, why: str) -> None:
        self.tally.missed += 1
        self.say(f"{_of(plan)}missed the scan of {_told(plan, firing)}: {why}")
        self.firings.tell(plan.name, firing, "missed", why)

    def _try(self, plan: Plan, what: _Open) -> None:
        """One attempt at a firing; if it gives no run, there is another after a pause, or it is missed."""
        claim = self.firings.claim(plan.name, what.firing)
        self._done[plan.name] = max(what.firing.at, self._done.get(plan.name, what.firing.at))
        self._open.pop(plan.name, None)
        match claim:
            case "done":
                return
            case "busy":
                # Whoever is at it may die of it: then it is ours.
                self._open_again(plan, replace(what, why=what.why or "another instance was at it"), PAUSES[0])
                return
            case Claim():
                self._attempt(plan, what, claim)

    def _attempt(self, plan: Plan, what: _Open, claim: Claim) -> None:
        told = _told(plan, what.firing)
        if what.made_up and not what.failures:
            self.say(f"{_of(plan)}the scan of {told} was missed; making up for it now")
        self.say(f"{_of(plan)}scan of {told} begins")
        night = Night(what.firing.local, what.firing.at, what.made_up, self.stop, plan, claim)
        try:
            status = self.scan(night)
        except Interrupted as problem:
            self._ended(plan, what, claim, problem.exit_status, problem.message, interrupted=True)
        except AuditorError as problem:
            self._ended(plan, what, claim, problem.exit_status, problem.message)
        except Exception as defect:  # noqa: BLE001 - one night's defect must not cost the nights after it
            self._ended(plan, what, claim, CRASHED, f"{type(defect).__name__}: {' '.join(str(defect).split())}")
        else:
            self.tally.by_status[status] += 1
            self.firings.end(claim, "done", f"status {status}")
            self.say(f"{_of(plan)}scan of {told} ended with status {status}")

    def _ended(
        self, plan: Plan, what: _Open, claim: Claim, status: int, why: str, *, interrupted: bool = False
    ) -> None:
        """An attempt that gave no run."""
        self.tally.by_status[status] += 1
        self.say(f"{_of(plan)}scan of {_told(plan, what.firing)} ended with status {status}: {why}")
        self.firings.end(claim, "interrupted" if interrupted else "failed", why)
        if self.stop.is_set():
            return  # the next start makes up for it
        pause = self._pause_after(plan, what)
        tried = replace(what, failures=what.failures + 1, why=why)
        if pause is None:
            self._miss(plan, what.firing, _failed(tried))
            return
        self._open_again(plan, tried, pause)
        minutes = pause // timedelta(minutes=1)
        self.say(f"{_of(plan)}the scan of {_told(plan, what.firing)} is tried again in {minutes} minutes")

    def _open_again(self, plan: Plan, what: _Open, pause: timedelta) -> None:
        self._open[plan.name] = replace(what, at=self.clock() + pause)

    def _pause_after(self, plan: Plan, what: _Open) -> timedelta | None:
        """How long to let a firing rest if it fails now; None if it is to be given up then.

        An attempt begins within `GRACE`, and before the schedule's next firing has its turn.
        """
        if what.failures >= len(PAUSES):
            return None
        pause = PAUSES[what.failures]
        at = self.clock() + pause
        following = plan.schedule.next(what.firing.at)
        overtaken = following is not None and following.at + plan.put_off(following) <= at
        return None if overtaken or at > what.until else pause


def _failed(what: _Open) -> str:
    return f"it failed: {what.why}" if what.failures == 1 else f"it failed {what.failures} times, at last: {what.why}"


def _of(plan: Plan) -> str:
    return f"{plan.name}: " if plan.name else ""


def _told(plan: Plan, firing: Firing) -> str:
    return f"{firing.local} ({plan.schedule.timezone})"
