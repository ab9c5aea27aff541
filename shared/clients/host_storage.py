"""Clients of the host's storage account, by connection string or by the app's identity, as the settings say."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from azure.core.credentials import TokenCredential
from azure.data.tables import TableServiceClient
from azure.storage.blob import BlobServiceClient
from pydantic import SecretStr

from shared.clients.identity import managed_identity
from shared.errors import Code, PermanentError
from shared.settings import HOST_STORAGE_SETTING, HostStorage

SETTING = HOST_STORAGE_SETTING


@dataclass(frozen=True, slots=True)
class StorageAccess:
    """How the account is reached. ``identity`` makes a credential for a client id; it is called when one is needed."""

    storage: HostStorage
    identity: Callable[[str], TokenCredential] = managed_identity

    @classmethod
    def of(cls, text: str) -> "StorageAccess":
        """Access with the account's key, or a shared access signature."""
        return cls(HostStorage(connection_string=SecretStr(text)))

    def tables(self, **options: Any) -> TableServiceClient:
        """A client of its tables; raises :class:`PermanentError` for a setting that is none."""
        if (text := self.storage.connection_string) is None:
            return TableServiceClient(self.storage.tables, credential=self._credential, **options)
        try:
            return TableServiceClient.from_connection_string(text.get_secret_value(), **options)
        except ValueError as error:
            raise _unusable("table") from error

    def blobs(self, **options: Any) -> BlobServiceClient:
        """A client of its blobs; raises :class:`PermanentError` for a setting that is none."""
        if (text := self.storage.connection_string) is None:
            return BlobServiceClient(self.storage.blobs, credential=self._credential, **options)
        try:
            return BlobServiceClient.from_connection_string(text.get_secret_value(), **options)
        except ValueError as error:
            raise _unusable("blob") from error

    @property
    def _credential(self) -> TokenCredential:
        return self.identity(self.storage.client_id)


def _unusable(service: str) -> PermanentError:
    # The text of a bad connection string may hold the key: it is not quoted.
    reason = f"{SETTING} is not a storage connection string with a {service} endpoint; copy it again"
    return PermanentError(reason, code=Code.BAD_CONFIGURATION)
