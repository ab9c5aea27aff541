"""How arrivals get their row and their window, several at a time."""

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
    """What became of an arrival.

    ``window_id`` is None for a duplicate: it opens and joins nothing. ``new`` is false for an event that was recorded
    before. ``start``: the window whose settling the caller must start now; None when somebody else takes care of that.
    """

    window_id: str | None
    new: bool
    start: ArrivalWindow | None = None


@dataclass(frozen=True, slots=True)
class _Asked:
    """An arrival that wants to join, with the keys made of it."""

    arrival: Arrival
    marked: bool
    event: str
    version: str

    @property
    def id(self) -> _Id:
        """What a redelivery has in common with it."""
        return self.version, self.event


class Joiner:
    """Records arrivals in the open window, which it opens when there is none and one of them tells something new."""

    def __init__(self, journal: Journal, windows: WindowClaims) -> None:
        self._journal = journal
        self._windows = windows
        self._recent: Recent[FirstArrival] = Recent(_REMEMBERED)

    def join(self, pipeline: str, arrivals: Sequence[tuple[Arrival, bool]]) -> list[JoinedWindow]:
        """What became of each; see :meth:`shared.clients.ledger.arrivals.ArrivalLedger.join_windows`."""
        asked = [_Asked(arrival, marked, event_key(arrival), version_key(arrival)) for arrival, marked in arrivals]
        firsts = self._remembered(pipeline, asked)
        claim = self._windows.current(pipeline)
        opener = self._first_new(pipeline, asked, firsts) if claim is None else None
        if opener is not None:
            claim, _ = self._windows.open(pipeline, opener.arrival.received_at, opened_by=opener.event)
        # Without a window, all of them tell of versions that are known.
        became = self._record(pipeline, asked, claim.window.window_id if claim else "", firsts)
        return _with_starts([became[one.id] for one in asked], asked, claim)

    def _remembered(self, pipeline: str, asked: Sequence[_Asked]) -> _Firsts:
        found = {one.version: self._recent.get(pipeline, one.version) for one in asked}
        return {version: first for version, first in found.items() if first is not None}

    def _first_new(self, pipeline: str, asked: Sequence[_Asked], firsts: _Firsts) -> _Asked | None:
        """The first that tells of an unknown version; what is found out about those before it goes to ``firsts``."""
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
        """What became of each event."""
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
                lost.append(one)  # to another event about its version, of another host or of these
        if lost:  # now their versions are known, so none can be lost again
            found = {one.version: self._looked_up(pipeline, one) for one in lost}
            became |= self._record(pipeline, lost, "", firsts | found)
        return became

    def _looked_up(self, pipeline: str, one: _Asked) -> FirstArrival:
        first = self._recent.get(pipeline, one.version) or self._look_up(pipeline, one.version)
        if first is None:
            reason = f"event {one.arrival.event_id} of pipeline {pipeline} could not be recorded; try again"
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
    """What became of the events that are known, and what to write for the others, each once."""
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
    """Say who must start the window: the event that opened it, now or in a life that ended before the start.

    When its opener seems to be dead, the first of these events does.
    """
    if claim is None or claim.started:
        return list(became)
    adopter = next((one.event for one in asked if claim.overdue(one.arrival.received_at)), claim.opened_by)
    return [
        replace(entry, start=claim.window) if one.event in {claim.opened_by, adopter} else entry
        for entry, one in zip(became, asked, strict=True)
    ]
