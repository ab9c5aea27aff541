"""The whole app in one process, with a clock that is moved: real triggers, orchestrations, activities and ledger code.

The Durable engine is the local host's, replayed by the real SDK. Only what lies outside is made up: storage rows and
blobs are in memory, trainings end by the clock, and what is announced or answered is kept in lists.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import azure.durable_functions as df

from function_app import activity_wiring, workflows
from function_app.api.starts import preview
from function_app.composition import Services
from function_app.durable_client import start_once
from function_app.intake.arrivals import Intake
from function_app.reconciler.cycle import run_cycle
from local_stack.functions_host.durable.interfaces import TERMINAL_STATUSES
from orchestrations.request_run import NAME as REQUEST_RUN
from shared.clients.ledger import Ledger
from shared.contracts import ACTIVITIES, accepted
from shared.errors import TransientError
from shared.messages import (
    AdmissionRequest,
    Cause,
    Done,
    EndedAction,
    KnownImage,
    OverdueData,
    Preview,
    ReplyTo,
    RunEvent,
    RunRecord,
)
from shared.pipelines import Pipelines
from shared.settings import Retention
from shared.training_driver import TrainingJob
from shared.wire_contracts.training_answers import TrainingAnswer, message_id, outcome_of
from tests.simulation.hub_client import RUNTIME, HubClient
from tests.simulation.storage import MemoryBlobs, hubs_over
from tests.simulation.trainings import MemoryDriver
from tests.support.arrivals import a_blob_created
from tests.support.image_registry import AnyImage
from tests.support.jobs import MemoryJobs
from tests.support.memory_tables import MemoryTables
from tests.support.scripted_target import ScriptedTarget
from tests.unit.functions_host.durable.harness import Clock, SdkInvoker, hosted

Answer = TypeVar("Answer")


class _CountingInvoker(SdkInvoker):
    """Counts the turns of orchestrations, under their names."""

    def __init__(self, app: df.DFApp, executions: Counter[str]) -> None:
        super().__init__(app)
        self._executions = executions

    def run_orchestrator(self, name: str, request: str) -> str:
        self._executions[f"turn of {name}"] += 1
        return super().run_orchestrator(name, request)


class WorldServices(Services):
    """The app's own composition root, with what lies outside put in its place."""

    def __init__(
        self, folder: Path, tables: MemoryTables, blobs: MemoryBlobs, driver: MemoryDriver, targets: "Targets"
    ) -> None:
        self.compute = SimpleNamespace(slots=1)
        self.outbox = Outbox()
        self.__dict__ |= {
            "settings": SimpleNamespace(
                compute=lambda _: self.compute,
                retention=Retention(),
                app_root=Path(__file__).resolve().parents[2],
                sites={},
                computes={},
                targets={},
            ),
            "pipelines": Pipelines(folder),
            "ledger": Ledger.over(tables),
            "hubs": hubs_over(blobs),
            "driver": driver,
            "frozen_jobs": MemoryJobs(),
            "dependency_images": AnyImage(),
            "announcements": self.outbox,
            "results": self.outbox,
            "targets": targets,
        }

    def trusted(self, image: str) -> None:
        """Every image is signed."""


@dataclass
class Outbox:
    """What was announced: run and kind; and what was answered: message id and kind."""

    announced: list[tuple[str, str]] = field(default_factory=list)
    answered: list[tuple[str, str]] = field(default_factory=list)

    def publish(self, event: RunEvent) -> None:
        self.announced.append((event.record.run_id, event.kind.value))

    def publish_overdue(self, overdue: OverdueData) -> None:
        self.announced.append((overdue.pipeline, "overdue"))

    def publish_action(self, ended: EndedAction) -> None:
        self.announced.append((ended.action.action_id, ended.action.kind.value))

    def outcome(self, reply: ReplyTo, record: RunRecord) -> None:
        self.send(outcome_of(reply, record))

    def send(self, answer: TrainingAnswer) -> None:
        self.answered.append((message_id(answer), answer.kind.value))


class Targets:
    """The targets, for each pipeline a scripted one in the world's time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._scripted: dict[tuple[str, str], ScriptedTarget] = {}

    def of(self, name: str, pipeline: str) -> ScriptedTarget:
        """What the target runs for a pipeline, as it is now."""
        scripted = self._scripted.setdefault((name, pipeline), ScriptedTarget(name, pipeline, now=self._clock.now()))
        scripted.wait(max(0.0, (self._clock.now() - scripted.now).total_seconds()))
        return scripted

    def open(self, name: str) -> SimpleNamespace:
        return SimpleNamespace(
            apply=lambda plan: self.of(name, plan.pipeline).apply(plan),
            observe=lambda pipeline: self.of(name, pipeline).observe(pipeline),
        )


@dataclass
class World:
    """Everything there is. Times, losses, deaths and repeats are the caller's to choose."""

    folder: Path
    database: Path
    clock: Clock = field(default_factory=Clock)
    tables: MemoryTables = field(default_factory=MemoryTables)
    fault: Callable[[str, str], None] = lambda _activity, _moment: None
    answers: Mapping[str, object] = field(default_factory=dict)
    """Activities that are answered with this instead of being done: for what needs a registry or a VM."""
    executions: Counter[str] = field(default_factory=Counter)
    runner: asyncio.Runner = field(default_factory=asyncio.Runner)

    def __post_init__(self) -> None:
        self.blobs = MemoryBlobs(self.clock)
        self.driver = MemoryDriver(self.clock, spoiled=self._is_spoiled)
        self.targets = Targets(self.clock)
        self.services = WorldServices(self.folder, self.tables, self.blobs, self.driver, self.targets)
        self.answers = {"preflight": Done(), **self.answers}  # there is nothing to look at
        self._events = 0
        self._start()

    @property
    def ledger(self) -> Ledger:
        return self.services.ledger

    def play(self, coroutine: Coroutine[Any, Any, Answer]) -> Answer:
        """Run something to its end, and then everything that follows from it without time passing."""

        async def both() -> Answer:
            answer = await coroutine
            await self.host.settle()
            return answer

        return self.runner.run(both())

    def upload(self, container: str, name: str, size: int = 100) -> dict[str, Any]:
        """Write a blob; the event that tells of it, not delivered."""
        entry = self.blobs.write(container, name, size)
        self._events += 1
        return a_blob_created(
            id=f"event-{self._events}",
            subject=f"/blobServices/default/containers/{container}/blobs/{name}",
            time=self.clock.now().isoformat(),
            data={
                "api": "PutBlob",
                "eTag": entry.etag,
                "contentLength": size,
                "url": f"https://hub.x.y/{container}/{name}",
            },
        )

    def deliver(self, events: Sequence[dict[str, Any]]) -> None:
        """Deliver events at the same moment, as the trigger takes them."""

        async def record(event: dict[str, Any]) -> None:
            self.executions["on_data_arrival"] += 1
            taken = await self._intake.record(event, self.clock.now())
            for window in taken.start:
                await start_once(self.client, "settle_arrivals", window.window_id, window)
                await asyncio.to_thread(self.ledger.arrivals.window_started, window)

        async def all_of_them() -> None:
            await asyncio.gather(*map(record, events))

        self.play(all_of_them())

    def watch(self) -> Any:
        """A cycle of the reconciler; what it did."""
        self.executions["keep_watch"] += 1
        return self.play(run_cycle(self.services, self.client, self.clock.now()))

    def request(self, pipeline: str, requester: str, **more: Any) -> None:
        """A request that came from outside; the same requester again is the same request."""
        self.executions["start_run"] += 1
        request = AdmissionRequest(
            pipeline=pipeline,
            cause=Cause.OPERATOR,
            requested_by=requester,
            requested_at=self.clock.now(),
            **more,
        )
        self.play(start_once(self.client, REQUEST_RUN, requester, request))

    def preview(self, pipeline: str) -> Preview:
        """What a request would lead to now."""
        request = AdmissionRequest(
            pipeline=pipeline, cause=Cause.OPERATOR, requested_by="preview", requested_at=self.clock.now()
        )
        return preview(self.services, request)

    def advance(self, step: timedelta) -> None:
        """Let time pass; timers that are due fire at its end."""
        self.runner.run(self.host.advance(step))

    def set_clock_back(self, step: timedelta) -> None:
        """The machine's clock is set back, as a time service may do."""
        self.clock.at -= step

    def restart(self) -> None:
        """The host ends and starts again on what it kept."""
        self._stop()
        self._start()

    def terminate(self, instance_id: str) -> None:
        """An operator terminates an orchestration."""
        self.play(self.host.hub.terminate(instance_id, "by hand"))

    def is_running(self, instance_id: str) -> bool:
        """Whether there is such an orchestration and it has not ended."""
        return self.runner.run(self.client.get_status(instance_id)).runtime_status is RUNTIME.Running

    def living(self) -> list[str]:
        """The orchestrations that have not ended."""
        found = self.runner.run(self.host.hub.instances())
        return [each.instance_id for each in found if each.runtime_status not in TERMINAL_STATUSES]

    def close(self) -> None:
        """End everything."""
        self._stop()
        self.runner.close()

    def _know_image(self, command: dict[str, Any], reference: str) -> None:
        lineage = command["lineage"]
        for run_id in filter(None, (lineage["run_id"], command["for_run"])):
            image = KnownImage(run_id=run_id, pipeline=lineage["pipeline"], reference=reference)
            self.ledger.built_images.keep(image)

    def _is_spoiled(self, job: TrainingJob) -> bool:
        return self.blobs.lists_bad_data(json.loads(job.order)["manifest"])

    def _start(self) -> None:
        app = df.DFApp()
        app.register_functions(workflows.blueprint())
        for activity in ACTIVITIES:
            body = activity_wiring.activity_function(activity, activity_wiring.BODIES[activity.name], self.services)
            app.activity_trigger(input_name="command")(self._counted(activity.name, body))
        self._hosting = hosted(_CountingInvoker(app, self.executions), self.database, self.clock)
        self.host = self.runner.run(self._hosting.__aenter__())
        self.client = HubClient(self.host)
        self._intake = Intake(self.services)

    def _stop(self) -> None:
        self.runner.run(self._hosting.__aexit__(None, None, None))

    def _counted(self, name: str, body: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def run(command: dict) -> dict:  # type: ignore[type-arg]
            self.executions[name] += 1
            self.fault(name, "before")
            answer = accepted(self.answers[name]) if name in self.answers else body(command)
            if name == "build_image" and name in self.answers:
                self._know_image(command, answer["value"]["reference"])
            self.fault(name, "after")
            return answer

        run.__name__ = run.__qualname__ = name
        return run


class LostAnswerError(TransientError):
    """An activity that did not begin, or whose answer was lost."""


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """A world whose pipelines are in ``folder``; its database lies beside them."""
    made = World(folder, folder.parent / "hub.sqlite")
    try:
        yield made
    finally:
        made.close()
