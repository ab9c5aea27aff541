"""What a run left out, as sentences; and whether it has seen the whole of its snapshot. Pure."""

from collections.abc import Iterable, Sequence

from shared.formats.size_limits import fitted
from shared.messages import LeftOut, RunRecord
from shared.texts import shortened

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
    """The entry for these names; none when there are none."""
    if not names:
        return ()
    return (LeftOut(why=why, count=len(names), first=tuple(shown_name(name) for name in names[:MOST_NAMES])),)


def shown_name(name: str) -> str:
    """A name as it is kept here."""
    return fitted(shortened(name), _LONGEST_NAME)


def described(entries: Iterable[LeftOut]) -> str:
    """All of them, as the end of a sentence; empty for none."""
    parts = [_one(entry) for entry in entries]
    return f"; left out: {', '.join(parts)}" if parts else ""


def saw_all(run: RunRecord) -> bool:
    """Whether the run trained on its snapshot as far as the files could be trained on at all.

    What changed before it was read was not seen: the same data are trained again when they are asked for again. A file
    with a fault has that fault again until it is replaced, which makes other data of them.
    """
    return all(entry.why != CHANGED for entry in run.left_out)


def is_left_out(run: RunRecord, blob: str) -> bool:
    """Whether the run is known to have left this file out for a fault in it."""
    return any(entry.why == FAULTY and shown_name(blob) in entry.first for entry in run.left_out)


def _one(entry: LeftOut) -> str:
    one, several = _SAID.get(entry.why, (entry.why, entry.why))
    more = ", ..." if entry.count > len(entry.first) else ""
    names = f" ({', '.join(entry.first)}{more})" if entry.first else ""
    return f"{entry.count} {one if entry.count == 1 else several}{names}"
