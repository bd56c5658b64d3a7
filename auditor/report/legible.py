"""Text from Azure is hostile: what it may do to a reader's eye or terminal is taken out, and stays legible.

Markup is the business of each format's own quoting (Jinja's autoescape, CSV quotes, XML entities). Here goes what
no quoting helps against: control characters, marks that turn the direction of writing, invisible characters and
line separators, lone surrogates that no encoding accepts.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from typing import Any

from auditor.i18n import fill

ONE_LINE = 60  # characters of JSON above which it is broken into lines
LONGEST_SHOWN = 2_000  # characters of one evidence value; the whole of it is in report.json

# C0 without tab and newline, DEL and C1; soft hyphen; Arabic letter mark; zero-width and direction marks; line and
# paragraph separators; direction embeddings, overrides and isolates; invisible operators; BOM; interlinear
# annotations; surrogates; tag characters, which hide whole sentences from the eye.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff"
    "\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f\ufffe\uffff]"
)
_SURROGATE = re.compile("[\ud800-\udfff]")


def legible(text: str) -> str:
    """The text with every character that a reader could not see written as its code point: `⟨U+202E⟩`."""
    if text.isascii() and text.isprintable():
        return text  # nearly always
    return _INVISIBLE.sub(lambda found: f"⟨U+{ord(found[0]):04X}⟩", text)


def one_line(text: str) -> str:
    """Legible and without line breaks, for formats in which a line means something."""
    return " ".join(legible(text).split())


def encodable(value: Any) -> Any:
    """The same JSON value with lone surrogates replaced by U+FFFD, since no UTF-8 file can hold them."""
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if isinstance(value, Mapping):
        return {encodable(key): encodable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [encodable(item) for item in value]
    return value


def shown(value: Any) -> str:
    """A JSON value as evidence shows it: strings bare, everything else as JSON, cut where nobody reads on."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    if len(text) > ONE_LINE and isinstance(value, (dict, list, tuple)):
        text = json.dumps(value, ensure_ascii=False, indent=2, default=str)
    if text == "":
        return '""'
    if len(text) > LONGEST_SHOWN:
        text = f"{text[:LONGEST_SHOWN]}… ({len(text):,} characters)"
    return legible(text)


def filled(template: str, facts: Mapping[str, Any]) -> str:
    """A constant template with its facts put in, legible; a name without a fact stays as written."""
    return legible(fill(template, facts))


def command_line(argv: tuple[str, ...]) -> str:
    """The arguments as one POSIX shell line. Made from the arguments, never taken from a report's text."""
    return shlex.join(argv)
