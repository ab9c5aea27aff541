from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.decisions.training.retry_schedule import (
    RUN_RETRY_PAUSES,
    STAGE_RETRY_PAUSES,
    is_tried_again,
    next_attempt_at,
)
from shared.messages import FailureKind, Outcome, RunRecord
from tests.support.arrivals import a_run_record
from tests.support.workflow import START

OUTSIDE = FailureKind.OUTSIDE


def a_run(attempt: int, kind: FailureKind | None = OUTSIDE, outcome: Outcome | None = Outcome.FAILED) -> RunRecord:
    ended_at = START + timedelta(hours=attempt)
    return a_run_record(
        run_id=f"p-abababababab-{attempt}", attempt=attempt, outcome=outcome, failure_kind=kind, ended_at=ended_at
    )


@pytest.mark.parametrize("pauses", [RUN_RETRY_PAUSES, STAGE_RETRY_PAUSES])
def test_pauses_grow(pauses: tuple[timedelta, ...]) -> None:
    assert sorted(set(pauses)) == list(pauses)


@pytest.mark.parametrize("in_a_row", range(1, len(RUN_RETRY_PAUSES) + 1))
def test_each_attempt_waits_longer_than_the_one_before(in_a_row: int) -> None:
    attempts = [a_run(attempt) for attempt in range(1, in_a_row + 1)]

    assert next_attempt_at(attempts) == START + timedelta(hours=in_a_row) + RUN_RETRY_PAUSES[in_a_row - 1]


def test_there_is_an_end() -> None:
    assert next_attempt_at([a_run(attempt) for attempt in range(1, len(RUN_RETRY_PAUSES) + 2)]) is None


def test_an_attempt_that_ended_otherwise_starts_the_count_anew() -> None:
    attempts = [*(a_run(attempt) for attempt in range(1, 6)), a_run(6, FailureKind.CODE), a_run(7)]

    assert next_attempt_at(attempts) == START + timedelta(hours=7) + RUN_RETRY_PAUSES[0]


@pytest.mark.parametrize("kind", [FailureKind.DATA, FailureKind.CODE, FailureKind.UNKNOWN, None])
def test_what_is_no_trouble_outside_is_not_tried_again(kind: FailureKind | None) -> None:
    assert next_attempt_at([a_run(1), a_run(2, kind)]) is None


@pytest.mark.parametrize("outcome", [None, *Outcome])
def test_only_a_run_that_came_to_no_end_of_its_own_is_tried_again(outcome: Outcome | None) -> None:
    assert is_tried_again(a_run(1, outcome=outcome)) is (outcome in {Outcome.FAILED, Outcome.ROLLED_BACK})


@pytest.mark.parametrize("outcome", [None, *Outcome])
def test_a_run_that_was_overtaken_while_it_trained_is_tried_again_beside_the_champion_of_now(
    outcome: Outcome | None,
) -> None:
    run = replace(a_run(1, kind=None, outcome=outcome), comparable=False, overtaken=True)

    assert is_tried_again(run) is (outcome is Outcome.NOT_PROMOTED)


@given(st.lists(st.sampled_from(list(FailureKind)), max_size=40))
def test_whatever_happened_before_no_pause_is_forgotten_and_none_invented(kinds: list[FailureKind]) -> None:
    attempts = [a_run(number, kind) for number, kind in enumerate(kinds, start=1)]
    at = next_attempt_at(attempts[::-1])

    if at is not None:
        assert kinds[-1] is OUTSIDE
        assert at - (START + timedelta(hours=len(kinds))) in RUN_RETRY_PAUSES
