"""ARM bodies as far as a check reads them: one Struct a type, property names as ARM spells them.

These Structs are at once the decoder, the declaration of what is read, and the allow-list of what `collect` may keep:
a property that stands here has been reviewed, everything else (connection strings, environment variables, keys,
protected settings) never enters an inventory, a snapshot, the history or a report. `null`, missing, `""`, `[]` and
`{}` all mean "not set". A value of another type than stated here makes the whole resource unread: see
`auditor.inventory.build`.

Source: Azure's REST API type definitions, newest stable versions of August 2026, and older spellings that bodies
still carry.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import field


class Shape(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """Base of all bodies: camelCase on the wire, unknown properties passed over."""


class Ref(Shape, frozen=True):
    """An embedded reference, `{"id": …}`."""

    id: str | None = None


# ---------------------------------------------------------------- identity


class AssignedIdentity(Shape, frozen=True):
    """A user-assigned identity as a resource carries it."""

    principal_id: str | None = None
    client_id: str | None = None


class Identity(Shape, frozen=True):
    """A resource's `identity`."""

    type: str | None = None
    principal_id: str | None = None
    tenant_id: str | None = None
    user_assigned_identities: dict[str, AssignedIdentity | None] | None = None


class UserAssignedIdentity(Shape, frozen=True):
    """`microsoft.managedidentity/userassignedidentities`."""

    principal_id: str | None = None
    client_id: str | None = None


# ---------------------------------------------------------------- AKS


class UpgradeSettings(Shape, frozen=True):
    max_surge: str | int | None = None
    max_unavailable: str | int | None = None


class PowerState(Shape, frozen=True):
    code: str | None = None


class PoolNetworkProfile(Shape, frozen=True):
    application_security_groups: list[str] | None = None


class AgentPool(Shape, frozen=True):
    """`agentPoolProfiles[]` (there with `name`), and the properties of a stand-alone agent pool."""

    name: str | None = None
    count: int | None = None
    min_count: int | None = None
    max_count: int | None = None
    enable_auto_scaling: bool | None = None
    max_pods: int | None = None
    mode: str | None = None
    os_type: str | None = None
    type: str | None = None
    orchestrator_version: str | None = None
    current_orchestrator_version: str | None = None
    vnet_subnet_id: str | None = field(default=None, name="vnetSubnetID")
    pod_subnet_id: str | None = field(default=None, name="podSubnetID")
    pod_ip_allocation_mode: str | None = field(default=None, name="podIPAllocationMode")
    enable_node_public_ip: bool | None = field(default=None, name="enableNodePublicIP")
    availability_zones: list[str] | None = None
    upgrade_settings: UpgradeSettings | None = None
    scale_down_mode: str | None = None
    power_state: PowerState | None = None
    network_profile: PoolNetworkProfile | None = None


class LoadBalancerProfile(Shape, frozen=True):
    effective_outbound_ips: list[Ref] | None = field(default=None, name="effectiveOutboundIPs")


class NatGatewayProfile(Shape, frozen=True):
    effective_outbound_ips: list[Ref] | None = field(default=None, name="effectiveOutboundIPs")


class NetworkProfile(Shape, frozen=True):
    network_plugin: str | None = None
    network_plugin_mode: str | None = None
    network_policy: str | None = None
    network_dataplane: str | None = None
    service_cidr: str | None = None
    service_cidrs: list[str] | None = None
    pod_cidr: str | None = None
    pod_cidrs: list[str] | None = None
    dns_service_ip: str | None = field(default=None, name="dnsServiceIP")
    docker_bridge_cidr: str | None = None
    ip_families: list[str] | None = None
    outbound_type: str | None = None
    load_balancer_sku: str | None = None
    load_balancer_profile: LoadBalancerProfile | None = None
    nat_gateway_profile: NatGatewayProfile | None = None


class ApiServerAccessProfile(Shape, frozen=True):
    enable_private_cluster: bool | None = None
    enable_private_cluster_public_fqdn: bool | None = field(default=None, name="enablePrivateClusterPublicFQDN")
    private_dns_zone: str | None = field(default=None, name="privateDNSZone")
    authorized_ip_ranges: list[str] | None = field(default=None, name="authorizedIPRanges")
    enable_vnet_integration: bool | None = None
    subnet_id: str | None = None
    disable_run_command: bool | None = None


class ServicePrincipalProfile(Shape, frozen=True):
    client_id: str | None = None


class IdentityProfileEntry(Shape, frozen=True):
    resource_id: str | None = None
    client_id: str | None = None
    object_id: str | None = None


class NodeProvisioningProfile(Shape, frozen=True):
    mode: str | None = None


class BootstrapProfile(Shape, frozen=True):
    artifact_source: str | None = None
    container_registry_id: str | None = None


class HostedSystemProfile(Shape, frozen=True):
    enabled: bool | None = None
    system_node_subnet_id: str | None = field(default=None, name="systemNodeSubnetID")
    node_subnet_id: str | None = field(default=None, name="nodeSubnetID")


class AddonConfig(Shape, frozen=True):
    """Of an add-on's free-form `config` only the Application Gateway's subnet and the ACI connector's are kept."""

    subnet_id: str | None = None
    subnet_name: str | None = field(default=None, name="SubnetName")


class Addon(Shape, frozen=True):
    enabled: bool | None = None
    config: AddonConfig | None = None


class PrivateLinkResource(Shape, frozen=True):
    id: str | None = None
    group_id: str | None = None


class ManagedCluster(Shape, frozen=True):
    """`microsoft.containerservice/managedclusters`."""

    provisioning_state: str | None = None
    power_state: PowerState | None = None
    kubernetes_version: str | None = None
    current_kubernetes_version: str | None = None
    fqdn: str | None = None
    private_fqdn: str | None = field(default=None, name="privateFQDN")
    dns_prefix: str | None = None
    node_resource_group: str | None = None
    disable_local_accounts: bool | None = None
    agent_pool_profiles: list[AgentPool] | None = None
    network_profile: NetworkProfile | None = None
    api_server_access_profile: ApiServerAccessProfile | None = None
    service_principal_profile: ServicePrincipalProfile | None = None
    identity_profile: dict[str, IdentityProfileEntry | None] | None = None
    node_provisioning_profile: NodeProvisioningProfile | None = None
    bootstrap_profile: BootstrapProfile | None = None
    hosted_system_profile: HostedSystemProfile | None = None
    addon_profiles: dict[str, Addon | None] | None = None
    private_link_resources: list[PrivateLinkResource] | None = None


# ---------------------------------------------------------------- network


class AddressSpace(Shape, frozen=True):
    address_prefixes: list[str] | None = None


class DelegationProperties(Shape, frozen=True):
    service_name: str | None = None
    actions: list[str] | None = None
    provisioning_state: str | None = None


class Delegation(Shape, frozen=True):
    name: str | None = None
    properties: DelegationProperties | None = None


class ServiceEndpoint(Shape, frozen=True):
    service: str | None = None
    locations: list[str] | None = None
    provisioning_state: str | None = None


class LinkProperties(Shape, frozen=True):
    linked_resource_type: str | None = None
    link: str | None = None


class AssociationLink(Shape, frozen=True):
    id: str | None = None
    name: str | None = None
    properties: LinkProperties | None = None


class SubnetBody(Shape, frozen=True):
    """`microsoft.network/virtualnetworks/subnets`."""

    address_prefix: str | None = None
    address_prefixes: list[str] | None = None
    network_security_group: Ref | None = None
    route_table: Ref | None = None
    nat_gateway: Ref | None = None
    delegations: list[Delegation] | None = None
    service_endpoints: list[ServiceEndpoint] | None = None
    private_endpoints: list[Ref] | None = None
    ip_configurations: list[Ref] | None = None
    service_association_links: list[AssociationLink] | None = None
    private_endpoint_network_policies: str | None = None
    default_outbound_access: bool | None = None


class Child(Shape, frozen=True):
    """A child resource inside its parent's body: its properties stay raw until its own decoder wants them."""

    id: str | None = None
    name: str | None = None
    properties: msgspec.Raw = msgspec.Raw(b"null")


class DhcpOptions(Shape, frozen=True):
    dns_servers: list[str] | None = None


class VirtualNetwork(Shape, frozen=True):
    """`microsoft.network/virtualnetworks`."""

    address_space: AddressSpace | None = None
    dhcp_options: DhcpOptions | None = None
    subnets: list[Child] | None = None
    virtual_network_peerings: list[Child] | None = None


class Peering(Shape, frozen=True):
    """`microsoft.network/virtualnetworks/virtualnetworkpeerings`."""

    peering_state: str | None = None
    remote_virtual_network: Ref | None = None
    remote_address_space: AddressSpace | None = None
    remote_virtual_network_address_space: AddressSpace | None = None
    allow_gateway_transit: bool | None = None
    use_remote_gateways: bool | None = None
    allow_virtual_network_access: bool | None = None
    peer_complete_vnets: bool | None = None
    enable_only_ipv6_peering: bool | None = field(default=None, name="enableOnlyIPv6Peering")
    local_subnet_names: list[str] | None = None
    remote_subnet_names: list[str] | None = None


class Rule(Shape, frozen=True):
    """`microsoft.network/networksecuritygroups/securityrules`, default rules alike."""

    priority: int | None = None
    direction: str | None = None
    access: str | None = None
    protocol: str | int | None = None
    source_address_prefix: str | None = None
    source_address_prefixes: list[str] | None = None
    source_port_range: str | int | None = None
    source_port_ranges: list[str | int] | None = None
    source_application_security_groups: list[Ref] | None = None
    destination_address_prefix: str | None = None
    destination_address_prefixes: list[str] | None = None
    destination_port_range: str | int | None = None
    destination_port_ranges: list[str | int] | None = None
    destination_application_security_groups: list[Ref] | None = None


class NetworkSecurityGroup(Shape, frozen=True):
    """`microsoft.network/networksecuritygroups`."""

    security_rules: list[Child] | None = None
    default_security_rules: list[Child] | None = None
    subnets: list[Ref] | None = None
    network_interfaces: list[Ref] | None = None


class RouteBody(Shape, frozen=True):
    """`microsoft.network/routetables/routes`."""

    address_prefix: str | None = None
    next_hop_type: str | None = None
    next_hop_ip_address: str | None = None


class RouteTable(Shape, frozen=True):
    """`microsoft.network/routetables`."""

    routes: list[Child] | None = None
    disable_bgp_route_propagation: bool | None = None
    subnets: list[Ref] | None = None


class NatGateway(Shape, frozen=True):
    """`microsoft.network/natgateways`."""

    public_ip_addresses: list[Ref] | None = None
    public_ip_prefixes: list[Ref] | None = None
    subnets: list[Ref] | None = None


class FrontendProperties(Shape, frozen=True):
    private_ip_address: str | None = field(default=None, name="privateIPAddress")
    public_ip_address: Ref | None = field(default=None, name="publicIPAddress")
    public_ip_prefix: Ref | None = field(default=None, name="publicIPPrefix")
    subnet: Ref | None = None
    load_balancing_rules: list[Ref] | None = None
    inbound_nat_rules: list[Ref] | None = None
    inbound_nat_pools: list[Ref] | None = None
    outbound_rules: list[Ref] | None = None


class Frontend(Shape, frozen=True):
    id: str | None = None
    name: str | None = None
    properties: FrontendProperties | None = None


class LoadBalancingRuleProperties(Shape, frozen=True):
    frontend_ip_configuration: Ref | None = field(default=None, name="frontendIPConfiguration")
    probe: Ref | None = None
    protocol: str | None = None
    frontend_port: int | None = None
    backend_port: int | None = None
    enable_floating_ip: bool | None = field(default=None, name="enableFloatingIP")


class LoadBalancingRule(Shape, frozen=True):
    id: str | None = None
    name: str | None = None
    properties: LoadBalancingRuleProperties | None = None


class ProbeProperties(Shape, frozen=True):
    protocol: str | None = None
    port: int | None = None


class Probe(Shape, frozen=True):
    id: str | None = None
    name: str | None = None
    properties: ProbeProperties | None = None


class LoadBalancer(Shape, frozen=True):
    """`microsoft.network/loadbalancers`."""

    frontend_ip_configurations: list[Frontend] | None = field(default=None, name="frontendIPConfigurations")
    load_balancing_rules: list[LoadBalancingRule] | None = None
    inbound_nat_rules: list[LoadBalancingRule] | None = None
    outbound_rules: list[Ref] | None = None
    probes: list[Probe] | None = None


class PublicIpAddress(Shape, frozen=True):
    """`microsoft.network/publicipaddresses`."""

    ip_address: str | None = None
    public_ip_address_version: str | None = field(default=None, name="publicIPAddressVersion")
    ip_configuration: Ref | None = None


class PublicIpPrefix(Shape, frozen=True):
    """`microsoft.network/publicipprefixes`."""

    ip_prefix: str | None = None


class NicIpProperties(Shape, frozen=True):
    private_ip_address: str | None = field(default=None, name="privateIPAddress")
    subnet: Ref | None = None
    public_ip_address: Ref | None = field(default=None, name="publicIPAddress")
    application_security_groups: list[Ref] | None = None


class NicIpConfiguration(Shape, frozen=True):
    id: str | None = None
    name: str | None = None
    properties: NicIpProperties | None = None


class NetworkInterface(Shape, frozen=True):
    """`microsoft.network/networkinterfaces`."""

    ip_configurations: list[NicIpConfiguration] | None = None
    network_security_group: Ref | None = None
    virtual_machine: Ref | None = None


class LinkConnectionState(Shape, frozen=True):
    status: str | None = None


class LinkConnectionProperties(Shape, frozen=True):
    private_link_service_id: str | None = None
    group_ids: list[str] | None = None
    private_link_service_connection_state: LinkConnectionState | None = None


class LinkConnection(Shape, frozen=True):
    name: str | None = None
    properties: LinkConnectionProperties | None = None


class DnsConfig(Shape, frozen=True):
    fqdn: str | None = None
    ip_addresses: list[str] | None = None


class EndpointIpProperties(Shape, frozen=True):
    private_ip_address: str | None = field(default=None, name="privateIPAddress")
    group_id: str | None = None
    member_name: str | None = None


class EndpointIpConfiguration(Shape, frozen=True):
    name: str | None = None
    properties: EndpointIpProperties | None = None


class PrivateEndpoint(Shape, frozen=True):
    """`microsoft.network/privateendpoints`."""

    subnet: Ref | None = None
    private_link_service_connections: list[LinkConnection] | None = None
    manual_private_link_service_connections: list[LinkConnection] | None = None
    custom_dns_configs: list[DnsConfig] | None = None
    ip_configurations: list[EndpointIpConfiguration] | None = None
    network_interfaces: list[Ref] | None = None
    application_security_groups: list[Ref] | None = None


class ZoneConfigProperties(Shape, frozen=True):
    private_dns_zone_id: str | None = None


class ZoneConfig(Shape, frozen=True):
    name: str | None = None
    properties: ZoneConfigProperties | None = None


class PrivateDnsZoneGroup(Shape, frozen=True):
    """`microsoft.network/privateendpoints/privatednszonegroups`."""

    private_dns_zone_configs: list[ZoneConfig] | None = None


class PrivateDnsZone(Shape, frozen=True):
    """`microsoft.network/privatednszones`."""

    number_of_record_sets: int | None = None


class VirtualNetworkLink(Shape, frozen=True):
    """`microsoft.network/privatednszones/virtualnetworklinks`."""

    virtual_network: Ref | None = None
    resolution_policy: str | None = None
    registration_enabled: bool | None = None
    virtual_network_link_state: str | None = None


class ARecord(Shape, frozen=True):
    ipv4_address: str | None = None


class DnsARecord(Shape, frozen=True):
    """`microsoft.network/privatednszones/a`."""

    fqdn: str | None = None
    a_records: list[ARecord] | None = None
    ttl: int | None = None


class ProfileIpProperties(Shape, frozen=True):
    subnet: Ref | None = None


class ProfileIp(Shape, frozen=True):
    properties: ProfileIpProperties | None = None


class ProfileNicProperties(Shape, frozen=True):
    ip_configurations: list[ProfileIp] | None = None


class ProfileNic(Shape, frozen=True):
    properties: ProfileNicProperties | None = None


class NetworkInterfaceProfile(Shape, frozen=True):
    """`microsoft.network/networkprofiles`: how old container groups name their subnet."""

    container_network_interface_configurations: list[ProfileNic] | None = None


class FirewallIpProperties(Shape, frozen=True):
    private_ip_address: str | None = field(default=None, name="privateIPAddress")
    public_ip_address: Ref | None = field(default=None, name="publicIPAddress")
    subnet: Ref | None = None


class FirewallIp(Shape, frozen=True):
    properties: FirewallIpProperties | None = None


class AzureFirewall(Shape, frozen=True):
    """`microsoft.network/azurefirewalls`."""

    ip_configurations: list[FirewallIp] | None = None
    firewall_policy: Ref | None = None
    provisioning_state: str | None = None


class GatewayIpProperties(Shape, frozen=True):
    subnet: Ref | None = None


class GatewayIp(Shape, frozen=True):
    properties: GatewayIpProperties | None = None


class VirtualNetworkGateway(Shape, frozen=True):
    """`microsoft.network/virtualnetworkgateways`."""

    ip_configurations: list[GatewayIp] | None = None
    gateway_type: str | None = None
    enable_bgp: bool | None = None


class AddressItem(Shape, frozen=True):
    address_prefix: str | None = None
    address_prefix_type: str | None = None


class AdminRuleProperties(Shape, frozen=True):
    priority: int | None = None
    direction: str | None = None
    access: str | None = None
    protocol: str | int | None = None
    sources: list[AddressItem] | None = None
    source_port_ranges: list[str | int] | None = None
    destinations: list[AddressItem] | None = None
    destination_port_ranges: list[str | int] | None = None


class AdminRuleItem(Shape, frozen=True):
    id: str | None = None
    kind: str | None = None
    properties: AdminRuleProperties | None = None


class EffectiveAdminRules(Shape, frozen=True):
    """`microsoft.network/effectivesecurityadminrules`: what Virtual Network Manager imposes on a virtual network.

    Assumption: the row names the network in `virtualNetworkId` and holds the rules in `rules[]` (only the ARM action's
    answer is documented, not the table's row).
    """

    virtual_network_id: str | None = None
    rules: list[AdminRuleItem] | None = None


# ---------------------------------------------------------------- container instances


class ImageRegistryCredential(Shape, frozen=True):
    """Only who pulls from where; the password never enters."""

    server: str | None = None
    identity: str | None = None


class ContainerIpAddress(Shape, frozen=True):
    type: str | None = None
    ip: str | None = None
    dns_name_label: str | None = None


class ContainerGroup(Shape, frozen=True):
    """`microsoft.containerinstance/containergroups`."""

    subnet_ids: list[Ref] | None = None
    network_profile: Ref | None = None
    ip_address: ContainerIpAddress | None = None
    os_type: str | None = None
    provisioning_state: str | None = None
    image_registry_credentials: list[ImageRegistryCredential] | None = None


# ---------------------------------------------------------------- registry, storage, vault


class IpRule(Shape, frozen=True):
    action: str | None = None
    value: str | None = None


class VirtualNetworkRule(Shape, frozen=True):
    id: str | None = None
    action: str | None = None
    state: str | None = None


class RuleSet(Shape, frozen=True):
    """`networkRuleSet` of a registry, `networkAcls` of storage and vault."""

    default_action: str | None = None
    bypass: str | None = None
    ip_rules: list[IpRule] | None = None
    virtual_network_rules: list[VirtualNetworkRule] | None = None


class ConnectedEndpoint(Shape, frozen=True):
    id: str | None = None
    subnet_arm_id: str | None = None


class EndpointConnectionProperties(Shape, frozen=True):
    private_endpoint: ConnectedEndpoint | None = None
    private_link_service_connection_state: LinkConnectionState | None = None
    group_ids: list[str] | None = None


class EndpointConnection(Shape, frozen=True):
    id: str | None = None
    properties: EndpointConnectionProperties | None = None


class Registry(Shape, frozen=True):
    """`microsoft.containerregistry/registries`."""

    login_server: str | None = None
    public_network_access: str | None = None
    network_rule_set: RuleSet | None = None
    network_rule_bypass_options: str | None = None
    data_endpoint_enabled: bool | None = None
    admin_user_enabled: bool | None = None
    anonymous_pull_enabled: bool | None = None
    role_assignment_mode: str | None = None
    private_endpoint_connections: list[EndpointConnection] | None = None


class Replication(Shape, frozen=True):
    """`microsoft.containerregistry/registries/replications`; the region is the row's `location`."""

    provisioning_state: str | None = None
    region_endpoint_enabled: bool | None = None


class StorageAccount(Shape, frozen=True):
    """`microsoft.storage/storageaccounts`."""

    public_network_access: str | None = None
    network_acls: RuleSet | None = None
    private_endpoint_connections: list[EndpointConnection] | None = None


class Vault(Shape, frozen=True):
    """`microsoft.keyvault/vaults`."""

    public_network_access: str | None = None
    network_acls: RuleSet | None = None
    private_endpoint_connections: list[EndpointConnection] | None = None


# ---------------------------------------------------------------- Azure ML


class ManagedDestination(Shape, frozen=True):
    service_resource_id: str | None = None
    subresource_target: str | None = None


class ManagedOutboundRule(Shape, frozen=True):
    """A rule of a workspace's managed network; the destination of an FQDN rule is a mere name."""

    type: str | None = None
    status: str | None = None
    destination: str | ManagedDestination | None = None


class ManagedNetwork(Shape, frozen=True):
    isolation_mode: str | None = None
    outbound_rules: dict[str, ManagedOutboundRule | None] | None = None


class Workspace(Shape, frozen=True):
    """`microsoft.machinelearningservices/workspaces`."""

    storage_account: str | None = None
    key_vault: str | None = None
    container_registry: str | None = None
    public_network_access: str | None = None
    allow_public_access_when_behind_vnet: bool | None = None
    image_build_compute: str | None = None
    managed_network: ManagedNetwork | None = None
    private_endpoint_connections: list[EndpointConnection] | None = None
    hub_resource_id: str | None = None


class SystemService(Shape, frozen=True):
    system_service_type: str | None = None
    public_ip_address: str | None = None


class SslConfiguration(Shape, frozen=True):
    """Certificate and key never enter."""

    status: str | None = None
    cname: str | None = None


class AksNetworkingConfiguration(Shape, frozen=True):
    subnet_id: str | None = None


class ComputeSettings(Shape, frozen=True):
    """`properties.properties` of a compute: v1 AKS and v2 Kubernetes members side by side."""

    load_balancer_type: str | None = None
    load_balancer_subnet: str | None = None
    cluster_purpose: str | None = None
    cluster_fqdn: str | None = None
    system_services: list[SystemService] | None = None
    ssl_configuration: SslConfiguration | None = None
    aks_networking_configuration: AksNetworkingConfiguration | None = None
    extension_principal_id: str | None = None
    namespace: str | None = None


class ProvisioningErrorBody(Shape, frozen=True):
    code: str | None = None
    message: str | None = None


class ProvisioningError(Shape, frozen=True):
    error: ProvisioningErrorBody | None = None


class Compute(Shape, frozen=True):
    """`microsoft.machinelearningservices/workspaces/computes`."""

    compute_type: str | None = None
    resource_id: str | None = None
    provisioning_state: str | None = None
    provisioning_errors: list[ProvisioningError] | None = None
    properties: ComputeSettings | None = None


class OnlineEndpoint(Shape, frozen=True):
    """`microsoft.machinelearningservices/workspaces/onlineendpoints`."""

    scoring_uri: str | None = None
    compute: str | None = None
    public_network_access: str | None = None


class ExtensionStatus(Shape, frozen=True):
    code: str | None = None
    level: str | None = None
    message: str | None = None


class ExtensionSettings(Shape, frozen=True):
    """The settings of the Azure ML extension that a check reads; keys compare without case, values are strings."""

    enable_inference: str | bool | None = None
    enable_training: str | bool | None = None
    inference_router_service_type: str | None = None
    internal_load_balancer_provider: str | None = None
    allow_insecure_connections: str | bool | None = None
    ssl_cname: str | None = None
    ssl_secret: str | None = None


class Extension(Shape, frozen=True):
    """`microsoft.kubernetesconfiguration/extensions`."""

    extension_type: str | None = None
    provisioning_state: str | None = None
    version: str | None = None
    configuration_settings: ExtensionSettings | None = None
    statuses: list[ExtensionStatus] | None = None


# ---------------------------------------------------------------- authorization


class RoleAssignment(Shape, frozen=True):
    """`microsoft.authorization/roleassignments`, and the schedule instances of PIM."""

    role_definition_id: str | None = None
    principal_id: str | None = None
    principal_type: str | None = None
    scope: str | None = None
    condition: str | msgspec.UnsetType | None = msgspec.UNSET
    condition_version: str | None = None
    delegated_managed_identity_resource_id: str | None = None
    end_date_time: str | None = None
    member_type: str | None = None
    assignment_type: str | None = None
    status: str | None = None
    created_on: str | None = None


class PermissionBlock(Shape, frozen=True):
    actions: list[str] | None = None
    not_actions: list[str] | None = None
    data_actions: list[str] | None = None
    not_data_actions: list[str] | None = None
    condition: str | None = None


class RoleDefinition(Shape, frozen=True):
    """`microsoft.authorization/roledefinitions`."""

    role_name: str | None = None
    type: str | None = None
    permissions: list[PermissionBlock] | None = None
    assignable_scopes: list[str] | None = None


class DenyPrincipal(Shape, frozen=True):
    id: str | None = None
    type: str | None = None


class DenyAssignment(Shape, frozen=True):
    """`microsoft.authorization/denyassignments`."""

    deny_assignment_name: str | None = None
    permissions: list[PermissionBlock] | None = None
    scope: str | None = None
    do_not_apply_to_child_scopes: bool | None = None
    principals: list[DenyPrincipal] | None = None
    exclude_principals: list[DenyPrincipal] | None = None
    is_system_protected: bool | None = None
    condition: str | None = None
    deny_assignment_effect: str | None = None


# ---------------------------------------------------------------- containers of scopes


class AncestorGroup(Shape, frozen=True):
    name: str | None = None
    display_name: str | None = None


class Subscription(Shape, frozen=True):
    """`microsoft.resources/subscriptions`, as the table `resourcecontainers` gives it."""

    management_group_ancestors_chain: list[AncestorGroup] | None = None
    state: str | None = None


class ServiceTagProperties(Shape, frozen=True):
    region: str | None = None
    system_service: str | None = None
    address_prefixes: list[str] | None = None
    change_number: str | int | None = None


class ServiceTag(Shape, frozen=True):
    name: str | None = None
    id: str | None = None
    properties: ServiceTagProperties | None = None


class ServiceTags(Shape, frozen=True):
    """`microsoft.network/servicetags`: what the `serviceTags` list of a location returns.

    `takenAt` (RFC 3339) is ours: when the list was read, so that a scan of a snapshot can say how old it is.
    """

    cloud: str | None = None
    change_number: str | int | None = None
    values: list[ServiceTag] | None = None
    taken_at: str | None = None


class Empty(Shape, frozen=True):
    """A body of which nothing but its existence is read."""


BODIES: dict[str, type[Shape]] = {
    "microsoft.containerservice/managedclusters": ManagedCluster,
    "microsoft.containerservice/managedclusters/agentpools": AgentPool,
    "microsoft.network/virtualnetworks": VirtualNetwork,
    "microsoft.network/virtualnetworks/subnets": SubnetBody,
    "microsoft.network/virtualnetworks/virtualnetworkpeerings": Peering,
    "microsoft.network/networksecuritygroups": NetworkSecurityGroup,
    "microsoft.network/networksecuritygroups/securityrules": Rule,
    "microsoft.network/routetables": RouteTable,
    "microsoft.network/routetables/routes": RouteBody,
    "microsoft.network/natgateways": NatGateway,
    "microsoft.network/loadbalancers": LoadBalancer,
    "microsoft.network/publicipaddresses": PublicIpAddress,
    "microsoft.network/publicipprefixes": PublicIpPrefix,
    "microsoft.network/networkinterfaces": NetworkInterface,
    "microsoft.network/privateendpoints": PrivateEndpoint,
    "microsoft.network/privateendpoints/privatednszonegroups": PrivateDnsZoneGroup,
    "microsoft.network/privatednszones": PrivateDnsZone,
    "microsoft.network/privatednszones/virtualnetworklinks": VirtualNetworkLink,
    "microsoft.network/privatednszones/a": DnsARecord,
    "microsoft.network/networkprofiles": NetworkInterfaceProfile,
    "microsoft.network/applicationsecuritygroups": Empty,
    "microsoft.network/azurefirewalls": AzureFirewall,
    "microsoft.network/virtualnetworkgateways": VirtualNetworkGateway,
    "microsoft.network/effectivesecurityadminrules": EffectiveAdminRules,
    "microsoft.network/servicetags": ServiceTags,
    "microsoft.containerinstance/containergroups": ContainerGroup,
    "microsoft.containerregistry/registries": Registry,
    "microsoft.containerregistry/registries/replications": Replication,
    "microsoft.storage/storageaccounts": StorageAccount,
    "microsoft.keyvault/vaults": Vault,
    "microsoft.machinelearningservices/workspaces": Workspace,
    "microsoft.machinelearningservices/workspaces/computes": Compute,
    "microsoft.machinelearningservices/workspaces/onlineendpoints": OnlineEndpoint,
    "microsoft.kubernetesconfiguration/extensions": Extension,
    "microsoft.managedidentity/userassignedidentities": UserAssignedIdentity,
    "microsoft.authorization/roleassignments": RoleAssignment,
    "microsoft.authorization/roleeligibilityscheduleinstances": RoleAssignment,
    "microsoft.authorization/roleassignmentscheduleinstances": RoleAssignment,
    "microsoft.authorization/roledefinitions": RoleDefinition,
    "microsoft.authorization/denyassignments": DenyAssignment,
    "microsoft.resources/subscriptions": Subscription,
    "microsoft.resources/subscriptions/resourcegroups": Empty,
}
"""The body of each type that a scan reads; other types are counted and passed over."""

CHILDREN: dict[str, dict[str, str]] = {
    "microsoft.network/virtualnetworks": {
        "subnets": "microsoft.network/virtualnetworks/subnets",
        "virtualNetworkPeerings": "microsoft.network/virtualnetworks/virtualnetworkpeerings",
    },
    "microsoft.network/networksecuritygroups": {
        "securityRules": "microsoft.network/networksecuritygroups/securityrules",
        "defaultSecurityRules": "microsoft.network/networksecuritygroups/securityrules",
    },
    "microsoft.network/routetables": {"routes": "microsoft.network/routetables/routes"},
}
"""Which properties hold children whose own decoder is another type's."""


class Sku(Shape, frozen=True):
    name: str | None = None
    tier: str | None = None


class Envelope(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """What every ARM resource shares. `properties` stays raw until its type's decoder wants it."""

    id: str
    type: str = ""
    name: str | None = None
    location: str | None = None
    kind: str | None = None
    managed_by: str | None = None
    tags: dict[str, Any] | None = None
    sku: Sku | str | None = None
    identity: Identity | None = None
    properties: msgspec.Raw = msgspec.Raw(b"null")


class Principal(Shape, frozen=True):
    """`auditor/principal`: a service principal's object id and application id."""

    object_id: str | None = None
    app_id: str | None = None
    kind: str | None = None


class Membership(Shape, frozen=True):
    """`auditor/membership`: a transitive membership. A row without `groupId` says that all of a member's were read."""

    group_id: str | None = None
    member_id: str | None = None


class Permissions(Shape, frozen=True):
    """`auditor/permissions`: what the scanning identity may do at a scope."""

    scope: str | None = None
    permissions: list[PermissionBlock] | None = None


SPECIAL: dict[str, type[Shape]] = {
    "auditor/principal": Principal,
    "auditor/membership": Membership,
    "auditor/permissions": Permissions,
}
"""Rows that are not ARM resources; their fields lie at the top of the row."""
