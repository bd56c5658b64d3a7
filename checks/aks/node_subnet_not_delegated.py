"""Node subnets are not delegated.

## What it checks
`properties.delegations` of each subnet that nodes of a cluster are placed into.

- passes without a delegation;
- fails with any delegation, whatever the service;
- is unknown if the subnet, or the cluster that would name it, could not be read.

## Why it matters
A delegated subnet takes the delegate's resources only: new nodes are refused, so the cluster can neither scale nor
upgrade, while the running nodes still serve.

## Not concerned
Subnets for pods, which AKS itself delegates to `Microsoft.ContainerService/managedClusters`; such a delegation is
accepted on a subnet that holds pods and nodes both. The API server's subnet must be delegated: see
`aks-apiserver-subnet`.

## Limits
Virtual nodes need a delegated subnet of their own, which is judged only if nodes are in it as well.
"""

from collections.abc import Iterator

from auditor.api import (
    Cluster,
    InferenceSubnet,
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
    not_applicable,
    passed,
    unknown,
)

PATH = "properties.delegations[].properties.serviceName"
AKS = "microsoft.containerservice/managedclusters"
CONCERNED = {SubnetRole.NODE, SubnetRole.POD, SubnetRole.API_SERVER}


def _mine(subject: Cluster | InferenceSubnet, inventory: Inventory) -> bool:
    """The subnets of clusters, and the clusters that do not tell theirs."""
    if isinstance(subject, Cluster):
        return isinstance(footprint(inventory, subject), Unread)
    return bool(subject.roles & CONCERNED)


@check(
    id="aks-node-subnet-not-delegated",
    severity=Severity.HIGH,
    source=Source("AKS-CNI", "Prerequisites", "/aks/configure-azure-cni"),
    mend=Mend.by(
        "remove the delegation while no resource of the service is in the subnet, or place the nodes elsewhere",
        ("az", "network", "vnet", "subnet", "update", "--ids", "{resource}", "--remove", "delegations"),
    ),
    clauses=("S3a",),
    reads=("microsoft.network/virtualnetworks/subnets",),
    where=_mine,
)
def node_subnet_not_delegated(subject: Cluster | InferenceSubnet, inventory: Inventory) -> Iterator[Verdict]:
    if isinstance(subject, Cluster):
        used = footprint(inventory, subject)
        if isinstance(used, Unread):
            yield unknown("cluster-unreadable", "{cluster}: {why}", cluster=subject.name, why=used.why, hint=used.hint)
        return
    if SubnetRole.NODE not in subject.roles:
        yield _other_role(subject)
        return
    match subject.subnet:
        case Unread() as lost:
            yield unknown(
                "subnet-unread",
                "{subnet}, the node subnet of {clusters}, could not be read: {why}",
                related=[cluster.id for cluster in subject.clusters],
                subnet=subject.name,
                clusters=[cluster.name for cluster in subject.clusters],
                why=lost.why,
                hint=lost.hint,
            )
        case Subnet() as subnet:
            yield _decide(subject, subnet)


def _other_role(where: InferenceSubnet) -> Verdict:
    if SubnetRole.API_SERVER in where.roles:
        return not_applicable(
            "api-server-subnet",
            "{subnet} is the API server's, which has to be delegated: see aks-apiserver-subnet",
            subnet=where.name,
        )
    return not_applicable("pod-subnet", "{subnet} holds pods only; AKS delegates it itself", subnet=where.name)


def _decide(where: InferenceSubnet, subnet: Subnet) -> Verdict:
    clusters = [cluster.id for cluster in where.clusters]
    # A delegation whose service was not read is a delegation all the same.
    services = [
        (one.properties.service_name if one.properties else None) or "an unnamed service"
        for one in subnet.body.delegations or ()
    ]
    if SubnetRole.POD in where.roles:
        services = [service for service in services if service.casefold() != AKS]
    if services:
        return failed(
            "delegated",
            "{subnet}, in which nodes are placed, is delegated to {services}",
            subnet.show(PATH, services),
            related=clusters,
            subnet=subnet.name,
            services=services,
        )
    return passed(
        "not-delegated",
        "{subnet} is not delegated",
        subnet.show(PATH, list(subnet.delegations)),
        related=clusters,
        subnet=subnet.name,
    )
