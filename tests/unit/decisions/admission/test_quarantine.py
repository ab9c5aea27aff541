from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.decisions.admission.quarantine import failed_in_training, quarantine_for
from shared.messages import FailedAttempt, FailureKind, Outcome, Quarantine, RunRecord, Stage
from shared.values.wire import to_text
from tests.support.arrivals import a_run_record
from tests.support.builders import FINGERPRINT
from tests.support.memory_tables import LONGEST_TEXT
from tests.support.workflow import START


def _run(attempt: int, outcome: Outcome | None = Outcome.FAILED, stage: Stage = Stage.TRAINING) -> RunRecord:
    return a_run_record(
        run_id=f"breast-cancer-abababababab-{attempt}",
        attempt=attempt,
        outcome=outcome,
        stage=stage,
        job_failed=outcome is Outcome.FAILED and stage is Stage.TRAINING,
        reason=f"reason {attempt}",
        ended_at=START + timedelta(minutes=attempt),
    )


def _released(attempt: int) -> Quarantine:
    return Quarantine(
        pipeline="breast-cancer",
        fingerprint=FINGERPRINT,
        snapshot_digest="",
        since=START,
        failures=(),
        released_at=START,
        released_attempt=attempt,
    )


def test_the_evidence_names_every_failure_in_order() -> None:
    found = quarantine_for([_run(3), _run(1), _run(2)], most=3)
    assert found == Quarantine(
        pipeline="breast-cancer",
        fingerprint=FINGERPRINT,
        snapshot_digest="cd" * 32,
        since=START + timedelta(minutes=3),
        failures=tuple(
            FailedAttempt(
                run_id=f"breast-cancer-abababababab-{n}",
                reason=f"reason {n}",
                ended_at=START + timedelta(minutes=n),
                attempt=n,
            )
            for n in (1, 2, 3)
        ),
    )
    assert found.active


def test_too_few_are_none() -> None:
    assert quarantine_for([_run(1), _run(2)], most=3) is None
    assert quarantine_for([], most=1) is None


def test_more_failures_do_not_move_the_date() -> None:
    found = quarantine_for([_run(1), _run(2)], most=1)
    assert found is not None
    assert found.since == START + timedelta(minutes=1)


@pytest.mark.parametrize(
    "run",
    [
        _run(1, Outcome.CANCELLED),
        _run(1, Outcome.PROMOTED, Stage.DONE),
        _run(1, None),
        _run(1, Outcome.FAILED, Stage.DELIVERING),
        _run(1, Outcome.FAILED, Stage.WAITING),
        _run(1, Outcome.ROLLED_BACK, Stage.ROLLING_OUT),
    ],
)
def test_only_a_failed_training_counts(run: RunRecord) -> None:
    assert not failed_in_training(run)
    assert quarantine_for([run], most=1) is None


def test_what_it_was_released_for_counts_no_more() -> None:
    attempts = [_run(n) for n in range(1, 6)]
    assert quarantine_for(attempts, most=3, released=_released(3)) is None
    found = quarantine_for(attempts, most=2, released=_released(3))
    assert found is not None
    assert ([failure.attempt for failure in found.failures], found.released_attempt) == ([4, 5], 3)
    assert found.active


def test_the_evidence_fits_a_row_however_long_the_reasons_are() -> None:
    attempts = [replace(_run(n), reason="\N{GRINNING FACE}" * 5000) for n in range(1, 22)]
    found = quarantine_for(attempts, most=20)
    assert len(to_text(found)) < LONGEST_TEXT


@given(
    st.lists(st.tuples(st.sampled_from([None, *Outcome]), st.sampled_from(list(Stage))), max_size=8),
    st.integers(1, 4),
    st.integers(0, 8),
)
def test_it_counts_what_it_says(history: list[tuple[Outcome | None, Stage]], most: int, released: int) -> None:
    attempts = [_run(n, outcome, stage) for n, (outcome, stage) in enumerate(history, start=1)]
    counted = [run.attempt for run in attempts if failed_in_training(run) and run.attempt > released]
    found = quarantine_for(attempts, most=most, released=_released(released))
    assert (found is not None) == (len(counted) >= most)
    if found is not None:
        assert [failure.attempt for failure in found.failures] == counted


@pytest.mark.parametrize("kind", list(FailureKind))
def test_only_data_and_code_count(kind: FailureKind) -> None:
    run = replace(_run(1), failure_kind=kind, job_failed=True)

    assert failed_in_training(run) is (kind in {FailureKind.DATA, FailureKind.CODE})


def test_a_record_from_before_the_kind_counts_as_it_did() -> None:
    assert failed_in_training(_run(1))
    assert not failed_in_training(replace(_run(1), job_failed=False))
