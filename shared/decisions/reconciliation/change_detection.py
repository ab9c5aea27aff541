"""Change detection: when to list all of a pipeline's data, and when to open a window for an observed change. Pure.

A quick scan costs two or three requests. Everything is listed when the scan shows a change, when the last listing is
not the decided one, and every hour, because a change in the middle of a large container shows in no quick scan.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared.messages import ObservedChange
from shared.messages.listings import DecidedListing, Listing, ScanState

FULL_LISTING_EVERY = timedelta(hours=1)
NOTIFY_EVERY = timedelta(hours=1)  # repeat interval for a listing that an admission could not decide on


@dataclass(frozen=True, slots=True, kw_only=True)
class QuickScan:
    """The hold-out, and digests of the first and the last page, or the done-marker's ETag.

    ``holdout``: its content as far as the storage knows it, None when it does not exist. A new hold-out is a change.
    """

    holdout: str | None = None
    first_page: str = ""
    last_page: str = ""
    last_marker: str | None = None
    marked_etag: str | None = None


def full_listing_is_due(
    before: ScanState | None,
    scan: QuickScan,
    decided: DecidedListing | None,
    now: datetime,
    *,
    earlier: timedelta = timedelta(0),
) -> bool:
    """Whether all data are to be listed now. ``earlier``: than the usual time, so that not all are at once."""
    if before is None or _scan(before) != scan or abs(now - before.swept_at) >= FULL_LISTING_EVERY - earlier:
        return True
    return not _decided_on(before.listing, decided) and not _notified_lately(before, before.listing, now)


def scan_state(
    before: ScanState | None, scan: QuickScan, listing: Listing | None, now: datetime, *, code: str = ""
) -> ScanState:
    """The state to keep after a full listing. ``listing``: None when there was nothing to train on.

    ``code``: the digest of the pipeline's code now.
    """
    notified = before if before is not None and (listing is None or before.told == listing.digest) else None
    return ScanState(
        swept_at=now,
        holdout=scan.holdout,
        first_page=scan.first_page,
        last_page=scan.last_page,
        last_marker=scan.last_marker,
        marked_etag=scan.marked_etag,
        listing=listing.digest if listing else "",
        unreadable=listing.unreadable if listing else "",
        told=notified.told if notified else "",
        told_at=notified.told_at if notified else None,
        code=code,
        asked_code=before.asked_code if before else "",
        asked_at=before.asked_at if before else None,
    )


def is_undecided_change(seen: ScanState, decided: DecidedListing | None, now: datetime) -> bool:
    """Whether to open a window for the listing.

    Not repeatedly for the same: an admission that cannot decide, for example because the pipeline's code is missing,
    would be asked every two minutes.
    """
    return (
        bool(seen.listing) and not _decided_on(seen.listing, decided) and not _notified_lately(seen, seen.listing, now)
    )


def after_notification(seen: ScanState, now: datetime) -> ScanState:
    """The scan state after a window was notified of the listing."""
    return replace(seen, told=seen.listing, told_at=now)


def observed_change(before: ScanState | None, listing: Listing) -> ObservedChange:
    """The observed change for the window. A done-marker counts once: when it was written since the last scan."""
    written = listing.marked_etag is not None and (before is None or before.marked_etag != listing.marked_etag)
    return ObservedChange(files=listing.fresh_blobs, size=listing.fresh_size, marked=written)


def _scan(scan: ScanState) -> QuickScan:
    return QuickScan(
        holdout=scan.holdout,
        first_page=scan.first_page,
        last_page=scan.last_page,
        last_marker=scan.last_marker,
        marked_etag=scan.marked_etag,
    )


def _decided_on(listing: str, decided: DecidedListing | None) -> bool:
    return decided is not None and decided.listing == listing


def _notified_lately(scan: ScanState, listing: str, now: datetime) -> bool:
    return scan.told == listing and scan.told_at is not None and abs(now - scan.told_at) < NOTIFY_EVERY
