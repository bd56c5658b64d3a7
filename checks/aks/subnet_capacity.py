"""Subnets and pod range are large enough for the pools at their maximum.

## What it checks
For each subnet of the cluster three numbers of addresses against its usable ones (size less the five that Azure keeps):
steady (nodes as they are), upgrade (with surge), peak (scaled out to `maxCount`, with surge). They are summed over all
pools and all clusters on the subnet, with internal load balancer frontends and everything else in it. A node takes one
address; with flat Azure CNI also one for each of its `maxPods`; on a pod subnet its `maxPods` there, in blocks of 16
with static allocation. With overlay and kubenet besides: 256 addresses of the pod range for each node.

- passes if all three fit;
- warns if the peak does not fit, or if more than 90 % are in use;
- fails if steady or upgrade does not fit;
- is unknown if a size, a count, or another cluster on the subnet could not be read, or nodes are provisioned
  automatically, and what was read fits.

## Why it matters
Without free addresses the inference pool cannot scale out under load, and an upgrade stops at its first node. A subnet
cannot grow past its neighbours while nodes are in it.

## Not concerned
Clusters whose network AKS manages. IPv6.

## Limits
An unset `maxSurge` counts as one node or a tenth of the pool, whichever is more. Upgrades of several pools and clusters
are counted as if they came at once. A stopped pool counts at its peak only. Deallocated nodes keep their addresses and
are seen only in the subnet's own list.
"""

from collections.abc import Iterator
from typing import Any

from auditor.api import (
    PODS_A_NODE,
    Cluster,
    Demand,
    Evidence,
    Footprint,
    Inventory,
    Mend,
    Severity,
    Source,
    Subnet,
    SubnetRole,
    Unread,
    Verdict,
    check,
    failed,
    footprint,
    inference_subnets,
    key_of,
    network,
    nodes_of_all,
    not_applicable,
    parse_ranges,
    passed,
    subnet_need,
    unknown,
    warned,
)

PREFIX = "properties.addressPrefix"
POD = "properties.networkProfile.podCidrs"
POD_RANGE = "podCidrs"  # the part that verdicts about the pod range carry


@check(
    id="aks-subnet-capacity",
    severity=Severity.MEDIUM,
    source=Source("AKS-IP", "Plan IP addressing", "/aks/concepts-network-ip-address-planning"),
    mend=Mend.by(
        "create a larger subnet (`az network vnet subnet create --address-prefixes BIGGER`), add a node pool in it "
        "(`az aks nodepool add --vnet-subnet-id NEW`) and remove the old one; or lower `--max-count` or, on a new "
        "pool, `--max-pods`"
    ),
    clauses=("S3a",),
    reads=("microsoft.network/virtualnetworks", "microsoft.network/loadbalancers"),
)
def subnet_capacity(cluster: Cluster, inventory: Inventory) -> Iterator[Verdict]:
    used = footprint(inventory, cluster)
    if isinstance(used, Unread):
        yield unknown("cluster-unreadable", "{cluster}: {why}", cluster=cluster.name, why=used.why, hint=used.hint)
        return
    if used.managed:
        yield not_applicable("managed-vnet", "AKS manages the network of {cluster} itself", cluster=cluster.name)
        return
    on = {where.key: where.clusters for where in inference_subnets(inventory)}
    for use in used.in_roles(SubnetRole.NODE, SubnetRole.POD, SubnetRole.LOAD_BALANCER):
        if isinstance(use.subnet, Unread):
            yield unknown(
                "subnet-unread",
                "{subnet}, a subnet of {cluster}, could not be read: {why}",
                part=use.id,
                cluster=cluster.name,
                subnet=use.id.rsplit("/", 1)[-1],
                why=use.subnet.why,
                hint=use.subnet.hint,
            )
        else:
            yield _of_subnet(inventory, cluster, use.subnet, on[key_of(use.id)], used)
    if cluster.overlay or cluster.plugin == "kubenet":
        yield _of_pod_range(cluster, used)


def _of_subnet(
    inventory: Inventory, cluster: Cluster, subnet: Subnet, clusters: tuple[Cluster, ...], used: Footprint
) -> Verdict:
    needed = subnet_need(inventory, subnet, clusters)
    ranges, bad = parse_ranges(subnet.prefixes)
    lost = [*needed.need.unread, *([used.incomplete] if used.incomplete else [])]
    if bad or not ranges:
        why = f"{bad[0]} is no prefix" if bad else "addressPrefix is not in its data"
        lost.insert(0, Unread(subnet.id, why, "collect again"))
    room = (
        network.usable(network.AddressSet.union(addresses for _, addresses in ranges)) if ranges and not bad else None
    )
    note = f"{room} usable, {needed.others} of others, {needed.frontends} of frontends"
    shown = [*(subnet.show(PREFIX, text, note) for text in subnet.prefixes), *needed.need.evidence]
    return _decide(
        needed.need.demand,
        room,
        lost,
        shown,
        observed=needed.observed,
        part=subnet.id,
        related=[one.id for one in clusters],
        cluster=cluster.name,
        where=subnet.name,
    )


def _of_pod_range(cluster: Cluster, used: Footprint) -> Verdict:
    nodes = nodes_of_all(cluster)
    ranges, bad = parse_ranges(cluster.pod_cidrs)
    room = network.AddressSet.union(addresses for _, addresses in ranges).size(4) if ranges and not bad else 0
    lost = [*nodes.unread, *([used.incomplete] if used.incomplete else [])]
    if bad or not room:
        why = f"{bad[0]} is no range" if bad else "its IPv4 pod range is not in its data"
        lost.insert(0, Unread(cluster.id, why, "collect again"))
    return _decide(
        nodes.demand * PODS_A_NODE,
        None if bad or not room else room,
        lost,
        [cluster.show(POD, list(cluster.pod_cidrs), f"{PODS_A_NODE} addresses a node"), *nodes.evidence],
        observed=0,
        part=POD_RANGE,
        cluster=cluster.name,
        where="the pod range",
    )


def _decide(
    demand: Demand, room: int | None, lost: list[Unread], shown: list[Evidence], *, observed: int, **more: Any
) -> Verdict:
    more |= {"steady": demand.steady, "upgrade": demand.upgrade, "peak": demand.peak, "usable": room}
    if room is not None and demand.steady > room:
        return failed(
            "too-small",
            "{where} has {usable} addresses for {cluster} and what else is there, which take {steady}",
            *shown,
            **more,
        )
    if room is not None and demand.upgrade > room:
        return failed(
            "no-room-to-upgrade",
            "{where} has {usable} addresses, and an upgrade of {cluster} and what else is there takes {upgrade}",
            *shown,
            **more,
        )
    if lost:
        return unknown(
            "node-auto-provisioning" if lost[0].reason == "node-auto-provisioning" else "counts-unread",
            "whether {where} has room for {cluster} is not known: {what}: {why}",
            *shown,
            what=lost[0].what,
            why=lost[0].why,
            hint=lost[0].hint,
            **more,
        )
    return _fits(demand, room or 0, shown, observed, more)


def _fits(demand: Demand, room: int, shown: list[Evidence], observed: int, more: dict[str, Any]) -> Verdict:
    """Nodes as they are and an upgrade fit."""
    if demand.peak > room:
        return warned(
            "no-room-to-scale",
            "{where} has {usable} addresses, and {cluster} and what else is there take {peak} when scaled out",
            *shown,
            **more,
        )
    in_use = max(demand.steady, observed)
    if in_use * 10 > room * 9:
        return warned(
            "nearly-full", "{in_use} of {usable} addresses of {where} are in use", *shown, in_use=in_use, **more
        )
    return passed(
        "fits",
        "{where} has {usable} addresses for {cluster}: {steady} now, {upgrade} while upgrading, {peak} at most",
        *shown,
        **more,
    )
