"""Packets, addresses, security rules, service tags and routes: Azure's network semantics as pure functions over values.

Knows nothing of Azure's SDKs, of files of an estate, or of checks. The usual way in: build `SecurityGroup`s and
`Surroundings`, ask `decide(series(...), outbound(...), surroundings)`, read `access`, `parts` and `unknowns`.
"""

from auditor.network.addresses import AddressSet, Family
from auditor.network.decide import Group, decide, decide_packet, series
from auditor.network.decision import Access, Decider, Decision, How, Part, Step, Unknown
from auditor.network.facts import (
    aks_reserved,
    cluster_private_space,
    not_internet,
    paired_region,
    platform_address,
    regions,
    rfc1918,
    tag_suffix,
)
from auditor.network.packets import ALL_PROTOCOLS, Packet, PacketSet, Protocol
from auditor.network.ports import PortSet
from auditor.network.question import CLIENT_PORTS, End, Question, inbound, outbound
from auditor.network.ranges import first_free, is_private, offset, overlapping, reserved_part, usable
from auditor.network.reading import Atom
from auditor.network.routes import (
    Hop,
    Kind,
    Leg,
    Network,
    PrivateEndpoint,
    Route,
    RouteTable,
    default_routes,
    internet_routes,
    next_hops,
    reachable,
    sends_default_away,
)
from auditor.network.rules import (
    FIRST_PRIORITY,
    LAST_PRIORITY,
    AdminRule,
    Direction,
    SecurityGroup,
    SecurityRule,
    Surroundings,
    default_rules,
)
from auditor.network.tags import Relation, Tag, TagData, inside_internet, regional_name, relation

__all__ = [
    "ALL_PROTOCOLS",
    "CLIENT_PORTS",
    "FIRST_PRIORITY",
    "LAST_PRIORITY",
    "Access",
    "AddressSet",
    "AdminRule",
    "Atom",
    "Decider",
    "Decision",
    "Direction",
    "End",
    "Family",
    "Group",
    "Hop",
    "How",
    "Kind",
    "Leg",
    "Network",
    "Packet",
    "PacketSet",
    "Part",
    "PortSet",
    "PrivateEndpoint",
    "Protocol",
    "Question",
    "Relation",
    "Route",
    "RouteTable",
    "SecurityGroup",
    "SecurityRule",
    "Step",
    "Surroundings",
    "Tag",
    "TagData",
    "Unknown",
    "aks_reserved",
    "cluster_private_space",
    "decide",
    "decide_packet",
    "default_routes",
    "default_rules",
    "first_free",
    "inbound",
    "inside_internet",
    "internet_routes",
    "is_private",
    "next_hops",
    "not_internet",
    "offset",
    "outbound",
    "overlapping",
    "paired_region",
    "platform_address",
    "reachable",
    "regional_name",
    "regions",
    "relation",
    "reserved_part",
    "rfc1918",
    "sends_default_away",
    "series",
    "tag_suffix",
    "usable",
]
