"""No retired networking feature is in use.

## What it checks
One verdict a feature, each a part of its own, so that drift is told of the feature:

- `kubenet`: `networkPlugin` is `kubenet`, retired on 31 March 2028;
- `basic-load-balancer`: `loadBalancerSku` is `basic`, retired on 30 September 2025; unset means `standard`;
- `default-outbound`: availability-set pools with outbound type `loadBalancer` and no effective outbound address, whose
  nodes rely on default outbound access: warns only, since own networks are said to be unaffected;
- `azure-npm`: `networkPolicy` is `azure`, retired on 30 September 2026 with Windows pools, on 30 September 2028 else;
- `v1-compute`: an Azure ML compute of type `AKS`; SDK v1 ended on 30 June 2026, nine months after CLI v1.

Each passes where the feature is not used, warns before its date, fails from its date on, and is unknown where the
property or the computes could not be read. The date is compared with that of the scan.

## Why it matters
A retired feature is no longer repaired. Clusters on it drop out of support, and upgrades can be refused.

## Not concerned
Nothing: each AKS cluster is judged.

## Limits
Dates are the public cloud's. Those of other clouds are not published: there the check warns at most.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from auditor.api import (
    Cluster,
    Evidence,
    Inventory,
    Mend,
    Severity,
    Source,
    Verdict,
    attachment,
    check,
    failed,
    passed,
    unknown,
    warned,
)

NETWORK = "properties.networkProfile"
UPDATE = ("az", "aks", "update", "-g", "{resource_group}", "-n", "{name}")


@dataclass(frozen=True, slots=True)
class _Feature:
    """A retired feature: `part` is its key, `until` the public cloud's date."""

    part: str
    until: date
    mend: Mend


KUBENET = _Feature(
    "kubenet",
    date(2028, 3, 31),
    Mend.by(
        "move the cluster to Azure CNI Overlay; nodes are replaced, and a route table on the subnet is no longer used",
        (*UPDATE, "--network-plugin", "azure", "--network-plugin-mode", "overlay"),
    ),
)
BASIC = _Feature(
    "basic-load-balancer",
    date(2025, 9, 30),
    Mend.by(
        "switch to a standard load balancer where AKS offers it, else re-create the cluster; addresses change",
        (*UPDATE, "--load-balancer-sku", "standard"),
    ),
)
NPM_WINDOWS = _Feature(
    "azure-npm", date(2026, 9, 30), Mend.by("use Calico on Windows pools, after moving Linux pools to Cilium")
)
NPM_LINUX = _Feature(
    "azure-npm",
    date(2028, 9, 30),
    Mend.by("move the cluster to Azure CNI powered by Cilium", (*UPDATE, "--network-dataplane", "cilium")),
)
V1 = _Feature(
    "v1-compute",
    date(2026, 6, 30),
    Mend.by(
        "install Azure ML's extension on a cluster, attach it as a compute of type Kubernetes, deploy the models to "
        "online endpoints, then detach the v1 compute"
    ),
)
DEFAULT_OUTBOUND = "default-outbound"
EXPLICIT_EGRESS = Mend.by(
    "give the nodes egress of their own: a standard load balancer's outbound rule or a NAT gateway"
)


@check(
    id="aks-retiring-features",
    severity=Severity.MEDIUM,
    source=Source("AKS-KUBENET", "Retirement notice", "/aks/configure-kubenet"),
    mend=Mend.by("replace the feature before its date"),
    reads=("microsoft.machinelearningservices/workspaces/computes",),
)
def retiring_features(cluster: Cluster, inventory: Inventory) -> Iterator[Verdict]:
    yield _kubenet(cluster, inventory)
    yield _basic(cluster, inventory)
    yield _default_outbound(cluster)
    yield _npm(cluster, inventory)
    yield _v1(cluster, inventory)


def _used(feature: _Feature, what: str, inventory: Inventory, *shown: Evidence, **facts: Any) -> Verdict:
    more = {"feature": what, "date": feature.until.isoformat(), "part": feature.part, "mend": feature.mend, **facts}
    if inventory.cloud != "public":
        return warned(
            "retired-in-public-cloud",
            "{cluster} uses {feature}, whose retirement is on {date}, the public cloud's date",
            *shown,
            **more,
        )
    if inventory.taken_at.date() >= feature.until:
        return failed("retired", "{cluster} uses {feature}, retired since {date}", *shown, **more)
    return warned("retiring", "{cluster} uses {feature}, to be retired on {date}", *shown, **more)


def _unused(part: str, cluster: Cluster, *shown: Evidence) -> Verdict:
    return passed("not-used", "{cluster} does not use {feature}", *shown, part=part, cluster=cluster.name, feature=part)


def _unread(part: str, cluster: Cluster, path: str) -> Verdict:
    return unknown(
        "property-unread",
        "whether {cluster} uses {feature} is not known: {path} is not in its data",
        cluster.show(path, None),
        part=part,
        cluster=cluster.name,
        feature=part,
        path=path,
        hint="grant Reader on the cluster and collect again",
    )


def _kubenet(cluster: Cluster, inventory: Inventory) -> Verdict:
    path = f"{NETWORK}.networkPlugin"
    if not cluster.plugin:
        return _unread(KUBENET.part, cluster, path)
    shown = cluster.show(path, cluster.network.network_plugin if cluster.network else None)
    if cluster.plugin == "kubenet":
        return _used(KUBENET, "networkPlugin kubenet", inventory, shown, cluster=cluster.name)
    return _unused(KUBENET.part, cluster, shown)


def _basic(cluster: Cluster, inventory: Inventory) -> Verdict:
    path = f"{NETWORK}.loadBalancerSku"
    if cluster.network is None:
        return _unread(BASIC.part, cluster, path)
    sku = cluster.network.load_balancer_sku
    shown = cluster.show(path, sku, "unset means standard")
    if (sku or "").casefold() == "basic":
        return _used(BASIC, "loadBalancerSku basic", inventory, shown, cluster=cluster.name)
    return _unused(BASIC.part, cluster, shown)


def _default_outbound(cluster: Cluster) -> Verdict:
    if cluster.network is None or cluster.body.agent_pool_profiles is None:
        return _unread(DEFAULT_OUTBOUND, cluster, "properties.agentPoolProfiles")
    pools = [pool.name for pool in cluster.pools if (pool.type or "").casefold() == "availabilityset"]
    profile = cluster.network.load_balancer_profile
    shown = (
        cluster.show("properties.agentPoolProfiles[].type", [pool.type for pool in cluster.pools]),
        cluster.show(f"{NETWORK}.outboundType", cluster.network.outbound_type),
        cluster.show(
            f"{NETWORK}.loadBalancerProfile.effectiveOutboundIPs",
            [one.id for one in (profile.effective_outbound_ips if profile else None) or ()],
        ),
    )
    if not pools or cluster.outbound_type != "loadbalancer" or (profile and profile.effective_outbound_ips):
        return _unused(DEFAULT_OUTBOUND, cluster, *shown)
    return warned(
        "default-outbound-access",
        "the availability sets {pools} of {cluster} have no egress of their own and rely on default outbound access",
        *shown,
        part=DEFAULT_OUTBOUND,
        cluster=cluster.name,
        pools=pools,
        mend=EXPLICIT_EGRESS,
    )


def _npm(cluster: Cluster, inventory: Inventory) -> Verdict:
    path = f"{NETWORK}.networkPolicy"
    if cluster.network is None:
        return _unread(NPM_LINUX.part, cluster, path)
    policy = cluster.network.network_policy
    shown = cluster.show(path, policy, "unset means none")
    if (policy or "").casefold() != "azure":
        return _unused(NPM_LINUX.part, cluster, shown)
    if cluster.body.agent_pool_profiles is None:
        return _unread(NPM_LINUX.part, cluster, "properties.agentPoolProfiles")
    systems = [pool.os_type or "Linux" for pool in cluster.pools]
    windows = any(system.casefold() == "windows" for system in systems)
    return _used(
        NPM_WINDOWS if windows else NPM_LINUX,
        "networkPolicy azure",
        inventory,
        shown,
        cluster.show("properties.agentPoolProfiles[].osType", systems),
        cluster=cluster.name,
    )


def _v1(cluster: Cluster, inventory: Inventory) -> Verdict:
    tie = attachment(inventory, cluster)
    computes = [compute for compute in tie.computes if compute.compute_type == "aks"]
    if computes:
        return _used(
            V1,
            "computeType AKS",
            inventory,
            *(compute.show("properties.computeType", compute.body.compute_type) for compute in computes),
            related=[compute.id for compute in computes],
            cluster=cluster.name,
        )
    if tie.missing is not None:
        return unknown(
            "computes-unread",
            "whether an Azure ML compute of v1 uses {cluster} is not known: {why}",
            part=V1.part,
            cluster=cluster.name,
            why=tie.missing.why,
            hint=tie.missing.hint,
        )
    return _unused(V1.part, cluster, *(c.show("properties.computeType", c.body.compute_type) for c in tie.computes))
