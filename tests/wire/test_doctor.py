"""What is said before a scan: what will not be readable, and what to grant."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

from auditor.collect import Clock, CollectRequest
from auditor.collect.doctor import Diagnosis, examine
from tests.wire import estate as e
from tests.wire.conftest import Azure


def examined(azure: Azure, request: CollectRequest | None = None, ahead_s: float = 0) -> list[Diagnosis]:
    waiting = azure.waiting.clock
    clock = Clock(lambda: datetime.now(UTC) + timedelta(seconds=ahead_s), waiting.monotonic, waiting.sleep)
    return examine(request or azure.request(), clock=clock)


def of(found: list[Diagnosis], topic: str) -> list[Diagnosis]:
    return [each for each in found if each.topic == topic]


def test_all_is_well(azure: Azure) -> None:
    found = examined(azure)
    assert {each.verdict for each in found} == {"ok"}
    assert [each.topic for each in found] == [
        "credentials",
        "reachability",
        "clock",
        "resource graph",
        "rights",
        "rights",
        "directory",
        "service tags",
    ]
    assert {record.method for record in azure.replica.requests} == {"GET", "POST"}
    assert not {"write", "unknown"} & {record.operation for record in azure.replica.requests}


def test_wrong_secret_ends_it(azure: Azure) -> None:
    [found] = examined(azure, azure.request({"AZURE_CLIENT_SECRET": "another"}))
    assert (found.topic, found.verdict) == ("credentials", "problem")
    assert found.text.startswith("wrong secret")


def test_an_unknown_tenant_may_be_another_clouds(azure: Azure) -> None:
    cloud, credentials = examined(azure, azure.request({"AZURE_TENANT_ID": "99999999-0000-4000-8000-000000000009"}))
    assert cloud.topic == "cloud"
    assert "--cloud public" in cloud.hint
    assert credentials.verdict == "problem"


def test_arm_out_of_reach(azure: Azure) -> None:
    request = azure.request()
    request = dataclasses.replace(
        request, cloud=dataclasses.replace(request.cloud, arm_endpoint="https://nowhere.invalid")
    )
    *_, last = examined(azure, request)
    assert (last.topic, last.verdict) == ("reachability", "problem")
    assert "nowhere.invalid" in last.text


def test_a_clock_that_is_wrong(azure: Azure) -> None:
    [clock] = of(examined(azure, ahead_s=400), "clock")
    assert clock.verdict == "problem"
    assert "ahead of" in clock.text
    [clock] = of(examined(azure, ahead_s=-90), "clock")
    assert clock.verdict == "warn"
    assert "behind" in clock.text


def test_a_hidden_subscription_is_named(azure: Azure) -> None:
    azure.holds(e.estate(unreadable=[f"/subscriptions/{e.LAB}"]))
    [rights] = of(examined(azure), "rights")
    assert rights.verdict == "problem"
    assert e.LAB in rights.text
    assert rights.hint == "grant Reader on /providers/Microsoft.Management/managementGroups/platform"


def test_a_subscription_that_is_not_visible(azure: Azure) -> None:
    azure.holds(e.estate(unreadable=[f"/subscriptions/{e.LAB}"]))
    found = of(examined(azure, azure.request(subscriptions=(e.ML, e.LAB))), "rights")
    assert {each.verdict: each.hint for each in found}["problem"] == f"grant Reader on /subscriptions/{e.LAB}"
    assert "ok" in {each.verdict for each in found}


def test_a_table_that_the_cloud_lacks_is_no_problem(azure: Azure) -> None:
    azure.holds(e.estate(lacksTables=["authorizationresources"]))
    [table] = of(examined(azure), "resource graph")
    assert table.verdict == "warn"
    assert "authorizationresources" in table.text


def test_microsoft_graph_refused(azure: Azure) -> None:
    body = e.estate()
    body["applications"][0]["graph"] = False
    azure.holds(body)
    [directory] = of(examined(azure), "directory")
    assert directory.verdict == "warn"
    assert "GroupMember.Read.All" in directory.hint


def test_no_service_tags(azure: Azure) -> None:
    azure.holds(e.estate(serviceTags=None))
    [tags] = of(examined(azure), "service tags")
    assert tags.verdict == "warn"
    assert "--service-tags" in tags.hint
