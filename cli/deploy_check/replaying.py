"""Replays the history of a running orchestration against the code of this folder, through the SDK itself.

The SDK replays a history whose steps were renamed or changed places without a word, and hands results to the wrong
steps. So what the code schedules now is compared, name by name and in order, with what the history scheduled then.
"""

import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Final

import azure.durable_functions as df

from cli.deploy_check.histories import ACTIVITY, ORCHESTRATION, TIMER, Happened, History, Step
from function_app import workflows
from shared.contracts import ACTIVITIES
from shared.values.texts import shortened

Handler = Callable[[Any], str]
_KINDS: Final = {0: ACTIVITY, 1: ACTIVITY, 2: ORCHESTRATION, 3: ORCHESTRATION, 5: TIMER}
_COMPOUND: Final = frozenset({11, 12})


@dataclass(frozen=True, slots=True)
class Version:
    """What a version of the app can run: its orchestrations, and the names of its activities."""

    orchestrations: Mapping[str, Handler]
    activities: frozenset[str]

    def has(self, step: Step) -> bool:
        """Whether it has the function of a step."""
        return {ACTIVITY: step.name in self.activities, ORCHESTRATION: step.name in self.orchestrations}.get(
            step.kind, True
        )


@dataclass(frozen=True, slots=True)
class Asked:
    """What the code asks for: a kind, a name, an input."""

    kind: str
    name: str
    input: Any = None

    def is_like(self, step: Step) -> bool:
        """Whether this is what the history has; of a timer only that it is one."""
        return self.kind == step.kind and (self.kind == TIMER or self.name == step.name)


class ReplayFailedError(Exception):
    """The code raised while it was replayed."""


def this_version() -> Version:
    """The code that this command line was started from."""
    app = df.DFApp()
    app.register_functions(workflows.blueprint())
    handlers = {each.get_function_name(): each.get_user_function() for each in app.get_functions()}
    return Version(handlers, frozenset(activity.name for activity in ACTIVITIES))


def what_would_break(history: History, version: Version) -> str:
    """Why the orchestration would not go on under this version, as a sentence; empty when it would."""
    handler = version.orchestrations.get(history.name)
    if handler is None:
        return f"this version has no orchestration {history.name}"
    gone = next((step for step in history.steps if step.ends is None and not version.has(step)), None)
    if gone is not None:
        return f"it waits for the {gone.kind} {gone.name}, which this version has not"
    try:
        _put_in_order(history, handler)
        asked = _asked(history, handler, history.events)
    except ReplayFailedError as error:
        return f"the code of this version fails on what happened so far: {error}"
    return _difference(history, asked) if history.begun else ""


def _difference(history: History, asked: Sequence[Asked]) -> str:
    steps = [step for step in history.steps if not step.made_by_host]
    for number, (now, then) in enumerate(zip(asked, steps, strict=False), start=1):
        if not now.is_like(then):
            return f"its step {number} was the {_named(then)}, and is the {_named(now)} in this version"
    if len(asked) < len(steps):
        return f"its step {len(asked) + 1} was the {_named(steps[len(asked)])}, which this version does not do there"
    if len(asked) > len(steps):
        return f"this version does the {_named(asked[len(steps)])} in a place that the run has passed already"
    return ""


def _named(step: Step | Asked) -> str:
    return step.kind if step.kind == TIMER else f"{step.kind} {step.name}"


def _put_in_order(history: History, handler: Handler) -> None:
    """Place by place, what the code asks for; of steps of the very same moment that is the only order there is.

    Where the code asks for something else, the rest stays in the order of time, and the comparison says what differs.
    """
    if not history.has_ties():
        history.mark_repetitions()
        return
    left, passed = list(history.steps), 0
    history.steps = []
    repeated: dict[int, str] = {}
    for count in range(len(history.events) + 1):
        last = history.events[count - 1] if count else None
        if last is not None and last.step is not None and last.step not in history.steps:
            break
        asked = _asked(history, handler, history.events[:count])[passed:]
        if not all(_take(history, left, now) for now in asked):
            break
        passed += len(asked)
        if last is not None:
            _take_repetition(history, left, last, repeated)
    history.steps += left


def _take(history: History, left: list[Step], now: Asked) -> Step | None:
    """The step that is asked for, among those of the earliest moment; it gets the next place."""
    like = [step for step in left if step.at == left[0].at and now.is_like(step)]
    if not like:
        return None
    wanted = _leaves(_plain(now.input)) if len(like) > 1 else frozenset()
    chosen = max(like, key=lambda step: len(wanted & _leaves(_plain(step.input)))) if wanted else like[0]
    left.remove(chosen)
    history.steps.append(chosen)
    return chosen


def _take_repetition(history: History, left: list[Step], last: Happened, repeated: dict[int, str]) -> None:
    """What the host scheduled by itself upon this event; ``repeated``: its timers, and the activities that follow."""
    if last.step is None:
        return
    if last.failed and last.step.kind == ACTIVITY:
        timer = _take(history, left, Asked(TIMER, ""))
        if timer is not None:
            timer.made_by_host = True
            repeated[id(timer)] = last.step.name
    elif (name := repeated.get(id(last.step))) is not None:
        again = _take(history, left, Asked(ACTIVITY, name))
        if again is not None:
            again.made_by_host = True


def _plain(value: Any) -> Any:
    """A value, however often it was put into a JSON text."""
    for _ in range(3):
        if not isinstance(value, str):
            break
        try:
            value = json.loads(value)
        except ValueError:
            break
    return value


def _leaves(value: Any, path: str = "") -> frozenset[tuple[str, str]]:
    """Every value with its place: inputs of one step, then and now, share most; a newer version may add some."""
    if isinstance(value, dict):
        return frozenset(leaf for key, each in value.items() for leaf in _leaves(each, f"{path}/{key}"))
    if isinstance(value, list):
        return frozenset(leaf for number, each in enumerate(value) for leaf in _leaves(each, f"{path}/{number}"))
    return frozenset({(path, repr(value))})


def _asked(history: History, handler: Handler, events: Sequence[Happened]) -> list[Asked]:
    """Everything that the code asks for when these events have happened. Raises :class:`ReplayFailedError`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an id that the code does not wait for shows in the comparison
            reply = json.loads(handler(SimpleNamespace(body=history.request(events))))
    except Exception as error:  # noqa: BLE001 - whatever the code raises is the finding
        said = str(error).partition("\n\n$OutOfProcData$:")[0]
        raise ReplayFailedError(shortened(f"{type(error).__name__}: {said}", 300)) from None
    return [each for turn in reply["actions"] for action in turn for each in _flat(action)]


def _flat(action: Mapping[str, Any]) -> list[Asked]:
    if action["actionType"] in _COMPOUND:
        return [each for child in action["compoundActions"] for each in _flat(child)]
    kind = _KINDS.get(action["actionType"])
    if kind is None:
        return []
    return [Asked(kind, "" if kind == TIMER else action["functionName"], action.get("input"))]
