"""Docker bridge range collides with nothing.

## What it checks
`networkProfile.dockerBridgeCidr`, an interface address with host bits, against the cluster's service and pod ranges
and every subnet of its virtual network and of connected peers.

- passes if the bridge's range touches none of them;
- warns on an overlap where no node runs Docker any more: a legacy value that containerd does not use;
- fails on an overlap while a node may still run Docker: Kubernetes below 1.19, Windows pools below 1.23;
- is unknown if the value cannot be parsed, if the network or a peer could not be read and nothing that was read
  overlaps, or if the version of an overlapping cluster is not in its data.

## Why it matters
On a node that runs Docker, traffic to an address behind the bridge never leaves the node: services there cannot be
reached from pods.

## Not concerned
Clusters without the property; current API versions dropped it. With a network that AKS manages and that was not read,
only the cluster's own ranges are judged.

## Limits
`172.17.0.1/16` is the old default and survives in clusters that never used Docker. An overlap with an address space
where no subnet lies is no finding. The prefixes of a peer whose subnets were not read tell only that nothing overlaps.
"""

import re
from collections.abc import Iterator

from auditor.api import (
    Around,
    Cluster,
    Evidence,
    Inventory,
    Mend,
    Severity,
    Source,
    Unread,
    Verdict,
    around,
    check,
    failed,
    network,
    not_applicable,
    passed,
    unknown,
    warned,
)

PATH = "properties.networkProfile.dockerBridgeCidr"
SERVICE = "properties.networkProfile.serviceCidrs"
POD = "properties.networkProfile.podCidrs"
CONTAINERD = {"linux": (1, 19), "windows": (1, 23)}  # the first version whose nodes no longer run Docker


@check(
    id="aks-docker-bridge-cidr",
    severity=Severity.LOW,
    source=Source(
        "AML-V1-INF", "Azure Kubernetes Service, step 4", "/machine-learning/v1/how-to-secure-inferencing-vnet"
    ),
    mend=Mend.by(
        "nodes on containerd do not use the bridge: upgrade the cluster (`az aks upgrade`), or re-create it without "
        "--docker-bridge-address",
        ("az", "aks", "get-upgrades", "--resource-group", "{resource_group}", "--name", "{name}"),
    ),
    clauses=("S7",),
    reads=("microsoft.network/virtualnetworks",),
)
def docker_bridge_cidr(cluster: Cluster, inventory: Inventory) -> Iterator[Verdict]:
    text = (cluster.network.docker_bridge_cidr or "").strip() if cluster.network else ""
    if not text:
        yield _unset(cluster)
        return
    shown = cluster.show(PATH, text)
    try:
        bridge = network.AddressSet.parse(text)
    except ValueError:
        yield unknown(
            "unparsable",
            "{range}, the Docker bridge address of {cluster}, is no range",
            shown,
            cluster=cluster.name,
            range=text,
            hint="`az aks show` tells the value; it cannot be changed in place",
        )
        return
    here = around(inventory, cluster)
    own = _own_ranges(cluster, bridge)
    subnets = () if isinstance(here, Unread) else here.overlapping(bridge, "subnet", "peer-subnet")
    hit = [*own, *(Evidence(o.id, "properties.addressPrefix", o.prefix, o.name) for o in subnets)]
    if hit:
        yield _collides(cluster, text, shown, hit)
        return
    yield _apart(cluster, text, bridge, shown, here)


def _unset(cluster: Cluster) -> Verdict:
    if cluster.partial:
        return unknown(
            "cluster-unreadable",
            "the data of {cluster} are cut short: neither network profile nor agent pools are there",
            cluster.show(PATH, None),
            cluster=cluster.name,
            hint="grant Reader on the cluster and collect again",
        )
    return not_applicable(
        "no-docker-bridge",
        "{cluster} has no Docker bridge address",
        cluster.show(PATH, None),
        cluster=cluster.name,
    )


def _own_ranges(cluster: Cluster, bridge: network.AddressSet) -> list[Evidence]:
    """The cluster's own ranges that the bridge overlaps."""
    found = []
    for path, texts in ((SERVICE, cluster.service_cidrs), (POD, cluster.pod_cidrs)):
        for text in texts:
            try:
                if network.AddressSet.parse(text).overlaps(bridge):
                    found.append(cluster.show(path, text))
            except ValueError:
                continue  # what cannot be parsed is judged by `_own_range_lost` before anything passes
    return found


def _own_range_lost(cluster: Cluster) -> Unread | None:
    """Why the cluster's own ranges are not all known, or None."""
    needed = {"service": cluster.service_cidrs}
    if cluster.overlay or cluster.plugin == "kubenet":
        needed["pod"] = cluster.pod_cidrs
    for word, texts in needed.items():
        if not texts:
            return Unread(cluster.id, f"its {word} range is not in its data", "collect again")
    for text in (*cluster.service_cidrs, *cluster.pod_cidrs):
        try:
            network.AddressSet.parse(text)
        except ValueError:
            return Unread(cluster.id, f"{text} is no range", "`az aks show` tells the value")
    return None


def _collides(cluster: Cluster, text: str, shown: Evidence, hit: list[Evidence]) -> Verdict:
    more = {"cluster": cluster.name, "range": text, "other": hit[0].value, "owner": hit[0].note or "its own range"}
    versions = [cluster.show(path, value) for path, value, _ in _versions(cluster)]
    docker = [_below_containerd(value, system) for _, value, system in _versions(cluster)]
    if any(docker):
        return failed(
            "overlaps",
            "the Docker bridge {range} of {cluster} overlaps {other} ({owner}), and its nodes may run Docker",
            shown,
            *hit,
            *versions,
            related=[one.resource for one in hit],
            **more,
        )
    if None in docker or not docker:
        return unknown(
            "version-unread",
            "the Docker bridge {range} of {cluster} overlaps {other} ({owner}); whether a node still runs Docker is "
            "not known, since a Kubernetes version is not in its data",
            shown,
            *hit,
            *versions,
            hint="grant Reader on the cluster and collect again",
            **more,
        )
    return warned(
        "overlaps-unused",
        "the Docker bridge {range} of {cluster} overlaps {other} ({owner}); containerd nodes do not use it",
        shown,
        *hit,
        *versions,
        related=[one.resource for one in hit],
        **more,
    )


def _versions(cluster: Cluster) -> list[tuple[str, str | None, str]]:
    """(path, version, operating system) of each pool; of the cluster where it has none. Pools may trail behind."""
    body = cluster.body
    whole = body.current_kubernetes_version or body.kubernetes_version
    found = []
    for pool in cluster.pools:
        version = pool.current_orchestrator_version or pool.orchestrator_version
        path = f"properties.agentPoolProfiles['{pool.name}'].orchestratorVersion"
        system = "windows" if (pool.os_type or "").casefold() == "windows" else "linux"
        found.append((path if version else "properties.currentKubernetesVersion", version or whole, system))
    return found or [("properties.currentKubernetesVersion", whole, "linux")]


def _below_containerd(version: str | None, system: str) -> bool | None:
    """Whether nodes of this version may run Docker; None where the version says nothing."""
    match = re.match(r"v?(\d+)\.(\d+)", version or "")
    return (int(match[1]), int(match[2])) < CONTAINERD[system] if match else None


def _apart(cluster: Cluster, text: str, bridge: network.AddressSet, shown: Evidence, here: Around | Unread) -> Verdict:
    """Nothing that was read overlaps; whether all of it was read decides."""
    more = {"cluster": cluster.name, "range": text}
    lost = _own_range_lost(cluster)
    if lost is None and isinstance(here, Unread):
        lost = here
    elif lost is None and isinstance(here, Around):
        lost = here.lost[0] if here.lost else None
        hidden = here.overlapping(bridge, "peer-space")
        if hidden and lost is None:
            why = f"it lies in {hidden[0].prefix}, the address space of a peer whose subnets were not read"
            lost = Unread(hidden[0].id, why, f"grant Reader on {hidden[0].id}")
    if lost is not None:
        return unknown(
            "network-unread",
            "whether the Docker bridge {range} of {cluster} overlaps something is not known: {what}: {why}",
            shown,
            what=lost.what,
            why=lost.why,
            hint=lost.hint,
            **more,
        )
    if not isinstance(here, Unread) and here.unseen:
        return not_applicable(
            "managed-vnet",
            "AKS manages the network of {cluster} itself, and its Docker bridge {range} overlaps no range of its own",
            shown,
            **more,
        )
    return passed(
        "no-overlap",
        "the Docker bridge {range} of {cluster} touches no subnet, service or pod range",
        shown,
        cluster.show(SERVICE, list(cluster.service_cidrs)),
        cluster.show(POD, list(cluster.pod_cidrs)),
        *_subnets_shown(here),
        **more,
    )


def _subnets_shown(here: Around | Unread) -> list[Evidence]:
    owners = [] if isinstance(here, Unread) else [owner for one in here.known for owner in one.owners]
    return [
        Evidence(owner.id, "properties.addressPrefix", owner.prefix, owner.name)
        for owner in owners
        if owner.kind in ("subnet", "peer-subnet")
    ]
