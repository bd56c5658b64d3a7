"""A public API server admits only named ranges, Azure ML among them.

## What it checks
`apiServerAccessProfile.authorizedIPRanges` of a public cluster against the IPv4 prefixes of the service tag
`AzureMachineLearning` of the cluster's region and of its paired region. A range is an address, a prefix or, in preview,
a service tag; `0.0.0.0/32` admits the cluster's own outbound address alone.

- passes if ranges are named and hold Azure ML's control plane of both regions, or the cluster has no Azure ML compute;
- warns if no range is named, or they hold every address: that the control plane is public is
  `aks-private-api-server`'s failing, and not counted twice;
- fails if ranges are named, Azure ML has a compute there, and a prefix of its control plane is provably left out;
- is unknown without service tag data, where a region's pair or tag is not known, or a range cannot be read.

## Why it matters
Azure ML's control plane deploys models through the API server, from both regions of the pair. Where it is shut out,
running models answer while every deployment and attachment fails.

## Not concerned
Private clusters: authorized ranges do not apply to them.

## Limits
AKS admits at most 200 ranges. Tag data may be some weeks old; the evidence says how old. Ranges that people and
pipelines need are not known here: the command keeps those that are there.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from auditor.api import (
    Cluster,
    Evidence,
    Inventory,
    Mend,
    Severity,
    Source,
    Unread,
    Verdict,
    attachment,
    check,
    failed,
    network,
    not_applicable,
    passed,
    tag_data,
    tag_source,
    unknown,
    warned,
)

PATH = "properties.apiServerAccessProfile.authorizedIPRanges"
SERVICE = "AzureMachineLearning"
MOST = 200
UPDATE = ("az", "aks", "update", "-g", "{resource_group}", "-n", "{name}", "--api-server-authorized-ip-ranges")
ADD = Mend.by("add Azure ML's prefixes; the list is replaced as a whole", (*UPDATE, "{union:,}"))
TOO_MANY = Mend.by(
    "with Azure ML's prefixes the list would pass AKS's limit of 200 ranges: join neighbouring ranges, or make the API "
    "server private"
)


@dataclass(frozen=True, slots=True)
class _Admitted:
    """What a list of ranges lets in: addresses, tags by name, and what could not be made sense of."""

    addresses: network.AddressSet
    tags: tuple[str, ...]
    unclear: tuple[str, ...]


@check(
    id="aks-apiserver-authorized-ranges",
    severity=Severity.HIGH,
    source=Source("AML-K8S-EXT", "Prerequisites", "/machine-learning/how-to-deploy-kubernetes-extension"),
    mend=Mend.by(
        "name the ranges that need the API server, Azure ML's control plane among them, or make it private: "
        "`az aks update --api-server-authorized-ip-ranges RANGE,RANGE`"
    ),
    reads=(
        "microsoft.network/servicetags",
        "microsoft.machinelearningservices/workspaces/computes",
        "microsoft.kubernetesconfiguration/extensions",
    ),
)
def apiserver_authorized_ranges(cluster: Cluster, inventory: Inventory) -> Iterator[Verdict]:
    if cluster.partial:
        yield unknown(
            "cluster-unreadable",
            "the data of {cluster} are cut short: whether its API server is public is not known",
            cluster=cluster.name,
            hint="grant Reader on the cluster and collect again",
        )
        return
    if cluster.private:
        yield not_applicable(
            "private-cluster",
            "the API server of {cluster} is private",
            cluster.show("properties.apiServerAccessProfile.enablePrivateCluster", True),
            cluster=cluster.name,
        )
        return
    profile = cluster.api_server
    ranges = tuple(text for text in (profile.authorized_ip_ranges if profile else None) or () if text)
    shown = cluster.show(PATH, list(ranges))
    if not ranges:
        yield warned("no-ranges", "the API server of {cluster} admits every address", shown, cluster=cluster.name)
        return
    admitted = _read(inventory, ranges)
    if admitted.addresses.covers(network.AddressSet.v4_any()):
        yield warned(
            "every-address",
            "the ranges of {cluster} hold every address: {ranges}",
            shown,
            cluster=cluster.name,
            ranges=list(ranges),
        )
        return
    yield _decide(cluster, inventory, ranges, admitted)


def _read(inventory: Inventory, ranges: tuple[str, ...]) -> _Admitted:
    data = tag_data(inventory)
    sets: list[network.AddressSet] = []
    tags: list[str] = []
    unclear: list[str] = []
    for text in ranges:
        try:
            sets.append(network.AddressSet.parse(text))
            continue
        except ValueError:
            tags.append(text)
        addresses = data.prefixes(text) if data is not None else None
        if addresses is None:
            unclear.append(text)
        else:
            sets.append(addresses)
    return _Admitted(network.AddressSet.union(sets), tuple(tags), tuple(unclear))


def _decide(cluster: Cluster, inventory: Inventory, ranges: tuple[str, ...], admitted: _Admitted) -> Verdict:
    tie = attachment(inventory, cluster)
    shown = (cluster.show(PATH, list(ranges)), cluster.show("location", cluster.location, tag_source(inventory)))
    facts: dict[str, Any] = {"cluster": cluster.name, "ranges": list(ranges)}
    if not tie.computes and tie.missing is None:
        return passed(
            "ranges-named", "{cluster} admits {ranges} only, and Azure ML has no compute there", *shown, **facts
        )
    lacking, unread = _lacking(cluster, inventory, admitted)
    if lacking and tie.missing is not None and not tie.computes:
        return unknown(
            "attachment-unread",
            "{cluster} does not admit {lacking} of Azure ML; whether Azure ML uses it is not known: {why}",
            *shown,
            lacking=_named(lacking),
            why=tie.missing.why,
            hint=tie.missing.hint,
            **facts,
        )
    if lacking:
        return _left_out(lacking, ranges, shown, facts | {"related": [compute.id for compute in tie.computes]})
    if unread is not None:
        return unknown(
            unread.reason,
            "whether {cluster} admits Azure ML is not known: {what}: {why}",
            *shown,
            what=unread.what,
            why=unread.why,
            hint=unread.hint,
            **facts,
        )
    return passed("azure-ml-admitted", "{cluster} admits named ranges only, Azure ML among them", *shown, **facts)


def _named(lacking: dict[str, network.AddressSet]) -> list[str]:
    return [f"{tag}: {addresses}" for tag, addresses in lacking.items()]


def _left_out(
    lacking: dict[str, network.AddressSet],
    ranges: tuple[str, ...],
    shown: tuple[Evidence, ...],
    facts: dict[str, Any],
) -> Verdict:
    union = list(dict.fromkeys([*ranges, *(p for addresses in lacking.values() for p in addresses.prefixes())]))
    return failed(
        "azure-ml-left-out",
        "{cluster} admits {ranges}, which leaves out Azure ML's control plane: {lacking}",
        *shown,
        lacking=_named(lacking),
        union=union,
        mend=ADD if len(union) <= MOST else TOO_MANY,
        **facts,
    )


def _lacking(
    cluster: Cluster, inventory: Inventory, admitted: _Admitted
) -> tuple[dict[str, network.AddressSet], Unread | None]:
    """The addresses of Azure ML that are provably not admitted, by tag; and what of them is not known."""
    location = cluster.location
    if not location:
        return {}, Unread(cluster.id, "its region is not in its data", "collect again", "region-unread")
    data = tag_data(inventory)
    everywhere = data.prefixes(SERVICE) if data is not None else None
    if _by_name(inventory, admitted, SERVICE) or (
        everywhere is not None and admitted.addresses.covers(everywhere.family(4))
    ):
        return {}, None
    pair = network.paired_region(inventory.cloud, location)
    unread: Unread | None = None
    if pair is None:
        unread = Unread(location, "its paired region is not known here", "admit Azure ML's whole tag", "pair-unknown")
    lacking: dict[str, network.AddressSet] = {}
    for region in (location, pair):
        if region is None:
            continue
        found = _of_region(inventory, admitted, region)
        if isinstance(found, Unread):
            unread = unread or found
        elif found is not None:
            lacking[found[0]] = found[1]
    return lacking, unread


def _of_region(
    inventory: Inventory, admitted: _Admitted, region: str
) -> tuple[str, network.AddressSet] | Unread | None:
    """A region's tag and its addresses that are left out; None where nothing is."""
    data = tag_data(inventory)
    likely = network.regional_name(inventory.cloud, SERVICE, region)
    tag = data.regional(SERVICE, region) if data is not None else likely
    if tag is not None and _by_name(inventory, admitted, tag):
        return None
    addresses = data.prefixes(tag) if data is not None and tag is not None else None
    if addresses is None or tag is None:
        what = tag or likely or f"{SERVICE} of {region}"
        return Unread(what, "no prefixes of it are at hand", "give current data by --service-tags", "tags-unread")
    left_out = addresses.family(4) - admitted.addresses
    if not left_out:
        return None
    if admitted.unclear:
        return Unread(
            ", ".join(admitted.unclear),
            "it is neither an address nor a service tag that is known here",
            "mend the range, or give current data by --service-tags",
            "range-unclear",
        )
    return tag, left_out


def _by_name(inventory: Inventory, admitted: _Admitted, tag: str) -> bool:
    """Whether a tag in the list holds this one by name alone, whatever its prefixes."""
    return any(network.relation(inventory.cloud, one, tag, 4) is network.Relation.COVERS for one in admitted.tags)
