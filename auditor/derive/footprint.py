"""The network footprint of a cluster (requirements 2.3): which subnets it uses, in which roles, in which networks."""

from __future__ import annotations

import enum
from collections import defaultdict
from dataclasses import dataclass

from auditor.derive.frontends import frontends_of
from auditor.derive.links import attachment
from auditor.inventory import Inventory
from auditor.inventory.records import (
    Cluster,
    ContainerGroup,
    NetworkInterface,
    NetworkInterfaceProfile,
    Subnet,
    VirtualNetwork,
    id_of,
    ids,
    key_of,
)
from auditor.values import Evidence, ResourceId, Unread


class SubnetRole(enum.StrEnum):
    """What a cluster, or a container group, uses a subnet for."""

    NODE = "node"
    POD = "pod"
    API_SERVER = "api-server"
    LOAD_BALANCER = "load-balancer"
    AUXILIARY = "auxiliary"
    CONTAINER_GROUP = "container-group"


RIGHTS_ROLES = frozenset({SubnetRole.NODE, SubnetRole.POD, SubnetRole.API_SERVER, SubnetRole.LOAD_BALANCER})


@dataclass(frozen=True, slots=True)
class SubnetUse:
    """One subnet that a cluster uses; `evidence` are the properties that name it."""

    id: str
    roles: frozenset[SubnetRole]
    subnet: Subnet | Unread
    evidence: tuple[Evidence, ...]

    @property
    def network_id(self) -> str:
        """ARM id of its virtual network."""
        return network_id_of(self.id)


@dataclass(frozen=True, slots=True)
class NetworkUse:
    """One virtual network that a cluster lies in."""

    id: str
    network: VirtualNetwork | Unread


@dataclass(frozen=True, slots=True)
class Footprint:
    """`managed`: AKS owns the network (nothing names a subnet elsewhere). `incomplete`: why there may be more."""

    uses: tuple[SubnetUse, ...]
    networks: tuple[NetworkUse, ...]
    managed: bool
    incomplete: Unread | None

    def in_roles(self, *roles: SubnetRole) -> tuple[SubnetUse, ...]:
        """The subnets that play any of these roles."""
        return tuple(use for use in self.uses if use.roles & set(roles))


def network_id_of(subnet_id: str) -> str:
    """The virtual network's id: the subnet's id up to `/subnets/`."""
    at = subnet_id.casefold().rfind("/subnets/")
    return subnet_id[:at] if at > 0 else subnet_id


def footprint(inventory: Inventory, cluster: Cluster) -> Footprint | Unread:
    """The subnets and networks of a cluster; Unread where its body is cut short."""
    found: Footprint | Unread = inventory.remember(("footprint", cluster.key), lambda: _footprint(inventory, cluster))
    return found


def _footprint(inventory: Inventory, cluster: Cluster) -> Footprint | Unread:
    # A cluster has a pool, unless AKS hosts its system nodes: then their subnets stand in a profile of their own.
    if cluster.body.agent_pool_profiles is None or not (cluster.pools or _hosted(cluster)):
        return Unread(
            cluster.id,
            "agentPoolProfiles is not in the cluster's data",
            "grant Reader on the cluster and collect again",
            "cluster-unreadable",
        )
    named = _named(inventory, cluster)
    pools = cluster.pools
    with_subnet = [pool for pool in pools if pool.vnet_subnet_id]
    elsewhere = any(
        roles & RIGHTS_ROLES and owned_elsewhere(cluster, network_id_of(shown[0].value))
        for roles, shown in named.values()
    )
    managed = not with_subnet and not elsewhere
    incomplete = _incomplete(cluster, len(pools), len(with_subnet), elsewhere=elsewhere)
    if managed:
        _add_managed(inventory, cluster, named)
    uses = tuple(
        SubnetUse(shown[0].value, frozenset(roles), inventory.find(Subnet, key), tuple(shown))
        for key, (roles, shown) in sorted(named.items())
    )
    network_ids = {key_of(use.network_id): use.network_id for use in uses if use.roles != {SubnetRole.AUXILIARY}}
    networks = tuple(
        NetworkUse(spelled, inventory.find(VirtualNetwork, key)) for key, spelled in sorted(network_ids.items())
    )
    return Footprint(uses, networks, managed, incomplete)


_Named = dict[str, tuple[set[SubnetRole], list[Evidence]]]


def _add(named: _Named, subnet_id: str | None, role: SubnetRole, cluster: Cluster, path: str, owner: str = "") -> None:
    if not subnet_id:
        return
    roles, shown = named.setdefault(key_of(subnet_id), (set(), []))
    roles.add(role)
    shown.append(Evidence(owner or cluster.id, path, subnet_id))


def _named(inventory: Inventory, cluster: Cluster) -> _Named:
    named: _Named = {}
    for pool in cluster.pools:
        at = f"properties.agentPoolProfiles['{pool.name}']"
        _add(named, pool.vnet_subnet_id, SubnetRole.NODE, cluster, f"{at}.vnetSubnetID")
        _add(named, pool.pod_subnet_id, SubnetRole.POD, cluster, f"{at}.podSubnetID")
    if cluster.api_server and cluster.api_server.enable_vnet_integration:
        path = "properties.apiServerAccessProfile.subnetId"
        _add(named, cluster.api_server.subnet_id, SubnetRole.API_SERVER, cluster, path)
    hosted = cluster.body.hosted_system_profile
    if hosted:
        path = "properties.hostedSystemProfile"
        _add(named, hosted.system_node_subnet_id, SubnetRole.NODE, cluster, f"{path}.systemNodeSubnetID")
        _add(named, hosted.node_subnet_id, SubnetRole.NODE, cluster, f"{path}.nodeSubnetID")
    for frontend in frontends_of(inventory, cluster):
        path = f"properties.frontendIPConfigurations['{frontend.name}'].properties.subnet.id"
        _add(named, frontend.subnet_id, SubnetRole.LOAD_BALANCER, cluster, path, frontend.balancer_id)
    for name, addon in (cluster.body.addon_profiles or {}).items():
        if addon and addon.enabled and addon.config and addon.config.subnet_id:
            path = f"properties.addonProfiles.{name}.config.subnetId"
            _add(named, addon.config.subnet_id, SubnetRole.AUXILIARY, cluster, path)
    _add_computes(inventory, cluster, named)
    return named


def _add_computes(inventory: Inventory, cluster: Cluster, named: _Named) -> None:
    """A v1 compute names its load balancer's subnet by name only; it lies in the cluster's network."""
    networks = {key_of(network_id_of(key)): network_id_of(shown[0].value) for key, (_, shown) in named.items()}
    for compute in attachment(inventory, cluster).computes:
        settings = compute.body.properties
        if settings is None:
            continue
        if settings.aks_networking_configuration:
            path = "properties.properties.aksNetworkingConfiguration.subnetId"
            subnet_id = settings.aks_networking_configuration.subnet_id
            _add(named, subnet_id, SubnetRole.NODE, cluster, path, compute.id)
        if settings.load_balancer_subnet and len(networks) == 1:
            (network_id,) = networks.values()
            subnet_id = f"{network_id}/subnets/{settings.load_balancer_subnet}"
            if not isinstance(inventory.find(Subnet, subnet_id), Unread):
                path = "properties.properties.loadBalancerSubnet"
                _add(named, subnet_id, SubnetRole.LOAD_BALANCER, cluster, path, compute.id)


def _add_managed(inventory: Inventory, cluster: Cluster, named: _Named) -> None:
    if not cluster.node_group_id:
        return
    for network in inventory.within(VirtualNetwork, cluster.node_group_id):
        for subnet in network.subnets:
            _add(named, subnet.id, _managed_role(subnet), cluster, "id", subnet.id)


def _managed_role(subnet: Subnet) -> SubnetRole:
    """What a subnet is for in a network that AKS made: nodes, except where it is delegated or made for an add-on."""
    delegated = {service.casefold() for service in subnet.delegations}
    if delegated:
        api = delegated == {"microsoft.containerservice/managedclusters"}
        return SubnetRole.API_SERVER if api else SubnetRole.AUXILIARY
    return SubnetRole.AUXILIARY if subnet.name.casefold() == "ingress-appgateway-subnet" else SubnetRole.NODE


def _incomplete(cluster: Cluster, pools: int, with_subnet: int, *, elsewhere: bool) -> Unread | None:
    """Why a cluster may use further subnets; `elsewhere`: something of it lies in a network of one's own."""
    if 0 < with_subnet < pools or (elsewhere and with_subnet < pools and not _hosted(cluster)):
        return Unread(
            cluster.id,
            f"{with_subnet} of {pools} agent pools name a subnet, which AKS does not allow",
            "collect again",
            "cluster-unreadable",
        )
    profile = cluster.body.node_provisioning_profile
    # Only AKS Automatic hosts system nodes, and it always provisions the others; the index may not know the mode yet.
    if _hosted(cluster) or (profile and (profile.mode or "").casefold() == "auto"):
        return Unread(
            cluster.id,
            "node auto-provisioning may place nodes in subnets that only the cluster itself knows",
            "list the node classes with `kubectl get aksnodeclasses`",
            "node-auto-provisioning",
        )
    return None


def _hosted(cluster: Cluster) -> bool:
    """Whether AKS hosts the system nodes of the cluster."""
    profile = cluster.body.hosted_system_profile
    return profile is not None and profile.enabled is not False


def owned_elsewhere(cluster: Cluster, network_id: str) -> bool:
    """Whether a network is the customer's own: not in the cluster's node resource group."""
    try:
        group = ResourceId.parse(network_id).resource_group_id
    except ValueError:
        return True
    return group is None or key_of(group.text) != key_of(cluster.node_group_id or "")


# ---------------------------------------------------------------- container groups and all inference subnets


def subnets_of_group(inventory: Inventory, group: ContainerGroup) -> tuple[str, ...] | Unread:
    """The subnets of a container group: `subnetIds` today, a network profile in old deployments."""
    named = ids(group.body.subnet_ids)
    if named:
        return named
    profile_id = id_of(group.body.network_profile)
    if profile_id is None:
        return ()
    match inventory.find(NetworkInterfaceProfile, profile_id):
        case Unread() as unread:
            return unread
        case profile:
            found = [
                id_of(ip.properties.subnet)
                for nic in profile.body.container_network_interface_configurations or ()
                if nic.properties
                for ip in nic.properties.ip_configurations or ()
                if ip.properties
            ]
            named = tuple(dict.fromkeys(subnet_id for subnet_id in found if subnet_id))
            return named or Unread(
                profile.id, "the network profile's data name no subnet", "collect again", "network-profile-unread"
            )


def networks_of_group(inventory: Inventory, group: ContainerGroup) -> tuple[str, ...] | Unread:
    """The virtual networks that a container group lies in, mostly one; none for a public group."""
    subnets = subnets_of_group(inventory, group)
    if isinstance(subnets, Unread):
        return subnets
    found = {key_of(network_id_of(subnet_id)): network_id_of(subnet_id) for subnet_id in subnets}
    return tuple(found.values())


@dataclass(frozen=True, slots=True)
class InferenceSubnet:
    """A subnet that inference runs in: of clusters, of container groups, or named in the configuration."""

    id: str
    key: str
    subnet: Subnet | Unread
    roles: frozenset[SubnetRole]
    clusters: tuple[Cluster, ...]
    groups: tuple[ContainerGroup, ...]

    @property
    def name(self) -> str:
        """The subnet's name, from its id."""
        return self.id.rsplit("/", 1)[-1]

    @property
    def network_id(self) -> str:
        """ARM id of its virtual network."""
        return network_id_of(self.id)


def inference_subnets(inventory: Inventory) -> tuple[InferenceSubnet, ...]:
    """All subnets that inference runs in, once each, sorted by id."""

    def compute() -> tuple[InferenceSubnet, ...]:
        spelled: dict[str, str] = {}
        roles: dict[str, set[SubnetRole]] = defaultdict(set)
        clusters: dict[str, list[Cluster]] = defaultdict(list)
        groups: dict[str, list[ContainerGroup]] = defaultdict(list)
        for cluster in inventory.every(Cluster):
            found = footprint(inventory, cluster)
            if isinstance(found, Unread):
                continue
            for use in found.uses:
                key = key_of(use.id)
                spelled.setdefault(key, use.id)
                roles[key] |= use.roles
                clusters[key].append(cluster)
        for group in inventory.every(ContainerGroup):
            named = subnets_of_group(inventory, group)
            for subnet_id in named if not isinstance(named, Unread) else ():
                spelled.setdefault(key_of(subnet_id), subnet_id)
                roles[key_of(subnet_id)].add(SubnetRole.CONTAINER_GROUP)
                groups[key_of(subnet_id)].append(group)
        for subnet_id in inventory.configured.aci_subnets:
            spelled.setdefault(key_of(subnet_id), subnet_id)
            roles[key_of(subnet_id)].add(SubnetRole.CONTAINER_GROUP)
        return tuple(
            InferenceSubnet(
                spelled[key],
                key,
                inventory.find(Subnet, key),
                frozenset(roles[key]),
                tuple(clusters[key]),
                tuple(groups[key]),
            )
            for key in sorted(spelled)
        )

    return inventory.remember("inference-subnets", compute)


def interfaces_in(inventory: Inventory, subnet_key: str) -> tuple[NetworkInterface, ...]:
    """The network interfaces that were read and lie in a subnet."""

    def index() -> dict[str, list[NetworkInterface]]:
        found: dict[str, list[NetworkInterface]] = defaultdict(list)
        for nic in inventory.every(NetworkInterface):
            for configuration in nic.body.ip_configurations or ():
                subnet_id = id_of(configuration.properties.subnet) if configuration.properties else None
                if subnet_id and nic not in found[key_of(subnet_id)]:
                    found[key_of(subnet_id)].append(nic)
        return found

    return tuple(inventory.remember("nics-by-subnet", index).get(subnet_key, ()))
