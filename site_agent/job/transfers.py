"""Brings blobs to their places in the folder of a run, several side by side: out of the cache, or over the network."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Final, TypeVar

from site_agent.job.cache import Cache, Item, Session, key_of
from site_agent.job.hub import BlobRef, ChangedError, HubReader, insist

SIDE_BY_SIDE: Final = 8  # transfers; with many small blobs one mostly waits for the hub

Work = TypeVar("Work")
Result = TypeVar("Result")


class _StoppedError(Exception):
    """The run has failed or was cancelled, so that nothing more is transferred."""


class Transfers:
    """The blobs of one container on the way to a run. ``moved``: bytes that came over the network so far."""

    def __init__(self, hub: HubReader, container: str, cache: Cache) -> None:
        self.moved = 0
        self._hub = hub
        self._container = container
        self._cache = cache
        self._counting = threading.Lock()
        self._stopped = threading.Event()

    def bring(self, targets: Mapping[BlobRef, Path], *, say: Callable[[str], None]) -> list[BlobRef]:
        """Bring each blob to its path, read-only; returns those that changed since they were listed.

        Raises ``HubError`` when the hub fails, and ``NoRoomError`` when the disk does.
        """
        items = {blob: self.item(blob) for blob in targets}
        with self._cache.session() as session:
            missing = session.take(items.values())
            session.reserve(missing)
            new = {item.key for item in missing}
            say(f"{len(items)} files, {len(new)} of which are not in the cache")

            def bring(blob: BlobRef) -> bool:
                item = items[blob]
                if item.key in new and not self._transfer(blob, item, session):
                    return False
                targets[blob].parent.mkdir(parents=True, exist_ok=True)
                session.place(item, targets[blob])
                return True

            return [blob for blob, there in zip(targets, self._each(bring, targets), strict=True) if not there]

    def item(self, blob: BlobRef) -> Item:
        """What the cache knows a blob as."""
        return Item(key_of(self._hub.account, self._container, blob.name, blob.etag), blob.size)

    def _transfer(self, blob: BlobRef, item: Item, session: Session) -> bool:
        """Add a blob to the cache's session; whether it still is what was listed."""

        def fill(file: BinaryIO) -> None:
            for chunk in self._hub.chunks(self._container, blob):
                self._go_on()
                file.write(chunk)
                with self._counting:
                    self.moved += len(chunk)

        try:
            insist(lambda: session.add(item, fill), wait=self._wait)
        except ChangedError:
            return False
        return True

    def _each(self, work: Callable[[Work], Result], of: Iterable[Work]) -> Iterator[Result]:
        """The results in order of what is done side by side; the first error ends all of it."""
        waiting: deque[Future[Result]] = deque()
        source = iter(of)
        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            try:
                while True:
                    ahead = 4 * SIDE_BY_SIDE - len(waiting)  # a pool holds all that it is given
                    waiting.extend(pool.submit(work, each) for each in islice(source, ahead))
                    if not waiting:
                        return
                    yield waiting.popleft().result()
            except BaseException:
                self._stopped.set()
                pool.shutdown(wait=True, cancel_futures=True)
                raise

    def _go_on(self) -> None:
        if self._stopped.is_set():
            raise _StoppedError

    def _wait(self, seconds: float) -> None:
        self._stopped.wait(seconds)
        self._go_on()
