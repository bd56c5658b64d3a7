"""Writing: whole or not at all, private, and refused before a scan rather than after it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from auditor.errors import UsageProblem
from auditor.report import FORMATS, prepare, read_report, write
from auditor.report.files import write_whole
from tests.report import factory

AS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_writes_every_format_under_its_name(tmp_path: Path) -> None:
    written = write(factory.every_state(), FORMATS, tmp_path / "a" / "b")
    assert [path.name for path in written] == [each.file for each in FORMATS.values()]
    assert all(path.stat().st_size for path in written)


def test_only_the_owner_may_read(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        written = write(factory.CLEAN, ["html", "json"], tmp_path / "a" / "b")
    finally:
        os.umask(before)
    assert {mode(path) for path in written} == {0o600}
    assert mode(tmp_path / "a" / "b") == mode(tmp_path / "a") == 0o700


def test_leaves_nothing_beside_the_reports(tmp_path: Path) -> None:
    write(factory.CLEAN, ["json"], tmp_path)
    write(factory.every_state(), ["json"], tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]
    assert len(read_report(tmp_path / "report.json").findings) == len(factory.every_state().findings)


def test_a_failed_write_keeps_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "report.json"
    target.mkdir()
    (target / "kept").write_text("x", encoding="utf-8")
    with pytest.raises(UsageProblem, match="cannot be written"):
        write_whole(target, b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


def test_standard_output_carries_the_report_and_nothing_else(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert write(factory.CLEAN, ["json"], "-") == []
    printed = capfdbinary.readouterr()
    assert printed.out.startswith(b'{\n  "schemaVersion": 1')
    assert printed.err == b""


def test_prepare_refuses_two_reports_on_standard_output() -> None:
    with pytest.raises(UsageProblem, match="takes one report"):
        prepare(["html", "json"], "-")


def test_prepare_names_the_nearest_format(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match="did you mean `json`"):
        prepare(["jsn"], tmp_path)
    with pytest.raises(UsageProblem, match="no format"):
        prepare([], tmp_path)


def test_prepare_refuses_a_file_where_a_folder_is_needed(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("x", encoding="utf-8")
    for output in (tmp_path / "taken", tmp_path / "taken" / "below"):
        with pytest.raises(UsageProblem, match="is a file, or lies below one"):
            prepare(["json"], output)


def test_prepare_refuses_a_folder_of_the_reports_name(tmp_path: Path) -> None:
    (tmp_path / "report.html").mkdir()
    with pytest.raises(UsageProblem, match="is a folder"):
        prepare(["html"], tmp_path)
    prepare(["json"], tmp_path)


@pytest.mark.skipif(AS_ROOT, reason="root may write anywhere")
def test_prepare_refuses_a_folder_without_write_permission(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(UsageProblem, match="nothing can be written"):
            prepare(["json"], tmp_path)
    finally:
        tmp_path.chmod(0o700)


def test_prepare_leaves_no_trace_in_the_folder(tmp_path: Path) -> None:
    prepare(["html", "json"], tmp_path / "new")
    assert list((tmp_path / "new").iterdir()) == []
