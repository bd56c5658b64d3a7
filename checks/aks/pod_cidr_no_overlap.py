"""Pod range overlaps no subnet, peer or service range.

## What it checks
Each pod range (`podCidr`, `podCidrs`) of overlay and kubenet clusters against the cluster's service ranges, the
address space and subnets of its virtual network, and those of connected peers, each within its own family.

- passes if it touches none of them and is private space (RFC 1918, RFC 6598 or unique local IPv6);
- warns if it is other space, or lies in the address space of a peer without touching a subnet of it;
- fails on the service range, a subnet, the network's address space, a peer's subnet, the address space of a peer whose
  subnets were not read, or the range of another kubenet cluster on the same route table;
- is unknown if the network, a peer, or (kubenet) the other clusters on the route table could not be read.

## Why it matters
Nodes keep traffic to pod addresses in the pod network: whatever else has such an address cannot be reached from a pod,
be it the registry's private endpoint, the workspace's storage or a client on a peer.

## Not concerned
Flat Azure CNI: pods have addresses of a subnet. An own plugin without a range. With a network that AKS manages and that
was not read, only the cluster's own ranges are judged.

## Limits
Several overlay clusters may share one pod range. Stricter than the service range: AKS refuses a pod range inside the
network's address space at creation. Networks beyond gateways are not read.
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
    SubnetRole,
    Unread,
    Verdict,
    around,
    check,
    failed,
    footprint,
    network,
    not_applicable,
    parse_ranges,
    passed,
    table_of,
    unknown,
    warned,
)

PATH = "properties.networkProfile.podCidrs"
SERVICE = "properties.networkProfile.serviceCidrs"


@check(
    id="aks-pod-cidr-no-overlap",
    severity=Severity.HIGH,
    source=Source("AKS-OVERLAY", "IP address planning", "/aks/azure-cni-overlay"),
    mend=Mend.by(
        "re-create the cluster with a pod range that is free ({free}, say), or, with overlay and Linux pools only and "
        "where a larger superset helps, expand it in place with `az aks update --pod-cidr`"
    ),
    clauses=("S3a",),
    reads=("microsoft.network/virtualnetworks", "microsoft.network/routetables"),
)
def pod_cidr_no_overlap(cluster: Cluster, inventory: Inventory) -> Iterator[Verdict]:
    if not cluster.pod_cidrs:
        yield _unset(cluster)
        return
    here = around(inventory, cluster)
    if isinstance(here, Unread):
        yield unknown("cluster-unreadable", "{cluster}: {why}", cluster=cluster.name, why=here.why, hint=here.hint)
        return
    ranges, bad = parse_ranges(cluster.pod_cidrs)
    for text in bad:
        yield unknown(
            "unparsable",
            "{text}, the pod range of {cluster}, is no range",
            cluster.show(PATH, text),
            cluster=cluster.name,
            text=text,
            hint="`az aks show` tells the value",
        )
    for text, addresses in ranges:
        yield _PodRange(inventory, cluster, text, addresses, here).verdict()


def _unset(cluster: Cluster) -> Verdict:
    shown = (
        cluster.show(PATH, None),
        cluster.show("properties.networkProfile.networkPlugin", cluster.plugin or None),
        cluster.show("properties.networkProfile.networkPluginMode", "overlay" if cluster.overlay else None),
    )
    if cluster.network is None and not cluster.partial:
        return not_applicable("no-network-profile", "{cluster} has no network profile", *shown, cluster=cluster.name)
    if cluster.plugin == "azure" and not cluster.overlay:
        return not_applicable(
            "flat-network", "pods of {cluster} have addresses of a subnet", *shown, cluster=cluster.name
        )
    if cluster.plugin == "none":
        return not_applicable(
            "own-plugin", "{cluster} brings its own network plugin and names no pod range", *shown, cluster=cluster.name
        )
    return unknown(
        "pod-range-unset",
        "the pod range of {cluster} is not in its data",
        *shown,
        cluster=cluster.name,
        hint="grant Reader on the cluster and collect again",
    )


class _PodRange:
    """One pod range and everything around it."""

    def __init__(
        self, inventory: Inventory, cluster: Cluster, text: str, addresses: network.AddressSet, here: Around
    ) -> None:
        self.inventory = inventory
        self.cluster = cluster
        self.text = text
        self.addresses = addresses
        self.here = here
        self.shown = cluster.show(PATH, text)
        self.services, self.bad_services = parse_ranges(cluster.service_cidrs)
        services = [own for _, own in self.services]
        taken = network.AddressSet.union([here.taken, *services])
        self.more: dict[str, Any] = {
            "cluster": cluster.name,
            "range": text,
            "free": network.first_free(taken) or "a free range",
        }

    def verdict(self) -> Verdict:
        return (
            self._on_service_range()
            or self._on_network()
            or self._on_kubenet_twin()
            or self._undecided()
            or self._risky()
            or self._apart()
        )

    def _on_service_range(self) -> Verdict | None:
        for text, addresses in self.services:
            if addresses.overlaps(self.addresses):
                return failed(
                    "overlaps-service-range",
                    "the pod range {range} of {cluster} overlaps its service range {service}",
                    self.shown,
                    self.cluster.show(SERVICE, text),
                    service=text,
                    **self.more,
                )
        return None

    def _on_network(self) -> Verdict | None:
        found = self.here.overlapping(self.addresses, "subnet")
        if found:
            return failed(
                "overlaps-subnet",
                "the pod range {range} of {cluster} overlaps {prefix}, the subnet {owner}",
                *self._met(found),
                related=[o.id for o in found],
                **self._first(found),
            )
        found = self.here.overlapping(self.addresses, "peer-subnet", "peer-space")
        if found:
            return failed(
                "overlaps-peer",
                "the pod range {range} of {cluster} overlaps {prefix} of the peer {owner}",
                *self._met(found),
                related=[o.id for o in found],
                **self._first(found),
            )
        found = self.here.overlapping(self.addresses, "space")
        if found:
            return failed(
                "overlaps-address-space",
                "the pod range {range} of {cluster} overlaps {prefix}, the address space of {owner}",
                *self._met(found),
                related=[o.id for o in found],
                **self._first(found),
            )
        return None

    def _on_kubenet_twin(self) -> Verdict | None:
        """Another kubenet cluster writes routes for the same pod addresses into the same table."""
        if self.cluster.plugin != "kubenet":
            return None
        for table in self._tables():
            for other in self.inventory.every(Cluster):
                if other.key == self.cluster.key or other.plugin != "kubenet":
                    continue
                if table.key not in {one.key for one in _tables_of(self.inventory, other)}:
                    continue
                for text, addresses in parse_ranges(other.pod_cidrs)[0]:
                    if addresses.overlaps(self.addresses):
                        return failed(
                            "overlaps-kubenet-twin",
                            "the pod range {range} of {cluster} overlaps {prefix} of {owner}, whose routes stand in "
                            "the same table {table}",
                            self.shown,
                            other.show(PATH, text),
                            related=[other.id, table.id],
                            prefix=text,
                            owner=other.name,
                            table=table.name,
                            **self.more,
                        )
        return None

    def _tables(self) -> list[RouteTable]:
        return _tables_of(self.inventory, self.cluster)

    def _undecided(self) -> Verdict | None:
        lost = self._lost()
        if lost is None:
            return None
        return unknown(
            lost.reason if lost.reason == "peer-unreadable" else "network-unread",
            "whether the pod range {range} of {cluster} overlaps something is not known: {what}: {why}",
            self.shown,
            what=lost.what,
            why=lost.why,
            hint=lost.hint,
            **self.more,
        )

    def _lost(self) -> Unread | None:
        if self.here.lost:
            return self.here.lost[0]
        if not self.cluster.service_cidrs:
            return Unread(self.cluster.id, "its service range is not in its data", "collect again")
        if self.bad_services:
            return Unread(self.cluster.id, f"its service range {self.bad_services[0]} is no range", "collect again")
        if not self.cluster.plugin:
            return Unread(self.cluster.id, "networkPlugin is not in its data", "collect again")
        return self._twins_unread() if self.cluster.plugin == "kubenet" else None

    def _twins_unread(self) -> Unread | None:
        """What of the other clusters that might write into the same route table was not read."""
        for use in self.here.footprint.in_roles(SubnetRole.NODE):
            if isinstance(use.subnet, Subnet) and use.subnet.route_table_id:
                table = table_of(self.inventory, use.subnet)
                if isinstance(table, Unread):
                    return table
        scopes = {f"/subscriptions/{table.subscription_id}" for table in self._tables()}
        others = self.inventory.listing(Cluster, sorted(scopes))
        if scopes and others.missing is not None:
            return others.missing
        for other in others if scopes else ():
            if other.key != self.cluster.key and isinstance(found := footprint(self.inventory, other), Unread):
                return found
            if other.key != self.cluster.key and other.plugin in ("", "kubenet") and self._shares_table(other):
                lost = "networkPlugin" if not other.plugin else "podCidr"
                if lost == "networkPlugin" or not other.pod_cidrs or parse_ranges(other.pod_cidrs)[1]:
                    return Unread(other.id, f"{lost} is not in its data", "collect again")
        return None

    def _shares_table(self, other: Cluster) -> bool:
        mine = {table.key for table in self._tables()}
        return any(table.key in mine for table in _tables_of(self.inventory, other))

    def _risky(self) -> Verdict | None:
        found = self.here.overlapping(self.addresses, "peer-space-readable")
        if found:
            return warned(
                "inside-peer-space",
                "the pod range {range} of {cluster} lies in {prefix}, the address space of the peer {owner}: a later "
                "subnet will collide",
                *self._met(found, "properties.addressSpace.addressPrefixes"),
                related=[o.id for o in found],
                **self._first(found),
            )
        if not network.is_private(self.addresses):
            return warned(
                "public-space",
                "the pod range {range} of {cluster} is not private space: public services there cannot be reached",
                self.shown,
                **self.more,
            )
        return None

    def _apart(self) -> Verdict:
        services = self.cluster.show(SERVICE, list(self.cluster.service_cidrs))
        if self.here.unseen:
            return not_applicable(
                "managed-vnet",
                "AKS manages the network of {cluster}, and its pod range {range} is apart from its service range",
                self.shown,
                services,
                **self.more,
            )
        return passed(
            "no-overlap",
            "the pod range {range} of {cluster} touches no subnet, peer or service range",
            self.shown,
            services,
            *(one.show("properties.addressSpace.addressPrefixes", list(one.prefixes)) for one in self.here.networks),
            **self.more,
        )

    def _met(self, found: tuple[RangeOwner, ...], path: str = "properties.addressPrefix") -> list[Evidence]:
        return [self.shown, *(Evidence(o.id, path, o.prefix, o.name) for o in found)]

    def _first(self, found: tuple[RangeOwner, ...]) -> dict[str, Any]:
        return {"prefix": found[0].prefix, "owner": found[0].name, **self.more}


def _tables_of(inventory: Inventory, cluster: Cluster) -> list[RouteTable]:
    """The route tables on the node subnets of a cluster."""
    used = footprint(inventory, cluster)
    subnets = [] if isinstance(used, Unread) else [use.subnet for use in used.in_roles(SubnetRole.NODE)]
    tables = [table_of(inventory, subnet) for subnet in subnets if isinstance(subnet, Subnet)]
    return list({table.key: table for table in tables if isinstance(table, RouteTable)}.values())
