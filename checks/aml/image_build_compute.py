"""A workspace whose registry is private names a compute for image builds.

## What it checks
`imageBuildCompute` of a workspace whose registry does not answer all networks: `publicNetworkAccess` is `Disabled`, or
its firewall denies by default. Of a project its hub's registry and setting.

- passes if a compute is named, or Azure ML's managed network has an active private endpoint of the registry, from which
  serverless builds push;
- warns if neither is so;
- is unknown if registry or managed network could not be read.

## Why it matters
Azure ML builds images by the registry's own tasks, which run outside of the virtual network. A registry that is only
privately reachable refuses them: environments do not build, and the first deployment with a new one fails.

## Not concerned
Workspaces without a registry, or with one that is open to all networks.

## Limits
Whether the named compute exists and reaches the registry is not looked at. Prebuilt images need no build at all. The
command needs the CLI extension `ml`.
"""

from collections.abc import Iterator
from typing import Any

from auditor.api import (
    Exposure,
    Inventory,
    Mend,
    Registry,
    Severity,
    Source,
    Unread,
    Verdict,
    Workspace,
    check,
    exposure_of,
    key_of,
    managed_isolation,
    not_applicable,
    passed,
    resource_name,
    settings_of,
    unknown,
    warned,
)

PATH = "properties.imageBuildCompute"
RULES = "properties.managedNetwork.outboundRules"


@check(
    id="aml-image-build-compute",
    severity=Severity.MEDIUM,
    source=Source("AML-WS", "Enable Azure Container Registry", "/machine-learning/how-to-secure-workspace-vnet"),
    mend=Mend.by(
        "create a compute cluster in the virtual network and name it for image builds: "
        "`az ml workspace update -n {holder} -g {holder_group} --image-build-compute CLUSTER`"
    ),
    reads=("microsoft.containerregistry/registries",),
)
def image_build_compute(workspace: Workspace, inventory: Inventory) -> Iterator[Verdict]:
    holder = settings_of(inventory, workspace)
    if isinstance(holder, Unread):
        yield unknown(
            "hub-unread",
            "the hub of {workspace}, whose registry it uses, could not be read: {why}",
            workspace=workspace.name,
            why=holder.why,
            hint=holder.hint,
        )
        return
    registry_id = holder.body.container_registry
    facts: dict[str, Any] = {
        "workspace": workspace.name,
        "holder": holder.name,
        "holder_group": holder.resource_group,
        "holder_subscription": holder.subscription_id,
        "registry": resource_name(registry_id or "none"),
    }
    if not registry_id:
        shown = holder.show("properties.containerRegistry", None)
        yield not_applicable("no-registry", "{workspace} has no registry yet", shown, **facts)
        return
    yield _decide(inventory, holder, registry_id, facts | {"related": (registry_id,)})


def _decide(inventory: Inventory, holder: Workspace, registry_id: str, facts: dict[str, Any]) -> Verdict:
    registry = inventory.find(Registry, registry_id)
    exposure = registry if isinstance(registry, Unread) else exposure_of(registry)
    shown = [holder.show(PATH, holder.body.image_build_compute)]
    if isinstance(registry, Registry):
        access = registry.body.public_network_access
        shown.append(registry.show("properties.publicNetworkAccess", access, "unset means Enabled"))
    if exposure is Exposure.PUBLIC:
        return not_applicable(
            "public-registry", "{registry} answers all networks: registry tasks can build in it", *shown, **facts
        )
    # A compute that is named decides, whatever the registry turns out to be.
    if holder.body.image_build_compute:
        return passed(
            "compute-named",
            "{workspace} builds images on {compute}",
            *shown,
            compute=holder.body.image_build_compute,
            **facts,
        )
    if exposure is Exposure.UNHEARD_OF:
        exposure = Unread(
            registry_id,
            "the default action of its firewall is neither Allow nor Deny",
            "look at the firewall of the registry",
        )
    if isinstance(exposure, Unread) or exposure is Exposure.UNDECIDED:
        why = exposure.why if isinstance(exposure, Unread) else "a network security perimeter decides"
        return unknown(
            "registry-unread",
            "{workspace} names no compute for image builds; whether {registry} is private is not known: {why}",
            *shown,
            why=why,
            hint=exposure.hint if isinstance(exposure, Unread) else "look at the rules of the perimeter",
            **facts,
        )
    if managed_isolation(holder):
        managed = _by_managed_network(holder, registry_id, facts)
        if managed is not None:
            return managed
    return warned(
        "no-compute",
        "{registry} is not open to all networks, and {workspace} names no compute for image builds",
        *shown,
        **facts,
    )


def _by_managed_network(holder: Workspace, registry_id: str, facts: dict[str, Any]) -> Verdict | None:
    """Serverless builds in Azure ML's managed network; None where they provably have no way to the registry."""
    rules = holder.body.managed_network.outbound_rules if holder.body.managed_network else None
    if rules is None:
        return unknown(
            "managed-network-unread",
            "{workspace} has a managed network, whose private endpoints are not in its data",
            holder.show(RULES, None),
            hint="read the workspace through ARM",
            **facts,
        )
    for name, rule in sorted(rules.items()):
        if rule is None or rule.destination is None or isinstance(rule.destination, str):
            continue
        to_registry = key_of(rule.destination.service_resource_id or "") == key_of(registry_id)
        if to_registry and (rule.status or "").casefold() == "active":
            return passed(
                "managed-network",
                "{workspace} builds images in its managed network, which has a private endpoint of {registry}",
                holder.show(f"{RULES}['{name}'].destination.serviceResourceId", registry_id),
                **facts,
            )
    return None
