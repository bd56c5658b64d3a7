"""The VNet's DNS servers are reachable.

## What it checks
With DNS servers of its own in the virtual network's settings (`dhcpOptions.dnsServers`): UDP and TCP 53 from each
address of the subnet to each of these servers pass the security admin rules, the group on the node interfaces and the
group on the subnet. One verdict for each server.

With Azure DNS: ordinary rules do not touch it, whatever they deny; only a rule that names the service tag
`AzurePlatformDNS` does, and then it must not deny.

It passes where both protocols are let through, fails where one of them is denied for any address of the subnet, and is
unknown where network, group or something that decides could not be read.

## Why it matters
Without names nodes find neither registry nor API server, and the errors seldom say DNS.

## Not concerned
Azure DNS without a rule that names `AzurePlatformDNS`.

## Limits
A server on-premises is part of `VirtualNetwork` only if a gateway has learned its prefix, which no configuration shows:
where that decides the verdict is unknown. DNS servers that are set on single interfaces or container groups are not
read. Whether a server answers, or forwards to Azure, is not checked.
"""

from collections.abc import Iterator
from typing import Any

from auditor.api import (
    Evidence,
    InferenceSubnet,
    Inventory,
    Mend,
    PacketClass,
    SecurityGroup,
    Severity,
    Source,
    Subnet,
    SubnetRole,
    Unread,
    Verdict,
    VirtualNetwork,
    address_set,
    ask,
    ask_class,
    check,
    deciding,
    denial,
    effect_of,
    failed,
    hangs_on,
    network,
    network_of,
    not_applicable,
    outbound_verdict,
    passed,
    readable_subnet,
    subnet_group,
    trace_of,
    unknown,
    worst,
)

SENDING = {SubnetRole.NODE, SubnetRole.POD, SubnetRole.CONTAINER_GROUP}
PORT = network.PortSet.of(53)
PROTOCOLS = (network.Protocol.UDP, network.Protocol.TCP)
AZURE_DNS = network.AddressSet.parse("168.63.129.16")
Access = network.Access


@check(
    id="nsg-dns-outbound",
    severity=Severity.HIGH,
    source=Source("AKS-OUT", "DNS", "/aks/outbound-rules-control-egress"),
    mend=Mend.by("let UDP and TCP 53 to the server through all groups on the way"),
    clauses=("S3a",),
    reads=("microsoft.network/networksecuritygroups", "microsoft.network/virtualnetworks"),
    where=lambda subject, inventory: bool(subject.roles & SENDING),
)
def dns_outbound(where: InferenceSubnet, inventory: Inventory) -> Iterator[Verdict]:
    match readable_subnet(where):
        case Unread(why=why, hint=hint):
            yield unknown("subnet-unread", "{subnet} could not be read: {why}", subnet=where.name, why=why, hint=hint)
        case subnet:
            yield from _servers(where, subnet, inventory)


def _servers(where: InferenceSubnet, subnet: Subnet, inventory: Inventory) -> Iterator[Verdict]:
    match network_of(inventory, subnet):
        case Unread(why=why, hint=hint):
            yield unknown(
                "network-unread",
                "the DNS servers of {subnet} could not be read: {why}",
                subnet=where.name,
                why=why,
                hint=hint,
            )
        case found if not found.dns_servers:
            yield _azure_dns(where, subnet, found, inventory)
        case found:
            for server in found.dns_servers:
                yield from _server(where, subnet, found, server, inventory)


def _server(
    where: InferenceSubnet, subnet: Subnet, found: VirtualNetwork, server: str, inventory: Inventory
) -> Iterator[Verdict]:
    shown = found.show("properties.dhcpOptions.dnsServers", list(found.dns_servers))
    addresses = address_set([server], found.id)
    if isinstance(addresses, Unread):
        yield unknown(
            "server-unparsable",
            "{server} among the DNS servers of {network} is not an address",
            shown,
            part=server,
            related=[found.id],
            server=server,
            network=found.name,
            hint="mend the network's list of DNS servers",
        )
        return
    group = subnet_group(inventory, subnet)
    for protocol in PROTOCOLS:
        needed = PacketClass("dns", f"DNS server {server}", addresses, PORT, protocol)
        yield outbound_verdict(
            inventory,
            ask_class(inventory, where, subnet, needed),
            needed,
            subnet=where.name,
            part=server,
            related=[found.id],
            group=group if isinstance(group, SecurityGroup) else None,
            rule_name=f"AllowDns-{server.replace(':', '-')}",
            any_protocol=True,
            evidence=(shown,),
        )


def _azure_dns(where: InferenceSubnet, subnet: Subnet, found: VirtualNetwork, inventory: Inventory) -> Verdict:
    answers = ask(inventory, where, subnet, AZURE_DNS, PORT, *PROTOCOLS)
    answer = worst(answers)
    decision = answer.decision
    shown: tuple[Evidence, ...] = (
        found.show("properties.dhcpOptions.dnsServers", list(found.dns_servers), "Azure DNS"),
        *deciding(decision.parts),
    )
    more: dict[str, Any] = {
        "subnet": where.name,
        "related": [found.id],
        "trace": trace_of(answer, "Azure DNS"),
        "effect": effect_of(answers),
    }
    match decision.access:
        case Access.ALLOWED if not decision.rules():
            return not_applicable("azure-dns", "{subnet} asks Azure DNS, which no rule touches", *shown, **more)
        case Access.ALLOWED:
            rules = [str(rule) for rule in decision.rules()]
            return passed("azure-dns-allowed", "{subnet} reaches Azure DNS, by {rules}", *shown, rules=rules, **more)
        case Access.DENIED | Access.PARTIAL:
            return failed(
                "azure-dns-denied",
                "{subnet} does not reach Azure DNS: {rule} names AzurePlatformDNS and drops {packet}",
                *shown,
                mend=Mend.by("remove the rule that names AzurePlatformDNS, or let it allow"),
                **denial(decision),
                **more,
            )
        case Access.UNDECIDED:
            return unknown(
                "azure-dns-undecided",
                "whether {subnet} reaches Azure DNS hangs on {atoms}",
                *shown,
                **hangs_on([decision]),
                **more,
            )
