"""The dashboard's paths: pages, their files, and the forms on them."""

from __future__ import annotations

import asyncio
import functools
from typing import Annotated, Any

from litestar import Response, get, post
from litestar.params import FromPath, FromQuery, QueryParameter, URLEncodedBody

from auditor import resources
from auditor.i18n import Language
from auditor.service import audit_log, sessions
from auditor.service.access import cookie_name, cookie_of
from auditor.service.answering import Heard, JobId, RunId, TheHouse, log_deed, may_read, may_run, visit_of
from auditor.service.api_runs import report_response
from auditor.service.api_scans import ask_for, job_called
from auditor.service.archive import RUN_ID
from auditor.service.dashboard import Reader, dashboard, language_of, page
from auditor.service.house import House
from auditor.service.problem import Trouble
from auditor.service.records import ScanAsked

LANGUAGE_COOKIE = "auditor-lang"
FILES = {
    "report.css": "text/css",
    "dashboard.css": "text/css",
    "dashboard.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
"""All that lies behind `/static/`: a table, not a folder, so no path leads out of it."""

Form = URLEncodedBody[dict[str, str]]


def _reader(request: Heard, lang: str | None) -> Reader:
    remembered = cookie_of(request.headers.get("cookie", ""), LANGUAGE_COOKIE)
    return Reader(visit_of(request).caller, language_of(lang, remembered, request.headers.get("accept-language", "")))


def _html(request: Heard, text: str, lang: str | None, status: int = 200) -> Response[str]:
    answer: Response[str] = Response(text, media_type="text/html", status_code=status)
    if lang in set(Language):
        answer.set_cookie(
            LANGUAGE_COOKIE, str(lang), samesite="strict", secure=visit_of(request).secure, max_age=31_536_000
        )
    return answer


def _own_page(request: Heard, form: dict[str, str]) -> None:
    """Refuse a form that none of our pages made for this caller."""
    caller = visit_of(request).caller
    if caller is None or not caller.wrote(form.get("key", "")):
        raise Trouble(403, "page-key", "the page is out of date: load it anew")


def _to(path: str) -> Response[None]:
    return Response(None, status_code=303, headers={"Location": path})


@get("/", guards=[may_read], sync_to_thread=True, include_in_schema=False)
def first_page(
    request: Heard,
    house: TheHouse,
    lang: FromQuery[str | None] = None,
    run: Annotated[str | None, QueryParameter(pattern=RUN_ID, required=False)] = None,
) -> Response[str]:
    """The dashboard."""
    return _html(request, dashboard(house, _reader(request, lang), run), lang)


@get("/login", include_in_schema=False)
async def login_page(request: Heard, lang: FromQuery[str | None] = None) -> Response[str]:
    """Where an API token is typed in."""
    return _html(request, page("login.html.j2", _reader(request, lang), {"refused": False}), lang)


@post("/login", status_code=303, include_in_schema=False)
async def login(request: Heard, house: TheHouse, data: Form) -> Response[Any]:
    """Begin a session, if the token is good."""
    return await asyncio.to_thread(_signed_in, request, house, data)


def _signed_in(request: Heard, house: House, data: dict[str, str]) -> Response[Any]:
    visit = visit_of(request)
    token = house.door.token(data.get("token", "")[:200])
    if token is None:
        audit_log.note("sign-in.refuse", by="-", address=visit.address)
        reader = Reader(None, _reader(request, None).lang)
        return _html(request, page("login.html.j2", reader, {"refused": True}), None, 401)
    cookie = sessions.begin(house.engine, token, house.clock())
    audit_log.note("sign-in", by=f"token:{token.name}", address=visit.address)
    answer = _to("/")
    answer.set_cookie(
        cookie_name(secure=visit.secure),
        cookie,
        path="/",
        httponly=True,
        samesite="strict",
        secure=visit.secure,
        max_age=int(sessions.LIFETIME.total_seconds()),
    )
    return answer


@post("/logout", status_code=303, sync_to_thread=True, include_in_schema=False)
def logout(request: Heard, house: TheHouse, data: Form) -> Response[None]:
    """End the session."""
    _own_page(request, data)
    visit = visit_of(request)
    name = cookie_name(secure=visit.secure)
    cookie = cookie_of(request.headers.get("cookie", ""), name)
    if cookie is not None:
        sessions.end(house.engine, cookie)
    log_deed(request, "sign-out")
    answer = _to("/login")
    answer.set_cookie(name, "", path="/", httponly=True, samesite="strict", secure=visit.secure, max_age=0)
    return answer


@post("/scans", status_code=303, guards=[may_run], sync_to_thread=True, include_in_schema=False)
def scan_now(request: Heard, house: TheHouse, data: Form) -> Response[None]:
    """Ask for a scan of the service's own scopes."""
    _own_page(request, data)
    globs = [part.strip() for part in data.get("checks", "")[:500].split(",") if part.strip()]
    ask_for(house, request, ScanAsked(checks=globs), None)
    return _to("/")


@post("/scans/{job_id:str}/cancel", status_code=303, guards=[may_run], sync_to_thread=True, include_in_schema=False)
def cancel(request: Heard, house: TheHouse, job_id: JobId, data: Form) -> Response[None]:
    """Give a scan up; one that is finished stays as it is."""
    _own_page(request, data)
    job_called(house, job_id)
    house.desk.cancel(job_id)
    log_deed(request, "scan.cancel", job=job_id)
    return _to("/")


@post("/runs/{run_id:str}/pin", status_code=303, guards=[may_run], sync_to_thread=True, include_in_schema=False)
def pin(request: Heard, house: TheHouse, run_id: RunId, data: Form) -> Response[None]:
    """Pin a run."""
    _own_page(request, data)
    house.archive.change_pin(run_id, lambda history: history.pin)
    log_deed(request, "run.pin", run=run_id)
    return _to("/")


@post("/runs/{run_id:str}/unpin", status_code=303, guards=[may_run], sync_to_thread=True, include_in_schema=False)
def unpin(request: Heard, house: TheHouse, run_id: RunId, data: Form) -> Response[None]:
    """Unpin a run."""
    _own_page(request, data)
    house.archive.change_pin(run_id, lambda history: history.unpin)
    log_deed(request, "run.unpin", run=run_id)
    return _to("/")


@get("/runs/{run_id:str}/report", guards=[may_read], sync_to_thread=True, include_in_schema=False)
def report_page(house: TheHouse, run_id: RunId, lang: FromQuery[Language] = Language.ENGLISH) -> Response[bytes]:
    """A run's HTML report, in an origin of its own."""
    return report_response(house, run_id, "html", lang)


@functools.cache
def _file(name: str) -> bytes:
    return (resources.root("reports") / "templates" / name).read_bytes()


@get("/static/{name:str}", sync_to_thread=True, include_in_schema=False)
def static_file(name: FromPath[str]) -> Response[bytes]:
    """Styles and scripts."""
    if name not in FILES:
        raise Trouble(404, "no-such-path")
    return Response(_file(name), media_type=FILES[name], headers={"Cache-Control": "public, max-age=300"})


HANDLERS = (
    first_page,
    login_page,
    login,
    logout,
    scan_now,
    cancel,
    pin,
    unpin,
    report_page,
    static_file,
)
