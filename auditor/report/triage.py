"""What a reader looks at first: sections in the order of the morning, groups, and the verdict in a sentence."""

from __future__ import annotations

import enum
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from gettext import NullTranslations
from typing import Literal, get_args

from auditor.findings import Finding, Report, sort_key
from auditor.values import Outcome, ResourceId, Severity

GroupBy = Literal[
    "triage",
    "drift",
    "severity",
    "outcome",
    "check",
    "cluster",
    "subscription",
    "source",
    "mcsb",
    "cis-aks",
    "cis-azure",
    "mlps",
]
GROUPINGS: tuple[GroupBy, ...] = get_args(GroupBy)
CLUSTER_TYPE = "microsoft.containerservice/managedclusters"
_CLUSTER_MARK = "/managedclusters/"
NO_GROUP = ""


class Section(enum.StrEnum):
    """Where a finding stands in the report. Each is in exactly one; the order is that of reading."""

    NEW = "new"
    CHANGED = "changed"
    UNVERIFIED = "unverified"
    RESOLVED = "resolved"
    FAIL_CRITICAL = "fail-critical"
    FAIL_HIGH = "fail-high"
    FAIL_MEDIUM = "fail-medium"
    FAIL_LOW = "fail-low"
    FAIL_INFO = "fail-info"
    WARN = "warn"
    UNKNOWN = "unknown"
    WAIVED = "waived"
    PASS = "pass"  # noqa: S105 - an outcome, no password
    NOT_APPLICABLE = "not-applicable"

    @property
    def rank(self) -> int:
        """0 is read first."""
        return _SECTION_ORDER[self]


_SECTION_ORDER = {section: rank for rank, section in enumerate(Section)}


def section_of(finding: Finding) -> Section:
    """Drift first, then what is wrong by severity, what is unknown, what was accepted, and the rest."""
    if finding.drift is not None and finding.drift.state != "unchanged":
        return Section(finding.drift.state)
    if finding.waiver is not None and finding.outcome.deviating:
        return Section.WAIVED
    if finding.outcome is Outcome.FAIL:
        return Section(f"fail-{finding.severity}")
    return Section(finding.outcome.value)


def reading_order(findings: tuple[Finding, ...]) -> list[Finding]:
    """The findings as a reader meets them: by section, inside of it as `report.json` sorts."""
    return sorted(findings, key=lambda finding: (section_of(finding).rank, *sort_key(finding)))


@dataclass(frozen=True, slots=True)
class Cause:
    """What drifted by one recorded change: the finding to read first, and the others that the same change brought."""

    first: Finding
    others: tuple[Finding, ...] = ()


def causes(findings: Sequence[Finding]) -> list[Cause]:
    """New and changed findings, which come in reading order, by what brought them about.

    One rule that cuts off six services is one thing to mend. Where no change is on record a finding stands alone.
    """
    found: dict[object, list[Finding]] = {}
    for finding in findings:
        if section_of(finding) in (Section.NEW, Section.CHANGED) and finding.drift is not None:
            change = max(finding.drift.changes, key=lambda each: each.at, default=None)
            key = (change.at, change.by, change.operation, change.property) if change else finding.id
            found.setdefault(key, []).append(finding)
    return [Cause(first, tuple(others)) for first, *others in found.values()]


def cluster_of(finding: Finding) -> str:
    """The id of the AKS cluster that a finding belongs to: its resource's, else its only related cluster's."""
    for candidate in (finding.resource.id, finding.part or ""):
        found = _cluster_in(candidate)
        if found:
            return found
    related = {cluster.casefold(): cluster for cluster in map(_cluster_in, finding.related) if cluster}
    return next(iter(related.values())) if len(related) == 1 else NO_GROUP


@functools.lru_cache(maxsize=65_536)
def _cluster_in(text: str) -> str:
    if _CLUSTER_MARK not in text.casefold():
        return NO_GROUP  # asked of every finding and all that it is related to, several times a report
    try:
        current: ResourceId | None = ResourceId.parse(text)
    except ValueError:
        return NO_GROUP
    while current is not None:
        if current.type == CLUSTER_TYPE:
            return str(current)
        current = current.parent
    return NO_GROUP


@dataclass(frozen=True, slots=True)
class Verdict:
    """The head of a report: `tone` colours it, `headline` says it in a sentence, `remarks` qualify it."""

    tone: Literal["bad", "unsure", "good"]
    headline: str
    remarks: tuple[str, ...]


def verdict(report: Report, words: NullTranslations) -> Verdict:
    """What the run says. An incomplete or undecided run is never called good."""
    outcomes = report.summary.outcomes
    drift = report.summary.drift
    failing = sum(report.summary.by_severity.values())
    unknown = outcomes.get(Outcome.UNKNOWN, 0)
    drifted = drift.get("new", 0) + drift.get("changed", 0) if drift else 0
    unverified = drift.get("unverified", 0) if drift else 0
    whole = report.run.complete
    remarks = tuple(
        _remarks(report, words, failing, unknown, told_failing=not drifted and not unverified and failing > 0)
    )
    _, n_ = words.gettext, words.ngettext
    if drifted:
        says = n_("{n} deviation is new or changed.", "{n} deviations are new or changed.", drifted)
        return Verdict("bad", says.format(n=drifted), remarks)
    if unverified:
        says = n_("{n} finding can no longer be verified.", "{n} findings can no longer be verified.", unverified)
        return Verdict("bad" if failing else "unsure", says.format(n=unverified), remarks)
    if failing:
        says = n_("{n} violation stands.", "{n} violations stand.", failing)
        if drift:
            says = n_(
                "Nothing new drifted; {n} violation stands.",
                "Nothing new drifted; {n} violations stand.",
                failing,
            )
        return Verdict("bad", says.format(n=failing), remarks)
    if not report.findings:
        return Verdict("unsure", _("Nothing was audited."), remarks)
    if not whole:
        return Verdict("unsure", _("No violation in what was read, but not everything was read."), remarks)
    if unknown:
        says = n_(
            "No violation found, but {n} finding could not be decided.",
            "No violation found, but {n} findings could not be decided.",
            unknown,
        )
        return Verdict("unsure", says.format(n=unknown), remarks)
    if drift:
        return Verdict("good", _("Nothing drifted, and no violation stands."), remarks)
    return Verdict("good", _("No violation found."), remarks)


def _remarks(report: Report, words: NullTranslations, failing: int, unknown: int, *, told_failing: bool) -> list[str]:
    _, n_ = words.gettext, words.ngettext
    said = []
    graded = _graded(report, words)
    if failing and not told_failing:
        if graded:
            text = n_("{n} violation stands in all: {graded}.", "{n} violations stand in all: {graded}.", failing)
        else:
            text = n_("{n} violation stands in all.", "{n} violations stand in all.", failing)
        said.append(text.format(n=failing, graded=graded))
    elif graded:
        said.append(_("Of these: {graded}.").format(graded=graded))
    if unknown:
        said.append(n_("{n} finding is unknown.", "{n} findings are unknown.", unknown).format(n=unknown))
    if waived := report.summary.waived:
        said.append(n_("{n} finding is waived.", "{n} findings are waived.", waived).format(n=waived))
    return said


def _graded(report: Report, words: NullTranslations) -> str:
    """How many of the unwaived failures are critical and high; empty if none is."""
    _ = words.gettext
    grades = ((Severity.CRITICAL, _("{n} critical")), (Severity.HIGH, _("{n} high")))
    counts = [(text, report.summary.by_severity.get(severity, 0)) for severity, text in grades]
    return _(", ").join(text.format(n=count) for text, count in counts if count)
