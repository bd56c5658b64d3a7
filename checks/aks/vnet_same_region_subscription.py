"""Cluster and VNet share region and subscription.

## What it checks
`location` and subscription of the cluster against those of each virtual network that it uses.

- passes if both are the same;
- warns if the subscriptions differ: it works with rights in place, outside the page's wording;
- fails if the regions differ;
- is unknown if the network, or one of the two locations, could not be read; a differing subscription is said all the
  same.

## Why it matters
Nodes can be placed only into a network of their own region. Across subscriptions, every right on the network has to be
granted apart from the cluster's, and is lost apart from it.

## Not concerned
Clusters whose network AKS manages.

## Limits
Regions compare as short names: `China East 2` is `chinaeast2`. The locations of resource groups do not matter.
"""

from collections.abc import Iterator

from auditor.api import (
    Cluster,
    Evidence,
    Inventory,
    Mend,
    NetworkUse,
    ResourceId,
    Severity,
    Source,
    Unread,
    Verdict,
    check,
    failed,
    footprint,
    not_applicable,
    passed,
    region_key,
    unknown,
    warned,
)


@check(
    id="aks-vnet-same-region-subscription",
    severity=Severity.HIGH,
    source=Source("AML-V1-2020", "Azure Kubernetes Service", "/machine-learning/how-to-secure-inferencing-vnet"),
    mend=Mend.by(
        "neither can be moved in place: create a network and subnet in the cluster's region and subscription and new "
        "node pools or a new cluster in it"
    ),
    clauses=("S3b",),
    reads=("microsoft.network/virtualnetworks",),
)
def vnet_same_region_subscription(cluster: Cluster, inventory: Inventory) -> Iterator[Verdict]:
    used = footprint(inventory, cluster)
    if isinstance(used, Unread):
        yield unknown("cluster-unreadable", "{cluster}: {why}", cluster=cluster.name, why=used.why, hint=used.hint)
        return
    if used.managed:
        yield not_applicable("managed-vnet", "AKS manages the network of {cluster} itself", cluster=cluster.name)
        return
    if used.incomplete is not None:
        yield unknown(
            "node-auto-provisioning" if used.incomplete.reason == "node-auto-provisioning" else "footprint-incomplete",
            "whether {cluster} uses other networks too is not known: {why}",
            cluster=cluster.name,
            why=used.incomplete.why,
            hint=used.incomplete.hint,
        )
    for use in used.networks:
        yield _decide(cluster, use)


def _decide(cluster: Cluster, use: NetworkUse) -> Verdict:
    subscription = _subscription(use.id)
    apart = subscription != cluster.subscription_id
    shown = [cluster.show("location", cluster.location), cluster.show("id", cluster.id), Evidence(use.id, "id", use.id)]
    more = {"cluster": cluster.name, "network": use.id.rsplit("/", 1)[-1], "other": subscription}
    if isinstance(use.network, Unread):
        return _undecided(shown, use.network, more, apart=apart)
    region = use.network.location
    shown.append(use.network.show("location", region))
    if not region or not cluster.location:
        nameless = cluster.id if not cluster.location else use.id
        lost = Unread(nameless, "its location is not in its data", "collect again")
        return _undecided(shown, lost, more, apart=apart)
    more |= {"here": cluster.location, "there": region}
    if region_key(region) != region_key(cluster.location):
        return failed(
            "other-region",
            "{cluster} lies in {here}, its network {network} in {there}",
            *shown,
            related=[use.id],
            **more,
        )
    if apart:
        return warned(
            "other-subscription",
            "{network}, the network of {cluster}, lies in another subscription ({other})",
            *shown,
            related=[use.id],
            **more,
        )
    return passed("same", "{cluster} and its network {network} lie in {here} and in one subscription", *shown, **more)


def _undecided(shown: list[Evidence], lost: Unread, more: dict[str, str | None], *, apart: bool) -> Verdict:
    """The region is not known; the subscription is, by the ids."""
    if apart:
        return unknown(
            "network-unread",
            "whether {cluster} and its network {network} share a region is not known ({why}); their subscriptions "
            "differ ({other})",
            *shown,
            why=lost.why,
            hint=lost.hint,
            **more,
        )
    return unknown(
        "network-unread",
        "whether {cluster} and its network {network} share a region is not known: {why}",
        *shown,
        why=lost.why,
        hint=lost.hint,
        **more,
    )


def _subscription(network_id: str) -> str | None:
    try:
        return ResourceId.parse(network_id).subscription_id
    except ValueError:
        return None
