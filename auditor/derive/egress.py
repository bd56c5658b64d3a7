"""Public source addresses of a cluster's packets for one destination: what the other side's firewall sees."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from auditor.derive.footprint import SubnetRole, footprint
from auditor.derive.hops import MANAGED_NAT, firewalls_at, hops_of
from auditor.inventory import Inventory
from auditor.inventory.records import (
    Cluster,
    NatGateway,
    PublicIpAddress,
    PublicIpPrefix,
    Subnet,
    id_of,
    ids,
)
from auditor.network import AddressSet, End, Hop, Leg
from auditor.values import Evidence, Unread


@dataclass(frozen=True, slots=True)
class EgressAddress:
    """One public address or prefix that packets leave with, and the resource that has it."""

    text: str
    addresses: AddressSet
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class EgressAddresses:
    """All of them, the subnets whose packets go by a service endpoint instead, and why there may be more."""

    found: tuple[EgressAddress, ...]
    by_service_endpoint: tuple[Subnet, ...]
    missing: Unread | None


def egress_addresses(inventory: Inventory, cluster: Cluster, destination: End) -> EgressAddresses:
    """With which public addresses nodes and pods of a cluster reach a destination, by the next hops from there."""
    used = footprint(inventory, cluster)
    if isinstance(used, Unread):
        return EgressAddresses((), (), used)
    pieces: list[EgressAddress | Subnet | Unread] = []
    if any(pool.enable_node_public_ip for pool in cluster.pools):
        why = "its nodes have public addresses of their own, which come and go with them"
        pieces.append(Unread(cluster.id, why, "use pools without public addresses, or a NAT gateway", "egress"))
    uses = used.in_roles(SubnetRole.NODE, SubnetRole.POD)
    for use in uses:
        pieces += _of_subnet(inventory, cluster, use.subnet, destination)
    if not uses:
        pieces += _own_means(inventory, cluster)
    if used.incomplete is not None:
        pieces.append(used.incomplete)
    found = {piece.text: piece for piece in pieces if isinstance(piece, EgressAddress)}
    return EgressAddresses(
        tuple(found[text] for text in sorted(found)),
        tuple(piece for piece in pieces if isinstance(piece, Subnet)),
        next((piece for piece in pieces if isinstance(piece, Unread)), None),
    )


def _of_subnet(
    inventory: Inventory, cluster: Cluster, subnet: Subnet | Unread, destination: End
) -> Iterator[EgressAddress | Subnet | Unread]:
    if isinstance(subnet, Unread):
        yield subnet
        return
    legs = hops_of(inventory, subnet, destination)
    if isinstance(legs, Unread):
        yield legs
        return
    for leg in legs:
        match leg.hop:
            case Hop.INTERNET:
                yield from _by_internet(inventory, cluster, subnet)
            case Hop.APPLIANCE:
                yield from _by_appliance(inventory, subnet, leg)
            case Hop.SERVICE_ENDPOINT:
                yield subnet
            case Hop.GATEWAY:
                yield Unread(subnet.id, "its packets leave by a gateway, behind which nothing was read", "", "egress")
            case Hop.UNDECIDED:
                why = ", ".join(str(atom) for atom in leg.atoms)
                yield Unread(subnet.id, f"the next hop hangs on {why}", "make readable what is named", "egress")
            case _:
                continue


def _by_internet(inventory: Inventory, cluster: Cluster, subnet: Subnet) -> Iterator[EgressAddress | Unread]:
    if not subnet.nat_gateway_id:
        yield from _own_means(inventory, cluster)
        return
    gateway = inventory.find(NatGateway, subnet.nat_gateway_id)
    if isinstance(gateway, Unread):
        yield gateway
        return
    yield from _public(inventory, ids(gateway.body.public_ip_addresses))
    yield from _public(inventory, ids(gateway.body.public_ip_prefixes))


def _own_means(inventory: Inventory, cluster: Cluster) -> Iterator[EgressAddress | Unread]:
    """What AKS set up by the outbound type."""
    network = cluster.network
    if network is None:
        yield Unread(cluster.id, "networkProfile is not in the cluster's data", "collect again", "egress")
        return
    balancer, gateway = network.load_balancer_profile, network.nat_gateway_profile
    if cluster.outbound_type == "loadbalancer":
        named = ids(balancer.effective_outbound_ips) if balancer else ()
    elif cluster.outbound_type in MANAGED_NAT:
        named = ids(gateway.effective_outbound_ips) if gateway else ()
    else:
        return
    if not named:
        yield Unread(cluster.id, "effectiveOutboundIPs is not in the cluster's data", "collect again", "egress")
    yield from _public(inventory, named)


def _by_appliance(inventory: Inventory, subnet: Subnet, leg: Leg) -> Iterator[EgressAddress | Unread]:
    firewalls = firewalls_at(inventory, leg.next_hop_ip or "")
    named = [
        address_id
        for firewall in firewalls
        for configuration in firewall.body.ip_configurations or ()
        if configuration.properties and (address_id := id_of(configuration.properties.public_ip_address))
    ]
    if not named:
        yield Unread(
            subnet.id,
            f"its packets leave by {leg.next_hop_ip}, whose public addresses were not read",
            "grant Reader on the appliance's resource group, if it is an Azure Firewall",
            "egress",
        )
    yield from _public(inventory, named)


def _public(inventory: Inventory, named: Iterable[str]) -> Iterator[EgressAddress | Unread]:
    for address_id in named:
        record: PublicIpAddress | PublicIpPrefix | Unread
        if "/publicipprefixes/" in address_id.casefold():
            record = inventory.find(PublicIpPrefix, address_id)
            text, path = (record.body.ip_prefix if isinstance(record, PublicIpPrefix) else None), "properties.ipPrefix"
        else:
            record = inventory.find(PublicIpAddress, address_id)
            text = record.body.ip_address if isinstance(record, PublicIpAddress) else None
            path = "properties.ipAddress"
        if isinstance(record, Unread):
            yield record
            continue
        try:
            yield EgressAddress(text or "", AddressSet.parse(text or ""), record.show(path, text))
        except ValueError:
            yield Unread(address_id, f"it has no address yet ({text or 'none'})", "collect again", "egress")
