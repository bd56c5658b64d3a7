"""The nightly loop, by a clock that only the tests turn."""

import os
import signal
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from auditor.errors import NothingRead
from auditor.service import Night, Tally, parse_schedule, serve

START = datetime(2026, 11, 24, 12, tzinfo=UTC)


class Simulation:
    """A service under a clock of its own: waiting turns it, and it stops at an hour that the test names."""

    def __init__(self, until: datetime) -> None:
        self.now = START
        self.until = until
        self.stop = threading.Event()
        self.nights: list[Night] = []
        self.lines: list[str] = []
        self.waits = 0
        self.at_night: Callable[[Night], int] = lambda night: 0
        self.at_wait: Callable[[], None] = lambda: None

    def run(self, cron: str = "0 2 * * *", timezone: str = "UTC", last_started: datetime | None = None) -> Tally:
        return serve(
            parse_schedule(cron, timezone),
            self._scan,
            say=self.lines.append,
            stop=self.stop,
            clock=lambda: self.now,
            wait=self._wait,
            last_started=last_started,
        )

    @property
    def scanned(self) -> list[str]:
        return [night.local for night in self.nights]

    def _scan(self, night: Night) -> int:
        self.nights.append(night)
        assert len(self.nights) < 100, "it scans without end"
        return self.at_night(night)

    def _wait(self, seconds: float) -> bool:
        assert 0 < seconds <= 60
        self.waits += 1
        assert self.waits < 20_000, "it waits for a night that never comes"
        self.at_wait()
        self.now += timedelta(seconds=seconds)
        return self.stop.is_set() or self.now >= self.until


def days(count: float) -> datetime:
    return START + timedelta(days=count)


def test_every_night_is_scanned_once() -> None:
    simulation = Simulation(until=days(3))
    tally = simulation.run()
    assert simulation.scanned == ["2026-11-25T02:00", "2026-11-26T02:00", "2026-11-27T02:00"]
    assert (tally.by_status, tally.missed) == ({0: 3}, 0)
    assert simulation.lines[0] == "next scan: 2026-11-25T02:00 (UTC)"
    assert simulation.lines[-1] == "stopped: 3 scans (3 with status 0), 0 missed"


def test_a_failing_night_costs_no_other() -> None:
    simulation = Simulation(until=days(3))

    def fail_twice(night: Night) -> int:
        if night.local.startswith("2026-11-25"):
            raise NothingRead("the endpoint is down")
        if night.local.startswith("2026-11-26"):
            raise ZeroDivisionError("a defect\nwith lines")
        return 3

    simulation.at_night = fail_twice
    tally = simulation.run()
    assert tally.by_status == {4: 1, 70: 1, 3: 1}
    assert "scan of 2026-11-25T02:00 (UTC) ended with status 4: the endpoint is down" in simulation.lines
    assert (
        "scan of 2026-11-26T02:00 (UTC) ended with status 70: ZeroDivisionError: a defect with lines"
        in simulation.lines
    )


def test_a_scan_longer_than_a_day_overtakes_nights_that_are_counted() -> None:
    simulation = Simulation(until=days(4))

    def long(night: Night) -> int:
        if len(simulation.nights) == 1:
            simulation.now += timedelta(hours=50)  # from the 25th, 02:00, to the 27th, 04:00
        return 0

    simulation.at_night = long
    tally = simulation.run()
    # 26th and 27th fell due meanwhile: one scan for both.
    assert simulation.scanned == ["2026-11-25T02:00", "2026-11-27T02:00", "2026-11-28T02:00"]
    assert tally.missed == 1
    assert "missed the scan of 2026-11-26T02:00 (UTC): overtaken by the next" in simulation.lines


@pytest.mark.parametrize(("late_h", "scans"), [(5.9, 1), (6.1, 0)])
def test_a_machine_that_slept_too_long_misses_the_night_and_says_so(late_h: float, scans: int) -> None:
    simulation = Simulation(until=days(1))

    def sleep() -> None:
        if simulation.now < datetime(2026, 11, 24, 13, tzinfo=UTC):
            simulation.now = datetime(2026, 11, 25, 2, tzinfo=UTC) + timedelta(hours=late_h, minutes=-1)

    simulation.at_wait = sleep
    tally = simulation.run()
    assert (tally.by_status.total(), tally.missed) == (scans, 1 - scans)
    assert any("more than 6 hours ago" in line for line in simulation.lines) == (scans == 0)


MAKE_UPS = {
    "never scanned: nothing was missed": (None, []),
    "last night was scanned": (datetime(2026, 11, 24, 2, 0, 5, tzinfo=UTC), []),
    "last night was missed": (datetime(2026, 11, 23, 2, 0, 5, tzinfo=UTC), ["2026-11-24T02:00"]),
    "a week was missed: one scan": (datetime(2026, 11, 17, 2, 0, 5, tzinfo=UTC), ["2026-11-24T02:00"]),
}


@pytest.mark.parametrize(("last_started", "made_up"), MAKE_UPS.values(), ids=MAKE_UPS)
def test_a_night_missed_during_downtime_is_made_up_once(last_started: datetime | None, made_up: list[str]) -> None:
    simulation = Simulation(until=days(1))
    simulation.run(last_started=last_started)
    assert [night.local for night in simulation.nights if night.made_up] == made_up
    assert [night.local for night in simulation.nights if not night.made_up] == ["2026-11-25T02:00"]


def test_a_clock_set_back_an_hour_does_not_scan_twice() -> None:
    simulation = Simulation(until=days(2))

    def set_back(night: Night) -> int:
        if len(simulation.nights) == 1:
            simulation.now -= timedelta(hours=1)
        return 0

    simulation.at_night = set_back
    simulation.run()
    assert simulation.scanned == ["2026-11-25T02:00", "2026-11-26T02:00"]


def test_a_clock_that_was_years_ahead_does_not_silence_the_service() -> None:
    simulation = Simulation(until=days(2))
    jumps = [datetime(2036, 1, 1, 2, tzinfo=UTC), START]

    def jump() -> None:
        if jumps:
            simulation.now = jumps.pop(0)

    simulation.at_wait = jump
    simulation.until = datetime(2040, 1, 1, tzinfo=UTC)

    def stop_on_the_26th(night: Night) -> int:
        if night.local.startswith("2026-11-26"):
            simulation.stop.set()
        return 0

    simulation.at_night = stop_on_the_26th
    simulation.run()
    assert simulation.scanned[-2:] == ["2026-11-25T02:00", "2026-11-26T02:00"]


def test_the_repeated_hour_is_scanned_once() -> None:
    simulation = Simulation(until=datetime(2026, 10, 26, 12, tzinfo=UTC))
    simulation.now = datetime(2026, 10, 24, 12, tzinfo=UTC)
    simulation.run("30 2 * * *", "Europe/Berlin")
    assert simulation.scanned == ["2026-10-25T02:30", "2026-10-26T02:30"]
    assert simulation.lines[0].startswith("warning: clocks in Europe/Berlin change on 2026-10-25")


def test_a_schedule_that_never_fires_ends() -> None:
    simulation = Simulation(until=days(1))
    simulation.run("0 2 30 2 *")
    assert simulation.scanned == []
    assert "the schedule '0 2 30 2 *' never fires again" in simulation.lines


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_in_mid_scan_reaches_the_scan_and_ends_the_service(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    simulation = Simulation(until=days(9))

    def told_to_stop(night: Night) -> int:
        os.kill(os.getpid(), number)
        # The scan sees the flag; it is given the time that setting it takes, and no more is needed.
        assert night.stop.wait(timeout=60)
        return 3

    simulation.at_night = told_to_stop
    tally = simulation.run()
    assert tally.by_status == {3: 1}
    assert f"{number.name}: stopping" in simulation.lines
    assert signal.getsignal(number) == before


def test_a_signal_between_scans_ends_the_waiting() -> None:
    lines: list[str] = []
    timer = threading.Timer(0, os.kill, (os.getpid(), signal.SIGTERM))

    def say(line: str) -> None:
        lines.append(line)
        if line.startswith("next scan"):
            timer.start()

    # The real waiter and a clock that stands still: without the signal, this would never end.
    serve(parse_schedule("0 2 * * *", "UTC"), lambda night: 0, say=say, clock=lambda: START)
    timer.join()
    assert lines[-1] == "stopped: 0 scans (none), 0 missed"
