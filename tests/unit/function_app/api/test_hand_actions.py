"""Roll back, from the request to what the target serves and the ledger says."""

from dataclasses import replace
from typing import Any

import pytest

from function_app.api import delivery_models as d
from function_app.problems import RefusedError
from shared.decisions.admission.repeats import Refusal, decide_attempt
from shared.errors import Code, PermanentError
from shared.messages import (
    Verdict,
    delivery_of,
)
from tests.support.api import a_request, answer_of
from tests.support.durable_client import MemoryClient
from tests.support.hands import NEW, OLD, PIPELINE, TARGET, HandsWorld, a_run
from tests.support.workflow import START, ActivityError
from tests.unit.function_app.api.hands_by_request import played, refusal, rolled_back, shown


@pytest.fixture
def world() -> HandsWorld:
    return HandsWorld()


def test_a_roll_back_goes_to_the_release_before_and_keeps_the_bad_one_without_traffic(world: HandsWorld) -> None:
    client = MemoryClient()

    begun = rolled_back(world, client, by="ada")
    end = played(world, client)

    assert (begun.begun, begun.view.to, begun.view.state) == (True, OLD.run_id, d.ActionState.RUNNING)
    assert end.done
    assert world.serves == {OLD.run_id: 100, NEW.run_id: 0}
    champion = world.ledger.champions.champion(PIPELINE)
    assert (champion.run_id, champion.metrics) == (OLD.run_id, {"accuracy": 0.9})
    view = shown(world, begun.view.action_id)
    assert (view.state, view.target, view.reason) == (d.ActionState.DONE, TARGET, "it is wrong")
    assert "ada" in view.by
    desired = world.ledger.targets.of(TARGET, PIPELINE)
    assert desired.desired_by == begun.view.action_id
    assert world.ledger.computes.state(delivery_of(PIPELINE)).holders == ()
    (announced,) = world.announced
    assert (announced.action.action_id, announced.end) == (begun.view.action_id, end)


def test_an_action_that_began_before_actions_were_announced_ends_as_it_did_then(world: HandsWorld) -> None:
    client = MemoryClient()
    begun = rolled_back(world, client)
    kept = world.ledger.actions.action(begun.view.action_id)
    assert kept is not None

    assert world.act(replace(kept, schema=1)).done

    assert world.announced == []


def test_an_announcement_that_cannot_be_sent_is_no_reason_to_do_it_again(world: HandsWorld) -> None:
    client = MemoryClient()
    rolled_back(world, client)

    assert played(world, client, announce_action=ActivityError("the topic does not answer")).done
    assert world.ledger.actions.unfinished() == []


def test_the_same_data_do_not_bring_it_back_by_themselves_and_release_lifts_that(world: HandsWorld) -> None:
    client = MemoryClient()
    rolled_back(world, client)
    played(world, client)

    quarantine = world.ledger.quarantines.get(PIPELINE, NEW.fingerprint)
    assert quarantine is not None
    attempts = world.ledger.runs.runs_of(PIPELINE, NEW.fingerprint)
    for force in (False, True):
        refused = decide_attempt(attempts, force=force, quarantine=quarantine)
        assert isinstance(refused, Refusal)
        assert refused.verdict is Verdict.QUARANTINED
        assert "it is wrong" in refused.reason
    answer_of("release", a_request("POST", path=PIPELINE), world)
    lifted = world.ledger.quarantines.get(PIPELINE, NEW.fingerprint)
    assert not isinstance(decide_attempt(attempts, force=True, quarantine=lifted), Refusal)
    assert world.ledger.quarantines.get(PIPELINE, OLD.fingerprint) is None


def test_a_release_that_does_not_come_up_leaves_the_target_as_it_was(world: HandsWorld) -> None:
    world.target.ill[OLD.run_id] = "it ran out of memory"
    client = MemoryClient()
    rolled_back(world, client)

    end = played(world, client)

    assert not end.done
    assert "it ran out of memory" in end.sentence
    assert end.left == ()
    assert [each.end.done for each in world.announced] == [False]
    assert world.serves == {NEW.run_id: 100}
    assert world.ledger.champions.champion(PIPELINE).run_id == NEW.run_id
    assert world.ledger.quarantines.get(PIPELINE, NEW.fingerprint) is None


def test_a_target_that_does_not_answer_is_named_and_its_turn_is_given_back(world: HandsWorld) -> None:
    client = MemoryClient()
    rolled_back(world, client)
    world.target.trouble = PermanentError("its host key is another one", code=Code.TARGET_NOT_PREPARED)

    end = played(world, client)

    assert not end.done
    assert end.left
    assert world.ledger.computes.state(delivery_of(PIPELINE)).holders == ()
    assert world.ledger.actions.unfinished() == []


def test_a_roll_back_that_dies_after_each_step_comes_to_the_same_end(world: HandsWorld) -> None:
    """Whatever was done and not remembered is done again."""
    client = MemoryClient()
    rolled_back(world, client)
    for dies in ("plan_roll_back", "conclude_action", "end_action"):
        real = world.answers()[dies]

        def after(command: Any, real: Any = real) -> Any:
            real(command)
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            played(world, client, **{dies: after})

    end = played(world, client)

    assert world.serves == {OLD.run_id: 100, NEW.run_id: 0}
    assert world.ledger.champions.champion(PIPELINE).run_id == OLD.run_id
    kept = world.ledger.actions.ended(end.action_id)
    assert kept is not None
    assert kept.done


def test_repeating_a_request_finds_what_is_under_way(world: HandsWorld) -> None:
    client = MemoryClient()

    first, second = rolled_back(world, client), rolled_back(world, client)

    assert first.view.action_id == second.view.action_id
    assert (first.begun, second.begun) == (True, False)


def test_a_request_that_is_repeated_after_its_answer_was_lost_takes_back_nothing_else(world: HandsWorld) -> None:
    """Without a release before the one before, it would be one too many; with one, a third model would serve."""
    newest = a_run(3)
    world.promoted(newest, NEW.run_id)
    client = MemoryClient()
    rolled_back(world, client, instead_of=newest.run_id)
    played(world, client)

    refused = refusal("roll_back", world, f"{TARGET}/{PIPELINE}", instead_of=newest.run_id)

    assert (refused.status, refused.code, refused.field) == (409, "serves_another", "instead_of")
    assert world.serves == {NEW.run_id: 100, newest.run_id: 0}


def test_what_was_taken_back_does_not_come_back_unless_it_is_named(world: HandsWorld) -> None:
    """A script that repeats its request must not bring the bad model back."""
    client = MemoryClient()
    rolled_back(world, client)
    played(world, client)
    world.ledger.targets.saw(world.target.observe(PIPELINE), at=START)

    assert refusal("roll_back", world, f"{TARGET}/{PIPELINE}").code == "nothing_to_roll_back"
    again = MemoryClient()
    rolled_back(world, again, to=NEW.run_id)
    assert played(world, again).done
    assert world.serves == {NEW.run_id: 100, OLD.run_id: 0}


def test_a_release_whose_record_is_gone_could_not_become_the_champion(world: HandsWorld) -> None:
    record = world.ledger.runs.run(OLD.run_id)
    assert record is not None
    world.ledger.runs.forget(record, requested_by=OLD.requested_by)

    refused = refusal("roll_back", world, f"{TARGET}/{PIPELINE}", to=OLD.run_id)

    assert (refused.status, refused.code) == (404, "unknown_release")


def test_another_release_cannot_be_asked_for_while_one_is_brought_back(world: HandsWorld) -> None:
    newest = a_run(3)
    world.promoted(newest, NEW.run_id)
    rolled_back(world, to=NEW.run_id)

    refused = refusal("roll_back", world, f"{TARGET}/{PIPELINE}", to=OLD.run_id)

    assert (refused.code, refused.field) == ("roll_back_under_way", "to")


def test_what_was_delivered_while_a_roll_back_waited_is_not_taken_back(world: HandsWorld) -> None:
    """Else a third model would be the champion, and the target would serve the first."""
    client = MemoryClient()
    rolled_back(world, client)
    newest = a_run(3)
    world.promoted(newest, NEW.run_id)

    end = played(world, client)

    assert not end.done
    assert newest.run_id in end.sentence
    assert world.serves == {newest.run_id: 100}
    assert world.ledger.champions.champion(PIPELINE).run_id == newest.run_id
    assert world.ledger.quarantines.get(PIPELINE, NEW.fingerprint) is None


def test_a_roll_back_that_the_ledger_did_not_hear_of_is_done_again_until_it_has(world: HandsWorld) -> None:
    """Its end is not written before: the target would serve one model, and another one would be the champion."""
    client = MemoryClient()
    rolled_back(world, client)
    with pytest.raises(Exception, match="the tables answer 503"):
        played(world, client, conclude_action=Exception("the tables answer 503"))
    assert len(world.ledger.actions.unfinished()) == 1

    assert played(world, client).done

    assert world.ledger.champions.champion(PIPELINE).run_id == OLD.run_id
    assert world.ledger.actions.unfinished() == []


def test_any_kept_release_may_be_named(world: HandsWorld) -> None:
    newest = a_run(3)
    world.promoted(newest, NEW.run_id)
    client = MemoryClient()

    rolled_back(world, client, to=OLD.run_id)
    assert played(world, client).done

    assert world.serves == {OLD.run_id: 100, newest.run_id: 0}


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("moon/breast-cancer", {}, 404, "unknown_release"),
        (f"{TARGET}/breast-cancer", {"to": NEW.run_id}, 409, "serves_already"),
        (f"{TARGET}/breast-cancer", {"to": "breast-cancer-000000000000-1"}, 404, "unknown_release"),
    ],
)
def test_what_cannot_be_rolled_back_is_refused_at_once(
    world: HandsWorld, path: str, body: dict[str, str], status: int, code: str
) -> None:
    refused = refusal("roll_back", world, path, **body)

    assert (refused.status, refused.code) == (status, code)


def test_nothing_to_go_back_to_is_said(world: HandsWorld) -> None:
    world.target.kept = [NEW.run_id]
    world.ledger.targets.saw(world.target.observe(PIPELINE), at=START)

    assert refusal("roll_back", world, f"{TARGET}/{PIPELINE}").code == "nothing_to_roll_back"


def test_an_action_nobody_knows_is_not_found(world: HandsWorld) -> None:
    with pytest.raises(RefusedError) as refused:
        shown(world, "none")

    assert refused.value.status == 404


def test_a_rolled_back_champions_numbers_are_held_against_nobody(world: HandsWorld) -> None:
    client = MemoryClient()
    rolled_back(world, client)
    played(world, client)

    bests = world.ledger.champions.champion(PIPELINE).bests

    assert NEW.run_id not in {best.run_id for best in bests}
