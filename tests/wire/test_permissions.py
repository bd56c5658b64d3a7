"""The least-privilege role: covers what is decoded and sent, reveals no key, and is known to Azure."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from auditor.collect.permissions import DEEP_NEEDS, NEEDS, role_definition
from auditor.inventory.shapes import BODIES
from tests.wire.conftest import Azure

NOT_A_TYPE = {
    "microsoft.network/servicetags",  # a location's list: locations/serviceTags/read
    "microsoft.network/effectivesecurityadminrules",  # rows of a table; ARM has an action for them
    "microsoft.resources/subscriptions/resourcegroups",
}
OPERATIONS = {need.operation.casefold() for need in NEEDS}


@pytest.mark.parametrize("kind", sorted(set(BODIES) - NOT_A_TYPE))
def test_every_type_that_the_inventory_decodes_may_be_read(kind: str) -> None:
    assert f"{kind}/read" in OPERATIONS


def test_it_only_reads() -> None:
    assert all(need.operation.endswith("/read") and "*" not in need.operation for need in NEEDS)
    assert not any("list" in need.operation.casefold().rsplit("/", 2)[-2] for need in NEEDS)


def test_every_arm_request_of_a_scan_is_covered(azure: Azure) -> None:
    azure.collect()
    types = {record.type for record in azure.replica.requests if record.operation.startswith("arm")}
    spelled = {"microsoft.network/locations/servicetags", *types} - {"microsoft.network/servicetags"}
    assert types
    assert {f"{kind}/read" for kind in spelled} <= OPERATIONS


def test_the_role_as_az_takes_it() -> None:
    role = role_definition(["/subscriptions/s"])
    assert role["IsCustom"] is True
    assert role["AssignableScopes"] == ["/subscriptions/s"]
    assert role["NotActions"] == role["DataActions"] == role["NotDataActions"] == []
    assert role["Actions"] == sorted(need.operation for need in NEEDS)


def test_without_the_optional_ones() -> None:
    fewer = role_definition(["/subscriptions/s"], optional=False)["Actions"]
    assert "Microsoft.Authorization/denyAssignments/read" not in fewer
    assert "Microsoft.Authorization/roleAssignments/read" in fewer


def test_deep_adds_actions() -> None:
    assert {need.operation for need in DEEP_NEEDS} <= set(role_definition([], deep=True)["Actions"])


def test_azure_knows_every_operation() -> None:
    folder = Path(__file__).resolve().parents[3] / "shared" / "data" / "operations"
    if not folder.is_dir():
        pytest.skip("the lists of operations (../shared/data) are not here")
    known: set[str] = set()
    for path in folder.glob("Microsoft.*.json.gz"):
        known |= _names(json.loads(gzip.decompress(path.read_bytes())))
    covered = {name.split("/")[0] for name in known}
    unknown = {
        need.operation
        for need in (*NEEDS, *DEEP_NEEDS)
        if need.operation.split("/")[0].casefold() in covered and need.operation.casefold() not in known
    }
    assert unknown == set()


def _names(document: Any) -> set[str]:
    if isinstance(document, dict):
        found = {str(v).casefold() for k, v in document.items() if k == "name" and isinstance(v, str)}
        return found.union(*map(_names, document.values()))
    if isinstance(document, list):
        return set().union(*map(_names, document)) if document else set()
    return {document.casefold()} if isinstance(document, str) else set()
