"""No secret stands in a template: settings that are secrets say where in the key vault they are, outputs have none."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from infra.checks.app_settings import PREFIX, fields, settings_in
from infra.checks.bicep import BicepFile, texts
from infra.checks.findings import Finding
from infra.checks.source import without_texts
from shared.access_settings import KEY_NAMES, KEY_ROLES
from shared.clients.secret_settings import is_address
from shared.settings import Settings

_ADDRESS = "${vaultUri}secrets/"
_REFERENCE = f"@Microsoft.KeyVault(SecretUri={_ADDRESS}"
_OF_SITES = "secretsOfSites"
"""The variable that makes settings of ``siteSecrets``."""
_IN_CLEAR = re.compile(
    r"AccountKey=|SharedAccessKey=|SharedAccessSignature=|[?&;]sig=|-----BEGIN [A-Z ]*PRIVATE KEY|[Pp]assword=",
    re.IGNORECASE,
)
_SECRET_NAME = re.compile(
    r"(PASSWORD|SECRET|PRIVATE_KEY|CONNECTION_STRING|_KEY|TOKEN|__SAS__\w+|^AzureWebJobsStorage)$"
)
_NAME_IN_VAULT = re.compile(r"[0-9A-Za-z-]{1,127}")
_ASKS_FOR_KEYS = re.compile(r"\b(list[A-Z]\w*)\s*\(")

NO_SECRETS = {
    "APPLICATIONINSIGHTS_CONNECTION_STRING": "an address; without an identity it takes nothing (DisableLocalAuth)",
    "DURABLE_TASK_SCHEDULER_CONNECTION_STRING": "an address, and whose identity is used",
    "SQLDB_Connection": "an address, and whose identity is used",
    "EDGETRAIN_SIGNING__KEY_VAULT_KEY": "the address of a key that never leaves the vault",
}
PUBLIC = re.compile(r"(HOST_KEY|RECEIPT_KEY|TRUSTED_KEYS)$")
"""Settings of sites that hold public keys."""


def check(file: BicepFile) -> Iterator[Finding]:
    """What is secret in a file, or hands a secret out."""
    for found in sorted(set(_IN_CLEAR.findall(file.source))):
        yield Finding(file.name, f"{found!r} looks like a secret in clear; put it into the key vault, and refer to it")
    for call in sorted(set(_ASKS_FOR_KEYS.findall(without_texts(file.source)))):
        yield Finding(file.name, f"{call}() reads a key; use an identity")


def check_settings(app: BicepFile) -> Iterator[Finding]:
    """Settings of the app whose field is a secret, or whose name says so, say where in the key vault it is.

    The app reads its own by their addresses, which needs no restart when they change; App Service fills in the others.
    """
    wrapped = {alias for alias, annotation in fields(Settings).values() if SecretStr.__name__ in str(annotation)}
    for name, value in sorted(settings_in(app).items()):
        secret = name in wrapped or (_SECRET_NAME.search(name) and name not in NO_SECRETS and not PUBLIC.search(name))
        wanted = _ADDRESS if name.startswith(PREFIX) else _REFERENCE
        if secret and not (isinstance(value, str) and value.startswith(wanted)):
            yield Finding(app.name, f"{name} is a secret; set it to '{wanted}...'")
    if _OF_SITES in app.variables and not _read_by_the_app(app.variables[_OF_SITES]):
        what = f"must give the app its own secrets by their addresses: startsWith(..., '{PREFIX}') ? '{_ADDRESS}...'"
        yield Finding(app.name, f"{_OF_SITES} {what}")


def check_parameters(path: Path) -> Iterator[Finding]:
    """``path``: values of parameters; what ``siteSettings`` has is readable for everybody who may see the app."""
    text = path.read_text(encoding="utf-8")
    for found in sorted(set(_IN_CLEAR.findall(text))):
        yield Finding(path.name, f"{found!r} looks like a secret in clear; put it into the key vault")
    given = json.loads(text)["parameters"]
    for name in sorted(_value(given, "siteSettings")):
        if _SECRET_NAME.search(name) and not PUBLIC.search(name) and not name.startswith((KEY_NAMES, KEY_ROLES)):
            yield Finding(path.name, f"{name} is a secret; name it in siteSecrets, not in siteSettings")
    for name, secret in sorted(_value(given, "siteSecrets").items()):
        if not _NAME_IN_VAULT.fullmatch(str(secret)):
            yield Finding(path.name, f"{name} must be the name of a secret in the key vault, not the secret itself")


def _read_by_the_app(of_sites: Mapping[str, Any]) -> bool:
    """Whether the app itself reads the secrets of its own settings, by what the loop makes of one of them."""
    value = of_sites["config"]["value"]
    operands = value.get("operator", {}).get("operands", {}) if isinstance(value, Mapping) else {}
    address = str(operands.get("true_value")).replace("${secret.value}", "name")
    ours = PREFIX in texts(operands.get("condition"))
    return ours and is_address(address.replace("${vaultUri}", "https://example.vault.azure.net/"))


def _value(given: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = given.get(name, {}).get("value", {})
    return value if isinstance(value, Mapping) else {}
