"""What a pipeline is: one YAML file, validated by one model that also writes the JSON Schema editors use.

Files lie in ``pipelines/<name>.yaml``; the training code in ``training/<folder>/``.
"""

from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from shared.errors import Code, PermanentError
from shared.messages import Scalar

_Seconds = Annotated[float, Field(ge=0, le=30 * 86_400)]
_Name = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,46}[a-z0-9])?$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Data(_Part):
    """Where the data lies on the hub, and which blobs a snapshot takes."""

    site: _Name = Field(description="the hub's name in the settings")
    container: _Name
    prefix: str = Field("", description="only blobs below it; ends in / unless empty")
    pattern: str = Field("*", description="shell pattern that the rest of the name must match, such as *.csv")
    holdout: str = Field(description="name of the blob with the held-out rows that every training is evaluated on")


class Settle(_Part):
    """When a burst of arrivals counts as complete."""

    quiet_seconds: _Seconds = Field(30, description="no arrival for that long closes the window")
    longest_wait_seconds: _Seconds = Field(900, description="the window closes then at the latest")


class Train(_Part):
    """How to train."""

    folder: str = Field(pattern=r"^[a-z][a-z0-9_]*$", description="folder under training/")
    compute: _Name = Field(description="name of the compute target in Azure ML and in the settings")
    parameters: dict[str, Scalar] = Field(default_factory=dict, description="handed to train.py")
    queued_limit_seconds: _Seconds = 4 * 3600
    running_limit_seconds: _Seconds = 2 * 3600
    expected_seconds: Annotated[float, Field(gt=0)] = Field(600, description="guides the polling interval")


class Judge(_Part):
    """When a challenger is promoted."""

    metric: str
    direction: Literal["higher", "lower"] = Field("higher", description="which way the metric is better")
    floor: float = Field(description="the challenger must be at least this good, champion or not")
    margin: float = Field(0.0, description="how much better than the champion; negative: how much worse is still fine")


class Target(_Part):
    """One place that serves the model."""

    name: _Name = Field(description="name of the serving target in the settings")
    health_seconds: Annotated[float, Field(gt=0, le=3600)] = 60


class Deliver(_Part):
    """Where to deliver."""

    model: str = Field(pattern=r"^[a-zA-Z0-9][\w.-]{0,99}$", description="name in the Azure ML model registry")
    targets: Annotated[tuple[Target, ...], Field(min_length=1, max_length=20)]


class Pipeline(_Part):
    """One pipeline: data, settle, train, judge, deliver."""

    name: _Name
    description: str = ""
    data: Data
    settle: Settle = Settle()
    train: Train
    judge: Judge
    deliver: Deliver

    @model_validator(mode="after")
    def _targets_differ(self) -> "Pipeline":
        names = [target.name for target in self.deliver.targets]
        if len(set(names)) != len(names):
            raise ValueError("deliver.targets: each name only once")
        return self

    def target(self, name: str) -> Target:
        """The target of that name; raises :class:`PermanentError` when the pipeline has none."""
        for target in self.deliver.targets:
            if target.name == name:
                return target
        raise PermanentError(f"pipeline {self.name} has no target {name!r}", code=Code.BAD_PIPELINE)


def parse_pipeline(text: str, *, source: str) -> Pipeline:
    """Validate one YAML text; the error names the file, the field and what is wrong with it."""
    try:
        raw = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise PermanentError(
            f"{source}: not valid YAML: {' '.join(str(error).split())}", code=Code.BAD_PIPELINE
        ) from None
    if not isinstance(raw, dict):
        raise PermanentError(
            f"{source}: must be a mapping with name, data, train, judge, deliver", code=Code.BAD_PIPELINE
        )
    try:
        return Pipeline.model_validate(raw)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in item['loc']) or 'pipeline'}: {item['msg']}" for item in error.errors()
        )
        raise PermanentError(f"{source}: {problems}", code=Code.BAD_PIPELINE) from None


class Pipelines:
    """The pipelines of a folder. One broken file does not take the others down: it is kept with its error."""

    def __init__(self, folder: Path) -> None:
        self._good: dict[str, Pipeline] = {}
        self._broken: dict[str, PermanentError] = {}
        for path in sorted(folder.glob("*.yaml")):
            try:
                self._add(path)
            except PermanentError as error:
                self._broken[path.stem] = error

    def _add(self, path: Path) -> None:
        pipeline = parse_pipeline(path.read_text(encoding="utf-8"), source=path.name)
        if pipeline.name != path.stem:
            reason = f"{path.name}: name: is {pipeline.name!r}, but must be the file's name {path.stem!r}"
            raise PermanentError(reason, code=Code.BAD_PIPELINE)
        self._good[pipeline.name] = pipeline

    def get(self, name: str) -> Pipeline:
        """The pipeline of that name; raises :class:`PermanentError` for an unknown or a broken one."""
        if name in self._good:
            return self._good[name]
        if name in self._broken:
            raise self._broken[name]
        known = ", ".join(sorted(self._good)) or "none"
        reason = f"there is no pipeline {name!r}; known: {known}"
        raise PermanentError(reason, code=Code.UNKNOWN_PIPELINE)

    @property
    def all(self) -> tuple[Pipeline, ...]:
        """Every valid pipeline, by name."""
        return tuple(self._good[name] for name in sorted(self._good))

    @property
    def broken(self) -> dict[str, str]:
        """File stem -> what is wrong with it."""
        return {name: error.reason for name, error in self._broken.items()}
