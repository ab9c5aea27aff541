"""What the screen of a run says, the list of runs, and two runs side by side."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from function_app.page.screens import runs
from shared.messages import RunRecord
from tests.simulation.world import World
from tests.support.page_world import get, html_of, page_world, train

MOST_REQUESTS = 12
CANARY = {"deliver": {"strategy": {"steps": [10, 50], "soak_seconds": 60, "least_requests": 20}}}
DUTCH = {"Accept-Language": "nl"}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A pipeline with two models that served, one where somebody must decide, one whose files have faults."""
    pipelines: dict[str, dict[str, Any]] = {
        "breast-cancer": CANARY,
        "asked": {"deliver": {"approval": {}}},
        "faulty": {},
    }
    with page_world(tmp_path_factory.mktemp("shop"), pipelines) as world:
        train(world, "breast-cancer", "part-1.csv", minutes=12)
        train(world, "breast-cancer", "part-2.csv", minutes=12)
        train(world, "asked", "part-1.csv", minutes=12)
        world.driver.spoiled = lambda _: True
        train(world, "faulty", "part-1.csv", minutes=12)
        world.driver.spoiled = lambda _: False
        world.deliver([world.upload("asked", "landing/part-2.csv")])
        world.advance(timedelta(seconds=10))
        world.advance(timedelta(seconds=10))
        yield world


def runs_of(world: World, pipeline: str) -> tuple[RunRecord, ...]:
    return world.ledger.runs.list_runs([pipeline]).items


def test_a_run_that_ended_says_what_it_learnt_from_which_files_and_where_its_model_went(shop: World) -> None:
    new, before = runs_of(shop, "breast-cancer")
    said = html_of(get(shop, f"/ui/runs/{new.run_id}"))

    assert "in use" in said
    assert before.run_id in said
    assert "landing/part-2.csv" in said
    assert "landing/part-1.csv" not in said, "it was there before"
    assert "accuracy" in said
    assert "sha256:" in said
    assert f"edgetrain logs {new.run_id}" in said
    assert f"/ui/compare?left={before.run_id}&amp;right={new.run_id}" in said
    assert 'href="/ui/models/breast-cancer"' in said


def test_its_stages_and_its_canary_are_drawn(shop: World) -> None:
    new, first = runs_of(shop, "breast-cancer")
    said = html_of(get(shop, f"/ui/runs/{new.run_id}"))
    (target,) = new.targets

    assert [step.weight for step in target.canary] == [10, 50]
    assert 'id="c-stages-title"' in said
    assert f'id="c-canary-{target.target}-title"' in said
    assert said.count('<th scope="row">10 %') == 1
    assert "c-canary" not in html_of(get(shop, f"/ui/runs/{first.run_id}")), "there was no model before"


def test_a_run_that_trains_says_when_it_is_expected_to_end(shop: World) -> None:
    run = runs_of(shop, "asked")[0]
    said = html_of(get(shop, f"/ui/runs/{run.run_id}"))

    assert run.outcome is None
    assert "Expected end" in said
    assert said.count('<td><bdi class="plain">to come</bdi></td>') == 3
    assert "It has not been measured yet." in said


def test_a_run_that_waits_for_a_decision_says_until_when(shop: World) -> None:
    run = runs_of(shop, "asked")[-1]

    said = html_of(get(shop, f"/ui/runs/{run.run_id}"))

    assert run.metrics == {}, "the ledger has them at its end"
    assert "May the new model go to" in said
    assert "accuracy" in said
    assert "Rule by rule" in said
    assert "sha256:" in said


def test_a_run_that_failed_says_whose_matter_it_is_and_what_to_do(shop: World) -> None:
    (run,) = runs_of(shop, "faulty")
    said = html_of(get(shop, f"/ui/runs/{run.run_id}"))

    assert "line 3: not a number" in said
    assert "What to do:" in said
    assert "matter" in said


def test_the_list_is_of_one_pipeline_and_outcome_where_that_is_asked(shop: World) -> None:
    everything = html_of(get(shop, "/ui/runs"))
    failed = html_of(get(shop, "/ui/runs?pipeline=&outcome=failed"))

    assert all(run.run_id in everything for name in ("breast-cancer", "asked", "faulty") for run in runs_of(shop, name))
    assert failed.count('<th scope="row">') == 1
    assert "There are no such runs." in html_of(get(shop, "/ui/runs?pipeline=asked&outcome=failed"))
    assert get(shop, "/ui/runs?outcome=nonsense").status_code == 400


def test_the_list_goes_on_where_the_page_before_ended(shop: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "RUNS", "1")
    known, address = [run.run_id for run in runs_of(shop, "breast-cancer")], "/ui/runs?pipeline=breast-cancer"
    first = html_of(get(shop, address))
    following = first.split('rel="next" href="')[1].split('"')[0].replace("&amp;", "&")
    second = html_of(get(shop, following))

    assert (known[0] in first, known[1] in first) == (True, False)
    assert (known[0] in second, known[1] in second) == (False, True)
    assert f'href="{address}"' in second


def test_two_runs_are_compared_and_one_that_is_unknown_is_named(shop: World) -> None:
    new, before = (run.run_id for run in runs_of(shop, "breast-cancer"))
    said = html_of(get(shop, f"/ui/compare?left={before}&right={new}"))

    assert "landing/part-2.csv" in said
    assert "accuracy" in said
    assert "Say which two runs" in html_of(get(shop, "/ui/compare"))
    assert "nope-abc-1" in html_of(get(shop, f"/ui/compare?left=nope-abc-1&right={new}"), 404)


def test_every_run_costs_few_requests_to_the_ledger(shop: World) -> None:
    for run in (run for name in ("breast-cancer", "asked", "faulty") for run in runs_of(shop, name)):
        before = asked_of(shop)
        html_of(get(shop, f"/ui/runs/{run.run_id}", **DUTCH))
        assert asked_of(shop) - before <= MOST_REQUESTS


def asked_of(world: World) -> int:
    return sum(table.requests for table in world.tables.tables.values())


def test_an_unknown_run_is_a_page_that_says_so(shop: World) -> None:
    assert "there is no run" in html_of(get(shop, "/ui/runs/nope-abc-1"), 404)
