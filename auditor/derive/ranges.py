"""Address ranges of a cluster against those of its networks (requirements 4.1): what overlaps, what is unread."""

from __future__ import annotations

from dataclasses import dataclass, replace

from auditor.derive.footprint import Footprint, footprint
from auditor.derive.peers import peers
from auditor.inventory import Inventory
from auditor.inventory.records import Cluster, Peering, Subnet, VirtualNetwork
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

    def take_subnets(kind: str, of: VirtualNetwork, before: str) -> None:
        for subnet in of.subnets:
            take(kind, subnet.id, before + subnet.name, subnet.prefixes)
            if not subnet.prefixes:
                unread.append(Unread(subnet.id, "addressPrefix is not in its data", "collect again", "prefix-unread"))
        unread.extend(bad.unread for bad in inventory.broken(Subnet) if _inside(bad.id, of))
        if not of.prefixes:
            unread.append(Unread(of.id, "addressSpace is not in its data", "collect again", "prefix-unread"))

    take_subnets("subnet", network, "")
    take("space", network.id, network.name, network.prefixes)
    unread.extend(bad.unread for bad in inventory.broken(Peering) if _inside(bad.id, network))
    for peer in peers(inventory, network):
        if isinstance(peer.prefixes, Unread):
            unread.append(replace(peer.prefixes, what=peer.id, reason="peer-unreadable"))
        elif isinstance(peer.network, Unread):
            take("peer-space", peer.id, peer.peering.name, peer.prefixes)
        elif peer.subnets is None:
            take_subnets("peer-subnet", peer.network, f"{peer.network.name}/")
            take("peer-space-readable", peer.id, peer.network.name, peer.network.prefixes)
        elif not isinstance(peer.subnets, Unread):  # the rest of the peer is not connected, and may hold the same range
            for subnet in peer.subnets:
                take("peer-subnet", subnet.id, f"{peer.network.name}/{subnet.name}", subnet.prefixes)
    return Neighbours(tuple(owners), tuple(unread))


def _inside(child_id: str, network: VirtualNetwork) -> bool:
    return child_id.casefold().startswith(network.key + "/")


@dataclass(frozen=True, slots=True)
class Around:
    """Everything around the ranges of a cluster: its networks' ranges, their peers', and what was not read of them.

    `unseen` means that AKS manages the network and that it is not among what was read: nobody else's subnets lie there.
    """

    footprint: Footprint
    networks: tuple[VirtualNetwork, ...]
    known: tuple[Neighbours, ...]
    lost: tuple[Unread, ...]
    unseen: bool

    def overlapping(self, addresses: AddressSet, *kinds: str) -> tuple[RangeOwner, ...]:
        """The ranges of these kinds (see RangeOwner) that share an address with `addresses`."""
        return tuple(owner for one in self.known for owner in one.overlapping(addresses, *kinds))

    @property
    def taken(self) -> AddressSet:
        """All addresses that are spoken for around the cluster."""
        return AddressSet.union(owner.addresses for one in self.known for owner in one.owners)


def around(inventory: Inventory, cluster: Cluster) -> Around | Unread:
    """The ranges around a cluster; Unread where its own data do not tell its subnets."""
    used = footprint(inventory, cluster)
    if isinstance(used, Unread):
        return used
    networks = tuple(use.network for use in used.networks if isinstance(use.network, VirtualNetwork))
    known = tuple(neighbours(inventory, network) for network in networks)
    lost = [use.network for use in used.networks if isinstance(use.network, Unread)]
    # A subnet that its own network does not show, although a pool names it: its prefix is missing among the ranges.
    lost += [use.subnet for use in used.uses if isinstance(use.subnet, Unread)]
    lost += [used.incomplete] if used.incomplete is not None else []
    lost += [unread for one in known for unread in one.unread]
    return Around(used, networks, known, tuple(lost), used.managed and not networks)


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
