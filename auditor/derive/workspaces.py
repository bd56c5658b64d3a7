"""The virtual networks from which the clusters of a workspace infer, and the workspace whose settings hold."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from auditor.derive.footprint import SubnetRole, SubnetUse, footprint, network_id_of, owned_elsewhere
from auditor.derive.links import clusters_of, infers
from auditor.inventory import Inventory
from auditor.inventory.records import Cluster, Compute, VirtualNetwork, Workspace, key_of
from auditor.values import Unread


@dataclass(frozen=True, slots=True)
class InferenceNetwork:
    """One virtual network of a workspace's clusters: their node and pod subnets in it.

    `own`: it is the customer's, not made by AKS. `incomplete` says why there may be more subnets.
    """

    id: str
    network: VirtualNetwork | Unread
    own: bool
    clusters: tuple[Cluster, ...]
    subnets: tuple[SubnetUse, ...]
    incomplete: Unread | None


@dataclass(frozen=True, slots=True)
class InferenceNetworks:
    """`idle` are attached clusters on which Azure ML provably does not infer; `unread` may hide further networks."""

    networks: tuple[InferenceNetwork, ...]
    clusters: tuple[Cluster, ...]
    idle: tuple[Cluster, ...]
    unread: tuple[Unread, ...]


def inference_networks(inventory: Inventory, workspace: Workspace) -> InferenceNetworks:
    """The networks of the AKS clusters that a workspace's computes name and that are not provably without inference."""
    return inventory.remember(("inference-networks", workspace.key), lambda: _networks(inventory, workspace))


def _networks(inventory: Inventory, workspace: Workspace) -> InferenceNetworks:
    clusters: list[Cluster] = []
    idle: list[Cluster] = []
    unread: list[Unread] = []
    owners: dict[str, list[Cluster]] = defaultdict(list)
    subnets: dict[str, dict[str, SubnetUse]] = defaultdict(dict)
    found: dict[str, tuple[str, VirtualNetwork | Unread]] = {}
    incomplete: dict[str, Unread] = {}
    for cluster in clusters_of(inventory, workspace):
        if isinstance(cluster, Unread):
            # A cluster that is provably gone has no network: the dangling reference is other checks' matter.
            if cluster.reason != "absent":
                unread.append(cluster)
            continue
        if infers(inventory, cluster) is False:
            idle.append(cluster)
            continue
        clusters.append(cluster)
        used = footprint(inventory, cluster)
        if isinstance(used, Unread):
            unread.append(used)
            continue
        uses = used.in_roles(SubnetRole.NODE, SubnetRole.POD)
        homes = {key_of(network_id_of(use.id)) for use in uses}
        for network in used.networks:
            key = key_of(network.id)
            if key not in homes:
                continue
            found[key] = (network.id, network.network)
            owners[key].append(cluster)
            subnets[key].update({key_of(use.id): use for use in uses if key_of(use.network_id) == key})
            if used.incomplete is not None:
                incomplete.setdefault(key, used.incomplete)
    networks = tuple(
        InferenceNetwork(
            found[key][0],
            found[key][1],
            any(owned_elsewhere(cluster, found[key][0]) for cluster in owners[key]),
            tuple(owners[key]),
            tuple(subnets[key][one] for one in sorted(subnets[key])),
            incomplete.get(key),
        )
        for key in sorted(found)
    )
    return InferenceNetworks(networks, tuple(clusters), tuple(idle), tuple(unread))


def computes_of_unread(inventory: Inventory, workspace: Workspace) -> Unread | None:
    """Why a workspace may have computes that were not seen, or None."""
    for bad in inventory.broken(Compute):
        if key_of(bad.id).startswith(workspace.key + "/"):
            return bad.unread
    return inventory.coverage.unread(Compute.TYPE, workspace.key)


def settings_of(inventory: Inventory, workspace: Workspace) -> Workspace | Unread:
    """The workspace whose network settings hold: of a project its hub's, else its own."""
    hub = workspace.body.hub_resource_id
    if not hub or key_of(hub) == workspace.key:
        return workspace
    return inventory.find(Workspace, hub)


def managed_isolation(workspace: Workspace) -> bool:
    """Whether Azure ML manages a network of the workspace's own (`managedNetwork.isolationMode` is set and not off)."""
    mode = workspace.body.managed_network.isolation_mode if workspace.body.managed_network else None
    return (mode or "Disabled").casefold() != "disabled"
