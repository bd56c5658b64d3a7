"""Waivers put on a report's findings, and what to say of those that expired or fit nothing."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

import msgspec

from auditor.findings import Finding, Note, Report, Summary, Waiver, summarize
from auditor.values import Outcome
from auditor.waivers.rules import TagsOf, WaiverRule

EXPIRED_NOTE = "waiver-expired"
UNUSED_NOTE = "waiver-unused"


def apply(report: Report, waivers: Iterable[WaiverRule], today: date, tags_of: TagsOf) -> Report:
    """The report with its fails, warnings and unknowns waived where a rule says so; the first rule that fits counts.

    `today` is a day in UTC. Expired rules waive nothing; they and the unused ones are told in `run.notes`. Applying
    anew replaces what was waived before.
    """
    rules = tuple(waivers)
    live = [rule for rule in rules if not rule.expired(today)]
    used: set[int] = set()
    findings = tuple(_waived(finding, live, used, tags_of) for finding in report.findings)
    checks = report.run.catalogue.checks
    notes = [note for note in report.run.notes if note.kind not in (EXPIRED_NOTE, UNUSED_NOTE)]
    notes += [_expired(rule) for rule in rules if rule.expired(today)]
    notes += [_unused(rule) for at, rule in enumerate(live) if at not in used and rule.selects.concerns(checks)]
    return msgspec.structs.replace(
        report,
        run=msgspec.structs.replace(report.run, notes=tuple(notes)),
        findings=findings,
        summary=_recounted(report, findings),
    )


def _waived(finding: Finding, live: list[WaiverRule], used: set[int], tags_of: TagsOf) -> Finding:
    waiver = None
    if finding.outcome in (Outcome.FAIL, Outcome.WARN, Outcome.UNKNOWN):
        fitting = [at for at, rule in enumerate(live) if rule.selects.covers(finding, tags_of)]
        used.update(fitting)
        if fitting:
            rule = live[fitting[0]]
            waiver = Waiver(owner=rule.owner, reason=rule.reason, expires=rule.expires.isoformat())
    return finding if waiver == finding.waiver else msgspec.structs.replace(finding, waiver=waiver)


def _recounted(report: Report, findings: tuple[Finding, ...]) -> Summary:
    counted = summarize(findings, report.summary.resources)
    # A comparison that compared nothing counts zeros; a recount alone could not tell it from no comparison.
    return msgspec.structs.replace(counted, drift=report.summary.drift)


def _expired(rule: WaiverRule) -> Note:
    return Note(
        kind=EXPIRED_NOTE,
        text=f"the waiver for {rule.selects} ({rule.place}) expired on {rule.expires}; its owner is {rule.owner}",
    )


def _unused(rule: WaiverRule) -> Note:
    return Note(
        kind=UNUSED_NOTE,
        text=f"the waiver for {rule.selects} ({rule.place}) fits no deviation of this run; its owner is {rule.owner}",
    )
