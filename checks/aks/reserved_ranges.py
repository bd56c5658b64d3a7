"""No range touches AKS's reserved blocks.

## What it checks
The service and pod ranges of the cluster, and the address space and subnets of its virtual network, against
169.254.0.0/16, 172.30.0.0/16, 172.31.0.0/16 and 192.0.2.0/24. Whichever contains the other, a shared address counts.

- passes if no range shares an address with them;
- warns if only the network's address space does;
- fails if a service range, a pod range or a subnet that the cluster uses does;
- is unknown if a range cannot be parsed or is missing, or the network could not be read.

## Why it matters
AKS uses these blocks itself, on the nodes and for Azure's own endpoints: what else lies there is unreachable from the
cluster, and creating or upgrading it is refused.

## Not concerned
A network that AKS manages and that was not read: AKS chose its ranges.

## Limits
172.16.0.0/12 contains two of the blocks. IPv6 ranges never match. Other subnets of the network do not count, unless by
its address space.
"""

from collections.abc import Iterator

from auditor.api import (
    Cluster,
    Footprint,
    Inventory,
    Mend,
    Severity,
    Source,
    Subnet,
    SubnetUse,
    Unread,
    Verdict,
    VirtualNetwork,
    check,
    failed,
    footprint,
    network,
    parse_ranges,
    passed,
    unknown,
    warned,
)

SERVICE = "properties.networkProfile.serviceCidrs"
POD = "properties.networkProfile.podCidrs"
PREFIX = "properties.addressPrefix"
SPACE = "properties.addressSpace.addressPrefixes"


@check(
    id="aks-reserved-ranges",
    severity=Severity.HIGH,
    source=Source("AKS-CNI", "Prerequisites", "/aks/configure-azure-cni"),
    mend=Mend.by(
        "the ranges of a cluster cannot be changed in place: re-create it with ranges apart from 169.254.0.0/16, "
        "172.30.0.0/16, 172.31.0.0/16 and 192.0.2.0/24, and in a subnet apart from them"
    ),
    clauses=("S3a",),
    reads=("microsoft.network/virtualnetworks",),
)
def reserved_ranges(cluster: Cluster, inventory: Inventory) -> Iterator[Verdict]:
    yield from _own(cluster, SERVICE, "service", cluster.service_cidrs)
    if cluster.pod_cidrs or cluster.overlay or cluster.plugin == "kubenet":
        yield from _own(cluster, POD, "pod", cluster.pod_cidrs)
    used = footprint(inventory, cluster)
    if isinstance(used, Unread):
        yield unknown("cluster-unreadable", "{cluster}: {why}", cluster=cluster.name, why=used.why, hint=used.hint)
        return
    yield from _around(cluster, used)


def _own(cluster: Cluster, path: str, word: str, texts: tuple[str, ...]) -> Iterator[Verdict]:
    """The cluster's own ranges of one kind."""
    if not texts:
        yield unknown(
            "range-unset",
            "the {word} range of {cluster} is not in its data",
            cluster.show(path, None),
            cluster=cluster.name,
            word=word,
            hint="grant Reader on the cluster and collect again",
        )
    ranges, bad = parse_ranges(texts)
    for text in bad:
        yield unknown(
            "unparsable",
            "{range}, the {word} range of {cluster}, is no range",
            cluster.show(path, text),
            cluster=cluster.name,
            word=word,
            range=text,
            hint="`az aks show` tells the value",
        )
    for text, addresses in ranges:
        if hit := network.reserved_part(addresses):
            yield failed(
                "range-reserved",
                "the {word} range {range} of {cluster} shares {hit} with a block that AKS reserves",
                cluster.show(path, text),
                cluster=cluster.name,
                word=word,
                range=text,
                hit=str(hit),
            )
        else:
            yield passed(
                "range-free",
                "the ranges of {cluster} and of its network touch no block that AKS reserves",
                cluster.show(path, text),
                cluster=cluster.name,
            )


def _around(cluster: Cluster, used: Footprint) -> Iterator[Verdict]:
    """The networks and subnets that the cluster uses."""
    if used.incomplete is not None:
        yield _unread(cluster, used.incomplete)
    for use in used.networks:
        match use.network:
            case Unread() as lost:
                yield _unread(cluster, lost)
            case VirtualNetwork() as own:
                yield from _space(cluster, own)
    for subnet_use in used.uses:
        yield from _subnet(cluster, subnet_use)


def _unread(cluster: Cluster, lost: Unread) -> Verdict:
    return unknown(
        "network-unread",
        "whether the network of {cluster} touches a reserved block is not known: {what}: {why}",
        cluster=cluster.name,
        what=lost.what,
        why=lost.why,
        hint=lost.hint,
    )


def _space(cluster: Cluster, own: VirtualNetwork) -> Iterator[Verdict]:
    ranges, bad = parse_ranges(own.prefixes)
    if bad or not ranges:
        why = f"{bad[0]} is no range" if bad else "addressSpace is not in its data"
        yield _unread(cluster, Unread(own.id, why, "collect again"))
    for text, addresses in ranges:
        if hit := network.reserved_part(addresses):
            yield warned(
                "space-reserved",
                "the address space {range} of {network}, the network of {cluster}, holds {hit}, which AKS reserves",
                own.show(SPACE, text),
                related=[own.id],
                cluster=cluster.name,
                network=own.name,
                range=text,
                hit=str(hit),
            )
        else:
            yield passed(
                "range-free",
                "the ranges of {cluster} and of its network touch no block that AKS reserves",
                own.show(SPACE, text),
                cluster=cluster.name,
            )


def _subnet(cluster: Cluster, use: SubnetUse) -> Iterator[Verdict]:
    if not isinstance(use.subnet, Subnet):
        yield _unread(cluster, use.subnet)
        return
    ranges, bad = parse_ranges(use.subnet.prefixes)
    if bad or not ranges:
        why = f"{bad[0]} is no range" if bad else "addressPrefix is not in its data"
        yield _unread(cluster, Unread(use.id, why, "collect again"))
    for text, addresses in ranges:
        if hit := network.reserved_part(addresses):
            yield failed(
                "subnet-reserved",
                "{range} of the subnet {subnet}, which {cluster} uses, shares {hit} with a block that AKS reserves",
                use.subnet.show(PREFIX, text),
                related=[use.id],
                cluster=cluster.name,
                subnet=use.subnet.name,
                range=text,
                hit=str(hit),
            )
        else:
            yield passed(
                "range-free",
                "the ranges of {cluster} and of its network touch no block that AKS reserves",
                use.subnet.show(PREFIX, text),
                cluster=cluster.name,
            )
