"""The rows of table ``arrivals``, besides those of :mod:`shared.clients.ledger.journal`.

Partition = pipeline, or one of these, since no pipeline's name starts with a dash: ``-outside`` for arrivals that no
pipeline watches, ``-rejected`` for events that are not understood.

- ``b-<blob>-<version>``: the first arrival of a version of a blob. The key is made of the event alone, so a redelivered
  event finds its own row, and another event about the same version finds that it is a duplicate.
- ``b-<blob>-<version>-<event>``: a duplicate, or an arrival outside. All rows of a blob lie together, so that its
  arrivals are one range query.
- ``r-<digest>``: an event that was rejected.
- ``d-<day>-...``: how many files came on a day, see :mod:`shared.clients.ledger.day_counts`.
- ``w-<window>``: the verdict on a window. An arrival that joined a window has that window's verdict, which is looked up
  when it is read: one write decides ten thousand arrivals, and one that joined late cannot be missed.
"""

from dataclasses import dataclass
from datetime import datetime

from shared.clients.ledger.journal import Entry
from shared.clients.ledger.keys import digest
from shared.decisions.arrivals.day_counts import counted_at
from shared.decisions.arrivals.duplicates import duplicate_reason
from shared.messages import Arrival, RejectedEvent, Verdict
from shared.values.texts import LONGEST, shortened
from shared.values.wire import from_text, to_line

OUTSIDE = "-outside"
REJECTED = "-rejected"


@dataclass(frozen=True, slots=True)
class RecordedArrival:
    """An arrival with its verdict; ``JOINED`` until its window is decided."""

    arrival: Arrival
    verdict: Verdict
    reason: str
    window_id: str | None = None
    run_id: str | None = None


@dataclass(frozen=True, slots=True)
class FirstArrival:
    """The first arrival of a version: its event, its window, and its time."""

    event: str
    window_id: str | None
    seen_at: datetime


def event_key(arrival: Arrival) -> str:
    """Stands for the event, whose id is unique within its account."""
    return digest(arrival.account, arrival.event_id)[:16]


def blob_prefix(blob: str) -> str:
    """What the keys of all rows of a blob start with, whatever the container."""
    return f"b-{digest(blob)[:16]}-"


def version_key(arrival: Arrival) -> str:
    """The row of the blob's version. Without an ETag nothing tells versions apart, so every event is one."""
    version = (arrival.etag,) if arrival.etag else ("", arrival.event_id)
    return f"{blob_prefix(arrival.blob)}{digest(arrival.account, arrival.container, *version)[:16]}"


def verdict_key(window_id: str) -> str:
    """The row of a window's verdict."""
    return f"w-{window_id}"


def joined(arrival: Arrival, version: str, window_id: str, *, marked: bool) -> Entry:
    """The entry of the first arrival of a version, in a window."""
    text = to_line(RecordedArrival(arrival, Verdict.JOINED, "", window_id))
    at = None if marked else counted_at(arrival)
    return Entry(version, arrival.received_at, text, window_id, max(0, arrival.size), marked, at)


def duplicate(arrival: Arrival, version: str, first: FirstArrival) -> Entry:
    """The entry of another event about a known version."""
    reason = duplicate_reason(arrival.received_at - first.seen_at)
    text = to_line(RecordedArrival(arrival, Verdict.DUPLICATE, reason))
    return Entry(f"{version}-{event_key(arrival)}", arrival.received_at, text)


def outside(arrival: Arrival, reason: str) -> Entry:
    """The entry of an arrival that no pipeline watches."""
    short = reason if len(reason) <= LONGEST else shortened(reason)  # it may repeat a name that fills the row
    text = to_line(RecordedArrival(arrival, Verdict.OUTSIDE, short))
    return Entry(f"{version_key(arrival)}-{event_key(arrival)}", arrival.received_at, text)


def rejected(event: RejectedEvent) -> Entry:
    """The entry of an event that is not understood; events with the same text share one."""
    return Entry(f"r-{digest(event.event_id, event.text)}", event.received_at, to_line(event))


def keys_of(text: str) -> tuple[str, ...]:
    """The keys that the row of a recorded arrival may have."""
    arrival = from_text(RecordedArrival, text).arrival
    version = version_key(arrival)
    return version, f"{version}-{event_key(arrival)}"


def keys_of_rejected(text: str) -> tuple[str, ...]:
    """The key of a rejected event's row."""
    return (rejected(from_text(RejectedEvent, text)).key,)


def first_of(text: str) -> FirstArrival:
    """The first arrival of a version, from what was recorded of it."""
    found = from_text(RecordedArrival, text)
    return FirstArrival(event_key(found.arrival), found.window_id, found.arrival.received_at)
