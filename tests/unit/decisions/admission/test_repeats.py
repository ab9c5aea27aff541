from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.decisions.admission.repeats import (
    NewAttempt,
    Refusal,
    decide_attempt,
    effective_parameters,
    nothing_new,
    under_way,
)
from shared.decisions.explanations.status_text import quarantine_status_text
from shared.errors import Code, PermanentError
from shared.messages import FailedAttempt, Outcome, Quarantine, RunRecord, Verdict
from tests.support.arrivals import a_run_record
from tests.support.workflow import START

QUARANTINE = Quarantine(
    pipeline="breast-cancer",
    fingerprint="ab" * 32,
    snapshot_digest="cd" * 32,
    since=START,
    failures=(FailedAttempt(run_id="breast-cancer-abababababab-1", reason="line 3: not a number", attempt=1),),
)
RELEASED = replace(QUARANTINE, released_at=START, released_attempt=1)
FINAL = [Outcome.PROMOTED, Outcome.NOT_PROMOTED]
AGAIN = [Outcome.FAILED, Outcome.CANCELLED, Outcome.ROLLED_BACK]


def _attempts(*outcomes: Outcome | None) -> list[RunRecord]:
    return [
        a_run_record(run_id=f"breast-cancer-abababababab-{n}", attempt=n, outcome=outcome)
        for n, outcome in enumerate(outcomes, start=1)
    ]


def test_a_verdict_without_a_comparison_is_none() -> None:
    """What was in the way of comparing may be gone; the same data must not be shut out for ever."""
    run = a_run_record(outcome=Outcome.NOT_PROMOTED, comparable=False)

    assert decide_attempt([run]) == NewAttempt(attempt=run.attempt + 1)


def test_who_was_promoted_without_a_comparison_was_judged_all_the_same() -> None:
    run = a_run_record(outcome=Outcome.PROMOTED, comparable=False)

    assert isinstance(decide_attempt([run]), Refusal)


def test_a_new_fingerprint_is_trained() -> None:
    assert decide_attempt([]) == NewAttempt(attempt=1)


@pytest.mark.parametrize("outcome", AGAIN)
def test_an_attempt_that_said_nothing_about_its_model_may_be_tried_again(outcome: Outcome) -> None:
    assert decide_attempt(_attempts(outcome)) == NewAttempt(attempt=2)


@pytest.mark.parametrize("outcome", FINAL)
def test_a_judged_fingerprint_is_unchanged_and_names_its_run(outcome: Outcome) -> None:
    decision = decide_attempt(_attempts(Outcome.FAILED, outcome))
    assert isinstance(decision, Refusal)
    assert (decision.run_id, decision.verdict) == ("breast-cancer-abababababab-2", Verdict.UNCHANGED)
    assert decision.reason == (
        "nothing changed: run breast-cancer-abababababab-2 already trained exactly this data, code and parameters "
        f"({outcome.value.replace('_', ' ')})"
    )


def test_an_attempt_under_way_is_not_doubled() -> None:
    assert decide_attempt(_attempts(Outcome.FAILED, None)) == under_way("breast-cancer-abababababab-2")


def test_force_tries_what_was_judged_again() -> None:
    assert decide_attempt(_attempts(Outcome.PROMOTED), force=True) == NewAttempt(attempt=2)


def test_force_doubles_nothing() -> None:
    assert decide_attempt(_attempts(None), force=True) == under_way("breast-cancer-abababababab-1")


def test_a_quarantine_refuses_with_the_evidence_and_the_remedy() -> None:
    decision = decide_attempt(_attempts(*AGAIN), quarantine=QUARANTINE)
    assert decision == Refusal(
        run_id="breast-cancer-abababababab-3", verdict=Verdict.QUARANTINED, reason=quarantine_status_text(QUARANTINE)
    )


def test_nothing_new_names_the_run_that_trained_last() -> None:
    refusal = nothing_new("run-7")
    assert (refusal.run_id, refusal.verdict) == ("run-7", Verdict.UNCHANGED)
    assert "run-7" in refusal.reason


@given(
    st.lists(st.sampled_from([*AGAIN, *FINAL]), max_size=5),
    st.none() | st.sampled_from([*AGAIN, *FINAL]),
    st.booleans(),
    st.sampled_from([None, QUARANTINE, RELEASED]),
    st.randoms(use_true_random=False),
)
def test_any_history_leads_to_one_decision_in_whatever_order_it_comes(
    ended: list[Outcome], last: Outcome | None, force: bool, quarantine: Quarantine | None, random: Random
) -> None:
    previous = _attempts(*ended, last)
    judged = [run for run in previous if run.outcome in FINAL]
    following = len(previous) + 1
    random.shuffle(previous)

    decision = decide_attempt(previous, force=force, quarantine=quarantine)

    if last is None:
        assert decision == under_way(f"breast-cancer-abababababab-{following - 1}")
    elif judged and not force:
        assert isinstance(decision, Refusal)
        assert (decision.verdict, decision.run_id) == (Verdict.UNCHANGED, judged[-1].run_id)
    elif quarantine is QUARANTINE:
        assert isinstance(decision, Refusal)
        assert decision.verdict is Verdict.QUARANTINED
    else:
        assert decision == NewAttempt(attempt=following)


def test_overrides_replace_declared_parameters() -> None:
    assert effective_parameters({"depth": 3, "rate": 0.5}, {"depth": 4}) == {"depth": 4, "rate": 0.5}


def test_a_whole_number_will_do_for_a_number_and_becomes_one() -> None:
    merged = effective_parameters({"rate": 0.5}, {"rate": 1})
    assert type(merged["rate"]) is float


@pytest.mark.parametrize(
    ("overrides", "reason"),
    [
        ({"deep": 4}, "parameters: 'deep' is not declared in the pipeline's file; declared: depth, on"),
        ({"depth": 4.5}, "parameters: depth must be of kind int, not float"),
        ({"depth": True}, "parameters: depth must be of kind int, not bool"),
        ({"on": "yes"}, "parameters: on must be of kind bool, not str"),
    ],
)
def test_a_bad_override_is_refused_by_name(overrides: dict[str, str | float], reason: str) -> None:
    with pytest.raises(PermanentError) as refused:
        effective_parameters({"depth": 3, "on": False}, overrides)
    assert (refused.value.code, refused.value.reason) == (Code.BAD_REQUEST, reason)
