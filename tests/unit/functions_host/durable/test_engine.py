"""The engine alone: golden histories, and laws that hold for any program and any order of completions."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_stack.functions_host.durable.actions import (
    Action,
    CallActivity,
    CallSubOrchestrator,
    ContinueAsNew,
    CreateTimer,
    Retry,
    WaitForEvent,
    WhenAll,
    WhenAny,
)
from local_stack.functions_host.durable.engine import NonDeterminismError, decide
from local_stack.functions_host.durable.history import (
    EventType,
    event,
    event_raised,
    execution_started,
    to_stamp,
)
from local_stack.functions_host.durable.interfaces import HistoryEvent
from tests.unit.functions_host.durable.harness import NOON

SECOND = timedelta(seconds=1)
STARTS = frozenset({EventType.TASK_SCHEDULED, EventType.SUB_ORCHESTRATION_CREATED, EventType.TIMER_CREATED})


def opening() -> list[HistoryEvent]:
    started = execution_started(NOON, name="o", instance_id="i", execution_id="exec", input_json=None, parent=None)
    return [event(EventType.ORCHESTRATOR_STARTED, NOON), started]


def completed(task_id: int, now: datetime = NOON) -> HistoryEvent:
    return event(EventType.TASK_COMPLETED, now, TaskScheduledId=task_id, Result="null")


def failed(task_id: int, now: datetime = NOON) -> HistoryEvent:
    return event(EventType.TASK_FAILED, now, TaskScheduledId=task_id, Reason="r", Details="d")


def fired(timer_id: int, now: datetime = NOON) -> HistoryEvent:
    return event(EventType.TIMER_FIRED, now, TimerId=timer_id, FireAt=to_stamp(now))


def short(events: Sequence[HistoryEvent]) -> list[tuple[Any, ...]]:
    return [(EventType(each["EventType"]).name, each["EventId"], each.get("Name")) for each in events]


def test_the_first_turn_starts_the_first_action_and_no_more() -> None:
    decision = decide(opening(), [CallActivity("a", '{"x": 1}'), CallActivity("b", "2")])

    assert short(decision.scheduled) == [("TASK_SCHEDULED", 0, "a")]
    assert decision.scheduled[0]["Input"] == '["{\\"x\\": 1}"]'
    assert decision.open_tasks == {0}
    assert not decision.may_end


def test_a_sub_orchestration_without_an_id_is_named_after_its_parent() -> None:
    children = (CallSubOrchestrator("c", '"x"'), CallSubOrchestrator("c", "null", instance_id="mine"))

    decision = decide(opening(), [WhenAll(children)])

    assert [each["InstanceId"] for each in decision.scheduled] == ["exec:0", "mine"]
    assert decision.scheduled[0]["Input"] == '"\\"x\\""'


def test_a_retried_call_takes_a_timer_id_after_every_failure() -> None:
    actions = [CallActivity("a", "1", Retry(2 * SECOND, attempts=2)), CallActivity("b", "2")]
    history = opening()
    expected = [
        ("TASK_SCHEDULED", 0, failed(0)),
        ("TIMER_CREATED", 1, fired(1)),
        ("TASK_SCHEDULED", 2, failed(2)),
        ("TIMER_CREATED", 3, fired(3)),  # the extra one
        ("TASK_SCHEDULED", 4, completed(4)),
    ]
    fire_at = []
    for kind, task_id, answer in expected:
        decision = decide(history, actions)
        assert [(name, at) for name, at, _ in short(decision.scheduled)] == [(kind, task_id)]
        fire_at += [each["FireAt"] for each in decision.scheduled if "FireAt" in each]
        history += [*decision.scheduled, answer]

    assert decide(history, actions).may_end
    assert fire_at == [to_stamp(NOON + 2 * SECOND), to_stamp(NOON)]


def test_a_canceled_timer_is_done_at_once_and_its_firing_ignored() -> None:
    race = WhenAny((WaitForEvent("Go"), CreateTimer(NOON + SECOND)))
    canceled = WhenAny((WaitForEvent("Go"), CreateTimer(NOON + SECOND, canceled=True)))
    first = decide(opening(), [race])
    assert first.open_tasks == {0}
    assert not first.canceled_timers

    history = [*opening(), *first.scheduled, event_raised(NOON, "gO", "1")]
    then = decide(history, [canceled, CallActivity("a", "1")])

    assert then.open_tasks == {1}
    assert then.canceled_timers == {0}
    late = [*history, *then.scheduled, fired(0), completed(1)]
    assert decide(late, [canceled, CallActivity("a", "1")]).may_end


def test_completion_waits_for_what_lost_a_race() -> None:
    race = WhenAny((CallActivity("a", "1"), CallActivity("b", "2")))
    history = [*opening(), *decide(opening(), [race]).scheduled, failed(1)]

    lost = decide(history, [race])
    assert lost.actions_done
    assert not lost.may_end
    assert decide([*history, completed(0)], [race]).may_end


def test_waits_form_a_stack_and_early_events_a_queue() -> None:
    waits = WhenAny((WaitForEvent("e"), WaitForEvent("e")))
    after_one = decide([*opening(), event_raised(NOON, "e", "1")], [waits, WaitForEvent("e")])
    assert not after_one.actions_done
    after_two = [event_raised(NOON, "e", str(n)) for n in range(2)]
    assert decide([*opening(), *after_two], [waits, WaitForEvent("e")]).actions_done

    actions: list[Action] = [CreateTimer(NOON), WaitForEvent("E"), WaitForEvent("e")]
    early = [*opening(), *decide(opening(), actions).scheduled, *after_two, fired(0)]
    assert decide(early, actions).may_end


def test_events_after_continue_as_new_are_carried_and_earlier_ones_lost() -> None:
    actions: list[Action] = [WaitForEvent("go"), ContinueAsNew('{"n": 2}')]
    raised = [event_raised(NOON, name, None) for name in ("lost", "go", "late", "later")]

    decision = decide([*opening(), *raised], actions)

    assert decision.may_end
    assert decision.next_input == '{"n": 2}'
    assert [each["Name"] for each in decision.carried_events] == ["late", "later"]


@pytest.mark.parametrize(
    "todays_code",
    [
        [],
        [CallActivity("renamed", "1")],
        [CreateTimer(NOON)],
        [CallSubOrchestrator("a", "1")],
        [WaitForEvent("e"), CallActivity("a", "1")],
    ],
)
def test_other_code_than_the_one_that_wrote_the_history_is_noticed(todays_code: list[Action]) -> None:
    history = [*opening(), *decide(opening(), [CallActivity("a", "1")]).scheduled]

    with pytest.raises(NonDeterminismError, match="TASK_SCHEDULED 'a' with sequence id 0"):
        decide(history, todays_code)


# ---- laws ----------------------------------------------------------------------------------------------------------

leaves: st.SearchStrategy[Action] = st.one_of(
    st.builds(
        CallActivity,
        name=st.sampled_from("abcdef"),
        input=st.just("1"),
        retry=st.none() | st.builds(Retry, interval=st.just(SECOND), attempts=st.integers(1, 3)),
    ),
    st.builds(CreateTimer, fire_at=st.just(NOON + SECOND), canceled=st.booleans()),
)
trees = st.recursive(
    leaves, lambda inner: st.builds(WhenAll, st.lists(inner, min_size=1, max_size=4).map(tuple)), max_leaves=8
)
programs = st.lists(trees, max_size=4)
racing = st.lists(
    st.recursive(
        leaves,
        lambda inner: (
            st.builds(WhenAll, st.lists(inner, min_size=1, max_size=3).map(tuple))
            | st.builds(WhenAny, st.lists(inner, min_size=1, max_size=3).map(tuple))
        ),
        max_leaves=6,
    ),
    max_size=4,
)


@dataclass
class World:
    """Answers what the engine schedules, in an order of the test's choosing."""

    actions: Sequence[Action]
    draw: Any
    failing: frozenset[str] = frozenset()
    history: list[HistoryEvent] = field(default_factory=opening)

    def run(self) -> None:
        open_starts: list[HistoryEvent] = []
        for turn in range(1000):
            decision = decide(self.history, self.actions)
            self.history += decision.scheduled
            open_starts += [each for each in decision.scheduled if each["EventId"] not in decision.canceled_timers]
            if decision.may_end:
                assert not open_starts
                return
            assert open_starts, "nothing is open and nothing has ended: the execution hangs"
            chosen = open_starts.pop(self.draw(st.integers(0, len(open_starts) - 1)))
            now = NOON + turn * SECOND
            self.history.append(event(EventType.ORCHESTRATOR_STARTED, now))
            self.history += [self.answer(chosen, now)] * self.draw(st.integers(1, 2))  # twice: a duplicate
        raise AssertionError("does not end")

    def answer(self, start: HistoryEvent, now: datetime) -> HistoryEvent:
        task_id = start["EventId"]
        if start["EventType"] == EventType.TIMER_CREATED:
            return fired(task_id, now)
        return failed(task_id, now) if start["Name"] in self.failing else completed(task_id, now)

    @property
    def starts(self) -> Iterator[HistoryEvent]:
        return (each for each in self.history if each["EventType"] in STARTS)


@given(racing, st.frozensets(st.sampled_from("abcdef")), st.data())
def test_every_execution_ends_with_every_id_used_once_in_order(
    program: list[Action], failing: frozenset[str], data: st.DataObject
) -> None:
    world = World(program, data.draw, failing)
    world.run()

    ids = [each["EventId"] for each in world.starts]
    assert ids == list(range(len(ids)))
    assert decide(world.history, program).scheduled == []


@given(programs, st.frozensets(st.sampled_from("abcdef")), st.data())
def test_the_order_of_completions_does_not_change_what_is_done(
    program: list[Action], failing: frozenset[str], data: st.DataObject
) -> None:
    done = []
    for _ in range(2):
        world = World(program, data.draw, failing)
        world.run()
        done.append(Counter((each["EventType"], each.get("Name")) for each in world.starts))

    assert done[0] == done[1]


@given(racing, st.data())
def test_replaying_any_prefix_agrees_with_what_happened_next(program: list[Action], data: st.DataObject) -> None:
    """A crash leaves a prefix behind; what the engine then wants to start is what it started before, or a beginning."""
    world = World(program, data.draw, frozenset("abc"))
    world.run()

    for cut in range(2, len(world.history)):
        wanted = short(decide(world.history[:cut], program).scheduled)
        happened = short([each for each in world.history[cut:] if each["EventType"] in STARTS])
        assert wanted == happened[: len(wanted)]
