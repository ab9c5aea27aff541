"""Folders of tests that start what outlives its caller, such as ``make up``: all of it ends with the test's process.

pytest ends no fixture when its process is killed, as pytest-xdist does to its workers on Ctrl-C. So a process of a
session of its own waits for the end of the test's, and tidies up; run as ``python -m tests.support.outlived FOLDER``.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from local_stack.stack_hub.containers import mounts_below
from local_stack.supervisor import Stack

ROOT: Final = Path(__file__).resolve().parents[2]
_SECONDS: Final = 300.0
_PATIENCE: Final = 10.0


@contextmanager
def folder_that_ends_with_us(prefix: str) -> Iterator[Path]:
    """A new folder with a short path. At the end no process runs in it, no stack in its ``.local``, and it is gone."""
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    with subprocess.Popen(
        [sys.executable, "-m", "tests.support.outlived", str(folder)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        start_new_session=True,
    ) as guardian:
        try:
            yield folder
        finally:
            guardian.communicate(timeout=_SECONDS)
    assert not folder.exists(), f"{folder} is left"


def main() -> None:
    """Wait for the end of the standard input; then end and remove everything."""
    for kind in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(kind, signal.SIG_IGN)
    folder = Path(sys.argv[1])
    sys.stdin.buffer.read()
    _end_processes(folder)
    Stack.clean(folder / ".local")
    for mount in mounts_below(folder):
        subprocess.run(["umount", "--lazy", mount], check=False)
    shutil.rmtree(folder, ignore_errors=True)


def _end_processes(folder: Path) -> None:
    """End what works in the folder, in good order where that helps."""
    deadline = time.monotonic() + _PATIENCE
    while pids := [pid for pid in _processes() if _works_in(pid, folder)]:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM if time.monotonic() < deadline else signal.SIGKILL)
        time.sleep(0.2)


def _processes() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _works_in(pid: int, folder: Path) -> bool:
    try:
        return Path(f"/proc/{pid}/cwd").readlink().is_relative_to(folder)
    except OSError:  # it has ended
        return False


if __name__ == "__main__":
    main()
