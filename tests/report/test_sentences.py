"""What the collector of texts finds in a module, and that no verdict's message escapes it."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from scripts import sentences

SPOKEN_AT = {
    "passed": 1, "warned": 1, "failed": 1, "unknown": 1, "not_applicable": 1, "verdict": 2,
    "Mend": 0, "by": 0, "TraceStep": 1,
}  # fmt: skip
"""Where a call holds a constant that readers meet."""

FOUND = {
    "a message": ('unknown("slug", "{subnet} could not be read: {why}")', ["{subnet} could not be read: {why}"]),
    "either of two": ('x = "one of two" if y else "the other one"', ["one of two", "the other one"]),
    "a pattern": ('Unread(what, f"its {word} range is not here")', ["its {0} range is not here"]),
    "a text in a pattern": ("f\"its {x or 'own words'} range\"", ["own words", "its {0} range"]),
    "a clause's heading": ('Source("DOC", "Private Link", "path/of page")', ["Private Link"]),
    "a note of evidence": ('record.show("a path", value, "unset means none")', ["unset means none"]),
    "no docstring": ('"""About this module."""', []),
    "no command": ('x = ("az", "network list", "{name of it}")', []),
    "no comparison": ('x = y == "two words"', []),
    "no exception": ('raise ValueError("not an address")', []),
    "no slug or name": ('x = "resource-gone"', []),
    "no annotation": ('def f(x: "a type") -> "a type": ...', []),
}


@pytest.mark.parametrize(("source", "texts"), FOUND.values(), ids=FOUND)
def test_found(source: str, texts: list[str]) -> None:
    assert list(sentences.said_in(ast.parse(source))) == texts


def _spoken(tree: ast.Module) -> Iterator[str]:
    """The constants that stand where verdicts, mends and trace steps have their texts; `{why}` alone is none."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        at = SPOKEN_AT.get(ast.unparse(node.func).rsplit(".", 1)[-1])
        if at is None or len(node.args) <= at:
            continue
        argument = node.args[at]
        for each in (argument.body, argument.orelse) if isinstance(argument, ast.IfExp) else (argument,):
            if isinstance(each, ast.Constant) and isinstance(each.value, str) and " " in each.value:
                yield each.value


def test_no_message_escapes_the_collector() -> None:
    known = sentences.texts()
    files = [*sentences.ROOT.glob("checks/*/*.py"), *sentences.ROOT.glob("auditor/*/*.py")]
    spoken = {text for path in files for text in _spoken(ast.parse(path.read_text(encoding="utf-8")))}
    assert len(spoken) > 600
    assert spoken - known.keys() == set()
