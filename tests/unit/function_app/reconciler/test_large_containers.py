"""What a quick look sees of a container that has many pages."""

import pytest

from function_app.reconciler.data_changes import LOOK, quick_scan
from shared.decisions.reconciliation.change_detection import FULL_LISTING_EVERY
from tests.support.reconciler import PIPELINE, WatchedWorld
from tests.support.workflow import START
from tests.unit.function_app.reconciler.paged_hub import CYCLE, PagedHub, decides, open_windows, scan


def test_a_change_in_the_middle_of_a_large_container_is_seen_within_the_hour(
    world: WatchedWorld, hub: PagedHub
) -> None:
    hub.page_size = 3
    hub.lands(*(f"{number:02}.csv" for number in range(0, 60, 2)))
    scan(world)
    decides(world, hub)
    hub.lands("31.csv", at=START + CYCLE)

    for _ in range(int(FULL_LISTING_EVERY / CYCLE) + 1):
        scan(world)

    assert len(open_windows(world)) == 1


@pytest.mark.parametrize("name", ["00-before.csv", "zz-after.csv"])
def test_the_first_and_the_last_page_are_seen_at_once(world: WatchedWorld, hub: PagedHub, name: str) -> None:
    hub.page_size = 3
    hub.lands(*(f"{number:02}.csv" for number in range(40)))
    scan(world)
    decides(world, hub)
    scan(world)
    assert hub.asked == ["holdout", "page", "page"]  # the second asks for the last page where it was
    hub.lands(name)

    scan(world)

    assert len(open_windows(world)) == 1


def test_a_large_container_that_grows_by_pages_is_followed(world: WatchedWorld, hub: PagedHub) -> None:
    hub.page_size = 3
    pipeline = world.services.pipelines.get(PIPELINE)
    hub.lands(*(f"{number:02}.csv" for number in range(10)))
    scan(world)
    hub.lands(*(f"{number:02}.csv" for number in range(10, 20)))
    scan(world)

    before = world.ledger.listings.last_scan(PIPELINE)
    assert before is not None
    assert before.last_marker == "after 17.csv"
    assert hub.page(pipeline, before.last_marker).next_marker is None


def test_a_marker_that_the_service_takes_no_more_is_found_anew(world: WatchedWorld, hub: PagedHub) -> None:
    from shared.messages.listings import ScanState

    hub.page_size = 3
    hub.lands(*(f"{number:02}.csv" for number in range(10)))
    stale = ScanState(swept_at=START, last_marker="from another version of the service")

    found = quick_scan(hub, world.services.pipelines.get(PIPELINE), stale)

    assert found.last_marker == "after 08.csv"


def test_the_last_page_is_found_anew_when_the_container_has_shrunk(world: WatchedWorld, hub: PagedHub) -> None:
    hub.page_size = 3
    hub.lands(*(f"{number:02}.csv" for number in range(10)))
    scan(world)
    for number in range(5, 10):
        del hub.blobs[f"{number:02}.csv"]
    scan(world)

    shrunken = world.ledger.listings.last_scan(PIPELINE)

    assert shrunken is not None
    assert shrunken.last_marker == "after 02.csv"
    hub.asked.clear()
    scan(world)
    assert hub.asked == ["holdout", "page", "page"]


def test_a_look_at_a_large_container_lists_a_little_at_each_end(world: WatchedWorld, hub: PagedHub) -> None:
    hub.page_size = 5_000
    hub.lands(*(f"{number:05}.csv" for number in range(12_400)))
    scan(world)
    decides(world, hub)
    hub.listed = 0

    scan(world)

    assert hub.asked == ["holdout", "page", "page"]
    assert 0 < hub.listed <= 2 * LOOK
    assert open_windows(world) == []
    hub.lands("12400.csv", at=START + CYCLE)
    scan(world)
    assert len(open_windows(world)) == 1


def test_what_one_page_holds_is_looked_at_whole(world: WatchedWorld, hub: PagedHub) -> None:
    hub.page_size = 5_000
    hub.lands(*(f"{number:05}.csv" for number in range(0, 4_800, 2)))
    scan(world)
    decides(world, hub)
    hub.lands("02401.csv", at=START + CYCLE)

    scan(world)

    assert hub.asked[:2] == ["holdout", "page"]
    assert len(open_windows(world)) == 1
