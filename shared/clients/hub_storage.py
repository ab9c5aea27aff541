"""The hub's blob storage as the app uses it: list blobs, look at the hold-out, write manifests. It never reads rows.

The protocol version is pinned per site, because an Azure Stack Hub refuses every newer one.
"""

import hashlib
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import IO

from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError
from azure.storage.blob import BlobClient, BlobProperties, BlobServiceClient, ContentSettings, LinearRetry

from shared.clients.storage_errors import translated
from shared.decisions.manifest import CONTAINER as MANIFESTS
from shared.decisions.manifest import BlobEntry, DisorderError, manifest_pieces
from shared.decisions.selection import selects
from shared.errors import Code, PermanentError
from shared.messages import Snapshot
from shared.pipelines import Data, Pipeline
from shared.settings import Site

BLOCK = 4 * 1024 * 1024


@dataclass(slots=True)
class _Tally:
    """What a snapshot amounts to, counted while its manifest is written."""

    blobs: int = 0
    size: int = 0
    newest: datetime | None = None

    def count(self, entries: Iterable[BlobEntry]) -> Iterator[BlobEntry]:
        self.blobs, self.size, self.newest = 0, 0, None
        for entry in entries:
            self.blobs += 1
            self.size += entry.size
            self.newest = max(self.newest or entry.last_modified, entry.last_modified)
            yield entry


class HubStorage:
    """One site's blob storage.

    ``page``: names asked for at once (None: as many as the service gives, 5,000). ``block``: bytes of a manifest
    that are held in memory while it is uploaded.
    """

    def __init__(self, name: str, site: Site, *, page: int | None = None, block: int = BLOCK) -> None:
        self._page = page
        self._name = name
        self._setting = f"EDGETRAIN_SITES__{name.replace('-', '_').upper()}__CONNECTION_STRING"
        self._what = f"the blob storage of site {name}"
        try:
            self._service = BlobServiceClient.from_connection_string(
                site.connection_string.get_secret_value(),
                api_version=site.api_version,
                # Short: the durable retry policy waits better than a call that blocks a worker's thread.
                retry_policy=LinearRetry(backoff=1, retry_total=2, random_jitter_range=1),
                connection_timeout=10,
                read_timeout=60,
                max_single_put_size=block,
                max_block_size=block,
            )
        except ValueError as error:
            # The text of a bad connection string may hold the key: keep it out of the reason.
            reason = f"{self._setting} is not a storage connection string with a blob endpoint"
            raise PermanentError(reason, code=Code.BAD_CONFIGURATION) from error

    @property
    def account(self) -> str:
        """The name of the storage account."""
        return str(self._service.account_name)

    def take_snapshot(self, pipeline: Pipeline) -> Snapshot:
        """List the pipeline's blobs and keep the list on the hub as a manifest named by its digest.

        The same blobs give the same manifest, which is written once. Raises :class:`PermanentError` with code
        ``NO_DATA`` when there is nothing to train on or no hold-out.
        """
        data = pipeline.data
        holdout = self._holdout(data)
        tally = _Tally()
        with tempfile.TemporaryFile(prefix="edgetrain-manifest-") as spool:
            digest = self._spool(pipeline, holdout, tally, spool)
            if tally.blobs == 0:
                where = f"{data.container}/{data.prefix}{data.pattern}"
                raise PermanentError(f"site {self._name} has no blob {where} with content yet", code=Code.NO_DATA)
            manifest = f"{pipeline.name}/{digest}.json"
            self._keep(manifest, spool)
        return Snapshot(
            site=self._name,
            container=data.container,
            manifest=manifest,
            digest=digest,
            blobs=tally.blobs,
            size=tally.size,
            newest=tally.newest,
        )

    def close(self) -> None:
        """Close the connections."""
        self._service.close()

    def _spool(self, pipeline: Pipeline, holdout: BlobEntry, tally: _Tally, spool: IO[bytes]) -> str:
        def write(entries: Iterable[BlobEntry]) -> str:
            spool.seek(0)
            spool.truncate()
            total = hashlib.sha256()
            for piece in manifest_pieces(
                pipeline=pipeline.name, container=pipeline.data.container, holdout=holdout, blobs=tally.count(entries)
            ):
                total.update(piece)
                spool.write(piece)
            return total.hexdigest()

        try:
            return write(self._entries(pipeline.data))
        except DisorderError:
            # A service may order names beyond the basic plane in its own way. Rare enough to hold them in memory.
            by_name = {entry.name: entry for entry in self._entries(pipeline.data)}
            return write(by_name[name] for name in sorted(by_name))

    def _entries(self, data: Data) -> Iterator[BlobEntry]:
        container = self._service.get_container_client(data.container)
        found = iter(container.list_blobs(name_starts_with=data.prefix or None, results_per_page=self._page))
        while True:
            with translated(self._what, self._setting):
                try:
                    blob = next(found, None)
                except ResourceNotFoundError:
                    raise self._no_container(data) from None
            if blob is None:
                return
            if selects(data, blob.name, blob.size):
                yield _entry(blob)

    def _holdout(self, data: Data) -> BlobEntry:
        with translated(self._what, self._setting):
            try:
                return _entry(self._service.get_blob_client(data.container, data.holdout).get_blob_properties())
            except ResourceNotFoundError:
                reason = f"site {self._name} has no hold-out {data.container}/{data.holdout}; upload it"
                raise PermanentError(reason, code=Code.NO_DATA) from None

    def _no_container(self, data: Data) -> PermanentError:
        return PermanentError(f"site {self._name} has no container {data.container}; create it", code=Code.NO_DATA)

    def _keep(self, manifest: str, spool: IO[bytes]) -> None:
        blob = self._service.get_blob_client(MANIFESTS, manifest)
        with translated(self._what, self._setting):
            try:
                self._upload(blob, spool)
            except ResourceNotFoundError:
                with suppress(ResourceExistsError):
                    self._service.create_container(MANIFESTS)
                self._upload(blob, spool)

    @staticmethod
    def _upload(blob: BlobClient, spool: IO[bytes]) -> None:
        size = spool.seek(0, 2)
        spool.seek(0)
        # Named by its digest: what is there already is the same.
        with suppress(ResourceExistsError):
            settings = ContentSettings(content_type="application/json")
            blob.upload_blob(spool, length=size, overwrite=False, content_settings=settings)


class Hubs:
    """The blob storage of every site, each client built on first use."""

    def __init__(self, site_of: Callable[[str], Site]) -> None:
        self._site_of = site_of
        self._hubs: dict[str, HubStorage] = {}
        self._building = threading.Lock()

    def hub(self, site: str) -> HubStorage:
        """The storage of that site; raises :class:`PermanentError` when the settings do not have it."""
        with self._building:
            if site not in self._hubs:
                self._hubs[site] = HubStorage(site, self._site_of(site))
            return self._hubs[site]

    def take_snapshot(self, pipeline: Pipeline) -> Snapshot:
        """See :meth:`HubStorage.take_snapshot`."""
        return self.hub(pipeline.data.site).take_snapshot(pipeline)

    def accounts(self, sites: Iterable[str]) -> dict[str, str]:
        """Site -> name of its storage account, for those that the settings have and that can be read."""
        found: dict[str, str] = {}
        for site in sites:
            with suppress(PermanentError):  # a broken site is told when its data is asked for, not for every event
                found[site] = self.hub(site).account
        return found

    def close(self) -> None:
        """Close the connections."""
        for hub in self._hubs.values():
            hub.close()


def _entry(blob: BlobProperties) -> BlobEntry:
    md5 = blob.content_settings.content_md5
    return BlobEntry(
        name=blob.name,
        # A listing gives it without quotes, an answer's header with them.
        etag='"{}"'.format(blob.etag.strip('"')),
        size=blob.size,
        md5=bytes(md5).hex() if md5 else None,
        last_modified=blob.last_modified,
    )
