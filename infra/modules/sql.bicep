// Azure SQL: keeps the state of orchestrations instead of the storage account. It knows no passwords. The app's identity becomes
// a user of the database by infra/after-code.sh, since SQL gives its rights itself: whoever runs that, a pipeline too, has to be
// the server's administrator, and so a member of the operators' group.
param name string
param suffix string
param location string
param tags object
param operatorPrincipalId string
param operatorPrincipalType string
param logsId string

resource server 'Microsoft.Sql/servers@2023-08-01' = {
  name: 'sql-${name}-${suffix}'
  location: location
  tags: tags
  properties: {
    minimalTlsVersion: '1.2'
    publicNetworkAccess: 'Enabled'
    administrators: {
      administratorType: 'ActiveDirectory'
      azureADOnlyAuthentication: true
      login: 'operators'
      principalType: operatorPrincipalType
      sid: operatorPrincipalId
      tenantId: subscription().tenantId
    }
  }
}

// From this address range Azure lets in its own services, the app among them; who gets in is decided by identity.
resource azureServices 'Microsoft.Sql/servers/firewallRules@2023-08-01' = {
  parent: server
  name: 'AllowAllWindowsAzureIps'
  properties: {
    startIpAddress: '0.0.0.0'
    endIpAddress: '0.0.0.0'
  }
}

resource database 'Microsoft.Sql/servers/databases@2023-08-01' = {
  parent: server
  name: 'edgetrain'
  location: location
  tags: tags
  sku: {
    name: 'S1'
    tier: 'Standard'
  }
  properties: {
    zoneRedundant: false
  }
}

resource audit 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'to-logs'
  scope: database
  properties: {
    workspaceId: logsId
    logs: [
      {
        category: 'Errors'
        enabled: true
      }
      {
        category: 'Deadlocks'
        enabled: true
      }
    ]
  }
}

output host string = server.properties.fullyQualifiedDomainName
output database string = database.name
