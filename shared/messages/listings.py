"""Listings and scans of a pipeline's data; all of them only of what the pipeline watches. Pure."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Everything that a pipeline watches, hold-out included, as it is now.

    ``digest`` is :attr:`shared.messages.Snapshot.listing` of a snapshot taken of it. ``size`` in bytes; ``newest``:
    when the newest blob was written. ``fresh_blobs`` and ``fresh_size``: what was written after the moment that the
    caller asked about, or everything. ``marked_etag``: the done-marker's, None when it is not there or not configured.
    ``unreadable``: the blobs that are left out for their names, in words.
    """

    digest: str
    blobs: int
    size: int
    newest: datetime
    fresh_blobs: int
    fresh_size: int
    marked_etag: str | None = None
    unreadable: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedPage:
    """One page of the blobs that a pipeline watches; without the hold-out, unless it lies there.

    ``digest`` is over the ``blobs`` of this page. ``next_marker`` asks for the following page; None at the end.
    """

    digest: str
    blobs: int
    next_marker: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DecidedListing:
    """The listing that the last admission decided on.

    ``code``: the digest of all that it decided on besides the data, empty when that is not known. ``run_id``: the run
    that it granted, or that it named when it refused.
    """

    listing: str
    newest: datetime | None = None
    code: str = ""
    run_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanState:
    """The state of the last scan of a pipeline's data.

    The hold-out's content; digests of the first and of the last page (``last_marker`` requests it); the done-marker's
    ETag. ``swept_at``: the time of the last full listing, and ``listing`` its digest, empty when there was nothing to
    train on. ``told``: the listing that a window was notified of last, and when. ``unreadable``: the blobs that this
    listing left out for their names, in words. ``code``: the digest of the code at that time. ``asked_code``: the
    change of code that was handled last, and when.
    """

    swept_at: datetime
    holdout: str | None = None
    first_page: str = ""
    last_page: str = ""
    last_marker: str | None = None
    marked_etag: str | None = None
    listing: str = ""
    told: str = ""
    told_at: datetime | None = None
    unreadable: str = ""
    code: str = ""
    asked_code: str = ""
    asked_at: datetime | None = None
