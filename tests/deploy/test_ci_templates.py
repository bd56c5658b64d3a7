"""The CI templates: their scripts run here, over a snapshot, with the variables that their inputs become."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from auditor.config import keys
from tests.estate import container_group, rows, subnet

FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "ci"


def steps_of_action() -> list[dict[str, Any]]:
    action = yaml.safe_load((FOLDER / "github" / "action.yml").read_text(encoding="utf-8"))
    return list(action["runs"]["steps"])


def steps_of_pipeline() -> list[dict[str, Any]]:
    """All steps, those of both branches of a condition too."""
    found: list[dict[str, Any]] = []
    for step in yaml.safe_load((FOLDER / "azure-pipelines" / "audit.yml").read_text(encoding="utf-8"))["steps"]:
        (first, *_) = step
        found += step[first] if first.startswith("${{") else [step]
    return found


def script(step: dict[str, Any]) -> str:
    return str(step.get("run") or step.get("bash") or step.get("inputs", {}).get("inlineScript") or "")


def audits(steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [step for step in steps if "auditor scan" in script(step)]


def run(step: dict[str, Any], folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a step's script as the runners do, with what does not depend on their expressions."""
    plain = {k: v for k, v in step.get("env", {}).items() if "${{" not in str(v) and "$(" not in str(v)}
    base = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "HOME": str(folder)}
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script(step)],
        env=base | plain | environment,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found, _ = rows(container_group(into=subnet("aci")))
    lines = "".join(json.dumps(row) + "\n" for row in found)
    (tmp_path / "estate.jsonl").write_text(lines, encoding="utf-8")
    return tmp_path


def test_no_expression_becomes_a_part_of_a_script() -> None:
    for step in [*steps_of_action(), *steps_of_pipeline()]:
        assert "${{" not in script(step), "an input with a quote in it would be run as code"
        assert "$(" not in script(step)


def test_every_variable_is_one_that_the_program_knows() -> None:
    for step in [*audits(steps_of_action()), *audits(steps_of_pipeline())]:
        names = {name.removeprefix("AUDITOR_").casefold() for name in step["env"]}
        assert names <= set(keys())


def test_every_input_is_declared_and_used() -> None:
    action = (FOLDER / "github" / "action.yml").read_text(encoding="utf-8")
    assert set(re.findall(r"\binputs\.([a-z-]+)", action)) == set(yaml.safe_load(action)["inputs"])
    pipeline = (FOLDER / "azure-pipelines" / "audit.yml").read_text(encoding="utf-8")
    declared = {each["name"] for each in yaml.safe_load(pipeline)["parameters"]}
    assert set(re.findall(r"\bparameters\.([A-Za-z]+)", pipeline)) == declared


def test_both_branches_of_the_pipeline_audit_alike() -> None:
    plain, signed_in = audits(steps_of_pipeline())
    assert (plain["env"], script(plain)) == (signed_in["env"], script(signed_in))


@pytest.mark.parametrize(("fail_on", "status"), [("high", "1"), ("critical", "0"), ("never", "0")])
def test_the_action_audits_a_snapshot(folder: Path, fail_on: str, status: str) -> None:
    (step,) = audits(steps_of_action())
    out, summary = folder / "output", folder / "summary"
    given = {"AUDITOR_SNAPSHOT": "estate.jsonl", "AUDITOR_FAIL_ON": fail_on, "AUDITOR_OUTPUT": "reports of mine"}
    given |= {"AUDITOR_CHECK": "aci-subnet-delegated"}
    given |= {"AUDITOR_CONFIG": "", "AUDITOR_BASELINE": "", "AUDITOR_WAIVERS": "", "AUDITOR_FAIL_ON_DRIFT": "false"}
    done = run(step, folder, GITHUB_OUTPUT=str(out), GITHUB_STEP_SUMMARY=str(summary), **given)
    assert done.returncode == 0, done.stderr
    assert out.read_text(encoding="utf-8") == f"status={status}\n", done.stderr
    written = {path.name for path in (folder / "reports of mine").iterdir()}
    assert {"report.sarif", "report.junit.xml", "report.md", "report.json"} <= written
    assert summary.read_text(encoding="utf-8") == (folder / "reports of mine" / "report.md").read_text(encoding="utf-8")


def test_a_mistake_leaves_no_report_and_fails_in_the_end(folder: Path) -> None:
    (step,) = audits(steps_of_action())
    out = folder / "output"
    done = run(step, folder, GITHUB_OUTPUT=str(out), GITHUB_STEP_SUMMARY="", AUDITOR_SNAPSHOT="no.jsonl")
    assert done.returncode == 0
    status = out.read_text(encoding="utf-8").partition("=")[2].strip()
    assert status in ("2", "4")
    assert run(steps_of_action()[-1], folder, STATUS=status).returncode == int(status)


def test_the_pipeline_audits_a_snapshot(folder: Path) -> None:
    step = audits(steps_of_pipeline())[0]
    given = {"AUDITOR_SNAPSHOT": "estate.jsonl", "AUDITOR_FAIL_ON": "never", "AUDITOR_OUTPUT": str(folder / "out")}
    done = run(step, folder, AUDITOR_FAIL_ON_DRIFT="false", **given)
    assert done.stdout.splitlines()[-1] == "##vso[task.setvariable variable=auditorStatus]0"
    assert (folder / "out" / "report.junit.xml").stat().st_size
