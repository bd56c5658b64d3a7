"""The registry's own firewall admits the cluster, and its name resolves to the path meant.

## What it checks
For each virtual network of the clusters that pull from a registry: the registry's private endpoints that the network
can use, the private DNS zone linked with it and the A records for login and for the data endpoint of each region; else
the registry's public access (`publicNetworkAccess`, `networkRuleSet`) against the addresses that the clusters leave
with. One verdict for each network.

- passes with a usable private endpoint and all its records in the linked zone; with public access that admits
  everybody; or with rules that admit all egress addresses and subnets;
- warns if only some are admitted, if an endpoint is there but the name still resolves publicly, if the endpoint is two
  peerings away, or if trusted services are refused while the workspace builds its images through registry tasks;
- fails if the zone or a record is missing, a record names another address, the public path admits none, public access
  is off without a usable endpoint, or endpoints are expected of a registry that is not Premium;
- is unknown with custom DNS servers, or where the network, an endpoint, zone, record or egress address could not be
  read; also where another cluster of the network may pull as well, could not be seen to, and would not be let in.

## Why it matters
A registry that does not answer to the nodes stops every deployment, although rules and routes of the network are right.
Without the data record the login works and the layers do not come.

## Not concerned
Registries that no cluster pulls from.

## Limits
An endpoint in a network that is neither the cluster's nor a connected peer of it does not count; pending and rejected
connections do not either. Where the zone's link falls back to public DNS (`NxDomainRedirect`), a name without a record
takes the public path. What custom DNS servers answer cannot be seen. The egress addresses of appliances other than
Azure Firewall are not known. Whether the packets get there is judged by `nsg-acr-outbound` and
`route-required-services`.
"""

from collections.abc import Iterator
from typing import Any

from auditor.api import (
    Cluster,
    Dns,
    DnsARecord,
    Effect,
    EgressAddresses,
    Evidence,
    Inventory,
    Mend,
    Outcome,
    PrivateDnsZone,
    PrivatePath,
    Reach,
    Registry,
    Severity,
    Source,
    Unread,
    Verdict,
    VirtualNetwork,
    Workspace,
    check,
    egress_addresses,
    endpoints_of,
    failed,
    falls_back,
    footprint,
    key_of,
    links_to,
    network,
    not_applicable,
    passed,
    public_access_off,
    records_of,
    regional_tag,
    regions_of,
    registries_of,
    registry_path,
    resource_name,
    unknown,
    warned,
    zone_name,
)

ENDPOINT = Mend.by(
    "create a private endpoint for the registry in the cluster's network, with its private DNS zone and a link to it"
)
LINK = Mend.by(
    "link the registry's private DNS zone with the network",
    (
        "az", "network", "private-dns", "link", "vnet", "create", "-g", "{zone_group}", "-z", "{zone}", "-n",
        "{network}", "-v", "{network_id}", "-e", "false",
    ),
)  # fmt: skip
RECORD = Mend.by(
    "put the endpoint's zone group back, which writes the records, or add the record by hand",
    (
        "az", "network", "private-dns", "record-set", "a", "add-record", "-g", "{zone_group}", "-z", "{zone}", "-n",
        "{record}", "-a", "{address}",
    ),
)  # fmt: skip
ADMIT = Mend.by(
    "admit the egress addresses in the registry's firewall, or use a private endpoint",
    ("az", "acr", "network-rule", "add", "-n", "{registry}", "-g", "{resource_group}", "--ip-address", "{address}"),
)
TRUST = Mend.by(
    "let trusted services pass the registry's firewall, or name a compute for image builds",
    ("az", "acr", "update", "-n", "{registry}", "-g", "{resource_group}", "--allow-trusted-services", "true"),
)
PREMIUM = Mend.by(
    "private endpoints need the SKU Premium",
    ("az", "acr", "update", "-n", "{registry}", "-g", "{resource_group}", "--sku", "Premium"),
)


@check(
    id="acr-network-path",
    severity=Severity.HIGH,
    source=Source("ACR-PE", "Private Link", "/container-registry/container-registry-private-link"),
    mend=ENDPOINT,
    clauses=("S22",),
    reads=(
        "microsoft.containerservice/managedclusters",
        "microsoft.containerregistry/registries/replications",
        "microsoft.network/virtualnetworks",
        "microsoft.network/privateendpoints",
        "microsoft.network/privatednszones",
        "microsoft.network/privatednszones/virtualnetworklinks",
        "microsoft.network/privatednszones/a",
        "microsoft.network/publicipaddresses",
        "microsoft.network/publicipprefixes",
        "microsoft.network/natgateways",
        "microsoft.network/azurefirewalls",
    ),
)
def network_path(subject: Registry | Inventory, inventory: Inventory) -> Iterator[Verdict]:
    if isinstance(subject, Inventory):
        yield from _unseen(inventory)
    else:
        yield from _paths(inventory, subject)


def _unseen(inventory: Inventory) -> Iterator[Verdict]:
    """The registries that clusters pull from and that were not read; one that is gone is a dangling reference."""
    lost: dict[str, tuple[str, Unread, list[Cluster]]] = {}
    for cluster in inventory.every(Cluster):
        for use in registries_of(inventory, cluster):
            if isinstance(use.registry, Unread) and use.registry.reason not in ("absent", "malformed"):
                lost.setdefault(key_of(use.id), (use.id, use.registry, []))[2].append(cluster)
    for registry_id, unread, clusters in lost.values():
        yield unknown(
            "registry-unread",
            "how {clusters} reach {registry} is not known: {why}",
            about=registry_id,
            related=[cluster.id for cluster in clusters],
            clusters=[cluster.name for cluster in clusters],
            registry=resource_name(registry_id),
            why=unread.why,
            hint=unread.hint,
        )


def _paths(inventory: Inventory, registry: Registry) -> Iterator[Verdict]:
    users, missing, perhaps = _users(inventory, registry)
    homes: dict[str, tuple[str, VirtualNetwork | Unread | None, list[Cluster]]] = {}
    for cluster in users:
        used = footprint(inventory, cluster)
        if isinstance(used, Unread):
            yield unknown(
                "cluster-unreadable",
                "which networks {cluster}, which pulls from {registry}, lies in is not known: {why}",
                part=cluster.id,
                cluster=cluster.name,
                registry=registry.name,
                why=used.why,
                hint=used.hint,
            )
            continue
        for use in used.networks:
            homes.setdefault(key_of(use.id), (use.id, use.network, []))[2].append(cluster)
        if not used.networks:
            homes.setdefault(cluster.key, (cluster.id, _managed(inventory, cluster), []))[2].append(cluster)
    for key, (home_id, around, clusters) in homes.items():
        verdict = _Path(inventory, registry, home_id, around, clusters).verdict()
        beside: list[Cluster] = []
        if verdict.outcome is Outcome.PASS:
            known = {cluster.key for cluster in clusters}
            beside = [each for each in perhaps if each.key not in known and _lies_in(inventory, each, key)]
        if beside:
            # Whether they pull from it as well cannot be seen: it matters unless they would be let in too.
            with_them = _Path(inventory, registry, home_id, around, [*clusters, *beside]).verdict()
            if with_them.outcome is not Outcome.PASS:
                verdict = _unsure(registry, home_id, verdict, beside, missing)
        yield verdict
    if missing is not None and not users:
        yield unknown(
            "users-unread",
            "which clusters pull from {registry} is not known: {why}",
            registry=registry.name,
            why=missing.why,
            hint=missing.hint,
        )
    elif not users:
        yield not_applicable("no-cluster", "no cluster is known to pull from {registry}", registry=registry.name)


def _lies_in(inventory: Inventory, cluster: Cluster, home: str) -> bool:
    used = footprint(inventory, cluster)
    return not isinstance(used, Unread) and any(key_of(use.id) == home for use in used.networks)


def _unsure(registry: Registry, home_id: str, seen: Verdict, beside: list[Cluster], missing: Unread | None) -> Verdict:
    """Known users are let in; others in their network, which would not be, may pull as well."""
    return unknown(
        "users-unread",
        "{registry} lets in what is known to pull from it in {network}; whether {clusters} there, which it would not "
        "let in, pull from it as well is not known: {why}",
        *seen.evidence,
        part=home_id,
        related=[home_id, *(cluster.id for cluster in beside)],
        registry=registry.name,
        network=resource_name(home_id),
        clusters=[cluster.name for cluster in beside],
        why=missing.why if missing else "",
        hint=missing.hint if missing else "",
    )


def _users(inventory: Inventory, registry: Registry) -> tuple[list[Cluster], Unread | None, list[Cluster]]:
    """The clusters whose workspaces name the registry, why there may be more, and which of those read may be so."""

    def index() -> tuple[dict[str, list[Cluster]], Unread | None, list[Cluster]]:
        found: dict[str, list[Cluster]] = {}
        perhaps: list[Cluster] = []
        scopes = [f"/subscriptions/{subscription}" for subscription in inventory.subscriptions()]
        missing = inventory.listing(Cluster, scopes).missing
        for cluster in inventory.every(Cluster):
            uses = registries_of(inventory, cluster)
            missing = missing or uses.missing
            if uses.missing is not None:
                perhaps.append(cluster)
            for use in uses:
                found.setdefault(key_of(use.id), []).append(cluster)
        return found, missing, perhaps

    users, missing, perhaps = inventory.remember("clusters-by-registry", index)
    return users.get(registry.key, []), missing, perhaps


def _managed(inventory: Inventory, cluster: Cluster) -> Unread | None:
    """Why AKS's own network of a cluster is not known; None where the node resource group was read and shows none."""
    if not cluster.node_group_id:
        return Unread(cluster.id, "nodeResourceGroup is not in the cluster's data", "collect again", "network-unread")
    return inventory.within(VirtualNetwork, cluster.node_group_id).missing


class _Path:
    """One registry as seen from one network."""

    def __init__(
        self,
        inventory: Inventory,
        registry: Registry,
        home_id: str,
        around: VirtualNetwork | Unread | None,
        clusters: list[Cluster],
    ) -> None:
        self.inventory = inventory
        self.registry = registry
        self.around = around
        self.clusters = clusters
        self.more: dict[str, Any] = {
            "part": home_id,
            "related": [home_id, *(cluster.id for cluster in clusters)],
            "registry": registry.name,
            "network": resource_name(home_id),
        }
        if isinstance(around, VirtualNetwork):
            self.more["network_id"] = around.id

    def verdict(self) -> Verdict:
        """Private where a usable endpoint is there and its name is used, else public."""
        if isinstance(self.around, Unread):
            return unknown(
                "network-unread",
                "how {registry} is reached from {network} is not known: {why}",
                why=self.around.why,
                hint=self.around.hint,
                **self.more,
            )
        expects = public_access_off(self.registry) or endpoints_of(self.inventory, self.registry.id)
        if expects and self.registry.sku and key_of(self.registry.sku) != "premium":
            return failed(
                "sku-below-premium",
                "{registry} has the SKU {sku}, and private endpoints, which it is meant to be reached by, need Premium",
                self.registry.show("sku.name", self.registry.sku),
                self._access(),
                *(e.show("properties.privateLinkServiceConnections[].properties.privateLinkServiceId", self.registry.id)
                  for e in endpoints_of(self.inventory, self.registry.id)),
                sku=self.registry.sku,
                effect=_effect("nobody"),
                mend=PREMIUM,
                **self.more,
            )  # fmt: skip
        if self.around is None:
            return self._trusting(self._public(None))
        path = registry_path(self.inventory, self.registry, self.around)
        if path.reach in (Reach.USABLE, Reach.THROUGH_HUB) and path.endpoint is not None:
            return self._trusting(self._private(path, self.around))
        misled = self._misled(self.around) if path.missing is None else None
        return self._trusting(misled or self._public(path))

    def _access(self) -> Evidence:
        return self.registry.show("properties.publicNetworkAccess", self.registry.body.public_network_access)

    # ------------------------------------------------------------ private

    def _private(self, path: PrivatePath, around: VirtualNetwork) -> Verdict:
        assert path.endpoint is not None
        shown = (path.endpoint.show("properties.subnet.id", path.endpoint.subnet_id), self._access())
        facts = {"endpoint": path.endpoint.name, **self.more}
        match path.dns:
            case Unread() as unread:
                return unknown(
                    "dns-unread",
                    "whether {network} resolves {registry} to the private endpoint {endpoint} is not known: {why}",
                    *shown,
                    why=unread.why,
                    hint=unread.hint,
                    **facts,
                )
            case Dns.CUSTOM:
                return unknown(
                    "custom-dns",
                    "{network} uses DNS servers of its own; whether they resolve {registry} to the private endpoint "
                    "{endpoint} cannot be seen",
                    *shown,
                    around.show("properties.dhcpOptions.dnsServers", list(around.dns_servers)),
                    hint="resolve the registry's login and data names on a node",
                    **facts,
                )
            case Dns.PRIVATE | Dns.NO_RECORD | Dns.FALLS_BACK if path.zone is not None:
                return self._by_records(path, path.zone, around, shown, facts)
            case _:
                return self._without_zone(path, shown, facts)

    def _without_zone(self, path: PrivatePath, shown: tuple[Evidence, ...], facts: dict[str, Any]) -> Verdict:
        facts["zone"] = zone_name(self.inventory, "registry")
        facts["zone_group"] = path.zone.resource_group if path.zone else None
        facts["zone_subscription"] = path.zone.subscription_id if path.zone else None
        if public_access_off(self.registry):
            return failed(
                "dns",
                "{registry} has the private endpoint {endpoint}, but no zone {zone} is linked with {network}, and "
                "public access is off",
                *shown,
                effect=_effect("nobody"),
                mend=LINK,
                **facts,
            )
        public = self._public(path)
        if public.outcome is not Outcome.PASS:
            return public
        return warned(
            "public-name",
            "{registry} has the private endpoint {endpoint}, but no zone {zone} is linked with {network}: the "
            "public path is used",
            *shown,
            *public.evidence,
            effect=public.effect,
            mend=LINK,
            **facts,
        )

    def _fallen_back(self, path: PrivatePath, shown: tuple[Evidence, ...], facts: dict[str, Any]) -> Verdict:
        """Names that the zone lacks resolve publicly."""
        public = self._public(path)
        if public.outcome is not Outcome.PASS:
            return public
        return warned(
            "public-name",
            "{zone}, linked with {network}, has no record {record}, and falls back to the Internet: the public path "
            "is used",
            *shown,
            *public.evidence,
            effect=public.effect,
            mend=RECORD,
            **facts,
        )

    def _by_records(
        self,
        path: PrivatePath,
        zone: PrivateDnsZone,
        around: VirtualNetwork,
        shown: tuple[Evidence, ...],
        facts: dict[str, Any],
    ) -> Verdict:
        """A linked zone: it answers for the registry, so each name has to be in it, or its link falls back."""
        facts |= {
            "zone": zone.name,
            "zone_group": zone.resource_group,
            "zone_subscription": zone.subscription_id,
        }
        regions = regions_of(self.inventory, self.registry)
        login = self.registry.name.lower()
        wanted = [login, *(f"{login}.{region}.data" for region in regions)]
        records = {record.name.casefold(): record for record in records_of(self.inventory, zone)}
        shown += tuple(
            records[name].show("properties.aRecords[].ipv4Address", _addresses(records[name]))
            for name in wanted
            if name in records
        )
        lacking = [name for name in wanted if name not in records]
        unread = self.inventory.listing(DnsARecord, (zone.id,)).missing
        if lacking and unread is not None:
            return unknown(
                "records-unread",
                "whether {zone} holds {records} of {registry} is not known: {why}",
                *shown,
                records=lacking,
                why=unread.why,
                hint=unread.hint,
                **facts,
            )
        if lacking:
            facts |= {"record": lacking[0], "address": _address_of(path, lacking[0])}
            if falls_back(self.inventory, zone, around.key) and not public_access_off(self.registry):
                return self._fallen_back(path, shown, facts)
            facts["effect"] = _effect("nobody")
            if lacking[0] == login:
                return failed(
                    "login-record",
                    "{zone}, linked with {network}, has no record {record}: {registry} is not found",
                    *shown,
                    mend=RECORD,
                    **facts,
                )
            return failed(
                "data-record",
                "{zone}, linked with {network}, has no record {record}: logins to {registry} work, layers do not come",
                *shown,
                mend=RECORD,
                **facts,
            )
        stale = [name for name in wanted if path.addresses and not _leads_to(records[name], path.addresses)]
        if stale:
            return failed(
                "stale-record",
                "{record} in {zone} names {found}, which is no address of the private endpoint {endpoint}",
                *shown,
                record=stale[0],
                found=_addresses(records[stale[0]]),
                address=_address_of(path, stale[0]),
                effect=_effect("nobody"),
                mend=RECORD,
                **facts,
            )
        if regions.missing is not None:
            return unknown(
                "regions-unread",
                "in which regions {registry} has data endpoints, each with a record of its own, is not known: {why}",
                *shown,
                why=regions.missing.why,
                hint=regions.missing.hint,
                **facts,
            )
        return self._found(path, shown, facts)

    def _found(self, path: PrivatePath, shown: tuple[Evidence, ...], facts: dict[str, Any]) -> Verdict:
        assert path.endpoint is not None
        effect = _effect(f"{self.more['network']} by {path.endpoint.key}")
        if path.reach is Reach.THROUGH_HUB:
            return warned(
                "through-hub",
                "{network} resolves {registry} to the private endpoint {endpoint}, which is two peerings away and "
                "needs a router on the way",
                *shown,
                effect=effect,
                **facts,
            )
        return passed(
            "private-endpoint",
            "{network} resolves {registry} to the private endpoint {endpoint}, login and data alike",
            *shown,
            effect=effect,
            **facts,
        )

    def _misled(self, around: VirtualNetwork) -> Verdict | None:
        """A linked zone that answers with an endpoint which the network cannot reach; None where there is none."""
        if around.dns_servers:
            return None
        wanted = zone_name(self.inventory, "registry")
        for zone in self.inventory.every(PrivateDnsZone):
            if key_of(zone.name) != key_of(wanted) or not links_to(self.inventory, zone, around.key):
                continue
            for record in records_of(self.inventory, zone):
                if record.name.casefold() == self.registry.name.casefold() and endpoints_of(
                    self.inventory, self.registry.id
                ):
                    return failed(
                        "resolves-elsewhere",
                        "{zone}, linked with {network}, resolves {registry} to {found}, an endpoint that it cannot "
                        "reach",
                        record.show("properties.aRecords[].ipv4Address", _addresses(record)),
                        zone=zone.name,
                        found=_addresses(record),
                        effect=_effect("nobody"),
                        **self.more,
                    )
        return None

    # ------------------------------------------------------------ public

    def _public(self, path: PrivatePath | None) -> Verdict:
        body = self.registry.body
        rules = body.network_rule_set
        listed = rules is not None and (rules.ip_rules is not None or rules.virtual_network_rules is not None)
        action = key_of((rules.default_action if rules else None) or ("" if listed else "allow"))
        shown = self.registry.show("properties.networkRuleSet.defaultAction", rules.default_action if rules else None)
        unseen = path.missing if path else None
        if unseen is not None:
            # An endpoint that was not read may serve the network, or take its packets to where nothing answers.
            return unknown(
                "endpoints-unread",
                "whether {network} has a private endpoint of {registry} is not known: {why}",
                self._access(),
                why=unseen.why,
                hint=unseen.hint,
                **self.more,
            )
        if public_access_off(self.registry):
            return failed(
                "no-path",
                "public access to {registry} is off, and {network} can use none of its private endpoints",
                self._access(),
                *(e.show("properties.subnet.id", e.subnet_id) for e in endpoints_of(self.inventory, self.registry.id)),
                effect=_effect("nobody"),
                **self.more,
            )
        if key_of(body.public_network_access or "") != "enabled" or action not in ("allow", "deny"):
            return unknown(
                "public-access-unread",
                "whether {registry} admits the public network is not in its data",
                self._access(),
                shown,
                hint="collect the registry again: `az acr show` tells",
                **self.more,
            )
        if action == "deny":
            return self._by_rules()
        return passed(
            "public",
            "{registry} admits everybody, so that {network} reaches it on its public address",
            self._access(),
            shown,
            effect=_effect("everybody"),
            **self.more,
        )

    def _by_rules(self) -> Verdict:
        """Who of the clusters' egress is in the firewall's rules."""
        rules = self.registry.body.network_rule_set
        listed = [
            rule.value
            for rule in (rules.ip_rules if rules else None) or ()
            if rule.value and key_of(rule.action or "allow") == "allow"
        ]
        subnets = {key_of(rule.id) for rule in (rules.virtual_network_rules if rules else None) or () if rule.id}
        admitted = network.AddressSet.union(_parsed(text) for text in listed)
        tag = network.Tag(regional_tag(self.inventory, "AzureContainerRegistry", self.registry.location or ""))
        ways = [egress_addresses(self.inventory, cluster, tag) for cluster in self.clusters]
        inside, outside = _sorted(ways, admitted, subnets)
        shown = (
            self._access(),
            self.registry.show("properties.networkRuleSet.ipRules[].value", listed),
            *(one.evidence for way in ways for one in way.found),
        )
        facts = {
            "inside": inside,
            "outside": outside,
            "effect": Effect(tuple(inside)),
            "address": next((text for text in outside if "/subnets/" not in text), None),
            "clusters": [cluster.name for cluster in self.clusters],
            **self.more,
        }
        if inside and outside:
            return warned(
                "partly-admitted",
                "{registry} admits {inside}, but not {outside}, with which {clusters} in {network} leave as well",
                *shown,
                mend=ADMIT,
                **facts,
            )
        missing = next((way.missing for way in ways if way.missing is not None), None)
        broken = [text for text in listed if not _parsed(text)]
        if broken and outside:
            return unknown(
                "rules-unparsable",
                "whether {registry} admits {outside}, with which {clusters} in {network} leave, hangs on {broken}, "
                "which is no address",
                *shown,
                broken=broken,
                hint="mend the rule, or remove it: `az acr network-rule remove`",
                **facts,
            )
        if missing is not None:
            return unknown(
                "egress-unread",
                "with which addresses {clusters} in {network} leave is not known, and {registry} admits some only: "
                "{why}",
                *shown,
                why=missing.why,
                hint=missing.hint or "grant Reader on what gives them their addresses",
                **facts,
            )
        if outside or not inside:
            return failed(
                "not-admitted",
                "{registry} admits none of the addresses with which {clusters} in {network} leave: {outside}",
                *shown,
                mend=ADMIT,
                **{**facts, "outside": outside or ["none at all"]},
            )
        return passed(
            "admitted", "{registry} admits all addresses with which {clusters} in {network} leave", *shown, **facts
        )

    def _trusting(self, verdict: Verdict) -> Verdict:
        """Image builds by registry tasks need the trusted services where not everybody is admitted."""
        option = self.registry.body.network_rule_bypass_options
        if verdict.outcome is not Outcome.PASS or verdict.reason == "public" or not option:
            return verdict
        building = [
            workspace
            for workspace in self.inventory.every(Workspace)
            if key_of(workspace.body.container_registry or "") == self.registry.key
            and not workspace.body.image_build_compute
        ]
        if key_of(option) == "azureservices" or not building:
            return verdict
        return warned(
            "no-trusted-services",
            "{registry} refuses trusted services, by which {workspaces} builds images for want of a compute",
            self.registry.show("properties.networkRuleBypassOptions", option),
            *(workspace.show("properties.imageBuildCompute", None) for workspace in building),
            *verdict.evidence,
            workspaces=[workspace.name for workspace in building],
            effect=verdict.effect,
            mend=TRUST,
            **self.more,
        )


def _sorted(
    ways: list[EgressAddresses], admitted: network.AddressSet, subnets: set[str]
) -> tuple[list[str], list[str]]:
    """The egress addresses and service endpoint subnets that rules admit, and those that they do not."""
    inside: set[str] = set()
    outside: set[str] = set()
    for way in ways:
        for one in way.found:
            (inside if admitted.covers(one.addresses) else outside).add(one.text)
        for subnet in way.by_service_endpoint:
            (inside if subnet.key in subnets else outside).add(subnet.id)
    return sorted(inside), sorted(outside)


def _parsed(text: str) -> network.AddressSet:
    """An address rule as a set; what is no prefix admits nobody."""
    try:
        return network.AddressSet.parse(text)
    except ValueError:
        return network.AddressSet.empty()


def _addresses(record: DnsARecord) -> list[str]:
    return [entry.ipv4_address for entry in record.body.a_records or () if entry.ipv4_address]


def _leads_to(record: DnsARecord, addresses: network.AddressSet) -> bool:
    return any(_parsed(text) and addresses.covers(_parsed(text)) for text in _addresses(record))


def _address_of(path: PrivatePath, record: str) -> str | None:
    """The endpoint's address for a record, as far as its DNS settings tell."""
    configs = (path.endpoint.body.custom_dns_configs if path.endpoint else None) or ()
    found = [
        address
        for config in configs
        if (config.fqdn or "").casefold().startswith(record + ".")
        and (".data." in record + "." or ".data." not in (config.fqdn or "").casefold())
        for address in config.ip_addresses or ()
    ]
    return found[0] if found else None


def _effect(who: str) -> Effect:
    return Effect((who,))
