"""Which VMs are to be attached: what the app's settings say of them, the outputs of the hub's template, and files."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import Field, ValidationError
from pydantic_settings import SettingsConfigDict

from cli.client.errors import WrongUseError
from shared.environment import FromTheEnvironment
from shared.errors import Code, PermanentError
from shared.pipelines import Pipelines
from shared.settings import AzureMl, Compute, LedgerSettings

_NEEDED: Final = ("ADDRESS", "USERNAME", "PRIVATE_KEY")
_OUTPUTS: Final = {"address": "address", "sshPort": "port", "trainingUser": "username", "trainingHome": "home"}
"""Outputs of ``infra/hub/azuredeploy.json`` -> fields of a compute."""


class AttachSettings(LedgerSettings, FromTheEnvironment):
    """The app's settings that attaching needs; a compute may be named in part only."""

    model_config = SettingsConfigDict(env_prefix="EDGETRAIN_", env_nested_delimiter="__", frozen=True, extra="ignore")

    azure_ml: AzureMl
    computes: dict[str, dict[str, Any]] = Field(default_factory=dict)

    def known(self, name: str) -> Mapping[str, Any]:
        """What they say of a compute."""
        return self.computes.get(name.replace("-", "_").lower(), {})


def attach_settings() -> AttachSettings:
    """The settings of the environment; raises :class:`PermanentError` naming what is missing."""
    try:
        return AttachSettings()
    except ValidationError as error:
        fields = sorted({"__".join(map(str, each["loc"])).upper() for each in error.errors()})
        named = ", ".join(f"EDGETRAIN_{field}" for field in fields)
        reason = f"the settings say not, or wrongly, where to attach: {named}; give the app's settings with --settings"
        raise PermanentError(reason, code=Code.BAD_CONFIGURATION) from None


def computes_of_pipelines(folder: Path) -> list[str]:
    """The compute targets that pipelines train on, by the names that they have in Azure ML."""
    return sorted({each.train.compute for each in Pipelines(folder).all})


def outputs_in(file: Path) -> dict[str, Any]:
    """The fields of a compute in a deployment's outputs, as ``az deployment group show`` prints them."""
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
        properties = document.get("properties", document)
        outputs: Mapping[str, Any] = properties.get("outputs", properties)
        return {field: outputs[name]["value"] for name, field in _OUTPUTS.items()}
    except OSError as error:
        raise WrongUseError(f"{file} cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        remedy = "az deployment group show --resource-group GROUP --name NAME --query properties.outputs > FILE"
        raise WrongUseError(f"{file} holds no outputs of infra/hub/azuredeploy.json", remedy=remedy) from None


def compute_of(name: str, settings: AttachSettings, given: Mapping[str, Any]) -> Compute:
    """What is known of a VM. ``given`` goes before the settings. Raises :class:`WrongUseError` naming what is not."""
    key = name.replace("-", "_").lower()
    known = {**settings.known(name), **given}
    missing = [field for field in _NEEDED if not known.get(field.lower())]
    if missing:
        names = ", ".join(f"EDGETRAIN_COMPUTES__{key.upper()}__{field}" for field in missing)
        remedy = "add them to the settings, or give --outputs FILE of the hub's deployment and --private-key-file FILE"
        raise WrongUseError(f"of the VM {name} is not known: {names}", remedy=remedy)
    try:
        return Compute.model_validate(known)
    except ValidationError as error:
        fields = ", ".join(sorted({str(each["loc"][0]).upper() for each in error.errors() if each["loc"]}))
        raise WrongUseError(f"of the VM {name} is wrong: {fields}", remedy="see shared/settings.py, Compute") from None
