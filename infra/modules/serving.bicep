// Where models are served in Azure: an environment of Container Apps, in which the app makes one Container App for each pipeline.
param name string
param location string
param tags object
param appPrincipalId string
param pullIdentityName string
param logsId string

resource pull 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = {
  name: pullIdentityName
}

resource environment 'Microsoft.App/managedEnvironments@2025-01-01' = {
  name: 'cae-${name}'
  location: location
  tags: tags
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${pull.id}': {}
    }
  }
  properties: {
    appLogsConfiguration: {
      destination: 'azure-monitor' // by the diagnostics below; 'log-analytics' takes a key of the workspace
    }
    workloadProfiles: [
      {
        name: 'Consumption'
        workloadProfileType: 'Consumption'
      }
    ]
    zoneRedundant: false
  }
}

// Container Apps Contributor, on the resource group: the app makes a Container App for each pipeline, and sets its traffic.
resource appServes 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(resourceGroup().id, appPrincipalId, '358470bc-b998-42bd-ab17-a7e34c199c0f')
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '358470bc-b998-42bd-ab17-a7e34c199c0f')
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
    description: 'Container Apps Contributor: makes a Container App for each pipeline, and sets its revisions and traffic'
  }
}

// Monitoring Reader, on the resource group: the app reads how many requests a revision answered, and how many failed.
resource appObserves 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(resourceGroup().id, appPrincipalId, '43d0d8ad-25c7-4714-9337-8ba259a9fe05')
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '43d0d8ad-25c7-4714-9337-8ba259a9fe05')
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
    description: 'Monitoring Reader: reads requests and errors of each revision, which a canary is judged by'
  }
}

resource audit 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'to-logs'
  scope: environment
  properties: {
    workspaceId: logsId
    logs: [
      {
        category: 'ContainerAppConsoleLogs'
        enabled: true
      }
      {
        category: 'ContainerAppSystemLogs'
        enabled: true
      }
    ]
  }
}

output environmentId string = environment.id
