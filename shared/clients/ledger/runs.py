"""Runs: the claim to train a fingerprint, and the record of the run.

Table ``runs``, partition = pipeline, besides the one named below. A run has four rows, inserted in one transaction when
it is claimed:

- ``r-<run id>``: the request and the record, and the cancellation once somebody wants one. A run id is made of
  pipeline, fingerprint and attempt, so inserting this row is the claim: of all who want the same attempt at the same
  fingerprint, one gets it.
- ``q-<digest of requested_by>``: names the run that a requester was granted. A repeat of an admission whose answer was
  lost finds it here, even when the data has changed since and would lead to another fingerprint.
- ``t-<newest first>-<run id>``: the record again, in order of time.
- ``o-<run id>``: the request of a run that has no outcome yet, and how often the reconciler has tried to start or end
  it; goes in one transaction with the first outcome.

Partition ``_pipelines`` names every pipeline that has ever claimed a run, so that its runs are found when its file is
gone; no pipeline's name has an underscore.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from heapq import merge

from shared.clients.ledger.keys import digest, end_of, newest_first, stamp
from shared.clients.ledger.pages import Page, page_of, start_after
from shared.clients.ledger.tables import MOST_RACES, Change, Delete, Row, Table, Update
from shared.errors import TransientError
from shared.messages import CLAIMED, Cancellation, Outcome, RunRecord, RunRequest, TargetResult, first_record
from shared.values.wire import from_text, to_text

_PIPELINES = "_pipelines"
_RUN_ID = re.compile(r"[a-z0-9-]{1,100}")
_TIME_KEY = r"t-\d{18}-[\w-]{1,255}"


@dataclass(frozen=True, slots=True, kw_only=True)
class UnfinishedRun:
    """A run without an outcome. ``tries``: how often the reconciler started or finalized it, last at ``at``."""

    request: RunRequest
    tries: int
    at: datetime | None
    row: Row


class RunLedger:
    """Claims runs and keeps their records."""

    def __init__(self, runs: Table) -> None:
        self._runs = runs

    def claim_run(self, request: RunRequest) -> RunRequest:
        """Claim the attempt for ``requested_by``; returns who has it: the request given, or the one that came first.

        A requester holds one run at most: a second request of the same requester returns its first.
        """
        self._runs.put(Row(_PIPELINES, request.pipeline, {}))
        record = first_record(request, reason=CLAIMED)
        owner = Row(request.pipeline, _owner_key(request.requested_by), {"run_id": request.run_id})
        text = to_text(request)
        run = _run_row(record, request=text)
        opened = Row(request.pipeline, _open_key(request.run_id), {"request": text})
        if self._runs.insert(owner, run, _time_row(record), opened):
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
        """The record of a run; None when there is none of that id. Accepts any text."""
        if not _RUN_ID.fullmatch(run_id):  # the tables refuse keys with a slash, so they are not queried
            return None
        row = self._runs.get(_pipeline_of(run_id), _run_key(run_id))
        return _record(row) if row else None

    def request(self, run_id: str) -> RunRequest | None:
        """The request that was claimed under this run id; None when there is none. Accepts any text."""
        if not _RUN_ID.fullmatch(run_id):
            return None
        row = self._runs.get(_pipeline_of(run_id), _run_key(run_id))
        return from_text(RunRequest, row.values["request"]) if row and row.values.get("request") else None

    def cancel(self, run_id: str, cancellation: Cancellation) -> RunRecord | None:
        """Note that somebody wants the run to end; returns its record, None when there is no such run.

        In the row of its outcome, so that of the two the first one holds: a run with an outcome is not cancelled any
        more, and a cancelled run gets no other outcome. The first cancellation stays.
        """
        for _ in range(MOST_RACES):
            row = self._runs.get(_pipeline_of(run_id), _run_key(run_id)) if _RUN_ID.fullmatch(run_id) else None
            if row is None:
                return None
            record = _record(row)
            if record.outcome is not None or row.values.get("cancellation"):
                return record
            if self._runs.update(Row(row.partition, row.key, {"cancellation": to_text(cancellation)}, row.etag)):
                return record
        raise TransientError(f"too many writers raced for the record of run {run_id}")

    def cancellation(self, run_id: str) -> Cancellation | None:
        """Who wants the run to end; None when nobody does. Accepts any text."""
        row = self._runs.get(_pipeline_of(run_id), _run_key(run_id)) if _RUN_ID.fullmatch(run_id) else None
        return from_text(Cancellation, row.values["cancellation"]) if row and row.values.get("cancellation") else None

    def history(self, pipeline: str) -> Iterator[tuple[RunRecord, RunRequest | None]]:
        """Every run of the pipeline with its request, in no order that means something."""
        for row in self._runs.rows(pipeline, "r-", end_of("r-")):
            request = row.values.get("request")
            yield _record(row), from_text(RunRequest, request) if request else None

    def forget(self, record: RunRecord, *, requested_by: str) -> None:
        """Remove all rows of a run that has ended. Safe to repeat: the row by which it is found goes last."""
        for key in (_time_key(record), _owner_key(requested_by), _run_key(record.run_id)):
            self._runs.delete(Row(record.pipeline, key, {}))

    def pipelines(self) -> list[str]:
        """Every pipeline that has claimed a run, in order of their names."""
        return [row.key for row in self._runs.rows(_PIPELINES)]

    def unfinished(self, pipeline: str) -> list[UnfinishedRun]:
        """Every run of the pipeline that was claimed and has no outcome, with what the reconciler has tried."""
        return [_unfinished(row) for row in self._runs.rows(pipeline, "o-", end_of("o-"))]

    def trying(self, found: UnfinishedRun, at: datetime) -> bool:
        """Count a try before it is made; False when the run has ended since, or another caller tries it."""
        row = found.row
        values = {"tries": found.tries + 1, "tried_at": stamp(at)}
        return self._runs.update(Row(row.partition, row.key, values, row.etag))

    def list_runs(
        self,
        pipelines: Sequence[str],
        *,
        outcome: Outcome | None = None,
        since: datetime | None = None,
        limit: int = 50,
        after: str | None = None,
    ) -> Page[RunRecord]:
        """The runs of these pipelines, newest first; only those of one outcome, or asked for at ``since`` or later."""
        start = start_after(after, first="t-", pattern=_TIME_KEY)
        end = end_of("t-" if since is None else f"t-{newest_first(since)}-")
        where = {"outcome": outcome.value} if outcome else None
        lists = [self._runs.rows(pipeline, start, end, where=where, page=limit + 1) for pipeline in pipelines]
        return page_of(merge(*lists, key=lambda row: row.key), limit, _record)

    def before(self, record: RunRecord) -> RunRecord | None:
        """The run of the same pipeline that was asked for before this one; None for the first."""
        found = self.list_runs([record.pipeline], limit=1, after=_time_key(record)).items
        return found[0] if found else None

    def record_run(self, record: RunRecord) -> None:
        """Keep the record, whether or not the run was claimed.

        The first outcome stays, whatever is recorded later. A run that somebody has cancelled ends as cancelled only.
        """
        for _ in range(MOST_RACES):
            run = self._runs.get(record.pipeline, _run_key(record.run_id))
            if run is None:
                if self._runs.insert(_run_row(record), _time_row(record)):
                    return
                continue
            kept = _record(run)
            record = replace(record, requested_at=kept.requested_at)  # the run is listed under that time
            if kept.outcome is not None:
                return
            if record.outcome not in {None, Outcome.CANCELLED} and run.values.get("cancellation"):
                return
            if self._runs.transact(*self._replacing(run, record)) is None:
                return
        raise TransientError(f"too many writers raced for the record of run {record.run_id}")

    def _replacing(self, run: Row, record: RunRecord) -> list[Change]:
        listed = self._runs.get(record.pipeline, _time_key(record))
        if listed is None:
            raise TransientError(f"the record of run {record.run_id} is incomplete")
        values = _values(record)
        changes: list[Change] = [
            Update(Row(run.partition, run.key, values, run.etag)),
            Update(Row(listed.partition, listed.key, values, listed.etag)),
        ]
        opened = self._runs.get(record.pipeline, _open_key(record.run_id)) if record.outcome else None
        return [*changes, Delete(opened)] if opened else changes

    def _holder(self, request: RunRequest) -> RunRequest:
        row = self._runs.get(request.pipeline, _run_key(request.run_id))
        if row is None or "request" not in row.values:
            raise TransientError(f"run {request.run_id} could not be claimed and nobody holds it")
        return from_text(RunRequest, row.values["request"])


def _unfinished(row: Row) -> UnfinishedRun:
    tried_at = row.values.get("tried_at")
    return UnfinishedRun(
        request=from_text(RunRequest, row.values["request"]),
        tries=row.values.get("tries", 0),
        at=datetime.fromisoformat(tried_at) if tried_at else None,
        row=row,
    )


def _run_key(run_id: str) -> str:
    return f"r-{run_id}"


def _owner_key(requested_by: str) -> str:
    return f"q-{digest(requested_by)}"


def _open_key(run_id: str) -> str:
    return f"o-{run_id}"


def _time_key(record: RunRecord) -> str:
    return f"t-{newest_first(record.requested_at)}-{record.run_id}"


def _run_row(record: RunRecord, **values: str) -> Row:
    return Row(record.pipeline, _run_key(record.run_id), _values(record) | values)


def _time_row(record: RunRecord) -> Row:
    return Row(record.pipeline, _time_key(record), _values(record))


@dataclass(frozen=True, slots=True)
class _Targets:
    """A record's targets, in a column of their own: one column would not hold all that there is to say of twenty."""

    targets: tuple[TargetResult, ...]


def _values(record: RunRecord) -> dict[str, str]:
    return {
        "record": to_text(replace(record, targets=())),
        "targets": to_text(_Targets(record.targets)) if record.targets else "",
        "outcome": record.outcome.value if record.outcome else "",
    }


def _record(row: Row) -> RunRecord:
    record = from_text(RunRecord, row.values["record"])
    apart = row.values.get("targets")  # rows from before have them in the record itself
    return replace(record, targets=from_text(_Targets, apart).targets) if apart else record


def _pipeline_of(run_id: str) -> str:
    # {pipeline}-{fingerprint[:12]}-{attempt}; a pipeline's name may hold dashes itself
    return run_id.rsplit("-", 2)[0]
