from dataclasses import replace
from datetime import timedelta

from shared.decisions.reconciliation.schedules import Counted
from tests.support.memory_tables import memory_ledger
from tests.support.workflow import START

BEGUN = Counted(cron="0 3 * * *", last=START, claimed_at=START)
DUE = replace(BEGUN, last=START + timedelta(hours=17), claimed_at=START + timedelta(hours=17), started=False)


def test_what_is_kept_comes_back() -> None:
    schedules = memory_ledger().schedules

    assert schedules.counted("p") is None
    assert schedules.advance("p", None, BEGUN)
    assert schedules.counted("p") == BEGUN
    assert schedules.counted("other") is None


def test_of_two_that_claim_the_same_due_time_one_gets_it() -> None:
    schedules = memory_ledger().schedules

    assert [schedules.advance("p", None, BEGUN) for _ in range(2)] == [True, False]
    assert [schedules.advance("p", BEGUN, DUE) for _ in range(2)] == [True, False]
    assert schedules.counted("p") == DUE


def test_noting_the_start_is_safe_to_repeat_and_never_turns_back() -> None:
    schedules = memory_ledger().schedules
    schedules.advance("p", None, DUE)
    schedules.started("p", DUE)
    schedules.started("p", DUE)
    assert schedules.counted("p") == replace(DUE, started=True)
    later = replace(DUE, last=DUE.last + timedelta(days=1))
    assert schedules.advance("p", replace(DUE, started=True), later)

    schedules.started("p", DUE)

    assert schedules.counted("p") == later
