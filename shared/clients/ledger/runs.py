"""Runs: the claim to train a fingerprint, and the record of what became of it.

Table ``runs``, partition = pipeline. A run has three rows, inserted in one transaction when it is claimed:

- ``r-<run id>``: the request and the record. A run id is made of pipeline, fingerprint and attempt, so inserting this
  row is the claim: of all who want the same attempt at the same fingerprint, one gets it.
- ``q-<digest of requested_by>``: names the run that a requester was granted. A repeat of an admission whose answer was
  lost finds it here, even when the data has changed since and would lead to another fingerprint.
- ``t-<newest first>-<run id>``: the record again, in order of time.
"""

import re
from itertools import islice

from shared.clients.ledger.keys import digest, end_of, newest_first
from shared.clients.ledger.tables import Row, Table
from shared.errors import TransientError
from shared.messages import Outcome, RunRecord, RunRequest
from shared.wire import from_text, to_text

_RUN_ID = re.compile(r"[a-z0-9-]{1,100}")
_ROUNDS = 8  # lost races in a row before the caller is told to come back


class RunLedger:
    """Claims runs and keeps their records."""

    def __init__(self, runs: Table) -> None:
        self._runs = runs

    def claim_run(self, request: RunRequest) -> RunRequest:
        """Claim the attempt for ``requested_by``; returns who has it: the request given, or the one that came first.

        A requester holds one run at most: a second request of the same requester returns its first.
        """
        record = _record_of(request)
        owner = Row(request.pipeline, _owner_key(request.requested_by), {"run_id": request.run_id})
        run = _run_row(record, request=to_text(request))
        if self._runs.insert(owner, run, _time_row(record)):
            return request
        mine = self.claimed_by(request.pipeline, request.requested_by)
        return mine or self._holder(request)

    def claimed_by(self, pipeline: str, requested_by: str) -> RunRequest | None:
        """The run that this requester was granted before, or None."""
        owner = self._runs.get(pipeline, _owner_key(requested_by))
        if owner is None:
            return None
        run = self._runs.get(pipeline, _run_key(owner.values["run_id"]))
        return from_text(RunRequest, run.values["request"]) if run else None

    def runs_of(self, pipeline: str, fingerprint: str) -> list[RunRecord]:
        """Every attempt at a fingerprint, in order of attempts."""
        prefix = _run_key(f"{pipeline}-{fingerprint[:12]}-")
        records = [_record(row) for row in self._runs.rows(pipeline, prefix, end_of(prefix))]
        return sorted((run for run in records if run.fingerprint == fingerprint), key=lambda run: run.attempt)

    def run(self, run_id: str) -> RunRecord | None:
        """The record of a run, or None when no such run was claimed or recorded; any text may be asked for."""
        if not _RUN_ID.fullmatch(run_id):  # not asked of the tables, which refuse keys with a slash
            return None
        row = self._runs.get(_pipeline_of(run_id), _run_key(run_id))
        return _record(row) if row else None

    def list_runs(self, pipeline: str, *, limit: int = 50) -> list[RunRecord]:
        """The newest runs of a pipeline, newest first."""
        return [_record(row) for row in islice(self._runs.rows(pipeline, "t-", end_of("t-")), limit)]

    def record_run(self, record: RunRecord) -> None:
        """Keep the record, whether or not the run was claimed. An outcome is never taken back by an older record."""
        for _ in range(_ROUNDS):
            run = self._runs.get(record.pipeline, _run_key(record.run_id))
            if run is None:
                if self._runs.insert(_run_row(record), _time_row(record)):
                    return
                continue
            if record.outcome is None and _record(run).outcome is not None:
                return
            if self._replace(run, record):
                return
        raise TransientError(f"too many writers raced for the record of run {record.run_id}; try again")

    def _replace(self, run: Row, record: RunRecord) -> bool:
        listed = self._runs.get(record.pipeline, _time_key(_record(run)))
        if listed is None:
            raise TransientError(f"the record of run {record.run_id} is incomplete; try again")
        values = {"record": to_text(record)}
        return self._runs.update(
            Row(run.partition, run.key, values, run.etag), Row(listed.partition, listed.key, values, listed.etag)
        )

    def _holder(self, request: RunRequest) -> RunRequest:
        row = self._runs.get(request.pipeline, _run_key(request.run_id))
        if row is None or "request" not in row.values:
            raise TransientError(f"run {request.run_id} could not be claimed and nobody holds it; try again")
        return from_text(RunRequest, row.values["request"])


def _record_of(request: RunRequest) -> RunRecord:
    outcome: Outcome | None = None
    return RunRecord(
        run_id=request.run_id,
        pipeline=request.pipeline,
        outcome=outcome,
        reason="claimed",
        cause=request.cause,
        fingerprint=request.fingerprint,
        attempt=request.attempt,
        snapshot_digest=request.snapshot.digest,
        requested_at=request.requested_at,
        window_id=request.window_id,
    )


def _run_key(run_id: str) -> str:
    return f"r-{run_id}"


def _owner_key(requested_by: str) -> str:
    return f"q-{digest(requested_by)}"


def _time_key(record: RunRecord) -> str:
    return f"t-{newest_first(record.requested_at)}-{record.run_id}"


def _run_row(record: RunRecord, **values: str) -> Row:
    return Row(record.pipeline, _run_key(record.run_id), {"record": to_text(record)} | values)


def _time_row(record: RunRecord) -> Row:
    return Row(record.pipeline, _time_key(record), {"record": to_text(record)})


def _record(row: Row) -> RunRecord:
    return from_text(RunRecord, row.values["record"])


def _pipeline_of(run_id: str) -> str:
    # {pipeline}-{fingerprint[:12]}-{attempt}; a pipeline's name may hold dashes itself
    return run_id.rsplit("-", 2)[0]
