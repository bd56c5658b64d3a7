"""The findings inside `report.html`: a compressed index that the list is drawn and filtered from, and detail packs.

The index holds what a closed row shows and what is searched, in columns, so that 100,000 findings are one array a
column and repeated texts are numbers. Details (evidence, trace, commands, …) lie in packs of `PACK` findings, each
compressed on its own and unpacked only when a finding in it is opened.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from auditor.findings import DRIFT_STATES, Between, Finding
from auditor.report.legible import command_line, filled, legible, one_line, shown
from auditor.report.triage import Section, cluster_of, section_of
from auditor.values import Outcome, Severity

PACK = 200
LISTED = 200  # items of one effect that an opened finding shows; all of them are in report.json
_SECTIONS = [str(section) for section in Section]
_OUTCOMES = [str(outcome) for outcome in Outcome]
_SEVERITIES = [str(severity) for severity in Severity]


@dataclass(frozen=True, slots=True)
class Embedded:
    """Base64 of gzip of JSON: alphanumerics, `+`, `/` and `=` only, so nothing in it can end a script element."""

    index: str
    packs: tuple[str, ...]


def embed(findings: Sequence[Finding]) -> Embedded:
    """Pack findings, which stand in reading order."""
    packs = [
        _packed([_spare(details(finding)) for finding in findings[start : start + PACK]])
        for start in range(0, len(findings), PACK)
    ]
    return Embedded(_packed(_index(findings)), tuple(packs))


def _packed(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    return base64.b64encode(gzip.compress(text, compresslevel=9, mtime=0)).decode()


class _Dictionary:
    """Texts by number: each distinct one is stored once."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def number(self, text: str) -> int:
        return self._numbers.setdefault(text, len(self._numbers))

    @property
    def texts(self) -> list[str]:
        return list(self._numbers)


def _index(findings: Sequence[Finding]) -> dict[str, Any]:
    names = ("check", "title", "parent", "subscription", "group", "type", "reason", "cluster", "part")
    books = {name: _Dictionary() for name in names}
    columns: dict[str, list[Any]] = {
        name: [] for name in (*names, "id", "name", "message", "severity", "outcome", "drift", "section", "waived")
    }
    why: dict[int, str] = {}
    for at, finding in enumerate(findings):
        resource = finding.resource
        parent, _, last = resource.id.rpartition("/")
        numbered = {
            "check": finding.check,
            "title": finding.title,
            "parent": parent,
            "subscription": resource.subscription_id or "",
            "group": resource.resource_group or "",
            "type": resource.type,
            "reason": finding.reason,
            "cluster": cluster_of(finding),
            "part": finding.part or "",
        }
        for name, text in numbered.items():
            columns[name].append(books[name].number(legible(text)))
        columns["id"].append(legible(finding.id))
        # Mostly a resource is called what its id ends in: 0 says so.
        columns["name"].append(0 if resource.name == last else legible(resource.name))
        columns.setdefault("last", []).append(legible(last))
        columns["message"].append(legible(finding.message))
        columns["severity"].append(_SEVERITIES.index(finding.severity))
        columns["outcome"].append(_OUTCOMES.index(finding.outcome))
        columns["drift"].append(DRIFT_STATES.index(finding.drift.state) if finding.drift else -1)
        columns["section"].append(_SECTIONS.index(section_of(finding)))
        columns["waived"].append(int(finding.waiver is not None))
        if line := happened(finding):
            why[at] = line
    return {
        "count": len(findings),
        "pack": PACK,
        "sections": _SECTIONS,
        "outcomes": _OUTCOMES,
        "severities": _SEVERITIES,
        "drifts": list(DRIFT_STATES),
        "texts": {name: book.texts for name, book in books.items()},
        "columns": columns,
        "why": why,
    }


def happened(finding: Finding) -> str:
    """For a drifted finding, the last recorded change in a line: who, what, when. Empty where nobody knows."""
    if finding.drift is None or finding.drift.state == "unchanged" or not finding.drift.changes:
        return ""
    change = max(finding.drift.changes, key=lambda each: each.at)
    what = f"{change.property}: {shown(change.before)} → {shown(change.after)}" if change.property else change.operation
    return one_line(f"{change.at.replace('T', ' ')} · {change.by or '?'} · {what}")[:400]


def details(finding: Finding) -> dict[str, Any]:
    """What an opened finding shows, every text legible."""
    drift, effect = finding.drift, finding.effect
    return {
        "reasons": [legible(reason) for reason in finding.reasons] if len(finding.reasons) > 1 else [],
        "evidence": [
            [legible(each.resource), legible(each.path), shown(each.value), legible(each.note)]
            for each in finding.evidence
        ],
        "trace": [[legible(step.kind), filled(step.text, step.facts)] for step in finding.trace],
        "effect": effect
        and {
            "added": _some(effect.added),
            "removed": _some(effect.removed),
            "items": _some(effect.items),
            "count": len(effect.items),
        },
        "changes": [
            [
                legible(change.at.replace("T", " ")),
                legible(change.by),
                legible(f"{change.operation} ({change.client})" if change.client else change.operation),
                legible(change.property),
                shown(change.before),
                shown(change.after),
            ]
            for change in (drift.changes if drift else ())
        ],
        "unrecorded": _span(drift.unrecorded) if drift and drift.unrecorded else None,
        "since": legible(drift.since) if drift and drift.since else None,
        "waiver": finding.waiver
        and [legible(text) for text in (finding.waiver.owner, finding.waiver.reason, finding.waiver.expires)],
        "confirmed": finding.confirmed,
        "related": [legible(related) for related in finding.related],
        "source": [legible(text) for text in (finding.source.document, finding.source.section)],
        "link": web_link(finding.source.url),
        "mend": legible(finding.remediation.summary),
        "commands": [
            [legible(command_line(command.argv)), runnable(command.argv)] for command in finding.remediation.commands
        ],
    }


def _span(between: Between) -> list[str]:
    return [legible(at.replace("T", " ")) for at in (between.after, between.until)]


def _some(items: tuple[str, ...]) -> list[str]:
    """The first of a long list, and how many more there are: `… +1,234`."""
    left = len(items) - LISTED
    return [legible(item) for item in items[:LISTED]] + ([f"… +{left:,}"] if left > 0 else [])


def _spare(record: dict[str, Any]) -> dict[str, Any]:
    """Without the keys that hold nothing."""
    return {key: value for key, value in record.items() if value not in (None, [], "")}


def runnable(argv: tuple[str, ...]) -> bool:
    """Whether a command may enter the remediation script: a tool that remediations use, and no invisible character.

    The engine quotes and checks its values; a report that was read from a file may hold anything.
    """
    line = command_line(argv)
    return bool(argv) and argv[0] in ("az", "kubectl") and "\n" not in line and legible(line) == line


def web_link(url: str) -> str:
    """The address if it is one that a click may follow, else nothing: a report from a file may say `javascript:`."""
    return url if url.startswith(("https://", "http://")) and legible(url) == url else ""
