"""`report.sarif`: SARIF 2.1.0 for code-scanning pages: what fails, warns or is unknown.

Passes are counted in the run's properties instead of listed: code-scanning pages make an alert of every result, and
close it when the result no longer comes. Drift's `resolved` is therefore an absence here.
"""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Iterable
from typing import Any

from auditor.findings import Finding, Report, sort_key
from auditor.report.embedding import web_link
from auditor.report.frameworks import Framework, controls_of, frameworks
from auditor.report.legible import command_line, legible
from auditor.values import Outcome, Severity

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
LISTED = (Outcome.FAIL, Outcome.WARN, Outcome.UNKNOWN)
_LEVEL = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "note",
    Severity.INFO: "note",
}
# What GitHub sorts alerts by: over 9.0 critical, 7.0 high, 4.0 medium.
_SECURITY_SEVERITY = {
    Severity.CRITICAL: "9.5",
    Severity.HIGH: "8.0",
    Severity.MEDIUM: "5.5",
    Severity.LOW: "3.0",
    Severity.INFO: "0.5",
}
_BASELINE_STATE = {
    "new": "new",
    "changed": "updated",
    "unverified": "updated",
    "resolved": "absent",
    "unchanged": "unchanged",
}


def render_sarif(report: Report) -> bytes:
    """One SARIF run; results in the order of `report.json`."""
    findings = sorted(report.findings, key=sort_key)
    rules = {finding.check: _rule(finding) for finding in findings}
    numbers = {check: number for number, check in enumerate(sorted(rules))}
    taxonomies = [each for each in frameworks() if any(each.id in controls_of(check) for check in numbers)]
    for check, rule in rules.items():
        if related := _relationships(check, taxonomies):
            rule["relationships"] = related
    document = {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": legible(report.tool.name),
                        "version": legible(report.tool.version),
                        "rules": [rules[check] for check in numbers],
                        "supportedTaxonomies": [
                            {"name": each.name["en"], "index": number} for number, each in enumerate(taxonomies)
                        ],
                    }
                },
                "taxonomies": [_taxonomy(each) for each in taxonomies],
                "automationDetails": {
                    "id": f"auditor/{legible(report.run.cloud)}/{legible(report.run.id)}",
                },
                "invocations": [_invocation(report)],
                "columnKind": "utf16CodeUnits",
                "results": [_result(finding, numbers) for finding in findings if finding.outcome in LISTED],
                "properties": {"outcomes": report.summary.outcomes, "drift": report.summary.drift},
            }
        ],
    }
    return (json.dumps(document, ensure_ascii=False, indent=2) + "\n").encode()


def _rule(finding: Finding) -> dict[str, Any]:
    source = f"{finding.source.document}, {finding.source.section}".strip(", ")
    rule: dict[str, Any] = {
        "id": legible(finding.check),
        "name": "".join(word.capitalize() for word in legible(finding.check).split("-")),
        "shortDescription": {"text": legible(finding.title)},
        "fullDescription": {"text": legible(finding.title)},
        "help": {"text": legible(f"{finding.title}. Required by: {source}")},
        "defaultConfiguration": {"level": _LEVEL[finding.severity]},
        "properties": {
            "security-severity": _SECURITY_SEVERITY[finding.severity],
            "tags": ["security", "azure", "azure-machine-learning"],
        },
    }
    if link := web_link(finding.source.url):
        rule["helpUri"] = urllib.parse.quote(link, safe=":/?#[]@!$&'()*+,;=%~")
    return rule


def _taxonomy(framework: Framework) -> dict[str, Any]:
    """SARIF 3.19.3: a framework as a tool component whose taxa are its controls."""
    return {
        "name": framework.name["en"],
        "version": framework.version,
        "organization": framework.organization,
        "informationUri": framework.url,
        "shortDescription": {"text": f"{framework.name['en']} {framework.version}, as far as checks speak of it"},
        "isComprehensive": False,
        "taxa": [
            {"id": control, "shortDescription": {"text": framework.title(control)}} for control in framework.controls
        ],
    }


def _relationships(check: str, taxonomies: list[Framework]) -> list[dict[str, Any]]:
    """What a rule gives evidence for; `relevant`, since a passing check does not fulfil a control."""
    mapped = controls_of(check)
    return [
        {
            "target": {
                "id": control,
                "index": list(framework.controls).index(control),
                "toolComponent": {"name": framework.name["en"], "index": number},
            },
            "kinds": ["relevant"],
        }
        for number, framework in enumerate(taxonomies)
        for control in mapped.get(framework.id, ())
    ]


def _result(finding: Finding, numbers: dict[str, int]) -> dict[str, Any]:
    kind, level = _kind_and_level(finding)
    result: dict[str, Any] = {
        "ruleId": legible(finding.check),
        "ruleIndex": numbers[finding.check],
        "kind": kind,
        "level": level,
        "message": {"text": legible(_message(finding))},
        "locations": [_location(finding)],
        "partialFingerprints": {"auditorFinding/v1": legible(finding.id)},
        "properties": {
            "outcome": finding.outcome.value,
            "severity": finding.severity.value,
            "reason": legible(finding.reason),
            "confirmed": finding.confirmed,
        },
    }
    if finding.drift:
        result["baselineState"] = _BASELINE_STATE[finding.drift.state]
        result["properties"]["drift"] = finding.drift.state
    if finding.waiver:
        waiver = finding.waiver
        justification = f"{waiver.reason} (accepted by {waiver.owner}, until {waiver.expires})"
        result["suppressions"] = [{"kind": "external", "status": "accepted", "justification": legible(justification)}]
    return result


def _kind_and_level(finding: Finding) -> tuple[str, str]:
    """SARIF 3.27.9: `open` is "insufficient information to decide"; a level only goes with kind `fail`."""
    if finding.outcome is Outcome.UNKNOWN:
        return "open", "none"
    if finding.outcome is Outcome.WARN:
        return "fail", "note" if _LEVEL[finding.severity] == "note" else "warning"
    return "fail", _LEVEL[finding.severity]


def _message(finding: Finding) -> str:
    return " ".join(_sentences(finding))


def _sentences(finding: Finding) -> Iterable[str]:
    yield f"{finding.resource.name}: {finding.message}."
    if finding.remediation.summary:
        yield finding.remediation.summary
    for command in finding.remediation.commands:
        yield f"Command: {command_line(command.argv)}"


def _location(finding: Finding) -> dict[str, Any]:
    resource = finding.resource
    return {
        # Code-scanning pages want a file and a line; the resource id is what a reader looks for.
        "physicalLocation": {
            "artifactLocation": {"uri": urllib.parse.quote(legible(resource.id).lstrip("/"), safe="/") or "tenant"},
            "region": {"startLine": 1},
        },
        "logicalLocations": [
            {
                "name": legible(resource.name),
                "fullyQualifiedName": legible(resource.id),
                "kind": "resource",
            }
        ],
    }


def _invocation(report: Report) -> dict[str, Any]:
    return {
        "executionSuccessful": report.run.complete,
        "startTimeUtc": legible(report.run.started_at),
        "endTimeUtc": legible(report.run.finished_at),
        "toolExecutionNotifications": [
            {
                "level": "error" if gap.required else "warning",
                "message": {"text": legible(f"{gap.what} of {gap.scope} could not be read: {gap.reason}. {gap.hint}")},
            }
            for gap in report.run.gaps
        ],
    }
