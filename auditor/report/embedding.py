"""The findings inside `report.html`: a compressed index that the list is drawn and filtered from, and detail packs.

The index holds what a closed row shows and what is searched, in columns, so that 100,000 findings are one array a
column and repeated texts are numbers. Details (evidence, trace, commands, …) lie in packs of `PACK` findings, each
compressed on its own and unpacked only when a finding in it is opened.

Texts are embedded as English templates with their facts, beside a dictionary a language of just the texts that are
used: so the page's switch changes what findings say too. report.js fills them as `auditor.i18n` does.
"""

from __future__ import annotations

import base64
import functools
import gzip
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from auditor.findings import DRIFT_STATES, Between, Finding
from auditor.i18n import Language, Translator, fact_text, fill
from auditor.report.legible import command_line, legible, one_line, shown
from auditor.report.triage import Section, cluster_of, section_of
from auditor.report.wording import Saying, sayings, speaker
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


Say = Callable[[Saying], Any]
"""How a text of a finding is put: told in one language, or recorded for all of them."""


def telling(words: Translator) -> Say:
    """Texts in one language, legible."""
    return lambda saying: legible(saying.told(words))


class Recorder:
    """Texts for a page in several languages: `[template, facts…]` or a text; `words` has what they are in each."""

    def __init__(self, speakers: Iterable[Translator]) -> None:
        self._speakers = [each for each in speakers if each.language is not Language.ENGLISH]
        self.words: dict[str, dict[str, str]] = {each.language.value: {} for each in self._speakers}

    def say(self, saying: Saying) -> Any:
        """The text as report.js takes it: facts stand in the order in which the template names them."""
        if saying.facts is None:
            return self._phrase(saying.text)
        names = _places(saying.text)
        if names is None:
            return self._phrase(fill(saying.text, saying.facts))
        self._know(saying.text, lambda words: words.gettext(saying.text))
        return [
            legible(saying.text),
            *(self._fact(saying.facts[name]) if name in saying.facts else None for name in names),
        ]

    def _fact(self, value: Any) -> Any:
        if isinstance(value, (list, tuple)):
            return [self._phrase(fact_text(each)) for each in value]
        return self._phrase(fact_text(value))

    def _phrase(self, text: str) -> str:
        self._know(text, lambda words: words.phrase(text))
        return legible(text)

    def _know(self, text: str, told: Callable[[Translator], str]) -> None:
        for each in self._speakers:
            said = told(each)
            if said != text:
                self.words[each.language.value][legible(text)] = legible(said)


@functools.lru_cache(maxsize=4096)
def _places(template: str) -> tuple[str, ...] | None:
    """The names in a template, each once, in order; None if the script could not fill it as Python does."""
    names = re.findall(r"\{([A-Za-z_]\w*)\}", template, re.ASCII)
    rest = re.sub(r"\{[A-Za-z_]\w*\}", "", template, flags=re.ASCII)
    return None if "{" in rest or "}" in rest else tuple(dict.fromkeys(names))


def embed(
    findings: Sequence[Finding],
    languages: Iterable[str] = ("en",),
    also: Iterable[str] = (),
    belongs: Mapping[str, tuple[str, ...]] | None = None,
) -> Embedded:
    """Pack findings, which stand in reading order, for a page in these languages that says `also` these texts.

    `belongs` gives the clusters that a finding about something else (a subnet, a registry) counts for.
    """
    speakers = [speaker(language) for language in languages]
    packs = []
    for start in range(0, len(findings), PACK):
        recorder = Recorder(speakers)
        rows = [_spare(details(finding, recorder.say)) for finding in findings[start : start + PACK]]
        packs.append(_packed({"rows": rows, "words": recorder.words}))
    recorder = Recorder(speakers)
    for text in also:
        recorder.say(Saying(text))
    return Embedded(_packed(_index(findings, recorder, belongs or {})), tuple(packs))


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


def _shared(clusters: tuple[str, ...]) -> str:
    """The cluster that uses what a finding is about, or all that share it as one group: `/aks-a + aks-b`."""
    if len(clusters) < 2:
        return clusters[0] if clusters else ""
    return "/" + " + ".join(sorted(cluster.rpartition("/")[2] for cluster in clusters))


def _index(findings: Sequence[Finding], recorder: Recorder, belongs: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    templates = _Dictionary()
    names = ("check", "title", "parent", "subscription", "group", "type", "reason", "cluster", "part")
    books = {name: _Dictionary() for name in names}
    columns: dict[str, list[Any]] = {
        name: [] for name in (*names, "id", "name", "message", "severity", "outcome", "drift", "section", "waived")
    }
    why: dict[int, str] = {}
    for at, finding in enumerate(findings):
        resource, says = finding.resource, sayings(finding)
        parent, _, last = resource.id.rpartition("/")
        numbered = {
            "check": finding.check,
            "title": recorder.say(says.title),
            "parent": parent,
            "subscription": resource.subscription_id or "",
            "group": resource.resource_group or "",
            "type": resource.type,
            "reason": finding.reason,
            "cluster": cluster_of(finding) or _shared(belongs.get(finding.id, ())),
            "part": finding.part or "",
        }
        for name, text in numbered.items():
            columns[name].append(books[name].number(legible(text)))
        columns["id"].append(legible(finding.id))
        # Mostly a resource is called what its id ends in: 0 says so.
        columns["name"].append(0 if resource.name == last else legible(resource.name))
        columns.setdefault("last", []).append(legible(last))
        message = recorder.say(says.message)
        # A template is a number, since a check says the same of many resources.
        columns["message"].append(message if isinstance(message, str) else [templates.number(message[0]), *message[1:]])
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
        "texts": {name: book.texts for name, book in books.items()} | {"template": templates.texts},
        "words": recorder.words,
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


def details(finding: Finding, say: Say) -> dict[str, Any]:
    """What an opened finding shows, every text legible; `say` puts those that are somebody's language."""
    drift, effect = finding.drift, finding.effect
    return {
        "reasons": [legible(reason) for reason in finding.reasons] if len(finding.reasons) > 1 else [],
        "evidence": [
            [legible(each.resource), legible(each.path), shown(each.value), say(Saying(each.note))]
            for each in finding.evidence
        ],
        "trace": [[legible(step.kind), say(Saying(step.text, step.facts))] for step in finding.trace],
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
        "source": [legible(finding.source.document), say(Saying(finding.source.section))],
        "link": web_link(finding.source.url),
        "mend": say(sayings(finding).mend),
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
