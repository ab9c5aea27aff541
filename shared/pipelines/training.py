"""The part of a pipeline's file about training: what runs with what, how a model is measured and judged."""

from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, field_validator

from shared.formats.size_limits import trouble_with
from shared.messages import ModelFormat, QueuePolicy, Scalar, WithoutComparison
from shared.pipelines.parts import METRIC, SIZE, TRAINING_FOLDER, Name, Part, Seconds

_LONGEST_COMMAND: Final = 2_000


def _on_one_line(command: str) -> str:
    return " ".join(part.strip() for part in command.splitlines()).strip()  # a block of YAML may have several


Command = Annotated[str, Field(max_length=_LONGEST_COMMAND), AfterValidator(_on_one_line)]


class Queue(Part):
    """What a run does when its compute is taken."""

    policy: QueuePolicy = Field(
        QueuePolicy.QUEUE,
        description="queue: wait; latest-wins: wait in place of this pipeline's waiting runs; reject: end at once",
    )
    priority: int = Field(0, ge=-100, le=100, description="of the runs that wait, the higher goes first")


class Resources(Part):
    """What the container of a training may use; the site's policy may allow less."""

    memory: str = Field("4g", pattern=SIZE, description="such as 512m or 4g")
    cpus: float = Field(2.0, gt=0, le=1024)
    gpus: int = Field(0, ge=0, le=64)
    disk: str = Field("20g", pattern=SIZE, description="for what the training writes")


class Train(Part):
    """How to train."""

    folder: str = Field(pattern=TRAINING_FOLDER, description="folder under training/")
    compute: Name = Field(description="name of the compute target in Azure ML and in the settings")
    command: Command = Field(
        description="what trains, such as python train.py --data ${{inputs.data}} --model ${{outputs.model}}",
    )
    parameters: dict[str, Scalar] = Field(default_factory=dict, description="for the commands, as ${{parameters.NAME}}")
    resources: Resources = Resources()
    queued_limit_seconds: Seconds = 4 * 3600
    running_limit_seconds: Seconds = 2 * 3600
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


class Evaluate(Part):
    """How to measure a model on the hold-out."""

    command: Command = Field(
        description="such as python evaluate.py --model ${{inputs.model}} --holdout ${{inputs.holdout}}"
        " --out ${{outputs.evaluation}}",
    )


class Model(Part):
    """What a training's model may be made of."""

    format: ModelFormat = Field(
        ModelFormat.SAFE,
        description="safe: files that hold numbers only; pickle: also pickles, if the site's own policy allows them",
    )


class Certainty(Part):
    """How sure it must be that the challenger is not worse, row by row of the hold-out."""

    level: float = Field(0.95, ge=0.5, le=0.999, description="of the interval of the mean difference of the losses")
    tolerance: float = Field(0.0, description="the upper end of the interval must be at most so much")


class Judge(Part):
    """When a challenger is promoted."""

    metric: str = Field(
        min_length=1, max_length=100, pattern=METRIC, description="name of the metric that decides, in ASCII"
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
    certainty: Certainty | None = Field(
        None, description="how sure it must be that it is not worse; left out: the metric alone decides"
    )
