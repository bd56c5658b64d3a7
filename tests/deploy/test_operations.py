"""docs/operations.md: its commands are run, and what it names is there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from auditor.history import open_history
from tests.history.conftest import cluster
from tests.history.postgresql import Cluster, binaries
from tests.report.sample import night

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
__all__ = ["cluster"]


def commands() -> list[str]:
    """Every line of the page's shell blocks."""
    return [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]


def runs(url: str) -> list[str]:
    with open_history(url, {}) as history:
        return [run.id for run in history.runs()]


def save(url: str) -> None:
    with open_history(url, {}) as history:
        history.save(night())


def test_a_copy_of_an_sqlite_history_in_use_is_a_history(tmp_path: Path) -> None:
    (backup,) = [line for line in commands() if line.startswith("python3 ")]
    url = f"sqlite:///{tmp_path / 'history.sqlite'}"
    save(url)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with open_history(url, {}):
        subprocess.run(["sh", "-c", backup], cwd=tmp_path, check=True, env={"PATH": path})
    assert runs(f"sqlite:///{tmp_path / 'backup.sqlite'}") == runs(url) == [night().run.id]


@pytest.mark.postgresql
def test_a_dump_of_a_postgresql_history_is_restored(cluster: Cluster, tmp_path: Path) -> None:
    found = binaries()
    assert found is not None
    dump, restore = [line for line in commands() if line.startswith("pg_")]
    first, second = cluster.new_database(), cluster.new_database()
    save(first)
    runs(second)  # it has the tables already, and no run
    path = f"{found}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(["sh", "-c", dump], cwd=tmp_path, check=True, env={"PATH": path, "DATABASE": first})
    subprocess.run(["sh", "-c", restore], cwd=tmp_path, check=True, env={"PATH": path, "DATABASE": second})
    assert runs(second) == [night().run.id]


def test_every_alert_is_explained() -> None:
    rules = (ROOT / "deploy" / "dashboards" / "alerts.yml").read_text(encoding="utf-8")
    assert re.findall(r"alert: (\w+)", rules) == re.findall(r"^\| `(Auditor\w+)` \|", PAGE, re.MULTILINE)


@pytest.mark.parametrize("page", ["docs/operations.md", "deploy/README.md"])
def test_every_file_that_a_page_names_is_there(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    links = [(ROOT / page).parent / link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
    links += [ROOT / name for name in re.findall(r"\b(?:deploy|docs|requirements)/[\w./-]*\w", text)]
    missing = [str(link) for link in links if not link.exists() and "your-fork" not in str(link)]
    assert missing == []
