from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from shared.decisions.settling import Close, WaitUntil, next_step
from shared.messages import WindowState
from tests.support.workflow import START

seconds = st.integers(0, 10_000)


def _state(*, last: float, quiet: float = 5, longest: float = 60) -> WindowState:
    return WindowState(
        window_id="w",
        pipeline="breast-cancer",
        opened_at=START,
        last_arrival_at=START + timedelta(seconds=last),
        arrivals=1,
        quiet_seconds=quiet,
        longest_wait_seconds=longest,
    )


def _after(value: float) -> timedelta:
    return timedelta(seconds=value)


def test_it_waits_for_the_quiet_period_after_the_last_arrival() -> None:
    assert next_step(_state(last=3), START + _after(4)) == WaitUntil(START + _after(8))


def test_it_closes_when_it_was_quiet_for_long_enough() -> None:
    assert next_step(_state(last=3), START + _after(8)) == Close("nothing arrived for 5 s")


def test_it_closes_at_the_longest_wait_though_arrivals_go_on() -> None:
    assert next_step(_state(last=58), START + _after(59)) == WaitUntil(START + _after(60))
    assert next_step(_state(last=59), START + _after(60)) == Close("it was open for 60 s, the longest wait")


def test_a_window_from_the_future_is_closed() -> None:
    assert next_step(_state(last=0), START - _after(61)) == Close("the clock was set back")


@given(seconds, seconds, seconds, st.integers(-20_000, 20_000))
def test_it_closes_or_waits_for_a_later_moment_within_the_longest_wait(
    last: int, quiet: int, longest: int, now: int
) -> None:
    step = next_step(_state(last=last, quiet=quiet, longest=longest), START + _after(now))
    if isinstance(step, WaitUntil):
        assert START + _after(now) < step.until <= START + _after(longest)


@given(st.lists(st.integers(1, 30), max_size=20), st.integers(0, 10), st.integers(0, 100))
def test_every_window_closes_whatever_arrives(gaps: list[int], quiet: int, longest: int) -> None:
    arrivals = [sum(gaps[: n + 1]) for n in range(len(gaps))]
    now, rounds = 0.0, 0
    while True:
        last = max([at for at in arrivals if at <= now], default=0)
        step = next_step(_state(last=last, quiet=quiet, longest=longest), START + _after(now))
        if isinstance(step, Close):
            break
        now, rounds = (step.until - START) / timedelta(seconds=1), rounds + 1
    assert now <= longest
    assert now - last >= quiet or now >= longest
    assert rounds <= len(gaps) + 2
