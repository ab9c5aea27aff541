"""What may be wrapped in bytes: compressed streams, base64, base32, hexadecimal, bytes or rows written as numbers.

Two levels deep, with bounds.
"""

import base64
import binascii
import bz2
import lzma
import re
import zlib
from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np

from site_agent.job.guard.pieces import Piece
from site_agent.job.guard.spans import CHUNK

MOST_DECODED: Final = 64 * 1024 * 1024  # bytes of one piece
_MOST_TRIES: Final = 20_000
_SHORTEST: Final = 64
_MOST_AS_BYTES: Final = 64 * 1024 * 1024
_RUN: Final = re.compile(rb"[A-Za-z0-9+/_=\r\n-]{96,}")
_IN_BASE64: Final = np.isin(
    np.arange(256), np.frombuffer(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/_=-\r\n", np.uint8)
)
_HEX: Final = re.compile(rb"[0-9a-fA-F]+")
_BASE32: Final = re.compile(rb"[A-Z2-7]+")
_STEP: Final = 8
_NUMBER: Final = re.compile(rb"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_IN_NUMBERS: Final = np.isin(np.arange(256), np.frombuffer(b"0123456789.,;+-eE \t\r\n[]()|", np.uint8))
_URL_SAFE: Final = bytes.maketrans(b"-_", b"+/")

_DECOMPRESSORS: Final[dict[bytes, Callable[[], Any]]] = {
    b"\x1f\x8b\x08": lambda: zlib.decompressobj(31),
    b"x\x01": lambda: zlib.decompressobj(15),
    b"x^": lambda: zlib.decompressobj(15),
    b"x\x9c": lambda: zlib.decompressobj(15),
    b"x\xda": lambda: zlib.decompressobj(15),
    b"BZh": bz2.BZ2Decompressor,
    b"\xfd7zXZ\x00": lambda: lzma.LZMADecompressor(memlimit=1 << 28),
}
_BEGINS: Final = np.zeros(1 << 16, np.bool_)
_BEGINS[[int.from_bytes(magic[:2], "little") for magic in _DECOMPRESSORS]] = True
_NO_PAIRS: Final = np.empty(0, "<u2")


def decoded(piece: Piece) -> Iterator[tuple[str, bytes]]:
    """What is wrapped in a piece, with the name of the wrapping; and what is wrapped in that."""
    left = MOST_DECODED
    for name, data in _wrapped(piece):
        inner = _wrapped(Piece("", data)) if left > 0 and len(data) >= _SHORTEST else ()
        for both, each in ((name, data), *((f"{inside} in {name}", found) for inside, found in inner)):
            if len(each) >= _SHORTEST and left > 0:
                yield both, each[:left]
                left -= len(each)


def _wrapped(piece: Piece) -> Iterator[tuple[str, bytes]]:
    yield from _unpacked(piece)
    yield from _texts(piece)
    yield from _numbers(piece)
    yield from as_bytes(piece)


def as_bytes(piece: Piece) -> Iterator[tuple[str, bytes]]:
    """An array of whole numbers that bytes could be."""
    if not piece.dtype or np.dtype(piece.dtype).kind not in "fiu" or piece.size > _MOST_AS_BYTES:
        return
    values = np.frombuffer(piece.read(0, piece.size), piece.dtype)
    for some in (values[:_SHORTEST], values):
        with np.errstate(invalid="ignore"):
            if len(some) < _SHORTEST or not bool(((some >= 0) & (some <= 255) & (some == np.floor(some))).all()):
                return
    yield "bytes as numbers", values.astype(np.uint8).tobytes()


def _unpacked(piece: Piece) -> Iterator[tuple[str, bytes]]:
    tries = 0
    for start, data in _chunks(piece, overlap=8):
        for at in _beginnings(data):
            make = next((each for magic, each in _DECOMPRESSORS.items() if data.startswith(magic, at)), None)
            if make is None or tries >= _MOST_TRIES:
                continue
            tries += 1
            found = _decompressed(make(), data, at, piece, start)
            if found:
                yield "compressed", found


def _beginnings(data: bytes) -> list[int]:
    """Where the first two bytes of a compressed stream are."""
    found: list[int] = []
    for offset in range(2):
        pairs = np.frombuffer(data, "<u2", (len(data) - offset) // 2, offset) if len(data) > offset else _NO_PAIRS
        found += (np.flatnonzero(_BEGINS[pairs]) * 2 + offset).tolist()
    return sorted(found)


def _decompressed(decompressor: Any, data: bytes, at: int, piece: Piece, start: int) -> bytes:
    """Bytes of a stream that begins here; empty when none does. The first kilobyte mostly tells."""
    try:
        found = decompressor.decompress(data[at : at + 1024], 4096)
        if not found and not decompressor.eof:
            found = decompressor.decompress(data[at + 1024 : at + 65_536], 4096)
        if not found:
            return b""
        rest = piece.read(start + at + 1024, MOST_DECODED) if not decompressor.eof else b""
        tail = getattr(decompressor, "unconsumed_tail", b"")
        return bytes(found + decompressor.decompress(tail + rest, MOST_DECODED)) if rest or tail else bytes(found)
    except (zlib.error, OSError, EOFError, lzma.LZMAError, ValueError):
        return b""


def _texts(piece: Piece) -> Iterator[tuple[str, bytes]]:
    for _, data in _chunks(piece, overlap=0):
        for begin, end in _candidates(data):
            for run in _RUN.finditer(data, begin, end):
                yield from _text(run[0])


def _text(run: bytes) -> Iterator[tuple[str, bytes]]:
    joined = run.translate(None, b"\r\n")
    if _HEX.fullmatch(joined):
        for offset in range(2):
            part = joined[offset:]
            yield "hexadecimal", binascii.unhexlify(part[: len(part) // 2 * 2])
    plain = joined.translate(_URL_SAFE).replace(b"=", b"")
    if _BASE32.fullmatch(plain):
        for offset in range(8):
            part = plain[offset:]
            yield "base32", base64.b32decode(part[: len(part) // 8 * 8])
    for offset in range(4):
        part = plain[offset:]
        yield "base64", binascii.a2b_base64(part[: len(part) // 4 * 4])


def _numbers(piece: Piece) -> Iterator[tuple[str, bytes]]:
    """Numbers that are written in digits, in bytes that are mostly such."""
    if piece.dtype and np.dtype(piece.dtype).itemsize > 1:
        return
    for _, data in _chunks(piece, overlap=0):
        if data and _IN_NUMBERS[np.frombuffer(data, np.uint8)].mean() > 0.6:
            found = np.array([float(each) for each in _NUMBER.findall(data)], "<f8")
            yield "written in digits", found.tobytes()


def _candidates(data: bytes) -> Iterator[tuple[int, int]]:
    """Where a long run of such letters may be: every eighth byte is looked at."""
    sampled = _IN_BASE64[np.frombuffer(data, np.uint8)[::_STEP]]
    others = np.flatnonzero(~sampled)
    edges = np.concatenate([[-1], others, [len(sampled)]])
    for gap in np.flatnonzero(np.diff(edges) > 96 // _STEP - 1):
        yield max(0, int(edges[gap]) * _STEP), min(len(data), int(edges[gap + 1]) * _STEP + 1)


def _chunks(piece: Piece, *, overlap: int) -> Iterator[tuple[int, bytes]]:
    size = 8 * CHUNK
    for start in range(0, piece.size, size - overlap):
        yield start, piece.read(start, size)
