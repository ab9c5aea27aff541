import json
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from orchestrations.await_compute import await_compute
from orchestrations.progress import gave_up
from shared.decisions.training.compute_queue import LONGEST, SHORTEST
from shared.errors import Code
from shared.messages import ComputeTurn, ComputeWait, Turn
from shared.values.wire import from_wire
from tests.support.computes import a_ticket
from tests.support.workflow import START, Played, play, refusal, value

TICKET = a_ticket("digits-abcdefabcdef-1", at=START)
GRANTED = ComputeTurn(turn=Turn.GRANTED)
REFUSED = ComputeTurn(turn=Turn.REFUSED, reason="compute hub-vm is taken")


def waiting(position: int = 1, seconds: float = 0) -> ComputeTurn:
    return ComputeTurn(
        turn=Turn.WAITING,
        position=position,
        reason="compute hub-vm is taken by run a",
        free_at=START + timedelta(seconds=seconds),
    )


def story(answers: Any, *, rounds: int = 0) -> Played:
    return play(await_compute, ComputeWait(ticket=TICKET, rounds=rounds), answers={"acquire_compute": answers})


@pytest.mark.parametrize("turn", [GRANTED, REFUSED])
def test_an_answer_at_once_is_the_output(turn: ComputeTurn) -> None:
    run = story(value(turn))

    assert from_wire(ComputeTurn, run.output) == turn
    assert run.asked == ["acquire_compute"]
    assert run.context.timers == []


def test_it_waits_and_says_how_it_stands_until_it_is_granted() -> None:
    run = story([value(waiting(2, 60)), value(waiting(1, 40)), value(GRANTED)])

    assert from_wire(ComputeTurn, run.output) == GRANTED
    assert {status["stage"] for status in run.context.statuses} == {"waiting"}
    assert [status["progress"] for status in run.context.statuses] == [
        {
            "compute": "hub-vm",
            "position": position,
            "reason": "compute hub-vm is taken by run a",
            "free_at": (START + timedelta(seconds=seconds)).isoformat(),
        }
        for position, seconds in ((2, 60), (1, 40))
    ]
    assert [timer.due for timer in run.context.timers] == [
        START + timedelta(seconds=15),
        START + timedelta(seconds=15 + 25 / 4),
    ]


def test_it_continues_as_new_with_the_same_ticket_after_twenty_rounds() -> None:
    first = story(value(waiting()))

    assert first.output is None
    carried = from_wire(ComputeWait, first.context.continued_with)
    assert carried == ComputeWait(ticket=TICKET, rounds=20)
    assert len(first.context.timers) == 20

    second = story([value(waiting()), value(GRANTED)], rounds=20)
    assert from_wire(ComputeTurn, second.output) == GRANTED


@pytest.mark.parametrize("free_in", [0, 10, 1_000_000])
def test_no_wait_is_shorter_or_longer_than_agreed(free_in: int) -> None:
    run = story(value(waiting(seconds=free_in)))

    dues = [START, *(timer.due for timer in run.context.timers if timer.due)]
    waits = [later - earlier for earlier, later in pairwise(dues)]
    assert all(SHORTEST <= wait <= LONGEST for wait in waits)


def test_trouble_is_an_answer_with_its_remedy() -> None:
    refused = story(refusal(Code.BAD_CONFIGURATION, "the app settings have no EDGETRAIN_COMPUTES__HUB_VM__..."))
    failed = story([value(waiting()), Exception("the ledger's table did not answer\nstack")])

    assert refused.output == {"failed": "the app settings have no EDGETRAIN_COMPUTES__HUB_VM__...", "kind": "outside"}
    assert failed.output == {
        "failed": gave_up(Exception("the ledger's table did not answer")),
        "kind": "outside",
    }


def test_its_custom_status_fits_the_hosts_limit() -> None:
    long = ComputeTurn(turn=Turn.WAITING, position=100, reason="x" * 1000, free_at=START)
    run = story([value(long), value(GRANTED)])

    assert all(len(json.dumps(status).encode("utf-16")) < 16 * 1024 for status in run.context.statuses)
