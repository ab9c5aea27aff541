// What somebody must hear of without looking: a run failed, a message is in the quarantine, a site is silent, money runs out.
param name string
param location string
param tags object
param alertAddresses array
param appInsightsId string
param serviceBusId string
param arrivalsId string
param runsId string
param monthlyBudget int
param budgetStart string

resource people 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: 'ag-${name}'
  location: 'global'
  tags: tags
  properties: {
    groupShortName: 'edgetrain'
    enabled: true
    emailReceivers: [for (address, number) in alertAddresses: {
      name: 'mail-${number}'
      emailAddress: address
      useCommonAlertSchema: true
    }]
  }
}

// Lines of the app's log, which the host sends; shared/alert_lines.py has their beginnings. They need no collector of metrics.
var queries = [
  {
    name: 'run-failed'
    what: 'A training run failed, or a model was rolled back'
    severity: 1
    query: 'traces | where message has "alert run-ended-badly:"'
    window: 'PT15M'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'site-silent'
    what: 'A site cannot be listed for an hour'
    severity: 1
    query: 'traces | where message has "alert site-silent:"'
    window: 'PT15M'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'app-silent'
    what: 'The timer of the reconciler has not run for half an hour'
    severity: 1
    query: 'requests | where name == "keep_watch" or operation_Name == "keep_watch"'
    window: 'PT30M'
    operator: 'LessThan'
    threshold: 1
  }
  {
    name: 'functions-fail'
    what: 'Functions of the app fail again and again'
    severity: 2
    query: 'requests | where success == false'
    window: 'PT1H'
    operator: 'GreaterThan'
    threshold: 20
  }
]

resource logAlerts 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [for each in queries: {
  name: 'alert-${name}-${each.name}'
  location: location
  tags: tags
  properties: {
    displayName: each.what
    description: each.what
    severity: each.severity
    enabled: true
    scopes: [
      appInsightsId
    ]
    evaluationFrequency: 'PT15M'
    windowSize: each.window
    criteria: {
      allOf: [
        {
          query: each.query
          timeAggregation: 'Count'
          operator: each.operator
          threshold: each.threshold
        }
      ]
    }
    actions: {
      actionGroups: [
        people.id
      ]
    }
  }
}]

var queueAlerts = [
  {
    name: 'quarantine'
    what: 'A message that is not understood lies in the quarantine'
    metric: 'ActiveMessages'
    queue: 'training-requests-quarantine'
  }
  {
    name: 'poison'
    what: 'A request could not be handled at ten deliveries'
    metric: 'DeadletteredMessages'
    queue: 'training-requests'
  }
]

resource messageAlerts 'Microsoft.Insights/metricAlerts@2018-03-01' = [for each in queueAlerts: {
  name: 'alert-${name}-${each.name}'
  location: 'global'
  tags: tags
  properties: {
    description: each.what
    severity: 2
    enabled: true
    scopes: [
      serviceBusId
    ]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT15M'
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          criterionType: 'StaticThresholdCriterion'
          name: each.name
          metricName: each.metric
          metricNamespace: 'Microsoft.ServiceBus/namespaces'
          timeAggregation: 'Maximum'
          operator: 'GreaterThan'
          threshold: 0
          dimensions: [
            {
              name: 'EntityName'
              operator: 'Include'
              values: [
                each.queue
              ]
            }
          ]
        }
      ]
    }
    actions: [
      {
        actionGroupId: people.id
      }
    ]
  }
}]

// What cannot be delivered is stored, or dropped where that fails too. The app lists new files and asks for the status of
// trainings all the same, so that this costs minutes, not data.
var eventAlerts = [
  {
    name: 'events-lost'
    what: 'Events about new files could not be delivered to the app, nor stored'
    topic: arrivalsId
    namespace: 'Microsoft.EventGrid/topics'
    metric: 'DroppedEventCount'
  }
  {
    name: 'events-lost-stored'
    what: 'Events about new files could not be delivered to the app; they are stored'
    topic: arrivalsId
    namespace: 'Microsoft.EventGrid/topics'
    metric: 'DeadLetteredCount'
  }
  {
    name: 'events-lost-runs'
    what: 'Events about trainings that ended could not be delivered to the app, nor stored'
    topic: runsId
    namespace: 'Microsoft.EventGrid/systemTopics'
    metric: 'DroppedEventCount'
  }
  {
    name: 'events-lost-runs-stored'
    what: 'Events about trainings that ended could not be delivered to the app; they are stored'
    topic: runsId
    namespace: 'Microsoft.EventGrid/systemTopics'
    metric: 'DeadLetteredCount'
  }
]

resource eventsLost 'Microsoft.Insights/metricAlerts@2018-03-01' = [for each in eventAlerts: {
  name: 'alert-${name}-${each.name}'
  location: 'global'
  tags: tags
  properties: {
    description: each.what
    severity: 3
    enabled: true
    scopes: [
      each.topic
    ]
    evaluationFrequency: 'PT15M'
    windowSize: 'PT1H'
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          criterionType: 'StaticThresholdCriterion'
          name: each.name
          metricName: each.metric
          metricNamespace: each.namespace
          timeAggregation: 'Total'
          operator: 'GreaterThan'
          threshold: 0
        }
      ]
    }
    actions: [
      {
        actionGroupId: people.id
      }
    ]
  }
}]

resource budget 'Microsoft.Consumption/budgets@2024-08-01' = if (monthlyBudget > 0) {
  name: 'budget-${name}'
  properties: {
    category: 'Cost'
    amount: monthlyBudget
    timeGrain: 'Monthly'
    timePeriod: {
      startDate: budgetStart
    }
    notifications: {
      atEightyPercent: {
        enabled: true
        operator: 'GreaterThan'
        threshold: 80
        thresholdType: 'Actual'
        contactEmails: alertAddresses
        contactGroups: [
          people.id
        ]
      }
    }
  }
}
