"""What every activity is delivered with, and what it leaves, for ``test_delivered_twice``."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from function_app import activity_wiring
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
    ChampionQuery,
    ComputeRef,
    EndedAction,
    IssuePassport,
    KnownImage,
    Lineage,
    ObserveTarget,
    Outcome,
    PlannedRelease,
    RegisterModel,
    ReturnQuery,
    RunEvent,
    RunEventKind,
    RunRecord,
    RunRequest,
    ServingPlan,
    Stage,
    TrainingOrder,
    TrainingPhase,
    TrainingRef,
    TrainingStatus,
    Verdict,
    WindowVerdict,
    delivery_of,
)
from tests.support.arrivals import an_arrival
from tests.support.builders import a_trained_model
from tests.support.computes import a_ticket
from tests.support.ledger_arrivals import join, open_runs
from tests.support.workflow import START
from tests.unit.activities.delivered_twice_world import NAME, REPLY, World, asked_by


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


def with_its_window(world: World) -> AdmissionRequest:
    """The admission closes the window that it comes from."""
    return replace(asked_by("window-1"), closes=window(world))


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


def delivering(world: World) -> RunRecord:
    """A run that has the delivery of its pipeline, which it gives back with its record."""
    ticket = replace(a_ticket(world.run.run_id), compute=delivery_of(NAME), pipeline=NAME)
    activity_wiring.acquire_compute(ticket, world)
    return replace(ended(world), stage=Stage.ROLLING_OUT)


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


def closed(world: World) -> list[bool]:
    return [each.closed for each in world.ledger.arrivals.unfinished_windows()]


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
    return an_ended_action(world).end


def an_ended_action(world: World) -> EndedAction:
    action = rolling_back(world)
    end = ActionEnd(action_id=action.action_id, done=True, sentence="done", ended_at=START)
    return EndedAction(action=action, end=end)


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
    Case("close_window", window, closed),
    Case("admit_run", under_way, World.rows),
    Case("admit_run", next_attempt, World.rows),
    Case("admit_run", with_its_window, lambda world: (closed(world), len(open_runs(world.ledger.runs, NAME)))),
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
    Case("record_run", delivering, World.rows),
    Case("issue_passport", delivered, passports),
    Case("announce", end_of_a_followed_run, lambda world: (world.outbox.ids, world.rows())),
    Case("announce_action", an_ended_action, lambda world: world.outbox.ids),
]
