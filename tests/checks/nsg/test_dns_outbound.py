"""nsg-dns-outbound: custom DNS servers are ordinary destinations, Azure DNS is not."""

from collections.abc import Sequence
from typing import Any

import pytest

from tests.estate import (
    ACI,
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
    peering,
    subnet,
    vnet,
)

CHECK = "nsg-dns-outbound"
INSIDE, HUB, PREMISES = "10.0.100.4", "10.99.0.4", "192.168.1.4"
DENY = deny_out(1000, to="*", name="deny-all")
PASS, DENIED, DEFAULT = ("pass", "allowed"), ("fail", "denied"), ("pass", "default-rules")
AZURE = ("not-applicable", "azure-dns")


def estate(*rules: Body, dns: Sequence[str] = (INSIDE,), peered: bool = True, **of_peering: Any) -> list[Thing]:
    resolvers = subnet("resolvers", "10.99.0.0/24", vnet="hub")
    hub = vnet("hub", resolvers, prefixes=["10.99.0.0/16"])
    peerings = [peering(hub, **of_peering)] if peered else []
    network = vnet("net", prefixes=["10.0.0.0/16"], dns=dns, peerings=peerings)
    return [network, hub, *attached(cluster(nodes=subnet(nsg=nsg("fence", *rules))))]


def single(local: Sequence[str], remote: Sequence[str]) -> dict[str, Any]:
    """A peering of single subnets."""
    return {"peerCompleteVnets": False, "localSubnetNames": list(local), "remoteSubnetNames": list(remote)}


def gateway(*rules: Body) -> list[Thing]:
    """The servers are on-premises, and the hub's gateway may have learned their prefix."""
    hub = vnet("hub", prefixes=["10.99.0.0/16"])
    network = vnet("net", prefixes=["10.0.0.0/16"], dns=[PREMISES], peerings=[peering(hub, useRemoteGateways=True)])
    return [network, hub, *attached(cluster(nodes=subnet(nsg=nsg("fence", *rules))))]


def network_unread() -> list[Thing]:
    """The subnet came as a row of its own; its network could not be read, nor its DNS servers."""
    nodes = subnet(readable=False)
    kind = "microsoft.network/virtualnetworks/subnets"
    row = {"id": nodes.id, "type": kind, "name": "nodes", "properties": nodes.body}
    return [*attached(cluster(nodes=nodes)), Thing(nodes.id, [row])]


CASES: dict[str, tuple[list[Thing], list[tuple[str, str]]]] = {
    "no group": ([vnet("net", dns=[INSIDE]), *attached(cluster(nodes=subnet()))], [("pass", "no-nsg")]),
    "server inside": (estate(), [DEFAULT]),
    "server in the peered hub": (estate(dns=[HUB]), [DEFAULT]),
    "server in a network that is not peered": (estate(dns=[HUB], peered=False), [DENIED]),
    "server in the peered hub, whose access is switched off": (
        estate(dns=[HUB], allowVirtualNetworkAccess=False), [DENIED]),
    "server in the peered hub, own rule, access switched off": (
        estate(allow_out(100, to=HUB, ports="53"), dns=[HUB], allowVirtualNetworkAccess=False), [PASS]),
    "server in a subnet that is peered": (estate(dns=[HUB], **single(["nodes"], ["Resolvers"])), [DEFAULT]),
    "server in a subnet that is not": (estate(dns=["10.99.9.4"], **single(["nodes"], ["resolvers"])), [DENIED]),
    "server's subnet is peered with another": (estate(dns=[HUB], **single(["other"], ["resolvers"])), [DENIED]),
    "single subnets by their names alone": (
        estate(dns=["10.99.9.4"], localSubnetNames=["nodes"], remoteSubnetNames=["resolvers"]), [DENIED]),
    "names that the switch makes idle": (
        estate(dns=["10.99.9.4"], peerCompleteVnets=True, remoteSubnetNames=["resolvers"]), [DEFAULT]),
    "which subnets are peered is not in the data": (
        estate(dns=[HUB], peerCompleteVnets=False), [("unknown", "undecided-virtualnetwork-unread")]),
    "a peered subnet was not read": (
        estate(dns=[HUB], **single(["nodes"], ["gone"])), [("unknown", "undecided-virtualnetwork-unread")]),
    "only IPv6 is peered": (
        estate(dns=[HUB], enableOnlyIPv6Peering=True, **single(["nodes"], ["resolvers"])), [DENIED]),
    "whether the hub is connected is not in the data": (
        estate(dns=[HUB], state=""), [("unknown", "undecided-virtualnetwork-unread")]),
    "server on-premises, no gateway": (estate(dns=[PREMISES]), [DENIED]),
    "server on-premises, gateway": (gateway(), [("unknown", "undecided-learned-routes")]),
    "server on-premises, gateway, own rule": (gateway(allow_out(100, to=PREMISES, ports="53")), [PASS]),
    "public server": (estate(dns=["9.9.9.9"]), [DEFAULT]),
    "own rule above a deny": (estate(allow_out(100, to=INSIDE, ports="53"), DENY), [PASS]),
    "by the tag VirtualNetwork": (estate(allow_out(100, to="VirtualNetwork"), DENY), [PASS]),
    "UDP only": (estate(allow_out(100, to=INSIDE, ports="53", protocol="Udp"), DENY), [DENIED]),
    "TCP only": (estate(allow_out(100, to=INSIDE, ports="53", protocol="Tcp"), DENY), [DENIED]),
    "a part of the subnet": (
        estate(allow_out(100, to=INSIDE, ports="53", of="10.0.0.0/24"), DENY), [("fail", "partial")]),
    "one of two servers denied": (
        estate(deny_out(100, to=HUB, ports="53"), dns=[INSIDE, HUB]), [DENIED, DEFAULT]),
    "not an address": (estate(dns=["dns.example"]), [("unknown", "server-unparsable")]),
    "Azure DNS": (estate(dns=[]), [AZURE]),
    "Azure DNS ignores ordinary denies": (estate(DENY, deny_out(100, to="168.63.129.16"), dns=[]), [AZURE]),
    "Azure DNS denied by its tag": (
        estate(deny_out(100, to="AzurePlatformDNS"), dns=[]), [("fail", "azure-dns-denied")]),
    "Azure DNS denied in part": (
        estate(deny_out(100, to="AzurePlatformDNS", protocol="Tcp"), dns=[]), [("fail", "azure-dns-denied")]),
    "Azure DNS allowed by its tag": (
        estate(allow_out(100, to="AzurePlatformDNS"), dns=[]), [("pass", "azure-dns-allowed")]),
    "Azure DNS named as a server": (
        estate(deny_out(100, to="AzurePlatformDNS"), dns=["168.63.129.16"]), [DENIED]),
    "Azure DNS, group unread": (
        attached(cluster(nodes=subnet(nsg=nsg("fence").unread()))), [("unknown", "azure-dns-undecided")]),
    "group unread": (
        [vnet("net", dns=[INSIDE]), *attached(cluster(nodes=subnet(nsg=nsg("fence").unread())))],
        [("unknown", "undecided-group-unread")]),
    "network unread": (network_unread(), [("unknown", "network-unread")]),
    "subnet unread": (attached(cluster(nodes=subnet(readable=False))), [("unknown", "subnet-unread")]),
}  # fmt: skip


@pytest.mark.parametrize(("things", "wanted"), CASES.values(), ids=CASES)
def test_outcome(things: list[Thing], wanted: list[tuple[str, str]]) -> None:
    assert outcomes(audit(CHECK, things)) == wanted


def test_the_server_is_the_part_and_the_command_names_it() -> None:
    [finding] = audit(CHECK, estate(DENY))
    assert finding.part == INSIDE
    [command] = finding.remediation.commands
    assert f"--destination-address-prefixes {INSIDE}" in command.text
    assert "--destination-port-ranges 53" in command.text


def test_container_groups_are_judged_too() -> None:
    into = subnet("aci", delegated_to=ACI, nsg=nsg("fence", DENY))
    assert outcomes(audit(CHECK, vnet("net", dns=[INSIDE]), container_group(into=into))) == [DENIED]
