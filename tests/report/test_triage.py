"""What is read first, and what the head says of a run."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from auditor.findings import Change, Report, Waiver
from auditor.report.triage import Section, causes, cluster_of, reading_order, section_of, verdict
from auditor.report.wording import wording
from auditor.values import Outcome, Severity
from tests.report import factory
from tests.report.factory import cluster_id, finding, report, rid

WAIVER = Waiver(owner="net", reason="agreed", expires="2027-01-01")
SECTIONS = {
    "new": ({"outcome": Outcome.FAIL, "drift": "new"}, Section.NEW),
    "new, though waived": ({"outcome": Outcome.FAIL, "drift": "new", "waiver": WAIVER}, Section.NEW),
    "resolved": ({"outcome": Outcome.PASS, "drift": "resolved"}, Section.RESOLVED),
    "standing": ({"outcome": Outcome.FAIL, "drift": "unchanged", "severity": Severity.LOW}, Section.FAIL_LOW),
    "first run": ({"outcome": Outcome.FAIL, "severity": Severity.CRITICAL}, Section.FAIL_CRITICAL),
    "waived": ({"outcome": Outcome.WARN, "waiver": WAIVER}, Section.WAIVED),
    "waived and passing": ({"outcome": Outcome.PASS, "waiver": WAIVER}, Section.PASS),
    "waived and unknown": ({"outcome": Outcome.UNKNOWN, "waiver": WAIVER}, Section.UNKNOWN),
    "not applicable": ({"outcome": Outcome.NOT_APPLICABLE}, Section.NOT_APPLICABLE),
}


@pytest.mark.parametrize(("values", "section"), SECTIONS.values(), ids=SECTIONS)
def test_section(values: dict[str, Any], section: Section) -> None:
    assert section_of(finding(**values)) is section


def test_every_finding_is_read_once_and_sections_do_not_mix() -> None:
    whole = factory.every_state()
    order = reading_order(whole.findings)
    assert {each.id for each in order} == {each.id for each in whole.findings}
    ranks = [section_of(each).rank for each in order]
    assert ranks == sorted(ranks)


def test_cluster_of_a_finding() -> None:
    subnet = rid("Microsoft.Network/virtualNetworks/subnets", "v", "s")
    assert cluster_of(finding(resource_id=cluster_id("a"))) == cluster_id("a")
    assert cluster_of(finding(resource_id=cluster_id("a") + "/agentPools/p")) == cluster_id("a")
    assert cluster_of(finding(resource_id=subnet, related=(cluster_id("a"),))) == cluster_id("a")
    assert cluster_of(finding(resource_id=subnet, related=(cluster_id("a"), cluster_id("a").upper()))) != ""
    assert cluster_of(finding(resource_id=subnet, related=(cluster_id("a"), cluster_id("b")))) == ""
    assert cluster_of(finding(resource_id=subnet, part=cluster_id("a"))) == cluster_id("a")
    assert cluster_of(finding(resource_id=subnet, part="not an id")) == ""


def test_what_one_change_brought_stands_together() -> None:
    rule = Change(at="2026-11-24T16:03:07Z", by="jonas", operation="write", property='securityRules["Deny"]')
    later = msgspec.structs.replace(rule, at="2026-11-24T18:00:00Z")
    ids = [cluster_id(name) for name in "abcdef"]
    worse: dict[str, Any] = {"outcome": Outcome.FAIL, "severity": Severity.CRITICAL}
    drifted = [
        finding(resource_id=ids[0], **FAIL, drift="new", changes=(rule,)),
        finding(resource_id=ids[1], **worse, drift="new", changes=(rule,)),
        finding(resource_id=ids[2], **FAIL, drift="changed", changes=(rule, later)),
        finding(resource_id=ids[3], **FAIL, drift="new"),
        finding(resource_id=ids[4], **FAIL, drift="new"),
        finding(resource_id=ids[5], outcome=Outcome.PASS, drift="resolved", changes=(rule,)),
    ]
    found = [
        [each.resource.id for each in (cause.first, *cause.others)] for cause in causes(reading_order(tuple(drifted)))
    ]
    assert found == [[ids[1], ids[0]], [ids[3]], [ids[4]], [ids[2]]]


FAIL: dict[str, Any] = {"outcome": Outcome.FAIL}
UNKNOWN: dict[str, Any] = {"outcome": Outcome.UNKNOWN}
HEADS = {
    "new": (report(finding(**FAIL, drift="new")), "bad", "1 deviation is new or changed."),
    "changed warning": (
        report(finding(outcome=Outcome.WARN, drift="changed")),
        "bad",
        "1 deviation is new or changed.",
    ),
    "standing": (report(finding(**FAIL, drift="unchanged")), "bad", "Nothing new drifted; 1 violation stands."),
    "first run": (report(finding(**FAIL)), "bad", "1 violation stands."),
    "waived": (report(finding(**FAIL, waiver=WAIVER)), "good", "No violation found."),
    "unverified": (report(finding(**UNKNOWN, drift="unverified")), "unsure", "1 finding can no longer be verified."),
    "unverified beside what stands": (
        report(finding(**UNKNOWN, drift="unverified"), finding("b", **FAIL, drift="unchanged")),
        "bad",
        "1 finding can no longer be verified.",
    ),
    "unknown": (
        report(finding(**UNKNOWN)),
        "unsure",
        "No violation found, but 1 finding could not be decided.",
    ),
    "incomplete": (
        report(finding(), complete=False),
        "unsure",
        "No violation in what was read, but not everything was read.",
    ),
    "nothing": (report(), "unsure", "Nothing was audited."),
    "green": (report(finding(drift="unchanged")), "good", "Nothing drifted, and no violation stands."),
    "green without a baseline": (report(finding()), "good", "No violation found."),
}


@pytest.mark.parametrize(("made", "tone", "headline"), HEADS.values(), ids=HEADS)
def test_verdict(made: Report, tone: str, headline: str) -> None:
    said = verdict(made, wording("en"))
    assert (said.tone, said.headline) == (tone, headline)


@pytest.mark.parametrize("made", [made for made, tone, _ in HEADS.values() if tone == "good"])
def test_good_is_never_said_of_an_incomplete_run(made: Report) -> None:
    incomplete = report(*made.findings, complete=False)
    assert verdict(incomplete, wording("en")).tone == "unsure"
