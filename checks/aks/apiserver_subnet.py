"""The API server subnet is delegated, exclusive and at least /28.

## What it checks
The subnet that `apiServerAccessProfile.subnetId` names where `enableVnetIntegration` is true: its delegations, its
prefixes and what else lies in it (`privateEndpoints`, `ipConfigurations`, service association links, agent pools).

- passes if it is delegated to `Microsoft.ContainerService/managedClusters`, is a /28 or larger, and holds nothing but
  API servers; several clusters of one virtual network may share it;
- fails on a missing or another delegation, a smaller prefix, or anything else in it: each is a reason of its own;
- is unknown if the subnet or its prefix could not be read.

## Why it matters
API server VNet integration puts the API server's pods and their load balancer into this subnet. Without delegation or
room the cluster cannot be created, upgraded or switched; a guest in it takes addresses that the API server needs.

## Not concerned
Clusters without VNet integration, and those whose API server subnet AKS made itself.

## Limits
The identity's rights on it are judged by `aks-identity-subnet-join-effective`, its security group by
`nsg-intra-cluster` and `nsg-lb-probe-inbound`. Address configurations of other subscriptions are taken for AKS's own:
a network interface or load balancer of a customer lies in the subscription of its network.
"""

from collections.abc import Iterator
from typing import Any

from auditor.api import (
    Cluster,
    InferenceSubnet,
    Inventory,
    Mend,
    ResourceId,
    Severity,
    Source,
    Subnet,
    SubnetRole,
    Unread,
    Verdict,
    check,
    endpoints_in,
    failed,
    footprint,
    key_of,
    network,
    not_applicable,
    passed,
    unknown,
)

DELEGATE = "Microsoft.ContainerService/managedClusters"
PROFILE = "properties.apiServerAccessProfile"
SMALLEST = 16  # addresses of a /28
OTHER_SUBNET = Mend.by(
    "the API server needs a subnet of its own, at least /28 and delegated to AKS; a cluster cannot change it in place, "
    "so move the guests out, or re-create the cluster with `--apiserver-subnet-id`"
)


def _own_subnet(cluster: Cluster) -> str | None:
    """The subnet of one's own that the cluster's API server lies in, or None."""
    profile = cluster.api_server
    return (profile.subnet_id or None) if profile and profile.enable_vnet_integration else None


def _mine(subject: Cluster | InferenceSubnet, inventory: Inventory) -> bool:
    """API server subnets; and the clusters that have none, or whose footprint is not known."""
    if isinstance(subject, Cluster):
        return _own_subnet(subject) is None or isinstance(footprint(inventory, subject), Unread)
    return SubnetRole.API_SERVER in subject.roles


@check(
    id="aks-apiserver-subnet",
    severity=Severity.HIGH,
    source=Source("AKS-AVI", "Bring your own virtual network", "/aks/api-server-vnet-integration"),
    mend=Mend.by(
        "delegate the subnet to AKS",
        ("az", "network", "vnet", "subnet", "update", "--ids", "{about}", "--delegations", DELEGATE),
    ),
    reads=("microsoft.network/virtualnetworks/subnets",),
    where=_mine,
)
def apiserver_subnet(subject: Cluster | InferenceSubnet, inventory: Inventory) -> Iterator[Verdict]:
    if isinstance(subject, Cluster):
        yield _of_cluster(subject)
        return
    related = [cluster.id for cluster in subject.clusters]
    match subject.subnet:
        case Unread() as unread:
            yield unknown(
                "subnet-unread",
                "{subnet}, the API server subnet of {clusters}, could not be read: {why}",
                related=related,
                subnet=subject.name,
                clusters=[cluster.name for cluster in subject.clusters],
                why=unread.why,
                hint=unread.hint,
            )
        case Subnet() as subnet:
            problems = [*_delegation(subnet), *_size(subnet), *_guests(subnet, subject, inventory)]
            yield from problems or [_well(subnet, related)]


def _of_cluster(cluster: Cluster) -> Verdict:
    profile = cluster.api_server
    shown = (
        cluster.show(f"{PROFILE}.enableVnetIntegration", profile.enable_vnet_integration if profile else None),
        cluster.show(f"{PROFILE}.subnetId", profile.subnet_id if profile else None),
    )
    if cluster.partial or _own_subnet(cluster) is not None:
        return unknown(
            "cluster-unreadable",
            "the data of {cluster} are cut short: where its API server lies is not known",
            *shown,
            cluster=cluster.name,
            hint="grant Reader on the cluster and collect again",
        )
    if profile and profile.enable_vnet_integration:
        return not_applicable(
            "managed-subnet", "AKS made the API server's subnet of {cluster}", *shown, cluster=cluster.name
        )
    return not_applicable(
        "no-vnet-integration", "{cluster} has no API server VNet integration", *shown, cluster=cluster.name
    )


def _well(subnet: Subnet, related: list[str]) -> Verdict:
    return passed(
        "api-server-subnet",
        "{subnet} is delegated to AKS, large enough and holds nothing but API servers",
        subnet.show("properties.delegations[].properties.serviceName", list(subnet.delegations)),
        subnet.show("properties.addressPrefixes", list(subnet.prefixes)),
        related=related,
        subnet=subnet.name,
    )


def _delegation(subnet: Subnet) -> Iterator[Verdict]:
    if [key_of(name) for name in subnet.delegations] == [key_of(DELEGATE)]:
        return
    yield failed(
        "not-delegated",
        "{subnet} is delegated to {found}, not to AKS alone",
        subnet.show("properties.delegations[].properties.serviceName", list(subnet.delegations)),
        subnet=subnet.name,
        found=", ".join(subnet.delegations) or "nothing",
    )


def _size(subnet: Subnet) -> Iterator[Verdict]:
    shown = subnet.show("properties.addressPrefixes", list(subnet.prefixes))
    sizes = []
    for prefix in subnet.prefixes:
        try:
            sizes.append(network.AddressSet.parse(prefix).size(4))
        except ValueError:
            yield unknown(
                "prefix-unparsable",
                "{prefix}, a prefix of {subnet}, cannot be read",
                shown,
                subnet=subnet.name,
                prefix=prefix,
                hint="mend the prefix",
            )
            return
    if not sizes:
        yield unknown(
            "prefix-unread",
            "the prefix of {subnet} is not in its data",
            shown,
            subnet=subnet.name,
            hint="grant Reader on the virtual network and collect again",
        )
    elif max(sizes) < SMALLEST:
        yield failed(
            "too-small",
            "{subnet} has {prefixes}, smaller than the /28 that an API server needs",
            shown,
            mend=OTHER_SUBNET,
            subnet=subnet.name,
            prefixes=list(subnet.prefixes),
        )


def _guests(subnet: Subnet, use: InferenceSubnet, inventory: Inventory) -> Iterator[Verdict]:
    facts: dict[str, Any] = {"subnet": subnet.name, "mend": OTHER_SUBNET}
    if use.roles & {SubnetRole.NODE, SubnetRole.POD}:
        yield failed(
            "nodes-in-it",
            "{subnet} is also the subnet of nodes or pods of {clusters}",
            subnet.show("id", subnet.id),
            clusters=[cluster.name for cluster in use.clusters],
            **facts,
        )
    # The network's own row may be older than the endpoint's: either shows it.
    shown = {
        key_of(reference.id): (reference.id, subnet.show("properties.privateEndpoints[].id", reference.id))
        for reference in subnet.body.private_endpoints or ()
        if reference.id
    }
    for endpoint in endpoints_in(inventory, subnet.key):
        shown.setdefault(endpoint.key, (endpoint.id, endpoint.show("properties.subnet.id", endpoint.subnet_id)))
    if shown:
        endpoints = [endpoint_id for endpoint_id, _ in shown.values()]
        yield failed(
            "private-endpoints-in-it",
            "{subnet} holds the private endpoints {guests}",
            *(evidence for _, evidence in shown.values()),
            related=endpoints,
            guests=[endpoint.rsplit("/", 1)[-1] for endpoint in endpoints],
            **facts,
        )
    groups = {key_of(cluster.node_group_id or "") for cluster in use.clusters}
    strangers = [
        reference.id
        for reference in subnet.body.ip_configurations or ()
        if reference.id and _is_guest(reference.id, subnet, groups)
    ]
    links = [
        link.properties.linked_resource_type
        for link in subnet.body.service_association_links or ()
        if link.properties
        and link.properties.linked_resource_type
        and key_of(link.properties.linked_resource_type) != key_of(DELEGATE)
    ]
    if strangers or links:
        yield failed(
            "guests-in-it",
            "{subnet} holds something other than API servers: {guests}",
            subnet.show("properties.ipConfigurations[].id", strangers),
            subnet.show("properties.serviceAssociationLinks[].properties.linkedResourceType", links),
            guests=[*strangers, *links],
            **facts,
        )


def _is_guest(configuration_id: str, subnet: Subnet, groups: set[str]) -> bool:
    """Whether an address configuration is neither AKS's API server nor its load balancer."""
    try:
        parsed = ResourceId.parse(configuration_id)
    except ValueError:
        return True
    if parsed.subscription_id != subnet.subscription_id:
        return False
    group = parsed.resource_group_id
    return group is None or group.key not in groups or "/loadbalancers/" not in parsed.key
