// The custom role of `auditor permissions`, and its assignment to one identity, at a management group.
// Not compiled here: no Bicep compiler was at hand. A test holds the actions against `auditor permissions`.
targetScope = 'managementGroup'

@description('The object id of the managed identity that scans.')
param principalId string

@description('The name of the role; unique in the tenant.')
param roleName string = 'Azure ML inference auditor'

resource role 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(managementGroup().id, roleName)
  properties: {
    roleName: roleName
    description: 'Reads what `auditor` needs to judge Azure ML inference in virtual networks. Reads no keys.'
    type: 'CustomRole'
    permissions: [
      {
        actions: [
          'Microsoft.Authorization/denyAssignments/read'
          'Microsoft.Authorization/permissions/read'
          'Microsoft.Authorization/roleAssignmentScheduleInstances/read'
          'Microsoft.Authorization/roleAssignments/read'
          'Microsoft.Authorization/roleDefinitions/read'
          'Microsoft.Authorization/roleEligibilityScheduleInstances/read'
          'Microsoft.ContainerInstance/containerGroups/read'
          'Microsoft.ContainerRegistry/registries/read'
          'Microsoft.ContainerRegistry/registries/replications/read'
          'Microsoft.ContainerService/managedClusters/agentPools/read'
          'Microsoft.ContainerService/managedClusters/read'
          'Microsoft.Insights/eventtypes/values/read'
          'Microsoft.KeyVault/vaults/read'
          'Microsoft.KubernetesConfiguration/extensions/read'
          'Microsoft.MachineLearningServices/workspaces/computes/read'
          'Microsoft.MachineLearningServices/workspaces/onlineEndpoints/read'
          'Microsoft.MachineLearningServices/workspaces/read'
          'Microsoft.ManagedIdentity/userAssignedIdentities/read'
          'Microsoft.Management/managementGroups/descendants/read'
          'Microsoft.Management/managementGroups/read'
          'Microsoft.Network/applicationSecurityGroups/read'
          'Microsoft.Network/azureFirewalls/read'
          'Microsoft.Network/loadBalancers/read'
          'Microsoft.Network/locations/serviceTags/read'
          'Microsoft.Network/natGateways/read'
          'Microsoft.Network/networkInterfaces/read'
          'Microsoft.Network/networkProfiles/read'
          'Microsoft.Network/networkSecurityGroups/read'
          'Microsoft.Network/networkSecurityGroups/securityRules/read'
          'Microsoft.Network/privateDnsZones/A/read'
          'Microsoft.Network/privateDnsZones/read'
          'Microsoft.Network/privateDnsZones/virtualNetworkLinks/read'
          'Microsoft.Network/privateEndpoints/privateDnsZoneGroups/read'
          'Microsoft.Network/privateEndpoints/read'
          'Microsoft.Network/publicIPAddresses/read'
          'Microsoft.Network/publicIPPrefixes/read'
          'Microsoft.Network/routeTables/read'
          'Microsoft.Network/routeTables/routes/read'
          'Microsoft.Network/virtualNetworkGateways/read'
          'Microsoft.Network/virtualNetworks/read'
          'Microsoft.Network/virtualNetworks/subnets/read'
          'Microsoft.Network/virtualNetworks/virtualNetworkPeerings/read'
          'Microsoft.ResourceGraph/resources/read'
          'Microsoft.Resources/subscriptions/read'
          'Microsoft.Resources/subscriptions/resourceGroups/read'
          'Microsoft.Storage/storageAccounts/read'
        ]
        notActions: []
        dataActions: []
        notDataActions: []
      }
    ]
    assignableScopes: [
      managementGroup().id
    ]
  }
}

resource assignment 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(managementGroup().id, principalId, role.name)
  properties: {
    roleDefinitionId: role.id
    principalId: principalId
    principalType: 'ServicePrincipal'
  }
}
