"""Changes of the catalogue between two runs: what changed through an upgrade is not the estate's drift."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from auditor.findings import Report
from auditor.values import fold


@dataclass(frozen=True, slots=True)
class CatalogueChange:
    """Checks by id: `added` and `removed` since the baseline, `reversioned` (versions then and now).

    `renamed` maps the new id of a check to its old one: a finding keeps its id when its check is renamed.
    """

    added: frozenset[str]
    removed: frozenset[str]
    reversioned: Mapping[str, tuple[int | None, int | None]]
    renamed: Mapping[str, str]

    def incomparable_now(self, check: str) -> bool:
        """Whether this run's findings of a check have nothing to be compared with."""
        return check in self.added or check in self.reversioned

    def incomparable_then(self, check: str) -> bool:
        """Whether the baseline's findings of a check say nothing about this run."""
        if check in self.removed:
            return True
        return any(self.renamed.get(new, new) == check for new in self.reversioned)

    def texts(self, now: Mapping[str, int], then: Mapping[str, int]) -> Iterator[tuple[str, str]]:
        """(check, what to say of it), given the number of findings a check, now and then."""
        for check in sorted(self.added):
            yield check, f"the baseline did not run this check: {_findings(now, check)} not compared"
        for check in sorted(self.removed):
            yield check, f"this run did not run this check: {_findings(then, check)} of the baseline not compared"
        for check, (before, after) in sorted(self.reversioned.items()):
            yield (
                check,
                f"version {_version(before)} became {_version(after)}: {_findings(now, check)} not compared",
            )


def catalogue_change(then: Report, now: Report) -> CatalogueChange:
    """What differs between the checks of two runs. A report without check versions counts with those it shows."""
    versions_then, versions_now = _versions(then), _versions(now)
    unstated = not (then.run.catalogue.checks and now.run.catalogue.checks)
    if unstated and then.run.catalogue.digest == now.run.catalogue.digest:
        versions_then = versions_now = {**versions_then, **versions_now}
    renamed = _renamed(then, now)
    added, reversioned = set(), {}
    for check, version in versions_now.items():
        before = renamed.get(check, check)
        if before not in versions_then:
            added.add(check)
        elif versions_then[before] != version:
            reversioned[check] = (versions_then[before], version)
    kept = {renamed.get(check, check) for check in versions_now}
    return CatalogueChange(frozenset(added), frozenset(versions_then.keys() - kept), reversioned, renamed)


def _versions(report: Report) -> dict[str, int | None]:
    if report.run.catalogue.checks:
        return dict(report.run.catalogue.checks)
    return dict.fromkeys(report.summary.by_check)


def _renamed(then: Report, now: Report) -> dict[str, str]:
    """New id to old id of checks whose findings kept their id under another check's name."""
    before = {finding.id: finding.check for finding in then.findings}
    return {
        finding.check: before[finding.id]
        for finding in now.findings
        if finding.id in before and fold(before[finding.id]) != fold(finding.check)
    }


def _findings(counts: Mapping[str, int], check: str) -> str:
    number = counts.get(check, 0)
    return f"{number} finding is" if number == 1 else f"{number} findings are"


def _version(version: int | None) -> str:
    return "unknown" if version is None else str(version)
