"""What the command line reads of the app's answers.

Answers are data from outside. A reader takes the fields that it shows and ignores the others; words of the app are
texts here and not enumerations, so that an app that is newer than the command line can be read. Every text is put on
one line of bounded length, with control characters escaped, before anything can print it.
"""

from datetime import UTC, datetime
from typing import Annotated, Any, Final, TypeVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from cli.client.errors import ForeignAnswerError
from shared.values.texts import shortened

LONGEST_SENTENCE: Final = 2000
LONGEST_NAME: Final = 300
MOST: Final = 2000  # entries of a list or mapping that are read


def _sentence(value: object) -> object:
    return shortened(value, LONGEST_SENTENCE) if isinstance(value, str) else value


def _name(value: object) -> object:
    return shortened(value, LONGEST_NAME) if isinstance(value, str) else value


def bounded(value: object) -> object:
    """A list or mapping of at most :data:`MOST` entries; anything else as it is."""
    if isinstance(value, list):
        return value[:MOST]
    return dict(list(value.items())[:MOST]) if isinstance(value, dict) else value


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("is outside of the calendar") from None


Sentence = Annotated[str, BeforeValidator(_sentence)]
Name = Annotated[str, BeforeValidator(_name)]
Item = TypeVar("Item")
Some = Annotated[tuple[Item, ...], BeforeValidator(bounded)]
Numbers = Annotated[dict[Name, float], BeforeValidator(bounded)]
Values = Annotated[dict[Name, Any], BeforeValidator(bounded)]
Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]


class Answer(BaseModel):
    """Fields that this version does not know are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Rule(Answer):
    """A rule of a judgement."""

    rule: Name
    result: Name
    value: float | None = None
    limit: float | None = None


class Comparison(Answer):
    """Challenger's loss minus champion's on the same rows; below zero the challenger is better."""

    rows: int
    difference: float
    low: float
    high: float
    level: float
    rows_needed: int | None = None


class Receipt(Answer):
    """What left the site with a run."""

    released_bytes: int = 0
    released: int = 0
    held_back: int = 0
    network_bytes: int = 0
    signature: Name = ""


class TargetResult(Answer):
    """How a roll-out to a target ended."""

    target: Name
    deployed: bool
    reason: Sentence = ""
    endpoint: Name | None = None


class LeftOut(Answer):
    """A file that a run did without."""

    name: Name = ""
    kind: Name = ""


class Run(Answer):
    """A run. ``outcome`` is None while it is under way, ``progress`` what it does then."""

    run_id: Name
    pipeline: Name = ""
    outcome: Name | None = None
    reason: Sentence = ""
    cause: Name = ""
    stage: Name = ""
    since: Moment | None = None
    requested_at: Moment | None = None
    ended_at: Moment | None = None
    next_try_at: Moment | None = None
    seconds: float = 0.0
    attempt: int = 1
    continues: Name = ""
    trace: Name = ""
    forced: bool = False
    note: Sentence = ""
    blobs: int = 0
    fingerprint: Name = ""
    snapshot_digest: Name = ""
    holdout: Name = ""
    evaluator: Name = ""
    metrics: Numbers = Field(default_factory=dict)
    champion_run_id: Name | None = None
    champion_value: float | None = None
    comparable: bool = True
    comparison: Comparison | None = None
    rules: Some[Rule] = ()
    receipt: Receipt | None = None
    model: Name | None = None
    version: Name | None = None
    image: Name | None = None
    targets: Some[TargetResult] = ()
    left_out: Some[LeftOut] = ()
    failure_kind: Name | None = None
    progress: Values | None = None

    @property
    def ended(self) -> bool:
        """Whether it has an outcome."""
        return self.outcome is not None


class Passport(Answer):
    """A passport: the document, and the bundle with its signature."""

    passport: dict[str, Any]
    bundle: dict[str, Any]


class PageTicket(Answer):
    """A link to the page; ``address`` is a path on the app's own host, so that no other one is ever opened."""

    address: Annotated[str, Field(pattern=r"^/[!-~]{1,2000}$")]
    key: Name = ""
    expires_at: Moment | None = None


class Runs(Answer):
    """A part of the list of runs."""

    runs: tuple[Run, ...]
    continuation: str | None = None


class Started(Answer):
    """What a request for a run led to: ``run_id`` is None when there is nothing new to train."""

    run_id: Name | None = None
    started: bool = False
    would_start: bool | None = None
    verdict: Name
    reason: Sentence
    blobs: int = 0
    size: int = 0


class Trouble(Answer):
    """One thing that is wrong with a pipeline."""

    kind: Name = ""
    cause: Sentence = ""
    remedy: Sentence = ""
    since: Moment | None = None


class Champion(Answer):
    """The run whose model serves."""

    run_id: Name | None = None
    model: Name | None = None
    version: Name | None = None
    image: Name | None = None
    metrics: Numbers = Field(default_factory=dict)


class Data(Answer):
    """Where a pipeline's data lie."""

    site: Name
    container: Name
    prefix: str = Field("", max_length=500)
    pattern: str = Field("*", max_length=500)
    holdout: str = Field("", max_length=500)


class Settle(Answer):
    """What ends a drop."""

    done_marker: str | None = Field(None, max_length=500)


class Train(Answer):
    """Where a pipeline trains."""

    compute: Name = ""
    parameters: Values = Field(default_factory=dict)


class DeliveryTarget(Answer):
    """One place that serves."""

    name: Name


class Deliver(Answer):
    """Where a pipeline delivers."""

    model: Name = ""
    targets: Some[DeliveryTarget] = ()


class Window(Answer):
    """Arrivals that are being collected."""

    closing: Sentence = ""


class Expected(Answer):
    """Which data should come."""

    sentence: Sentence = ""
    overdue_since: Moment | None = None


class Quarantine(Answer):
    """Data that failed too often."""

    fingerprint: Name = ""
    since: Moment | None = None
    failures: Some[Values] = ()


class Pipeline(Answer):
    """A pipeline: what its file says, and how it is; ``removed`` when it has no file any more."""

    name: Name
    description: Sentence = ""
    removed: Sentence = ""
    data: Data | None = None
    settle: Settle = Settle()
    train: Train = Train()
    deliver: Deliver = Deliver()
    champion: Champion | None = None
    troubles: Some[Trouble] = ()
    serving: Sentence = ""
    window: Window | None = None
    expected: Expected | None = None
    quarantines: Some[Quarantine] = ()
    runs: Some[Run] = ()


class Pipelines(Answer):
    """All pipelines, the files that are none, and those that were removed."""

    pipelines: Some[Pipeline]
    broken: Annotated[dict[Name, Sentence], BeforeValidator(bounded)] = Field(default_factory=dict)
    removed: Annotated[dict[Name, Sentence], BeforeValidator(bounded)] = Field(default_factory=dict)


class Arrival(Answer):
    """An event about a blob."""

    occurred_at: Moment | None = None
    received_at: Moment | None = None
    verdict: Name = ""
    reason: Sentence = ""
    run_id: Name | None = None


class Why(Answer):
    """What became of a blob, and the evidence."""

    pipeline: Name
    blob: Name
    verdict: Name | None = None
    sentence: Sentence
    arrivals: Some[Arrival] = ()
    run: Run | None = None
    troubles: Some[Trouble] = ()


class Said(Answer):
    """An answer that is a sentence."""

    sentence: Sentence
    run_id: Name | None = None


View = TypeVar("View", bound=Answer)


def read(view: type[View], document: Any, what: str) -> View:
    """The view of a document; raises :class:`ForeignAnswerError` naming the field that is not as expected."""
    try:
        return view.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the answer"
        reason = f"the app's answer to {what} is not understood: {shortened(where, 100)}: {first['msg']}"
        raise ForeignAnswerError(reason) from None
