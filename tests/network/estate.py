"""Builders for rules and groups: healthy and dull by default, a row states the one thing that differs."""

from __future__ import annotations

import random

from auditor.network import (
    AddressSet,
    Direction,
    PortSet,
    Protocol,
    Question,
    SecurityGroup,
    SecurityRule,
    Surroundings,
    Tag,
    TagData,
)

VNET = AddressSet.of("10.0.0.0/16")
SUBNET = AddressSet.of("10.0.1.0/24")
ACR = "AzureContainerRegistry.EastUS2"
TAGS = TagData.from_values(
    [
        {"name": name, "properties": {"addressPrefixes": prefixes}}
        for name, prefixes in {
            "AzureContainerRegistry": ["20.1.0.0/16", "20.2.0.0/16", "20.9.0.0/16"],
            "AzureContainerRegistry.EastUS2": ["20.1.0.0/16", "20.1.0.0/24"],
            "AzureContainerRegistry.WestUS": ["20.2.0.0/16"],
            "AzureCloud": ["20.0.0.0/8", "40.0.0.0/8"],
            "AzureCloud.eastus2": ["20.1.0.0/16", "40.1.0.0/16"],
            "AzureActiveDirectory": ["40.2.0.0/16", "51.0.0.0/16"],
            "Storage.EastUS2": ["40.1.0.0/16"],
        }.items()
    ],
    cloud="public",
    change_number=7,
    source="a test",
    date="2026-01-01",
)
WITH_DATA = Surroundings(cloud="public", virtual_network=VNET, tags=TAGS)
WITHOUT_DATA = Surroundings(cloud="public", virtual_network=VNET)


def rule(
    access: str,
    priority: int | None,
    *,
    to: str | tuple[str, ...] = "*",
    source: str | tuple[str, ...] = "*",
    ports: str | tuple[str, ...] = "*",
    source_ports: str | tuple[str, ...] = "*",
    protocol: str = "*",
    direction: str = "Outbound",
    name: str = "",
    groups: tuple[str, ...] = (),
) -> SecurityRule:
    """A security rule; everything not said is `*`."""
    name = name or f"{access}-{priority}-{to}-{ports}-{source}-{protocol}"
    return SecurityRule(
        name=name,
        id=f"/nsg/rules/{name}",
        priority=priority,
        direction=direction,
        access=access,
        protocol=protocol,
        sources=(source,) if isinstance(source, str) else source,
        source_ports=(source_ports,) if isinstance(source_ports, str) else source_ports,
        destinations=(to,) if isinstance(to, str) else to,
        destination_groups=groups,
        destination_ports=(ports,) if isinstance(ports, str) else ports,
    )


def allow(priority: int | None, **how: object) -> SecurityRule:
    """An allow rule."""
    return rule("Allow", priority, **how)  # type: ignore[arg-type]


def deny(priority: int | None, **how: object) -> SecurityRule:
    """A deny rule."""
    return rule("Deny", priority, **how)  # type: ignore[arg-type]


def group(*rules: SecurityRule, name: str = "nsg") -> SecurityGroup:
    """A security group of custom rules."""
    return SecurityGroup(f"/groups/{name}", name, rules)


def https(to: str | AddressSet = ACR, source: AddressSet = SUBNET) -> Question:
    """TCP 443 from the subnet to a tag, a prefix or a set, outbound."""
    end: AddressSet | Tag
    if isinstance(to, AddressSet):
        end = to
    else:
        end = AddressSet.parse(to) if to[0].isdigit() else Tag(to)
    return Question(
        direction=Direction.OUTBOUND,
        source=source,
        destination=end,
        ports=PortSet.of(443),
        protocols=frozenset({Protocol.TCP}),
    )


PREFIXES = """10.0.0.0/16 10.0.1.0/24 10.0.1.128/25 10.0.1.5-10.0.1.9 10.1.0.0/16 20.0.0.0/8 20.1.0.0/16 20.1.2.3
40.0.0.0/8 0.0.0.0/0 0.0.0.0/1 10.0.1.77/24 168.63.129.16 2001:db8::/32 ::/0""".split()  # noqa: SIM905
KNOWN = [*PREFIXES, "*", "VirtualNetwork", "internet", "AzureLoadBalancer", "AzureContainerRegistry", ACR.upper()]
ODD = [*KNOWN, "111", "Nowhere", "Elsewhere.At.All", "10.0.0.0/33", ""]
PORTS = ["*", "443", "80", "22-22", "400-500", "0-65535", "1024-65535", "0", "65535"]
ODD_PORTS = [*PORTS, "70000", "5-3"]
PROTOCOLS = ["*", "Tcp", "TCP", "udp", "Any", "All", "6", "17", "Icmp"]
ODD_PROTOCOLS = [*PROTOCOLS, "Esp", "47", "Foo", "IcmpV6"]


def random_rules(
    rng: random.Random, count: int, *, odd: bool, direction: Direction = Direction.OUTBOUND
) -> tuple[SecurityRule, ...]:
    """Rules with distinct priorities; with `odd`, of every spelling that a body can hold, unknown ones too."""
    places, ports = (ODD, ODD_PORTS) if odd else (KNOWN, PORTS)
    protocols = ODD_PROTOCOLS if odd else PROTOCOLS
    numbers = rng.sample(range(100, 4097), count)
    if odd and rng.random() < 0.2:
        numbers[0] = rng.choice([5000, 7, numbers[-1]])
    return tuple(
        SecurityRule(
            name=f"r{index}",
            priority=number,
            direction=direction.value,
            access=rng.choice(["Allow", "Deny", "deny"]),
            protocol=rng.choice(protocols),
            sources=tuple(rng.choices(places, k=rng.choice([1, 1, 2]))),
            source_ports=tuple(rng.choices(ports if rng.random() < 0.2 else ["*"], k=1)),
            destinations=tuple(rng.choices(places, k=rng.choice([1, 1, 2, 3]))),
            destination_ports=tuple(rng.choices(ports, k=rng.choice([1, 2]))),
        )
        for index, number in enumerate(numbers)
    )
