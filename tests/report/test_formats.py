"""The formats for other tools: each to its own published schema where it lies here, and safe with hostile names."""

from __future__ import annotations

import csv
import functools
import io
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

import jsonschema
import pytest
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

from auditor.findings import GapRecord, Remediation, Report, Waiver
from auditor.report import (
    render_csv,
    render_junit,
    render_markdown,
    render_ocsf,
    render_prometheus,
    render_sarif,
)
from auditor.report.as_csv import COLUMNS
from auditor.report.as_markdown import code, plain
from auditor.values import Outcome, Severity
from tests.report import factory, sample

REPORTS = {
    "clean": factory.CLEAN,
    "without findings": factory.report(),
    "every state": factory.every_state(),
    "hostile": factory.hostile(),
    "a night": sample.night(),
}
each_report = pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)
DECEIVERS = "\u202e\u2066\u200f\u2028\u2029\x1b\x07\x00\u200b\ufeff"
WAIVER = Waiver(owner="net", reason="agreed", expires="2027-01-01")


@each_report
@pytest.mark.parametrize(
    "render", [render_csv, render_sarif, render_ocsf, render_junit, render_markdown, render_prometheus]
)
def test_no_format_lets_a_deceiving_character_through(report: Report, render: Any) -> None:
    text = render(report).decode()
    assert not [f"U+{ord(character):04X}" for character in DECEIVERS if character in text]


# ---- CSV -------------------------------------------------------------------------------------------------------


def rows(report: Report, **options: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(render_csv(report, **options).decode("utf-8-sig"), newline="")))


@each_report
def test_csv_has_one_row_a_finding(report: Report) -> None:
    found = rows(report)
    assert len(found) == len(report.findings)
    assert all(None not in row and None not in row.values() for row in found)
    assert {row["id"] for row in found} == {finding.id for finding in report.findings}


@pytest.mark.parametrize(
    "name",
    ["=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(1)", "＝1+1", "\t=1", "\r=1", " =1", "\u200b=1", "|cmd", "%0A=1"],
)
def test_no_cell_becomes_a_formula(name: str) -> None:
    [row] = rows(factory.report(factory.finding(title=name, message=name)))
    assert row["title"][0] in "'⟨"
    assert row["message"][0] in "'⟨"


def test_an_ordinary_cell_stays_as_it_is() -> None:
    [row] = rows(factory.report(factory.finding(message='rule deny-all (200), "x", 5-3=2')))
    assert row["message"] == 'rule deny-all (200), "x", 5-3=2'


def test_csv_lines_end_as_rfc_4180_says_and_the_mark_is_an_option() -> None:
    plain_bytes = render_csv(factory.CLEAN)
    assert plain_bytes.count(b"\r\n") == 2
    assert plain_bytes.startswith(('"' + '","'.join(COLUMNS)).encode())
    assert render_csv(factory.CLEAN, bom=True) == b"\xef\xbb\xbf" + plain_bytes


# ---- SARIF -----------------------------------------------------------------------------------------------------

SCHEMAS = Path(__file__).resolve().parents[3] / "shared" / "data" / "schemas"


@pytest.fixture(scope="module")
def sarif_schema() -> jsonschema.Draft7Validator:
    path = SCHEMAS / "sarif-schema-2.1.0.json"
    if not path.is_file():
        pytest.skip("OASIS's SARIF schema lies in ../shared/data/schemas, which is not here")
    return jsonschema.Draft7Validator(
        json.loads(path.read_text(encoding="utf-8")), format_checker=jsonschema.FormatChecker()
    )


@each_report
def test_sarif_follows_the_published_schema(report: Report, sarif_schema: jsonschema.Draft7Validator) -> None:
    assert [error.message for error in sarif_schema.iter_errors(json.loads(render_sarif(report)))] == []


def sarif(*findings: Any, **options: Any) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(render_sarif(factory.report(*findings, **options)))["runs"][0]
    return document


SARIF_RESULTS = {
    "critical fail": ({"outcome": Outcome.FAIL, "severity": Severity.CRITICAL}, ("fail", "error")),
    "medium fail": ({"outcome": Outcome.FAIL, "severity": Severity.MEDIUM}, ("fail", "warning")),
    "low fail": ({"outcome": Outcome.FAIL, "severity": Severity.LOW}, ("fail", "note")),
    "critical warning": ({"outcome": Outcome.WARN, "severity": Severity.CRITICAL}, ("fail", "warning")),
    "low warning": ({"outcome": Outcome.WARN, "severity": Severity.LOW}, ("fail", "note")),
    "unknown": ({"outcome": Outcome.UNKNOWN}, ("open", "none")),
}


@pytest.mark.parametrize(("values", "expected"), SARIF_RESULTS.values(), ids=SARIF_RESULTS)
def test_sarif_kind_and_level(values: dict[str, Any], expected: tuple[str, str]) -> None:
    [result] = sarif(factory.finding(**values))["results"]
    assert (result["kind"], result["level"]) == expected


def test_sarif_lists_no_pass_so_that_no_alert_is_made_of_it() -> None:
    run = sarif(factory.finding(), factory.finding(outcome=Outcome.NOT_APPLICABLE))
    assert run["results"] == []
    assert run["properties"]["outcomes"]["pass"] == 1


def test_sarif_carries_identity_drift_and_waiver() -> None:
    finding = factory.finding(outcome=Outcome.FAIL, drift="changed", waiver=WAIVER)
    [result] = sarif(finding)["results"]
    assert result["partialFingerprints"] == {"auditorFinding/v1": finding.id}
    assert result["baselineState"] == "updated"
    assert result["suppressions"][0]["justification"] == "agreed (accepted by net, until 2027-01-01)"


def test_sarif_points_each_result_to_its_rule() -> None:
    run = json.loads(render_sarif(sample.night()))["runs"][0]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert len(rules) == len(set(rules))
    assert all(rules[result["ruleIndex"]] == result["ruleId"] for result in run["results"])


def test_sarif_says_that_a_run_was_incomplete_and_why() -> None:
    [invocation] = json.loads(render_sarif(sample.night()))["runs"][0]["invocations"]
    assert invocation["executionSuccessful"] is False
    assert [note["level"] for note in invocation["toolExecutionNotifications"]] == ["error", "warning"]


MULTITOOL = "@microsoft/sarif-multitool"
WITHOUT_HOME = {"SARIF2005"}  # asks for the tool's address on the web; there is none to give


@pytest.fixture(scope="module")
def multitool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Microsoft's validator, installed by npm into a folder of its own; its postinstall only sets an executable bit."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not here, which Microsoft's SARIF validator comes by")
    folder = tmp_path_factory.mktemp("sarif")
    command = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(folder), MULTITOOL]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = sorted(folder.glob("node_modules/@microsoft/sarif-multitool-*/Sarif.Multitool"))
    if done.returncode != 0 or not found:
        pytest.skip(f"npm could not install {MULTITOOL}: {done.stderr.strip()[-200:]}")
    found[0].chmod(0o700)
    return found[0]


@pytest.mark.long
@each_report
def test_microsofts_validator_finds_nothing_to_say(report: Report, multitool: Path, tmp_path: Path) -> None:
    found = validated(render_sarif(report), multitool, tmp_path)
    assert [each["message"] for each in found if each["ruleId"] not in WITHOUT_HOME] == []


@pytest.mark.long
def test_microsofts_validator_finds_what_is_wrong(multitool: Path, tmp_path: Path) -> None:
    document = json.loads(render_sarif(sample.night()))
    document["runs"][0]["results"][0]["ruleIndex"] = 999
    found = validated(json.dumps(document).encode(), multitool, tmp_path)
    assert {each["ruleId"] for each in found} > WITHOUT_HOME


def validated(packed: bytes, multitool: Path, folder: Path) -> list[dict[str, Any]]:
    """Errors and warnings of the validator, by SARIF's rules and GitHub's; its notes wish for source code."""
    (folder / "report.sarif").write_bytes(packed)
    said = folder / "said.sarif"
    rules = ["--rule-kind", "Sarif;Ghas", "--level", "Error;Warning", "--log", "ForceOverwrite"]
    command = [str(multitool), "validate", str(folder / "report.sarif"), *rules, "--output", str(said)]
    environment = {**os.environ, "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert said.is_file(), done.stdout + done.stderr
    results: list[dict[str, Any]] = json.loads(said.read_text(encoding="utf-8-sig"))["runs"][0]["results"]
    return results


# ---- OCSF ------------------------------------------------------------------------------------------------------


def ocsf(report: Report) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = json.loads(render_ocsf(report))
    return events


@each_report
def test_ocsf_has_what_the_class_requires(report: Report) -> None:
    required = {
        "activity_id", "category_uid", "class_uid", "cloud", "compliance", "finding_info", "metadata",
        "severity_id", "time", "type_uid",
    }  # fmt: skip
    for event in ocsf(report):
        assert required <= set(event)
        assert (event["category_uid"], event["class_uid"]) == (2, 2003)
        assert event["type_uid"] == 200300 + event["activity_id"]
        assert event["finding_info"]["uid"]
        assert event["metadata"]["product"]["vendor_name"]
        assert event["metadata"]["version"] == "1.4.0"
        assert event["time"] == 1795485821000  # 2026-11-24T02:03:41Z
    assert len(ocsf(report)) == len(report.findings)


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (Outcome.PASS, (1, "Pass")),
        (Outcome.WARN, (2, "Warning")),
        (Outcome.FAIL, (3, "Fail")),
        (Outcome.UNKNOWN, (0, "Unknown")),
        (Outcome.NOT_APPLICABLE, (99, "Not applicable")),
    ],
)
def test_ocsf_compliance_status(outcome: Outcome, expected: tuple[int, str]) -> None:
    [event] = ocsf(factory.report(factory.finding(outcome=outcome)))
    assert (event["compliance"]["status_id"], event["compliance"]["status"]) == expected


@functools.cache
def ocsf_class() -> jsonschema.Draft202012Validator:
    """OCSF's own definition of class 2003 in the version that the events name, with the profile that they name."""
    schema = OcsfJsonSchemaEmbedded(get_ocsf_schema(version="1.4.0"))
    name = schema.lookup_class_name_from_uid(class_uid=2003)
    return jsonschema.Draft202012Validator(schema.get_class_schema(class_name=name, profiles=["cloud"]))


@each_report
def test_ocsf_follows_the_published_schema(report: Report) -> None:
    for event in ocsf(report):
        assert [error.message for error in ocsf_class().iter_errors(event)] == []


def test_the_published_ocsf_schema_refuses_what_it_does_not_know() -> None:
    [event] = ocsf(factory.CLEAN)
    event["compliance"]["colour"] = "red"
    event["severity_id"] = "high"
    assert {error.json_path for error in ocsf_class().iter_errors(event)} == {"$.compliance", "$.severity_id"}


def test_ocsf_uses_nothing_that_its_version_has_deprecated() -> None:
    """JSON Schema only remarks on `deprecated`; the next version of OCSF drops it."""
    schema = ocsf_class().schema
    assert isinstance(schema, dict)
    for report in REPORTS.values():
        for event in ocsf(report):
            assert list(deprecated(event, schema, schema["$defs"])) == []


def deprecated(value: Any, schema: Any, definitions: Any) -> Iterator[str]:
    """The names in a JSON value that its schema calls deprecated."""
    schema = definitions[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    if isinstance(value, list):
        for each in value:
            yield from deprecated(each, schema.get("items", {}), definitions)
    elif isinstance(value, dict):
        for name, each in value.items():
            inner = schema.get("properties", {}).get(name, {})
            if inner.get("deprecated"):
                yield name
            yield from deprecated(each, inner, definitions)


OCSF_STATES = {
    "new": ({"outcome": Outcome.FAIL, "drift": "new"}, (1, 1)),
    "standing": ({"outcome": Outcome.FAIL, "drift": "unchanged"}, (2, 2)),
    "resolved": ({"outcome": Outcome.PASS, "drift": "resolved"}, (3, 4)),
    "waived": ({"outcome": Outcome.FAIL, "drift": "unchanged", "waiver": WAIVER}, (2, 3)),
    "first run": ({"outcome": Outcome.FAIL}, (2, 1)),
}


@pytest.mark.parametrize(("values", "expected"), OCSF_STATES.values(), ids=OCSF_STATES)
def test_ocsf_activity_and_status(values: dict[str, Any], expected: tuple[int, int]) -> None:
    [event] = ocsf(factory.report(factory.finding(**values)))
    assert (event["activity_id"], event["status_id"]) == expected


# ---- JUnit -----------------------------------------------------------------------------------------------------


@each_report
def test_junit_counts_what_it_holds(report: Report) -> None:
    root = Xml.fromstring(render_junit(report))
    cases = root.findall("testsuite/testcase")
    gaps = sum(gap.required for gap in report.run.gaps)
    assert len(cases) == int(root.get("tests", "")) == len(report.findings) + gaps
    for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        assert int(root.get(attribute, "")) == len(root.findall(f"testsuite/testcase/{tag}"))
        assert sum(int(suite.get(attribute, "")) for suite in root) == int(root.get(attribute, ""))


@pytest.mark.parametrize(
    ("values", "tag"),
    [
        ({"outcome": Outcome.FAIL}, "failure"),
        ({"outcome": Outcome.FAIL, "waiver": WAIVER}, "skipped"),
        ({"outcome": Outcome.UNKNOWN}, "error"),
        ({"outcome": Outcome.WARN}, "system-out"),
        ({"outcome": Outcome.NOT_APPLICABLE}, "skipped"),
        ({"outcome": Outcome.PASS}, None),
    ],
)
def test_junit_case(values: dict[str, Any], tag: str | None) -> None:
    case = Xml.fromstring(render_junit(factory.report(factory.finding(**values)))).find("testsuite/testcase")
    assert case is not None
    assert [child.tag for child in case] == ([tag] if tag else [])


def test_junit_makes_an_error_of_what_had_to_be_read() -> None:
    gap = GapRecord(scope="/subscriptions/x", what="subscription", reason="403", hint="grant Reader", required=True)
    root = Xml.fromstring(render_junit(factory.report(gaps=[gap], complete=False)))
    assert root.get("errors") == "1"


# ---- Markdown --------------------------------------------------------------------------------------------------


def test_markdown_says_the_verdict_first_and_drift_before_the_rest() -> None:
    text = render_markdown(sample.night()).decode()
    assert text.startswith("# 3 deviations are new or changed.\n\n**Incomplete scan")
    headings = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert headings == ["What could not be read", "Drift", "Violations", "Warnings", "Unknown", "Waived"]


@pytest.mark.parametrize("limit", [300, 2_000, 60_000])
def test_markdown_stays_within_its_size(limit: int) -> None:
    text = render_markdown(factory.many(3_000), limit=limit)
    assert len(text) < limit + 100
    assert limit < 2_000 or b"more, in report.json" in text


def test_markdown_neither_calls_people_nor_links() -> None:
    text = plain(
        "ask @octocat, see [here](javascript:x) or https://evil.example www.evil.example <b>now</b> `x` | &lt;"
    )
    assert "`@octocat,`" in text
    unescaped = re.sub(r"`[^`]*`", "", re.sub(r"\\.", "", text))
    assert not set("<>[]`|&@") & set(unescaped)
    assert "://" not in text
    assert "www." not in text


def test_markdown_leaves_ordinary_prose_alone() -> None:
    text = "TCP 443 to 10.20.0.0/22 (priority 200) is denied by deny-all; Authorization_RequestDenied: 403"
    assert plain(text) == text


@pytest.mark.parametrize("name", ["a`b", "``", "`", "a ``` b", "plain", ""])
def test_a_code_span_cannot_be_left(name: str) -> None:
    span = code(name)
    fence = re.match("`+", span)
    assert fence is not None
    inner = span[len(fence[0]) : -len(fence[0])]
    assert fence[0] not in re.findall("`+", inner)
    assert inner.strip() == name


# ---- Prometheus ------------------------------------------------------------------------------------------------

_SAMPLE = re.compile(
    r'^([a-z_]+)(?:\{([a-z_]+="(?:[^"\\\n]|\\["\\n])*"(?:,[a-z_]+="(?:[^"\\\n]|\\["\\n])*")*)\})? (-?\d+(?:\.\d+)?)$'
)


@each_report
def test_prometheus_text_is_well_formed(report: Report) -> None:
    described: set[str] = set()
    seen: set[str] = set()
    for line in render_prometheus(report).decode().splitlines():
        if line.startswith("# "):
            described.add(line.split(" ")[2])
            continue
        match = _SAMPLE.match(line)
        assert match, line
        assert match[1] in described
        assert line.rpartition(" ")[0] not in seen
        seen.add(line.rpartition(" ")[0])


def test_prometheus_counts() -> None:
    text = render_prometheus(sample.night()).decode()
    assert 'auditor_findings{outcome="fail",severity="critical"} 1\n' in text
    assert 'auditor_findings{outcome="fail",severity="low"} 0\n' in text
    assert 'auditor_findings_drifted{state="new"} 2\n' in text
    assert "auditor_run_complete 0\n" in text
    assert "auditor_run_duration_seconds 221\n" in text
    assert 'auditor_run_gaps{required="true"} 1\n' in text


def test_prometheus_escapes_label_values() -> None:
    text = render_prometheus(factory.report(resources={'a"b\\c\nd': 1})).decode()
    assert 'auditor_resources{kind="a\\"b\\\\c d"} 1\n' in text


@each_report
def test_promtool_finds_nothing_to_say(report: Report) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        assert "CI" not in os.environ, "CI installs Debian's prometheus, which holds promtool"
        pytest.skip("promtool is not here (Debian: apt-get install prometheus)")
    done = subprocess.run([promtool, "check", "metrics"], input=render_prometheus(report), capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")


def test_prometheus_has_no_drift_without_a_baseline() -> None:
    assert "auditor_findings_drifted" not in render_prometheus(factory.CLEAN).decode()


def test_commands_are_quoted_from_their_arguments_not_taken_from_text() -> None:
    """A report file may say anything in `text`; what is shown is made from `argv`."""
    lying = factory.command("az", "group", "show", "--name", "a b")
    lying = type(lying)(argv=lying.argv, text="rm -rf /")
    report = factory.report(
        factory.finding(outcome=Outcome.FAIL, remediation=Remediation(summary="", commands=(lying,)))
    )
    for render in (render_csv, render_sarif, render_ocsf, render_junit, render_markdown):
        assert b"az group show --name 'a b'" in render(report), render
        assert b"rm -rf" not in render(report), render
