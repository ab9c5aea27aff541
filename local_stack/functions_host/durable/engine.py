"""The engine: re-runs the whole action list of an execution against its whole history and says what is new.

A pure function of its arguments, as in DurableTask.Core: no state survives a turn, so a crash can lose none. Ids are
never exchanged with the SDK. Both sides number activities, sub-orchestrations and timers in the order in which they are
started, and meet because they follow the same rules; hence the rules are kept to the letter, the odd ones included.

- Actions run one after the other; each is started when the task of the one before it is done, failed or not.
- A retried call waits on a timer after every failure, also after the last one, and only then fails.
- A canceled timer is done at once, in every later run from the start of the history. An action behind it therefore
  starts earlier than it did in the turn that recorded it. This is how on the real host too an event that won against
  a canceled timer directly before ``continue_as_new`` is delivered again to the next generation
  (Azure/azure-functions-durable-extension issue 2606).
"""

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from local_stack.functions_host.durable.actions import (
    Action,
    CallActivity,
    CallSubOrchestrator,
    ContinueAsNew,
    CreateTimer,
    Retry,
    WaitForEvent,
    WhenAll,
    WhenAny,
)
from local_stack.functions_host.durable.history import EventType, event, from_stamp, to_json, to_stamp
from local_stack.functions_host.durable.interfaces import HistoryEvent


class NonDeterminismError(Exception):
    """The history says that something was started which today's code does not start."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What one run over the history adds up to."""

    scheduled: list[HistoryEvent]
    """Events of activities, sub-orchestrations and timers started by the actions and not yet in the history."""
    canceled_timers: frozenset[int]
    """Ids of timers whose firing would be ignored."""
    open_tasks: frozenset[int]
    """Ids of tasks started and not done."""
    actions_done: bool
    """Every action has been started and is done."""
    next_input: str | None
    """The input of the next generation as a JSON text, when the actions end in continue-as-new."""
    carried_events: list[HistoryEvent]
    """External events for the next generation."""

    @property
    def may_end(self) -> bool:
        """An execution ends, or continues as new, only when nothing it started is still open."""
        return self.actions_done and not self.open_tasks


def decide(history: Iterable[HistoryEvent], actions: Sequence[Action]) -> Decision:
    """Run the actions against the history. Raises :class:`NonDeterminismError`."""
    run = _Run(actions)
    for each in history:
        run.apply(each)
    return run.decision()


@dataclass(slots=True, eq=False)
class _Task:
    """Something to wait for. Whoever waits is called back at once, in the order of asking."""

    done: bool = False
    failed: bool = False
    waiting: list[Callable[[], None]] = field(default_factory=list)

    def resolve(self, *, failed: bool = False) -> None:
        if self.done:
            return
        self.done, self.failed = True, failed
        waiting, self.waiting = self.waiting, []
        for call in waiting:
            call()

    def when_done(self, call: Callable[[], None]) -> None:
        if self.done:
            call()
        else:
            self.waiting.append(call)


class _Run:
    """The state of one run: open tasks, scheduled but unconfirmed events, waits and early events by name."""

    def __init__(self, actions: Sequence[Action]) -> None:
        self._actions = actions
        self._next_action = 0
        self._next_id = 0
        self._clock = datetime.min.replace(tzinfo=UTC)
        self._execution_id = ""
        self._open: dict[int, _Task] = {}
        self._unconfirmed: dict[int, HistoryEvent] = {}
        self._canceled: set[int] = set()
        self._waits: defaultdict[str, list[_Task]] = defaultdict(list)
        self._early: defaultdict[str, deque[HistoryEvent]] = defaultdict(deque)
        self._next_input: str | None = None
        self._carried: list[HistoryEvent] = []
        self._actions_done = False

    def decision(self) -> Decision:
        return Decision(
            scheduled=list(self._unconfirmed.values()),
            canceled_timers=frozenset(self._canceled),
            open_tasks=frozenset(self._open),
            actions_done=self._actions_done,
            next_input=self._next_input,
            carried_events=self._carried,
        )

    def apply(self, each: HistoryEvent) -> None:
        """Let one history event happen. Kinds that change nothing for the actions are passed over."""
        match each["EventType"]:
            case EventType.ORCHESTRATOR_STARTED:
                self._clock = max(self._clock, from_stamp(each["Timestamp"]))
            case EventType.EXECUTION_STARTED:
                self._execution_id = each["OrchestrationInstance"]["ExecutionId"]
                self._advance()
            case EventType.TASK_SCHEDULED | EventType.SUB_ORCHESTRATION_CREATED | EventType.TIMER_CREATED:
                self._confirm(each)
            case EventType.TASK_COMPLETED | EventType.SUB_ORCHESTRATION_COMPLETED:
                self._complete(each["TaskScheduledId"])
            case EventType.TASK_FAILED | EventType.SUB_ORCHESTRATION_FAILED:
                self._complete(each["TaskScheduledId"], failed=True)
            case EventType.TIMER_FIRED:
                self._complete(each["TimerId"])
            case EventType.EVENT_RAISED:
                self._raise(each)

    def _advance(self) -> None:
        """Start actions until one has to be waited for."""
        while self._next_action < len(self._actions):
            task = self._start(self._actions[self._next_action])
            self._next_action += 1
            if not task.done:
                task.when_done(self._advance)
                return
        self._actions_done = True

    def _confirm(self, each: HistoryEvent) -> None:
        started = self._unconfirmed.pop(each["EventId"], None)
        if started is None or not _same_start(started, each):
            name = f" '{each['Name']}'" if "Name" in each else ""
            raise NonDeterminismError(
                f"Non-Deterministic workflow detected: the history holds {EventType(each['EventType']).name}{name} "
                f"with sequence id {each['EventId']}, but today's code does not start it there. "
                "Was the orchestrator changed while this instance was running?"
            )

    def _complete(self, task_id: int, *, failed: bool = False) -> None:
        task = self._open.pop(task_id, None)
        if task is not None:  # else a duplicate, or the firing of a canceled timer
            task.resolve(failed=failed)

    def _raise(self, each: HistoryEvent) -> None:
        name = each["Name"].lower()
        if self._next_input is not None:
            self._carried.append(each)
        elif self._waits[name]:
            self._waits[name].pop().resolve()
        else:
            self._early[name].append(each)

    def _start(self, action: Action) -> _Task:
        match action:
            case CallActivity() | CallSubOrchestrator():
                task = self._call(action)
            case CreateTimer(fire_at, canceled):
                task = self._timer(fire_at, canceled=canceled)
            case WaitForEvent(name):
                task = self._wait(name.lower())
            case ContinueAsNew(next_input):
                self._next_input = next_input
                task = _Task(done=True)
            case WhenAll(children):
                task = _all_of([self._start(child) for child in children])
            case WhenAny(children):
                task = _any_of([self._start(child) for child in children])
        return task

    def _call(self, action: CallActivity | CallSubOrchestrator) -> _Task:
        if action.retry is None:
            return self._attempt(action)
        outcome = _Task()
        self._try(action, action.retry, attempt=1, outcome=outcome)
        return outcome

    def _try(self, action: CallActivity | CallSubOrchestrator, retry: Retry, *, attempt: int, outcome: _Task) -> None:
        last = attempt >= retry.attempts
        call = self._attempt(action)

        def on_timer() -> None:
            if last:
                outcome.resolve(failed=True)
            else:
                self._try(action, retry, attempt=attempt + 1, outcome=outcome)

        def on_call() -> None:
            if not call.failed:
                outcome.resolve()
            else:
                # The SDK counts on a timer after the last attempt as well; it is due at once.
                pause = timedelta(0) if last else retry.interval
                self._timer(self._clock + pause).when_done(on_timer)

        call.when_done(on_call)

    def _attempt(self, action: CallActivity | CallSubOrchestrator) -> _Task:
        task_id = self._take_id()
        if isinstance(action, CallActivity):
            self._unconfirmed[task_id] = event(
                EventType.TASK_SCHEDULED,
                self._clock,
                event_id=task_id,
                Name=action.name,
                Version="",
                Input=to_json([action.input]),
            )
        else:
            self._unconfirmed[task_id] = event(
                EventType.SUB_ORCHESTRATION_CREATED,
                self._clock,
                event_id=task_id,
                Name=action.name,
                Version="",
                InstanceId=action.instance_id or f"{self._execution_id}:{task_id}",
                Input=to_json(action.input),
            )
        return self._open_task(task_id)

    def _timer(self, fire_at: datetime, *, canceled: bool = False) -> _Task:
        timer_id = self._take_id()
        self._unconfirmed[timer_id] = event(
            EventType.TIMER_CREATED, self._clock, event_id=timer_id, FireAt=to_stamp(fire_at)
        )
        if canceled:
            self._canceled.add(timer_id)
            return _Task(done=True)
        return self._open_task(timer_id)

    def _wait(self, name: str) -> _Task:
        if self._early[name]:
            self._early[name].popleft()
            return _Task(done=True)
        task = _Task()
        self._waits[name].append(task)
        return task

    def _open_task(self, task_id: int) -> _Task:
        return self._open.setdefault(task_id, _Task())

    def _take_id(self) -> int:
        taken = self._next_id
        self._next_id += 1
        return taken


def _same_start(started: HistoryEvent, recorded: HistoryEvent) -> bool:
    return started["EventType"] == recorded["EventType"] and started.get("Name") == recorded.get("Name")


def _all_of(tasks: list[_Task]) -> _Task:
    whole = _Task(done=not tasks)

    def on_child() -> None:
        if all(task.done for task in tasks):
            whole.resolve(failed=any(task.failed for task in tasks))

    for task in tasks:
        task.when_done(on_child)
    return whole


def _any_of(tasks: list[_Task]) -> _Task:
    first = _Task(done=not tasks)
    for task in tasks:
        task.when_done(first.resolve)
    return first
