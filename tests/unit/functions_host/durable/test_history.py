"""Times, requests and replies on the wire."""

import json
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_stack.functions_host.durable.actions import (
    CallActivity,
    CallSubOrchestrator,
    CreateTimer,
    InvalidReplyError,
    Retry,
    UnsupportedActionError,
    WaitForEvent,
    WhenAny,
    parse_failure,
    parse_reply,
)
from local_stack.functions_host.durable.history import (
    EventType,
    Parent,
    child_ended,
    event,
    execution_started,
    from_stamp,
    orchestrator_request,
    task_failed,
    to_stamp,
)
from local_stack.functions_host.durable.interfaces import HubOptions, OrchestratorFailedError
from tests.unit.functions_host.durable.harness import NOON

moments = st.integers(-(10**15), 10**15).map(lambda offset: NOON + timedelta(microseconds=offset))  # 31 years each way


@given(moments, moments)
def test_stamps_keep_the_moment_and_sort_as_text(one: datetime, other: datetime) -> None:
    assert from_stamp(to_stamp(one)) == one
    assert (to_stamp(one) < to_stamp(other)) == (one < other)


def test_stamps_are_utc_with_seven_digits() -> None:
    assert to_stamp(datetime(2026, 5, 1, 14, 0, 0, 25, timezone(timedelta(hours=2)))) == "2026-05-01T12:00:00.0000250Z"
    assert from_stamp("2026-05-01T12:00:00.1234567Z").microsecond == 123456
    assert from_stamp("2026-05-01T12:00:00Z") == NOON


def test_a_request_carries_the_parsed_input_and_the_parent() -> None:
    parent = Parent("p1", "pe", "parent", 3)
    started = execution_started(
        NOON, name="o", instance_id="i1", execution_id="e1", input_json='"{\\"run\\": 7}"', parent=parent
    )

    request = json.loads(orchestrator_request([event(EventType.ORCHESTRATOR_STARTED, NOON), started], HubOptions()))

    assert request["input"] == '{"run": 7}'
    assert (request["instanceId"], request["parentInstanceId"]) == ("i1", "p1")
    assert request["maximumShortTimerDuration"] == "6.00:00:00"
    assert request["isReplaying"] is False
    assert request["history"][1]["ParentInstance"]["TaskScheduleId"] == 3


def test_failures_carry_the_texts_of_the_real_host() -> None:
    assert task_failed(NOON, 1, activity="train", error="ValueError: no", stack="at x")["Reason"] == (
        "Activity function 'train' failed:  ValueError: no"
    )
    ended = child_ended(NOON, 2, status="Terminated", output_json='"enough"')
    assert (ended["EventType"], ended["Reason"]) == (EventType.SUB_ORCHESTRATION_FAILED, "enough")


def test_a_reply_is_read_with_all_its_actions() -> None:
    retry = {"firstRetryIntervalInMilliseconds": 1500, "maxNumberOfAttempts": 3}
    race = [
        {"actionType": 6, "externalEventName": "go", "reason": "ExternalEvent"},
        {"actionType": 5, "fireAt": "2026-05-01T12:00:00.000000Z", "isCanceled": True},
    ]
    actions = [
        {"actionType": 1, "functionName": "a", "input": "1", "retryOptions": retry},
        {"actionType": 2, "functionName": "s", "input": "null", "instanceId": None, "version": None},
        {"actionType": 11, "compoundActions": race},
    ]
    text = json.dumps({"isDone": True, "schemaVersion": 2, "actions": [actions], "output": None, "customStatus": "ü"})

    reply = parse_reply(text)

    assert reply.actions == (
        CallActivity("a", "1", Retry(timedelta(seconds=1.5), 3)),
        CallSubOrchestrator("s", "null"),
        WhenAny((WaitForEvent("go"), CreateTimer(NOON, canceled=True))),
    )
    assert (reply.is_done, reply.output, reply.custom_status) == (True, "null", '"\\u00fc"')


@pytest.mark.parametrize("kind", [7, 8, 9, 10])
def test_entities_and_http_calls_are_refused_by_name(kind: int) -> None:
    with pytest.raises(UnsupportedActionError, match=f"action {kind}"):
        parse_reply(json.dumps({"isDone": False, "actions": [[{"actionType": kind}]]}))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"isDone": true, "actions": [[{"actionType": 0}]]}', "null"])
def test_what_is_no_reply_is_refused(text: str) -> None:
    with pytest.raises(InvalidReplyError):
        parse_reply(text)


def test_a_failure_holds_the_reply_behind_the_marker() -> None:
    state = {"isDone": False, "schemaVersion": 2, "actions": [[]], "error": "boom", "customStatus": 1}
    marked = OrchestratorFailedError(f"Exception: boom\n\n$OutOfProcData$:{json.dumps(state)}")

    assert parse_failure(marked).error == "boom"
    assert parse_failure(marked).custom_status == "1"
    plain = "TypeError: it has $OutOfProcData$: in it"
    assert parse_failure(OrchestratorFailedError(plain)).error == plain
