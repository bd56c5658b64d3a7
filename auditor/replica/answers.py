"""What goes back over the wire, and the error envelopes of the services that the replica plays."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer, before compression; `rows` counts what a list or a query returned."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json; charset=utf-8"
    rows: int | None = None


def ok(document: Any, *, rows: int | None = None, headers: Mapping[str, str] | None = None) -> Answer:
    """A 200 with `document` as JSON."""
    return Answer(200, encoded(document), headers or {}, rows=rows)


def encoded(document: Any) -> bytes:
    """`document` as compact UTF-8 JSON."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def arm_error(
    status: int, code: str, message: str, *, headers: Mapping[str, str] | None = None, details: list[Any] | None = None
) -> Answer:
    """ARM's error envelope, which Resource Graph uses too."""
    error: dict[str, Any] = {"code": code, "message": message}
    if details is not None:
        error["details"] = details
    return Answer(status, encoded({"error": error}), headers or {})
