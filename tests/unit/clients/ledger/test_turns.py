from contextlib import ExitStack
from datetime import datetime, timedelta

import pytest

from shared.clients.ledger.turns import TurnLedger
from shared.errors import TransientError
from tests.support.memory_tables import MemoryTables
from tests.support.workflow import START


class Clock:
    now = START

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def turns(clock: Clock) -> TurnLedger:
    return TurnLedger(MemoryTables().table("claims"), clock)


def test_one_at_a_time_and_then_the_next(turns: TurnLedger) -> None:
    with turns.alone("attach a", seconds=60):
        with (
            pytest.raises(TransientError, match="another process is about to attach a"),
            turns.alone("attach a", seconds=60),
        ):
            pytest.fail("both had the turn")
        with turns.alone("attach b", seconds=60):
            pass
    with turns.alone("attach a", seconds=60):
        pass


def test_a_turn_is_given_back_when_what_was_done_failed(turns: TurnLedger) -> None:
    with pytest.raises(ZeroDivisionError), turns.alone("attach a", seconds=60):
        raise ZeroDivisionError

    with turns.alone("attach a", seconds=60):
        pass


def test_the_turn_of_one_that_died_ends_by_itself(turns: TurnLedger, clock: Clock) -> None:
    with ExitStack() as died:
        died.enter_context(turns.alone("attach a", seconds=60))
        clock.now += timedelta(seconds=59)
        with pytest.raises(TransientError), turns.alone("attach a", seconds=60):
            pytest.fail("both had the turn")
        clock.now += timedelta(seconds=2)
        with turns.alone("attach a", seconds=60):
            died.close()  # it was only slow: it must not give back what is another's now
            with pytest.raises(TransientError), turns.alone("attach a", seconds=60):
                pytest.fail("both had the turn")
