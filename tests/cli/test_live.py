"""Commands against a replica in another process, as two terminals would have it."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import auditor.demo
from auditor.cli import main

ESTATE = Path(auditor.demo.__file__).parent / "estates" / "night-1.json"
AUDITOR = [sys.executable, "-m", "auditor"]


@pytest.fixture(scope="module")
def exported() -> Iterator[dict[str, str]]:
    """A running `auditor replica`, and the environment that it prints."""
    served = subprocess.Popen(
        [*AUDITOR, "replica", str(ESTATE), "--no-quota"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
    )
    assert served.stdout is not None
    assert served.stderr is not None
    environment: dict[str, str] = {}
    while "AUDITOR_CLOUD" not in environment:
        line = served.stdout.readline()
        assert line.startswith("export "), served.stderr.read()
        name, _, value = line.removeprefix("export ").strip().partition("=")
        environment[name] = "".join(shlex.split(value))
    yield environment
    served.send_signal(signal.SIGTERM)
    _, said = served.communicate()
    assert served.returncode == 0
    assert "stopped after" in said.splitlines()[-1]


def run(exported: dict[str, str], folder: Path, *arguments: str) -> int:
    history = {"AUDITOR_HISTORY": f"sqlite:///{folder / 'history.sqlite'}", "AUDITOR_QUIET": "true"}
    return main(arguments, environment=exported | history, working_directory=folder)


def timeless(findings: object) -> str:
    """Findings as JSON, without times of day."""
    return re.sub(r"T\d\d:\d\d:\d\d", "", json.dumps(findings, indent=1))


def test_doctor_collect_and_scan_agree(
    exported: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scope = ("--management-group", "contoso")
    assert run(exported, tmp_path, "doctor", *scope) == 0
    examined = capsys.readouterr().out
    assert "problem" not in examined
    assert "ok       credentials: signed in to tenant" in examined
    estate = str(tmp_path / "estate.jsonl.gz")
    assert run(exported, tmp_path, "collect", "-o", estate, *scope) == 0
    live, file = tmp_path / "live", tmp_path / "file"
    never = ("--fail-on", "never", "--format", "json")
    assert run(exported, tmp_path, "scan", *scope, *never, "-o", str(live), "--no-history") == 0
    assert run({}, tmp_path, "scan", "--snapshot", estate, *never, "-o", str(file), "--no-history") == 0
    one, other = (json.loads((each / "report.json").read_text(encoding="utf-8")) for each in (live, file))
    # two collections: evidence that says when tags were read differs in that second, and in nothing else
    assert timeless(one["findings"]) == timeless(other["findings"])
    assert one["summary"] == other["summary"]
    assert one["run"]["scopes"] == other["run"]["scopes"]


def test_a_scope_that_is_not_there_is_an_incomplete_scan(
    exported: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    elsewhere = "99999999-9999-9999-9999-999999999999"
    scope = ("--management-group", "contoso", "--subscription", elsewhere)
    assert run(exported, tmp_path, "doctor", *scope) == 3
    assert f"grant Reader on /subscriptions/{elsewhere}" in capsys.readouterr().out
    assert run(exported, tmp_path, "scan", *scope, "-o", str(tmp_path / "out")) == 3
    assert (tmp_path / "out" / "report.html").is_file()


NO_SIGN_IN = {
    "wrong secret": ({"AZURE_CLIENT_SECRET": "guess"}, "secret"),
    "unknown tenant": ({"AZURE_TENANT_ID": "99999999-9999-9999-9999-999999999999"}, "tenant"),
    "unknown authority's certificate": ({"AUDITOR_CA_BUNDLE": ""}, "certificate"),
}


@pytest.mark.parametrize(("changed", "word"), NO_SIGN_IN.values(), ids=NO_SIGN_IN)
@pytest.mark.parametrize("command", ["scan", "doctor"])
def test_what_keeps_a_scan_from_starting_is_named_in_a_line(
    exported: dict[str, str],
    tmp_path: Path,
    command: str,
    changed: dict[str, str],
    word: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    output = ("-o", str(tmp_path / "out")) if command == "scan" else ()
    assert run(exported | changed, tmp_path, command, "--management-group", "contoso", *output) == 4
    seen = capsys.readouterr()
    told = (seen.err if command == "scan" else seen.out).splitlines()
    assert word in told[0]
    assert "Traceback" not in seen.err


def test_the_service_stops_cleanly_when_told(tmp_path: Path) -> None:
    serving = subprocess.Popen(
        [*AUDITOR, "serve", "--listen", "127.0.0.1:0", "--cron", "0 2 * * *", "--timezone", "Asia/Shanghai"],
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env=dict(os.environ) | {"AUDITOR_HISTORY": f"sqlite:///{tmp_path / 'history.sqlite'}"},
    )
    assert serving.stderr is not None
    said: list[str] = []
    while not said or "next scan: " not in said[-1]:
        said.append(serving.stderr.readline())
        assert said[-1], said
    assert said[0].startswith("listening on http://127.0.0.1:")
    serving.send_signal(signal.SIGTERM)
    _, rest = serving.communicate()
    assert serving.returncode == 0
    assert "stopped: 0 scans (none), 0 missed" in rest
