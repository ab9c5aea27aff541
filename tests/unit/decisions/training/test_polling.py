from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.decisions.training.polling import (
    CANCEL_GRACE,
    EARLY,
    LONGEST,
    SHORTEST,
    Cancel,
    Ended,
    Wait,
    interval,
    next_poll,
    observe,
)
from shared.messages import FailureKind, TrainingLimits, TrainingPhase, TrainingStatus
from tests.support.builders import a_training_poll
from tests.support.workflow import START

PHASES = st.sampled_from(list(TrainingPhase))
SECONDS = st.floats(0.1, 50_000)


@given(st.floats(0, 1e6), st.floats(1, 1e6), st.booleans())
def test_the_interval_stays_in_its_bounds(elapsed: float, expected: float, running: bool) -> None:
    limits = TrainingLimits(queued_seconds=10, running_seconds=10, expected_seconds=expected)
    poll = a_training_poll(limits=limits, running_since=START if running else None)

    assert SHORTEST <= interval(poll, START + timedelta(seconds=elapsed)) <= LONGEST


def test_the_interval_is_shortest_around_the_expected_end() -> None:
    limits = TrainingLimits(queued_seconds=10, running_seconds=10_000, expected_seconds=600)
    poll = a_training_poll(limits=limits, running_since=START)
    at = [interval(poll, START + timedelta(seconds=second)) for second in (240, 420, 600, 900, 5000)]

    assert min(at) == at[2]
    assert at[0] == max(at[:3])
    assert at[-1] == LONGEST


def checked_at(expected: float, until: float) -> list[float]:
    """When a training is looked at that runs until then, in seconds, from the answer to its submission on."""
    limits = TrainingLimits(queued_seconds=10, running_seconds=100_000, expected_seconds=expected)
    poll, times = a_training_poll(limits=limits, running_since=START), [0.0]
    while times[-1] < until:
        times.append(times[-1] + interval(poll, START + timedelta(seconds=times[-1])).total_seconds())
    return times


@given(st.floats(1, 40), st.floats(1, 100_000))
def test_a_short_training_that_runs_at_once_is_noticed_within_ten_seconds_whatever_was_expected(
    lasts: float, expected: float
) -> None:
    assert checked_at(expected, until=lasts)[-1] - lasts <= EARLY.total_seconds()


@given(st.floats(1, 40), st.floats(1, 100_000), st.floats(0, 1000))
def test_a_short_training_that_was_queued_is_noticed_within_a_minute(
    lasts: float, expected: float, queued: float
) -> None:
    """Sooner the shorter it was queued, and within ten seconds when it runs at once."""
    limits = TrainingLimits(queued_seconds=10_000, running_seconds=100_000, expected_seconds=expected)
    poll, at = a_training_poll(limits=limits), 0.0
    while at < queued + lasts:
        now = START + timedelta(seconds=at)
        phase = TrainingPhase.QUEUED if at < queued else TrainingPhase.RUNNING
        poll = observe(poll, TrainingStatus(phase=phase, detail=""), now)
        at += interval(poll, now).total_seconds()

    assert at - queued - lasts <= max(EARLY.total_seconds(), min(60, queued - 25) - lasts)


@given(st.floats(40, 20_000), st.floats(1, 20_000))
def test_no_training_waits_longer_than_it_ran(lasts: float, expected: float) -> None:
    assert checked_at(expected, until=lasts)[-1] - lasts <= lasts


def test_a_training_of_ten_minutes_is_looked_at_thirteen_times() -> None:
    assert len(checked_at(expected=600, until=600)[1:]) == 13


@pytest.mark.parametrize("phase", [TrainingPhase.QUEUED, TrainingPhase.RUNNING])
def test_no_limit_is_overstepped_by_an_interval(phase: TrainingPhase) -> None:
    limits = TrainingLimits(queued_seconds=1000, running_seconds=1000, expected_seconds=50_000)
    status = TrainingStatus(phase=phase)
    poll = observe(a_training_poll(limits=limits), status, START)
    now = START + timedelta(seconds=990)

    step = next_poll(observe(poll, status, now), status, now)

    assert step == Wait(START + timedelta(seconds=1001))
    assert isinstance(next_poll(poll, status, START + timedelta(seconds=1001)), Cancel)


@given(
    st.lists(st.tuples(PHASES, SECONDS), min_size=1, max_size=40),
    st.floats(1, 10_000),
    st.floats(1, 10_000),
)
def test_any_sequence_of_statuses_ends_or_is_cancelled_within_the_limits(
    statuses: list[tuple[TrainingPhase, float]], queued: float, running: float
) -> None:
    limits = TrainingLimits(queued_seconds=queued, running_seconds=running, expected_seconds=60)
    poll, now = a_training_poll(limits=limits), START
    for phase, seconds in statuses:
        now += timedelta(seconds=seconds)
        status = TrainingStatus(phase=phase)
        poll = observe(poll, status, now)
        step = next_poll(poll, status, now)
        if phase.terminal:
            assert isinstance(step, Ended)
            return
        if isinstance(step, Cancel):
            waited = now - (poll.running_since or poll.queued_since or now)
            assert waited > timedelta(seconds=min(queued, running))
            return
        assert isinstance(step, Wait)
        assert step.until > now


def test_time_in_the_queue_does_not_count_as_running() -> None:
    limits = TrainingLimits(queued_seconds=1000, running_seconds=100, expected_seconds=60)
    poll = observe(a_training_poll(limits=limits), TrainingStatus(phase=TrainingPhase.QUEUED), START)
    later = START + timedelta(seconds=900)
    status = TrainingStatus(phase=TrainingPhase.RUNNING)
    poll = observe(poll, status, later)

    assert isinstance(next_poll(poll, status, later + timedelta(seconds=99)), Wait)
    assert isinstance(next_poll(poll, status, later + timedelta(seconds=101)), Cancel)


def test_a_training_that_completes_although_it_was_being_cancelled_counts_as_completed() -> None:
    poll = a_training_poll(cancelling="too long", cancel_asked_at=START)
    completed = TrainingStatus(phase=TrainingPhase.COMPLETED)

    assert next_poll(poll, completed, START) == Ended(TrainingPhase.COMPLETED, "")
    assert next_poll(poll, TrainingStatus(phase=TrainingPhase.CANCELLED), START) == Ended(
        TrainingPhase.FAILED, "too long", FailureKind.OUTSIDE
    )
    late = next_poll(poll, TrainingStatus(phase=TrainingPhase.RUNNING), START + CANCEL_GRACE * 2)
    assert isinstance(late, Ended)
    assert "did not stop" in late.reason


@pytest.mark.parametrize("last", [TrainingPhase.CANCELLED, TrainingPhase.FAILED])
@pytest.mark.parametrize(
    ("before", "kind"), [(TrainingPhase.QUEUED, FailureKind.OUTSIDE), (TrainingPhase.RUNNING, FailureKind.UNKNOWN)]
)
def test_whose_matter_a_limit_is_does_not_change_while_the_training_stops(
    before: TrainingPhase, kind: FailureKind, last: TrainingPhase
) -> None:
    limits = TrainingLimits(queued_seconds=100, running_seconds=100, expected_seconds=60)
    poll = observe(a_training_poll(limits=limits), TrainingStatus(phase=before), START)
    late = START + timedelta(seconds=101)
    poll = observe(poll, TrainingStatus(phase=before), late)
    over = next_poll(poll, TrainingStatus(phase=before), late)
    assert isinstance(over, Cancel)
    poll = replace(poll, cancelling=over.reason, cancel_asked_at=late)

    for phase in (TrainingPhase.FINALIZING, last):  # as Azure ML tells of a run that it was asked to cancel
        status = TrainingStatus(phase=phase)
        poll = observe(poll, status, late + timedelta(seconds=5))
        step = next_poll(poll, status, late + timedelta(seconds=5))

    assert step == Ended(TrainingPhase.FAILED, over.reason, kind)
