"""Proof that the pages of one Resource Graph query are the whole answer. Pure: bytes in, rows or a Failure out.

A green is earned: a lost page would turn "no deny rule" green. So the counts of all pages together must be the total
that every page named, no id may come twice, the last page may carry neither a token nor `"resultTruncated": "true"`.
Source: "Working with large Azure resource data sets"; a page may carry a token and still say "false".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from auditor.collect.failures import Failure
from auditor.values import fold


class Page(msgspec.Struct, rename={"token": "$skipToken", "total": "totalRecords", "truncated": "resultTruncated"}):
    """One answer of `Microsoft.ResourceGraph/resources` in the format `objectArray`."""

    total: int
    count: int
    truncated: str | bool
    data: list[dict[str, Any]]
    token: str | None = None


_DECODER = msgspec.json.Decoder(Page)


def decode(body: bytes) -> Page:
    """A page from its bytes; Failure `bad-response` with the place where the shape is wrong."""
    try:
        return _DECODER.decode(body)
    except msgspec.DecodeError as error:
        raise Failure("bad-response", f"Resource Graph's answer is not a page: {error}") from error


@dataclass(slots=True)
class Pages:
    """The pages of one query so far, and whether they can still be the whole."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    total: int | None = None
    _ids: set[str] = field(default_factory=set)
    _tokens: set[str] = field(default_factory=set)

    def add(self, page: Page) -> str | None:
        """Take a page in; the token of the next one, None after the last. Failure `paging` if they do not fit."""
        if self.total is None:
            self.total = page.total
        if page.total != self.total:
            raise Failure("paging", f"the total changed from {self.total} to {page.total} between pages")
        if page.count != len(page.data):
            raise Failure("paging", f"a page says it holds {page.count} rows and holds {len(page.data)}")
        for row in page.data:
            row_id = row.get("id")
            if not isinstance(row_id, str) or not row_id:
                raise Failure("paging", "a row has no id")
            key = fold(row_id)
            if key in self._ids:
                raise Failure("paging", "a row came twice")
            self._ids.add(key)
        self.rows += page.data
        if page.token:
            if page.token in self._tokens:
                raise Failure("paging", "the pages go in a circle")
            self._tokens.add(page.token)
            return page.token
        if str(page.truncated).casefold() != "false":
            raise Failure("paging", "the answer was cut off and offers no way to go on")
        if len(self.rows) != self.total:
            raise Failure("paging", f"{len(self.rows)} of {self.total} rows came")
        return None
