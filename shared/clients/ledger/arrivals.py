"""Arrivals and their windows.

Table ``arrivals``, partition = pipeline (``-outside`` for arrivals that no pipeline watches):

- ``a-<newest first>-<digest>``: one arrival. The key is made of the event alone (when it occurred, its id), so that a
  redelivered event finds its own row.
- ``w-<window>``: the verdict on a window. An arrival that joined a window has that window's verdict; it is looked up
  when asked for, so that one write judges ten thousand arrivals, and none that joined late can miss it.

Table ``claims``, partition ``window``, row = pipeline: the pipeline's open window, at most one.

Nothing is lost: an arrival reads the open window *after* its blob was written, and a window is closed *before* the
container is listed. So the blob of every arrival that joined a window is in that window's listing, also when the
arrival was slow to write its row.
"""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice

from shared.clients.ledger.keys import digest, end_of, newest_first
from shared.clients.ledger.tables import Row, Table
from shared.errors import TransientError
from shared.messages import Arrival, ArrivalWindow, Verdict, WindowState, WindowVerdict
from shared.wire import from_text, to_text

OUTSIDE = "-outside"  # no pipeline's name starts with a dash
TOUCH_EVERY = timedelta(milliseconds=250)  # how exact last_arrival_at is; a burst would fight over the row otherwise
STARTUP_GRACE = timedelta(seconds=10)  # an opener that has not started its window by then is taken for dead
LATEST_DELIVERY = timedelta(hours=25)  # Event Grid gives up after 24 hours
_ROUNDS = 8  # lost races in a row before the caller is told to come back

_WINDOWS = "window"


@dataclass(frozen=True, slots=True)
class JoinedWindow:
    """What became of an arrival.

    ``new`` is false for an event that was recorded before. ``start``: the window whose settling the caller must start
    now; None when another arrival opened it and took care of that.
    """

    window_id: str
    new: bool
    start: ArrivalWindow | None


@dataclass(frozen=True, slots=True)
class RecordedArrival:
    """An arrival with what became of it; ``verdict`` is ``JOINED`` while its window is open."""

    arrival: Arrival
    verdict: Verdict
    reason: str
    window_id: str | None = None
    run_id: str | None = None


@dataclass(frozen=True, slots=True)
class _Claim:
    """The claim row of an open window."""

    window: ArrivalWindow
    last_arrival_at: datetime
    opened_by: str
    started: bool
    row: Row

    def needs_start(self, arrival: Arrival) -> bool:
        """Whether its opener seems to have died: it took too long, or its very event is delivered again."""
        if self.started:
            return False
        waited = arrival.received_at - self.window.opened_at
        return waited > STARTUP_GRACE or self.opened_by == _arrival_key(arrival)


class ArrivalLedger:
    """Records arrivals and opens, shows, closes and judges windows."""

    def __init__(self, arrivals: Table, claims: Table) -> None:
        self._arrivals = arrivals
        self._claims = claims

    def record_outside(self, arrival: Arrival, reason: str) -> bool:
        """Record an arrival that no pipeline watches; False when the event was recorded before."""
        values = {"arrival": to_text(arrival), "verdict": Verdict.OUTSIDE.value, "reason": reason}
        return self._arrivals.insert(Row(OUTSIDE, _arrival_key(arrival), values))

    def join_window(self, pipeline: str, arrival: Arrival) -> JoinedWindow:
        """Record an arrival and let it join the pipeline's open window, which it opens if there is none.

        Usually two requests: read the open window, insert the row. Safe to repeat after a crash at any point.
        """
        claim = self._open_window(pipeline)
        row = _arrival_row(pipeline, arrival, claim)
        new = self._arrivals.insert(row)
        if not new:
            earlier = self._arrivals.get(pipeline, row.key)
            if earlier is not None and earlier.values.get("window"):
                return _seen_before(earlier.values["window"], claim, arrival)
        window, start = self._join(pipeline, arrival, claim)
        if claim is None or not new:
            self._arrivals.put(replace(row, values={"window": window.window_id, "verdict": Verdict.JOINED.value}))
        return JoinedWindow(window.window_id, new=new, start=start)

    def window_started(self, window: ArrivalWindow) -> None:
        """Note that the window's settling was started, so that no later arrival starts it again."""
        for _ in range(_ROUNDS):
            claim = self._claim_of(window)
            if claim is None or claim.started or self._claims.update(_changed(claim.row, started=True)):
                return
        raise _busy(window.pipeline)

    def window_state(self, window: ArrivalWindow, *, quiet_seconds: float, longest_wait_seconds: float) -> WindowState:
        """How many arrivals joined, and when the last one did. A window that is closed shows no newer arrival."""
        claim = self._claim_of(window)
        return WindowState(
            window_id=window.window_id,
            pipeline=window.pipeline,
            opened_at=window.opened_at,
            last_arrival_at=claim.last_arrival_at if claim else window.opened_at,
            arrivals=sum(1 for _ in self._rows_of(window)),
            quiet_seconds=quiet_seconds,
            longest_wait_seconds=longest_wait_seconds,
        )

    def close_window(self, window: ArrivalWindow) -> None:
        """Let the next arrival open a new window. Closing twice, or after a newer one was opened, does nothing."""
        for _ in range(_ROUNDS):
            claim = self._claim_of(window)
            if claim is None or self._claims.delete(claim.row):
                return
        raise _busy(window.pipeline)

    def record_verdict(self, verdict: WindowVerdict) -> None:
        """Give every arrival of the window, also one that is still being recorded, its verdict."""
        self._arrivals.put(Row(verdict.pipeline, _verdict_key(verdict.window_id), {"judged": to_text(verdict)}))

    def list_arrivals(self, pipeline: str | None, *, limit: int = 100) -> list[RecordedArrival]:
        """The newest arrivals of a pipeline, or of none (``None``), newest first."""
        partition = pipeline or OUTSIDE
        judged: dict[str, WindowVerdict | None] = {}
        found = []
        for row in islice(self._arrivals.rows(partition, "a-", end_of("a-")), limit):
            window_id = row.values.get("window") or ""
            if window_id and window_id not in judged:
                judged[window_id] = self._verdict_on(partition, window_id)
            found.append(_recorded(row, judged.get(window_id)))
        return found

    def _open_window(self, pipeline: str) -> _Claim | None:
        row = self._claims.get(_WINDOWS, pipeline)
        if row is None:
            return None
        return _Claim(
            window=from_text(ArrivalWindow, row.values["claimed"]),
            last_arrival_at=datetime.fromisoformat(row.values["last_arrival_at"]),
            opened_by=row.values["opened_by"],
            started=row.values["started"],
            row=row,
        )

    def _claim_of(self, window: ArrivalWindow) -> _Claim | None:
        claim = self._open_window(window.pipeline)
        return claim if claim is not None and claim.window.window_id == window.window_id else None

    def _join(
        self, pipeline: str, arrival: Arrival, claim: _Claim | None
    ) -> tuple[ArrivalWindow, ArrivalWindow | None]:
        """The window that the arrival is in, and the same again if the caller must start it."""
        for _ in range(_ROUNDS):
            if claim is not None:
                self._touch(claim, arrival.received_at)
                return claim.window, claim.window if claim.needs_start(arrival) else None
            opened = _new_window(pipeline, arrival.received_at)
            if self._claims.insert(_claim_row(opened, arrival)):
                return opened, opened
            claim = self._open_window(pipeline)
            if claim is not None and claim.window.window_id == opened.window_id:
                return opened, opened  # our own insert, whose first answer was lost
        raise _busy(pipeline)

    def _touch(self, claim: _Claim, seen_at: datetime) -> None:
        current: _Claim | None = claim
        for _ in range(_ROUNDS):
            # Losing every race means that others touched it just now, and a window that is closed needs no touch.
            if current is None or seen_at - current.last_arrival_at < TOUCH_EVERY:
                return
            if self._claims.update(_changed(current.row, last_arrival_at=_text(seen_at))):
                return
            current = self._claim_of(claim.window)

    def _rows_of(self, window: ArrivalWindow) -> Iterator[Row]:
        # Arrivals are ordered by when they occurred: the window's may be as old as an event can be late.
        oldest = newest_first(window.opened_at - LATEST_DELIVERY)
        condition = f"window eq '{window.window_id}'"
        return self._arrivals.rows(window.pipeline, "a-", f"a-{oldest}", where=condition, select=["window"])

    def _verdict_on(self, partition: str, window_id: str) -> WindowVerdict | None:
        row = self._arrivals.get(partition, _verdict_key(window_id))
        return from_text(WindowVerdict, row.values["judged"]) if row else None


def _arrival_key(arrival: Arrival) -> str:
    # An event's id is unique within its account.
    return f"a-{newest_first(arrival.occurred_at)}-{digest(arrival.account, arrival.event_id)[:16]}"


def _verdict_key(window_id: str) -> str:
    return f"w-{window_id}"


def _arrival_row(pipeline: str, arrival: Arrival, claim: _Claim | None) -> Row:
    values = {
        "arrival": to_text(arrival),
        "verdict": (Verdict.JOINED if claim else Verdict.PENDING).value,
        "reason": "",
        "window": claim.window.window_id if claim else "",
    }
    return Row(pipeline, _arrival_key(arrival), values)


def _new_window(pipeline: str, opened_at: datetime) -> ArrivalWindow:
    # The random end tells our claim from one that another process inserts in the same microsecond.
    stamp = opened_at.astimezone(UTC).strftime("%Y%m%dT%H%M%S")
    window_id = f"{pipeline}-{stamp}-{secrets.token_hex(4)}"
    return ArrivalWindow(window_id=window_id, pipeline=pipeline, opened_at=opened_at)


def _claim_row(window: ArrivalWindow, opener: Arrival) -> Row:
    values = {
        "claimed": to_text(window),
        "last_arrival_at": _text(window.opened_at),
        "opened_by": _arrival_key(opener),
        "started": False,
    }
    return Row(_WINDOWS, window.pipeline, values)


def _changed(row: Row, **values: object) -> Row:
    return replace(row, values=values)


def _seen_before(window_id: str, claim: _Claim | None, arrival: Arrival) -> JoinedWindow:
    adopt = claim is not None and claim.window.window_id == window_id and claim.needs_start(arrival)
    return JoinedWindow(window_id, new=False, start=claim.window if claim and adopt else None)


def _recorded(row: Row, judged: WindowVerdict | None) -> RecordedArrival:
    values = row.values
    return RecordedArrival(
        arrival=from_text(Arrival, values["arrival"]),
        verdict=judged.verdict if judged else Verdict(values["verdict"]),
        reason=judged.reason if judged else values["reason"],
        window_id=values.get("window") or None,
        run_id=judged.run_id if judged else None,
    )


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()


def _busy(pipeline: str) -> TransientError:
    return TransientError(f"too many arrivals raced for the window of pipeline {pipeline}; try again")
