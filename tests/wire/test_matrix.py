"""Each request of a scan goes wrong in each way: the part of the matrix that is quick, the whole as `long`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from auditor.replica import faults
from tests.wire import matrix as m

QUICK = ("429, Retry-After", "500", "reset", "truncated", "wrong JSON", "wrong type", "expired token", "row repeated")
"""Faults that pass, and that take no time of their own."""
SLOW = ("timeout", "drip")


@pytest.fixture(scope="module")
def worlds() -> Iterator[dict[str, m.World]]:
    with m.running("indexed") as indexed, m.running("bare") as bare:
        yield {"indexed": indexed, "bare": bare}


def of(world: str) -> list[str]:
    return [kind for kind, (where, _) in m.KINDS.items() if where == world]


def kinds_of(world: m.World) -> dict[str, set[str]]:
    """Which kinds of requests the plans of the world's kinds meet in an undisturbed scan, by request."""
    met: dict[str, set[str]] = {}
    for kind in m.KINDS:
        plan = faults.read([{"match": m.KINDS[kind][1], "fault": 503}])
        for record in world.plain().requests:
            target = f"{record.path}?{record.query}" if record.query else record.path
            if record.table:
                # The text of a query is not on record; its table is, and no other kind has a say there.
                if m.KINDS[kind][1].get("table") == record.table:
                    met.setdefault(record.table, set()).add(kind)
                continue
            asked = faults.Request(record.method, target, record.operation, record.type)
            if plan.fault_for(asked) is not None:
                met.setdefault(target, set()).add(kind)
    return met


@pytest.mark.parametrize("name", ["indexed", "bare"])
def test_every_request_of_a_scan_is_of_a_kind(worlds: dict[str, m.World], name: str) -> None:
    world = worlds[name]
    met = kinds_of(world)
    for record in world.plain().requests:
        target = f"{record.path}?{record.query}" if record.query else record.path
        assert record.table in met or target in met, target


@pytest.mark.parametrize("kind", m.KINDS)
def test_every_kind_is_asked_and_its_loss_passes_nothing(worlds: dict[str, m.World], kind: str) -> None:
    """Refused for good: the ending that the page promises, and no write, no green, no end beyond the deadline."""
    case = m.Case(kind, "403", True)
    ending, wrong = m.run(worlds[case.world], case)
    assert wrong == []
    assert ending == m.written()[case]


def batch(world: str, fault: str) -> list[dict[str, Any]]:
    """The fault once at every kind of request of a world that the page says gets over it."""
    promised = m.written()
    wanted = [case for kind in of(world) if promised.get(case := m.Case(kind, fault, False)) == m.COMPLETE]
    assert len(wanted) > len(of(world)) / 2
    return [case.plan[0] for case in wanted]


@pytest.mark.parametrize("fault", QUICK)
@pytest.mark.parametrize("name", ["indexed", "bare"])
def test_what_passes_leaves_no_trace(worlds: dict[str, m.World], name: str, fault: str) -> None:
    plan = batch(name, fault)
    ended = worlds[name].scanned(plan)
    assert m.wrongs(worlds[name], None, ended) == []
    assert sum(record.fault is not None for record in ended.requests) == len(plan)
    assert m.ending(worlds[name], ended) == m.COMPLETE


@pytest.mark.parametrize("fault", SLOW)
def test_a_silent_or_dripping_answer_is_given_up_and_asked_for_again(worlds: dict[str, m.World], fault: str) -> None:
    world = worlds["indexed"]
    plan = [m.Case(kind, fault, False).plan[0] for kind in ("sign-in: token", "estate", "computes", "deny assignments")]
    ended = world.scanned(plan)
    assert m.wrongs(world, None, ended) == []
    assert sum(record.fault is not None for record in ended.requests) == len(plan)
    assert m.ending(world, ended) == m.COMPLETE


@pytest.mark.parametrize("kind", ["computes", "estate", "memberships"])
def test_a_certificate_that_changes_is_not_trusted(worlds: dict[str, m.World], kind: str) -> None:
    world = worlds["indexed"]
    ended = world.scanned(m.Case(kind, "certificate", True).plan)
    assert m.wrongs(world, None, ended) == []
    assert m.ending(world, ended) in (m.GAP, m.NOTHING)


@pytest.mark.parametrize("fault", ["cluster deleted", "NSG deleted"])
@pytest.mark.parametrize("kind", ["references", "computes", "confirm: resource"])
def test_a_deletion_between_two_requests_passes_nothing(worlds: dict[str, m.World], kind: str, fault: str) -> None:
    ending, wrong = m.run(worlds["indexed"], m.Case(kind, fault, False))
    assert wrong == []
    assert ending in (m.TOLD, m.GAP)


def test_repeated_refusals_leave_connections_for_the_others(worlds: dict[str, m.World]) -> None:
    """An answer of 429 that is tried again gives its connection back: there are six, and more answers than that."""
    world = worlds["indexed"]
    plan = [{"match": {"path": "transitiveMemberOf|roleAssignments"}, "fault": 429, "retryAfter": "1"}]
    ended = world.scanned(plan)
    assert sum(record.status == 429 for record in ended.requests) > 6
    assert m.wrongs(world, None, ended) == []


def test_the_page_has_a_cell_for_every_case() -> None:
    assert set(m.written()) == set(m.cases())
    assert set(m.written().values()) <= set(m.MEANINGS)


@pytest.mark.long
@pytest.mark.parametrize("case", m.cases(), ids=lambda case: case.label)
def test_every_case_ends_as_the_page_says(worlds: dict[str, m.World], case: m.Case) -> None:
    ending, wrong = m.run(worlds[case.world], case)
    assert wrong == []
    # Which connections outlive a change of certificate, and so what is still read over them, differs from run to run.
    assert case.fault == "certificate" or ending == m.written()[case]
