"""On which line each waiver of a file begins: neither tomllib nor json tells it."""

from __future__ import annotations

import re

_TOML_HEADER = re.compile(r"\s*\[\[\s*(?:waivers|\"waivers\"|'waivers')\s*\]\]")
_JSON_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]', re.DOTALL)


def toml_lines(text: str) -> list[int]:
    """The lines of the `[[waivers]]` headers. A list written inline has none."""
    return [number for number, line in enumerate(text.splitlines(), start=1) if _TOML_HEADER.match(line)]


def json_lines(text: str) -> list[int]:
    """The lines on which the objects in the top-level list `waivers` begin. The text must be valid JSON."""
    lines: list[int] = []
    path: list[str] = []  # the brackets that are open
    key, last = "", ""
    for token in _JSON_TOKEN.finditer(text):
        found = token[0]
        if found == "{" and path == ["{", "["] and key == "waivers":
            lines.append(text.count("\n", 0, token.start()) + 1)
        if found == ":" and path == ["{"]:
            key = last.strip('"')
        if found in "{[":
            path.append(found)
        elif found in "}]" and path:
            path.pop()
        last = found
    return lines
