"""A private cluster used by Azure ML has no public FQDN.

## What it checks
For a private cluster that Azure ML uses: `apiServerAccessProfile.enablePrivateClusterPublicFQDN`,
`apiServerAccessProfile.privateDNSZone` and `properties.fqdn`. Where the switch is unset, AKS's default (on) holds if
`fqdn` is set.

- passes if the public FQDN is off and the name lies in a private zone;
- warns if it is on: Azure ML states it as not supported, although the control plane stays private;
- fails with zone `none` and the public FQDN off, which AKS does not support (the API server then has no name at all),
  and with zone `none`, the public FQDN on and a workspace behind a private endpoint (the name then resolves through
  public DNS only);
- is unknown where neither the switch nor `fqdn` is in the data, or a workspace could not be read that would decide.

## Why it matters
With a public FQDN the API server's private address can be looked up by anyone, and Azure ML does not support the
combination: attaching the cluster or deploying to it can fail.

## Not concerned
Public clusters, which `aks-private-api-server` judges, and clusters that are provably not attached to Azure ML.

## Limits
AKS calls the public FQDN of a private cluster normal; Azure ML does not support it. Where the documents disagree this
check warns. A zone `none` cannot be exchanged for a private zone in place.
"""

from collections.abc import Iterator
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
    has_private_endpoint,
    not_applicable,
    passed,
    unknown,
    warned,
    workspaces_of,
)

PROFILE = "properties.apiServerAccessProfile"
NAMELESS = Mend.by(
    "switch the public FQDN on again, or re-create the cluster with a private DNS zone (`--private-dns-zone system` or "
    "the id of an own zone)",
    ("az", "aks", "update", "-g", "{resource_group}", "-n", "{name}", "--enable-public-fqdn"),
)
NO_ZONE = Mend.by(
    "re-create the cluster with a private DNS zone (`--private-dns-zone system` or the id of an own zone) and "
    "`--disable-public-fqdn`: zone `none` cannot be exchanged in place"
)


@check(
    id="aks-private-cluster-public-fqdn",
    severity=Severity.MEDIUM,
    source=Source("AML-K8S-SEC", "Prerequisites", "/machine-learning/how-to-secure-kubernetes-inferencing-environment"),
    mend=Mend.by(
        "switch the public FQDN off",
        ("az", "aks", "update", "-g", "{resource_group}", "-n", "{name}", "--disable-public-fqdn"),
    ),
    clauses=("S14",),
    reads=(
        "microsoft.machinelearningservices/workspaces",
        "microsoft.machinelearningservices/workspaces/computes",
        "microsoft.kubernetesconfiguration/extensions",
        "microsoft.network/privateendpoints",
    ),
)
def private_cluster_public_fqdn(cluster: Cluster, inventory: Inventory) -> Iterator[Verdict]:
    if cluster.partial:
        yield unknown(
            "cluster-unreadable",
            "the data of {cluster} are cut short: whether it is private is not known",
            cluster=cluster.name,
            hint="grant Reader on the cluster and collect again",
        )
        return
    if not cluster.private:
        yield not_applicable(
            "public-api-server",
            "the API server of {cluster} is public anyway",
            cluster.show(f"{PROFILE}.enablePrivateCluster", False),
            cluster=cluster.name,
        )
        return
    tied = attachment(inventory, cluster).attached
    if tied is False:
        yield not_applicable("not-attached", "{cluster} is not attached to Azure ML", cluster=cluster.name)
        return
    verdict = _decide(cluster, inventory)
    if isinstance(tied, Unread) and verdict.reason != "no-public-fqdn":
        yield unknown(
            "attachment-unread",
            "whether Azure ML uses {cluster} is not known: {why}",
            *verdict.evidence,
            cluster=cluster.name,
            why=tied.why,
            hint=tied.hint,
        )
        return
    yield verdict


def _decide(cluster: Cluster, inventory: Inventory) -> Verdict:
    profile = cluster.api_server
    switch = profile.enable_private_cluster_public_fqdn if profile else None
    zone = (profile.private_dns_zone if profile else None) or "system"
    shown = (
        cluster.show(f"{PROFILE}.enablePrivateClusterPublicFQDN", switch),
        cluster.show(f"{PROFILE}.privateDNSZone", profile.private_dns_zone if profile else None, "unset means system"),
        cluster.show("properties.fqdn", cluster.body.fqdn),
    )
    facts: dict[str, Any] = {"cluster": cluster.name, "fqdn": cluster.body.fqdn or "its public name"}
    if switch is None and not cluster.body.fqdn:
        return unknown(
            "public-fqdn-unset",
            "{cluster} shows neither enablePrivateClusterPublicFQDN nor fqdn",
            *shown,
            hint="read the cluster through ARM with a current API version",
            **facts,
        )
    # Unset is not false: AKS's default is on, and `fqdn` shows that it took effect.
    if switch is not False:
        return _public_name(cluster, inventory, zone, shown, facts)
    if zone.casefold() == "none":
        return failed(
            "no-name",
            "{cluster} has neither a private DNS zone nor a public FQDN, which AKS does not support",
            *shown,
            mend=NAMELESS,
            **facts,
        )
    return passed("no-public-fqdn", "{cluster} is private and has no public FQDN", *shown, **facts)


def _public_name(
    cluster: Cluster, inventory: Inventory, zone: str, shown: tuple[Evidence, ...], facts: dict[str, Any]
) -> Verdict:
    if zone.casefold() != "none":
        return warned(
            "public-fqdn",
            "{cluster} is private but has the public name {fqdn}, which Azure ML does not support",
            *shown,
            **facts,
        )
    behind = _behind_endpoint(inventory, cluster)
    if isinstance(behind, Unread):
        return unknown(
            "workspace-unread",
            "{cluster} has no private DNS zone; whether its workspace has a private endpoint is not known: {why}",
            *shown,
            why=behind.why,
            hint=behind.hint,
            **facts,
        )
    if behind is not None:
        return failed(
            "public-name-only",
            "{cluster} has no private DNS zone: {fqdn} resolves through public DNS only, while the workspace "
            "{workspace} is behind a private endpoint",
            *shown,
            mend=NO_ZONE,
            workspace=behind.rsplit("/", 1)[-1],
            related=[behind],
            **facts,
        )
    return warned(
        "public-fqdn-without-zone",
        "{cluster} has no private DNS zone and is known by the public name {fqdn}, which Azure ML does not support",
        *shown,
        mend=NO_ZONE,
        **facts,
    )


def _behind_endpoint(inventory: Inventory, cluster: Cluster) -> str | Unread | None:
    """The id of a workspace of the cluster that has a private endpoint; None where provably none has."""
    workspaces = workspaces_of(inventory, cluster)
    unread = workspaces.missing
    for workspace in workspaces:
        has = has_private_endpoint(inventory, workspace.id, workspace.body.private_endpoint_connections)
        if has is True:
            return workspace.id
        if isinstance(has, Unread):
            unread = unread or has
    return unread
