"""One cure from start to end: a scan that fails, its commands, a scan that does not."""

from __future__ import annotations

from auditor.findings import Finding
from auditor.replica import Replica
from auditor.values import Outcome
from tests.cures import cases, ward
from tests.cures.az import carry_out, hands_on


def better(before: Finding, after: Finding | None) -> bool:
    """Whether a finding is gone or passes; a failure may become a warning, as the check's page says."""
    if after is None or after.outcome in (Outcome.PASS, Outcome.NOT_APPLICABLE):
        return True
    return before.outcome is Outcome.FAIL and after.outcome is Outcome.WARN


def told(replica: Replica, key: cases.Key, reason: str) -> Finding:
    """The finding of a scan that has this reason and prints commands."""
    found = ward.findings(replica, key[0]).values()
    return next(one for one in found if one.reason == reason and one.remediation.commands)


def cured(replica: Replica, key: cases.Key, reason: str) -> tuple[Finding, Finding | None]:
    """The finding before and after its commands were carried out by the given SDKs."""
    replica.load(ward.estate_of(*cases.things_of(*key)))
    before = told(replica, key, reason)
    with hands_on(replica) as hands:
        for command in before.remediation.commands:
            carry_out(hands, command.argv)
    return before, ward.findings(replica, key[0]).get(before.id)
