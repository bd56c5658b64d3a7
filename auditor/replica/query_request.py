"""A Resource Graph request's body, checked, and the place in a result that a skip token names."""

import base64
import binascii
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

PAGE_MOST = 1000


@dataclass(frozen=True, slots=True)
class Asked:
    """A query request, checked."""

    query: str
    top: int
    top_given: bool
    skip: int
    token: str | None
    as_table: bool
    subscriptions: tuple[str, ...] | None
    management_groups: tuple[str, ...] | None
    authorization_filter: str


class BadRequest(Exception):
    """A request that Resource Graph answers with 400 before it looks at the query."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def read_request(body: bytes, page_size: int, api_version: str) -> Asked:
    """What a request's body asks for, or BadRequest."""
    try:
        document = json.loads(body)
    except ValueError as problem:
        raise BadRequest("InvalidJson", "The request body is not valid JSON.") from problem
    if not isinstance(document, dict):
        raise BadRequest("InvalidJson", "The request body must be an object.")
    query = document.get("query")
    if not isinstance(query, str) or not query.strip():
        raise BadRequest("EmptyQuery", "The query must be a text that is not empty.")
    subscriptions, groups = _names(document, "subscriptions"), _names(document, "managementGroups")
    if subscriptions is not None and groups is not None:
        raise BadRequest(
            "InvalidScope", "Subscriptions and management groups cannot both be specified in a query request."
        )
    for one in subscriptions or ():
        try:
            uuid.UUID(one)
        except ValueError as problem:
            raise BadRequest("InvalidSubscription", f"The subscription id '{one}' is not a GUID.") from problem
    options = document.get("options") or {}
    if not isinstance(options, dict):
        raise BadRequest("InvalidOptions", "The options must be an object.")
    top = _whole_number(options, "$top", min(page_size, PAGE_MOST))
    if not 1 <= top <= PAGE_MOST:
        raise BadRequest("InvalidTop", f"The value of $top must be between 1 and {PAGE_MOST}.")
    skip = _whole_number(options, "$skip", 0)
    if skip < 0:
        raise BadRequest("InvalidSkip", "The value of $skip must not be negative.")
    form = options.get("resultFormat", "objectArray")
    if form not in ("objectArray", "table"):
        raise BadRequest("InvalidResultFormat", f"The result format '{form}' is neither objectArray nor table.")
    token = options.get("$skipToken")
    chosen = options.get("authorizationScopeFilter") or "AtScopeAndBelow"
    known = ("AtScopeAndBelow", "AtScopeAndAbove", "AtScopeAboveAndBelow", "AtScopeExact")
    if chosen not in known:
        raise BadRequest("InvalidAuthorizationScopeFilter", f"'{chosen}' is none of {', '.join(known)}.")
    if api_version < "2021-06-01-preview":
        # Older versions do not know the option and pass over it.
        chosen = "AtScopeAndBelow"
    return Asked(
        query=query,
        top=min(top, page_size),
        top_given=options.get("$top") is not None,
        skip=skip,
        token=token if isinstance(token, str) and token else None,
        as_table=form == "table",
        subscriptions=subscriptions,
        management_groups=groups,
        authorization_filter=chosen,
    )


def _names(document: Mapping[str, Any], key: str) -> tuple[str, ...] | None:
    value = document.get(key)
    if value is None or value == []:
        return None
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise BadRequest("InvalidScope", f"The value of {key} must be a list of texts.")
    return tuple(value)


def _whole_number(options: Mapping[str, Any], key: str, default: int) -> int:
    value = options.get(key)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int):
        raise BadRequest("InvalidOptions", f"The value of {key} must be a whole number.")
    return value


def token_for(offset: int, top: int) -> str:
    """The skip token of the page that begins at `offset`."""
    return base64.urlsafe_b64encode(json.dumps({"offset": offset, "top": top}).encode()).decode()


def place_of(token: str) -> tuple[int, int]:
    """Offset and page size that a skip token carries; an offset of -1 for one that is not ours."""
    try:
        value = json.loads(base64.urlsafe_b64decode(token.encode()))
        return int(value["offset"]), int(value["top"])
    except (ValueError, KeyError, TypeError, binascii.Error):
        return -1, 1
