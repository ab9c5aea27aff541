// Which events reach the app: blobs written at the sites, and the end of Azure ML runs. Deployed after the code,
// since Event Grid asks whether the functions are there: azd does so by a hook (azure.yaml), others by infra/after-code.sh.
targetScope = 'resourceGroup'

@description('Output EDGETRAIN_APP_NAME of main.bicep.')
param appName string

@description('Output EDGETRAIN_ARRIVALS_TOPIC of main.bicep.')
param arrivalsTopicName string

@description('Output EDGETRAIN_RUNS_TOPIC of main.bicep.')
param runsTopicName string

@description('Output EDGETRAIN_STORAGE_NAME of main.bicep.')
param storageName string

@description('Output EDGETRAIN_DEAD_LETTERS of main.bicep: a container of that account.')
param deadLetterContainer string

@description('Output EDGETRAIN_EVENTS_IDENTITY of main.bicep.')
param eventsIdentityName string

resource app 'Microsoft.Web/sites@2024-11-01' existing = {
  name: appName
}

resource arrivals 'Microsoft.EventGrid/topics@2025-02-15' existing = {
  name: arrivalsTopicName
}

resource account 'Microsoft.Storage/storageAccounts@2025-01-01' existing = {
  name: storageName
}

resource events 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = {
  name: eventsIdentityName
}

resource runs 'Microsoft.EventGrid/systemTopics@2025-02-15' existing = {
  name: runsTopicName
}

resource runChanged 'Microsoft.EventGrid/systemTopics/eventSubscriptions@2025-02-15' = {
  parent: runs
  name: 'on-training-status'
  properties: {
    eventDeliverySchema: 'EventGridSchema'
    destination: {
      endpointType: 'AzureFunction'
      properties: {
        resourceId: '${app.id}/functions/on_training_status'
        maxEventsPerBatch: 1
        preferredBatchSizeInKilobytes: 64
      }
    }
    filter: {
      includedEventTypes: [
        'Microsoft.MachineLearningServices.RunCompleted' // success: RunStatusChanged is documented to be raised for failures only
        'Microsoft.MachineLearningServices.RunStatusChanged'
      ]
    }
    retryPolicy: {
      maxDeliveryAttempts: 30
      eventTimeToLiveInMinutes: 1440
    }
    deadLetterWithResourceIdentity: {
      identity: {
        type: 'UserAssigned'
        userAssignedIdentity: events.id
      }
      deadLetterDestination: {
        endpointType: 'StorageBlob'
        properties: {
          resourceId: account.id
          blobContainerName: deadLetterContainer
        }
      }
    }
  }
}

// An extension of the topic, and no child: so the role EventGrid EventSubscription Reader may read it, which the app has.
resource blobWritten 'Microsoft.EventGrid/eventSubscriptions@2025-02-15' = {
  scope: arrivals
  name: 'on-data-arrival'
  properties: {
    eventDeliverySchema: 'CloudEventSchemaV1_0'
    destination: {
      endpointType: 'AzureFunction'
      properties: {
        resourceId: '${app.id}/functions/on_data_arrival'
        maxEventsPerBatch: 1
        preferredBatchSizeInKilobytes: 64
      }
    }
    filter: {
      includedEventTypes: [
        'Microsoft.Storage.BlobCreated'
      ]
    }
    retryPolicy: {
      maxDeliveryAttempts: 30
      eventTimeToLiveInMinutes: 1440
    }
    deadLetterWithResourceIdentity: {
      identity: {
        type: 'UserAssigned'
        userAssignedIdentity: events.id
      }
      deadLetterDestination: {
        endpointType: 'StorageBlob'
        properties: {
          resourceId: account.id
          blobContainerName: deadLetterContainer
        }
      }
    }
  }
}
