"""How instances look to clients: the status body and the folded history.

Source of the shapes: the Durable Task extension's ``HttpApiHandler`` and ``DurableClient`` (the method that turns a
stored history into what a status query shows).
"""

import json
from datetime import UTC, datetime
from typing import Any, Final

from local_stack.functions_host.durable.interfaces import HistoryEvent, InstanceStatus

_NAMES: Final = {
    0: "ExecutionStarted",
    1: "ExecutionCompleted",
    2: "ExecutionFailed",
    3: "ExecutionTerminated",
    4: "TaskScheduled",
    5: "TaskCompleted",
    6: "TaskFailed",
    7: "SubOrchestrationInstanceCreated",
    8: "SubOrchestrationInstanceCompleted",
    9: "SubOrchestrationInstanceFailed",
    10: "TimerCreated",
    11: "TimerFired",
    14: "EventSent",
    15: "EventRaised",
    16: "ContinueAsNew",
    17: "GenericEvent",
}
"""What is missing here (OrchestratorStarted and OrchestratorCompleted) is not shown."""

_SCHEDULING: Final = frozenset({4, 7})
_COMPLETING: Final = frozenset({5, 6, 8, 9})
_WITH_RESULT: Final = frozenset({1, 5, 8})
_HIDDEN: Final = frozenset(
    {"EventId", "IsPlayed", "TaskScheduledId", "TimerId", "Version", "Tags", "ParentInstance", "OrchestrationInstance"}
    | {"Correlation", "ScheduledStartTime", "Generation", "ParentTraceContext", "FailureDetails"}
)


def status_body(
    status: InstanceStatus, *, show_input: bool = True, show_history: bool = False, show_history_output: bool = False
) -> dict[str, Any]:
    """The JSON object of one status query."""
    body: dict[str, Any] = {
        "name": status.name,
        "instanceId": status.instance_id,
        "runtimeStatus": status.runtime_status,
        "input": parsed(status.input) if show_input else None,
        "customStatus": parsed(status.custom_status),
        "output": parsed(status.output),
        "createdTime": _seconds(status.created_at),
        "lastUpdatedTime": _seconds(status.last_updated_at),
    }
    if show_history:
        # The extension's name for it. The Python SDK looks for "history" and so finds nothing, as in production.
        body["historyEvents"] = fold(status.history or [], show_input=show_input, show_output=show_history_output)
    return body


def fold(history: list[HistoryEvent], *, show_input: bool, show_output: bool) -> list[dict[str, Any]]:
    """The stored events as a client sees them: scheduling folded into its completion, bookkeeping left out."""
    completed = {event["TaskScheduledId"] for event in history if event["EventType"] in _COMPLETING}
    scheduled = {event["EventId"]: event for event in history if event["EventType"] in _SCHEDULING}
    return [
        _shown(event, scheduled, show_input=show_input, show_output=show_output)
        for event in history
        if event["EventType"] in _NAMES
        # What has not completed yet stays visible on its own.
        and not (event["EventType"] in _SCHEDULING and event["EventId"] in completed)
    ]


def parsed(text: str | None) -> Any:
    """A stored JSON text as a value; a text that is no JSON stays a string, as the extension treats it."""
    if text is None:
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text


def _shown(
    event: HistoryEvent, scheduled: dict[int, HistoryEvent], *, show_input: bool, show_output: bool
) -> dict[str, Any]:
    kind = event["EventType"]
    shown = {key: value for key, value in event.items() if key not in _HIDDEN}
    shown["EventType"] = _NAMES[kind]
    cause = scheduled.get(event["TaskScheduledId"]) if kind in _COMPLETING else None
    if cause is not None:
        shown["ScheduledTime"] = cause["Timestamp"]
        shown["FunctionName"] = cause["Name"]
        if show_input:
            shown["Input"] = cause.get("Input")
    if kind in (0, *_SCHEDULING):
        shown["FunctionName"] = shown.pop("Name")
    if kind in (0, *_SCHEDULING) and not show_input:
        shown.pop("Input", None)
    if kind in _WITH_RESULT:
        result = shown.pop("Result", None)
        if show_output:
            shown["Result"] = parsed(result)
    return shown


def _seconds(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
