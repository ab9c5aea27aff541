import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from activities.record_run import record_run
from shared.alert_lines import RUN_ENDED_BADLY
from shared.clients.ledger import Ledger
from shared.decisions.snapshots.incremental_selection import LastTraining
from shared.errors import Code, PermanentError
from shared.messages import (
    Actor,
    ActorKind,
    Best,
    Cancellation,
    Champion,
    Done,
    FailureKind,
    Outcome,
    RunRecord,
    Stage,
)
from tests.support.arrivals import a_run_record
from tests.support.builders import a_plan, a_run_request, a_snapshot
from tests.support.memory_tables import MemoryTables
from tests.support.workflow import START

NAME = "breast-cancer"
LATER = START + timedelta(minutes=3)
RUN = a_run_request(snapshot=a_snapshot(seen="x.seen.jsonl", taken_at=START))
JUDGED = [Outcome.PROMOTED, Outcome.NOT_PROMOTED]


class CrashError(Exception):
    """The process dies here."""


@pytest.fixture
def tables() -> MemoryTables:
    return MemoryTables()


@pytest.fixture
def ledger(tables: MemoryTables) -> Ledger:
    ledger = Ledger.over(tables)
    ledger.runs.claim_run(RUN)
    return ledger


def _record(ledger: Ledger, record: RunRecord) -> None:
    done = record_run(
        record,
        runs=ledger.runs,
        champions=ledger.champions,
        listings=ledger.listings,
        quarantines=ledger.quarantines,
        retries=ledger.retries,
    )
    assert done == Done()


def _of(attempt: int, outcome: Outcome | None, **changes: Any) -> RunRecord:
    record = a_run_record(
        run_id=f"{NAME}-{RUN.fingerprint[:12]}-{attempt}", attempt=attempt, outcome=outcome, ended_at=LATER
    )
    return replace(record, **changes)


def _failed(attempt: int) -> RunRecord:
    return _of(attempt, Outcome.FAILED, stage=Stage.TRAINING, job_failed=True, reason=f"line {attempt}: not a number")


def _claim(ledger: Ledger, attempt: int, *, quarantine_after: int = 3) -> None:
    run_id = f"{NAME}-{RUN.fingerprint[:12]}-{attempt}"
    plan = a_plan(quarantine_after=quarantine_after)
    ledger.runs.claim_run(replace(RUN, run_id=run_id, attempt=attempt, requested_by=f"w-{attempt}", plan=plan))


def test_a_promoted_run_is_crowned(ledger: Ledger) -> None:
    image = "registry/models/breast-cancer@sha256:00"
    record = _of(1, Outcome.PROMOTED, model=NAME, version="2", image=image, metrics={"accuracy": 0.97})

    _record(ledger, record)

    assert ledger.champions.champion(NAME) == Champion(
        pipeline=NAME, run_id=record.run_id, model=NAME, version="2", image=image, metrics={"accuracy": 0.97}
    )
    assert ledger.runs.run(record.run_id) == record


MEASURED: dict[str, Any] = {
    "holdout": "rows",
    "evaluator": "code",
    "champion_run_id": "the-champion-before",
    "champion_value": 0.93,
}


def _best(run_id: str, value: float) -> Best:
    return Best(run_id=run_id, metric="accuracy", higher_is_better=True, value=value, holdout="rows", evaluator="code")


def test_a_champion_is_kept_with_what_it_was_measured_on_and_with_the_best_so_far(ledger: Ledger) -> None:
    record = _of(1, Outcome.PROMOTED, metrics={"accuracy": 0.92}, **MEASURED)

    _record(ledger, record)
    _record(ledger, record)

    champion = ledger.champions.champion(NAME)
    assert (champion.holdout, champion.evaluator) == ("rows", "code")
    assert champion.bests == (_best("the-champion-before", 0.93),)


def test_what_a_run_that_lost_measured_of_the_champion_is_kept(ledger: Ledger) -> None:
    ledger.champions.crown(Champion(pipeline=NAME, run_id="the-champion-before"), since=START)

    _record(ledger, _of(1, Outcome.NOT_PROMOTED, metrics={"accuracy": 0.99}, **MEASURED))

    champion = ledger.champions.champion(NAME)
    assert champion == Champion(
        pipeline=NAME, run_id="the-champion-before", bests=(_best("the-champion-before", 0.93),)
    )


def test_who_was_judged_against_the_champion_took_over_later_whatever_the_clocks_of_two_hosts_say(
    ledger: Ledger,
) -> None:
    before = _of(1, Outcome.PROMOTED, ended_at=START + timedelta(minutes=2))
    after = _of(2, Outcome.PROMOTED, ended_at=START, champion_run_id=before.run_id)
    _record(ledger, before)

    _record(ledger, after)
    assert ledger.champions.champion(NAME).run_id == after.run_id
    for late in (before, after):
        _record(ledger, late)
        assert ledger.champions.champion(NAME).run_id == after.run_id


@pytest.mark.parametrize("outcome", [None, *(each for each in Outcome if each is not Outcome.PROMOTED)])
def test_any_other_run_leaves_the_champion(ledger: Ledger, outcome: Outcome | None) -> None:
    _record(ledger, _of(1, outcome))
    assert ledger.champions.champion(NAME).run_id is None


def test_what_could_not_be_compared_is_not_trained_yet(ledger: Ledger) -> None:
    """With ``select: new`` its files would never be judged otherwise."""
    _record(ledger, _of(1, Outcome.NOT_PROMOTED, comparable=False))

    assert ledger.listings.trained(NAME) is None


@pytest.mark.parametrize("outcome", [None, *Outcome])
def test_what_came_to_a_verdict_is_trained(ledger: Ledger, outcome: Outcome | None) -> None:
    _record(ledger, _of(1, outcome))
    trained = LastTraining(run_id=RUN.run_id, snapshot=RUN.snapshot, requested_at=START, ended_at=LATER)
    assert ledger.listings.trained(NAME) == (trained if outcome in JUDGED else None)


def test_the_last_failure_that_is_allowed_puts_the_fingerprint_aside(ledger: Ledger) -> None:
    for attempt in (2, 3):
        _claim(ledger, attempt)
    for attempt in (1, 2):
        _record(ledger, _failed(attempt))
        assert ledger.quarantines.of(NAME) == []

    for _ in range(2):
        _record(ledger, _failed(3))
        [kept] = ledger.quarantines.of(NAME)
        assert kept.active
        assert kept.since == LATER
        assert [failure.reason for failure in kept.failures] == [f"line {n}: not a number" for n in (1, 2, 3)]


def test_the_plan_of_the_run_says_how_many(ledger: Ledger) -> None:
    _claim(ledger, 2, quarantine_after=1)
    _record(ledger, _failed(2))
    assert len(ledger.quarantines.of(NAME)) == 1


def test_a_late_repeat_after_the_release_puts_nothing_aside(ledger: Ledger) -> None:
    _claim(ledger, 2, quarantine_after=1)
    _record(ledger, _failed(2))
    ledger.quarantines.lift(NAME, RUN.fingerprint, LATER, by="ada")

    _record(ledger, _failed(2))

    [kept] = ledger.quarantines.of(NAME)
    assert not kept.active


@pytest.mark.parametrize(
    "record", [_of(1, Outcome.PROMOTED), _of(2, Outcome.FAILED, stage=Stage.TRAINING, job_failed=True)]
)
def test_the_record_comes_last_wherever_it_dies(tables: MemoryTables, ledger: Ledger, record: RunRecord) -> None:
    _claim(ledger, 2, quarantine_after=1)
    died = 0
    while _dies(tables, died, lambda: _record(ledger, record)):
        died += 1
        written = ledger.runs.run(record.run_id)
        assert written is not None
        if written.outcome is not None:
            assert _follows(ledger, record)
    assert died > 4
    assert _follows(ledger, record)


def _follows(ledger: Ledger, record: RunRecord) -> bool:
    if record.outcome is Outcome.PROMOTED:
        return ledger.champions.champion(NAME).run_id == record.run_id and ledger.listings.trained(NAME) is not None
    return len(ledger.quarantines.of(NAME)) == 1


def _dies(tables: MemoryTables, after: int, act: Callable[[], None]) -> bool:
    """Whether it died: after so many operations on the tables."""
    operations = 0

    def dies(_: str) -> None:
        nonlocal operations
        operations += 1
        if operations > after:
            raise CrashError

    for table in tables.tables.values():
        table.before = dies
    try:
        act()
    except CrashError:
        return True
    finally:
        for table in tables.tables.values():
            table.before = lambda _: None
    return False


def test_a_run_that_nobody_claimed_is_recorded_all_the_same() -> None:
    ledger = Ledger.over(MemoryTables())
    for record in (_of(7, Outcome.NOT_PROMOTED), _of(8, Outcome.FAILED, stage=Stage.TRAINING, job_failed=True)):
        _record(ledger, record)
        assert ledger.runs.run(record.run_id) == record
    assert ledger.listings.trained(NAME) is None
    assert ledger.quarantines.of(NAME) == []


def test_the_first_outcome_stays_and_nothing_follows_from_a_later_one(ledger: Ledger) -> None:
    _record(ledger, _of(1, Outcome.CANCELLED))
    with pytest.raises(PermanentError) as refused:
        _record(ledger, _of(1, Outcome.PROMOTED, model=NAME, version="2"))

    assert refused.value.code is Code.RUN_ENDED
    kept = ledger.runs.run(RUN.run_id)
    assert kept is not None
    assert kept.outcome is Outcome.CANCELLED
    assert ledger.champions.champion(NAME).run_id is None
    assert ledger.listings.trained(NAME) is None


@pytest.mark.parametrize("outcome", [each for each in Outcome if each is not Outcome.CANCELLED])
def test_a_run_that_somebody_cancelled_gets_no_other_outcome(ledger: Ledger, outcome: Outcome) -> None:
    """Its orchestration may be alive still; what it says last must not be announced."""
    _cancel(ledger)

    with pytest.raises(PermanentError) as refused:
        _record(ledger, _of(1, outcome))

    assert refused.value.code is Code.RUN_CANCELLED
    assert ledger.champions.champion(NAME).run_id is None
    _record(ledger, _of(1, Outcome.CANCELLED))


def test_a_run_that_is_cancelled_anywhere_in_its_crowning_leaves_the_champion_before(tables: MemoryTables) -> None:
    """The activity dies between two writes, somebody cancels the run, and the activity is delivered again."""
    promoted, after = _of(1, Outcome.PROMOTED, champion_run_id="the-champion-before"), 0
    before = Champion(pipeline=NAME, run_id="the-champion-before", model=NAME, version="1")
    while True:
        tables.tables.clear()
        ledger = Ledger.over(tables)
        ledger.runs.claim_run(RUN)
        ledger.champions.crown(before, since=START)
        died = _dies(tables, after, lambda ledger=ledger: _record(ledger, promoted))  # type: ignore[misc]
        _cancel(ledger)
        with suppress(PermanentError):
            _record(ledger, promoted)
        with suppress(PermanentError):
            _record(ledger, _of(1, Outcome.CANCELLED))
        kept = ledger.runs.run(RUN.run_id)
        assert kept is not None
        champion = ledger.champions.champion(NAME)
        assert champion.run_id == (RUN.run_id if kept.outcome is Outcome.PROMOTED else before.run_id)
        if not died:
            break
        after += 1
    assert after > 4
    assert kept.outcome is Outcome.PROMOTED


def _cancel(ledger: Ledger) -> None:
    by = Actor(kind=ActorKind.KEY, name="ops")
    ledger.runs.cancel(RUN.run_id, Cancellation(by=by, reason="no", at=START))


def test_a_trial_with_parameters_of_its_own_is_not_what_new_data_are_compared_with(ledger: Ledger) -> None:
    trial = replace(RUN, run_id=f"{NAME}-{RUN.fingerprint[:12]}-5", requested_by="http-1", own_parameters=True)
    ledger.runs.claim_run(trial)

    _record(ledger, _of(5, Outcome.NOT_PROMOTED))

    assert ledger.listings.trained(NAME) is None


def test_trouble_around_a_training_puts_nothing_aside(ledger: Ledger) -> None:
    for attempt in range(2, 7):
        _claim(ledger, attempt)
        _record(ledger, _of(attempt, Outcome.FAILED, stage=Stage.TRAINING, reason="Azure ML answered 500"))

    assert ledger.quarantines.of(NAME) == []


@pytest.mark.parametrize("outcome", list(Outcome))
def test_a_record_that_is_longer_than_a_row_takes_is_kept_all_the_same(ledger: Ledger, outcome: Outcome) -> None:
    """Refused, it would be refused for ever, with its model live."""
    metrics = {f"recall of class {number}": 0.5 for number in range(5_000)}
    record = _of(1, outcome, reason="x" * 50_000, metrics=metrics, image="i", failure_kind=FailureKind.DATA)

    _record(ledger, record)

    kept = ledger.runs.run(record.run_id)
    assert kept is not None
    assert kept.outcome is outcome
    assert kept.metrics.items() < metrics.items()
    champion = ledger.champions.champion(NAME)
    assert (champion.run_id == record.run_id) is (outcome is Outcome.PROMOTED)


@pytest.mark.parametrize("outcome", list(Outcome))
def test_an_outcome_that_calls_for_somebody_is_a_line_that_an_alert_finds(
    ledger: Ledger, outcome: Outcome, caplog: pytest.LogCaptureFixture
) -> None:
    record = _of(1, outcome)

    with caplog.at_level(logging.INFO):
        _record(ledger, record)

    lines = [each.getMessage() for each in caplog.records if each.getMessage().startswith(RUN_ENDED_BADLY)]
    bad = outcome in {Outcome.FAILED, Outcome.ROLLED_BACK}
    assert lines == [f"{RUN_ENDED_BADLY} run {record.run_id} of pipeline {NAME}: {outcome}"] * bad
