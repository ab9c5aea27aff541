"""Every state that an owner can be in, and what the reconciler does about it."""

from dataclasses import replace
from datetime import datetime, timedelta

import azure.durable_functions as df
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.decisions.reconciliation.orphans import (
    GIVE_UP_AFTER,
    GRACE,
    Instance,
    Life,
    Start,
    WindUp,
    after_roll_outs,
    ended,
    is_given_up,
    life_of,
    may_try,
    owner_is_gone,
    recent,
    run_step,
    window_step,
)
from shared.messages import ArrivalWindow, Cause, Outcome, RunRecord, Stage, Verdict, WindowVerdict
from tests.support.arrivals import a_run_record
from tests.support.builders import a_run_request
from tests.support.workflow import START

WINDOW = ArrivalWindow(window_id="breast-cancer-20260501T100000-ab", pipeline="breast-cancer", opened_at=START)
REQUEST = a_run_request(requested_at=START)
SOON, LATER, MUCH_LATER = START + GRACE / 2, START + 2 * GRACE, START + GIVE_UP_AFTER + GRACE
NEVER = Instance(life=Life.NEVER)
LIVES = st.sampled_from(list(Life))
MOMENTS = st.timedeltas(-timedelta(days=3), timedelta(days=3)).map(lambda after: START + after)


def instance(life: Life, said: str = "", stage: Stage | None = None) -> Instance:
    return Instance(life=life, said=said, stage=stage, updated_at=START)


@pytest.mark.parametrize(
    ("status", "life"),
    [
        (None, Life.NEVER),
        ("Pending", Life.ALIVE),
        ("Running", Life.ALIVE),
        ("Suspended", Life.ALIVE),
        ("ContinuedAsNew", Life.ALIVE),
        ("Completed", Life.COMPLETED),
        ("Failed", Life.FAILED),
        ("Terminated", Life.TERMINATED),
        ("Canceled", Life.TERMINATED),
        ("SomethingNew", Life.ALIVE),
    ],
)
def test_every_runtime_status_has_a_life(status: str | None, life: Life) -> None:
    assert life_of(status) is life


def test_no_status_that_the_sdk_knows_is_forgotten() -> None:
    running = {"Pending", "Running", "Suspended", "ContinuedAsNew"}

    alive = {status.value for status in df.OrchestrationRuntimeStatus if life_of(status.value) is Life.ALIVE}

    assert alive == running


@pytest.mark.parametrize("owner", [NEVER, *(instance(life) for life in Life if life is not Life.ALIVE)])
def test_an_owner_that_ended_is_gone_after_the_grace(owner: Instance) -> None:
    assert not owner_is_gone(START, owner, SOON)
    assert owner_is_gone(START, owner, LATER)


@given(MOMENTS)
def test_an_owner_that_lives_is_never_gone(now: object) -> None:
    assert not owner_is_gone(START, instance(Life.ALIVE), now)  # type: ignore[arg-type]


def test_the_grace_counts_from_the_last_sign_of_life() -> None:
    just_ended = Instance(life=Life.FAILED, updated_at=LATER)

    assert not owner_is_gone(START, just_ended, LATER + GRACE / 2)
    assert owner_is_gone(START, just_ended, LATER + 2 * GRACE)


def test_a_clock_that_was_set_back_keeps_no_claim_for_ever() -> None:
    assert owner_is_gone(START + timedelta(days=400), NEVER, START)
    assert recent(START + GRACE / 2, START)


def judge(settling: Instance = NEVER, **changes: object) -> Start | WindowVerdict | None:
    known = {"judged": None, "run": None, "trouble": "", "now": LATER} | changes
    return window_step(WINDOW, settling, **known)  # type: ignore[arg-type]


@pytest.mark.parametrize("life", [life for life in Life if life is not Life.ALIVE])
def test_an_orphaned_window_is_settled_again(life: Life) -> None:
    assert judge(instance(life)) == Start()


def test_a_window_that_has_a_run_only_lacks_its_verdict() -> None:
    verdict = judge(instance(Life.FAILED), run=REQUEST)

    assert isinstance(verdict, WindowVerdict)
    assert (verdict.verdict, verdict.run_id) == (Verdict.TRAINED, REQUEST.run_id)
    assert verdict.reason == f"3 files are trained in run {REQUEST.run_id}"


def test_a_verdict_is_never_changed() -> None:
    verdict = WindowVerdict(window_id="w", pipeline="p", verdict=Verdict.UNCHANGED, reason="as before")

    assert judge(judged=verdict, run=REQUEST, trouble="gone", now=MUCH_LATER) is verdict


def test_the_arrivals_of_a_pipeline_that_is_gone_are_rejected_with_the_reason() -> None:
    verdict = judge(trouble="there is no pipeline 'breast-cancer'; known: none")

    assert isinstance(verdict, WindowVerdict)
    assert (verdict.verdict, verdict.reason) == (
        Verdict.REJECTED,
        "there is no pipeline 'breast-cancer'; known: none",
    )


def test_what_fails_for_a_day_is_rejected_with_the_last_reason() -> None:
    failed = instance(Life.FAILED, "Orchestrator failed: the blob storage did not answer\nstack")

    assert judge(failed, now=START + GIVE_UP_AFTER) == Start()
    verdict = judge(failed, now=MUCH_LATER)
    assert isinstance(verdict, WindowVerdict)
    assert verdict.verdict is Verdict.REJECTED
    assert verdict.reason.endswith("24 hours; the last time: Orchestrator failed: the blob storage did not answer")


def test_a_settling_that_fails_again_and_again_is_tried_ever_more_seldom() -> None:
    failing_for = timedelta(hours=4)
    failed = Instance(life=Life.FAILED, said="no answer", updated_at=START + failing_for)

    assert judge(failed, now=START + failing_for + timedelta(minutes=59)) is None
    assert judge(failed, now=START + failing_for + timedelta(minutes=61)) == Start()


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
    assert may_try(0, None, START)
    assert may_try(1, START, START)
    assert not may_try(tries, START, START + pause - timedelta(seconds=1))
    assert may_try(tries, START, START + pause)


def test_an_answer_is_given_up_after_a_week() -> None:
    record = a_run_record(ended_at=START)

    assert not is_given_up(record, START + timedelta(days=7))
    assert is_given_up(record, START + timedelta(days=7, seconds=1))
    assert not is_given_up(a_run_record(ended_at=None), START + timedelta(days=8))


def test_an_app_that_was_away_for_a_day_gives_nothing_up() -> None:
    assert judge(NEVER, now=MUCH_LATER) == Start()


Expected = Start | WindUp | None
ANY_REASON = "?"
CANCELLED, FAILED = (WindUp(outcome, ANY_REASON) for outcome in (Outcome.CANCELLED, Outcome.FAILED))


@pytest.mark.parametrize(
    ("run", "owner", "expected"),
    [
        # its own orchestration is alive: whatever the owner is
        *((Life.ALIVE, owner, None) for owner in Life),
        # it was never started: the owner still may, or nobody will
        (Life.NEVER, Life.ALIVE, None),
        (Life.NEVER, Life.NEVER, Start()),
        (Life.NEVER, Life.COMPLETED, Start()),
        (Life.NEVER, Life.FAILED, Start()),
        (Life.NEVER, Life.TERMINATED, Start()),
        # it ended, and without an outcome: it is never trained again, whatever the owner is
        *((Life.COMPLETED, owner, FAILED) for owner in Life),
        *((Life.FAILED, owner, FAILED) for owner in Life),
        *((Life.TERMINATED, owner, CANCELLED) for owner in Life),
    ],
)
def test_what_becomes_of_a_run_without_an_outcome(run: Life, owner: Life, expected: Expected) -> None:
    step = run_step(REQUEST, instance(run), instance(owner), now=LATER)

    assert (replace(step, reason=ANY_REASON) if isinstance(step, WindUp) else step) == expected


@given(LIVES, LIVES, st.sampled_from([None, *Stage]), MOMENTS)
def test_a_run_is_started_only_when_nobody_else_can_start_it(run: Life, owner: Life, stage: Stage | None, now) -> None:  # type: ignore[no-untyped-def]
    step = run_step(REQUEST, instance(run, stage=stage), instance(owner), now=now)

    if isinstance(step, Start):
        assert run is not Life.ALIVE
        if run is Life.NEVER:
            assert owner is not Life.ALIVE
            assert not recent(START, now)
        else:
            assert (run, stage) == (Life.FAILED, Stage.RECORDING)
    if isinstance(step, WindUp):
        assert run in {Life.COMPLETED, Life.FAILED, Life.TERMINATED}
        assert step.outcome in {Outcome.FAILED, Outcome.CANCELLED}
        assert step.reason


@given(LIVES, LIVES, MOMENTS)
def test_no_dead_run_is_left_alone_for_ever(run: Life, owner: Life, now) -> None:  # type: ignore[no-untyped-def]
    step = run_step(REQUEST, instance(run), instance(owner), now=now)

    waits = run is Life.ALIVE or (run is Life.NEVER and (owner is Life.ALIVE or recent(START, now)))
    assert (step is None) == waits


def test_a_run_that_only_failed_to_record_goes_on_and_is_not_called_failed() -> None:
    run = instance(Life.FAILED, "the ledger did not answer", Stage.RECORDING)

    assert run_step(REQUEST, run, NEVER, now=LATER) == Start(resumed=True)
    assert isinstance(run_step(REQUEST, run, NEVER, now=MUCH_LATER), WindUp)


@pytest.mark.parametrize(
    ("run", "reason"),
    [
        (instance(Life.TERMINATED, "wrong data"), "its orchestration was terminated: wrong data"),
        (instance(Life.TERMINATED), "its orchestration was terminated"),
        (
            instance(
                Life.FAILED, "Orchestrator function 'retrain_model' failed: out of order\n  stack", Stage.TRAINING
            ),
            "its orchestration failed in stage training: out of order; see to that and start the run again",
        ),
        (
            instance(Life.FAILED),
            "its orchestration failed: no reason given; see to that and start the run again",
        ),
        (
            instance(Life.COMPLETED),
            "its orchestration ended without recording an outcome; start the run again",
        ),
    ],
)
def test_the_reason_says_what_happened(run: Instance, reason: str) -> None:
    step = run_step(REQUEST, run, NEVER, now=LATER)

    assert isinstance(step, WindUp)
    assert step.reason == reason


END = WindUp(Outcome.CANCELLED, "its orchestration was terminated")
DEPLOYED = Instance(life=Life.COMPLETED, deployed=True, updated_at=START)


@pytest.mark.parametrize(
    ("roll_outs", "now", "expected"),
    [
        ({"default": NEVER}, LATER, END),
        ({"default": NEVER}, SOON, None),  # asked for a moment ago
        ({"default": instance(Life.ALIVE)}, LATER, None),
        ({"default": DEPLOYED, "branch": instance(Life.ALIVE)}, LATER, None),
        ({"default": DEPLOYED, "branch": instance(Life.COMPLETED)}, MUCH_LATER, Start(resumed=True)),
        ({"default": instance(Life.COMPLETED)}, LATER, END),
    ],
)
def test_what_a_dead_run_serves_already_is_never_recorded_as_cancelled(
    roll_outs: dict[str, Instance], now: datetime, expected: Start | WindUp | None
) -> None:
    run = instance(Life.TERMINATED, stage=Stage.ROLLING_OUT)

    assert after_roll_outs(END, run, roll_outs, can_resume=True, now=now) == expected


def test_a_roll_out_that_was_broken_off_is_told_of() -> None:
    run = instance(Life.TERMINATED, stage=Stage.ROLLING_OUT)
    roll_outs = {"default": instance(Life.TERMINATED), "branch": instance(Life.COMPLETED)}

    step = after_roll_outs(END, run, roll_outs, can_resume=True, now=LATER)

    assert isinstance(step, WindUp)
    assert step.reason == f"{END.reason}; look which release serves on default: it may be this run's"


def test_a_run_whose_pipeline_is_gone_is_wound_up_and_says_what_may_serve() -> None:
    run = instance(Life.FAILED, stage=Stage.RECORDING)

    step = after_roll_outs(END, run, {"default": DEPLOYED}, can_resume=False, now=LATER)

    assert isinstance(step, WindUp)
    assert "default: it may be this run's" in step.reason


def test_a_wound_up_record_keeps_what_was_known() -> None:
    record = RunRecord(
        run_id=REQUEST.run_id,
        pipeline=REQUEST.pipeline,
        outcome=None,
        reason="claimed",
        cause=Cause.NEW_DATA,
        fingerprint=REQUEST.fingerprint,
        attempt=1,
        snapshot_digest="cd",
        requested_at=START,
        metrics={"accuracy": 0.9},
    )

    wound_up = ended(record, WindUp(Outcome.CANCELLED, "terminated"), Stage.TRAINING, LATER)

    assert (wound_up.outcome, wound_up.reason, wound_up.stage) == (Outcome.CANCELLED, "terminated", Stage.TRAINING)
    assert (wound_up.ended_at, wound_up.seconds, wound_up.metrics) == (LATER, 120.0, {"accuracy": 0.9})
    assert ended(record, WindUp(Outcome.FAILED, "x"), None, START - timedelta(days=1)).seconds == 0
    assert ended(record, WindUp(Outcome.FAILED, "x"), None, LATER).stage is Stage.ACCEPTED
