"""Messages of admission: request, snapshot, plan, and the decision."""

from dataclasses import dataclass, field
from datetime import datetime

from shared.messages.arrivals import ArrivalWindow
from shared.messages.sealing import Certainty, Workload
from shared.messages.serving import DeliveryRule
from shared.messages.vocabulary import RUN_ID, Cause, Parameters, QueuePolicy, Verdict, WithoutComparison

QUEUE_SCHEMA = 2
"""Run requests of this schema and later queue for their compute, and their runs are announced."""

FAIR_COMPARISON_SCHEMA = 3
"""Run requests of this schema and later: what a run does is checked before it is believed; see :class:`RunRequest`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyTo:
    """Where the answers to a message go: kept with them are its correlation id and the sender's own reply-to."""

    message_id: str
    correlation_id: str = ""
    reply_to: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionRequest:
    """Ask for a training of what lies in a pipeline's container now. ``requested_by`` owns the claim it leads to.

    ``force``: make a new attempt even if exactly this was trained already. ``note``: why, in the requester's words.
    ``reply``: where the answers go, for requests that came as a message. ``traceparent``: the trace it belongs to.
    ``closes``: the window to close before anything is listed; None where that has been done, or there is none.
    """

    pipeline: str
    cause: Cause
    requested_by: str
    requested_at: datetime
    parameters: Parameters = field(default_factory=dict)
    window_id: str | None = None
    force: bool = False
    note: str = ""
    reply: ReplyTo | None = None
    traceparent: str = ""
    closes: ArrivalWindow | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """What a snapshot, or the training of one, did without.

    ``why``: ``still_written`` (an append blob that grew when it was listed), ``unreadable`` (its name cannot be had),
    ``changed`` (between listing and reading), ``faulty`` (a fault in the file, and the pipeline says
    ``data.on_bad_file: leave_out``), or ``metric`` (no finite number). ``first``: some of the ``count`` names.
    """

    why: str
    count: int
    first: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """An immutable list of blobs: where its manifest lies on the hub, and what it amounts to.

    ``digest`` is the SHA-256 of the manifest's bytes in hex; the manifest is named by it, and says which versions are
    read. ``content`` is the digest of names and bytes only: the same data written again have the same; empty in
    snapshots from before there was one. ``size`` in bytes. ``listing`` is the ``content`` of everything the pipeline
    watches, whatever ``data.select`` takes of it: a later listing with the same digest holds nothing new. ``newest``:
    when the newest blob of that listing was written; ``taken_at``: the hub's own clock when it began. ``seen``: name of
    the list of all that was listed, which lies beside the manifest for ``select: new`` only. ``blobs`` is 0, and there
    is no manifest, when nothing is new. ``holdout`` says which rows a model is measured on, see
    :func:`shared.formats.manifest.holdout_digest`; empty for runs from before.
    ``left_out``: what the listing showed and no manifest holds yet.
    """

    site: str
    container: str
    manifest: str
    digest: str
    blobs: int
    size: int
    newest: datetime | None = None
    listing: str = ""
    taken_at: datetime | None = None
    seen: str = ""
    content: str = ""
    holdout: str = ""
    left_out: tuple[LeftOut, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingLimits:
    """How long a training may be queued (and prepared), how long it may run, and how long it usually runs; seconds."""

    queued_seconds: float
    running_seconds: float
    expected_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotionRule:
    """When a challenger is promoted: at least ``floor``, and more than ``margin`` better than the champion.

    ``drift_limit``: so much worse than the best champion so far on the same hold-out it may be at the most.
    ``certainty``: None when the metrics alone decide.
    """

    metric: str
    higher_is_better: bool
    floor: float
    margin: float = 0.0
    drift_limit: float = 0.0
    without_comparison: WithoutComparison = WithoutComparison.KEEP
    certainty: Certainty | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetPlan:
    """One place to roll out to, and how long a candidate there may take to become healthy."""

    name: str
    health_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueRule:
    """How a run queues for its compute; of those that wait, a higher ``priority`` goes first."""

    policy: QueuePolicy = QueuePolicy.QUEUE
    priority: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FrozenJob:
    """The code that a run was admitted with: what ``training/<folder>/`` was then.

    ``tree``: SHA-256 in hex of the packed :class:`shared.training_code.job_trees.JobTree`, which is kept under that
    name.
    """

    folder: str
    tree: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a pipeline's file said when the run was admitted; later edits do not touch a run under way.

    ``leave_out_faulty``: files with a fault are left out of the training. ``job`` and ``model`` (its name in the
    registry) are missing for runs from before they were kept; these use what is deployed when a step needs it.
    ``workload`` is None for runs of schemas before :data:`shared.messages.SEALED_SCHEMA`. ``delivery``: how its model
    is rolled out, for runs of :data:`shared.messages.DELIVERY_SCHEMA` and later. ``prefix`` and ``holdout``: where in
    the snapshot's container its data lay; ``holdout`` is empty for runs from before.
    """

    compute: str
    limits: TrainingLimits
    rule: PromotionRule
    targets: tuple[TargetPlan, ...]
    queue: QueueRule = field(default_factory=QueueRule)
    quarantine_after: int = 3
    job: FrozenJob | None = None
    model: str = ""
    leave_out_faulty: bool = False
    workload: Workload | None = None
    delivery: DeliveryRule = field(default_factory=DeliveryRule)
    prefix: str = ""
    holdout: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """The input of ``retrain_model``: everything that was decided before the run was started.

    ``plan`` comes from :func:`shared.decisions.admission.run_plan.plan_of`. ``schema`` 1: runs from before the compute
    queue and the announcements, which must go on as they began; :data:`QUEUE_SCHEMA`: with both;
    :data:`FAIR_COMPARISON_SCHEMA`: their roll-outs have ids that no other child of the run can have, their models are
    compared with the champion on the same rows, and runs of one pipeline deliver one after the other;
    :data:`shared.messages.SEALED_SCHEMA`: they train by commands in containers without a network;
    :data:`shared.messages.DELIVERY_SCHEMA`: they are rolled out by plans, with approval, canary and roll-back;
    :data:`shared.messages.PREFLIGHT_SCHEMA`: they ask first whether what they need is there;
    :data:`shared.messages.FEWER_STEPS_SCHEMA`: they take no step for what an earlier one has told already.
    ``own_parameters``: the request gave some of its own. ``resumed``: the run was trained before, and its orchestration
    died since. ``evaluator``: digest of the code that measures its model. ``continues``: the run that it goes on from,
    without training; ``trained_by``: the run whose training it takes over. Both empty for a run that trains itself.
    ``traceparent``: the trace that it belongs to, as what asked for it, or of its own; empty in requests from before.
    """

    run_id: str
    pipeline: str
    attempt: int
    fingerprint: str
    snapshot: Snapshot
    plan: Plan
    cause: Cause
    requested_by: str
    requested_at: datetime
    parameters: Parameters = field(default_factory=dict)
    window_id: str | None = None
    forced: bool = False
    note: str = ""
    own_parameters: bool = False
    resumed: bool = False
    evaluator: str = ""
    continues: str = ""
    trained_by: str = ""
    traceparent: str = ""
    schema: int = 1

    @property
    def training(self) -> str:
        """The run whose training's results it uses."""
        return self.trained_by or self.run_id

    def __post_init__(self) -> None:
        if not RUN_ID.match(self.run_id):
            raise ValueError(f"run_id {self.run_id!r} must match {RUN_ID.pattern}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """The answer to an :class:`AdmissionRequest`.

    ``start`` is true for the one caller that owns the claim and must start ``run``; otherwise ``run_id`` names the
    run that already trained, or is training, the same fingerprint. ``reason`` is a sentence for a data owner.
    """

    start: bool
    run_id: str | None
    verdict: Verdict
    reason: str
    run: RunRequest | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a request would lead to, decided on the data as they are now; nothing was written.

    ``would_start``: whether a run would start; ``run_id`` is then the id it would get, otherwise the run that trained
    the same already.
    """

    would_start: bool
    verdict: Verdict
    reason: str
    run_id: str | None = None
    fingerprint: str | None = None
    blobs: int = 0
    size: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerRequest:
    """Answer a request that came as a message: accepted, trained already, or rejected with the reason."""

    request: AdmissionRequest
    admission: Admission | None = None
    rejected: str = ""
