"""What is decided without service tag data is what the data would have decided."""

from __future__ import annotations

import random

from auditor.network import Access, AddressSet, PortSet, Protocol, SecurityGroup, Tag, decide, outbound
from tests.network.estate import ACR, SUBNET, WITH_DATA, WITHOUT_DATA, deny, group, random_rules

MORE = ["AzureCloud", "AzureCloud.eastus2", "AzureContainerRegistry.WestUS", "AzureActiveDirectory", "Storage.EastUS2"]


def test_a_decision_without_data_is_never_contradicted_by_data() -> None:
    rng = random.Random(11)
    decided = 0
    for number in range(400):
        rules = random_rules(rng, rng.randint(1, 6), odd=number % 3 == 0)
        rules = tuple(
            r
            if rng.random() < 0.5
            else type(r)(
                name=r.name,
                priority=r.priority,
                direction=r.direction,
                access=r.access,
                protocol=rng.choice(["Tcp", "*"]),
                sources=r.sources if rng.random() < 0.3 else ("*",),
                source_ports=("*",),
                destinations=(rng.choice([*MORE, ACR]),),
                destination_ports=("443",),
            )
            for r in rules
        )
        nsg = SecurityGroup("g", "g", rules)
        tag = rng.choice(
            [ACR, "AzureContainerRegistry", "AzureCloud.eastus2", "AzureActiveDirectory", "Storage.EastUS2"]
        )
        question = outbound(SUBNET, Tag(tag), PortSet.of(443), Protocol.TCP)
        without = decide((nsg,), question, WITHOUT_DATA).access
        within = decide((nsg,), question, WITH_DATA).access
        if without in (Access.ALLOWED, Access.DENIED):
            decided += 1
            assert within is without, (tag, rules)
        if without is Access.PARTIAL:  # by source or port: that the data cannot mend
            assert within in (Access.PARTIAL, Access.UNDECIDED), (tag, rules)
    assert decided > 150


def test_private_destinations_are_not_disturbed_by_tags_that_are_known_to_be_public() -> None:
    question = outbound(SUBNET, AddressSet.of("10.0.9.4"), PortSet.of(443), Protocol.TCP)
    known, unknown = group(deny(100, to="Storage.EastUS2")), group(deny(100, to="NobodyPublished"))
    assert decide((known,), question, WITHOUT_DATA).access is Access.ALLOWED
    assert decide((unknown,), question, WITHOUT_DATA).access is Access.UNDECIDED
