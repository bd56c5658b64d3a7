"""`report.ocsf.json`: an array of OCSF Compliance Findings (class 2003, version 1.4.0), one a finding."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from auditor.findings import Finding, Report, sort_key
from auditor.report.embedding import web_link
from auditor.report.frameworks import controls_of, frameworks, labels
from auditor.report.legible import command_line, legible, shown
from auditor.values import Outcome, Severity

VERSION = "1.4.0"
CATEGORY, CLASS = 2, 2003  # Findings, Compliance Finding
_SEVERITY = {
    Severity.INFO: (1, "Informational"),
    Severity.LOW: (2, "Low"),
    Severity.MEDIUM: (3, "Medium"),
    Severity.HIGH: (4, "High"),
    Severity.CRITICAL: (5, "Critical"),
}
_COMPLIANCE = {
    Outcome.UNKNOWN: (0, "Unknown"),
    Outcome.PASS: (1, "Pass"),
    Outcome.WARN: (2, "Warning"),
    Outcome.FAIL: (3, "Fail"),
    Outcome.NOT_APPLICABLE: (99, "Not applicable"),
}
_CREATE, _UPDATE, _CLOSE = (1, "Create"), (2, "Update"), (3, "Close")


def render_ocsf(report: Report) -> bytes:
    """The findings in the order of `report.json`."""
    events = [ocsf_event(finding, report) for finding in sorted(report.findings, key=sort_key)]
    return (json.dumps(events, ensure_ascii=False, indent=2) + "\n").encode()


def ocsf_event(finding: Finding, report: Report) -> dict[str, Any]:
    """One finding of a run as an event; what it does not have is left out."""
    activity_id, activity = _activity(finding)
    severity_id, severity = _SEVERITY[finding.severity]
    status_id, status = _status(finding)
    at = _milliseconds(report.run.finished_at)
    event: dict[str, Any] = {
        "activity_id": activity_id,
        "activity_name": activity,
        "category_uid": CATEGORY,
        "category_name": "Findings",
        "class_uid": CLASS,
        "class_name": "Compliance Finding",
        "type_uid": CLASS * 100 + activity_id,
        "type_name": f"Compliance Finding: {activity}",
        "time": at,
        "severity_id": severity_id,
        "severity": severity,
        "status_id": status_id,
        "status": status,
        "message": legible(finding.message),
        "metadata": {
            "version": VERSION,
            "profiles": ["cloud"],
            "product": {
                "name": legible(report.tool.name),
                "vendor_name": legible(report.tool.name),
                "version": legible(report.tool.version),
            },
            "correlation_uid": legible(report.run.id),
            "event_code": legible(finding.check),
        },
        "cloud": _cloud(finding),
        "finding_info": {
            "uid": legible(finding.id),
            "title": legible(finding.title),
            "desc": legible(finding.message),
            "types": [legible(finding.check)],
            "created_time": _milliseconds(finding.drift.since) if finding.drift and finding.drift.since else at,
            "last_seen_time": at,
        },
        "compliance": _compliance(finding),
        "resources": [_resource(finding, report.run.cloud)],
        "remediation": _remediation(finding),
        # Evidence has no attribute of its own in this class and version.
        "unmapped": {
            "evidence": [
                {"resource": legible(each.resource), "path": legible(each.path), "value": shown(each.value)}
                for each in finding.evidence
            ],
            "reason": legible(finding.reason),
            "outcome": finding.outcome.value,
            "part": legible(finding.part) if finding.part else None,
            "drift": finding.drift.state if finding.drift else None,
            "confirmed": finding.confirmed,
            "waiver": {
                "owner": legible(finding.waiver.owner),
                "reason": legible(finding.waiver.reason),
                "expires": legible(finding.waiver.expires),
            }
            if finding.waiver
            else None,
        },
    }
    return {key: value for key, value in event.items() if value not in (None, [], {})}


def _activity(finding: Finding) -> tuple[int, str]:
    """New ones are created, resolved ones closed; every other night updates."""
    state = finding.drift.state if finding.drift else "unchanged"
    return {"new": _CREATE, "resolved": _CLOSE}.get(state, _UPDATE)


def _status(finding: Finding) -> tuple[int, str]:
    """Of the finding as a ticket: new, in progress, suppressed, resolved."""
    if finding.waiver and finding.outcome.deviating:
        return 3, "Suppressed"
    if finding.outcome in (Outcome.PASS, Outcome.NOT_APPLICABLE):
        return 4, "Resolved"
    if finding.drift and finding.drift.state == "unchanged":
        return 2, "In Progress"
    return 1, "New"


def _compliance(finding: Finding) -> dict[str, Any]:
    status_id, status = _COMPLIANCE[finding.outcome]
    return {
        "control": legible(finding.check),
        "requirements": [
            legible(f"{finding.source.document}, {finding.source.section}".strip(", ")),
            *labels(finding.check),
        ],
        "standards": [legible(finding.source.document) or "auditor", *_standards(finding)],
        "status_id": status_id,
        "status": status,
        "status_code": legible(finding.reason),
        "status_details": [legible(finding.message)],
    }


def _standards(finding: Finding) -> list[str]:
    mapped = controls_of(finding.check)
    return [f"{each.name['en']} {each.version}" for each in frameworks() if each.id in mapped]


def _cloud(finding: Finding) -> dict[str, Any]:
    cloud: dict[str, Any] = {"provider": "Azure"}
    if finding.resource.location:
        cloud["region"] = legible(finding.resource.location)
    if finding.resource.subscription_id:
        cloud["account"] = {
            "uid": legible(finding.resource.subscription_id),
            "type_id": 13,
            "type": "Azure Subscription",
        }
    return cloud


def _resource(finding: Finding, cloud: str) -> dict[str, Any]:
    resource: dict[str, Any] = {
        "uid": legible(finding.resource.id),
        "name": legible(finding.resource.name),
        "type": legible(finding.resource.type),
        "cloud_partition": legible(cloud),
    }
    if finding.resource.location:
        resource["region"] = legible(finding.resource.location)
    if finding.resource.resource_group:
        resource["group"] = {"name": legible(finding.resource.resource_group)}
    return resource


def _remediation(finding: Finding) -> dict[str, Any] | None:
    lines = [finding.remediation.summary] if finding.remediation.summary else []
    lines += [command_line(command.argv) for command in finding.remediation.commands]
    if not lines:
        return None
    link = web_link(finding.source.url)
    return {"desc": legible("\n".join(lines)), **({"references": [link]} if link else {})}


def _milliseconds(at: str) -> int:
    """RFC 3339 as milliseconds since 1970; 0 for what is no time, since OCSF demands a number."""
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        return 0
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
