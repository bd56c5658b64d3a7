"""aks-private-cluster-public-fqdn: the switch, the zone and what of them is unset."""

from typing import Any

import pytest

from tests.estate import (
    SUB,
    Thing,
    attached,
    audit,
    cluster,
    compute,
    extension,
    gap,
    outcomes,
    private_endpoint,
    subnet,
    workspace,
)

CHECK = "aks-private-cluster-public-fqdn"
OFF = {"enablePrivateClusterPublicFQDN": False, "privateDNSZone": "system"}
ON = {"enablePrivateClusterPublicFQDN": True, "privateDNSZone": "system"}
APPROVED = [
    {
        "properties": {
            "privateEndpoint": {"id": "/subscriptions/x/e"},
            "privateLinkServiceConnectionState": {"status": "Approved"},
        }
    }
]
PENDING = [{"properties": {"privateLinkServiceConnectionState": {"status": "Pending"}}}]


def ml(profile: dict[str, Any] | None = None, *, connections: Any = None, **more: Any) -> list[Thing]:
    made = cluster(api_server=profile, **more)
    return [made, *attached(made, privateEndpointConnections=connections)]


def endpoint_of_workspace() -> list[Thing]:
    made = cluster(api_server={**ON, "privateDNSZone": "none"})
    ws = workspace()
    return [
        compute(made, of=ws),
        extension(made),
        private_endpoint("pe", to=ws, into=subnet("pe", "10.1.0.0/24"), group_id="amlworkspace"),
    ]


PUBLIC = cluster(private=None)
UNATTACHED = cluster(api_server=ON)
UNSURE = cluster(api_server=ON)

CASES: dict[str, tuple[list[Thing], str, str]] = {
    "off, in the system zone": (ml(OFF, fqdn=None), "pass", "no-public-fqdn"),
    "off, zone unset": (ml({"enablePrivateClusterPublicFQDN": False}), "pass", "no-public-fqdn"),
    "on": (ml(ON), "warn", "public-fqdn"),
    "unset is not false": (ml({"privateDNSZone": "system"}), "warn", "public-fqdn"),
    "no profile but the private switch": (ml(), "warn", "public-fqdn"),
    "unset and no name to tell": (ml({"privateDNSZone": "system"}, fqdn=None), "unknown", "public-fqdn-unset"),
    "zone none and off": (ml({**OFF, "privateDNSZone": "none"}), "fail", "no-name"),
    "zone NONE, odd casing": (ml({**OFF, "privateDNSZone": "NONE"}), "fail", "no-name"),
    "zone none and on, workspace public": (
        ml({**ON, "privateDNSZone": "none"}), "warn", "public-fqdn-without-zone"),
    "zone none and on, workspace private": (
        ml({**ON, "privateDNSZone": "none"}, connections=APPROVED), "fail", "public-name-only"),
    "zone none, unset, workspace private": (
        ml({"privateDNSZone": "none"}, connections=APPROVED), "fail", "public-name-only"),
    "workspace's endpoint seen from its own side only": (endpoint_of_workspace(), "fail", "public-name-only"),
    "workspace's endpoint pending": (
        ml({**ON, "privateDNSZone": "none"}, connections=PENDING), "warn", "public-fqdn-without-zone"),
    "endpoints unread": (
        [*ml({**ON, "privateDNSZone": "none"}), gap("/", "microsoft.network/privateendpoints")],
        "unknown", "workspace-unread"),
    "endpoints unread, but the zone decides": (
        [*ml(ON), gap("/", "microsoft.network/privateendpoints")], "warn", "public-fqdn"),
    "public": ([PUBLIC, *attached(PUBLIC)], "not-applicable", "public-api-server"),
    "not attached": ([UNATTACHED], "not-applicable", "not-attached"),
    "attachment unread": (
        [UNSURE, gap("/", "microsoft.kubernetesconfiguration/extensions")], "unknown", "attachment-unread"),
    "attachment unread, but well either way": (
        [cluster(api_server=OFF), gap("/", "microsoft.kubernetesconfiguration/extensions")],
        "pass", "no-public-fqdn"),
    "cut short": (
        [cluster(networkProfile=None, agentPoolProfiles=None, private=None)], "unknown", "cluster-unreadable"),
}  # fmt: skip


@pytest.mark.parametrize(("things", "outcome", "reason"), CASES.values(), ids=CASES)
def test_outcome(things: list[Thing], outcome: str, reason: str) -> None:
    assert outcomes(audit(CHECK, things)) == [(outcome, reason)]


def test_the_command_switches_it_off_and_never_where_nothing_would_be_left() -> None:
    [on] = audit(CHECK, ml(ON))
    assert on.remediation.commands[0].text == f"az aks update -g aks -n ml --disable-public-fqdn --subscription {SUB}"
    [none] = audit(CHECK, ml({**ON, "privateDNSZone": "none"}))
    assert none.remediation.commands == ()
    [nameless] = audit(CHECK, ml({**OFF, "privateDNSZone": "none"}))
    assert "--enable-public-fqdn" in nameless.remediation.commands[0].text
