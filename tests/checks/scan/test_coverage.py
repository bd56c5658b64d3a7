"""scan-coverage: what was not read is said, and never passes for read."""

import pytest

from tests.estate import (
    OTHER_SUB,
    SUB,
    Thing,
    audit,
    cluster,
    gap,
    nsg,
    outcomes,
    service_tags,
    subnet,
    workspace,
)

CHECK = "scan-coverage"
TAGS = service_tags(Storage=["20.64.0.0/16"])
READ = ("pass", "read")


def old_tags() -> Thing:
    made = service_tags(Storage=["20.64.0.0/16"])
    made.rows[0]["properties"]["takenAt"] = "2026-09-01T00:00:00+00:00"
    return made


def malformed() -> Thing:
    made = nsg("fence")
    made.rows[0]["properties"]["securityRules"] = 7
    return made


COMPUTES = "microsoft.machinelearningservices/workspaces/computes"

CASES = {
    "all read": ([cluster(nodes=subnet()), TAGS], [READ]),
    "a table unread": ([cluster(), TAGS, gap(f"/subscriptions/{SUB}", "resources")], [("unknown", "unread")]),
    "the subscription unread": ([TAGS, gap(f"/subscriptions/{SUB}")], [("unknown", "unread")]),
    "a group unread": ([cluster(), TAGS, gap(f"/subscriptions/{SUB}/resourceGroups/mc")], [("unknown", "unread")]),
    "Graph not permitted": (
        [cluster(), TAGS, gap("/", "auditor/membership", required=False)], [READ, ("unknown", "unread")]),
    "something above unread": (
        [cluster(), TAGS, gap("/providers/Microsoft.Management/managementGroups/ml", "resources")],
        [("unknown", "unread"), ("unknown", "unread-above")]),
    "computes unread": (
        [workspace(), TAGS, gap(workspace(), COMPUTES)],
        [("unknown", "computes-unread"), ("unknown", "unread")]),
    "malformed data": ([malformed(), TAGS], [("unknown", "malformed")]),
    "no tag data": ([cluster()], [READ, ("unknown", "no-tag-data")]),
    "old tag data": ([cluster(), old_tags()], [READ, ("unknown", "tag-data-old")]),
}  # fmt: skip


@pytest.mark.parametrize(("things", "expected"), CASES.values(), ids=CASES)
def test_outcomes(things: list[Thing], expected: list[tuple[str, str]]) -> None:
    assert outcomes(audit(CHECK, things)) == expected


def test_a_subscription_that_was_read_passes_beside_one_that_was_not() -> None:
    scopes = (f"/subscriptions/{SUB}", f"/subscriptions/{OTHER_SUB}")
    found = audit(CHECK, cluster(), TAGS, gap(f"/subscriptions/{OTHER_SUB}"), scopes=scopes)
    assert {(f.resource.id, str(f.outcome)) for f in found} == {
        (f"/subscriptions/{SUB}", "pass"),
        (f"/subscriptions/{OTHER_SUB}", "unknown"),
    }


def test_the_hint_is_the_remediation() -> None:
    found = audit(CHECK, cluster(), TAGS, gap(f"/subscriptions/{SUB}", "resources"))
    assert found[0].remediation.summary == f"grant Reader on /subscriptions/{SUB}"
