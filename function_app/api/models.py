"""What the API takes and what it answers. One model each, which reads or writes it and describes it in OpenAPI."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from function_app.api.delivery_models import Compared, DecisionView
from function_app.api.expected_models import ExpectedView
from function_app.api.fields import BlobName, Continuation, Limit, Moment, PipelineName, RunId, SiteName, TargetName
from shared.messages import Champion, Outcome, Quarantine, RejectedEvent, RunRecord, Scalar, Trouble, Verdict
from shared.pipelines import Pipeline
from shared.values.fields import FORCE, OVERRIDES, REASON, GivenReason, Note, ParameterValue

BY = "who asks, in your own words; what the request proves is recorded beside it"
WHY = "for people; kept with what is done"


class _Asked(BaseModel):
    """Fields that are not declared are refused by name: a misspelt one would silently do something else."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class StrayKind(StrEnum):
    """Events that concern no pipeline."""

    OUTSIDE = "outside"
    REJECTED = "rejected"


class NothingAsked(_Asked):
    """An operation without parameters in its address."""


class PageQuery(_Asked):
    """A part of a list."""

    limit: Limit = 50
    continuation: Continuation | None = None


class RunsQuery(PageQuery):
    """Which runs."""

    pipeline: PipelineName | None = Field(None, description="only this pipeline's")
    outcome: Outcome | None = Field(None, description="only those that ended so")
    since: Moment | None = None


class StraysQuery(PageQuery):
    """Which events."""

    kind: StrayKind = Field(description="outside: no pipeline watches the blob; rejected: the event could not be read")


class WhyQuery(_Asked):
    """Which blob."""

    pipeline: PipelineName
    blob: BlobName


class DoctorQuery(_Asked):
    """What to look at."""

    site: SiteName | None = Field(None, description="only this site, its pipelines and what they use")


class _Body(_Asked):
    model_config = ConfigDict(strict=True)


class RunBody(_Body):
    """How to run. Everything may be left out, and so may the body."""

    parameters: dict[str, ParameterValue] = Field(default_factory=dict, description=OVERRIDES)
    force: bool = Field(default=False, description=FORCE)
    dry_run: bool = Field(default=False, description="say what would happen and why, and do nothing")
    by: str | None = Field(None, min_length=1, max_length=100, description=BY)
    reason: Note = Field("", description=REASON)


class HandBody(_Body):
    """Who asks, and why. Both may be left out, and so may the body."""

    by: str | None = Field(None, min_length=1, max_length=100, description=BY)
    reason: Note = Field("", description=WHY)


class ApproveBody(HandBody):
    """Which target."""

    target: TargetName | None = Field(None, description="only this target; left out: every one that waits")


class RejectBody(ApproveBody):
    """Which target, and why."""

    reason: GivenReason = Field(description=WHY)


class RetireBody(HandBody):
    """Why the pipeline is retired."""

    reason: GivenReason = Field(description=WHY)


class RollBackBody(HandBody):
    """To which release, and why."""

    to: RunId | None = Field(None, description="the run whose release shall serve; left out: the one before")
    instead_of: RunId | None = Field(
        None,
        description="the run whose release is to be taken back; refused when another one serves by then, so that a"
        " repeated request takes back nothing else",
    )
    reason: GivenReason = Field(description=WHY)


class CompareQuery(_Asked):
    """Which two runs."""

    left: RunId
    right: RunId


class ReleaseBody(_Body):
    """What to release; everything in quarantine when it is left out."""

    fingerprint: str | None = Field(None, pattern=r"^[0-9a-f]{64}$", description="only this one")
    by: str | None = Field(None, min_length=1, max_length=100, description=BY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A problem document (RFC 9457). ``type`` is stable, ``detail`` is for people and says what to do about it.

    ``field``: the field, parameter or header that is wrong, if it is one of them.
    """

    type: str
    title: str
    status: int
    detail: str
    field: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """What a request led to. ``reason`` is a sentence for people.

    ``started``: whether ``run_id`` is a new run; otherwise it is the one that trained the same, or null when there is
    nothing new to train.
    """

    run_id: str | None
    started: bool
    verdict: Verdict
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedRun(RunRecord):
    """A run. While it is under way, ``stage`` is the one that its orchestration is in, ``since`` then.

    ``next_try_at``: when a run that came to no end of its own is asked for again by itself, as one that failed for
    trouble outside; null when it is not.
    """

    since: datetime | None = None
    next_try_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView(ListedRun):
    """A run, and while it is under way its ``progress``: what its orchestrations do.

    ``parameters`` and ``code``: what it trained with; the code by its digest. ``beside``: beside the champion that it
    was, or will be, judged against; null when there is none. ``decisions``: who approved or rejected its roll-outs.
    """

    progress: dict[str, Any] | None = None
    parameters: dict[str, Scalar] | None = None
    code: str = ""
    beside: Compared | None = None
    decisions: tuple[DecisionView, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunsPage:
    """Runs, newest first. ``continuation``: the token for the runs after these; null at the end."""

    runs: tuple[ListedRun, ...]
    continuation: str | None


class PipelineView(Pipeline):
    """A pipeline as its file says, who its champion is, and what is wrong with it now."""

    champion: Champion | None
    troubles: tuple[Trouble, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineList:
    """The pipelines. ``broken``: files that are none, with what is wrong with them.

    ``removed``: pipelines that have had runs and have no file any more, with the sentence that says so.
    """

    pipelines: tuple[PipelineView, ...]
    broken: dict[str, str]
    removed: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowView:
    """An open window: what has arrived so far (``size`` in bytes), and a sentence that says when it closes."""

    window_id: str
    opened_at: datetime
    last_arrival_at: datetime
    arrivals: int
    size: int
    marked: bool
    closing: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovedPipeline:
    """A pipeline that has had runs and has no file any more: ``removed`` says so, and since when.

    ``since``: when that was noticed first; null until the reconciler's next cycle. Its champion may serve still.
    """

    name: str
    removed: str
    since: datetime | None
    champion: Champion | None
    runs: tuple[ListedRun, ...]


class PipelineDetail(PipelineView):
    """A pipeline and its state: its open window, its quarantines with the evidence, its newest runs.

    ``serving``: what serves and what it was trained on, in words, held against the data as they were looked at last.
    ``expected``: which data should come, and whether they are overdue; null for a retired pipeline.
    """

    serving: str
    window: WindowView | None
    expected: ExpectedView | None
    quarantines: tuple[Quarantine, ...]
    runs: tuple[ListedRun, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrivalView:
    """An event about a blob, and what became of it. ``size`` in bytes, -1 when the event did not say."""

    event_id: str
    account: str
    container: str
    blob: str
    etag: str
    size: int
    occurred_at: datetime
    received_at: datetime
    api: str
    verdict: Verdict
    reason: str
    window_id: str | None
    run_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrivalsPage:
    """Arrivals, newest first. ``continuation``: the token for the arrivals before these; null at the end."""

    arrivals: tuple[ArrivalView, ...]
    continuation: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StraysPage:
    """Events that concern no pipeline, newest first: ``arrivals`` that are outside, or events that are ``rejected``."""

    kind: StrayKind
    arrivals: tuple[ArrivalView, ...] = ()
    rejected: tuple[RejectedEvent, ...] = ()
    continuation: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobView:
    """A blob as it is on the hub now; ``size`` in bytes."""

    etag: str
    size: int
    last_modified: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """What became of a blob: one verdict, or null when nothing was decided about it, and one sentence that says why.

    ``blob_now``: null when it does not exist. ``arrivals``: every event about it, newest first, to the pipeline or
    outside of all. ``run``: the run that the verdict is about. ``troubles``: what is wrong with the pipeline now.
    """

    pipeline: str
    blob: str
    verdict: Verdict | None
    sentence: str
    blob_now: BlobView | None
    arrivals: tuple[ArrivalView, ...]
    run: RunView | None
    troubles: tuple[Trouble, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """What may be tried again from now on."""

    released: tuple[Quarantine, ...]
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelled:
    """What will not go on: the run, or the further attempts after it; ``sentence`` says what follows."""

    run_id: str
    sentence: str
