"""What the first screen says."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from benchmarks.run_bill import bill_of
from function_app.page.screens.now import NEWEST, PIPELINES, REQUESTS, REQUESTS_OF_A_CARD, REQUESTS_OF_A_WINDOW
from shared.messages import (
    Action,
    ActionEnd,
    ActionKind,
    Actor,
    ActorKind,
    Backfill,
    FailedAttempt,
    Quarantine,
    Retirement,
    Trouble,
    TroubleKind,
    Watch,
)
from shared.pipelines import Pipelines
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


def test_a_broken_file_is_not_nothing(tmp_path: Path) -> None:
    with page_world(tmp_path, {"well": {}}) as world:
        assert "Nothing is wrong" in html_of(get(world, "/ui"))
        (world.folder / "broken.yaml").write_text("name: [", encoding="utf-8")
        world.services.__dict__["pipelines"] = Pipelines(world.folder)
        said = html_of(get(world, "/ui"))

    assert "This file is no pipeline" in said
    assert "Nothing is wrong" not in said
    assert "1 file is no pipeline" in said


ASKS = {"deliver": {"approval": {"hours": 24}}}


def waits(world: World, name: str) -> str:
    """The run of that pipeline that waits for somebody's yes."""
    world.deliver([world.upload(name, "landing/part-1.csv")])
    for _ in range(30):
        world.advance(timedelta(seconds=30))
    (run,) = world.ledger.runs.list_runs([name]).items
    assert run.outcome is None
    return run.run_id


def ask_for_more(world: World, run_id: str, runs: int) -> None:
    """So many runs of the same pipeline that were asked for later, and have no outcome either."""
    known = world.ledger.runs.request(run_id)
    assert known is not None
    for number in range(1, runs + 1):
        digest = f"{number:x}" * 64
        later = known.requested_at + timedelta(minutes=number)
        world.ledger.runs.claim_run(
            replace(
                known,
                run_id=f"{known.pipeline}-{digest[:12]}-1",
                fingerprint=digest,
                requested_by=f"later-{number}",
                requested_at=later,
            )
        )


def test_whoever_must_decide_sees_it_first_however_many_pipelines_and_runs_there_are(tmp_path: Path) -> None:
    names = [f"p{number:02d}" for number in range(PIPELINES + 2)]
    with page_world(tmp_path, {name: ASKS if name == names[-1] else {} for name in names}) as world:
        run_id = waits(world, names[-1])
        ask_for_more(world, run_id, NEWEST + 1)
        trouble = Trouble(kind=TroubleKind.REFUSED, cause="refused", remedy="see", since=datetime.now(UTC))
        world.ledger.troubles.keep(names[7], (trouble,))
        first, second = html_of(get(world, "/ui")), html_of(get(world, "/ui?page=2"))

    cards = [card.split("/ui/pipelines/")[1].split('"')[0] for card in first.split('<section class="card"')[1:]]
    assert cards[:3] == [names[7], names[-1], names[0]]
    assert f"/ui/actions/approve?run_id={run_id}" in first
    assert "1 decision is waited for" in first
    assert "1 decision is waited for" in second, "it stands on the other page"


def test_a_decision_about_a_pipeline_whose_file_broke_is_there_too(tmp_path: Path) -> None:
    with page_world(tmp_path, {"asked": ASKS}) as world:
        run_id = waits(world, "asked")
        (world.folder / "asked.yaml").write_text("name: [", encoding="utf-8")
        world.services.__dict__["pipelines"] = Pipelines(world.folder)
        said = html_of(get(world, "/ui"))

    assert f"/ui/actions/approve?run_id={run_id}" in said
    assert "1 decision is waited for" in said


def test_what_waits_and_why_is_said(tmp_path: Path) -> None:
    with page_world(tmp_path, {"coming": {}, "held": {}, "over": {}, "quiet": {}}) as world:
        world.deliver([world.upload("coming", "landing/part-1.csv"), world.upload("coming", "landing/part-2.csv")])
        at = datetime.now(UTC)
        failed = FailedAttempt(run_id="held-1", attempt=1, reason="line 3: no number", ended_at=at)
        world.ledger.quarantines.put(
            Quarantine(pipeline="held", fingerprint="a" * 64, snapshot_digest="b" * 64, since=at, failures=(failed,))
        )
        mark = retired(world, "over")
        said, data = html_of(get(world, "/ui")), html_of(get(world, "/ui/pipelines/over"))
        asked = world.ledger.actions.standing()[1]

    assert "1 pipeline holds data back" in said
    assert "Nothing is wrong" not in said
    coming, held, over, quiet = said.split('<section class="card"')[1:]
    assert "2 files" in coming
    assert "At the latest it is decided on at" in coming
    assert "1 set of data" in held
    assert "line 3: no number" in held
    assert "/ui/pipelines/held#held" in held
    assert asked == {"over": mark}
    for where in (over, data):
        assert "Retired</span>" in where
        assert "Ada" in where
        assert "“nobody needs it”" in where.replace('<bdi class="plain">', "").replace("</bdi>", "")
    assert not [word for word in ("Arriving", "Held back", "Retired") if word in quiet]


def retired(world: World, name: str) -> Retirement:
    """The mark of a retirement that has ended."""
    by = Actor(kind=ActorKind.PERSON, name="Ada")
    mark = world.ledger.actions.retire(Retirement(pipeline=name, by=by, reason="nobody needs it", at=datetime.now(UTC)))
    action = Action(
        action_id=mark.action_id,
        kind=ActionKind.RETIRE,
        pipeline=name,
        by=by,
        reason=mark.reason,
        asked_at=mark.at,
    )
    world.ledger.actions.begin(action)
    world.ledger.actions.end(ActionEnd(action_id=mark.action_id, done=True, sentence="", ended_at=mark.at))
    return mark


def test_an_open_window_costs_two_requests_more(tmp_path: Path) -> None:
    with page_world(tmp_path, {"coming": {}}) as world:
        before = bill_of(world).tables
        html_of(get(world, "/ui"))
        without = bill_of(world).tables - before
        world.deliver([world.upload("coming", "landing/part-1.csv")])
        before = bill_of(world).tables
        assert "Arriving" in html_of(get(world, "/ui"))

        assert bill_of(world).tables - before - without == REQUESTS_OF_A_WINDOW
