// An installation with made-up values, of which `bicep snapshot` tells what the templates amount to; see github-workflow.yml.
// Nothing is deployed from here: main.parameters.json has the values of an installation.
using '../main.bicep'

param environmentName = 'example'
param location = 'westeurope'
param operatorPrincipalId = '00000000-0000-0000-0000-000000000000'
param operatorPrincipalType = 'Group'
param alertAddresses = [
  'operators@example.com'
]
param monthlyBudget = 100
param budgetStart = '2026-12-01'
param siteSettings = {
  EDGETRAIN_COMPUTES__HUB_VM__ADDRESS: '10.20.0.4'
}
param siteSecrets = {
  EDGETRAIN_SITES__FACTORY__CONNECTION_STRING: 'factory-list'
}
