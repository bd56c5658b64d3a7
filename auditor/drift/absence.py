"""What it means that a run does not make a finding that an earlier one made."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from auditor.drift.gone import is_carried
from auditor.findings import Finding, Report, ResourceChange
from auditor.values import Outcome, fold


class Absence(enum.Enum):
    """Why a finding is not there. Only the last two prove that it is over."""

    NOT_RUN = "its check did not run"
    UNREAD = "the scope of its resource was not read"
    UNDECIDED = "its resource is there, and an undecided verdict of its check may stand for it"
    RESOURCE_GONE = "its resource is gone from a scope that was read"
    NOT_CONCERNED = "its resource is there, and its check, all decided, no longer says anything about it"

    @property
    def proved(self) -> bool:
        """Whether the finding is over."""
        return self in (Absence.RESOURCE_GONE, Absence.NOT_CONCERNED)


@dataclass(frozen=True, slots=True)
class Absences:
    """What one run says of findings that it does not make."""

    _checks: Mapping[str, int]
    _present: frozenset[str]
    _undecided: frozenset[tuple[str, str | None]]
    _scope_read: Callable[[str], bool]

    @classmethod
    def of(
        cls,
        report: Report,
        resources: Iterable[ResourceChange] | None,
        scope_read: Callable[[str], bool],
        renamed: Mapping[str, str] | None = None,
    ) -> Absences:
        """Of a run with these audited resources (None: those of its findings).

        `renamed` maps new ids of checks to old ones.
        """
        old = renamed or {}
        made = [finding for finding in report.findings if not is_carried(finding)]
        present = {fold(finding.resource.id) for finding in made} | {fold(each.id) for each in resources or ()}
        undecided = {
            (old.get(finding.check, finding.check), finding.resource.subscription_id)
            for finding in made
            if finding.outcome is Outcome.UNKNOWN
        }
        checks = {old.get(check, check): version for check, version in report.run.catalogue.checks.items()}
        return cls(checks, frozenset(present), frozenset(undecided), scope_read)

    def why(self, finding: Finding) -> Absence:
        """Why the run does not make this finding of an earlier run.

        A check that cannot read a cluster's agent pools says so once, of the cluster: its verdicts on the subnets are
        then missing, not over. So an undecided verdict counts for every resource of its subscription.
        """
        if self._checks and finding.check not in self._checks:
            return Absence.NOT_RUN
        if not self._scope_read(finding.resource.id):
            return Absence.UNREAD
        if fold(finding.resource.id) not in self._present:
            return Absence.RESOURCE_GONE
        where = (finding.resource.subscription_id, None)
        if any((finding.check, subscription) in self._undecided for subscription in where):
            return Absence.UNDECIDED
        return Absence.NOT_CONCERNED

    def shows(self, resource_id: str) -> bool:
        """Whether the run saw this resource."""
        return fold(resource_id) in self._present
