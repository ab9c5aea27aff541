"""HAProxy on a VM, over SSH: its runtime socket and a pipeline's part of its configuration."""

import time
from collections.abc import Callable
from functools import cached_property
from typing import Final

from shared.clients.ssh import SshSession
from shared.clients.transient import transient
from shared.errors import Code, PermanentError, TransientError
from shared.serving.answer_headers import (
    change_commands,
    entries,
    headers_path,
    headers_text,
    parse_headers,
    show_headers_command,
)
from shared.serving.haproxy import (
    RELOAD_COMMAND,
    SOCKET_PATH,
    ServerState,
    admit_command,
    config_path,
    parse_servers,
    render_config,
    show_command,
    take_out_command,
    weight_command,
)
from shared.serving.slots import Colour, Slot

_POLL_SECONDS: Final = 0.25
_RELOAD_SECONDS: Final = 30.0

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

    def version(self) -> str:
        """The version of the running HAProxy, such as ``2.6.12``; empty when it does not say."""
        lines = (line.partition(":") for line in self._ask("show info").splitlines())
        return next((value.strip()[:60] for name, _, value in lines if name == "Version"), "")

    def servers(self, pipeline: str) -> dict[Colour, ServerState]:
        """The states of both servers; raises :class:`PermanentError` when HAProxy has no such backend."""
        states = self.servers_seen(pipeline)
        if states is None:
            reason = (
                f"{self._session.label}: HAProxy has no backend for pipeline {pipeline}; "
                f"run: edgetrain prepare-vm --pipeline {pipeline}"
            )
            raise PermanentError(reason, code=Code.TARGET_NOT_PREPARED)
        return states

    def servers_seen(self, pipeline: str) -> dict[Colour, ServerState] | None:
        """The states of both servers; None when HAProxy has no such backend, so that nothing gets any traffic."""
        answer = self._ask(show_command(pipeline))
        if "No such proxy" in answer:
            return None
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

    def set_weight(self, pipeline: str, colour: Colour, weight: int) -> None:
        """Give a server another part of the traffic, from the next request on."""
        self._tell(weight_command(pipeline, colour, weight))

    def admit(self, pipeline: str, colour: Colour) -> None:
        """Let a server take traffic as soon as HAProxy's own health check has passed; does not wait for it."""
        self._tell(admit_command(pipeline, colour))

    def write_config(self, slot: Slot) -> bool:
        """Bring the slot's configuration files in line with the slot; True when HAProxy's own was changed.

        They are not loaded: the runtime state is changed separately, and a reload or restart finds the same choice.
        """
        said = headers_text(slot)
        if self._session.read_text(headers_path(slot.pipeline)) != said:
            self._session.write_text(headers_path(slot.pipeline), said)
        wanted = render_config(slot, headers_file=self._headers_file(slot.pipeline))
        if self.config(slot.pipeline) == wanted:
            return False
        self._session.write_text(config_path(slot.pipeline), wanted)
        return True

    def loaded(self, pipeline: str) -> bool:
        """Whether the running HAProxy has the pipeline's backend and headers, in the form that is written now."""
        return self.knows(pipeline) and self._headers(pipeline) is not None

    def say_of(self, slot: Slot) -> None:
        """Let the running HAProxy write into answers what the slot says of each colour."""
        wanted = {key: said for colour in Colour for key, said in entries(slot.places.get(colour), colour).items()}
        for command in change_commands(self._headers_file(slot.pipeline), self._headers(slot.pipeline) or {}, wanted):
            self._tell(command)

    def reload(self, pipeline: str) -> None:
        """Load the configuration without losing a request; raises ``PermanentError`` when HAProxy refuses it."""
        reloaded = self._session.run([RELOAD_COMMAND], timeout=_RELOAD_SECONDS)
        if reloaded.status != 0:
            command = RELOAD_COMMAND.removeprefix("./")
            reason = f"{self._session.label}: ~/{command} failed: {reloaded.said}"
            raise PermanentError(reason, code=Code.TARGET_NOT_PREPARED)
        if not self._wait(lambda: self.loaded(pipeline), _RELOAD_SECONDS):
            reason = f"{self._session.label}: HAProxy was reloaded, but does not read ~/{config_path(pipeline)}"
            raise PermanentError(reason, code=Code.TARGET_NOT_PREPARED)

    def _headers(self, pipeline: str) -> dict[str, str] | None:
        return parse_headers(self._ask(show_headers_command(self._headers_file(pipeline))))

    def _headers_file(self, pipeline: str) -> str:
        return f"{self._home}/{headers_path(pipeline)}"

    @cached_property
    def _home(self) -> str:
        asked = self._session.expect(self._session.script("pwd"), "asking for the home folder")
        return asked.stdout.decode("utf-8", "replace").strip()

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
