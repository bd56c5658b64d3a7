"""Who changed what in a scan of a snapshot: its `auditor/change` rows tell; nothing is confirmed."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from auditor.config import load_settings
from auditor.findings import Between, Report
from auditor.report import write
from auditor.scan import scan
from tests.estate import Thing, cluster, rows

THEN, NOW = datetime(2026, 11, 24, 2, tzinfo=UTC), datetime(2026, 11, 25, 2, tzinfo=UTC)
PRIVATE = "aks-private-api-server"


def scanned(folder: Path, at: datetime, *things: Thing, change: dict[str, Any] | None = None, **flags: Any) -> Report:
    """The report of a snapshot that holds these things and this change record."""
    path = folder / "estate.jsonl"
    lines = [json.dumps(row) for row in rows(*things)[0]] + ([json.dumps(change)] if change else [])
    path.write_text("\n".join(lines), encoding="utf-8")
    settings = load_settings({"no_history": True, "check": (PRIVATE,), "snapshot": (str(path),), **flags}, {}, folder)
    return scan(settings, environment={}, clock=lambda: at).report


def compared(folder: Path, change: dict[str, Any] | None) -> Report:
    """A cluster that became public overnight."""
    before = scanned(folder, THEN, cluster())
    write(before, ["json"], folder / "before")
    return scanned(folder, NOW, cluster(private=False), change=change, baseline=str(folder / "before" / "report.json"))


def made(path: str) -> dict[str, Any]:
    return {
        "type": "auditor/change",
        "properties": {
            "changeType": "Update",
            "targetResourceId": cluster().id,
            "changeAttributes": {"timestamp": "2026-11-24T09:00:00Z", "changedBy": "wei", "operation": "w"},
            "changes": {path: {"previousValue": "true", "newValue": "false"}},
        },
    }


def test_a_change_row_of_the_snapshot_is_told(tmp_path: Path) -> None:
    [finding] = compared(tmp_path, made("properties.apiServerAccessProfile.enablePrivateCluster")).findings
    assert finding.drift is not None
    assert (finding.outcome, finding.drift.state, finding.confirmed) == ("fail", "new", None)
    [change] = finding.drift.changes
    assert (change.by, change.before, change.after) == ("wei", "true", "false")


def test_a_change_of_something_else_is_not(tmp_path: Path) -> None:
    for change in (None, made("properties.kubernetesVersion")):
        [finding] = compared(tmp_path, change).findings
        assert finding.drift is not None
        assert finding.drift.changes == ()
        assert finding.drift.unrecorded == Between(after="2026-11-24T02:00:00Z", until="2026-11-25T02:00:00Z")
