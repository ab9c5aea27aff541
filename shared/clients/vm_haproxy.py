"""HAProxy on a VM, over SSH: its runtime socket and a pipeline's part of its configuration."""

import time
from collections.abc import Callable
from typing import Final

from shared.clients.ssh import SshSession
from shared.clients.transient import transient
from shared.errors import Code, PermanentError, TransientError
from shared.serving.haproxy import (
    SOCKET_PATH,
    ServerState,
    admit_command,
    config_path,
    parse_servers,
    render_config,
    show_command,
    take_out_command,
)
from shared.serving.slots import Colour, Slot

_POLL_SECONDS: Final = 0.25

# SSH servers forward to UNIX sockets too, but paramiko has no call for it; Python is on every VM that was prepared.
_ASK: Final = """\
import socket, sys
with socket.socket(socket.AF_UNIX) as connection:
    connection.settimeout(10)
    connection.connect(sys.argv[1])
    connection.sendall(sys.stdin.buffer.read())
    while part := connection.recv(65536):
        sys.stdout.buffer.write(part)
"""


class HaproxyRuntime:
    """Moves traffic between the two servers of a pipeline's backend."""

    def __init__(
        self,
        session: SshSession,
        *,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._session = session
        self._sleep = sleep
        self._monotonic = monotonic

    def knows(self, pipeline: str) -> bool:
        """Whether the running HAProxy has the pipeline's backend."""
        return "No such proxy" not in self._ask(show_command(pipeline))

    def servers(self, pipeline: str) -> dict[Colour, ServerState]:
        """The states of both servers; raises :class:`PermanentError` when HAProxy has no such backend."""
        answer = self._ask(show_command(pipeline))
        if "No such proxy" in answer:
            reason = (
                f"{self._session.label}: HAProxy has no backend for pipeline {pipeline}; "
                f"run: edgetrain prepare-vm --pipeline {pipeline}"
            )
            raise PermanentError(reason, code=Code.TARGET_NOT_PREPARED)
        try:
            return parse_servers(answer)
        except ValueError as error:
            raise self._trouble(str(error)) from error

    def bring_in(self, pipeline: str, colour: Colour, *, seconds: float) -> bool:
        """Give a server traffic once HAProxy's own health check passed; False when it did not within ``seconds``."""
        if self.servers(pipeline)[colour].up:
            return True
        self._tell(admit_command(pipeline, colour))
        return self._wait(lambda: self.servers(pipeline)[colour].up, seconds)

    def take_out(self, pipeline: str, colour: Colour, *, seconds: float) -> None:
        """Give a server no new requests, and wait up to ``seconds`` for those under way."""
        if not self.servers(pipeline)[colour].out:
            self._tell(take_out_command(pipeline, colour))
        self._wait(lambda: self.servers(pipeline)[colour].sessions == 0, seconds)

    def write_config(self, slot: Slot) -> bool:
        """Bring the slot's configuration file in line with the slot; True when it was changed.

        The file is not loaded: the runtime state is changed separately, and a reload or restart finds the same choice.
        """
        wanted = render_config(slot)
        if self.config(slot.pipeline) == wanted:
            return False
        self._session.write_text(config_path(slot.pipeline), wanted)
        return True

    def config(self, pipeline: str) -> str | None:
        """The text of the pipeline's configuration file, or None when there is none."""
        return self._session.read_text(config_path(pipeline))

    def restore_config(self, pipeline: str, text: str | None) -> None:
        """Write back what :meth:`config` returned: a file that HAProxy refuses would keep it from starting at all."""
        path = config_path(pipeline)
        if text is None:
            self._session.expect(self._session.run(["rm", "-f", path]), f"removing {path}")
        else:
            self._session.write_text(path, text)

    def _wait(self, condition: Callable[[], bool], seconds: float) -> bool:
        deadline = self._monotonic() + seconds
        while not condition():
            if self._monotonic() >= deadline:
                return False
            self._sleep(_POLL_SECONDS)
        return True

    def _tell(self, command: str) -> None:
        # HAProxy answers a command of this kind with an empty line, anything else is an error.
        answer = self._ask(command).strip()
        if answer:
            raise self._trouble(f"HAProxy answers {' '.join(answer.split())[:200]!r}")

    def _ask(self, command: str) -> str:
        result = self._session.run(["python3", "-c", _ASK, SOCKET_PATH], stdin=f"{command}\n".encode())
        if result.status != 0:
            last = result.stderr.strip().rsplit("\n", 1)[-1][:200]
            raise self._trouble(f"HAProxy's socket ~/{SOCKET_PATH} does not answer: {last}")
        return result.stdout.decode("utf-8", "replace")

    def _trouble(self, cause: str) -> TransientError:
        return transient(f"{self._session.label}: {cause}", check="that HAProxy runs on the VM, and its log there")
