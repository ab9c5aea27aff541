"""Spans of activities and orchestrations: in one trace, with names only, and none in a replay."""

import asyncio
import json
import logging
from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from function_app import logs
from function_app.api.operations import OPERATIONS
from function_app.durable_client import started_with
from function_app.tracing import facts_in, traced_activity, traced_orchestration
from function_app.triggers import operations
from function_app.workflows import ORCHESTRATIONS
from shared.messages import AdmissionRequest, ArrivalWindow, Cause
from shared.telemetry import current_trace, span, trace_headers
from shared.values.traces import FIELD, TraceContext, read_trace
from tests.support.api import MemoryServices
from tests.support.telemetry import Told, ids, telling
from tests.support.workflow import START, ScriptedContext

EVENT = TraceContext("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7")
CANARY = "Hedwig-Schneider-1958"


@pytest.fixture
def told() -> Iterator[Told]:
    with telling() as kept:
        yield kept


class Context(ScriptedContext):
    """A scripted orchestration's context that knows its instance and whether it is replaying."""

    __slots__ = ("custom_status", "instance_id", "is_replaying")

    def __init__(self, payload: Any, *, replaying: bool = False) -> None:
        super().__init__(payload)
        self.instance_id = "instance-1"
        self.is_replaying = replaying


def test_an_activity_has_a_span_with_names_and_no_value(told: Told) -> None:
    command = {
        FIELD: EVENT.text,
        "lineage": {"run_id": "diabetes-1a2b-1", "pipeline": "diabetes", "parameters": {"name": CANARY}},
        "target": f"{CANARY} {CANARY}",
    }

    traced_activity("register_model", lambda _: {"value": CANARY})(command, None)

    found = told.span("register_model")
    assert ids(found)[0] == EVENT.trace_id
    assert ids(found)[2] == EVENT.span_id
    assert dict(found.attributes or {}) == {"edgetrain.run_id": "diabetes-1a2b-1", "edgetrain.pipeline": "diabetes"}
    assert CANARY not in told.text


def test_what_an_activity_stumbles_over_is_not_told(told: Told) -> None:
    def fail(_: object) -> dict[str, Any]:
        raise ValueError(f"cannot read {CANARY}")

    with pytest.raises(ValueError, match=CANARY):
        traced_activity("collect_training", fail)({}, None)

    found = told.span("collect_training")
    assert dict(found.attributes or {}) == {"edgetrain.error": "ValueError"}
    assert not found.status.is_ok
    assert CANARY not in told.text


def test_a_rejected_reply_is_a_failed_span_with_its_code(told: Told) -> None:
    traced_activity("build_image", lambda _: {"rejected": "image_moved", "reason": CANARY})({}, None)

    found = told.span("build_image")
    assert (found.attributes or {})["edgetrain.code"] == "image_moved"
    assert not found.status.is_ok
    assert CANARY not in told.text


@pytest.mark.parametrize(
    ("hosts", "place"),
    [
        (TraceContext(EVENT.trace_id, "00000000000000aa"), "00000000000000aa"),  # the host goes on with our trace
        (TraceContext("1" * 32, "00000000000000aa"), EVENT.span_id),
    ],
)
def test_an_activity_belongs_to_the_hosts_span_if_that_is_of_its_trace(
    told: Told, hosts: TraceContext, place: str
) -> None:
    context = SimpleNamespace(trace_context=SimpleNamespace(trace_parent=hosts.text))

    traced_activity("announce", lambda _: {"value": {}})({FIELD: EVENT.text}, context)

    assert ids(told.span("announce"))[::2] == (EVENT.trace_id, place)


def test_without_a_trace_an_activity_begins_one(told: Told) -> None:
    traced_activity("announce", lambda _: {"value": {}})({}, SimpleNamespace(trace_context=None))

    assert ids(told.span("announce"))[2] == ""


def test_requests_from_within_an_activity_say_which_span_they_belong_to(told: Told) -> None:
    sent = traced_activity("observe_target", lambda _: {"value": trace_headers()})({FIELD: EVENT.text}, None)

    trace_id, span_id, _ = ids(told.span("observe_target"))
    assert sent == {"value": {"traceparent": f"00-{trace_id}-{span_id}-01"}}


def test_where_nothing_records_the_trace_is_carried_all_the_same() -> None:
    asks = traced_activity("observe_target", lambda _: {"value": trace_headers()})

    assert asks({FIELD: EVENT.text}, None) == {"value": {"traceparent": EVENT.text}}
    assert asks({}, None) == {"value": {}}


def test_lines_of_an_activity_say_which_run_they_are_about(caplog: pytest.LogCaptureFixture) -> None:
    before = logging.getLogRecordFactory()
    logs.set_up()
    said = logging.getLogger("function_app.x")

    def say(_: object) -> dict[str, Any]:
        said.warning("no\nway")
        return {}

    try:
        traced_activity("announce", say)({"run_id": "diabetes-1a2b-1", "pipeline": "diabetes"}, None)
        said.warning("after")
    finally:
        logging.setLogRecordFactory(before)

    assert [record.getMessage() for record in caplog.records] == [
        "[run_id=diabetes-1a2b-1 pipeline=diabetes] no way",
        "after",
    ]
    assert caplog.records[0].__dict__["edgetrain_run_id"] == "diabetes-1a2b-1"


def story(context: Any) -> Any:
    context.set_custom_status({"stage": "waiting"})
    yield context.call_sub_orchestrator("await_compute", {"run_id": "r-1"}, "r-1-compute")
    context.set_custom_status({"stage": "training"})
    yield context.call_activity_with_retry("read_champion", object(), {"pipeline": "diabetes"})
    return {"run_id": "r-1", "pipeline": "diabetes", "outcome": "promoted", "reason": CANARY}


def drive(context: Context) -> list[Any]:
    """Let the story run, a minute for each step; what it asked for."""
    asked: list[Any] = []
    steps = traced_orchestration("retrain_model", story)(context)
    try:
        while True:
            asked.append(steps.send(None) if not asked else steps.send({}))
            context.current_utc_datetime += timedelta(minutes=1)
    except StopIteration:
        return asked


GIVEN = {"run_id": "r-1", "pipeline": "diabetes", "note": CANARY, FIELD: EVENT.text}


def test_an_orchestration_and_its_stages_have_spans_with_the_times_of_its_history(told: Told) -> None:
    drive(Context(GIVEN))

    assert told.names == ["retrain_model waiting", "retrain_model training", "retrain_model"]
    whole, waiting = told.span("retrain_model"), told.span("retrain_model waiting")
    assert ids(whole)[::2] == (EVENT.trace_id, EVENT.span_id)
    assert ids(waiting)[2] == ids(whole)[1]
    assert waiting.start_time == int(START.timestamp()) * 10**9
    assert (waiting.end_time or 0) - (waiting.start_time or 0) == 60 * 10**9
    assert (whole.end_time or 0) - (whole.start_time or 0) == 120 * 10**9
    assert (whole.attributes or {})["edgetrain.outcome"] == "promoted"
    assert CANARY not in told.text


def test_what_an_orchestration_calls_belongs_to_its_stage(told: Told) -> None:
    compute, champion = drive(Context(GIVEN))

    places = [read_trace(compute.payload["input"][FIELD]), read_trace(champion.payload[FIELD])]
    stages = [told.span("retrain_model waiting"), told.span("retrain_model training")]
    assert [place.span_id if place else "" for place in places] == [ids(stage)[1] for stage in stages]
    assert champion.payload["pipeline"] == "diabetes"


def test_a_replay_tells_nothing_and_asks_for_the_same(told: Told) -> None:
    first = [task.payload for task in drive(Context(GIVEN))]
    told.exporter.clear()

    again = [task.payload for task in drive(Context(GIVEN, replaying=True))]

    assert again == first
    assert told.names == []


def test_a_step_that_is_told_of_twice_is_the_same_span(told: Told) -> None:
    drive(Context(GIVEN))
    first = [ids(each) for each in told.spans]
    told.exporter.clear()

    drive(Context(GIVEN))

    assert [ids(each) for each in told.spans] == first


def test_an_orchestration_without_a_trace_is_left_alone(told: Told) -> None:
    compute, champion = drive(Context({"run_id": "r-1"}))

    assert FIELD not in compute.payload["input"]
    assert FIELD not in champion.payload
    assert told.names == []


def test_one_that_continues_as_new_is_one_span_when_it_ends(told: Told) -> None:
    def poll(context: Any) -> Any:
        if context.get_input()["rounds"] == 0:
            yield context.create_timer(context.current_utc_datetime)
            context.continue_as_new({"rounds": 1})
            return None
        return {}

    first = Context({"rounds": 0, FIELD: EVENT.text})
    steps = traced_orchestration("await_training", poll)(first)
    next(steps)
    with pytest.raises(StopIteration):
        steps.send(None)
    assert told.names == []
    second = Context(json.loads(json.dumps(first.continued_with)))
    second.current_utc_datetime = START + timedelta(hours=1)
    with pytest.raises(StopIteration):
        next(traced_orchestration("await_training", poll)(second))

    whole = told.span("await_training")
    assert (whole.end_time or 0) - (whole.start_time or 0) == 3600 * 10**9
    assert ids(whole)[::2] == (EVENT.trace_id, EVENT.span_id)


def test_a_failed_orchestration_is_a_failed_span(told: Told) -> None:
    def fail(context: Any) -> Any:
        yield context.create_timer(context.current_utc_datetime)
        raise ValueError(CANARY)

    steps = traced_orchestration("roll_out", fail)(Context(GIVEN))
    next(steps)
    with pytest.raises(ValueError, match=CANARY):
        steps.send(None)

    assert not told.span("roll_out").status.is_ok
    assert CANARY not in told.text


def test_every_orchestration_is_registered_with_its_spans() -> None:
    assert all(traced_orchestration(name, each).__name__ == name for name, each in ORCHESTRATIONS.items())


def test_what_is_started_belongs_to_what_starts_it(told: Told) -> None:
    window = ArrivalWindow(window_id="w-1", pipeline="diabetes", opened_at=START)
    with span("on_data_arrival", EVENT):
        inside = started_with("settle_arrivals", "w-1", window)
    outside = started_with("settle_arrivals", "w-1", window)

    assert read_trace(inside[FIELD]) == TraceContext(EVENT.trace_id, ids(told.span("on_data_arrival"))[1])
    assert outside == started_with("settle_arrivals", "w-1", window)
    assert read_trace(outside[FIELD]) is not None


def test_what_carries_a_trace_keeps_it() -> None:
    request = AdmissionRequest(
        pipeline="diabetes",
        cause=Cause.UPSTREAM,
        requested_by="bus-1",
        requested_at=START,
        traceparent=EVENT.text,
    )

    assert started_with("request_run", "bus-1", request)[FIELD] == EVENT.text


@pytest.mark.parametrize("value", ["a b", "", "x" * 300, "a\nb", None, 7, "../up", "Müller", ["r-1"]])
def test_what_is_no_name_is_no_fact(value: object) -> None:
    assert facts_in({"run_id": value, "plan": {"target": value}}) == {}


@pytest.mark.parametrize(
    ("method", "header", "trace"),
    [
        ("POST", EVENT.text, EVENT.trace_id),
        ("POST", f"{EVENT.text}\r\nforged: yes", "one of its own"),
        ("POST", None, "one of its own"),
        ("GET", EVENT.text, "none"),
    ],
)
def test_a_request_that_acts_is_in_the_trace_of_its_header(
    told: Told, monkeypatch: pytest.MonkeyPatch, method: str, header: str | None, trace: str
) -> None:
    async def respond(*_: object) -> str:
        found = current_trace()
        known = found is not None and found.trace_id == EVENT.trace_id
        return EVENT.trace_id if known else "none" if found is None else "one of its own"

    monkeypatch.setattr("function_app.api.handlers.respond", respond)
    operation = next(each for each in OPERATIONS if each.durable and each.method == method)
    request = SimpleNamespace(headers={"traceparent": header} if header else {})

    function = operations._function(operation, MemoryServices())
    assert asyncio.run(function(request, None, SimpleNamespace(trace_context=None))) == trace
    assert told.names == ([operation.name] if method == "POST" else [])
