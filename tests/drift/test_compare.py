"""Drift between two reports: a table of pairs, in the words of design.md."""

import msgspec
import pytest

from auditor.drift import Against, Known, compare, diff, from_report, is_carried
from auditor.findings import Finding, Note, Report, ResourceChange, summarize
from tests.nights import ONE, TWO, finding, gap, listed, night, resource, states

AKS = resource("aks")
OTHER = resource("other", TWO)


def drift(
    then: list[Finding], now: list[Finding], unread: tuple[str, ...] = ()
) -> dict[str, tuple[str, str, str | None]]:
    """(outcome, reason, drift state) of check `c`'s findings by part, `-` for none."""
    checks = {"c": 1}
    report = diff(night(1, *then, checks=checks), night(2, *now, checks=checks, unread=unread))
    return {part or "-": state for (_, _, part), state in states(report).items()}


def c(outcome: str, **more: str) -> list[Finding]:
    return [finding("c", AKS, outcome, effect=more["effect"].split() if "effect" in more else None)]


PAIRS = {
    "pass, pass": (c("pass"), c("pass"), "unchanged"),
    "pass, fail": (c("pass"), c("fail"), "new"),
    "pass, warn": (c("pass"), c("warn"), "new"),
    "pass, unknown": (c("pass"), c("unknown"), "unverified"),
    "pass, not-applicable": (c("pass"), c("not-applicable"), "unchanged"),
    "fail, pass": (c("fail"), c("pass"), "resolved"),
    "warn, not-applicable": (c("warn"), c("not-applicable"), "resolved"),
    "fail, fail": (c("fail"), c("fail"), "unchanged"),
    "warn, fail": (c("warn"), c("fail"), "changed"),
    "fail, warn": (c("fail"), c("warn"), "changed"),
    "fail, unknown": (c("fail"), c("unknown"), "unverified"),
    "unknown, unknown": (c("unknown"), c("unknown"), "unchanged"),
    "unknown, pass": (c("unknown"), c("pass"), "unchanged"),
    "never decided before, fail": (c("unknown"), c("fail"), "new"),
    "not there before, fail": ([], c("fail"), "new"),
    "not there before, pass": ([], c("pass"), "unchanged"),
    "not there before, unknown": ([], c("unknown"), "unchanged"),
    "same effect": (c("fail", effect="a b"), c("fail", effect="b a"), "unchanged"),
    "another effect": (c("fail", effect="a b"), c("fail", effect="a c"), "changed"),
    "an effect that nobody stated": (c("fail"), c("fail", effect="a"), "changed"),
    "another effect of a pass": (c("pass", effect="a"), c("pass", effect="b"), "unchanged"),
}


@pytest.mark.parametrize(("then", "now", "state"), PAIRS.values(), ids=PAIRS)
def test_a_finding_made_both_times_or_only_now(then: list[Finding], now: list[Finding], state: str) -> None:
    assert drift(then, now)["-"][2] == state


def test_not_there_before_because_its_scope_was_unread_is_not_new() -> None:
    old = night(1, checks={"c": 1}, unread=[ONE])
    assert states(diff(old, night(2, *c("fail"))))["c", "aks", None] == ("fail", "is-fail", "unchanged")


GONE = {
    "deviated": ("fail", {"-": ("not-applicable", "resource-gone", "resolved")}),
    "warned": ("warn", {"-": ("not-applicable", "resource-gone", "resolved")}),
    "passed": ("pass", {}),
    "was not decided": ("unknown", {}),
}


@pytest.mark.parametrize(("outcome", "expected"), GONE.values(), ids=GONE)
def test_a_resource_gone_from_a_read_scope(outcome: str, expected: dict[str, tuple[str, str, str]]) -> None:
    assert drift(c(outcome), []) == expected


UNSEEN = {
    "deviated": ("fail", "unverified"),
    "passed": ("pass", "unverified"),
    "did not apply": ("not-applicable", "unverified"),
    "was not decided": ("unknown", "unchanged"),
}


@pytest.mark.parametrize(("outcome", "state"), UNSEEN.values(), ids=UNSEEN)
def test_a_resource_that_an_unread_scope_may_hold(outcome: str, state: str) -> None:
    assert drift(c(outcome), [], unread=(ONE,)) == {"-": ("unknown", "scope-unread", state)}


def part(name: str | None, outcome: str) -> Finding:
    return finding("c", AKS, outcome, part=name)


def test_a_part_that_the_check_no_longer_speaks_of() -> None:
    then, now = [part("old", "fail"), part("kept", "pass")], [part("kept", "pass")]
    assert drift(then, now)["old"] == ("not-applicable", "no-longer-concerned", "resolved")


def test_a_part_for_which_an_undecided_verdict_may_stand() -> None:
    then, now = [part("old", "fail")], [part(None, "unknown")]
    assert drift(then, now)["old"] == ("unknown", "verdict-missing", "unverified")


def test_a_carried_finding_keeps_no_proof_of_what_is_no_longer_so() -> None:
    report = diff(night(1, *c("fail", effect="a")), night(2, checks={"c": 1}))
    [gone] = report.findings
    assert is_carried(gone)
    assert gone.message == "aks is gone: its scope was read and no longer holds it"
    assert (gone.evidence, gone.effect, gone.remediation.commands, gone.confirmed) == ((), None, (), None)
    assert report.summary.outcomes["not-applicable"] == 1


def test_carried_findings_are_not_carried_again() -> None:
    first, second = night(1, *c("fail")), night(2, checks={"c": 1})
    gone = diff(first, second)
    later = diff(gone, night(3, checks={"c": 1}))
    assert states(later) == {}
    assert later.resources.disappeared == ()
    # and coming back is new, not unchanged
    assert states(diff(gone, night(3, *c("fail"))))["c", "aks", None][2] == "new"
    # comparing a compared report with something else starts from what its run made
    assert diff(first, gone) == gone
    assert states(diff(night(1, checks={"c": 1}), gone)) == {}


def test_the_effects_difference_is_shown_in_the_report() -> None:
    [moved] = diff(night(1, *c("fail", effect="a b")), night(2, *c("fail", effect="b c"))).findings
    assert moved.effect is not None
    assert (moved.effect.added, moved.effect.removed) == (("c",), ("a",))
    [left] = compare(night(3, moved), None).findings
    assert left.effect is not None
    assert (left.effect.added, left.effect.removed, left.drift) == ((), (), None)


def test_without_a_baseline_drift_is_null() -> None:
    report = compare(night(1, *c("fail")), None)
    assert (report.baseline, report.findings[0].drift, report.summary.drift) == (None, None, None)


def test_a_comparison_counts_and_names_its_baseline() -> None:
    old = night(1, *c("fail"))
    report = compare(night(2, *c("pass")), Against(old, pinned=True))
    assert report.baseline is not None
    assert (report.baseline.run_id, report.baseline.started_at, report.baseline.pinned) == (
        "run-001",
        "2026-01-01T02:00:00Z",
        True,
    )
    assert report.summary.drift == {"new": 0, "resolved": 1, "changed": 0, "unchanged": 0, "unverified": 0}
    nothing = diff(night(1, checks={"c": 1}), night(2, checks={"c": 1}))
    assert nothing.summary.drift == {"new": 0, "resolved": 0, "changed": 0, "unchanged": 0, "unverified": 0}


CATALOGUES = {
    "new check": ({"x": 1}, {"c": 1}, [], "the baseline did not run this check: 1 finding is not compared"),
    "new version": ({"c": 1}, {"c": 2}, c("pass"), "version 1 became 2: 1 finding is not compared"),
}


@pytest.mark.parametrize(("before", "after", "then", "text"), CATALOGUES.values(), ids=CATALOGUES)
def test_a_changed_catalogue_is_not_drift(
    before: dict[str, int], after: dict[str, int], then: list[Finding], text: str
) -> None:
    report = diff(night(1, *then, checks=before), night(2, *c("fail"), checks=after))
    assert states(report) == {("c", "aks", None): ("fail", "is-fail", None)}
    assert Note(kind="catalogue", check="c", text=text) in report.run.notes


def test_a_check_that_no_longer_runs_is_not_drift() -> None:
    report = diff(night(1, *c("fail")), night(2, checks={"x": 1}))
    assert report.findings == ()
    assert {note.check for note in report.run.notes} == {"c", "x"}


def test_findings_of_a_reversioned_check_do_not_vanish_into_drift() -> None:
    report = diff(night(1, *c("fail"), checks={"c": 1}), night(2, checks={"c": 2}))
    assert report.findings == ()


def test_a_renamed_check_goes_on() -> None:
    [old] = c("pass")
    renamed = msgspec.structs.replace(old, check="d", outcome=c("fail")[0].outcome)
    report = diff(night(1, old, checks={"c": 1}), night(2, renamed, checks={"d": 1}))
    assert [each.drift.state for each in report.findings if each.drift] == ["new"]
    assert report.run.notes == ()


def test_reports_without_check_versions_compare_by_the_catalogues_digest() -> None:
    def bare(report: Report) -> Report:
        catalogue = msgspec.structs.replace(report.run.catalogue, checks={}, digest="same")
        return msgspec.structs.replace(report, run=msgspec.structs.replace(report.run, catalogue=catalogue))

    report = diff(bare(night(1)), bare(night(2, *c("fail"))))
    assert states(report)["c", "aks", None][2] == "new"


def test_stated_versions_count_whatever_the_digest_says() -> None:
    old, new = night(1, *c("pass"), checks={"c": 1}), night(2, *c("fail"), checks={"c": 2})
    catalogue = msgspec.structs.replace(new.run.catalogue, digest=old.run.catalogue.digest)
    same = msgspec.structs.replace(new, run=msgspec.structs.replace(new.run, catalogue=catalogue))
    assert states(diff(old, same))["c", "aks", None][2] is None


RESOURCES = {
    "appeared": (listed(AKS), listed(AKS, OTHER), (), ["other"], []),
    "disappeared": (listed(AKS, OTHER), listed(AKS), (), [], ["other"]),
    "other case": (listed(AKS), listed(AKS.upper()), (), [], []),
    "may be there still": (listed(AKS, OTHER), listed(AKS), (TWO,), [], []),
}


@pytest.mark.parametrize(("then", "now", "unread", "appeared", "gone"), RESOURCES.values(), ids=RESOURCES)
def test_resources_that_come_and_go(
    then: tuple[ResourceChange, ...],
    now: tuple[ResourceChange, ...],
    unread: tuple[str, ...],
    appeared: list[str],
    gone: list[str],
) -> None:
    changes = compare(night(2, unread=unread), Against(night(1), resources=then), resources=now).resources
    assert [each.name for each in changes.appeared] == appeared
    assert [each.name for each in changes.disappeared] == gone


def test_resources_of_a_report_file_are_known_through_its_findings() -> None:
    old = night(1, *c("pass"))
    quiet, loud = listed(AKS, OTHER), night(2, *c("pass"), finding("c", OTHER))
    # a resource without findings cannot be missed in a file, so it cannot appear either
    assert compare(night(2, *c("pass")), from_report(old), resources=quiet).resources.appeared == ()
    assert [each.name for each in compare(loud, from_report(old), resources=quiet).resources.appeared] == ["other"]


SINCE = {
    "unchanged goes back to the baseline": (c("fail"), "2026-01-01T02:00:00Z"),
    "a new state begins now": (c("pass"), "2026-01-02T02:00:00Z"),
}


@pytest.mark.parametrize(("now", "since"), SINCE.values(), ids=SINCE)
def test_since(now: list[Finding], since: str) -> None:
    [found] = diff(night(1, *c("fail")), night(2, *now)).findings
    assert found.drift is not None
    assert found.drift.since == since


def test_since_travels_with_a_report_file() -> None:
    second = diff(night(1, *c("fail")), night(2, *c("fail")))
    [found] = diff(second, night(3, *c("fail"))).findings
    assert found.drift is not None
    assert found.drift.since == "2026-01-01T02:00:00Z"


def test_what_was_known_before_an_undecided_baseline() -> None:
    before = {c("fail")[0].id: Known(c("fail")[0], "2025-12-01T02:00:00Z")}
    report = compare(night(2, *c("fail")), Against(night(1, *c("unknown")), last_known=before))
    assert states(report)["c", "aks", None][2] == "unchanged"
    report = compare(night(2, *c("pass")), Against(night(1, *c("unknown")), last_known=before))
    assert states(report)["c", "aks", None][2] == "resolved"


def test_what_is_compared_is_only_what_the_caller_says_was_read() -> None:
    report = compare(night(2, checks={"c": 1}), from_report(night(1, *c("fail"))), scope_read=lambda _: False)
    assert states(report)["c", "aks", None] == ("unknown", "scope-unread", "unverified")


def test_a_required_gap_below_the_scope_keeps_its_resources_from_being_gone() -> None:
    new = night(2, checks={"c": 1}, gaps=[gap(f"{ONE}/resourceGroups/rg")])
    assert states(diff(night(1, *c("fail")), new))["c", "aks", None][1] == "scope-unread"
    optional = night(2, checks={"c": 1}, gaps=[gap(ONE, required=False)])
    assert states(diff(night(1, *c("fail")), optional))["c", "aks", None][1] == "resource-gone"


def test_messages_can_be_rendered_in_the_runs_language() -> None:
    [gone] = compare(
        night(2, checks={"c": 1}),
        from_report(night(1, *c("fail"))),
        render=lambda template, facts: f"<{template.format(**facts)}>",
    ).findings
    assert gone.message.startswith("<aks is gone")
    assert gone.template.format(**gone.facts) == gone.message[1:-1]


def test_the_summary_is_recounted() -> None:
    report = diff(night(1, *c("fail")), night(2, *c("pass")))
    assert msgspec.structs.replace(report.summary, drift=None) == msgspec.structs.replace(
        summarize(report.findings, {"clusters": 2}), drift=None
    )
