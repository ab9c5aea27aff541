"""Every state that an owner can be in, and what the reconciler does about it."""

from dataclasses import replace
from datetime import datetime, timedelta

import azure.durable_functions as df
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.decisions.admission.run_plan import trained_in
from shared.decisions.reconciliation.orphans import (
    GIVE_UP_AFTER,
    GRACE,
    FinalizeRun,
    InstanceStatus,
    Liveness,
    StartAgain,
    after_roll_outs,
    decide_orphaned_run,
    decide_orphaned_window,
    finalized_record,
    is_given_up,
    liveness_of,
    owner_is_gone,
    retry_is_due,
    within_grace,
)
from shared.messages import ArrivalWindow, Outcome, Stage, Verdict, WindowVerdict, first_record
from tests.support.arrivals import a_run_record
from tests.support.builders import a_run_request
from tests.support.workflow import START

WINDOW = ArrivalWindow(window_id="breast-cancer-20260501T100000-ab", pipeline="breast-cancer", opened_at=START)
REQUEST = a_run_request(requested_at=START)
SOON, LATER, MUCH_LATER = START + GRACE / 2, START + 2 * GRACE, START + GIVE_UP_AFTER + GRACE
NEVER = InstanceStatus(life=Liveness.NEVER)
LIVES = st.sampled_from(list(Liveness))
MOMENTS = st.timedeltas(-timedelta(days=3), timedelta(days=3)).map(lambda after: START + after)


def instance(life: Liveness, said: str = "", stage: Stage | None = None) -> InstanceStatus:
    return InstanceStatus(life=life, said=said, stage=stage, updated_at=START)


@pytest.mark.parametrize(
    ("status", "life"),
    [
        (None, Liveness.NEVER),
        ("Pending", Liveness.ALIVE),
        ("Running", Liveness.ALIVE),
        ("Suspended", Liveness.ALIVE),
        ("ContinuedAsNew", Liveness.ALIVE),
        ("Completed", Liveness.COMPLETED),
        ("Failed", Liveness.FAILED),
        ("Terminated", Liveness.TERMINATED),
        ("Canceled", Liveness.TERMINATED),
        ("SomethingNew", Liveness.ALIVE),
    ],
)
def test_every_runtime_status_has_a_life(status: str | None, life: Liveness) -> None:
    assert liveness_of(status) is life


def test_no_status_that_the_sdk_knows_is_forgotten() -> None:
    running = {"Pending", "Running", "Suspended", "ContinuedAsNew"}

    alive = {status.value for status in df.OrchestrationRuntimeStatus if liveness_of(status.value) is Liveness.ALIVE}

    assert alive == running


@pytest.mark.parametrize("owner", [NEVER, *(instance(life) for life in Liveness if life is not Liveness.ALIVE)])
def test_an_owner_that_ended_is_gone_after_the_grace(owner: InstanceStatus) -> None:
    assert not owner_is_gone(START, owner, SOON)
    assert owner_is_gone(START, owner, LATER)


@given(MOMENTS)
def test_an_owner_that_lives_is_never_gone(now: object) -> None:
    assert not owner_is_gone(START, instance(Liveness.ALIVE), now)  # type: ignore[arg-type]


def test_the_grace_counts_from_the_last_sign_of_life() -> None:
    just_ended = InstanceStatus(life=Liveness.FAILED, updated_at=LATER)

    assert not owner_is_gone(START, just_ended, LATER + GRACE / 2)
    assert owner_is_gone(START, just_ended, LATER + 2 * GRACE)


def test_a_clock_that_was_set_back_keeps_no_claim_for_ever() -> None:
    assert owner_is_gone(START + timedelta(days=400), NEVER, START)
    assert within_grace(START + GRACE / 2, START)


def judge(settling: InstanceStatus = NEVER, **changes: object) -> StartAgain | WindowVerdict | None:
    known = {"verdict": None, "run": None, "trouble": "", "now": LATER} | changes
    return decide_orphaned_window(WINDOW, settling, **known)  # type: ignore[arg-type]


@pytest.mark.parametrize("life", [life for life in Liveness if life is not Liveness.ALIVE])
def test_an_orphaned_window_is_settled_again(life: Liveness) -> None:
    assert judge(instance(life)) == StartAgain()


def test_a_window_that_has_a_run_only_lacks_its_verdict() -> None:
    verdict = judge(instance(Liveness.FAILED), run=REQUEST)

    assert isinstance(verdict, WindowVerdict)
    assert (verdict.verdict, verdict.run_id) == (Verdict.TRAINED, REQUEST.run_id)
    assert verdict.reason == trained_in(REQUEST)


def test_a_verdict_is_never_changed() -> None:
    verdict = WindowVerdict(window_id="w", pipeline="p", verdict=Verdict.UNCHANGED, reason="as before")

    assert judge(verdict=verdict, run=REQUEST, trouble="gone", now=MUCH_LATER) is verdict


def test_the_arrivals_of_a_pipeline_that_is_gone_are_rejected_with_the_reason() -> None:
    verdict = judge(trouble="there is no pipeline 'breast-cancer'; known: none")

    assert isinstance(verdict, WindowVerdict)
    assert (verdict.verdict, verdict.reason) == (
        Verdict.REJECTED,
        "there is no pipeline 'breast-cancer'; known: none",
    )


def test_what_fails_for_a_day_is_rejected_with_the_last_reason() -> None:
    failed = instance(Liveness.FAILED, "Orchestrator failed: the blob storage did not answer\nstack")

    assert judge(failed, now=START + GIVE_UP_AFTER) == StartAgain()
    verdict = judge(failed, now=MUCH_LATER)
    assert isinstance(verdict, WindowVerdict)
    assert verdict.verdict is Verdict.REJECTED
    assert verdict.reason.endswith("Orchestrator failed: the blob storage did not answer")
    assert "24 hours" in verdict.reason


def test_a_settling_that_fails_again_and_again_is_tried_ever_more_seldom() -> None:
    failing_for = timedelta(hours=4)
    failed = InstanceStatus(life=Liveness.FAILED, said="no answer", updated_at=START + failing_for)

    assert judge(failed, now=START + failing_for + timedelta(minutes=59)) is None
    assert judge(failed, now=START + failing_for + timedelta(minutes=61)) == StartAgain()


@pytest.mark.parametrize(
    ("tries", "pause"),
    [
        (2, timedelta(minutes=2)),
        (3, timedelta(minutes=4)),
        (6, timedelta(minutes=32)),
        (12, timedelta(days=1)),
        (10_000, timedelta(days=1)),
    ],
)
def test_pauses_between_tries_grow_to_a_day(tries: int, pause: timedelta) -> None:
    assert retry_is_due(0, None, START)
    assert retry_is_due(1, START, START)
    assert not retry_is_due(tries, START, START + pause - timedelta(seconds=1))
    assert retry_is_due(tries, START, START + pause)


def test_an_answer_is_given_up_after_a_week() -> None:
    record = a_run_record(ended_at=START)

    assert not is_given_up(record, START + timedelta(days=7))
    assert is_given_up(record, START + timedelta(days=7, seconds=1))
    assert not is_given_up(a_run_record(ended_at=None), START + timedelta(days=8))


def test_an_app_that_was_away_for_a_day_gives_nothing_up() -> None:
    assert judge(NEVER, now=MUCH_LATER) == StartAgain()


Expected = StartAgain | FinalizeRun | None
ANY_REASON = "?"
CANCELLED, FAILED = (FinalizeRun(outcome, ANY_REASON) for outcome in (Outcome.CANCELLED, Outcome.FAILED))


@pytest.mark.parametrize(
    ("run", "owner", "expected"),
    [
        # its own orchestration is alive: whatever the owner is
        *((Liveness.ALIVE, owner, None) for owner in Liveness),
        # it was never started: the owner still may, or nobody will
        (Liveness.NEVER, Liveness.ALIVE, None),
        (Liveness.NEVER, Liveness.NEVER, StartAgain()),
        (Liveness.NEVER, Liveness.COMPLETED, StartAgain()),
        (Liveness.NEVER, Liveness.FAILED, StartAgain()),
        (Liveness.NEVER, Liveness.TERMINATED, StartAgain()),
        # it ended, and without an outcome: it is never trained again, whatever the owner is
        *((Liveness.COMPLETED, owner, FAILED) for owner in Liveness),
        *((Liveness.FAILED, owner, FAILED) for owner in Liveness),
        *((Liveness.TERMINATED, owner, CANCELLED) for owner in Liveness),
    ],
)
def test_what_becomes_of_a_run_without_an_outcome(run: Liveness, owner: Liveness, expected: Expected) -> None:
    step = decide_orphaned_run(REQUEST, instance(run), instance(owner), now=LATER)

    assert (replace(step, reason=ANY_REASON) if isinstance(step, FinalizeRun) else step) == expected


@given(LIVES, LIVES, st.sampled_from([None, *Stage]), MOMENTS)
def test_a_run_is_started_only_when_nobody_else_can_start_it(
    run: Liveness,
    owner: Liveness,
    stage: Stage | None,
    now: datetime,
) -> None:
    step = decide_orphaned_run(REQUEST, instance(run, stage=stage), instance(owner), now=now)

    if isinstance(step, StartAgain):
        assert run is not Liveness.ALIVE
        if run is Liveness.NEVER:
            assert owner is not Liveness.ALIVE
            assert not within_grace(START, now)
        else:
            assert (run, stage) == (Liveness.FAILED, Stage.RECORDING)
    if isinstance(step, FinalizeRun):
        assert run in {Liveness.COMPLETED, Liveness.FAILED, Liveness.TERMINATED}
        assert step.outcome in {Outcome.FAILED, Outcome.CANCELLED}
        assert step.reason


@given(LIVES, LIVES, MOMENTS)
def test_no_dead_run_is_left_alone_for_ever(run: Liveness, owner: Liveness, now) -> None:  # type: ignore[no-untyped-def]
    step = decide_orphaned_run(REQUEST, instance(run), instance(owner), now=now)

    waits = run is Liveness.ALIVE or (run is Liveness.NEVER and (owner is Liveness.ALIVE or within_grace(START, now)))
    assert (step is None) == waits


def test_a_run_that_only_failed_to_record_goes_on_and_is_not_called_failed() -> None:
    run = instance(Liveness.FAILED, "the ledger did not answer", Stage.RECORDING)

    assert decide_orphaned_run(REQUEST, run, NEVER, now=LATER) == StartAgain(resumed=True)
    assert isinstance(decide_orphaned_run(REQUEST, run, NEVER, now=MUCH_LATER), FinalizeRun)


@pytest.mark.parametrize(
    ("run", "reason"),
    [
        (instance(Liveness.TERMINATED, "wrong data"), "its orchestration was terminated: wrong data"),
        (instance(Liveness.TERMINATED), "its orchestration was terminated"),
        (
            instance(
                Liveness.FAILED, "Orchestrator function 'retrain_model' failed: out of order\n  stack", Stage.TRAINING
            ),
            "its orchestration failed in stage training: out of order;",
        ),
        (
            instance(Liveness.FAILED),
            "its orchestration failed without a reason;",
        ),
        (
            instance(Liveness.COMPLETED),
            "its orchestration ended without recording an outcome;",
        ),
    ],
)
def test_the_reason_says_what_happened(run: InstanceStatus, reason: str) -> None:
    step = decide_orphaned_run(REQUEST, run, NEVER, now=LATER)

    assert isinstance(step, FinalizeRun)
    assert step.reason.startswith(reason)


END = FinalizeRun(Outcome.CANCELLED, "its orchestration was terminated")
DEPLOYED = InstanceStatus(life=Liveness.COMPLETED, deployed=True, updated_at=START)


@pytest.mark.parametrize(
    ("roll_outs", "now", "expected"),
    [
        ({"default": NEVER}, LATER, END),
        ({"default": NEVER}, SOON, None),  # asked for a moment ago
        ({"default": instance(Liveness.ALIVE)}, LATER, None),
        ({"default": DEPLOYED, "branch": instance(Liveness.ALIVE)}, LATER, None),
        ({"default": DEPLOYED, "branch": instance(Liveness.COMPLETED)}, MUCH_LATER, StartAgain(resumed=True)),
        ({"default": instance(Liveness.COMPLETED)}, LATER, END),
    ],
)
def test_what_a_dead_run_serves_already_is_never_recorded_as_cancelled(
    roll_outs: dict[str, InstanceStatus], now: datetime, expected: StartAgain | FinalizeRun | None
) -> None:
    run = instance(Liveness.TERMINATED, stage=Stage.ROLLING_OUT)

    assert after_roll_outs(END, run, roll_outs, can_resume=True, now=now) == expected


def test_a_roll_out_that_was_broken_off_is_reported() -> None:
    run = instance(Liveness.TERMINATED, stage=Stage.ROLLING_OUT)
    roll_outs = {"default": instance(Liveness.TERMINATED), "branch": instance(Liveness.COMPLETED)}

    step = after_roll_outs(END, run, roll_outs, can_resume=True, now=LATER)

    assert isinstance(step, FinalizeRun)
    assert step.reason.startswith(END.reason)
    assert "serves on default" in step.reason


def test_a_run_whose_pipeline_is_gone_is_wound_up_and_says_what_may_serve() -> None:
    run = instance(Liveness.FAILED, stage=Stage.RECORDING)

    step = after_roll_outs(END, run, {"default": DEPLOYED}, can_resume=False, now=LATER)

    assert isinstance(step, FinalizeRun)
    assert "default: it may be this run's" in step.reason


def test_a_wound_up_record_keeps_what_was_known() -> None:
    record = replace(first_record(REQUEST, reason="claimed"), metrics={"accuracy": 0.9})

    wound_up = finalized_record(record, FinalizeRun(Outcome.CANCELLED, "terminated"), Stage.TRAINING, LATER)

    assert (wound_up.outcome, wound_up.reason, wound_up.stage) == (Outcome.CANCELLED, "terminated", Stage.TRAINING)
    assert (wound_up.ended_at, wound_up.seconds, wound_up.metrics) == (LATER, 120.0, {"accuracy": 0.9})
    assert finalized_record(record, FinalizeRun(Outcome.FAILED, "x"), None, START - timedelta(days=1)).seconds == 0
    assert finalized_record(record, FinalizeRun(Outcome.FAILED, "x"), None, LATER).stage is Stage.ACCEPTED
