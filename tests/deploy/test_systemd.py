"""The systemd units: verified by systemd itself where it is, and told what the program understands."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from auditor.cli.app import COMMANDS
from auditor.config import load_settings
from auditor.history import history_url
from auditor.service.options import read_options
from auditor.service.plans import read_plans

FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "systemd"
PROGRAM = "/opt/auditor/bin/auditor"


def value(unit: str, key: str) -> str:
    (found,) = re.findall(rf"^{key}=(.*)$", (FOLDER / unit).read_text(encoding="utf-8"), re.MULTILINE)
    return str(found)


def test_systemd_finds_nothing_wrong(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not here")
    program = tmp_path / "auditor"
    program.write_text("#!/bin/sh\n", encoding="utf-8")
    program.chmod(0o755)
    units = []
    for path in sorted([*FOLDER.glob("*.service"), *FOLDER.glob("*.timer")]):
        unit = tmp_path / path.name
        unit.write_text(path.read_text(encoding="utf-8").replace(PROGRAM, str(program)), encoding="utf-8")
        units.append(str(unit))
    assert len(units) == 3
    done = subprocess.run([analyze, "verify", "--man=no", *units], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("unit", ["auditor.service", "auditor-scan.service"])
def test_the_program_is_told_what_it_understands(unit: str) -> None:
    program, command, *rest = value(unit, "ExecStart").split()
    assert (program, command in COMMANDS) == (PROGRAM, True)
    assert rest == ["--config", "/etc/auditor/auditor.toml", "--log-format", "json"]


@pytest.mark.parametrize("unit", ["auditor.service", "auditor-scan.service"])
def test_the_history_lies_in_the_units_own_folder(unit: str) -> None:
    environment = dict(pair.split("=", 1) for pair in value(unit, "Environment").split())
    assert history_url(environment) == "sqlite:////var/lib/auditor/history.sqlite"
    assert value(unit, "StateDirectory") == "auditor"
    assert value(unit, "ProtectSystem") == "strict"


def test_findings_are_no_failure_of_the_unit() -> None:
    assert value("auditor-scan.service", "SuccessExitStatus") == "1"


def test_the_sample_configuration_is_taken() -> None:
    path = FOLDER / "auditor.toml"
    settings = load_settings(flags={"config": str(path)}, environ={}, working_directory=FOLDER)
    assert str(settings.output).startswith("/var/lib/auditor/")
    assert read_options({}, path, named=True, environ={}, tenant=None).address == ("127.0.0.1", 8743)
    (plan,) = read_plans(path, {"config": str(path)}, {}, FOLDER)
    assert plan.schedule.cron == "0 2 * * *"
