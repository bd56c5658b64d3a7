"""What a peering connects: a whole network, or, subnet-level, the subnets that it names (requirements 4, 6.4, 7).

Assumption: with subnet-level peering the tag `VirtualNetwork` and the routes of a subnet hold the peer's participating
subnets, and a subnet that does not take part holds nothing of that peer. The peering's own `remoteAddressSpace` is not
taken for it, since no page says whether it is cut down to them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from auditor.derive.endpoints import connected_peerings
from auditor.inventory import Inventory
from auditor.inventory.records import Peering, Subnet, VirtualNetwork
from auditor.values import Unread


@dataclass(frozen=True, slots=True)
class Peer:
    """The other end of a connected peering.

    network     the peer itself, Unread where it was not read
    subnets     with subnet-level peering, those of the peer that take part; Unread where that cannot be told; else None
    prefixes    what is connected: the address space, or the prefixes of `subnets`; Unread where nothing tells it
    """

    peering: Peering
    network: VirtualNetwork | Unread
    subnets: tuple[Subnet, ...] | Unread | None
    prefixes: tuple[str, ...] | Unread

    @property
    def id(self) -> str:
        """ARM id of the peer, or of the peering where it names none."""
        if isinstance(self.network, VirtualNetwork):
            return self.network.id
        return self.peering.remote_id or self.peering.id


def peers(inventory: Inventory, network: VirtualNetwork, subnet: Subnet | None = None) -> Iterator[Peer]:
    """The connected peers of a network; with `subnet`, those that this subnet is connected with.

    A peering whose state is not in its data may be connected: its prefixes are Unread.
    """
    for peering in network.peerings:
        if not peering.body.peering_state:
            why = Unread(peering.id, "peeringState is not in its data", "collect again", "peer-unreadable")
            yield Peer(peering, why, None, why)
    for peering in connected_peerings(network):
        peer = inventory.find(VirtualNetwork, peering.remote_id)
        if peering.subnet_level:
            local = peering.local_subnet_names
            if subnet is not None and local and subnet.name.casefold() not in local:
                continue
            lost = _untold(peering) if subnet is not None and not local else None
            taking = lost or _participants(inventory, peering, peer)
            prefixes: tuple[str, ...] | Unread
            if isinstance(taking, Unread):
                prefixes = taking
            else:
                prefixes = tuple(prefix for each in taking for prefix in each.prefixes)
            yield Peer(peering, peer, taking, _of_family(peering, prefixes))
        elif isinstance(peer, VirtualNetwork):
            yield Peer(peering, peer, None, _of_family(peering, peer.prefixes))
        else:
            yield Peer(peering, peer, None, _of_family(peering, peering.remote_prefixes or peer))


def _untold(peering: Peering) -> Unread:
    return Unread(
        peering.id,
        "it connects single subnets, and which ones is not in its data",
        "read the peering with a newer version of the API, or look at it",
        "peer-unreadable",
    )


def _participants(inventory: Inventory, peering: Peering, peer: VirtualNetwork | Unread) -> tuple[Subnet, ...] | Unread:
    """The subnets of the peer that a subnet-level peering names."""
    if not peering.remote_subnet_names:
        return _untold(peering)
    if isinstance(peer, Unread):
        return Unread(peering.remote_id or peering.id, peer.why, peer.hint, "peer-unreadable")
    by_name = {subnet.name.casefold(): subnet for subnet in peer.subnets}
    found = []
    for name in sorted(peering.remote_subnet_names):
        subnet = by_name.get(name)
        if subnet is None or not subnet.prefixes:
            bad = next(
                (b.unread for b in inventory.broken(Subnet) if b.id.casefold() == f"{peer.key}/subnets/{name}"), None
            )
            why = f"its subnet {name}, which the peering {peering.name} names, was not read"
            return bad or Unread(peer.id, why, "collect again", "peer-unreadable")
        found.append(subnet)
    return tuple(found)


def _of_family(peering: Peering, prefixes: tuple[str, ...] | Unread) -> tuple[str, ...] | Unread:
    """Only IPv6 where the peering carries nothing else."""
    if isinstance(prefixes, Unread) or not peering.body.enable_only_ipv6_peering:
        return prefixes
    return tuple(prefix for prefix in prefixes if ":" in prefix)
