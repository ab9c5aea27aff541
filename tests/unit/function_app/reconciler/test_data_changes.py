"""Data that no event told of."""

import asyncio
import logging
from typing import Any

import pytest

from function_app.reconciler.orphaned_windows import recover_windows
from function_app.reconciler.troubles import record_troubles
from shared.decisions.reconciliation.change_detection import FULL_LISTING_EVERY
from shared.errors import Code, PermanentError, TransientError
from shared.messages import ObservedChange
from shared.messages.listings import Listing
from shared.pipelines import Pipeline
from tests.support.reconciler import PIPELINE, WatchedWorld
from tests.support.workflow import START
from tests.unit.function_app.reconciler.paged_hub import CYCLE, PagedHub, decides, open_windows, scan, sighted


def test_data_that_no_event_reported_open_a_window_and_start_it(world: WatchedWorld, hub: PagedHub) -> None:
    hub.lands("a.csv", "b.csv")

    context = scan(world)

    [window] = open_windows(world)
    assert world.started(window.window_id) == "settle_arrivals"
    assert sighted(world) == ObservedChange(files=2, size=20)
    assert world.ledger.arrivals.unfinished_windows()[0].started
    assert context.done == {"windows opened": 1}


def test_an_empty_or_missing_container_is_no_failure_and_opens_nothing(world: WatchedWorld, hub: PagedHub) -> None:
    for _ in range(3):
        context = scan(world)
        assert (context.failed, context.done) == (0, {})

    hub.lands("a.csv")
    scan(world)

    assert len(open_windows(world)) == 1


def test_a_container_that_is_not_there_is_no_failure(world: WatchedWorld, hub: PagedHub) -> None:
    hub.trouble = PermanentError("site factory has no container c; create it", code=Code.NO_DATA)

    assert scan(world).failed == 0


def test_what_was_decided_on_costs_two_requests_and_two_rows_a_pass(world: WatchedWorld, hub: PagedHub) -> None:
    hub.lands("a.csv")
    scan(world)
    decides(world, hub)
    tables = world.ledger._tables.tables["claims"]  # type: ignore[attr-defined]
    before = tables.requests

    for _ in range(20):
        scan(world)

    assert hub.asked == ["holdout", "page"] * 20
    assert tables.requests - before == 40
    assert world.client.started == [world.client.started[0]]


def test_everything_is_listed_at_least_every_hour(world: WatchedWorld, hub: PagedHub) -> None:
    hub.lands("a.csv")
    scan(world)
    decides(world, hub)

    for _ in range(61):
        scan(world)

    assert hub.asked.count("listing") == 2


def test_only_what_came_since_counts(world: WatchedWorld, hub: PagedHub) -> None:
    hub.lands("a.csv", "b.csv")
    decides(world, hub)
    hub.lands("c.csv", at=START + CYCLE)

    scan(world)

    assert sighted(world) == ObservedChange(files=1, size=10)


def test_data_that_goes_on_coming_keeps_the_open_window_open(world: WatchedWorld, hub: PagedHub) -> None:
    settle = world.services.pipelines.get(PIPELINE).settle
    hub.lands("a.csv")
    scan(world)
    [window] = open_windows(world)
    seen_first = world.ledger.arrivals.window_state(window, settle=settle).last_arrival_at
    hub.lands("b.csv")

    scan(world)

    state = world.ledger.arrivals.window_state(window, settle=settle)
    assert open_windows(world) == [window]
    assert (state.arrivals, state.last_arrival_at) == (2, seen_first + CYCLE)
    assert world.client.started == [window.window_id]


def test_a_window_that_events_opened_is_notified_and_not_started_again(world: WatchedWorld, hub: PagedHub) -> None:
    _, window = world.arrives()
    hub.lands("a.csv", "b.csv", "c.csv")

    context = scan(world)

    assert open_windows(world) == [window]
    assert sighted(world) == ObservedChange(files=3, size=30)
    assert (world.client.started, context.done) == ([], {})


def test_while_an_admission_decides_nothing_is_scanned(world: WatchedWorld, hub: PagedHub) -> None:
    _, window = world.arrives()
    world.ledger.arrivals.close_window(window)
    world.has_instance(window.window_id, None)
    hub.lands("a.csv")
    _, unfinished = world.cycle(recover_windows)

    scan(world, *unfinished)

    assert hub.asked == []


def test_what_an_admission_decided_on_during_the_sweep_opens_nothing(world: WatchedWorld, hub: PagedHub) -> None:
    hub.lands("a.csv")
    listing = hub.listing

    def while_admitting(pipeline: Pipeline, **options: Any) -> Listing:
        found = listing(pipeline, **options)
        world.ledger.listings.mark_decided(pipeline.name, found.digest, found.newest)
        return found

    hub.listing = while_admitting  # type: ignore[method-assign]

    scan(world)

    assert open_windows(world) == []


def test_what_no_admission_can_decide_on_is_notified_once_an_hour(world: WatchedWorld, hub: PagedHub) -> None:
    hub.lands("a.csv")
    for _ in range(30):
        scan(world)
        for window in open_windows(world):  # judged, but nothing decided: the pipeline's code is missing, say
            world.ledger.arrivals.close_window(window)
            world.ledger.arrivals._windows.finished(window.window_id)
    assert len(world.client.started) == 1

    scan(world)

    assert len(world.client.started) == 2


def test_after_a_quarantine_is_lifted_the_data_are_listed_at_once(world: WatchedWorld, hub: PagedHub) -> None:
    hub.lands("a.csv")
    scan(world)
    decides(world, hub)
    world.ledger.listings.clear_decision(PIPELINE)

    scan(world)

    assert len(open_windows(world)) == 1


def test_a_replaced_holdout_is_seen_at_once_and_asks_for_an_admission(world: WatchedWorld, hub: PagedHub) -> None:
    hub.lands("a.csv")
    scan(world)
    decides(world, hub)
    scan(world)
    assert open_windows(world) == []
    hub.holdout_content = "md5 2 of 9"

    scan(world)

    assert len(open_windows(world)) == 1
    assert sighted(world) == ObservedChange(files=0, size=0)


class TestDoneMarker:
    @pytest.fixture
    def marked(self, world: WatchedWorld, hub: PagedHub) -> WatchedWorld:
        world.has_pipeline(PIPELINE, settle={"done_marker": "_SUCCESS", "quiet_seconds": 5})
        return world

    def test_its_etag_and_the_holdout_are_all_that_a_quiet_pass_asks_for(
        self, marked: WatchedWorld, hub: PagedHub
    ) -> None:
        hub.lands("a.csv")
        hub.marker_etag = "0x1"
        scan(marked)
        decides(marked, hub)

        scan(marked)

        assert hub.asked == ["holdout", "done_marker"]

    def test_a_replaced_holdout_is_seen_without_a_new_marker(self, marked: WatchedWorld, hub: PagedHub) -> None:
        hub.lands("a.csv")
        hub.marker_etag = "0x1"
        scan(marked)
        decides(marked, hub)
        hub.holdout_content = "md5 2 of 9"

        scan(marked)

        assert len(open_windows(marked)) == 1

    def test_a_new_one_is_notified(self, marked: WatchedWorld, hub: PagedHub) -> None:
        hub.lands("a.csv")
        hub.marker_etag = "0x1"
        scan(marked)
        assert sighted(marked) == ObservedChange(files=1, size=10, marked=True)
        decides(marked, hub)
        hub.lands("b.csv", at=START + CYCLE)
        scan(marked)
        assert open_windows(marked) == []
        hub.marker_etag = "0x2"

        scan(marked)

        assert sighted(marked) == ObservedChange(files=1, size=10, marked=True)

    def test_an_old_one_marks_nothing(self, marked: WatchedWorld, hub: PagedHub) -> None:
        hub.lands("a.csv")
        hub.marker_etag = "0x1"
        scan(marked)
        decides(marked, hub)
        hub.lands("b.csv", at=START + CYCLE)
        marked.now += FULL_LISTING_EVERY

        scan(marked)

        assert sighted(marked) == ObservedChange(files=1, size=10, marked=False)


def test_one_hub_that_fails_does_not_keep_the_others(
    world: WatchedWorld, hub: PagedHub, caplog: pytest.LogCaptureFixture
) -> None:
    class Hubs:
        def hub(self, site: str) -> PagedHub:
            return down if site == "far" else hub

    down = PagedHub()
    down.trouble = TransientError("the blob storage of site far did not answer")
    world.services.__dict__["hubs"] = Hubs()
    place = {"container": "c", "holdout": "h.csv", "format": "files"}
    world.has_pipeline("a-far-one", data=place | {"site": "far"})
    hub.lands("a.csv")

    context = scan(world)
    with caplog.at_level(logging.WARNING):
        asyncio.run(record_troubles(context))

    assert [window.pipeline for window in open_windows(world)] == [PIPELINE]
    assert context.failed == 1
    assert "pipeline a-far-one: the blob storage of site far did not answer" in caplog.text
    assert world.ledger.troubles.of(PIPELINE) == ()


def test_who_dies_after_opening_leaves_a_window_that_the_next_pass_starts(world: WatchedWorld, hub: PagedHub) -> None:
    hub.lands("a.csv")

    async def killed(name: str, instance_id: str, given: Any) -> str:
        raise ConnectionError("killed")

    start, world.client.start_new = world.client.start_new, killed  # type: ignore[method-assign]
    assert scan(world).failed == 1
    world.client.start_new = start  # type: ignore[method-assign]

    world.cycle(recover_windows)

    [window] = open_windows(world)
    assert world.client.started == [window.window_id]


def test_many_pipelines_are_scanned_side_by_side(world: WatchedWorld, hub: PagedHub) -> None:
    for number in range(9):
        world.has_pipeline(f"p{number}")
    hub.lands("a.csv")

    scan(world)

    assert len(open_windows(world)) == 10
