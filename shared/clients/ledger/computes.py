"""The queue before each compute target.

Table ``queue``, partition = compute, row ``state``: the whole queue as one JSON text, so that every change is one
atomic step, decided by a pure rule (``shared.decisions.training.compute_queue``). One value of a row holds 32 Ki
characters, so the text lies in several, ``text0`` and on.
"""

import threading
from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from shared.clients.ledger.tables import MOST_RACES, Row, Table
from shared.decisions.training.compute_queue import QueueState, give_back
from shared.errors import TransientError
from shared.values.wire import from_text, to_text

_STATE = "state"
_COLUMNS = tuple(f"text{number}" for number in range(8))
_LONGEST = 30_000  # characters in a column; a full queue needs two or three

Answer = TypeVar("Answer")
Rule = Callable[[QueueState], tuple[QueueState, Answer]]


class ComputeLedger:
    """Keeps the queues; safe to share between threads."""

    def __init__(self, queue: Table) -> None:
        self._queue = queue
        self._alone = threading.Lock()  # threads of one process wait here instead of retrying conflicts

    def change(self, compute: str, rule: Rule[Answer]) -> Answer:
        """Apply the rule to a compute's queue in one atomic step; returns the rule's answer.

        The rule is called again when the queue was changed by another caller, or when the answer to the write was lost:
        it must be pure, and idempotent on a state that it has changed already.
        """
        with self._alone:
            for _ in range(MOST_RACES):
                row = self._queue.get(compute, _STATE)
                state = _state(row)
                changed, answer = rule(state)
                if changed == state or self._keep(compute, changed, row):
                    return answer
        raise TransientError(f"too many runs raced for their turn at compute {compute}")

    def give_back(self, compute: str, run_id: str, now: datetime) -> None:
        """Remove the run from the compute's queue; the next run is granted in the same step. Safe to repeat."""
        self.change(compute, lambda state: (give_back(state, run_id, now), None))

    def state(self, compute: str) -> QueueState:
        """The queue as it is now."""
        return _state(self._queue.get(compute, _STATE))

    def _keep(self, compute: str, state: QueueState, row: Row | None) -> bool:
        values = _values(state)
        if row is None:
            return self._queue.insert(Row(compute, _STATE, values))
        return self._queue.update(Row(compute, _STATE, values, row.etag))


def _state(row: Row | None) -> QueueState:
    if row is None:
        return QueueState()
    return from_text(QueueState, "".join(row.values.get(column, "") for column in _COLUMNS))


def _values(state: QueueState) -> dict[str, str]:
    # Every column each time: writes are merged, so what an earlier, longer text left must be blanked.
    text = to_text(state)
    return {column: text[number * _LONGEST : (number + 1) * _LONGEST] for number, column in enumerate(_COLUMNS)}
