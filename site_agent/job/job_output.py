"""What the job itself prints ends up in the cloud, beside the run. So libraries print into a file on the VM instead.

Only lines that are written through :class:`Output` reach the original output.
"""

import contextlib
import os
import sys
import traceback
from pathlib import Path
from typing import Final, TextIO

_KEPT: Final = 50  # files, the newest


class Output:
    """Redirects this process's output on creation. ``where``: the file that everything else goes to, if any."""

    def __init__(self, run_id: str, logs: Path | None) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        self._cloud = os.fdopen(os.dup(1), "w", encoding="utf-8", errors="replace")
        self.where, self._private = _private_file(run_id, logs)
        for descriptor in (1, 2):
            os.dup2(self._private.fileno(), descriptor)
        sys.stdout = sys.stderr = self._private

    def say(self, line: str) -> None:
        """Write a line to the cloud; it must hold no data. Errors of writing are ignored: nobody may be listening."""
        with contextlib.suppress(OSError, ValueError):
            print(line, file=self._cloud, flush=True)

    def note(self, line: str) -> None:
        """Write a line to the file on the VM, where it may name files."""
        with contextlib.suppress(OSError, ValueError):
            print(line, file=self._private, flush=True)

    def note_error(self, error: BaseException) -> None:
        """Write an error in full to the file on the VM."""
        with contextlib.suppress(OSError, ValueError):
            traceback.print_exception(error, file=self._private)
            self._private.flush()


def _private_file(run_id: str, logs: Path | None) -> tuple[Path | None, TextIO]:
    try:
        if logs is None:
            raise FileNotFoundError
        logs.mkdir(parents=True, exist_ok=True, mode=0o700)
        _forget_the_oldest(logs)
        path = logs / f"{run_id}.log"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
    except OSError:  # such as a full disk, which must not keep the job from saying so
        return None, Path(os.devnull).open("w", encoding="utf-8")
    return path, os.fdopen(descriptor, "w", encoding="utf-8", errors="replace", buffering=1)


def _forget_the_oldest(folder: Path) -> None:
    known = sorted(folder.glob("*.log"), key=lambda path: path.stat().st_mtime)
    for path in known[: max(0, len(known) - _KEPT + 1)]:
        path.unlink(missing_ok=True)
