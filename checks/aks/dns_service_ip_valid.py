"""DNS service address is inside the service range and not its first.

## What it checks
`networkProfile.dnsServiceIP` lies in a service range (`serviceCidr`, `serviceCidrs`) of its own family, and is neither
the range's network address, nor the one after it, nor the last address of an IPv4 range.

- passes for every other address of a range;
- fails outside all ranges, or on one of the taken addresses;
- is unknown where only one of the two is set, or one cannot be parsed.

## Why it matters
The first address after the network's belongs to `kubernetes.default`. A DNS address outside the range is never
answered: no pod resolves a name, the inference router included.

## Not concerned
Clusters without a service range and DNS address in a whole body.

## Limits
"First" means network + 1 (10.0.0.1 of 10.0.0.0/16). `10.0.0.10` is the documented example, not a rule. The address
cannot be changed in place.
"""

import ipaddress
from collections.abc import Iterator

from auditor.api import (
    Cluster,
    Inventory,
    Mend,
    Severity,
    Source,
    Verdict,
    check,
    failed,
    not_applicable,
    passed,
    unknown,
)

PATH = "properties.networkProfile.dnsServiceIP"
RANGES = "properties.networkProfile.serviceCidrs"


@check(
    id="aks-dns-service-ip-valid",
    severity=Severity.HIGH,
    source=Source(
        "AML-V1-INF", "Azure Kubernetes Service, step 4", "/machine-learning/v1/how-to-secure-inferencing-vnet"
    ),
    mend=Mend.by(
        "the address cannot be changed in place: re-create the cluster with --service-cidr RANGE and "
        "--dns-service-ip an address of that range, at least its third"
    ),
    clauses=("S6",),
)
def dns_service_ip_valid(cluster: Cluster, inventory: Inventory) -> Iterator[Verdict]:
    address = (cluster.network.dns_service_ip or None) if cluster.network else None
    ranges = cluster.service_cidrs
    shown = (cluster.show(PATH, address), cluster.show(RANGES, list(ranges)))
    if address is None and not ranges:
        if cluster.partial:
            yield unknown(
                "cluster-unreadable",
                "{cluster}'s data are cut short: neither network profile nor agent pools are there",
                *shown,
                cluster=cluster.name,
            )
            return
        yield not_applicable(
            "no-network-profile", "{cluster} has neither service range nor DNS address", *shown, cluster=cluster.name
        )
        return
    if address is None or not ranges:
        yield unknown(
            "one-missing",
            "{cluster} shows only one of service range and DNS address, so the other was not read",
            *shown,
            cluster=cluster.name,
        )
        return
    try:
        ip = ipaddress.ip_address(address.strip())
        networks = [ipaddress.ip_network(text.strip(), strict=False) for text in ranges]
    except ValueError as problem:
        yield unknown(
            "unparsable",
            "the DNS address or a service range of {cluster} cannot be parsed: {problem}",
            *shown,
            cluster=cluster.name,
            problem=str(problem),
        )
        return
    own = [network for network in networks if network.version == ip.version and ip in network]
    if not own:
        yield failed(
            "outside-range",
            "{address} lies in none of the service ranges of {cluster} ({ranges})",
            *shown,
            cluster=cluster.name,
            address=address,
            ranges=list(ranges),
        )
        return
    for network in own:
        taken = _taken(ip, network)
        if taken:
            yield failed(
                "address-taken",
                "{address} is {taken} of {range} in {cluster}",
                *shown,
                cluster=cluster.name,
                address=address,
                taken=taken,
                range=str(network),
            )
            return
    yield passed(
        "inside-range",
        "{address} lies in the service range {range} of {cluster}",
        *shown,
        cluster=cluster.name,
        address=address,
        range=str(own[0]),
    )


def _taken(
    ip: ipaddress.IPv4Address | ipaddress.IPv6Address, network: ipaddress.IPv4Network | ipaddress.IPv6Network
) -> str | None:
    """What an address that cannot serve is, or None."""
    if int(ip) == int(network.network_address):
        return "the network address"
    if int(ip) == int(network.network_address) + 1:
        return "the address of kubernetes.default"
    if ip.version == 4 and int(ip) == int(network.broadcast_address):
        return "the last address"
    return None
