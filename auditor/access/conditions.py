"""Conditions on role assignments: can one hinder this operation? (requirements 8.6)

A condition is an expression over `ActionMatches{'…'}` and attributes of the request, the resource, the principal and
the environment. Attributes are not known here, so the expression is evaluated in three values: where it is true
whatever the attributes are, the condition is irrelevant to the operation. Everything else, a text that does not parse
included, can reach it. The grammar read is the documented one: `!`/`NOT`, `&&`/`AND`, `||`/`OR`, parentheses; mixed
without parentheses it counts as not parsable, since which binds closer is not to be guessed.
"""

from __future__ import annotations

import enum
import functools
import re
from collections.abc import Iterable

from auditor.access.patterns import matches


class Reach(enum.StrEnum):
    """What a condition means for an operation."""

    NONE = "none"
    """There is no condition."""
    IRRELEVANT = "irrelevant"
    """It is true for this operation, whatever the attributes are."""
    REACHES = "reaches"
    """It may be false: what it constrains can be this operation, or it could not be parsed."""

    @property
    def harmless(self) -> bool:
        """Whether a grant under it is certain."""
        return self is not Reach.REACHES


class _Malformed(Exception):
    """The text is no condition that we can read."""


_TOKEN = re.compile(
    r"""\s*(?:
      (?P<open>\() | (?P<close>\)) | (?P<and>&&) | (?P<or>\|\|) | (?P<not>!(?!=))
    | (?P<action>ActionMatches\s*\{(?P<names>[^{}]*)\})
    | (?P<text>'[^']*'|"[^"]*") | (?P<set>\{[^{}]*\}) | (?P<attribute>@\w+\s*\[[^\]\[]*\])
    | (?P<word>[^\s(){}\[\]'"&|!@]+)
    )""",
    re.VERBOSE | re.IGNORECASE,
)
_NAME = re.compile(r"\s*(?:'([^']*)'|\"([^\"]*)\")\s*(?:,|$)")
_WORDS = {"and": "and", "or": "or", "not": "not"}
_DEEPEST = 100  # nesting; a deeper text is not read, so that a hostile one cannot exhaust the stack
_LONGEST = 65_536  # characters; Azure allows far fewer


def reach(condition: str | None, operations: Iterable[str]) -> Reach:
    """The worst that the condition means for one of the operations."""
    if condition is None or not condition.strip():
        return Reach.NONE
    return max((_reach(condition, operation) for operation in operations), key=list(Reach).index, default=Reach.REACHES)


@functools.lru_cache(maxsize=16_384)
def _reach(condition: str, operation: str) -> Reach:
    try:
        value = _Expression(condition, operation).value()
    except _Malformed:
        return Reach.REACHES
    # False, too, only "can reach": requirements 8.6 reads a condition as true for what it does not name, a literal
    # evaluation as false where the name is not negated. Two readings that disagree prove neither grant nor lack.
    return Reach.IRRELEVANT if value is True else Reach.REACHES


class _Expression:
    """One reading of a condition for one operation, by recursive descent; None is the value "depends on attributes"."""

    def __init__(self, text: str, operation: str) -> None:
        self._tokens = _tokens(text)
        self._operation = operation
        self._at = 0

    def value(self) -> bool | None:
        found = self._group(0)
        if self._at != len(self._tokens):
            raise _Malformed
        return found

    def _next(self) -> str:
        return self._tokens[self._at][0] if self._at < len(self._tokens) else "end"

    def _group(self, depth: int) -> bool | None:
        """Operands joined by one operator; which of two different ones binds closer is not documented."""
        values = [self._one(depth)]
        joined = self._next()
        while joined in ("and", "or") and self._next() == joined:
            self._at += 1
            values.append(self._one(depth))
        if joined == "and":
            return _not(_or([_not(value) for value in values]))
        return _or(values)

    def _one(self, depth: int) -> bool | None:
        if depth > _DEEPEST:
            raise _Malformed
        kind = self._next()
        if kind == "not":
            self._at += 1
            return _not(self._one(depth + 1))
        if kind == "open":
            self._at += 1
            inner = self._group(depth + 1)
            if self._next() != "close":
                raise _Malformed
            self._at += 1
            return inner
        if kind == "action":
            names = self._tokens[self._at][1]
            self._at += 1
            return any(matches(name, self._operation) for name in _names(names))
        self._pass_comparison()
        return None

    def _pass_comparison(self) -> None:
        """Passes over a comparison of attributes, whose value is not known."""
        start = self._at
        while self._next() == "operand":
            self._at += 1
        if self._at == start:
            raise _Malformed


def _tokens(text: str) -> list[tuple[str, str]]:
    if len(text) > _LONGEST:
        raise _Malformed
    found: list[tuple[str, str]] = []
    at, end = 0, len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None or match.end() == at:
            raise _Malformed
        at = match.end()
        if match["action"] is not None:
            found.append(("action", match["names"]))
        elif match["word"] is not None:
            found.append((_WORDS.get(match["word"].casefold(), "operand"), match["word"]))
        else:
            kind = match.lastgroup or "operand"
            found.append((kind if kind in ("open", "close", "and", "or", "not") else "operand", match[0]))
    return found


def _names(inside: str) -> list[str]:
    """The operations between the braces of `ActionMatches{…}`."""
    names, at = [], 0
    while at < len(inside):
        match = _NAME.match(inside, at)
        if match is None:
            raise _Malformed
        names.append(match[1] if match[1] is not None else match[2])
        at = match.end()
    if not names:
        raise _Malformed
    return names


def _not(value: bool | None) -> bool | None:
    return None if value is None else not value


def _or(values: list[bool | None]) -> bool | None:
    if True in values:
        return True
    return None if None in values else False
