"""Azure Monitor's Logs Ingestion API as the reference of version 2023-01-01 and the service limits tell it.

It takes what is sent to the streams of the rules that it was given, and keeps the rows to be looked at. Whether the
caller holds `Monitoring Metrics Publisher` at the rule is not played; a fault (403) stands for it.
"""

import gzip
import json
import threading
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from auditor.replica.answers import Answer, arm_error

AUDIENCES = {
    "public": "https://monitor.azure.com",
    "china": "https://monitor.azure.cn",
    "usgov": "https://monitor.azure.us",
}
"""Who a token for it is made out for, cloud by cloud."""
VERSIONS = frozenset({"2021-11-01-preview", "2023-01-01"})
MOST_BYTES = 1024 * 1024
"""Of a call, compressed and uncompressed."""


@dataclass(frozen=True, slots=True)
class Upload:
    """One call that was taken. `size` is that of the body as it came."""

    rule: str
    stream: str
    rows: list[dict[str, Any]]
    size: int
    client_request_id: str


class LogsIngestion:
    """The rules by immutable id, with their streams, and what came."""

    def __init__(self, rules: Mapping[str, Sequence[str]]) -> None:
        self._rules = {rule: tuple(streams) for rule, streams in rules.items()}
        self._lock = threading.Lock()
        self._uploads: list[Upload] = []

    @property
    def uploads(self) -> list[Upload]:
        """What was taken, in the order of arrival."""
        with self._lock:
            return list(self._uploads)

    def take(self, path: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes) -> Answer:
        """204, or what is wrong with the call."""
        parts = path.strip("/").split("/")
        if len(parts) != 4 or parts[2].lower() != "streams":
            return _refused(404, "NotFound", "There is nothing here.")
        rule, stream = parts[1], parts[3]
        if query.get("api-version") not in VERSIONS:
            return _refused(400, "InvalidApiVersion", "The api-version is missing or not supported.")
        if rule not in self._rules:
            return _refused(404, "NotFound", f"Data collection rule with immutable Id '{rule}' not found.")
        if stream not in self._rules[rule]:
            return _refused(400, "InvalidStream", f"Stream {stream} was not configured in the data collection rule")
        if headers.get("Content-Type", "").split(";")[0].strip() != "application/json":
            return _refused(415, "UnsupportedMediaType", "Content-Type must be application/json.")
        if len(body) > MOST_BYTES:
            return _refused(413, "ContentLengthLimitExceeded", "Maximum allowed content length: 1048576 bytes (1 MB).")
        try:
            plain = gzip.decompress(body) if headers.get("Content-Encoding", "").lower() == "gzip" else body
        except (OSError, EOFError, zlib.error):
            return _refused(400, "InvalidContent", "The body is not gzip.")
        if len(plain) > MOST_BYTES:
            return _refused(413, "ContentLengthLimitExceeded", "Maximum allowed content length: 1048576 bytes (1 MB).")
        try:
            rows = json.loads(plain)
        except ValueError:
            rows = None
        if not isinstance(rows, list) or not all(isinstance(each, dict) for each in rows):
            return _refused(400, "InvalidPayload", "The body must be a JSON array of objects.")
        with self._lock:
            identity = headers.get("x-ms-client-request-id", "")
            self._uploads.append(Upload(rule, stream, rows, len(body), identity))
        return Answer(204, b"")


def _refused(status: int, code: str, message: str) -> Answer:
    return arm_error(status, code, message, headers={"x-ms-error-code": code})
