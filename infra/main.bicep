// Everything that edgetrain needs in Azure: `azd provision`, or `az deployment sub create` with the parameters that
// `python -m infra.ci.parameters` prints. What runs on the hub is in infra/hub. Explained in docs/deploy.md.
targetScope = 'subscription'

@description('Name of this installation; part of the names of all resources.')
@minLength(3)
@maxLength(16)
param environmentName string

@description('Azure region of all resources. Flex Consumption must be offered there.')
param location string

@description('Object id of the group or person that operates the installation: may look into the ledger, start runs, and read secrets.')
param operatorPrincipalId string

@description('Type of that principal.')
@allowed([
  'Group'
  'User'
])
param operatorPrincipalType string = 'Group'

@description('Mail addresses that alerts and budget warnings go to.')
param alertAddresses array = []

@description('Monthly budget of the resource group in the currency of the subscription; 0: none.')
@minValue(0)
param monthlyBudget int = 0

@description('First day of the budget, the first of a month, such as 2026-12-01.')
param budgetStart string = utcNow('yyyy-MM-01')

@description('Where the state of orchestrations is: the storage account of the host, a Durable Task Scheduler, or Azure SQL, which takes a plan that always runs. Deploy the host.json that goes with it: docs/deploy.md.')
@allowed([
  'storage'
  'scheduler'
  'mssql'
])
param durableBackend string = 'storage'

@description('Whether models are also delivered to Azure Container Apps.')
param serveInAzure bool = true

@description('How many instances the app may grow to.')
@minValue(1)
@maxValue(100)
param maximumInstances int = 10

@description('Public keys (PEM, line breaks as \\n) whose images may run, that of the vault among them: docs/deploy.md, step 5.')
param trustedKeys string = ''

@description('What the names of all tables of the ledger begin with, small letters and digits; another text after a restore: docs/runbooks/restored-ledger.md.')
@minLength(1)
@maxLength(21)
param ledgerPrefix string = 'edgetrain'

@description('Further settings, names and values that are no secrets: EDGETRAIN_SITES__..., EDGETRAIN_COMPUTES__..., EDGETRAIN_TARGETS__....')
param siteSettings object = {}

@description('Settings that are secrets: name of the setting, and name of the secret in the key vault, which an operator puts there.')
param siteSecrets object = {}

@description('Further tags of all resources.')
param tags object = {}

var allTags = union(tags, {
  'azd-env-name': environmentName
  application: 'edgetrain'
})
var suffix = toLower(uniqueString(subscription().id, environmentName, location))

resource group 'Microsoft.Resources/resourceGroups@2025-04-01' = {
  name: 'rg-${environmentName}'
  location: location
  tags: allTags
}

module identity 'modules/identity.bicep' = {
  scope: group
  params: {
    name: environmentName
    location: location
    tags: allTags
  }
}

module monitoring 'modules/monitoring.bicep' = {
  scope: group
  params: {
    name: environmentName
    location: location
    tags: allTags
    appPrincipalId: identity.outputs.appPrincipalId
  }
}

module storage 'modules/storage.bicep' = {
  scope: group
  params: {
    suffix: suffix
    location: location
    tags: allTags
    appPrincipalId: identity.outputs.appPrincipalId
    eventsPrincipalId: identity.outputs.eventsPrincipalId
    operatorPrincipalId: operatorPrincipalId
    operatorPrincipalType: operatorPrincipalType
    ledgerPrefix: ledgerPrefix
    logsId: monitoring.outputs.logsId
  }
}

module secrets 'modules/secrets.bicep' = {
  scope: group
  params: {
    name: environmentName
    suffix: suffix
    location: location
    tags: allTags
    appPrincipalId: identity.outputs.appPrincipalId
    operatorPrincipalId: operatorPrincipalId
    operatorPrincipalType: operatorPrincipalType
    logsId: monitoring.outputs.logsId
  }
}

module messaging 'modules/messaging.bicep' = {
  scope: group
  params: {
    name: environmentName
    suffix: suffix
    location: location
    tags: allTags
    appPrincipalId: identity.outputs.appPrincipalId
    eventsIdentityId: identity.outputs.eventsIdentityId
    workspaceId: machineLearning.outputs.id
    logsId: monitoring.outputs.logsId
  }
}

module registry 'modules/registry.bicep' = {
  scope: group
  params: {
    suffix: suffix
    location: location
    tags: allTags
    appPrincipalId: identity.outputs.appPrincipalId
    pullPrincipalId: identity.outputs.pullPrincipalId
    operatorPrincipalId: operatorPrincipalId
    operatorPrincipalType: operatorPrincipalType
    logsId: monitoring.outputs.logsId
  }
}

module machineLearning 'modules/machine-learning.bicep' = {
  scope: group
  params: {
    name: environmentName
    suffix: suffix
    location: location
    tags: allTags
    appPrincipalId: identity.outputs.appPrincipalId
    operatorPrincipalId: operatorPrincipalId
    operatorPrincipalType: operatorPrincipalType
    appInsightsId: monitoring.outputs.appInsightsId
    logsId: monitoring.outputs.logsId
  }
}

module serving 'modules/serving.bicep' = if (serveInAzure) {
  scope: group
  params: {
    name: environmentName
    location: location
    tags: allTags
    appPrincipalId: identity.outputs.appPrincipalId
    pullIdentityName: identity.outputs.pullIdentityName
    logsId: monitoring.outputs.logsId
  }
}

module scheduler 'modules/scheduler.bicep' = if (durableBackend == 'scheduler') {
  scope: group
  params: {
    name: environmentName
    location: location
    tags: allTags
    appPrincipalId: identity.outputs.appPrincipalId
  }
}

module sql 'modules/sql.bicep' = if (durableBackend == 'mssql') {
  scope: group
  params: {
    name: environmentName
    suffix: suffix
    location: location
    tags: allTags
    operatorPrincipalId: operatorPrincipalId
    operatorPrincipalType: operatorPrincipalType
    logsId: monitoring.outputs.logsId
  }
}

module app 'modules/app.bicep' = {
  scope: group
  params: {
    name: environmentName
    suffix: suffix
    location: location
    tags: allTags
    appIdentityId: identity.outputs.appIdentityId
    appClientId: identity.outputs.appClientId
    pullIdentityId: identity.outputs.pullIdentityId
    storageName: storage.outputs.name
    packagesContainer: storage.outputs.packagesContainer
    serviceBusHost: messaging.outputs.serviceBusHost
    announcementsEndpoint: messaging.outputs.announcementsEndpoint
    arrivalsId: messaging.outputs.arrivalsId
    workspaceName: machineLearning.outputs.name
    registryHost: registry.outputs.host
    vaultUri: secrets.outputs.vaultUri
    signingKeyUri: secrets.outputs.signingKeyUri
    appInsightsConnectionString: monitoring.outputs.appInsightsConnectionString
    servingEnvironmentId: serveInAzure ? serving.outputs.environmentId : ''
    schedulerEndpoint: durableBackend == 'scheduler' ? scheduler.outputs.endpoint : ''
    sqlHost: durableBackend == 'mssql' ? sql.outputs.host : ''
    sqlDatabase: durableBackend == 'mssql' ? sql.outputs.database : ''
    maximumInstances: maximumInstances
    trustedKeys: trustedKeys
    ledgerPrefix: ledgerPrefix
    siteSettings: siteSettings
    siteSecrets: siteSecrets
    logsId: monitoring.outputs.logsId
  }
}

module alerts 'modules/alerts.bicep' = {
  scope: group
  params: {
    name: environmentName
    location: location
    tags: allTags
    alertAddresses: alertAddresses
    appInsightsId: monitoring.outputs.appInsightsId
    serviceBusId: messaging.outputs.serviceBusId
    arrivalsId: messaging.outputs.arrivalsId
    runsId: messaging.outputs.runsId
    monthlyBudget: monthlyBudget
    budgetStart: budgetStart
  }
}

// azd hands these to `edgetrain doctor`, and to `edgetrain attach`.
output AZURE_RESOURCE_GROUP string = group.name
output EDGETRAIN_URL string = app.outputs.url
output EDGETRAIN_APP_NAME string = app.outputs.name
output EDGETRAIN_VAULT_NAME string = secrets.outputs.vaultName
output EDGETRAIN_AZURE_ML__SUBSCRIPTION_ID string = subscription().subscriptionId
output EDGETRAIN_AZURE_ML__RESOURCE_GROUP string = group.name
output EDGETRAIN_AZURE_ML__WORKSPACE string = machineLearning.outputs.name
output EDGETRAIN_CONTAINER_REGISTRY__URL string = 'https://${registry.outputs.host}'
output EDGETRAIN_SIGNING__KEY_VAULT_KEY string = secrets.outputs.signingKeyUri
output EDGETRAIN_ARRIVALS_TOPIC string = messaging.outputs.arrivalsTopicName
output EDGETRAIN_RUNS_TOPIC string = messaging.outputs.runsTopicName
output EDGETRAIN_STORAGE_NAME string = storage.outputs.name
output EDGETRAIN_LEDGER_PREFIX string = ledgerPrefix
output EDGETRAIN_DEAD_LETTERS string = storage.outputs.deadLetterContainer
output EDGETRAIN_EVENTS_IDENTITY string = identity.outputs.eventsIdentityName
output EDGETRAIN_APP_IDENTITY string = identity.outputs.appIdentityName
output EDGETRAIN_APP_CLIENT_ID string = identity.outputs.appClientId
output EDGETRAIN_DURABLE_BACKEND string = durableBackend
output EDGETRAIN_SQL_HOST string = durableBackend == 'mssql' ? sql.outputs.host : ''
output EDGETRAIN_ARRIVALS_ENDPOINT string = messaging.outputs.arrivalsEndpoint
