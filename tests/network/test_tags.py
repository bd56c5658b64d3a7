"""Service tags: names, regions, containment by table, and the table held against Microsoft's files."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from auditor.network import (
    AddressSet,
    Relation,
    TagData,
    facts,
    inside_internet,
    not_internet,
    paired_region,
    regional_name,
    relation,
    tag_suffix,
    tags,
)
from tests.network.estate import TAGS

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
CLOUDS = ("public", "china", "usgov")
COVERS, DISJOINT, UNKNOWN = Relation.COVERS, Relation.DISJOINT, Relation.UNKNOWN


def test_names_compare_without_case() -> None:
    assert TAGS.name("AZURECONTAINERREGISTRY.eastus2") == "AzureContainerRegistry.EastUS2"
    assert TAGS.prefixes("azurecontainerregistry.eastus2") == AddressSet.of("20.1.0.0/16")
    assert "storage.EASTUS2" in TAGS
    assert TAGS.prefixes("Storage") is None
    assert TAGS.describe() == "a test, change number 7, 2026-01-01"


def test_regional_tags_go_by_the_name_never_by_the_region_code() -> None:
    data = TagData.from_values(
        [
            {"name": name, "properties": {"region": code, "addressPrefixes": ["20.0.0.0/16"]}}
            for name, code in (
                ("Storage.GermanyWestCentral", "germanywc"),
                ("AzureCloud.germanywc", "germanywc"),
                ("AzureCloud.centralfrance", "centralfrance"),
                ("Storage.FranceCentral", "centralfrance"),
                ("Storage", ""),
            )
        ],
        cloud="public",
    )
    assert data.regional("storage", "germanywestcentral") == "Storage.GermanyWestCentral"
    assert data.regional("AzureCloud", "Germany West Central") == "AzureCloud.germanywc"
    assert data.regional("AzureCloud", "francecentral") == "AzureCloud.centralfrance"
    assert data.regional("Storage", "westus") is None
    assert data.regional_tags("Storage") == ("Storage.FranceCentral", "Storage.GermanyWestCentral")


@pytest.mark.parametrize(
    "value",
    [
        None,
        7,
        {},
        {"name": "X"},
        {"name": "X", "properties": {"addressPrefixes": "10.0.0.0/8"}},
        {"name": "X", "properties": {"addressPrefixes": ["10.0.0.0/8", 7]}},
        {"name": ""},
    ],
)
def test_a_broken_row_is_unknown_not_empty(value: Any) -> None:
    data = TagData.from_values([value], cloud="public")
    assert len(data) == 0
    assert data.broken
    assert data.prefixes("X") is None


def test_a_tag_with_an_unreadable_prefix_is_unknown() -> None:
    row = {"name": "X", "properties": {"addressPrefixes": ["20.0.0.0/8", "111"]}}
    data = TagData.from_values([row], cloud="public")
    assert "X" in data
    assert data.prefixes("X") is None


SUFFIXES = [
    ("public", "eastus2", "", "EastUS2"),
    ("public", "East US 2", "Storage", "EastUS2"),
    ("public", "francecentral", "AzureCloud", "centralfrance"),
    ("public", "francecentral", "Storage", "FranceCentral"),
    ("china", "China East 2", "AzureContainerRegistry", "ChinaEast2"),
    ("usgov", "usgovvirginia", "", "USGovVirginia"),
    ("public", "chinaeast2", "", None),
    ("nowhere", "eastus2", "", None),
]


@pytest.mark.parametrize(("cloud", "location", "service", "suffix"), SUFFIXES)
def test_suffixes(cloud: str, location: str, service: str, suffix: str | None) -> None:
    assert tag_suffix(cloud, location, service) == suffix


def test_regions() -> None:
    assert paired_region("china", "chinaeast2") == "chinanorth2"
    assert paired_region("public", "nowhere") is None
    assert regional_name("china", "AzureContainerRegistry", "chinanorth3") == "AzureContainerRegistry.ChinaNorth3"
    assert regional_name("china", "AzureContainerRegistry", "eastus") is None


# cloud, outer, inner, family, relation: requirements 2.6
CONTAINMENT = [
    ("public", "AzureContainerRegistry", "azurecontainerregistry.eastus2", 4, COVERS),
    ("public", "AzureContainerRegistry.EastUS2", "AzureContainerRegistry", 4, UNKNOWN),
    ("public", "AzureContainerRegistry.WestUS", "AzureContainerRegistry.EastUS2", 4, DISJOINT),
    ("public", "Storage.WestUS", "Storage.EastUS2", 4, UNKNOWN),
    ("public", "AzureCloud", "AzureContainerRegistry", 4, COVERS),
    ("public", "AzureCloud", "AzureContainerRegistry", 6, UNKNOWN),
    ("china", "AzureCloud", "AzureContainerRegistry", 6, COVERS),
    ("public", "AzureCloud.eastus2", "AzureContainerRegistry.EastUS2", 6, COVERS),
    ("public", "AzureCloud.centralfrance", "AzureContainerRegistry.FranceCentral", 4, COVERS),
    ("public", "AzureCloud", "AzureCloud.eastus2", 4, COVERS),
    ("public", "AzureCloud.eastus2", "AzureCloud", 4, UNKNOWN),
    ("public", "AzureCloud.eastus", "AzureContainerRegistry.EastUS2", 4, UNKNOWN),
    ("public", "AzureCloud", "MicrosoftContainerRegistry", 4, COVERS),
    ("public", "AzureCloud", "AzureFrontDoor.FirstParty", 4, UNKNOWN),
    ("public", "AzureCloud", "Storage", 4, UNKNOWN),
    ("usgov", "AzureCloud", "Storage", 4, COVERS),
    ("public", "AzureCloud", "AzureActiveDirectory", 4, UNKNOWN),
    ("public", "Storage", "AzureContainerRegistry", 4, UNKNOWN),
    ("public", "Nobody", "nobody", 4, COVERS),
    ("public", "Nobody", "Nobody.EastUS2", 4, UNKNOWN),
    ("public", "AzureFrontDoor.FirstParty", "AzureFrontDoor.Frontend", 4, UNKNOWN),
]


@pytest.mark.parametrize(("cloud", "outer", "inner", "family", "expected"), CONTAINMENT)
def test_containment(cloud: str, outer: str, inner: str, family: Any, expected: Relation) -> None:
    assert relation(cloud, outer, inner, family) is expected


def test_what_is_known_to_be_public() -> None:
    assert inside_internet("public", "azurecontainerregistry.eastus2")
    assert inside_internet("public", "AzureCloud.centralfrance")
    assert not inside_internet("china", "AzureFrontDoor.FirstParty")  # that cloud has no such tag
    assert not inside_internet("public", "Nobody")


def microsofts(cloud: str) -> TagData:
    path = DATA / "service_tags" / f"{cloud}.json.gz"
    if not path.is_file():
        pytest.skip(f"{path.name} is not beside this checkout")
    body = json.loads(gzip.decompress(path.read_bytes()))
    return TagData.from_values(body["values"], cloud=cloud, change_number=body["changeNumber"])


@pytest.mark.parametrize("cloud", CLOUDS)
def test_the_containment_table_agrees_with_microsofts_files(cloud: str) -> None:
    data = microsofts(cloud)
    whole = data.prefixes("AzureCloud")
    assert whole is not None
    for service, row in facts.containment(cloud).items():
        inside = data.prefixes(service)
        assert inside is not None, service
        assert not inside.overlaps(not_internet()), service
        assert row["in_azure_cloud"] == [f for f in tags.FAMILIES if whole.covers(inside.family(f))], service
        regional = {name: data.prefixes(name) or AddressSet.empty() for name in data.regional_tags(service)}
        assert row["regional"] is bool(regional), service
        assert all(inside.covers(part) for part in regional.values()), service
        around = {name: _around(data, name) for name in regional}
        assert row["regional_in_azure_cloud"] is (
            bool(regional) and all(around[name].covers(part) for name, part in regional.items())
        ), service
        assert sum(part.size(4) for part in regional.values()) == AddressSet.union(regional.values()).size(4)


def _around(data: TagData, name: str) -> AddressSet:
    _, location = tags.split(data.cloud, name)
    assert location is not None
    return data.prefixes(data.regional("AzureCloud", location) or "") or AddressSet.empty()


@pytest.mark.parametrize("cloud", CLOUDS)
def test_every_relation_claimed_by_name_holds_in_microsofts_files(cloud: str) -> None:
    data = microsofts(cloud)
    names = [
        "AzureCloud",
        *(n for s in facts.containment(cloud) for n in [data.name(s) or s, *data.regional_tags(s)[:7]]),
    ]
    names += list(data.regional_tags("AzureCloud")[:7])
    claims = 0
    for outer in names:
        for inner in names:
            for family in tags.FAMILIES:
                a, b = data.prefixes(outer), data.prefixes(inner)
                assert a is not None
                assert b is not None
                match relation(cloud, outer, inner, family):
                    case Relation.COVERS:
                        claims += 1
                        assert a.covers(b.family(family)), (outer, inner)
                    case Relation.DISJOINT:
                        claims += 1
                        assert not a.overlaps(b), (outer, inner)
                    case Relation.UNKNOWN:
                        pass
    assert claims > 100


@pytest.mark.parametrize("cloud", CLOUDS)
def test_every_region_with_tags_is_known(cloud: str) -> None:
    data = microsofts(cloud)
    for service in ("AzureCloud", "AzureContainerRegistry", "Storage"):
        named = {n for n in data._names if n.startswith(service.casefold() + ".")}
        assert {n.casefold() for n in data.regional_tags(service)} == named


@pytest.mark.parametrize("cloud", CLOUDS)
def test_every_published_prefix_can_be_read(cloud: str) -> None:
    data = microsofts(cloud)
    assert not data.broken
    assert all(data.prefixes(name) is not None for name in data._names)
