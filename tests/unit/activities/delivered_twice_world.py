"""The app's services in memory, whose requests are interrupted, for ``test_delivered_twice``."""

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from function_app import activity_wiring
from function_app.composition import Services
from shared.clients.ledger import Ledger
from shared.messages import (
    Admission,
    AdmissionRequest,
    Cause,
    EndedAction,
    ReplyTo,
    RunEvent,
    RunRecord,
    Snapshot,
)
from shared.pipelines import Pipeline, Pipelines
from shared.wire_contracts.action_events import action_announcement
from shared.wire_contracts.training_answers import TrainingAnswer, message_id, outcome_of
from tests.support.builders import a_snapshot
from tests.support.image_registry import InMemoryRegistry, OneCode, with_dependency_image
from tests.support.jobs import MemoryJobs, a_sealed_tree
from tests.support.memory_tables import MemoryTables
from tests.support.memory_target import MemoryTarget
from tests.support.signing import signing
from tests.support.training import MemoryDriver, MemoryRegistry
from tests.support.workflow import START

NAME = "breast-cancer"
PIPELINES = Pipelines(Path(__file__).resolve().parents[3] / "pipelines")
REPLY = ReplyTo(message_id="message-1", correlation_id="c-1")


@dataclass
class Interrupted:
    """Calls ``before`` before each method of something is called, while it may be interrupted."""

    target: Any
    before: Callable[[], None]
    may: Callable[[], bool] = lambda: True

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.target, name)
        if not callable(found):
            return found

        def call(*arguments: Any, **named: Any) -> Any:
            if self.may():
                self.before()
            return found(*arguments, **named)

        return call


@dataclass
class Hub:
    """What lies on the hub; the newest listing is of other data each time when ``moving``."""

    moving: bool = False
    listed: int = 0

    def take_snapshot(self, pipeline: Pipeline, *, since: Snapshot | None) -> Snapshot:
        self.listed += self.moving
        return a_snapshot(digest=f"{self.listed:064x}", listing=f"listing-{self.listed}", newest=START)


@dataclass
class Outbox:
    """Messages and announcements by their ids, as brokers that drop duplicates keep them."""

    ids: set[str] = field(default_factory=set)

    def publish(self, event: RunEvent) -> None:
        self.ids.add(f"{event.record.run_id}-{event.kind.value}")

    def publish_action(self, ended: EndedAction) -> None:
        self.ids.add(action_announcement(ended).id)

    def send(self, answer: TrainingAnswer) -> None:
        self.ids.add(message_id(answer))

    def outcome(self, reply: ReplyTo, record: RunRecord) -> None:
        self.send(outcome_of(reply, record))


class Driver(MemoryDriver):
    def fetch(self, run_id: str, pipeline: str, model_path: str, *, into: Path) -> None:
        (into / "model.joblib").write_bytes(b"weights")


class World(Services):
    """The app's own composition root over memory."""

    def __init__(self, folder: Path) -> None:
        self.interrupt: Callable[[], None] = lambda: None
        self.tables, self.hub, self.outbox = MemoryTables(), Hub(), Outbox()
        self.target = MemoryTarget()
        self.trainings, self.versions, self.images = Driver(), MemoryRegistry(), InMemoryRegistry()
        ledger = Ledger.over(self.tables)
        with_dependency_image(self.images, folder, OneCode(a_sealed_tree()))
        self.__dict__ |= {
            "settings": SimpleNamespace(compute=lambda _: SimpleNamespace(slots=1), signing=signing(folder)),
            "pipelines": PIPELINES,
            "ledger": ledger,
            "hubs": Interrupted(self.hub, self._step),
            "job_folders": SimpleNamespace(read=a_sealed_tree),
            "frozen_jobs": Interrupted(MemoryJobs(), self._step),
            "driver": Interrupted(self.trainings, self._step),
            "model_registry": Interrupted(self.versions, self._step),
            "container_registry": Interrupted(self.images, self._step),
            "announcements": Interrupted(self.outbox, self._step),
            "results": Interrupted(self.outbox, self._step),
            "targets": SimpleNamespace(open=lambda _target: Interrupted(self.target, self._step)),
        }
        self.run = self.admit("window-0").run or pytest.fail("no run")

    def admit(self, requested_by: str) -> Admission:
        return activity_wiring.admit_run(asked_by(requested_by), self)

    def listen(self) -> None:
        """From now on every request can be interrupted."""
        for table in self.tables.tables.values():
            table.before = lambda _operation: self._step()

    def on_another_host(self) -> "World":
        """The same world as another process sees it: it shares no lock."""
        other = copy(self)
        other.__dict__["ledger"] = Ledger.over(self.tables)
        return other

    def _step(self) -> None:
        self.interrupt()

    def wanted(self) -> object:
        """What each target should run."""
        return [(state.desired, state.desired_by) for state in self.ledger.targets.all()]

    def rows(self) -> dict[str, Any]:
        return {
            f"{word} {row.partition} {row.key}": row.values
            for word, table in self.tables.tables.items()
            for row in table._rows.values()
        }


def asked_by(requested_by: str) -> AdmissionRequest:
    return AdmissionRequest(pipeline=NAME, cause=Cause.NEW_DATA, requested_by=requested_by, requested_at=START)
