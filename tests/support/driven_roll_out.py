"""A roll-out to a real place, driven in real time by the machine that decides it."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

from shared.decisions.delivery.roll_out_events import Action, Applied, Apply, Began, Event, Failed, Finish, Look, Looked
from shared.decisions.delivery.roll_out_steps import advance
from shared.errors import PermanentError, TransientError
from shared.messages import PLANNED_ROLLOUT, Rollout, RolloutState, Strategy, TargetResult
from shared.messages.serving import PlannedRelease
from tests.support.serving_place import SMALL, Place

Meanwhile = Callable[[RolloutState, Action], None]


def a_rollout(place: Place, release: PlannedRelease, strategy: Strategy) -> Rollout:
    """Of a small release to the place's VM."""
    return Rollout(
        run_id=release.run_id,
        pipeline=place.pipeline,
        target="vm",
        image=release.image,
        health_seconds=60,
        schema=PLANNED_ROLLOUT,
        strategy=strategy,
        resources=SMALL,
        model=release.model,
        version=release.version,
    )


def rolled_out(place: Place, rollout: Rollout, meanwhile: Meanwhile = lambda _state, _action: None) -> TargetResult:
    """As the orchestration does it; errors are not retried between the looks."""
    state = RolloutState()
    happened: Event = Began()
    for _ in range(500):
        state, action = advance(rollout, state, happened, datetime.now(UTC))
        meanwhile(state, action)
        if isinstance(action, Finish):
            return action.result
        try:
            if isinstance(action, Look):
                time.sleep(min(action.after, 2.0))
                happened = Looked(place.observe())
            elif isinstance(action, Apply):
                place.target.apply(action.plan)
                happened = Applied()
        except PermanentError as error:
            happened = Failed(error.reason, None, error.code)
        except TransientError as error:
            happened = Failed(str(error))
    raise AssertionError(f"it does not end: {state}")
