"""The compute or extension asks for an internal load balancer.

## What it checks
What Azure ML was told, not what is there: for a v1 `AKS` compute `properties.properties.loadBalancerType` and
`loadBalancerSubnet`; for the extension the settings `inferenceRouterServiceType` and `internalLoadBalancerProvider`
(keys and values without case).

- passes: v1 `InternalLoadBalancer` with a subnet of the cluster's network; v2 `LoadBalancer` with provider `azure`, or
  `clusterIP`;
- warns: v1 without a named subnet (the cluster's default one is used); v2 `nodePort`;
- fails: v1 `PublicIp`, unset among other settings, or a subnet that is not in the cluster's network; v2 `LoadBalancer`
  without the provider;
- is unknown where the compute's inner properties are null or the extension's settings were not read.

## Why it matters
The default is a public load balancer: scoring requests then enter from the Internet.

## Not concerned
Extensions without inference, and v2 computes, whose setting is the extension's.

## Limits
What is in effect there is `aks-public-inference-frontend`. A switch can be pending while the cluster's identity lacks
rights: then the provisioning state tells. The scoring DNS name does not follow by itself and is out of sight.
The v1 command is documented but retired: migrate to v2. The v2 command needs the CLI extension `k8s-extension`. Both
are untested with the CLI.
"""

from collections.abc import Iterator

from auditor.api import (
    Cluster,
    Compute,
    Evidence,
    Extension,
    Inventory,
    Mend,
    Severity,
    Source,
    Subnet,
    Unread,
    Verdict,
    check,
    failed,
    footprint,
    inference_on,
    key_of,
    not_applicable,
    passed,
    unknown,
    warned,
)

INNER = "properties.properties"
SETTINGS = "properties.configurationSettings"
V1 = Mend.by(
    "set the internal load balancer on the compute (CLI v1, retired: better migrate to the extension)",
    (
        "az", "ml", "computetarget", "update", "aks", "-n", "{name}", "--load-balancer-type", "InternalLoadBalancer",
        "--load-balancer-subnet", "{suggested}", "-w", "{workspace}", "-g", "{resource_group}",
    ),
)  # fmt: skip
V2 = Mend.by(
    "tell the extension to use an internal load balancer; versions that cannot change it need a new installation",
    (
        "az", "k8s-extension", "update", "-g", "{cluster_group}", "-c", "{cluster}", "-t", "managedClusters",
        "-n", "{name}", "--configuration-settings", "inferenceRouterServiceType=LoadBalancer",
        "internalLoadBalancerProvider=azure",
    ),
)  # fmt: skip


def _concerned(subject: Compute | Extension, inventory: Inventory) -> bool:
    """v1 computes and Azure ML's extensions; a v2 compute's setting is its extension's."""
    return isinstance(subject, Extension) or subject.compute_type == "aks"


@check(
    id="aml-aks-internal-lb",
    severity=Severity.HIGH,
    source=Source("AML-V1-INF", "Internal AKS load balancer", "/machine-learning/v1/how-to-secure-inferencing-vnet"),
    mend=V2,
    clauses=("S16", "S17"),
    reads=("microsoft.containerservice/managedclusters", "microsoft.network/virtualnetworks/subnets"),
    where=_concerned,
)
def aks_internal_lb(subject: Compute | Extension, inventory: Inventory) -> Iterator[Verdict]:
    yield _of_compute(subject, inventory) if isinstance(subject, Compute) else _of_extension(subject)


def _of_compute(compute: Compute, inventory: Inventory) -> Verdict:
    settings = compute.body.properties
    facts = {"compute": compute.name, "workspace": compute.workspace_id.rsplit("/", 1)[-1]}
    if settings is None:
        return unknown(
            "compute-properties-null",
            "the settings of {compute} are not in its data ({path} is null)",
            compute.show(INNER, None),
            path=INNER,
            hint="read the compute with an API version of 2022-10-01 or later",
            **facts,
        )
    shown = (
        compute.show(f"{INNER}.loadBalancerType", settings.load_balancer_type),
        compute.show(f"{INNER}.loadBalancerSubnet", settings.load_balancer_subnet),
        *_pending(compute),
    )
    if key_of(settings.load_balancer_type or "") != "internalloadbalancer":
        if settings == type(settings)():
            return unknown(
                "compute-properties-null",
                "none of the settings of {compute} is in its data",
                *shown,
                hint="read the compute with an API version of 2022-10-01 or later",
                **facts,
            )
        return failed(
            "public-ip",
            "{compute} asks for a load balancer of type {type}, which is public",
            *shown,
            type=settings.load_balancer_type or "PublicIp (by default)",
            mend=V1,
            suggested=_a_node_subnet(compute, inventory),
            **facts,
        )
    name = settings.load_balancer_subnet
    if not name:
        return warned(
            "no-subnet",
            "{compute} asks for an internal load balancer without naming its subnet: the cluster's default is used",
            *shown,
            mend=V1,
            suggested=_a_node_subnet(compute, inventory),
            **facts,
        )
    return _subnet_named(compute, inventory, name, shown, facts)


def _subnet_named(
    compute: Compute, inventory: Inventory, name: str, shown: tuple[Evidence, ...], facts: dict[str, str]
) -> Verdict:
    networks = _networks(compute, inventory)
    if isinstance(networks, Unread):
        return unknown(
            networks.reason,
            "{compute} names the subnet {subnet}, but the cluster's network could not be read: {why}",
            *shown,
            subnet=name,
            why=networks.why,
            hint=networks.hint,
            **facts,
        )
    lost = None
    for network_id in networks:
        found = inventory.find(Subnet, f"{network_id}/subnets/{name}")
        if not isinstance(found, Unread):
            return passed(
                "internal",
                "{compute} asks for an internal load balancer in {subnet}",
                *shown,
                subnet=name,
                related=[found.id],
                **facts,
            )
        if found.reason != "absent":
            lost = found
    if lost is not None:
        return unknown(
            "subnet-unread",
            "{compute} names the subnet {subnet}, which could not be read: {why}",
            *shown,
            subnet=name,
            why=lost.why,
            hint=lost.hint,
            **facts,
        )
    return failed(
        "subnet-not-in-network",
        "{compute} names the subnet {subnet}, which the cluster's network does not have",
        *shown,
        subnet=name,
        mend=V1,
        suggested=_a_node_subnet(compute, inventory),
        **facts,
    )


def _networks(compute: Compute, inventory: Inventory) -> tuple[str, ...] | Unread:
    cluster = inventory.find(Cluster, compute.body.resource_id)
    if isinstance(cluster, Unread):
        return Unread(cluster.what, cluster.why, cluster.hint, "cluster-unreadable")
    used = footprint(inventory, cluster)
    return used if isinstance(used, Unread) else tuple(network.id for network in used.networks)


def _a_node_subnet(compute: Compute, inventory: Inventory) -> str | None:
    """The name of a subnet that the cluster's nodes use, for the command."""
    cluster = inventory.find(Cluster, compute.body.resource_id)
    used = footprint(inventory, cluster) if isinstance(cluster, Cluster) else None
    if used is None or isinstance(used, Unread) or not used.uses:
        return None
    return used.uses[0].id.rsplit("/", 1)[-1]


def _pending(compute: Compute) -> tuple[Evidence, ...]:
    """A change that has not arrived: the setting is the wish, the state tells whether it came true."""
    state = compute.body.provisioning_state
    if not state or state.casefold() == "succeeded":
        return ()
    return (compute.show("properties.provisioningState", state, "the last change has not succeeded"),)


def _of_extension(extension: Extension) -> Verdict:
    settings = extension.body.configuration_settings
    cluster = extension.cluster_id.rsplit("/", 1)[-1]
    facts = {
        "extension": extension.name,
        "cluster": cluster,
        "cluster_group": extension.resource_group,
        "cluster_subscription": extension.subscription_id,
    }
    if settings is None:
        return unknown(
            "settings-unread",
            "the settings of {extension} on {cluster} are not in its data",
            extension.show(SETTINGS, None),
            hint="grant Microsoft.KubernetesConfiguration/extensions/read on the cluster",
            **facts,
        )
    if not inference_on(extension):
        shown = extension.show(f"{SETTINGS}.enableInference", settings.enable_inference)
        return not_applicable("no-inference", "{extension} on {cluster} serves no inference", shown, **facts)
    service = key_of(settings.inference_router_service_type or "")
    provider = key_of(settings.internal_load_balancer_provider or "")
    evidence = (
        extension.show(f"{SETTINGS}.inferenceRouterServiceType", settings.inference_router_service_type),
        extension.show(f"{SETTINGS}.internalLoadBalancerProvider", settings.internal_load_balancer_provider),
    )
    match service:
        case "loadbalancer" if provider == "azure":
            return passed("internal", "{extension} on {cluster} asks for an internal load balancer", *evidence, **facts)
        case "loadbalancer":
            return failed(
                "public-ip",
                "{extension} on {cluster} asks for a load balancer without internalLoadBalancerProvider=azure: a "
                "public one",
                *evidence,
                **facts,
            )
        case "clusterip":
            return passed(
                "cluster-ip", "{extension} on {cluster} exposes inference inside the cluster only", *evidence, **facts
            )
        case "nodeport":
            return warned(
                "node-port", "{extension} on {cluster} exposes inference on a port of every node", *evidence, **facts
            )
        case _:
            return unknown(
                "service-type-unset",
                "{extension} on {cluster} shows no inferenceRouterServiceType that is known: {value}",
                *evidence,
                value=settings.inference_router_service_type or "unset",
                hint="read the extension's settings through ARM",
                **facts,
            )
