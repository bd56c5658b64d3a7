"""Topologies for pictures: of any size, and the one of the believable night."""

from __future__ import annotations

from collections.abc import Iterable

from auditor.findings import Finding, Topology, TopologyEdge, TopologyNode
from tests.report.factory import cluster_id, rid


def network(subnets: int, *, used: int, registries: int = 1, hops: int = 1, name: str = "vnet-ml") -> Topology:
    """A cluster in a network of so many subnets, of which it uses some; each of these has a group and a table."""
    nodes = [
        TopologyNode(key="c", kind="cluster", name="aks-large", id=cluster_id("aks-large")),
        TopologyNode(key="i", kind="identity", name="id-aks-large", note="user-assigned"),
        TopologyNode(key="k", kind="kubelet-identity", name="id-kubelet"),
        TopologyNode(key="v", kind="network", name=name, id=rid("Microsoft.Network/virtualNetworks", name)),
        TopologyNode(key="api", kind="api-server", name="aks-large.privatelink.chinaeast2.azmk8s.cn"),
        TopologyNode(key="f", kind="frontend", name="40.73.11.20", note="public-service · 443"),
    ]
    edges = [
        TopologyEdge(source="c", target="i", relation="acts-as"),
        TopologyEdge(source="c", target="k", relation="acts-as"),
        TopologyEdge(source="i", target="v", relation="may-join"),
        TopologyEdge(source="c", target="api", relation="managed-at"),
        TopologyEdge(source="c", target="f", relation="answers-at"),
    ]
    for number in range(registries):
        nodes.append(TopologyNode(key=f"r{number}", kind="registry", name=f"acr{number}"))
        edges.append(TopologyEdge(source="k", target=f"r{number}", relation="pulls-from"))
    for number in range(subnets):
        subnet = f"s{number}"
        nodes.append(
            TopologyNode(key=subnet, kind="subnet", name=f"snet-{number}", note=f"10.0.{number}.0/24", parent="v")
        )
        if number >= used:
            continue
        nodes += [
            TopologyNode(key=f"g{number}", kind="security-group", name=f"nsg-{number}"),
            TopologyNode(key=f"t{number}", kind="route-table", name=f"rt-{number}"),
        ]
        edges += [
            TopologyEdge(source="c", target=subnet, relation="uses"),
            TopologyEdge(source=subnet, target=f"g{number}", relation="filtered-by"),
            TopologyEdge(source=subnet, target=f"t{number}", relation="routed-by"),
        ]
        for hop in range(hops):
            nodes.append(TopologyNode(key=f"h{number}-{hop}", kind="next-hop", name=f"10.9.{number}.{hop}"))
            edges.append(TopologyEdge(source=f"t{number}", target=f"h{number}-{hop}", relation="sends-to"))
        edges += [
            TopologyEdge(source=subnet, target=f"r{registry}", relation="reaches") for registry in range(registries)
        ]
    return Topology(cluster=cluster_id("aks-large"), nodes=tuple(nodes), edges=tuple(edges))


def of(findings: Iterable[Finding], cluster: str = "aks-score-prod") -> Topology:
    """The network of the night's scoring cluster; a finding on an edge is found by its check."""
    by_check: dict[str, list[str]] = {}
    for finding in findings:
        by_check.setdefault(finding.check, []).append(finding.id)

    def about(check: str) -> tuple[str, ...]:
        return tuple(by_check.get(check, ())[:1])

    nodes = (
        TopologyNode(key="c", kind="cluster", name=cluster, id=cluster_id(cluster)),
        TopologyNode(key="i", kind="identity", name="id-aks-score", note="user-assigned"),
        TopologyNode(key="k", kind="kubelet-identity", name="aks-score-prod-agentpool", note="kubelet"),
        TopologyNode(key="v", kind="network", name="vnet-ml-prod", note="10.20.0.0/16"),
        TopologyNode(key="s", kind="subnet", name="snet-nodes", note="10.20.0.0/22", parent="v"),
        TopologyNode(key="a", kind="subnet", name="snet-aci", note="10.20.19.0/24", parent="v"),
        TopologyNode(key="p", kind="subnet", name="snet-pe", note="10.20.17.0/24", parent="v"),
        TopologyNode(key="g", kind="security-group", name="nsg-snet-nodes"),
        TopologyNode(key="t", kind="route-table", name="rt-score", note="could not be read: 403", read=False),
        TopologyNode(key="h", kind="next-hop", name="10.0.0.4", note="0.0.0.0/0 · VirtualAppliance"),
        TopologyNode(key="f", kind="frontend", name="40.73.11.20", note="public-service · 443"),
        TopologyNode(
            key="api", kind="api-server", name="aks-score-prod.privatelink.chinaeast2.cx.prod.service.azk8s.cn"
        ),
        TopologyNode(key="e", kind="private-endpoint", name="pe-acr", note="10.20.17.4 · snet-pe"),
        TopologyNode(key="r", kind="registry", name="acrmlprod"),
    )
    edges = (
        TopologyEdge(source="c", target="i", relation="acts-as"),
        TopologyEdge(source="c", target="k", relation="acts-as"),
        TopologyEdge(
            source="i", target="v", relation="may-join", findings=about("aks-identity-network-contributor-vnet-rg")
        ),
        TopologyEdge(source="c", target="s", relation="uses", findings=about("aks-dns-service-ip-valid")),
        TopologyEdge(source="c", target="api", relation="managed-at", findings=about("aks-principal-resolvable")),
        TopologyEdge(source="c", target="f", relation="answers-at", findings=about("aks-public-inference-frontend")),
        TopologyEdge(source="s", target="g", relation="filtered-by", findings=about("nsg-default-outbound-kept")),
        TopologyEdge(source="s", target="t", relation="routed-by"),
        TopologyEdge(source="t", target="h", relation="sends-to", findings=about("aks-identity-subnet-join-effective")),
        TopologyEdge(source="s", target="e", relation="reaches", findings=about("nsg-acr-outbound")),
        TopologyEdge(source="e", target="r", relation="leads-to"),
        TopologyEdge(source="k", target="r", relation="pulls-from"),
    )
    return Topology(cluster=cluster_id(cluster), nodes=nodes, edges=edges)
