"""What a run looks like to people and to other tools: one renderer a format over `auditor.findings.Report`.

`prepare` proves before a scan that its reports can be written; `write` writes them, each whole or not at all.
"""

from __future__ import annotations

from auditor.report.as_json import parse_report, read_report, render_json
from auditor.report.formats import FORMATS, Format, prepare, render_html, write
from auditor.report.trend import TrendPoint
from auditor.report.triage import GROUPINGS, GroupBy

__all__ = [
    "FORMATS",
    "GROUPINGS",
    "Format",
    "GroupBy",
    "TrendPoint",
    "parse_report",
    "prepare",
    "read_report",
    "render_html",
    "render_json",
    "write",
]
