"""Start a stack that stays when the command returns: a supervisor in a session of its own."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from local_stack.processes import identities
from local_stack.processes.client import REPOSITORY
from local_stack.supervisor import logs, record, refresh
from local_stack.supervisor.layout import Layout
from local_stack.supervisor.service import State

_POLL = 0.1
SUPERVISOR_LOG = "supervisor"
REFRESH = signal.SIGUSR1


def start_detached(
    layout: Layout,
    *,
    cache: Path | None,
    only: Sequence[str] | None,
    by_identity: bool = False,
    say: Callable[[str], None],
) -> bool:
    """Start the stack and return when all is ready. Passes on what the supervisor says.

    A stack that runs already is brought up to date: dead services are started, and the app when its files have
    changed. Returns whether every service is ready; when the start fails, or is interrupted, nothing is left running.
    """
    layout.create()
    log = layout.logs / f"{SUPERVISOR_LOG}.log"
    running = record.read(layout)
    if running is not None and running.is_supervised():
        say("the stack is running already")
        return _refreshed(layout, running, log, say)
    logs.rotate(log)
    log.touch(mode=0o600)
    with log.open("ab") as output:
        supervisor = subprocess.Popen(
            [sys.executable, "-m", "local_stack", "up", *_arguments(layout, cache, only, by_identity=by_identity)],
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


def _refreshed(layout: Layout, running: record.Record, log: Path, say: Callable[[str], None]) -> bool:
    """Have a running stack brought up to date, where its supervisor takes that request; whether all is ready then."""
    if running.refreshed < 0:
        return all(service.state is State.READY for service in running.services)
    log.touch(mode=0o600)  # one that runs in the foreground tells its terminal
    return refresh.asked(layout, running, lambda: _ask(running), log, say)


def _ask(running: record.Record) -> None:
    identities.send(running.supervisor, REFRESH)


def _arguments(layout: Layout, cache: Path | None, only: Sequence[str] | None, *, by_identity: bool) -> list[str]:
    arguments = ["--state", str(layout.root), *(["--identity"] if by_identity else [])]
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
