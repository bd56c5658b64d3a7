"""A small estate for the replica's own tests: one tenant, three subscriptions, a bit of all that is asked for."""

from collections.abc import Mapping
from typing import Any

TENANT = "7a1b0000-0000-4000-8000-000000000001"
PROD, TEST, SANDBOX = (f"5b000000-0000-4000-8000-00000000000{n}" for n in (1, 2, 3))
SCANNER, SCANNER_OBJECT = "a9900000-0000-4000-8000-000000000001", "0b300000-0000-4000-8000-000000000001"
NARROW, NARROW_OBJECT = "a9900000-0000-4000-8000-000000000002", "0b300000-0000-4000-8000-000000000002"
CLUSTER_OBJECT, KUBELET_OBJECT = "0b300000-0000-4000-8000-000000000003", "0b300000-0000-4000-8000-000000000004"
SERVICE_APP, SERVICE_OBJECT = "a9900000-0000-4000-8000-000000000005", "0b300000-0000-4000-8000-000000000005"
TEAM, COMPANY = "6a000000-0000-4000-8000-000000000001", "6a000000-0000-4000-8000-000000000002"

ROOT_GROUP = "/providers/Microsoft.Management/managementGroups/contoso"
NET = f"/subscriptions/{PROD}/resourceGroups/Net-RG"
VNET = f"{NET}/providers/Microsoft.Network/virtualNetworks/hub"
SUBNET = f"{VNET}/subnets/nodes"
NSG = f"{NET}/providers/Microsoft.Network/networkSecurityGroups/nodes-nsg"
ML = f"/subscriptions/{PROD}/resourceGroups/ml"
CLUSTER = f"{ML}/providers/Microsoft.ContainerService/managedClusters/score"
WORKSPACE = f"{ML}/providers/Microsoft.MachineLearningServices/workspaces/lab"
ZONE = f"{NET}/providers/Microsoft.Network/privateDnsZones/privatelink.azurecr.io"
READER = "/providers/Microsoft.Authorization/roleDefinitions/acdd72a7-3385-48ef-bd42-f606fba81ae7"
CUSTOM = f"/subscriptions/{PROD}/providers/Microsoft.Authorization/roleDefinitions/c0570000-0000-4000-8000-000000000001"


def resource(key: str, of_type: str, **more: Any) -> dict[str, Any]:
    dull = {"id": key, "type": of_type, "name": key.rsplit("/", 1)[1], "location": "eastus2"}
    return dull | more


def assignment(scope: str, name: str, principal: str, role: str = READER) -> dict[str, Any]:
    identity = f"{scope.rstrip('/')}/providers/Microsoft.Authorization/roleAssignments/{name}"
    properties = {"roleDefinitionId": role, "principalId": principal, "scope": scope, "principalType": "Group"}
    return {"id": identity, "type": "Microsoft.Authorization/roleAssignments", "name": name, "properties": properties}


def document(**changes: Any) -> dict[str, Any]:
    """The estate as its file would say it; `changes` replace whole keys."""
    return {
        "version": 1,
        "cloud": "public",
        "clock": "2026-11-24T02:00:00Z",
        "tenant": {"id": TENANT, "name": "Contoso"},
        "managementGroups": [
            {"id": "contoso", "displayName": "Contoso", "parent": None},
            {"id": "landing", "displayName": "Landing zones", "parent": "contoso"},
        ],
        "subscriptions": [
            {"id": PROD, "name": "ML production", "managementGroup": "landing"},
            {"id": TEST, "name": "ML test", "managementGroup": "landing"},
            {"id": SANDBOX, "name": "Sandbox", "managementGroup": "contoso"},
        ],
        "applications": [
            {
                "appId": SCANNER,
                "objectId": SCANNER_OBJECT,
                "secret": "open sesame",
                "displayName": "auditor",
                "reads": [ROOT_GROUP],
                "graph": True,
            },
            {
                "appId": NARROW,
                "objectId": NARROW_OBJECT,
                "secret": "narrow",
                "displayName": "narrow",
                "reads": [NET],
                "graph": False,
            },
        ],
        "servicePrincipals": [{"appId": SERVICE_APP, "objectId": SERVICE_OBJECT, "displayName": "old cluster"}],
        "groups": [
            {"id": TEAM, "displayName": "Scoring team", "members": [CLUSTER_OBJECT, SERVICE_OBJECT]},
            {"id": COMPANY, "displayName": "Everybody", "members": [TEAM, SCANNER_OBJECT]},
        ],
        "serviceTags": {
            "changeNumber": "42",
            "cloud": "Public",
            "values": [
                {
                    "name": "AzureContainerRegistry.EastUS2",
                    "id": "AzureContainerRegistry.EastUS2",
                    "properties": {"region": "eastus2", "addressPrefixes": ["20.44.19.64/26"]},
                }
            ],
        },
        "resources": resources(),
        "activity": [
            {
                "id": f"{NSG}/events/1",
                "resourceId": NSG,
                "eventTimestamp": "2026-11-23T22:10:00Z",
                "caller": "ada@contoso.example",
                "operationName": {"value": "Microsoft.Network/networkSecurityGroups/write"},
            },
            {
                "id": f"{NSG}/events/0",
                "resourceId": NSG,
                "eventTimestamp": "2026-11-01T08:00:00Z",
                "caller": "ada@contoso.example",
            },
        ],
        "changes": [
            {
                "id": f"{NSG}/providers/Microsoft.Resources/changes/1",
                "type": "Microsoft.Resources/changes",
                "name": "1",
                "properties": {
                    "targetResourceId": NSG,
                    "targetResourceType": "microsoft.network/networksecuritygroups",
                    "changeAttributes": {"timestamp": "2026-11-23T22:10:00Z", "changedBy": "ada@contoso.example"},
                },
            }
        ],
        **changes,
    }


def resources() -> list[dict[str, Any]]:
    return [
        resource(
            VNET,
            "Microsoft.Network/virtualNetworks",
            properties={
                "addressSpace": {"addressPrefixes": ["10.0.0.0/16"]},
                "subnets": [
                    {
                        "id": SUBNET,
                        "name": "nodes",
                        "properties": {"addressPrefix": "10.0.0.0/22", "networkSecurityGroup": {"id": NSG}},
                    }
                ],
            },
            tags={"owner": "network"},
        ),
        resource(
            NSG,
            "Microsoft.Network/networkSecurityGroups",
            properties={
                "securityRules": [
                    {
                        "id": f"{NSG}/securityRules/allow-acr",
                        "name": "allow-acr",
                        "properties": {"priority": 100, "access": "Allow", "direction": "Outbound"},
                    }
                ]
            },
        ),
        resource(
            CLUSTER,
            "Microsoft.ContainerService/managedClusters",
            identity={"type": "SystemAssigned", "principalId": CLUSTER_OBJECT},
            properties={
                "agentPoolProfiles": [{"name": "pool1", "count": 3, "vnetSubnetID": SUBNET}],
                "kind": "inner",
            },
            sku={"name": "Base", "tier": "Standard"},
        ),
        resource(
            f"{ML}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/kubelet",
            "Microsoft.ManagedIdentity/userAssignedIdentities",
            properties={"principalId": KUBELET_OBJECT, "clientId": "a9900000-0000-4000-8000-000000000004"},
        ),
        resource(WORKSPACE, "Microsoft.MachineLearningServices/workspaces", kind="Default", properties={}),
        resource(
            f"{WORKSPACE}/computes/aks",
            "Microsoft.MachineLearningServices/workspaces/computes",
            properties={"computeType": "Kubernetes", "resourceId": CLUSTER},
        ),
        resource(
            f"{WORKSPACE}/onlineEndpoints/credit",
            "Microsoft.MachineLearningServices/workspaces/onlineEndpoints",
            properties={"scoringUri": "https://credit.example/score"},
        ),
        resource(
            f"{CLUSTER}/providers/Microsoft.KubernetesConfiguration/extensions/azureml",
            "Microsoft.KubernetesConfiguration/extensions",
            properties={"extensionType": "Microsoft.AzureML.Kubernetes"},
        ),
        resource(ZONE, "Microsoft.Network/privateDnsZones", location="global", properties={}),
        resource(
            f"{ZONE}/virtualNetworkLinks/hub",
            "Microsoft.Network/privateDnsZones/virtualNetworkLinks",
            location="global",
            properties={"virtualNetwork": {"id": VNET}},
        ),
        resource(
            f"{ZONE}/A/contoso",
            "Microsoft.Network/privateDnsZones/A",
            properties={"aRecords": [{"ipv4Address": "10.0.4.7"}]},
        ),
        resource(
            f"/subscriptions/{TEST}/resourceGroups/net/providers/Microsoft.Network/routeTables/out",
            "Microsoft.Network/routeTables",
            properties={"routes": []},
        ),
        resource(
            READER,
            "Microsoft.Authorization/roleDefinitions",
            properties={"roleName": "Reader", "type": "BuiltInRole", "assignableScopes": ["/"]},
        ),
        resource(
            CUSTOM,
            "Microsoft.Authorization/roleDefinitions",
            properties={
                "roleName": "Subnet joiner",
                "type": "CustomRole",
                "assignableScopes": [f"/subscriptions/{PROD}"],
            },
        ),
        assignment("/", "at-root", COMPANY),
        assignment(ROOT_GROUP, "at-group", TEAM),
        assignment(f"/subscriptions/{PROD}", "at-subscription", CLUSTER_OBJECT),
        assignment(NET, "at-net", KUBELET_OBJECT),
        assignment(SUBNET, "at-subnet", CLUSTER_OBJECT, CUSTOM),
        assignment(f"/subscriptions/{TEST}", "elsewhere", CLUSTER_OBJECT),
        {
            "id": f"{ML}/providers/Microsoft.Authorization/denyAssignments/locked",
            "type": "Microsoft.Authorization/denyAssignments",
            "name": "locked",
            "properties": {"scope": ML, "principals": [{"id": TEAM, "type": "Group"}], "permissions": []},
        },
        {
            "id": f"{NET}/providers/Microsoft.Authorization/roleEligibilityScheduleInstances/soon",
            "type": "Microsoft.Authorization/roleEligibilityScheduleInstances",
            "name": "soon",
            "properties": {"scope": NET, "principalId": CLUSTER_OBJECT, "roleDefinitionId": READER},
        },
    ]


def route_tables(count: int, subscription: str = TEST) -> list[Mapping[str, Any]]:
    """Many dull rows, for paging."""
    group = f"/subscriptions/{subscription}/resourceGroups/many"
    return [
        resource(
            f"{group}/providers/Microsoft.Network/routeTables/rt{at:05}",
            "Microsoft.Network/routeTables",
            properties={"routes": []},
        )
        for at in range(count)
    ]
