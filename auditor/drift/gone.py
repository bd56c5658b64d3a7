"""Findings that a run no longer makes, carried into its report: what became of them, and what was last known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from auditor.findings import Drift, DriftState, Finding, Remediation, TraceRecord
from auditor.values import Outcome

CARRIED = "carried"
"""The kind of the trace step that marks a carried finding."""

RESOURCE_GONE = "resource-gone"
NO_LONGER_CONCERNED = "no-longer-concerned"
SCOPE_UNREAD = "scope-unread"
VERDICT_MISSING = "verdict-missing"

GONE_REASONS = frozenset({RESOURCE_GONE, NO_LONGER_CONCERNED})
"""Reasons of carried findings that are provably over; the other carried ones are unknown."""

TEMPLATES: Mapping[str, str] = {
    RESOURCE_GONE: "{resource} is gone: its scope was read and no longer holds it",
    NO_LONGER_CONCERNED: "{resource} is still there, but this check has nothing more to say about {about}",
    SCOPE_UNREAD: "{resource} was not seen, and its scope could not be read; last known: {last_known}",
    VERDICT_MISSING: "{resource} is still there, but the check could not decide {about}; last known: {last_known}",
}
"""The constant messages of carried findings by reason, for those who translate them."""

Render = Callable[[str, Mapping[str, Any]], str]
"""Fills a template with its facts, in the run's language."""


def in_english(template: str, facts: Mapping[str, Any]) -> str:
    """The Render that translates nothing."""
    return template.format(**facts)


def carry(finding: Finding, reason: str, state: DriftState, since: str, run_id: str, render: Render) -> Finding:
    """The finding as this report carries it: `not-applicable` if it is provably over, else `unknown`.

    What proved the old verdict is no longer true, so evidence, commands and effect do not come along.
    """
    template = TEMPLATES[reason]
    facts = {
        "resource": finding.resource.name,
        "about": finding.part or finding.resource.name,
        "last_known": str(finding.outcome),
    }
    step = TraceRecord(
        kind=CARRIED,
        text="last known as {last_known} ({reason}) when compared with run {run}",
        facts={"last_known": str(finding.outcome), "reason": finding.reason, "run": run_id},
    )
    return msgspec.structs.replace(
        finding,
        outcome=Outcome.NOT_APPLICABLE if reason in GONE_REASONS else Outcome.UNKNOWN,
        reason=reason,
        reasons=(reason,),
        message=render(template, facts),
        template=template,
        facts=facts,
        evidence=(),
        trace=(step,),
        effect=None,
        remediation=Remediation(summary=""),
        confirmed=None,
        drift=Drift(state=state, since=since),
        waiver=None,
    )


def is_carried(finding: Finding) -> bool:
    """Whether the finding was not made by its run but carried over from an earlier one."""
    return any(step.kind == CARRIED for step in finding.trace)


def is_over(finding: Finding) -> bool:
    """Whether the finding is carried only to say that it is no more."""
    return is_carried(finding) and finding.reason in GONE_REASONS
