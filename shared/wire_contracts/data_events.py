"""What is published about the data of a pipeline: that they should have come and did not, as a CloudEvent. Pure.

A contract with whoever subscribes, as :mod:`shared.wire_contracts.run_events`. The id is made of the pipeline and of
when its gap began: each gap is told once, and a repeat is recognised.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from shared.messages import Basis, OverdueData
from shared.values.texts import shortened
from shared.values.wire import to_wire
from shared.wire_contracts.run_events import Announcement
from shared.wire_contracts.run_fields import FormVersion

TYPE = "io.edgetrain.data"  # and the kind
SCHEMA = "urn:edgetrain:schema:data-event:1"


class DataEventKind(StrEnum):
    """``OVERDUE``: data that are expected have not come."""

    OVERDUE = "overdue"


@dataclass(frozen=True, slots=True, kw_only=True)
class DataEventData:
    """The ``data`` of every event of a pipeline's data."""

    pipeline: Annotated[str, Field(description="the pipeline whose data are expected")]
    site: Annotated[str, Field(description="the hub on which they are expected")]
    kind: Annotated[DataEventKind, Field(description="what has happened; also the end of the event's type")]
    seen_at: Annotated[datetime, Field(description="when the app noticed it")]
    sentence: Annotated[str, Field(description="what did not come, for people")]
    expected_by: Annotated[datetime, Field(description="when the data should have been there")]
    overdue_since: Annotated[datetime, Field(description="when the time of grace after that was over")]
    files: Annotated[int, Field(description="how many files were expected at least")]
    zone: Annotated[str, Field(description="the time zone by whose days and times they are expected")]
    basis: Annotated[
        Basis, Field(description="file: expect in the pipeline's file says so; forecast: its own history does")
    ]
    schema: FormVersion = 1


def overdue_announcement(overdue: OverdueData) -> Announcement:
    """The CloudEvent of data that are overdue."""
    gap = overdue.gap
    data = DataEventData(
        pipeline=overdue.pipeline,
        site=overdue.site,
        kind=DataEventKind.OVERDUE,
        seen_at=overdue.occurred_at,
        sentence=shortened(overdue.sentence),
        expected_by=gap.by,
        overdue_since=gap.since,
        files=gap.files,
        zone=overdue.zone,
        basis=overdue.basis,
    )
    return Announcement(
        id=f"{overdue.pipeline}-overdue-{gap.since:%Y%m%dT%H%M%S}",
        type=f"{TYPE}.{DataEventKind.OVERDUE.value}",
        source=f"/edgetrain/pipelines/{overdue.pipeline}",
        subject=f"pipelines/{overdue.pipeline}",
        time=overdue.occurred_at,
        dataschema=SCHEMA,
        data=to_wire(data),
    )
