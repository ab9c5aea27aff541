"""A site that trains: what a data owner and the app have prepared, and a client of the driver and the registry."""

import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.messages import TrainingRef, TrainingStatus
from shared.training_code.job_trees import LOCK, JobTree
from shared.training_driver import TrainingJob
from tests.integration.training_driver import hub as hubs
from tests.integration.training_driver.client import Client
from tests.support.job_installation import InstalledJob
from tests.support.tiny_training import CODE, ORDER, policy_for, rows

PIPELINE = "tiny"
HOLDOUT = "holdout/rows.csv"
MOST_SECONDS = 600
PATIENCE_SECONDS = 600.0


@dataclass
class Site:
    """What a data owner and the app have prepared, and a client to train with. ``image``: by digest."""

    client: Client
    hub: str
    registry: str
    image: str
    installed: InstalledJob
    containers: list[str] = field(default_factory=list)

    def job(
        self,
        *,
        champion: Mapping[str, str] | None = None,
        files: Mapping[str, str] | None = None,
        extra: Mapping[str, bytes] | None = None,
        shrink: float = 0.0,
    ) -> TrainingJob:
        """A job on the data of a fresh container. ``files`` change the code, ``extra`` blobs lie beside the data."""
        container, fingerprint = f"data-{secrets.token_hex(8)}", secrets.token_hex(32)
        self.containers.append(container)
        self.allow(*self.containers)
        hubs.put(self.hub, container, {HOLDOUT: rows(60, seed=1), "landing/a.csv": rows(120, seed=2), **(extra or {})})
        snapshot = hubs.take_snapshot(self.hub, PIPELINE, container=container, holdout=HOLDOUT)
        run_id = f"{PIPELINE}-{fingerprint[:12]}-1"
        order: dict[str, Any] = {**ORDER, "run_id": run_id, "container": container, "manifest": snapshot.manifest}
        order |= {"image": self.image, "champion": champion, "parameters": {"shrink": shrink}}
        code = {name: text.encode() for name, text in {**CODE, **(files or {})}.items()}
        return TrainingJob(
            run_id=run_id,
            pipeline=PIPELINE,
            compute="hub-vm",
            code=JobTree(PIPELINE, code, {LOCK: b"numpy==2\n"}),
            order=json.dumps(order, sort_keys=True, separators=(",", ":")),
            most_seconds=MOST_SECONDS,
            tags={"pipeline": PIPELINE, "fingerprint": fingerprint},
        )

    def allow(self, *containers: str) -> None:
        """Write the site's policy."""
        rule = {"site": "factory", "containers": list(containers), "prefixes": ["landing/", "holdout/"]}
        self.installed.write_policy(policy_for(self.registry, "", pipelines={PIPELINE: rule}))

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
        shown: dict[str, Any] = self.client.begin("facts", "run", job.pipeline, job.run_id).result(timeout=600)
        return shown


def ref(job: TrainingJob) -> TrainingRef:
    return TrainingRef(run_id=job.run_id, pipeline=job.pipeline, metrics=("squared_error",), compute=job.compute)
