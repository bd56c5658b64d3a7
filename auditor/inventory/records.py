"""Typed resources of an inventory: an envelope that every ARM resource shares, and the body of its type.

Records are immutable. Accessors merge what Azure spells in two ways (singular and plural properties) and treat `""`,
`[]` and `null` as "not set"; they add nothing of their own.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeVar

from auditor.inventory import shapes
from auditor.values import Evidence, ResourceId, fold

B = TypeVar("B", bound=shapes.Shape)


@functools.lru_cache(maxsize=65_536)
def _parsed(resource_id: str) -> ResourceId | None:
    try:
        return ResourceId.parse(resource_id)
    except ValueError:
        return None


def ids(references: list[shapes.Ref] | None) -> tuple[str, ...]:
    """The ids of embedded references, as spelled; empty references are none."""
    return tuple(ref.id for ref in references or () if ref.id)


def id_of(reference: shapes.Ref | None) -> str | None:
    """The id of one embedded reference, or None where it is not set."""
    return (reference.id or None) if reference else None


def merged(one: str | None, many: list[str] | None) -> tuple[str, ...]:
    """A scalar and its plural as one tuple without repetition: either may be filled, or both."""
    values = [*([one] if one else []), *(value for value in many or () if value)]
    return tuple(dict.fromkeys(values))


@dataclass(frozen=True, slots=True)
class Resource(Generic[B]):
    """One ARM resource: `id`, `name`, `location` as spelled, `key` the folded id, `body` its typed properties.

    `parent_type` children are resources of their own, whether they came nested or as a row.
    """

    TYPE: ClassVar[str] = ""

    id: str
    key: str
    name: str
    body: B
    location: str | None = None
    kind: str | None = None
    sku: str | None = None
    tags: Mapping[str, Any] = field(default_factory=dict, hash=False, compare=False)
    identity: shapes.Identity | None = field(default=None, hash=False)
    managed_by: str | None = None

    @property
    def type(self) -> str:
        """The ARM type, lower case."""
        return self.TYPE

    @property
    def resource_id(self) -> ResourceId:
        """The parsed id; ids that ARM would not give are kept as one opaque segment."""
        return _parsed(self.id) or ResourceId(self.id, self.key)

    @property
    def subscription_id(self) -> str | None:
        """Lower-case GUID of the subscription."""
        return self.resource_id.subscription_id

    @property
    def resource_group(self) -> str | None:
        """Name of the resource group, as spelled in the id."""
        return self.resource_id.resource_group

    @property
    def resource_group_id(self) -> str | None:
        """ARM id of the resource group."""
        group = self.resource_id.resource_group_id
        return group.text if group else None

    def show(self, path: str, value: Any, note: str = "") -> Evidence:
        """A property of this resource as evidence; `path` is ARM's property path as Microsoft spells it."""
        return Evidence(self.id, path, value, note)


class Cluster(Resource[shapes.ManagedCluster]):
    """An AKS cluster; stand-alone agent pools are merged into `pools`."""

    __slots__ = ()
    TYPE = "microsoft.containerservice/managedclusters"

    @property
    def pools(self) -> tuple[shapes.AgentPool, ...]:
        """The agent pools, nested and stand-alone ones by name."""
        return tuple(self.body.agent_pool_profiles or ())

    @property
    def network(self) -> shapes.NetworkProfile | None:
        """`properties.networkProfile`."""
        return self.body.network_profile

    @property
    def api_server(self) -> shapes.ApiServerAccessProfile | None:
        """`properties.apiServerAccessProfile`; None on clusters that never set it, which means a public API server."""
        return self.body.api_server_access_profile

    @property
    def service_cidrs(self) -> tuple[str, ...]:
        """Kubernetes service ranges, as written."""
        return merged(self.network.service_cidr, self.network.service_cidrs) if self.network else ()

    @property
    def pod_cidrs(self) -> tuple[str, ...]:
        """Pod ranges (kubenet, overlay), as written."""
        return merged(self.network.pod_cidr, self.network.pod_cidrs) if self.network else ()

    @property
    def plugin(self) -> str:
        """`networkPlugin`, lower case; empty where not set."""
        return ((self.network.network_plugin if self.network else None) or "").casefold()

    @property
    def overlay(self) -> bool:
        """Whether pods live in an overlay (`networkPluginMode`)."""
        return ((self.network.network_plugin_mode if self.network else None) or "").casefold() == "overlay"

    @property
    def outbound_type(self) -> str:
        """`outboundType`, lower case; AKS's default `loadbalancer` where not set."""
        return ((self.network.outbound_type if self.network else None) or "loadBalancer").casefold()

    @property
    def private(self) -> bool:
        """Whether the API server is private (`enablePrivateCluster`); unset means public."""
        return bool(self.api_server and self.api_server.enable_private_cluster)

    @property
    def partial(self) -> bool:
        """Whether the body is evidently cut short, so that an unset property says nothing."""
        return self.body.network_profile is None and self.body.agent_pool_profiles is None

    @property
    def node_group_id(self) -> str | None:
        """ARM id of the node resource group."""
        if not self.body.node_resource_group or not self.subscription_id:
            return None
        return f"/subscriptions/{self.subscription_id}/resourceGroups/{self.body.node_resource_group}"


class Subnet(Resource[shapes.SubnetBody]):
    """A subnet of a virtual network."""

    __slots__ = ()
    TYPE = "microsoft.network/virtualnetworks/subnets"

    @property
    def network_id(self) -> str:
        """ARM id of the virtual network, spelled as in the subnet's id."""
        parent = self.resource_id.parent
        return parent.text if parent else self.id

    @property
    def prefixes(self) -> tuple[str, ...]:
        """Address prefixes, as written."""
        return merged(self.body.address_prefix, self.body.address_prefixes)

    @property
    def delegations(self) -> tuple[str, ...]:
        """Service names that the subnet is delegated to, as spelled."""
        return tuple(
            d.properties.service_name for d in self.body.delegations or () if d.properties and d.properties.service_name
        )

    @property
    def security_group_id(self) -> str | None:
        """ARM id of the network security group on the subnet."""
        return id_of(self.body.network_security_group)

    @property
    def route_table_id(self) -> str | None:
        """ARM id of the route table on the subnet."""
        return id_of(self.body.route_table)

    @property
    def nat_gateway_id(self) -> str | None:
        """ARM id of the NAT gateway on the subnet."""
        return id_of(self.body.nat_gateway)

    @property
    def service_endpoints(self) -> tuple[str, ...]:
        """Services with a service endpoint here, lower case."""
        return tuple((e.service or "").casefold() for e in self.body.service_endpoints or () if e.service)


class Peering(Resource[shapes.Peering]):
    """One side of a virtual network peering."""

    __slots__ = ()
    TYPE = "microsoft.network/virtualnetworks/virtualnetworkpeerings"

    @property
    def connected(self) -> bool:
        """Whether the peering is in state `Connected`."""
        return (self.body.peering_state or "").casefold() == "connected"

    @property
    def remote_id(self) -> str | None:
        """ARM id of the remote virtual network."""
        return id_of(self.body.remote_virtual_network)

    @property
    def subnet_level(self) -> bool:
        """Whether single subnets are connected, not the networks as a whole; names tell where the switch is unset."""
        if self.body.peer_complete_vnets is not None:
            return not self.body.peer_complete_vnets
        return bool(self.local_subnet_names or self.remote_subnet_names)

    @property
    def local_subnet_names(self) -> frozenset[str]:
        """The subnets of this network that take part, folded; empty where all do, or where nothing says so."""
        return frozenset(name.casefold() for name in self.body.local_subnet_names or ())

    @property
    def remote_subnet_names(self) -> frozenset[str]:
        """Likewise of the remote network."""
        return frozenset(name.casefold() for name in self.body.remote_subnet_names or ())

    @property
    def remote_prefixes(self) -> tuple[str, ...]:
        """The remote network's address space as the peering itself carries it."""
        spaces = (self.body.remote_address_space, self.body.remote_virtual_network_address_space)
        return tuple(dict.fromkeys(p for s in spaces if s for p in s.address_prefixes or ()))


@dataclass(frozen=True, slots=True)
class VirtualNetwork(Resource[shapes.VirtualNetwork]):
    """A virtual network with its subnets and peerings, nested or stand-alone."""

    TYPE = "microsoft.network/virtualnetworks"

    subnets: tuple[Subnet, ...] = ()
    peerings: tuple[Peering, ...] = ()

    @property
    def prefixes(self) -> tuple[str, ...]:
        """The address space, as written."""
        return tuple((self.body.address_space.address_prefixes or ()) if self.body.address_space else ())

    @property
    def dns_servers(self) -> tuple[str, ...]:
        """Custom DNS servers; empty means Azure DNS."""
        return tuple((self.body.dhcp_options.dns_servers or ()) if self.body.dhcp_options else ())


class SecurityRule(Resource[shapes.Rule]):
    """A security rule."""

    __slots__ = ()
    TYPE = "microsoft.network/networksecuritygroups/securityrules"


@dataclass(frozen=True, slots=True)
class SecurityGroup(Resource[shapes.NetworkSecurityGroup]):
    """A network security group with its rules, nested or stand-alone; `defaults` as the body carries them."""

    TYPE = "microsoft.network/networksecuritygroups"

    rules: tuple[SecurityRule, ...] = ()
    defaults: tuple[SecurityRule, ...] = ()


class Route(Resource[shapes.RouteBody]):
    """A user-defined route."""

    __slots__ = ()
    TYPE = "microsoft.network/routetables/routes"


@dataclass(frozen=True, slots=True)
class RouteTable(Resource[shapes.RouteTable]):
    """A route table with its routes, nested or stand-alone."""

    TYPE = "microsoft.network/routetables"

    routes: tuple[Route, ...] = ()


class NatGateway(Resource[shapes.NatGateway]):
    """A NAT gateway."""

    __slots__ = ()
    TYPE = "microsoft.network/natgateways"


class LoadBalancer(Resource[shapes.LoadBalancer]):
    """A load balancer."""

    __slots__ = ()
    TYPE = "microsoft.network/loadbalancers"

    @property
    def frontends(self) -> tuple[shapes.Frontend, ...]:
        """Its frontends."""
        return tuple(self.body.frontend_ip_configurations or ())


class PublicIpAddress(Resource[shapes.PublicIpAddress]):
    """A public IP address."""

    __slots__ = ()
    TYPE = "microsoft.network/publicipaddresses"


class PublicIpPrefix(Resource[shapes.PublicIpPrefix]):
    """A public IP prefix."""

    __slots__ = ()
    TYPE = "microsoft.network/publicipprefixes"


class NetworkInterface(Resource[shapes.NetworkInterface]):
    """A network interface."""

    __slots__ = ()
    TYPE = "microsoft.network/networkinterfaces"


class PrivateEndpoint(Resource[shapes.PrivateEndpoint]):
    """A private endpoint."""

    __slots__ = ()
    TYPE = "microsoft.network/privateendpoints"

    @property
    def subnet_id(self) -> str | None:
        """ARM id of the subnet it lies in."""
        return id_of(self.body.subnet)

    @property
    def connections(self) -> tuple[shapes.LinkConnectionProperties, ...]:
        """Automatic and manual connections alike."""
        both = (
            *(self.body.private_link_service_connections or ()),
            *(self.body.manual_private_link_service_connections or ()),
        )
        return tuple(c.properties for c in both if c.properties)


class PrivateDnsZoneGroup(Resource[shapes.PrivateDnsZoneGroup]):
    """The zone group of a private endpoint."""

    __slots__ = ()
    TYPE = "microsoft.network/privateendpoints/privatednszonegroups"


class PrivateDnsZone(Resource[shapes.PrivateDnsZone]):
    """A private DNS zone."""

    __slots__ = ()
    TYPE = "microsoft.network/privatednszones"


class VirtualNetworkLink(Resource[shapes.VirtualNetworkLink]):
    """A link of a private DNS zone with a virtual network."""

    __slots__ = ()
    TYPE = "microsoft.network/privatednszones/virtualnetworklinks"


class DnsARecord(Resource[shapes.DnsARecord]):
    """An A record of a private DNS zone; its name is the record's, relative to the zone."""

    __slots__ = ()
    TYPE = "microsoft.network/privatednszones/a"


class NetworkInterfaceProfile(Resource[shapes.NetworkInterfaceProfile]):
    """A network profile of old container groups."""

    __slots__ = ()
    TYPE = "microsoft.network/networkprofiles"


class ApplicationSecurityGroup(Resource[shapes.Empty]):
    """An application security group; its members are found at network interfaces."""

    __slots__ = ()
    TYPE = "microsoft.network/applicationsecuritygroups"


class AzureFirewall(Resource[shapes.AzureFirewall]):
    """An Azure Firewall."""

    __slots__ = ()
    TYPE = "microsoft.network/azurefirewalls"


class VirtualNetworkGateway(Resource[shapes.VirtualNetworkGateway]):
    """A VPN or ExpressRoute gateway."""

    __slots__ = ()
    TYPE = "microsoft.network/virtualnetworkgateways"


class EffectiveAdminRules(Resource[shapes.EffectiveAdminRules]):
    """What Virtual Network Manager imposes on one virtual network."""

    __slots__ = ()
    TYPE = "microsoft.network/effectivesecurityadminrules"


class ServiceTags(Resource[shapes.ServiceTags]):
    """The service tag list of a cloud."""

    __slots__ = ()
    TYPE = "microsoft.network/servicetags"


class ContainerGroup(Resource[shapes.ContainerGroup]):
    """A container group of Azure Container Instances."""

    __slots__ = ()
    TYPE = "microsoft.containerinstance/containergroups"


class Registry(Resource[shapes.Registry]):
    """A container registry."""

    __slots__ = ()
    TYPE = "microsoft.containerregistry/registries"


class Replication(Resource[shapes.Replication]):
    """A geo-replica of a registry."""

    __slots__ = ()
    TYPE = "microsoft.containerregistry/registries/replications"


class StorageAccount(Resource[shapes.StorageAccount]):
    """A storage account."""

    __slots__ = ()
    TYPE = "microsoft.storage/storageaccounts"


class Vault(Resource[shapes.Vault]):
    """A key vault."""

    __slots__ = ()
    TYPE = "microsoft.keyvault/vaults"


class Workspace(Resource[shapes.Workspace]):
    """An Azure Machine Learning workspace."""

    __slots__ = ()
    TYPE = "microsoft.machinelearningservices/workspaces"


class Compute(Resource[shapes.Compute]):
    """A compute of a workspace."""

    __slots__ = ()
    TYPE = "microsoft.machinelearningservices/workspaces/computes"

    @property
    def workspace_id(self) -> str:
        """ARM id of its workspace."""
        parent = self.resource_id.parent
        return parent.text if parent else self.id

    @property
    def compute_type(self) -> str:
        """`computeType`, lower case: `aks` is v1, `kubernetes` is v2."""
        return (self.body.compute_type or "").casefold()


class OnlineEndpoint(Resource[shapes.OnlineEndpoint]):
    """An online endpoint of a workspace."""

    __slots__ = ()
    TYPE = "microsoft.machinelearningservices/workspaces/onlineendpoints"


class Extension(Resource[shapes.Extension]):
    """A Kubernetes extension on a cluster."""

    __slots__ = ()
    TYPE = "microsoft.kubernetesconfiguration/extensions"

    @property
    def cluster_id(self) -> str:
        """ARM id of the cluster it is installed on."""
        at = self.id.casefold().find("/providers/microsoft.kubernetesconfiguration/")
        return self.id[:at] if at >= 0 else self.id

    @property
    def azure_ml(self) -> bool:
        """Whether it is Azure Machine Learning's extension."""
        return (self.body.extension_type or "").casefold() == "microsoft.azureml.kubernetes"


class UserAssignedIdentity(Resource[shapes.UserAssignedIdentity]):
    """A user-assigned managed identity."""

    __slots__ = ()
    TYPE = "microsoft.managedidentity/userassignedidentities"


class RoleAssignment(Resource[shapes.RoleAssignment]):
    """A role assignment."""

    __slots__ = ()
    TYPE = "microsoft.authorization/roleassignments"


class EligibleAssignment(Resource[shapes.RoleAssignment]):
    """An eligible (PIM) role assignment."""

    __slots__ = ()
    TYPE = "microsoft.authorization/roleeligibilityscheduleinstances"


class ActiveAssignment(Resource[shapes.RoleAssignment]):
    """An active schedule instance (PIM): tells when a role assignment ends."""

    __slots__ = ()
    TYPE = "microsoft.authorization/roleassignmentscheduleinstances"


class RoleDefinition(Resource[shapes.RoleDefinition]):
    """A role definition."""

    __slots__ = ()
    TYPE = "microsoft.authorization/roledefinitions"


class DenyAssignment(Resource[shapes.DenyAssignment]):
    """A deny assignment."""

    __slots__ = ()
    TYPE = "microsoft.authorization/denyassignments"


class Subscription(Resource[shapes.Subscription]):
    """A subscription."""

    __slots__ = ()
    TYPE = "microsoft.resources/subscriptions"


class ResourceGroup(Resource[shapes.Empty]):
    """A resource group."""

    __slots__ = ()
    TYPE = "microsoft.resources/subscriptions/resourcegroups"


AnyResource = Resource[Any]

KINDS: tuple[type[AnyResource], ...] = (
    Cluster, Subnet, Peering, VirtualNetwork, SecurityRule, SecurityGroup, Route, RouteTable, NatGateway,
    LoadBalancer, PublicIpAddress, PublicIpPrefix, NetworkInterface, PrivateEndpoint, PrivateDnsZoneGroup,
    PrivateDnsZone, VirtualNetworkLink, DnsARecord, NetworkInterfaceProfile, ApplicationSecurityGroup,
    AzureFirewall, VirtualNetworkGateway, EffectiveAdminRules, ServiceTags, ContainerGroup, Registry, Replication,
    StorageAccount, Vault, Workspace, Compute, OnlineEndpoint, Extension, UserAssignedIdentity, RoleAssignment,
    EligibleAssignment, ActiveAssignment, RoleDefinition, DenyAssignment, Subscription, ResourceGroup,
)  # fmt: skip
"""The record of each type. Agent pools have none of their own: they belong to their cluster."""

BY_TYPE: dict[str, type[AnyResource]] = {kind.TYPE: kind for kind in KINDS}


def key_of(resource_id: str) -> str:
    """The folded id under which a record is found."""
    return fold(resource_id)
