"""What the command line reads of the app's answers about delivery: decisions, actions, targets, models, comparisons."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from cli.client.answers import Answer, Comparison, Moment, Name, Numbers, Sentence, Some, Values, bounded


class Decision(Answer):
    """What was decided about a run's roll-out to a target."""

    target: Name
    decision: Name
    by: Name = ""
    reason: Sentence = ""
    at: Moment | None = None


class Decided(Answer):
    """The decisions that hold now."""

    run_id: Name
    decisions: Some[Decision] = ()
    sentence: Sentence


class Resumed(Answer):
    """The attempt that goes on from where another ended."""

    run_id: Name
    resumes: Name = ""
    sentence: Sentence


class Action(Answer):
    """A roll-back or a retirement; ``left``: what people have to do yet."""

    action_id: Name
    kind: Name = ""
    pipeline: Name = ""
    target: Name | None = None
    to: Name | None = None
    state: Name
    sentence: Sentence
    by: Name = ""
    reason: Sentence = ""
    asked_at: Moment | None = None
    ended_at: Moment | None = None
    left: Some[Sentence] = ()


class PlannedRelease(Answer):
    """A release that a target should run; ``weight`` in percent of the traffic."""

    run_id: Name
    weight: int = 0


class ObservedRelease(Answer):
    """A release as it was seen on a target."""

    run_id: Name
    state: Name = ""
    weight: int = 0
    requests: int = 0
    errors: int = 0
    latency_ms: float | None = None
    trouble: Sentence = ""


class Target(Answer):
    """What one target should serve for a pipeline, and what was seen there."""

    target: Name
    pipeline: Name
    serving: Name | None = None
    since: Moment | None = None
    endpoint: Name | None = None
    desired: Some[PlannedRelease] = ()
    desired_by: Name = ""
    desired_at: Moment | None = None
    observed: Some[ObservedRelease] = ()
    observed_at: Moment | None = None
    kept: Some[Name] = ()
    drift: Sentence = ""
    sentence: Sentence = ""


class Targets(Answer):
    """Every target and pipeline that a model was delivered for."""

    targets: Some[Target]


class ModelVersion(Answer):
    """A version of a model."""

    version: Name
    run_id: Name = ""
    pipeline: Name = ""
    stage: Name = ""
    outcome: Name | None = None
    image: Name | None = None
    metrics: Numbers = Field(default_factory=dict)
    ended_at: Moment | None = None
    targets: Some[Name] = ()


class Model(Answer):
    """A model with its newest versions."""

    name: Name
    pipelines: Some[Name] = ()
    champion: Name | None = None
    versions: Some[ModelVersion] = ()


class Models(Answer):
    """Every model."""

    models: Some[Model]


class FileChanges(Answer):
    """How the files of two snapshots differ: numbers, and the first names of each."""

    added: int = 0
    removed: int = 0
    changed: int = 0
    first_added: Some[Name] = ()
    first_removed: Some[Name] = ()
    first_changed: Some[Name] = ()


class ComparedRun(Answer):
    """What a run was made of."""

    run_id: Name
    pipeline: Name = ""
    outcome: Name | None = None
    stage: Name = ""
    requested_at: Moment | None = None
    snapshot: Name = ""
    files: int = 0
    code: Name = ""
    holdout: Name = ""
    evaluator: Name = ""
    parameters: Values = Field(default_factory=dict)
    image: Name | None = None


def _value(value: Any) -> Any:
    return bounded(value) if isinstance(value, dict | list) else value


class ComparedValue(Answer):
    """A parameter of two runs."""

    name: Name
    left: Annotated[Any, BeforeValidator(_value)] = None
    right: Annotated[Any, BeforeValidator(_value)] = None


class ComparedMetric(Answer):
    """A metric of two runs; ``difference``: right less left."""

    name: Name
    left: float | None = None
    right: float | None = None
    difference: float | None = None


class Compared(Answer):
    """Two runs side by side."""

    left: ComparedRun
    right: ComparedRun
    parameters: Some[ComparedValue] = ()
    files: FileChanges | None = None
    files_unknown: Sentence = ""
    metrics: Some[ComparedMetric] = ()
    comparable: bool = True
    interval: Comparison | None = None
    sentence: Sentence = ""


class Finding(Answer):
    """What a check found about a subject."""

    check: Name
    subject: Name
    state: Name
    found: Sentence = ""
    wanted: Sentence = ""
    why: Sentence = ""
    remedy: Sentence = ""


class Doctor(Answer):
    """The findings of all checks."""

    healthy: bool
    findings: Some[Finding]
