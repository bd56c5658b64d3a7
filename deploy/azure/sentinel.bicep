// Where findings go for Sentinel: a table in a workspace that is there, a data collection endpoint and rule, and the right
// to send to the rule. Its outputs are what [[notify]] of kind azure-monitor takes: docs/notifications.md.
// az deployment group create -g rg-sentinel -f deploy/azure/sentinel.bicep -p workspaceName=… principalId=…
// Not compiled here: no Bicep compiler was at hand.
targetScope = 'resourceGroup'

@description('Where the endpoint and the rule lie: the region of the workspace.')
param location string = resourceGroup().location

@description('The Log Analytics workspace, in this resource group, that Sentinel watches.')
param workspaceName string

@description('The object id of the identity that scans and sends.')
param principalId string

@description('Disabled: the endpoint is reached through an Azure Monitor private link scope only.')
@allowed([
  'Enabled'
  'Disabled'
])
param publicNetworkAccess string = 'Enabled'

var tableName = 'AuditorFindings_CL'
var streamName = 'Custom-${tableName}'
// Monitoring Metrics Publisher: to send (Microsoft.Insights/Telemetry/Write), and nothing to read.
var publisher = '3913510d-42f4-4e42-8a64-420c390055eb'
var columns = [
  { name: 'TimeGenerated', type: 'datetime' }
  { name: 'activity_name', type: 'string' }
  { name: 'severity', type: 'string' }
  { name: 'severity_id', type: 'int' }
  { name: 'status', type: 'string' }
  { name: 'message', type: 'string' }
  { name: 'time', type: 'long' }
  { name: 'class_uid', type: 'int' }
  { name: 'metadata', type: 'dynamic' }
  { name: 'cloud', type: 'dynamic' }
  { name: 'finding_info', type: 'dynamic' }
  { name: 'compliance', type: 'dynamic' }
  { name: 'resources', type: 'dynamic' }
  { name: 'remediation', type: 'dynamic' }
  { name: 'unmapped', type: 'dynamic' }
]

resource workspace 'Microsoft.OperationalInsights/workspaces@2022-10-01' existing = {
  name: workspaceName
}

resource table 'Microsoft.OperationalInsights/workspaces/tables@2022-10-01' = {
  parent: workspace
  name: tableName
  properties: {
    plan: 'Analytics'
    schema: {
      name: tableName
      // The table's own schema spells one type otherwise than a rule does.
      columns: [for column in columns: {
        name: column.name
        type: column.type == 'datetime' ? 'dateTime' : column.type
      }]
    }
  }
}

resource endpoint 'Microsoft.Insights/dataCollectionEndpoints@2022-06-01' = {
  name: 'dce-auditor'
  location: location
  properties: {
    networkAcls: {
      publicNetworkAccess: publicNetworkAccess
    }
  }
}

resource rule 'Microsoft.Insights/dataCollectionRules@2022-06-01' = {
  name: 'dcr-auditor'
  location: location
  dependsOn: [
    table
  ]
  properties: {
    dataCollectionEndpointId: endpoint.id
    streamDeclarations: {
      '${streamName}': {
        columns: columns
      }
    }
    destinations: {
      logAnalytics: [
        {
          name: 'workspace'
          workspaceResourceId: workspace.id
        }
      ]
    }
    dataFlows: [
      {
        streams: [
          streamName
        ]
        destinations: [
          'workspace'
        ]
        transformKql: 'source'
        outputStream: streamName
      }
    ]
  }
}

resource assignment 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(rule.id, principalId, publisher)
  scope: rule
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', publisher)
  }
}

output endpoint string = endpoint.properties.logsIngestion.endpoint
output rule string = rule.properties.immutableId
output stream string = streamName
