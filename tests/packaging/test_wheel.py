"""Two builds of the wheel, from two copies of the committed tree made at different times, are the same bytes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("auditor", "checks", "reports", "pyproject.toml", "README.md", "LICENSE", "NOTICE")


def built(folder: Path, modified: int) -> bytes:
    """The wheel of a copy whose files all carry one time of modification."""
    tree = folder / "a tree"
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, tree / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            tree.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / part, tree / part)
    for path in tree.rglob("*"):
        os.utime(path, (modified, modified))
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(tree)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = folder.glob("*.whl")
    return wheel.read_bytes()


def test_two_builds_are_the_same_bytes(tmp_path: Path) -> None:
    assert built(tmp_path / "one", 1_700_000_000) == built(tmp_path / "two", 1_760_000_000)
