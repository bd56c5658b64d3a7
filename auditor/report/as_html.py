"""`report.html`: one file with its style, its script and its data inside, that asks no network for anything.

Built for two readers of the same page: with JavaScript a filtered, grouped list drawn from the embedded data; without
it the summary and the first `STATIC` findings, written out. Both show a finding from the same record
(`embedding.details`), and a browser test holds the two against each other.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import re
from collections.abc import Callable, Sequence
from gettext import NullTranslations
from typing import Any

from markupsafe import Markup

from auditor import resources
from auditor.findings import Finding, Report
from auditor.i18n import Translator
from auditor.report.clouds import az_cloud_name, cloud_name
from auditor.report.embedding import details, embed, happened, telling
from auditor.report.frameworks import controls_of, frameworks, labels
from auditor.report.legible import legible
from auditor.report.matrix import belonging, evidence, matrix
from auditor.report.picture import pictures
from auditor.report.templating import environment
from auditor.report.trend import HEIGHT, WIDTH, TrendPoint, line
from auditor.report.triage import GROUPINGS, GroupBy, Section, causes, reading_order, section_of, verdict
from auditor.report.wording import Saying, kind_words, languages, original, sayings, speaker, wording

STATIC = 500  # findings that are readable without JavaScript
CAUSES = 6  # lines about what drifted that the head shows


def html_page(
    report: Report, *, group_by: GroupBy = "triage", lang: str = "en", history_trend: Sequence[TrendPoint] = ()
) -> str:
    """The whole page. `history_trend` holds earlier runs, oldest first; this run is added to it."""
    findings = reading_order(report.findings)
    style, script = _asset("report.css"), _asset("report.js")
    words = wording(lang)
    offered = languages() if lang in languages() else (lang, *languages())
    belongs = belonging(report)
    data = embed(findings, offered, also=_notes(report), belongs=belongs)
    return (
        environment(words)
        .get_template("report.html.j2")
        .render(
            report=report,
            lang=lang,
            languages=offered,
            heads=[_head(report, each, history_trend) for each in offered],
            group_by=group_by,
            groupings=GROUPINGS,
            style=Markup(style),  # noqa: S704 - our own file
            script=Markup(script),  # noqa: S704 - our own file
            style_hash=_hash(style),
            script_hash=_hash(script),
            data=data,
            settings=_settings(report, lang, offered, group_by),
            static=_static(findings, speaker(lang)),
            say=_say(speaker(lang)),
            english=original,
            static_limit=STATIC,
            total=len(findings),
            cloud_name=cloud_name(report),
            matrix=matrix(findings, belongs),
            evidence=evidence(findings, belongs),
            controls=functools.partial(labels, lang=lang),
            pictures=(drawn := pictures(report)),
            pictures_left_out=len(report.topologies) - len(drawn),
            section_name=functools.partial(section_name, words=words),
            az_cloud=az_cloud_name(report),
        )
    )


def section_name(section: Section, words: NullTranslations) -> str:
    """A section's heading, as report.js words it too."""
    _ = words.gettext
    return {
        Section.NEW: _("New since the last run"),
        Section.CHANGED: _("Changed since the last run"),
        Section.UNVERIFIED: _("No longer verified"),
        Section.RESOLVED: _("Resolved since the last run"),
        Section.FAIL_CRITICAL: _("Critical violations"),
        Section.FAIL_HIGH: _("High violations"),
        Section.FAIL_MEDIUM: _("Medium violations"),
        Section.FAIL_LOW: _("Low violations"),
        Section.FAIL_INFO: _("Informational violations"),
        Section.WARN: _("Warnings"),
        Section.UNKNOWN: _("Unknown: what decides could not be read"),
        Section.WAIVED: _("Accepted by a waiver"),
        Section.PASS: _("As documented"),
        Section.NOT_APPLICABLE: _("Not applicable"),
    }[section]


def _asset(name: str) -> str:
    text = (resources.root("reports") / "templates" / name).read_text(encoding="utf-8")
    lowered = text.casefold()
    if "</script" in lowered or "</style" in lowered or "<!--" in lowered:
        raise ValueError(f"{name} would end its own element")
    return text


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _settings(report: Report, lang: str, offered: tuple[str, ...], group_by: GroupBy) -> dict[str, Any]:
    return {
        "lang": lang,
        "words": {each: _catalogue(wording(each)) for each in offered if each != "en"},
        "joins": {each: speaker(each).separator for each in offered},
        "groupBy": group_by,
        "groupings": GROUPINGS,
        "frameworks": _frameworks(report),
        "run": legible(report.run.id),
        "startedAt": legible(report.run.started_at),
        "azCloud": az_cloud_name(report),
        "compared": report.baseline is not None,
    }


def _frameworks(report: Report) -> list[dict[str, Any]]:
    """The frameworks for the script, with the controls of the checks that ran."""
    ran = sorted({finding.check for finding in report.findings})
    return [
        {
            "id": each.id,
            "name": each.name,
            "short": each.short,
            "controls": each.controls,
            "checks": {check: found for check in ran if (found := controls_of(check).get(each.id))},
        }
        for each in frameworks()
    ]


def _catalogue(words: NullTranslations) -> dict[str, str]:
    """The catalogue for the script, message id to text."""
    texts: dict[Any, str] = getattr(words, "_catalog", {})
    return {key: text for key, text in texts.items() if isinstance(key, str) and key}


def _head(report: Report, lang: str, history_trend: Sequence[TrendPoint]) -> dict[str, Any]:
    """What the head says in one language."""
    words, tell = wording(lang), telling(speaker(lang))
    kinds = kind_words(words)
    scopes = report.run.scopes
    gaps = sorted(report.run.gaps, key=lambda gap: (gap.scope.casefold(), gap.what))
    drifted = causes(reading_order(report.findings))
    return {
        "lang": lang,
        "words": words,
        "say": _say(speaker(lang)),
        "verdict": verdict(report, words),
        "read": sum(scope.read for scope in scopes),
        "gaps": [gap for gap in gaps if gap.required],
        "optional_gaps": [gap for gap in gaps if not gap.required],
        "resources": [
            (kinds.get(kind) or _spoken(kind), count)
            for kind, count in sorted(report.summary.resources.items())
            if count
        ],
        "causes": [
            {
                "finding": cause.first,
                "message": tell(sayings(cause.first).message),
                "why": happened(cause.first),
                "others": len(cause.others),
            }
            for cause in drifted[:CAUSES]
        ],
        "causes_left": sum(1 + len(cause.others) for cause in drifted[CAUSES:]),
        "bar": _bar(report),
        "trend": _trend(report, history_trend),
    }


def _say(words: Translator) -> Callable[[str], str]:
    """Says a text that the run said in its language in another."""
    return lambda text: Saying(original(text)).told(words)


def _notes(report: Report) -> list[str]:
    """The texts in the pictures of networks: why something could not be read."""
    return sorted({node.note for each in report.topologies for node in each.nodes if not node.read and node.note})


def _spoken(kind: str) -> str:
    """`networkSecurityGroups` as people say it: `network security groups`."""
    return legible(re.sub(r"(?<=[a-z])([A-Z])", r" \1", kind).lower())


def _bar(report: Report) -> list[tuple[str, int, float, float]]:
    """Outcomes as a stacked bar: (outcome, count, offset, width), the last two in percent of its length."""
    order = ("fail", "warn", "unknown", "pass", "not-applicable")
    counts = {outcome: report.summary.outcomes.get(outcome, 0) for outcome in order}
    whole = sum(counts.values())
    at, bar = 0.0, []
    for outcome, count in counts.items():
        width = 100 * count / whole if whole else 0.0
        bar.append((outcome, count, round(at, 3), round(width, 3)))
        at += width
    return bar


def _trend(report: Report, history: Sequence[TrendPoint]) -> dict[str, Any] | None:
    if not history:
        return None
    drift = report.summary.drift or {}
    now = TrendPoint(
        started_at=report.run.started_at,
        failing=sum(report.summary.by_severity.values()),
        unknown=report.summary.outcomes.get("unknown", 0),
        drifted=drift.get("new", 0) + drift.get("changed", 0),
        complete=report.run.complete,
    )
    points = [*history[-29:], now]
    return {
        "points": points,
        "failing": line([point.failing for point in points]),
        "width": WIDTH,
        "height": HEIGHT,
        "first": points[0],
        "last": now,
        "most": max(point.failing for point in points),
    }


def _static(findings: Sequence[Finding], words: Translator) -> list[tuple[Section, list[dict[str, Any]]]]:
    """The first findings by section, each with what its row and its details show."""
    sections: dict[Section, list[dict[str, Any]]] = {}
    tell = telling(words)
    for finding in findings[:STATIC]:
        says = sayings(finding)
        shown = {
            "finding": finding,
            "title": tell(says.title),
            "message": tell(says.message),
            "more": details(finding, tell),
            "why": happened(finding),
        }
        sections.setdefault(section_of(finding), []).append(shown)
    return list(sections.items())
