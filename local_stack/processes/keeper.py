"""The keeper: one small process that is the parent of every service and outlives whoever started the stack.

It exists so that no way of ending the stack leaves a process behind. It talks to the supervisor over a socket, a JSON
object a line; when that socket closes, because the supervisor is done, crashed or was killed, it stops everything.

- Services start in a session of their own, so a Ctrl-C on the terminal reaches none of them.
- The keeper adopts orphans (``PR_SET_CHILD_SUBREAPER``, prctl(2)): what a service left in the background, such as an
  SSH session or a container's monitor, becomes its child and is ended with the rest.
- Services die with the keeper (``PR_SET_PDEATHSIG``). The kernel ties that to the *thread* that started them, which is
  one more reason for a parent with a single thread.

Requests: ``{"op": "start", "name", "argv", "env", "cwd", "log", "after", "grace"}`` and
``{"op": "stop" | "kill", "name"}``.
Events: ``{"event": "started" | "not_started" | "stopping" | "exited", "name", ...}``.
"""

import contextlib
import ctypes
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local_stack.processes import identities
from local_stack.processes.identities import Identity

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
_ORPHANS_GRACE = 3.0
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(slots=True)
class _Child:
    name: str
    process: subprocess.Popen[bytes]
    after: frozenset[str]
    grace: float
    tree: set[Identity] = field(default_factory=set)
    code: int | None = None
    kill_at: float | None = None  # set while it is being stopped

    @property
    def stopping(self) -> bool:
        return self.kill_at is not None

    def gone(self) -> bool:
        return self.code is not None and not any(identities.is_alive(member) for member in self.tree)


class Keeper:
    """Starts, watches and ends processes as the other end of ``control`` asks."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._children: dict[str, _Child] = {}
        self._closing = False
        self._received = b""

    def run(self) -> None:
        """Serve until the other end hangs up, then stop everything in reverse order and return."""
        wake_read, wake_write = os.pipe()
        os.set_blocking(wake_read, False)
        os.set_blocking(wake_write, False)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, self._on_signal)
        with selectors.DefaultSelector() as selector:
            selector.register(self._control, selectors.EVENT_READ)
            selector.register(wake_read, selectors.EVENT_READ)
            while not (self._closing and not self._children):
                for key, _ in selector.select(self._patience()):
                    if key.fileobj is self._control:
                        self._receive(selector)
                    else:
                        with contextlib.suppress(BlockingIOError):
                            os.read(wake_read, 4096)
                self._reap()
                self._advance()
        identities.end(identities.descendants(os.getpid()), grace=_ORPHANS_GRACE)

    def _on_signal(self, number: int, _frame: object) -> None:
        if number == signal.SIGTERM:
            self._closing = True

    def _patience(self) -> float | None:
        # While something is ending, its grandchildren are watched too, and those report to nobody.
        return 0.05 if self._closing or any(child.stopping for child in self._children.values()) else None

    def _receive(self, selector: selectors.BaseSelector) -> None:
        try:
            data = self._control.recv(65536)
        except ConnectionError:
            data = b""
        if not data:
            selector.unregister(self._control)
            self._closing = True
            return
        *lines, self._received = (self._received + data).split(b"\n")
        for line in lines:
            self._handle(json.loads(line))

    def _handle(self, request: dict[str, Any]) -> None:
        if request["op"] == "start":
            self._start(request)
            return
        child = self._children.get(request["name"])
        if child is None:
            return
        if request["op"] == "stop":
            self._stop(child)
        else:
            self._kill(child)

    def _start(self, request: dict[str, Any]) -> None:
        name = request["name"]
        if self._closing:
            self._tell("not_started", name, reason="the stack is stopping")
            return
        log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            process = subprocess.Popen(
                request["argv"],
                env=request["env"],
                cwd=request["cwd"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=_DieWithParent(os.getpid()),  # noqa: PLW1509  one thread, so nothing can deadlock
            )
        except OSError as error:
            self._tell("not_started", name, reason=f"{error.filename or request['argv'][0]}: {error.strerror}")
            return
        finally:
            os.close(log)
        child = _Child(name, process, after=frozenset(request["after"]), grace=request["grace"])
        self._children[name] = child
        identity = identities.identify(process.pid)
        self._tell("started", name, pid=process.pid, started=identity.started if identity else 0)

    def _stop(self, child: _Child) -> None:
        if child.stopping:
            return
        self._tell("stopping", child.name)
        child.kill_at = time.monotonic() + child.grace
        own = identities.identify(child.process.pid)
        child.tree = identities.descendants(child.process.pid) | ({own} if own else set())
        for member in child.tree:
            identities.send(member, signal.SIGTERM)

    def _kill(self, child: _Child) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.process.pid, signal.SIGKILL)

    def _reap(self) -> None:
        by_pid = {child.process.pid: child for child in self._children.values() if child.code is None}
        while True:
            try:
                # Look before taking: as long as it is a zombie its id, which names the group too, is not reused.
                found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if found is None:
                return
            child = by_pid.get(found.si_pid)
            if child is not None and not child.stopping:
                self._kill(child)  # a service that died may not leave workers that hold its port
            _, status = os.waitpid(found.si_pid, 0)
            if child is not None:
                child.code = child.process.returncode = os.waitstatus_to_exitcode(status)

    def _advance(self) -> None:
        now = time.monotonic()
        for child in list(self._children.values()):
            if child.gone():
                del self._children[child.name]
                self._tell("exited", child.name, code=child.code)
            elif child.kill_at is not None and now > child.kill_at:
                for member in child.tree | identities.descendants(child.process.pid):
                    identities.send(member, signal.SIGKILL)
            elif self._closing and not self._needed(child):
                self._stop(child)

    def _needed(self, child: _Child) -> bool:
        return any(child.name in other.after for other in self._children.values())

    def _tell(self, event: str, name: str, **facts: object) -> None:
        message = json.dumps({"event": event, "name": name, **facts}) + "\n"
        with contextlib.suppress(OSError):  # nobody listens any more
            self._control.sendall(message.encode())


@dataclass(frozen=True, slots=True)
class _DieWithParent:
    """Runs in the child before the program does."""

    parent: int

    def __call__(self) -> None:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != self.parent:  # the keeper died in between
            os._exit(1)  # the only way out here


def _ignore(_number: int, _frame: object) -> None:
    """The keeper ends when its socket closes, not when a terminal says so."""


def main() -> None:
    """Run as ``python -m local_stack.processes.keeper FD``; FD is the socket to the supervisor."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _ignore)  # a handler, as SIG_IGN would be inherited by every service
    _libc.prctl(PR_SET_CHILD_SUBREAPER, 1)
    os.chdir(Path("/"))
    with socket.socket(fileno=int(sys.argv[1])) as control:
        Keeper(control).run()


if __name__ == "__main__":
    main()
