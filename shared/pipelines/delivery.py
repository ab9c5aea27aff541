"""The part of a pipeline's file that says where and how its models are delivered."""

from typing import Annotated

from pydantic import Field, field_validator

from shared.messages import OnFailure, Otherwise, WithoutTraffic
from shared.pipelines.parts import MODEL, SIZE, Name, Part


class Strategy(Part):
    """How traffic moves from the model that serves to a new one."""

    steps: Annotated[tuple[Annotated[int, Field(ge=1, le=99)], ...], Field(max_length=10)] = Field(
        (), description="percent of the traffic in each step, rising, such as [5, 25, 50]; left out: all at once"
    )
    soak_seconds: Annotated[float, Field(ge=1, le=7 * 86_400)] = Field(300, description="how long each step is held")
    least_requests: int = Field(
        200, ge=1, le=1_000_000, description="requests to the new model that a step needs to be judged"
    )
    without_traffic: WithoutTraffic = Field(
        WithoutTraffic.GO_ON, description="a step with fewer requests: go_on with the next one, or back"
    )
    watch_seconds: Annotated[float, Field(ge=0, le=86_400)] = Field(
        5, description="how long the new model is watched after the switch; it goes back when it is ill in that time"
    )

    @field_validator("steps")
    @classmethod
    def _rise(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if list(value) != sorted(set(value)):
            raise ValueError(f"must rise from step to step, such as [5, 25, 50], not {list(value)}")
        return value


class Approval(Part):
    """Somebody must approve before a target is touched."""

    hours: Annotated[float, Field(gt=0, le=30 * 24)] = Field(72, description="how long it waits for a decision")
    otherwise: Otherwise = Field(Otherwise.REJECT, description="what counts when nobody decided: approve, or reject")
    remind_hours: Annotated[float, Field(gt=0, le=30 * 24)] = Field(
        24, description="announce again after so long without a decision"
    )


class ServingResources(Part):
    """What each container that serves the model may use."""

    memory: str = Field("512m", pattern=SIZE, description="such as 512m or 2g")
    cpus: float = Field(1.0, gt=0, le=64, description="cores, such as 0.5 or 2")


class Target(Part):
    """One place that serves the model."""

    name: Name = Field(description="name of the serving target in the settings")
    health_seconds: Annotated[float, Field(gt=0, le=3600)] = 60


class Deliver(Part):
    """Where to deliver."""

    model: str = Field(pattern=MODEL, description="name in the Azure ML model registry")
    targets: Annotated[tuple[Target, ...], Field(min_length=1, max_length=20)]
    max_parallel: int = Field(20, ge=1, le=20, description="how many targets are rolled out to at the same time")
    on_failure: OnFailure = Field(
        OnFailure.KEEP,
        description="a target that fails goes back; keep: the others stay as they are; roll_back_all: all go back",
    )
    strategy: Strategy = Strategy()
    approval: Approval | None = Field(None, description="left out: nobody has to approve")
    resources: ServingResources = ServingResources()
    keep_releases: int | None = Field(
        None, ge=1, le=100, description="releases on each target whose images stay for a roll-back; left out: as set"
    )
