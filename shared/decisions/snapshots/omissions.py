"""Omissions of a run: as sentences, and whether the run has trained its whole snapshot. Pure."""

from collections.abc import Iterable, Sequence

from shared.formats.size_limits import fitted
from shared.messages import LeftOut, RunRecord
from shared.values.texts import shortened

STILL_WRITTEN, CHANGED, FAULTY, METRIC = "still_written", "changed", "faulty", "metric"
UNREADABLE = "unreadable"
MOST_NAMES = 5
_LONGEST_NAME = 200  # characters in a JSON text

_SAID = {
    STILL_WRITTEN: (
        "append blob that was still being written (it is taken once it has been left unchanged for a minute)",
        "append blobs that were still being written (they are taken once they have been left unchanged for a minute)",
    ),
    CHANGED: (
        "file that was changed or removed before it was read",
        "files that were changed or removed before they were read",
    ),
    UNREADABLE: (
        "blob whose name no listing or address can carry (rename it)",
        "blobs whose names no listing or address can carry (rename them)",
    ),
    FAULTY: ("file with a fault", "files with a fault"),
    METRIC: ("metric that is not a finite number", "metrics that are not finite numbers"),
}


def omissions_of(why: str, names: Sequence[str]) -> tuple[LeftOut, ...]:
    """The omission of these names; empty when there are none."""
    if not names:
        return ()
    return (LeftOut(why=why, count=len(names), first=tuple(shown_name(name) for name in names[:MOST_NAMES])),)


def shown_name(name: str) -> str:
    """A name as it is stored here."""
    return fitted(shortened(name), _LONGEST_NAME)


def described(entries: Iterable[LeftOut]) -> str:
    """All omissions, as the end of a sentence; empty for none."""
    parts = [_one(entry) for entry in entries]
    return f"; left out: {', '.join(parts)}" if parts else ""


def saw_all(run: RunRecord) -> bool:
    """Whether the run trained on all of its snapshot that can be trained on.

    A blob that changed before it was read was not seen: a repeated request trains the same data again. A file with a
    fault keeps its fault until it is replaced, which changes the data.
    """
    return all(entry.why != CHANGED for entry in run.left_out)


def is_left_out(run: RunRecord, blob: str) -> bool:
    """Whether the run is known to have left out this file for a fault."""
    return any(entry.why == FAULTY and shown_name(blob) in entry.first for entry in run.left_out)


def _one(entry: LeftOut) -> str:
    one, several = _SAID.get(entry.why, (entry.why, entry.why))
    more = ", ..." if entry.count > len(entry.first) else ""
    names = f" ({', '.join(entry.first)}{more})" if entry.first else ""
    return f"{entry.count} {one if entry.count == 1 else several}{names}"
