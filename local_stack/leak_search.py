"""Looks for rows of data where none may be, in every form that a program could have given them.

What is searched is unwrapped first: compressed streams, archives, base64 and hexadecimal texts, wherever they begin and
several deep. What is looked for are canaries, which occur nowhere but in the rows of one test.
"""

import base64
import binascii
import bz2
import lzma
import re
import shutil
import sqlite3
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from random import SystemRandom
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np

DEPTH: Final = 4
EVERY: Final = 5
"""Every so many rows are looked for, the first among them."""
COLUMNS: Final = ("patient", "height", "weight", "pressure", "glucose", "ill")
"""Of the rows as a file: a word, four numbers, a label."""
_MOST_UNPACKED: Final = 64 * 1024**2
_ALPHABET: Final = "bcdfghjklmnpqrstvwxz"
_RUN: Final = re.compile(rb"[A-Za-z0-9+/_=-]{24,}(?:\r?\n[A-Za-z0-9+/_=-]{24,})*")
_HEX: Final = re.compile(rb"(?:[0-9a-fA-F]{2}){12,}")


@dataclass(frozen=True)
class Row:
    """A row of a test's data: a word and numbers that occur nowhere else."""

    word: str
    numbers: tuple[float, ...]


@dataclass(frozen=True)
class Canaries:
    """Rows with canaries in every cell."""

    rows: tuple[Row, ...]

    @classmethod
    def new(cls, rows: int = 60, numbers: int = 4) -> "Canaries":
        """Fresh ones."""
        chance = SystemRandom()

        def row() -> Row:
            word = "".join(chance.choices(_ALPHABET, k=14))
            return Row(word, tuple(chance.uniform(100, 9000) for _ in range(numbers)))

        return cls(tuple(row() for _ in range(rows)))

    def csv(self) -> bytes:
        """The rows as a file, with a label that is 0 and 1 in turn; see :data:`COLUMNS`."""
        lines = [",".join(COLUMNS)]
        lines += [",".join([row.word, *map(repr, row.numbers), str(at % 2)]) for at, row in enumerate(self.rows)]
        return ("\n".join(lines) + "\n").encode()

    def needles(self) -> dict[str, bytes]:
        """All forms of all cells of every fifth row, by a name that says the form and where the cell is."""
        found: dict[str, bytes] = {}
        for place, row in list(enumerate(self.rows))[::EVERY]:
            found |= {f"row {place}, word {how}": needle for how, needle in forms_of(row.word.encode()).items()}
            for column, value in enumerate(row.numbers):
                found |= {f"row {place}, number {column} {how}": each for how, each in forms_of_number(value).items()}
            found |= _in_single_precision(f"row {place}", row.numbers[:2])
        for column in range(len(self.rows[0].numbers)):
            # As a table is stored column by column.
            found |= _in_single_precision(f"column {column}", tuple(row.numbers[column] for row in self.rows[:2]))
        return found


def forms_of(text: bytes) -> dict[str, bytes]:
    """A text as it is, and as it looks inside of longer ones that are encoded."""
    word = text.decode()
    forms = {
        "as it is": text,
        "in capitals": text.upper(),
        "in UTF-16": word.encode("utf-16-le")[:-1],  # either byte order has these bytes in a row
        "in UTF-32": word.encode("utf-32-le")[:-3],
        "in reverse": text[::-1],
        "as numbers": ", ".join(map(str, text)).encode(),
        "as numbers without blanks": ",".join(map(str, text)).encode(),
    }
    return forms | _encoded(text)


def forms_of_number(value: float) -> dict[str, bytes]:
    """A number as text and in binary; in single precision it would be found by chance, see there."""
    binary = {"as a double": struct.pack("<d", value), "as a big-endian double": struct.pack(">d", value)}
    forms = {"as text": repr(value)[:12].encode(), "as text in UTF-16": repr(value)[:12].encode("utf-16-le")[:-1]}
    for name, content in binary.items():
        forms |= {name: content, **{f"{name}, {how}": each for how, each in _encoded(content).items()}}
    return forms


def _in_single_precision(where: str, pair: tuple[float, ...]) -> dict[str, bytes]:
    """Two neighbours at once, because four bytes stand by chance in any large file."""
    forms: dict[str, bytes] = {}
    for order, name in (("<", "little"), (">", "big")):
        content = struct.pack(f"{order}2f", *pair)
        how = f"{where}, in single precision, {name}-endian"
        forms |= {how: content, **{f"{how}, {each}": needle for each, needle in _encoded(content).items()}}
    return forms


def _encoded(content: bytes) -> dict[str, bytes]:
    """In base64, base32 and hexadecimal, whatever stands before it; cut where neighbours have a say."""
    forms = {"in hexadecimal": content.hex().encode(), "in capital hexadecimal": content.hex().upper().encode()}
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + content).rstrip(b"=")
        forms[f"in base64 after {shift}"] = encoded[(0, 2, 3)[shift] : -1]
    for shift in range(5):
        encoded = base64.b32encode(b"\0" * shift + content).rstrip(b"=")
        forms[f"in base32 after {shift}"] = encoded[(0, 2, 4, 5, 7)[shift] : -1]
    return forms


class Needles:
    """Many texts of eight bytes or more, looked for at once: in one pass, however many there are."""

    def __init__(self, needles: Mapping[str, bytes]) -> None:
        self._by_head: dict[int, list[tuple[str, bytes]]] = {}
        for name, needle in needles.items():
            self._by_head.setdefault(int.from_bytes(needle[:8], "little"), []).append((name, needle))
        heads = np.fromiter(self._by_head, np.uint64)
        self._heads = np.sort(heads)
        self._begins = np.zeros(1 << 16, bool)
        self._begins[heads & np.uint64(0xFFFF)] = True

    def within(self, content: bytes) -> list[str]:
        """The names of those that stand in the content, each once."""
        found: dict[str, None] = {}
        for shift in range(min(8, max(0, len(content) - 7))):
            windows = np.frombuffer(content, "<u8", count=(len(content) - shift) // 8, offset=shift)
            near = np.flatnonzero(self._begins[windows & np.uint64(0xFFFF)])
            places = np.minimum(np.searchsorted(self._heads, windows[near]), len(self._heads) - 1)
            for at in near[self._heads[places] == windows[near]]:
                begin = int(at) * 8 + shift
                for name, needle in self._by_head[int(windows[at])]:
                    if content.startswith(needle, begin):
                        found[name] = None
        return list(found)


class Search:
    """A search for canaries, of several sets at once. ``found``: what and where, for every find so far."""

    def __init__(self, *canaries: Canaries) -> None:
        named = [(f"set {place}: " if place else "", each.needles()) for place, each in enumerate(canaries)]
        self._needles = Needles({f"{which}{name}": text for which, each in named for name, text in each.items()})
        self.found: list[str] = []
        self.searched_bytes = 0

    def content(self, where: str, content: bytes) -> None:
        """Search bytes, and what is wrapped in them."""
        self.searched_bytes += len(content)
        for how, each in unwrapped(content):
            self.found += [f"{name}{how} in {where}" for name in self._needles.within(each)[:20]]

    def file(self, path: Path) -> None:
        """Search a file; cell by cell if it is an SQLite database, whose pages cut long texts."""
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return
        self.content(str(path), content)
        self.content(f"the name of {path.parent}", path.name.encode("utf-8", "surrogateescape"))
        if content.startswith(b"SQLite format 3\0"):
            self._database(path)

    def files(self, paths: Iterable[Path]) -> "Search":
        """Search files; returns itself."""
        for path in paths:
            self.file(path)
        return self

    def _database(self, path: Path) -> None:
        """Read a copy, because whoever uses the database may have locked it."""
        with TemporaryDirectory(prefix="leak-search-") as folder:
            copy = Path(folder) / path.name
            for suffix in ("", "-wal"):
                with suppress(FileNotFoundError):
                    shutil.copy(f"{path}{suffix}", f"{copy}{suffix}")
            with closing(sqlite3.connect(copy)) as connection:
                for table in _tables(connection):
                    for row in connection.execute(f'SELECT * FROM "{table}"'):  # noqa: S608 - a database has no other
                        for cell in row:
                            content = cell if isinstance(cell, bytes) else str(cell).encode()
                            self.content(f"{path.name}, table {table}", content)


def _tables(connection: sqlite3.Connection) -> list[str]:
    return [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]


def unwrapped(content: bytes, *, depth: int = DEPTH, how: str = "") -> Iterator[tuple[str, bytes]]:
    """The bytes as they are, and all that is wrapped in them, with how it is wrapped."""
    yield how, content
    if depth == 0:
        return
    seen: set[int] = set()
    for name, inner in _inner(content):
        if inner and hash(inner) not in seen:
            seen.add(hash(inner))
            yield from unwrapped(inner, depth=depth - 1, how=f"{how}, {name}")


def _inner(content: bytes) -> Iterator[tuple[str, bytes]]:
    yield from _compressed(content)
    for run in _RUN.finditer(content):
        yield from _decoded(run[0])


def _decoded(run: bytes) -> Iterator[tuple[str, bytes]]:
    text = re.sub(rb"[\r\n]", b"", run)
    for hexadecimal in _HEX.finditer(text):
        yield "hexadecimal", binascii.unhexlify(hexadecimal[0])
    plain = text.translate(bytes.maketrans(b"-_", b"+/")).rstrip(b"=")
    for part in plain.split(b"="):
        for offset in range(4):  # a letter of the text around it may look like one of its own
            usable = part[offset:]
            if len(usable) >= 24:
                yield "base64", binascii.a2b_base64(usable[: len(usable) // 4 * 4])
    for part in re.findall(rb"[A-Z2-7]{24,}", text):
        yield "base32", base64.b32decode(part[: len(part) // 8 * 8])


def _compressed(content: bytes) -> Iterator[tuple[str, bytes]]:
    """Streams that begin anywhere."""
    starts: tuple[tuple[bytes, Callable[[], Any]], ...] = (
        (rb"\x1f\x8b\x08", lambda: zlib.decompressobj(31)),
        (rb"[\x08\x18\x28\x38\x48\x58\x68\x78][\x01\x5e\x9c\xda]", lambda: zlib.decompressobj(15)),
        (rb"BZh[1-9]1AY&SY", bz2.BZ2Decompressor),
        (rb"\xfd7zXZ\0", lambda: lzma.LZMADecompressor(memlimit=_MOST_UNPACKED)),
        (rb"\x5d\0\0", lambda: lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=_MOST_UNPACKED)),
    )
    view = memoryview(content)
    for magic, make in starts:
        for start in re.finditer(magic, content, re.DOTALL):
            yield "compressed", _stream(make(), view[start.start() :])
    for header in re.finditer(rb"PK\x03\x04", content):
        fields = content[header.start() + 26 : header.start() + 30]
        if len(fields) == 4:
            name, extra = struct.unpack("<HH", fields)
            at = header.start() + 30 + name + extra
            yield "in an archive", _stream(zlib.decompressobj(-15), view[at:])


def _stream(decompressor: Any, content: memoryview) -> bytes:
    """What can be unpacked, also of a stream that is cut; a false start gives nothing, soon."""
    found = bytearray()
    try:
        for begin in range(0, len(content), 4096):
            found += decompressor.decompress(content[begin : begin + 4096])
            if decompressor.eof or len(found) > _MOST_UNPACKED:
                break
    except (zlib.error, OSError, EOFError, lzma.LZMAError, ValueError):
        pass
    return bytes(found)
