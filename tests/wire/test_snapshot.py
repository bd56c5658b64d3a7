"""Snapshots: whole or not at all, private, and worth as much as the collection itself."""

from __future__ import annotations

import gzip
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from auditor.collect import Collected, snapshot_header, write_snapshot
from auditor.errors import UsageProblem
from auditor.inventory.build import Builder
from auditor.inventory.rows import open_snapshot, read_rows
from tests.wire import estate as e
from tests.wire.conftest import NOW, Azure

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def collected(running: Any) -> Collected:
    azure = Azure(*running)
    azure.replica.set_faults([{"match": {"path": "denyAssignments"}, "fault": 403}])
    found = azure.collect()
    azure.replica.set_faults(None)
    return found


def lines(path: Path) -> list[dict[str, Any]]:
    with open_snapshot(path) as stream:
        return [msgspec.json.decode(line) for line in stream]


@pytest.mark.parametrize("name", ["s.jsonl", "s.jsonl.gz", "s.jsonl.zst"])
def test_it_reads_back(collected: Collected, tmp_path: Path, name: str) -> None:
    if name.endswith(".zst"):
        pytest.importorskip("zstandard")
    write_snapshot(collected, tmp_path / name)
    header, *rows = lines(tmp_path / name)
    assert rows == collected.rows
    assert header["type"] == "auditor/snapshot"
    assert header["version"] == 1
    assert header["takenAt"] == "2026-11-24T02:00:00+00:00"
    assert (header["cloud"], header["tenantId"]) == ("china", e.TENANT)
    assert header["scopes"] == ["/providers/Microsoft.Management/managementGroups/platform"]
    assert [gap["what"] for gap in header["gaps"]] == ["microsoft.authorization/denyassignments"]


def test_it_makes_the_inventory_that_the_live_scan_has(collected: Collected, tmp_path: Path) -> None:
    write_snapshot(collected, tmp_path / "s.jsonl.gz")
    from_file, live = Builder(), Builder()
    with open_snapshot(tmp_path / "s.jsonl.gz") as stream:
        from_file.add_all(read_rows(stream, "s"), "s")
    live.header = snapshot_header(collected)
    for row in collected.rows:
        live.add(msgspec.json.encode(row), "Azure")
    one, other = from_file.build(now=NOW), live.build(now=NOW)
    assert not from_file.broken
    assert not one.malformed
    assert list(one.audited()) == list(other.audited())
    assert list(one.audited())
    assert one.gaps == other.gaps == collected.gaps


def test_the_same_collection_gives_the_same_bytes(collected: Collected, tmp_path: Path) -> None:
    for name in ("a.jsonl.gz", "b.jsonl.gz"):
        write_snapshot(collected, tmp_path / name)
    assert (tmp_path / "a.jsonl.gz").read_bytes() == (tmp_path / "b.jsonl.gz").read_bytes()


def test_only_its_owner_reads_it(collected: Collected, tmp_path: Path) -> None:
    write_snapshot(collected, tmp_path / "made" / "s.jsonl")
    assert stat.S_IMODE((tmp_path / "made" / "s.jsonl").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "made").stat().st_mode) == 0o700


def test_a_failed_write_leaves_the_old_file(collected: Collected, tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl.gz"
    path.write_bytes(gzip.compress(b"old"))
    spoiled = Collected(
        rows=[{"id": object()}],
        scopes=(),
        gaps=(),
        requests=collected.requests,
        taken_at=NOW,
        cloud="china",
        tenant_id=None,
    )
    with pytest.raises(TypeError):
        write_snapshot(spoiled, path)
    assert gzip.decompress(path.read_bytes()) == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["s.jsonl.gz"]


def test_what_cannot_be_written_says_so(collected: Collected, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageProblem, match="cannot be written"):
        write_snapshot(collected, tmp_path / "file" / "s.jsonl")


def test_importing_collect_imports_no_sdk() -> None:
    code = "import sys, auditor.collect, auditor.collect.permissions, auditor.collect.doctor;"
    code += "print([m for m in sys.modules if m.split('.')[0] in ('azure', 'requests', 'msal')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"
