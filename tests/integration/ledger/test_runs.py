"""The run ledger on real tables: many hosts at once. Its rules are tested in ``tests/unit/clients/ledger``."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

from shared.clients.host_storage import StorageAccess
from shared.clients.ledger import Ledger
from shared.messages import Outcome, Stage
from tests.support.arrivals import a_run_record
from tests.support.builders import a_run_request
from tests.support.ledger_arrivals import open_runs
from tests.support.workflow import START

PIPELINE = "breast-cancer"


def test_of_many_requesters_exactly_one_gets_the_claim(tables: str, prefix: str) -> None:
    ledgers = [Ledger(StorageAccess.of(tables), prefix) for _ in range(4)]
    requests = [a_run_request(requested_by=f"requester-{n}/#?") for n in range(16)]
    with ThreadPoolExecutor(8) as pool:
        holders = list(pool.map(lambda n: ledgers[n % 4].runs.claim_run(requests[n]), range(16)))

    [winner] = {holder.requested_by for holder in holders}
    granted = [request for request in requests if ledgers[0].runs.claimed_by(PIPELINE, request.requested_by)]
    assert [request.requested_by for request in granted] == [winner]
    assert len(ledgers[0].runs.list_runs([PIPELINE]).items) == 1
    assert open_runs(ledgers[0].runs, PIPELINE) == [granted[0]]
    for ledger in ledgers:
        ledger.close()


def test_of_records_that_race_an_outcome_stays(tables: str, prefix: str) -> None:
    ledgers = [Ledger(StorageAccess.of(tables), prefix) for _ in range(4)]
    request = ledgers[0].runs.claim_run(a_run_request())
    records = [a_run_record(outcome=None, stage=Stage.TRAINING, reason=f"{n}") for n in range(7)]
    records[3] = a_run_record(outcome=Outcome.FAILED)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: ledgers[n % 4].runs.record_run(records[n]), range(7)))

    assert ledgers[0].runs.run(request.run_id) == records[3]
    assert ledgers[0].runs.list_runs([PIPELINE]).items == (records[3],)
    assert open_runs(ledgers[0].runs, PIPELINE) == []
    for ledger in ledgers:
        ledger.close()


def test_a_runs_story_on_real_tables(ledger: Ledger) -> None:
    request = ledger.runs.claim_run(a_run_request(parameters={"depth": 3, "rate": 0.5, "on": True}, note="é"))
    assert ledger.runs.request(request.run_id) == request
    assert open_runs(ledger.runs, PIPELINE) == [request]

    ended = a_run_record(outcome=Outcome.PROMOTED, metrics={"accuracy": 0.97})
    ledger.runs.record_run(ended)
    other = replace(ended, run_id="digits-abababababab-1", pipeline="digits", requested_at=START + timedelta(seconds=1))
    ledger.runs.record_run(other)

    both = [PIPELINE, "digits"]
    first = ledger.runs.list_runs(both, outcome=Outcome.PROMOTED, since=START, limit=1)
    rest = ledger.runs.list_runs(both, outcome=Outcome.PROMOTED, since=START, limit=1, after=first.next)
    assert (first.items, rest.items, rest.next) == ((other,), (ended,), None)
    assert ledger.runs.list_runs(both, outcome=Outcome.FAILED).items == ()
    assert open_runs(ledger.runs, PIPELINE) == []
