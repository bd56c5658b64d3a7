"""Rows to Azure Monitor: over TLS, signed in with the real azure-identity, to the replica's Logs Ingestion API."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from auditor.clouds import CloudProfile, resolve_cloud
from auditor.findings import EvidenceRecord, Finding, Report
from auditor.notify import (
    Attempt,
    LogTable,
    Parcel,
    Refused,
    Sender,
    Webhook,
    deliver,
    parcels_for,
    put,
    read_targets,
    standings,
    trial_parcel,
    undelivered,
)
from auditor.notify.rows import COLUMNS, MOST_BYTES, halves, packed, row, unpacked
from auditor.replica import Estate, Replica, load, serve
from auditor.values import Outcome
from tests.notify import receiving
from tests.notify.receiving import NOW, SECRET
from tests.report.factory import finding, report, rid
from tests.report.sample import night
from tests.service.test_process import ESTATE

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine

RULE, STREAM = f"dcr-{'0123456789abcdef' * 2}", "Custom-AuditorFindings_CL"
ROOT = Path(__file__).resolve().parents[2]


def of_cloud(cloud: str) -> Estate:
    return replace(load(ESTATE), cloud=cloud)


@pytest.fixture(scope="module")
def replica() -> Iterator[Replica]:
    with serve(of_cloud("china"), quota=False, log_rules={RULE: [STREAM]}) as made:
        yield made


@pytest.fixture
def sender(replica: Replica) -> Iterator[Sender]:
    made = sender_of(replica)
    replica.set_faults(None)
    yield made
    made.close()


def cloud_of(replica: Replica, name: str = "china") -> CloudProfile:
    return resolve_cloud(name, replica.environment())


def sender_of(replica: Replica, name: str = "china") -> Sender:
    return Sender(cloud_of(replica, name), replica.environment())


def table(replica: Replica, **how: Any) -> LogTable:
    given = {"endpoint": replica.base_url, "audience": "https://monitor.azure.cn", "rule": RULE, "stream": STREAM}
    return LogTable("sentinel", **(given | how))


def long_night(count: int, evidence_characters: int = 3_000) -> Report:
    """As many new failures, each with evidence as long as that."""
    subnets = [rid("Microsoft.Network/virtualNetworks/subnets", "v", f"s{number}") for number in range(count)]
    found = [finding(resource_id=each, outcome=Outcome.FAIL, drift="new") for each in subnets]
    evidence = EvidenceRecord(resource="/a", path="b", value="x" * evidence_characters)
    return report(*(msgspec.structs.replace(each, evidence=(evidence, evidence)) for each in found))


def rows_in(parcel: Parcel) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(gzip.decompress(unpacked(parcel.content)))
    return rows


# ---------------------------------------------------------------- rows


def test_news_are_rows_and_all_findings_if_asked_for(replica: Replica) -> None:
    (told,) = parcels_for(table(replica), night())
    drifted = [each for each in night().findings if each.drift and each.drift.state in ("new", "changed", "resolved")]
    assert [each["finding_info"]["uid"] for each in rows_in(told)] == [each.id for each in drifted_in_order(drifted)]
    (everything,) = parcels_for(table(replica, rows="all"), night())
    assert len(rows_in(everything)) == len(night().findings)
    assert everything.id == told.id == f"auditor-{night().run.id}"


def drifted_in_order(found: list[Finding]) -> list[Finding]:
    from auditor.findings import sort_key

    return sorted(found, key=sort_key)


def test_a_quiet_night_sends_rows_only_where_all_are_wanted(replica: Replica) -> None:
    quiet = report(finding(outcome=Outcome.FAIL, drift="unchanged"))
    assert parcels_for(table(replica), quiet) == ()
    assert len(parcels_for(table(replica, rows="all"), quiet)) == 1


def test_rows_are_the_tables_columns_and_say_which_run_they_are_of() -> None:
    (first, *_) = night().findings
    made = row(first, night())
    assert list(made) == [name for name in COLUMNS if name in made]
    assert made["TimeGenerated"] == night().run.finished_at
    assert made["metadata"]["uid"] == f"{night().run.id}/{first.id}"
    assert made["unmapped"]["run_complete"] is night().run.complete is False


def test_no_request_is_over_the_limit_and_no_row_is_lost(replica: Replica) -> None:
    many = long_night(700)
    parcels = parcels_for(table(replica), many)
    assert len(parcels) > 2
    assert len({each.id for each in parcels}) == len(parcels)
    assert [each["finding_info"]["uid"] for each in (row for each in parcels for row in rows_in(each))] == [
        each.id for each in drifted_in_order(list(many.findings))
    ]
    for each in parcels:
        assert len(gzip.decompress(unpacked(each.content))) <= MOST_BYTES
        assert len(unpacked(each.content)) <= MOST_BYTES
    assert parcels == parcels_for(table(replica), many), "the same run is the same parcels"


def test_a_value_that_azure_would_cut_is_cut_legibly() -> None:
    (plain,) = long_night(1).findings
    evidence = tuple(EvidenceRecord(resource="/a", path=f"p{n}", value="y" * 5_000) for n in range(400))
    made = row(msgspec.structs.replace(plain, evidence=evidence, message="段" * 500_000), night())
    assert all(len(json.dumps(value, ensure_ascii=False).encode()) <= 64_000 for value in made.values())
    assert made["unmapped"]["shortened"] is made["finding_info"]["shortened"] is True
    assert (made["unmapped"]["outcome"], made["unmapped"]["drift"]) == ("fail", "new")
    assert made["message"].endswith("段…")
    assert "shortened" not in row(plain, night())["unmapped"]


def test_the_columns_are_those_of_the_dashboards_table_and_of_the_bicep_file() -> None:
    document = json.loads((ROOT / "deploy" / "dashboards" / "table.json").read_text(encoding="utf-8"))
    assert {each["name"]: each["type"] for each in document["columns"]} == COLUMNS


# ---------------------------------------------------------------- the wire


def test_rows_arrive_signed_in_for_azure_monitor_of_the_cloud(replica: Replica, sender: Sender) -> None:
    (parcel,) = parcels_for(table(replica), night())
    before = len(replica.uploads)
    sender.send(table(replica), parcel, NOW)
    upload = replica.uploads[before]
    assert (upload.rule, upload.stream, upload.rows) == (RULE, STREAM, rows_in(parcel))
    assert upload.size == len(unpacked(parcel.content)), "it came compressed"
    sender.send(table(replica), parcel, NOW)
    assert replica.uploads[before + 1].client_request_id == upload.client_request_id != ""


def test_a_table_is_tried_with_a_row_that_no_alert_takes(replica: Replica, sender: Sender) -> None:
    before = len(replica.uploads)
    sender.send(table(replica), trial_parcel(table(replica), NOW), NOW)
    ((only,),) = [each.rows for each in replica.uploads[before:]]
    assert set(only) <= set(COLUMNS)
    assert only["unmapped"]["outcome"] == "not-applicable"


def test_one_sign_in_serves_many_requests(replica: Replica, sender: Sender) -> None:
    replica.forget_requests()
    for parcel in parcels_for(table(replica), long_night(700)):
        sender.send(table(replica), parcel, NOW)
    operations = [each.operation for each in replica.requests]
    assert operations.count("token") == 1
    assert operations.count("logs") > 2


@pytest.mark.parametrize("audience", ["https://monitor.azure.com", "https://management.chinacloudapi.cn"])
def test_a_token_for_somebody_else_is_not_to_be_had(replica: Replica, sender: Sender, audience: str) -> None:
    (parcel,) = parcels_for(table(replica), night())
    before = len(replica.uploads)
    with pytest.raises(Refused):
        sender.send(table(replica, audience=audience), parcel, NOW)
    assert len(replica.uploads) == before


def test_a_token_for_resource_manager_is_refused(replica: Replica, sender: Sender) -> None:
    (parcel,) = parcels_for(table(replica), night())
    with pytest.raises(Refused, match=r"401|InvalidAuthenticationToken"):
        sender.send(table(replica, audience=replica.base_url), parcel, NOW)


def test_what_azure_says_is_told_in_a_word(replica: Replica, sender: Sender) -> None:
    (parcel,) = parcels_for(table(replica), night())
    with pytest.raises(Refused, match=r"^status 404 NotFound$"):
        sender.send(table(replica, rule=f"dcr-{'f' * 32}"), parcel, NOW)
    with pytest.raises(Refused, match=r"^status 400 InvalidStream$"):
        sender.send(table(replica, stream="Custom-Other"), parcel, NOW)


def test_a_certificate_that_nobody_knows_ends_it(replica: Replica) -> None:
    unknowing = Sender(replace(cloud_of(replica), ca_bundle=None), replica.environment())
    (parcel,) = parcels_for(table(replica), night())
    with pytest.raises(Refused) as refused:
        unknowing.send(table(replica), parcel, NOW)
    assert "127.0.0.1" not in str(refused.value)
    unknowing.close()


def test_a_webhooks_certificate_is_verified_too(replica: Replica) -> None:
    hook = Webhook("hook", f"{replica.base_url}/hook", SECRET)
    with pytest.raises(Refused, match="status 405"):
        Sender(cloud_of(replica)).send(hook, receiving.parcel(), NOW)
    replica.forget_requests()
    with pytest.raises(Refused, match="SSLError"):
        Sender(replace(cloud_of(replica), ca_bundle=None)).send(hook, receiving.parcel(), NOW)
    assert replica.requests == []


# ---------------------------------------------------------------- through the outbox


def tried(engine: Engine, target: LogTable, sender: Sender, late: timedelta = timedelta()) -> list[Attempt]:
    return list(deliver(engine, target, lambda: NOW + late, sender.send))


def test_throttled_it_waits_as_long_as_it_is_told(engine: Engine, replica: Replica, sender: Sender) -> None:
    target, before = table(replica), len(replica.uploads)
    parcels = parcels_for(target, long_night(700))
    put(engine, [(target.name, each) for each in parcels], NOW)
    replica.set_faults(
        [
            {
                "match": {"operation": "logs"},
                "fault": 429,
                "code": "Throttled",
                "retryAfter": "1200",
                "after": 1,
                "times": 1,
            }
        ]
    )
    first, second = tried(engine, target, sender)
    assert (first.result, second.result, second.note) == ("delivered", "refused", "status 429 Throttled")
    replica.forget_requests()
    late = timedelta(minutes=20)
    assert parcels[1].id not in [each.parcel_id for each in tried(engine, target, sender, late - timedelta(seconds=1))]
    tried(engine, target, sender, late)
    arrived = [row["metadata"]["uid"] for upload in replica.uploads[before:] for row in upload.rows]
    assert sorted(arrived) == sorted(row["metadata"]["uid"] for each in parcels for row in rows_in(each))
    assert undelivered(engine) == ()


def test_too_large_it_is_cut_in_two_until_it_is_taken(engine: Engine, replica: Replica, sender: Sender) -> None:
    target, before = table(replica), len(replica.uploads)
    (parcel,) = parcels_for(target, long_night(5))
    put(engine, [(target.name, parcel)], NOW)
    replica.set_faults([{"match": {"operation": "logs"}, "fault": 413, "times": 2}])
    assert [each.result for each in tried(engine, target, sender)] == ["delivered"] * 3
    arrived = [row["metadata"]["uid"] for upload in replica.uploads[before:] for row in upload.rows]
    assert arrived == [row["metadata"]["uid"] for row in rows_in(parcel)]
    assert put(engine, [(target.name, parcel)], NOW) == 0, "in pieces it is kept still"


def test_one_row_that_is_too_large_is_given_up_and_seen(engine: Engine, replica: Replica, sender: Sender) -> None:
    target = table(replica)
    (parcel,) = parcels_for(target, long_night(1))
    put(engine, [(target.name, parcel)], NOW)
    replica.set_faults([{"match": {"operation": "logs"}, "fault": 413}])
    assert [each.result for each in tried(engine, target, sender)] == ["given-up"]
    (standing,) = standings(engine)
    assert standing.given_up == 1


@pytest.mark.parametrize("fault", [403, 404, 500, 503, "reset"])
def test_whatever_else_goes_wrong_is_tried_again(
    engine: Engine, replica: Replica, sender: Sender, fault: int | str
) -> None:
    target, before = table(replica), len(replica.uploads)
    (parcel,) = parcels_for(target, night())
    put(engine, [(target.name, parcel)], NOW)
    replica.set_faults([{"match": {"operation": "logs"}, "fault": fault, "times": 1}])
    (first,) = tried(engine, target, sender)
    assert first.result == "refused"
    assert "127.0.0.1" not in first.note
    (second,) = tried(engine, target, sender, timedelta(minutes=2))
    assert second.result == "delivered"
    assert len(replica.uploads) == before + 1


def test_halves_hold_every_row_once_and_in_order() -> None:
    rows = [json.dumps({"n": number}).encode() for number in range(5)]
    pieces = halves(packed(rows))
    assert pieces is not None
    told = [json.loads(gzip.decompress(unpacked(each))) for each in pieces]
    assert [each["n"] for each in (*told[0], *told[1])] == [0, 1, 2, 3, 4]
    assert halves(packed(rows[:1])) is None


def test_the_configuration_takes_a_replica_for_an_endpoint(replica: Replica, sender: Sender, tmp_path: Path) -> None:
    path = tmp_path / "auditor.toml"
    path.write_text(
        '[[notify]]\nname = "sentinel"\nkind = "azure-monitor"\n'
        f'endpoint = "{replica.base_url}"\nrule = "{RULE}"\nstream = "{STREAM}"\n',
        encoding="utf-8",
    )
    (target,) = read_targets(path, {}, named=True, cloud=cloud_of(replica))
    (parcel,) = parcels_for(target, night())
    before = len(replica.uploads)
    sender.send(target, parcel, NOW)
    assert len(replica.uploads) == before + 1
