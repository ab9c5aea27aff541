"""A site that trains: what a data owner and the app have prepared, and a client of the driver and the registry."""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from activities.submit_training import submit_training
from local_stack.demo_data import breast_cancer_story, digits_story
from shared.messages import (
    TrainingOrder,
    TrainingRef,
    TrainingStatus,
)
from shared.pipelines import Pipelines
from shared.training_code.job_folders import JobFolders
from shared.training_code.run_code import RunCode
from shared.training_driver import TrainingJob
from tests.integration.training_driver import hub as hubs
from tests.integration.training_driver.client import APP_ROOT, Client
from tests.support.image_registry import InMemoryRegistry, pinned_images
from tests.support.jobs import MemoryJobs
from tests.support.training import MemoryDriver

STORIES = {"breast-cancer": breast_cancer_story(), "digits": digits_story()}
PATIENCE_SECONDS = 90.0


def a_job(order: TrainingOrder) -> TrainingJob:
    """The job that the activity makes of an order."""
    recorder = MemoryDriver()
    pipelines, deployed = Pipelines(APP_ROOT / "pipelines"), JobFolders(APP_ROOT)
    code = RunCode(kept=MemoryJobs(), deployed=deployed, pipelines=pipelines)
    images = pinned_images(InMemoryRegistry())
    submit_training(order, driver=recorder, code=code, pipelines=pipelines, images=images)
    return recorder.jobs[order.run_id]


@dataclass
class Site:
    """What a data owner and the app have prepared, and a client to train with."""

    client: Client
    hub: str

    def job(
        self, pipeline: str = "breast-cancer", *, champion: str | None = None, holdout: bytes = b"", **extra: bytes
    ) -> TrainingJob:
        """A job on the first drop of a fresh container; ``extra`` blobs lie beside it."""
        story, container = STORIES[pipeline], f"data-{secrets.token_hex(8)}"
        named = {f"landing/{name}.csv": content for name, content in extra.items()}
        hubs.put(self.hub, container, {story.holdout_name: holdout or story.holdout, **story.first, **named})
        snapshot = hubs.take_snapshot(self.hub, pipeline, container=container, holdout=story.holdout_name)
        fingerprint = secrets.token_hex(32)
        return a_job(
            TrainingOrder(
                run_id=f"{pipeline}-{fingerprint[:12]}-1",
                pipeline=pipeline,
                compute="hub-vm",
                snapshot=snapshot,
                parameters={"most_iterations": 500},
                fingerprint=fingerprint,
                champion=champion,
            )
        )

    def until(self, job: TrainingJob, reached: Callable[[TrainingStatus], bool]) -> TrainingStatus:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            status = self.client.driver("check", ref(job))
            assert isinstance(status, TrainingStatus), status
            if reached(status):
                return status
            assert time.monotonic() < deadline, f"still {status} after {PATIENCE_SECONDS} s"
            time.sleep(0.1)

    def end(self, job: TrainingJob) -> TrainingStatus:
        return self.until(job, lambda status: status.phase.terminal)

    def run(self, job: TrainingJob) -> dict[str, Any]:
        """The run as the SDK shows it."""
        shown: dict[str, Any] = self.client.begin("facts", "run", job.pipeline, job.run_id).result(timeout=60)
        return shown


def ref(job: TrainingJob) -> TrainingRef:
    return TrainingRef(run_id=job.run_id, pipeline=job.pipeline)
