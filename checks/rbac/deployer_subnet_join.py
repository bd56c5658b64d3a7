"""Configured deployers may join VNet and subnet.

## What it checks
For each subnet that inference uses and each object id under `deployers` in the configuration: whether that account may
do `Microsoft.Network/virtualNetworks/join/action` on the virtual network,
`Microsoft.Network/virtualNetworks/subnets/join/action` on the subnet, and `Microsoft.Network/*/read` on the network.

- passes with all of them granted unconditionally;
- warns if only the reading is lacking, which template deployments do without, or a grant ends within 14 days;
- fails if one of the two joins is missing or denied, naming what the account holds instead;
- is unknown if assignments at or above the network, a candidate's role definition or a group's members could not be
  read, or a condition can reach these operations.

## Why it matters
The account that deploys a model into the network needs these rights. Running models do not notice when it loses them;
the next deployment does.

## Not concerned
Everything, unless `deployers` is configured. Networks that AKS manages.

## Limits
Deployers usually hold their rights by a group: without Microsoft Graph that is unknown; the object id of the group
itself may be configured instead. `Microsoft.Network/*/read` is asked by the reads of networks, subnets, peerings,
security groups, route tables, public addresses, load balancers and interfaces.

## Configuration
`deployers = ["<object id>", …]` in `auditor.toml`: users, groups, or service principals by their object id.
"""

from collections.abc import Iterator
from typing import Any

from auditor.api import (
    RENEW,
    InferenceSubnet,
    Inventory,
    Mend,
    ResourceId,
    Severity,
    Source,
    SubnetRole,
    Unread,
    Verdict,
    access,
    access_model,
    check,
    ends_soon,
    failed,
    grants_shown,
    how_to_read,
    miss_reason,
    misses_shown,
    not_applicable,
    owned_elsewhere,
    passed,
    rights_effect,
    scope_of,
    unknown,
    warned,
)

JOIN_NETWORK = "Microsoft.Network/virtualNetworks/join/action"
JOIN_SUBNET = "Microsoft.Network/virtualNetworks/subnets/join/action"
READS = (
    "Microsoft.Network/virtualNetworks/read",
    "Microsoft.Network/virtualNetworks/subnets/read",
    "Microsoft.Network/virtualNetworks/virtualNetworkPeerings/read",
    "Microsoft.Network/networkSecurityGroups/read",
    "Microsoft.Network/routeTables/read",
    "Microsoft.Network/publicIPAddresses/read",
    "Microsoft.Network/loadBalancers/read",
    "Microsoft.Network/networkInterfaces/read",
)
NETWORK_CONTRIBUTOR = "4d97b98b-1d4f-4787-a291-c67834d212e7"


@check(
    id="rbac-deployer-subnet-join",
    severity=Severity.LOW,
    source=Source("AML-V1-INF", "Prerequisites", "/machine-learning/v1/how-to-secure-inferencing-vnet"),
    mend=Mend.by(
        "give the account a custom role with these operations, or Network Contributor on the virtual network",
        ("az", "role", "assignment", "create", "--assignee-object-id", "{deployer}", "--role", NETWORK_CONTRIBUTOR,
         "--scope", "{network_id}"),
    ),
    clauses=("S2",),
    reads=(
        "microsoft.authorization/roleassignments",
        "microsoft.authorization/roledefinitions",
        "microsoft.authorization/denyassignments",
    ),
    where=lambda subject, inventory: bool(subject.roles - {SubnetRole.AUXILIARY}),
)  # fmt: skip
def deployer_subnet_join(where: InferenceSubnet, inventory: Inventory) -> Iterator[Verdict]:
    own = not where.clusters or any(owned_elsewhere(cluster, where.network_id) for cluster in where.clusters)
    if not own and not where.groups:
        yield not_applicable("managed-vnet", "AKS manages the network of {subnet} itself", subnet=where.name)
        return
    if not inventory.configured.deployers:
        yield not_applicable(
            "no-deployers-configured", "no account is configured that deploys into {subnet}", subnet=where.name
        )
        return
    subnet, network = scope_of(where.id), scope_of(where.network_id)
    if isinstance(subnet, Unread) or isinstance(network, Unread):
        yield unknown(
            "not-an-id",
            "{subnet} is no subnet's id",
            subnet=where.id,
            hint="mend what names it: a cluster, a container group or aci_subnets in the configuration",
        )
        return
    for deployer in dict.fromkeys(inventory.configured.deployers):
        yield _decide(inventory, where, deployer, subnet, network)


def _decide(
    inventory: Inventory, where: InferenceSubnet, deployer: str, subnet: ResourceId, network: ResourceId
) -> Verdict:
    model, at = access_model(inventory), inventory.taken_at
    who = access.Principal(deployer)
    on_network = access.decide(model, who, JOIN_NETWORK, network, at=at)
    on_subnet = access.decide(model, who, JOIN_SUBNET, subnet, at=at)
    reading = access.decide(model, who, READS, network, at=at)
    decisions = (on_network, on_subnet, reading)
    more: dict[str, Any] = {
        "part": deployer,
        "related": (where.network_id,),
        "trace": tuple(step for decision in decisions for step in decision.trace),
        "effect": rights_effect(*decisions),
        "deployer": deployer,
        "subnet": where.name,
        "network_id": where.network_id,
    }
    joining = (on_network, on_subnet)
    for decision in joining:
        if decision.denied or decision.missing:
            return _lacking(decision, more)
    for decision in joining:
        if decision.undecided:
            return _undecided(inventory, decision, more)
    if unreadable := [*(a.asked for a in reading.denied), *(a.asked for a in reading.missing)]:
        return warned(
            "read-missing",
            "{deployer} may join {subnet}, but lacks {missing} on its network, which only template deployments do "
            "without",
            *(evidence for decision in joining for evidence in grants_shown(decision)),
            *misses_shown(reading),
            missing=unreadable,
            **more,
        )
    if reading.undecided:
        return _undecided(inventory, reading, more)
    shown = [evidence for decision in decisions for evidence in grants_shown(decision)]
    ends = ends_soon(at, *decisions)
    if ends is not None:
        return warned(
            "grant-ends-soon", "{deployer} may deploy into {subnet}, but only until {ends}", *shown, ends=ends,
            mend=RENEW, **more,
        )  # fmt: skip
    roles = sorted({role.name for decision in decisions for role in decision.roles}) or ["the roles shown"]
    return passed("granted", "{deployer} may deploy into {subnet}, by {roles}", *shown, roles=roles, **more)


def _lacking(decision: access.AccessDecision, more: dict[str, Any]) -> Verdict:
    place = decision.scope.name
    if decision.denied:
        denied = decision.denied[0]
        return failed(
            "deny-assignment",
            "deny assignment {deny} forbids {action} on {place} to {deployer}",
            deny=denied.deny.name or denied.deny.id,
            action=denied.asked,
            place=place,
            mend=Mend.by("a deny assignment comes from a deployment stack or a managed application: change that"),
            **more,
        )
    shown = misses_shown(decision)
    return failed(
        miss_reason(decision),
        "{deployer} lacks {missing} on {place}; it holds instead: {instead}",
        *shown,
        missing=[answer.asked for answer in decision.missing],
        place=place,
        instead=[evidence.note for evidence in shown] or ["nothing that comes near"],
        **more,
    )


def _undecided(inventory: Inventory, decision: access.AccessDecision, more: dict[str, Any]) -> Verdict:
    piece = decision.pieces[0]
    return unknown(
        piece.reason,
        "whether {deployer} may deploy into {subnet} is not known: {what}: {why}",
        *misses_shown(decision),
        what=piece.what,
        why=piece.why,
        hint=how_to_read(inventory, piece, decision.scope),
        **more,
    )
