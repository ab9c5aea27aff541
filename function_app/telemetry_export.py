"""Send spans and metrics to an OpenTelemetry collector: set up once, and only when a setting names one.

The settings are OpenTelemetry's own (``OTEL_EXPORTER_OTLP_ENDPOINT`` and so on, docs/telemetry.md). Nothing here may
slow or fail a run: what is told waits in a bounded queue of this process, which drops what a collector that is down or
hangs does not take, and is sent by a thread of its own. The exporter's packages are optional; without them the app says
so once, and works.
"""

import atexit
import logging
import os
import threading
import time
from collections.abc import Mapping
from typing import Any, Final

from function_app.logs import LEVEL_SETTING
from shared.telemetry import NAME, chosen_span_id

ENDPOINT: Final = "OTEL_EXPORTER_OTLP_ENDPOINT"
SIGNALS: Final = ("traces", "metrics")
"""What the app sends; its log is the host's to send."""
QUEUE: Final = 4096
"""Spans that wait; a run has a hundred or two."""
SEND_SECONDS: Final = 5.0
"""For one request to the collector, with its retries."""
SILENT_SECONDS: Final = 1800.0
"""Between two lines that say that nothing arrives."""
LAST_SECONDS: Final = 2.0
"""For what is left when the process ends."""

log = logging.getLogger(__name__)


def set_up(environment: Mapping[str, str] = os.environ) -> bool:
    """Set up what the settings name a collector for; whether they do and it is. Never raises."""
    chosen = signals(environment)
    if not chosen:
        return False
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    try:
        if _is_set_up():
            named = " and ".join(sorted({setting_of(signal, environment) for signal in chosen}))
            log.info("what is told goes where the worker's own OpenTelemetry sends it; not used: %s", named)
            return False
        _begin(chosen, environment)
    except ImportError as error:
        log.warning("a collector is set, but %s is not installed: add requirements-telemetry.txt", error.name)
        return False
    except Exception as error:  # noqa: BLE001 - a setting that OpenTelemetry cannot read must not stop the app
        log.warning("no telemetry is sent: %s; check the OTEL_ settings", type(error).__name__)
        return False
    return True


def signals(environment: Mapping[str, str]) -> frozenset[str]:
    """Those of :data:`SIGNALS` that a setting names a collector for; the library would send others to localhost."""
    return frozenset(
        signal
        for signal in SIGNALS
        if environment.get(setting_of(signal, environment), "").strip()
        and environment.get(f"OTEL_{signal.upper()}_EXPORTER", "").strip().lower() != "none"
    )


def setting_of(signal: str, environment: Mapping[str, str]) -> str:
    """The setting by which the library finds the signal's collector: its own, or that of all signals."""
    own = f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT"
    return own if environment.get(own, "").strip() else ENDPOINT


def _is_set_up() -> bool:
    """Whether somebody has set a provider already, such as the worker for Azure Monitor."""
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider

    return isinstance(trace.get_tracer_provider(), TracerProvider)


def _begin(chosen: frozenset[str], environment: Mapping[str, str]) -> None:
    from opentelemetry.sdk.resources import Resource

    name = environment.get("OTEL_SERVICE_NAME") or environment.get("WEBSITE_SITE_NAME") or NAME
    resource = Resource.create({"service.name": name})
    seconds = _seconds(environment)
    begun = [
        begin(resource, seconds, setting_of(signal, environment))
        for signal, begin in _BEGINNINGS.items()
        if signal in chosen
    ]
    if LEVEL_SETTING not in environment:
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
    atexit.register(_end, *begun)


def _tracing(resource: Any, seconds: float, setting: str) -> Any:
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

    class Spans(SpanExporter):
        """Sends spans, and says seldom that it cannot: the library would say so several times a minute."""

        def __init__(self) -> None:
            self._inner = OTLPSpanExporter(timeout=seconds)
            self._silent_until = 0.0

        def export(self, spans: Any) -> SpanExportResult:
            result = self._inner.export(spans)
            if result is not SpanExportResult.SUCCESS and time.monotonic() >= self._silent_until:
                self._silent_until = time.monotonic() + SILENT_SECONDS
                log.warning("the collector of %s takes no spans; runs go on, what it misses is lost", setting)
            return result

        def shutdown(self) -> None:
            self._inner.shutdown()  # type: ignore[no-untyped-call]

    tracing = tracer_provider(resource)
    tracing.add_span_processor(BatchSpanProcessor(Spans(), max_queue_size=QUEUE))
    trace.set_tracer_provider(tracing)
    return tracing


def _metering(resource: Any, seconds: float, _setting: str) -> Any:
    from opentelemetry import metrics
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

    reader = PeriodicExportingMetricReader(OTLPMetricExporter(timeout=seconds))
    metering = MeterProvider([reader], resource=resource, shutdown_on_exit=False)
    metrics.set_meter_provider(metering)
    return metering


_BEGINNINGS: Final = {"traces": _tracing, "metrics": _metering}


def tracer_provider(resource: Any = None) -> Any:
    """A provider whose spans have the ids that were chosen for them; it keeps no process from ending."""
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

    class Ids(RandomIdGenerator):
        """Random ids, where none was chosen."""

        def generate_span_id(self) -> int:
            return chosen_span_id() or super().generate_span_id()

    return TracerProvider(resource=resource, id_generator=Ids(), shutdown_on_exit=False)


def _seconds(environment: Mapping[str, str]) -> float:
    try:
        return float(environment.get("OTEL_EXPORTER_OTLP_TIMEOUT") or SEND_SECONDS)
    except ValueError:
        return SEND_SECONDS


def _end(*providers: Any) -> None:
    """Send what is left, if that is quick: a collector that hangs must not keep the process."""
    ends = time.monotonic() + LAST_SECONDS
    threads = [threading.Thread(target=each.force_flush, daemon=True) for each in providers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, ends - time.monotonic()))
