// The container registry. Nobody has its admin password: the app pushes and Container Apps pull as identities; a VM pulls with
// a token of the scope map below, whose password an operator makes and puts into the key vault (docs/deploy.md).
param suffix string
param location string
param tags object
param appPrincipalId string
param pullPrincipalId string
param operatorPrincipalId string
param operatorPrincipalType string
param logsId string

resource registry 'Microsoft.ContainerRegistry/registries@2025-04-01' = {
  name: 'cr${suffix}'
  location: location
  tags: tags
  sku: {
    name: 'Standard'
  }
  properties: {
    adminUserEnabled: false
    anonymousPullEnabled: false
    publicNetworkAccess: 'Enabled'
    policies: {
      azureADAuthenticationAsArmPolicy: {
        status: 'enabled'
      }
    }
  }
}

resource vmScope 'Microsoft.ContainerRegistry/registries/scopeMaps@2025-04-01' = {
  parent: registry
  name: 'edgetrain-vm'
  properties: {
    description: 'What a VM of a site may do: pull models and the images that trainings run in'
    actions: [
      'repositories/models/*/content/read'
      'repositories/models/*/metadata/read'
      'repositories/scoring/*/content/read'
      'repositories/scoring/*/metadata/read'
    ]
  }
}

resource vmToken 'Microsoft.ContainerRegistry/registries/tokens@2025-04-01' = {
  parent: registry
  name: 'edgetrain-vm'
  properties: {
    scopeMapId: vmScope.id
    status: 'enabled'
  }
}

// AcrPush: the app pushes images and their signatures.
resource appPushes 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(registry.id, appPrincipalId, '8311e382-0749-4cb8-b61a-304f252e45ec')
  scope: registry
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '8311e382-0749-4cb8-b61a-304f252e45ec')
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
    description: 'AcrPush: pushes images, their signatures and passports'
  }
}

// AcrDelete: retention removes what is neither live, kept nor lineage.
resource appDeletes 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(registry.id, appPrincipalId, 'c2f4ef07-c644-48eb-af81-4b1b4947fb11')
  scope: registry
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', 'c2f4ef07-c644-48eb-af81-4b1b4947fb11')
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
    description: 'AcrDelete: retention removes images that are neither live, kept nor lineage'
  }
}

// AcrPush: operators push the images that trainings run in (edgetrain dependency-image).
resource operatorPushes 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(registry.id, operatorPrincipalId, '8311e382-0749-4cb8-b61a-304f252e45ec')
  scope: registry
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '8311e382-0749-4cb8-b61a-304f252e45ec')
    principalId: operatorPrincipalId
    principalType: operatorPrincipalType
    description: 'AcrPush: pushes the images that trainings run in'
  }
}

// AcrPull: Container Apps pull.
resource servingPulls 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(registry.id, pullPrincipalId, '7f951dda-4ed3-4680-a7ca-43fe172d538d')
  scope: registry
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '7f951dda-4ed3-4680-a7ca-43fe172d538d')
    principalId: pullPrincipalId
    principalType: 'ServicePrincipal'
    description: 'AcrPull: pulls the images that Container Apps run'
  }
}

resource audit 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'to-logs'
  scope: registry
  properties: {
    workspaceId: logsId
    logs: [
      {
        category: 'ContainerRegistryLoginEvents'
        enabled: true
      }
      {
        category: 'ContainerRegistryRepositoryEvents'
        enabled: true
      }
    ]
  }
}

output host string = registry.properties.loginServer
