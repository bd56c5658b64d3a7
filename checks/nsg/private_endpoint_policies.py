"""Rules meant for private endpoints are in force.

## What it checks
Each subnet with a network security group in which a private endpoint of a workspace, or of the registry, storage
account or vault that it names, lies. The group's rules act on private endpoints only where the subnet's
`privateEndpointNetworkPolicies` is `Enabled` or `NetworkSecurityGroupEnabled`; not set means `Disabled`.

- passes where rules are in force and let TCP 443 from each subnet of this and peered networks, in which inference of
  these workspaces runs, through to the endpoints, or where there is no such subnet; and where rules are without force
  but no custom rule would deny the endpoints anything;
- warns where custom rules would deny, but are without force (`rules-not-in-force`);
- fails where rules are in force and deny inference a part of the endpoints;
- is unknown where subnet, group, endpoint addresses or something that decides could not be read.

## Why it matters
A group full of denies looks like a fence and is none: whoever reads the rules believes registry and storage to be
closed to other subnets. And once the switch is on, rules that nobody tested begin to count.

## Not concerned
Subnets without such an endpoint or without a group; the private endpoint of an API server, which AKS puts into a node
subnet whose rules are meant for nodes.

## Limits
The group on the side of the sender always counts: see `nsg-acr-outbound` and its kin. Routes have a switch of their own
(`RouteTableEnabled`), which is not judged here. Only endpoints that were read are judged. The command needs a version
of the Azure CLI that knows `--private-endpoint-network-policies`; older ones say
`--disable-private-endpoint-network-policies false`.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from auditor.api import (
    Answer,
    Evidence,
    InferenceSubnet,
    Inventory,
    Mend,
    PrivateEndpoint,
    SecurityGroup,
    Severity,
    Source,
    Subnet,
    SubnetRole,
    Unread,
    Verdict,
    VirtualNetwork,
    Workspace,
    check,
    deciding,
    denial,
    effect_of,
    failed,
    hangs_on,
    inference_subnets,
    key_of,
    network,
    network_id_of,
    network_of,
    not_applicable,
    passed,
    peers_of,
    private_addresses,
    put,
    rule_shown,
    rules_of,
    subnet_addresses,
    subnet_group,
    trace_of,
    unknown,
    warned,
    workspaces_at,
    worst,
)

IN_FORCE = {"enabled", "networksecuritygroupenabled"}
SENDING = {SubnetRole.NODE, SubnetRole.POD, SubnetRole.CONTAINER_GROUP}
PATH = "properties.privateEndpointNetworkPolicies"
Access, AddressSet = network.Access, network.AddressSet
TCP = frozenset({network.Protocol.TCP})


ENFORCE = Mend.by(
    "put the rules in force, after making sure that they let inference through",
    (
        "az", "network", "vnet", "subnet", "update", "--ids", "{resource}",
        "--private-endpoint-network-policies", "NetworkSecurityGroupEnabled",
    ),
)  # fmt: skip


@check(
    id="nsg-private-endpoint-policies",
    severity=Severity.MEDIUM,
    source=Source(
        "PE-POL", "Network policies", "/private-link/disable-private-endpoint-network-policy"
    ),
    mend=ENFORCE,
    reads=(
        "microsoft.network/privateendpoints",
        "microsoft.network/networkinterfaces",
        "microsoft.network/networksecuritygroups",
        "microsoft.network/virtualnetworks",
        "microsoft.machinelearningservices/workspaces",
    ),
)  # fmt: skip
def private_endpoint_policies(inventory: Inventory, _: Inventory) -> Iterator[Verdict]:
    for subnet_id, endpoints in sorted(_endpoints_by_subnet(inventory).items()):
        yield _of_subnet(inventory, subnet_id, endpoints)


def _endpoints_by_subnet(inventory: Inventory) -> dict[str, list[PrivateEndpoint]]:
    """The private endpoints of workspaces and of what these depend on, by the folded id of their subnet."""
    targets = {key_of(registry) for registry in inventory.configured.registries}
    for workspace in inventory.every(Workspace):
        targets |= _targets_of(workspace)
    found: dict[str, list[PrivateEndpoint]] = {}
    for endpoint in inventory.every(PrivateEndpoint):
        meant = any(key_of(c.private_link_service_id or "") in targets for c in endpoint.connections)
        if meant and endpoint.subnet_id:
            found.setdefault(key_of(endpoint.subnet_id), []).append(endpoint)
    return found


def _targets_of(workspace: Workspace) -> set[str]:
    """A workspace and what it names: the folded ids."""
    body = workspace.body
    named = (workspace.id, body.container_registry, body.storage_account, body.key_vault)
    return {key_of(target) for target in named if target}


def _of_subnet(inventory: Inventory, subnet_key: str, endpoints: list[PrivateEndpoint]) -> Verdict:
    spelled = endpoints[0].subnet_id or subnet_key
    more: dict[str, Any] = {
        "about": spelled,
        "related": [endpoint.id for endpoint in endpoints],
        "subnet": spelled.rsplit("/", 1)[-1],
        "endpoints": [endpoint.name for endpoint in endpoints],
    }
    subnet = inventory.find(Subnet, subnet_key)
    if isinstance(subnet, Unread):
        return unknown("subnet-unread", "the subnet {subnet} of {endpoints} could not be read: {why}",
                       why=subnet.why, hint=subnet.hint, **more)  # fmt: skip
    match subnet_group(inventory, subnet):
        case None:
            return not_applicable("no-nsg", "no group lies on {subnet}", **more)
        case Unread(why=why, hint=hint):
            return unknown("nsg-unread", "the group on {subnet} could not be read: {why}", why=why, hint=hint, **more)
        case group:
            return _judged(inventory, subnet, group, endpoints, more)


def _judged(
    inventory: Inventory, subnet: Subnet, group: SecurityGroup, endpoints: list[PrivateEndpoint], more: dict[str, Any]
) -> Verdict:
    policies = subnet.body.private_endpoint_network_policies or ""
    shown = subnet.show(PATH, policies or None, "" if policies else "not set: Disabled")
    more |= {"group": group.name, "policies": policies or "not set"}
    each = [private_addresses(inventory, endpoint) for endpoint in endpoints]
    whole = all(each)
    # Where an endpoint's address is not known it is somewhere in the subnet.
    own = subnet_addresses(subnet)
    addresses = AddressSet.union(each) if whole or isinstance(own, Unread) else own
    if not addresses:
        return unknown("addresses-unread", "the addresses of {endpoints} in {subnet} could not be read", shown,
                       hint="collect again", **more)  # fmt: skip
    if policies.casefold() in IN_FORCE:
        senders, missing = _senders(inventory, subnet, endpoints)
        if not senders:
            return _no_sender(missing, shown, more)
        answer = _ask(inventory, subnet, senders, addresses)
        if missing is not None and answer.decision.access is Access.ALLOWED:
            return _no_sender(missing, shown, more)
        return _in_force(answer, group, shown, more, whole=whole)
    senders, missing = _senders(inventory, subnet, endpoints)
    harmless = missing is None and bool(senders)
    harmless = harmless and _ask(inventory, subnet, senders, addresses).decision.access is Access.ALLOWED
    # A switch that turns inference off is no cure: the command is given only where the rules would let it through.
    mend = ENFORCE if harmless else Mend(ENFORCE.summary)
    return _without_force(inventory, subnet, group, addresses, shown, more | {"mend": mend})


def _ask(
    inventory: Inventory, subnet: Subnet, source: network.End, to: network.AddressSet, *, custom_only: bool = False
) -> Answer:
    """What the subnet's group does with packets to the endpoints; no node interface is on their way."""
    place = InferenceSubnet(subnet.id, subnet.key, subnet, frozenset(), (), ())
    question = network.Question(
        direction=network.Direction.INBOUND,
        source=source,
        destination=to,
        source_ports=network.CLIENT_PORTS,
        ports=network.PortSet.any() if custom_only else network.PortSet.of(443),
        protocols=network.ALL_PROTOCOLS if custom_only else TCP,
        defaults=not custom_only,
    )
    return worst(put(inventory, place, subnet, question))


def _without_force(
    inventory: Inventory,
    subnet: Subnet,
    group: SecurityGroup,
    addresses: network.AddressSet,
    shown: Evidence,
    more: dict[str, Any],
) -> Verdict:
    answer = _ask(inventory, subnet, AddressSet.any(), addresses, custom_only=True)
    decision = answer.decision
    denies = [rule_shown(r) for r in rules_of(inventory, group).custom(network.Direction.INBOUND) if _denies(r)]
    match decision.access:
        case Access.ALLOWED:
            return passed("nothing-to-enforce", "no custom rule of {group} would deny {endpoints} in {subnet} anything",
                          shown, *denies, **more)  # fmt: skip
        case Access.DENIED | Access.PARTIAL:
            return warned(
                "rules-not-in-force",
                "{group} on {subnet} would drop {packet} ({rule}), but its rules do not act on {endpoints}: the "
                "subnet's network policies for private endpoints are {policies}",
                shown,
                *denies,
                trace=trace_of(answer, "private endpoints"),
                rule=str(decision.rule),
                packet=str(decision.witness),
                **more,
            )
        case Access.UNDECIDED:
            return _undecided(answer, (shown, *denies), more)


def _denies(rule: network.SecurityRule) -> bool:
    return rule.access.strip().casefold() != "allow"


def _no_sender(missing: Unread | None, shown: Evidence, more: dict[str, Any]) -> Verdict:
    """Nobody is seen who needs the endpoints, or not everybody."""
    if missing is None:
        return passed(
            "in-force-unused",
            "the rules of {group} act on {endpoints} in {subnet}; no inference in this or a peered network needs them",
            shown,
            **more,
        )
    return unknown(
        "senders-unread",
        "the rules of {group} act on {endpoints} in {subnet}; from where inference needs them could not be read: {why}",
        shown,
        why=missing.why,
        hint=missing.hint,
        **more,
    )


def _in_force(answer: Answer, group: SecurityGroup, shown: Evidence, more: dict[str, Any], *, whole: bool) -> Verdict:
    decision = answer.decision
    more |= {"trace": trace_of(answer, "private endpoints"), "effect": effect_of([answer])}
    evidence = (shown, *deciding(decision.parts))
    match decision.access:
        case Access.ALLOWED:
            return passed("in-force", "the rules of {group} act on {endpoints} in {subnet}, and let inference through",
                          *evidence, **more)  # fmt: skip
        case Access.PARTIAL if not whole:
            return unknown("addresses-unread", "{group} on {subnet} denies a part of the subnet to inference; whether "
                           "{endpoints} lie in it could not be read", *evidence, hint="collect again",
                           **more)  # fmt: skip
        case Access.DENIED | Access.PARTIAL:
            return failed(
                "denied",
                "the rules of {group} act on {endpoints} in {subnet}, and {rule} drops {packet}",
                *evidence,
                mend=Mend.by("let TCP 443 from the subnets that inference runs in through to the endpoints"),
                **denial(decision),
                **more,
            )
        case Access.UNDECIDED:
            return _undecided(answer, evidence, more)


def _senders(
    inventory: Inventory, subnet: Subnet, endpoints: list[PrivateEndpoint]
) -> tuple[network.AddressSet, Unread | None]:
    """The subnets of this and peered networks in which inference needs these endpoints, and why they may not be all."""
    home = network_of(inventory, subnet)
    near = {key_of(subnet.network_id)} | (peers_of(home) if isinstance(home, VirtualNetwork) else set())
    targets = {key_of(c.private_link_service_id or "") for endpoint in endpoints for c in endpoint.connections}
    found: list[network.AddressSet] = []
    missing: Unread | None = None
    for place in inference_subnets(inventory):
        if not place.roles & SENDING or key_of(network_id_of(place.id)) not in near:
            continue
        workspaces = workspaces_at(inventory, place)
        if not any(targets & _targets_of(workspace) for workspace in workspaces):
            missing = missing or workspaces.missing
            continue
        addresses = place.subnet if isinstance(place.subnet, Unread) else subnet_addresses(place.subnet)
        if isinstance(addresses, Unread):
            missing = missing or addresses
        else:
            found.append(addresses)
    return AddressSet.union(found), missing


def _undecided(answer: Answer, shown: Iterable[Evidence], more: dict[str, Any]) -> Verdict:
    facts = hangs_on([answer.decision])
    return unknown(
        "undecided",
        "what {group} on {subnet} does to {endpoints} hangs on {atoms}, which rule {rules} rests on",
        *shown,
        **facts,
        **more,
    )
