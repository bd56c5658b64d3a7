"""The inference router requires TLS.

## What it checks
For the extension `configurationSettings.allowInsecureConnections` (with `sslCname`), for a v1 compute
`properties.properties.sslConfiguration.status`.

- passes: v2 false or unset; v1 `Enabled` or `Auto`;
- warns: plain HTTP is allowed, and no public frontend serves inference;
- fails: plain HTTP is allowed, and a public frontend serves inference;
- is unknown where the settings could not be read, or, with plain HTTP, the frontends.

## Why it matters
Scoring requests carry keys or tokens and the data to be scored. Over HTTP everybody on the way reads them. Azure ML
calls HTTP fit for development only.

## Not concerned
Extensions without inference. A v2 compute's router is its extension's.

## Limits
Certificate and key are protected settings that a scan never reads: whether the certificate is valid is not known. The
command needs the CLI extension `k8s-extension`, with which it is untested.
"""

from collections.abc import Iterator
from typing import Any

from auditor.api import (
    Cluster,
    Compute,
    Evidence,
    Extension,
    Inventory,
    Mend,
    Severity,
    Source,
    Unread,
    Verdict,
    check,
    failed,
    inference_on,
    not_applicable,
    passed,
    resource_name,
    serves_publicly,
    unknown,
    warned,
)

SETTINGS = "properties.configurationSettings"
STATUS = "properties.properties.sslConfiguration.status"
V1 = Mend.by(
    "give the v1 compute a certificate by the SDK of v1 (`AksCompute.update` with an SSL configuration), or better "
    "migrate to the extension"
)
V2 = Mend.by(
    "give the extension a certificate (`sslSecret`, or `sslCertPemFile` and `sslKeyPemFile` as protected settings) and "
    "its name, then shut plain HTTP off",
    (
        "az", "k8s-extension", "update", "-g", "{cluster_group}", "-c", "{cluster}", "-t", "managedClusters",
        "-n", "{name}", "--configuration-settings", "allowInsecureConnections=False", "sslCname={cname}",
    ),
)  # fmt: skip


def _mine(subject: Compute | Extension, inventory: Inventory) -> bool:
    """Extensions, and v1 computes."""
    return isinstance(subject, Extension) or subject.compute_type == "aks"


@check(
    id="aml-inference-tls",
    severity=Severity.MEDIUM,
    source=Source("AML-K8S-EXT", "Review extension settings", "/machine-learning/how-to-deploy-kubernetes-extension"),
    mend=V2,
    reads=(
        "microsoft.containerservice/managedclusters",
        "microsoft.network/loadbalancers",
        "microsoft.network/publicipaddresses",
        "microsoft.machinelearningservices/workspaces/onlineendpoints",
    ),
    where=_mine,
)
def inference_tls(subject: Compute | Extension, inventory: Inventory) -> Iterator[Verdict]:
    yield _of_compute(subject, inventory) if isinstance(subject, Compute) else _of_extension(subject, inventory)


def _of_extension(extension: Extension, inventory: Inventory) -> Verdict:
    settings = extension.body.configuration_settings
    facts: dict[str, Any] = {
        "router": f"{extension.name} on {resource_name(extension.cluster_id)}",
        "cluster": resource_name(extension.cluster_id),
        "cluster_group": extension.resource_group,
        "cluster_subscription": extension.subscription_id,
    }
    if settings is None:
        return unknown(
            "settings-unread",
            "the settings of {router} are not in its data",
            extension.show(SETTINGS, None),
            hint="grant Microsoft.KubernetesConfiguration/extensions/read on the cluster",
            **facts,
        )
    if not inference_on(extension):
        shown = extension.show(f"{SETTINGS}.enableInference", settings.enable_inference)
        return not_applicable("no-inference", "{router} serves no inference", shown, **facts)
    evidence = (
        extension.show(f"{SETTINGS}.allowInsecureConnections", settings.allow_insecure_connections),
        extension.show(f"{SETTINGS}.sslCname", settings.ssl_cname),
    )
    insecure = str(settings.allow_insecure_connections or "false").strip().casefold()
    if insecure == "false":
        return passed("tls", "{router} takes TLS connections only", *evidence, **facts)
    if insecure != "true":
        return unknown(
            "insecure-unheard-of",
            "whether {router} allows plain HTTP is not known: allowInsecureConnections says {value}",
            *evidence,
            value=settings.allow_insecure_connections,
            hint="set it to True or False",
            **facts,
        )
    return _plain(inventory, extension.cluster_id, V2, evidence, facts | {"cname": settings.ssl_cname})


def _of_compute(compute: Compute, inventory: Inventory) -> Verdict:
    settings = compute.body.properties
    ssl = settings.ssl_configuration if settings else None
    status = (ssl.status if ssl else None) or ""
    shown = compute.show(STATUS, status or None)
    facts: dict[str, Any] = {"router": compute.name}
    match status.casefold():
        case "enabled" | "auto":
            return passed("tls", "{router} takes TLS connections only", shown, **facts)
        case "disabled":
            return _plain(inventory, compute.body.resource_id or "", V1, (shown,), facts)
        case _:
            return unknown(
                "ssl-unread",
                "the SSL configuration of {router} is not in its data, or says something unheard of: {status}",
                shown,
                status=status or "nothing",
                hint="read the compute with an API version of 2022-10-01 or later",
                **facts,
            )


def _plain(
    inventory: Inventory, cluster_id: str, mend: Mend, shown: tuple[Evidence, ...], facts: dict[str, Any]
) -> Verdict:
    """Plain HTTP is allowed: how bad that is hangs on where the router answers."""
    cluster = inventory.find(Cluster, cluster_id)
    public = cluster if isinstance(cluster, Unread) else serves_publicly(inventory, cluster)
    if isinstance(public, Unread):
        return unknown(
            "frontends-unread",
            "{router} allows plain HTTP; whether it does so at a public address is not known: {why}",
            *shown,
            mend=mend,
            why=public.why,
            hint=public.hint,
            **facts,
        )
    if public:
        return failed("plain-http-public", "{router} allows plain HTTP at a public address", *shown, mend=mend, **facts)
    return warned("plain-http", "{router} allows plain HTTP inside the network", *shown, mend=mend, **facts)
