"""Pieces that are made in a thread of their own, while those before them are used."""

from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType


class ReadAhead:
    """Goes through pieces, always one ahead, so that at most three are in memory. Use it in ``with``.

    Errors of the pieces are raised where the piece would have come; leaving early makes at most one piece more.
    """

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._beside = ThreadPoolExecutor(max_workers=1)
        self._coming = self._next()

    def __enter__(self) -> "ReadAhead":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._beside.shutdown()

    def __iter__(self) -> Iterator[bytes]:
        while (piece := self._coming.result()) is not None:
            self._coming = self._next()
            yield piece

    def _next(self) -> "Future[bytes | None]":
        return self._beside.submit(next, self._pieces, None)


def joined(pieces: Iterable[bytes], least: int) -> Iterator[bytes]:
    """The same bytes in pieces of at least that length, but for the last one."""
    waiting: list[bytes] = []
    length = 0
    for piece in pieces:
        waiting.append(piece)
        length += len(piece)
        if length >= least:
            yield b"".join(waiting)
            waiting, length = [], 0
    if length:
        yield b"".join(waiting)
