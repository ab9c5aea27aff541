"""Files that changed, files with a fault, and classes that are not there: what a job does without, and what it says."""

from typing import Any

import pytest

from local_stack.demo_data import HOLDOUT_BLOB, breast_cancer_story
from tests.integration.training_driver import hub as hubs
from tests.integration.training_driver.jobs import CANARY, DATA, Job

PART_1, PART_2 = sorted(DATA.first)
HEADER = DATA.first[PART_1].splitlines(keepends=True)[0]


def with_labels(text: bytes, *labels: int) -> bytes:
    header, *rows = text.splitlines(keepends=True)
    return header + b"".join(row for row in rows if int(row.rpartition(b",")[2]) in labels)


def faulty(*, rows: int) -> bytes:
    good = DATA.first[PART_1].splitlines(keepends=True)[1]
    return HEADER + good + (CANARY.encode() + b"mm" + good[good.index(b",") :]) * rows


def test_a_blob_that_changed_since_the_snapshot_is_left_out_and_named(job: Job) -> None:
    job.put(DATA.first)
    snapshot = job.snapshot()
    job.put({PART_2: DATA.second["landing/part-3.csv"]})

    assert job.start(snapshot) == 0

    assert job.left_out == [{"why": "changed", "count": 1, "first": [PART_2]}]


def test_a_blob_that_is_gone_is_left_out_and_named(job: Job, hub: str) -> None:
    job.put(DATA.first)
    snapshot = job.snapshot()
    hubs.client(hub).get_blob_client(job.container, PART_1).delete_blob()

    assert job.start(snapshot) == 0

    assert job.left_out == [{"why": "changed", "count": 1, "first": [PART_1]}]


def test_what_was_written_again_with_the_same_bytes_is_read(job: Job) -> None:
    job.put(DATA.first)
    snapshot = job.snapshot()
    job.put(DATA.first)

    assert job.start(snapshot) == 0

    assert job.left_out == []


def test_an_append_blob_that_grows_does_not_stop_the_training(job: Job, hub: str) -> None:
    job.put(DATA.first)
    growing = hubs.client(hub).get_blob_client(job.container, "landing/log.csv")
    growing.create_append_blob()
    growing.append_block(HEADER)
    snapshot = job.snapshot()
    growing.append_block(DATA.first[PART_1].splitlines(keepends=True)[1])

    assert job.start(snapshot) == 0

    assert job.left_out == [{"why": "changed", "count": 1, "first": ["landing/log.csv"]}]


def test_when_every_file_changed_nobody_is_to_blame(job: Job) -> None:
    job.put({PART_1: DATA.first[PART_1]})
    snapshot = job.snapshot()
    job.put({PART_1: DATA.first[PART_2]})

    assert job.start(snapshot) == 1

    assert job.kind == "outside"
    assert PART_1 in job.failure


def test_a_hold_out_that_changed_is_no_fault_of_the_data(job: Job) -> None:
    job.put(DATA.first)
    snapshot = job.snapshot()
    job.put({HOLDOUT_BLOB: DATA.holdout + DATA.holdout.splitlines(keepends=True)[1]})

    assert job.start(snapshot) == 1

    assert job.kind == "outside"
    assert job.failure.startswith(f"{HOLDOUT_BLOB}: ")


def test_all_files_with_a_fault_are_named_at_once(job: Job, capfd: pytest.CaptureFixture[str]) -> None:
    bad = {f"landing/bad-{number}.csv": faulty(rows=number) for number in range(1, 8)}
    job.put(DATA.first | bad)

    assert job.start(job.snapshot()) == 1

    out, err = capfd.readouterr()
    assert job.kind == "data"
    assert job.failure.startswith("7 of 10 files ")
    assert "landing/bad-1.csv, line 3, column 'mean_radius': " in job.failure
    assert "(2 lines " in job.failure
    assert "2 more" in job.failure
    assert all(f"  {name}, line 3" in out for name in bad)
    assert CANARY not in out + err + job.failure


def test_faulty_files_are_left_out_when_the_pipeline_says_so(job: Job) -> None:
    job.put(DATA.first | {"landing/bad.csv": faulty(rows=2)})

    assert job.start(job.snapshot(), on_bad_file="leave_out") == 0

    assert job.left_out == [{"why": "faulty", "count": 1, "first": ["landing/bad.csv"]}]


@pytest.mark.parametrize(
    ("blobs", "expected"),
    [
        ({PART_1: faulty(rows=1)}, "every file has a fault: landing/part-1.csv"),
        (DATA.first | {HOLDOUT_BLOB: faulty(rows=1)}, f"{HOLDOUT_BLOB}, line 3, column 'mean_radius'"),
    ],
    ids=["nothing else", "the hold-out"],
)
def test_what_a_training_cannot_do_without_is_not_left_out(job: Job, blobs: dict[str, bytes], expected: str) -> None:
    job.put(blobs)

    assert job.start(job.snapshot(), on_bad_file="leave_out") == 1

    assert job.failure.startswith(expected)
    assert job.kind == "data"


@pytest.mark.parametrize(
    ("blobs", "expected"),
    [
        (
            {PART_1: with_labels(DATA.first[PART_1], 1)},
            "the rows to train on are of one class only (label 1)",
        ),
        (
            {PART_1: DATA.first[PART_1], HOLDOUT_BLOB: with_labels(DATA.holdout, 0)},
            f"{HOLDOUT_BLOB}: the hold-out has rows of one class only (label 0)",
        ),
    ],
    ids=["training", "hold-out"],
)
def test_classes_are_checked_before_anything_is_fitted(
    job: Job, blobs: dict[str, bytes], expected: str, capfd: pytest.CaptureFixture[str]
) -> None:
    job.put(blobs)

    assert job.start(job.snapshot()) == 1

    assert job.failure.startswith(expected)
    assert job.kind == "data"
    assert "fitted" not in capfd.readouterr().out


def test_a_class_without_a_row_is_named_unless_the_learner_can_do_without(job: Job) -> None:
    learner: Any = job.learner(CLASSES=(0, 1, 2))
    job.put(breast_cancer_story().first)
    snapshot = job.snapshot()

    assert job.start(snapshot, learner=learner) == 1
    assert "label 2" in job.failure
    assert job.start(snapshot, learner=job.learner(CLASSES=(0, 1, 2), NEEDED_CLASSES=(0, 1))) == 0
