"""Reports of made-up nights, a line each, for tests of drift, history and waivers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from auditor.findings import (
    Catalogue,
    EffectRecord,
    EvidenceRecord,
    Finding,
    GapRecord,
    Remediation,
    Report,
    ResourceChange,
    ResourceRef,
    Run,
    Scope,
    SourceRef,
    Tool,
    sort_key,
    summarize,
)
from auditor.values import Outcome, ResourceId, Severity, fold

ONE, TWO = "/subscriptions/one", "/subscriptions/two"


def resource(name: str, subscription: str = ONE, type_: str = "Microsoft.ContainerService/managedClusters") -> str:
    """The id of a resource in the group `rg`."""
    return f"{subscription}/resourceGroups/rg/providers/{type_}/{name}"


def finding(
    check: str,
    resource_id: str,
    outcome: str = "pass",
    *,
    part: str | None = None,
    effect: Iterable[str] | None = None,
    reason: str | None = None,
    severity: Severity = Severity.HIGH,
    name: str | None = None,
) -> Finding:
    """A finding as a scan makes it. Its id is made of its key, as design.md says."""
    key = "\n".join((check, fold(resource_id), part or ""))
    parsed = ResourceId.parse(resource_id)
    items = None if effect is None else tuple(sorted(effect))
    return Finding(
        id=hashlib.sha256(key.encode()).hexdigest()[:20],
        check=check,
        title=f"Title of {check}",
        severity=severity,
        outcome=Outcome(outcome),
        reason=reason or f"is-{outcome}",
        reasons=(reason or f"is-{outcome}",),
        message=f"{parsed.name} is {outcome}",
        template="{name} is " + outcome,
        facts={"name": parsed.name},
        resource=ResourceRef(
            id=resource_id,
            type=parsed.type,
            name=name or parsed.name,
            subscription_id=parsed.subscription_id,
            resource_group=parsed.resource_group,
        ),
        part=part,
        evidence=(EvidenceRecord(resource=resource_id, path="properties.x", value={"is": outcome}),),
        effect=None if items is None else EffectRecord(digest=_digest(items), items=items),
        source=SourceRef(document="doc", section="section", url="https://learn.microsoft.com/"),
        remediation=Remediation(summary="Mend it."),
    )


def night(
    number: int,
    *findings: Finding,
    checks: Mapping[str, int] | None = None,
    unread: Iterable[str] = (),
    scopes: Iterable[str] = (ONE, TWO),
    gaps: Iterable[GapRecord] = (),
) -> Report:
    """The report of night `number`, of a run that could not read the scopes `unread`. Checks have version 1."""
    versions = dict.fromkeys((each.check for each in findings), 1) if checks is None else dict(checks)
    missing = frozenset(unread)
    started = datetime(2026, 1, 1, 2) + timedelta(days=number - 1)
    ordered = tuple(sorted(findings, key=sort_key))
    return Report(
        tool=Tool(name="auditor", version="0"),
        run=Run(
            id=f"run-{number:03}",
            started_at=f"{started:%Y-%m-%dT%H:%M:%SZ}",
            finished_at=f"{started + timedelta(minutes=5):%Y-%m-%dT%H:%M:%SZ}",
            cloud="public",
            source="live",
            lang="en",
            catalogue=Catalogue(version="0", digest=_digest(map(str, versions.items())), checks=versions),
            scopes=tuple(Scope(id=scope, read=scope not in missing) for scope in scopes),
            complete=not missing and not any(gap.required for gap in gaps),
            gaps=tuple(gaps),
        ),
        baseline=None,
        summary=summarize(ordered, {"clusters": 2}),
        findings=ordered,
    )


def gap(scope: str, *, required: bool = True, what: str = "microsoft.network/loadbalancers") -> GapRecord:
    """Something that could not be read."""
    return GapRecord(scope=scope, what=what, reason="forbidden", hint="grant Reader", required=required)


def listed(*resource_ids: str) -> tuple[ResourceChange, ...]:
    """Audited resources."""
    return tuple(
        ResourceChange(id=each, type=ResourceId.parse(each).type, name=ResourceId.parse(each).name)
        for each in resource_ids
    )


def states(report: Report) -> dict[tuple[str, str, str | None], tuple[str, str, str | None]]:
    """(check, resource's name, part) to (outcome, reason, drift state) of each finding."""
    return {
        (each.check, each.resource.name, each.part): (
            str(each.outcome),
            each.reason,
            None if each.drift is None else each.drift.state,
        )
        for each in report.findings
    }


def _digest(items: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(items).encode()).hexdigest()
