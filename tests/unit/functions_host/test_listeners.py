import logging
from pathlib import Path

import pytest

from local_stack.functions_host.functions import Binding, HostedFunction
from local_stack.functions_host.invoker import AppInvoker
from local_stack.functions_host.triggers.listeners import Surroundings, build_listeners
from local_stack.functions_host.triggers.schedule import ScheduleError
from local_stack.functions_host.triggers.service_bus import ServiceBusListener
from local_stack.functions_host.triggers.timer import TimerListener


def function(
    name: str, trigger: str, *, disabled: bool = False, retry: bool = False, **attributes: str
) -> HostedFunction:
    binding = Binding("item", trigger, "IN", dict(attributes))
    return HostedFunction(
        name, binding, (binding,), lambda item: None, "/app", disabled=disabled, has_retry_policy=retry
    )


def surroundings(state: Path, *functions: HostedFunction) -> Surroundings:
    settings = {"EVERY": "0 0 * * * *", "BUS": "Endpoint=sb://127.0.0.1/"}
    return Surroundings(AppInvoker(functions, client_binding=lambda: "{}"), settings, state)


def test_only_enabled_functions_that_must_listen_get_a_listener(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    host = surroundings(
        tmp_path,
        function("page", "httpTrigger"),
        function("event", "eventGridTrigger"),
        function("tick", "timerTrigger", schedule="%EVERY%", retry=True),
        function("off", "timerTrigger", schedule="nonsense", disabled=True),
        function("message", "serviceBusTrigger", queueName="q", connection="BUS"),
        function("result", "serviceBusTrigger", topicName="t", subscriptionName="s", connection="ELSEWHERE"),
    )

    with caplog.at_level(logging.WARNING):
        timer, message = build_listeners(host)

    assert isinstance(timer, TimerListener)
    assert isinstance(message, ServiceBusListener)
    assert "retry policy ignored function=tick" in caplog.text
    assert "setting missing function=result setting=ELSEWHERE" in caplog.text
    assert "NOTHING LISTENS FOR function=result trigger=serviceBusTrigger" in caplog.text


def test_a_bad_schedule_stops_the_host(tmp_path: Path) -> None:
    with pytest.raises(ScheduleError):
        build_listeners(surroundings(tmp_path, function("tick", "timerTrigger", schedule="00:05:00")))
