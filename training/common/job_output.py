"""Redirects a job's output. Standard output and error end up in the cloud, beside the run.

So while code runs that may have seen data, everything that this process, its threads and its children print goes into a
file on the VM, readable only by the training user. Only lines written through :class:`Output` reach the original
output.
"""

import contextlib
import faulthandler
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

LOGS = "edgetrain/logs"  # below the home of the user that trains
KEPT = 20  # files, the newest


class Output:
    """Redirects this process's output on creation.

    ``where``: the file that everything else goes to; empty when it cannot be created, and the output is dropped.
    """

    def __init__(self, run_id: str, *, home: Path) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        self._before = (sys.stdout, sys.stderr)
        self._descriptors = (os.dup(1), os.dup(2))
        self._said, self._told = map(_beside, self._before, self._descriptors)
        path, self._private = _private_file(run_id, home)
        self.where = f"~/{path.relative_to(home).as_posix()} on the VM" if path else ""
        for descriptor in (1, 2):
            os.dup2(self._private.fileno(), descriptor)
        sys.stdout = sys.stderr = self._private
        with contextlib.suppress(RuntimeError, ValueError):
            faulthandler.enable(self._private)

    def say(self, line: str) -> None:
        """Write a line to the cloud; it must hold no data."""
        print(line, file=self._said, flush=True)

    def complain(self, line: str) -> None:
        """The same, on standard error; errors of writing are ignored."""
        with contextlib.suppress(OSError, ValueError):
            print(line, file=self._told, flush=True)

    def note(self, text: str) -> None:
        """Write a text to the file on the VM, up to its size limit."""
        with contextlib.suppress(OSError, ValueError):
            print(text, file=self._private, flush=True)

    def give_back(self) -> None:
        """Restore the original output; only for a process that goes on after the job."""
        faulthandler.disable()
        for stream in (sys.stdout, sys.stderr, self._said, self._told):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        sys.stdout, sys.stderr = self._before
        for number, descriptor in enumerate(self._descriptors, start=1):
            os.dup2(descriptor, number)
            os.close(descriptor)
        self._private.close()


@contextlib.contextmanager
def captured(run_id: str, *, home: Path) -> Iterator[Output]:
    """Redirect the output of this process for a ``with`` block."""
    output = Output(run_id, home=home)
    try:
        yield output
    finally:
        output.give_back()


def _beside(stream: TextIO, descriptor: int) -> TextIO:
    """A writer to the stream's original target. A stream that other code has replaced is not changed."""
    try:
        ordinary = stream.fileno() in {1, 2}
    except (OSError, ValueError):
        ordinary = False
    return os.fdopen(descriptor, "w", encoding="utf-8", errors="replace", closefd=False) if ordinary else stream


def _private_file(run_id: str, home: Path) -> tuple[Path | None, TextIO]:
    folder = home / LOGS
    path = folder / f"{re.sub(r'[^A-Za-z0-9_.-]', '_', run_id)[:100] or 'run'}.log"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _forget_the_oldest(folder)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
    except OSError:  # such as a full disk, which must not keep the job from saying so
        return None, Path(os.devnull).open("w", encoding="utf-8")
    return path, os.fdopen(descriptor, "w", encoding="utf-8", errors="replace", buffering=1)


def _forget_the_oldest(folder: Path) -> None:
    known = sorted(folder.glob("*.log"), key=lambda path: path.stat().st_mtime)
    for path in known[: -KEPT + 1] if len(known) >= KEPT else []:
        path.unlink(missing_ok=True)
