"""How a registry, a storage account or a key vault answers the public network, and whom its own firewall lets in."""

from __future__ import annotations

import enum

from auditor.derive.endpoints import endpoints_of, endpoints_unread
from auditor.inventory import Inventory
from auditor.inventory.records import Registry, StorageAccount, Vault, key_of
from auditor.inventory.shapes import EndpointConnection, RuleSet
from auditor.network import AddressSet
from auditor.values import Unread

Target = Registry | StorageAccount | Vault
"""What a workspace depends on."""


class Exposure(enum.StrEnum):
    """What a target does with requests from the public network."""

    PUBLIC = "public"  # answers all networks
    RESTRICTED = "restricted"  # answers what its rules name
    OFF = "off"  # answers private endpoints only
    UNDECIDED = "undecided"  # a network security perimeter decides, whose rules are not read
    UNHEARD_OF = "unheard-of"  # the firewall's default action is neither Allow nor Deny


def network_rules(target: Target) -> RuleSet | None:
    """The target's firewall: `networkRuleSet` of a registry, `networkAcls` of storage and vault."""
    return target.body.network_rule_set if isinstance(target, Registry) else target.body.network_acls


def exposure_of(target: Target) -> Exposure:
    """What a target does with requests from the public network; unset properties have Azure's defaults (open)."""
    access = (target.body.public_network_access or "Enabled").casefold()
    if access == "disabled":
        return Exposure.OFF
    if access != "enabled":
        return Exposure.UNDECIDED
    rules = network_rules(target)
    match ((rules.default_action if rules else None) or "allow").casefold():
        case "allow":
            return Exposure.PUBLIC
        case "deny":
            return Exposure.RESTRICTED
        case _:
            return Exposure.UNHEARD_OF


_IN_FORCE = ("", "succeeded")
"""States of a storage account's rule that lets in: `NetworkSourceDeleted` names a subnet that was deleted since, even
where one of the same id exists again. Registries and vaults tell no state."""


def admits_subnet(target: Target, subnet_id: str) -> bool:
    """Whether a virtual network rule of the target names the subnet, and is in force."""
    rules = network_rules(target)
    return any(
        key_of(rule.id or "") == key_of(subnet_id)
        and (rule.action or "Allow").casefold() == "allow"
        and (rule.state or "").casefold() in _IN_FORCE
        for rule in (rules.virtual_network_rules if rules else None) or ()
    )


def admitted_addresses(target: Target) -> AddressSet | Unread:
    """The public addresses that the target's IP rules let in; Unread where one of them cannot be parsed."""
    rules = network_rules(target)
    found = []
    for rule in (rules.ip_rules if rules else None) or ():
        if (rule.action or "Allow").casefold() != "allow" or not rule.value:
            continue
        try:
            found.append(AddressSet.parse(rule.value))
        except ValueError:
            return Unread(target.id, f"{rule.value!r} is no address", "mend the IP rule", "unparsable")
    return AddressSet.union(found)


def has_private_endpoint(
    inventory: Inventory, target_id: str, connections: list[EndpointConnection] | None
) -> bool | Unread:
    """Whether a target has an approved private endpoint: by its own connections, else by the endpoints that name it.

    Unread only where the target's own view is missing and endpoints may be unseen.
    """
    for connection in connections or ():
        state = connection.properties.private_link_service_connection_state if connection.properties else None
        if state and (state.status or "").casefold() == "approved":
            return True
    if connections:
        return False
    for endpoint in endpoints_of(inventory, target_id):
        for side in endpoint.connections:
            state = side.private_link_service_connection_state
            same = key_of(side.private_link_service_id or "") == key_of(target_id)
            if same and state and (state.status or "").casefold() == "approved":
                return True
    if connections is None:
        missing = endpoints_unread(inventory)
        return missing if missing is not None else False
    return False
