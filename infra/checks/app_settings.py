"""App settings in Bicep equal the fields of ``Settings``, both ways: what is set is read, what is read is set."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from infra.checks.bicep import BicepFile
from infra.checks.findings import Finding
from shared.settings import Settings

OF_THE_HOST = {
    "APPLICATIONINSIGHTS_AUTHENTICATION_STRING": "the host sends its telemetry by identity",
    "APPLICATIONINSIGHTS_CONNECTION_STRING": "where the host sends its telemetry",
    "AZURE_FUNCTIONS_DURABLE_STRICT_TYPING": "read by azure-functions-durable",
    "AzureWebJobsStorage__credential": "read by the host",
    "DURABLE_TASK_SCHEDULER_CONNECTION_STRING": "read by the Durable Task extension",
    "EDGETRAIN_LIBRARY_LOG_LEVEL": "read before there are settings, in function_app/logs.py",
    "FUNCTIONS_EXTENSION_VERSION": "read by Azure, on a plan that always runs",
    "FUNCTIONS_WORKER_RUNTIME": "read by the host, on a plan that always runs",
    "PYTHON_THREADPOOL_THREAD_COUNT": "read by the Python worker",
    "SCM_DO_BUILD_DURING_DEPLOYMENT": "read by Azure, on a plan that always runs: it installs requirements.txt",
    "SQLDB_Connection": "read by the Durable Task extension",
    "ServiceBusConnection__credential": "read by the host",
}
"""Settings that no field of ``Settings`` has, and who reads them."""

ELSEWHERE = {
    "APP_ROOT": "the folder of the app itself",
    "AzureWebJobsStorage": "a key; the identity is used",
    "AzureWebJobsStorage__blobServiceUri": "for other clouds; the account's name is set",
    "AzureWebJobsStorage__tableServiceUri": "for other clouds; the account's name is set",
    "ServiceBusConnection": "a key; the identity is used",
    "SITES": "of the sites: parameters siteSettings and siteSecrets",
    "COMPUTES": "of the sites: parameters siteSettings and siteSecrets",
    "TARGETS": "of the sites, and the target 'cloud' where serveInAzure is true",
    "AZURE_ML__METADATA_URL": "empty for the public cloud",
    "AZURE_ML__CLOUD": "its default is the public cloud",
    "AZURE_ML__CLIENT_SECRET": "a secret; the identity is used",
    "CONTAINER_REGISTRY__USERNAME": "the identity is used",
    "CONTAINER_REGISTRY__PASSWORD": "a secret; the identity is used",
    "SIGNING__PRIVATE_KEY_FILE": "the key vault is used",
    "ANNOUNCEMENTS__KEY": "a key; the identity is used",
    "RETENTION__KEEP_RELEASES": "its default is right to begin with",
    "RETENTION__KEEP_DAYS": "its default is right to begin with; beside the scheduler it is 30 by default",
    "APP_SERVICE_AUTHENTICATION": "docs/deploy.md: turned on when the app is put behind App Service authentication",
    "KEY_NAMES": "docs/deploy.md: made from the function keys, after the first deployment",
    "KEY_ROLES": "docs/deploy.md: given to the named keys, after the first deployment",
    "PAGE__SECRET": "docs/deploy.md: made by people and put into the vault, which siteSecrets refers to",
}
"""Fields that Bicep leaves alone, and why."""

PREFIX = "EDGETRAIN_"
SITE = "Microsoft.Web/sites"


def settings_in(app: BicepFile) -> dict[str, Any]:
    """The settings that the app's Bicep file sets by name, wherever it does, and their values."""
    return dict(_named([*app.variables.values(), *straight_in(app)]))


def straight_in(app: BicepFile) -> Iterator[Any]:
    """What stands in the places of a site's settings themselves, beside the variables that are named there."""
    for each in app.resources:
        properties = each.body.get("properties") or {}
        if each.type == SITE:
            yield properties.get("siteConfig", {}).get("appSettings", [])
        elif each.type == f"{SITE}/config" and each.body.get("name") == "appsettings":
            yield [{"name": name, "value": value} for name, value in properties.items()]


def fields(model: type[BaseModel]) -> dict[str, tuple[str, Any]]:
    """Name without prefix -> name in the environment and type, of all that can be set; maps by name count as one."""
    return dict(_fields(model))


def check(app: BicepFile) -> Iterator[Finding]:
    """``app``: the file of the Function App."""
    there, read = settings_in(app), {name: alias for name, (alias, _) in fields(Settings).items()}
    for name in sorted(there):
        if name in OF_THE_HOST or _is_field(name, read):
            continue
        yield Finding(app.name, f"sets {name}, which nothing reads; remove it, or say in {__name__} who does")
    for name, alias in sorted(read.items()):
        if alias in there or name in ELSEWHERE or alias in ELSEWHERE:
            continue
        yield Finding(app.name, f"does not set {alias}; set it, or say in {__name__} why not")
    for name in sorted(set(ELSEWHERE) - set(read) - set(read.values())):
        yield Finding(app.name, f"{name} is no setting any more; remove it from {__name__}")


def check_parameters(app: BicepFile, path: Path) -> Iterator[Finding]:
    """``path``: values of parameters, whose ``siteSettings`` and ``siteSecrets`` name no setting a second time."""
    given = json.loads(path.read_text(encoding="utf-8"))["parameters"]
    further = {name for part in ("siteSettings", "siteSecrets") for name in given.get(part, {}).get("value", {})}
    for name in sorted(further & set(settings_in(app))):
        yield Finding(path.name, f"{name} is set by {app.name}, and would be there twice; use its parameter instead")


def _is_field(name: str, read: Mapping[str, str]) -> bool:
    if name in read.values():
        return True
    # Of the maps by name, the rest of the name is the client's to check (shared.clients.serving_targets).
    return any(name.startswith(f"{PREFIX}{part}__") for part in ("SITES", "COMPUTES", "TARGETS"))


def _named(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, list):
        for each in value:
            yield from _named(each)
    elif isinstance(value, Mapping):
        if isinstance(value.get("name"), str) and "value" in value:
            yield value["name"], value["value"]
        else:
            yield from _named([*value.values()])


def _fields(model: type[BaseModel], path: str = "") -> Iterator[tuple[str, tuple[str, Any]]]:
    for name, field in model.model_fields.items():
        alias = field.validation_alias
        if isinstance(alias, str):
            yield alias, (alias, field.annotation)
            continue
        key = f"{path}{name.upper()}"
        part = _part(field.annotation)
        if part is None:
            yield key, (f"{PREFIX}{key}", field.annotation)
        else:
            yield from _fields(part, f"{key}__")


def _part(annotation: Any) -> type[BaseModel] | None:
    """The settings model that a field holds, unless it is a map of them."""
    if get_origin(annotation) is dict:
        return None
    for each in (annotation, *get_args(annotation)):
        if isinstance(each, type) and issubclass(each, BaseModel):
            return each
    return None
