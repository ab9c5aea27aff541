"""A target that keeps its promises, in virtual time, and whatever goes wrong with it; and a loop that rolls out to it.

Nothing here sleeps: the clock moves by what the roll-out waits, and by what its calls take.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from shared.decisions.delivery.roll_out_events import (
    Action,
    Announced,
    AnnounceWish,
    Applied,
    Apply,
    Began,
    Decided,
    Event,
    Failed,
    Finish,
    Look,
    Looked,
    ReadDecision,
)
from shared.decisions.delivery.roll_out_steps import advance
from shared.errors import Code, PermanentError, TransientError
from shared.messages import (
    Approval,
    FailureKind,
    ObservedRelease,
    PlannedRelease,
    ReleaseState,
    Rollout,
    RolloutPhase,
    RolloutState,
    Serving,
    ServingPlan,
    TargetResult,
)
from shared.values.wire import from_wire, to_wire
from tests.support.workflow import START

CALL_SECONDS = 0.5
MOST_STEPS = 20_000


class Trouble(StrEnum):
    """What goes wrong with one call."""

    ERROR = "error"  # nothing happened
    LOST = "lost answer"  # it happened, and the caller does not know
    STALE = "stale"
    REFUSED = "refused"
    HANG = "hang"  # until the host ends the call
    KILLED = "host killed"  # it happened, and is called again


@dataclass
class Behaviour:
    """How a release behaves once it is started."""

    starts: float = 2.0  # seconds until it is healthy
    dies_after: float | None = None  # seconds after its start
    trouble: str = ""  # it never becomes healthy
    final: bool = False
    errors: float = 0.0  # part of its answers
    latency_ms: float = 10.0


@dataclass
class _Running:
    planned: PlannedRelease
    since: datetime
    requests: int = 0
    errors: float = 0.0


@dataclass
class ScriptedTarget:
    """A :class:`shared.deployment_target.DeploymentTarget` with a clock of its own."""

    name: str = "hub-vm"
    pipeline: str = "breast-cancer"
    behaviours: dict[str, Behaviour] = field(default_factory=dict)
    otherwise: Behaviour = field(default_factory=Behaviour)  # of releases that are not named
    requests_per_second: float = 20.0
    lag: float = 0.0  # seconds until traffic follows a plan
    now: datetime = START
    away_until: datetime | None = None
    applied: list[ServingPlan] = field(default_factory=list)
    revision: int = 0
    bare: list[float] = field(default_factory=list)  # seconds without any healthy release that gets traffic
    _taken_at: datetime = START
    _running: dict[str, _Running] = field(default_factory=dict)
    _weights: dict[str, int] = field(default_factory=dict)

    def serve(self, run_id: str, image: str) -> None:
        """Begin with a release that gets all traffic, and has for long."""
        planned = PlannedRelease(run_id=run_id, image=image, weight=100)
        self._running[run_id] = _Running(planned, self.now - timedelta(days=1))
        self._weights = {run_id: 100}

    def lose(self, run_id: str) -> None:
        """Its container vanishes."""
        self._running.pop(run_id, None)

    def reboot(self, seconds: float = 20.0) -> None:
        """Nothing answers for a while; then everything starts anew."""
        self.away_until = self.now + timedelta(seconds=seconds)
        for running in self._running.values():
            running.since, running.requests, running.errors = self.away_until, 0, 0.0

    def apply(self, plan: ServingPlan) -> None:
        self._require_there()
        same = self.applied and replace(self.applied[-1], based_on="") == replace(plan, based_on="")
        if plan.based_on not in {"", str(self.revision)} and not same:
            raise PermanentError(f"the plan is for revision {plan.based_on}", code=Code.STALE_PLAN)
        self.applied.append(plan)
        self.revision += 0 if same else 1
        for release in plan.releases:
            if release.run_id not in self._running:
                self._running[release.run_id] = _Running(release, self.now)
            self._running[release.run_id].planned = release
        if not same:
            self._taken_at = self.now
        self._move()

    def observe(self, pipeline: str) -> Serving:
        self._require_there()
        self._move()
        releases = tuple(self._observed(run_id, running) for run_id, running in sorted(self._running.items()))
        return Serving(
            target=self.name,
            pipeline=pipeline,
            releases=releases,
            revision=str(self.revision),
            endpoint="http://vm:8400",
        )

    def healthy(self, run_id: str) -> bool:
        running = self._running.get(run_id)
        return running is not None and self._state(run_id, running) is ReleaseState.HEALTHY

    @property
    def serves(self) -> dict[str, int]:
        """Run -> its part of the traffic, of those that are there."""
        return {run_id: weight for run_id, weight in self._weights.items() if weight and run_id in self._running}

    @property
    def there(self) -> set[str]:
        return set(self._running)

    def wait(self, seconds: float) -> None:
        """Time goes by, and clients ask."""
        self.now += timedelta(seconds=seconds)
        self._move()
        up = {run_id: weight for run_id, weight in self.serves.items() if self.healthy(run_id)}
        if not up:
            self.bare.append(seconds)
            return
        for run_id, weight in up.items():
            running, asked = self._running[run_id], self.requests_per_second * seconds * weight / sum(up.values())
            running.requests += round(asked)
            running.errors += asked * self._behaviour(run_id).errors

    def _move(self) -> None:
        """Weights as planned, but only to what is healthy, and never away from the last one that is."""
        if not self.applied or (self.now - self._taken_at).total_seconds() < self.lag:
            return
        wanted = {release.run_id: release.weight for release in self.applied[-1].releases}
        if all(self.healthy(run_id) for run_id, weight in wanted.items() if weight):
            self._weights = wanted
            for run_id in set(self._running) - set(wanted):
                del self._running[run_id]

    def _require_there(self) -> None:
        if self.away_until is not None and self.now < self.away_until:
            raise TransientError("no route to host")

    def _behaviour(self, run_id: str) -> Behaviour:
        return self.behaviours.setdefault(run_id, replace(self.otherwise))

    def _state(self, run_id: str, running: _Running) -> ReleaseState:
        how, age = self._behaviour(run_id), (self.now - running.since).total_seconds()
        if age < how.starts:
            return ReleaseState.STARTING
        if how.trouble or (how.dies_after is not None and age >= how.dies_after):
            return ReleaseState.UNHEALTHY
        return ReleaseState.HEALTHY

    def _observed(self, run_id: str, running: _Running) -> ObservedRelease:
        how, state = self._behaviour(run_id), self._state(run_id, running)
        ill = state is ReleaseState.UNHEALTHY
        return ObservedRelease(
            run_id=run_id,
            image=running.planned.image,
            state=state,
            weight=self._weights.get(run_id, 0),
            requests=running.requests,
            errors=round(running.errors),
            latency_ms=how.latency_ms,
            trouble=(how.trouble or "it died") if ill else "",
            final=ill and how.final,
            resources=running.planned.resources,
        )


@dataclass
class Story:
    """What a roll-out did: its result, and every state with the action that followed."""

    result: TargetResult
    steps: list[tuple[RolloutState, Action]]

    @property
    def phases(self) -> list[RolloutPhase]:
        """The phases it went through."""
        found: list[RolloutPhase] = []
        for state, _ in self.steps:
            if state.phase is not None and (not found or found[-1] is not state.phase):
                found.append(state.phase)
        return found


def rolled_out(
    rollout: Rollout,
    target: ScriptedTarget,
    *,
    troubles: Callable[[int, Action], Trouble | None] = lambda _number, _action: None,
    failing: Callable[[RolloutState, Action], Trouble | None] = lambda _state, _action: None,
    meanwhile: Callable[[RolloutState, ScriptedTarget], None] = lambda _state, _target: None,
    decisions: Sequence[Approval] = (),
) -> Story:
    """Roll out to the end. ``troubles``: by the number of the call, and ``failing`` by the state and the action.

    ``meanwhile`` is called before each action.
    """
    state, event, steps, waiting = rollout.state, Began(), [], list(decisions)
    happened: Event = event
    for number in range(MOST_STEPS):
        state, action = advance(rollout, state, happened, target.now)
        state = from_wire(RolloutState, to_wire(state))
        steps.append((state, action))
        meanwhile(state, target)
        match action:
            case Finish(result):
                return Story(from_wire(TargetResult, to_wire(result)), steps)
            case ReadDecision(at):
                if at is not None:
                    target.wait(max(0.0, (at - target.now).total_seconds()))
                undecided = Approval(run_id=rollout.run_id, target=rollout.target)
                happened = Decided(waiting.pop(0) if waiting else undecided)
            case AnnounceWish():
                happened = Announced()
            case Apply() | Look():
                happened = _called(target, action, troubles(number, action) or failing(state, action))
    raise AssertionError(f"the roll-out does not end: {state}")


def _called(target: ScriptedTarget, action: Apply | Look, trouble: Trouble | None) -> Event:
    if isinstance(action, Look):
        target.wait(action.after)
    target.wait(CALL_SECONDS)
    try:
        if trouble is Trouble.STALE and isinstance(action, Apply):
            raise PermanentError("somebody else was quicker", code=Code.STALE_PLAN)
        if trouble is Trouble.REFUSED and isinstance(action, Apply):
            raise PermanentError("no signature that is trusted", code=Code.SIGNATURE_REFUSED)
        if trouble in {Trouble.ERROR, Trouble.HANG}:
            target.wait(600 if trouble is Trouble.HANG else 0)
            raise TransientError("no route to host")
        event: Event
        if trouble is Trouble.KILLED and isinstance(action, Apply):
            target.apply(action.plan)
            target.wait(60)
        if isinstance(action, Apply):
            target.apply(action.plan)
            event = Applied()
        else:
            event = Looked(target.observe(target.pipeline))
        if trouble is Trouble.LOST:
            raise TransientError("the answer was lost")
    except TransientError as error:
        target.wait(20)
        return Failed(str(error))
    except PermanentError as error:
        return Failed(error.reason, FailureKind.OUTSIDE, error.code)
    return event
