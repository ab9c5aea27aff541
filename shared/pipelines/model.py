"""What a pipeline is: its fields, by one model that also writes the JSON Schema editors use."""

import reprlib
from datetime import UTC, datetime
from typing import Any, Literal

from cronsim import CronSim, CronSimError
from pydantic import Field, field_validator, model_validator

from shared.decisions.training.commands import EVALUATE, TRAIN, command_trouble, used_parameters
from shared.errors import Code, PermanentError
from shared.formats.manifest import CONTAINER as MANIFESTS
from shared.messages import DataFormat, Expecting
from shared.pipelines.columns import Columns
from shared.pipelines.delivery import Deliver, Target
from shared.pipelines.expect import MaybeExpect
from shared.pipelines.parts import BlobName, Folder, Name, Part, Seconds
from shared.pipelines.training import Evaluate, Judge, Model, Train

_MOST_LATEST = 10_000  # they are held in memory while a container is listed
_ANY_DAY = datetime(2026, 1, 1, tzinfo=UTC)


class Latest(Part):
    """Only the newest files."""

    latest: int = Field(ge=1, le=_MOST_LATEST, description="how many of the newest files a snapshot takes")


class Data(Part):
    """Where the data lies on the hub, and which blobs a snapshot takes."""

    site: Name = Field(description="the hub's name in the settings")
    container: Name
    prefix: Folder = Field("", description="only blobs below it; ends in / unless empty")
    pattern: str = Field("*", description="shell pattern that the rest of the name must match, such as *.csv")
    holdout: BlobName = Field(
        description="name of the blob with the held-out rows that every training is evaluated on, and none trained on",
    )
    select: Literal["all", "new"] | Latest = Field(
        "all", description="all: every file; new: files since the last training that got to a verdict; or latest: N"
    )

    on_bad_file: Literal["fail", "leave_out"] = Field(
        "fail", description="fail: a file with a fault fails the training; leave_out: the run leaves it out and says so"
    )
    format: DataFormat = Field(
        DataFormat.CSV, description="csv: files are checked before anything runs; files: blobs are taken as they are"
    )
    columns: Columns = Field(default_factory=dict, description="for csv: what each column holds, by its name")

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


class Settle(Part):
    """When a burst of arrivals counts as complete."""

    quiet_seconds: Seconds = Field(30, description="no arrival for that long closes the window")
    longest_wait_seconds: Seconds = Field(900, description="the window closes then at the latest")
    done_marker: BlobName | None = Field(
        None,
        description="name below data.prefix, such as _SUCCESS; its arrival closes the window at once",
    )
    least_files: int | None = Field(
        None, ge=1, description="quiet and done-marker wait for so many files, or least_bytes"
    )
    least_bytes: int | None = Field(
        None, ge=1, description="quiet and done-marker wait for so many bytes, or least_files"
    )


class Pipeline(Part):
    """One pipeline: data, settle, train, judge, deliver."""

    name: Name
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
    expect: MaybeExpect = Field(
        None,
        description="which data are expected, and by when; none: nothing is; left out: as the pipeline's history says",
    )
    train: Train
    evaluate: Evaluate
    model: Model = Model()
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
    def _columns_are_of_csv(self) -> "Pipeline":
        is_csv = self.data.format is DataFormat.CSV
        if self.data.columns and not is_csv:
            raise ValueError("data.columns: are checked in CSV files only; write format: csv, or remove them")
        if is_csv and not self.data.columns:
            raise ValueError("data.columns: are missing; say what each column holds, or write format: files")
        return self

    @model_validator(mode="after")
    def _commands_can_be_filled(self) -> "Pipeline":
        commands = {TRAIN: self.train.command, EVALUATE: self.evaluate.command}
        for field, command in commands.items():
            trouble = command_trouble(field, command, self.train.parameters)
            if trouble:
                raise ValueError(f"{field}: {trouble}")
        idle = set(self.train.parameters).difference(*map(used_parameters, commands.values()))
        for name in sorted(idle)[:1]:
            add = f"add --{name} ${{{{parameters.{name}}}}} to one"
            raise ValueError(f"train.parameters: no command uses {name}; {add}, or remove it")
        return self

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

    @property
    def expecting(self) -> Expecting:
        """How its data are expected."""
        return self.expect.expecting if self.expect is not None else Expecting()

    def target(self, name: str) -> Target:
        """The target of that name; raises :class:`PermanentError` when the pipeline has none."""
        for target in self.deliver.targets:
            if target.name == name:
                return target
        raise PermanentError(f"pipeline {self.name} has no target {name!r}", code=Code.BAD_PIPELINE)
