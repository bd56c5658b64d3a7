"""`report.html` as text: its security policy, its determinism, and what it is made of."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re

import pytest

from auditor.findings import Report
from auditor.report import render_html
from auditor.report.embedding import PACK, embed
from auditor.report.triage import reading_order
from tests.report import factory, sample

REPORTS = {"a night": sample.night(), "hostile": factory.hostile(), "without findings": factory.report()}
each_report = pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)


def policy(page: str) -> dict[str, list[str]]:
    match = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert match
    parts = (part.split() for part in match[1].split(";"))
    return {name: values for name, *values in parts}


@each_report
def test_the_policy_allows_this_style_and_this_script_and_nothing_else(report: Report) -> None:
    page = render_html(report)
    style, script = (
        base64.b64encode(hashlib.sha256(found.encode()).digest()).decode()
        for found in (
            re.findall(r"<style>(.*?)</style>", page, re.DOTALL)[0],
            re.findall(r"<script>(.*?)</script>", page, re.DOTALL)[-1],
        )
    )
    assert policy(page) == {
        "default-src": ["'none'"],
        "script-src": [f"'sha256-{script}'"],
        "style-src": [f"'sha256-{style}'"],
        "base-uri": ["'none'"],
        "form-action": ["'none'"],
        "require-trusted-types-for": ["'script'"],
    }


@each_report
def test_nothing_in_the_page_is_fetched(report: Report) -> None:
    page = render_html(report)
    assert not re.findall(
        r"<(?:link|img|iframe|object|embed|base)\b|\bsrc=|@import|url\(|\sstyle=|\son\w+=\"",
        page.split("<noscript>")[0],
    )
    assert "innerHTML" not in page.replace("no innerHTML", "")


@each_report
def test_the_same_report_gives_the_same_page(report: Report) -> None:
    assert render_html(report) == render_html(report)


def test_the_embedded_data_holds_every_finding_once_in_reading_order() -> None:
    findings = reading_order(factory.many(PACK * 2 + 1).findings)
    data = embed(findings)
    index = json.loads(gzip.decompress(base64.b64decode(data.index)))
    assert index["columns"]["id"] == [finding.id for finding in findings]
    packs = [json.loads(gzip.decompress(base64.b64decode(pack))) for pack in data.packs]
    assert [len(pack["rows"]) for pack in packs] == [PACK, PACK, 1]
    assert {len(column) for column in index["columns"].values()} == {len(findings)}


def test_embedded_data_cannot_end_its_element() -> None:
    data = embed(factory.hostile().findings)
    assert re.fullmatch(r"[A-Za-z0-9+/=]+", data.index + "".join(data.packs))


def test_what_clusters_share_is_grouped_under_them() -> None:
    """A subnet has no cluster in its id: the pictures' findings tell which clusters it counts for."""
    from auditor.report.embedding import _shared

    ids = tuple(f"/subscriptions/s/resourceGroups/g/providers/x/managedClusters/{name}" for name in ("b", "a"))
    assert _shared(()) == ""
    assert _shared(ids[:1]) == ids[0]
    assert _shared(ids) == "/a + b"
