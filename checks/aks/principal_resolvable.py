"""The control-plane identity can be found.

## What it checks
The object id to which network rights must be granted: `identity.principalId` of a system-assigned identity, the
principal id of the one user-assigned identity (from the cluster's body or the identity's own), or, where
`servicePrincipalProfile.clientId` is an application id, its object id from Microsoft Graph or from `[principals]` in
the configuration.

- passes if an object id was found; the evidence shows by which path;
- is unknown otherwise, with the exact lack: `graph-not-permitted`, `identity-unreadable`, `masked`;
- never fails: not finding it is the scan's lack, not the cluster's.

## Why it matters
Role assignments hold object ids. An application id, or the kubelet's identity, in its place looks like a grant and is
none.

## Not concerned
Clusters in a network that AKS manages: AKS grants itself what it needs there.

## Limits
The kubelet identity is never taken for the control plane's. Whether a service principal's secret is still valid is not
visible in Azure Resource Manager.
"""

from collections.abc import Iterator

from auditor.api import (
    Cluster,
    ClusterPrincipal,
    Inventory,
    Mend,
    Severity,
    Source,
    Unread,
    Verdict,
    check,
    control_plane,
    footprint,
    not_applicable,
    passed,
    unknown,
)

SHOW = ("az", "aks", "show", "-g", "{resource_group}", "-n", "{name}", "--query")
FIND_MANAGED = Mend.by(
    "{hint}",
    (*SHOW, "identity.principalId || values(identity.userAssignedIdentities)[0].principalId", "-o", "tsv"),
)
FIND_APPLICATION = Mend.by("{hint}", ("az", "ad", "sp", "show", "--id", "{application}", "--query", "id", "-o", "tsv"))


@check(
    id="aks-principal-resolvable",
    severity=Severity.MEDIUM,
    source=Source("AML-V1-INF", "Network Contributor role", "/machine-learning/v1/how-to-secure-inferencing-vnet"),
    mend=FIND_MANAGED,
    clauses=("S12",),
    reads=("microsoft.managedidentity/userassignedidentities",),
)
def principal_resolvable(cluster: Cluster, inventory: Inventory) -> Iterator[Verdict]:
    used = footprint(inventory, cluster)
    if not isinstance(used, Unread) and used.managed:
        yield not_applicable("managed-vnet", "AKS manages the network of {cluster} itself", cluster=cluster.name)
        return
    match control_plane(inventory, cluster):
        case ClusterPrincipal() as principal:
            yield passed(
                principal.kind,
                "the control plane of {cluster} acts as the {kind} identity {object_id}",
                *principal.how,
                cluster=cluster.name,
                kind=principal.kind,
                object_id=principal.object_id,
            )
        case Unread() as unread:
            application = unread.reason == "graph-not-permitted"
            yield unknown(
                unread.reason,
                "the identity of {cluster} could not be found: {why}",
                mend=FIND_APPLICATION if application else FIND_MANAGED,
                cluster=cluster.name,
                why=unread.why,
                hint=unread.hint or "collect the cluster's data again, unmasked",
                application=unread.what,
            )
