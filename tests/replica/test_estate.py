"""Reading estate files: variables, later states, and problems told in one line."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.errors import UsageProblem
from auditor.replica.estate import EstateProblem, from_document, load, merged
from tests.replica.contoso import NSG, PROD, ROOT_GROUP, VNET, document, resource


def write(folder: Path, name: str, content: Any) -> Path:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def test_variables_follow_the_cloud(tmp_path: Path) -> None:
    content = document(
        variables={"public": {"region": "eastus2", "port": 443}, "china": {"region": "chinaeast2", "port": 8443}},
        resources=[
            resource(
                NSG,
                "Microsoft.Network/networkSecurityGroups",
                location="${region}",
                properties={"${region}": ["${port}", "port ${port}"]},
            )
        ],
    )
    path = write(tmp_path, "estate.json", content)
    for cloud, region, port in ((None, "eastus2", 443), ("china", "chinaeast2", 8443)):
        estate = load(path, cloud)
        assert estate.cloud == (cloud or "public")
        assert estate.resources[0]["location"] == region
        assert estate.resources[0]["properties"] == {region: [port, f"port {port}"]}


def test_a_later_state_puts_merges_removes_and_locks_away(tmp_path: Path) -> None:
    write(tmp_path, "night-1.json", document())
    state = {
        "extends": "night-1.json",
        "clock": "2026-11-25T02:00:00Z",
        "put": [resource(VNET.upper(), "Microsoft.Network/virtualNetworks", properties={"replaced": True})],
        "merge": [{"id": NSG, "patch": {"properties": {"securityRules": None, "extra": 1}, "tags": {"a": "b"}}}],
        "remove": [document()["resources"][2]["id"].lower()],
        "unreadable": [f"/subscriptions/{PROD}"],
    }
    write(tmp_path, "night-2.json", state)
    third = load(write(tmp_path, "night-3.json", {"extends": "night-2.json", "unreadable": [], "changes": []}))
    second = load(tmp_path / "night-2.json")
    by_id = {body["id"].lower(): body for body in second.resources}
    assert by_id[VNET.lower()]["properties"] == {"replaced": True}
    assert (by_id[NSG.lower()]["properties"], by_id[NSG.lower()]["tags"]) == ({"extra": 1}, {"a": "b"})
    assert len(second.resources) == len(document()["resources"]) - 1
    assert second.unreadable == (f"/subscriptions/{PROD}",)
    assert second.clock.day == 25
    assert (third.unreadable, third.changes, third.resources) == ((), (), second.resources)


PROBLEMS: dict[str, tuple[Any, str]] = {
    "not JSON": ('{"version": 1,\n "tenant": }', "line 2: not JSON"),
    "a list": ([], "the document must be an object, not a list"),
    "newer version": (document(version=2), "version 2 is not understood"),
    "unknown key": (document(resource=[]), "unknown key `resource`"),
    "unknown cloud": (document(cloud="mars"), "unknown cloud 'mars'"),
    "no tenant": (document(tenant=None), "tenant must be an object, not nothing"),
    "tenant no GUID": (document(tenant={"id": "contoso"}), "tenant.id is not a GUID: contoso"),
    "resources no list": (document(resources={}), "`resources` must be a list, not an object"),
    "resource no object": (document(resources=["x"]), "resources[0] must be an object, not a text"),
    "resource without id": (document(resources=[{"type": "a/b"}]), "resources[0].id must be a text"),
    "id no path": (document(resources=[{"id": "nsg", "type": "a/b"}]), "resources[0].id is not an ARM id: nsg"),
    "resource without type": (document(resources=[{"id": VNET}]), "resources[0].type must be a text"),
    "twice": (
        document(resources=[resource(VNET, "a/b"), resource(VNET.lower(), "a/b")]),
        "holds " + VNET.lower() + " twice",
    ),
    "unknown subscription": (
        document(resources=[resource("/subscriptions/x/resourceGroups/y", "a/b")]),
        "resources[0] lies in an unknown subscription",
    ),
    "unknown management group": (
        document(managementGroups=[], resources=[]),
        "lies below an unknown management group: landing",
    ),
    "groups in a circle": (
        document(
            managementGroups=[
                {"id": "contoso", "parent": "landing"},
                {"id": "landing", "parent": "contoso"},
            ]
        ),
        "lies below itself",
    ),
    "unknown variable": (
        document(resources=[resource(VNET, "a/b", location="${region}")]),
        "${region} at resources[0].location",
    ),
    "odd clock": (document(clock="yesterday"), "clock is not an RFC 3339 time: yesterday"),
    "put without extends": (document(put=[]), "`put` needs `extends`"),
    "missing base": ({"extends": "gone.json"}, "gone.json: cannot be read"),
    "circle of files": ({"extends": "estate.json"}, "does it go in a circle?"),
    "merge of nothing": (
        {"extends": "base.json", "merge": [{"id": ROOT_GROUP, "patch": {}}]},
        "merge[0] names a resource",
    ),
    "removal of nothing": ({"extends": "base.json", "remove": [ROOT_GROUP]}, "remove[0] names a resource"),
    "patch no object": (
        {"extends": "base.json", "merge": [{"id": VNET, "patch": 1}]},
        "merge[0].patch must be an object",
    ),
}


@pytest.mark.parametrize(("content", "message"), PROBLEMS.values(), ids=PROBLEMS)
def test_problem(tmp_path: Path, content: Any, message: str) -> None:
    write(tmp_path, "base.json", document())
    with pytest.raises(EstateProblem) as caught:
        load(write(tmp_path, "estate.json", content))
    assert message in caught.value.message
    assert "estate.json" in caught.value.message or "gone.json" in caught.value.message
    assert "\n" not in caught.value.message
    assert isinstance(caught.value, UsageProblem)


def test_a_file_that_is_missing_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(EstateProblem, match="cannot be read"):
        load(tmp_path / "none.json")
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(EstateProblem, match="not UTF-8"):
        load(tmp_path / "binary.json")


def test_an_estate_without_most_parts_is_an_estate() -> None:
    estate = from_document({"tenant": {"id": document()["tenant"]["id"]}})
    assert (estate.resources, estate.applications, estate.service_tags) == ((), (), None)
    assert estate.clock.tzinfo is not None


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.dictionaries(st.text("ab", max_size=2), inner, max_size=3) | st.lists(inner, max_size=2),
    max_leaves=8,
)


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(inner) for key, inner in value.items() if inner is not None}
    return value


@given(_json, _json)
def test_merging_is_idempotent_and_leaves_its_inputs_alone(target: Any, patch: Any) -> None:
    before = json.dumps([target, patch])
    once = merged(target, patch)
    assert merged(once, patch) == once
    assert json.dumps([target, patch]) == before


@given(_json)
def test_a_merge_into_nothing_is_the_patch_without_nulls(patch: Any) -> None:
    assert merged(None, patch) == _without_nulls(patch)
