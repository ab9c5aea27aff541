"""The shapes of the protocol: history events, their times, and the request of one orchestrator turn.

Numbers and field names are those of DurableTask.Core, which the SDK's replay reads by name. Times carry seven fraction
digits, the resolution of .NET; with their fixed width they also sort as text, which the store makes use of.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import Any, Final

from local_stack.functions_host.durable.interfaces import HistoryEvent, HubOptions

NO_ID: Final = -1


class EventType(IntEnum):
    """Kinds of history events; the values are the wire numbers."""

    EXECUTION_STARTED = 0
    EXECUTION_COMPLETED = 1
    EXECUTION_TERMINATED = 3
    TASK_SCHEDULED = 4
    TASK_COMPLETED = 5
    TASK_FAILED = 6
    SUB_ORCHESTRATION_CREATED = 7
    SUB_ORCHESTRATION_COMPLETED = 8
    SUB_ORCHESTRATION_FAILED = 9
    TIMER_CREATED = 10
    TIMER_FIRED = 11
    ORCHESTRATOR_STARTED = 12
    ORCHESTRATOR_COMPLETED = 13
    EVENT_RAISED = 15


@dataclass(frozen=True, slots=True)
class Parent:
    """Where the result of a sub-orchestration goes: one task of one execution of one instance."""

    instance_id: str
    execution_id: str
    name: str
    task_id: int


def to_json(value: object) -> str:
    """Compact JSON text. Plain ASCII, so that half a surrogate pair from the app cannot fail to be stored."""
    return json.dumps(value, separators=(",", ":"))


def to_stamp(moment: datetime) -> str:
    """UTC with seven fraction digits and ``Z``; always the same width."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0Z")


def from_stamp(text: str) -> datetime:
    """Read a UTC time with any number of fraction digits; what is finer than a microsecond is cut off."""
    return datetime.fromisoformat(text).astimezone(UTC)


def event(kind: EventType, now: datetime, *, event_id: int = NO_ID, **fields: Any) -> HistoryEvent:
    """A history event that has not been played yet."""
    common = {"EventType": int(kind), "EventId": event_id, "IsPlayed": False, "Timestamp": to_stamp(now)}
    return common | fields


def execution_started(
    now: datetime,
    *,
    name: str,
    instance_id: str,
    execution_id: str,
    input_json: str | None,
    parent: Parent | None,
    generation: int = 0,
) -> HistoryEvent:
    """The first event of an execution. The key ``Version`` must be there or the SDK raises."""
    return event(
        EventType.EXECUTION_STARTED,
        now,
        Name=name,
        Version="",
        Input=input_json,
        OrchestrationInstance={"InstanceId": instance_id, "ExecutionId": execution_id},
        ParentInstance=parent
        and {
            "Name": parent.name,
            "OrchestrationInstance": {"InstanceId": parent.instance_id, "ExecutionId": parent.execution_id},
            "TaskScheduleId": parent.task_id,
            "Version": "",
        },
        Tags=None,
        Generation=generation,
    )


def task_completed(now: datetime, task_id: int, result_json: str) -> HistoryEvent:
    """An activity gave a result."""
    return event(EventType.TASK_COMPLETED, now, TaskScheduledId=task_id, Result=result_json)


def task_failed(now: datetime, task_id: int, *, activity: str, error: str, stack: str) -> HistoryEvent:
    """An activity raised. The two blanks are the real host's: it keeps the one after the worker's own label."""
    reason = f"Activity function '{activity}' failed:  {error}"
    details = to_json({"ClassName": "Microsoft.Azure.WebJobs.Host.FunctionInvocationException", "Message": reason})
    if stack:
        details = to_json(json.loads(details) | {"StackTraceString": stack})
    return event(EventType.TASK_FAILED, now, TaskScheduledId=task_id, Reason=reason, Details=details)


def child_ended(now: datetime, task_id: int, *, status: str, output_json: str | None) -> HistoryEvent:
    """A sub-orchestration ended: its result, or for any other end than success the text of its output as reason."""
    if status == "Completed":
        return event(EventType.SUB_ORCHESTRATION_COMPLETED, now, TaskScheduledId=task_id, Result=output_json)
    reason = json.loads(output_json) if output_json else None
    return event(EventType.SUB_ORCHESTRATION_FAILED, now, TaskScheduledId=task_id, Reason=reason, Details=None)


def timer_fired(now: datetime, timer_id: int, fire_at: str) -> HistoryEvent:
    """A timer came due."""
    return event(EventType.TIMER_FIRED, now, TimerId=timer_id, FireAt=fire_at)


def event_raised(now: datetime, name: str, data_json: str | None) -> HistoryEvent:
    """Somebody sent an external event."""
    return event(EventType.EVENT_RAISED, now, Name=name, Input=data_json)


def as_played(events: Iterable[HistoryEvent]) -> list[HistoryEvent]:
    """The events as every later turn sees them."""
    return [{**each, "IsPlayed": True} for each in events]


def orchestrator_request(history: list[HistoryEvent], options: HubOptions) -> str:
    """The request of one turn. ``history`` starts with OrchestratorStarted and ExecutionStarted, as the SDK expects."""
    started = history[1]
    parent = started["ParentInstance"]
    return to_json(
        {
            "history": history,
            "input": None if started["Input"] is None else json.loads(started["Input"]),
            "instanceId": started["OrchestrationInstance"]["InstanceId"],
            "isReplaying": started["IsPlayed"],
            "parentInstanceId": parent and parent["OrchestrationInstance"]["InstanceId"],
            "upperSchemaVersion": 1,
            "upperSchemaVersionNew": 2,  # offers replay schema V3, which the SDK then takes
            "longRunningTimerIntervalDuration": _timespan(options.long_timer_interval),
            "maximumShortTimerDuration": _timespan(options.longest_timer),
            "defaultHttpAsyncRequestSleepTimeMillseconds": 30000,  # the missing "i" is the protocol's
        }
    )


def _timespan(duration: timedelta) -> str:
    """A duration as .NET's constant format, ``d.hh:mm:ss``; whole seconds are all we need."""
    minutes, seconds = divmod(duration.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{duration.days}.{hours:02}:{minutes:02}:{seconds:02}"
