"""A pipeline and its data: what it watches, what came, what is held back, its runs; also when its file is gone."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from benchmarks.run_bill import bill_of
from shared.messages import Backfill, FailedAttempt, Quarantine, Watch
from shared.pipelines import Pipelines
from tests.simulation.world import World
from tests.support.arrivals import an_arrival
from tests.support.ledger_arrivals import join
from tests.support.page_world import get, html_of, page_world

PIPELINES: dict[str, dict[str, Any]] = {
    "breast-cancer": {},
    "quiet": {
        "retrain_every": "0 3 * * 1",
        "data": {"select": {"latest": 5}, "on_bad_file": "leave_out"},
        "settle": {"done_marker": "_SUCCESS", "least_files": 3, "least_bytes": 2048},
    },
    "late": {"expect": {"every": "day"}},
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A run that has ended, sixty files that have just come, and data that are held back; one at rest."""
    with page_world(tmp_path_factory.mktemp("shop"), PIPELINES) as world:
        world.deliver([world.upload("breast-cancer", "landing/part-1.csv")])
        for _ in range(20):
            world.advance(timedelta(minutes=1))
        world.deliver([world.upload("breast-cancer", f"landing/<i>{number:02d}.csv") for number in range(60)])
        held = Quarantine(
            pipeline="breast-cancer",
            fingerprint="ab" * 32,
            snapshot_digest="cd" * 32,
            since=world.clock.now(),
            failures=(FailedAttempt(run_id="breast-cancer-abababababab-1", reason="<b>disk</b> full", attempt=1),),
        )
        world.ledger.quarantines.put(held)
        long_ago = datetime.now(UTC) - timedelta(days=10)
        world.ledger.expectations.keep("late", Watch(since=long_ago, next_at=long_ago, backfill=Backfill(done=True)))
        came = datetime.now(UTC) - timedelta(days=5)
        join(world.ledger.arrivals, "late", an_arrival(container="late", occurred_at=came, received_at=came))
        yield world


def test_it_says_what_is_in_use_what_comes_in_what_is_held_back_and_what_ran(shop: World) -> None:
    said = html_of(get(shop, "/ui/pipelines/breast-cancer"))
    (run,) = shop.ledger.runs.list_runs(["breast-cancer"]).items

    assert "/ui/models/breast-cancer" in said
    assert "◔</span> 60 files" in said
    assert "✕</span> failed 1 time" in said
    assert "&lt;b&gt;disk&lt;/b&gt; full" in said
    assert said.count(f'href="/ui/runs/{run.run_id}"') >= 2
    assert "<i>" not in said


def test_arrivals_are_paged_and_each_leads_to_why(shop: World) -> None:
    address, seen = "/ui/pipelines/breast-cancer", list[int]()
    while address:
        said = html_of(get(shop, address))
        seen.append(said.count('href="/ui/why?pipeline=breast-cancer&amp;blob='))
        _, _, more = said.partition('rel="next" href="')
        address = more.partition("#")[0].replace("&amp;", "&")

    assert seen == [25, 25, 11]


def test_what_it_watches_is_said_in_words(shop: World) -> None:
    said = html_of(get(shop, "/ui/pipelines/quiet"))

    assert "the newest 5 files" in said
    assert "a file with a fault is left out" in said
    assert '<bdi class="plain">_SUCCESS</bdi>' in said
    assert "not before 3 files have come" in said
    assert "not before 2 kB have come" in said
    assert "Nothing is coming in now" in said


def test_what_came_is_drawn_day_by_day_and_what_did_not(shop: World) -> None:
    late = html_of(get(shop, "/ui/pipelines/late"))

    assert 'id="c-calendar-title"' in late
    missed, due = (late.count(f"<td>0 {sign}</td>") for sign in "✕○")
    assert (missed, due) in {(8, 1), (7, 2)}, "yesterday's file may come until one o'clock"
    assert late.count("<td>1</td>") == 1
    assert "c-calendar" not in html_of(get(shop, "/ui/pipelines/quiet")), "nothing has come and nothing is expected"


def test_what_is_expected_is_said_and_since_when_it_is_overdue(shop: World) -> None:
    late = html_of(get(shop, "/ui/pipelines/late"))
    dutch = html_of(get(shop, "/ui/pipelines/late", **{"Accept-Language": "nl"}))

    assert "1 file is expected by" in late
    assert "None has come yet." in late
    assert "✕</span> overdue" in late
    assert "overdue" not in dutch
    assert "✕</span> te laat" in dutch
    assert "Which files to expect is not known yet" in html_of(get(shop, "/ui/pipelines/quiet"))


def test_an_unknown_pipeline_is_not_found(shop: World) -> None:
    html_of(get(shop, "/ui/pipelines/unknown"), 404)
    html_of(get(shop, "/ui/pipelines/Not%20a%20name"), 404)


def test_a_token_that_is_none_is_refused(shop: World) -> None:
    html_of(get(shop, "/ui/pipelines/breast-cancer?continuation=none"), 400)


def test_what_it_costs_does_not_grow_with_what_has_come(shop: World) -> None:
    before = bill_of(shop).tables
    html_of(get(shop, "/ui/pipelines/breast-cancer"))
    few = bill_of(shop).tables - before
    shop.deliver([shop.upload("breast-cancer", f"landing/more-{number}.csv") for number in range(200)])

    before = bill_of(shop).tables
    html_of(get(shop, "/ui/pipelines/breast-cancer"))

    assert bill_of(shop).tables - before == few <= 23


def test_broken_and_removed_pipelines_keep_their_history(tmp_path: Path) -> None:
    with page_world(tmp_path, {"breast-cancer": {}, "broken": {}}) as world:
        world.deliver([world.upload("breast-cancer", "landing/part-1.csv")])
        world.deliver([world.upload("broken", "landing/part-2.csv")])
        (world.folder / "breast-cancer.yaml").unlink()
        (world.folder / "broken.yaml").write_text("name: [", encoding="utf-8")
        world.services.__dict__["pipelines"] = Pipelines(world.folder)

        removed = html_of(get(world, "/ui/pipelines/breast-cancer"))
        broken = html_of(get(world, "/ui/pipelines/broken"))
        why = html_of(get(world, "/ui/why?pipeline=broken&blob=landing/part-2.csv"))

    assert "was removed" in removed
    assert "landing/part-1.csv" in removed
    assert "landing/part-2.csv" in broken
    assert "broken.yaml" in broken
    assert "landing/part-2.csv was reported at" in why


def test_it_leads_to_what_can_be_done_about_a_pipeline(shop: World) -> None:
    html = html_of(get(shop, "/ui/pipelines/breast-cancer"))

    assert all(f"/ui/actions/{name}?name=breast-cancer" in html for name in ("start", "release", "retire"))
    assert "/ui/actions/reinstate" not in html
