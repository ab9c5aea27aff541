import json
from typing import Any

import pytest

from orchestrations.await_training import await_training
from orchestrations.progress import gave_up
from shared.errors import Code
from shared.messages import (
    FEWER_STEPS_SCHEMA,
    Done,
    FailureKind,
    TrainingEnd,
    TrainingLimits,
    TrainingPhase,
    TrainingPoll,
    TrainingStatus,
)
from shared.values.wire import from_wire
from tests.support.builders import a_training_poll
from tests.support.workflow import START, Answer, play, refusal, value

QUEUED = value(TrainingStatus(phase=TrainingPhase.QUEUED, detail="Queued"))
RUNNING = value(TrainingStatus(phase=TrainingPhase.RUNNING, detail="Running"))
COMPLETED = value(TrainingStatus(phase=TrainingPhase.COMPLETED))
CANCELLED = value(TrainingStatus(phase=TrainingPhase.CANCELLED))
SHORT = TrainingLimits(queued_seconds=100, running_seconds=200, expected_seconds=60)


def test_submits_once_and_polls_to_the_end() -> None:
    run = play(
        await_training,
        a_training_poll(),
        answers={"submit_training": QUEUED, "check_training": [QUEUED, RUNNING, RUNNING, COMPLETED]},
    )

    assert from_wire(TrainingEnd, run.output) == TrainingEnd(phase=TrainingPhase.COMPLETED, rounds=4)
    assert run.asked == ["submit_training"] + ["check_training"] * 4
    assert [status["progress"]["phase"] for status in run.context.statuses] == [
        "submitting",
        "queued",
        "running",
        "running",
    ]


def test_the_answer_to_the_submission_is_the_first_look() -> None:
    run = play(
        await_training,
        a_training_poll(schema=FEWER_STEPS_SCHEMA),
        answers={"submit_training": QUEUED, "check_training": [RUNNING, COMPLETED]},
    )

    assert from_wire(TrainingEnd, run.output) == TrainingEnd(phase=TrainingPhase.COMPLETED, rounds=3)
    assert run.asked == ["submit_training", "check_training", "check_training"]
    assert len(run.context.timers) == 2


def test_a_training_that_had_ended_when_it_was_submitted_again_is_looked_at_no_more() -> None:
    run = play(await_training, a_training_poll(schema=FEWER_STEPS_SCHEMA), answers={"submit_training": COMPLETED})

    assert from_wire(TrainingEnd, run.output).phase is TrainingPhase.COMPLETED
    assert run.asked == ["submit_training"]


def test_a_submission_is_no_look_for_the_execution_after_it() -> None:
    fewer = a_training_poll(schema=FEWER_STEPS_SCHEMA)
    first = play(await_training, fewer, answers={"submit_training": QUEUED, "check_training": RUNNING})
    second = play(await_training, first.context.continued_with, answers={"check_training": COMPLETED})

    assert from_wire(TrainingPoll, first.context.continued_with).rounds == 20
    assert second.asked == ["check_training"]


def test_why_the_champion_is_not_measured_is_known_when_the_training_ends() -> None:
    begun = value(TrainingStatus(phase=TrainingPhase.QUEUED, unmeasured="nobody signed it"))
    first = play(await_training, a_training_poll(), answers={"submit_training": begun, "check_training": RUNNING})
    second = play(await_training, first.context.continued_with, answers={"check_training": COMPLETED})

    assert from_wire(TrainingEnd, second.output).unmeasured == "nobody signed it"


def test_continues_as_new_after_twenty_rounds_and_does_not_submit_again() -> None:
    first = play(await_training, a_training_poll(), answers={"submit_training": QUEUED, "check_training": RUNNING})

    assert first.output is None
    carried = from_wire(TrainingPoll, first.context.continued_with)
    assert (carried.rounds, carried.submitted, carried.phase) == (20, True, TrainingPhase.RUNNING)

    second = play(await_training, carried, answers={"check_training": COMPLETED})
    assert second.asked == ["check_training"]
    assert from_wire(TrainingEnd, second.output).rounds == 21


def test_an_event_wakes_it_early_and_frees_the_timer() -> None:
    run = play(
        await_training,
        a_training_poll(),
        answers={"submit_training": QUEUED, "check_training": RUNNING},
        events=frozenset({1}),
    )

    assert run.asked.count("check_training") == 3, "it must look once more before it continues as new"
    assert [timer.cancelled for timer in run.context.timers] == [False, True]
    assert from_wire(TrainingPoll, run.context.continued_with).rounds == 3


@pytest.mark.parametrize(
    ("stuck", "said"),
    [(QUEUED, "train.queued_limit_seconds"), (RUNNING, "train.running_limit_seconds")],
)
def test_an_expired_limit_cancels_remotely_and_fails_with_the_remedy(stuck: dict[str, object], said: str) -> None:
    cancelled = False

    def check(_: object) -> object:
        return CANCELLED if cancelled else stuck

    def cancel(_: object) -> object:
        nonlocal cancelled
        cancelled = True
        return value(Done())

    poll, clock = a_training_poll(limits=SHORT), START
    for _ in range(50):
        answers: dict[str, Answer] = {
            "submit_training": QUEUED,
            "check_training": check,
            "cancel_training": cancel,
        }
        run = play(await_training, poll, answers=answers, start=clock)
        if run.output is not None:
            break
        poll, clock = from_wire(TrainingPoll, run.context.continued_with), run.context.current_utc_datetime

    end = from_wire(TrainingEnd, run.output)
    assert cancelled
    assert end.phase is TrainingPhase.FAILED
    assert said in end.reason


def test_a_cancelled_training_that_does_not_stop_is_known_as_such() -> None:
    poll, clock = a_training_poll(submitted=True, limits=SHORT), START
    for _ in range(50):
        run = play(
            await_training, poll, answers={"check_training": RUNNING, "cancel_training": value(Done())}, start=clock
        )
        if run.output is not None:
            break
        poll, clock = from_wire(TrainingPoll, run.context.continued_with), run.context.current_utc_datetime

    end = from_wire(TrainingEnd, run.output)
    assert end.phase is TrainingPhase.FAILED
    assert "did not stop" in end.reason


def test_a_refused_order_is_an_end_with_its_reason() -> None:
    run = play(
        await_training,
        a_training_poll(),
        answers={"submit_training": refusal(Code.BAD_CONFIGURATION, "no compute hub-vm; attach it")},
    )

    end = from_wire(TrainingEnd, run.output)
    assert (end.phase, end.reason) == (TrainingPhase.FAILED, "no compute hub-vm; attach it")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (value(Done()), "the training was cancelled"),
        (refusal(Code.BAD_CONFIGURATION, "expired"), "the training could not be cancelled: expired"),
    ],
)
def test_when_azure_ml_refuses_to_say_how_it_is_the_training_does_not_keep_the_vm(answer: Any, expected: str) -> None:
    run = play(
        await_training,
        a_training_poll(),
        answers={
            "submit_training": QUEUED,
            "check_training": [RUNNING, refusal(Code.BAD_CONFIGURATION, "the secret has expired")],
            "cancel_training": answer,
        },
    )

    end = from_wire(TrainingEnd, run.output)
    assert (end.phase, end.reason) == (TrainingPhase.FAILED, f"the secret has expired; {expected}")


def test_when_azure_ml_stops_answering_the_training_is_cancelled_and_the_stack_stays_out_of_the_reason() -> None:
    run = play(
        await_training,
        a_training_poll(submitted=True),
        answers={
            "check_training": [RUNNING, Exception("Azure ML answers 500\n  File secret.py, line 3")],
            "cancel_training": value(Done()),
        },
    )

    end = from_wire(TrainingEnd, run.output)
    assert end.phase is TrainingPhase.FAILED
    assert end.reason == f"{gave_up(Exception('Azure ML answers 500'))}; the training was cancelled"
    assert "cancel_training" in run.asked


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (refusal(Code.TRAINING_UNKNOWN, "Azure ML has no such run"), "no training had started"),
        (Exception("Azure ML answers 500"), "the training could not be cancelled either: cancel run "),
    ],
)
def test_when_azure_ml_takes_no_order_it_says_whether_something_may_run_there(answer: Any, expected: str) -> None:
    run = play(
        await_training,
        a_training_poll(),
        answers={"submit_training": Exception("Azure ML answers 500"), "cancel_training": answer},
    )

    end = from_wire(TrainingEnd, run.output)
    assert end.phase is TrainingPhase.FAILED
    assert "Azure ML answers 500" in end.reason
    assert expected in end.reason


def test_its_custom_status_fits_the_hosts_limit() -> None:
    long = value(TrainingStatus(phase=TrainingPhase.RUNNING, detail="x" * 500))
    run = play(
        await_training,
        a_training_poll(),
        answers={"submit_training": QUEUED, "check_training": [long, COMPLETED]},
    )

    assert all(len(json.dumps(status).encode("utf-16")) < 16 * 1024 for status in run.context.statuses)


@pytest.mark.parametrize("kind", list(FailureKind))
def test_whose_matter_a_failure_is_goes_on_to_the_run(kind: FailureKind) -> None:
    failed = value(TrainingStatus(phase=TrainingPhase.FAILED, detail="why", failure_kind=kind))

    run = play(await_training, a_training_poll(submitted=True), answers={"check_training": failed})

    end = from_wire(TrainingEnd, run.output)
    assert (end.reason, end.failure_kind, end.job_failed) == ("why", kind, kind.counts)


def test_a_status_of_an_app_before_the_kind_counts_as_it_did() -> None:
    failed = value(TrainingStatus(phase=TrainingPhase.FAILED, detail="why"))

    run = play(await_training, a_training_poll(submitted=True), answers={"check_training": failed})

    end = from_wire(TrainingEnd, run.output)
    assert (end.failure_kind, end.job_failed) == (None, True)


@pytest.mark.parametrize(
    "trouble", [refusal(Code.BAD_CONFIGURATION, "the secret has expired"), Exception("Azure ML answers 500")]
)
@pytest.mark.parametrize("submitted", [False, True])
def test_a_service_that_refuses_or_does_not_answer_is_outside(trouble: Any, submitted: bool) -> None:
    run = play(
        await_training,
        a_training_poll(submitted=submitted),
        answers={"submit_training": trouble, "check_training": trouble, "cancel_training": value(Done())},
    )

    end = from_wire(TrainingEnd, run.output)
    assert (end.failure_kind, end.job_failed) == (FailureKind.OUTSIDE, False)
