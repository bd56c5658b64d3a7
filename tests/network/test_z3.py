"""z3 as an oracle: the engine's permitted set and a formula made from the rule texts hold exactly the same packets."""

from __future__ import annotations

import ipaddress
import random
from typing import Any

import pytest
import z3

from auditor.network import (
    AddressSet,
    Direction,
    PacketSet,
    PortSet,
    Protocol,
    Question,
    SecurityGroup,
    SecurityRule,
    Surroundings,
    decide,
)

PROTOCOL, SOURCE, SPORT, DESTINATION, PORT = (
    z3.BitVec(n, w) for n, w in zip(["p", "s", "a", "d", "b"], (8, 32, 16, 32, 16), strict=True)
)
NUMBERS = {Protocol.TCP: 6, Protocol.UDP: 17, Protocol.ICMP: 1}
PLACES = [
    "*",
    "10.0.0.0/8",
    "10.0.0.0/9",
    "10.128.0.0/9",
    "10.1.0.0/16",
    "10.1.2.3",
    "10.1.2.3/31",
    "20.0.0.0/6",
    "0.0.0.0/0",
    "128.0.0.0/1",
]
PORTS = ["*", "0", "443", "400-500", "450-600", "0-1023", "1024-65535", "65535"]


def between(what: Any, low: int, high: int) -> Any:
    return z3.And(z3.UGE(what, low), z3.ULE(what, high))


def place(what: Any, texts: tuple[str, ...]) -> Any:
    terms = []
    for text in texts:
        network = ipaddress.ip_network("0.0.0.0/0" if text == "*" else text, strict=False)
        terms.append(between(what, int(network.network_address), int(network.broadcast_address)))
    return z3.Or(terms)


def port(what: Any, texts: tuple[str, ...]) -> Any:
    ends = [(0, 65535) if t == "*" else (int(t.split("-")[0]), int(t.split("-")[-1])) for t in texts]
    return z3.Or([between(what, low, high) for low, high in ends])


def holds(rule: SecurityRule) -> Any:
    protocol = z3.BoolVal(True) if rule.protocol == "*" else {"Tcp": 6, "Udp": 17, "Icmp": 1}[rule.protocol] == PROTOCOL
    ports = z3.Or(PROTOCOL == 1, z3.And(port(SPORT, rule.source_ports), port(PORT, rule.destination_ports)))
    return z3.And(protocol, place(SOURCE, rule.sources), place(DESTINATION, rule.destinations), ports)


def first_match(rules: tuple[SecurityRule, ...]) -> Any:
    formula = z3.BoolVal(False)  # nothing custom matches: the questions below end with a deny for everything
    for rule in sorted(rules, key=lambda r: -(r.priority or 0)):
        formula = z3.If(holds(rule), z3.BoolVal(rule.access == "Allow"), formula)
    return formula


def formula_of(packets: PacketSet) -> Any:
    def inside(what: Any, pairs: Any) -> Any:
        return z3.Or([between(what, low, high) for low, high in pairs])

    terms = []
    for protocols, source, sports, destination, ports in packets.boxes():
        named = z3.Or([NUMBERS[p] == PROTOCOL for p in protocols])
        ends = (inside(SOURCE, source.intervals), inside(DESTINATION, destination.intervals))
        terms.append(z3.And(named, *ends, inside(SPORT, sports.intervals), inside(PORT, ports.intervals)))
    return z3.Or(terms)


def random_rule(rng: random.Random, priority: int) -> SecurityRule:
    return SecurityRule(
        name=f"r{priority}",
        priority=priority,
        direction="Outbound",
        access=rng.choice(["Allow", "Deny"]),
        protocol=rng.choice(["*", "Tcp", "Udp", "Icmp"]),
        sources=tuple(rng.choices(PLACES, k=rng.choice([1, 2]))),
        source_ports=(rng.choice(PORTS if rng.random() < 0.3 else ["*"]),),
        destinations=tuple(rng.choices(PLACES, k=rng.choice([1, 2]))),
        destination_ports=tuple(rng.choices(PORTS, k=rng.choice([1, 2]))),
    )


LAST = SecurityRule(
    name="last",
    priority=4096,
    direction="Outbound",
    access="Deny",
    protocol="*",
    sources=("*",),
    source_ports=("*",),
    destinations=("*",),
    destination_ports=("*",),
)


def check(seed: int, cases: int) -> None:
    rng = random.Random(seed)
    v4 = AddressSet.v4_any()
    there = v4 - AddressSet.of("168.63.129.16", "169.254.169.254")
    question = Question(
        direction=Direction.OUTBOUND,
        source=v4,
        destination=there,
        ports=PortSet.any(),
        protocols=frozenset(NUMBERS),
    )
    domain = z3.And(
        z3.Or(PROTOCOL == 6, PROTOCOL == 17, PROTOCOL == 1),
        int(ipaddress.ip_address("168.63.129.16")) != DESTINATION,
        int(ipaddress.ip_address("169.254.169.254")) != DESTINATION,
    )
    around = Surroundings(cloud="public", virtual_network=AddressSet.of("10.0.0.0/8"))
    for number in range(cases):
        priorities = rng.sample(range(100, 4096), rng.randint(1, 9))
        rules = (*(random_rule(rng, priority) for priority in priorities), LAST)
        found = decide((SecurityGroup("g", "g", rules),), question, around)
        solver = z3.SolverFor("QF_BV")
        solver.add(domain, first_match(rules) != formula_of(found.permitted))
        told = f"seed {seed}, case {number}\n" + "\n".join(map(repr, rules))
        assert solver.check() == z3.unsat, f"{told}\n{solver.model() if solver.check() == z3.sat else ''}"
        assert found.permitted | found.denied == PacketSet.box(
            question.protocols,
            v4,
            None,
            there,
            None,
        )


def test_permitted_packets_are_those_of_the_formula() -> None:
    check(seed=7, cases=150)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 110))
def test_permitted_packets_are_those_of_the_formula_at_length(seed: int) -> None:
    check(seed, cases=400)
