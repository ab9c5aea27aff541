"""SSH to a VM: commands with input, small files, a lock, and TCP to the VM's loopback.

Keys only, no agent, and exactly the host key that is pinned in the settings. Paths are relative to the home of the SSH
user unless they start with ``/``. Every call ends within a bound, also on the VM: coreutils' ``timeout`` runs there.
"""

import io
import math
import shlex
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import paramiko

from shared.errors import Code, PermanentError, TransientError
from shared.settings import SshHost

CONNECT_SECONDS: Final = 15.0
COMMAND_SECONDS: Final = 30.0
OUTPUT_LIMIT: Final = 4 * 1024 * 1024  # bytes; more than any command here has to say
_GRACE_SECONDS: Final = 10.0
_TIMED_OUT: Final = frozenset({124, 137})  # exit statuses of timeout(1): ended by TERM, by KILL
_MISSING: Final = 44  # our own exit status for "there is no such file"
_KEY_TYPES: Final = (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey)

_READ = f'[ -e "$1" ] || exit {_MISSING}; exec cat "$1"'
_WRITE = """\
set -e
umask 077
mkdir -p "$(dirname "$1")"
new=$(mktemp "$1.XXXXXX")
trap 'rm -f "$new"' EXIT
cat > "$new"
[ "$(wc -c < "$new")" -eq "$2" ] || { echo "the text did not arrive whole" >&2; exit 1; }
sync "$new"
mv -f "$new" "$1"
"""
_LOCK = """\
umask 077
mkdir -p "$(dirname "$1")"
exec flock -w "$2" "$1" timeout "$3" sh -c 'echo held; exec cat >/dev/null'
"""


@dataclass(frozen=True, slots=True)
class Finished:
    """A command that ended: exit status and what it wrote."""

    status: int
    stdout: bytes
    stderr: str

    @property
    def said(self) -> str:
        """What it complained of, on one line and at most 500 characters; the end counts most."""
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
        bounded = ["timeout", "--kill-after=5", str(math.ceil(timeout)), *command]
        with self._trouble(f"running {command[0]}"), self._execute(bounded, timeout + _GRACE_SECONDS) as channel:
            deadline = time.monotonic() + timeout + _GRACE_SECONDS
            _feed(channel, stdin)
            stdout = _drain(channel.recv, channel, deadline)
            stderr = _drain(channel.recv_stderr, channel, deadline)
            status = _exit_status(channel, deadline)
        if status in _TIMED_OUT:
            raise TransientError(f"{self.label}: {command[0]} did not end within {timeout:.0f} s")
        return Finished(status, stdout, stderr.decode("utf-8", "replace"))

    def script(self, text: str, *arguments: str, stdin: bytes = b"", timeout: float = COMMAND_SECONDS) -> Finished:
        """Run a POSIX shell script on the VM; ``arguments`` are its ``$1`` and so on."""
        return self.run(["sh", "-c", text, "sh", *arguments], stdin=stdin, timeout=timeout)

    def read_text(self, path: str) -> str | None:
        """The text of a small file, or None when there is none."""
        result = self.script(_READ, path)
        if result.status == _MISSING:
            return None
        self.expect(result, f"reading {path}")
        return result.stdout.decode("utf-8")

    def write_text(self, path: str, text: str) -> None:
        """Replace a file in one step, readable by its owner only: readers see the old text or the new one, whole."""
        data = text.encode("utf-8")
        self.expect(self.script(_WRITE, path, str(len(data)), stdin=data), f"writing {path}")

    def expect(self, result: Finished, doing: str) -> Finished:
        """The result, if the program succeeded; raises :class:`TransientError` with what it said otherwise."""
        if result.status != 0:
            raise TransientError(f"{self.label}: {doing} failed with status {result.status}: {result.said}")
        return result

    @contextmanager
    def lock(self, path: str, *, wait: float = 20.0, hold: float = 900.0) -> Iterator[None]:
        """Hold a lock file on the VM; it is free again when this process, or the link, dies.

        Waits up to ``wait`` seconds, then raises :class:`TransientError`; ``hold`` bounds a link that died unseen.
        """
        command = ["sh", "-c", _LOCK, "sh", path, str(math.ceil(wait)), str(math.ceil(hold))]
        with self._trouble(f"locking {path}"):
            channel = self._open_command(command, wait + _GRACE_SECONDS)
        try:
            with self._trouble(f"locking {path}"):
                held = channel.recv(16)
            if not held.startswith(b"held"):
                raise TransientError(f"{self.label}: somebody else holds the lock {path}; it is tried again later")
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
            raise TransientError(f"{self.label}: the connection is gone")
        return transport

    def _open_command(self, command: Sequence[str], timeout: float) -> paramiko.Channel:
        channel = self._transport().open_session(timeout=CONNECT_SECONDS)
        channel.settimeout(timeout)
        channel.exec_command(shlex.join(command))
        return channel

    @contextmanager
    def _execute(self, command: Sequence[str], timeout: float) -> Iterator[paramiko.Channel]:
        channel = self._open_command(command, timeout)
        try:
            yield channel
        finally:
            channel.close()

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
            raise TransientError(f"{self.label}: {doing}: {_told(error)}") from error


@contextmanager
def connected(host: SshHost, *, timeout: float = CONNECT_SECONDS) -> Iterator[SshSession]:
    """A session with a VM for the time of a ``with`` block.

    Raises :class:`TransientError` when the VM does not answer, :class:`PermanentError` when it is not the one that is
    pinned, refuses the key, or the settings hold no usable key.
    """
    label = f"SSH to {host.address}:{host.port}"
    key = _private_key(host.private_key.get_secret_value(), label)
    client = paramiko.SSHClient()
    try:
        client.set_missing_host_key_policy(paramiko.RejectPolicy())
        _pin(client, host, label)
        _connect(client, host, key, label, timeout)
        yield SshSession(client, label)
    finally:
        client.close()


def _connect(client: paramiko.SSHClient, host: SshHost, key: paramiko.PKey, label: str, timeout: float) -> None:
    try:
        client.connect(
            host.address,
            host.port,
            username=host.username,
            pkey=key,
            allow_agent=False,
            look_for_keys=False,
            timeout=timeout,
            banner_timeout=timeout,
            auth_timeout=timeout,
        )
    except paramiko.BadHostKeyException as error:
        raise _wrong_host(label) from error
    except paramiko.AuthenticationException as error:
        if "timeout" in str(error).lower():
            raise TransientError(f"{label}: {_told(error)}") from error
        reason = f"{label}: the VM refuses the key of user {host.username}; add its public half to authorized_keys"
        raise PermanentError(reason, code=Code.BAD_CONFIGURATION) from error
    except paramiko.SSHException as error:
        if "not found in known_hosts" in str(error):  # RejectPolicy's words: it showed a key of another type
            raise _wrong_host(label) from error
        raise TransientError(f"{label}: {_told(error)}") from error
    except (OSError, EOFError) as error:
        raise TransientError(f"{label}: {_told(error)}") from error
    transport = client.get_transport()
    if transport is not None:
        transport.set_keepalive(15)


def _pin(client: paramiko.SSHClient, host: SshHost, label: str) -> None:
    # SSHClient looks hosts up as known_hosts does: the port counts unless it is 22.
    name = host.address if host.port == 22 else f"[{host.address}]:{host.port}"
    try:
        entry = paramiko.hostkeys.HostKeyEntry.from_line(f"{name} {host.host_key.strip()}")
    except paramiko.hostkeys.InvalidHostKey:
        entry = None
    if entry is None or entry.key is None:
        reason = f"{label}: its HOST_KEY in the app settings must be one line, type and base64 (ssh-keyscan prints it)"
        raise PermanentError(reason, code=Code.BAD_CONFIGURATION)
    client.get_host_keys().add(name, entry.key.get_name(), entry.key)


def _wrong_host(label: str) -> PermanentError:
    reason = (
        f"{label}: the host key is not the pinned one, so this may not be the VM; "
        "if it was reinstalled, put its new key into HOST_KEY in the app settings"
    )
    return PermanentError(reason, code=Code.BAD_CONFIGURATION)


def _private_key(text: str, label: str) -> paramiko.PKey:
    for kind in _KEY_TYPES:
        try:
            return kind.from_private_key(io.StringIO(text))
        except (paramiko.SSHException, ValueError, IndexError):
            continue  # not of this type
    reason = f"{label}: its PRIVATE_KEY in the app settings is no Ed25519, ECDSA or RSA key without passphrase"
    raise PermanentError(reason, code=Code.BAD_CONFIGURATION)


def _feed(channel: paramiko.Channel, data: bytes) -> None:
    try:
        channel.sendall(data)
        channel.shutdown_write()
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


def _told(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text[:500]
