"""When a schedule fires: time zones, clocks that change, cron's own reading of weekdays."""

from datetime import UTC, datetime
from itertools import islice

import pytest

from auditor.errors import UsageProblem
from auditor.service import parse_schedule


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def firings(cron: str, timezone: str, after: str, count: int) -> list[tuple[str, str]]:
    """(instant in UTC, wall clock) of the next firings."""
    found = islice(parse_schedule(cron, timezone).after(instant(after)), count)
    return [(f"{firing.at:%m-%d %H:%M}", firing.local) for firing in found]


def test_a_zone_without_summer_time() -> None:
    assert firings("0 2 * * *", "Asia/Shanghai", "2026-11-24T00:00", 2) == [
        ("11-24 18:00", "2026-11-25T02:00"),
        ("11-25 18:00", "2026-11-26T02:00"),
    ]


# The instants were worked out by hand from the zones' rules: Berlin 2026 changes on 29 March at 02:00 and on 25 October
# at 03:00, New York on 8 March and 1 November at 02:00.
CLOCK_CHANGES = {
    "skipped hour fires once, an hour later": (
        ("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00"),
        [("03-29 01:30", "2026-03-29T02:30"), ("03-30 00:30", "2026-03-30T02:30")],
    ),
    "repeated hour fires the first time only": (
        ("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00"),
        [("10-25 00:30", "2026-10-25T02:30"), ("10-26 01:30", "2026-10-26T02:30")],
    ),
    "asked between the two": (
        ("30 2 * * *", "Europe/Berlin", "2026-10-25T00:45"),
        [("10-26 01:30", "2026-10-26T02:30")],
    ),
    "New York repeats one o'clock": (
        ("30 1 * * *", "America/New_York", "2026-10-31T12:00"),
        [("11-01 05:30", "2026-11-01T01:30"), ("11-02 06:30", "2026-11-02T01:30")],
    ),
    "every half hour through the repeated hour": (
        ("*/30 * * * *", "Europe/Berlin", "2026-10-24T23:45"),
        [("10-25 00:00", "2026-10-25T02:00"), ("10-25 00:30", "2026-10-25T02:30"), ("10-25 02:00", "2026-10-25T03:00")],
    ),
}


@pytest.mark.parametrize(("asked", "expected"), CLOCK_CHANGES.values(), ids=CLOCK_CHANGES)
def test_clock_changes(asked: tuple[str, str, str], expected: list[tuple[str, str]]) -> None:
    assert firings(*asked, len(expected)) == expected


WEEKDAYS = {
    "0 is Sunday": ("0", {"Sun"}),
    "7 is Sunday": ("7", {"Sun"}),
    "1 is Monday": ("1", {"Mon"}),
    "a range": ("1-5", {"Mon", "Tue", "Wed", "Thu", "Fri"}),
    "a range to Sunday": ("5-7", {"Fri", "Sat", "Sun"}),
    "a list": ("1,3", {"Mon", "Wed"}),
    "a step": ("*/2", {"Sun", "Tue", "Thu", "Sat"}),
    "a step in a range": ("1-5/2", {"Mon", "Wed", "Fri"}),
    "names": ("mon-wed", {"Mon", "Tue", "Wed"}),
    "names and numbers": ("sat,0", {"Sat", "Sun"}),
    "a range over Sunday": ("6-1", {"Sat", "Sun", "Mon"}),
    "a range from Sunday as 7": ("7-2", {"Sun", "Mon", "Tue"}),
    "the whole week": ("0-7", {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"}),
}


@pytest.mark.parametrize(("field", "days"), WEEKDAYS.values(), ids=WEEKDAYS)
def test_weekdays_are_crons(field: str, days: set[str]) -> None:
    week = islice(parse_schedule(f"0 2 * * {field}", "UTC").after(instant("2026-11-22T03:00")), len(days))
    assert {f"{firing.at:%a}" for firing in week} == days


def test_a_day_that_never_comes() -> None:
    schedule = parse_schedule("0 2 30 2 *", "UTC")
    assert schedule.next(instant("2026-01-01T00:00")) is None
    assert schedule.last(instant("2026-01-01T00:00")) is None


LAST = {
    "today's": ("0 2 * * *", "2026-11-24T02:00", "2026-11-24T02:00"),
    "yesterday's": ("0 2 * * *", "2026-11-24T01:59", "2026-11-23T02:00"),
    "last week's": ("0 2 * * 1", "2026-11-22T12:00", "2026-11-16T02:00"),
    "last year's": ("0 2 1 12 *", "2026-11-30T12:00", "2025-12-01T02:00"),
}


@pytest.mark.parametrize(("cron", "now", "expected"), LAST.values(), ids=LAST)
def test_last_firing(cron: str, now: str, expected: str) -> None:
    found = parse_schedule(cron, "UTC").last(instant(now))
    assert found is not None
    assert found.local == expected


MISTAKES = {
    "too few fields": ("0 2 * *", "UTC", "has 4 fields, not five", "0 2 * * *"),
    "no such hour": ("0 25 * * *", "UTC", "the hour '25'", None),
    "not a minute": ("two 2 * * *", "UTC", "the minute 'two'", None),
    "no such weekday": ("0 2 * * 8", "UTC", "the day of week '8'", "0 to 7"),
    "no such name of a weekday": ("0 2 * * 1,funday", "UTC", "the day of week", None),
    "day of month and weekday": ("0 2 1 * 1", "UTC", "sets both", "either"),
    "misspelt zone": ("0 2 * * *", "Asia/Shanghia", "no time zone 'Asia/Shanghia'", "Asia/Shanghai"),
    "zone in the wrong case": ("0 2 * * *", "europe/berlinn", "no time zone", "Europe/Berlin"),
    "zone that is a path": ("0 2 * * *", "../../etc/passwd", "no time zone", None),
    "zone that is a directory": ("0 2 * * *", "Europe", "no time zone", None),
    "no zone": ("0 2 * * *", "", "no time zone", "IANA"),
}


@pytest.mark.parametrize(("cron", "timezone", "message", "hint"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes_are_named(cron: str, timezone: str, message: str, hint: str | None) -> None:
    with pytest.raises(UsageProblem) as caught:
        parse_schedule(cron, timezone)
    assert message in caught.value.message
    assert hint is None or (caught.value.hint is not None and hint in caught.value.hint)


HINTS = {
    "an hour that clocks change": ("30 2 * * *", "Europe/Berlin", "2027-03-28"),
    "an hour that clocks leave alone": ("0 4 * * *", "Europe/Berlin", None),
    "clocks that never change": ("30 2 * * *", "Asia/Shanghai", None),
    "one of several hours": ("0 2,14 * * *", "America/New_York", "2027-03-14"),
}


@pytest.mark.parametrize(("cron", "timezone", "day"), HINTS.values(), ids=HINTS)
def test_hours_that_clocks_change_are_warned_of(cron: str, timezone: str, day: str | None) -> None:
    hint = parse_schedule(cron, timezone).hint(instant("2026-11-24T00:00"))
    assert (hint is None) == (day is None)
    assert day is None or day in str(hint)
