"""Tables are checked before anything runs: every file, every fault, and never a value in what is told."""

import json
from pathlib import Path

import pytest

from site_agent.job.failures import DataError, TrainingError
from site_agent.job.inputs import LeftOut
from tests.support.job_inputs import GOOD, HOLDOUT, JobHub, a_csv_contract

CANARY = b"4242.4242"
BAD = b"age\n" + CANARY + b"\n200\n"
FAULTS = "line 2, column 'age': not a whole number; line 3, column 'age': more than 150, which is the most allowed"


def test_files_without_a_fault_are_all_taken(hub: JobHub, tmp_path: Path) -> None:
    hub.put({"landing/a.csv": GOOD, "landing/b.csv": b"\xef\xbb\xbfage,note\r\n7,x\r\n"})

    inputs = hub.fetch(tmp_path / "run", hub.snapshot(), data=a_csv_contract())

    assert [file.name for file in inputs.files] == ["landing/a.csv", "landing/b.csv"]


def test_every_file_with_a_fault_is_told_by_place_and_never_by_value(hub: JobHub, tmp_path: Path) -> None:
    hub.put({"landing/a.csv": GOOD, "landing/b.csv": BAD, "landing/c.csv": b"other\n1\n"})

    with pytest.raises(DataError) as caught:
        hub.fetch(tmp_path / "run", hub.snapshot(), data=a_csv_contract())

    reason = str(caught.value)
    assert reason.startswith(f"2 of 4 files have a fault: landing/b.csv, {FAULTS}")
    assert "landing/c.csv, line 1: the header lacks the column 'age'" in reason
    assert CANARY.decode() not in reason + "".join(hub.said)


def test_a_faulty_file_is_left_out_where_the_pipeline_says_so(hub: JobHub, tmp_path: Path) -> None:
    hub.put({"landing/a.csv": GOOD, "landing/north/b.csv": BAD})

    inputs = hub.fetch(tmp_path / "run", hub.snapshot(), data=a_csv_contract(on_bad_file="leave_out"))

    assert inputs.left_out == (LeftOut("faulty", ("landing/north/b.csv",)),)
    assert [file.name for file in inputs.files] == ["landing/a.csv"]
    assert [entry["name"] for entry in json.loads(inputs.listing.read_text())] == ["landing/a.csv"]
    assert not (inputs.data / "landing/north").exists()


@pytest.mark.parametrize("on_bad_file", ["fail", "leave_out"])
def test_a_hold_out_with_a_fault_always_ends_the_run_and_comes_first(
    hub: JobHub, tmp_path: Path, on_bad_file: str
) -> None:
    hub.put({HOLDOUT: BAD, "landing/a.csv": GOOD, "landing/b.csv": b"age\n"})

    with pytest.raises(DataError) as caught:
        hub.fetch(tmp_path / "run", hub.snapshot(), data=a_csv_contract(on_bad_file=on_bad_file))

    assert str(caught.value).startswith(f"2 of 3 files have a fault: {HOLDOUT}, {FAULTS}")


def test_when_every_file_has_a_fault_there_is_nothing_to_train_on(hub: JobHub, tmp_path: Path) -> None:
    hub.put({"landing/a.csv": BAD})

    with pytest.raises(DataError, match=r"every file has a fault: landing/a\.csv, line 2"):
        hub.fetch(tmp_path / "run", hub.snapshot(), data=a_csv_contract(on_bad_file="leave_out"))


def test_columns_that_cannot_be_checked_are_the_pipelines_fault(hub: JobHub, tmp_path: Path) -> None:
    hub.put({"landing/a.csv": GOOD})
    contract = a_csv_contract(columns={"age": {"kind": "date", "least": "yesterday"}})

    with pytest.raises(TrainingError, match=r"data\.columns of the pipeline file cannot be used"):
        hub.fetch(tmp_path / "run", hub.snapshot(), data=contract)


def test_files_that_are_taken_as_they_are_are_not_checked(hub: JobHub, tmp_path: Path) -> None:
    hub.put({HOLDOUT: BAD, "landing/a.csv": BAD})

    assert len(hub.fetch(tmp_path / "run", hub.snapshot()).files) == 1


def read(hub: JobHub) -> list[str]:
    """The files that were checked, by the log."""
    found = [line.split()[1].rstrip(":") for line in hub.said if line.startswith("read ")]
    hub.said.clear()
    return found


def test_what_was_sound_is_checked_again_only_by_other_rules(hub: JobHub, tmp_path: Path) -> None:
    hub.put({"landing/a.csv": GOOD, "landing/b.csv": BAD})
    leave_out = a_csv_contract(on_bad_file="leave_out")
    hub.fetch(tmp_path / "one", hub.snapshot(), data=leave_out)
    assert read(hub) == [HOLDOUT, "landing/a.csv", "landing/b.csv"]

    hub.put({"landing/c.csv": GOOD})
    inputs = hub.fetch(tmp_path / "two", hub.snapshot(), data=leave_out)
    assert read(hub) == ["landing/b.csv", "landing/c.csv"]
    assert [file.name for file in inputs.files] == ["landing/a.csv", "landing/c.csv"]

    stricter = a_csv_contract(on_bad_file="leave_out", columns={"age": {"kind": "integer", "most": 42}})
    with pytest.raises(DataError):
        hub.fetch(tmp_path / "three", hub.snapshot(), data=stricter)
    assert read(hub) == [HOLDOUT, "landing/a.csv", "landing/b.csv", "landing/c.csv"]
