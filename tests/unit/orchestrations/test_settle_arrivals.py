from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from orchestrations.settle_arrivals import ROUNDS_PER_EXECUTION, settle_arrivals
from shared.errors import Code
from shared.messages import (
    CLOSED_BY_ADMISSION,
    Admission,
    AdmissionRequest,
    ArrivalWindow,
    Done,
    Verdict,
    WindowState,
    WindowVerdict,
)
from shared.values.wire import from_wire, to_wire
from tests.support.builders import a_run_request
from tests.support.workflow import START, Played, play, refusal, value

WINDOW = ArrivalWindow(window_id="breast-cancer-w1", pipeline="breast-cancer", opened_at=START, schema=2)
BEFORE_MARKERS = replace(WINDOW, schema=1)
RUN = a_run_request(requested_by=WINDOW.window_id, window_id=WINDOW.window_id)
GRANTED = Admission(start=True, run_id=RUN.run_id, verdict=Verdict.TRAINED, reason="3 files", run=RUN)


def state(last_arrival: float, quiet: float = 30, **changes: Any) -> dict[str, Any]:
    seen = replace(
        WindowState(
            window_id=WINDOW.window_id,
            pipeline=WINDOW.pipeline,
            opened_at=START,
            last_arrival_at=START + timedelta(seconds=last_arrival),
            arrivals=3,
            quiet_seconds=quiet,
            longest_wait_seconds=900,
        ),
        **changes,
    )
    return value(seen)


def story(window: ArrivalWindow = WINDOW, events: Collection[int] = (), **changes: Any) -> Played:
    answers: dict[str, Any] = {
        "read_window": state(0),
        "close_window": value(Done()),
        "admit_run": value(GRANTED),
        "record_verdict": value(Done()),
        "retrain_model": {"outcome": "promoted"},
    }
    return play(settle_arrivals, window, answers=answers | changes, events=frozenset(events))


def test_a_quiet_window_is_closed_before_the_listing_and_starts_one_run() -> None:
    run = story()

    assert run.asked == ["read_window", "read_window", "close_window", "admit_run", "record_verdict", "retrain_model"]
    assert run.commands["retrain_model"][0] == {"instance_id": RUN.run_id, "input": to_wire(RUN)}
    assert [status["stage"] for status in run.context.statuses] == ["settling", "admitting", "running"]


def test_since_admissions_close_windows_this_takes_no_step_of_its_own() -> None:
    window = replace(WINDOW, schema=CLOSED_BY_ADMISSION)
    run = story(window)

    assert run.asked == ["read_window", "read_window", "admit_run", "record_verdict", "retrain_model"]
    assert from_wire(AdmissionRequest, run.commands["admit_run"][0]).closes == window
    assert from_wire(AdmissionRequest, story().commands["admit_run"][0]).closes is None


def test_every_new_arrival_makes_it_wait_longer() -> None:
    run = story(read_window=[state(0), state(20), state(45), state(45)])

    assert [timer.due for timer in run.context.timers] == [START + timedelta(seconds=s) for s in (30, 50, 75)]


@pytest.mark.parametrize("window", [WINDOW, BEFORE_MARKERS])
def test_a_window_that_never_gets_quiet_continues_as_new_with_bounded_history(window: ArrivalWindow) -> None:
    busy = [state(10 * number) for number in range(ROUNDS_PER_EXECUTION + 1)]
    run = story(window, read_window=busy)

    assert run.context.continued_with == to_wire(window)
    assert run.asked == ["read_window"] * ROUNDS_PER_EXECUTION


def test_the_done_marker_wakes_it() -> None:
    run = story(read_window=[state(0), state(1, marked=True)], events={0})

    assert run.asked[:3] == ["read_window", "read_window", "close_window"]
    assert [timer.cancelled for timer in run.context.timers] == [True]
    assert run.context.current_utc_datetime == START


def test_a_marker_that_comes_before_the_minimum_wakes_it_once() -> None:
    little = [state(0, least_files=9), state(1, least_files=9, marked=True), state(40, least_files=9, arrivals=9)]
    run = story(read_window=[*little, little[-1]], events={0, 1})

    assert run.asked.count("read_window") == 4
    assert [timer.cancelled for timer in run.context.timers] == [True, False, False]


def test_it_never_continues_as_new_right_after_it_was_woken() -> None:
    busy = [state(10 * number, least_files=99) for number in range(ROUNDS_PER_EXECUTION + 2)]
    run = story(read_window=busy, events={ROUNDS_PER_EXECUTION - 1})

    assert run.context.continued_with == to_wire(WINDOW)
    assert run.asked == ["read_window"] * (ROUNDS_PER_EXECUTION + 1)
    assert [timer.cancelled for timer in run.context.timers][-2:] == [True, False]


def test_a_window_from_before_the_markers_waits_for_time_only() -> None:
    run = story(BEFORE_MARKERS, read_window=[state(0), state(1, marked=True)], events={0})

    assert [timer.cancelled for timer in run.context.timers] == [False]
    assert run.context.current_utc_datetime == START + timedelta(seconds=30)


@pytest.mark.parametrize("schema", [WINDOW.schema, CLOSED_BY_ADMISSION])
def test_arrivals_of_a_pipeline_that_is_gone_get_their_verdict(schema: int) -> None:
    run = story(
        replace(WINDOW, schema=schema), read_window=refusal(Code.UNKNOWN_PIPELINE, "there is no pipeline 'gone'")
    )

    assert run.asked == ["read_window", "close_window", "record_verdict"]
    recorded = from_wire(WindowVerdict, run.commands["record_verdict"][0])
    assert (recorded.verdict, recorded.reason) == (Verdict.REJECTED, "there is no pipeline 'gone'")


@pytest.mark.parametrize(
    ("admission", "verdict", "reason"),
    [
        (
            value(Admission(start=False, run_id="x-1", verdict=Verdict.UNCHANGED, reason="nothing changed")),
            Verdict.UNCHANGED,
            "nothing changed",
        ),
        (refusal(Code.BAD_PIPELINE, "broken.yaml: name: missing"), Verdict.REJECTED, "broken.yaml: name: missing"),
    ],
)
def test_what_starts_no_run_still_gets_its_verdict(admission: Any, verdict: Verdict, reason: str) -> None:
    run = story(admit_run=admission)

    recorded = from_wire(WindowVerdict, run.commands["record_verdict"][0])
    assert (recorded.verdict, recorded.reason) == (verdict, reason)
    assert "retrain_model" not in run.asked
