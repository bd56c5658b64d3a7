"""nsg-default-outbound-kept: what custom rules take away from the default ones."""

from typing import Any

import pytest

from tests.estate import (
    Body,
    Thing,
    allow_out,
    attached,
    audit,
    cluster,
    deny_in,
    deny_out,
    nsg,
    outcomes,
    registry,
    service_tags,
    subnet,
)

CHECK = "nsg-default-outbound-kept"
SETS: dict[str, Any] = {
    "AzureContainerRegistry": ["20.1.0.0/16"],
    "AzureContainerRegistry__EastUS2": ["20.1.0.0/16"],
    "MicrosoftContainerRegistry": ["20.3.0.0/24"],
    "AzureFrontDoor__FirstParty": ["13.107.246.0/24"],
    "AzureActiveDirectory": ["20.4.0.0/24"],
    "AzureResourceManager": ["20.5.0.0/24"],
    "AzureCloud": ["20.0.0.0/8"],
}
TAGS = service_tags(**SETS, AzureCloud__eastus2=["20.1.0.0/16"])
REGION = service_tags(**SETS, AzureCloud__eastus2=["20.6.0.0/16"])
NEEDED = [
    allow_out(100, to="AzureContainerRegistry.EastUS2"),
    allow_out(110, to="MicrosoftContainerRegistry"),
    allow_out(120, to="AzureFrontDoor.FirstParty"),
    allow_out(130, to="AzureActiveDirectory"),
    allow_out(140, to="AzureResourceManager"),
]
DENY = deny_out(1000, to="Internet", name="deny-internet")


def estate(*rules: Body, tags: Thing = TAGS, private: bool = True) -> list[Thing]:
    made = cluster(nodes=subnet(nsg=nsg("fence", *rules)), private=private)
    return [*attached(made, registry=registry()), tags]


CASES = {
    "no rules": (estate(), "pass", "no-custom-deny"),
    "allows only": (estate(*NEEDED), "pass", "no-custom-deny"),
    "inbound denies": (estate(deny_in(100)), "pass", "no-custom-deny"),
    "a deny shadowed by an allow for all": (estate(allow_out(100), deny_out(200)), "pass", "denies-shadowed"),
    "deny with all exceptions": (estate(*NEEDED, DENY), "warn", "restricted-with-exceptions"),
    "deny of 0.0.0.0/0 with all exceptions": (
        estate(*NEEDED, allow_out(150, to="VirtualNetwork"), deny_out(1000, to="0.0.0.0/0")),
        "warn", "restricted-with-exceptions"),
    "deny of one prefix": (estate(deny_out(100, to="203.0.113.0/24")), "warn", "partial-deny"),
    "deny of one port": (estate(deny_out(100, to="Internet", ports="25")), "warn", "partial-deny"),
    "deny of a peer's addresses": (estate(deny_out(100, to="10.200.0.0/16")), "warn", "partial-deny"),
    "the API server's address written out": (
        estate(*NEEDED, allow_out(150, to="20.6.0.7", ports="443"), DENY, tags=REGION, private=False),
        "unknown", "required-services-unread"),
    "the API server's region denied": (
        estate(*NEEDED, DENY, tags=REGION, private=False), "fail", "required-service-denied"),
    "deny without exceptions": (estate(DENY), "fail", "required-service-denied"),
    "one exception missing": (estate(*NEEDED[:-1], DENY), "fail", "required-service-denied"),
    "exceptions below the deny": (
        estate(deny_out(90 + 10, to="Internet"), *[{**r, "properties": {**r["properties"],
               "priority": r["properties"]["priority"] + 200}} for r in NEEDED]),
        "fail", "required-service-denied"),
    "prefix that holds a needed service": (estate(deny_out(100, to="20.4.0.0/16")), "fail", "required-service-denied"),
    "nodes cut off from each other": (
        estate(deny_out(100, to="VirtualNetwork", of="VirtualNetwork")), "fail", "intra-cluster-denied"),
    "deny all": (estate(*NEEDED, deny_out(4096)), "fail", "intra-cluster-denied"),
    "an unknown tag denied": (estate(deny_out(100, to="NobodyPublished")), "unknown", "undecided"),
    "an unknown tag denied above what is needed": (
        estate(*NEEDED[:-1], deny_out(135, to="NobodyPublished"), NEEDED[-1], DENY), "unknown", "undecided"),
    "registry unread, the rest open": (
        [*attached(cluster(nodes=subnet(nsg=nsg("fence", *NEEDED, DENY))), registry=registry().unread()), TAGS],
        "unknown", "required-services-unread"),
    "group unread": (
        attached(cluster(nodes=subnet(nsg=nsg("fence").unread())), registry=registry()), "unknown", "nsg-unread"),
    "subnet unread": (attached(cluster(nodes=subnet(readable=False))), "unknown", "subnet-unread"),
    "no group": (attached(cluster(nodes=subnet())), "not-applicable", "no-nsg"),
    "blocked on purpose": (
        attached(cluster(nodes=subnet(nsg=nsg("fence", DENY)), network={"outboundType": "block"})),
        "not-applicable", "network-isolated"),
    "isolated": (
        attached(cluster(nodes=subnet(nsg=nsg("fence", DENY)), network={"outboundType": "none"},
                         bootstrapProfile={"artifactSource": "Cache"})),
        "not-applicable", "network-isolated"),
    "no outbound type, but no cache either": (
        [*attached(cluster(nodes=subnet(nsg=nsg("fence", DENY)), network={"outboundType": "none"})), TAGS],
        "fail", "required-service-denied"),
}  # fmt: skip


@pytest.mark.parametrize(("things", "outcome", "reason"), CASES.values(), ids=CASES)
def test_outcome(things: list[Thing], outcome: str, reason: str) -> None:
    assert outcomes(audit(CHECK, things)) == [(outcome, reason)]


def test_the_finding_is_about_the_group_and_the_part_is_the_subnet() -> None:
    [finding] = audit(CHECK, estate(DENY))
    assert finding.resource.name == "fence"
    assert finding.part is not None
    assert finding.part.endswith("/subnets/nodes")
    assert "AzureContainerRegistry" in finding.message
