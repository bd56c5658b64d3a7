"""What rows refer to, and so what is read next. Pure functions over rows in ARM's spelling.

A scan walks outward from the estate: a cluster names subnets, the subnet's network names security groups and peers, a
registry names its private endpoints. Each reference is followed once; peers are read but not walked through, or a
hub would pull in every spoke of the company.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from auditor.values import ResourceId, fold, region_key

Row = dict[str, Any]


def at(value: Any, path: str) -> Iterator[Any]:
    """The values at a path such as `properties.subnets[].id`; nothing where it is not set or of another shape."""
    head, _, rest = path.partition(".")
    many = head.endswith("[]")
    inner = value.get(head.removesuffix("[]")) if isinstance(value, dict) else None
    items = inner if many and isinstance(inner, list) else [] if many else [inner]
    for item in items:
        if rest:
            yield from at(item, rest)
        elif item is not None:
            yield item


def ids_at(row: Row, *paths: str) -> Iterator[str]:
    """The ARM ids at the paths; what is no id is passed over (the inventory says what it thinks of it)."""
    for path in paths:
        for found in at(row, path):
            if isinstance(found, str) and (parsed := _parsed(found)) is not None:
                yield parsed.text


def _parsed(text: str) -> ResourceId | None:
    try:
        found = ResourceId.parse(text)
    except ValueError:
        return None
    return found if found.subscription_id and len(found.segments) >= 2 else None


def type_of(row: Row) -> str:
    """A row's type, folded."""
    return fold(str(row.get("type") or ""))


def network_of(subnet_id: str) -> str | None:
    """The virtual network of a subnet's id."""
    parsed = _parsed(subnet_id)
    if parsed is None or parsed.type != "microsoft.network/virtualnetworks/subnets":
        return None
    return str(parsed.parent)


_PLAIN_IDS: dict[str, tuple[str, ...]] = {
    "microsoft.containerservice/managedclusters": (
        "properties.networkProfile.loadBalancerProfile.effectiveOutboundIPs[].id",
        "properties.networkProfile.natGatewayProfile.effectiveOutboundIPs[].id",
        "properties.apiServerAccessProfile.privateDNSZone",
        "properties.bootstrapProfile.containerRegistryId",
    ),
    "microsoft.machinelearningservices/workspaces": (
        "properties.storageAccount",
        "properties.keyVault",
        "properties.containerRegistry",
        "properties.hubResourceId",
        "properties.privateEndpointConnections[].properties.privateEndpoint.id",
    ),
    "microsoft.machinelearningservices/workspaces/computes": ("properties.resourceId",),
    "microsoft.containerinstance/containergroups": ("properties.networkProfile.id",),
    "microsoft.containerregistry/registries": (
        "properties.privateEndpointConnections[].properties.privateEndpoint.id",
    ),
    "microsoft.storage/storageaccounts": ("properties.privateEndpointConnections[].properties.privateEndpoint.id",),
    "microsoft.keyvault/vaults": ("properties.privateEndpointConnections[].properties.privateEndpoint.id",),
    "microsoft.network/privateendpoints": ("properties.networkInterfaces[].id",),
    "microsoft.network/loadbalancers": (
        "properties.frontendIPConfigurations[].properties.publicIPAddress.id",
        "properties.frontendIPConfigurations[].properties.publicIPPrefix.id",
    ),
    "microsoft.network/natgateways": (
        "properties.publicIpAddresses[].id",
        "properties.publicIpPrefixes[].id",
    ),
    "microsoft.network/azurefirewalls": ("properties.ipConfigurations[].properties.publicIPAddress.id",),
}
"""References that are simply read."""

_SUBNETS: dict[str, tuple[str, ...]] = {
    "microsoft.containerservice/managedclusters": (
        "properties.agentPoolProfiles[].vnetSubnetID",
        "properties.agentPoolProfiles[].podSubnetID",
        "properties.apiServerAccessProfile.subnetId",
        "properties.hostedSystemProfile.systemNodeSubnetID",
        "properties.hostedSystemProfile.nodeSubnetID",
    ),
    "microsoft.containerservice/managedclusters/agentpools": (
        "properties.vnetSubnetID",
        "properties.podSubnetID",
    ),
    "microsoft.machinelearningservices/workspaces/computes": (
        "properties.properties.aksNetworkingConfiguration.subnetId",
    ),
    "microsoft.containerinstance/containergroups": ("properties.subnetIds[].id",),
    "microsoft.network/networkprofiles": (
        "properties.containerNetworkInterfaceConfigurations[].properties.ipConfigurations[].properties.subnet.id",
    ),
    "microsoft.network/loadbalancers": ("properties.frontendIPConfigurations[].properties.subnet.id",),
    "microsoft.network/privateendpoints": ("properties.subnet.id",),
}
"""References to subnets that something of the estate lies in: their networks are read and walked through."""

_FOOTPRINT_TYPES = frozenset(_SUBNETS) - {"microsoft.network/privateendpoints"}

DEPENDENCY_TYPES = frozenset(
    {
        "microsoft.machinelearningservices/workspaces",
        "microsoft.containerregistry/registries",
        "microsoft.storage/storageaccounts",
        "microsoft.keyvault/vaults",
    }
)
"""What a private endpoint may lead to as far as a check asks."""


@dataclass(slots=True)
class Wanted:
    """What the rows so far refer to. Keys are folded, values keep Azure's spelling."""

    ids: dict[str, str] = field(default_factory=dict)
    subnets: dict[str, str] = field(default_factory=dict)
    """Subnets in use: of the footprint, and those that private endpoints lie in."""
    footprint: dict[str, str] = field(default_factory=dict)
    """Networks that clusters and container groups lie in."""
    node_groups: dict[str, str] = field(default_factory=dict)
    """`subscription/group` of each cluster's node resource group."""
    linked: dict[str, str] = field(default_factory=dict)
    """Networks of the footprint and their peers: where names are resolved."""
    firewall_subnets: dict[str, str] = field(default_factory=dict)
    clusters: dict[str, str] = field(default_factory=dict)
    """Names of the clusters."""
    targets: dict[str, str] = field(default_factory=dict)
    """What private endpoints are looked for."""
    registries: dict[str, str] = field(default_factory=dict)
    zones: dict[str, str] = field(default_factory=dict)
    record_names: set[str] = field(default_factory=set)
    """Names of A records, relative to their zone."""
    hosts: set[str] = field(default_factory=set)
    """Host names of private endpoints, whole: what of them a zone's record is called depends on the zone."""

    def want(self, ids: Iterable[str]) -> None:
        """Resources to read by id."""
        for each in ids:
            self.ids.setdefault(fold(each), each)

    def take(self, rows: Iterable[Row]) -> None:
        """Note what rows refer to, and that in turn the networks among them refer to for the subnets known so far."""
        networks = []
        for row in rows:
            kind = type_of(row)
            self.want(ids_at(row, *_PLAIN_IDS.get(kind, ())))
            for subnet in ids_at(row, *_SUBNETS.get(kind, ())):
                self._subnet(subnet, footprint=kind in _FOOTPRINT_TYPES)
            self.want(_identities(row))
            if kind == "microsoft.network/virtualnetworks":
                networks.append(row)
            elif kind in DEPENDENCY_TYPES:
                self._dependency(row, kind)
            elif kind == "microsoft.containerservice/managedclusters":
                self._cluster(row)
            elif kind == "microsoft.network/privateendpoints":
                self.hosts.update(
                    host.rstrip(".").lower()
                    for host in at(row, "properties.customDnsConfigs[].fqdn")
                    if isinstance(host, str)
                )
            elif kind == "microsoft.network/privatednszones/virtualnetworklinks":
                self._zone_link(row)
            elif kind == "microsoft.network/privatednszones":
                self.zones.setdefault(fold(str(row["id"])), str(row["id"]))
        for row in networks:
            self.walk_network(row)

    def add_subnet(self, subnet: str) -> None:
        """A subnet of the footprint."""
        self._subnet(subnet, footprint=True)

    def _subnet(self, subnet: str, *, footprint: bool) -> None:
        network = network_of(subnet)
        if network is None:
            return
        self.subnets.setdefault(fold(subnet), subnet)
        self.want([network])
        if footprint:
            self.footprint.setdefault(fold(network), network)
            self.linked.setdefault(fold(network), network)

    def _cluster(self, row: Row) -> None:
        group = next(at(row, "properties.nodeResourceGroup"), None)
        parsed = _parsed(str(row["id"]))
        if parsed is not None:
            self.clusters.setdefault(fold(parsed.name), parsed.name)
        if isinstance(group, str) and group and parsed is not None:
            key = f"{parsed.subscription_id}/{group}"
            self.node_groups.setdefault(fold(key), key)

    def _dependency(self, row: Row, kind: str) -> None:
        row_id, name = str(row["id"]), str(row.get("name") or "")
        self.targets.setdefault(fold(row_id), row_id)
        if kind == "microsoft.containerregistry/registries":
            self.registries.setdefault(fold(row_id), row_id)
            self.record_names.add(f"{name}.{region_key(str(row.get('location') or ''))}.data".lower())
        if kind != "microsoft.machinelearningservices/workspaces":
            self.record_names.add(name.lower())
            return
        # A workspace's host name begins with its GUID, not with its name.
        guid = next(at(row, "properties.workspaceId"), None)
        if isinstance(guid, str) and guid:
            region = region_key(str(row.get("location") or ""))
            self.record_names.add(f"{guid}.workspace.{region}".lower())

    def names_in_zones(self) -> list[str]:
        """The names of the records that matter in the zones known so far."""
        suffixes = {fold(zone).rsplit("/", 1)[-1].removeprefix("privatelink.") for zone in self.zones.values()}
        named = {host.removesuffix(f".{suffix}") for host in self.hosts for suffix in suffixes}
        return sorted(self.record_names | named)

    def _zone_link(self, row: Row) -> None:
        parsed = _parsed(str(row["id"]))
        zone = str(parsed.parent) if parsed is not None and parsed.parent is not None else None
        # Only zones of private links matter; a network may be linked with a hundred others.
        if zone is not None and "privatelink." in fold(zone):
            self.zones.setdefault(fold(zone), zone)
            self.want([zone])

    def replication(self, registry: str, region: str) -> None:
        """A region that a registry has a data endpoint in."""
        self.record_names.add(f"{ResourceId.parse(registry).name}.{region_key(region)}.data".lower())

    def walk_network(self, row: Row) -> None:
        """Follow a network's subnets in use, and its peers if the estate lies in it."""
        network = fold(str(row["id"]))
        for subnet in at(row, "properties.subnets[]"):
            if not isinstance(subnet, dict):
                continue
            name = str(subnet.get("name") or "")
            subnet_id = str(subnet.get("id") or f"{row['id']}/subnets/{name}")
            if fold(subnet_id) in self.subnets:
                self.want(
                    ids_at(
                        subnet,
                        "properties.networkSecurityGroup.id",
                        "properties.routeTable.id",
                        "properties.natGateway.id",
                    )
                )
            if name.casefold() == "azurefirewallsubnet":
                self.firewall_subnets.setdefault(fold(subnet_id), subnet_id)
        if network in self.footprint:
            for peer in ids_at(row, "properties.virtualNetworkPeerings[].properties.remoteVirtualNetwork.id"):
                self.want([peer])
                self.linked.setdefault(fold(peer), peer)


def _identities(row: Row) -> Iterator[str]:
    """Ids of the user-assigned identities that a row carries."""
    identity = row.get("identity")
    assigned = identity.get("userAssignedIdentities") if isinstance(identity, dict) else None
    for key in assigned if isinstance(assigned, dict) else ():
        if (parsed := _parsed(str(key))) is not None:
            yield parsed.text
    profiles = next(at(row, "properties.identityProfile"), None)
    for profile in profiles.values() if isinstance(profiles, dict) else ():
        yield from ids_at(profile if isinstance(profile, dict) else {}, "resourceId")


def v1_subnets(computes: Iterable[Row], clusters: Iterable[Row]) -> Iterator[str]:
    """Ids of the subnets that v1 computes name by name only: in the network of their cluster's first pool."""
    networks: dict[str, str] = {}
    for cluster in clusters:
        for subnet in ids_at(cluster, "properties.agentPoolProfiles[].vnetSubnetID"):
            found = network_of(subnet)
            if found:
                networks.setdefault(fold(str(cluster["id"])), found)
    for compute in computes:
        name = next(at(compute, "properties.properties.loadBalancerSubnet"), None)
        cluster_id = next(ids_at(compute, "properties.resourceId"), "")
        network = networks.get(fold(cluster_id))
        if isinstance(name, str) and name and "/" not in name and network:
            yield f"{network}/subnets/{name}"


def principals_in(rows: Iterable[Row]) -> tuple[set[str], set[str]]:
    """(object ids, application ids) of the clusters' control planes, kubelets and the identities that were read."""
    objects: set[str] = set()
    applications: set[str] = set()
    for row in rows:
        kind = type_of(row)
        if kind == "microsoft.containerservice/managedclusters":
            objects.update(_texts(row, "identity.principalId"))
            assigned = next(at(row, "identity.userAssignedIdentities"), None)
            for value in assigned.values() if isinstance(assigned, dict) else ():
                objects.update(_texts(value, "principalId"))
            profiles = next(at(row, "properties.identityProfile"), None)
            for value in profiles.values() if isinstance(profiles, dict) else ():
                objects.update(_texts(value, "objectId"))
            applications.update(
                each for each in _texts(row, "properties.servicePrincipalProfile.clientId") if each != "msi"
            )
        elif kind == "microsoft.managedidentity/userassignedidentities":
            objects.update(_texts(row, "properties.principalId"))
        elif kind == "microsoft.containerinstance/containergroups":
            objects.update(_texts(row, "identity.principalId"))
    return objects, applications


def _texts(value: Any, path: str) -> Iterator[str]:
    for found in at(value, path):
        if isinstance(found, str) and found.strip():
            yield found.strip().casefold()
