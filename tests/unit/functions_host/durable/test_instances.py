"""What callers can do to instances."""

from datetime import timedelta
from typing import Any

import azure.durable_functions as df
import pytest

from local_stack.functions_host.durable.interfaces import (
    InstanceConflictError,
    InstanceNotFoundError,
    InvalidInstanceIdError,
    UnknownFunctionError,
)
from tests.unit.functions_host.durable.harness import Host, Stage, output, reason

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)


@pytest.mark.usefixtures("collector")
def test_the_parent_of_a_terminated_instance_hears_of_it(stage: Stage) -> None:
    @stage.orchestrator
    def parent(context: df.DurableOrchestrationContext) -> Any:
        try:
            yield context.call_sub_orchestrator("collector", None, instance_id="child")
        except Exception as error:  # noqa: BLE001 - the SDK raises nothing narrower
            return reason(error)

    async def scenario(host: Host) -> None:
        instance = await host.start("parent")
        await host.hub.terminate("child", "enough")
        await host.settle()
        assert output(await host.hub.get(instance)) == "enough"

    stage.play(scenario)


@pytest.mark.usefixtures("collector")
def test_an_id_is_free_again_once_its_instance_has_ended(stage: Stage) -> None:
    async def scenario(host: Host) -> None:
        await host.start("collector", instance_id="i")
        first = await host.hub.get("i")
        with pytest.raises(InstanceConflictError):
            await host.start("collector", instance_id="i")
        await host.hub.terminate("i", "make room")
        await host.settle()
        await host.start("collector", instance_id="i")
        second = await host.hub.get("i", with_history=True)
        assert second.runtime_status == "Running"
        assert second.execution_id != first.execution_id
        assert second.output is None

    stage.play(scenario)


@pytest.mark.usefixtures("collector")
def test_a_child_with_the_id_of_a_running_instance_fails(stage: Stage) -> None:
    @stage.orchestrator
    def parent(context: df.DurableOrchestrationContext) -> Any:
        yield context.call_sub_orchestrator("collector", None, instance_id="taken")

    async def scenario(host: Host) -> None:
        await host.start("collector", instance_id="taken")
        assert "already exists" in output(await host.run("parent"))

    stage.play(scenario)


@pytest.mark.usefixtures("collector")
def test_bad_names_and_ids_are_refused(stage: Stage) -> None:
    async def scenario(host: Host) -> None:
        with pytest.raises(UnknownFunctionError, match="known orchestrator functions: 'collector'"):
            await host.hub.start_new("colector", None, None)
        for bad in ("@a", "a/b", "a\\b", "a#b", "a?b", "a\nb", "x" * 257):
            with pytest.raises(InvalidInstanceIdError):
                await host.hub.start_new("collector", bad, None)
        for call in (host.hub.get("none"), host.hub.raise_event("none", "e", None), host.hub.ended("none")):
            with pytest.raises(InstanceNotFoundError):
                await call
        assert len(await host.hub.start_new("COLLECTOR", None, None)) == 32

    stage.play(scenario)


@pytest.mark.usefixtures("collector")
def test_all_instances_are_listed_in_the_order_of_their_ids(stage: Stage) -> None:
    async def scenario(host: Host) -> None:
        await host.start("collector", instance_id="b")
        await host.start("collector", instance_id="a")
        await host.hub.terminate("b", "enough")
        await host.settle()
        found = [(each.instance_id, each.runtime_status) for each in await host.hub.instances()]
        assert found == [("a", "Running"), ("b", "Terminated")]

    stage.play(scenario)
