"""Troubles of each pipeline. Table ``claims``, partition ``trouble``, one row per pipeline or file.

The key is a digest, because an invalid file may have any name; the name is in the row. A row without troubles is
removed.
"""

from dataclasses import dataclass

from shared.clients.ledger.keys import digest
from shared.clients.ledger.tables import Row, Table
from shared.messages import Trouble
from shared.values.wire import from_text, to_text

_PARTITION = "trouble"


@dataclass(frozen=True, slots=True)
class _Kept:
    troubles: tuple[Trouble, ...]


class TroubleLedger:
    """Stores the troubles of pipelines."""

    def __init__(self, claims: Table) -> None:
        self._claims = claims

    def all(self) -> dict[str, tuple[Trouble, ...]]:
        """Pipeline or file -> its troubles, where there are any."""
        return {row.values["name"]: _troubles(row) for row in self._claims.rows(_PARTITION)}

    def of(self, pipeline: str) -> tuple[Trouble, ...]:
        """The pipeline's troubles now."""
        row = self._claims.get(_PARTITION, digest(pipeline))
        return _troubles(row) if row else ()

    def keep(self, pipeline: str, troubles: tuple[Trouble, ...]) -> None:
        """Replace the stored troubles; an empty list removes the row."""
        key = digest(pipeline)
        if troubles:
            text = to_text(_Kept(troubles))
            self._claims.put(Row(_PARTITION, key, {"name": pipeline, "troubles": text}))
        else:
            self._claims.delete(Row(_PARTITION, key, {}))


def _troubles(row: Row) -> tuple[Trouble, ...]:
    return from_text(_Kept, row.values["troubles"]).troubles
