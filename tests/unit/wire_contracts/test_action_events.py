"""What subscribers get of a roll-back or a retirement by hand."""

import json
from datetime import UTC, datetime

import pytest
from jsonschema import Draft202012Validator

from cli.schemas import FOLDER
from shared.messages import Action, ActionEnd, ActionKind, Actor, ActorKind, EndedAction
from shared.wire_contracts.action_events import SCHEMA, action_announcement

AT = datetime(2026, 3, 1, 12, 30, 5, tzinfo=UTC)
WHO = Actor(kind=ActorKind.PERSON, name="ada")
BACK = Action(
    action_id="back-digits-1",
    kind=ActionKind.ROLL_BACK,
    pipeline="digits",
    by=WHO,
    reason="it is wrong",
    asked_at=AT,
    target="hub-vm",
    to="digits-1",
    bad="digits-2",
)
RETIRED = Action(
    action_id="retire-digits-1",
    kind=ActionKind.RETIRE,
    pipeline="digits",
    by=WHO,
    reason="the line is closed",
    asked_at=AT,
    targets=("hub-vm", "cloud"),
)


def ended(action: Action, *, done: bool = True) -> EndedAction:
    end = ActionEnd(action_id=action.action_id, done=done, sentence="so it ended", ended_at=AT, left=("look at it",))
    return EndedAction(action=action, end=end)


def test_a_roll_back_is_a_cloud_event_that_names_both_releases_and_not_who_asked() -> None:
    announced = action_announcement(ended(BACK))

    assert (announced.id, announced.type) == ("back-digits-1-ended", "io.edgetrain.action.roll_back")
    assert (announced.source, announced.subject) == ("/edgetrain/pipelines/digits", "actions/back-digits-1")
    assert announced.data == {
        "action_id": "back-digits-1",
        "kind": "roll_back",
        "pipeline": "digits",
        "done": True,
        "sentence": "so it ended",
        "reason": "it is wrong",
        "asked_at": "2026-03-01T12:30:05Z",
        "ended_at": "2026-03-01T12:30:05Z",
        "targets": ["hub-vm"],
        "serving_run_id": "digits-1",
        "replaced_run_id": "digits-2",
        "left": ["look at it"],
        "schema": 1,
    }
    assert "ada" not in json.dumps(announced.data)


@pytest.mark.parametrize("event", [ended(BACK), ended(BACK, done=False), ended(RETIRED)])
def test_each_fits_the_schema_that_it_names(event: EndedAction) -> None:
    announced = action_announcement(event)

    assert announced.dataschema == SCHEMA
    schema = json.loads((FOLDER / "action-event.json").read_text(encoding="utf-8"))
    Draft202012Validator(schema).validate(announced.data)
    assert announced.data["targets"] == list(event.action.targets or (event.action.target,))
