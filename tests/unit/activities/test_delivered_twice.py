"""Every activity delivered twice at once: both answers are the same, and the effect is that of one delivery.

Durable Functions delivers at least once, also while a first delivery runs. Here the second delivery runs as a whole, on
another host, before each single request of the first one. What holds a lock on a VM is not
interrupted: the second delivery waits for it. The same is done with threads where the real services run:
``tests/integration/training_driver`` and ``tests/integration/admission``.
"""

import itertools
from pathlib import Path
from typing import Any

import pytest

from function_app import activity_wiring
from shared.contracts import ACTIVITIES
from tests.unit.activities.delivered_twice_cases import CASES, ENDED, Case
from tests.unit.activities.delivered_twice_world import World

LOOKS = "preflight"
"""It has no effect, and needs what cannot be here."""


def test_every_activity_is_delivered_twice() -> None:
    assert {case.activity for case in CASES} == {activity.name for activity in ACTIVITIES} - ENDED - {LOOKS}


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
