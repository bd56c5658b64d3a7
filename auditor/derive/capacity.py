"""How many addresses clusters need of a subnet and of their pod range (requirements 4.1): now, upgrading, at most.

Every number is a lower bound where something was not read: it may prove that there is too little room, never that
there is enough. `unread` says so.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

from auditor.derive.footprint import footprint
from auditor.derive.frontends import frontends_of
from auditor.inventory import Inventory
from auditor.inventory.records import Cluster, Subnet, ids, key_of
from auditor.inventory.shapes import AgentPool
from auditor.values import Evidence, ResourceId, Unread

PODS_A_NODE = 256  # addresses of the /24 that overlay and kubenet set aside for each node
BLOCK = 16  # addresses of the /28 in which static allocation hands out a pod subnet


@dataclass(frozen=True, slots=True)
class Demand:
    """Nodes or addresses: `steady` at today's count, `upgrade` with surge, `peak` scaled out with surge."""

    steady: int
    upgrade: int
    peak: int

    def __add__(self, other: Demand) -> Demand:
        return Demand(self.steady + other.steady, self.upgrade + other.upgrade, self.peak + other.peak)

    def __mul__(self, each: int) -> Demand:
        return Demand(self.steady * each, self.upgrade * each, self.peak * each)


NOTHING = Demand(0, 0, 0)


@dataclass(frozen=True, slots=True)
class Need:
    """A demand, what it was computed from, and what of it was not read."""

    demand: Demand = NOTHING
    evidence: tuple[Evidence, ...] = ()
    unread: tuple[Unread, ...] = ()

    def __add__(self, other: Need) -> Need:
        return Need(self.demand + other.demand, self.evidence + other.evidence, self.unread + other.unread)

    def times(self, each: int) -> Need:
        """The same with so many addresses for each node."""
        return Need(self.demand * each, self.evidence, self.unread)

    @staticmethod
    def total(needs: Iterable[Need]) -> Need:
        """All of them together."""
        found = Need()
        for need in needs:
            found += need
        return found


def surge(max_surge: str | int | None, nodes: int) -> int | None:
    """How many nodes an upgrade adds to a pool of `nodes`: None where the setting cannot be read.

    A percentage counts up. Pages name one node as the default, today's is a tenth of the pool: unset is the larger.
    """
    if nodes == 0:
        return 0
    text = str(max_surge).strip() if max_surge is not None else ""
    if not text:
        return max(1, math.ceil(nodes / 10))
    match = re.fullmatch(r"(\d{1,6})(%?)", text)
    if match is None:
        return None
    return math.ceil(nodes * int(match[1]) / 100) if match[2] else int(match[1])


def nodes_of(cluster: Cluster, pool: AgentPool) -> Need:
    """The nodes of a pool. A stopped pool has none until it is started, so it counts at its peak only."""
    at = f"properties.agentPoolProfiles['{pool.name}']"
    max_surge = pool.upgrade_settings.max_surge if pool.upgrade_settings else None
    shown = [cluster.show(f"{at}.count", pool.count)]
    lost = [] if pool.count is not None else [_missing(cluster, f"{at}.count")]
    count = most = max(pool.count or 0, 0)
    if pool.enable_auto_scaling:
        shown.append(cluster.show(f"{at}.maxCount", pool.max_count))
        lost += [] if pool.max_count is not None else [_missing(cluster, f"{at}.maxCount")]
        most = max(count, pool.max_count or 0)
    if max_surge is not None:
        shown.append(cluster.show(f"{at}.upgradeSettings.maxSurge", max_surge))
    if surge(max_surge, 1) is None:
        lost.append(Unread(cluster.id, f"{at}.upgradeSettings.maxSurge is {max_surge!r}", "collect again"))
    peak = most + (surge(max_surge, most) or 0)
    if _stopped(cluster) or (pool.power_state and (pool.power_state.code or "").casefold() == "stopped"):
        return Need(Demand(0, 0, peak), tuple(shown), tuple(lost))
    return Need(Demand(count, count + (surge(max_surge, count) or 0), peak), tuple(shown), tuple(lost))


def _stopped(cluster: Cluster) -> bool:
    return bool(cluster.body.power_state and (cluster.body.power_state.code or "").casefold() == "stopped")


def _missing(cluster: Cluster, path: str) -> Unread:
    return Unread(cluster.id, f"{path} is not in its data", "grant Reader on the cluster and collect again")


def nodes_of_all(cluster: Cluster) -> Need:
    """The nodes of all pools of a cluster."""
    return Need.total([*(nodes_of(cluster, pool) for pool in cluster.pools), _hosted(cluster)])


def addresses_of(cluster: Cluster, subnet_key: str) -> Need:
    """The addresses that the nodes and pods of a cluster take of one subnet."""
    return Need.total([*(_of_pool(cluster, pool, subnet_key) for pool in cluster.pools), _hosted(cluster, subnet_key)])


def _hosted(cluster: Cluster, subnet_key: str | None = None) -> Need:
    """AKS Automatic places nodes of its own, in one subnet or in any: how many, no property says."""
    profile = cluster.body.hosted_system_profile
    named = {key_of(i) for i in (profile.system_node_subnet_id, profile.node_subnet_id) if i} if profile else set()
    if not (subnet_key in named if subnet_key is not None else named):
        return Need()
    return Need(unread=(Unread(cluster.id, "the number of nodes that AKS hosts is not in its data", ""),))


def _of_pool(cluster: Cluster, pool: AgentPool, subnet_key: str) -> Need:
    need = Need()
    nodes = nodes_of(cluster, pool)
    pods = pool.max_pods
    at = f"properties.agentPoolProfiles['{pool.name}']"
    shown = (cluster.show(f"{at}.maxPods", pods),)
    lost = () if pods else (_missing(cluster, f"{at}.maxPods"),)
    if key_of(pool.vnet_subnet_id or "") == subnet_key:
        need += nodes
        if cluster.plugin == "" and not pool.pod_subnet_id:
            need += Need(unread=(_missing(cluster, "properties.networkProfile.networkPlugin"),))
        elif cluster.plugin == "azure" and not cluster.overlay and not pool.pod_subnet_id:
            # Flat Azure CNI: each node takes the addresses of all its pods when it starts, used or not.
            need += Need(nodes.demand * (pods or 0), shown, lost)
    if key_of(pool.pod_subnet_id or "") == subnet_key:
        static = (pool.pod_ip_allocation_mode or "").casefold() == "staticblock"
        each = math.ceil((pods or 0) / BLOCK) * BLOCK if static else (pods or 0)
        need += Need(nodes.demand * each, (*nodes.evidence, *shown), (*nodes.unread, *lost))
    return need


@dataclass(frozen=True, slots=True)
class SubnetNeed:
    """What all clusters on a subnet need of it, with internal frontends and everybody else's addresses.

    `observed` are the addresses that the subnet's own list shows in use today.
    """

    need: Need
    others: int
    frontends: int
    observed: int


def subnet_need(inventory: Inventory, subnet: Subnet, clusters: Iterable[Cluster]) -> SubnetNeed:
    """The addresses needed of a subnet that these clusters use."""
    clusters = tuple(clusters)
    need = Need.total(addresses_of(cluster, subnet.key) for cluster in clusters)
    listed = [key_of(i) for i in ids(subnet.body.ip_configurations)]
    groups = {key_of(cluster.node_group_id or "") for cluster in clusters}
    frontends: set[str] = set()
    lost: list[Unread] = []
    for cluster in clusters:
        found = frontends_of(inventory, cluster)
        frontends |= {key_of(f.id) for f in found if key_of(f.subnet_id or "") == subnet.key}
        if found.missing is not None and subnet.body.ip_configurations is None:
            lost.append(found.missing)
    frontends |= {i for i in listed if "/loadbalancers/" in i and _group(i) in groups}
    strangers = [i for i in listed if i not in frontends and not (_group(i) in groups and _node(i))]
    others = max(len(strangers), len(ids(subnet.body.private_endpoints)))
    if subnet.body.ip_configurations is None or any(_node(i) for i in strangers):
        hidden = _hidden_clusters(inventory, subnet, clusters)
        lost += [hidden] if hidden is not None else []
    fixed = others + len(frontends)
    more = Need(Demand(fixed, fixed, fixed), (), tuple(lost))
    return SubnetNeed(need + more, others, len(frontends), len(listed))


def _group(key: str) -> str:
    """The resource group's folded id in a folded id."""
    try:
        found = ResourceId.parse(key).resource_group_id
    except ValueError:
        return ""
    return found.key if found else ""


def _node(configuration: str) -> bool:
    """Whether an address belongs to a node of some AKS cluster, by the names that AKS gives."""
    return "/virtualmachinescalesets/aks" in configuration or "/networkinterfaces/aks-" in configuration


def _hidden_clusters(inventory: Inventory, subnet: Subnet, clusters: Iterable[Cluster]) -> Unread | None:
    """Why other clusters may be on this subnet that nobody counted: the subnet's own list does not rule it out."""
    subscriptions = {subnet.subscription_id, *(cluster.subscription_id for cluster in clusters)}
    scopes = sorted(f"/subscriptions/{each}" for each in subscriptions if each)
    listing = inventory.listing(Cluster, scopes)
    if listing.missing is not None:
        return listing.missing
    for cluster in listing:
        if cluster.subscription_id in subscriptions and isinstance(found := footprint(inventory, cluster), Unread):
            return found
    return None
