// Who the parts are: none of them has a password.
param name string
param location string
param tags object

@description('The app.')
resource app 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: 'id-${name}-app'
  location: location
  tags: tags
}

@description('What Container Apps pull images as. It may do nothing else.')
resource pull 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: 'id-${name}-pull'
  location: location
  tags: tags
}

@description('What Event Grid stores undeliverable events as.')
resource events 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: 'id-${name}-events'
  location: location
  tags: tags
}

// Managed Identity Operator: the app makes Container Apps that pull as this identity, which is to assign it.
resource appAssignsPull 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(pull.id, app.id, 'f1a07417-d97a-45cb-824c-7a7467783830')
  scope: pull
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', 'f1a07417-d97a-45cb-824c-7a7467783830')
    principalId: app.properties.principalId
    principalType: 'ServicePrincipal'
    description: 'Managed Identity Operator: assigns the identity that pulls images to the Container Apps it makes'
  }
}

output appIdentityId string = app.id
output appIdentityName string = app.name
output appClientId string = app.properties.clientId
output appPrincipalId string = app.properties.principalId
output pullIdentityId string = pull.id
output pullIdentityName string = pull.name
output pullPrincipalId string = pull.properties.principalId
output eventsIdentityId string = events.id
output eventsIdentityName string = events.name
output eventsPrincipalId string = events.properties.principalId
