"""`report.csv`: one row a finding, for spreadsheets; no cell can become a formula."""

from __future__ import annotations

import csv
import io

from auditor.findings import Finding, Report, sort_key
from auditor.report.frameworks import labels
from auditor.report.legible import command_line, one_line

COLUMNS = (
    "id",
    "check",
    "title",
    "severity",
    "outcome",
    "reason",
    "message",
    "resource",
    "type",
    "name",
    "location",
    "subscription",
    "resource_group",
    "part",
    "drift",
    "since",
    "confirmed",
    "waiver_owner",
    "waiver_reason",
    "waiver_expires",
    "remediation",
    "commands",
    "document",
    "section",
    "url",
    "controls",
)
# What makes a cell a formula in Excel, LibreOffice or Google Sheets (OWASP, CSV injection), full-width forms included.
_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r", "|", "%")
BOM = b"\xef\xbb\xbf"  # without it Excel reads UTF-8 as the system's code page


def render_csv(report: Report, *, bom: bool = False) -> bytes:
    """RFC 4180: every cell quoted, CRLF; findings in the order of `report.json`."""
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for finding in sorted(report.findings, key=sort_key):
        writer.writerow([cell(value) for value in _row(finding)])
    return (BOM if bom else b"") + text.getvalue().encode()


def cell(text: str) -> str:
    """A cell that stays text: one line, legible, with an apostrophe before what would start a formula."""
    line = one_line(text)
    return f"'{line}" if line.startswith(_FORMULA) else line


def _row(finding: Finding) -> tuple[str, ...]:
    resource, drift, waiver = finding.resource, finding.drift, finding.waiver
    return (
        finding.id,
        finding.check,
        finding.title,
        finding.severity.value,
        finding.outcome.value,
        finding.reason,
        finding.message,
        resource.id,
        resource.type,
        resource.name,
        resource.location or "",
        resource.subscription_id or "",
        resource.resource_group or "",
        finding.part or "",
        drift.state if drift else "",
        (drift.since or "") if drift else "",
        "" if finding.confirmed is None else str(finding.confirmed).lower(),
        waiver.owner if waiver else "",
        waiver.reason if waiver else "",
        waiver.expires if waiver else "",
        finding.remediation.summary,
        " ; ".join(command_line(command.argv) for command in finding.remediation.commands),
        finding.source.document,
        finding.source.section,
        finding.source.url,
        "; ".join(labels(finding.check)),
    )
