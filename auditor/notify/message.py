"""What is sent on about a run: one message, and only if something is new, changed or resolved."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime

import msgspec

from auditor.findings import Finding, Record, Report, sort_key
from auditor.report.legible import one_line
from auditor.report.wording import drift_words, outcome_words, sayings, severity_words, speaker

TOLD = ("new", "changed", "resolved")
TRIAL = "test"
"""The id of the run that a trial tells of."""
MOST_FINDINGS = 50
"""A message names so many findings; the rest is counted. Receivers refuse long ones."""


class Told(Record, frozen=True, kw_only=True):
    """One finding, as a message names it."""

    id: str
    state: str
    severity: str
    outcome: str
    check: str
    title: str
    message: str
    resource: str
    confirmed: bool | None
    waived: bool


class Message(Record, frozen=True, kw_only=True):
    """One run's news. `id` depends on the run alone, so a message that comes twice can be told."""

    id: str
    run_id: str
    at: str
    cloud: str
    complete: bool
    scopes: tuple[str, ...]
    counts: dict[str, int]
    findings: tuple[Told, ...]
    left_out: int
    lang: str = "en"

    @property
    def title(self) -> str:
        """One line, without names from Azure."""
        voice = speaker(self.lang)
        n_ = voice.ngettext
        says = {
            "new": lambda n: n_("{n} new", "{n} new", n),
            "changed": lambda n: n_("{n} changed", "{n} changed", n),
            "resolved": lambda n: n_("{n} resolved", "{n} resolved", n),
        }
        if not any(self.counts.values()):
            return voice.gettext("auditor: a test of sending on")
        counts = voice.separator.join(
            says[state](self.counts[state]).format(n=self.counts[state]) for state in TOLD if self.counts[state]
        )
        incomplete = "" if self.complete else voice.gettext(" (incomplete scan)")
        return voice.gettext("auditor: {counts}").format(counts=counts) + incomplete

    def text(self, most_bytes: int | None = None) -> str:
        """The title's findings as plain lines, for chat and e-mail; as many as fit into so many bytes of UTF-8."""
        voice = speaker(self.lang)
        n_ = voice.ngettext
        lines = self._lines()
        end = voice.gettext("run {id}").format(id=self.run_id)
        for shown in range(len(lines), -1, -1):
            more = len(lines) - shown + self.left_out
            rest = [n_("and {n} more", "and {n} more", more).format(n=more)] if more else []
            text = "\n".join([*lines[:shown], *rest, end])
            if most_bytes is None or len(text.encode()) <= most_bytes:
                break
        return text

    def _lines(self) -> list[str]:
        voice = speaker(self.lang)
        line = voice.gettext("{state} {severity} {outcome}: {message} [{id}]")
        # English takes the words of the other formats, which dashboards and people search for.
        english = voice.language == "en"
        states = {} if english else drift_words(voice.catalogue)
        severities = {} if english else severity_words(voice.catalogue)
        outcomes = {} if english else outcome_words(voice.catalogue)
        return [
            line.format(
                state=states.get(each.state, each.state),
                severity=severities.get(each.severity, each.severity),
                outcome=outcomes.get(each.outcome, each.outcome),
                message=_harmless(one_line(each.message)),
                id=each.id,
            )
            for each in self.findings
        ]


def message_of(report: Report, lang: str | None = None) -> Message | None:
    """The message about a run; None if there is nothing new to say (or no baseline to say it against).

    In the run's language if none is given.
    """
    found = news(report)
    if not found:
        return None
    return Message(
        id=message_id(report),
        run_id=report.run.id,
        at=report.run.finished_at,
        cloud=report.run.cloud,
        complete=report.run.complete,
        scopes=tuple(scope.id for scope in report.run.scopes),
        counts=counted(found),
        findings=tuple(_told(each, lang or report.run.lang, report.run.lang) for each in found[:MOST_FINDINGS]),
        left_out=max(len(found) - MOST_FINDINGS, 0),
        lang=lang or report.run.lang,
    )


def trial(now: datetime, lang: str) -> Message:
    """A message about nothing, to try a receiver with."""
    at = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Message(
        id=f"auditor-{TRIAL}-{at}",
        run_id=TRIAL,
        at=at,
        cloud="",
        complete=True,
        scopes=(),
        counts=dict.fromkeys(TOLD, 0),
        findings=(),
        left_out=0,
        lang=lang,
    )


def message_id(report: Report) -> str:
    """What the messages about a run are called: the same however often one is sent."""
    return f"auditor-{report.run.id}"


def news(report: Report) -> list[Finding]:
    """The findings that are new, changed or resolved, the most severe first."""
    return [each for each in sorted(report.findings, key=sort_key) if each.drift and each.drift.state in TOLD]


def counted(found: Iterable[Finding]) -> dict[str, int]:
    """How many findings are new, changed and resolved."""
    counts = dict.fromkeys(TOLD, 0)
    for each in found:
        assert each.drift is not None
        counts[each.drift.state] += 1
    return counts


def encoded(message: Message) -> str:
    """As the outbox keeps it."""
    return msgspec.json.encode(message).decode()


def decoded(text: str) -> Message:
    """Back from the outbox."""
    return msgspec.json.decode(text, type=Message)


def _told(finding: Finding, lang: str, run_lang: str) -> Told:
    assert finding.drift is not None
    title, message = finding.title, finding.message
    if lang != run_lang:
        said = sayings(finding)
        title, message = said.title.told(speaker(lang)), said.message.told(speaker(lang))
    return Told(
        id=finding.id,
        state=finding.drift.state,
        severity=finding.severity.value,
        outcome=finding.outcome.value,
        check=finding.check,
        title=title,
        message=message[:1000],
        resource=finding.resource.id,
        confirmed=finding.confirmed,
        waived=finding.waiver is not None,
    )


def _harmless(text: str) -> str:
    """Names come from Azure: none may call a whole chat together, or be a chat's markup."""
    text = text.replace("<", "‹").replace(">", "›")
    return re.sub(r"@(?=(all|everyone|here|channel)\b)", "＠", text, flags=re.IGNORECASE)
