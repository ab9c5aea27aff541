"""Decisions on roll-outs. Table ``targets``, partition ``approval``, one row per run and target.

The first decision stays: a roll-out may have acted on it.
"""

from shared.clients.ledger.keys import digest
from shared.clients.ledger.tables import Row, Table
from shared.errors import TransientError
from shared.messages import Approval
from shared.values.wire import from_text, to_text

_PARTITION = "approval"


class ApprovalLedger:
    """Stores who approved or rejected what."""

    def __init__(self, targets: Table) -> None:
        self._targets = targets

    def of(self, run_id: str, target: str) -> Approval:
        """The decision; its ``approved`` is None while there is none."""
        row = self._targets.get(_PARTITION, digest(run_id, target))
        return from_text(Approval, row.values["approval"]) if row else Approval(run_id=run_id, target=target)

    def decide(self, approval: Approval) -> Approval:
        """Record a decision unless there is one already; returns the one that holds."""
        if approval.approved is None:
            raise ValueError("a decision approves or rejects")
        values = {"run_id": approval.run_id, "target": approval.target, "approval": to_text(approval)}
        key = digest(approval.run_id, approval.target)
        if self._targets.insert(Row(_PARTITION, key, values)):
            return approval
        kept = self.of(approval.run_id, approval.target)
        if kept.approved is None:
            raise TransientError(f"the decision on run {approval.run_id} was there and is gone; try again")
        return kept

    def forget(self, run_id: str, target: str) -> None:
        """Remove a decision."""
        self._targets.delete(Row(_PARTITION, digest(run_id, target), {}))
