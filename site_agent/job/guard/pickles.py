"""Pickles and joblib files, read without loading: every global must be on a list of exact names.

Prefixes do not do: ``numpy.testing`` has functions that run any text as a program.
"""

import bz2
import io
import lzma
import zlib
from collections.abc import Collection, Iterator
from typing import Any, Final

from site_agent.job.guard.pickle_machine import Machine
from site_agent.job.guard.pieces import Recognised, numbers, place
from site_agent.job.guard.skops_files import listed_names, trusted_types
from site_agent.job.guard.spans import CHUNK, HeldBackError, Span, inflated, spooled

_MOST_AT_ONCE: Final = 1 << 16
MAGICS: Final = (b"\x80", b"x\x01", b"x^", b"x\x9c", b"x\xda", b"\x1f\x8b", b"BZh", b"\x5d\x00", b"\xfd7zXZ")


def recognise_pickle(span: Span, *, extra_types: Collection[str], most: int) -> Recognised:
    """Follow a pickle, or a file of joblib, to its end; raises :class:`HeldBackError`."""
    content = _unpacked(span, most)
    found = Recognised("pickle", "every global is on the list of exact names", loadable="pickle")
    allowed = trusted_types() | listed_names("pickle_helpers.txt") | frozenset(extra_types)
    file = _File(_Raw(content))
    machine = Machine(file, content, allowed, found)
    machine.run()
    if file.read(1):
        raise HeldBackError("bytes follow the end of the pickle")
    if machine.values:
        found.pieces.append(numbers(place("numbers"), machine.values))
    return found


class _File(io.BufferedReader):
    """Reads no more than there is: a length in a pickle may be any number."""

    def read(self, size: int | None = -1, /) -> bytes:
        """The next bytes, fewer at the end."""
        return super().read(None if size is None or (size > _MOST_AT_ONCE and self._reaches_the_end(size)) else size)

    def _reaches_the_end(self, size: int) -> bool:
        here = self.tell()
        end = self.seek(0, io.SEEK_END)
        self.seek(here)
        return size >= end - here


class _Raw(io.RawIOBase):
    """A span as a file."""

    def __init__(self, span: Span) -> None:
        self._span, self._at = span, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = offset + (0, self._at, self._span.length)[whence]
        return self._at

    def readinto(self, buffer: Any) -> int:
        data = self._span.read(self._at, len(buffer))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


def _unpacked(span: Span, most: int) -> Span:
    head = span.read(0, 6)
    if head[:1] == b"\x80":
        return span
    if head[:2] == b"\x1f\x8b":
        return spooled(inflated(span, most, window_bits=31), most)
    if head[:1] == b"x":
        return spooled(inflated(span, most, window_bits=15), most)
    other: Any = bz2.BZ2Decompressor() if head[:3] == b"BZh" else lzma.LZMADecompressor(memlimit=1 << 28)
    return spooled(_decompressed(span, other), most)


def _decompressed(span: Span, decompressor: Any) -> Iterator[bytes]:
    try:
        for chunk in span.chunks():
            if decompressor.eof:
                raise HeldBackError("bytes follow the end of a compressed part")
            yield decompressor.decompress(chunk, CHUNK)
            while not decompressor.eof and not decompressor.needs_input:
                yield decompressor.decompress(b"", CHUNK)
    except (OSError, EOFError, lzma.LZMAError, zlib.error):
        raise HeldBackError("a compressed part of it is damaged") from None
    if not decompressor.eof or decompressor.unused_data:
        raise HeldBackError("a compressed part of it is cut, or bytes follow its end")
