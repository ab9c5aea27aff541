import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import azure.functions as func
import pytest

from local_stack.functions_host.functions import Binding, HostedFunction
from local_stack.functions_host.invoker import AppInvoker
from local_stack.functions_host.triggers.schedule import Schedule
from local_stack.functions_host.triggers.timer import (
    FirstRun,
    TimerListener,
    TimerStatus,
    first_run,
    timer_datum,
)

HOURLY = Schedule("0 0 * * * *")
NOON = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def ran(last: datetime) -> TimerStatus:
    return TimerStatus(last=last, next=HOURLY.next_after(last), updated=last)


@pytest.mark.parametrize(
    ("stored", "on_startup", "expected"),
    [
        pytest.param(None, False, FirstRun(NOON + HOUR, past_due=False), id="never ran"),
        pytest.param(None, True, FirstRun(NOON, past_due=False), id="on startup"),
        pytest.param(ran(NOON - timedelta(minutes=5)), False, FirstRun(NOON, past_due=False), id="due just now"),
        pytest.param(ran(NOON - 3 * HOUR), False, FirstRun(NOON, past_due=True), id="missed twice, made up once"),
        pytest.param(ran(NOON - 3 * HOUR), True, FirstRun(NOON, past_due=True), id="missed, and on startup"),
        pytest.param(
            TimerStatus(NOON - HOUR, NOON - timedelta(minutes=30), NOON - HOUR),
            False,
            FirstRun(NOON + HOUR, past_due=False),
            id="another schedule since",
        ),
        pytest.param(
            TimerStatus(None, NOON - HOUR, NOON - timedelta(minutes=90)),
            False,
            FirstRun(NOON, past_due=True),
            id="waited for its first run",
        ),
    ],
)
def test_the_first_run(stored: TimerStatus | None, on_startup: bool, expected: FirstRun) -> None:
    assert first_run(HOURLY, stored, NOON, on_startup=on_startup) == expected


@pytest.mark.parametrize("last", [None, NOON])
def test_the_status_survives_json(last: datetime | None) -> None:
    status = TimerStatus(last=last, next=NOON + HOUR, updated=NOON)

    assert TimerStatus.from_json(json.loads(json.dumps(status.as_json()))) == status


def test_a_function_sees_the_status_only_when_the_timer_is_monitored() -> None:
    assert json.loads(timer_datum(None, past_due=False).value) == {
        "Schedule": {"AdjustForDST": True},
        "ScheduleStatus": None,
        "IsPastDue": False,
    }
    assert json.loads(timer_datum(ran(NOON), past_due=True).value)["ScheduleStatus"]["Next"].startswith("2026-05-01T13")


class Clock:
    """Time that jumps to the next run as soon as the listener looks."""

    def __init__(self, start: datetime) -> None:
        self.moment = start

    def __call__(self) -> datetime:
        self.moment += timedelta(minutes=30)
        return self.moment


def test_runs_follow_the_schedule_even_after_a_failure_and_are_remembered(tmp_path: Path) -> None:
    calls: list[bool] = []

    async def scenario() -> None:
        finished = asyncio.Event()

        async def tick(timer: func.TimerRequest) -> None:
            calls.append(timer.past_due)
            if len(calls) == 3:
                finished.set()
            await asyncio.sleep(0)
            raise RuntimeError("every run fails")

        binding = Binding("timer", "timerTrigger", "IN", {"schedule": "0 0 * * * *"})
        function = HostedFunction("Tick", binding, (binding,), tick, "/app")
        invoker = AppInvoker([function], client_binding=lambda: "{}")
        listener = TimerListener(
            function, invoker, HOURLY, status_file=tmp_path / "timers" / "tick.json", now=Clock(NOON)
        )
        listener.start()
        await asyncio.wait_for(finished.wait(), timeout=10)
        await listener.stop(timedelta(seconds=1))

    (tmp_path / "timers").mkdir()
    (tmp_path / "timers" / "tick.json").write_text(json.dumps(ran(NOON - 3 * HOUR).as_json()), encoding="utf-8")
    asyncio.run(scenario())

    assert calls[:3] == [True, False, False]
    kept = TimerStatus.from_json(json.loads((tmp_path / "timers" / "tick.json").read_text(encoding="utf-8")))
    assert kept.last is not None
    assert kept.next == HOURLY.next_after(kept.last)


def test_an_unreadable_status_is_started_afresh(tmp_path: Path) -> None:
    async def scenario() -> None:
        binding = Binding("timer", "timerTrigger", "IN", {"schedule": "0 0 * * * *"})
        function = HostedFunction("Tick", binding, (binding,), lambda timer: None, "/app")
        listener = TimerListener.for_function(
            function, AppInvoker([function], client_binding=lambda: "{}"), {}, tmp_path
        )
        listener.start()
        await asyncio.sleep(0)
        await listener.stop(timedelta(seconds=1))

    (tmp_path / "tick.json").write_text("not json", encoding="utf-8")
    asyncio.run(scenario())

    assert TimerStatus.from_json(json.loads((tmp_path / "tick.json").read_text(encoding="utf-8"))).last is None
