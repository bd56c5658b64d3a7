"""The subnet of a container group is delegated to Azure Container Instances.

## What it checks
Each subnet that a container group is deployed into (or that the configuration names under `aci_subnets`) carries one
delegation to `Microsoft.ContainerInstance/containerGroups`. Read are `properties.subnetIds[].id` of the group, in old
deployments its network profile, and the subnet's `properties.delegations[].properties.serviceName`.

- passes with exactly that delegation, whatever its casing or name;
- warns while the delegation is not yet provisioned;
- fails without a delegation, with another service's, or with several;
- is unknown where the subnet or the group's network profile could not be read.

## Why it matters
Container Instances places a group only into a subnet delegated to it. Once the delegation is lost, the next
deployment of the model fails while the running one still answers.

## Not concerned
Container groups without a subnet: they are reached by a public address only.

## Limits
The delegation's `name` may say anything and is not looked at. A subnet that also holds AKS nodes or a private endpoint
cannot be delegated: then another subnet is needed. Whether the subnet has free addresses is another check's question.
"""

from collections.abc import Iterator

from auditor.api import (
    ContainerGroup,
    InferenceSubnet,
    Inventory,
    Mend,
    Severity,
    Source,
    Subnet,
    SubnetRole,
    Unread,
    Verdict,
    check,
    failed,
    key_of,
    not_applicable,
    passed,
    subnets_of_group,
    unknown,
    warned,
)

DELEGATE = "Microsoft.ContainerInstance/containerGroups"
PATH = "properties.delegations[].properties.serviceName"
OTHER_SUBNET = Mend.by(
    "the subnet is used by something that cannot live in a delegated subnet: create a subnet of its own for "
    "container groups, delegated to Container Instances, and deploy there"
)


def _mine(subject: ContainerGroup | InferenceSubnet, inventory: Inventory) -> bool:
    """Container groups without a readable subnet, and the subnets of all others."""
    if isinstance(subject, ContainerGroup):
        return not subnets_of_group(inventory, subject) or isinstance(subnets_of_group(inventory, subject), Unread)
    return SubnetRole.CONTAINER_GROUP in subject.roles


@check(
    id="aci-subnet-delegated",
    severity=Severity.HIGH,
    source=Source("AML-V1-2020", "Azure Container Instances", "/machine-learning/how-to-secure-inferencing-vnet"),
    mend=Mend.by(
        "delegate the subnet to Container Instances",
        ("az", "network", "vnet", "subnet", "update", "--ids", "{about}", "--delegations", DELEGATE),
    ),
    clauses=("S18",),
    reads=("microsoft.network/virtualnetworks/subnets", "microsoft.network/networkprofiles"),
    where=_mine,
)
def subnet_delegated(subject: ContainerGroup | InferenceSubnet, inventory: Inventory) -> Iterator[Verdict]:
    if isinstance(subject, ContainerGroup):
        yield _without_subnet(subject, inventory)
        return
    match subject.subnet:
        case Unread() as unread:
            yield unknown(
                "subnet-unread",
                "{subnet}, the subnet of {groups}, could not be read: {why}",
                related=[group.id for group in subject.groups],
                subnet=subject.name,
                groups=[group.name for group in subject.groups] or ["the configuration"],
                why=unread.why,
                hint=unread.hint,
            )
        case Subnet() as subnet:
            yield _decide(subnet, tuple(group.id for group in subject.groups))


def _without_subnet(group: ContainerGroup, inventory: Inventory) -> Verdict:
    found = subnets_of_group(inventory, group)
    if isinstance(found, Unread):
        return unknown(
            "network-profile-unread",
            "the network profile of {group}, which names its subnet, could not be read: {why}",
            group=group.name,
            why=found.why,
            hint=found.hint,
        )
    shown = group.show("properties.subnetIds", None)
    return not_applicable("no-vnet", "{group} lies in no virtual network", shown, group=group.name)


def _decide(subnet: Subnet, related: tuple[str, ...]) -> Verdict:
    shown = subnet.show(PATH, list(subnet.delegations))
    found = ", ".join(subnet.delegations) or "nothing"
    # ARM keeps the caller's casing of a service name, so only the folded forms compare.
    mine = [name for name in subnet.delegations if key_of(name) == key_of(DELEGATE)]
    mend = OTHER_SUBNET if _occupied(subnet) else None
    if not mine:
        return failed(
            "not-delegated",
            "{subnet} is delegated to {found}, not to Container Instances",
            shown,
            related=related,
            mend=mend,
            subnet=subnet.name,
            found=found,
        )
    if len(subnet.delegations) > 1:
        return failed(
            "several-delegations",
            "{subnet} is delegated to {found}; a subnet can hold one delegation",
            shown,
            related=related,
            subnet=subnet.name,
            found=found,
        )
    state = _state(subnet)
    if state and state.casefold() != "succeeded":
        return warned(
            "delegation-pending",
            "the delegation of {subnet} to Container Instances is in state {state}",
            shown,
            subnet.show("properties.delegations[].properties.provisioningState", state),
            related=related,
            subnet=subnet.name,
            state=state,
        )
    return passed(
        "delegated",
        "{subnet} is delegated to Container Instances",
        shown,
        related=related,
        subnet=subnet.name,
    )


def _state(subnet: Subnet) -> str | None:
    for delegation in subnet.body.delegations or ():
        if delegation.properties and key_of(delegation.properties.service_name or "") == key_of(DELEGATE):
            return delegation.properties.provisioning_state
    return None


def _occupied(subnet: Subnet) -> bool:
    """Whether nodes or private endpoints lie in it: then the delegation cannot be switched on there."""
    used = [reference.id or "" for reference in subnet.body.ip_configurations or ()]
    return bool(subnet.body.private_endpoints) or any("/virtualmachinescalesets/" in i.casefold() for i in used)
