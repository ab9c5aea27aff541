from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from shared.clients.ledger import Ledger
from shared.errors import TransientError
from shared.messages import FailedAttempt, Quarantine
from tests.support.builders import a_run_request
from tests.support.memory_tables import MemoryTables
from tests.support.workflow import START

LATER = START + timedelta(hours=1)


def a_quarantine(fingerprint: str = "ab" * 32, *, attempts: tuple[int, ...] = (1, 2, 3)) -> Quarantine:
    return Quarantine(
        pipeline="p",
        fingerprint=fingerprint,
        snapshot_digest="cd" * 32,
        since=START,
        failures=tuple(FailedAttempt(run_id=f"p-ab-{n}", reason="bad", attempt=n) for n in attempts),
    )


def test_it_is_kept_for_its_fingerprint(ledger: Ledger) -> None:
    kept = a_quarantine()
    assert ledger.quarantines.get("p", kept.fingerprint) is None
    for _ in range(2):
        ledger.quarantines.put(kept)
        assert ledger.quarantines.get("p", kept.fingerprint) == kept
    assert ledger.quarantines.get("q", kept.fingerprint) is None


def test_those_of_a_pipeline_come_newest_first_and_without_its_runs(ledger: Ledger) -> None:
    older, newer = a_quarantine("ff" * 32), replace(a_quarantine("00" * 32), since=LATER)
    for quarantine in (older, newer, replace(older, pipeline="q")):
        ledger.quarantines.put(quarantine)
    ledger.runs.claim_run(a_run_request(pipeline="p", run_id="p-ab-1"))
    assert ledger.quarantines.of("p") == [newer, older]
    assert len(ledger.runs.list_runs(["p"]).items) == 1


def test_a_release_says_up_to_which_attempt(ledger: Ledger) -> None:
    kept = a_quarantine()
    ledger.quarantines.put(kept)

    released = ledger.quarantines.lift("p", kept.fingerprint, LATER, by="ada")

    assert released == replace(kept, released_at=LATER, released_attempt=3, released_by="ada")
    assert ledger.quarantines.get("p", kept.fingerprint) == released
    assert ledger.quarantines.of("p") == [released]


def test_only_what_is_active_can_be_released(ledger: Ledger) -> None:
    assert ledger.quarantines.lift("p", "ab" * 32, LATER, by="ada") is None
    ledger.quarantines.put(a_quarantine())
    ledger.quarantines.lift("p", "ab" * 32, LATER, by="ada")
    assert ledger.quarantines.lift("p", "ab" * 32, LATER, by="ada") is None


def test_a_late_repeat_does_not_undo_a_release_but_new_failures_do(ledger: Ledger) -> None:
    ledger.quarantines.put(a_quarantine())
    released = ledger.quarantines.lift("p", "ab" * 32, LATER, by="ada")

    ledger.quarantines.put(a_quarantine())
    assert ledger.quarantines.get("p", "ab" * 32) == released

    again = replace(a_quarantine(attempts=(4, 5, 6)), released_attempt=3)
    ledger.quarantines.put(again)
    assert ledger.quarantines.get("p", "ab" * 32) == again


def test_a_release_that_comes_between_wins(tables: MemoryTables, ledger: Ledger) -> None:
    ledger.quarantines.put(a_quarantine())
    runs = tables.table("runs")

    def rushes_in(operation: str) -> None:
        if operation == "update":
            runs.before = lambda _: None
            ledger.quarantines.lift("p", "ab" * 32, LATER, by="ada")

    runs.before = rushes_in
    ledger.quarantines.put(a_quarantine())
    kept = ledger.quarantines.get("p", "ab" * 32)
    assert kept is not None
    assert not kept.active


@pytest.mark.parametrize(
    "write",
    [
        lambda ledger: ledger.quarantines.put(a_quarantine()),
        lambda ledger: ledger.quarantines.lift("p", "ab" * 32, LATER, by="ada"),
    ],
    ids=["put", "lift"],
)
def test_a_row_that_changes_under_every_write_is_left_for_later(
    tables: MemoryTables, ledger: Ledger, write: Callable[[Ledger], object]
) -> None:
    ledger.quarantines.put(a_quarantine())
    runs, rivals, rushing = tables.table("runs"), Ledger.over(tables).quarantines, False

    def rushes_in(operation: str) -> None:
        nonlocal rushing
        if operation == "update" and not rushing:
            rushing = True
            rivals.put(a_quarantine())
            rushing = False

    runs.before = rushes_in
    with pytest.raises(TransientError, match="raced for a quarantine of pipeline p"):
        write(ledger)
