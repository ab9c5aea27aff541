"""Events that concern no pipeline."""

from collections.abc import Iterator

import pytest

from benchmarks.run_bill import bill_of
from shared.messages import RejectedEvent
from tests.simulation.world import World
from tests.support.page_world import get, html_of, page_world


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Sixty files that nobody waits for, and an event that could not be read."""
    with page_world(tmp_path_factory.mktemp("shop"), {"breast-cancer": {}}) as world:
        world.deliver([world.upload("nowhere", f"landing/<i>{number:02d}.csv") for number in range(60)])
        odd = RejectedEvent(
            event_id="odd", reason="it has no subject", received_at=world.clock.now(), text='{"a": "<b>\u202e"}'
        )
        world.ledger.arrivals.record_rejected(odd)
        yield world


def test_files_that_nobody_waits_for_are_paged_by_one_request_each(shop: World) -> None:
    before, address, seen = bill_of(shop).tables, "/ui/strays", list[int]()
    while address:
        said = html_of(get(shop, address))
        seen.append(said.count("&lt;i&gt;"))
        _, _, more = said.partition('rel="next" href="')
        address = more.partition('"')[0].replace("&amp;", "&")

    assert seen == [25, 25, 10]
    assert bill_of(shop).tables - before == len(seen)


def test_what_could_not_be_read_is_shown_as_it_came_and_as_text(shop: World) -> None:
    said = html_of(get(shop, "/ui/strays?kind=rejected"))

    assert "it has no subject" in said
    assert "&lt;b&gt;⟨U+202E⟩" in said


@pytest.mark.parametrize("query", ["kind=other", "continuation=none", "kind=outside&continuation=" + "x" * 500])
def test_another_address_than_ours_is_refused(shop: World, query: str) -> None:
    html_of(get(shop, f"/ui/strays?{query}"), 400)
