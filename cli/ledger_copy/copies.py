"""The file that holds a copy of the ledger, and the way there and back.

A gzip file of JSON lines: what it is, then a row a line in order of table, partition and key. The tables are read one
after the other while the app may go on, so rows of the same minute may be there without each other; the reconciler
mends that as it does after a crash.
"""

import gzip
import json
import os
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from shared.clients.ledger.azure_tables import AzureTables
from shared.clients.ledger.tables import MOST_CHANGES, Row
from shared.errors import Code, PermanentError
from shared.values.texts import shortened

FORMAT: Final = "edgetrain-ledger"
SCHEMA: Final = 1
_PLAIN: Final = (str, int, float, bool)
_LARGEST_BATCH: Final = 1024**2
"""Characters of JSON in a transaction; the service takes 4 MiB of another encoding."""


@dataclass(frozen=True, slots=True)
class Copied:
    """What a copy holds: rows by table."""

    rows: dict[str, int]

    @property
    def sentence(self) -> str:
        """For people."""
        return f"{sum(self.rows.values()):,} rows of {len(self.rows)} tables"


def back_up(tables: AzureTables, file: Path) -> Copied:
    """Write every row of every table into the file, which nobody else can read, and which is whole or not there."""
    words = tables.words()
    if not words:
        raise PermanentError(
            "there are no tables with this prefix; check AzureWebJobsStorage and --prefix", code=Code.BAD_CONFIGURATION
        )
    counts: dict[str, int] = {}
    part = file.with_name(f".{file.name}.part")
    try:
        opened = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(opened, "wb") as raw, gzip.open(raw, "wt", encoding="utf-8") as out:
            made_at = datetime.now(UTC).isoformat(timespec="seconds")
            _write(out, {"format": FORMAT, "schema": SCHEMA, "made_at": made_at, "tables": words})
            for word in words:
                counts[word] = 0
                for row in tables.table(word).all_rows():
                    _write(out, {"t": word, "p": row.partition, "k": row.key, "v": _plain(word, row)})
                    counts[word] += 1
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)
    return Copied(counts)


def restore(tables: AzureTables, file: Path) -> Copied:
    """Put every row of a copy into tables that are empty or not there; safe to repeat after an interruption.

    A row that is there already must be the same, which is so when an earlier try was cut short; anything else is
    refused before a row is written.
    """
    for _ in _read(file).rows:
        pass  # to its end, before anything is written: a file may be cut short
    for word in _read(file).tables:
        _refuse_others(tables, word, file)
    counts: dict[str, int] = {}
    copy = _read(file)
    for word in copy.tables:
        counts[word] = 0
    for (word, _), rows in groupby(copy.rows, key=lambda each: (each[0], each[1].partition)):
        for batch in _batches(row for _, row in rows):
            table = tables.table(word)
            if not table.insert(*batch):
                for row in batch:
                    table.put(row)
            counts[word] += len(batch)
    return Copied(counts)


@dataclass(frozen=True, slots=True)
class _Copy:
    tables: tuple[str, ...]
    rows: Iterator[tuple[str, Row]]


def _read(file: Path) -> _Copy:
    """The copy in a file; its rows are read as they are asked for. Raises :class:`PermanentError`."""
    lines = _lines(file)
    first = next(lines, {})
    if first.get("format") != FORMAT or first.get("schema") != SCHEMA:
        raise PermanentError(f"{file} is no copy of a ledger that this version reads", code=Code.BAD_CONFIGURATION)
    rows = ((line["t"], Row(line["p"], line["k"], line["v"])) for line in lines)
    return _Copy(tuple(first["tables"]), rows)


def _lines(file: Path) -> Iterator[dict[str, Any]]:
    try:
        with gzip.open(file, "rt", encoding="utf-8") as opened:
            for line in opened:
                if not isinstance(found := json.loads(line), dict):
                    raise ValueError("a line is no object of JSON")
                yield found
    except (OSError, EOFError, ValueError, zlib.error) as error:
        reason = f"{file} cannot be read as a copy of a ledger: {shortened(str(error), 200)}"
        raise PermanentError(reason, code=Code.BAD_CONFIGURATION) from None


def _refuse_others(tables: AzureTables, word: str, file: Path) -> None:
    """Raise when the table holds rows that the copy has not, or has otherwise."""
    if word not in tables.words():
        return
    there = {(row.partition, row.key): row.values for row in tables.table(word).all_rows()}
    if not there:
        return
    for name, row in _read(file).rows:
        if name == word and there.get((row.partition, row.key)) == row.values:
            del there[(row.partition, row.key)]
    if there:
        raise PermanentError(
            f"the table {word} holds {len(there)} rows that this copy has not, or has otherwise: nothing was written;"
            " restore into new tables with --prefix, and set EDGETRAIN_LEDGER_PREFIX to it",
            code=Code.BAD_CONFIGURATION,
        )


def _batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Rows of one partition, as many as a transaction takes."""
    batch: list[Row] = []
    size = 0
    for row in rows:
        length = len(json.dumps(row.values))
        if batch and (len(batch) == MOST_CHANGES or size + length > _LARGEST_BATCH):
            yield batch
            batch, size = [], 0
        batch.append(row)
        size += length
    if batch:
        yield batch


def _plain(word: str, row: Row) -> dict[str, Any]:
    for name, value in row.values.items():
        if not isinstance(value, _PLAIN):
            kind = type(value).__name__
            raise PermanentError(
                f"the column {name} of the table {word} holds a {kind}, which a copy cannot keep; this version of the"
                " app did not write it",
                code=Code.BAD_CONFIGURATION,
            )
    return row.values


def _write(out: Any, line: dict[str, Any]) -> None:
    out.write(json.dumps(line, separators=(",", ":")) + "\n")
