"""Code that was mended, of which no event tells."""

from dataclasses import replace

import pytest

from function_app.reconciler.code_changes import code_now
from shared.messages import AdmissionRequest, Cause, Outcome
from shared.values.wire import from_wire
from tests.support.arrivals import train_command
from tests.support.jobs import a_job_tree
from tests.support.reconciler import PIPELINE, WatchedWorld
from tests.unit.function_app.reconciler.paged_hub import PagedHub, decides, open_windows, scan

MENDED = a_job_tree(files={"train.py": b"mended"})


def decided(world: WatchedWorld, hub: PagedHub, outcome: Outcome | None) -> str:
    """A run was granted for what lies there, with today's code, and came to this outcome."""
    hub.lands("a.csv")
    scan(world)
    decides(world, hub)
    run = world.claims()
    record = world.ledger.runs.run(run.run_id)
    assert record is not None
    world.ledger.runs.record_run(replace(record, outcome=outcome))
    decided = world.ledger.listings.last_decided(PIPELINE)
    assert decided is not None
    code = code_now(world.services, world.services.pipelines.get(PIPELINE))
    world.ledger.listings.mark_decided(PIPELINE, decided.listing, decided.newest, code=code, run_id=run.run_id)
    scan(world)
    world.client.started.clear()
    return run.run_id


def asked(world: WatchedWorld) -> list[AdmissionRequest]:
    started = [each for each in world.client.started if each.startswith("code-")]
    assert {world.started(each) for each in started} <= {"request_run"}
    return [from_wire(AdmissionRequest, world.client.instances[each].given) for each in started]


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.ROLLED_BACK])
def test_what_failed_is_asked_for_again_once_its_code_is_mended(
    world: WatchedWorld, hub: PagedHub, outcome: Outcome
) -> None:
    run_id = decided(world, hub, outcome)
    scan(world)
    assert asked(world) == []

    world.services.deployed.tree = MENDED
    context = scan(world)
    for _ in range(5):
        scan(world)

    [request] = asked(world)
    assert (request.pipeline, request.cause, request.force) == (PIPELINE, Cause.CODE, False)
    assert request.note == f"the code, its libraries or parameters have changed since run {run_id}"
    assert context.done == {"runs requested for changed code": 1}
    assert open_windows(world) == []


@pytest.mark.parametrize(("retrain_on", "times"), [(["data"], 0), (["data", "code"], 1)])
def test_what_was_judged_is_asked_for_when_the_pipeline_says_so(
    world: WatchedWorld, hub: PagedHub, retrain_on: list[str], times: int
) -> None:
    world.has_pipeline(PIPELINE, retrain_on=retrain_on)
    decided(world, hub, Outcome.PROMOTED)

    world.services.deployed.tree = MENDED
    scan(world)

    assert len(asked(world)) == times


def test_a_changed_parameter_counts_as_code(world: WatchedWorld, hub: PagedHub) -> None:
    decided(world, hub, Outcome.FAILED)

    train = {"folder": "breast_cancer", "compute": "hub-vm", "command": train_command("depth")}
    world.has_pipeline(PIPELINE, train={**train, "parameters": {"depth": 9}})
    scan(world)

    assert len(asked(world)) == 1


def test_a_run_under_way_is_left_to_end_first(world: WatchedWorld, hub: PagedHub) -> None:
    run_id = decided(world, hub, None)
    world.services.deployed.tree = MENDED
    scan(world)
    assert asked(world) == []

    record = world.ledger.runs.run(run_id)
    assert record is not None
    world.ledger.runs.record_run(replace(record, outcome=Outcome.FAILED))
    scan(world)

    assert len(asked(world)) == 1


def test_while_nothing_changes_no_request_is_spent_on_it(world: WatchedWorld, hub: PagedHub) -> None:
    decided(world, hub, Outcome.FAILED)
    tables = world.ledger._tables.tables  # type: ignore[attr-defined]
    before, hub.asked = tables["claims"].requests, []
    runs = tables["runs"].requests

    for _ in range(10):
        scan(world)

    assert hub.asked == ["holdout", "page"] * 10
    assert (tables["claims"].requests - before, tables["runs"].requests - runs) == (20, 0)


def test_code_that_cannot_be_read_asks_for_nothing_and_stops_no_scan(world: WatchedWorld, hub: PagedHub) -> None:
    decided(world, hub, Outcome.FAILED)

    world.services.deployed.tree = None
    context = scan(world)
    assert (asked(world), context.failed) == ([], 0)

    hub.lands("b.csv")
    scan(world)
    assert len(open_windows(world)) == 1


def test_data_that_broken_code_could_not_decide_on_are_notified_as_soon_as_it_is_mended(
    world: WatchedWorld, hub: PagedHub
) -> None:
    hub.lands("a.csv")
    scan(world)
    [window] = open_windows(world)
    world.ledger.arrivals.close_window(window)  # rejected: nothing was decided on
    world.ledger.arrivals._windows.finished(window.window_id)
    scan(world)
    assert open_windows(world) == []

    world.services.deployed.tree = MENDED
    scan(world)

    assert len(open_windows(world)) == 1
