"""The network of a cluster as nodes and edges: what a picture of it shows. Who judges which edge: `attribution`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from auditor.derive.endpoints import endpoints_of, private_addresses
from auditor.derive.footprint import Footprint, NetworkUse, SubnetRole, SubnetUse, footprint
from auditor.derive.frontends import ClusterFrontend, FrontendClass, frontends_of
from auditor.derive.links import attachment
from auditor.derive.principals import ClusterPrincipal, control_plane, kubelet
from auditor.derive.registries import RegistryUse, registries_of, resource_name
from auditor.findings import NodeKind, Relation, TopologyNode
from auditor.inventory import Inventory
from auditor.inventory.records import Cluster, PrivateEndpoint, RouteTable, SecurityGroup, Subnet, key_of
from auditor.values import Unread

DEFAULT_ROUTES = ("0.0.0.0/0", "::/0")
SHOWN_HOPS = 3  # addresses of one hop type that are drawn one by one: kubenet has a route for each node
_SERVED = (FrontendClass.INTERNAL_SERVICE, FrontendClass.PUBLIC_SERVICE, FrontendClass.OUTBOUND_ONLY)


@dataclass(frozen=True, slots=True)
class Line:
    """An edge, and the folded ids that a finding which judges it names: one of `about`, one of `beside` if any."""

    source: str
    target: str
    relation: Relation
    about: frozenset[str]
    beside: frozenset[str] = frozenset()
    default: bool = False
    """For `sends-to`: whether a default route goes there. For `answers-at`: whether the router may be there."""


@dataclass(slots=True)
class Drawing:
    """A cluster's network while it is put together. Findings about the folded ids `owners` are the cluster's own."""

    cluster: Cluster
    owners: frozenset[str]
    nodes: dict[str, TopologyNode] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)

    def node(
        self,
        kind: NodeKind,
        name: str,
        *,
        id: str = "",
        note: str = "",
        parent: str | None = None,
        read: bool = True,
    ) -> str:
        """Add a node, once; its key is the folded id, or kind and name where there is no id."""
        key = key_of(id) if id else f"{kind}:{name}"
        if key not in self.nodes:
            self.nodes[key] = TopologyNode(key=key, kind=kind, name=name, id=id, note=note, parent=parent, read=read)
        return key

    def line(
        self,
        source: str,
        target: str,
        relation: Relation,
        about: Iterable[str],
        beside: Iterable[str] = (),
        *,
        default: bool = False,
    ) -> None:
        """Add an edge; a second one between the same ends adds what it is about."""
        made = Line(source, target, relation, frozenset(about), frozenset(beside), default)
        for at, known in enumerate(self.lines):
            if (known.source, known.target, known.relation) == (source, target, relation):
                self.lines[at] = Line(
                    source,
                    target,
                    relation,
                    known.about | made.about,
                    known.beside | made.beside,
                    known.default or default,
                )
                return
        self.lines.append(made)


def drawing(inventory: Inventory, cluster: Cluster) -> Drawing:
    """The network of one cluster. What refers to something that was not read is drawn, and says so."""
    tie = attachment(inventory, cluster)
    made = Drawing(
        cluster, frozenset({cluster.key, *(each.key for each in tie.computes), *(each.key for each in tie.extensions)})
    )
    made.node("cluster", cluster.name, id=cluster.id)
    _add_identities(inventory, made)
    found = footprint(inventory, cluster)
    if isinstance(found, Footprint):
        for network in found.networks:
            _add_network(made, network, found)
        for use in found.uses:
            if not isinstance(use.subnet, Unread):
                _add_subnet_rules(inventory, made, use.subnet)
    _add_control_plane(made)
    for frontend in frontends_of(inventory, cluster):
        if frontend.kind in _SERVED:
            _add_frontend(made, frontend)
    pulling = found.in_roles(SubnetRole.NODE, SubnetRole.POD) if isinstance(found, Footprint) else ()
    for registry in registries_of(inventory, cluster):
        _add_registry(inventory, made, registry, [use for use in pulling if key_of(use.id) in made.nodes])
    return made


def _add_identities(inventory: Inventory, made: Drawing) -> None:
    cluster = made.cluster
    _add_identity(made, "identity", control_plane(inventory, cluster), _assigned(cluster))
    entries = (cluster.body.identity_profile or {}).items()
    named = (entry.resource_id for name, entry in entries if entry and name.casefold() == "kubeletidentity")
    _add_identity(made, "kubelet-identity", kubelet(inventory, cluster), next(named, None))


def _assigned(cluster: Cluster) -> str | None:
    """The id of the one user-assigned identity that a cluster has."""
    assigned = (cluster.identity.user_assigned_identities or {}) if cluster.identity else {}
    return next(iter(assigned)) if len(assigned) == 1 else None


def _add_identity(made: Drawing, kind: NodeKind, principal: ClusterPrincipal | Unread, resource: str | None) -> None:
    name = resource_name(resource) if resource else ""
    match principal:
        case ClusterPrincipal(object_id=object_id, kind=what):
            key = made.node(kind, name or object_id, note=" · ".join([what, *([object_id] if name else [])]))
        case Unread(why=why):
            key = made.node(kind, name or "?", note=why, read=False)
    made.line(made.cluster.key, key, "acts-as", ())


def _add_network(made: Drawing, use: NetworkUse, found: Footprint) -> None:
    """A virtual network with all its subnets: those the cluster uses first, then the others."""
    name = resource_name(use.id)
    used = {key_of(each.id): each for each in found.uses if key_of(each.network_id) == key_of(use.id)}
    read = not isinstance(use.network, Unread)
    note = use.network.why if isinstance(use.network, Unread) else ", ".join(use.network.prefixes)
    network = made.node("network", name, id=use.id, note=note, read=read)
    for each in used.values():
        _add_used_subnet(made, network, each)
    for subnet in () if isinstance(use.network, Unread) else use.network.subnets:
        if subnet.key not in used:
            made.node("subnet", subnet.name, id=subnet.id, note=", ".join(subnet.prefixes), parent=network)
    identity = next(key for key, node in made.nodes.items() if node.kind == "identity")
    group = use.id.casefold().split("/providers/")[0]
    made.line(identity, network, "may-join", {made.cluster.key}, {*used, network, group})


def _add_used_subnet(made: Drawing, network: str, use: SubnetUse) -> None:
    read = not isinstance(use.subnet, Unread)
    note = use.subnet.why if isinstance(use.subnet, Unread) else ", ".join(use.subnet.prefixes)
    subnet = made.node("subnet", resource_name(use.id), id=use.id, note=note, parent=network, read=read)
    made.line(made.cluster.key, subnet, "uses", {subnet})


def _add_subnet_rules(inventory: Inventory, made: Drawing, subnet: Subnet) -> None:
    """The security group and the route table of a subnet that the cluster uses."""
    if subnet.key not in made.nodes:
        return
    if subnet.security_group_id:
        group = inventory.find(SecurityGroup, subnet.security_group_id)
        key = _referred(made, "security-group", subnet.security_group_id, group)
        made.line(subnet.key, key, "filtered-by", {subnet.key})
    if subnet.route_table_id:
        table = inventory.find(RouteTable, subnet.route_table_id)
        key = _referred(made, "route-table", subnet.route_table_id, table)
        made.line(subnet.key, key, "routed-by", {subnet.key, key})
        if isinstance(table, RouteTable):
            _add_hops(made, subnet, table, key)


def _referred(made: Drawing, kind: NodeKind, resource_id: str, found: object) -> str:
    """A node for what another resource refers to, whether it could be read or not."""
    unread = isinstance(found, Unread)
    return made.node(
        kind,
        resource_name(resource_id),
        id=resource_id,
        note=found.why if isinstance(found, Unread) else "",
        read=not unread,
    )


def _add_hops(made: Drawing, subnet: Subnet, table: RouteTable, table_key: str) -> None:
    """Where a route table sends packets: a node a next hop, many addresses of one type as a single node."""
    hops: dict[str, dict[str, list[str]]] = {}
    for route in table.routes:
        to = hops.setdefault(route.body.next_hop_type or "?", {})
        to.setdefault(route.body.next_hop_ip_address or "", []).append(route.body.address_prefix or "?")
    for kind, addresses in sorted(hops.items()):
        drawn = dict(sorted(addresses.items()))
        if len(drawn) > SHOWN_HOPS:
            default = {at: to for at, to in drawn.items() if set(to) & set(DEFAULT_ROUTES)}
            rest = [prefix for at, to in drawn.items() if at not in default for prefix in to]
            drawn = {**default, f"({len(drawn) - len(default)})": rest}
        for address, prefixes in drawn.items():
            name = address if address and not address.startswith("(") else f"{kind} {address}".strip()
            hop = made.node("next-hop", name, note=f"{_some(prefixes)} · {kind}")
            default_route = bool(set(prefixes) & set(DEFAULT_ROUTES))
            made.line(table_key, hop, "sends-to", {subnet.key}, default=default_route)


def _some(texts: list[str]) -> str:
    shown = ", ".join(texts[:2])
    return f"{shown} +{len(texts) - 2}" if len(texts) > 2 else shown


def _add_control_plane(made: Drawing) -> None:
    cluster = made.cluster
    server = made.node("api-server", cluster.body.private_fqdn or cluster.body.fqdn or cluster.name)
    made.line(cluster.key, server, "managed-at", {cluster.key})


def _add_frontend(made: Drawing, frontend: ClusterFrontend) -> None:
    address = frontend.address if isinstance(frontend.address, str) else ""
    ports = ", ".join(map(str, frontend.ports))
    note = " · ".join(text for text in (frontend.kind.value, ports) if text)
    unread = isinstance(frontend.address, Unread)
    key = made.node("frontend", address or frontend.name, id=frontend.id, note=note, read=not unread)
    home = key_of(frontend.subnet_id or "")
    source = home if home in made.nodes else made.cluster.key
    if frontend.kind is FrontendClass.OUTBOUND_ONLY:
        made.line(source, key, "leaves-by", made.owners, {key})
        return
    beside = {key, *([address] if address else [])}
    made.line(source, key, "answers-at", made.owners, beside, default=frontend.scoring_candidate)


def _add_registry(inventory: Inventory, made: Drawing, use: RegistryUse, subnets: list[SubnetUse]) -> None:
    """A registry, the ways to it (by private endpoints in the cluster's networks, or directly), and who pulls."""
    registry = _referred(made, "registry", use.id, use.registry)
    networks = {key for key, node in made.nodes.items() if node.kind == "network"}
    near = [endpoint for endpoint in endpoints_of(inventory, use.id) if _home(endpoint) in networks]
    for endpoint in near:
        addresses = ", ".join(private_addresses(inventory, endpoint).prefixes())
        home = resource_name(endpoint.subnet_id or "")
        note = " · ".join(text for text in (addresses.replace("/32", ""), home) if text)
        key = made.node("private-endpoint", endpoint.name, id=endpoint.id, note=note)
        made.line(key, registry, "leads-to", {registry}, networks)
    for subnet in subnets:
        inside = [endpoint for endpoint in near if _home(endpoint) == key_of(subnet.network_id)]
        for end in [endpoint.key for endpoint in inside] or [registry]:
            made.line(key_of(subnet.id), end, "reaches", {key_of(subnet.id), key_of(subnet.network_id)}, {registry})
    puller = next(key for key, node in made.nodes.items() if node.kind == "kubelet-identity")
    made.line(puller, registry, "pulls-from", {made.cluster.key}, {registry})


def _home(endpoint: PrivateEndpoint) -> str:
    return key_of((endpoint.subnet_id or "").casefold().split("/subnets/")[0])
