"""Security rules and groups as plain values, as ARM carries them; `auditor.network.reading` gives them meaning."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from auditor.network.addresses import AddressSet
from auditor.network.tags import TagData
from auditor.values import Unread

FIRST_PRIORITY, LAST_PRIORITY = 100, 4096  # what ARM admits for custom rules


class Direction(enum.StrEnum):
    """Seen from the interface that a group protects."""

    INBOUND = "Inbound"
    OUTBOUND = "Outbound"


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityRule:
    """One rule, texts as received, singular and plural properties merged.

    `sources`/`destinations` hold prefixes, ranges, tags and `*`; `source_groups`/`destination_groups` the ids of
    application security groups. A side on which both are empty matches nothing (requirements 0.2). `priority` is None
    where the body holds no integer. `default` marks Azure's own rules 65000 to 65500.
    """

    name: str
    id: str = ""
    priority: int | None
    direction: str
    access: str
    protocol: str
    sources: tuple[str, ...] = ()
    source_groups: tuple[str, ...] = ()
    source_ports: tuple[str, ...]
    destinations: tuple[str, ...] = ()
    destination_groups: tuple[str, ...] = ()
    destination_ports: tuple[str, ...]
    default: bool = False

    def __str__(self) -> str:
        return f"{self.name} ({self.priority})"


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminRule:
    """A security admin rule of Azure Virtual Network Manager; its access is Allow, Deny or AlwaysAllow.

    `rank` orders rules of several configurations or collections before `priority`, lower first.
    """

    rule: SecurityRule
    rank: int = 0


@dataclass(frozen=True, slots=True)
class SecurityGroup:
    """A network security group. Default rules that `rules` lacks are assumed: Azure does not let them be removed."""

    id: str
    name: str
    rules: tuple[SecurityRule, ...]
    _hash: int = field(init=False, repr=False, compare=False, default=0)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash((self.id, self.name, self.rules)))

    def __hash__(self) -> int:
        """Computed once: groups of thousands of rules are keys of caches."""
        return self._hash

    def custom(self, direction: Direction) -> tuple[SecurityRule, ...]:
        """The rules of people (and of AKS) in a direction, by priority; one of unreadable direction counts for both."""
        found = [rule for rule in self.rules if not rule.default and may_be(rule, direction)]
        return tuple(sorted(found, key=priority_order))

    def effective(self, direction: Direction) -> tuple[SecurityRule, ...]:
        """Custom rules, then the default ones of the direction: as read, or assumed where the body lacks them."""
        read = {
            rule.priority: rule
            for rule in self.rules
            if rule.default and rule.direction.strip().casefold() == direction.casefold()
        }
        defaults = tuple(read.get(rule.priority, rule) for rule in default_rules(direction, self.id))
        return self.custom(direction) + defaults


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Where a group's rules sit: what its tags and application security groups mean there.

    virtual_network  the address space of the virtual network and of its connected peers, as far as read, plus prefixes
                     of user routes on the subnet and of local network gateways; 168.63.129.16 is added here
    unread_space     pieces of that space that could not be read (a peer)
    learned          set if a gateway may have learned further prefixes, which no configuration shows
    default_route    whether the subnet sends 0.0.0.0/0 to a gateway or appliance by a user route: `VirtualNetwork`
                     may then hold everything, and both readings are evaluated
    tags             service tag data, or None
    groups           application security group id (lower case) -> addresses of its members, or why they are unread
    admin_unread     set if a network manager is known to apply whose rules could not be read
    """

    cloud: str
    virtual_network: AddressSet
    unread_space: tuple[Unread, ...] = ()
    learned: Unread | None = None
    default_route: bool = False
    tags: TagData | None = None
    groups: tuple[tuple[str, AddressSet | Unread], ...] = ()
    admin_unread: Unread | None = None


def priority_order(rule: SecurityRule) -> int:
    """Where a rule stands; one without a priority stands first, because it may be anywhere."""
    return -1 if rule.priority is None else rule.priority


def may_be(rule: SecurityRule, direction: Direction) -> bool:
    """Whether a rule is of this direction, or of one that cannot be read."""
    text = rule.direction.strip().casefold()
    return text == direction.casefold() or text not in {d.casefold() for d in Direction}


def default_rules(direction: Direction, group_id: str = "") -> tuple[SecurityRule, ...]:
    """The three rules that every group ends with (requirements 6.3)."""
    if direction is Direction.INBOUND:
        rows = (
            ("AllowVnetInBound", 65000, "Allow", "VirtualNetwork", "VirtualNetwork"),
            ("AllowAzureLoadBalancerInBound", 65001, "Allow", "AzureLoadBalancer", "*"),
            ("DenyAllInBound", 65500, "Deny", "*", "*"),
        )
    else:
        rows = (
            ("AllowVnetOutBound", 65000, "Allow", "VirtualNetwork", "VirtualNetwork"),
            ("AllowInternetOutBound", 65001, "Allow", "*", "Internet"),
            ("DenyAllOutBound", 65500, "Deny", "*", "*"),
        )
    return tuple(
        SecurityRule(
            name=name,
            id=f"{group_id}/defaultSecurityRules/{name}" if group_id else "",
            priority=priority,
            direction=direction.value,
            access=access,
            protocol="*",
            sources=(source,),
            source_ports=("*",),
            destinations=(destination,),
            destination_ports=("*",),
            default=True,
        )
        for name, priority, access, source, destination in rows
    )
