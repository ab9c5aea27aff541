"""Reads all rows of a snapshot: every file is read, and the faults of all of them are reported together."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from hub_reader import BlobRef, ChangedError, HubError, HubReader, Manifest, insist
from job_failures import DataError
from job_report import CHANGED, FAULTY, Report, named
from strict_csv import Table, joined, read_table

READERS = 8  # blobs read side by side; who reads many small ones mostly waits for the hub
SHOWN = 5  # files whose fault is in the reason; the log has more
LOGGED = 200

Outcome = Table | DataError | ChangedError  # of reading a file: its rows, or what is the matter with it


@dataclass(frozen=True)
class Columns:
    """The columns to read; ``needed``: the labels of which there must be a row."""

    features: Sequence[str]
    label: str
    classes: frozenset[int]
    needed: frozenset[int]


@dataclass
class _Read:
    """The results of all files. ``faults``: sentences, each with its file's name."""

    tables: list[Table] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    faulty: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def add(self, blob: BlobRef, outcome: Outcome, say: Callable[[str], None]) -> None:
        if isinstance(outcome, Table):
            say(_line(blob, outcome))
            self.tables.append(outcome)
        elif isinstance(outcome, ChangedError):
            self.changed.append(blob.name)
        else:
            self.faulty.append(blob.name)
            self.faults.append(str(outcome))


def read_snapshot(
    hub: HubReader, manifest: Manifest, columns: Columns, report: Report, *, leave_out_faulty: bool
) -> tuple[Table, Table]:
    """The rows to train on, and those of the hold-out.

    A file that changed since the manifest is left out and reported, and so is one with a fault if ``leave_out_faulty``.
    Otherwise raises :class:`DataError` naming every file with a fault; also when too few rows are left.
    """
    if not manifest.blobs:
        raise DataError("the snapshot lists no file to train on")
    found = _read_all(hub, manifest, columns, report.say)
    holdout = _holdout(hub, manifest, columns, found, report.say)
    for fault in found.faults[:LOGGED]:
        report.say(f"  {fault}")
    report.left_out(CHANGED, found.changed)
    if holdout is None or (found.faults and not leave_out_faulty):
        raise DataError(_all_faults(found.faults, files=len(manifest.blobs) + 1))
    report.left_out(FAULTY, found.faulty)
    if not found.tables:
        _nothing_left(found)
    training = joined(found.tables)
    _check_classes(training, holdout, manifest.holdout.name, columns)
    return training, holdout


def _read_all(hub: HubReader, manifest: Manifest, columns: Columns, say: Callable[[str], None]) -> _Read:
    found = _Read()

    def read(blob: BlobRef) -> Outcome:
        return read_blob(hub, manifest.container, blob, columns)

    with ThreadPoolExecutor(READERS) as readers:
        try:
            outcomes = readers.map(read, manifest.blobs)  # in this order, whoever is first
            for blob, outcome in zip(manifest.blobs, outcomes, strict=True):
                found.add(blob, outcome, say)
        except BaseException:
            readers.shutdown(wait=False, cancel_futures=True)  # when the hub does not answer, the other files fail too
            raise
    return found


def _holdout(
    hub: HubReader, manifest: Manifest, columns: Columns, found: _Read, say: Callable[[str], None]
) -> Table | None:
    """None for one with a fault, which comes first of all then."""
    blob = manifest.holdout
    outcome = read_blob(hub, manifest.container, blob, columns)
    if isinstance(outcome, Table):
        say(_line(blob, outcome))
        return outcome
    if isinstance(outcome, ChangedError):
        reason = "the hold-out was changed or removed since the snapshot; the next run trains on the files of now"
        raise HubError(f"{blob.name}: {reason}")
    found.faults.insert(0, str(outcome))
    return None


def read_blob(hub: HubReader, container: str, blob: BlobRef, columns: Columns) -> Outcome:
    """The rows of one blob, or its fault. Raises :class:`HubError` when the hub fails."""

    def transfer() -> Table | DataError:
        chunks = hub.chunks(container, blob)
        try:
            return read_table(
                blob.name, chunks, features=columns.features, label=columns.label, classes=set(columns.classes)
            )
        except DataError as error:
            for _ in chunks:  # to the end: a fault in what was cut or altered on the way is not the file's
                pass
            return error

    try:
        return insist(transfer)
    except ChangedError as error:
        return error


def _line(blob: BlobRef, table: Table) -> str:
    return f"read {blob.name}: {len(table.labels)} rows, {blob.size} bytes"


def _all_faults(faults: Sequence[str], *, files: int) -> str:
    if len(faults) == 1:
        return faults[0]
    more = f"; and {len(faults) - SHOWN} more, see the log" if len(faults) > SHOWN else ""
    return f"{len(faults)} of {files} files have a fault: {'; '.join(faults[:SHOWN])}{more}"


def _nothing_left(found: _Read) -> None:
    if found.faults:
        changed = f"; {len(found.changed)} more changed meanwhile" if found.changed else ""
        raise DataError(f"every file has a fault{changed}: {_all_faults(found.faults, files=len(found.faults))}")
    reason = "every file was changed or removed since the snapshot; the next run trains on the files of now"
    raise HubError(f"{reason}: {named(found.changed)}")


def _check_classes(training: Table, holdout: Table, name: str, columns: Columns) -> None:
    """A class is in the agreed list, so it is no secret."""
    present, held = set(training.labels.tolist()), set(holdout.labels.tolist())
    missing = sorted(columns.needed - present)
    if len(present) < min(2, len(columns.classes)):
        raise DataError(f"the rows to train on are of one class only (label {min(present)}); add rows of the others")
    if missing:
        labels = ", ".join(map(str, missing))
        raise DataError(f"the rows to train on have none of the class with label {labels}; add some")
    if len(held) < min(2, len(columns.classes)):
        reason = f"the hold-out has rows of one class only (label {min(held)}), so that no model can be judged by it"
        raise DataError(f"{name}: {reason}; add rows of the others")
