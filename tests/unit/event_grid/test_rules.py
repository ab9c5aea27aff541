import itertools
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_stack.event_grid import rules
from local_stack.event_grid.models import Chaos, Filter, RetryPolicy
from local_stack.event_grid.rules import Again, Delivered, Undeliverable, judge, matches, scatter

subjects = st.text(string.ascii_letters + "/._-äÉ", max_size=30)
jitters = st.floats(0, 1)
policies = st.builds(RetryPolicy, max_delivery_attempts=st.integers(1, 30))


@given(subjects, subjects, subjects)
def test_a_subject_matches_its_own_beginning_and_end(begin: str, middle: str, end: str) -> None:
    rule = Filter(subject_begins_with=begin, subject_ends_with=end, is_subject_case_sensitive=True)

    assert matches(rule, event_type="t", subject=begin + middle + end)


@given(subjects, subjects, subjects)
def test_a_filter_says_what_it_says(subject: str, begin: str, end: str) -> None:
    exact = Filter(subject_begins_with=begin, subject_ends_with=end, is_subject_case_sensitive=True)
    loose = Filter(subject_begins_with=begin, subject_ends_with=end)

    assert matches(exact, event_type="t", subject=subject) == (subject.startswith(begin) and subject.endswith(end))
    assert matches(loose, event_type="t", subject=subject) == matches(loose, event_type="t", subject=subject.upper())
    if matches(exact, event_type="t", subject=subject):
        assert matches(loose, event_type="t", subject=subject)


@given(st.lists(st.sampled_from("abcd"), max_size=3), st.sampled_from("abcde"))
def test_types_are_matched_exactly_and_none_means_all(included: list[str], event_type: str) -> None:
    rule = Filter(included_event_types=tuple(included))

    assert matches(rule, event_type=event_type, subject="s") == (not included or event_type in included)


def test_a_type_has_case_and_a_subject_has_none() -> None:
    rule = Filter(included_event_types=("A.B",), subject_begins_with="/X")

    assert matches(rule, event_type="A.B", subject="/x/y")
    assert not matches(rule, event_type="a.b", subject="/x/y")
    assert not matches(rule, event_type="A.B", subject="x/y")


@given(st.integers(100, 599) | st.none(), st.integers(1, 30), policies, jitters)
def test_every_attempt_ends_in_one_way(status: int | None, attempts: int, policy: RetryPolicy, jitter: float) -> None:
    verdict = judge(status, attempts=attempts, policy=policy, jitter=jitter)

    if status in (200, 201, 202, 203, 204):
        assert verdict == Delivered()
    elif status in (400, 401, 403, 413):
        assert verdict == Undeliverable(rules.CLIENT_ERROR)
    elif attempts >= policy.max_delivery_attempts:
        assert verdict == Undeliverable(rules.MAX_ATTEMPTS_EXCEEDED)
    else:
        assert isinstance(verdict, Again)


def wait(status: int | None, attempts: int, jitter: float = 0) -> float:
    verdict = judge(status, attempts=attempts, policy=RetryPolicy(), jitter=jitter)
    assert isinstance(verdict, Again)
    return verdict.after


@given(st.sampled_from([None, 404, 408, 429, 500, 503]), jitters)
def test_waits_never_get_shorter_and_grow_by_a_tenth_at_most(status: int | None, jitter: float) -> None:
    plain = [wait(status, attempts) for attempts in range(1, 30)]

    assert all(before <= after for before, after in itertools.pairwise(plain))
    for attempts, least in enumerate(plain, start=1):
        assert least <= wait(status, attempts, jitter) <= least * 1.1 + 1e-9


def test_the_schedule_is_the_documented_one() -> None:
    minute, hour = 60, 3600
    documented = [10, 30, minute, 5 * minute, 10 * minute, 30 * minute, hour, 3 * hour, 6 * hour, 12 * hour, 12 * hour]

    assert [wait(500, attempts) for attempts in range(1, 12)] == documented
    assert [wait(503, 1), wait(503, 2), wait(503, 3)] == [30, 30, 60]
    assert [wait(408, 1), wait(408, 4)] == [120, 300]
    assert wait(None, 1) == 10


@pytest.mark.parametrize(
    ("status", "outcome"), [(400, "BadRequest"), (404, "NotFound"), (503, "Busy"), (500, "GenericError")]
)
def test_outcomes_have_names(status: int, outcome: str) -> None:
    assert rules.outcome(status) == outcome


chaoses = st.builds(
    Chaos,
    seed=st.integers(),
    drop=st.floats(0, 1),
    duplicates=st.integers(0, 5),
    delay=st.floats(0, 60),
    shuffle=st.floats(0, 60),
)


@given(chaoses, st.integers(1, 10**6))
def test_chaos_is_the_same_for_the_same_seed(chaos: Chaos, ordinal: int) -> None:
    late = scatter(chaos, "name", ordinal)

    assert late == scatter(chaos, "name", ordinal)
    assert len(late) in ({0, 1 + chaos.duplicates} if chaos.drop else {1 + chaos.duplicates})
    assert all(chaos.delay <= seconds <= chaos.delay + chaos.shuffle for seconds in late)


def test_no_chaos_changes_nothing_and_a_fraction_is_one() -> None:
    assert scatter(Chaos(), "name", 1) == [0]
    assert not any(scatter(Chaos(drop=1), "name", ordinal) for ordinal in range(50))
    lost = sum(not scatter(Chaos(seed=3, drop=0.1), "name", ordinal) for ordinal in range(5000))
    assert 400 < lost < 600
