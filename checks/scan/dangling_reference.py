"""No reference points at something that does not exist.

## What it checks
Each id that the other checks follow: a cluster's node, pod and API server subnets, its own private DNS zone and its
bootstrap registry; a compute's cluster and subnets; a workspace's registry, storage account, key vault and hub; a
container group's subnets or network profile; the security group, route table and NAT gateway of a subnet that inference
uses. One verdict for each target of a resource. Role assignments are looked at too, and named only where their scope is
a subnet that its network does not have any more.

- passes if the target was read, whatever state it is in;
- fails if its scope was wholly read and it is not there, or if the reference is no ARM id;
- is unknown if its scope was not read.

## Why it matters
What is deployed goes on running while the next scaling, upgrade or deployment fails at what is gone. A reference to
nothing is mostly the trace of a half-finished clean-up.

## Not concerned
Resources without references; computes on Azure Arc clusters, which are not read.

## Limits
Azure's index lags behind by minutes: a live scan asks Azure Resource Manager again before it reports a failure, a
snapshot cannot. Scopes of role assignments are judged for subnets only. Detaching a compute needs the CLI extension
`ml`, with which it is untested.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from auditor.api import (
    Cluster,
    Compute,
    ContainerGroup,
    Evidence,
    InferenceSubnet,
    Inventory,
    Mend,
    NatGateway,
    NetworkInterfaceProfile,
    PrivateDnsZone,
    Registry,
    Resource,
    RoleAssignment,
    RouteTable,
    SecurityGroup,
    Severity,
    Source,
    StorageAccount,
    Subnet,
    Unread,
    Vault,
    Verdict,
    VirtualNetwork,
    Workspace,
    check,
    failed,
    footprint,
    id_of,
    ids,
    key_of,
    network_id_of,
    not_applicable,
    passed,
    resource_name,
    subnets_of_group,
    unknown,
)

KUBERNETES = ("aks", "kubernetes")
ARC = "/microsoft.kubernetes/connectedclusters/"
REPOINT = Mend.by("point the reference at what is there, or create again what is gone")
DETACH = Mend.by(
    "detach the compute, or attach it anew to a cluster that exists",
    ("az", "ml", "compute", "detach", "-n", "{name}", "-w", "{workspace}", "-g", "{resource_group}", "-y"),
)
UNASSIGN = Mend.by(
    "delete the role assignment: its scope is gone", ("az", "role", "assignment", "delete", "--ids", "{about}")
)
Subject = Cluster | Workspace | Compute | ContainerGroup | InferenceSubnet | Inventory


@dataclass(frozen=True, slots=True)
class Reference:
    """A property of a resource that names another by id; `kind` is what it has to name."""

    path: str
    target: str
    kind: type[Resource[Any]]


def _concerned(subject: Subject, inventory: Inventory) -> bool:
    """Computes on Kubernetes; of all others those that name something."""
    match subject:
        case Inventory():
            return True
        case Compute():
            return subject.compute_type in KUBERNETES
        case Cluster() if subject.body.agent_pool_profiles is None:
            return True
        case _:
            return bool(_references(subject, inventory))


@check(
    id="scan-dangling-reference",
    severity=Severity.HIGH,
    source=Source("AML-V1-INF", "Prerequisites", "/machine-learning/v1/how-to-secure-inferencing-vnet"),
    mend=REPOINT,
    clauses=("S1",),
    reads=(
        "microsoft.containerservice/managedclusters",
        "microsoft.machinelearningservices/workspaces/computes",
        "microsoft.network/virtualnetworks",
        "microsoft.network/networksecuritygroups",
        "microsoft.network/routetables",
        "microsoft.network/natgateways",
        "microsoft.network/networkprofiles",
        "microsoft.network/privatednszones",
        "microsoft.containerregistry/registries",
        "microsoft.storage/storageaccounts",
        "microsoft.keyvault/vaults",
        "microsoft.authorization/roleassignments",
    ),
    where=_concerned,
)
def dangling_reference(
    subject: Cluster | Workspace | Compute | ContainerGroup | InferenceSubnet | Inventory, inventory: Inventory
) -> Iterator[Verdict]:
    if isinstance(subject, Inventory):
        yield from _assignments(inventory)
        return
    if isinstance(subject, Cluster) and subject.body.agent_pool_profiles is None:
        yield unknown(
            "cluster-unreadable",
            "which subnets {subject} names is not in its data",
            subject.show("properties.agentPoolProfiles", None),
            subject=subject.name,
            hint="grant Reader on the cluster and collect again",
        )
    if isinstance(subject, Compute):
        yield from _of_compute(subject, inventory)
    by_target: dict[str, list[Reference]] = {}
    for reference in _references(subject, inventory):
        by_target.setdefault(key_of(reference.target), []).append(reference)
    for references in by_target.values():
        yield _judged(subject, references, inventory)


# ---------------------------------------------------------------- what names what


def _references(subject: Subject, inventory: Inventory) -> list[Reference]:
    match subject:
        case Cluster():
            return list(_of_cluster(subject))
        case Workspace():
            return list(_of_workspace(subject))
        case Compute():
            return list(_named_by_compute(subject, inventory))
        case ContainerGroup():
            return list(_of_group(subject, inventory))
        case InferenceSubnet():
            return list(_of_subnet(subject.subnet))
        case Inventory():
            return []


def _of_cluster(cluster: Cluster) -> Iterator[Reference]:
    named: list[tuple[str, str | None, type[Resource[Any]]]] = []
    for pool in cluster.pools:
        at = f"properties.agentPoolProfiles['{pool.name}']"
        named += [
            (f"{at}.vnetSubnetID", pool.vnet_subnet_id, Subnet),
            (f"{at}.podSubnetID", pool.pod_subnet_id, Subnet),
        ]
    if cluster.api_server is not None:
        zone = cluster.api_server.private_dns_zone
        own = zone if zone and key_of(zone) not in ("system", "none") else None
        named += [
            ("properties.apiServerAccessProfile.subnetId", cluster.api_server.subnet_id, Subnet),
            ("properties.apiServerAccessProfile.privateDNSZone", own, PrivateDnsZone),
        ]
    if cluster.body.bootstrap_profile is not None:
        registry = cluster.body.bootstrap_profile.container_registry_id
        named.append(("properties.bootstrapProfile.containerRegistryId", registry, Registry))
    for path, target, kind in named:
        if target:
            yield Reference(path, target, kind)


def _of_workspace(workspace: Workspace) -> Iterator[Reference]:
    body = workspace.body
    named: tuple[tuple[str, str | None, type[Resource[Any]]], ...] = (
        ("properties.containerRegistry", body.container_registry, Registry),
        ("properties.storageAccount", body.storage_account, StorageAccount),
        ("properties.keyVault", body.key_vault, Vault),
        ("properties.hubResourceId", body.hub_resource_id, Workspace),
    )
    for path, target, kind in named:
        if target:
            yield Reference(path, target, kind)


def _named_by_compute(compute: Compute, inventory: Inventory) -> Iterator[Reference]:
    target = compute.body.resource_id
    if not target or ARC in target.casefold():
        return
    yield Reference("properties.resourceId", target, Cluster)
    settings = compute.body.properties
    if settings is None:
        return
    configured = settings.aks_networking_configuration.subnet_id if settings.aks_networking_configuration else None
    if configured:
        yield Reference("properties.properties.aksNetworkingConfiguration.subnetId", configured, Subnet)
    cluster = inventory.find(Cluster, target)
    used = footprint(inventory, cluster) if isinstance(cluster, Cluster) else None
    # A name without a network: it lies in the cluster's, and only one network can be meant.
    if settings.load_balancer_subnet and used is not None and not isinstance(used, Unread) and len(used.networks) == 1:
        path = "properties.properties.loadBalancerSubnet"
        yield Reference(path, f"{used.networks[0].id}/subnets/{settings.load_balancer_subnet}", Subnet)


def _of_group(group: ContainerGroup, inventory: Inventory) -> Iterator[Reference]:
    for target in ids(group.body.subnet_ids):
        yield Reference("properties.subnetIds[].id", target, Subnet)
    profile = id_of(group.body.network_profile)
    if profile and not group.body.subnet_ids:
        through = subnets_of_group(inventory, group)
        if isinstance(through, Unread):
            yield Reference("properties.networkProfile.id", profile, NetworkInterfaceProfile)
        for target in () if isinstance(through, Unread) else through:
            yield Reference("properties.networkProfile.id", target, Subnet)


def _of_subnet(subnet: Subnet | Unread) -> Iterator[Reference]:
    if isinstance(subnet, Unread):
        return  # whether it is there is said of what names it
    named: tuple[tuple[str, str | None, type[Resource[Any]]], ...] = (
        ("properties.networkSecurityGroup.id", subnet.security_group_id, SecurityGroup),
        ("properties.routeTable.id", subnet.route_table_id, RouteTable),
        ("properties.natGateway.id", subnet.nat_gateway_id, NatGateway),
    )
    for path, target, kind in named:
        if target:
            yield Reference(path, target, kind)


# ---------------------------------------------------------------- what became of it


def _of_compute(compute: Compute, inventory: Inventory) -> Iterator[Verdict]:
    target = compute.body.resource_id
    if target and ARC in target.casefold():
        yield not_applicable(
            "arc-cluster",
            "{subject} is on an Azure Arc cluster, which is not read",
            compute.show("properties.resourceId", target),
            subject=compute.name,
        )
    elif not target:
        yield unknown(
            "no-resource-id",
            "which cluster {subject} is on is not in its data",
            compute.show("properties.resourceId", None),
            subject=compute.name,
            hint="read the compute with an API version of 2022-10-01 or later",
        )


def _judged(
    subject: Cluster | Workspace | Compute | ContainerGroup | InferenceSubnet,
    references: list[Reference],
    inventory: Inventory,
) -> Verdict:
    first = references[0]
    shown = [Evidence(subject.id, reference.path, reference.target) for reference in references]
    more: dict[str, Any] = {
        "part": first.target,
        "related": [first.target],
        "subject": subject.name,
        "target": resource_name(first.target),
        "path": sorted({reference.path for reference in references}),
        "workspace": resource_name(subject.workspace_id) if isinstance(subject, Compute) else None,
    }
    mend = DETACH if isinstance(subject, Compute) and first.kind is Cluster else REPOINT
    found = inventory.find(first.kind, first.target)
    if not isinstance(found, Unread) or found.reason == "malformed":
        return passed("found", "{target}, which {subject} names in {path}, is there", *shown, **more)
    if found.reason == "absent":
        return failed("gone", "{target}, which {subject} names in {path}, does not exist", *shown, mend=mend, **more)
    if found.reason == "not-an-id":
        return failed("not-an-id", "{subject} names {target} in {path}, which is no ARM id", *shown, mend=mend, **more)
    return unknown(
        "target-unread",
        "whether {target}, which {subject} names in {path}, exists is not known: {why}",
        *shown,
        why=found.why,
        hint=found.hint,
        **more,
    )


def _assignments(inventory: Inventory) -> Iterator[Verdict]:
    """Role assignments on subnets that are gone from networks that were read."""
    for assignment in inventory.every(RoleAssignment):
        scope = assignment.body.scope or ""
        if "/subnets/" not in scope.casefold():
            continue
        found = inventory.find(Subnet, scope)
        if not isinstance(found, Unread) or found.reason != "absent":
            continue
        if isinstance(inventory.find(VirtualNetwork, network_id_of(scope)), VirtualNetwork):
            yield failed(
                "scope-gone",
                "the role assignment {assignment} is on {target}, a subnet that does not exist",
                assignment.show("properties.scope", scope),
                about=assignment.id,
                part=scope,
                assignment=assignment.name,
                target=resource_name(scope),
                mend=UNASSIGN,
            )
