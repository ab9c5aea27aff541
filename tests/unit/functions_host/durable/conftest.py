import asyncio
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import azure.durable_functions as df
import pytest

from tests.unit.functions_host.durable.harness import Gate, Stage


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    # Without strict typing the SDK's decoder warns on its first use, and warnings are errors here.
    monkeypatch.setenv("AZURE_FUNCTIONS_DURABLE_STRICT_TYPING", "1")
    return Stage(tmp_path / "hub.db")


@pytest.fixture
def gate(stage: Stage) -> Gate:
    gate = Gate(asyncio.Event())

    @stage.activity
    async def pass_gate(value: Any) -> Any:
        await gate.passing()
        return value

    @stage.orchestrator
    def gated(context: df.DurableOrchestrationContext) -> Any:
        width = context.get_input()
        return (yield context.task_all([context.call_activity("pass_gate", n) for n in range(width)]))

    return gate


@pytest.fixture
def collector(stage: Stage) -> None:
    """Waits for two events or an hour each, and gives what it saw."""

    @stage.orchestrator
    def collector(context: df.DurableOrchestrationContext) -> Any:
        seen = []
        for name in ("first", "second"):
            timer = context.create_timer(context.current_utc_datetime + timedelta(hours=1))
            event = context.wait_for_external_event(name)
            if (yield context.task_any([timer, event])) == event:
                timer.cancel()
                seen.append(event.result)
            else:
                seen.append("timeout")
        return seen


@pytest.fixture
def add_one(stage: Stage) -> None:
    @stage.activity
    def add_one(value: int) -> int:
        return value + 1


@pytest.fixture
def flaky(stage: Stage) -> Counter[str]:
    """An activity that fails as often as its input says, and counts its calls by name."""
    calls: Counter[str] = Counter()

    @stage.activity
    def flaky(value: dict[str, Any]) -> str:
        calls[value["name"]] += 1
        if calls[value["name"]] <= value["failures"]:
            raise ValueError(f"{value['name']} not yet")
        return f"{value['name']} done"

    return calls
