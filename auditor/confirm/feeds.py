"""The two feeds that tell who changed what: Resource Graph's `resourcechanges`, and the activity log for rights.

Asked only for what drifted: one query over the resources' ids, and one filtered call a subscription in which rights
drifted. Neither feed is a source of verdicts; where one cannot be read, the report says so and names nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from auditor.collect import arm, graph, queries
from auditor.collect.failures import Failure
from auditor.collect.graph import Reach
from auditor.confirm.changes import DRIFTED, ChangeRecord, recorded, recorded_event
from auditor.confirm.link import Link
from auditor.confirm.places import own_place, places_of
from auditor.confirm.targets import deciding_scopes, is_assignment, scope_of_assignment
from auditor.findings import Finding, Note, Report
from auditor.inventory import Inventory
from auditor.inventory.records import RoleDefinition
from auditor.values import ResourceId

FEED_DAYS, LOG_DAYS = 14, 89
"""How far `resourcechanges` and the activity log (90 days, less one for clocks that differ) reach back."""
LOG_VERSION = "2015-04-01"
CHANGES = "changes"
"""The kind of the note that says why a feed was not read."""


def records_for(
    link: Link, report: Report, before: Mapping[str, Finding], inventory: Inventory
) -> tuple[list[ChangeRecord], list[Note]]:
    """Recorded changes of what the drifted findings rest on, since the baseline; and why a feed says nothing."""
    drifted = [each for each in report.findings if each.drift is not None and each.drift.state in DRIFTED]
    if report.baseline is None or not drifted:
        return [], []
    since, now = datetime.fromisoformat(report.baseline.started_at), link.now()
    resources = sorted(_resources(drifted, before))
    subscriptions = sorted(_with_rights(drifted, before))
    roles = {role.name.casefold(): role.body.role_name or role.name for role in inventory.every(RoleDefinition)}
    calls: list[tuple[str, Callable[[], list[ChangeRecord]]]] = [
        *_feed(link, resources, max(since, now - timedelta(days=FEED_DAYS))),
        *_log(link, subscriptions, max(since, now - timedelta(days=LOG_DAYS)), now, roles),
    ]
    found: list[ChangeRecord] = []
    notes: list[Note] = []
    for (what, _), answer in zip(calls, link.each([call for _, call in calls]), strict=True):
        if isinstance(answer, Failure):
            text = f"who changed what is not known from {what}: {answer.reason}: {answer.text}"
            notes += [] if any(note.text == text for note in notes) else [Note(kind=CHANGES, text=text)]
        else:
            found += answer
    return found, notes


def _resources(drifted: Iterable[Finding], before: Mapping[str, Finding]) -> set[str]:
    """The tracked resources of the evidence, now and then, by folded id; role assignments are in no feed."""
    found: set[str] = set()
    for finding in drifted:
        own = own_place(finding)
        places = [*places_of(finding, before.get(finding.id)), *([own] if own is not None else [])]
        found |= {place.resource for place in places if place.resource.startswith("/subscriptions/")}
    return {each for each in found if not is_assignment(each)}


def _with_rights(drifted: Iterable[Finding], before: Mapping[str, Finding]) -> set[str]:
    """The subscriptions in which rights decided a drifted finding, now or then."""
    scopes: set[str] = set()
    for finding in drifted:
        for each in (finding, before.get(finding.id)):
            shown = [e.resource for e in each.evidence if is_assignment(e.resource)] if each is not None else []
            scopes |= {scope_of_assignment(assignment) for assignment in shown}
            if each is not None and each.facts.get("object_id"):
                scopes |= set(deciding_scopes(each))
    return {found for scope in scopes if (found := ResourceId.parse(scope).subscription_id) is not None}


def _feed(link: Link, resources: list[str], since: datetime) -> Iterator[tuple[str, Callable[[], list[ChangeRecord]]]]:
    for run in queries.chunks(resources):
        (query,) = queries.changes_of(run, since)
        reach = Reach(tuple(sorted({ResourceId.parse(each).subscription_id or "" for each in run} - {""})))

        def read(query: queries.Query = query, reach: Reach = reach) -> list[ChangeRecord]:
            answer = graph.read(link.wire(), query, reach, link.stopped)
            return [record for row in answer.rows for record in recorded(row)]

        yield "resourcechanges", read


def _log(
    link: Link, subscriptions: list[str], since: datetime, now: datetime, roles: Mapping[str, str]
) -> Iterator[tuple[str, Callable[[], list[ChangeRecord]]]]:
    condition = (
        f"eventTimestamp ge '{since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}'"
        f" and eventTimestamp le '{now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}'"
        " and resourceProvider eq 'Microsoft.Authorization'"
    )
    for subscription in subscriptions:
        url = (
            f"/subscriptions/{subscription}/providers/Microsoft.Insights/eventtypes/management/values"
            f"?api-version={LOG_VERSION}&$filter={quote(condition)}"
        )

        def read(url: str = url) -> list[ChangeRecord]:
            events = arm.list_all(link.wire(), url, "ARM/activityLog", link.stopped, events=True)
            return [record for event in events if (record := recorded_event(event, roles)) is not None]

        yield f"the activity log of subscription {subscription}", read
