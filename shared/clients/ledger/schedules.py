"""The last claimed due time of each schedule: table ``claims``, partition ``schedule``, row = pipeline."""

from dataclasses import replace

from shared.clients.ledger.tables import Row, Table
from shared.decisions.reconciliation.schedules import Counted
from shared.values.wire import from_text, to_text

_SCHEDULES = "schedule"


class ScheduleLedger:
    """Keeps the due times that were claimed."""

    def __init__(self, claims: Table) -> None:
        self._claims = claims

    def counted(self, pipeline: str) -> Counted | None:
        """The last claimed due time; None for a pipeline's schedule that is new."""
        row = self._claims.get(_SCHEDULES, pipeline)
        return _counted(row) if row else None

    def advance(self, pipeline: str, before: Counted | None, after: Counted) -> bool:
        """Claim a due time by moving on from ``before``; False when another caller did. So exactly one caller gets it.

        A call that is repeated because its answer was lost also returns False: the claim exists, and is started later.
        """
        if before is None:
            return self._claims.insert(Row(_SCHEDULES, pipeline, _values(after)))
        row = self._claims.get(_SCHEDULES, pipeline)
        if row is None or _counted(row) != before:
            return False
        return self._claims.update(replace(row, values=_values(after)))

    def started(self, pipeline: str, counted: Counted) -> None:
        """Record that the request of this due time is under way; ignored when a later one was claimed meanwhile."""
        self.advance(pipeline, counted, replace(counted, started=True))


def _values(counted: Counted) -> dict[str, str]:
    return {"counted": to_text(counted)}


def _counted(row: Row) -> Counted:
    return from_text(Counted, row.values["counted"])
