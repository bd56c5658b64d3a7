"""ACI in a VNet and a workspace private endpoint go together only as documented.

## What it checks
For each workspace that a container group in a virtual network belongs to (named in its tags, or in its resource group):
the approved private endpoints of the workspace. One verdict for each workspace.

- not applicable if the workspace has none;
- warns if one lies in the container group's own network: the edition of the document that this audit follows asks for
  that, today's pages say that Container Instances in a network are not supported with a private endpoint at all;
- fails if they lie in other networks, peered or not;
- is unknown where an endpoint, its subnet or the workspaces could not be read.

## Why it matters
The container fetches the model and its secrets through the workspace. Where the workspace answers only at a private
endpoint that the container's network cannot resolve, the deployment does not start.

## Not concerned
Container groups without a subnet, or without a workspace.

## Limits
Two editions of the document contradict each other; the verdicts are the stricter reading that both permit. Pending and
rejected connections are no private endpoint.
"""

from collections.abc import Iterator

from auditor.api import (
    ContainerGroup,
    EndpointHome,
    Evidence,
    Inventory,
    Mend,
    Severity,
    Source,
    Unread,
    Verdict,
    Workspace,
    approved_homes,
    check,
    failed,
    key_of,
    networks_of_group,
    not_applicable,
    resource_name,
    unknown,
    warned,
    workspaces_of_group,
)


@check(
    id="aci-workspace-private-endpoint",
    severity=Severity.MEDIUM,
    source=Source("AML-V1-2020", "Azure Container Instances", "/machine-learning/how-to-secure-inferencing-vnet"),
    mend=Mend.by(
        "move the deployment to a managed online endpoint with network isolation, or to Kubernetes; Container "
        "Instances in a network are not supported beside a private endpoint"
    ),
    clauses=("S20",),
    reads=(
        "microsoft.machinelearningservices/workspaces",
        "microsoft.network/privateendpoints",
        "microsoft.network/networkprofiles",
    ),
)
def workspace_private_endpoint(group: ContainerGroup, inventory: Inventory) -> Iterator[Verdict]:
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
        shown = group.show("properties.subnetIds", None)
        yield not_applicable("no-vnet", "{group} lies in no virtual network", shown, group=group.name)
        return
    workspaces = workspaces_of_group(inventory, group)
    for workspace in workspaces:
        yield _decide(inventory, group, workspace, networks)
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
    yield not_applicable(
        "no-workspace", "neither tags nor resource group of {group} name a workspace", group=group.name
    )


def _decide(inventory: Inventory, group: ContainerGroup, workspace: Workspace, networks: tuple[str, ...]) -> Verdict:
    homes = approved_homes(inventory, workspace.id, workspace.body.private_endpoint_connections)
    mine = {key_of(network_id) for network_id in networks}
    inside = [home for home in homes if key_of(home.network_id) in mine]
    facts = {"group": group.name, "workspace": workspace.name, "network": resource_name(networks[0])}
    related = (workspace.id, *(home.id for home in homes))
    if inside:
        return warned(
            "unsupported-today",
            "{workspace} has the private endpoint {endpoint} in {network}, the network of {group}: as documented once, "
            "not supported today",
            *_shown(inside),
            part=workspace.id,
            related=related,
            endpoint=[resource_name(home.id) for home in inside],
            **facts,
        )
    # An unseen endpoint could still lie in the group's own network, which would be the lesser finding.
    if homes.missing is not None:
        return unknown(
            "endpoint-unread",
            "where the private endpoints of {workspace} lie could not be read: {why}",
            *_shown(homes.items),
            part=workspace.id,
            related=related,
            why=homes.missing.why,
            hint=homes.missing.hint,
            **facts,
        )
    if len(homes):
        return failed(
            "other-network",
            "{workspace} has private endpoints in {found} only, {group} lies in {network}",
            *_shown(homes.items),
            part=workspace.id,
            related=related,
            found=sorted({resource_name(home.network_id) for home in homes}),
            **facts,
        )
    return not_applicable(
        "no-private-endpoint",
        "{workspace}, to which {group} belongs, has no private endpoint",
        workspace.show("properties.privateEndpointConnections", []),
        part=workspace.id,
        related=related,
        **facts,
    )


def _shown(homes: list[EndpointHome] | tuple[EndpointHome, ...]) -> tuple[Evidence, ...]:
    return tuple(Evidence(home.id, "properties.subnet.id", home.subnet_id) for home in homes)
