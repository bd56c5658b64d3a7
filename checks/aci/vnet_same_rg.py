"""The ACI VNet lies in the workspace's resource group.

## What it checks
The virtual network of each container group against the resource group of each workspace that the group belongs to: one
verdict for each workspace. A group belongs to a workspace that its tags name, or that shares its resource group. Read
are the group's `subnetIds` (in old deployments its network profile) and the workspace's id.

- passes if network and workspace share subscription and resource group;
- fails if they do not;
- warns if the group is not known to belong to any workspace, so that nothing tells which resource group is meant;
- is unknown where the network profile or the workspaces could not be read.

## Why it matters
Azure ML's own deployments to Container Instances look for the network in the workspace's resource group and fail
without it.

## Not concerned
Container groups without a subnet.

## Limits
Azure ML's v1 service leaves no reference on its container groups, so the tie to a workspace is a weak one. A network
can only be moved while it has no peerings and gateways.
"""

from collections.abc import Iterator

from auditor.api import (
    ContainerGroup,
    Inventory,
    Mend,
    ResourceId,
    Severity,
    Source,
    Unread,
    Verdict,
    Workspace,
    check,
    failed,
    key_of,
    networks_of_group,
    not_applicable,
    passed,
    resource_name,
    unknown,
    warned,
    workspaces_of_group,
)

PATH = "properties.subnetIds"


@check(
    id="aci-vnet-same-rg",
    severity=Severity.MEDIUM,
    source=Source("AML-V1-2020", "Azure Container Instances", "/machine-learning/how-to-secure-inferencing-vnet"),
    mend=Mend.by(
        "deploy container groups into a virtual network in the workspace's resource group; a network can be moved "
        "there only while it has no peerings and gateways"
    ),
    clauses=("S19",),
    reads=("microsoft.machinelearningservices/workspaces", "microsoft.network/networkprofiles"),
)  # fmt: skip
def vnet_same_rg(group: ContainerGroup, inventory: Inventory) -> Iterator[Verdict]:
    networks = networks_of_group(inventory, group)
    if isinstance(networks, Unread):
        yield unknown(
            "network-profile-unread",
            "the network profile of {group}, which names its subnet, could not be read: {why}",
            group=group.name,
            why=networks.why,
            hint=networks.hint,
        )
        return
    if not networks:
        shown = group.show(PATH, None)
        yield not_applicable("no-vnet", "{group} lies in no virtual network", shown, group=group.name)
        return
    workspaces = workspaces_of_group(inventory, group)
    for workspace in workspaces:
        for network_id in networks:
            yield _decide(group, workspace, network_id)
    if len(workspaces):
        return
    if workspaces.missing is not None:
        yield unknown(
            "workspace-unread",
            "which workspace {group} belongs to is not known: {why}",
            group=group.name,
            why=workspaces.missing.why,
            hint=workspaces.missing.hint,
        )
        return
    yield warned(
        "no-workspace",
        "{group} in {network} is not known to belong to a workspace: neither its tags nor its resource group name one",
        group.show(PATH, list(networks)),
        group=group.name,
        network=resource_name(networks[0]),
        mend=Mend.by("tag the container group with its workspace's name, so that its network can be judged"),
    )


def _decide(group: ContainerGroup, workspace: Workspace, network_id: str) -> Verdict:
    network = ResourceId.parse(network_id)
    # Compared as whole ids: `net` is no prefix of `net-prod`, and groups of one name exist in many subscriptions.
    same = key_of(str(network.resource_group_id)) == key_of(str(workspace.resource_group_id))
    shown = (group.show(PATH, network_id), workspace.show("id", workspace.id))
    if same:
        return passed(
            "same-resource-group",
            "{network}, the network of {group}, lies in the resource group of {workspace}",
            *shown,
            part=workspace.id,
            related=(network_id, workspace.id),
            group=group.name,
            network=network.name,
            workspace=workspace.name,
        )
    return failed(
        "other-resource-group",
        "{network}, the network of {group}, lies in resource group {found}, that of {workspace} is {wanted}",
        *shown,
        part=workspace.id,
        related=(network_id, workspace.id),
        group=group.name,
        network=network.name,
        workspace=workspace.name,
        found=network.resource_group,
        wanted=workspace.resource_group,
    )
