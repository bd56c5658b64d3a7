"""The operations that a cluster's identities need, by purpose (requirements 8.4)."""

SUBNET_JOIN = "Microsoft.Network/virtualNetworks/subnets/join/action"
SUBNET_READ = "Microsoft.Network/virtualNetworks/subnets/read"
SUBNET_WRITE = "Microsoft.Network/virtualNetworks/subnets/write"
VNET_JOIN = "Microsoft.Network/virtualNetworks/join/action"
VNET_READ = "Microsoft.Network/virtualNetworks/read"
ACR_PULL_READ = "Microsoft.ContainerRegistry/registries/pull/read"
ROLE_ASSIGNMENT_WRITE = "Microsoft.Authorization/roleAssignments/write"

ON_SUBNET = (SUBNET_READ, SUBNET_JOIN)
"""On each subnet that a cluster uses."""
ON_VNET = (VNET_READ, VNET_JOIN)
"""On the virtual network: informative."""
ON_PUBLIC_IP = (
    "Microsoft.Network/publicIPAddresses/read",
    "Microsoft.Network/publicIPAddresses/join/action",
)
"""On public addresses outside the node resource group."""
ON_NSG = (
    "Microsoft.Network/networkSecurityGroups/read",
    "Microsoft.Network/networkSecurityGroups/write",
)
"""On security groups outside the node resource group."""
ROUTE_TABLE_READ = "Microsoft.Network/routeTables/read"
ROUTE_TABLE_WRITE = "Microsoft.Network/routeTables/write"
ROUTE_TABLE_JOIN = "Microsoft.Network/routeTables/join/action"
ROUTES = (
    "Microsoft.Network/routeTables/routes/read",
    "Microsoft.Network/routeTables/routes/write",
    "Microsoft.Network/routeTables/routes/delete",
)
ON_ROUTE_TABLE = (ROUTE_TABLE_READ, ROUTE_TABLE_WRITE, *ROUTES)
"""On an own route table, by kubenet."""
ON_PRIVATE_DNS_ZONE = (
    "Microsoft.Network/privateDnsZones/read",
    "Microsoft.Network/privateDnsZones/write",
    "Microsoft.Network/privateDnsZones/A/read",
    "Microsoft.Network/privateDnsZones/A/write",
    "Microsoft.Network/privateDnsZones/A/delete",
    "Microsoft.Network/privateDnsZones/virtualNetworkLinks/read",
    "Microsoft.Network/privateDnsZones/virtualNetworkLinks/write",
)
"""On an own private DNS zone."""
REPOSITORY_PULL_DATA = (
    "Microsoft.ContainerRegistry/registries/repositories/content/read",
    "Microsoft.ContainerRegistry/registries/repositories/metadata/read",
)
"""Data actions, on a registry in the mode `AbacRepositoryPermissions`."""
ON_KUBELET_IDENTITY = ("Microsoft.ManagedIdentity/userAssignedIdentities/assign/action",)
"""Of the control plane, on a user-assigned kubelet identity; see `patterns.doubtful`."""
DEPLOYER_READS = (
    VNET_READ,
    SUBNET_READ,
    "Microsoft.Network/virtualNetworks/virtualNetworkPeerings/read",
    "Microsoft.Network/networkSecurityGroups/read",
    "Microsoft.Network/routeTables/read",
    "Microsoft.Network/publicIPAddresses/read",
    "Microsoft.Network/loadBalancers/read",
    "Microsoft.Network/networkInterfaces/read",
)
"""What stands for `Microsoft.Network/*/read`, which a deployer needs outside template deployments."""
