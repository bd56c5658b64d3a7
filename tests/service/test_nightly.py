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
    assert (tally.by_status, tally.missed) == ({4: 6, 70: 6, 3: 1}, 2)
    assert "scan of 2026-11-25T02:00 (UTC) ended with status 4: the endpoint is down" in simulation.lines
    assert (
        "missed the scan of 2026-11-26T02:00 (UTC): it failed 6 times, at last: ZeroDivisionError: a defect with lines"
        in simulation.lines
    )


def test_a_scan_that_fails_is_tried_again_with_growing_pauses_until_it_works() -> None:
    simulation = Simulation(until=days(1))
    begun: list[datetime] = []

    def fail_thrice(night: Night) -> int:
        begun.append(simulation.now)
        if len(begun) < 4:
            raise NothingRead("the authority is down")
        return 0

    simulation.at_night = fail_thrice
    tally = simulation.run()
    due = datetime(2026, 11, 25, 2, tzinfo=UTC)
    assert begun == [due + timedelta(minutes=minutes) for minutes in (0, 5, 15, 35)]
    assert (tally.by_status, tally.missed) == ({4: 3, 0: 1}, 0)
    assert "the scan of 2026-11-25T02:00 (UTC) is tried again in 5 minutes" in simulation.lines
    assert "scan of 2026-11-25T02:00 (UTC) ended with status 0" in simulation.lines


def test_a_scan_that_never_works_is_missed_within_its_window() -> None:
    simulation = Simulation(until=days(1))
    begun: list[datetime] = []

    def fail(night: Night) -> int:
        begun.append(simulation.now)
        simulation.now += timedelta(hours=1)  # it takes that long to find out
        raise NothingRead("the authority is down")

    simulation.at_night = fail
    tally = simulation.run()
    due = datetime(2026, 11, 25, 2, tzinfo=UTC)
    assert begun[-1] <= due + timedelta(hours=6)
    assert tally.missed == 1
    assert (
        f"missed the scan of 2026-11-25T02:00 (UTC): it failed {len(begun)} times, at last: the authority is down"
        in simulation.lines
    )


def test_a_scan_that_fails_gives_way_to_the_next_of_its_schedule() -> None:
    simulation = Simulation(until=START + timedelta(minutes=59))
    begun: list[tuple[str, datetime]] = []

    def fail(night: Night) -> int:
        begun.append((night.local[-5:], simulation.now))
        raise NothingRead("the authority is down")

    simulation.at_night = fail
    tally = simulation.run("*/30 * * * *")
    # after 5 and 10 minutes; the third attempt would begin after the next was due
    assert [local for local, _ in begun] == ["12:30"] * 3
    assert tally.missed == 1
    assert any("missed the scan of 2026-11-24T12:30 (UTC): it failed 3 times" in line for line in simulation.lines)


def test_a_failed_scan_that_the_next_overtakes_is_stated_at_once() -> None:
    simulation = Simulation(until=START + timedelta(hours=7))

    def fail_first(night: Night) -> int:
        if len(simulation.nights) == 1:
            raise NothingRead("the authority is down")
        return 0

    def sleep() -> None:  # over the second attempt, and over the next firing
        if len(simulation.nights) == 1:
            simulation.now = datetime(2026, 11, 24, 18, 0, 1, tzinfo=UTC)

    simulation.at_night, simulation.at_wait = fail_first, sleep
    tally = simulation.run("0 */3 * * *")
    assert simulation.scanned == ["2026-11-24T15:00", "2026-11-24T15:00", "2026-11-24T18:00"]
    assert tally.missed == 0


def test_a_failed_scan_that_two_others_overtook_is_stated() -> None:
    simulation = Simulation(until=START + timedelta(hours=13))

    def fail_first(night: Night) -> int:
        if len(simulation.nights) == 1:
            simulation.now = datetime(2026, 11, 24, 17, 59, 50, tzinfo=UTC)  # it took long to find out
            raise NothingRead("the authority is down")
        return 0

    simulation.at_night = fail_first
    tally = simulation.run("0 */3 * * *")
    assert simulation.scanned == ["2026-11-24T15:00", "2026-11-24T18:00", "2026-11-24T21:00", "2026-11-25T00:00"]
    assert tally.missed == 1
    assert "missed the scan of 2026-11-24T15:00 (UTC): it failed: the authority is down" in simulation.lines


def test_a_stop_while_a_scan_waits_for_its_next_attempt_ends_at_once() -> None:
    simulation = Simulation(until=days(1))

    def fail(night: Night) -> int:
        simulation.stop.set()
        raise NothingRead("the authority is down")

    simulation.at_night = fail
    tally = simulation.run()
    assert (tally.by_status, tally.missed) == ({4: 1}, 0)


def test_a_clock_set_back_does_not_put_off_the_next_attempt_for_years() -> None:
    simulation = Simulation(until=days(1))
    simulation.now = datetime(2036, 11, 25, 1, tzinfo=UTC)
    simulation.until = datetime(2036, 11, 25, 12, tzinfo=UTC)
    begun: list[datetime] = []

    def fail_once(night: Night) -> int:
        begun.append(simulation.now)
        if len(begun) == 1:
            raise NothingRead("the authority is down")
        simulation.stop.set()
        return 0

    def set_back() -> None:
        if len(begun) == 1 and simulation.now.year == 2036:
            simulation.now = datetime(2026, 11, 25, 3, tzinfo=UTC)

    simulation.at_night, simulation.at_wait = fail_once, set_back
    simulation.run()
    assert len(begun) == 2
    assert begun[1] < datetime(2026, 11, 25, 4, tzinfo=UTC)


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
