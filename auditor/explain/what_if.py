"""What would become of one packet: the groups of its sender, the next hop, the groups of its receiver, in this order.

The same semantics as the checks ask: security admin rules, interface and subnet groups in series, longest prefix. It
ends where the packet ends. What was not read is told as such, and an answer that hangs on it is undecided.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from auditor.derive.endpoints import connected_peerings, private_addresses
from auditor.derive.footprint import InferenceSubnet, inference_subnets, interfaces_in
from auditor.derive.hops import Appliance, Egress, appliance_at, egress_of, gateway_serves, hops_of
from auditor.derive.traffic import (
    address_set,
    admin_rules,
    interface_groups,
    network_of,
    rules_of,
    subnet_group,
    surroundings,
)
from auditor.errors import UsageProblem
from auditor.explain.packet import Asked
from auditor.inventory import Inventory
from auditor.inventory.records import (
    NetworkInterface,
    PrivateEndpoint,
    SecurityGroup,
    Subnet,
    VirtualNetwork,
    id_of,
    key_of,
)
from auditor.network import (
    Access,
    AddressSet,
    Decision,
    Direction,
    Group,
    Hop,
    Leg,
    Question,
    decide,
    series,
)
from auditor.values import TraceStep, Unread

_RULES_IN_FORCE = ("enabled", "networksecuritygroupenabled")
_WORST_FIRST = (Access.DENIED, Access.UNDECIDED, Access.PARTIAL, Access.ALLOWED)


@dataclass(frozen=True, slots=True)
class Stage:
    """One place on the way. `title` says which, `why` what decided there, `steps` each rule or route tried."""

    title: TraceStep
    access: Access
    why: TraceStep
    steps: tuple[TraceStep, ...] = ()


@dataclass(frozen=True, slots=True)
class Explained:
    """A packet's fate from one subnet to another, stage by stage; `why` is that of the stage that decides."""

    packet: Asked
    place: TraceStep
    stages: tuple[Stage, ...]

    @property
    def access(self) -> Access:
        """The worst of all stages: it must pass each."""
        return min((stage.access for stage in self.stages), key=_WORST_FIRST.index)

    @property
    def why(self) -> TraceStep:
        """What decides: of the first stage that is the worst."""
        return next(stage.why for stage in self.stages if stage.access is self.access)


def what_if(inventory: Inventory, packet: Asked) -> tuple[Explained, ...]:
    """The packet's fate, once for each subnet that holds its source (private ranges may be used twice).

    A source in no subnet that was read comes from outside: then only the receiver's groups are asked. Raises
    UsageProblem if neither end lies in a subnet that was read.
    """
    senders = tuple(_holding(inventory, packet.source))
    if senders:
        return tuple(_from(inventory, packet, sender) for sender in senders)
    receivers = () if packet.tag else tuple(_holding(inventory, packet.destination))
    if not receivers:
        raise UsageProblem(
            f"no subnet that was read holds {packet.source}" + ("" if packet.tag else f" or {packet.destination}"),
            hint=_why_not_found(inventory),
        )
    return tuple(_from_outside(inventory, packet, receiver) for receiver in receivers)


def _why_not_found(inventory: Inventory) -> str:
    unread = sum(1 for subnet in inventory.every(Subnet) if _range(subnet) is None)
    if unread:
        return f"the ranges of {unread} subnets could not be read"
    return "pods of an overlay leave with the address of their node: ask with that one"


def _range(subnet: Subnet) -> AddressSet | None:
    if not subnet.prefixes:
        return None
    found = address_set(subnet.prefixes, subnet.id)
    return None if isinstance(found, Unread) else found


def _holding(inventory: Inventory, address: str) -> Iterator[Subnet]:
    for subnet in inventory.every(Subnet):
        held = _range(subnet)
        if held is not None and address in held:
            yield subnet


def _from(inventory: Inventory, packet: Asked, sender: Subnet) -> Explained:
    stages = list(_rules(inventory, packet, sender, Direction.OUTBOUND))
    if not _ended(stages):
        stages += _routes(inventory, packet, sender)
    if not _ended(stages) and not packet.tag:
        for receiver in _receivers(inventory, packet.destination, sender):
            stages += _arrival(inventory, packet, receiver)
    return Explained(packet, _lies_in(packet.source, sender), tuple(stages))


def _from_outside(inventory: Inventory, packet: Asked, receiver: Subnet) -> Explained:
    place = TraceStep(
        "from-outside",
        "{source} lies in no subnet that was read: only the groups of its destination are asked, not its way there",
        {"source": packet.source},
    )
    return Explained(packet, place, tuple(_arrival(inventory, packet, receiver)))


def _ended(stages: Iterable[Stage]) -> bool:
    return any(stage.access is Access.DENIED for stage in stages)


def _lies_in(address: str, subnet: Subnet) -> TraceStep:
    facts = {"address": address, "subnet": subnet.name, "prefixes": list(subnet.prefixes), "subnet_id": subnet.id}
    network = subnet.resource_id.parent
    return TraceStep(
        "lies-in",
        "{address} lies in subnet {subnet} ({prefixes}) of virtual network {network}",
        facts | {"network": network.name if network else subnet.network_id},
    )


# ---------------------------------------------------------------- security groups


def _rules(inventory: Inventory, packet: Asked, subnet: Subnet, direction: Direction) -> list[Stage]:
    """The groups in series at one end: one stage for each distinct group that the interface may have.

    Clusters that share a subnet have groups of their own: where these answer differently, whose node has the address
    decides, and that is not in ARM's data.
    """
    question = Question(
        direction=direction,
        source=packet.start,
        destination=packet.end,
        ports=packet.ports,
        protocols=frozenset({packet.protocol}),
    )
    address = packet.source if direction is Direction.OUTBOUND else packet.destination
    on_subnet = _station(inventory, subnet_group(inventory, subnet))
    stages = []
    for who, group, seen in _interfaces(inventory, subnet, address):
        stations = series(direction, nic=_station(inventory, group), subnet=on_subnet)
        around = surroundings(inventory, subnet)
        decision = decide(stations, question, around, admin_rules(inventory, subnet.network_id))
        steps = tuple(step for step in decision.trace() if step.kind != "nsg-asked")
        if not seen:
            note = "no interface with this address was read: a group on it would not be seen"
            steps = (TraceStep("interface-unread", note, {"address": address}), *steps)
        stages.append(Stage(_title(direction, subnet, who), decision.access, _decided(decision), steps))
    if len({stage.access for stage in stages}) > 1:
        why = TraceStep("whose-interface", "it hangs on whose interface has {address}", {"address": address})
        stages = [replace(stage, access=Access.UNDECIDED, why=why) for stage in stages]
    return stages


def _title(direction: Direction, subnet: Subnet, who: str) -> TraceStep:
    facts = {"subnet": subnet.name, "who": who}
    if direction is Direction.OUTBOUND:
        return TraceStep("outbound", "outbound rules of {subnet}, interface of {who} first", facts)
    return TraceStep("inbound", "inbound rules of {subnet}, then the interface of {who}", facts)


def _interfaces(
    inventory: Inventory, subnet: Subnet, address: str
) -> Iterator[tuple[str, SecurityGroup | Unread | None, bool]]:
    """Whose interface the address may be, the group on it, and whether one can tell."""
    for nic in interfaces_in(inventory, subnet.key):
        if _has(nic, address):
            group_id = id_of(nic.body.network_security_group)
            yield nic.name, inventory.find(SecurityGroup, group_id) if group_id else None, True
            return
    use = _use_of(inventory, subnet)
    for cluster, group in interface_groups(inventory, use):
        # The interfaces of container groups are Azure's own and carry no group.
        yield cluster.name if cluster else address, group, cluster is not None or bool(use.groups)


def _has(nic: NetworkInterface, address: str) -> bool:
    return any(c.properties and c.properties.private_ip_address == address for c in nic.body.ip_configurations or ())


def _use_of(inventory: Inventory, subnet: Subnet) -> InferenceSubnet:
    """What inference uses the subnet for; nothing, where it does not."""
    known = next((where for where in inference_subnets(inventory) if where.key == subnet.key), None)
    return known or InferenceSubnet(subnet.id, subnet.key, subnet, frozenset(), (), ())


def _station(inventory: Inventory, group: SecurityGroup | Unread | None) -> Group:
    return rules_of(inventory, group) if isinstance(group, SecurityGroup) else group


def _decided(decision: Decision) -> TraceStep:
    """What decides at the groups, in one sentence."""
    first = decision.parts[0] if decision.parts else None
    deciders = [str(decider) for decider in first.deciders] if first else []
    if decision.access is Access.ALLOWED:
        return TraceStep("allowed", "allowed by {deciders}", {"deciders": deciders})
    if decision.access is Access.DENIED:
        return TraceStep("denied", "denied by {deciders}", {"deciders": deciders})
    if decision.access is Access.PARTIAL:
        facts = {"deciders": deciders, "witness": str(decision.witness)}
        return TraceStep("partial", "a part passes; {deciders} denies {witness}", facts)
    atoms = [f"{unknown.atom}" for unknown in decision.unknowns]
    return TraceStep("undecided", "undecided: it hangs on {atoms}", {"atoms": atoms})


# ---------------------------------------------------------------- routes


def _routes(inventory: Inventory, packet: Asked, sender: Subnet) -> Iterator[Stage]:
    title = TraceStep("routes", "next hop from {subnet}", {"subnet": sender.name})
    legs = hops_of(inventory, sender, packet.end)
    if isinstance(legs, Unread):
        yield Stage(title, Access.UNDECIDED, _unread(legs))
        return
    family = packet.start.families[0]
    for leg in legs:
        if not leg.destinations.family(family):
            continue  # a tag holds addresses of both families, and the packet is of one
        access, why = _hop(inventory, packet, sender, leg)
        steps = [leg.as_trace(packet.destination if len(legs) == 1 else "")]
        if leg.overtakable:
            note = "a gateway may have learned a longer prefix, which would win; only effective routes show it"
            steps.append(TraceStep("learned-routes", note))
        yield Stage(title, access, why, tuple(steps))


def _unread(unread: Unread) -> TraceStep:
    return TraceStep("unread", "{what} could not be read: {why}", {"what": unread.what, "why": unread.why})


def _hop(inventory: Inventory, packet: Asked, sender: Subnet, leg: Leg) -> tuple[Access, TraceStep]:
    """Whether the hop takes the packet on, and why."""
    facts = {"hop": leg.hop.value, "address": leg.next_hop_ip or "no address"}
    match leg.hop:
        case Hop.NONE:
            return Access.DENIED, TraceStep("dropped", "the route drops it: its next hop is None", facts)
        case Hop.UNDECIDED:
            atoms = [str(atom) for atom in leg.atoms] or ["an unknown type of hop"]
            return Access.UNDECIDED, TraceStep("undecided", "the next hop hangs on {atoms}", {"atoms": atoms})
        case Hop.INTERNET:
            return _by_internet(inventory, sender)
        case Hop.APPLIANCE:
            return _by_appliance(inventory, sender, leg)
        case Hop.GATEWAY:
            network = network_of(inventory, sender)
            if isinstance(network, VirtualNetwork) and not gateway_serves(inventory, network):
                return Access.DENIED, TraceStep("no-gateway", "the route leads to a gateway, and there is none", facts)
            note = "it goes to the gateway; what lies behind is not seen"
            return Access.ALLOWED, TraceStep("by-gateway", note, facts)
        case Hop.VIRTUAL_NETWORK | Hop.PEERING | Hop.SERVICE_ENDPOINT | Hop.PRIVATE_ENDPOINT:
            return Access.ALLOWED, TraceStep("carried", "it is carried by {hop}", facts)


def _by_internet(inventory: Inventory, sender: Subnet) -> tuple[Access, TraceStep]:
    use = _use_of(inventory, sender)
    egress = egress_of(inventory, use, sender)
    if isinstance(egress, Unread):
        return Access.UNDECIDED, _unread(egress)
    facts = {"subnet": sender.name, "egress": egress.value}
    if egress is Egress.NOTHING and not use.clusters and not use.groups:
        note = (
            "it leaves for the Internet only if the interface has a public address of its own, which is not looked up"
        )
        return Access.UNDECIDED, TraceStep("own-address", note, facts)
    if egress is Egress.NOTHING:
        note = "it leaves for the Internet, and nothing gives {subnet} a public source address"
        return Access.DENIED, TraceStep("no-egress", note, facts)
    return Access.ALLOWED, TraceStep("by-internet", "it leaves for the Internet by {egress}", facts)


def _by_appliance(inventory: Inventory, sender: Subnet, leg: Leg) -> tuple[Access, TraceStep]:
    found = appliance_at(inventory, sender, leg.next_hop_ip)
    facts = {"address": leg.next_hop_ip or "no address"}
    match found:
        case Unread():
            return Access.UNDECIDED, _unread(found)
        case Appliance.GONE:
            return Access.DENIED, TraceStep("appliance-gone", "no firewall has the address {address} any more", facts)
        case Appliance.UNREACHABLE:
            note = "the appliance {address} lies in no network that is reached from here"
            return Access.DENIED, TraceStep("appliance-unreachable", note, facts)
        case Appliance.FIREWALL:
            note = "it goes to the firewall at {address}, whose own rules are not judged"
            return Access.ALLOWED, TraceStep("by-firewall", note, facts)
        case Appliance.UNVERIFIED:
            note = "it goes to the appliance at {address}; what answers there was not read"
            return Access.ALLOWED, TraceStep("by-appliance", note, facts)


# ---------------------------------------------------------------- the receiving end


def _receivers(inventory: Inventory, address: str, sender: Subnet) -> tuple[Subnet, ...]:
    """The subnets that the address means from here: in the sender's network, else in its peers, else anywhere."""
    holding = tuple(_holding(inventory, address))
    own = tuple(subnet for subnet in holding if key_of(subnet.network_id) == key_of(sender.network_id))
    network = network_of(inventory, sender)
    peers = (
        {key_of(p.remote_id) for p in connected_peerings(network) if p.remote_id}
        if isinstance(network, VirtualNetwork)
        else set()
    )
    return own or tuple(subnet for subnet in holding if key_of(subnet.network_id) in peers) or holding


def _arrival(inventory: Inventory, packet: Asked, receiver: Subnet) -> Iterator[Stage]:
    endpoint = _endpoint_at(inventory, receiver, packet.destination)
    policies = (receiver.body.private_endpoint_network_policies or "Disabled").casefold()
    if endpoint is not None and policies not in _RULES_IN_FORCE:
        note = "{endpoint} is a private endpoint, and the policies of {subnet} leave its rules without force"
        facts = {"endpoint": endpoint.name, "subnet": receiver.name}
        title = TraceStep("inbound", "inbound rules of {subnet}", facts)
        yield Stage(title, Access.ALLOWED, TraceStep("rules-not-in-force", note, facts))
        return
    yield from _rules(inventory, packet, receiver, Direction.INBOUND)


def _endpoint_at(inventory: Inventory, subnet: Subnet, address: str) -> PrivateEndpoint | None:
    for endpoint in inventory.every(PrivateEndpoint):
        if key_of(endpoint.subnet_id or "") == subnet.key and address in private_addresses(inventory, endpoint):
            return endpoint
    return None
