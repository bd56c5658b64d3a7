"""Findings as rows of the table that the dashboards read: OCSF Compliance Findings, a column each of its attributes.

The Logs Ingestion API takes a JSON array of at most 1 MB a request, compressed and uncompressed, and cuts a value above
64 KB, which would leave a dynamic one unreadable: so values are made to fit here, and say so.
Source: "Azure Monitor service limits", Logs Ingestion API, read in November 2026.
"""

from __future__ import annotations

import base64
import gzip
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

import msgspec

from auditor.findings import Finding, Report, sort_key
from auditor.notify.message import Message, message_id, news
from auditor.report.as_ocsf import ocsf_event

MOST_BYTES = 1_000_000
"""Of a request's body, before and after compression."""
MOST_VALUE_BYTES = 60_000
"""Of one column's value as JSON."""
COLUMNS = {
    "TimeGenerated": "datetime",
    "activity_name": "string",
    "severity": "string",
    "severity_id": "int",
    "status": "string",
    "message": "string",
    "time": "long",
    "class_uid": "int",
    "metadata": "dynamic",
    "cloud": "dynamic",
    "finding_info": "dynamic",
    "compliance": "dynamic",
    "resources": "dynamic",
    "remediation": "dynamic",
    "unmapped": "dynamic",
}
"""The table's columns and their types; `deploy/dashboards/table.json` and the Bicep file hold the same."""
_CUTS = ((8_000, 200), (2_000, 50), (500, 10), (100, 3), (20, 1))
"""How long texts (characters) and lists may be, tried one after the other until a value fits."""


def row_parcels(report: Report, *, everything: bool) -> Iterator[tuple[str, str]]:
    """(id, content) of each request that tells a run: its news, or all its findings. Content is gzip in Base64."""
    found = sorted(report.findings, key=sort_key) if everything else news(report)
    pieces = list(_pieces(row(each, report) for each in found))
    for number, rows in enumerate(pieces, start=1):
        yield f"{message_id(report)}{f'.{number}' if len(pieces) > 1 else ''}", packed(rows)


def row(finding: Finding, report: Report) -> dict[str, Any]:
    """One finding as the table holds it. `metadata.uid` is the same whenever the same row is sent again."""
    event = ocsf_event(finding, report)
    event["TimeGenerated"] = report.run.finished_at
    event["metadata"] = event["metadata"] | {"uid": f"{report.run.id}/{finding.id}"}
    event["unmapped"] = event["unmapped"] | {"run_complete": report.run.complete}
    return {name: _fitting(event[name]) for name in COLUMNS if name in event}


def trial_row(message: Message) -> dict[str, Any]:
    """A row about nothing: not applicable, of a check and a finding called `auditor-test`."""
    return {
        "TimeGenerated": message.at,
        "activity_name": "Update",
        "severity": "Informational",
        "severity_id": 1,
        "status": "Resolved",
        "message": message.title,
        "time": int(datetime.fromisoformat(message.at).timestamp() * 1000),
        "class_uid": 2003,
        "metadata": {"correlation_uid": message.run_id, "event_code": "auditor-test", "uid": message.id},
        "finding_info": {"uid": "auditor-test", "title": message.title},
        "compliance": {"control": "auditor-test"},
        "unmapped": {"outcome": "not-applicable", "run_complete": True},
    }


def packed(rows: Iterable[bytes]) -> str:
    """Rows as one request's body, as the outbox keeps it: the same rows give the same text."""
    body = b"[" + b",".join(rows) + b"]"
    return base64.b64encode(gzip.compress(body, compresslevel=6, mtime=0)).decode()


def unpacked(content: str) -> bytes:
    """The body to send, compressed by gzip."""
    return base64.b64decode(content, validate=True)


def halves(content: str) -> tuple[str, str] | None:
    """A body that was too large, as two; None if it holds but one row."""
    rows = msgspec.json.decode(gzip.decompress(unpacked(content)), type=list[msgspec.Raw])
    if len(rows) < 2:
        return None
    middle = len(rows) // 2
    return packed(bytes(each) for each in rows[:middle]), packed(bytes(each) for each in rows[middle:])


def _pieces(rows: Iterable[dict[str, Any]]) -> Iterator[list[bytes]]:
    """Rows in their order, together as far as one request may hold them."""
    piece: list[bytes] = []
    size = 2
    for each in rows:
        told = msgspec.json.encode(each)
        if piece and size + len(told) + 1 > MOST_BYTES:
            yield piece
            piece, size = [], 2
        piece.append(told)
        size += len(told) + 1
    if piece:
        yield piece


def _fitting(value: Any) -> Any:
    """The value, its long texts and lists cut until Azure Monitor will not cut it anywhere."""
    fitting = value
    for text_most, list_most in _CUTS:
        if len(msgspec.json.encode(fitting)) <= MOST_VALUE_BYTES:
            return fitting
        fitting = _cut(value, text_most, list_most)
        if isinstance(fitting, dict):
            fitting["shortened"] = True
    return fitting


def _cut(value: Any, text_most: int, list_most: int) -> Any:
    match value:
        case str() if len(value) > text_most:
            return value[:text_most] + "…"
        case list():
            return [_cut(each, text_most, list_most) for each in value[:list_most]]
        case dict():
            return {key: _cut(each, text_most, list_most) for key, each in value.items()}
        case _:
            return value
