"""Nobody waits for the data of a pipeline while it is retired or has no file."""

from datetime import UTC, date, datetime, time, timedelta

from hypothesis import given
from hypothesis import strategies as st

from shared.decisions.arrivals.day_counts import HISTORY, DayArrivals, History
from shared.decisions.arrivals.forecast import LEAST_WEEKS, SAMPLES, forecast_for
from shared.decisions.arrivals.overdue import basis_of, calendar, expectation
from shared.decisions.arrivals.rests import is_forgotten, is_resting, last_end, rests_of
from shared.decisions.explanations.expectation_text import expectation_text
from shared.messages import Basis, Every, Expecting, Rest, Watch
from tests.support.examples import examples

START = datetime(2026, 10, 1, tzinfo=UTC)
NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
DAY = timedelta(days=1)
DAILY = Expecting(every=Every.DAY, by=time(6))
NOTHING = History({})
RESTS = st.lists(st.integers(0, 60 * 24), min_size=2, max_size=8, unique=True).map(
    lambda hours: [
        Rest(since=START + timedelta(hours=since), until=START + timedelta(hours=until))
        for since, until in zip(sorted(hours)[::2], sorted(hours)[1::2], strict=False)
    ]
)


def test_a_rest_begins_and_ends_once() -> None:
    watch = Watch(since=START, next_at=START)
    begun = rests_of(watch, resting_since=NOW, now=NOW)
    resting = Watch(since=START, next_at=START, rests=begun)
    assert begun == (Rest(since=NOW),)
    assert is_resting(resting)
    assert rests_of(resting, resting_since=NOW + DAY, now=NOW + DAY) == begun
    assert rests_of(resting, resting_since=None, now=NOW + DAY) == (Rest(since=NOW, until=NOW + DAY),)
    assert rests_of(watch, resting_since=None, now=NOW) == rests_of(None, resting_since=None, now=NOW) == ()
    assert not is_forgotten(resting, NOW + HISTORY)
    assert is_forgotten(resting, NOW + HISTORY + timedelta(seconds=1))


def test_rests_of_which_nothing_is_counted_any_more_go() -> None:
    many = tuple(Rest(since=START + n * DAY, until=START + n * DAY + DAY / 2) for n in range(100))
    later = START + 20 * DAY + HISTORY
    kept = rests_of(Watch(since=START, next_at=START, rests=many), resting_since=later, now=later)
    assert kept == (*many[-49:], Rest(since=later))
    assert last_end(kept) == many[-1].until


@examples(30, deadline=None)
@given(rests=RESTS, now=st.integers(0, 70 * 24).map(lambda hours: START + timedelta(hours=hours)))
def test_nothing_is_overdue_of_a_rest_nor_of_the_time_before_it(rests: list[Rest], now: datetime) -> None:
    past = [rest for rest in rests if rest.until is not None and rest.until <= now]

    gap = expectation(DAILY, NOTHING, now, since=START, rests=past).gap

    ends = last_end(past)
    if gap is not None and ends is not None:
        assert gap.start >= ends
    shown = calendar(DAILY, NOTHING, now, since=START, rests=past, days=371)
    for each in shown:
        day = datetime.combine(each.day, time(), tzinfo=UTC)
        meets = any(day + timedelta(hours=7) > rest.since and (rest.until or day) > day for rest in past)
        assert (each.expected is not None) == (day >= START and not meets)


def test_a_retired_pipeline_misses_nothing_from_its_retirement_on() -> None:
    retired = (Rest(since=NOW - 10 * DAY),)
    shown = {each.day: each for each in calendar(DAILY, NOTHING, NOW, since=START, rests=retired, days=100)}
    assert {day for day, each in shown.items() if each.missing} == {
        (START + number * DAY).date() for number in range((NOW - 10 * DAY - START).days + 1)
    }
    assert not any(each.awaited or each.expected for day, each in shown.items() if day > date(2026, 11, 20))
    found = expectation(DAILY, NOTHING, NOW, since=START, rests=(Rest(since=NOW - 10 * DAY),))
    assert found.today is None


@given(weeks=st.integers(0, 30))
def test_a_forecast_leaves_out_the_days_on_which_nobody_waited(weeks: int) -> None:
    today = date(2026, 11, 30)
    before = [today - timedelta(weeks=week) for week in range(1, SAMPLES + 1)]
    rested = set(before[:weeks])
    days = {day: DayArrivals(3, 360) for day in before if day not in rested}

    found = forecast_for(today, days, before[-1], rested)

    if SAMPLES - weeks < LEAST_WEEKS:
        assert found is None
    else:
        assert found is not None
        assert (found.files, found.samples) == (3, SAMPLES - weeks)


def test_a_forecast_is_learnt_again_after_a_long_rest_and_the_sentence_says_since_when() -> None:
    counts = {START - number * DAY: 1 for number in range(100)}
    rests = (Rest(since=START, until=START + 90 * DAY),)
    now = START + 100 * DAY
    found = expectation(Expecting(), History(counts), now, since=None, rests=rests)
    assert found.basis is basis_of(Expecting(), History(counts), now, rests=rests) is Basis.TOO_NEW
    assert expectation_text(found) == (
        "there is no forecast yet: data are waited for again since 2026-12-30, and it takes 4 weeks of history"
    )
    assert basis_of(Expecting(), History(counts), now) is Basis.FORECAST
