"""Submit the training of a run to the training driver, once."""

import json
from typing import Protocol

from shared.formats.manifest import CONTAINER as MANIFESTS
from shared.messages import FrozenJob, TrainingOrder, TrainingStatus
from shared.pipelines import Pipeline
from shared.training_code.job_trees import JobTree
from shared.training_driver import TrainingDriver, TrainingJob

GRACE_SECONDS = 600  # longer than the run's own limit, so that the orchestration cancels first and records why


class PipelineCatalogue(Protocol):
    """Reads pipelines."""

    def get(self, name: str) -> Pipeline:
        """The pipeline of that name; raises :class:`shared.errors.PermanentError`."""


class RunCode(Protocol):
    """Reads the code of admitted runs."""

    def of(self, pipeline: str, job: FrozenJob | None) -> JobTree:
        """The code that the run was admitted with; raises :class:`shared.errors.PermanentError` when it is gone."""


def submit_training(
    order: TrainingOrder, *, driver: TrainingDriver, code: RunCode, pipelines: PipelineCatalogue
) -> TrainingStatus:
    """Submit the order; a repeat returns the training that the first call started.

    ``pipelines`` is read only for orders of older schemas, whose runs carry no plan.
    """
    limit = order.running_seconds
    if limit is None:
        limit = pipelines.get(order.pipeline).train.running_limit_seconds
    job = TrainingJob(
        run_id=order.run_id,
        pipeline=order.pipeline,
        compute=order.compute,
        code=code.of(order.pipeline, order.job),
        arguments=_arguments(order),
        most_seconds=int(limit) + GRACE_SECONDS,
        tags={
            "pipeline": order.pipeline,
            "fingerprint": order.fingerprint,
            "snapshot": order.snapshot.digest,
            "holdout": order.snapshot.holdout,
            "evaluator": order.evaluator,
        },
    )
    return driver.submit(job)


def _arguments(order: TrainingOrder) -> tuple[str, ...]:
    """The command line of ``job.py``; references only."""
    options = {
        **({"--judged-metric": order.judged_metric} if order.judged_metric else {}),
        **({"--on-bad-file": "leave_out"} if order.leave_out_faulty else {}),
        "--run-id": order.run_id,
        "--site": order.snapshot.site,
        "--manifest-container": MANIFESTS,
        "--manifest": order.snapshot.manifest,
        "--container": order.snapshot.container,
        "--parameters": json.dumps(order.parameters, sort_keys=True),
    }
    if order.champion:
        options["--champion"] = order.champion
    return tuple(part for option in options.items() for part in option)
