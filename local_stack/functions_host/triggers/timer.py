"""Timer triggers, with the monitor that remembers runs across restarts.

Source of the rules: the WebJobs timer extension (``TimerListener``, ``ScheduleMonitor``). Times are UTC, as in Azure.
One run at a time per function; a failed run does not stop the schedule. A run that was missed while the host was down
is made up for once, however many were missed.
"""

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Self

from azure.functions.meta import Datum

from local_stack.files import write_private
from local_stack.functions_host.config import resolve
from local_stack.functions_host.functions import HostedFunction
from local_stack.functions_host.invoker import AppInvoker, FunctionFailedError, error_type
from local_stack.functions_host.triggers.schedule import Schedule

log = logging.getLogger("functions_host.timer")

# The extension does not monitor what runs more often than this.
_MONITOR_FROM: Final = timedelta(minutes=1)
# Sleep in pieces, so that a machine that was suspended or whose clock was set notices soon.
_LONGEST_SLEEP: Final = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class TimerStatus:
    """What the monitor keeps of one timer."""

    last: datetime | None
    """Start of the latest run."""
    next: datetime
    updated: datetime

    def as_json(self) -> dict[str, str]:
        """The form functions see and the status file has; a timer that never ran shows .NET's zero time."""
        last = self.last.isoformat() if self.last else "0001-01-01T00:00:00+00:00"
        return {"Last": last, "Next": self.next.isoformat(), "LastUpdated": self.updated.isoformat()}

    @classmethod
    def from_json(cls, values: Mapping[str, str]) -> Self:
        """Read :meth:`as_json` back. Raises ``KeyError`` or ``ValueError`` on anything else."""
        last, upcoming, updated = (datetime.fromisoformat(values[key]) for key in ("Last", "Next", "LastUpdated"))
        return cls(last=last if last.year > 1 else None, next=upcoming, updated=updated)


@dataclass(frozen=True, slots=True)
class FirstRun:
    """When a timer runs first after a start of the host, and whether that is to make up for a missed run."""

    at: datetime
    past_due: bool


def first_run(schedule: Schedule, stored: TimerStatus | None, now: datetime, *, on_startup: bool) -> FirstRun:
    """Decide the first run: at once when one was missed or ``runOnStartup`` says so, else the next fitting moment."""
    unchanged = stored is not None and stored.next == schedule.next_after(stored.last or stored.updated)
    if stored is not None and unchanged and stored.next < now:
        return FirstRun(now, past_due=True)
    if on_startup:
        return FirstRun(now, past_due=False)
    return FirstRun(stored.next if stored is not None and unchanged else schedule.next_after(now), past_due=False)


def timer_datum(status: TimerStatus | None, *, past_due: bool) -> Datum:
    """What the converter makes a ``TimerRequest`` of."""
    values = {
        "Schedule": {"AdjustForDST": True},
        "ScheduleStatus": status.as_json() if status else None,
        "IsPastDue": past_due,
    }
    return Datum(json.dumps(values), "json")


class TimerListener:
    """Runs one timer function on its schedule. ``status_file`` is ``None`` when the timer is not monitored."""

    def __init__(
        self,
        function: HostedFunction,
        invoker: AppInvoker,
        schedule: Schedule,
        *,
        status_file: Path | None,
        on_startup: bool = False,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._function = function
        self._invoker = invoker
        self._schedule = schedule
        self._status_file = status_file
        self._on_startup = on_startup
        self._now = now
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @classmethod
    def for_function(
        cls, function: HostedFunction, invoker: AppInvoker, settings: Mapping[str, str], status_folder: Path
    ) -> Self:
        """Build it from the trigger's attributes. Raises ``ScheduleError`` or ``HostConfigError`` on a bad schedule."""
        attributes = function.trigger.attributes
        schedule = Schedule(resolve(str(attributes["schedule"]), settings))
        frequent = schedule.runs_more_often_than(_MONITOR_FROM, datetime.now(UTC))
        monitored = attributes.get("useMonitor") is not False and not frequent
        return cls(
            function,
            invoker,
            schedule,
            status_file=status_folder / f"{function.key}.json" if monitored else None,
            on_startup=attributes.get("runOnStartup") is True,
        )

    def start(self) -> None:
        """Begin to wait for the first run."""
        self._task = asyncio.create_task(self._run())
        self._task.add_done_callback(self._report)

    async def stop(self, grace: timedelta) -> None:
        """Start no further run; cancel a running one only after ``grace``."""
        self._stopping.set()
        if self._task is None:
            return
        await asyncio.wait({self._task}, timeout=grace.total_seconds())
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def _report(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("TIMER STOPPED function=%s", self._function.name, exc_info=error)

    async def _run(self) -> None:
        status = self._load()
        first = first_run(self._schedule, status, self._now(), on_startup=self._on_startup)
        due, past_due = first.at, first.past_due
        if not past_due:
            status = TimerStatus(status.last if status else None, self._schedule.next_after(self._now()), self._now())
            self._save(status)
        log.info("timer waits function=%s next=%s past_due=%s", self._function.name, due.isoformat(), past_due)
        while await self._reached(due):
            started = self._now()
            await self._call(status, past_due=past_due)
            status = TimerStatus(started, self._schedule.next_after(started), self._now())
            self._save(status)
            due, past_due = status.next, False

    async def _reached(self, due: datetime) -> bool:
        """Wait for the moment; false when the host stops first."""
        while not self._stopping.is_set():
            left = due - self._now()
            if left <= timedelta(0):
                return True
            try:
                async with asyncio.timeout(min(left, _LONGEST_SLEEP).total_seconds()):
                    await self._stopping.wait()
            except TimeoutError:
                continue
        return False

    async def _call(self, status: TimerStatus | None, *, past_due: bool) -> None:
        shown = status if self._status_file else None
        try:
            await self._invoker.run_trigger(self._function, timer_datum(shown, past_due=past_due))
        except FunctionFailedError as error:
            log.error("timer failed function=%s error=%s\n%s", self._function.name, error_type(error), error.stack)

    def _load(self) -> TimerStatus | None:
        if self._status_file is None or not self._status_file.exists():
            return None
        try:
            return TimerStatus.from_json(json.loads(self._status_file.read_text(encoding="utf-8")))
        except (ValueError, KeyError, TypeError):
            log.warning("timer status unreadable, starting afresh function=%s", self._function.name)
            return None

    def _save(self, status: TimerStatus) -> None:
        if self._status_file is not None:
            write_private(self._status_file, json.dumps(status.as_json()))
