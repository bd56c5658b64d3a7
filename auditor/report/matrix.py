"""Requirements against clusters: the table that an auditor files as evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from auditor.findings import Finding
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


def matrix(findings: Sequence[Finding]) -> Matrix:
    """The table of all findings that belong to one cluster."""
    worst: dict[tuple[str, str], Finding] = {}
    names: dict[str, str] = {}
    titles: dict[str, str] = {}
    for finding in findings:
        cluster = cluster_of(finding)
        if not cluster:
            continue
        key = cluster.casefold()
        names.setdefault(key, cluster)
        titles.setdefault(finding.check, finding.title)
        held = worst.get((finding.check, key))
        if held is None or finding.outcome.rank < held.outcome.rank:
            worst[finding.check, key] = finding
    columns = _columns(worst, names)
    rows = tuple(
        Row(check, title, tuple(worst.get((check, key)) for key in columns)) for check, title in sorted(titles.items())
    )
    return Matrix(tuple(names[key] for key in columns), rows, len(names) - len(columns))


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
