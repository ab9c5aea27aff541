"""An operator's hands in a simulated world: the API's own operations, at the world's time.

What the API refuses is no error here: it comes back as the code of the refusal.
"""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, tzinfo
from typing import Any
from unittest.mock import patch

from function_app import run_hands
from function_app.api import models as m
from function_app.api import resumptions, retirements, roll_backs
from function_app.problems import RefusedError
from shared.messages import Actor, ActorKind, Approval
from tests.simulation.world import World

ADA = Actor(kind=ActorKind.KEY, name="ada")
REASON = "by hand"


class Hands:
    """Does what an operator asks for, and gives what the API answers, or the code with which it refuses."""

    def __init__(self, world: World) -> None:
        self._world = world

    def cancel(self, run_id: str) -> Any:
        """Cancel a run."""
        return self._asked(lambda: run_hands.cancel(run_id, ADA, REASON, *self._app))

    def decide(self, run_id: str, *, approved: bool) -> Any:
        """Approve or reject everything that a run waits for."""
        wish = Approval(run_id=run_id, target="", approved=approved, by=ADA.name)
        return self._asked(lambda: run_hands.decide(wish, *self._app))

    def resume(self, run_id: str) -> Any:
        """Resume a run; the id of the attempt that does is in the answer."""
        return self._asked(lambda: resumptions.resume_run(run_id, m.HandBody(reason=REASON), ADA, *self._app))

    def roll_back(self, target: str, pipeline: str, to: str | None = None) -> Any:
        """Take back what serves there."""
        services, client = self._app
        body = m.RollBackBody(to=to, reason=REASON)
        return self._asked(
            lambda: roll_backs.roll_back(target, pipeline, body=body, actor=ADA, services=services, client=client)
        )

    def retire(self, pipeline: str) -> Any:
        """Retire a pipeline."""
        return self._asked(lambda: retirements.retire_pipeline(pipeline, m.RetireBody(reason=REASON), ADA, *self._app))

    def reinstate(self, pipeline: str) -> Any:
        """Let it train again."""

        async def reinstated() -> Any:
            return retirements.reinstate_pipeline(pipeline, m.HandBody(), ADA, self._world.services)

        return self._asked(reinstated)

    @property
    def _app(self) -> tuple[Any, Any]:
        return self._world.services, self._world.client

    def _asked(self, operation: Callable[[], Awaitable[Any]]) -> Any:
        async def ask() -> Any:
            try:
                return await operation()
            except RefusedError as refused:
                return refused.code

        with _worlds_time(self._world):
            return self._world.play(ask())


@contextmanager
def _worlds_time(world: World) -> Iterator[None]:
    """The operations ask the machine for the time; here they get the world's."""

    class WorldTime(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return world.clock.now().astimezone(tz)

    usual = [
        patch.object(module, "datetime", WorldTime) for module in (run_hands, resumptions, retirements, roll_backs)
    ]
    for each in usual:
        each.start()
    try:
        yield
    finally:
        for each in usual:
            each.stop()
