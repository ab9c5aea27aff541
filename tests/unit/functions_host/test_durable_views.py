from datetime import UTC, datetime
from typing import Any

from local_stack.functions_host.durable.interfaces import InstanceStatus
from local_stack.functions_host.routes.durable_views import fold, parsed, status_body

MOMENT = datetime(2026, 5, 1, 10, 0, 0, 123456, tzinfo=UTC)


def event(number: int, event_id: int = -1, **fields: Any) -> dict[str, Any]:
    stamp = f"2026-05-01T10:00:{len(fields):02}Z"
    return {"EventType": number, "EventId": event_id, "IsPlayed": True, "Timestamp": stamp, **fields}


HISTORY = [
    event(12),
    event(0, Name="chain", Version="", Input='"{}"', OrchestrationInstance={}, ParentInstance=None, Tags=None),
    event(4, 0, Name="add", Version="", Input='["1"]'),
    event(13),
    event(12),
    event(5, TaskScheduledId=0, Result='{"sum": 2}'),
    event(10, 1, FireAt="2026-05-01T11:00:00Z"),
    event(7, 2, Name="child", InstanceId="c", Input=None, Version=""),
    event(13),
    event(12),
    event(11, TimerId=1, FireAt="2026-05-01T11:00:00Z"),
    event(4, 3, Name="slow", Version="", Input='["2"]'),
    event(9, TaskScheduledId=2, Reason="it broke", Details=None),
    event(13),
]


def test_scheduling_is_folded_into_its_completion_and_bookkeeping_is_left_out() -> None:
    shown = fold(HISTORY, show_input=False, show_output=False)

    assert [item["EventType"] for item in shown] == [
        "ExecutionStarted",
        "TaskCompleted",
        "TimerCreated",
        "TimerFired",
        "TaskScheduled",
        "SubOrchestrationInstanceFailed",
    ]
    started, completed, _, _, pending, failed = shown
    assert set(started) == {"EventType", "Timestamp", "FunctionName"}
    assert completed["FunctionName"] == "add"
    assert completed["ScheduledTime"] == HISTORY[2]["Timestamp"]
    assert set(completed) == {"EventType", "Timestamp", "FunctionName", "ScheduledTime"}
    assert pending["FunctionName"] == "slow"
    assert (failed["FunctionName"], failed["Reason"]) == ("child", "it broke")


def test_inputs_and_results_are_shown_on_request() -> None:
    shown = fold(HISTORY, show_input=True, show_output=True)

    assert shown[0]["Input"] == '"{}"'
    assert shown[1]["Input"] == '["1"]'
    assert shown[1]["Result"] == {"sum": 2}


def test_the_stored_history_is_not_touched() -> None:
    before = [dict(item) for item in HISTORY]

    fold(HISTORY, show_input=False, show_output=False)

    assert before == HISTORY


def test_the_status_body_has_values_not_texts_and_whole_seconds() -> None:
    status = InstanceStatus("chain", "i1", "e1", "Running", '"{\\"a\\": 1}"', None, '{"step": 1}', MOMENT, MOMENT)

    body = status_body(status, show_input=True)

    assert body == {
        "name": "chain",
        "instanceId": "i1",
        "runtimeStatus": "Running",
        "input": '{"a": 1}',
        "customStatus": {"step": 1},
        "output": None,
        "createdTime": "2026-05-01T10:00:00Z",
        "lastUpdatedTime": "2026-05-01T10:00:00Z",
    }
    assert status_body(status, show_input=False)["input"] is None


def test_a_text_that_is_no_json_stays_a_string() -> None:
    assert parsed("Orchestrator function 'x' failed") == "Orchestrator function 'x' failed"
    assert parsed(None) is None
