"""nsg-private-endpoint-policies: a switch on the subnet decides whether rules act on private endpoints at all."""

from typing import Any

import pytest

from tests.estate import (
    Body,
    Thing,
    allow_in,
    attached,
    audit,
    cluster,
    compute,
    deny_in,
    extension,
    gap,
    nsg,
    outcomes,
    peering,
    private_endpoint,
    registry,
    storage,
    subnet,
    vnet,
    workspace,
)

CHECK = "nsg-private-endpoint-policies"
ON, NSG_ON, ROUTES_ON, OFF = "Enabled", "NetworkSecurityGroupEnabled", "RouteTableEnabled", "Disabled"
SUBNET = "10.0.200.0/24"
NODES = "10.0.0.0/22"


def estate(
    *rules: Body, policies: str | None = NSG_ON, address: str = "10.0.200.4", prefix: str | None = SUBNET
) -> list[Thing]:
    """A registry's private endpoint in a subnet with a group, and a cluster that pulls from it."""
    images = registry()
    switch: Any = {"privateEndpointNetworkPolicies": policies} if policies else {}
    into = subnet("endpoints", prefix, nsg=nsg("pe-fence", *rules), **switch)
    door = private_endpoint("pe", to=images, into=into, group_id="registry", address=address)
    return [*attached(cluster(nodes=subnet(prefix=NODES)), registry=images), door]


def unused(*rules: Body, unread: bool = False) -> list[Thing]:
    """Nothing in this network depends on the workspace of the endpoint."""
    images = registry()
    into = subnet("endpoints", SUBNET, nsg=nsg("pe-fence", *rules), privateEndpointNetworkPolicies=ON)
    door = private_endpoint("pe", to=images, into=into, group_id="registry")
    lack = [gap("/", "microsoft.machinelearningservices/workspaces/computes")] if unread else []
    return [workspace(registry=images), cluster(nodes=subnet()), door, *lack]


def two_targets(*rules: Body, second: str) -> list[Thing]:
    account, images = storage(), registry()
    into = subnet("endpoints", SUBNET, nsg=nsg("pe-fence", *rules), privateEndpointNetworkPolicies=ON)
    doors = [
        private_endpoint("pe-images", to=images, into=into, group_id="registry"),
        private_endpoint("pe-models", to=account, into=into, group_id="blob", address=second),
    ]
    return [*attached(cluster(nodes=subnet()), registry=images, storage=account), *doors]


def other_workspace(*rules: Body) -> list[Thing]:
    """A peered network runs inference of another workspace, which must not get in."""
    hub = vnet("hub", prefixes=["10.99.0.0/16"])
    net = vnet("net", prefixes=["10.0.0.0/16"], peerings=[peering(hub)])
    elsewhere = cluster("other", nodes=subnet("theirs", "10.99.0.0/24", vnet="hub"), node_group="mc-other")
    ws = workspace("theirs", registry=registry("theirs"))
    return [hub, net, *estate(*rules), compute(elsewhere, of=ws, name="theirs"), extension(elsewhere)]


def peered_sender(*rules: Body) -> list[Thing]:
    images = registry()
    hub = vnet("hub", prefixes=["10.99.0.0/16"], peerings=[peering(vnet("net"))])
    into = subnet("endpoints", "10.99.1.0/24", vnet="hub", nsg=nsg("pe-fence", *rules),
                  privateEndpointNetworkPolicies=ON)  # fmt: skip
    door = private_endpoint("pe", to=images, into=into, group_id="registry", address="10.99.1.4")
    return [hub, *attached(cluster(nodes=subnet()), registry=images), door]


def not_ours() -> list[Thing]:
    into = subnet("endpoints", SUBNET, nsg=nsg("pe-fence", deny_in(100)))
    door = private_endpoint("pe", to=registry("foreign"), into=into, group_id="registry")
    return [*attached(cluster(nodes=subnet()), registry=registry()), door]


def api_server() -> list[Thing]:
    nodes = subnet(nsg=nsg("fence", deny_in(100)))
    made = cluster(nodes=nodes)
    return [*attached(made), private_endpoint("kube-apiserver", to=made, into=nodes, group_id="management")]


WARN, FAIL, PASS = ("warn", "rules-not-in-force"), ("fail", "denied"), ("pass", "in-force")
UNREAD = ("unknown", "addresses-unread")
CASES: dict[str, tuple[list[Thing], list[tuple[str, str]]]] = {
    "denies without force": (estate(deny_in(100), policies=OFF), [WARN]),
    "not set means without force": (estate(deny_in(100), policies=None), [WARN]),
    "routes only": (estate(deny_in(100), policies=ROUTES_ON), [WARN]),
    "odd casing": (estate(deny_in(100), policies=ON.upper()), [FAIL]),
    "only a part would be denied": (
        estate(allow_in(100, of=NODES, ports="443"), deny_in(4000), policies=OFF), [WARN]),
    "nothing would be denied": (estate(policies=OFF), [("pass", "nothing-to-enforce")]),
    "a deny for other addresses": (
        estate(deny_in(100, to="10.0.200.64/26"), policies=OFF), [("pass", "nothing-to-enforce")]),
    "a deny below an allow for all": (
        estate(allow_in(100), deny_in(200), policies=OFF), [("pass", "nothing-to-enforce")]),
    "an unknown tag without force": (
        estate(deny_in(100, of="NobodyPublished"), policies=OFF), [("unknown", "undecided")]),
    "in force, default rules": (estate(), [PASS]),
    "in force, all switched on": (estate(policies=ON), [PASS]),
    "in force, nodes let in": (estate(allow_in(100, of=NODES, ports="443"), deny_in(4000)), [PASS]),
    "in force, nodes denied": (estate(deny_in(100)), [FAIL]),
    "in force, some nodes denied": (estate(deny_in(100, of="10.0.0.0/24")), [FAIL]),
    "in force, another port let in": (estate(allow_in(100, ports="80"), deny_in(200)), [FAIL]),
    "in force, one of two endpoints denied": (
        two_targets(deny_in(100, to="10.0.200.9"), second="10.0.200.9"), [FAIL]),
    "in force, one address unknown, all denied": (two_targets(deny_in(100), second=""), [FAIL]),
    "in force, one address unknown, a part denied": (
        two_targets(deny_in(100, to="10.0.200.128/25"), second=""), [UNREAD]),
    "in force, one address unknown, all allowed": (two_targets(second=""), [PASS]),
    "other workspaces may be kept out": (
        other_workspace(allow_in(100, of=NODES), deny_in(200)), [PASS]),
    "a sender in a peered network": (peered_sender(deny_in(100, of=NODES)), [FAIL]),
    "in force, an unknown tag": (estate(deny_in(100, of="NobodyPublished")), [("unknown", "undecided")]),
    "in force, nobody needs them": (unused(deny_in(100)), [("pass", "in-force-unused")]),
    "in force, who needs them is unread": (unused(deny_in(100), unread=True), [("unknown", "senders-unread")]),
    "no address of endpoint or subnet": (estate(address="", prefix=None), [UNREAD]),
    "no group": (
        [*attached(cluster(nodes=subnet()), registry=registry()),
         private_endpoint("pe", to=registry(), into=subnet("endpoints", SUBNET), group_id="registry")],
        [("not-applicable", "no-nsg")]),
    "another estate's endpoint": (not_ours(), []),
    "an API server's endpoint": (api_server(), []),
    "no endpoint": (attached(cluster(nodes=subnet())), []),
    "group unread": (
        [*attached(cluster(nodes=subnet()), registry=registry()),
         private_endpoint("pe", to=registry(), into=subnet("endpoints", SUBNET, nsg=nsg("pe-fence").unread()),
                          group_id="registry")], [("unknown", "nsg-unread")]),
    "subnet unread": (
        [*attached(cluster(nodes=subnet()), registry=registry()),
         private_endpoint("pe", to=registry(), into=subnet("endpoints", SUBNET, vnet="far", readable=False),
                          group_id="registry")], [("unknown", "subnet-unread")]),
}  # fmt: skip


@pytest.mark.parametrize(("things", "wanted"), CASES.values(), ids=CASES)
def test_outcome(things: list[Thing], wanted: list[tuple[str, str]]) -> None:
    assert outcomes(audit(CHECK, things)) == wanted


def test_the_subnet_is_what_it_is_about_and_what_the_command_names() -> None:
    [finding] = audit(CHECK, estate(allow_in(100, of=NODES), deny_in(110, name="shut"), policies=OFF))
    assert finding.resource.name == "endpoints"
    assert "shut" in finding.message
    [command] = finding.remediation.commands
    assert f"--ids {finding.resource.id}" in command.text
    assert command.text.endswith("--private-endpoint-network-policies NetworkSecurityGroupEnabled")


def test_a_switch_that_would_shut_inference_out_is_not_proposed() -> None:
    [finding] = audit(CHECK, estate(deny_in(100, name="shut"), policies=OFF))
    assert (finding.reason, finding.remediation.commands) == ("rules-not-in-force", ())


def test_a_denial_in_force_is_not_mended_by_the_switch() -> None:
    [finding] = audit(CHECK, estate(deny_in(100)))
    assert finding.remediation.commands == ()
    assert "tcp 10.0.0.0:1024 -> 10.0.200.4:443" in finding.message
