from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from orchestrations.roll_out import ASKED_PER_EXECUTION, roll_out
from shared.errors import Code, PermanentError
from shared.messages import (
    ApplyPlan,
    Approval,
    ApprovalQuery,
    ApprovalRule,
    CanaryVerdict,
    Done,
    FailureKind,
    PlannedRelease,
    Rollout,
    RolloutPhase,
    RunEvent,
    RunEventKind,
    Strategy,
    TargetResult,
)
from shared.messages.runs import first_record
from shared.values.wire import from_wire
from tests.support.builders import a_run_request
from tests.support.scripted_target import Behaviour, ScriptedTarget
from tests.support.workflow import START, Played, play, refusal, value
from tests.unit.decisions.delivery.test_roll_out_steps import CANARY, NEW, OLD, OLD_IMAGE, a_rollout

LONG_CANARY = replace(CANARY, soak_seconds=120)


class World:
    """One target in the orchestration's own time, and a ledger of decisions."""

    def __init__(self, **new: Any) -> None:
        self.target = ScriptedTarget(behaviours={NEW: Behaviour(**new)})
        self.target.serve(OLD, OLD_IMAGE)
        self.commands: list[ApplyPlan] = []
        self.announced: list[RunEvent] = []
        self.executions = 0
        self.clock: Any = None

    def roll_out(self, rollout: Rollout, *, events: frozenset[int] = frozenset(), **answers: Any) -> TargetResult:
        """As many executions as it takes; the clock goes on from one to the next."""
        payload: Any = rollout
        start = START
        while True:
            self.executions += 1
            played = self._play(payload, start, events, answers)
            start = played.context.current_utc_datetime
            if played.context.continued_with is None:
                return from_wire(TargetResult, played.output)
            payload = played.context.continued_with
            assert sum(name != "announce" for name in played.asked) <= ASKED_PER_EXECUTION + 1

    def _play(self, payload: Any, start: datetime, events: frozenset[int], answers: dict[str, Any]) -> Played:
        self.clock = None
        defaults: dict[str, Any] = {"apply_plan": self._apply, "observe_target": self._observe, "announce": self._hear}
        heard = events if self.executions <= 1 else frozenset()
        return play(self._remember_clock, payload, answers=defaults | answers, events=heard, start=start)

    def _remember_clock(self, context: Any) -> Any:
        self.clock = context
        return roll_out(context)

    def _catch_up(self) -> None:
        gone = (self.clock.current_utc_datetime - self.target.now) / timedelta(seconds=1)
        self.target.wait(max(0.0, gone))

    def _apply(self, payload: Any) -> Any:
        self._catch_up()
        command = from_wire(ApplyPlan, payload)
        self.commands.append(command)
        try:
            self.target.apply(command.plan)
        except PermanentError as error:
            return refusal(error.code, error.reason)
        return value(Done())

    def _observe(self, payload: Any) -> Any:
        self._catch_up()
        return value(self.target.observe(payload["pipeline"]))

    def _hear(self, payload: Any) -> Any:
        self.announced.append(from_wire(RunEvent, payload))
        return value(Done())


def test_traffic_moves_by_plans() -> None:
    world = World()
    result = world.roll_out(a_rollout())

    assert (result.deployed, result.serves, world.target.serves) == (True, NEW, {NEW: 100})
    assert {command.by for command in world.commands} == {NEW}
    before = PlannedRelease(run_id=OLD, image=OLD_IMAGE, weight=100)
    assert {command.before.releases if command.before else None for command in world.commands} == {(before,)}
    assert world.executions == 1


def test_a_long_canary_continues_as_new_and_forgets_nothing() -> None:
    world = World()
    result = world.roll_out(a_rollout(strategy=LONG_CANARY))

    assert result.deployed
    assert world.executions >= 2
    assert [step.verdict for step in result.canary] == [CanaryVerdict.PASSED] * 3
    assert sum(step.requests for step in result.canary) > 1_000


def test_a_failing_canary_goes_back_in_whatever_execution() -> None:
    world = World(dies_after=300)
    result = world.roll_out(a_rollout(strategy=LONG_CANARY))
    assert (result.deployed, result.restored, world.target.serves) == (False, True, {OLD: 100})


def test_what_is_refused_is_the_reason() -> None:
    answers = [refusal(Code.SIGNATURE_REFUSED, "no signature that is trusted"), value(Done())]
    result = World().roll_out(a_rollout(), apply_plan=answers)
    assert (result.deployed, result.reason) == (False, "no signature that is trusted")


def test_a_target_that_is_away_is_a_matter_outside() -> None:
    result = World().roll_out(a_rollout(), observe_target=Exception("no route to host\nstack"))
    assert (result.deployed, result.touched, result.failure_kind) == (False, False, FailureKind.OUTSIDE)
    assert "no route to host" in result.reason


def test_progress_shows_the_canarys_numbers() -> None:
    world = World()
    context = world._play(a_rollout(strategy=CANARY), START, frozenset(), {}).context
    shown = [status["progress"] for status in context.statuses if status["progress"]["phase"] == "canary"]
    assert {each["weight"] for each in shown} >= {5}
    assert any(each["requests"] > 0 for each in shown)
    assert shown[0]["before"] == OLD


# Approval

RULE = ApprovalRule(seconds=7_200, remind_seconds=3_000)
RECORD = first_record(a_run_request())
WITH_APPROVAL = a_rollout(approval=RULE, record=RECORD)
UNDECIDED = value(Approval(run_id=NEW, target="hub-vm"))
YES = value(Approval(run_id=NEW, target="hub-vm", approved=True, by="ada", at=START))


def test_the_wish_is_announced_and_the_hint_ends_the_wait() -> None:
    world = World()
    result = world.roll_out(WITH_APPROVAL, events=frozenset({0}), read_approval=[UNDECIDED, YES])

    assert result.deployed
    assert result.approval is not None
    assert result.approval.by == "ada"
    assert [(event.kind, event.target, event.number) for event in world.announced] == [
        (RunEventKind.APPROVAL_WANTED, "hub-vm", 1)
    ]
    assert world.executions == 1


def test_a_hint_without_a_decision_is_waited_for_anew() -> None:
    world = World()
    result = world.roll_out(WITH_APPROVAL, events=frozenset({0}), read_approval=[UNDECIDED, UNDECIDED, UNDECIDED, YES])
    assert result.deployed
    assert world.executions == 2, "an execution waits for one event only"


def test_losing_timers_are_cancelled() -> None:
    world = World()
    context = world._play(WITH_APPROVAL, START, frozenset({0}), {"read_approval": [UNDECIDED, YES]}).context
    waits = [timer for timer in context.timers if timer.cancelled]
    assert len(waits) == 1


def test_nobody_decides() -> None:
    world = World()
    result = world.roll_out(WITH_APPROVAL, read_approval=UNDECIDED)
    assert (result.deployed, result.touched, result.phase) == (False, False, RolloutPhase.APPROVAL)
    assert [event.number for event in world.announced] == [1, 2, 3]
    assert world.commands == []


def test_when_the_time_is_over_that_nobody_decided_is_recorded() -> None:
    """Else somebody might approve after it, and would be told that the model is rolled out."""
    asked: list[ApprovalQuery] = []

    def read(command: dict[str, Any]) -> dict[str, Any]:
        asked.append(from_wire(ApprovalQuery, command))
        return UNDECIDED

    World().roll_out(WITH_APPROVAL, read_approval=read)

    assert [query.otherwise for query in asked] == [None] * (len(asked) - 1) + [False]


def test_without_watching_it_is_done_at_the_switch() -> None:
    world = World()
    assert world.roll_out(a_rollout(strategy=Strategy(watch_seconds=0))).deployed
