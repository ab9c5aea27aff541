"""What a pipeline's file expects, in zones whose clocks change in every way there is."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.decisions.arrivals.day_counts import History, moment_of_quarter, quarter_of
from shared.decisions.arrivals.expected_periods import Periods
from shared.decisions.arrivals.local_days import day_of, local, start_of
from shared.decisions.arrivals.overdue import calendar, expectation
from shared.decisions.explanations.expectation_text import expectation_text, gap_text
from shared.messages import Basis, Every, Expecting
from tests.support.examples import examples

ZONES = st.sampled_from(
    [
        "UTC",
        "Europe/Amsterdam",
        "America/New_York",
        "America/St_Johns",
        "America/Santiago",  # clocks change at midnight
        "Africa/Cairo",
        "Asia/Kathmandu",
        "Australia/Lord_Howe",  # by half an hour
        "Pacific/Chatham",
        "Pacific/Apia",
    ]
)
DAYS = st.dates(date(2024, 1, 1), date(2027, 12, 31))
NOTHING = History({})
GRACE = st.integers(0, 7 * 24 * 60).map(lambda minutes: timedelta(minutes=minutes))
EVERY = st.sampled_from([Every.HOUR, Every.DAY, Every.WEEKDAY, Every.WEEK])


@given(zone=ZONES, day=DAYS, every=st.sampled_from([Every.HOUR, Every.DAY]))
def test_hours_and_days_follow_each_other_over_every_change_of_clocks(zone: str, day: date, every: Every) -> None:
    found = list(Periods(Expecting(every=every, zone=zone), NOTHING).between(day, day + timedelta(days=3)))
    assert all(one.end == other.start for one, other in pairwise(found))
    assert found[0].start == start_of(day, zone)
    assert all(one.start < one.end for one in found)
    assert {each.day for each in found} == {day + timedelta(days=number) for number in range(4)}


@example(zone="Africa/Cairo", day=date(2024, 4, 26), by=time(0, fold=1))  # a midnight that the clocks skip
@given(zone=ZONES, day=DAYS, by=st.times().map(lambda at: at.replace(second=0, microsecond=0)))
def test_a_time_of_day_is_that_of_the_clocks_on_the_wall(zone: str, day: date, by: time) -> None:
    (found,) = Periods(Expecting(every=Every.DAY, by=by, zone=zone), NOTHING).of(day)
    shown, meant = local(found.by, zone).replace(tzinfo=None), datetime.combine(day, by)
    assert found.start <= found.by <= found.end
    if shown != meant:  # the clocks went past it, by no more than they were changed
        assert timedelta() < shown - meant <= timedelta(hours=1)


@given(zone=ZONES, every=EVERY, day=DAYS, minutes=st.integers(0, 1439))
def test_there_is_always_a_next_moment_to_look_at(zone: str, every: Every, day: date, minutes: int) -> None:
    now = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(minutes=minutes)
    found = expectation(Expecting(every=every, zone=zone), NOTHING, now, since=now - timedelta(days=3))
    assert found.next_at is not None
    assert now < found.next_at <= now + timedelta(days=1)
    assert found.basis is Basis.FILE


@examples(100, deadline=None)
@given(zone=ZONES, every=EVERY, day=DAYS, minutes=st.integers(0, 1439), grace=GRACE, by=st.none() | st.just(time(6)))
def test_no_deadline_lies_before_the_next_moment_to_look_at(
    zone: str, every: Every, day: date, minutes: int, grace: timedelta, by: time | None
) -> None:
    now = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(minutes=minutes)
    expecting = Expecting(every=every, by=None if every is Every.HOUR else by, zone=zone, grace=grace)

    next_at = expectation(expecting, NOTHING, now, since=now - timedelta(days=3)).next_at

    near = Periods(expecting, NOTHING).between(day - timedelta(days=20), day + timedelta(days=20))
    deadlines = [each.deadline for each in near]
    assert next_at is not None
    assert next_at in deadlines or next_at == now + timedelta(days=1)
    assert [each for each in deadlines if now < each < next_at] == []


@given(zone=ZONES, minutes=st.lists(st.integers(0, 2 * 525_600), max_size=30))
def test_local_days_share_out_every_file(zone: str, minutes: list[int]) -> None:
    moments = [datetime(2025, 1, 1, tzinfo=UTC) + timedelta(minutes=each) for each in minutes]
    counts: dict[datetime, int] = {}
    for moment in moments:
        quarter = moment_of_quarter(*quarter_of(moment))
        counts[quarter] = counts.get(quarter, 0) + 1
    days = History(counts).days(zone)
    assert sum(day.files for day in days.values()) == len(moments)
    assert set(days) == {day_of(moment, zone) for moment in moments}


@examples(50, deadline=None)
@given(zone=ZONES, every=EVERY, day=DAYS, files=st.integers(1, 3), missed=st.integers(0, 9))
def test_data_are_overdue_from_the_first_missed_deadline_until_they_come(
    zone: str, every: Every, day: date, files: int, missed: int
) -> None:
    expecting = Expecting(every=every, zone=zone, files=files)
    periods = list(Periods(expecting, NOTHING).between(day, day + timedelta(days=100)))[:12]
    kept, lost = periods[: len(periods) - missed], periods[len(periods) - missed :]
    counts = {each.start: files for each in kept}
    now, since = periods[-1].deadline, periods[0].start

    gap = expectation(expecting, History(counts), now, since=since).gap

    if not lost:
        assert gap is None
        return
    assert gap is not None
    assert (gap.since, gap.start, gap.files, gap.missed) == (lost[0].deadline, lost[0].start, files, missed)
    fewer = counts | {lost[-1].start: files - 1}
    assert expectation(expecting, History(fewer), now, since=since).gap is not None
    came = counts | {moment_of_quarter(*quarter_of(now)): files}
    assert expectation(expecting, History(came), now, since=since).gap is None


@pytest.mark.parametrize(
    ("day", "by"),
    [
        (date(2026, 3, 28), "2026-03-28T05:00:00+00:00"),
        (date(2026, 3, 29), "2026-03-29T04:00:00+00:00"),  # summer time
        (date(2026, 10, 24), "2026-10-24T04:00:00+00:00"),
        (date(2026, 10, 25), "2026-10-25T05:00:00+00:00"),
    ],
)
def test_six_in_the_morning_in_amsterdam(day: date, by: str) -> None:
    expecting = Expecting(every=Every.DAY, by=time(6), zone="Europe/Amsterdam")
    (found,) = Periods(expecting, NOTHING).of(day)
    assert found.by == datetime.fromisoformat(by)
    assert found.deadline - found.by == timedelta(hours=1)


def test_days_with_a_change_of_clocks_have_23_and_25_hours() -> None:
    periods = Periods(Expecting(every=Every.HOUR, zone="Europe/Amsterdam"), NOTHING)
    assert [len(list(periods.of(day))) for day in (date(2026, 3, 29), date(2026, 10, 25))] == [23, 25]


def test_weekdays_are_monday_to_friday_and_what_comes_on_saturday_is_late_for_friday() -> None:
    expecting = Expecting(every=Every.WEEKDAY, by=time(6))
    monday = datetime(2026, 11, 23, tzinfo=UTC)
    counts = {monday + timedelta(days=number, hours=5): 1 for number in range(4)}
    saturday = monday + timedelta(days=5, hours=9)

    found = expectation(expecting, History(counts), saturday, since=None)
    assert found.today is None
    assert found.gap is not None
    assert found.gap.since == monday + timedelta(days=4, hours=7)
    late = counts | {saturday - timedelta(hours=1): 1}
    assert expectation(expecting, History(late), saturday, since=None).gap is None
    shown = calendar(expecting, History(late), saturday, since=None, days=3)
    assert [(each.missing, each.files) for each in shown] == [(False, 1), (True, 0), (False, 1)]


@pytest.mark.parametrize(
    ("expecting", "came", "awaited"),
    [
        (Expecting(every=Every.DAY, files=3), [1], True),
        (Expecting(every=Every.DAY, files=3), [1, 2, 3], False),
        (Expecting(every=Every.DAY, by=time(6)), [], False),
        (Expecting(every=Every.HOUR), range(12), True),
        (Expecting(every=Every.HOUR), range(24), False),
        (Expecting(every=Every.NONE), [], False),
    ],
)
def test_a_day_is_awaited_while_not_all_of_it_has_come(
    expecting: Expecting, came: Sequence[int], awaited: bool
) -> None:
    day = datetime(2026, 11, 29, tzinfo=UTC)
    history = History({day + timedelta(hours=hour): 1 for hour in came})
    (today,) = calendar(expecting, history, day + timedelta(hours=12), since=day, days=1)
    assert today.awaited is awaited
    (yesterday, _) = calendar(expecting, history, day + timedelta(days=1, hours=12), since=day, days=2)
    assert not yesterday.awaited


def test_yesterday_is_awaited_while_its_time_of_grace_lasts() -> None:
    expecting = Expecting(every=Every.DAY, grace=timedelta(days=3))
    now = datetime(2026, 11, 29, 12, tzinfo=UTC)
    shown = calendar(expecting, NOTHING, now, since=now - timedelta(days=9), days=6)
    assert [(each.missing, each.awaited) for each in shown] == [(True, False)] * 2 + [(False, True)] * 4


def test_a_week_is_expected_by_its_day() -> None:
    expecting = Expecting(every=Every.WEEK, on=2, by=time(12), grace=timedelta())
    monday = datetime(2026, 11, 23, tzinfo=UTC)
    since = monday - timedelta(days=1)
    assert expectation(expecting, NOTHING, monday + timedelta(days=2, hours=11), since=since).gap is None
    gap = expectation(expecting, NOTHING, monday + timedelta(days=2, hours=12), since=since).gap
    assert gap is not None
    assert gap.start == monday


def test_before_anything_is_known_of_a_pipeline_nothing_is_overdue() -> None:
    found = expectation(Expecting(every=Every.DAY), NOTHING, datetime(2026, 11, 30, tzinfo=UTC), since=None)
    assert found.gap is None


def test_what_nobody_expects_is_never_overdue() -> None:
    counts = History({datetime(2026, 1, 1, tzinfo=UTC): 1})
    now = datetime(2026, 11, 30, tzinfo=UTC)
    found = expectation(Expecting(every=Every.NONE), counts, now, since=None)
    assert (found.basis, found.today, found.gap) == (Basis.OFF, None, None)
    assert not any(each.missing for each in calendar(Expecting(every=Every.NONE), counts, now, since=None, days=371))


def test_a_window_that_was_only_seen_counts_as_a_file_until_it_is_counted() -> None:
    at = datetime(2026, 11, 30, 6, 7, tzinfo=UTC)
    assert NOTHING.with_file(at).files(at - timedelta(minutes=7), at + timedelta(minutes=1)) == 1
    counted = History({datetime(2026, 11, 30, 6, tzinfo=UTC): 4})
    assert counted.with_file(at).files(at - timedelta(hours=1), at + timedelta(hours=1)) == 4


def test_the_sentences() -> None:
    expecting = Expecting(every=Every.DAY, by=time(6), zone="Europe/Amsterdam", files=2)
    now = datetime(2026, 11, 30, 7, tzinfo=UTC)
    found = expectation(expecting, NOTHING, now, since=now - timedelta(days=2))
    assert found.gap is not None
    assert expectation_text(found) == (
        "2 files are expected by 2026-11-30 06:00 (Europe/Amsterdam); none has come yet;"
        " overdue since 2026-11-29 07:00 (Europe/Amsterdam)"
    )
    assert gap_text(found.gap, found.zone) == (
        "2 files were expected by 2026-11-29 06:00 (Europe/Amsterdam), and fewer have come"
    )
    for other, text in {
        Expecting(every=Every.NONE): "nothing is expected: the pipeline's file says expect: none",
        Expecting(): "there is no forecast yet: nothing has come, and it takes 4 weeks of history",
    }.items():
        assert expectation_text(expectation(other, NOTHING, now, since=None)) == text
