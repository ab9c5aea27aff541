"""Names that tables, files and the host's histories hold: they outlive the names in our code.

A field may be added, with a default. Run `make golden` then, and see that nothing else has changed.
"""

from dataclasses import fields, is_dataclass
from enum import StrEnum

from orchestrations import call_safely, finalize_orphaned_run
from shared import messages
from shared.decisions.reconciliation.schedules import Counted
from shared.decisions.snapshots.incremental_selection import LastTraining
from shared.decisions.training.compute_queue import Lease, QueueState
from shared.formats.manifest import BlobEntry
from shared.messages.listings import DecidedListing, ScanState
from tests.support.golden import compare

KEPT_ROWS = {
    "a schedule as it is counted": Counted,
    "the last training": LastTraining,
    "a compute's queue": QueueState,
    "a compute's lease": Lease,
    "a blob in a manifest": BlobEntry,
    "the decided listing": DecidedListing,
    "the last scan": ScanState,
    "the change that a window was notified of": messages.ObservedChange,
}


def test_what_is_stored_keeps_its_names() -> None:
    known = {name: getattr(messages, name) for name in messages.__all__}
    kept = {
        name: kind for name, kind in known.items() if isinstance(kind, type) and name != "ObservedChange"
    } | KEPT_ROWS

    compare("stored_names", "Names of fields and values that are stored.", {name: _names(kept[name]) for name in kept})


def test_orchestrations_keep_the_names_under_which_they_are_registered() -> None:
    assert (call_safely.NAME, finalize_orphaned_run.NAME) == ("guarded_step", "wind_up_run")


def _names(kind: type) -> str:
    if issubclass(kind, StrEnum):
        return "\n".join(kind)
    assert is_dataclass(kind)
    return "\n".join(part.name for part in fields(kind))
