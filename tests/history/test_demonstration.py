"""The demonstration's three nights, remembered on each kind of database."""

from __future__ import annotations

from pathlib import Path

from auditor.demo import run
from auditor.findings import DRIFT_STATES, Report
from auditor.history import open_history

SECOND = {
    ("aci-subnet-delegated", "snet-aci", "new"),
    ("aks-private-api-server", "aks-batch-prod", "unchanged"),
}


def states(report: Report) -> set[str]:
    return {finding.drift.state for finding in report.findings if finding.drift is not None}


def test_every_state_occurs_and_every_report_comes_back(url: str, tmp_path: Path) -> None:
    result = run(cloud="public", output=tmp_path / "out", lang="en", history=url)
    first, second, third = result.nights
    assert states(first) == set()
    assert states(second) | states(third) == set(DRIFT_STATES)
    assert states(second) >= {"new", "changed", "resolved", "unchanged"}
    assert "unverified" in states(third)

    told = {(each.check, each.resource.name, each.drift.state) for each in second.findings if each.drift}
    assert told >= SECOND
    [change] = [
        change
        for finding in second.findings
        if finding.check == "aci-subnet-delegated" and finding.drift and finding.drift.state == "new"
        for change in finding.drift.changes
    ]
    assert change.by.startswith("jonas.weber@")
    assert (change.before, change.after) == ("Microsoft.ContainerInstance/containerGroups", None)

    with open_history(url, create=False) as history:
        assert [row.id for row in history.runs()] == [third.run.id, second.run.id, first.run.id]
        assert [history.report(night.run.id) for night in result.nights] == [first, second, third]
        assert [point.summary for point in history.trend(history.runs()[0].scopes)] == [
            night.summary for night in result.nights
        ]
