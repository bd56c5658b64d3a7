"""What the HTTP API takes and gives, version 1: camelCase, and an unknown member of a request is refused."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from auditor.findings import Baseline, Finding, ResourceChanges, Run, Summary
from auditor.service.jobs import Job, State

SubscriptionId = Annotated[
    str, Meta(min_length=36, max_length=36, pattern=r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")
]
GroupId = Annotated[str, Meta(min_length=1, max_length=90, pattern=r"^[A-Za-z0-9_().-]{1,90}$")]
CheckGlob = Annotated[str, Meta(min_length=1, max_length=100, pattern=r"^[a-z0-9*?-]{1,100}$")]


class ScanAsked(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A scan to be made: scopes (without any, the service's own) and globs of check ids. Nothing else can be said."""

    subscriptions: Annotated[list[SubscriptionId], Meta(max_length=1000)] = []
    management_groups: Annotated[list[GroupId], Meta(max_length=100)] = []
    checks: Annotated[list[CheckGlob], Meta(max_length=100)] = []
    exclude_checks: Annotated[list[CheckGlob], Meta(max_length=100)] = []


class Shown(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Base of what is given."""


class ScanShown(Shown, frozen=True, kw_only=True):
    """A scan that was asked for. `runId` names its run in the history once it is done."""

    id: str
    state: State
    subscriptions: tuple[str, ...]
    management_groups: tuple[str, ...]
    checks: tuple[str, ...]
    exclude_checks: tuple[str, ...]
    schedule: str | None
    asked_by: str
    asked_at: str
    started_at: str | None
    finished_at: str | None
    run_id: str | None
    exit_status: int | None
    note: str
    how: Literal["new", "joined", "repeated"] | None = None


class Scans(Shown, frozen=True, kw_only=True):
    """The newest scans that were asked for."""

    items: tuple[ScanShown, ...]


class RunShown(Shown, frozen=True, kw_only=True):
    """A run in a list."""

    id: str
    started_at: str
    finished_at: str
    complete: bool
    pinned: bool
    scopes: tuple[str, ...]
    outcomes: dict[str, int]
    drift: dict[str, int] | None


class Runs(Shown, frozen=True, kw_only=True):
    """A page of runs, newest first; `next` is the cursor of the page after it."""

    items: tuple[RunShown, ...]
    next: str | None


class RunDetail(Shown, frozen=True, kw_only=True):
    """A run without its findings."""

    pinned: bool
    run: Run
    baseline: Baseline | None
    summary: Summary
    resources: ResourceChanges


class Findings(Shown, frozen=True, kw_only=True):
    """A page of a run's findings, as in its report; `next` is the cursor of the page after it."""

    run_id: str
    total: int
    items: tuple[Finding, ...]
    next: str | None


class DriftShown(Shown, frozen=True, kw_only=True):
    """What drifted between two runs: counts of all states, and the findings that are not unchanged."""

    old: str
    new: str
    counts: dict[str, int] | None
    findings: tuple[Finding, ...]
    resources: ResourceChanges


class Step(Shown, frozen=True, kw_only=True):
    """One step of how a verdict was reached."""

    kind: str
    text: str
    facts: dict[str, Any]


class Section(Shown, frozen=True, kw_only=True):
    """The steps that were taken at one place, or for one question; `heading` is empty where there is neither."""

    heading: str
    steps: tuple[Step, ...]


class Explanation(Shown, frozen=True, kw_only=True):
    """How a verdict was reached, and how to mend what it finds: what `auditor explain` tells, in the same words."""

    run_id: str
    title: str
    message: str
    mend: str
    sections: tuple[Section, ...]
    finding: Finding


def shown(job: Job, how: Literal["new", "joined", "repeated"] | None = None) -> ScanShown:
    """The scan as the API gives it."""
    return ScanShown(
        id=job.id,
        state=job.state,
        subscriptions=job.request.subscriptions,
        management_groups=job.request.management_groups,
        checks=job.request.checks,
        exclude_checks=job.request.exclude_checks,
        schedule=job.request.schedule,
        asked_by=job.asked_by,
        asked_at=job.asked_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
        run_id=job.run_id,
        exit_status=job.exit_status,
        note=job.note,
        how=how,
    )
