"""Rows to records: casing, plural and singular, nested and stand-alone, and what cannot be understood."""

import copy
import json
from typing import Any

import pytest
from msgspec import UNSET

from auditor.inventory import Builder, Header, Inventory
from auditor.inventory.records import (
    Cluster,
    RoleAssignment,
    RouteTable,
    SecurityGroup,
    Subnet,
    VirtualNetwork,
)
from auditor.values import Unread
from tests.estate import (
    NOW,
    SUB,
    TENANT,
    allow_out,
    arm,
    cluster,
    deny_out,
    grant,
    inventory,
    nsg,
    rg,
    rows,
    subnet,
    vnet,
)

Body = dict[str, Any]
NSG_ID = arm("net", "Microsoft.Network/networkSecurityGroups", "fence")


def build(*bodies: Body, scopes: tuple[str, ...] | None = (f"/subscriptions/{SUB}",)) -> Inventory:
    builder = Builder()
    if scopes is not None:
        builder.header = Header(NOW, "public", TENANT, scopes)
    for body in bodies:
        builder.add(json.dumps(body).encode(), "test", 1)
    assert not builder.broken
    return builder.build(now=NOW)


def body_of(thing: Any) -> Body:
    [row] = [r for r in rows(thing)[0] if r["id"] == thing.id]
    return copy.deepcopy(row)


def upper_names(value: Any) -> Any:
    match value:
        case dict():
            return {key.upper(): upper_names(item) for key, item in value.items()}
        case list():
            return [upper_names(item) for item in value]
        case _:
            return value


def test_a_spelling_met_before_is_as_odd_the_second_time() -> None:
    """Names that are spelled as ARM does are remembered: an odd one must not be."""
    fences = [nsg(name, deny_out(100)) for name in ("one", "two", "three")]
    odd = [{**body_of(fence), "properties": upper_names(body_of(fence)["properties"])} for fence in fences]
    inventory = build(*odd)
    for fence in fences:
        found = inventory.find(SecurityGroup, fence.id)
        assert isinstance(found, SecurityGroup)
        assert [rule.body.access for rule in found.rules] == ["Deny"]


@pytest.mark.parametrize("respelled", [str.upper, str.lower, str.swapcase])
def test_ids_and_types_compare_without_case(respelled: Any) -> None:
    row = body_of(nsg("fence", allow_out(100)))
    found = build({**row, "id": respelled(row["id"]), "type": respelled(row["type"])}).find(SecurityGroup, NSG_ID)
    assert isinstance(found, SecurityGroup)
    assert found.id == respelled(row["id"]), "printing keeps the spelling"


def test_property_names_in_odd_casing_are_the_same_properties() -> None:
    made = subnet("nodes", "10.0.0.0/24", nsg=nsg("fence", deny_out(100)))
    network = body_of_network(made)
    odd = {**network, "properties": upper_names(network["properties"])}
    one, other = build(network), build(odd)
    [a], [b] = one.every(Subnet), other.every(Subnet)
    assert a.body == b.body
    assert b.security_group_id == NSG_ID


def body_of_network(*subnets: Any) -> Body:
    network = vnet("net", *subnets)
    [row] = [r for r in rows(network)[0] if r["id"] == network.id]
    return copy.deepcopy(row)


def split_children(network: Body) -> list[Body]:
    """The same network with its subnets as rows of their own."""
    parent = copy.deepcopy(network)
    inside = parent["properties"].pop("subnets")
    kind = "microsoft.network/virtualnetworks/subnets"
    return [parent, *({**child, "type": kind} for child in inside)]


def test_nested_and_stand_alone_children_are_one() -> None:
    network = body_of_network(subnet("a", "10.0.0.0/24"), subnet("b", "10.1.0.0/24"))
    for order in (
        [network],
        split_children(network),
        split_children(network)[::-1],
        [network, *split_children(network)[1:]],
    ):
        built = build(*order)
        [record] = built.every(VirtualNetwork)
        assert [s.name for s in record.subnets] == ["a", "b"]
        assert len(built.every(Subnet)) == 2
        assert not built.malformed


def test_stand_alone_rules_and_agent_pools_join_their_parents() -> None:
    group = body_of(nsg("fence", allow_out(100, name="one")))
    rule = {"id": f"{NSG_ID}/securityRules/two", "type": "microsoft.network/networksecuritygroups/securityrules",
            "properties": deny_out(200)["properties"]}  # fmt: skip
    made = cluster(nodes=subnet())
    pool = {"id": f"{made.id}/agentPools/gpu", "type": "microsoft.containerservice/managedclusters/agentpools",
            "name": "gpu", "properties": {"count": 2, "vnetSubnetID": subnet("gpu").id}}  # fmt: skip
    built = build(group, rule, body_of(made), pool)
    [fence] = built.every(SecurityGroup)
    [ml] = built.every(Cluster)
    assert [r.name for r in fence.rules] == ["one", "two"]
    assert [p.name for p in ml.pools] == ["gpu", "pool"]


def test_a_child_that_contradicts_its_parents_body_is_unread_and_so_is_the_parent() -> None:
    network = body_of_network(subnet("a", "10.0.0.0/24"))
    [_, child] = split_children(network)
    child["properties"]["addressPrefix"] = "10.9.0.0/24"
    for order in ([network, child], [child, network]):
        built = build(*order)
        assert isinstance(built.find(Subnet, child["id"]), Unread)
        assert isinstance(built.find(VirtualNetwork, network["id"]), Unread)


def test_two_rows_that_say_different_things_are_unread() -> None:
    one, other = body_of(nsg("fence", allow_out(100))), body_of(nsg("fence", deny_out(100)))
    found = build(one, other).find(SecurityGroup, NSG_ID)
    assert isinstance(found, Unread)
    assert found.reason == "malformed"
    assert isinstance(build(one, copy.deepcopy(one)).find(SecurityGroup, NSG_ID), SecurityGroup)


WRONG = [7, True, "text", [], [7], {"a": 1}, 1.5]


def paths_of(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [at] if at else []
    if isinstance(value, dict):
        for key, item in value.items():
            found += paths_of(item, (*at, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            found += paths_of(item, (*at, index))
    return found


def put(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    changed = copy.deepcopy(value)
    where = changed
    for step in path[:-1]:
        where = where[step]
    where[path[-1]] = new
    return changed


BODIES = {
    "cluster": body_of(cluster(nodes=subnet())),
    "group": body_of(nsg("fence", allow_out(100))),
    "network": body_of_network(subnet("a", nsg=nsg("fence"))),
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_wrong_type_anywhere_never_raises_and_leaves_the_resource_unread_or_as_it_was(body: Body) -> None:
    kind = {"microsoft.containerservice/managedclusters": Cluster,
            "microsoft.network/networksecuritygroups": SecurityGroup}.get(body["type"], VirtualNetwork)  # fmt: skip
    intact = build(body).find(kind, body["id"])
    assert not isinstance(intact, Unread)
    unread = 0
    for path in paths_of(body["properties"]):
        for wrong in WRONG:
            damaged = put(body, ("properties", *path), wrong)
            if damaged == body:
                continue
            found = build(damaged).find(kind, body["id"])
            unread += isinstance(found, Unread)
    assert unread > 50, "most wrong types must be noticed"


def test_null_missing_and_empty_mean_not_set() -> None:
    row = body_of(nsg("fence"))
    unset: list[Body] = [{}, {"securityRules": None}, {"securityRules": []}]
    for properties in unset:
        found = build({**row, "properties": properties}).find(SecurityGroup, NSG_ID)
        assert isinstance(found, SecurityGroup)
        assert found.rules == ()


@pytest.mark.parametrize("row", [{"properties": None}, {}], ids=["null", "missing"])
def test_a_row_without_properties_is_unread_not_empty(row: Body) -> None:
    whole = body_of(nsg("fence", allow_out(100, name="one")))
    rest = {key: value for key, value in whole.items() if key != "properties"}
    found = build({**rest, **row}).find(SecurityGroup, NSG_ID)
    assert isinstance(found, Unread)
    assert found.reason == "malformed"
    short = {**whole, "properties": {"securityRules": [{"name": "one", **row}]}}
    assert isinstance(build(short).find(SecurityGroup, NSG_ID), Unread), (
        "a rule without properties is no rule that is not there"
    )


def test_without_a_header_a_snapshot_covers_the_subscriptions_that_it_mentions() -> None:
    built = build(body_of(nsg("fence")), scopes=None)
    missing = built.find(RouteTable, arm("net", "Microsoft.Network/routeTables", "rt"))
    assert isinstance(missing, Unread)
    assert missing.reason == "absent"
    other = built.find(RouteTable, arm("net", "Microsoft.Network/routeTables", "rt", "9" * 8))
    assert isinstance(other, Unread)
    assert other.reason == "out-of-scope"


def test_unused_types_are_counted_and_passed_over() -> None:
    built = build({"id": arm("web", "Microsoft.Web/sites", "x"), "type": "Microsoft.Web/sites", "properties": 7})
    assert built.passed_over == {"microsoft.web/sites": 1}


def test_order_of_rows_does_not_matter() -> None:
    bodies, _ = rows(cluster(nodes=subnet(nsg=nsg("fence", allow_out(100)))))
    assert build(*bodies).counts() == build(*bodies[::-1]).counts()
    assert inventory(cluster()).counts()["clusters"] == 1


def test_an_index_row_without_condition_does_not_hide_what_arm_said_of_it() -> None:
    told = body_of(grant(on=rg("net"), condition=None))
    silent = body_of(grant(on=rg("net"), condition=...))
    for order in ([told, silent], [silent, told]):
        [record] = build(*order).every(RoleAssignment)
        assert record.body.condition is None
    [record] = build(silent).every(RoleAssignment)
    assert record.body.condition is UNSET
