"""What is published about a target: that it drifted, or runs again what it should, as a CloudEvent. Pure.

A contract with whoever subscribes, as :mod:`shared.wire_contracts.run_events`. The id is made of target, pipeline, kind
and moment: a target may drift often.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from pydantic import Field

from shared.messages import TargetEvent, TargetEventKind
from shared.values.texts import shortened
from shared.values.wire import to_wire
from shared.wire_contracts.run_events import Announcement
from shared.wire_contracts.run_fields import FormVersion

TYPE = "io.edgetrain.target"  # and the kind
SCHEMA = "urn:edgetrain:schema:target-event:1"


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetEventData:
    """The ``data`` of every event of a target."""

    target: Annotated[str, Field(description="name of the serving target in the settings")]
    pipeline: Annotated[str, Field(description="the pipeline whose model it serves")]
    kind: Annotated[TargetEventKind, Field(description="what has happened; also the end of the event's type")]
    seen_at: Annotated[datetime, Field(description="when the app saw it")]
    drift: Annotated[
        str, Field(description="a sentence for people: in which way it differs or differed, and what is done about it")
    ] = ""
    wanted_run_id: Annotated[str | None, Field(description="the run whose model should serve; null for none")] = None
    serving_run_id: Annotated[str | None, Field(description="the run whose model served; null for none")] = None
    schema: FormVersion = 1


def target_announcement(event: TargetEvent) -> Announcement:
    """The CloudEvent of a moment of a target."""
    data = TargetEventData(
        target=event.target,
        pipeline=event.pipeline,
        kind=event.kind,
        seen_at=event.occurred_at,
        drift=shortened(event.drift),
        wanted_run_id=event.wanted,
        serving_run_id=event.serving,
    )
    return Announcement(
        id=f"{event.target}-{event.pipeline}-{event.kind.value}-{event.occurred_at:%Y%m%dT%H%M%S}",
        type=f"{TYPE}.{event.kind.value}",
        source=f"/edgetrain/targets/{event.target}",
        subject=f"pipelines/{event.pipeline}",
        time=event.occurred_at,
        dataschema=SCHEMA,
        data=to_wire(data),
    )
