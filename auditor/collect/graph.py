"""Reads Resource Graph: a query's pages over the SDK's client, proved whole, read again once, else a Failure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from auditor.collect.arm import twice
from auditor.collect.failures import Failure, describe
from auditor.collect.paging import Pages, decode
from auditor.collect.queries import Query
from auditor.collect.wire import REPEATABLE, WIRE_ERRORS, Wire

PAGE_ROWS = (1000, 250, 50)
"""Rows asked for in a page; fewer where the service says that a page would exceed its 16 MB."""
SUBSCRIPTIONS_PER_REQUEST = 250
"""Fewer than 300 are recommended."""
_CUT_HEADER = "x-ms-tenant-subscription-limit-hit"


@dataclass(frozen=True, slots=True)
class Reach:
    """What one query is asked over: subscriptions, or management groups, or (both empty) all that may be read."""

    subscriptions: tuple[str, ...] = ()
    management_groups: tuple[str, ...] = ()

    def parts(self) -> list[Reach]:
        """Reaches of at most as many subscriptions as one request should name."""
        step = SUBSCRIPTIONS_PER_REQUEST
        if len(self.subscriptions) <= step:
            return [self]
        return [Reach(self.subscriptions[at : at + step]) for at in range(0, len(self.subscriptions), step)]


EVERYTHING = Reach()


@dataclass(frozen=True, slots=True)
class Answer:
    """A query's rows, and whether Resource Graph cut its scope at its limit of subscriptions."""

    rows: list[dict[str, Any]]
    scope_cut: bool


def read(wire: Wire, query: Query, reach: Reach, stopped: Callable[[], None]) -> Answer:
    """All rows of a query; Failure if they could not be read, or not be proved whole in two readings."""
    try:
        return _read_once(wire, query, reach, stopped)
    except Failure as failure:
        if failure.reason not in ("paging", "bad-response", "connection-lost", "unauthorized"):
            raise
    return _read_once(wire, query, reach, stopped)


def peek(wire: Wire, query: Query, reach: Reach, stopped: Callable[[], None]) -> tuple[Answer, int]:
    """The rows of a query that fit one page, else none of them; and how many there are. One request either way."""
    if len(reach.parts()) > 1:
        answer = read(wire, query, reach, stopped)
        return answer, len(answer.rows)
    pages = Pages()
    stopped()
    body, cut = twice(lambda: _ask(wire, query, reach, PAGE_ROWS[0], None))
    page = decode(body)
    wire.governor.count_rows(operation_of(query), len(page.data))
    token = pages.add(page)
    if token and page.total <= PAGE_ROWS[0]:
        answer = read(wire, query, reach, stopped)
        return answer, len(answer.rows)
    return Answer([] if token else pages.rows, cut), page.total


def _read_once(wire: Wire, query: Query, reach: Reach, stopped: Callable[[], None]) -> Answer:
    rows: list[dict[str, Any]] = []
    cut = False
    for part in reach.parts():
        for top in PAGE_ROWS:
            try:
                answer = _pages(wire, query, part, top, stopped)
                break
            except Failure as failure:
                if "ResponsePayloadTooLarge" not in failure.code or top == PAGE_ROWS[-1]:
                    raise
        rows += answer.rows
        cut = cut or answer.scope_cut
    return Answer(rows, cut)


def _pages(wire: Wire, query: Query, reach: Reach, top: int, stopped: Callable[[], None]) -> Answer:
    pages, token, cut = Pages(), None, False
    while True:
        stopped()
        body, page_cut = _ask(wire, query, reach, top, token)
        cut = cut or page_cut
        page = decode(body)
        wire.governor.count_rows(operation_of(query), len(page.data))
        token = pages.add(page)
        if token is None:
            return Answer(pages.rows, cut)


def operation_of(query: Query) -> str:
    """The name under which a query's requests are counted."""
    return f"ResourceGraph/{query.table}"


def _ask(wire: Wire, query: Query, reach: Reach, top: int, token: str | None) -> tuple[bytes, bool]:
    options: dict[str, Any] = {"$top": top, "resultFormat": "objectArray", "allowPartialScopes": False}
    if token is not None:
        options["$skipToken"] = token
    request: dict[str, Any] = {"query": query.text, "options": options}
    _scope(request, "subscriptions", reach.subscriptions)
    _scope(request, "managementGroups", reach.management_groups)
    seen: dict[str, Any] = {}

    def keep(response: Any) -> None:
        seen["cut"] = str(response.http_response.headers.get(_CUT_HEADER, "")).casefold() == "true"

    def raw(response: Any, _model: Any, _headers: Any) -> bytes:
        body: bytes = response.http_response.body()
        return body

    try:
        body = wire.resource_graph().resources(
            msgspec.json.encode(request),
            retry_on_methods=REPEATABLE,
            operation=operation_of(query),
            raw_response_hook=keep,
            cls=raw,
            **wire.time_left(),
        )
    except WIRE_ERRORS as error:
        raise describe(error) from error
    return body, bool(seen.get("cut"))


def _scope(request: dict[str, Any], key: str, names: Sequence[str]) -> None:
    if names:
        request[key] = list(names)
