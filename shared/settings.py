"""The typed environment of the app. Read when first asked for; secrets stay wrapped until the client that needs them.

Sites and targets are maps by name; their fields are separate variables, so that secrets can be Key Vault references:
``EDGETRAIN_SITES__FACTORY__CONNECTION_STRING``, ``EDGETRAIN_TARGETS__VM__PRIVATE_KEY`` and so on. Names are matched in
lower case with ``-`` written as ``_``.
"""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.access_settings import AccessSettings, PageSettings
from shared.environment import Meaning, read_as
from shared.errors import Code, PermanentError

Part = TypeVar("Part")
GivenSecret = Annotated[SecretStr | None, AfterValidator(lambda secret: secret or None)]  # empty: not given

HUB_API_VERSION = "2019-07-07"  # the newest an Azure Stack Hub's storage answers
HOST_STORAGE_SETTING = "AzureWebJobsStorage"  # the host's own name
NO_HOST_STORAGE = (
    f"the host's storage account is not named; set {HOST_STORAGE_SETTING}__accountName, or "
    f"{HOST_STORAGE_SETTING}__blobServiceUri, __tableServiceUri and __queueServiceUri, or {HOST_STORAGE_SETTING}"
)
ARRIVALS_TOPIC_SETTING = "EDGETRAIN_ARRIVALS__TOPIC_ID"
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
    ca_bundle: str = Field("", description="a file (PEM) with the authorities of the hub; empty: the usual ones")


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
    """The Azure ML workspace, and the service principal that speaks to it. Without its secret: the app's identity."""

    metadata_url: str = Field("", description="cloud metadata; empty only for the public Azure cloud")
    cloud: str = "AzureCloud"
    tenant_id: str = ""
    client_id: str = ""
    client_secret: GivenSecret = None
    subscription_id: str
    resource_group: str
    workspace: str

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.client_secret is not None and not (self.tenant_id and self.client_id):
            raise ValueError("a service principal needs TENANT_ID and CLIENT_ID beside CLIENT_SECRET; add them")
        return self


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
    """The Event Grid topic that runs are announced on, as CloudEvents. Without a key: by the app's identity."""

    endpoint: str
    key: GivenSecret = None


class Arrivals(_Part):
    """The Event Grid topic that sites tell of new blobs on. Only the doctor asks for it."""

    topic_id: str = Field("", description="its resource id; empty: its subscriptions are not looked at")


class HostStorage(_Part):
    """The host's storage account: a connection string, or the addresses of its services and the app's identity.

    ``client_id``: of a user-assigned identity; empty: the one that the app's other clients use. The names of the
    settings are those that the Functions host reads.
    https://learn.microsoft.com/azure/azure-functions/functions-reference#connecting-to-host-storage-with-an-identity
    """

    connection_string: SecretStr | None = None
    blobs: str = ""
    tables: str = ""
    client_id: str = ""


class ServiceBus(_Part):
    """A Service Bus namespace: a connection string, or its host name and the app's identity (as in HostStorage)."""

    connection_string: SecretStr | None = None
    namespace: str = ""
    client_id: str = ""


class Retention(_Part):
    """What is kept of past runs: images of so many releases on each target, records of so many days."""

    keep_releases: int = Field(3, ge=1, le=100)
    keep_days: int = Field(90, ge=1, le=3650)


class LedgerSettings(BaseSettings):
    """Where the ledger is: tables and blobs of the host's storage account, with a prefix to their names."""

    model_config = SettingsConfigDict(env_prefix="EDGETRAIN_", frozen=True, extra="ignore")

    host_storage_connection_string: SecretStr | None = Field(None, validation_alias=HOST_STORAGE_SETTING)
    host_storage_account: str = Field("", validation_alias=f"{HOST_STORAGE_SETTING}__accountName")
    host_storage_blobs: str = Field("", validation_alias=f"{HOST_STORAGE_SETTING}__blobServiceUri")
    host_storage_tables: str = Field("", validation_alias=f"{HOST_STORAGE_SETTING}__tableServiceUri")
    host_storage_client_id: str = Field("", validation_alias=f"{HOST_STORAGE_SETTING}__clientId")
    ledger_prefix: str = Field("edgetrain", pattern=r"^[a-z][a-z0-9]{0,20}$")
    identity_client_id: str = Field(
        "", validation_alias="AZURE_CLIENT_ID", description="of the user-assigned identity; empty: the system's own"
    )

    @property
    def has_host_storage(self) -> bool:
        """Whether the account is named, by one way or another."""
        by_address = self.host_storage_blobs and self.host_storage_tables
        return bool(self.host_storage_connection_string or self.host_storage_account or by_address)

    @property
    def host_storage(self) -> HostStorage:
        """How the host's storage account is reached."""
        blobs, tables = (
            given or f"https://{self.host_storage_account}.{service}.core.windows.net/"
            for service, given in (("blob", self.host_storage_blobs), ("table", self.host_storage_tables))
        )
        return HostStorage(
            connection_string=self.host_storage_connection_string or None,
            blobs=blobs,
            tables=tables,
            client_id=self.host_storage_client_id or self.identity_client_id,
        )


class Settings(LedgerSettings, AccessSettings):
    """Everything the app reads from its environment."""

    model_config = SettingsConfigDict(env_prefix="EDGETRAIN_", env_nested_delimiter="__", frozen=True, extra="ignore")

    app_root: Path = Path(__file__).resolve().parent.parent
    sites: dict[str, Site]
    computes: dict[str, Compute]
    targets: dict[str, TargetSettings]
    azure_ml: AzureMl
    container_registry: ContainerRegistry
    signing: Signing = Field(Signing(), description="without a key, no image is made and none is run")
    retention: Retention = Retention()
    page: PageSettings = PageSettings()
    announcements: Announcements | None = Field(None, description="absent: runs are not announced")
    arrivals: Arrivals = Arrivals()
    service_bus_connection_string: SecretStr | None = Field(
        None,
        validation_alias=SERVICE_BUS_SETTING,
        description="the namespace of training-requests and training-results; absent: no messages",
    )
    service_bus_namespace: str = Field("", validation_alias=f"{SERVICE_BUS_SETTING}__fullyQualifiedNamespace")
    service_bus_client_id: str = Field("", validation_alias=f"{SERVICE_BUS_SETTING}__clientId")

    @model_validator(mode="after")
    def _has_host_storage(self) -> Self:
        if not self.has_host_storage:
            raise ValueError(NO_HOST_STORAGE)
        return self

    @property
    def service_bus(self) -> ServiceBus:
        """How the Service Bus namespace is reached."""
        return ServiceBus(
            connection_string=self.service_bus_connection_string or None,
            namespace=self.service_bus_namespace,
            client_id=self.service_bus_client_id or self.identity_client_id,
        )

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


def read_settings(meaning: Meaning) -> Settings:
    """The settings as they are now. ``meaning``: of a setting's name and value, such as the secret at an address."""
    return read_as(Settings, meaning)


@cache
def settings() -> Settings:
    """The settings of this process, read once, each for what it says."""
    return Settings()
