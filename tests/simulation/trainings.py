"""A compute target in memory: trainings take the time they take, by a clock that is moved."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from shared.errors import Code, PermanentError
from shared.messages import ChampionMeasurement, TrainedModel, TrainingPhase, TrainingRef, TrainingStatus
from shared.training_driver import TrainingJob
from tests.unit.functions_host.durable.harness import Clock

METRICS = {"accuracy": 0.5}


@dataclass
class _Training:
    job: TrainingJob
    began: datetime
    ends: datetime
    cancelled: bool = False


@dataclass
class MemoryDriver:
    """A :class:`shared.training_driver.TrainingDriver`. ``spoiled`` says whether a training meets bad data."""

    clock: Clock
    takes: timedelta = timedelta(seconds=40)
    spoiled: Callable[[TrainingJob], bool] = lambda _: False
    metrics_of: Callable[[TrainingJob], dict[str, float]] = lambda _: METRICS
    started: list[str] = field(default_factory=list)
    most_at_once: int = 0
    checks: int = 0
    _trainings: dict[str, _Training] = field(default_factory=dict)

    def submit(self, job: TrainingJob) -> TrainingStatus:
        if job.run_id not in self._trainings:
            now = self.clock.now()
            self._trainings[job.run_id] = _Training(job, now, now + self.takes)
            self.started.append(job.run_id)
            self.most_at_once = max(self.most_at_once, len(self.running()))
        return self._status(self._trainings[job.run_id])

    def check(self, training: TrainingRef) -> TrainingStatus:
        self.checks += 1
        return self._status(self._known(training))

    def cancel(self, training: TrainingRef) -> None:
        known = self._known(training)
        if not self._status(known).phase.terminal:
            known.cancelled = True

    def collect(self, training: TrainingRef) -> TrainedModel:
        known = self._known(training)
        return TrainedModel(
            run_id=training.run_id,
            pipeline=training.pipeline,
            metrics=self.metrics_of(known.job),
            model_path="outputs/model",
            ended_at=known.ends,
            compared=self._compared(known.job),
        )

    def fetch(self, run_id: str, pipeline: str, model_path: str, *, into: Path) -> None:
        """Nothing is promoted here, so no model is ever asked for."""
        raise AssertionError(f"the model of {run_id} ({pipeline}, {model_path}) was asked for, into {into}")

    def running(self) -> set[str]:
        """The trainings that run now."""
        return {run_id for run_id, each in self._trainings.items() if not self._status(each).phase.terminal}

    def _compared(self, job: TrainingJob) -> ChampionMeasurement | None:
        """The champion's model on the same rows, when the job was told to measure it."""
        named = json.loads(job.order)["champion"]
        if named is None:
            return None
        champion = named["run_id"]
        trained = self._trainings.get(champion)  # a run that went on from another has no training of its own
        return ChampionMeasurement(run_id=champion, metrics=self.metrics_of(trained.job) if trained else METRICS)

    def _known(self, training: TrainingRef) -> _Training:
        if training.run_id not in self._trainings:
            raise PermanentError(f"no training {training.run_id}", code=Code.TRAINING_UNKNOWN)
        return self._trainings[training.run_id]

    def _status(self, training: _Training) -> TrainingStatus:
        if training.cancelled:
            return TrainingStatus(phase=TrainingPhase.CANCELLED, detail="cancelled")
        if self.clock.now() < training.ends:
            return TrainingStatus(phase=TrainingPhase.RUNNING, detail="Running")
        if self.spoiled(training.job):
            return TrainingStatus(phase=TrainingPhase.FAILED, detail="landing/x.csv, line 3: not a number")
        return TrainingStatus(phase=TrainingPhase.COMPLETED)
