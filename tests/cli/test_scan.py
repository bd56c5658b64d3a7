"""Scans of snapshots as a script sees them: exit statuses, what lies where, and nothing on standard output
but results.
"""

import gzip
import io
import json
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
Run = Callable[..., int]
Write = Callable[..., str]

STATUSES = {
    "nothing wrong": (("good",), (), 0),
    "wrong, below the threshold": (("bad",), (), 0),
    "wrong, at the threshold": (("bad",), ("--fail-on", "medium"), 1),
    "wrong, above the threshold": (("bad",), ("--fail-on", "low"), 1),
    "never": (("bad",), ("--fail-on", "never"), 0),
    "a warning does not count": (("odd",), ("--fail-on", "medium"), 0),
    "a warning counts when strict": (("odd",), ("--fail-on", "medium", "--strict"), 1),
    "nor does an unknown": (("hidden",), ("--fail-on", "medium"), 0),
    "an unknown counts when strict": (("hidden",), ("--fail-on", "medium", "--strict"), 1),
    "no drift without a baseline": (("bad",), ("--fail-on", "medium", "--fail-on-drift"), 0),
}


@pytest.mark.parametrize(("names", "flags", "status"), STATUSES.values(), ids=STATUSES)
def test_exit_status(
    run: Run, snapshot: Write, tmp_path: Path, names: tuple[str, ...], flags: tuple[str, ...], status: int
) -> None:
    assert run("scan", "--snapshot", snapshot(*names), *flags) == status


def test_incomplete_wins_over_findings_and_they_are_written(run: Run, snapshot: Write, tmp_path: Path) -> None:
    assert run("scan", "--snapshot", snapshot("bad", gaps=True), "--fail-on", "medium") == 3
    report = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    assert [finding["outcome"] for finding in report["findings"]] == ["fail"]
    assert report["run"]["complete"] is False


def test_only_drift_counts_if_asked(run: Run, snapshot: Write, tmp_path: Path) -> None:
    flags = ("--fail-on", "medium", "--fail-on-drift")
    assert run("scan", "--snapshot", snapshot("bad"), *flags) == 0
    assert run("scan", "--snapshot", snapshot("bad"), *flags) == 0
    assert run("scan", "--snapshot", snapshot("bad", "worse"), *flags) == 1


def test_a_severity_of_one_s_own(run: Run, snapshot: Write, tmp_path: Path) -> None:
    (tmp_path / "auditor.toml").write_text('[severity]\nown-name = "critical"\n', encoding="utf-8")
    assert run("scan", "--snapshot", snapshot("bad")) == 1


def test_reports_are_for_their_owner_only(run: Run, snapshot: Write, tmp_path: Path) -> None:
    assert run("scan", "--snapshot", snapshot("good")) == 0
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o700
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "out").iterdir()}
    assert modes == {"report.html": 0o600, "report.json": 0o600}


def test_one_report_on_standard_output_and_nothing_else(
    run: Run, snapshot: Write, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    name = snapshot("bad")
    assert run("scan", "--snapshot", name, "--format", "json", "-o", "-", AUDITOR_QUIET="false") == 0
    seen = capfdbinary.readouterr()
    assert json.loads(seen.out)["findings"][0]["check"] == "own-name"
    assert b"findings: 1 fail" in seen.err
    assert not (tmp_path / "out").exists()


def test_a_machine_s_report_is_english_whatever_the_locale(
    run: Run, snapshot: Write, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    name = snapshot("bad")
    assert run("scan", "--snapshot", name, "--format", "json", "-o", "-", LANG="zh_CN.UTF-8") == 0
    assert json.loads(capfdbinary.readouterr().out)["run"]["lang"] == "en"


def test_a_snapshot_from_standard_input(
    run: Run, snapshot: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = Path(snapshot("bad")).read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    assert run("scan", "--snapshot", "-", "--fail-on", "medium") == 1


MISTAKES = {
    "unknown flag": (("--fail-onn", "low"), "error: unknown flag `--fail-onn`; did you mean `--fail-on`?"),
    "unknown cloud": (("--cloud", "chnia"), "error: `chnia` after --cloud is no cloud; did you mean `china`?"),
    "unknown check": (("--check", "own-nane"), "error: unknown check `own-nane`; did you mean `own-name`?"),
    "unknown format": (("--format", "jsn"), "error: `jsn` after --format is no format; did you mean `json`?"),
    "two reports on stdout": (("-o", "-"), "error: `-o -` writes one report"),
    "missing value": (("--fail-on",), "error: option `--fail-on` requires an argument"),
    "no waivers": (("--waivers", "none.toml"), "error: none.toml: "),
    "no template": (("--template", "none.j2"), "error: there is no template file none.j2"),
}


@pytest.mark.parametrize(("flags", "line"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_told_before_the_scan(
    run: Run, snapshot: Write, tmp_path: Path, flags: tuple[str, ...], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("scan", "--snapshot", snapshot("bad"), *flags) == 2
    seen = capsys.readouterr()
    assert seen.out == ""
    assert seen.err.startswith(line)
    assert "Traceback" not in seen.err
    assert not (tmp_path / "out" / "report.json").exists()


@pytest.mark.skipif(os.geteuid() == 0 and not Path("/proc").is_dir(), reason="nowhere that nobody may write to")
def test_an_output_that_cannot_be_written_is_told_before_the_scan(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # the snapshot does not exist either: whichever is told first was looked at first
    assert run("scan", "--snapshot", str(tmp_path / "none.jsonl"), "-o", "/proc/auditor") == 2
    assert "the output folder /proc/auditor cannot be made" in capsys.readouterr().err


def test_a_broken_line_is_an_error_unless_passed_over(
    run: Run, snapshot: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = snapshot("bad", tail='{"id": "/subscr')
    assert run("scan", "--snapshot", name) == 2
    assert f"error: {name}, line 2: not a JSON object" in capsys.readouterr().err
    assert run("scan", "--snapshot", name, "--skip-broken-lines") == 3


UNREADABLE = {
    "empty": b"",
    "not there": None,
    "nothing of ours": b'{"id": "/subscriptions/x/resourceGroups/y", "type": "a/b", "name": "y"}\n',
}


@pytest.mark.parametrize("content", UNREADABLE.values(), ids=UNREADABLE)
def test_a_snapshot_with_nothing_in_it_is_status_4(
    run: Run, tmp_path: Path, content: bytes | None, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "estate.jsonl.gz"
    if content is not None:
        path.write_bytes(content)
    assert run("scan", "--snapshot", str(path)) == 4
    assert capsys.readouterr().err.startswith("error: ")


def test_a_snapshot_cut_off_in_mid_compression_is_told(
    run: Run, snapshot: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = gzip.compress(Path(snapshot("bad")).read_bytes())
    (tmp_path / "estate.jsonl.gz").write_bytes(whole[:-12])
    assert run("scan", "--snapshot", str(tmp_path / "estate.jsonl.gz")) == 2
    assert "mid-compression" in capsys.readouterr().err


DOWN = {
    "AUDITOR_ARM_ENDPOINT": "https://127.0.0.1:9",
    "AUDITOR_AUTHORITY_HOST": "https://127.0.0.1:9",
    "AZURE_TENANT_ID": SUBSCRIPTION,
    "AZURE_CLIENT_ID": SUBSCRIPTION,
    "AZURE_CLIENT_SECRET": "s",
}


@pytest.mark.parametrize("command", [("scan",), ("collect", "-o", "estate.jsonl"), ("doctor",)])
def test_an_endpoint_that_is_down_is_status_4(
    run: Run, command: tuple[str, ...], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    command = tuple(str(tmp_path / each) if each.endswith(".jsonl") else each for each in command)
    assert run(*command, "--subscription", SUBSCRIPTION, **DOWN) == 4
    seen = capsys.readouterr()
    assert "https://127.0.0.1:9" in seen.out + seen.err
    assert "Traceback" not in seen.out + seen.err


def test_an_interrupted_scan_leaves_no_report(run: Run, snapshot: Write, tmp_path: Path) -> None:
    check = tmp_path / "own" / "own" / "name.py"
    text = check.read_text(encoding="utf-8")
    check.write_text(
        text.replace("    yield OUTCOMES", "    raise KeyboardInterrupt\n    yield OUTCOMES"), encoding="utf-8"
    )
    assert run("scan", "--snapshot", snapshot("bad")) == 130
    assert list((tmp_path / "out").iterdir()) == []
