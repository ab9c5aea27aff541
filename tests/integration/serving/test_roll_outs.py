"""Roll-outs by the machine that decides them, on a real VM with sshd, podman, HAProxy and a registry, under load."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from shared.clients.serving_vm import ServingVm
from shared.clients.vm_haproxy import HaproxyRuntime
from shared.decisions.delivery.roll_out_events import Action, Apply, Look
from shared.errors import TransientError
from shared.messages import (
    CanaryVerdict,
    RolloutPhase,
    RolloutState,
    Strategy,
)
from tests.support.driven_roll_out import a_rollout, rolled_out
from tests.support.serving_place import Place, exactly, hammering

STRATEGY = Strategy(steps=(20, 60), soak_seconds=12, least_requests=10, watch_seconds=2)
GOOD_FOR_ONE = {"request": {"data": [1]}, "response": {"version": 2, "sum": 1}}


def test_a_canary_by_itself_without_failed_requests(place: Place) -> None:
    place.fulfil(place.release(1, 100))
    second = place.release(2)
    with hammering(place.url) as clients:
        result = rolled_out(place, a_rollout(place, second, STRATEGY))

    assert (result.deployed, clients.failed) == (True, [])
    assert [step.verdict for step in result.canary] == [CanaryVerdict.PASSED, CanaryVerdict.PASSED]
    assert all(step.requests >= 10 and step.stable_requests >= 10 for step in result.canary)
    assert place.version() == 2


def test_a_model_that_fails_under_traffic_is_taken_back_by_itself(place: Place) -> None:
    first = place.release(1, 100)
    place.fulfil(first)
    second = place.release(2, smoke=GOOD_FOR_ONE, most=2)  # good for the sample; the clients' requests are larger
    with hammering(place.url) as clients:
        result = rolled_out(place, a_rollout(place, second, STRATEGY))

    assert (result.deployed, result.restored, result.phase) == (False, True, RolloutPhase.CANARY)
    assert result.canary[-1].verdict.against
    assert result.canary[-1].errors > 0
    assert set(clients.versions) == {1}
    assert [each.run_id for each in place.observe().releases] == [first.run_id]
    assert clients.versions[-10:] == [1] * 10


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        ({"dies": "no module named x"}, "no module named x"),
        ({"status": 500}, "answered 500 to the smoke sample"),
        ({"port": 9}, ""),
    ],
)
def test_a_candidate_that_fails_leaves_the_traffic_where_it_was(
    place: Place, behaviour: dict[str, Any], words: str
) -> None:
    first = place.release(1, 100)
    place.fulfil(first)
    second = place.release(2, **behaviour)
    rollout = replace(a_rollout(place, second, STRATEGY), health_seconds=8 if "port" in behaviour else 60)
    with hammering(place.url) as clients:
        result = rolled_out(place, rollout)

    assert (result.deployed, result.restored, result.phase) == (False, True, RolloutPhase.CANDIDATE)
    assert words in result.reason
    assert (clients.failed, set(clients.versions)) == ([], {1})
    assert [each.run_id for each in place.observe().releases] == [first.run_id]


POINTS: dict[str, tuple[type, str]] = {
    "pulling": (ServingVm, "pull"),
    "writing the slot": (ServingVm, "save_slot"),
    "starting the container": (ServingVm, "run_container"),
    "writing the configuration": (HaproxyRuntime, "write_config"),
    "setting a weight": (HaproxyRuntime, "set_weight"),
    "bringing it in": (HaproxyRuntime, "bring_in"),
    "taking it out": (HaproxyRuntime, "take_out"),
    "removing a container": (ServingVm, "remove_container"),
}
# What an apply does in each phase; a release that is taken back has been brought in and out again by then.
CHANGES = {
    RolloutPhase.CANDIDATE: [
        "pulling",
        "writing the slot",
        "taking it out",
        "removing a container",
        "writing the configuration",
        "starting the container",
    ],
    RolloutPhase.CANARY: ["setting a weight", "bringing it in", "writing the slot", "writing the configuration"],
    RolloutPhase.SWITCHING: ["writing the slot", "writing the configuration", "setting a weight", "taking it out"],
    RolloutPhase.RETURNING: [
        "writing the slot",
        "writing the configuration",
        "setting a weight",
        "taking it out",
        "removing a container",
    ],
}
BREAKS = [(phase, point, when) for phase, points in CHANGES.items() for point in points for when in ("before", "after")]
# The commit point of the switch, whose answer is lost; and the way back, broken off when traffic has left.
TELLING = {
    (RolloutPhase.SWITCHING, "writing the slot", "after"),
    (RolloutPhase.RETURNING, "taking it out", "after"),
}
SHORT = Strategy(steps=(30,), soak_seconds=6, least_requests=10, watch_seconds=1)


class Breaker:
    """Breaks the connection off at one point of the first apply of a phase, before or after what is done there."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, phase: RolloutPhase, point: str, when: str) -> None:
        self.broken = self._armed = False
        self._phase, self._after = phase, when == "after"
        owner, name = POINTS[point]
        self._real: Callable[..., Any] = getattr(owner, name)

        def broken(*arguments: Any, **named: Any) -> Any:
            return self._call(*arguments, **named)

        monkeypatch.setattr(owner, name, broken)  # a function, so that it is told whose method it is

    def arm(self, state: RolloutState, action: Action) -> None:
        self._armed = not self.broken and state.phase is self._phase and isinstance(action, Apply)

    def _call(self, *arguments: Any, **named: Any) -> Any:
        breaks, self._armed = self._armed, False
        done = self._real(*arguments, **named) if self._after or not breaks else None
        if breaks:
            self.broken = True
            raise TransientError("the connection is gone")
        return done


@pytest.mark.parametrize(
    ("phase", "point", "when"),
    [pytest.param(*case, marks=pytest.mark.long if case in TELLING else pytest.mark.on_demand) for case in BREAKS],
)
def test_an_apply_that_breaks_off_anywhere_costs_no_request(
    place: Place, monkeypatch: pytest.MonkeyPatch, phase: RolloutPhase, point: str, when: str
) -> None:
    fails_anyway = phase is RolloutPhase.RETURNING
    first = place.release(1, 100)
    place.fulfil(first)
    bears: dict[str, Any] = {"most": 2} if fails_anyway else {}
    second = place.release(2, smoke=GOOD_FOR_ONE, **bears)
    breaker = Breaker(monkeypatch, phase, point, when)
    with hammering(place.url, kept_alive=1, one_by_one=1, pause=0.02) as clients:
        result = rolled_out(place, a_rollout(place, second, SHORT), breaker.arm)

    assert breaker.broken, "the point was not reached"
    assert clients.failed == []
    assert (result.deployed, result.restored) == (not fails_anyway, True)
    if fails_anyway:
        assert exactly(place, first)
    else:
        assert exactly(place, replace(first, weight=0), replace(second, weight=100))
    assert place.version() == (1 if fails_anyway else 2)


@pytest.mark.parametrize(
    "phase",
    [
        pytest.param(RolloutPhase.CANDIDATE, marks=pytest.mark.on_demand),
        pytest.param(RolloutPhase.CANARY, marks=pytest.mark.long),
        pytest.param(RolloutPhase.WATCHING, marks=pytest.mark.on_demand),
    ],
)
def test_a_reboot_is_nobodys_fault(place: Place, phase: RolloutPhase) -> None:
    first, second = place.release(1, 100), place.release(2)
    place.fulfil(first)
    rebooted: list[RolloutPhase] = []

    def reboot(state: RolloutState, action: Action) -> None:
        if state.phase is phase and isinstance(action, Look) and not rebooted:
            rebooted.append(phase)
            place.host.reboot(start_containers=True)

    result = rolled_out(place, a_rollout(place, second, replace(SHORT, least_requests=0)), reboot)
    assert rebooted == [phase]
    assert (result.deployed, result.restored, place.version()) == (True, True, 2)
    assert exactly(place, replace(first, weight=0), replace(second, weight=100))
