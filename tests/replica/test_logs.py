"""The Logs Ingestion API as the replica plays it, asked by hand."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator

import pytest
import requests

from auditor.replica import Replica, serve
from auditor.replica.estate import from_document
from auditor.replica.logs import AUDIENCES
from tests.replica.client import Client
from tests.replica.contoso import document

RULE, STREAM = "dcr-1", "Custom-Table_CL"
HERE = f"/dataCollectionRules/{RULE}/streams/{STREAM}?api-version=2023-01-01"


@pytest.fixture(scope="module")
def taking() -> Iterator[Replica]:
    with serve(from_document(document()), quota=False, log_rules={RULE: [STREAM]}) as replica:
        yield replica


@pytest.fixture
def asked(taking: Replica, client_of: Callable[[Replica, int], Client]) -> Callable[..., requests.Response]:
    one = client_of(taking, 0)

    def post(path: str, body: bytes, *, audience: str = "", **headers: str) -> requests.Response:
        token = one.token(audience or AUDIENCES[taking.estate.cloud])
        usual = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return one.session.post(taking.base_url + path, data=body, headers=usual | named, timeout=30)

    return post


def test_rows_are_taken_plain_and_zipped(taking: Replica, asked: Callable[..., requests.Response]) -> None:
    assert asked(HERE, b'[{"a": 1}]').status_code == 204
    assert asked(HERE, gzip.compress(b'[{"a": 2}]'), Content_Encoding="gzip").status_code == 204
    assert [each.rows for each in taking.uploads[-2:]] == [[{"a": 1}], [{"a": 2}]]


@pytest.mark.parametrize(
    ("path", "body", "headers", "status", "code"),
    [
        (HERE.replace("dcr-1", "dcr-2"), b"[]", {}, 404, "NotFound"),
        (HERE.replace("Custom", "Other"), b"[]", {}, 400, "InvalidStream"),
        (HERE.partition("?")[0], b"[]", {}, 400, "InvalidApiVersion"),
        (HERE, b"{}", {}, 400, "InvalidPayload"),
        (HERE, b"[1]", {}, 400, "InvalidPayload"),
        (HERE, b"[", {}, 400, "InvalidPayload"),
        (HERE, b"[]", {"Content_Encoding": "gzip"}, 400, "InvalidContent"),
        (HERE, b"[]", {"Content_Type": "text/plain"}, 415, "UnsupportedMediaType"),
        (HERE, b'["' + b"x" * 1024 * 1024 + b'"]', {}, 413, "ContentLengthLimitExceeded"),
        (
            HERE,
            gzip.compress(json.dumps([{"x": "x" * 1024 * 1024}]).encode()),
            {"Content_Encoding": "gzip"},
            413,
            "ContentLengthLimitExceeded",
        ),
    ],
    ids=[
        "rule", "stream", "version", "an object", "no objects", "no json", "not gzip", "type", "large",
        "large once unzipped",
    ],
)  # fmt: skip
def test_a_wrong_call_is_refused(
    taking: Replica,
    asked: Callable[..., requests.Response],
    path: str,
    body: bytes,
    headers: dict[str, str],
    status: int,
    code: str,
) -> None:
    before = len(taking.uploads)
    answer = asked(path, body, **headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert answer.headers["x-ms-error-code"] == code
    assert len(taking.uploads) == before


def test_a_token_for_another_service_is_refused(taking: Replica, asked: Callable[..., requests.Response]) -> None:
    answer = asked(HERE, b"[]", audience=taking.base_url)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "InvalidAuthenticationTokenAudience")
