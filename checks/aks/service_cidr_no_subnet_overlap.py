"""Kubernetes service range overlaps no subnet of the VNet or its peers.

## What it checks
Each service range (`serviceCidr`, `serviceCidrs`) against the prefixes of its own family of every subnet of the
cluster's virtual network, used or empty, and of its connected peers; and that it is smaller than a /12.

- passes if it touches none of them, nor an address space;
- warns if it lies in the address space of the network or of a peer without touching a subnet (a later subnet will), or
  under a route to a gateway, which is most likely on premises;
- fails on a subnet of the network or of a peer, on the address space of a peer whose subnets were not read, or at /12
  and larger;
- is unknown if the network, or a peer that the peering itself does not describe, could not be read.

## Why it matters
The service range is virtual: traffic to an address that also exists on the network ends inside the cluster. The range
cannot be changed in place, and upgrades validate it again.

## Not concerned
Clusters without a network profile. With a network that AKS manages, that network is judged where it is readable.

## Limits
Two clusters may use the same service range. `serviceCidrs` repeats `serviceCidr`: judged once. From Kubernetes 1.33 on
further ranges can exist as ServiceCIDR objects inside the cluster, where Azure Resource Manager does not see them.
"""

from collections.abc import Iterator
from typing import Any

from auditor.api import (
    Around,
    Cluster,
    Evidence,
    Inventory,
    Mend,
    RangeOwner,
    RouteTable,
    Severity,
    Source,
    Subnet,
    Unread,
    Verdict,
    around,
    check,
    failed,
    network,
    not_applicable,
    parse_ranges,
    passed,
    table_of,
    unknown,
    warned,
)

PATH = "properties.networkProfile.serviceCidrs"
LARGEST = 2**20  # addresses of a /12


@check(
    id="aks-service-cidr-no-subnet-overlap",
    severity=Severity.HIGH,
    source=Source(
        "AML-V1-INF", "Azure Kubernetes Service, step 4", "/machine-learning/v1/how-to-secure-inferencing-vnet"
    ),
    mend=Mend.by(
        "the range cannot be changed in place: move the colliding subnet while it is empty "
        "(`az network vnet subnet update --address-prefixes FREE`), or re-create the cluster with "
        "`--service-cidr {free} --dns-service-ip` an address of it"
    ),
    clauses=("S5",),
    reads=("microsoft.network/virtualnetworks", "microsoft.network/routetables"),
)
def service_cidr_no_subnet_overlap(cluster: Cluster, inventory: Inventory) -> Iterator[Verdict]:
    if not cluster.service_cidrs:
        if cluster.partial or cluster.network is not None:
            yield unknown(
                "service-range-unset",
                "the service range of {cluster} is not in its data",
                cluster.show(PATH, None),
                cluster=cluster.name,
                hint="grant Reader on the cluster and collect again",
            )
            return
        yield not_applicable("no-network-profile", "{cluster} has no network profile", cluster=cluster.name)
        return
    here = around(inventory, cluster)
    if isinstance(here, Unread):
        yield unknown("cluster-unreadable", "{cluster}: {why}", cluster=cluster.name, why=here.why, hint=here.hint)
        return
    if here.unseen:
        yield not_applicable("managed-vnet", "AKS manages the network of {cluster} itself", cluster=cluster.name)
        return
    ranges, bad = parse_ranges(cluster.service_cidrs)
    for text in bad:
        yield unknown("unparsable", "{text} is no range", cluster.show(PATH, text), text=text)
    for text, addresses in ranges:
        yield _Range(inventory, cluster, text, addresses, here).verdict()


class _Range:
    """One service range and everything around it."""

    def __init__(
        self,
        inventory: Inventory,
        cluster: Cluster,
        text: str,
        addresses: network.AddressSet,
        here: Around,
    ) -> None:
        self.inventory = inventory
        self.cluster = cluster
        self.text = text
        self.addresses = addresses
        self.here = here
        self.shown = cluster.show(PATH, text)
        self.more: dict[str, Any] = {"cluster": cluster.name, "range": text, "free": self._free()}

    def verdict(self) -> Verdict:
        found = self._overlapping("subnet")
        if found:
            return self._collides(
                "overlaps-subnet", "{range} of {cluster} overlaps {prefix}, the subnet {owner}", found
            )
        found = self._overlapping("peer-subnet")
        if found:
            return self._collides(
                "overlaps-peer", "{range} of {cluster} overlaps {prefix}, the subnet {owner} of a peer", found
            )
        found = self._overlapping("peer-space")
        if found:
            return self._collides(
                "overlaps-peer",
                "{range} of {cluster} overlaps {prefix}, the address space of the peer {owner}, whose subnets could "
                "not be read",
                found,
            )
        if self.addresses.size(4) >= LARGEST:
            return failed("too-large", "{range} of {cluster} must be smaller than a /12", self.shown, **self.more)
        if self.here.lost:
            piece = self.here.lost[0]
            return unknown(
                piece.reason if piece.reason == "peer-unreadable" else "network-unread",
                "whether {range} of {cluster} overlaps a subnet is not known: {what}: {why}",
                self.shown,
                what=piece.what,
                why=piece.why,
                hint=piece.hint,
                **self.more,
            )
        return self._inside() or passed(
            "no-overlap",
            "{range} of {cluster} touches no subnet and no address space around it",
            self.shown,
            **self.more,
        )

    def _overlapping(self, *kinds: str) -> tuple[RangeOwner, ...]:
        return self.here.overlapping(self.addresses, *kinds)

    def _collides(self, reason: str, message: str, found: tuple[RangeOwner, ...]) -> Verdict:
        first = found[0]
        shown = tuple(Evidence(o.id, "properties.addressPrefix", o.prefix, o.name) for o in found)
        return failed(
            reason,
            message,
            self.shown,
            *shown,
            related=[o.id for o in found],
            prefix=first.prefix,
            owner=first.name,
            **self.more,
        )

    def _inside(self) -> Verdict | None:
        found = self._overlapping("space", "peer-space-readable")
        if found:
            shown = tuple(Evidence(o.id, "properties.addressSpace.addressPrefixes", o.prefix, o.name) for o in found)
            return warned(
                "inside-address-space",
                "{range} of {cluster} lies in {prefix}, the address space of {owner}: a later subnet will collide",
                self.shown,
                *shown,
                prefix=found[0].prefix,
                owner=found[0].name,
                **self.more,
            )
        return self._on_premises()

    def _on_premises(self) -> Verdict | None:
        """A route to a gateway for an overlapping prefix: most likely it exists on premises."""
        for use in self.here.footprint.uses:
            table = table_of(self.inventory, use.subnet) if isinstance(use.subnet, Subnet) else None
            for route in table.routes if isinstance(table, RouteTable) else ():
                if (route.body.next_hop_type or "").casefold() != "virtualnetworkgateway":
                    continue
                try:
                    prefix = network.AddressSet.parse(route.body.address_prefix or "")
                except ValueError:
                    continue
                if prefix.overlaps(self.addresses) and not prefix.covers(network.AddressSet.v4_any()):
                    return warned(
                        "on-premises",
                        "{range} of {cluster} overlaps {prefix}, which the route {route} sends to a gateway",
                        self.shown,
                        route.show("properties.addressPrefix", route.body.address_prefix),
                        prefix=route.body.address_prefix,
                        route=route.name,
                        **self.more,
                    )
        return None

    def _free(self) -> str:
        """The first private /16 that touches nothing around, for the remediation."""
        return network.first_free(self.here.taken) or "a free range"
