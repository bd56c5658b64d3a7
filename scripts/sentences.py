"""What findings say, read from the source: titles, message templates, remediations, traces, reasons for not knowing.

Nobody marks these texts: a check is plain Python, and a constant in it that holds words is something that a reader
meets. So the syntax trees are walked and what no reader meets is left out: docstrings, commands, paths, exceptions.
A text made by an f-string becomes a pattern with numbered places: `its {0} range is not in its data`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

SPOKEN = (
    "auditor/api/*.py",
    "auditor/access/*.py",
    "auditor/confirm/*.py",
    "auditor/derive/*.py",
    "auditor/evaluate/run.py",
    "auditor/drift/*.py",
    "auditor/explain/telling.py",
    "auditor/explain/what_if.py",
    "auditor/inventory/build.py",
    "auditor/inventory/coverage.py",
    "auditor/inventory/inventory.py",
    "auditor/inventory/records.py",
    "auditor/network/*.py",
    "auditor/collect/authorization.py",
    "auditor/collect/directory.py",
    "auditor/collect/arm.py",
    "auditor/collect/failures.py",
    "auditor/collect/gaps.py",
    "auditor/collect/graph.py",
    "auditor/collect/paging.py",
    "auditor/collect/references.py",
    "auditor/collect/rights.py",
    "auditor/collect/rounds.py",
    "auditor/collect/run.py",
    "auditor/collect/scopes.py",
    "auditor/collect/surroundings.py",
    "auditor/collect/walk.py",
    "auditor/collect/wire.py",
    "auditor/waivers/applying.py",
    "auditor/scan.py",
)
"""Modules of the engine whose words end up in findings, gaps, notes or traces."""

_SILENT_CALLS = re.compile(
    r"(\w*(Problem|Error|Read|BrokenLine)|_Unreadable|Evidence\.path|cast|TypeVar|lru_cache|compile|search|sub|match|"
    r"split|rsplit|replace|startswith|endswith|removeprefix|removesuffix|partition|rpartition|strip|rstrip|lstrip|"
    r"get|getattr|setattr|hasattr|encode|decode|_walk|keep_own|_list_assignments|add_argument|write|strftime)$"
)
"""Calls whose constants are for programs."""

_SILENT_KEYWORDS = frozenset(
    {"id", "reads", "clauses", "aliases", "path", "reason", "kind", "rule_name", "slug", "part", "document"}
)
_WORDS = re.compile(
    r"[a-z]{2,} [a-z]|[a-z] [a-z]{2,}|\w\} [a-z]{2,}|[a-z]{2,} \{|\{[a-z_]+\}.* |.* \{[a-z_]+\}", re.IGNORECASE
)
_SINGLE = frozenset({"nothing", "everything", "unset"})
"""Single words that stand for a fact; every other single word is a name, a value or a slug."""


def check_texts() -> Iterator[tuple[str, str]]:
    """(text, file) of every built-in check: its title first."""
    for path in sorted((ROOT / "checks").glob("*/*.py")):
        name = str(path.relative_to(ROOT))
        tree = ast.parse(path.read_text(encoding="utf-8"))
        page = ast.get_docstring(tree) or ""
        yield page.splitlines()[0].rstrip("."), name
        for text in said_in(tree):
            yield text, name


def engine_texts() -> Iterator[tuple[str, str]]:
    """(text, file) of the modules in SPOKEN."""
    for pattern in SPOKEN:
        for path in sorted(ROOT.glob(pattern)):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            for text in said_in(tree):
                yield text, str(path.relative_to(ROOT))


def said_in(tree: ast.Module) -> Iterator[str]:
    """The constants of a module that readers meet."""
    walker = _Walker()
    walker.visit(tree)
    yield from walker.texts


class _Walker(ast.NodeVisitor):
    def __init__(self) -> None:
        self.texts: list[str] = []

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str) and (_WORDS.search(node.value) or node.value in _SINGLE):
            self.texts.append(node.value)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        parts: list[str] = []
        places = 0
        for value in node.values:
            if isinstance(value, ast.Constant):
                parts.append(str(value.value).replace("{", "{{").replace("}", "}}"))
                continue
            parts.append(f"{{{places}}}")
            places += 1
            self.visit(value)
        text = "".join(parts)
        if _WORDS.search(re.sub(r"\{\d+\}", "{0}", text)):
            self.texts.append(text)

    def visit_Expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):  # a docstring, of whatever
            self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        name = ast.unparse(node.func).rsplit(".", 1)[-1]
        if name == "Source" and len(node.args) > 1 and isinstance(node.args[1], ast.Constant):
            self.texts.append(str(node.args[1].value))  # the clause's heading; key and path are for programs
            return
        if name == "show":  # (path, value, note)
            for note in node.args[2:]:
                self.visit(note)
            return
        if _SILENT_CALLS.fullmatch(name):
            return
        if isinstance(node.func, ast.Attribute):
            self.visit(node.func.value)
        for argument in node.args:
            self.visit(argument)
        for keyword in node.keywords:
            if keyword.arg not in _SILENT_KEYWORDS:
                self.visit(keyword.value)

    def visit_Tuple(self, node: ast.Tuple) -> None:
        first = node.elts[0] if node.elts else None
        if isinstance(first, ast.Constant) and first.value in ("az", "kubectl"):
            return
        self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        return

    def visit_Raise(self, node: ast.Raise) -> None:
        return

    def visit_Subscript(self, node: ast.Subscript) -> None:
        self.visit(node.value)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        for statement in node.body:
            self.visit(statement)
        for decorator in node.decorator_list:
            self.visit(decorator)
        for default in (*node.args.defaults, *(each for each in node.args.kw_defaults if each)):
            self.visit(default)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)


def texts() -> dict[str, list[str]]:
    """Every text with the files that say it, in the order of reading."""
    found: dict[str, list[str]] = {}
    for text, name in (*check_texts(), *engine_texts()):
        files = found.setdefault(text, [])
        if name not in files:
            files.append(name)
    return found
