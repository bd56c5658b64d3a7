"""Estates in a line each: builders of raw ARM rows, and `audit`, which judges them with the real engine.

A builder's defaults are healthy and dull; a test states the one thing that differs. Builders return `Thing`s: ARM
bodies as Resource Graph would give them, so the parser runs in every test and any estate can become a snapshot.

    cluster("ml", nodes=subnet("nodes", "10.0.0.0/22", nsg=nsg("fence", deny_out(200, to="Internet"))))
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any
from zlib import crc32

from auditor.clouds import PROFILES
from auditor.evaluate import Catalogue, Terms, evaluate, load_catalogue
from auditor.findings import Finding
from auditor.i18n import Language, translator
from auditor.inventory import Builder, Configured, Header, Inventory
from auditor.values import Gap

SUB = "11111111-1111-1111-1111-111111111111"
OTHER_SUB = "22222222-2222-2222-2222-222222222222"
TENANT = "33333333-3333-3333-3333-333333333333"
REGION = "eastus2"
NOW = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
ACI = "Microsoft.ContainerInstance/containerGroups"
NETWORK_CONTRIBUTOR = "4d97b98b-1d4f-4787-a291-c67834d212e7"
CONTRIBUTOR = "b24988ac-6180-42a0-ab88-20f7382dd24c"
OWNER = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
ACR_PULL = "7f951dda-4ed3-4680-a7ca-43fe172d538d"
VM_CONTRIBUTOR = "9980e02c-c2be-4d73-94e8-173b1dc7cf3c"
CONTROL = "aaaaaaaa-0000-4000-8000-000000000001"
KUBELET = "bbbbbbbb-0000-4000-8000-000000000001"
APPLICATION = "cccccccc-0000-4000-8000-000000000001"

Body = dict[str, Any]


def rg(name: str, sub: str = SUB) -> str:
    """The id of a resource group."""
    return f"/subscriptions/{sub}/resourceGroups/{name}"


def managed_group(name: str, by: Thing | str, sub: str = SUB) -> Thing:
    """A resource group that something manages."""
    owner = by.id if isinstance(by, Thing) else by
    return _thing(rg(name, sub), "Microsoft.Resources/subscriptions/resourceGroups", {}, managedBy=owner)


def arm(group: str, kind: str, name: str, sub: str = SUB) -> str:
    """The id of a resource: `arm("net", "Microsoft.Network/virtualNetworks", "v")`."""
    return f"{rg(group, sub)}/providers/{kind}/{name}"


@dataclass
class Thing:
    """A piece of an estate: its id, its own rows, what it brings along, and what of it cannot be read."""

    id: str
    rows: list[Body] = field(default_factory=list)
    parts: list[Thing] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)

    def everything(self) -> Iterable[Thing]:
        """This thing and all that it brings along."""
        yield self
        for part in self.parts:
            yield from part.everything()

    def unread(self, what: str = "*") -> Thing:
        """The same thing where the scan may not see it."""
        self.rows = []
        self.gaps.append(Gap(self.id, what, "403 AuthorizationFailed", f"grant Reader on {self.id}"))
        return self


def _thing(resource_id: str, kind: str, properties: Body, *parts: Thing | None, **envelope: Any) -> Thing:
    row = {
        "id": resource_id,
        "type": kind.lower(),
        "name": resource_id.rsplit("/", 1)[-1],
        **{key: value for key, value in envelope.items() if value is not None},
        "properties": properties,
    }
    return Thing(resource_id, [row], [part for part in parts if part is not None])


def _set(properties: Body, **values: Any) -> Body:
    return {**properties, **{key: value for key, value in values.items() if value is not None}}


# ---------------------------------------------------------------- network


def rule(
    priority: int | None,
    *,
    access: str,
    direction: str,
    to: str | Sequence[str] = "*",
    of: str | Sequence[str] = "*",
    ports: str | Sequence[str] = "*",
    protocol: Any = "*",
    name: str | None = None,
    **more: Any,
) -> Body:
    """A security rule. A text fills the singular property, a list the plural one."""
    properties: Body = {"priority": priority, "direction": direction, "access": access, "protocol": protocol}
    for word, value in (("destination", to), ("source", of)):
        key = f"{word}AddressPrefix"
        properties[key if isinstance(value, str) else f"{key}es"] = value if isinstance(value, str) else list(value)
    properties["destinationPortRange" if isinstance(ports, str) else "destinationPortRanges"] = (
        ports if isinstance(ports, str) else list(ports)
    )
    properties["sourcePortRange"] = "*"
    return {"name": name or f"{access}-{direction}-{priority}", "properties": {**properties, **more}}


def allow_out(priority: int, **more: Any) -> Body:
    """An outbound allow."""
    return rule(priority, access="Allow", direction="Outbound", **more)


def deny_out(priority: int, **more: Any) -> Body:
    """An outbound deny."""
    return rule(priority, access="Deny", direction="Outbound", **more)


def allow_in(priority: int, **more: Any) -> Body:
    """An inbound allow."""
    return rule(priority, access="Allow", direction="Inbound", **more)


def deny_in(priority: int, **more: Any) -> Body:
    """An inbound deny."""
    return rule(priority, access="Deny", direction="Inbound", **more)


def nsg(name: str, *rules: Body, group: str = "net", region: str = REGION, sub: str = SUB) -> Thing:
    """A network security group; default rules are left out of the body, as short bodies do."""
    kind = "Microsoft.Network/networkSecurityGroups"
    return _thing(arm(group, kind, name, sub), kind, {"securityRules": list(rules)}, location=region)


def route(prefix: str, hop: str, address: str | None = None, name: str | None = None) -> Body:
    """A user-defined route."""
    properties = _set({"addressPrefix": prefix, "nextHopType": hop}, nextHopIpAddress=address)
    return {"name": name or prefix.replace("/", "-"), "properties": properties}


def table(name: str, *routes: Body, group: str = "net", no_bgp: bool = False, sub: str = SUB) -> Thing:
    """A route table."""
    kind = "Microsoft.Network/routeTables"
    properties = {"routes": list(routes), "disableBgpRoutePropagation": no_bgp}
    return _thing(arm(group, kind, name, sub), kind, properties, location=REGION)


def nat(name: str = "nat", *, group: str = "net") -> Thing:
    """A NAT gateway with an address."""
    kind = "Microsoft.Network/natGateways"
    address = public_ip("nat-ip", "20.50.0.1", group=group)
    return _thing(arm(group, kind, name), kind, {"publicIpAddresses": [{"id": address.id}]}, address, location=REGION)


@dataclass
class SubnetThing(Thing):
    """A subnet: `audit` puts it into its virtual network, which it makes where the estate has none."""

    body: Body = field(default_factory=dict)
    region: str = REGION


def subnet(
    name: str = "nodes",
    prefix: str | Sequence[str] | None = "10.0.0.0/22",
    *,
    vnet: str = "net",
    group: str = "net",
    nsg: Thing | str | None = None,
    table: Thing | str | None = None,
    nat: Thing | str | None = None,
    delegated_to: str | Sequence[str] | None = None,
    endpoints: Sequence[str] = (),
    readable: bool = True,
    region: str = REGION,
    sub: str = SUB,
    **properties: Any,
) -> SubnetThing:
    """A subnet in the virtual network `vnet` of the resource group `group`."""
    subnet_id = f"{arm(group, 'Microsoft.Network/virtualNetworks', vnet, sub)}/subnets/{name}"
    body: Body = dict(properties)
    if isinstance(prefix, str):
        body["addressPrefix"] = prefix
    elif prefix is not None:
        body["addressPrefixes"] = list(prefix)
    for word, thing in (("networkSecurityGroup", nsg), ("routeTable", table), ("natGateway", nat)):
        if thing is not None:
            body[word] = {"id": thing.id if isinstance(thing, Thing) else thing}
    services = [delegated_to] if isinstance(delegated_to, str) else list(delegated_to or ())
    if services:
        body["delegations"] = [
            {"name": f"d{n}", "properties": {"serviceName": service, "provisioningState": "Succeeded"}}
            for n, service in enumerate(services)
        ]
    if endpoints:
        body["serviceEndpoints"] = [{"service": service} for service in endpoints]
    made = SubnetThing(
        subnet_id, parts=[t for t in (nsg, table, nat) if isinstance(t, Thing)], body=body, region=region
    )
    if not readable:
        network_id = subnet_id.rsplit("/subnets/", 1)[0]
        made.gaps.append(Gap(network_id, "*", "403 AuthorizationFailed", f"grant Reader on {network_id}"))
    return made


def peering(remote: Thing | str, *, state: str = "Connected", prefixes: Sequence[str] = (), **more: Any) -> Body:
    """One side of a peering."""
    remote_id = remote.id if isinstance(remote, Thing) else remote
    properties = {"peeringState": state, "remoteVirtualNetwork": {"id": remote_id}, **more}
    if prefixes:
        properties["remoteAddressSpace"] = {"addressPrefixes": list(prefixes)}
    return {"name": remote_id.rsplit("/", 1)[-1], "properties": properties}


def vnet(
    name: str = "net",
    *subnets: SubnetThing,
    prefixes: Sequence[str] = ("10.0.0.0/8",),
    peerings: Sequence[Body] = (),
    dns: Sequence[str] = (),
    group: str = "net",
    region: str = REGION,
    sub: str = SUB,
    parts: Sequence[Thing] = (),
) -> Thing:
    """A virtual network; its subnets are those given and all others of the estate that name it."""
    kind = "Microsoft.Network/virtualNetworks"
    properties: Body = {"addressSpace": {"addressPrefixes": list(prefixes)}, "virtualNetworkPeerings": list(peerings)}
    if dns:
        properties["dhcpOptions"] = {"dnsServers": list(dns)}
    return _thing(arm(group, kind, name, sub), kind, properties, *subnets, *parts, location=region)


def public_ip(name: str, address: str | None = "20.60.0.1", *, group: str = "mc") -> Thing:
    """A public IP address."""
    kind = "Microsoft.Network/publicIPAddresses"
    return _thing(arm(group, kind, name), kind, _set({}, ipAddress=address), location=REGION)


def frontend(
    name: str = "front",
    *,
    public: Thing | None = None,
    inside: SubnetThing | None = None,
    address: str | None = None,
    ports: Sequence[int] = (443,),
    outbound: bool = False,
) -> tuple[Body, list[int], list[Thing]]:
    """A load balancer frontend: public or internal, with rules on `ports`."""
    properties: Body = {}
    if public is not None:
        properties["publicIPAddress"] = {"id": public.id}
    if inside is not None:
        properties["subnet"] = {"id": inside.id}
    if address is not None:
        properties["privateIPAddress"] = address
    if outbound:
        properties["outboundRules"] = [{"id": "/subscriptions/x/outboundRules/aks"}]
    body = {"name": name, "properties": properties}
    return body, list(ports), [t for t in (public, inside) if t is not None]


def balancer(
    name: str, *frontends: tuple[Body, list[int], list[Thing]], group: str = "mc", probes: Sequence[int] = ()
) -> Thing:
    """A load balancer in the node resource group."""
    kind = "Microsoft.Network/loadBalancers"
    balancer_id = arm(group, kind, name)
    bodies, rules, parts = [], [], []
    for body, ports, things in frontends:
        frontend_id = f"{balancer_id}/frontendIPConfigurations/{body['name']}"
        bodies.append({**body, "id": frontend_id})
        parts += things
        rules += [
            {
                "name": f"{body['name']}-{port}",
                "properties": {
                    "frontendIPConfiguration": {"id": frontend_id},
                    "frontendPort": port,
                    "backendPort": port,
                    "enableFloatingIP": True,
                },
            }
            for port in ports
        ]
    properties = {
        "frontendIPConfigurations": bodies,
        "loadBalancingRules": rules,
        "probes": [{"name": f"p{p}", "properties": {"protocol": "Tcp", "port": p}} for p in probes],
    }
    return _thing(balancer_id, kind, properties, *parts, location=REGION)


def private_endpoint(
    name: str,
    *,
    to: Thing | str,
    into: SubnetThing,
    group_id: str,
    status: str = "Approved",
    address: str = "10.0.200.4",
    zone: Thing | None = None,
    group: str = "net",
) -> Thing:
    """A private endpoint, with its zone group where a zone is given."""
    kind = "Microsoft.Network/privateEndpoints"
    endpoint_id = arm(group, kind, name)
    target = to.id if isinstance(to, Thing) else to
    properties = {
        "subnet": {"id": into.id},
        "privateLinkServiceConnections": [
            {
                "name": name,
                "properties": {
                    "privateLinkServiceId": target,
                    "groupIds": [group_id],
                    "privateLinkServiceConnectionState": {"status": status},
                },
            }
        ],
        "customDnsConfigs": [{"fqdn": f"{name}.example", "ipAddresses": [address]}],
    }
    parts: list[Thing] = [into]
    if isinstance(to, Thing):
        parts.append(to)
    if zone is not None:
        zone_kind = f"{kind}/privateDnsZoneGroups"
        configs = [{"name": "z", "properties": {"privateDnsZoneId": zone.id}}]
        parts += [
            zone,
            _thing(f"{endpoint_id}/privateDnsZoneGroups/default", zone_kind, {"privateDnsZoneConfigs": configs}),
        ]
    return _thing(endpoint_id, kind, properties, *parts, location=REGION)


def asg(name: str = "asg", *, group: str = "net") -> Thing:
    """An application security group."""
    kind = "Microsoft.Network/applicationSecurityGroups"
    return _thing(arm(group, kind, name), kind, {}, location=REGION)


def interface(name: str, *addresses: str, into: SubnetThing, groups: Sequence[Thing] = ()) -> Thing:
    """A network interface with private addresses, each in these application security groups."""
    kind = "Microsoft.Network/networkInterfaces"
    inside: Body = {"subnet": {"id": into.id}, "applicationSecurityGroups": [{"id": each.id} for each in groups]}
    configurations = [{"name": a, "properties": {**inside, "privateIPAddress": a}} for a in addresses]
    return _thing(arm("net", kind, name), kind, {"ipConfigurations": configurations}, into, *groups, location=REGION)


def admin_rule(priority: int | None, access: str, **more: Any) -> Body:
    """An outbound security admin rule for everything, as Virtual Network Manager imposes it."""
    anywhere = [{"addressPrefix": "*", "addressPrefixType": "IPPrefix"}]
    properties: Body = {
        "priority": priority, "access": access, "direction": "Outbound", "protocol": "Any",
        "sources": anywhere, "destinations": anywhere,
        "sourcePortRanges": ["0-65535"], "destinationPortRanges": ["0-65535"],
    }  # fmt: skip
    return {"id": f"/managers/m/rules/admin-{priority}", "kind": "Custom", "properties": {**properties, **more}}


def admin_rules(on: Thing | str, *rules: Body, named: bool = True) -> Thing:
    """What Virtual Network Manager imposes on a network; `named=False`: only the row's id says on which."""
    network_id = on.id if isinstance(on, Thing) else on
    kind = "Microsoft.Network/effectiveSecurityAdminRules"
    properties = _set({"rules": list(rules)}, virtualNetworkId=network_id if named else None)
    return _thing(f"{network_id}/providers/{kind}/default", kind, properties)


def private_zone(
    name: str,
    *linked: Thing | str,
    records: dict[str, str] | None = None,
    group: str = "dns",
    sub: str = SUB,
    fallback: str | None = None,
) -> Thing:
    """A private DNS zone with its links and A records; `fallback` is the links' `resolutionPolicy`."""
    kind = "Microsoft.Network/privateDnsZones"
    zone_id = arm(group, kind, name, sub)
    parts = []
    for number, network in enumerate(linked):
        network_id = network.id if isinstance(network, Thing) else network
        properties: Body = {"virtualNetwork": {"id": network_id}, "registrationEnabled": False}
        properties |= {"resolutionPolicy": fallback} if fallback else {}
        parts.append(_thing(f"{zone_id}/virtualNetworkLinks/link{number}", f"{kind}/virtualNetworkLinks", properties))
    for record, address in (records or {}).items():
        parts.append(_thing(f"{zone_id}/A/{record}", f"{kind}/A", {"aRecords": [{"ipv4Address": address}], "ttl": 10}))
    return _thing(zone_id, kind, {}, *parts, location="global")


def firewall(name: str = "fw", *, into: SubnetThing, address: str, group: str = "net") -> Thing:
    """An Azure Firewall."""
    kind = "Microsoft.Network/azureFirewalls"
    configurations = [{"properties": {"privateIPAddress": address, "subnet": {"id": into.id}}}]
    return _thing(arm(group, kind, name), kind, {"ipConfigurations": configurations}, into, location=REGION)


# ---------------------------------------------------------------- AKS, ACI, registry, Azure ML


def pool(
    nodes: SubnetThing | None = None,
    *,
    pods: SubnetThing | None = None,
    name: str = "pool",
    count: int = 3,
    **more: Any,
) -> Body:
    """An agent pool."""
    body = {"name": name, "count": count, "maxPods": 30, "mode": "System", "type": "VirtualMachineScaleSets"}
    return _set({**body, **more}, vnetSubnetID=nodes.id if nodes else None, podSubnetID=pods.id if pods else None)


def cluster(
    name: str = "ml",
    *,
    nodes: SubnetThing | None = None,
    pods: SubnetThing | None = None,
    pools: Sequence[Body] | None = None,
    identity: str = "system",
    principal: str | None = CONTROL,
    kubelet: str | None = KUBELET,
    client_id: str = "msi",
    private: bool | None = True,
    network: Body | None = None,
    api_server: Body | None = None,
    group: str = "aks",
    node_group: str = "mc",
    region: str = REGION,
    sub: str = SUB,
    parts: Sequence[Thing] = (),
    **properties: Any,
) -> Thing:
    """An AKS cluster, private, overlay, with a system-assigned identity; `nodes=None` means a managed network."""
    kind = "Microsoft.ContainerService/managedClusters"
    profile: Body = {
        "networkPlugin": "azure",
        "networkPluginMode": "overlay",
        "serviceCidr": "172.20.0.0/16",
        "serviceCidrs": ["172.20.0.0/16"],
        "podCidr": "192.168.0.0/16",
        "podCidrs": ["192.168.0.0/16"],
        "dnsServiceIP": "172.20.0.10",
        "outboundType": "loadBalancer",
        "loadBalancerSku": "standard",
        **(network or {}),
    }
    body: Body = {
        "provisioningState": "Succeeded",
        "kubernetesVersion": "1.33.2",
        "currentKubernetesVersion": "1.33.2",
        "fqdn": f"{name}-dns.hcp.{region}.azmk8s.io",
        "nodeResourceGroup": node_group,
        "agentPoolProfiles": list(pools) if pools is not None else [pool(nodes, pods=pods)],
        "networkProfile": {key: value for key, value in profile.items() if value is not None},
        "servicePrincipalProfile": {"clientId": client_id},
        **properties,
    }
    access = _set(dict(api_server or {}), enablePrivateCluster=private)
    if access:
        body["apiServerAccessProfile"] = access
    if kubelet:
        body["identityProfile"] = {"kubeletidentity": {"objectId": kubelet, "clientId": f"d{kubelet[1:]}"}}
    made_of: list[Thing | None] = [nodes, pods, *parts]
    envelope: Body = {"location": region}
    if identity == "system":
        envelope["identity"] = _set({"type": "SystemAssigned", "tenantId": TENANT}, principalId=principal)
    elif identity == "user":
        identity_id = arm(group, "Microsoft.ManagedIdentity/userAssignedIdentities", f"{name}-id", sub)
        entry = _set({}, principalId=principal, clientId=f"e{(principal or CONTROL)[1:]}" if principal else None)
        envelope["identity"] = {"type": "UserAssigned", "userAssignedIdentities": {identity_id: entry}}
    body = {key: value for key, value in body.items() if value is not None}
    return _thing(arm(group, kind, name, sub), kind, body, *made_of, **envelope)


def container_group(
    name: str = "score",
    *,
    into: SubnetThing | str | None = None,
    group: str = "ml",
    region: str = REGION,
    tags: Body | None = None,
    sub: str = SUB,
    **properties: Any,
) -> Thing:
    """A container group, in a subnet or (None) with a public address only."""
    kind = ACI
    body: Body = {"osType": "Linux", "provisioningState": "Succeeded", **properties}
    if into is not None:
        body["subnetIds"] = [{"id": into.id if isinstance(into, Thing) else into}]
    part = into if isinstance(into, Thing) else None
    return _thing(arm(group, kind, name, sub), kind, body, part, location=region, tags=tags)


def registry(
    name: str = "images", *, region: str = REGION, group: str = "ml", sku: str = "Premium", sub: str = SUB, **more: Any
) -> Thing:
    """A container registry."""
    kind = "Microsoft.ContainerRegistry/registries"
    body = {"loginServer": f"{name}.azurecr.io", "publicNetworkAccess": "Enabled", **more}
    return _thing(arm(group, kind, name, sub), kind, body, location=region, sku={"name": sku})


def replication(of: Thing, region: str) -> Thing:
    """A geo-replica of a registry."""
    return _thing(
        f"{of.id}/replications/{region}", "Microsoft.ContainerRegistry/registries/replications", {}, location=region
    )


def storage(name: str = "models", *, group: str = "ml", **more: Any) -> Thing:
    """A storage account."""
    kind = "Microsoft.Storage/storageAccounts"
    return _thing(arm(group, kind, name), kind, {"publicNetworkAccess": "Enabled", **more}, location=REGION)


def vault(name: str = "secrets", *, group: str = "ml", **more: Any) -> Thing:
    """A key vault."""
    kind = "Microsoft.KeyVault/vaults"
    return _thing(arm(group, kind, name), kind, {"publicNetworkAccess": "Enabled", **more}, location=REGION)


def workspace(
    name: str = "ws",
    *,
    registry: Thing | str | None = None,
    storage: Thing | None = None,
    vault: Thing | None = None,
    group: str = "ml",
    region: str = REGION,
    sub: str = SUB,
    **more: Any,
) -> Thing:
    """A workspace."""
    kind = "Microsoft.MachineLearningServices/workspaces"
    body: Body = {"publicNetworkAccess": "Enabled", **more}
    for word, thing in (("containerRegistry", registry), ("storageAccount", storage), ("keyVault", vault)):
        if thing is not None:
            body[word] = thing.id if isinstance(thing, Thing) else thing
    parts = [t for t in (registry, storage, vault) if isinstance(t, Thing)]
    return _thing(arm(group, kind, name, sub), kind, body, *parts, location=region)


def compute(
    to: Thing | str,
    *,
    of: Thing,
    name: str = "aks-compute",
    kind: str = "Kubernetes",
    settings: Body | None = None,
    **more: Any,
) -> Thing:
    """A compute that attaches a cluster to a workspace: `kind` is `Kubernetes` (v2) or `AKS` (v1)."""
    target = to.id if isinstance(to, Thing) else to
    body: Body = {"computeType": kind, "resourceId": target, "provisioningState": "Succeeded", **more}
    body["properties"] = settings
    parts = [t for t in (to, of) if isinstance(t, Thing)]
    arm_kind = "Microsoft.MachineLearningServices/workspaces/computes"
    return _thing(f"{of.id}/computes/{name}", arm_kind, body, *parts, location=REGION)


def extension(on: Thing, *, settings: Body | None = None, **more: Any) -> Thing:
    """Azure ML's extension on a cluster, serving inference behind an internal load balancer."""
    chosen = {
        "enableInference": "True",
        "inferenceRouterServiceType": "LoadBalancer",
        "internalLoadBalancerProvider": "azure",
    }
    body: Body = {
        "extensionType": "Microsoft.AzureML.Kubernetes",
        "provisioningState": "Succeeded",
        "configurationSettings": {key: v for key, v in {**chosen, **(settings or {})}.items() if v is not None},
        **more,
    }
    kind = "Microsoft.KubernetesConfiguration/extensions"
    return _thing(f"{on.id}/providers/{kind}/azureml", kind, body, on)


def endpoint(of: Thing, *, compute: Thing, uri: str, name: str = "score") -> Thing:
    """An online endpoint."""
    kind = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints"
    body = {"scoringUri": uri, "compute": compute.id}
    return _thing(f"{of.id}/onlineEndpoints/{name}", kind, body, of, compute, location=REGION)


def attached(to: Thing, *, registry: Thing | None = None, **more: Any) -> list[Thing]:
    """A workspace with its registry, a v2 compute and the extension: a cluster that infers."""
    ws = workspace(registry=registry, **more)
    return [ws, compute(to, of=ws), extension(to)]


# ---------------------------------------------------------------- authorization


def grant(
    principal: str = CONTROL,
    role: str = NETWORK_CONTRIBUTOR,
    *,
    on: Thing | str,
    kind: str = "ServicePrincipal",
    name: str | None = None,
    condition: Any = None,
    eligible: bool = False,
    **more: Any,
) -> Thing:
    """A role assignment. `role` is a GUID; `condition=...` (Ellipsis) leaves the property out, as an index may."""
    scope = on.id if isinstance(on, Thing) else on
    name = name or f"{principal[:8]}-{role[:8]}-{crc32(scope.encode()) % 10**6}"
    word = "roleEligibilityScheduleInstances" if eligible else "roleAssignments"
    arm_kind = f"Microsoft.Authorization/{word}"
    body: Body = {
        "roleDefinitionId": f"/subscriptions/{SUB}/providers/Microsoft.Authorization/roleDefinitions/{role}",
        "principalId": principal,
        "principalType": kind,
        "scope": scope,
        **more,
    }
    if condition is not ...:
        body["condition"] = condition
    return _thing(f"{scope.rstrip('/')}/providers/{arm_kind}/{name}", arm_kind, body)


def role(
    guid: str,
    *actions: str,
    without: Sequence[str] = (),
    name: str = "Custom",
    builtin: bool = False,
    data: Sequence[str] = (),
) -> Thing:
    """A role definition."""
    kind = "Microsoft.Authorization/roleDefinitions"
    body = {
        "roleName": name,
        "type": "BuiltInRole" if builtin else "CustomRole",
        "permissions": [
            {"actions": list(actions), "notActions": list(without), "dataActions": list(data), "notDataActions": []}
        ],
        "assignableScopes": [f"/subscriptions/{SUB}"],
    }
    return _thing(f"/subscriptions/{SUB}/providers/{kind}/{guid}", kind, body)


def deny(
    on: Thing | str,
    *actions: str,
    principal: str = CONTROL,
    kind: str = "ServicePrincipal",
    children: bool = True,
    name: str = "deny",
    **more: Any,
) -> Thing:
    """A deny assignment; `children=False`: it is not handed down to what lies below."""
    scope = on.id if isinstance(on, Thing) else on
    arm_kind = "Microsoft.Authorization/denyAssignments"
    body = {
        "denyAssignmentName": name,
        "permissions": [{"actions": list(actions), "notActions": [], "dataActions": [], "notDataActions": []}],
        "scope": scope,
        "principals": [{"id": principal, "type": kind}],
        "excludePrincipals": [],
        "doNotApplyToChildScopes": not children,
        **more,
    }
    return _thing(f"{scope}/providers/{arm_kind}/{name}", arm_kind, body)


def principal(app_id: str = APPLICATION, object_id: str = CONTROL) -> Thing:
    """What Microsoft Graph says of an application."""
    return Thing(
        "", [{"type": "auditor/principal", "appId": app_id, "objectId": object_id, "kind": "ServicePrincipal"}]
    )


def member(of: str | None, who: str = CONTROL) -> Thing:
    """A membership as Microsoft Graph tells it; `of=None`: all memberships were read, and there are no more."""
    return Thing("", [{"type": "auditor/membership", "memberId": who, **({"groupId": of} if of else {})}])


def subscription(sub: str = SUB, *groups: str, name: str = "sub") -> Thing:
    """A subscription under management groups, nearest first."""
    chain = [{"name": group, "displayName": group} for group in groups]
    kind = "microsoft.resources/subscriptions"
    return _thing(f"/subscriptions/{sub}", kind, {"managementGroupAncestorsChain": chain, "state": "Enabled"})


def service_tags(cloud: str = "public", **tags: Sequence[str]) -> Thing:
    """Service tag data; `__` in a name stands for the dot: `AzureContainerRegistry__EastUS2=["20.1.0.0/16"]`."""
    values = [
        {"name": name.replace("__", "."), "properties": {"addressPrefixes": list(prefixes)}}
        for name, prefixes in tags.items()
    ]
    kind = "Microsoft.Network/serviceTags"
    body = {"cloud": cloud, "changeNumber": "7", "values": values}
    return _thing(f"/subscriptions/{SUB}/providers/{kind}/{cloud}", kind, body)


def gap(scope: Thing | str, what: str = "*", *, required: bool = True) -> Thing:
    """Something that the scan could not read."""
    scope_id = scope.id if isinstance(scope, Thing) else scope
    return Thing("", gaps=[Gap(scope_id, what, "403 AuthorizationFailed", f"grant Reader on {scope_id}", required)])


# ---------------------------------------------------------------- judging


def rows(*things: Thing | Iterable[Thing]) -> tuple[list[Body], list[Gap]]:
    """All rows of an estate, each once, subnets inside their networks, and all gaps."""
    flat: list[Thing] = []
    for thing in things:
        for one in [thing] if isinstance(thing, Thing) else thing:
            flat.extend(one.everything())
    found: dict[str, Body] = {}
    special: list[Body] = []
    gaps: dict[Gap, None] = {}
    subnets: dict[str, SubnetThing] = {}
    for thing in flat:
        gaps.update(dict.fromkeys(thing.gaps))
        if isinstance(thing, SubnetThing):
            subnets.setdefault(thing.id.casefold(), thing)
        for row in thing.rows:
            if row["type"].startswith("auditor/"):
                if row not in special:
                    special.append(row)
            else:
                found.setdefault(row["id"].casefold(), row)
    hidden = {gap.scope.casefold() for gap in gaps}
    for one in subnets.values():
        network_id = one.id.rsplit("/subnets/", 1)[0]
        if network_id.casefold() in hidden:
            continue
        if network_id.casefold() not in found:
            group, name = network_id.split("/")[4], network_id.rsplit("/", 1)[-1]
            made = vnet(name, group=group, region=one.region, sub=network_id.split("/")[2])
            found[network_id.casefold()] = made.rows[0]
        network = found[network_id.casefold()]
        network = found[network_id.casefold()] = {**network, "properties": dict(network["properties"])}
        inside = list(network["properties"].get("subnets", []))
        if not any(s["id"].casefold() == one.id.casefold() for s in inside):
            inside.append({"id": one.id, "name": one.id.rsplit("/", 1)[-1], "properties": one.body})
        network["properties"]["subnets"] = inside
    return [*found.values(), *special], list(gaps)


def inventory(
    *things: Thing | Iterable[Thing],
    configured: Configured | None = None,
    cloud: str = "public",
    scopes: Sequence[str] = (f"/subscriptions/{SUB}",),
    now: datetime = NOW,
) -> Inventory:
    """The inventory of an estate: everything in the subscription `SUB` was read but for its gaps."""
    bodies, gaps = rows(*things)
    builder = Builder(configured=configured or Configured())
    builder.header = Header(now, cloud, TENANT, tuple(scopes), tuple(gaps))
    for number, row in enumerate(bodies, 1):
        builder.add(json.dumps(row).encode(), "estate", number)
    assert not builder.broken, builder.broken
    return builder.build(now=now)


@cache
def catalogue() -> Catalogue:
    """The built-in checks."""
    return load_catalogue()


def terms(cloud: str = "public") -> Terms:
    """English, and a cloud's own links."""
    return Terms(PROFILES[cloud], translator(Language.ENGLISH), {})


def judge(check_id: str, estate: Inventory) -> list[Finding]:
    """What one check finds in an inventory."""
    chosen = catalogue().select([check_id], [])
    return list(evaluate(estate, chosen, terms(estate.cloud)))


def audit(check_id: str, *things: Thing | Iterable[Thing], **more: Any) -> list[Finding]:
    """What one check finds in an estate."""
    return judge(check_id, inventory(*things, **more))


def outcomes(found: Iterable[Finding]) -> list[tuple[str, str]]:
    """(outcome, reason) of each finding, sorted."""
    return sorted((str(finding.outcome), finding.reason) for finding in found)
