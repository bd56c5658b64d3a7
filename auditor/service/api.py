"""The HTTP API, version 1, below `/api/v1`; with health and metrics, which machines ask as well."""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
import re
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

import msgspec
from litestar import Request, Response, Router, get, post
from litestar.connection import ASGIConnection
from litestar.di import Dependency
from litestar.exceptions import HTTPException
from litestar.handlers.base import BaseRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import (
    FromPath,
    FromQuery,
    HeaderParameter,
    JSONBody,
    PathParameter,
    QueryParameter,
    SkipValidationMarker,
)
from litestar.response import ServerSentEvent
from litestar.response.sse import ServerSentEventMessage

from auditor.errors import UsageProblem
from auditor.findings import DriftState
from auditor.history import HistoryProblem
from auditor.i18n import Language
from auditor.report.legible import filled
from auditor.service import audit_log, jobs
from auditor.service.archive import FINDING_ID, RUN_ID, NotThere, Wanted
from auditor.service.desk import Closing
from auditor.service.gate import KEY, Visit
from auditor.service.house import House
from auditor.service.jobs import Job
from auditor.service.metrics import MEDIA_TYPE as METRICS_TYPE
from auditor.service.metrics import exposition
from auditor.service.problem import MEDIA_TYPE, Problem, Trouble, body, problem
from auditor.service.records import (
    DriftShown,
    Explanation,
    Findings,
    RunDetail,
    Runs,
    RunShown,
    ScanAsked,
    Scans,
    ScanShown,
    Step,
    shown,
)
from auditor.service.roles import Role
from auditor.values import Outcome, Severity

PREFIX = "/api/v1"
JOB_ID = r"^[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}$"
_log = logging.getLogger(__name__)
_CURSOR = re.compile(r"([0-9]{8}T[0-9]{6}Z-[0-9a-f]{6}):([0-9]{1,9})")
_TICK_S = 15.0
"""A silent stream says so often that it is alive; proxies cut those that do not."""

Heard = Request[Any, Any, Any]
TheHouse = Annotated[House, Dependency(), SkipValidationMarker()]
JobId = Annotated[str, PathParameter(pattern=JOB_ID, description="A scan's id.")]
RunId = Annotated[str, PathParameter(pattern=RUN_ID, description="A run's id.")]
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


def _problems(*statuses: int) -> dict[int, ResponseSpec]:
    """The problems of a path, for its description; those that any path may answer are added."""
    every = {400, 401, 403, 503, *statuses}
    return {
        status: ResponseSpec(Problem, description="What is wrong.", media_type=MEDIA_TYPE, generate_examples=False)
        for status in sorted(every)
    }


def visit_of(connection: ASGIConnection[Any, Any, Any, Any]) -> Visit:
    """What the gate knows of this request."""
    visit = connection.scope[KEY]  # type: ignore[literal-required]
    assert isinstance(visit, Visit)
    return visit


def _needs(role: Role, connection: ASGIConnection[Any, Any, Any, Any]) -> None:
    caller = visit_of(connection).caller
    if caller is None or not caller.may(role):
        raise Trouble(403, "role", f"this needs the role {role}")


def may_read(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """Guard: who reads holds Auditor.Read (or Auditor.Run)."""
    _needs(Role.READ, connection)


def may_run(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """Guard: who asks for scans, cancels or pins holds Auditor.Run."""
    _needs(Role.RUN, connection)


def caller_name(request: Heard) -> str:
    """Who asks, as records and logs call them."""
    caller = visit_of(request).caller
    return "-" if caller is None else caller.name


def log_deed(request: Heard, action: str, **what: str) -> None:
    """Write down who did what."""
    audit_log.note(action, by=caller_name(request), address=visit_of(request).address, status=None, **what)


# ---------------------------------------------------------------- scans


def ask_for(house: House, request: Heard, asked: ScanAsked, key: str | None) -> jobs.Asked:
    """Ask the desk for a scan; whatever keeps it from being taken is a problem that says so."""
    try:
        wanted = house.request_for(asked)
    except (UsageProblem, ValueError) as wrong:
        raise Trouble(400, "scan", str(wrong)) from None
    try:
        found = house.desk.ask(wanted, caller_name(request), key)
    except jobs.QueueFull:
        raise Trouble(503, "queue-full", "as many scans wait as may", {"Retry-After": "60"}) from None
    except jobs.KeyReused:
        raise Trouble(422, "idempotency-key", "this Idempotency-Key came with another request before") from None
    except Closing:
        raise Trouble(503, "closing", "the service is being stopped", {"Retry-After": "30"}) from None
    log_deed(request, "scan.ask", job=found.job.id, how=found.how)
    return found


@post(
    "/scans",
    status_code=202,
    guards=[may_run],
    responses=_problems(413, 422),
    summary="Ask for a scan",
)
async def ask_scan(  # two handlers of one path must be coroutines: litestar 2.25 registers them twice
    request: Heard,
    house: TheHouse,
    data: JSONBody[ScanAsked],
    idempotency_key: Annotated[
        str | None,
        HeaderParameter(
            name="Idempotency-Key",
            pattern=r"^[!-~]{1,200}$",
            required=False,
            description="The same key and request within 24 hours give the same scan.",
        ),
    ] = None,
) -> Response[ScanShown]:
    """Queue a scan. If the same scopes and checks are queued or running already, that scan is the answer."""
    asked = await asyncio.to_thread(ask_for, house, request, data, idempotency_key)
    where = f"{PREFIX}/scans/{asked.job.id}"
    return Response(shown(asked.job, asked.how), headers={"Location": where}, status_code=202)


@get("/scans", responses=_problems(), summary="The newest scans that were asked for")
async def list_scans(house: TheHouse, limit: Annotated[int, QueryParameter(ge=1, le=200)] = 50) -> Scans:
    """List scans, newest first."""
    found = await asyncio.to_thread(jobs.newest, house.engine, limit)
    return Scans(items=tuple(shown(job) for job in found))


@get("/scans/{job_id:str}", sync_to_thread=True, responses=_problems(404), summary="One scan")
def one_scan(house: TheHouse, job_id: JobId) -> ScanShown:
    """Show what has become of a scan."""
    return shown(job_called(house, job_id))


@post(
    "/scans/{job_id:str}/cancel",
    status_code=202,
    guards=[may_run],
    sync_to_thread=True,
    responses=_problems(404, 409),
    summary="Give a scan up",
)
def cancel_scan(request: Heard, house: TheHouse, job_id: JobId) -> ScanShown:
    """Cancel a scan: at once if it waits, between two requests to Azure if it runs."""
    job_called(house, job_id)
    job = house.desk.cancel(job_id)
    if job is None:
        raise Trouble(409, "finished", "the scan is finished, or another instance has it")
    log_deed(request, "scan.cancel", job=job_id)
    return shown(job)


@get(
    "/scans/{job_id:str}/events",
    responses={
        **_problems(404),
        200: ResponseSpec(str, description="Events.", media_type="text/event-stream", generate_examples=False),
    },
    summary="How far a scan is, as it goes on",
)
async def scan_events(
    house: TheHouse,
    job_id: JobId,
    last_event_id: Annotated[
        str | None, HeaderParameter(name="Last-Event-ID", pattern=r"^[0-9]{1,9}$", required=False)
    ] = None,
) -> ServerSentEvent:
    """Server-sent events: `state` (a scan, as JSON) first and last, `progress` (stage, done, total) between them."""
    job = await asyncio.to_thread(job_called, house, job_id)
    return ServerSentEvent(_events(house, job, int(last_event_id or 0)))


async def _events(house: House, job: Job, version: int) -> AsyncIterator[ServerSentEventMessage]:
    loop, woken = asyncio.get_running_loop(), asyncio.Event()

    def wake() -> None:
        loop.call_soon_threadsafe(woken.set)

    yield _state(job)
    live = house.desk.live(job.id)
    if live is not None:
        with live.lock:
            live.listeners.add(wake)
        try:
            while not live.finished.is_set():
                woken.clear()
                for changed, stage, done, total in live.since(version):
                    version = max(version, changed)
                    told = {"stage": stage, "done": done, "total": total}
                    yield ServerSentEventMessage(
                        event="progress", id=str(changed), data=msgspec.json.encode(told).decode()
                    )
                if live.finished.is_set():
                    break
                try:
                    await asyncio.wait_for(woken.wait(), _TICK_S)
                except TimeoutError:
                    yield ServerSentEventMessage(comment="still here")
        finally:
            with live.lock:
                live.listeners.discard(wake)
    ended = await asyncio.to_thread(jobs.job_with_id, house.engine, job.id)
    if ended is not None and not job.finished:
        yield _state(ended)


def _state(job: Job) -> ServerSentEventMessage:
    return ServerSentEventMessage(event="state", data=msgspec.json.encode(shown(job)).decode())


def job_called(house: House, job_id: str) -> Job:
    """The scan with this id, or 404."""
    job = jobs.job_with_id(house.engine, job_id)
    if job is None:
        raise Trouble(404, "no-such-scan")
    return job


# ---------------------------------------------------------------- runs


@get("/runs", sync_to_thread=True, responses=_problems(), summary="Runs in the history")
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


@get("/runs/{run_id:str}", sync_to_thread=True, responses=_problems(404), summary="One run, without its findings")
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
    responses=_problems(404),
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
    responses=_problems(404),
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
        **_problems(404),
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
    responses=_problems(404),
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


# ---------------------------------------------------------------- findings


@get("/findings", sync_to_thread=True, responses=_problems(404), summary="Findings of a run, filtered")
def list_findings(
    house: TheHouse,
    run: Annotated[
        str | None, QueryParameter(pattern=RUN_ID, required=False, description="Without it, the newest run.")
    ] = None,
    outcome: FromQuery[list[Outcome] | None] = None,
    severity: FromQuery[list[Severity] | None] = None,
    drift: FromQuery[list[DriftState] | None] = None,
    check: Annotated[str | None, QueryParameter(pattern=r"^[a-z0-9*?-]{1,100}$", required=False)] = None,
    resource: Annotated[str | None, QueryParameter(min_length=1, max_length=500, required=False)] = None,
    subscription: Annotated[str | None, QueryParameter(pattern=r"^[0-9A-Fa-f-]{36}$", required=False)] = None,
    waived: FromQuery[bool | None] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=500)] = 100,
    cursor: Annotated[str | None, QueryParameter(pattern=r"^[A-Za-z0-9_=-]{1,200}$", required=False)] = None,
) -> Findings:
    """List findings in the order of the report. A cursor goes on in the run it began in."""
    run_id, offset = (run or _newest(house), 0) if cursor is None else _read_cursor(cursor)
    wanted = Wanted(
        outcomes=outcome or (),
        severities=severity or (),
        drift=drift or (),
        check=check,
        resource=resource,
        subscription=subscription,
        waived=waived,
    )
    found = house.archive.findings(run_id, wanted)
    page = tuple(found[offset : offset + limit])
    after = offset + len(page)
    following = _cursor(run_id, after) if after < len(found) else None
    return Findings(run_id=run_id, total=len(found), items=page, next=following)


@get(
    "/findings/{finding_id:str}/explanation",
    sync_to_thread=True,
    responses=_problems(404),
    summary="How a verdict was reached",
)
def explain_finding(
    house: TheHouse,
    finding_id: Annotated[str, PathParameter(pattern=FINDING_ID, description="A finding's id.")],
    run: Annotated[
        str | None, QueryParameter(pattern=RUN_ID, required=False, description="Without it, the newest that has it.")
    ] = None,
) -> Explanation:
    """Explain a finding by the steps that its run recorded."""
    run_id, finding = house.archive.finding(finding_id, run)
    return Explanation(
        run_id=run_id,
        finding=finding.id,
        check=finding.check,
        outcome=finding.outcome.value,
        reason=finding.reason,
        message=finding.message,
        steps=tuple(
            Step(kind=each.kind, text=filled(each.text, each.facts), facts=each.facts) for each in finding.trace
        ),
        evidence=finding.evidence,
        source=finding.source,
    )


def _newest(house: House) -> str:
    row = house.archive.newest()
    if row is None:
        raise NotThere
    return row.id


def _cursor(run_id: str, offset: int) -> str:
    return base64.urlsafe_b64encode(f"{run_id}:{offset}".encode()).decode()


def _read_cursor(cursor: str) -> tuple[str, int]:
    try:
        found = _CURSOR.fullmatch(base64.urlsafe_b64decode(cursor.encode()).decode("ascii"))
    except (binascii.Error, UnicodeDecodeError, ValueError):
        found = None
    if found is None:
        raise Trouble(400, "cursor", "the cursor is none of ours; begin anew")
    return found[1], int(found[2])


# ---------------------------------------------------------------- machines


@get("/livez", sync_to_thread=False, media_type="text/plain", include_in_schema=False)
def livez() -> str:
    """The process answers."""
    return "ok\n"


@get("/readyz", sync_to_thread=True, media_type="text/plain", include_in_schema=False)
def readyz(house: TheHouse) -> Response[str]:
    """The database answers."""
    try:
        house.archive.newest()
    except HistoryProblem:
        return Response("the history cannot be read\n", status_code=503, media_type="text/plain")
    return Response("ok\n", media_type="text/plain")


@get("/metrics", guards=[may_read], sync_to_thread=True, include_in_schema=False)
def metrics(house: TheHouse) -> Response[bytes]:
    """Prometheus text."""
    queued, running = house.desk.counts()
    row = house.archive.newest()
    newest = None if row is None else house.archive.report(row.id)
    content = exposition(house.meters, house.tally, queued=queued, running=running, leads=house.leads(), newest=newest)
    return Response(content, media_type=METRICS_TYPE)


# ---------------------------------------------------------------- problems


def on_trouble(_: Heard, trouble: Trouble) -> Response[bytes]:
    """A problem of our own."""
    found = trouble.problem
    return Response(body(found), status_code=found.status, media_type=MEDIA_TYPE, headers=trouble.headers)


def on_http(_: Heard, wrong: HTTPException) -> Response[bytes]:
    """The framework's: an unknown path, a parameter or body that does not fit."""
    slugs = {400: "parameters", 404: "no-such-path", 405: "method", 413: "body-too-large", 415: "media-type"}
    extra = wrong.extra if isinstance(wrong.extra, list) else []
    details = [f"{each.get('key', '')}: {each.get('message', '')}" for each in extra if isinstance(each, dict)]
    said = "; ".join(details) or (wrong.detail if wrong.status_code < 500 else "")
    found = problem(wrong.status_code, slugs.get(wrong.status_code, "request"), said[:1000])
    return Response(body(found), status_code=found.status, media_type=MEDIA_TYPE, headers=wrong.headers or {})


def on_not_there(_: Heard, __: NotThere) -> Response[bytes]:
    """No such run or finding."""
    found = problem(404, "not-in-the-history", "there is no such run or finding")
    return Response(body(found), status_code=404, media_type=MEDIA_TYPE)


def on_history(_: Heard, wrong: HistoryProblem) -> Response[bytes]:
    """The database is gone, or busy."""
    found = problem(503, "history", "the history cannot be read or written now")
    return Response(body(found), status_code=503, media_type=MEDIA_TYPE, headers={"Retry-After": "10"})


def on_defect(_: Heard, defect: Exception) -> Response[bytes]:
    """A defect of this program: the log says more than the answer."""
    _log.error("a request ended in a defect", exc_info=defect)
    found = problem(500, "defect", "a defect of this program; its log says more")
    return Response(body(found), status_code=500, media_type=MEDIA_TYPE)


EXCEPTIONS: dict[Any, Any] = {
    Exception: on_defect,
    Trouble: on_trouble,
    HTTPException: on_http,
    NotThere: on_not_there,
    HistoryProblem: on_history,
}

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
