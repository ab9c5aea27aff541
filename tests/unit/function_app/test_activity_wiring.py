"""What the activities without a file of their own ask for, and of whom."""

from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from function_app.activity_wiring import (
    BODIES,
    acquire_compute,
    admit_run,
    read_window,
    record_run,
    release_compute,
)
from shared.contracts import ACTIVITIES
from shared.decisions.training.compute_queue import ask
from shared.errors import Code, PermanentError, TransientError
from shared.messages import (
    AdmissionRequest,
    ArrivalWindow,
    Cause,
    Champion,
    ComputeRef,
    Done,
    Outcome,
    RunRequest,
    Stage,
    WindowState,
    delivery_of,
)
from shared.pipelines import Pipeline, Settle
from tests.support.arrivals import a_pipeline, a_run_record
from tests.support.builders import a_champion, a_run_request
from tests.support.computes import a_ticket
from tests.support.memory_tables import memory_ledger
from tests.support.workflow import START

WINDOW = ArrivalWindow(window_id="window-1", pipeline="breast-cancer", opened_at=START)


class Windows:
    def window_state(self, window: ArrivalWindow, *, settle: Settle) -> WindowState:
        return WindowState(
            window_id=window.window_id,
            pipeline=window.pipeline,
            opened_at=window.opened_at,
            last_arrival_at=window.opened_at + timedelta(seconds=1),
            arrivals=7,
            quiet_seconds=settle.quiet_seconds,
            longest_wait_seconds=settle.longest_wait_seconds,
        )


class Catalogue:
    def get(self, name: str) -> Pipeline:
        if name != "breast-cancer":
            raise PermanentError(f"there is no pipeline {name!r}", code=Code.UNKNOWN_PIPELINE)
        return a_pipeline()


@pytest.fixture
def services() -> Any:
    return SimpleNamespace(pipelines=Catalogue(), ledger=SimpleNamespace(arrivals=Windows()))


def test_every_activity_has_a_body_of_its_name() -> None:
    assert [(row.name, BODIES[row.name].__name__) for row in ACTIVITIES] == [(row.name, row.name) for row in ACTIVITIES]
    assert len(BODIES) == len(ACTIVITIES)


def test_a_window_is_read_with_its_pipelines_periods(services: Any) -> None:
    state = read_window(WINDOW, services)
    assert (state.arrivals, state.quiet_seconds, state.longest_wait_seconds) == (7, 5, 60)


def test_a_window_of_a_pipeline_that_is_gone_is_rejected(services: Any) -> None:
    gone = ArrivalWindow(window_id="w", pipeline="gone", opened_at=START)
    with pytest.raises(PermanentError) as caught:
        read_window(gone, services)
    assert caught.value.code is Code.UNKNOWN_PIPELINE


def test_a_window_is_closed_before_anything_is_looked_at() -> None:
    done: list[str] = []

    class Ledger:
        def close_window(self, _: ArrivalWindow) -> None:
            done.append("closed")

        def claimed_by(self, *_: str) -> RunRequest:
            done.append("looked")
            return a_run_request(requested_by=WINDOW.window_id)

        def run(self, _: str) -> None:
            """It has only been claimed."""

        def mark_decided(self, *_: object, **__: object) -> None:
            done.append("decided")

    it = Ledger()
    ledger = SimpleNamespace(arrivals=it, runs=it, listings=it)
    services: Any = SimpleNamespace(ledger=ledger, evaluator=None, hubs=None, frozen_jobs=None)
    request = AdmissionRequest(
        pipeline=WINDOW.pipeline, cause=Cause.NEW_DATA, requested_by=WINDOW.window_id, requested_at=START, closes=WINDOW
    )

    assert admit_run(request, services).start
    assert admit_run(replace(request, closes=None), services).start
    assert done == ["closed", "looked", "decided", "looked", "decided"]


def test_a_granted_turn_tells_the_champion_of_that_moment() -> None:
    ledger = memory_ledger()
    services: Any = SimpleNamespace(ledger=ledger, settings=SimpleNamespace(compute=lambda _: SimpleNamespace(slots=1)))
    first, second = a_ticket("run-1"), a_ticket("run-2")

    assert acquire_compute(first, services).champion == Champion(pipeline=first.pipeline)
    assert acquire_compute(second, services).champion is None
    champion = a_champion(pipeline=first.pipeline)
    ledger.champions.crown(champion, since=START, over=None, measured=())
    release_compute(ComputeRef(compute=first.compute, run_id="run-1"), services)
    found = acquire_compute(second, services).champion
    assert found is not None
    assert found.run_id == champion.run_id


@pytest.mark.parametrize("stage", Stage)
def test_a_recorded_run_lets_the_next_one_deliver(stage: Stage) -> None:
    ledger = memory_ledger()
    services: Any = SimpleNamespace(ledger=ledger)
    record = a_run_record(run_id="run-1", outcome=Outcome.CANCELLED, stage=stage)
    queue = delivery_of(record.pipeline)
    ticket = replace(a_ticket("run-1"), compute=queue, pipeline=record.pipeline)
    ledger.computes.change(queue, lambda state: ask(state, ticket, 1, START))

    for _ in range(2):  # a repeat changes nothing
        record_run(record, services)
        assert ledger.computes.state(queue).holders == ()


def test_a_delivery_that_cannot_be_given_back_fails_no_record_and_leaves_a_trace(
    caplog: pytest.LogCaptureFixture,
) -> None:
    ledger = memory_ledger()

    def refused(*_: object) -> None:
        raise TransientError("the table is away")

    services: Any = SimpleNamespace(
        ledger=SimpleNamespace(
            runs=ledger.runs,
            champions=ledger.champions,
            listings=ledger.listings,
            quarantines=ledger.quarantines,
            retries=ledger.retries,
            computes=SimpleNamespace(give_back=refused),
        )
    )

    record = a_run_record(outcome=Outcome.CANCELLED, stage=Stage.JUDGING)
    assert record_run(record, services) == Done()
    assert f"run {record.run_id} keeps the delivery of its pipeline" in caplog.text
    assert "the table is away" in caplog.text
