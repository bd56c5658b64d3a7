"""Private paths (requirements 2.7): is there a private endpoint for a target that a network can use, and does the name
resolve to it? Endpoint and DNS are two facts, and which one is missing is said.
"""

from __future__ import annotations

import enum
from collections import defaultdict
from dataclasses import dataclass

from auditor.clouds import PROFILES
from auditor.inventory import Inventory
from auditor.inventory.records import (
    DnsARecord,
    NetworkInterface,
    Peering,
    PrivateDnsZone,
    PrivateDnsZoneGroup,
    PrivateEndpoint,
    VirtualNetwork,
    VirtualNetworkLink,
    id_of,
    ids,
    key_of,
)
from auditor.inventory.shapes import EndpointConnection
from auditor.network import AddressSet, platform_address
from auditor.values import Listing, Unread


class Reach(enum.StrEnum):
    """How a network stands to the private endpoints of a target."""

    USABLE = "usable"
    THROUGH_HUB = "through-hub"  # two peerings away: needs a router
    OTHER_NETWORK = "other-network"
    NOT_APPROVED = "not-approved"
    NONE = "none"


class Dns(enum.StrEnum):
    """Whether a network resolves a private endpoint's name privately."""

    PRIVATE = "private"
    NO_ZONE_LINK = "no-zone-link"
    NO_RECORD = "no-record"
    FALLS_BACK = "falls-back"  # no record, and the zone's link then asks public DNS
    CUSTOM = "custom-dns"


@dataclass(frozen=True, slots=True)
class PrivatePath:
    """The best endpoint of a target for a network. `missing` says what else may exist and was not read.

    `addresses` are the endpoint's private addresses as far as known; `dns` is None without a usable endpoint.
    """

    reach: Reach
    endpoint: PrivateEndpoint | None
    addresses: AddressSet
    dns: Dns | Unread | None
    zone: PrivateDnsZone | None
    missing: Unread | None


_GROUP_ZONES = {"registry": "registry_zone", "blob": "blob_zone", "vault": "vault_zone", "amlworkspace": "aml_api_zone"}


def zone_name(inventory: Inventory, group: str) -> str:
    """The private DNS zone of a group id in this cloud."""
    profile = PROFILES.get(inventory.cloud, PROFILES["public"])
    name: str = getattr(profile, _GROUP_ZONES[group]) if group in _GROUP_ZONES else ""
    if group == "file":
        name = profile.blob_zone.replace("privatelink.blob.", "privatelink.file.")
    return name


def private_path(
    inventory: Inventory,
    target_id: str,
    group: str,
    network: VirtualNetwork,
    connections: list[EndpointConnection] | None = None,
) -> PrivatePath:
    """How `network` reaches the target privately. `group` is `registry`, `blob`, `file`, `vault` or `amlworkspace`.

    `connections` are the target's own view (`privateEndpointConnections`), where it was read: both sides must approve.
    """
    key = ("private-path", key_of(target_id), group, network.key, connections is None)
    return inventory.remember(key, lambda: _best(inventory, target_id, group, network, connections))


def endpoints_of(inventory: Inventory, target_id: str) -> tuple[PrivateEndpoint, ...]:
    """The private endpoints that were read and name a target."""

    def index() -> dict[str, list[PrivateEndpoint]]:
        found: dict[str, list[PrivateEndpoint]] = defaultdict(list)
        for endpoint in inventory.every(PrivateEndpoint):
            for connection in endpoint.connections:
                if connection.private_link_service_id:
                    found[key_of(connection.private_link_service_id)].append(endpoint)
        return found

    return tuple(inventory.remember("endpoints-by-target", index).get(key_of(target_id), ()))


def endpoints_in(inventory: Inventory, subnet_key: str) -> tuple[PrivateEndpoint, ...]:
    """The private endpoints that were read and lie in a subnet (folded id)."""

    def index() -> dict[str, list[PrivateEndpoint]]:
        found: dict[str, list[PrivateEndpoint]] = defaultdict(list)
        for endpoint in inventory.every(PrivateEndpoint):
            if endpoint.subnet_id:
                found[key_of(endpoint.subnet_id)].append(endpoint)
        return found

    return tuple(inventory.remember("endpoints-by-subnet", index).get(subnet_key, ()))


_ORDER = (Reach.USABLE, Reach.THROUGH_HUB, Reach.OTHER_NETWORK, Reach.NOT_APPROVED, Reach.NONE)


def _best(
    inventory: Inventory,
    target_id: str,
    group: str,
    network: VirtualNetwork,
    connections: list[EndpointConnection] | None,
) -> PrivatePath:
    seen = endpoints_of(inventory, target_id)
    missing = _unseen(inventory, target_id, seen, connections)
    candidates = []
    for endpoint in seen:
        reach = _reach(inventory, endpoint, target_id, group, network, connections)
        if reach is not None:
            candidates.append((reach, endpoint))
    if not candidates:
        return PrivatePath(Reach.NONE, None, AddressSet.empty(), None, None, missing)
    near = [(reach, endpoint) for reach, endpoint in candidates if reach in (Reach.USABLE, Reach.THROUGH_HUB)]
    if not near:
        reach, endpoint = min(candidates, key=lambda item: (_ORDER.index(item[0]), item[1].key))
        if reach is Reach.OTHER_NETWORK:
            missing = missing or _unsure_peering(inventory, network)
        return PrivatePath(reach, endpoint, AddressSet.empty(), None, None, missing)
    paths = []
    for reach, endpoint in near:
        addresses = private_addresses(inventory, endpoint)
        dns, zone = _dns(inventory, endpoint, group, network, addresses)
        unseen = missing if reach is not Reach.USABLE else None
        paths.append((endpoint.key, PrivatePath(reach, endpoint, addresses, dns, zone, unseen)))
    # Of several endpoints (one in the hub, one in each spoke) the name resolves to one: that is the path.
    return min(paths, key=lambda item: (_preference(item[1]), item[0]))[1]


def _preference(path: PrivatePath) -> int:
    """Which of several endpoints within reach is the path: the lower."""
    if path.dns is Dns.PRIVATE:
        return 0 if path.reach is Reach.USABLE else 2
    open_ = isinstance(path.dns, Unread) or path.dns is Dns.CUSTOM
    return (1 if open_ else 3) if path.reach is Reach.USABLE else 4


def _unseen(
    inventory: Inventory,
    target_id: str,
    seen: tuple[PrivateEndpoint, ...],
    connections: list[EndpointConnection] | None,
) -> Unread | None:
    """An endpoint that the target names and the inventory lacks, or a gap in what was listed."""
    known = {endpoint.key for endpoint in seen}
    cut = _cut_short(inventory, seen)
    if cut is not None:
        return cut
    for connection in connections or ():
        endpoint = connection.properties.private_endpoint if connection.properties else None
        # A connection whose state is not in the data may be an approved one.
        leads = _status(connection) in ("approved", "")
        if endpoint and endpoint.id and key_of(endpoint.id) not in known and leads:
            found = inventory.find(PrivateEndpoint, endpoint.id)
            if isinstance(found, Unread):
                return found
    if connections is None:
        return endpoints_unread(inventory)
    return next((bad.unread for bad in inventory.broken(PrivateEndpoint)), None)


def _cut_short(inventory: Inventory, seen: tuple[PrivateEndpoint, ...]) -> Unread | None:
    """An endpoint of which the data do not say what it leads to, or one of these that lack a state or a subnet."""

    def nameless() -> Unread | None:
        for endpoint in inventory.every(PrivateEndpoint):
            if not any(connection.private_link_service_id for connection in endpoint.connections):
                return Unread(
                    endpoint.id, "privateLinkServiceId is not in its data", "collect again", "endpoint-unread"
                )
        return None

    for endpoint in seen:
        states = [c.private_link_service_connection_state for c in endpoint.connections]
        groups = all(c.group_ids for c in endpoint.connections)
        if not endpoint.subnet_id or not groups or not all(state and state.status for state in states):
            why = "its subnet, or the state or the groups of its connection, is not in its data"
            return Unread(endpoint.id, why, "collect again", "endpoint-unread")
    found: Unread | None = inventory.remember("nameless-endpoints", nameless)
    return found


def endpoints_unread(inventory: Inventory) -> Unread | None:
    """Why some private endpoint of some subscription may be unseen: a target's endpoints lie anywhere."""

    def missing() -> Unread | None:
        scopes = [f"/subscriptions/{subscription}" for subscription in inventory.subscriptions()]
        return inventory.listing(PrivateEndpoint, scopes).missing

    # Every target asks, and a tenant may have ten thousand subscriptions.
    found: Unread | None = inventory.remember("endpoints-unread", missing)
    return found


@dataclass(frozen=True, slots=True)
class EndpointHome:
    """An approved private endpoint of a target, and the subnet it lies in."""

    id: str
    subnet_id: str

    @property
    def network_id(self) -> str:
        """ARM id of the virtual network."""
        at = self.subnet_id.casefold().rfind("/subnets/")
        return self.subnet_id[:at] if at > 0 else self.subnet_id


def approved_homes(
    inventory: Inventory, target_id: str, connections: list[EndpointConnection] | None
) -> Listing[EndpointHome]:
    """Where the approved private endpoints of a target lie; `missing` where one may be unseen, or its subnet is.

    `connections` are the target's own view. An endpoint that only that view shows counts where it names the subnet.
    """
    found: dict[str, EndpointHome] = {}
    theirs = {key_of(_endpoint_id(c)): c for c in connections or () if _endpoint_id(c)}
    missing: Unread | None = None
    for endpoint in endpoints_of(inventory, target_id):
        states = [
            (c.private_link_service_connection_state.status or "").casefold()
            for c in endpoint.connections
            if key_of(c.private_link_service_id or "") == key_of(target_id) and c.private_link_service_connection_state
        ]
        refused = endpoint.key in theirs and _status(theirs[endpoint.key]) != "approved"
        if "approved" not in states or refused:
            continue
        if endpoint.subnet_id:
            found[endpoint.key] = EndpointHome(endpoint.id, endpoint.subnet_id)
        else:
            missing = Unread(endpoint.id, "its subnet is not in its data", "collect again", "endpoint-unread")
    for key, connection in theirs.items():
        record = inventory.find(PrivateEndpoint, key)
        status = _status(connection)
        if key in found or status not in ("approved", "") or not isinstance(record, Unread):
            continue
        endpoint_ref = connection.properties.private_endpoint if connection.properties else None
        if status == "approved" and endpoint_ref and endpoint_ref.id and endpoint_ref.subnet_arm_id:
            found[key] = EndpointHome(endpoint_ref.id, endpoint_ref.subnet_arm_id)
        else:
            missing = record
    if connections is None and missing is None:
        missing = endpoints_unread(inventory)
    return Listing(tuple(found[key] for key in sorted(found)), missing)


def _status(connection: EndpointConnection) -> str:
    state = connection.properties.private_link_service_connection_state if connection.properties else None
    return ((state.status if state else None) or "").casefold()


def _reach(
    inventory: Inventory,
    endpoint: PrivateEndpoint,
    target_id: str,
    group: str,
    network: VirtualNetwork,
    connections: list[EndpointConnection] | None,
) -> Reach | None:
    mine = [
        c
        for c in endpoint.connections
        if key_of(c.private_link_service_id or "") == key_of(target_id)
        and group in {g.casefold() for g in c.group_ids or ()}
    ]
    if not mine:
        return None
    states = [c.private_link_service_connection_state for c in mine]
    approved = any(state and (state.status or "").casefold() == "approved" for state in states)
    theirs = [c for c in connections or () if c.properties and c.properties.private_endpoint]
    named = [c for c in theirs if key_of(_endpoint_id(c)) == endpoint.key]
    if not approved or (named and not any(_status(c) == "approved" for c in named)):
        return Reach.NOT_APPROVED
    home = key_of((endpoint.subnet_id or "").casefold().rsplit("/subnets/", 1)[0])
    if home == network.key or home in _whole_peers(network):
        return Reach.USABLE
    if any(_connects(peering, network, endpoint) for peering in connected_peerings(network)):
        return Reach.USABLE
    for peer_key in _whole_peers(network):
        hub = inventory.find(VirtualNetwork, peer_key)
        if not isinstance(hub, Unread) and home in _whole_peers(hub):
            return Reach.THROUGH_HUB
    return Reach.OTHER_NETWORK


def _whole_peers(network: VirtualNetwork) -> frozenset[str]:
    """The folded ids of the networks that are connected as a whole."""
    return frozenset(key_of(p.remote_id) for p in connected_peerings(network) if p.remote_id and not p.subnet_level)


def _connects(peering: Peering, network: VirtualNetwork, endpoint: PrivateEndpoint) -> bool:
    """Whether a subnet-level peering connects every subnet of the network with the endpoint's."""
    home, _, name = (endpoint.subnet_id or "").casefold().rpartition("/subnets/")
    return (
        peering.subnet_level
        and key_of(peering.remote_id or "") == key_of(home)
        and name in peering.remote_subnet_names
        and not peering.body.enable_only_ipv6_peering
        and peering.local_subnet_names.issuperset(subnet.name.casefold() for subnet in network.subnets)
    )


def _unsure_peering(inventory: Inventory, network: VirtualNetwork) -> Unread | None:
    """A peering of the network, or of a peer, of which it cannot be told whether it leads to an endpoint: its state is
    not known, or it connects single subnets.
    """
    around = [network, *(inventory.find(VirtualNetwork, key) for key in sorted(peers_of(network)))]
    for one in around:
        for peering in one.peerings if isinstance(one, VirtualNetwork) else ():
            if not peering.body.peering_state:
                return Unread(peering.id, "peeringState is not in its data", "collect again", "endpoint-unread")
            if peering.connected and peering.subnet_level:
                why = "it connects single subnets; whether it leads to the private endpoint cannot be told"
                return Unread(peering.id, why, "look at the subnets that it names", "endpoint-unread")
    return None


def _endpoint_id(connection: EndpointConnection) -> str:
    endpoint = connection.properties.private_endpoint if connection.properties else None
    return (endpoint.id or "") if endpoint else ""


def peers_of(network: VirtualNetwork) -> frozenset[str]:
    """The folded ids of the networks that are peered and connected."""
    return frozenset(key_of(p.remote_id) for p in connected_peerings(network) if p.remote_id)


def connected_peerings(network: VirtualNetwork) -> tuple[Peering, ...]:
    """The peerings in state `Connected`."""
    return tuple(peering for peering in network.peerings if peering.connected)


def resolves_by_azure(network: VirtualNetwork) -> bool:
    """Whether a network asks Azure's own DNS: no servers named, or only the platform's address."""
    servers = [parsed_address(server) for server in network.dns_servers]
    return all(server is not None and platform_address().covers(server) for server in servers)


def parsed_address(text: str) -> AddressSet | None:
    """An address or a prefix; None where it is neither."""
    try:
        return AddressSet.parse(text)
    except ValueError:
        return None


def private_addresses(inventory: Inventory, endpoint: PrivateEndpoint) -> AddressSet:
    """The private addresses of an endpoint, as far as its body and its interface tell."""
    texts = [a for config in endpoint.body.custom_dns_configs or () for a in config.ip_addresses or ()]
    texts += [
        c.properties.private_ip_address
        for c in endpoint.body.ip_configurations or ()
        if c.properties and c.properties.private_ip_address
    ]
    for nic_id in ids(endpoint.body.network_interfaces):
        nic = inventory.find(NetworkInterface, nic_id)
        if not isinstance(nic, Unread):
            texts += [
                c.properties.private_ip_address
                for c in nic.body.ip_configurations or ()
                if c.properties and c.properties.private_ip_address
            ]
    found = []
    for text in texts:
        try:
            found.append(AddressSet.parse(text))
        except ValueError:
            continue
    return AddressSet.union(found)


def _dns(
    inventory: Inventory, endpoint: PrivateEndpoint, group: str, network: VirtualNetwork, addresses: AddressSet
) -> tuple[Dns | Unread, PrivateDnsZone | None]:
    if not resolves_by_azure(network):
        return Dns.CUSTOM, None
    wanted = zone_name(inventory, group)
    zones = [z for z in inventory.every(PrivateDnsZone) if z.name.casefold() == wanted.casefold()]
    linked = [z for z in zones if links_to(inventory, z, network.key)]
    grouped = _zones_of_groups(inventory, endpoint)
    for zone in linked:
        if zone.key in grouped or _holds(inventory, zone, addresses):
            return Dns.PRIVATE, zone
    unseen = _zone_unread(inventory, grouped)
    if unseen is not None:
        return unseen, None
    if linked:
        lost = _records_unread(inventory, linked, endpoint, addresses)
        if lost is not None:
            return lost, None
        return (Dns.FALLS_BACK if falls_back(inventory, linked[0], network.key) else Dns.NO_RECORD), linked[0]
    return Dns.NO_ZONE_LINK, zones[0] if zones else None


def _records_unread(
    inventory: Inventory, zones: list[PrivateDnsZone], endpoint: PrivateEndpoint, addresses: AddressSet
) -> Unread | None:
    """Why a record for an endpoint may be unseen: records are an optional input of a scan."""
    if not addresses:
        return Unread(endpoint.id, "its addresses are not in its data", "grant Reader on its network interface")
    for bad in inventory.broken(DnsARecord):
        return bad.unread
    for zone in zones:
        missing = inventory.coverage.unread(DnsARecord.TYPE, zone.key)
        if missing is not None:
            return missing
    return None


def _zones_of_groups(inventory: Inventory, endpoint: PrivateEndpoint) -> frozenset[str]:
    return frozenset(
        key_of(config.properties.private_dns_zone_id)
        for group in inventory.every(PrivateDnsZoneGroup)
        if group.key.startswith(endpoint.key + "/")
        for config in group.body.private_dns_zone_configs or ()
        if config.properties and config.properties.private_dns_zone_id
    )


def _zone_unread(inventory: Inventory, grouped: frozenset[str]) -> Unread | None:
    """Why a zone or a link may be unseen: zones of a network lie in any resource group of any subscription."""
    for zone_key in sorted(grouped):
        found = inventory.find(PrivateDnsZone, zone_key)
        if isinstance(found, Unread) and found.reason != "absent":
            return found
    scopes = [f"/subscriptions/{subscription}" for subscription in inventory.subscriptions()]
    zones, links = inventory.listing(PrivateDnsZone, scopes), inventory.listing(VirtualNetworkLink, scopes)
    nameless = next((link for link in links if not id_of(link.body.virtual_network)), None)
    if nameless is not None:
        return Unread(nameless.id, "virtualNetwork is not in its data", "collect again", "zone-unread")
    return zones.missing or links.missing


def links_to(inventory: Inventory, zone: PrivateDnsZone, network_key: str) -> tuple[VirtualNetworkLink, ...]:
    """The links of a private DNS zone with a network."""

    def index() -> dict[str, list[VirtualNetworkLink]]:
        found: dict[str, list[VirtualNetworkLink]] = defaultdict(list)
        for link in inventory.every(VirtualNetworkLink):
            parent = link.resource_id.parent
            if parent is not None:
                found[parent.key].append(link)
        return found

    links = inventory.remember("links-by-zone", index).get(zone.key, [])
    return tuple(link for link in links if key_of(id_of(link.body.virtual_network) or "") == network_key)


def falls_back(inventory: Inventory, zone: PrivateDnsZone, network_key: str) -> bool:
    """Whether the network asks public DNS for a name that the zone does not hold (`NxDomainRedirect` on the link)."""
    return any(
        (link.body.resolution_policy or "").casefold() == "nxdomainredirect"
        for link in links_to(inventory, zone, network_key)
    )


def records_of(inventory: Inventory, zone: PrivateDnsZone) -> tuple[DnsARecord, ...]:
    """The A records of a private DNS zone that were read."""

    def index() -> dict[str, list[DnsARecord]]:
        found: dict[str, list[DnsARecord]] = defaultdict(list)
        for record in inventory.every(DnsARecord):
            parent = record.resource_id.parent
            if parent is not None:
                found[parent.key].append(record)
        return found

    return tuple(inventory.remember("records-by-zone", index).get(zone.key, ()))


def _holds(inventory: Inventory, zone: PrivateDnsZone, addresses: AddressSet) -> bool:
    for record in records_of(inventory, zone):
        for entry in record.body.a_records or ():
            if entry.ipv4_address and entry.ipv4_address in addresses:
                return True
    return False
