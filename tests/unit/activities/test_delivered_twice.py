"""Every activity delivered twice at once: both answers are the same, and the effect is that of one delivery.

Durable Functions delivers at least once, also while a first delivery runs. Here the second delivery runs as a whole, on
another host, before each single request of the first one. What holds a lock on a VM is not
interrupted: the second delivery waits for it. The same is done with threads where the real services run:
``tests/integration/training_driver`` and ``tests/integration/admission``.
"""

import itertools
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from function_app import activity_wiring
from function_app.composition import Services
from shared.clients.ledger import Ledger
from shared.contracts import ACTIVITIES
from shared.messages import (
    Action,
    ActionEnd,
    ActionKind,
    Actor,
    ActorKind,
    Admission,
    AdmissionRequest,
    AnswerRequest,
    ApplyPlan,
    ApprovalQuery,
    ArrivalWindow,
    BuildImage,
    Cause,
    ChampionQuery,
    ComputeRef,
    IssuePassport,
    KnownImage,
    Lineage,
    ObserveTarget,
    Outcome,
    PlannedRelease,
    RegisterModel,
    ReplyTo,
    ReturnQuery,
    RunEvent,
    RunEventKind,
    RunRecord,
    RunRequest,
    ServingPlan,
    Snapshot,
    Stage,
    TrainingOrder,
    TrainingPhase,
    TrainingRef,
    TrainingStatus,
    Verdict,
    WindowVerdict,
)
from shared.pipelines import Pipeline, Pipelines
from shared.wire_contracts.training_answers import TrainingAnswer, message_id, outcome_of
from tests.support.arrivals import an_arrival
from tests.support.builders import a_snapshot, a_trained_model
from tests.support.computes import a_ticket
from tests.support.image_registry import InMemoryRegistry, OneCode, with_dependency_image
from tests.support.jobs import MemoryJobs, a_sealed_tree
from tests.support.ledger_arrivals import join, open_runs
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


@dataclass(frozen=True)
class Case:
    """``command`` prepares the world and says what is delivered; ``state``: what there is of it afterwards."""

    activity: str
    command: Callable[[World], Any]
    state: Callable[[World], object]


def window(world: World) -> ArrivalWindow:
    joined = join(world.ledger.arrivals, NAME, an_arrival())
    assert joined.start is not None
    return joined.start


def verdict(world: World) -> WindowVerdict:
    of = window(world)
    return WindowVerdict(window_id=of.window_id, pipeline=NAME, verdict=Verdict.UNCHANGED, reason="nothing changed")


def under_way(_: World) -> AdmissionRequest:
    return asked_by("window-1")


def next_attempt(world: World) -> AdmissionRequest:
    activity_wiring.record_run(ended(world, Outcome.FAILED), world)
    return asked_by("window-1")


def data_that_change_with_every_listing(world: World) -> AdmissionRequest:
    world.hub.moving = True
    return asked_by("window-1")


def order(world: World) -> TrainingOrder:
    run = world.run
    return TrainingOrder(
        run_id=run.run_id,
        pipeline=NAME,
        compute="hub-vm",
        snapshot=run.snapshot,
        parameters={},
        fingerprint=run.fingerprint,
        job=run.plan.job,
        running_seconds=60,
        workload=run.plan.workload,
    )


def training(world: World) -> TrainingRef:
    ref = TrainingRef(run_id=world.run.run_id, pipeline=NAME)
    world.trainings.statuses[ref.run_id] = TrainingStatus(phase=TrainingPhase.RUNNING)
    world.trainings.models[ref.run_id] = replace(a_trained_model(), run_id=ref.run_id)
    return ref


def lineage(run: RunRequest) -> Lineage:
    return Lineage(
        run_id=run.run_id,
        pipeline=NAME,
        fingerprint=run.fingerprint,
        snapshot_digest=run.snapshot.digest,
        blobs=3,
        metrics={"log_loss": 0.1},
    )


def ended(world: World, outcome: Outcome = Outcome.PROMOTED) -> RunRecord:
    record = world.ledger.runs.run(world.run.run_id)
    assert record is not None
    return replace(record, outcome=outcome, stage=Stage.DONE, ended_at=START, metrics={"log_loss": 0.1})


def delivered(world: World) -> IssuePassport:
    build = BuildImage(lineage=lineage(world.run), model_path="outputs/model", created_at=START, job=world.run.plan.job)
    image = activity_wiring.build_image(build, world).reference
    world.ledger.runs.record_run(replace(ended(world), model="m", version="1", image=image))
    return IssuePassport(run_id=world.run.run_id)


def passports(world: World) -> object:
    listed = {key: values for key, values in world.rows().items() if " passport " in key}
    assert listed
    return listed, world.images.manifests, world.images.blobs


def plan(world: World) -> ApplyPlan:
    release = PlannedRelease(run_id=world.run.run_id, image="registry/p@sha256:1", weight=100)
    image = KnownImage(run_id=release.run_id, pipeline=NAME, reference=release.image)
    world.ledger.built_images.keep(image)
    return ApplyPlan(plan=ServingPlan(target="hub-vm", pipeline=NAME, releases=(release,)), by=release.run_id)


def looked_at(world: World) -> ObserveTarget:
    activity_wiring.apply_plan(plan(world), world)
    return ObserveTarget(target="hub-vm", pipeline=NAME)


def leaving(world: World) -> ReturnQuery:
    activity_wiring.apply_plan(plan(world), world)
    return ReturnQuery(target="hub-vm", pipeline=NAME, without=world.run.run_id)


def built(world: World) -> TrainingRef:
    command = BuildImage(
        lineage=lineage(world.run), model_path="outputs/model", created_at=START, job=world.run.plan.job
    )
    activity_wiring.build_image(command, world)
    return TrainingRef(run_id=world.run.run_id, pipeline=NAME)


def answer(world: World) -> AnswerRequest:
    asked = replace(asked_by("bus-1"), reply=REPLY)
    admission = Admission(start=False, run_id=world.run.run_id, verdict=Verdict.TRAINED, reason="under way")
    return AnswerRequest(request=asked, admission=admission)


def end_of_a_followed_run(world: World) -> RunEvent:
    world.ledger.outcome_subscriptions.subscribe(world.run.run_id, REPLY)
    return RunEvent(kind=RunEventKind.DEPLOYED, occurred_at=START, record=ended(world))


def queue(world: World) -> object:
    state = world.ledger.computes.state("hub-vm")
    return [lease.run_id for lease in state.holders], [ticket.run_id for ticket in state.waiting]


def decided(world: World) -> object:
    """How many runs there are, and whether the listing that counts as decided on is that of the run."""
    mine, decided = world.ledger.runs.claimed_by(NAME, "window-1"), world.ledger.listings.last_decided(NAME)
    assert mine is not None
    assert decided is not None
    return len(open_runs(world.ledger.runs, NAME)), decided.listing == mine.snapshot.listing


def verdicts(world: World) -> list[Verdict]:
    return [each.verdict for each in world.ledger.arrivals.list_arrivals(NAME).items]


def rolling_back(world: World) -> Action:
    """The run serves, is the champion, and is to give way to one before."""
    activity_wiring.apply_plan(plan(world), world)
    activity_wiring.record_run(ended(world), world)
    world.ledger.built_images.keep(KnownImage(run_id="before-1", pipeline=NAME, reference="registry/p@sha256:0"))
    action = Action(
        action_id="back-1",
        kind=ActionKind.ROLL_BACK,
        pipeline=NAME,
        by=Actor(kind=ActorKind.PERSON, name="ada"),
        reason="it is wrong",
        asked_at=START + timedelta(hours=1),
        target="hub-vm",
        to="before-1",
        bad=world.run.run_id,
    )
    return world.ledger.actions.begin(action)


def an_end(world: World) -> ActionEnd:
    return ActionEnd(action_id=rolling_back(world).action_id, done=True, sentence="done", ended_at=START)


def served(world: World) -> object:
    """Who is champion, and what is put aside."""
    return world.ledger.champions.champion(NAME), world.ledger.quarantines.of(NAME)


def images_left(world: World) -> object:
    """The models' images in the registry, and those that the ledger knows."""
    stored = [key for key in world.images.manifests if key[0] == f"models/{NAME}"]
    return stored, [image.run_id for image in world.ledger.built_images.all()]


ENDED = {"start_candidate", "verify_candidate", "switch_traffic", "remove_candidate"}
"""They do nothing any more: they refuse what was begun before there were plans."""

CASES = [
    Case("read_window", window, lambda world: len(world.rows())),
    Case("close_window", window, lambda world: [each.closed for each in world.ledger.arrivals.unfinished_windows()]),
    Case("admit_run", under_way, World.rows),
    Case("admit_run", next_attempt, World.rows),
    Case("admit_run", data_that_change_with_every_listing, decided),
    Case("record_verdict", verdict, verdicts),
    Case("answer_request", answer, lambda world: (world.outbox.ids, world.rows())),
    Case("acquire_compute", lambda world: a_ticket(world.run.run_id), queue),
    Case("release_compute", lambda _: ComputeRef(compute="hub-vm", run_id="r-1"), queue),
    Case("submit_training", order, lambda world: world.trainings.jobs),
    Case("check_training", training, lambda world: world.trainings.statuses),
    Case("cancel_training", training, lambda world: world.trainings.statuses),
    Case("collect_training", training, lambda world: world.trainings.statuses),
    Case("read_receipt", training, lambda world: world.trainings.statuses),
    Case("read_champion", lambda _: ChampionQuery(pipeline=NAME), World.rows),
    Case(
        "register_model",
        lambda world: RegisterModel(lineage=lineage(world.run), model_path="outputs/model", name="m"),
        lambda world: [each.version for each in world.versions.versions_of(world.run.run_id, name="m")][:1],
    ),
    Case(
        "build_image",
        lambda world: BuildImage(
            lineage=lineage(world.run), model_path="outputs/model", created_at=START, job=world.run.plan.job
        ),
        lambda world: (world.images.manifests, world.images.blobs),
    ),
    Case("apply_plan", plan, lambda world: (world.target.plans[-1], world.target.revision, world.wanted())),
    Case("observe_target", looked_at, lambda world: world.target.plans),
    Case("plan_return", leaving, World.wanted),
    Case("read_approval", lambda world: ApprovalQuery(run_id=world.run.run_id, target="hub-vm"), World.rows),
    Case("plan_roll_back", rolling_back, World.wanted),
    Case("conclude_action", rolling_back, served),
    Case("end_action", an_end, lambda world: world.ledger.actions.unfinished()),
    Case("remove_image", built, images_left),
    Case("record_run", ended, World.rows),
    Case("issue_passport", delivered, passports),
    Case("announce", end_of_a_followed_run, lambda world: (world.outbox.ids, world.rows())),
]


def test_every_activity_is_delivered_twice() -> None:
    assert {case.activity for case in CASES} == {activity.name for activity in ACTIVITIES} - ENDED


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.activity}-{case.command.__name__.strip('<>')}")
def test_two_deliveries_at_once_give_one_answer_and_one_effect(case: Case, tmp_path: Path) -> None:
    alone = World(tmp_path)
    deliver(case, alone, case.command(alone))
    places = 0
    for place in itertools.count():
        world = World(tmp_path)
        command = case.command(world)
        first, second = delivered_twice(case, world, command, at=place)
        if second is None:
            break
        places += 1
        assert first == second, f"before request {place}"
        assert case.state(world) == case.state(alone), f"before request {place}"

    assert places > 0, "nothing was interrupted"
    world = World(tmp_path)
    command = case.command(world)
    assert deliver(case, world, command) == deliver(case, world, command)
    assert case.state(world) == case.state(alone)


def deliver(case: Case, world: World, command: Any) -> Any:
    return getattr(activity_wiring, case.activity)(command, world)


def delivered_twice(case: Case, world: World, command: Any, *, at: int) -> tuple[Any, Any]:
    """Both answers; the second is None when the first delivery makes no request of this number."""
    requests, second = 0, None

    def interrupt() -> None:
        nonlocal requests, second
        requests += 1
        if requests == at + 1:
            second = deliver(case, world.on_another_host(), command)

    world.listen()
    world.interrupt = interrupt
    first = deliver(case, world, command)
    world.interrupt = lambda: None
    return first, second
