"""Plain text for standard output: tables and times that a person reads and a shell can cut."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence

from auditor.findings import DRIFT_STATES
from auditor.report.legible import one_line
from auditor.values import Outcome

OUTCOMES = (Outcome.FAIL, Outcome.UNKNOWN, Outcome.WARN, Outcome.PASS, Outcome.NOT_APPLICABLE)


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Left-aligned columns, two spaces apart; text from Azure is made legible and kept on its line."""
    lines = [[one_line(str(cell)) for cell in row] for row in (heads, *rows)]
    widths = [max(_width(line[column]) for line in lines) for column in range(len(heads))]
    return "\n".join(
        "  ".join(cell + " " * (width - _width(cell)) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _width(cell: str) -> int:
    """How many columns a terminal gives it: Chinese characters take two."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in cell)


def outcomes(counts: Mapping[str, int], names: Mapping[str, str] | None = None, separator: str = ", ") -> str:
    """`3 fail, 1 unknown, 20 pass`: the outcomes that occur, worst first, by their `names` in another language."""
    said = names or {}
    return separator.join(f"{counts[each]} {said.get(each, each)}" for each in OUTCOMES if counts.get(each)) or (
        "0" if names else "nothing"
    )


def drift(counts: Mapping[str, int] | None, names: Mapping[str, str] | None = None, separator: str = ", ") -> str:
    """`2 new, 1 resolved`: the drift states that occur; a dash without a baseline."""
    if counts is None:
        return "-"
    said = names or {}
    moved = [state for state in DRIFT_STATES if state != "unchanged" and counts.get(state)]
    return separator.join(f"{counts[state]} {said.get(state, state)}" for state in moved) or ("0" if names else "none")


def count(number: int, one: str, many: str | None = None) -> str:
    """`1 run`, `2 runs`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
