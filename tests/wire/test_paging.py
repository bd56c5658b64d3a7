"""Pages are the whole answer only if they prove it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from auditor.collect.failures import Failure
from auditor.collect.paging import Pages, decode


def page(*ids: str, total: int, token: str | None = None, truncated: Any = "false", count: int | None = None) -> bytes:
    body = {
        "totalRecords": total,
        "count": len(ids) if count is None else count,
        "resultTruncated": truncated,
        "data": [{"id": each} for each in ids],
        "facets": [],
    }
    return msgspec.json.encode({**body, "$skipToken": token} if token else body)


def read(*bodies: bytes) -> list[str]:
    pages, token = Pages(), "start"
    for body in bodies:
        assert token is not None, "a page after the last"
        token = pages.add(decode(body))  # type: ignore[assignment]
    assert token is None
    return [row["id"] for row in pages.rows]


WHOLE = {
    "one page": [page("/a", "/b", total=2)],
    "two pages": [page("/a", total=2, token="t"), page("/b", total=2)],
    "nothing": [page(total=0)],
    "an empty page in between": [page("/a", total=2, token="t"), page(total=2, token="u"), page("/b", total=2)],
    "a token although it says false": [page("/a", total=2, token="t", truncated="false"), page("/b", total=2)],
    "a boolean instead of the string": [page("/a", total=1, truncated=False)],
}


@pytest.mark.parametrize("bodies", WHOLE.values(), ids=WHOLE)
def test_whole(bodies: list[bytes]) -> None:
    assert len(read(*bodies)) == len(set(read(*bodies)))


NOT_WHOLE = {
    "fewer rows than announced": [page("/a", total=2)],
    "more rows than announced": [page("/a", "/b", total=1)],
    "a row twice": [page("/a", total=2, token="t"), page("/A/", total=2)],
    "cut off without a token": [page("/a", total=1, truncated="true")],
    "a total that changes": [page("/a", total=2, token="t"), page("/b", total=3)],
    "a count that lies": [page("/a", total=1, count=2)],
    "pages in a circle": [page("/a", total=3, token="t"), page("/b", total=3, token="t")],
    "a row without an id": [b'{"totalRecords":1,"count":1,"resultTruncated":"false","data":[{"name":"x"}]}'],
}


@pytest.mark.parametrize("bodies", NOT_WHOLE.values(), ids=NOT_WHOLE)
def test_not_whole(bodies: list[bytes]) -> None:
    with pytest.raises(Failure) as raised:
        read(*bodies)
    assert raised.value.reason == "paging"


BROKEN = {
    "not JSON": b"<html>",
    "cut off": page("/a", total=1)[:-5],
    "another shape": b'{"value": []}',
    "rows that are no objects": b'{"totalRecords":1,"count":1,"resultTruncated":"false","data":["x"]}',
    "nothing": b"",
}


@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN)
def test_broken(body: bytes) -> None:
    with pytest.raises(Failure) as raised:
        decode(body)
    assert raised.value.reason == "bad-response"
