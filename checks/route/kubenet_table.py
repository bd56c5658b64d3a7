"""A kubenet subnet carries one table of its own with the pod routes.

## What it checks
For each node subnet of a cluster whose `networkPlugin` is `kubenet`: the route table on it, the routes in that table
that lead from the pod range to an appliance (the cloud provider writes one for each node), the tables in the cluster's
node resource group, and the tables of all other kubenet clusters.

- fails without a table; if another table carries this cluster's pod routes; if another kubenet cluster uses the same
  table; if there are nodes and no pod routes; if node subnets of the cluster have different tables;
- passes otherwise, also while no node runs;
- is unknown where the network plugin, the pod range, the number of nodes, a subnet, the table or one of its routes
  could not be read, or clusters that may use the same table.

## Why it matters
With kubenet a pod is reached only by the route to its node. Where the routes lie in a table that the subnet does not
carry, or two clusters overwrite each other's, pods of different nodes cannot talk.

## Not concerned
Clusters with any other network plugin.

## Limits
A table holds at most 400 routes, so a kubenet cluster has at most as many nodes; the evidence tells how many there are.
Whether the cluster's identity may write the routes is `rbac-route-table-rights`. kubenet itself is retired on
31 March 2028: see `aks-retiring-features`.
"""

from collections.abc import Iterator
from typing import Any

from auditor.api import (
    Cluster,
    Effect,
    Evidence,
    InferenceSubnet,
    Inventory,
    Mend,
    RouteTable,
    Severity,
    Source,
    Subnet,
    SubnetRole,
    Unread,
    Verdict,
    address_set,
    check,
    failed,
    footprint,
    key_of,
    network,
    not_applicable,
    passed,
    resource_name,
    table_of,
    table_value,
    unknown,
)

MOST_ROUTES = 400
"""Routes that one table can hold (Azure's limit)."""
PUT_ON = Mend.by(
    "put the table with the pod routes on the subnet; better, migrate to Azure CNI overlay",
    ("az", "network", "vnet", "subnet", "update", "--ids", "{about}", "--route-table", "{wanted}"),
)


@check(
    id="route-kubenet-table",
    severity=Severity.HIGH,
    source=Source("AKS-KUBENET", "Bring your own subnet and route table", "/aks/configure-kubenet"),
    mend=PUT_ON,
    reads=(
        "microsoft.containerservice/managedclusters",
        "microsoft.network/virtualnetworks",
        "microsoft.network/routetables",
    ),
    where=lambda subject, inventory: bool(subject.clusters) and SubnetRole.NODE in subject.roles,
)
def kubenet_table(where: InferenceSubnet, inventory: Inventory) -> Iterator[Verdict]:
    for cluster in where.clusters:
        if not cluster.plugin:
            yield unknown(
                "plugin-unread",
                "networkProfile.networkPlugin of {cluster} in {subnet} is not in its data",
                cluster.show("properties.networkProfile.networkPlugin", None),
                cluster=cluster.name,
                subnet=where.name,
                hint="grant Reader on the cluster and collect again",
            )
        elif cluster.plugin != "kubenet":
            yield not_applicable(
                "not-kubenet",
                "{cluster} in {subnet} uses {plugin}, which needs no routes for its pods",
                cluster.show("properties.networkProfile.networkPlugin", cluster.plugin),
                cluster=cluster.name,
                subnet=where.name,
                plugin=cluster.plugin,
            )
        elif isinstance(where.subnet, Unread):
            yield unknown(
                "subnet-unread",
                "{subnet}, a node subnet of {cluster}, could not be read: {why}",
                cluster=cluster.name,
                subnet=where.name,
                why=where.subnet.why,
                hint=where.subnet.hint,
            )
        else:
            yield _Kubenet(inventory, cluster, where.subnet).verdict()


class _Kubenet:
    """One kubenet cluster and one of its node subnets."""

    def __init__(self, inventory: Inventory, cluster: Cluster, subnet: Subnet) -> None:
        self.inventory = inventory
        self.cluster = cluster
        self.subnet = subnet
        self.pods = address_set(cluster.pod_cidrs, cluster.id)
        self.more: dict[str, Any] = {
            "related": [one for one in (cluster.id, subnet.route_table_id) if one],
            "cluster": cluster.name,
            "subnet": subnet.name,
            "table": resource_name(subnet.route_table_id) if subnet.route_table_id else None,
        }

    def verdict(self) -> Verdict:
        """The first that holds, in the order of the requirement; what is proved goes before what is unread."""
        shown = self.subnet.show("properties.routeTable.id", self.subnet.route_table_id)
        elsewhere = self._table_elsewhere()
        if not self.subnet.route_table_id:
            return failed(
                "no-table",
                "{subnet} has no route table, so that nodes of {cluster} do not reach each other's pods",
                shown,
                wanted=elsewhere.id if elsewhere else None,
                effect=Effect(()),
                **self.more,
            )
        if elsewhere is not None and not self._routes_in(table_of(self.inventory, self.subnet)):
            return failed(
                "table-elsewhere",
                "{subnet} carries {table}, but the pod routes of {cluster} are in {other}",
                shown,
                *(_route_shown(route) for route in self._routes_in(elsewhere)[:3]),
                other=elsewhere.name,
                wanted=elsewhere.id,
                effect=Effect(()),
                **self.more,
            )
        others = self._sharing()
        if others:
            return failed(
                "table-shared",
                "{table} on {subnet} is used by {others} as well as by {cluster}; kubenet clusters cannot share one",
                shown,
                *others.values(),
                others=sorted(others),
                mend=Mend.by("give each kubenet cluster a route table and subnets of its own, or migrate to overlay"),
                **self.more,
            )
        return self._by_routes(shown)

    def _by_routes(self, shown: Evidence) -> Verdict:
        table = table_of(self.inventory, self.subnet)
        assert table is not None
        if isinstance(table, Unread):
            return unknown(
                "table-unread",
                "{table}, the route table of {subnet}, could not be read: {why}",
                shown,
                why=table.why,
                hint=table.hint,
                **self.more,
            )
        if not self.cluster.pod_cidrs or isinstance(self.pods, Unread):
            why = self.pods.why if isinstance(self.pods, Unread) else "networkProfile.podCidr is not in its data"
            return unknown(
                "pod-range-unread",
                "which routes of {table} are those of {cluster} is not known: {why}",
                shown,
                why=why,
                hint="grant Reader on the cluster and collect again",
                **self.more,
            )
        routes = self._routes_in(table)
        count = table.show("properties.routes", len(table.routes), f"{len(routes)} pod routes of at most {MOST_ROUTES}")
        if not routes:
            without = self._without_routes((shown, count))
            if without is not None:
                return without
        differing = self._differing()
        if differing is not None:
            return differing
        hidden = self._sharing_unread(table)
        if hidden is not None:
            return unknown(
                "clusters-unread",
                "whether {cluster} alone uses {table} on {subnet} is not known: {what}: {why}",
                shown,
                count,
                what=resource_name(hidden.what),
                why=hidden.why,
                hint=hidden.hint,
                **self.more,
            )
        return passed(
            "pod-routes",
            "{table} on {subnet} has {count} pod routes of {cluster}, which alone uses it",
            shown,
            count,
            *(_route_shown(route) for route in routes[:3]),
            count=len(routes),
            effect=Effect(tuple(sorted(f"{route.prefix} -> {route.next_hop_ip}" for route in routes))),
            **self.more,
        )

    def _without_routes(self, shown: tuple[Evidence, ...]) -> Verdict | None:
        """A table without pod routes; None where no node is there that would need one."""
        power = self.cluster.body.power_state
        stopped = power is not None and key_of(power.code or "") == "stopped"
        counts = [pool.count for pool in self.cluster.pools if key_of(pool.vnet_subnet_id or "") == self.subnet.key]
        if stopped or (counts and not any(count is None or count > 0 for count in counts)):
            return None
        nodes = self.cluster.show("properties.agentPoolProfiles[].count", counts)
        if None in counts and not any(counts):
            return unknown(
                "node-count-unread",
                "{table} of {subnet} has no pod routes; whether {cluster} has nodes there is not in its data",
                *shown,
                nodes,
                hint="grant Reader on the cluster and collect again",
                **self.more,
            )
        return failed(
            "no-pod-routes",
            "{table} of {subnet} has no route for the pods of {cluster}, which has nodes there",
            *shown,
            nodes,
            effect=Effect(()),
            mend=Mend.by(
                "see what keeps the cloud provider from writing routes (mostly the right on the table), then "
                "`az aks update` the cluster"
            ),
            **self.more,
        )

    # ------------------------------------------------------------ tables

    def _routes_in(self, table: RouteTable | Unread | None) -> tuple[network.Route, ...]:
        """The routes of a table that lead from this cluster's pod range to a node."""
        if not isinstance(table, RouteTable) or isinstance(self.pods, Unread):
            return ()
        return tuple(
            route
            for route in table_value(self.inventory, table).routes
            if route.hop is network.Hop.APPLIANCE and route.addresses is not None and self.pods.covers(route.addresses)
        )

    def _table_elsewhere(self) -> RouteTable | None:
        """A table of the node resource group with this cluster's pod routes that the subnet does not carry."""
        if not self.cluster.node_group_id:
            return None
        mine = key_of(self.subnet.route_table_id or "")
        listed = self.inventory.within(RouteTable, self.cluster.node_group_id)
        return next((table for table in listed if table.key != mine and self._routes_in(table)), None)

    def _sharing(self) -> dict[str, Evidence]:
        """Other kubenet clusters whose node subnets carry the same table."""
        found: dict[str, Evidence] = {}
        mine = key_of(self.subnet.route_table_id or "")
        for other in self.inventory.every(Cluster):
            if other.key == self.cluster.key or other.plugin != "kubenet":
                continue
            for subnet in _node_subnets(self.inventory, other):
                if isinstance(subnet, Subnet) and key_of(subnet.route_table_id or "") == mine:
                    found[other.name] = other.show("properties.agentPoolProfiles[].vnetSubnetID", subnet.id)
        return found

    def _sharing_unread(self, table: RouteTable) -> Unread | None:
        """Why another cluster may write into the same table unseen. A table serves subnets of its subscription only,
        and AKS asks that a cluster lies there too.
        """
        around = {f"/subscriptions/{one.subscription_id}" for one in (table, self.cluster)}
        others = self.inventory.listing(Cluster, sorted(around))
        if others.missing is not None:
            return others.missing
        for other in others:
            elsewhere = f"/subscriptions/{other.subscription_id}" not in around
            if other.key == self.cluster.key or elsewhere or other.plugin not in ("", "kubenet"):
                continue
            used = footprint(self.inventory, other)
            if isinstance(used, Unread):
                return used
            for use in used.in_roles(SubnetRole.NODE):
                if isinstance(use.subnet, Unread) and other.plugin == "kubenet":
                    return use.subnet
                if isinstance(use.subnet, Subnet) and key_of(use.subnet.route_table_id or "") == table.key:
                    return Unread(other.id, "networkProfile.networkPlugin is not in its data", "collect again")
        return None

    def _differing(self) -> Verdict | None:
        """Node subnets of the cluster that carry another table, or may."""
        mine = key_of(self.subnet.route_table_id or "")
        lost: Unread | None = None
        for subnet in _node_subnets(self.inventory, self.cluster):
            if isinstance(subnet, Unread):
                lost = subnet
            elif key_of(subnet.route_table_id or "") != mine:
                return failed(
                    "tables-differ",
                    "{subnet} carries {table}, {other_subnet} of the same cluster {cluster} carries {other}",
                    self.subnet.show("properties.routeTable.id", self.subnet.route_table_id),
                    subnet.show("properties.routeTable.id", subnet.route_table_id),
                    other_subnet=subnet.name,
                    other=resource_name(subnet.route_table_id) if subnet.route_table_id else "none",
                    mend=Mend.by("put the same table on all node subnets of the cluster, or migrate to overlay"),
                    **self.more,
                )
        if lost is None:
            return None
        return unknown(
            "other-subnet-unread",
            "whether all node subnets of {cluster} carry {table} is not known: {why}",
            why=lost.why,
            hint=lost.hint,
            **self.more,
        )


def _node_subnets(inventory: Inventory, cluster: Cluster) -> list[Subnet | Unread]:
    used = footprint(inventory, cluster)
    return [] if isinstance(used, Unread) else [use.subnet for use in used.in_roles(SubnetRole.NODE)]


def _route_shown(route: network.Route) -> Evidence:
    return Evidence(route.id or route.name, "properties", f"{route.prefix} -> {route.next_hop_ip}", route.name)
