from datetime import timedelta
from typing import Any

import pytest

from orchestrations.finalize_orphaned_run import finalize_orphaned_run
from shared.errors import Code
from shared.messages import (
    ComputeRef,
    Done,
    Outcome,
    RunEnd,
    RunEvent,
    RunEventKind,
    RunRecord,
    Stage,
    TrainingRef,
    delivery_of,
)
from shared.values.wire import from_wire
from tests.support.arrivals import a_run_record
from tests.support.workflow import START, Played, play, refusal, value

ENDED = a_run_record(
    outcome=Outcome.FAILED,
    reason="its orchestration was terminated",
    stage=Stage.TRAINING,
    ended_at=START - timedelta(minutes=1),
)
DONE = value(Done())


def story(record: RunRecord = ENDED, **changes: Any) -> tuple[Played, RunRecord]:
    answers = dict.fromkeys(("cancel_training", "record_run", "release_compute", "announce"), DONE)
    run = play(finalize_orphaned_run, RunEnd(record=record, compute="hub-vm"), answers=answers | changes)
    return run, from_wire(RunRecord, run.output)


def test_the_training_is_stopped_then_the_run_is_ended_then_the_next_one_may_train() -> None:
    run, record = story()

    assert record == ENDED
    assert run.asked == ["cancel_training", "record_run", "release_compute", "announce"]
    assert from_wire(TrainingRef, run.commands["cancel_training"][0]) == TrainingRef(
        run_id=ENDED.run_id, pipeline=ENDED.pipeline
    )
    assert from_wire(RunRecord, run.commands["record_run"][0]) == ENDED
    assert from_wire(ComputeRef, run.commands["release_compute"][0]) == ComputeRef(
        compute="hub-vm", run_id=ENDED.run_id
    )


def test_whoever_waits_to_deliver_is_let_in_too() -> None:
    answers: dict[str, Any] = dict.fromkeys(("cancel_training", "record_run", "release_compute", "announce"), DONE)
    run = play(finalize_orphaned_run, RunEnd(record=ENDED, compute="hub-vm", delivers=True), answers=answers)

    assert run.asked == ["cancel_training", "record_run", "release_compute", "release_compute", "announce"]
    assert from_wire(ComputeRef, run.commands["release_compute"][1]) == ComputeRef(
        compute=delivery_of(ENDED.pipeline), run_id=ENDED.run_id
    )


@pytest.mark.parametrize(
    ("outcome", "kind"),
    [
        (Outcome.FAILED, RunEventKind.FAILED),
        (Outcome.CANCELLED, RunEventKind.CANCELLED),
        (Outcome.PROMOTED, RunEventKind.DEPLOYED),
        (None, RunEventKind.FAILED),
    ],
)
def test_the_end_is_announced_as_it_was_recorded(outcome: Outcome | None, kind: RunEventKind) -> None:
    run, record = story(a_run_record(outcome=outcome))

    event = from_wire(RunEvent, run.commands["announce"][0])
    assert (event.kind, event.record) == (kind, record)
    assert record.outcome is (outcome or Outcome.FAILED)
    assert record.ended_at == START


def test_a_training_that_never_began_needs_no_word() -> None:
    _, record = story(cancel_training=refusal(Code.TRAINING_UNKNOWN, "Azure ML has no such run"))

    assert record.reason == ENDED.reason


@pytest.mark.parametrize(
    ("trouble", "expected"),
    [
        (
            Exception("Azure ML answers 500\nstack"),
            "Azure ML answers 500",
        ),
        (refusal(Code.BAD_CONFIGURATION, "no such workspace"), "no such workspace"),
    ],
)
def test_a_training_that_cannot_be_stopped_is_named_and_the_run_ends_all_the_same(trouble: Any, expected: str) -> None:
    run, record = story(cancel_training=trouble)

    assert record.reason.startswith(f"{ENDED.reason}; its training could not be cancelled")
    assert record.reason.endswith(expected)
    assert run.asked[1:] == ["record_run", "release_compute", "announce"]


@pytest.mark.parametrize("step", ["release_compute", "announce"])
@pytest.mark.parametrize("trouble", [Exception("no answer"), refusal(Code.BAD_CONFIGURATION, "wrong key")])
def test_what_comes_after_the_record_is_tried_and_no_more(step: str, trouble: Any) -> None:
    run, record = story(**{step: trouble})

    assert record == ENDED
    assert run.asked == ["cancel_training", "record_run", "release_compute", "announce"]


def test_it_fails_when_the_ledger_does_not_take_the_record_so_that_it_is_started_again() -> None:
    with pytest.raises(Exception, match="tables are down"):
        story(record_run=Exception("tables are down"))
