"""When to scan: a cron expression in a time zone, with APScheduler's reading of both, as a pure question of time.

APScheduler 3 numbers weekdays from Monday and reads a day of month together with a weekday as "and". Cron numbers
them from Sunday and reads "or": numbers are translated here, and the combination is refused.
"""

from __future__ import annotations

import difflib
import re
import zoneinfo
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from auditor.errors import UsageProblem

_FIELDS = ("minute", "hour", "day of month", "month", "day of week")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


@dataclass(frozen=True, slots=True)
class Firing:
    """One time at which to scan: the instant (UTC), and the local wall clock's date and time as text.

    The wall clock's time is its identity: where clocks are put back, the hour that repeats does not fire twice.
    """

    at: datetime
    local: str


@dataclass(frozen=True, slots=True)
class Schedule:
    """A cron expression in a time zone. Made by `parse_schedule`."""

    cron: str
    timezone: str
    _trigger: Any  # apscheduler.triggers.cron.CronTrigger, which is not typed
    _zone: zoneinfo.ZoneInfo

    def after(self, instant: datetime) -> Iterator[Firing]:
        """All firings later than an instant, in order; none ends the iteration (a 30th of February)."""
        instant += timedelta(microseconds=1)
        while (found := self._trigger.get_next_fire_time(None, instant.astimezone(self._zone))) is not None:
            at = found.astimezone(UTC)
            wall = found.replace(tzinfo=None, fold=0)
            # Of an hour that repeats, the second half fires what the first half has fired.
            if wall.replace(tzinfo=self._zone).astimezone(UTC) >= at:
                yield Firing(at, wall.isoformat(timespec="minutes"))
            instant = at + timedelta(seconds=1)

    def next(self, instant: datetime) -> Firing | None:
        """The first firing later than an instant; None if there is none."""
        return next(self.after(instant), None)

    def last(self, instant: datetime) -> Firing | None:
        """The newest firing up to an instant, of the last 370 days; None if there is none."""
        for days in (1, 8, 32, 370):
            found = None
            for firing in self.after(instant - timedelta(days=days)):
                if firing.at > instant:
                    break
                found = firing
            if found is not None:
                return found
        return None

    def hint(self, now: datetime) -> str | None:
        """A warning if it fires in an hour that clocks skip or repeat; None if all is well."""
        change = self._next_clock_change(now)
        if change is None:
            return None
        hours = set()
        for count, firing in enumerate(self.after(now)):
            hours.add(int(firing.local[11:13]))
            if count >= 100 or len(hours) == 24:
                break
        if hours.isdisjoint((1, 2, 3)):
            return None
        day = change.astimezone(self._zone).date()
        return (
            f"clocks in {self.timezone} change on {day}: between 1 and 3 o'clock a time may be skipped (it then fires "
            "once, later) or repeated (it fires the first time only); 4 o'clock avoids both"
        )

    def _next_clock_change(self, now: datetime) -> datetime | None:
        """The first full hour after which clocks show another offset, within a year; None if they never change."""
        offset = now.astimezone(self._zone).utcoffset()
        hour = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        for _ in range(370):
            day = hour + timedelta(days=1)
            if day.astimezone(self._zone).utcoffset() != offset:
                hours = (hour + timedelta(hours=each) for each in range(25))
                return next(each for each in hours if each.astimezone(self._zone).utcoffset() != offset)
            hour = day
        return None


def parse_schedule(cron: str, timezone: str) -> Schedule:
    """A schedule from five cron fields (minute, hour, day of month, month, day of week) and an IANA time zone.

    Raises UsageProblem that names the field and the nearest known time zone.
    """
    zone = _zone(timezone)
    fields = cron.split()
    if len(fields) != len(_FIELDS):
        raise UsageProblem(
            f"the cron expression {cron!r} has {len(fields)} fields, not five ({', '.join(_FIELDS)})",
            hint="every night at two: '0 2 * * *'",
        )
    if fields[2] != "*" and fields[4] != "*":
        raise UsageProblem(
            f"the cron expression {cron!r} sets both day of month and day of week",
            hint="cron reads that as either of them, which few mean: set one, and leave the other as *",
        )
    return Schedule(cron, timezone, _trigger(cron, [*fields[:4], _weekdays(fields[4], cron)], zone), zone)


def _trigger(cron: str, fields: list[str], zone: zoneinfo.ZoneInfo) -> Any:
    from apscheduler.triggers.cron import CronTrigger

    names = ("minute", "hour", "day", "month", "day_of_week")
    for label, name, field in zip(_FIELDS, names, fields, strict=True):
        try:
            CronTrigger(timezone=zone, **{name: field})
        except ValueError as error:
            raise UsageProblem(f"the {label} {field!r} of the cron expression {cron!r} is none: {error}") from error
    return CronTrigger(timezone=zone, second=0, **dict(zip(names, fields, strict=True)))


def _weekdays(field: str, cron: str) -> str:
    """Cron's numbers of weekdays (0 and 7 are Sunday) as names, which mean the same everywhere."""
    if not re.search(r"\d", field):
        return field
    names: list[str] = []
    for part in field.split(","):
        names += _weekdays_of(part, cron)
    return ",".join(dict.fromkeys(names))


def _weekdays_of(part: str, cron: str) -> list[str]:
    found = re.fullmatch(r"(\*|[0-7a-zA-Z]+)(?:-([0-7a-zA-Z]+))?(?:/([1-7]))?", part)
    if found is None:
        raise UsageProblem(
            f"the day of week {part!r} of the cron expression {cron!r} is none", hint="0 to 7, or sun to sat"
        )
    first, last, step = found.groups()
    begin = 0 if first == "*" else _weekday(first, cron)
    if last is not None:
        end = _weekday(last, cron)
        end = end + 7 if end < begin else end
    else:
        end = 6 if first == "*" or step is not None else begin
    return [_WEEKDAYS[day % 7] for day in range(begin, end + 1, int(step or 1))]


def _weekday(text: str, cron: str) -> int:
    if text.isdigit() and len(text) == 1:
        return int(text)
    if text.casefold() in _WEEKDAYS:
        return _WEEKDAYS.index(text.casefold())
    raise UsageProblem(
        f"the day of week {text!r} of the cron expression {cron!r} is none", hint="0 to 7, or sun to sat"
    )


def _zone(name: str) -> zoneinfo.ZoneInfo:
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        pass
    known = {each.casefold(): each for each in zoneinfo.available_timezones()}
    near = difflib.get_close_matches(name.casefold(), known, n=1)
    raise UsageProblem(
        f"no time zone {name!r}",
        hint=f"did you mean {known[near[0]]}?" if near else "IANA names such as Asia/Shanghai or Europe/Berlin",
    )
