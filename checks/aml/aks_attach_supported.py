"""The attachment is of a supported kind.

## What it checks
Each compute that attaches an AKS cluster. For v2 (`Kubernetes`): a managed identity (`identity` of the cluster), local
accounts (`disableLocalAccounts` not true), the workspace's subscription, the workspace's region, Azure ML's extension
on the cluster, and `provisioningState` of compute and extension. For v1 (`AKS`) only subscription and region apply.
And each extension of Azure ML that no compute names.

- passes if all of it holds;
- warns on another region without a private endpoint of the workspace, an extension without compute or the reverse, and
  a compute or extension that is not in state `Succeeded` or reports an error;
- fails on a cluster that does not exist, a service principal, local accounts that are off, another subscription, and
  another region where the workspace has a private endpoint;
- is unknown where something that decides could not be read.

## Why it matters
An unsupported attachment may work until the next update of the extension or the cluster, and deployments then fail
without a change of one's own. A compute without its extension cannot deploy at all.

## Not concerned
Arc-connected clusters: the rules of AKS do not bind them. Only the state of their computes is judged.

## Limits
v1 documents allowed service principals, so v1 computes are not held against them. The commands of identity and local
accounts change the cluster; node pools are re-created after a change of identity. The command that detaches a compute
needs the CLI extension `ml`, with which it is untested.
"""

from collections.abc import Iterator
from typing import Any

from auditor.api import (
    Cluster,
    Compute,
    Extension,
    Inventory,
    Mend,
    ResourceId,
    Severity,
    Source,
    Unread,
    Verdict,
    Workspace,
    attachment,
    check,
    computes_unread,
    failed,
    has_private_endpoint,
    key_of,
    not_applicable,
    passed,
    region_key,
    resource_name,
    unknown,
    warned,
)

UPDATE = ("az", "aks", "update", "-g", "{cluster_group}", "-n", "{cluster}")
IDENTITY = Mend.by(
    "give the cluster a managed identity, then re-create its node pools",
    (*UPDATE, "--enable-managed-identity", "--yes"),
)
ACCOUNTS = Mend.by("switch local accounts on", (*UPDATE, "--enable-local-accounts"))
ATTACH_HERE = Mend.by("attach a cluster of the workspace's own subscription and region instead")
DETACH = Mend.by(
    "detach the compute, whose cluster is gone",
    ("az", "ml", "compute", "detach", "-n", "{name}", "-w", "{workspace}", "-g", "{resource_group}", "-y"),
)
INSTALL = Mend.by("install Azure ML's extension on the cluster again, or detach the compute")
REPAIR = Mend.by("look at the errors of the compute and the extension, and attach the cluster again once they are gone")
UNUSED = Mend.by("attach the cluster to a workspace, or remove the extension")


def _mine(subject: Compute | Extension, inventory: Inventory) -> bool:
    """Computes that attach a cluster, and extensions that no compute goes with."""
    if isinstance(subject, Compute):
        return subject.compute_type in ("aks", "kubernetes")
    return key_of(subject.cluster_id) not in _targets(inventory)


def _targets(inventory: Inventory) -> frozenset[str]:
    """The clusters that computes name."""
    return inventory.remember(
        "aml-aks-attach-supported",
        lambda: frozenset(
            key_of(c.body.resource_id)
            for c in inventory.every(Compute)
            if c.compute_type in ("aks", "kubernetes") and c.body.resource_id
        ),
    )


@check(
    id="aml-aks-attach-supported",
    severity=Severity.MEDIUM,
    source=Source(
        "AML-K8S-EXT", "Prerequisites and limitations", "/machine-learning/how-to-deploy-kubernetes-extension"
    ),
    mend=ATTACH_HERE,
    reads=(
        "microsoft.containerservice/managedclusters",
        "microsoft.machinelearningservices/workspaces",
        "microsoft.kubernetesconfiguration/extensions",
        "microsoft.network/privateendpoints",
    ),
    where=_mine,
)
def aks_attach_supported(subject: Compute | Extension, inventory: Inventory) -> Iterator[Verdict]:
    if isinstance(subject, Extension):
        yield _lonely(subject, inventory)
        return
    target = subject.body.resource_id or ""
    facts: dict[str, Any] = {"compute": subject.name, "workspace": resource_name(subject.workspace_id)}
    if "/microsoft.kubernetes/connectedclusters/" in target.casefold():
        yield from list(_state(subject, facts)) or [
            not_applicable(
                "arc-cluster",
                "{compute} attaches an Arc-connected cluster",
                subject.show("properties.resourceId", target),
                **facts,
            )
        ]
        return
    if "/microsoft.containerservice/managedclusters/" not in target.casefold():
        yield unknown(
            "target-unread",
            "{compute} does not show which cluster it attaches",
            subject.show("properties.resourceId", target or None),
            hint="grant Microsoft.MachineLearningServices/workspaces/computes/read and collect again",
            **facts,
        )
        return
    facts |= _of_target(target)
    problems = list(_problems(subject, inventory, target, facts))
    yield from problems or [
        passed(
            "supported",
            "{compute} attaches {cluster} in a supported way",
            subject.show("properties.resourceId", target),
            subject.show("properties.provisioningState", subject.body.provisioning_state),
            related=[target],
            **facts,
        )
    ]


def _of_target(target: str) -> dict[str, Any]:
    parsed = ResourceId.parse(target)
    return {
        "cluster": resource_name(target),
        "cluster_group": parsed.resource_group,
        "cluster_subscription": parsed.subscription_id,
    }


def _problems(compute: Compute, inventory: Inventory, target: str, facts: dict[str, Any]) -> Iterator[Verdict]:
    cluster = inventory.find(Cluster, target)
    shown = compute.show("properties.resourceId", target)
    if isinstance(cluster, Unread) and cluster.reason == "absent":
        yield failed(
            "cluster-missing", "{compute} attaches {cluster}, which does not exist", shown, mend=DETACH, **facts
        )
        return
    if ResourceId.parse(target).subscription_id != compute.subscription_id:
        yield failed(
            "other-subscription",
            "{compute} attaches {cluster} of another subscription than the workspace's",
            shown,
            **facts,
        )
    if compute.compute_type == "kubernetes":
        yield from _state(compute, facts)
    if isinstance(cluster, Unread):
        yield unknown(
            "cluster-unread",
            "{cluster}, which {compute} attaches, could not be read: {why}",
            shown,
            why=cluster.why,
            hint=cluster.hint,
            **facts,
        )
        return
    yield from _region(compute, inventory, cluster, facts)
    if compute.compute_type == "kubernetes":
        yield from _accounts(cluster, facts)
        yield from _extension(inventory, cluster, facts)


def _state(compute: Compute, facts: dict[str, Any]) -> Iterator[Verdict]:
    state = compute.body.provisioning_state
    if not state:
        yield unknown(
            "state-unread",
            "the provisioning state of {compute} is not in its data",
            compute.show("properties.provisioningState", None),
            hint="collect again",
            **facts,
        )
    elif state.casefold() != "succeeded":
        errors = [one.error.code for one in compute.body.provisioning_errors or () if one.error and one.error.code]
        yield warned(
            "compute-not-succeeded",
            "{compute} is in state {state}, with the errors {errors}",
            compute.show("properties.provisioningState", state),
            compute.show("properties.provisioningErrors[].error.code", errors),
            mend=REPAIR,
            state=state,
            errors=errors or ["none shown"],
            **facts,
        )


def _region(compute: Compute, inventory: Inventory, cluster: Cluster, facts: dict[str, Any]) -> Iterator[Verdict]:
    workspace = inventory.find(Workspace, compute.workspace_id)
    if isinstance(workspace, Unread):
        yield unknown(
            "workspace-unread",
            "{workspace}, the workspace of {compute}, could not be read: {why}",
            why=workspace.why,
            hint=workspace.hint,
            **facts,
        )
        return
    shown = (workspace.show("location", workspace.location), cluster.show("location", cluster.location))
    if not workspace.location or not cluster.location:
        yield unknown(
            "region-unread",
            "the regions of {workspace} and {cluster} are not both in their data",
            *shown,
            hint="collect again",
            **facts,
        )
        return
    if region_key(workspace.location) == region_key(cluster.location):
        return
    facts = {**facts, "region": cluster.location, "expected": workspace.location}
    match has_private_endpoint(inventory, workspace.id, workspace.body.private_endpoint_connections):
        case True:
            yield failed(
                "other-region-with-endpoint",
                "{cluster} lies in {region}, {workspace} in {expected} and behind a private endpoint: not supported",
                *shown,
                **facts,
            )
        case Unread() as unread:
            yield unknown(
                "endpoints-unread",
                "{cluster} lies in {region}, {workspace} in {expected}; whether {workspace} has a private endpoint is "
                "not known: {why}",
                *shown,
                why=unread.why,
                hint=unread.hint,
                **facts,
            )
        case _:
            yield warned("other-region", "{cluster} lies in {region}, {workspace} in {expected}", *shown, **facts)


def _accounts(cluster: Cluster, facts: dict[str, Any]) -> Iterator[Verdict]:
    kind = (cluster.identity.type if cluster.identity else None) or "None"
    principal = cluster.body.service_principal_profile
    client = (principal.client_id if principal else None) or "msi"
    shown = (
        cluster.show("identity.type", kind),
        cluster.show("properties.servicePrincipalProfile.clientId", principal.client_id if principal else None),
    )
    if "assigned" not in kind.casefold():
        if client.casefold() == "msi":
            yield unknown(
                "identity-unread",
                "the identity of {cluster} is not in its data",
                *shown,
                hint="grant Reader on the cluster and collect again",
                **facts,
            )
        else:
            yield failed(
                "service-principal",
                "{cluster} runs as a service principal; Azure ML's extension supports managed identities only",
                *shown,
                mend=IDENTITY,
                **facts,
            )
    if cluster.body.disable_local_accounts:
        yield failed(
            "local-accounts-off",
            "local accounts are off on {cluster}, which Azure ML's extension needs",
            cluster.show("properties.disableLocalAccounts", True),
            mend=ACCOUNTS,
            **facts,
        )
    elif cluster.partial:
        yield unknown(
            "cluster-unreadable",
            "the data of {cluster} are cut short: whether it has local accounts is not known",
            cluster.show("properties.disableLocalAccounts", None),
            hint="grant Reader on the cluster and collect again",
            **facts,
        )


def _extension(inventory: Inventory, cluster: Cluster, facts: dict[str, Any]) -> Iterator[Verdict]:
    extensions = attachment(inventory, cluster).extensions
    for extension in extensions:
        yield from _health(extension, facts)
    if extensions:
        return
    missing = inventory.coverage.unread(Extension.TYPE, cluster.key)
    for bad in inventory.broken(Extension):
        if key_of(bad.id).startswith(cluster.key + "/"):
            missing = bad.unread
    if missing is not None:
        yield unknown(
            "extension-unread",
            "whether Azure ML's extension is on {cluster} is not known: {why}",
            why=missing.why,
            hint=missing.hint,
            **facts,
        )
        return
    yield warned(
        "extension-missing",
        "{compute} attaches {cluster}, on which Azure ML's extension is not installed",
        cluster.show("providers/Microsoft.KubernetesConfiguration/extensions", []),
        mend=INSTALL,
        **facts,
    )


def _health(extension: Extension, facts: dict[str, Any]) -> Iterator[Verdict]:
    state = extension.body.provisioning_state
    errors = [s.code or "no code" for s in extension.body.statuses or () if (s.level or "").casefold() == "error"]
    shown = (
        extension.show("properties.provisioningState", state),
        extension.show("properties.statuses[].code", errors, "those of level Error"),
    )
    if not state:
        yield unknown(
            "state-unread",
            "the provisioning state of Azure ML's extension on {cluster} is not in its data",
            *shown,
            hint="collect again",
            **facts,
        )
    elif state.casefold() != "succeeded" or errors:
        yield warned(
            "extension-not-healthy",
            "Azure ML's extension on {cluster} is in state {state}, with the errors {errors}",
            *shown,
            mend=REPAIR,
            state=state,
            errors=errors or ["none shown"],
            **facts,
        )


def _lonely(extension: Extension, inventory: Inventory) -> Verdict:
    facts = {"extension": extension.name, "cluster": resource_name(extension.cluster_id)}
    shown = extension.show("properties.extensionType", extension.body.extension_type)
    missing = computes_unread(inventory)
    if missing is not None:
        return unknown(
            "computes-unread",
            "whether a compute goes with {extension} on {cluster} is not known: {why}",
            shown,
            why=missing.why,
            hint=missing.hint,
            **facts,
        )
    return warned(
        "extension-without-compute",
        "{extension} is installed on {cluster}, which no workspace attaches",
        shown,
        mend=UNUSED,
        **facts,
    )
