"""A training driver and a model registry in memory; they keep what they were told."""

from dataclasses import dataclass, field
from pathlib import Path

from shared.decisions.delivery.model_stages import ModelVersion, TagChange
from shared.errors import Code, PermanentError
from shared.messages import (
    Lineage,
    ReceiptSummary,
    RegisteredModel,
    TrainedModel,
    TrainingPhase,
    TrainingRef,
    TrainingStatus,
)
from shared.training_driver import TrainingJob


@dataclass
class MemoryDriver:
    """Fulfils ``TrainingDriver``; a test moves a training on by setting ``statuses[run_id]``."""

    jobs: dict[str, TrainingJob] = field(default_factory=dict)
    statuses: dict[str, TrainingStatus] = field(default_factory=dict)
    models: dict[str, TrainedModel] = field(default_factory=dict)

    def submit(self, job: TrainingJob) -> TrainingStatus:
        self.jobs.setdefault(job.run_id, job)
        return self.statuses.setdefault(job.run_id, TrainingStatus(phase=TrainingPhase.QUEUED))

    def check(self, training: TrainingRef) -> TrainingStatus:
        if training.run_id not in self.statuses:
            raise PermanentError(f"no run {training.run_id}", code=Code.TRAINING_UNKNOWN)
        return self.statuses[training.run_id]

    def cancel(self, training: TrainingRef) -> None:
        if not self.check(training).phase.terminal:
            self.statuses[training.run_id] = TrainingStatus(phase=TrainingPhase.CANCELLED)

    def collect(self, training: TrainingRef) -> TrainedModel:
        return self.models[training.run_id]

    def receipt(self, training: TrainingRef) -> ReceiptSummary | None:
        return self.models[training.run_id].receipt if training.run_id in self.models else None

    def fetch(self, run_id: str, pipeline: str, model_path: str, *, into: Path) -> None:
        """There is nothing."""


@dataclass
class MemoryRegistry:
    """Fulfils ``ModelRegistry``: every ``register`` makes a version, as the real one does. ``tags``: by version."""

    registered: list[tuple[str, Lineage, str]] = field(default_factory=list)
    tags: dict[int, dict[str, str]] = field(default_factory=dict)

    def versions_of(self, run_id: str, *, name: str) -> list[ModelVersion]:
        return [each for each in self._of(name) if each.run_id == run_id]

    def versions(self, pipeline: str, *, name: str) -> list[ModelVersion]:
        return [each for each in self._of(name) if self.registered[each.version - 1][1].pipeline == pipeline]

    def register(self, lineage: Lineage, *, name: str, path: str) -> RegisteredModel:
        self.registered.append((name, lineage, path))
        self.tags[len(self.registered)] = {"stage": "candidate"}
        return RegisteredModel(name=name, version=str(len(self.registered)))

    def tag(self, change: TagChange) -> None:
        self.tags[change.version] |= change.tags

    def _of(self, name: str) -> list[ModelVersion]:
        return [
            ModelVersion(name=name, version=number, run_id=lineage.run_id, tags=dict(self.tags[number]))
            for number, (known, lineage, _) in enumerate(self.registered, 1)
            if known == name
        ]
