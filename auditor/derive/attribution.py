"""Which findings judge which edge of a cluster's network: the picture's colours come from here."""

from __future__ import annotations

import msgspec

from auditor.derive.topology import Drawing, Line, drawing
from auditor.findings import Finding, NodeKind, Relation, Topology, TopologyEdge, TopologyNode
from auditor.inventory import Inventory
from auditor.inventory.records import Cluster, key_of

_OUTBOUND = frozenset(
    {"nsg-mcr-outbound", "nsg-storage-outbound", "nsg-aks-required-outbound", "nsg-aml-required-outbound"}
)
# In this order; the first relation with an edge that fits takes the finding.
_JUDGES: tuple[tuple[Relation, frozenset[str]], ...] = (
    ("reaches", frozenset({"nsg-acr-outbound", "nsg-storage-outbound", "route-required-services"})),
    ("leads-to", frozenset({"acr-network-path"})),
    ("reaches", frozenset({"acr-network-path"})),
    ("pulls-from", frozenset({"rbac-acr-pull"})),
    (
        "may-join",
        frozenset({"aks-identity-network-contributor-vnet-rg", "aks-identity-subnet-join-effective"}),
    ),
    ("sends-to", frozenset({"route-default-egress"})),
    (
        "routed-by",
        frozenset(
            {"route-default-egress", "route-required-services", "route-kubenet-table", "rbac-route-table-rights"}
        ),
    ),
    (
        "filtered-by",
        _OUTBOUND
        | {
            "nsg-acr-outbound",
            "nsg-default-outbound-kept",
            "nsg-dns-outbound",
            "nsg-intra-cluster",
            "nsg-lb-probe-inbound",
            "nsg-private-endpoint-policies",
        },
    ),
    (
        "answers-at",
        frozenset(
            {
                "aks-public-inference-frontend",
                "aml-aks-internal-lb",
                "aml-inference-tls",
                "nsg-scoring-inbound",
                "route-asymmetric-ingress",
            }
        ),
    ),
    ("leaves-by", frozenset({"aks-public-inference-frontend"})),
    (
        "managed-at",
        frozenset(
            {
                "aks-private-api-server",
                "aks-private-cluster-public-fqdn",
                "aks-private-dns-zone",
                "aks-apiserver-authorized-ranges",
            }
        ),
    ),
    ("uses", frozenset({"aks-node-subnet-not-delegated", "aks-subnet-capacity", "aks-apiserver-subnet"})),
)
_IDENTITY: dict[str, NodeKind] = {
    "aks-principal-resolvable": "identity",
    "rbac-cluster-identity-overbroad": "identity",
    "rbac-private-dns-zone-rights": "identity",
    "aks-identity-network-contributor-vnet-rg": "identity",
    "aks-identity-subnet-join-effective": "identity",
    "rbac-acr-pull": "kubelet-identity",
}


def topologies(inventory: Inventory, findings: tuple[Finding, ...]) -> tuple[Topology, ...]:
    """The network of every cluster, by id, with the findings that judge its parts. Nothing is said twice in one."""
    about: dict[str, list[Finding]] = {}
    for finding in findings:
        about.setdefault(key_of(finding.resource.id), []).append(finding)
    return tuple(_judged(drawing(inventory, cluster), about) for cluster in inventory.every(Cluster))


def _judged(made: Drawing, about: dict[str, list[Finding]]) -> Topology:
    on_lines: dict[Line, list[str]] = {line: [] for line in made.lines}
    on_nodes: dict[str, list[str]] = {key: [] for key in made.nodes}
    for subject in dict.fromkeys((*sorted(made.owners), *made.nodes)):
        for finding in about.get(subject, ()):
            lines = _lines_of(made, finding)
            for line in lines:
                on_lines[line].append(finding.id)
            if not lines and (node := _node_of(made, finding)) is not None:
                on_nodes[node].append(finding.id)
    return _topology(made, on_nodes, on_lines)


def _lines_of(made: Drawing, finding: Finding) -> list[Line]:
    named = {key_of(finding.resource.id), key_of(finding.part or "")}
    for relation, checks in _JUDGES:
        if finding.check not in checks:
            continue
        found = [line for line in made.lines if line.relation == relation and _fits(line, finding, named)]
        if found:
            return found
    return []


def _fits(line: Line, finding: Finding, named: set[str]) -> bool:
    if not named & line.about:
        return False
    if line.relation == "sends-to":
        return line.default
    if line.relation == "answers-at" and finding.check != "aks-public-inference-frontend":
        # A setting, or a packet to the router: a matter of every frontend where it may be, unless one is named.
        return line.default and (finding.check != "nsg-scoring-inbound" or bool(named & line.beside))
    return not line.beside or bool(named & line.beside)


def _node_of(made: Drawing, finding: Finding) -> str | None:
    """Whose own matter a finding is that judges no edge; None for what the picture does not show."""
    subject = key_of(finding.resource.id)
    if subject in made.owners:
        wanted = _IDENTITY.get(finding.check, "cluster")
        return next(key for key, node in made.nodes.items() if node.kind == wanted)
    if subject not in made.nodes:
        return None
    if made.nodes[subject].kind == "subnet" and not any(line.target == subject for line in made.lines):
        return None  # of whoever uses that subnet
    if finding.part and finding.check in ("nsg-default-outbound-kept", "acr-network-path"):
        return None  # the same security group on a subnet, the same registry from a network of somebody else
    return subject


def _topology(made: Drawing, on_nodes: dict[str, list[str]], on_lines: dict[Line, list[str]]) -> Topology:
    """With short keys, since report files repeat them."""
    short = {key: f"n{number}" for number, key in enumerate(made.nodes)}

    def node(key: str, each: TopologyNode) -> TopologyNode:
        parent = short[each.parent] if each.parent else None
        return msgspec.structs.replace(each, key=short[key], parent=parent, findings=tuple(sorted(on_nodes[key])))

    return Topology(
        cluster=made.cluster.id,
        nodes=tuple(node(key, each) for key, each in made.nodes.items()),
        edges=tuple(
            TopologyEdge(
                source=short[line.source],
                target=short[line.target],
                relation=line.relation,
                findings=tuple(sorted(found)),
            )
            for line, found in on_lines.items()
        ),
    )
