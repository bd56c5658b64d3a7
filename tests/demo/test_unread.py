"""A green is earned: what is hidden from a scan of the sample estate, with a gap that says so, turns nothing green.

One type of resource after the other, and one subscription after the other, is taken away from the first night. Every
check has to say of what is left what it said before, or that it does not know.
"""

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from auditor.evaluate import evaluate
from auditor.findings import Finding
from auditor.inventory import Builder, Configured, Header
from auditor.replica.estate import load
from auditor.values import Gap
from tests.estate import NOW, TENANT, catalogue, terms

ESTATE = load(Path(__file__).resolve().parents[2] / "auditor" / "demo" / "estates" / "night-1.json", "public")
ROWS: tuple[dict[str, Any], ...] = tuple({**body, "type": body["type"].lower()} for body in ESTATE.resources)
TYPES = sorted({row["type"] for row in ROWS})
SUBSCRIPTIONS = sorted({row["id"].split("/")[2] for row in ROWS if row["id"].startswith("/subscriptions/")})

Judged = dict[str, Finding]


def judged(hidden: Callable[[dict[str, Any]], bool], scopes: list[str], *gaps: Gap) -> Judged:
    """All findings about the estate without the rows that are hidden."""
    builder = Builder(configured=Configured())
    builder.header = Header(NOW, "public", TENANT, tuple(f"/subscriptions/{one}" for one in scopes), gaps)
    for number, row in enumerate(row for row in ROWS if not hidden(row)):
        builder.add(json.dumps(row).encode(), "estate", number)
    assert not builder.broken
    found = evaluate(builder.build(now=NOW), catalogue(), terms())
    return {finding.id: finding for finding in found}


@functools.cache
def everything_seen() -> Judged:
    """The findings of a scan that saw everything."""
    return judged(lambda row: False, SUBSCRIPTIONS)


def wrongly_decided(now: Judged) -> list[str]:
    """What turned green, what turned red, and what broke."""
    wrong = []
    for key, finding in now.items():
        before = everything_seen().get(key)
        was = before.outcome if before else "unknown"
        turned = (was in ("fail", "warn", "unknown") and before and finding.outcome == "pass") or (
            was in ("pass", "not-applicable") and finding.outcome == "fail"
        )
        if turned or finding.reason in ("check-error", "no-verdict"):
            wrong.append(
                f"{finding.check} of {finding.resource.name} ({finding.part}): {was}, now {finding.outcome} "
                f"({finding.reason})"
            )
    return wrong


@pytest.mark.long
@pytest.mark.parametrize("kind", TYPES)
def test_a_type_that_was_not_read_decides_nothing(kind: str) -> None:
    gaps = [Gap(f"/subscriptions/{one}", kind, "403 AuthorizationFailed", "grant Reader") for one in SUBSCRIPTIONS]
    now = judged(lambda row: row["type"] == kind or row["type"].startswith(kind + "/"), SUBSCRIPTIONS, *gaps)
    assert wrongly_decided(now) == []


@pytest.mark.long
@pytest.mark.parametrize("subscription", SUBSCRIPTIONS)
def test_a_subscription_out_of_scope_decides_nothing(subscription: str) -> None:
    scopes = [one for one in SUBSCRIPTIONS if one != subscription]
    now = judged(lambda row: row["id"].startswith(f"/subscriptions/{subscription}"), scopes)
    assert wrongly_decided(now) == []


def test_the_estate_has_something_to_lose() -> None:
    seen = everything_seen().values()
    assert {finding.outcome for finding in seen} == {"pass", "warn", "fail", "unknown", "not-applicable"}
    assert [finding.check for finding in seen if finding.reason in ("check-error", "no-verdict")] == []
