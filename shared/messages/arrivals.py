"""Arrivals and the windows in which they are collected."""

from dataclasses import dataclass
from datetime import datetime

from shared.messages.vocabulary import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One event saying that a blob was written. ``size`` in bytes, -1 when the event did not say.

    ``api`` is the storage operation that raised the event, such as ``PutBlob``; empty when it did not say.
    """

    event_id: str
    account: str
    container: str
    blob: str
    etag: str
    size: int
    occurred_at: datetime
    received_at: datetime
    api: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedEvent:
    """An event that is not understood. ``text`` is what could be read of it, shortened; never a blob's content."""

    event_id: str
    reason: str
    received_at: datetime
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedChange:
    """An observed change: what a listing has that the decided one had not, without an event; ``size`` in bytes."""

    files: int
    size: int
    marked: bool = False


CLOSED_BY_ADMISSION = 3
"""Windows of this schema and later are closed by the admission that they lead to, before it lists anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrivalWindow:
    """The input of ``settle_arrivals``: one claimed window of one pipeline.

    ``schema`` 1: windows from before the done-marker, whose settling waits for time only; 2: for the marker too;
    :data:`CLOSED_BY_ADMISSION`: the admission closes it, so that this takes no step of its own.
    ``traceparent``: the trace of the arrival that opened it; empty where it is not known.
    """

    window_id: str
    pipeline: str
    opened_at: datetime
    traceparent: str = ""
    schema: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowState:
    """The ledger's state of a window: how much joined, and when the last arrival did; sizes in bytes.

    ``marked``: the pipeline's done-marker has arrived. ``least_files`` and ``least_bytes`` are None without a
    configured minimum.
    """

    window_id: str
    pipeline: str
    opened_at: datetime
    last_arrival_at: datetime
    arrivals: int
    quiet_seconds: float
    longest_wait_seconds: float
    size: int = 0
    marked: bool = False
    least_files: int | None = None
    least_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowVerdict:
    """Record the verdict on every arrival that joined a window."""

    window_id: str
    pipeline: str
    verdict: Verdict
    reason: str
    run_id: str | None = None
