"""The API from outside, over HTTP: scans from asking to report, runs, findings, drift."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
import requests

from tests.service.world import FIRST, OTHER, SCOPE, SUBSCRIPTION, Serving, night

SCANS = "/api/v1/scans"
RUNS = [f"2026010{number}T020000Z-00000{number}" for number in (1, 2, 3)]


def events(answer: requests.Response) -> list[tuple[str, dict[str, Any]]]:
    """(event, data) of a stream that was read to its end."""
    found, kind = [], ""
    for line in answer.iter_lines(decode_unicode=True):
        if line.startswith("event: "):
            kind = line.removeprefix("event: ")
        elif line.startswith("data: "):
            found.append((kind, json.loads(line.removeprefix("data: "))))
    return found


def test_a_scan_from_asking_to_its_report(service: Serving) -> None:
    asked = service.runner.post(SCANS, json={})
    assert asked.status_code == 202
    job = asked.json()
    assert asked.headers["Location"] == f"{SCANS}/{job['id']}"
    assert (job["subscriptions"], job["askedBy"], job["how"]) == ([SUBSCRIPTION], "token:runner", "new")
    done = service.runner.finished(job["id"])
    assert (done["state"], done["exitStatus"], done["runId"]) == ("done", 1, RUNS[0])
    assert service.reader.get(f"/api/v1/runs/{done['runId']}").json()["run"]["id"] == done["runId"]
    assert [each["id"] for each in service.reader.get(SCANS).json()["items"]] == [job["id"]]
    assert service.world.written == []  # on demand, no file is written


def test_scopes_and_checks_reach_the_scan_and_nothing_else_can_be_said(service: Serving) -> None:
    wanted = {"subscriptions": [OTHER.upper()], "managementGroups": ["contoso"], "checks": ["nsg-*"]}
    job = service.runner.post(SCANS, json=wanted).json()
    service.runner.finished(job["id"])
    (settings,) = service.world.scanned
    assert (settings.subscription, settings.management_group, settings.check) == ((OTHER,), ("contoso",), ("nsg-*",))


REFUSED = {
    "a template": ({"template": "/etc/passwd"}, "template"),
    "a folder of checks": ({"checksDir": ["/tmp"]}, "checksDir"),
    "an output": ({"output": "/tmp"}, "output"),
    "a snapshot": ({"snapshot": ["x"]}, "snapshot"),
    "an endpoint": ({"armEndpoint": "https://evil.test"}, "armEndpoint"),
    "a history": ({"history": "sqlite:///x"}, "history"),
    "a scope that is a path": ({"subscriptions": ["../../etc/passwd"]}, "subscriptions"),
    "a group that is a path": ({"managementGroups": ["../x"]}, "managementGroups"),
    "a check that is a path": ({"checks": ["../evil"]}, "checks"),
    "a check that nobody knows": ({"checks": ["no-such-check"]}, "no-such-check"),
    "a number for a list": ({"checks": 7}, "checks"),
    "too many": ({"subscriptions": [SUBSCRIPTION] * 1001}, "subscriptions"),
}


@pytest.mark.parametrize(("body", "named"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_asked_for_is_a_problem_that_names_it(shown: Serving, body: dict[str, Any], named: str) -> None:
    answer = shown.runner.post(SCANS, json=body)
    assert answer.status_code == 400
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert named in answer.json()["detail"]
    assert shown.world.scanned == []


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"null", b"\xff", b'{"checks": NaN}'])
def test_a_body_that_is_none_is_a_problem(shown: Serving, content: bytes) -> None:
    answer = shown.runner.post(SCANS, data=content, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.headers["Content-Type"]) == (400, "application/problem+json")


def test_the_same_scopes_running_are_that_run(service: Serving) -> None:
    service.world.free.clear()
    first = service.runner.post(SCANS, json={}).json()
    second = service.runner.post(SCANS, json={"subscriptions": [SUBSCRIPTION]}).json()
    other = service.runner.post(SCANS, json={"subscriptions": [OTHER]}).json()
    assert (second["id"], second["how"]) == (first["id"], "joined")
    assert other["id"] != first["id"]
    service.world.free.set()
    service.runner.finished(other["id"])
    assert len(service.world.scanned) == 2


def test_an_idempotency_key_gives_the_same_scan_also_when_it_is_done(service: Serving) -> None:
    key = {"Idempotency-Key": "night-42"}
    first = service.runner.post(SCANS, json={}, headers=key).json()
    service.runner.finished(first["id"])
    again = service.runner.post(SCANS, json={}, headers=key).json()
    assert (again["id"], again["how"]) == (first["id"], "repeated")
    other = service.runner.post(SCANS, json={"checks": ["nsg-*"]}, headers=key)
    assert (other.status_code, other.json()["type"]) == (422, "urn:auditor:problem:idempotency-key")
    # A key belongs to its caller.
    mine = service.client(service.world.token("another", "run")).post(SCANS, json={}, headers=key).json()
    assert mine["id"] != first["id"]


def test_an_idempotency_key_of_one_that_was_joined_stays_with_it(service: Serving) -> None:
    service.world.free.clear()
    first = service.runner.post(SCANS, json={}).json()
    joined = service.runner.post(SCANS, json={}, headers={"Idempotency-Key": "k"}).json()
    service.world.free.set()
    service.runner.finished(first["id"])
    again = service.runner.post(SCANS, json={}, headers={"Idempotency-Key": "k"}).json()
    assert [joined["id"], again["id"]] == [first["id"]] * 2


def test_progress_is_told_as_it_goes_on(service: Serving) -> None:
    service.world.free.clear()
    job = service.runner.post(SCANS, json={}).json()["id"]
    assert service.world.begun.acquire(timeout=60)
    answer = service.reader.get(f"{SCANS}/{job}/events", stream=True)
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    service.world.before_end = lambda order: order.progress("references", 3, 3)
    service.world.free.set()
    told = events(answer)
    assert told[0][0] == "state"
    assert told[0][1]["state"] == "running"
    assert ("progress", {"stage": "estate", "done": 1, "total": 3}) in told
    assert (told[-1][0], told[-1][1]["state"]) == ("state", "done")


def test_events_of_a_finished_scan_are_its_state(service: Serving) -> None:
    job = service.runner.post(SCANS, json={}).json()["id"]
    service.runner.finished(job)
    assert [kind for kind, _ in events(service.reader.get(f"{SCANS}/{job}/events", stream=True))] == ["state"]


def test_events_go_on_after_the_last_that_was_heard(service: Serving) -> None:
    service.world.free.clear()
    job = service.runner.post(SCANS, json={}).json()["id"]
    assert service.world.begun.acquire(timeout=60)
    heard = {"Last-Event-ID": "1000"}
    answer = service.reader.get(f"{SCANS}/{job}/events", stream=True, headers=heard)
    service.world.free.set()
    assert "progress" not in [kind for kind, _ in events(answer)]


def test_a_running_scan_is_cancelled_between_two_requests(service: Serving) -> None:
    service.world.free.clear()
    job = service.runner.post(SCANS, json={}).json()["id"]
    assert service.world.begun.acquire(timeout=60)
    cancelled = service.runner.post(f"{SCANS}/{job}/cancel")
    assert (cancelled.status_code, cancelled.json()["state"]) == (202, "cancelling")
    assert service.runner.finished(job)["state"] == "cancelled"
    again = service.runner.post(f"{SCANS}/{job}/cancel")
    assert (again.status_code, again.json()["type"]) == (409, "urn:auditor:problem:finished")


def test_a_waiting_scan_is_cancelled_at_once(service: Serving) -> None:
    service.world.free.clear()
    service.runner.post(SCANS, json={})
    assert service.world.begun.acquire(timeout=60)
    waiting = service.runner.post(SCANS, json={"subscriptions": [OTHER]}).json()["id"]
    assert service.runner.post(f"{SCANS}/{waiting}/cancel").json()["state"] == "cancelled"
    service.world.free.set()
    assert service.runner.finished(waiting)["state"] == "cancelled"


def test_a_scan_that_fails_says_why_and_costs_no_other(service: Serving) -> None:
    def fail(order: object) -> None:
        raise ZeroDivisionError("secret detail")

    service.world.before_end = fail
    failed = service.runner.finished(service.runner.post(SCANS, json={}).json()["id"])
    assert (failed["state"], failed["exitStatus"], failed["note"]) == ("failed", 70, "a defect: ZeroDivisionError")
    service.world.before_end = lambda order: None
    assert service.runner.finished(service.runner.post(SCANS, json={}).json()["id"])["state"] == "done"


def test_a_run_that_the_history_did_not_take_is_a_failed_scan(service: Serving) -> None:
    service.world.forgets = True
    done = service.runner.finished(service.runner.post(SCANS, json={}).json()["id"])
    assert (done["state"], done["runId"]) == ("failed", None)
    assert "not remembered" in done["note"]


# ---------------------------------------------------------------- reading


def test_runs_come_page_by_page_newest_first(shown: Serving) -> None:
    first = shown.reader.get("/api/v1/runs?limit=2").json()
    assert [each["id"] for each in first["items"]] == [RUNS[2], RUNS[1]]
    rest = shown.reader.get(f"/api/v1/runs?limit=2&cursor={first['next']}").json()
    assert ([each["id"] for each in rest["items"]], rest["next"]) == ([RUNS[0]], None)
    assert first["items"][0]["scopes"] == [SCOPE]


def test_findings_are_filtered_and_paged_within_one_run(shown: Serving) -> None:
    path, seen, cursor = "/api/v1/findings?outcome=warn&limit=100", [], None
    while True:
        page = shown.reader.get(path + (f"&cursor={cursor}" if cursor else "")).json()
        assert (page["runId"], page["total"]) == (RUNS[2], 250)
        seen += [each["resource"]["name"] for each in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == [f"aks-{number:03}" for number in range(250)]


FILTERS = {
    "outcome": ("outcome=fail", 2),
    "two outcomes": ("outcome=fail&outcome=warn", 252),
    "severity": ("severity=low", 0),
    "check": ("check=rbac-*", 1),
    "drift": ("drift=new", 250),
    "resource in any case": ("resource=AKS-0", 100),
    "subscription": (f"subscription={SUBSCRIPTION.upper()}", 252),
    "another subscription": (f"subscription={OTHER}", 0),
    "waived": ("waived=true", 0),
    "not waived": ("waived=false&outcome=fail", 2),
    "an older run": (f"run={RUNS[0]}", 2),
}


@pytest.mark.parametrize(("query", "total"), FILTERS.values(), ids=FILTERS)
def test_filters(shown: Serving, query: str, total: int) -> None:
    answer = shown.reader.get(f"/api/v1/findings?{query}")
    assert answer.status_code == 200, answer.text
    assert answer.json()["total"] == total


def test_drift_between_any_two_runs(shown: Serving) -> None:
    found = shown.reader.get(f"/api/v1/runs/{RUNS[0]}/drift/{RUNS[1]}").json()
    assert [(each["check"], each["drift"]["state"]) for each in found["findings"]] == [("nsg-acr-outbound", "new")]
    back = shown.reader.get(f"/api/v1/runs/{RUNS[1]}/drift/{RUNS[0]}").json()
    assert back["counts"]["resolved"] == 1


KINDS = {
    "html": "text/html",
    "json": "application/json",
    "csv": "text/csv",
    "sarif": "application/sarif+json",
    "ocsf": "application/json",
    "markdown": "text/markdown",
    "junit": "application/xml",
    "prometheus": "text/plain",
}


@pytest.mark.parametrize(("name", "kind"), KINDS.items())
def test_a_run_in_every_format(shown: Serving, name: str, kind: str) -> None:
    answer = shown.reader.get(f"/api/v1/runs/{RUNS[1]}/reports/{name}")
    assert (answer.status_code, answer.headers["Content-Type"].split(";")[0]) == (200, kind)
    assert answer.headers["Content-Type"].count("charset") <= 1
    assert b"nsg-acr-outbound" in answer.content or name == "html"


def test_an_html_report_lives_in_an_origin_of_its_own(shown: Serving) -> None:
    policy = shown.reader.get(f"/api/v1/runs/{RUNS[1]}/reports/html").headers["Content-Security-Policy"]
    assert "sandbox allow-scripts" in policy
    assert "allow-same-origin" not in policy
    assert "unsafe" not in policy


def test_a_verdict_is_explained_by_its_steps(shown: Serving) -> None:
    wanted = shown.reader.get(f"/api/v1/findings?run={RUNS[1]}&check=nsg-*").json()["items"][0]
    found = shown.reader.get(f"/api/v1/findings/{wanted['id']}/explanation?run={RUNS[1]}").json()
    assert (found["runId"], found["finding"]) == (RUNS[1], wanted)
    assert found["finding"]["outcome"] == "fail"
    assert [[step["text"] for step in each["steps"]] for each in found["sections"]] == [["aks-1 was looked at"]]


def test_a_pin_makes_a_run_the_baseline_and_can_be_taken_off(service: Serving) -> None:
    service.world.remember(night(1, *FIRST))
    assert service.runner.post(f"/api/v1/runs/{RUNS[0]}/pin").json()["pinned"] is True
    assert service.reader.get(f"/api/v1/runs/{RUNS[0]}").json()["pinned"] is True
    assert service.runner.post(f"/api/v1/runs/{RUNS[0]}/unpin").json()["pinned"] is False


MISSING = (
    f"{SCANS}/20260101T000000Z-00000000",
    f"{SCANS}/20260101T000000Z-00000000/events",
    "/api/v1/runs/20200101T000000Z-000000",
    "/api/v1/runs/20200101T000000Z-000000/reports/json",
    f"/api/v1/runs/{RUNS[0]}/drift/20200101T000000Z-000000",
    "/api/v1/findings?run=20200101T000000Z-000000",
    "/api/v1/findings/00000000000000000000/explanation",
    "/api/v2/runs",
)


@pytest.mark.parametrize("path", MISSING)
def test_what_is_not_there_is_404(shown: Serving, path: str) -> None:
    answer = shown.reader.get(path)
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "application/problem+json")


def test_metrics_tell_of_the_service_and_of_the_newest_run(shown: Serving) -> None:
    shown.reader.get("/api/v1/runs")  # on the same connection, so that it is counted before the next is answered
    text = shown.reader.get("/metrics").text
    assert 'auditor_findings{outcome="warn",severity="high"} 250' in text
    assert "auditor_service_scans_running 0.0" in text
    assert 'auditor_service_requests_total{method="GET",status="2xx"}' in text


def test_a_thousand_askings_at_once_are_bounded(service: Serving) -> None:
    """Everyone gets an answer; as many scans wait as may, and the service goes on."""
    service.world.free.clear()
    answers: list[int] = []
    lock = threading.Lock()

    def ask(worker: int) -> None:
        client = service.client(service.running_token)
        for number in range(25):
            scope = f"{worker:04}{number:04}-0000-4000-8000-000000000000"
            status = client.post(SCANS, json={"subscriptions": [scope]}).status_code
            with lock:
                answers.append(status)

    workers = [threading.Thread(target=ask, args=(number,)) for number in range(40)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(answers) == 1000
    assert set(answers) == {202, 503}
    assert answers.count(202) <= 17  # one runs, sixteen wait
    refused = service.runner.post(SCANS, json={"subscriptions": [OTHER]})
    assert (refused.json()["type"], refused.headers["Retry-After"]) == ("urn:auditor:problem:queue-full", "60")
    assert service.reader.get("/livez").status_code == 200
