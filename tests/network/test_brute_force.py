"""The engine against an independent evaluator that looks at one packet at a time."""

from __future__ import annotations

import ipaddress
import random

import pytest

from auditor.network import (
    Access,
    AddressSet,
    Direction,
    Packet,
    PortSet,
    Protocol,
    Question,
    SecurityGroup,
    Surroundings,
    decide,
    decide_packet,
    default_rules,
)
from tests.network import brute
from tests.network.estate import PREFIXES, TAGS, VNET, random_rules

WORLD = brute.World(
    vnet=("10.0.0.0/16",),
    tags={
        "azurecontainerregistry": ("20.1.0.0/16", "20.2.0.0/16", "20.9.0.0/16"),
        "azurecontainerregistry.eastus2": ("20.1.0.0/16",),
    },
)
EXPECTED = {frozenset({"allow"}): Access.ALLOWED, frozenset({"deny"}): Access.DENIED}


def corners() -> list[str]:
    found = {"8.8.8.8", "10.255.0.1", "172.16.0.1", "fe80::1234:5678:9abc", "2603::1"}
    for text in PREFIXES:
        for part in text.split("-"):
            network = ipaddress.ip_network(part, strict=False)
            low, high = int(network.network_address), int(network.broadcast_address)
            for number in (low - 1, low, low + 4, high, high + 1):
                if 0 <= number < (1 << network.max_prefixlen):
                    found.add(str(type(network.network_address)(number)))
    return sorted(found)


CORNERS = corners()


def random_flow(rng: random.Random) -> brute.Flow:
    six = rng.random() < 0.15
    ends = [a for a in CORNERS if (":" in a) == six]
    protocols = ["tcp", "tcp", "udp", "esp", "ah", "other", "icmpv6" if six else "icmp"]
    ports = [0, 1, 22, 53, 80, 399, 443, 500, 1023, 1024, 65535]
    return brute.Flow(rng.choice(protocols), rng.choice(ends), rng.choice(ports), rng.choice(ends), rng.choice(ports))


def packet_of(flow: brute.Flow) -> Packet:
    protocol = next(p for p in Protocol if p.value.casefold() == flow.protocol)
    has = flow.protocol in ("tcp", "udp")
    return Packet(
        protocol, flow.source, flow.source_port if has else None, flow.destination, flow.port if has else None
    )


def is_platform(flow: brute.Flow) -> bool:
    """Azure's DNS and DHCP lie outside the rules; that is tested by table."""
    return flow.destination in ("168.63.129.16", "fe80::1234:5678:9abc") and flow.port in (53, 67, 68)


def compare(seed: int, sets: int, flows: int, *, odd: bool) -> None:
    rng = random.Random(seed)
    for number in range(sets):
        wide = rng.random() < 0.3
        direction = rng.choice(list(Direction))
        world = brute.World(WORLD.vnet, WORLD.tags, default_route=wide)
        around = Surroundings(cloud="public", virtual_network=VNET, tags=TAGS, default_route=wide)
        rules = random_rules(rng, rng.randint(1, 8), odd=odd, direction=direction)
        nsg = SecurityGroup("g", "g", rules)
        whole = decide(
            (nsg,),
            Question(direction=direction, source=AddressSet.any(), destination=AddressSet.any(), ports=PortSet.any()),
            around,
        )
        permitted, denied = whole.permitted, whole.denied
        for _ in range(flows):
            flow = random_flow(rng)
            if direction is Direction.OUTBOUND and is_platform(flow):
                continue
            expected = brute.outcomes([*rules, *default_rules(direction)], flow, world)
            single = decide_packet((nsg,), direction, packet_of(flow), around)
            told = f"seed {seed}, set {number}: {flow}\n" + "\n".join(map(repr, rules))
            assert single.access is EXPECTED.get(frozenset(expected), Access.UNDECIDED), told
            this = single.permitted | single.denied | single.undecided
            assert permitted.covers(this) is (expected == {"allow"}), told
            assert denied.covers(this) is (expected == {"deny"}), told


@pytest.mark.parametrize("odd", [False, True], ids=["well-formed", "odd"])
def test_every_sampled_packet_gets_the_same_answer(odd: bool) -> None:
    compare(20261124, 80, 10, odd=odd)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(8))
def test_every_sampled_packet_gets_the_same_answer_at_length(seed: int) -> None:
    compare(seed, 500, 20, odd=bool(seed % 2))
