"""Which registries, storage accounts and vaults an inference subnet depends on, by way of the workspaces."""

from __future__ import annotations

from dataclasses import dataclass

from auditor.derive.footprint import InferenceSubnet
from auditor.derive.links import workspaces_of
from auditor.derive.workspaces import settings_of
from auditor.inventory import Inventory
from auditor.inventory.records import (
    Cluster,
    ContainerGroup,
    Registry,
    Replication,
    Workspace,
    key_of,
)
from auditor.values import Listing, ResourceId, Unread, region_key


@dataclass(frozen=True, slots=True)
class RegistryUse:
    """A registry that something depends on. `registry` is Unread where its own data are; `why` says who names it."""

    id: str
    registry: Registry | Unread
    why: tuple[str, ...]


def workspaces_of_group(inventory: Inventory, group: ContainerGroup) -> Listing[Workspace]:
    """The workspaces that a container group belongs to: named in its tags, or in its resource group.

    The v1 service leaves no reference of its own; a group that names no workspace and shares none's resource group is
    not known to belong to any.
    """
    named = {str(value).casefold() for value in group.tags.values()}
    found = [
        workspace
        for workspace in inventory.every(Workspace)
        if workspace.key in named
        or workspace.name.casefold() in named
        or key_of(workspace.resource_group_id or "") == key_of(group.resource_group_id or "")
    ]
    missing = inventory.coverage.unread(Workspace.TYPE, key_of(group.resource_group_id or group.key))
    if missing is None:
        missing = next((bad.unread for bad in inventory.broken(Workspace)), None)
    return Listing(tuple(found), missing)


def workspaces_at(inventory: Inventory, where: InferenceSubnet) -> Listing[Workspace]:
    """All workspaces whose inference runs in a subnet."""
    found: dict[str, Workspace] = {}
    missing: Unread | None = None
    listings = [workspaces_of(inventory, cluster) for cluster in where.clusters]
    listings += [workspaces_of_group(inventory, group) for group in where.groups]
    for listing in listings:
        found.update({workspace.key: workspace for workspace in listing})
        missing = missing or listing.missing
    return Listing(tuple(found[key] for key in sorted(found)), missing)


def _uses(inventory: Inventory, workspaces: Listing[Workspace]) -> Listing[RegistryUse]:
    named: dict[str, tuple[str, list[str]]] = {}
    missing = workspaces.missing
    for workspace in workspaces:
        registry_id = workspace.body.container_registry
        if not registry_id:
            # A project uses what its hub has.
            match settings_of(inventory, workspace):
                case Unread() as unread:
                    missing = missing or unread
                case holder:
                    registry_id = holder.body.container_registry
        if registry_id:
            named.setdefault(key_of(registry_id), (registry_id, []))[1].append(workspace.id)
    for registry_id in inventory.configured.registries:
        named.setdefault(key_of(registry_id), (registry_id, []))[1].append("configuration")
    uses = tuple(
        RegistryUse(spelled, inventory.find(Registry, key), tuple(why)) for key, (spelled, why) in sorted(named.items())
    )
    return Listing(uses, missing)


def registries_at(inventory: Inventory, where: InferenceSubnet) -> Listing[RegistryUse]:
    """The registries that inference in a subnet pulls from; `missing` where a workspace may be unseen."""
    return _uses(inventory, workspaces_at(inventory, where))


def registries_of(inventory: Inventory, cluster: Cluster) -> Listing[RegistryUse]:
    """The registries that a cluster pulls from."""
    return _uses(inventory, workspaces_of(inventory, cluster))


def registries_of_group(inventory: Inventory, group: ContainerGroup) -> Listing[RegistryUse]:
    """The registries that a container group pulls from."""
    return _uses(inventory, workspaces_of_group(inventory, group))


def regions_of(inventory: Inventory, registry: Registry) -> Listing[str]:
    """The regions of a registry: its own first, then each replication's, as short names."""
    own = region_key(registry.location or "")
    mine = [
        replica
        for replica in inventory.every(Replication)
        if (parent := replica.resource_id.parent) is not None and parent.key == registry.key
    ]
    replicas = [region_key(replica.location) for replica in mine if replica.location]
    missing = inventory.coverage.unread(Replication.TYPE, registry.key)
    if missing is None:
        missing = next((bad.unread for bad in inventory.broken(Replication)), None)
    nowhere = next((replica for replica in mine if not replica.location), None)
    if nowhere is not None:
        missing = missing or Unread(nowhere.id, "location is not in the replication's data", "collect again")
    if not own:
        missing = missing or Unread(registry.id, "location is not in the registry's data", "collect again")
    return Listing(tuple(dict.fromkeys([*([own] if own else []), *replicas])), missing)


def resource_name(resource_id: str) -> str:
    """The last segment of an id, for messages."""
    try:
        return ResourceId.parse(resource_id).name
    except ValueError:
        return resource_id
