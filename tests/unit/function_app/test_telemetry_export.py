"""Where spans go: nowhere without a setting; a collector that is down or hangs costs no run anything."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing

import pytest
from opentelemetry.sdk.trace import TracerProvider

from function_app.telemetry_export import set_up, signals
from tests.support.otlp import collecting

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


@pytest.mark.parametrize("setting", ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"])
def test_a_collector_that_is_down_is_said_once(setting: str) -> None:
    told, said = in_a_process(**{setting: "http://127.0.0.1:1", "OTEL_EXPORTER_OTLP_TIMEOUT": "0.1"})

    assert told == {"records": True}
    assert said.count("\n") == 1
    assert f"the collector of {setting} takes no spans" in said


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


ALL, TRACES, METRICS, LOGS = (f"OTEL_EXPORTER_OTLP_{signal}ENDPOINT" for signal in ("", "TRACES_", "METRICS_", "LOGS_"))


@pytest.mark.parametrize(
    ("named", "sent"),
    [
        ({ALL}, {"traces", "metrics"}),
        ({TRACES}, {"traces"}),
        ({METRICS}, {"metrics"}),
        ({LOGS}, set()),
        ({TRACES, METRICS}, {"traces", "metrics"}),
        ({TRACES, LOGS}, {"traces"}),
        ({METRICS, LOGS}, {"metrics"}),
        ({ALL, TRACES}, {"traces", "metrics"}),
    ],
    ids=lambda each: "+".join(sorted(each)) or "nothing",
)
def test_a_signal_is_sent_where_a_setting_names_its_collector(named: set[str], sent: set[str]) -> None:
    assert signals(dict.fromkeys(named, "http://127.0.0.1:1")) == sent


@pytest.mark.parametrize(
    ("named", "told"), [({ALL}, ALL), ({TRACES}, TRACES), ({TRACES, METRICS}, f"{METRICS} and {TRACES}")]
)
def test_where_the_worker_sends_spans_itself_the_settings_that_are_not_used_are_named(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, named: set[str], told: str
) -> None:
    monkeypatch.setattr("opentelemetry.trace.get_tracer_provider", TracerProvider)

    with caplog.at_level("INFO"):
        assert not set_up(dict.fromkeys(named, "http://127.0.0.1:1"))

    assert caplog.messages == [f"what is told goes where the worker's own OpenTelemetry sends it; not used: {told}"]


def test_a_signal_can_be_switched_off_alone() -> None:
    assert signals({ALL: "http://127.0.0.1:1", "OTEL_METRICS_EXPORTER": "none"}) == {"traces"}


ONE_EACH = """
import function_app
from opentelemetry import metrics, trace
with trace.get_tracer("t").start_as_current_span("s"):
    metrics.get_meter("m").create_counter("c").add(1)
print(type(trace.get_tracer_provider()).__name__, type(metrics.get_meter_provider()).__name__)
"""


@pytest.mark.parametrize(
    ("named", "providers", "arrives"),
    [
        (TRACES, "TracerProvider _ProxyMeterProvider", (["s"], set())),
        (METRICS, "ProxyTracerProvider MeterProvider", ([], {"c"})),
    ],
    ids=["traces", "metrics"],
)
def test_a_signal_whose_collector_nobody_named_goes_nowhere(
    named: str, providers: str, arrives: tuple[list[str], set[str]]
) -> None:
    """The library's default is localhost, where another program may listen."""
    with collecting() as collector:
        signal = "traces" if named == TRACES else "metrics"
        given = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "EDGETRAIN_"))}
        given[named] = f"{collector.url}/v1/{signal}"
        command = [sys.executable, "-c", ONE_EACH]
        done = subprocess.run(command, env=given, capture_output=True, text=True, timeout=60, check=False)

    assert done.stdout.strip() == providers, done.stderr
    assert ([span.name for span in collector.spans], collector.metrics) == arrives
