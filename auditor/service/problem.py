"""What went wrong with a request, as `application/problem+json` (RFC 9457)."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

import msgspec

MEDIA_TYPE = "application/problem+json"


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One problem. `type` is a stable slug behind `urn:auditor:problem:`; `detail` says what to do about it."""

    type: str
    title: str
    status: int
    detail: str = ""


def problem(status: int, slug: str, detail: str = "") -> Problem:
    """A problem of an HTTP status; its title is the status's own phrase."""
    return Problem(type=f"urn:auditor:problem:{slug}", title=HTTPStatus(status).phrase, status=status, detail=detail)


class Trouble(Exception):
    """Ends a request with a problem. `headers` go with it (`Retry-After`)."""

    def __init__(self, status: int, slug: str, detail: str = "", headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail or slug)
        self.problem = problem(status, slug, detail)
        self.headers = dict(headers or {})


def body(found: Problem) -> bytes:
    """The problem's bytes."""
    return msgspec.json.encode(found)
