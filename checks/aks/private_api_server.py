"""The API server is private.

## What it checks
`apiServerAccessProfile.enablePrivateCluster` is true, by private link or by API server VNet integration.

- passes if it is true;
- fails if it is false or unset in a whole body; the evidence shows the public name and whether
  `authorizedIPRanges` narrows it;
- is unknown where the body is cut short (neither network profile nor agent pools), since absence then says nothing.

## Why it matters
A public API server can be reached, and attacked, from everywhere. The source document names the private cluster as one
of two independent ways to keep inference traffic in the virtual network; the internal load balancer is the other.

## Not concerned
Nothing: each AKS cluster is judged.

## Limits
`fqdn` is set on private clusters too: a public *name* is no public *endpoint*. VNet integration without private mode
keeps a public endpoint and fails; it can be switched in place.
"""

from collections.abc import Iterator

from auditor.api import Cluster, Inventory, Mend, Severity, Source, Verdict, check, failed, passed, unknown

PATH = "properties.apiServerAccessProfile.enablePrivateCluster"
SWITCH = Mend.by(
    "the cluster has API server VNet integration, so private mode can be switched on in place",
    ("az", "aks", "update", "-g", "{resource_group}", "-n", "{name}", "--enable-private-cluster"),
)


@check(
    id="aks-private-api-server",
    severity=Severity.HIGH,
    source=Source("AML-V1-INF", "Private AKS cluster", "/machine-learning/v1/how-to-secure-inferencing-vnet"),
    mend=Mend.by(
        "a public cluster cannot be made private by private link: re-create it with "
        "`az aks create … --enable-private-cluster`, or enable API server VNet integration (one-way) and then private "
        "mode with `az aks update --enable-apiserver-vnet-integration --apiserver-subnet-id ID` and "
        "`az aks update --enable-private-cluster`; until then narrow it with "
        "`az aks update --api-server-authorized-ip-ranges`"
    ),
    clauses=("S14",),
)
def private_api_server(cluster: Cluster, inventory: Inventory) -> Iterator[Verdict]:
    profile = cluster.api_server
    shown = cluster.show(PATH, profile.enable_private_cluster if profile else None)
    if cluster.private:
        how = "API server VNet integration" if profile and profile.enable_vnet_integration else "private link"
        yield passed(
            "private", "the API server of {cluster} is private, by {how}", shown, cluster=cluster.name, how=how
        )
        return
    if cluster.partial:
        yield unknown(
            "cluster-unreadable",
            "{cluster}'s data are cut short, so an unset enablePrivateCluster says nothing",
            shown,
            cluster=cluster.name,
        )
        return
    ranges = list((profile.authorized_ip_ranges or []) if profile else [])
    evidence = (
        shown,
        cluster.show("properties.fqdn", cluster.body.fqdn),
        cluster.show("properties.apiServerAccessProfile.authorizedIPRanges", ranges),
    )
    if profile and profile.enable_vnet_integration:
        yield failed(
            "public-with-vnet-integration",
            "{cluster} has API server VNet integration, but not private mode: {fqdn} stays public",
            *evidence,
            mend=SWITCH,
            cluster=cluster.name,
            fqdn=cluster.body.fqdn or "its endpoint",
        )
        return
    yield failed(
        "public-narrowed" if ranges else "public",
        "the API server of {cluster} is public at {fqdn}, open to {open_to}",
        *evidence,
        cluster=cluster.name,
        fqdn=cluster.body.fqdn or "a public endpoint",
        open_to=", ".join(ranges) if ranges else "every address",
    )
