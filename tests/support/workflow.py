"""Step an orchestration's generator with scripted answers: what it asked, what it said, what came out.

Time is a value: a timer that wins moves the clock to its due time, nothing sleeps.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from shared.contracts import accepted
from shared.errors import Code
from shared.values.wire import to_wire

START = datetime(2026, 5, 1, 10, 0, tzinfo=UTC)


class ActivityError(Exception):
    """What the SDK raises in an orchestration when an activity's retries ran out: a bare exception with text."""


@dataclass(slots=True, eq=False)
class Task:
    kind: str
    name: str = ""
    payload: Any = None
    due: datetime | None = None
    children: tuple["Task", ...] = ()
    cancelled: bool = False

    def cancel(self) -> None:
        self.cancelled = True


@dataclass(slots=True)
class ScriptedContext:
    """The part of ``DurableOrchestrationContext`` that our orchestrations use."""

    payload: Any
    current_utc_datetime: datetime = START
    statuses: list[dict[str, Any]] = field(default_factory=list)
    continued_with: Any = None
    timers: list[Task] = field(default_factory=list)

    def get_input(self) -> Any:
        return self.payload

    def set_custom_status(self, status: dict[str, Any]) -> None:
        self.statuses.append(status)

    def continue_as_new(self, payload: Any) -> None:
        self.continued_with = payload

    def call_activity_with_retry(self, name: str, options: object, payload: Any) -> Task:
        return Task("activity", name, payload)

    def call_sub_orchestrator(self, name: str, payload: Any, instance_id: str) -> Task:
        return Task("orchestration", name, {"instance_id": instance_id, "input": payload})

    def create_timer(self, due: datetime) -> Task:
        assert due.tzinfo is not None, "the SDK refuses naive times"
        task = Task("timer", due=due)
        self.timers.append(task)
        return task

    def wait_for_external_event(self, name: str) -> Task:
        return Task("event", name)

    def task_any(self, tasks: list[Task]) -> Task:
        return Task("any", children=tuple(tasks))

    def task_all(self, tasks: list[Task]) -> Task:
        return Task("all", children=tuple(tasks))


Answer = Callable[[Any], Any] | list[Any] | dict[str, Any] | Exception


@dataclass(slots=True)
class Played:
    """What happened: names asked in order, each command by name, the statuses shown, the output."""

    output: Any
    asked: list[str]
    commands: dict[str, list[Any]]
    context: ScriptedContext


def value(message: object) -> dict[str, Any]:
    """The reply of an activity that worked."""
    return accepted(message)


def refusal(code: Code, reason: str) -> dict[str, Any]:
    """The reply of an activity that must not be tried again."""
    return {"rejected": code.value, "reason": reason}


def play(
    orchestrator: Callable[[Any], Generator[Any, Any, Any]],
    request: object,
    *,
    answers: dict[str, Answer],
    events: frozenset[int] = frozenset(),
    start: datetime = START,
) -> Played:
    """Run to the end. ``answers``: by activity or orchestration name, a value, a list of values in turn, or a function
    of the input; an exception among them is raised. ``events``: the waits (counted from 0) that an event wins."""
    context = ScriptedContext(request if isinstance(request, dict) else to_wire(request), start)
    player = _Player(context, dict(answers), events)
    generator = orchestrator(context)
    output = player.drive(generator)
    return Played(output, player.asked, player.commands, context)


class _Player:
    def __init__(self, context: ScriptedContext, answers: dict[str, Answer], events: frozenset[int]) -> None:
        self.context, self.answers, self.events = context, answers, events
        self.asked: list[str] = []
        self.commands: dict[str, list[Any]] = {}
        self.waits = 0

    def drive(self, generator: Generator[Any, Any, Any]) -> Any:
        try:
            task = next(generator)
            while True:
                try:
                    result = self.resolve(task)
                except ActivityError as error:
                    task = generator.throw(Exception(str(error)))
                else:
                    task = generator.send(result)
        except StopIteration as stop:
            return stop.value

    def resolve(self, task: Task) -> Any:
        if task.kind == "timer":
            assert task.due is not None
            self.context.current_utc_datetime = max(self.context.current_utc_datetime, task.due)
            return None
        if task.kind == "any":
            return self._any(task)
        if task.kind == "all":
            return [self.resolve(child) for child in task.children]
        return self._answer(task)

    def _any(self, task: Task) -> Task:
        event, timer = task.children
        self.waits += 1
        if self.waits - 1 in self.events:
            return event
        self.resolve(timer)
        return timer

    def _answer(self, task: Task) -> Any:
        self.asked.append(task.name)
        self.commands.setdefault(task.name, []).append(task.payload)
        answer = self.answers[task.name]
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        if callable(answer):
            answer = answer(task.payload)
        if isinstance(answer, Exception):
            raise ActivityError(str(answer))
        return answer
