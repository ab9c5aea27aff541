"""The task hub: gives instances their turns, runs activities, rings timers, and answers clients.

Everything is driven by events: a commit says which instances and activities it made ready, and those are queued at
once. All dispatch state lives on the event loop and can be lost at any time, for the store holds the truth: a hub that
starts on a file left behind by a killed one goes on where that one was. Orchestrators run on threads of their own and
one instance has one turn at a time.
"""

import asyncio
import logging
import sqlite3
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Final, TypeVar

from local_stack.functions_host.durable.alarm import Alarm
from local_stack.functions_host.durable.commit import ActivityWork, Effects
from local_stack.functions_host.durable.database import Database
from local_stack.functions_host.durable.history import EventType, event, event_raised, task_completed, task_failed
from local_stack.functions_host.durable.interfaces import (
    MAX_INSTANCE_ID_LENGTH,
    TERMINAL_STATUSES,
    ActivityFailedError,
    HistoryEvent,
    HubOptions,
    InstanceStatus,
    InvalidInstanceIdError,
    Invoker,
    UnknownFunctionError,
)
from local_stack.functions_host.durable.lane import Lane
from local_stack.functions_host.durable.store import Store
from local_stack.functions_host.durable.turn import take_turn

__all__ = ["HubOptions", "TaskHub"]

_log = logging.getLogger(__name__)
_Answer = TypeVar("_Answer")
_PAUSE_AFTER_FAULT: Final = 5.0  # seconds until something that failed inside the host itself is tried again


class TaskHub:
    """Orchestrations on one SQLite file. All methods belong to the loop on which :meth:`start` was called."""

    def __init__(self, database: Path, invoker: Invoker, options: HubOptions) -> None:
        self._path = database
        self._invoker = invoker
        self._options = options
        self._turns: Lane[str] = Lane(options.max_orchestrators, self._take_turn)
        self._activities: Lane[ActivityWork] = Lane(options.max_activities, self._run_activity)
        self._alarm = Alarm(options.now, self._wake)
        self._turn_threads = ThreadPoolExecutor(options.max_orchestrators, "durable-turn")
        self._store_thread = ThreadPoolExecutor(1, "durable-store")
        self._counters: Counter[str] = Counter(turns=0, activities=0, history_rows_written=0, timers=0)
        self._queued: set[str] = set()
        self._in_turn: set[str] = set()
        self._again: set[str] = set()
        self._end_watchers: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self._started = False

    async def start(self) -> None:
        """Open the file and go on with all that is unfinished.

        Raises ``HubInUseError`` when another process has the file.
        """
        self._loop = asyncio.get_running_loop()
        try:
            self._database = await self._in_store(lambda: Database(self._path))
        except BaseException:
            self._store_thread.shutdown(wait=False)
            raise
        self._store = Store(self._database)
        self._started = True
        self._apply(await self._in_store(self._store.recover))

    async def stop(self, grace: timedelta) -> None:
        """Start nothing more, let running turns and activities end within ``grace``, and close the file.

        What did not end is still in the file and runs again at the next start. A hub that is not running is left alone.
        """
        if not self._started:
            return
        self._started = False
        self._alarm.close()
        late = sum(await asyncio.gather(self._turns.close(grace), self._activities.close(grace)))
        if late:
            _log.warning("%d running functions did not end within %s; they will run again", late, grace)
        self._turn_threads.shutdown(wait=False, cancel_futures=True)
        await self._in_store(self._database.close)
        self._store_thread.shutdown(wait=False)

    async def start_new(self, name: str, instance_id: str | None, input_json: str | None) -> str:
        """Create an instance and give its id. It is stored when this returns. ``input_json`` must be JSON.

        Raises :class:`UnknownFunctionError`, :class:`InvalidInstanceIdError`, and ``InstanceConflictError`` when an
        instance with this id has not ended. One that has is replaced.
        """
        known = self._invoker.orchestrator_names()
        if name.lower() not in known:
            raise UnknownFunctionError(name, "orchestrator", known)
        chosen = instance_id or uuid.uuid4().hex
        _check_instance_id(chosen)

        def create() -> None:
            self._store.create(name=name, instance_id=chosen, input_json=input_json, now=self._options.now())
            self._wake_soon(chosen)

        await self._in_store(create)
        return chosen

    async def raise_event(self, instance_id: str, name: str, data_json: str | None) -> None:
        """Send an external event. Raises ``InstanceNotFoundError`` and ``InstanceGoneError``, as does ``terminate``."""
        await self._post(instance_id, event_raised(self._options.now(), name, data_json))

    async def terminate(self, instance_id: str, reason: str) -> None:
        """End an instance as soon as its present turn is over. Children and running activities are left alone."""
        await self._post(instance_id, event(EventType.EXECUTION_TERMINATED, self._options.now(), Input=reason))

    async def purge(self, instance_id: str) -> bool:
        """Remove an instance that has ended; ``False`` for one that has not. Raises ``InstanceNotFoundError``."""
        return await self._in_store(lambda: self._store.purge(instance_id))

    async def get(self, instance_id: str, with_history: bool = False) -> InstanceStatus:  # noqa: FBT001, FBT002 - agreed
        """One instance. Raises ``InstanceNotFoundError``."""
        return await self._in_store(lambda: self._store.status(instance_id, with_history=with_history))

    async def ended(self, instance_id: str) -> InstanceStatus:
        """Wait until an instance has ended, for as long as it takes. Raises ``InstanceNotFoundError``."""
        changed = asyncio.Event()
        self._end_watchers[instance_id].add(changed)
        try:
            while (status := await self.get(instance_id)).runtime_status not in TERMINAL_STATUSES:
                await changed.wait()
                changed.clear()
            return status
        finally:
            self._end_watchers[instance_id].discard(changed)
            if not self._end_watchers[instance_id]:
                del self._end_watchers[instance_id]

    async def instances(self) -> list[InstanceStatus]:
        """Every instance, in the order of ids."""
        return await self._in_store(self._store.instances)

    def metrics(self) -> dict[str, int]:
        """Counters since the start, and how much is running and waiting now."""
        return {
            **self._counters,
            "turns_running": self._turns.running,
            "turns_queued": self._turns.queued,
            "activities_running": self._activities.running,
            "activities_queued": self._activities.queued,
            "timers_waiting": len(self._alarm),
        }

    def clock_moved(self) -> None:
        """The clock of the options was set: ring what is due now."""
        self._alarm.check()

    async def _in_store(self, work: Callable[[], _Answer]) -> _Answer:
        return await asyncio.get_running_loop().run_in_executor(self._store_thread, work)

    async def _post(self, instance_id: str, message: HistoryEvent) -> None:
        def post() -> None:
            self._store.post(instance_id, message)
            self._wake_soon(instance_id)

        await self._in_store(post)

    def _wake_soon(self, instance_id: str) -> None:
        """Wake from the thread that committed: a caller who has given up waiting must not cost the instance a turn."""
        with suppress(RuntimeError):  # the loop is gone; the next start finds the message
            self._loop.call_soon_threadsafe(self._wake, instance_id)

    def _wake(self, instance_id: str) -> None:
        """See that the instance gets a turn that begins after now."""
        if instance_id in self._in_turn:
            self._again.add(instance_id)
        elif instance_id not in self._queued:
            self._queued.add(instance_id)
            self._turns.submit(instance_id)

    def _tell_watchers(self, instance_id: str) -> None:
        for watcher in self._end_watchers.get(instance_id, ()):
            watcher.set()

    async def _take_turn(self, instance_id: str) -> None:
        self._queued.discard(instance_id)
        self._in_turn.add(instance_id)
        try:
            self._apply(await self._loop.run_in_executor(self._turn_threads, self._turn, instance_id))
        except Exception:  # noqa: BLE001 - a fault of this host or its disk: nothing was stored, so nothing is lost
            _log.exception("A turn of '%s' could not be taken and will be tried again", instance_id)
            self._loop.call_later(_PAUSE_AFTER_FAULT, self._wake, instance_id)
        finally:
            self._in_turn.discard(instance_id)
            self._tell_watchers(instance_id)
            if instance_id in self._again:
                self._again.discard(instance_id)
                self._wake(instance_id)

    def _turn(self, instance_id: str) -> Effects:
        """One turn from the read to the commit, on a thread."""
        now = self._options.now()
        snapshot = self._store.load(instance_id, now)
        if snapshot is None:
            return Effects()
        result = take_turn(snapshot, now, self._invoker, self._options)
        if result is None:
            return Effects()
        effects = self._store.commit(snapshot, result, now)
        effects.turns = 1
        return effects

    def _apply(self, effects: Effects) -> None:
        """Hand out what a transaction made ready; only ever called after its commit."""
        self._counters["turns"] += effects.turns
        self._counters["history_rows_written"] += effects.history_rows
        self._counters["timers"] += len(effects.timers)
        if effects.ended_execution is not None:
            ended = effects.ended_execution
            self._activities.discard(lambda work: work.execution_id == ended)
        for due, instance_id in effects.timers:
            self._alarm.add(due, instance_id)
        for work in effects.activities:
            self._activities.submit(work)
        for instance_id in effects.woken:
            self._wake(instance_id)

    async def _run_activity(self, work: ActivityWork) -> None:
        self._counters["activities"] += 1
        message = await self._call_activity(work)

        def complete() -> None:
            if self._store.complete_activity(work, message):
                self._wake_soon(work.instance_id)

        while True:
            try:
                return await self._in_store(complete)
            except sqlite3.Error:  # a full disk, say; running the activity again would be worse than waiting
                _log.exception("The result of activity '%s' could not be stored yet", work.name)
                await asyncio.sleep(_PAUSE_AFTER_FAULT)

    async def _call_activity(self, work: ActivityWork) -> HistoryEvent:
        """Run the function; the event to answer with."""
        try:
            known = self._invoker.activity_names()
            if work.name.lower() not in known:  # it was there when it was scheduled, by an earlier version of the app
                raise UnknownFunctionError(work.name, "activity", known)
            result = await self._invoker.run_activity(work.name, work.input, work.instance_id)
        except ActivityFailedError as error:
            text, stack = str(error), error.stack
        except Exception as error:  # noqa: BLE001 - whatever else goes wrong must reach the orchestrator all the same
            _log.warning("Activity '%s' could not be run", work.name, exc_info=True)
            text, stack = f"{type(error).__name__}: {error}", ""
        else:
            return task_completed(self._options.now(), work.task_id, result)
        return task_failed(self._options.now(), work.task_id, activity=work.name, error=text, stack=stack)


def _check_instance_id(instance_id: str) -> None:
    if len(instance_id) > MAX_INSTANCE_ID_LENGTH:
        raise InvalidInstanceIdError(instance_id, f"Instance ids have at most {MAX_INSTANCE_ID_LENGTH} characters.")
    if instance_id.startswith("@"):
        raise InvalidInstanceIdError(instance_id, "Instance ids must not start with '@'.")
    if any(char in "/\\#?" or not char.isprintable() for char in instance_id):
        raise InvalidInstanceIdError(instance_id, "Instance ids must not contain /, \\, #, ? or control characters.")
