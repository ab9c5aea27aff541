"""Standard output and error of a command: what it found, what it is doing, what it asks, and what went wrong.

Standard output holds the result and nothing else: with ``--json`` exactly one document, also when the command fails.
Progress, questions, hints and errors go to standard error.
"""

import json
import os
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import IO, Any

from rich.console import Console

from cli.client.errors import CommandError, WrongUseError
from cli.operating.blocks import Block, Line, Tone
from cli.operating.rendering import console_for, draw, speaks_unicode
from shared.errors import EdgetrainError, PermanentError
from shared.values.texts import one_line


class DeclinedError(CommandError):
    """Somebody was asked, and did not say yes."""

    def __init__(self) -> None:
        super().__init__("nothing was done", code="declined")


@dataclass(slots=True)
class Screen:
    """Where a command writes. ``as_json``: one document instead of tables."""

    as_json: bool = False
    out: Console = field(default_factory=lambda: console_for(sys.stdout))
    err: Console = field(default_factory=lambda: console_for(sys.stderr))
    answers: IO[str] | None = field(default_factory=lambda: sys.stdin)
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    _began: float = field(default_factory=time.monotonic)

    def show(self, document: Any, blocks: Iterable[Block]) -> None:
        """The result: the document, or the blocks for people."""
        if self.as_json:
            self._write(document)
        else:
            draw(self.out, blocks, unicode=speaks_unicode(self.out, self.environment))

    def say(self, text: str) -> None:
        """A line of progress, with the seconds since the command began."""
        self._line(f"[{time.monotonic() - self._began:6.1f} s] {text}")

    def hint(self, *commands: str) -> None:
        """What may be typed next; not with ``--json``."""
        if not self.as_json:
            for command in commands:
                self._line(f"next: {command}", Tone.QUIET)

    def confirm(self, what: str, *, yes: bool) -> None:
        """Say what will be done, and ask; raises :class:`DeclinedError`, or :class:`WrongUseError` without a person."""
        self._line(what)
        if yes:
            return
        if self.answers is None or not self.answers.isatty():
            raise WrongUseError("this changes something, and nobody is there to be asked", remedy="add --yes")
        print("go on? [y/N] ", end="", file=self.err.file, flush=True)
        if self.answers.readline().strip().lower() not in {"y", "yes"}:
            raise DeclinedError

    def fail(self, error: EdgetrainError) -> int:
        """Say what went wrong and what to do about it; the exit status."""
        code = error.code if isinstance(error, CommandError | PermanentError) else "failed"
        reason = "\n".join(one_line(line) for line in str(error).splitlines())
        status = error.status if isinstance(error, CommandError) else 0
        remedy = error.remedy if isinstance(error, CommandError) else ""
        if self.as_json:
            where = {"field": error.field} if isinstance(error, CommandError) and error.field else {}
            self._write({"error": str(code), "status": status or None, "detail": reason, "remedy": remedy} | where)
        for line in reason.splitlines():
            self._line(f"error: {line}", Tone.BAD)
        if remedy:
            self._line(f"next: {remedy}", Tone.QUIET)
        return error.exit_status if isinstance(error, CommandError) else 1

    def _write(self, document: Any) -> None:
        print(json.dumps(document, indent=2), file=self.out.file)

    def _line(self, text: str, tone: Tone = Tone.PLAIN) -> None:
        draw(self.err, [Line(one_line(text), tone)], unicode=speaks_unicode(self.err, self.environment))
