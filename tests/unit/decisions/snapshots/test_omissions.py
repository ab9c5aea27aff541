from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.decisions.admission.repeats import NewAttempt, Refusal, decide_attempt
from shared.decisions.arrivals.watched_blobs import STILL, is_still_written
from shared.decisions.snapshots.omissions import described, is_left_out, omissions_of, saw_all
from shared.messages import LeftOut, Outcome, Verdict
from tests.support.arrivals import a_run_record

NOW = datetime(2026, 5, 1, 10, tzinfo=UTC)


def test_what_was_left_out_is_said_with_how_many_and_some_names() -> None:
    entries = (*omissions_of("faulty", ["a.csv"]), *omissions_of("changed", [f"{n}.csv" for n in range(9)]))

    assert described(entries) == (
        "; left out: 1 file with a fault (a.csv), 9 files that were changed or removed before they were read"
        " (0.csv, 1.csv, 2.csv, 3.csv, 4.csv, ...)"
    )
    assert described(omissions_of("faulty", [])) == ""
    assert described([LeftOut(why="of a newer job", count=2)]) == "; left out: 2 of a newer job"


@given(names=st.lists(st.text(max_size=2000), max_size=50))
def test_it_is_bounded_whatever_the_names(names: list[str]) -> None:
    assert len(described(omissions_of("changed", names))) < 1000


def test_data_that_changed_before_they_were_read_may_be_trained_again_and_faulty_ones_not() -> None:
    changed = a_run_record(outcome=Outcome.PROMOTED, left_out=omissions_of("changed", ["a.csv"]))
    faulty = a_run_record(outcome=Outcome.PROMOTED, left_out=omissions_of("faulty", ["a.csv"]))

    assert decide_attempt([changed]) == NewAttempt(attempt=2)
    refusal = decide_attempt([faulty])
    assert isinstance(refusal, Refusal)
    assert refusal.verdict is Verdict.UNCHANGED
    assert refusal.reason.endswith("; left out: 1 file with a fault (a.csv)")
    assert (saw_all(changed), saw_all(faulty)) == (False, True)
    assert (is_left_out(changed, "a.csv"), is_left_out(faulty, "a.csv"), is_left_out(faulty, "b.csv")) == (
        False,
        True,
        False,
    )


@pytest.mark.parametrize(
    ("kind", "age", "written"),
    [
        ("AppendBlob", timedelta(0), True),
        ("AppendBlob", STILL - timedelta(seconds=1), True),
        ("AppendBlob", STILL, False),
        ("BlockBlob", timedelta(0), False),
        ("PageBlob", timedelta(0), False),
        (None, timedelta(0), False),
    ],
)
def test_an_append_blob_waits_until_it_has_been_still(kind: str | None, age: timedelta, written: bool) -> None:
    assert is_still_written(kind, NOW - age, NOW) is written
    assert is_still_written(kind, NOW - age, None) is False
