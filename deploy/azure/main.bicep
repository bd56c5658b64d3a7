// The job, its identity, and the identity's role at a management group, in one deployment:
// az deployment mg create -m contoso -l chinaeast2 -f deploy/azure/main.bicep -p subscriptionId=… resourceGroupName=… image=… historySecretUri=…
// Not compiled here: no Bicep compiler was at hand.
targetScope = 'managementGroup'

@description('Where the job shall lie: a subscription below this management group.')
param subscriptionId string

@description('A resource group of that subscription, which is there already.')
param resourceGroupName string

@description('As in job.bicep.')
param image string

@description('As in job.bicep.')
param registryServer string = ''

@description('As in job.bicep.')
param historySecretUri string

@description('As in job.bicep.')
@allowed([
  'public'
  'china'
  'usgov'
])
param cloud string = 'public'

@description('As in job.bicep.')
param schedule string = '0 18 * * *'

module job 'job.bicep' = {
  name: 'auditor-job'
  scope: resourceGroup(subscriptionId, resourceGroupName)
  params: {
    image: image
    registryServer: registryServer
    historySecretUri: historySecretUri
    managementGroups: [
      managementGroup().name
    ]
    cloud: cloud
    schedule: schedule
  }
}

module role 'role.bicep' = {
  name: 'auditor-role'
  params: {
    principalId: job.outputs.principalId
  }
}
