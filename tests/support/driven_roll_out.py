"""A roll-out to a real place, driven in real time by the machine that decides it."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

from shared.decisions.delivery.roll_out_events import Action, Applied, Apply, Began, Event, Failed, Finish, Look, Looked
from shared.decisions.delivery.roll_out_steps import advance
from shared.errors import PermanentError, TransientError
from shared.messages import Rollout, RolloutState, TargetResult
from tests.support.serving_place import Place

Meanwhile = Callable[[RolloutState, Action], None]


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
