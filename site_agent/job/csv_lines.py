"""Lines of text from a stream of bytes; refuses what is no CSV file, or could only be read with endless memory."""

from collections.abc import Iterable, Iterator
from typing import Final

from site_agent.job import csv_shapes

LONGEST_ROW: Final = 4 * 1024 * 1024  # bytes of a line, and characters of a row of several lines


class UnreadableError(Exception):
    """Reading cannot go on after this line; 0 when the file as a whole is meant."""

    def __init__(self, line: int, what: str) -> None:
        super().__init__(what)
        self.line = line
        self.what = what


class Lines:
    """Lines of a stream, with their ends; holds no more than a chunk and a line.

    ``last``: the line given last. ``taken``: characters given since whoever reads set it to 0, at the end of a row.
    """

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self.last = ""
        self.taken = 0
        self._number = 0
        self._lines = self._split(chunks)

    def __iter__(self) -> "Lines":
        return self

    def __next__(self) -> str:
        self.last = line = next(self._lines)
        self.taken += len(line)
        if self.taken > LONGEST_ROW:
            raise UnreadableError(
                self._number, f"a row of more than {LONGEST_ROW:,} characters; is a quote not closed?"
            )
        return line

    def _split(self, chunks: Iterable[bytes]) -> Iterator[str]:
        rest = b""
        for chunk in chunks:
            # A newline's byte is part of no other character in UTF-8, so lines can be cut before they are decoded.
            *whole, rest = (rest + chunk).split(b"\n")
            for line in whole:
                yield self._decoded(line) + "\n"
            if len(rest) > LONGEST_ROW:
                raise UnreadableError(self._number + 1, _too_long(rest))
        if rest:
            yield self._decoded(rest)

    def _decoded(self, line: bytes) -> str:
        self._number += 1
        what = csv_shapes.no_text(line) if self._number == 1 else ""
        if what:
            raise UnreadableError(0, f"the file is {what}")
        if b"\0" in line:
            raise UnreadableError(self._number, "a NUL byte (zero byte), which is not text; write the file again")
        try:
            # Spreadsheets like to write a byte order mark.
            return line.decode("utf-8-sig" if self._number == 1 else "utf-8")
        except UnicodeDecodeError:
            raise UnreadableError(self._number, "not UTF-8 text; save the file as UTF-8") from None


CR_ONLY: Final = "the line ends with CR alone; save the file with line ends LF or CRLF"


def _too_long(line: bytes) -> str:
    return CR_ONLY if b"\r" in line else f"a line of more than {LONGEST_ROW:,} bytes; lines must end with a newline"
