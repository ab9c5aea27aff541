"""A ledger with two promoted runs, a target in memory, and operators' actions played over the app's own activities."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from function_app import activity_wiring
from orchestrations.await_compute import await_compute
from orchestrations.hand_actions import NAMES, RETIRE, ROLL_BACK, retire, roll_back
from orchestrations.reach_goal import reach_goal
from shared.contracts import ACTIVITIES
from shared.messages import (
    DELIVERY_SCHEMA,
    Action,
    ActionEnd,
    EndedAction,
    KnownImage,
    Outcome,
    PlannedRelease,
    RunRequest,
    ServingPlan,
    TargetPlan,
)
from shared.values.wire import from_wire
from tests.support.api import MemoryServices
from tests.support.builders import a_plan, a_run_request
from tests.support.memory_target import MemoryTarget
from tests.support.workflow import START, play

TARGET, PIPELINE = "hub-vm", "breast-cancer"
ORCHESTRATIONS: dict[str, Callable[[Any], Any]] = {
    "await_compute": await_compute,
    "reach_goal": reach_goal,
    ROLL_BACK: roll_back,
    RETIRE: retire,
}


def a_run(number: int) -> RunRequest:
    """The run of that number; each has data of its own."""
    fingerprint = f"{number}" * 64
    return a_run_request(
        run_id=f"{PIPELINE}-{fingerprint[:12]}-1",
        fingerprint=fingerprint,
        schema=DELIVERY_SCHEMA,
        requested_by=f"window-{number}",
        requested_at=START + timedelta(hours=number),
        plan=a_plan(targets=(TargetPlan(name=TARGET, health_seconds=30),)),
    )


OLD, NEW = a_run(1), a_run(2)


def image_of(run: RunRequest) -> str:
    """Its image by digest."""
    return f"registry/models/{PIPELINE}@sha256:{run.fingerprint}"


class HandsWorld(MemoryServices):
    """Services over memory. ``NEW`` serves and is the champion, ``OLD`` served before and is kept."""

    def __init__(self) -> None:
        super().__init__()
        self.target = MemoryTarget(TARGET)
        self.__dict__["targets"] = self.target
        self.announced: list[EndedAction] = []
        self.__dict__["announcements"] = SimpleNamespace(publish_action=self.announced.append)
        self.__dict__["settings"] = SimpleNamespace(compute=lambda _: SimpleNamespace(slots=1))
        self.promoted(OLD, None)
        self.promoted(NEW, OLD.run_id)

    def promoted(self, run: RunRequest, over: str | None) -> None:
        """Let a run be admitted, built, served and promoted."""
        self.ledger.runs.claim_run(run)
        self.ledger.built_images.keep(KnownImage(run_id=run.run_id, pipeline=PIPELINE, reference=image_of(run)))
        plan = ServingPlan(
            target=TARGET,
            pipeline=PIPELINE,
            releases=(PlannedRelease(run_id=run.run_id, image=image_of(run), weight=100),),
        )
        self.ledger.targets.desire(plan, by=run.run_id, at=run.requested_at)
        self.target.apply(plan)
        self.ledger.targets.saw(self.target.observe(PIPELINE), at=run.requested_at)
        record = self.ledger.runs.run(run.run_id)
        assert record is not None
        ended = replace(
            record,
            outcome=Outcome.PROMOTED,
            champion_run_id=over,
            image=image_of(run),
            model="m",
            version=run.fingerprint[0],
            metrics={"accuracy": 0.9},
            ended_at=run.requested_at,
        )
        activity_wiring.record_run(ended, self)

    def act(self, action: Action, **answers: Any) -> ActionEnd:
        """Play an action to its end; ``answers``: what answers otherwise, by the name of an activity."""
        orchestration = ORCHESTRATIONS[NAMES[action.kind]]
        return from_wire(ActionEnd, play(orchestration, action, answers=self.answers() | answers).output)

    def answers(self) -> dict[str, Any]:
        """The app's own activities, and the sub-orchestrations over them."""
        found: dict[str, Any] = {
            each.name: activity_wiring.activity_function(each, activity_wiring.BODIES[each.name], self)
            for each in ACTIVITIES
        }
        for name in ("await_compute", "reach_goal"):
            found[name] = lambda call, name=name: self._played(name, call["input"])
        return found

    def _played(self, name: str, given: Any) -> Any:
        start = START
        while True:
            run = play(ORCHESTRATIONS[name], given, answers=self.answers(), start=start)
            if run.output is not None:
                return run.output
            given, start = run.context.continued_with, run.context.current_utc_datetime

    @property
    def serves(self) -> dict[str, int]:
        """What the target runs, with its part of the traffic."""
        return {release.run_id: release.weight for release in self.target.observe(PIPELINE).releases}


def action_of(given: Any) -> Action:
    """The action that an orchestration was started with."""
    return from_wire(Action, given)
