"""What a span around an activity costs: one that does nothing, as it is, with nothing set up, and with spans sent."""

import time
from collections.abc import Callable
from typing import Any

from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from benchmarks.report import Row
from function_app.activity_wiring import activity_function
from function_app.composition import Services
from function_app.telemetry_export import tracer_provider
from function_app.tracing import traced_activity
from shared.contracts import READ_CHAMPION
from shared.messages import Champion, ChampionQuery
from shared.values.traces import FIELD, own_trace
from shared.values.wire import to_wire

CALLS = 2000
ROUNDS = 7
COMMAND = {**to_wire(ChampionQuery(pipeline="diabetes")), FIELD: own_trace("benchmark").text}


class _Nowhere(SpanExporter):
    def __init__(self) -> None:
        self.taken = 0

    def export(self, spans: Any) -> SpanExportResult:
        self.taken += len(spans)
        return SpanExportResult.SUCCESS


def run() -> list[Row]:
    """The best of some rounds of each, taken in turns; the provider is set once, so what is without it comes first."""
    bare = activity_function(READ_CHAMPION, lambda _, __: Champion(pipeline="diabetes", run_id=None), Services())
    traced = traced_activity("read_champion", bare)
    as_it_is = min(_microseconds(bare, COMMAND) for _ in range(ROUNDS))
    unset = min(_microseconds(traced, COMMAND, None) for _ in range(ROUNDS))
    sent, exporter = _sent(traced)
    assert exporter.taken == CALLS * ROUNDS, f"{exporter.taken} spans of {CALLS * ROUNDS} were sent"
    remark = f"{unset:.0f} us with nothing set up; a run has some 150: {150 * (sent - as_it_is) / 1000:.0f} ms"
    return [
        Row(
            what="a span around an activity that does nothing, sent, against none",
            ours=f"{sent:.0f} us",
            baseline=f"{as_it_is:.0f} us",
            ratio=sent / as_it_is,
            goal=None,
            remark=remark,
        )
    ]


def _sent(traced: Callable[..., Any]) -> tuple[float, _Nowhere]:
    from unittest.mock import patch

    exporter, provider = _Nowhere(), tracer_provider()
    provider.add_span_processor(BatchSpanProcessor(exporter, max_queue_size=CALLS * 2))
    with patch("opentelemetry.trace._TRACER_PROVIDER", provider):
        best = float("inf")
        for _ in range(ROUNDS):
            best = min(best, _microseconds(traced, COMMAND, None))
            provider.force_flush()
    provider.shutdown()
    return best, exporter


def _microseconds(call: Callable[..., Any], *arguments: Any) -> float:
    began = time.perf_counter()
    for _ in range(CALLS):
        call(*arguments)
    return (time.perf_counter() - began) / CALLS * 1e6
