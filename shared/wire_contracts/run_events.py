"""What is published about a run: an event of its life as a CloudEvent. Pure.

Type, source, subject and data are a contract with whoever subscribes: fields are added, never changed. The id is made
of the run and the kind of event (for a wish for approval, also of target and number), so that subscribers can drop an
event that is sent twice.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from shared.messages import Cause, Outcome, RunEvent, RunEventKind, Stage
from shared.values.texts import shortened
from shared.values.wire import to_wire
from shared.wire_contracts.run_fields import ComparedWith, EndedAt, FormVersion, Image, ModelVersion

TYPE = "io.edgetrain.run"  # and the kind
SCHEMA = "urn:edgetrain:schema:run-event:1"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEventData:
    """The ``data`` of every event of a run: the run as it was at that moment. Names, digests and numbers only."""

    run_id: Annotated[str, Field(description="the run; its training has the same id in Azure ML")]
    pipeline: Annotated[str, Field(description="the pipeline whose model was trained")]
    kind: Annotated[RunEventKind, Field(description="what has happened; also the end of the event's type")]
    stage: Annotated[Stage, Field(description="where the run was; for a run that failed, where it failed")]
    cause: Annotated[Cause, Field(description="why the run was asked for")]
    requested_at: Annotated[datetime, Field(description="when it was asked for")]
    attempt: Annotated[int, Field(ge=1, description="1 for the first try of these data, code and parameters")]
    forced: Annotated[bool, Field(description="whether it was asked for although the same had been trained before")]
    fingerprint: Annotated[str, Field(description="digest of data, code, parameters and environment")]
    snapshot_digest: Annotated[str, Field(description="digest of the manifest that names the files")]
    files: Annotated[int, Field(ge=0, description="how many files the run trains on")]
    outcome: Annotated[Outcome | None, Field(description="how the run ended; null until its last event")] = None
    reason: Annotated[str, Field(description="a sentence for people: why it was promoted or not, or what failed")] = ""
    ended_at: EndedAt = None
    seconds: Annotated[float, Field(description="from the request to the end of the run; 0 until then")] = 0.0
    metrics: Annotated[
        dict[str, float] | None, Field(description="what the model achieves on the hold-out; null until it is trained")
    ] = None
    champion_run_id: ComparedWith = None
    model: Annotated[str | None, Field(description="name in the Azure ML registry, once it is registered")] = None
    version: ModelVersion = None
    image: Image = None
    awaits_approval_for: Annotated[
        str | None, Field(description="the target that somebody has to approve; null for every other kind of event")
    ] = None
    deployed_to: Annotated[tuple[str, ...], Field(description="names of the targets that serve it now")] = ()
    schema: FormVersion = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """A CloudEvent 1.0, without what the client adds."""

    id: str
    type: str
    source: str
    subject: str
    time: datetime
    dataschema: str
    data: dict[str, Any]


def announcement(event: RunEvent) -> Announcement:
    """The CloudEvent of a moment of a run."""
    run_id, kind = event.record.run_id, event.kind.value
    which = f"-{event.target}-{event.number}" if event.target else ""
    return Announcement(
        id=f"{run_id}-{kind}{which}",
        type=f"{TYPE}.{kind}",
        source=f"/edgetrain/pipelines/{event.record.pipeline}",
        subject=f"runs/{run_id}",
        time=event.occurred_at,
        dataschema=SCHEMA,
        data=to_wire(_data(event)),
    )


def _data(event: RunEvent) -> RunEventData:
    record = event.record
    return RunEventData(
        run_id=record.run_id,
        pipeline=record.pipeline,
        kind=event.kind,
        stage=record.stage,
        cause=record.cause,
        requested_at=record.requested_at,
        attempt=record.attempt,
        forced=record.forced,
        fingerprint=record.fingerprint,
        snapshot_digest=record.snapshot_digest,
        files=record.blobs,
        outcome=record.outcome,
        reason=shortened(record.reason),
        ended_at=record.ended_at,
        seconds=record.seconds,
        metrics=record.metrics or None,
        champion_run_id=record.champion_run_id,
        model=record.model,
        version=record.version,
        image=record.image,
        awaits_approval_for=event.target or None,
        deployed_to=tuple(result.target for result in record.targets if result.deployed),
    )
