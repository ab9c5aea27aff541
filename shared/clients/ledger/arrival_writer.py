"""The arrival writer: records arrivals in groups, each with its window."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from shared.clients.ledger.arrival_entries import (
    FirstArrival,
    duplicate,
    event_key,
    first_of,
    joined,
    version_key,
)
from shared.clients.ledger.journal import Entry, Journal
from shared.clients.ledger.recent import Recent
from shared.clients.ledger.windows import OpenWindow, WindowClaims
from shared.errors import TransientError
from shared.messages import Arrival, ArrivalWindow

_REMEMBERED = 20_000  # versions of blobs

_Id = tuple[str, str]  # version and event
_Firsts = dict[str, FirstArrival]  # by version, as far as known


@dataclass(frozen=True, slots=True)
class JoinedWindow:
    """The result for one arrival.

    ``window_id`` is None for a duplicate, which joins no window. ``new`` is False for an event that was recorded
    before. ``start``: the window whose settling the caller must start now; None when another caller does.
    """

    window_id: str | None
    new: bool
    start: ArrivalWindow | None = None


@dataclass(frozen=True, slots=True)
class _Asked:
    """An arrival to record, with its keys."""

    arrival: Arrival
    marked: bool
    event: str
    version: str

    @property
    def id(self) -> _Id:
        """Identifies the event; a redelivery has the same."""
        return self.version, self.event


class Joiner:
    """Records arrivals in the open window, which it opens when there is none and one of them is of a new version."""

    def __init__(self, journal: Journal, windows: WindowClaims) -> None:
        self._journal = journal
        self._windows = windows
        self._recent: Recent[FirstArrival] = Recent(_REMEMBERED)

    def join(self, pipeline: str, arrivals: Sequence[tuple[Arrival, bool]]) -> list[JoinedWindow]:
        """The result for each arrival; see :meth:`shared.clients.ledger.arrivals.ArrivalLedger.join_windows`."""
        asked = [_Asked(arrival, marked, event_key(arrival), version_key(arrival)) for arrival, marked in arrivals]
        firsts = self._remembered(pipeline, asked)
        claim = self._windows.current(pipeline)
        opener = self._first_new(pipeline, asked, firsts) if claim is None else None
        if opener is not None:
            claim, _ = self._windows.open(pipeline, opener.arrival.received_at, opened_by=opener.event)
        # Without a window, all of them are of known versions.
        became = self._record(pipeline, asked, claim.window.window_id if claim else "", firsts)
        return _with_starts([became[one.id] for one in asked], asked, claim)

    def _remembered(self, pipeline: str, asked: Sequence[_Asked]) -> _Firsts:
        found = {one.version: self._recent.get(pipeline, one.version) for one in asked}
        return {version: first for version, first in found.items() if first is not None}

    def _first_new(self, pipeline: str, asked: Sequence[_Asked], firsts: _Firsts) -> _Asked | None:
        """The first arrival of an unknown version; what was read about those before it is added to ``firsts``."""
        for one in asked:
            if one.version not in firsts:
                first = self._look_up(pipeline, one.version)
                if first is None:
                    return one
                firsts[one.version] = first
        return None

    def _record(
        self, pipeline: str, asked: Sequence[_Asked], window_id: str, firsts: _Firsts
    ) -> dict[_Id, JoinedWindow]:
        """Record the arrivals; returns the result for each."""
        became, planned = _planned(asked, window_id, firsts)
        new = self._journal.add(pipeline, [entry for _, entry in planned])
        lost: list[_Asked] = []
        for (one, entry), written in zip(planned, new, strict=True):
            if not entry.window:
                became[one.id] = JoinedWindow(None, new=written)
            elif written:
                became[one.id] = JoinedWindow(window_id, new=True)
                self._recent.keep(pipeline, one.version, FirstArrival(one.event, window_id, entry.at))
            else:
                lost.append(one)  # taken by another event about its version, from another host or this group
        if lost:  # now their versions are known, so no further conflict is possible
            found = {one.version: self._first_arrival(pipeline, one) for one in lost}
            became |= self._record(pipeline, lost, "", firsts | found)
        return became

    def _first_arrival(self, pipeline: str, one: _Asked) -> FirstArrival:
        first = self._recent.get(pipeline, one.version) or self._look_up(pipeline, one.version)
        if first is None:
            reason = f"event {one.arrival.event_id} of pipeline {pipeline} could not be recorded"
            raise TransientError(reason)
        return first

    def _look_up(self, pipeline: str, version: str) -> FirstArrival | None:
        text = self._journal.text(pipeline, version)
        if text is None:
            return None
        first = first_of(text)
        self._recent.keep(pipeline, version, first)
        return first


def _planned(
    asked: Sequence[_Asked], window_id: str, firsts: _Firsts
) -> tuple[dict[_Id, JoinedWindow], list[tuple[_Asked, Entry]]]:
    """The results for known events, and the entries to write for the others, each once."""
    became: dict[_Id, JoinedWindow] = {}
    planned: dict[_Id, tuple[_Asked, Entry]] = {}
    for one in asked:
        first = firsts.get(one.version)
        if one.id in planned:
            continue
        if first is None:
            planned[one.id] = one, joined(one.arrival, one.version, window_id, marked=one.marked)
        elif first.event != one.event:
            planned[one.id] = one, duplicate(one.arrival, one.version, first)
        else:
            became[one.id] = JoinedWindow(first.window_id, new=False)
    return became, list(planned.values())


def _with_starts(
    became: Sequence[JoinedWindow], asked: Sequence[_Asked], claim: OpenWindow | None
) -> list[JoinedWindow]:
    """Set who must start the window: the event that opened it, now or before a crash.

    When its opener seems to be dead, the first event of this group does.
    """
    if claim is None or claim.started:
        return list(became)
    recoverer = next((one.event for one in asked if claim.overdue(one.arrival.received_at)), claim.opened_by)
    return [
        replace(entry, start=claim.window) if one.event in {claim.opened_by, recoverer} else entry
        for entry, one in zip(became, asked, strict=True)
    ]
