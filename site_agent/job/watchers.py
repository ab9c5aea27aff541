"""What a running container has written so far, to its output folders and to its log."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Self

from site_agent.job.engine import Engine
from site_agent.job.folders import MOST_FILES, Usage, usage

_RESTS: Final = 10  # a look at a large folder that takes a second is followed by ten seconds without one


class FolderWatcher:
    """Whether folders stay within their bounds. ``bounds``: the most bytes of each; files are bounded too."""

    def __init__(self, engine: Engine, bounds: Mapping[Path, int]) -> None:
        self._bounds = bounds
        self._found: dict[Path, Usage] = {}
        self._next_look = 0.0
        self._inside: subprocess.Popen[bytes] | None = None
        if engine.rootless and bounds:
            command = [*engine.inside(), sys.executable, "-I", "-m", "site_agent.job", "folder", "watch"]
            self._inside = subprocess.Popen(
                [*command, *map(str, bounds)],
                env=dict(engine.environment),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._inside is not None:
            os.killpg(self._inside.pid, signal.SIGKILL)  # the engine, and what runs in its namespace
            self._inside.communicate()

    def exceeded(self, *, now: bool = False) -> bool:
        """Whether a folder is above its bound. Looks at most so often that looking takes a tenth of the time."""
        started = time.monotonic()
        if now or started >= self._next_look:
            self._look()
            self._next_look = time.monotonic() + _RESTS * (time.monotonic() - started)
        return any(
            found.bytes > self._bounds[folder] or found.files > MOST_FILES for folder, found in self._found.items()
        )

    def total(self) -> int:
        """Bytes in all folders, as of now."""
        self._look()
        return sum(found.bytes for found in self._found.values())

    def _look(self) -> None:
        if self._inside is None:
            self._found = {folder: usage(folder) for folder in self._bounds}
            return
        assert self._inside.stdout is not None  # noqa: S101 - it is a pipe
        numbers = [int(number) for number in self._inside.stdout.readline().split()]
        pairs = zip(numbers[::2], numbers[1::2], strict=True)
        self._found = {folder: Usage(*pair) for folder, pair in zip(self._bounds, pairs, strict=False)}


def log_size(path: Path) -> int:
    """Bytes of a log; 0 when nothing was written yet."""
    try:
        return path.stat().st_size
    except OSError:
        return 0
