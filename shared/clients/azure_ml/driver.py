"""The training driver that speaks to Azure ML; the protocol is :class:`shared.training_driver.TrainingDriver`.

A run id is chosen by us and is Azure ML's run id too, so every look-up is one request. Whether the service itself
refuses a second run of the same id is not documented; the look-up before and after the submit makes it rare to ask.
"""

import tempfile
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from shared.clients.azure_ml.comparison import read_compared
from shared.clients.azure_ml.compute import Turns, attach_compute, job_interpreter
from shared.clients.azure_ml.errors import translated
from shared.clients.azure_ml.metrics import read_metrics
from shared.clients.azure_ml.outputs import RunOutputs
from shared.clients.azure_ml.receipts import read_receipt
from shared.clients.azure_ml.reports import left_out_in, tell_steps
from shared.clients.azure_ml.statuses import error_of
from shared.clients.azure_ml.workspace import AzureMlWorkspace
from shared.decisions.training.failure_causes import FailureTrace, failure_cause, why_cancelled
from shared.decisions.training.run_states import phase_of
from shared.errors import Code, PermanentError, TransientError
from shared.messages import ReceiptSummary, TrainedModel, TrainingPhase, TrainingRef, TrainingStatus
from shared.settings import Compute
from shared.training_code.job_trees import CODE, ENTRY, JobTree
from shared.training_driver import TrainingJob

MODEL_PATH = "outputs/model"  # where every job leaves its model
FAILURE_TAG = "edgetrain.failure"  # written by the job: why it failed, in words fit for the cloud
KIND_TAG = "edgetrain.failure_kind"  # and its failure kind

START = """\
import os, sys

os.execv(sys.executable, [sys.executable, "-I", "-m", "site_agent.job", "run", *sys.argv[1:]])
"""
"""All that Azure ML itself runs on the VM: it starts the job that the operator installed, apart from what was sent."""

# While it submits, the SDK changes the working directory of the whole process to the job's folder, and then back to
# where it was. Side by side, one thread would go back to the folder of another, which is gone.
_ONE_SUBMIT = threading.Lock()


class AzureMlDriver:
    """Runs trainings as script runs on an attached VM, one experiment per pipeline."""

    def __init__(self, workspace: AzureMlWorkspace, computes: Callable[[str], Compute], turns: Turns) -> None:
        self._workspace = workspace
        self._compute = computes
        self._turns = turns

    def submit(self, job: TrainingJob) -> TrainingStatus:
        """Start the job, or take over the run of this id that an earlier attempt started."""
        run = self._find(job) or self._start(job)
        with translated(f"tag run {job.run_id}"):
            # Tags are written after the start; a crash in between leaves a run without them. Merging is safe.
            run.set_tags(job.tags)
        return _status(run)

    def check(self, training: TrainingRef) -> TrainingStatus:
        """The training's current status; one request while it is under way."""
        return _status(self._workspace.run(training.pipeline, training.run_id))

    def cancel(self, training: TrainingRef) -> None:
        """Ask Azure ML to stop the run, unless it has ended."""
        run = self._workspace.run(training.pipeline, training.run_id)
        if not phase_of(run.status).terminal:
            with translated(f"cancel run {training.run_id}"):
                run.cancel()

    def collect(self, training: TrainingRef) -> TrainedModel:
        """Metrics and model path of a completed run; raises :class:`PermanentError` if it has no model."""
        run = self._workspace.run(training.pipeline, training.run_id)
        outputs = RunOutputs(run)
        if not outputs.below(MODEL_PATH):
            reason = f"run {training.run_id} is {run.status} but left nothing under {MODEL_PATH}/; prepare the VM again"
            raise PermanentError(reason, code=Code.TRAINING_OUTPUT_MISSING)
        metrics = read_metrics(run, outputs, training.metrics)
        with translated(f"read the outcome of run {training.run_id}"):
            details, tags = run.get_details(), run.get_tags()
        tell_steps(tags, training.run_id, training.pipeline)
        return TrainedModel(
            run_id=training.run_id,
            pipeline=training.pipeline,
            metrics=metrics,
            model_path=MODEL_PATH,
            compared=read_compared(outputs, training.run_id, training.metrics),
            ended_at=_instant(details.get("endTimeUtc")),
            left_out=left_out_in(tags),
            receipt=self._receipt(outputs, training),
        )

    def receipt(self, training: TrainingRef) -> ReceiptSummary | None:
        """What left the site with an ended run; None when it left no receipt."""
        return self._receipt(RunOutputs(self._workspace.run(training.pipeline, training.run_id)), training)

    def fetch(self, run_id: str, pipeline: str, model_path: str, *, into: Path) -> None:
        """Write the files below ``model_path`` in the run's outputs into a folder, without that prefix."""
        RunOutputs(self._workspace.run(pipeline, run_id)).download(model_path, into=into)

    def _receipt(self, outputs: RunOutputs, training: TrainingRef) -> ReceiptSummary | None:
        if not training.compute:
            return None
        return read_receipt(outputs, training.run_id, training.compute, self._compute(training.compute))

    def _find(self, job: TrainingJob) -> Any:
        try:
            return self._workspace.run(job.pipeline, job.run_id)
        except PermanentError as error:
            if error.code is Code.TRAINING_UNKNOWN:
                return None
            raise

    def _start(self, job: TrainingJob) -> Any:
        attach_compute(self._workspace.open(), job.compute, self._compute(job.compute), self._turns)
        with _ONE_SUBMIT, tempfile.TemporaryDirectory(prefix="edgetrain-job-") as folder:
            _stage(job.code, Path(folder))  # the same code is the same tree, which Azure ML then does not upload again
            try:
                with translated(f"submit run {job.run_id}"):
                    configuration = self._configuration(job, folder)
                    return self._workspace.experiment(job.pipeline).submit(configuration, run_id=job.run_id)
            except TransientError:
                # Somebody else may have started it meanwhile, or the answer to our own request was lost.
                run = self._find(job)
                if run is None:
                    raise
                return run

    def _configuration(self, job: TrainingJob, folder: str) -> Any:
        from azureml.core import Environment, ScriptRunConfig

        environment = Environment("edgetrain-job")
        environment.python.user_managed_dependencies = True
        environment.python.interpreter_path = job_interpreter(self._compute(job.compute))
        configuration = ScriptRunConfig(
            folder,
            script=ENTRY,
            arguments=["--order", job.order],
            compute_target=job.compute,
            environment=environment,
            max_run_duration_seconds=job.most_seconds,
        )
        # Progress shows while it happens; the trace is for whoever reads the job's own log on the VM.
        trace = {"TRACEPARENT": job.traceparent} if job.traceparent else {}
        configuration.run_config.environment_variables = {"PYTHONUNBUFFERED": "1", **trace}
        return configuration


def _stage(code: JobTree, into: Path) -> None:
    (into / ENTRY).write_text(START, encoding="utf-8")
    code.stage(into / CODE)


def _status(run: Any) -> TrainingStatus:
    phase = phase_of(run.status)
    if phase is TrainingPhase.CANCELLED:
        # The service cancels by itself too, for example after the longest time a run may take, and says why.
        with translated(f"read why run {run.id} was cancelled"):
            _, text = error_of(run.get_details().get("error"))
        return TrainingStatus(phase=phase, detail=why_cancelled(text))
    if phase is not TrainingPhase.FAILED:
        return TrainingStatus(phase=phase, detail=run.status)
    with translated(f"read why run {run.id} failed"):
        cause = failure_cause(_trace(run))
    return TrainingStatus(phase=phase, detail=cause.reason, failure_kind=cause.kind)


def _trace(run: Any) -> FailureTrace:
    """What is known about a failure. The log is never read: its lines may quote the data."""
    tags = run.get_tags()
    tell_steps(tags, run.id, run.experiment.name)
    code, text = error_of(run.get_details().get("error"))
    return FailureTrace(
        run_id=run.id,
        pipeline=run.experiment.name,
        said=str(tags.get(FAILURE_TAG) or ""),
        kind=str(tags.get(KIND_TAG) or ""),
        code=code,
        service=text,
    )


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
