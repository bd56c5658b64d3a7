"""What a history keeps and tells, on SQLite and PostgreSQL alike."""

from __future__ import annotations

import msgspec
import pytest
import sqlalchemy as sa

from auditor.drift import compare
from auditor.errors import UsageProblem
from auditor.findings import Finding, Report, ResourceChange, Topology, TopologyNode, Waiver
from auditor.history import HistoryProblem, open_history
from auditor.history.rows import packed_resource, unpacked_resource
from auditor.history.store import History
from tests.nights import ONE, TWO, finding, listed, night, resource, states

AKS, OTHER = resource("aks"), resource("other", TWO)
SCOPES = (ONE, TWO)


def save(history: History, report: Report) -> Report:
    """Compare with the baseline and keep, as a scan does."""
    resources = listed(*sorted({each.resource.id for each in report.findings}))
    compared = compare(report, history.baseline_for(SCOPES), resources=resources)
    history.save(compared, resources)
    return compared


def c(outcome: str, **more: object) -> Finding:
    return msgspec.structs.replace(finding("c", AKS, outcome), **more)


def test_every_report_comes_back_as_it_was(url: str) -> None:
    hostile = finding("c", resource("x"), "fail", name="<b>\u202e'\"$(id)\N{SNOWMAN}\0", effect=["a", "b"])
    waived = c("fail", waiver=Waiver(owner="me", reason="so", expires="2027-01-01"), confirmed=True)
    with open_history(url) as history:
        kept = [
            save(history, night(1, waived, hostile)),
            save(history, night(2, c("fail", confirmed=False), finding("c", resource("x"), "fail", effect=["b"]))),
            save(history, night(3, c("unknown"), checks={"c": 1}, unread=[TWO])),
            save(history, night(4, checks={"c": 2})),
            save(history, night(5, c("fail"), checks={"c": 1})),
        ]
        assert [history.report(each.run.id) for each in kept] == kept
    with open_history(url) as history:
        assert [history.report(each.run.id) for each in kept] == kept


def network(cluster: str, *names: str) -> Topology:
    """A cluster and what stands around it."""
    nodes = tuple(TopologyNode(key=name, kind="subnet", name=name) for name in names)
    return Topology(cluster=resource(cluster), nodes=nodes, edges=())


def test_networks_come_back_as_each_run_saw_them_and_are_kept_once(url: str) -> None:
    seen = [
        (network("a", "x"), network("b", "y")),
        (network("a", "x"), network("b", "y")),
        (network("a", "x", "z"), network("b", "y")),
        (network("b", "y"),),
        (network("a", "x"), network("b", "y")),
    ]
    with open_history(url) as history:
        kept = [
            save(history, msgspec.structs.replace(night(at, c("fail")), topologies=topologies))
            for at, topologies in enumerate(seen, 1)
        ]
        assert [history.report(each.run.id).topologies for each in kept] == seen
        with history._engine.connect() as connection:
            assert connection.execute(sa.text("SELECT count(*) FROM topology")).scalar() == 4
        history.prune(keep=1)
        assert history.report(kept[-1].run.id).topologies == seen[-1]
        with history._engine.connect() as connection:
            assert connection.execute(sa.text("SELECT count(*) FROM topology")).scalar() == 2


def test_an_unchanged_night_adds_one_row(url: str) -> None:
    with open_history(url) as history:
        findings = [finding("c", resource(f"aks{number}"), "fail") for number in range(50)]
        save(history, night(1, *findings))
        save(history, night(2, *findings))
        before = rows(history)
        save(history, night(3, *findings))
        after = rows(history)
    assert {table: after[table] - before[table] for table in after if after[table] != before[table]} == {"run": 1}


def rows(history: History) -> dict[str, int]:
    from auditor.history.tables import metadata

    with history._engine.connect() as connection:
        return {
            table.name: connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
            for table in metadata.sorted_tables
        }


def test_saving_a_run_again_changes_nothing(url: str) -> None:
    with open_history(url) as history:
        report = save(history, night(1, c("fail")))
        before = rows(history)
        history.save(report, listed(AKS))
        assert rows(history) == before
        with pytest.raises(HistoryProblem, match="another run with the id run-001"):
            history.save(night(1, c("fail"), unread=[ONE]))
        assert history.report("run-001") == report


BASELINES = {
    "nothing yet": ([], "auto", None),
    "the newest complete": ([(1, True), (2, True)], "auto", 2),
    "an incomplete one does not count": ([(1, True), (2, False)], "auto", 1),
    "only incomplete ones": ([(1, False)], "auto", None),
    "none is wanted": ([(1, True)], "none", None),
    "a run by its id": ([(1, True), (2, True)], "run-001", 1),
    "an incomplete run by its id": ([(1, True), (2, False)], "run-002", 2),
}


@pytest.mark.parametrize(("runs", "choice", "expected"), BASELINES.values(), ids=BASELINES)
def test_choosing_a_baseline(runs: list[tuple[int, bool]], choice: str, expected: int | None) -> None:
    with open_history("sqlite://") as history:
        for number, complete in runs:
            history.save(night(number, c("fail"), unread=() if complete else [TWO]))
        # another scope set's runs never count
        history.save(night(9, c("fail"), scopes=[ONE]))
        found = history.baseline_for([TWO.upper() + "/", ONE], choice)
        assert (None if found is None else found.report.run.id) == (None if expected is None else f"run-{expected:03}")


def test_a_pinned_run_is_the_baseline_and_a_new_pin_takes_its_place(url: str) -> None:
    with open_history(url) as history:
        for number in (1, 2, 3):
            history.save(night(number, c("fail"), unread=[TWO] if number == 1 else ()))
        assert history.pin("run-001").pinned
        found = history.baseline_for(SCOPES)
        assert found is not None
        assert (found.report.run.id, found.pinned) == ("run-001", True)
        history.pin("run-002")
        assert [run.id for run in history.runs() if run.pinned] == ["run-002"]
        assert not history.unpin("run-002").pinned
        found = history.baseline_for(SCOPES)
        assert found is not None
        assert (found.report.run.id, found.pinned) == ("run-003", False)


def test_runs_are_ordered_as_they_were_saved_whatever_the_clock_said(url: str) -> None:
    with open_history(url) as history:
        history.save(night(5, c("fail")))
        history.save(night(1, c("pass")))  # the clock was set back
        found = history.baseline_for(SCOPES)
        assert found is not None
        assert found.report.run.id == "run-001"
        assert [point.run_id for point in history.trend(SCOPES)] == ["run-005", "run-001"]


def test_a_run_is_found_by_the_beginning_of_its_id(url: str) -> None:
    with open_history(url) as history:
        history.save(night(1, c("fail")))
        history.save(night(12, c("fail")))
        assert history.show("run-012").id == "run-012"
        assert history.show("run-01").id == "run-012"
        with pytest.raises(UsageProblem, match="several runs begin"):
            history.show("run-0")
        for nothing in ("run_001", "%", ""):
            with pytest.raises(UsageProblem, match="no run"):
                history.show(nothing)
        with pytest.raises(UsageProblem) as caught:
            history.report("rum-001")
        assert caught.value.hint == "did you mean run-001?"


def test_a_findings_life(url: str) -> None:
    with open_history(url) as history:
        for number, outcome in enumerate(("pass", "fail", "fail", "unknown"), start=1):
            save(history, night(number, c(outcome)))
        save(history, night(5, c("unknown"), unread=[TWO]))
        save(history, night(6, checks={"c": 1}))
        stays = history.timeline(c("fail").id)
        assert [(stay.state, stay.first_run, stay.last_run, stay.still) for stay in stays] == [
            ("pass", "run-001", "run-001", False),
            ("fail", "run-002", "run-003", False),
            ("unknown", "run-004", "run-005", False),
            ("gone", "run-006", None, True),
        ]
        found = history.finding(c("fail").id[:6])
        assert found is not None
        assert (found[0], found[1].reason) == ("run-006", "resource-gone")
        found = history.finding(c("fail").id, "run-003")
        assert found is not None
        assert (found[1].outcome, found[1].drift and found[1].drift.state) == ("fail", "unchanged")
        assert history.finding("f" * 20) is None
        assert history.finding("") is None


def test_what_was_last_known_survives_nights_that_could_not_decide(url: str) -> None:
    with open_history(url) as history:
        save(history, night(1, c("fail")))
        save(history, night(2, checks={"c": 1}, unread=[ONE]))
        save(history, night(3, c("unknown")))
        report = save(history, night(4, c("fail")))
        assert states(report)["c", "aks", None][2] == "unchanged"
        [only] = report.findings
        assert only.drift is not None
        assert only.drift.since == "2026-01-01T02:00:00Z"


def test_what_was_last_known_is_of_the_same_version_of_its_check(url: str) -> None:
    with open_history(url) as history:
        save(history, night(1, c("fail"), checks={"c": 1}))
        save(history, night(2, c("unknown"), checks={"c": 2}))
        # what version 1 said is not comparable
        assert states(save(history, night(3, c("fail"), checks={"c": 2})))["c", "aks", None][2] == "new"
        # what version 3 says is, although version 2 had said the very same
        save(history, night(4, c("fail"), checks={"c": 3}))
        save(history, night(5, c("unknown"), checks={"c": 3}))
        assert states(save(history, night(6, c("fail"), checks={"c": 3})))["c", "aks", None][2] == "unchanged"


def test_since_outlives_a_run_without_a_baseline(url: str) -> None:
    with open_history(url) as history:
        save(history, night(1, c("fail")))
        history.save(night(2, c("fail", message="in other words")))
        [only] = save(history, night(3, c("fail"))).findings
        assert only.drift is not None
        assert (only.drift.state, only.drift.since) == ("unchanged", "2026-01-01T02:00:00Z")


def test_what_came_back_after_it_was_gone_is_new(url: str) -> None:
    with open_history(url) as history:
        save(history, night(1, c("fail")))
        save(history, night(2, checks={"c": 1}))
        save(history, night(3, checks={"c": 1}, unread=[ONE]))
        assert states(save(history, night(4, c("fail"))))["c", "aks", None][2] == "new"


def test_the_trend_is_the_newest_nights_oldest_first(url: str) -> None:
    with open_history(url) as history:
        for number in range(1, 11):
            save(history, night(number, c("fail" if number % 2 else "pass")))
        points = history.trend(SCOPES, 4)
        assert [(point.run_id, point.summary.outcomes["fail"]) for point in points] == [
            ("run-007", 1),
            ("run-008", 0),
            ("run-009", 1),
            ("run-010", 0),
        ]
        assert [point.summary.drift and point.summary.drift["new"] for point in points] == [1, 0, 1, 0]
        assert history.trend(["/subscriptions/nobody"]) == ()


PRUNINGS = {
    "keep two": ({"keep": 2}, [1, 3]),
    "keep none": ({"keep": 0}, [1, 3, 5]),
    "old ones": ({"before": "2026-01-04T00:00:00Z"}, [1, 3]),
    "old ones beyond two": ({"keep": 4, "before": "2026-01-04T00:00:00Z"}, [1]),
    "nothing said": ({}, []),
}


@pytest.mark.parametrize(("how", "taken"), PRUNINGS.values(), ids=PRUNINGS)
def test_pruning_spares_the_pinned_and_the_newest_complete_run(
    url: str, how: dict[str, int | str], taken: list[int]
) -> None:
    with open_history(url) as history:
        # 2 is pinned, 4 the newest complete one, 5 incomplete; and another scope set with one old run
        history.save(night(1, finding("c", resource("only-then"), "fail")))
        for number in (2, 3, 4):
            history.save(night(number, c("fail" if number == 3 else "pass")))
        history.save(night(5, c("pass"), unread=[TWO]))
        history.save(msgspec.structs.replace(night(1, c("fail"), scopes=[ONE]), run=night(0, scopes=[ONE]).run))
        history.pin("run-002")
        kept = {run.id: history.report(run.id) for run in history.runs()}
        expected = [f"run-{number:03}" for number in taken]
        assert [run.id for run in history.prune(**how, dry_run=True)] == expected  # type: ignore[arg-type]
        assert {run.id for run in history.runs()} == set(kept)
        assert [run.id for run in history.prune(**how)] == expected  # type: ignore[arg-type]
        left = {run.id: history.report(run.id) for run in history.runs()}
        assert left == {id_: report for id_, report in kept.items() if id_ not in expected}
        if 1 in taken:
            # what only that run showed went with it
            assert history.finding(finding("c", resource("only-then")).id) is None
        # and life goes on
        save(history, night(6, c("fail")))
        assert states(history.report("run-006"))["c", "aks", None][2] == "new"


def test_pruning_takes_what_only_the_pruned_runs_showed(url: str) -> None:
    with open_history(url) as history:
        save(history, night(1, c("fail"), finding("c", resource("only-then"), "fail")))
        save(history, night(2, c("pass")))
        save(history, night(3, c("pass")))
        history.prune(keep=1)
        left = rows(history)
    with open_history("sqlite://") as fresh:
        fresh.save(night(3, c("pass")), listed(AKS))
        assert left == rows(fresh)


def test_resources_that_came_and_went_are_known_from_the_history(url: str) -> None:
    with open_history(url) as history:
        history.save(night(1), listed(AKS, OTHER))
        found = history.baseline_for(SCOPES)
        report = compare(night(2), found, resources=listed(AKS, resource("new")))
        assert [each.name for each in report.resources.appeared] == ["new"]
        assert [each.name for each in report.resources.disappeared] == ["other"]
        history.save(report, listed(AKS, resource("new")))
        assert history.report("run-002").resources == report.resources
        history.save(night(3))  # a run without a list
        found = history.baseline_for(SCOPES)
        assert found is not None
        assert found.resources is None
        found = history.baseline_for(SCOPES, "run-002")
        assert found is not None
        assert found.resources is not None
        assert sorted(each.name for each in found.resources) == ["aks", "new"]


def test_two_scope_sets_do_not_mix(url: str) -> None:
    with open_history(url) as history:
        history.save(night(1, c("fail"), scopes=[ONE]))
        history.save(night(2, c("pass")))
        history.save(night(3, c("pass"), scopes=[ONE]))
        assert history.report("run-001").findings == (c("fail"),)
        assert [run.id for run in history.runs([ONE])] == ["run-003", "run-001"]
        assert [run.id for run in history.runs()] == ["run-003", "run-002", "run-001"]
        assert [run.id for run in history.runs(limit=1)] == ["run-003"]


def test_resources_saved_before_fingerprints_have_none() -> None:
    old = unpacked_resource('{"id":"/subscriptions/one/x","type":"x","name":"y"}')
    assert old.fingerprint == {}
    assert packed_resource(old) == '{"id":"/subscriptions/one/x","type":"x","name":"y"}'


def test_fingerprints_come_back_as_each_run_saw_them(url: str) -> None:
    def fingerprinted(domain: str) -> tuple[ResourceChange, ...]:
        return tuple(msgspec.structs.replace(each, fingerprint={"fqdn": domain}) for each in listed(AKS))

    with open_history(url) as history:
        for number, domain in ((1, "a.x"), (2, "a.x"), (3, "b.x")):
            history.save(night(number), fingerprinted(domain))
        for run_id, domain in (("run-002", "a.x"), ("run-003", "b.x")):
            found = history.baseline_for(SCOPES, run_id)
            assert found is not None
            assert found.resources == fingerprinted(domain)
