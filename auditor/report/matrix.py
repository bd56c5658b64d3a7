"""Requirements and controls against clusters: the tables that an auditor files as evidence."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from auditor.findings import Finding, Report
from auditor.report.frameworks import Framework, controls_of, frameworks
from auditor.report.triage import cluster_of

COLUMNS = 40  # clusters that a page shows; those with the worst outcomes come first when there are more


@dataclass(frozen=True, slots=True)
class Row:
    """One requirement, and for each cluster the finding with the worst outcome; None where the check has none."""

    check: str
    title: str
    cells: tuple[Finding | None, ...]


@dataclass(frozen=True, slots=True)
class Matrix:
    """Clusters in the order of the columns (their ids), requirements as rows."""

    clusters: tuple[str, ...]
    rows: tuple[Row, ...]
    left_out: int
    """How many clusters have no column."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was found for the controls of one framework, cluster by cluster; `unmapped` checks ran and fit none."""

    framework: Framework
    clusters: tuple[str, ...]
    rows: tuple[ControlRow, ...]
    left_out: int
    unmapped: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ControlRow:
    """One control, and for each cluster the worst finding of its checks; None where there is none."""

    control: str
    checks: tuple[str, ...]
    cells: tuple[Finding | None, ...]


Belonging = Mapping[str, tuple[str, ...]]
"""Finding id to the clusters that it counts for, where the finding itself names none."""


def belonging(report: Report) -> Belonging:
    """By the topologies: a finding about a subnet or a registry counts for every cluster that uses it."""
    found: dict[str, list[str]] = {}
    for topology in report.topologies:
        judged = (*(node.findings for node in topology.nodes), *(edge.findings for edge in topology.edges))
        for finding in (each for ids in judged for each in ids):
            found.setdefault(finding, []).append(topology.cluster)
    return {finding: tuple(dict.fromkeys(clusters)) for finding, clusters in found.items()}


def matrix(findings: Sequence[Finding], belongs: Belonging | None = None) -> Matrix:
    """The table of all findings that belong to a cluster, a row a check."""
    table = _Table.of(findings, belongs or {}, lambda finding: (finding.check,))
    titles = {finding.check: finding.title for finding in reversed(findings)}
    rows = tuple(Row(check, titles[check], table.cells(check)) for check in sorted(table.rows))
    return Matrix(table.clusters, rows, table.left_out)


def evidence(findings: Sequence[Finding], belongs: Belonging | None = None) -> tuple[Evidence, ...]:
    """A table a framework, a row a control that some check gave evidence for."""
    made = []
    for framework in frameworks():
        table = _Table.of(findings, belongs or {}, functools.partial(_controls, framework))
        ran = dict.fromkeys(finding.check for finding in findings)
        rows = tuple(
            ControlRow(
                control,
                tuple(check for check in sorted(ran) if control in controls_of(check).get(framework.id, ())),
                table.cells(control),
            )
            for control in framework.controls
            if control in table.rows
        )
        unmapped = tuple(sorted(check for check in ran if not controls_of(check).get(framework.id)))
        if rows:
            made.append(Evidence(framework, table.clusters, rows, table.left_out, unmapped))
    return tuple(made)


def _controls(framework: Framework, finding: Finding) -> tuple[str, ...]:
    return controls_of(finding.check).get(framework.id, ())


@dataclass(frozen=True, slots=True)
class _Table:
    """The worst finding a row and cluster; clusters are folded where they are keys."""

    worst: dict[tuple[str, str], Finding]
    names: dict[str, str]
    columns: tuple[str, ...]

    @classmethod
    def of(cls, findings: Sequence[Finding], belongs: Belonging, rows_of: Callable[[Finding], Iterable[str]]) -> _Table:
        worst: dict[tuple[str, str], Finding] = {}
        names: dict[str, str] = {}
        for finding in findings:
            rows = tuple(rows_of(finding))
            if not rows:
                continue
            own = cluster_of(finding)
            for cluster in (own,) if own else belongs.get(finding.id, ()):
                key = cluster.casefold()
                for row in rows:
                    names.setdefault(key, cluster)
                    held = worst.get((row, key))
                    if held is None or finding.outcome.rank < held.outcome.rank:
                        worst[row, key] = finding
        return cls(worst, names, tuple(_columns(worst, names)))

    @property
    def clusters(self) -> tuple[str, ...]:
        return tuple(self.names[key] for key in self.columns)

    @property
    def rows(self) -> set[str]:
        return {row for row, _ in self.worst}

    @property
    def left_out(self) -> int:
        return len(self.names) - len(self.columns)

    def cells(self, row: str) -> tuple[Finding | None, ...]:
        return tuple(self.worst.get((row, key)) for key in self.columns)


def _columns(worst: dict[tuple[str, str], Finding], names: dict[str, str]) -> list[str]:
    """By name; if there are too many, the worst ones of them."""

    def name(key: str) -> str:
        return key.rpartition("/")[2]

    if len(names) <= COLUMNS:
        return sorted(names, key=name)
    badness: dict[str, list[int]] = {key: [0, 0, 0] for key in names}
    for (_, key), finding in worst.items():
        if finding.outcome.rank < 3:
            badness[key][finding.outcome.rank] -= 1
    return sorted(sorted(names, key=lambda key: (badness[key], name(key)))[:COLUMNS], key=name)
