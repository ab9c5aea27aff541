from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.decisions.arrivals.window_closing import minimum_is_met, next_check_at
from shared.messages import WindowState
from tests.support.workflow import START

seconds = st.integers(0, 10_000)


def _state(*, last: float, quiet: float = 5, longest: float = 60, **changes: Any) -> WindowState:
    state = WindowState(
        window_id="w",
        pipeline="breast-cancer",
        opened_at=START,
        last_arrival_at=START + timedelta(seconds=last),
        arrivals=1,
        quiet_seconds=quiet,
        longest_wait_seconds=longest,
    )
    return replace(state, **changes)


def _after(value: float) -> timedelta:
    return timedelta(seconds=value)


def test_it_waits_for_the_quiet_period_after_the_last_arrival() -> None:
    assert next_check_at(_state(last=3), START + _after(4)) == START + _after(8)


def test_it_closes_when_it_was_quiet_for_long_enough() -> None:
    assert next_check_at(_state(last=3), START + _after(8)) is None


def test_it_closes_at_the_longest_wait_though_arrivals_go_on() -> None:
    assert next_check_at(_state(last=58), START + _after(59)) == START + _after(60)
    assert next_check_at(_state(last=59), START + _after(60)) is None


def test_a_window_from_the_future_is_closed() -> None:
    assert next_check_at(_state(last=0), START - _after(61)) is None


def test_the_done_marker_closes_it_at_once() -> None:
    assert next_check_at(_state(last=3, marked=True), START + _after(3)) is None


@pytest.mark.parametrize(
    ("there", "asked", "met"),
    [
        ({"arrivals": 0, "size": 0}, {}, True),
        ({"arrivals": 2, "size": 9}, {"least_files": 3}, False),
        ({"arrivals": 3, "size": 9}, {"least_files": 3}, True),
        ({"arrivals": 9, "size": 9}, {"least_bytes": 10}, False),
        ({"arrivals": 1, "size": 10}, {"least_bytes": 10}, True),
        ({"arrivals": 2, "size": 9}, {"least_files": 3, "least_bytes": 10}, False),
        ({"arrivals": 3, "size": 9}, {"least_files": 3, "least_bytes": 10}, True),
        ({"arrivals": 2, "size": 10}, {"least_files": 3, "least_bytes": 10}, True),
    ],
)
def test_the_minimum_is_files_or_bytes(there: dict[str, int], asked: dict[str, int], met: bool) -> None:
    state = _state(last=3, **there, **asked)
    quiet, marked = START + _after(8), replace(state, marked=True)
    assert minimum_is_met(state) is met
    assert (next_check_at(state, quiet) is None) is met
    assert (next_check_at(marked, START + _after(3)) is None) is met
    assert next_check_at(state, START + _after(60)) is None


def test_what_is_too_little_is_checked_ever_more_rarely() -> None:
    state = _state(last=0, quiet=5, longest=10_000, least_files=2)
    findings = [8, 100, 4000, 9000, 9990]
    until = [next_check_at(state, START + _after(now)) for now in findings]
    assert until == [START + _after(at) for at in (13, 112.5, 4500, 9600, 10_000)]


states = st.builds(
    _state,
    last=seconds,
    quiet=seconds,
    longest=seconds,
    arrivals=st.integers(0, 5),
    size=st.integers(0, 5),
    marked=st.booleans(),
    least_files=st.none() | st.integers(1, 5),
    least_bytes=st.none() | st.integers(1, 5),
)


@given(states, st.integers(-20_000, 20_000))
def test_it_closes_or_waits_for_a_later_moment_within_the_longest_wait(state: WindowState, now: int) -> None:
    until = next_check_at(state, START + _after(now))
    if until is not None:
        assert START + _after(now) < until <= START + _after(state.longest_wait_seconds)


@given(states, st.integers(0, 20_000), st.integers(0, 20_000))
def test_never_before_the_minimum_unless_the_longest_wait_is_over(state: WindowState, now: int, later: int) -> None:
    over = now >= state.longest_wait_seconds
    closed = next_check_at(state, START + _after(now)) is None
    assert not closed or over or minimum_is_met(state)
    # and what is closed once is closed for good, also when more has arrived that does not count as an arrival in time
    if closed:
        assert next_check_at(state, START + _after(now + later)) is None
        richer = replace(state, arrivals=state.arrivals + later, size=state.size + later, marked=True)
        assert next_check_at(richer, START + _after(now)) is None


@dataclass(frozen=True)
class Drop:
    """Arrivals at these seconds, all of one byte; the marker comes with one of them, or never."""

    arrivals: list[int]
    marker: int | None
    quiet: int
    longest: int
    least_files: int | None

    def state(self, now: float) -> WindowState:
        there = [at for at in self.arrivals if at <= now]
        return _state(
            last=max(there, default=0),
            quiet=self.quiet,
            longest=self.longest,
            arrivals=len(there),
            size=len(there),
            marked=self.marker is not None and self.marker <= now,
            least_files=self.least_files,
        )

    def settle(self) -> tuple[float, int]:
        """When the window closes, looked at as ``settle_arrivals`` does; and after how many looks."""
        now, findings = 0.0, 1
        while True:
            check_at = next_check_at(self.state(now), START + _after(now))
            if check_at is None:
                return now, findings
            until = (check_at - START) / timedelta(seconds=1)
            wakes = self.marker is not None and now < self.marker < until
            now, findings = float(self.marker if wakes and self.marker is not None else until), findings + 1


@st.composite
def drops(draw: st.DrawFn) -> Drop:
    gaps = draw(st.lists(st.integers(1, 30), max_size=20))
    arrivals = [sum(gaps[: n + 1]) for n in range(len(gaps))]
    return Drop(
        arrivals,
        marker=draw(st.none() | st.sampled_from(arrivals)) if arrivals else None,
        quiet=draw(st.integers(0, 10)),
        longest=draw(st.integers(0, 200)),
        least_files=draw(st.none() | st.integers(1, 25)),
    )


@given(drops())
def test_every_window_closes_whatever_arrives(drop: Drop) -> None:
    closed, findings = drop.settle()
    state = drop.state(closed)
    assert closed <= drop.longest
    if closed < drop.longest:
        assert minimum_is_met(state)
        last = (state.last_arrival_at - START) / timedelta(seconds=1)
        assert state.marked or closed - last >= drop.quiet
    assert findings <= len(drop.arrivals) + 60


@given(drops())
def test_without_a_minimum_it_closes_as_soon_as_it_may(drop: Drop) -> None:
    drop = replace(drop, least_files=None)
    starts = [0, *drop.arrivals]
    quiet = min(
        at + drop.quiet
        for at, following in zip(starts, [*drop.arrivals, 10**9], strict=True)
        if at + drop.quiet < following or drop.quiet == 0
    )
    expected = min(quiet, drop.longest, 10**9 if drop.marker is None else drop.marker)
    assert drop.settle()[0] == expected
