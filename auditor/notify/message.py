"""What is sent on about a run: one message, and only if something is new, changed or resolved."""

from __future__ import annotations

import msgspec

from auditor.findings import Finding, Record, Report, sort_key

TOLD = ("new", "changed", "resolved")
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

    @property
    def title(self) -> str:
        """One line, without names from Azure."""
        counts = ", ".join(f"{self.counts[state]} {state}" for state in TOLD if self.counts[state])
        return f"auditor: {counts}{'' if self.complete else ' (incomplete scan)'}"

    @property
    def text(self) -> str:
        """The title's findings as plain lines, for chat and e-mail."""
        lines = [f"{each.state} {each.severity} {each.outcome}: {each.message} [{each.id}]" for each in self.findings]
        if self.left_out:
            lines.append(f"and {self.left_out} more")
        return "\n".join(_one_line(line) for line in [*lines, f"run {self.run_id}"])


def message_of(report: Report) -> Message | None:
    """The message about a run; None if there is nothing new to say (or no baseline to say it against)."""
    found = [each for each in sorted(report.findings, key=sort_key) if each.drift and each.drift.state in TOLD]
    if not found:
        return None
    counts = dict.fromkeys(TOLD, 0)
    for each in found:
        assert each.drift is not None
        counts[each.drift.state] += 1
    return Message(
        id=f"auditor-{report.run.id}",
        run_id=report.run.id,
        at=report.run.finished_at,
        cloud=report.run.cloud,
        complete=report.run.complete,
        scopes=tuple(scope.id for scope in report.run.scopes),
        counts=counts,
        findings=tuple(_told(each) for each in found[:MOST_FINDINGS]),
        left_out=max(len(found) - MOST_FINDINGS, 0),
    )


def encoded(message: Message) -> str:
    """As the outbox keeps it."""
    return msgspec.json.encode(message).decode()


def decoded(text: str) -> Message:
    """Back from the outbox."""
    return msgspec.json.decode(text, type=Message)


def _told(finding: Finding) -> Told:
    assert finding.drift is not None
    return Told(
        id=finding.id,
        state=finding.drift.state,
        severity=finding.severity.value,
        outcome=finding.outcome.value,
        check=finding.check,
        title=finding.title,
        message=finding.message[:1000],
        resource=finding.resource.id,
        confirmed=finding.confirmed,
        waived=finding.waiver is not None,
    )


def _one_line(text: str) -> str:
    """Names come from Azure: what is no visible character becomes a question mark."""
    return "".join(each if each.isprintable() else "?" for each in text)
