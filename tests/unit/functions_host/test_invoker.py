import asyncio
import json
import logging
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import azure.durable_functions as df
import azure.functions as func
import pytest
from azure.functions.meta import Datum

from local_stack.functions_host.binding_checks import check_signature
from local_stack.functions_host.durable.interfaces import ActivityFailedError, OrchestratorFailedError
from local_stack.functions_host.functions import Binding, HostedFunction
from local_stack.functions_host.invoker import AppInvoker, FunctionFailedError


def hosted(function: Callable[..., Any], trigger: str, argument: str, *others: Binding, **more: Any) -> HostedFunction:
    binding = Binding(argument, trigger, "IN", {})
    bindings = (binding, *others)
    return HostedFunction(
        name=more.get("name", function.__name__),
        trigger=binding,
        bindings=bindings,
        callable=function,
        directory="/app",
        takes_context=check_signature(function.__name__, function, bindings),
        disabled=more.get("disabled", False),
    )


def invoker(*functions: HostedFunction, timeout: timedelta | None = None) -> AppInvoker:
    return AppInvoker(functions, client_binding=lambda: '{"taskHubName": "Hub"}', timeout=timeout, threads=2)


RETURN = Binding("$return", "http", "OUT", {})


def test_an_activity_takes_and_gives_json_text_whether_sync_or_not() -> None:
    def add(command: dict) -> dict:  # type: ignore[type-arg]  # plain, as the worker demands
        return {"sum": command["a"] + command["b"]}

    async def shout(command: str) -> str:
        await asyncio.sleep(0)
        return command.upper()

    app = invoker(hosted(add, "activityTrigger", "command"), hosted(shout, "activityTrigger", "command", name="Shout"))

    assert app.activity_names() == {"add", "shout"}
    assert json.loads(asyncio.run(app.run_activity("ADD", '{"a": 1, "b": 2}', "i"))) == {"sum": 3}
    assert asyncio.run(app.run_activity("shout", '"quiet"', "i")) == '"QUIET"'


def test_a_failing_activity_is_reported_in_the_workers_form_and_its_text_is_not_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(command: dict) -> None:  # type: ignore[type-arg]
        raise LookupError("row of a patient")

    app = invoker(hosted(fail, "activityTrigger", "command"))

    with caplog.at_level(logging.INFO), pytest.raises(ActivityFailedError) as caught:
        asyncio.run(app.run_activity("fail", "{}", "i1"))

    assert str(caught.value) == "LookupError: row of a patient"
    assert 'raise LookupError("row of a patient")' in caught.value.stack
    assert caught.value.stack.count("File ") == 1
    assert "error=LookupError" in caplog.text
    assert "patient" not in caplog.text


def test_an_activity_result_that_is_no_json_is_a_failure() -> None:
    def give(command: str) -> object:
        return object()

    app = invoker(hosted(give, "activityTrigger", "command"))

    with pytest.raises(ActivityFailedError, match="ValueError: activity trigger output must be json serializable"):
        asyncio.run(app.run_activity("give", '""', "i"))


def test_an_orchestrator_answers_with_its_actions() -> None:
    def flow(context: df.DurableOrchestrationContext) -> Any:
        yield context.call_activity("train", {"run": 7})

    handle = df.Orchestrator.create(flow)
    handle.__name__ = "flow"
    app = invoker(hosted(handle, "orchestrationTrigger", "context"))
    moment = "2026-05-01T10:00:00.000000Z"
    common = {"EventId": -1, "IsPlayed": False, "Timestamp": moment}
    request = {
        "history": [
            {"EventType": 12, **common},
            {"EventType": 0, **common, "Name": "flow", "Version": "", "Input": None},
        ],
        "input": None,
        "instanceId": "i1",
        "isReplaying": False,
        "parentInstanceId": None,
        "upperSchemaVersion": 1,
        "upperSchemaVersionNew": 2,
    }

    reply = json.loads(app.run_orchestrator("Flow", json.dumps(request)))

    assert reply["isDone"] is False
    assert reply["actions"][0][0]["functionName"] == "train"


def test_an_orchestrator_that_raises_keeps_the_sdks_marker() -> None:
    def flow(context: func.OrchestrationContext) -> str:
        raise RuntimeError('nope \n\n$OutOfProcData$:{"isDone":false}')

    app = invoker(hosted(flow, "orchestrationTrigger", "context"))

    with pytest.raises(OrchestratorFailedError) as caught:
        app.run_orchestrator("flow", "{}")

    assert str(caught.value) == 'RuntimeError: nope \n\n$OutOfProcData$:{"isDone":false}'


def test_a_function_gets_its_client_binding_and_context() -> None:
    seen: dict[str, Any] = {}

    async def on_event(event: func.EventGridEvent, client: str, context: func.Context) -> None:
        seen.update(subject=event.subject, client=client, name=context.function_name, id=context.invocation_id)

    function = hosted(on_event, "eventGridTrigger", "event", Binding("client", "durableClient", "IN", {}))
    event = Datum(json.dumps({"id": "1", "subject": "blob", "data": {}}), "json")

    assert asyncio.run(invoker(function).run_trigger(function, event)) is None
    assert seen["subject"] == "blob"
    assert json.loads(seen["client"]) == {"taskHubName": "Hub"}
    assert seen["name"] == "on_event"
    assert len(seen["id"]) == 36


def test_a_value_without_a_return_binding_is_a_failure() -> None:
    def tick(timer: func.TimerRequest) -> int:
        return 1

    function = hosted(tick, "timerTrigger", "timer")

    with pytest.raises(FunctionFailedError, match="without a \\$return binding returned a non-None value"):
        asyncio.run(invoker(function).run_trigger(function, Datum("{}", "json")))


def test_an_http_value_nothing_can_encode_is_a_failure() -> None:
    def show(req: func.HttpRequest) -> func.HttpResponse:
        return {"not": "a response"}

    function = hosted(show, "httpTrigger", "req", RETURN)
    text = Datum("", "string")
    request = Datum(
        {"method": text, "url": text, "headers": {}, "query": {}, "params": {}, "body": Datum(b"", "bytes")}, "http"
    )

    with pytest.raises(FunctionFailedError, match="unsupported type 'dict'"):
        asyncio.run(invoker(function).run_trigger(function, request))


@pytest.mark.parametrize("is_async", [True, False])
def test_a_call_over_the_limit_fails_loudly(caplog: pytest.LogCaptureFixture, is_async: bool) -> None:
    async def hang_async(command: str) -> None:
        await asyncio.sleep(60)

    def hang(command: str) -> None:
        time.sleep(0.2)

    body = hang_async if is_async else hang
    app = invoker(hosted(body, "activityTrigger", "command", name="hang"), timeout=timedelta(milliseconds=20))

    with pytest.raises(ActivityFailedError, match=r"FunctionTimeoutException: .* was exceeded by function: hang"):
        asyncio.run(app.run_activity("hang", '""', "i"))

    assert "FUNCTION TIMED OUT name=hang" in caplog.text
    assert ("its thread cannot be stopped" in caplog.text) is not is_async
    assert app.running == 0


def test_a_timeout_of_the_functions_own_is_its_own_failure() -> None:
    async def own(command: str) -> None:
        raise TimeoutError("the service did not answer")

    app = invoker(hosted(own, "activityTrigger", "command"), timeout=timedelta(seconds=30))

    with pytest.raises(ActivityFailedError, match=r"^TimeoutError: the service did not answer$"):
        asyncio.run(app.run_activity("own", '""', "i"))


def test_a_disabled_function_is_not_found() -> None:
    def act(command: str) -> None: ...

    app = invoker(hosted(act, "activityTrigger", "command", disabled=True))

    assert app.activity_names() == frozenset()
    assert app.find("act") is None
    assert [function.name for function in app.functions] == ["act"]
