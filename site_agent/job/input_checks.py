"""Checks the CSV files of a run against the declared columns: all of them, and all their faults are told together.

What a file was found to be is noted in the cache beside its bytes, so that a run checks only what is new.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from site_agent.job import csv_checks, csv_columns, csv_lines, csv_shapes
from site_agent.job.cache import Cache
from site_agent.job.csv_checks import CsvReport, check_csv
from site_agent.job.failures import DataError, TrainingError, bounded
from site_agent.job.hub import BlobRef
from site_agent.job.order import Column, DataContract

SHOWN: Final = 5  # files in a reason; the log has more
LONGEST_NAME: Final = 120  # characters of a file's name

_LOGGED: Final = 200

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Checked:
    """A file to check: its blob, where it is, and its key in the cache."""

    blob: BlobRef
    path: Path
    key: str

    @property
    def name(self) -> str:
        """As it is shown."""
        return bounded(self.blob.name, LONGEST_NAME)


@dataclass
class Faults:
    """Files with a fault; ``told``: a sentence for each. ``rows``: of all files without one."""

    blobs: list[BlobRef] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    rows: int = 0

    def add(self, file: Checked, report: CsvReport) -> None:
        """Take the report of a file in."""
        if report.sound:
            self.rows += report.rows
        else:
            self.blobs.append(file.blob)
            self.told.append(report.told(file.name))


class Checks:
    """Checks by one contract."""

    def __init__(self, contract: DataContract, cache: Cache, say: Say) -> None:
        self._contract = contract
        self._cache = cache
        self._say = say
        self._rules = _digest(contract.columns)

    def run(self, files: Sequence[Checked], holdout: Checked) -> Faults:
        """The files with a fault, which the pipeline wants to be left out.

        Otherwise raises :class:`DataError` naming every one; always for the hold-out, which comes first.
        """
        found, held_out = Faults(), Faults()
        held_out.add(holdout, self._report(holdout))
        for file in files:
            found.add(file, self._report(file))
        told = held_out.told + found.told
        for fault in told[:_LOGGED]:
            self._say(f"  {fault}")
        if held_out.told or (found.told and not self._contract.leaves_out_faulty):
            raise DataError(all_faults(told, files=len(files) + 1))
        return found

    def _report(self, file: Checked) -> CsvReport:
        known = self._known(file)
        if known is not None:
            return known
        try:
            report = check_csv(file.path, self._contract.columns)
        except ValueError as error:
            raise TrainingError(f"data.columns of the pipeline file cannot be used: {error}") from None
        self._say(f"read {file.name}: {report.rows} rows, {file.blob.size} bytes")
        if report.sound:
            self._cache.note(file.key, f"{self._rules} {report.rows}")
        return report

    def _known(self, file: Checked) -> CsvReport | None:
        """The report of the same bytes, checked earlier by the same rules and found to be sound."""
        rules, _, rows = self._cache.noted(file.key).partition(" ")
        if rules != self._rules or not rows.isdecimal():
            return None
        return CsvReport(int(rows), 0, 0, ())


def all_faults(faults: Sequence[str], *, files: int) -> str:
    """The faults of some of ``files``, as many as fit into a reason."""
    if len(faults) == 1:
        return faults[0]
    more = f"; and {len(faults) - SHOWN} more, see the log on the VM" if len(faults) > SHOWN else ""
    return f"{len(faults)} of {files} files have a fault: {'; '.join(faults[:SHOWN])}{more}"


def _digest(columns: Mapping[str, Column]) -> str:
    """Identifies what is checked, and the code that does it."""
    digest = hashlib.sha256(json.dumps({name: asdict(column) for name, column in columns.items()}).encode("ascii"))
    for module in (csv_checks, csv_columns, csv_lines, csv_shapes):
        digest.update(Path(str(module.__file__)).read_bytes())
    return digest.hexdigest()
