"""The quota governor, on a clock that stands still: when the next request may leave."""

from __future__ import annotations

import threading

import pytest

from auditor.collect.governor import DeadlinePassed, Governor, resets_after_s, retry_after_s
from tests.wire.conftest import Waiting


@pytest.fixture
def waiting() -> Waiting:
    return Waiting()


def answered(governor: Governor, headers: dict[str, str], status: int = 200, *, graph: bool = True) -> None:
    governor.acquire("q", None, resource_graph=graph)
    governor.release("q", None, status, headers, resource_graph=graph, is_retry=False)


def quota(remaining: int, after: str) -> dict[str, str]:
    return {"x-ms-user-quota-remaining": str(remaining), "x-ms-user-quota-resets-after": after}


def test_one_goes_ahead_while_nothing_is_known(waiting: Waiting) -> None:
    governor = Governor(waiting.clock)
    governor.acquire("q", None, resource_graph=True)
    through: list[int] = []

    def go() -> None:
        governor.acquire("q", None, resource_graph=True)
        through.append(int(sum(waiting.slept)))

    second = threading.Thread(target=go)
    second.start()
    assert through == []
    governor.release("q", None, 200, quota(0, "00:00:03"), resource_graph=True, is_retry=False)
    second.join()
    assert through == [3]


def test_without_quota_headers_nothing_is_held(waiting: Waiting) -> None:
    governor = Governor(waiting.clock)
    answered(governor, {})
    for _ in range(20):
        governor.acquire("q", None, resource_graph=True)
    assert waiting.slept == []


def test_waiting_is_told(waiting: Waiting) -> None:
    told: list[float] = []
    governor = Governor(waiting.clock, on_wait=told.append)
    governor.wait(0.4)
    governor.wait(4.0)
    assert told == [4.0]


def test_a_used_up_quota_is_waited_for(waiting: Waiting) -> None:
    governor = Governor(waiting.clock)
    answered(governor, quota(0, "00:00:04"))
    governor.acquire("q", None, resource_graph=True)
    assert sum(waiting.slept) == 4


def test_what_is_under_way_counts_against_what_is_left(waiting: Waiting) -> None:
    governor = Governor(waiting.clock)
    answered(governor, quota(2, "00:00:05"))
    governor.acquire("q", None, resource_graph=True)
    governor.acquire("q", None, resource_graph=True)
    assert waiting.slept == []
    governor.acquire("q", None, resource_graph=True)
    assert sum(waiting.slept) == 5


def test_others_of_the_same_quota_are_noticed(waiting: Waiting) -> None:
    governor = Governor(waiting.clock)
    answered(governor, quota(12, "00:00:05"))
    answered(governor, quota(0, "00:00:05"))  # somebody else took eleven
    governor.acquire("q", None, resource_graph=True)
    assert sum(waiting.slept) == 5


def test_an_answer_that_comes_late_does_not_raise_the_count(waiting: Waiting) -> None:
    governor = Governor(waiting.clock)
    answered(governor, quota(0, "00:00:05"))
    governor.release("q", None, 200, {"x-ms-user-quota-remaining": "3", "x-ms-user-quota-resets-after": "00:00:05"},
                     resource_graph=True, is_retry=False)  # fmt: skip
    governor.acquire("q", None, resource_graph=True)
    assert sum(waiting.slept) == 5


def test_the_end_of_a_window_is_the_earliest_that_any_answer_tells(waiting: Waiting) -> None:
    governor = Governor(waiting.clock)
    answered(governor, quota(9, "00:00:05"))
    waiting.clock.sleep(4.5)
    answered(governor, quota(0, "00:00:01"))  # half a second, rounded up: not 5.5 behind the first answer
    governor.acquire("q", None, resource_graph=True)
    assert sum(waiting.slept) == 5


def test_a_clock_that_cuts_off_seconds_is_learned_from_one_429(waiting: Waiting) -> None:
    governor = Governor(waiting.clock)
    answered(governor, quota(0, "00:00:04"))  # in truth 4.9
    answered(governor, {**quota(0, "00:00:00"), "retry-after": "1"}, 429)
    answered(governor, quota(0, "00:00:04"))
    governor.acquire("q", None, resource_graph=True)
    assert waiting.slept == [4, 2, 5]


def test_a_429_holds_all_threads_until_retry_after(waiting: Waiting) -> None:
    governor = Governor(waiting.clock)
    answered(governor, {"retry-after": "9"}, 429)
    governor.acquire("q", None, resource_graph=True)
    assert sum(waiting.slept) == 9
    assert governor.requests().throttled == 1


def test_arm_is_slowed_to_the_refill_rate_before_the_bucket_is_empty(waiting: Waiting) -> None:
    governor = Governor(waiting.clock)
    answered(governor, {"x-ms-ratelimit-remaining-subscription-reads": "10"}, graph=False)
    governor.acquire("q", None, resource_graph=False)
    assert sum(waiting.slept) == pytest.approx(1 / 25)


def test_arm_budgets_are_apart_for_each_subscription(waiting: Waiting) -> None:
    governor = Governor(waiting.clock)
    governor.acquire("q", "a", resource_graph=False)
    governor.release("q", "a", 429, {"retry-after": "60"}, resource_graph=False, is_retry=False)
    governor.acquire("q", "b", resource_graph=False)
    governor.acquire("q", None, resource_graph=True)
    assert waiting.slept == []


def test_max_rps_caps_everything(waiting: Waiting) -> None:
    governor = Governor(waiting.clock, max_rps=2.0)
    governor.graph.heard = True
    for graph in (True, False, True):
        governor.acquire("q", None, resource_graph=graph)
    assert sum(waiting.slept) == pytest.approx(1.0)


def test_no_wait_beyond_the_deadline(waiting: Waiting) -> None:
    governor = Governor(waiting.clock, deadline=waiting.monotonic() + 3)
    answered(governor, quota(0, "00:00:04"))
    with pytest.raises(DeadlinePassed):
        governor.acquire("q", None, resource_graph=True)
    assert waiting.slept == []


def test_nothing_leaves_after_the_deadline(waiting: Waiting) -> None:
    governor = Governor(waiting.clock, deadline=waiting.monotonic())
    with pytest.raises(DeadlinePassed):
        governor.acquire("q", None, resource_graph=False)


TIMES = {"00:00:05": 5.0, "01:02:03": 3723.0, "00:00:00.5": 0.5, "7": 7.0, "": None, "soon": None, "-1": None}


@pytest.mark.parametrize(("text", "seconds"), TIMES.items(), ids=[repr(text) for text in TIMES])
def test_resets_after(text: str, seconds: float | None) -> None:
    assert resets_after_s(text) == seconds


@pytest.mark.parametrize(("text", "seconds"), [("3", 3.0), ("-3", 0.0), ("Tue, 24 Nov 2026 02:00:00 GMT", None)])
def test_retry_after(text: str, seconds: float | None) -> None:
    assert retry_after_s({"retry-after": text}) == seconds
