"""Start the training of a run, once."""

import json
from typing import Protocol

from shared.decisions.manifest import CONTAINER as MANIFESTS
from shared.messages import TrainingOrder, TrainingStatus
from shared.pipelines import Pipeline
from shared.training_driver import TrainingDriver, TrainingJob

GRACE_SECONDS = 600  # after a run's own limit: the orchestration cancels first, and says why


class PipelineCatalogue(Protocol):
    """Knows the pipelines."""

    def get(self, name: str) -> Pipeline:
        """The pipeline of that name; raises :class:`shared.errors.PermanentError`."""


class Environments(Protocol):
    """Knows which libraries a training folder asks for."""

    def environment(self, folder: str) -> str:
        """The key of the Python environment on the compute target."""


def submit_training(
    order: TrainingOrder, *, driver: TrainingDriver, pipelines: PipelineCatalogue, environments: Environments
) -> TrainingStatus:
    """Hand the order to the driver; a repeated order finds the training that the first one started."""
    train = pipelines.get(order.pipeline).train
    job = TrainingJob(
        run_id=order.run_id,
        pipeline=order.pipeline,
        compute=order.compute,
        folder=train.folder,
        environment=environments.environment(train.folder),
        arguments=_arguments(order),
        most_seconds=int(train.running_limit_seconds) + GRACE_SECONDS,
        tags={
            "pipeline": order.pipeline,
            "fingerprint": order.fingerprint,
            "snapshot": order.snapshot.digest,
        },
    )
    return driver.submit(job)


def _arguments(order: TrainingOrder) -> tuple[str, ...]:
    """The command line of ``job.py``; references only."""
    options = {
        "--run-id": order.run_id,
        "--site": order.snapshot.site,
        "--manifest-container": MANIFESTS,
        "--manifest": order.snapshot.manifest,
        "--container": order.snapshot.container,
        "--parameters": json.dumps(order.parameters, sort_keys=True),
    }
    return tuple(part for option in options.items() for part in option)
