"""What is published about a roll-back or a retirement once it has ended, as a CloudEvent. Pure.

A contract with whoever subscribes, as :mod:`shared.wire_contracts.run_events`. The id is made of the action's own: it
ends once, and a repeat is recognised. Who asked is in the records of the app, and is told to nobody else.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from pydantic import Field

from shared.messages import ActionKind, EndedAction
from shared.values.texts import shortened
from shared.values.wire import to_wire
from shared.wire_contracts.run_events import Announcement
from shared.wire_contracts.run_fields import FormVersion

TYPE = "io.edgetrain.action"  # and the kind
SCHEMA = "urn:edgetrain:schema:action-event:1"


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionEventData:
    """The ``data`` of every event of an operator's action."""

    action_id: Annotated[str, Field(description="id of the action, as in /api/actions/<id>")]
    kind: Annotated[ActionKind, Field(description="what was asked for; also the end of the event's type")]
    pipeline: Annotated[str, Field(description="the pipeline whose models serve, or served")]
    done: Annotated[bool, Field(description="whether it was done; false: `sentence` says why not")]
    sentence: Annotated[str, Field(description="how it ended, for people")]
    reason: Annotated[str, Field(description="why it was asked for, in the words of who asked")]
    asked_at: Annotated[datetime, Field(description="when it was asked for")]
    ended_at: Annotated[datetime, Field(description="when it ended")]
    targets: Annotated[tuple[str, ...], Field(description="names of the serving targets that it was about")]
    serving_run_id: Annotated[
        str | None, Field(description="the run whose model a roll-back was to bring back; null for a retirement")
    ] = None
    replaced_run_id: Annotated[
        str | None, Field(description="the run whose model a roll-back was to take out; null for a retirement")
    ] = None
    left: Annotated[tuple[str, ...], Field(description="what people have to do yet, a sentence each")] = ()
    schema: FormVersion = 1


def action_announcement(ended: EndedAction) -> Announcement:
    """The CloudEvent of an action that has ended."""
    action, end = ended.action, ended.end
    data = ActionEventData(
        action_id=action.action_id,
        kind=action.kind,
        pipeline=action.pipeline,
        done=end.done,
        sentence=shortened(end.sentence),
        reason=shortened(action.reason),
        asked_at=action.asked_at,
        ended_at=end.ended_at,
        targets=(action.target,) if action.target else action.targets,
        serving_run_id=action.to or None,
        replaced_run_id=action.bad or None,
        left=tuple(shortened(each) for each in end.left),
    )
    return Announcement(
        id=f"{action.action_id}-ended",
        type=f"{TYPE}.{action.kind.value}",
        source=f"/edgetrain/pipelines/{action.pipeline}",
        subject=f"actions/{action.action_id}",
        time=end.ended_at,
        dataschema=SCHEMA,
        data=to_wire(data),
    )
