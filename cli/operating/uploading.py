"""Files into a site's storage, as the site's data owner puts them there: hold-out first, done-marker last.

The app itself cannot do that, because it has no right to write data. The credential is the data owner's:

1. ``HUB_STORAGE``, a connection string;
2. that of the local stack in this folder, when the app is that stack's;
3. ``EDGETRAIN_SITES__<SITE>__CONNECTION_STRING``, where that one may write.
"""

import hashlib
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, BinaryIO, Final

from cli.client import NotReachableError, WrongUseError
from cli.client.answers import Data, Pipeline
from shared.clients.storage_errors import no_connection_string, require_own, translated
from shared.errors import TransientError
from shared.settings import HUB_API_VERSION
from shared.values.texts import one_line

OWNERS: Final = "HUB_STORAGE"
_CHUNK: Final = 1024**2
_LONGEST_NAME: Final = 1024


@dataclass(frozen=True, slots=True)
class Credential:
    """A connection string and where it is from."""

    text: str
    origin: str

    def __repr__(self) -> str:
        """Without the secret."""
        return f"Credential(origin={self.origin!r})"


@dataclass(frozen=True, slots=True)
class Upload:
    """A file, and the blob that it becomes. ``trained``: whether the pipeline takes blobs of that name."""

    file: Path
    blob: str
    size: int
    trained: bool = True


def credential_for(site: str, environment: Mapping[str, str], local: Mapping[str, Any]) -> Credential:
    """The data owner's credential; ``local``: what the local stack wrote, or nothing when the app is another one's."""
    setting = f"EDGETRAIN_SITES__{site.upper().replace('-', '_')}__CONNECTION_STRING"
    hub = local.get("hub_storage")
    of_stack = hub.get("connection_string") if isinstance(hub, dict) else None
    for text, origin in (
        (environment.get(OWNERS), OWNERS),
        (of_stack, "the local stack"),
        (environment.get(setting), setting),
    ):
        if isinstance(text, str) and text.strip():
            return Credential(text.strip(), origin)
    raise WrongUseError(
        f"nothing says how the storage of site {site} is written to; the app must not, and its data owner can",
        remedy=f"set {OWNERS} to the data owner's connection string",
    )


def data_of(pipeline: Pipeline) -> Data:
    """Where a pipeline's data lie; raises :class:`WrongUseError` for a removed one."""
    if pipeline.data is None:
        raise WrongUseError(f"pipeline {pipeline.name} has no file any more, so it takes no data")
    return pipeline.data


def planned(pipeline: Pipeline, paths: Sequence[Path], holdout: Path | None) -> list[Upload]:
    """What becomes of files and folders: hold-out first, data in the order of their names, the done-marker last."""
    data, marker = data_of(pipeline), pipeline.settle.done_marker
    uploads = sorted(_data_files(data, paths), key=lambda each: (each.blob == f"{data.prefix}{marker}", each.blob))
    if holdout is not None:
        uploads.insert(0, _upload(holdout, data.holdout, trained=True))
    if not uploads:
        raise WrongUseError("there is nothing to upload: the folders are empty")
    for name, files in Counter(each.blob for each in uploads).items():
        if files > 1:
            raise WrongUseError(f"{files} of the files would become {name}; upload one of them")
    return uploads


def _data_files(data: Data, paths: Sequence[Path]) -> Iterator[Upload]:
    for path in paths:
        if path.is_dir():
            for file in sorted(each for each in path.rglob("*") if each.is_file()):
                yield _data_file(data, file, file.relative_to(path).as_posix())
        else:
            yield _data_file(data, path, path.name)


def _data_file(data: Data, file: Path, name: str) -> Upload:
    return _upload(file, f"{data.prefix}{name}", trained=fnmatchcase(name, data.pattern))


def _upload(file: Path, blob: str, *, trained: bool) -> Upload:
    try:
        with _opened(file) as opened:
            size = os.fstat(opened.fileno()).st_size
        blob.encode("utf-8")
    except UnicodeEncodeError:
        raise WrongUseError(f"{one_line(file)} has a name that is not UTF-8; rename it") from None
    if len(blob) > _LONGEST_NAME or not blob.isprintable() or "\\" in blob:
        raise WrongUseError(f"{one_line(file)} has a name that no blob can have; rename it")
    return Upload(file, blob, size, trained)


@contextmanager
def _opened(file: Path) -> Iterator[BinaryIO]:
    try:
        with file.open("rb") as opened:
            yield opened
    except OSError as error:
        raise WrongUseError(f"{one_line(file)} cannot be read: {error.strerror or error}") from None


class Storage:
    """A container of a site, as its data owner sees it. Close it at the end."""

    def __init__(self, credential: Credential, container: str) -> None:
        from azure.storage.blob import BlobServiceClient

        self._setting = credential.origin
        self._store = f"container {container}"
        try:
            self._service = BlobServiceClient.from_connection_string(
                credential.text,
                api_version=HUB_API_VERSION,
                raw_response_hook=require_own,
                retry_total=2,
                retry_backoff_factor=0.5,
                initial_backoff=1,
                increment_base=1,
                connection_timeout=10,
                read_timeout=60,
            )
        except ValueError:
            raise no_connection_string(credential.origin) from None
        self._container = self._service.get_container_client(container)

    def close(self) -> None:
        """Give the connections back."""
        self._service.close()

    def there(self, uploads: Sequence[Upload]) -> dict[str, str]:
        """Those of the blobs that exist already, with their MD5 in hex, or nothing where it is not known."""
        wanted = {each.blob for each in uploads}
        beginning = _common(sorted(wanted))
        found: dict[str, str] = {}
        with _reached(self._store, self._setting):
            if not self._container.exists():
                return {}
            for blob in self._container.list_blobs(name_starts_with=beginning or None):
                if blob.name in wanted:
                    md5 = blob.content_settings.content_md5
                    found[blob.name] = bytes(md5).hex() if md5 else ""
        return found

    def put(self, upload: Upload) -> None:
        """Write a blob, whole, in place of what has its name."""
        with _reached(self._store, self._setting), _opened(upload.file) as content:
            self._container.upload_blob(upload.blob, content, overwrite=True).close()

    def create(self) -> None:
        """Make the container where it is not there."""
        with _reached(self._store, self._setting):
            if not self._container.exists():
                self._container.create_container()


def same_content(upload: Upload, md5: str) -> bool:
    """Whether a blob of this MD5 holds what the file holds."""
    if not md5:
        return False
    found = hashlib.md5(usedforsecurity=False)
    with _opened(upload.file) as file:
        while chunk := file.read(_CHUNK):
            found.update(chunk)
    return found.hexdigest() == md5


def _common(names: Sequence[str]) -> str:
    """The beginning that all of sorted names have."""
    if not names:
        return ""
    first, last = names[0], names[-1]
    length = next((at for at, (one, other) in enumerate(zip(first, last, strict=False)) if one != other), None)
    return first[: min(len(first), len(last)) if length is None else length]


@contextmanager
def _reached(store: str, setting: str) -> Iterator[None]:
    """Our errors of the storage; what may pass means here that it is not reachable."""
    try:
        with translated(store, setting):
            yield
    except TransientError as error:
        raise NotReachableError(str(error)) from None
