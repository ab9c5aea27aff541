"""A run's record, quarantine and events."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from shared.messages.admission import LeftOut, RunRequest
from shared.messages.delivery import JudgedRule, TargetResult
from shared.messages.sealing import Comparison, ReceiptSummary
from shared.messages.vocabulary import Cause, FailureKind, Outcome, Stage
from shared.values.traces import read_trace


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """The ledger's row of a run, and the output of ``retrain_model``. ``seconds`` is the wall time of the run.

    ``left_out``: its omissions. ``note``: the requester's words. ``blobs``: the number of files in its snapshot.
    ``failure_kind``: None when it has not failed. ``job_failed``: whether the failure counts against data, code or
    parameters; records from before the failure kind have only this. ``holdout`` and ``evaluator``: digests of the rows
    and the code that ``metrics`` were measured with. ``champion_value``: the champion's judged metric on the same rows.
    ``comparable`` is False when there was no comparison, ``overtaken`` is True when that was because another run became
    the champion while this one trained. ``rules``: the rules that its judgement looked at. ``comparison``: with the
    champion, row by row. ``receipt``: what left the site. ``continues``: the run that it goes on from; empty for a run
    that trained itself. ``trace``: the id of the trace that it belongs to. ``newest``: when the newest of its files was
    written. ``reached``: when it first came to a stage, by stage.
    """

    run_id: str
    pipeline: str
    outcome: Outcome | None
    reason: str
    cause: Cause
    fingerprint: str
    attempt: int
    snapshot_digest: str
    requested_at: datetime
    ended_at: datetime | None = None
    seconds: float = 0.0
    stage: Stage = Stage.ACCEPTED
    metrics: dict[str, float] = field(default_factory=dict)
    champion_run_id: str | None = None
    model: str | None = None
    version: str | None = None
    image: str | None = None
    targets: tuple[TargetResult, ...] = ()
    window_id: str | None = None
    forced: bool = False
    note: str = ""
    blobs: int = 0
    job_failed: bool = False
    failure_kind: FailureKind | None = None
    holdout: str = ""
    evaluator: str = ""
    champion_value: float | None = None
    comparable: bool = True
    overtaken: bool = False
    left_out: tuple[LeftOut, ...] = ()
    rules: tuple[JudgedRule, ...] = ()
    comparison: Comparison | None = None
    receipt: ReceiptSummary | None = None
    continues: str = ""
    trace: str = ""
    newest: datetime | None = None
    reached: dict[str, datetime] = field(default_factory=dict)


CLAIMED = "claimed"
"""The reason of a run of which the ledger knows no more than its claim."""


def first_record(request: RunRequest, *, reason: str = "") -> RunRecord:
    """The record of a run that was admitted and has not begun."""
    return RunRecord(
        run_id=request.run_id,
        pipeline=request.pipeline,
        outcome=None,
        reason=reason,
        cause=request.cause,
        fingerprint=request.fingerprint,
        attempt=request.attempt,
        snapshot_digest=request.snapshot.digest,
        requested_at=request.requested_at,
        window_id=request.window_id,
        forced=request.forced,
        note=request.note,
        blobs=request.snapshot.blobs,
        holdout=request.snapshot.holdout,
        evaluator=request.evaluator,
        left_out=request.snapshot.left_out,
        continues=request.continues,
        trace=found.trace_id if (found := read_trace(request.traceparent)) else "",
        newest=request.snapshot.newest,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedAttempt:
    """A piece of the evidence for a quarantine."""

    run_id: str
    reason: str
    ended_at: datetime | None = None
    attempt: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantine:
    """A fingerprint that failed too often, with the evidence. Other data, code or parameters are another fingerprint.

    ``released_at``: since when it may be tried again, ``released_by``: who said so, in words; failures up to
    ``released_attempt`` count no more. ``rolled_back``: it did not fail; its model served, and somebody rolled it back.
    """

    pipeline: str
    fingerprint: str
    snapshot_digest: str
    since: datetime
    failures: tuple[FailedAttempt, ...]
    released_at: datetime | None = None
    released_attempt: int = 0
    rolled_back: bool = False
    released_by: str = ""

    @property
    def active(self) -> bool:
        """Whether the fingerprint may not be tried now."""
        return self.released_at is None


class RunEventKind(StrEnum):
    """The moments of a run that are announced; each at most once for a run.

    ``APPROVAL_WANTED``: once for each target, and again after each reminder's time.
    """

    ACCEPTED = "accepted"
    TRAINING_STARTED = "training_started"
    TRAINED = "trained"
    REGISTERED = "registered"
    APPROVAL_WANTED = "approval_wanted"
    DEPLOYED = "deployed"
    NOT_PROMOTED = "not_promoted"
    ROLLED_BACK = "rolled_back"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @classmethod
    def ending(cls, outcome: Outcome) -> "RunEventKind":
        """The last event of a run with this outcome."""
        return cls.DEPLOYED if outcome is Outcome.PROMOTED else cls(outcome.value)

    @property
    def final(self) -> bool:
        """Whether the run is over."""
        return self in {RunEventKind.ending(outcome) for outcome in Outcome}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEvent:
    """A moment of a run: when it happened, and the record as it was then.

    ``target`` and ``number``: of a wish for approval; the first one has number 1.
    """

    kind: RunEventKind
    occurred_at: datetime
    record: RunRecord
    target: str = ""
    number: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnd:
    """The input of ``wind_up_run``: an orphaned run, and the outcome to record.

    ``delivers``: it may hold the delivery of its pipeline, which is given back too. From schema :data:`UNDOING` on,
    what the run made outside is undone and that is checked: ``targets`` are brought back to what they served before it,
    ``image`` is the run whose image's tag is removed, ``training`` the run whose training is stopped; both empty when
    there is nothing of that kind.
    """

    record: RunRecord
    compute: str
    delivers: bool = False
    targets: tuple[str, ...] = ()
    image: str = ""
    training: str = ""
    schema: int = 1


UNDOING = 2
"""Finalizations of this schema and later undo what their run made outside."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """The output of an activity without a result."""
