"""What the first screen says."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from benchmarks.run_bill import bill_of
from function_app.page.screens.now import PIPELINES, REQUESTS, REQUESTS_OF_A_CARD
from shared.messages import Backfill, Trouble, TroubleKind, Watch
from tests.simulation.world import World
from tests.support.page_world import get, html_of, page_world, train


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One pipeline whose model serves, and one for which nothing has arrived."""
    with page_world(tmp_path_factory.mktemp("shop"), {"breast-cancer": {}, "quiet": {}}) as world:
        train(world, "breast-cancer", "part-1.csv")
        yield world


def test_it_says_what_serves_where(shop: World) -> None:
    said = html_of(get(shop, "/ui"))
    (run,) = shop.ledger.runs.list_runs(["breast-cancer"]).items

    assert run.outcome == "promoted"
    assert said.count("<h2") == 2
    assert f"/ui/runs/{run.run_id}" in said
    assert "no model yet" in said


def watched(world: World, name: str) -> None:
    """For ten days, in which nothing came."""
    since = datetime.now(UTC) - timedelta(days=10)
    world.ledger.expectations.keep(name, Watch(since=since, next_at=since, backfill=Backfill(done=True)))


def test_what_should_have_come_is_said_once(tmp_path: Path) -> None:
    expect = {"expect": {"every": "day"}}
    with page_world(tmp_path, {"late": expect, "told": expect, "unwatched": {}}) as world:
        watched(world, "late")
        watched(world, "told")
        at = datetime.now(UTC)
        trouble = Trouble(kind=TroubleKind.OVERDUE, cause="nothing came", remedy="see", since=at)
        world.ledger.troubles.keep("told", (trouble,))
        said = html_of(get(world, "/ui"))

    told, late, unwatched = said.split("<section")[1:]
    assert "1 file is expected by" in late
    assert "✕</span> overdue" in late
    assert "✕</span> overdue" not in told, "the trouble says it"
    assert "nothing came" in told
    assert "Expected" not in unwatched


def test_nothing_is_asked_twice_however_many_pipelines_there_are(tmp_path: Path) -> None:
    names = [f"p{number:02d}" for number in range(PIPELINES + 5)]
    with page_world(tmp_path, {name: {"expect": {"every": "day"}} for name in names}) as world:
        for name in names:
            watched(world, name)
        before = bill_of(world).tables
        html_of(get(world, "/ui"))
        asked = bill_of(world).tables - before

    assert asked == REQUESTS + PIPELINES * REQUESTS_OF_A_CARD
