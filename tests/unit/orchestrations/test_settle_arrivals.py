from datetime import timedelta
from typing import Any

import pytest

from orchestrations.settle_arrivals import ROUNDS_PER_EXECUTION, settle_arrivals
from shared.errors import Code
from shared.messages import Admission, ArrivalWindow, Done, Verdict, WindowState, WindowVerdict
from shared.wire import from_wire, to_wire
from tests.support.builders import a_run_request
from tests.support.workflow import START, Played, play, refusal, value

WINDOW = ArrivalWindow(window_id="breast-cancer-w1", pipeline="breast-cancer", opened_at=START)
RUN = a_run_request(requested_by=WINDOW.window_id, window_id=WINDOW.window_id)
GRANTED = Admission(start=True, run_id=RUN.run_id, verdict=Verdict.TRAINED, reason="3 files", run=RUN)


def state(last_arrival: float, quiet: float = 30) -> dict[str, Any]:
    return value(
        WindowState(
            window_id=WINDOW.window_id,
            pipeline=WINDOW.pipeline,
            opened_at=START,
            last_arrival_at=START + timedelta(seconds=last_arrival),
            arrivals=3,
            quiet_seconds=quiet,
            longest_wait_seconds=900,
        )
    )


def story(**changes: Any) -> Played:
    answers: dict[str, Any] = {
        "read_window": state(0),
        "close_window": value(Done()),
        "admit_run": value(GRANTED),
        "record_verdict": value(Done()),
        "retrain_model": {"outcome": "promoted"},
    }
    return play(settle_arrivals, WINDOW, answers=answers | changes)


def test_a_quiet_window_is_closed_before_the_listing_and_starts_one_run() -> None:
    run = story()

    assert run.asked == ["read_window", "read_window", "close_window", "admit_run", "record_verdict", "retrain_model"]
    assert run.commands["retrain_model"][0] == {"instance_id": RUN.run_id, "input": to_wire(RUN)}
    assert [status["stage"] for status in run.context.statuses] == ["settling", "admitting", "running"]


def test_every_new_arrival_makes_it_wait_longer() -> None:
    run = story(read_window=[state(0), state(20), state(45), state(45)])

    assert [timer.due for timer in run.context.timers] == [START + timedelta(seconds=s) for s in (30, 50, 75)]


def test_a_window_that_never_gets_quiet_continues_as_new_with_bounded_history() -> None:
    busy = [state(10 * number) for number in range(ROUNDS_PER_EXECUTION + 1)]
    run = story(read_window=busy)

    assert run.context.continued_with == to_wire(WINDOW)
    assert "close_window" not in run.asked


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
