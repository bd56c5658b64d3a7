"""Nodes and pods may talk to each other.

## What it checks
Within a cluster everything flows, in every protocol: node to node, node to pod, pod to pod; and, with API server VNet
integration, node to API server on TCP 443 and 4443. A packet leaves through the groups of its own subnet and enters
through those of the other, so that each subnet is asked in both directions.

- passes where all of it is let through;
- fails where all or a part of it is denied, with a packet and the rule that drops it;
- is unknown where a subnet, the pod range, a group or something that decides could not be read.

## Why it matters
The inference router forwards each request from pod to pod, and health checks and logs go from node to pod. A rule that
denies `VirtualNetwork` to keep workloads apart cuts the nodes of one subnet off from each other as well.

## Not concerned
Subnets without nodes, pods or API servers.

## Limits
Pod ranges of overlay and kubenet clusters are not part of the network's address space, and yet such clusters work with
the default rules alone. For them only custom rules count: what none of these denies, passes. Network policies inside
the cluster are not read.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from auditor.api import (
    ALLOW_BETWEEN,
    Cluster,
    Evidence,
    InferenceSubnet,
    Inventory,
    Mend,
    Severity,
    Source,
    Subnet,
    SubnetRole,
    Unread,
    Verdict,
    address_set,
    check,
    deciding,
    effect_of,
    failed,
    footprint,
    hangs_on,
    network,
    passed,
    put,
    readable_subnet,
    stopped,
    subnet_addresses,
    subnet_group,
    trace_of,
    unknown,
    worst,
)

RUNNING = {SubnetRole.NODE, SubnetRole.POD, SubnetRole.API_SERVER}
API_PORTS = network.PortSet.of(443, 4443)
Access, AddressSet, Direction, How = network.Access, network.AddressSet, network.Direction, network.How


@dataclass(frozen=True, slots=True)
class Range:
    """The addresses of a cluster's nodes, pods or API servers as far as read, and why they may not be all."""

    addresses: network.AddressSet
    unread: Unread | None = None


@dataclass(frozen=True, slots=True)
class Flow:
    """Packets that must pass a subnet in one direction. `custom_only`: default rules do not count."""

    slug: str
    direction: network.Direction
    source: Range
    destination: Range
    custom_only: bool = False
    api: bool = False


@check(
    id="nsg-intra-cluster",
    severity=Severity.HIGH,
    source=Source("AKS-CNI", "Network security groups", "/aks/concepts-network-cni-overview"),
    mend=Mend.by("let the cluster's nodes and pods reach each other, above the rule that denies"),
    clauses=("S3a", "S9"),
    reads=(
        "microsoft.network/networksecuritygroups",
        "microsoft.network/virtualnetworks",
        "microsoft.containerservice/managedclusters",
    ),
    where=lambda subject, inventory: bool(subject.roles & RUNNING and subject.clusters),
)
def intra_cluster(where: InferenceSubnet, inventory: Inventory) -> Iterator[Verdict]:
    match readable_subnet(where):
        case Unread(why=why, hint=hint):
            yield unknown("subnet-unread", "{subnet} could not be read: {why}", subnet=where.name, why=why, hint=hint)
        case subnet:
            for cluster in where.clusters:
                own = replace(where, clusters=(cluster,))  # other clusters' interfaces do not see these packets
                for flow in _flows(inventory, own, subnet, cluster):
                    yield from _judged(inventory, own, subnet, cluster, flow)


def _flows(inventory: Inventory, where: InferenceSubnet, subnet: Subnet, cluster: Cluster) -> Iterator[Flow]:
    addresses = subnet_addresses(subnet)
    own = Range(addresses) if isinstance(addresses, AddressSet) else Range(AddressSet.empty(), addresses)
    nodes, pods = (_in_role(inventory, cluster, role) for role in (SubnetRole.NODE, SubnetRole.POD))
    servers = _in_role(inventory, cluster, SubnetRole.API_SERVER)
    out, into = Direction.OUTBOUND, Direction.INBOUND
    roles = _roles_for(inventory, where, cluster)
    if SubnetRole.NODE in roles:
        yield Flow("node-to-node", out, own, nodes)
        yield Flow("node-to-node", into, nodes, own)
        beyond = _pod_range(cluster)
        if beyond is not None:
            yield Flow("node-to-pod", out, own, beyond, custom_only=True)
            yield Flow("node-to-pod", into, nodes, beyond, custom_only=True)
            yield Flow("pod-to-pod", out, beyond, beyond, custom_only=True)
            yield Flow("pod-to-pod", into, beyond, beyond, custom_only=True)
        if pods.addresses or pods.unread:
            yield Flow("node-to-pod", out, own, pods)
        if servers.addresses or servers.unread:
            yield Flow("node-to-api-server", out, own, servers, api=True)
    if SubnetRole.POD in roles:
        yield Flow("node-to-pod", into, nodes, own)
        yield Flow("pod-to-pod", out, own, pods)
        yield Flow("pod-to-pod", into, pods, own)
    if SubnetRole.API_SERVER in roles:
        yield Flow("node-to-api-server", into, nodes, own, api=True)


def _roles_for(inventory: Inventory, where: InferenceSubnet, cluster: Cluster) -> frozenset[SubnetRole]:
    """What this cluster, of all that use the subnet, uses it for."""
    found = footprint(inventory, cluster)
    uses = () if isinstance(found, Unread) else found.uses
    return frozenset(role for use in uses if use.id.casefold() == where.id.casefold() for role in use.roles)


def _in_role(inventory: Inventory, cluster: Cluster, role: SubnetRole) -> Range:
    found = footprint(inventory, cluster)
    if isinstance(found, Unread):
        return Range(AddressSet.empty(), found)
    known: list[network.AddressSet] = []
    unread: Unread | None = None
    for use in found.in_roles(role):
        addresses = use.subnet if isinstance(use.subnet, Unread) else subnet_addresses(use.subnet)
        if isinstance(addresses, Unread):
            unread = unread or addresses
        else:
            known.append(addresses)
    return Range(AddressSet.union(known), unread)


def _pod_range(cluster: Cluster) -> Range | None:
    """The pod range of an overlay or kubenet cluster; None where pods have addresses of subnets."""
    if not (cluster.overlay or cluster.plugin == "kubenet"):
        return None
    if not cluster.pod_cidrs:
        why = "podCidr is not in the cluster's data"
        return Range(AddressSet.empty(), Unread(cluster.id, why, "collect again", "pod-range-unread"))
    found = address_set(cluster.pod_cidrs, cluster.id)
    return Range(AddressSet.empty(), found) if isinstance(found, Unread) else Range(found)


def _judged(
    inventory: Inventory, where: InferenceSubnet, subnet: Subnet, cluster: Cluster, flow: Flow
) -> Iterator[Verdict]:
    unread = flow.source.unread or flow.destination.unread
    if flow.source.addresses and flow.destination.addresses:
        yield _decided(inventory, where, subnet, cluster, flow)
    elif unread is None:
        return
    if unread is not None:
        # What was read is judged all the same: a denial there is one, whatever the rest is.
        yield unknown(
            "range-unread",
            "what {flow} traffic of {cluster} passes {subnet} could not be read: {why}",
            part=flow.slug,
            related=[cluster.id],
            flow=flow.slug,
            cluster=cluster.name,
            subnet=where.name,
            why=unread.why,
            hint=unread.hint,
        )


def _decided(inventory: Inventory, where: InferenceSubnet, subnet: Subnet, cluster: Cluster, flow: Flow) -> Verdict:
    question = network.Question(
        direction=flow.direction,
        source=flow.source.addresses,
        destination=flow.destination.addresses,
        ports=API_PORTS if flow.api else network.PortSet.any(),
        protocols=frozenset({network.Protocol.TCP}) if flow.api else network.ALL_PROTOCOLS,
        defaults=not flow.custom_only,
    )
    answers = put(inventory, where, subnet, question)
    answer = worst(answers)
    decision = answer.decision
    shown: tuple[Evidence, ...] = (subnet.show("addressPrefixes", list(subnet.prefixes)), *deciding(decision.parts))
    more: dict[str, Any] = {
        "part": flow.slug,
        "related": [cluster.id],
        "trace": trace_of(answer, flow.slug),
        "effect": effect_of(answers),
        "flow": flow.slug,
        "cluster": cluster.name,
        "subnet": where.name,
    }
    match decision.access:
        case Access.ALLOWED:
            return _allowed(decision, shown, more)
        case Access.UNDECIDED:
            return unknown(
                "undecided",
                "whether {flow} traffic of {cluster} passes {subnet} hangs on {atoms}, which rule {rules} rests on",
                *shown,
                **hangs_on([decision]),
                **more,
            )
        case Access.DENIED | Access.PARTIAL:
            # Clusters that share a subnet have pods, or an API server, of their own: a rule each.
            to = (flow.destination.addresses.first() or "").replace(":", "-")
            name = f"Allow-{flow.slug}-{flow.direction}-{to}"
            more["mend"] = ALLOW_BETWEEN
            more |= stopped(
                inventory,
                decision,
                subnet_group(inventory, subnet),
                flow.direction,
                name,
                sources=list(flow.source.addresses.prefixes()),
                destinations=list(flow.destination.addresses.prefixes()),
            )
            if decision.access is Access.DENIED:
                return failed("denied", "{subnet} cuts {flow} traffic of {cluster}: {rule} drops {packet}",
                              *shown, **more)  # fmt: skip
            return failed("partly-denied", "{subnet} cuts a part of the {flow} traffic of {cluster}: {rule} drops "
                          "{packet}", *shown, **more)  # fmt: skip


def _allowed(decision: network.Decision, shown: tuple[Evidence, ...], more: dict[str, Any]) -> Verdict:
    how = decision.allowed_by()
    if how <= {How.NO_GROUP}:
        return passed("no-nsg", "nothing filters {flow} traffic of {cluster} at {subnet}", *shown, **more)
    if how <= {How.NO_GROUP, How.DEFAULT_RULE, How.FALLS_THROUGH, How.PLATFORM}:
        return passed(
            "default-rules", "{flow} traffic of {cluster} passes {subnet}, no custom rule denies it", *shown, **more
        )
    rules = [str(rule) for rule in decision.rules()]
    return passed("allowed", "{flow} traffic of {cluster} passes {subnet}, by {rules}", *shown, rules=rules, **more)
