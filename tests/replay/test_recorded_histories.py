"""Recorded histories of real runs, replayed through the SDK against today's code.

The SDK replays a history whose activity was renamed without a word. So what the code schedules now is compared, name by
name and in order, with what the history scheduled then.
"""

import json
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import azure.durable_functions as df
import pytest

from function_app import workflows
from local_stack.functions_host.durable.history import EventType, as_played, orchestrator_request
from local_stack.functions_host.durable.interfaces import HubOptions
from shared.messages import (
    DELIVERY_SCHEMA,
    FAIR_COMPARISON_SCHEMA,
    FEWER_STEPS_SCHEMA,
    PLANNED_ROLLOUT,
    PREFLIGHT_SCHEMA,
    QUEUE_SCHEMA,
    SEALED_SCHEMA,
)

FOLDER = Path(__file__).parent / "histories"
HISTORIES = sorted(FOLDER.rglob("*.json"))


def name_of(path: Path) -> str:
    """Which history: folder, scenario and orchestration."""
    return str(path.relative_to(FOLDER).with_suffix(""))


def _orchestrators() -> dict[str, Any]:
    app = df.DFApp()
    app.register_functions(workflows.blueprint())
    return {function.get_function_name(): function.get_user_function() for function in app.get_functions()}


ORCHESTRATORS = _orchestrators()
SCHEDULES = {
    EventType.TASK_SCHEDULED: "activity",
    EventType.SUB_ORCHESTRATION_CREATED: "orchestration",
    EventType.TIMER_CREATED: "timer",
}
ACTIVITY, ORCHESTRATION, TIMER, COMPOUND = {0, 1}, {2, 3}, {5}, {11, 12}
CONTINUE_AS_NEW = 4
WORDING = {"reason", "failed", "sentence"}
Scheduled = list[tuple[str, str]]
TIMER_STEP = ("timer", "")


def test_there_are_histories_of_every_orchestration() -> None:
    recorded = {path.name.split(".")[1] for path in HISTORIES}

    assert recorded == set(ORCHESTRATORS)


def test_runs_of_every_schema_are_among_them() -> None:
    """It is what the flow branches on; while runs of older ones may be under way, these must replay."""
    requests = [started_with(read(path)) for path in HISTORIES if path.name.split(".")[1] == "retrain_model"]

    sealed = {SEALED_SCHEMA, DELIVERY_SCHEMA, PREFLIGHT_SCHEMA, FEWER_STEPS_SCHEMA}
    every = {1, QUEUE_SCHEMA, FAIR_COMPARISON_SCHEMA} | sealed
    assert {request["schema"] for request in requests} == every


def test_roll_outs_from_before_and_by_plans_are_among_them() -> None:
    inputs = [started_with(read(path)) for path in HISTORIES if path.name.split(".")[1] == "roll_out"]

    assert {rollout["schema"] for rollout in inputs} == {1, PLANNED_ROLLOUT}


@pytest.mark.parametrize("path", HISTORIES, ids=name_of)
def test_todays_code_schedules_what_the_history_did_turn_by_turn(path: Path) -> None:
    document = read(path)

    for turns in range(1, len(turns_of(document)) + 1):
        assert scheduled_by_code(document, turns) == scheduled_in(first(turns, document)), f"after turn {turns}"


@pytest.mark.parametrize("path", HISTORIES, ids=name_of)
def test_todays_code_comes_to_the_same_end(path: Path) -> None:
    document = read(path)
    answer = reply(document)

    if "continued_with" in document:
        last = answer["actions"][0][-1]
        assert last["actionType"] == CONTINUE_AS_NEW
        assert agree(json.loads(json.loads(document["continued_with"])), json.loads(last["input"]))
    else:
        ended = [event for event in document["history"] if event["EventType"] == EventType.EXECUTION_COMPLETED]
        assert answer["isDone"]
        assert agree(json.loads(ended[-1]["Result"]), answer["output"])


@pytest.mark.parametrize("path", HISTORIES, ids=name_of)
def test_a_renamed_step_would_be_noticed(path: Path) -> None:
    document = read(path)
    old = next(name for _, name in scheduled_in(document["history"]) if name)
    for event in document["history"]:
        if event["EventType"] in SCHEDULES and event.get("Name") == old:
            event["Name"] = f"{old}_as_it_was_called_before"

    assert scheduled_by_code(document) != scheduled_in(document["history"])


@pytest.mark.parametrize("path", HISTORIES, ids=name_of)
def test_a_step_that_moved_would_be_noticed(path: Path) -> None:
    document = read(path)
    steps = [event for event in document["history"] if event["EventType"] in SCHEDULES and event.get("Name")]
    other = next((event for event in steps if event["Name"] != steps[0]["Name"]), None)
    if other is None:
        assert len(set(scheduled_in(document["history"])) - {TIMER_STEP}) == 1, "nothing that could change places"
        return
    steps[0]["Name"], other["Name"] = other["Name"], steps[0]["Name"]

    assert scheduled_by_code(document) != scheduled_in(document["history"])


@pytest.mark.parametrize("path", HISTORIES, ids=name_of)
def test_histories_hold_nothing_of_the_machine_they_were_recorded_on(path: Path) -> None:
    text = path.read_text(encoding="utf-8")

    for word in ("127.0.0.1", "localhost", "/root", "/home", "/tmp", "AccountKey", "PRIVATE KEY", "site-packages"):
        assert word not in text


def scheduled_in(history: list[dict[str, Any]]) -> Scheduled:
    """Kind and name of everything the history scheduled, in the order of the ids that the host gave.

    The host tries a failed activity again by itself: after each failure come a timer and the same activity (only the
    timer after the last one), which the code knows nothing of.
    """
    names: dict[int, str] = {}
    retry_timers, retries, found = 0, Counter[str](), []
    for event in history:
        if event["EventType"] == EventType.TASK_FAILED:
            retry_timers += 1
            retries[names[event["TaskScheduledId"]]] += 1
        if event["EventType"] not in SCHEDULES:
            continue
        kind, name = SCHEDULES[EventType(event["EventType"])], event.get("Name") or ""
        names[event["EventId"]] = name
        if kind == "timer" and retry_timers:
            retry_timers -= 1
        elif kind == "activity" and retries[name]:
            retries[name] -= 1
        else:
            found.append((event["EventId"], (kind, name)))
    return [entry for _, entry in sorted(found)]


def scheduled_by_code(document: dict[str, Any], turns: int | None = None) -> Scheduled:
    """The same of what the code asks for when it sees the history, or its first turns."""
    (actions,) = reply(document, turns)["actions"]
    return [entry for action in actions for entry in _flat(action)]


def reply(document: dict[str, Any], turns: int | None = None) -> dict[str, Any]:
    """What the SDK answers to the history, or to its first turns, at once."""
    history = [each for each in first(turns, document) if each["EventType"] != EventType.EXECUTION_COMPLETED]
    request = orchestrator_request(as_played(history), HubOptions())
    answer = ORCHESTRATORS[document["orchestrator"]](SimpleNamespace(body=request))
    decoded: dict[str, Any] = json.loads(answer)
    return decoded


def first(turns: int | None, document: dict[str, Any]) -> list[dict[str, Any]]:
    """The events of the first turns; of all without a number."""
    return [event for turn in turns_of(document)[:turns] for event in turn]


def turns_of(document: dict[str, Any]) -> list[list[dict[str, Any]]]:
    """The history cut at each OrchestratorStarted."""
    turns: list[list[dict[str, Any]]] = []
    for event in document["history"]:
        if event["EventType"] == EventType.ORCHESTRATOR_STARTED:
            turns.append([])
        turns[-1].append(event)
    return turns


def read(path: Path) -> dict[str, Any]:
    """One recorded document."""
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document


def started_with(document: dict[str, Any]) -> dict[str, Any]:
    """The input of the recorded execution."""
    (started,) = (each for each in document["history"] if each["EventType"] == EventType.EXECUTION_STARTED)
    found: dict[str, Any] = json.loads(json.loads(started["Input"]))
    return found


def agree(recorded: Any, today: Any) -> bool:
    """Whether today's value holds what was recorded. It may hold more, and the wording for people may change."""
    if isinstance(recorded, dict) and isinstance(today, dict):
        facts = recorded.keys() - WORDING
        return facts <= today.keys() and all(agree(recorded[key], today[key]) for key in facts)
    if isinstance(recorded, list) and isinstance(today, list):
        return len(recorded) == len(today) and all(map(agree, recorded, today))
    return bool(recorded == today)


def _flat(action: dict[str, Any]) -> Scheduled:
    kind = action["actionType"]
    if kind in COMPOUND:
        return [entry for child in action["compoundActions"] for entry in _flat(child)]
    if kind in ACTIVITY:
        return [("activity", action["functionName"])]
    if kind in ORCHESTRATION:
        return [("orchestration", action["functionName"])]
    return [TIMER_STEP] if kind in TIMER else []
