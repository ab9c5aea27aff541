"""Requests to a hub's blob storage: list blobs, find one, read and write manifests.

The protocol version is pinned per site, because an Azure Stack Hub refuses newer ones. Rows are never read.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import IO, Any

from azure.core import MatchConditions
from azure.core.exceptions import (
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.storage.blob import BlobClient, BlobProperties, BlobType, ContainerClient, ContentSettings, LinearRetry

from shared.clients.hub_access import HubAccess, authorities_of
from shared.clients.hub_listing import ListingTransport, Page, where_it_breaks
from shared.clients.storage_errors import parsed, require_own, translated
from shared.decisions.arrivals.blob_names import can_be_had, spelt
from shared.decisions.arrivals.watched_blobs import is_still_written
from shared.errors import Code, PermanentError
from shared.formats.manifest import CONTAINER as MANIFESTS
from shared.formats.manifest import BlobEntry
from shared.pipelines import Data
from shared.settings import Site

BLOCK = 4 * 1024 * 1024
_NOBODYS = "\U0010fffd"  # no blob's name starts with it


def _pass_over(_: BlobProperties) -> None:
    """For change detection, which ignores blobs that are still being written."""


class HubBlobs:
    """One site's blobs.

    ``page``: names asked for at once (None: as many as the service gives, 5,000). ``block``: bytes of a manifest that
    are held in memory while it is sent or read.
    """

    def __init__(self, name: str, site: Site, *, page: int | None = None, block: int = BLOCK) -> None:
        self.site = name
        self._page = page
        self._block = block
        self._what = f"the blob storage of site {name}"

        bundle = authorities_of(name, site)

        def options() -> dict[str, Any]:
            return {
                # Short: the durable retry policy waits better than a call that blocks a worker's thread.
                "retry_policy": LinearRetry(backoff=1, retry_total=2, random_jitter_range=1),
                "transport": ListingTransport(connection_timeout=10, read_timeout=60, connection_verify=bundle or True),
                "raw_response_hook": require_own,
                "max_single_put_size": block,
                "max_block_size": block,
                "max_single_get_size": block,
                "max_chunk_get_size": block,
            }

        self._access = HubAccess(name, site, options)

    @property
    def account(self) -> str:
        """The name of the storage account."""
        return self._access.account

    def pages(
        self,
        data: Data,
        marker: str | None = None,
        *,
        most: int | None = None,
        still_written: Callable[[BlobProperties], None] = _pass_over,
    ) -> Iterator[tuple[list[BlobProperties], str | None]]:
        """All blobs below the prefix, page by page from a marker on, each page with the marker of the next.

        ``most``: blobs of a page; None for as many as the service gives.
        Append blobs that are still being written are left out; ``still_written`` is called with each. Raises
        :class:`PermanentError` with code ``NO_DATA`` when there is no such container.
        """
        container = self._container(data.container)
        clocks: list[datetime | None] = [None]
        listed = container.list_blobs(
            name_starts_with=data.prefix or None,
            results_per_page=min(filter(None, (most, self._page)), default=None),
            raw_response_hook=_noting_clocks(clocks),
        )
        pages: Any = listed.by_page(marker)
        last = ""
        while True:
            with self._translated(data.container):
                try:
                    page = next(pages, None)
                    page = None if page is None else list(page)
                except ResourceNotFoundError:
                    reason = f"site {self.site} has no container {data.container}; create it"
                    raise PermanentError(reason, code=Code.NO_DATA) from None
                except HttpResponseError as error:
                    self._name_the_place(data, pages.continuation_token, last, error)
                    raise
            if page is None:
                return
            if pages.continuation_token and not can_be_had(pages.continuation_token):
                # A service whose markers are names: this one would lead astray.
                raise self._breaks_off(data, f"at {spelt(pages.continuation_token)}")
            still: list[BlobProperties] = []
            for blob in page:
                last = blob.name
                written = is_still_written(blob.blob_type, blob.last_modified, clocks[-1])
                (still_written if written else still.append)(blob)
            yield still, pages.continuation_token or None

    def _name_the_place(self, data: Data, marker: str | None, last: str, error: HttpResponseError) -> None:
        """Raise :class:`PermanentError` when the service fails at one place of a listing but answers otherwise.

        ``last``: the last name before the page that ``marker`` asks for.
        """
        if error.status_code != 500:
            return
        container = self._container(data.container)

        def ask(marker: str | None, size: int, prefix: str = data.prefix) -> Page:
            listed = container.list_blobs(name_starts_with=prefix or None, results_per_page=size, retry_total=0)
            pages: Any = listed.by_page(marker)
            names = [blob.name for blob in next(pages, ())]
            return (names[-1] if names else None), pages.continuation_token or None

        found = where_it_breaks(ask, marker)
        if found is None:
            return
        ask(None, 1, f"{data.prefix}{_NOBODYS}")  # raises when the service fails at everything
        before = found or last
        where = f"after {spelt(before)}" if before else f"before the first blob below {data.prefix or 'its root'}"
        raise self._breaks_off(data, where) from error

    def _breaks_off(self, data: Data, where: str) -> PermanentError:
        reason = (
            f"the listing of container {data.container} of site {self.site} breaks off {where}: the storage fails at"
            " what comes next, most likely a blob whose name holds a control character, U+FFFE or U+FFFF; remove it, or"
            " write it under another name"
        )
        return PermanentError(reason, code=Code.UNREADABLE_NAMES)

    def find(self, container: str, name: str) -> tuple[BlobEntry, datetime | None] | None:
        """A blob as it is now, and what the storage's clock said; None when there is none of that name.

        By a listing, for which the right to list is enough: to ask for a blob's properties, one must be allowed to read
        its content.
        """
        clocks: list[datetime | None] = [None]
        with self._translated(container):
            try:
                # Of the names that begin with this one, it is the first itself.
                listed = self._container(container).list_blobs(
                    name_starts_with=name,
                    results_per_page=1,
                    raw_response_hook=_noting_clocks(clocks),
                )
                found = next(iter(listed), None)
            except ResourceNotFoundError:
                return None
        return (entry_of(found), clocks[-1]) if found is not None and found.name == name else None

    def read_manifest(self, name: str) -> Iterator[bytes] | None:
        """The bytes of a manifest, block by block; None when there is none of that name."""
        with self._translated(MANIFESTS):
            try:
                # Held to the service's MD5, piece by piece.
                blob = self._container(MANIFESTS).get_blob_client(name)
                chunks = blob.download_blob(validate_content=True).chunks()
            except ResourceNotFoundError:
                return None
        return self._read(iter(chunks))

    def keep_manifest(self, name: str, content: IO[bytes]) -> None:
        """Write a manifest to the hub, unless it exists: its name is its digest.

        Raises :class:`PermanentError` when its container does not exist and may not be created.
        """
        container = self._container(MANIFESTS)
        with self._translated(MANIFESTS):
            try:
                self._upload(container.get_blob_client(name), content)
            except ResourceNotFoundError:
                self._create(container)
                self._upload(container.get_blob_client(name), content)

    def remove_manifest(self, name: str, *, unused_for: timedelta) -> bool:
        """Remove a manifest that nobody has written, or found written, for so long, by the hub's own clock.

        False when somebody has, so that it may be in use again; true also when there is none.
        """
        clocks: list[datetime | None] = [None]
        with self._translated(MANIFESTS):
            blob = self._container(MANIFESTS).get_blob_client(name)
            try:
                found = blob.get_blob_properties(raw_response_hook=_noting_clocks(clocks))
                if (clocks[-1] or datetime.now(UTC)) - found.last_modified < unused_for:
                    return False
                # Whoever takes it up meanwhile notes that, which changes its ETag.
                blob.delete_blob(etag=found.etag, match_condition=MatchConditions.IfNotModified)
            except ResourceNotFoundError:
                return True
            except ResourceModifiedError:
                return False
        return True

    def close(self) -> None:
        """Close the connections."""
        self._access.close()

    def _container(self, name: str) -> ContainerClient:
        return self._access.client(name).get_container_client(name)

    @contextmanager
    def _translated(self, container: str) -> Iterator[None]:
        with translated(self._what, self._access.setting(container)), parsed(self._what):
            yield

    def _create(self, container: ContainerClient) -> None:
        try:
            container.create_container()
        except ResourceExistsError:
            pass
        except HttpResponseError as error:
            if error.status_code != 403:
                raise
            reason = f"site {self.site} has no container {MANIFESTS}, and the app may not create it; create it"
            raise PermanentError(reason, code=Code.BAD_CONFIGURATION) from error

    def _read(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        while True:
            with self._translated(MANIFESTS):
                chunk = next(chunks, None)
            if chunk is None:
                return
            yield chunk

    def _upload(self, blob: BlobClient, content: IO[bytes]) -> None:
        size = content.seek(0, 2)
        content.seek(0)
        if size > self._block and blob.exists():  # would be refused only after all of it was sent
            _note_use(blob)
            return
        try:
            settings = ContentSettings(content_type="application/json")
            # With an MD5 of each piece, which the service checks: a key that may only write cannot look afterwards.
            blob.upload_blob(content, length=size, overwrite=False, content_settings=settings, validate_content=True)
        except ResourceExistsError:
            _note_use(blob)


def _note_use(blob: BlobClient) -> None:
    """Let a manifest that is taken up again be as young as one that was just written, so that it is not removed."""
    blob.set_blob_metadata({"used": datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")})


def entry_of(blob: BlobProperties) -> BlobEntry:
    """The manifest entry of a blob."""
    # Of other kinds the service keeps an MD5 that their writer once gave, though they were appended to since.
    vouched = blob.blob_type == BlobType.BLOCKBLOB
    md5 = blob.content_settings.content_md5 if vouched else None
    return BlobEntry(
        name=blob.name,
        # A listing gives it without quotes, an answer's header with them.
        etag='"' + blob.etag.strip('"') + '"',
        size=blob.size,
        md5=bytes(md5).hex() if md5 else None,
        last_modified=blob.last_modified,
    )


def _noting_clocks(clocks: list[datetime | None]) -> Callable[[Any], None]:
    """A response hook that records the storage's clock; it replaces the client's hook and includes its check."""

    def note_clock(answer: Any) -> None:
        require_own(answer)
        clocks.append(_date_of(answer))

    return note_clock


def _date_of(answer: Any) -> datetime | None:
    try:
        moment = parsedate_to_datetime(str(answer.http_response.headers["Date"]))
    except (KeyError, TypeError, ValueError):
        return None
    return moment if moment.tzinfo else None
