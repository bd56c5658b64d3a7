"""Next hops of an inference subnet, and whether what leaves by `Internet` has a source address to leave with."""

from __future__ import annotations

import enum
from collections.abc import Iterable

from auditor.derive.endpoints import connected_peerings, private_addresses
from auditor.derive.footprint import InferenceSubnet
from auditor.derive.tags import regional_tag, tag_data
from auditor.derive.traffic import address_set, learns_routes, network_of, table_of
from auditor.inventory import Inventory
from auditor.inventory.records import (
    AzureFirewall,
    NatGateway,
    PrivateEndpoint,
    RouteTable,
    Subnet,
    VirtualNetwork,
    ids,
    key_of,
)
from auditor.network import AddressSet, End, Leg, Network, Tag, next_hops
from auditor.network import PrivateEndpoint as EndpointRoute
from auditor.network import Route as RouteValue
from auditor.network import RouteTable as TableValue
from auditor.values import Unread, region_key

_SERVICE_TAGS = {
    "microsoft.storage": "Storage",
    "microsoft.containerregistry": "AzureContainerRegistry",
    "microsoft.keyvault": "AzureKeyVault",
    "microsoft.azureactivedirectory": "AzureActiveDirectory",
}
_ROUTE_POLICIES = ("enabled", "routetableenabled")


def table_value(inventory: Inventory, table: RouteTable) -> TableValue:
    """A route table as the semantics take it."""

    def compute() -> TableValue:
        routes = tuple(
            RouteValue(
                name=route.name,
                id=route.id,
                prefix=route.body.address_prefix or "",
                next_hop_type=route.body.next_hop_type or "",
                next_hop_ip=route.body.next_hop_ip_address or None,
            )
            for route in table.routes
        )
        learns = not table.body.disable_bgp_route_propagation
        return TableValue(id=table.id, name=table.name, routes=routes, learns=learns)

    return inventory.remember(("table", table.key), compute)


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
        peers=tuple(_peers(inventory, network)),
        service_endpoints=tuple(_service_endpoints(inventory, subnet)),
        private_endpoints=tuple(_private_endpoints(inventory, network)),
        learned=learns_routes(inventory, subnet, network),
        tags=tag_data(inventory),
    )


def _peers(inventory: Inventory, network: VirtualNetwork) -> Iterable[tuple[str, AddressSet | Unread]]:
    for peering in connected_peerings(network):
        peer = inventory.find(VirtualNetwork, peering.remote_id)
        if isinstance(peer, VirtualNetwork):
            yield peer.id, address_set(peer.prefixes, peer.id)
        elif peering.remote_prefixes:
            yield peering.remote_id or peering.id, address_set(peering.remote_prefixes, peering.id)
        else:
            yield peering.remote_id or peering.id, peer


def _service_endpoints(inventory: Inventory, subnet: Subnet) -> Iterable[tuple[str, AddressSet | Tag]]:
    location = region_key(subnet.location or "")
    for service in subnet.service_endpoints:
        tag = _SERVICE_TAGS.get(service)
        if tag is not None:
            yield service, Tag(regional_tag(inventory, tag, location) if location else tag)


def _private_endpoints(inventory: Inventory, network: VirtualNetwork) -> Iterable[EndpointRoute]:
    homes = {network.key} | {key_of(p.remote_id) for p in connected_peerings(network) if p.remote_id}
    for endpoint in inventory.every(PrivateEndpoint):
        home = key_of((endpoint.subnet_id or "").casefold().rsplit("/subnets/", 1)[0])
        addresses = private_addresses(inventory, endpoint)
        if home not in homes or not addresses:
            continue
        subnet = inventory.find(Subnet, endpoint.subnet_id)
        policies = isinstance(subnet, Subnet) and (
            (subnet.body.private_endpoint_network_policies or "").casefold() in _ROUTE_POLICIES
        )
        yield EndpointRoute(id=endpoint.id, addresses=addresses, policies=policies)


def hops_of(inventory: Inventory, subnet: Subnet, destination: End) -> tuple[Leg, ...] | Unread:
    """The next hops of a destination from a subnet, as disjoint legs; Unread where the network is."""
    network = routing_network(inventory, subnet)
    if isinstance(network, Unread):
        return network
    table = table_of(inventory, subnet)
    return next_hops(destination, table_value(inventory, table) if isinstance(table, RouteTable) else table, network)


class Egress(enum.StrEnum):
    """By what packets that leave by the hop `Internet` get a public source address."""

    NAT_GATEWAY = "nat-gateway"
    LOAD_BALANCER = "load-balancer"
    MANAGED_NAT = "managed-nat-gateway"
    IMPLICIT = "default-outbound-access"
    NOTHING = "nothing"


def egress_of(inventory: Inventory, where: InferenceSubnet, subnet: Subnet) -> Egress | Unread:
    """What gives the subnet's packets a public source address.

    AKS brings its own under the outbound types loadBalancer, managedNATGateway and managedNATGatewayV2; container
    groups have none but a NAT gateway on the subnet or, where not switched off, default outbound access.
    """
    if subnet.nat_gateway_id:
        gateway = inventory.find(NatGateway, subnet.nat_gateway_id)
        if isinstance(gateway, Unread):
            return gateway
        if ids(gateway.body.public_ip_addresses) or ids(gateway.body.public_ip_prefixes):
            return Egress.NAT_GATEWAY
    kinds = {cluster.outbound_type for cluster in where.clusters}
    if "loadbalancer" in kinds:
        return Egress.LOAD_BALANCER
    if kinds & {"managednatgateway", "managednatgatewayv2"}:
        return Egress.MANAGED_NAT
    if where.groups and not where.clusters and subnet.body.default_outbound_access is not False:
        return Egress.IMPLICIT
    return Egress.NOTHING


def firewalls_at(inventory: Inventory, address: str) -> tuple[AzureFirewall, ...]:
    """The Azure Firewalls that were read and have this private address."""
    return tuple(
        firewall
        for firewall in inventory.every(AzureFirewall)
        for configuration in firewall.body.ip_configurations or ()
        if configuration.properties and configuration.properties.private_ip_address == address
    )
