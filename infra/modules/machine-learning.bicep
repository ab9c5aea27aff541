// The Azure ML workspace: runs, metrics and models. Training data never come here; they stay on the hub.
param name string
param suffix string
param location string
param tags object
param appPrincipalId string
param operatorPrincipalId string
param operatorPrincipalType string
param appInsightsId string
param logsId string

resource artefacts 'Microsoft.Storage/storageAccounts@2025-01-01' = {
  name: 'stml${suffix}'
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: {
    name: 'Standard_LRS'
  }
  properties: {
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    allowSharedKeyAccess: true // SDK v1 uploads snapshots and outputs by signatures that the workspace makes with the key
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    publicNetworkAccess: 'Enabled'
  }
}

// The workspace cannot be without one. Nobody of us puts anything there.
resource vault 'Microsoft.KeyVault/vaults@2024-11-01' = {
  name: 'kvml-${suffix}'
  location: location
  tags: tags
  properties: {
    tenantId: subscription().tenantId
    sku: {
      family: 'A'
      name: 'standard'
    }
    enableRbacAuthorization: true
    enableSoftDelete: true
    softDeleteRetentionInDays: 90
    enablePurgeProtection: true
    publicNetworkAccess: 'Enabled'
    networkAcls: {
      bypass: 'AzureServices'
      defaultAction: 'Allow'
    }
  }
}

resource workspace 'Microsoft.MachineLearningServices/workspaces@2025-06-01' = {
  name: 'mlw-${name}'
  location: location
  tags: tags
  identity: {
    type: 'SystemAssigned'
  }
  sku: {
    name: 'Basic'
    tier: 'Basic'
  }
  properties: {
    friendlyName: name
    storageAccount: artefacts.id
    keyVault: vault.id
    applicationInsights: appInsightsId
    v1LegacyMode: false
    publicNetworkAccess: 'Enabled'
  }
}

// AzureML Data Scientist: the app submits runs and registers models.
resource appTrains 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(workspace.id, appPrincipalId, 'f6c7c914-8db3-469d-8ca1-694a8f32e121')
  scope: workspace
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', 'f6c7c914-8db3-469d-8ca1-694a8f32e121')
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
    description: 'AzureML Data Scientist: submits and cancels runs, reads metrics, registers and tags models'
  }
}

// AzureML Compute Operator: the app attaches a VM whose address or key has changed.
resource appAttaches 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(workspace.id, appPrincipalId, 'e503ece1-11d0-4e8e-8e2c-7a6c3bf38815')
  scope: workspace
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', 'e503ece1-11d0-4e8e-8e2c-7a6c3bf38815')
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
    description: 'AzureML Compute Operator: attaches the VMs of the sites as compute targets'
  }
}

// AzureML Compute Operator: operators attach the VM of a site (edgetrain attach).
resource operatorAttaches 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(workspace.id, operatorPrincipalId, 'e503ece1-11d0-4e8e-8e2c-7a6c3bf38815')
  scope: workspace
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', 'e503ece1-11d0-4e8e-8e2c-7a6c3bf38815')
    principalId: operatorPrincipalId
    principalType: operatorPrincipalType
    description: 'AzureML Compute Operator: attaches the VMs of the sites as compute targets'
  }
}

// Reader: the role before lets its owner see computes, and not the workspace that they are of.
resource operatorFinds 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(workspace.id, operatorPrincipalId, 'acdd72a7-3385-48ef-bd42-f606fba81ae7')
  scope: workspace
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', 'acdd72a7-3385-48ef-bd42-f606fba81ae7')
    principalId: operatorPrincipalId
    principalType: operatorPrincipalType
    description: 'Reader: opens the workspace to attach VMs to it'
  }
}

resource vaultAudit 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'to-logs'
  scope: vault
  properties: {
    workspaceId: logsId
    logs: [
      {
        category: 'AuditEvent'
        enabled: true
      }
    ]
  }
}

resource audit 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'to-logs'
  scope: workspace
  properties: {
    workspaceId: logsId
    logs: [
      {
        category: 'AmlRunStatusChangedEvent'
        enabled: true
      }
      {
        category: 'AmlComputeJobEvent'
        enabled: true
      }
    ]
  }
}

output id string = workspace.id
output name string = workspace.name
