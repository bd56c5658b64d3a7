"""Load balancer frontends of a cluster and scoring addresses (requirements 2.4): classified one by one, not by name."""

from __future__ import annotations

import enum
import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from auditor.derive.links import asked_internal, attachment
from auditor.inventory import Inventory
from auditor.inventory.records import (
    Cluster,
    LoadBalancer,
    OnlineEndpoint,
    PublicIpAddress,
    id_of,
    ids,
    key_of,
)
from auditor.inventory.shapes import Frontend as FrontendBody
from auditor.inventory.shapes import LoadBalancingRuleProperties
from auditor.network import AddressSet, is_private
from auditor.values import Listing, Unread


class FrontendClass(enum.StrEnum):
    """What a frontend does."""

    INTERNAL_SERVICE = "internal-service"
    PUBLIC_SERVICE = "public-service"
    OUTBOUND_ONLY = "outbound-only"
    IDLE = "idle"


@dataclass(frozen=True, slots=True)
class ClusterFrontend:
    """One frontend of a cluster's load balancers.

    `address` is the private or public address as text; Unread where the public IP resource could not be read, None
    where there is none yet. `ports` are the frontend ports of its load-balancing and NAT rules.
    """

    id: str
    name: str
    balancer_id: str
    balancer_name: str
    kind: FrontendClass
    subnet_id: str | None
    public_ip_id: str | None
    address: str | Unread | None
    ports: tuple[int, ...]
    backend_ports: tuple[int, ...]
    floating: bool

    @property
    def scoring_candidate(self) -> bool:
        """Whether it serves port 80 or 443: it may be the inference router, or another ingress."""
        return bool({80, 443} & set(self.ports))


def balancers_of(inventory: Inventory, cluster: Cluster) -> Listing[LoadBalancer]:
    """The load balancers in the node resource group, and those whose tags name the cluster."""

    def compute() -> Listing[LoadBalancer]:
        if not cluster.node_group_id:
            return Listing(
                (),
                Unread(
                    cluster.id,
                    "nodeResourceGroup is not in the cluster's data",
                    "grant Reader on the cluster and collect again",
                    "cluster-unreadable",
                ),
            )
        listed = inventory.within(LoadBalancer, cluster.node_group_id)
        tagged = tuple(b for b in inventory.every(LoadBalancer) if b not in listed.items and _names(b, cluster))
        return Listing((*listed.items, *tagged), listed.missing)

    return inventory.remember(("balancers", cluster.key), compute)


def _names(balancer: LoadBalancer, cluster: Cluster) -> bool:
    tags = {key.casefold(): str(value).casefold() for key, value in balancer.tags.items()}
    return (
        tags.get("aks-managed-cluster-name") == cluster.name.casefold()
        and tags.get("aks-managed-cluster-rg") == (cluster.resource_group or "").casefold()
        and balancer.subscription_id == cluster.subscription_id
    )


def frontends_of(inventory: Inventory, cluster: Cluster) -> Listing[ClusterFrontend]:
    """All frontends of a cluster, classified."""

    def compute() -> Listing[ClusterFrontend]:
        balancers = balancers_of(inventory, cluster)
        found = [_classify(inventory, cluster, b, f) for b in balancers for f in b.frontends]
        return Listing(tuple(sorted(found, key=lambda f: key_of(f.id))), balancers.missing)

    return inventory.remember(("frontends", cluster.key), compute)


def _classify(
    inventory: Inventory, cluster: Cluster, balancer: LoadBalancer, frontend: FrontendBody
) -> ClusterFrontend:
    name = frontend.name or (frontend.id or "").rsplit("/", 1)[-1]
    frontend_id = frontend.id or f"{balancer.id}/frontendIPConfigurations/{name}"
    properties = frontend.properties
    rules = _rules_on(balancer, frontend_id)
    public_ip_id = id_of(properties.public_ip_address) if properties else None
    prefix_id = id_of(properties.public_ip_prefix) if properties else None
    subnet_id = id_of(properties.subnet) if properties else None
    private_address = (properties.private_ip_address or None) if properties else None
    serves = bool(
        rules
        or (properties and (ids(properties.load_balancing_rules) or ids(properties.inbound_nat_rules)))
        or (properties and ids(properties.inbound_nat_pools))
    )
    public = bool(public_ip_id or prefix_id)
    effective = {key_of(i) for i in _effective_outbound(cluster)}
    if not public and (subnet_id or private_address) and serves:
        kind = FrontendClass.INTERNAL_SERVICE
    elif public and serves:
        kind = FrontendClass.PUBLIC_SERVICE
    elif public and ((properties and ids(properties.outbound_rules)) or key_of(public_ip_id or "") in effective):
        kind = FrontendClass.OUTBOUND_ONLY
    else:
        kind = FrontendClass.IDLE
    return ClusterFrontend(
        frontend_id,
        name,
        balancer.id,
        balancer.name,
        kind,
        subnet_id,
        public_ip_id or prefix_id,
        private_address if not public else _public_address(inventory, public_ip_id),
        tuple(sorted({r.frontend_port for r in rules if r.frontend_port is not None})),
        tuple(sorted({r.backend_port for r in rules if r.backend_port is not None})),
        all(r.enable_floating_ip for r in rules) if rules else False,
    )


def _rules_on(balancer: LoadBalancer, frontend_id: str) -> list[LoadBalancingRuleProperties]:
    rules = (*(balancer.body.load_balancing_rules or ()), *(balancer.body.inbound_nat_rules or ()))
    return [
        rule.properties
        for rule in rules
        if rule.properties and key_of(id_of(rule.properties.frontend_ip_configuration) or "") == key_of(frontend_id)
    ]


def _effective_outbound(cluster: Cluster) -> tuple[str, ...]:
    network = cluster.network
    if network is None:
        return ()
    profiles = (network.load_balancer_profile, network.nat_gateway_profile)
    return tuple(i for profile in profiles if profile for i in ids(profile.effective_outbound_ips))


def _public_address(inventory: Inventory, public_ip_id: str | None) -> str | Unread | None:
    if public_ip_id is None:
        return None
    match inventory.find(PublicIpAddress, public_ip_id):
        case Unread() as unread:
            return unread
        case record:
            return record.body.ip_address or None


def probe_ports(balancers: Listing[LoadBalancer]) -> tuple[int, ...]:
    """The ports that health probes of these load balancers ask, as far as their bodies say."""
    found = {
        probe.properties.port
        for balancer in balancers
        for probe in balancer.body.probes or ()
        if probe.properties and probe.properties.port
    }
    return tuple(sorted(found))


@dataclass(frozen=True, slots=True)
class ScoringAddress:
    """An address that scoring requests go to; `certain` unless it is a mere candidate by its ports."""

    address: str
    how: str
    certain: bool
    frontend: ClusterFrontend | None


def scoring_addresses(inventory: Inventory, cluster: Cluster) -> Listing[ScoringAddress]:
    """Scoring addresses by the first source that answers: configuration, endpoints, v1 compute, then candidates."""

    def compute() -> Listing[ScoringAddress]:
        frontends = frontends_of(inventory, cluster)
        by_address = {f.address: f for f in frontends if isinstance(f.address, str)}
        mine = [a for a in inventory.configured.scoring_addresses if a in by_address]
        certain: list[tuple[str, str]] = [(a, "configuration") for a in mine]
        if not certain:
            certain = [(a, "onlineEndpoints scoringUri") for a in _endpoint_addresses(inventory, cluster)]
        if not certain:
            certain = [(a, "systemServices of the v1 compute") for a in _system_addresses(inventory, cluster)]
        if certain:
            found = [ScoringAddress(a, how, True, by_address.get(a)) for a, how in dict(certain).items()]
            return Listing(tuple(found), frontends.missing)
        candidates = [
            ScoringAddress(f.address, "candidate by port", False, f)
            for f in frontends
            if f.scoring_candidate
            and isinstance(f.address, str)
            and f.kind in (FrontendClass.INTERNAL_SERVICE, FrontendClass.PUBLIC_SERVICE)
        ]
        return Listing(tuple(candidates), frontends.missing)

    return inventory.remember(("scoring", cluster.key), compute)


def serves_publicly(inventory: Inventory, cluster: Cluster) -> bool | Unread:
    """Whether inference answers at a public address: a scoring address, or a candidate beside which nothing internal
    exists or was asked for. A public candidate beside something internal may be another service: not taken for it.
    """
    frontends = frontends_of(inventory, cluster)
    certain = [address for address in scoring_addresses(inventory, cluster) if address.certain]
    if certain:
        return any(_is_public(address) for address in certain)
    candidates = [frontend for frontend in frontends if frontend.scoring_candidate]
    internal = any(f.kind is FrontendClass.INTERNAL_SERVICE for f in candidates)
    public = any(f.kind is FrontendClass.PUBLIC_SERVICE for f in candidates)
    if public and not internal and not asked_internal(attachment(inventory, cluster)):
        return True
    return frontends.missing if frontends.missing is not None else False


def _is_public(address: ScoringAddress) -> bool:
    if address.frontend is not None:
        return address.frontend.public_ip_id is not None
    return not is_private(AddressSet.parse(address.address))


def _endpoint_addresses(inventory: Inventory, cluster: Cluster) -> list[str]:
    computes = {key_of(compute.id) for compute in attachment(inventory, cluster).computes}
    found = []
    for endpoint in inventory.every(OnlineEndpoint):
        if key_of(endpoint.body.compute or "") in computes and endpoint.body.scoring_uri:
            host = _address(endpoint.body.scoring_uri)
            if host:
                found.append(host)
    return found


def _system_addresses(inventory: Inventory, cluster: Cluster) -> list[str]:
    return [
        service.public_ip_address
        for compute in attachment(inventory, cluster).computes
        if compute.body.properties
        for service in compute.body.properties.system_services or ()
        if (service.system_service_type or "").casefold() == "scoringfrontend" and service.public_ip_address
    ]


def _address(uri: str) -> str | None:
    """The host of a URI where it is an address; names need DNS, which a scan does not ask."""
    try:
        host = urlsplit(uri).hostname or ""
        return str(ipaddress.ip_address(host))
    except ValueError:
        return None
