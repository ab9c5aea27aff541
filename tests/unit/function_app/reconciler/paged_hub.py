"""A hub in memory that answers as ``HubStorage`` does, page by page, and looks at it."""

import hashlib
from collections.abc import Iterable
from datetime import datetime, timedelta

from function_app.reconciler.cycle_context import CycleContext
from function_app.reconciler.data_changes import detect_data_changes
from shared.clients.ledger import UnfinishedWindow
from shared.errors import Code, PermanentError
from shared.messages import ArrivalWindow, ObservedChange
from shared.messages.listings import ListedPage, Listing
from shared.pipelines import Pipeline
from tests.support.reconciler import PIPELINE, WatchedWorld
from tests.support.workflow import START

CYCLE = timedelta(minutes=2)


class PagedHub:
    """Blobs by name: when each was written. ``page_size`` names a page; a marker is the name that a page ends with."""

    def __init__(self, page_size: int = 100) -> None:
        self.blobs: dict[str, datetime] = {}
        self.page_size = page_size
        self.marker_etag: str | None = None
        self.holdout_content: str | None = "md5 1 of 9"
        self.trouble: Exception | None = None
        self.asked: list[str] = []
        self.listed = 0

    def hub(self, site: str) -> "PagedHub":
        return self

    def lands(self, *names: str, at: datetime = START) -> None:
        self.blobs |= dict.fromkeys(names, at)

    def holdout(self, pipeline: Pipeline) -> str | None:
        self._asked("holdout")
        return self.holdout_content

    def done_marker(self, pipeline: Pipeline) -> str | None:
        self._asked("done_marker")
        return self.marker_etag

    def page(self, pipeline: Pipeline, marker: str | None = None, *, most: int | None = None) -> ListedPage:
        self._asked("page")
        if marker is not None and not marker.startswith("after "):
            raise PermanentError("InvalidQueryParameterValue", code=Code.BAD_CONFIGURATION)
        names = [name for name in sorted(self.blobs) if marker is None or name > marker.removeprefix("after ")]
        shown = names[: min(self.page_size, most or self.page_size)]
        self.listed += len(shown)
        following = f"after {shown[-1]}" if len(names) > len(shown) else None
        return ListedPage(digest=self._digest(shown), blobs=len(shown), next_marker=following)

    def listing(self, pipeline: Pipeline, *, newer_than: datetime | None = None) -> Listing:
        self._asked("listing")
        if not self.blobs:
            raise PermanentError("site factory has no blob with content yet", code=Code.NO_DATA)
        fresh = [written for written in self.blobs.values() if newer_than is None or written > newer_than]
        return Listing(
            digest=self._digest(self.blobs),
            blobs=len(self.blobs),
            size=10 * len(self.blobs),
            newest=max(self.blobs.values()),
            fresh_blobs=len(fresh),
            fresh_size=10 * len(fresh),
            marked_etag=self.marker_etag,
        )

    def _asked(self, what: str) -> None:
        self.asked.append(what)
        if self.trouble is not None:
            raise self.trouble

    def _digest(self, names: Iterable[str]) -> str:
        text = f"{self.holdout_content}\n" + "".join(
            f"{name} {self.blobs[name].isoformat()}\n" for name in sorted(names)
        )
        return hashlib.sha256(text.encode()).hexdigest()


def scan(world: WatchedWorld, *unfinished: UnfinishedWindow) -> CycleContext:
    """One cycle's scan, two minutes after the last."""
    context, _ = world.cycle(lambda context: detect_data_changes(context, unfinished))
    world.now += CYCLE
    return context


def decides(world: WatchedWorld, hub: PagedHub, pipeline: str = PIPELINE) -> None:
    """The window is judged: the admission has decided on what lies there now."""
    for found in world.ledger.arrivals.unfinished_windows():
        if found.window.pipeline == pipeline:
            world.ledger.arrivals.close_window(found.window)
            world.ledger.arrivals._windows.finished(found.window.window_id)
    listing = hub.listing(world.services.pipelines.get(pipeline))
    world.ledger.listings.mark_decided(pipeline, listing.digest, listing.newest)
    hub.asked.clear()


def open_windows(world: WatchedWorld) -> list[ArrivalWindow]:
    return [found.window for found in world.ledger.arrivals.unfinished_windows() if not found.closed]


def sighted(world: WatchedWorld, pipeline: str = PIPELINE) -> ObservedChange | None:
    claim = world.ledger.arrivals._windows.current(pipeline)
    assert claim is not None
    return claim.change
