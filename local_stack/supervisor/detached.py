"""Start a stack that stays when the command returns: a supervisor in a session of its own."""

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from local_stack.processes.client import REPOSITORY
from local_stack.supervisor import logs, record
from local_stack.supervisor.layout import Layout
from local_stack.supervisor.service import State

_POLL = 0.1
SUPERVISOR_LOG = "supervisor"


def start_detached(
    layout: Layout, *, cache: Path | None, only: Sequence[str] | None, say: Callable[[str], None]
) -> bool:
    """Start the stack and return when all is ready. Passes on what the supervisor says.

    A stack that runs already stays as it is. Returns whether every service is ready; when the start fails, or is
    interrupted, nothing is left running.
    """
    layout.create()
    running = record.read(layout)
    if running is not None and running.is_supervised():
        say("it runs already")
        return all(service.state is State.READY for service in running.services)
    log = layout.logs / f"{SUPERVISOR_LOG}.log"
    logs.rotate(log)
    log.touch(mode=0o600)
    with log.open("ab") as output:
        supervisor = subprocess.Popen(
            [sys.executable, "-m", "local_stack", "up", *_arguments(layout, cache, only)],
            cwd=REPOSITORY,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        return _follow(supervisor, log, layout, say)
    except BaseException:
        supervisor.terminate()
        supervisor.wait()
        raise


def _arguments(layout: Layout, cache: Path | None, only: Sequence[str] | None) -> list[str]:
    arguments = ["--state", str(layout.root)]
    if cache is not None:
        arguments += ["--cache", str(cache.resolve())]
    return arguments + [part for name in only or () for part in ("--only", name)]


def _follow(supervisor: "subprocess.Popen[bytes]", log: Path, layout: Layout, say: Callable[[str], None]) -> bool:
    with log.open(encoding="utf-8", errors="replace") as lines:
        while True:
            ended = supervisor.poll() is not None
            for line in lines:
                say(line.rstrip())
            if ended:
                return False
            running = record.read(layout)
            if running is not None and running.supervisor.pid == supervisor.pid and running.ready:
                return True
            time.sleep(_POLL)
