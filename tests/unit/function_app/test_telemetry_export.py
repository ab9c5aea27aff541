"""Where spans go: nowhere without a setting; a collector that is down or hangs costs no run anything."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing

import pytest

from function_app.telemetry_export import set_up

SPANS = """
import json
import function_app
from opentelemetry import trace
from shared.telemetry import span, count
for number in range(10_000):
    with span("register_model", None, {"pipeline": "diabetes"}) as current:
        count("runs", "{run}", "Runs", pipeline="diabetes")
print(json.dumps({"records": type(current).__name__ == "_Span"}), flush=True)
"""


def in_a_process(**environment: str) -> tuple[dict[str, bool], str]:
    """Ten thousand spans in a process of its own, since a provider is set once for a process; what it says."""
    given = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "EDGETRAIN_"))}
    done = subprocess.run(
        [sys.executable, "-c", SPANS], env=given | environment, capture_output=True, text=True, timeout=60, check=True
    )
    return json.loads(done.stdout), done.stderr


@pytest.fixture
def hanging() -> Iterator[str]:
    """A collector that takes connections and never answers."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_a_collector_that_never_answers_stops_neither_work_nor_the_end_of_the_process(hanging: str) -> None:
    """The exporter would wait for the answer for longer than the process has."""
    told, said = in_a_process(OTEL_EXPORTER_OTLP_ENDPOINT=hanging, OTEL_EXPORTER_OTLP_TIMEOUT="3600")

    assert told == {"records": True}
    assert "Traceback" not in said


def test_a_collector_that_is_down_is_said_once() -> None:
    told, said = in_a_process(OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1", OTEL_EXPORTER_OTLP_TIMEOUT="0.1")

    assert told == {"records": True}
    assert said.count("\n") == 1
    assert "takes no spans" in said


@pytest.mark.parametrize("environment", [{}, {"OTEL_EXPORTER_OTLP_ENDPOINT": "  "}])
def test_without_a_setting_nothing_is_set_up(environment: dict[str, str]) -> None:
    assert not set_up(environment)


def test_what_is_switched_off_stays_off() -> None:
    assert not set_up({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "TRUE"})


def test_without_the_packages_the_app_says_what_to_add(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)

    assert not set_up({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"})

    assert "requirements-telemetry.txt" in caplog.text
