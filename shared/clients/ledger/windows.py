"""Claims on windows: table ``claims``, partition ``window``.

- ``<pipeline>``: the pipeline's open window, at most one: the claim is an atomic insert.
- ``~<window id>``: a window that is closed and not decided yet.

A row is removed only when its window was decided, so a crash leaves a row that the reconciler finds.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from shared.clients.ledger.keys import stamp
from shared.clients.ledger.tables import MOST_RACES, Delete, Insert, Row, Table
from shared.errors import TransientError
from shared.messages import CLOSED_BY_ADMISSION, ArrivalWindow, ObservedChange
from shared.values.wire import from_text, to_text

STARTUP_GRACE = timedelta(seconds=10)  # an opener that has not started its window by then counts as dead

_WINDOWS = "window"
_CLOSED = "~"  # no pipeline's name starts with it, and it sorts after all of them


@dataclass(frozen=True, slots=True)
class UnfinishedWindow:
    """A window that is not decided yet.

    ``started``: somebody noted that its settling runs. ``closed``: it takes no more arrivals.
    """

    window: ArrivalWindow
    started: bool
    closed: bool

    @property
    def opened_at(self) -> datetime:
        """When the window was opened."""
        return self.window.opened_at


@dataclass(frozen=True, slots=True)
class OpenWindow:
    """The claim on a pipeline's open window.

    ``opened_by``: the event that opened it, empty for none. ``change``: the observed change, which last grew at
    ``sighted_at``.
    """

    window: ArrivalWindow
    opened_by: str
    started: bool
    change: ObservedChange | None
    sighted_at: datetime
    row: Row

    def overdue(self, now: datetime) -> bool:
        """Whether its opener seems to have died before it started the settling."""
        return not self.started and now - self.window.opened_at > STARTUP_GRACE


class WindowClaims:
    """Opens, reads and closes windows."""

    def __init__(self, claims: Table) -> None:
        self._claims = claims

    def current(self, pipeline: str) -> OpenWindow | None:
        """The pipeline's open window."""
        row = self._claims.get(_WINDOWS, pipeline)
        return _open_window(row) if row else None

    def of(self, window: ArrivalWindow) -> OpenWindow | None:
        """The claim on this window, while it is open."""
        claim = self.current(window.pipeline)
        return claim if claim is not None and claim.window.window_id == window.window_id else None

    def open(
        self, pipeline: str, at: datetime, *, opened_by: str = "", change: ObservedChange | None = None
    ) -> tuple[OpenWindow, bool]:
        """Open a window if none is open; the one that is open now, and whether this call opened it."""
        for _ in range(MOST_RACES):
            window = _new_window(pipeline, at)
            row = _claim_row(window, opened_by, change)
            if self._claims.insert(row):
                return _open_window(row), True
            claim = self.current(pipeline)
            if claim is not None:
                # The same id: our own insert, whose first answer was lost.
                return claim, claim.window.window_id == window.window_id
        raise _busy(pipeline)

    def note_change(self, claim: OpenWindow, at: datetime, change: ObservedChange) -> bool:
        """Record an observed change; what differs from the last one is new. False when the window is closed."""
        current: OpenWindow | None = claim
        for _ in range(MOST_RACES):
            if current is None:
                return False
            marked = change.marked or (current.change is not None and current.change.marked)
            seen = replace(change, marked=marked)
            if seen == current.change:
                return True
            if self._changed(current, sighting=to_text(seen), sighted_at=stamp(max(at, current.sighted_at))):
                return True
            current = self.of(claim.window)
        raise _busy(claim.window.pipeline)

    def started(self, window: ArrivalWindow) -> None:
        """Note that the window's settling was started, so that no later arrival starts it again."""
        for _ in range(MOST_RACES):
            claim = self.of(window)
            if claim is None or claim.started or self._changed(claim, started=True):
                return
        raise _busy(window.pipeline)

    def close(self, window: ArrivalWindow, before: Callable[[OpenWindow], None] = lambda _: None) -> None:
        """Let the next arrival open a new window. Closing twice, or after a newer one was opened, does nothing.

        ``before``: called with the claim before it is given up, again when it was changed meanwhile.
        """
        for _ in range(MOST_RACES):
            claim = self.of(window)
            if claim is None:
                return
            before(claim)
            closed = Row(_WINDOWS, _closed_key(window.window_id), {"claimed": to_text(claim.window)})
            if self._claims.transact(Delete(claim.row), Insert(closed)) is None:
                return
        raise _busy(window.pipeline)

    def finished(self, window_id: str) -> None:
        """Remove a closed window, because it was decided."""
        self._claims.delete(Row(_WINDOWS, _closed_key(window_id), {}))

    def unfinished(self) -> list[UnfinishedWindow]:
        """Every window that is open, or closed and not decided, of all pipelines."""
        return [_unfinished(row) for row in self._claims.rows(_WINDOWS)]

    def _changed(self, claim: OpenWindow, **values: object) -> bool:
        # A claim that was only just inserted was not read, and has no etag that tells whether it is still the same.
        return bool(claim.row.etag) and self._claims.update(replace(claim.row, values=values))


def _unfinished(row: Row) -> UnfinishedWindow:
    closed = row.key.startswith(_CLOSED)
    window = from_text(ArrivalWindow, row.values["claimed"])
    return UnfinishedWindow(window, started=closed or row.values["started"], closed=closed)


def _open_window(row: Row) -> OpenWindow:
    change = row.values.get("sighting")
    return OpenWindow(
        window=from_text(ArrivalWindow, row.values["claimed"]),
        opened_by=row.values["opened_by"],
        started=row.values["started"],
        change=from_text(ObservedChange, change) if change else None,
        sighted_at=datetime.fromisoformat(row.values["sighted_at"]),
        row=row,
    )


def _new_window(pipeline: str, opened_at: datetime) -> ArrivalWindow:
    # The random end tells our claim from one that another process inserts in the same microsecond.
    window_id = f"{pipeline}-{window_stamp(opened_at)}-{secrets.token_hex(4)}"
    return ArrivalWindow(window_id=window_id, pipeline=pipeline, opened_at=opened_at, schema=CLOSED_BY_ADMISSION)


def window_stamp(opened_at: datetime) -> str:
    """The part of a window's id that says when it was opened; sorts as the moments do."""
    return opened_at.astimezone(UTC).strftime("%Y%m%dT%H%M%S")


def _claim_row(window: ArrivalWindow, opened_by: str, change: ObservedChange | None) -> Row:
    values = {
        "claimed": to_text(window),
        "opened_by": opened_by,
        "started": False,
        "sighting": to_text(change) if change else "",
        "sighted_at": stamp(window.opened_at),
    }
    return Row(_WINDOWS, window.pipeline, values)


def _closed_key(window_id: str) -> str:
    return f"{_CLOSED}{window_id}"


def _busy(pipeline: str) -> TransientError:
    return TransientError(f"too many arrivals raced for the window of pipeline {pipeline}")
