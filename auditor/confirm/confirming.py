"""Confirmation: before a new or changed failure is told, what decides it is read again from ARM.

Resource Graph lags by seconds to minutes, so a failure of the index may be one no more, or one by another rule. What
ARM says replaces the index's rows, the checks are asked again over the newer inventory, and the finding takes the
verdict that follows. A failure whose resources could not be read again alarms as it was found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from auditor.collect.failures import Failure
from auditor.confirm.targets import AssignmentsOf, Target, is_assignment, scope_of_assignment, targets_of
from auditor.findings import Finding, Note, Report, sort_key, summarize
from auditor.inventory import Inventory
from auditor.inventory.records import RoleAssignment
from auditor.values import Outcome, ResourceId, fold

Row = dict[str, Any]
Answer = Mapping[str, Row | None]
"""Rows by id as ARM spells it, reduced to the reviewed allow-list; None: there is no such resource."""

MOST_READS = 100
"""ARM reads of one scan's confirmation at most; what is left then is not tried. A subscription's bucket holds 250."""
MOST_ROUNDS = 3
"""How often the checks are asked again: newer rows may bring failures that are to be confirmed themselves."""
INDEX_LAG, CONFIRM = "index-lag", "confirm"
"""Kinds of notes: that the index was behind ARM; that failures were not confirmed, and why."""

Overrides = Mapping[str, Row | None]
"""Rows by id that stand for what the index says; None: the resource is gone."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A report compared with its baseline, and the inventory that it was made from."""

    report: Report
    inventory: Inventory


@dataclass(frozen=True, slots=True)
class _Suspect:
    """A failure to be confirmed: as the index made it, and what it rests on."""

    finding: Finding
    targets: tuple[Target, ...]


@dataclass(slots=True)
class _Confirmation:
    """What was planned and read so far."""

    known: Mapping[str, Row]
    suspects: dict[str, _Suspect] = field(default_factory=dict)
    passed_by: set[str] = field(default_factory=set)
    over_cap: set[str] = field(default_factory=set)
    answers: dict[Target, Answer | Failure] = field(default_factory=dict)

    def plan(self, judged: Judged) -> list[Target]:
        """What to read for the failures not looked at yet, the most severe first, as far as the cap allows."""
        wanted: dict[Target, None] = {}
        for finding in judged.report.findings:
            if not alarming(finding) or finding.id in self.suspects or finding.id in self.passed_by:
                continue
            targets = targets_of(finding, judged.inventory)
            more = [target for target in targets if target not in self.answers and target not in wanted]
            if not targets:
                self.passed_by.add(finding.id)
                continue
            if len(self.answers) + len(wanted) + len(more) > MOST_READS:
                self.passed_by.add(finding.id)
                self.over_cap.add(finding.id)
                continue
            self.suspects[finding.id] = _Suspect(finding, targets)
            wanted |= dict.fromkeys(more)
        return list(wanted)

    def why_unread(self, suspect: _Suspect) -> tuple[Failure, ...]:
        """Why something that decides the failure could not be read again; nothing if all was."""
        answers = (self.answers[target] for target in suspect.targets)
        return tuple(answer for answer in answers if isinstance(answer, Failure))

    def unconfirmed(self) -> Iterator[Note]:
        """What to say of failures that ARM was not, or could not be, asked about."""
        failures = [failure for each in self.suspects.values() if (failure := self.why_unread(each))]
        if failures:
            reasons = sorted({f"{one.reason}: {one.text}" for failure in failures for one in failure})
            text = f"{_counted(len(failures))} could not be read again from ARM ({'; '.join(reasons)})"
            yield Note(kind=CONFIRM, text=text)
        if self.over_cap:
            yield Note(
                kind=CONFIRM, text=f"{_counted(len(self.over_cap))} not tried: {MOST_READS} reads a scan at most"
            )

    def overrides(self, inventory: Inventory) -> dict[str, Row | None]:
        """Where ARM says something else than the index, by folded id."""
        found: dict[str, Row | None] = {}
        for target, answer in self.answers.items():
            if isinstance(answer, Failure):
                continue
            rows: dict[str, Row | None] = dict(answer)
            if isinstance(target, AssignmentsOf):
                rows |= dict.fromkeys(self._taken_back(target, answer, inventory))
            found |= {fold(id_): row for id_, row in rows.items() if not same(self.known.get(fold(id_)), row)}
        return found

    def _taken_back(self, target: AssignmentsOf, answer: Answer, inventory: Inventory) -> Iterable[str]:
        """Assignments of the index that reach the scope and that ARM no longer lists for the principal."""
        scope, listed = ResourceId.parse(target.scope), {fold(id_) for id_ in answer}
        shown = {
            fold(evidence.resource)
            for suspect in self.suspects.values()
            if target in suspect.targets
            for evidence in suspect.finding.evidence
            if is_assignment(evidence.resource)
        }
        for assignment in inventory.every(RoleAssignment):
            own = (assignment.body.principal_id or "").casefold() == target.principal
            if assignment.key in listed or not (own or assignment.key in shown):
                continue
            if ResourceId.parse(scope_of_assignment(assignment.id)).covers(scope):
                yield assignment.id


def alarming(finding: Finding) -> bool:
    """Whether a finding is to be confirmed: a failure that the baseline does not have, or not so."""
    return finding.outcome is Outcome.FAIL and finding.drift is not None and finding.drift.state in ("new", "changed")


def confirm(
    first: Judged,
    known: Iterable[Row],
    *,
    ask: Callable[[list[Target]], Mapping[Target, Answer | Failure]],
    again: Callable[[Overrides], Judged],
) -> Judged:
    """The report with its new and changed failures confirmed.

    `known` are the rows that the first inventory was built of, `ask` reads targets from ARM, `again` judges and
    compares anew, with some rows in place of the known ones.
    """
    work = _Confirmation({fold(str(row["id"])): row for row in known if isinstance(row.get("id"), str)})
    now = first
    in_force: dict[str, Row | None] = {}
    for _ in range(MOST_ROUNDS):
        planned = len(work.suspects)
        wanted = work.plan(now)
        if len(work.suspects) == planned:
            break
        work.answers |= ask(wanted)
        overrides = work.overrides(first.inventory)
        if overrides != in_force:
            now, in_force = again(overrides), overrides
    return Judged(_settled(now.report, work), now.inventory)


def _settled(report: Report, work: _Confirmation) -> Report:
    """The report with the mark on each finding that was to be confirmed, and a note for each that ARM contradicts."""
    findings = {finding.id: finding for finding in report.findings}
    notes: list[Note] = []
    for id_, suspect in work.suspects.items():
        before, now = suspect.finding, findings.get(id_)
        if work.why_unread(suspect) or (now is not None and now.outcome is Outcome.UNKNOWN):
            # Half of the proof is no proof: what the index shows still alarms.
            findings[id_] = msgspec.structs.replace(before, confirmed=False)
            continue
        if now is not None:
            findings[id_] = msgspec.structs.replace(now, confirmed=True)
        if now is None or _verdict(now) != _verdict(before):
            notes.append(Note(kind=INDEX_LAG, check=before.check, text=_contradiction(before, now)))
    notes += work.unconfirmed()
    settled = tuple(sorted(findings.values(), key=sort_key))
    summary = summarize(settled, report.summary.resources)
    if summary.drift is None:
        summary = msgspec.structs.replace(summary, drift=report.summary.drift)
    run = msgspec.structs.replace(report.run, notes=(*report.run.notes, *notes))
    return msgspec.structs.replace(report, run=run, findings=settled, summary=summary)


def _counted(number: int) -> str:
    return "1 new or changed failure" if number == 1 else f"{number} new or changed failures"


def _verdict(finding: Finding) -> tuple[Outcome, str, str | None]:
    return finding.outcome, finding.reason, finding.effect.digest if finding.effect else None


def _contradiction(before: Finding, now: Finding | None) -> str:
    indexed = f"{before.outcome} ({before.reason})"
    said = f"finding {before.id} on {before.resource.name}: Resource Graph still said {indexed}"
    if now is None:
        return f"{said}; by ARM there is no such finding any more"
    if (now.outcome, now.reason) == (before.outcome, before.reason):
        return f"{said}; ARM says the same, with another effect"
    return f"{said}; ARM says {now.outcome} ({now.reason})"


def same(one: Row | None, other: Row | None) -> bool:
    """Whether two rows say the same, spelling of ids and empty values aside."""
    alike: bool = _plain(one) == _plain(other)
    return alike


def _plain(value: Any) -> Any:
    match value:
        case dict():
            items = {key.casefold(): _plain(inner) for key, inner in value.items()}
            return {key: inner for key, inner in items.items() if inner not in (None, "", [], {})}
        case list():
            return [_plain(item) for item in value]
        case str():
            return value.casefold()
        case _:
            return value
