from datetime import timedelta
from typing import Any

import pytest

from shared.clients.ledger import Ledger
from shared.decisions.admission.fingerprint import run_id
from shared.errors import Code, PermanentError
from shared.messages import Outcome, RunRecord, RunRequest, Stage
from tests.support.arrivals import a_run_record
from tests.support.builders import FINGERPRINT, a_run_request
from tests.support.ledger_arrivals import open_runs
from tests.support.memory_tables import MemoryTables
from tests.support.workflow import START

PIPELINE = "breast-cancer"


def _request(attempt: int = 1, fingerprint: str = FINGERPRINT, pipeline: str = PIPELINE, **changes: Any) -> RunRequest:
    named = {"run_id": run_id(pipeline, fingerprint, attempt), "pipeline": pipeline}
    return a_run_request(**named | {"attempt": attempt, "fingerprint": fingerprint} | changes)


def _record(request: RunRequest, **changes: Any) -> RunRecord:
    same = {name: getattr(request, name) for name in ("run_id", "pipeline", "attempt", "fingerprint", "requested_at")}
    return a_run_record(**same | changes)


def _claimed(ledger: Ledger, minutes: int, pipeline: str = PIPELINE) -> RunRequest:
    """A run of a fingerprint of its own, asked for so many minutes after the start."""
    moment = START + timedelta(minutes=minutes)
    request = _request(
        fingerprint=f"{minutes:02}" * 32, pipeline=pipeline, requested_at=moment, requested_by=f"{minutes}"
    )
    return ledger.runs.claim_run(request)


class TestClaims:
    @pytest.mark.parametrize("run_id", ["", "a/b", "a#b", "\0", "../a", "x" * 2000, "Ä-1-1", "no-such-run"])
    def test_any_text_may_be_asked_for_as_a_run(self, ledger: Ledger, run_id: str) -> None:
        assert ledger.runs.run(run_id) is None
        assert ledger.runs.request(run_id) is None

    def test_a_claimed_run_is_known_at_once(self, ledger: Ledger) -> None:
        request = _request(parameters={"depth": 3, "rate": 0.5, "on": True}, forced=True, note="again, please")

        assert ledger.runs.claim_run(request) == request

        assert ledger.runs.claimed_by(PIPELINE, request.requested_by) == request
        assert ledger.runs.request(request.run_id) == request
        record = ledger.runs.run(request.run_id)
        assert record is not None
        assert (record.outcome, record.stage, record.snapshot_digest) == (None, Stage.ACCEPTED, request.snapshot.digest)
        assert (record.forced, record.note, record.blobs) == (True, "again, please", 3)
        assert ledger.runs.runs_of(PIPELINE, FINGERPRINT) == [record]
        assert ledger.runs.list_runs([PIPELINE]).items == (record,)

    def test_what_is_not_there_is_none(self, ledger: Ledger) -> None:
        assert ledger.runs.run("breast-cancer-abcdefabcdef-1") is None
        assert ledger.runs.claimed_by(PIPELINE, "nobody") is None
        assert ledger.runs.runs_of(PIPELINE, FINGERPRINT) == []
        assert open_runs(ledger.runs, PIPELINE) == []
        assert ledger.runs.list_runs([PIPELINE]).items == ()

    def test_another_requester_gets_the_request_that_came_first(self, ledger: Ledger) -> None:
        first = _request(requested_by="one")
        ledger.runs.claim_run(first)

        assert ledger.runs.claim_run(_request(requested_by="two")) == first
        assert ledger.runs.claimed_by(PIPELINE, "two") is None

    def test_a_requester_that_repeats_gets_its_first_run_though_the_data_changed(self, ledger: Ledger) -> None:
        first = _request(requested_by="one")
        ledger.runs.claim_run(first)

        assert ledger.runs.claim_run(first) == first
        assert ledger.runs.claim_run(_request(fingerprint="cd" * 32, requested_by="one")) == first
        assert ledger.runs.runs_of(PIPELINE, "cd" * 32) == []

    def test_a_claim_whose_answer_was_lost_is_its_own(self, tables: MemoryTables, ledger: Ledger) -> None:
        tables.table("runs").answers_get_lost = True
        assert ledger.runs.claim_run(_request()) == _request()

    def test_attempts_come_in_order_and_only_those_of_the_fingerprint(self, ledger: Ledger) -> None:
        twin = FINGERPRINT[:12] + "0" * 52  # same run id prefix, another fingerprint
        for attempt in (1, 10, 2):
            ledger.runs.claim_run(_request(attempt, requested_by=f"r{attempt}"))
        ledger.runs.claim_run(_request(3, twin, requested_by="twin"))

        assert [run.attempt for run in ledger.runs.runs_of(PIPELINE, FINGERPRINT)] == [1, 2, 10]


class TestRecords:
    def test_one_replaces_what_the_claim_said_and_keeps_the_request(self, ledger: Ledger) -> None:
        request = ledger.runs.claim_run(_request())
        ended = _record(request, outcome=Outcome.PROMOTED, metrics={"accuracy": 0.97}, image="host/models@sha256:00")

        ledger.runs.record_run(ended)
        ledger.runs.record_run(ended)

        assert ledger.runs.run(request.run_id) == ended
        assert ledger.runs.list_runs([PIPELINE]).items == (ended,)
        assert ledger.runs.request(request.run_id) == request

    def test_an_outcome_is_not_taken_back_by_a_late_record(self, ledger: Ledger) -> None:
        ended = _record(_request(), outcome=Outcome.FAILED)
        ledger.runs.record_run(ended)
        ledger.runs.record_run(_record(_request(), outcome=None, stage=Stage.TRAINING))

        assert ledger.runs.run(ended.run_id) == ended

    def test_a_run_stays_listed_when_it_was_asked_for_even_if_a_record_differs(self, ledger: Ledger) -> None:
        request = ledger.runs.claim_run(_request())
        for minutes in (1, 2):
            later = request.requested_at + timedelta(minutes=minutes)
            ledger.runs.record_run(_record(request, requested_at=later, outcome=None, reason=f"{minutes}"))

        [listed] = ledger.runs.list_runs([PIPELINE]).items
        assert (listed.requested_at, listed.reason) == (request.requested_at, "2")

    def test_a_lost_answer_changes_nothing(self, tables: MemoryTables, ledger: Ledger) -> None:
        request = ledger.runs.claim_run(_request())
        tables.table("runs").answers_get_lost = True
        ended = _record(request, outcome=Outcome.FAILED)
        ledger.runs.record_run(ended)
        assert ledger.runs.run(request.run_id) == ended
        assert open_runs(ledger.runs, PIPELINE) == []


class TestOpenRuns:
    def test_a_run_is_open_until_it_has_an_outcome(self, ledger: Ledger) -> None:
        one, two = _claimed(ledger, 1), _claimed(ledger, 2)
        _claimed(ledger, 3, "digits")
        assert open_runs(ledger.runs, PIPELINE) == [one, two]

        ledger.runs.record_run(_record(one, outcome=None, stage=Stage.TRAINING))
        assert open_runs(ledger.runs, PIPELINE) == [one, two]
        ledger.runs.record_run(_record(one, outcome=Outcome.CANCELLED))
        ledger.runs.record_run(_record(one, outcome=Outcome.CANCELLED))
        assert open_runs(ledger.runs, PIPELINE) == [two]

    def test_a_run_that_nobody_claimed_is_not(self, ledger: Ledger) -> None:
        ledger.runs.record_run(_record(_request(), outcome=None))
        assert open_runs(ledger.runs, PIPELINE) == []
        ledger.runs.record_run(_record(_request(), outcome=Outcome.FAILED))
        assert open_runs(ledger.runs, PIPELINE) == []


class TestLists:
    def test_the_newest_of_all_pipelines_come_first_page_by_page(self, ledger: Ledger) -> None:
        names = [PIPELINE, "digits", "wine"]
        runs = [_claimed(ledger, minutes, names[minutes % 3]).run_id for minutes in (5, 1, 9, 3, 7, 2, 8)]
        newest_first = sorted(runs, key=lambda run: run.split("-")[-2], reverse=True)

        for size in range(1, 9):
            shown: list[str] = []
            token = None
            while token or not shown:
                page = ledger.runs.list_runs(names, limit=size, after=token)
                shown += [run.run_id for run in page.items]
                token = page.next
            assert shown == newest_first
        assert len(ledger.runs.list_runs(["digits"]).items) == 2
        assert ledger.runs.list_runs([]).items == ()

    def test_runs_of_the_same_moment_are_all_shown(self, ledger: Ledger) -> None:
        for attempt in range(1, 13):
            ledger.runs.claim_run(_request(attempt, requested_by=f"{attempt}"))
        first = ledger.runs.list_runs([PIPELINE], limit=1)
        rest = ledger.runs.list_runs([PIPELINE], limit=20, after=first.next)
        assert sorted(run.attempt for run in first.items + rest.items) == list(range(1, 13))

    def test_only_one_outcome_or_since_a_moment(self, ledger: Ledger) -> None:
        for minutes, outcome in ((1, Outcome.FAILED), (2, Outcome.PROMOTED), (3, None), (4, Outcome.FAILED)):
            ledger.runs.record_run(_record(_claimed(ledger, minutes), outcome=outcome))

        def minutes_of(**only: Any) -> list[int]:
            runs = ledger.runs.list_runs([PIPELINE], **only).items
            return [(run.requested_at - START) // timedelta(minutes=1) for run in runs]

        assert minutes_of(outcome=Outcome.FAILED) == [4, 1]
        assert minutes_of(since=START + timedelta(minutes=3)) == [4, 3]
        assert minutes_of(since=START + timedelta(minutes=2), outcome=Outcome.PROMOTED) == [2]
        assert minutes_of(since=START + timedelta(minutes=2, microseconds=1), outcome=Outcome.PROMOTED) == []

    @pytest.mark.parametrize("token", ["", "x", "t-1-a", "t-" + "1" * 18 + "-a/b", "r-a", "t-" + "1" * 18 + "-a\n"])
    def test_a_token_nobody_gave_is_refused(self, ledger: Ledger, token: str) -> None:
        with pytest.raises(PermanentError, match="continuation") as refused:
            ledger.runs.list_runs([PIPELINE], after=token)
        assert refused.value.code is Code.BAD_REQUEST
