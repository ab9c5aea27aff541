"""Arrivals and their windows; the rows are described in ``arrival_entries``, ``journal`` and ``windows``.

Nothing is lost: an arrival reads the open window *after* its blob was written, and a window is closed *before* the
container is listed. So the blob of every arrival that joined a window is in that window's listing, also when the
arrival's row was written late.

Nothing stays undecided: the window is claimed before the arrival's row is written, and the row names the window. A
crash in between leaves a window that was not started; the event's redelivery or the reconciler starts it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING

from shared.clients.ledger import arrival_entries as entries
from shared.clients.ledger.arrival_entries import OUTSIDE, REJECTED, RecordedArrival
from shared.clients.ledger.arrival_writer import JoinedWindow, Joiner
from shared.clients.ledger.day_counts import counts_of
from shared.clients.ledger.journal import Journal
from shared.clients.ledger.pages import Page
from shared.clients.ledger.tables import Row, Table
from shared.clients.ledger.windows import OpenWindow, UnfinishedWindow, WindowClaims, window_stamp
from shared.decisions.arrivals.day_counts import HISTORY, SETTLED_AFTER
from shared.formats.size_limits import fitted
from shared.messages import Arrival, ArrivalWindow, Backfill, ObservedChange, RejectedEvent, WindowState, WindowVerdict
from shared.values.wire import from_text, to_text

if TYPE_CHECKING:
    from shared.pipelines import Settle

_LONGEST_REASON = 3_000  # characters of a verdict's reason, as JSON
_CLOCKS_DIFFER = timedelta(hours=1)  # clock difference between hosts, at the most


class ArrivalLedger:
    """Records arrivals; opens, reads, closes and decides windows."""

    def __init__(self, arrivals: Table, claims: Table) -> None:
        self._arrivals = arrivals
        self._journal = Journal(arrivals)
        self._counts = self._journal.day_counts
        self._windows = WindowClaims(claims)
        self._joiner = Joiner(self._journal, self._windows)

    def record_all_outside(self, arrivals: Sequence[tuple[Arrival, str]]) -> list[bool]:
        """Record arrivals that no pipeline watches, in few requests; False for each that was recorded before."""
        return self._journal.add(OUTSIDE, [entries.outside(arrival, reason) for arrival, reason in arrivals])

    def record_rejected(self, event: RejectedEvent) -> bool:
        """Record an event that is not understood; False when one with the same text was recorded before."""
        return self._journal.add(REJECTED, [entries.rejected(event)])[0]

    def join_windows(self, pipeline: str, arrivals: Sequence[tuple[Arrival, bool]]) -> list[JoinedWindow]:
        """Record arrivals and let them join the pipeline's open window, which they open if there is none.

        Each comes with whether it is the pipeline's done-marker. Usually two requests for a hundred. Safe to repeat
        after a crash at any point.
        """
        return self._joiner.join(pipeline, arrivals)

    def open_window(self, pipeline: str, *, at: datetime, change: ObservedChange) -> ArrivalWindow | None:
        """Open a window for an observed change; the caller must start it. None when one is open, which is notified."""
        while True:
            claim, opened = self._windows.open(pipeline, at, change=change)
            if opened:
                return claim.window
            if self._windows.note_change(claim, at, change):
                return None

    def window_started(self, window: ArrivalWindow) -> None:
        """Note that the window's settling was started, so that no later arrival starts it again."""
        self._windows.started(window)

    def window_state(self, window: ArrivalWindow, *, settle: Settle) -> WindowState:
        """The number, size and latest time of what joined.

        An observed change may be in no event, and an event may be about a deleted blob: the larger of both counts.
        """
        joined = self._journal.tally(window.pipeline, window.window_id, since=window.opened_at - _CLOCKS_DIFFER)
        claim = self._windows.of(window)
        change = (claim.change if claim else None) or ObservedChange(files=0, size=0)
        moments = (window.opened_at, joined.last_at, claim.sighted_at if claim else None)
        return WindowState(
            window_id=window.window_id,
            pipeline=window.pipeline,
            opened_at=window.opened_at,
            last_arrival_at=max(moment for moment in moments if moment is not None),
            arrivals=max(joined.files, change.files),
            quiet_seconds=settle.quiet_seconds,
            longest_wait_seconds=settle.longest_wait_seconds,
            size=max(joined.size, change.size),
            marked=joined.marked or change.marked,
            least_files=settle.least_files,
            least_bytes=settle.least_bytes,
        )

    def close_window(self, window: ArrivalWindow) -> None:
        """Let the next arrival open a new window. Closing twice, or after a newer one was opened, does nothing.

        Files that only a listing has shown are counted now, beyond those that events have reported.
        """
        self._windows.close(window, self._count_unreported)

    def _count_unreported(self, claim: OpenWindow) -> None:
        if claim.change is None:
            return
        window = claim.window
        joined = self._journal.tally(window.pipeline, window.window_id, since=window.opened_at - _CLOCKS_DIFFER)
        if claim.change.files > joined.files:
            files = claim.change.files - joined.files
            self._counts.put_unreported(window.pipeline, window.window_id, window.opened_at, files)

    def counted(self, pipeline: str, *, since: datetime) -> dict[datetime, int]:
        """How many files came in each quarter of an hour, from that UTC day on. Usually one request for a year."""
        return counts_of(self._counts.rows(pipeline, since.astimezone(UTC).date()))

    def counted_and_tidied(self, pipeline: str, now: datetime) -> dict[datetime, int]:
        """The same of all that is kept; what several processes counted of days that are over is put together."""
        rows = self._counts.rows(pipeline, (now - HISTORY).astimezone(UTC).date())
        self._counts.put_together(rows, (now - SETTLED_AFTER).astimezone(UTC).date())
        return counts_of(rows)

    def backfill(self, pipeline: str, state: Backfill, *, now: datetime, most: int) -> Backfill:
        """Count a part of the arrivals that were recorded before days were counted; see :meth:`Journal.backfill`."""
        return self._journal.backfill(pipeline, state, since=now - HISTORY, most=most)

    def record_verdict(self, verdict: WindowVerdict) -> None:
        """Record the verdict on every arrival of the window, also on one whose row is still being written."""
        kept = replace(verdict, reason=fitted(verdict.reason, _LONGEST_REASON))
        self._arrivals.put(Row(verdict.pipeline, entries.verdict_key(verdict.window_id), {"judged": to_text(kept)}))
        self._windows.finished(verdict.window_id)

    def verdict_on(self, pipeline: str, window_id: str) -> WindowVerdict | None:
        """The verdict on a window, or None when it is not decided yet."""
        row = self._arrivals.get(pipeline, entries.verdict_key(window_id))
        return from_text(WindowVerdict, row.values["judged"]) if row else None

    def unfinished_windows(self) -> list[UnfinishedWindow]:
        """Every window that is not decided, of all pipelines: the open ones, and those closed but not decided."""
        return self._windows.unfinished()

    def forget(self, pipeline: str, *, before: datetime, most: int) -> int:
        """Remove the oldest arrivals of a pipeline, and the verdicts on its windows, from before that moment.

        Returns how many rows went, about ``most``. Their blobs stay where they are, and what was decided about them
        does too.
        """
        gone = self._journal.forget(pipeline, before, entries.keys_of, most=most)
        start, end = entries.verdict_key(f"{pipeline}-"), entries.verdict_key(f"{pipeline}-{window_stamp(before)}")
        for row in islice(self._arrivals.rows(pipeline, start, end, select=["judged"], page=most), most):
            self._arrivals.delete(Row(row.partition, row.key, {}))
            gone += 1
        return gone

    def forget_counts(self, pipeline: str, *, now: datetime, most: int) -> int:
        """Remove what is counted of days that no forecast and no calendar needs any more."""
        return self._counts.forget(pipeline, before=(now - HISTORY).astimezone(UTC).date(), most=most)

    def forget_outside(self, *, before: datetime, most: int) -> int:
        """Remove the oldest arrivals that no pipeline watches, and the events that were not understood."""
        outside = self._journal.forget(OUTSIDE, before, entries.keys_of, most=most)
        return outside + self._journal.forget(REJECTED, before, entries.keys_of_rejected, most=most)

    def list_arrivals(
        self, pipeline: str | None, *, limit: int = 100, after: str | None = None
    ) -> Page[RecordedArrival]:
        """The arrivals of a pipeline, or of none (``None``), newest first."""
        partition = pipeline or OUTSIDE
        page = self._journal.page(partition, RecordedArrival, limit=limit, after=after)
        return Page(self._judged(partition, page.items), page.next)

    def newest_arrivals(self, pipeline: str, *, limit: int) -> list[Arrival]:
        """The newest arrivals of a pipeline; the verdicts on their windows are not looked up."""
        page = self._journal.page(pipeline, RecordedArrival, limit=limit, after=None)
        return [recorded.arrival for recorded in page.items]

    def list_rejected(self, *, limit: int = 100, after: str | None = None) -> Page[RejectedEvent]:
        """The events that were not understood, newest first."""
        return self._journal.page(REJECTED, RejectedEvent, limit=limit, after=after)

    def arrivals_of(self, pipeline: str | None, blob: str, *, limit: int = 20) -> list[RecordedArrival]:
        """The events about a blob, newest first: to a pipeline, or outside all of them (``None``, any container)."""
        partition = pipeline or OUTSIDE
        texts = self._journal.texts(partition, entries.blob_prefix(blob), newest=limit)
        return list(self._judged(partition, [from_text(RecordedArrival, text) for text in texts]))

    def _judged(self, pipeline: str, recorded: Sequence[RecordedArrival]) -> tuple[RecordedArrival, ...]:
        """The arrivals with the verdicts on their windows; each window is looked up once."""

        @cache
        def verdict_on(window_id: str) -> WindowVerdict | None:
            return self.verdict_on(pipeline, window_id)

        return tuple(_with(entry, verdict_on(entry.window_id) if entry.window_id else None) for entry in recorded)


def _with(entry: RecordedArrival, verdict: WindowVerdict | None) -> RecordedArrival:
    if verdict is None:
        return entry
    return replace(entry, verdict=verdict.verdict, reason=verdict.reason, run_id=verdict.run_id)
