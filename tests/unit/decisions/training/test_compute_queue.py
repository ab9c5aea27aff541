from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.decisions.training.compute_queue import (
    LONGEST,
    MOST_WAITING,
    SHORTEST,
    QueueState,
    ahead_of,
    ask,
    ask_again_at,
    give_back,
)
from shared.messages import ComputeTicket, ComputeTurn, QueuePolicy, Turn, delivery_of
from shared.values.wire import from_text, to_text
from tests.support.computes import a_ticket
from tests.support.workflow import START


def after(*tickets: ComputeTicket, slots: int = 1, state: QueueState | None = None) -> QueueState:
    state = state or QueueState()
    for ticket in tickets:
        state, _ = ask(state, ticket, slots, START)
    return state


def holders(state: QueueState) -> list[str]:
    return [lease.run_id for lease in state.holders]


def waiting(state: QueueState) -> list[str]:
    return [ticket.run_id for ticket in state.waiting]


def test_the_first_has_it_at_once_and_the_next_waits_and_learns_for_whom() -> None:
    state, first = ask(QueueState(), a_ticket("a"), 1, START)
    state, second = ask(state, a_ticket("b"), 1, START)
    state, third = ask(state, a_ticket("c"), 1, START)

    assert first.turn is Turn.GRANTED
    assert (second.turn, second.position) == (Turn.WAITING, 1)
    assert "compute hub-vm is in use by run a" in second.reason
    assert (third.turn, third.position) == (Turn.WAITING, 2)
    assert "compute hub-vm is in use by run a" in third.reason
    assert "number 2" in third.reason


def test_giving_back_grants_the_next_in_the_same_step() -> None:
    state = give_back(after(a_ticket("a"), a_ticket("b"), a_ticket("c")), "a", START)

    assert (holders(state), waiting(state)) == (["b"], ["c"])
    assert ask(state, a_ticket("b"), 1, START)[1].turn is Turn.GRANTED


def test_a_higher_priority_goes_before_those_that_wait_and_never_ends_who_trains() -> None:
    state = after(a_ticket("a"), a_ticket("low"), a_ticket("high", priority=5), a_ticket("also-high", priority=5))

    assert (holders(state), waiting(state)) == (["a"], ["high", "also-high", "low"])


def test_a_clock_that_went_back_lets_nobody_pass() -> None:
    state = after(a_ticket("a"), a_ticket("b", at=START), a_ticket("c", at=START - timedelta(hours=3)))

    assert waiting(state) == ["b", "c"]


def test_more_slots_let_more_in_and_less_slots_end_nobody() -> None:
    state = after(a_ticket("a"), a_ticket("b"), a_ticket("c"), slots=2)
    assert (holders(state), waiting(state)) == (["a", "b"], ["c"])

    more, turn = ask(state, a_ticket("c"), 3, START)
    assert turn.turn is Turn.GRANTED
    less, turn = ask(more, a_ticket("d"), 1, START)
    assert (holders(less), turn.position) == (["a", "b", "c"], 1)
    assert waiting(give_back(give_back(less, "a", START), "b", START)) == ["d"]
    assert holders(give_back(give_back(give_back(less, "a", START), "b", START), "c", START)) == ["d"]


def test_runs_that_have_ended_make_room_wherever_they_are() -> None:
    state = after(a_ticket("a"), a_ticket("b"), a_ticket("c"), a_ticket("d"))

    state, turn = ask(state, a_ticket("d"), 1, START, {"a", "b"})

    assert (holders(state), waiting(state)) == (["c"], ["d"])
    assert turn.position == 1


def test_a_run_that_has_ended_is_refused_and_leaves() -> None:
    for mine in ("a", "b"):
        state, turn = ask(after(a_ticket("a"), a_ticket("b")), a_ticket(mine), 1, START, {mine})
        assert turn == ComputeTurn(turn=Turn.REFUSED, reason=f"run {mine} has ended already")
        assert mine not in holders(state) + waiting(state)


def test_reject_takes_a_free_compute_and_never_waits() -> None:
    choosy = a_ticket("a", policy=QueuePolicy.REJECT)
    assert ask(QueueState(), choosy, 1, START)[1].turn is Turn.GRANTED

    taken = after(a_ticket("b"))
    state, turn = ask(taken, choosy, 1, START)
    assert state == taken
    assert turn.turn is Turn.REFUSED
    assert "compute hub-vm is in use by run b" in turn.reason
    assert "train.queue.policy of digits is reject" in turn.reason
    assert ask(give_back(state, "b", START), choosy, 1, START)[1].turn is Turn.GRANTED


def test_a_delivery_is_called_by_its_pipeline() -> None:
    ticket = replace(a_ticket("b"), compute=delivery_of("pumps"))
    _, turn = ask(after(replace(ticket, run_id="a")), ticket, 1, START)

    assert "the delivery of pipeline pumps is in use by run a" in turn.reason


class TestLatestWins:
    @staticmethod
    def latest(run_id: str, seconds: int = 0, **changes: Any) -> ComputeTicket:
        at = START + timedelta(seconds=seconds)
        return a_ticket(run_id, pipeline="fast", policy=QueuePolicy.LATEST_WINS, at=at, **changes)

    def test_the_newest_takes_the_place_of_the_one_that_waits(self) -> None:
        state = after(a_ticket("a"), self.latest("old", 1), a_ticket("b"), self.latest("new", 2))

        assert waiting(state) == ["new", "b"]
        _, turn = ask(state, self.latest("old", 1), 1, START)
        assert turn.turn is Turn.REFUSED
        assert "run new" in turn.reason
        assert "train.queue.policy is latest-wins" in turn.reason

    def test_the_one_that_trains_goes_on(self) -> None:
        state = after(self.latest("old", 1), self.latest("new", 2))

        assert (holders(state), waiting(state), state.superseded) == (["old"], ["new"], {})

    def test_one_that_comes_late_gives_way_to_newer_data(self) -> None:
        state = after(a_ticket("a"), self.latest("new", 2))

        state, turn = ask(state, self.latest("old", 1), 1, START)

        assert turn.turn is Turn.REFUSED
        assert (waiting(state), state.superseded) == (["new"], {"old": "new"})

    def test_newer_are_the_data_that_were_listed_later_not_the_run_that_was_asked_for_later(self) -> None:
        """The admission of a request may take minutes: whoever asked after it may have been admitted before it."""
        asked_first = replace(self.latest("new", 1), data_at=START + timedelta(seconds=60))
        asked_later = replace(self.latest("old", 2), data_at=START + timedelta(seconds=3))

        assert waiting(after(a_ticket("a"), asked_later, asked_first)) == ["new"]
        assert waiting(after(a_ticket("a"), asked_first, asked_later)) == ["new"]

    def test_with_another_priority_it_queues_by_its_own(self) -> None:
        state = after(
            a_ticket("a"), self.latest("old", 1, priority=5), a_ticket("b", priority=3), self.latest("new", 2)
        )
        assert waiting(state) == ["b", "new"]

        state = after(
            a_ticket("a"), a_ticket("b", priority=3), self.latest("old", 1), self.latest("new", 2, priority=5)
        )
        assert waiting(state) == ["new", "b"]

    def test_a_superseded_run_is_refused_until_it_gives_back(self) -> None:
        state = after(a_ticket("a"), self.latest("old", 1), self.latest("new", 2))
        for _ in range(2):
            state, turn = ask(state, self.latest("old", 1), 1, START)
            assert turn.turn is Turn.REFUSED

        state = give_back(state, "old", START)
        assert state.superseded == {}
        assert waiting(state) == ["new"]

    def test_other_pipelines_are_left_alone(self) -> None:
        state = after(a_ticket("a"), a_ticket("b", pipeline="slow"), self.latest("new"))

        assert waiting(state) == ["b", "new"]

    def test_in_a_full_queue_it_may_still_take_a_place(self) -> None:
        full = after(a_ticket("a"), self.latest("old", 1), *(a_ticket(f"r{n}") for n in range(MOST_WAITING - 1)))

        state, turn = ask(full, self.latest("new", 2), 1, START)

        assert (turn.turn, turn.position, len(state.waiting)) == (Turn.WAITING, 1, MOST_WAITING)


def test_a_full_queue_refuses_and_says_so_and_forgets_the_newcomer() -> None:
    full = after(*(a_ticket(f"r{n}") for n in range(MOST_WAITING + 1)))
    assert len(full.waiting) == MOST_WAITING

    state, turn = ask(full, a_ticket("late"), 1, START)

    assert state == full
    assert turn.turn is Turn.REFUSED
    assert turn.reason.startswith("100 runs wait for compute hub-vm already; start the run again")
    assert ask(give_back(state, "r0", START), a_ticket("late"), 1, START)[1].position == MOST_WAITING


def test_what_is_remembered_of_superseded_runs_is_bounded() -> None:
    state = after(a_ticket("a"), *(TestLatestWins.latest(f"r{n}", n) for n in range(3 * MOST_WAITING)))

    assert list(state.superseded) == [f"r{n}" for n in range(2 * MOST_WAITING - 1, 3 * MOST_WAITING - 1)]


@pytest.mark.parametrize("mine", ["a", "b", "c", "late"])
def test_who_is_ahead_of_a_run(mine: str) -> None:
    state = after(a_ticket("a"), a_ticket("b"), a_ticket("c"))

    assert ahead_of(state, mine) == {"a": ("a", "b", "c"), "b": ("a",), "c": ("a", "b"), "late": ("a", "b", "c")}[mine]


class TestExpectations:
    def test_the_compute_is_free_when_everybody_before_took_as_long_as_expected(self) -> None:
        state = after(a_ticket("a", expected=60), a_ticket("b", expected=600), a_ticket("c"))
        later = START + timedelta(seconds=20)

        assert ask(state, a_ticket("b"), 1, later)[1].free_at == START + timedelta(seconds=60)
        assert ask(state, a_ticket("c"), 1, later)[1].free_at == START + timedelta(seconds=660)

    def test_with_several_slots_the_first_that_ends_makes_room(self) -> None:
        tickets = [a_ticket("a", expected=60), a_ticket("b", expected=10), a_ticket("c", expected=20), a_ticket("d")]
        state = after(*tickets, slots=2)

        assert ask(state, tickets[2], 2, START)[1].free_at == START + timedelta(seconds=10)
        assert ask(state, tickets[3], 2, START)[1].free_at == START + timedelta(seconds=30)

    def test_one_that_takes_longer_is_expected_to_end_now(self) -> None:
        later = START + timedelta(hours=1)

        assert ask(after(a_ticket("a")), a_ticket("b"), 1, later)[1].free_at == later

    def test_a_careless_expectation_does_no_harm(self) -> None:
        state = after(a_ticket("a", expected=float("inf")), a_ticket("b", expected=1e300))

        turn = ask(state, a_ticket("c"), 1, START)[1]
        assert turn.free_at == START + timedelta(days=60)

    @pytest.mark.parametrize(
        ("waited", "free_in", "position", "seconds"),
        [
            (0, 0, 1, 2),  # it must end any moment
            (0, 20, 1, 5),
            (0, 3600, 1, 30),
            (0, 0, 4, 8),  # three others go first
            (0, 0, 99, 30),
            (500, 0, 1, 10),  # a training that takes longer than thought
            (7200, 0, 1, 30),
            (-7200, 0, 1, 2),  # the clock went back
            (-7200, -7200, 1, 2),
        ],
    )
    def test_it_asks_often_only_when_its_turn_is_near(
        self, waited: int, free_in: int, position: int, seconds: int
    ) -> None:
        turn = ComputeTurn(turn=Turn.WAITING, position=position, free_at=START + timedelta(seconds=free_in))
        ticket = a_ticket("a", at=START - timedelta(seconds=waited))

        assert ask_again_at(turn, ticket, START) == START + timedelta(seconds=seconds)
        assert SHORTEST <= timedelta(seconds=seconds) <= LONGEST


def test_the_state_survives_the_wire() -> None:
    state = after(a_ticket("a"), TestLatestWins.latest("old", 1), TestLatestWins.latest("new", 2), a_ticket("b"))

    assert from_text(QueueState, to_text(state)) == state
    assert from_text(QueueState, "{}") == QueueState()
