"""Data of which something was left out: every answer says so, and what was not seen is not taken for trained."""

import pytest

from shared.decisions.snapshots.omissions import described
from shared.messages import LeftOut, Outcome, Verdict
from tests.support.arrivals import a_pipeline
from tests.support.builders import a_snapshot
from tests.unit.activities.admission_world import World

GROWING = LeftOut(why="still_written", count=1, first=("landing/log.csv",))
SAID = described((GROWING,))


def test_every_answer_names_what_the_listing_passed_over() -> None:
    world = World(snapshot=a_snapshot(listing="listing-1", left_out=(GROWING,)))

    preview, first = world.preview(), world.admit()
    assert preview.reason.endswith(SAID)
    assert first.reason.endswith(SAID)
    assert first.run is not None
    assert first.run.snapshot.left_out == (GROWING,)

    world.end(first.run, Outcome.PROMOTED)
    again = world.admit(requested_by="somebody else")

    assert (again.start, again.verdict) == (False, Verdict.UNCHANGED)
    assert again.reason.count(SAID) == 1


@pytest.mark.parametrize(("why", "again"), [("changed", True), ("faulty", False), ("metric", False)])
def test_only_what_changed_before_it_was_read_is_trained_again_by_itself(why: str, again: bool) -> None:
    world = World()
    run = world.start()
    world.end(run, Outcome.PROMOTED, left_out=(LeftOut(why=why, count=1, first=("landing/a.csv",)),))

    admission = world.admit(requested_by="somebody else")

    assert admission.start is again
    assert ("(landing/a.csv)" in admission.reason) is (why == "faulty")


def test_data_that_failed_for_a_fault_are_tried_without_the_file_when_the_pipeline_says_so() -> None:
    world = World()
    strict = world.start()
    world.end(strict, Outcome.FAILED)
    world.pipeline = a_pipeline(parameters={"depth": 3, "rate": 0.5}, on_bad_file="leave_out")

    lenient = world.admit(requested_by="somebody else").run

    assert lenient is not None
    assert (lenient.attempt, lenient.plan.leave_out_faulty, strict.plan.leave_out_faulty) == (1, True, False)
    assert lenient.fingerprint != strict.fingerprint
