"""aks-private-dns-zone: does the zone exist, by the right name, and is it linked where nodes ask?"""

from typing import Any

import pytest

from tests.estate import (
    OTHER_SUB,
    SUB,
    Thing,
    arm,
    audit,
    cluster,
    gap,
    outcomes,
    peering,
    private_zone,
    subnet,
    vnet,
)

CHECK = "aks-private-dns-zone"
NODES = subnet()
NET = arm("net", "Microsoft.Network/virtualNetworks", "net")
HUB = arm("hub", "Microsoft.Network/virtualNetworks", "hub")
PUBLIC = "privatelink.eastus2.azmk8s.io"
CHINA = "privatelink.chinaeast2.cx.prod.service.azk8s.cn"


def own(zone: Thing | str, **more: Any) -> Thing:
    zone_id = zone if isinstance(zone, str) else zone.id
    parts = [zone] if isinstance(zone, Thing) else []
    return cluster(nodes=NODES, api_server={"privateDNSZone": zone_id}, parts=parts, **more)


def system(**more: Any) -> Thing:
    return cluster(nodes=NODES, api_server={"privateDNSZone": "system"}, **more)


def zone(*linked: str, name: str = PUBLIC, **more: Any) -> Thing:
    return private_zone(name, *linked, **more)


def custom(*servers: str, hub: bool = True) -> list[Thing]:
    """The nodes' network with DNS servers of its own, peered with a hub."""
    remote = vnet("hub", prefixes=["10.200.0.0/16"], group="hub")
    return [
        vnet("net", NODES, prefixes=["10.0.0.0/16"], dns=servers, peerings=[peering(HUB)] if hub else []),
        *([remote] if hub else []),
    ]


UNREADABLE = private_zone(PUBLIC, NET).unread()
ELSEWHERE = arm("dns", "Microsoft.Network/privateDnsZones", PUBLIC, OTHER_SUB)
MINE = f"4fe5.{PUBLIC}"

CASES: dict[str, tuple[list[Thing], str, str]] = {
    "own zone, linked": ([own(zone(NET))], "pass", "linked"),
    "subzone": ([own(zone(NET, name=f"prod.{PUBLIC}"))], "pass", "linked"),
    "odd casing": ([own(zone(NET.upper().replace("/SUBSCRIPTIONS", "/subscriptions"), name=PUBLIC.upper()))],
                   "pass", "linked"),
    "system zone, linked": ([system(), zone(NET, name=MINE, group="mc")], "pass", "linked"),
    "unset means system": ([cluster(nodes=NODES), zone(NET, name=MINE, group="MC")], "pass", "linked"),
    "system zone missing": ([system()], "fail", "zone-missing"),
    "another group's zone is not the system's": ([system(), zone(NET, name=MINE)], "fail", "zone-missing"),
    "system zones unread": (
        [system(), gap("/", "microsoft.network/privatednszones")], "unknown", "zone-unread"),
    "own zone gone": ([own(arm("dns", "Microsoft.Network/privateDnsZones", PUBLIC))], "fail", "zone-missing"),
    "own zone in a subscription that was not scanned": ([own(ELSEWHERE)], "unknown", "zone-unread"),
    "own zone unreadable": ([own(UNREADABLE)], "unknown", "zone-unread"),
    "no zone's id": ([own("x")], "unknown", "zone-unread"),
    "other region": ([own(zone(NET, name="privatelink.westeurope.azmk8s.io"))], "fail", "wrong-zone-name"),
    "China's suffix in the public cloud": ([own(zone(NET, name=CHINA))], "fail", "wrong-zone-name"),
    "look-alike": ([own(zone(NET, name=f"x{PUBLIC}"))], "fail", "wrong-zone-name"),
    "region unread": ([own(zone(NET), region=None)], "unknown", "region-unread"),
    "not linked": ([own(zone())], "fail", "not-linked"),
    "linked with another network only": ([own(zone(HUB))], "fail", "not-linked"),
    "a link below another zone": (
        [own(zone()), zone(NET, name=f"other.{PUBLIC}")], "fail", "not-linked"),
    "Azure's DNS written out": ([own(zone()), *custom("168.63.129.16")], "fail", "not-linked"),
    "links unread": (
        [own(zone()), gap("/", "microsoft.network/privatednszones/virtualnetworklinks")],
        "unknown", "links-unread"),
    "a link unread, but another decides": (
        [own(zone(NET)), gap("/", "microsoft.network/privatednszones/virtualnetworklinks")], "pass", "linked"),
    "custom DNS, linked all the same": (
        [own(zone(NET)), *custom("10.200.0.4")], "pass", "linked-with-custom-dns"),
    "custom DNS in a linked hub": ([own(zone(HUB)), *custom("10.200.0.4")], "pass", "linked-at-dns-servers"),
    "custom DNS in a hub without link": (
        [own(zone()), *custom("10.200.0.4")], "warn", "not-linked-with-custom-dns"),
    "custom DNS on premises": (
        [own(zone(HUB)), *custom("192.0.2.53")], "warn", "not-linked-with-custom-dns"),
    "custom DNS that is no address": ([own(zone(HUB)), *custom("dns")], "warn", "not-linked-with-custom-dns"),
    "hub not peered": (
        [own(zone(HUB)), *custom("10.200.0.4", hub=False)], "warn", "not-linked-with-custom-dns"),
    "network unread, link proved": (
        [cluster(nodes=subnet(readable=False), api_server={"privateDNSZone": zone().id}), zone(NET)],
        "pass", "linked"),
    "network unread, no link": (
        [cluster(nodes=subnet(readable=False), api_server={"privateDNSZone": zone().id}), zone()],
        "unknown", "network-unread"),
    "managed network unread": (
        [cluster(api_server={"privateDNSZone": "system"}), zone(NET, name=MINE, group="mc")],
        "unknown", "network-unread"),
    "zone none": (
        [cluster(nodes=NODES, api_server={"privateDNSZone": "None"})], "not-applicable", "no-private-zone"),
    "VNet integration": (
        [cluster(nodes=NODES, api_server={"enableVnetIntegration": True})], "not-applicable", "vnet-integration"),
    "public": ([cluster(nodes=NODES, private=None)], "not-applicable", "public-api-server"),
    "cut short": (
        [cluster(networkProfile=None, agentPoolProfiles=None, private=None)], "unknown", "cluster-unreadable"),
}  # fmt: skip


@pytest.mark.parametrize(("things", "outcome", "reason"), CASES.values(), ids=CASES)
def test_outcome(things: list[Thing], outcome: str, reason: str) -> None:
    assert outcomes(audit(CHECK, things)) == [(outcome, reason)]


def test_china_has_a_suffix_of_its_own() -> None:
    right = own(zone(NET, name=CHINA), region="chinaeast2")
    wrong = own(zone(NET, name="privatelink.chinaeast2.azmk8s.io"), region="chinaeast2")
    assert outcomes(audit(CHECK, right, cloud="china")) == [("pass", "linked")]
    [finding] = audit(CHECK, wrong, cloud="china")
    assert (finding.reason, finding.facts["wanted"]) == ("wrong-zone-name", CHINA)


def test_a_cloud_of_ones_own_may_have_other_names() -> None:
    estate = own(zone(NET, name="privatelink.eastus2.k8s.contoso.example"))
    assert outcomes(audit(CHECK, estate, cloud="custom")) == [("unknown", "zone-name-not-known")]


def test_the_command_names_the_subscription_of_a_zone_in_a_hub() -> None:
    hub = private_zone(PUBLIC, sub=OTHER_SUB)
    [finding] = audit(CHECK, own(hub), scopes=[f"/subscriptions/{one}" for one in (SUB, OTHER_SUB)])
    assert finding.remediation.commands[0].argv[-2:] == ("--subscription", OTHER_SUB)


def test_the_command_links_the_zone_in_the_zones_own_group() -> None:
    [finding] = audit(CHECK, own(zone()))
    assert finding.remediation.commands[0].text == (
        f"az network private-dns link vnet create -g dns -n link-net -z {PUBLIC} -v {NET} -e false --subscription {SUB}"
    )
