"""How far each schedule has been counted: table ``claims``, partition ``schedule``, row = pipeline."""

from dataclasses import replace

from shared.clients.ledger.tables import Row, Table
from shared.decisions.reconciliation.schedules import Counted
from shared.wire import from_text, to_text

_SCHEDULES = "schedule"


class ScheduleLedger:
    """Keeps the due times that were claimed."""

    def __init__(self, claims: Table) -> None:
        self._claims = claims

    def counted(self, pipeline: str) -> Counted | None:
        """How far the pipeline's schedule has been counted; None when it was never seen."""
        row = self._claims.get(_SCHEDULES, pipeline)
        return _counted(row) if row else None

    def advance(self, pipeline: str, before: Counted | None, after: Counted) -> bool:
        """Count on from ``before``; False when somebody else did. Claiming a due time is this, so one caller gets it.

        A call whose answer was lost and that is repeated says False too: the claim is there, to be started later.
        """
        if before is None:
            return self._claims.insert(Row(_SCHEDULES, pipeline, _values(after)))
        row = self._claims.get(_SCHEDULES, pipeline)
        if row is None or _counted(row) != before:
            return False
        return self._claims.update(replace(row, values=_values(after)))

    def started(self, pipeline: str, counted: Counted) -> None:
        """Note that the request of this due time is under way; nothing when the schedule was counted on meanwhile."""
        self.advance(pipeline, counted, replace(counted, started=True))


def _values(counted: Counted) -> dict[str, str]:
    return {"counted": to_text(counted)}


def _counted(row: Row) -> Counted:
    return from_text(Counted, row.values["counted"])
