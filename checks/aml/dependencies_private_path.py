"""Storage, vault and registry have a private path from the cluster's VNet.

## What it checks
For each virtual network in which clusters of the workspace infer, and each of storage (`blob`), key vault and registry:
is there a private endpoint that the network can use and whose name resolves to it; or a service endpoint on every node
and pod subnet with a matching virtual network rule; else, what does the target's own firewall let in?

- passes with either private path;
- warns if the target is open to all networks, lets the cluster's public egress addresses in by IP rules, is reached
  through an endpoint two peerings away, or has a private path but does not let trusted Azure services by;
- fails if there is an endpoint and its zone is not linked or holds no record, or the target is restricted and there is
  neither path;
- is unknown with custom DNS servers, a network security perimeter, or where something that decides was not read.

## Why it matters
The inference containers fetch their model from storage, their secrets from the vault and their image from the registry.
Without a path they do not start; over a public path data leaves the network.

## Not concerned
Workspaces without an AKS cluster that infers, and dependencies that a workspace does not have yet.

## Limits
`file`, `queue` and `table` of the storage account are not needed for inference and not looked at. Service endpoints for
a registry need the Premium SKU and are in preview. Peering is not transitive: an endpoint two peerings away needs a
router. Resource instance rules of storage, which can admit the workspace beside trusted services, are not read.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from auditor.api import (
    Dns,
    Evidence,
    Exposure,
    InferenceNetwork,
    Inventory,
    Mend,
    PrivatePath,
    Reach,
    Registry,
    Severity,
    Source,
    StorageAccount,
    Subnet,
    Unread,
    Vault,
    Verdict,
    Workspace,
    admits_subnet,
    admitted_addresses,
    check,
    computes_of_unread,
    egress_addresses,
    exposure_of,
    failed,
    inference_networks,
    managed_isolation,
    network,
    network_rules,
    not_applicable,
    passed,
    private_path,
    regional_tag,
    resource_name,
    settings_of,
    unknown,
    warned,
    zone_name,
)

Target = Registry | StorageAccount | Vault


@dataclass(frozen=True, slots=True)
class _Kind:
    """What a workspace depends on: its name here, its record, and how private paths and tags call it."""

    word: str
    record: type[Target]
    property: str
    group: str
    services: tuple[str, ...]
    tag: str
    bypass: Mend


STORAGE = _Kind(
    "storage", StorageAccount, "storageAccount", "blob", ("microsoft.storage", "microsoft.storage.global"), "Storage",
    Mend.by(
        "let trusted Azure services by",
        (
            "az", "storage", "account", "update", "-g", "{target_group}", "-n", "{dependency}",
            "--bypass", "AzureServices",
        ),
    ),
)  # fmt: skip
VAULT = _Kind(
    "vault", Vault, "keyVault", "vault", ("microsoft.keyvault",), "AzureKeyVault",
    Mend.by(
        "let trusted Azure services by",
        ("az", "keyvault", "update", "-g", "{target_group}", "-n", "{dependency}", "--bypass", "AzureServices"),
    ),
)  # fmt: skip
REGISTRY = _Kind(
    "registry", Registry, "containerRegistry", "registry", ("microsoft.containerregistry",), "AzureContainerRegistry",
    Mend.by(
        "let trusted Azure services by",
        ("az", "acr", "update", "-n", "{dependency}", "-g", "{target_group}", "--allow-trusted-services", "true"),
    ),
)  # fmt: skip
LINK = Mend.by(
    "link the zone {zone} with the virtual network, and give the endpoint a zone group for it",
    (
        "az", "network", "private-dns", "link", "vnet", "create", "-g", "{zone_group}", "-n", "link-{network}",
        "-z", "{zone}", "-v", "{network_id}", "-e", "false",
    ),
)  # fmt: skip
ZONE = Mend.by(
    "create the zone {zone}, link it with the virtual network, and give the endpoint a zone group for it "
    "(`az network private-endpoint dns-zone-group create`)"
)
RECORD = Mend.by(
    "give the endpoint a zone group for the zone {zone}, so that its record is written and kept "
    "(`az network private-endpoint dns-zone-group create`)"
)


@check(
    id="aml-dependencies-private-path",
    severity=Severity.HIGH,
    source=Source(
        "AML-K8S-SEC", "Secure AKS with private endpoints",
        "/machine-learning/how-to-secure-kubernetes-inferencing-environment",
    ),
    mend=Mend.by(
        "create a private endpoint of {dependency} for the group `{group}` in a subnet of the virtual network or of a "
        "peer (`az network private-endpoint create --group-id {group}`), then the private DNS zone, its link and the "
        "endpoint's zone group"
    ),
    clauses=("S3c",),
    reads=(
        "microsoft.machinelearningservices/workspaces/computes",
        "microsoft.containerservice/managedclusters",
        "microsoft.network/virtualnetworks",
        "microsoft.network/privateendpoints",
        "microsoft.network/privateendpoints/privatednszonegroups",
        "microsoft.network/privatednszones",
        "microsoft.network/privatednszones/virtualnetworklinks",
        "microsoft.network/privatednszones/a",
        "microsoft.storage/storageaccounts",
        "microsoft.keyvault/vaults",
        "microsoft.containerregistry/registries",
    ),
)  # fmt: skip
def dependencies_private_path(workspace: Workspace, inventory: Inventory) -> Iterator[Verdict]:
    facts: dict[str, Any] = {"workspace": workspace.name}
    reached = inference_networks(inventory, workspace)
    lost = next(iter(reached.unread), None) or computes_of_unread(inventory, workspace)
    if lost is not None:
        yield unknown(
            "clusters-unread",
            "not all clusters of {workspace} and their networks are known: {what}: {why}",
            part="clusters",
            what=lost.what,
            why=lost.why,
            hint=lost.hint,
            **facts,
        )
    elif not reached.networks:
        yield _without_network(workspace, inventory, facts)
    if not reached.networks:
        return
    owner = settings_of(inventory, workspace)
    if isinstance(owner, Unread):
        yield unknown(
            "hub-unread",
            "the hub of {workspace}, whose storage, vault and registry it uses, could not be read: {why}",
            why=owner.why,
            hint=owner.hint,
            **facts,
        )
        return
    for kind, target_id in (
        (STORAGE, owner.body.storage_account),
        (VAULT, owner.body.key_vault),
        (REGISTRY, owner.body.container_registry),
    ):
        if not target_id:
            yield _without_dependency(owner, kind, facts)
            continue
        for use in reached.networks:
            yield _Path(inventory, kind, target_id, use, facts).verdict()


def _without_network(workspace: Workspace, inventory: Inventory, facts: dict[str, Any]) -> Verdict:
    reached = inference_networks(inventory, workspace)
    if reached.clusters:
        return not_applicable(
            "managed-vnet", "AKS manages the networks of the clusters of {workspace}", part="clusters", **facts
        )
    if reached.idle:
        return not_applicable("no-inference", "no cluster of {workspace} infers", part="clusters", **facts)
    if managed_isolation(workspace):
        mode = workspace.body.managed_network.isolation_mode if workspace.body.managed_network else None
        return not_applicable(
            "managed-network",
            "{workspace} has no AKS cluster; its own computes live in a network that Azure ML manages",
            workspace.show("properties.managedNetwork.isolationMode", mode),
            part="clusters",
            **facts,
        )
    return not_applicable("no-cluster", "{workspace} has no AKS cluster", part="clusters", **facts)


def _without_dependency(owner: Workspace, kind: _Kind, facts: dict[str, Any]) -> Verdict:
    shown = owner.show(f"properties.{kind.property}", None)
    if kind is REGISTRY:
        return not_applicable("no-registry", "{workspace} has no registry yet", shown, part=kind.word, **facts)
    return unknown(
        "dependency-unset",
        "the {kind} of {workspace} is not in its data",
        shown,
        part=kind.word,
        kind=kind.word,
        hint="read the workspace through ARM",
        **facts,
    )


class _Path:
    """One dependency, seen from one network."""

    def __init__(
        self, inventory: Inventory, kind: _Kind, target_id: str, use: InferenceNetwork, facts: dict[str, Any]
    ) -> None:
        self.inventory = inventory
        self.kind = kind
        self.target_id = target_id
        self.use = use
        self.more: dict[str, Any] = {
            "part": f"{kind.word}:{use.id}",
            "related": (target_id, use.id),
            "dependency": resource_name(target_id),
            "group": kind.group,
            "network": resource_name(use.id),
            "network_id": use.id,
            **facts,
        }

    def verdict(self) -> Verdict:
        target = self.inventory.find(self.kind.record, self.target_id)
        if isinstance(target, Unread):
            return self._unread("dependency-unread", target)
        if isinstance(self.use.network, Unread):
            return self._unread("network-unread", self.use.network)
        connections = target.body.private_endpoint_connections
        path = private_path(self.inventory, target.id, self.kind.group, self.use.network, connections)
        by_endpoint = self._by_endpoint(target, path)
        if by_endpoint is not None and (by_endpoint.outcome == "pass" or path.dns is Dns.NO_RECORD):
            return by_endpoint
        by_service = self._by_service_endpoint(target)
        if by_service is True:
            shown = (self._rules(target), *self._endpoints())
            return self._bypassed(target, shown) or passed(
                "service-endpoint",
                "{network} reaches {dependency} by service endpoints, and {dependency} lets its subnets in",
                *shown,
                **self.more,
            )
        return by_endpoint or self._otherwise(target, path, by_service)

    def _unread(self, reason: str, unread: Unread) -> Verdict:
        return unknown(
            reason,
            "whether {dependency} has a private path from {network} is not known: {what}: {why}",
            what=unread.what,
            why=unread.why,
            hint=unread.hint,
            **self.more,
        )

    def _by_endpoint(self, target: Target, path: PrivatePath) -> Verdict | None:
        """What a usable private endpoint comes to; None without one."""
        endpoint = path.endpoint
        if endpoint is None or path.reach not in (Reach.USABLE, Reach.THROUGH_HUB):
            return None
        shown = [endpoint.show("properties.subnet.id", endpoint.subnet_id)]
        zone = zone_name(self.inventory, self.kind.group)
        named = self.more | {"endpoint": endpoint.name, "zone": zone}
        match path.dns:
            case Dns.PRIVATE:
                if path.zone is not None:
                    shown.append(path.zone.show("name", path.zone.name))
                if path.reach is Reach.THROUGH_HUB:
                    return self._through_hub(path, shown, named)
                return self._bypassed(target, tuple(shown)) or passed(
                    "private-endpoint",
                    "{network} reaches {dependency} by the private endpoint {endpoint}, and resolves it by {zone}",
                    *shown,
                    **named,
                )
            case Dns.NO_ZONE_LINK:
                known = path.zone is not None
                return failed(
                    "dns",
                    "{network} could use the private endpoint {endpoint} of {dependency}, but is not linked to {zone}",
                    *shown,
                    mend=LINK if known else ZONE,
                    zone_group=path.zone.resource_group if path.zone is not None else None,
                    zone_subscription=path.zone.subscription_id if path.zone is not None else None,
                    **named,
                )
            case Dns.NO_RECORD:
                return failed(
                    "dns",
                    "{network} is linked with {zone}, which holds no record of the private endpoint {endpoint} of "
                    "{dependency}: its name resolves to nothing",
                    *shown,
                    mend=RECORD,
                    **named,
                )
            case Dns.FALLS_BACK:
                return failed(
                    "dns",
                    "{network} is linked with {zone}, which holds no record of the private endpoint {endpoint} of "
                    "{dependency}, and falls back to the Internet: its name resolves to the public address",
                    *shown,
                    mend=RECORD,
                    **named,
                )
            case Dns.CUSTOM:
                return unknown(
                    "custom-dns",
                    "{network} could use the private endpoint {endpoint} of {dependency}, but has DNS servers of its "
                    "own, whose answers cannot be seen",
                    *shown,
                    hint="resolve the name of the dependency from a node of the cluster",
                    **named,
                )
            case Unread() as unread:
                return self._unread("dns-unread", unread)
            case None:
                return None

    def _through_hub(self, path: PrivatePath, shown: list[Evidence], named: dict[str, Any]) -> Verdict:
        if path.missing is not None:
            return self._unread("endpoint-unread", path.missing)
        return warned(
            "through-hub",
            "the private endpoint {endpoint} of {dependency} lies two peerings from {network}: it needs a router",
            *shown,
            **named,
        )

    def _bypassed(self, target: Target, shown: tuple[Evidence, ...]) -> Verdict | None:
        """A private path whose target shuts Azure ML's own service out."""
        if isinstance(target, Registry):
            path, bypass = "properties.networkRuleBypassOptions", target.body.network_rule_bypass_options
        else:
            rules = network_rules(target)
            path, bypass = "properties.networkAcls.bypass", rules.bypass if rules else None
        closed = exposure_of(target) in (Exposure.RESTRICTED, Exposure.OFF)
        if not bypass or "azureservices" in bypass.casefold() or not closed:
            return None
        return warned(
            "no-bypass",
            "{network} has a private path to {dependency}, which lets no trusted Azure service by: {bypass}",
            *shown,
            target.show(path, bypass),
            mend=self.kind.bypass,
            bypass=bypass,
            target_group=target.resource_group,
            target_subscription=target.subscription_id,
            **self.more,
        )

    def _by_service_endpoint(self, target: Target) -> bool | Unread:
        """Whether every node and pod subnet has the service endpoint and is let in by the target."""
        if exposure_of(target) not in (Exposure.PUBLIC, Exposure.RESTRICTED):
            return False
        if not self.use.subnets or not all(admits_subnet(target, use.id) for use in self.use.subnets):
            return False
        unread: Unread | None = self.use.incomplete
        for use in self.use.subnets:
            if isinstance(use.subnet, Unread):
                unread = unread or use.subnet
            elif not set(self.kind.services) & set(use.subnet.service_endpoints):
                return False
        return unread if unread is not None else True

    def _endpoints(self) -> list[Evidence]:
        return [
            use.subnet.show("properties.serviceEndpoints[].service", list(use.subnet.service_endpoints))
            for use in self.use.subnets
            if isinstance(use.subnet, Subnet)
        ]

    def _rules(self, target: Target) -> Evidence:
        rules = network_rules(target)
        word = "networkRuleSet" if isinstance(target, Registry) else "networkAcls"
        named = [rule.id for rule in (rules.virtual_network_rules if rules else None) or ()]
        return target.show(f"properties.{word}.virtualNetworkRules[].id", named)

    def _otherwise(self, target: Target, path: PrivatePath, by_service: bool | Unread) -> Verdict:
        exposure = exposure_of(target)
        shown = target.show("properties.publicNetworkAccess", target.body.public_network_access, "unset means Enabled")
        if path.missing is not None:
            return self._unread("endpoint-unread", path.missing)
        if isinstance(by_service, Unread):
            return self._unread("subnet-unread", by_service)
        match exposure:
            case Exposure.UNDECIDED:
                return unknown(
                    "perimeter",
                    "{dependency} leaves public access to a network security perimeter, whose rules are not read",
                    shown,
                    hint="look at the access rules of the perimeter",
                    **self.more,
                )
            case Exposure.UNHEARD_OF:
                return unknown(
                    "default-action-unheard-of",
                    "whether {dependency} is open to all networks is not known: the default action of its firewall is "
                    "neither Allow nor Deny",
                    shown,
                    self._default(target),
                    hint="look at the firewall of the dependency",
                    **self.more,
                )
            case Exposure.PUBLIC:
                return warned(
                    "public",
                    "{dependency} is open to all networks: {network} reaches it, but by no private path",
                    shown,
                    self._default(target),
                    **self.more,
                )
            case Exposure.RESTRICTED:
                return self._by_address(target, shown) or self._shut(target, path, shown)
            case Exposure.OFF:
                return self._shut(target, path, shown)

    def _default(self, target: Target) -> Evidence:
        rules = network_rules(target)
        word = "networkRuleSet" if isinstance(target, Registry) else "networkAcls"
        return target.show(f"properties.{word}.defaultAction", rules.default_action if rules else None, "unset: Allow")

    def _by_address(self, target: Target, shown: Evidence) -> Verdict | None:
        """Whether IP rules let in every public address that the clusters leave with; None where provably not."""
        admitted = admitted_addresses(target)
        if isinstance(admitted, Unread):
            return self._unread("ip-rule-unread", admitted)
        if not admitted:
            return None
        tag = network.Tag(regional_tag(self.inventory, self.kind.tag, target.location or ""))
        evidence: list[Evidence] = []
        unread: Unread | None = None
        for cluster in self.use.clusters:
            egress = egress_addresses(self.inventory, cluster, tag)
            if not all(admitted.covers(one.addresses) for one in egress.found):
                return None
            unread = unread or egress.missing
            if not egress.found:
                unread = unread or Unread(cluster.id, "its public addresses are not known", "collect again", "egress")
            evidence += [one.evidence for one in egress.found]
        if unread is not None:
            return self._unread("egress-unread", unread)
        return warned(
            "ip-rule",
            "{dependency} lets in the public addresses of the clusters in {network}: reachable, but by no private path",
            shown,
            *evidence,
            **self.more,
        )

    def _shut(self, target: Target, path: PrivatePath, shown: Evidence) -> Verdict:
        evidence = [shown, self._default(target), self._rules(target), *self._endpoints()]
        if path.endpoint is not None:
            evidence.append(path.endpoint.show("properties.subnet.id", path.endpoint.subnet_id))
        match path.reach:
            case Reach.OTHER_NETWORK:
                return failed(
                    "endpoint-in-other-network",
                    "{dependency} is restricted, and its private endpoint lies in a network that {network} is not "
                    "connected with",
                    *evidence,
                    **self.more,
                )
            case Reach.NOT_APPROVED:
                return failed(
                    "endpoint-not-approved",
                    "{dependency} is restricted, and its private endpoint is not approved",
                    *evidence,
                    **self.more,
                )
            case _:
                return failed(
                    "no-path",
                    "{dependency} is restricted and has neither a private endpoint nor service endpoints for {network}",
                    *evidence,
                    **self.more,
                )
