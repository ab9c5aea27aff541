"""One turn of one instance: take the messages, ask the orchestrator, let the engine decide, say what to store.

Nothing here touches the store; the result is a value, written by ``store.Store.commit`` in one transaction.
"""

import json
from dataclasses import dataclass, field
from datetime import datetime
from heapq import merge
from typing import Final

from local_stack.functions_host.durable.actions import (
    InvalidReplyError,
    Reply,
    UnsupportedActionError,
    parse_failure,
    parse_reply,
)
from local_stack.functions_host.durable.engine import Decision, NonDeterminismError, decide
from local_stack.functions_host.durable.history import (
    EventType,
    Parent,
    as_played,
    event,
    orchestrator_request,
    to_json,
    to_stamp,
)
from local_stack.functions_host.durable.interfaces import (
    HistoryEvent,
    HubOptions,
    Invoker,
    OrchestratorFailedError,
    UnknownFunctionError,
)

_LONGEST_CUSTOM_STATUS: Final = 16 * 1024  # bytes of UTF-16, the extension's limit


class _CustomStatusTooLongError(Exception):
    pass


@dataclass(frozen=True, slots=True)
class Message:
    """Something that waits to be processed: an inbox row, or a timer that came due."""

    event: HistoryEvent
    row: int | None = None
    timer: int | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An instance as a turn finds it."""

    instance_id: str
    name: str
    execution_id: str
    status: str
    turn: int
    generation: int
    parent: Parent | None
    history: list[HistoryEvent]
    inbox: list[Message]
    timers: list[Message]
    """Those that are due; their events carry the time at which they came due."""


@dataclass(frozen=True, slots=True)
class ActivityCall:
    """An activity to run; ``input`` is its JSON text."""

    task_id: int
    name: str
    input: str


@dataclass(frozen=True, slots=True)
class ChildCall:
    """A sub-orchestration to start."""

    task_id: int
    name: str
    instance_id: str
    input: str


@dataclass(frozen=True, slots=True)
class NextGeneration:
    """What an execution that continues as new leaves behind for the next one."""

    input: str
    carried: list[HistoryEvent]


@dataclass(slots=True)
class TurnResult:
    """All that one turn changes."""

    status: str
    events: list[HistoryEvent]
    taken: list[Message]
    output: str | None = None
    custom_status: str | None = None
    """``None`` keeps the old one."""
    activities: list[ActivityCall] = field(default_factory=list)
    children: list[ChildCall] = field(default_factory=list)
    timers: dict[int, str] = field(default_factory=dict)
    """Time stamps of firing by timer id."""
    canceled_timers: frozenset[int] = frozenset()
    next_generation: NextGeneration | None = None


def take_turn(snapshot: Snapshot, now: datetime, invoker: Invoker, options: HubOptions) -> TurnResult | None:
    """Process what waits for the instance. ``None`` when nothing does. Blocks."""
    taken = _pick(snapshot)
    if not taken:
        return None
    # Every turn opens with its own time: the SDK takes what follows the last OrchestratorStarted for new.
    new = [event(EventType.ORCHESTRATOR_STARTED, now), *(message.event for message in taken)]
    result = TurnResult(status="Running", events=new, taken=taken)
    if taken[-1].event["EventType"] == EventType.EXECUTION_TERMINATED:
        _end(result, "Terminated", to_json(taken[-1].event["Input"]), now)
    else:
        _ask(snapshot, result, now, invoker, options)
    result.events.append(event(EventType.ORCHESTRATOR_COMPLETED, now))
    result.events = as_played(result.events)
    return result


def _pick(snapshot: Snapshot) -> list[Message]:
    """The messages this turn takes, up to the first that terminates."""
    taken: list[Message] = []
    # Both streams keep their own order whatever the clock did in between.
    for message in merge(snapshot.inbox, snapshot.timers, key=_moment):
        taken.append(message)
        if message.event["EventType"] == EventType.EXECUTION_TERMINATED:
            break
    return taken


def _moment(message: Message) -> str:
    # A timer counts from when it came due, not from when somebody looked.
    stamp: str = message.event["Timestamp" if message.timer is None else "FireAt"]
    return stamp


def _ask(snapshot: Snapshot, result: TurnResult, now: datetime, invoker: Invoker, options: HubOptions) -> None:
    """Run the orchestrator and put what it decided into the result."""
    history = snapshot.history + result.events
    try:
        reply = _run(snapshot.name, orchestrator_request(history, options), invoker)
        _check_custom_status(reply)
        decision = decide(history, reply.actions)
        _schedule(result, decision, now, invoker)
    except NonDeterminismError as error:
        _end(result, "Failed", to_json(str(error)), now)
    except (UnknownFunctionError, UnsupportedActionError, InvalidReplyError, _CustomStatusTooLongError) as error:
        _end(result, "Failed", _failure(snapshot.name, str(error)), now)
    else:
        result.custom_status = reply.custom_status
        if decision.may_end:
            _conclude(snapshot.name, result, reply, decision, now)


def _conclude(name: str, result: TurnResult, reply: Reply, decision: Decision, now: datetime) -> None:
    if reply.error is not None:
        _end(result, "Failed", _failure(name, reply.error), now)
    elif decision.next_input is not None:
        # As stored for every orchestrator called from Python: a JSON string that holds the JSON of the value.
        result.next_generation = NextGeneration(to_json(decision.next_input), decision.carried_events)
    elif reply.is_done:
        _end(result, "Completed", reply.output, now)
    # Otherwise it waits for an event that the SDK has seen differently from us; see the module engine.


def _run(name: str, request: str, invoker: Invoker) -> Reply:
    known = invoker.orchestrator_names()
    if name.lower() not in known:
        raise UnknownFunctionError(name, "orchestrator", known)
    try:
        return parse_reply(invoker.run_orchestrator(name, request))
    except OrchestratorFailedError as error:
        return parse_failure(error)


def _check_custom_status(reply: Reply) -> None:
    status = json.loads(reply.custom_status or "null")
    size = len(json.dumps(status, separators=(",", ":"), ensure_ascii=False).encode("utf-16-le", "surrogatepass"))
    if size > _LONGEST_CUSTOM_STATUS:
        raise _CustomStatusTooLongError(
            f"The UTF-16 size of the custom status must not exceed 16 KB; it is {size / 1024:.1f} KB."
        )


def _schedule(result: TurnResult, decision: Decision, now: datetime, invoker: Invoker) -> None:
    """Turn the engine's new events into work.

    The real host leaves an instance with an unknown function running for ever (azure-functions-durable-python issue
    132); we fail it, so that a misspelt name shows.
    """
    _refuse_unknown(decision.scheduled, EventType.TASK_SCHEDULED, "activity", invoker.activity_names())
    _refuse_unknown(
        decision.scheduled, EventType.SUB_ORCHESTRATION_CREATED, "orchestrator", invoker.orchestrator_names()
    )
    for each in decision.scheduled:
        task_id = each["EventId"]
        match each["EventType"]:
            case EventType.TASK_SCHEDULED:
                result.activities.append(ActivityCall(task_id, each["Name"], json.loads(each["Input"])[0]))
            case EventType.SUB_ORCHESTRATION_CREATED:
                result.children.append(ChildCall(task_id, each["Name"], each["InstanceId"], each["Input"]))
            case EventType.TIMER_CREATED if task_id not in decision.canceled_timers:
                result.timers[task_id] = each["FireAt"]
    result.events += [each | {"Timestamp": to_stamp(now)} for each in decision.scheduled]
    result.canceled_timers = decision.canceled_timers


def _refuse_unknown(scheduled: list[HistoryEvent], kind: EventType, label: str, known: frozenset[str]) -> None:
    for each in scheduled:
        if each["EventType"] == kind and each["Name"].lower() not in known:
            raise UnknownFunctionError(each["Name"], label, known)


def _end(result: TurnResult, status: str, output: str | None, now: datetime) -> None:
    """Make the result final; whatever had been scheduled in this turn is not."""
    result.status, result.output = status, output
    result.activities, result.children, result.timers = [], [], {}
    result.events.append(event(EventType.EXECUTION_COMPLETED, now, OrchestrationStatus=status, Result=output))


def _failure(name: str, error: str) -> str:
    return to_json(f"Orchestrator function '{name}' failed: {error}")
