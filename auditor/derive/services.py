"""The packet classes that inference needs (requirements 4.6): asked by several checks, so told in one place.

A class is required (its denial breaks something) or advised (its denial is worth a warning).
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from auditor.derive.endpoints import Dns, PrivatePath, Reach, endpoints_of, private_addresses, private_path
from auditor.derive.footprint import InferenceSubnet, SubnetRole
from auditor.derive.registries import RegistryUse, regions_of, registries_at, resource_name, workspaces_at
from auditor.derive.tags import has_tag, regional_tag
from auditor.derive.traffic import Answer, address_set, ask, network_of, subnet_addresses
from auditor.derive.workspaces import settings_of
from auditor.inventory import Inventory
from auditor.inventory.records import Cluster, Registry, StorageAccount, Subnet, VirtualNetwork, Workspace, key_of
from auditor.network import Access, AddressSet, End, PortSet, Protocol, Tag
from auditor.values import Unread, region_key

HTTPS = PortSet.of(443)


class Grade(enum.StrEnum):
    """What a denial of a class means."""

    REQUIRED = "required"
    ADVISED = "advised"


@dataclass(frozen=True, slots=True)
class PacketClass:
    """Packets to one destination: `slug` names it in reasons and messages, `label` in words a person reads.

    `somewhere`: the service has one address inside the destination, not known which, so that a denial of a part of it
    proves nothing.
    """

    slug: str
    label: str
    destination: End
    ports: PortSet
    protocol: Protocol
    grade: Grade = Grade.REQUIRED
    private: PrivatePath | None = None
    somewhere: bool = False


@dataclass(frozen=True, slots=True)
class DependencyClasses:
    """The classes of one thing that inference depends on: a registry's layers, a storage account, a workspace.

    `unread` says why the classes are not known (or may not be all), `rescue` what was not read and could be a private
    way around a denial.
    """

    id: str | None
    name: str
    classes: tuple[PacketClass, ...]
    unread: Unread | None = None
    rescue: Unread | None = None
    where: str | None = None  # the location of the thing


@dataclass(frozen=True, slots=True)
class RegistryClasses:
    """The login classes of one registry; `unread` says why they may not be all."""

    use: RegistryUse | None
    name: str
    classes: tuple[PacketClass, ...]
    unread: Unread | None


def bootstraps_from_cache(cluster: Cluster) -> bool:
    """Whether a cluster takes what AKS itself needs from a registry of its own instead of Microsoft's."""
    profile = cluster.body.bootstrap_profile
    return profile is not None and (profile.artifact_source or "").casefold() == "cache"


def network_isolated(cluster: Cluster) -> bool:
    """Whether a cluster is meant to have no way out, and can do without: no outbound type, and a cache.

    Without the cache `none` only says that AKS sets no egress up, as a user may have done; the nodes still need it.
    """
    return cluster.outbound_type in ("none", "block") and bootstraps_from_cache(cluster)


def isolated(where: InferenceSubnet) -> bool:
    """Whether a subnet holds nothing but network isolated clusters."""
    return bool(where.clusters) and not where.groups and all(map(network_isolated, where.clusters))


def registry_classes(inventory: Inventory, where: InferenceSubnet, subnet: Subnet) -> tuple[RegistryClasses, ...]:
    """TCP 443 to each registry that the subnet pulls from: by private endpoint, else by its regions' tags.

    Without a known registry the cluster's own region stands in, as the source document words it; not where a registry
    may only be unseen, since then it may have a private endpoint or another region. Clusters that need no way out have
    none where no registry is known.
    """
    uses = registries_at(inventory, where)
    found = [_of_registry(inventory, use, subnet) for use in uses]
    if found or (uses.missing is None and isolated(where)):
        return tuple(found)
    location = _own_location(where, subnet)
    if location is None:
        unread = Unread(where.id, "no registry and no region is known", "collect again")
        return (RegistryClasses(None, "", (), unread),)
    tag = regional_tag(inventory, "AzureContainerRegistry", location)
    assumed = PacketClass("registry", tag, Tag(tag), HTTPS, Protocol.TCP)
    return (RegistryClasses(None, tag, () if uses.missing else (assumed,), uses.missing),)


def _own_location(where: InferenceSubnet, subnet: Subnet) -> str | None:
    """Where the owners of a subnet are: the region that stands in for an unknown one."""
    owners: list[str | None] = [c.location for c in where.clusters] + [g.location for g in where.groups]
    return next((owner for owner in owners if owner), None) or subnet.location


def _of_registry(inventory: Inventory, use: RegistryUse, subnet: Subnet) -> RegistryClasses:
    name = resource_name(use.id)
    if isinstance(use.registry, Unread):
        return RegistryClasses(use, name, (), use.registry)
    network = network_of(inventory, subnet)
    path = None
    if isinstance(network, VirtualNetwork):
        path = registry_path(inventory, use.registry, network)
        if leads_privately(path):
            if not path.addresses:
                unread = Unread(use.id, "the private endpoint's addresses are not in the data", "collect again")
                return RegistryClasses(use, name, (), unread)
            label = f"the private endpoint of {name}"
            private = PacketClass("registry-private", label, path.addresses, HTTPS, Protocol.TCP, private=path)
            return RegistryClasses(use, name, (private,), None)
        if path.missing is not None and public_access_off(use.registry):
            return RegistryClasses(use, name, (), path.missing)
    regions = regions_of(inventory, use.registry)
    tags = dict.fromkeys(regional_tag(inventory, "AzureContainerRegistry", region) for region in regions)
    classes = tuple(PacketClass("registry", tag, Tag(tag), HTTPS, Protocol.TCP, private=path) for tag in tags)
    # An endpoint that was not read may take the packets away from the tag: nothing is decided by the tag alone.
    return RegistryClasses(use, name, classes, regions.missing or (path.missing if path else None))


def registry_path(inventory: Inventory, registry: Registry, network: VirtualNetwork) -> PrivatePath:
    """The private path from a network to a registry."""
    return private_path(inventory, registry.id, "registry", network, registry.body.private_endpoint_connections)


def public_access_off(registry: Registry) -> bool:
    """Whether a registry refuses the public network altogether."""
    return (registry.body.public_network_access or "").casefold() == "disabled"


def image_registry_classes(inventory: Inventory) -> tuple[PacketClass, ...]:
    """Microsoft's image registry: manifests everywhere, layers by Front Door in the public cloud only."""
    tag = Tag("MicrosoftContainerRegistry")
    manifests = PacketClass("image-registry", "MicrosoftContainerRegistry", tag, HTTPS, Protocol.TCP)
    front_door = has_tag(inventory, "AzureFrontDoor.FirstParty")
    if front_door is False or (front_door is None and inventory.cloud in ("china", "usgov")):
        return (manifests,)
    layers = PacketClass(
        "image-layers", "AzureFrontDoor.FirstParty", Tag("AzureFrontDoor.FirstParty"), HTTPS, Protocol.TCP
    )
    return (manifests, layers)


def cluster_service_classes(inventory: Inventory, where: InferenceSubnet) -> tuple[PacketClass, ...]:
    """What AKS nodes need besides images: Entra ID, Azure Resource Manager, the API server, and the old tunnel.

    A private API server is among them where its addresses are known; see `private_api_server`.
    """
    classes = [
        PacketClass("entra-id", "AzureActiveDirectory", Tag("AzureActiveDirectory"), HTTPS, Protocol.TCP),
        PacketClass("resource-manager", "AzureResourceManager", Tag("AzureResourceManager"), HTTPS, Protocol.TCP),
    ]
    for cluster in where.clusters:
        addresses = private_api_server(inventory, cluster)
        if isinstance(addresses, AddressSet):
            label = f"the private API server of {cluster.name}"
            classes.append(PacketClass("api-server", label, addresses, HTTPS, Protocol.TCP))
    public = [c for c in where.clusters if private_api_server(inventory, c) is None]
    for location in sorted({region_key(c.location) for c in public if c.location}):
        tag = regional_tag(inventory, "AzureCloud", location)
        label = f"the API server in {tag}"
        classes.append(PacketClass("api-server", label, Tag(tag), HTTPS, Protocol.TCP, somewhere=True))
        advised = [(Protocol.UDP, 1194), (Protocol.TCP, 9000)]
        if inventory.cloud == "china":
            advised.append((Protocol.TCP, 22))
        for protocol, port in advised:
            label = f"the tunnel on {protocol} {port}"
            classes.append(PacketClass(f"tunnel-{port}", label, Tag(tag), PortSet.of(port), protocol, Grade.ADVISED))
    return tuple(classes)


def private_api_server(inventory: Inventory, cluster: Cluster) -> AddressSet | Unread | None:
    """The addresses at which nodes reach a private API server: its subnet with API server VNet integration, else its
    private endpoint. None where the API server is public to its nodes too.
    """
    profile = cluster.api_server
    if profile is not None and profile.enable_vnet_integration:
        found = inventory.find(Subnet, profile.subnet_id) if profile.subnet_id else None
        if isinstance(found, Subnet):
            return subnet_addresses(found)
        return found or Unread(cluster.id, "the API server's subnet is not in the cluster's data", "collect again")
    if not cluster.private:
        return None
    addresses = AddressSet.union(private_addresses(inventory, e) for e in endpoints_of(inventory, cluster.id))
    if addresses:
        return addresses
    why = "the private endpoint of the API server is not in the data"
    return Unread(cluster.id, why, "grant Reader on the node resource group", "api-server-unread")


def hidden_api_servers(inventory: Inventory, where: InferenceSubnet, subnet: Subnet) -> tuple[PacketClass, ...]:
    """Private API servers whose address is not known: they sit somewhere in the subnet's virtual network."""
    network = network_of(inventory, subnet)
    space = address_set(network.prefixes, network.id) if isinstance(network, VirtualNetwork) else AddressSet.empty()
    hidden = [c for c in where.clusters if isinstance(private_api_server(inventory, c), Unread)]
    end = space if isinstance(space, AddressSet) and space else Tag("VirtualNetwork")
    return tuple(
        PacketClass("api-server", f"the private API server of {c.name}", end, HTTPS, Protocol.TCP, somewhere=True)
        for c in hidden
    )


# ---------------------------------------------------------------- storage and Azure ML


def storage_classes(inventory: Inventory, where: InferenceSubnet, subnet: Subnet) -> tuple[DependencyClasses, ...]:
    """TCP 443 to the storage behind each registry (image layers) and of each workspace (models, code, logs).

    Layers come from Storage in the registry's regions, unless the registry has a private endpoint; with data endpoints
    of its own Storage is advised only. Without a known registry the own region stands in.
    """
    layers = [_layers(inventory, where, subnet, registry) for registry in registry_classes(inventory, where, subnet)]
    workspaces = workspaces_at(inventory, where)
    owners = [(workspace, settings_of(inventory, workspace)) for workspace in workspaces]
    held = [(mine if isinstance(owner, Unread) else owner).body.storage_account for mine, owner in owners]
    named = {key_of(account): account for account in held if account}
    accounts = [_account(inventory, subnet, named[key]) for key in sorted(named)]
    hidden = next(
        (o for (_, o), account in zip(owners, held, strict=True) if isinstance(o, Unread) and not account), None
    )
    missing = hidden or (workspaces.missing if not accounts else None)
    if missing is not None:
        accounts.append(DependencyClasses(None, "the workspace's storage", (), missing))
    return (*layers, *accounts)


def _layers(
    inventory: Inventory, where: InferenceSubnet, subnet: Subnet, registry: RegistryClasses
) -> DependencyClasses:
    name = f"the image layers of {registry.name}"
    if registry.use is None:
        location = _own_location(where, subnet)
        if not registry.classes or location is None:
            return DependencyClasses(None, "the registry's image layers", (), registry.unread)
        return DependencyClasses(None, name, (_storage_tag(inventory, location, "layers"),), registry.unread)
    if any(c.slug == "registry-private" for c in registry.classes):
        # Login and layers are served by the same endpoint (the group `registry` has an address for each).
        classes = tuple(
            PacketClass("layers-private", c.label, c.destination, c.ports, c.protocol, private=c.private)
            for c in registry.classes
        )
        return DependencyClasses(registry.use.id, name, classes, registry.unread)
    if isinstance(registry.use.registry, Unread) or not registry.classes:
        return DependencyClasses(registry.use.id, name, (), registry.unread)
    grade = Grade.ADVISED if registry.use.registry.body.data_endpoint_enabled else Grade.REQUIRED
    regions = regions_of(inventory, registry.use.registry)
    tags = {c.label: c for c in (_storage_tag(inventory, region, "layers", grade) for region in regions)}
    rescue = registry.classes[0].private.missing if registry.classes[0].private else None
    return DependencyClasses(registry.use.id, name, tuple(tags.values()), regions.missing or rescue, rescue)


def _storage_tag(inventory: Inventory, location: str, slug: str, grade: Grade = Grade.REQUIRED) -> PacketClass:
    tag = regional_tag(inventory, "Storage", location)
    return PacketClass(slug, tag, Tag(tag), HTTPS, Protocol.TCP, grade)


def _account(inventory: Inventory, subnet: Subnet, account_id: str) -> DependencyClasses:
    name = resource_name(account_id)
    account = inventory.find(StorageAccount, account_id)
    if isinstance(account, Unread):
        return DependencyClasses(account_id, name, (), account)
    network = network_of(inventory, subnet)
    path = None
    if isinstance(network, VirtualNetwork):
        path = private_path(inventory, account.id, "blob", network, account.body.private_endpoint_connections)
    if path is not None and leads_privately(path):
        return _through_endpoint(account_id, name, "storage-private", path)
    off = (account.body.public_network_access or "").casefold() == "disabled"
    rescue = path.missing if path else None
    if rescue is not None and off:
        return DependencyClasses(account_id, name, (), rescue)
    if not account.location:
        return DependencyClasses(
            account_id, name, (), Unread(account_id, "location is not in the account's data", "collect again")
        )
    return DependencyClasses(account_id, name, (_storage_tag(inventory, account.location, "storage"),), rescue, rescue)


def _through_endpoint(target_id: str, name: str, slug: str, path: PrivatePath) -> DependencyClasses:
    if not path.addresses:
        why = "the private endpoint's addresses are not in the data"
        return DependencyClasses(target_id, name, (), Unread(target_id, why, "collect again"))
    label = f"the private endpoint of {name}"
    needed = PacketClass(slug, label, path.addresses, HTTPS, Protocol.TCP, private=path)
    return DependencyClasses(target_id, name, (needed,))


def leads_privately(path: PrivatePath) -> bool:
    """Whether packets for the target go to its private endpoint: one is usable, and nothing shows that the name still
    resolves to the public address. Custom DNS servers cannot be seen through; they are another check's question.
    """
    public = (Dns.NO_ZONE_LINK, Dns.NO_RECORD, Dns.FALLS_BACK)
    return path.reach in (Reach.USABLE, Reach.THROUGH_HUB) and path.dns not in public


def workspace_classes(inventory: Inventory, where: InferenceSubnet, subnet: Subnet) -> tuple[DependencyClasses, ...]:
    """TCP 443 to the private endpoint of each workspace, else to Azure ML's tag."""
    return tuple(_workspace(inventory, subnet, workspace) for workspace in workspaces_at(inventory, where))


def _workspace(inventory: Inventory, subnet: Subnet, workspace: Workspace) -> DependencyClasses:
    network = network_of(inventory, subnet)
    path = None
    if isinstance(network, VirtualNetwork):
        seen = workspace.body.private_endpoint_connections
        path = private_path(inventory, workspace.id, "amlworkspace", network, seen)
    if path is not None and leads_privately(path):
        return _through_endpoint(workspace.id, workspace.name, "workspace-private", path)
    tag = Tag("AzureMachineLearning")
    needed = PacketClass("workspace", tag.name, tag, HTTPS, Protocol.TCP)
    rescue = path.missing if path else None
    return DependencyClasses(workspace.id, workspace.name, (needed,), rescue, rescue, workspace.location)


def required_classes(
    inventory: Inventory, where: InferenceSubnet, subnet: Subnet
) -> tuple[tuple[PacketClass, ...], Unread | None]:
    """The required classes of a subnet: registry, image registry, AKS's own; and what of them is not known."""
    classes: list[PacketClass] = []
    unread: Unread | None = None
    for registry in registry_classes(inventory, where, subnet):
        classes.extend(registry.classes)
        unread = unread or registry.unread
    if SubnetRole.NODE in where.roles or SubnetRole.POD in where.roles:
        if not where.clusters or not all(map(bootstraps_from_cache, where.clusters)):
            classes.extend(image_registry_classes(inventory))
        if not isolated(where):
            classes.extend(c for c in cluster_service_classes(inventory, where) if c.grade is Grade.REQUIRED)
    return tuple(classes), unread


def ask_class(inventory: Inventory, where: InferenceSubnet, subnet: Subnet, needed: PacketClass) -> tuple[Answer, ...]:
    """What becomes of a class's packets from the subnet, once per distinct interface group."""
    return ask(inventory, where, subnet, needed.destination, needed.ports, needed.protocol)


_WORST = (Access.DENIED, Access.PARTIAL, Access.UNDECIDED, Access.ALLOWED)


def worst(answers: tuple[Answer, ...]) -> Answer:
    """The answer that says the least good."""
    return min(answers, key=lambda answer: _WORST.index(answer.decision.access))


__all__ = [
    "HTTPS", "AddressSet", "DependencyClasses", "Grade", "PacketClass", "RegistryClasses", "ask_class",
    "bootstraps_from_cache", "cluster_service_classes", "hidden_api_servers", "image_registry_classes", "isolated",
    "leads_privately", "network_isolated",
    "private_api_server", "public_access_off", "registry_classes", "registry_path", "required_classes",
    "storage_classes", "workspace_classes", "worst",
]  # fmt: skip
