"""Faults on the way: what passes is repeated until it is whole; what stays is a gap; nothing is ever written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from auditor.collect import Collected, Stopped, collect
from auditor.replica import Quota
from auditor.values import fold
from tests.wire import estate as e
from tests.wire.conftest import Azure

PLATFORM = "/providers/Microsoft.Management/managementGroups/platform"
ONE_OF_EACH = {
    "estate query": {"table": "resources"},
    "extensions query": {"table": "kubernetesconfigurationresources"},
    "assignments query": {"table": "authorizationresources"},
    "computes": {"path": "/computes"},
    "assignments": {"path": "roleAssignments"},
    "deny assignments": {"path": "denyAssignments"},
    "service tags": {"path": "serviceTags"},
    "service principals": {"path": "appId="},
}
PASSING: dict[str, dict[str, Any]] = {
    "429 with Retry-After": {"fault": 429, "retryAfter": "3"},
    "429 without": {"fault": 429},
    "500": {"fault": 500},
    "503": {"fault": 503},
    "reset": {"fault": "reset"},
    "claims challenge": {"fault": "claims-challenge"},
    "expired token": {"fault": "expired-token"},
}
BODIES: dict[str, dict[str, Any]] = {
    "truncated": {"fault": "truncate"},
    "wrong JSON": {"fault": "wrong-json"},
}


@pytest.fixture(scope="module")
def plain(running: Any) -> Collected:
    return Azure(*running).plain()


@pytest.mark.parametrize("fault", (PASSING | BODIES).values(), ids=PASSING | BODIES)
def test_what_passes_leaves_no_trace(azure: Azure, plain: Collected, fault: dict[str, Any]) -> None:
    """Every kind of request meets the fault once, in one collection."""
    azure.replica.set_faults([{"match": match, "times": 1, **fault} for match in ONE_OF_EACH.values()])
    collected = azure.collect()
    assert sum(record.fault is not None for record in azure.replica.requests) == len(ONE_OF_EACH)
    assert collected.gaps == ()
    assert collected.rows == plain.rows


def stays(azure: Azure, match: dict[str, str], fault: dict[str, Any]) -> None:
    azure.replica.set_faults([{"match": match, **fault}])
    collected = azure.collect()
    # The tables of assignments and extensions have a substitute: ARM.
    assert collected.gaps or collected.notes
    assert {record.method for record in azure.replica.requests} == {"GET", "POST"}
    assert "write" not in {record.operation for record in azure.replica.requests}


@pytest.mark.parametrize("match", ONE_OF_EACH.values(), ids=ONE_OF_EACH)
def test_what_stays_is_a_gap_or_is_read_another_way(azure: Azure, match: dict[str, str]) -> None:
    stays(azure, match, PASSING["503"])


@pytest.mark.long
@pytest.mark.parametrize("match", ONE_OF_EACH.values(), ids=ONE_OF_EACH)
@pytest.mark.parametrize("fault", (PASSING | BODIES).values(), ids=PASSING | BODIES)
def test_whatever_stays_is_a_gap_or_is_read_another_way(
    azure: Azure, match: dict[str, str], fault: dict[str, Any]
) -> None:
    stays(azure, match, fault)


def test_throttling_is_counted_and_waited_for_as_told(azure: Azure) -> None:
    azure.replica.set_faults([{"match": {"table": "resources"}, "times": 1, "fault": 429, "retryAfter": "7"}])
    collected = azure.collect()
    assert collected.requests.throttled == 1
    assert collected.requests.retried == 1
    assert 7 in azure.waiting.slept
    assert collected.complete


def test_a_wait_beyond_the_deadline_is_a_gap_at_once(azure: Azure) -> None:
    azure.replica.set_faults([{"match": {"path": "/computes"}, "fault": 429, "retryAfter": "3600"}])
    collected = azure.collect(deadline_s=60.0)
    [gap] = [gap for gap in collected.gaps if gap.scope.endswith("/workspaces/ws")]
    assert gap.reason.startswith("deadline")
    assert gap.required
    assert 3600 not in azure.waiting.slept


def test_the_quota_is_kept_without_being_told_off(own_replica: Callable[..., Azure]) -> None:
    azure = own_replica(page_size=1)
    azure.replica.stop()
    waiting = azure.waiting
    azure = own_replica(page_size=1, quota=Quota(queries=15, window_s=5.0), clock=waiting.monotonic)
    azure.waiting = waiting
    collected = azure.collect()
    assert collected.requests.throttled == 0
    queries = sum(record.operation == "resource-graph" for record in azure.replica.requests)
    assert queries > 30
    # Never faster than the quota, and not much slower than it demands.
    assert (queries // 15 - 1) * 5 <= sum(waiting.slept) / 6 + 5 * 2 + sum(waiting.slept)
    assert collected.complete


def test_max_rps_spaces_requests_out(azure: Azure) -> None:
    collected = azure.collect(max_rps=10.0, threads=1)
    spent = azure.waiting.monotonic() - 1000.0
    assert spent == pytest.approx((collected.requests.total - 1) / 10, rel=0.15)


@pytest.mark.parametrize("fault", ["repeat-row", "lose-row"])
def test_pages_that_lie_are_read_again(own_replica: Callable[..., Azure], fault: str) -> None:
    azure = own_replica(page_size=2)
    azure.replica.set_faults([{"match": {"table": "resources"}, "times": 1, "fault": fault}])
    collected = azure.collect()
    assert any(record.fault for record in azure.replica.requests)
    assert collected.complete


@pytest.mark.parametrize("fault", ["repeat-row", "lose-row"])
def test_pages_that_keep_lying_are_a_required_gap(own_replica: Callable[..., Azure], fault: str) -> None:
    azure = own_replica(page_size=2)
    azure.replica.set_faults([{"match": {"table": "resources"}, "fault": fault}])
    collected = azure.collect()
    [gap] = [gap for gap in collected.gaps if gap.scope == PLATFORM and gap.what == "*"]
    assert gap.required
    assert gap.reason.startswith("paging")


def test_a_next_link_to_another_host_is_not_followed(azure: Azure) -> None:
    azure.replica.set_faults([{"match": {"path": "/computes"}, "fault": "foreign-nextlink"}])
    collected = azure.collect()
    [gap] = [gap for gap in collected.gaps if gap.scope.endswith("/workspaces/ws")]
    assert gap.reason.startswith("foreign-host")
    assert "replica-foreign.invalid" in gap.reason


def test_nor_by_the_sdks_own_paging(azure: Azure) -> None:
    azure.replica.set_faults([{"match": {"path": "denyAssignments"}, "fault": "foreign-nextlink"}])
    collected = azure.collect()
    [gap] = [gap for gap in collected.gaps if gap.what == "microsoft.authorization/denyassignments"]
    assert gap.reason.startswith("foreign-host")


def test_an_empty_page_with_a_next_link_is_not_the_end(azure: Azure, plain: Collected) -> None:
    azure.replica.set_faults([{"match": {"path": "/computes"}, "times": 1, "fault": "empty-page-with-nextlink"}])
    assert azure.collect().rows == plain.rows


def test_no_provider_is_ever_registered(azure: Azure) -> None:
    azure.replica.set_faults(
        [{"match": {"path": "serviceTags|denyAssignments|computes"}, "fault": "missing-registration"}]
    )
    collected = azure.collect()
    assert len(collected.gaps) == 3
    assert "register" not in " ".join(record.path for record in azure.replica.requests if record.method == "POST")
    assert "write" not in {record.operation for record in azure.replica.requests}


def test_it_stops_between_pages_when_asked(azure: Azure) -> None:
    asked = iter([False] * 4)
    with pytest.raises(Stopped):
        collect(azure.request(), clock=azure.waiting.clock, stop=lambda: next(asked, True))


def test_progress_is_told(azure: Azure) -> None:
    told: list[tuple[str, int]] = []
    collect(azure.request(), clock=azure.waiting.clock, progress=lambda stage, done, _: told.append((stage, done)))
    assert list(dict.fromkeys(stage for stage, _ in told))[:2] == ["estate", "computes"]
    assert max(done for _, done in told) >= len({fold(e.CLUSTER)})
