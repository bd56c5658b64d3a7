"""What a run is compared with: the baseline's report, and what else is known of the time until now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from auditor.drift.gone import is_over
from auditor.findings import Finding, Report, ResourceChange
from auditor.values import Outcome


@dataclass(frozen=True, slots=True)
class Known:
    """A finding as some run saw it; `since` is the start (RFC 3339) of the first run that saw it in this state."""

    finding: Finding
    since: str


@dataclass(frozen=True, slots=True)
class Seen:
    """A state in which a run saw a finding, as far as drift looks at it, and since when (RFC 3339) it is so."""

    outcome: Outcome
    effect: str | None
    since: str

    def shows(self, finding: Finding) -> bool:
        """Whether the finding is still in this state: the same outcome and, unless unknown, the same effect."""
        if self.outcome is not finding.outcome:
            return False
        return self.outcome is Outcome.UNKNOWN or self.effect == effect_digest(finding)


@dataclass(frozen=True, slots=True)
class Against:
    """A baseline with everything that is known about it.

    - `last_known`: for findings that the baseline could not decide, or whose scope it did not read, the last decided
      state before it. A finding that an earlier run showed to be gone is not among them.
    - `seen`: the last states in which runs before now saw each finding: how `since` is told. None if nothing but the
      baseline is known.
    - `resources`: the audited resources of the baseline; None if they are known only through its findings.
    """

    report: Report
    pinned: bool = False
    last_known: Mapping[str, Known] = field(default_factory=dict)
    seen: Mapping[str, tuple[Seen, ...]] | None = None
    resources: tuple[ResourceChange, ...] | None = None


def from_report(report: Report) -> Against:
    """A report file as a baseline: only that file is known."""
    return Against(report)


def seen_in(report: Report) -> dict[str, tuple[Seen, ...]]:
    """The states in which a report alone shows its findings."""
    return {
        finding.id: (Seen(finding.outcome, effect_digest(finding), known_in(report, finding).since),)
        for finding in report.findings
        if not is_over(finding)
    }


def known_in(report: Report, finding: Finding) -> Known:
    """A finding of this report, with the time since when it is as it is, as far as the report says."""
    since = finding.drift.since if finding.drift is not None else None
    return Known(finding, since or report.run.started_at)


def effect_digest(finding: Finding) -> str | None:
    """What stands for the effect in comparisons; None, an effect not stated, differs from every stated one."""
    return None if finding.effect is None else finding.effect.digest


def same_effect(one: Finding, other: Finding) -> bool:
    """Whether both permit the same."""
    return effect_digest(one) == effect_digest(other)
