"""The search finds what is there: a search that cannot find anything would find nothing after a leak either."""

import base64
import bz2
import gzip
import io
import json
import lzma
import pickle
import secrets
import sqlite3
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local_stack.leak_search import Canaries, Row, Search

CANARIES = Canaries.new()


def _zip(content: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/member", content)
    return packed.getvalue()


def _tar_gz(content: bytes) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        entry = tarfile.TarInfo("member")
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


WORDS: dict[str, Callable[[str], bytes]] = {
    "raw": str.encode,
    "capitals": lambda word: word.upper().encode(),
    "utf-16": lambda word: word.encode("utf-16"),
    "utf-16 big-endian": lambda word: word.encode("utf-16-be"),
    "utf-32": lambda word: word.encode("utf-32"),
    "reversed": lambda word: word[::-1].encode(),
    "base64": lambda word: base64.b64encode(f"a{word}".encode()),
    "base64 in lines": lambda word: base64.encodebytes(b"x" * 70 + word.encode() + b"x" * 70),
    "url-safe base64": lambda word: base64.urlsafe_b64encode(b"\xff\xfe" + word.encode()),
    "base32": lambda word: base64.b32encode(f"abc{word}".encode()),
    "hexadecimal": lambda word: word.encode().hex().encode(),
    "numbers": lambda word: json.dumps(list(word.encode())).encode(),
    "pickle": lambda word: pickle.dumps({"a": [word]}),
}
NUMBERS: dict[str, Callable[[Row], bytes]] = {
    "text": lambda row: repr(row.numbers[0]).encode(),
    "json": lambda row: json.dumps(row.numbers).encode(),
    "doubles": lambda row: struct.pack("<2d", *row.numbers[:2]),
    "big-endian doubles": lambda row: struct.pack(">d", row.numbers[0]),
    "singles": lambda row: struct.pack("<4f", *row.numbers),
    "big-endian singles": lambda row: struct.pack(">4f", *row.numbers),
    "hexadecimal": lambda row: struct.pack("<d", row.numbers[0]).hex().encode(),
    "base64": lambda row: base64.b64encode(struct.pack("<d", row.numbers[0])),
    "base64 of singles": lambda row: base64.b64encode(b"\0" + struct.pack("<4f", *row.numbers)),
    "pickle": lambda row: pickle.dumps(list(row.numbers)),
}
WRAPPINGS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "zlib": zlib.compress,
    "zlib, quickly": lambda content: zlib.compress(content, 1),
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "lzma": lambda content: lzma.compress(content, lzma.FORMAT_ALONE),
    "zip": _zip,
    "tar.gz": _tar_gz,
    "gzip in base64": lambda content: base64.b64encode(gzip.compress(content)),
    "zlib in hexadecimal": lambda content: zlib.compress(content).hex().encode(),
    "base64 in gzip in zip": lambda content: _zip(gzip.compress(base64.b64encode(content))),
    "base64 twice": lambda content: base64.b64encode(base64.b64encode(content)),
    "base32 of zlib": lambda content: base64.b32encode(zlib.compress(content)),
}


def found(content: bytes) -> list[str]:
    search = Search(CANARIES)
    search.content("there", b"before\0" * 3 + content + b"\0after" * 3)
    return search.found


@pytest.mark.parametrize("form", WORDS)
def test_a_word_is_found_in_every_form(form: str) -> None:
    assert any(find.startswith("row 5, word") for find in found(WORDS[form](CANARIES.rows[5].word)))


@pytest.mark.parametrize("form", NUMBERS)
def test_a_number_is_found_in_every_form(form: str) -> None:
    assert any(find.startswith("row 5, ") for find in found(NUMBERS[form](CANARIES.rows[5])))


def test_a_column_of_singles_is_found() -> None:
    column = struct.pack("<60f", *(row.numbers[2] for row in CANARIES.rows))

    assert any(find.startswith("column 2") for find in found(column))


@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_what_is_wrapped_is_found(wrapping: str) -> None:
    text = "x" * 50 + CANARIES.rows[5].word + "y" * 50

    assert any(find.startswith("row 5, word") for find in found(WRAPPINGS[wrapping](text.encode())))


def test_a_cut_stream_is_read_as_far_as_it_goes() -> None:
    packed = gzip.compress(CANARIES.rows[5].word.encode() + secrets.token_bytes(200_000))

    assert any(find.startswith("row 5, word") for find in found(packed[:100_000]))


def test_names_of_files_are_searched(tmp_path: Path) -> None:
    path = tmp_path / f"part-{CANARIES.rows[10].word}"
    path.touch()

    assert Search(CANARIES).files([path]).found


@pytest.mark.parametrize("cell", ["text", b"bytes"])
def test_cells_of_databases_are_searched(tmp_path: Path, cell: Any) -> None:
    file = tmp_path / "database"
    long = "z" * 9000 + CANARIES.rows[10].word + "z" * 9000
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE things (id INTEGER, thing)")
        value = gzip.compress(long.encode()) if isinstance(cell, bytes) else long
        connection.execute("INSERT INTO things VALUES (1, ?)", [value])
    connection.close()

    assert any("table things" in find for find in Search(CANARIES).files([file]).found)


def test_nothing_is_found_where_nothing_is() -> None:
    others = Canaries.new()
    text = json.dumps([[row.word, *row.numbers] for row in others.rows]).encode()
    floats = b"".join(struct.pack("<4f", *row.numbers) for row in others.rows) * 200

    assert found(text + gzip.compress(text) + floats + base64.b64encode(floats)) == []
