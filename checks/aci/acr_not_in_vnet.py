"""The workspace's registry is not inside the ACI VNet.

## What it checks
Each registry of the workspaces that a container group in a virtual network belongs to: the subnets of its approved
private endpoints, the subnets that its firewall names, and whether it answers on its public address at all. One verdict
for each registry.

- fails if an approved private endpoint or a firewall rule of the registry lies in the container group's network, or if
  public access is disabled (which has the same effect);
- warns instead of these if the group pulls by a managed identity and the registry lets trusted services pass
  (`networkRuleBypassOptions`), which newer deployments can use; warns if an endpoint lies in a peered network;
- passes otherwise;
- is unknown where the registry, an endpoint or the workspaces could not be read.

## Why it matters
Container Instances pull the image from outside the network. A registry that is in the network refuses them, and the
group does not start.

## Not concerned
Container groups without a subnet, or without a known registry.

## Limits
Being in the network is about the endpoint's subnet, not about the registry's region. Whether a firewall with address
rules admits Container Instances is not judged: their addresses are not published.
"""

from collections.abc import Iterator
from typing import Any

from auditor.api import (
    ContainerGroup,
    Evidence,
    Inventory,
    Mend,
    Registry,
    RegistryUse,
    Severity,
    Source,
    Unread,
    Verdict,
    VirtualNetwork,
    approved_homes,
    check,
    failed,
    key_of,
    network_id_of,
    networks_of_group,
    not_applicable,
    passed,
    peers_of,
    public_access_off,
    registries_of_group,
    resource_name,
    unknown,
    warned,
)


@check(
    id="aci-acr-not-in-vnet",
    severity=Severity.HIGH,
    source=Source("AML-V1-2020", "Azure Container Instances", "/machine-learning/how-to-secure-inferencing-vnet"),
    mend=Mend.by(
        "give container groups a registry without an endpoint in their network and with public access, or deploy to "
        "Kubernetes instead; a group that pulls by a managed identity may use the trusted services of the registry"
    ),
    clauses=("S21",),
    reads=(
        "microsoft.machinelearningservices/workspaces",
        "microsoft.containerregistry/registries",
        "microsoft.network/privateendpoints",
        "microsoft.network/virtualnetworks",
    ),
)
def acr_not_in_vnet(group: ContainerGroup, inventory: Inventory) -> Iterator[Verdict]:
    networks = networks_of_group(inventory, group)
    if isinstance(networks, Unread):
        yield unknown(
            "network-profile-unread",
            "the network profile of {group}, which names its subnet, could not be read: {why}",
            group=group.name,
            why=networks.why,
            hint=networks.hint,
        )
        return
    if not networks:
        shown = group.show("properties.subnetIds", None)
        yield not_applicable("no-vnet", "{group} lies in no virtual network", shown, group=group.name)
        return
    uses = registries_of_group(inventory, group)
    for use in uses:
        yield _decide(inventory, group, networks, use)
    if len(uses):
        return
    if uses.missing is not None:
        yield unknown(
            "workspace-unread",
            "which registry {group} pulls from is not known: {why}",
            group=group.name,
            why=uses.missing.why,
            hint=uses.missing.hint,
        )
        return
    yield not_applicable("no-registry", "no registry of {group} is known", group=group.name)


def _decide(inventory: Inventory, group: ContainerGroup, networks: tuple[str, ...], use: RegistryUse) -> Verdict:
    record = use.registry
    connections = record.body.private_endpoint_connections if isinstance(record, Registry) else None
    homes = approved_homes(inventory, use.id, connections)
    mine = {key_of(network_id) for network_id in networks}
    inside = [home for home in homes if key_of(home.network_id) in mine]
    more: dict[str, Any] = {
        "part": use.id,
        "related": (use.id, *networks),
        "group": group.name,
        "registry": resource_name(use.id),
        "network": resource_name(networks[0]),
    }
    if isinstance(record, Unread) and not inside:
        return unknown(
            "registry-unread",
            "whether {registry} is inside {network}, the network of {group}, is not known: {why}",
            why=record.why,
            hint=record.hint,
            **more,
        )
    shown = [Evidence(home.id, "properties.subnet.id", home.subnet_id) for home in inside]
    rules = _rules_in(record, mine) if isinstance(record, Registry) else []
    if isinstance(record, Registry):
        shown.append(record.show("properties.publicNetworkAccess", record.body.public_network_access))
        if rules:
            shown.append(record.show("properties.networkRuleSet.virtualNetworkRules[].id", rules))
        if (inside or rules or public_access_off(record)) and _pulls_as_trusted(group, record):
            identities = [c.identity for c in group.body.image_registry_credentials or () if c.identity]
            return warned(
                "trusted-pull",
                "{registry} is closed to {network}, the network of {group}, whose identity may pull as a trusted "
                "service",
                *shown,
                group.show("properties.imageRegistryCredentials[].identity", identities),
                record.show("properties.networkRuleBypassOptions", record.body.network_rule_bypass_options),
                **more,
            )
    if inside:
        return failed(
            "endpoint-in-network",
            "{registry} has a private endpoint in {network}, the network of {group}, which cannot pull through it",
            *shown,
            **more,
        )
    assert isinstance(record, Registry)
    if rules:
        return failed(
            "rule-in-network",
            "the firewall of {registry} names {subnets} in {network}, the network of {group}, which cannot pull "
            "through it",
            *shown,
            subnets=[resource_name(rule) for rule in rules],
            **more,
        )
    if public_access_off(record):
        return failed(
            "public-access-off",
            "{registry} refuses the public network, by which {group} in {network} would pull",
            *shown,
            **more,
        )
    (access,) = shown
    return _outside(inventory, networks, record, more, access)


def _outside(
    inventory: Inventory, networks: tuple[str, ...], registry: Registry, more: dict[str, Any], access: Evidence
) -> Verdict:
    """A registry that is not known to be in the group's network."""
    homes = approved_homes(inventory, registry.id, registry.body.private_endpoint_connections)
    unread = homes.missing
    peers: set[str] = set()
    for network_id in networks:
        found = inventory.find(VirtualNetwork, network_id)
        if isinstance(found, Unread):
            unread = unread or (found if len(homes) else None)
        else:
            peers |= peers_of(found)
    if unread is not None or not registry.body.public_network_access:
        why = unread or Unread(registry.id, "publicNetworkAccess is not in its data", "collect the registry again")
        return unknown(
            "path-unread",
            "whether {registry} is inside {network}, the network of {group}, is not known: {why}",
            access,
            why=why.why,
            hint=why.hint,
            **more,
        )
    beside = [home for home in homes if key_of(home.network_id) in peers]
    if beside:
        return warned(
            "endpoint-in-peer",
            "{registry} has a private endpoint in {peer}, which is peered with {network}, the network of {group}",
            *(Evidence(home.id, "properties.subnet.id", home.subnet_id) for home in beside),
            access,
            peer=sorted({resource_name(home.network_id) for home in beside}),
            **more,
        )
    return passed("not-in-network", "{registry} is not inside {network}, the network of {group}", access, **more)


def _rules_in(registry: Registry, networks: set[str]) -> list[str]:
    rules = registry.body.network_rule_set.virtual_network_rules if registry.body.network_rule_set else None
    return [rule.id for rule in rules or () if rule.id and key_of(network_id_of(rule.id)) in networks]


def _pulls_as_trusted(group: ContainerGroup, registry: Registry | Unread) -> bool:
    """Whether the group pulls from this registry by an identity, and the registry lets trusted services pass."""
    if isinstance(registry, Unread) or key_of(registry.body.network_rule_bypass_options or "") != "azureservices":
        return False
    server = key_of(registry.body.login_server or "")
    return any(
        credential.identity and (not server or key_of(credential.server or "") == server)
        for credential in group.body.image_registry_credentials or ()
    )
