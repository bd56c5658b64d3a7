"""How the time of network decisions grows: ratios of one run, so that they mean the same on every machine.

    python benchmarks/network.py

Each line: what, the processor time at size n, the time at 2n, and their ratio. Near 2 is linear growth; near 1, none.
"""

from __future__ import annotations

import functools
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from auditor.network import (
    ALL_PROTOCOLS,
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
    decide,
    outbound,
)

SUBNET = AddressSet.of("10.0.1.0/24")
VNET = AddressSet.of("10.0.0.0/16")


def prefixes(count: int, rng: random.Random) -> list[str]:
    """Distinct public /28 prefixes, never adjacent."""
    return [
        f"{20 + n // 4_000_000}.{n >> 16 & 255}.{n >> 8 & 255}.{n & 224}/28"
        for n in (number * 32 for number in rng.sample(range(500_000), count))
    ]


def rules(count: int, rng: random.Random, stamp: int) -> tuple[SecurityRule, ...]:
    """Custom rules for one prefix and port each, allows and denies mixed; more than ARM's 1,000 on purpose."""
    return tuple(
        SecurityRule(
            name=f"r{stamp}-{index}",
            priority=100 + index,
            direction="Outbound",
            access="Allow" if index % 3 else "Deny",
            protocol="Tcp" if index % 2 else "*",
            sources=("*",) if index % 5 else ("VirtualNetwork",),
            source_ports=("*",),
            destinations=(text,),
            destination_ports=("443" if index % 4 else str(rng.randrange(1, 65535)),),
        )
        for index, text in enumerate(prefixes(count, rng))
    )


def tags(count: int, rng: random.Random) -> TagData:
    values = [{"name": "AzureContainerRegistry", "properties": {"addressPrefixes": prefixes(count, rng)}}]
    return TagData.from_values(values, cloud="public")


def ask(group: SecurityGroup, around: Surroundings, question: Question) -> int:
    found = decide((None, group), question, around)
    return len(found.parts) + len(found.effect())


def narrow(to: AddressSet | Tag, source: AddressSet = SUBNET) -> Question:
    return outbound(source, to, PortSet.of(443), Protocol.TCP)


EVERYTHING = Question(
    direction=Direction.OUTBOUND,
    source=SUBNET,
    destination=AddressSet.v4_any(),
    ports=PortSet.any(),
    protocols=ALL_PROTOCOLS,
)


def by_rules(count: int, question: Question, prefixes_of_tag: int = 2_000) -> None:
    rng = random.Random(count)
    group = SecurityGroup(f"/g{count}", "g", rules(count, rng, count))
    ask(group, Surroundings(cloud="public", virtual_network=VNET, tags=tags(prefixes_of_tag, rng)), question)


def by_clusters(clusters: int, groups: int = 50, size: int = 200) -> None:
    """Clusters with a virtual network and subnet each, sharing groups."""
    rng = random.Random(clusters)
    shared = [SecurityGroup(f"/g{clusters}-{n}", "g", rules(size, rng, n)) for n in range(groups)]
    data = tags(2_000, rng)
    for number in range(clusters):
        space = AddressSet.of(f"10.{number % 250}.0.0/16")
        subnet = AddressSet.of(f"10.{number % 250}.{number // 250}.0/24")
        around = Surroundings(cloud="public", virtual_network=space, tags=data)
        ask(shared[number % groups], around, narrow(Tag("AzureContainerRegistry"), subnet))


def by_scans(clusters: int) -> None:
    """Clusters that share subnets as well: each question is answered once."""
    rng = random.Random(clusters)
    shared = [SecurityGroup(f"/s{clusters}-{n}", "g", rules(200, rng, n)) for n in range(50)]
    around = Surroundings(cloud="public", virtual_network=VNET, tags=tags(2_000, rng))
    for number in range(clusters):
        ask(shared[number % 50], around, narrow(Tag("AzureContainerRegistry")))


CASES: tuple[tuple[str, Callable[[int], None], int], ...] = (
    (
        "rules, HTTPS to one tag of 2,000 prefixes",
        functools.partial(by_rules, question=narrow(Tag("AzureContainerRegistry"))),
        2_000,
    ),
    ("rules, everything to everywhere", functools.partial(by_rules, question=EVERYTHING), 2_000),
    (
        "prefixes of the tag, 4,000 rules",
        lambda n: by_rules(4_000, narrow(Tag("AzureContainerRegistry")), prefixes_of_tag=n),
        5_000,
    ),
    ("clusters sharing 50 groups of 200 rules, own subnets", by_clusters, 200),
    ("clusters sharing 50 groups and subnets", by_scans, 500),
)


def seconds(work: Callable[[int], None], size: int) -> float:
    start = time.process_time()
    work(size)
    return time.process_time() - start


def main() -> None:
    seconds(functools.partial(by_rules, question=EVERYTHING), 10)  # imports and tables
    print(f"{'what':55} {'n':>6} {'t(n)':>9} {'t(2n)':>9} {'ratio':>6}")
    for what, work, size in CASES:
        once, twice = seconds(work, size), seconds(work, size * 2)
        print(f"{what:55} {size:6} {once:8.3f}s {twice:8.3f}s {twice / once:6.2f}")


if __name__ == "__main__":
    main()
