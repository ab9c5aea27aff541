import logging
from datetime import timedelta

import pytest

from function_app.reconciler.orphaned_windows import recover_windows
from shared.messages import ArrivalWindow, Verdict, WindowVerdict
from shared.values.wire import from_wire
from tests.support.durable_client import RuntimeStatus
from tests.support.reconciler import PIPELINE, STATUSES, WatchedWorld
from tests.support.workflow import START

ALIVE = [
    RuntimeStatus.Pending,
    RuntimeStatus.Running,
    RuntimeStatus.Suspended,
    RuntimeStatus.ContinuedAsNew,
]


def test_a_window_nobody_started_is_started_and_noted_so(world: WatchedWorld) -> None:
    _, window = world.arrives()

    context, _ = world.cycle(recover_windows)

    assert world.started(window.window_id) == "settle_arrivals"
    assert from_wire(ArrivalWindow, world.client.instances[window.window_id].given) == window
    assert [found.started for found in world.ledger.arrivals.unfinished_windows()] == [True]
    assert context.done == {"windows resumed": 1}


@pytest.mark.parametrize("status", [status for status in STATUSES if status not in ALIVE])
def test_a_window_whose_settling_ended_is_settled_again(world: WatchedWorld, status: RuntimeStatus | None) -> None:
    _, window = world.arrives()
    if status:
        world.has_instance(window.window_id, status)

    world.cycle(recover_windows)

    assert world.started(window.window_id) == "settle_arrivals"


@pytest.mark.parametrize("status", ALIVE)
@pytest.mark.parametrize("closed", [False, True])
def test_a_window_whose_settling_lives_is_left_alone(world: WatchedWorld, status: RuntimeStatus, closed: bool) -> None:
    _, window = world.arrives()
    if closed:
        world.ledger.arrivals.close_window(window)
    world.has_instance(window.window_id, status)

    context, found = world.cycle(recover_windows)

    assert world.client.started == []
    assert context.done == {}
    assert [entry.window for entry in found] == [window]


def test_a_settling_that_lives_unnoted_is_noted(world: WatchedWorld) -> None:
    _, window = world.arrives()
    world.has_instance(window.window_id, RuntimeStatus.Running)

    world.cycle(recover_windows)

    assert [found.started for found in world.ledger.arrivals.unfinished_windows()] == [True]


def test_what_was_opened_just_now_is_left_to_its_opener(world: WatchedWorld) -> None:
    world.arrives()
    world.now = START + timedelta(seconds=20)

    world.cycle(recover_windows)

    assert world.client.started == []


def test_a_window_closed_without_a_verdict_is_settled_again_too(world: WatchedWorld) -> None:
    _, window = world.arrives()
    world.ledger.arrivals.close_window(window)
    world.has_instance(window.window_id, RuntimeStatus.Failed)

    world.cycle(recover_windows)

    assert world.started(window.window_id) == "settle_arrivals"


@pytest.mark.parametrize("closed", [False, True])
def test_a_window_whose_run_was_claimed_is_judged_and_nothing_is_started(world: WatchedWorld, closed: bool) -> None:
    arrival, window = world.arrives()
    if closed:
        world.ledger.arrivals.close_window(window)
    run = world.claims(requested_by=window.window_id)
    world.has_instance(window.window_id, RuntimeStatus.Terminated)

    context, _ = world.cycle(recover_windows)

    assert world.client.started == []
    assert context.done == {"windows decided": 1}
    [recorded] = world.ledger.arrivals.list_arrivals(PIPELINE).items
    assert (recorded.arrival, recorded.verdict, recorded.run_id) == (arrival, Verdict.TRAINED, run.run_id)
    assert world.ledger.arrivals.unfinished_windows() == []


def test_a_verdict_whose_window_was_not_put_away_stays_as_it_was(world: WatchedWorld) -> None:
    _, window = world.arrives()
    world.ledger.arrivals.close_window(window)
    verdict = WindowVerdict(
        window_id=window.window_id, pipeline=PIPELINE, verdict=Verdict.UNCHANGED, reason="as it was"
    )
    ledger = world.ledger.arrivals
    put_away, ledger._windows.finished = ledger._windows.finished, lambda window_id: None  # type: ignore[method-assign]
    ledger.record_verdict(verdict)
    ledger._windows.finished = put_away  # type: ignore[method-assign]
    world.has_instance(window.window_id, RuntimeStatus.Failed)

    world.cycle(recover_windows)

    assert ledger.verdict_on(PIPELINE, window.window_id) == verdict
    assert ledger.unfinished_windows() == []


@pytest.mark.parametrize(("text", "says"), [(None, "there is no pipeline"), ("name: 3", "breast-cancer.yaml")])
def test_the_arrivals_of_a_pipeline_that_is_gone_or_broken_are_rejected(
    world: WatchedWorld, text: str | None, says: str
) -> None:
    _, window = world.arrives()
    world.has_instance(window.window_id, RuntimeStatus.Failed)
    world.has_file(PIPELINE, text)

    world.cycle(recover_windows)

    [recorded] = world.ledger.arrivals.list_arrivals(PIPELINE).items
    assert recorded.verdict is Verdict.REJECTED
    assert says in recorded.reason
    assert world.ledger.arrivals.unfinished_windows() == []


def test_one_window_that_cannot_be_recovered_does_not_keep_the_others(
    world: WatchedWorld, caplog: pytest.LogCaptureFixture
) -> None:
    world.has_pipeline("other")
    _, bad = world.arrives()
    _, good = world.arrives("other")
    world.has_instance(bad.window_id, None, message="the host is restarting")

    with caplog.at_level(logging.WARNING):
        context, _ = world.cycle(recover_windows)

    assert world.client.started == [good.window_id]
    assert context.failed == 1
    assert "the host is restarting" in caplog.text
    assert "the next cycle tries again" in caplog.text
