"""`report.json`: the contract, byte for byte the same, and read back or refused with a reason."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from auditor import resources
from auditor.errors import UsageProblem
from auditor.findings import Report
from auditor.report import parse_report, read_report, render_json
from tests.report import factory, sample

SCHEMA: dict[str, Any] = json.loads(
    (resources.root("reports") / "schema" / "report-1.schema.json").read_text(encoding="utf-8")
)
REPORTS = {
    "clean": factory.CLEAN,
    "without findings": factory.report(),
    "every state": factory.every_state(),
    "hostile": factory.hostile(),
    "a night": sample.night(),
}


def valid(document: Any) -> list[str]:
    return [error.message for error in jsonschema.Draft202012Validator(SCHEMA).iter_errors(document)]


def test_the_schema_is_itself_valid() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)
def test_follows_the_schema(report: Report) -> None:
    assert valid(json.loads(render_json(report))) == []


def test_the_schema_refuses_what_the_contract_does_not_name() -> None:
    document = json.loads(render_json(factory.CLEAN))
    document["findings"][0]["colour"] = "red"
    assert len(valid(document)) == 1


def _shapes(node: Any, at: str) -> dict[str, set[str]]:
    """Path in a report to the names that a schema allows there, for each object with fixed names."""
    node = _resolved(node)
    found = {at: set(node["properties"])} if "properties" in node else {}
    for name, each in node.get("properties", {}).items():
        found |= _shapes(each, f"{at}.{name}")
    if "items" in node:
        found |= _shapes(node["items"], at + "[]")
    return found


def _resolved(node: Any) -> Any:
    for either in node.get("anyOf", ()):
        if either.get("type") != "null":
            return _resolved(either)
    if "$ref" in node:
        target = node["$ref"].rpartition("/")[2]
        return _resolved((SCHEMA["$defs"] | MODEL["$defs"])[target])
    return node


MODEL = msgspec.json.schema(Report)


def test_the_schema_names_every_field_of_every_record() -> None:
    """Against the model, so that a field which no test report sets cannot be forgotten."""
    ours, model = _shapes(SCHEMA, "report"), _shapes(MODEL, "report")
    # Counts are open maps in the model, with fixed names in the schema.
    assert {at: names for at, names in ours.items() if at in model} == model


def test_the_order_of_findings_and_facts_does_not_matter() -> None:
    whole = factory.every_state()
    mixed = list(whole.findings)
    random.Random(4).shuffle(mixed)
    other = msgspec.structs.replace(whole, findings=tuple(mixed))
    assert render_json(whole) == render_json(other)


def test_the_order_of_open_maps_does_not_matter() -> None:
    one, other = ({"a": 1, "b": 2}, {"b": 2, "a": 1})
    first, second = (factory.report(factory.finding(facts=facts), resources=facts) for facts in (one, other))
    assert render_json(first) == render_json(second)


def test_findings_are_sorted_by_severity_first() -> None:
    severities = [each["severity"] for each in json.loads(render_json(factory.every_state()))["findings"]]
    assert severities == sorted(severities, key=["critical", "high", "medium", "low", "info"].index)


@pytest.mark.parametrize("name", [name for name in REPORTS if name != "hostile"])
def test_reads_back_into_the_same_records(name: str) -> None:
    packed = render_json(REPORTS[name])
    assert render_json(parse_report(packed, "report.json")) == packed


def test_a_lone_surrogate_is_written_as_replacement_character() -> None:
    names = {each["resource"]["name"] for each in json.loads(render_json(factory.hostile()))["findings"]}
    assert "lone\ufffdhalf" in names
    assert factory.HOSTILE_NAMES["markup"] in names


def test_a_byte_order_mark_is_no_obstacle() -> None:
    assert parse_report(b"\xef\xbb\xbf" + render_json(factory.CLEAN), "r") == factory.CLEAN


WHOLE = render_json(factory.CLEAN)
BAD = {
    "empty": (b"", "is empty"),
    "cut off": (WHOLE[: len(WHOLE) // 2], "is not JSON (line"),
    "binary": (b"\x1f\x8b\x08\x00\xff\xfe", "is not JSON"),
    "another JSON": (b'{"data": []}', "not a report of auditor"),
    "a list": (b"[]", "not a report of auditor"),
    "of the future": (WHOLE.replace(b'"schemaVersion": 1', b'"schemaVersion": 2'), "schema version 2"),
    "an unknown outcome": (WHOLE.replace(b'"outcome": "pass"', b'"outcome": "green"'), "findings[0].outcome"),
    "no run": (WHOLE.replace(b'"run": {', b'"ran": {'), "`run`"),
    "deeply nested": (b'{"a": ' + b"[" * 200_000, "is not JSON"),
}


@pytest.mark.parametrize(("packed", "complaint"), BAD.values(), ids=BAD)
def test_refuses(packed: bytes, complaint: str, tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_bytes(packed)
    with pytest.raises(UsageProblem) as caught:
        read_report(path)
    assert complaint in caught.value.message
    assert "report.json" in caught.value.message


def test_refuses_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match="there is no report file"):
        read_report(tmp_path / "nothing.json")
    with pytest.raises(UsageProblem, match="is a folder"):
        read_report(tmp_path)
