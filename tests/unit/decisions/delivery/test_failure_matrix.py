"""Every step of a roll-out, on both kinds of target, and everything that can go wrong there: the documented outcome.

``docs/delivery.md`` holds the table; the real targets have tests of their own.
"""

from collections.abc import Callable
from itertools import product

import pytest

from shared.decisions.delivery.roll_out_events import Action, Apply, Look
from shared.messages import RolloutPhase, RolloutState, Strategy
from tests.support.scripted_target import Behaviour, ScriptedTarget, Trouble, rolled_out
from tests.unit.decisions.delivery.test_roll_out_steps import NEW, OLD, OLD_IMAGE, a_rollout

STEPS = {
    "looking": (RolloutPhase.LOOKING, Look),
    "starting the candidate": (RolloutPhase.CANDIDATE, Apply),
    "waiting for the candidate": (RolloutPhase.CANDIDATE, Look),
    "moving traffic to the canary": (RolloutPhase.CANARY, Apply),
    "watching the canary": (RolloutPhase.CANARY, Look),
    "switching": (RolloutPhase.SWITCHING, Apply),
    "watching the new model": (RolloutPhase.WATCHING, Look),
    "going back": (RolloutPhase.RETURNING, Apply),
    "seeing it go back": (RolloutPhase.RETURNING, Look),
}
KINDS = {"vm": 0.0, "container_apps": 8.0}  # seconds until traffic follows a plan
ONCE: dict[str, Trouble] = {
    "error": Trouble.ERROR,
    "lost answer": Trouble.LOST,
    "somebody else's plan": Trouble.STALE,
    "host killed": Trouble.KILLED,
    "call hangs": Trouble.HANG,
}
AWAY = {"vm reboots": 20.0, "target away for minutes": 100.0, "target away for long": 5_000.0}
FOR_LONG = "target away for long"
FAILURES = [*ONCE, "registry away", *AWAY]
CASES = list(product(STEPS, KINDS, FAILURES))


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 80


@pytest.mark.parametrize(("step", "kind", "failure"), CASES, ids=lambda value: value.replace(" ", "_"))
def test_the_documented_outcome(step: str, kind: str, failure: str) -> None:
    phase, asked = STEPS[step]
    fails_anyway = phase is RolloutPhase.RETURNING
    target = ScriptedTarget(behaviours={NEW: Behaviour(errors=0.5 if fails_anyway else 0.0)}, lag=KINDS[kind])
    target.serve(OLD, OLD_IMAGE)
    strategy = Strategy(steps=(10, 50), soak_seconds=40, least_requests=20, watch_seconds=20)
    happened: list[str] = []

    def at_that_step(state: RolloutState, action: Action) -> bool:
        return not happened and state.phase is phase and isinstance(action, asked)

    story = rolled_out(
        a_rollout(strategy=strategy, health_seconds=60),
        target,
        failing=_failing(target, failure, at_that_step, happened),
    )

    result = story.result
    assert happened, "the case was not reached"
    if failure != FOR_LONG:
        assert result.deployed is not fails_anyway, "a trouble that passes changes nothing"
        assert result.restored
        ends = ({OLD: 100}, {OLD}) if fails_anyway else ({NEW: 100}, {NEW, OLD})
        assert (target.serves, target.there) == ends
        assert failure in AWAY or target.bare == [], "clients noticed nothing"
    elif phase is RolloutPhase.LOOKING:
        assert (result.deployed, result.touched, target.serves) == (False, False, {OLD: 100})
    else:
        assert (result.deployed, result.restored) == (False, False)
        assert "the app brings it back" in result.reason


def _failing(
    target: ScriptedTarget,
    failure: str,
    at_that_step: Callable[[RolloutState, Action], bool],
    happened: list[str],
) -> Callable[[RolloutState, Action], Trouble | None]:
    def fail(state: RolloutState, action: Action) -> Trouble | None:
        if failure == "registry away" and happened:
            happened.append(failure)
            return Trouble.ERROR if len(happened) < 4 and isinstance(action, Apply) else None
        if not at_that_step(state, action):
            return None
        happened.append(failure)
        if failure in AWAY:
            target.reboot(AWAY[failure])
            return None
        return ONCE.get(failure, Trouble.ERROR)

    return fail
