"""Load balancer probes are let in.

## What it checks
Azure's health probes come from 168.63.129.16, the service tag `AzureLoadBalancer`. TCP from there to each address of
the subnet passes the group on the subnet, the group on the node interfaces and the security admin rules: to all ports
of a node subnet behind a load balancer with rules, and to TCP 9988 of an API server subnet.

- passes where all of it, or at least every port that a load balancer is seen to probe, is let through;
- warns where other ports are closed to probes, which the next service may need, and where only a rule for `Internet`
  is in the way: whether that tag holds the probes' address is not documented (`probe-under-internet`);
- fails where all is denied, or a port that a load balancer is seen to probe;
- is unknown where subnet, group or load balancers could not be read and that decides.

## Why it matters
Without probes the load balancer takes every node out of rotation. The service is there, and no request reaches it.

## Not concerned
Node subnets of clusters whose load balancers have no inbound rule; subnets without nodes or API servers.

## Limits
`VirtualNetwork` contains the probes' address, so that a rule that denies this tag denies probes too, while an allow for
the port of a service admits the probe on that port only, not on the health port. Probe ports are those that the load
balancers name today. With several clusters in one subnet the ports of all are asked.
"""

from collections.abc import Iterator
from typing import Any

from auditor.api import (
    Answer,
    Cluster,
    Evidence,
    InferenceSubnet,
    Inventory,
    Listing,
    LoadBalancer,
    Mend,
    Severity,
    Source,
    Subnet,
    SubnetRole,
    Unread,
    Verdict,
    balancers_of,
    check,
    deciding,
    effect_of,
    failed,
    footprint,
    hangs_on,
    id_of,
    key_of,
    network,
    not_applicable,
    passed,
    probe_ports,
    put,
    readable_subnet,
    stopped,
    subnet_addresses,
    subnet_group,
    trace_of,
    unknown,
    warned,
    worst,
)

PROBED = {SubnetRole.NODE, SubnetRole.API_SERVER}
PROBES = network.Tag("AzureLoadBalancer")
EVERY_PORT = network.PortSet.any()
API_SERVER_PROBE = network.PortSet.of(9988)
Access, PortSet = network.Access, network.PortSet

LET_IN = Mend.by(
    "allow the tag AzureLoadBalancer with a rule of better priority than the one that denies",
    (
        "az", "network", "nsg", "rule", "create", "-g", "{nsg_group}", "--nsg-name", "{nsg_name}",
        "-n", "{rule_name}", "--priority", "{priority}", "--direction", "Inbound", "--access", "Allow",
        "--protocol", "*", "--source-address-prefixes", "AzureLoadBalancer", "--source-port-ranges", "*",
        "--destination-address-prefixes", "*", "--destination-port-ranges", "*",
    ),
)  # fmt: skip


@check(
    id="nsg-lb-probe-inbound",
    severity=Severity.HIGH,
    source=Source("LB-NSG", "Probe source IP address", "/load-balancer/load-balancer-custom-probe-overview"),
    mend=LET_IN,
    clauses=("S3a",),
    reads=(
        "microsoft.network/networksecuritygroups",
        "microsoft.network/virtualnetworks",
        "microsoft.network/loadbalancers",
    ),
    where=lambda subject, inventory: bool(subject.roles & PROBED),
)
def lb_probe_inbound(where: InferenceSubnet, inventory: Inventory) -> Iterator[Verdict]:
    match readable_subnet(where):
        case Unread(why=why, hint=hint):
            yield unknown("subnet-unread", "{subnet} could not be read: {why}", subnet=where.name, why=why, hint=hint)
        case subnet:
            yield _Probes(inventory, where, subnet).verdict()


def _serving(inventory: Inventory, cluster: Cluster) -> Listing[LoadBalancer]:
    """The load balancers with an inbound rule, but for the API server's own: its nodes are not the cluster's."""
    found = footprint(inventory, cluster)
    uses = () if isinstance(found, Unread) else found.in_roles(SubnetRole.API_SERVER)
    apart = {key_of(use.id) for use in uses}
    listed = balancers_of(inventory, cluster)
    return Listing(tuple(b for b in listed if _serves(b, apart)), listed.missing)


def _serves(balancer: LoadBalancer, apart: set[str]) -> bool:
    places = [id_of(f.properties.subnet) for f in balancer.frontends if f.properties]
    if places and all(place and key_of(place) in apart for place in places):
        return False
    return bool(balancer.body.load_balancing_rules or balancer.body.inbound_nat_rules)


class _Probes:
    """The probes' way into one subnet."""

    def __init__(self, inventory: Inventory, where: InferenceSubnet, subnet: Subnet) -> None:
        self.inventory, self.where, self.subnet = inventory, where, subnet
        self.nodes = SubnetRole.NODE in where.roles
        listings = [_serving(inventory, cluster) for cluster in where.clusters] if self.nodes else []
        self.balancers = [balancer for listing in listings for balancer in listing]
        self.missing = (
            next((listing.missing for listing in listings if listing.missing), None) or self._clusters_unread()
        )
        ports = sorted({port for listing in listings for port in probe_ports(listing)})
        self.named = PortSet.of(*ports) if ports else None
        self.more: dict[str, Any] = {
            "subnet": where.name,
            "related": [balancer.id for balancer in self.balancers],
            "ports": ports or ["no port that is known"],
        }

    def _clusters_unread(self) -> Unread | None:
        """Why another cluster in this subnet, with load balancers of its own, may be unseen."""
        return self.inventory.listing(Cluster, (f"/subscriptions/{self.subnet.subscription_id}",)).missing

    def verdict(self) -> Verdict:
        if not self.nodes:
            return self._decided(self._ask(API_SERVER_PROBE), API_SERVER_PROBE)
        if not self.balancers and self.missing is None:
            return not_applicable(
                "no-load-balancer", "no load balancer with an inbound rule serves {subnet}", **self.more
            )
        everything = self._ask(EVERY_PORT)
        if everything.decision.access is Access.ALLOWED:
            return self._decided(everything, EVERY_PORT)
        if not self.balancers and self.missing is not None:
            return self._balancers_unread(self.missing, everything)
        if self.named is None or everything.decision.access is Access.DENIED:
            return self._decided(everything, EVERY_PORT)
        asked = self._ask(self.named)
        if asked.decision.access is not Access.ALLOWED:
            return self._decided(asked, self.named)
        return self._others_closed(asked, everything)

    def _ask(self, ports: network.PortSet) -> Answer:
        addresses = subnet_addresses(self.subnet)
        question = network.Question(
            direction=network.Direction.INBOUND,
            source=PROBES,
            destination=addresses if isinstance(addresses, network.AddressSet) else network.AddressSet.any(),
            source_ports=network.CLIENT_PORTS,
            ports=ports,
            protocols=frozenset({network.Protocol.TCP}),
        )
        return worst(put(self.inventory, self.where, self.subnet, question))

    def _shown(self, answer: Answer) -> tuple[Evidence, ...]:
        self.more |= {"trace": trace_of(answer, "health probes"), "effect": effect_of([answer])}
        probes = [
            Evidence(balancer.id, "properties.probes[].properties.port", list(probe_ports(Listing((balancer,), None))))
            for balancer in self.balancers
        ]
        return (*probes, *deciding(answer.decision.parts))

    def _stopped(self, answer: Answer) -> dict[str, Any]:
        group = subnet_group(self.inventory, self.subnet)
        return stopped(self.inventory, answer.decision, group, network.Direction.INBOUND, "AllowProbes")

    def _decided(self, answer: Answer, ports: network.PortSet) -> Verdict:
        decision, shown = answer.decision, self._shown(answer)
        match decision.access:
            case Access.ALLOWED if decision.rules():
                rules = [str(rule) for rule in decision.rules()]
                return passed("let-in", "probes reach {subnet}, by {rules}", *shown, rules=rules, **self.more)
            case Access.ALLOWED:
                return passed("no-nsg", "nothing filters probes to {subnet}", *shown, **self.more)
            case Access.DENIED:
                return failed("denied", "probes do not reach {subnet}: {rule} drops {packet}", *shown,
                              **self._stopped(answer), **self.more)  # fmt: skip
            case Access.PARTIAL if ports == EVERY_PORT:
                return self._partly(answer, shown)
            case Access.PARTIAL:
                return failed("probe-port-denied", "not all probes that load balancers send reach {subnet}: {rule} "
                              "drops {packet}", *shown, **self._stopped(answer), **self.more)  # fmt: skip
            case Access.UNDECIDED:
                return self._undecided(answer, shown)

    def _partly(self, answer: Answer, shown: tuple[Evidence, ...]) -> Verdict:
        return warned("partly-denied", "probes reach {subnet} on some ports only: {rule} drops {packet}; which ports "
                      "are probed is not in the data", *shown, **self._stopped(answer), **self.more)  # fmt: skip

    def _undecided(self, answer: Answer, shown: tuple[Evidence, ...]) -> Verdict:
        unknowns = answer.decision.unknowns
        facts = hangs_on([answer.decision])
        if unknowns and all(u.atom.kind == "probe-under-internet" for u in unknowns):
            facts.pop("hint")
            return warned(
                "probe-under-internet",
                "rule {rules} may drop probes to {subnet}: whether Internet holds their address is not documented",
                *shown,
                mend=Mend.by("allow the tag AzureLoadBalancer above that rule"),
                **facts,
                **self.more,
            )
        return unknown(
            "undecided",
            "whether probes reach {subnet} hangs on {atoms}, which rule {rules} rests on",
            *shown,
            **facts,
            **self.more,
        )

    def _others_closed(self, asked: Answer, everything: Answer) -> Verdict:
        """The ports that are probed today are open; others are not, or may not be."""
        if everything.decision.access is Access.UNDECIDED:
            return passed("probe-ports-let-in", "probes reach {subnet} on {ports}", *self._shown(asked), **self.more)
        if self.missing is not None:
            return self._balancers_unread(self.missing, everything)
        return warned(
            "other-ports-closed",
            "probes reach {subnet} on the ports that are probed today ({ports}), but not on all: {rule} drops {packet}",
            *self._shown(everything),
            **self._stopped(everything),
            **self.more,
        )

    def _balancers_unread(self, missing: Unread, answer: Answer) -> Verdict:
        return unknown(
            "load-balancers-unread",
            "not all probes reach {subnet}; which ports load balancers probe could not be read: {why}",
            *self._shown(answer),
            why=missing.why,
            hint=missing.hint,
            **self.more,
        )
