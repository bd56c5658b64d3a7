"""Runs over HTTP: the history, reports in every format, pins, drift between two."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

import msgspec
from litestar import Response, get, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import (
    FromPath,
    FromQuery,
    QueryParameter,
)

from auditor.i18n import Language
from auditor.service.answering import (
    Heard,
    RunId,
    TheHouse,
    log_deed,
    may_run,
    problems,
)
from auditor.service.archive import RUN_ID, NotThere
from auditor.service.house import House
from auditor.service.metrics import MEDIA_TYPE as METRICS_TYPE
from auditor.service.problem import Trouble
from auditor.service.records import (
    DriftShown,
    RunDetail,
    Runs,
    RunShown,
)

FormatName = FromPath[Literal["html", "json", "csv", "sarif", "ocsf", "markdown", "junit", "prometheus"]]
MEDIA_TYPES: dict[str, str] = {
    "html": "text/html",
    "json": "application/json",
    "csv": "text/csv",
    "sarif": "application/sarif+json",
    "ocsf": "application/json",
    "markdown": "text/markdown",
    "junit": "application/xml",
    "prometheus": METRICS_TYPE,
}


@get("/runs", sync_to_thread=True, responses=problems(), summary="Runs in the history")
def list_runs(
    house: TheHouse,
    limit: Annotated[int, QueryParameter(ge=1, le=200)] = 50,
    cursor: Annotated[
        str | None, QueryParameter(pattern=RUN_ID, required=False, description="`next` of the page before.")
    ] = None,
) -> Runs:
    """List runs, newest first."""
    try:
        rows = house.archive.runs(limit + 1, cursor)
    except NotThere:
        raise Trouble(400, "cursor", "the cursor names no run; begin anew") from None
    items = tuple(msgspec.convert(row, RunShown, from_attributes=True) for row in rows[:limit])
    return Runs(items=items, next=items[-1].id if len(rows) > limit else None)


@get("/runs/{run_id:str}", sync_to_thread=True, responses=problems(404), summary="One run, without its findings")
def one_run(house: TheHouse, run_id: RunId) -> RunDetail:
    """Show a run: scopes, gaps, notes, counts."""
    report = house.archive.report(run_id)
    return RunDetail(
        pinned=house.archive.run(run_id).pinned,
        run=report.run,
        baseline=report.baseline,
        summary=report.summary,
        resources=report.resources,
    )


@post(
    "/runs/{run_id:str}/pin",
    status_code=200,
    guards=[may_run],
    sync_to_thread=True,
    responses=problems(404),
    summary="Accept a run as the baseline of its scopes",
)
def pin_run(request: Heard, house: TheHouse, run_id: RunId) -> RunShown:
    """Pin a run: later scans of its scopes are compared with it."""
    row = house.archive.change_pin(run_id, lambda history: history.pin)
    log_deed(request, "run.pin", run=run_id)
    return msgspec.convert(row, RunShown, from_attributes=True)


@post(
    "/runs/{run_id:str}/unpin",
    status_code=200,
    guards=[may_run],
    sync_to_thread=True,
    responses=problems(404),
    summary="Take the pin off a run",
)
def unpin_run(request: Heard, house: TheHouse, run_id: RunId) -> RunShown:
    """Unpin a run: later scans are compared with the newest complete run again."""
    row = house.archive.change_pin(run_id, lambda history: history.unpin)
    log_deed(request, "run.unpin", run=run_id)
    return msgspec.convert(row, RunShown, from_attributes=True)


@get(
    "/runs/{run_id:str}/reports/{format_name:str}",
    sync_to_thread=True,
    responses={
        **problems(404),
        200: ResponseSpec(bytes, description="The report.", media_type="*/*", generate_examples=False),
    },
    summary="A run's report in any format",
)
def one_report(
    request: Heard,
    house: TheHouse,
    run_id: RunId,
    format_name: FormatName,
    lang: FromQuery[Language] = Language.ENGLISH,
) -> Response[bytes]:
    """Render a run's report. HTML comes with a policy that lets it do nothing but show itself."""
    return report_response(house, run_id, format_name, lang)


def report_response(house: House, run_id: str, format_name: str, lang: Language) -> Response[bytes]:
    """A report as an answer of its own."""
    from auditor.report.formats import FORMATS, View

    report = house.archive.report(run_id)
    made = FORMATS[format_name]
    content = made.render(report, View(lang=lang.value, history_trend=trend_of(house, report.run.id)))
    headers = {"Content-Disposition": f'inline; filename="{run_id}-{made.file}"'}
    if format_name == "html":
        headers["Content-Security-Policy"] = _policy_of(content)
    return Response(content, media_type=MEDIA_TYPES[format_name], headers=headers)


def _policy_of(page: bytes) -> str:
    """The page's own policy (scripts and styles by their hashes), in an origin of its own, beyond our cookies."""
    found = re.search(rb'http-equiv="Content-Security-Policy" content="([^"]+)"', page)
    own = found[1].decode() if found else "default-src 'none'"
    return f"{own}; frame-ancestors 'none'; sandbox allow-scripts allow-downloads allow-popups"


def trend_of(house: House, run_id: str) -> list[Any]:
    """The runs of the same scopes before this one, as a report's chart takes them."""
    from auditor.report import TrendPoint

    row = house.archive.run(run_id)
    points = []
    for point in house.archive.history.trend(row.scopes, limit=60):
        if point.run_id == run_id:
            break
        drift = point.summary.drift or {}
        points.append(
            TrendPoint(
                started_at=point.started_at,
                failing=sum(point.summary.by_severity.values()),
                unknown=point.summary.outcomes.get("unknown", 0),
                drifted=drift.get("new", 0) + drift.get("changed", 0),
                complete=point.complete,
            )
        )
    return points


@get(
    "/runs/{old:str}/drift/{new:str}",
    sync_to_thread=True,
    responses=problems(404),
    summary="What drifted from one run to another",
)
def drift_between(house: TheHouse, old: RunId, new: RunId) -> DriftShown:
    """Compare two runs of the history, whatever their baselines were."""
    report = house.archive.drift(old, new)
    return DriftShown(
        old=old,
        new=new,
        counts=report.summary.drift,
        findings=tuple(each for each in report.findings if each.drift is not None and each.drift.state != "unchanged"),
        resources=report.resources,
    )
