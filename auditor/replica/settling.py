"""What services add to a write by themselves: read-only properties, addresses, identities, records, refusals.

Only as much as the remediation commands of the checks need (`docs/cures.md`), and each as Microsoft documents it.
"""

import copy
import ipaddress
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from auditor.replica.answers import Answer, arm_error
from auditor.replica.estate import Body
from auditor.replica.world import World, parent_of, type_of

_READ_ONLY = {
    "microsoft.containerservice/managedclusters": (
        "provisioningState", "powerState", "currentKubernetesVersion", "fqdn", "azurePortalFQDN", "privateFQDN",
        "maxAgentPools", "resourceUID",
    ),
    "microsoft.network/virtualnetworks": ("subnets", "virtualNetworkPeerings", "resourceGuid", "provisioningState"),
    "microsoft.network/virtualnetworks/subnets": (
        "purpose", "ipConfigurations", "privateEndpoints", "provisioningState",
    ),
    "microsoft.network/networksecuritygroups": (
        "defaultSecurityRules", "networkInterfaces", "subnets", "resourceGuid", "provisioningState",
    ),
    "microsoft.network/routetables": ("subnets", "resourceGuid", "provisioningState"),
}  # fmt: skip
_MADE_BY = uuid.UUID("5f2c0000-0000-4000-8000-00000000a2e5")
_RESERVED_FIRST = 4


def kept(kind: str, properties: Body, before: Mapping[str, Any]) -> Body:
    """The properties that were sent, with those of the older body that no client can write."""
    names = _READ_ONLY.get(kind, ("provisioningState",))
    return {
        **{name: copy.deepcopy(before[name]) for name in names if name in before and name not in properties},
        **properties,
    }


def conflict(world: World, path: str, body: Body) -> Answer | None:
    """The refusal that this write earns from its service, if it does."""
    kind = type_of(path).lower()
    if kind == "microsoft.network/networksecuritygroups/securityrules":
        return _same_priority(world, path, body)
    if kind == "microsoft.network/virtualnetworks/subnets":
        return _subnet_range(world, path, body)
    if kind == "microsoft.authorization/roleassignments":
        return _same_assignment(world, path, body)
    return None


def _same_priority(world: World, path: str, body: Body) -> Answer | None:
    mine = body["properties"]
    for other in world.children(parent_of(path.lower()), "securityRules"):
        theirs = other.body.get("properties", {})
        same = theirs.get("priority") == mine.get("priority") and theirs.get("direction") == mine.get("direction")
        if same and other.key != path.lower().rstrip("/"):
            return arm_error(
                400,
                "SecurityRuleConflict",
                f"Security rule {body['name']} conflicts with rule {other.body.get('name')}. "
                "Rules cannot have the same Priority and Direction.",
            )
    return None


def _subnet_range(world: World, path: str, body: Body) -> Answer | None:
    """A subnet lies inside its network's address space and on no other subnet."""
    network = world.get(parent_of(path.lower()))
    if network is None:
        return None
    space = [ipaddress.ip_network(one) for one in network.body["properties"]["addressSpace"]["addressPrefixes"]]
    for prefix in prefixes_of(body):
        if not any(prefix.version == one.version and prefix.subnet_of(one) for one in space):  # type: ignore[arg-type]
            text = (
                f"Subnet '{body['name']}' is not valid because its IP address range is outside the virtual network's."
            )
            return arm_error(400, "NetcfgInvalidSubnet", text)
        for other in world.children(network.key, "subnets"):
            if other.key != path.lower().rstrip("/") and any(prefix.overlaps(one) for one in prefixes_of(other.body)):
                text = f"Subnet '{body['name']}' overlaps with subnet '{other.body.get('name')}'."
                return arm_error(400, "NetcfgSubnetRangesOverlap", text)
    return None


def prefixes_of(subnet: Mapping[str, Any]) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    """A subnet's ranges, singular or plural."""
    properties = subnet.get("properties") or {}
    texts = properties.get("addressPrefixes") or [properties.get("addressPrefix")]
    return [ipaddress.ip_network(text) for text in texts if text]


def _same_assignment(world: World, path: str, body: Body) -> Answer | None:
    def meaning(one: Body) -> tuple[str, str, str]:
        properties = one.get("properties") or {}
        role = str(properties.get("roleDefinitionId", "")).lower().rsplit("/", 1)[-1]
        scope = one["id"].lower().rsplit("/providers/microsoft.authorization/", 1)[0]
        return scope, str(properties.get("principalId", "")).lower(), role

    for other in world.of_type("microsoft.authorization/roleassignments"):
        if other.key != path.lower().rstrip("/") and meaning(other.body) == meaning(body):
            return arm_error(409, "RoleAssignmentExists", "The role assignment already exists.")
    return None


def settled(world: World, path: str, body: Body, before: Body | None) -> Body:
    """The body after the service has filled in what is its own to decide."""
    kind = type_of(path).lower()
    properties = body["properties"]
    _identify(body, before)
    if kind.startswith("microsoft.authorization/"):
        scope = path[: path.lower().rindex("/providers/microsoft.authorization/")] or "/"
        properties.setdefault("scope", scope)
        properties.setdefault("condition", None)
        return body
    properties["provisioningState"] = "Succeeded"
    if kind == "microsoft.containerservice/managedclusters":
        _settle_cluster(body, before)
    elif kind == "microsoft.network/privateendpoints":
        _settle_endpoint(world, body)
    elif kind == "microsoft.network/privatednszones/virtualnetworklinks":
        properties["virtualNetworkLinkState"] = "Completed"
    elif kind == "microsoft.network/virtualnetworks":
        properties.setdefault("subnets", [])
        properties.setdefault("virtualNetworkPeerings", [])
    return body


def _identify(body: Body, before: Body | None) -> None:
    """A system-assigned identity keeps its principal, or gets one; nobody can send it."""
    identity = body.get("identity")
    if not isinstance(identity, dict) or "systemassigned" not in str(identity.get("type", "")).lower():
        return
    older = (before or {}).get("identity") or {}
    identity.setdefault("principalId", older.get("principalId") or str(uuid.uuid5(_MADE_BY, body["id"].lower())))
    if "tenantId" in older:
        identity.setdefault("tenantId", older["tenantId"])


def _settle_cluster(body: Body, before: Body | None) -> None:
    properties = body["properties"]
    older = (before or {}).get("properties") or {}
    managed = (properties.get("servicePrincipalProfile") or {}).get("clientId") == "msi"
    if managed and not (properties.get("identityProfile") or {}).get("kubeletidentity"):
        name = body["id"].lower()
        properties["identityProfile"] = {
            "kubeletidentity": {
                "objectId": str(uuid.uuid5(_MADE_BY, f"{name}#kubelet")),
                "clientId": str(uuid.uuid5(_MADE_BY, f"{name}#kubelet-client")),
            }
        }
    pools = {pool.get("name"): pool for pool in older.get("agentPoolProfiles") or ()}
    for pool in properties.get("agentPoolProfiles") or ():
        for word in ("provisioningState", "powerState", "currentOrchestratorVersion", "nodeImageVersion"):
            if word in pools.get(pool.get("name"), {}):
                pool.setdefault(word, pools[pool["name"]][word])
    access = properties.get("apiServerAccessProfile") or {}
    if access.get("enablePrivateCluster") and access.get("enablePrivateClusterPublicFQDN") is False:
        # A private cluster without a public name shows its private one only.
        properties.pop("fqdn", None)
    elif access.get("enablePrivateCluster") and "fqdn" not in properties:
        properties["fqdn"] = f"{body['name']}.hcp.{body.get('location')}.azmk8s.io"
    network = properties.get("networkProfile") or {}
    if network.get("networkDataplane") == "cilium" and network.get("networkPolicy") == "azure":
        network["networkPolicy"] = "cilium"
    if network.get("networkPluginMode") == "overlay" and not network.get("podCidr"):
        network["podCidr"], network["podCidrs"] = "10.244.0.0/16", ["10.244.0.0/16"]


def _settle_endpoint(world: World, body: Body) -> None:
    """Approved, as the owner of both sides gets it, with the next free address of its subnet."""
    properties = body["properties"]
    subnet = world.get(properties["subnet"]["id"])
    taken = {
        address
        for one in world.of_type("microsoft.network/privateendpoints")
        for entry in one.body.get("properties", {}).get("customDnsConfigs") or ()
        for address in entry.get("ipAddresses") or ()
    }
    prefix = next(iter(prefixes_of(subnet.body)), None) if subnet is not None else None
    address = (
        next((str(prefix[n]) for n in range(_RESERVED_FIRST, 200) if str(prefix[n]) not in taken), "") if prefix else ""
    )
    for connection in properties.get("privateLinkServiceConnections") or ():
        inner = connection.setdefault("properties", {})
        inner["privateLinkServiceConnectionState"] = {"status": "Approved", "actionsRequired": "None"}
        inner["provisioningState"] = "Succeeded"
        target = world.get(inner.get("privateLinkServiceId", ""))
        name = target.body["name"] if target is not None else body["name"]
        shown = (target.body.get("properties") or {}).get("loginServer", name) if target is not None else name
        properties["customDnsConfigs"] = [{"fqdn": shown, "ipAddresses": [address]}]


def consequences(world: World, body: Body, before: Body | None) -> Iterator[Body]:
    """Other resources that the service changes along with this one, in their new state."""
    if str(body["type"]).lower() != "microsoft.network/privateendpoints" or before is not None:
        return
    for connection in body["properties"].get("privateLinkServiceConnections") or ():
        target = world.get(connection["properties"].get("privateLinkServiceId", ""))
        if target is None:
            continue
        changed = copy.deepcopy(target.body)
        shown = changed.setdefault("properties", {}).setdefault("privateEndpointConnections", [])
        shown.append(
            {
                "id": f"{changed['id']}/privateEndpointConnections/{body['name']}",
                "name": body["name"],
                "properties": {
                    "privateEndpoint": {"id": body["id"]},
                    "groupIds": connection["properties"].get("groupIds", []),
                    "privateLinkServiceConnectionState": {"status": "Approved"},
                    "provisioningState": "Succeeded",
                },
            }
        )
        yield changed
