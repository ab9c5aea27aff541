import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import paramiko
import pytest

from local_stack.azure_ml.computes import Vm
from local_stack.azure_ml.vm_session import CommandError, RefusedError, UnreachableError, VmLink, VmSession, quoted

VM = Vm("vm", "192.0.2.1", 22, "me", Path("/nowhere"))


@dataclass
class Ended:
    """What paramiko shows of a command that has ended; -1 when the connection ended first."""

    status: int
    complaint: str = ""

    def open_sftp(self) -> None: ...

    def exec_command(self, command: str, timeout: float) -> tuple[Any, Any, Any]:
        found = re.search("[0-9a-f]{32}", command)
        assert found is not None
        mark = found[0]
        stdin = io.BytesIO()
        stdout = io.BytesIO(f"hello from ~/.bashrc\n{mark}\nsaid\n{mark} {self.status}\n".encode())
        stderr = io.BytesIO(f"{mark}\n{self.complaint}".encode())
        stdin.channel = stdout.channel = self  # type: ignore[attr-defined] # as paramiko's files have
        return stdin, stdout, stderr

    def shutdown_write(self) -> None: ...

    def recv_exit_status(self) -> int:
        return self.status


def session(status: int, complaint: str = "") -> VmSession:
    return VmSession(cast("paramiko.SSHClient", Ended(status, complaint)))


def link(opened: VmSession | None = None) -> VmLink:
    made = VmLink(lambda: VM, known_hosts=None, own_hosts=Path("/nowhere"))
    made._session = opened
    return made


def test_a_command_that_failed_says_why() -> None:
    assert session(0).run("ls") == "said"
    with pytest.raises(CommandError, match="status 2: no such thing"):
        session(2, "no such thing\n").run("ls")


def test_a_connection_that_broke_during_a_command_is_not_a_failed_command() -> None:
    with pytest.raises(UnreachableError, match=r"SSH to me@192\.0\.2\.1:22 failed: the connection broke"):
        link(session(-1)).call(lambda vm: vm.run("ls"))


@pytest.mark.parametrize(
    ("trouble", "seen_as"),
    [
        (ConnectionResetError(), UnreachableError),
        (TimeoutError(), UnreachableError),
        (OSError("Socket is closed"), UnreachableError),
        (paramiko.SSHException("banner"), UnreachableError),
        (paramiko.AuthenticationException("no"), RefusedError),
        (FileNotFoundError("a file that went away"), FileNotFoundError),
        (CommandError("status 1"), CommandError),
    ],
)
def test_trouble_with_the_connection_is_distinguished_from_other_trouble(
    trouble: Exception, seen_as: type[Exception]
) -> None:
    def fail(_: VmSession) -> None:
        raise trouble

    with pytest.raises(seen_as) as caught:
        link(session(0)).call(fail)

    assert type(caught.value) is seen_as
    if seen_as in {UnreachableError, RefusedError}:
        assert "me@192.0.2.1:22" in str(caught.value)


def test_words_stay_words() -> None:
    assert quoted("rm", "-rf", "a b;c'd") == "rm -rf 'a b;c'\"'\"'d'"
