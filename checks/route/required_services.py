"""Traffic to the registry and the other services has a next hop that works.

## What it checks
The next hop of each class of packets that inference needs: the registry (by its private endpoint or by the service tag
of each region), Microsoft's image registry, the storage behind registry and workspaces, Entra ID, Azure Resource
Manager and the API server. The longest prefix decides among user, service endpoint, private endpoint and system routes;
user routes may name a service tag. One verdict for each class.

- passes: the Internet, where a load balancer, NAT gateway, nodes' own public addresses or default outbound access give
  a source address; an appliance whose address lies in the network or a peer; a gateway that exists; a service endpoint;
  the network itself;
- warns where a user route takes packets for a private endpoint to an appliance;
- fails where any of the addresses has the next hop None, an appliance out of reach or gone, a gateway that is not
  there, or the Internet without a source address;
- is unknown where a route that may decide cannot be seen (announced by a gateway, or for a tag without data), or the
  table, a peer, a registry or an account could not be read; also where a failure would not matter: only a part of the
  addresses is lost of a service that has one address among them, or a private endpoint may be unseen.

## Why it matters
An open security group is not enough: a packet without a next hop is lost just as silently, and images, models and the
API server are not reached.

## Not concerned
What AKS itself needs of network isolated clusters (`outboundType` none or block, with a cache): only the registry and
storage of their workspaces are judged.

## Limits
An appliance's own rules are not judged. Announced routes more specific than a user route would win and cannot be seen.
Whether a security group lets the packets through is judged by the `nsg-` checks of each class.
"""

from collections.abc import Iterator
from typing import Any

from auditor.api import (
    Appliance,
    Effect,
    Egress,
    Evidence,
    Grade,
    InferenceSubnet,
    Inventory,
    Mend,
    Outcome,
    PacketClass,
    Severity,
    Source,
    Subnet,
    SubnetRole,
    Unread,
    Verdict,
    appliance_at,
    check,
    egress_of,
    failed,
    firewall_near,
    gateway_serves,
    hops_of,
    network,
    network_of,
    not_applicable,
    passed,
    required_classes,
    resource_name,
    storage_classes,
    table_of,
    tag_source,
    unknown,
    warned,
)

Hop, Kind, Leg = network.Hop, network.Kind, network.Leg
SENDING = {SubnetRole.NODE, SubnetRole.POD, SubnetRole.CONTAINER_GROUP}
TO_INTERNET = Mend.by(
    "route the service's tag to Internet, or to an appliance whose rules let the service through",
    (
        "az", "network", "route-table", "route", "create", "-g", "{table_group}", "--route-table-name", "{table}", "-n",
        "{tag}", "--address-prefix", "{tag}", "--next-hop-type", "Internet",
    ),
)  # fmt: skip
REROUTE = Mend.by(
    "point the route at an appliance that is there, in the network or a peer",
    (
        "az", "network", "route-table", "route", "update", "-g", "{table_group}", "--route-table-name", "{table}", "-n",
        "{route}", "--next-hop-type", "VirtualAppliance", "--next-hop-ip-address", "{firewall}",
    ),
)  # fmt: skip
SOURCE_ADDRESS = Mend.by(
    "give the subnet a NAT gateway with a public address (`az network vnet subnet update --nat-gateway`), or route the "
    "packets to an appliance"
)
PRIVATE = Mend.by("remove the route for the private endpoint's addresses, or let it end in the network (VnetLocal)")


@check(
    id="route-required-services",
    severity=Severity.HIGH,
    source=Source("UDR", "How Azure selects a route", "/virtual-network/virtual-networks-udr-overview"),
    mend=TO_INTERNET,
    clauses=("S22",),
    reads=(
        "microsoft.network/virtualnetworks",
        "microsoft.network/routetables",
        "microsoft.network/natgateways",
        "microsoft.network/azurefirewalls",
        "microsoft.network/virtualnetworkgateways",
        "microsoft.network/privateendpoints",
        "microsoft.containerregistry/registries",
        "microsoft.containerregistry/registries/replications",
        "microsoft.storage/storageaccounts",
    ),
    where=lambda subject, inventory: bool(subject.roles & SENDING),
)
def required_services(where: InferenceSubnet, inventory: Inventory) -> Iterator[Verdict]:
    if isinstance(where.subnet, Unread):
        yield unknown(
            "subnet-unread",
            "{subnet} could not be read: {why}",
            subnet=where.name,
            why=where.subnet.why,
            hint=where.subnet.hint,
        )
        return
    classes, missing = _classes(inventory, where, where.subnet)
    for needed, rescue in classes:
        yield from _lessened(list(_Path(inventory, where, where.subnet, needed).verdicts()), needed, rescue)
    if not classes and not missing:
        yield not_applicable(
            "network-isolated", "the clusters in {subnet} need no way out, and no registry of theirs is known",
            subnet=where.name,
        )  # fmt: skip
    for unread in missing:
        yield unknown(
            "service-unread",
            "a service that {subnet} needs is not known: {what}: {why}",
            part="services-unread",
            subnet=where.name,
            what=resource_name(unread.what),
            why=unread.why,
            hint=unread.hint,
        )


Needs = list[tuple[PacketClass, Unread | None]]


def _classes(inventory: Inventory, where: InferenceSubnet, subnet: Subnet) -> tuple[Needs, list[Unread]]:
    """The required classes, each destination once, with what unseen private way may lead past its route; and what of
    them is not known.
    """
    required, unread = required_classes(inventory, where, subnet)
    storage = storage_classes(inventory, where, subnet)
    found: dict[Any, tuple[PacketClass, Unread | None]] = {}
    ways = [(one, one.private.missing if one.private else None) for one in required]
    ways += [(one, each.rescue) for each in storage for one in each.classes]
    for needed, rescue in ways:
        if needed.grade is Grade.REQUIRED:
            found.setdefault(needed.destination, (needed, rescue))
    missing = {piece: None for piece in (unread, *(each.unread for each in storage)) if piece is not None}
    return list(found.values()), list(missing)


def _lessened(verdicts: list[Verdict], needed: PacketClass, rescue: Unread | None) -> Iterator[Verdict]:
    """The verdicts, with those that prove nothing as unknown."""
    partly = needed.somewhere and any(verdict.outcome is not Outcome.FAIL for verdict in verdicts)
    for verdict in verdicts:
        if rescue is not None:  # then the public way may not be the one that is taken, whatever becomes of it
            yield unknown(
                "private-path-unread",
                "which way packets from {subnet} take to {service} hangs on a private endpoint that was not read: "
                "{why}",
                *verdict.evidence,
                part=verdict.part,
                related=verdict.related,
                trace=verdict.trace,
                effect=verdict.effect,
                why=rescue.why,
                hint=rescue.hint,
                subnet=verdict.facts["subnet"],
                service=verdict.facts["service"],
            )
        elif verdict.outcome is not Outcome.FAIL or not partly:
            yield verdict
        else:
            yield unknown(
                "partly-lost",
                "a part of the addresses among which {service} has its own is not reached from {subnet}, such as "
                "{packet}",
                *verdict.evidence,
                part=verdict.part,
                related=verdict.related,
                trace=verdict.trace,
                effect=verdict.effect,
                hint="look the service's address up and compare it with the route",
                subnet=verdict.facts["subnet"],
                service=verdict.facts["service"],
                packet=verdict.facts["packet"],
            )


class _Path:
    """One class of packets from one subnet."""

    def __init__(self, inventory: Inventory, where: InferenceSubnet, subnet: Subnet, needed: PacketClass) -> None:
        self.inventory = inventory
        self.where = where
        self.subnet = subnet
        self.needed = needed
        table = table_of(inventory, subnet)
        tag = needed.destination.name if isinstance(needed.destination, network.Tag) else None
        self.more: dict[str, Any] = {
            "part": needed.label,
            "related": [subnet.route_table_id] if subnet.route_table_id else [],
            "subnet": subnet.name,
            "service": needed.label,
            "table": resource_name(subnet.route_table_id) if subnet.route_table_id else None,
            "table_group": None if table is None or isinstance(table, Unread) else table.resource_group,
            "table_subscription": None if table is None or isinstance(table, Unread) else table.subscription_id,
            "tag": tag,
            "firewall": firewall_near(inventory, subnet),
        }

    def verdicts(self) -> Iterator[Verdict]:
        """A verdict for each next hop; the worst of them stands for the class."""
        legs = hops_of(self.inventory, self.subnet, self.needed.destination)
        if isinstance(legs, Unread):
            yield unknown(
                "network-unread",
                "the next hop of {service} from {subnet} is not known: {why}",
                why=legs.why,
                hint=legs.hint,
                **self.more,
            )
            return
        for leg in legs:
            label = self.needed.label if len(legs) == 1 else str(leg.destinations)
            way = leg.next_hop_ip or ""
            self.more |= {
                "effect": Effect((f"{label} -> {leg.hop} {way}".strip(),)),
                "trace": (leg.as_trace(label),),
                "route": leg.route.name if leg.route else leg.via or "a system route",
                "packet": self._smallest(leg),
            }
            yield self._judged(leg)

    def _smallest(self, leg: network.Leg) -> str:
        """The lowest address of a leg; the class's name where the addresses of its tag are not known."""
        first = leg.destinations.first()
        return first if first and leg.destinations != network.AddressSet.v4_any() else self.needed.label

    def _shown(self, leg: network.Leg) -> tuple[Evidence, ...]:
        data = Evidence(
            f"/servicetags/{self.inventory.cloud}", "addressPrefixes", self.needed.label, tag_source(self.inventory)
        )
        if leg.route is None:
            table = self.subnet.show("properties.routeTable.id", self.subnet.route_table_id)
            return (table, data) if self.more["tag"] else (table,)
        value = f"{leg.route.prefix} -> {leg.route.next_hop_type} {leg.route.next_hop_ip or ''}".strip()
        shown = Evidence(leg.route.id or leg.route.name, "properties", value, leg.route.name)
        return (shown, data) if self.more["tag"] else (shown,)

    def _judged(self, leg: network.Leg) -> Verdict:
        shown = self._shown(leg)
        private = self.needed.private is not None and self.needed.slug.endswith("-private")
        match leg.hop:
            case Hop.NONE:
                return failed(
                    "dropped",
                    "packets from {subnet} to {service} ({packet}) are dropped by the route {route}: its next hop is "
                    "None",
                    *shown,
                    mend=PRIVATE if private else None,
                    **self.more,
                )
            case Hop.INTERNET:
                return self._by_internet(shown)
            case Hop.APPLIANCE:
                return self._by_appliance(leg, shown, private=private)
            case Hop.GATEWAY:
                return self._by_gateway(shown)
            case Hop.UNDECIDED:
                return self._undecided(leg, shown)
            case Hop.SERVICE_ENDPOINT:
                return passed(
                    "service-endpoint", "{subnet} reaches {service} by a service endpoint", *shown, **self.more
                )
            case Hop.PRIVATE_ENDPOINT | Hop.VIRTUAL_NETWORK | Hop.PEERING:
                return passed("private", "{subnet} reaches {service} inside its network or a peer", *shown, **self.more)

    def _by_internet(self, shown: tuple[Evidence, ...]) -> Verdict:
        egress = egress_of(self.inventory, self.where, self.subnet)
        if isinstance(egress, Unread):
            return unknown(
                "egress-unread",
                "whether packets from {subnet} to {service} get a source address is not known: {why}",
                *shown,
                why=egress.why,
                hint=egress.hint,
                **self.more,
            )
        if egress is Egress.NOTHING:
            return failed(
                "no-source-address",
                "packets from {subnet} to {service} ({packet}) leave for the Internet by the route {route}, and "
                "nothing gives them a public source address",
                *shown,
                self.subnet.show("properties.natGateway.id", self.subnet.nat_gateway_id),
                *(c.show("properties.networkProfile.outboundType", c.outbound_type) for c in self.where.clusters),
                mend=SOURCE_ADDRESS,
                **self.more,
            )
        return passed("internet", "{subnet} reaches {service} by {egress}", *shown, egress=egress, **self.more)

    def _by_appliance(self, leg: network.Leg, shown: tuple[Evidence, ...], *, private: bool) -> Verdict:
        facts = {"address": leg.next_hop_ip or "no address", **self.more}
        match appliance_at(self.inventory, self.subnet, leg.next_hop_ip):
            case Unread() as unread:
                return unknown(
                    "peer-unread",
                    "whether {address}, the next hop of {service} from {subnet}, can be reached is not known: {why}",
                    *shown,
                    why=unread.why,
                    hint=unread.hint,
                    **facts,
                )
            case Appliance.UNREACHABLE:
                return failed(
                    "appliance-unreachable",
                    "packets from {subnet} to {service} ({packet}) go to {address} by the route {route}, which lies "
                    "neither in its network nor in a peer",
                    *shown,
                    mend=REROUTE,
                    **facts,
                )
            case Appliance.GONE:
                return failed(
                    "appliance-gone",
                    "packets from {subnet} to {service} ({packet}) go to {address} by the route {route}, which no "
                    "firewall has any more",
                    *shown,
                    mend=REROUTE,
                    **facts,
                )
            case _ if private:
                return warned(
                    "private-detour",
                    "the route {route} takes packets from {subnet} for {service} to {address}, past the private "
                    "endpoint's own route",
                    *shown,
                    mend=PRIVATE,
                    **facts,
                )
            case Appliance.FIREWALL | Appliance.UNVERIFIED:
                return passed(
                    "appliance",
                    "packets from {subnet} to {service} go to {address} by the route {route}; the appliance's rules "
                    "are not judged",
                    *shown,
                    **facts,
                )

    def _by_gateway(self, shown: tuple[Evidence, ...]) -> Verdict:
        around = network_of(self.inventory, self.subnet)
        if not isinstance(around, Unread) and gateway_serves(self.inventory, around):
            return passed(
                "gateway",
                "packets from {subnet} to {service} go to a gateway by the route {route}; what lies behind it is not "
                "judged",
                *shown,
                **self.more,
            )
        return failed(
            "no-gateway",
            "packets from {subnet} to {service} ({packet}) go to a gateway by the route {route}, and its network has "
            "and uses none",
            *shown,
            mend=REROUTE,
            **self.more,
        )

    def _undecided(self, leg: network.Leg, shown: tuple[Evidence, ...]) -> Verdict:
        first = leg.atoms[0] if leg.atoms else None
        if first is not None and first.kind == "learned-routes":
            return unknown(
                "bgp",
                "the next hop of {service} from {subnet} may be announced by a gateway, which no configuration shows",
                *shown,
                hint="`az network nic show-effective-route-table` shows it for a running node",
                **self.more,
            )
        tags = first is not None and ("tag" in first.kind)
        return unknown(
            "route-undecided",
            "the next hop of {service} from {subnet} hangs on {atoms}",
            *shown,
            atoms=[str(atom) for atom in leg.atoms],
            hint="scan with service tag data: live, or with --service-tags FILE"
            if tags
            else (first.why if first and first.why else "make readable what is named, or mend the route"),
            **self.more,
        )
