"""Delivery: one queue and task for each subscription, so that a slow endpoint does not delay the others' events."""

import asyncio
import contextlib
import logging
from typing import Final

import aiohttp

from local_stack.event_grid import events, handshake, rules
from local_stack.event_grid.grid import Grid
from local_stack.event_grid.store import Delivery

log = logging.getLogger("event_grid")

_ASK_AGAIN: Final = (0.25, 0.5, 1.0, 2.0, 5.0)  # seconds; an endpoint of the same stack may still be starting
_LONGEST_SLEEP: Final = 60.0  # the wall clock may be set


class Courier:
    """Delivers one subscription's events, a bounded number at a time."""

    def __init__(self, grid: Grid, name: str, session: aiohttp.ClientSession) -> None:
        self._grid, self._name, self._session = grid, name, session
        self._wake = asyncio.Event()
        self._under_way: dict[int, asyncio.Task[None]] = {}
        self._task = asyncio.create_task(self._run())
        self._task.add_done_callback(self._report)

    def wake(self) -> None:
        """There is something to do."""
        self._wake.set()

    async def stop(self, grace: float = 0) -> None:
        """End; deliveries under way get ``grace`` seconds, and what then has no answer is delivered again later."""
        self._task.cancel()
        under_way = list(self._under_way.values())
        if under_way:
            await asyncio.wait(under_way, timeout=grace)
        for task in under_way:
            task.cancel()
        await asyncio.gather(self._task, *under_way, return_exceptions=True)

    async def _run(self) -> None:
        await self._until_agreed()
        while True:
            self._wake.clear()
            now = self._grid.clock()
            room = self._grid.subscriptions[self._name].concurrency - len(self._under_way)
            if room > 0:
                for delivery in self._next(now, room):
                    self._begin(delivery)
            # What is due but finds no room is begun when a delivery ends, which wakes.
            next_due = self._grid.store.next_due(self._name, now)
            pause = _LONGEST_SLEEP if next_due is None else min(next_due - self._grid.clock(), _LONGEST_SLEEP)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), max(pause, 0))

    async def _until_agreed(self) -> None:
        subscription = self._grid.subscriptions[self._name]
        source = self._grid.topics[subscription.topic].source
        attempt = 0
        while self._name not in self._grid.agreed:
            try:
                await handshake.ask(self._session, subscription, source)
            except handshake.NotAgreedError as error:
                log.warning("endpoint has not agreed subscription=%s reason=%s", self._name, error)
                await asyncio.sleep(_ASK_AGAIN[min(attempt, len(_ASK_AGAIN) - 1)])
                attempt += 1
            else:
                self._grid.put(subscription, agreed=True)
                log.info("endpoint agreed subscription=%s", self._name)

    def _report(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()):
            log.critical("NO MORE DELIVERIES subscription=%s", self._name, exc_info=error)

    def _next(self, now: float, room: int) -> list[Delivery]:
        due = self._grid.store.due(self._name, now, room + len(self._under_way))
        return [delivery for delivery in due if delivery.id not in self._under_way][:room]

    def _begin(self, delivery: Delivery) -> None:
        def end(_: asyncio.Task[None]) -> None:
            del self._under_way[delivery.id]
            self._wake.set()

        self._under_way[delivery.id] = task = asyncio.create_task(self._handle(delivery))
        task.add_done_callback(end)

    async def _handle(self, delivery: Delivery) -> None:
        try:
            if self._grid.clock() >= self._grid.expires_at(delivery):
                self._grid.expire(delivery)
            else:
                status, outcome = await self._attempt(delivery)
                self._grid.attempted(delivery, outcome, status)
        except Exception:
            # A defect of ours must not take the event with it, nor be tried again and again without a pause.
            log.exception("delivery ended badly subscription=%s", self._name)
            self._grid.postpone(delivery)

    async def _attempt(self, delivery: Delivery) -> tuple[int | None, str]:
        subscription = self._grid.subscriptions[self._name]
        body, schema = self._grid.body(delivery), subscription.event_delivery_schema
        headers = events.delivery_headers(
            body,
            schema,
            subscription=self._name,
            kind="Notification",
            failed_attempts=delivery.attempts,
            output_id=self._grid.output_id(delivery),
        )
        try:
            async with self._session.post(
                subscription.endpoint,
                data=events.delivery_content(body, schema),
                headers=headers,
                timeout=aiohttp.ClientTimeout(total=subscription.answer_within),
                allow_redirects=False,
            ) as answer:
                return answer.status, rules.outcome(answer.status)
        except TimeoutError:
            return None, rules.TIMED_OUT
        except (aiohttp.ClientError, OSError):
            return None, rules.SOCKET_ERROR


class Couriers:
    """A courier for each subscription."""

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        # No limit here: each courier has its own.
        self.session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        self._couriers: dict[str, Courier] = {}
        grid.on_work = self._wake
        for name in grid.subscriptions:
            self.send(name)

    def send(self, name: str) -> None:
        """Let a subscription's deliveries begin."""
        self._couriers[name] = Courier(self._grid, name, self.session)

    async def recall(self, name: str) -> None:
        """End a subscription's deliveries, for now or for good."""
        if courier := self._couriers.pop(name, None):
            await courier.stop()

    async def stop(self, grace: float) -> None:
        """End all deliveries."""
        await asyncio.gather(*(courier.stop(grace) for courier in self._couriers.values()))
        await self.session.close()

    def _wake(self, name: str) -> None:
        if courier := self._couriers.get(name):
            courier.wake()
