"""Spans and metrics of the app, by OpenTelemetry's API alone; without an SDK that was set up, all of it does nothing.

A span says which run, pipeline, stage and target, and how long; never a value of the data. So its attributes are of
the few names below, with values that look like names of ours: anything else is left out, an error by its class and
code only. Spans may be given an id of their own (:func:`chosen_span_id`), so that a step that is told of twice, as
orchestrations may, is one span.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Any, Final

from shared.errors import EdgetrainError, PermanentError
from shared.values.traces import TraceContext, read_trace

NAME: Final = "edgetrain"
ATTRIBUTES: Final = frozenset(
    {"run_id", "pipeline", "stage", "target", "outcome", "code", "error", "cause", "step", "clock", "instance_id"}
)
"""The names of attributes, each with ``edgetrain.`` before it."""
_VALUE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,199}", re.ASCII)
_NANO: Final = 1_000_000_000
SECONDS: Final = (1, 5, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400, 43200, 86400)
"""The bounds between which durations are counted: from a second to a day."""

_chosen: ContextVar[int] = ContextVar("edgetrain_span_id", default=0)


def chosen_span_id() -> int:
    """The id that the span that is being started is to have; 0 for any."""
    return _chosen.get()


def attributes_of(facts: Mapping[str, object]) -> dict[str, str | int | float | bool]:
    """The facts as attributes; those whose name is not known, or whose value is no name, are left out."""
    known = {name: value for name, value in facts.items() if name in ATTRIBUTES}
    return {f"{NAME}.{name}": str(value) for name, value in known.items() if is_name(value)}


def is_name(value: object) -> bool:
    """Whether a value looks like a name of ours (a run, a pipeline, a target, a code), and so may be told."""
    return isinstance(value, str) and _VALUE.fullmatch(value) is not None


@contextmanager
def span(
    name: str, parent: TraceContext | None, facts: Mapping[str, object] | None = None, *, began: datetime | None = None
) -> Iterator[Any]:
    """A span around the block; an exception is told by its class and code, and goes on. ``began``: if before now.

    Within it, :func:`current_trace` is the context to hand on.
    """
    from opentelemetry import trace

    tracer = trace.get_tracer(NAME)
    with tracer.start_as_current_span(
        name,
        context=_parent(parent),
        attributes=attributes_of(facts or {}),
        start_time=None if began is None else _nanoseconds(began),
        record_exception=False,  # an exception's text may quote what it stumbled over
        set_status_on_exception=False,
    ) as current:
        try:
            yield current
        except BaseException as error:
            tell_error(current, error)
            raise


def tell_error(current: Any, error: BaseException) -> None:
    """Mark a span as failed."""
    from opentelemetry.trace import Status, StatusCode

    facts: dict[str, object] = {"error": type(error).__name__}
    if isinstance(error, PermanentError):
        facts["code"] = error.code.value
    current.set_attributes(attributes_of(facts))
    current.set_status(Status(StatusCode.ERROR, type(error).__name__ if isinstance(error, EdgetrainError) else None))


def tell_reply(current: Any, reply: Mapping[str, Any]) -> None:
    """Mark a span as failed if an activity's reply says that its command was rejected."""
    from opentelemetry.trace import Status, StatusCode

    if "rejected" in reply:
        current.set_attributes(attributes_of({"code": reply["rejected"]}))
        current.set_status(Status(StatusCode.ERROR))


def tell(
    name: str,
    own: TraceContext,
    parent: TraceContext,
    times: tuple[datetime, datetime],
    facts: Mapping[str, object],
    *,
    failed: bool = False,
) -> None:
    """A span that has ended already: its own id, its parent's, when it began and ended."""
    from opentelemetry import trace
    from opentelemetry.trace import Status, StatusCode

    tracer = trace.get_tracer(NAME)
    token = _chosen.set(int(own.span_id, 16))
    try:
        past = tracer.start_span(
            name, context=_parent(parent), attributes=attributes_of(facts), start_time=_nanoseconds(times[0])
        )
    finally:
        _chosen.reset(token)
    if failed:
        past.set_status(Status(StatusCode.ERROR))
    past.end(end_time=max(map(_nanoseconds, times)))


def sends_metrics() -> bool:
    """Whether somebody has set up where metrics go; without, nobody needs to gather them."""
    from opentelemetry import metrics

    return type(metrics.get_meter_provider()).__module__.startswith("opentelemetry.sdk.")


def count(name: str, unit: str, description: str, **facts: object) -> None:
    """Count one."""
    _meter().create_counter(f"{NAME}.{name}", unit, description).add(1, attributes_of(facts))


def observe_seconds(name: str, description: str, seconds: float, **facts: object) -> None:
    """One duration of many."""
    histogram = _meter().create_histogram(
        f"{NAME}.{name}", "s", description, explicit_bucket_boundaries_advisory=SECONDS
    )
    histogram.record(max(0.0, seconds), attributes_of(facts))


def set_number(name: str, unit: str, description: str, value: float, **facts: object) -> None:
    """What a number is now."""
    _meter().create_gauge(f"{NAME}.{name}", unit, description).set(value, attributes_of(facts))


def _meter() -> Any:
    from opentelemetry import metrics

    return metrics.get_meter(NAME)


def current_trace(otherwise: TraceContext | None = None) -> TraceContext | None:
    """The context of the span around this; ``otherwise`` where nothing records spans."""
    from opentelemetry import trace

    context = trace.get_current_span().get_span_context()
    if not context.is_valid:
        return otherwise
    return TraceContext(f"{context.trace_id:032x}", f"{context.span_id:016x}", bool(context.trace_flags & 1))


def trace_headers() -> dict[str, str]:
    """The header for a request that belongs to the span around this; none where there is no trace."""
    found = current_trace()
    return {"traceparent": found.text} if found else {}


def trace_from_host(context: object) -> TraceContext | None:
    """The span of the host's around an invocation, as its worker hands it over."""
    return read_trace(getattr(getattr(context, "trace_context", None), "trace_parent", None))


def _parent(parent: TraceContext | None) -> Any:
    """An OpenTelemetry context whose current span is this one; without one, the span begins a trace."""
    from opentelemetry import context as contexts
    from opentelemetry import trace

    if parent is None:
        return contexts.Context()
    remote = trace.SpanContext(
        int(parent.trace_id, 16), int(parent.span_id, 16), is_remote=True, trace_flags=trace.TraceFlags(parent.sampled)
    )
    return trace.set_span_in_context(trace.NonRecordingSpan(remote), contexts.Context())


def _nanoseconds(at: datetime) -> int:
    return int(at.timestamp() * 1_000_000) * (_NANO // 1_000_000)
