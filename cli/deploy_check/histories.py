"""The history of an orchestration as the host's status API shows it, and as the SDK replays it.

The API folds a history: what was scheduled is told with its completion, and the ids that tie the two are left out. They
are the places in the order of scheduling, so they can be counted again; what was scheduled at the very same moment is
put in order by :mod:`cli.deploy_check.replaying`, which asks the code.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from cli.client.errors import ForeignAnswerError
from shared.values.texts import shortened

ACTIVITY: Final = "activity"
ORCHESTRATION: Final = "orchestration"
TIMER: Final = "timer"

# Names that the API shows, and numbers that the SDK reads.
_STARTED, _ORCHESTRATOR_STARTED, _RAISED, _TIMER_FIRED = 0, 12, 15, 11
_ENDS: Final = {
    "TaskCompleted": (5, ACTIVITY),
    "TaskFailed": (6, ACTIVITY),
    "SubOrchestrationInstanceCompleted": (8, ORCHESTRATION),
    "SubOrchestrationInstanceFailed": (9, ORCHESTRATION),
}
_FAILURES: Final = frozenset({6, 9})
_OPEN: Final = {
    "TaskScheduled": ACTIVITY,
    "SubOrchestrationInstanceCreated": ORCHESTRATION,
    "TimerCreated": TIMER,
}


@dataclass(slots=True, eq=False)
class Step:
    """Something that the orchestration scheduled. ``ends``: the event that ended it, if any has."""

    kind: str
    name: str
    at: datetime
    input: Any = None
    ends: "Happened | None" = None
    made_by_host: bool = False
    """A repetition that the host schedules by itself, which the code knows nothing of."""


@dataclass(slots=True, eq=False)
class Happened:
    """An event that woke the orchestration. ``step``: what it ends; none for an event from outside."""

    number: int
    at: datetime
    fields: dict[str, Any]
    step: Step | None = None

    @property
    def failed(self) -> bool:
        """Whether it is a failure."""
        return self.number in _FAILURES


@dataclass(slots=True)
class History:
    """One execution of one instance. ``steps`` in the order of scheduling, ``events`` in that of delivery."""

    name: str
    instance_id: str
    begun_at: datetime
    input: Any
    begun: bool
    steps: list[Step]
    events: list[Happened]

    def request(self, events: Sequence[Happened] | None = None) -> str:
        """The SDK's request for a replay: after these events, or all of them."""
        woken = self.events if events is None else events
        started = {
            **_event(_STARTED, self.begun_at),
            "Name": self.name,
            "Version": "",
            "Input": json.dumps(self.input),
            "OrchestrationInstance": {"InstanceId": self.instance_id, "ExecutionId": ""},
            "ParentInstance": None,
            "Tags": None,
        }
        history = [_event(_ORCHESTRATOR_STARTED, self.begun_at), started]
        places = {id(step): place for place, step in enumerate(self.steps)}
        for happened in woken:
            history.append(_event(_ORCHESTRATOR_STARTED, self._turn(happened)))
            history.append(_event(happened.number, happened.at) | happened.fields | _tie(happened, places))
        return json.dumps(
            {
                "history": history,
                "input": self.input,
                "instanceId": self.instance_id,
                "isReplaying": True,
                "parentInstanceId": None,
                "upperSchemaVersion": 1,
                "upperSchemaVersionNew": 2,
                "longRunningTimerIntervalDuration": "3.00:00:00",
                "maximumShortTimerDuration": "6.00:00:00",
                "defaultHttpAsyncRequestSleepTimeMillseconds": 30000,  # the missing "i" is the protocol's
            }
        )

    def has_ties(self) -> bool:
        """Whether steps were scheduled at the very same moment, so that time alone does not give their order."""
        return len({step.at for step in self.steps}) < len(self.steps)

    def mark_repetitions(self) -> None:
        """After each failure of an activity the host schedules a timer and, unless it gives up, the activity again."""
        for failed in self.events:
            if not failed.failed or failed.step is None or failed.step.kind != ACTIVITY:
                continue
            later = [step for step in self.steps if step.at >= failed.at and not step.made_by_host]
            timer = next((step for step in later if step.kind == TIMER), None)
            if timer is None:
                continue
            timer.made_by_host = True
            fired, name = timer.ends, failed.step.name
            again = (step for step in later if fired is not None and step.name == name and step.at >= fired.at)
            if (repetition := next(again, None)) is not None:
                repetition.made_by_host = True

    def _turn(self, happened: Happened) -> datetime:
        """When the turn was that this event woke: when it scheduled something, else at about the time of the event."""
        place = self.events.index(happened)
        following = self.events[place + 1].at if place + 1 < len(self.events) else None
        later = [step.at for step in self.steps if step.at >= happened.at]
        first = min(later, default=happened.at)
        return happened.at if following is not None and first > following else first


def read_history(answer: Mapping[str, Any]) -> History:
    """The history in an answer with ``showHistory``. Raises :class:`ForeignAnswerError`."""
    name = shortened(str(answer.get("name")), 100)
    try:
        return _read(answer)
    except (KeyError, TypeError, ValueError) as error:
        raise ForeignAnswerError(f"the history of an instance of {name} is not understood: {error!r}") from None


def _read(answer: Mapping[str, Any]) -> History:
    steps: list[Step] = []
    events: list[Happened] = []
    timers: dict[str, list[Step]] = {}
    begun_at = moment(answer["createdTime"])
    for event in answer.get("historyEvents") or ():
        kind = event["EventType"]
        if kind == "ExecutionStarted":
            begun_at = moment(event["Timestamp"])
        elif kind in _OPEN:
            step = Step(
                _OPEN[kind], str(event.get("FunctionName") or ""), moment(event["Timestamp"]), event.get("Input")
            )
            steps.append(step)
            if step.kind == TIMER:
                timers.setdefault(str(event["FireAt"]), []).append(step)
        elif kind in _ENDS:
            steps.append(_ended(event, *_ENDS[kind], events))
        elif kind == "TimerFired":
            _fired(event, timers, steps, events)
        elif kind == "EventRaised":
            fields = {"Name": event["Name"], "Input": _as_json(event.get("Input"))}
            events.append(Happened(_RAISED, moment(event["Timestamp"]), fields))
    steps.sort(key=lambda step: step.at)
    if answer["runtimeStatus"] == "Suspended":
        events = _until_suspended(answer, events)
    begun = bool(steps or events) or answer["runtimeStatus"] != "Pending"
    return History(str(answer["name"]), str(answer["instanceId"]), begun_at, answer["input"], begun, steps, events)


def _until_suspended(answer: Mapping[str, Any], events: list[Happened]) -> list[Happened]:
    """What came while an instance is suspended waits, and has not reached its code."""
    told = answer.get("historyEvents") or ()
    since = [moment(event["Timestamp"]) for event in told if event["EventType"] == "ExecutionSuspended"]
    return [each for each in events if each.at <= since[-1]] if since else events


def _ended(event: Mapping[str, Any], number: int, kind: str, events: list[Happened]) -> Step:
    """What an event says was scheduled, and the event itself among ``events``."""
    step = Step(kind, str(event["FunctionName"]), moment(event["ScheduledTime"]), event.get("Input"))
    failed = {"Reason": event.get("Reason"), "Details": event.get("Details")}
    fields = failed if number in _FAILURES else {"Result": json.dumps(event.get("Result"))}
    step.ends = Happened(number, moment(event["Timestamp"]), fields, step)
    events.append(step.ends)
    return step


def _fired(event: Mapping[str, Any], timers: dict[str, list[Step]], steps: list[Step], events: list[Happened]) -> None:
    """A timer that fired; hosts fold it like everything else, or show both."""
    waiting = timers.get(str(event["FireAt"])) or []
    if event.get("ScheduledTime"):
        step = Step(TIMER, "", moment(event["ScheduledTime"]))
        steps.append(step)
    else:
        step = waiting.pop(0)
    step.ends = Happened(_TIMER_FIRED, moment(event["Timestamp"]), {"FireAt": event["FireAt"]}, step)
    events.append(step.ends)


def _tie(happened: Happened, places: Mapping[int, int]) -> dict[str, Any]:
    if happened.step is None:
        return {}
    key = "TimerId" if happened.number == _TIMER_FIRED else "TaskScheduledId"
    return {key: places[id(happened.step)]}


def _event(number: int, at: datetime) -> dict[str, Any]:
    stamp = at.strftime("%Y-%m-%dT%H:%M:%S.%f0Z")
    return {"EventType": number, "EventId": -1, "IsPlayed": True, "Timestamp": stamp}


def moment(text: object) -> datetime:
    """A time of the host's, in UTC; what is finer than a microsecond is cut off."""
    found = datetime.fromisoformat(str(text))
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)


def _as_json(value: object) -> str | None:
    """The JSON text of an external event's data, which some hosts show as a value."""
    if value is None:
        return None
    if isinstance(value, str):
        try:
            json.loads(value)
        except ValueError:
            return json.dumps(value)
        return value
    return json.dumps(value)
