"""What the handlers of all paths share: who calls, what they may, what goes wrong and how it is said."""

from __future__ import annotations

import logging
from typing import Annotated, Any

from litestar import Request, Response
from litestar.connection import ASGIConnection
from litestar.di import Dependency
from litestar.exceptions import HTTPException
from litestar.handlers.base import BaseRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import (
    PathParameter,
    SkipValidationMarker,
)

from auditor.history import HistoryProblem
from auditor.service import audit_log
from auditor.service.archive import RUN_ID, NotThere
from auditor.service.gate import KEY, Visit
from auditor.service.house import House
from auditor.service.problem import MEDIA_TYPE, Problem, Trouble, body, problem
from auditor.service.roles import Role

PREFIX = "/api/v1"
JOB_ID = r"^[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}$"
_log = logging.getLogger(__name__)

Heard = Request[Any, Any, Any]
TheHouse = Annotated[House, Dependency(), SkipValidationMarker()]
JobId = Annotated[str, PathParameter(pattern=JOB_ID, description="A scan's id.")]
RunId = Annotated[str, PathParameter(pattern=RUN_ID, description="A run's id.")]


def problems(*statuses: int) -> dict[int, ResponseSpec]:
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
