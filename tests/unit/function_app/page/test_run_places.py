"""Where a run's model goes, while it goes: what a roll-out tells of its canary is what the page shows of it."""

import json
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from function_app.api.models import RunView
from function_app.page.screens.run_places import Step, places_of
from shared.decisions.delivery.roll_out_events import Look
from shared.decisions.delivery.roll_out_progress import progress_of
from shared.messages import (
    CanaryEvidence,
    CanaryStep,
    CanaryVerdict,
    DeliveryRule,
    Rollout,
    RolloutPhase,
    RolloutState,
    Strategy,
    Tally,
    TargetResult,
)
from tests.support.builders import a_plan, a_run_request
from tests.support.workflow import START

WEIGHTS = (5, 25, 50)
REQUEST = a_run_request(plan=a_plan(delivery=DeliveryRule(strategy=Strategy(steps=WEIGHTS))))
COUNTS = st.integers(0, 10**9)
STEPS = st.builds(
    CanaryStep,
    weight=st.integers(1, 99),
    verdict=st.sampled_from([CanaryVerdict.PASSED, CanaryVerdict.INCONCLUSIVE]),
    requests=COUNTS,
    errors=COUNTS,
    stable_requests=COUNTS,
    stable_errors=COUNTS,
    evidence=st.floats(0, 10**6).map(lambda found: round(found, 2)),
)


def told_by(canary: tuple[CanaryStep, ...], *, requests: int = 7) -> dict[str, Any]:
    """What the roll-out says of itself in the step after these."""
    rollout = Rollout(
        run_id=REQUEST.run_id,
        pipeline=REQUEST.pipeline,
        target="hub-vm",
        image="m@sha256:1",
        health_seconds=30,
        strategy=Strategy(steps=WEIGHTS),
    )
    evidence = CanaryEvidence(step_candidate=Tally(requests=requests, errors=1))
    state = RolloutState(phase=RolloutPhase.CANARY, step=len(canary), canary=canary, evidence=evidence)
    told: dict[str, Any] = json.loads(json.dumps(progress_of(rollout, state, Look(5), START)))
    return told


def shown(progress: object) -> tuple[Step, ...]:
    run = SimpleNamespace(targets=(), progress={"roll_outs": {"hub-vm": progress}})
    return places_of(cast("RunView", run), REQUEST)[0].steps


@given(st.lists(STEPS, max_size=2).map(tuple))
def test_a_step_that_has_ended_shows_the_same_before_and_after_the_roll_out_has(canary: tuple[CanaryStep, ...]) -> None:
    canary = tuple(
        CanaryStep(**{name: getattr(step, name) for name in CanaryStep.__slots__} | {"weight": weight})
        for step, weight in zip(canary, WEIGHTS, strict=False)
    )
    going = shown(told_by(canary))
    result = TargetResult(target="hub-vm", deployed=True, canary=canary)
    ended = places_of(cast("RunView", SimpleNamespace(targets=(result,), progress=None)), REQUEST)[0].steps

    assert going[: len(canary)] == ended
    at = going[len(canary)]
    assert (at.weight, at.going, at.requests, at.errors) == (WEIGHTS[len(canary)], True, 7, 1)
    assert [step.to_come for step in going[len(canary) + 1 :]] == [True] * (2 - len(canary))


@pytest.mark.parametrize("ended", [None, [], "x", [None], [{"weight": "x", "requests": None}], [{}] * 9])
def test_what_another_version_tells_of_ended_steps_breaks_nothing(ended: object) -> None:
    first, second, third = shown(told_by(()) | {"step": 2, "ended": ended})

    assert (first.weight, first.going, first.requests) == (5, False, 0)
    assert (second.weight, second.going, second.requests) == (25, True, 7)
    assert third.to_come
