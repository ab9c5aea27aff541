"""The grid with a clock of its own and no network."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from local_stack.event_grid.events import Event
from local_stack.event_grid.grid import Grid
from local_stack.event_grid.models import Config, Schema, Subscription
from local_stack.event_grid.store import Delivery, Store
from local_stack.sqlite_files import StateFileError
from tests.support.examples import examples

Open = Callable[..., Grid]


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def open_grid(tmp_path: Path, clock: Clock) -> Iterator[Open]:
    """Opens a grid; opening it again is what a restart does, after a kill."""
    stores: list[Store] = []

    def start(*subscriptions: dict[str, Any], topics: tuple[str, ...] = ("topic",)) -> Grid:
        for store in stores:
            store.close()
        stores.append(Store(tmp_path / "store.sqlite3"))
        config = Config.model_validate({"topics": [{"name": name} for name in topics], "subscriptions": subscriptions})
        return Grid(stores[-1], config, clock=clock)

    yield start
    for store in stores:
        store.close()


def subscription(name: str = "sub", **how: Any) -> dict[str, Any]:
    return {"name": name, "topic": "topic", "endpoint": "http://127.0.0.1:9/hook?code=secret", **how}


def event(number: int = 1) -> Event:
    body = {"id": f"event-{number}", "eventType": "t", "subject": f"s/{number}", "topic": "/t", "data": None}
    return Event(Schema.EVENT_GRID, {**body, "eventTime": "2026-01-01", "dataVersion": "", "metadataVersion": "1"})


def due(grid: Grid, name: str = "sub") -> list[Delivery]:
    return grid.store.due(name, grid.clock(), 1000)


def test_what_was_published_is_there_after_a_restart(open_grid: Open) -> None:
    open_grid(subscription()).publish("topic", [event(1), event(2)])

    assert [one.event.body["id"] for one in due(open_grid(subscription()))] == ["event-1", "event-2"]


def test_a_publishing_is_kept_whole_or_not_at_all(open_grid: Open) -> None:
    grid = open_grid(subscription())
    broken = Event(Schema.EVENT_GRID, {**event(2).body, "data": object()})

    with pytest.raises(TypeError):
        grid.publish("topic", [event(1), broken])

    assert not due(grid)
    assert grid.stats()["sub"]["matched"] == 0


def test_a_failed_attempt_is_due_again_on_schedule(open_grid: Open, clock: Clock) -> None:
    grid = open_grid(subscription())
    grid.publish("topic", [event()])
    for wait in (10, 30, 60, 300):
        (delivery,) = due(grid)
        grid.attempted(delivery, "GenericError", 500)
        assert not due(grid)
        clock.now += wait - 0.1
        assert not due(grid)
        clock.now += wait * 0.1 + 0.2
    assert due(grid)[0].attempts == 4


def test_waits_are_cut_at_the_end_of_an_events_life(open_grid: Open, clock: Clock) -> None:
    grid = open_grid(subscription(retryPolicy={"eventTimeToLiveInMinutes": 1}))
    grid.publish("topic", [event()])
    clock.now += 55
    grid.attempted(due(grid)[0], "GenericError", 500)

    clock.now += 5

    (delivery,) = due(grid)
    assert grid.expires_at(delivery) == clock.now
    grid.expire(delivery)
    assert grid.stats()["sub"]["dropped"] == 1


def test_an_endpoint_that_agreed_need_not_agree_again_unless_it_is_another(open_grid: Open) -> None:
    grid = open_grid(subscription())
    grid.put(grid.subscriptions["sub"], agreed=True)

    assert open_grid(subscription(concurrency=2)).stats()["sub"]["agreed"]
    assert not open_grid(subscription(endpoint="http://127.0.0.1:9/other")).stats()["sub"]["agreed"]


def test_a_subscription_made_by_hand_is_there_after_a_restart(open_grid: Open) -> None:
    made = Subscription.model_validate(subscription("by-hand", concurrency=2))
    open_grid().put(made, agreed=True)

    grid = open_grid()
    assert grid.subscriptions["by-hand"] == made
    assert grid.agreed == {"by-hand"}
    assert not open_grid(topics=("other-topic",)).subscriptions  # idle, until its topic is back
    open_grid().remove("by-hand")
    assert not open_grid().subscriptions


def test_an_event_goes_with_its_last_delivery(open_grid: Open) -> None:
    grid = open_grid(
        subscription("one"), subscription("two"), subscription("none", topic="other"), topics=("topic", "other")
    )
    grid.publish("topic", [event()])

    def stored() -> int:
        return int(grid.store._db.execute("SELECT count(*) FROM events").fetchone()[0])

    grid.attempted(due(grid, "one")[0], "GenericError", 200)
    assert stored() == 1
    grid.remove("two")
    assert stored() == 0
    grid.publish("other", [event(2)])
    grid.remove("none")
    grid.publish("other", [event(3)])
    assert stored() == 0


def test_a_file_of_another_format_is_refused(tmp_path: Path) -> None:
    store = Store(tmp_path / "store.sqlite3")
    store._db.execute("PRAGMA user_version = 99")
    store.close()

    with pytest.raises(StateFileError, match="format 99"):
        Store(tmp_path / "store.sqlite3")


@examples(30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.lists(st.sampled_from([200, 400, 404, 500, 503, None]), max_size=6), min_size=1, max_size=5),
    st.integers(1, 5),
    st.sets(st.integers(0, 20)),
)
def test_every_copy_has_exactly_one_end(
    open_grid: Open,
    clock: Clock,
    answers: list[list[int | None]],
    most: int,
    restarts: set[int],
) -> None:
    """For any answers and restarts: delivered or dropped, and nothing is left."""
    definition = subscription(retryPolicy={"maxDeliveryAttempts": most}, chaos={"duplicates": 1})
    grid = open_grid(definition)
    grid.remove("sub")
    grid.put(Subscription.model_validate(definition), agreed=True)
    grid.publish("topic", [event(number) for number in range(len(answers))])
    queues = {f"event-{number}": list(given) for number, given in enumerate(answers)}

    step = 0
    while grid.store.pending("sub"):
        for delivery in due(grid):
            queue = queues[delivery.event.body["id"]]
            grid.attempted(delivery, "x", queue.pop() if queue else 200)
        clock.now += 3600
        if (step := step + 1) in restarts:
            grid = open_grid(definition)

    stats = grid.stats()["sub"]
    assert stats["delivered"] + stats["dropped"] == 2 * len(answers)
    assert stats["attempts"] <= most * 2 * len(answers)
