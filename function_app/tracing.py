"""Spans of activities and orchestrations, made at the two tables by which both are registered; neither knows of it.

An orchestration is replayed, so it measures nothing: its spans have the times of its history, and are told in the turn
that made them and in no replay of it. Their ids follow from the trace and the instance, so that activities can belong
to a span that is told only when it has ended, and one that is told twice, after a crash, is the same span.

What is handed on is a field beside those of the message (:data:`shared.values.traces.FIELD`), which whoever does not
know it ignores. An orchestration that was started without one is left alone, as all from before are.
"""

from collections.abc import Callable, Generator, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

import azure.durable_functions as df

from function_app import logs
from shared import telemetry
from shared.messages import RUN_ID
from shared.values.traces import FIELD, TraceContext, read_trace

Steps = Generator[Any, Any, Any]
Orchestration = Callable[[df.DurableOrchestrationContext], Any]

BEGAN: Final = "trace_began"
"""Since when an orchestration runs that has continued as new."""
STAGED: Final = frozenset({"settle_arrivals", "retrain_model"})
"""Orchestrations whose stages have spans of their own; the others are one step of these."""
_PARTS: Final = ("record", "lineage", "plan", "order", "ticket", "request", "command")
"""Where a message may have the run, the pipeline and the target that it is about, besides its own fields."""
_FACTS: Final = ("run_id", "pipeline", "target")
_FAILED: Final = frozenset({"failed", "rolled_back"})


def facts_in(message: object) -> dict[str, str]:
    """The run, the pipeline and the target that a message on the wire is about, as far as it says."""
    found: dict[str, str] = {}
    for part in _parts(message):
        for name in _FACTS:
            value = part.get(name)
            if name not in found and isinstance(value, str) and telemetry.is_name(value) and RUN_ID.match(value):
                found[name] = value
    return found


def _parts(message: object) -> Iterator[Mapping[str, Any]]:
    if isinstance(message, Mapping):
        yield message
        for name in _PARTS:
            yield from _parts(message.get(name))


def traced_activity(
    name: str, run: Callable[[dict[str, Any]], dict[str, Any]]
) -> Callable[[Any, object], dict[str, Any]]:
    """The activity with a span around it, and with what it is about in every line that it logs."""

    def traced(command: Any, context: object) -> dict[str, Any]:
        facts = facts_in(command)
        with telemetry.span(name, _parent(command, context), facts) as span, logs.about(facts):
            reply = run(command)
            telemetry.tell_reply(span, reply)
            return reply

    return traced


def _parent(command: object, context: object) -> TraceContext | None:
    """The span that an activity belongs to: the host's, where that is of our trace; else the one handed on."""
    ours = read_trace(command.get(FIELD)) if isinstance(command, Mapping) else None
    hosts = telemetry.trace_from_host(context)
    return hosts if hosts and (ours is None or hosts.trace_id == ours.trace_id) else ours


def traced_orchestration(name: str, orchestration: Orchestration) -> Callable[[df.DurableOrchestrationContext], Steps]:
    """The orchestration with its spans."""

    def traced(context: df.DurableOrchestrationContext) -> Steps:
        given = context.get_input()
        parent = read_trace(given.get(FIELD)) if isinstance(given, Mapping) else None
        if parent is None:
            return (yield from orchestration(context))
        watched = _Watched(name, context, given, parent)
        try:
            output = yield from orchestration(watched)
        except Exception:
            watched.ended(None, failed=True)
            raise
        watched.ended(output)
        return output

    traced.__name__ = traced.__qualname__ = name
    return traced


class _Watched:
    """An orchestration's context that hands the trace on, and sees stages begin and end."""

    def __init__(
        self, name: str, context: df.DurableOrchestrationContext, given: Mapping[str, Any], parent: TraceContext
    ) -> None:
        self._context = context
        self._name = name
        self._parent = parent
        self._own = parent.child(name, context.instance_id)
        self._facts = facts_in(given)
        self._began = _moment(given.get(BEGAN)) or context.current_utc_datetime
        self._stage = ""
        self._stage_began: datetime = context.current_utc_datetime
        self._continues = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    def call_activity_with_retry(self, name: str, options: df.RetryOptions, command: Any) -> Any:
        return self._context.call_activity_with_retry(name, options, self._handed_on(command))

    def call_sub_orchestrator(self, name: str, given: Any, instance_id: str) -> Any:
        return self._context.call_sub_orchestrator(name, self._handed_on(given), instance_id)

    def continue_as_new(self, given: Any) -> None:
        self._continues = True
        self._context.continue_as_new({**given, FIELD: self._parent.text, BEGAN: self._began.isoformat()})

    def set_custom_status(self, status: Any) -> None:
        self._context.set_custom_status(status)
        stage = status.get("stage") if isinstance(status, Mapping) else None
        if self._name in STAGED and isinstance(stage, str) and stage != self._stage:
            self._end_stage()
            self._stage, self._stage_began = stage, self._context.current_utc_datetime

    def ended(self, output: Any, *, failed: bool = False) -> None:
        """The orchestration has ended, or continues as new, when only its last stage has."""
        self._end_stage()
        if self._continues:
            return
        outcome = output.get("outcome") if isinstance(output, Mapping) else None
        facts = {**self._facts, **facts_in(output), "outcome": outcome, "instance_id": self._context.instance_id}
        self._tell(self._name, self._own, self._parent, self._began, facts, failed=failed or outcome in _FAILED)

    def _end_stage(self) -> None:
        if self._stage:
            facts = {**self._facts, "stage": self._stage}
            self._tell(f"{self._name} {self._stage}", self._place(), self._own, self._stage_began, facts)

    def _place(self) -> TraceContext:
        """The span that what is called now belongs to."""
        return self._own.child(self._stage, self._stage_began.isoformat()) if self._stage else self._own

    def _handed_on(self, message: Any) -> Any:
        return {**message, FIELD: self._place().text} if isinstance(message, Mapping) else message

    def _tell(
        self,
        name: str,
        own: TraceContext,
        parent: TraceContext,
        began: datetime,
        facts: Mapping[str, object],
        *,
        failed: bool = False,
    ) -> None:
        if not self._context.is_replaying:
            telemetry.tell(name, own, parent, (began, self._context.current_utc_datetime), facts, failed=failed)


def _moment(text: object) -> datetime | None:
    return datetime.fromisoformat(text) if isinstance(text, str) else None
