import asyncio
import threading
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from function_app.intake.group_commit import MOST_ITEMS, GroupCommit
from shared.errors import TransientError
from tests.support.examples import examples

Result = TypeVar("Result")


@dataclass
class Store:
    """Doubles numbers; refuses those in ``bad``, and everything while ``down``. Waits at ``gate`` before it answers."""

    bad: frozenset[int] = frozenset()
    down: bool = False
    groups: list[list[int]] = field(default_factory=list)
    entered: threading.Event = field(default_factory=threading.Event)
    gate: threading.Event = field(default_factory=threading.Event)

    def write(self, items: Sequence[int]) -> list[int]:
        self.groups.append(list(items))
        self.entered.set()
        assert self.gate.wait(10)
        if self.down:
            raise TransientError("the tables are down")
        if self.bad.intersection(items):
            raise ValueError("one of them is bad")
        return [2 * item for item in items]


def _open_store(**settings: Any) -> Store:
    store = Store(**settings)
    store.gate.set()
    return store


def _run(scenario: Coroutine[Any, Any, Result]) -> Result:
    return asyncio.run(asyncio.wait_for(scenario, 30))


async def _together(commit: GroupCommit[int, int], items: Sequence[int]) -> list[int | BaseException]:
    return await asyncio.gather(*(commit.submit(item) for item in items), return_exceptions=True)


def test_one_goes_at_once_and_what_comes_meanwhile_goes_together() -> None:
    store = Store()

    async def scenario() -> list[int]:
        commit = GroupCommit(store.write)
        first = asyncio.create_task(commit.submit(1))
        await asyncio.to_thread(store.entered.wait, 10)
        others = [asyncio.create_task(commit.submit(n)) for n in (2, 3, 4)]
        await asyncio.sleep(0)  # lets them submit
        store.gate.set()
        return [await task for task in (first, *others)]

    assert _run(scenario()) == [2, 4, 6, 8]
    assert store.groups == [[1], [2, 3, 4]]


def test_it_works_again_after_a_pause() -> None:
    store = _open_store()

    async def scenario() -> list[int]:
        commit = GroupCommit(store.write)
        return [await commit.submit(n) for n in (1, 2)]

    assert _run(scenario()) == [2, 4]
    assert store.groups == [[1], [2]]


@examples(30, deadline=None)
@given(items=st.lists(st.integers(0, 30), max_size=30), bad=st.frozensets(st.integers(0, 30), max_size=3))
def test_a_bad_item_fails_alone(items: list[int], bad: frozenset[int]) -> None:
    store = _open_store(bad=bad)

    async def scenario() -> list[int | BaseException]:
        return await _together(GroupCommit(store.write), items)

    answers = _run(scenario())
    assert [2 * item if item not in bad else ValueError for item in items] == [
        answer if isinstance(answer, int) else type(answer) for answer in answers
    ]


def test_when_the_store_is_down_all_fail_after_one_try() -> None:
    store = _open_store(down=True)

    async def scenario() -> list[int | BaseException]:
        return await _together(GroupCommit(store.write), [1, 2, 3])

    assert {type(answer) for answer in _run(scenario())} == {TransientError}
    assert store.groups == [[1, 2, 3]]


def test_it_recovers_from_an_error() -> None:
    store = _open_store(down=True)

    async def scenario() -> int:
        commit = GroupCommit(store.write)
        with pytest.raises(TransientError):
            await commit.submit(1)
        store.down = False
        return await commit.submit(2)

    assert _run(scenario()) == 4


def test_a_large_burst_goes_in_bounded_groups() -> None:
    store = _open_store()

    async def scenario() -> list[int | BaseException]:
        return await _together(GroupCommit(store.write), range(2 * MOST_ITEMS + 10))

    assert len(_run(scenario())) == 2 * MOST_ITEMS + 10
    assert max(map(len, store.groups)) == MOST_ITEMS


def test_a_caller_that_gives_up_takes_nobody_along() -> None:
    store = Store()

    async def scenario() -> int:
        commit = GroupCommit(store.write)
        impatient, patient = (asyncio.create_task(commit.submit(n)) for n in (1, 2))
        await asyncio.to_thread(store.entered.wait, 10)
        impatient.cancel()
        store.gate.set()
        with pytest.raises(asyncio.CancelledError):
            await impatient
        return await patient

    assert _run(scenario()) == 4


def test_a_wrong_number_of_answers_is_an_error_and_hangs_nobody() -> None:
    async def scenario() -> list[int | BaseException]:
        return await _together(GroupCommit(lambda items: [1] * (len(items) + 1)), [1, 2])

    assert {type(answer) for answer in _run(scenario())} == {ValueError}
