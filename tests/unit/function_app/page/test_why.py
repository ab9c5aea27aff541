"""What became of a file: the verdict, what it rests on, and the file that may be meant."""

from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import quote

import pytest

from benchmarks.run_bill import bill_of
from tests.simulation.world import World
from tests.support.page_world import get, html_of, page_world


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Two files that were trained one after the other, many that have just come, and one that nobody waits for."""
    with page_world(tmp_path_factory.mktemp("shop"), {"breast-cancer": {}, "quiet": {}}) as world:
        for number in (1, 2):
            world.deliver([world.upload("breast-cancer", f"landing/part-{number}.csv")])
            for _ in range(20):
                world.advance(timedelta(minutes=1))
        world.deliver([world.upload("breast-cancer", f"landing/late-{number:03d}.csv") for number in range(150)])
        world.deliver([world.upload("breast-cancer", "landingg/march<b>.csv")])
        yield world


def asked(world: World, blob: str, pipeline: str = "breast-cancer", **headers: str) -> str:
    return html_of(get(world, f"/ui/why?pipeline={pipeline}&blob={blob}", **headers))


def test_before_anything_is_asked_there_is_a_form_with_every_pipeline(shop: World) -> None:
    said = html_of(get(shop, "/ui/why"))

    assert said.count("<option") == 3
    assert 'class="card verdict"' not in said


def test_a_file_that_was_trained_comes_with_its_run_and_its_events(shop: World) -> None:
    said = asked(shop, "landing/part-1.csv")
    last = shop.ledger.runs.list_runs(["breast-cancer"]).items[-1]

    assert "✓</span> trained" in said
    assert f"/ui/runs/{last.run_id}" in said
    assert "100 bytes" in said
    assert said.count("<h2") == 4


def test_a_file_that_has_just_come_waits(shop: World) -> None:
    assert "◔</span> waiting for the rest" in asked(shop, "landing/late-001.csv")


def test_a_file_that_lies_elsewhere_is_not_used(shop: World) -> None:
    said = asked(shop, quote("landingg/march<b>.csv", safe="/<>"))

    assert "∅</span> not used" in said
    assert "landingg/march&lt;b&gt;.csv" in said
    assert "march<b>" not in said


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("part-1", "landing/part-1.csv"),
        ("PART-1.csv", "landing/part-1.csv"),
        ("prat-1.csv", "landing/part-1.csv"),
        ("https://hub.x.y/breast-cancer/landing/part-2.csv", "landing/part-2.csv"),
    ],
)
def test_who_types_half_a_name_is_shown_the_files_that_may_be_meant(shop: World, typed: str, meant: str) -> None:
    said = asked(shop, typed)

    assert f'href="/ui/why?pipeline=breast-cancer&amp;blob={meant}"' in said
    assert 'class="card verdict"' not in said


def test_who_types_nothing_is_shown_the_newest_files(shop: World) -> None:
    assert asked(shop, "").count('href="/ui/why?pipeline=breast-cancer&amp;blob=landing/late-') == 10


@pytest.mark.parametrize("pipeline", ["unknown", "No/Name%", "quiet"])
def test_of_an_unknown_file_and_of_an_unknown_pipeline_the_page_says_so(shop: World, pipeline: str) -> None:
    said = asked(shop, "landing/nothing-like-it", pipeline)

    assert 'role="alert"' in said or "Nothing is known of this file" in said
    assert f'<option value="{pipeline}" selected>' in said


def test_the_verdict_and_its_sentence_are_said_in_the_readers_language(shop: World) -> None:
    said = asked(shop, "landing/part-1.csv", **{"Accept-Language": "nl"})

    assert "✓</span> getraind" in said
    assert '<bdi class="plain">landing/part-1.csv zit in run' in said


def test_what_it_costs_does_not_depend_on_how_much_has_arrived(shop: World) -> None:
    before = bill_of(shop).tables
    asked(shop, "landing/part-1.csv")
    found = bill_of(shop).tables
    asked(shop, "part-1")
    missed = bill_of(shop).tables

    assert found - before <= 25
    assert missed - found <= 20
