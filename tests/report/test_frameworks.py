"""The table of frameworks: complete, of the right form, and said in every format that has a place for it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from auditor.config import GROUPINGS as SETTINGS
from auditor.evaluate import load_catalogue
from auditor.report import GROUPINGS, render_csv, render_ocsf, render_sarif
from auditor.report.frameworks import Framework, controls_of, frameworks, labels, mapped_checks, page
from auditor.report.matrix import evidence
from auditor.report.wording import languages
from auditor.values import Outcome
from tests.report import factory, sample
from tests.report.factory import cluster_id, finding, rid

each_framework = pytest.mark.parametrize("framework", frameworks(), ids=lambda each: each.id)


def test_every_check_of_the_catalogue_is_mapped_and_no_other() -> None:
    assert sorted(mapped_checks()) == sorted(check.id for check in load_catalogue())


@each_framework
def test_every_control_has_the_frameworks_form(framework: Framework) -> None:
    assert framework.controls
    for control in framework.controls:
        assert re.fullmatch(framework.form, control), control


@each_framework
def test_every_control_is_used_and_every_control_used_is_described(framework: Framework) -> None:
    used = {control for check in mapped_checks() for control in controls_of(check).get(framework.id, ())}
    assert used == set(framework.controls)


def test_a_check_names_known_frameworks_only_and_no_control_twice() -> None:
    known = {framework.id for framework in frameworks()}
    for check in mapped_checks():
        assert set(controls_of(check)) <= known, check
        for controls in controls_of(check).values():
            assert len(controls) == len(set(controls)), check


@each_framework
def test_every_text_is_there_in_every_language(framework: Framework) -> None:
    for words in (framework.name, framework.short, *framework.controls.values()):
        assert set(words) == set(languages())
        assert all(words.values())


def test_reports_can_group_by_each_framework() -> None:
    assert {framework.id for framework in frameworks()} <= set(GROUPINGS)
    assert SETTINGS == GROUPINGS


def test_the_page_is_fresh() -> None:
    written = Path(__file__).resolve().parents[2] / "docs" / "frameworks.md"
    assert written.read_text(encoding="utf-8").endswith(page()), "write it anew: make docs"


def test_a_check_of_a_users_own_maps_to_nothing() -> None:
    assert labels("our-own-check") == []
    assert labels("aks-private-api-server")[1:4] == ["MCSB NS-2", "CIS AKS 5.4.1", "CIS AKS 5.4.2"]


# ---- in the formats --------------------------------------------------------------------------------------------

PRIVATE = finding("aks-private-api-server", cluster_id("one"), outcome=Outcome.FAIL)
OWN = finding("our-own-check", cluster_id("one"), outcome=Outcome.FAIL)


def test_sarif_relates_rules_to_taxa() -> None:
    run: dict[str, Any] = json.loads(render_sarif(factory.report(PRIVATE, OWN)))["runs"][0]
    taxonomies = {each["name"]: each for each in run["taxonomies"]}
    rules = {rule["id"]: rule for rule in run["tool"]["driver"]["rules"]}
    assert "relationships" not in rules["our-own-check"]
    related = [
        (each["target"]["toolComponent"]["name"], each["target"]["id"])
        for each in rules["aks-private-api-server"]["relationships"]
    ]
    assert ("CIS Azure Kubernetes Service (AKS) Benchmark", "5.4.2") in related
    for each in rules["aks-private-api-server"]["relationships"]:
        target = each["target"]
        taxonomy = run["taxonomies"][target["toolComponent"]["index"]]
        assert taxonomy["name"] == target["toolComponent"]["name"]
        assert taxonomy["taxa"][target["index"]]["id"] == target["id"]
    assert {each["name"] for each in run["tool"]["driver"]["supportedTaxonomies"]} == set(taxonomies)


def test_ocsf_names_requirements_and_standards() -> None:
    [event] = json.loads(render_ocsf(factory.report(PRIVATE)))
    assert "CIS AKS 5.4.2" in event["compliance"]["requirements"]
    assert "CIS Azure Kubernetes Service (AKS) Benchmark 1.7.0" in event["compliance"]["standards"]
    [own] = json.loads(render_ocsf(factory.report(OWN)))
    assert len(own["compliance"]["requirements"]) == 1


def test_csv_lists_controls() -> None:
    header, row = render_csv(factory.report(PRIVATE)).decode().splitlines()
    assert header.endswith('"controls"')
    assert "MCSB NS-2; CIS AKS 5.4.1; CIS AKS 5.4.2" in row


# ---- the evidence table ----------------------------------------------------------------------------------------


def test_a_control_shows_the_worst_of_its_checks_for_each_cluster() -> None:
    passing = finding("aks-private-api-server", cluster_id("two"))
    ranges = finding("aks-apiserver-authorized-ranges", cluster_id("two"), outcome=Outcome.WARN)
    table = next(each for each in evidence([PRIVATE, passing, ranges]) if each.framework.id == "cis-aks")
    assert table.clusters == (cluster_id("one"), cluster_id("two"))
    cells = {row.control: [cell and cell.outcome for cell in row.cells] for row in table.rows}
    assert cells == {"5.4.1": [Outcome.FAIL, Outcome.WARN], "5.4.2": [Outcome.FAIL, Outcome.PASS]}


def test_findings_about_a_clusters_subnet_count_for_it_where_the_topology_says_so() -> None:
    subnet = rid("Microsoft.Network/virtualNetworks/subnets", "v", "nodes")
    rules = finding("nsg-acr-outbound", subnet, outcome=Outcome.FAIL)
    one, two = cluster_id("one"), cluster_id("two")
    table = next(each for each in evidence([rules, PRIVATE], {rules.id: (one, two)}) if each.framework.id == "mcsb")
    cells = {row.control: [cell and cell.outcome for cell in row.cells] for row in table.rows}
    assert cells["NS-1"] == [Outcome.FAIL, Outcome.FAIL]
    assert cells["NS-2"] == [Outcome.FAIL, None]


def test_without_clusters_there_is_no_table() -> None:
    assert evidence(factory.CLEAN.findings) == ()


def test_the_nights_tables_have_a_row_for_each_control_that_was_checked() -> None:
    tables = {table.framework.id: table for table in evidence(sample.night().findings)}
    assert list(tables) == [framework.id for framework in frameworks() if framework.id in tables]
    assert [row.control for row in tables["source"].rows][:3] == ["S3a", "S5", "S6"]
