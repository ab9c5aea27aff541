"""What the app tells by OpenTelemetry, kept in memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from function_app.telemetry_export import tracer_provider


@dataclass
class Told:
    """Spans in the order of their ends, and the state of metrics."""

    exporter: InMemorySpanExporter = field(default_factory=InMemorySpanExporter)
    reader: InMemoryMetricReader = field(default_factory=InMemoryMetricReader)

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        return self.exporter.get_finished_spans()

    @property
    def names(self) -> list[str]:
        return [span.name for span in self.spans]

    def span(self, name: str) -> ReadableSpan:
        (found,) = [span for span in self.spans if span.name == name]
        return found

    def metrics(self) -> dict[str, list[Any]]:
        """The points of each metric."""
        data = self.reader.get_metrics_data()
        if data is None:
            return {}
        scopes = [scope for resource in data.resource_metrics for scope in resource.scope_metrics]
        return {metric.name: list(metric.data.data_points) for scope in scopes for metric in scope.metrics}

    @property
    def text(self) -> str:
        """All of it as text, to search for what must not be there."""
        return "\n".join([*(span.to_json() for span in self.spans), str(self.metrics())])


def ids(span: ReadableSpan) -> tuple[str, str, str]:
    """Trace, span and parent, in hexadecimal; without a parent, empty."""
    assert span.context is not None
    parent = f"{span.parent.span_id:016x}" if span.parent else ""
    return f"{span.context.trace_id:032x}", f"{span.context.span_id:016x}", parent


@contextmanager
def telling() -> Iterator[Told]:
    """Spans and metrics of the block go into memory."""
    told = Told()
    provider = tracer_provider()
    provider.add_span_processor(SimpleSpanProcessor(told.exporter))
    metering = MeterProvider([told.reader], shutdown_on_exit=False)
    with (
        patch("opentelemetry.trace._TRACER_PROVIDER", provider),
        patch("opentelemetry.metrics._internal._METER_PROVIDER", metering),
    ):
        yield told
