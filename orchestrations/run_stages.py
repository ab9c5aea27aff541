"""The stages of one run, which all add to one record; ``retrain_model`` calls them in order."""

from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any

import azure.durable_functions as df

from orchestrations import await_compute, call_safely
from orchestrations.failures import AttributedError
from orchestrations.preflight import preflight
from orchestrations.progress import announce, report
from orchestrations.roll_out_stage import roll_out_to_all
from orchestrations.run_messages import comparison_with, judgement_on, lineage_of, training_order, why_it_takes_over
from orchestrations.stage_retries import Steps, retry_while_outside
from shared.contracts import (
    BUILD_IMAGE,
    COLLECT_TRAINING,
    ISSUE_PASSPORT,
    READ_CHAMPION,
    READ_RECEIPT,
    RECORD_RUN,
    REGISTER_MODEL,
)
from shared.decisions.delivery.together import outcome_of
from shared.decisions.snapshots.omissions import described
from shared.decisions.training.retry_schedule import retry_text
from shared.formats.size_limits import bounded_metrics, bounded_record, bounded_targets
from shared.messages import (
    DELIVERY_SCHEMA,
    FAIR_COMPARISON_SCHEMA,
    FEWER_STEPS_SCHEMA,
    QUEUE_SCHEMA,
    SEALED_SCHEMA,
    BuildImage,
    BuiltImage,
    Champion,
    ChampionMeasurement,
    ChampionQuery,
    FailureKind,
    IssuePassport,
    Outcome,
    RegisteredModel,
    RegisterModel,
    RunEventKind,
    RunRequest,
    Stage,
    TrainedModel,
    TrainingEnd,
    TrainingPhase,
    TrainingPoll,
    TrainingRef,
    Turn,
    delivery_of,
    first_record,
)
from shared.orchestration_ids import compute_id, delivery_id, image_id, registration_id, roll_out_id, training_id
from shared.values.wire import from_wire, to_wire

NOTHING_SAID = "the job on the VM reported nothing about the champion's model"


class RunEndedError(AttributedError):
    """The run ends before its last stage; ``kind`` is None when that is not a failure."""

    def __init__(self, outcome: Outcome, reason: str, kind: FailureKind | None = None) -> None:
        super().__init__(reason, kind)
        self.outcome = outcome


class Run:
    """One run: its request, its record, and the results that later stages need."""

    def __init__(self, context: df.DurableOrchestrationContext, request: RunRequest) -> None:
        self.context = context
        self.request = request
        self.trained: TrainedModel | None = None
        self.rival: str | None = None
        self.rival_then: Champion | None = None
        self.crowned: Champion | None = None
        self.unmeasured = NOTHING_SAID
        self.compared: ChampionMeasurement | None = None
        self.delivers = False
        self.unkept = ""
        self.image: BuiltImage | None = None
        self.record = first_record(request)

    @property
    def is_sealed(self) -> bool:
        """Whether it trains by commands in containers, and leaves a receipt."""
        return self.request.schema >= SEALED_SCHEMA

    @property
    def is_checked(self) -> bool:
        """Whether its request is of the current schema."""
        return self.request.schema >= FAIR_COMPARISON_SCHEMA

    @property
    def takes_fewer_steps(self) -> bool:
        """Whether it takes no step for what an earlier one has told already."""
        return self.request.schema >= FEWER_STEPS_SCHEMA

    @property
    def queues(self) -> bool:
        """Whether it has to wait for its compute. A training that has ended needs none, and must not be refused one."""
        return self.request.schema >= QUEUE_SCHEMA and not self.request.resumed

    def enter(self, stage: Stage, **progress: Any) -> None:
        """Begin a stage: set it in the record and in the custom status."""
        reached = {**self.record.reached}
        reached.setdefault(stage.value, self.context.current_utc_datetime)
        self.record = replace(self.record, stage=stage, reached=reached)
        report(self.context, stage, record=self.record, **progress)

    def end(self, outcome: Outcome, reason: str, kind: FailureKind | None = None) -> None:
        """End the run with this outcome; ``kind``: its failure kind."""
        whole = f"{reason}; {self.unkept}" if self.unkept else reason
        counts = self.record.job_failed or (kind is not None and kind.counts)
        record = replace(self.record, outcome=outcome, failure_kind=kind, job_failed=counts)
        whole += retry_text(record) + described(record.left_out)
        record = replace(record, reason=whole)
        self.record = bounded_record(record)

    def retry_while_outside(self, steps: Callable[[], Steps]) -> Steps:
        """Do a stage; runs of the current schema repeat it (stage retry) while the failure kind is outside."""
        if self.is_checked:
            yield from retry_while_outside(self.context, steps, lambda: self.record)
        else:
            yield from steps()

    def announce(self, kind: RunEventKind) -> Steps:
        """Announce a moment of the run."""
        if self.request.schema >= QUEUE_SCHEMA:
            yield from announce(self.context, kind, self.record)

    def announce_outcome(self) -> Steps:
        """Announce the outcome."""
        if self.record.outcome is not None:
            yield from self.announce(RunEventKind.ending(self.record.outcome))

    def preflight(self) -> Steps:
        """End the run when something is wrong that its training needs."""
        wrong = yield from preflight(self.context, self.request)
        if wrong:
            raise RunEndedError(Outcome.FAILED, f"preflight: {wrong}", FailureKind.OUTSIDE)

    def train_in_turn(self) -> Steps:
        """Acquire the compute, train, and give the compute back however the training ends."""
        try:
            yield from self.wait_for_turn()
            yield from self.announce(RunEventKind.TRAINING_STARTED)
            yield from self.train()
        except Exception:  # no finally: a generator that is being closed must not yield
            yield from self.give_back()
            raise
        yield from self.give_back()

    def wait_for_turn(self) -> Steps:
        """Wait for the compute."""
        self.enter(Stage.WAITING, compute=self.request.plan.compute, details=compute_id(self.request.run_id))
        turn = await_compute.outcome((yield await_compute.start(self.context, self.request)))
        if turn.turn is not Turn.GRANTED:
            raise RunEndedError(Outcome.CANCELLED, f"waiting: {turn.reason}")
        self.crowned = turn.champion if self.takes_fewer_steps else None

    def give_back(self) -> Steps:
        """Give the compute back to the queue."""
        yield from await_compute.give_back(self.context, self.request.plan.compute, self.request.run_id)

    def wait_to_deliver(self) -> Steps:
        """Wait until no other run of the pipeline delivers; held until this run's record is written.

        Two deliveries at once would be judged against the same champion, and remove each other's candidates.
        """
        self.enter(Stage.JUDGING, details=delivery_id(self.request.run_id))
        self.delivers = True
        why = why_it_takes_over(self.request, self.record, self.compared, self.rival_then)
        turn = await_compute.outcome((yield await_compute.start_for_delivery(self.context, self.request, why)))
        if turn.turn is not Turn.GRANTED:
            raise RunEndedError(Outcome.CANCELLED, f"judging: {turn.reason}")
        self.crowned = turn.champion if self.takes_fewer_steps else None

    def let_others_deliver(self) -> Steps:
        """Give the delivery back to the queue."""
        if self.delivers and not self.takes_fewer_steps:  # else recording the run has done it
            yield from await_compute.give_back(self.context, delivery_of(self.request.pipeline), self.request.run_id)

    def champion(self) -> Generator[Any, Any, Champion]:
        """The current champion: as it came with the turn that was just granted, or else asked for."""
        known, self.crowned = self.crowned, None
        if known is not None:
            return known
        champion = yield from READ_CHAMPION.call(self.context, ChampionQuery(pipeline=self.request.pipeline))
        return champion

    def train(self) -> Steps:
        """Train to the end; raises :class:`RunEndedError` unless the training completed."""
        request = self.request
        self.enter(Stage.TRAINING, details=training_id(request.run_id))
        champion = (yield from self.champion()) if self.is_checked else None
        self.rival_then = champion
        order = training_order(request, champion)
        poll = TrainingPoll(order=order, limits=request.plan.limits, schema=request.schema)
        reply = yield self.context.call_sub_orchestrator("await_training", to_wire(poll), training_id(request.run_id))
        end = from_wire(TrainingEnd, reply)
        if end.phase is not TrainingPhase.COMPLETED:
            self.record = replace(self.record, job_failed=end.job_failed)
            if self.is_sealed and end.phase is TrainingPhase.FAILED and end.rounds:
                yield from self.read_receipt()
            outcome = Outcome.CANCELLED if end.phase is TrainingPhase.CANCELLED else Outcome.FAILED
            reason = f"training: {end.reason or 'it was cancelled in Azure ML'}"
            raise RunEndedError(outcome, reason, end.failure_kind)
        self.rival, self.unmeasured = order.champion, end.unmeasured or NOTHING_SAID
        if not self.is_checked:
            yield from self.collect()

    def collect(self) -> Steps:
        """Collect the training's results: metrics, and what it left out."""
        request = self.request
        ref = self.training_ref(metrics=(request.plan.rule.metric,))
        self.trained = yield from COLLECT_TRAINING.call(self.context, ref)
        self.compared = self.trained.compared
        if self.compared is None and self.rival:
            self.compared = ChampionMeasurement(run_id=self.rival, trouble=self.unmeasured)
        metrics, self.unkept = bounded_metrics(self.trained.metrics, request.plan.rule.metric)
        left_out = self.record.left_out + self.trained.left_out
        self.record = replace(self.record, metrics=metrics, left_out=left_out, receipt=self.trained.receipt)

    def training_ref(self, metrics: tuple[str, ...] = ()) -> TrainingRef:
        """The run's training, and what it must have measured."""
        compute = self.request.plan.compute if self.is_sealed else ""
        return TrainingRef(
            run_id=self.request.training, pipeline=self.request.pipeline, metrics=metrics, compute=compute
        )

    def read_receipt(self) -> Steps:
        """Add what left the site to the record of a failed run; a run fails for its own reason, not for want of it."""
        ref = self.training_ref()
        with suppress(Exception):
            found = yield from READ_RECEIPT.call(self.context, ref)
            self.record = replace(self.record, receipt=found.receipt)

    def judge(self) -> Steps:
        """Judge against the current champion, which may be another one than when the training began."""
        self.enter(Stage.JUDGING)
        champion = yield from self.champion()
        judgement = judgement_on(self.request, self.record, self.compared, champion)
        self.record = replace(
            self.record,
            champion_run_id=champion.run_id,
            reason=judgement.reason,
            champion_value=judgement.champion_value,
            comparable=judgement.comparable,
            overtaken=judgement.overtaken,
            rules=judgement.rules,
            comparison=comparison_with(champion, self.compared),
        )
        if not judgement.promoted:
            raise RunEndedError(Outcome.NOT_PROMOTED, judgement.reason)

    def deliver(self) -> Steps:
        """Register the model and build the image at the same time; raises unless both worked."""
        assert self.trained is not None  # noqa: S101 - train() came before; for the type checker
        context, path, lineage = self.context, self.trained.model_path, lineage_of(self.request, self.record)
        self.enter(Stage.DELIVERING, doing=["registering the model", "building the image"])
        created = self.trained.ended_at or self.request.requested_at
        replies = yield context.task_all(
            [
                call_safely.start(
                    context,
                    REGISTER_MODEL,
                    RegisterModel(lineage=lineage, model_path=path, name=self.request.plan.model),
                    registration_id(self.request.run_id),
                ),
                call_safely.start(
                    context,
                    BUILD_IMAGE,
                    BuildImage(
                        lineage=lineage,
                        model_path=path,
                        created_at=created,
                        job=self.request.plan.job,
                        for_run=self.request.run_id if self.request.continues else "",
                    ),
                    image_id(self.request.run_id),
                ),
            ]
        )
        registered: RegisteredModel = call_safely.outcome(REGISTER_MODEL, replies[0])
        self.record = replace(self.record, model=registered.name, version=registered.version)
        self.image = call_safely.outcome(BUILD_IMAGE, replies[1])
        self.record = replace(self.record, image=self.image.reference)

    def roll_out(self) -> Steps:
        """Roll out to all targets; a target whose roll-out fails serves what it served before."""
        targets = self.request.plan.targets
        ids = {target.name: roll_out_id(self.request, target.name) for target in targets}
        self.enter(Stage.ROLLING_OUT, targets=[target.name for target in targets], details=ids)
        results = bounded_targets((yield from roll_out_to_all(self.context, self.request, self.record)))
        self.record = replace(self.record, targets=results)
        outcome, said, kind = outcome_of(results)
        if outcome is not Outcome.PROMOTED:
            raise RunEndedError(outcome, said, kind)
        self.end(Outcome.PROMOTED, self.record.reason + said)

    def keep(self) -> Steps:
        """Record the outcome in the ledger."""
        now: datetime = self.context.current_utc_datetime
        seconds = round((now - self.request.requested_at).total_seconds(), 3)
        self.record = replace(self.record, ended_at=now, seconds=seconds)
        report(self.context, Stage.RECORDING)
        yield from RECORD_RUN.call(self.context, self.record)
        report(self.context, Stage.DONE, outcome=self.record.outcome, reason=self.record.reason)

    def issue_passport(self) -> Steps:
        """Attach the passport of a model that is served to its image; the run has ended well without it, too."""
        if self.request.schema >= DELIVERY_SCHEMA and self.record.outcome is Outcome.PROMOTED:
            with suppress(Exception):
                yield from ISSUE_PASSPORT.call(self.context, IssuePassport(run_id=self.request.run_id))
