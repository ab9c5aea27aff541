from datetime import timedelta
from threading import Barrier, Thread

import pytest

from shared.clients.ledger.requests import RequestClaim, RequestLedger
from shared.errors import TransientError
from tests.support.memory_tables import MemoryTable, memory_ledger
from tests.support.workflow import START


def claim(requests: RequestLedger, key: str = "key", *, source: str = "bus", body: str = "body") -> RequestClaim:
    return requests.claim(source, key, body_digest=body, instance_id=f"{source}-{key}", at=START)


def test_the_first_caller_owns_the_claim_and_later_ones_see_it() -> None:
    requests = memory_ledger().requests

    first = claim(requests)
    again = requests.claim("bus", "key", body_digest="other", instance_id="other", at=START + timedelta(days=400))

    assert (first.new, again.new) == (True, False)
    assert (again.instance_id, again.body_digest, again.claimed_at) == ("bus-key", "body", START)


def test_other_keys_and_other_sources_are_other_requests() -> None:
    requests = memory_ledger().requests
    claim(requests)

    assert claim(requests, "other").new
    assert claim(requests, source="http").new


def test_it_is_known_for_ever_that_an_instance_was_started() -> None:
    requests = memory_ledger().requests
    assert not claim(requests).started

    requests.started("bus", "key")
    requests.started("bus", "key")

    again = claim(requests)
    assert again.started
    assert again.body_digest == "body"


def test_of_callers_that_race_one_owns_the_claim() -> None:
    requests, barrier, found = memory_ledger().requests, Barrier(8), list[bool]()

    def race() -> None:
        barrier.wait()
        found.append(claim(requests).new)

    threads = [Thread(target=race) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(found) == [False] * 7 + [True]


class LostAnswer(MemoryTable):
    """The first insert works, but its answer is lost, so the client tries again and meets its own row."""

    def insert(self, *rows: object) -> bool:
        super().insert(*rows)  # type: ignore[arg-type]
        return super().insert(*rows)  # type: ignore[arg-type]


def test_a_caller_whose_answer_was_lost_still_owns_its_claim() -> None:
    assert claim(RequestLedger(LostAnswer())).new


class Vanishing(MemoryTable):
    def insert(self, *rows: object) -> bool:
        return False


def test_a_claim_that_vanishes_is_trouble_that_passes() -> None:
    with pytest.raises(TransientError):
        claim(RequestLedger(Vanishing()))
