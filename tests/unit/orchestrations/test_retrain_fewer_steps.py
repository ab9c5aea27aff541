"""What a turn and a record tell or do on their way takes no step of its own: requests of schema 7."""

from typing import Any

import pytest

from shared.messages import (
    FAIR_COMPARISON_SCHEMA,
    FEWER_STEPS_SCHEMA,
    ComputeTurn,
    Done,
    Outcome,
    RunRecord,
    TrainingPoll,
    Turn,
)
from shared.values.wire import from_wire, to_wire
from tests.support import retraining
from tests.support.builders import a_champion
from tests.support.retraining import CHAMPION, fair_story
from tests.support.workflow import Played, value

THEN = a_champion(run_id="breast-cancer-then-1", metrics={"accuracy": 0.99}, holdout="old rows", evaluator="code")


def granted(**fields: Any) -> Any:
    return to_wire(ComputeTurn(turn=Turn.GRANTED, **fields))


def story(schema: int = FEWER_STEPS_SCHEMA, **changes: Any) -> tuple[Played, RunRecord]:
    turns = {"await_compute": [granted(champion=THEN), granted(champion=CHAMPION)], "preflight": value(Done())}
    return fair_story({"schema": schema}, **(turns | changes))


def test_the_champion_comes_with_each_turn_and_is_not_asked_for() -> None:
    run, record = story()

    assert "read_champion" not in run.asked
    poll = from_wire(TrainingPoll, run.commands["await_training"][0]["input"])
    assert poll.order.champion == THEN.run_id, "the one when the training began is measured beside the new one"
    assert record.champion_run_id == CHAMPION.run_id, "the one when it judges is what it is judged against"
    assert (record.outcome, poll.schema) == (Outcome.PROMOTED, FEWER_STEPS_SCHEMA)


def test_a_turn_from_an_older_app_tells_none_so_it_is_asked_for() -> None:
    run, record = story(await_compute=granted())

    assert run.asked.count("read_champion") == 2
    assert record.outcome is Outcome.PROMOTED


def test_a_run_that_was_admitted_before_asks_as_it_did_though_its_turns_tell() -> None:
    run, record = story(FEWER_STEPS_SCHEMA - 1)

    assert run.asked.count("read_champion") == 2
    assert record.outcome is Outcome.PROMOTED


def test_a_run_that_is_not_checked_is_judged_by_what_serves_when_it_has_trained() -> None:
    run, record = retraining.story({"schema": 2}, await_compute=granted(champion=THEN))

    assert run.asked.count("read_champion") == 1
    assert record.champion_run_id == a_champion().run_id


@pytest.mark.parametrize(("schema", "returns"), [(FEWER_STEPS_SCHEMA, 1), (FAIR_COMPARISON_SCHEMA, 2)])
def test_the_record_gives_the_delivery_back_and_the_compute_is_given_back_as_soon_as_it_has_trained(
    schema: int, returns: int
) -> None:
    run, _ = story(schema)

    assert run.asked.count("release_compute") == returns
    assert run.asked.index("release_compute") < run.asked.index("collect_training")
