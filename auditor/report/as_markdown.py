"""`report.md`: the run in a page, for a pull request or a chat message: what drifted, what is wrong, what is unread."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from gettext import NullTranslations
from typing import TypeVar

from auditor.findings import Finding, GapRecord, Report
from auditor.i18n import Translator
from auditor.report.clouds import az_cloud_name
from auditor.report.legible import command_line, one_line
from auditor.report.triage import Section, reading_order, section_of, verdict
from auditor.report.wording import (
    Saying,
    drift_words,
    original,
    outcome_words,
    sayings,
    severity_words,
    speaker,
    wording,
)
from auditor.values import Outcome

T = TypeVar("T")
LIMIT = 60_000  # bytes; GitHub takes 65,536 characters in a comment
_LONGEST = 500  # characters of one message
# Marks of GitHub's Markdown, `_` only at a word's edge, and what starts a link of itself. Prose never begins a line
# here, so the marks of lists and headings are only characters.
_SPECIAL = re.compile(r"([\\`*\[\]<>|~&$]|\b_|_\b|(?<=:)/(?=/)|(?<=www)\.)", re.IGNORECASE)


def render_markdown(report: Report, *, lang: str = "en", limit: int = LIMIT) -> bytes:
    """Never more than `limit` bytes (and the few of its end): what does not fit is counted, not cut in the middle."""
    words = wording(lang)
    _ = words.gettext
    said = verdict(report, words)
    page = _Page(limit, _("… and {n} more, in report.json"))
    page.add(f"# {said.headline}\n")
    if not report.run.complete:
        page.add("**" + _("Incomplete scan: part of what was asked for could not be read.") + "**\n")
    if said.remarks:
        page.add(" ".join(said.remarks) + "\n")
    page.add(_counts(report, words))
    about = _("Cloud {cloud}, run {run} of {started}; {read} of {all} scopes read")
    scopes = report.run.scopes
    page.add(
        about.format(
            cloud=plain(report.run.cloud),
            run=code(report.run.id),
            started=plain(report.run.started_at),
            read=sum(scope.read for scope in scopes),
            all=len(scopes),
        )
        + "\n"
    )
    if az_cloud := az_cloud_name(report):
        says = _("Commands below assume that the Azure CLI speaks to this cloud:")
        page.add(f"{says} {code(f'az cloud set --name {az_cloud}')}\n")
    findings = reading_order(report.findings)
    chapters = {
        _("Drift"): (Section.NEW, Section.CHANGED, Section.UNVERIFIED, Section.RESOLVED),
        _("Violations"): tuple(section for section in Section if section.startswith("fail-")),
        _("Warnings"): (Section.WARN,),
        _("Unknown"): (Section.UNKNOWN,),
        _("Waived"): (Section.WAIVED,),
    }
    voice = speaker(lang)
    page.list(_("What could not be read"), report.run.gaps, lambda gap: _gap(gap, voice))
    for title, sections in chapters.items():
        listed = [finding for finding in findings if section_of(finding) in sections]
        page.list(title, listed, lambda finding: _item(finding, voice))
    return page.text().encode()


class _Page:
    """Text that stops at a size, between two items."""

    def __init__(self, limit: int, rest: str) -> None:
        self._parts: list[str] = []
        self._rest = rest
        self._left = limit

    def add(self, text: str) -> bool:
        """Whether it fitted."""
        size = len(text.encode()) + 1
        if size > self._left:
            return False
        self._parts.append(text)
        self._left -= size
        return True

    def list(self, title: str, items: Iterable[T], item: Callable[[T], str]) -> None:
        rest = list(items)
        if not rest or not self.add(f"## {title}\n"):
            return
        for number, each in enumerate(rest):
            if not self.add(item(each)):
                self._parts.append("- " + self._rest.format(n=len(rest) - number))
                self._left = 0
                break
        self._parts.append("")

    def text(self) -> str:
        return "\n".join(self._parts).rstrip("\n") + "\n"


def _counts(report: Report, words: NullTranslations) -> str:
    drift = report.summary.drift
    cells = {name: report.summary.outcomes.get(key, 0) for key, name in outcome_words(words).items()}
    if drift:
        moved = {key: name for key, name in drift_words(words).items() if key != "unchanged"}
        cells |= {name: drift.get(key, 0) for key, name in moved.items()}
    counts = " | ".join(str(count) for count in cells.values())
    return f"| {' | '.join(cells)} |\n|{' ---: |' * len(cells)}\n| {counts} |\n"


def _item(finding: Finding, voice: Translator) -> str:
    words = voice.catalogue
    severity = "" if finding.outcome is Outcome.PASS else severity_words(words)[finding.severity]
    label = " · ".join(
        text
        for text in (
            drift_words(words)[finding.drift.state] if finding.drift and finding.drift.state != "unchanged" else "",
            outcome_words(words)[finding.outcome],
            severity,
        )
        if text
    )
    says = sayings(finding)
    title, message = says.title.told(voice), says.message.told(voice)
    lines = [f"- **{label}** {plain(title)}: {code(finding.resource.name)} {plain(message)}"]
    if finding.outcome is not Outcome.PASS:
        lines += [f"  {code(command_line(command.argv))}" for command in finding.remediation.commands[:3]]
    return "  \n".join(lines)


def _gap(gap: GapRecord, voice: Translator) -> str:
    what, reason, hint = (Saying(original(text)).told(voice) for text in (gap.what, gap.reason, gap.hint))
    return f"- {plain(what)} ({code(gap.scope)}): {plain(reason)}" + (f"; {plain(hint)}" if hint else "")


def plain(text: str) -> str:
    """Prose in which nothing is markup, link, or a mention of somebody."""
    line = _short(one_line(text))
    # A backslash keeps marks and links from working; only code keeps `@name` from calling people.
    return " ".join(code(word) if "@" in word else _SPECIAL.sub(r"\\\1", word) for word in line.split(" "))


def code(text: str) -> str:
    """A code span around anything: its fence is longer than any run of backticks inside."""
    line = _short(one_line(text)) or " "
    fence = "`" * (max((len(run) for run in re.findall("`+", line)), default=0) + 1)
    space = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{space}{line}{space}{fence}"


def _short(line: str) -> str:
    return line if len(line) <= _LONGEST else line[:_LONGEST] + "…"
