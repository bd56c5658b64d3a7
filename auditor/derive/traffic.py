"""Packets of an inference subnet: which groups they pass, what the rules' tags mean there, and what becomes of them.

A question is asked once per distinct rule set, surroundings and class (auditor.network keeps the answers), however many
clusters share them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from auditor.derive.endpoints import connected_peerings, private_addresses
from auditor.derive.footprint import InferenceSubnet, SubnetRole, network_id_of
from auditor.derive.peers import peers
from auditor.derive.tags import tag_data
from auditor.inventory import Inventory
from auditor.inventory.records import (
    ApplicationSecurityGroup,
    Cluster,
    EffectiveAdminRules,
    NetworkInterface,
    PrivateEndpoint,
    RouteTable,
    SecurityGroup,
    Subnet,
    VirtualNetwork,
    VirtualNetworkGateway,
    id_of,
    ids,
    key_of,
    merged,
)
from auditor.inventory.records import SecurityRule as RuleRecord
from auditor.inventory.shapes import AddressItem, AdminRuleItem
from auditor.network import (
    CLIENT_PORTS,
    AddressSet,
    AdminRule,
    Decision,
    Direction,
    End,
    Group,
    Hop,
    PortSet,
    Protocol,
    Question,
    SecurityRule,
    Surroundings,
    decide,
    internet_routes,
    sends_default_away,
    series,
)
from auditor.network import Route as RouteValue
from auditor.network import RouteTable as TableValue
from auditor.network import SecurityGroup as Rules
from auditor.values import ResourceId, Unread, region_key

GATEWAY_SUBNET = "gatewaysubnet"
ROUTE_SERVER_SUBNET = "routeserversubnet"


@dataclass(frozen=True, slots=True)
class Answer:
    """A decision for the packets of one subnet through the interface group of one cluster (None: no cluster)."""

    decision: Decision
    cluster: Cluster | None


def address_set(texts: Iterable[str], what: str) -> AddressSet | Unread:
    """Prefixes as a set; Unread where one of them cannot be parsed."""
    found = []
    for text in texts:
        try:
            found.append(AddressSet.parse(text))
        except ValueError:
            return Unread(what, f"{text!r} is not an address prefix", "mend the prefix", "prefix-unparsable")
    return AddressSet.union(found)


def subnet_addresses(subnet: Subnet) -> AddressSet | Unread:
    """The addresses of a subnet; Unread where its body has none or one that cannot be parsed."""
    if not subnet.prefixes:
        return Unread(subnet.id, "addressPrefix is not in the subnet's data", "collect again", "prefix-unread")
    return address_set(subnet.prefixes, subnet.id)


def readable_subnet(where: InferenceSubnet) -> Subnet | Unread:
    """The subnet, where it and its address prefixes were read and understood; else why not."""
    if isinstance(where.subnet, Unread):
        return where.subnet
    addresses = subnet_addresses(where.subnet)
    return addresses if isinstance(addresses, Unread) else where.subnet


def rules_of(inventory: Inventory, group: SecurityGroup) -> Rules:
    """A network security group as the semantics take it."""

    def compute() -> Rules:
        custom = [_rule(rule, default=False) for rule in group.rules]
        default = [_rule(rule, default=True) for rule in group.defaults]
        return Rules(id=group.id, name=group.name, rules=tuple(custom + default))

    return inventory.remember(("rules", group.key), compute)


def _rule(record: RuleRecord, *, default: bool) -> SecurityRule:
    body = record.body
    return SecurityRule(
        name=record.name,
        id=record.id,
        priority=body.priority,
        direction=body.direction or "",
        access=body.access or "",
        protocol=str(body.protocol if body.protocol is not None else ""),
        sources=merged(body.source_address_prefix, body.source_address_prefixes),
        source_groups=ids(body.source_application_security_groups),
        source_ports=_ports(body.source_port_range, body.source_port_ranges),
        destinations=merged(body.destination_address_prefix, body.destination_address_prefixes),
        destination_groups=ids(body.destination_application_security_groups),
        destination_ports=_ports(body.destination_port_range, body.destination_port_ranges),
        default=default,
    )


def _ports(one: str | int | None, many: list[str | int] | None) -> tuple[str, ...]:
    values = [*([one] if one not in (None, "") else []), *(many or ())]
    return tuple(dict.fromkeys(str(value) for value in values if value not in (None, "")))


def subnet_group(inventory: Inventory, subnet: Subnet) -> SecurityGroup | Unread | None:
    """The network security group on a subnet; None where there is none."""
    group_id = subnet.security_group_id
    return inventory.find(SecurityGroup, group_id) if group_id else None


def interface_group(inventory: Inventory, cluster: Cluster) -> SecurityGroup | Unread | None:
    """The group on a cluster's node interfaces, from the node resource group; None where there is none.

    AKS names its own; any other group there counts too, unless its body shows it on subnets only. One that shows no
    association at all may or may not be on the interfaces of a scale set.
    """
    if not cluster.node_group_id:
        return Unread(cluster.id, "nodeResourceGroup is not in the cluster's data", "collect again", "group-unread")
    listed = inventory.within(SecurityGroup, cluster.node_group_id)
    if listed.missing is not None:
        return Unread(listed.missing.what, listed.missing.why, listed.missing.hint, "group-unread")
    possible = [group for group in listed if _made_by_aks(group) or _on_interfaces(group) or not group.body.subnets]
    if not possible:
        return None
    if len(possible) == 1 and (_made_by_aks(possible[0]) or _on_interfaces(possible[0])):
        return possible[0]
    return Unread(
        cluster.node_group_id,
        f"{len(possible)} groups could be on the node interfaces",
        "compare the scale sets' networkProfile",
        "group-unread",
    )


def _made_by_aks(group: SecurityGroup) -> bool:
    return group.name.casefold().startswith("aks-agentpool-")


def _on_interfaces(group: SecurityGroup) -> bool:
    return bool(ids(group.body.network_interfaces))


def _station(inventory: Inventory, group: SecurityGroup | Unread | None) -> Group:
    return rules_of(inventory, group) if isinstance(group, SecurityGroup) else group


def network_of(inventory: Inventory, subnet: Subnet) -> VirtualNetwork | Unread:
    """The virtual network of a subnet."""
    return inventory.find(VirtualNetwork, subnet.network_id)


def table_of(inventory: Inventory, subnet: Subnet) -> RouteTable | Unread | None:
    """The route table on a subnet; None where there is none."""
    return inventory.find(RouteTable, subnet.route_table_id) if subnet.route_table_id else None


def route_cut_short(table: RouteTable) -> Unread | None:
    """A route of which the data do not say where it leads or what for: it may be the default route."""
    for route in table.routes:
        if not route.body.address_prefix or not route.body.next_hop_type:
            return Unread(route.id, "addressPrefix or nextHopType is not in its data", "collect again", "route-unread")
    return None


def table_value(inventory: Inventory, table: RouteTable) -> TableValue:
    """A route table as the semantics take it."""

    def compute() -> TableValue:
        routes = tuple(
            RouteValue(
                name=route.name,
                id=route.id,
                prefix=route.body.address_prefix or "",
                next_hop_type=route.body.next_hop_type or "",
                next_hop_ip=route.body.next_hop_ip_address or None,
            )
            for route in table.routes
        )
        learns = not table.body.disable_bgp_route_propagation
        return TableValue(id=table.id, name=table.name, routes=routes, learns=learns)

    return inventory.remember(("table", table.key), compute)


def gateway_in(inventory: Inventory, network: VirtualNetwork) -> bool:
    """Whether a VPN or ExpressRoute gateway sits in a network: read as a resource, or seen in its gateway subnet."""
    for gateway in inventory.every(VirtualNetworkGateway):
        for configuration in gateway.body.ip_configurations or ():
            subnet_id = id_of(configuration.properties.subnet) if configuration.properties else None
            if subnet_id and key_of(subnet_id).startswith(network.key + "/subnets/"):
                return True
    return _occupied(network, GATEWAY_SUBNET)


def _occupied(network: VirtualNetwork, reserved: str) -> bool:
    """Whether something sits in a subnet that Azure reserves by its name."""
    return any(s.name.casefold() == reserved and s.body.ip_configurations for s in network.subnets)


def learns_routes(inventory: Inventory, subnet: Subnet, network: VirtualNetwork) -> Unread | None:
    """Why the subnet may have routes that no configuration shows: a gateway or Route Server here, or a gateway or
    Route Server across a peering, propagating.
    """
    table = table_of(inventory, subnet)
    if isinstance(table, RouteTable) and table.body.disable_bgp_route_propagation:
        return None
    remote = any(p.body.use_remote_gateways for p in connected_peerings(network))
    if not remote and not gateway_in(inventory, network) and not _occupied(network, ROUTE_SERVER_SUBNET):
        return None
    return Unread(
        network.id,
        "a gateway or a Route Server can announce prefixes that no configuration shows",
        "`az network nic show-effective-route-table` shows them for a running node",
        "learned-routes",
    )


def surroundings(inventory: Inventory, subnet: Subnet) -> Surroundings:
    """What tags and application security groups mean for rules on this subnet."""
    return inventory.remember(("surroundings", subnet.key), lambda: _surroundings(inventory, subnet))


def _surroundings(inventory: Inventory, subnet: Subnet) -> Surroundings:
    pieces: list[Unread] = []
    spaces: list[AddressSet] = []

    def take(texts: Iterable[str], what: str) -> None:
        texts = tuple(texts)
        found = address_set(texts, what) if texts else Unread(what, "addressSpace is not in its data", "collect again")
        if isinstance(found, Unread):
            pieces.append(found)
        else:
            spaces.append(found)

    network = network_of(inventory, subnet)
    learned = None
    if isinstance(network, Unread):
        pieces.append(network)
    else:
        take(network.prefixes, network.id)
        for peer in peers(inventory, network, subnet):
            if peer.peering.body.allow_virtual_network_access is False:
                continue  # the switch takes the peer out of the tag, not out of the routes
            if isinstance(peer.prefixes, Unread):
                pieces.append(peer.prefixes)
            elif peer.prefixes or not peer.peering.body.enable_only_ipv6_peering:
                take(peer.prefixes, peer.id)
        for bad in inventory.broken(VirtualNetwork):
            if bad.id == network.id:
                pieces.append(bad.unread)
        learned = learns_routes(inventory, subnet, network)
    table = table_of(inventory, subnet)
    forced = False
    if isinstance(table, Unread):
        pieces.append(table)
    elif table is not None:
        value = table_value(inventory, table)
        forced = sends_default_away(value)
        _take_routes(value, spaces)
    return Surroundings(
        cloud=inventory.cloud,
        virtual_network=AddressSet.union(spaces),
        unread_space=tuple(pieces),
        learned=learned,
        default_route=forced,
        tags=tag_data(inventory),
        groups=_members(inventory),
        admin_unread=_admin_unread(inventory, subnet.network_id),
    )


def _take_routes(table: TableValue, spaces: list[AddressSet]) -> None:
    """User routes widen `VirtualNetwork` (requirements 6.4); default routes are the two readings' matter."""
    defaults = {*internet_routes(table), *internet_routes(table, 6)}
    for route in table.routes:
        addresses = route.addresses
        if addresses is None or route in defaults or _half_the_world(addresses):
            continue
        if route.hop in (Hop.APPLIANCE, Hop.GATEWAY, Hop.VIRTUAL_NETWORK):
            spaces.append(addresses)


def _half_the_world(addresses: AddressSet) -> bool:
    """Whether a prefix is /4 or shorter: a default route, or a piece of one that other routes overrule."""
    return any(addresses.size(family) >= AddressSet.any().size(family) >> 4 for family in addresses.families)


def _members(inventory: Inventory) -> tuple[tuple[str, AddressSet | Unread], ...]:
    """The members of each application security group that a rule names."""

    def compute() -> tuple[tuple[str, AddressSet | Unread], ...]:
        placed = {
            key_of(group_id)
            for cluster in inventory.every(Cluster)
            for pool in cluster.pools
            for group_id in (pool.network_profile.application_security_groups if pool.network_profile else None) or ()
        }
        members: dict[str, list[str]] = defaultdict(list)
        homes: dict[str, set[str]] = defaultdict(set)
        hidden: dict[str, PrivateEndpoint] = {}
        for nic in inventory.every(NetworkInterface):
            for configuration in nic.body.ip_configurations or ():
                properties = configuration.properties
                if properties is None or not properties.private_ip_address:
                    continue
                for group_id in ids(properties.application_security_groups):
                    members[key_of(group_id)].append(properties.private_ip_address)
                    homes[key_of(group_id)].add(key_of(network_id_of(id_of(properties.subnet) or "")))
        named = {
            key_of(group_id)
            for rule in inventory.every(RuleRecord)
            for references in (
                rule.body.source_application_security_groups,
                rule.body.destination_application_security_groups,
            )
            for group_id in ids(references)
        }
        found: list[tuple[str, AddressSet | Unread]] = []
        for endpoint in inventory.every(PrivateEndpoint):
            # The interface of an endpoint need not show the groups that the endpoint is in.
            for group_id in ids(endpoint.body.application_security_groups):
                addresses = private_addresses(inventory, endpoint)
                members[key_of(group_id)].extend(addresses.prefixes())
                if not addresses:
                    hidden.setdefault(key_of(group_id), endpoint)
        for group_id in sorted(named):
            record = inventory.find(ApplicationSecurityGroup, group_id)
            if isinstance(record, Unread):
                found.append((group_id, record))
            elif group_id in placed:
                why = "agent pools are placed in it, and the addresses of their nodes are not in ARM's data"
                found.append((group_id, Unread(group_id, why, "", "asg-unread")))
            elif group_id in hidden:
                why = f"the private endpoint {hidden[group_id].name} is placed in it, and its addresses were not read"
                found.append((group_id, Unread(group_id, why, "", "asg-unread")))
            elif (machines := _foreign_scale_set(inventory, record, homes.get(group_id, set()))) is not None:
                found.append((group_id, machines))
            elif (missing := _interfaces_unread(inventory, group_id)) is not None:
                found.append((group_id, missing))
            else:
                found.append((group_id, address_set(members.get(group_id, ()), group_id)))
        return tuple(found)

    return inventory.remember("asg-members", compute)


_SCALE_SET = "/virtualmachinescalesets/"


def _foreign_scale_set(inventory: Inventory, group: ApplicationSecurityGroup, homes: set[str]) -> Unread | None:
    """A scale set that is no agent pool's and whose machines may be in a group: their interfaces are no resources.

    All members lie in one network: that of `homes` where a member is known, else any of the group's subscription and
    region. What sits in a subnet is told by its `ipConfigurations`.
    """
    pools = {(one.subscription_id, (one.body.node_resource_group or "").casefold()) for one in inventory.every(Cluster)}
    for network in inventory.every(VirtualNetwork):
        if homes and network.key not in homes:
            continue
        if network.subscription_id != group.subscription_id or not _same_region(network, group):
            continue
        for subnet in network.subnets:
            for configuration in subnet.body.ip_configurations or ():
                at = key_of(configuration.id or "")
                owner = at.split("/resourcegroups/")[-1].split("/")[0]
                if _SCALE_SET in at and (subnet.subscription_id, owner) not in pools:
                    name = at.split(_SCALE_SET)[1].split("/")[0]
                    why = f"machines of the scale set {name} in {subnet.name} may be in it, which is not in the data"
                    return Unread(group.id, why, "", "asg-unread")
    return None


def _same_region(network: VirtualNetwork, group: ApplicationSecurityGroup) -> bool:
    """Not told apart counts as the same."""
    if not network.location or not group.location:
        return True
    return region_key(network.location) == region_key(group.location)


def _interfaces_unread(inventory: Inventory, group_id: str) -> Unread | None:
    """Why a member of a group may be unseen: its members share its network, hence its subscription or a peer's."""
    try:
        subscription = ResourceId.parse(group_id).subscription_id
    except ValueError:
        subscription = None
    scopes = [f"/subscriptions/{subscription}"] if subscription else []
    return inventory.listing(NetworkInterface, scopes).missing or inventory.listing(PrivateEndpoint, scopes).missing


def _admin_unread(inventory: Inventory, network_id: str) -> Unread | None:
    for bad in inventory.broken(EffectiveAdminRules):
        return bad.unread
    for row in inventory.every(EffectiveAdminRules):
        if _managed_network(row) == key_of(network_id) and row.body.rules is None:
            return Unread(
                network_id, "a network manager applies, and its rules are not in the data", "", "admin-unread"
            )
    return None


def _managed_network(row: EffectiveAdminRules) -> str:
    """The folded id of the network that a row is about: the one it names, else the one that its own id begins with."""
    return key_of(row.body.virtual_network_id or row.key.split("/providers/microsoft.network/effectivesecurity")[0])


def admin_rules(inventory: Inventory, network_id: str) -> tuple[AdminRule, ...]:
    """The security admin rules on a virtual network."""

    def compute() -> tuple[AdminRule, ...]:
        return tuple(
            AdminRule(rule=_admin_rule(item))
            for row in inventory.every(EffectiveAdminRules)
            if _managed_network(row) == key_of(network_id)
            for item in row.body.rules or ()
        )

    return inventory.remember(("admin-rules", key_of(network_id)), compute)


def _admin_end(items: list[AddressItem] | None) -> tuple[str, ...]:
    """One side of an admin rule: none given is any; what names no prefix (a network group) is some unknown set."""
    return tuple(item.address_prefix or f"({item.address_prefix_type or '?'})" for item in items or ()) or ("*",)


def _admin_rule(item: AdminRuleItem) -> SecurityRule:
    body = item.properties
    name = (item.id or "admin rule").rsplit("/", 1)[-1]
    if body is None:
        return SecurityRule(
            name=name, priority=None, direction="", access="", protocol="", source_ports=(), destination_ports=()
        )
    return SecurityRule(
        name=name,
        id=item.id or "",
        priority=body.priority,
        direction=body.direction or "",
        access=body.access or "",
        protocol=str(body.protocol or ""),
        sources=_admin_end(body.sources),
        source_ports=_ports(None, body.source_port_ranges) or ("*",),
        destinations=_admin_end(body.destinations),
        destination_ports=_ports(None, body.destination_port_ranges) or ("*",),
    )


def interface_groups(
    inventory: Inventory, where: InferenceSubnet
) -> tuple[tuple[Cluster | None, SecurityGroup | Unread | None], ...]:
    """The distinct interface groups that packets of a subnet pass, each with a cluster that has it."""
    found: dict[str, tuple[Cluster | None, SecurityGroup | Unread | None]] = {}
    for cluster in where.clusters:
        if where.roles <= {SubnetRole.AUXILIARY, SubnetRole.LOAD_BALANCER, SubnetRole.API_SERVER}:
            continue
        group = interface_group(inventory, cluster)
        key = group.key if isinstance(group, SecurityGroup) else repr(group)
        found.setdefault(key, (cluster, group))
    return tuple(found.values()) or ((None, None),)


def ask(
    inventory: Inventory,
    where: InferenceSubnet,
    subnet: Subnet,
    destination: End,
    ports: PortSet,
    *protocols: Protocol,
    source: End | None = None,
    defaults: bool = True,
) -> tuple[Answer, ...]:
    """What becomes of packets from the subnet to a destination: one answer per distinct interface group."""
    start = source if source is not None else subnet_addresses(subnet)
    question = Question(
        direction=Direction.OUTBOUND,
        source=start if not isinstance(start, Unread) else AddressSet.any(),
        destination=destination,
        ports=ports,
        source_ports=CLIENT_PORTS,
        protocols=frozenset(protocols) or frozenset(Protocol),
        defaults=defaults,
    )
    return put(inventory, where, subnet, question)


def put(inventory: Inventory, where: InferenceSubnet, subnet: Subnet, question: Question) -> tuple[Answer, ...]:
    """A question of either direction, put to the groups of a subnet and of the interfaces in it."""
    around = surroundings(inventory, subnet)
    on_subnet = _station(inventory, subnet_group(inventory, subnet))
    admin = admin_rules(inventory, subnet.network_id)
    answers = []
    for cluster, group in interface_groups(inventory, where):
        stations = series(question.direction, nic=_station(inventory, group), subnet=on_subnet)
        answers.append(Answer(decide(stations, question, around, admin), cluster))
    return tuple(answers)
