"""The description of the API holds: schemathesis asks every operation what the description allows, and more."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import CHECKS

from auditor.service.gate import Limits
from tests.service.world import Serving, World, finding, night, serving

OPERATIONS = (
    ("GET", "/api/v1/scans"),
    ("POST", "/api/v1/scans"),
    ("GET", "/api/v1/scans/{job_id}"),
    ("POST", "/api/v1/scans/{job_id}/cancel"),
    ("GET", "/api/v1/scans/{job_id}/events"),
    ("GET", "/api/v1/runs"),
    ("GET", "/api/v1/runs/{run_id}"),
    ("POST", "/api/v1/runs/{run_id}/pin"),
    ("POST", "/api/v1/runs/{run_id}/unpin"),
    ("GET", "/api/v1/runs/{run_id}/reports/{format_name}"),
    ("GET", "/api/v1/runs/{old}/drift/{new}"),
    ("GET", "/api/v1/findings"),
    ("GET", "/api/v1/findings/{finding_id}/explanation"),
)


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    world = World(tmp_path_factory.mktemp("asked"))
    world.remember(night(1, finding("nsg-acr-outbound", "aks-1", "pass")))
    world.remember(night(2, finding("nsg-acr-outbound", "aks-1", "fail")))
    with serving(world, limits=Limits(queued=4)) as running:
        yield running


def test_the_description_names_all_operations_and_no_other(asked: Serving) -> None:
    paths = asked.reader.get("/api/v1/openapi.json").json()["paths"]
    assert sorted((method.upper(), path) for path, methods in paths.items() for method in methods) == sorted(OPERATIONS)


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_answers_are_as_described(asked: Serving, method: str, path: str) -> None:
    document = asked.reader.get("/api/v1/openapi.json").json()
    schema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=asked.base)
    operation = schema[path][method]
    strategies = [operation.as_strategy(), operation.as_strategy(generation_mode=schemathesis.GenerationMode.NEGATIVE)]
    checks: list[Any] = [
        check
        for check in CHECKS.get_all()
        if check.__name__
        in ("not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance")
    ]
    bearer = {"Authorization": f"Bearer {asked.running_token}"}

    @settings(max_examples=25, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(case=st.one_of(strategies))
    def ask(case: schemathesis.Case[Any]) -> None:
        answer = case.call(headers=bearer)
        if answer.status_code == 503 and b"queue-full" in answer.content:
            return
        case.validate_response(answer, checks=checks)

    ask()
