"""Address ranges of a cluster against those of its networks (requirements 4.1): what overlaps, what is unread."""

from __future__ import annotations

from dataclasses import dataclass

from auditor.derive.endpoints import connected_peerings
from auditor.inventory import Inventory
from auditor.inventory.records import Subnet, VirtualNetwork
from auditor.network import AddressSet
from auditor.values import Unread


@dataclass(frozen=True, slots=True)
class RangeOwner:
    """A range of a network: of a subnet, of a peer's subnet, or of an address space as a whole.

    `kind` is `subnet`, `peer-subnet`, `peer-space` (a peer whose subnets were not read), `space` (the network's address
    space) or `peer-space-readable` (that of a peer whose subnets were read).
    """

    kind: str
    id: str
    name: str
    prefix: str
    addresses: AddressSet


@dataclass(frozen=True, slots=True)
class Neighbours:
    """All ranges around a cluster, and what of them could not be read."""

    owners: tuple[RangeOwner, ...]
    unread: tuple[Unread, ...]

    def overlapping(self, addresses: AddressSet, *kinds: str) -> tuple[RangeOwner, ...]:
        """The ranges of these kinds that share an address with `addresses`."""
        return tuple(o for o in self.owners if o.kind in kinds and o.addresses.overlaps(addresses))


def neighbours(inventory: Inventory, network: VirtualNetwork) -> Neighbours:
    """The ranges of a network and of the networks connected with it."""
    return inventory.remember(("neighbours", network.key), lambda: _neighbours(inventory, network))


def _neighbours(inventory: Inventory, network: VirtualNetwork) -> Neighbours:
    owners: list[RangeOwner] = []
    unread: list[Unread] = []

    def take(kind: str, owner_id: str, name: str, prefixes: tuple[str, ...]) -> None:
        for prefix in prefixes:
            try:
                owners.append(RangeOwner(kind, owner_id, name, prefix, AddressSet.parse(prefix)))
            except ValueError:
                unread.append(
                    Unread(owner_id, f"{prefix!r} is not an address prefix", "mend the prefix", "prefix-unparsable")
                )

    for subnet in network.subnets:
        take("subnet", subnet.id, subnet.name, subnet.prefixes)
        if not subnet.prefixes:
            unread.append(Unread(subnet.id, "addressPrefix is not in its data", "collect again", "prefix-unread"))
    for bad in inventory.broken(Subnet):
        if bad.id.casefold().startswith(network.key + "/"):
            unread.append(bad.unread)
    take("space", network.id, network.name, network.prefixes)
    for peering in connected_peerings(network):
        peer = inventory.find(VirtualNetwork, peering.remote_id)
        if isinstance(peer, VirtualNetwork):
            for subnet in peer.subnets:
                take("peer-subnet", subnet.id, f"{peer.name}/{subnet.name}", subnet.prefixes)
            take("peer-space-readable", peer.id, peer.name, peer.prefixes)
        elif peering.remote_prefixes:
            take("peer-space", peering.remote_id or peering.id, peering.name, peering.remote_prefixes)
        else:
            unread.append(Unread(peering.remote_id or peering.id, peer.why, peer.hint, "peer-unreadable"))
    return Neighbours(tuple(owners), tuple(unread))


def parse_ranges(texts: tuple[str, ...]) -> tuple[tuple[tuple[str, AddressSet], ...], tuple[str, ...]]:
    """Ranges with their texts, each once, and the texts that cannot be parsed."""
    found: dict[AddressSet, str] = {}
    bad: list[str] = []
    for text in texts:
        try:
            found.setdefault(AddressSet.parse(text), text)
        except ValueError:
            bad.append(text)
    return tuple((text, addresses) for addresses, text in found.items()), tuple(bad)
