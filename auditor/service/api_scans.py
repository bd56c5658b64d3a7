"""Scans over HTTP: asking for one, following it, giving it up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

import msgspec
from litestar import Response, get, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import (
    HeaderParameter,
    JSONBody,
    QueryParameter,
)
from litestar.response import ServerSentEvent
from litestar.response.sse import ServerSentEventMessage

from auditor.errors import UsageProblem
from auditor.service import jobs
from auditor.service.answering import (
    PREFIX,
    Heard,
    JobId,
    TheHouse,
    caller_name,
    log_deed,
    may_run,
    problems,
)
from auditor.service.desk import Closing
from auditor.service.house import House
from auditor.service.jobs import Job
from auditor.service.problem import Trouble
from auditor.service.records import (
    ScanAsked,
    Scans,
    ScanShown,
    shown,
)

_LOOK_S = 1.0
"""So often the database is asked how a scan of another instance goes."""
_TICK_S = 15.0
"""A silent stream says so often that it is alive; proxies cut those that do not."""


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
    responses=problems(413, 422),
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


@get("/scans", responses=problems(), summary="The newest scans that were asked for")
async def list_scans(house: TheHouse, limit: Annotated[int, QueryParameter(ge=1, le=200)] = 50) -> Scans:
    """List scans, newest first."""
    found = await asyncio.to_thread(jobs.newest, house.engine, limit)
    return Scans(items=tuple(shown(job) for job in found))


@get("/scans/{job_id:str}", sync_to_thread=True, responses=problems(404), summary="One scan")
def one_scan(house: TheHouse, job_id: JobId) -> ScanShown:
    """Show what has become of a scan."""
    return shown(job_called(house, job_id))


@post(
    "/scans/{job_id:str}/cancel",
    status_code=202,
    guards=[may_run],
    sync_to_thread=True,
    responses=problems(404, 409),
    summary="Give a scan up",
)
def cancel_scan(request: Heard, house: TheHouse, job_id: JobId) -> ScanShown:
    """Cancel a scan: at once if it waits, between two requests to Azure if it runs."""
    job_called(house, job_id)
    job = house.desk.cancel(job_id)
    if job is None:
        raise Trouble(409, "finished", "the scan is finished")
    log_deed(request, "scan.cancel", job=job_id)
    return shown(job)


@get(
    "/scans/{job_id:str}/events",
    responses={
        **problems(404),
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
    seen = job
    while not seen.finished:
        now = await asyncio.to_thread(jobs.job_with_id, house.engine, job.id)
        if now is None:
            return
        if now.state != seen.state or live is not None:
            yield _state(now)
        if now.finished or live is not None:
            return
        # Another instance has it, which alone knows how far it is.
        seen = now
        yield ServerSentEventMessage(comment="elsewhere")
        await asyncio.sleep(_LOOK_S)


def _state(job: Job) -> ServerSentEventMessage:
    return ServerSentEventMessage(event="state", data=msgspec.json.encode(shown(job)).decode())


def job_called(house: House, job_id: str) -> Job:
    """The scan with this id, or 404."""
    job = jobs.job_with_id(house.engine, job_id)
    if job is None:
        raise Trouble(404, "no-such-scan")
    return job
