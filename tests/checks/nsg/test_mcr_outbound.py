"""nsg-mcr-outbound: manifests and layers are two halves, each with a tag of its own."""

from typing import Any

import pytest

from tests.estate import (
    Body,
    Thing,
    allow_out,
    attached,
    audit,
    cluster,
    container_group,
    deny_out,
    nsg,
    outcomes,
    registry,
    service_tags,
    subnet,
)

CHECK = "nsg-mcr-outbound"
SETS: dict[str, Any] = {
    "MicrosoftContainerRegistry": ["20.3.0.0/24", "20.3.1.0/24"],
    "MicrosoftContainerRegistry__EastUS2": ["20.3.0.0/24"],
    "AzureCloud": ["20.0.0.0/8"],
}
TAGS = service_tags(**SETS, AzureFrontDoor__FirstParty=["13.107.246.0/24"])
CHINA = service_tags("china", **SETS)
MANIFESTS, LAYERS = "MicrosoftContainerRegistry", "AzureFrontDoor.FirstParty"
DENY = deny_out(1000, to="Internet", name="deny-internet")
ALLOW_MANIFESTS, ALLOW_LAYERS = allow_out(100, to=MANIFESTS), allow_out(110, to=LAYERS)
PASS, DEFAULT = ("pass", "allowed"), ("pass", "default-rules")
DENIED = ("fail", "denied")


def estate(*rules: Body, tags: Thing | None = TAGS, **more: Any) -> list[Thing]:
    made = cluster(nodes=subnet(nsg=nsg("fence", *rules), **more))
    return [*attached(made, registry=registry()), *([tags] if tags else [])]


def isolated(**more: Any) -> list[Thing]:
    return attached(cluster(nodes=subnet(nsg=nsg("fence", DENY)), **more), registry=registry())


CASES: dict[str, tuple[list[Thing], list[tuple[str, str]]]] = {
    "no group": ([*attached(cluster(nodes=subnet())), TAGS], [("pass", "no-nsg")] * 2),
    "default rules": (estate(), [DEFAULT] * 2),
    "both halves allowed": (estate(ALLOW_MANIFESTS, ALLOW_LAYERS, DENY), [PASS] * 2),
    "layers denied": (estate(ALLOW_MANIFESTS, DENY), [DENIED, PASS]),
    "manifests denied": (estate(ALLOW_LAYERS, DENY), [DENIED, PASS]),
    "AzureCloud holds the manifests only": (estate(allow_out(100, to="AzureCloud"), DENY), [DENIED, PASS]),
    "odd casing": (
        estate(allow_out(100, to=MANIFESTS.lower(), protocol="TCP", ports="400-500"), ALLOW_LAYERS, DENY), [PASS] * 2),
    "one regional form only": (
        estate(allow_out(100, to=f"{MANIFESTS}.EastUS2"), ALLOW_LAYERS, DENY), [PASS, ("warn", "partial")]),
    "part of the prefixes": (
        estate(allow_out(100, to="20.3.0.0/24"), ALLOW_LAYERS, DENY), [("fail", "partial"), PASS]),
    "part of the subnet": (
        estate(allow_out(100, to=f"{MANIFESTS}.EastUS2", of="10.0.0.0/24"), allow_out(105, to="20.3.1.0/24"),
               ALLOW_LAYERS, DENY), [("fail", "partial"), PASS]),
    "literal prefixes": (
        estate(allow_out(100, to="20.3.0.0/23"), ALLOW_LAYERS, DENY), [PASS, ("warn", "frozen")]),
    "shadowed by a deny": (
        estate(deny_out(90 + 10, to="Internet"), allow_out(200, to=MANIFESTS), allow_out(210, to=LAYERS)),
        [DENIED] * 2),
    "wrong port": (estate(allow_out(100, to=[MANIFESTS], ports="80"), ALLOW_LAYERS, DENY), [DENIED, PASS]),
    "no tag data, tags by name": (estate(ALLOW_MANIFESTS, ALLOW_LAYERS, DENY, tags=None), [PASS] * 2),
    "no tag data, literal prefixes": (
        estate(allow_out(100, to="20.3.0.0/23"), ALLOW_LAYERS, DENY, tags=None),
        [PASS, ("unknown", "undecided-prefix-against-tag")]),
    "unknown tag above": (
        estate(deny_out(100, to="NobodyPublished"), allow_out(110, to=MANIFESTS), allow_out(120, to=LAYERS), DENY),
        [("unknown", "undecided-unknown-tag")] * 2),
    "group unread": (
        [*attached(cluster(nodes=subnet(nsg=nsg("fence").unread()))), TAGS],
        [("unknown", "undecided-group-unread")] * 2),
    "subnet unread": (attached(cluster(nodes=subnet(readable=False))), [("unknown", "subnet-unread")]),
    "prefix of the subnet unread": (estate(prefix=None), [("unknown", "subnet-unread")]),
    "own cache": (isolated(bootstrapProfile={"artifactSource": "Cache"}), [("not-applicable", "network-isolated")]),
    "no outbound type, but no cache either": (
        [*isolated(network={"outboundType": "none"}), TAGS], [("fail", "denied")] * 2),
}  # fmt: skip


@pytest.mark.parametrize(("things", "wanted"), CASES.values(), ids=CASES)
def test_outcome(things: list[Thing], wanted: list[tuple[str, str]]) -> None:
    assert outcomes(audit(CHECK, things)) == wanted


def test_each_half_is_a_part_and_has_its_own_command() -> None:
    found = {finding.part: finding for finding in audit(CHECK, estate(DENY))}
    assert set(found) == {"image-registry", "image-layers"}
    assert LAYERS in found["image-layers"].message
    [command] = found["image-layers"].remediation.commands
    assert f"--destination-address-prefixes {LAYERS}" in command.text
    [other] = found["image-registry"].remediation.commands
    priorities = [command.argv[command.argv.index("--priority") + 1] for command in (other, command)]
    assert sorted(priorities) == ["998", "999"], "both commands can be run, each adds a rule of its own"


def test_in_china_no_tag_is_named_that_china_lacks() -> None:
    [finding] = audit(CHECK, estate(DENY, tags=CHINA), cloud="china")
    assert (finding.outcome, finding.reason, finding.part) == ("fail", "denied", "image-registry")
    assert not [command for command in finding.remediation.commands if "FrontDoor" in command.text]
    assert "FrontDoor" not in finding.message
    assert "FrontDoor" not in finding.remediation.summary


def test_in_china_all_of_azure_is_enough() -> None:
    found = audit(CHECK, estate(allow_out(100, to="AzureCloud"), DENY, tags=CHINA), cloud="china")
    assert outcomes(found) == [PASS]
    assert any("not judged" in evidence.note for evidence in found[0].evidence)


def test_container_groups_do_not_pull_kubernetes_images() -> None:
    assert audit(CHECK, container_group(into=subnet("aci", nsg=nsg("fence", DENY))), TAGS) == []
