"""The comparison itself: design.md's five states, and what they rest on."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import msgspec

from auditor.drift.absence import Absence, Absences
from auditor.drift.against import Against, Known, Seen, from_report, known_in, same_effect, seen_in
from auditor.drift.catalogue import CatalogueChange, catalogue_change
from auditor.drift.gone import (
    NO_LONGER_CONCERNED,
    RESOURCE_GONE,
    SCOPE_UNREAD,
    VERDICT_MISSING,
    Render,
    carry,
    in_english,
    is_carried,
    is_over,
)
from auditor.drift.reading import was_read
from auditor.drift.sameness import KINDS, told_apart
from auditor.findings import (
    DRIFT_STATES,
    Baseline,
    Drift,
    DriftState,
    EffectRecord,
    Finding,
    Note,
    Report,
    ResourceChange,
    ResourceChanges,
    Summary,
    sort_key,
    summarize,
)
from auditor.values import Outcome, fold

CATALOGUE_NOTE = "catalogue"


class Then(enum.Enum):
    """What is known of a finding at the baseline, where that is not an outcome."""

    ABSENT = "its scope was read and it was not there"
    UNDECIDED = "it was there, but never decided"
    UNSEEN = "its scope was not read, and it was never seen before"


def compare(
    report: Report,
    against: Against | None,
    *,
    resources: Iterable[ResourceChange] | None = None,
    scope_read: Callable[[str], bool] | None = None,
    render: Render = in_english,
) -> Report:
    """The report with its drift against a baseline; without one, with none.

    `resources` are the audited resources of the report's run (None: only those of its findings are known);
    `scope_read` says whether the run would have seen a resource id if it existed (None: told from the run's record).
    Comparing anew replaces whatever an earlier comparison said.
    """
    bare = _without_drift(report)
    if against is None:
        return bare
    run = _Comparison.of(bare, against, resources, scope_read, render)
    findings = tuple(sorted((*run.still_made(), *run.no_longer_made()), key=sort_key))
    notes = (*bare.run.notes, *run.catalogue_notes(), *run.identity_notes())
    return msgspec.structs.replace(
        bare,
        run=msgspec.structs.replace(bare.run, notes=notes),
        baseline=Baseline(
            run_id=against.report.run.id, started_at=against.report.run.started_at, pinned=against.pinned
        ),
        findings=findings,
        resources=run.resource_changes(),
        summary=_counted(bare, findings),
    )


def diff(old: Report, new: Report) -> Report:
    """The drift from one report to another, each known from itself alone; whatever baselines they had do not matter."""
    return compare(new, from_report(old))


@dataclass(frozen=True, slots=True)
class _Comparison:
    """One run held against one baseline: everything that the states are decided from, indexed once."""

    now: Mapping[str, Finding]
    report: Report
    then: Mapping[str, Known]
    against: Against
    seen: Mapping[str, tuple[Seen, ...]]
    catalogue: CatalogueChange
    absences: Absences
    resources: tuple[ResourceChange, ...] | None
    read_now: Callable[[str], bool]
    read_then: Callable[[str], bool]
    render: Render

    @classmethod
    def of(
        cls,
        report: Report,
        against: Against,
        resources: Iterable[ResourceChange] | None,
        scope_read: Callable[[str], bool] | None,
        render: Render,
    ) -> _Comparison:
        now = {finding.id: finding for finding in report.findings}
        listed = None if resources is None else tuple(resources)
        then = {
            finding.id: known_in(against.report, finding) for finding in against.report.findings if not is_over(finding)
        }
        catalogue = catalogue_change(against.report, report)
        read_now = scope_read or was_read(report.run)
        return cls(
            now=now,
            report=report,
            then=then,
            against=against,
            seen=seen_in(against.report) if against.seen is None else against.seen,
            catalogue=catalogue,
            absences=Absences.of(report, listed, read_now, catalogue.renamed),
            resources=listed,
            read_now=read_now,
            read_then=was_read(against.report.run),
            render=render,
        )

    def still_made(self) -> Iterator[Finding]:
        """This run's findings with their drift; those of new or re-versioned checks stay without."""
        for finding in self.now.values():
            if self.catalogue.incomparable_now(finding.check):
                yield finding
                continue
            then = self._then(finding.id, finding.resource.id)
            state = _state(finding, then)
            drift = Drift(state=state, since=self._since(finding))
            known = then.finding if isinstance(then, Known) else None
            yield msgspec.structs.replace(finding, drift=drift, effect=_moved(finding.effect, known))

    def no_longer_made(self) -> Iterator[Finding]:
        """Findings of the baseline that this run does not make, where that is worth telling."""
        for id_ in {**self.then, **self.against.last_known}.keys() - self.now.keys():
            last = self.then.get(id_) or self.against.last_known[id_]
            if self.catalogue.incomparable_then(last.finding.check):
                continue
            then = self._then(id_, last.finding.resource.id)
            told = self._vanished(last.finding, then)
            if told is not None:
                yield told

    def catalogue_notes(self) -> Iterator[Note]:
        """One note a check that is new, gone or re-versioned, counting the findings that are not drift therefore."""
        now = Counter(finding.check for finding in self.now.values())
        then = Counter(known.finding.check for known in self.then.values())
        for check, text in self.catalogue.texts(now, then):
            yield Note(kind=CATALOGUE_NOTE, check=check, text=text)

    def identity_notes(self) -> Iterator[Note]:
        """One note a resource that moved, got another name or was created anew, where that can be proved."""
        if self.against.resources is None or self.resources is None:
            return
        yield from told_apart(_by_key(self.against.resources, ()), _by_key(self.resources, ()))

    def resource_changes(self) -> ResourceChanges:
        """Resources that appeared or disappeared; where a scope was not read on the other side, nothing is said."""
        then = _by_key(self.against.resources, (known.finding for known in self.then.values()))
        now = _by_key(self.resources, self.now.values())
        # What the baseline knows only through its findings can be compared only with the same of this run.
        comparable = now if self.against.resources is not None else _by_key(None, self.now.values())
        return ResourceChanges(
            appeared=_sorted(each for key, each in comparable.items() if key not in then and self.read_then(each.id)),
            disappeared=_sorted(
                each for key, each in then.items() if not self.absences.shows(each.id) and self.read_now(each.id)
            ),
        )

    def _then(self, id_: str, resource_id: str) -> Known | Then:
        """The finding's last decided state at the baseline, or why there is none."""
        known = self.then.get(id_)
        if known is not None and known.finding.outcome is not Outcome.UNKNOWN:
            return known
        earlier = self.against.last_known.get(id_)
        if earlier is not None:
            return earlier
        if known is not None:
            return Then.UNSEEN if is_carried(known.finding) else Then.UNDECIDED
        return Then.ABSENT if self.read_then(resource_id) else Then.UNSEEN

    def _since(self, finding: Finding) -> str:
        for seen in self.seen.get(finding.id, ()):
            if seen.shows(finding):
                return seen.since
        return self.report.run.started_at

    def _vanished(self, last: Finding, then: Known | Then) -> Finding | None:
        if not isinstance(then, Known):
            unread = then is Then.UNDECIDED and self.absences.why(last) is Absence.UNREAD
            return self._carried(last, SCOPE_UNREAD, "unchanged") if unread else None
        deviated = then.finding.outcome.deviating
        match self.absences.why(last):
            case Absence.UNREAD:
                return self._carried(then.finding, SCOPE_UNREAD, "unverified")
            case Absence.UNDECIDED:
                return self._carried(then.finding, VERDICT_MISSING, "unverified")
            case Absence.RESOURCE_GONE:
                return self._carried(then.finding, RESOURCE_GONE, "resolved") if deviated else None
            case Absence.NOT_CONCERNED:
                return self._carried(then.finding, NO_LONGER_CONCERNED, "resolved") if deviated else None
            case Absence.NOT_RUN:
                return None

    def _carried(self, known: Finding, reason: str, state: DriftState) -> Finding:
        carried = carry(known, reason, state, "", self.against.report.run.id, self.render)
        return msgspec.structs.replace(carried, drift=Drift(state=state, since=self._since(carried)))


def _state(now: Finding, then: Known | Then) -> DriftState:
    """The definitions of design.md, "Baseline and drift", for a finding that this run makes."""
    if now.outcome is Outcome.UNKNOWN:
        return "unverified" if isinstance(then, Known) else "unchanged"
    deviated = isinstance(then, Known) and then.finding.outcome.deviating
    if not now.outcome.deviating:
        return "resolved" if deviated else "unchanged"
    if not isinstance(then, Known):
        # Never decided before counts as new: a failure that nobody has accepted does not hide among the unchanged.
        return "unchanged" if then is Then.UNSEEN else "new"
    if not deviated:
        return "new"
    if now.outcome is then.finding.outcome and same_effect(now, then.finding):
        return "unchanged"
    return "changed"


def _moved(effect: EffectRecord | None, then: Finding | None) -> EffectRecord | None:
    """The effect with what it permits more and less than then; nothing where either side does not state its effect."""
    if effect is None or then is None or then.effect is None or effect.digest == then.effect.digest:
        return effect
    now, before = set(effect.items), set(then.effect.items)
    return msgspec.structs.replace(effect, added=tuple(sorted(now - before)), removed=tuple(sorted(before - now)))


def _without_drift(report: Report) -> Report:
    """The report as its run made it: no drift, no carried findings, no notes of a comparison."""
    findings = tuple(_bare(finding) for finding in report.findings if not is_carried(finding))
    notes = tuple(note for note in report.run.notes if note.kind not in (CATALOGUE_NOTE, *KINDS))
    return msgspec.structs.replace(
        report,
        run=msgspec.structs.replace(report.run, notes=notes),
        baseline=None,
        findings=findings,
        resources=ResourceChanges(),
        summary=summarize(findings, report.summary.resources),
    )


def _bare(finding: Finding) -> Finding:
    effect = finding.effect
    if effect is not None and (effect.added or effect.removed):
        effect = msgspec.structs.replace(effect, added=(), removed=())
    if effect is finding.effect and finding.drift is None:
        return finding
    return msgspec.structs.replace(finding, drift=None, effect=effect)


def _counted(bare: Report, findings: tuple[Finding, ...]) -> Summary:
    """The summary over findings; a comparison that found nothing to compare still counts zeros, not null."""
    summary = summarize(findings, bare.summary.resources)
    if summary.drift is not None:
        return summary
    return msgspec.structs.replace(summary, drift=dict.fromkeys(DRIFT_STATES, 0))


def _by_key(listed: Iterable[ResourceChange] | None, findings: Iterable[Finding]) -> dict[str, ResourceChange]:
    if listed is not None:
        return {fold(each.id): each for each in listed}
    return {
        fold(each.id): ResourceChange(id=each.id, type=each.type, name=each.name)
        for each in (finding.resource for finding in findings)
    }


def _sorted(resources: Iterable[ResourceChange]) -> tuple[ResourceChange, ...]:
    return tuple(sorted(resources, key=lambda each: (each.type.casefold(), fold(each.id))))
