"""Everything that a verdict needs could be read.

## What it checks
For each subscription, whether every table and call that a scan needs answered completely, and each resource's data
could be understood. One verdict for each part that did not; one for each workspace whose computes could not be listed;
one for service tag data that are missing or older than 30 days.

- passes for a subscription that was read completely;
- is unknown for each part that was not, with the permission to grant;
- never fails: a gap is the scan's lack, not the estate's.

## Why it matters
What the scan did not see it cannot judge. Without this check a report of a half-read estate would look like that of a
healthy one.

## Not concerned
Nothing.

## Limits
Whether a gap makes the run incomplete is told by the report's `run.complete`: Microsoft Graph, tag age, deny and
eligible assignments do not.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from auditor.api import (
    Compute,
    Gap,
    Inventory,
    Mend,
    ResourceId,
    Severity,
    Source,
    Verdict,
    Workspace,
    check,
    key_of,
    passed,
    tag_data,
    unknown,
)

STALE_AFTER = timedelta(days=30)
TAGS = "microsoft.network/servicetags"


@check(
    id="scan-coverage",
    severity=Severity.HIGH,
    source=Source("ARG-TABLES", "Supported tables", "/governance/resource-graph/reference/supported-tables-resources"),
    mend=Mend.by("{hint}"),
)
def coverage(inventory: Inventory, _: Inventory) -> Iterator[Verdict]:
    troubled: set[str] = set()
    for gap in inventory.gaps:
        about, part = _place(gap)
        troubled.add(key_of(about))
        yield unknown(
            "unread",
            "{what} at {scope} could not be read: {why}",
            about=about,
            part=part,
            what="everything" if gap.what == "*" else gap.what,
            scope=gap.scope,
            why=gap.reason,
            hint=gap.hint or "grant Reader at the scope",
            required=gap.required,
        )
    for bad in inventory.malformed.values():
        about = _subscription(bad.id) or bad.id
        troubled.add(key_of(about))
        yield unknown(
            "malformed",
            "the data of {resource_id} could not be understood: {why}",
            about=about,
            part=bad.id,
            resource_id=bad.id,
            why=bad.unread.why,
            hint=bad.unread.hint,
        )
    above = next((gap for gap in inventory.gaps if gap.required and _subscription(gap.scope) is None), None)
    for subscription in inventory.subscriptions():
        about = f"/subscriptions/{subscription}"
        if key_of(about) in troubled:
            continue
        if above is None:
            yield passed(
                "read", "subscription {subscription} was read completely", about=about, subscription=subscription
            )
            continue
        yield unknown(
            "unread-above",
            "whether subscription {subscription} was read completely is not known: what lies above was not: {why}",
            about=about,
            subscription=subscription,
            why=above.reason,
            hint=above.hint or "grant Reader at the scope",
        )
    yield from _workspaces(inventory)
    yield from _tags(inventory)


def _place(gap: Gap) -> tuple[str, str]:
    """What a gap is reported about: its subscription where it lies in one, and the rest as the part."""
    subscription = _subscription(gap.scope)
    if subscription is None:
        return gap.scope, gap.what
    inside = key_of(gap.scope).removeprefix(key_of(subscription))
    return subscription, f"{gap.what} {inside}".strip()


def _subscription(scope: str) -> str | None:
    try:
        found = ResourceId.parse(scope).subscription_id
    except ValueError:
        return None
    return f"/subscriptions/{found}" if found else None


def _workspaces(inventory: Inventory) -> Iterator[Verdict]:
    for workspace in inventory.every(Workspace):
        missing = inventory.coverage.unread(Compute.TYPE, workspace.key)
        if missing is not None:
            yield unknown(
                "computes-unread",
                "the computes of {workspace} could not be listed: {why}",
                about=workspace.id,
                workspace=workspace.name,
                why=missing.why,
                hint=missing.hint or "grant Microsoft.MachineLearningServices/workspaces/computes/read",
            )


def _tags(inventory: Inventory) -> Iterator[Verdict]:
    data = tag_data(inventory)
    if data is None:
        yield unknown(
            "no-tag-data",
            "no service tag data are at hand: what depends on a tag's addresses stays unknown",
            about="/",
            part=TAGS,
            hint="scan live with Microsoft.Network/locations/serviceTags/read, or give --service-tags FILE",
        )
        return
    made = _date(data.date)
    if made is not None and inventory.taken_at - made > STALE_AFTER:
        yield unknown(
            "tag-data-old",
            "the service tag data are of {date}, more than {days} days before the scan",
            about="/",
            part=TAGS,
            date=data.date,
            days=STALE_AFTER.days,
            hint="give this week's file with --service-tags FILE",
        )


def _date(text: str | None) -> datetime | None:
    try:
        found = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return found if found.tzinfo else found.astimezone()
