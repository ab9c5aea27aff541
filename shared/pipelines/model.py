"""What a pipeline is: its fields, by one model that also writes the JSON Schema editors use."""

import reprlib
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from shared.decisions.arrivals.blob_names import unsafe_characters
from shared.errors import Code, PermanentError
from shared.formats.manifest import CONTAINER as MANIFESTS
from shared.formats.size_limits import trouble_with
from shared.messages import QueuePolicy, Scalar, WithoutComparison


def _blob_name(value: str) -> str:
    """Storage keeps a backslash as a slash, and a slash at the start makes a folder without a name."""
    if "\\" in value:
        raise ValueError(f"must not contain a backslash; write {value.replace(chr(92), '/')}")
    if value.startswith("/"):
        raise ValueError(f"must not start with a slash; write {value.lstrip('/')}")
    if unsafe_characters(value):
        raise ValueError(
            "must not contain control characters or code points that are not characters; type the name again"
        )
    return value


_Seconds = Annotated[float, Field(ge=0, le=30 * 86_400)]
_Folder = Annotated[str, Field(max_length=500), AfterValidator(_blob_name)]
_BlobName = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(_blob_name)]
NAME = r"^[a-z0-9]([a-z0-9-]{0,46}[a-z0-9])?$"
_Name = Annotated[str, Field(pattern=NAME)]
_TRAINING_FOLDER = r"^[a-z][a-z0-9_]*$"
_METRIC = r"^[ -~]+$"
_MODEL = r"^[a-zA-Z0-9][\w.-]{0,99}$"
PATTERNS = {
    NAME: "1 to 48 lower-case letters, digits and hyphens, with no hyphen at either end",
    _TRAINING_FOLDER: "lower-case letters, digits and underscores, beginning with a letter",
    _METRIC: "printable ASCII characters",
    _MODEL: "at most 100 letters, digits, underscores, dots and hyphens, beginning with a letter or a digit",
}
"""What the patterns of fields ask for, in words."""

_MOST_LATEST = 10_000  # they are held in memory while a container is listed
_ANY_DAY = datetime(2026, 1, 1, tzinfo=UTC)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Latest(_Part):
    """Only the newest files."""

    latest: int = Field(ge=1, le=_MOST_LATEST, description="how many of the newest files a snapshot takes")


class Data(_Part):
    """Where the data lies on the hub, and which blobs a snapshot takes."""

    site: _Name = Field(description="the hub's name in the settings")
    container: _Name
    prefix: _Folder = Field("", description="only blobs below it; ends in / unless empty")
    pattern: str = Field("*", description="shell pattern that the rest of the name must match, such as *.csv")
    holdout: _BlobName = Field(
        description="name of the blob with the held-out rows that every training is evaluated on, and none trained on",
    )
    select: Literal["all", "new"] | Latest = Field(
        "all", description="all: every file; new: files since the last training that got to a verdict; or latest: N"
    )

    on_bad_file: Literal["fail", "leave_out"] = Field(
        "fail", description="fail: a file with a fault fails the training; leave_out: the run leaves it out and says so"
    )

    @property
    def leaves_out_faulty(self) -> bool:
        """Whether a file with a fault is left out of a training."""
        return self.on_bad_file == "leave_out"

    @field_validator("container")
    @classmethod
    def _is_not_ours(cls, value: str) -> str:
        if value == MANIFESTS:
            raise ValueError(f"must not be {MANIFESTS}, where the app keeps its own manifests; choose another")
        return value

    @field_validator("prefix")
    @classmethod
    def _is_a_folder(cls, value: str) -> str:
        if value and not value.endswith("/"):
            raise ValueError(f"must end in a slash; write {value}/")
        return value

    @field_validator("select", mode="before")
    @classmethod
    def _is_a_selection(cls, value: Any) -> Any:
        if (isinstance(value, str) and value in ("all", "new")) or isinstance(value, Latest):
            return value
        if not isinstance(value, dict) or set(value) != {"latest"}:
            raise ValueError(f"must be all, new, or {{latest: N}} such as {{latest: 5}}, not {reprlib.repr(value)}")
        most = value["latest"]
        if type(most) is not int or not 1 <= most <= _MOST_LATEST:
            raise ValueError(f"latest must be a whole number from 1 to {_MOST_LATEST}, not {most!r}")
        return value


class Settle(_Part):
    """When a burst of arrivals counts as complete."""

    quiet_seconds: _Seconds = Field(30, description="no arrival for that long closes the window")
    longest_wait_seconds: _Seconds = Field(900, description="the window closes then at the latest")
    done_marker: _BlobName | None = Field(
        None,
        description="name below data.prefix, such as _SUCCESS; its arrival closes the window at once",
    )
    least_files: int | None = Field(
        None, ge=1, description="quiet and done-marker wait for so many files, or least_bytes"
    )
    least_bytes: int | None = Field(
        None, ge=1, description="quiet and done-marker wait for so many bytes, or least_files"
    )


class Queue(_Part):
    """What a run does when its compute is taken."""

    policy: QueuePolicy = Field(
        QueuePolicy.QUEUE,
        description="queue: wait; latest-wins: wait in place of this pipeline's waiting runs; reject: end at once",
    )
    priority: int = Field(0, ge=-100, le=100, description="of the runs that wait, the higher goes first")


class Train(_Part):
    """How to train."""

    folder: str = Field(pattern=_TRAINING_FOLDER, description="folder under training/")
    compute: _Name = Field(description="name of the compute target in Azure ML and in the settings")
    parameters: dict[str, Scalar] = Field(default_factory=dict, description="handed to train.py")
    queued_limit_seconds: _Seconds = 4 * 3600
    running_limit_seconds: _Seconds = 2 * 3600
    expected_seconds: Annotated[float, Field(gt=0, le=30 * 86_400)] = Field(
        600, description="guides the polling interval"
    )
    queue: Queue = Queue()
    quarantine_after: int = Field(
        3, ge=1, le=20, description="so many failed trainings of the same data, code and parameters quarantine them"
    )

    @field_validator("parameters")
    @classmethod
    def _fit_a_row(cls, value: dict[str, Scalar]) -> dict[str, Scalar]:
        trouble = trouble_with(value)
        if trouble:
            raise ValueError(trouble)
        return value


class Judge(_Part):
    """When a challenger is promoted."""

    metric: str = Field(
        min_length=1, max_length=100, pattern=_METRIC, description="name of the metric that decides, in ASCII"
    )
    direction: Literal["higher", "lower"] = Field("higher", description="which way the metric is better")
    floor: float = Field(description="the challenger must be at least this good, champion or not")
    margin: float = Field(
        0.0, description="it must be more than so much better than the champion; negative: how much worse is still fine"
    )
    drift_limit: float | None = Field(
        None,
        ge=0,
        description="how much worse than the best champion so far on the same hold-out; left out: the margin once",
    )
    without_comparison: WithoutComparison = Field(
        WithoutComparison.KEEP,
        description="if the champion cannot be measured on the same rows: keep it, or promote if the floor is met",
    )


class Target(_Part):
    """One place that serves the model."""

    name: _Name = Field(description="name of the serving target in the settings")
    health_seconds: Annotated[float, Field(gt=0, le=3600)] = 60


class Deliver(_Part):
    """Where to deliver."""

    model: str = Field(pattern=_MODEL, description="name in the Azure ML model registry")
    targets: Annotated[tuple[Target, ...], Field(min_length=1, max_length=20)]


class Pipeline(_Part):
    """One pipeline: data, settle, train, judge, deliver."""

    name: _Name
    description: str = ""
    retrain_every: str | None = Field(
        None,
        max_length=200,
        description="cron with five fields, in UTC, such as 0 3 * * 1: look at the data then, event or not",
    )
    retrain_on: tuple[Literal["data", "code"], ...] = Field(
        ("data",),
        description="what starts a training by itself: [data], or [data, code] for other code, libraries or parameters"
        " too; what failed is tried again with other code in either case",
    )
    data: Data
    settle: Settle = Settle()
    train: Train
    judge: Judge
    deliver: Deliver

    @field_validator("retrain_every")
    @classmethod
    def _cron(cls, value: str | None) -> str | None:
        if value is None:
            return value
        example = "write five fields (minute, hour, day of month, month, day of week) such as 0 3 * * 1"
        if len(value.split()) != 5:
            raise ValueError(f"has {len(value.split())} fields; {example}")
        try:
            CronSim(value, _ANY_DAY)
        except CronSimError as error:
            raise ValueError(f"is not a cron expression ({error}); {example}") from None
        return value

    @field_validator("retrain_on")
    @classmethod
    def _on_data_at_least(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if "data" not in value or len(set(value)) != len(value):
            raise ValueError(f"must be [data] or [data, code], not [{', '.join(value)}]")
        return value

    @model_validator(mode="after")
    def _targets_differ(self) -> "Pipeline":
        names = [target.name for target in self.deliver.targets]
        if len(set(names)) != len(names):
            raise ValueError("deliver.targets: a name is there twice; give each target once")
        return self

    @model_validator(mode="after")
    def _marker_is_no_data(self) -> "Pipeline":
        marker = self.settle.done_marker
        if marker is not None and self.data.prefix + marker == self.data.holdout:
            raise ValueError("settle.done_marker: names the hold-out, which is data; give the marker a name of its own")
        return self

    def target(self, name: str) -> Target:
        """The target of that name; raises :class:`PermanentError` when the pipeline has none."""
        for target in self.deliver.targets:
            if target.name == name:
                return target
        raise PermanentError(f"pipeline {self.name} has no target {name!r}", code=Code.BAD_PIPELINE)
