"""Credentials for a hub's blob storage: one for the account, or one per container.

The app needs to list the containers with data, and to read, create and write its own manifests. A SAS can be limited to
that, an account key cannot.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from azure.storage.blob import BlobServiceClient

from shared.clients.storage_errors import no_connection_string
from shared.errors import Code, PermanentError
from shared.settings import Site
from shared.values.texts import shortened


class HubAccess:
    """The clients of one site, by container. ``options`` makes what each client is built with."""

    def __init__(self, name: str, site: Site, options: Callable[[], dict[str, Any]] = dict) -> None:
        self._prefix = f"EDGETRAIN_SITES__{name.replace('-', '_').upper()}__"
        self._general = self._connected(site, options())
        self._own: dict[str, BlobServiceClient] = {}
        for container, signature in site.sas.items():
            token = signature.get_secret_value().strip().strip("\"'").lstrip("?")
            self._check_signature(token, site, f"{self._prefix}SAS__{container.upper()}")
            address = f"{self._general.scheme}://{self._general.primary_hostname}"
            self._own[_key(container)] = BlobServiceClient(address, token, api_version=site.api_version, **options())
        self.account = _account(site.connection_string.get_secret_value(), self._general)

    def client(self, container: str) -> BlobServiceClient:
        """The client to ask about a container."""
        return self._own.get(_key(container), self._general)

    def setting(self, container: str) -> str:
        """The app setting that holds the rights on a container."""
        key = _key(container)
        return f"{self._prefix}SAS__{key.upper()}" if key in self._own else f"{self._prefix}CONNECTION_STRING"

    def close(self) -> None:
        """Close the connections."""
        for client in (self._general, *self._own.values()):
            client.close()

    def _connected(self, site: Site, options: dict[str, Any]) -> BlobServiceClient:
        setting, text = f"{self._prefix}CONNECTION_STRING", site.connection_string.get_secret_value()
        signature = _fields(text).get("sharedaccesssignature")
        if signature is not None:
            self._check_signature(signature, site, setting)
        try:
            return BlobServiceClient.from_connection_string(text, api_version=site.api_version, **options)
        except ValueError as error:
            raise no_connection_string(setting) from error

    def _check_signature(self, token: str, site: Site, setting: str) -> None:
        fields = parse_qs(token)
        if not fields.get("sig"):
            reason = f"{setting} holds no signature: a SAS is a text such as sv=...&sr=c&sp=...&sig=..."
            raise PermanentError(reason, code=Code.BAD_CONFIGURATION)
        [version] = fields.get("sv", [""])[:1]
        if version > site.api_version:
            reason = (
                f"{setting} holds a SAS of version {version}, which a hub that knows {site.api_version} refuses; "
                "make one with the hub's own tools (an API profile of the hub)"
            )
            raise PermanentError(reason, code=Code.BAD_CONFIGURATION)


def authorities_of(name: str, site: Site) -> str:
    """The file with the authorities of a site; raises :class:`PermanentError` when there is no such file."""
    if site.ca_bundle and not Path(site.ca_bundle).is_file():
        setting = f"EDGETRAIN_SITES__{name.replace('-', '_').upper()}__CA_BUNDLE"
        reason = f"{setting} names {shortened(site.ca_bundle, 200)}, which is no file; deploy it with the app"
        raise PermanentError(reason, code=Code.BAD_CONFIGURATION)
    return site.ca_bundle


def _key(container: str) -> str:
    return container.lower().replace("-", "_")


def _fields(connection_string: str) -> dict[str, str]:
    parts = (part.partition("=") for part in connection_string.split(";"))
    return {name.strip().lower(): value.strip() for name, _, value in parts if value}


def _account(connection_string: str, client: BlobServiceClient) -> str:
    """The account's name: given, or the first label of its address, or the first part of the path behind one host."""
    if name := _fields(connection_string).get("accountname"):
        return name
    address = urlsplit(f"//{client.primary_hostname}")
    return address.path.strip("/").split("/")[0] or (address.hostname or "").split(".")[0]
