"""The packet classes that inference needs (requirements 4.6): asked by several checks, so told in one place.

A class is required (its denial breaks something) or advised (its denial is worth a warning).
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from auditor.derive.endpoints import PrivatePath, Reach, private_path
from auditor.derive.footprint import InferenceSubnet, SubnetRole
from auditor.derive.registries import RegistryUse, regions_of, registries_at, resource_name
from auditor.derive.tags import has_tag, regional_tag
from auditor.derive.traffic import Answer, ask, network_of
from auditor.inventory import Inventory
from auditor.inventory.records import Cluster, Registry, Subnet, VirtualNetwork
from auditor.network import Access, AddressSet, End, PortSet, Protocol, Tag
from auditor.values import Unread, region_key

HTTPS = PortSet.of(443)


class Grade(enum.StrEnum):
    """What a denial of a class means."""

    REQUIRED = "required"
    ADVISED = "advised"


@dataclass(frozen=True, slots=True)
class PacketClass:
    """Packets to one destination: `slug` names it in reasons and messages, `label` in words a person reads."""

    slug: str
    label: str
    destination: End
    ports: PortSet
    protocol: Protocol
    grade: Grade = Grade.REQUIRED
    private: PrivatePath | None = None


@dataclass(frozen=True, slots=True)
class RegistryClasses:
    """The login classes of one registry; `unread` says why they may not be all."""

    use: RegistryUse | None
    name: str
    classes: tuple[PacketClass, ...]
    unread: Unread | None


def network_isolated(cluster: Cluster) -> bool:
    """Whether a cluster takes images from a cache of its own registry and needs no way out."""
    profile = cluster.body.bootstrap_profile
    return (profile is not None and (profile.artifact_source or "").casefold() == "cache") or (
        cluster.outbound_type in ("none", "block")
    )


def registry_classes(inventory: Inventory, where: InferenceSubnet, subnet: Subnet) -> tuple[RegistryClasses, ...]:
    """TCP 443 to each registry that the subnet pulls from: by private endpoint, else by its regions' tags.

    Without a known registry the cluster's own region stands in, as the source document words it.
    """
    uses = registries_at(inventory, where)
    found = [_of_registry(inventory, use, subnet) for use in uses]
    if found:
        return tuple(found)
    owners: list[str | None] = [c.location for c in where.clusters] + [g.location for g in where.groups]
    location = next((owner for owner in owners if owner), None) or subnet.location
    if location is None:
        unread = Unread(where.id, "no registry and no region is known", "collect again")
        return (RegistryClasses(None, "", (), unread),)
    tag = regional_tag(inventory, "AzureContainerRegistry", location)
    assumed = PacketClass("registry", tag, Tag(tag), HTTPS, Protocol.TCP)
    return (RegistryClasses(None, tag, (assumed,), uses.missing),)


def _of_registry(inventory: Inventory, use: RegistryUse, subnet: Subnet) -> RegistryClasses:
    name = resource_name(use.id)
    if isinstance(use.registry, Unread):
        return RegistryClasses(use, name, (), use.registry)
    network = network_of(inventory, subnet)
    path = None
    if isinstance(network, VirtualNetwork):
        path = registry_path(inventory, use.registry, network)
        if path.reach is Reach.USABLE:
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
    return RegistryClasses(use, name, classes, regions.missing)


def registry_path(inventory: Inventory, registry: Registry, network: VirtualNetwork) -> PrivatePath:
    """The private path from a network to a registry."""
    return private_path(inventory, registry.id, "registry", network, registry.body.private_endpoint_connections or [])


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
    """What AKS nodes need besides images: Entra ID, Azure Resource Manager, the API server, and the old tunnel."""
    classes = [
        PacketClass("entra-id", "AzureActiveDirectory", Tag("AzureActiveDirectory"), HTTPS, Protocol.TCP),
        PacketClass("resource-manager", "AzureResourceManager", Tag("AzureResourceManager"), HTTPS, Protocol.TCP),
    ]
    for location in sorted({region_key(c.location) for c in where.clusters if c.location and not c.private}):
        tag = regional_tag(inventory, "AzureCloud", location)
        classes.append(PacketClass("api-server", f"the API server in {tag}", Tag(tag), HTTPS, Protocol.TCP))
        advised = [(Protocol.UDP, 1194), (Protocol.TCP, 9000)]
        if inventory.cloud == "china":
            advised.append((Protocol.TCP, 22))
        for protocol, port in advised:
            label = f"the tunnel on {protocol} {port}"
            classes.append(PacketClass(f"tunnel-{port}", label, Tag(tag), PortSet.of(port), protocol, Grade.ADVISED))
    return tuple(classes)


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
        classes.extend(image_registry_classes(inventory))
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
    "HTTPS", "AddressSet", "Grade", "PacketClass", "RegistryClasses", "ask_class", "cluster_service_classes",
    "image_registry_classes", "network_isolated", "public_access_off", "registry_classes", "registry_path",
    "required_classes", "worst",
]  # fmt: skip
