"""A small estate in the replica's format: what a collection follows, and what it must not read.

`BYSTANDERS` are resources next to the estate that nothing of it refers to: reading one of them means listing too much.
"""

from __future__ import annotations

import copy
from typing import Any

Body = dict[str, Any]

TENANT = "11111111-0000-4000-8000-000000000001"
ML, HUB, LAB = (f"22222222-0000-4000-8000-00000000000{n}" for n in (1, 2, 3))
APP, APP_OBJECT, SECRET = (
    "33333333-0000-4000-8000-000000000001",
    "33333333-0000-4000-8000-0000000000a1",
    "not-a-secret",
)
CONTROL_PLANE = "44444444-0000-4000-8000-000000000001"
KUBELET = "44444444-0000-4000-8000-000000000002"
OLD_APP, OLD_OBJECT = "44444444-0000-4000-8000-000000000003", "44444444-0000-4000-8000-000000000004"
ASSIGNED = "44444444-0000-4000-8000-000000000005"
GROUP = "55555555-0000-4000-8000-000000000001"
NETWORK_CONTRIBUTOR = "4d97b98b-1d4f-4787-a291-c67834d212e7"
CUSTOM_ROLE = "66666666-0000-4000-8000-000000000001"

REGION = "chinaeast2"


def rid(subscription: str, group: str, kind: str, *names: str) -> str:
    """The id of a resource: `rid(ML, "net", "Microsoft.Network/virtualNetworks/subnets", "v", "s")`."""
    namespace, *types = kind.split("/")
    tail = "/".join(f"{one}/{name}" for one, name in zip(types, names, strict=True))
    return f"/subscriptions/{subscription}/resourceGroups/{group}/providers/{namespace}/{tail}"


def resource(resource_id: str, properties: Body | None = None, **more: Any) -> Body:
    """A resource's body from its id."""
    parts = resource_id.strip("/").split("/")
    at = len(parts) - 1 - [part.lower() for part in parts][::-1].index("providers")
    kind = "/".join([parts[at + 1], *parts[at + 2 :: 2]])
    body = {"id": resource_id, "name": parts[-1], "type": kind, "properties": properties or {}, **more}
    if not kind.lower().startswith("microsoft.authorization"):
        body.setdefault("location", REGION)
    return body


NET = "Microsoft.Network"
VNET = rid(ML, "net", f"{NET}/virtualNetworks", "ml-vnet")
NODES, ACI, ENDPOINTS = (f"{VNET}/subnets/{name}" for name in ("nodes", "aci", "endpoints"))
HUB_VNET = rid(HUB, "hub", f"{NET}/virtualNetworks", "hub-vnet")
FIREWALL = rid(HUB, "hub", f"{NET}/azureFirewalls", "fw")
FIREWALL_IP = rid(HUB, "hub", f"{NET}/publicIPAddresses", "fw-ip")
NSG = rid(ML, "net", f"{NET}/networkSecurityGroups", "nodes-nsg")
ROUTES = rid(ML, "net", f"{NET}/routeTables", "nodes-rt")
CLUSTER = rid(ML, "ml", "Microsoft.ContainerService/managedClusters", "score")
OLD_CLUSTER = rid(ML, "ml", "Microsoft.ContainerService/managedClusters", "old")
NODE_GROUP = "MC_ml_score"
BALANCER = rid(ML, NODE_GROUP, f"{NET}/loadBalancers", "kubernetes")
BALANCER_IP = rid(ML, NODE_GROUP, f"{NET}/publicIPAddresses", "egress")
NODE_NSG = rid(ML, NODE_GROUP, f"{NET}/networkSecurityGroups", "aks-agentpool-1-nsg")
IDENTITY = rid(ML, "ml", "Microsoft.ManagedIdentity/userAssignedIdentities", "old-id")
WORKSPACE = rid(ML, "ml", "Microsoft.MachineLearningServices/workspaces", "ws")
COMPUTE = f"{WORKSPACE}/computes/score"
COMPUTE_V1 = f"{WORKSPACE}/computes/old"
EXTENSION = f"{CLUSTER}/providers/Microsoft.KubernetesConfiguration/extensions/azureml"
REGISTRY = rid(ML, "ml", "Microsoft.ContainerRegistry/registries", "mlregistry")
REPLICATION = f"{REGISTRY}/replications/chinanorth2"
STORAGE = rid(ML, "ml", "Microsoft.Storage/storageAccounts", "mlstorage")
VAULT = rid(ML, "ml", "Microsoft.KeyVault/vaults", "mlvault")
ENDPOINT = rid(ML, "net", f"{NET}/privateEndpoints", "registry-pe")
ENDPOINT_NIC = rid(ML, "net", f"{NET}/networkInterfaces", "registry-pe-nic")
ZONE = rid(HUB, "dns", f"{NET}/privateDnsZones", "privatelink.azurecr.cn")
ZONE_LINK = f"{ZONE}/virtualNetworkLinks/ml"
RECORD = f"{ZONE}/A/mlregistry"
DATA_RECORD = f"{ZONE}/A/mlregistry.chinaeast2.data"
CONTAINERS = rid(ML, "ml", "Microsoft.ContainerInstance/containerGroups", "aci-score")
GRANT = f"{VNET.rsplit('/providers/', 1)[0]}/providers/Microsoft.Authorization/roleAssignments/a1"
GROUP_GRANT = (
    "/providers/Microsoft.Management/managementGroups/platform/providers/Microsoft.Authorization/roleAssignments/a2"
)
SUBNET_GRANT = f"{NODES}/providers/Microsoft.Authorization/roleAssignments/a3"
DENIAL = f"/subscriptions/{ML}/providers/Microsoft.Authorization/denyAssignments/d1"

FOREIGN_NSG = rid(ML, "other", f"{NET}/networkSecurityGroups", "web-nsg")
FOREIGN_VNET = rid(ML, "other", f"{NET}/virtualNetworks", "web-vnet")
SPOKE_VNET = rid(HUB, "spoke", f"{NET}/virtualNetworks", "spoke-vnet")
FOREIGN_RECORD = f"{ZONE}/A/websites"
FOREIGN_GRANT = f"/subscriptions/{ML}/providers/Microsoft.Authorization/roleAssignments/a9"
BYSTANDERS = (FOREIGN_NSG, FOREIGN_VNET, SPOKE_VNET, FOREIGN_RECORD)


def _role(guid: str, name: str, kind: str, actions: list[str], scopes: list[str]) -> Body:
    properties = {
        "roleName": name,
        "type": kind,
        "assignableScopes": scopes,
        "permissions": [{"actions": actions, "notActions": [], "dataActions": [], "notDataActions": []}],
    }
    return {
        "id": f"/providers/Microsoft.Authorization/roleDefinitions/{guid}",
        "name": guid,
        "type": "Microsoft.Authorization/roleDefinitions",
        "properties": properties,
    }


def _assignment(assignment: str, role: str, principal: str, kind: str) -> Body:
    scope = assignment.split("/providers/Microsoft.Authorization/")[0] or "/"
    properties = {
        "roleDefinitionId": f"/subscriptions/{ML}/providers/Microsoft.Authorization/roleDefinitions/{role}",
        "principalId": principal,
        "principalType": kind,
        "scope": scope,
        "condition": None,
    }
    return resource(assignment, properties)


def _network() -> list[Body]:
    subnets = [
        {
            "id": NODES,
            "name": "nodes",
            "properties": {
                "addressPrefix": "10.0.0.0/22",
                "networkSecurityGroup": {"id": NSG},
                "routeTable": {"id": ROUTES},
            },
        },
        {
            "id": ACI,
            "name": "aci",
            "properties": {
                "addressPrefix": "10.0.8.0/24",
                "delegations": [
                    {"name": "d", "properties": {"serviceName": "Microsoft.ContainerInstance/containerGroups"}}
                ],
            },
        },
        {"id": ENDPOINTS, "name": "endpoints", "properties": {"addressPrefix": "10.0.9.0/24"}},
    ]
    peering = {
        "id": f"{VNET}/virtualNetworkPeerings/hub",
        "name": "hub",
        "properties": {"peeringState": "Connected", "remoteVirtualNetwork": {"id": HUB_VNET}},
    }
    spoke_peering = {
        "id": f"{HUB_VNET}/virtualNetworkPeerings/spoke",
        "name": "spoke",
        "properties": {"peeringState": "Connected", "remoteVirtualNetwork": {"id": SPOKE_VNET}},
    }
    firewall_subnet = {
        "id": f"{HUB_VNET}/subnets/AzureFirewallSubnet",
        "name": "AzureFirewallSubnet",
        "properties": {
            "addressPrefix": "10.100.0.0/26",
        },
    }
    space = {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}}
    route = {
        "id": f"{ROUTES}/routes/default",
        "name": "default",
        "properties": {
            "addressPrefix": "0.0.0.0/0",
            "nextHopType": "VirtualAppliance",
            "nextHopIpAddress": "10.100.0.4",
        },
    }
    fronted = {
        "name": "c",
        "properties": {
            "privateIPAddress": "10.100.0.4",
            "publicIPAddress": {"id": FIREWALL_IP},
            "subnet": {"id": f"{HUB_VNET}/subnets/AzureFirewallSubnet"},
        },
    }
    return [
        resource(VNET, {**space, "subnets": subnets, "virtualNetworkPeerings": [peering]}),
        resource(HUB_VNET, {**space, "subnets": [firewall_subnet], "virtualNetworkPeerings": [spoke_peering]}),
        resource(SPOKE_VNET, space),
        resource(FOREIGN_VNET, space),
        resource(NSG, {"securityRules": []}),
        resource(FOREIGN_NSG, {"securityRules": []}),
        resource(ROUTES, {"routes": [route]}),
        resource(FIREWALL, {"ipConfigurations": [fronted]}),
        resource(FIREWALL_IP, {"ipAddress": "203.0.113.9"}),
    ]


def _clusters() -> list[Body]:
    profile = {
        "agentPoolProfiles": [{"name": "pool", "vnetSubnetID": NODES.replace("resourceGroups", "resourcegroups")}],
        "networkProfile": {"serviceCidr": "172.16.0.0/16"},
        "identityProfile": {"kubeletidentity": {"objectId": KUBELET}},
    }
    front = {
        "id": f"{BALANCER}/frontendIPConfigurations/f",
        "name": "f",
        "properties": {"publicIPAddress": {"id": BALANCER_IP}},
    }
    return [
        resource(
            CLUSTER,
            {**profile, "nodeResourceGroup": NODE_GROUP},
            identity={"type": "SystemAssigned", "principalId": CONTROL_PLANE},
        ),
        resource(
            OLD_CLUSTER,
            {**profile, "servicePrincipalProfile": {"clientId": OLD_APP}, "nodeResourceGroup": "MC_ml_old"},
            identity={"type": "UserAssigned", "userAssignedIdentities": {IDENTITY: {}}},
        ),
        resource(IDENTITY, {"principalId": ASSIGNED, "clientId": "44444444-0000-4000-8000-0000000000ff"}),
        resource(BALANCER, {"frontendIPConfigurations": [front], "loadBalancingRules": []}),
        resource(BALANCER_IP, {"ipAddress": "203.0.113.7"}),
        resource(NODE_NSG, {"securityRules": []}),
        resource(
            EXTENSION,
            {
                "extensionType": "Microsoft.AzureML.Kubernetes",
                "configurationSettings": {"inferenceRouterServiceType": "LoadBalancer"},
                "configurationProtectedSettings": {"sslKeyPemFile": "hidden"},
            },
        ),
    ]


def _workspace() -> list[Body]:
    connected = [
        {"id": f"{REGISTRY}/privateEndpointConnections/c", "properties": {"privateEndpoint": {"id": ENDPOINT}}}
    ]
    connection = {"name": "c", "properties": {"privateLinkServiceId": REGISTRY, "groupIds": ["registry"]}}
    v1 = {"loadBalancerType": "InternalLoadBalancer", "loadBalancerSubnet": "nodes"}
    return [
        resource(WORKSPACE, {"storageAccount": STORAGE, "keyVault": VAULT, "containerRegistry": REGISTRY}),
        resource(
            COMPUTE,
            {
                "computeType": "Kubernetes",
                "resourceId": CLUSTER,
                "properties": {"namespace": "ml", "relayConnectionString": "Endpoint=sb://hidden"},
            },
        ),
        resource(COMPUTE_V1, {"computeType": "AKS", "resourceId": OLD_CLUSTER, "properties": v1}),
        resource(REGISTRY, {"privateEndpointConnections": connected}, sku={"name": "Premium"}),
        resource(REPLICATION, {}, location="chinanorth2"),
        resource(STORAGE, {"publicNetworkAccess": "Enabled"}),
        resource(VAULT, {"publicNetworkAccess": "Enabled"}),
        resource(
            ENDPOINT,
            {
                "subnet": {"id": ENDPOINTS},
                "privateLinkServiceConnections": [connection],
                "networkInterfaces": [{"id": ENDPOINT_NIC}],
            },
        ),
        resource(ENDPOINT_NIC, {"ipConfigurations": []}),
        resource(ZONE, {}, location="global"),
        resource(ZONE_LINK, {"virtualNetwork": {"id": VNET}}, location="global"),
        resource(RECORD, {"aRecords": [{"ipv4Address": "10.0.9.5"}]}),
        resource(DATA_RECORD, {"aRecords": [{"ipv4Address": "10.0.9.4"}]}),
        resource(FOREIGN_RECORD, {"aRecords": [{"ipv4Address": "10.7.9.4"}]}),
        resource(
            CONTAINERS,
            {
                "subnetIds": [{"id": ACI}],
                "containers": [{"properties": {"environmentVariables": [{"name": "KEY", "value": "hidden"}]}}],
            },
        ),
    ]


def _rights() -> list[Body]:
    typo = ["Microsoft.Network/virtualNetworks/subnet/join/action"]
    return [
        _role(NETWORK_CONTRIBUTOR, "Network Contributor", "BuiltInRole", ["Microsoft.Network/*"], ["/"]),
        _role(CUSTOM_ROLE, "Joiner", "CustomRole", typo, [f"/subscriptions/{ML}"]),
        _assignment(GRANT, NETWORK_CONTRIBUTOR, CONTROL_PLANE, "ServicePrincipal"),
        _assignment(GROUP_GRANT, NETWORK_CONTRIBUTOR, GROUP, "Group"),
        _assignment(SUBNET_GRANT, NETWORK_CONTRIBUTOR, ASSIGNED, "ServicePrincipal"),
        _assignment(FOREIGN_GRANT, CUSTOM_ROLE, "77777777-0000-4000-8000-000000000001", "User"),
        resource(
            DENIAL,
            {"denyAssignmentName": "d", "scope": f"/subscriptions/{ML}", "permissions": [], "principals": []},
        ),
    ]


def estate(**changes: Any) -> Body:
    """The estate; keys given replace its own."""
    everything = {
        "version": 1,
        "cloud": "china",
        "tenant": {"id": TENANT, "name": "contoso"},
        "managementGroups": [
            {"id": "platform", "displayName": "Platform", "parent": None},
            {"id": "ml", "displayName": "ML", "parent": "platform"},
        ],
        "subscriptions": [
            {"id": ML, "name": "ml", "managementGroup": "ml"},
            {"id": HUB, "name": "hub", "managementGroup": "platform"},
            {"id": LAB, "name": "lab", "managementGroup": "ml"},
        ],
        "applications": [
            {
                "appId": APP,
                "objectId": APP_OBJECT,
                "secret": SECRET,
                "displayName": "auditor",
                "reads": ["/providers/Microsoft.Management/managementGroups/platform"],
                "graph": True,
            }
        ],
        "servicePrincipals": [
            {"appId": OLD_APP, "objectId": OLD_OBJECT, "displayName": "old-sp"},
            {"appId": "44444444-0000-4000-8000-0000000000f1", "objectId": CONTROL_PLANE, "displayName": "score"},
            {"appId": "44444444-0000-4000-8000-0000000000f2", "objectId": KUBELET, "displayName": "score-agentpool"},
            {"appId": "44444444-0000-4000-8000-0000000000ff", "objectId": ASSIGNED, "displayName": "old-id"},
        ],
        "groups": [{"id": GROUP, "displayName": "net", "members": [OLD_OBJECT]}],
        "serviceTags": {
            "changeNumber": "7",
            "cloud": "AzureChinaCloud",
            "values": [
                {
                    "name": "AzureContainerRegistry.ChinaEast2",
                    "id": "AzureContainerRegistry.ChinaEast2",
                    "properties": {"addressPrefixes": ["203.0.113.0/24"]},
                }
            ],
        },
        "resources": [*_network(), *_clusters(), *_workspace(), *_rights()],
        **changes,
    }
    return copy.deepcopy(everything)
