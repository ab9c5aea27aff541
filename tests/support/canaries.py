"""Looking for bytes that must not be there: in files, in layers, in the rows of databases and tables."""

import base64
import gzip
import json
import sqlite3
import struct
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

_PIECE = 1 << 22
_GZIP = b"\x1f\x8b"

Needles = Mapping[str, bytes]
"""What is looked for (never shown) by the name it is reported under."""


def secret(name: str, value: str) -> dict[str, bytes]:
    """A secret in the forms it travels in: as it is, in a URL, in base64 whatever stands before it."""
    if not value:
        raise ValueError(f"{name} is empty, and would be found everywhere")
    forms = {name: value.encode(), f"{name} in a URL": quote(value, safe="").encode()}
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + value.encode()).rstrip(b"=")
        # Without the first and the last characters, which depend on what stands beside it.
        forms[f"{name} in base64 after {shift}"] = encoded[4 if shift else 0 : -1]
    return forms


def number(name: str, value: float) -> dict[str, bytes]:
    """A number as text, and as models hold it."""
    return {name: repr(value).encode(), f"{name} in binary": struct.pack("<d", value)}


def found_in(stream: BinaryIO, needles: Needles) -> set[str]:
    """The names of all needles in the stream, which may be of any length."""
    found: set[str] = set()
    overlap = max(len(needle) for needle in needles.values()) - 1
    rest = b""
    while piece := stream.read(_PIECE):
        window = rest + piece
        found |= {name for name, needle in needles.items() if needle in window}
        rest = window[-overlap:]
    return found


def found_in_files(paths: Iterable[Path], needles: Needles) -> list[str]:
    """``name in file`` for every find; what is compressed is looked into as well."""
    add_findings = []
    for path in paths:
        with path.open("rb") as raw:
            packed = raw.read(2) == _GZIP
            raw.seek(0)
            names = found_in(raw, needles)
        if packed:
            with gzip.open(path, "rb") as unpacked:
                names |= found_in(unpacked, needles)  # type: ignore[arg-type]  # it reads as a BinaryIO does
        add_findings += [f"{name} in {path}" for name in sorted(names)]
    return add_findings


def found_in_text(place: str, text: Any, needles: Needles) -> list[str]:
    """``name in place``; anything but bytes is looked at as Python and as JSON write it."""
    forms = [text] if isinstance(text, bytes) else [repr(text).encode(), json.dumps(text, default=str).encode()]
    return [f"{name} in {place}" for name, needle in needles.items() if any(needle in form for form in forms)]


def found_in_database(file: Path, needles: Needles) -> list[str]:
    """``name in table`` for every find in an SQLite database, its write-ahead log included.

    Cell by cell, because the file's pages cut long texts.
    """
    add_findings: list[str] = []
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        for table in _tables(connection):
            for row in connection.execute(f'SELECT * FROM "{table}"'):
                for cell in row:
                    content = cell if isinstance(cell, bytes) else str(cell).encode()
                    add_findings += found_in_text(f"{file.name}, table {table}", content, needles)
    return sorted(set(add_findings))


def _tables(connection: sqlite3.Connection) -> Iterator[str]:
    yield from (name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'"))


def files_below(folder: Path, *, without: Iterable[str] = ()) -> list[Path]:
    """Every regular file below a folder, links not followed; ``without`` are patterns of names left out."""
    patterns = tuple(without)
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink() and not any(path.match(pattern) for pattern in patterns)
    ]
