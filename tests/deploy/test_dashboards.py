"""Every query of the dashboards and alerts is asked: PromQL of a real Prometheus, KQL of our own OCSF output."""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import socket
import subprocess
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb_kql
import msgspec
import pytest
import requests

from auditor.findings import Report
from auditor.notify.rows import row_parcels, unpacked
from auditor.report import render_ocsf, render_prometheus
from auditor.service.loop import Tally
from auditor.service.metrics import Meters, Outbox, exposition
from auditor.values import Outcome, Severity
from tests.report.sample import night

FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "dashboards"
NOW = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)
"""When the dashboards are looked at: the night ended at 02:03:41."""


def program(name: str) -> str:
    """Debian's prometheus holds both programs; a laptop may lack them, CI may not."""
    found = shutil.which(name)
    if found is None:
        assert "CI" not in os.environ, "CI installs Debian's prometheus"
        pytest.skip(f"{name} is not here (Debian: apt-get install prometheus)")
    return found


# ---------------------------------------------------------------- PromQL


def panels() -> list[tuple[str, str]]:
    """(panel's title, PromQL) of every query, its variables replaced as Grafana does."""
    dashboard = json.loads((FOLDER / "grafana.json").read_text(encoding="utf-8"))
    found = []
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            query = target["expr"].replace("$instance", ".*").replace("$__rate_interval", "20m")
            assert "$" not in query
            found.append((panel["title"], query))
    return found


def told(minutes: int) -> str:
    """What /metrics of a service tells so many minutes after its start."""
    meters, tally = Meters(), Tally()
    for _ in range(minutes):
        meters.counted("GET", 200)
    tally.by_status[1] = int(minutes > 90)
    tally.missed = int(minutes > 90)
    outbox = Outbox(("siem",), (), {}, NOW)
    return exposition(meters, tally, queued=0, running=1, leads=True, newest=night(), outbox=outbox).decode()


def samples(text: str) -> Iterator[tuple[str, str]]:
    """(series, value) of an exposition, with the label that a scrape would add."""
    for line in text.splitlines():
        if line and not line.startswith("#"):
            series, _, value = line.rpartition(" ")
            name, brace, labels = series.partition("{")
            yield f'{name}{{instance="a:8743"{"," + labels if brace else "}"}', value


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Prometheus that has scraped a service for two hours."""
    server, promtool = program("prometheus"), program("promtool")
    folder = tmp_path_factory.mktemp("prometheus")
    series: defaultdict[str, list[str]] = defaultdict(list)
    for minutes in range(0, 125, 5):
        at = int((NOW - timedelta(minutes=120 - minutes)).timestamp())
        for name, value in samples(told(minutes)):
            series[name].append(f"{name} {value} {at}")
    lines = [line for each in series.values() for line in each]
    (folder / "scraped.txt").write_text("\n".join([*lines, "# EOF", ""]), encoding="utf-8")
    (folder / "prometheus.yml").write_text("{}\n", encoding="utf-8")
    make = [promtool, "tsdb", "create-blocks-from", "openmetrics", "scraped.txt", "data"]
    subprocess.run(make, cwd=folder, check=True, capture_output=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    command = [server, "--config.file=prometheus.yml", "--storage.tsdb.path=data", f"--web.listen-address={address}"]
    command += ["--storage.tsdb.retention.time=100y"]
    process = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        while "Server is ready" not in (line := process.stderr.readline()):
            assert line, "prometheus ended before it was ready"
        yield f"http://{address}"
    finally:
        process.kill()
        process.communicate()


def ask(base: str, query: str) -> dict[str, float]:
    """What a query gives now: values by labels."""
    with requests.Session() as session:
        session.trust_env = False
        parameters: dict[str, str] = {"query": query, "time": str(NOW.timestamp())}
        answer = session.get(f"{base}/api/v1/query", params=parameters, timeout=60).json()
    assert answer["status"] == "success", f"{query}: {answer.get('error')}"
    return {",".join(each["metric"].values()): float(each["value"][1]) for each in answer["data"]["result"]}


def test_every_panel_has_something_to_show(prometheus: str) -> None:
    found = {title: 0 for title, _ in panels()}
    for title, query in panels():
        answer = ask(prometheus, query)
        assert answer, f"{title}: {query} gives nothing"
        found[title] += len(answer)
    assert len(found) == 17


def test_panels_show_what_the_report_says(prometheus: str) -> None:
    report, asked = night(), dict(panels())
    unwaived = [each for each in report.findings if each.waiver is None]
    fails = Counter(each.severity.value for each in unwaived if each.outcome is Outcome.FAIL)
    serious = fails[Severity.CRITICAL] + fails[Severity.HIGH]
    drift = Counter(each.drift.state for each in report.findings if each.drift)

    def one(title: str) -> float:
        (value,) = ask(prometheus, asked[title]).values()
        return value

    assert one("Last run") == (NOW - datetime.fromisoformat(report.run.finished_at)).total_seconds()
    assert one("Complete") == report.run.complete
    assert one("Critical and high failures") == serious > 0
    assert one("Drift") == drift["new"] + drift["changed"] > 0
    assert one("Waived") == report.summary.waived > 0
    by_severity = ask(prometheus, asked["Failures by severity"])
    assert {name: count for name, count in by_severity.items() if count} == fails
    failing = Counter(each.check for each in report.findings if each.outcome is Outcome.FAIL)
    assert ask(prometheus, asked["Failing checks"]) == failing


def test_every_metric_that_is_asked_for_is_told() -> None:
    told_names = {series.partition("{")[0] for series, _ in samples(told(5))}
    rules = (FOLDER / "alerts.yml").read_text(encoding="utf-8")
    asked = {name for _, query in panels() for name in re.findall(r"\bauditor_\w+", query)}
    assert asked | set(re.findall(r"\bauditor_\w+", rules)) <= told_names


def test_the_textfile_feeds_all_but_the_service() -> None:
    names = {series.partition("{")[0] for series, _ in samples(render_prometheus(night()).decode())}
    asked = {name for _, query in panels() for name in re.findall(r"\bauditor_\w+", query)}
    assert {name for name in asked - names if not name.startswith("auditor_service_")} == set()


def test_alerts_fire_when_they_should_and_only_then(tmp_path: Path) -> None:
    promtool = program("promtool")
    shutil.copy(FOLDER / "alerts.yml", tmp_path)
    shutil.copy(Path(__file__).parent / "alerts_test.yml", tmp_path)
    done = subprocess.run(
        [promtool, "test", "rules", "alerts_test.yml"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


# ---------------------------------------------------------------- KQL

TYPES = {"datetime": "TIMESTAMP", "string": "VARCHAR", "int": "INTEGER", "long": "BIGINT", "dynamic": "JSON"}


def from_files(report: Report) -> list[dict[str, Any]]:
    """The rows that an agent makes of a report's OCSF file, TimeGenerated being their time."""
    events: list[dict[str, Any]] = json.loads(render_ocsf(report))
    return [each | {"TimeGenerated": datetime.fromtimestamp(each["time"] / 1000, UTC).isoformat()} for each in events]


def sent(report: Report) -> list[dict[str, Any]]:
    """The rows that are sent to Azure Monitor, as they arrive."""
    bodies = [gzip.decompress(unpacked(content)) for _, content in row_parcels(report, everything=True)]
    return [row for body in bodies for row in json.loads(body)]


def ingested(rows: list[dict[str, Any]]) -> Any:
    """A database that holds these rows as the table of `table.json`."""
    table = json.loads((FOLDER / "table.json").read_text(encoding="utf-8"))
    database = duckdb_kql.connect()
    columns = ", ".join(f'"{each["name"]}" {TYPES[each["type"]]}' for each in table["columns"])
    database.execute(f"CREATE TABLE {table['name']} ({columns})")
    for given in rows:
        moment = datetime.fromisoformat(given["TimeGenerated"]).astimezone(UTC).replace(tzinfo=None)
        row = []
        for each in table["columns"]:
            value = moment if each["name"] == "TimeGenerated" else given.get(each["name"])
            row.append(json.dumps(value) if each["type"] == "dynamic" and value is not None else value)
        database.execute(f"INSERT INTO {table['name']} VALUES ({', '.join('?' * len(row))})", row)
    return database


def queries() -> dict[str, str]:
    """Every KQL query by the name of its item or file."""
    workbook = json.loads((FOLDER / "workbook.json").read_text(encoding="utf-8"))
    found = {item["name"]: item["content"]["query"] for item in workbook["items"] if item["type"] == 3}
    found |= {path.stem: path.read_text(encoding="utf-8") for path in sorted((FOLDER / "kql").glob("*.kql"))}
    return found


def answers(
    name: str, *reports: Report, rows: Callable[[Report], list[dict[str, Any]]] = from_files
) -> list[dict[str, Any]]:
    relation = duckdb_kql.kql(ingested([row for report in reports for row in rows(report)]), queries()[name])
    return [dict(zip(relation.columns, row, strict=True)) for row in relation.fetchall()]


def later(report: Report, **how: Any) -> Report:
    """The same report a day later."""
    run = msgspec.structs.replace(
        report.run, id="r-later", started_at="2026-11-25T02:00:00Z", finished_at="2026-11-25T02:03:00Z"
    )
    return msgspec.structs.replace(report, run=run, **how)


@pytest.mark.parametrize("name", sorted(set(queries()) - {"no-night"}))
def test_every_query_has_something_to_show(name: str) -> None:
    assert answers(name, night())


@pytest.mark.parametrize("name", sorted(set(queries()) - {"no-night"}))
def test_rows_that_are_sent_show_what_the_file_shows(name: str) -> None:
    shown = answers(name, night(), rows=sent)
    assert shown == answers(name, night())
    assert shown


def test_rows_that_come_twice_are_one_alert() -> None:
    once = answers("confirmed-new-failures", night(), rows=sent)
    assert answers("confirmed-new-failures", night(), night(), rows=sent) == once


def test_the_posture_is_the_newest_state_of_each_finding() -> None:
    first = night()
    mended = tuple(
        msgspec.structs.replace(each, outcome=Outcome.PASS, waiver=None) if each.outcome is Outcome.FAIL else each
        for each in first.findings
    )
    failing = [each for each in first.findings if each.outcome is Outcome.FAIL]
    before = {row["Outcome"]: row["Findings"] for row in answers("posture", first)}
    after = {row["Outcome"]: row["Findings"] for row in answers("posture", first, later(first, findings=mended))}
    assert before == Counter(each.outcome.value for each in first.findings)
    assert "fail" not in after
    assert after["pass"] == before["pass"] + len(failing)
    assert [row["Run"] for row in answers("runs", first, later(first))] == ["r-later", first.run.id]


def test_what_fails_now_leaves_out_what_is_accepted_and_tells_the_rest() -> None:
    report = night()
    failing = [each for each in report.findings if each.outcome is Outcome.FAIL]
    accepted = [each for each in failing if each.waiver]
    assert accepted
    shown = answers("failing", report)
    assert {row["ResourceId"] for row in shown} == {each.resource.id for each in failing if not each.waiver}
    assert [row["Owner"] for row in answers("waivers", report)] == [
        each.waiver.owner for each in accepted if each.waiver
    ]
    assert sum(row["Failures"] for row in answers("checks", report)) == len(failing)
    assert sum(row["Failures"] for row in answers("subscriptions", report)) == len(failing)


def test_the_rule_tells_new_and_changed_failures_that_are_serious() -> None:
    report = night()
    wanted = {
        each.id
        for each in report.findings
        if each.outcome is Outcome.FAIL
        and each.waiver is None
        and each.severity in (Severity.CRITICAL, Severity.HIGH)
        and each.drift is not None
        and each.drift.state in ("new", "changed")
    }
    assert wanted
    assert {row["FindingId"] for row in answers("confirmed-new-failures", report)} == wanted


def test_a_night_that_stays_away_is_noticed() -> None:
    old = night()
    ended = msgspec.structs.replace(old.run, finished_at="2026-01-01T02:00:00Z")
    assert answers("no-night", msgspec.structs.replace(old, run=ended))
    assert answers("no-night"), "no run at all is no night either"
    today = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    fresh = msgspec.structs.replace(old.run, finished_at=today)
    assert answers("no-night", msgspec.structs.replace(old, run=fresh)) == []


def test_the_table_has_every_column_that_is_asked_for() -> None:
    table = json.loads((FOLDER / "table.json").read_text(encoding="utf-8"))
    events = json.loads(render_ocsf(night()))
    carried = {name for event in events for name in event} | {"TimeGenerated"}
    assert {each["name"] for each in table["columns"]} <= carried
    for each in table["columns"]:
        values = [event[each["name"]] for event in events if each["name"] in event]
        kinds: dict[str, type | tuple[type, ...]] = {
            "string": str,
            "int": int,
            "long": int,
            "dynamic": (dict, list),
            "datetime": object,
        }
        assert all(isinstance(value, kinds[each["type"]]) for value in values), each["name"]
