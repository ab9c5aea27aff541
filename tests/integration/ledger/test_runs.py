from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from shared.clients.ledger import Ledger
from shared.decisions.fingerprint import run_id
from shared.messages import Outcome, RunRecord, RunRequest, Stage
from tests.support.arrivals import a_run_record
from tests.support.builders import FINGERPRINT, a_run_request
from tests.support.workflow import START

PIPELINE = "breast-cancer"


def _request(attempt: int = 1, fingerprint: str = FINGERPRINT, **changes: Any) -> RunRequest:
    return a_run_request(
        run_id=run_id(PIPELINE, fingerprint, attempt), attempt=attempt, fingerprint=fingerprint, **changes
    )


def _record(request: RunRequest, **changes: Any) -> RunRecord:
    return a_run_record(
        run_id=request.run_id,
        attempt=request.attempt,
        fingerprint=request.fingerprint,
        requested_at=request.requested_at,
        **changes,
    )


@pytest.mark.parametrize("run_id", ["", "a/b", "a#b", "\0", "../a", "x" * 2000, "Ä-1-1", "no-such-run"])
def test_any_text_may_be_asked_for_as_a_run(ledger: Ledger, run_id: str) -> None:
    assert ledger.runs.run(run_id) is None


def test_a_claimed_run_is_known_at_once(ledger: Ledger) -> None:
    request = _request(parameters={"depth": 3, "rate": 0.5, "on": True})

    assert ledger.runs.claim_run(request) == request

    assert ledger.runs.claimed_by(PIPELINE, request.requested_by) == request
    record = ledger.runs.run(request.run_id)
    assert record is not None
    assert (record.outcome, record.stage, record.snapshot_digest) == (None, Stage.ACCEPTED, request.snapshot.digest)
    assert ledger.runs.runs_of(PIPELINE, FINGERPRINT) == [record]
    assert ledger.runs.list_runs(PIPELINE) == [record]


def test_what_is_not_there_is_none(ledger: Ledger) -> None:
    assert ledger.runs.run("breast-cancer-abcdefabcdef-1") is None
    assert ledger.runs.run("nonsense") is None
    assert ledger.runs.claimed_by(PIPELINE, "nobody") is None
    assert ledger.runs.runs_of(PIPELINE, FINGERPRINT) == []
    assert ledger.runs.list_runs(PIPELINE) == []


def test_another_requester_gets_the_request_that_came_first(ledger: Ledger) -> None:
    first = _request(requested_by="one")
    ledger.runs.claim_run(first)

    assert ledger.runs.claim_run(_request(requested_by="two")) == first
    assert ledger.runs.claimed_by(PIPELINE, "two") is None


def test_a_requester_that_repeats_gets_its_first_run_though_the_data_changed(ledger: Ledger) -> None:
    first = _request(requested_by="one")
    ledger.runs.claim_run(first)

    assert ledger.runs.claim_run(first) == first
    assert ledger.runs.claim_run(_request(fingerprint="cd" * 32, requested_by="one")) == first
    assert ledger.runs.runs_of(PIPELINE, "cd" * 32) == []


def test_of_many_requesters_exactly_one_gets_the_claim(tables: str, prefix: str) -> None:
    ledgers = [Ledger(tables, prefix) for _ in range(4)]
    requests = [_request(requested_by=f"requester-{n}/#?") for n in range(16)]
    with ThreadPoolExecutor(8) as pool:
        holders = list(pool.map(lambda n: ledgers[n % 4].runs.claim_run(requests[n]), range(16)))

    [winner] = {holder.requested_by for holder in holders}
    granted = [request for request in requests if ledgers[0].runs.claimed_by(PIPELINE, request.requested_by)]
    assert [request.requested_by for request in granted] == [winner]
    assert len(ledgers[0].runs.list_runs(PIPELINE)) == 1
    for ledger in ledgers:
        ledger.close()


def test_attempts_come_in_order_and_only_those_of_the_fingerprint(ledger: Ledger) -> None:
    twin = FINGERPRINT[:12] + "0" * 52  # same run id prefix, another fingerprint
    for attempt in (1, 10, 2):
        ledger.runs.claim_run(_request(attempt, requested_by=f"r{attempt}"))
    ledger.runs.claim_run(_request(3, twin, requested_by="twin"))

    assert [run.attempt for run in ledger.runs.runs_of(PIPELINE, FINGERPRINT)] == [1, 2, 10]


def test_a_record_replaces_what_the_claim_said_and_keeps_the_request(ledger: Ledger) -> None:
    request = _request()
    ledger.runs.claim_run(request)
    ended = _record(request, outcome=Outcome.PROMOTED, metrics={"accuracy": 0.97}, image="host/models@sha256:00")

    ledger.runs.record_run(ended)
    ledger.runs.record_run(ended)

    assert ledger.runs.run(request.run_id) == ended
    assert ledger.runs.list_runs(PIPELINE) == [ended]
    assert ledger.runs.claimed_by(PIPELINE, request.requested_by) == request


def test_an_outcome_is_not_taken_back_by_a_late_record(ledger: Ledger) -> None:
    request = _request()
    ended = _record(request, outcome=Outcome.FAILED)
    ledger.runs.record_run(ended)
    ledger.runs.record_run(_record(request, outcome=None, stage=Stage.TRAINING))

    assert ledger.runs.run(request.run_id) == ended


def test_the_newest_runs_come_first_and_only_as_many_as_asked_for(ledger: Ledger) -> None:
    for minutes, fingerprint in ((5, "05" * 32), (1, "01" * 32), (9, "09" * 32)):
        request = _request(fingerprint=fingerprint, requested_at=START + timedelta(minutes=minutes))
        ledger.runs.record_run(_record(request))

    assert [run.fingerprint[:2] for run in ledger.runs.list_runs(PIPELINE, limit=2)] == ["09", "05"]
    assert ledger.runs.list_runs("digits") == []
