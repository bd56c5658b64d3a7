"""DNS as far as Azure Resource Manager shows it: the zone of private API servers, and where custom servers stand."""

from __future__ import annotations

from auditor.clouds import PROFILES
from auditor.derive.endpoints import parsed_address
from auditor.derive.peers import peers
from auditor.inventory import Inventory
from auditor.inventory.records import VirtualNetwork, key_of
from auditor.network import AddressSet
from auditor.values import Listing, Unread


def api_server_zone(inventory: Inventory, location: str) -> str:
    """The private DNS zone of private AKS clusters in a region of the scanned cloud.

    A cloud of one's own (`custom`) has the public cloud's names here: what it renames is known to the scan alone.
    """
    return PROFILES.get(inventory.cloud, PROFILES["public"]).api_server_zone(location)


def dns_server_networks(inventory: Inventory, network: VirtualNetwork) -> Listing[str]:
    """The folded ids of the networks that hold a network's custom DNS servers: itself, or a connected peer.

    `missing` names a server whose place is not known: on premises, beyond a peer, or in a peer that was not read.
    """
    homes: list[str] = []
    missing: Unread | None = None
    around = _around(inventory, network)
    for server in network.dns_servers:
        address = parsed_address(server)
        held = [key for key, space in around if address is not None and space.covers(address)]
        homes += held
        if not held:
            missing = missing or Unread(
                network.id,
                f"where the DNS server {server} stands is not known",
                "look at what that server forwards to",
                "dns-server-elsewhere",
            )
    return Listing(tuple(dict.fromkeys(homes)), missing)


def _around(inventory: Inventory, network: VirtualNetwork) -> list[tuple[str, AddressSet]]:
    found = [(network.key, _space(network.prefixes))]
    for peer in peers(inventory, network):
        prefixes = peer.prefixes
        found.append((key_of(peer.id), _space(() if isinstance(prefixes, Unread) else prefixes)))
    return found


def _space(prefixes: tuple[str, ...]) -> AddressSet:
    return AddressSet.union(found for prefix in prefixes if (found := parsed_address(prefix)) is not None)
