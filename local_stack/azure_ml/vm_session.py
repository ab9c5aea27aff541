"""SSH to a compute target: run a command, move files. Blocking; called on worker threads."""

import contextlib
import shlex
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, TypeVar

import paramiko

from local_stack.azure_ml.computes import Vm
from shared.clients.ssh_frames import Frame, NotBegunError
from shared.clients.ssh_keys import KeyTextError, private_key

Result = TypeVar("Result")

_CONNECT_SECONDS: Final = 10
_COMMAND_SECONDS: Final = 60
_PIECE: Final = 1 << 18
_READ: Final = 1 << 15  # the most that SFTP servers answer at once
_WINDOW: Final = (
    1 << 22
)  # asked for ahead of its answers: all at once fills the memory, one by one takes ten times as long


class UnreachableError(Exception):
    """The VM did not let us in, or the connection broke; it may work later. The text says where and why."""


class RefusedError(UnreachableError):
    """Trying again cannot help: the VM does not know our key, or we do not know the VM's."""


class CommandError(Exception):
    """A command on the VM failed; the text holds its status and what it complained of."""


class VmSession:
    """Commands and files, relative to the home of the VM's user."""

    def __init__(self, client: paramiko.SSHClient) -> None:
        self._client = client
        try:
            self._sftp = client.open_sftp()
        except paramiko.SFTPError as error:
            raise _NoisyShellError(
                f"the VM does not answer SFTP ({error}), as when its login shell prints something; "
                "make the start-up files of that user (~/.bashrc) silent where no person sits at the terminal"
            ) from error

    def run(self, command: str) -> str:
        """Standard output of a POSIX shell's command; raises :class:`CommandError` when it fails."""
        frame = Frame(("sh", "-c", command))
        stdin, stdout, stderr = self._client.exec_command(frame.line, timeout=_COMMAND_SECONDS)
        with contextlib.suppress(OSError):  # it ended without reading: its answer says why
            stdin.write(frame.script)
            stdin.channel.shutdown_write()
        answer = stdout.read()
        if stdout.channel.recv_exit_status() < 0:  # paramiko's word for a connection that ended without one
            raise EOFError("the connection broke")
        try:
            text, status = frame.answer(answer)
        except NotBegunError as error:
            raise _NoisyShellError(f"its login shell does not run commands; it printed: {error.said!r}") from error
        if status:
            raise CommandError(f"status {status}: {frame.complaints(stderr.read()).strip()[-300:]}")
        return text.decode(errors="replace")

    def write(self, path: str, content: bytes, mode: int = 0o600) -> None:
        """Write a small file."""
        with self._sftp.open(path, "wb") as stream:
            stream.chmod(mode)
            stream.write(content)

    def upload(self, source: Path, path: str) -> None:
        """Copy a local file to the VM; its folder must exist."""
        self._sftp.put(str(source), path)

    def download(self, path: str, target: Path) -> None:
        """Copy a file from the VM; ``target`` is there whole or not at all."""
        partial = target.with_name(f"{target.name}.partial")
        with self._sftp.open(path, "rb") as source, partial.open("wb") as copy:
            size = source.stat().st_size or 0
            for window in range(0, size, _WINDOW):
                end = min(window + _WINDOW, size)
                for piece in source.readv([(at, min(_READ, end - at)) for at in range(window, end, _READ)]):
                    copy.write(piece)
        partial.replace(target)

    def follow(self, path: str, target: Path) -> None:
        """Append what a growing file on the VM has gained; ``target`` is what was copied so far. It may not exist."""
        with contextlib.suppress(FileNotFoundError), self._sftp.open(path, "rb") as source, target.open("ab") as copy:
            source.seek(copy.tell())
            while piece := source.read(_PIECE):
                copy.write(piece)

    def files(self, folder: str) -> Iterator[str]:
        """Every regular file below ``folder``, relative to it; nothing when there is no such folder."""
        try:
            entries = self._sftp.listdir_attr(folder)
        except FileNotFoundError:
            return
        for entry in entries:
            mode = entry.st_mode or 0
            if stat.S_ISDIR(mode):
                yield from (f"{entry.filename}/{name}" for name in self.files(f"{folder}/{entry.filename}"))
            elif stat.S_ISREG(mode):
                yield entry.filename


class VmLink:
    """A connection that is kept between calls and opened again after it broke. Used by one thread at a time.

    ``known_hosts`` pins host keys. Without, the first key a VM shows is pinned in ``own_hosts``.
    """

    def __init__(self, find: Callable[[], Vm], *, known_hosts: Path | None, own_hosts: Path) -> None:
        self._find = find
        self._known_hosts, self._own_hosts = known_hosts, own_hosts
        self._client: paramiko.SSHClient | None = None
        self._session: VmSession | None = None

    def call(self, action: Callable[[VmSession], Result]) -> Result:
        """Do something on the VM. Raises :class:`UnreachableError`, :class:`CommandError` and what ``action`` raises.

        ``action`` may have been done, wholly or in part, when the connection broke.
        """
        vm = self._find()
        try:
            if self._session is None:
                self._session = self._opened(vm)
            return action(self._session)
        except (FileNotFoundError, PermissionError):
            raise  # of a file, here or there; the connection is fine
        except (OSError, EOFError, paramiko.SSHException) as error:
            self.close()
            kind = RefusedError if isinstance(error, _HOPELESS) else UnreachableError
            where = f"{vm.username}@{vm.address}:{vm.port}"
            raise kind(f"SSH to {where} failed: {error or type(error).__name__}") from error

    def close(self) -> None:
        """End the connection; the next call opens another."""
        if self._client is not None:
            self._client.close()
        self._client = self._session = None

    def _opened(self, vm: Vm) -> VmSession:
        client = self._client = paramiko.SSHClient()
        if self._known_hosts is None:
            self._own_hosts.touch(mode=0o600)
            client.load_host_keys(str(self._own_hosts))  # also the file that a new key is written to
            client.set_missing_host_key_policy(paramiko.AutoAddPolicy())  # noqa: S507 - pinned from then on
        else:
            client.load_system_host_keys(str(self._known_hosts))
            client.set_missing_host_key_policy(_UnknownHost())
        client.connect(
            vm.address,
            vm.port,
            vm.username,
            pkey=_key(vm.key_file),
            timeout=_CONNECT_SECONDS,
            banner_timeout=_CONNECT_SECONDS,
            auth_timeout=_CONNECT_SECONDS,
            allow_agent=False,
            look_for_keys=False,
        )
        return VmSession(client)


class _UnknownHostError(paramiko.SSHException):
    pass


class _UnknownHost(paramiko.MissingHostKeyPolicy):
    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:  # noqa: ARG002
        raise _UnknownHostError(f"no {key.get_name()} host key is known for {hostname}")


class _UnknownKeyError(paramiko.SSHException):
    pass


class _NoisyShellError(paramiko.SSHException):
    pass


_HOPELESS: Final = (
    _UnknownHostError,
    _UnknownKeyError,
    _NoisyShellError,
    paramiko.AuthenticationException,
    paramiko.BadHostKeyException,
)


def _key(path: Path) -> paramiko.PKey:
    try:
        return private_key(path.read_text(encoding="utf-8"))
    except KeyTextError as error:
        raise _UnknownKeyError(f"what the compute was attached with {error}") from error


def quoted(*words: str) -> str:
    """Words as one shell command."""
    return " ".join(shlex.quote(word) for word in words)
