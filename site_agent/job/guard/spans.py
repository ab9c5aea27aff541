"""Bytes of an open file, or of a part of it, that are read piece by piece so that memory stays flat."""

import os
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, Final

CHUNK: Final = 1 << 20


class HeldBackError(Exception):
    """A file may not leave. The text says why in our own words; it never quotes the file."""


class NeededError(HeldBackError):
    """It may not leave, and the model is not whole without it, so that nothing may."""


@dataclass(frozen=True, slots=True)
class Span:
    """``length`` bytes at ``start`` of an open file. ``owner`` keeps a temporary file open while it is in use."""

    descriptor: int
    start: int
    length: int
    owner: IO[bytes] | None = field(default=None, repr=False)

    def read(self, at: int = 0, most: int | None = None) -> bytes:
        """The bytes from ``at``: ``most`` of them, or all that follow; fewer at the end."""
        wanted = max(0, self.length - at if most is None else min(most, self.length - at))
        parts: list[bytes] = []
        position = self.start + at
        while wanted > 0:
            part = os.pread(self.descriptor, min(wanted, 1 << 26), position)
            if not part:
                raise HeldBackError("it became shorter while it was read")
            parts.append(part)
            position += len(part)
            wanted -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def part(self, start: int, length: int) -> "Span":
        """A part of it; raises :class:`HeldBackError` when it does not lie inside."""
        if start < 0 or length < 0 or start + length > self.length:
            raise HeldBackError("a part of it lies outside of the file")
        return Span(self.descriptor, self.start + start, length, self.owner)

    def chunks(self, size: int = CHUNK) -> Iterator[bytes]:
        """All bytes in order."""
        for at in range(0, self.length, size):
            yield self.read(at, size)


def spooled(parts: Iterator[bytes], most: int) -> Span:
    """The parts in an unlinked temporary file; raises :class:`HeldBackError` beyond ``most`` bytes."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the last span of it
    total = 0
    for part in parts:
        total += len(part)
        if total > most:
            raise HeldBackError(f"it unpacks to more than {most} bytes")
        file.write(part)
    file.flush()
    return Span(file.fileno(), 0, total, file)


def inflated(span: Span, most: int, *, window_bits: int) -> Iterator[bytes]:
    """A deflated stream's bytes; raises :class:`HeldBackError` when it is damaged, too large, or followed by more."""
    inflater = zlib.decompressobj(window_bits)
    total = 0
    try:
        for chunk in span.chunks():
            if inflater.eof:
                raise HeldBackError("bytes follow the end of a compressed part")
            data = chunk
            while data:
                out = inflater.decompress(data, CHUNK)
                total += len(out)
                if total > most:
                    raise HeldBackError(f"it unpacks to more than {most} bytes")
                yield out
                data = inflater.unconsumed_tail
        yield inflater.flush()
    except zlib.error:
        raise HeldBackError("a compressed part of it is damaged") from None
    if not inflater.eof or inflater.unused_data:
        raise HeldBackError("a compressed part of it is cut, or bytes follow its end")
