"""How times, durations, numbers and sizes are written."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.client import ForeignAnswerError
from cli.client import answers as a
from cli.operating.words import doing, number, size, took, waits_for_approval, when, when_short, zone

NOON = datetime(2026, 6, 1, 22, 30, tzinfo=UTC)
ANY_TIME = st.datetimes(timezones=st.just(UTC))


@pytest.fixture(params=["Pacific/Auckland", "America/Los_Angeles", "UTC"])
def place(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", request.param)
        time.tzset()
        yield str(request.param)
    time.tzset()


def test_times_are_the_readers_with_utc_beside(place: str) -> None:
    shown = {
        "Pacific/Auckland": "2026-06-02 10:30:00 NZST (2026-06-01 22:30:00 UTC)",
        "America/Los_Angeles": "2026-06-01 15:30:00 PDT (22:30:00 UTC)",
        "UTC": "2026-06-01 22:30:00 UTC",
    }

    assert when(NOON) == shown[place]
    assert when_short(NOON) == shown[place][:16]
    assert zone(None, NOON) in shown[place]


@pytest.mark.parametrize("moment", [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)])
def test_the_ends_of_the_calendar(place: str, moment: datetime) -> None:
    assert when(moment)
    assert when_short(moment)


@pytest.mark.parametrize(
    "text", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-06-01T10:00:00", "soon"]
)
def test_times_that_are_none_are_not_understood(text: str) -> None:
    with pytest.raises(ForeignAnswerError):
        a.read(a.Run, {"run_id": "x", "since": text}, "it")


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0 s"), (59.4, "59 s"), (60, "1 min"), (3725, "1 h 2 min"), (90_000, "1 d 1 h"), (-1, ""), (float("inf"), "")],
)
def test_durations(seconds: float, shown: str) -> None:
    assert took(seconds) == shown


@pytest.mark.parametrize(
    ("count", "shown"), [(0, "0 B"), (999, "999 B"), (4123, "4.1 kB"), (20_000_000, "20 MB"), (10**15, "1000.0 TB")]
)
def test_sizes(count: int, shown: str) -> None:
    assert size(count) == shown


@given(st.floats())
def test_every_number_is_written(value: float) -> None:
    assert number(value)
    assert took(value) == "" or value >= 0


@given(
    st.dictionaries(
        st.sampled_from(["doing", "phase", "detail", "targets", "roll_outs", "position", "reason"]),
        st.recursive(
            st.none() | st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
        ),
    )
)
def test_whatever_a_run_says_of_its_progress_is_one_line(progress: dict[str, object]) -> None:
    run = a.read(a.Run, {"run_id": "x", "stage": "training", "progress": progress}, "it")

    assert doing(run).isprintable()
    assert waits_for_approval(run) in {True, False}


@pytest.mark.parametrize(
    ("progress", "waits"),
    [
        ({"roll_outs": {"vm-1": {"phase": "watching"}, "vm-2": {"phase": "approval"}}, "doing": "on hold"}, True),
        ({"roll_outs": {"vm-1": {"phase": "watching", "reason": "Ada approved it"}}, "doing": "as approved"}, False),
        ({"targets": {"vm-1": "the approved model starts"}}, False),
        (None, False),
    ],
)
def test_the_phase_says_whether_somebody_has_to_decide_and_no_words_do(progress: object, waits: bool) -> None:
    run = a.read(a.Run, {"run_id": "x", "stage": "rolling_out", "progress": progress}, "it")

    assert waits_for_approval(run) is waits
