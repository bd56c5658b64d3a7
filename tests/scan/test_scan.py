"""One scan of snapshots from start to end: exit statuses, broken input, clouds, tags, baseline, waivers, history."""

from __future__ import annotations

import gc
import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from auditor.config import Settings, load_settings
from auditor.errors import AuditorError, NothingRead, UsageProblem
from auditor.report import write
from auditor.scan import ScanResult, scan
from tests.estate import Thing, attached, cluster, deny_out, nsg, registry, rows, service_tags, subnet

NOW = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)


def snapshot(path: Path, *things: Thing, extra: str = "") -> Path:
    path.write_text("\n".join([json.dumps(row) for row in rows(*things)[0]] + ([extra] if extra else [])))
    return path


def settings(tmp_path: Path, **flags: Any) -> Settings:
    return load_settings({"no_history": True, **flags}, {}, tmp_path)


def run(tmp_path: Path, *things: Thing, extra: str = "", **flags: Any) -> ScanResult:
    path = snapshot(tmp_path / "estate.jsonl", *things, extra=extra)
    return scan(settings(tmp_path, snapshot=(str(path),), **flags), environment={}, clock=lambda: NOW)


GREEN = cluster(nodes=None)
RED = cluster(private=False)


def test_a_finding_at_the_threshold_is_one_below_it_is_nothing(tmp_path: Path) -> None:
    assert run(tmp_path, RED).exit_status == 1
    assert run(tmp_path, RED, fail_on="critical").exit_status == 0
    assert run(tmp_path, RED, fail_on="never").exit_status == 0
    assert run(tmp_path, RED, check=("scan-*",)).exit_status == 0


@pytest.mark.parametrize("content", [None, b"{"])
def test_pythons_collector_works_again_behind_a_scan(tmp_path: Path, content: bytes | None) -> None:
    """It rests while an estate is read and judged; a service goes on for months."""
    if content is None:
        run(tmp_path, cluster())
    else:
        broken = tmp_path / "broken.jsonl"
        broken.write_bytes(content)
        with pytest.raises(UsageProblem):
            scan(settings(tmp_path, snapshot=[broken]), environment={})
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0


def test_strict_counts_warnings_and_unknowns(tmp_path: Path) -> None:
    unknown = cluster(principal=None, nodes=subnet())
    only: dict[str, Any] = {"check": ("aks-identity-subnet-join-effective",)}
    assert run(tmp_path, unknown, **only).exit_status == 0
    assert run(tmp_path, unknown, strict=True, **only).exit_status == 1


def test_only_new_and_changed_count_for_fail_on_drift(tmp_path: Path) -> None:
    only: dict[str, Any] = {"check": ("aks-private-api-server",)}
    before = run(tmp_path, RED, **only)
    write(before.report, ["json"], tmp_path / "before")
    baseline = str(tmp_path / "before" / "report.json")
    assert run(tmp_path, RED, baseline=baseline, fail_on_drift=True, **only).exit_status == 0
    write(run(tmp_path, GREEN, **only).report, ["json"], tmp_path / "before")
    after = run(tmp_path, RED, baseline=baseline, fail_on_drift=True, **only)
    assert after.exit_status == 1
    assert after.report.summary.drift is not None
    assert after.report.summary.drift["new"] == 1


def test_incomplete_wins_over_findings_and_they_are_still_there(tmp_path: Path) -> None:
    header = {"type": "auditor/snapshot", "version": 1, "takenAt": "2026-11-24T02:00:00+00:00", "cloud": "public",
              "tenantId": "t", "scopes": ["/subscriptions/none"],
              "gaps": [{"scope": "/subscriptions/none", "what": "*", "reason": "403"}]}  # fmt: skip
    result = run(tmp_path, RED, extra=json.dumps(header))
    assert result.exit_status == 3
    assert result.report.summary.outcomes["fail"] >= 1


def test_a_broken_line_stops_the_scan_or_makes_it_incomplete_and_nothing_passes(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match=r"estate\.jsonl, line \d+: not a JSON object"):
        run(tmp_path, GREEN, extra="oops")
    result = run(tmp_path, GREEN, extra="oops", skip_broken_lines=True)
    assert result.exit_status == 3
    assert not [f for f in result.report.findings if f.check == "scan-coverage" and f.outcome == "pass"]


@pytest.mark.parametrize(
    "content", [b"", b"\n\n", b"[]", b'{"data": []}', b"\x00\x01\x02", b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd\x00"]
)
def test_an_empty_or_unreadable_snapshot_is_never_a_green_scan(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "estate.jsonl"
    path.write_bytes(content)
    with pytest.raises(AuditorError) as caught:
        scan(settings(tmp_path, snapshot=(str(path),)), environment={}, clock=lambda: NOW)
    assert caught.value.exit_status in (2, 4)


def test_nothing_to_audit_is_status_four(tmp_path: Path) -> None:
    path = tmp_path / "estate.jsonl"
    path.write_text(json.dumps({"id": "/subscriptions/x/resourceGroups/g/providers/Microsoft.Web/sites/a"}))
    with pytest.raises(NothingRead, match="1 others"):
        scan(settings(tmp_path, snapshot=(str(path),)), environment={}, clock=lambda: NOW)


def test_standard_input_is_a_snapshot_too(tmp_path: Path) -> None:
    content = snapshot(tmp_path / "x", RED).read_bytes()
    found = scan(settings(tmp_path, snapshot=("-",)), environment={}, clock=lambda: NOW, stdin=io.BytesIO(content))
    assert found.exit_status == 1


def test_the_same_snapshot_gives_the_same_report_but_for_its_run(tmp_path: Path) -> None:
    one, other = run(tmp_path, *attached(RED, registry=registry())), run(tmp_path, *attached(RED, registry=registry()))
    assert one.report.findings == other.report.findings
    assert one.report.run.id != other.report.run.id


def test_a_chinese_snapshot_is_not_judged_as_public(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match="regions of china"):
        run(tmp_path, cluster(region="chinaeast2"))
    report = run(tmp_path, cluster(region="chinaeast2"), cloud="china").report
    assert report.run.cloud == "china"
    assert all(f.source.url.startswith("https://docs.azure.cn/") for f in report.findings)


def tag_file(tmp_path: Path, cloud: str, **tags: list[str]) -> Path:
    path = tmp_path / "tags.json"
    values = service_tags(cloud, **tags).rows[0]["properties"]["values"]
    path.write_text(json.dumps({"changeNumber": 7, "cloud": cloud, "values": values}))
    return path


def test_a_service_tag_file_decides_what_was_undecided(tmp_path: Path) -> None:
    fence = nsg("fence", deny_out(100, to="20.1.0.0/16"))
    things = attached(cluster(nodes=subnet(nsg=fence)), registry=registry())
    only: dict[str, Any] = {"check": ("nsg-acr-outbound",)}
    assert [f.outcome for f in run(tmp_path, *things, **only).report.findings] == ["unknown"]
    path = tag_file(tmp_path, "Public", AzureContainerRegistry__EastUS2=["20.1.0.0/16"])
    [finding] = run(tmp_path, *things, service_tags=path, **only).report.findings
    assert finding.outcome == "fail"
    assert any("service tag file, change number 7" in e.note for e in finding.evidence)


def test_a_service_tag_file_of_another_cloud_or_none_is_refused_before_anything(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match="of the cloud China, but the scan is of public"):
        run(tmp_path, GREEN, service_tags=tag_file(tmp_path, "China"))
    (tmp_path / "none.json").write_text("[1]")
    with pytest.raises(UsageProblem, match="not a service tag file"):
        run(tmp_path, GREEN, service_tags=tmp_path / "none.json")


def test_a_waived_finding_is_shown_and_does_not_count(tmp_path: Path) -> None:
    path = tmp_path / "waivers.toml"
    path.write_text(
        'version = 1\n[[waivers]]\ncheck = "aks-private-api-server"\nresource = "/subscriptions/**"\n'
        'owner = "me"\nreason = "test bed"\nexpires = 2027-01-01\n'
    )
    result = run(tmp_path, RED, waivers=path, check=("aks-private-api-server",))
    [finding] = result.report.findings
    assert result.exit_status == 0
    assert finding.outcome == "fail"
    assert finding.waiver is not None
    assert finding.waiver.owner == "me"


def test_history_gives_the_baseline_and_its_trouble_is_a_note(tmp_path: Path) -> None:
    path = snapshot(tmp_path / "estate.jsonl", RED)
    url = f"sqlite:///{tmp_path / 'history.db'}"
    mine = load_settings({"snapshot": (str(path),), "history": url}, {}, tmp_path)
    first = scan(mine, environment={}, clock=lambda: NOW)
    second = scan(mine, environment={}, clock=lambda: NOW.replace(day=25))
    assert first.report.baseline is None
    assert second.report.baseline is not None
    assert second.report.baseline.run_id == first.report.run.id
    (tmp_path / "history.db").write_bytes(b"not a database at all" * 100)
    third = scan(mine, environment={}, clock=lambda: NOW.replace(day=26))
    assert third.exit_status == 1
    assert {note.kind for note in third.report.run.notes} >= {"history"}


def test_a_severity_of_the_configuration_stands(tmp_path: Path) -> None:
    (tmp_path / "auditor.toml").write_text('[severity]\naks-private-api-server = "low"\n')
    result = run(tmp_path, RED, check=("aks-private-api-server",))
    assert [str(f.severity) for f in result.report.findings] == ["low"]
    assert result.exit_status == 0
    (tmp_path / "auditor.toml").write_text('[severity]\naks-privat-api-server = "low"\n')
    with pytest.raises(UsageProblem, match="did you mean `aks-private-api-server`"):
        run(tmp_path, RED)
