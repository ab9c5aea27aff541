"""Reads a snapshot from the hub: the manifest, then exactly the listed versions of its blobs.

Every transfer is checked against the manifest: an answer of another size or digest, or a foreign answer, counts as a
failure of the hub. It is retried, and never trained on.

The credentials are on the VM (``<site>.json`` in the folder of sites, mode 0600) and nowhere else.
"""

import hashlib
import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

from azure.core import MatchConditions
from azure.core.exceptions import AzureError, HttpResponseError, ResourceModifiedError, ResourceNotFoundError
from azure.storage.blob import BlobServiceClient

from site_agent.job.failures import OutsideError

HUB_API_VERSION: Final = "2019-07-07"  # the newest that an Azure Stack Hub's storage answers
CHUNK: Final = (
    4 * 1024 * 1024
)  # bytes of a blob held at once; the SDK would begin with 32 MiB, for each that is being read
PAUSES = (1.0, 5.0, 25.0)  # seconds before a transfer that went wrong is tried again

_CHANGED: Final = {
    "ConditionNotMet",
    "BlobNotFound",
}  # in the words of the storage; a 404 without them is of something else

_MD5: Final = re.compile("[0-9a-f]{32}")

Result = TypeVar("Result")


class HubError(OutsideError):
    """The hub, or this VM's access to it, does not work; the text holds no secret."""


class TransferError(HubError):
    """An answer was cut off, altered or foreign; a retry may succeed."""


class ChangedError(Exception):
    """The blob is not the listed version any more; not an error of anybody."""


@dataclass(frozen=True)
class Site:
    """A hub's address and this VM's credentials for it."""

    connection_string: str = field(repr=False)
    api_version: str


@dataclass(frozen=True, slots=True)
class BlobRef:
    """One line of a manifest. ``size`` in bytes; ``md5`` in hex, None when the hub knows none."""

    name: str
    etag: str
    size: int
    md5: str | None = None


@dataclass(frozen=True)
class Manifest:
    """What a run trains on."""

    container: str
    blobs: tuple[BlobRef, ...]
    holdout: BlobRef


def load_site(name: str, sites: Path) -> Site:
    """Read the credentials of a site; raises :class:`HubError` naming the file when it is missing or unusable.

    ``sites``: the folder on the VM that has a file for each.
    """
    path = sites / f"{name}.json"
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        if path.stat().st_mode & 0o077:
            raise HubError(f"the VM's {path} can be read by others; run chmod 600 on it")
        return Site(connection_string=raw["connection_string"], api_version=raw.get("api_version", HUB_API_VERSION))
    except OSError as error:
        raise HubError(f"the VM's {path} cannot be read ({error.strerror}); prepare the VM for this site") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise HubError(f"the VM's {path} is not valid JSON; prepare the VM for this site again") from None


class HubReader:
    """The blobs of one hub, read-only. ``seconds``: for an answer, without a second try; 0 for the SDK's own limits."""

    def __init__(self, site: Site, *, seconds: int = 0) -> None:
        limits: dict[str, Any] = (
            {"connection_timeout": seconds, "read_timeout": seconds, "retry_total": 0} if seconds else {}
        )
        try:
            self._service = BlobServiceClient.from_connection_string(
                site.connection_string, api_version=site.api_version, max_single_get_size=CHUNK, **limits
            )
        except (ValueError, TypeError, AttributeError):
            raise HubError("the connection string of this site on the VM is malformed") from None

    @property
    def account(self) -> str:
        """Where the blobs are: host and, behind an address without a name of its own, the account."""
        return str(self._service.primary_hostname)

    def close(self) -> None:
        """End the connections."""
        self._service.close()

    def manifest(self, container: str, name: str) -> Manifest:
        """Read a manifest and check it against its name, which is the SHA-256 of its bytes."""
        text = insist(lambda: self._manifest_text(container, name))
        try:
            raw = json.loads(text)
            manifest = Manifest(
                container=raw["container"],
                blobs=tuple(_blob(item) for item in raw["blobs"]),
                holdout=_blob(raw["holdout"]),
            )
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise HubError(f"manifest {name}: not a manifest that this job understands") from None
        if len({manifest.holdout.name, *(blob.name for blob in manifest.blobs)}) <= len(manifest.blobs):
            raise HubError(f"manifest {name}: a file stands twice in it, or the hold-out among the files to train on")
        return manifest

    def require_access(self, container: str, name: str) -> None:
        """Raise :class:`HubError` unless this VM may read a blob, or may learn that there is none; it is not read."""
        with _said_plainly(name):
            try:
                self._service.get_blob_client(container, name).get_blob_properties()
            except ResourceNotFoundError as error:
                if not getattr(error, "error_code", None):
                    raise

    def chunks(self, container: str, blob: BlobRef) -> Iterator[bytes]:
        """Stream a blob once. It is only known to be complete when it was read to the end.

        Raises :class:`ChangedError` when it is not the listed version any more, and :class:`TransferError` at the end
        when its size or digest differs from the manifest.
        """
        size, digest = 0, hashlib.md5(usedforsecurity=False)
        for chunk in self._stream(container, blob):
            size += len(chunk)
            digest.update(chunk)
            if size > blob.size:
                break
            yield chunk
        if size != blob.size:
            raise TransferError(f"{blob.name}: the hub sent {size} of {blob.size} bytes")
        if blob.md5 is not None and digest.hexdigest() != blob.md5:
            reason = "its content does not match the MD5 on the hub; if this repeats, upload it again"
            raise TransferError(f"{blob.name}: {reason}")

    def _manifest_text(self, container: str, name: str) -> bytes:
        with _said_plainly(name):
            try:
                text = bytes(self._service.get_blob_client(container, name).download_blob().readall())
            except ResourceNotFoundError as error:
                if not getattr(error, "error_code", None):
                    raise
                raise HubError(f"{name}: not in container {container} on the hub") from None
        if hashlib.sha256(text).hexdigest() != Path(name).stem:
            reason = "its content does not match the digest in its name; the answer was cut, or the blob was altered"
            raise TransferError(f"manifest {name}: {reason}")
        return text

    def _stream(self, container: str, blob: BlobRef) -> Iterator[bytes]:
        try:
            download = self._download(container, blob.name, blob.etag)
        except ChangedError:
            # Who syncs writes the same bytes again, and that is no other data: the MD5 is compared in the end too.
            download = self._download(container, blob.name, self._etag_of_the_same_bytes(container, blob))
        with _said_plainly(blob.name), _changes_told(blob.name):
            yield from download.chunks()

    def _download(self, container: str, name: str, etag: str) -> Any:
        with _said_plainly(name), _changes_told(name):
            # Sent with every range of a large blob, so that it cannot change half-way either.
            download = self._service.get_blob_client(container, name).download_blob(
                etag=etag, match_condition=MatchConditions.IfNotModified
            )
            if str(download.properties.etag or "").strip('"') != etag.strip('"'):
                raise TransferError(f"{name}: the answer is not from the hub's storage, or from one that is too old")
            return download

    def _etag_of_the_same_bytes(self, container: str, blob: BlobRef) -> str:
        """The version that the blob has now; raises :class:`ChangedError` unless it has the bytes of the manifest."""
        with _said_plainly(blob.name), _changes_told(blob.name):
            now = self._service.get_blob_client(container, blob.name).get_blob_properties()
            md5 = now.content_settings.content_md5
            if blob.md5 is None or not md5 or (bytes(md5).hex(), now.size) != (blob.md5, blob.size):
                raise ChangedError(blob.name)
            return str(now.etag)


def insist(transfer: Callable[[], Result], *, wait: Callable[[float], object] = time.sleep) -> Result:
    """Retry a transfer with growing pauses while it fails; then raises :class:`HubError`."""
    for pause in PAUSES:
        try:
            return transfer()
        except TransferError:
            wait(pause)
    try:
        return transfer()
    except TransferError as error:
        raise HubError(f"{error} (tried {len(PAUSES) + 1} times)") from None


@contextmanager
def _changes_told(name: str) -> Iterator[None]:
    """Servers differ in which of the two a conditional read of a missing blob gets."""
    try:
        yield
    except (ResourceModifiedError, ResourceNotFoundError) as error:
        if getattr(error, "error_code", None) in _CHANGED:
            raise ChangedError(name) from None
        raise


@contextmanager
def _said_plainly(name: str) -> Iterator[None]:
    """Map the SDK's errors to ours. The SDK has already retried the transient ones."""
    try:
        yield
    except HttpResponseError as error:
        status, code = error.status_code or 0, getattr(error, "error_code", None)
        if not 300 <= status < 600:
            raise TransferError(f"{name}: the answer of the hub's storage broke off") from None
        if not code:
            raise TransferError(f"{name}: the answer is not from the hub's storage ({status})") from None
        reason = f"{name}: the hub's storage answered {status} ({code})"
        if status in {401, 403}:
            raise HubError(f"{reason}; check the credentials of this site on the VM") from None
        raise (HubError if status < 500 and status not in {408, 429} else TransferError)(reason) from None
    except AzureError as error:
        raise TransferError(f"{name}: the hub's storage cannot be reached ({type(error).__name__})") from None
    except (ValueError, KeyError, TypeError, AttributeError, EOFError, OSError) as error:
        # What the SDK makes of an answer that no storage gave.
        reason = f"{name}: the answer is not from the hub's storage ({type(error).__name__})"
        raise TransferError(reason) from None


def _blob(raw: Any) -> BlobRef:
    """An entry of a manifest; raises ``ValueError``, or what Python says of a value of another kind."""
    name, etag, size, md5 = raw["name"], raw["etag"], raw["size"], raw.get("md5")
    if not isinstance(name, str) or not isinstance(etag, str) or not name or not etag:
        raise ValueError("a name or an ETag is no text")
    if type(size) is not int or size < 0:
        raise ValueError("a size is no number of bytes")
    if md5 is not None and not _MD5.fullmatch(md5):
        raise ValueError("an MD5 is no digest in hex")
    return BlobRef(name=name, etag=etag, size=size, md5=md5)
