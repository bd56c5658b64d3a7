"""Which recorded changes belong to a finding: those of its evidence, since the baseline, and no others."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.confirm import attribute, recorded
from auditor.confirm.changes import LONGEST_VALUE, MOST_SHOWN, ChangeRecord, recorded_event, utc
from auditor.findings import Baseline, Change, Drift, DriftState, EffectRecord, EvidenceRecord, Finding
from auditor.values import Outcome
from tests.nights import finding, night

NET = "/subscriptions/one/resourceGroups/rg/providers/Microsoft.Network"
GROUP, VNET = f"{NET}/networkSecurityGroups/n", f"{NET}/virtualNetworks/v"
SUBNET = f"{VNET}/subnets/nodes"
DENY = f"{GROUP}/securityRules/Deny"
GRANT = f"{NET.removesuffix('/providers/Microsoft.Network')}/providers/Microsoft.Authorization/roleAssignments/a1"
AT, BEFORE = "2026-11-24T15:00:00Z", "2026-11-23T15:00:00Z"


def shows(*evidence: tuple[str, str, Any], state: DriftState = "new", **more: Any) -> Finding:
    """A failing finding about the subnet that rests on this evidence."""
    made = finding("c", SUBNET, "fail")
    records = tuple(EvidenceRecord(resource=at, path=path, value=value) for at, path, value in evidence)
    return msgspec.structs.replace(made, evidence=records, drift=Drift(state=state, since=AT), **more)


def row(target: str, changes: Mapping[str, Any], *, at: Any = AT, kind: str = "Update", **attributes: Any) -> Any:
    """A row of `resourcechanges`."""
    said = {"timestamp": at, "changedBy": "wei", "clientType": "CLI", "operation": "w", **attributes}
    inside = {"changeType": kind, "targetResourceId": target, "changeAttributes": said, "changes": changes}
    return {"type": "microsoft.resources/changes", "properties": inside}


def one(path: str, before: Any = "1", after: Any = "2", target: str = GROUP, at: str = AT) -> Any:
    return row(target, {path: {"previousValue": before, "newValue": after}}, at=at)


def told(
    about: Finding, *rows: Any, before: Finding | None = None, events: tuple[ChangeRecord | None, ...] = ()
) -> Finding:
    """The finding after these changes, compared with a run of the day before."""
    report = msgspec.structs.replace(
        night(2, about), baseline=Baseline(run_id="r", started_at="2026-11-24T02:00:00Z", pinned=False)
    )
    records = [each for one_row in rows for each in recorded(one_row)] + [each for each in events if each]
    [found] = attribute(report, {before.id: before} if before else {}, records).findings
    return found


def changes(found: Finding) -> list[tuple[str, Any, Any]]:
    assert found.drift is not None
    return [(each.property, each.before, each.after) for each in found.drift.changes]


RULE = (DENY, "properties", "100 Deny")
PRIORITY = 'properties.securityRules["Deny"].properties.priority'
MATCHED = {
    "of the rule that denies": (one(PRIORITY), True),
    "another casing": (one(PRIORITY.upper(), target=GROUP.upper()), True),
    "the rule was added": (one('properties.securityRules["Deny"]', None, "Deny *"), True),
    "another rule": (one('properties.securityRules["Allow"].properties.priority'), False),
    "another property of the group": (one("tags.owner"), False),
    "another group": (one(PRIORITY, target=GROUP + "2"), False),
    "before the baseline": (one(PRIORITY, at=BEFORE), False),
    "the group was made": (row(GROUP, {}, kind="Create"), True),
}


@pytest.mark.parametrize(("change", "yes"), MATCHED.values(), ids=MATCHED)
def test_a_change_belongs_to_the_evidence_not_to_the_resource(change: Any, yes: bool) -> None:
    found = told(shows(RULE), change)
    assert found.drift is not None
    assert bool(found.drift.changes) is yes
    assert (found.drift.unrecorded is None) is yes


def test_what_the_baseline_rested_on_counts_too() -> None:
    """The rule that let packets through is gone: today's evidence no longer names it."""
    before = shows((f"{GROUP}/securityRules/Allow", "properties", "Allow"))
    change = one('properties.securityRules["Allow"]', "Allow 443", None)
    assert changes(told(shows(RULE), change, before=before)) == [
        ('properties.securityRules["Allow"]', "Allow 443", None)
    ]
    assert changes(told(shows(RULE), change)) == []


def test_another_effect_rests_on_the_whole_list_of_rules() -> None:
    moved = EffectRecord(digest="d", items=("a", "b"), added=("b",))
    change = one('properties.securityRules["Allow"].properties.priority')
    assert len(changes(told(shows(RULE, state="changed", effect=moved), change))) == 1
    assert len(changes(told(shows(RULE, state="changed", effect=moved), one("tags.x")))) == 0
    both = [change, one(PRIORITY)]
    assert [path for path, _, _ in changes(told(shows(RULE, state="changed", effect=moved), *both))] == [PRIORITY]


@pytest.mark.parametrize("state", ["unchanged", "unverified"])
def test_only_what_somebody_brought_about_is_attributed(state: DriftState) -> None:
    found = told(shows(RULE, state=state), one(PRIORITY))
    assert found.drift == Drift(state=state, since=AT)


def test_a_resource_that_is_gone_was_removed_by_somebody() -> None:
    gone = shows(state="resolved", outcome=Outcome.NOT_APPLICABLE, reason="resource-gone")
    removed = one('properties.subnets["nodes"]', "10.0.0.0/24", None, target=VNET)
    other = one('properties.subnets["nodes"].properties.routeTable.id', "a", "b", target=VNET)
    assert changes(told(gone, removed, other)) == [('properties.subnets["nodes"]', "10.0.0.0/24", None)]
    assert [each.operation for each in told(gone, row(VNET, {}, kind="Delete")).drift.changes] == ["w"]  # type: ignore[union-attr]


def test_the_newest_changes_stand_in_their_order() -> None:
    rows = [one(PRIORITY, str(n), str(n + 1), at=f"2026-11-24T15:{n:02}:00Z") for n in range(MOST_SHOWN + 5)]
    found = told(shows(RULE), *reversed(rows))
    assert [before for _, before, _ in changes(found)] == [str(n) for n in range(5, MOST_SHOWN + 5)]


def test_without_a_baseline_nothing_is_said() -> None:
    report = night(2, shows(RULE))
    assert attribute(report, {}, list(recorded(one(PRIORITY)))) == report


VALUES = {
    "a text": ("300", "300"),
    "a number": (3, 3),
    "nothing": (None, None),
    "a whole object where the evidence names one property of it": ({"secret": "s"}, None),
    "the same as text": ('{"secret": "s"}', None),
    "a list as text": ('["s"]', None),
    "a long text": ("x" * 900, "x" * (LONGEST_VALUE - 1) + "…"),
}


@pytest.mark.parametrize(("value", "shown"), VALUES.values(), ids=VALUES)
def test_a_change_above_the_evidence_tells_no_more_than_that(value: Any, shown: Any) -> None:
    """Evidence names properties of the allow-list only; the object around one may hold secrets."""
    about = shows((GROUP, "properties.settings.allowed", "x"))
    [(_, before, after)] = changes(told(about, one("properties.settings", value, value)))
    assert (before, after) == (shown, shown)


def test_below_the_evidence_an_object_is_told() -> None:
    about = shows((GROUP, "properties.settings", "x"))
    [(_, before, _)] = changes(told(about, one("properties.settings.inner", {"a": 1}, None)))
    assert before == '{"a": 1}'


def event(**more: Any) -> dict[str, Any]:
    """An event of the activity log about the assignment `GRANT`."""
    body = {"properties": {"roleDefinitionId": "/x/roleDefinitions/R1", "principalId": "P1", "scope": "/y"}}
    return {
        "eventTimestamp": AT,
        "caller": "jonas",
        "operationName": {"value": "Microsoft.Authorization/roleAssignments/write"},
        "status": {"value": "Succeeded"},
        "resourceId": GRANT,
        "properties": {"responseBody": json.dumps(body)},
        **more,
    }


def test_an_event_tells_who_granted_which_role() -> None:
    found = recorded_event(event(), {"r1": "Owner"})
    assert found is not None
    assert found.change == Change(
        at=AT, by="jonas", operation="Microsoft.Authorization/roleAssignments/write",
        property="properties.roleDefinitionId", before=None, after="Owner",
    )  # fmt: skip
    assert (found.principal, found.assignment) == ("p1", GRANT.casefold())


@pytest.mark.parametrize(
    "more",
    [
        {"status": {"value": "Started"}},
        {"status": {"value": "Failed"}},
        {"resourceId": VNET},
        {"resourceId": None},
        {"eventTimestamp": "yesterday"},
    ],
)
def test_events_that_changed_no_assignment(more: dict[str, Any]) -> None:
    assert recorded_event(event(**more), {}) is None


def test_an_assignment_of_the_evidence_and_one_of_the_principal_at_the_scope() -> None:
    rights = shows((GRANT, "properties.roleDefinitionId", "Owner"))
    assert changes(told(rights, events=(recorded_event(event(), {}),))) == [
        ("properties.roleDefinitionId", None, "Owner")
    ]
    lacking = shows(facts={"object_id": "P1"}, part=SUBNET)
    assert len(changes(told(lacking, events=(recorded_event(event(), {}),)))) == 1
    somebody = shows(facts={"object_id": "P2"}, part=SUBNET)
    assert changes(told(somebody, events=(recorded_event(event(), {}),))) == []
    elsewhere = event(resourceId=GRANT.replace("/rg/", "/other/"))
    assert changes(told(lacking, events=(recorded_event(elsewhere, {}),))) == []


def test_a_baseline_that_showed_the_assignment_names_its_role() -> None:
    """The definition of a role that nobody holds any more is not read: its name is known from then."""
    before = shows((GRANT, "properties.roleDefinitionId", "Joiner"))
    deleted = recorded_event(event(operationName={"value": "Microsoft.Authorization/roleAssignments/delete"}), {})
    assert changes(told(shows(), events=(deleted,), before=before)) == [("properties.roleDefinitionId", "Joiner", None)]


TIMES = {
    "seconds": ("2026-11-24T15:00:00Z", AT),
    "fractions": ("2026-11-24T15:00:00.1234567Z", AT),
    "another zone": ("2026-11-24T23:00:00+08:00", AT),
    "no zone is UTC": ("2026-11-24T15:00:00", AT),
    "no time": ("soon", None),
    "nothing": (None, None),
}


@pytest.mark.parametrize(("text", "at"), TIMES.values(), ids=TIMES)
def test_times(text: Any, at: str | None) -> None:
    assert utc(text) == at


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(anything, anything, anything, anything, st.text(max_size=20))
def test_rows_of_any_shape_are_read_or_passed_over(a: Any, b: Any, c: Any, d: Any, path: str) -> None:
    for rows in ({"properties": a}, row(GROUP, {path: b}, at=c), row(GROUP, d), one(path, a, b)):
        told(shows(RULE), rows)
    recorded_event(event(properties=a, status=b, operationName=c, eventTimestamp=d), {})
    recorded_event(event(properties={"responseBody": json.dumps(a)}, resourceId=path), {})
