"""Change detection: finds data that no event reported by a quick scan, and notifies the pipeline's window."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from function_app.composition import Services
from function_app.durable_client import start_once
from function_app.reconciler.code_changes import code_now, request_for_other_code
from function_app.reconciler.cycle_context import CycleContext
from orchestrations.request_run import NAME as REQUEST_RUN
from shared.decisions.reconciliation.change_detection import (
    FULL_LISTING_EVERY,
    QuickScan,
    after_notification,
    full_listing_is_due,
    is_undecided_change,
    observed_change,
    scan_state,
)
from shared.decisions.reconciliation.code_changes import with_other_code
from shared.decisions.reconciliation.spreading import earlier
from shared.decisions.reconciliation.troubles import Aspect, Finding
from shared.errors import Code, PermanentError, UnansweredError
from shared.messages import AdmissionRequest, ArrivalWindow, TroubleKind

if TYPE_CHECKING:
    from shared.clients.ledger import UnfinishedWindow
    from shared.messages.listings import ListedPage, Listing, ScanState
    from shared.pipelines import Pipeline

log = logging.getLogger(__name__)

LOOK = 500
"""Blobs that are listed at each end of a container with more than one page: to read them is what a look costs."""
AT_ONCE = 4  # pipelines scanned at the same time, so that a hub that does not answer delays few others


class Hub(Protocol):
    """The reads of a site's storage for change detection; they raise ``NO_DATA`` when there is nothing to train on."""

    def holdout(self, pipeline: Pipeline) -> str | None:
        """The content of the pipeline's hold-out as far as it is known; None when there is no hold-out."""

    def done_marker(self, pipeline: Pipeline) -> str | None:
        """The ETag of the pipeline's done-marker; None when there is none."""

    def page(self, pipeline: Pipeline, marker: str | None = None, *, most: int | None = None) -> ListedPage:
        """One page of the blobs that the pipeline watches; of so many at most."""

    def listing(self, pipeline: Pipeline, *, newer_than: datetime | None = None) -> Listing:
        """All blobs that the pipeline watches; those written after ``newer_than`` count as fresh."""


async def detect_data_changes(context: CycleContext, unfinished: Collection[UnfinishedWindow]) -> None:
    """Scan every pipeline's data. ``unfinished``: the windows without a verdict at the start of the cycle."""
    # Their listing is being decided on right now; what remains is detected in the next cycle.
    being_decided = {found.window.pipeline for found in unfinished if found.closed}
    room = asyncio.Semaphore(AT_ONCE)
    silent: dict[str, str] = {}  # by site: why it is not asked about its other pipelines in this cycle

    async def detect(pipeline: Pipeline) -> None:
        site = pipeline.data.site
        async with room:
            with context.scanning_data(pipeline.name):
                if site in silent:
                    raise UnansweredError(silent[site])
                try:
                    await _act_on_change(context, pipeline)
                except UnansweredError as error:  # what one pipeline's data meet otherwise is no matter of the others
                    silent[site] = str(error)
                    raise

    left_alone = being_decided | context.retired
    await asyncio.gather(*(detect(each) for each in context.services.pipelines.all if each.name not in left_alone))


async def _act_on_change(context: CycleContext, pipeline: Pipeline) -> None:
    change = await asyncio.to_thread(detect_change, context.services, pipeline, context.now)
    left_out = [Finding(TroubleKind.UNREADABLE_NAMES, f"left out for their names: {change.unreadable}")]
    context.add_findings(pipeline.name, Aspect.NAMES, left_out if change.unreadable else ())
    if change.request is not None and await start_once(
        context.client, REQUEST_RUN, change.request.requested_by, change.request
    ):
        context.done["runs requested for changed code"] += 1
    if change.window is not None:
        await start_once(context.client, "settle_arrivals", change.window.window_id, change.window)
        await asyncio.to_thread(context.services.ledger.arrivals.window_started, change.window)
        context.sighted[pipeline.name] = change.window.opened_at
        context.done["windows opened"] += 1


@dataclass(frozen=True, slots=True)
class DataChange:
    """The result of a scan of a pipeline's data.

    ``window``: the window that was opened for an observed change; None when nothing changed, or the open window was
    notified. ``request``: to be started, because the data are known and the code has changed. ``unreadable``: the blobs
    that are left out for their names, in words.
    """

    window: ArrivalWindow | None = None
    unreadable: str = ""
    request: AdmissionRequest | None = None


def detect_change(services: Services, pipeline: Pipeline, now: datetime) -> DataChange:
    """Scan a pipeline's data. Raises our errors, with code ``NO_DATA`` when there is nothing to train on."""
    listings, hub = services.ledger.listings, services.hubs.hub(pipeline.data.site)
    code = code_now(services, pipeline)
    before, decided = with_other_code(listings.last_scan(pipeline.name), code), listings.last_decided(pipeline.name)
    scan = quick_scan(hub, pipeline, before)
    ahead = earlier(pipeline.name, FULL_LISTING_EVERY)
    if before is not None and not full_listing_is_due(before, scan, decided, now, earlier=ahead):
        request = request_for_other_code(services, pipeline, code, decided=decided, scan=before, now=now)
        return DataChange(unreadable=before.unreadable, request=request)
    try:
        listing = hub.listing(pipeline, newer_than=decided.newest if decided else None)
    except PermanentError as error:
        if error.code is Code.NO_DATA:
            listings.keep_scan(pipeline.name, scan_state(before, scan, None, now, code=code))
        raise
    state = scan_state(before, scan, listing, now, code=code)
    # Read again, because an admission may have decided on this very listing in between.
    if not is_undecided_change(state, listings.last_decided(pipeline.name), now):
        listings.keep_scan(pipeline.name, state)
        return DataChange(unreadable=state.unreadable)
    window = services.ledger.arrivals.open_window(pipeline.name, at=now, change=observed_change(before, listing))
    # Only now: after a crash before it the window is notified again, which changes nothing.
    listings.keep_scan(pipeline.name, after_notification(state, now))
    log.info("pipeline %s has data that no event reported: %d files", pipeline.name, listing.fresh_blobs)
    return DataChange(window, state.unreadable)


def quick_scan(hub: Hub, pipeline: Pipeline, before: ScanState | None) -> QuickScan:
    """Two or three requests: the hold-out, and either the done-marker or the first and the last page.

    A container with more than one page is looked at where names begin and where they end. The last page is requested by
    its marker of the previous scan, if that is known.
    """
    holdout = hub.holdout(pipeline)
    if pipeline.settle.done_marker is not None:
        return QuickScan(holdout=holdout, marked_etag=hub.done_marker(pipeline))
    first = None if before is not None and before.last_marker is not None else hub.page(pipeline)
    if first is None or first.next_marker is not None:
        first = hub.page(pipeline, most=LOOK)
    if first.next_marker is None:
        return QuickScan(holdout=holdout, first_page=first.digest)
    found = _last_page_from_before(hub, pipeline, before)
    marker, last = found or _last_page(hub, pipeline, first.next_marker)
    return QuickScan(holdout=holdout, first_page=first.digest, last_page=last.digest, last_marker=marker)


def _last_page_from_before(hub: Hub, pipeline: Pipeline, before: ScanState | None) -> tuple[str, ListedPage] | None:
    """The last page by its marker of the last scan; None when that is not valid any more."""
    if before is None or before.last_marker is None:
        return None
    try:
        marker, last = _last_page(hub, pipeline, before.last_marker)
    except PermanentError:  # the service takes that marker no more
        return None
    ends_before = last.blobs == 0 and last.digest != before.last_page
    return None if ends_before else (marker, last)


def _last_page(hub: Hub, pipeline: Pipeline, marker: str) -> tuple[str, ListedPage]:
    """The last page and its marker. What lies between a marker and that page is read once, in whole pages."""
    page = hub.page(pipeline, marker, most=LOOK)
    if page.next_marker is None:
        return marker, page
    marker = page.next_marker
    while (page := hub.page(pipeline, marker)).next_marker is not None:
        marker = page.next_marker
    while (page := hub.page(pipeline, marker, most=LOOK)).next_marker is not None:
        marker = page.next_marker
    return marker, page
