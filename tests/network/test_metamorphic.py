"""Changes of a rule set that permit the same packets leave the effect as it was; those that do not, do not."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable

import pytest

from auditor.network import AddressSet, PacketSet, PortSet, Question, SecurityGroup, SecurityRule, decide
from auditor.network.rules import Direction
from tests.network.estate import WITH_DATA, deny, random_rules

ANY = Question(
    direction=Direction.OUTBOUND,
    source=AddressSet.any(),
    destination=AddressSet.any(),
    ports=PortSet.any(),
)
Rules = tuple[SecurityRule, ...]


def permitted(rules: Rules) -> PacketSet:
    return decide((SecurityGroup("g", "g", rules),), ANY, WITH_DATA).permitted


def effect(rules: Rules) -> tuple[str, ...]:
    return decide((SecurityGroup("g", "g", rules),), ANY, WITH_DATA).effect()


def renumbered(rules: Rules, rng: random.Random) -> Rules:
    ordered = sorted(rules, key=lambda r: r.priority or 0)
    numbers = sorted(rng.sample(range(100, 4097), len(ordered)))
    return tuple(dataclasses.replace(r, priority=n) for r, n in zip(ordered, numbers, strict=True))


def reordered(rules: Rules, rng: random.Random) -> Rules:
    return tuple(rng.sample(rules, len(rules)))


def renamed(rules: Rules, rng: random.Random) -> Rules:
    return tuple(dataclasses.replace(r, name=r.name.upper() + "x", id=f"/{rng.random()}") for r in rules)


def recased(rules: Rules, rng: random.Random) -> Rules:
    return tuple(
        dataclasses.replace(
            r,
            access=r.access.upper(),
            protocol=r.protocol.upper(),
            direction=r.direction.lower(),
            destinations=tuple(t.upper() for t in r.destinations),
            sources=tuple(t.lower() for t in r.sources),
        )
        for r in rules
    )


def split(rules: Rules, rng: random.Random) -> Rules:
    """Each literal prefix as its halves, each port range as two."""
    return tuple(
        dataclasses.replace(
            r,
            sources=tuple(half for text in r.sources for half in halves(text)),
            destinations=tuple(half for text in r.destinations for half in halves(text)),
            destination_ports=tuple(half for text in r.destination_ports for half in port_halves(text)),
        )
        for r in rules
    )


def halves(text: str) -> tuple[str, ...]:
    whole = {
        "*": ("0.0.0.0/0", "::/0"),
        "0.0.0.0/0": ("0.0.0.0/1", "128.0.0.0/1"),
        "20.0.0.0/8": ("20.0.0.0/9", "20.128.0.0/9"),
    }
    return whole.get(text, (text,))


def port_halves(text: str) -> tuple[str, ...]:
    return {"*": ("0-99", "100-65535"), "400-500": ("400-443", "444-500")}.get(text, (text,))


def one_rule_a_destination(rules: Rules, rng: random.Random) -> Rules:
    spread = [dataclasses.replace(r, priority=(r.priority or 0) * 10) for r in rules]
    apart = [
        dataclasses.replace(r, destinations=(text,), priority=(r.priority or 0) + place)
        for r in spread
        for place, text in enumerate(r.destinations)
    ]
    return renumbered(tuple(apart), rng)


def with_a_shadowed_rule(rules: Rules, rng: random.Random) -> Rules:
    last = max(rules, key=lambda r: r.priority or 0)
    if last.priority == 4096:
        return rules
    return (*rules, dataclasses.replace(last, priority=4096, access="Allow", name="shadowed"))


CHANGES: tuple[Callable[[Rules, random.Random], Rules], ...] = (
    renumbered,
    reordered,
    renamed,
    recased,
    split,
    one_rule_a_destination,
    with_a_shadowed_rule,
)


@pytest.mark.parametrize("change", CHANGES, ids=lambda c: c.__name__)
def test_the_same_packets_are_the_same_effect(change: Callable[[Rules, random.Random], Rules]) -> None:
    rng = random.Random(5)
    for number in range(25):
        rules = random_rules(rng, rng.randint(1, 7), odd=False)
        changed = change(rules, rng)
        assert permitted(changed) == permitted(rules), rules
        if number < 3:  # equal sets have equal text: the laws see to it; text of everything is slow to write
            assert effect(changed) == effect(rules), rules


def test_another_access_is_another_effect() -> None:
    rng = random.Random(6)
    moved = 0
    for _ in range(25):
        rules = random_rules(rng, rng.randint(1, 7), odd=False)
        first = min(rules, key=lambda r: r.priority or 0)
        other = "Allow" if first.access.casefold() == "deny" else "Deny"
        turned = tuple(dataclasses.replace(r, access=other) if r is first else r for r in rules)
        moved += permitted(turned) != permitted(rules)
    assert moved > 20  # not all: what the first rule holds may be empty, or have that fate anyway


def test_a_deny_above_everything_leaves_nothing_but_azures_own_addresses() -> None:
    rng = random.Random(7)
    for _ in range(10):
        rules = renumbered(random_rules(rng, 5, odd=False), rng)
        rules = tuple(r for r in rules if r.priority != 100)
        left = effect((*rules, deny(100)))
        assert left
        assert all("168.63.129.16" in item or "169.254.169.254" in item or "fe80::" in item for item in left)
