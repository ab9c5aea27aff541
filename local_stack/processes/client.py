"""The supervisor's end of the keeper: start it, ask it, hear what happens."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from local_stack.processes.identities import Identity, identify

REPOSITORY = Path(__file__).resolve().parents[2]

Event = dict[str, Any]


class KeeperClient:
    """A running keeper. ``on_event`` is called on a thread of its own with every event, in order.

    An event ``{"event": "keeper_lost"}`` says that the keeper died, and with it all services.
    """

    def __init__(self, *, log: Path, marker: Mapping[str, str], on_event: Callable[[Event], None]) -> None:
        self._on_event = on_event
        self._sending = threading.Lock()
        ours, theirs = socket.socketpair()
        with theirs, log.open("ab") as output:
            log.chmod(0o600)
            self._process = subprocess.Popen(
                [sys.executable, "-m", "local_stack.processes.keeper", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                cwd=REPOSITORY,
                env={"PATH": os.defpath, "LANG": "C.UTF-8", **marker},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._socket = ours
        identity = identify(self._process.pid)
        if identity is None:
            raise RuntimeError(f"the keeper did not start, see {log}")
        self.identity: Identity = identity
        self._closing = False
        self._reader = threading.Thread(target=self._read, name="keeper-events", daemon=True)
        self._reader.start()

    def start(
        self,
        name: str,
        *,
        argv: Sequence[str],
        env: Mapping[str, str],
        cwd: Path,
        log: Path,
        after: Sequence[str],
        grace: float,
    ) -> None:
        """Ask for a process; ``started`` or ``not_started`` follows. It is stopped before those in ``after``."""
        request = {"op": "start", "name": name, "argv": list(argv), "env": dict(env), "cwd": str(cwd)}
        self._send({**request, "log": str(log), "after": list(after), "grace": grace})

    def stop(self, name: str) -> None:
        """Ask the service and all below it to end, and make them after the grace period; ``exited`` follows."""
        self._send({"op": "stop", "name": name})

    def kill(self, name: str) -> None:
        """SIGKILL to the service's process group; ``exited`` follows."""
        self._send({"op": "kill", "name": name})

    def close(self) -> None:
        """Hang up and wait until the keeper has stopped everything."""
        self._closing = True
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
        self._process.wait()
        self._reader.join()
        self._socket.close()

    def _send(self, request: dict[str, Any]) -> None:
        with self._sending, contextlib.suppress(BrokenPipeError):  # the reader reports a lost keeper
            self._socket.sendall(json.dumps(request).encode() + b"\n")

    def _read(self) -> None:
        with self._socket.makefile("rb") as lines, contextlib.suppress(ConnectionError):
            for line in lines:
                self._on_event(json.loads(line))
        if not self._closing:
            self._on_event({"event": "keeper_lost", "name": ""})
