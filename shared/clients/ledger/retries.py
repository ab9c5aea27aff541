"""Scheduled run retries: table ``claims``, partition ``again``, row = run id."""

from dataclasses import dataclass
from datetime import datetime

from shared.clients.ledger.keys import stamp
from shared.clients.ledger.tables import Row, Table

_AGAIN = "again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """A run whose fingerprint is tried again at ``at``. ``tries``: requests for it so far."""

    run_id: str
    pipeline: str
    at: datetime
    tries: int
    row: Row


class RetryLedger:
    """Stores run retries; a row lasts until its request was answered, or it is given up."""

    def __init__(self, claims: Table) -> None:
        self._claims = claims

    def plan(self, run_id: str, pipeline: str, at: datetime) -> None:
        """Schedule a retry of the run's fingerprint. Safe to repeat."""
        self._claims.insert(Row(_AGAIN, run_id, {"pipeline": pipeline, "at": stamp(at), "tries": 0}))

    def planned(self, run_id: str) -> datetime | None:
        """The time of the run's retry; None when there is none."""
        row = self._claims.get(_AGAIN, run_id)
        return _retry(row).at if row else None

    def all(self) -> list[Retry]:
        """Every scheduled retry, of all pipelines."""
        return [_retry(row) for row in self._claims.rows(_AGAIN)]

    def trying(self, retry: Retry, next_at: datetime) -> bool:
        """Count a request before it is made, and set the next time; False when another caller changed it."""
        values = {"at": stamp(next_at), "tries": retry.tries + 1}
        return self._claims.update(Row(retry.row.partition, retry.row.key, values, retry.row.etag))

    def forget(self, run_id: str) -> None:
        """Remove the run's retry. Safe to repeat."""
        self._claims.delete(Row(_AGAIN, run_id, {}))


def _retry(row: Row) -> Retry:
    return Retry(
        run_id=row.key,
        pipeline=row.values["pipeline"],
        at=datetime.fromisoformat(row.values["at"]),
        tries=row.values["tries"],
        row=row,
    )
