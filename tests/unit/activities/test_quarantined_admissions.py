"""What failed too often is not admitted, until something changes or a person says so."""

from typing import Any

from shared.messages import Outcome, RunRequest, Verdict
from tests.support.jobs import a_job_tree
from tests.support.workflow import START
from tests.unit.activities.admission_world import NAME, World


def _fail(world: World, times: int, **changes: Any) -> list[RunRequest]:
    runs = []
    for number in range(times):
        run = world.start(f"try-{len(world.sinces)}-{number}", **changes)
        world.end(run, Outcome.FAILED, reason=f"landing/part-{number}.csv, line 2: not a number")
        runs.append(run)
    return runs


def test_the_third_failed_training_is_the_last_and_says_so() -> None:
    world = World()
    failed = _fail(world, 3)

    refused = world.admit("window-9")

    assert (refused.start, refused.verdict, refused.run_id) == (False, Verdict.QUARANTINED, failed[-1].run_id)
    assert all(run.run_id in refused.reason for run in failed)
    assert "landing/part-2.csv, line 2: not a number" in refused.reason
    assert "or release them" in refused.reason
    assert world.decided() == "listing-1"


def test_force_does_not_get_around_a_quarantine() -> None:
    world = World()
    _fail(world, 3)
    assert world.admit("person", force=True).verdict is Verdict.QUARANTINED


def test_other_data_or_code_lift_it_and_the_same_again_does_not() -> None:
    world = World()
    _fail(world, 3)
    world.job = a_job_tree(files={"train.py": b"repaired"})
    repaired = world.start("window-4")
    world.job = a_job_tree()
    assert world.admit("window-5").verdict is Verdict.QUARANTINED
    assert repaired.attempt == 1


def test_a_release_gives_it_as_many_attempts_again() -> None:
    world = World()
    first = _fail(world, 3)[0]
    world.ledger.quarantines.lift(NAME, first.fingerprint, START, by="ada")

    assert [run.attempt for run in _fail(world, 3)] == [4, 5, 6]
    refused = world.admit("window-9")
    assert refused.verdict is Verdict.QUARANTINED
    assert f"{NAME}-{first.fingerprint[:12]}-3" not in refused.reason


def test_a_release_during_an_admission_is_not_forgotten() -> None:
    """The admission found the quarantine active, and marks the listing only after the lift had cleared it."""
    world = World()
    first = _fail(world, 3)[0]
    claims = world.tables.table("claims")

    def released(operation: str) -> None:
        if operation == "put":
            claims.before = lambda _: None
            world.ledger.quarantines.lift(NAME, first.fingerprint, START, by="ada")
            world.ledger.listings.clear_decision(NAME)

    claims.before = released
    assert world.admit("window-9").verdict is Verdict.QUARANTINED

    assert world.decided() is None
    assert world.admit("window-10").start


def test_what_was_trained_is_unchanged_rather_than_quarantined() -> None:
    world = World()
    first = world.start()
    world.end(first, Outcome.PROMOTED)
    _fail(world, 3, force=True)
    assert world.admit("window-9").verdict is Verdict.UNCHANGED
    assert world.admit("person", force=True).verdict is Verdict.QUARANTINED
