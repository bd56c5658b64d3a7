"""The HTTP API, version 1, below `/api/v1`."""

from __future__ import annotations

from litestar import Router

from auditor.service.answering import PREFIX, may_read
from auditor.service.api_findings import explain_finding, list_findings
from auditor.service.api_runs import drift_between, list_runs, one_report, one_run, pin_run, unpin_run
from auditor.service.api_scans import ask_scan, cancel_scan, list_scans, one_scan, scan_events

API = Router(
    PREFIX,
    route_handlers=[
        ask_scan,
        list_scans,
        one_scan,
        cancel_scan,
        scan_events,
        list_runs,
        one_run,
        pin_run,
        unpin_run,
        one_report,
        drift_between,
        list_findings,
        explain_finding,
    ],
    guards=[may_read],
)
