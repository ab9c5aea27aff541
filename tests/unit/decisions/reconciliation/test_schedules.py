from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.decisions.reconciliation.schedules import Begin, Counted, Fire, Resume, latest_due, schedule_step
from tests.support.workflow import START

DAILY = "0 3 * * *"
THREE = datetime(2026, 5, 1, 3, 0, tzinfo=UTC)
CRONS = st.sampled_from([DAILY, "*/15 * * * *", "0 3 * * 1", "30 22 1 * *", "0 0 29 2 *", "* * * * *", "0 12 * * 1-5"])
MOMENTS = st.timedeltas(timedelta(0), timedelta(days=15 * 365)).map(lambda age: datetime(2020, 1, 1, tzinfo=UTC) + age)


def counted(**changes: object) -> Counted:
    return replace(Counted(cron=DAILY, last=THREE, claimed_at=THREE), **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("cron", "now", "due"),
    [
        (DAILY, START, THREE),
        (DAILY, THREE, THREE),
        (DAILY, THREE - timedelta(microseconds=1), THREE - timedelta(days=1)),
        (DAILY, THREE + timedelta(microseconds=1), THREE),
        ("0 3 * * 1", START, datetime(2026, 4, 27, 3, tzinfo=UTC)),
        ("0 0 29 2 *", START, datetime(2024, 2, 29, tzinfo=UTC)),
    ],
)
def test_the_latest_due_time_includes_this_very_moment(cron: str, now: datetime, due: datetime) -> None:
    assert latest_due(cron, now) == due


def test_times_are_utc_wherever_the_host_stands() -> None:
    elsewhere = START.astimezone(datetime.fromisoformat("2026-05-01T00:00:00+09:00").tzinfo)

    assert latest_due(DAILY, elsewhere) == THREE


@given(CRONS, MOMENTS)
def test_nothing_lies_between_the_latest_due_time_and_now(cron: str, now: datetime) -> None:
    due = latest_due(cron, now)

    assert due is not None
    assert due <= now
    assert latest_due(cron, due) == due
    assert all(latest_due(cron, due + (now - due) * part / 7) == due for part in range(8))


def test_a_new_schedule_counts_from_now() -> None:
    step = schedule_step(DAILY, None, START)

    assert step == Begin(Counted(cron=DAILY, last=START, claimed_at=START))
    assert schedule_step(DAILY, step.counted, START + timedelta(hours=16)) is None


def test_a_changed_expression_counts_from_now_too() -> None:
    assert schedule_step("0 9 * * *", counted(), START) == Begin(
        counted(cron="0 9 * * *", last=START, claimed_at=START)
    )


def test_a_changed_expression_drops_nothing_that_was_claimed() -> None:
    claimed, soon, later = counted(claimed_at=START, started=False), timedelta(seconds=30), timedelta(minutes=2)

    assert schedule_step("0 9 * * *", claimed, START + soon) is None
    assert schedule_step("0 9 * * *", claimed, START + later) == Resume(claimed)
    assert isinstance(schedule_step("0 9 * * *", replace(claimed, started=True), START + later), Begin)


def test_a_due_time_is_claimed_once() -> None:
    tomorrow = THREE + timedelta(days=1)

    step = schedule_step(DAILY, counted(), tomorrow)

    assert step == Fire(counted(last=tomorrow, claimed_at=tomorrow, started=False))
    assert schedule_step(DAILY, replace(step.counted, started=True), tomorrow) is None


def test_what_was_missed_is_made_up_once() -> None:
    back = START + timedelta(days=9)

    step = schedule_step(DAILY, counted(), back)

    assert isinstance(step, Fire)
    assert step.counted.last == THREE + timedelta(days=9)
    assert schedule_step(DAILY, replace(step.counted, started=True), back + timedelta(minutes=2)) is None


def test_a_claim_whose_owner_died_is_started_after_the_grace() -> None:
    claimed = counted(claimed_at=START, started=False)

    assert schedule_step(DAILY, claimed, START + timedelta(seconds=30)) is None
    assert schedule_step(DAILY, claimed, START + timedelta(minutes=2)) == Resume(claimed)


def test_a_clock_that_was_set_back_fires_nothing_again() -> None:
    assert schedule_step(DAILY, counted(), THREE - timedelta(days=3)) is None


@given(CRONS, MOMENTS, st.lists(st.timedeltas(timedelta(0), timedelta(days=40)), max_size=20))
def test_cycles_fire_each_due_time_once_and_never_one_from_before(
    cron: str, begin: datetime, pauses: list[timedelta]
) -> None:
    now, fired, held = begin, [], None
    for pause in [timedelta(0), *pauses]:
        now += pause
        step = schedule_step(cron, held, now)
        if isinstance(step, Fire):
            fired.append(step.counted.last)
        held = replace(step.counted, started=True) if step else held

    assert fired == sorted(set(fired))
    assert all(begin < due <= now for due in fired)
    due = latest_due(cron, now)
    assert (due in fired) == (due is not None and due > begin)
