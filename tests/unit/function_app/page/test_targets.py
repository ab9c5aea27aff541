"""What the screen of targets and sites says."""

from collections.abc import Iterator
from functools import partial

import pytest

from function_app.page.screens.pages import number_of
from function_app.page.screens.targets import PLACES
from shared.decisions.training.compute_queue import ask
from shared.messages import (
    Action,
    ActionKind,
    Actor,
    ActorKind,
    ComputeTicket,
    PlannedRelease,
    QueueRule,
    ServingPlan,
    Trouble,
    TroubleKind,
)
from tests.simulation.world import World
from tests.support.page_costs import table_requests
from tests.support.page_world import get, html_of, page_world, train
from tests.support.workflow import START

MANY = 25


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A pipeline whose model serves, and one for which nothing has arrived."""
    with page_world(tmp_path_factory.mktemp("shop"), {"breast-cancer": {}, "quiet": {}}) as world:
        train(world, "breast-cancer", "part-1.csv")
        yield world


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Many pipelines, each with a machine and a site of its own, and many places that people changed by hand."""
    names = [f"many-{number:02d}" for number in range(MANY)]
    files = {name: {"train": {"compute": f"vm-{name}"}, "data": {"site": f"site-{name}"}} for name in names}
    with page_world(tmp_path_factory.mktemp("crowd"), files) as world:
        for number in range(200):
            _wants(world, f"place-{number:03d}", names[number % MANY])
        yield world


def test_it_says_what_serves_with_which_share_and_who_asked(shop: World) -> None:
    said = html_of(get(shop, "/ui/targets"))
    (run,) = shop.ledger.runs.list_runs(["breast-cancer"]).items

    assert said.count(f"/ui/runs/{run.run_id}") == 2  # what serves, and who asked
    assert "<strong>100 %</strong> of the traffic" in said
    assert "just that" in said
    assert "http://vm:8400" in said
    assert said.count("/ui/actions/roll-back?") == 1  # where something serves
    assert "not looked at yet" in said
    assert "Nothing serves what it should not" in said


def test_what_differs_comes_first_and_in_words(shop: World) -> None:
    shop.ledger.targets.note_drift("hub-vm", "quiet", "it serves <b>something</b> else")
    try:
        said = html_of(get(shop, "/ui/targets"))
    finally:
        shop.ledger.targets.note_drift("hub-vm", "quiet", "")

    assert "it serves &lt;b&gt;something&lt;/b&gt; else" in said
    assert said.index("/ui/pipelines/quiet") < said.index("/ui/pipelines/breast-cancer")
    assert "1 place serves something else than it should" in said


def test_it_says_who_has_a_machine_and_who_waits(shop: World) -> None:
    now = shop.clock.now()
    runs = [f"quiet-{number:012x}-1" for number in range(13)]
    for run_id in runs:
        shop.ledger.computes.change("hub-vm", partial(ask, ticket=_ticket(run_id), slots=1, now=now))
    try:
        said = html_of(get(shop, "/ui/targets"))
    finally:
        for run_id in runs:
            shop.ledger.computes.give_back("hub-vm", run_id, now)

    assert said.index("Has it now") < said.index(runs[0]) < said.index("Waits, in this order") < said.index(runs[1])
    assert runs[10] in said
    assert runs[11] not in said
    assert "and 2 more" in said


def test_a_site_shows_the_trouble_that_its_pipelines_have_with_it(shop: World) -> None:
    since = shop.clock.now()
    troubles = [
        Trouble(kind=kind, cause=f"cause {kind.value}", remedy="mend it", since=since)
        for kind in (TroubleKind.UNREACHABLE, TroubleKind.BROKEN_FILE)
    ]
    shop.ledger.troubles.keep("quiet", tuple(troubles))
    try:
        said = html_of(get(shop, "/ui/targets"))
    finally:
        shop.ledger.troubles.keep("quiet", ())

    assert "cause unreachable" in said
    assert "broken_file" not in said
    assert '<a href="/ui/doctor?site=factory">' in said


def test_who_rolled_back_is_named_with_the_reason(crowd: World) -> None:
    said = html_of(get(crowd, "/ui/targets"))

    assert "Jan" in said
    assert "it was slow" in said


def test_its_requests_to_tables_are_bounded(crowd: World) -> None:
    # All places and all troubles; a machine and an action for each that is shown.
    assert table_requests(crowd, "/ui/targets") == 2 + 2 * PLACES
    # The ten places that are left in the last part, and no machine.
    assert table_requests(crowd, "/ui/targets?page=2") == 2 + PLACES + (MANY - PLACES)


def test_the_pages_hold_every_place_once(crowd: World) -> None:
    places = len(crowd.ledger.targets.all()) + MANY  # those that somebody changed, and those that files name
    pages = [html_of(get(crowd, f"/ui/targets?page={number}")) for number in range(1, -(-places // PLACES) + 1)]

    assert sum(each.count('id="place-') for each in pages) == places
    assert all(each.count('id="place-') <= PLACES for each in pages)


@pytest.mark.parametrize(
    ("text", "number"),
    [("", 1), ("1", 1), ("3", 3), ("9", 4), ("0", 1), ("-1", 1), ("x", 1), ("\N{SUPERSCRIPT TWO}", 1), ("9" * 99, 1)],
)
def test_an_address_names_a_page_or_the_nearest_one(text: str, number: int) -> None:
    assert number_of(text, 4) == number


def _wants(world: World, target: str, pipeline: str) -> None:
    at = world.clock.now()
    action = Action(
        action_id=f"back-{pipeline}-{target}",
        kind=ActionKind.ROLL_BACK,
        pipeline=pipeline,
        by=Actor(kind=ActorKind.PERSON, name="Jan"),
        reason="it was slow",
        asked_at=at,
    )
    world.ledger.actions.begin(action)
    run_id = f"{pipeline}-{'ab' * 6}-1"
    release = PlannedRelease(run_id=run_id, image="registry.example/m@sha256:" + "cd" * 32, weight=100)
    plan = ServingPlan(target=target, pipeline=pipeline, releases=(release,))
    world.ledger.targets.desire(plan, by=action.action_id, at=at)
    world.ledger.targets.note_drift(target, pipeline, "it serves nothing")


def _ticket(run_id: str) -> ComputeTicket:
    return ComputeTicket(
        compute="hub-vm",
        run_id=run_id,
        pipeline="quiet",
        rule=QueueRule(),
        asked_at=START,
        expected_seconds=300.0,
    )
