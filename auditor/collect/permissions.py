"""The least-privilege role that a scan needs: the read operations of what is collected, and nothing that reveals a key.

The list is written out, not `*/read`: whoever grants it sees what for. A test holds it against the types that the
inventory decodes, so that a type that is newly read cannot be forgotten here. Reader covers all of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

ROLE_NAME = "Azure ML inference auditor"


@dataclass(frozen=True, slots=True)
class Need:
    """One operation, what it is needed for, and whether a scan stays complete without it."""

    operation: str
    why: str
    optional: bool = False


NEEDS: tuple[Need, ...] = (
    Need("Microsoft.ResourceGraph/resources/read", "queries"),
    Need("Microsoft.Resources/subscriptions/read", "scopes and their management groups"),
    Need("Microsoft.Resources/subscriptions/resourceGroups/read", "scopes"),
    Need("Microsoft.Management/managementGroups/read", "scopes"),
    Need("Microsoft.Management/managementGroups/descendants/read", "subscriptions that are not visible"),
    Need("Microsoft.ContainerService/managedClusters/read", "clusters"),
    Need("Microsoft.ContainerService/managedClusters/agentPools/read", "clusters"),
    Need("Microsoft.KubernetesConfiguration/extensions/read", "the Azure ML extension"),
    Need("Microsoft.MachineLearningServices/workspaces/read", "workspaces"),
    Need("Microsoft.MachineLearningServices/workspaces/computes/read", "which clusters are attached"),
    Need("Microsoft.MachineLearningServices/workspaces/onlineEndpoints/read", "scoring addresses"),
    Need("Microsoft.ContainerInstance/containerGroups/read", "container instances"),
    Need("Microsoft.ContainerRegistry/registries/read", "registries"),
    Need("Microsoft.ContainerRegistry/registries/replications/read", "registries"),
    Need("Microsoft.Storage/storageAccounts/read", "dependencies of workspaces"),
    Need("Microsoft.KeyVault/vaults/read", "dependencies of workspaces"),
    Need("Microsoft.ManagedIdentity/userAssignedIdentities/read", "whose rights count"),
    Need("Microsoft.Network/virtualNetworks/read", "networks"),
    Need("Microsoft.Network/virtualNetworks/subnets/read", "networks"),
    Need("Microsoft.Network/virtualNetworks/virtualNetworkPeerings/read", "networks"),
    Need("Microsoft.Network/networkSecurityGroups/read", "what is let through"),
    Need("Microsoft.Network/networkSecurityGroups/securityRules/read", "what is let through"),
    Need("Microsoft.Network/applicationSecurityGroups/read", "what is let through"),
    Need("Microsoft.Network/routeTables/read", "routes"),
    Need("Microsoft.Network/routeTables/routes/read", "routes"),
    Need("Microsoft.Network/natGateways/read", "routes"),
    Need("Microsoft.Network/azureFirewalls/read", "routes"),
    Need("Microsoft.Network/virtualNetworkGateways/read", "routes"),
    Need("Microsoft.Network/loadBalancers/read", "frontends"),
    Need("Microsoft.Network/publicIPAddresses/read", "frontends"),
    Need("Microsoft.Network/publicIPPrefixes/read", "frontends"),
    Need("Microsoft.Network/networkInterfaces/read", "frontends and private endpoints"),
    Need("Microsoft.Network/networkProfiles/read", "container instances of old"),
    Need("Microsoft.Network/privateEndpoints/read", "private endpoints"),
    Need("Microsoft.Network/privateEndpoints/privateDnsZoneGroups/read", "private endpoints"),
    Need("Microsoft.Network/privateDnsZones/read", "name resolution"),
    Need("Microsoft.Network/privateDnsZones/virtualNetworkLinks/read", "name resolution"),
    Need("Microsoft.Network/privateDnsZones/A/read", "name resolution"),
    Need("Microsoft.Network/locations/serviceTags/read", "what tags in rules stand for", optional=True),
    Need("Microsoft.Insights/eventtypes/values/read", "who changed rights (the activity log)", optional=True),
    Need("Microsoft.Authorization/permissions/read", "what this role itself may read"),
    Need("Microsoft.Authorization/roleAssignments/read", "rights of the clusters"),
    Need("Microsoft.Authorization/roleDefinitions/read", "rights of the clusters"),
    Need("Microsoft.Authorization/denyAssignments/read", "rights of the clusters", optional=True),
    Need("Microsoft.Authorization/roleEligibilityScheduleInstances/read", "rights of the clusters", optional=True),
    Need("Microsoft.Authorization/roleAssignmentScheduleInstances/read", "rights of the clusters", optional=True),
)

DEEP_NEEDS: tuple[Need, ...] = (
    Need("Microsoft.Network/networkInterfaces/effectiveNetworkSecurityGroups/action", "--deep", optional=True),
    Need("Microsoft.Network/networkInterfaces/effectiveRouteTable/action", "--deep", optional=True),
    Need(
        "Microsoft.Network/virtualNetworks/listNetworkManagerEffectiveSecurityAdminRules/action",
        "security admin rules where the table is empty",
        optional=True,
    ),
)
"""More than Reader holds: POSTs that change nothing. No scan of this version sends them."""

GRAPH_PERMISSIONS: tuple[str, ...] = ("Application.Read.All", "GroupMember.Read.All")
"""Application permissions of Microsoft Graph: object ids of service principals, and groups. Optional."""


def role_definition(
    scopes: Sequence[str], *, name: str = ROLE_NAME, optional: bool = True, deep: bool = False
) -> dict[str, Any]:
    """The custom role as `az role definition create --role-definition @FILE` takes it.

    `scopes` are the ids where it shall be assignable; with `optional=False` it holds only what completeness needs.
    """
    needs = [*NEEDS, *(DEEP_NEEDS if deep else ())]
    return {
        "Name": name,
        "IsCustom": True,
        "Description": "Reads what `auditor` needs to judge Azure ML inference in virtual networks. Reads no keys.",
        "Actions": sorted({need.operation for need in needs if optional or not need.optional}),
        "NotActions": [],
        "DataActions": [],
        "NotDataActions": [],
        "AssignableScopes": list(scopes),
    }
