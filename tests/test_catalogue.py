"""House rules of the catalogue, walked over the loaded checks: what every check and its page must have."""

from __future__ import annotations

import ast
import re
import string
import sys
from pathlib import Path

import pytest

from auditor.evaluate import Check, load_catalogue

ROOT = Path(__file__).resolve().parent.parent
CHECKS = tuple(load_catalogue())
HEADINGS = ("What it checks", "Why it matters", "Not concerned", "Limits")
SAYING = ("passed", "warned", "failed", "unknown", "not_applicable", "say", "verdict")

each = pytest.mark.parametrize("check", CHECKS, ids=[check.id for check in CHECKS])


def _tree(check: Check) -> ast.Module:
    return ast.parse(check.path.read_text())


def _test_of(check: Check) -> Path:
    return ROOT / "tests" / "checks" / check.path.parent.name / f"test_{check.path.stem}.py"


def _sayings(check: Check) -> list[ast.Call]:
    return [
        node
        for node in ast.walk(_tree(check))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in SAYING
    ]


@each
def test_the_page_has_its_headings_in_order(check: Check) -> None:
    found = re.findall(r"^## (.+)$", check.page, re.MULTILINE)
    assert tuple(found[:4]) == HEADINGS
    assert not check.title.endswith("."), check.title
    assert len(check.page) > 400


@each
def test_it_imports_the_standard_library_and_the_contract_only(check: Check) -> None:
    for node in ast.walk(_tree(check)):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        for name in names:
            assert name == "auditor.api" or name.split(".")[0] in sys.stdlib_module_names, name


@each
def test_it_has_a_test_of_its_own_that_names_it(check: Check) -> None:
    assert f'CHECK = "{check.id}"' in _test_of(check).read_text()


@each
def test_each_reason_it_spells_out_is_reached_by_a_row(check: Check) -> None:
    tests = _test_of(check).read_text()
    reasons = {
        call.args[0].value
        for call in _sayings(check)
        if call.args and isinstance(call.args[0], ast.Constant) and isinstance(call.args[0].value, str)
    }
    assert sorted(reason for reason in reasons if f'"{reason}"' not in tests) == []


@each
def test_messages_are_constant_templates_of_named_facts(check: Check) -> None:
    for call in _sayings(check):
        if len(call.args) < 2 or isinstance(call.args[1], ast.Starred):
            continue
        message = call.args[1]
        if isinstance(message, ast.Name):
            continue  # a parameter: its callers pass constants, which are calls of other names
        assert isinstance(message, ast.Constant), f"line {call.lineno}: not a constant"
        assert isinstance(message.value, str)
        for _, name, _, _ in string.Formatter().parse(message.value):
            assert name is None or name.isidentifier(), f"line {call.lineno}: {name!r}"


@each
def test_a_source_has_a_document_a_section_and_a_path(check: Check) -> None:
    assert check.source.document
    assert check.source.section
    assert check.source.path.startswith("/")
    assert check.mend.summary
