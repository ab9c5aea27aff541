"""The workspace's events about runs, from the stand-in of Azure ML to an endpoint that has subscribed to them."""

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from function_app.triggers.training_status import is_under_way, run_id_of
from local_stack.azure_ml import runs
from local_stack.azure_ml.run_events import COMPLETED, STATUS_CHANGED, TOPIC, RunEvents
from local_stack.azure_ml.workspace import Workspace
from tests.integration.event_grid.stand_in import Receiver, StandIn, running
from tests.support.service_process import eventually


@pytest.fixture
def topic(tmp_path: Path, endpoint: Receiver) -> Iterator[StandIn]:
    with running(tmp_path / "grid", config={"topics": [{"name": TOPIC}]}) as grid:
        filtered = {"includedEventTypes": [COMPLETED, STATUS_CHANGED]}
        grid.subscribe("training-status", endpoint.url, topic=TOPIC, filter=filtered)
        yield grid


def _live_through(workspace: Workspace, run_id: str, *statuses: str) -> None:
    runs.create_run(workspace, "an-experiment", run_id)
    for status in statuses:
        runs.set_status(workspace, run_id, status)


async def _told(events: RunEvents, endpoint: Receiver, count: int) -> None:
    telling = asyncio.create_task(events.serve())
    await asyncio.to_thread(eventually, lambda: len(endpoint.notifications) >= count)
    telling.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await telling


def test_success_and_failure_are_told_once_each_as_the_service_words_them(
    tmp_path: Path, topic: StandIn, endpoint: Receiver
) -> None:
    workspace = Workspace.open(tmp_path / "azure_ml")
    events = RunEvents(topic.state / "endpoints.json")
    events.attach(workspace)

    _live_through(workspace, "cancelled", "Queued", "Canceled")
    _live_through(workspace, "right", "Queued", "Running", "Finalizing", "Completed", "Completed", "Failed")
    _live_through(workspace, "wrong", "Queued", "Running", "Failed")
    asyncio.run(_told(events, endpoint, 2))
    workspace.store.close()

    told = {run_id_of(one.event): one.event for one in endpoint.notifications}
    assert {run_id: event["eventType"] for run_id, event in told.items()} == {
        "right": COMPLETED,
        "wrong": STATUS_CHANGED,
    }
    assert len(endpoint.notifications) == 2
    assert told["wrong"]["data"]["RunStatus"] == "failed"
    assert not any(is_under_way(event) for event in told.values())


def test_an_event_waits_for_event_grid(tmp_path: Path, topic: StandIn, endpoint: Receiver) -> None:
    workspace = Workspace.open(tmp_path / "azure_ml")
    late = tmp_path / "endpoints.json"
    events = RunEvents(late)
    events.attach(workspace)
    _live_through(workspace, "right", "Completed")

    async def appears() -> None:
        telling = asyncio.create_task(_told(events, endpoint, 1))
        await asyncio.sleep(0)  # it has looked, and found nothing
        late.write_bytes((topic.state / "endpoints.json").read_bytes())
        await telling

    asyncio.run(appears())
    workspace.store.close()

    assert [run_id_of(one.event) for one in endpoint.notifications] == ["right"]
