from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_stack.functions_host.triggers.schedule import Schedule, ScheduleError


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "after", "expected"),
    [
        ("* * * * * *", "2026-01-01T00:00:00.5", "2026-01-01T00:00:01"),
        ("0 */5 * * * *", "2026-01-01T00:00:00", "2026-01-01T00:05:00"),
        ("*/5 * * * *", "2026-01-01T00:59:59", "2026-01-01T01:00:00"),
        ("30 5/20 * * * *", "2026-01-01T00:05:30", "2026-01-01T00:25:30"),
        ("0 0 9-17/4 * * *", "2026-01-01T13:00:00", "2026-01-01T17:00:00"),
        ("0 30 9 * * Mon-Fri", "2026-01-02T09:30:00", "2026-01-05T09:30:00"),
        ("0 0 0 1 jan,July *", "2026-01-01T00:00:00", "2026-07-01T00:00:00"),
        ("0 0 0 29 2 *", "2026-03-01T00:00:00", "2028-02-29T00:00:00"),
        ("0 0 12 13 * 5", "2026-01-01T00:00:00", "2026-02-13T12:00:00"),
        ("0 0 0 * * Sunday", "2026-12-31T23:59:59", "2027-01-03T00:00:00"),
        ("59 59 23 31 12 *", "2026-12-31T23:59:59", "2027-12-31T23:59:59"),
        ("0 0 0 29 2 0", "2097-01-01T00:00:00", "2128-02-29T00:00:00"),
    ],
)
def test_the_next_moment(expression: str, after: str, expected: str) -> None:
    assert Schedule(expression).next_after(at(after)) == at(expected)


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "* * * *",
        "* * * * * * *",
        "60 * * * * *",
        "0 0 24 * * *",
        "0 0 0 0 * *",
        "0 0 0 * * 7",
        "0 0 0 * * Someday",
        "0 */0 * * * *",
        "0 5-1 * * * *",
        "0 1, * * * *",
        "0 a/2 * * * *",
        "0 -1 * * * *",
        "00:05:00",
    ],
)
def test_what_is_not_ncrontab_is_refused(expression: str) -> None:
    with pytest.raises(ScheduleError):
        Schedule(expression)


def test_a_moment_that_never_comes_is_an_error() -> None:
    with pytest.raises(ScheduleError, match="no moment fits"):
        Schedule("0 0 0 30 2 *").next_after(at("2026-01-01"))


def test_frequency() -> None:
    moment = at("2026-01-01")
    assert Schedule("*/30 * * * * *").runs_more_often_than(timedelta(minutes=1), moment)
    assert not Schedule("0 * * * * *").runs_more_often_than(timedelta(minutes=1), moment)


@given(
    moment=st.integers(1_600_000_000, 1_900_000_000).map(lambda second: datetime.fromtimestamp(second, UTC)),
    step=st.integers(1, 59),
    hour=st.integers(0, 23),
)
def test_the_next_moment_is_later_fits_and_nothing_fits_in_between(moment: datetime, step: int, hour: int) -> None:
    found = Schedule(f"0 */{step} {hour} * * *").next_after(moment)

    assert found > moment
    assert (found.hour, found.second, found.minute % step) == (hour, 0, 0)
    minute = moment.replace(second=0, microsecond=0) + timedelta(minutes=1)
    while minute < min(found, moment + timedelta(hours=2)):
        assert not (minute.hour == hour and minute.minute % step == 0)
        minute += timedelta(minutes=1)
