"""Roll-outs by the shipped state machine to real targets of each kind, with clients that score all the time."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import requests

from shared.decisions.delivery.roll_out_events import Applied, Apply, Began, Event, Failed, Finish, Look, Looked
from shared.decisions.delivery.roll_out_steps import advance
from shared.errors import PermanentError, TransientError
from shared.messages import PLANNED_ROLLOUT, Rollout, RolloutState, Strategy, TargetResult
from shared.messages.serving import PlannedRelease
from tests.integration.serving_targets.conftest import SMALL, Place

STEPS = Strategy(steps=(30,), soak_seconds=15, least_requests=20, watch_seconds=2)
_PATIENCE = 900.0


def rolled_out(place: Place, release: PlannedRelease, strategy: Strategy) -> TargetResult:
    """Drive the state machine as the orchestration does, with real time and a real target."""
    rollout = Rollout(
        run_id=release.run_id,
        pipeline=place.pipeline,
        target="t",
        image=release.image,
        health_seconds=60,
        schema=PLANNED_ROLLOUT,
        strategy=strategy,
        resources=release.resources,
    )
    state, ends = RolloutState(), time.monotonic() + _PATIENCE
    event: Event = Began()
    while time.monotonic() < ends:
        state, action = advance(rollout, state, event, datetime.now(UTC))
        if isinstance(action, Finish):
            return action.result
        event = happened(place, action)
    raise AssertionError(f"still {state}")


def happened(place: Place, action: object) -> Event:
    try:
        if isinstance(action, Apply):
            place.target.apply(replace(action.plan, pipeline=place.pipeline))
            return Applied()
        assert isinstance(action, Look), action
        time.sleep(action.after)
        return Looked(place.observe())
    except TransientError as error:
        return Failed(str(error))
    except PermanentError as error:
        return Failed(error.reason, code=error.code)


@dataclass
class Clients:
    """What two clients got, one with and one without keep-alive."""

    answers: Counter[tuple[int, int | None]] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)


@contextmanager
def scoring(endpoint: str, data: list[float]) -> Iterator[Clients]:
    clients, stop = Clients(), threading.Event()

    def run(*, keep_alive: bool) -> None:
        session = requests.Session()
        headers = {} if keep_alive else {"Connection": "close"}
        while not stop.wait(0.01):
            try:
                reply = session.post(f"{endpoint}/score", json={"data": data}, headers=headers, timeout=30)
                clients.answers[reply.status_code, reply.json().get("version")] += 1
            except (requests.RequestException, ValueError) as error:
                clients.failed.append(repr(error))

    threads = [threading.Thread(target=run, kwargs={"keep_alive": keep}) for keep in (True, False)]
    for thread in threads:
        thread.start()
    try:
        yield clients
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_a_first_model_and_then_a_canary_go_live_and_no_request_fails(place: Place) -> None:
    first, second = place.release(1), place.release(2)
    result = rolled_out(place, first, Strategy(watch_seconds=1))
    assert result.endpoint is not None, result
    assert place.scores() == [(200, 1)]

    with scoring(result.endpoint, [1, 2.5]) as clients:
        result = rolled_out(place, second, STEPS)
    assert clients.failed == []
    assert {status for status, _ in clients.answers} == {200}
    assert clients.answers[200, 2] > 0
    assert result.deployed, result
    live = place.observe().live
    assert live is not None
    assert (live.run_id, live.weight) == (second.run_id, 100)


def test_a_model_that_fails_under_traffic_goes_back_by_itself(place: Place) -> None:
    stable, bad = place.release(1, SMALL), place.release(2, SMALL, most=100)
    result = rolled_out(place, stable, Strategy(watch_seconds=0))
    assert result.endpoint is not None

    with scoring(result.endpoint, [1, 200]) as clients:
        result = rolled_out(place, bad, STEPS)
    assert (result.deployed, result.restored) == (False, True), result
    assert clients.failed == []
    assert result.canary[-1].errors > 0
    live = place.observe().live
    assert live is not None
    assert (live.run_id, live.weight) == (stable.run_id, 100)
    assert set(place.scores(10)) == {(200, 1)}
