"""Safe output for logs and terminals: texts from outside are escaped, so that they cannot forge lines."""

import logging
from typing import Final, TextIO

from shared.values.texts import one_line

_FORMAT: Final = "%(asctime)s %(levelname)s %(name)s %(message)s"
_CONTINUED: Final = "  | "


class SafeFormatter(logging.Formatter):
    """One entry begins one line; what follows, such as a traceback, is set off, and control characters are escaped."""

    def format(self, record: logging.LogRecord) -> str:
        """The entry as it is written."""
        first, *more = super().format(record).split("\n")
        return "\n".join([_clean(first), *(f"{_CONTINUED}{_clean(line)}" for line in more)])


def log_to(stream: TextIO, level: int | str = logging.INFO) -> None:
    """Write the log of this process there."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(SafeFormatter(_FORMAT))
    logging.basicConfig(level=level, handlers=[handler])


def shown_lines(text: object) -> str:
    """A text of several lines for a terminal, without control characters in them."""
    return "\n".join(_clean(line) for line in str(text).split("\n"))


def _clean(line: str) -> str:
    """As it is, with its blanks; what is no character to look at stands as its escape."""
    if line.isprintable():
        return line
    return "".join(each if each.isprintable() else one_line(each) or " " for each in line)
