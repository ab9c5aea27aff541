"""The hub's blob storage as the app uses it: take snapshots, and read-only scans. It never reads rows."""

import hashlib
import json
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import IO, Self, TypeVar

from azure.storage.blob import BlobProperties

from shared.clients.hub_blobs import BLOCK, HubBlobs, entry_of
from shared.decisions.arrivals.blob_names import can_be_had, some_of, spelt
from shared.decisions.arrivals.watched_blobs import done_marker, selects
from shared.decisions.snapshots.omissions import STILL_WRITTEN, UNREADABLE, described, omissions_of
from shared.decisions.snapshots.selection import SelectedSnapshot, select_snapshot
from shared.errors import Code, PermanentError
from shared.formats.manifest import BlobEntry, DisorderError, ManifestWriter, Sink, holdout_digest, listed_blobs
from shared.formats.seen_set import SeenSet, read_seen_set
from shared.messages import Snapshot
from shared.messages.listings import ListedPage, Listing
from shared.pipelines import Pipeline
from shared.settings import Site

Result = TypeVar("Result")


class HubStorage:
    """One site's blob storage. ``page`` and ``block`` as in :class:`HubBlobs`."""

    def __init__(self, name: str, site: Site, *, page: int | None = None, block: int = BLOCK) -> None:
        self._blobs = HubBlobs(name, site, page=page, block=block)
        self._name = name

    @classmethod
    def over(cls, blobs: HubBlobs) -> Self:
        """An instance over another object with the methods of :class:`HubBlobs`."""
        storage = cls.__new__(cls)
        storage._blobs, storage._name = blobs, blobs.site  # noqa: SLF001 - our own
        return storage

    @property
    def account(self) -> str:
        """The name of the storage account."""
        return self._blobs.account

    def take_snapshot(self, pipeline: Pipeline, *, since: Snapshot | None = None) -> Snapshot:
        """List the pipeline's blobs and keep those that it selects on the hub, as a manifest named by its digest.

        The same blobs give the same manifest, which is written once. ``since``: the last trained snapshot, for
        ``select: new``; when nothing is new, the snapshot has no blobs and nothing is kept. Raises
        :class:`PermanentError` with code ``NO_DATA`` when there is nothing to train on or no hold-out.
        """
        with _spool() as manifest, _spool() as seen:
            snapshot = self._list(pipeline, since, manifest, seen)
            if snapshot.seen:
                self._blobs.keep_manifest(snapshot.seen, seen)
            if snapshot.blobs:
                self._blobs.keep_manifest(snapshot.manifest, manifest)
        return snapshot

    def preview_snapshot(self, pipeline: Pipeline, *, since: Snapshot | None = None) -> Snapshot:
        """The snapshot that :meth:`take_snapshot` would take now; nothing is written."""
        return self._list(pipeline, since, None, None)

    def listing(self, pipeline: Pipeline, *, newer_than: datetime | None = None) -> Listing:
        """List everything that the pipeline watches; ``fresh`` counts what was written after ``newer_than``.

        Raises :class:`PermanentError` as :meth:`take_snapshot` does.
        """
        holdout, _ = self._holdout(pipeline)
        passed = _PassedOver()

        def list_all(blobs: Iterable[BlobEntry]) -> Listing:
            everything = ManifestWriter(
                _nowhere, pipeline=pipeline.name, container=pipeline.data.container, holdout=holdout
            )
            fresh_blobs = fresh_size = 0
            for blob in blobs:
                everything.add(blob)
                if newer_than is None or blob.last_modified > newer_than:
                    fresh_blobs += 1
                    fresh_size += blob.size
            if everything.newest is None:
                raise self._nothing(pipeline)
            everything.end()
            return Listing(
                digest=everything.content,
                blobs=everything.blobs,
                size=everything.size,
                newest=everything.newest,
                fresh_blobs=fresh_blobs,
                fresh_size=fresh_size,
                marked_etag=self.done_marker(pipeline),
                unreadable=some_of(passed.unreadable, len(passed.unreadable)),
            )

        return self._in_order(pipeline, list_all, passed)

    def page(self, pipeline: Pipeline, marker: str | None = None, *, most: int | None = None) -> ListedPage:
        """One page of the listing: the first, or the one that a marker asks for; of so many blobs at most.

        Raises :class:`PermanentError` with code ``NO_DATA`` when there is no such container.
        """
        total, count = hashlib.sha256(), 0
        blobs, following = next(self._blobs.pages(pipeline.data, marker, most=most))
        for blob in _selected(pipeline, blobs):
            total.update(f"{json.dumps([blob.name, blob.content])}\n".encode())
            count += 1
        return ListedPage(digest=total.hexdigest(), blobs=count, next_marker=following)

    def blob(self, pipeline: Pipeline, name: str) -> BlobEntry | None:
        """A blob in the pipeline's container as it is now."""
        found = self._blobs.find(pipeline.data.container, name)
        return found[0] if found else None

    def holdout(self, pipeline: Pipeline) -> str | None:
        """The content of the pipeline's hold-out as far as it is known; None when there is no hold-out."""
        found = self.blob(pipeline, pipeline.data.holdout)
        return found.content if found else None

    def done_marker(self, pipeline: Pipeline) -> str | None:
        """The ETag of the pipeline's done-marker; None when none is configured, or it does not exist."""
        name = done_marker(pipeline)
        found = self.blob(pipeline, name) if name else None
        return found.etag if found else None

    def entries_of(self, manifest: str) -> Iterator[BlobEntry]:
        """The entries of a manifest, in order of their names; raises ``ValueError`` when there is none."""
        return listed_blobs(self._blobs.read_manifest(manifest) or ())

    def find_in_manifest(self, manifest: str, blob: str) -> BlobEntry | None:
        """The blob's entry in a manifest; None when it has none, or when the manifest does not exist any more."""
        chunks = self._blobs.read_manifest(manifest)
        for entry in listed_blobs(chunks) if chunks else ():
            if entry.name >= blob:  # they are in order of their names
                return entry if entry.name == blob else None
        return None

    def remove_manifest(self, name: str, *, unused_for: timedelta) -> bool:
        """Remove a manifest, or a list beside one; see :meth:`HubBlobs.remove_manifest`."""
        return self._blobs.remove_manifest(name, unused_for=unused_for)

    def close(self) -> None:
        """Close the connections."""
        self._blobs.close()

    def _list(
        self, pipeline: Pipeline, since: Snapshot | None, manifest: IO[bytes] | None, seen: IO[bytes] | None
    ) -> Snapshot:
        holdout, taken_at = self._holdout(pipeline)
        passed = _PassedOver()

        def select_from(blobs: Iterable[BlobEntry]) -> SelectedSnapshot:
            return select_snapshot(
                blobs,
                pipeline=pipeline,
                holdout=holdout,
                manifest=_emptied(manifest),
                seen=_emptied(seen),
                before=self._seen(pipeline, since),
            )

        selected = self._in_order(pipeline, select_from, passed)
        passed_over = (
            *omissions_of(STILL_WRITTEN, passed.written),
            *omissions_of(UNREADABLE, [spelt(name) for name in passed.unreadable]),
        )
        if selected.listed == 0:
            raise self._nothing(pipeline, described(passed_over))
        return Snapshot(
            site=self._name,
            container=pipeline.data.container,
            manifest=f"{pipeline.name}/{selected.digest}.json",
            digest=selected.digest,
            content=selected.content,
            blobs=selected.blobs,
            size=selected.size,
            newest=selected.newest,
            listing=selected.listing,
            taken_at=taken_at,
            seen=f"{pipeline.name}/{selected.seen}.seen.jsonl" if selected.seen and selected.blobs else "",
            holdout=holdout_digest(holdout, site=self._name, container=pipeline.data.container),
            left_out=passed_over,
        )

    def _in_order(
        self, pipeline: Pipeline, walk: Callable[[Iterable[BlobEntry]], Result], passed: "_PassedOver"
    ) -> Result:
        """Iterate over the readable blobs that the pipeline watches, by name; ``passed`` gets the names left out."""
        try:
            return walk(self._watched(pipeline, passed))
        except DisorderError:
            # A service may order names beyond the basic plane in its own way. Rare enough to hold them in memory.
            passed.written.clear()
            passed.unreadable.clear()
            by_name = {entry.name: entry for entry in self._watched(pipeline, passed)}
            return walk(by_name[name] for name in sorted(by_name))

    def _watched(self, pipeline: Pipeline, passed: "_PassedOver") -> Iterator[BlobEntry]:
        def pass_over(blob: BlobProperties) -> None:
            if selects(pipeline, blob.name, blob.size):
                (passed.written if can_be_had(blob.name) else passed.unreadable).append(blob.name)

        for blobs, _ in self._blobs.pages(pipeline.data, still_written=pass_over):
            for entry in _selected(pipeline, blobs):
                if can_be_had(entry.name):
                    yield entry
                else:
                    passed.unreadable.append(entry.name)

    def _seen(self, pipeline: Pipeline, since: Snapshot | None) -> SeenSet | None:
        """The seen set of ``since``. When it is missing everything is new: better trained twice than never."""
        if pipeline.data.select != "new" or since is None or not since.seen or since.site != self._name:
            return None
        chunks = self._blobs.read_manifest(since.seen)
        return read_seen_set(chunks) if chunks else None

    def _holdout(self, pipeline: Pipeline) -> tuple[BlobEntry, datetime | None]:
        data = pipeline.data
        found = self._blobs.find(data.container, data.holdout)
        if found is None:
            reason = f"site {self._name} has no hold-out {data.container}/{data.holdout}; upload it"
            raise PermanentError(reason, code=Code.NO_DATA)
        return found

    def _nothing(self, pipeline: Pipeline, but: str = "") -> PermanentError:
        data = pipeline.data
        where = f"{data.container}/{data.prefix}{data.pattern}"
        return PermanentError(
            f"site {self._name} has no blob {where} with content yet{but}; upload one", code=Code.NO_DATA
        )


@dataclass(frozen=True, slots=True)
class _PassedOver:
    """Names of listed blobs that are left out."""

    written: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)


class Hubs:
    """The blob storage of every site, each client built on first use."""

    def __init__(
        self, site_of: Callable[[str], Site], *, build: Callable[[str, Site], HubStorage] = HubStorage
    ) -> None:
        self._site_of = site_of
        self._build = build
        self._hubs: dict[str, HubStorage] = {}
        self._building = threading.Lock()

    def hub(self, site: str) -> HubStorage:
        """The storage of that site; raises :class:`PermanentError` when the settings do not have it."""
        with self._building:
            if site not in self._hubs:
                self._hubs[site] = self._build(site, self._site_of(site))
            return self._hubs[site]

    def take_snapshot(self, pipeline: Pipeline, *, since: Snapshot | None) -> Snapshot:
        """See :meth:`HubStorage.take_snapshot`."""
        return self.hub(pipeline.data.site).take_snapshot(pipeline, since=since)

    def preview_snapshot(self, pipeline: Pipeline, *, since: Snapshot | None) -> Snapshot:
        """See :meth:`HubStorage.preview_snapshot`."""
        return self.hub(pipeline.data.site).preview_snapshot(pipeline, since=since)

    def accounts(self, sites: Iterable[str]) -> dict[str, str]:
        """Site -> name of its storage account, for those that the settings have and that can be read."""
        found: dict[str, str] = {}
        for site in sites:
            with suppress(PermanentError):  # a broken site is reported when its data are read, not with every event
                found[site] = self.hub(site).account
        return found

    def close(self) -> None:
        """Close the connections."""
        for hub in self._hubs.values():
            hub.close()


def _selected(pipeline: Pipeline, blobs: Iterable[BlobProperties]) -> Iterator[BlobEntry]:
    return (entry_of(blob) for blob in blobs if selects(pipeline, blob.name, blob.size))


def _spool() -> IO[bytes]:
    return tempfile.TemporaryFile(prefix="edgetrain-manifest-")


def _emptied(spool: IO[bytes] | None) -> Sink:
    if spool is None:
        return _nowhere
    spool.seek(0)
    spool.truncate()
    return spool.write


def _nowhere(_: bytes) -> None:
    """A sink for text of which only the digest is needed."""
