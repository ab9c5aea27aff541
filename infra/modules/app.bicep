// The app: a Function App on the Flex Consumption plan. It holds no key of Azure; what else is secret, the key vault holds.
param name string
param suffix string
param location string
param tags object
param appIdentityId string
param appClientId string
param pullIdentityId string
param storageName string
param packagesContainer string
param serviceBusHost string
param announcementsEndpoint string
param arrivalsId string
param workspaceName string
param registryHost string
param vaultUri string
param signingKeyUri string
param appInsightsConnectionString string
param servingEnvironmentId string
param schedulerEndpoint string
param sqlHost string
param sqlDatabase string
param siteSettings object
param siteSecrets object
param logsId string

param trustedKeys string
param ledgerPrefix string
param maximumInstances int

// Azure SQL as the backend of orchestrations is not supported on Flex Consumption, so there the plan is one that always runs.
var alwaysRuns = !empty(sqlHost)

// Each of these is a field of Settings in shared/settings.py, or read by the host; a check holds both lists against each other.
var hostSettings = [
  {
    name: 'AzureWebJobsStorage__accountName'
    value: storageName
  }
  {
    name: 'AzureWebJobsStorage__credential'
    value: 'managedidentity'
  }
  {
    name: 'AzureWebJobsStorage__clientId'
    value: appClientId
  }
  {
    name: 'ServiceBusConnection__fullyQualifiedNamespace'
    value: serviceBusHost
  }
  {
    name: 'ServiceBusConnection__credential'
    value: 'managedidentity'
  }
  {
    name: 'ServiceBusConnection__clientId'
    value: appClientId
  }
  {
    name: 'APPLICATIONINSIGHTS_CONNECTION_STRING'
    value: appInsightsConnectionString
  }
  {
    name: 'APPLICATIONINSIGHTS_AUTHENTICATION_STRING'
    value: 'ClientId=${appClientId};Authorization=AAD'
  }
  {
    name: 'AZURE_FUNCTIONS_DURABLE_STRICT_TYPING'
    value: '1'
  }
  {
    name: 'PYTHON_THREADPOOL_THREAD_COUNT'
    value: '16'
  }
  {
    name: 'AZURE_CLIENT_ID'
    value: appClientId
  }
]
var appSettings = [
  {
    name: 'EDGETRAIN_LIBRARY_LOG_LEVEL'
    value: 'WARNING'
  }
  {
    name: 'EDGETRAIN_LEDGER_PREFIX'
    value: ledgerPrefix
  }
  {
    name: 'EDGETRAIN_AZURE_ML__CLIENT_ID'
    value: appClientId
  }
  {
    name: 'EDGETRAIN_AZURE_ML__TENANT_ID'
    value: subscription().tenantId
  }
  {
    name: 'EDGETRAIN_AZURE_ML__SUBSCRIPTION_ID'
    value: subscription().subscriptionId
  }
  {
    name: 'EDGETRAIN_AZURE_ML__RESOURCE_GROUP'
    value: resourceGroup().name
  }
  {
    name: 'EDGETRAIN_AZURE_ML__WORKSPACE'
    value: workspaceName
  }
  {
    name: 'EDGETRAIN_CONTAINER_REGISTRY__URL'
    value: 'https://${registryHost}'
  }
  {
    name: 'EDGETRAIN_SIGNING__KEY_VAULT_KEY'
    value: signingKeyUri
  }
  {
    name: 'EDGETRAIN_SIGNING__TRUSTED_KEYS'
    value: trustedKeys
  }
  {
    name: 'EDGETRAIN_ANNOUNCEMENTS__ENDPOINT'
    value: announcementsEndpoint
  }
  {
    name: 'EDGETRAIN_ARRIVALS__TOPIC_ID'
    value: arrivalsId
  }
]
var servingSettings = empty(servingEnvironmentId) ? [] : [
  {
    name: 'EDGETRAIN_TARGETS__CLOUD__KIND'
    value: 'container_apps'
  }
  {
    name: 'EDGETRAIN_TARGETS__CLOUD__SUBSCRIPTION_ID'
    value: subscription().subscriptionId
  }
  {
    name: 'EDGETRAIN_TARGETS__CLOUD__RESOURCE_GROUP'
    value: resourceGroup().name
  }
  {
    name: 'EDGETRAIN_TARGETS__CLOUD__ENVIRONMENT_ID'
    value: servingEnvironmentId
  }
  {
    name: 'EDGETRAIN_TARGETS__CLOUD__LOCATION'
    value: location
  }
  {
    name: 'EDGETRAIN_TARGETS__CLOUD__REGISTRY'
    value: registryHost
  }
  {
    name: 'EDGETRAIN_TARGETS__CLOUD__PULL_IDENTITY'
    value: pullIdentityId
  }
  {
    name: 'EDGETRAIN_TARGETS__CLOUD__CLIENT_ID'
    value: appClientId
  }
]
var schedulerSettings = empty(schedulerEndpoint) ? [] : [
  {
    name: 'DURABLE_TASK_SCHEDULER_CONNECTION_STRING'
    value: 'Endpoint=${schedulerEndpoint};Authentication=ManagedIdentity;ClientID=${appClientId}'
  }
]
var sqlSettings = empty(sqlHost) ? [] : [
  {
    name: 'SQLDB_Connection'
    value: 'Server=tcp:${sqlHost},1433;Database=${sqlDatabase};Authentication=Active Directory Managed Identity;User Id=${appClientId};Encrypt=True;'
  }
]
// Flex Consumption has these in functionAppConfig, and refuses them as settings.
var alwaysRunningSettings = alwaysRuns ? [
  {
    name: 'FUNCTIONS_EXTENSION_VERSION'
    value: '~4'
  }
  {
    name: 'FUNCTIONS_WORKER_RUNTIME'
    value: 'python'
  }
  {
    name: 'SCM_DO_BUILD_DURING_DEPLOYMENT'
    value: 'true'
  }
] : []
// The scheduler's Consumption tier forgets histories after 30 days at most; siteSettings may say less.
var besidesTheScheduler = empty(schedulerEndpoint) ? {} : {
  EDGETRAIN_RETENTION__KEEP_DAYS: '30'
}
var ofSites = [for setting in items(union(besidesTheScheduler, siteSettings)): {
  name: setting.key
  value: setting.value
}]
// The app reads its own by their addresses, and anew when a service refuses what it has (docs/identity.md): a reference, which App
// Service fills in when it starts the app, would take a restart. Others, such as OTEL_EXPORTER_OTLP_HEADERS, cannot do that.
var secretsOfSites = [for secret in items(siteSecrets): {
  name: secret.key
  value: startsWith(secret.key, 'EDGETRAIN_') ? '${vaultUri}secrets/${secret.value}' : '@Microsoft.KeyVault(SecretUri=${vaultUri}secrets/${secret.value})'
}]

resource storage 'Microsoft.Storage/storageAccounts@2025-01-01' existing = {
  name: storageName
}

resource plan 'Microsoft.Web/serverfarms@2024-11-01' = {
  name: 'plan-${name}'
  location: location
  tags: tags
  kind: alwaysRuns ? 'linux' : 'functionapp'
  sku: alwaysRuns ? {
    name: 'P0v3'
    tier: 'Premium0V3'
  } : {
    name: 'FC1'
    tier: 'FlexConsumption'
  }
  properties: {
    reserved: true
  }
}

resource app 'Microsoft.Web/sites@2024-11-01' = {
  name: 'func-${name}-${suffix}'
  location: location
  tags: union(tags, {
    'azd-service-name': 'app'
  })
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${appIdentityId}': {}
    }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    clientCertEnabled: false
    keyVaultReferenceIdentity: appIdentityId
    publicNetworkAccess: 'Enabled'
    functionAppConfig: alwaysRuns ? null : {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: '${storage.properties.primaryEndpoints.blob}${packagesContainer}'
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: appIdentityId
          }
        }
      }
      runtime: {
        name: 'python'
        version: '3.11'
      }
      scaleAndConcurrency: {
        instanceMemoryMB: 2048
        maximumInstanceCount: maximumInstances
      }
    }
    siteConfig: {
      minTlsVersion: '1.2'
      http20Enabled: true
      // Flex Consumption knows no FTP, and refuses a site that says anything of these three.
      ftpsState: alwaysRuns ? 'Disabled' : null
      alwaysOn: alwaysRuns ? true : null
      linuxFxVersion: alwaysRuns ? 'PYTHON|3.11' : null
      appSettings: concat(hostSettings, appSettings, servingSettings, schedulerSettings, sqlSettings, alwaysRunningSettings, ofSites, secretsOfSites)
    }
  }
}

// Nobody publishes with a password.
resource noFtp 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-11-01' = {
  parent: app
  name: 'ftp'
  properties: {
    allow: false
  }
}

resource noScm 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-11-01' = {
  parent: app
  name: 'scm'
  properties: {
    allow: false
  }
}

resource logs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'to-logs'
  scope: app
  properties: {
    workspaceId: logsId
    logs: [
      {
        category: 'FunctionAppLogs'
        enabled: true
      }
    ]
  }
}

output name string = app.name
output url string = 'https://${app.properties.defaultHostName}'
