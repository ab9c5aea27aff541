from dataclasses import replace
from typing import Any

import pytest

from shared.decisions.admission.run_plan import plan_of
from shared.decisions.snapshots.incremental_selection import LastTraining
from shared.errors import Code, PermanentError
from shared.messages import FEWER_STEPS_SCHEMA, Admission, Cause, Outcome, RunRequest, Stage, Verdict
from tests.support.arrivals import a_pipeline
from tests.support.builders import a_snapshot
from tests.support.jobs import a_job_tree
from tests.support.ledger_arrivals import open_runs
from tests.support.workflow import START
from tests.unit.activities.admission_world import NAME, World


class CrashError(Exception):
    """The process dies here."""


def test_new_data_is_granted_a_run_that_carries_everything_it_needs() -> None:
    world = World()
    admission = world.admit(window_id="window-1", note="why not")
    run = admission.run
    assert run is not None

    assert run.run_id == f"breast-cancer-{run.fingerprint[:12]}-1"
    assert (run.snapshot, run.plan, run.parameters) == (
        world.snapshot,
        plan_of(world.pipeline, world.job.frozen),
        {"depth": 3, "rate": 0.5},
    )
    assert (run.cause, run.requested_by, run.window_id) == (Cause.NEW_DATA, "window-1", "window-1")
    assert (run.forced, run.note, run.schema) == (False, "why not", FEWER_STEPS_SCHEMA)
    assert (admission.verdict, admission.reason) == (Verdict.TRAINED, f"run {run.run_id} trains on 3 files")


def test_a_repeat_gets_the_same_grant_though_new_data_landed_in_between() -> None:
    world = World()
    first = world.admit()
    world.snapshot = a_snapshot(digest="ef" * 32, listing="listing-2")

    assert world.admit() == first
    assert world.decided() == "listing-1"  # so that the reconciler sees what has landed since


def test_a_repeat_after_the_run_has_ended_starts_nothing() -> None:
    world = World()
    run = world.start()
    world.end(run, Outcome.PROMOTED)

    again = world.admit()

    assert (again.start, again.run_id) == (False, run.run_id)
    assert f"run {run.run_id} " in again.reason
    assert "(promoted)" in again.reason
    assert again.reason.endswith(f"3 files, snapshot {'cd' * 6}")


@pytest.mark.parametrize("outcome", [Outcome.PROMOTED, Outcome.NOT_PROMOTED])
def test_the_same_data_again_is_unchanged(outcome: Outcome) -> None:
    world = World()
    run = world.start()
    world.end(run, outcome)

    other = world.admit("window-2")

    assert (other.start, other.run_id, other.verdict) == (False, run.run_id, Verdict.UNCHANGED)
    assert other.reason.startswith(f"nothing changed: run {run.run_id} already trained exactly this data")


def test_the_same_data_while_it_is_trained_names_that_run() -> None:
    world = World()
    run = world.start()

    other = world.admit("window-2")

    assert (other.start, other.run_id, other.verdict) == (False, run.run_id, Verdict.TRAINED)


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.CANCELLED, Outcome.ROLLED_BACK])
def test_what_failed_may_be_tried_again_as_another_attempt(outcome: Outcome) -> None:
    world = World()
    first = world.start()
    world.end(first, outcome)

    admission = world.admit("window-2")

    assert admission.run is not None
    assert (admission.run.attempt, admission.run.fingerprint) == (2, first.fingerprint)
    assert f"{admission.run.run_id}, attempt 2" in admission.reason


def test_whoever_loses_the_race_for_the_claim_starts_nothing() -> None:
    world = World()
    winners: list[RunRequest] = []

    def rival(operation: str) -> None:
        if operation == "insert" and not winners:
            table.before = lambda _: None
            winners.append(world.start("window-0"))

    table = world.tables.table("runs")
    table.before = rival
    admission = world.admit()

    assert (admission.start, admission.run, admission.verdict) == (False, None, Verdict.TRAINED)
    assert admission.run_id == winners[0].run_id
    assert "is training exactly this data" in admission.reason
    assert world.decided() == "listing-1"


@pytest.mark.parametrize(
    "change",
    [
        {"snapshot": a_snapshot(digest="ef" * 32)},
        {"job": a_job_tree(files={"train.py": b"other"})},
        {"job": a_job_tree(pins="numpy==2.1")},
    ],
)
def test_a_change_of_data_code_or_libraries_is_another_fingerprint(change: dict[str, Any]) -> None:
    world = World()
    first = world.start()
    world.end(first, Outcome.PROMOTED)
    for name, value in change.items():
        setattr(world, name, value)

    assert world.start("window-2").fingerprint != first.fingerprint


def test_the_code_is_kept_before_the_claim_and_the_run_names_it() -> None:
    world = World()

    def dies(operation: str) -> None:
        if operation == "insert":
            raise CrashError

    table = world.tables.table("runs")
    table.before = dies
    with pytest.raises(CrashError):
        world.admit()
    kept = dict(world.frozen_jobs.packed)
    table.before = lambda _: None
    run = world.start()

    assert run.plan.job is not None
    assert list(kept) == [run.plan.job.tree]
    assert world.frozen_jobs.read(run.plan.job) == world.job


def test_what_starts_no_run_keeps_no_code() -> None:
    world = World()
    world.preview()
    assert world.frozen_jobs.packed == {}

    world.end(world.start(), Outcome.PROMOTED)
    world.frozen_jobs.packed.clear()
    assert world.admit("window-2").verdict is Verdict.UNCHANGED
    assert world.frozen_jobs.packed == {}


def test_an_override_is_part_of_the_fingerprint_and_of_the_run() -> None:
    world = World()
    first = world.start()
    second = world.start("person", parameters={"depth": 4})

    assert second.parameters == {"depth": 4, "rate": 0.5}
    assert second.fingerprint != first.fingerprint


def test_a_bad_override_is_refused_before_anything_is_listed() -> None:
    world = World()
    with pytest.raises(PermanentError, match="'deep' is not declared"):
        world.admit(parameters={"deep": 4})
    assert world.sinces == []


def test_no_data_rejects_the_arrivals_with_the_reason() -> None:
    world = World(trouble=PermanentError("site factory has no hold-out c/h.csv; upload it", code=Code.NO_DATA))
    assert world.admit() == Admission(
        start=False,
        run_id=None,
        verdict=Verdict.REJECTED,
        reason="site factory has no hold-out c/h.csv; upload it",
    )
    assert world.decided() is None


def test_other_trouble_is_the_activitys_own_reply() -> None:
    world = World(trouble=PermanentError("refused", code=Code.BAD_CONFIGURATION))
    with pytest.raises(PermanentError, match="refused"):
        world.admit()
    with pytest.raises(PermanentError, match="there is no pipeline"):
        world.admit(pipeline="nonsense")


# Force


@pytest.mark.parametrize("outcome", [Outcome.PROMOTED, Outcome.NOT_PROMOTED, Outcome.FAILED])
def test_force_makes_another_attempt_that_is_recorded_as_forced(outcome: Outcome) -> None:
    world = World()
    first = world.start()
    world.end(first, outcome, stage=Stage.DONE)

    second = world.start("person", force=True, note="the VM had a broken disk")

    assert (second.fingerprint, second.attempt, second.forced) == (first.fingerprint, 2, True)
    record = world.ledger.runs.run(second.run_id)
    assert record is not None
    assert (record.forced, record.note) == (True, "the VM had a broken disk")


def test_force_does_not_double_what_is_under_way() -> None:
    world = World()
    run = world.start()
    forced = world.admit("person", force=True)
    assert (forced.start, forced.run_id, forced.verdict) == (False, run.run_id, Verdict.TRAINED)


def test_a_forced_attempt_that_failed_leaves_the_fingerprint_trained() -> None:
    world = World()
    first = world.start()
    world.end(first, Outcome.PROMOTED)
    world.end(world.start("person", force=True), Outcome.FAILED)

    later = world.admit("window-2")

    assert (later.verdict, later.run_id) == (Verdict.UNCHANGED, first.run_id)


# Settling the listing


@pytest.mark.parametrize("outcome", [None, Outcome.PROMOTED, Outcome.FAILED])
def test_whatever_was_decided_settles_the_listing(outcome: Outcome | None) -> None:
    world = World()
    world.end(world.start(), outcome)
    world.ledger.listings.clear_decision(NAME)

    world.admit("window-2")

    decided = world.ledger.listings.last_decided(NAME)
    assert decided is not None
    assert (decided.listing, decided.newest) == ("listing-1", START)


def test_a_request_with_parameters_of_its_own_settles_nothing() -> None:
    world = World()
    world.start("person", parameters={"depth": 9})
    assert world.decided() is None
    world.admit("person", parameters={"depth": 9})
    assert world.decided() is None


@pytest.mark.parametrize("dies_at", range(1, 6))
def test_wherever_it_dies_a_repeat_comes_to_one_run_and_marks_the_listing(dies_at: int) -> None:
    world = World()
    tables = [world.tables.table(word) for word in ("runs", "claims")]
    operations = 0

    def dies(operation: str) -> None:
        nonlocal operations
        operations += 1
        if operations == dies_at:
            raise CrashError

    for table in tables:
        table.before = dies
    with pytest.raises(CrashError):
        world.admit()
    for table in tables:
        table.before = lambda _: None

    admission = world.admit()

    assert admission.start
    assert world.decided() == "listing-1"
    assert [run.run_id for run in open_runs(world.ledger.runs, NAME)] == [admission.run_id]


# Only what is new


def _new() -> World:
    return World(
        pipeline=a_pipeline(select="new"),
        snapshot=a_snapshot(listing="listing-1", taken_at=START, seen=f"{NAME}/x.seen.jsonl"),
    )


def test_new_is_asked_since_the_last_training_that_came_to_a_verdict() -> None:
    world = _new()
    first = world.start("window-1")
    world.end(first, Outcome.FAILED)
    second = world.start("window-2")
    world.end(second, Outcome.NOT_PROMOTED)
    world.snapshot = a_snapshot(digest="ef" * 32)
    world.start("window-3")
    assert world.sinces == [None, None, second.snapshot]


def test_all_is_asked_since_nothing() -> None:
    world = World()
    world.end(world.start(), Outcome.PROMOTED)
    world.admit("window-2")
    assert world.sinces == [None, None]


def test_nothing_new_is_unchanged_and_starts_no_run() -> None:
    world = _new()
    first = world.start()
    world.end(first, Outcome.PROMOTED)
    world.snapshot = a_snapshot(digest="00" * 32, blobs=0, size=0, listing="listing-2")

    unchanged = world.admit("window-2")

    assert (unchanged.start, unchanged.verdict, unchanged.run_id) == (False, Verdict.UNCHANGED, first.run_id)
    assert unchanged.reason.startswith(f"nothing changed: run {first.run_id}")
    assert unchanged.reason.endswith(f"3 files, snapshot {'cd' * 6}")
    assert world.decided() == "listing-2"
    preview = world.preview()
    assert (preview.would_start, preview.reason, preview.fingerprint) == (False, unchanged.reason, None)


def test_force_without_anything_new_trains_the_last_snapshot_again() -> None:
    world = _new()
    first = world.start()
    world.end(first, Outcome.PROMOTED)
    world.snapshot = a_snapshot(digest="00" * 32, blobs=0, size=0, listing="listing-2")

    again = world.start("person", force=True)

    assert (again.fingerprint, again.attempt) == (first.fingerprint, 2)
    assert again.snapshot == replace(first.snapshot, listing="listing-2", newest=None)


def test_the_last_trained_snapshot_is_kept_for_select_new() -> None:
    world = _new()
    run = world.start()
    world.end(run, Outcome.PROMOTED)
    trained = LastTraining(run_id=run.run_id, snapshot=run.snapshot, requested_at=START, ended_at=START)
    assert world.ledger.listings.trained(NAME) == trained
