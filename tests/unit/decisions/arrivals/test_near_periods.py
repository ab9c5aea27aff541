"""What is said of a pipeline by what the reconciler saw is what its whole history says."""

from datetime import UTC, datetime, time, timedelta

from hypothesis import given
from hypothesis import strategies as st

from shared.decisions.arrivals.day_counts import QUARTER, History, moment_of_quarter, quarter_of
from shared.decisions.arrivals.near_periods import expected_soon, near_periods
from shared.decisions.arrivals.overdue import expectation
from shared.messages import Every, Expectation, Expecting, Gap, Period, Rest, Watch
from tests.support.examples import examples

SINCE = datetime(2026, 8, 1, tzinfo=UTC)
EXPECTING = st.builds(
    Expecting,
    every=st.sampled_from([None, None, Every.HOUR, Every.DAY, Every.WEEKDAY, Every.WEEK]),
    zone=st.sampled_from(["UTC", "Europe/Amsterdam", "America/St_Johns"]),
    grace=st.sampled_from([timedelta(), timedelta(hours=1), timedelta(days=3)]),
)
LOOKED = st.integers(0, 7 * 96).map(lambda quarters: datetime(2026, 11, 20, tzinfo=UTC) + quarters * QUARTER)
HOLES = st.sets(st.integers(1, 100), max_size=8)


def history(until: datetime, *, holes: set[int], silent: int, more: timedelta | None) -> History:
    """A file at half past six each day but some, none in the last days; and one so long before the end."""
    days = [number for number in range(112) if number not in holes and number >= silent]
    begins = datetime.combine(until.date(), time(6, 30), tzinfo=UTC)
    moments = [begins - timedelta(days=number) for number in days] + ([until - more] if more is not None else [])
    return History({moment_of_quarter(*quarter_of(each)): 1 for each in moments if SINCE <= each <= until})


def seen(expecting: Expecting, came: History, at: datetime, rests: tuple[Rest, ...] = ()) -> Watch:
    """What the reconciler keeps when it looks."""
    found = expectation(expecting, came, at, since=SINCE, rests=rests)
    assert found.next_at is not None
    return Watch(since=SINCE, next_at=found.next_at, expecting=expecting, gap=found.gap, rests=rests, near=found.near)


def shown(expecting: Expecting, watch: Watch, came: History, now: datetime) -> Expectation:
    near = near_periods(expecting, watch, now)
    since = near.counts_from
    counts = {} if since is None else {at: came.files(at, at + QUARTER) for at in quarters(since, now)}
    return expected_soon(expecting, near, History(counts), now)


def quarters(since: datetime, until: datetime) -> list[datetime]:
    return [since + number * QUARTER for number in range((until - since) // QUARTER + 1)]


def said(found: Expectation) -> tuple[Period | None, int, datetime | None]:
    return found.today, found.arrived if found.today else 0, found.gap.since if found.gap else None


@examples(100, deadline=None)
@given(expecting=EXPECTING, looked=LOOKED, holes=HOLES, silent=st.integers(0, 30), part=st.floats(0, 1))
def test_until_the_next_look_both_say_the_same(
    expecting: Expecting, looked: datetime, holes: set[int], silent: int, part: float
) -> None:
    came = history(looked, holes=holes, silent=silent, more=None)
    watch = seen(expecting, came, looked)
    now = looked + (watch.next_at - looked) * part

    whole = expectation(expecting, came, now, since=SINCE)

    assert said(shown(expecting, watch, came, now)) == said(whole)


@examples(50, deadline=None)
@given(expecting=EXPECTING, looked=LOOKED, holes=HOLES, silent=st.integers(0, 30), part=st.floats(0, 1))
def test_a_file_that_came_since_ends_a_gap_at_once(
    expecting: Expecting, looked: datetime, holes: set[int], silent: int, part: float
) -> None:
    watch = seen(expecting, history(looked, holes=holes, silent=silent, more=None), looked)
    now = looked + (watch.next_at - looked) * part
    came = history(looked, holes=holes, silent=silent, more=timedelta())

    whole = expectation(expecting, came, now, since=SINCE)

    found = shown(expecting, watch, came, now)
    assert (found.today, found.arrived if found.today else 0) == (whole.today, whole.arrived if whole.today else 0)
    assert (found.gap is None) == (whole.gap is None)


def test_few_days_are_read() -> None:
    looked = datetime(2026, 11, 20, 12, tzinfo=UTC)
    for expecting in (Expecting(), Expecting(every=Every.HOUR), Expecting(every=Every.DAY)):
        watch = seen(expecting, history(looked, holes=set(), silent=0, more=None), looked)
        since = near_periods(expecting, watch, looked + timedelta(hours=3)).counts_from
        assert since is not None
        assert looked - since <= timedelta(days=2)
        assert len(watch.near or ()) <= 3


def test_what_was_seen_by_another_file_or_before_a_retirement_is_not_shown() -> None:
    looked = datetime(2026, 11, 20, 12, tzinfo=UTC)
    watch = seen(Expecting(), history(looked, holes=set(), silent=3, more=None), looked)
    assert watch.gap is not None
    assert near_periods(Expecting(), watch, looked).late is not None
    other = near_periods(Expecting(zone="Europe/Amsterdam"), watch, looked)
    assert (other.current, other.late, other.gap) == (None, None, None)
    rested = Watch(
        since=SINCE,
        next_at=watch.next_at,
        near=watch.near,
        rests=(Rest(since=looked - timedelta(days=9), until=looked),),
    )
    again = near_periods(Expecting(), rested, looked)
    assert (again.current, again.late, again.gap) == (None, None, None)
    unknown = near_periods(Expecting(), Watch(since=SINCE, next_at=looked, gap=watch.gap), looked)
    assert unknown.counts_from is None
    gap = expected_soon(Expecting(), unknown, History({}), looked).gap
    assert isinstance(gap, Gap)
