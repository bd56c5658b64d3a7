"""`report.md`: the run in a page, for a pull request or a chat message: what drifted, what is wrong, what is unread."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TypeVar

from auditor.findings import Finding, Report
from auditor.report.legible import command_line, one_line
from auditor.report.triage import Section, reading_order, section_of, verdict
from auditor.report.wording import wording
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
    said = verdict(report, words)
    page = _Page(limit)
    page.add(f"# {said.headline}\n")
    if not report.run.complete:
        page.add("**Incomplete scan: part of what was asked for could not be read.**\n")
    if said.remarks:
        page.add(" ".join(said.remarks) + "\n")
    page.add(_counts(report))
    page.add(
        f"Cloud {plain(report.run.cloud)}, run {code(report.run.id)} of {plain(report.run.started_at)}; "
        f"{sum(scope.read for scope in report.run.scopes)} of {len(report.run.scopes)} scopes read\n"
    )
    findings = reading_order(report.findings)
    chapters = {
        "Drift": (Section.NEW, Section.CHANGED, Section.UNVERIFIED, Section.RESOLVED),
        "Violations": tuple(section for section in Section if section.startswith("fail-")),
        "Warnings": (Section.WARN,),
        "Unknown": (Section.UNKNOWN,),
        "Waived": (Section.WAIVED,),
    }
    page.list("Could not be read", report.run.gaps, lambda gap: _gap(gap.what, gap.scope, gap.reason, gap.hint))
    for title, sections in chapters.items():
        page.list(title, [finding for finding in findings if section_of(finding) in sections], _item)
    return page.text().encode()


class _Page:
    """Text that stops at a size, between two items."""

    def __init__(self, limit: int) -> None:
        self._parts: list[str] = []
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
                self._parts.append(f"- … and {len(rest) - number} more, in report.json")
                self._left = 0
                break
        self._parts.append("")

    def text(self) -> str:
        return "\n".join(self._parts).rstrip("\n") + "\n"


def _counts(report: Report) -> str:
    outcomes, drift = report.summary.outcomes, report.summary.drift
    names = ["fail", "warn", "unknown", "pass", "not-applicable"]
    cells = {name: outcomes.get(name, 0) for name in names}
    if drift:
        cells |= {name: drift.get(name, 0) for name in ("new", "changed", "unverified", "resolved")}
    counts = " | ".join(str(count) for count in cells.values())
    return f"| {' | '.join(cells)} |\n|{' ---: |' * len(cells)}\n| {counts} |\n"


def _item(finding: Finding) -> str:
    state = finding.drift.state if finding.drift and finding.drift.state != "unchanged" else ""
    label = " · ".join(
        text
        for text in (
            state,
            finding.outcome.value,
            finding.severity.value if finding.outcome is not Outcome.PASS else "",
        )
        if text
    )
    lines = [f"- **{label}** {plain(finding.title)}: {code(finding.resource.name)} {plain(finding.message)}"]
    if finding.outcome is not Outcome.PASS:
        lines += [f"  {code(command_line(command.argv))}" for command in finding.remediation.commands[:3]]
    return "  \n".join(lines)


def _gap(what: str, scope: str, reason: str, hint: str) -> str:
    return f"- {plain(what)} of {code(scope)}: {plain(reason)}" + (f"; {plain(hint)}" if hint else "")


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
