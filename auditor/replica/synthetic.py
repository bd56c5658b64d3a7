"""A made-up tenant of any size: the same seed gives the same estate, byte for byte.

Large tenants look alike in one thing: inference lives in few of many subscriptions. So it is here. The number of
clusters alone says how many subscriptions hold inference (one for each four clusters); every further subscription holds
networks, security groups, machines, storage and role assignments that no scan of inference has a reason to read.
"""

from __future__ import annotations

import random
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field

from auditor.errors import UsageProblem
from auditor.replica.estate import Body, Estate, from_document

CLUSTERS_A_SUBSCRIPTION = 4
"""Clusters that share one subscription, its network, its workspace and its registry."""
BYSTANDERS = 4
"""Resources in each subscription without inference."""
MOST_SUBSCRIPTIONS = 65_025
"""So many networks get an address space of their own; the largest tenants are smaller."""

ROOT = "synthetic"
"""The top management group, which the application below reads."""
SECRET = "open sesame"  # noqa: S105 - opens nothing but the replica
REGION = "eastus2"
_CLOCK = "2026-11-24T02:00:00Z"
_NETWORK_CONTRIBUTOR = "4d97b98b-1d4f-4787-a291-c67834d212e7"
_ACR_PULL = "7f951dda-4ed3-4680-a7ca-43fe172d538d"
_READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
_SHAPE = re.compile(r"(\d{1,7}):(\d{1,7})")


@dataclass(frozen=True, slots=True)
class Shape:
    """How large a made-up tenant is."""

    subscriptions: int
    clusters: int

    @classmethod
    def parse(cls, text: str) -> Shape:
        """`200:5` is 200 subscriptions and 5 clusters; UsageProblem for anything else."""
        found = _SHAPE.fullmatch(text.strip())
        hint = "say SUBSCRIPTIONS:CLUSTERS, for instance 200:5"
        if found is None:
            raise UsageProblem(f"not a size of an estate: {text!r}", hint=hint)
        shape = cls(int(found[1]), int(found[2]))
        if not 2 <= shape.subscriptions <= MOST_SUBSCRIPTIONS:
            raise UsageProblem(
                f"{shape.subscriptions} subscriptions: between 2 (one is the hub) and {MOST_SUBSCRIPTIONS} can be made",
                hint=hint,
            )
        return shape

    @property
    def inference_subscriptions(self) -> int:
        """Subscriptions that hold inference: as many as the clusters need, besides the hub's."""
        return min(self.subscriptions - 1, -(-self.clusters // CLUSTERS_A_SUBSCRIPTION))


def made(shape: Shape, seed: int = 0) -> Estate:
    """The estate of this size and seed, for the public cloud."""
    return from_document(document(shape, seed), source=f"the made-up tenant {shape.subscriptions}:{shape.clusters}")


def document(shape: Shape, seed: int = 0) -> Body:
    """The same as an estate file's content; `docs/replica.md` describes the format."""
    return _Maker(shape, random.Random(seed)).document()  # noqa: S311 - repeatable, and no secret


def bodies(shape: Shape, seed: int = 0) -> Iterator[Body]:
    """The resources of the estate alone, one after the other: for files that are larger than memory."""
    return _Maker(shape, random.Random(seed)).resources()  # noqa: S311


@dataclass
class _Maker:
    shape: Shape
    rng: random.Random
    names: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.tenant, self.app, self.app_object = self._guid(), self._guid(), self._guid()
        self.names = [self._guid() for _ in range(self.shape.subscriptions)]
        # Which of the subscriptions hold inference is drawn, so that nothing can rely on them coming first.
        order = self.rng.sample(self.names, len(self.names))
        self.hub, holding = order[0], order[1 : 1 + self.shape.inference_subscriptions]
        self.holding: dict[str, list[int]] = {name: [] for name in holding}
        for number in range(self.shape.clusters):
            self.holding[holding[number % len(holding)]].append(number)

    def document(self) -> Body:
        groups = [f"team-{number:03}" for number in range(max(1, self.shape.subscriptions // 50))]
        return {
            "version": 1,
            "cloud": "public",
            "clock": _CLOCK,
            "tenant": {"id": self.tenant, "name": "Synthetic"},
            "managementGroups": [
                {"id": ROOT, "displayName": "Synthetic", "parent": None},
                *({"id": name, "displayName": name, "parent": ROOT} for name in groups),
            ],
            "subscriptions": [
                {"id": name, "name": f"subscription {at:05}", "managementGroup": groups[at % len(groups)]}
                for at, name in enumerate(self.names)
            ],
            "applications": [
                {
                    "appId": self.app,
                    "objectId": self.app_object,
                    "secret": SECRET,
                    "displayName": "auditor",
                    "reads": [f"/providers/Microsoft.Management/managementGroups/{ROOT}"],
                    "graph": True,
                }
            ],
            "serviceTags": _service_tags(),
            "resources": list(self.resources()),
        }

    def resources(self) -> Iterator[Body]:
        yield from _roles()
        yield from self._hub()
        for at, name in enumerate(self.names):
            if name in self.holding:
                yield from self._inference(at, name, self.holding[name])
            elif name != self.hub:
                yield from self._bystanders(at, name)

    # ------------------------------------------------------------------ the parts of a tenant

    def _hub(self) -> Iterator[Body]:
        network = _id(self.hub, "hub", "Microsoft.Network/virtualNetworks", "hub")
        yield _body(
            network,
            {
                "addressSpace": {"addressPrefixes": ["192.168.0.0/16"]},
                "subnets": [_child(f"{network}/subnets/AzureFirewallSubnet", {"addressPrefix": "192.168.0.0/26"})],
                "virtualNetworkPeerings": [],
            },
        )
        address = _id(self.hub, "hub", "Microsoft.Network/publicIPAddresses", "firewall")
        yield _body(address, {"ipAddress": "203.0.113.4", "publicIPAllocationMethod": "Static"})
        front = {
            "privateIPAddress": "192.168.0.4",
            "publicIPAddress": {"id": address},
            "subnet": {"id": f"{network}/subnets/AzureFirewallSubnet"},
        }
        firewall = _id(self.hub, "hub", "Microsoft.Network/azureFirewalls", "firewall")
        yield _body(firewall, {"ipConfigurations": [{"name": "front", "properties": front}]})
        yield _body(self._zone(), {}, location="global")

    def _zone(self) -> str:
        return _id(self.hub, "dns", "Microsoft.Network/privateDnsZones", "privatelink.azurecr.io")

    def _inference(self, at: int, name: str, clusters: list[int]) -> Iterator[Body]:
        network = _id(name, "net", "Microsoft.Network/virtualNetworks", f"vnet-{at:05}")
        group = _id(name, "net", "Microsoft.Network/networkSecurityGroups", f"nsg-{at:05}")
        routes = _id(name, "net", "Microsoft.Network/routeTables", f"rt-{at:05}")
        by_firewall = self.rng.random() < 0.5
        yield _body(group, {"securityRules": list(self._rules(group)), "subnets": []})
        hop = {"nextHopType": "VirtualAppliance", "nextHopIpAddress": "192.168.0.4"} if by_firewall else None
        default = {"addressPrefix": "0.0.0.0/0", **(hop or {"nextHopType": "Internet"})}
        yield _body(routes, {"routes": [_child(f"{routes}/routes/default", default)]})
        space, subnets = _space(at), []
        for place, number in enumerate(clusters):
            # A space of /16 holds 64 subnets of /22; where more clusters share it, they share subnets too.
            prefix = f"{space}.{place % 64 * 4}.0/22"
            attached = {"networkSecurityGroup": {"id": group}, "routeTable": {"id": routes}}
            subnets.append(_child(f"{network}/subnets/nodes-{number:06}", {"addressPrefix": prefix, **attached}))
        peering = {
            "peeringState": "Connected",
            "remoteVirtualNetwork": {"id": _id(self.hub, "hub", "Microsoft.Network/virtualNetworks", "hub")},
            "allowVirtualNetworkAccess": True,
        }
        yield _body(
            network,
            {
                "addressSpace": {"addressPrefixes": [f"{space}.0.0/16"]},
                "subnets": subnets,
                "virtualNetworkPeerings": [_child(f"{network}/virtualNetworkPeerings/hub", peering)],
            },
        )
        link = f"{self._zone()}/virtualNetworkLinks/link-{at:05}"
        yield _body(link, {"virtualNetwork": {"id": network}, "registrationEnabled": False}, location="global")
        registry = _id(name, "ml", "Microsoft.ContainerRegistry/registries", f"registry{at:05}")
        yield _body(
            registry,
            {"loginServer": f"registry{at:05}.azurecr.io", "adminUserEnabled": False, "publicNetworkAccess": "Enabled"},
            sku={"name": "Premium", "tier": "Premium"},
        )
        yield from self._workspace(at, name, registry)
        for number in clusters:
            yield from self._cluster(name, number, f"{network}/subnets/nodes-{number:06}", registry, at, by_firewall)

    def _workspace(self, at: int, name: str, registry: str) -> Iterator[Body]:
        storage = _id(name, "ml", "Microsoft.Storage/storageAccounts", f"models{at:05}")
        vault = _id(name, "ml", "Microsoft.KeyVault/vaults", f"vault{at:05}")
        yield _body(storage, {"publicNetworkAccess": "Enabled", "networkAcls": {"defaultAction": "Allow"}})
        yield _body(vault, {"publicNetworkAccess": "Enabled", "enableRbacAuthorization": True})
        workspace = _id(name, "ml", "Microsoft.MachineLearningServices/workspaces", f"workspace-{at:05}")
        properties = {
            "storageAccount": storage,
            "keyVault": vault,
            "containerRegistry": registry,
            "publicNetworkAccess": "Enabled",
            "v1LegacyMode": False,
            "managedNetwork": {"isolationMode": "Disabled"},
        }
        yield _body(workspace, properties, identity={"type": "SystemAssigned", "principalId": self._guid()})

    def _cluster(
        self, name: str, number: int, subnet: str, registry: str, at: int, by_firewall: bool
    ) -> Iterator[Body]:
        cluster = _id(name, "ml", "Microsoft.ContainerService/managedClusters", f"score-{number:06}")
        node_group = f"MC_ml_score-{number:06}"
        identity = _id(name, "ml", "Microsoft.ManagedIdentity/userAssignedIdentities", f"score-{number:06}")
        control, client, kubelet = self._guid(), self._guid(), self._guid()
        private = self.rng.random() < 0.8
        pools = [
            {
                "name": pool,
                "mode": mode,
                "vnetSubnetID": subnet,
                "count": self.rng.randint(2, 5),
                "vmSize": "Standard_D8s_v5",
                "osType": "Linux",
                "type": "VirtualMachineScaleSets",
                "enableNodePublicIP": self.rng.random() < 0.02,
            }
            for pool, mode in (("system", "System"), ("score", "User"))
        ]
        yield _body(
            cluster,
            {
                "provisioningState": "Succeeded",
                "powerState": {"code": "Running"},
                "kubernetesVersion": "1.33.5",
                "agentPoolProfiles": pools,
                "nodeResourceGroup": node_group,
                "networkProfile": {
                    "networkPlugin": "azure",
                    "networkPluginMode": "overlay",
                    "loadBalancerSku": "standard",
                    "serviceCidr": "172.16.0.0/16",
                    "dnsServiceIP": "172.16.0.10",
                    "podCidr": "10.244.0.0/16" if at >> 8 else "100.64.0.0/16",
                    "outboundType": "userDefinedRouting" if by_firewall else "loadBalancer",
                },
                "apiServerAccessProfile": {"enablePrivateCluster": private},
                "identityProfile": {"kubeletidentity": {"objectId": kubelet, "clientId": self._guid()}},
            },
            identity={
                "type": "UserAssigned",
                "userAssignedIdentities": {identity: {"principalId": control, "clientId": client}},
            },
            sku={"name": "Base", "tier": "Standard"},
        )
        yield _body(identity, {"principalId": control, "clientId": client})
        yield from self._node_group(name, node_group)
        settings = {
            "enableInference": "True",
            "enableTraining": "False",
            "allowInsecureConnections": str(self.rng.random() < 0.1),
            "inferenceRouterHA": "True",
            "inferenceRouterServiceType": "LoadBalancer",
            "internalLoadBalancerProvider": "azure",
        }
        yield {
            "id": f"{cluster}/providers/Microsoft.KubernetesConfiguration/extensions/azureml",
            "type": "Microsoft.KubernetesConfiguration/extensions",
            "name": "azureml",
            "properties": {
                "extensionType": "Microsoft.AzureML.Kubernetes",
                "provisioningState": "Succeeded",
                "configurationSettings": settings,
            },
        }
        workspace = _id(name, "ml", "Microsoft.MachineLearningServices/workspaces", f"workspace-{at:05}")
        compute = {"computeType": "Kubernetes", "resourceId": cluster, "provisioningState": "Succeeded"}
        yield _body(f"{workspace}/computes/score-{number:06}", compute)
        if self.rng.random() < 0.9:
            yield self._grant(subnet, _NETWORK_CONTRIBUTOR, control)
        if self.rng.random() < 0.9:
            yield self._grant(registry, _ACR_PULL, kubelet)

    def _node_group(self, name: str, node_group: str) -> Iterator[Body]:
        address = _id(name, node_group, "Microsoft.Network/publicIPAddresses", "egress")
        yield _body(address, {"ipAddress": f"198.51.100.{self.rng.randrange(1, 255)}"})
        balancer = _id(name, node_group, "Microsoft.Network/loadBalancers", "kubernetes")
        front = {"publicIPAddress": {"id": address}, "privateIPAllocationMethod": "Dynamic"}
        frontends = [_child(f"{balancer}/frontendIPConfigurations/egress", front)]
        yield _body(
            balancer,
            {"frontendIPConfigurations": frontends, "loadBalancingRules": [], "outboundRules": []},
            sku={"name": "Standard"},
        )
        group = _id(name, node_group, "Microsoft.Network/networkSecurityGroups", "aks-agentpool-nsg")
        yield _body(group, {"securityRules": []})

    def _bystanders(self, at: int, name: str) -> Iterator[Body]:
        network = _id(name, "web", "Microsoft.Network/virtualNetworks", f"web-{at:05}")
        group = _id(name, "web", "Microsoft.Network/networkSecurityGroups", f"web-{at:05}")
        inside = {"addressPrefix": f"{_space(at)}.0.0/24", "networkSecurityGroup": {"id": group}}
        yield _body(
            network,
            {
                "addressSpace": {"addressPrefixes": [f"{_space(at)}.0.0/16"]},
                "subnets": [_child(f"{network}/subnets/web", inside)],
            },
        )
        yield _body(group, {"securityRules": list(self._rules(group))})
        kind = self.rng.choice(("Microsoft.Storage/storageAccounts", "Microsoft.Compute/virtualMachines"))
        yield _body(_id(name, "web", kind, f"web{at:05}"), {"provisioningState": "Succeeded"})
        yield self._grant(f"/subscriptions/{name}", _READER, self._guid())

    def _rules(self, group: str) -> Iterator[Body]:
        for number in range(self.rng.randint(1, 6)):
            outbound = self.rng.random() < 0.5
            yield _child(
                f"{group}/securityRules/rule-{number}",
                {
                    "priority": 100 + 10 * number,
                    "direction": "Outbound" if outbound else "Inbound",
                    "access": "Deny" if self.rng.random() < 0.2 else "Allow",
                    "protocol": self.rng.choice(("Tcp", "*")),
                    "sourceAddressPrefix": "*" if outbound else "VirtualNetwork",
                    "sourcePortRange": "*",
                    "destinationAddressPrefix": self.rng.choice(("VirtualNetwork", "Internet", "10.0.0.0/8")),
                    "destinationPortRange": self.rng.choice(("443", "80", "8443", "*")),
                },
            )

    def _grant(self, scope: str, role: str, principal: str) -> Body:
        name = self._guid()
        subscription = scope.split("/")[2]
        definition = f"/subscriptions/{subscription}/providers/Microsoft.Authorization/roleDefinitions/{role}"
        return {
            "id": f"{scope}/providers/Microsoft.Authorization/roleAssignments/{name}",
            "type": "Microsoft.Authorization/roleAssignments",
            "name": name,
            "properties": {
                "roleDefinitionId": definition,
                "principalId": principal,
                "principalType": "ServicePrincipal",
                "scope": scope,
            },
        }

    def _guid(self) -> str:
        return str(uuid.UUID(int=self.rng.getrandbits(128), version=4))


def _space(at: int) -> str:
    """The first two numbers of a subscription's /16; from the 200th on they repeat, as they do in real tenants."""
    return f"10.{at % 200}"


def _id(subscription: str, group: str, kind: str, name: str) -> str:
    return f"/subscriptions/{subscription}/resourceGroups/{group}/providers/{kind}/{name}"


def _body(resource_id: str, properties: Body, *, location: str = REGION, **more: Body) -> Body:
    after = resource_id.rsplit("/providers/", 1)[1].split("/")
    kind = "/".join([after[0], *after[1::2]])
    return {"id": resource_id, "type": kind, "name": after[-1], "location": location, "properties": properties, **more}


def _child(resource_id: str, properties: Body) -> Body:
    return {"id": resource_id, "name": resource_id.rsplit("/", 1)[1], "properties": properties}


def _roles() -> Iterator[Body]:
    """Three built-in roles, with the actions that matter here and that Microsoft lists for them."""
    for name, title, actions in (
        (_NETWORK_CONTRIBUTOR, "Network Contributor", ["Microsoft.Network/*", "Microsoft.Authorization/*/read"]),
        (_ACR_PULL, "AcrPull", ["Microsoft.ContainerRegistry/registries/pull/read"]),
        (_READER, "Reader", ["*/read"]),
    ):
        allowed = {"actions": actions, "notActions": [], "dataActions": [], "notDataActions": []}
        yield {
            "id": f"/providers/Microsoft.Authorization/roleDefinitions/{name}",
            "type": "Microsoft.Authorization/roleDefinitions",
            "name": name,
            "properties": {
                "roleName": title,
                "type": "BuiltInRole",
                "assignableScopes": ["/"],
                "permissions": [allowed],
            },
        }


def _service_tags() -> Body:
    """Tags with documentation addresses: enough for a decision to be made over them."""
    prefixes = {
        "AzureCloud": ["203.0.113.0/24", "198.51.100.0/24"],
        "AzureActiveDirectory": ["203.0.113.32/28"],
        "AzureMachineLearning": ["203.0.113.48/28"],
        "AzureContainerRegistry": ["203.0.113.64/28"],
        "MicrosoftContainerRegistry": ["203.0.113.80/28"],
        "AzureFrontDoor.FirstParty": ["203.0.113.96/28"],
        "Storage": ["203.0.113.128/26"],
    }
    return {
        "changeNumber": "1",
        "cloud": "Public",
        "values": [
            {
                "id": name,
                "name": name,
                "properties": {"changeNumber": "1", "region": "", "systemService": name, "addressPrefixes": found},
            }
            for name, found in prefixes.items()
        ],
    }
