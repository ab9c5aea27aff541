"""Arrival intake: parse and route events, and record them in the ledger in groups."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from function_app.composition import Services
from function_app.intake.group_commit import GroupCommit
from shared.decisions.arrivals.routing import route
from shared.decisions.arrivals.watched_blobs import is_done_marker
from shared.errors import PermanentError
from shared.messages import Arrival, ArrivalWindow, RejectedEvent
from shared.values.texts import one_line, shortened
from shared.wire_contracts.blob_events import arrival_from
from shared.wire_contracts.event_text import payload_of

if TYPE_CHECKING:
    from shared.clients.ledger import JoinedWindow
    from shared.pipelines import Pipeline

log = logging.getLogger(__name__)

_LONGEST_ID = 256


@dataclass(frozen=True, slots=True)
class IntakeResult:
    """What the caller must do after an event was recorded.

    ``start``: the windows to start a settling orchestration for; ``wake``: the running ones whose done-marker this is.
    """

    start: tuple[ArrivalWindow, ...] = ()
    wake: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Watched:
    """The pipelines, and the storage account of each of their sites; both loaded once per process."""

    pipelines: tuple[Pipeline, ...]
    accounts: Mapping[str, str]


class Intake:
    """Records events. Bound to the event loop that the host runs its functions on."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._watched: _Watched | None = None
        self._outside = GroupCommit(self._record_outside)
        self._joining: dict[str, GroupCommit[tuple[Arrival, bool], JoinedWindow]] = {}

    async def record_text(self, text: str, received_at: datetime) -> IntakeResult:
        """Record an event from its text as it was sent; otherwise like :meth:`record`."""
        try:
            payload = payload_of(text)
        except PermanentError as error:
            return await self._reject(_whatever(text), error.reason, received_at)
        return await self.record(payload, received_at)

    async def record(self, payload: Mapping[str, Any], received_at: datetime) -> IntakeResult:
        """Record an event; returns what the caller must do now, usually nothing.

        An exception makes Event Grid deliver the event again. An event that is not understood raises nothing: it is
        recorded as rejected, with the reason.
        """
        if self._watched is None:
            self._watched = await asyncio.to_thread(self._watch)
        try:
            arrival = arrival_from(payload, received_at=received_at)
        except PermanentError as error:
            return await self._reject(payload, error.reason, received_at)
        routing = route(arrival, self._watched.pipelines, self._watched.accounts)
        if not routing.pipelines:
            log.info("no pipeline takes %s/%s: %s", arrival.container, arrival.blob, routing.reason)
            await self._outside.submit((arrival, one_line(routing.reason)))
            return IntakeResult()
        if len(routing.pipelines) == 1:
            return await self._join(routing.pipelines[0], arrival)
        each = await asyncio.gather(*(self._join(pipeline, arrival) for pipeline in routing.pipelines))
        return IntakeResult(
            start=tuple(window for recorded in each for window in recorded.start),
            wake=tuple(window_id for recorded in each for window_id in recorded.wake),
        )

    async def _reject(self, payload: Mapping[str, Any], reason: str, received_at: datetime) -> IntakeResult:
        rejected = rejection_of(payload, reason, received_at)
        log.error("event %s is rejected: %s", rejected.event_id, rejected.reason)
        ledger = await asyncio.to_thread(lambda: self._services.ledger)
        await asyncio.to_thread(ledger.arrivals.record_rejected, rejected)
        return IntakeResult()

    def _watch(self) -> _Watched:
        """Load pipelines and accounts in a thread, so that no other function waits for it."""
        _ = self._services.ledger
        return _Watched(self._services.pipelines.all, self._services.accounts)

    async def _join(self, pipeline: Pipeline, arrival: Arrival) -> IntakeResult:
        marked = is_done_marker(pipeline, arrival.blob)
        joined = await self._group(pipeline.name).submit((arrival, marked))
        if joined.start is not None:
            return IntakeResult(start=(joined.start,))  # it finds a marker in its first check
        return IntakeResult(wake=(joined.window_id,)) if marked and joined.new and joined.window_id else IntakeResult()

    def _group(self, pipeline: str) -> GroupCommit[tuple[Arrival, bool], JoinedWindow]:
        if pipeline not in self._joining:

            def join(arrivals: Sequence[tuple[Arrival, bool]]) -> Sequence[JoinedWindow]:
                return self._services.ledger.arrivals.join_windows(pipeline, arrivals)

            self._joining[pipeline] = GroupCommit(join)
        return self._joining[pipeline]

    def _record_outside(self, arrivals: Sequence[tuple[Arrival, str]]) -> Sequence[bool]:
        return self._services.ledger.arrivals.record_all_outside(arrivals)


def _whatever(text: str) -> Mapping[str, Any]:
    """The fields that can be read of a rejected text, so that its row has the event's id if there is one."""
    try:
        read = json.loads(text)
    except (ValueError, RecursionError):
        return {"text": text}
    return read if isinstance(read, Mapping) else {"text": text}


def rejection_of(payload: Mapping[str, Any], reason: str, received_at: datetime) -> RejectedEvent:
    """The record of a rejected event: the same for every delivery of it, different for different events."""
    try:
        text = json.dumps(payload, sort_keys=True, default=str)
    except (TypeError, ValueError, RecursionError) as error:
        text = f"cannot be shown: {type(error).__name__}"
    short = shortened(text)
    if short != text:
        # The part that was cut off may be the only difference to another event.
        short += f" (sha256 {hashlib.sha256(text.encode()).hexdigest()[:16]})"
    event_id = one_line(payload.get("id") or "").encode("ascii", "backslashreplace").decode()
    return RejectedEvent(event_id=shortened(event_id, _LONGEST_ID), reason=reason, received_at=received_at, text=short)
