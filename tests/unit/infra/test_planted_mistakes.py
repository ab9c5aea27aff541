"""One mistake at a time, each of another kind, is planted into a copy of the infrastructure: each is named."""

from dataclasses import dataclass

import pytest

from tests.unit.infra.conftest import Planted


@dataclass(frozen=True)
class Mistake:
    kind: str
    file: str
    old: str
    new: str
    where: str
    what: str


MESSAGING, APP, SECRETS = "modules/messaging.bicep", "modules/app.bicep", "modules/secrets.bicep"
REGISTRY, MAIN = "modules/registry.bicep", "main.bicep"

MISTAKES = [
    Mistake(
        "a renamed property",
        MESSAGING,
        "requiresDuplicateDetection: true",
        "requireDuplicateDetection: true",
        f"{MESSAGING}: quarantine",
        "properties.requireDuplicateDetection: there is no such property",
    ),
    Mistake(
        "a property of another type",
        REGISTRY,
        "    adminUserEnabled: false",
        "    adminUserEnabled: false\n    disableLocalAuth: true",
        f"{REGISTRY}: registry",
        "properties.disableLocalAuth: there is no such property",
    ),
    Mistake(
        "a property without what it requires",
        SECRETS,
        "    tenantId: subscription().tenantId\n",
        "",
        f"{SECRETS}: vault",
        "properties.tenantId: is required",
    ),
    Mistake(
        "no duplicate detection where the code relies on it",
        MESSAGING,
        "    requiresDuplicateDetection: true // a message",
        "    requiresDuplicateDetection: false // a message",
        f"{MESSAGING}: quarantine",
        "properties.requiresDuplicateDetection must be true",
    ),
    Mistake(
        "a value of the wrong kind",
        MESSAGING,
        "maxDeliveryCount: 10",
        "maxDeliveryCount: true",
        f"{MESSAGING}: requests",
        "properties.maxDeliveryCount: must be int, and is True",
    ),
    Mistake(
        "a value that is none of the choices",
        "modules/alerts.bicep",
        "criterionType: 'StaticThresholdCriterion'",
        "criterionType: 'StaticCriterion'",
        "modules/alerts.bicep: messageAlerts",
        "'StaticCriterion' is none of",
    ),
    Mistake(
        "a queue of another name than the trigger's",
        MESSAGING,
        "name: 'training-requests'",
        "name: 'training-request'",
        MESSAGING,
        "does not make the queue or topic training-requests, which the app needs",
    ),
    Mistake(
        "a table of another name than the ledger's",
        "modules/storage.bicep",
        "name: '${ledgerPrefix}imagepins'",
        "name: '${ledgerPrefix}pins'",
        "modules/storage.bicep",
        "does not make the table ${ledgerPrefix}imagepins, which the app needs",
    ),
    Mistake(
        "a table that stays behind when the ledger moves",
        "modules/storage.bicep",
        "name: '${ledgerPrefix}imagepins'",
        "name: 'edgetrainimagepins'",
        "modules/storage.bicep",
        "makes the table edgetrainimagepins, which the app does not know",
    ),
    Mistake(
        "tables that begin with something else than the app's",
        MAIN,
        "param ledgerPrefix string = 'edgetrain'",
        "param ledgerPrefix string = 'ledger'",
        MAIN,
        "ledgerPrefix is 'ledger' unless somebody says otherwise, and 'edgetrain' in the app",
    ),
    Mistake(
        "tables of a ledger whose name no operator is told",
        MAIN,
        "output EDGETRAIN_LEDGER_PREFIX string = ledgerPrefix\n",
        "",
        MAIN,
        "has no output EDGETRAIN_LEDGER_PREFIX",
    ),
    Mistake(
        "a subscription to a function that is not there",
        "after-code.bicep",
        "/functions/on_training_status",
        "/functions/on_status",
        "after-code.bicep",
        "makes a subscription for on_status, which the app does not know",
    ),
    Mistake(
        "an end of a run that no event tells of",
        "after-code.bicep",
        "        'Microsoft.MachineLearningServices.RunStatusChanged'\n",
        "",
        "after-code.bicep: runChanged",
        "must filter on the event types Microsoft.MachineLearningServices.RunCompleted and Microsoft.MachineLearn",
    ),
    Mistake(
        "events of another type than those of runs that end",
        "after-code.bicep",
        "RunCompleted",
        "ModelRegistered",
        "after-code.bicep: runChanged",
        "must filter on the event types Microsoft.MachineLearningServices.RunCompleted and Microsoft.MachineLearn",
    ),
    Mistake(
        "a filter on a field that not every event has",
        "after-code.bicep",
        "        'Microsoft.MachineLearningServices.RunStatusChanged'\n      ]\n",
        "        'Microsoft.MachineLearningServices.RunStatusChanged'\n      ]\n"
        "      advancedFilters: [\n        {\n          operatorType: 'StringIn'\n          key: 'data.runStatus'\n"
        "          values: [\n            'Completed'\n          ]\n        }\n      ]\n",
        "after-code.bicep: runChanged",
        "must not filter on fields",
    ),
    Mistake(
        "a property that Flex Consumption refuses",
        APP,
        "ftpsState: alwaysRuns ? 'Disabled' : null",
        "ftpsState: 'Disabled'",
        f"{APP}: app",
        "properties.siteConfig.ftpsState: Flex Consumption refuses it",
    ),
    Mistake(
        "FTP where the plan knows it",
        APP,
        "ftpsState: alwaysRuns ? 'Disabled' : null",
        "ftpsState: alwaysRuns ? 'AllAllowed' : null",
        f"{APP}: app",
        "properties.siteConfig.ftpsState: must be 'Disabled' where alwaysRuns",
    ),
    Mistake(
        "a setting that Flex Consumption refuses",
        APP,
        "var appSettings = [\n",
        "var appSettings = [\n  {\n    name: 'FUNCTIONS_WORKER_RUNTIME'\n    value: 'python'\n  }\n",
        APP,
        "FUNCTIONS_WORKER_RUNTIME: Flex Consumption refuses it",
    ),
    Mistake(
        "a setting that Flex Consumption refuses, in the site itself",
        APP,
        "appSettings: concat(hostSettings,",
        "appSettings: concat([\n        {\n          name: 'WEBSITE_TIME_ZONE'\n          value: location\n        }\n"
        "      ], hostSettings,",
        APP,
        "WEBSITE_TIME_ZONE: Flex Consumption refuses it",
    ),
    Mistake(
        "a setting that Flex Consumption refuses, in a resource of its own",
        APP,
        "// Nobody publishes with a password.",
        "resource more 'Microsoft.Web/sites/config@2024-11-01' = {\n  parent: app\n  name: 'appsettings'\n"
        "  properties: {\n    WEBSITE_CONTENTSHARE: suffix\n  }\n}\n",
        APP,
        "WEBSITE_CONTENTSHARE: Flex Consumption refuses it",
    ),
    Mistake(
        "a secret in clear, in the site itself",
        APP,
        "appSettings: concat(hostSettings,",
        "appSettings: concat([\n  {\n    name: 'EDGETRAIN_PAGE__SECRET'\n    value: suffix\n  }\n"
        "      ], hostSettings,",
        APP,
        "EDGETRAIN_PAGE__SECRET is a secret; set it to @Microsoft.KeyVault(",
    ),
    Mistake(
        "another task hub than that of host.json",
        "modules/scheduler.bicep",
        "name: 'EdgeTrain'",
        "name: 'default'",
        "modules/scheduler.bicep",
        "does not make the task hub EdgeTrain",
    ),
    Mistake(
        "a shape that does not exist",
        "after-code.bicep",
        "endpointType: 'AzureFunction'",
        "endpointType: 'AzureFunctions'",
        "after-code.bicep: runChanged",
        "properties.destination.endpointType: 'AzureFunctions' is none of AzureFunction, ",
    ),
    Mistake(
        "an alert on a line that nothing writes",
        "modules/alerts.bicep",
        "alert site-silent:",
        "alert site-quiet:",
        "modules/alerts.bicep",
        "looks for 'alert site-quiet:', which nothing writes",
    ),
    Mistake(
        "an alert on a queue that is not there",
        "modules/alerts.bicep",
        "queue: 'training-requests-quarantine'",
        "queue: 'training-quarantine'",
        "modules/alerts.bicep",
        "looks at the queue training-quarantine, which is not there",
    ),
    Mistake(
        "a wrong API version",
        MESSAGING,
        "namespaces/topics@2024-01-01",
        "namespaces/topics@2024-02-30",
        f"{MESSAGING}: results",
        "use 2024-01-01",
    ),
    Mistake(
        "a type that does not exist",
        MESSAGING,
        "Microsoft.ServiceBus/namespaces/queues@",
        "Microsoft.ServiceBus/namespaces/queue@",
        f"{MESSAGING}: requests",
        "there is no description of the type",
    ),
    Mistake(
        "an app setting is missing",
        APP,
        "  {\n    name: 'EDGETRAIN_SIGNING__TRUSTED_KEYS'\n    value: trustedKeys\n  }\n",
        "",
        APP,
        "does not set EDGETRAIN_SIGNING__TRUSTED_KEYS",
    ),
    Mistake(
        "an app setting that nothing reads",
        APP,
        "EDGETRAIN_SIGNING__TRUSTED_KEYS",
        "EDGETRAIN_SIGNING__TRUSTED_KEY",
        APP,
        "sets EDGETRAIN_SIGNING__TRUSTED_KEY, which nothing reads",
    ),
    Mistake(
        "a role is missing",
        REGISTRY,
        "'c2f4ef07-c644-48eb-af81-4b1b4947fb11')\n    principalId: appPrincipalId",
        "'c2f4ef07-c644-48eb-af81-4b1b4947fb11')\n    principalId: pullPrincipalId",
        "modules",
        "nothing assigns AcrDelete for the app on registry: registry",
    ),
    Mistake(
        "a role too many",
        REGISTRY,
        "'7f951dda-4ed3-4680-a7ca-43fe172d538d')\n    principalId: pullPrincipalId",
        "'8311e382-0749-4cb8-b61a-304f252e45ec')\n    principalId: pullPrincipalId",
        f"{REGISTRY}: servingPulls",
        "nothing is known to need AcrPush for Container Apps",
    ),
    Mistake(
        "a role on too much",
        MESSAGING,
        "scope: requests\n",
        "scope: bus\n",
        f"{MESSAGING}: appReceives",
        "nothing is known to need Azure Service Bus Data Receiver for the app on messaging: bus",
    ),
    Mistake(
        "a role without its reason",
        REGISTRY,
        "description: 'AcrPull: pulls the images that Container Apps run'",
        "description: 'because'",
        f"{REGISTRY}: servingPulls",
        "must begin with 'AcrPull: '",
    ),
    Mistake(
        "a secret in clear",
        APP,
        "var appSettings = [\n",
        "var appSettings = [\n  {\n    name: 'EDGETRAIN_CONTAINER_REGISTRY__PASSWORD'\n    value: registryHost\n  }\n",
        APP,
        "EDGETRAIN_CONTAINER_REGISTRY__PASSWORD is a secret; set it to @Microsoft.KeyVault(",
    ),
    Mistake(
        "an account key in a text",
        APP,
        "value: storageName",
        "value: 'AccountName=x;AccountKey=${storageName}'",
        APP,
        "'AccountKey=' looks like a secret in clear",
    ),
    Mistake(
        "an output that hands out keys",
        SECRETS,
        "output vaultName string = vault.name",
        "output vaultName string = vault.listKeys().value",
        SECRETS,
        "listKeys() reads a key",
    ),
    Mistake(
        "a secret among the parameters",
        "main.parameters.json",
        '"siteSettings": { "value": {} }',
        '"siteSettings": { "value": { "EDGETRAIN_COMPUTES__VM__PRIVATE_KEY": "x" } }',
        "main.parameters.json",
        "EDGETRAIN_COMPUTES__VM__PRIVATE_KEY is a secret; name it in siteSecrets",
    ),
    Mistake(
        "a setting among the parameters that the template sets itself",
        "main.parameters.json",
        '"siteSettings": { "value": {} }',
        '"siteSettings": { "value": { "EDGETRAIN_LEDGER_PREFIX": "restored" } }',
        "main.parameters.json",
        "EDGETRAIN_LEDGER_PREFIX is set by modules/app.bicep, and would be there twice",
    ),
    Mistake(
        "shared keys are on",
        "modules/storage.bicep",
        "allowSharedKeyAccess: false",
        "allowSharedKeyAccess: true",
        "modules/storage.bicep: account",
        "properties.allowSharedKeyAccess must be false",
    ),
    Mistake(
        "keys of a topic are on, by leaving a line out",
        MESSAGING,
        "    disableLocalAuth: true\n    minimumTlsVersionAllowed",
        "    minimumTlsVersionAllowed",
        f"{MESSAGING}: announcements",
        "properties.disableLocalAuth must be true",
    ),
    Mistake(
        "no diagnostics",
        SECRETS,
        "scope: vault\n  properties: {\n    workspaceId",
        "scope: signingKey\n  properties: {\n    workspaceId",
        f"{SECRETS}: vault",
        "has no diagnostics",
    ),
    Mistake("no tags", REGISTRY, "  tags: tags\n", "", f"{REGISTRY}: registry", "has no tags"),
    Mistake("a file that is no Bicep", REGISTRY, "properties: {", "properties: {{", REGISTRY, "cannot be parsed"),
    Mistake(
        "a parameter that nobody uses",
        MESSAGING,
        "param name string\n",
        "param name string\nparam region string = ''\n",
        MESSAGING,
        "nothing uses region",
    ),
    Mistake(
        "a name that is nothing",
        MESSAGING,
        "location: location",
        "location: locaton",
        MESSAGING,
        "locaton is the name of nothing",
    ),
    Mistake(
        "an output that does not exist",
        MAIN,
        "messaging.outputs.serviceBusHost",
        "messaging.outputs.busHost",
        MAIN,
        "messaging.outputs.busHost: modules/messaging.bicep has no such output",
    ),
    Mistake(
        "an argument that does not exist",
        MAIN,
        "    workspaceName: machineLearning",
        "    workspace: machineLearning",
        f"{MAIN}: app",
        "has no parameter workspace;",
    ),
    Mistake(
        "a required argument is missing",
        MAIN,
        "    vaultUri: secrets.outputs.vaultUri\n",
        "",
        f"{MAIN}: app",
        "needs the parameter vaultUri",
    ),
    Mistake(
        "a parameter of the deployment that does not exist",
        "main.parameters.json",
        '"monthlyBudget"',
        '"budget"',
        "main.parameters.json",
        "budget is no parameter",
    ),
    Mistake(
        "a script that asks for what is no output",
        "after-code.sh",
        "$EDGETRAIN_STORAGE_NAME",
        "$EDGETRAIN_STORAGE",
        "after-code.sh",
        "$EDGETRAIN_STORAGE is no output of main.bicep",
    ),
]


def test_as_it_is_nothing_is_found(planted: Planted) -> None:
    assert planted.found() == []


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda each: each.kind.replace(" ", "-"))
def test_a_mistake_is_named(mistake: Mistake, planted: Planted) -> None:
    planted.change(mistake.file, mistake.old, mistake.new)

    found = [(each.where, each.what) for each in planted.found()]

    assert any(where == mistake.where and mistake.what in what for where, what in found), found


def test_a_module_that_nothing_uses_is_named(planted: Planted) -> None:
    planted.write("modules/spare.bicep", "param name string\n\noutput name string = name\n")

    assert ("modules/spare.bicep", "is used by nothing; delete it, or use it in main.bicep") in [
        (each.where, each.what) for each in planted.found()
    ]
