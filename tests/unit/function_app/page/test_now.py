"""What the first screen says."""

from collections.abc import Iterator

import pytest

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
