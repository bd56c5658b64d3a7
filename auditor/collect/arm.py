"""Reads ARM (and Microsoft Graph) lists and single resources: raw bodies, `nextLink` followed on the own host only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urljoin

import msgspec

from auditor.collect.failures import Failure, describe
from auditor.collect.wire import WIRE_ERRORS, Wire
from auditor.values import fold

T = TypeVar("T")

MOST_PAGES = 500
"""Pages of one list after which we stop believing that it ends."""

API_VERSIONS = {
    "computes": "2024-04-01",
    "computes-v1": "2022-10-01",
    "onlineEndpoints": "2024-04-01",
    "extensions": "2023-05-01",
    "subscriptions": "2022-12-01",
    "managementGroups": "2020-05-01",
    "permissions": "2022-04-01",
    "privateDnsZones": "2020-06-01",
    "roleAssignments": "2022-04-01",
    "roleDefinitions": "2022-04-01",
    "serviceTags": "2024-05-01",
}
"""The api-version of each call that no named SDK makes."""


def list_all(
    wire: Wire, url: str, operation: str, stopped: Callable[[], None], *, directory: bool = False, events: bool = False
) -> list[dict[str, Any]]:
    """All items of a paged list (`value`, `nextLink` or Microsoft Graph's `@odata.nextLink`).

    A resource that comes twice has most likely pushed out another, and no list tells how many there should be: such a
    list is read once more, then given up. `events` of one write may share an id.
    """

    def read() -> list[dict[str, Any]]:
        items = _list_once(wire, url, operation, stopped, directory=directory)
        return items if events else _each_once(items)

    return twice(read)


def _list_once(
    wire: Wire, url: str, operation: str, stopped: Callable[[], None], *, directory: bool
) -> list[dict[str, Any]]:
    client = wire.directory() if directory else wire.arm()
    if client is None:
        raise Failure("not-configured", "no Microsoft Graph endpoint is configured")
    items: list[dict[str, Any]] = []
    seen: set[str] = set()
    for _ in range(MOST_PAGES):
        stopped()
        body = _get_once(wire, url, operation, directory=directory)
        value = body.get("value")
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise Failure("bad-response", "a list without `value`")
        items += value
        link = body.get("nextLink") or body.get("@odata.nextLink")
        if not link:
            return items
        # An empty page with a nextLink is a page like any other.
        url = urljoin(url, str(link))
        if url in seen:
            break
        seen.add(url)
    raise Failure("paging", "the list's pages do not end")


def _each_once(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    ids = [fold(each["id"]) for each in items if isinstance(each.get("id"), str)]
    if len(set(ids)) != len(ids):
        raise Failure("paging", "an item of the list came twice")
    return items


def get(wire: Wire, url: str, operation: str, *, directory: bool = False) -> dict[str, Any]:
    """One JSON object; a body that is broken is read once more."""
    return twice(lambda: _get_once(wire, url, operation, directory=directory))


def twice(call: Callable[[], T]) -> T:
    """Repeat a read once whose answer was broken, or whose token was refused.

    The SDKs' retries end with the headers, not with the body, and ask for no new token unless the service names claims.
    """
    try:
        return call()
    except Failure as failure:
        if failure.reason not in ("bad-response", "connection-lost", "unauthorized", "paging"):
            raise
    return call()


def _get_once(wire: Wire, url: str, operation: str, *, directory: bool) -> dict[str, Any]:
    client = wire.directory() if directory else wire.arm()
    if client is None:
        raise Failure("not-configured", "no Microsoft Graph endpoint is configured")
    try:
        body = msgspec.json.decode(wire.get(client, url, operation))
    except WIRE_ERRORS as error:
        raise describe(error) from error
    if not isinstance(body, dict):
        raise Failure("bad-response", "the answer is not a JSON object")
    return body


def from_sdk(
    wire: Wire, call: Callable[..., Any], stopped: Callable[[], None], operation: str, *args: Any, **kwargs: Any
) -> list[dict[str, Any]]:
    """All items of an SDK's paged list operation, taken from the raw pages: the models drop what they do not know.

    The operation pages by itself; the `OneHost` policy keeps it on the configured endpoint.
    """
    return twice(lambda: _from_sdk_once(wire, call, stopped, operation, *args, **kwargs))


def _from_sdk_once(
    wire: Wire, call: Callable[..., Any], stopped: Callable[[], None], operation: str, *args: Any, **kwargs: Any
) -> list[dict[str, Any]]:
    bodies: list[bytes] = []

    def keep(response: Any) -> None:
        if response.http_response.status_code == 200:
            bodies.append(response.http_response.body())

    try:
        pages = call(*args, raw_response_hook=keep, operation=operation, **wire.time_left(), **kwargs)
        for count, _ in enumerate(pages.by_page()):
            stopped()
            if count > MOST_PAGES:
                raise Failure("paging", "the list's pages do not end")
        items: list[dict[str, Any]] = []
        for body in bodies:
            page = msgspec.json.decode(body)
            items += page["value"]
    except WIRE_ERRORS as error:
        raise describe(error) from error
    if not all(isinstance(item, dict) for item in items):
        raise Failure("bad-response", "a list item is not a JSON object")
    return _each_once(items)
