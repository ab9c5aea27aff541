"""Terminal conventions of our commands: progress lines, one sentence for an error, a clean end on Ctrl-C."""

import signal
import sys
import time
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

import typer

from shared.errors import EdgetrainError
from shared.values.texts import one_line

Arguments = ParamSpec("Arguments")


def progress() -> Callable[[str], None]:
    """A function that prints lines with the elapsed seconds."""
    start = time.monotonic()

    def say(line: str) -> None:
        print(f"[{time.monotonic() - start:6.1f} s] {one_line(line)}", flush=True)

    return say


def explained(command: Callable[Arguments, None]) -> Callable[Arguments, None]:
    """Run a command and print its errors, one a line: exit status 1 for our errors, 130 when interrupted."""

    @wraps(command)
    def run(*args: Arguments.args, **kwargs: Arguments.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except EdgetrainError as error:
            for line in str(error).splitlines():
                print(f"error: {one_line(line)}", file=sys.stderr)
            raise typer.Exit(1) from None
        except KeyboardInterrupt:
            print("interrupted; nothing incomplete was left behind", file=sys.stderr)
            raise typer.Exit(130) from None

    return run


def heed_interrupts() -> None:
    """End on SIGINT even when the parent process had it ignored; call it first.

    A shell without job control starts background processes with SIGINT ignored, and so do many CI systems; Python then
    installs no handler. With this, ``kill -INT`` ends the command and everything that it started.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
