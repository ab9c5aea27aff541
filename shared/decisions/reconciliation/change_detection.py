"""When the reconciler lists all of a pipeline's data, and when it opens a window for what it sees. Pure.

A quick look costs two or three requests. Everything is listed when it shows a change, when the listing on record is not
the one that was decided on, and every hour, because a change in the middle of a large container shows in no quick look.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared.messages import Sighting
from shared.messages.listings import Listing, LookState, SettledListing

SWEEP_EVERY = timedelta(hours=1)
TELL_EVERY = timedelta(hours=1)  # about a listing that no admission decided on, because it could not


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """What a quick look sees: the hold-out, and digests of the first and of the last page, or the done-marker's ETag.

    ``holdout``: its content as far as the storage knows it, None when it is not there. New rows to measure on are news.
    """

    holdout: str | None = None
    first_page: str = ""
    last_page: str = ""
    last_marker: str | None = None
    marked_etag: str | None = None


def sweep_is_due(before: LookState | None, glance: Glance, settled: SettledListing | None, now: datetime) -> bool:
    """Whether everything is to be listed now."""
    if before is None or _glance(before) != glance or abs(now - before.swept_at) >= SWEEP_EVERY:
        return True
    return not _decided_on(before.listing, settled) and not _told(before, before.listing, now)


def seen_now(
    before: LookState | None, glance: Glance, listing: Listing | None, now: datetime, *, code: str = ""
) -> LookState:
    """What is kept of a look that listed everything. ``listing``: None for nothing that could be trained on.

    ``code``: the digest of the pipeline's code now.
    """
    told = before if before is not None and (listing is None or before.told == listing.digest) else None
    return LookState(
        swept_at=now,
        holdout=glance.holdout,
        first_page=glance.first_page,
        last_page=glance.last_page,
        last_marker=glance.last_marker,
        marked_etag=glance.marked_etag,
        listing=listing.digest if listing else "",
        unreadable=listing.unreadable if listing else "",
        told=told.told if told else "",
        told_at=told.told_at if told else None,
        code=code,
        asked_code=before.asked_code if before else "",
        asked_at=before.asked_at if before else None,
    )


def is_news(seen: LookState, settled: SettledListing | None, now: datetime) -> bool:
    """Whether a window is to be opened for what was seen.

    Not again and again for the same: an admission that cannot decide, say because the pipeline's code is missing,
    would be asked every two minutes.
    """
    return bool(seen.listing) and not _decided_on(seen.listing, settled) and not _told(seen, seen.listing, now)


def told_now(seen: LookState, now: datetime) -> LookState:
    """What is kept after a window was opened for it."""
    return replace(seen, told=seen.listing, told_at=now)


def sighting(before: LookState | None, listing: Listing) -> Sighting:
    """What a window is told. A done-marker counts once: when it was written since the last look."""
    written = listing.marked_etag is not None and (before is None or before.marked_etag != listing.marked_etag)
    return Sighting(files=listing.fresh_blobs, size=listing.fresh_size, marked=written)


def _glance(look: LookState) -> Glance:
    return Glance(
        holdout=look.holdout,
        first_page=look.first_page,
        last_page=look.last_page,
        last_marker=look.last_marker,
        marked_etag=look.marked_etag,
    )


def _decided_on(listing: str, settled: SettledListing | None) -> bool:
    return settled is not None and settled.listing == listing


def _told(look: LookState, listing: str, now: datetime) -> bool:
    return look.told == listing and look.told_at is not None and abs(now - look.told_at) < TELL_EVERY
