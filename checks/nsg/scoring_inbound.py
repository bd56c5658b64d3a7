"""The scoring address is reachable through both groups, and only from where it should.

## What it checks
Each scoring address of the cluster: that of the configuration, of online endpoints whose scoring URI is an address, of
the v1 compute's system services, else each service frontend on port 80 or 443 as a candidate. TCP from the clients
passes the group on each node subnet, the group on the node interfaces and the security admin rules, on port 443 or 80,
whichever is more open. Clients are `scoring_clients` of the configuration; without them the Internet for a public
address, and the virtual network for an internal one.

- passes where all configured clients get in (`clients-allowed`), where the virtual network does (`network-allowed`),
  and where a public address is open to a part of the Internet only (`restricted`);
- warns where a part of the clients or of the network gets in, where a public address is open to all of the Internet
  (`open-to-internet`), where only the nodes' addresses are open but not the frontend's, and where rules let the
  Internet in to node ports (30000 to 32767) or SSH;
- fails where nobody gets in, and says in which group the packets are dropped; a candidate warns instead;
- is unknown where a group, subnet, frontend or something that decides could not be read.

## Why it matters
AKS opens its own group for a public service, not the group that you put on the subnet: the service has an address, and
calls time out. And a rule that is broader than the service needs lets others in.

## Not concerned
Clusters on which Azure ML provably does not infer, and those without a load balancer's address for it.

## Limits
With floating addresses, AKS's default, rules see the frontend's address as destination; that is derived from the rules
that AKS itself writes, not from a page. A scoring URI that is a name is not resolved. By ports alone the inference
router cannot be told from another ingress. A firewall or gateway in front is not seen.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from auditor.api import (
    ALLOW_IN,
    Answer,
    Cluster,
    ClusterFrontend,
    Evidence,
    FrontendClass,
    InferenceSubnet,
    Inventory,
    Mend,
    ScoringAddress,
    Severity,
    Source,
    Subnet,
    SubnetRole,
    SubnetUse,
    Unread,
    Verdict,
    address_set,
    check,
    deciding,
    effect_of,
    failed,
    footprint,
    frontends_of,
    hangs_on,
    infers,
    key_of,
    network,
    not_applicable,
    passed,
    put,
    readable_subnet,
    scoring_addresses,
    stopped,
    stoppers,
    subnet_addresses,
    subnet_group,
    surroundings,
    trace_of,
    unknown,
    warned,
)

Access, AddressSet, PortSet = network.Access, network.AddressSet, network.PortSet
SCORING_PORTS = (443, 80)
NODE_PORTS = PortSet.of(22, "30000-32767")
INTERNET = network.Tag("Internet")
LEAST_OPEN = (Access.DENIED, Access.PARTIAL, Access.UNDECIDED, Access.ALLOWED)
SERVICES = {FrontendClass.INTERNAL_SERVICE, FrontendClass.PUBLIC_SERVICE}


@dataclass(frozen=True, slots=True)
class Way:
    """The answers on the way to one port: for the frontend's address (floating), and for the nodes' addresses."""

    ports: network.PortSet
    answers: tuple[tuple[Subnet, Answer], ...]
    to_nodes: tuple[tuple[Subnet, Answer], ...]
    floating: bool

    @property
    def worst(self) -> tuple[Subnet, Answer]:
        return min(self.answers, key=_openness)

    @property
    def nodes_open(self) -> bool:
        """Whether the nodes' addresses are open to some of the clients at least, in each subnet."""
        return all(answer.decision.access in (Access.ALLOWED, Access.PARTIAL) for _, answer in self.to_nodes)


def _openness(item: tuple[Subnet, Answer]) -> int:
    return LEAST_OPEN.index(item[1].decision.access)


@check(
    id="nsg-scoring-inbound",
    severity=Severity.HIGH,
    source=Source(
        "AML-V1-INF", "Azure Kubernetes Service, step 5", "/machine-learning/v1/how-to-secure-inferencing-vnet"
    ),
    mend=ALLOW_IN,
    clauses=("S8",),
    reads=(
        "microsoft.network/networksecuritygroups",
        "microsoft.network/virtualnetworks",
        "microsoft.network/loadbalancers",
        "microsoft.network/publicipaddresses",
        "microsoft.machinelearningservices/workspaces/computes",
        "microsoft.machinelearningservices/workspaces/onlineendpoints",
        "microsoft.kubernetesconfiguration/extensions",
    ),
)
def scoring_inbound(cluster: Cluster, inventory: Inventory) -> Iterator[Verdict]:
    serving = infers(inventory, cluster)
    if serving is False:
        yield not_applicable("no-inference", "Azure ML does not infer on {cluster}", cluster=cluster.name)
        return
    scoring = scoring_addresses(inventory, cluster)
    if isinstance(serving, Unread) and not any(scored.certain for scored in scoring):
        yield unknown("inference-unread", "whether Azure ML infers on {cluster} could not be read: {why}",
                      cluster=cluster.name, why=serving.why, hint=serving.hint)  # fmt: skip
        return
    missing = scoring.missing or _address_unread(inventory, cluster)
    if not scoring and missing is not None:
        yield unknown("frontends-unread", "the scoring addresses of {cluster} could not be read: {why}",
                      cluster=cluster.name, why=missing.why, hint=missing.hint)  # fmt: skip
        return
    if not scoring:
        yield not_applicable("no-scoring-address", "no load balancer of {cluster} has an address for scoring",
                             cluster=cluster.name)  # fmt: skip
        return
    found = footprint(inventory, cluster)
    uses = () if isinstance(found, Unread) else found.in_roles(SubnetRole.NODE)
    if not uses:
        why = found.why if isinstance(found, Unread) else "no subnet of its nodes is in the data"
        yield unknown("nodes-unread", "where the nodes of {cluster} are could not be read: {why}",
                      cluster=cluster.name, why=why, hint="grant Reader on the cluster and its network")  # fmt: skip
        return
    places = [_place(cluster, use) for use in uses]
    for scored in scoring:
        yield from _Address(inventory, cluster, scored, places).verdicts()
    yield from _node_ports(inventory, cluster, places)


def _address_unread(inventory: Inventory, cluster: Cluster) -> Unread | None:
    """A service frontend on a scoring port whose public address could not be read."""
    candidates = (f for f in frontends_of(inventory, cluster) if f.kind in SERVICES and f.scoring_candidate)
    return next((f.address for f in candidates if isinstance(f.address, Unread)), None)


def _place(cluster: Cluster, use: SubnetUse) -> InferenceSubnet:
    """A node subnet with this cluster's interfaces only: other clusters' do not see its packets."""
    return InferenceSubnet(use.id, key_of(use.id), use.subnet, use.roles, (cluster,), ())


def _put(
    inventory: Inventory,
    place: InferenceSubnet,
    subnet: Subnet,
    source: network.End,
    destination: network.AddressSet,
    ports: network.PortSet,
) -> Answer:
    question = network.Question(
        direction=network.Direction.INBOUND,
        source=source,
        destination=destination,
        source_ports=network.CLIENT_PORTS,
        ports=ports,
        protocols=frozenset({network.Protocol.TCP}),
    )
    (answer,) = put(inventory, place, subnet, question)
    return answer


class _Address:
    """One scoring address of a cluster."""

    def __init__(
        self, inventory: Inventory, cluster: Cluster, scored: ScoringAddress, places: list[InferenceSubnet]
    ) -> None:
        self.inventory, self.scored, self.places = inventory, scored, places
        self.public = scored.frontend is not None and scored.frontend.kind is FrontendClass.PUBLIC_SERVICE
        self.more: dict[str, Any] = {
            "part": scored.address,
            "related": [scored.frontend.balancer_id] if scored.frontend else [],
            "cluster": cluster.name,
            "address": scored.address,
            "how": scored.how,
        }

    def verdicts(self) -> Iterator[Verdict]:
        frontend = self.scored.frontend
        if frontend is None:
            yield unknown(
                "address-elsewhere",
                "no load balancer of {cluster} that was read has the scoring address {address} ({how}): what stands in "
                "front of it cannot be seen",
                hint="look for a gateway or firewall in front; an old address in the configuration is to be removed",
                **self.more,
            )
            return
        clients = self._clients()
        if isinstance(clients, Unread):
            yield unknown("clients-unparsable", "scoring_clients of the configuration: {why}", why=clients.why,
                          hint="mend scoring_clients", **self.more)  # fmt: skip
            return
        known: list[tuple[InferenceSubnet, Subnet]] = []
        for place in self.places:
            match readable_subnet(place):
                case Unread(why=why, hint=hint):
                    yield unknown(
                        "subnet-unread",
                        "whether clients reach {address} of {cluster} hangs on {subnet}, which could not be read: "
                        "{why}",
                        subnet=place.name,
                        why=why,
                        hint=hint,
                        **self.more,
                    )
                case subnet:
                    known.append((place, subnet))
        if known:
            yield self._best(frontend, clients, known)

    def _clients(self) -> network.AddressSet | Unread | None:
        """The configured clients; None without any."""
        texts = self.inventory.configured.scoring_clients
        return address_set(texts, "scoring_clients") if texts else None

    def _best(
        self,
        frontend: ClusterFrontend,
        clients: network.AddressSet | None,
        known: list[tuple[InferenceSubnet, Subnet]],
    ) -> Verdict:
        address = AddressSet.parse(self.scored.address)
        if frontend.floating:
            ports = [port for port in SCORING_PORTS if port in frontend.ports] or list(frontend.ports)
            choices = [PortSet.of(port) for port in ports]
        else:
            choices = [PortSet.of(port) for port in frontend.backend_ports]
        if not choices:
            return unknown("ports-unread", "the ports of {address} of {cluster} could not be read",
                           hint="collect again", **self.more)  # fmt: skip
        ways = []
        for choice in choices:
            to_nodes, to_front = [], []
            for place, subnet in known:
                source = clients if clients is not None else self._everybody(subnet)
                nodes = subnet_addresses(subnet)
                if isinstance(nodes, AddressSet):
                    to_nodes.append((subnet, _put(self.inventory, place, subnet, source, nodes, choice)))
                to_front.append((subnet, _put(self.inventory, place, subnet, source, address, choice)))
            ways.append(
                Way(choice, tuple(to_front if frontend.floating else to_nodes), tuple(to_nodes), frontend.floating)
            )
        best = max(ways, key=lambda way: _openness(way.worst))
        return self._decided(frontend, clients is not None, best)

    def _everybody(self, subnet: Subnet) -> network.End:
        if self.public:
            return INTERNET
        space = surroundings(self.inventory, subnet).virtual_network
        return space or network.Tag("VirtualNetwork")

    def _decided(self, frontend: ClusterFrontend, configured: bool, way: Way) -> Verdict:
        subnet, answer = way.worst
        decision = answer.decision
        word = "publicIPAddress" if self.public else "privateIPAddress"
        path = f"properties.frontendIPConfigurations['{frontend.name}'].properties.{word}"
        shown = (Evidence(frontend.balancer_id, path, self.scored.address, self.scored.how),
                 *deciding(decision.parts))  # fmt: skip
        self.more |= {
            "trace": trace_of(answer, f"clients of {self.scored.address}"),
            "effect": effect_of(answer for _, answer in way.answers),
            "subnet": subnet.name,
            "ports": str(way.ports),
            "clients": "the configured clients" if configured else "the Internet" if self.public else "the network",
        }
        match decision.access:
            case Access.ALLOWED if configured:
                return passed("clients-allowed", "{address} of {cluster} is open on {ports} to {clients}",
                              *shown, **self.more)  # fmt: skip
            case Access.ALLOWED if self.public:
                return warned(
                    "open-to-internet",
                    "{address} of {cluster} is open on {ports} to all of the Internet",
                    *shown,
                    mend=Mend.by("allow the clients' addresses only, and name them as scoring_clients"),
                    **self.more,
                )
            case Access.ALLOWED:
                return passed("network-allowed", "{address} of {cluster} is open on {ports} to {clients}",
                              *shown, **self.more)  # fmt: skip
            case Access.UNDECIDED:
                return unknown("undecided", "whether {address} of {cluster} is open on {ports} to {clients} hangs on "
                               "{atoms}, which rule {rules} rests on", *shown, **hangs_on([decision]),
                               **self.more)  # fmt: skip
            case Access.PARTIAL if self.public and not configured:
                return passed("restricted", "{address} of {cluster} is open on {ports} to a part of the Internet only",
                              *shown, **self.more)  # fmt: skip
            case Access.PARTIAL:
                return self._partly(way, shown, configured)
            case Access.DENIED:
                return self._denied(way, shown)

    def _stopped(self, way: Way) -> dict[str, Any]:
        """The denial, and the values of a command that lets the clients in; which ones is a person's choice."""
        subnet, answer = way.worst
        name = f"AllowScoring-{self.scored.address}".replace(":", "-")
        group = subnet_group(self.inventory, subnet)
        facts = stopped(
            self.inventory,
            answer.decision,
            group,
            network.Direction.INBOUND,
            name,
            sources=list(self.inventory.configured.scoring_clients) or (None if self.public else ["VirtualNetwork"]),
            # Without floating addresses rules see the nodes' addresses, which come and go within their subnet.
            destinations=[self.scored.address] if way.floating else list(subnet.prefixes),
        )
        return facts | {
            "groups": list(stoppers(answer.decision)),
            "ports": [str(way.ports)],
            "mend": ALLOW_IN,
        }

    def _partly(self, way: Way, shown: tuple[Evidence, ...], configured: bool) -> Verdict:
        more = self.more | self._stopped(way)
        if configured:
            return warned("clients-partly", "{address} of {cluster} is open on {ports} to a part of {clients}: {rule} "
                          "in {groups} drops {packet}", *shown, **more)  # fmt: skip
        return warned("network-partly", "{address} of {cluster} is open on {ports} to a part of {clients}: {rule} in "
                      "{groups} drops {packet}", *shown, **more)  # fmt: skip

    def _denied(self, way: Way, shown: tuple[Evidence, ...]) -> Verdict:
        more = self.more | self._stopped(way)
        if way.nodes_open:
            return warned(
                "node-address-only",
                "{clients} reach the nodes' addresses in {subnet} on {ports}, but {rule} in {groups} drops {packet} to "
                "the frontend's address, which rules see with floating addresses",
                *shown,
                **more,
            )
        say = failed if self.scored.certain else warned
        return say(
            "denied",
            "{address} of {cluster} is closed on {ports} to {clients}: {rule} in {groups} drops {packet}",
            *shown,
            **more,
        )


def _node_ports(inventory: Inventory, cluster: Cluster, places: list[InferenceSubnet]) -> Iterator[Verdict]:
    """Custom rules that let the Internet in to node ports or SSH, through both groups."""
    for place in places:
        subnet = readable_subnet(place)
        nodes = subnet if isinstance(subnet, Unread) else subnet_addresses(subnet)
        if isinstance(subnet, Unread) or isinstance(nodes, Unread):
            continue
        answer = _put(inventory, place, subnet, INTERNET, nodes, NODE_PORTS)
        parts = [
            part
            for part in answer.decision.of(Access.ALLOWED)
            if any(d.rule is not None and not d.rule.default for d in part.deciders)
        ]
        if parts:
            yield warned(
                "node-ports-open",
                "the rules on {subnet} let the Internet in to nodes of {cluster}: {packet}",
                *deciding(parts),
                part=f"node-ports {subnet.name}",
                trace=trace_of(answer, "node ports"),
                mend=Mend.by("narrow the rule to the scoring port and address"),
                subnet=subnet.name,
                cluster=cluster.name,
                packet=str(parts[0].witness),
            )
