"""What resources of a type owe: no keys beside identities, tags, a record of what happens to them."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from infra.checks.azure_types import known
from infra.checks.bicep import Resource
from infra.checks.findings import Finding

REQUIRED: Mapping[str, Mapping[str, object]] = {
    "Microsoft.App/managedEnvironments": {"properties.appLogsConfiguration.destination": "azure-monitor"},
    "Microsoft.ContainerRegistry/registries": {
        "properties.adminUserEnabled": False,
        "properties.anonymousPullEnabled": False,
    },
    "Microsoft.EventGrid/topics": {"properties.disableLocalAuth": True},
    "Microsoft.Insights/components": {"properties.DisableLocalAuth": True},
    "Microsoft.KeyVault/vaults": {
        "properties.enableRbacAuthorization": True,
        "properties.enablePurgeProtection": True,
    },
    "Microsoft.OperationalInsights/workspaces": {"properties.features.disableLocalAuth": True},
    "Microsoft.ServiceBus/namespaces": {"properties.disableLocalAuth": True},
    "Microsoft.Sql/servers": {"properties.administrators.azureADOnlyAuthentication": True},
    "Microsoft.Storage/storageAccounts": {
        "properties.allowSharedKeyAccess": False,
        "properties.allowBlobPublicAccess": False,
    },
    "Microsoft.Web/sites": {"properties.httpsOnly": True},
    "Microsoft.Web/sites/basicPublishingCredentialsPolicies": {"properties.allow": False},
}
"""By type: properties that keep keys, passwords and anonymous callers out."""

NAMED: Mapping[str, Mapping[str, object]] = {
    "training-requests-quarantine": {"properties.requiresDuplicateDetection": True},
    "training-results": {"properties.requiresDuplicateDetection": True},
}
"""By name: what the code relies on; shared/clients/service_bus.py sends the same id again, and lets the bus drop it."""

EXCUSED = {
    ("modules/machine-learning.bicep: artefacts", "properties.allowSharedKeyAccess"): (
        "SDK v1 uploads snapshots and outputs by signatures that the workspace makes with the key"
    ),
}
"""Where a property has another value, and why."""

RECORDED = frozenset(
    {
        "Microsoft.App/managedEnvironments",
        "Microsoft.ContainerRegistry/registries",
        "Microsoft.EventGrid/systemTopics",
        "Microsoft.EventGrid/topics",
        "Microsoft.KeyVault/vaults",
        "Microsoft.MachineLearningServices/workspaces",
        "Microsoft.ServiceBus/namespaces",
        "Microsoft.Storage/storageAccounts/blobServices",
        "Microsoft.Sql/servers/databases",
        "Microsoft.Web/sites",
    }
)
"""Types whose resources send a record of what happens to them to the workspace of logs."""

DIAGNOSTICS = "Microsoft.Insights/diagnosticSettings"


def check(resources: Iterable[Resource]) -> Iterator[Finding]:
    """``resources``: of all files."""
    made = [each for each in resources if not each.existing]
    recorded = {(each.file, each.scope) for each in made if each.type == DIAGNOSTICS}
    for each in made:
        yield from _without_keys(each)
        if each.type in RECORDED and (each.file, each.name) not in recorded:
            yield Finding(each.where, f"has no diagnostics; add {DIAGNOSTICS} with scope: {each.name}")
        described = known(each.type)
        if described is not None and "tags" in described.body.get("properties", {}) and "tags" not in each.body:
            yield Finding(each.where, "has no tags; set them")
    needed = {(each.where, path) for each in made for path in _broken(each)}
    for where, path in sorted(set(EXCUSED) - needed):
        yield Finding(where, f"{path} is as it must be; remove its excuse from {__name__}")


def _without_keys(resource: Resource) -> Iterator[Finding]:
    for path, wanted in _broken(resource).items():
        if (resource.where, path) not in EXCUSED:
            yield Finding(
                resource.where, f"{path} must be {str(wanted).lower()}; set it, or say in {__name__} why it is not"
            )


def _broken(resource: Resource) -> dict[str, object]:
    """By path: what must be there, and is not."""
    named = NAMED.get(str(resource.body.get("name")), {})
    wanted = {**REQUIRED.get(resource.type, {}), **named}
    return {path: value for path, value in wanted.items() if _at(resource.body, path) != value}


def _at(body: Any, path: str) -> Any:
    for name in path.split("."):
        body = body.get(name) if isinstance(body, Mapping) else None
    return body
