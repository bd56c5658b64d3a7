// A Container Apps job that scans every night as a managed identity of its own, into a PostgreSQL history.
// Not compiled here: no Bicep compiler was at hand.
targetScope = 'resourceGroup'

@description('Where it runs.')
param location string = resourceGroup().location

@description('The image of deploy/Containerfile in a registry of yours, by digest.')
param image string

@description('The registry to pull from as the identity, which then needs AcrPull there; empty: a registry that asks for nothing.')
param registryServer string = ''

@description('The Key Vault URI of the secret that holds the history\'s URL (postgresql://…). The identity needs Key Vault Secrets User there.')
param historySecretUri string

@description('The names of the management groups to audit.')
param managementGroups array

@description('Which cloud to speak to.')
@allowed([
  'public'
  'china'
  'usgov'
])
param cloud string = 'public'

@description('When to scan, in UTC: Container Apps knows no time zone.')
param schedule string = '0 18 * * *'

@description('An environment that is there already (its id), such as one inside a virtual network; empty: a new one.')
param environmentId string = ''

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: 'id-auditor'
  location: location
}

resource logs 'Microsoft.OperationalInsights/workspaces@2023-09-01' = if (empty(environmentId)) {
  name: 'log-auditor'
  location: location
  properties: {
    sku: {
      name: 'PerGB2018'
    }
    retentionInDays: 30
  }
}

resource environment 'Microsoft.App/managedEnvironments@2024-03-01' = if (empty(environmentId)) {
  name: 'cae-auditor'
  location: location
  properties: {
    appLogsConfiguration: {
      destination: 'log-analytics'
      logAnalyticsConfiguration: {
        customerId: logs!.properties.customerId
        sharedKey: logs!.listKeys().primarySharedKey
      }
    }
  }
}

resource job 'Microsoft.App/jobs@2024-03-01' = {
  name: 'job-auditor'
  location: location
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identity.id}': {}
    }
  }
  properties: {
    environmentId: empty(environmentId) ? environment.id : environmentId
    configuration: {
      triggerType: 'Schedule'
      scheduleTriggerConfig: {
        cronExpression: schedule
        parallelism: 1
        replicaCompletionCount: 1
      }
      replicaTimeout: 14400
      replicaRetryLimit: 2
      registries: empty(registryServer) ? [] : [
        {
          server: registryServer
          identity: identity.id
        }
      ]
      secrets: [
        {
          name: 'history'
          keyVaultUrl: historySecretUri
          identity: identity.id
        }
      ]
    }
    template: {
      containers: [
        {
          name: 'auditor'
          image: image
          // Findings are in the history; a job that failed for them would be run again for nothing.
          args: [
            'scan'
            '--fail-on'
            'never'
            '--format'
            'json'
            '--log-format'
            'json'
          ]
          env: [
            {
              name: 'AUDITOR_HISTORY'
              secretRef: 'history'
            }
            {
              name: 'AUDITOR_CLOUD'
              value: cloud
            }
            {
              name: 'AUDITOR_MANAGEMENT_GROUP'
              value: join(managementGroups, ',')
            }
            {
              // Several identities may be assigned to a job: this one is meant.
              name: 'AZURE_CLIENT_ID'
              value: identity.properties.clientId
            }
            {
              name: 'AZURE_TOKEN_CREDENTIALS'
              value: 'prod'
            }
          ]
          resources: {
            cpu: json('1.0')
            memory: '2Gi'
          }
        }
      ]
    }
  }
}

@description('Whom to give the role to.')
output principalId string = identity.properties.principalId
