"""A job as the VM runs it, on real blob storage, with only Azure ML's run replaced."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from local_stack.demo_data import HOLDOUT_BLOB, breast_cancer_story
from shared.messages import Snapshot
from tests.integration.training_driver import hub as hubs
from tests.support.job_modules import common_modules
from training.breast_cancer import score, train

with common_modules("job_runtime", "job_report", "hub_reader") as (_runtime, _report, _reader):
    job_runtime: ModuleType = _runtime
    job_report: ModuleType = _report
    hub_reader: ModuleType = _reader

DATA = breast_cancer_story()
CANARY = "4242.4242"


@dataclass
class OtherRun:
    """A run of which only the files are asked."""

    files: dict[str, bytes]

    def get_file_names(self) -> list[str]:
        return list(self.files)

    def download_file(self, name: str, output_file_path: str) -> None:
        Path(output_file_path).write_bytes(self.files[name])


@dataclass
class RecordingRun:
    metrics: dict[str, float] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    flushed: bool = False
    others: dict[str, dict[str, bytes]] = field(default_factory=dict)
    """The files of other runs in the workspace."""

    @property
    def experiment(self) -> Any:
        return SimpleNamespace(workspace=SimpleNamespace(get_run=lambda run_id: OtherRun(self.others[run_id])))

    def log(self, name: str, value: float) -> None:
        self.metrics[name] = value

    def set_tags(self, tags: dict[str, str]) -> None:
        self.tags |= tags

    def flush(self) -> None:
        self.flushed = True


@dataclass
class Job:
    """One job in a folder of its own, as a VM would run it."""

    hub: str
    container: str
    run: RecordingRun = field(default_factory=RecordingRun)

    def put(self, blobs: dict[str, bytes]) -> None:
        hubs.put(self.hub, self.container, blobs)

    def snapshot(self) -> Snapshot:
        return hubs.take_snapshot(self.hub, "breast-cancer", container=self.container, holdout=HOLDOUT_BLOB)

    def start(
        self,
        snapshot: Snapshot,
        *,
        learner: Any = train,
        scorer: Any = score,
        parameters: str = "{}",
        **changes: str,
    ) -> int:
        options = {
            "--run-id": "run-1",
            "--site": "factory",
            "--manifest-container": hubs.MANIFESTS,
            "--manifest": snapshot.manifest,
            "--container": self.container,
            "--parameters": parameters,
        } | {f"--{name.replace('_', '-')}": value for name, value in changes.items()}
        arguments = [part for option in options.items() for part in option]
        status: int = job_runtime.run_job(learner, scorer, arguments, open_run=lambda: self.run)
        return status

    @property
    def failure(self) -> str:
        return self.run.tags[job_runtime.FAILURE_TAG]

    @staticmethod
    def learner(**changes: Any) -> Any:
        """The pipeline's ``train.py`` with some of it replaced."""
        return SimpleNamespace(**(vars(train) | changes))

    @property
    def kind(self) -> str:
        return self.run.tags[job_runtime.KIND_TAG]

    @property
    def left_out(self) -> Any:
        return json.loads(self.run.tags.get(job_report.LEFT_OUT_TAG, "[]"))
