"""Rules of the house that a machine can keep: what may be committed, what is imported, what a wheel holds."""

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# Spelled in pieces, or this file would break its own rule.
REGISTRIES: tuple[str, ...] = (
    "pypi" + ".org",
    "python" + "hosted.org",
    "registry.npm" + "js.org",
    "deb.debian" + ".org",
)
REGISTRIES += ("proxy.golang" + ".org", "crates" + ".io", "docker" + ".io", "npm" + "mirror.com")
MACHINE_PATHS = re.compile("(?<![\\w.])/" + "(work|farm|root|home/[a-z]+|Users/[A-Za-z]+)/")
MACHINE_PATHS_ALLOWED = re.compile(r"/home/(user|auditor|nonroot)/")


def committed() -> list[Path]:
    """Every file that a clone would hold, or the next commit would add."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def lines() -> list[tuple[str, str]]:
    """(file and line number, line) of every committed text."""
    found = []
    for path in committed():
        content = path.read_bytes()
        if b"\0" in content:
            continue
        # The corpus of the fuzzers holds bytes that are no text.
        how = "replace" if path.is_relative_to(ROOT / "tests" / "fuzz" / "corpus") else "strict"
        for number, line in enumerate(content.decode("utf-8", how).splitlines(), start=1):
            found.append((f"{path.relative_to(ROOT)}:{number}", line))
    return found


def test_no_registry_is_named_by_host() -> None:
    # pins work with whatever index a machine is configured for
    assert [place for place, line in lines() if any(host in line.casefold() for host in REGISTRIES)] == []


def test_no_path_of_one_machine_is_committed() -> None:
    named = [
        place
        for place, line in lines()
        if MACHINE_PATHS.search(MACHINE_PATHS_ALLOWED.sub("", line)) and not place.startswith("LICENSE")
    ]
    assert named == []


def test_nothing_generated_is_committed() -> None:
    kinds = re.compile(r"(^|/)(__pycache__|\.venv|dist|build|node_modules|\.\w+_cache)/|\.pyc$|(^|/)\.env$")
    assert [str(p) for p in committed() if kinds.search(str(p.relative_to(ROOT)))] == []


def test_every_pin_has_a_hash_and_every_requirement_a_pin() -> None:
    names_of_all = sorted(path.stem for path in (ROOT / "requirements").glob("*.in"))
    assert {"runtime", "replica", "dev", "serve", "image", "sbom"} <= set(names_of_all)
    for name in names_of_all:
        pinned = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
        wanted = (ROOT / "requirements" / f"{name}.in").read_text(encoding="utf-8")
        entries = re.findall(r"^([a-z0-9][\w.\[\],-]*)==\S+(?: ;[^\n]*?)? \\\n( +--hash=sha256:)", pinned, re.MULTILINE)
        names = {re.sub(r"\[.*", "", entry) for entry, _ in entries}
        assert len(names) == len(re.findall(r"^[a-z0-9][^\n]*==", pinned, re.MULTILINE))
        for line in wanted.splitlines():
            if line and not line.startswith(("#", "-r")):
                assert re.split(r"[\[<>=~ ]", line)[0] in names, f"{line} of {name}.in is not pinned: make lock"


def test_what_the_package_asks_for_is_what_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    listed = set((ROOT / "requirements" / "runtime.in").read_text(encoding="utf-8").splitlines())
    assert set(project["dependencies"]) - listed == set()
    assert project["version"] == __import__("auditor").__version__


def test_every_module_of_the_package_has_a_layer() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    (layers,) = [contract for contract in contracts if contract["type"] == "layers"]
    assert layers["exhaustive"] is True
    named = {name.strip(" ()") for layer in layers["layers"] for name in re.split(r"[|:]", layer)}
    named |= set(layers["exhaustive_ignores"])
    modules = {path.stem for path in (ROOT / "auditor").glob("*.py")} - {"__init__"}
    modules |= {path.parent.name for path in (ROOT / "auditor").glob("*/__init__.py")}
    assert modules - named == set()


def test_only_collect_and_confirm_import_azure() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    (contract,) = [each for each in contracts if each.get("forbidden_modules") == ["azure"]]
    modules = {f"auditor.{path.stem}" for path in (ROOT / "auditor").glob("*.py")} - {"auditor.__init__"}
    modules |= {f"auditor.{path.parent.name}" for path in (ROOT / "auditor").glob("*/__init__.py")}
    modules -= {"auditor.collect", "auditor.confirm", "auditor.resources", "auditor.data"}
    assert modules - set(contract["source_modules"]) == set()


HEAVY = {"azure", "sqlalchemy", "alembic", "jinja2", "rich", "apscheduler", "duckdb", "requests", "cryptography"}


def test_the_replica_borrows_nothing_that_reads_the_protocol() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    (contract,) = [each for each in contracts if each.get("source_modules") == ["auditor.replica"]]
    readers = ("collect", "confirm", "inventory", "evaluate", "derive", "api", "network", "access", "scan", "values")
    there = {f"auditor.{name}" for name in readers if list((ROOT / "auditor").glob(f"{name}*"))}
    assert there - set(contract["forbidden_modules"]) == set()


@pytest.mark.parametrize("module", ["auditor.cli", "auditor.config", "auditor.findings", "auditor.collect"])
def test_importing_it_imports_nothing_heavy(module: str) -> None:
    code = f"import sys, {module}; print(*sorted({HEAVY!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split() == []


def test_ci_and_the_makefile_are_what_the_readme_says() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z][a-z-]*):", makefile, re.MULTILINE))
    phony = re.search(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)
    assert phony
    assert targets == set(phony[1].split())
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    pages = (ROOT / "README.md").read_text(encoding="utf-8") + (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for command in re.findall(r"`make ([a-z][a-z-]*)", pages) + re.findall(
        r"^make ([a-z-]+)", pages + ci, re.MULTILINE
    ):
        assert command in targets, f"`make {command}` is promised, and no target"
    assert "make test" in ci
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


@pytest.mark.long
def test_a_wheel_holds_one_top_level_name(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), "."],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"auditor"}
    assert [name for name in names if "__pycache__" in name or name.endswith(".pyc")] == []
    for folder, inside in (("checks", "_checks"), ("reports", "_reports")):
        beside = {str(path.relative_to(ROOT / folder)) for path in (ROOT / folder).rglob("*") if path.is_file()}
        beside = {name for name in beside if "__pycache__" not in name and not name.startswith(".")}
        packed = {name.removeprefix(f"auditor/{inside}/") for name in names if name.startswith(f"auditor/{inside}/")}
        assert packed == beside
