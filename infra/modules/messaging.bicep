// Requests of upstream systems and their answers (Service Bus); events of the sites and of Azure ML, and what is announced of
// runs (Event Grid). Who gets the events: after-code.bicep.
param name string
param suffix string
param location string
param tags object
param appPrincipalId string
param eventsIdentityId string
param workspaceId string
param logsId string

resource bus 'Microsoft.ServiceBus/namespaces@2024-01-01' = {
  name: 'sb-${suffix}'
  location: location
  tags: tags
  sku: {
    name: 'Standard' // topics and duplicate detection
    tier: 'Standard'
  }
  properties: {
    disableLocalAuth: true
    minimumTlsVersion: '1.2'
  }
}

resource requests 'Microsoft.ServiceBus/namespaces/queues@2024-01-01' = {
  parent: bus
  name: 'training-requests'
  properties: {
    lockDuration: 'PT1M'
    maxDeliveryCount: 10
    deadLetteringOnMessageExpiration: true
    requiresDuplicateDetection: false // the ledger knows every message id for good
  }
}

resource quarantine 'Microsoft.ServiceBus/namespaces/queues@2024-01-01' = {
  parent: bus
  name: 'training-requests-quarantine'
  properties: {
    requiresDuplicateDetection: true // a message that is delivered twice is put here twice, with the same id
    duplicateDetectionHistoryTimeWindow: 'P1D'
    maxDeliveryCount: 10
  }
}

resource results 'Microsoft.ServiceBus/namespaces/topics@2024-01-01' = {
  parent: bus
  name: 'training-results'
  properties: {
    requiresDuplicateDetection: true // answers may be sent twice, with the same id
    duplicateDetectionHistoryTimeWindow: 'P1D'
  }
}

resource everyResult 'Microsoft.ServiceBus/namespaces/topics/subscriptions@2024-01-01' = {
  parent: results
  name: 'upstream'
  properties: {
    lockDuration: 'PT1M'
    maxDeliveryCount: 10
    deadLetteringOnMessageExpiration: true
  }
}

// Azure Service Bus Data Receiver, on the queue of requests alone.
resource appReceives 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(requests.id, appPrincipalId, '4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0')
  scope: requests
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0')
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
    description: 'Azure Service Bus Data Receiver: takes the requests of upstream systems'
  }
}

// Azure Service Bus Data Sender, on the answers.
resource appAnswers 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(results.id, appPrincipalId, '69a216fc-b8fb-44d8-bc22-1f3c2cd27a39')
  scope: results
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '69a216fc-b8fb-44d8-bc22-1f3c2cd27a39')
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
    description: 'Azure Service Bus Data Sender: sends answers'
  }
}

// Azure Service Bus Data Sender, on the quarantine.
resource appQuarantines 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(quarantine.id, appPrincipalId, '69a216fc-b8fb-44d8-bc22-1f3c2cd27a39')
  scope: quarantine
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '69a216fc-b8fb-44d8-bc22-1f3c2cd27a39')
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
    description: 'Azure Service Bus Data Sender: puts messages that are not understood into the quarantine'
  }
}

resource announcements 'Microsoft.EventGrid/topics@2025-02-15' = {
  name: 'evgt-${name}-announcements'
  location: location
  tags: tags
  properties: {
    inputSchema: 'CloudEventSchemaV1_0'
    disableLocalAuth: true
    minimumTlsVersionAllowed: '1.2'
    publicNetworkAccess: 'Enabled'
  }
}

resource arrivals 'Microsoft.EventGrid/topics@2025-02-15' = {
  name: 'evgt-${name}-arrivals'
  location: location
  tags: tags
  identity: {
    type: 'UserAssigned' // stores the events that cannot be delivered
    userAssignedIdentities: {
      '${eventsIdentityId}': {}
    }
  }
  properties: {
    inputSchema: 'CloudEventSchemaV1_0'
    disableLocalAuth: true
    minimumTlsVersionAllowed: '1.2'
    publicNetworkAccess: 'Enabled'
  }
}

// What Azure ML tells of runs in the workspace.
resource runs 'Microsoft.EventGrid/systemTopics@2025-02-15' = {
  name: 'evgst-${name}-runs'
  location: location
  tags: tags
  identity: {
    type: 'UserAssigned' // stores the events that cannot be delivered
    userAssignedIdentities: {
      '${eventsIdentityId}': {}
    }
  }
  properties: {
    source: workspaceId
    topicType: 'Microsoft.MachineLearningServices.Workspaces'
  }
}

// EventGrid Data Sender: the app announces runs.
resource appAnnounces 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(announcements.id, appPrincipalId, 'd5a91429-5739-47e2-a06b-3470a27159e7')
  scope: announcements
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', 'd5a91429-5739-47e2-a06b-3470a27159e7')
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
    description: 'EventGrid Data Sender: announces runs and what becomes of targets'
  }
}

// EventGrid EventSubscription Reader: the doctor looks whether a subscription brings the events of new data to the app.
resource appReadsSubscriptions 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(arrivals.id, appPrincipalId, '2414bbcf-6497-4faf-8c65-045460748405')
  scope: arrivals
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '2414bbcf-6497-4faf-8c65-045460748405')
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
    description: 'EventGrid EventSubscription Reader: looks whether events of new data are brought to it'
  }
}

resource audit 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'to-logs'
  scope: bus
  properties: {
    workspaceId: logsId
    logs: [
      {
        category: 'OperationalLogs'
        enabled: true
      }
    ]
    metrics: [
      {
        category: 'AllMetrics'
        enabled: true
      }
    ]
  }
}

resource announcementsAudit 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'to-logs'
  scope: announcements
  properties: {
    workspaceId: logsId
    logs: [
      {
        category: 'DeliveryFailures'
        enabled: true
      }
      {
        category: 'PublishFailures'
        enabled: true
      }
    ]
  }
}

resource arrivalsAudit 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'to-logs'
  scope: arrivals
  properties: {
    workspaceId: logsId
    logs: [
      {
        category: 'DeliveryFailures'
        enabled: true
      }
      {
        category: 'PublishFailures'
        enabled: true
      }
    ]
  }
}

resource runsAudit 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'to-logs'
  scope: runs
  properties: {
    workspaceId: logsId
    logs: [
      {
        category: 'DeliveryFailures' // all that there is for such a topic
        enabled: true
      }
    ]
  }
}

output serviceBusId string = bus.id
output serviceBusHost string = '${bus.name}.servicebus.windows.net'
output announcementsEndpoint string = announcements.properties.endpoint
output arrivalsEndpoint string = arrivals.properties.endpoint
output arrivalsId string = arrivals.id
output arrivalsTopicName string = arrivals.name
output runsId string = runs.id
output runsTopicName string = runs.name
