"""Who changed what: recorded changes, and which of them made a finding what it is.

A change belongs to a finding if it lies at, above or below a property that the finding's evidence names, now or in the
baseline; that it was made to the same resource is not enough.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import msgspec

from auditor.confirm.places import Place, lists_of, own_place, place_of, places_of
from auditor.confirm.targets import deciding_scopes, is_assignment, scope_of_assignment
from auditor.findings import Between, Change, Finding, Report
from auditor.values import Outcome, ResourceId, fold

DRIFTED = frozenset({"new", "changed", "resolved"})
"""States of drift that somebody brought about."""
MOST_SHOWN = 20
"""Changes of one finding at most, the newest."""
LONGEST_VALUE = 400
"""Characters of a value; a longer one is cut."""


@dataclass(frozen=True, slots=True)
class ChangeRecord:
    """One recorded change of one property (or of a whole resource, if `place` has no steps)."""

    place: Place
    change: Change
    gone: bool = False
    """Whether the resource as a whole was deleted."""
    assignment: str | None = None
    """Of a role assignment's event: its folded id."""
    principal: str | None = None
    """Of a role assignment's event: whom it is for (object id, folded)."""


def recorded(row: Mapping[str, Any]) -> Iterator[ChangeRecord]:
    """The changes that one row of `resourcechanges` tells; nothing for a row of another shape."""
    properties = row.get("properties")
    if not isinstance(properties, Mapping):
        return
    attributes = properties.get("changeAttributes")
    target = properties.get("targetResourceId")
    if not isinstance(attributes, Mapping) or not isinstance(target, str) or place_of(target) is None:
        return
    kind = str(properties.get("changeType") or "")
    at = utc(attributes.get("timestamp"))
    if at is None:
        return
    change = Change(
        at=at,
        by=str(attributes.get("changedBy") or attributes.get("changedByType") or ""),
        client=_client(attributes.get("clientType")),
        operation=str(attributes.get("operation") or kind),
        property="",
    )
    whole = place_of(target)
    changes = properties.get("changes")
    if whole is not None and kind.casefold() in ("create", "delete"):
        yield ChangeRecord(whole, change, gone=kind.casefold() == "delete")
    for path, said in changes.items() if isinstance(changes, Mapping) else ():
        place = place_of(target, str(path))
        if place is not None and isinstance(said, Mapping):
            before, after = said.get("previousValue"), said.get("newValue")
            yield ChangeRecord(place, msgspec.structs.replace(change, property=str(path), before=before, after=after))


def recorded_event(event: Mapping[str, Any], roles: Mapping[str, str]) -> ChangeRecord | None:
    """The change of a role assignment that one event of the activity log tells; `roles` names roles by their GUIDs."""
    assignment = str(event.get("resourceId") or "")
    operation = _text(event.get("operationName"))
    deleted = operation.casefold().endswith("/delete")
    at = utc(event.get("eventTimestamp"))
    succeeded = _text(event.get("status")).casefold() == "succeeded"
    place = place_of(assignment, "properties.roleDefinitionId")
    if not is_assignment(assignment) or not succeeded or at is None or place is None:
        return None
    said = _body(event)
    role = str(said.get("roleDefinitionId") or "")
    named = roles.get(fold(role).rsplit("/", 1)[-1], role) or None
    return ChangeRecord(
        place,
        Change(
            at=at,
            by=str(event.get("caller") or ""),
            operation=operation,
            property="properties.roleDefinitionId",
            before=named if deleted else None,
            after=None if deleted else named,
        ),
        gone=deleted,
        assignment=fold(assignment),
        principal=str(said.get("principalId") or "").casefold() or None,
    )


def _body(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """The assignment's properties in an event: Azure writes the request or the answer as text."""
    properties = event.get("properties")
    for name in ("responseBody", "requestbody", "requestBody"):
        text = properties.get(name) if isinstance(properties, Mapping) else None
        try:
            body = json.loads(text) if isinstance(text, str) else None
        except (ValueError, RecursionError):
            continue
        if isinstance(body, Mapping):
            inner = body.get("properties", body.get("Properties"))
            return inner if isinstance(inner, Mapping) else body
    return {}


def _text(value: Any) -> str:
    return str(value.get("value") or "") if isinstance(value, Mapping) else str(value or "")


def _client(value: Any) -> str:
    text = str(value or "")
    return "" if text.casefold() in ("unspecified", "unknown") else text


def utc(text: Any) -> str | None:
    """A time in the form of the report's (RFC 3339, UTC, seconds), so that texts compare; None if it is none."""
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found.replace(tzinfo=found.tzinfo or UTC).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def attribute(report: Report, before: Mapping[str, Finding], records: Iterable[ChangeRecord]) -> Report:
    """The report with the changes that brought about its drift; `before` are the baseline's findings by id.

    Where no record tells, the finding says between which two runs it came to be.
    """
    if report.baseline is None:
        return report
    since = report.baseline.started_at
    ordered = sorted(
        (each for each in records if each.change.at >= since),
        key=lambda each: (each.change.at, each.change.property),
    )
    by_resource: dict[str, list[ChangeRecord]] = {}
    for record in ordered:
        by_resource.setdefault(record.place.resource, []).append(record)
    events = [record for record in ordered if record.assignment is not None]
    findings = tuple(
        _attributed(finding, before.get(finding.id), since, by_resource, events)
        if finding.drift is not None and finding.drift.state in DRIFTED
        else finding
        for finding in report.findings
    )
    return msgspec.structs.replace(report, findings=findings)


def _attributed(
    finding: Finding,
    before: Finding | None,
    since: str,
    by_resource: Mapping[str, list[ChangeRecord]],
    events: list[ChangeRecord],
) -> Finding:
    assert finding.drift is not None
    places = tuple(dict.fromkeys(places_of(finding, before)))
    found = [*_of_evidence(finding, places, by_resource), *_of_rights(finding, before, events)]
    if not found and _moved(finding):
        # What is permitted rests on all rules of the groups and tables that the evidence names.
        found = list(_of_evidence(finding, tuple(lists_of(places)), by_resource))
    changes = sorted(dict.fromkeys(_shown(record, places) for record, places in found), key=lambda each: each.at)
    drift = msgspec.structs.replace(
        finding.drift,
        changes=tuple(changes[-MOST_SHOWN:]),
        unrecorded=None if changes else Between(after=since, until=finding.drift.since or since),
    )
    return msgspec.structs.replace(finding, drift=drift)


Matched = tuple[ChangeRecord, tuple[Place, ...]]
"""A record, and the places of the evidence that it concerns."""


def _moved(finding: Finding) -> bool:
    return finding.effect is not None and bool(finding.effect.added or finding.effect.removed)


def _of_evidence(
    finding: Finding, places: tuple[Place, ...], by_resource: Mapping[str, list[ChangeRecord]]
) -> Iterator[Matched]:
    own = own_place(finding)
    over = finding.outcome is Outcome.NOT_APPLICABLE and own is not None
    for resource in dict.fromkeys([place.resource for place in places] + ([own.resource] if own else [])):
        for record in by_resource.get(resource, ()):
            if record.assignment is not None:
                continue
            # Of a resource that is gone, its removal is what brought it about.
            removed = over and own is not None and record.change.after is None and record.place.holds(own)
            if removed and (record.gone or record.place.steps):
                yield record, (own,) if own is not None else ()
            elif concerned := tuple(place for place in places if record.place.concerns(place)):
                yield record, concerned


def _of_rights(finding: Finding, before: Finding | None, events: list[ChangeRecord]) -> Iterator[Matched]:
    """Events of assignments that the evidence shows, or of the principal at a scope that decides."""
    shown = {
        fold(evidence.resource): str(evidence.value)
        for each in (finding, before)
        for evidence in (each.evidence if each is not None else ())
        if is_assignment(evidence.resource)
    }
    principal = str(finding.facts.get("object_id") or "").casefold()
    scopes = [ResourceId.parse(scope) for scope in deciding_scopes(finding)] if principal else []
    for event in events:
        assignment = event.assignment or ""
        at = ResourceId.parse(scope_of_assignment(assignment))
        reaches = event.principal == principal and any(at.covers(scope) for scope in scopes)
        if assignment in shown or (principal and reaches):
            yield _named(event, shown.get(assignment)), (event.place,)


def _named(event: ChangeRecord, role: str | None) -> ChangeRecord:
    """The event with its role by name, where the evidence of the assignment still tells it."""
    change = event.change
    if role is None or not str(change.before or change.after or "/").startswith("/"):
        return event
    named = {"before": role} if event.gone else {"after": role}
    return replace(event, change=msgspec.structs.replace(change, **named))


def _shown(record: ChangeRecord, places: tuple[Place, ...]) -> Change:
    """The change as the report tells it: values only where they are those of what the evidence names.

    Evidence names allow-listed properties only; a change above it may carry more than may be told.
    """
    inside = any(place.holds(record.place) for place in places)
    change = record.change
    return msgspec.structs.replace(
        change, before=_value(change.before, inside=inside), after=_value(change.after, inside=inside)
    )


def _value(value: Any, *, inside: bool) -> Any:
    if isinstance(value, (bool, int, float)) or value is None:
        return value
    if not isinstance(value, str):
        if not inside:
            return None
        value = json.dumps(value, ensure_ascii=False)
    if not inside and value.lstrip()[:1] in ("{", "["):
        return None
    return value if len(value) <= LONGEST_VALUE else value[: LONGEST_VALUE - 1] + "…"
