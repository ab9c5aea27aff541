"""Reads a snapshot from the hub: the manifest, then exactly the blobs that it lists, each only if it is unchanged.

The credentials lie on the VM (``~/.config/edgetrain/sites/<site>.json``, mode 0600) and nowhere else.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from azure.core import MatchConditions
from azure.core.exceptions import AzureError, HttpResponseError, ResourceModifiedError, ResourceNotFoundError
from azure.storage.blob import BlobServiceClient
from strict_csv import DataError

HUB_API_VERSION = "2019-07-07"  # the newest that an Azure Stack Hub's storage answers
CHUNK = 4 * 1024 * 1024  # bytes of a blob held at once; the SDK would begin with 32 MiB, for each that is being read
SITES = ".config/edgetrain/sites"  # below the home of the user that trains


class HubError(Exception):
    """The hub, or this VM's access to it, is not as it should be; the text holds no secret."""


@dataclass(frozen=True)
class Site:
    """How this VM reaches one hub."""

    connection_string: str = field(repr=False)
    api_version: str


@dataclass(frozen=True)
class BlobRef:
    """One line of a manifest. ``size`` in bytes."""

    name: str
    etag: str
    size: int


@dataclass(frozen=True)
class Manifest:
    """What a run trains on."""

    container: str
    blobs: tuple[BlobRef, ...]
    holdout: BlobRef


def load_site(name: str, *, home: Path) -> Site:
    """Read the credentials of a site; raises :class:`HubError` naming the file when it is missing or unusable."""
    path = home / SITES / f"{name}.json"
    shown = f"~/{SITES}/{name}.json"
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        if path.stat().st_mode & 0o077:
            raise HubError(f"the VM's {shown} can be read by others; run chmod 600 on it")
        return Site(connection_string=raw["connection_string"], api_version=raw.get("api_version", HUB_API_VERSION))
    except OSError as error:
        raise HubError(f"the VM's {shown} cannot be read ({error.strerror}); prepare the VM for this site") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise HubError(f"the VM's {shown} is not the JSON it should be; prepare the VM for this site again") from None


class HubReader:
    """The blobs of one hub, read-only."""

    def __init__(self, site: Site) -> None:
        try:
            self._service = BlobServiceClient.from_connection_string(
                site.connection_string, api_version=site.api_version, max_single_get_size=CHUNK
            )
        except ValueError:
            raise HubError("the connection string of this site on the VM is malformed") from None

    def manifest(self, container: str, name: str) -> Manifest:
        """Read a manifest and check it against its own name, which is the SHA-256 of its bytes."""
        text = b"".join(self._stream(container, name, etag=None))
        if hashlib.sha256(text).hexdigest() != Path(name).stem:
            raise HubError(f"manifest {name}: its bytes do not have the digest that names it; it was altered")
        try:
            raw = json.loads(text)
            return Manifest(
                container=raw["container"],
                blobs=tuple(_blob(item) for item in raw["blobs"]),
                holdout=_blob(raw["holdout"]),
            )
        except (ValueError, KeyError, TypeError):
            raise HubError(f"manifest {name}: not a manifest that this training code understands") from None

    def chunks(self, container: str, blob: BlobRef) -> Iterator[bytes]:
        """Stream a blob; raises :class:`DataError` when it is no longer the one that the manifest lists."""
        return self._stream(container, blob.name, etag=blob.etag)

    def _stream(self, container: str, name: str, *, etag: str | None) -> Iterator[bytes]:
        try:
            blob = self._service.get_blob_client(container, name)
            if etag is None:
                yield from blob.download_blob().chunks()
            else:
                # Sent with every range of a large blob, so that it cannot change half-way either.
                yield from blob.download_blob(etag=etag, match_condition=MatchConditions.IfNotModified).chunks()
        except (ResourceModifiedError, ResourceNotFoundError):
            # Servers differ in which of the two a conditional read of a missing blob gets.
            if etag is None:
                raise HubError(f"{name}: not in container {container} on the hub") from None
            reason = "changed or removed since the snapshot; what lies there now starts a run of its own"
            raise DataError(f"{name}: {reason}") from None
        except HttpResponseError as error:
            code = getattr(error, "error_code", None) or "no error code"
            raise HubError(f"{name}: the hub's storage answered {error.status_code} ({code})") from None
        except AzureError as error:
            raise HubError(f"{name}: the hub's storage cannot be reached ({type(error).__name__})") from None


def _blob(raw: Any) -> BlobRef:
    return BlobRef(name=raw["name"], etag=raw["etag"], size=int(raw["size"]))
