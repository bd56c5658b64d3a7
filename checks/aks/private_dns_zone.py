"""The private cluster's zone exists and is linked.

## What it checks
For a private cluster by private link: the zone that `apiServerAccessProfile.privateDNSZone` names, or with `system`
(also where unset) the one that AKS keeps in the node resource group; its name,
`[sub.]privatelink.<region>.<suffix of the cloud>`; and its links with the nodes' virtual network.

- passes if the zone is linked with the nodes' network, or with the network in which that network's custom DNS servers
  stand;
- warns if neither is linked and the network has custom DNS servers, which may still forward somewhere;
- fails if the zone does not exist, has another name, or has no link with a network that asks Azure's own DNS;
- is unknown if zone, links or network could not be read.

## Why it matters
Nodes find their API server by this zone. Without the record or the link they cannot register: the cluster does not
come up, does not scale, and model deployments hang.

## Not concerned
Public clusters; API server VNet integration, which needs no zone link; zone `none`, where the public FQDN resolves.

## Limits
With custom DNS servers a forwarder to 168.63.129.16 is needed on them, which Azure Resource Manager does not show. A
link is a child of its zone and lies in the zone's resource group. In a cloud of one's own a name that is not the public
cloud's is `unknown`.
"""

from collections.abc import Iterator
from typing import Any

from auditor.api import (
    Cluster,
    Inventory,
    Mend,
    NetworkUse,
    PrivateDnsZone,
    Severity,
    Source,
    SubnetRole,
    Unread,
    Verdict,
    VirtualNetworkLink,
    api_server_zone,
    check,
    dns_server_networks,
    failed,
    footprint,
    key_of,
    links_to,
    not_applicable,
    passed,
    resolves_by_azure,
    resource_name,
    unknown,
    warned,
)

PATH = "properties.apiServerAccessProfile.privateDNSZone"
LINK = Mend.by(
    "link the zone with the virtual network of the nodes",
    (
        "az", "network", "private-dns", "link", "vnet", "create", "-g", "{zone_group}", "-n", "link-{network}",
        "-z", "{zone}", "-v", "{network_id}", "-e", "false",
    ),
)  # fmt: skip
ZONE = Mend.by(
    "create the zone again, link it with the virtual network of the nodes, and have AKS write its record: "
    "`az aks update` without further arguments reconciles the cluster"
)
NAME = Mend.by(
    "a cluster cannot change its zone in place: re-create it with the zone {wanted}, or with a subzone of it"
)


@check(
    id="aks-private-dns-zone",
    severity=Severity.HIGH,
    source=Source("AKS-PRIV", "Configure a private DNS zone", "/aks/private-clusters"),
    mend=LINK,
    clauses=("S14",),
    reads=(
        "microsoft.network/privatednszones",
        "microsoft.network/privatednszones/virtualnetworklinks",
        "microsoft.network/virtualnetworks",
    ),
)
def private_dns_zone(cluster: Cluster, inventory: Inventory) -> Iterator[Verdict]:
    profile = cluster.api_server
    named = (profile.private_dns_zone if profile else None) or "system"
    shown = cluster.show(PATH, profile.private_dns_zone if profile else None, "unset means system")
    if cluster.partial:
        yield unknown(
            "cluster-unreadable",
            "the data of {cluster} are cut short: whether it is private is not known",
            cluster=cluster.name,
            hint="grant Reader on the cluster and collect again",
        )
    elif not cluster.private:
        yield not_applicable("public-api-server", "the API server of {cluster} is public", cluster=cluster.name)
    elif profile and profile.enable_vnet_integration:
        yield not_applicable(
            "vnet-integration",
            "{cluster} has API server VNet integration, which needs no zone link",
            cluster.show("properties.apiServerAccessProfile.enableVnetIntegration", True),
            cluster=cluster.name,
        )
    elif named.casefold() == "none":
        yield not_applicable("no-private-zone", "{cluster} has no private DNS zone", shown, cluster=cluster.name)
    else:
        yield from _decide(cluster, inventory, named)


def _decide(cluster: Cluster, inventory: Inventory, named: str) -> Iterator[Verdict]:
    shown = cluster.show(PATH, named)
    own = named.casefold() != "system"
    zone = inventory.find(PrivateDnsZone, named) if own else _system_zone(cluster, inventory)
    facts: dict[str, Any] = {"cluster": cluster.name, "zone": resource_name(named) if own else "AKS's own zone"}
    if isinstance(zone, Unread):
        if zone.reason == "absent":
            yield failed(
                "zone-missing",
                "{zone}, the private DNS zone of {cluster}, does not exist",
                shown,
                mend=ZONE,
                related=[named] if own else [],
                **facts,
            )
        else:
            yield unknown(
                "zone-unread",
                "{zone}, the private DNS zone of {cluster}, could not be read: {why}",
                shown,
                why=zone.why,
                hint=zone.hint,
                **facts,
            )
        return
    facts |= {
        "zone": zone.name,
        "zone_group": zone.resource_group,
        "zone_subscription": zone.subscription_id,
        "related": [zone.id],
    }
    wrong = _name(cluster, inventory, zone, facts)
    if wrong is not None:
        yield wrong
        return
    yield from _links(cluster, inventory, zone, facts)


def _system_zone(cluster: Cluster, inventory: Inventory) -> PrivateDnsZone | Unread:
    """The zone that AKS made in the node resource group, `<GUID>.privatelink.<region>.<suffix>`."""
    group = cluster.node_group_id
    if not group:
        return Unread(cluster.id, "nodeResourceGroup is not in the cluster's data", "collect again")
    listed = inventory.within(PrivateDnsZone, group)
    for zone in listed:
        if ".privatelink." in f".{zone.name.casefold()}":
            return zone
    if listed.missing is not None:
        return listed.missing
    return Unread(group, "no private DNS zone lies in the node resource group", "", "absent")


def _name(cluster: Cluster, inventory: Inventory, zone: PrivateDnsZone, facts: dict[str, Any]) -> Verdict | None:
    shown = zone.show("name", zone.name)
    if not cluster.location:
        return unknown(
            "region-unread",
            "the region of {cluster} is not in its data, so the name of {zone} cannot be judged",
            shown,
            hint="collect again",
            **facts,
        )
    wanted = api_server_zone(inventory, cluster.location)
    name = zone.name.casefold()
    if name == wanted or name.endswith("." + wanted):
        return None
    if inventory.cloud == "custom":
        return unknown(
            "zone-name-not-known",
            "whether {zone} is the zone's name in this cloud is not known; in the public one it would be {wanted}",
            shown,
            wanted=wanted,
            hint="compare it with the privateFQDN of the cluster",
            **facts,
        )
    return failed(
        "wrong-zone-name",
        "{cluster} uses {zone}; in its region the zone is {wanted}, or a subzone of it",
        shown,
        mend=NAME,
        wanted=wanted,
        **facts,
    )


def _links(cluster: Cluster, inventory: Inventory, zone: PrivateDnsZone, facts: dict[str, Any]) -> Iterator[Verdict]:
    used = footprint(inventory, cluster)
    nodes = () if isinstance(used, Unread) else used.in_roles(SubnetRole.NODE)
    keys = {key_of(use.network_id) for use in nodes}
    networks = () if isinstance(used, Unread) else tuple(use for use in used.networks if key_of(use.id) in keys)
    if not networks:
        yield unknown(
            "network-unread",
            "which network the nodes of {cluster} lie in is not known",
            hint="grant Reader on the cluster and its node resource group",
            **facts,
        )
    for use in networks:
        yield _link(inventory, zone, use, facts | {"network": resource_name(use.id), "network_id": use.id})


def _link(inventory: Inventory, zone: PrivateDnsZone, use: NetworkUse, facts: dict[str, Any]) -> Verdict:
    links = links_to(inventory, zone, key_of(use.id))
    shown = [link.show("properties.virtualNetwork.id", use.id) for link in links]
    network = use.network
    if links:
        if isinstance(network, Unread) or resolves_by_azure(network):
            return passed("linked", "{zone} is linked with {network}, the network of {cluster}", *shown, **facts)
        return passed(
            "linked-with-custom-dns",
            "{zone} is linked with {network}; its custom DNS servers must forward to Azure, which cannot be seen here",
            *shown,
            network.show("properties.dhcpOptions.dnsServers", list(network.dns_servers)),
            **facts,
        )
    missing = _links_unread(inventory, zone)
    if missing is not None:
        return unknown(
            "links-unread",
            "the links of {zone} could not all be read: {why}",
            why=missing.why,
            hint=missing.hint,
            **facts,
        )
    if isinstance(network, Unread):
        return unknown(
            "network-unread",
            "{zone} is not linked with {network}; whether that network has DNS servers of its own is not known: {why}",
            why=network.why,
            hint=network.hint,
            **facts,
        )
    servers = network.show("properties.dhcpOptions.dnsServers", list(network.dns_servers))
    if resolves_by_azure(network):
        return failed(
            "not-linked",
            "{zone} has no link with {network}, the network of {cluster}: nodes cannot resolve their API server",
            zone.show("virtualNetworkLinks", None),
            servers,
            **facts,
        )
    homes = dns_server_networks(inventory, network)
    linked = [link for home in homes for link in links_to(inventory, zone, home)]
    if linked:
        return passed(
            "linked-at-dns-servers",
            "{zone} is linked with the network in which the DNS servers of {network} stand; that they forward to Azure "
            "cannot be seen here",
            *(link.show("properties.virtualNetwork.id", link.id) for link in linked),
            servers,
            **facts,
        )
    return warned(
        "not-linked-with-custom-dns",
        "{zone} is linked neither with {network} nor with a network in which its DNS servers {servers} are known to "
        "stand",
        servers,
        servers=list(network.dns_servers),
        **facts,
    )


def _links_unread(inventory: Inventory, zone: PrivateDnsZone) -> Unread | None:
    for bad in inventory.broken(VirtualNetworkLink):
        if key_of(bad.id).startswith(zone.key + "/"):
            return bad.unread
    return inventory.coverage.unread(VirtualNetworkLink.TYPE, zone.key)
