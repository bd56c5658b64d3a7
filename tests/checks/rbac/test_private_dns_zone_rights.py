"""rbac-private-dns-zone-rights: zone and network, by the two roles named or by others."""

import pytest

from tests.estate import (
    APPLICATION,
    CONTRIBUTOR,
    KUBELET,
    NETWORK_CONTRIBUTOR,
    OTHER_SUB,
    SUB,
    Thing,
    audit,
    cluster,
    deny,
    gap,
    grant,
    outcomes,
    principal,
    private_zone,
    rg,
    role,
    subnet,
)

CHECK = "rbac-private-dns-zone-rights"
ZONE_CONTRIBUTOR = "b12aa53e-6015-4669-85d0-8515ebb3ae7f"
CUSTOM = "dddddddd-0000-4000-8000-000000000001"
NAME = "privatelink.eastus2.azmk8s.io"
ZONE = private_zone(NAME)
FAR_ZONE = private_zone(NAME, sub=OTHER_SUB)
NODES = subnet()
NETWORK_ID = NODES.id.rsplit("/subnets/", 1)[0]
LINKS = "Microsoft.Network/privateDnsZones/virtualNetworkLinks"


def own(zone: str = ZONE.id, *, identity: str = "user", nodes: bool = True, **more: object) -> Thing:
    network = NODES if nodes else None
    return cluster(nodes=network, identity=identity, api_server={"privateDNSZone": zone}, **more)  # type: ignore[arg-type]


def on_zone(**more: object) -> Thing:
    return grant(role=ZONE_CONTRIBUTOR, on=more.pop("on", ZONE), **more)  # type: ignore[arg-type]


ON_NETWORK = grant(on=NETWORK_ID)
NO_LINKS = [
    role(CUSTOM, "Microsoft.Network/privateDnsZones/*", without=[f"{LINKS}/write"]),
    grant(role=CUSTOM, on=ZONE),
]
PRINCIPALS = own(identity="none", client_id=APPLICATION)
UNASSIGNED = gap(f"/subscriptions/{SUB}", "microsoft.authorization/roleassignments")

CASES = {
    "both roles, each where it belongs": ([own(), on_zone(), ON_NETWORK], "pass", "granted"),
    "both roles, inherited": (
        [own(), on_zone(on=rg("dns")), grant(on=rg("net"))], "pass", "granted"),
    "a service principal": ([PRINCIPALS, principal(), on_zone(), ON_NETWORK], "pass", "granted"),
    "managed network joins itself": ([own(nodes=False), on_zone()], "pass", "granted"),
    "both roles beside a broader one": (
        [own(), on_zone(), ON_NETWORK, grant(role=CONTRIBUTOR, on=f"/subscriptions/{SUB}")], "pass", "granted"),
    "odd casing of the zone": ([own(ZONE.id.upper()), on_zone(), ON_NETWORK], "pass", "granted"),
    "Contributor above both": (
        [own(), grant(role=CONTRIBUTOR, on=f"/subscriptions/{SUB}")], "warn", "other-roles"),
    "Network Contributor above both": (
        [own(), grant(role=NETWORK_CONTRIBUTOR, on=f"/subscriptions/{SUB}")], "warn", "other-roles"),
    "ends soon": (
        [own(), on_zone(endDateTime="2026-11-30T00:00:00Z"), ON_NETWORK], "warn", "grant-ends-soon"),
    "system-assigned, rights or not": (
        [own(identity="system"), on_zone(), ON_NETWORK], "fail", "system-assigned"),
    "system-assigned, its object id unread": ([own(identity="system", principal=None)], "fail", "system-assigned"),
    "nothing": ([own()], "fail", "no-grant"),
    # Private DNS Zone Contributor may join networks too, if only it were held on the network.
    "zone without network": ([own(), on_zone()], "fail", "role-on-other-scope"),
    "network without zone": ([own(), ON_NETWORK], "fail", "role-on-other-scope"),
    "on another zone": (
        [own(), on_zone(on=private_zone("privatelink.westus.azmk8s.io")), ON_NETWORK],
        "fail", "role-on-other-scope"),
    "links cannot be written": ([own(), *NO_LINKS], "fail", "role-takes-away-action"),
    "the zone cannot be read": (
        [own(), role(CUSTOM, "Microsoft.Network/privateDnsZones/*", without=["Microsoft.Network/privateDnsZones/read"]),
         grant(role=CUSTOM, on=ZONE), ON_NETWORK], "fail", "role-on-other-scope"),
    "kubelet instead": (
        [own(), grant(KUBELET, ZONE_CONTRIBUTOR, on=ZONE), grant(KUBELET, on=NETWORK_ID)],
        "fail", "role-on-kubelet-identity"),
    "denied": ([own(), on_zone(), ON_NETWORK, deny(ZONE, f"{LINKS}/*")], "fail", "deny-assignment"),
    "assignments unread": ([own(), UNASSIGNED], "unknown", "assignments-unread"),
    "granted, though more is unread": ([own(), on_zone(), ON_NETWORK, UNASSIGNED], "pass", "granted"),
    "zone in a subscription that was not scanned": (
        [own(FAR_ZONE.id), ON_NETWORK], "unknown", "assignments-unread"),
    "no Microsoft Graph": ([PRINCIPALS, on_zone()], "unknown", "graph-not-permitted"),
    "which network is not known": (
        [own(agentPoolProfiles=None), on_zone(), ON_NETWORK], "unknown", "network-unread"),
    "zone lacking, whichever network": (
        [own(agentPoolProfiles=None), ON_NETWORK], "fail", "role-on-other-scope"),
    "what is named is no id": ([own(NAME), on_zone(), ON_NETWORK], "unknown", "not-an-id"),
    "cut short": (
        [cluster(nodes=NODES, agentPoolProfiles=None, networkProfile=None)], "unknown", "cluster-unreadable"),
    "zone system": ([own("System")], "not-applicable", "system-zone"),
    "zone none": ([own("none")], "not-applicable", "system-zone"),
    "zone unset": ([cluster(nodes=NODES)], "not-applicable", "system-zone"),
    "public": ([cluster(nodes=NODES, private=False)], "not-applicable", "public-api-server"),
    "public for want of a profile": ([cluster(nodes=NODES, private=None)], "not-applicable", "public-api-server"),
}  # fmt: skip


@pytest.mark.parametrize(("estate", "outcome", "reason"), CASES.values(), ids=CASES)
def test_outcome(estate: list[Thing], outcome: str, reason: str) -> None:
    assert outcomes(audit(CHECK, estate)) == [(outcome, reason)]


def test_both_assignments_are_offered() -> None:
    [found] = audit(CHECK, own())
    assert [command.argv[-1] for command in found.remediation.commands] == [ZONE.id, NETWORK_ID]


def test_a_zone_out_of_scope_says_which_subscription_to_scan() -> None:
    [found] = audit(CHECK, own(FAR_ZONE.id), ON_NETWORK)
    assert f"--subscription {OTHER_SUB}" in found.remediation.summary


def test_hostile_zone_gives_no_command() -> None:
    [found] = audit(CHECK, own(f"{rg('dns')}/providers/Microsoft.Network/privateDnsZones/$(reboot)"))
    assert all("$(reboot)" not in argument for command in found.remediation.commands for argument in command.argv)
