"""One SSH session to a compute target: run a command, move files. Blocking; called on worker threads."""

import shlex
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import paramiko

from local_stack.azure_ml.computes import Vm

_CONNECT_SECONDS = 10
_COMMAND_SECONDS = 60


class UnreachableError(Exception):
    """The VM did not let us in; the text says where and why."""


class VmSession:
    """Commands and files, relative to the home of the VM's user."""

    def __init__(self, client: paramiko.SSHClient) -> None:
        self._client = client
        self._sftp = client.open_sftp()

    def run(self, command: str, *, check: bool = True) -> str:
        """Standard output of a shell command; raises ``OSError`` when it fails and ``check`` is set."""
        _, stdout, stderr = self._client.exec_command(command, timeout=_COMMAND_SECONDS)
        text = stdout.read().decode(errors="replace")
        status = stdout.channel.recv_exit_status()
        if status and check:
            raise OSError(f"status {status}: {stderr.read().decode(errors='replace').strip()[-300:]}")
        return text

    def write(self, path: str, content: bytes, mode: int = 0o600) -> None:
        """Write a small file."""
        with self._sftp.open(path, "wb") as stream:
            stream.chmod(mode)
            stream.write(content)

    def upload(self, source: Path, path: str) -> None:
        """Copy a local file to the VM; its folder must exist."""
        self._sftp.put(str(source), path)

    def download(self, path: str, target: Path) -> None:
        """Copy a file from the VM."""
        self._sftp.get(path, str(target))

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


@contextmanager
def session(vm: Vm, known_hosts: Path | None) -> Iterator[VmSession]:
    """Connect with the compute target's key; the host key must be known if a file of known hosts is given."""
    client = paramiko.SSHClient()
    if known_hosts is None:
        client.set_missing_host_key_policy(paramiko.AutoAddPolicy())  # noqa: S507 - as the service does without pins
    else:
        client.load_host_keys(str(known_hosts))
        client.set_missing_host_key_policy(paramiko.RejectPolicy())
    try:
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
        opened = VmSession(client)
    except (OSError, EOFError, paramiko.SSHException) as error:
        client.close()
        where = f"{vm.username}@{vm.address}:{vm.port}"
        raise UnreachableError(f"SSH to {where} failed: {error or type(error).__name__}") from error
    try:
        yield opened
    finally:
        client.close()


def _key(path: Path) -> paramiko.PKey:
    for kind in (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey):
        try:
            return kind.from_private_key_file(str(path))
        except paramiko.SSHException:
            continue
    raise UnreachableError("the private key that the compute was attached with is of no known kind")


def quoted(*words: str) -> str:
    """Words as one shell command."""
    return " ".join(shlex.quote(word) for word in words)
