"""A cluster's network as nodes and edges, and which finding judges which edge."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from auditor.derive.attribution import topologies
from auditor.findings import Finding, Topology, TopologyEdge, TopologyNode
from auditor.inventory import Builder, Header, Inventory
from auditor.replica.estate import load
from tests import estate
from tests.estate import (
    Thing,
    attached,
    balancer,
    cluster,
    deny_out,
    frontend,
    nsg,
    private_endpoint,
    registry,
    route,
    subnet,
    table,
    vnet,
)

NIGHTS = Path(__file__).resolve().parents[2] / "auditor" / "demo" / "estates"


def judged(*things: Thing | Iterable[Thing], checks: tuple[str, ...] = ()) -> tuple[Topology, dict[str, Finding]]:
    """The only cluster's topology, and what these checks find in the estate, by id."""
    inventory = estate.inventory(*things)
    findings = tuple(finding for check in checks for finding in estate.judge(check, inventory))
    [found] = topologies(inventory, findings)
    return found, {finding.id: finding for finding in findings}


def said(topology: Topology) -> set[str]:
    """Each edge as `source relation target`; identities are the first two."""
    names = {node.key: node.kind if "identity" in node.kind else node.name for node in topology.nodes}
    return {f"{names[edge.source]} {edge.relation} {names[edge.target]}" for edge in topology.edges}


def edge(topology: Topology, relation: str, target: str = "") -> TopologyEdge:
    names = {node.key: node.name for node in topology.nodes}
    [found] = [e for e in topology.edges if e.relation == relation and target in ("", names[e.target])]
    return found


def node(topology: Topology, kind: str, name: str = "") -> TopologyNode:
    [found] = [each for each in topology.nodes if each.kind == kind and name in ("", each.name)]
    return found


FENCE = nsg("fence", deny_out(200, to="Internet"))
AWAY = table("away", route("0.0.0.0/0", "VirtualAppliance", "10.9.0.4"), route("10.7.0.0/16", "None"))
NODES = subnet("nodes", "10.0.0.0/22", nsg=FENCE, table=AWAY)
IMAGES = registry("images")
ML = cluster("ml", nodes=NODES)
ROUTER = balancer("kubernetes", frontend("router", inside=NODES, address="10.0.3.250", ports=(443,)))


def test_what_a_cluster_stands_in_and_behind() -> None:
    topology, _ = judged(ML, ROUTER, attached(ML, registry=IMAGES))
    assert said(topology) == {
        "ml acts-as identity",
        "ml acts-as kubelet-identity",
        "ml uses nodes",
        "ml managed-at ml-dns.hcp.eastus2.azmk8s.io",
        "identity may-join net",
        "kubelet-identity pulls-from images",
        "nodes filtered-by fence",
        "nodes routed-by away",
        "away sends-to 10.9.0.4",
        "away sends-to None",
        "nodes answers-at 10.0.3.250",
        "nodes reaches images",
    }
    assert node(topology, "next-hop", "10.9.0.4").note == "0.0.0.0/0 · VirtualAppliance"


def test_a_private_endpoint_stands_between_subnet_and_registry() -> None:
    doors = subnet("doors", "10.0.8.0/24")
    door = private_endpoint("door", to=IMAGES, into=doors, group_id="registry", address="10.0.8.4")
    topology, _ = judged(ML, door, attached(ML, registry=IMAGES))
    assert {"nodes reaches door", "door leads-to images"} <= said(topology)
    assert "nodes reaches images" not in said(topology)
    assert node(topology, "private-endpoint").note == "10.0.8.4 · doors"


def test_subnets_of_others_stand_in_the_network_without_an_edge() -> None:
    topology, _ = judged(ML, vnet("net", NODES, subnet("others", "10.0.16.0/24")))
    others = node(topology, "subnet", "others")
    assert others.parent == node(topology, "network").key
    assert not [each for each in topology.edges if others.key in (each.source, each.target)]


def test_many_next_hops_of_one_type_are_one_node_and_the_default_route_is_its_own() -> None:
    pods = [route(f"10.244.{n}.0/24", "VirtualAppliance", f"10.0.0.{n + 4}") for n in range(9)]
    routes = table("pods", route("0.0.0.0/0", "VirtualAppliance", "10.9.0.4"), *pods)
    topology, _ = judged(cluster("ml", nodes=subnet("nodes", "10.0.0.0/22", table=routes)))
    hops = sorted(each.name for each in topology.nodes if each.kind == "next-hop")
    assert hops == ["10.9.0.4", "VirtualAppliance (9)"]


def test_what_could_not_be_read_is_drawn_and_says_so() -> None:
    topology, _ = judged(cluster("ml", nodes=subnet("nodes", readable=False)), vnet("net"))
    nodes = node(topology, "subnet")
    assert not nodes.read
    assert "403" in nodes.note


def test_a_group_that_is_gone_is_drawn_unread() -> None:
    gone = estate.arm("net", "Microsoft.Network/networkSecurityGroups", "gone")
    topology, _ = judged(cluster("ml", nodes=subnet("nodes", "10.0.0.0/22", nsg=gone)))
    group = node(topology, "security-group")
    assert (group.name, group.read) == ("gone", False)


# ---- who judges what -------------------------------------------------------------------------------------------

JUDGED = {
    "the registry through the rules": ("nsg-acr-outbound", "reaches", "images"),
    "the group itself": ("nsg-default-outbound-kept", "filtered-by", "fence"),
    "other outbound rules": ("nsg-mcr-outbound", "filtered-by", "fence"),
    "the default route": ("route-default-egress", "sends-to", "10.9.0.4"),
    "rights on the subnet": ("aks-identity-subnet-join-effective", "may-join", "net"),
    "rights on the resource group": ("aks-identity-network-contributor-vnet-rg", "may-join", "net"),
    "pulling": ("rbac-acr-pull", "pulls-from", "images"),
    "the API server": ("aks-private-api-server", "managed-at", "ml-dns.hcp.eastus2.azmk8s.io"),
    "the frontend": ("aks-public-inference-frontend", "answers-at", "10.0.3.250"),
    "what the extension asks for": ("aml-aks-internal-lb", "answers-at", "10.0.3.250"),
    "the subnet's delegation": ("aks-node-subnet-not-delegated", "uses", "nodes"),
}


@pytest.mark.parametrize(("check", "relation", "target"), JUDGED.values(), ids=JUDGED)
def test_a_finding_judges_its_edge_and_no_other(check: str, relation: str, target: str) -> None:
    topology, findings = judged(ML, ROUTER, attached(ML, registry=IMAGES), checks=(check,))
    assert findings
    assert set(edge(topology, relation, target).findings) == set(findings)
    ids = [*(each.findings for each in topology.nodes), *(each.findings for each in topology.edges)]
    assert sum(map(len, ids)) == len(findings)


def test_the_same_group_on_a_subnet_of_another_cluster_is_not_this_ones_matter() -> None:
    other = subnet("other", "10.0.12.0/22", nsg=FENCE)
    inventory = estate.inventory(ML, cluster("b", nodes=other, node_group="mcb"))
    findings = tuple(estate.judge("nsg-default-outbound-kept", inventory))
    first, second = sorted(topologies(inventory, findings), key=lambda each: each.cluster)
    assert len(findings) == 2
    seen = {*edge(first, "filtered-by").findings}, {*edge(second, "filtered-by").findings}
    assert [len(each) for each in seen] == [1, 1]
    assert seen[0] != seen[1]
    assert node(first, "security-group").findings == node(second, "security-group").findings == ()


def test_a_setting_of_the_router_judges_no_frontend_where_it_cannot_be() -> None:
    router = frontend("router", inside=NODES, address="10.0.3.250", ports=(443,))
    other = frontend("other", inside=NODES, address="10.0.3.251", ports=(8443,))
    lb = balancer("kubernetes", router, other)
    topology, findings = judged(ML, lb, attached(ML, registry=IMAGES), checks=("aml-aks-internal-lb",))
    assert set(edge(topology, "answers-at", "10.0.3.250").findings) == set(findings)
    assert edge(topology, "answers-at", "10.0.3.251").findings == ()


def test_the_registrys_own_firewall_is_judged_where_its_network_meets_it() -> None:
    doors = subnet("doors", "10.0.8.0/24")
    door = private_endpoint("door", to=IMAGES, into=doors, group_id="registry", address="10.0.8.4")
    for things, relation in (((ML,), "reaches"), ((ML, door), "leads-to")):
        topology, findings = judged(*things, attached(ML, registry=IMAGES), checks=("acr-network-path",))
        assert findings
        assert set(edge(topology, relation, "images").findings) == set(findings)


@pytest.mark.parametrize(
    ("check", "kind"),
    [
        ("aks-dns-service-ip-valid", "cluster"),
        ("aks-principal-resolvable", "identity"),
        ("rbac-cluster-identity-overbroad", "identity"),
    ],
)
def test_what_judges_no_edge_is_the_matter_of_its_thing(check: str, kind: str) -> None:
    topology, findings = judged(ML, attached(ML, registry=IMAGES), checks=(check,))
    assert findings
    assert set(node(topology, kind).findings) == set(findings)


def test_without_a_group_the_verdict_of_the_rules_is_the_subnets_own() -> None:
    bare = cluster("ml", nodes=subnet("nodes", "10.0.0.0/22"))
    topology, findings = judged(bare, attached(bare, registry=IMAGES), checks=("nsg-mcr-outbound",))
    assert findings
    assert set(node(topology, "subnet").findings) == set(findings)


# ---- whole estates ---------------------------------------------------------------------------------------------


def sample(night: str) -> Inventory:
    """The demo's estate as an inventory."""
    resources = load(NIGHTS / f"{night}.json", "public").resources
    builder = Builder()
    builder.header = Header(estate.NOW, "public", estate.TENANT, (), ())
    for number, body in enumerate(resources, 1):
        builder.add(json.dumps(body).encode(), night, number)
    return builder.build(now=estate.NOW)


@pytest.mark.parametrize("night", ["night-1", "night-2", "night-3"])
def test_every_edge_of_the_sample_estate_has_both_its_ends(night: str) -> None:
    found = topologies(sample(night), ())
    assert len(found) > 5
    for topology in found:
        keys = [each.key for each in topology.nodes]
        assert len(keys) == len(set(keys))
        assert {key for each in topology.edges for key in (each.source, each.target)} <= set(keys)
        assert {each.parent for each in topology.nodes if each.parent} <= set(keys)
