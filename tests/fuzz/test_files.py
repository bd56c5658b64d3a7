"""Damaged files beside the snapshot: settings, waivers, service tags, reports, estates. Read, or refused in a line."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor import waivers
from auditor.config import load_settings
from auditor.errors import AuditorError, UsageProblem
from auditor.replica import load as load_estate
from auditor.report import read_report, write
from auditor.scan import scan
from tests.estate import cluster, nsg, rows, subnet
from tests.fuzz.damage import JUNK, at, damaged_bytes, hurt, often, places, put, without

NOW = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)

SETTINGS = b"""
cloud = "china"
subscription = ["00000000-0000-4000-8000-000000000001"]
fail_on = "high"
strict = true
max_rps = 5.0
lang = "en"
scoring_clients = ["10.0.0.0/8"]

[severity]
aks-private-api-server = "low"
"""

WAIVERS = b"""
[[waiver]]
check = "aks-*"
resource = "/subscriptions/*"
reason = "migration, ticket 17"
owner = "platform@example.com"
expires = 2027-01-01
"""

TAGS: dict[str, Any] = {
    "changeNumber": 1,
    "cloud": "Public",
    "values": [
        {
            "name": "Storage.EastUS2",
            "id": "Storage.EastUS2",
            "properties": {"region": "eastus2", "systemService": "AzureStorage", "addressPrefixes": ["20.0.0.0/8"]},
        }
    ],
}


def refused_or(read: Callable[[], object]) -> None:
    """Reading succeeds or ends in a problem that is told in words; anything else is a traceback."""
    with contextlib.suppress(AuditorError):
        read()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


def written(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


damages = st.lists(damaged_bytes, max_size=4)
garbled = st.one_of(
    st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")), st.binary(max_size=60)
)


def worse(content: bytes, how: list[tuple[str, float, int]], tail: bytes) -> bytes:
    for each in how:
        content = hurt(content, each)
    return content + tail


@often(60)
@given(damages, garbled)
def test_settings(folder: Path, how: list[tuple[str, float, int]], tail: bytes) -> None:
    path = written(folder, "given.toml", worse(SETTINGS, how, tail))
    refused_or(lambda: load_settings({"config": str(path)}, {}, folder))


@often(60)
@given(
    st.sampled_from(("CLOUD", "SUBSCRIPTION", "MAX_RPS", "FAIL_ON", "SEVERITY", "PRINCIPALS", "WAIVERS")),
    st.text(max_size=50),
)
def test_settings_of_the_environment(folder: Path, name: str, text: str) -> None:
    refused_or(lambda: load_settings({}, {f"AUDITOR_{name}": text}, folder / "nothing here"))


@often(60)
@given(damages, garbled, st.sampled_from(("toml", "json")))
def test_waivers(folder: Path, how: list[tuple[str, float, int]], tail: bytes, kind: str) -> None:
    whole = WAIVERS
    if kind == "json":
        rule = {"check": "aks-*", "resource": "*", "reason": "r", "owner": "o", "expires": "2027-01-01"}
        whole = json.dumps({"waiver": [rule]}).encode()
    path = written(folder, f"waivers.{kind}", worse(whole, how, tail))
    refused_or(lambda: waivers.load(path))
    waivers.check(path)


def _json_damage(data: st.DataObject, value: Any) -> bytes:
    """A document with a few values of another kind or taken away, and sometimes its bytes hurt."""
    for _ in range(data.draw(st.integers(1, 4))):
        inside = places(value)
        if not inside:
            break
        place = data.draw(st.sampled_from(inside))
        how = data.draw(st.sampled_from(("take", None, *JUNK)))
        value = without(value, place) if how == "take" else put(value, place, how)
        assert value is not None
        at(value, ())
    return worse(json.dumps(value).encode(), data.draw(st.one_of(st.just([]), damages)), b"")


def _snapshot(folder: Path) -> Path:
    nodes = subnet(nsg=nsg("nodes"))
    return written(
        folder, "estate.jsonl", b"\n".join(json.dumps(row).encode() for row in rows(cluster(nodes=nodes))[0])
    )


@often(5)
@given(st.data())
def test_service_tags(folder: Path, data: st.DataObject) -> None:
    tags = written(folder, "tags.json", _json_damage(data, TAGS))
    given_ = {"snapshot": (str(_snapshot(folder)),), "no_history": True, "service_tags": str(tags)}
    only = {"check": ("nsg-storage-outbound", "nsg-mcr-outbound")}

    def read() -> None:
        found = scan(load_settings({**given_, **only}, {}, folder), environment={}, clock=lambda: NOW).report.findings
        assert not [each.message for each in found if each.reason in ("check-error", "no-verdict")]

    refused_or(read)


def test_service_tags_that_are_no_text_are_refused_in_a_line(folder: Path) -> None:
    tags = written(folder, "tags.json", b'{"cloud": "Public", "values": [], "x": "\x80"}')
    flags = {"snapshot": (str(_snapshot(folder)),), "no_history": True, "service_tags": str(tags)}
    with pytest.raises(UsageProblem, match="not a service tag file"):
        scan(load_settings(flags, {}, folder), environment={}, clock=lambda: NOW)


@pytest.fixture(scope="module")
def report_document(folder: Path) -> dict[str, Any]:
    asked = load_settings({"snapshot": (str(_snapshot(folder)),), "no_history": True}, {}, folder)
    write(scan(asked, environment={}, clock=lambda: NOW).report, ["json"], folder / "out")
    document: dict[str, Any] = json.loads((folder / "out" / "report.json").read_text())
    document["findings"] = document["findings"][:6]
    return document


@often(40)
@given(st.data())
def test_report_files(folder: Path, report_document: dict[str, Any], data: st.DataObject) -> None:
    path = written(folder, "report.json", _json_damage(data, report_document))
    refused_or(lambda: read_report(path))


@often(40)
@given(st.data())
def test_estate_files(folder: Path, data: st.DataObject) -> None:
    tenant = {"id": "7a1b0000-0000-4000-8000-000000000001", "name": "Contoso"}
    subscription = {"id": "5b000000-0000-4000-8000-000000000001", "name": "ML", "managementGroup": "contoso"}
    place = f"/subscriptions/{subscription['id']}/resourceGroups/net/providers/Microsoft.Network/routeTables/out"
    body = {"id": place, "type": "Microsoft.Network/routeTables", "name": "out", "properties": {"routes": []}}
    whole = {
        "version": 1,
        "cloud": "public",
        "clock": "2026-11-24T02:00:00Z",
        "tenant": tenant,
        "managementGroups": [{"id": "contoso", "displayName": "Contoso", "parent": None}],
        "subscriptions": [subscription],
        "variables": {"public": {"region": "eastus2"}},
        "resources": [body],
    }
    path = written(folder, "estate.json", _json_damage(data, whole))
    refused_or(lambda: load_estate(path))
