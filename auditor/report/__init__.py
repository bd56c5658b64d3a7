"""What a run looks like to people and to other tools: one renderer a format over `auditor.findings.Report`.

`prepare` proves before a scan that its reports can be written; `write` writes them, each whole or not at all.
"""

from __future__ import annotations

from auditor.report.as_csv import render_csv
from auditor.report.as_json import parse_report, read_report, render_json
from auditor.report.as_junit import render_junit
from auditor.report.as_markdown import render_markdown
from auditor.report.as_ocsf import render_ocsf
from auditor.report.as_prometheus import render_prometheus
from auditor.report.as_sarif import render_sarif
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
    "render_csv",
    "render_html",
    "render_json",
    "render_junit",
    "render_markdown",
    "render_ocsf",
    "render_prometheus",
    "render_sarif",
    "write",
]
