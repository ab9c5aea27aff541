"""How our command-line tools talk: progress lines, one sentence for an error, a clean end on Ctrl-C."""

import signal
import sys
import time
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

import typer

from shared.errors import EdgetrainError
from shared.texts import one_line

Arguments = ParamSpec("Arguments")


def progress() -> Callable[[str], None]:
    """Says lines with the seconds since now."""
    start = time.monotonic()

    def say(line: str) -> None:
        print(f"[{time.monotonic() - start:6.1f} s] {one_line(line)}", flush=True)

    return say


def explained(command: Callable[Arguments, None]) -> Callable[Arguments, None]:
    """A command that ends with one sentence: exit status 1 on an error of ours, 130 when it is interrupted."""

    @wraps(command)
    def run(*args: Arguments.args, **kwargs: Arguments.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except EdgetrainError as error:
            print(f"error: {one_line(error)}", file=sys.stderr)
            raise typer.Exit(1) from None
        except KeyboardInterrupt:
            print("interrupted; nothing half done was left behind", file=sys.stderr)
            raise typer.Exit(130) from None

    return run


def heed_interrupts() -> None:
    """Let Ctrl-C count, also in a process that a shell without job control started in the background."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
