"""Next hops of an inference subnet, and whether what leaves by `Internet` has a source address to leave with."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import replace

from auditor.derive.endpoints import connected_peerings, private_addresses
from auditor.derive.footprint import InferenceSubnet
from auditor.derive.peers import peers
from auditor.derive.tags import regional_tag, tag_data
from auditor.derive.traffic import (
    address_set,
    gateway_in,
    learns_routes,
    network_of,
    subnet_addresses,
    table_of,
    table_value,
)
from auditor.inventory import Inventory
from auditor.inventory.records import (
    AzureFirewall,
    Cluster,
    NatGateway,
    PrivateEndpoint,
    RouteTable,
    Subnet,
    VirtualNetwork,
    id_of,
    ids,
    key_of,
)
from auditor.network import AddressSet, End, Family, Leg, Network, Tag, next_hops, reachable
from auditor.network import PrivateEndpoint as EndpointRoute
from auditor.values import Unread, region_key

_SERVICE_TAGS = {
    "microsoft.storage": "Storage",
    "microsoft.containerregistry": "AzureContainerRegistry",
    "microsoft.keyvault": "AzureKeyVault",
    "microsoft.azureactivedirectory": "AzureActiveDirectory",
}
_ROUTE_POLICIES = ("enabled", "routetableenabled")


def routing_network(inventory: Inventory, subnet: Subnet) -> Network | Unread:
    """What the subnet's system routes come from; Unread where its virtual network is."""
    return inventory.remember(("routing", subnet.key), lambda: _routing(inventory, subnet))


def _routing(inventory: Inventory, subnet: Subnet) -> Network | Unread:
    network = network_of(inventory, subnet)
    if isinstance(network, Unread):
        return network
    space = address_set(network.prefixes, network.id)
    if isinstance(space, Unread):
        return space
    return Network(
        cloud=inventory.cloud,
        space=space,
        peers=tuple(_peers(inventory, network, subnet)),
        service_endpoints=tuple(_service_endpoints(inventory, subnet)),
        private_endpoints=tuple(_private_endpoints(inventory, network, subnet)),
        learned=learns_routes(inventory, subnet, network),
        tags=tag_data(inventory),
    )


def _peers(inventory: Inventory, network: VirtualNetwork, subnet: Subnet) -> Iterable[tuple[str, AddressSet | Unread]]:
    for peer in peers(inventory, network, subnet):
        spaces = peer.prefixes
        yield peer.id, spaces if isinstance(spaces, Unread) else address_set(spaces, peer.id)


def _service_endpoints(inventory: Inventory, subnet: Subnet) -> Iterable[tuple[str, AddressSet | Tag]]:
    location = region_key(subnet.location or "")
    for service in subnet.service_endpoints:
        if service == "microsoft.storage.global":  # the form across regions
            yield service, Tag("Storage")
        tag = _SERVICE_TAGS.get(service)
        if tag is not None:
            yield service, Tag(regional_tag(inventory, tag, location) if location else tag)


def _private_endpoints(inventory: Inventory, network: VirtualNetwork, own: Subnet) -> Iterable[EndpointRoute]:
    near = list(peers(inventory, network, own))
    connected = [peer for peer in near if peer.peering.connected]
    homes = {network.key} | {key_of(peer.id) for peer in connected if peer.subnets is None}
    taking = {
        each.key for peer in near if peer.subnets and not isinstance(peer.subnets, Unread) for each in peer.subnets
    }
    for endpoint in inventory.every(PrivateEndpoint):
        home = key_of((endpoint.subnet_id or "").casefold().rsplit("/subnets/", 1)[0])
        addresses = private_addresses(inventory, endpoint)
        if not addresses or (home not in homes and key_of(endpoint.subnet_id or "") not in taking):
            continue
        subnet = inventory.find(Subnet, endpoint.subnet_id)
        policies = isinstance(subnet, Subnet) and (
            (subnet.body.private_endpoint_network_policies or "").casefold() in _ROUTE_POLICIES
        )
        yield EndpointRoute(id=endpoint.id, addresses=addresses, policies=policies)


def hops_of(inventory: Inventory, subnet: Subnet, destination: End) -> tuple[Leg, ...] | Unread:
    """The next hops of a destination from a subnet, as disjoint legs; Unread where the network is.

    Only addresses of the subnet's own families count: a tag's IPv6 prefixes are nothing to a subnet without IPv6.
    """
    network = routing_network(inventory, subnet)
    if isinstance(network, Unread):
        return network
    table = table_of(inventory, subnet)
    legs = next_hops(destination, table_value(inventory, table) if isinstance(table, RouteTable) else table, network)
    own = subnet_addresses(subnet)
    families: tuple[Family, ...] = (4,) if isinstance(own, Unread) else own.families
    within = AddressSet.union(AddressSet.any().family(family) for family in families)
    return tuple(replace(leg, destinations=leg.destinations & within) for leg in legs if leg.destinations & within)


MANAGED_NAT = ("managednatgateway", "managednatgatewayv2")


class Egress(enum.StrEnum):
    """By what packets that leave by the hop `Internet` get a public source address; the best first."""

    NAT_GATEWAY = "nat-gateway"
    LOAD_BALANCER = "load-balancer"
    MANAGED_NAT = "managed-nat-gateway"
    NODE_ADDRESS = "node-public-address"
    IMPLICIT = "default-outbound-access"
    NOTHING = "nothing"


def egress_of(inventory: Inventory, where: InferenceSubnet, subnet: Subnet) -> Egress | Unread:
    """What gives the subnet's packets a public source address: the least of what its clusters and groups have.

    AKS brings its own under the outbound types loadBalancer, managedNATGateway and managedNATGatewayV2, and where all
    pools give their nodes public addresses; container groups have none but a NAT gateway on the subnet or, where not
    switched off, default outbound access.
    """
    if subnet.nat_gateway_id:
        gateway = inventory.find(NatGateway, subnet.nat_gateway_id)
        if isinstance(gateway, Unread):
            return gateway
        if ids(gateway.body.public_ip_addresses) or ids(gateway.body.public_ip_prefixes):
            return Egress.NAT_GATEWAY
    found = {_own_egress(cluster, subnet) for cluster in where.clusters}
    if where.groups or not where.clusters:
        found.add(Egress.NOTHING if subnet.body.default_outbound_access is False else Egress.IMPLICIT)
    return max(found, key=list(Egress).index)


def _own_egress(cluster: Cluster, subnet: Subnet) -> Egress:
    """What AKS itself gives the nodes that a cluster has in a subnet."""
    if cluster.outbound_type == "loadbalancer":
        return Egress.LOAD_BALANCER
    if cluster.outbound_type in MANAGED_NAT:
        return Egress.MANAGED_NAT
    here = [pool for pool in cluster.pools if key_of(pool.vnet_subnet_id or "") == subnet.key]
    return Egress.NODE_ADDRESS if here and all(pool.enable_node_public_ip for pool in here) else Egress.NOTHING


def firewalls_at(inventory: Inventory, address: str) -> tuple[AzureFirewall, ...]:
    """The Azure Firewalls that were read and have this private address."""
    return tuple(
        firewall
        for firewall in inventory.every(AzureFirewall)
        for configuration in firewall.body.ip_configurations or ()
        if configuration.properties and configuration.properties.private_ip_address == address
    )


class Appliance(enum.StrEnum):
    """What is known of the address that a route names as its appliance."""

    FIREWALL = "firewall"  # an Azure Firewall that was read has it
    UNVERIFIED = "unverified"  # it lies in the network or a peer; what answers there was not read
    GONE = "gone"  # it lies in a firewall's subnet in which no firewall has it
    UNREACHABLE = "unreachable"  # it lies in no prefix of the network or its peers


def appliance_at(inventory: Inventory, subnet: Subnet, address: str | None) -> Appliance | Unread:
    """What is known of an appliance's address, seen from a subnet; Unread where its reach is."""
    network = routing_network(inventory, subnet)
    if isinstance(network, Unread):
        return network
    reached = reachable(address, network)
    if isinstance(reached, Unread):
        return reached
    if not reached:
        return Appliance.UNREACHABLE
    if firewalls_at(inventory, address or ""):
        return Appliance.FIREWALL
    home = _home_of(inventory, subnet, address or "")
    only_firewalls = home is not None and home.name.casefold() == "azurefirewallsubnet"
    # The firewall may lie in any resource group of the subscription: only that one read as a whole proves it gone.
    around = (f"/subscriptions/{home.subscription_id}",) if home is not None else ()
    if only_firewalls and inventory.listing(AzureFirewall, around).whole:
        return Appliance.GONE
    return Appliance.UNVERIFIED


def _home_of(inventory: Inventory, subnet: Subnet, address: str) -> Subnet | None:
    """The subnet, of the network or a peer, that was read and holds an address."""
    own = network_of(inventory, subnet)
    if isinstance(own, Unread):
        return None
    networks = [own, *(inventory.find(VirtualNetwork, p.remote_id) for p in connected_peerings(own))]
    for network in networks:
        for each in network.subnets if isinstance(network, VirtualNetwork) else ():
            held = address_set(each.prefixes, each.id)
            if isinstance(held, AddressSet) and address in held:
                return each
    return None


def firewall_near(inventory: Inventory, subnet: Subnet) -> str | None:
    """The private address of the one Azure Firewall in the network and its peers; None where there is not just one."""
    network = network_of(inventory, subnet)
    if isinstance(network, Unread):
        return None
    homes = {network.key, *(key_of(p.remote_id) for p in connected_peerings(network) if p.remote_id)}
    found = {
        configuration.properties.private_ip_address
        for firewall in inventory.every(AzureFirewall)
        for configuration in firewall.body.ip_configurations or ()
        if configuration.properties
        and configuration.properties.private_ip_address
        and key_of((id_of(configuration.properties.subnet) or "").casefold().rsplit("/subnets/", 1)[0]) in homes
    }
    return found.pop() if len(found) == 1 else None


def gateway_serves(inventory: Inventory, network: VirtualNetwork) -> bool:
    """Whether a VPN or ExpressRoute gateway is there for a network: in it, or in a peer whose gateways it uses."""
    remote = any(peering.body.use_remote_gateways for peering in connected_peerings(network))
    return remote or gateway_in(inventory, network)
