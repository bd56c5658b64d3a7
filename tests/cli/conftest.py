"""A folder of one's own to call the program in: a history, a check, and snapshots of one line a cluster."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from auditor.cli import main

SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
CHECK = '''"""A cluster is called as the test wants it.

## What it checks
Its name.

## Why it matters
It does not.

## Not concerned
Nothing.

## Limits
None.
"""

from collections.abc import Iterator

from auditor.api import Cluster, Inventory, Mend, Severity, Source, Verdict, check, failed, passed, unknown, warned

OUTCOMES = {"good": passed, "odd": warned, "hidden": unknown}


@check(id="own-name", severity=Severity.MEDIUM, source=Source("TEST", "names", "/names"), mend=Mend("call it good"))
def named(cluster: Cluster, inventory: Inventory) -> Iterator[Verdict]:
    yield OUTCOMES.get(cluster.name, failed)("named", "{cluster} is called so", cluster=cluster.name)
'''


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., int]:
    """Call the program in a folder of its own, with a history and a check of its own."""
    (tmp_path / "own" / "own").mkdir(parents=True)
    (tmp_path / "own" / "own" / "name.py").write_text(CHECK, encoding="utf-8")

    def call(*arguments: str, **environment: str) -> int:
        settings = {"AUDITOR_HISTORY": f"sqlite:///{tmp_path / 'history.sqlite'}", "AUDITOR_QUIET": "true"}
        settings |= {"AUDITOR_CHECKS_DIR": str(tmp_path / "own"), "AUDITOR_CHECK": "own-name"}
        settings |= {"AUDITOR_OUTPUT": str(tmp_path / "out")}
        return main(arguments, environment=settings | environment, working_directory=tmp_path)

    return call


@pytest.fixture
def snapshot(tmp_path: Path) -> Callable[..., str]:
    """Write a snapshot file of clusters with the given names; answers its path."""

    def write(*names: str, gaps: bool = False, tail: str = "") -> str:
        return _snapshot(tmp_path, names, gaps=gaps, tail=tail)

    return write


def _snapshot(folder: Path, names: tuple[str, ...], *, gaps: bool, tail: str) -> str:
    group = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/g"
    rows: list[dict[str, Any]] = []
    if gaps:
        gap = {"scope": f"/subscriptions/{SUBSCRIPTION}", "what": "resources", "reason": "forbidden", "hint": "grant"}
        header = {"type": "auditor/snapshot", "version": 1, "takenAt": "2026-11-24T02:00:00Z", "cloud": "public"}
        rows.append({**header, "scopes": [f"/subscriptions/{SUBSCRIPTION}"], "gaps": [{**gap, "required": True}]})
    rows += [
        {
            "id": f"{group}/providers/Microsoft.ContainerService/managedClusters/{name}",
            "type": "microsoft.containerservice/managedclusters",
            "name": name,
            "location": "eastus2",
            "properties": {},
        }
        for name in names
    ]
    path = folder / f"{'-'.join(names) or 'empty'}.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows) + tail, encoding="utf-8")
    return str(path)
