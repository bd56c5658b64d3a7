"""Which clusters Azure ML infers on (requirements 2.1): computes of workspaces, and the extension on the cluster."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from auditor.inventory import Inventory
from auditor.inventory.records import Cluster, Compute, Extension, Workspace, key_of
from auditor.values import Listing, Unread

_KUBERNETES_COMPUTES = ("aks", "kubernetes")


@dataclass(frozen=True, slots=True)
class Attachment:
    """What ties a cluster to Azure ML. `missing` says what could still tie it and was not read."""

    computes: tuple[Compute, ...]
    extensions: tuple[Extension, ...]
    missing: Unread | None

    @property
    def attached(self) -> bool | Unread:
        """True and False are proved; a cluster without a sign of attachment is undecided while something is unread."""
        if self.computes or self.extensions:
            return True
        return self.missing if self.missing is not None else False


def attachment(inventory: Inventory, cluster: Cluster) -> Attachment:
    """The computes and extensions that name a cluster."""

    def index() -> tuple[dict[str, list[Compute]], dict[str, list[Extension]], Unread | None]:
        computes: dict[str, list[Compute]] = defaultdict(list)
        for compute in inventory.every(Compute):
            if compute.compute_type in _KUBERNETES_COMPUTES and compute.body.resource_id:
                computes[key_of(compute.body.resource_id)].append(compute)
        extensions: dict[str, list[Extension]] = defaultdict(list)
        for extension in inventory.every(Extension):
            if extension.azure_ml:
                extensions[key_of(extension.cluster_id)].append(extension)
        return computes, extensions, computes_unread(inventory)

    computes, extensions, unread = inventory.remember("links", index)
    missing = unread or inventory.coverage.unread(Extension.TYPE, cluster.key)
    if missing is None:
        missing = next(
            (bad.unread for bad in inventory.broken(Extension) if key_of(bad.id).startswith(cluster.key + "/")), None
        )
    return Attachment(tuple(computes.get(cluster.key, ())), tuple(extensions.get(cluster.key, ())), missing)


def computes_unread(inventory: Inventory) -> Unread | None:
    """Why some compute of some workspace may be unseen, or None."""
    for bad in (*inventory.broken(Workspace), *inventory.broken(Compute)):
        return bad.unread
    for compute in inventory.every(Compute):
        linked = compute.compute_type in _KUBERNETES_COMPUTES
        if not compute.compute_type or (linked and not compute.body.resource_id):
            return Unread(
                compute.id, "its type or what it attaches is not in its data", "collect again", "compute-unread"
            )
    for workspace in inventory.every(Workspace):
        missing = inventory.coverage.unread(Compute.TYPE, workspace.key)
        if missing is not None:
            return missing
    for subscription in inventory.subscriptions():
        missing = inventory.coverage.unread(Workspace.TYPE, f"/subscriptions/{subscription}")
        if missing is not None:
            return missing
    return None


def workspaces_of(inventory: Inventory, cluster: Cluster) -> Listing[Workspace]:
    """The workspaces that a cluster is attached to; `missing` where one may be unseen."""
    tie = attachment(inventory, cluster)
    found: dict[str, Workspace] = {}
    missing = tie.missing
    for compute in tie.computes:
        match inventory.find(Workspace, compute.workspace_id):
            case Unread() as unread:
                missing = missing or unread
            case workspace:
                found[workspace.key] = workspace
    return Listing(tuple(found[key] for key in sorted(found)), missing)


def clusters_of(inventory: Inventory, workspace: Workspace) -> tuple[Cluster | Unread, ...]:
    """The AKS clusters that a workspace's computes name; Arc clusters are left out."""
    found: dict[str, Cluster | Unread] = {}
    for compute in inventory.every(Compute):
        if key_of(compute.workspace_id) != workspace.key or compute.compute_type not in _KUBERNETES_COMPUTES:
            continue
        target = compute.body.resource_id or ""
        if "/microsoft.containerservice/managedclusters/" in target.casefold():
            found[key_of(target)] = inventory.find(Cluster, target)
    return tuple(found[key] for key in sorted(found))


def inference_on(extension: Extension) -> bool:
    """Whether the extension serves inference: `enableInference` is set and does not say `false`, in any casing.

    Only `false` proves that it does not: a value unheard of (`yes`, `1`) is judged as one that serves.
    """
    settings = extension.body.configuration_settings
    return settings is not None and str(settings.enable_inference or "false").strip().casefold() != "false"


def asked_internal(tie: Attachment) -> bool:
    """Whether Azure ML was told to serve inside the network: an internal load balancer, or a cluster address."""
    for extension in tie.extensions:
        settings = extension.body.configuration_settings
        service = key_of((settings.inference_router_service_type if settings else None) or "")
        provider = key_of((settings.internal_load_balancer_provider if settings else None) or "")
        if service == "clusterip" or (service == "loadbalancer" and provider == "azure"):
            return True
    return any(
        c.body.properties and key_of(c.body.properties.load_balancer_type or "") == "internalloadbalancer"
        for c in tie.computes
    )


def infers(inventory: Inventory, cluster: Cluster) -> bool | Unread:
    """Whether Azure ML inference runs on the cluster: v1 computes always, v2 where the extension enables it."""
    tie = attachment(inventory, cluster)
    if any(inference_on(extension) for extension in tie.extensions):
        return True
    if any(compute.compute_type == "aks" for compute in tie.computes):
        return True
    if tie.missing is not None:
        return tie.missing
    for extension in tie.extensions:
        if extension.body.configuration_settings is None:
            return Unread(
                extension.id,
                "the extension's settings are not in its data",
                "read the extension through ARM",
                "settings-unread",
            )
    if tie.computes and not tie.extensions:
        return Unread(
            cluster.id,
            "a Kubernetes compute names the cluster, but no extension was seen on it",
            "check the extension with `az k8s-extension list`",
            "extension-missing",
        )
    return False
