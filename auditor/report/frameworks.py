"""Which controls of common frameworks a check gives evidence for: the table `auditor/data/frameworks.json`.

A mapping is a help for whoever files evidence, no claim that a passing check fulfils a control. Checks of a user's own
map to nothing.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path

import msgspec

_TABLE = Path(__file__).resolve().parent.parent / "data" / "frameworks.json"
Words = Mapping[str, str]
"""A text by language; English is always there."""


class Framework(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A set of controls. `form` is the pattern that its control ids have, `source` where we have them from."""

    id: str
    name: dict[str, str]
    short: dict[str, str]
    version: str
    organization: str
    url: str
    form: str
    source: str
    controls: dict[str, dict[str, str]]

    def title(self, control: str, lang: str = "en") -> str:
        """What a control asks for, in our words."""
        return said(self.controls[control], lang)


class _Table(msgspec.Struct, frozen=True):
    what: str
    date: str
    frameworks: tuple[Framework, ...]
    checks: dict[str, dict[str, tuple[str, ...]]]


@functools.cache
def _table() -> _Table:
    return msgspec.json.decode(_TABLE.read_bytes(), type=_Table)


def frameworks() -> tuple[Framework, ...]:
    """All frameworks, in the order in which reports name them."""
    return _table().frameworks


def mapped_checks() -> tuple[str, ...]:
    """The checks that the table speaks of, also those that no control fits."""
    return tuple(_table().checks)


def controls_of(check: str) -> dict[str, tuple[str, ...]]:
    """The controls that a check gives evidence for, by framework; empty for a check that the table does not know."""
    return _table().checks.get(check, {})


def labels(check: str, lang: str = "en") -> list[str]:
    """The controls of a check as people write them, the source document's own apart: `MCSB NS-1`."""
    mapped = controls_of(check)
    return [
        f"{said(framework.short, lang)} {control}"
        for framework in frameworks()
        for control in mapped.get(framework.id, ())
    ]


def said(words: Words, lang: str) -> str:
    """A text in a language, in English where that lacks it."""
    return words.get(lang, words["en"])


def page() -> str:
    """`docs/frameworks.md`: the whole table, for people."""
    lines = [
        "# Frameworks",
        "",
        "Which controls each check gives evidence for. The mapping is ours, as are the titles; a check that passes is",
        "evidence for a control, not its fulfilment. Where no control fits, nothing stands.",
        "`auditor scan --group-by FRAMEWORK` groups `report.html` by them, which also has a table of evidence a",
        "framework; SARIF carries them as taxonomies, OCSF as requirements, CSV in the column `controls`.",
        "",
        "| `--group-by` | framework | edition | control numbers |",
        "| --- | --- | --- | --- |",
    ]
    for each in frameworks():
        lines.append(f"| `{each.id}` | [{each.name['en']}]({each.url}) | {each.version} | {each.source} |")
    for each in frameworks():
        lines += ["", f"## {each.name['en']}", "", "| control | in our words | checks |", "| --- | --- | --- |"]
        for control in each.controls:
            checks = [check for check in mapped_checks() if control in controls_of(check).get(each.id, ())]
            links = ", ".join(f"[`{check}`](checks/{check}.md)" for check in checks)
            lines.append(f"| {control} | {each.title(control)} | {links} |")
    alone = [f"[`{check}`](checks/{check}.md)" for check in mapped_checks() if not controls_of(check)]
    lines += ["", "## Checks that no control fits", "", ", ".join(alone) + ".", ""]
    return "\n".join(lines)
