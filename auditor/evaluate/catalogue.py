"""The catalogue: checks loaded by path, the built-in ones exactly as a user's own folder."""

from __future__ import annotations

import fnmatch
import hashlib
import importlib.util
import re
import sys
import typing
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType, UnionType
from typing import Any

from auditor import __version__
from auditor.api.verdicts import ATTRIBUTE, CheckFunction, Declaration, Mend, Source, Where
from auditor.errors import UsageProblem
from auditor.evaluate.subjects import SUBJECTS
from auditor.resources import root
from auditor.values import Severity

_ID = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)+")


@dataclass(frozen=True, slots=True)
class Check:
    """One loaded check. `page` is its docstring in Markdown, `title` the page's first line without the full stop."""

    id: str
    title: str
    page: str
    severity: Severity
    source: Source
    version: int
    aliases: tuple[str, ...]
    clauses: tuple[str, ...]
    reads: tuple[str, ...]
    mend: Mend
    subjects: tuple[type[Any], ...]
    where: Where | None
    function: CheckFunction
    path: Path
    builtin: bool

    @property
    def area(self) -> str:
        """The folder it lies in: `aks`, `nsg`, …"""
        return self.id.split("-", 1)[0]

    @property
    def first_id(self) -> str:
        """The id under which the check was first published; findings keep theirs through a renaming."""
        return self.aliases[0] if self.aliases else self.id


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All loaded checks, sorted by id."""

    checks: tuple[Check, ...]

    def __iter__(self) -> Iterator[Check]:
        return iter(self.checks)

    def __len__(self) -> int:
        return len(self.checks)

    @property
    def version(self) -> str:
        """The version of the program that brings the built-in checks."""
        return __version__

    @property
    def digest(self) -> str:
        """The first 16 hex digits of SHA-256 over ids and versions: equal digests judge alike."""
        text = "\n".join(f"{check.first_id} {check.version}" for check in self.checks)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def find(self, check_id: str) -> Check:
        """A check by its id or a former one; raises UsageProblem that names the nearest."""
        for check in self.checks:
            if check_id == check.id or check_id in check.aliases:
                return check
        known = [name for check in self.checks for name in (check.id, *check.aliases)]
        near = get_close_matches(check_id, known, 1, 0.5)
        raise UsageProblem(
            f"unknown check `{check_id}`" + (f"; did you mean `{near[0]}`?" if near else ""),
            hint="`auditor checks` lists them",
        )

    def select(self, globs: Sequence[str], excluded: Sequence[str]) -> Catalogue:
        """The checks that match any of `globs` (all without one) and none of `excluded`; each glob must match."""

        def matching(glob: str) -> set[str]:
            found = {
                check.id
                for check in self.checks
                if any(fnmatch.fnmatchcase(n, glob) for n in (check.id, *check.aliases))
            }
            if not found:
                self.find(glob)
            return found

        chosen = set().union(*map(matching, globs)) if globs else {check.id for check in self.checks}
        for glob in excluded:
            chosen -= matching(glob)
        return Catalogue(tuple(check for check in self.checks if check.id in chosen))


def load_catalogue(folders: Iterable[Path] = ()) -> Catalogue:
    """The built-in checks and those of the given folders; every problem of every file in one UsageProblem."""
    checks: dict[str, Check] = {}
    taken: dict[str, Path] = {}
    problems: list[str] = []
    for folder, builtin in [(root("checks"), True), *((Path(f), False) for f in folders)]:
        if not folder.is_dir():
            problems.append(f"{folder}: no such folder of checks")
            continue
        for path in sorted(folder.glob("*/*.py")):
            if path.name.startswith("_"):
                continue
            try:
                for check in _load(path, folder, builtin=builtin):
                    for name in (check.id, *check.aliases):
                        if name in taken:
                            raise UsageProblem(f"{path}: the id `{name}` is taken by {taken[name]}")
                        taken[name] = path
                    checks[check.id] = check
            except UsageProblem as problem:
                problems.append(problem.message)
    if problems:
        raise UsageProblem("\n".join(problems), hint='see CONTRIBUTING.md, "Adding a check"')
    return Catalogue(tuple(checks[check_id] for check_id in sorted(checks)))


def _load(path: Path, folder: Path, *, builtin: bool) -> Iterator[Check]:
    module = _module(path, folder)
    found = [value for value in vars(module).values() if isinstance(getattr(value, ATTRIBUTE, None), Declaration)]
    if not found:
        raise UsageProblem(f"{path}: holds no function marked with @check")
    for function in found:
        declaration: Declaration = getattr(function, ATTRIBUTE)
        expected = f"{path.parent.name}-{path.stem}".replace("_", "-")
        if declaration.id != expected:
            raise UsageProblem(f"{path}: its id is `{declaration.id}`; a file of this path holds `{expected}`")
        if not _ID.fullmatch(declaration.id):
            raise UsageProblem(f"{path}: `{declaration.id}` is no id (lower-case words joined by hyphens)")
        page = (module.__doc__ or "").strip()
        if not page:
            raise UsageProblem(f"{path}: lacks a docstring, which is the check's page")
        yield Check(
            id=declaration.id,
            title=page.splitlines()[0].rstrip("."),
            page=page,
            severity=declaration.severity,
            source=declaration.source,
            version=declaration.version,
            aliases=declaration.aliases,
            clauses=declaration.clauses,
            reads=declaration.reads,
            mend=declaration.mend,
            subjects=_subjects(function, path),
            where=declaration.where,
            function=function,
            path=path,
            builtin=builtin,
        )


def _module(path: Path, folder: Path) -> ModuleType:
    name = f"auditor_checks_{hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:8]}"
    name = f"{name}.{path.parent.name}.{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UsageProblem(f"{path}: cannot be loaded as Python")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as problem:
        del sys.modules[name]
        line = _line_in(path, problem)
        raise UsageProblem(f"{path}{line}: {type(problem).__name__}: {problem}") from problem
    return module


def _line_in(path: Path, problem: Exception) -> str:
    if isinstance(problem, SyntaxError) and problem.lineno:
        return f", line {problem.lineno}"
    traceback, line = problem.__traceback__, None
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == str(path):
            line = traceback.tb_lineno
        traceback = traceback.tb_next
    return f", line {line}" if line else ""


def _subjects(function: CheckFunction, path: Path) -> tuple[type[Any], ...]:
    try:
        hints = typing.get_type_hints(function)
    except NameError as problem:
        raise UsageProblem(f"{path}: its annotations name what is not imported: {problem}") from None
    hints.pop("return", None)
    if not hints:
        raise UsageProblem(f"{path}: the first parameter's annotation must name the subject's type")
    first = next(iter(hints.values()))
    arms = (
        typing.get_args(first) if isinstance(first, UnionType) or typing.get_origin(first) is typing.Union else (first,)
    )
    for arm in arms:
        if arm not in SUBJECTS:
            known = ", ".join(sorted(kind.__name__ for kind in SUBJECTS))
            raise UsageProblem(f"{path}: {arm!r} is no subject of a check; subjects are {known}")
    return tuple(arms)
