"""Newer rows in place of the index's: whole resources, with the children that their bodies tell."""

from __future__ import annotations

import json
from typing import Any

from auditor.inventory import Builder, Inventory
from auditor.inventory.records import Cluster, SecurityGroup, Subnet, VirtualNetwork
from auditor.values import Unread

RG = "/subscriptions/s/resourceGroups/g/providers"
VNET, GROUP = f"{RG}/Microsoft.Network/virtualNetworks/v", f"{RG}/Microsoft.Network/networkSecurityGroups/n"
CLUSTER = f"{RG}/Microsoft.ContainerService/managedClusters/c"
Body = dict[str, Any]


def network(*subnets: str) -> Body:
    inside = [{"id": f"{VNET}/subnets/{name}", "name": name, "properties": {}} for name in subnets]
    return {"id": VNET, "type": "microsoft.network/virtualnetworks", "properties": {"subnets": inside}}


def rule(priority: int) -> Body:
    return {"id": f"{GROUP}/securityRules/r", "name": "r",
            "type": "microsoft.network/networksecuritygroups/securityrules",
            "properties": {"priority": priority, "access": "Deny", "direction": "Outbound"}}  # fmt: skip


def group(priority: int) -> Body:
    rules = {"securityRules": [rule(priority)]}
    return {"id": GROUP, "type": "microsoft.network/networksecuritygroups", "properties": rules}


def built(*rows: Body, over: dict[str, Body | None]) -> Inventory:
    builder = Builder()
    for resource_id, newer in over.items():
        builder.override(resource_id, None if newer is None else json.dumps(newer).encode())
    for row in rows:
        builder.add(json.dumps(row).encode())
    assert builder.broken == []
    return builder.build()


def test_the_newer_row_stands_and_is_no_contradiction() -> None:
    made = built(group(100), over={GROUP: group(200)})
    found = made.find(SecurityGroup, GROUP)
    assert isinstance(found, SecurityGroup)
    assert [each.body.priority for each in found.rules] == [200]
    assert made.malformed == {}


def test_without_the_override_two_rows_contradict_each_other() -> None:
    assert f"{GROUP}/securityRules/r".casefold() in built(group(100), group(200), over={}).malformed


def test_children_of_the_newer_body_replace_those_that_stand_alone() -> None:
    made = built(network("a"), rule(100), group(100), over={GROUP: group(200), VNET: network("b")})
    found = made.find(SecurityGroup, GROUP)
    assert isinstance(found, SecurityGroup)
    assert [each.body.priority for each in found.rules] == [200]
    assert [each.name for each in made.every(Subnet)] == ["b"]
    assert made.malformed == {}


def test_what_is_gone_takes_its_children_along() -> None:
    alone = {"id": f"{VNET}/subnets/a", "type": "microsoft.network/virtualnetworks/subnets", "properties": {}}
    made = built(network("a"), alone, group(1), over={VNET: None})
    absent = made.find(VirtualNetwork, VNET)
    assert isinstance(absent, Unread)
    assert absent.reason == "absent"
    assert made.every(Subnet) == ()
    assert len(made.every(SecurityGroup)) == 1


def test_casing_of_the_id_does_not_matter() -> None:
    assert built(group(100), over={GROUP.upper(): None}).every(SecurityGroup) == ()


def test_pools_go_with_their_cluster_and_extensions_do_not() -> None:
    extension = f"{CLUSTER}/providers/Microsoft.KubernetesConfiguration/extensions/azureml"
    rows = [
        {"id": CLUSTER, "type": "microsoft.containerservice/managedclusters", "properties": {}},
        {"id": f"{CLUSTER}/agentPools/old", "type": "microsoft.containerservice/managedclusters/agentpools",
         "properties": {"count": 1}},
        {"id": extension, "type": "microsoft.kubernetesconfiguration/extensions", "properties": {}},
    ]  # fmt: skip
    newer = {**rows[0], "properties": {"agentPoolProfiles": [{"name": "new", "count": 2}]}}
    made = built(*rows, over={CLUSTER: newer})
    [found] = made.every(Cluster)
    assert [pool.name for pool in found.pools] == ["new"]
    assert made.counts()["extensions"] == 1
