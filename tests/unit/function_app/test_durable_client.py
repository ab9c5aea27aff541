import asyncio
from typing import Any

import pytest

from function_app.durable_client import start_once
from shared.messages import ArrivalWindow
from tests.support.durable_client import Instance, MemoryClient, RuntimeStatus
from tests.support.workflow import START

WINDOW = ArrivalWindow(window_id="window-1", pipeline="p", opened_at=START)


def start(client: MemoryClient) -> bool:
    return asyncio.run(start_once(client, "settle_arrivals", "window-1", WINDOW))


def test_it_starts_what_was_never_started() -> None:
    client = MemoryClient()

    assert [start(client), start(client)] == [True, False]
    assert client.started == ["window-1"]
    assert client.instances["window-1"].given["pipeline"] == "p"


@pytest.mark.parametrize("status", [RuntimeStatus.Completed, RuntimeStatus.Failed, RuntimeStatus.Terminated])
def test_what_has_ended_is_left_alone(status: Any) -> None:
    client = MemoryClient()
    client.ended("window-1", None, status)

    assert not start(client)
    assert client.started == []


class Overtaken(MemoryClient):
    """Somebody else starts the same between the question and the start."""

    async def start_new(self, name: str, instance_id: str, given: Any) -> str:
        self.instances[instance_id] = Instance(name, given, RuntimeStatus.Running)
        return await super().start_new(name, instance_id, given)


def test_one_that_is_overtaken_has_started_nothing() -> None:
    client = Overtaken()

    assert not start(client)
    assert client.started == []


class Broken(MemoryClient):
    async def start_new(self, name: str, instance_id: str, given: Any) -> str:
        raise Exception("500: the host is stopping")


def test_trouble_is_raised() -> None:
    with pytest.raises(Exception, match="500: the host is stopping"):
        start(Broken())
