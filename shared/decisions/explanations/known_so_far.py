"""What a run under way has learnt so far, in its custom status: the ledger knows no more than its claim until it ends.

Somebody who must decide on its roll-out needs its numbers then. Pure.
"""

from dataclasses import MISSING, fields
from typing import Any, Final

from shared.messages import RunRecord
from shared.values.wire import from_wire, to_wire

KNOWN: Final = "known"
_FIELDS: Final = (
    "reason",
    "metrics",
    "champion_run_id",
    "champion_value",
    "comparable",
    "overtaken",
    "rules",
    "comparison",
    "left_out",
    "receipt",
    "model",
    "version",
    "image",
    "reached",
)


def so_far(record: RunRecord) -> dict[str, Any]:
    """The fields that have a value already, as JSON."""
    learnt = {part.name for part in fields(RunRecord) if part.name in _FIELDS and _has_value(record, part)}
    return {name: value for name, value in to_wire(record).items() if name in learnt}


def with_known(record: RunRecord, said: object) -> RunRecord:
    """The ledger's record with what the custom status says; as it is where that says nothing that is understood."""
    if not isinstance(said, dict):
        return record
    try:
        found: RunRecord = from_wire(
            RunRecord, to_wire(record) | {name: value for name, value in said.items() if name in _FIELDS}
        )
    except (TypeError, ValueError):
        return record
    return found


def _has_value(record: RunRecord, part: Any) -> bool:
    unset = part.default_factory() if part.default_factory is not MISSING else part.default
    value = getattr(record, part.name)
    return bool(value != unset) and value != ""
