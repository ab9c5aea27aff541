"""The typed environment of the app. Read when first asked for; secrets stay wrapped until the client that needs them.

Sites and targets are maps by name; their fields are separate variables, so that secrets can be Key Vault references:
``EDGETRAIN_SITES__FACTORY__CONNECTION_STRING``, ``EDGETRAIN_TARGETS__VM__PRIVATE_KEY`` and so on. Names are matched in
lower case with ``-`` written as ``_``.
"""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from shared.errors import Code, PermanentError

Part = TypeVar("Part")

HUB_API_VERSION = "2019-07-07"  # the newest an Azure Stack Hub's storage answers
SERVICE_BUS_SETTING = "ServiceBusConnection"  # the name that the trigger's binding gives it


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class Site(_Part):
    """A hub's blob storage, as the app reaches it: it lists data and keeps manifests, it never reads rows.

    ``sas``: by container (``-`` as ``_``), a signature that goes before the credential of the connection string.
    """

    connection_string: SecretStr
    sas: dict[str, SecretStr] = Field(default_factory=dict)
    api_version: str = HUB_API_VERSION


class SshHost(_Part):
    """A VM reached by SSH with a key and a pinned host key (one ``type base64`` line)."""

    address: str
    port: int = 22
    username: str
    private_key: SecretStr
    host_key: str = ""

    @field_validator("private_key", mode="before")
    @classmethod
    def _newlines(cls, value: object) -> object:
        # App settings are single lines: a PEM text may be given with \n written out.
        return value.replace("\\n", "\n") if isinstance(value, str) else value


class Compute(SshHost):
    """A training VM, attached to Azure ML as a compute target of the same name. ``slots``: trainings at a time.

    ``pull_*``: what the VM pulls images with; best a user that may only read. ``receipt_key``: the public key (PEM)
    that the VM's receipts are signed with; empty: signatures are not checked.
    """

    home: str = Field("", description="the home of that user on the VM, when it is not the usual one")
    pull_username: str = ""
    pull_password: SecretStr = SecretStr("")
    slots: int = Field(1, ge=1, le=50, description="how many trainings the VM may run at the same time")
    receipt_key: str = ""


class TargetSettings(_Part):
    """What the settings say of a target that serves models; the model of its ``kind`` reads the rest.

    See :mod:`shared.clients.serving_targets`.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    kind: str = "vm"

    @property
    def own(self) -> dict[str, Any]:
        """The settings of its kind, as they are in the environment: with secrets, so never to be shown."""
        return dict(self.model_extra or {})

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        """Without what its kind may hold to be a secret."""
        yield "kind", self.kind


class AzureMl(_Part):
    """The Azure ML workspace and the service principal that speaks to it."""

    metadata_url: str = Field("", description="cloud metadata; empty only for the public Azure cloud")
    cloud: str = "AzureCloud"
    tenant_id: str
    client_id: str
    client_secret: SecretStr
    subscription_id: str
    resource_group: str
    workspace: str


class ContainerRegistry(_Part):
    """Where images are pushed to. ``url`` with scheme; http only on loopback."""

    url: str
    username: str = ""
    password: SecretStr = SecretStr("")


class Signing(_Part):
    """What images are signed with, and whose signatures count.

    ``private_key_file``: a PEM file; ``key_vault_key``: the identifier of a key in Key Vault, with its version, which
    goes before the file. ``trusted_keys``: public keys (PEM), one after the other while keys are rotated.
    """

    private_key_file: str = ""
    key_vault_key: str = ""
    trusted_keys: str = ""


class Announcements(_Part):
    """The Event Grid topic that runs are announced on, in the CloudEvents schema."""

    endpoint: str
    key: SecretStr


class Retention(_Part):
    """What is kept of past runs: images of so many releases on each target, records of so many days."""

    keep_releases: int = Field(3, ge=1, le=100)
    keep_days: int = Field(90, ge=1, le=3650)


class _Environment(EnvSettingsSource):
    """The environment, whose values are texts where no field says otherwise: a password of digits stays as it is."""

    def decode_complex_value(self, field_name: str, field: FieldInfo | None, value: Any) -> Any:
        return value if field is None else super().decode_complex_value(field_name, field, value)


class Settings(BaseSettings):
    """Everything the app reads from its environment."""

    model_config = SettingsConfigDict(env_prefix="EDGETRAIN_", env_nested_delimiter="__", frozen=True, extra="ignore")

    ledger_connection_string: SecretStr = Field(validation_alias="AzureWebJobsStorage")
    ledger_prefix: str = Field("edgetrain", pattern=r"^[a-z][a-z0-9]{0,20}$")
    app_root: Path = Path(__file__).resolve().parent.parent
    sites: dict[str, Site]
    computes: dict[str, Compute]
    targets: dict[str, TargetSettings]
    azure_ml: AzureMl
    container_registry: ContainerRegistry
    signing: Signing = Field(Signing(), description="without a key, no image is made and none is run")
    retention: Retention = Retention()
    announcements: Announcements | None = Field(None, description="absent: runs are not announced")
    app_service_authentication: bool = Field(
        default=False, description="App Service authentication is on, and refuses or strips what does not pass it"
    )
    key_names: dict[str, str] = Field(
        default_factory=dict, description="by name of a function key: SHA-256 of the key, in hex"
    )
    service_bus_connection_string: SecretStr | None = Field(
        None,
        validation_alias=SERVICE_BUS_SETTING,
        description="the namespace of training-requests and training-results; absent: no messages",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - replaced by our own
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - we read no such files
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - nor these
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What is given in code, then the environment."""
        return init_settings, _Environment(settings_cls)

    def site(self, name: str) -> Site:
        """The hub of that name; raises :class:`PermanentError` naming the missing setting."""
        return _named(self.sites, name, "SITES")

    def compute(self, name: str) -> Compute:
        """The compute target of that name; raises :class:`PermanentError` naming the missing setting."""
        return _named(self.computes, name, "COMPUTES")

    def target(self, name: str) -> TargetSettings:
        """What is set for the target of that name; raises :class:`PermanentError` naming the missing setting."""
        return _named(self.targets, name, "TARGETS")


def setting_of(target: str, field: str) -> str:
    """The name of a target's setting in the environment; ``field`` in upper case."""
    return f"EDGETRAIN_TARGETS__{target.replace('-', '_').upper()}__{field}"


def _named(parts: dict[str, Part], name: str, variable: str) -> Part:
    key = name.replace("-", "_").lower()
    if key not in parts:
        setting = f"EDGETRAIN_{variable}__{key.upper()}__..."
        raise PermanentError(f"the app settings have no {setting}; add them for {name!r}", code=Code.BAD_CONFIGURATION)
    return parts[key]


@cache
def settings() -> Settings:
    """The settings of this process, read once."""
    return Settings()
