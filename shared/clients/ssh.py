"""SSH to a VM: commands with input, small files, a lock, and TCP to the VM's loopback.

Keys only, no agent, and exactly the host key that is pinned in the settings. Paths are relative to the home of the SSH
user unless they start with ``/``. Every call ends within a bound, also on the VM: coreutils' ``timeout`` runs there.
What a login shell prints by itself is never taken for an answer (:mod:`shared.clients.ssh_frames`).
"""

import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final

import paramiko

from shared.clients.ssh_frames import Frame, NotBegunError, printable
from shared.clients.ssh_login import cause_of, link_trouble, log_in, trouble_on_vm
from shared.errors import Code, PermanentError, TransientError
from shared.settings import SshHost

CONNECT_SECONDS: Final = 15.0
COMMAND_SECONDS: Final = 30.0
OUTPUT_LIMIT: Final = 4 * 1024 * 1024  # bytes; more than any command here has to say
_GRACE_SECONDS: Final = 10.0
_KILLED: Final = 137  # a shell's exit status for a program ended by KILL
_TIMED_OUT: Final = frozenset({124, _KILLED})  # exit statuses of timeout(1): ended by TERM, by KILL
_MISSING: Final = 44  # our own exit status for "there is no such file"
_LOCKED: Final = 75  # our own exit status for "another process holds the lock"
_HELD: Final = b"held\n"

_READ = f'[ -e "$1" ] || exit {_MISSING}; exec cat "$1"'
_WRITE = """\
set -e
umask 077
mkdir -p "$(dirname "$1")"
new=$(mktemp "$1.XXXXXX")
trap 'rm -f "$new"' EXIT
trap 'exit 143' HUP INT TERM
cat > "$new"
[ "$(wc -c < "$new")" -eq "$2" ] || { echo "the text did not arrive whole" >&2; exit 1; }
sync "$new"
mv -f "$new" "$1"
"""
_LOCK = f"""\
umask 077
mkdir -p "$(dirname "$1")"
exec flock -E {_LOCKED} -w "$2" "$1" timeout "$3" sh -c 'echo held; exec cat >/dev/null'
"""


@dataclass(frozen=True, slots=True)
class Finished:
    """A command that ended: its exit status and output; ``noise`` is what the login shell printed before it."""

    status: int
    stdout: bytes
    stderr: str
    noise: str = ""

    @property
    def said(self) -> str:
        """Its error output, on one line of at most 500 characters; when shortened, the end is kept."""
        text = " ".join((self.stderr or self.stdout.decode("utf-8", "replace")).split())
        return text if len(text) <= 500 else "..." + text[-497:]


class SshSession:
    """One connection; close it, or better use :func:`connected`."""

    def __init__(self, client: paramiko.SSHClient, label: str) -> None:
        self._client = client
        self.label = label

    def close(self) -> None:
        """End the connection; what still runs for it loses its input."""
        self._client.close()

    def run(self, command: Sequence[str], *, stdin: bytes = b"", timeout: float = COMMAND_SECONDS) -> Finished:
        """Run a program with arguments on the VM; ``timeout`` in seconds.

        A failing program is an answer (:class:`Finished`); :class:`TransientError` means that the link broke or that
        the program did not end in time, and then it is not known how far it came.
        """
        frame = Frame(["timeout", "--kill-after=5", str(math.ceil(timeout)), *command])
        started = time.monotonic()
        deadline = started + timeout + _GRACE_SECONDS
        with self._trouble(f"running {command[0]}"), self._execute(frame, timeout + _GRACE_SECONDS) as channel:
            _feed(channel, stdin)
            finished = self._finish(frame, channel, deadline)
        if finished.status in _TIMED_OUT and time.monotonic() - started >= timeout:
            raise trouble_on_vm(f"{self.label}: {command[0]} did not end within {timeout:.0f} s")
        if finished.status == _KILLED:
            reason = f"{self.label}: {command[0]} was killed on the VM, which may be out of memory (check dmesg there)"
            raise TransientError(reason)
        return finished

    def script(self, text: str, *arguments: str, stdin: bytes = b"", timeout: float = COMMAND_SECONDS) -> Finished:
        """Run a POSIX shell script on the VM; ``arguments`` are its ``$1`` and so on."""
        return self.run(["sh", "-c", text, "sh", *arguments], stdin=stdin, timeout=timeout)

    def read_text(self, path: str) -> str | None:
        """The text of a small file, or None when there is none; :class:`PermanentError` when it is no text."""
        result = self.script(_READ, path)
        if result.status == _MISSING:
            return None
        self.expect(result, f"reading {path}")
        try:
            return result.stdout.decode("utf-8")
        except UnicodeDecodeError:
            reason = f"{self.label}: {path} there is not UTF-8 text, so nothing of ours wrote it; move it away"
            raise PermanentError(reason, code=Code.TARGET_NOT_PREPARED) from None

    def write_text(self, path: str, text: str) -> None:
        """Replace a file in one step, readable by its owner only: readers see the old text or the new one, whole."""
        data = text.encode("utf-8")
        self.expect(self.script(_WRITE, path, str(len(data)), stdin=data), f"writing {path}")

    def expect(self, result: Finished, doing: str) -> Finished:
        """The result, if the program succeeded; raises :class:`TransientError` with what it said otherwise."""
        if result.status != 0:
            raise trouble_on_vm(f"{self.label}: {doing} failed with status {result.status}: {result.said}")
        return result

    @contextmanager
    def lock(self, path: str, *, wait: float = 20.0, hold: float = 900.0) -> Iterator[None]:
        """Hold a lock file on the VM; it is free again when this process, or the link, dies.

        Waits up to ``wait`` seconds, then raises :class:`TransientError`; ``hold`` bounds a link that died unseen.
        """
        frame = Frame(["sh", "-c", _LOCK, "sh", path, str(math.ceil(wait)), str(math.ceil(hold))])
        deadline = time.monotonic() + wait + _GRACE_SECONDS
        with self._trouble(f"locking {path}"):
            channel = self._open_command(frame, wait + _GRACE_SECONDS)
        try:
            with self._trouble(f"locking {path}"):
                self._await_lock(frame, channel, path, deadline)
            yield
        finally:
            self._release(channel)

    def open_tcp(self, port: int, *, timeout: float = 5.0) -> paramiko.Channel:
        """A stream to a port of the VM's loopback; raises :class:`TransientError` when nothing listens there."""
        with self._trouble(f"reaching port {port} on its loopback"):
            channel = self._transport().open_channel(
                "direct-tcpip", dest_addr=("127.0.0.1", port), src_addr=("127.0.0.1", 0), timeout=timeout
            )
            channel.settimeout(timeout)
            return channel

    def _transport(self) -> paramiko.Transport:
        transport = self._client.get_transport()
        if transport is None or not transport.is_active():
            raise link_trouble(f"{self.label}: the connection was closed")
        return transport

    def _open_command(self, frame: Frame, timeout: float) -> paramiko.Channel:
        channel = self._transport().open_session(timeout=CONNECT_SECONDS)
        channel.settimeout(timeout)
        channel.exec_command(frame.line)
        _send(channel, frame.script)
        return channel

    @contextmanager
    def _execute(self, frame: Frame, timeout: float) -> Iterator[paramiko.Channel]:
        channel = self._open_command(frame, timeout)
        try:
            yield channel
        finally:
            channel.close()

    def _finish(self, frame: Frame, channel: paramiko.Channel, deadline: float, *, read: bytes = b"") -> Finished:
        """The end of a command of which ``read`` was read already."""
        stdout = read + _drain(channel.recv, channel, deadline)
        stderr = _drain(channel.recv_stderr, channel, deadline)
        status = _exit_status(channel, deadline)
        try:
            written, own_status = frame.answer(stdout)
        except NotBegunError as error:
            raise self._no_shell(error.said or printable(stderr), status) from error
        return Finished(own_status, written, frame.complaints(stderr), frame.noise(stdout))

    def _await_lock(self, frame: Frame, channel: paramiko.Channel, path: str, deadline: float) -> None:
        read = b""
        while frame.begun(read) != _HELD:
            channel.settimeout(max(deadline - time.monotonic(), 0.01))
            part = channel.recv(4_096)
            if not part:
                ended = self._finish(frame, channel, deadline, read=read)
                if ended.status == _LOCKED:
                    raise trouble_on_vm(f"{self.label}: another process holds the lock {path}")
                self.expect(ended, f"locking {path}")
                raise trouble_on_vm(f"{self.label}: the lock {path} was lost as soon as it was taken")
            read += part

    def _no_shell(self, said: str, status: int) -> PermanentError:
        user = self._transport().get_username()
        ending = f"it ended with status {status}" + (f" and printed: {said}" if said else " and printed nothing")
        reason = (
            f"{self.label}: the login shell of user {user} does not run commands, {ending}; give the user a shell "
            "such as /bin/bash (chsh), without an exit or another shell in its start-up files"
        )
        return PermanentError(reason, code=Code.TARGET_NOT_PREPARED)

    def _release(self, channel: paramiko.Channel) -> None:
        # The end of its input ends the holder; waiting for that lets the next locker in this process in at once.
        try:
            channel.shutdown_write()
            channel.status_event.wait(5.0)
        except (OSError, EOFError, paramiko.SSHException):
            pass  # the link is gone, and the lock with it
        finally:
            channel.close()

    @contextmanager
    def _trouble(self, doing: str) -> Iterator[None]:
        try:
            yield
        except (OSError, EOFError, paramiko.SSHException) as error:
            raise link_trouble(f"{self.label}: {doing}: {cause_of(error)}") from error


@contextmanager
def connected(host: SshHost, *, timeout: float = CONNECT_SECONDS, within: float | None = None) -> Iterator[SshSession]:
    """A session with a VM for the time of a ``with`` block.

    ``timeout``: for each step of the login. ``within``: seconds after which the connection is cut, whatever the VM
    does until then.

    Raises :class:`TransientError` when the VM does not answer, :class:`PermanentError` when it is not the one that is
    pinned, refuses the key, or the settings hold no usable key.
    """
    label = f"SSH to {host.address}:{host.port}"
    client = paramiko.SSHClient()
    with _cut_after(client, within):
        try:
            log_in(client, host, label, timeout)
            yield SshSession(client, label)
        finally:
            client.close()


@contextmanager
def _cut_after(client: paramiko.SSHClient, seconds: float | None) -> Iterator[None]:
    """A VM that sends a little of everything, always just in time, would never exceed the limit of a step."""
    over = threading.Event()

    def cut() -> None:
        pause = seconds
        while not over.wait(pause):
            client.close()
            pause = 0.2  # there may have been no connection to close yet

    if seconds is not None:
        threading.Thread(target=cut, name="ssh-cut", daemon=True).start()
    try:
        yield
    finally:
        over.set()


def _feed(channel: paramiko.Channel, data: bytes) -> None:
    _send(channel, data)
    with suppress(OSError):
        channel.shutdown_write()


def _send(channel: paramiko.Channel, data: bytes) -> None:
    try:
        channel.sendall(data)
    except TimeoutError:
        raise
    except OSError:
        # The program ended without reading its input: its answer says why. A broken link shows when that is read.
        pass


def _drain(receive: Callable[[int], bytes], channel: paramiko.Channel, deadline: float) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        channel.settimeout(max(deadline - time.monotonic(), 0.01))
        part = receive(65_536)
        if not part:
            return b"".join(parts)
        size += len(part)
        if size > OUTPUT_LIMIT:
            raise paramiko.SSHException(f"it wrote more than {OUTPUT_LIMIT} bytes")
        parts.append(part)


def _exit_status(channel: paramiko.Channel, deadline: float) -> int:
    if not channel.status_event.wait(max(deadline - time.monotonic(), 0.01)):
        raise TimeoutError("no exit status")
    status = channel.recv_exit_status()
    if status < 0:
        raise EOFError("the connection ended before the program did")
    return status
