"""Submit the training of a run to the training driver, once."""

import json
from typing import Protocol

from shared.formats.manifest import CONTAINER as MANIFESTS
from shared.messages import FrozenJob, TrainingOrder, TrainingStatus
from shared.oci.references import ImageName
from shared.pipelines import Pipeline
from shared.training_code.job_trees import JobTree
from shared.training_code.scoring_images import scoring_parts
from shared.training_driver import TrainingDriver, TrainingJob
from shared.wire_contracts.job_order import order_text

GRACE_SECONDS = 600  # longer than the run's own limit, so that the orchestration cancels first and records why


class PipelineCatalogue(Protocol):
    """Reads pipelines."""

    def get(self, name: str) -> Pipeline:
        """The pipeline of that name; raises :class:`shared.errors.PermanentError`."""


class RunCode(Protocol):
    """Reads the code of admitted runs."""

    def of(self, pipeline: str, job: FrozenJob | None) -> JobTree:
        """The code that the run was admitted with; raises :class:`shared.errors.PermanentError` when it is gone."""


class DependencyImages(Protocol):
    """Finds dependency images."""

    def reference(self, name: ImageName, *, pipeline: str) -> str:
        """The pinned image by digest; raises :class:`shared.errors.PermanentError` when it is not there, or moved."""


def submit_training(
    order: TrainingOrder,
    *,
    driver: TrainingDriver,
    code: RunCode,
    pipelines: PipelineCatalogue,
    images: DependencyImages,
) -> TrainingStatus:
    """Submit the order; a repeat returns the training that the first call started.

    It trains in the dependency image of its code, by digest. ``pipelines`` is read only for orders of older schemas,
    whose runs carry no plan.
    """
    limit = order.running_seconds
    if limit is None:
        limit = pipelines.get(order.pipeline).train.running_limit_seconds
    tree = code.of(order.pipeline, order.job)
    if order.workload is None:
        arguments = _arguments(order)
    else:
        image = images.reference(scoring_parts(tree).dependency_image, pipeline=order.pipeline)
        arguments = "--order", order_text(order, order.workload, image=image, seconds=int(limit))
    job = TrainingJob(
        run_id=order.run_id,
        pipeline=order.pipeline,
        compute=order.compute,
        code=tree,
        arguments=arguments,
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
    """The command line of the ``job.py`` of a run from before sealed training; references only."""
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
