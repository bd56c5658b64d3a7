"""What a fault makes of an answer: a status in its place, or its content gone wrong."""

import base64
import binascii
import json
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from auditor.replica.answers import Answer, arm_error, encoded
from auditor.replica.faults import PAGE_FAULTS, Fault

FOREIGN_LINK = "https://replica-foreign.invalid/next?api-version=2021-04-01"
_CODES = {
    400: "BadRequest", 401: "AuthenticationFailed", 403: "AuthorizationFailed", 404: "ResourceNotFound",
    409: "Conflict", 410: "Gone", 413: "ContentLengthLimitExceeded", 422: "UnprocessableEntity", 429: "TooManyRequests",
    500: "InternalServerError", 502: "BadGateway", 503: "ServiceUnavailable", 504: "GatewayTimeout",
}  # fmt: skip


def status(fault: Fault) -> Answer:
    """A bare error status in ARM's envelope, with the code that usually comes with it."""
    headers = {} if fault.retry_after is None else {"Retry-After": fault.retry_after}
    code = fault.code or _CODES[fault.status]
    return arm_error(fault.status, code, f"A fault of the replica's plan: {fault.status} {code}.", headers=headers)


def bent(answer: Answer, fault: Fault, base_url: str, target: str, body: bytes) -> Answer:
    """The real answer to the request (`target` and `body`) after a fault that changes its content."""
    if fault.kind == "wrong-json":
        return replace(answer, body=b'{"value": [{"id": 1,}, "data": nonsense')
    if fault.kind == "wrong-content-type":
        return replace(answer, body=b"<html><body>Sign in to continue</body></html>", content_type="text/html")
    if fault.kind not in PAGE_FAULTS or answer.status != 200:
        return answer
    try:
        document = json.loads(answer.body)
    except ValueError:
        return answer
    key = "data" if isinstance(document, dict) and "totalRecords" in document else "value"
    rows = document.get(key) if isinstance(document, dict) else None
    if not isinstance(rows, list):
        return answer
    link = "$skipToken" if key == "data" else "@odata.nextLink" if "@odata.context" in document else "nextLink"
    if fault.kind == "empty-page-with-nextlink":
        # The rows are not lost: what follows is this very page once more.
        document[link] = _query_again(body) if key == "data" else _list_again(base_url, target)
        rows.clear()
    elif fault.kind == "foreign-nextlink":
        document[link] = FOREIGN_LINK
    elif fault.kind == "repeat-row" and rows:
        rows[len(rows) - 1 or 1 :] = [rows[0]]
    elif fault.kind == "lose-row" and rows:
        rows.pop()
    if key == "data":
        document["count"] = len(rows)
    return replace(answer, body=encoded(document), rows=len(rows))


def _list_again(base_url: str, target: str) -> str:
    """A link to the page that was asked for. Each one differs from the last, as a service's would."""
    split = urlsplit(target)
    query = parse_qsl(split.query, keep_blank_values=True)
    here = next((value for name, value in query if name.lower() == "$skiptoken"), "")
    try:
        place = base64.urlsafe_b64decode(here.encode()).decode() or "0"
    except (ValueError, binascii.Error):
        place = "0"
    kept = [(name, value) for name, value in query if name.lower() != "$skiptoken"]
    token = base64.urlsafe_b64encode(f" {place}".encode()).decode()
    return f"{base_url}{quote(unquote(split.path))}?{urlencode([*kept, ('$skiptoken', token)])}"


def _query_again(body: bytes) -> str:
    """A skip token for the page that was asked for, likewise."""
    options: dict[str, Any] = json.loads(body).get("options") or {}
    place: dict[str, Any] = {"offset": options.get("$skip") or 0, "top": options.get("$top") or 1000}
    if options.get("$skipToken"):
        place = json.loads(base64.urlsafe_b64decode(options["$skipToken"].encode()))
    place["again"] = place.get("again", 0) + 1
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode()
