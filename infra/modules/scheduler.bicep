// Durable Task Scheduler: keeps the state of orchestrations instead of the storage account. See docs/scaling.md for when.
param name string
param location string
param tags object
param appPrincipalId string

resource scheduler 'Microsoft.DurableTask/schedulers@2025-11-01' = {
  name: 'dts-${name}'
  location: location
  tags: tags
  properties: {
    ipAllowlist: [
      '0.0.0.0/0'
    ]
    sku: {
      name: 'Consumption'
    }
  }
}

resource hub 'Microsoft.DurableTask/schedulers/taskHubs@2025-11-01' = {
  parent: scheduler
  name: 'EdgeTrain'
  properties: {}
}

// Durable Task Data Contributor: the app runs orchestrations.
resource appOrchestrates 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(scheduler.id, appPrincipalId, '0ad04412-c4d5-4796-b79c-f76d14c8d402')
  scope: scheduler
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '0ad04412-c4d5-4796-b79c-f76d14c8d402')
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
    description: 'Durable Task Data Contributor: runs orchestrations'
  }
}

output endpoint string = scheduler.properties.endpoint
