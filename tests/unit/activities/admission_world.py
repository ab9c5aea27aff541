"""Everything that admission touches: the real ledger in memory, and data and code that a test sets."""

from dataclasses import dataclass, field, replace
from typing import Any

from activities.admission_evaluation import AdmissionEvaluator
from activities.admit_run import admit_run
from activities.record_run import record_run
from function_app.api.previews import preview_run
from shared.clients.ledger import Ledger
from shared.errors import Code, PermanentError
from shared.messages import (
    Admission,
    AdmissionRequest,
    Cause,
    LeftOut,
    Outcome,
    Preview,
    RunRecord,
    RunRequest,
    Snapshot,
    Stage,
)
from shared.pipelines import Pipeline
from shared.training_code.job_trees import JobTree
from tests.support.arrivals import a_pipeline
from tests.support.builders import a_snapshot
from tests.support.jobs import MemoryJobs, a_job_tree
from tests.support.memory_tables import MemoryTables
from tests.support.workflow import START

NAME = "breast-cancer"


@dataclass
class World:
    pipeline: Pipeline = field(default_factory=lambda: a_pipeline(parameters={"depth": 3, "rate": 0.5}))
    snapshot: Snapshot = field(default_factory=lambda: a_snapshot(listing="listing-1", newest=START))
    trouble: PermanentError | None = None
    job: JobTree = field(default_factory=a_job_tree)
    frozen_jobs: MemoryJobs = field(default_factory=MemoryJobs)
    tables: MemoryTables = field(default_factory=MemoryTables)
    sinces: list[Snapshot | None] = field(default_factory=list)
    previews: int = 0

    @property
    def ledger(self) -> Ledger:
        return Ledger.over(self.tables)

    def get(self, name: str) -> Pipeline:
        if name != NAME:
            raise PermanentError(f"there is no pipeline {name!r}", code=Code.UNKNOWN_PIPELINE)
        return self.pipeline

    def take_snapshot(self, pipeline: Pipeline, *, since: Snapshot | None) -> Snapshot:
        self.sinces.append(since)
        if self.trouble is not None:
            raise self.trouble
        return self.snapshot

    def preview_snapshot(self, pipeline: Pipeline, *, since: Snapshot | None) -> Snapshot:
        self.previews += 1
        return self.take_snapshot(pipeline, since=since)

    def read(self, folder: str) -> JobTree:
        return self.job

    def admit(self, requested_by: str = "window-1", **changes: Any) -> Admission:
        return admit_run(
            request(requested_by, **changes),
            evaluator=self._evaluator,
            snapshots=self,
            frozen_jobs=self.frozen_jobs,
            runs=self.ledger.runs,
            listings=self.ledger.listings,
        )

    def preview(self, requested_by: str = "person", **changes: Any) -> Preview:
        return preview_run(request(requested_by, **changes), evaluator=self._evaluator, snapshots=self)

    def start(self, requested_by: str = "window-1", **changes: Any) -> RunRequest:
        """The run that a request is granted."""
        admission = self.admit(requested_by, **changes)
        assert admission.start
        assert admission.run is not None
        assert admission.run_id == admission.run.run_id
        return admission.run

    def end(
        self,
        run: RunRequest,
        outcome: Outcome | None,
        *,
        stage: Stage = Stage.TRAINING,
        reason: str = "",
        left_out: tuple[LeftOut, ...] = (),
    ) -> None:
        record = self.ledger.runs.run(run.run_id)
        assert record is not None
        failed = outcome is Outcome.FAILED and stage is Stage.TRAINING
        ended = replace(record, outcome=outcome, stage=stage, job_failed=failed, reason=reason, ended_at=START)
        self.record(replace(ended, left_out=record.left_out + left_out))

    def record(self, record: RunRecord) -> None:
        ledger = self.ledger
        record_run(
            record,
            runs=ledger.runs,
            champions=ledger.champions,
            listings=ledger.listings,
            quarantines=ledger.quarantines,
            retries=ledger.retries,
        )

    def decided(self) -> str | None:
        decided = self.ledger.listings.last_decided(NAME)
        return decided.listing if decided else None

    @property
    def _evaluator(self) -> AdmissionEvaluator:
        ledger = self.ledger
        return AdmissionEvaluator(
            pipelines=self,
            jobs=self,
            runs=ledger.runs,
            trainings=ledger.listings,
            quarantines=ledger.quarantines,
            champions=ledger.champions,
        )


def request(requested_by: str, **changes: Any) -> AdmissionRequest:
    asked = AdmissionRequest(pipeline=NAME, cause=Cause.NEW_DATA, requested_by=requested_by, requested_at=START)
    return replace(asked, **changes)
