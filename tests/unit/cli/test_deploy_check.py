"""Histories of real runs, folded as the status API shows them, against the code of today and of another version."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from cli.client.errors import ForeignAnswerError
from cli.client.places import Place
from cli.deploy_check.fetching import InstancesUnderWay
from cli.deploy_check.histories import read_history
from cli.deploy_check.replaying import Version, this_version, what_would_break
from local_stack.functions_host.durable.history import EventType, from_stamp, to_stamp
from local_stack.functions_host.routes.durable_views import fold
from tests.replay.test_recorded_histories import HISTORIES, SCHEDULES, first, name_of, read, scheduled_in, turns_of
from tests.support.answering import Reply, answering

VERSION = this_version()


def shown(document: dict[str, Any], history: list[dict[str, Any]]) -> dict[str, Any]:
    """The answer of the status API about a part of a recorded history."""
    started = history[1]
    return {
        "name": document["orchestrator"],
        "instanceId": document["instance_id"],
        "runtimeStatus": "Running",
        "input": json.loads(started["Input"]),
        "createdTime": started["Timestamp"],
        "historyEvents": fold(history, show_input=True, show_output=True),
    }


def as_by_a_real_clock(history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The recorded events some microseconds after each other: the recorder's clock stood still between them."""
    apart = [{**event} for event in history]
    for number, event in enumerate(apart):
        moment = from_stamp(event["Timestamp"]) + timedelta(microseconds=number)
        event["Timestamp"] = to_stamp(moment)
    return apart


def broken(
    document: dict[str, Any], turns: int | None = None, version: Version = VERSION, *, real_clock: bool = False
) -> str:
    """What deploy-check says of the history's first turns."""
    events = [each for each in first(turns, document) if each["EventType"] != EventType.EXECUTION_COMPLETED]
    if real_clock:
        events = as_by_a_real_clock(events)
    return what_would_break(read_history(shown(document, events)), version)


@pytest.mark.parametrize("path", HISTORIES, ids=name_of)
def test_what_runs_now_goes_on_with_todays_code_wherever_it_is(path: Path) -> None:
    document = read(path)

    every = len(turns_of(document))

    said = {turns: broken(document, turns) for turns in {1, every // 2 or 1, every}}

    assert {turns: text for turns, text in said.items() if text} == {}


@pytest.mark.parametrize("path", HISTORIES[::4], ids=name_of)
def test_another_name_for_a_step_that_was_taken_is_found(path: Path) -> None:
    document = read(path)
    old = next(name for _, name in scheduled_in(document["history"]) if name)
    for event in document["history"]:
        if event["EventType"] in SCHEDULES and event.get("Name") == old:
            event["Name"] = f"{old}_before"

    assert f"{old}_before" in broken(document)


@pytest.mark.parametrize("path", HISTORIES[1::3], ids=name_of)
def test_under_a_clock_that_moves_the_order_of_time_is_that_of_the_steps(path: Path) -> None:
    document = read(path)

    assert broken(document, real_clock=True) == ""


def a_run() -> dict[str, Any]:
    return read(next(path for path in HISTORIES if name_of(path) == "by_plans/approved.retrain_model"))


@pytest.mark.parametrize("real_clock", [False, True])
def test_a_step_that_moved_is_found(real_clock: bool) -> None:
    document = a_run()
    scheduled = [event for event in document["history"] if event["EventType"] in SCHEDULES]
    scheduled[2]["Name"], scheduled[3]["Name"] = scheduled[3]["Name"], scheduled[2]["Name"]

    said = broken(document, real_clock=True)

    assert broken(document), "by a clock that stood still, another one is named"
    assert said == "its step 3 was the activity read_champion, and is the activity announce in this version"


def test_a_step_that_the_new_version_takes_where_the_run_has_passed_is_found() -> None:
    document = a_run()
    (gone,) = [each for each in document["history"] if each["EventType"] in SCHEDULES and each["Name"] == "record_run"]
    left = [
        each for each in document["history"] if each is not gone and each.get("TaskScheduledId", -1) != gone["EventId"]
    ]
    document["history"] = left

    assert "activity record_run" in broken(document)


def test_what_this_version_no_longer_has_is_named() -> None:
    document = a_run()
    no_more = replace(VERSION, orchestrations={})
    fewer = replace(VERSION, activities=VERSION.activities - {"announce"})

    assert broken(document, version=no_more) == "this version has no orchestration retrain_model"
    assert broken(document, 1, fewer) == "it waits for the activity announce, which this version has not"
    assert broken(document, 2, fewer) == "", "it was done"


def test_one_that_has_not_begun_may_do_anything() -> None:
    document = a_run()
    answer = shown(document, document["history"][:2]) | {"runtimeStatus": "Pending", "historyEvents": None}

    assert what_would_break(read_history(answer), VERSION) == ""
    assert "fails" in what_would_break(read_history(answer | {"input": "no input of ours"}), VERSION)


def test_an_answer_that_is_no_history_is_refused() -> None:
    document = a_run()
    answer = shown(document, document["history"]) | {"historyEvents": [{"EventType": "TaskCompleted"}]}

    with pytest.raises(ForeignAnswerError, match="not understood"):
        read_history(answer)


def test_what_came_while_it_is_suspended_has_not_reached_the_code() -> None:
    document = a_run()
    turns = turns_of({"history": as_by_a_real_clock(document["history"])})
    came = [event for event in turns[1] if event["EventType"] == EventType.TASK_COMPLETED]
    answer = shown(document, [*turns[0], *came])
    suspended = {"EventType": "ExecutionSuspended", "Timestamp": turns[0][-1]["Timestamp"]}
    answer["historyEvents"].insert(1, suspended)

    assert what_would_break(read_history({**answer, "runtimeStatus": "Suspended"}), VERSION) == ""
    assert "passed already" in what_would_break(read_history(answer), VERSION), "without that it has"


def test_what_is_suspended_is_asked_for_too() -> None:
    def answer(_: str, path: str) -> Reply:
        query = parse_qs(urlsplit(path).query)
        if "runtimeStatus" not in query:
            return Reply(200, b'{"runtimeStatus": "Suspended"}')
        wanted = query["runtimeStatus"][0].split(",")
        return Reply(200, json.dumps([{"instanceId": "a"}] if "Suspended" in wanted else []).encode())

    with answering() as host:
        host.answer = answer
        instances = InstancesUnderWay(Place(host.url), seconds=5)
        found = list(instances.histories())
        instances.close()

    assert [each["runtimeStatus"] for each in found] == ["Suspended"]
