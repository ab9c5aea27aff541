from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.clients.ledger import Ledger
from shared.decisions.snapshots.incremental_selection import LastTraining
from shared.errors import TransientError
from shared.messages.listings import DecidedListing, ScanState
from tests.support.builders import a_snapshot
from tests.support.memory_tables import MemoryTables
from tests.support.workflow import START

SCAN = ScanState(swept_at=START, first_page="one", last_page="nine", last_marker="m", marked_etag='"0x1"')


def a_training(number: int, **changes: Any) -> LastTraining:
    at = START + timedelta(seconds=number)
    snapshot = a_snapshot(taken_at=at, seen=f"p/{number}.seen.jsonl")
    return LastTraining(run_id=f"p-{number}", snapshot=snapshot, requested_at=at, ended_at=at)


def test_a_listing_is_decided_for_its_pipeline_until_it_is_cleared(ledger: Ledger) -> None:
    listings = ledger.listings
    assert listings.last_decided("p") is None

    listings.mark_decided("p", "one", START)
    listings.mark_decided("p", "two", None)
    assert listings.last_decided("p") == DecidedListing(listing="two")
    assert listings.last_decided("other") is None

    listings.keep_scan("p", SCAN)
    listings.clear_decision("p")
    assert listings.last_decided("p") is None
    assert listings.last_scan("p") is None  # or a quick look would find everything as it was
    listings.mark_decided("p", "two", START)
    assert listings.last_decided("p") == DecidedListing(listing="two", newest=START)


def test_unsettling_what_never_was_settled_does_nothing(ledger: Ledger) -> None:
    ledger.listings.clear_decision("p")
    assert ledger.listings.last_decided("p") is None


def test_a_scan_comes_back(ledger: Ledger) -> None:
    assert ledger.listings.last_scan("p") is None
    ledger.listings.keep_scan("p", SCAN)
    assert ledger.listings.last_scan("p") == SCAN
    assert ledger.listings.last_scan("other") is None


def test_the_last_training_comes_back_and_again(ledger: Ledger) -> None:
    assert ledger.listings.trained("p") is None
    for _ in range(2):
        ledger.listings.keep_trained("p", a_training(1))
        assert ledger.listings.trained("p") == a_training(1)
    assert ledger.listings.trained("other") is None


@given(st.permutations(range(4)))
def test_the_latest_listing_wins_in_whatever_order_trainings_end(order: list[int]) -> None:
    ledger = Ledger.over(MemoryTables())
    for number in order:
        ledger.listings.keep_trained("p", a_training(number))
    assert ledger.listings.trained("p") == a_training(3)


@pytest.mark.parametrize("first", [None, 0])
@pytest.mark.parametrize(("mine", "rival", "wins"), [(1, 2, 2), (2, 1, 2)])
def test_a_race_keeps_the_later_one(
    tables: MemoryTables, ledger: Ledger, first: int | None, mine: int, rival: int, wins: int
) -> None:
    if first is not None:
        ledger.listings.keep_trained("p", a_training(first))
    claims = tables.table("claims")

    def rushes_in(operation: str) -> None:
        if operation in {"insert", "update"}:
            claims.before = lambda _: None
            ledger.listings.keep_trained("p", a_training(rival))

    claims.before = rushes_in
    ledger.listings.keep_trained("p", a_training(mine))

    assert ledger.listings.trained("p") == a_training(wins)


def test_a_row_that_changes_under_every_write_is_left_for_later(tables: MemoryTables, ledger: Ledger) -> None:
    ledger.listings.keep_trained("p", a_training(0))
    claims = tables.table("claims")
    rivals = Ledger.over(tables).listings
    rushing = False

    def rushes_in(operation: str) -> None:
        nonlocal rushing
        if operation == "update" and not rushing:
            rushing = True
            rivals.keep_trained("p", a_training(0))
            rushing = False

    claims.before = rushes_in
    with pytest.raises(TransientError, match="too many runs of pipeline p ended at once"):
        ledger.listings.keep_trained("p", a_training(1))
