"""Shows what a container prints while it runs, from the log that the engine writes."""

import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

_PACE = 0.2  # seconds between two looks
_LONGEST = 2_000  # characters of a line


class ScriptOutput:
    """Follows the logs in a folder, one after the other, in a ``with`` block. ``show`` gets each line."""

    def __init__(self, logs: Path, show: Callable[[str], None]) -> None:
        self._logs = logs
        self._show = show
        self._read: dict[Path, int] = {}
        self._parts: dict[Path, str] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        self._look()

    def _follow(self) -> None:
        while not self._ended.wait(_PACE):
            self._look()

    def _look(self) -> None:
        for log in sorted(self._logs.glob("*.log"), key=lambda path: path.stat().st_ctime):
            with log.open("rb") as file:
                file.seek(self._read.get(log, 0))
                content = file.read()
            whole = content[: content.rfind(b"\n") + 1]
            self._read[log] = self._read.get(log, 0) + len(whole)
            for line in whole.decode("utf-8", "replace").splitlines():
                self._line(log, line)

    def _line(self, log: Path, line: str) -> None:
        """A line of the format of Kubernetes: time, stream, F for a whole line or P for a part of one, text."""
        _, _, rest = line.partition(" ")
        _, _, rest = rest.partition(" ")
        tag, _, text = rest.partition(" ")
        text = self._parts.pop(log, "") + text
        if tag == "P" and len(text) < _LONGEST:
            self._parts[log] = text
        else:
            self._show(text[:_LONGEST])
